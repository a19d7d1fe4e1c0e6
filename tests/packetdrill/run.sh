#!/usr/bin/env bash
# Plays packetdrill scripts against longwire in virtual time:
#
#     sudo tests/packetdrill/run.sh [--verbose] [DIRECTORY|SCRIPT.pkt]…
#
# Without arguments our own scripts in tests/packetdrill/scripts. Given google/packetdrill's gtests/net/tcp, those.
# packetdrill itself is taken from $PACKETDRILL or from PATH; it is not part of this repository, and when there is none
# that is said and counted. It locks its memory, for which it wants to be root.
#
# Scripts written for the Linux kernel begin with shell commands that set sysctls. None of them is executed: what
# matters of them goes to the library as flags.
#
# A line for each script (PASS, FAIL with the tool's words, or NOT RUN); the last line is the count.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) || exit 1
. "$here/../../scripts/prerequisites.sh"

SCRIPT_TIMEOUT=20 # seconds of real time for one script
VERBOSE=0
PASSED=0
FAILED=0

# scripts_in PATH…: every script in these directories, sorted, and every one named.
scripts_in() {
    local path
    for path in "$@"; do
        if [ -d "$path" ]; then find "$path" -name '*.pkt' | sort; else printf '%s\n' "$path"; fi
    done
}

# without_shell SCRIPT: the script, its shell commands replaced by one that does nothing. Lines keep their numbers.
without_shell() {
    awk '{
        rest = $0; line = ""
        while ((at = index(rest, "`")) > 0) {
            line = line (inside ? "" : substr(rest, 1, at - 1) "`true") (inside ? "`" : "")
            inside = !inside
            rest = substr(rest, at + 1)
        }
        print line (inside ? "" : rest)
    }' "$1"
}

# option SCRIPT NAME DEFAULT: what the script itself sets with --NAME=.
option() {
    local value
    value=$(sed -nE "s/^ *--$2=([^ ]+).*/\1/p" "$1" | tail -1)
    printf '%s' "${value:-$3}"
}

# flags SCRIPT: --so_flags for it.
flags() {
    local flags ip4 sysctl value
    ip4=$(option "$1" local_ip 192.168.0.1)
    flags="local=$ip4,mtu=$(option "$1" mtu 1500)"
    while IFS='=' read -r sysctl value; do
        case $sysctl in
        tcp_timestamps) flags+=",timestamps=$value" ;;
        tcp_ecn) flags+=",ecn=$value" ;;
        tcp_congestion_control) flags+=",congestion=$value" ;;
        tcp_syn_retries) flags+=",syn_retries=$value" ;;
        tcp_synack_retries) flags+=",syn_ack_retries=$value" ;;
        tcp_fin_timeout) flags+=",fin_timeout=$value" ;;
        tcp_min_tso_segs) flags+=",min_burst=$value" ;;
        tcp_notsent_lowat) flags+=",notsent_lowat=$value" ;;
        tcp_wmem) flags+=",send_buffer=$value" ;;
        initcwnd) flags+=",initial_window=$value" ;;
        esac
    done < <(grep -v '^ *//' "$1" | sed -E 's/(tcp_wmem=)"[0-9]+ ([0-9]+) [0-9]+"/\1\2/' |
        grep -oE '(tcp_[a-z_]+)=[^ "`\\]+|initcwnd [0-9]+' | tr ' ' '=')
    printf '%s' "$flags"
}

# play SCRIPT: runs it; the tool's words go to standard output.
play() {
    local copy=$WORK/${1##*/}
    without_shell "$1" >"$copy"
    LD_PRELOAD=$LIBRARY timeout --kill-after=2 "$SCRIPT_TIMEOUT" "$PACKETDRILL" \
        --so_filename="$LIBRARY" --so_flags="$(flags "$1")" \
        --local_ip="$(option "$1" local_ip 192.168.0.1)" --remote_ip="$(option "$1" remote_ip 192.0.2.1)" \
        "$copy" 2>&1 </dev/null | sed "s#$WORK/##g"
}

judge() {
    local words status
    words=$(play "$1")
    status=$?
    if ((status == 0)); then
        PASSED=$((PASSED + 1))
        printf 'PASS     %s\n' "$1"
        return
    fi
    FAILED=$((FAILED + 1))
    ((status < 124)) || words+=" (ended with status $status)"
    printf 'FAIL     %s\n' "$1"
    if ((VERBOSE)); then printf '%s\n' "$words"; else printf '%s\n' "$words" | head -1 | sed 's/^/         /'; fi
}

main() {
    local script scripts=()
    if [ "${1:-}" = --verbose ]; then VERBOSE=1 && shift; fi
    mapfile -t scripts < <(scripts_in "${@:-$here/scripts}")
    if ((${#scripts[@]} == 0)); then complain "no scripts in $*" && exit 1; fi
    PACKETDRILL=${PACKETDRILL:-$(command -v packetdrill)}
    if [ ! -x "${PACKETDRILL:-}" ]; then
        printf 'NOT RUN  %s\n' "${scripts[@]}"
        say "packetdrill is not installed (neither in PATH nor in \$PACKETDRILL): ${#scripts[@]} scripts not run"
        say "0 passed, 0 failed, ${#scripts[@]} not run"
        exit 0
    fi
    find_cargo || exit 1
    as_caller cargo build --quiet --manifest-path "$here/Cargo.toml" || exit 1
    LIBRARY=${CARGO_TARGET_DIR:-$here/target}/debug/liblongwire_packetdrill.so
    WORK=$(mktemp -d) || exit 1
    trap 'rm -rf "$WORK"' EXIT
    for script in "${scripts[@]}"; do judge "$script"; done
    say "$PASSED passed, $FAILED failed"
    ((FAILED == 0))
}

main "$@"
