#!/usr/bin/env bash
# TCP Fast Open between Linux and us, either of them the server: cookies, data that comes with the SYN, and servers that
# take none.
set -u
. "$(dirname "$0")/support/longwire.sh"

FAST_OPEN=${FAST_OPEN:-$(dirname "$LONGWIRE")/examples/fast_open}
[ -x "$FAST_OPEN" ] || die "$FAST_OPEN is missing: cargo build --release --example fast_open"

# linux_takes_part NAME: Fast Open of the kernel in a namespace, both as client and as server.
linux_takes_part() { in_ns "$1" sysctl -q -w net.ipv4.tcp_fastopen=3; }

# kernel_counter NAME COUNTER: of TcpExt, since the namespace began.
kernel_counter() {
    in_ns "$1" awk -v name="$2" '$1 == "TcpExt:" && !names { names = $0; next }
        $1 == "TcpExt:" { split(names, keys); for (i in keys) if (keys[i] == name) print $i }' /proc/net/netstat
}

# --- we are the server --------------------------------------------------------------------------------------------

# fetch NAME ADDRESS: a request that Linux sends with the SYN where it has a cookie; the first line of the answer.
fetch() {
    in_ns "$1" timeout 10 python3 -c 'import socket, sys
address = sys.argv[1]
client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
request = b"GET /bytes/10 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
assert client.sendto(request, socket.MSG_FASTOPEN, (address, 80)) == len(request)
answer = b""
while piece := client.recv(1000): answer += piece
print(answer.split(b"\r\n")[0].decode())' "$2"
}

ns_add server
linux_takes_part server
server server serving --fast-open 16
for address in $V4 $V6; do
    begun=$(kernel_counter server TCPFastOpenActive)
    check "$address: the first request only brings a cookie" equals "HTTP/1.1 200 OK" "$(fetch server "$address")"
    check "$address: which Linux has not used yet" equals "$begun" "$(kernel_counter server TCPFastOpenActive)"
    check "$address: the second comes with the SYN" equals "HTTP/1.1 200 OK" "$(fetch server "$address")"
    check "$address: the third, too" equals "HTTP/1.1 200 OK" "$(fetch server "$address")"
    check "$address: and Linux has heard that both were taken" equals $((begun + 2)) "$(kernel_counter server TCPFastOpenActive)"
done
check "all four are counted" metric_is server tcp_fast_open_passive_total 4
check "and so are the two cookies" metric_is server tcp_fast_open_cookies_sent_total 2
check "none of Linux's attempts has failed" equals 0 "$(kernel_counter server TCPFastOpenActiveFail)"

ns_add plain
linux_takes_part plain
server plain plain-serving
fetch plain $V4 >/dev/null
check "a server without --fast-open answers as ever" equals "HTTP/1.1 200 OK" "$(fetch plain $V4)"
check "and gives no cookie" metric_is plain tcp_fast_open_cookies_sent_total 0
in_ns plain sysctl -q -w net.ipv4.tcp_fastopen=5 # from now on Linux sends data with the SYN without a cookie, too
check "data that comes with the SYN all the same is left to come again" equals "HTTP/1.1 200 OK" "$(fetch plain $V4)"
check "which Linux has noticed" equals 1 "$(kernel_counter plain TCPFastOpenActiveFail)"
check "none was taken" metric_is plain tcp_fast_open_passive_total 0

# --- Linux is the server ------------------------------------------------------------------------------------------

# listen NAME TAG PORT QUEUE: a server that answers with what it was asked, in capitals.
listen() {
    in_ns "$1" background "$2" python3 -c 'import socket, sys
server = socket.create_server(("", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
if int(sys.argv[2]): server.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, int(sys.argv[2]))
print("listening", flush=True)
while True:
    client, _ = server.accept()
    asked = b""
    while piece := client.recv(10000): asked += piece
    client.sendall(asked.upper())
    client.close()' "$3" "$4"
    wait_for_line "$2" listening || die "no server on port $3"
}

# ask PEER COUNT QUESTION: what the example says.
ask() { in_ns client timeout 20 "$FAST_OPEN" lw0 "$1" "$3" "$2"; }

ns_add client
linux_takes_part client
listen client fast 7 16
listen client slow 8 0
FAST="behind the handshake: HELLO
with the SYN: HELLO
with the SYN: HELLO"
check "ours asks with the SYN once it has a cookie" equals "$FAST" "$(ask $HOST_V4:7 3 hello)"
check "over IPv6, too" equals "$FAST" "$(ask "[$HOST_V6]:7" 3 hello)"
check "Linux has taken all four" equals 4 "$(kernel_counter client TCPFastOpenPassive)"
SLOW="behind the handshake: HELLO
behind the handshake: HELLO"
check "a server that takes no part gets the data all the same" equals "$SLOW" "$(ask $HOST_V4:8 2 hello)"
LONG=$(pattern_bytes 3000 | od -An -tx1 | tr -d ' \n')
check "what does not fit the SYN follows" equals "${LONG^^}" "$(ask $HOST_V4:7 2 "$LONG" | sed -n 's/^with the SYN: //p')"

summary
