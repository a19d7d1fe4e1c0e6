#!/usr/bin/env bash
# `longwire get` against servers that misbehave in every way: each has its own words and curl's status, and none is
# waited for beyond its time.
set -u
# A mount namespace of our own: a resolver that does not answer is to be this script's alone.
if [ -z "${LONGWIRE_OWN_MOUNTS:-}" ]; then
    LONGWIRE_OWN_MOUNTS=1 exec unshare --mount bash "$0" "$@"
fi
. "$(dirname "$0")/support/longwire.sh"

ns_add one
in_ns one background misbehaving python3 -u tests/integration/support/misbehaving.py 0.0.0.0 8000
wait_for_line misbehaving ready || die "the misbehaving server does not start"
URL=http://$HOST_V4:8000

get() { in_ns one timeout 20 "$LONGWIRE" get --stall-timeout 2s "$@"; }
fails() { # STATUS PATTERN ARGUMENT…
    local status=$1 pattern=$2
    shift 2
    get "$@" >"$(scratch out)" 2>"$(scratch err)"
    equals "$status" $? && one_line "$pattern" "$(scratch err)"
}
check "a server that behaves" equals hello "$(get $URL/fine)"

# --- those that do not go on --------------------------------------------------------------------------------------

check "no answer at all" fails 28 'not complete within 1s' --timeout 1s $URL/silent
for half in head body chunk; do
    check "a $half that stops in the middle" fails 28 'nothing was sent or received for 2s' $URL/half-$half
done
check "what came before it is there" equals half "$(get $URL/half-body 2>/dev/null)"

# --- those that end too early -------------------------------------------------------------------------------------

for cut in head body chunk last-chunk; do
    check "cut off in the $cut" fails 18 'closed the connection in the middle of its answer' $URL/cut-$cut
done
check "closed without a word" fails 52 'closed the connection without an answer' $URL/nothing
check "reset without a word" fails 56 'failed while receiving: .*reset' $URL/reset
check "reset in the body" fails 56 'failed while receiving: .*reset' $URL/reset-body

# --- those that talk nonsense -------------------------------------------------------------------------------------

check "not HTTP" fails 8 'does not answer with HTTP/1.x' $URL/garbage
check "two lengths" fails 8 'contradictory Content-Length' $URL/two-lengths
check "a head without end" fails 8 'header section too large' $URL/huge-head
check "interim answers without end" fails 8 'too many interim answers' $URL/interim

# --- those that send us elsewhere ---------------------------------------------------------------------------------

check "in a circle" fails 47 'redirected more than 10 times' $URL/circle
check "there and back" fails 47 'redirected more than 10 times' $URL/there-and-back
check "to https" fails 1 'https: not supported' $URL/to-https
check "to no URL" fails 3 "redirected to 'http://', which is no URL" $URL/to-nowhere

# --- long connections that end between two requests ---------------------------------------------------------------

# twice PATH EVENT: both answers come, over two connections, and the trace says how that came about.
twice() {
    equals hellohello "$(get -n 2 --trace "$URL$1" 2>"$(scratch trace)")" &&
        equals 2 "$(grep -c '^\* connected' "$(scratch trace)")" &&
        equals "$2" "$(grep -c 'trying again on another connection' "$(scratch trace)")"
}
check "closed at the second request: tried again" twice /closed-at-second 1
check "reset at the second request: tried again" twice /reset-at-second 1
closed_between() {
    equals hellohello "$(get -n 2 --trace "$URL/closed-between" 2>"$(scratch trace)")" &&
        equals 2 "$(grep -c '^\* connected' "$(scratch trace)")"
}
check "closed between two requests: noticed, or tried again" closed_between

# --- names --------------------------------------------------------------------------------------------------------

check "a name that does not exist" fails 6 'no-such-host.invalid: name not found' http://no-such-host.invalid/
# In the namespace nobody answers there: the packets go to a stack whose address it is not.
echo 'nameserver 10.9.0.77' >"$(scratch resolv.conf)"
mount --bind "$(scratch resolv.conf)" "$(readlink -f /etc/resolv.conf)"
slow_resolver() {
    local begun=${EPOCHREALTIME/[.,]/}
    fails 28 'some.example: the resolver did not answer within 1s' --connect-timeout 1s http://some.example/ &&
        below 8000 $(((${EPOCHREALTIME/[.,]/} - begun) / 1000))
}
check "a resolver that does not answer" slow_resolver

summary
