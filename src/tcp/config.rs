//! What can be set: for every connection of a stack, and for one socket.

use crate::time::Duration;

/// The congestion controllers that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// CUBIC (RFC 9438), as Linux, Windows and macOS send.
    #[default]
    Cubic,
    /// NewReno (RFC 5681, RFC 6582).
    NewReno,
    /// BBR version 3 (draft-ietf-ccwg-bbr-06). It paces what it sends, whatever [`Config::pacing`] says.
    Bbr,
}

impl Algorithm {
    /// The name, as on Linux.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Cubic => "cubic",
            Algorithm::NewReno => "newreno",
            Algorithm::Bbr => "bbr",
        }
    }
}

/// Whether connections take part in explicit congestion notification (RFC 3168).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum EcnMode {
    /// Never.
    Off,
    /// If the peer asks.
    #[default]
    OnRequest,
    /// Our SYNs ask.
    Always,
}

/// What a congestion window is worth that was not used for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum AfterIdle {
    /// Nothing, after more than a retransmission time-out of silence: sending begins with the initial window again
    /// (RFC 5681 4.1), since nobody knows what has become of the path.
    #[default]
    Restart,
    /// For five minutes as much as before, and half of that after each five minutes more (RFC 7661): for applications
    /// that send now much, now little, on long connections. The window grows once half of it is used, and after a loss only
    /// what was used counts. The first burst after a pause is as large as the window, unless sending is paced. With BBR,
    /// which knows the rate of the path, this is the same as `Restart`.
    Validate,
}

/// Parameters of all connections of a stack. The defaults are what deployed stacks do.
///
/// ```
/// use longwire::tcp::{AfterIdle, Algorithm, Config, EcnMode};
/// let config = Config { congestion: Algorithm::NewReno, ecn: EcnMode::Always, ..Config::default() };
/// assert_eq!(config.time_wait(), 2 * config.msl);
/// let bursty = Config { after_idle: AfterIdle::Validate, pacing: true, ..Config::default() };
/// assert_ne!(bursty.after_idle, config.after_idle);
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Maximum segment lifetime; TIME-WAIT lasts twice that (RFC 9293 3.4.2).
    pub msl: Duration,
    /// By how much the retransmission time-out exceeds the smoothed round-trip time at least, and so the least that it
    /// is: G in RFC 6298 2.3. It has to cover what the peer may delay an acknowledgment, on long paths too. RFC 6298 2.4
    /// wants a time-out of 1 s at least; 200 ms is what deployed stacks take.
    pub min_rto: Duration,
    /// Greatest retransmission time-out (RFC 6298 2.5).
    pub max_rto: Duration,
    /// Whether connections use timestamps, if the peer does (RFC 7323 3).
    pub timestamps: bool,
    /// Initial window in segments (RFC 6928).
    pub initial_window: u32,
    /// How new connections control congestion.
    pub congestion: Algorithm,
    /// Whether data leaves in bursts of at most a millisecond, spread over the round-trip. Off by default.
    pub pacing: bool,
    /// What a window is worth that was not used for a while.
    pub after_idle: AfterIdle,
    /// Explicit congestion notification.
    pub ecn: EcnMode,
    /// How long an acknowledgment may wait for company (RFC 9293 3.8.6.3 allows 500 ms).
    pub delayed_ack: Duration,
    /// How often a SYN is sent again before the connection times out.
    pub syn_retries: u8,
    /// How often a SYN-ACK is sent again before the half-open connection is dropped.
    pub syn_ack_retries: u8,
    /// How often a segment is sent again before the connection times out (RFC 9293 3.8.3, R2).
    pub retransmission_limit: u8,
    /// How long a connection that the application has let go waits in FIN-WAIT-2 for the peer's FIN.
    pub fin_wait_2_timeout: Duration,
    /// Least time between two challenge ACKs of one connection (RFC 5961 10).
    pub challenge_ack_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            msl: Duration::from_secs(30),
            min_rto: Duration::from_millis(200),
            max_rto: Duration::from_secs(120),
            timestamps: true,
            initial_window: 10,
            congestion: Algorithm::default(),
            pacing: false,
            after_idle: AfterIdle::default(),
            ecn: EcnMode::default(),
            delayed_ack: Duration::from_millis(40),
            syn_retries: 6,
            syn_ack_retries: 5,
            retransmission_limit: 15,
            fin_wait_2_timeout: Duration::from_secs(60),
            challenge_ack_interval: Duration::from_millis(500),
        }
    }
}

impl Config {
    /// How long TIME-WAIT lasts: twice the maximum segment lifetime (RFC 9293 3.4.2), whatever that was set to.
    pub fn time_wait(&self) -> Duration {
        self.msl.saturating_mul(2)
    }
}

/// Keep-alive of one connection (RFC 9293 3.8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first probe; 24 days at most, however much more is asked for.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes after which the peer counts as gone.
    pub count: u8,
}

impl Default for KeepAlive {
    fn default() -> Self {
        KeepAlive { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), count: 9 }
    }
}

/// Options of one socket. Connections accepted from a listener begin with the listener's, and share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Off: small writes wait while data is unacknowledged (Nagle, RFC 9293 3.7.4).
    pub nodelay: bool,
    /// Nothing but full segments leaves, until this is switched off, the application [pushes](super::Connection::push),
    /// or nothing has been under way for a retransmission time-out (`TCP_CORK` of tcp(7), which names 200 ms).
    pub cork: bool,
    /// Probing of an idle peer, off by default.
    pub keep_alive: Option<KeepAlive>,
    /// How long written data may stay unacknowledged (RFC 9293 3.9.1), instead of the retransmission limit.
    pub user_timeout: Option<Duration>,
    /// Most bytes a segment carries, in either direction, options not counted; `None`: what the device's MTU allows. It
    /// is announced as our MSS, so it has to be set before the connection begins.
    pub max_segment: Option<u16>,
    /// Most bytes written and not yet acknowledged. The room follows the congestion window up to here.
    pub send_buffer: usize,
    /// What of that there is room for before anything is known of the path.
    pub first_send_buffer: usize,
    /// Most bytes written that cannot be sent yet (`TCP_NOTSENT_LOWAT` of tcp(7)): what is written later than it has to
    /// be is newer, and can still be put before something else. A socket counts as writable again when less than half
    /// of it waits. A write may go over it by what makes the last super-packet a whole one. `None`: only `send_buffer`
    /// counts.
    pub notsent_lowat: Option<usize>,
    /// Segments that may always leave as one burst, however little a millisecond at the sending rate carries: larger
    /// ones cost less, smaller ones are kinder to queues.
    pub min_burst: u8,
    /// Most bytes received and not yet read. The receive window follows what is read in a round trip up to here.
    pub receive_buffer: usize,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions {
            nodelay: false,
            cork: false,
            keep_alive: None,
            user_timeout: None,
            max_segment: None,
            send_buffer: 4 * 1024 * 1024,
            first_send_buffer: 64 * 1024,
            notsent_lowat: None,
            min_burst: 2,
            receive_buffer: 6 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_lifetime_is_too_long_to_be_doubled() {
        let config = Config { msl: Duration::MAX, ..Config::default() };
        assert_eq!(config.time_wait(), Duration::MAX);
        assert_eq!(Config::default().time_wait(), Duration::from_secs(60));
    }
}
