#!/usr/bin/env bash
# The frame of the integration tests itself: what it builds is there, what it should notice it notices.
set -u
. "$(dirname "$0")/../../scripts/netns.sh"

ns_add a
ns_add b
veth_pair a 10.9.7.1/24 b 10.9.7.2/24
ip -n "$(ns a)" address add fd09:7::1/64 dev veth0 nodad
ip -n "$(ns b)" address add fd09:7::2/64 dev veth0 nodad
tun_add a tun7 1400 10.9.8.1/24

check "two namespaces reach each other over IPv4" in_ns a ping -c 1 -W 2 10.9.7.2
check "and over IPv6" in_ns a ping -c 1 -W 2 fd09:7::2
check "a TUN interface has the MTU asked for" matches 'mtu 1400' "$(ip -n "$(ns a)" link show dev tun7)"

in_ns b background server python3 -u -m http.server 8000 --directory "$NS_DIR"
check "a port is waited for" wait_for_port a 10.9.7.2 8000

capture_start a veth0 http
pattern_bytes 100000 >"$(scratch sent)"
in_ns a timeout 10 curl -sS -o "$(scratch received)" http://10.9.7.2:8000/sent
capture_stop
check "a download is the same bytes" same_bytes "$(scratch sent)" "$(scratch received)"
check "the capture has the SYN, and the SYN-ACK" equals 2 "$(capture_count http 'tcp.flags.syn == 1')"

# What must fail, in a second life of the library with counters and names of its own.
inner() {
    bash -c '. scripts/netns.sh; CHECK_TIMEOUT=1; ns_add gone; '"$1"'; summary' 2>&1
}
cd "$(dirname "$0")/../.." || exit 1
stuck() { sleep 60; }
check "a failing command is counted" matches '^0 passed, 1 failed$' "$(inner 'check bad false')"
check "a command over its time is counted" matches 'over 1 s' "$(inner 'check slow sleep 60')"
check "and so is a function" matches 'over 1 s' "$(inner "$(declare -f stuck); check slow stuck")"
check "no check at all is no success" expect_status 1 inner ':'
check "a wrong status is noticed" matches '1 failed$' "$(inner 'check_fails exits-3 4 bash -c "exit 3"')"
printf a >"$(scratch one)"
printf b >"$(scratch other)"
check_fails "differing files are noticed" 1 same_bytes "$(scratch one)" "$(scratch other)"
check_fails "a missing file is noticed" 1 same_bytes "$(scratch one)" "$(scratch missing)"

left_behind() {
    local prefix
    prefix=$(inner "${1:-}"'echo "$NS_PREFIX"; in_ns gone background sleeper sleep 600; check ok true' | head -n 1)
    matches '^lw-[0-9]+$' "$prefix" && ! ip netns list | grep -q "^$prefix-" &&
        ! compgen -G "${TMPDIR:-/tmp}/$prefix.*"
}
check "nothing is left behind" left_behind
check "nor by a script that stops at the first error" left_behind 'set -e; '

summary
