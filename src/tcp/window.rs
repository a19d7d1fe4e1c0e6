//! The window that we offer: how much the peer may send (RFC 9293 3.8.6; RFC 7323 2).

use super::half_open::WINDOW_SHIFT;
use crate::wire::SeqNumber;

/// The greatest shift: a larger one is treated as this (RFC 7323 2.3).
const MAX_SHIFT: u8 = 14;

/// Whether windows are scaled, which both sides do or neither does (RFC 7323 2.2): the peer's shift and one more, or 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scaling(u8);

impl Scaling {
    /// The peer has offered to scale by `shift`, and we by what we always offer.
    pub(super) fn agreed(shift: u8) -> Scaling {
        Scaling(shift.min(MAX_SHIFT) + 1)
    }

    pub(super) fn is_agreed(self) -> bool {
        self.0 > 0
    }

    /// By how much the windows of the peer's segments are shifted.
    pub(super) fn of_peer(self) -> u8 {
        self.0.saturating_sub(1)
    }

    /// By how much those of ours are.
    pub(super) fn ours(self) -> u8 {
        if self.is_agreed() { WINDOW_SHIFT } else { 0 }
    }

    /// What our windows are announced in.
    fn unit(self) -> u32 {
        1 << self.ours()
    }
}

/// What the window to offer follows from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reception {
    pub(super) rcv_nxt: SeqNumber,
    /// Bytes of the receive buffer that are free.
    pub(super) room: usize,
    /// All bytes of it.
    pub(super) buffer: usize,
    /// The most that the peer sends in a segment.
    pub(super) mss: u16,
    pub(super) scaling: Scaling,
}

/// The receive sequence space (RFC 9293 3.3.1):
///
/// ```text
///        1          2          3
///    ----------|----------|----------
///           RCV.NXT    RCV.NXT
///                     +RCV.WND
///
/// 1 - received and acknowledged   2 - may be sent to us   3 - not yet
/// ```
///
/// The right edge, RCV.NXT + RCV.WND, is what is kept: it only ever moves forward.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReceiveWindow {
    /// The right edge that the peer has been told.
    edge: SeqNumber,
}

impl ReceiveWindow {
    /// A window of `size` bytes from `rcv_nxt` on.
    pub(super) fn new(rcv_nxt: SeqNumber, size: u32) -> Self {
        ReceiveWindow { edge: rcv_nxt + size }
    }

    /// RCV.WND.
    pub(super) fn size(&self, rcv_nxt: SeqNumber) -> u32 {
        u32::try_from(self.edge.distance(rcv_nxt)).unwrap_or(0)
    }

    /// The first octet that is not acceptable. The window field is rounded up where rounding down would shrink the
    /// window, so the peer may use up to one unit more than the edge.
    pub(super) fn limit(&self, rcv_nxt: SeqNumber, scaling: Scaling) -> SeqNumber {
        let size = self.size(rcv_nxt);
        if size == 0 { rcv_nxt } else { self.edge + (scaling.unit() - 1) }
    }

    /// The edge that the free memory allows, if it is worth announcing (RFC 1122 4.2.3.3, the receiver's
    /// silly-window avoidance): further by a segment or half the buffer.
    fn wanted(&self, at: &Reception) -> Option<SeqNumber> {
        let unit = at.scaling.unit();
        let max = u32::from(u16::MAX) * unit;
        let room = u32::try_from(at.room).unwrap_or(u32::MAX).min(max) / unit * unit;
        let edge = at.rcv_nxt + room;
        let gain = edge.distance(self.edge);
        let worth = (at.buffer / 2).min(usize::from(at.mss)).max(1);
        (gain > 0 && gain as usize >= worth).then_some(edge)
    }

    /// The window field for a segment sent now; from here on the edge stands.
    pub(super) fn announce(&mut self, at: &Reception) -> u16 {
        if let Some(edge) = self.wanted(at) {
            self.edge = edge;
        }
        self.field(at.rcv_nxt, at.scaling)
    }

