#!/usr/bin/env bash
# longwire beside its peers, in one run, taking turns:
#
#     sudo ./scripts/bench.sh [--repetitions 5] [--seconds 0.5] [--work "down up … idle100k"]
#                             [--peers "longwire floor linux nginx plain smoltcp lwip gvisor"]
#                             [--output target/bench] [--realtime]
#
# The same client (benches/peers/load) measures all of them over the kernel's sockets: each work in turn for every peer,
# and all that as often as there are repetitions, each of which begins with another peer. Idle connections are held by
# `longwire bench idle`. What came out is in OUTPUT/results.tsv; OUTPUT/results.md and OUTPUT/results.svg are drawn from
# it. benches/README.md says who the peers are and what the work is: by default all of it but idle1m. --realtime has
# clients and servers before everything else that the machine does.
set -euo pipefail
cd "$(dirname "$0")/.."
REPETITIONS=5 SECONDS_EACH=0.5 OUTPUT=target/bench REALTIME=
PEERS=
WORK="down up down8 up8 down-owned up-owned down-64k up-64k down8-64k up8-64k long pipeline short echo1 echo2
idle10k idle100k"
declare -A OPTIONS=([repetitions]=REPETITIONS [seconds]=SECONDS_EACH [peers]=PEERS [work]=WORK [output]=OUTPUT)
declare -A SWITCHES=([realtime]=REALTIME)
. scripts/options.sh
options "$@"
. scripts/prerequisites.sh
. scripts/netns.sh
. scripts/bench-peers.sh

# measure RUN PEER WORK: one run, into the results. One who fails is not measured, and the others are.
measure() {
    local run=$1 peer=$2 work=$3 tag
    tag="$peer, $work"
    if ! figures_of "$peer" "$work" >"$NS_DIR/figures"; then
        FAILED+=("$tag")
        complain "$tag: not measured: $(tail -n 3 "$NS_DIR/why")"
        return
    fi
    local name value
    while read -r name value; do
        printf '%s\t%s\t%s\t%s\t%s\n' "$run" "$peer" "$work" "$name" "$value" >>"$RESULTS"
    done <"$NS_DIR/figures"
    complain "$run: $tag: $(head -n 1 "$NS_DIR/figures")"
}

figures_of() {
    case "$2" in
        idle*) idle "$1" "$2" ;;
        *) load "$1" "$2" ;;
    esac
}

# turns RUN: the peers, beginning with another one each time, and backwards every other time: nobody is always first, or
# always behind the same one.
turns() {
    local run=$1 peers count index
    read -ra peers <<<"$PEERS"
    count=${#peers[@]}
    for ((index = 0; index < count; index++)); do
        if ((run % 2)); then
            echo "${peers[(run - 1 + index) % count]}"
        else
            echo "${peers[(run - 1 + count - index) % count]}"
        fi
    done
}

# The machine, as lines that begin with #.
machine() {
    sed -n 's/^model name[[:space:]]*: /# processor: /p' /proc/cpuinfo | head -n 1
    printf '# processors: %s\n# kernel: %s\n' "$(nproc)" "$(uname -sr)"
    sed -n 's/^PRETTY_NAME="\(.*\)"/# system: \1/p' /etc/os-release
    printf '# longwire: %s%s\n' "$(git rev-parse --short HEAD 2>/dev/null || "$LONGWIRE" --version)" "${GIVEN:+, $GIVEN}"
    printf '# %s, %s repetitions of %s s%s\n' "$CONTROL" "$REPETITIONS" "$SECONDS_EACH" \
        "${REALTIME:+ at real-time priority}"
}

is_root || die "namespaces and TUN interfaces need root: sudo ./scripts/bench.sh"
have_tun || die "/dev/net/tun cannot be opened"
read -ra WORKS <<<"${WORK//$'\n'/ }"
[ -n "$PEERS" ] || PEERS=$(usual_peers)
PEERS=${PEERS//$'\n'/ }
build
mkdir -p "$OUTPUT"
RESULTS=$OUTPUT/results.tsv FAILED=()
machine >"$RESULTS"
for peer in $PEERS; do
    for work in "${WORKS[@]}"; do
        if can "$peer" "$work"; then start "$(server_of "$peer" "$work")"; fi
    done
done
for ((run = 1; run <= REPETITIONS; run++)); do
    for work in "${WORKS[@]}"; do
        # These take long, and differ little.
        case "$work" in idle*) ((run <= 3)) || continue ;; esac
        for peer in $(turns "$run"); do
            if can "$peer" "$work"; then measure "$run" "$peer" "$work"; fi
        done
    done
done
"$LONGWIRE" bench table "$RESULTS" --svg "$OUTPUT/results.svg" | tee "$OUTPUT/results.md"
complain "all that took $SECONDS s"
[ ${#FAILED[@]} = 0 ] || die "not measured: $(printf '%s; ' "${FAILED[@]}")"
