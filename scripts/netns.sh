# shellcheck shell=bash
# Network namespaces, captures and checks for the integration scripts. To be sourced, as root:
#
#     . "$(dirname "$0")/../../scripts/netns.sh"
#     ns_add one
#     in_ns one "$LONGWIRE" serve --tun lw0 …
#
# Every name begins with lw-$$, every wait has a bound, and whatever was made here is gone at exit: processes by
# their ids, namespaces (and with them their interfaces) by their names.

# Several bounds below are defaults; a script may set them before it sources this file.
: "${CHECK_TIMEOUT:=60}" # seconds for one check
: "${WAIT_TIMEOUT:=20}"  # seconds for something to become ready

NS_PREFIX=lw-$$
NS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/$NS_PREFIX.XXXXXX") || exit 1
NS_NAMES=()
NS_PIDS=()
CHECKS_PASSED=0
CHECKS_FAILED=0

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# --- clean-up -----------------------------------------------------------------------------------------------------

# Ends what `background` started, removes the namespaces, and keeps the script's own exit status.
ns_cleanup() {
    local status=$? name pid
    trap - EXIT INT TERM
    set +e
    for pid in "${NS_PIDS[@]}"; do stop_pid "$pid" 3; done
    for name in "${NS_NAMES[@]}"; do ip netns del "$(ns "$name")" 2>/dev/null; done
    rm -rf "$NS_DIR"
    exit "$status"
}
trap ns_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# stop_pid PID [SECONDS]: asks a process of ours to end and kills it where it does not within the time.
stop_pid() {
    local pid=$1 tenths=$((${2:-5} * 10))
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        if ((tenths-- <= 0)); then
            kill -KILL "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
    wait "$pid" 2>/dev/null || true
}

# --- namespaces ---------------------------------------------------------------------------------------------------

# ns NAME: the full name of a namespace.
ns() { printf '%s-%s' "$NS_PREFIX" "$1"; }

# ns_add NAME: a namespace with loopback up, and no router or duplicate-address chatter that would delay IPv6.
ns_add() {
    ip netns add "$(ns "$1")" || die "cannot make a network namespace: root is needed"
    NS_NAMES+=("$1")
    in_ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
        net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 2>/dev/null
    ip -n "$(ns "$1")" link set lo up
}

# ns_del NAME: earlier than at exit.
ns_del() {
    ip netns del "$(ns "$1")" && mapfile -t NS_NAMES < <(printf '%s\n' "${NS_NAMES[@]}" | grep -vx -- "$1")
}

# in_ns NAME COMMAND…: runs a command in a namespace; `in_ns NAME background TAG COMMAND…` is `background` there.
in_ns() {
    local name=$1
    shift
    if [ "$1" = background ]; then
        local tag=$2
        shift 2
        background "$tag" ip netns exec "$(ns "$name")" "$@"
    else
        ip netns exec "$(ns "$name")" "$@"
    fi
}

# veth_pair NAME-A CIDR-A NAME-B CIDR-B: joins two namespaces; the interfaces are both called veth0. A CIDR with a
# colon is IPv6. Further addresses are added with `ip -n "$(ns NAME)" address add`.
veth_pair() {
    ip link add veth0 netns "$(ns "$1")" type veth peer name veth0 netns "$(ns "$3")" || die "cannot make a veth pair"
    ip -n "$(ns "$1")" address add "$2" dev veth0 && ip -n "$(ns "$3")" address add "$4" dev veth0
    ip -n "$(ns "$1")" link set veth0 up && ip -n "$(ns "$3")" link set veth0 up
}

# tun_add NAME INTERFACE MTU CIDR…: a persistent TUN interface, for programs that do not make their own.
tun_add() {
    local name=$1 interface=$2 mtu=$3 cidr
    shift 3
    ip -n "$(ns "$name")" tuntap add dev "$interface" mode tun || die "cannot make $interface: is /dev/net/tun there?"
    ip -n "$(ns "$name")" link set dev "$interface" mtu "$mtu" txqueuelen 4000 up
    for cidr in "$@"; do ip -n "$(ns "$name")" address add "$cidr" dev "$interface"; done
}

# interface_exists NAME INTERFACE
interface_exists() { ip -n "$(ns "$1")" link show dev "$2" >/dev/null 2>&1; }

# --- processes ----------------------------------------------------------------------------------------------------

# background TAG COMMAND…: starts a command without input; its output is in "$(output TAG)", its errors in
# "$(errors TAG)", and its id in BACKGROUND_PID. It is ended at exit at the latest.
background() {
    local tag=$1
    shift
    # Emptied at once, or whoever waits for a line finds that of the command before.
    : >"$NS_DIR/$tag.out"
    : >"$NS_DIR/$tag.err"
    "$@" </dev/null >"$NS_DIR/$tag.out" 2>"$NS_DIR/$tag.err" &
    BACKGROUND_PID=$!
    NS_PIDS+=("$BACKGROUND_PID")
}

output() { printf '%s/%s.out' "$NS_DIR" "$1"; }
errors() { printf '%s/%s.err' "$NS_DIR" "$1"; }

# scratch NAME: a file of this script that is removed at exit.
scratch() { printf '%s/%s' "$NS_DIR" "$1"; }

# wait_until SECONDS COMMAND…: until the command succeeds; fails when the time is over.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# wait_for_line TAG PATTERN [PID]: until the output or the errors of a background command have a line that matches.
# Where the process ends before, or time is over, it shows what there was instead.
wait_for_line() {
    local tag=$1 pattern=$2 pid=${3:-$BACKGROUND_PID} deadline=$((SECONDS + WAIT_TIMEOUT))
    until grep -qE -- "$pattern" "$NS_DIR/$tag.out" "$NS_DIR/$tag.err" 2>/dev/null; do
        if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
            grep -qE -- "$pattern" "$NS_DIR/$tag.out" "$NS_DIR/$tag.err" && return 0
            printf '%s: no line matches /%s/; it wrote:\n' "$tag" "$pattern" >&2
            sed 's/^/    /' "$NS_DIR/$tag.out" "$NS_DIR/$tag.err" >&2
            return 1
        fi
        sleep 0.05
    done
}

