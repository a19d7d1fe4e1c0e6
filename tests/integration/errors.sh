#!/usr/bin/env bash
# Every way to be told no: the exit status, and one line that says what failed, why, and what to do.
set -u
. "$(dirname "$0")/support/longwire.sh"

ns_add one
ns_add two
chmod 711 "$NS_DIR"

# says STATUS PATTERN COMMAND…: in a namespace where no server runs; nothing but that line on standard error.
says() {
    local status=$1 pattern=$2
    shift 2
    in_ns "${WHERE:-one}" timeout 15 "$@" >"$(scratch out)" 2>"$(scratch err)" </dev/null
    equals "$status" $? || { cat "$(scratch err)"; return 1; }
    one_line "^longwire: $pattern" "$(scratch err)"
}
# fails NAME PATTERN ARGUMENT…: longwire with these arguments ends with 1 and the line.
fails() {
    local name=$1 pattern=$2
    shift 2
    check "$name" says 1 "$pattern" "$LONGWIRE" "$@"
}
# misused NAME PATTERN ARGUMENT…: wrong usage: 2, and words that name what is wrong.
misused() {
    local name=$1 pattern=$2
    shift 2
    check "$name" misuse "$pattern" "$@"
}
misuse() {
    local pattern=$1
    shift
    in_ns one timeout 15 "$LONGWIRE" "$@" >"$(scratch out)" 2>"$(scratch err)" </dev/null
    equals 2 $? && matches "$pattern" "$(cat "$(scratch err)")"
}

# --- rights, driver, interface ------------------------------------------------------------------------------------

install -m 755 "$LONGWIRE" "$(scratch longwire)"
NOBODY=(setpriv --reuid nobody --regid nogroup --clear-groups)
# with_dev_net SCRIPT COMMAND…: runs the command with a /dev/net of its own, which the script fills.
with_dev_net() {
    local script=$1
    shift
    # shellcheck disable=SC2016 # expanded by the inner shell
    WITH_DEV_NET=(unshare -m sh -c "mount -t tmpfs none /dev/net && $script"' && exec "$@"' sh "$@")
}
DENIED='/dev/net/tun: permission denied: run with sudo, or once: sudo ip tuntap add dev lw0 mode tun'
check "without rights to the device" says 1 "$DENIED" "${NOBODY[@]}" "$(scratch longwire)" serve
with_dev_net 'mknod -m 666 /dev/net/tun c 10 200' "${NOBODY[@]}" "$(scratch longwire)" serve
check "without rights to make an interface" says 1 "$DENIED" "${WITH_DEV_NET[@]}"
with_dev_net true "$LONGWIRE" serve
check "no /dev/net/tun" says 1 '/dev/net/tun: not found: .*modprobe tun' "${WITH_DEV_NET[@]}"
with_dev_net 'mknod /dev/net/tun c 10 99' "$LONGWIRE" serve
check "no driver behind it" says 1 '/dev/net/tun: the kernel has no TUN driver: .*modprobe tun' "${WITH_DEV_NET[@]}"

server two running --tun lw0
WHERE=two fails "the interface is in use" 'lw0: in use by another process: .*--tun' serve --tun lw0
WHERE=two fails "so it is for a client" 'lw0: in use by another process: .*--tun' ping --tun lw0 10.9.0.1
WHERE=two fails "a prefix is routed elsewhere" '10\.9\.0\.0/24: already routed elsewhere: .*another prefix' serve \
    --tun lw5 --route 10.9.0.0/24
ip -n "$(ns one)" link add lw3 type veth peer name lw4
fails "an interface of another kind" 'lw3: exists, but is no TUN interface' serve --tun lw3
misused "a name that is none" 'no name for an interface' serve --tun 'a name'
fails "no such namespace" 'network namespace nowhere: not found: .*ip netns add nowhere' link --a nowhere/tun0 --b tun1

# --- addresses ----------------------------------------------------------------------------------------------------

fails "an address outside the prefix" '192\.168\.3\.2: outside every prefix .*10\.9\.0\.1/24.*--host' serve \
    --address 192.168.3.2/24
