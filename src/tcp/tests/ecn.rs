//! Explicit congestion notification (RFC 3168).

use super::*;

const ECE: TcpFlags = TcpFlags::ECE;
const CWR: TcpFlags = TcpFlags::CWR;

/// A connection that asked for ECN and got this answer.
fn asked_for_ecn(answer: TcpFlags) -> Rig {
    let config = Config { ecn: EcnMode::Always, ..config() };
    let mut rig = Rig::connecting_with(SocketOptions { nodelay: true, ..SocketOptions::default() }, config);
    assert_eq!(rig.recv().header.flags, SYN | ECE | CWR);
    rig.advance(ms(10));
    let mut syn_ack = segment(0, 1, SYN | ACK | answer);
    syn_ack.options.mss = Some(MSS as u16);
    syn_ack.options.sack_permitted = true;
    rig.send(syn_ack, b"");
    assert_eq!(rig.recv().header.flags, ACK);
    rig
}

fn with_ecn() -> Rig {
    asked_for_ecn(ECE)
}

/// Data of the peer's, marked or not.
#[track_caller]
fn send_data(rig: &mut Rig, seq: u32, flags: TcpFlags, ecn: Ecn) {
    rig.send_marked(segment(seq, 1, ACK | flags), &[1; 100], ecn);
}

#[test]
fn rfc_3168_6_1_1_the_answer_has_ece_and_not_cwr() {
    for (answer, agreed) in [(ECE, true), (ECE | CWR, false), (TcpFlags::default(), false)] {
        let mut rig = asked_for_ecn(answer);
        rig.write(1_000);
        assert_eq!(rig.recv().ecn, if agreed { Ecn::Ect0 } else { Ecn::NotCapable }, "{answer:?}");
    }
}

#[test]
fn rfc_3168_6_1_1_by_default_nobody_asks() {
    let mut rig = Rig::connecting(SocketOptions::default());
    assert_eq!(rig.recv().header.flags, SYN);
    rig.send(segment(0, 1, SYN | ACK | ECE), b"");
    rig.recv();
    rig.write(100);
    assert_eq!(rig.recv().ecn, Ecn::NotCapable);
}

#[test]
fn rfc_3168_6_1_1_1_a_syn_that_is_sent_again_does_not_ask() {
    let config = Config { ecn: EcnMode::Always, ..config() };
    let mut rig = Rig::connecting_with(SocketOptions::default(), config);
    rig.recv();
    rig.advance(ms(1_001));
    assert_eq!(rig.recv().header.flags, SYN);
}

#[test]
fn rfc_3168_6_1_3_a_mark_is_echoed_until_cwr() {
    let mut rig = with_ecn();
    send_data(&mut rig, 1, TcpFlags::default(), Ecn::Ect0);
    assert_eq!(rig.recv().header.flags, ACK);
    send_data(&mut rig, 101, TcpFlags::default(), Ecn::CongestionExperienced);
    assert_eq!(rig.recv().header.flags, ACK | ECE);
    send_data(&mut rig, 201, TcpFlags::default(), Ecn::Ect0);
    assert_eq!(rig.recv().header.flags, ACK | ECE);
    rig.write(10);
    assert!(rig.recv().header.has(ECE), "on data, too");
    send_data(&mut rig, 301, CWR, Ecn::Ect0);
    assert_eq!(rig.recv().header.flags, ACK);
    send_data(&mut rig, 401, CWR, Ecn::CongestionExperienced);
    assert_eq!(rig.recv().header.flags, ACK | ECE, "marked anew");
}

