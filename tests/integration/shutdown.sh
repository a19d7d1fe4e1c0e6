#!/usr/bin/env bash
# Signals: what is under way is finished, peers get a clean end, the interface goes, and a second signal is the end.
set -u
. "$(dirname "$0")/support/longwire.sh"

ns_add one
gone() { ! interface_exists one "${1:-lw0}"; }

# download TAG RATE SIZE PORT: in the background, and under way when this returns. Its id is in CURL_PID.
download() {
    in_ns one background "$1" timeout 40 curl -sS --limit-rate "$2" --local-port "$4" -o "$(scratch "$1.received")" \
        "http://$V4/bytes/$3"
    CURL_PID=$BACKGROUND_PID
    wait_until 15 test -s "$(scratch "$1.received")"
}

# --- nothing under way --------------------------------------------------------------------------------------------

for signal in INT TERM; do
    server one "idle-$signal" --tun lw0
    kill -$signal "$SERVER_PID"
    finish "$SERVER_PID" 20
    check "SIG$signal ends an idle server" equals 0 "$FINISHED"
    check "at once" below 4000 "$TOOK_MS"
    check "and its interface is gone" gone
done

# --- a transfer under way: it is finished -------------------------------------------------------------------------

server one finishing --tun lw0 --pcap "$(capture_file finishing)"
download wanted 4M 16000000 43001
# A long connection on which nothing is under way.
printf 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' >"$(scratch request)"
# shellcheck disable=SC2016 # expanded by the inner shell
in_ns one background long sh -c 'exec nc -p 43002 "$1" 80 <"$2"' sh "$V4" "$(scratch request)"
LONG_PID=$BACKGROUND_PID
wait_until 15 test -s "$(output long)"
kill -INT "$SERVER_PID"
finish "$LONG_PID" 8
check "an idle long connection is ended" equals 0 "$FINISHED"
check "at once" below 4000 "$TOOK_MS"
check "nobody new is let in" expect_status 7 curl_in one --connect-timeout 2 "http://$V4/healthz"
finish "$CURL_PID" 20
check "what was under way is finished" equals 0 "$FINISHED"
pattern_bytes 16000000 >"$(scratch expected)"
check "to the last byte" same_bytes "$(scratch expected)" "$(scratch wanted.received)"
finish "$SERVER_PID" 20
check "the server ends well" equals 0 "$FINISHED"
check "its interface is gone" gone
# The client's own FIN may come when the interface has gone already.
IN_ORDER='^client-SYN server-SYN server-FIN( client-FIN)?$'
check "the transfer's connection ended in order" matches "$IN_ORDER" "$(story finishing 43001)"
check "and so did the idle one" matches "$IN_ORDER" "$(story finishing 43002)"

# --- a transfer that would take too long: it is cut after ten seconds ---------------------------------------------

server one cutting --tun lw0 --pcap "$(capture_file cutting)"
download endless 100k 100000000 43003
kill -INT "$SERVER_PID"
finish "$SERVER_PID" 20
check "a server with an endless transfer ends well" equals 0 "$FINISHED"
check "after ten seconds" between 8000 15000 "$TOOK_MS"
kill "$CURL_PID" 2>/dev/null
# A FIN would come behind data for which the client has no room.
check "the client is told that something is missing" equals "client-SYN server-SYN server-RST" "$(story cutting 43003)"
check "the interface is gone" gone

# --- a second signal ----------------------------------------------------------------------------------------------

server one twice --tun lw0
download unwanted 100k 100000000 43004
kill -INT "$SERVER_PID"
sleep 0.5
check "after one signal it goes on" kill -0 "$SERVER_PID"
kill -INT "$SERVER_PID"
finish "$SERVER_PID" 20
check "a second one is the end" equals 130 "$FINISHED"
check "at once" below 4000 "$TOOK_MS"
check "and the interface is gone" gone
kill "$CURL_PID" 2>/dev/null

# --- clients ------------------------------------------------------------------------------------------------------

ns_add two
in_ns two background ping "$LONGWIRE" ping --tun lw3 10.9.3.1
wait_for_line ping 'icmp_seq=1'
kill -INT "$BACKGROUND_PID"
finish "$BACKGROUND_PID" 20
check "Ctrl-C ends ping well, as there were replies" equals 0 "$FINISHED"
check "with its statistics" matches ' 0% packet loss' "$(cat "$(output ping)")"
in_ns two background listening "$LONGWIRE" nc --tun lw4 -l 7000
wait_for_line listening 'listening'
kill -INT "$BACKGROUND_PID"
finish "$BACKGROUND_PID" 20
check "Ctrl-C ends nc with the signal's status" equals 130 "$FINISHED"
in_ns two background silent nc -d -l 7000
wait_until 15 listens two 7000
in_ns two background asking "$LONGWIRE" get --tun lw4 http://10.9.4.1:7000/
asked() { grep -q GET "$(output silent)"; }
wait_until 15 asked
kill -INT "$BACKGROUND_PID"
finish "$BACKGROUND_PID" 20
check "and get" equals 130 "$FINISHED"
check "neither complains" equals "" "$(grep -v listening "$(errors listening)" "$(errors asking)")"
both_gone() { ! interface_exists two lw3 && ! interface_exists two lw4; }
check "their interfaces are gone" both_gone

summary
