# shellcheck shell=bash
# What the integration scripts share beside namespaces and checks: our servers, their counters, how a process ends,
# and who ended a connection. To be sourced from a script in tests/integration.

cd "$(dirname "${BASH_SOURCE[0]}")/../../.." || exit 1
. scripts/netns.sh

LONGWIRE=${LONGWIRE:-$PWD/target/release/longwire}
[ -x "$LONGWIRE" ] || die "$LONGWIRE is missing: cargo build --release"

# The stack's addresses behind interface lw0, and the kernel's, where nothing else is asked for.
V4=10.9.0.2
V6=fd09::2
HOST_V4=10.9.0.1
HOST_V6=fd09::1

# server NAME TAG OPTION…: `longwire serve` in a namespace, ready when this returns; its id is in SERVER_PID.
server() {
    local name=$1 tag=$2
    shift 2
    in_ns "$name" background "$tag" "$LONGWIRE" serve "$@"
    SERVER_PID=$BACKGROUND_PID
    wait_for_line "$tag" 'http://' "$SERVER_PID" || die "longwire serve $* is not ready"
}

# curl_in NAME ARGUMENT…: curl in a namespace, within 50 s.
curl_in() {
    local name=$1
    shift
    in_ns "$name" timeout 50 curl --silent --show-error --globoff "$@"
}

# at_once COUNT COMMAND…: so many of a command at once, each with a file of its own to write to: where several write to
# one, their lines may come apart. Shows what each wrote, one after the other, when all have ended.
at_once() {
    local count=$1 written number
    local pids=()
    shift
    written=$(mktemp -d "$(scratch at_once.XXXXXX)") || return
    for ((number = 0; number < count; number++)); do
        "$@" >"$written/$number" &
        pids+=("$!")
    done
    wait "${pids[@]}"
    cat "$written"/*
}

# transfer_config TAG COUNT URL URL [LINE…]: curl's configuration, "$(scratch TAG.config)", for so many transfers, in turn
# from the one and the other; each body goes to a file of its own. The lines are for each of them.
transfer_config() {
    local tag=$1 count=$2 urls=("$3" "$4") number
    shift 4
    for ((number = 0; number < count; number++)); do
        printf 'url = "%s"\noutput = "%s"\n' "${urls[number % 2]}" "$(scratch "$tag.$number")"
        printf '%s\n' "$@"
    done >"$(scratch "$tag.config")"
}

# sums_of TAG: how many of these bodies have which hash.
sums_of() { sha256sum "$NS_DIR/$1".[0-9]* | cut -d' ' -f1 | sort | uniq -c | awk '{ print $1, $2 }'; }

# fetch_many NAME COUNT HASH URL URL: so many downloads at once by one curl; each body has the hash.
fetch_many() {
    transfer_config many "$2" "$4" "$5"
    curl_in "$1" --fail --parallel --parallel-immediate --parallel-max "$2" --config "$(scratch many.config)" &&
        equals "$2 $3" "$(sums_of many)"
}

# metric NAME COUNTER: a value from the metrics of the server in a namespace, without the prefix that all have.
metric() { curl_in "$1" "http://$V4/metrics" | awk -v name="longwire_$2" '$1 == name { print $2 }'; }

# metric_is NAME COUNTER VALUE / metric_above NAME COUNTER VALUE
metric_is() { equals "$3" "$(metric "$1" "$2")"; }
metric_above() {
    local value
    value=$(metric "$1" "$2")
    [ "${value:-0}" -gt "$3" ] || { printf '%s is %s, and not above %s\n' "$2" "${value:-not there}" "$3"; return 1; }
}

# finish PID SECONDS: waits for a background command to end. FINISHED is its status, or "running" when the time is
# over; TOOK_MS is how long it took from now on.
finish() {
    local begun=${EPOCHREALTIME/[.,]/}
    if wait_until "$2" has_ended "$1"; then
        wait "$1"
        FINISHED=$?
    else
        FINISHED=running
    fi
    TOOK_MS=$(((${EPOCHREALTIME/[.,]/} - begun) / 1000))
}
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# listens NAME PORT / listens_udp NAME PORT / connected NAME PORT: somebody of the kernel's side does, or is.
listens() { in_ns "$1" ss -Hltn "sport = :$2" | grep -q .; }
listens_udp() { in_ns "$1" ss -Hlun "sport = :$2" | grep -q .; }
connected() { in_ns "$1" ss -Htn state established "( sport = :$2 or dport = :$2 )" | grep -q .; }

# below LIMIT VALUE / between LEAST MOST VALUE
below() { [ "$2" -lt "$1" ] || { printf '%s is not below %s\n' "$2" "$1"; return 1; }; }
between() { { [ "$3" -ge "$1" ] && [ "$3" -le "$2" ]; } || { printf '%s is not from %s to %s\n' "$3" "$1" "$2"; return 1; }; }

# one_line PATTERN FILE: the file is one line, and matches.
one_line() { equals 1 "$(wc -l <"$2")" && matches "$1" "$(cat "$2")"; }

# story TAG CLIENT-PORT: who opened and who ended a client's connection, as a finished capture has it: one word for
# each segment with SYN, FIN or RST. Retransmitted ones are left out.
story() {
    once "$1.story" capture_fields "$1" 'tcp.flags & 7 && !tcp.analysis.retransmission' \
        tcp.srcport tcp.dstport tcp.flags.syn tcp.flags.fin tcp.flags.reset |
        awk -v client="$2" '$1 == client || $2 == client {
            who = $1 == client ? "client" : "server"
            what = $3 ~ /1|True/ ? "SYN" : $5 ~ /1|True/ ? "RST" : "FIN"
            printf "%s%s-%s", separator, who, what
            separator = " "
        }'
}

# requests TAG CLIENT-PORT: how many HTTP requests a connection carried.
requests() { once "$1.requests" capture_fields "$1" http.request tcp.srcport | grep -cx "$2"; }

# once NAME COMMAND…: what the command writes, which runs only the first time.
once() {
    local file=$NS_DIR/once.$1
    shift
    [ -e "$file" ] || "$@" >"$file"
    cat "$file"
}
