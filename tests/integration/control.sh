#!/usr/bin/env bash
# The control socket: who may ask, what `ss`, `top` and `metrics` say of a server with real clients, several at once,
# and what becomes of sockets that are stale, taken or in the way.
set -u
# A /run of our own, in a mount namespace of our own: no other longwire of this machine is seen here, and none sees ours.
if [ -z "${LONGWIRE_OWN_RUN:-}" ]; then
    LONGWIRE_OWN_RUN=1 exec unshare --mount bash "$0" "$@"
fi
mount -t tmpfs tmpfs /run || exit 1
. "$(dirname "$0")/support/longwire.sh"

ns_add one
SOCKET=/run/longwire/lw0.sock
lw() { timeout 20 "$LONGWIRE" "$@"; }

# fails STATUS PATTERN ARGUMENT…: a command that ends so, with one line.
fails() {
    local status=$1 pattern=$2
    shift 2
    lw "$@" >"$(scratch out)" 2>"$(scratch err)"
    equals "$status" $? && one_line "$pattern" "$(scratch err)"
}

check "with none running, ss says what to do" fails 1 'no longwire runs here: start one' ss

server one first --user daemon
FIRST_PID=$SERVER_PID

# --- who may ask --------------------------------------------------------------------------------------------------

check "the socket is its owner's alone" equals "600 daemon" "$(stat -c '%a %U' $SOCKET)"
check "in a directory where only root puts one" equals "755 root" "$(stat -c '%a %U' /run/longwire)"
check "root may ask" lw ss
as() { setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups "${@:2}"; }
check "the user that it runs as may" as daemon timeout 20 "$LONGWIRE" ss
others_may_not() {
    as nobody timeout 20 "$LONGWIRE" ss 2>"$(scratch err)"
    equals 1 $? && one_line 'permission denied: run with sudo' "$(scratch err)"
}
check "others may not" others_may_not

# --- ss -----------------------------------------------------------------------------------------------------------

printf 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' >"$(scratch request)"
# shellcheck disable=SC2016 # expanded by the inner shell
in_ns one background idle sh -c 'exec nc -p 41000 "$2" 80 <"$1"' sh "$(scratch request)" "$V4"
wait_until 15 grep -q 200 "$(output idle)" || die "no idle client"
curl_in one -o /dev/null --http1.0 --local-port 41001 "http://$V4/healthz"

ss_shows() { lw ss "${@:2}" >"$(scratch out)" && matches "$1" "$(cat "$(scratch out)")"; }
check "ss shows the listeners" ss_shows "^tcp +LISTEN +0 +[0-9]+ +$V4:80 +\*:\*"
check "and a client, with its keep-alive timer" \
    ss_shows "^tcp +ESTABLISHED +0 +0 +$V4:80 +$HOST_V4:41000 +timer:\(keepalive,[0-9.]+m?s,0\)"
check "and who closed first" ss_shows "^tcp +TIME-WAIT +0 +0 +$V4:80 +$HOST_V4:41001 +timer:\(timewait,"
check "-i adds what TCP knows" ss_shows '^	cubic ts sack.* rtt:[0-9.]+[mu]s/.* cwnd:[0-9]+ .*bytes_acked:[1-9][0-9]* bytes_received:34 ' -i
check "--port takes either end" equals 1 "$(lw ss --port 41000 | tail -n +2 | wc -l)"
check "--state picks" equals "LISTEN" "$(lw ss --state listening | tail -n +2 | awk '{ print $2 }' | sort -u)"
json_of_ss() {
    lw ss --json --port 41000 | python3 -c '
import json, sys
[it] = json.load(sys.stdin)
assert it["state"] == "ESTABLISHED" and it["remote"] == "10.9.0.1:41000", it
assert it["tcp"]["segments_in"] >= 2 and it["tcp"]["srtt_us"] > 0 and it["tcp"]["congestion"] == "cubic", it'
}
check "--json is JSON" json_of_ss
check "also when there is nothing" equals "[]" "$(lw ss --json --port 9)"
check_fails "a wrong state is wrong usage" 2 lw ss --state open

# --- metrics ------------------------------------------------------------------------------------------------------

names() { grep -o '^longwire_[a-z0-9_]*' | sort -u; }
same_names() {
    lw metrics | names >"$(scratch names.control)"
    curl_in one "http://$V4/metrics" | names >"$(scratch names.http)"
    [ "$(wc -l <"$(scratch names.control)")" -gt 80 ] && diff "$(scratch names.control)" "$(scratch names.http)"
}
check "metrics are those of GET /metrics" same_names
check "with values" matches '^longwire_http_requests_total [1-9]' "$(lw metrics)"

# --- top ----------------------------------------------------------------------------------------------------------

# It reads a little all the time, where curl's --limit-rate would take pauses of seconds.
in_ns one background download timeout 30 python3 -c '
import socket, time
stream = socket.socket()
stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
stream.bind(("", 41002))
stream.connect(("10.9.0.2", 80))
stream.sendall(b"GET /bytes/1000000000 HTTP/1.1\r\nHost: x\r\n\r\n")
print(len(stream.recv(65536)), flush=True)
while stream.recv(65536):
    time.sleep(0.01)'
