#!/usr/bin/env bash
# 200 connections at a time, downloads and then uploads, each checked.
set -u
. "$(dirname "$0")/support/longwire.sh"

COUNT=200
SIZE=1000000
pattern_bytes $SIZE >"$(scratch expected)"
SUM=$(sha256sum "$(scratch expected)" | cut -d' ' -f1)
ns_add one
server one server --tun lw0

# transfers TAG PATH [LINE…]: COUNT of them at a time in one curl, each slow enough to meet all others; half over IPv6.
# The lines are curl's configuration.
transfers() {
    local tag=$1
    transfer_config "$tag" $COUNT "http://$V4$2" "http://[$V6]$2" "${@:3}"
    in_ns one background "$tag" timeout 50 curl --no-progress-meter --fail --globoff --parallel --parallel-immediate \
        --parallel-max $COUNT --limit-rate 400k --config "$(scratch "$tag.config")"
    TRANSFERS_PID=$BACKGROUND_PID
}

transfers down "/bytes/$SIZE"
most_open() { # the most connections seen open at a time, while the transfers last
    local most=0 now
    while kill -0 "$TRANSFERS_PID" 2>/dev/null; do
        now=$(metric one http_open_connections)
        ((${now:-0} <= most)) || most=$now
        sleep 0.2
    done
    echo "$most"
}
MOST=$(most_open)
finish "$TRANSFERS_PID" 50
check "no download fails" equals "0 " "$FINISHED $(cat "$(errors down)")"
check "all $COUNT were there at the same time" between $COUNT $((COUNT + 2)) "$MOST"
check "each is the right bytes" equals "$COUNT $SUM" "$(sums_of down)"

transfers up /sha256 "upload-file = \"$(scratch expected)\"" 'request = "POST"'
finish "$TRANSFERS_PID" 50
check "no upload fails" equals "0 " "$FINISHED $(cat "$(errors up)")"
check "each arrived as the right bytes" equals "$COUNT $SIZE $SUM" \
    "$(sort "$NS_DIR"/up.[0-9]* | uniq -c | awk '{ print $1, $2, $3 }')"

none_left() { metric_is one http_open_connections 1; }
check "none of them is left" wait_until 15 none_left
check "none failed in the transport" metric_is one 'http_reasons_total{reason="transport_failed"}' 0
check "none was reset by the server" metric_is one tcp_resets_sent_total 0

summary
