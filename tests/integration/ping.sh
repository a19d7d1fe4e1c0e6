#!/usr/bin/env bash
# ping, from Linux to the stack and from the stack to Linux, and to nobody.
set -u
. "$(dirname "$0")/support/longwire.sh"

ns_add one
server one server --tun lw0

replies() { # COUNT TEXT
    matches "$1 (packets )?received" "$2" && matches ' 0% packet loss' "$2"
}
check "Linux pings the stack" replies 5 "$(in_ns one ping -c 5 -i 0.1 -W 2 $V4)"
check "over IPv6, too" replies 5 "$(in_ns one ping -c 5 -i 0.1 -W 2 $V6)"
check "with as much as fits into a packet" replies 2 "$(in_ns one ping -c 2 -i 0.1 -W 2 -s 1472 $V4)"
check "and over IPv6" replies 2 "$(in_ns one ping -c 2 -i 0.1 -W 2 -s 1452 $V6)"
check "with no data at all" replies 2 "$(in_ns one ping -c 2 -i 0.1 -W 2 -s 0 $V4)"
check "the stack has counted them" metric_is one icmp_echo_answered_total 16

ns_add two
check "the stack pings Linux" replies 3 "$(in_ns two "$LONGWIRE" ping -c 3 -i 100ms $HOST_V4)"
check "over IPv6, too" replies 3 "$(in_ns two "$LONGWIRE" ping -c 3 -i 100ms $HOST_V6)"
check "it shows each reply and the times" matches 'icmp_seq=2 time=[0-9.]+ ms' \
    "$(in_ns two "$LONGWIRE" ping -c 2 -i 100ms $HOST_V4)"
check "and itself" replies 1 "$(in_ns two "$LONGWIRE" ping --tun lw0 -c 1 $V4)"

silence() {
    in_ns two "$LONGWIRE" ping -c 1 10.9.0.77 >"$(scratch out)" 2>"$(scratch err)"
    equals 1 $? && one_line '10\.9\.0\.77: no reply' "$(scratch err)" && matches '100% packet loss' "$(cat "$(scratch out)")"
}
check "no reply is a failure that says so" silence

# Two stacks on one host reach each other through the kernel, if that forwards.
between_stacks() { in_ns one "$LONGWIRE" ping --tun lw1 -c 1 $V4 2>&1; }
in_ns one sysctl -qw net.ipv4.ip_forward=0
check "where nothing is forwarded, that is said" matches 'sysctl -w net.ipv4.ip_forward=1' "$(between_stacks)"
in_ns one sysctl -qw net.ipv4.ip_forward=1
check "and where it is, two stacks reach each other" replies 1 "$(between_stacks)"

summary
