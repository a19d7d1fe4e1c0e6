#!/usr/bin/env bash
# Several queues of one interface, a stack and a loop for each: connections land on both, stay where they are although the
# kernel forgets which queue they are on, and are seen, counted and ended as those of one server.
set -u
: "${CHECK_TIMEOUT:=60}"
# A /run of our own: 'longwire ss' finds this server and no other of the machine.
if [ -z "${LONGWIRE_OWN_RUN:-}" ]; then
    LONGWIRE_OWN_RUN=1 exec unshare --mount bash "$0" "$@"
fi
mount -t tmpfs tmpfs /run || exit 1
. "$(dirname "$0")/support/longwire.sh"

SIZE=200000000
pattern_bytes $SIZE >"$(scratch large)"
LARGE_SUM=$(sha256sum "$(scratch large)" | cut -d' ' -f1)
ns_add one
lw() { timeout 20 "$LONGWIRE" "$@"; }

# fails_in NAME STATUS PATTERN ARGUMENT…: longwire ends so in the namespace, with one line.
fails_in() {
    local name=$1 status=$2 pattern=$3
    shift 3
    in_ns "$name" timeout 20 "$LONGWIRE" "$@" >"$(scratch out)" 2>"$(scratch err)"
    equals "$status" $? && one_line "$pattern" "$(scratch err)"
}

# --- what cannot be -----------------------------------------------------------------------------------------------

refused() { in_ns one timeout 20 "$LONGWIRE" serve --queues "$1" 2>&1 | head -n 1; }
check "no queue at all is refused" matches "'0' for '--queues <N>': 0 is not in 1..=256" "$(refused 0)"
check "and more than the kernel has" matches "257 is not in 1..=256" "$(refused 257)"
ip -n "$(ns one)" tuntap add dev lw5 mode tun
check "an interface with one queue stays one" fails_in one 1 \
    'lw5: cannot have so many queues: .*ip tuntap add dev lw5 mode tun multi_queue' serve --tun lw5 --queues 2
check "nor are idle connections held on several" fails_in one 1 'leave --queues out' \
    bench idle --queues 2 http://192.0.2.1/
check "each queue needs memory" fails_in one 1 'each has a part of --memory' serve --queues 2 --memory 31MiB
ip -n "$(ns one)" link del lw5

ip -n "$(ns one)" tuntap add dev lw5 mode tun multi_queue
check "one with several is not opened with one" fails_in one 1 'lw5: .*give --queues if it has several' serve --tun lw5
# Another process is there, and looks as if it were not yet: it has taken the carrier away (TUNSETCARRIER).
cat >"$(scratch joins.py)" <<'PYTHON'
import fcntl, struct, time
IFF_TUN, IFF_NO_PI, IFF_MULTI_QUEUE = 0x1, 0x1000, 0x100
with open("/dev/net/tun", "r+b", buffering=0) as queue:
    fcntl.ioctl(queue, 0x400454CA, struct.pack("16sH22x", b"lw5", IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE))
    fcntl.ioctl(queue, 0x400454E2, struct.pack("i", 0))
    print("open", flush=True)
    time.sleep(20)
PYTHON
in_ns one background joins python3 "$(scratch joins.py)"
JOINS=$BACKGROUND_PID
wait_until 10 grep -q open "$(output joins)" || die "nobody else opens the interface"
check "and two that come at once do not share it" fails_in one 1 'lw5: in use by another process' \
    serve --tun lw5 --queues 2
stop_pid "$JOINS" 5
server one persistent --tun lw5 --queues 2 --control "$(scratch persistent.sock)"
check "one that was made for several has them" curl_in one -o /dev/null http://10.9.5.2/healthz
stop_pid "$SERVER_PID" 5
check "and stays when the server goes" interface_exists one lw5
ip -n "$(ns one)" link del lw5

# --- a server on two ----------------------------------------------------------------------------------------------

server one two --tun lw0 --queues 2 --echo 7 --idle-timeout 30s
SERVER=$SERVER_PID
check "the log says how many" matches 'lw0: .* on 2 queues' "$(cat "$(errors two)")"
check "nobody else gets queues of an interface in use" fails_in one 1 'lw0: in use by another process' \
    serve --tun lw0 --queues 2 --port 81

# queue COUNTER NUMBER: the value that a queue has of a metric.
queue() { metric one "queue_$1{queue=\"$2\"}"; }
# forwarded: packets that came to one queue and went to the other. Not asked over the stack: the question might do so itself.
forwarded() { lw metrics | awk '$1 == "longwire_ip_forwarded_total" { print $2 }'; }

