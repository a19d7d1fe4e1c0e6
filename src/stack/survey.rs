//! A look at every socket, a few at a time: what `ss` shows.

use std::net::SocketAddr;

use super::flow::{Flow, FourTuple};
use super::socket::{Entry, HalfOpenEntry, Known, Progress, Socket, TcpSocket};
use super::{SocketId, Stack, State, TcpInfo, TimerInfo, TimerKind};

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP and ICMPv6 echo.
    Icmp,
}

/// Where a socket of any kind is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketState {
    /// A listener.
    Listen,
    /// Datagrams, to and from anybody.
    Unconnected,
    /// A connection, or datagrams with one peer (as ESTABLISHED).
    Connection(State),
}

impl SocketState {
    /// The name as RFC 9293 writes it; `UNCONNECTED`, which is none of its states, for datagrams without a peer.
    pub const fn name(self) -> &'static str {
        match self {
            SocketState::Listen => "LISTEN",
            SocketState::Unconnected => "UNCONNECTED",
            SocketState::Connection(state) => state.name(),
        }
    }
}

/// One socket, half-open connection or entry in TIME-WAIT.
#[derive(Clone, Debug, PartialEq)]
pub struct SocketInfo {
    /// Its handle; half-open connections and entries in TIME-WAIT have none.
    pub id: Option<SocketId>,
    /// What it speaks.
    pub transport: Transport,
    /// Where it is in its life.
    pub state: SocketState,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: Option<SocketAddr>,
    /// Bytes received and not read; for a listener the connections that wait to be accepted.
    pub receive_queue: usize,
    /// Bytes written and not acknowledged; for a listener the most connections that may wait.
    pub send_queue: usize,
    /// The timer that fires next.
    pub timer: Option<TimerInfo>,
    /// What only a connection has.
    pub tcp: Option<TcpInfo>,
}

