//! The binary as it is called, as far as that takes no rights.

#![cfg(feature = "cli")]

use std::process::{Command, Output};

fn longwire(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwire"));
    command.args(arguments).env_remove("SUDO_USER").env_remove("LONGWIRE_LOG");
    command.output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Status, and what is on standard error, which has to be one line.
#[track_caller]
fn failure(arguments: &[&str]) -> (i32, String) {
    let output = longwire(arguments);
    let errors = text(&output.stderr);
    assert_eq!(errors.lines().count(), 1, "{arguments:?}: {errors}");
    assert!(errors.starts_with("longwire: "), "{arguments:?}: {errors}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    (output.status.code().expect("no signal"), errors)
}

#[test]
fn help_and_version_come_on_standard_output() {
    let version = longwire(&["--version"]);
    assert_eq!(text(&version.stdout), concat!("longwire ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(version.status.success());
    for arguments in [&["help"][..], &["--help"]] {
        let help = longwire(arguments);
        let shown = text(&help.stdout);
        assert!(help.status.success() && shown.contains("Examples:"), "{shown}");
        for subcommand in ["serve", "get", "nc", "ping", "ss", "top", "metrics", "link", "ladder", "bench"] {
            assert!(shown.contains(&format!("\n  {subcommand}")), "{subcommand} is missing in {shown}");
        }
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &[][..],
        &["fly"],
        &["get"],
        &["get", "--colour", "http://h/"],
        &["get", "-n", "0", "http://h/"],
        &["get", "--offload", "perhaps", "http://h/"],
        &["get", "--mtu", "100", "http://h/"],
        &["get", "--verbose", "--quiet", "http://h/"],
        &["nc", "10.9.0.1"],
        &["nc", "-l", "10.9.0.1", "7000"],
        &["nc", "10.9.0.1", "70000"],
        &["ping", "-c", "0", "10.9.0.1"],
        &["bench"],
        &["bench", "everything"],
        &["bench", "connections"],
        &["bench", "connections", "http://h/", "--concurrency", "0"],
        &["bench", "connections", "http://h/", "--server-pid", "me"],
        &["bench", "connections", "http://127.0.0.1/", "--label", "a", "--label", "b"],
        &["ladder"],
        &["ladder", "x.pcapng", "--connection", "0"],
        &["ladder", "x.pcapng", "--filter", "somewhere"],
        &["ladder", "x.pcapng", "--name", "longwire"],
        &["ladder", "x.pcapng", "--list", "-o", "x.svg"],
        &["get", "--memory", "1MiB", "http://h/"],
        &["ss", "--state", "open"],
        &["ss", "--tcp", "--udp"],
        &["ss", "--tun", "lw0", "--control", "/x.sock"],
        &["top", "--interval", "0s"],
        &["metrics", "everything"],
        &["link", "--a", "t0"],
        &["link", "--a", "t0", "--b", "t1", "--loss", "2"],
    ] {
        let output = longwire(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn wrong_usage_shows_the_usage_of_the_subcommand() {
    let shown = text(&longwire(&["nc", "10.9.0.1", "70000"]).stderr);
    assert!(
        shown.contains("PORT is a number from 1 to 65535") && shown.contains("longwire nc [OPTIONS] -l PORT"),
        "{shown}"
    );
}

#[test]
fn what_can_be_known_beforehand_fails_before_anything_is_opened() {
    for (arguments, status, words) in [
        (&["get", "https://10.9.0.1/"][..], 1, "https is not supported"),
        (&["get", "http://"], 3, "bad URL"),
        (&["get", "http://h:70000/"], 3, "bad URL"),
        (
            &["ping", "10.9.0.1", "--offload", "on", "--impair", "loss=1%"],
            1,
            "--offload on: --impair is about packets as the wire has them",
        ),
        (&["ping", "10.9.0.1", "--user", "no-such-user"], 1, "user 'no-such-user': unknown"),
        (&["ping", "10.9.0.1", "--mtu", "1279"], 1, "IPv6 needs at least 1280"),
        (
            &["ping", "10.9.0.1", "--tun", "lw250", "--address", "10.8.0.2/24"],
            1,
            "10.8.0.2: outside every prefix of the interface",
        ),
        (&["ping", "10.9.0.1", "--tun", "lw250", "--address", "10.9.250.1/24"], 1, "10.9.250.1: given twice"),
        (&["ping", "10.9.0.1", "--tun", "other"], 1, "give --address and --host"),
        (&["bench", "connections", "https://10.9.0.1/"], 1, "https is not supported"),
        (&["bench", "connections", "http://10.9.0.1/", "--server-pid", "4294967295"], 1, "no such process"),
        (
            &["bench", "connections", "http://10.9.0.1/", "-o", "/no/such/directory/x.html"],
            1,
            "cannot be written",
        ),
        (&["ladder", "no-such-file.pcapng"], 1, "no-such-file.pcapng: cannot be read"),
        (&["ladder", "Cargo.toml"], 1, "Cargo.toml: neither a pcapng nor a pcap file"),
        (&["link", "--a", "t0", "--b", "t0"], 1, "a link needs two interfaces"),
        (&["ss", "--control", "/no/such.sock"], 1, "/no/such.sock: no longwire answers there: start one"),
        (&["top", "--control", "/no/such.sock"], 1, "no longwire answers there"),
        (&["metrics", "--control", "/no/such.sock"], 1, "no longwire answers there"),
    ] {
        let (actual, line) = failure(arguments);
        assert_eq!(actual, status, "{arguments:?}: {line}");
        assert!(line.contains(words), "{arguments:?}: {line}");
    }
}
