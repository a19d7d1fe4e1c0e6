#!/usr/bin/env bash
# Draws the diagrams of docs/connections.md anew, from connections of curl and nc to `longwire serve` that are really made
# and captured:
#
#     sudo ./scripts/diagrams.sh
#
# Takes a bit more than a minute, as the time-outs in them are the defaults.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/prerequisites.sh
is_root || { complain "network namespaces need root: sudo ./scripts/diagrams.sh"; exit 1; }
have_tun || { complain "/dev/net/tun cannot be opened"; exit 1; }
need ip iproute2 curl curl nc netcat-openbsd
LONGWIRE=${LONGWIRE:-$PWD/target/release/longwire}
if [ ! -x "$LONGWIRE" ]; then
    find_cargo
    as_caller cargo build --release --quiet
fi
. scripts/netns.sh

SERVER=10.9.0.2
CLIENT=10.9.0.1
URL=http://$SERVER/healthz
DIRECTORY=docs/diagrams
as_caller mkdir -p "$DIRECTORY"

# server NAME OPTION…: longwire serves in a namespace of its own, into a capture of its own.
server() {
    local name=$1
    shift
    ns_add "$name"
    in_ns "$name" background "server-$name" "$LONGWIRE" serve --tun lw0 --user root --pcap "$(scratch "$name.pcapng")" "$@"
    wait_for_line "server-$name" 'http://' "$BACKGROUND_PID"
}

# client NAME PORT CURL-ARGUMENT…: curl, from a port by which its connection is found in the capture.
client() {
    local name=$1 port=$2
    shift 2
    in_ns "$name" timeout 60 curl --silent --show-error --local-port "$port" "$@" >/dev/null
}

# idle_client NAME PORT: asks once over HTTP/1.1 and says nothing more; ends when the server does.
idle_client() {
    printf 'GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n' "$SERVER" >"$(scratch request)"
    in_ns "$1" background "idle-$1" sh -c 'exec timeout 90 nc -p "$1" "$2" 80 <"$3"' \
        sh "$2" "$SERVER" "$(scratch request)"
    IDLE_PID=$BACKGROUND_PID
}

# draw FILE NAME PORT CLIENT'S-NAME: the connection of one client port.
draw() {
    "$LONGWIRE" ladder "$(scratch "$2.pcapng")" --filter "$3" --name "$CLIENT=$4" --name "$SERVER=longwire" |
        as_caller tee "$DIRECTORY/$1.svg" >/dev/null
    echo "$DIRECTORY/$1.svg"
}

# Those that take their time come first.
server idle
idle_client idle 41004
IDLE=$IDLE_PID
server vanished
idle_client vanished 41005
sleep 1
# The client's host is gone without a word: its address is taken away, so that nothing reaches it any more.
ip -n "$(ns vanished)" address del "$CLIENT/24" dev lw0

server short
client short 41001 --http1.0 "$URL"
server long
client long 41002 -o /dev/null -o /dev/null -o /dev/null "$URL" "$URL" "$URL"
server limited --max-requests 2
client limited 41003 -o /dev/null -o /dev/null --http1.0 -H 'Connection: keep-alive' "$URL" "$URL"
server transfer --impair delay=10ms,loss=0.5%,seed=5
client transfer 41006 "http://$SERVER/bytes/1500000"

echo "waiting for the time-outs of the idle connection: a minute"
wait "$IDLE" || true
# Captures are written out every 100 ms.
sleep 1
draw short short 41001 curl
draw long long 41002 curl
draw keep-alive limited 41003 curl
draw idle idle 41004 nc
draw vanished vanished 41005 nc
draw transfer transfer 41006 curl
