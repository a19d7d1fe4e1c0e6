use super::*;
use crate::wire::{Ecn, IpOut, IpPair, SeqNumber, TcpOptions};

fn packet(header: &TcpHeader, payload: &[u8]) -> Vec<u8> {
    let addresses =
        IpPair::new("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()).expect("of one family");
    let mut tcp = [0; TcpHeader::MAX_LEN];
    let len = header.emit(0, &mut tcp);
    let payload_len = len + payload.len();
    let out = IpOut { addresses, protocol: Protocol::TCP, ecn: Ecn::NotCapable, payload_len };
    let mut ip = [0; IpOut::MAX_LEN];
    let ip_len = out.emit(&mut ip);
    let mut packet = [&ip[..ip_len], &tcp[..len], payload].concat();
    let ip = IpHeader::parse(&packet).unwrap();
    set_checksum(&ip, &mut packet);
    packet
}

fn ack(port: u16) -> TcpHeader {
    TcpHeader { src_port: port, flags: TcpFlags::ACK, window: 800, ..TcpHeader::default() }
}

fn at_work(config: Middlebox) -> BoxAtWork {
    BoxAtWork::new(config, 1, Instant::ZERO)
}

/// The header as it comes out, its checksum verified.
#[track_caller]
fn passed(at_work: &mut BoxAtWork, millis: u64, header: &TcpHeader) -> Option<TcpHeader> {
    let mut packet = packet(header, b"");
    let passes = at_work.pass(Instant::from_millis(millis), &mut packet);
    let Seen { ip, tcp, .. } = Seen::of(&packet).unwrap();
    let segment = &packet[ip.payload..ip.end];
    let mut sum = pseudo_header_sum(ip.src, ip.dst, Protocol::TCP, segment.len());
    sum.add(segment);
    assert_eq!(sum.finish(), 0);
    passes.then_some(tcp)
}

#[test]
fn acknowledgments_are_thinned_and_data_is_not() {
    let spaced = Middlebox { ack_spacing: Duration::from_millis(10), ..Middlebox::default() };
    let mut at_work = at_work(spaced);
    let passing = [0, 9, 10, 15, 19, 20, 31].map(|millis| passed(&mut at_work, millis, &ack(1)).is_some());
    assert_eq!(passing, [true, false, true, false, false, true, true]);
    assert!(passed(&mut at_work, 31, &ack(2)).is_some(), "another connection");
    assert!(at_work.pass(Instant::from_millis(32), &mut packet(&ack(1), b"data")));
}

#[test]
fn a_share_of_the_acknowledgments_is_lost() {
    let mut at_work = at_work(Middlebox { ack_loss: 0.25, ..Middlebox::default() });
    let passing = (0..1_000).filter(|millis| passed(&mut at_work, *millis, &ack(1)).is_some()).count();
    assert!((650..850).contains(&passing), "{passing}");
}

#[test]
fn the_segment_size_of_a_syn_is_clamped() {
    let mut at_work = at_work(Middlebox { max_mss: Some(700), ..Middlebox::default() });
    let syn = |mss| TcpHeader {
        flags: TcpFlags::SYN,
        options: TcpOptions { mss: Some(mss), sack_permitted: true, ..TcpOptions::default() },
        seq: SeqNumber(5),
        ..TcpHeader::default()
    };
    let out = passed(&mut at_work, 0, &syn(1_460)).unwrap();
    assert_eq!(out, syn(700));
    assert_eq!(passed(&mut at_work, 0, &syn(536)).unwrap(), syn(536));
}

#[test]
fn windows_change_from_stretch_to_stretch_and_are_closed_at_times() {
    let every = Duration::from_millis(10);
    let mut at_work = at_work(Middlebox { window_changes_every: Some(every), ..Middlebox::default() });
    let shown: Vec<u16> =
        (0..1_000).map(|millis| passed(&mut at_work, millis, &ack(1)).unwrap().window).collect();
    assert!(shown.chunks(10).all(|stretch| stretch.iter().all(|window| *window == stretch[0])));
    assert!(shown.contains(&0) && shown.contains(&800));
    assert!(shown.windows(2).any(|pair| pair[1] < pair[0]), "it shrinks");
}
