#!/usr/bin/env bash
# Where the time of a server goes under one of bench.sh's loads: its system calls, and its functions.
#
#     sudo ./scripts/profile.sh [--work long] [--peer longwire] [--seconds 3] [--lines 40]
#
# Runs the load twice: once with `strace -c` on the server, which slows it down, so that only the numbers of the calls say
# something, beside the number of requests or bytes that the client has counted meanwhile; and once with `perf record`.
# The server has one processor, the client the other.
set -euo pipefail
cd "$(dirname "$0")/.."
WORK=long PEERS=longwire SECONDS_EACH=3 LINES_SHOWN=40 REALTIME=
declare -A OPTIONS=([work]=WORK [peer]=PEERS [seconds]=SECONDS_EACH [lines]=LINES_SHOWN)
. scripts/options.sh
options "$@"
. scripts/prerequisites.sh
. scripts/netns.sh
. scripts/bench-peers.sh

# watched TOOL…: runs the load, and meanwhile the tool on the server; shows what the client has counted.
watched() {
    in_ns "$SERVER" background tool "$@"
    local tool=$BACKGROUND_PID
    # It has attached by then.
    sleep 0.3
    load "$PEERS" "$WORK" || die "$WORK: not measured: $(cat "$NS_DIR/why")"
    kill -INT "$tool" 2>/dev/null || true
    wait "$tool" || true
}

is_root || die "namespaces and TUN interfaces need root: sudo ./scripts/profile.sh"
have_tun || die "/dev/net/tun cannot be opened"
need strace strace perf linux-perf
build
can "$PEERS" "$WORK" || die "$PEERS does no $WORK"
SERVER=$(server_of "$PEERS" "$WORK")
start "$SERVER"
echo "== $PEERS, $WORK: system calls"
watched strace -c -f -p "${PID[$SERVER]}"
sed -n '/^% time/,$p' "$(errors tool)"
echo "== $PEERS, $WORK: functions"
watched perf record --quiet --event cpu-clock --call-graph dwarf,16384 --freq 499 --pid "${PID[$SERVER]}" \
    --output "$NS_DIR/perf.data"
perf report --input "$NS_DIR/perf.data" --stdio --no-children --call-graph none --fields overhead,dso,symbol 2>/dev/null |
    sed -n '/^[^#]/p' | head -n "$LINES_SHOWN"
