//! Requests on connections that stay.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use crate::Figure;
use crate::arguments::Arguments;
use crate::latency::Latencies;
use crate::socket;
use crate::turns::{self, Crowd, PATIENCE};
use crate::usage::Used;

/// A request; with `last` the connection ends with it.
pub fn request(arguments: &Arguments, last: bool) -> Vec<u8> {
    let close = if last { "Connection: close\r\n" } else { "" };
    format!("GET {} HTTP/1.1\r\nHost: {}\r\n{close}\r\n", arguments.path, arguments.server.ip()).into_bytes()
}

/// The length of the whole answer that begins here, if its head is there.
///
/// # Errors
/// It is not what was asked for.
pub fn answer_len(bytes: &[u8]) -> io::Result<Option<usize>> {
    const OK: &[u8] = b"HTTP/1.1 200 ";
    let wrong =
        || io::Error::other(format!("answered {}", String::from_utf8_lossy(&bytes[..bytes.len().min(64)])));
    let begin = bytes.len().min(OK.len());
    if bytes[..begin] != OK[..begin] {
        return Err(wrong());
    }
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    Ok(Some(head + 4 + length.ok_or_else(wrong)?))
}

/// Figures that requests have in common.
pub fn figures(arguments: &Arguments, latencies: Latencies, used: Used) -> Vec<Figure> {
    let count = latencies.len() as f64;
    let mut figures = vec![
        ("requests_per_s", count / used.seconds),
        ("client_cpu_us_per_request", used.client / count * 1e6),
    ];
    if !arguments.pids.is_empty() {
        figures.push(("server_cpu_us_per_request", used.server / count * 1e6));
    }
    figures.extend(latencies.figures());
    figures
}

struct Line {
    stream: TcpStream,
    /// Bytes of an answer: all have as many as the first.
    answer: usize,
    /// Bytes of the answers under way that are still to come.
    missing: usize,
    asked: Instant,
}

/// On each connection as many requests as are to be under way go out together, and the next ones when all are answered.
pub fn measure(arguments: &Arguments) -> io::Result<Vec<Figure>> {
    let mut load = Load {
        poll: Poll::new()?,
        lines: Vec::new(),
        batch: request(arguments, false).repeat(arguments.pipeline),
        pipeline: arguments.pipeline,
        buffer: vec![0; 64 * 1024],
        latencies: Latencies::default(),
    };
    for index in 0..arguments.connections {
        let stream = load.open(arguments, index)?;
        load.lines.push(stream);
    }
    for index in 0..load.lines.len() {
        load.ask(index)?;
    }
    turns::measure(arguments, &mut load)
}

struct Load {
    poll: Poll,
    lines: Vec<Line>,
    batch: Vec<u8>,
    pipeline: usize,
    buffer: Vec<u8>,
    latencies: Latencies,
}

impl Load {
    /// Connects, and asks once to learn how long an answer is.
    fn open(&mut self, arguments: &Arguments, index: usize) -> io::Result<Line> {
        let mut stream = socket::connect(arguments, index)?;
        self.poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
        stream.write_all(&request(arguments, false))?;
        let mut received = 0;
        let end = Instant::now() + PATIENCE;
        let answer = loop {
            match stream.read(&mut self.buffer[received..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => received += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < end => {
                    std::thread::sleep(Duration::from_micros(100));
                }
                Err(error) => return Err(error),
            }
            match answer_len(&self.buffer[..received])? {
                Some(len) if len == received => break len,
                _ => {}
            }
        };
        Ok(Line { stream, answer, missing: 0, asked: Instant::now() })
    }

    fn ask(&mut self, index: usize) -> io::Result<()> {
        let line = &mut self.lines[index];
        line.asked = Instant::now();
        line.missing = line.answer * self.pipeline;
        match line.stream.write(&self.batch)? {
            count if count == self.batch.len() => Ok(()),
            _ => Err(io::Error::other("a socket has no room for the requests")),
        }
    }
}

impl Crowd for Load {
    fn poll(&mut self) -> &mut Poll {
        &mut self.poll
    }

    fn latencies(&mut self) -> &mut Latencies {
        &mut self.latencies
    }

    fn turn(&mut self, index: usize) -> io::Result<()> {
        loop {
            let line = &mut self.lines[index];
            let count = match line.stream.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                result => result?,
            };
            if line.missing == line.answer * self.pipeline {
                answer_len(&self.buffer[..count.min(line.answer)])?;
            }
            line.missing =
                line.missing.checked_sub(count).ok_or_else(|| io::Error::other("more than asked for"))?;
            if line.missing == 0 {
                let took = line.asked.elapsed();
                (0..self.pipeline).for_each(|_| self.latencies.record(took));
                return self.ask(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_its_head_says() {
        let whole = b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 3\r\n\r\nok\n";
        assert_eq!(answer_len(whole).unwrap(), Some(whole.len()));
        assert_eq!(answer_len(&[whole, &whole[..]].concat()).unwrap(), Some(whole.len()), "the first of two");
        assert!((0..whole.len() - 3).all(|len| answer_len(&whole[..len]).unwrap().is_none()));
    }

    #[test]
    fn another_answer_is_an_error() {
        assert!(answer_len(b"HTTP/1.1 404 Not Found\r\n").is_err());
        assert!(answer_len(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
    }
}
