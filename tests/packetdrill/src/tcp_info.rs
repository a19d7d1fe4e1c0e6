//! `TCP_INFO` in Linux's layout.

use std::time::Duration;

use longwire::stack::{PathState, State, TcpInfo};

/// Its size, as of Linux 6.18.
pub(crate) const LEN: usize = 280;

const OPTION_TIMESTAMPS: u8 = 1;
const OPTION_SACK: u8 = 2;
const OPTION_WINDOW_SCALE: u8 = 4;
/// "No threshold yet", as Linux writes it.
const INFINITE_THRESHOLD: u32 = 0x7fff_ffff;

/// The bytes of a snapshot. What longwire does not know is zero.
pub(crate) fn layout(info: &TcpInfo) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let (ours, peers) = info.window_scale.unwrap_or((0, 0));
    bytes[0] = state(info.state);
    bytes[1] = path(info.path);
    bytes[2] = info.backoff;
    bytes[4] = info.backoff;
    bytes[5] = options(info);
    bytes[6] = (peers & 15) | (ours & 15) << 4;

    let mss = u32::from(info.snd_mss).max(1);
    let segments = |octets: u32| octets.div_ceil(mss);
    let mut put = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    put(8, micros(info.rto));
    put(16, mss);
    put(20, info.rcv_mss.into());
    put(24, segments(info.in_flight));
    put(28, segments(info.sacked));
    put(32, segments(info.lost));
    put(68, info.srtt.map_or(0, micros));
    put(72, micros(info.rttvar));
    put(76, if info.ssthresh == u32::MAX { INFINITE_THRESHOLD } else { info.ssthresh / mss });
    put(80, info.cwnd / mss);
    put(84, info.advertised_mss.into());
    put(88, 3); // the threshold of duplicates
    put(100, info.retransmissions);
    let unsent = info.send_queue.saturating_sub(info.in_flight as usize);
    put(144, u32::try_from(unsent).unwrap_or(u32::MAX));
    put(148, info.min_rtt.map_or(u32::MAX, micros));
    put(228, info.snd_wnd);
    put(232, info.rcv_wnd);
    bytes
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

fn options(info: &TcpInfo) -> u8 {
    let mut options = 0;
    for (on, bit) in [
        (info.timestamps, OPTION_TIMESTAMPS),
        (info.sack, OPTION_SACK),
        (info.window_scale.is_some(), OPTION_WINDOW_SCALE),
    ] {
        if on {
            options |= bit;
        }
    }
    options
}

/// Linux's number of what the sender believes.
fn path(path: PathState) -> u8 {
    match path {
        PathState::Open => 0,
        PathState::Disorder => 1,
        PathState::Recovery => 3,
        PathState::Loss => 4,
    }
}

/// Linux's number of a state.
fn state(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Closing => 11,
    }
}

#[cfg(test)]
mod tests {
    use longwire::stack::{Instant, Pool, Seed, Stack};

    use super::*;

    /// A connection's snapshot, with numbers that can be told apart.
    fn info() -> TcpInfo {
        let config = crate::flags::configuration("local=10.0.0.1").unwrap();
        let mut stack = Stack::new(config, Seed::from_u64(1), Pool::new(), Instant::ZERO);
        let id = stack.connect(Instant::ZERO, "10.0.0.2:80".parse().unwrap(), None, None).unwrap();
        let mut info = stack.info(id).unwrap();
        info.state = State::Established;
        info.srtt = Some(Duration::from_millis(20));
        info.rttvar = Duration::from_millis(10);
        info.rto = Duration::from_millis(220);
        info.cwnd = 10_000;
        info.snd_wnd = 65_536;
        info.snd_mss = 1_000;
        info.send_queue = 4_500;
        info.in_flight = 2_500;
        info.retransmissions = 7;
        info.sack = true;
        info.window_scale = Some((8, 7));
        info
    }

    #[test]
    fn the_layout_is_that_of_linux() {
        let bytes = layout(&info());
        let number = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes[..8], [1, 0, 0, 0, 0, OPTION_SACK | OPTION_WINDOW_SCALE, 0x87, 0]);
        assert_eq!((number(8), number(68), number(72)), (220_000, 20_000, 10_000), "microseconds");
        assert_eq!((number(24), number(80), number(76)), (3, 10, INFINITE_THRESHOLD), "segments");
        assert_eq!((number(100), number(144), number(228)), (7, 2_000, 65_536));
    }
}
