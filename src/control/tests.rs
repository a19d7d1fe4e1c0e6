//! A network that is asked over its control socket.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::socket::{Backlog, listen};

use super::asker::{Asker, Progress};
use super::*;
use crate::driver::{Application, Instant};
use crate::net::Network;

/// A directory of this test alone, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("longwire-control-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("test.sock")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A network with a peer, and where it can be asked.
struct Asked {
    network: Network,
    peer: Network,
    sources: Sources,
    scratch: Scratch,
}

impl Asked {
    fn new() -> Asked {
        let (here, there) = crate::device::pair(1_500);
        let start = |device, address: &str| {
            Network::builder(device).address(address.parse().unwrap()).start().unwrap()
        };
        let (network, peer) = (start(here, "10.9.0.2/24"), start(there, "10.9.0.1/24"));
        let scratch = Scratch::new();
        let socket = ControlSocket::bind(&scratch.path()).unwrap();
        let service = Service::new(socket, "test", network.wake_sources().unwrap()).unwrap();
        let sources = service.sources();
        network.attach(Box::new(service));
        Asked { network, peer, sources, scratch }
    }

    fn sockets(&self, question: SocketQuestion) -> Vec<SocketReport> {
        let answer = ask(&self.scratch.path(), &Question::Sockets(question)).unwrap();
        let sockets = answer.filter_map(|line| match line.unwrap() {
            Line::Socket(socket) => Some(*socket),
            _ => None,
        });
        sockets.collect()
    }
}

// --- the file -----------------------------------------------------------------------------------------------------

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_with_it() {
    let scratch = Scratch::new();
    let socket = ControlSocket::bind(&scratch.path()).unwrap();
    assert_eq!(mode(&scratch.path()), 0o600);
    drop(socket);
    assert!(!scratch.path().exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let scratch = Scratch::new();
    drop(UnixListener::bind(scratch.path()).unwrap()); // leaves its file behind
    let alive = ControlSocket::bind(&scratch.path()).unwrap();
    let refused = ControlSocket::bind(&scratch.path()).unwrap_err();
    assert!(matches!(refused, BindError::Alive { .. }), "{refused}");
    assert!(refused.to_string().contains("another process answers"), "{refused}");
    drop(alive);
    assert!(!scratch.path().exists(), "the one refused has not taken the file's place");
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let scratch = Scratch::new();
    fs::write(scratch.path(), "precious").unwrap();
    assert!(matches!(ControlSocket::bind(&scratch.path()), Err(BindError::NoSocket { .. })));
    assert_eq!(fs::read_to_string(scratch.path()).unwrap(), "precious");
    let nowhere = ControlSocket::bind(Path::new("/no/such/directory/x.sock")).unwrap_err();
    assert!(matches!(nowhere, BindError::System { .. }), "{nowhere}");
}

#[test]
fn a_file_that_another_has_put_in_its_place_stays() {
    let scratch = Scratch::new();
    let first = ControlSocket::bind(&scratch.path()).unwrap();
    fs::remove_file(scratch.path()).unwrap();
    let second = ControlSocket::bind(&scratch.path()).unwrap();
    drop(first);
    assert!(scratch.path().exists());
    drop(second);
}

// --- answers ------------------------------------------------------------------------------------------------------

#[test]
fn the_table_shows_a_listener_and_a_connection_with_details() {
    let asked = Asked::new();
    let listener = asked.network.listen("10.9.0.2:80").unwrap();
    let mut client = asked.peer.connect("10.9.0.2:80").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"question").unwrap();
    server.read_exact(&mut [0; 8]).unwrap();

    let sockets = asked.sockets(SocketQuestion { details: true, ..SocketQuestion::default() });
    assert_eq!(sockets.len(), 2, "{sockets:#?}");
    let (listening, connection) = (&sockets[0], &sockets[1]);
    assert_eq!((listening.state.as_str(), listening.local.as_str()), ("LISTEN", "10.9.0.2:80"));
    assert_eq!((listening.remote.as_deref(), listening.tcp.as_deref()), (None, None));
    assert_eq!(connection.state, "ESTABLISHED");
    assert_eq!(connection.remote, Some(client.local_addr().unwrap().to_string()));
    let details = connection.tcp.as_deref().unwrap();
    assert_eq!((details.bytes_received, details.bytes_acked), (8, 0));
    assert_eq!((details.congestion.as_str(), details.ssthresh), ("cubic", None));
    assert!(details.segments_in >= 2 && details.sack && details.timestamps, "{details:?}");
}

