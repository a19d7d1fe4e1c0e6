//! Programs for `net`, whichever that is: what differs between the two is the line with `use`, and nothing else.

use std::fmt::Debug;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::Duration;

use super::net::{TcpListener, TcpStream, UdpSocket};

/// What a program saw.
#[derive(Default)]
struct Seen(Vec<String>);

impl Seen {
    fn note(&mut self, what: &str, value: impl Debug) {
        self.0.push(format!("{what}: {value:?}"));
    }

    /// A result without what may differ: the words of an error, the value itself.
    fn outcome<T>(&mut self, what: &str, result: io::Result<T>) {
        self.note(what, kind(result.map(drop)));
    }
}

fn kind<T>(result: io::Result<T>) -> Result<T, ErrorKind> {
    result.map_err(|error| error.kind())
}

const SHORT: Duration = Duration::from_millis(20);

/// A connection: (client, server), and the listener.
fn connection(host: &str) -> (TcpStream, TcpStream, TcpListener) {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    assert_eq!(server.peer_addr().unwrap(), peer);
    (client, server, listener)
}

pub(crate) fn listening(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    seen.note("its host", address.ip().to_string() == host);
    seen.outcome("bound twice", TcpListener::bind(address));
    seen.outcome("somebody else's address", TcpListener::bind("192.0.2.1:0"));
    seen.outcome("no address at all", TcpListener::bind(&[][..]));
    seen.outcome("no port", TcpListener::bind(host));
    let taken_and_free = [address, SocketAddr::new(address.ip(), 0)];
    seen.outcome("the first of two is taken", TcpListener::bind(&taken_and_free[..]));
    listener.set_nonblocking(true).unwrap();
    seen.outcome("nobody to accept", listener.accept());
    seen.outcome("nobody comes in", listener.incoming().next().unwrap());
    seen.note("no error", kind(listener.take_error()).map(|error| error.is_none()));
    listener.set_nonblocking(false).unwrap();

    let clone = listener.try_clone().unwrap();
    drop(listener);
    seen.note("a clone's address", clone.local_addr().unwrap() == address);
    let accepting = thread::spawn(move || {
        let names = clone.incoming().take(3).map(|stream| {
            let mut name = String::new();
            stream.unwrap().read_to_string(&mut name).unwrap();
            name
        });
        names.collect::<Vec<_>>()
    });
    for name in ["one", "two", "three"] {
        TcpStream::connect(address).unwrap().write_all(name.as_bytes()).unwrap();
    }
    seen.note("who came", accepting.join().unwrap());
    seen.outcome("nobody listens any more", TcpStream::connect(address));
    seen.0
}

pub(crate) fn connecting(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let closed = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap();
    seen.outcome("refused", TcpStream::connect(closed));
    seen.outcome("refused in time", TcpStream::connect_timeout(&closed, Duration::from_secs(10)));
    seen.outcome("the second answers", TcpStream::connect(&[closed, address][..]));
    seen.outcome("in no time", TcpStream::connect_timeout(&address, Duration::ZERO));
    seen.outcome("in time", TcpStream::connect_timeout(&address, Duration::from_secs(10)));
    seen.outcome("no address", TcpStream::connect(&[][..]));
    seen.outcome("not an address", TcpStream::connect("10.9.0.2"));
    let stream = TcpStream::connect((host, address.port())).unwrap();
    seen.note("the peer", stream.peer_addr().unwrap() == address);
    seen.note("our host", stream.local_addr().unwrap().ip().to_string() == host);
    seen.note("our port is another", stream.local_addr().unwrap().port() != address.port());
    seen.note("no error", stream.take_error().unwrap().is_none());
    seen.0
}

pub(crate) fn reading(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let (mut client, mut server, _listener) = connection(host);
    client.write_all(b"to be read twice").unwrap();
    let mut buffer = [0; 16];
    server.read_exact(&mut [0; 0]).unwrap();
    while server.peek(&mut buffer).unwrap() < 16 {}
    seen.note("peeked", String::from_utf8_lossy(&buffer));
    seen.note("into nothing", kind(server.read(&mut [])));
    seen.note("a part", kind(server.read(&mut buffer[..6])));
    let (mut left, mut right) = ([0; 3], [0; 16]);
    let mut slices = [IoSliceMut::new(&mut left), IoSliceMut::new(&mut right)];
    seen.note("in slices", kind(server.read_vectored(&mut slices)));
    seen.note("the slices", (String::from_utf8_lossy(&left), String::from_utf8_lossy(&right[..7])));
    client.write_all(b"short").unwrap();
    drop(client);
    seen.outcome("more than there is", server.read_exact(&mut buffer));
    seen.note("the end", kind(server.read(&mut buffer)));
    seen.note("the end again", kind(server.read(&mut buffer)));
    seen.note("peeking at the end", kind(server.peek(&mut buffer)));
    let mut rest = Vec::new();
    seen.note("all that is left", kind((&server).read_to_end(&mut rest)));
    seen.0
}

