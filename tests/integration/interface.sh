#!/usr/bin/env bash
# What becomes of the interface, and of the process's rights.
set -u
. "$(dirname "$0")/support/longwire.sh"

ns_add one
# shown NAME WHAT…: `ip -j WHAT…` in a namespace, in Python's eyes; the expression sees it as `j`.
shown() {
    local name=$1 expression=$2
    shift 2
    ip -n "$(ns "$name")" -j "$@" | python3 -c 'import json, sys
j = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$expression"
}
ADDRESSES='" ".join(sorted("%s/%s" % (a["local"], a["prefixlen"]) for a in j[0]["addr_info"] if a["scope"] == "global"))'
ROUTES='" ".join(sorted(r["dst"] for r in j if r.get("protocol") != "kernel" and r.get("type", "unicast") == "unicast"))'
LINK='"%s %s %s %s" % (j[0]["mtu"], j[0]["txqlen"], "UP" in j[0]["flags"], j[0]["linkinfo"]["info_data"]["persist"])'
gone() { ! interface_exists "$1" "$2"; }

# --- made by us ---------------------------------------------------------------------------------------------------

server one plain --tun lw0 --route 10.77.0.0/16 --route fd77::/48 --user nobody
check "the kernel has its addresses" equals "10.9.0.1/24 fd09::1/64" "$(shown one "$ADDRESSES" address show dev lw0)"
check "the interface is up, with room for 4,000 packets" equals "1500 4000 True False" \
    "$(shown one "$LINK" -d link show dev lw0)"
check "further prefixes are routed to it" equals "10.77.0.0/16" "$(shown one "$ROUTES" route show dev lw0)"
check "over IPv6, too" matches 'fd77::/48' "$(shown one "$ROUTES" -6 route show dev lw0)"
status_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$SERVER_PID/status"; }
NOBODY=$(id -u nobody)
check "the process is nobody" equals "$NOBODY $NOBODY $NOBODY $NOBODY" "$(status_of Uid | xargs)"
check "in nobody's group" equals "$(id -g nobody)" "$(status_of Gid | xargs -n 1 | sort -u)"
check "and in none of root's" equals "$(id -G nobody)" "$(status_of Groups | xargs)"
check "without any capability" equals "0000000000000000 0000000000000000" "$(status_of CapEff) $(status_of CapPrm)"
check "and can gain none" equals 1 "$(status_of NoNewPrivs)"
check "it serves all the same" equals ok "$(curl_in one "http://$V4/healthz")"
stop_pid "$SERVER_PID"
check "the interface is gone with it" gone one lw0

server one root --tun lw0 --user root
check "root stays root where it is told to" equals "0 0 0 0" "$(status_of Uid | xargs)"
check "but gains nothing more" equals 1 "$(status_of NoNewPrivs)"
kill -KILL "$SERVER_PID"
finish "$SERVER_PID" 5 2>/dev/null
check "even a killed process leaves no interface" gone one lw0

server one deleted --tun lw0
ip -n "$(ns one)" link set lw0 down
ip -n "$(ns one)" link set lw0 up
check "an interface that was down is no reason to end" equals ok "$(curl_in one "http://$V4/healthz")"
ip -n "$(ns one)" link delete lw0
finish "$SERVER_PID" 5
check "one that is deleted ends the server" equals 1 "$FINISHED"
check "which says why" matches '^longwire: lw0: the interface has gone' "$(tail -n 1 "$(errors deleted)")"

SUDO_USER=daemon server one sudo --tun lw0
check "with sudo it becomes the user behind it" equals "$(id -u daemon)" "$(status_of Uid | xargs -n 1 | sort -u)"
stop_pid "$SERVER_PID"

# --- numbers and other addresses ----------------------------------------------------------------------------------

server one numbered --tun lw26
check "lw26 has addresses of its own" equals "10.9.26.1/24 fd09:0:0:1a::1/64" "$(shown one "$ADDRESSES" address show dev lw26)"
check "and answers at the next ones" equals ok "$(curl_in one http://10.9.26.2/healthz)"
check "of both families" equals ok "$(curl_in one 'http://[fd09:0:0:1a::2]/healthz')"
stop_pid "$SERVER_PID"

server one given --tun wire0 --host 192.168.9.1/24 --address 192.168.9.2/24 --address 192.168.9.3/24
check "addresses may be given" equals "192.168.9.1/24" "$(shown one "$ADDRESSES" address show dev wire0)"
check "two of the stack's both answer" equals "ok ok" \
    "$(curl_in one http://192.168.9.2/healthz) $(curl_in one http://192.168.9.3/healthz)"
stop_pid "$SERVER_PID"

server one routed --tun lw0 --address 172.30.0.1/32 --route 172.30.0.0/24
check "an address in a routed prefix answers" equals ok "$(curl_in one http://172.30.0.1/healthz)"
stop_pid "$SERVER_PID"

# --- the MTU ------------------------------------------------------------------------------------------------------

pattern_bytes 300000 >"$(scratch expected)"
for mtu in 1280 9000; do
    server one "mtu$mtu" --tun lw0 --mtu "$mtu" --offload off
    capture_start one lw0 "mtu$mtu"
    curl_in one -o "$(scratch received)" "http://$V4/bytes/300000"
    capture_stop
    check "the interface has the MTU $mtu" equals "$mtu" "$(shown one 'j[0]["mtu"]' link show dev lw0)"
    check "a transfer arrives" same_bytes "$(scratch expected)" "$(scratch received)"
    check "in packets of $mtu bytes at the most, and of as many" equals "$mtu" \
        "$(capture_fields "mtu$mtu" "ip.src == $V4" ip.len | sort -n | tail -n 1)"
    stop_pid "$SERVER_PID"
done

# --- made by others -----------------------------------------------------------------------------------------------

ns_add two
tun_add two lw0 1400 10.9.0.1/24 10.50.0.1/24
server two persistent --tun lw0 --address 10.9.0.2/24 --address 10.50.0.2/24
check "an interface that exists keeps its addresses" equals "10.50.0.1/24 10.9.0.1/24" \
    "$(shown two "$ADDRESSES" address show dev lw0 | sed 's/ fd09::1\/64//')"
check "and answers behind them" equals ok "$(curl_in two http://10.50.0.2/healthz)"
stop_pid "$SERVER_PID"
check "it stays when we go" interface_exists two lw0
check "with its addresses" matches '10.50.0.1/24' "$(shown two "$ADDRESSES" address show dev lw0)"

# An ordinary user may use one that root has made for them.
ns_add three
ip -n "$(ns three)" tuntap add dev lw0 mode tun user nobody
ip -n "$(ns three)" link set lw0 up
ip -n "$(ns three)" address add 10.9.0.1/24 dev lw0
chmod 711 "$NS_DIR"
install -m 755 "$LONGWIRE" "$(scratch longwire)"
as_nobody() {
    in_ns three background nobody unshare -m sh -c 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 &&
        exec setpriv --reuid nobody --regid nogroup --clear-groups "$@"' sh "$@"
}
as_nobody "$(scratch longwire)" serve --tun lw0 --host 10.9.0.1/24 --address 10.9.0.2/24
wait_for_line nobody 'http://' || true
check "an ordinary user needs no rights for an interface of theirs" equals ok "$(curl_in three "http://$V4/healthz")"

summary
