//! Formats without state: addresses, headers, options, checksums, sequence arithmetic.
//!
//! Parsing reads a byte slice and gives plain values with offsets into it, so that no lifetime ties a parsed header
//! to the buffer whose ownership may move on. No function here panics on any input; what is wrong with a packet is
//! a [`WireError`].

mod checksum;
mod error;
mod ip;
mod options;
mod packet;
mod seq;
mod tcp;

pub use checksum::{Checksum, pseudo_header_sum};
pub use error::WireError;
pub use ip::{Ecn, Fragment, IpHeader, IpOut, IpPair, Protocol};
pub use options::{SackBlocks, TcpOptions, Timestamps};
pub use packet::{ChecksumState, OutPacket, PacketMeta, SendOutcome, Sink};
pub use seq::SeqNumber;
pub use tcp::{TcpFlags, TcpHeader};
