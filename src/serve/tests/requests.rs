//! The table of malformed and ambiguous requests, `tests/requests.txt`, against the connection's machine with the
//! built-in routes. `tests/integration/requests.sh` sends the same bytes over a real interface, and to nginx.

use std::sync::Arc;
use std::task::{Context, Waker};

use super::*;
use crate::http::{Clock, Now, Router, ServerConfig, ServerConnection, Session, Transport};
use crate::serve::Stats;
use crate::serve::builtin::Builtins;

const TABLE: &str = include_str!("../../../tests/requests.txt");

/// Follows every request of the table: a server that answers it with 405 took it for a request of its own.
const NEXT: &[u8] = b"DELETE /healthz HTTP/1.1\r\nHost: h\r\n\r\n";

/// Pieces in which the input arrives; the last one is never cut.
const STEPS: [usize; 4] = [1, 7, 1000, usize::MAX];

#[test]
fn every_request_of_the_table_gets_what_it_is_due() {
    let (device, _other) = device::pair(1_500);
    let network = Network::builder(device).address("10.9.0.2/24".parse().unwrap()).start().unwrap();
    let builtins = Builtins::new("", network.shards(), &Arc::new(Stats::default()));
    let router = builtins.add_to(Router::new());
    let mut wrong = Vec::new();
    for row in rows() {
        for step in STEPS {
            let outcome = outcome(&router, &row.request, step);
            if outcome != row.ours {
                wrong.push(format!(
                    "{}: {}: {outcome} instead of {} ({step})",
                    row.section, row.name, row.ours
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_table_is_whole_and_the_document_lists_what_nginx_does_differently() {
    let rows = rows();
    assert!(rows.len() > 350, "{}", rows.len());
    let names: std::collections::HashSet<_> = rows.iter().map(|row| (row.section, row.name)).collect();
    assert_eq!(names.len(), rows.len(), "two rows of a section have the same name");
    let differing = rows.iter().filter_map(|row| {
        let Row { section, name, ours, nginx, why, .. } = row;
        assert_eq!(nginx.is_some(), why.is_some(), "{name}: a difference has a reason");
        assert_ne!(*nginx, Some(*ours), "{name}: no difference");
        let section = section.split(" (").next().expect("before the RFC");
        Some(format!("| {section} | {name} | {ours} | {} | {} |", (*nginx)?, (*why)?))
    });
    let document = include_str!("../../../docs/http-conformance.md");
    let listed = document.lines().skip_while(|line| !line.starts_with("| section |")).skip(2);
    let listed: Vec<_> = listed.take_while(|line| line.starts_with('|')).collect();
    let differing: Vec<_> = differing.collect();
    assert_eq!(listed, differing);
    let all = rows.len();
    for figure in [format!("all {all} as the table says"), format!("{} of {all} differ", differing.len())] {
        assert!(document.contains(&figure), "{figure}");
    }
}

/// A row of the table.
struct Row {
    section: &'static str,
    name: &'static str,
    request: Vec<u8>,
    /// What the server answers: the statuses, and then whether the [`NEXT`] request was answered, or the connection
    /// closed, or left open without either.
    ours: &'static str,
    /// What nginx answers, where that is something else, and why.
    nginx: Option<&'static str>,
    why: Option<&'static str>,
}

fn rows() -> Vec<Row> {
    let mut section = "";
    let mut rows = Vec::new();
    for block in TABLE.split("\n\n") {
        let mut row = Row { section, name: "", request: Vec::new(), ours: "", nginx: None, why: None };
        let mut request = String::new();
        for line in block.lines() {
            let (mark, text) = line.split_once(' ').unwrap_or((line, ""));
            match mark {
                "##" => section = text,
                "#" => row.name = text,
                ">" => request += text,
                "=" => row.ours = text,
                "~" => row.nginx = Some(text),
                "!" => row.why = Some(text),
                _ => assert!(row.name.is_empty(), "no line of a row: {line}"),
            }
        }
        if !row.name.is_empty() {
            row.request = expand(&request);
            assert!(!row.request.is_empty() && !row.ours.is_empty(), "{}", row.name);
            rows.push(row);
        }
    }
    rows
}

/// `\r`, `\n`, `\t`, `\0`, `\\`, `\xNN`, and `{N*text}` for the text N times.
fn expand(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => bytes.push(match rest.next().expect("something behind a backslash") {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                b'\\' => b'\\',
                b'x' => {
                    let mut digit = || char::from(rest.next().unwrap()).to_digit(16).expect("a hex digit");
                    (digit() * 16 + digit()) as u8
                }
                other => panic!("\\{} in {text}", char::from(other)),
            }),
            b'{' => {
                let inside: Vec<u8> = rest.by_ref().take_while(|byte| *byte != b'}').collect();
                let inside = String::from_utf8(inside).unwrap();
                let (count, piece) = inside.split_once('*').expect("{N*text}");
                bytes.extend(expand(piece).repeat(count.parse().expect("a number")));
            }
            byte => bytes.push(byte),
        }
    }
    bytes
}

/// What happens when a request and the [`NEXT`] one arrive in pieces of `step` bytes.
fn outcome(router: &Router, request: &[u8], step: usize) -> String {
    let now = Clock::default().now(Duration::ZERO, 784_111_777);
    let mut session = Session::new(ServerConnection::new(Arc::new(ServerConfig::default()), now));
    let (mut pending, mut answers) = (Vec::new(), Vec::new());
    let whole = [request, NEXT].concat();
    for piece in whole.chunks(step.min(whole.len())) {
        pending.extend_from_slice(piece);
        exchange(&mut session, router, now, &mut pending, &mut answers);
    }
    let answers = String::from_utf8_lossy(&answers);
    let mut words: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    match session.connection().transport() {
        Transport::Continue if words.last() == Some(&"405") => {
            words.pop();
            words.push("next");
        }
        Transport::Continue => {
            assert!(session.connection().deadline().is_some(), "what is open has a limit");
            words.push("open");
        }
        Transport::ShutdownWrite | Transport::Close => words.push("closed"),
        Transport::Abort => words.push("cut"),
    }
    words.join(" ")
}

/// Shows the session what is pending, and takes what it answers.
fn exchange(session: &mut Session, router: &Router, now: Now, pending: &mut Vec<u8>, answers: &mut Vec<u8>) {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let used = session.receive(now, router, &mut cx, pending);
        pending.drain(..used);
        let Some(piece) = session.connection_mut().take_output(now) else { return };
        answers.extend_from_slice(&piece);
        session.poll(now, &mut cx);
    }
}
