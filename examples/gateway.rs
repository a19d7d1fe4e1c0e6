//! A way out for a network namespace that has nothing but a TUN interface: every TCP connection to anywhere is taken by
//! a listener for any address, opened again from the host's own sockets, and the two are spliced.
//!
//!     sudo ip netns add inside
//!     sudo cargo run --release --example gateway -- inside/lw0
//!     sudo ip netns exec inside curl http://192.0.2.80/
//!
//! One thread waits for the host's sockets and for the stack's in one mio loop. An end of a direction is passed on
//! behind its last byte and leaves the other one open; a reset is passed on as a reset; who cannot be reached is a reset,
//! too. Nothing is read from one side that the other has no room for. What the host can reach can be reached from inside.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use longwire::device::{Cut, Device, DeviceError, InterfaceConfig, Offload, OpenTun, Plain, Prefix, TunName};
use longwire::net::{Events, KeepAlive, Network, Poller, TcpListener, TcpStream};
use mio::{Interest, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use socket2::SockRef;

/// Connections at a time, unless the second argument says otherwise: each takes a descriptor of the host.
const CONNECTIONS: usize = 512;
/// Most that is moved in one direction before others have their turn: so many pieces of the size of the buffer.
const PIECES: usize = 16;
const PIECE: usize = 64 * 1024;
/// The namespace's ends of the interface and the stack's.
const HOST: [&str; 2] = ["10.9.0.1", "fd09::1"];
const STACK: [&str; 2] = ["10.9.0.2/24", "fd09::2/64"];

/// In both pollers: the thing that there is one of. Splices are numbered from `FIRST` on.
const LISTENER: Token = Token(0);
const STACK_SOCKETS: Token = Token(0);
const SIGNAL: Token = Token(1);
const FIRST: usize = 2;

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let name: TunName = arguments.next().ok_or("usage: gateway NETNS/TUN [CONNECTIONS]")?.parse()?;
    let limit = arguments.next().map_or(Ok(CONNECTIONS), |text| text.parse())?;
    if name.namespace.is_none() {
        // Its default route is going to be the interface, which would take ours away.
        return Err("the interface has to be in another network namespace: NETNS/TUN".into());
    }
    let mut builder = Network::builder(open(&name)?);
    for address in STACK {
        builder = builder.address(address.parse()?);
    }
    let network = builder.start()?;
    let mut gateway = Gateway::new(&network, limit)?;
    println!("gateway: {name} is the way out for {} and {} (Ctrl-C stops)", HOST[0], HOST[1]);
    gateway.run()?;
    println!("gateway: {}", gateway.report());
    // What is still open is broken off on both sides: half a transfer must not look like a whole one.
    drop(gateway);
    network.shutdown(Duration::from_secs(1));
    Ok(())
}

/// The interface, with all that is not its own network routed to it.
fn open(name: &TunName) -> Result<Box<dyn Device>, AnyError> {
    let prefix = |address: &str, len| Ok::<_, AnyError>(Prefix { address: address.parse()?, len });
    let config = InterfaceConfig {
        addresses: vec![prefix(HOST[0], 24)?, prefix(HOST[1], 64)?],
        routes: vec![prefix("0.0.0.0", 0)?, prefix("::", 0)?],
        ..InterfaceConfig::default()
    };
    match OpenTun::<Offload>::open(name) {
        Ok(tun) => Ok(Box::new(tun.configure(&config)?)),
        Err(DeviceError::NoOffload { .. }) => {
            Ok(Box::new(Cut::new(OpenTun::<Plain>::open(name)?.configure(&config)?).merging()))
        }
        Err(error) => Err(error.into()),
    }
}

struct Gateway {
    /// Waits for everything; the stack's sockets are one source of it.
    poll: mio::Poll,
    poller: Poller,
    listener: TcpListener,
    splices: HashMap<usize, Splice>,
    limit: usize,
    next: usize,
    /// Splices that had more to move when their turn was over: no event will tell of them again.
    unfinished: VecDeque<usize>,
    scratch: Box<[u8]>,
    totals: Totals,
}

#[derive(Default)]
struct Totals {
    accepted: u64,
    unreachable: u64,
    broken: u64,
}

