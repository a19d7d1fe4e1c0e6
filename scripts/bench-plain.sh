#!/usr/bin/env bash
# longwire's plain device beside smoltcp and beside its own offload device, each over a TUN interface of its own at MTU
# 1500, with Linux's TCP and curl on the other end:
#
#     sudo ./scripts/bench-plain.sh [--repetitions N] [--bytes N] [--only smoltcp|longwire|offload]
#
# They take turns, so that a noisy machine is noisy for all. Downloads are GET /bytes/N; uploads are
# POST /sha256, so all hash what they receive. Every upload's hash is compared, and one download's of each. With two
# processors or more the server has one for itself, and curl another. Prints a table in Gbit/s.
set -euo pipefail
cd "$(dirname "$0")/.."
REPETITIONS=3 BYTES=1000000000 ONLY=
declare -A OPTIONS=([repetitions]=REPETITIONS [bytes]=BYTES [only]=ONLY)
. scripts/options.sh
options "$@"
PEERS=(smoltcp longwire offload)
[ -z "$ONLY" ] || PEERS=("$ONLY")
. scripts/prerequisites.sh
# Uploads are read from memory where there is enough of it, so that no disk is measured.
if [ -d /dev/shm ] && [ "$(df --output=avail -B1 /dev/shm | tail -n 1)" -gt $((BYTES * 2)) ]; then
    export TMPDIR=/dev/shm
fi
. scripts/netns.sh

SERVER_CPU=()
CLIENT_CPU=()
if [ "$(nproc)" -ge 2 ]; then
    SERVER_CPU=(taskset -c 0)
    CLIENT_CPU=(taskset -c 1)
fi
declare -A ADDRESS=([smoltcp]=10.8.1.2 [longwire]=10.8.2.2 [offload]=10.8.3.2)
declare -A HOST=([smoltcp]=10.8.1.1/24 [longwire]=10.8.2.1/24 [offload]=10.8.3.1/24)
# Which device a peer is to have.
declare -A DEVICE=([longwire]=off [offload]=on)
declare -A RESULTS

# build: both, as the calling user, with the same profile.
build() {
    find_cargo
    need cc build-essential ip iproute2 curl curl python3 python3 taskset util-linux
    case " ${PEERS[*]} " in *" smoltcp "*)
        as_caller cargo build --release --quiet --manifest-path benches/peers/Cargo.toml \
            --package smoltcp-peer ;;
    esac
    case " ${PEERS[*]} " in *" longwire "* | *" offload "*) as_caller cargo build --release --quiet ;; esac
}

# start PEER: its server, in a namespace of its own.
start() {
    local peer=$1
    ns_add "$peer"
    case "$peer" in
        smoltcp)
            tun_add smoltcp tun0 1500 "${HOST[smoltcp]}"
            in_ns smoltcp background smoltcp "${SERVER_CPU[@]}" \
                benches/peers/target/release/smoltcp-peer tun0 "${ADDRESS[smoltcp]}/24"
            wait_for_line smoltcp '^ready'
            ;;
        longwire | offload)
            in_ns "$peer" background "$peer" "${SERVER_CPU[@]}" target/release/longwire serve --tun lw0 --mtu 1500 \
                --offload "${DEVICE[$peer]}" --congestion cubic --host "${HOST[$peer]}" --address "${ADDRESS[$peer]}/24"
            wait_for_line "$peer" 'http://'
            ;;
        *) die "no peer is called $peer" ;;
    esac
    # Linux is the sender of the uploads. A route may name the congestion control even where the sysctl may not.
    in_ns "$peer" ip route replace "${HOST[$peer]%.*}.0/24" dev "$(interface_of "$peer")" \
        src "${HOST[$peer]%/*}" congctl cubic 2>/dev/null || true
}

interface_of() { if [ "$1" = smoltcp ]; then echo tun0; else echo lw0; fi; }

# curl_in PEER ARGUMENT…
curl_in() {
    local peer=$1
    shift
    in_ns "$peer" "${CLIENT_CPU[@]}" timeout 180 curl --silent --show-error --fail "$@" </dev/null
}

url() { printf 'http://%s/%s' "${ADDRESS[$1]}" "$2"; }

# note KEY BYTES-PER-SECOND
note() {
    local gbit
    gbit=$(awk -v rate="$2" 'BEGIN { printf "%.3f", rate * 8 / 1e9 }')
    RESULTS[$1]="${RESULTS[$1]:-} $gbit"
    printf '%-20s %s Gbit/s\n' "$1" "$gbit"
}

download() {
    note "$1 download" "$(curl_in "$1" -o /dev/null -w '%{speed_download}' "$(url "$1" "bytes/$BYTES")")"
}

# The server's answer has to name the hash of what was sent. -T streams the file with a Content-Length.
upload() {
    local answer
    answer=$(curl_in "$1" -X POST -T "$UPLOAD" -w '\n%{speed_upload}' "$(url "$1" sha256)")
    grep -qi -- "$SUM" <<<"$answer" || die "$1: an upload arrived changed: $answer"
    note "$1 upload" "${answer##*$'\n'}"
}

# Reads while curl writes, and is not timed.
verify_download() {
    local sum
    sum=$(curl_in "$1" "$(url "$1" "bytes/$BYTES")" | sha256sum | cut -d' ' -f1)
    [ "$sum" = "$SUM" ] || die "$1: a download arrived changed"
    echo "$1: $BYTES bytes downloaded, sha256 as expected"
}

# statistics KEY: median, least and most of what was noted.
statistics() {
    tr ' ' '\n' <<<"${RESULTS[$1]}" | grep . | sort -n | awk '{ v[NR] = $1 }
        END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; printf "%.2f %.2f %.2f", m, v[1], v[NR] }'
}

table() {
    local direction peer median least most ours theirs
    printf '\n%-10s %-9s %8s %8s %8s   (Gbit/s, %s bytes, %s runs)\n' "" peer median min max "$BYTES" "$REPETITIONS"
    for direction in download upload; do
        for peer in "${PEERS[@]}"; do
            read -r median least most < <(statistics "$peer $direction"; echo)
            printf '%-10s %-9s %8s %8s %8s\n' "$direction" "$peer" "$median" "$least" "$most"
        done
        [ ${#PEERS[@]} = 3 ] || continue
        read -r ours _ < <(statistics "longwire $direction"; echo)
        read -r theirs _ < <(statistics "smoltcp $direction"; echo)
        awk -v d="$direction" -v a="$ours" -v b="$theirs" 'BEGIN { printf "%-10s longwire / smoltcp %8.2f\n", d, a / b }'
    done
}

is_root || die "namespaces and TUN interfaces need root: sudo ./scripts/bench-plain.sh"
have_tun || die "/dev/net/tun cannot be opened"
build

# The body of /bytes/N is what is sent up too.
UPLOAD=$(scratch upload)
pattern_bytes "$BYTES" >"$UPLOAD"
SUM=$(sha256sum "$UPLOAD" | cut -d' ' -f1)

for peer in "${PEERS[@]}"; do start "$peer"; done
for peer in "${PEERS[@]}"; do
    echo "$peer: Linux sends with $(in_ns "$peer" ip route get "${ADDRESS[$peer]}" | grep -o 'congctl [a-z]*' ||
        in_ns "$peer" sysctl -n net.ipv4.tcp_congestion_control)"
    verify_download "$peer"
done
for ((run = 1; run <= REPETITIONS; run++)); do
    for peer in "${PEERS[@]}"; do
        download "$peer"
        upload "$peer"
    done
done
table
