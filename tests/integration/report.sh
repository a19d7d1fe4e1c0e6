#!/usr/bin/env bash
# What longwire shows of connections: diagrams of real captures, ours and Linux's; and what short and long connections
# cost, measured on a server of ours and on one of the kernel's.
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
    # Linux's capture may have lost packets of it on a busy machine.
    check "the middle of the download is left out ($capture)" shows "$(picture $capture 41003)" 'MB of payload' ' MB, in '
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

# --- short and long connections, measured ---------------------------------------------------------------------------

# A server on the kernel's sockets, at the other end of a cable.
ns_add two
veth_pair one 10.8.0.1/24 two 10.8.0.2/24
kernel_server() { # NAME PORT
    in_ns "$1" background "kernel-$1" python3 -c 'import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()' "$2"
    wait_until 10 in_ns "$1" nc -z -w 1 127.0.0.1 "$2" || die "the kernel's server does not start"
}
kernel_server two 8000
KERNEL_PID=$BACKGROUND_PID
server one bench --tun lw0 --idle-timeout 10s

bench() { in_ns one timeout 100 "$LONGWIRE" bench connections --quiet "$@"; }
REQUESTS=400
check "a server of ours and one of the kernel's are compared" bench "http://$V4/healthz" http://10.8.0.2:8000/ \
    --requests $REQUESTS --concurrency 4 --label longwire --label "python <3>" \
    --server-pid "$SERVER_PID" --server-pid "$KERNEL_PID" -o "$(scratch report.html)" --json "$(scratch report.json)"

# figure FILE SERVER LIFE NAME…: figures of one measurement, one a line, rounded to hundredths.
figure() {
    python3 -c 'import json, sys
file, server, life, *names = sys.argv[1:]
found, = (m for m in json.load(open(file))["measurements"] if (m["server"], m["connections"]) == (server, life))
for name in names:
    value = found[name]
    print(round(value, 2) if isinstance(value, float) else value)' "$@"
}
between_figures() { # LEAST MOST FILE SERVER LIFE NAME
    local value
    value=$(figure "${@:3}")
    awk -v least="$1" -v most="$2" -v value="$value" 'BEGIN { exit !(value >= least && value <= most) }' ||
        { printf '%s is not from %s to %s\n' "$value" "$1" "$2"; return 1; }
}

JSON=$(scratch report.json)
for name in longwire "python <3>"; do
    for life in short long; do
        check "every request is answered ($name, $life)" equals "$REQUESTS {} 0" \
            "$(figure "$JSON" "$name" $life answered failures refused | paste -sd' ')"
    done
    check "a short connection has one SYN ($name)" between_figures 0.99 1.01 "$JSON" "$name" short syns_per_request
    check "a long one next to none ($name)" between_figures 0 0.03 "$JSON" "$name" long syns_per_request
    check "a short request takes seven packets and more ($name)" between_figures 6.9 20 "$JSON" "$name" short packets_per_request
    check "a long one fewer ($name)" between_figures 1.9 6.8 "$JSON" "$name" long packets_per_request
    check "the server's memory is seen ($name)" between_figures 1000000 1000000000 "$JSON" "$name" short server_memory_most
    check "short connections stay in TIME-WAIT at the server ($name)" \
        between_figures $((REQUESTS * 9 / 10)) $REQUESTS "$JSON" "$name" short time_wait_server
    check "long ones do not ($name)" between_figures 0 8 "$JSON" "$name" long time_wait_server
done

check "the report is one page with its plots" shows "$(scratch report.html)" '<h1>Short and long connections</h1>' \
    'Requests a second' 'SYNs per request' 'Latency, longwire' 'python &lt;3&gt;' '</html>'
every_plot_is_well_formed() {
    python3 -c 'import re, sys, xml.etree.ElementTree as tree
plots = re.findall(r"<svg .*?</svg>", open(sys.argv[1]).read(), re.S)
assert len(plots) >= 8, len(plots)
for plot in plots: tree.fromstring(plot)' "$1"
}
check "whose plots are well-formed" every_plot_is_well_formed "$(scratch report.html)"
stop_pid "$SERVER_PID"

# Over a stack of ours, which makes an interface of its own; the server listens on every address of the kernel's.
kernel_server one 8001
check "longwire's own TCP carries the load as well" bench --own-stack --tun lw7 http://10.9.7.1:8001/ \
    --requests $REQUESTS --concurrency 4 --user root --label kernel --json "$(scratch own.json)"
JSON=$(scratch own.json)
check "with one SYN for each short connection" between_figures 1 1 "$JSON" kernel short syns_per_request
check "and next to none for long ones" between_figures 0 0.03 "$JSON" kernel long syns_per_request

# A measurement is ended early: what there was until then is reported.
in_ns one background early "$LONGWIRE" bench connections http://10.8.0.2:8000/ --requests 100000000 \
    --duration 1h -o "$(scratch early.html)"
EARLY_PID=$BACKGROUND_PID
# It looks ten times a second: something has been counted by then.
wait_until 15 connected one 8000 && sleep 1
kill -INT "$EARLY_PID"
finish "$EARLY_PID" 20
check "Ctrl-C ends a measurement" equals 130 "$FINISHED"
check "with a report of what there was" shows "$(scratch early.html)" 'was interrupted' 'Requests a second'
check_fails "nobody there is an error" 1 bench http://10.8.0.2:9/ --requests 50

summary
