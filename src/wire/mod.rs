//! Formats without state: addresses, headers, options, checksums, sequence arithmetic.
//!
//! Parsing reads a byte slice and gives plain values with offsets into it, so that no lifetime ties a parsed header
//! to the buffer whose ownership may move on. No function here panics on any input; what is wrong with a packet is
//! a [`WireError`].
//!
//! A SYN, written and read again:
//!
//! ```
//! use std::net::IpAddr;
//! use longwire::wire::{
//!     Ecn, Fragment, IpHeader, IpOut, IpPair, Protocol, SackBlocks, SeqNumber, TcpFlags, TcpHeader, TcpOptions,
//!     Timestamps, WireError, pseudo_header_sum,
//! };
//!
//! let (src, dst): (IpAddr, IpAddr) = ("10.9.0.1".parse().unwrap(), "10.9.0.2".parse().unwrap());
//! let syn = TcpHeader {
//!     src_port: 40_000,
//!     dst_port: 80,
//!     seq: SeqNumber(1),
//!     flags: TcpFlags::SYN,
//!     window: 65_535,
//!     options: TcpOptions {
//!         mss: Some(1_460),
//!         window_scale: Some(7),
//!         sack_permitted: true,
//!         timestamps: Some(Timestamps { value: 1, echo: 0 }),
//!         sack: SackBlocks::default(),
//!         fast_open: None,
//!     },
//!     ..TcpHeader::default()
//! };
//! let (mut tcp, mut ip) = ([0; TcpHeader::MAX_LEN], [0; IpOut::MAX_LEN]);
//! let tcp_len = syn.emit(0, &mut tcp);
//! let mut sum = pseudo_header_sum(src, dst, Protocol::TCP, tcp_len);
//! sum.add(&tcp[..tcp_len]);
//! syn.emit(sum.finish(), &mut tcp);
//! let addresses = IpPair::new(src, dst).expect("of one family");
//! let header = IpOut { addresses, protocol: Protocol::TCP, ecn: Ecn::NotCapable, payload_len: tcp_len };
//! let ip_len = header.emit(&mut ip);
//! let packet = [&ip[..ip_len], &tcp[..tcp_len]].concat();
//!
//! let header = IpHeader::parse(&packet).unwrap();
//! assert_eq!((header.src, header.dst, header.fragment), (src, dst, None::<Fragment>));
//! let (read, _) = TcpHeader::parse(&packet[header.payload..header.end]).unwrap();
//! assert_eq!(read, syn);
//! assert_eq!(IpHeader::parse(&packet[..12]), Err(WireError::Truncated));
//! ```

mod checksum;
mod error;
mod fast_open;
mod ip;
mod options;
mod packet;
mod seq;
mod tcp;

pub use checksum::{Checksum, pseudo_header_sum};
pub use error::WireError;
pub use fast_open::FastOpenCookie;
pub use ip::{Ecn, Fragment, IpHeader, IpOut, IpPair, Protocol};
pub use options::{SackBlocks, TcpOptions, Timestamps};
pub use packet::{ChecksumState, OutPacket, PacketMeta, SendOutcome, Sink};
pub use seq::SeqNumber;
pub use tcp::{TcpFlags, TcpHeader};
