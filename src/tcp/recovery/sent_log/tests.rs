mod model;

use super::*;
use crate::tcp::recovery::delivery::Snapshot;
use crate::tcp::recovery::rack::Newest;
use crate::time::Duration;

/// A super-packet of ten segments, then two single ones, sent at 1, 2 and 3 ms.
fn log() -> SentLog {
    let mut log = SentLog::default();
    log.push(SeqNumber(0), 1000, 100, Instant::from_millis(1), Snapshot::default());
    log.push(SeqNumber(1000), 100, 100, Instant::from_millis(2), Snapshot::default());
    log.push(SeqNumber(1100), 50, 100, Instant::from_millis(3), Snapshot::default());
    log
}

fn blocks(ranges: &[(u32, u32)]) -> SackBlocks {
    let mut blocks = SackBlocks::default();
    ranges.iter().for_each(|&(left, right)| blocks.push(SeqNumber(left), SeqNumber(right)));
    blocks
}

#[test]
fn an_acknowledgment_samples_the_newest_segment_it_covers() {
    let mut log = log();
    let acked = log.acknowledge(SeqNumber(1100), &mut |_| ());
    assert_eq!(acked, Acked { sample: Some(Instant::from_millis(2)), resent_at: None, delivered: 1100 });
    log.check(SeqNumber(1100), SeqNumber(1150)).unwrap();
}

#[test]
fn karn_no_sample_of_what_was_sent_twice() {
    let mut log = log();
    log.mark_head_lost(&mut |_| ());
    log.mark_retransmitted(SeqNumber(0), 100, Instant::from_millis(9), Snapshot::default());
    assert_eq!(log.acknowledge(SeqNumber(1000), &mut |_| ()).sample, None);
    assert_eq!(log.acknowledge(SeqNumber(1150), &mut |_| ()).sample, Some(Instant::from_millis(3)));
}

#[test]
fn a_super_packet_splits_at_segment_boundaries() {
    let mut log = log();
    assert_eq!(log.mark_sacked(&blocks(&[(300, 500)]), &mut |_| ()), 200);
    log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
    assert_eq!(log.entries.len(), 5);
    assert_eq!(
        log.mark_sacked(&blocks(&[(300, 500)]), &mut |_| ()),
        0,
        "the same block again brings nothing"
    );
    assert_eq!(log.acknowledge(SeqNumber(500), &mut |_| ()).delivered, 300);
    log.check(SeqNumber(500), SeqNumber(1150)).unwrap();
}

#[test]
fn a_peer_cannot_shred_the_log() {
    let mut log = log();
    for at in 0..1150 {
        log.mark_sacked(&blocks(&[(at, at + 1)]), &mut |_| ());
    }
    assert!(log.entries.len() <= 12);
    assert_eq!(log.sacked(), 0);
    log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
}

/// Newest and patience as RACK would have them; times in milliseconds.
fn lose(log: &mut SentLog, newest: (u64, u32), now: u64, patience: u64) -> (bool, Option<u64>) {
    let newest = Newest { sent_at: Instant::from_millis(newest.0), end: SeqNumber(newest.1) };
    let (found, due) =
        log.mark_lost_before(newest, Instant::from_millis(now), Duration::from_millis(patience), &mut |_| ());
    (found, due.map(Instant::as_millis))
}

#[test]
fn rfc_8985_6_2_what_was_sent_before_the_newest_and_is_overdue_is_lost() {
    let mut log = log();
    log.mark_sacked(&blocks(&[(1000, 1100)]), &mut |_| ());
    assert_eq!(lose(&mut log, (2, 1100), 10, 12), (false, Some(13)), "sent at 1 ms, may take 12");
    assert_eq!(lose(&mut log, (2, 1100), 13, 12), (true, None));
    assert_eq!(log.first_hole(), Some(Hole { seq: SeqNumber(0), len: 1000, size: 100 }));
    assert_eq!(lose(&mut log, (2, 1100), 99, 12), (false, None), "nothing new");
    log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
}

#[test]
fn a_smaller_segment_is_cut_from_the_head_and_the_rest_is_as_before() {
    let mut log = log();
    log.mark_all_lost();
    log.cut_head(60);
    assert_eq!(log.first_hole(), Some(Hole { seq: SeqNumber(0), len: 60, size: 60 }));
    log.mark_retransmitted(SeqNumber(0), 60, Instant::from_millis(9), Snapshot::default());
    assert_eq!(log.first_hole(), Some(Hole { seq: SeqNumber(60), len: 940, size: 100 }));
    log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
}

#[test]
fn rfc_8985_6_2_within_a_super_packet_the_numbers_are_the_order() {
    let mut log = log();
    log.mark_sacked(&blocks(&[(300, 500)]), &mut |_| ());
    assert_eq!(lose(&mut log, (1, 500), 50, 10), (true, None));
    assert_eq!((log.first_hole().unwrap().len, log.lost()), (300, 300), "not what follows");
    assert_eq!(lose(&mut log, (2, 1100), 50, 10), (true, None), "until something later has come");
    assert_eq!(log.lost(), 300 + 500);
    log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
}

