#!/usr/bin/env bash
# The stack as a client of Linux's servers: Python's http.server, and answers of every shape from scripted ones.
set -u
. "$(dirname "$0")/support/longwire.sh"

ns_add one
site=$(scratch site)
mkdir -p "$site/sub"
pattern_bytes 20000000 >"$site/large.bin"
echo small >"$site/small.txt"
echo '<p>below' >"$site/sub/index.html"
in_ns one background python python3 -u -m http.server 8000 --bind :: --protocol HTTP/1.1 --directory "$site"
wait_for_port one 127.0.0.1 8000 || die "http.server does not start"
URL=http://$HOST_V4:8000

get() { in_ns one timeout 30 "$LONGWIRE" get "$@"; }

# --- what works ---------------------------------------------------------------------------------------------------

file_arrives() { get -o "$(scratch received)" "$1/large.bin" && same_bytes "$site/large.bin" "$(scratch received)"; }
piped() {
    get $URL/large.bin >"$(scratch received)" && same_bytes "$site/large.bin" "$(scratch received)"
}
# connections COUNT ARGUMENT…: how many connections `get` says it made.
connections() {
    local count=$1
    shift
    get --trace "$@" >"$(scratch out)" 2>"$(scratch trace)" || return
    equals "$count" "$(grep -c '^\* connected' "$(scratch trace)")" || { cat "$(scratch trace)"; return 1; }
}

check "20 MB into a file" file_arrives $URL
check "over IPv6, too" file_arrives "http://[$HOST_V6]:8000"
check "20 MB to standard output" piped
check "a small file" equals small "$(get $URL/small.txt)"
check "the scheme may be left out" equals small "$(get $HOST_V4:8000/small.txt)"
check "several URLs, one behind the other" equals "small|small" "$(get $URL/small.txt $URL/small.txt | paste -sd'|')"
check "a redirect is followed" equals '<p>below' "$(get $URL/sub)"
check "--head shows the head" matches '^[Cc]ontent-[Ll]ength: 20000000' "$(get --head $URL/large.bin | tr -d '\r')"
check "three requests share a long connection" connections 1 -n 3 $URL/small.txt
check "with --short each has its own" connections 3 --short -n 3 $URL/small.txt

# --- answers of other shapes --------------------------------------------------------------------------------------

# answers PORT TEXT: a Linux server with one answer for whoever comes, which then closes.
answers() {
    printf '%b' "$2" >"$(scratch "answer.$1")"
    # shellcheck disable=SC2016 # expanded by the inner shell
    in_ns one background "answer-$1" sh -c 'timeout 20 nc -N -l "$1" <"$2"' sh "$1" "$(scratch "answer.$1")"
    wait_until 15 listens one "$1"
}

answers 8101 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlong\r\n5;x=y\r\nwire\n\r\n0\r\nA: b\r\n\r\n'
check "a chunked body" equals longwire "$(get http://$HOST_V4:8101/)"
answers 8102 'HTTP/1.0 200 OK\r\n\r\nup to the close\n'
check "a body that ends with the connection" equals "up to the close" "$(get http://$HOST_V4:8102/)"
answers 8103 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n'
check "no body at all, after an interim answer" equals "" "$(get http://$HOST_V4:8103/)"

# --- what fails, with curl's status and one line ------------------------------------------------------------------

fails() { # STATUS PATTERN ARGUMENT…
    local status=$1 pattern=$2
    shift 2
    get "$@" >"$(scratch out)" 2>"$(scratch err)"
    equals "$status" $? && one_line "$pattern" "$(scratch err)"
}
check "404" fails 22 'answered 404' $URL/not-there
check "nobody listens" fails 7 'cannot connect: .*refused' http://$HOST_V4:8999/
check "nobody is there" fails 28 'no answer within 1s' --connect-timeout 1s http://10.9.0.77/
in_ns one background silent timeout 20 nc -d -l 8104
wait_until 15 listens one 8104
check "no answer in time" fails 28 'not complete within 1s' --timeout 1s http://$HOST_V4:8104/
answers 8105 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut'
check "a body that is cut off" fails 18 'in the middle of its answer' http://$HOST_V4:8105/
answers 8106 'SMTP ready\r\n\r\n'
check "an answer that is not HTTP" fails 8 'does not answer with HTTP' http://$HOST_V4:8106/
answers 8107 ''
check "no answer at all" fails 52 'without an answer' http://$HOST_V4:8107/
check "nowhere to write to" fails 23 'No space left' -o /dev/full $URL/small.txt

summary