pub(crate) fn writing(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let (mut client, mut server, _listener) = connection(host);
    seen.note("nothing", kind(client.write(b"")));
    seen.note("through a reference", kind((&client).write(b"one ")));
    let slices = [IoSlice::new(b"two "), IoSlice::new(b""), IoSlice::new(b"three ")];
    seen.note("slices", kind(client.write_vectored(&slices)));
    seen.outcome("flushed", client.flush());
    let mut clone = client.try_clone().unwrap();
    write!(clone, "{}", 4).unwrap();
    drop(client);
    clone.shutdown(Shutdown::Write).unwrap();
    let mut all = String::new();
    server.read_to_string(&mut all).unwrap();
    seen.note("arrived", all);

    let (mut client, mut server, _listener) = connection(host);
    let much: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let expected = much.clone();
    let writing = thread::spawn(move || client.write_all(&much).map(|()| client));
    let mut received = vec![0; expected.len()];
    server.read_exact(&mut received).unwrap();
    seen.outcome("much", writing.join().unwrap());
    seen.note("unchanged", received == expected);
    seen.0
}

pub(crate) fn waiting(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let (mut client, mut server, _listener) = connection(host);
    seen.note("no time-outs at first", (server.read_timeout().unwrap(), server.write_timeout().unwrap()));
    server.set_read_timeout(Some(SHORT)).unwrap();
    seen.outcome("nothing to read in time", server.read(&mut [0; 4]));
    seen.outcome("nothing to peek at in time", server.peek(&mut [0; 4]));
    seen.outcome("a time-out of zero", server.set_read_timeout(Some(Duration::ZERO)));
    seen.outcome("for writing, too", server.set_write_timeout(Some(Duration::ZERO)));
    seen.note("the time-out stays", server.read_timeout().unwrap());
    seen.note("for a clone, too", server.try_clone().unwrap().read_timeout().unwrap());
    client.write_all(b"late").unwrap();
    server.set_read_timeout(None).unwrap();
    seen.note("the connection is as it was", kind(server.read(&mut [0; 8])));

    client.set_write_timeout(Some(SHORT)).unwrap();
    let full = (0..10_000).find_map(|_| client.write(&[0; 64 * 1024]).err());
    seen.note("nobody reads in time", full.map(|error| error.kind()));
    client.set_nonblocking(true).unwrap();
    seen.outcome("nonblocking and full", client.write(&[0; 64 * 1024]));
    seen.outcome("nonblocking and empty", client.read(&mut [0; 4]));
    seen.outcome("not even a byte", client.peek(&mut [0; 1]));
    seen.note("no error", client.take_error().unwrap().is_none());
    seen.0
}

pub(crate) fn half_closing(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let (mut client, mut server, _listener) = connection(host);
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    seen.outcome("writing after that", client.write(b"x"));
    seen.outcome("shutting down again", client.shutdown(Shutdown::Write));
    let mut question = String::new();
    server.read_to_string(&mut question).unwrap();
    server.write_all(b"answer").unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    seen.note("both directions", (question, answer));
    seen.note("no error", client.take_error().unwrap().is_none());
    seen.outcome("nobody is there", client.peer_addr());
    seen.outcome("there is nothing to shut down", client.shutdown(Shutdown::Both));
    seen.outcome("but an end of our own", client.local_addr());

    let (client, mut server, _listener) = connection(host);
    client.shutdown(Shutdown::Both).unwrap();
    seen.note("both: reading", kind((&client).read(&mut [0; 4])));
    seen.outcome("both: writing", (&client).write(b"x"));
    seen.note("the peer sees the end", kind(server.read(&mut [0; 4])));

    let (client, _server, _listener) = connection(host);
    let reader = client.try_clone().unwrap();
    let reading = thread::spawn(move || kind((&reader).read(&mut [0; 4])));
    thread::yield_now();
    client.shutdown(Shutdown::Read).unwrap();
    seen.note("a read that waits ends", reading.join().unwrap());
    seen.0
}

/// The peer has not read everything: it resets.
pub(crate) fn resetting(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let ends: [fn(&TcpStream) -> io::Result<usize>; 3] = [
        |mut stream| stream.read(&mut [0; 4]),
        |stream| stream.peek(&mut [0; 4]),
        |mut stream| (0..10_000).find_map(|_| stream.write(&[0; 64 * 1024]).err()).map_or(Ok(0), Err),
    ];
    for end in ends {
        let (client, mut server, _listener) = connection(host);
        server.write_all(b"never read").unwrap();
        client.peek(&mut [0; 1]).unwrap();
        drop(client);
        seen.outcome("whoever is first is told", end(&server));
        seen.note("and nobody else", kind(server.take_error()).map(|error| error.is_none()));
        seen.note("reading after that", kind(server.read(&mut [0; 4])));
        seen.outcome("writing after that", server.write(b"x"));
        seen.outcome("nobody is there", server.peer_addr());
        seen.outcome("nothing to shut down", server.shutdown(Shutdown::Write));
        seen.outcome("an end of our own", server.local_addr());
    }
    seen.0
}

