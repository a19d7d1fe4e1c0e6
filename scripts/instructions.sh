#!/usr/bin/env bash
# Instructions that a packet costs, by how many connections there are:
#
#     ./scripts/instructions.sh [--connections "10 1000 100000"] [--packets 20000]
#
# callgrind counts them, as virtual machines seldom have the processor's own counters: those in the calls of `Stack` that a
# packet needs, and no time is measured. Each figure is the difference of two runs, one of them with twice as many
# packets, divided by the packets that it has more: what it takes to begin is not in it. Prints a table in Markdown.
set -euo pipefail
cd "$(dirname "$0")/.."
CONNECTIONS="10 1000 100000" PACKETS=20000
declare -A OPTIONS=([connections]=CONNECTIONS [packets]=PACKETS)
. scripts/options.sh
options "$@"
. scripts/prerequisites.sh
DIRECTORY=$(mktemp -d)
trap 'rm -rf "$DIRECTORY"' EXIT

# counted WHAT CONNECTIONS PACKETS: instructions in the entry points of the stack, and in what they call.
counted() {
    valgrind --quiet --tool=callgrind --callgrind-out-file="$DIRECTORY/out" "$MICRO" packets "$@" >&2
    # The line with the object in brackets is the whole function's; others are of what was put into it. `write` is
    # `write_with` where the compiler has made one of the two.
    callgrind_annotate --auto=no --inclusive=yes --threshold=100 --show-percs=no "$DIRECTORY/out" | tr -d , |
        sed -nE 's/^ *([0-9]+) .*Stack>?::(handle_packet|poll_event|read|write|write_with|poll_transmit) \[.*$/\1 \2/p' |
        awk '{ counts[$2] += $1 }
            END {
                if (!("handle_packet" in counts)) exit 1
                if ("write" in counts) delete counts["write_with"]
                for (name in counts) sum += counts[name]
                printf "%d", sum
            }' || die "no call of the stack is found in what callgrind has counted"
}

# each WHAT CONNECTIONS: instructions for one.
each() {
    local once twice
    once=$(counted "$1" "$2" "$PACKETS")
    twice=$(counted "$1" "$2" $((2 * PACKETS)))
    echo $(((twice - once) / PACKETS))
}

die() {
    complain "instructions.sh: $*"
    exit 1
}

find_cargo
need valgrind valgrind
MICRO=$(as_caller cargo bench --no-run --bench micro --message-format json 2>/dev/null |
    sed -nE 's/.*"executable":"([^"]*micro[^"]*)".*/\1/p' | tail -n 1)
echo "| connections | an empty acknowledgment | a byte there and back |"
echo "| --- | --- | --- |"
for connections in $CONNECTIONS; do
    echo "| $connections | $(each acknowledgments "$connections") | $(each exchanges "$connections") |"
done
