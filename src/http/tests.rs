//! Both ends of this layer against each other.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, Response};
use proptest::prelude::*;

use super::*;

/// A client and a server whose bytes pass in pieces of given sizes.
struct Wire {
    client: ClientConnection,
    session: Session,
    router: Router,
    now: Now,
    /// On the way to the server, and to the client.
    up: Vec<u8>,
    down: Vec<u8>,
}

impl Wire {
    fn new() -> Self {
        let now = Clock::default().now(Duration::ZERO, 0);
        let config = Arc::new(ServerConfig::default());
        let echo = |request: Request<Vec<u8>>| Response::new(request.into_body().into());
        Self {
            client: ClientConnection::default(),
            session: Session::new(ServerConnection::new(config, now)),
            router: Router::new().route(Method::POST, "/echo", echo),
            now,
            up: Vec::new(),
            down: Vec::new(),
        }
    }

    /// Moves up to `n` bytes each way; gives what the client gets of a body, and whether its answer is complete.
    fn pass(&mut self, n: usize, body: &mut Vec<u8>) -> bool {
        while let Some(piece) = self.client.take_output() {
            self.up.extend_from_slice(&piece);
        }
        let mut cx = Context::from_waker(Waker::noop());
        let offered = n.min(self.up.len());
        let used = self.session.receive(self.now, &self.router, &mut cx, &self.up[..offered]);
        self.up.drain(..used);
        while let Some(piece) = self.session.connection_mut().take_output(self.now) {
            self.down.extend_from_slice(&piece);
        }
        let mut at = 0;
        let end = n.min(self.down.len());
        let mut complete = false;
        while !complete {
            let (used, event) = self.client.receive(&self.down[at..end]).expect("an answer");
            at += used;
            match event {
                Some(ResponseEvent::Body(data)) => body.extend_from_slice(data),
                Some(ResponseEvent::End(_)) => complete = true,
                Some(_) => {}
                None => break,
            }
        }
        self.down.drain(..at);
        complete
    }
}

proptest! {
    #[test]
    fn bodies_come_back_as_they_went_whatever_the_cuts(
        bodies in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..5000), any::<bool>()), 1..5),
        cuts in prop::collection::vec(1usize..1500, 1..10),
    ) {
        let mut wire = Wire::new();
        let mut cuts = cuts.iter().cycle();
        for (body, chunked) in bodies {
            let request = Request::post("http://h/echo").body(()).unwrap();
            let size = if chunked { BodySize::Unknown } else { BodySize::Known(body.len() as u64) };
            wire.client.begin(&request, size);
            for piece in body.chunks(700) {
                wire.client.send(piece.to_vec().into());
            }
            wire.client.finish(chunked.then(HeaderMap::new).as_ref());
            let mut answer = Vec::new();
            let mut turns = 0;
            while !wire.pass(*cuts.next().unwrap(), &mut answer) {
                turns += 1;
                prop_assert!(turns < 20_000, "no progress");
            }
            prop_assert_eq!(answer, body);
            prop_assert!(wire.client.is_reusable(), "one connection serves them all");
        }
    }
}