#[test]
fn rfc_3168_6_1_2_one_reduction_a_window_and_cwr_alone_on_new_data() {
    let mut rig = with_ecn();
    rig.write(40_000);
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(segment(1, 1_001, ACK | ECE), b"");
    assert_eq!((rig.info().cwnd, rig.counters.ecn_reductions), (7_000, 1));
    for i in 2..=9 {
        rig.send(segment(1, i * 1_000 + 1, ACK | ECE), b"");
    }
    assert_eq!(rig.counters.ecn_reductions, 1);
    let first = rig.recv_data(10_001, 1_000);
    assert_eq!((first.header.has(CWR), first.gso_size), (true, 0), "one segment, so that one carries it");
    assert!(rig.sent.iter().all(|seen| !seen.header.has(CWR)));
    rig.sent.clear();
    rig.send(segment(1, 10_001, ACK | ECE), b"");
    assert_eq!(rig.counters.ecn_reductions, 1, "CWR has not reached the peer");
    rig.send(segment(1, 11_001, ACK | ECE), b"");
    assert_eq!(rig.counters.ecn_reductions, 2, "the next window");
}

#[test]
fn rfc_3168_6_1_2_one_mark_is_answered_once_however_often_a_peer_that_only_sends_tells_of_it() {
    let mut rig = with_ecn();
    rig.write(900);
    rig.advance(ms(10));
    rig.send(segment(1, 901, ACK | ECE), b"");
    let reduced = rig.info().cwnd;
    assert_eq!(rig.counters.ecn_reductions, 1);
    let mut seq = 1;
    let mut receive = |rig: &mut Rig, count| {
        for _ in 0..count {
            rig.send(segment(seq, 901, ACK | ECE), &[1; 100]);
            seq += 100;
        }
        (rig.info().cwnd, rig.counters.ecn_reductions)
    };
    assert_eq!(receive(&mut rig, 20), (reduced, 1));
    rig.sent.clear();
    rig.write(900);
    assert!(rig.recv_data(901, 900).header.has(CWR));
    assert_eq!(receive(&mut rig, 20), (reduced, 1), "CWR is on its way");
    rig.send(segment(2_001 + 2_000, 1_801, ACK | ECE), b"");
    assert_eq!(rig.counters.ecn_reductions, 2, "marked anew");
}

#[test]
fn rfc_3168_6_1_2_a_rest_makes_no_second_mark_of_one() {
    let mut rig = with_ecn();
    rig.write(900);
    rig.advance(ms(10));
    rig.send(segment(1, 901, ACK | ECE), b"");
    assert_eq!(rig.counters.ecn_reductions, 1);
    rig.rest();
    rig.sent.clear();
    rig.write(900);
    assert!(rig.recv_data(901, 900).header.has(CWR));
    rig.send(segment(1, 901, ACK | ECE), &[1; 100]);
    assert_eq!(rig.counters.ecn_reductions, 1, "CWR is on its way");
    rig.send(segment(101, 1_801, ACK | ECE), b"");
    assert_eq!(rig.counters.ecn_reductions, 2, "marked anew");
}

#[test]
fn rfc_3168_6_1_5_retransmissions_and_acknowledgments_are_not_capable() {
    let mut rig = with_ecn();
    rig.write(900);
    assert_eq!(rig.recv().ecn, Ecn::Ect0);
    rig.advance(ms(200));
    assert_eq!(rig.recv_data(1, 900).ecn, Ecn::NotCapable);
    send_data(&mut rig, 1, TcpFlags::default(), Ecn::Ect0);
    assert_eq!(rig.recv().ecn, Ecn::NotCapable);
}

#[test]
fn rfc_3168_6_1_6_a_window_probe_is_not_capable() {
    let mut rig = with_ecn();
    rig.send(window(ack(1, 1), 0), b"");
    rig.write(1_000);
    rig.advance(ms(201));
    assert_eq!(rig.recv_data(1, 1).ecn, Ecn::NotCapable);
}

#[test]
fn rfc_3168_6_1_2_a_loss_says_cwr_as_well() {
    let mut rig = with_ecn();
    rig.write(40_000);
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(sack(1, 1, &[(1_001, 4_001)]), b"");
    let seen: Vec<_> = rig.sent.drain(..).map(|seen| (seen.seq(), seen.header.has(CWR))).collect();
    assert_eq!(seen[0], (1, false), "not on the retransmission");
    rig.send(segment(1, 5_001, ACK | ECE), b"");
    assert_eq!(rig.counters.ecn_reductions, 0, "recovery has reduced it");
    assert!(rig.sent.drain(..).any(|seen| seen.header.has(CWR)));
}