    /// The window field for the edge as it is, rounded up: it never shrinks (RFC 9293 3.8.6, SHLD-14).
    pub(super) fn field(&self, rcv_nxt: SeqNumber, scaling: Scaling) -> u16 {
        u16::try_from(self.size(rcv_nxt).div_ceil(scaling.unit())).unwrap_or(u16::MAX)
    }

    /// Whether the application has read so much that the peer should hear of it without waiting for data: the
    /// window at least doubles, or opens from less than a segment.
    pub(super) fn update_is_due(&self, at: &Reception) -> bool {
        let size = self.size(at.rcv_nxt);
        self.wanted(at).is_some_and(|edge| {
            let wanted = edge - at.rcv_nxt;
            size < u32::from(at.mss) || wanted / 2 >= size
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NXT: SeqNumber = SeqNumber(1000);
    /// Neither side scales.
    const BYTES: Scaling = Scaling(0);

    fn at(rcv_nxt: SeqNumber, room: usize, buffer: usize) -> Reception {
        Reception { rcv_nxt, room, buffer, mss: 1_460, scaling: BYTES }
    }

    #[test]
    fn rfc_9293_3_8_6_the_edge_never_moves_back() {
        let mut window = ReceiveWindow::new(NXT, 10_000);
        assert_eq!(window.announce(&at(NXT, 4_000, 10_000)), 10_000);
        assert_eq!(window.announce(&at(NXT + 3_000, 0, 10_000)), 7_000);
        assert_eq!(window.announce(&at(NXT + 10_000, 0, 10_000)), 0);
    }

    #[test]
    fn rfc_1122_4_2_3_3_small_gains_are_not_announced() {
        let mut window = ReceiveWindow::new(NXT, 0);
        assert_eq!(window.announce(&at(NXT, 1_459, 10_000)), 0);
        assert_eq!(window.announce(&at(NXT, 1_460, 10_000)), 1_460);
        let mut tiny = ReceiveWindow::new(NXT, 0);
        assert_eq!(tiny.announce(&at(NXT, 499, 1_000)), 0);
        assert_eq!(tiny.announce(&at(NXT, 500, 1_000)), 500, "half of a small buffer is worth it");
    }

    #[test]
    fn rounding_never_shrinks_a_scaled_window() {
        let scaling = Scaling::agreed(3);
        let mut window = ReceiveWindow::new(NXT, 2_560);
        assert_eq!(
            window.announce(&Reception { scaling, ..at(NXT + 1, 0, 4_096) }),
            10,
            "2559 bytes are rounded up"
        );
        assert!(window.limit(NXT + 1, scaling).ge(NXT + 1 + (10 << 8)), "and what was said is accepted");
        for i in 1..2_560 {
            assert!(
                window.limit(NXT + i, scaling).ge(NXT + i + (u32::from(window.field(NXT + i, scaling)) << 8))
            );
            assert!(window.limit(NXT + i, scaling).distance(NXT) <= 2_560 + 255, "no creep");
        }
    }

    #[test]
    fn rfc_7323_2_2_and_2_3_both_sides_scale_or_neither_does() {
        assert_eq!((BYTES.is_agreed(), BYTES.of_peer(), BYTES.ours()), (false, 0, 0));
        let none = Scaling::agreed(0);
        assert_eq!((none.is_agreed(), none.of_peer(), none.ours()), (true, 0, WINDOW_SHIFT));
        assert_eq!(Scaling::agreed(255).of_peer(), 14);
    }

    #[test]
    fn the_field_saturates() {
        let mut window = ReceiveWindow::new(NXT, 0);
        assert_eq!(window.announce(&at(NXT, 1 << 20, 1 << 20)), u16::MAX);
    }

    #[test]
    fn updates_are_sent_when_the_window_doubles() {
        let mut window = ReceiveWindow::new(NXT, 0);
        window.announce(&at(NXT, 20_000, 20_000));
        assert!(!window.update_is_due(&at(NXT + 5_000, 20_000, 20_000)));
        assert!(window.update_is_due(&at(NXT + 12_000, 20_000, 20_000)));
        assert!(window.update_is_due(&at(NXT + 19_000, 20_000, 20_000)));
    }
}
