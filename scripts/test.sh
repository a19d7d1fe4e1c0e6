#!/usr/bin/env bash
# Everything that is checked, in one command:
#
#     sudo ./scripts/test.sh
#
# Format, lints, all tests, the core without any operating system, the documentation, and then the integration
# scripts with real programs in network namespaces, for which root and /dev/net/tun are needed. Where these are
# missing that is a failure, not a skipped test. The last line is the count over all of it; the exit status is 0 only
# if nothing failed. With sudo, cargo runs as the calling user, so that target/ stays theirs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. scripts/prerequisites.sh

INTEGRATION_TIMEOUT=600 # seconds for one script
PASSED=0
FAILED=0
FAILURES=()
NOT_RUN=0 # packetdrill scripts, for want of packetdrill
LOG=$(mktemp) || exit 1
trap 'rm -f "$LOG"' EXIT

heading() { printf '\n=== %s\n' "$*"; }

# record PASSED FAILED NAME: adds to the totals, and remembers the name where something failed.
record() {
    PASSED=$((PASSED + $1))
    FAILED=$((FAILED + $2))
    if (($2 > 0)); then FAILURES+=("$3"); fi
    say "--- $3: $1 passed, $2 failed"
}

# step NAME COMMAND…: something that passes or fails as a whole.
step() {
    local name=$1
    shift
    heading "$name"
    if as_caller "$@" </dev/null; then record 1 0 "$name"; else record 0 1 "$name"; fi
}

# cargo_test NAME ARGUMENT…: counts the tests that cargo's own result lines name. A run that fails without a failed
# test (it does not compile, a test aborts the process) is one failure.
cargo_test() {
    local name=$1 status passed failed
    shift
    heading "$name"
    as_caller cargo test --no-fail-fast "$@" </dev/null 2>&1 | tee "$LOG"
    status=$?
    read -r passed failed < <(awk '/^test result:/ { p += $4; f += $6 } END { print p + 0, f + 0 }' "$LOG")
    if ((status != 0 && failed == 0)); then failed=1; fi
    record "$passed" "$failed" "$name"
}

# integration SCRIPT: counts what the script's last line says. One that ends with an error and no failed check, or
# that says nothing, is one failure.
integration() {
    local script=$1 status passed failed
    heading "$script"
    LONGWIRE=$PWD/target/release/longwire timeout --kill-after=30 "$INTEGRATION_TIMEOUT" bash "$script" \
        </dev/null 2>&1 | tee "$LOG"
    status=$?
    read -r passed failed < <(sed -nE '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$LOG")
    passed=${passed:-0} failed=${failed:-0}
    if ((failed == 0 && (status != 0 || passed == 0))); then
        say "$script ended with status $status and no count of failures"
        failed=1
    fi
    record "$passed" "$failed" "$script"
}

# Everything that needs root. Fails loudly where there is none.
integration_tests() {
    local scripts=(tests/integration/*.sh) script missing=()
    heading "integration"
    is_root || missing+=("root: start this with sudo")
    have_tun || missing+=("/dev/net/tun: load the module with 'modprobe tun', or give the container --device /dev/net/tun")
    [ -x target/release/longwire ] || missing+=("target/release/longwire: the release build failed")
    [ -e "${scripts[0]}" ] || missing+=("tests/integration/*.sh")
    if ((${#missing[@]} > 0)); then
        complain "!!! THE INTEGRATION TESTS DID NOT RUN. Missing:"
        printf '!!!   %s\n' "${missing[@]}" >&2
        record 0 1 "integration"
        return
    fi
    for script in "${scripts[@]}"; do integration "$script"; done
}

# packetdrill's scripts against the core in virtual time. The tool is in no distribution: without it the scripts are not
# run, which is said here and again in the summary.
packetdrill_scripts() {
    local manifest=(--manifest-path tests/packetdrill/Cargo.toml) passed failed
    step "format, packetdrill library" cargo fmt "${manifest[@]}" --check
    step "lints, packetdrill library" cargo clippy "${manifest[@]}" --all-targets -- -D warnings
    cargo_test "tests, packetdrill library" "${manifest[@]}"
    heading "tests/packetdrill/run.sh"
    as_root env PACKETDRILL="${PACKETDRILL:-}" bash tests/packetdrill/run.sh </dev/null 2>&1 | tee "$LOG"
    read -r passed failed NOT_RUN < <(
        sed -nE '$s/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) not run)?$/\1 \2 \4/p' "$LOG"
    )
    NOT_RUN=${NOT_RUN:-0}
    # No last line with counts: the library was not built, or the runner itself broke.
    record "${passed:-0}" "${failed:-1}" "packetdrill scripts"
}

# axum, hyper and the like on the asynchronous sockets. A crate of its own, since nobody else needs what they need; in the
# same target directory, since they need what we need.
async_examples() {
    local manifest=(--manifest-path examples/async/Cargo.toml)
    step "format, asynchronous examples" cargo fmt "${manifest[@]}" --check
    step "lints, asynchronous examples" cargo clippy "${manifest[@]}" --target-dir target -- -D warnings
    step "asynchronous examples" cargo build "${manifest[@]}" --target-dir target
}

# What the benchmarks measure with and beside: it still builds.
benchmark_peers() {
    local manifest=(--manifest-path benches/peers/Cargo.toml)
    step "format, benchmark peers" cargo fmt --all "${manifest[@]}" --check
    step "lints, benchmark peers" cargo clippy --workspace "${manifest[@]}" --all-targets -- -D warnings
    cargo_test "tests, benchmark peers" --workspace "${manifest[@]}"
}

# The fuzz targets, each for a moment: they still build, and what was found once is not found again.
fuzz_targets() {
    local manifest=(--manifest-path fuzz/Cargo.toml)
    step "format, fuzz targets" cargo fmt "${manifest[@]}" --check
    step "lints, fuzz targets" cargo clippy "${manifest[@]}" -- -D warnings
    step "fuzz targets" scripts/fuzz.sh 5
}

# The programs that the integration scripts call, and the C compiler and linker that building needs.
install_tools() {
    need cc build-essential g++ g++ ip iproute2 ping iputils-ping curl curl tshark tshark dumpcap wireshark-common \
        python3 python3 openssl openssl sysctl procps modprobe kmod || return
    # Two different programs are called nc; only this one has -N and speaks IPv6.
    nc -h 2>&1 | grep -q OpenBSD || apt_get netcat-openbsd
}

main() {
    find_cargo || exit 1
    install_tools || complain "some programs could not be installed; what needs them will fail below"
    as_caller sh -c 'cargo fmt --version && cargo clippy --version' >/dev/null 2>&1 ||
        as_caller rustup component add rustfmt clippy || true

    step "format" cargo fmt --check
    step "lints" cargo clippy --all-targets --all-features -- -D warnings
    cargo_test "tests, all features" --all-features
    cargo_test "tests, core alone" --no-default-features
    step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features
    packetdrill_scripts
    async_examples
    benchmark_peers
    fuzz_targets
    step "release build" cargo build --release --bins --examples
    integration_tests

    heading "summary"
    if ((FAILED > 0)); then printf 'failed: %s\n' "${FAILURES[@]}"; fi
    if ((NOT_RUN > 0)); then say "packetdrill is not installed: $NOT_RUN scripts not run"; fi
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
    ((FAILED == 0))
}

main