impl Gateway {
    fn new(network: &Network, limit: usize) -> io::Result<Gateway> {
        let poll = mio::Poll::new()?;
        let mut poller = Poller::new()?;
        poll.registry().register(&mut poller, STACK_SOCKETS, Interest::READABLE)?;

        let listener = network.listen_any()?;
        listener.set_nonblocking(true)?;
        // A client that vanishes gives its place back; from the host's side the kernel sees to it.
        let (idle, interval) = (Duration::from_secs(60), Duration::from_secs(15));
        listener.set_keepalive(Some(KeepAlive { idle, interval, count: 4 }))?;
        poller.register(&listener, LISTENER, Interest::READABLE)?;

        Ok(Gateway {
            poll,
            poller,
            listener,
            splices: HashMap::new(),
            limit,
            next: FIRST,
            unfinished: VecDeque::new(),
            scratch: vec![0; PIECE].into_boxed_slice(),
            totals: Totals::default(),
        })
    }

    /// Until there is a signal.
    fn run(&mut self) -> io::Result<()> {
        let _signal = watch_signals(self.poll.registry())?;
        let mut events = mio::Events::with_capacity(256);
        let mut stack_events = Events::with_capacity(256);
        loop {
            let timeout = (!self.unfinished.is_empty()).then_some(Duration::ZERO);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    SIGNAL => return Ok(()),
                    STACK_SOCKETS => self.take_stack_events(&mut stack_events)?,
                    Token(number) => self.turn(number),
                }
            }
            for _ in 0..self.unfinished.len() {
                let Some(number) = self.unfinished.pop_front() else { break };
                if let Some(splice) = self.splices.get_mut(&number) {
                    splice.queued = false;
                }
                self.turn(number);
            }
            // Places may have become free for some who were left waiting.
            self.accept_all()?;
        }
    }

    fn take_stack_events(&mut self, events: &mut Events) -> io::Result<()> {
        loop {
            self.poller.poll(events, Some(Duration::ZERO))?;
            if events.is_empty() {
                return Ok(());
            }
            for event in events.iter().filter(|event| event.token() != LISTENER) {
                self.turn(event.token().0);
            }
        }
    }

    /// Takes connections as long as there are places; the others wait in the listener's queue, which is bounded.
    fn accept_all(&mut self) -> io::Result<()> {
        while self.splices.len() < self.limit {
            match self.listener.accept() {
                Ok((inside, _peer)) => self.begin(inside),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Opens the other side of a connection.
    fn begin(&mut self, inside: TcpStream) {
        self.totals.accepted += 1;
        // Whatever goes wrong from here on is a reset.
        inside.set_reset_on_drop(true);
        let number = self.next;
        match self.connect_outside(&inside, number) {
            Ok(outside) => {
                self.next += 1;
                self.splices.insert(number, Splice::new(inside, outside));
            }
            Err(_) => self.totals.unreachable += 1,
        }
    }

    fn connect_outside(&self, inside: &TcpStream, number: usize) -> io::Result<mio::net::TcpStream> {
        let token = Token(number);
        let both = Interest::READABLE | Interest::WRITABLE;
        let mut outside = mio::net::TcpStream::connect(inside.local_addr()?)?;
        outside.set_nodelay(true)?;
        SockRef::from(&outside).set_linger(Some(Duration::ZERO))?;
        inside.set_nonblocking(true)?;
        inside.set_nodelay(true)?;
        self.poll.registry().register(&mut outside, token, both)?;
        self.poller.register(inside, token, both)?;
        Ok(outside)
    }

    /// Moves what can be moved in a splice; dropped, both of its sockets leave the pollers.
    fn turn(&mut self, number: usize) {
        let Some(splice) = self.splices.get_mut(&number) else { return };
        match splice.turn(&mut self.scratch) {
            Ok(Turn::Waiting) => return,
            Ok(Turn::Unfinished) => {
                if !std::mem::replace(&mut splice.queued, true) {
                    self.unfinished.push_back(number);
                }
                return;
            }
            Ok(Turn::Ended) => splice.end_in_order(),
            Err(_) if splice.connecting => self.totals.unreachable += 1,
            Err(_) => self.totals.broken += 1,
        }
        self.splices.remove(&number);
    }

    fn report(&self) -> String {
        let Totals { accepted, unreachable, broken } = self.totals;
        let open = self.splices.len();
        format!(
            "{accepted} connections, of them {unreachable} to nobody, {broken} broken off, {open} still open"
        )
    }
}

/// A stream that is readable once there was a signal to end.
fn watch_signals(registry: &mio::Registry) -> io::Result<mio::net::UnixStream> {
    let (signal, rung) = UnixStream::pair()?;
    for number in [SIGINT, SIGTERM] {
        signal_hook::low_level::pipe::register(number, rung.try_clone()?)?;
    }
    signal.set_nonblocking(true)?;
    let mut signal = mio::net::UnixStream::from_std(signal);
    registry.register(&mut signal, SIGNAL, Interest::READABLE)?;
    Ok(signal)
}

/// A connection from inside and the one that stands for it outside.
struct Splice {
    inside: TcpStream,
    outside: mio::net::TcpStream,
    connecting: bool,
    /// It is among the unfinished ones.
    queued: bool,
    up: Pipe,
    down: Pipe,
}

enum Turn {
    /// Nothing more can be moved until there is an event.
    Waiting,
    /// There may be more: its turn is over.
    Unfinished,
    /// Both directions have ended.
    Ended,
}

impl Splice {
    fn new(inside: TcpStream, outside: mio::net::TcpStream) -> Splice {
        let (up, down) = (Pipe::default(), Pipe::default());
        Splice { inside, outside, connecting: true, queued: false, up, down }
    }

    fn turn(&mut self, scratch: &mut [u8]) -> io::Result<Turn> {
        if self.connecting && !self.is_connected()? {
            return Ok(Turn::Waiting);
        }
        self.connecting = false;
        let up = self.up.pump(&mut self.inside, &mut self.outside, scratch)?;
        let down = self.down.pump(&mut self.outside, &mut self.inside, scratch)?;
        Ok(match (up, down) {
            (Turn::Ended, Turn::Ended) => Turn::Ended,
            (Turn::Unfinished, _) | (_, Turn::Unfinished) => Turn::Unfinished,
            _ => Turn::Waiting,
        })
    }

    /// Whether the connection outside stands; an error if it never will, or if the client has given up meanwhile.
    fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.outside.take_error()?.or(self.inside.take_error()?) {
            return Err(error);
        }
        match self.outside.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Both have said all that they had to say: what is on its way still arrives.
    fn end_in_order(&self) {
        self.inside.set_reset_on_drop(false);
        // Fails only on a descriptor that is no socket.
        let _ = SockRef::from(&self.outside).set_linger(None);
    }
}

/// One direction.
#[derive(Default)]
struct Pipe {
    /// Read, and not yet taken by the other side; less than a piece.
    owed: VecDeque<u8>,
    /// The source has ended.
    ended: bool,
    /// The other side has been told so.
    closed: bool,
}

impl Pipe {
    fn pump(
        &mut self,
        from: &mut impl Read,
        to: &mut (impl Write + HalfClose),
        scratch: &mut [u8],
    ) -> io::Result<Turn> {
        for _ in 0..PIECES {
            if !self.pay(to)? {
                return Ok(Turn::Waiting);
            }
            if self.ended {
                if !std::mem::replace(&mut self.closed, true) {
                    to.half_close()?;
                }
                return Ok(Turn::Ended);
            }
            match unless_blocked(from.read(scratch))? {
                None => return Ok(Turn::Waiting),
                Some(0) => self.ended = true,
                Some(count) => {
                    let taken = unless_blocked(to.write(&scratch[..count]))?.unwrap_or(0);
                    self.owed.extend(&scratch[taken..count]);
                }
            }
        }
        Ok(Turn::Unfinished)
    }

    /// Writes what is owed; whether that was all of it.
    fn pay(&mut self, to: &mut impl Write) -> io::Result<bool> {
        while !self.owed.is_empty() {
            match unless_blocked(to.write(self.owed.as_slices().0))? {
                Some(count) => drop(self.owed.drain(..count)),
                None => return Ok(false),
            }
        }
        // An idle connection keeps no buffer.
        self.owed = VecDeque::new();
        Ok(true)
    }
}

/// A stream whose own direction can be ended.
trait HalfClose {
    fn half_close(&self) -> io::Result<()>;
}

impl HalfClose for TcpStream {
    fn half_close(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl HalfClose for mio::net::TcpStream {
    fn half_close(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// `None` instead of `WouldBlock`.
fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock) => Ok(None),
        Err(error) => Err(error),
    }
}
