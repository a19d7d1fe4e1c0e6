#!/usr/bin/env bash
# longwire beside its peers, in one run, taking turns:
#
#     sudo ./scripts/bench.sh [--repetitions 3] [--seconds 2] [--peers "longwire floor linux nginx plain smoltcp"]
#                             [--work "down up down8 up8 long pipeline short echo1 echo2"]
#                             [--output target/bench] [--realtime]
#
# Every peer has a network namespace of its own, and the same client (benches/peers/load) measures all of them over the
# kernel's sockets: each work in turn for every peer, and all that as often as there are repetitions. What came out is
# in OUTPUT/results.tsv; OUTPUT/results.md and OUTPUT/results.svg are drawn from it. benches/README.md says who the
# peers are and what the work is. --realtime has clients and servers before everything else that the machine does.
set -euo pipefail
cd "$(dirname "$0")/.."
REPETITIONS=3 SECONDS_EACH=2 OUTPUT=target/bench FIRST=()
PEERS="longwire floor linux nginx plain smoltcp"
WORK="down up down8 up8 long pipeline short echo1 echo2"
while [ $# -gt 0 ]; do
    case "$1" in
        --repetitions) REPETITIONS=$2 ;;
        --seconds) SECONDS_EACH=$2 ;;
        --peers) PEERS=$2 ;;
        --work) WORK=$2 ;;
        --output) OUTPUT=$2 ;;
        --realtime)
            FIRST=(chrt -f 10)
            shift
            continue
            ;;
        *)
            sed -n '4,6s/^# \{0,1\}//p' "$0" >&2
            exit 2
            ;;
    esac
    shift 2
done
. scripts/prerequisites.sh
. scripts/netns.sh
LONGWIRE=${LONGWIRE:-target/release/longwire}
TOOLS=benches/peers/target/release
CONTROL=cubic
MTU=1500
# The server has a processor for itself, the client another, where there are two.
SERVER_CPU=0
CLIENT_CPU=$(($(nproc) > 1 ? 1 : 0))
# Client addresses, so that short connections do not run out of ports.
SOURCES=8
declare -A NETWORK=([longwire]=10.8.1 [floor]=10.8.2 [linux]=10.8.3 [nginx]=10.8.4 [plain]=10.8.5 [smoltcp]=10.8.6)
declare -A PID

build() {
    find_cargo
    need cc build-essential ip iproute2 taskset util-linux chrt util-linux ss iproute2
    case " $PEERS " in *" nginx "*) need nginx nginx-light ;; esac
    as_caller cargo build --release --quiet --manifest-path benches/peers/Cargo.toml
    [ -x "$LONGWIRE" ] || as_caller cargo build --release --quiet
}

# start PEER: its server, and its network up to the client.
start() {
    local peer=$1 net=${NETWORK[$1]} index
    ns_add "$peer"
    in_ns "$peer" sysctl -qw net.ipv4.ip_local_port_range="1024 65535"
    case "$peer" in
        longwire | plain)
            serve "$peer" "$peer" "$LONGWIRE" serve --tun tun0 --mtu "$MTU" --congestion "$CONTROL" \
                --offload "$([ "$peer" = plain ] && echo off || echo on)" --host "$net.1/24" --address "$net.2/24" \
                --max-requests off --echo 7 --discard 9 --chargen 19
            wait_for_line "$peer" 'http://'
            ;;
        floor)
            tun_add "$peer" tun0 "$MTU" "$net.1/24"
            serve "$peer" "$peer" "$TOOLS/floor-peer" tun0
            wait_for_line "$peer" '^ready'
            ;;
        smoltcp)
            tun_add "$peer" tun0 "$MTU" "$net.1/24"
            serve "$peer" "$peer" "$TOOLS/smoltcp-peer" tun0 "$net.2/24"
            wait_for_line "$peer" '^ready'
            ;;
        linux | nginx)
            ns_add "$peer-server"
            veth_pair "$peer" "$net.1/24" "$peer-server" "$net.2/24"
            if [ "$peer" = linux ]; then
                serve "$peer-server" "$peer" "$TOOLS/epoll-peer" "$net.2" "$CONTROL"
            else
                # nginx cannot set it; the route can.
                in_ns nginx-server ip route replace "$net.0/24" dev veth0 src "$net.2" congctl "$CONTROL"
                nginx_configuration "$net.2" >"$NS_DIR/nginx.conf"
                serve nginx-server nginx nginx -p "$NS_DIR" -e stderr -c "$NS_DIR/nginx.conf"
            fi
            wait_until 10 in_ns "$peer" bash -c ": </dev/tcp/$net.2/80" || die "$peer does not answer"
            ;;
        *) die "no peer is called $peer" ;;
    esac
    for ((index = 0; index < SOURCES; index++)); do
        ip -n "$(ns "$peer")" address add "$net.$((100 + index))/24" dev "$(interface_of "$peer")"
    done
}

