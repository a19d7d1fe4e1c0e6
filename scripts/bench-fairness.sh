#!/usr/bin/env bash
# How flows share one bottleneck, among themselves and with Linux's:
#
#     sudo ./scripts/bench-fairness.sh [--seconds 30] [--warm-up 10] [--repetitions 3] [--control "cubic bbr"]
#                                      [--rtt "20"] [--rate 100]
#
# Eight flows at once through a link of RATE Mbit/s with a queue of one bandwidth-delay product. First all eight are
# sent by us, and by Linux for comparison; then four by us and four by Linux, all with the same congestion control,
# which is set and read back on both sides. Counted at the receiver, Linux, once they have warmed up. Prints a table in
# Markdown: Jain's index (1 is equal shares), our part of a fair share, and the use of the link; medians of the
# repetitions and their range.
#
#     Linux ── tun0 ── the link ── tun0 ── Linux, and behind it, forwarded: lw0 ── ours
set -euo pipefail
cd "$(dirname "$0")/.."
SECONDS_EACH=30 WARM_UP=10 REPETITIONS=3 CONTROLS="cubic bbr" RTTS="20" RATE=100
declare -A OPTIONS=([seconds]=SECONDS_EACH [warm-up]=WARM_UP [repetitions]=REPETITIONS [control]=CONTROLS [rtt]=RTTS
    [rate]=RATE)
. scripts/options.sh
options "$@"
. scripts/prerequisites.sh
. scripts/netns.sh
FLOW=benches/linux/flow.py
LONGWIRE=${LONGWIRE:-target/release/longwire}
RESULTS=$NS_DIR/results
OURS=10.9.0.2:19
LINUX=10.8.0.2:9000

# start CONTROL: both senders behind the link.
start() {
    ns_add client
    ns_add server
    in_ns server sysctl -qw net.ipv4.ip_forward=1
    in_ns server background longwire "$LONGWIRE" serve --tun lw0 --congestion "$1" --chargen 19 \
        --control "$NS_DIR/control"
    SERVER_PID=$BACKGROUND_PID
    wait_for_line longwire 'http://'
    in_ns server background flow python3 "$FLOW" serve "${LINUX#*:}" "$1"
    FLOW_PID=$BACKGROUND_PID
    wait_for_line flow ready
}

stop() {
    stop_pid "$SERVER_PID"
    stop_pid "$FLOW_PID"
    ns_del client
    ns_del server
}

# read_back CONTROL COUNT: whether just so many of our flows are there, and all with this congestion control.
read_back() {
    local found
    found=$("$LONGWIRE" ss --control "$NS_DIR/control" --state established --port 19 --json |
        python3 -c 'import json, sys; print(*(flow["tcp"]["congestion"] for flow in json.load(sys.stdin)))')
    # shellcheck disable=SC2086 # a word each
    set -- "$1" "$2" $found
    [ $(($# - 2)) = "$2" ] && [ -z "$(printf '%s\n' "${@:3}" | grep -vx -- "$1")" ] ||
        die "$2 flows of ours with $1 should be there, and there are: $found"
}

# share CONTROL RTT SEED KIND OURS SOURCE…: one run; its line goes to the results.
share() {
    local control=$1 rtt=$2 seed=$3 kind=$4 ours=$5 queue=$((RATE * 1000 / 8 * $2)) link client
    shift 5
    background link "$LONGWIRE" link --a "$(ns client)/tun0" --b "$(ns server)/tun0" --seed "$seed" \
        --delay "$((rtt * 500))us" --rate "${RATE}mbit" --queue "$((queue / 1024 + 1))KiB"
    link=$BACKGROUND_PID
    wait_for_line link 'link between'
    ip -n "$(ns client)" address add 10.8.0.1/24 dev tun0
    ip -n "$(ns server)" address add 10.8.0.2/24 dev tun0
    ip -n "$(ns client)" route add 10.9.0.0/24 via 10.8.0.2
    in_ns client background share timeout $((WARM_UP + SECONDS_EACH + 60)) \
        python3 "$FLOW" share "$WARM_UP" "$SECONDS_EACH" "$@"
    client=$BACKGROUND_PID
    sleep "$WARM_UP"
    if [ "$ours" -gt 0 ]; then read_back "$control" "$ours"; fi
    wait "$client" || die "a run of $kind with $control failed: $(cat "$(errors share)")"
    stop_pid "$link"
    # All rates on one line, ours first.
    echo "$control $rtt $kind $ours $(paste -sd' ' "$(output share)")" >>"$RESULTS"
    complain "$(tail -n 1 "$RESULTS")"
}

table() {
    python3 - "$RESULTS" "$RATE" <<'PYTHON'
import collections
import statistics
import sys

runs = collections.defaultdict(list)
for line in open(sys.argv[1]):
    control, rtt, kind, ours, *rates = line.split()
    runs[control, rtt, kind, int(ours)].append([float(rate) for rate in rates])


def jain(rates):
    return sum(rates) ** 2 / len(rates) / sum(rate * rate for rate in rates)


def part(rates, ours):
    return sum(rates[:ours]) / ours / statistics.mean(rates)


def shown(values):
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


print("| control | RTT | flows | Jain's index | ours, of a fair share | link used |")
print("| --- | --- | --- | --- | --- | --- |")
for (control, rtt, kind, ours), all_rates in runs.items():
    index = shown([jain(rates) for rates in all_rates])
    mixed = 0 < ours < len(all_rates[0])
    ours = shown([part(rates, ours) for rates in all_rates]) if mixed else ""
    used = statistics.median(sum(rates) / float(sys.argv[2]) for rates in all_rates)
    print(f"| {control} | {rtt} ms | {kind.replace('-', ' ')} | {index} | {ours} | {used * 100:.0f} % |")
PYTHON
}

find_cargo
need ip iproute2 python3 python3
[ -x "$LONGWIRE" ] || as_caller cargo build --release --quiet
for control in $CONTROLS; do
    grep -qw "$control" /proc/sys/net/ipv4/tcp_available_congestion_control ||
        die "Linux has no $control here: modprobe tcp_$control"
    start "$control"
    for rtt in $RTTS; do
        for ((repetition = 1; repetition <= REPETITIONS; repetition++)); do
            share "$control" "$rtt" "$repetition" 8-ours 8 "$OURS:8"
            share "$control" "$rtt" "$repetition" 8-of-Linux 0 "$LINUX:8:d"
            share "$control" "$rtt" "$repetition" 4-ours,-4-of-Linux 4 "$OURS:4" "$LINUX:4:d"
        done
    done
    stop
done
table
