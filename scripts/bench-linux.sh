#!/usr/bin/env bash
# Goodput over emulated links, as a share of what Linux reaches against itself:
#
#     sudo ./scripts/bench-linux.sh [--seconds 20] [--repetitions 3] [--control "cubic bbr"] [--loss "0 0.1 1"]
#                                   [--rtt "2 20 100"] [--rate 100] [--reorder 0]
#
# Every cell is a link of RATE Mbit/s with a queue of one bandwidth-delay product, the loss and the reordering (in
# percent) both ways, and the same seed for all who use it. Four flows, one after another: Linux to Linux and ours to
# Linux, down the link; Linux to Linux and Linux to ours, up the link, whose losses are others. All have the same
# congestion control. Prints a table in Markdown: Mbit/s, medians of the repetitions, and medians of the shares.
#
#     Linux ── tun0 ── the link ── tun0 ── Linux, and behind it, forwarded: lw0 ── ours
set -euo pipefail
cd "$(dirname "$0")/.."
SECONDS_EACH=20 REPETITIONS=3 CONTROLS="cubic bbr" LOSSES="0 0.1 1" RTTS="2 20 100" RATE=100 REORDER=0
declare -A OPTIONS=([seconds]=SECONDS_EACH [repetitions]=REPETITIONS [control]=CONTROLS [loss]=LOSSES [rtt]=RTTS
    [rate]=RATE [reorder]=REORDER)
. scripts/options.sh
options "$@"
. scripts/prerequisites.sh
. scripts/netns.sh
FLOW=benches/linux/flow.py
LONGWIRE=${LONGWIRE:-target/release/longwire}
RESULTS=$NS_DIR/results

# start CONTROL: both servers behind the link.
start() {
    ns_add client
    ns_add server
    in_ns server sysctl -qw net.ipv4.ip_forward=1
    in_ns server background longwire "$LONGWIRE" serve --tun lw0 --congestion "$1" --discard 9 --chargen 19
    SERVER_PID=$BACKGROUND_PID
    wait_for_line longwire 'http://'
    in_ns server background flow python3 "$FLOW" serve 9000 "$1"
    FLOW_PID=$BACKGROUND_PID
    wait_for_line flow ready
}

stop() {
    stop_pid "$SERVER_PID"
    stop_pid "$FLOW_PID"
    ns_del client
    ns_del server
}

# over LOSS RTT SEED COMMAND…: runs a client over a link of its own, and prints what it prints.
over() {
    local queue=$((RATE * 1000 / 8 * $2)) loss=$1 rtt=$2 seed=$3 link
    shift 3
    background link "$LONGWIRE" link --a "$(ns client)/tun0" --b "$(ns server)/tun0" --seed "$seed" \
        --delay "$((rtt * 500))us" --loss "$loss%" --reorder "$REORDER%" --rate "${RATE}mbit" --queue "$((queue / 1024 + 1))KiB"
    link=$BACKGROUND_PID
    wait_for_line link 'link between'
    ip -n "$(ns client)" address add 10.8.0.1/24 dev tun0
    ip -n "$(ns server)" address add 10.8.0.2/24 dev tun0
    ip -n "$(ns client)" route add 10.9.0.0/24 via 10.8.0.2
    in_ns client timeout $((SECONDS_EACH + 60)) python3 "$FLOW" "$@" >"$NS_DIR/rate" || echo 0 >"$NS_DIR/rate"
    stop_pid "$link"
    cat "$NS_DIR/rate"
}

# cell CONTROL LOSS RTT
cell() {
    local control=$1 loss=$2 rtt=$3 repetition down sending up receiving
    for ((repetition = 1; repetition <= REPETITIONS; repetition++)); do
        down=$(over "$loss" "$rtt" "$repetition" get 10.8.0.2 9000 "$SECONDS_EACH" "$control" d)
        sending=$(over "$loss" "$rtt" "$repetition" get 10.9.0.2 19 "$SECONDS_EACH" "$control" d)
        up=$(over "$loss" "$rtt" "$repetition" put 10.8.0.2 9000 "$SECONDS_EACH" "$control" u)
        receiving=$(over "$loss" "$rtt" "$repetition" put 10.9.0.2 9 "$SECONDS_EACH" "$control" u)
        echo "$control $loss $rtt $down $sending $up $receiving" >>"$RESULTS"
        complain "$control, $loss % loss, $rtt ms: Linux $down, sending $sending; Linux $up, receiving $receiving Mbit/s"
    done
}

table() {
    python3 - "$RESULTS" <<'PYTHON'
import collections
import math
import statistics
import sys

cells = collections.defaultdict(list)
for line in open(sys.argv[1]):
    control, loss, rtt, *rates = line.split()
    cells[control, loss, rtt].append([float(rate) for rate in rates])
print("| control | loss | RTT | Linux to Linux | sending | share | Linux to Linux | receiving | share |")
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
shares = collections.defaultdict(list)
for (control, loss, rtt), runs in cells.items():
    row = [control, f"{loss} %", f"{rtt} ms"]
    for linux, ours in ((0, 1), (2, 3)):
        if not all(run[linux] for run in runs):
            sys.exit(f"bench-linux.sh: Linux has sent nothing to Linux with {control}, {loss} % of loss, {rtt} ms")
        share = statistics.median(run[ours] / run[linux] for run in runs)
        shares[control].append(share)
        row += [f"{statistics.median(run[column] for run in runs):.1f}" for column in (linux, ours)] + [f"{share:.2f}"]
    print("|", " | ".join(row), "|")
for control, values in shares.items():
    mean = math.exp(statistics.mean(math.log(max(value, 1e-6)) for value in values))
    print(f"\n{control}: geometric mean {mean:.3f}, least {min(values):.2f}")
PYTHON
}

find_cargo
need ip iproute2 python3 python3
[ -x "$LONGWIRE" ] || as_caller cargo build --release --quiet
for control in $CONTROLS; do
    grep -qw "$control" /proc/sys/net/ipv4/tcp_available_congestion_control ||
        die "Linux has no $control here: modprobe tcp_$control"
    start "$control"
    for loss in $LOSSES; do
        for rtt in $RTTS; do cell "$control" "$loss" "$rtt"; done
    done
    stop
done
table