/// The peer has read everything, and is gone.
pub(crate) fn vanishing(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let (client, mut server, _listener) = connection(host);
    drop(client);
    seen.note("the end", kind(server.read(&mut [0; 4])));
    seen.note("the first write is taken", kind(server.write(b"x")));
    let error = (0..10_000).find_map(|_| {
        thread::yield_now();
        server.write(b"x").err()
    });
    seen.note("then the peer says that it is gone", error.map(|error| error.kind()));
    seen.note("the end stays the end", kind(server.read(&mut [0; 4])));
    seen.outcome("nobody is there", server.peer_addr());
    seen.0
}

pub(crate) fn setting_options(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let (client, _server, listener) = connection(host);
    seen.note("nodelay", client.nodelay().unwrap());
    client.try_clone().unwrap().set_nodelay(true).unwrap();
    seen.note("a clone's nodelay", client.nodelay().unwrap());
    seen.note("ttl", client.ttl().unwrap());
    for ttl in [0, 256] {
        seen.outcome("an impossible ttl", client.set_ttl(ttl));
    }
    client.set_ttl(9).unwrap();
    seen.note("ttl changed", client.ttl().unwrap());
    listener.set_ttl(8).unwrap();
    seen.note("ttl of the listener", listener.ttl().unwrap());
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    seen.note("inherited", listener.accept().unwrap().0.ttl().unwrap());
    let socket = UdpSocket::bind((host, 0)).unwrap();
    socket.set_ttl(7).unwrap();
    seen.note("ttl of datagrams", socket.ttl().unwrap());
    seen.0
}

pub(crate) fn exchanging_datagrams(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let one = UdpSocket::bind((host, 0)).unwrap();
    let other = UdpSocket::bind((host, 0)).unwrap();
    let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    seen.outcome("bound twice", UdpSocket::bind(here));
    seen.outcome("somebody else's address", UdpSocket::bind("192.0.2.1:0"));
    seen.note("sent", kind(one.send_to(b"datagram", there)));
    let mut short = [0; 4];
    let peeked = kind(other.peek_from(&mut short)).map(|(len, from)| (len, from == here));
    seen.note("peeked", (peeked, short));
    let received = kind(other.recv_from(&mut short)).map(|(len, from)| (len, from == here));
    seen.note("received, and the rest is lost", (received, short));
    other.set_nonblocking(true).unwrap();
    seen.outcome("none left", other.recv_from(&mut short));
    seen.outcome("none to peek at", other.peek(&mut short));
    other.set_nonblocking(false).unwrap();
    other.set_read_timeout(Some(SHORT)).unwrap();
    seen.outcome("none in time", other.recv_from(&mut short));
    seen.outcome("a time-out of zero", other.set_write_timeout(Some(Duration::ZERO)));
    seen.note("the time-out stays", other.try_clone().unwrap().read_timeout().unwrap());
    seen.note("an empty one", kind(one.send_to(b"", there)));
    seen.note("is received", kind(other.recv(&mut short)));
    seen.outcome("to no address", one.send_to(b"x", &[][..]));
    seen.outcome("no peer", one.peer_addr());
    seen.note("a port where nobody is says nothing", {
        drop(other);
        let sent = kind(one.send_to(b"x", there));
        one.set_read_timeout(Some(SHORT)).unwrap();
        (sent, kind(one.recv_from(&mut short)).map(drop))
    });
    seen.0
}

pub(crate) fn connecting_datagrams(host: &str) -> Vec<String> {
    let mut seen = Seen::default();
    let one = UdpSocket::bind((host, 0)).unwrap();
    let other = UdpSocket::bind((host, 0)).unwrap();
    let stranger = UdpSocket::bind((host, 0)).unwrap();
    seen.note("unconnected", one.send(b"x").is_err());
    one.connect(other.local_addr().unwrap()).unwrap();
    other.connect(one.local_addr().unwrap()).unwrap();
    seen.note("the peer", one.peer_addr().unwrap() == other.local_addr().unwrap());
    seen.note("sent", kind(one.send(b"hello")));
    let mut buffer = [0; 8];
    seen.note("peeked", kind(other.peek(&mut buffer)));
    seen.note("received", kind(other.recv(&mut buffer)));
    stranger.send_to(b"intruder", other.local_addr().unwrap()).unwrap();
    other.set_read_timeout(Some(SHORT)).unwrap();
    seen.outcome("a stranger is not heard", other.recv(&mut buffer));

    drop(other);
    seen.note("the peer is gone: sent", kind(one.send(b"anybody?")));
    one.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    seen.outcome("its host says so", one.recv(&mut buffer));
    one.set_read_timeout(Some(SHORT)).unwrap();
    seen.outcome("once", one.recv(&mut buffer));
    one.send(b"anybody?").unwrap();
    let told = (0..1_000).find_map(|_| {
        thread::yield_now();
        one.take_error().unwrap()
    });
    seen.note("whoever is first is told", told.map(|error| error.kind()));
    seen.note("an unspecified end is settled by connecting", {
        let any = UdpSocket::bind("0.0.0.0:0").unwrap();
        any.connect(stranger.local_addr().unwrap()).unwrap();
        any.local_addr().unwrap().ip().to_string() == host
    });
    seen.0
}
