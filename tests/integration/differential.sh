#!/usr/bin/env bash
# Our stack beside the kernel of this machine, segment by segment (tests/differential): hand-written scenarios and
# some hundred random ones. Without a release build of its own: what is compared is not speed.
set -u
. "$(dirname "$0")/support/longwire.sh"
. scripts/prerequisites.sh
find_cargo || exit 1

# The test is also the program that is root in the namespace.
program() {
    as_caller cargo test --no-run --quiet --all-features --test differential --message-format json 2>/dev/null |
        python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "differential":
        print(message["executable"])'
}
PROGRAM=$(program)
[ -x "$PROGRAM" ] || die "the differential test does not build"

ns_add linux
# Every challenge is sent: how seldom they are is tested elsewhere.
in_ns linux sysctl -qw net.ipv4.tcp_invalid_ratelimit=0
compare() {
    in_ns linux env LONGWIRE_DIFFERENTIAL=live LONGWIRE_DIFFERENTIAL_SEEDS="$1" "$PROGRAM"
}
check "our stack and Linux $(uname -r) show the same, and 400 random peers see no difference" compare 0..400
summary
