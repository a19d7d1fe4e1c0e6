#!/usr/bin/env bash
# TCP keep-alive: the probes of idle connections in a capture, and peers that have vanished, found and freed.
set -u
. "$(dirname "$0")/support/longwire.sh"

ns_add one
server one server --tun lw0 --tcp-keep-alive 1s,500ms,3 --echo 7
# Clients that can vanish, while others stay.
ip -n "$(ns one)" address add 10.9.0.50/24 dev lw0
ip -n "$(ns one)" address add fd09::50/64 dev lw0 nodad
capture_start one lw0 wire

# idle TAG SOURCE SOURCE-PORT ADDRESS PORT: a connection on which nothing is said after its first words.
printf 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' >"$(scratch request)"
idle() {
    local tag=$1
    shift
    # shellcheck disable=SC2016 # expanded by the inner shell
    in_ns one background "$tag" sh -c 'exec nc -s "$2" -p "$3" "$4" "$5" <"$1"' sh "$(scratch request)" "$@"
    IDLE_PID=$BACKGROUND_PID
    wait_until 15 test -s "$(output "$tag")"
}

# --- an idle peer that answers ------------------------------------------------------------------------------------

LIVE=$(metric one tcp_live_connections)
idle answering $HOST_V4 42001 $V4 7
ANSWERING_PID=$IDLE_PID
check "the server probes" wait_until 15 metric_above one tcp_keep_alive_probes_total 2
check "the connection lives on" kill -0 "$ANSWERING_PID"
check "nothing was found dead" metric_is one tcp_keep_alive_timeouts_total 0

# --- peers that vanish --------------------------------------------------------------------------------------------

idle vanishing4 10.9.0.50 42002 $V4 7
idle vanishing6 fd09::50 42003 $V6 80
check "the idle connections are there" between $((LIVE + 3)) $((LIVE + 4)) "$(metric one tcp_live_connections)"
ip -n "$(ns one)" address del 10.9.0.50/24 dev lw0
ip -n "$(ns one)" address del fd09::50/64 dev lw0
both_found() { metric_is one tcp_keep_alive_timeouts_total 2; }
check "both are found" wait_until 20 both_found
check "and freed" between "$LIVE" $((LIVE + 2)) "$(metric one tcp_live_connections)"
check "the answering one is still there" kill -0 "$ANSWERING_PID"
stop_pid "$ANSWERING_PID"

# --- the stack as client ------------------------------------------------------------------------------------------

ns_add two
in_ns two background listener nc -d -l 7000
wait_until 15 listens two 7000
in_ns two background client sh -c 'sleep 40 | exec "$@"' sh "$LONGWIRE" nc --tun lw0 \
    --tcp-keep-alive 500ms,500ms,2 $HOST_V4 7000
CLIENT_PID=$BACKGROUND_PID
check "a client of ours is connected" wait_until 15 connected two 7000
ip -n "$(ns two)" address del 10.9.0.1/24 dev lw0
check "and says when its peer has vanished" wait_until 15 grep -q 'timed out' "$(errors client)"
kill "$CLIENT_PID" 2>/dev/null

# --- what the capture says ----------------------------------------------------------------------------------------

capture_stop
# A probe is one below what comes next, without data, and its answer an ACK of what is expected (RFC 9293 3.8.4).
probes() { capture_count wire "tcp.srcport == $1 && tcp.dstport == $2 && tcp.analysis.keep_alive"; }
spacing() { # the shortest time between probes, in milliseconds
    capture_fields wire 'tcp.srcport == 7 && tcp.dstport == 42001 && tcp.analysis.keep_alive' frame.time_epoch |
        awk 'NR > 1 && (!least || $1 - last < least) { least = $1 - last } { last = $1 } END { printf "%d", least * 1000 }'
}
check "probes were sent" between 3 100 "$(probes 7 42001)"
check "a second apart" between 990 1200 "$(spacing)"
check "each was answered" equals "$(probes 7 42001)" \
    "$(capture_count wire 'tcp.srcport == 42001 && tcp.analysis.keep_alive_ack')"
# Those that it still answered, before it vanished, are not counted.
in_vain() { echo $(($(probes "$1" "$2") - $(capture_count wire "tcp.srcport == $2 && tcp.analysis.keep_alive_ack"))); }
check "the vanished one was probed three times" equals 3 "$(in_vain 7 42002)"
check "then reset, for the case that it lives" equals 1 "$(capture_count wire 'tcp.dstport == 42002 && tcp.flags.reset == 1')"
check "and so over IPv6" equals 3 "$(in_vain 80 42003)"
check "the answering one was not reset" equals 0 "$(capture_count wire 'tcp.dstport == 42001 && tcp.flags.reset == 1')"

summary
