#!/usr/bin/env bash
# Bad input over the real interface: random bytes, mutated packets of a real capture, half-open SYNs from 10,000
# sources. The server lives, its memory is bounded, it says little and counts all, and honest clients are served.
#
# HOSTILE_SECONDS (6) is how long each of the first two lasts.
set -u
. "$(dirname "$0")/support/longwire.sh"

: "${HOSTILE_SECONDS:=6}"
CHECK_TIMEOUT=$((HOSTILE_SECONDS + 60))
RATE=4000
ns_add one
server one server --tun lw0 --echo 7 --discard 9
pattern_bytes 1000000 >"$(scratch expected)"

memory() { awk '/^VmRSS:/ { print $2 }' "/proc/$SERVER_PID/status"; }
honest() { # ADDRESS
    curl_in one --max-time 15 -o "$(scratch received)" "http://$1/bytes/1000000" &&
        same_bytes "$(scratch expected)" "$(scratch received)"
}
# hostile TAG KIND ARGUMENT…: in the background; its id is in HOSTILE_PID.
hostile() {
    local tag=$1
    shift
    in_ns one background "$tag" timeout $((HOSTILE_SECONDS + 60)) python3 tests/integration/support/hostile.py lw0 "$@"
    HOSTILE_PID=$BACKGROUND_PID
}
# meanwhile: honest clients, one after the other, for as long as the hostile one goes on.
meanwhile() {
    local served=0
    while kill -0 "$HOSTILE_PID" 2>/dev/null; do
        honest $V4 && honest "[$V6]" || return
        served=$((served + 2))
        sleep 0.2
    done
    echo "$served were served"
    ((served > 0))
}

# --- a real capture, with traffic of every kind -------------------------------------------------------------------

capture_start one lw0 real
honest $V4
honest "[$V6]"
curl_in one -o "$(scratch sum)" -X POST -T "$(scratch expected)" "http://$V4/sha256"
in_ns one ping -c 3 -i 0.1 -s 100 $V4 >"$(scratch ping)"
in_ns one ping -c 3 -i 0.1 -s 100 $V6 >"$(scratch ping)"
echo words | in_ns one timeout 3 nc -u -w 1 $V4 7 >"$(scratch udp)"
echo words | in_ns one timeout 3 nc -N $V4 4321
head -c 5000 "$(scratch expected)" >"$(scratch words)"
# A connection that is alive while its packets come back changed.
# shellcheck disable=SC2016 # expanded by the inner shell
in_ns one background victim sh -c 'exec nc "$1" 7 <"$2"' sh $V4 "$(scratch words)"
wait_until 15 test -s "$(output victim)"
capture_stop
BEFORE=$(memory)

# --- the three kinds ----------------------------------------------------------------------------------------------

hostile random random "$HOSTILE_SECONDS" $RATE
check "honest clients are served among random bytes" meanwhile
hostile mutated mutated "$HOSTILE_SECONDS" $RATE "$(capture_file real)"
check "and among mutated packets" meanwhile
hostile syn syn 10000 $RATE $V4 80
check "and among half-open SYNs" meanwhile
AFTER=$(memory)

sent() { sed 's/ .*//' "$(output "$1")"; }
check "the random bytes really went there" between $((HOSTILE_SECONDS * RATE / 4)) 10000000 "$(sent random)"
check "so did the mutated packets" between $((HOSTILE_SECONDS * RATE / 4)) 10000000 "$(sent mutated)"
check "so did the SYNs" between 9000 10000 "$(sent syn)"

# --- afterwards ---------------------------------------------------------------------------------------------------

check "the server lives" kill -0 "$SERVER_PID"
check "and serves" honest $V4
check "its memory has grown by less than 32 MiB" below $((BEFORE + 32768)) "$AFTER"
echo "        (from $BEFORE to $AFTER kB)"
check "it has not panicked" expect_status 1 grep -i panic "$(output server)" "$(errors server)"
check "nor filled the log" below 100000 "$(cat "$(output server)" "$(errors server)" | wc -c)"
for counter in ip_bad_version ip_truncated ip_malformed ip_bad_checksum ip_destination_not_ours ip_unknown_protocol \
    tcp_bad_checksum tcp_malformed tcp_no_connection tcp_out_of_window icmp_bad_checksum udp_bad_checksum; do
    check "$counter was counted" metric_above one ${counter}_total 0
done
check "the half-open ones were taken in" metric_above one tcp_handshakes_started_total 1000
check "and others answered with cookies" metric_above one tcp_cookies_sent_total 7000

kill -INT "$SERVER_PID"
finish "$SERVER_PID" 15
check "and it ends well" equals 0 "$FINISHED"

summary