# wait_for_port NAME ADDRESS PORT: until something accepts there, seen from inside the namespace.
wait_for_port() { wait_until "$WAIT_TIMEOUT" in_ns "$1" nc -z -w 1 "$2" "$3"; }

# --- captures -----------------------------------------------------------------------------------------------------

# capture_start NAME INTERFACE TAG: records to "$(capture_file TAG)". Returns once the capture really runs.
capture_start() {
    in_ns "$1" background "capture-$3" dumpcap -q -P -i "$2" -w "$(capture_file "$3")"
    CAPTURE_PID=$BACKGROUND_PID
    wait_for_line "capture-$3" '^(File|Capturing on)' "$CAPTURE_PID" || die "dumpcap does not start on $2"
    wait_until 15 test -s "$(capture_file "$3")" || die "dumpcap writes nothing for $2"
}

# capture_stop [PID]: dumpcap hands on what the kernel has buffered before it ends; a moment lets the last packets in.
capture_stop() {
    sleep 0.5
    stop_pid "${1:-$CAPTURE_PID}" 5
}

capture_file() { printf '%s/%s.pcap' "$NS_DIR" "$1"; }

# capture_count TAG FILTER: how many packets a Wireshark display filter finds.
capture_count() { capture_fields "$1" "$2" frame.number | wc -l; }

# capture_fields TAG FILTER FIELD…: the fields of each packet that the filter finds, tab-separated. Absolute sequence
# numbers, so that what it says is what was on the wire.
capture_fields() {
    local tag=$1 filter=$2 field
    shift 2
    local arguments=()
    for field in "$@"; do arguments+=(-e "$field"); done
    timeout "$CHECK_TIMEOUT" tshark -r "$(capture_file "$tag")" -o tcp.relative_sequence_numbers:FALSE \
        -Y "$filter" -T fields "${arguments[@]}" 2>/dev/null
}

# --- checks -------------------------------------------------------------------------------------------------------

# check NAME COMMAND…: runs a command or function, within CHECK_TIMEOUT, and counts how it went. What it wrote is
# shown only where it failed. A function runs in a subshell: what it assigns does not come back.
check() {
    local name=$1 log=$NS_DIR/check.log status
    shift
    bounded "$CHECK_TIMEOUT" "$@" >"$log" 2>&1 </dev/null
    status=$?
    if ((status == 0)); then
        CHECKS_PASSED=$((CHECKS_PASSED + 1))
        printf 'ok      %s\n' "$name"
        return 0
    fi
    CHECKS_FAILED=$((CHECKS_FAILED + 1))
    printf 'FAILED  %s (%s)\n' "$name" "$( ((status == 124)) && echo "over $CHECK_TIMEOUT s" || echo "status $status")"
    sed 's/^/        /' "$log" | tail -n 40
    return 0
}

# check_fails NAME STATUS COMMAND…: passes where the command ends with just this status.
check_fails() {
    local name=$1 expected=$2
    shift 2
    check "$name" expect_status "$expected" "$@"
}

expect_status() {
    local expected=$1 status
    shift
    "$@"
    status=$?
    ((status == expected)) || { printf 'status %s instead of %s\n' "$status" "$expected"; return 1; }
}

# bounded SECONDS COMMAND…: as timeout(1), for functions of the script too.
bounded() (
    local seconds=$1
    shift
    [ "$(type -t "$1")" = file ] && exec timeout -k 2 "$seconds" "$@"
    # The clean-up belongs to the script, not to this subshell. With job control the function and its children are a
    # process group of their own, which can be ended as one.
    trap - EXIT INT TERM
    set -m
    "$@" &
    local pid=$! deadline=$((SECONDS + seconds))
    while kill -0 "$pid" 2>/dev/null; do
        if ((SECONDS >= deadline)); then
            kill -KILL -- "-$pid" 2>/dev/null
            wait "$pid" 2>/dev/null
            return 124
        fi
        sleep 0.02
    done
    wait "$pid"
)

# same_bytes FILE FILE: compares checksums, and shows both with the lengths where they differ.
same_bytes() {
    local sums
    mapfile -t sums < <(sha256sum -- "$1" "$2" | cut -d' ' -f1)
    if [ "${#sums[@]}" = 2 ] && [ "${sums[0]}" = "${sums[1]}" ]; then return 0; fi
    wc -c -- "$1" "$2"
    printf '%s\n' "${sums[@]}"
    return 1
}

# pattern_bytes N: the body of GET /bytes/N, made without us: byte i is i mod 251.
pattern_bytes() { python3 -c 'import sys
left, block = int(sys.argv[1]), bytes(range(251)) * 4096
while left > 0:
    left -= sys.stdout.buffer.write(block[:left])' "$1"; }

# equals EXPECTED ACTUAL / matches PATTERN ACTUAL: comparisons that show both sides.
equals() { [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }; }
matches() { grep -qE -- "$1" <<<"$2" || { printf 'pattern: %s\nactual:  %s\n' "$1" "$2"; return 1; }; }

# summary: the last line of a script, `N passed, M failed`; its status is the script's.
summary() {
    printf '%d passed, %d failed\n' "$CHECKS_PASSED" "$CHECKS_FAILED"
    ((CHECKS_FAILED == 0 && CHECKS_PASSED > 0))
}
