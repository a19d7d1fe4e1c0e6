#!/usr/bin/env bash
# Clients that are slow on purpose, over the real interface: 5,000 heads that never end (slow-loris) while others are
# served, a client that reads nothing, one that sends a byte a second, and ones that vanish. Each is freed by the limit
# that is meant for it, and the counters say by which.
set -u
. "$(dirname "$0")/support/longwire.sh"

ATTACKERS=5000
SLOW=tests/integration/support/slow.py

# value TAG NAME: of the last line that a background client wrote.
value() { tail -n 1 "$(output "$1")" | tr ' ' '\n' | sed -n "s/^$2=//p"; }
is() { equals "$3" "$(value "$1" "$2")"; }
within() { between "$3" "$4" "$(value "$1" "$2")"; } # TAG NAME LEAST MOST
slow() { # TAG KIND ARGUMENT…
    local tag=$1
    shift
    in_ns one background "$tag" timeout 90 python3 $SLOW "$1" "$V4" 80 "${@:2}"
}
# The one that asks for the metrics may be counted itself.
nobody_left() { wait_until 15 at_most_itself; }
at_most_itself() { between 0 1 "$(metric one http_open_connections)"; }
reason() { printf 'http_reasons_total{reason="%s"}' "$1"; }

# --- slow-loris ---------------------------------------------------------------------------------------------------

# Ten client addresses, so that the limit of a single one (1,000) is not what ends it.
ns_add one
server one server --tun lw0 --header-timeout 15s
SOURCES=()
for number in {101..110}; do
    ip -n "$(ns one)" address add "10.9.0.$number/24" dev lw0
    SOURCES+=("10.9.0.$number")
done
slow before honest 2 $HOST_V4
BEFORE_PID=$BACKGROUND_PID
wait_until 20 has_ended "$BEFORE_PID"
slow loris loris $ATTACKERS 60 "${SOURCES[@]}"
LORIS_PID=$BACKGROUND_PID
check "most of $ATTACKERS slow heads are open at once" wait_until 30 metric_above one http_open_connections $((ATTACKERS * 8 / 10))
slow during honest 4 $HOST_V4
DURING_PID=$BACKGROUND_PID
wait_until 20 has_ended "$DURING_PID"
wait_until 60 has_ended "$LORIS_PID"
printf 'alone: %s\nduring the attack: %s\nattackers: %s\n' \
    "$(tail -n 1 "$(output before)")" "$(tail -n 1 "$(output during)")" "$(tail -n 1 "$(output loris)")"
check "every attacker was let in" is loris opened $ATTACKERS
check "every attacker was told 408" is loris told_408 $ATTACKERS
check "none of them is left" is loris left 0
check "none of them was reset" is loris reset 0
check "none had to go before its time" within loris shortest_ms 14900 20000
check "and none stayed much longer" within loris longest_ms 14500 25000
check "the others were all served meanwhile" is during failed 0
check "half of them within a fifth of a second" below 200 "$(printf '%.0f' "$(value during p50_ms)")"
# A SYN that finds the interface's queue full of theirs comes again after a second.
check "99 of 100 within four seconds" below 4000 "$(printf '%.0f' "$(value during p99_ms)")"
check "the deadline of heads is counted" metric_is one "$(reason header_timeout)" $ATTACKERS
check "nobody is left" nobody_left
stop_pid "$SERVER_PID"
ns_del one

# --- one limit each -----------------------------------------------------------------------------------------------

# The clients that vanish are behind a router, whose cable can be cut.
ns_add one
ns_add two
veth_pair one 10.8.0.1/24 two 10.8.0.2/24
in_ns one sysctl -qw net.ipv4.ip_forward=1
ip -n "$(ns two)" route add 10.9.0.0/24 via 10.8.0.1
server one server --tun lw0 --idle-timeout off --send-timeout 3s --body-grace 2s --body-rate 100 \
    --tcp-keep-alive 1s,1s,3
slow deaf deaf 15
DEAF_PID=$BACKGROUND_PID
slow drip drip 15
DRIP_PID=$BACKGROUND_PID
slow quiet idle 12
QUIET_PID=$BACKGROUND_PID
# What goes to this one is lost from here on, and what it sends arrives: its answer is never acknowledged.
in_ns two background mute timeout 60 python3 $SLOW again $V4 80 30
MUTE_PID=$BACKGROUND_PID
wait_for_line mute '^ready=1'
ip -n "$(ns one)" neighbour replace 10.8.0.2 lladdr 02:00:00:00:00:01 dev veth0 nud permanent
wait_until 20 has_ended "$DRIP_PID"
wait_until 20 has_ended "$DEAF_PID"
wait_until 20 has_ended "$QUIET_PID"
check "who reads nothing is reset" is deaf end reset
check "after the deadline of sending" within deaf after_ms 2800 8000
check "which is counted" metric_is one "$(reason send_timeout)" 1
check "a byte a second is told 408" is drip status 408
check "after the grace" within drip after_ms 1800 7000
check "which is counted" metric_is one "$(reason body_rate)" 1
check "who is quiet and alive stays" is quiet end open
check "though it is probed" metric_above one tcp_keep_alive_probes_total 5

check "who acknowledges nothing of an answer that HTTP is done with is given up" \
    wait_until 20 metric_is one tcp_give_ups_total 1
check "and nobody is left" nobody_left
stop_pid "$MUTE_PID"
ip -n "$(ns one)" neighbour del 10.8.0.2 dev veth0

# vanish TAG KIND COUNTER VALUE: a client behind the router, whose cable is cut once it is served. It is gone once the
# counter says so.
vanish() {
    in_ns two background "$1" timeout 60 python3 $SLOW "$2" $V4 80 40
    wait_for_line "$1" '^ready=1' || return
    sleep 0.5
    ip -n "$(ns two)" link set veth0 down
    wait_until 20 metric_is one "$3" "$4" && nobody_left
    local freed=$?
    stop_pid "$BACKGROUND_PID"
    ip -n "$(ns two)" link set veth0 up
    ip -n "$(ns two)" route replace 10.9.0.0/24 via 10.8.0.1
    return $freed
}
check "who vanishes while it is idle is freed by the keep-alive of TCP" \
    vanish gone idle tcp_keep_alive_timeouts_total 1
check "who vanishes in the middle of an answer is freed by the deadline of sending" \
    vanish lost busy "$(reason send_timeout)" 2
check "the server is well" equals ok "$(curl_in one "http://$V4/healthz")"

summary
