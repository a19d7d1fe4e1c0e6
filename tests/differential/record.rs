//! What Linux did, in a file; and what differs, in a document.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;

use crate::differences;
use crate::scenario::Scenario;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

const RECORD: &str = "tests/differential/linux.txt";
const DOCUMENT: &str = "docs/differential.md";

/// Writes what Linux did.
pub(crate) fn write(scenarios: &[Scenario], linux: &[Vec<String>]) {
    let mut text = String::new();
    for (scenario, log) in scenarios.iter().zip(linux) {
        let _ = writeln!(text, "# {}\n{}\n", scenario.name, log.join("\n"));
    }
    std::fs::write(file(RECORD), text).expect("the record can be written");
}

fn read() -> HashMap<String, Vec<String>> {
    let text = std::fs::read_to_string(file(RECORD)).expect("linux.txt is there");
    let scenarios = text.split("# ").skip(1).map(|part| {
        let mut lines = part.trim_end().lines().map(str::to_owned);
        (lines.next().unwrap_or_default(), lines.collect())
    });
    scenarios.collect()
}

/// Compares with the record. What is different has to be listed, what is listed has to be different, and the document
/// has to say what there is.
pub(crate) fn compare(scenarios: &[Scenario], ours: &[Vec<String>], update: bool) -> Vec<String> {
    let linux = read();
    let mut failures = Vec::new();
    let mut different = Vec::new();
    for (scenario, ours) in scenarios.iter().zip(ours) {
        let Some(linux) = linux.get(&scenario.name) else {
            failures.push(format!("{}: not recorded", scenario.name));
            continue;
        };
        match (linux == ours, differences::reason(&scenario.name)) {
            (true, None) => {}
            (true, Some(_)) => failures.push(format!("{}: listed, and not different", scenario.name)),
            (false, None) => failures.push(side_by_side(&scenario.name, linux, ours)),
            (false, Some(reason)) => {
                different.push((scenario.name.as_str(), reason, side_by_side("", linux, ours)));
            }
        }
    }
    let document = document(scenarios.len(), &different);
    if update {
        std::fs::write(file(DOCUMENT), document).expect("the document can be written");
    } else if std::fs::read_to_string(file(DOCUMENT)).unwrap_or_default() != document {
        failures.push(format!("{DOCUMENT} says something else: LONGWIRE_DIFFERENTIAL=update writes it anew"));
    }
    failures
}

/// Both logs; what only one of them has is marked.
pub(crate) fn side_by_side(name: &str, linux: &[String], ours: &[String]) -> String {
    let mut text = if name.is_empty() { String::new() } else { format!("{name}\n") };
    let (mut linux, mut ours) = (linux, ours);
    while !linux.is_empty() || !ours.is_empty() {
        if let ([first, rest @ ..], [same, others @ ..]) = (linux, ours)
            && first == same
        {
            let _ = writeln!(text, "          {first}");
            (linux, ours) = (rest, others);
            continue;
        }
        let (theirs, mine) = until_alike(linux, ours);
        linux[..theirs].iter().for_each(|line| {
            let _ = writeln!(text, "  Linux   {line}");
        });
        ours[..mine].iter().for_each(|line| {
            let _ = writeln!(text, "  ours    {line}");
        });
        (linux, ours) = (&linux[theirs..], &ours[mine..]);
    }
    text
}

/// How many lines of each come before the next that both have.
fn until_alike(linux: &[String], ours: &[String]) -> (usize, usize) {
    let pairs = (0..linux.len()).flat_map(|theirs| (0..ours.len()).map(move |mine| (theirs, mine)));
    let alike = pairs.filter(|(theirs, mine)| linux[*theirs] == ours[*mine]);
    alike.min_by_key(|(theirs, mine)| theirs + mine).unwrap_or((linux.len(), ours.len()))
}

fn document(count: usize, different: &[(&str, &str, String)]) -> String {
    let mut text = format!(
        "# Beside Linux, segment by segment\n\n\
         The same events for our stack and for Linux 6.18: segments that a peer sends, calls that the application makes.\n\
         What a peer and an application can see is compared: flags, sequence numbers, lengths, options, SACK blocks, what\n\
         the calls answer. {count} scenarios (`tests/differential`); {} are different, and each difference is listed here.\n\
         `cargo test --test differential` compares with what Linux did when it was recorded, and\n\
         `tests/integration/differential.sh` with the kernel of the machine and with hundreds of random scenarios.\n\
         What a timer sends again is not compared. Written by the test (`LONGWIRE_DIFFERENTIAL=update`).\n\n\
         Of the random scenarios of the seeds 0 to 3,000 seven are different (the script runs 400 that are not): six times\n\
         Linux's header prediction takes the data in order of a segment whose acknowledgment is too old, where RFC 5961 5.2\n\
         drops the segment; once its SACK blocks stand in another order behind a duplicate.\n",
        different.len()
    );
    for (name, reason, lines) in different {
        let _ = write!(text, "\n## {name}\n\n{reason}\n\n```text\n{lines}```\n");
    }
    text
}
