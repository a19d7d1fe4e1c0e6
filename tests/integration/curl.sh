#!/usr/bin/env bash
# curl against the server: versions, large bodies both ways, HEAD, ranges, errors, and a directory of files.
set -u
. "$(dirname "$0")/support/longwire.sh"

LARGE=100000000
ns_add one
server one server --tun lw0
pattern_bytes $LARGE >"$(scratch large)"
LARGE_SUM=$(sha256sum "$(scratch large)" | cut -d' ' -f1)

# --- versions and connections -------------------------------------------------------------------------------------

status() { curl_in one -o /dev/null -w '%{http_code}' "$@"; }
header() { # NAME ARGUMENT…: the value of an answer's field
    local name=$1
    shift
    curl_in one -o /dev/null -D - "$@" | tr -d '\r' | sed -n "s/^$name: //Ip"
}

check "HTTP/1.0 is answered" equals ok "$(curl_in one --http1.0 "http://$V4/healthz")"
check "HTTP/1.1 is answered" equals ok "$(curl_in one --http1.1 "http://$V4/healthz")"
check "over IPv6, too" equals ok "$(curl_in one "http://[$V6]/healthz")"
check "the welcome page explains itself" matches '/bytes/' "$(curl_in one "http://$V4/")"
check "two requests share a connection" equals "1 0 " \
    "$(curl_in one -o /dev/null -o /dev/null -w '%{num_connects} ' "http://$V4/healthz" "http://$V4/bytes/1000")"
check "keep-alive by name is announced" matches '^timeout=60, max=999$' \
    "$(header Keep-Alive -H 'Connection: keep-alive' "http://$V4/healthz")"
check "unasked it is not announced" equals "" "$(header Keep-Alive "http://$V4/healthz")"
check "every answer has a date" matches ' GMT$' "$(header Date "http://$V4/healthz")"

# --- large bodies -------------------------------------------------------------------------------------------------

download() { # URL SIZE
    curl_in one -o "$(scratch received)" "$1/bytes/$2" || return
    head -c "$2" "$(scratch large)" >"$(scratch expected)"
    same_bytes "$(scratch expected)" "$(scratch received)"
}
upload() { # URL ARGUMENT…: the server's hash of what came is that of what went
    local url=$1
    shift
    matches "^$LARGE $LARGE_SUM$" "$(curl_in one -X POST -T "$(scratch large)" "$@" "$url/sha256")"
}
echo_back() { # SIZE
    head -c "$1" "$(scratch large)" >"$(scratch sent)"
    curl_in one -o "$(scratch received)" --data-binary "@$(scratch sent)" "http://$V4/echo" &&
        same_bytes "$(scratch sent)" "$(scratch received)"
}

check "100 MB down are the right bytes" download "http://$V4" $LARGE
check "100 MB up are the right bytes" upload "http://$V4"
check "and so they are in chunks" upload "http://$V4" -H 'Transfer-Encoding: chunked'
check "20 MB down over IPv6" download "http://[$V6]" 20000000
check "100 MB up over IPv6" upload "http://[$V6]"
check "a body of no bytes" equals 0 "$(curl_in one "http://$V4/bytes/0" | wc -c)"
check "5 MB come back from /echo while they go there" echo_back 5000000
check "an empty body comes back, too" echo_back 0

# --- HEAD, ranges, errors -----------------------------------------------------------------------------------------

range() { # FIRST LENGTH RANGE
    tail -c "+$(($1 + 1))" "$(scratch large)" | head -c "$2" >"$(scratch expected)"
    curl_in one -f -o "$(scratch received)" -r "$3" "http://$V4/bytes/1000000" &&
        same_bytes "$(scratch expected)" "$(scratch received)"
}
several_ranges() {
    local answer
    answer=$(curl_in one -r 3-5,900-902 -w '\n%{http_code} %{content_type}' "http://$V4/bytes/1000" | tr -d '\0')
    matches '^206 multipart/byteranges; *boundary=' "$answer" && matches 'Content-Range: bytes 3-5/1000' "$answer" &&
        matches 'Content-Range: bytes 900-902/1000' "$answer"
}

check "HEAD has the length" equals 12345 "$(header Content-Length -I "http://$V4/bytes/12345")"
check "HEAD has no body, and the connection goes on" equals "0 1 5 0 " \
    "$(curl_in one -I -o /dev/null -w '%{size_download} %{num_connects} ' "http://$V4/bytes/5" \
        --next --silent -o /dev/null -w '%{size_download} %{num_connects} ' "http://$V4/bytes/5")"
