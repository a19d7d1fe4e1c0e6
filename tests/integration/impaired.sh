#!/usr/bin/env bash
# Bad links: a Linux client and our server with an emulated link between them, and a server that impairs its own.
set -u
. "$(dirname "$0")/support/longwire.sh"

CHECK_TIMEOUT=100
SIZE=5000000
pattern_bytes $SIZE >"$(scratch large)"
SUM=$(sha256sum "$(scratch large)" | cut -d' ' -f1)

# transfers NAME TAG URL: a download and an upload at the same time.
transfers() {
    in_ns "$1" background "$2-down" timeout 90 curl -sS -g -o "$(scratch "$2.down")" "$3/bytes/$SIZE"
    local down=$BACKGROUND_PID
    in_ns "$1" background "$2-up" timeout 90 curl -sS -g -X POST -T "$(scratch large)" "$3/sha256"
    finish "$BACKGROUND_PID" 90
    finish "$down" 90
}
arrived_down() { same_bytes "$(scratch large)" "$(scratch "$1.down")"; }
arrived_up() { matches "^$SIZE $SUM$" "$(cat "$(output "$1-up")" "$(errors "$1-up")")"; }

# --- a link between two namespaces --------------------------------------------------------------------------------

# client ── tun0 ── the emulated link ── tun0 ── Linux, forwarding ── lw0 ── our server
ns_add client
ns_add server
background link "$LONGWIRE" link --a "$(ns client)/tun0" --b "$(ns server)/tun0" --seed 7 \
    --delay 20ms --jitter 1ms --loss 2% --reorder 1% --duplicate 1%
LINK_PID=$BACKGROUND_PID
wait_for_line link 'link between' || die "the link does not start"
ip -n "$(ns client)" address add 10.8.0.1/24 dev tun0
ip -n "$(ns client)" address add fd08::1/64 dev tun0 nodad
ip -n "$(ns server)" address add 10.8.0.2/24 dev tun0
ip -n "$(ns server)" address add fd08::2/64 dev tun0 nodad
ip -n "$(ns client)" route add 10.9.0.0/24 via 10.8.0.2
ip -n "$(ns client)" route add fd09::/64 via fd08::2
in_ns server sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
server server server --tun lw0

check "the server is 40 ms away" matches 'min/avg/max/mdev = (3[89]|4[0-9])\.' \
    "$(in_ns client ping -c 20 -i 0.05 -W 1 $V4)"
transfers client v4 "http://$V4"
check "5 MB down over a link with 2 % loss are the right bytes" arrived_down v4
check "and 5 MB up at the same time" arrived_up v4
transfers client v6 "http://[$V6]"
check "and so it is over IPv6, down" arrived_down v6
check "and up" arrived_up v6
check "the stack sent segments again" between 20 5000 "$(in_ns server curl -s "http://$V4/metrics" |
    awk '$1 == "longwire_tcp_retransmissions_total" { print $2 }')"
check "recovery seldom needed the time-out" between 0 200 "$(metric server tcp_rto_total)"

kill -INT "$LINK_PID"
finish "$LINK_PID" 5
check "the link ends when told to" equals 0 "$FINISHED"
faults() { # the link says for each direction what it did
    local direction
    for direction in 'A to B' 'B to A'; do
        matches "^$direction: .*[0-9]+ lost, .*[0-9]+ duplicated, .*[0-9]+ reordered" "$(cat "$(output link)")" || return
    done
}
check "it did lose, duplicate and reorder" faults
gone() { ! interface_exists client tun0 && ! interface_exists server tun0; }
check "its interfaces are gone" gone

# --- a server that impairs its own packets ------------------------------------------------------------------------

ns_add own
server own own --tun lw0 --impair delay=5ms,jitter=1ms,loss=1%,reorder=1%,duplicate=1%,corrupt=0.5%,seed=3
transfers own own "http://$V4"
check "5 MB down through --impair are the right bytes" arrived_down own
check "and 5 MB up at the same time" arrived_up own
check "what was corrupted was noticed" metric_above own tcp_bad_checksum_total 0

summary
