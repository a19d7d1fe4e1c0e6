//! The picture: well-formed, and with everything that is to be seen in it.

use super::*;

/// Names of the elements, and all text, of a document that is well-formed; anything else panics.
pub(super) fn well_formed(xml: &str) -> (Vec<String>, String) {
    let mut rest = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("a declaration");
    let (mut open, mut names, mut text) = (Vec::new(), Vec::new(), String::new());
    while let Some((before, tag)) = rest.split_once('<') {
        assert_entities(before);
        text.push_str(before);
        let (tag, after) = tag.split_once('>').expect("tags end");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed in order");
            text.push('\n');
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name:?}");
        assert_eq!(attributes.matches('"').count() % 2, 0, "{attributes}");
        assert_eq!(attributes.matches("=\"").count(), attributes.matches('"').count() / 2, "{attributes}");
        assert_entities(attributes);
        names.push(name.to_owned());
        if !empty {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest:?}");
    assert!(xml.chars().all(|c| c >= ' ' || c == '\n'), "control characters");
    (names, text)
}

fn assert_entities(text: &str) {
    for (at, _) in text.match_indices('&') {
        let entity = text[at..].split_inclusive(';').next().unwrap();
        assert!(["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].contains(&entity), "{entity}");
    }
    assert!(!text.contains('>'), "{text}");
}

fn drawn(recording: &mut Recording) -> String {
    draw(&recording.analysis(), &Names::default(), None)
}

#[test]
fn everything_special_has_its_word() {
    let mut recording = Recording::new();
    recording.opened().client(ACK, 1, 1, 500, b"GET /a?b&c HTTP/1.1\r\n\r\n");
    recording.server(ACK, 1, 24, 0, b"").server(ACK, 1, 24, 512, b"HTTP/1.1 200 OK\r\n\r\n");
    recording.client(ACK, 24, 20, 500, b"xyz").client(ACK, 24, 20, 500, b"xyz").server(ACK, 20, 27, 512, b"");
    recording.after(Duration::from_secs(15)).server(ACK, 19, 27, 512, b"").client(ACK, 27, 20, 500, b"");
    recording.client(ACK | FIN, 27, 20, 500, b"").server(RST, 20, 0, 0, b"");
    let (elements, text) = well_formed(&drawn(&mut recording));
    for words in [
        "Connection 1: 10.9.0.1:41001 to 10.9.0.2:80",
        "GET /a?b&amp;c HTTP/1.1",
        "HTTP/1.1 200 OK",
        "SYN ACK \u{a0}seq 0 \u{a0}ack 1 \u{a0}win 65535 \u{a0}mss 1460",
        "ACK \u{a0}seq 1 \u{a0}ack 1 \u{a0}len 23 \u{a0}win 64000",
        "opens",
        "closes",
        "reset by the server",
        "zero window",
        "retransmission",
        "keep-alive",
        "still alive",
        "15.000 s of silence",
        "0.040 ms",
    ] {
        assert!(text.contains(words), "{words:?} is missing in {text}");
    }
    let heads = elements.iter().filter(|name| *name == "path").count();
    assert_eq!(heads, 13, "an arrow for each segment");
}

#[test]
fn who_closed_first_is_left_in_time_wait() {
    let mut recording = Recording::new();
    recording.opened().server(ACK | FIN, 1, 1, 512, b"").client(ACK | FIN, 1, 2, 500, b"");
    let (_, text) = well_formed(&drawn(&mut recording));
    let (closed, waits) = (text.rfind("closed\n").unwrap(), text.rfind("TIME-WAIT").unwrap());
    assert!(closed < waits, "the client's end is drawn first: {text}");
}

#[test]
fn ends_can_be_given_names() {
    let analysis = Recording::new().opened().analysis();
    let mut names = Names::default();
    names.address("10.9.0.2".parse().unwrap(), "<longwire> & co");
    names.end("10.9.0.1:41001".parse().unwrap(), "curl");
    let (_, text) = well_formed(&draw(&analysis, &names, Some("cut \"off\"")));
    for words in ["&lt;longwire&gt; &amp; co", "curl", "cut &quot;off&quot;"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn what_is_not_drawn_is_said() {
    let mut recording = Recording::new();
    for port in [41_001, 41_002, 41_003] {
        recording.port = port;
        recording.opened();
    }
    let limits = Limits { connections: 1, rows: 50 };
    let analysis = analyse(&recording.file()[..], Selection::default(), limits).unwrap();
    let (_, text) = well_formed(&draw(&analysis, &Names::default(), None));
    assert!(text.contains("… and 2 more connections"), "{text}");
}

#[test]
fn both_colour_schemes_are_there_for_every_class() {
    let picture = drawn(Recording::new().opened());
    let (light, dark) = picture.split_once("@media (prefers-color-scheme:dark)").expect("two schemes");
    for class in [".paper", ".syn", ".fin", ".rst", ".probe", ".loss", ".zero", ".data", ".ack", ".life"] {
        assert!(light.contains(class) && dark.contains(class), "{class}");
    }
}