#[test]
fn filters_are_applied_before_anything_is_sent() {
    let asked = Asked::new();
    let _listener = asked.network.listen("10.9.0.2:80").unwrap();
    let _client = asked.network.udp("10.9.0.2:53").unwrap();
    let _stream = asked.peer.connect("10.9.0.2:80").unwrap();
    let ports = |question| {
        let sockets = asked.sockets(question);
        sockets.iter().map(|socket| format!("{} {}", socket.protocol, socket.state)).collect::<Vec<_>>()
    };
    let any = SocketQuestion::default;
    assert_eq!(ports(SocketQuestion { port: Some(53), ..any() }), ["udp UNCONNECTED"]);
    assert_eq!(ports(SocketQuestion { states: vec!["LISTEN".into()], ..any() }), ["tcp LISTEN"]);
    assert_eq!(ports(SocketQuestion { protocol: Some("udp".into()), ..any() }), ["udp UNCONNECTED"]);
    let active = SocketQuestion { active_within_ms: Some(60_000), ..any() };
    assert_eq!(ports(active), ["tcp ESTABLISHED"], "the others send nothing");
}

#[test]
fn a_table_of_many_batches_is_whole() {
    let asked = Asked::new();
    let sockets: Vec<_> =
        (0..1_000).map(|port| asked.network.udp(("10.9.0.2", 10_000 + port)).unwrap()).collect();
    assert_eq!(asked.sockets(SocketQuestion::default()).len(), sockets.len());
}

#[test]
fn metrics_have_the_stack_the_device_and_whoever_joins_them() {
    struct Extra;
    impl MetricSource for Extra {
        fn write(&self, metrics: &mut Metrics) {
            metrics.gauge("extra", "Something else.", 7);
        }
    }
    let asked = Asked::new();
    asked.sources.add(Arc::new(Extra));
    let _stream = asked.network.connect("10.9.0.1:1").unwrap_err();
    let lines =
        ask(&asked.scratch.path(), &Question::Metrics).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let [Line::Greeting(greeting), Line::Metrics(text), Line::End { lines: 1 }] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!((greeting.name.as_str(), greeting.pid), ("test", std::process::id()));
    assert!(text.contains("\nlongwire_tcp_active_opens_total 1\n"), "{text}");
    assert!(text.contains("# TYPE longwire_extra gauge\nlongwire_extra 7\n"), "{text}");
}

#[test]
fn the_end_of_the_stack_is_the_end_of_the_socket() {
    let asked = Asked::new();
    asked.network.shutdown(Duration::ZERO);
    assert!(!asked.scratch.path().exists());
    assert!(matches!(ask(&asked.scratch.path(), &Question::Metrics), Err(AskError::NotRunning)));
}

// --- those who misbehave ------------------------------------------------------------------------------------------

/// What comes in answer to `text`, up to the end.
fn answer_to(path: &Path, text: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(text).unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 512]);
    // Where not all of the question was read, a reset follows the answer.
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn nonsense_is_answered_as_such() {
    let asked = Asked::new();
    for nonsense in [&b"hello\n"[..], b"{\"fly\":1}\n", b"\xff\xfe\n", &[b'x'; 5_000]] {
        let answer = answer_to(&asked.scratch.path(), nonsense);
        assert!(answer.starts_with("{\"error\":") && answer.lines().count() == 1, "{answer}");
    }
    assert!(asked.sockets(SocketQuestion::default()).is_empty(), "and others are answered still");
}

