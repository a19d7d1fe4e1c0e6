//! The tests of one connection, and their rig.
//!
//! The peer's numbers begin at [`PEER`], ours at [`US`]; tests count from there, and as both SYNs take one, the first
//! byte of either is number 1. A test reads like a capture: [`Rig::send`] is a segment from the peer, [`Rig::recv`] is the next one
//! of ours, [`Rig::recv_nothing`] says that there is none.

mod acceptability;
mod acknowledging;
mod closing;
mod ecn;
mod fast_open;
mod giving_up;
mod half_close;
mod opening;
mod options;
mod pacing;
mod rack;
mod receiving;
mod recovering;
mod resets;
mod resting;
mod retransmitting;
mod sending;
mod spurious;
mod timing;
mod validation;
mod windows;
mod writing;

use std::collections::VecDeque;
use std::sync::Arc;

use super::{PEER, US};
use crate::buffer::{Chunk, Pool};
use crate::tcp::*;
use crate::time::{Duration, Instant};
use crate::wire::{Ecn, SendOutcome, SeqNumber, TcpFlags, TcpHeader, TcpOptions};

const MSS: u32 = 1_000;

const ACK: TcpFlags = TcpFlags::ACK;
const SYN: TcpFlags = TcpFlags::SYN;
const FIN: TcpFlags = TcpFlags::FIN;
const RST: TcpFlags = TcpFlags::RST;

/// A segment of ours, as the peer sees it.
#[derive(Clone, Debug)]
struct Seen {
    header: TcpHeader,
    payload: Vec<u8>,
    gso_size: u16,
    ecn: Ecn,
}

impl Seen {
    /// Sequence number relative to our SYN.
    fn seq(&self) -> u32 {
        self.header.seq.0.wrapping_sub(US)
    }

    /// Acknowledgment number relative to the peer's SYN.
    fn ack(&self) -> u32 {
        self.header.ack.0.wrapping_sub(PEER)
    }

    fn sack(&self) -> Vec<(u32, u32)> {
        let relative = |seq: SeqNumber| seq.0.wrapping_sub(PEER);
        self.header.options.sack.as_slice().iter().map(|b| (relative(b.0), relative(b.1))).collect()
    }
}

/// A segment of the peer's, relative to both SYNs.
fn segment(seq: u32, ack: u32, flags: TcpFlags) -> TcpHeader {
    TcpHeader {
        seq: SeqNumber(PEER.wrapping_add(seq)),
        ack: SeqNumber(US.wrapping_add(ack)),
        flags,
        window: 60_000,
        ..TcpHeader::default()
    }
}

fn window(header: TcpHeader, window: u16) -> TcpHeader {
    TcpHeader { window, ..header }
}

fn ack(seq: u32, ack: u32) -> TcpHeader {
    segment(seq, ack, ACK)
}

/// An acknowledgment with SACK blocks, relative to our SYN.
fn sack(seq: u32, acknowledged: u32, blocks: &[(u32, u32)]) -> TcpHeader {
    let mut header = ack(seq, acknowledged);
    for &(left, right) in blocks {
        header.options.sack.push(SeqNumber(US) + left, SeqNumber(US) + right);
    }
    header
}

struct Rig {
    connection: Connection,
    config: Config,
    pool: Pool,
    counters: Counters,
    now: Instant,
    sent: VecDeque<Seen>,
}

struct Wire<'a>(&'a mut VecDeque<Seen>);

impl SegmentSink for Wire<'_> {
    fn send(&mut self, segment: &OutSegment<'_>) -> SendOutcome {
        let payload = segment.payload.concat();
        self.0.push_back(Seen {
            header: segment.header,
            payload,
            gso_size: segment.gso_size,
            ecn: segment.ecn,
        });
        SendOutcome::Sent
    }
}

fn open(options: SocketOptions) -> Open {
    Open {
        iss: SeqNumber(US),
        timestamp_offset: 0,
        mss: MSS as u16,
        default_mss: 536,
        options: Arc::new(options),
    }
}

/// Time-outs are 190 ms longer than the round trip, which the handshake measures as 10 ms.
fn config() -> Config {
    Config { min_rto: ms(190), ..Config::default() }
}

impl Rig {
    /// SYN-SENT, the SYN not yet taken out of `sent`.
    fn connecting(options: SocketOptions) -> Rig {
        Rig::connecting_with(options, Config { congestion: Algorithm::NewReno, ..config() })
    }

    /// The same with another configuration.
    fn connecting_with(options: SocketOptions, config: Config) -> Rig {
        let (pool, mut counters) = (Pool::new(), Counters::default());
        let now = Instant::from_secs(100);
        let mut cx = Context { now, config: &config, pool: &pool, counters: &mut counters };
        let connection = Connection::connect(&mut cx, open(options));
        let mut rig = Rig { connection, config, pool, counters, now, sent: VecDeque::new() };
        rig.transmit();
        rig
    }

    /// ESTABLISHED by an active open 10 ms long, with the options that `offer` adds to the peer's SYN-ACK.
    #[track_caller]
    fn established_with(options: SocketOptions, offer: TcpOptions) -> Rig {
        let mut rig = Rig::connecting(options);
        let syn = rig.recv();
        assert_eq!(syn.header.flags, SYN);
        rig.advance(Duration::from_millis(10));
        let mut syn_ack = segment(0, 1, SYN | ACK);
        syn_ack.options = TcpOptions { mss: Some(MSS as u16), ..offer };
        rig.send(syn_ack, b"");
        assert_eq!(rig.recv().ack(), 1);
        rig.recv_nothing();
        assert_eq!(rig.connection.state(), State::Established);
        rig.connection.take_events();
        rig
    }

