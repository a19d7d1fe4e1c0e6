//! What segments mean.

use super::super::rows::Elided;
use super::super::tracker::{Ending, Mark};
use super::*;

/// The marks of all arrows behind the handshake.
fn marks(recording: &mut Recording) -> Vec<Option<Mark>> {
    arrows(&recording.connection()).iter().skip(3).map(|arrow| arrow.mark).collect()
}

#[test]
fn a_short_connection_is_told_from_syn_to_time_wait() {
    let mut recording = Recording::new();
    recording.opened();
    recording.client(ACK, 1, 1, 500, b"GET / HTTP/1.0\r\n\r\n");
    recording.server(ACK | FIN, 1, 19, 512, b"HTTP/1.0 200 OK\r\n\r\n");
    recording.client(ACK | FIN, 19, 21, 500, b"").server(ACK, 21, 20, 512, b"");
    let connection = recording.connection();
    let told: Vec<(End, i64, Option<i64>, u32, u32)> = arrows(&connection)
        .iter()
        .map(|arrow| (arrow.from, arrow.seq, arrow.ack, arrow.len, arrow.window))
        .collect();
    assert_eq!(
        told,
        [
            (End::Client, 0, None, 0, 64_240),
            (End::Server, 0, Some(1), 0, 65_535),
            (End::Client, 1, Some(1), 0, 64_000),
            (End::Client, 1, Some(1), 18, 64_000),
            (End::Server, 1, Some(19), 19, 65_536),
            (End::Client, 19, Some(21), 0, 64_000),
            (End::Server, 21, Some(20), 0, 65_536),
        ],
        "numbers are counted from the SYN over the wrap, and windows scaled but in a SYN"
    );
    assert_eq!(connection.ending, Ending::Closed { first: End::Server });
    assert_eq!((connection.requests, connection.retransmissions, connection.whole), (1, 0, true));
    assert_eq!(connection.segments, Both { client: 4, server: 3 });
    assert_eq!(connection.lasted, Duration::from_micros(60));
    assert_eq!(arrows(&connection)[0].mss, Some(1460));
    assert!(arrows(&connection).iter().all(|arrow| arrow.mark.is_none()));
}

#[test]
fn probes_of_an_idle_connection_and_their_answers() {
    let mut recording = Recording::new();
    recording.opened().client(ACK, 1, 1, 500, b"abc").server(ACK, 1, 4, 512, b"");
    recording.after(Duration::from_secs(15)).server(ACK, 0, 4, 512, b"").client(ACK, 4, 1, 500, b"");
    assert_eq!(marks(&mut recording), [None, None, Some(Mark::KeepAlive), Some(Mark::KeepAliveAnswer)]);
    let rows = recording.connection().rows;
    assert_eq!(rows[5], Row::Silence(Duration::from_micros(15_000_010)));
}

#[test]
fn a_probe_may_carry_the_octet_before() {
    let mut recording = Recording::new();
    recording.opened().client(ACK, 1, 1, 500, b"abc").server(ACK, 1, 4, 512, b"");
    recording.client(ACK, 3, 1, 500, b"c").server(ACK, 1, 4, 512, b"");
    assert_eq!(marks(&mut recording)[2..], [Some(Mark::KeepAlive), Some(Mark::KeepAliveAnswer)]);
}

#[test]
fn a_closed_window_is_probed_and_opens() {
    let mut recording = Recording::new();
    recording.opened().client(ACK, 1, 1, 500, b"abc").server(ACK, 1, 4, 0, b"");
    recording.client(ACK, 3, 1, 500, b"").server(ACK, 1, 4, 0, b"");
    recording.client(ACK, 4, 1, 500, b"d").server(ACK, 1, 4, 0, b"").server(ACK, 1, 5, 512, b"");
    use Mark::{WindowOpens, WindowProbe, ZeroWindow};
    assert_eq!(
        marks(&mut recording),
        [None, Some(ZeroWindow), Some(WindowProbe), Some(ZeroWindow)]
            .into_iter()
            .chain([Some(WindowProbe), Some(ZeroWindow), Some(WindowOpens)])
            .collect::<Vec<_>>(),
        "Linux probes with an old number, others with the next octet"
    );
}