check "a range in the middle" range 1000 500 1000-1499
check "a range to the end" range 999000 1000 999000-
check "a range from the end" range 999990 10 -10
check "several ranges" several_ranges
check "a range behind the end" equals "416 bytes */1000" \
    "$(status -r 1000-1001 "http://$V4/bytes/1000") $(header Content-Range -r 1000-1001 "http://$V4/bytes/1000")"
check "404" equals 404 "$(status "http://$V4/nowhere")"
check "405 says what is allowed" matches '^405 .*POST' "$(status "http://$V4/echo") $(header Allow "http://$V4/echo")"
check "HTTP/1.1 without Host is refused" equals 400 "$(status -H 'Host:' "http://$V4/healthz")"
check "an unknown expectation is refused" equals 417 "$(status -H 'Expect: wonders' -d x "http://$V4/echo")"
check "a URL beyond the limit" equals 414 "$(status "http://$V4/$(printf 'x%.0s' {1..9000})")"
check "the server has counted its requests" metric_above one http_requests_total 20

# --- a directory --------------------------------------------------------------------------------------------------

site=$(scratch site)
mkdir -p "$site/sub" "$site/bare"
head -c 3000000 "$(scratch large)" >"$site/large.bin"
echo '<p>the index' >"$site/index.html"
echo 'plain words' >"$site/sub/words.txt"
echo 'a secret' >"$(scratch secret)"
ln -s ../secret "$site/out"
chmod 711 "$NS_DIR"
ns_add two
server two files "$site" --tun lw0 --builtin /lw

file_status() { curl_in two -o /dev/null -w '%{http_code}' "$@"; }
file_header() {
    local name=$1
    shift
    curl_in two -o /dev/null -D - "$@" | tr -d '\r' | sed -n "s/^$name: //Ip"
}
whole_file() {
    curl_in two -f -o "$(scratch received)" "http://$V4/large.bin" && same_bytes "$site/large.bin" "$(scratch received)"
}
part_of_file() {
    curl_in two -f -o "$(scratch received)" -r 1000000-1999999 "http://$V4/large.bin" || return
    tail -c +1000001 "$site/large.bin" | head -c 1000000 >"$(scratch expected)"
    same_bytes "$(scratch expected)" "$(scratch received)"
}
resumed_file() {
    head -c 1234567 "$site/large.bin" >"$(scratch received)"
    curl_in two -f -C - -o "$(scratch received)" "http://$V4/large.bin" && same_bytes "$site/large.bin" "$(scratch received)"
}
# Nothing but an error for a path that leads outside, in any spelling, and never what lies there.
outside() {
    local path answer
    for path in /../secret /sub/../../secret /%2e%2e/secret /..%2fsecret /sub/..%2f..%2fsecret /%2e%2e%2fsecret \
        //../secret /..%5csecret /out /sub/%00; do
        answer=$(curl_in two --path-as-is -w '\n%{http_code}' "http://$V4$path" 2>&1)
        matches '^4[0-9][0-9]$' "${answer##*$'\n'}" || { echo "at $path"; return 1; }
        if grep -q 'a secret' <<<"$answer"; then echo "$path gives the secret"; return 1; fi
    done
}

check "a file is the right bytes" whole_file
check "and its range" part_of_file
check "and its rest" resumed_file
check "HEAD of a file has its length" equals 3000000 "$(file_header Content-Length -I "http://$V4/large.bin")"
check "the index is served for its directory" equals '<p>the index' "$(curl_in two "http://$V4/")"
check "with its type" matches '^text/html' "$(file_header Content-Type "http://$V4/")"
check "a file in a directory" equals 'plain words' "$(curl_in two "http://$V4/sub/words.txt")"
check "as plain text" matches '^text/plain' "$(file_header Content-Type "http://$V4/sub/words.txt")"
check "a directory without an index is not listed" matches '^4' "$(file_status "http://$V4/bare/")"
check "what is not there" equals 404 "$(file_status "http://$V4/not-there")"
check "its ETag gives 304" equals 304 \
    "$(file_status -H "If-None-Match: $(file_header ETag "http://$V4/large.bin")" "http://$V4/large.bin")"
check "its date gives 304" equals 304 \
    "$(file_status -H "If-Modified-Since: $(file_header Last-Modified "http://$V4/large.bin")" "http://$V4/large.bin")"
check "another ETag gives 200" equals 200 "$(file_status -H 'If-None-Match: "other"' "http://$V4/large.bin")"
check "nothing outside can be had" outside
check "a file takes no POST" equals 405 "$(file_status -d x "http://$V4/index.html")"
check "built-ins are behind their prefix" equals ok "$(curl_in two "http://$V4/lw/healthz")"
check "and nowhere else" equals 404 "$(file_status "http://$V4/healthz")"
check "and over IPv6" equals 'plain words' "$(curl_in two "http://[$V6]/sub/words.txt")"

summary
