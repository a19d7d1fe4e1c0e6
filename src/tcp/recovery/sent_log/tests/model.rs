//! The sent log beside a list with an entry for each wire segment.

use proptest::prelude::*;

use super::*;

const SIZE: u32 = 100;

#[derive(Clone, Debug)]
enum Step {
    /// Sends a super-packet of so many segments.
    Send(u32),
    /// A cumulative acknowledgment of so many segments.
    Acknowledge(u32),
    /// SACK blocks, in octets from SND.UNA.
    Sack(Vec<(u32, u32)>),
    HeadLost,
    TimeOut,
    /// Sends the first hole again.
    Resend,
    /// What was lost is not, after all.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    // Often at segment boundaries, and now and then beside them: backwards, empty, and far beyond SND.NXT.
    let edge = prop_oneof![(0..20u32).prop_map(|segments| segments * SIZE), 0..2_500u32];
    prop_oneof![
        4 => (1..8u32).prop_map(Step::Send),
        2 => (0..6u32).prop_map(Step::Acknowledge),
        4 => prop::collection::vec((edge.clone(), edge), 1..4).prop_map(Step::Sack),
        1 => Just(Step::HeadLost),
        1 => Just(Step::TimeOut),
        3 => Just(Step::Resend),
        1 => Just(Step::Forget),
    ]
}

/// What is to be known of one wire segment.
#[derive(Clone, Copy, Debug, Default)]
struct Segment {
    sacked: bool,
    lost: bool,
    resent: bool,
}

#[derive(Default)]
struct Model {
    una: u32,
    segments: VecDeque<Segment>,
}

impl Model {
    fn count(&self, what: fn(&Segment) -> bool) -> u32 {
        SIZE * self.segments.iter().filter(|segment| what(segment)).count() as u32
    }

    fn next(&self) -> u32 {
        self.una.wrapping_add(SIZE * self.segments.len() as u32)
    }

    /// Octets that leave the network.
    fn acknowledge(&mut self, count: u32) -> u32 {
        let covered: Vec<Segment> = self.segments.drain(..count as usize).collect();
        self.una = self.una.wrapping_add(count * SIZE);
        SIZE * covered.iter().filter(|segment| !segment.sacked).count() as u32
    }

    /// A segment has arrived if one block covers all of it.
    fn sack(&mut self, blocks: &[(u32, u32)]) -> u32 {
        let before = self.count(|segment| segment.sacked);
        for &(left, right) in blocks {
            let whole = |at: u32| left <= at * SIZE && (at + 1) * SIZE <= right;
            for (_, segment) in (0..).zip(&mut self.segments).filter(|(at, _)| whole(*at)) {
                *segment = Segment { sacked: true, lost: false, ..*segment };
            }
        }
        self.count(|segment| segment.sacked) - before
    }

    fn head_lost(&mut self) {
        if let Some(head) = self.segments.front_mut() {
            head.lost |= !head.sacked && !head.resent;
        }
    }

    fn time_out(&mut self) {
        for segment in &mut self.segments {
            segment.resent |= std::mem::take(&mut segment.sacked);
            segment.lost = true;
        }
    }

    fn first_hole(&self) -> Option<u32> {
        let at = self.segments.iter().position(|segment| segment.lost)? as u32;
        Some(self.una.wrapping_add(at * SIZE))
    }
}

/// The same step for both; what each says of the octets that it delivered.
fn live(log: &mut SentLog, model: &mut Model, step: &Step, now: Instant) -> (u32, u32) {
    let (una, next) = (SeqNumber(model.una), SeqNumber(model.next()));
    match step {
        Step::Send(count) => {
            log.push(next, count * SIZE, SIZE as u16, now, Snapshot::default());
            model.segments.extend((0..*count).map(|_| Segment::default()));
        }
        Step::Acknowledge(count) => {
            let count = (*count).min(model.segments.len() as u32);
            let acked = log.acknowledge(una + count * SIZE, &mut |_| ());
            return (acked.delivered, model.acknowledge(count));
        }
        Step::Sack(ranges) => {
            let mut blocks = SackBlocks::default();
            ranges.iter().for_each(|&(left, right)| blocks.push(una + left, una + right));
            let mut shown = 0;
            let newly = log.mark_sacked(&blocks, &mut |sent| shown += sent.len);
            assert_eq!(newly, shown);
            return (newly, model.sack(ranges));
        }
        Step::HeadLost => {
            log.mark_head_lost(&mut |_| ());
            model.head_lost();
        }
        Step::TimeOut => {
            log.mark_lost_at_time_out(now, Duration::ZERO, &mut |_| ());
            model.time_out();
        }
        Step::Resend => {
            if let (Some(hole), Some(at)) =
                (log.first_hole(), model.segments.iter().position(|segment| segment.lost))
            {
                log.mark_retransmitted(hole.seq, hole.len.min(SIZE), now, Snapshot::default());
                model.segments[at] = Segment { lost: false, resent: true, ..model.segments[at] };
            }
        }
        Step::Forget => {
            log.forget_losses();
            model.segments.iter_mut().for_each(|segment| segment.lost = false);
        }
    }
    (0, 0)
}

proptest! {
    #[test]
    fn agrees_with_a_list_of_segments(begin in any::<u32>(), steps in prop::collection::vec(step(), 1..120)) {
        let mut log = SentLog::default();
        let mut model = Model { una: begin, ..Model::default() };
        for (number, step) in (1..).zip(&steps) {
            let (delivered, expected) = live(&mut log, &mut model, step, Instant::from_millis(number));
            prop_assert_eq!(delivered, expected, "{:?}", step);
            prop_assert_eq!(log.check(SeqNumber(model.una), SeqNumber(model.next())), Ok(()));
            prop_assert_eq!(log.sacked(), model.count(|segment| segment.sacked), "{:?}", step);
            prop_assert_eq!(log.lost(), model.count(|segment| segment.lost), "{:?}", step);
            prop_assert_eq!(log.first_hole().map(|hole| hole.seq.0), model.first_hole(), "{:?}", step);
        }
    }
}