DOWNLOAD_PID=$BACKGROUND_PID
wait_for_line download '^[1-9]' || die "the download does not begin"
top_shows_the_busiest() {
    lw top --interval 1s >"$(scratch top)" || return
    matches '^longwire .* on lw0, process [0-9]+' "$(cat "$(scratch top)")" &&
        matches "^ESTABLISHED +$V4:80 +$HOST_V4:41002 +0bit/s +[0-9.]+[kM]bit/s" "$(sed -n '/^STATE/{n;p}' "$(scratch top)")"
}
check "top shows the busiest first, as text where there is no terminal" top_shows_the_busiest
check "three looks are three frames" equals 3 "$(lw top --interval 200ms -n 3 | grep -c '^longwire ')"
# A terminal, Ctrl-C after two frames: the alternate screen is left, and the status is 0.
cat >"$(scratch terminal.py)" <<'PYTHON'
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "top", "--interval", "200ms"])
seen, pressed, deadline = b"", False, time.monotonic() + 20
while time.monotonic() < deadline:
    if not select.select([fd], [], [], 0.1)[0]:
        continue
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if not pressed and seen.count(b"\x1b[H") >= 2:
        os.write(fd, b"\x03")
        pressed = True
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert pressed, seen
assert seen.startswith(b"\x1b[?1049h\x1b[?25l"), seen[:40]
assert seen.rstrip().endswith(b"\x1b[?25h\x1b[?1049l"), seen[-40:]
assert status == 0, status
PYTHON
check "at a terminal Ctrl-C puts everything back" python3 "$(scratch terminal.py)" "$LONGWIRE"
stop_pid "$DOWNLOAD_PID"

# --- several, stale ones, live ones -------------------------------------------------------------------------------

ns_add two
server two second --tun lw1
check "with two running, they are listed" \
    fails 1 'several are running, lw0 \(/run/longwire/lw0.sock\), lw1 \(/run/longwire/lw1.sock\): choose with --tun' ss
check "--tun chooses" ss_shows '10\.9\.1\.2:80' --tun lw1
check "so does --control" ss_shows '10\.9\.0\.2:80' --control $SOCKET
check "one that does not run is said not to" fails 1 'lw7: no longwire runs there; running are lw0' ss --tun lw7
stop_pid "$SERVER_PID"
# It has given up the rights to remove the file: that stays, and nobody takes it for a running one.
check "at the end nobody is there any more" fails 1 'lw1: no longwire runs there; running are lw0' ss --tun lw1
LEFT_BEHIND=$(stat -c %i /run/longwire/lw1.sock)
server two second-again --tun lw1
check "and the next one replaces what it left behind" ss_shows '10\.9\.1\.2:80' --tun lw1
check "with a file of its own" test "$(stat -c %i /run/longwire/lw1.sock)" != "$LEFT_BEHIND"
stop_pid "$SERVER_PID"

# The same name in another namespace: the socket is taken, and the server runs all the same.
server two same-name
check "a live socket is not taken over" matches 'another process answers at this control socket' "$(cat "$(errors same-name)")"
check "and still is the first one's" matches "process $FIRST_PID$" "$(lw top | head -1)"
stop_pid "$SERVER_PID"
check "nor removed" test -S $SOCKET
taken() {
    in_ns two timeout 20 "$LONGWIRE" serve --control $SOCKET 2>"$(scratch err)"
    equals 1 $? && one_line "^longwire: $SOCKET: another process answers .*: choose another with --control" "$(scratch err)"
}
check "one asked for by name has to be free" taken
echo precious >/run/precious
in_the_way() {
    in_ns two timeout 20 "$LONGWIRE" serve --control /run/precious 2>"$(scratch err)"
    equals 1 $? && one_line 'something else in the control socket' "$(scratch err)" && equals precious "$(cat /run/precious)"
}
check "a file in the way stays" in_the_way

server two killed --tun lw2 --control /run/elsewhere.sock
kill -KILL "$SERVER_PID" && wait "$SERVER_PID" 2>/dev/null
check "one that was killed leaves its socket, and that is told" \
    fails 1 'elsewhere.sock: no longwire answers there' ss --control /run/elsewhere.sock
server two again --tun lw2 --control /run/elsewhere.sock
check "a stale socket is replaced" ss_shows '10\.9\.2\.2:80' --control /run/elsewhere.sock
kill -STOP "$SERVER_PID"
check "one that does not answer is not waited for" \
    fails 1 'elsewhere.sock: no answer within 5s: it may be stopped' ss --control /run/elsewhere.sock
kill -CONT "$SERVER_PID"
stop_pid "$SERVER_PID"

# A client has a control socket, too, for as long as it runs.
in_ns two background listener timeout 60 nc -d -l 7000
wait_until 15 listens two 7000
in_ns two background client bash -c 'exec "$@" < <(sleep 30)' bash "$LONGWIRE" nc --tun lw3 10.9.3.1 7000
CLIENT_PID=$BACKGROUND_PID
check "a client can be asked as well" wait_until 15 ss_shows 'ESTABLISHED .* 10\.9\.3\.1:7000' --tun lw3
stop_pid "$CLIENT_PID"

stop_pid "$FIRST_PID"
check "at the end none runs" fails 1 'no longwire runs here: start one' ss

summary