/// How far a [`survey`](Stack::survey) has come.
///
/// ```
/// use longwire::stack::{
///     Config, Instant, ListenOptions, Pool, Seed, SocketInfo, SocketState, Stack, SurveyPlace, TimerInfo, TimerKind,
///     Transport,
/// };
///
/// let config = Config::new(vec!["10.9.0.2/24".parse().unwrap()]);
/// let mut stack = Stack::new(config, Seed::from_u64(1), Pool::new(), Instant::ZERO);
/// stack.listen("10.9.0.2:80".parse().unwrap(), ListenOptions::default()).unwrap();
///
/// let (mut place, mut seen) = (SurveyPlace::default(), Vec::new());
/// while stack.survey(&mut place, 64, &mut |socket: &SocketInfo| seen.push((socket.transport, socket.state))) {}
/// assert_eq!(seen, [(Transport::Tcp, SocketState::Listen)]);
///
/// /// Whether a connection has heard nothing for a while.
/// fn is_silent(socket: &SocketInfo) -> bool {
///     matches!(socket.timer, Some(TimerInfo { kind: TimerKind::Retransmit, tries: 3.., .. }))
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SurveyPlace {
    table: Table,
    index: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Table {
    #[default]
    Sockets,
    HalfOpen,
    TimeWaitV4,
    TimeWaitV6,
    End,
}

impl Stack {
    /// Shows what there is from `place` on, looks at `budget` places at most and moves `place` behind them. Whether
    /// more is to come.
    ///
    /// The stack may run between two calls. What stays where it is all the while is shown exactly once; what comes,
    /// goes or changes its kind (a connection that moves to TIME-WAIT) is shown once, twice or not at all.
    pub fn survey(&self, place: &mut SurveyPlace, budget: usize, visit: &mut dyn FnMut(&SocketInfo)) -> bool {
        for _ in 0..budget {
            while place.index >= self.places(place.table) {
                *place = SurveyPlace { table: place.table.next(), index: 0 };
                if place.table == Table::End {
                    return false;
                }
            }
            if let Some(info) = self.info_at(*place) {
                visit(&info);
            }
            place.index += 1;
        }
        place.table != Table::End
    }

    fn places(&self, table: Table) -> u32 {
        match table {
            Table::Sockets => self.sockets.places(),
            Table::HalfOpen => self.half_open.places(),
            Table::TimeWaitV4 => self.time_wait.places().0,
            Table::TimeWaitV6 => self.time_wait.places().1,
            Table::End => 0,
        }
    }

    fn info_at(&self, SurveyPlace { table, index }: SurveyPlace) -> Option<SocketInfo> {
        match table {
            Table::Sockets => self.socket_info(self.sockets.id_at(index)?),
            Table::HalfOpen => Some(self.half_open_info(index, self.half_open.at(index)?)),
            Table::TimeWaitV4 => self.time_wait_info(Flow::TimeWaitV4(index)),
            Table::TimeWaitV6 => self.time_wait_info(Flow::TimeWaitV6(index)),
            Table::End => None,
        }
    }

    fn socket_info(&self, id: SocketId) -> Option<SocketInfo> {
        let Entry { socket, progress, .. } = self.sockets.get(id)?;
        let message_state = match self.remote_addr(id) {
            Ok(_) => SocketState::Connection(State::Established),
            Err(_) => SocketState::Unconnected,
        };
        let (transport, state, (receive_queue, send_queue)) = match socket {
            Socket::Tcp(tcp) => return self.connection_info(id, tcp, *progress),
            Socket::Listener(listener) => {
                (Transport::Tcp, SocketState::Listen, (listener.accept_queue.len(), listener.backlog()))
            }
            Socket::Udp(udp) => (Transport::Udp, message_state, udp.queue.queued()),
            Socket::Ping(ping) => (Transport::Icmp, message_state, ping.queue.queued()),
        };
        Some(SocketInfo {
            id: Some(id),
            transport,
            state,
            local: self.local_addr(id).ok()?,
            remote: self.remote_addr(id).ok(),
            receive_queue,
            send_queue,
            timer: None,
            tcp: None,
        })
    }

    fn connection_info(&self, id: SocketId, tcp: &TcpSocket, progress: Progress) -> Option<SocketInfo> {
        let info = tcp.connection.info(self.env.now, &self.env.config.tcp);
        if info.state == State::TimeWait && !progress.is(Known::InDemux) {
            return None; // the application still holds it; the connection itself is an entry in TIME-WAIT
        }
        Some(SocketInfo {
            id: Some(id),
            state: SocketState::Connection(info.state),
            receive_queue: info.receive_queue,
            send_queue: info.send_queue,
            timer: tcp.connection.next_timer(),
            tcp: Some(info),
            ..of_tuple(&tcp.ends.tuple())
        })
    }

    fn half_open_info(&self, index: u32, entry: &HalfOpenEntry) -> SocketInfo {
        let timer = |at| TimerInfo { kind: TimerKind::SynAck, at, tries: entry.half.retries() };
        SocketInfo { timer: self.syn_timers.armed_for(index).map(timer), ..of_tuple(&entry.tuple) }
    }

    fn time_wait_info(&self, flow: Flow) -> Option<SocketInfo> {
        let (tuple, at) = self.time_wait.survey(flow)?;
        Some(SocketInfo {
            state: SocketState::Connection(State::TimeWait),
            timer: Some(TimerInfo { kind: TimerKind::TimeWait, at, tries: 0 }),
            ..of_tuple(&tuple)
        })
    }
}

impl Table {
    fn next(self) -> Table {
        match self {
            Table::Sockets => Table::HalfOpen,
            Table::HalfOpen => Table::TimeWaitV4,
            Table::TimeWaitV4 => Table::TimeWaitV6,
            Table::TimeWaitV6 | Table::End => Table::End,
        }
    }
}

/// A half-open connection between these ends.
fn of_tuple(tuple: &FourTuple) -> SocketInfo {
    SocketInfo {
        id: None,
        transport: Transport::Tcp,
        state: SocketState::Connection(State::SynReceived),
        local: tuple.local(),
        remote: Some(tuple.remote()),
        receive_queue: 0,
        send_queue: 0,
        timer: None,
        tcp: None,
    }
}
