#!/usr/bin/env bash
# netcat on either end: Linux's against ours, ours against Linux's, with half-close, and the small services.
set -u
. "$(dirname "$0")/support/longwire.sh"

SIZE=5000000
pattern_bytes $SIZE >"$(scratch up)"
head -c $SIZE /dev/urandom >"$(scratch down)"
: >"$(scratch nothing)"

# talk NAME TAG INPUT COMMAND…: a background command with a file for its standard input.
talk() {
    local name=$1 tag=$2 input=$3
    shift 3
    # shellcheck disable=SC2016 # expanded by the inner shell
    in_ns "$name" background "$tag" sh -c 'input=$1; shift; exec "$@" <"$input"' sh "$input" "$@"
}

# answer_with_sum NAME TAG COMMAND…: one end that says something only when all of the other one's bytes are there, and
# the end of its direction, which follows them at once, behind them: the hash of what came.
answer_with_sum() {
    local name=$1 tag=$2
    shift 2
    # shellcheck disable=SC2016 # expanded by the inner shell
    in_ns "$name" background "$tag" sh -c 'size=$1 file=$2; shift 2
        { until [ "$(stat -c %s "$file")" = "$size" ]; do sleep 0.05; done; sleep 0.3; sha256sum <"$file"; } |
            timeout 20 "$@" >"$file"' sh "$SIZE" "$(scratch "$tag.received")" "$@"
}

UP_SUM=$(sha256sum <"$(scratch up)")

# both_arrived: each end has what the other one sent. FILE-OF-LISTENER FILE-OF-CONNECTOR
both_arrived() { same_bytes "$(scratch up)" "$1" && same_bytes "$(scratch down)" "$2"; }

# --- ours listens -------------------------------------------------------------------------------------------------

ns_add one
listen_ours() { # TAG ADDRESS
    talk one "$1" "$(scratch down)" "$LONGWIRE" nc --tun lw5 -l 7000
    wait_for_line "$1" 'listening' || return
    in_ns one timeout 20 nc -N "$2" 7000 <"$(scratch up)" >"$(scratch "$1.received")"
    finish "$BACKGROUND_PID" 10
}
listen_ours ours4 10.9.5.2
check "ours listens, Linux's connects: both directions arrive" both_arrived "$(output ours4)" "$(scratch ours4.received)"
check "and ours ends well" equals 0 "$FINISHED"
listen_ours ours6 fd09:0:0:5::2
check "over IPv6, too" both_arrived "$(output ours6)" "$(scratch ours6.received)"

answer_with_sum one sum-ours "$LONGWIRE" nc --tun lw5 -l 7001
wait_for_line sum-ours 'listening'
check "ours answers after Linux's has closed its direction" equals "$UP_SUM" \
    "$(in_ns one timeout 20 nc -N 10.9.5.2 7001 <"$(scratch up)")"

keep_listening() {
    local word
    for word in first second third; do
        equals "$word" "$(in_ns one timeout 5 nc -N 10.9.5.2 7002 <<<"$word"; tail -n 1 "$(output kept)")" || return
    done
}
talk one kept "$(scratch nothing)" "$LONGWIRE" nc --tun lw5 -l -k 7002
KEPT_PID=$BACKGROUND_PID
wait_for_line kept 'listening'
check "with -k one peer after the other" keep_listening
stop_pid "$KEPT_PID"

# --- Linux's listens ----------------------------------------------------------------------------------------------

ns_add two
# Linux's ends as soon as its peer has closed its direction. So ours sends only when all of Linux's bytes are there,
# and behind them the end of that direction.
connect_ours() { # TAG FAMILY ADDRESS
    local received
    received=$(scratch "$1.received")
    talk two "$1" "$(scratch up)" timeout 20 nc "$2" -N -l 7000
    wait_until 15 listens two 7000
    { wait_until 20 has_size $SIZE "$received" && sleep 0.3 && cat "$(scratch down)"; } |
        in_ns two timeout 25 "$LONGWIRE" nc "$3" 7000 >"$received"
    CONNECTED=$?
    finish "$BACKGROUND_PID" 10
}
has_size() { [ "$(stat -c %s "$2")" = "$1" ]; }

