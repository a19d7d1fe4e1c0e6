//! Requests, each on a connection of its own.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use crate::Figure;
use crate::arguments::Arguments;
use crate::http::{answer_len, request};
use crate::latency::Latencies;
use crate::socket;
use crate::turns::{self, Crowd};

/// Room for an answer.
const ANSWER: usize = 4_096;

/// One place, in which a connection follows the other.
struct Place {
    stream: TcpStream,
    begun: Instant,
    asked: bool,
    received: usize,
    answer: [u8; ANSWER],
}

struct Load<'a> {
    arguments: &'a Arguments,
    poll: Poll,
    places: Vec<Place>,
    opened: usize,
    request: Vec<u8>,
    latencies: Latencies,
}

/// The server closes first: it is the one who has to honour TIME-WAIT, and the client's ports are free at once.
pub fn measure(arguments: &Arguments) -> io::Result<Vec<Figure>> {
    let mut load = Load {
        arguments,
        poll: Poll::new()?,
        places: Vec::new(),
        opened: 0,
        request: request(arguments, true),
        latencies: Latencies::default(),
    };
    for index in 0..arguments.connections {
        let place = load.open(index)?;
        load.places.push(place);
    }
    turns::measure(arguments, &mut load)
}

impl Load<'_> {
    fn open(&mut self, index: usize) -> io::Result<Place> {
        let begun = Instant::now();
        let mut stream = socket::begin(self.arguments, self.opened)?;
        self.opened += 1;
        self.poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Place { stream, begun, asked: false, received: 0, answer: [0; ANSWER] })
    }
}

impl Crowd for Load<'_> {
    fn poll(&mut self) -> &mut Poll {
        &mut self.poll
    }

    fn latencies(&mut self) -> &mut Latencies {
        &mut self.latencies
    }

    fn turn(&mut self, index: usize) -> io::Result<()> {
        let place = &mut self.places[index];
        if !place.asked {
            match place.stream.write(&self.request) {
                // Not connected yet.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Ok(count) if count == self.request.len() => place.asked = true,
                Ok(_) => return Err(io::Error::other("a socket has no room for the request")),
                Err(error) => return Err(error),
            }
        }
        loop {
            match place.stream.read(&mut place.answer[place.received..]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Ok(0) => break,
                result => place.received += result?,
            }
        }
        let received = &place.answer[..place.received];
        if answer_len(received)? != Some(received.len()) {
            return Err(io::Error::other("an answer is not whole"));
        }
        self.latencies.record(place.begun.elapsed());
        self.places[index] = self.open(index)?;
        Ok(())
    }
}