check "eighty clients at once get the right bytes" fetch_many one 80 "$(pattern_bytes 300000 | sha256sum | cut -d' ' -f1)" \
    "http://$V4/bytes/300000" "http://[$V6]/bytes/300000"
both_have_some() {
    local first second
    first=$(queue passive_opens_total 0) second=$(queue passive_opens_total 1)
    echo "$first and $second"
    [ "$first" -ge 15 ] && [ "$second" -ge 15 ]
}
check "and both queues have had their part" both_have_some
check "no packet had to be thrown away between them" metric_is one ip_forward_dropped_total 0

download() { equals "$LARGE_SUM" "$(curl_in one "http://$1/bytes/$SIZE" | sha256sum | cut -d' ' -f1)"; }
upload() { matches "$LARGE_SUM" "$(curl_in one -T "$(scratch large)" -X POST "http://$1/sha256")"; }
few_are_forwarded() { # COMMAND…: the kernel learns on which queue a flow is
    local before after
    before=$(forwarded)
    "$@" || return
    after=$(forwarded)
    echo "$((after - before)) forwarded"
    below 40 $((after - before))
}
check "a large download, without a detour" few_are_forwarded download "$V4"
check "a large upload, without a detour" few_are_forwarded upload "[$V6]"

# --- what the kernel forgets --------------------------------------------------------------------------------------

# Sixteen connections: the kernel, which knows nothing of them after three seconds, puts some on the wrong queue.
cat >"$(scratch idle.py)" <<'PYTHON'
import os, socket, sys, time
begin, *hosts = sys.argv[1:]
request = b"GET /bytes/20000 HTTP/1.1\r\nHost: x\r\n\r\n"

def exchange(connection):
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    while len(body) < 20000:
        piece = connection.recv(65536)
        assert piece, "closed"
        body += piece
    assert body == bytes(i % 251 for i in range(20000))

connections = [socket.create_connection((hosts[i % len(hosts)], 80), timeout=10) for i in range(16)]
for connection in connections:
    exchange(connection)
print("asked", flush=True)
time.sleep(5.5)
while not os.path.exists(begin):
    time.sleep(0.05)
slow = 0
for connection in connections:
    begun = time.monotonic()
    exchange(connection)
    slow += time.monotonic() - begun > 0.15  # less than any time-out of TCP's
print("again", slow, flush=True)
PYTHON
in_ns one background idle timeout 60 python3 "$(scratch idle.py)" "$(scratch begin)" "$V4" "$V6"
IDLE=$BACKGROUND_PID
wait_until 10 grep -q asked "$(output idle)" || die "the idle clients do not begin"
sockets() { lw ss --json "$@" | python3 -c '
import collections, json, sys
queues = collections.Counter(s["queue"] for s in json.load(sys.stdin) if s["state"] == sys.argv[1])
print(sum(queues.values()), len(queues))' "$STATE"; }
STATE=ESTABLISHED
check "ss shows the connections of both queues" equals "16 2" "$(sockets --port 80)"
STATE=LISTEN
check "and the listeners of both" equals "8 2" "$(sockets)"
sums() { # in one look, as each is a connection itself
    curl_in one "http://$V4/metrics" | awk '$1 == "longwire_tcp_live_connections" { all = $2 }
        /^longwire_queue_live_connections/ { sum += $2 } END { print all, sum; exit !(all > 0 && all == sum) }'
}
check "metrics are sums of both" sums
check "top does not mistake one for another" lw top -n 1 -i 200ms
BEFORE=$(forwarded)
touch "$(scratch begin)"
finish "$IDLE" 40
check "idle connections go on after the kernel has forgotten them" equals 0 "$FINISHED"
check "at once, but for what a busy machine delays" below 4 "$(awk '/again/ { print $2 }' "$(output idle)")"
crossed() { between 1 60 "$(($(forwarded) - BEFORE))"; }
check "though some had to cross to their queue" crossed

# --- what is no TCP connection ------------------------------------------------------------------------------------

check "ping" in_ns one ping -q -c 5 -i 0.2 -W 2 "$V4"
check "ping over IPv6" in_ns one ping -q -c 5 -i 0.2 -W 2 "$V6"
check "a ping in fragments" in_ns one ping -q -c 3 -i 0.2 -W 2 -s 4000 "$V4"
cat >"$(scratch udp.py)" <<'PYTHON'
import socket, sys
for host in sys.argv[1:]:
    for number in range(32):  # each from a port of its own, and so on any queue
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            message = b"number %d" % number
            asking.sendto(message, (host, 7))
            assert asking.recvfrom(4096)[0] == message
PYTHON
check "each datagram is answered, whichever queue it comes to" \
    in_ns one timeout 30 python3 "$(scratch udp.py)" "$V4" "$V6"

# --- connections of ours ------------------------------------------------------------------------------------------

ns_add site
veth_pair one 192.0.2.1/24 site 192.0.2.2/24
in_ns one sysctl -qw net.ipv4.ip_forward=1
ip -n "$(ns site)" route add 10.9.0.0/16 via 192.0.2.1
mkdir "$(scratch www)" && pattern_bytes 3000000 >"$(scratch www)/file"
in_ns site background httpd python3 -m http.server --bind 192.0.2.2 --directory "$(scratch www)" 8000
wait_for_port site 192.0.2.2 8000
gets() {
    in_ns one timeout 30 "$LONGWIRE" get --queues 3 --short -n 6 -o "$(scratch got)" "http://192.0.2.2:8000/file" || return
    for _ in 1 2 3 4 5 6; do cat "$(scratch www)/file"; done >"$(scratch six)"
    same_bytes "$(scratch six)" "$(scratch got)"
}
check "longwire get on three queues" gets
check "longwire ping on two queues" in_ns one timeout 20 "$LONGWIRE" ping --queues 2 -c 3 192.0.2.2

# The road beyond the router carries less than the interface does: what it says reaches the connection that it is about.
ip -n "$(ns one)" link set veth0 mtu 1000
ip -n "$(ns site)" route replace 10.9.0.0/16 via 192.0.2.1
from_afar() {
    local number
    for ((number = 0; number < 6; number++)); do
        equals "$(pattern_bytes 2000000 | sha256sum | cut -d' ' -f1)" \
            "$(in_ns site timeout 30 curl -s "http://$V4/bytes/2000000" | sha256sum | cut -d' ' -f1)" || return
    done
}
check "downloads over a road with a smaller MTU" from_afar
check "whose routers were heard" metric_above one icmp_errors_matched_total 0

# --- single packets -----------------------------------------------------------------------------------------------

ns_add plain
server plain plain --tun lw0 --queues 2 --pcap "$(scratch plain.pcapng)" --impair delay=5ms,loss=0.1% \
    --control "$(scratch plain.sock)"
several_over_plain() {
    local number
    for number in 1 2 3 4 5 6; do
        curl_in plain --fail -o "$(scratch plain.$number)" --local-port 5000$number "http://$V4/bytes/500000" || return
    done
    pattern_bytes 500000 >"$(scratch expected)"
    for number in 1 2 3 4 5 6; do same_bytes "$(scratch expected)" "$(scratch plain.$number)" || return; done
}
check "the plain device has several queues, too, with faults on each" several_over_plain
stop_pid "$SERVER_PID" 5
streams() { timeout 30 tshark -r "$(scratch plain.pcapng)" -Y 'tcp.flags.fin==1 && tcp.srcport==80' -T fields -e tcp.dstport 2>/dev/null | sort -u | wc -l; }
check "and one capture of both" equals 6 "$(streams)"

# --- the end ------------------------------------------------------------------------------------------------------

slow() { in_ns one background "slow$1" timeout 30 curl -s --limit-rate 4M -o "$(scratch "slow$1.out")" "http://$V4/bytes/8000000"; }
SLOW=()
for number in 1 2 3 4 5 6; do
    slow $number
    SLOW+=("$BACKGROUND_PID")
done
for number in 1 2 3 4 5 6; do wait_until 15 test -s "$(scratch "slow$number.out")"; done
kill -INT "$SERVER"
ALL=0
for pid in "${SLOW[@]}"; do
    finish "$pid" 30
    [ "$FINISHED" = 0 ] || ALL=$FINISHED
done
check "Ctrl-C lets the downloads on both queues finish" equals 0 "$ALL"
complete() { equals "6 8000000" "$(stat -c %s "$NS_DIR"/slow?.out | sort | uniq -c | awk '{ print $1, $2 }')"; }
check "whole" complete
finish "$SERVER" 20
check "and then the server ends" equals 0 "$FINISHED"
check "without having reset anything" matches '^0$' "$(grep -c 'have been reset' "$(errors two)")"
check "its interface is gone" expect_status 1 interface_exists one lw0

summary
