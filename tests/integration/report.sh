#!/usr/bin/env bash
# What longwire shows of connections: diagrams of real captures, ours and Linux's.
set -u
. "$(dirname "$0")/support/longwire.sh"

ns_add one
server one server --tun lw0 --idle-timeout 2s --tcp-keep-alive 700ms,500ms,3 --pcap "$(capture_file ours)"
capture_start one lw0 linux
URL=http://$V4/healthz

# --- connections worth a picture ----------------------------------------------------------------------------------

# from PORT ARGUMENT…: curl from a client port, by which the connection is found.
from() {
    local port=$1
    shift
    curl_in one -o /dev/null -o /dev/null --local-port "$port" "$@"
}

from 41001 --http1.0 $URL
from 41002 --http1.1 $URL $URL
from 41003 "http://$V4/bytes/3000000"
# A client that asks once and stays: probed until its time is over.
printf 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' | in_ns one timeout 10 nc -p 41004 $V4 80 >"$(scratch idle)"
# One to a port where nobody listens.
in_ns one timeout 5 nc -p 41005 $V4 81
sleep 0.5
capture_stop
stop_pid "$SERVER_PID"

# --- diagrams -----------------------------------------------------------------------------------------------------

ladder() { timeout 20 "$LONGWIRE" ladder "$@"; }
picture() { scratch "$1-$2.svg"; }

# well_formed FILE: an XML parser that is not ours reads it.
well_formed() {
    python3 -c 'import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
assert root.tag == "{http://www.w3.org/2000/svg}svg", root.tag' "$1"
}

# shows FILE WORDS…: all of them stand in the picture.
shows() {
    local file=$1 words
    shift
    for words in "$@"; do
        grep -qF -- "$words" "$file" || { printf '%s: %s is missing\n' "$file" "$words"; return 1; }
    done
}

# arrows FILE: how many segments are drawn.
arrows() { grep -c '<path ' "$1"; }

for capture in ours linux; do
    file=$(capture_file $capture)
    for port in 41001 41002 41003 41004 41005; do
        svg=$(picture $capture $port)
        check "a diagram of $port ($capture)" ladder "$file" --filter "$port" -o "$svg" --name $V4=longwire
        check "is well-formed ($port, $capture)" well_formed "$svg"
    done
    svg=$(picture $capture 41001)
    check "the short connection: request, answer, who closed ($capture)" shows "$svg" \
        'GET /healthz HTTP/1.0' 'HTTP/1.1 200 OK' 'SYN ACK' opens closes 'closed by the server first' TIME-WAIT longwire
    check "has the segments that tshark counts ($capture)" equals \
        "$(capture_count $capture 'tcp.port == 41001')" "$(arrows "$svg")"
    check "the long connection has both requests ($capture)" shows "$(picture $capture 41002)" \
        '2 requests' 'closed by the client first'
    check "the middle of the download is left out ($capture)" shows "$(picture $capture 41003)" '3.0 MB of payload' '…'
    check "and the picture is small ($capture)" below 40000 "$(stat -c %s "$(picture $capture 41003)")"
    check "the idle connection: silence and probes ($capture)" shows "$(picture $capture 41004)" \
        'of silence' keep-alive 'still alive' 'closed by the server first'
    check "as many probes as tshark counts ($capture)" equals \
        "$(capture_count $capture 'tcp.port == 41004 && tcp.analysis.keep_alive')" \
        "$(grep -c 'probe-word">keep-alive' "$(picture $capture 41004)")"
    check "a reset ($capture)" shows "$(picture $capture 41005)" RST 'reset by the server'
    check "the list has a line for each connection ($capture)" equals 5 "$(ladder "$file" --list | wc -l)"
done

ladder "$(capture_file ours)" -o "$(scratch all.svg)"
check "all connections in one picture" shows "$(scratch all.svg)" 'Connection 1:' 'Connection 5:'
check "which is well-formed" well_formed "$(scratch all.svg)"

# --- files that are not in order ----------------------------------------------------------------------------------

head -c 2000 "$(capture_file ours)" >"$(scratch cut.pcapng)"
ladder "$(scratch cut.pcapng)" >"$(scratch cut.svg)" 2>"$(scratch cut.err)"
check "a file that is cut off ends with 1" equals 1 $?
check "and says so in one line" one_line 'the file is cut off after [0-9]+ packets' "$(scratch cut.err)"
check "what came before is drawn" well_formed "$(scratch cut.svg)"
check_fails "no capture at all is an error" 1 ladder "$LONGWIRE"
check_fails "a connection that is not there is an error" 1 ladder "$(capture_file ours)" --connection 99

summary
