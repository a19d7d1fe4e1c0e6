#!/usr/bin/env bash
# Builds longwire and starts its server on a TUN interface:
#
#     sudo ./scripts/run.sh [options of `longwire serve`]
#
# Works as root, with sudo, and as an ordinary user who may use sudo. What is missing is installed where that is
# possible; cargo runs as the calling user, so that target/ stays theirs.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
. scripts/prerequisites.sh

find_cargo
# tun-tap has a few lines of C, and Rust links with the C compiler.
need cc build-essential ip iproute2 modprobe kmod

if ! is_root && ! have sudo; then
    complain "Making a TUN interface needs root, and there is no sudo here. Start this as root: su -c ./scripts/run.sh"
    exit 1
fi
if ! have_tun; then
    complain "/dev/net/tun cannot be opened. Load the module (modprobe tun); in a container, start it with"
    complain "--device /dev/net/tun --cap-add NET_ADMIN."
    exit 1
fi

as_caller cargo build --release
binary=$PWD/target/release/longwire
# A directory to serve is meant from where the command was typed.
cd "$here"
if is_root; then exec "$binary" serve "$@"; fi
exec sudo "$binary" serve "$@"