#[test]
fn rfc_8985_6_2_a_retransmission_is_lost_by_its_own_time() {
    let mut log = log();
    log.mark_sacked(&blocks(&[(100, 1000)]), &mut |_| ());
    assert_eq!(lose(&mut log, (1, 1000), 11, 10), (true, None));
    log.mark_retransmitted(SeqNumber(0), 100, Instant::from_millis(12), Snapshot::default());
    assert_eq!(lose(&mut log, (3, 1150), 99, 10), (true, None), "another one");
    assert_eq!(log.first_hole().unwrap().seq, SeqNumber(1000));
    log.push(SeqNumber(1150), 100, 100, Instant::from_millis(14), Snapshot::default());
    assert_eq!(lose(&mut log, (14, 1250), 99, 10), (true, None));
    assert_eq!(log.first_hole().unwrap().seq, SeqNumber(0), "the copy, too");
    log.check(SeqNumber(0), SeqNumber(1250)).unwrap();
}

#[test]
fn rfc_8985_6_3_at_a_time_out_what_was_sent_just_now_is_not_lost() {
    let mut log = log();
    log.mark_lost_at_time_out(Instant::from_millis(12), Duration::from_millis(10), &mut |_| ());
    assert_eq!(log.lost(), 1100);
    log.mark_lost_at_time_out(Instant::from_millis(5), Duration::from_millis(10), &mut |_| ());
    assert_eq!(log.lost(), 100, "the first segment in any case");
    log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
}

#[test]
fn neighbours_that_are_sacked_are_one_entry() {
    let mut log = SentLog::default();
    (0..1000).for_each(|i| {
        log.push(SeqNumber(i * 100), 100, 100, Instant::from_millis(i.into()), Snapshot::default());
    });
    (1..999).for_each(|i| {
        let at = if i % 2 == 1 { i } else { 1000 - i } * 100;
        assert_eq!(log.mark_sacked(&blocks(&[(at, at + 100)]), &mut |_| ()), 100);
    });
    assert_eq!((log.entries.len(), log.sacked()), (3, 99_800));
    log.check(SeqNumber(0), SeqNumber(100_000)).unwrap();
}

#[test]
fn the_tail_is_one_wire_segment() {
    let mut log = SentLog::default();
    log.push(SeqNumber(0), 950, 100, Instant::from_millis(1), Snapshot::default());
    assert_eq!(log.tail(), Some(Hole { seq: SeqNumber(900), len: 50, size: 100 }));
    log.mark_retransmitted(SeqNumber(900), 50, Instant::from_millis(2), Snapshot::default());
    assert_eq!(log.entries.len(), 2);
    log.check(SeqNumber(0), SeqNumber(950)).unwrap();
}

#[test]
fn a_hole_is_sent_again_piece_by_piece() {
    let mut log = log();
    log.mark_all_lost();
    log.mark_retransmitted(SeqNumber(0), 100, Instant::from_millis(5), Snapshot::default());
    assert_eq!(log.first_hole(), Some(Hole { seq: SeqNumber(100), len: 900, size: 100 }));
    log.mark_retransmitted(SeqNumber(100), 900, Instant::from_millis(5), Snapshot::default());
    assert_eq!(log.lost(), 150);
    log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
}

#[test]
fn rfc_2018_8_a_time_out_forgets_sack_marks() {
    let mut log = log();
    log.mark_sacked(&blocks(&[(300, 500)]), &mut |_| ());
    log.mark_all_lost();
    assert_eq!((log.sacked(), log.lost()), (0, 1150));
}

#[test]
fn lost_then_sacked_is_not_lost() {
    let mut log = log();
    log.mark_all_lost();
    log.mark_sacked(&blocks(&[(0, 1000)]), &mut |_| ());
    assert_eq!((log.sacked(), log.lost()), (1000, 150));
    log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
}

#[test]
fn reversed_and_foreign_blocks_are_harmless() {
    let mut log = log();
    assert_eq!(log.mark_sacked(&blocks(&[(500, 300), (5000, 6000)]), &mut |_| ()), 0);
    log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
}

#[test]
fn a_log_that_was_cleared_is_as_good_as_new() {
    let mut log = log();
    log.mark_sacked(&blocks(&[(300, 500)]), &mut |_| ());
    log.mark_all_lost();
    log.mark_sacked(&blocks(&[(1000, 1100)]), &mut |_| ());
    assert!(log.sacked() > 0 && log.lost() > 0 && log.first_hole().is_some());
    log.clear();
    assert_eq!(format!("{log:?}"), format!("{:?}", SentLog::default()));
}
