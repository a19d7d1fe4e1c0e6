//! Very many connections that do nothing, held from inside a stack's loop: what each of them costs, and what a request
//! on one of them costs among so many.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use ::http::{Request, Uri};
use fastrand::Rng;

use super::histogram::Histogram;
use crate::driver::{Application, Error, Event, Instant, SharedStack, SocketId};
use crate::http::{BodySize, ClientConnection, ResponseEvent};
use crate::net::Network;

/// Connections that are being opened at once.
const AT_ONCE: usize = 256;
/// The ports of each of our addresses.
const FIRST_PORT: u16 = 1_024;
pub(crate) const PORTS: u32 = 60_000;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the holder is to do next; it does one thing after the other.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// Open connections, with a request on each, until there are so many.
    Open(u32),
    /// So many requests, one at a time, each on a connection chosen at random.
    Ask(u32),
}

/// How far it has come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Connections that stand and have had their request.
    Open(u32),
    /// All requests have been answered, in these times.
    Answered(Histogram),
    /// It cannot go on.
    Failed(String),
}

/// The caller's end: orders go in, progress comes out.
pub(crate) struct Crowd {
    orders: Sender<Order>,
    progress: Receiver<Progress>,
    network: Network,
}

impl Crowd {
    /// One that asks `url` at `server` from `sources`, which are addresses of the network.
    pub(crate) fn new(network: &Network, server: SocketAddr, sources: Vec<IpAddr>, url: &Uri) -> Crowd {
        let (orders, inbox) = mpsc::channel();
        let (report, progress) = mpsc::channel();
        let mut request = Request::new(());
        *request.uri_mut() = url.clone();
        network.attach(Box::new(Holder {
            server,
            sources,
            request,
            inbox,
            report,
            order: None,
            begun: 0,
            held: Vec::new(),
            exchanges: HashMap::new(),
            times: Histogram::new(),
            asked: 0,
            rng: Rng::with_seed(1),
        }));
        Crowd { orders, progress, network: network.clone() }
    }

    /// Opens connections until there are `count`, and tells `watch` how far that has come. How many there are then.
    ///
    /// # Errors
    /// Why there are not as many, in words.
    pub(crate) fn open(&self, count: u32, mut watch: impl FnMut(u32) -> bool) -> Result<u32, String> {
        self.order(Order::Open(count))?;
        let mut open = 0;
        while open < count {
            match self.next()? {
                Progress::Open(now) => open = now,
                Progress::Failed(why) => return Err(why),
                Progress::Answered(_) => {}
            }
            if !watch(open) {
                return Ok(open);
            }
        }
        Ok(open)
    }

    /// Asks on connections chosen at random, one at a time.
    ///
    /// # Errors
    /// Why one was not answered, in words.
    pub(crate) fn ask(&self, requests: u32) -> Result<Histogram, String> {
        self.order(Order::Ask(requests))?;
        loop {
            match self.next()? {
                Progress::Answered(times) => return Ok(times),
                Progress::Failed(why) => return Err(why),
                Progress::Open(_) => {}
            }
        }
    }

    fn order(&self, order: Order) -> Result<(), String> {
        self.orders.send(order).map_err(|_| "the stack has stopped".to_owned())?;
        self.network.shared().ringer().ring();
        Ok(())
    }

    fn next(&self) -> Result<Progress, String> {
        self.progress.recv_timeout(2 * PATIENCE).map_err(|_| "nothing has happened for a while".to_owned())
    }
}

/// A request under way.
struct Exchange {
    http: ClientConnection,
    asked_at: Instant,
    connected: bool,
}

/// The application in the loop.
struct Holder {
    server: SocketAddr,
    sources: Vec<IpAddr>,
    request: Request<()>,
    inbox: Receiver<Order>,
    report: Sender<Progress>,
    order: Option<Order>,
    /// Connections begun so far.
    begun: u32,
    /// Those that are idle.
    held: Vec<SocketId>,
    exchanges: HashMap<SocketId, Exchange>,
    times: Histogram,
    /// Requests of the present order begun so far.
    asked: u32,
    rng: Rng,
}

impl Application for Holder {
    fn turn(&mut self, stack: &SharedStack, now: Instant, events: &[Event]) {
        if self.order.is_none() {
            self.order = self.inbox.try_recv().ok();
            self.asked = 0;
        }
        let before = self.held.len();
        let outcome =
            events.iter().try_for_each(|event| self.notice(stack, event)).and_then(|()| match self.order {
                Some(Order::Open(count)) => self.go_on_opening(stack, now, count, before),
                Some(Order::Ask(count)) => self.go_on_asking(stack, count),
                None => Ok(()),
            });
        if let Err(why) = outcome.and_then(|()| self.find_late(now)) {
            self.order = None;
            self.give_up(stack, now);
            self.tell(Progress::Failed(why));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.exchanges.values().map(|exchange| exchange.asked_at + PATIENCE).min()
    }
}

impl Holder {
    fn notice(&mut self, stack: &SharedStack, event: &Event) -> Result<(), String> {
        let socket = event.socket;
        let Some(exchange) = self.exchanges.get_mut(&socket) else {
            let ours = event.kinds.closed && self.held.contains(&socket);
            return if ours {
                Err("the server has closed a connection that was idle".to_owned())
            } else {
                Ok(())
            };
        };
        if event.kinds.failed {
            return Err(format!("connection {} failed: {:?}", self.held.len() + 1, error_of(stack, socket)));
        }
        if event.kinds.connected && !std::mem::replace(&mut exchange.connected, true) {
            send(stack, socket, exchange)?;
        }
        if receive(stack, socket, exchange)?
            && let Some(exchange) = self.exchanges.remove(&socket)
        {
            self.times.record(stack.now() - exchange.asked_at);
            self.held.push(socket);
        }
        Ok(())
    }

