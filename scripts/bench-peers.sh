# shellcheck shell=bash
# Who is measured by bench.sh: building and starting them, and the client. To be sourced behind prerequisites.sh and
# netns.sh, with PEERS, SECONDS_EACH and REALTIME set.
#
# A peer has a server for each kind of work that needs one of its own, and each server a network namespace.

GIVEN=${LONGWIRE:-}
LONGWIRE=${LONGWIRE:-target/release/longwire}
TOOLS=benches/peers/target/release
CONTROL=cubic
# The server has a processor for itself, the client another, where there are two.
SERVER_CPU=0
CLIENT_CPU=$(($(nproc) > 1 ? 1 : 0))
# Client addresses, so that short connections do not run out of ports.
SOURCES=8
FIRST=()
[ -z "$REALTIME" ] || FIRST=(chrt -f 10)
# By server: its network, three bytes of it, and its process.
declare -A NETWORK=() PID=()

build() {
    find_cargo
    need cc build-essential ip iproute2 taskset util-linux chrt util-linux ss iproute2
    case " $PEERS " in *" nginx "*) need nginx nginx-light ;; esac
    case " $PEERS " in *" lwip "*) build_lwip ;; esac
    case " $PEERS " in *" gvisor "*) build_gvisor ;; esac
    as_caller cargo build --release --quiet --manifest-path benches/peers/Cargo.toml
    # Of the same sources as the peers over the library, unless another one is asked for.
    [ -n "$GIVEN" ] || as_caller cargo build --release --quiet
}

# Where Debian's packages have what the two peers are built with that are not in Rust.
LWIP_HEADER=/usr/include/lwip/lwip/tcp.h
GVISOR_SOURCE=/usr/share/gocode/src/gvisor.dev/gvisor/pkg/tcpip

# usual_peers: everybody, of these two those whose packages are here. --peers gets the packages.
usual_peers() {
    echo longwire floor linux nginx plain smoltcp
    if [ -e "$LWIP_HEADER" ]; then echo lwip; else complain "without lwip: liblwip-dev is not installed"; fi
    if [ -e "$GVISOR_SOURCE" ] && have go; then
        echo gvisor
    else
        complain "without gvisor: golang-gvisor-gvisor-dev and golang-go are not installed"
    fi
}

build_lwip() {
    [ -e "$LWIP_HEADER" ] || apt_get liblwip-dev
    need pkg-config pkg-config
    local flags
    read -ra flags < <(pkg-config --cflags --libs lwip)
    as_caller cc -O2 -o "$TOOLS/lwip-peer" benches/peers/lwip/main.c "${flags[@]}"
}

build_gvisor() {
    { [ -e "$GVISOR_SOURCE" ] && have go; } || apt_get golang-gvisor-gvisor-dev golang-go
    as_caller env GOPATH=/usr/share/gocode GO111MODULE=off GOFLAGS= \
        go build -o "$TOOLS/gvisor-peer" benches/peers/gvisor/main.go
}

# can PEER WORK: whether the peer does it. nginx has neither bulk nor echo here. Owned buffers are longwire's, beside a
# floor that copies. Debian's lwIP has an MSS of 1460 whatever the MTU; and it resets who comes again from a port that is
# in TIME-WAIT where the new number is in the window, which among ten thousand connections a second happens.
can() {
    case "$1 $2" in
        "nginx long" | "nginx pipeline" | "nginx short") ;;
        "nginx "*) return 1 ;;
        "longwire "*-owned | "floor "*-owned) ;;
        *-owned) return 1 ;;
        "lwip "*-64k | "lwip short") return 1 ;;
        "longwire idle"* | "linux idle10k" | "lwip idle10k" | "gvisor idle10k") ;;
        # Connections of the kernel need a descriptor each.
        "linux idle"*) [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -gt "$(idle_count "$2")" ] ;;
        *" idle"*) return 1 ;;
    esac
}

# server_of PEER WORK: the name of the server that does it.
server_of() {
    case "$1 $2" in
        *" idle"*) echo "$1-idle" ;;
        *-64k) echo "$1-64k" ;;
        "longwire down"* | "longwire up"* | "plain down"* | "plain up"*) echo "$1-bulk" ;;
        *) echo "$1" ;;
    esac
}

