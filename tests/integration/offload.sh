#!/usr/bin/env bash
# The offload device: super-packets cross the interface whole, both ways and in both families; what it does over a road
# that cuts and loses them; and what is left without it.
set -u
: "${CHECK_TIMEOUT:=120}"
. "$(dirname "$0")/support/longwire.sh"

LARGE=300000000
pattern_bytes $LARGE >"$(scratch large)"
LARGE_SUM=$(sha256sum "$(scratch large)" | cut -d' ' -f1)

# --- helpers ------------------------------------------------------------------------------------------------------

# packets NAME rx|tx: what has crossed the interface, by the kernel's count: rx comes from the stack, tx goes to it.
packets() { in_ns "$1" cat "/sys/class/net/lw0/statistics/$2_packets"; }

# download NAME URL / upload NAME URL: 300 MB, and they arrive as they were.
download() {
    local sum
    sum=$(curl_in "$1" "$2/bytes/$LARGE" | sha256sum | cut -d' ' -f1)
    equals "$LARGE_SUM" "$sum"
}
upload() { matches "$LARGE_SUM" "$(curl_in "$1" -T "$(scratch large)" -X POST "$2/sha256")"; }

# whole MOST rx|tx COMMAND NAME URL: the command transfers, and no more than this many packets cross in the direction
# of the data. As many as the MTU would make of it are several times that.
whole() {
    local most=$1 direction=$2 name=$4 before after
    shift 2
    before=$(packets "$name" "$direction")
    "$@" || return
    after=$(packets "$name" "$direction")
    echo "$((after - before)) packets"
    below "$most" $((after - before))
}

# sums_hold NAME: nobody in the namespace has seen a wrong checksum.
sums_hold() {
    local wrong
    wrong=$(in_ns "$1" nstat -asz TcpInCsumErrors UdpInCsumErrors IcmpInCsumErrors Udp6InCsumErrors Icmp6InCsumErrors |
        awk '!/^#/ && $2 != 0')
    equals "" "$wrong"
}

# --- whole, both ways, in both families ---------------------------------------------------------------------------

for mtu in 1500 9000; do
    ns_add "mtu$mtu"
    server "mtu$mtu" "server$mtu" --mtu $mtu --echo 7
    # A third of what single packets would be, at the least; with 1500 bytes a seventh.
    most=$((LARGE / (mtu == 1500 ? 10000 : 27000)))
    check "MTU $mtu: the log says which device it is" matches 'lw0: offload device' "$(cat "$(errors "server$mtu")")"
    check "MTU $mtu: a download over IPv4 crosses whole" whole $most rx download "mtu$mtu" "http://$V4"
    check "MTU $mtu: a download over IPv6 crosses whole" whole $most rx download "mtu$mtu" "http://[$V6]"
    check "MTU $mtu: an upload over IPv4 crosses whole" whole $most tx upload "mtu$mtu" "http://$V4"
    check "MTU $mtu: an upload over IPv6 crosses whole" whole $most tx upload "mtu$mtu" "http://[$V6]"
    check "MTU $mtu: super-packets were sent" metric_above "mtu$mtu" device_sent_super_packets_total 1000
    check "MTU $mtu: super-packets came in" metric_above "mtu$mtu" device_received_super_packets_total 1000
    check "MTU $mtu: nothing was refused" metric_is "mtu$mtu" device_failed_packets_total 0
    check "MTU $mtu: nothing was unusable" metric_is "mtu$mtu" device_unusable_packets_total 0
    check "MTU $mtu: the stack found no wrong checksum" metric_is "mtu$mtu" tcp_bad_checksum_total 0
    check "MTU $mtu: nor did the kernel" sums_hold "mtu$mtu"
done

# --- small things -------------------------------------------------------------------------------------------------

requests_on() { # COUNT URL OPTION…: as many answers, each whole
    local count=$1 url=$2 list
    list=$(scratch list)
    shift 2
    for ((i = 0; i < count; i++)); do echo "url = $url/bytes/777"; done >"$list"
    equals "$((count * 777))" "$(curl_in mtu1500 -K "$list" "$@" | wc -c)"
}
ping_in() { # ADDRESS SIZE: five of five, and no word of a bad checksum
    local output
    output=$(in_ns mtu1500 ping -n -c 5 -i 0.2 -s "$2" "$1") || { echo "$output"; return 1; }
    matches '5 received' "$output" && ! grep -i checksum <<<"$output"
}
udp_echo() { equals hello "$(echo -n hello | in_ns mtu1500 timeout 5 nc -u -w 1 "$1" 7)"; }