interface_of() { case "$1" in linux | nginx) echo veth0 ;; *) echo tun0 ;; esac }

# serve NAMESPACE PEER COMMAND…
serve() {
    local namespace=$1 peer=$2
    shift 2
    in_ns "$namespace" background "$peer" "${FIRST[@]}" taskset -c "$SERVER_CPU" "$@"
    PID[$peer]=$BACKGROUND_PID
}

nginx_configuration() {
    cat <<CONFIGURATION
daemon off;
master_process off;
pid $NS_DIR/nginx.pid;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    server {
        listen $1:80 backlog=4096;
        location = /healthz { default_type text/plain; return 200 "ok\n"; }
    }
}
CONFIGURATION
}

# measure PEER WORK: one run, into the results.
measure() {
    local peer=$1 work=$2 net=${NETWORK[$1]} cpu=$CLIENT_CPU arguments=()
    local long=("$net.2:80" --connections 50)
    case "$work" in
        down) arguments=(down "$net.2:19") ;;
        up) arguments=(up "$net.2:9") ;;
        down8) arguments=(down "$net.2:19" --connections 8) ;;
        up8) arguments=(up "$net.2:9" --connections 8) ;;
        long) arguments=(long "${long[@]}") ;;
        pipeline) arguments=(long "${long[@]}" --pipeline 16) ;;
        short) arguments=(short "${long[@]}" --sources "$net.100,$SOURCES") ;;
        echo1) arguments=(echo "$net.2:7") cpu=$SERVER_CPU ;;
        echo2) arguments=(echo "$net.2:7") ;;
        *) die "no work is called $work" ;;
    esac
    in_ns "$peer" "${FIRST[@]}" taskset -c "$cpu" timeout 60 "$TOOLS/load" "${arguments[@]}" \
        --seconds "$SECONDS_EACH" --control "$CONTROL" --server "${PID[$peer]}" >"$NS_DIR/figures" </dev/null ||
        die "$peer, $work: not measured; it wrote: $(tail -n 3 "$(errors "$peer")")"
    local name value
    while read -r name value; do
        printf '%s\t%s\t%s\t%s\n' "$peer" "$work" "$name" "$value" >>"$RESULTS"
    done <"$NS_DIR/figures"
    complain "$peer, $work: $(head -n 1 "$NS_DIR/figures")"
}

# can PEER WORK: nginx has neither bulk nor echo here.
can() { case "$1 $2" in "nginx long" | "nginx pipeline" | "nginx short") ;; "nginx "*) return 1 ;; esac }

# The machine, as lines that begin with #.
machine() {
    sed -n 's/^model name[[:space:]]*: /# processor: /p' /proc/cpuinfo | head -n 1
    printf '# processors: %s\n# kernel: %s\n' "$(nproc)" "$(uname -sr)"
    sed -n 's/^PRETTY_NAME="\(.*\)"/# system: \1/p' /etc/os-release
    printf '# longwire: %s\n' "$(git rev-parse --short HEAD 2>/dev/null || "$LONGWIRE" --version)"
    printf '# MTU %s, %s, %s runs of %s s\n' "$MTU" "$CONTROL" "$REPETITIONS" "$SECONDS_EACH"
}

is_root || die "namespaces and TUN interfaces need root: sudo ./scripts/bench.sh"
have_tun || die "/dev/net/tun cannot be opened"
build
mkdir -p "$OUTPUT"
RESULTS=$OUTPUT/results.tsv
machine >"$RESULTS"
for peer in $PEERS; do start "$peer"; done
for ((run = 1; run <= REPETITIONS; run++)); do
    for work in $WORK; do
        for peer in $PEERS; do
            if can "$peer" "$work"; then measure "$peer" "$work"; fi
        done
    done
done
"$LONGWIRE" bench table "$RESULTS" --svg "$OUTPUT/results.svg" | tee "$OUTPUT/results.md"
