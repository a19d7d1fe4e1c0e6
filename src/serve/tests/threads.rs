//! The thread-per-connection form: the same session, seen from the same client.

use std::net::Shutdown;
use std::task::{Context, Poll};

use super::*;
use crate::http::{Handler, Router, ServerConfig, Step};
use crate::serve::{About, threads};

fn router() -> Router {
    Router::new()
        .get("/whoami", |request| {
            let about = request.extensions().get::<About>().expect("it is introduced");
            ::http::Response::new(format!("{} {}", about.peer, about.request).into_bytes().into())
        })
        .get("/large", |_| ::http::Response::new(pattern(3_000_000).into()))
        .get("/panic", |_| panic!("as the test wants it"))
        .stream(::http::Method::GET, "/later", |_| Later::default())
        .stream(::http::Method::POST, "/echo", |_| {
            crate::http::Buffered::new(1_000_000, |request: ::http::Request<Vec<u8>>| {
                ::http::Response::new(request.into_body().into())
            })
        })
}

/// Answers when another thread wakes it.
#[derive(Default)]
struct Later {
    asked: bool,
}

impl Handler for Later {
    fn poll_response(&mut self, cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        if std::mem::replace(&mut self.asked, true) {
            return Poll::Ready(Step::Whole(::http::Response::new(b"later\n".as_slice().into())));
        }
        let waker = cx.waker().clone();
        std::thread::spawn(move || {
            wait(Duration::from_millis(50));
            waker.wake();
        });
        Poll::Pending
    }
}

/// A server with threads beside the one of the world, on port 8080.
fn start(config: ServerConfig, max_connections: usize) -> (World, std::thread::JoinHandle<()>) {
    let world = World::new(|_| {});
    let listener = world.servers.listen(address(8080)).unwrap();
    let server = std::thread::spawn(move || {
        let end = threads::serve(&listener, config, max_connections, router());
        assert_eq!(end.expect_err("its end").kind(), std::io::ErrorKind::NetworkDown);
    });
    (world, server)
}

fn connect(world: &World) -> Client {
    let stream = world.clients.connect(address(8080)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Client { stream, early: Vec::new() }
}

#[test]
fn long_and_short_connections() {
    let (world, server) = start(ServerConfig { max_requests: Some(4), ..ServerConfig::default() }, 10);
    let mut client = connect(&world);
    let peer = client.stream.local_addr().unwrap();
    client.send("GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2));
    assert_eq!(client.answer().text(), format!("{peer} 1"));
    assert_eq!(client.answer().text(), format!("{peer} 2"));
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.answer().body == pattern(3_000_000));
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    client.send("cde");
    let last = client.answer();
    assert_eq!((last.text(), last.field("connection")), ("abcde", Some("close")));
    assert_eq!(client.rest(), b"");
    client.stream.shutdown(Shutdown::Both).unwrap();
    world.servers.shutdown(Duration::from_secs(1));
    server.join().unwrap();
}

#[test]
fn wakers_panics_limits() {
    let config = ServerConfig {
        header_timeout: Duration::from_millis(100),
        linger_timeout: Duration::from_millis(100),
        ..ServerConfig::default()
    };
    let (world, server) = start(config, 2);
    let mut client = connect(&world);
    client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().text(), "later\n");
    let mut broken = connect(&world);
    broken.send("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(broken.answer().status(), 500);
    drop(broken);
    wait(Duration::from_millis(300));
    let mut slow = connect(&world);
    slow.send("GET / HT");
    assert_eq!(connect(&world).answer().status(), 503);
    assert_eq!(slow.answer().status(), 408);
    world.servers.shutdown(Duration::from_secs(1));
    server.join().unwrap();
}