# owned_port PEER PORT: where the bulk service of a port is done with owned buffers, if it is.
owned_port() { if [ "$1" = longwire ]; then echo "10$(printf %02d "$2")"; else echo "$2"; fi; }

# start SERVER: with its network up to the client, unless it runs. Those with idle connections are started when they are
# measured, as their memory is.
start() {
    local server=$1 peer=${1%%-*} mtu=1500 net index
    case "$server" in *-idle) return ;; esac
    [ -z "${PID[$server]:-}" ] || return 0
    case "$server" in *-64k) mtu=65535 ;; esac
    net=10.8.$((${#NETWORK[@]} + 1))
    NETWORK[$server]=$net
    ns_add "$server"
    in_ns "$server" sysctl -qw net.ipv4.ip_local_port_range="1024 65535"
    case "$server" in
        longwire | plain)
            serve "$server" "$server" "$LONGWIRE" serve --tun tun0 --mtu "$mtu" --congestion "$CONTROL" \
                --offload "$(offload "$peer")" --host "$net.1/24" --address "$net.2/24" --max-requests off --echo 7
            wait_for_line "$server" 'http://'
            ;;
        longwire-* | plain-*)
            serve "$server" "$server" "$TOOLS/longwire-peer" tun0 "$mtu" "$net.1/24" "$net.2/24" "$CONTROL" \
                "$(offload "$peer")"
            wait_for_line "$server" '^ready'
            ;;
        floor*)
            tun_add "$server" tun0 "$mtu" "$net.1/24"
            serve "$server" "$server" "$TOOLS/floor-peer" tun0 "$mtu"
            wait_for_line "$server" '^ready'
            ;;
        smoltcp*)
            tun_add "$server" tun0 "$mtu" "$net.1/24"
            serve "$server" "$server" "$TOOLS/smoltcp-peer" tun0 "$net.2/24"
            wait_for_line "$server" '^ready'
            ;;
        lwip* | gvisor*) start_foreign "$server" "$server" "$net" "$mtu" ;;
        linux* | nginx) start_on_veth "$server" "$net" "$mtu" ;;
        *) die "no peer is called $peer" ;;
    esac
    for ((index = 0; index < SOURCES; index++)); do
        ip -n "$(ns "$server")" address add "$net.$((100 + index))/24" dev "$(interface_of "$server")"
    done
}

# start_foreign NAMESPACE SERVER NETWORK MTU: lwIP or gVisor, over a TUN interface.
start_foreign() {
    local namespace=$1 server=$2 net=$3 mtu=$4
    tun_add "$namespace" tun0 "$mtu" "$net.1/24"
    case "$server" in
        lwip*) serve "$namespace" "$server" "$TOOLS/lwip-peer" tun0 "$net.2" ;;
        gvisor*) serve "$namespace" "$server" "$TOOLS/gvisor-peer" tun0 "$net.2/24" "$mtu" "$CONTROL" ;;
    esac
    wait_for_line "$server" '^ready' >&2
}

# start_on_veth SERVER NETWORK MTU: one over the kernel's own TCP.
start_on_veth() {
    local server=$1 net=$2 mtu=$3 name
    ns_add "$server-server"
    veth_pair "$server" "$net.1/24" "$server-server" "$net.2/24"
    for name in "$server" "$server-server"; do ip -n "$(ns "$name")" link set veth0 mtu "$mtu"; done
    if [ "$server" = nginx ]; then
        # nginx cannot set it; the route can.
        in_ns nginx-server ip route replace "$net.0/24" dev veth0 src "$net.2" congctl "$CONTROL"
        nginx_configuration "$net.2" >"$NS_DIR/nginx.conf"
        serve nginx-server nginx nginx -p "$NS_DIR" -e stderr -c "$NS_DIR/nginx.conf"
    else
        serve "$server-server" "$server" "$TOOLS/epoll-peer" "$net.2" "$CONTROL"
    fi
    wait_until 10 in_ns "$server" bash -c ": </dev/tcp/$net.2/80" || die "$server does not answer"
}