#[test]
fn those_over_the_limit_are_told_so() {
    let asked = Asked::new();
    let path = asked.scratch.path();
    let silent: Vec<_> = (0..8).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let refusal = loop {
        // The eight may not all have been accepted yet, and then this one is answered.
        match ask(&path, &Question::Metrics).unwrap().next().unwrap() {
            Err(error) => break error,
            Ok(line) => assert!(matches!(line, Line::Greeting(_)), "{line:?}"),
        }
    };
    assert!(matches!(&refusal, AskError::Refused(why) if why.contains("too many")), "{refusal}");
    drop(silent);
    let answered = || matches!(ask(&path, &Question::Metrics).unwrap().next(), Some(Ok(Line::Greeting(_))));
    assert!((0..100).any(|_| answered()), "their places are free again");
}

#[test]
fn who_comes_among_many_is_not_forgotten() {
    let asked = Asked::new();
    let path = asked.scratch.0.join("another.sock");
    let socket = ControlSocket::bind(&path).unwrap();
    let mut service = Service::new(socket, "test", asked.network.wake_sources().unwrap()).unwrap();
    let _waiting: Vec<_> = (0..20).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let mut turn = |seconds| {
        service.turn(asked.network.shared(), Instant::from_secs(seconds), &[]);
        service.deadline()
    };
    assert_eq!(turn(1), Some(Instant::ZERO), "no further event will tell of those that wait still");
    assert!(turn(2) > Some(Instant::ZERO));
}

#[test]
fn where_nobody_accepts_nobody_waits() {
    let scratch = Scratch::new();
    let listener = UnixListener::bind(scratch.path()).unwrap();
    listen(&listener, Backlog::new(1).unwrap()).unwrap();
    let waiting: Vec<_> = std::iter::from_fn(|| connect(&scratch.path()).ok()).take(10).collect();
    assert!((1..10).contains(&waiting.len()), "{}", waiting.len());
    let error = ask(&scratch.path(), &Question::Metrics).unwrap_err();
    assert!(error.to_string().contains("too many are waiting there"), "{error}");
    let taken = ControlSocket::bind(&scratch.path()).unwrap_err();
    assert!(matches!(taken, BindError::Alive { .. }), "{taken}");
}

/// One asker by itself, and the other end of its connection.
fn asker() -> (Asker, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    (Asker::new(ours, Instant::ZERO).unwrap(), theirs)
}

#[test]
fn who_reads_nothing_pins_little_and_is_left_in_the_end() {
    let asked = Asked::new();
    let _sockets: Vec<_> =
        (0..10_000).map(|port| asked.network.udp(("10.9.0.2", 10_000 + port)).unwrap()).collect();
    let (mut asker, mut theirs) = asker();
    theirs.write_all(b"{\"sockets\":{}}\n").unwrap();
    let greeting = Greeting { version: String::new(), name: String::new(), pid: 0 };
    let step = |asker: &mut Asker, now| {
        asker.step(asked.network.shards(), &greeting, &Sources::default(), Instant::from_secs(now))
    };
    while step(&mut asker, 1) == Progress::More {}
    assert!(asker.pinned() <= 256 * 1024, "{} bytes", asker.pinned());
    for _ in 0..1_000 {
        assert_eq!(step(&mut asker, 5), Progress::Waiting, "it goes on only as it is read");
    }
    // What is read a little at a time makes room for as much, and no more.
    let mut piece = [0; 16 * 1024];
    for _ in 0..20 {
        let _ = theirs.read(&mut piece).unwrap();
        while step(&mut asker, 9) == Progress::More {}
        assert!(asker.pinned() <= 256 * 1024, "{} bytes", asker.pinned());
    }
    assert_eq!(step(&mut asker, 30), Progress::Done, "ten seconds without reading are enough");
}

