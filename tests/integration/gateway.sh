#!/usr/bin/env bash
# examples/gateway.rs: a namespace that has nothing but a TUN interface reaches servers in another one.
#
#     inside ── lw0 ── the gateway, in `middle` ── veth ── outside, with the servers
set -u
. "$(dirname "$0")/support/longwire.sh"

GATEWAY=${GATEWAY:-$(dirname "$LONGWIRE")/examples/gateway}
if [ ! -x "$GATEWAY" ]; then die "$GATEWAY is missing: cargo build --release --example gateway"; fi

OUT4=198.51.100.2
OUT6=2001:db8:5::2
PLACES=300 # connections that the gateway takes at a time
ns_add inside
ns_add middle
ns_add outside
veth_pair middle 198.51.100.1/24 outside $OUT4/24
ip -n "$(ns middle)" address add 2001:db8:5::1/64 dev veth0
ip -n "$(ns outside)" address add $OUT6/64 dev veth0

in_ns outside background servers python3 tests/integration/support/elsewhere.py serve
SERVERS_PID=$BACKGROUND_PID
wait_for_line servers ready "$SERVERS_PID" || die "the servers do not start"
start_gateway() {
    in_ns middle background "$1" "$GATEWAY" "$(ns inside)/lw0" $PLACES
    GATEWAY_PID=$BACKGROUND_PID
    wait_for_line "$1" 'Ctrl-C stops' "$GATEWAY_PID" || die "the gateway does not start"
}
start_gateway gateway
wait_until 15 in_ns middle ping -c1 -W1 $OUT6

there() { python3 tests/integration/support/elsewhere.py bytes "$1"; }
fetched() { equals "$2" "$(curl_in inside --fail "http://$1:8080/bytes/100000" | sha256sum)"; }

# --- one at a time ------------------------------------------------------------------------------------------------

SMALL=$(there 100000 | sha256sum)
check "there is no way but the TUN" equals "lo lw0" "$(ip -n "$(ns inside)" -o link | awk -F': ' '{ print $2 }' | sort | xargs)"
check "curl reaches the server" fetched $OUT4 "$SMALL"
check "over IPv6, too" fetched "[$OUT6]" "$SMALL"

head -c 3000000 /dev/urandom >"$(scratch up)"
SAID="3000000 $(sha256sum <"$(scratch up)" | cut -d' ' -f1)"
half_closed() { equals "$SAID" "$(in_ns inside timeout 20 nc -N "$1" 7001 <"$(scratch up)")"; }
check "an answer comes after our direction has ended" half_closed $OUT4
check "over IPv6, too" half_closed $OUT6

# The server ends its direction first; what goes to it afterwards still arrives.
speak_after_the_end() {
    in_ns inside timeout 20 python3 -c 'import socket, sys
peer = socket.create_connection((sys.argv[1], 7002))
while peer.recv(100): pass
peer.sendall(open(sys.argv[2], "rb").read())' "$1" "$(scratch up)" && wait_until 15 grep -q "heard $SAID" "$(output servers)"
}
check "what follows the end of the other direction arrives" speak_after_the_end $OUT4

# --- what goes wrong ----------------------------------------------------------------------------------------------

# how_it_ends HOST PORT: the error that a client which sends and reads gets.
how_it_ends() {
    in_ns inside timeout 20 python3 -c 'import socket, sys
try:
    peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    peer.sendall(b"anyone?")
    while peer.recv(100): pass
    print("end")
except OSError as error:
    print(type(error).__name__)' "$@"
}
check "a closed port is a reset" matches 'ConnectionReset|BrokenPipe' "$(how_it_ends $OUT4 9)"
check "so is a host without a route to it" matches 'ConnectionReset|BrokenPipe' "$(how_it_ends 203.0.113.1 80)"
check "over IPv6, too" matches 'ConnectionReset|BrokenPipe' "$(how_it_ends 2001:db8:ffff::1 80)"
check "a reset of the server's is passed on" equals ConnectionResetError "$(how_it_ends $OUT4 7003)"

client_resets() {
    in_ns inside background never-mind timeout 30 python3 -c 'import socket, struct, sys, time
peer = socket.create_connection((sys.argv[1], 7001))
peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
peer.sendall(b"never mind")
time.sleep(20)' $OUT4
    # Not before it is through to the server.
    wait_until 15 connected outside 7001 && kill "$BACKGROUND_PID" && wait_until 15 grep -q '^broken 7001' "$(output servers)"
}
check "a reset of the client's is passed on" client_resets

# What nobody reads comes to rest: in the buffers of the two kernels, the gateway's stack, and one piece of its own.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$GATEWAY_PID/status"; }
BEFORE=$(resident)
pushed() {
    in_ns inside timeout 20 python3 -c 'import socket, sys
peer = socket.create_connection((sys.argv[1], 7004))
peer.settimeout(2)
total = 0
try:
    while total < 1 << 30: total += peer.send(bytes(1 << 16))
except TimeoutError: pass
print(total)' $OUT4
}
check "a server that reads nothing stops its client" below 100000000 "$(pushed)"
check "and the gateway keeps little of it" below 16000 "$(($(resident) - BEFORE))"

# --- many and much ------------------------------------------------------------------------------------------------

# More at a time than there are places: the others wait.
check "400 at a time through 300 places" fetch_many inside 400 "${SMALL%% *}" \
    "http://$OUT4:8080/bytes/100000" "http://[$OUT6]:8080/bytes/100000"

GIGABYTE=1000000000
check "1 GB arrives as it was sent" equals "$(there $GIGABYTE | sha256sum)" \
    "$(curl_in inside --fail "http://$OUT4:8080/bytes/$GIGABYTE" | sha256sum)"
there 200000000 >"$(scratch large)"
check "200 MB the other way, over IPv6" equals "200000000 $(sha256sum <"$(scratch large)" | cut -d' ' -f1)" \
    "$(curl_in inside --fail --upload-file "$(scratch large)" "http://[$OUT6]:8080/")"

# --- the end ------------------------------------------------------------------------------------------------------

in_ns inside background held python3 -c 'import socket, sys
peer = socket.create_connection((sys.argv[1], 7004))
peer.sendall(b"?")
print("open", flush=True)
try:
    print(peer.recv(1))
except OSError as error:
    print(type(error).__name__)' $OUT4
HELD_PID=$BACKGROUND_PID
wait_for_line held open "$HELD_PID"
kill -INT "$GATEWAY_PID"
finish "$GATEWAY_PID" 15
check "Ctrl-C ends it well" equals 0 "$FINISHED"
check "it says what there was" matches 'connections, of them [0-9]+ to nobody' "$(cat "$(output gateway)")"
finish "$HELD_PID" 15
check "an open connection is broken off" matches ConnectionResetError "$(cat "$(output held)")"
check "the interface is gone" expect_status 1 interface_exists inside lw0
start_gateway again
check "and it starts again" fetched $OUT4 "$SMALL"

summary
