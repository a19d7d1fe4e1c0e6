//! The same program, against the standard library's sockets and against ours.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::*;

/// The default network is one for the whole process; so are these tests, one after another.
fn default_network() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program written for `$net`: what it saw, as text that must not depend on whose sockets they are.
macro_rules! program {
    ($net:path, $host:expr) => {{
        use std::fmt::Write as _;
        use std::io::{ErrorKind, Read, Write};
        use std::net::Shutdown;
        use $net as net;

        let mut seen = String::new();
        let mut note = |what: &str, value: &dyn std::fmt::Debug| writeln!(seen, "{what}: {value:?}").unwrap();
        let kind = |error: std::io::Error| -> ErrorKind { error.kind() };

        let listener = net::TcpListener::bind(($host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = net::TcpStream::connect(address).unwrap();
        let (mut server, peer) = listener.accept().unwrap();
        note("the peer is the client", &(peer == client.local_addr().unwrap()));
        note("bound twice", &net::TcpListener::bind(address).map(drop).map_err(kind));
        note("nodelay", &client.nodelay().unwrap());

        server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        note("nothing to read", &server.read(&mut [0; 4]).map_err(kind));
        note("a time-out of zero", &server.set_read_timeout(Some(Duration::ZERO)).map_err(kind));
        note("the time-out stays", &server.read_timeout().unwrap());
        server.set_read_timeout(None).unwrap();
        client.set_nonblocking(true).unwrap();
        note("nonblocking", &client.read(&mut [0; 4]).map_err(kind));
        client.set_nonblocking(false).unwrap();

        note("writing nothing", &client.write(b"").map_err(kind));
        client.write_all(b"to be read twice").unwrap();
        let mut buffer = [0; 16];
        note("peeked", &server.peek(&mut buffer).map_err(kind));
        server.read_exact(&mut buffer).unwrap();
        note("read", &String::from_utf8_lossy(&buffer));

        client.shutdown(Shutdown::Write).unwrap();
        note("writing after shutdown", &client.write(b"x").map_err(kind));
        note("the end", &server.read(&mut buffer).map_err(kind));
        note("the end again", &server.read(&mut buffer).map_err(kind));
        server.write_all(b"still open").unwrap();
        drop(server);
        let mut rest = String::new();
        client.read_to_string(&mut rest).unwrap();
        note("the other direction", &rest);
        note("no error", &client.take_error().unwrap().map(kind));

        drop(listener);
        note("refused", &net::TcpStream::connect(address).map(drop).map_err(kind));
        let addresses: &[std::net::SocketAddr] = &[];
        note("no address", &net::TcpStream::connect(addresses).map(drop).map_err(kind));
        let zero = net::TcpStream::connect_timeout(&address, Duration::ZERO);
        note("connecting in no time", &zero.map(drop).map_err(kind));

        let socket = net::UdpSocket::bind(($host, 0)).unwrap();
        let myself = socket.local_addr().unwrap();
        note("sent", &socket.send_to(b"datagram", myself).map_err(kind));
        let mut short = [0; 4];
        let received = socket.recv_from(&mut short);
        note("received", &received.map(|(len, from)| (len, from == myself)).map_err(kind));
        socket.set_nonblocking(true).unwrap();
        note("no datagram", &socket.recv_from(&mut short).map(drop).map_err(kind));
        seen
    }};
}

#[test]
fn a_program_for_std_net_sees_the_same() {
    let _alone = default_network();
    let theirs = program!(std::net, "127.0.0.1");
    let (_client, server, _end) = networks();
    Network::set_default(server);
    let ours = program!(crate::net, SERVER);
    Network::set_default(None);
    assert_eq!(ours, theirs);
}

#[test]
fn without_a_default_network_the_error_says_so() {
    let _alone = default_network();
    let error = TcpStream::connect("10.9.0.2:80").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NetworkDown);
    assert!(error.to_string().contains("Network::set_default"), "{error}");
}