offload() { if [ "$1" = plain ]; then echo off; else echo on; fi; }

interface_of() { case "$1" in linux* | nginx) echo veth0 ;; *) echo tun0 ;; esac }

# serve NAMESPACE SERVER COMMAND…
serve() {
    local namespace=$1 server=$2
    shift 2
    in_ns "$namespace" background "$server" "${FIRST[@]}" taskset -c "$SERVER_CPU" "$@"
    PID[$server]=$BACKGROUND_PID
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

# load PEER WORK: prints the figures that the client has found.
load() {
    local peer=$1 work=$2 server net cpu=$CLIENT_CPU arguments=()
    server=$(server_of "$peer" "$work")
    net=${NETWORK[$server]}
    case "$work" in
        down-owned) arguments=(down "$net.2:$(owned_port "$peer" 19)") ;;
        up-owned) arguments=(up "$net.2:$(owned_port "$peer" 9)") ;;
        down8*) arguments=(down "$net.2:19" --connections 8) ;;
        up8*) arguments=(up "$net.2:9" --connections 8) ;;
        down*) arguments=(down "$net.2:19") ;;
        up*) arguments=(up "$net.2:9") ;;
        long) arguments=(long "$net.2:80" --connections 50) ;;
        pipeline) arguments=(long "$net.2:80" --connections 50 --pipeline 16) ;;
        short) arguments=(short "$net.2:80" --connections 50 --sources "$net.100,$SOURCES") ;;
        echo1) arguments=(echo "$net.2:7") cpu=$SERVER_CPU ;;
        echo2) arguments=(echo "$net.2:7") ;;
        *) die "no work is called $work" ;;
    esac
    in_ns "$server" "${FIRST[@]}" taskset -c "$cpu" timeout 60 "$TOOLS/load" "${arguments[@]}" \
        --seconds "$SECONDS_EACH" --control "$CONTROL" --server "${PID[$server]}" </dev/null 2>"$NS_DIR/why"
}

# --- idle connections ---------------------------------------------------------------------------------------------

# idle_count WORK: idle10k is 10,000.
idle_count() {
    local count=${1#idle}
    count=${count/%k/000}
    echo "${count/%m/000000}"
}

# idle PEER WORK: starts a server, prints what so many idle connections cost it, and ends it. Server and client are in
# one namespace, the client over a longwire of its own: what passes between the two is forwarded.
idle() {
    local peer=$1 count server=$1-idle client=() kernel=() index status
    count=$(idle_count "$2")
    ns_add "$server"
    in_ns "$server" sysctl -qw net.ipv4.ip_forward=1
    case "$peer" in
        longwire)
            serve "$server" "$server" "$LONGWIRE" serve --tun tun0 --congestion "$CONTROL" --host 10.7.0.1/24 \
                --address 10.7.0.2/24 --max-requests off --idle-timeout off --tcp-keep-alive 60s,10s,3 \
                --max-connections 2000000 --max-sockets 2000000 --max-per-client 100000
            wait_for_line "$server" 'http://' >&2
            ;;
        linux)
            ip -n "$(ns "$server")" address add 10.7.0.2/32 dev lo
            serve "$server" "$server" "$TOOLS/epoll-peer" 10.7.0.2 "$CONTROL"
            wait_for_line "$server" '^ready' >&2
            kernel=(--kernel-memory)
            ;;
        lwip | gvisor) start_foreign "$server" "$server" 10.7.0 1500 ;;
    esac
    # An address has 60,000 ports.
    for ((index = 2; index < 3 + (count + 1000) / 60000; index++)); do client+=(--address "10.7.1.$index/24"); done
    status=0
    in_ns "$server" "${FIRST[@]}" taskset -c "$CLIENT_CPU" timeout 900 "$LONGWIRE" bench idle http://10.7.0.2/healthz \
        --tun tun1 --host 10.7.1.1/24 "${client[@]}" --connections "$count" --settle 1s --hold 1s --lines \
        --server-pid "${PID[$server]}" "${kernel[@]}" </dev/null 2>"$NS_DIR/why" || status=$?
    stop_pid "${PID[$server]}"
    ns_del "$server"
    return "$status"
}