    #[track_caller]
    fn established() -> Rig {
        Rig::established_with(
            SocketOptions { nodelay: true, ..SocketOptions::default() },
            TcpOptions::default(),
        )
    }

    #[track_caller]
    fn established_with_sack() -> Rig {
        let options = SocketOptions { nodelay: true, ..SocketOptions::default() };
        Rig::established_with(options, TcpOptions { sack_permitted: true, ..TcpOptions::default() })
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Connection, &mut Context<'_>) -> T) -> T {
        let mut cx =
            Context { now: self.now, config: &self.config, pool: &self.pool, counters: &mut self.counters };
        act(&mut self.connection, &mut cx)
    }

    /// A segment of the peer's arrives; the connection answers what it has to.
    #[track_caller]
    fn send(&mut self, header: TcpHeader, payload: &[u8]) {
        self.send_quietly(header, payload);
        self.transmit();
    }

    /// Like `send`, but the turn goes on: nothing is sent yet.
    #[track_caller]
    fn send_quietly(&mut self, header: TcpHeader, payload: &[u8]) {
        self.take(header, payload, Ecn::NotCapable);
    }

    /// A segment of the peer's arrives in a packet with this ECN field.
    #[track_caller]
    fn send_marked(&mut self, header: TcpHeader, payload: &[u8], ecn: Ecn) {
        self.take(header, payload, ecn);
        self.transmit();
    }

    #[track_caller]
    fn take(&mut self, header: TcpHeader, payload: &[u8], ecn: Ecn) {
        let meta = SegmentMeta { received_at: self.now, ecn, ..SegmentMeta::default() };
        let mut chunk = Chunk::copy_of(payload);
        let reset = self.with(|connection, cx| connection.handle_segment(cx, &header, &meta, &mut chunk));
        if let Some(header) = reset {
            self.sent.push_back(Seen { header, payload: Vec::new(), gso_size: 0, ecn: Ecn::NotCapable });
        }
        assert_eq!(self.connection.check_invariants(), Ok(()));
    }

    #[track_caller]
    fn transmit(&mut self) {
        let mut sent = std::mem::take(&mut self.sent);
        while self.with(|connection, cx| connection.poll_transmit(cx, &mut Wire(&mut sent))) == Transmit::More
        {
        }
        self.sent = sent;
        assert_eq!(self.connection.check_invariants(), Ok(()));
    }

    #[track_caller]
    fn recv(&mut self) -> Seen {
        self.sent.pop_front().expect("a segment of ours")
    }

    /// The next segment carries data from `seq` on.
    #[track_caller]
    fn recv_data(&mut self, seq: u32, len: usize) -> Seen {
        let seen = self.recv();
        assert_eq!((seen.seq(), seen.payload.len()), (seq, len), "{seen:?}");
        seen
    }

    #[track_caller]
    fn recv_ack(&mut self, acknowledged: u32) -> Seen {
        let seen = self.recv();
        assert_eq!((seen.header.flags, seen.ack(), seen.payload.len()), (ACK, acknowledged, 0), "{seen:?}");
        seen
    }

    #[track_caller]
    fn recv_nothing(&mut self) {
        assert!(self.sent.is_empty(), "unexpected: {:?}", self.sent);
    }

    /// Lets time pass, firing timers at their deadlines.
    #[track_caller]
    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(at) = self.connection.deadline().filter(|&at| at <= end) {
            self.now = at;
            self.with(Connection::handle_timeout);
            self.transmit();
        }
        self.now = end;
    }

    #[track_caller]
    fn write(&mut self, len: usize) {
        let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
        assert_eq!(self.with(|connection, cx| connection.write(cx.pool, &data)), Ok(len));
        self.transmit();
    }

    fn read(&mut self) -> Result<Vec<u8>, Error> {
        let mut buffer = vec![0; 100_000];
        let count = self.connection.read(&mut buffer)?;
        buffer.truncate(count);
        self.transmit();
        Ok(buffer)
    }

    fn close(&mut self) {
        self.with(Connection::close);
        self.transmit();
    }

    fn shutdown(&mut self) {
        self.connection.shutdown_write().unwrap();
        self.transmit();
    }

    fn abort(&mut self) {
        self.connection.abort(Error::ConnectionAborted);
        self.transmit();
    }

    fn info(&self) -> TcpInfo {
        self.connection.info(self.now, &self.config)
    }
}

/// The states of a control block in which the peer's segments are checked in order (RFC 9293 3.10.7.4).
const STATES: [State; 7] = [
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
];

/// A connection in one of [`STATES`], with SEG.SEQ and SEG.ACK of an ordinary segment of the peer's that changes
/// nothing. What it has sent on the way is taken out.
#[track_caller]
fn in_state(state: State) -> (Rig, u32, u32) {
    let mut rig = if state == State::SynReceived {
        let mut rig = Rig::connecting(SocketOptions { nodelay: true, ..SocketOptions::default() });
        rig.send(segment(0, 0, SYN), b"");
        rig
    } else {
        Rig::established()
    };
    if matches!(state, State::FinWait1 | State::FinWait2 | State::Closing) {
        rig.shutdown();
    }
    if matches!(state, State::CloseWait | State::Closing | State::LastAck) {
        rig.send(segment(1, 1, FIN | ACK), b"");
    }
    let (seq, ack_number) = match state {
        State::SynReceived => (1, 0),
        State::Established | State::FinWait1 => (1, 1),
        State::FinWait2 => (1, 2),
        _ => (2, 1),
    };
    if state == State::FinWait2 {
        rig.send(ack(1, 2), b"");
    }
    if state == State::LastAck {
        rig.shutdown();
    }
    rig.sent.clear();
    assert_eq!(rig.connection.state(), state);
    (rig, seq, ack_number)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