#[test]
fn what_is_sent_again_is_told_from_what_was_overtaken() {
    let mut recording = Recording::new();
    recording.opened().client(ACK, 1, 1, 500, b"abc");
    recording.client(ACK, 7, 1, 500, b"ghi").client(ACK, 4, 1, 500, b"def");
    recording.client(ACK, 13, 1, 500, b"mno").after(Duration::from_millis(200));
    recording.client(ACK, 10, 1, 500, b"jkl").client(ACK, 1, 1, 500, b"abc");
    use Mark::{Gap, OutOfOrder, Retransmission};
    assert_eq!(
        marks(&mut recording),
        [None, Some(Gap), Some(OutOfOrder), Some(Gap), Some(Retransmission), Some(Retransmission)]
    );
    assert_eq!(recording.connection().retransmissions, 2);
}

#[test]
fn a_syn_and_a_fin_may_be_sent_again_too() {
    let mut recording = Recording::new();
    recording.client(SYN, 0, 0, 64_240, b"").client(SYN, 0, 0, 64_240, b"");
    recording.server(SYN | ACK, 0, 1, 65_535, b"").client(ACK, 1, 1, 500, b"");
    recording.client(ACK | FIN, 1, 1, 500, b"").client(ACK | FIN, 1, 1, 500, b"");
    let connection = recording.connection();
    let again: Vec<usize> =
        (0..6).filter(|i| arrows(&connection)[*i].mark == Some(Mark::Retransmission)).collect();
    assert_eq!(again, [1, 5]);
    assert_eq!(connection.ending, Ending::HalfClosed(End::Client));
}

#[test]
fn acknowledgments_that_repeat_themselves() {
    let mut recording = Recording::new();
    recording.opened().client(ACK, 1, 1, 500, b"abc").server(ACK, 1, 1, 512, b"").server(ACK, 1, 1, 512, b"");
    recording.server(ACK, 1, 4, 512, b"").server(ACK, 1, 4, 512, b"");
    assert_eq!(
        marks(&mut recording)[2..],
        [Some(Mark::DuplicateAck), None, None],
        "nothing is missing after 4"
    );
}

#[test]
fn endings() {
    let both = |recording: &mut Recording, crossed: u32| {
        recording.opened().client(ACK | FIN, 1, 1, 500, b"");
        recording.server(ACK | FIN, 1, 1 + crossed, 512, b"").connection().ending
    };
    assert_eq!(Recording::new().opened().connection().ending, Ending::Open);
    assert_eq!(both(&mut Recording::new(), 1), Ending::Closed { first: End::Client });
    assert_eq!(both(&mut Recording::new(), 0), Ending::ClosedTogether);
    let reset = Recording::new().opened().server(RST, 1, 0, 0, b"").connection();
    assert_eq!(reset.ending, Ending::Reset(End::Server));
}

#[test]
fn the_same_ends_may_have_one_connection_after_another() {
    let mut recording = Recording::new();
    recording.opened().client(RST, 1, 0, 0, b"");
    // The second one has other numbers.
    for (flags, seq) in [(SYN, 1_000_000), (ACK, 1_000_001)] {
        recording.client(flags, seq, 1, 500, b"");
    }
    let connections = recording.analysis().connections;
    assert_eq!(connections.iter().map(|c| (c.number, c.rows.len())).collect::<Vec<_>>(), [(1, 4), (2, 2)]);
    assert_eq!(connections[1].began, Duration::from_micros(40));
    assert_eq!(arrows(&connections[1])[1].seq, 1);
}

#[test]
fn a_connection_without_its_beginning_counts_from_what_is_there() {
    let mut recording = Recording::new();
    recording.server(ACK, 5_000, 700, 512, b"tail").client(ACK, 700, 5_004, 500, b"");
    let connection = recording.connection();
    assert_eq!(connection.ends.server.port(), 80, "the lower port is the server's");
    let numbers: Vec<_> = arrows(&connection).iter().map(|a| (a.seq, a.ack, a.window)).collect();
    assert_eq!(numbers, [(1, Some(1), 512), (1, Some(5), 500)]);
    assert!(!connection.whole && connection.summary().contains("without its beginning"));
}

