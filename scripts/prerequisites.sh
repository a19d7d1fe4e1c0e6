# shellcheck shell=bash
# What run.sh and test.sh share: who we are, and getting what is missing. To be sourced from the package's root.

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

have() { command -v "$1" >/dev/null 2>&1; }

is_root() { [ "$(id -u)" = 0 ]; }

# as_root COMMAND…
as_root() {
    if is_root; then "$@"; else sudo "$@"; fi
}

# The user who typed the command: cargo runs as this one, so that target/ never belongs to root because of sudo.
calling_user() {
    if is_root; then printf '%s' "${SUDO_USER:-root}"; else id -un; fi
}

# as_caller COMMAND…: with that user's own PATH to cargo, which sudo has replaced.
as_caller() {
    local user home
    user=$(calling_user)
    if ! is_root || [ "$user" = root ]; then
        "$@"
        return
    fi
    home=$(getent passwd "$user" | cut -d: -f6)
    sudo -u "$user" -H env "PATH=$home/.cargo/bin:$PATH" "$@"
}

# The directory with rustup's programs is not on root's PATH in a shell that read no profile.
find_cargo() {
    if ! as_caller sh -c 'command -v cargo' >/dev/null 2>&1; then PATH=$HOME/.cargo/bin:$PATH; fi
    as_caller sh -c 'command -v cargo' >/dev/null 2>&1 && return
    complain "Rust is missing. Install it as $(calling_user) from https://rustup.rs, then start this again."
    return 1
}

# apt_get PACKAGE…: quietly, without questions; one who is not root is asked for the sudo password by sudo itself.
apt_get() {
    if ! have apt-get; then
        complain "missing: $*. There is no apt-get here; install them with this system's own package manager."
        return 1
    fi
    if ! is_root && ! have sudo; then
        complain "missing: $*. Install them as root: apt-get install $*"
        return 1
    fi
    say "installing: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null >/dev/null || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
}

# need PROGRAM PACKAGE…: pairs; installs the packages whose programs are missing, in one go.
need() {
    local missing=()
    while [ $# -gt 1 ]; do
        have "$1" || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} = 0 ] || apt_get "${missing[@]}"
}

# have_tun: whether /dev/net/tun can be opened, after trying the module and the device node.
have_tun() {
    if [ ! -e /dev/net/tun ]; then
        as_root modprobe tun 2>/dev/null || true
        if [ ! -e /dev/net/tun ] && grep -qw tun /proc/misc 2>/dev/null; then
            as_root mkdir -p /dev/net && as_root mknod /dev/net/tun c 10 200
        fi
    fi
    # An open that the kernel has no driver for fails with ENODEV, or ENXIO; the node alone says nothing.
    as_root sh -c ': <>/dev/net/tun' 2>/dev/null
}