check "a long connection carries small requests" requests_on 300 "http://$V4"
check "and over IPv6" requests_on 300 "http://[$V6]"
check "short connections, too" requests_on 100 "http://$V4" --http1.0
for size in 0 1 56 1400; do
    check "ping of $size bytes over IPv4" ping_in "$V4" $size
    check "ping of $size bytes over IPv6" ping_in "$V6" $size
done
check "UDP over IPv4" udp_echo "$V4"
check "UDP over IPv6" udp_echo "$V6"
check "the kernel found no wrong checksum in all that" sums_hold mtu1500

# --- a road that cuts and loses -----------------------------------------------------------------------------------

# The kernel forwards between the interface and a plain one. It cuts what comes as one there, and each packet can be
# lost alone; what comes back has been on a wire, and has a checksum that the stack verifies.
ns_add road
ns_add far
in_ns road sysctl -qw net.ipv4.ip_forward=1
server road near
background link "$LONGWIRE" link --a "$(ns road)/wire0" --b "$(ns far)/wire0" --loss 1% --reorder 1% --delay 2ms --seed 5
wait_for_line link 'link between' "$BACKGROUND_PID" || die "longwire link is not ready"
ip -n "$(ns road)" address add 10.8.0.1/24 dev wire0
ip -n "$(ns far)" address add 10.8.0.2/24 dev wire0
ip -n "$(ns far)" route add default via 10.8.0.1

LARGE=10000000
head -c $LARGE "$(scratch large)" >"$(scratch less)" && mv "$(scratch less)" "$(scratch large)"
LARGE_SUM=$(sha256sum "$(scratch large)" | cut -d' ' -f1)
check "a download over a lossy road" download far "http://$V4"
check "an upload over a lossy road" upload far "http://$V4"
check "super-packets went into it" metric_above road device_sent_super_packets_total 100
check "and packets were lost" metric_above road tcp_retransmissions_total 10
check "the stack found no wrong checksum" metric_is road tcp_bad_checksum_total 0
check "the far end neither: what the kernel made of them is right" sums_hold far

# --- without it ---------------------------------------------------------------------------------------------------

ns_add plain
server plain off --offload off
check "off: the log says which device it is" matches 'lw0: plain device .*--offload off' "$(cat "$(errors off)")"
check "off: a download" download plain "http://$V4"
check "off: an upload" upload plain "http://$V4"
check "off: packets of the MTU cross" test "$(packets plain rx)" -gt $((LARGE / 1500))
stop_pid "$SERVER_PID"

server plain captured --pcap /dev/null
check "a capture is of single packets" matches 'lw0: plain device .*--pcap' "$(cat "$(errors captured)")"
stop_pid "$SERVER_PID"
contradiction() {
    in_ns plain timeout 10 "$LONGWIRE" serve --offload on "$@" >"$(scratch out)" 2>"$(scratch err)"
    equals 1 $? && one_line "^longwire: --offload on: .*choose" "$(scratch err)"
}
check "on, and a capture" contradiction --pcap /dev/null
check "on, and faults" contradiction --impair loss=1%

# A persistent interface is left by one and taken by the next, which may want it otherwise.
ip -n "$(ns plain)" tuntap add dev lw7 mode tun
for offload in on off auto; do
    server plain "again-$offload" --tun lw7 --offload $offload
    url=http://10.9.7.2
    check "a persistent interface, $offload: down" download plain $url
    check "a persistent interface, $offload: up" upload plain $url
    stop_pid "$SERVER_PID"
done
check "and nobody found a wrong checksum" sums_hold plain

# A program that knows nothing of offloads gets whole sums from it: 0x45, and a UDP checksum that holds.
unaware() {
    in_ns plain timeout 10 python3 - "$1" <<'PYTHON'
import fcntl, select, socket, struct, sys
tun = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", sys.argv[1].encode(), 0x1001))  # TUNSETIFF: IFF_TUN | IFF_NO_PI
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
packet = bytes(20)
while packet[0] != 0x45 or packet[9] != 17:
    udp.sendto(b"abcd", ("10.9.7.99", 9))  # again and again: the interface takes a moment to have its carrier back
    if select.select([tun], [], [], 0.1)[0]:
        packet = tun.read(2000)
pseudo = packet[12:20] + bytes([0, 17]) + packet[24:26]
words = pseudo + packet[20:]
total = sum(struct.unpack("!%dH" % (len(words) // 2), words))
total = (total & 0xFFFF) + (total >> 16)
total = (total & 0xFFFF) + (total >> 16)
sys.exit(0 if total == 0xFFFF else "checksum %#x" % total)
PYTHON
}
check "who opens it next need not know of any of it" unaware lw7

summary