    fn go_on_opening(
        &mut self,
        stack: &SharedStack,
        now: Instant,
        count: u32,
        before: usize,
    ) -> Result<(), String> {
        while self.begun < count && self.exchanges.len() < AT_ONCE {
            let source = self.sources.get((self.begun / PORTS) as usize);
            let source = source.ok_or_else(|| format!("{} addresses are too few", self.sources.len()))?;
            let local = SocketAddr::new(*source, FIRST_PORT + (self.begun % PORTS) as u16);
            let socket = stack.with(|stack| stack.connect(now, self.server, Some(local), None));
            let socket =
                socket.map_err(|error| format!("connection {} cannot be opened: {error}", self.begun + 1))?;
            self.begun += 1;
            let exchange = Exchange { http: self.begin(), asked_at: now, connected: false };
            self.exchanges.insert(socket, exchange);
        }
        let held = self.held.len() as u32;
        if held < count && self.exchanges.is_empty() {
            return Err(format!("{} connections were given up before", self.begun - held));
        }
        if self.held.len() != before || held >= count {
            self.tell(Progress::Open(held));
        }
        if held >= count {
            self.order = None;
        }
        Ok(())
    }

    fn go_on_asking(&mut self, stack: &SharedStack, count: u32) -> Result<(), String> {
        if !self.exchanges.is_empty() {
            return Ok(());
        }
        if self.asked == count || self.held.is_empty() {
            self.order = None;
            let times = std::mem::replace(&mut self.times, Histogram::new());
            self.tell(Progress::Answered(times));
            return Ok(());
        }
        if self.asked == 0 {
            self.times = Histogram::new();
        }
        self.asked += 1;
        let socket = self.held.swap_remove(self.rng.usize(..self.held.len()));
        let mut exchange = Exchange { http: self.begin(), asked_at: stack.now(), connected: true };
        send(stack, socket, &mut exchange)?;
        self.exchanges.insert(socket, exchange);
        Ok(())
    }

    fn begin(&self) -> ClientConnection {
        let mut http = ClientConnection::default();
        http.begin(&self.request, BodySize::Known(0));
        http
    }

    fn find_late(&self, now: Instant) -> Result<(), String> {
        let late = |exchange: &Exchange| now >= exchange.asked_at + PATIENCE;
        let late = self.exchanges.values().any(late);
        if late {
            Err(format!("no answer in time, with {} connections open", self.held.len()))
        } else {
            Ok(())
        }
    }

    /// Resets what is under way: it would fail again with every turn.
    fn give_up(&mut self, stack: &SharedStack, now: Instant) {
        for (socket, _) in self.exchanges.drain() {
            stack.with(|stack| {
                // Both fail only if it is gone already.
                let _ = stack.abort(socket);
                let _ = stack.close(now, socket);
            });
        }
    }

    /// Nobody is told if nobody listens any more.
    fn tell(&self, progress: Progress) {
        let _ = self.report.send(progress);
    }
}

/// Whoever asks on an idle connection has room for a request.
fn send(stack: &SharedStack, socket: SocketId, exchange: &mut Exchange) -> Result<(), String> {
    while let Some(piece) = exchange.http.take_output() {
        let written = stack.with(|stack| stack.write(socket, &piece));
        if written != Ok(piece.len()) {
            return Err(format!("a request could not be written: {written:?}"));
        }
    }
    Ok(())
}

/// Whether the answer is complete.
fn receive(stack: &SharedStack, socket: SocketId, exchange: &mut Exchange) -> Result<bool, String> {
    loop {
        let chunk = match stack.with(|stack| stack.read_chunk(socket)) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Err("the server has closed a connection before its answer".to_owned()),
            Err(Error::WouldBlock) => return Ok(false),
            Err(error) => return Err(error.to_string()),
        };
        let mut input = &chunk[..];
        loop {
            let (used, event) =
                exchange.http.receive(input).map_err(|bad| format!("no HTTP answer: {bad}"))?;
            input = &input[used..];
            match event {
                Some(ResponseEvent::Head(head)) if !head.status().is_success() => {
                    return Err(format!("the server answers {}", head.status()));
                }
                Some(ResponseEvent::End(_)) => {
                    let stays = exchange.http.is_reusable();
                    return if stays { Ok(true) } else { Err("the server ends its connections".to_owned()) };
                }
                Some(_) => {}
                None => break,
            }
        }
    }
}

fn error_of(stack: &SharedStack, socket: SocketId) -> Option<Error> {
    stack.with(|stack| stack.error(socket)).ok().flatten()
}
