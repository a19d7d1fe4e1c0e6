#!/usr/bin/env bash
# Short and long connections: who ends them and when, as two captures show it: Linux's of the interface and our own
# (--pcap). Every case has a client port of its own, by which it is found in the captures.
set -u
. "$(dirname "$0")/support/longwire.sh"

ns_add one
server one server --tun lw0 --idle-timeout 2s --max-requests 3 --max-per-client 4 --header-timeout 1s \
    --pcap "$(capture_file ours)"
capture_start one lw0 linux
URL=http://$V4/healthz

# from PORT ARGUMENT…: curl from a client port; shows "status connects" of each transfer.
from() {
    local port=$1
    shift
    curl_in one -o /dev/null -o /dev/null -o /dev/null -o /dev/null -w '%{http_code} %{num_connects} ' \
        --local-port "$port" "$@"
}

# --- the exchanges ------------------------------------------------------------------------------------------------

check "HTTP/1.0 is answered" equals "200 1 " "$(from 41001 --http1.0 $URL)"
check "HTTP/1.1 asks twice on one connection" equals "200 1 200 0 " "$(from 41002 --http1.1 $URL $URL)"
check "Connection: close is answered" equals "200 1 " "$(from 41003 --http1.1 -H 'Connection: close' $URL)"
check "HTTP/1.0 with keep-alive asks twice on one connection" equals "200 1 200 0 " \
    "$(from 41004 --http1.0 -H 'Connection: keep-alive' $URL $URL)"

# A client that asks once and then says nothing more: it ends when the server does.
printf 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' >"$(scratch request)"
silent() { # PORT FILE: how many milliseconds the server bore that
    local begun=${EPOCHREALTIME/[.,]/}
    in_ns one timeout 10 nc -p "$1" $V4 80 <"$2" >"$(scratch silent)"
    printf '%s' $(((${EPOCHREALTIME/[.,]/} - begun) / 1000))
}
check "an idle connection is ended after its time" between 1900 4000 "$(silent 41005 "$(scratch request)")"
printf 'GET /healthz HTTP/1.1\r\nHo' >"$(scratch half)"
check "half a head is ended after its time" between 900 3000 "$(silent 41006 "$(scratch half)")"
check "with 408" matches '^HTTP/1.1 408' "$(head -n 1 "$(scratch silent)")"

# countdown PORT URL…: what each answer says of the connection's future.
countdown() {
    local port=$1
    shift
    curl_in one -D - -o /dev/null -o /dev/null -o /dev/null --local-port "$port" -H 'Connection: keep-alive' "$@" |
        tr -d '\r' | sed -nE 's/^(Keep-Alive|Connection): //Ip' | paste -sd'|'
}
check "requests are counted down to the last" equals \
    "keep-alive|timeout=2, max=2|keep-alive|timeout=2, max=1|close" "$(countdown 41007 $URL $URL $URL)"
check "and then anew" equals "keep-alive|timeout=2, max=2" "$(countdown 41008 $URL)"

# Four connections of one client stay open while a fifth comes.
crowd() {
    in_ns one python3 -c 'import socket, subprocess, sys
address, command = sys.argv[1], sys.argv[2:]
held = [socket.create_connection((address, 80), timeout=2) for _ in range(4)]
for each in held:
    each.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert each.recv(1000).startswith(b"HTTP/1.1 200")
print(subprocess.run(command, capture_output=True, text=True, timeout=5).stdout)' "$V4" \
        curl -s -D - -o /dev/null --local-port 41009 $URL | tr -d '\r'
}
CROWDED=$(crowd)
check "one connection too many gets 503" matches '^HTTP/1.1 503' "$CROWDED"
check "and is told that this is the end" matches '^[Cc]onnection: close' "$CROWDED"
check "and when to come again" matches '^[Rr]etry-[Aa]fter: [0-9]+' "$CROWDED"
check "the next one is served when they are gone" equals "200 1 " "$(from 41010 -H 'Connection: close' --retry 3 $URL)"

check "idle time-outs are counted" metric_above one 'http_reasons_total{reason="idle_timeout"}' 0
check "late heads are counted" metric_is one 'http_reasons_total{reason="header_timeout"}' 1
check "used-up connections are counted" metric_is one 'http_reasons_total{reason="max_requests"}' 1
check "the 503 is counted" metric_is one 'http_reasons_total{reason="overload"}' 1

# --- what the captures say ----------------------------------------------------------------------------------------

sleep 1
capture_stop
stop_pid "$SERVER_PID"

OPENED="client-SYN server-SYN"
SERVER_ENDS="$OPENED server-FIN client-FIN"
CLIENT_ENDS="$OPENED client-FIN server-FIN"
for capture in linux ours; do
    # life NAME PORT STORY REQUESTS
    life() {
        check "$1 ($capture)" equals "$3, requests: $4" "$(story $capture "$2"), requests: $(requests $capture "$2")"
    }
    life "HTTP/1.0 is a short connection" 41001 "$SERVER_ENDS" 1
    life "HTTP/1.1 is a long one" 41002 "$CLIENT_ENDS" 2
    life "Connection: close makes it a short one" 41003 "$SERVER_ENDS" 1
    life "keep-alive makes HTTP/1.0 a long one" 41004 "$CLIENT_ENDS" 2
    life "the idle one is ended by the server" 41005 "$SERVER_ENDS" 1
    life "the used-up one is ended by the server" 41007 "$SERVER_ENDS" 3
    life "the one after it by the client" 41008 "$CLIENT_ENDS" 1
    life "the one too many is ended by the server" 41009 "$SERVER_ENDS" 1
    check "no connection was reset ($capture)" equals 0 "$(capture_count $capture 'tcp.flags.reset == 1')"
    check "every checksum is right ($capture)" equals 0 \
        "$(timeout 30 tshark -r "$(capture_file $capture)" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE \
            -Y "ip.src == $V4 && (tcp.checksum.status == Bad || ip.checksum.status == Bad)" 2>/dev/null | wc -l)"
done
check "both captures have the same packets of ours" equals \
    "$(capture_count linux "ip.src == $V4")" "$(capture_count ours "ip.src == $V4")"

summary
