#!/usr/bin/env bash
# Paths and packets of odd sizes with Linux in between: a link half-way that carries less than both ends (RFC 1191,
# RFC 8201), and datagrams that Linux cuts into fragments.
#
#     far ── 1500 ── router ── 1300 ── near ── lw0, 1500 ── longwire
set -u
. "$(dirname "$0")/support/longwire.sh"

# join A B NETWORK MTU: a link between two namespaces, A at .1 and ::1, B at .2 and ::2.
join() {
    local a b
    a=$(ns "$1") b=$(ns "$2")
    ip link add "to-$2" netns "$a" type veth peer name "to-$1" netns "$b" || die "cannot make a veth pair"
    ip -n "$a" address add "10.8.$3.1/24" dev "to-$2" && ip -n "$b" address add "10.8.$3.2/24" dev "to-$1"
    ip -n "$a" address add "fd08:$3::1/64" dev "to-$2" && ip -n "$b" address add "fd08:$3::2/64" dev "to-$1"
    ip -n "$a" link set "to-$2" mtu "$4" up && ip -n "$b" link set "to-$1" mtu "$4" up
}
for name in near router far; do
    ns_add $name
    in_ns $name sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
done
join near router 1 1300
join router far 2 1500
ip -n "$(ns near)" route add 10.8.2.0/24 via 10.8.1.2
ip -n "$(ns near)" route add fd08:2::/64 via fd08:1::2
ip -n "$(ns router)" route add 10.9.0.0/24 via 10.8.1.1
ip -n "$(ns router)" route add fd09::/64 via fd08:1::1
ip -n "$(ns far)" route add default via 10.8.2.1
ip -n "$(ns far)" route add default via fd08:2::1

# --- a narrow link ------------------------------------------------------------------------------------------------

pattern_bytes 5000000 >"$(scratch expected)"
fetched() { # ADDRESS
    curl_in far --max-time 20 -o "$(scratch received)" "http://$1/bytes/5000000" && same_bytes "$(scratch expected)" "$(scratch received)"
}
for offload in auto off; do
    server near "server-$offload" --tun lw0 --offload $offload
    check "a download over the narrow link, --offload $offload" fetched $V4
    check "over IPv6, too" fetched "[$V6]"
    check "a router's word was heard in both" metric_is near tcp_path_mtu_reductions_total 2
    check "nothing was found out by silence" metric_is near tcp_path_mtu_black_holes_total 0
    kill -INT "$SERVER_PID"
    finish "$SERVER_PID" 10
    check "the server ends well" equals 0 "$FINISHED"
done

# --- a black hole -------------------------------------------------------------------------------------------------

# The end of a veth pair drops silently what is longer than its own MTU, whatever the other end has; super-packets it
# would let through.
ip -n "$(ns near)" link set to-router mtu 1500
server near server-hole --tun lw0 --offload off
check "a download into a black hole" fetched $V4
check "over IPv6, too" fetched "[$V6]"
check "both were found out by silence" metric_is near tcp_path_mtu_black_holes_total 2
kill -INT "$SERVER_PID"
finish "$SERVER_PID" 10

# --- fragments ----------------------------------------------------------------------------------------------------

head -c 4000 /dev/urandom >"$(scratch datagram)"
send_datagram() { # ADDRESS
    in_ns near timeout 5 python3 -c 'import socket, sys
address = sys.argv[1]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(open(sys.argv[2], "rb").read(), (address, 7000))' "$1" "$(scratch datagram)"
}
arrives_whole() { # TAG ADDRESS
    in_ns near background "$1" "$LONGWIRE" nc --tun lw0 -u -l 7000
    wait_for_line "$1" listening && send_datagram "$2" && wait_until 15 same_bytes "$(scratch datagram)" "$(output "$1")"
    local status=$?
    stop_pid "$BACKGROUND_PID" 3
    return $status
}
check "a datagram that Linux cuts into fragments arrives whole" arrives_whole fragments4 $V4
check "over IPv6, too" arrives_whole fragments6 $V6

summary