fails "one address for both" '10\.9\.0\.1: given twice: .*--host.*--address' serve --address 10.9.0.1/24
fails "a name without addresses" 'wire0: only interfaces called lwN have .*--address' serve --tun wire0
fails "an MTU too small for IPv6" 'MTU 600: IPv6 needs at least 1280: ' serve --mtu 600
misused "an MTU too small for all" '575 is not in 576' serve --mtu 575
misused "an address without a prefix" 'prefix' serve --address 10.9.0.2
misused "a prefix that is none" '0 to 32' serve --host 10.9.0.1/33
fails "no such user" "user 'no-such-user': unknown: .*--user" serve --user no-such-user

# --- files and ports ----------------------------------------------------------------------------------------------

fails "a directory that is not there" "$(scratch nowhere): .*[Nn]o such" serve "$(scratch nowhere)"
fails "a directory that is none" "$(scratch longwire): .*not a directory" serve "$(scratch longwire)"
fails "a capture where there is no directory" "$(scratch nowhere)/x: the capture cannot be written: .*--pcap" \
    serve --pcap "$(scratch nowhere)/x"
fails "a full disk for the capture" '/dev/full: the capture cannot be written: .*[Nn]o space.*: make room' serve --pcap /dev/full
fails "two services at one port" '.*80.*(in use|taken|already).*' serve --port 80 --echo 80
misused "port 0" '0' serve --port 0
misused "a port that is none" 'invalid value' serve --port 65536

# --- clients ------------------------------------------------------------------------------------------------------

check "a bad URL" says 3 "'http://h:99999/': bad URL: .*write http://HOST" "$LONGWIRE" get http://h:99999/
fails "https" "'https://10.9.0.1/': https is not supported: .*http://" get https://10.9.0.1/
check "an unknown name" says 6 '.*no-such-host.invalid.*name not found' "$LONGWIRE" get http://no-such-host.invalid/
fails "an unknown name, for ping" 'no-such-host.invalid: name not found: .*check the spelling' ping -c 1 no-such-host.invalid
fails "a family that the stack lacks" 'fd09::1: the stack has no IPv6 address: .*--address' ping -c 1 \
    --host 10.1.0.1/24 --address 10.1.0.2/24 fd09::1
check "a file that cannot be written" says 23 "$(scratch nowhere)/x: cannot be written: .*-o" \
    "$LONGWIRE" get -o "$(scratch nowhere)/x" http://10.9.0.1/
WHERE=two fails "a time-out names the switch that is off" '10\.9\.0\.2:80: .*sysctl -w net.ipv4.ip_forward=1' \
    nc --tun lw6 --connect-timeout 1s 10.9.0.2 80
fails "a link with one end" '.*a link needs two interfaces: .*--b' link --a tun0 --b tun0

# --- wrong usage --------------------------------------------------------------------------------------------------

misused "no subcommand" 'Usage'
misused "an unknown subcommand" 'frobnicate' frobnicate
misused "an unknown option" '--frobnicate' serve --frobnicate
misused "a duration without a unit" 'not a duration' serve --idle-timeout 5
misused "nc without a port" 'HOST and PORT' nc 10.9.0.1
misused "nc -l with a host" '-l takes a PORT' nc -l 10.9.0.1 7000
misused "faults that are none" 'not a percentage' link --a a --b b --loss 2
helps() {
    local command
    for command in serve get nc ping link; do
        in_ns one "$LONGWIRE" "$command" --help >"$(scratch out)" || return
        matches "longwire $command" "$(cat "$(scratch out)")" && matches '[Ee]xample' "$(cat "$(scratch out)")" || return
    done
    in_ns one "$LONGWIRE" help >"$(scratch out)" && in_ns one "$LONGWIRE" --version >"$(scratch out)"
}
check "help is no error, and has an example" helps

nothing_left() { equals "lo lw3 lw4" "$(ip -n "$(ns one)" -o link show | sed -E 's/^[0-9]+: ([^:@]+).*/\1/' | sort | xargs)"; }
check "no failure leaves an interface" nothing_left

summary