connect_ours linux4 -4 $HOST_V4
check "Linux's listens, ours connects: both directions arrive" both_arrived "$(scratch linux4.received)" "$(output linux4)"
check "and ours ends well" equals 0 "$CONNECTED"
connect_ours linux6 -6 $HOST_V6
check "over IPv6, too" both_arrived "$(scratch linux6.received)" "$(output linux6)"

# Linux's own nc -l ends when its peer has closed its direction, so this one is Python's.
in_ns two background sum-linux timeout 20 python3 -c 'import hashlib, socket
peer, _ = socket.create_server(("", 7001)).accept()
sum = hashlib.sha256()
while piece := peer.recv(65536):
    sum.update(piece)
peer.sendall((sum.hexdigest() + "  -\n").encode())'
wait_until 15 listens two 7001
check "Linux answers after ours has closed its direction" equals "$UP_SUM" \
    "$(in_ns two timeout 20 "$LONGWIRE" nc $HOST_V4 7001 <"$(scratch up)")"

nobody_there() {
    in_ns two "$LONGWIRE" nc $HOST_V4 7999 </dev/null 2>"$(scratch err)"
    equals 1 $? && one_line "$HOST_V4:7999: .*refused" "$(scratch err)"
}
check "where nobody listens, one line says so" nobody_there

datagram_both_ways() {
    in_ns two timeout 5 nc -u -l 7003 <<<"from Linux" >"$(scratch udp.linux)" &
    wait_until 15 listens_udp two 7003
    equals "from Linux" "$(in_ns two timeout 5 "$LONGWIRE" nc -u $HOST_V4 7003 <<<"from us")" &&
        wait_until 15 grep -qx "from us" "$(scratch udp.linux)"
}
check "datagrams both ways" datagram_both_ways

# --- services -----------------------------------------------------------------------------------------------------

ns_add three
server three services --tun lw0 --echo 7 --discard 9 --chargen 19

echoed() { # ADDRESS
    in_ns three timeout 20 nc -N "$1" 7 <"$(scratch down)" >"$(scratch echoed)" && same_bytes "$(scratch down)" "$(scratch echoed)"
}
# RFC 864: lines of 72 of the 95 printable characters, each line beginning one further.
generated() {
    in_ns three timeout 20 nc -d $V4 19 | head -c 100000 >"$(scratch generated)"
    python3 -c 'import sys
ring = bytes(range(32, 127)) * 2
lines = [ring[i % 95:i % 95 + 72] + b"\r\n" for i in range(100000 // 74 + 96)]
got = open(sys.argv[1], "rb").read()
starts = [first for first in range(95) if b"".join(lines[first:])[:100000] == got]
sys.exit(0 if starts else "no such pattern: %r" % got[:160])' "$(scratch generated)"
}
udp_echo() { # ADDRESS: datagrams come back whole, one by one, from whom they went to
    in_ns three timeout 10 python3 -c 'import socket, sys
address = sys.argv[1]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect((address, 7))
for size in (0, 1, 100, 1400, 1):
    sent = bytes(i % 251 for i in range(size))
    s.send(sent)
    assert s.recv(2000) == sent, size' "$1"
}
udp_refused() {
    in_ns three timeout 10 python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect(("'$V4'", 4321))
s.send(b"anyone?")
try:
    s.recv(10)
except ConnectionRefusedError:
    raise SystemExit(0)
raise SystemExit("no port unreachable")'
}
check "the echo service gives 5 MB back" echoed $V4
check "over IPv6, too" echoed $V6
check "the discard service takes 5 MB and says nothing" equals 0 \
    "$(in_ns three timeout 20 nc -N $V4 9 <"$(scratch down)" | wc -c)"
check "the chargen service writes lines as RFC 864 shows them" generated
check "UDP echo" udp_echo $V4
check "UDP echo over IPv6" udp_echo $V6
check "a closed UDP port is unreachable" udp_refused
check "a closed TCP port refuses" matches refused "$(in_ns three timeout 5 nc -v -z $V4 4321 2>&1)"
check "the server is well after all that" equals ok "$(curl_in three "http://$V4/healthz")"

summary
