//! A packet on its way between a stack and a device.

use crate::time::Instant;

/// What the device knows about the checksum of a packet that it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ChecksumState {
    /// Nothing; the stack verifies it.
    #[default]
    Unverified,
    /// The sender on this host left it to the device, or the device verified it: nothing to do.
    Trusted,
}

/// What came with a packet.
///
/// ```
/// use longwire::{time::Instant, wire::{ChecksumState, PacketMeta}};
/// let meta = PacketMeta { received_at: Instant::from_millis(5), checksum: ChecksumState::Trusted, gso_size: 0 };
/// assert_ne!(meta.checksum, ChecksumState::default(), "whoever says nothing has it verified");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PacketMeta {
    /// When the device read it. Round-trip times end here, so that queueing inside the stack is not network delay.
    pub received_at: Instant,
    /// Whether the transport checksum still has to be verified.
    pub checksum: ChecksumState,
    /// The size of the segments that were merged into this packet, 0 if it is as it was on the wire.
    pub gso_size: u16,
}

/// A packet to send: headers in one slice, the payload in as many as it lies in.
///
/// The transport checksum field holds the (not inverted) pseudo-header sum; the device completes it, or has it
/// completed by hardware. With `gso_size` set the payload is longer than one segment and the device cuts it.
#[derive(Clone, Copy, Debug)]
pub struct OutPacket<'a> {
    /// IP header and transport header.
    pub header: &'a [u8],
    /// The transport payload, in order.
    pub payload: &'a [&'a [u8]],
    /// Offset of the transport header in `header`: checksumming starts here.
    pub transport: usize,
    /// Offset of the checksum field from the transport header.
    pub checksum: usize,
    /// Payload bytes of each wire packet but the last, or 0: the packet goes out as it is.
    pub gso_size: u16,
}

impl OutPacket<'_> {
    /// Bytes of payload.
    pub fn payload_len(&self) -> usize {
        self.payload.iter().map(|slice| slice.len()).sum()
    }

    /// Packets on the wire that it becomes.
    pub fn wire_packets(&self) -> usize {
        match self.gso_size {
            0 => 1,
            size => self.payload_len().div_ceil(usize::from(size)).max(1),
        }
    }
}

/// What became of a packet handed to a [`Sink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It is on its way, or will be without our help.
    Sent,
    /// No room; nothing of it was sent. To be tried again when the device is writable.
    Full,
    /// The device refused it. Counted, and otherwise treated as lost on the wire.
    Failed,
}

/// Where a stack's packets go.
///
/// ```
/// use longwire::wire::{OutPacket, SendOutcome, Sink};
///
/// /// Counts what would be on the wire.
/// #[derive(Default)]
/// struct Counting { packets: usize }
///
/// impl Sink for Counting {
///     fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
///         self.packets += packet.wire_packets();
///         SendOutcome::Sent
///     }
/// }
///
/// let mut sink = Counting::default();
/// let payload = [&[0; 3_000][..]];
/// sink.send(&OutPacket { header: &[0; 40], payload: &payload, transport: 20, checksum: 16, gso_size: 1_460 });
/// assert_eq!(sink.packets, 3);
/// ```
pub trait Sink {
    /// Takes one packet, or says why not. The slices are only borrowed.
    fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome;
}