#[test]
fn the_middle_of_a_transfer_is_counted_and_left_out() {
    let mut recording = Recording::new();
    recording.opened().client(ACK, 1, 1, 500, b"GET /big HTTP/1.1\r\n\r\n");
    for i in 0..1_000 {
        recording.server(ACK, 1 + i * 1_448, 22, 512, &[b'x'; 1_448]);
    }
    recording.server(ACK | FIN, 1 + 1_448_000, 22, 512, b"");
    let connection = recording.connection();
    assert_eq!(connection.rows.len(), 4 + 4 + 1 + 3 + 1);
    let Row::Elided(elided) = connection.rows[8] else { panic!("{:?}", connection.rows[8]) };
    assert_eq!((elided.segments, elided.bytes.server), (Both { client: 0, server: 993 }, 993 * 1_448));
    assert_eq!(elided.text(), "993 segments, 1.4 MB, in 9.920 ms");
    assert_eq!(connection.bytes.server, 1_448_000, "all are counted");
}

#[test]
fn a_short_run_is_shown_whole() {
    let mut recording = Recording::new();
    recording.opened();
    for i in 0..9 {
        recording.client(ACK, 1 + i, 1, 500, b"x");
    }
    assert_eq!(arrows(&recording.connection()).len(), 12);
    recording.client(ACK, 10, 1, 500, b"x");
    assert_eq!(arrows(&recording.connection()).len(), 9, "one more is one too many");
}

#[test]
fn a_long_connection_has_a_bounded_picture() {
    let mut recording = Recording::new();
    recording.opened();
    let request = b"GET /healthz HTTP/1.1\r\n\r\n";
    for i in 0..2_000 {
        recording.client(ACK, 1 + i * 25, 1 + i * 4, 500, request).server(
            ACK,
            1 + i * 4,
            26 + i * 25,
            512,
            b"okay",
        );
    }
    let connection = recording.connection();
    assert_eq!(connection.rows.len(), 101, "a hundred, and what is left out");
    let left_out: Vec<&Elided> = connection
        .rows
        .iter()
        .filter_map(|row| if let Row::Elided(elided) = row { Some(elided) } else { None })
        .collect();
    assert_eq!(left_out.len(), 1);
    assert_eq!(connection.requests, 2_000);
    assert!((1_900..2_000).contains(&left_out[0].requests), "{left_out:?}");
}

#[test]
fn connections_are_chosen_by_number_and_by_end() {
    let mut recording = Recording::new();
    for port in [41_001, 41_002, 41_003] {
        recording.port = port;
        recording.opened();
    }
    let file = recording.file();
    let chosen = |numbers: &[u64], filters: &[&str], most| {
        let filters = filters.iter().map(|filter| filter.parse().unwrap()).collect();
        let selection = Selection { numbers: numbers.to_vec(), filters };
        let analysis = analyse(&file[..], selection, Limits { connections: most, rows: 50 }).unwrap();
        assert_eq!(analysis.seen, 3);
        let numbers: Vec<u64> = analysis.connections.iter().map(|connection| connection.number).collect();
        (numbers, analysis.over_limit)
    };
    assert_eq!(chosen(&[], &[], 9), (vec![1, 2, 3], 0));
    assert_eq!(chosen(&[], &[], 2), (vec![1, 2], 1));
    assert_eq!(chosen(&[3, 1, 7], &[], 9), (vec![1, 3], 0));
    assert_eq!(chosen(&[], &["41002", "10.9.0.1:41003"], 9), (vec![2, 3], 0));
    assert_eq!(chosen(&[2], &["10.9.0.2"], 9), (vec![2], 0));
    assert_eq!(chosen(&[], &["10.9.0.3", ":81", "[fd09::1]:80", "fd09::1"], 9), (vec![], 0));
    let takes = |filter: &str, end: &str| filter.parse::<Filter>().unwrap().fits(end.parse().unwrap());
    assert!(takes("::1", "[::1]:80") && !takes("::1", "10.9.0.2:1"), "an address, and no port");
    assert!(takes(":80", "10.9.0.2:80") && "::80x".parse::<Filter>().is_err());
    assert!("localhost".parse::<Filter>().unwrap_err().contains("10.9.0.2:80"));
}
