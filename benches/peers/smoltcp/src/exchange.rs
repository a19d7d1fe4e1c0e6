//! Requests and answers on one connection: `GET /healthz`, `GET /bytes/N`, `POST /sha256` and `POST /discard`.

use sha2::{Digest, Sha256};
use smoltcp::socket::tcp::Socket;

/// Byte i of a body is i mod 251, as longwire's `/bytes` has it.
const PERIOD: usize = 251;

/// Whole periods, so that any position of a body can be copied from in large pieces.
static PATTERN: [u8; 1024 * PERIOD] = pattern();

/// A request head may have this many bytes.
const MAX_HEAD: usize = 8 * 1024;

const fn pattern() -> [u8; 1024 * PERIOD] {
    let mut bytes = [0; 1024 * PERIOD];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = (at % PERIOD) as u8;
        at += 1;
    }
    bytes
}

/// What one connection is at.
#[derive(Default)]
pub struct Exchange {
    step: Step,
    /// What is to be sent before anything else.
    text: Vec<u8>,
    close_after: bool,
}

enum Step {
    Head(Vec<u8>),
    Send { position: usize, length: usize },
    Receive { left: u64, length: u64, hash: Option<Sha256> },
    Over,
}

impl Default for Step {
    fn default() -> Self {
        Step::Head(Vec::new())
    }
}

impl Exchange {
    /// Whether the last answer is in the send buffer.
    pub fn is_over(&self) -> bool {
        matches!(self.step, Step::Over) && self.text.is_empty()
    }

    /// Whether the peer may close without anything being missing.
    pub fn is_between_requests(&self) -> bool {
        matches!(self.step, Step::Head(_)) && self.text.is_empty()
    }

    /// Moves what can be moved between the socket's buffers and us; whether that was anything.
    pub fn advance(&mut self, socket: &mut Socket<'_>) -> bool {
        let mut moved = false;
        while self.step_once(socket) {
            moved = true;
        }
        moved
    }

    fn step_once(&mut self, socket: &mut Socket<'_>) -> bool {
        if !self.text.is_empty() {
            let sent = socket.send_slice(&self.text).unwrap_or(0);
            self.text.drain(..sent);
            return sent > 0;
        }
        match &mut self.step {
            Step::Head(head) => {
                if !receive_head(socket, head) {
                    return false;
                }
                let head = String::from_utf8_lossy(head).into_owned();
                self.start(&head);
                true
            }
            Step::Send { position, length } if position == length => self.finish(),
            Step::Send { position, length } => {
                let sent = socket.send(|room| copy_pattern(room, *position, *length)).unwrap_or(0);
                *position += sent;
                sent > 0
            }
            Step::Receive { left: 0, length, hash } => {
                let answer = match hash.take() {
                    Some(hash) => format!("{length} {}\n", hex(&hash.finalize())),
                    None => format!("{length}\n"),
                };
                self.text = answer_head("200 OK", answer.len());
                self.text.extend(answer.bytes());
                self.finish()
            }
            Step::Receive { left, hash, .. } => {
                let taken = socket.recv(|bytes| consume(bytes, *left, hash.as_mut())).unwrap_or(0);
                *left -= taken as u64;
                if taken == 0 && !socket.may_recv() {
                    self.step = Step::Over;
                }
                taken > 0
            }
            Step::Over => false,
        }
    }

    /// Begins the answer to a complete request head.
    fn start(&mut self, head: &str) {
        let mut lines = head.split("\r\n");
        let mut request = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
        self.close_after = request.next() != Some("HTTP/1.1");
        let (mut length, mut expects) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse::<u64>().ok(),
                "expect" => expects = true,
                "connection" => self.close_after |= value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        let bytes = target.strip_prefix("/bytes/").and_then(|count| count.parse::<usize>().ok());
        match (method, target, bytes, length) {
            ("GET", "/healthz", ..) => {
                self.text = answer_head("200 OK", 3);
                self.text.extend(b"ok\n");
                self.finish();
            }
            ("GET", _, Some(length), _) => {
                self.text = answer_head("200 OK", length);
                self.step = Step::Send { position: 0, length };
            }
            ("POST", "/sha256" | "/discard", _, Some(length)) => {
                if expects {
                    self.text = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
                }
                let hash = (target == "/sha256").then(Sha256::new);
                self.step = Step::Receive { left: length, length, hash };
            }
            _ => {
                let status = if method == "POST" && length.is_none() {
                    "411 Length Required"
                } else {
                    "404 Not Found"
                };
                self.text = answer_head(status, 0);
                self.close_after = true;
                self.finish();
            }
        }
    }

    /// Goes on to the next request, or to the end.
    fn finish(&mut self) -> bool {
        self.step = if self.close_after { Step::Over } else { Step::default() };
        true
    }
}

fn answer_head(status: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nServer: smoltcp-peer\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

/// Takes bytes up to the empty line and not beyond it; whether it was reached.
fn receive_head(socket: &mut Socket<'_>, head: &mut Vec<u8>) -> bool {
    let mut byte = [0];
    while head.len() < MAX_HEAD && socket.recv_slice(&mut byte) == Ok(1) {
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r\n") {
            return true;
        }
    }
    // Too long a head ends as a request that cannot be understood.
    head.len() == MAX_HEAD
}

/// Fills the room in the send buffer itself: the body is copied once.
fn copy_pattern(room: &mut [u8], position: usize, length: usize) -> (usize, usize) {
    let from = position % PERIOD;
    let count = room.len().min(length - position).min(PATTERN.len() - from);
    room[..count].copy_from_slice(&PATTERN[from..from + count]);
    (count, count)
}

/// Hashes the bytes where they lie, or drops them.
fn consume(bytes: &mut [u8], left: u64, hash: Option<&mut Sha256>) -> (usize, usize) {
    let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    if let Some(hash) = hash {
        hash.update(&bytes[..count]);
    }
    (count, count)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
