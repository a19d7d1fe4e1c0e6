#!/usr/bin/env bash
# A flood of SYNs from spoofed addresses: honest clients, who get SYN cookies, are served meanwhile, and the server's
# memory hardly grows.
#
# SYNFLOOD_RATE (30,000 a second) and SYNFLOOD_SECONDS (5); the figures of docs/performance.md are of 100,000 and 10.
set -u
. "$(dirname "$0")/support/longwire.sh"

: "${SYNFLOOD_RATE:=30000}" "${SYNFLOOD_SECONDS:=5}"
CHECK_TIMEOUT=$((SYNFLOOD_SECONDS + 60))
FLOOD=$(scratch synflood)
cc -O2 -Wall -o "$FLOOD" tests/integration/support/synflood.c || die "no C compiler"

ns_add one
server one server --tun lw0
pattern_bytes 100000 >"$(scratch expected)"
memory() { awk '/^VmRSS:/ { print $2 }' "/proc/$SERVER_PID/status"; }
honest() { curl_in one --max-time 10 -o "$(scratch received)" "http://$V4/bytes/100000" && same_bytes "$(scratch expected)" "$(scratch received)"; }
check "an honest client is served before" honest
BEFORE=$(memory)

in_ns one background flood "$FLOOD" lw0 $V4 80 "$SYNFLOOD_RATE" "$SYNFLOOD_SECONDS"
FLOOD_PID=$BACKGROUND_PID
SERVED=0 FAILED=0 SLOWEST=0 MOST=$BEFORE
while kill -0 "$FLOOD_PID" 2>/dev/null; do
    BEGUN=${EPOCHREALTIME/[.,]/}
    if honest; then SERVED=$((SERVED + 1)); else FAILED=$((FAILED + 1)); fi
    TOOK=$(((${EPOCHREALTIME/[.,]/} - BEGUN) / 1000))
    ((TOOK <= SLOWEST)) || SLOWEST=$TOOK
    NOW=$(memory)
    ((NOW <= MOST)) || MOST=$NOW
done
finish "$FLOOD_PID" 5
SENT=$(cat "$(output flood)")
printf '        %s SYNs in %s s; %s served meanwhile, the slowest in %s ms; %s kB before, %s kB at most\n' \
    "$SENT" "$SYNFLOOD_SECONDS" "$SERVED" "$SLOWEST" "$BEFORE" "$MOST"

check "the SYNs really went there" between $((SYNFLOOD_RATE * SYNFLOOD_SECONDS / 2)) 100000000 "$SENT"
check "no honest client failed" equals 0 "$FAILED"
check "and several were served" between 3 100000 "$SERVED"
check "memory has grown by less than 32 MiB" below $((BEFORE + 32768)) "$MOST"
check "SYN cookies were sent" metric_above one tcp_cookies_sent_total $((SENT / 4))
check "and brought back" metric_above one tcp_cookies_accepted_total 2
check "no half-open connection was dropped" metric_is one tcp_syn_queue_evicted_total 0
check "an honest client is served afterwards" honest

summary
