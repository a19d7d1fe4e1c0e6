# shellcheck shell=bash
# Options of a script, and its usage from the comment at its head. To be sourced:
#
#     declare -A OPTIONS=([seconds]=SECONDS_EACH [output]=OUTPUT) SWITCHES=([realtime]=REALTIME)
#     . scripts/options.sh
#     options "$@"
#
# `--seconds 3` puts 3 into SECONDS_EACH; `--realtime` puts yes into REALTIME.

declare -A OPTIONS SWITCHES

options() {
    local word
    while [ $# -gt 0 ]; do
        case "$1" in
            --?*) word=${1#--} ;;
            *) usage ;;
        esac
        if [ -n "${SWITCHES[$word]:-}" ]; then
            printf -v "${SWITCHES[$word]}" yes
            shift
        elif [ -n "${OPTIONS[$word]:-}" ] && [ $# -gt 1 ]; then
            printf -v "${OPTIONS[$word]}" '%s' "$2"
            shift 2
        else
            usage
        fi
    done
}

# usage: from the command in the script's head to the next empty line.
usage() {
    sed -n '/^#     .*[.]\/scripts\//,/^#$/s/^#     /  /p' "$0" >&2
    exit 2
}
