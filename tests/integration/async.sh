#!/usr/bin/env bash
# The asynchronous sockets under axum, hyper, rustls and tungstenite: the programs of examples/async, against curl, a
# server and a WebSocket client of the kernel's TCP.
set -u
. "$(dirname "$0")/support/longwire.sh"

EXAMPLES=${EXAMPLES:-$PWD/target/debug}
BUILD="cargo build --manifest-path examples/async/Cargo.toml --target-dir target"
for example in axum-server hyper-server hyper-client https-server websocket-echo; do
    [ -x "$EXAMPLES/$example" ] || die "$EXAMPLES/$example is missing: $BUILD"
done
. scripts/prerequisites.sh
need openssl openssl || die "openssl is missing"

pattern_bytes 8000000 >"$(scratch sent)"
# axum takes no more than 2 MB unless told.
head -c 1000000 "$(scratch sent)" >"$(scratch megabyte)"

# serving NAME PROGRAM ARGUMENT…: starts an example in a namespace; it serves when this returns.
serving() {
    local program=$2
    ns_add "$1"
    in_ns "$1" background "$program" "$EXAMPLES/$program" "${@:3}"
    wait_for_line "$program" 'serving' || die "$program is not ready"
    SERVING=$BACKGROUND_PID
}

# ends_well NAME PROGRAM [LINES]: on Ctrl-C, with everything in order and so many lines on its standard error: one,
# where it serves. Its interface is gone then.
ends_well() {
    kill -INT "$SERVING"
    finish "$SERVING" 10
    check "$2 ends well on SIGINT" equals 0 "$FINISHED"
    check "$2 has had nothing else to say" equals "${3:-1}" "$(wc -l <"$(errors "$2")")"
    check "its interface is gone" no_interface "$1"
    ns_del "$1"
}
no_interface() { ! interface_exists "$1" lw0; }

# many NAME URL COUNT: so many requests from eight curls at once; how many were answered, over how many connections.
many() {
    local each=$(($3 / 8)) urls=() i
    for ((i = 0; i < each; i++)); do urls+=("$2"); done
    at_once 8 curl_in "$1" "${TRUST[@]}" -w '\n%{http_code} %{num_connects}\n' "${urls[@]}" |
        awk '/^200 [01]$/ { answered++; connections += $2 } END { print answered + 0, connections + 0 }'
}
TRUST=()

# --- axum: the stack has a thread of its own --------------------------------------------------------------------------

serving one axum-server
check "axum answers" equals "axum on longwire" "$(curl_in one "http://$V4/")"
check "axum has no such page" equals 404 "$(curl_in one -o /dev/null -w '%{http_code}' "http://$V4/nothing")"
check "axum echoes a megabyte" curl_in one --data-binary "@$(scratch megabyte)" -o "$(scratch axum)" "http://$V4/echo"
check "to the last byte" same_bytes "$(scratch megabyte)" "$(scratch axum)"
check "axum answers 800 requests over 8 connections" equals "800 8" "$(many one "http://$V4/" 800)"
ends_well one axum-server

# --- hyper: the stack is a task of its runtime ------------------------------------------------------------------------

serving two hyper-server
check "hyper echoes 8 MB" curl_in two --data-binary "@$(scratch sent)" -o "$(scratch hyper)" "http://$V4/"
check "to the last byte" same_bytes "$(scratch sent)" "$(scratch hyper)"
check "hyper answers 800 requests over 8 connections" equals "800 8" "$(many two "http://$V4/" 800)"
ends_well two hyper-server

# --- hyper as a client ------------------------------------------------------------------------------------------------

ns_add three
mkdir "$(scratch site)"
echo "from the kernel's side" >"$(scratch site)/page"
cp "$(scratch sent)" "$(scratch site)/large"
# The interface has to be there before its address can be bound: the server takes any.
in_ns three background python python3 -m http.server --directory "$(scratch site)" 8000
wait_until 10 in_ns three curl -s -o /dev/null "http://127.0.0.1:8000/page"
client() { in_ns three timeout 30 "$EXAMPLES/hyper-client" "$HOST_V4:8000" "$@" 2>"$(scratch client.err)"; }
check "hyper fetches from a server of the kernel's" equals "from the kernel's side" "$(client /page)"
client /large >"$(scratch fetched)"
check "hyper fetches 8 MB" same_bytes "$(scratch sent)" "$(scratch fetched)"
check "hyper is told of a page that is not there" matches '404' "$(client /nothing >/dev/null; cat "$(scratch client.err)")"
ns_del three

# --- rustls: HTTPS ----------------------------------------------------------------------------------------------------

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=longwire -addext "subjectAltName=IP:$V4" \
    -keyout "$(scratch key.pem)" -out "$(scratch certificate.pem)" 2>"$(scratch openssl.err)" ||
    die "openssl makes no certificate: $(cat "$(scratch openssl.err)")"
serving four https-server "$(scratch certificate.pem)" "$(scratch key.pem)"
# The certificate is not a known authority's: curl has to refuse it before it is told to trust it.
curl_in four -o /dev/null "https://$V4/" 2>/dev/null
check "curl refuses a certificate that it does not know" equals 60 $?
TRUST=(--cacert "$(scratch certificate.pem)")
for version in 1.2 1.3; do
    check "rustls echoes 8 MB over TLS $version" curl_in four "${TRUST[@]}" "--tlsv$version" --tls-max "$version" \
        --data-binary "@$(scratch sent)" -o "$(scratch https)" "https://$V4/"
    check "to the last byte" same_bytes "$(scratch sent)" "$(scratch https)"
done
check "rustls answers 80 requests over 8 connections" equals "80 8" "$(many four "https://$V4/" 80)"
TRUST=()
# The refusal is what it has to say.
ends_well four https-server 2

# --- WebSocket --------------------------------------------------------------------------------------------------------

serving five websocket-echo
messages() { in_ns five timeout 50 python3 tests/integration/support/websocket.py "$V4" 80; }
check "17 messages of every length come back" equals 17 "$(messages)"
check "eight clients at once, too" equals "$(printf '17\n%.0s' {1..8})" "$(at_once 8 messages)"
curl_in five -o /dev/null "http://$V4/" 2>/dev/null
check "who does not ask for an upgrade gets no answer" equals 52 $?
kill -INT "$SERVING"
finish "$SERVING" 10
check "websocket-echo ends well on SIGINT" equals 0 "$FINISHED"

summary