#[test]
fn who_asks_nothing_is_left_and_who_goes_is_let_go() {
    let asked = Asked::new();
    let greeting = Greeting { version: String::new(), name: String::new(), pid: 0 };
    let step = |asker: &mut Asker, now| {
        asker.step(asked.network.shards(), &greeting, &Sources::default(), Instant::from_secs(now))
    };
    let (mut silent, _theirs) = asker();
    assert_eq!(step(&mut silent, 9), Progress::Waiting);
    assert_eq!(step(&mut silent, 10), Progress::Done);
    let (mut gone, theirs) = asker();
    drop(theirs);
    assert_eq!(step(&mut gone, 1), Progress::Done);
}

#[test]
fn an_answer_without_its_end_is_an_error() {
    let scratch = Scratch::new();
    let listener = UnixListener::bind(scratch.path()).unwrap();
    for (answer, expected) in [
        ("", "in the middle"),
        ("{\"end\":{\"lines\":3}}\n", "in the middle"),
        ("{\"metrics\":\"x", "in the middle"),
        ("HTTP/1.1 400 Bad Request\r\n", "not an answer"),
        ("{\"error\":\"not today\"}\n", "not today"),
    ] {
        let server = std::thread::spawn({
            let listener = listener.try_clone().unwrap();
            move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 1]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let error = ask(&scratch.path(), &Question::Metrics).unwrap().find_map(Result::err).unwrap();
        assert!(error.to_string().contains(expected), "{answer}: {error}");
        server.join().unwrap();
    }
}

// --- several queues -----------------------------------------------------------------------------------------------

#[test]
fn one_service_answers_for_all_queues() {
    let (near, far) = crate::device::fan(3, crate::device::Habit::Learning);
    let peer = Network::builder(near).address("10.9.0.1/24".parse().unwrap()).start().unwrap();
    let network = Network::over_queues(far).address("10.9.0.2/24".parse().unwrap()).start().unwrap();
    let scratch = Scratch::new();
    let socket = ControlSocket::bind(&scratch.path()).unwrap();
    let service = Service::new(socket, "test", network.wake_sources().unwrap()).unwrap();
    network.attach(Box::new(service.for_all(network.shards())));
    let asked = Asked { sources: Sources::default(), network, peer, scratch };

    let _listener = asked.network.listen("10.9.0.2:80").unwrap();
    let _streams: Vec<_> = (0..40).map(|_| asked.peer.connect("10.9.0.2:80").unwrap()).collect();
    let in_state = |state| {
        let sockets = asked.sockets(SocketQuestion { port: Some(80), ..SocketQuestion::default() });
        let on = |queue| {
            sockets.iter().filter(|socket| socket.queue == Some(queue) && socket.state == state).count()
        };
        [0, 1, 2].map(on)
    };
    assert_eq!(in_state("LISTEN"), [1; 3]);
    // The last of the handshakes' acknowledgments may be on their way still. Each look takes turns of the loop.
    let mut looks = std::iter::repeat_with(|| in_state("ESTABLISHED")).take(1_000);
    let connections = looks.find(|looked| looked.iter().sum::<usize>() == 40).expect("40 are there");
    assert!(!connections.contains(&0), "{connections:?}");

    let mut answer = ask(&asked.scratch.path(), &Question::Metrics).unwrap();
    let text = answer.find_map(|line| match line.unwrap() {
        Line::Metrics(text) => Some(text),
        _ => None,
    });
    let text = text.unwrap();
    assert!(text.contains("\nlongwire_tcp_passive_opens_total 40\n"), "{text}");
    let of_first = format!("longwire_queue_live_connections{{queue=\"0\"}} {}\n", connections[0]);
    assert!(text.contains(&of_first), "{text}");
}
