//! What the ports beside HTTP do: bytes without end, or back where they came from.

use smoltcp::socket::tcp::Socket;

use crate::exchange::Exchange;

/// Bytes of one answer to a client that echoes: more wait in the receive buffer.
const ECHO: usize = 64 * 1024;

/// What a socket's connection is for.
pub enum Service {
    Http(Exchange),
    Echo,
    Discard,
    Chargen,
}

impl Service {
    pub fn at(port: u16) -> Service {
        match port {
            7 => Service::Echo,
            9 => Service::Discard,
            19 => Service::Chargen,
            _ => Service::Http(Exchange::default()),
        }
    }

    /// Moves what can be moved between the socket's buffers and us; whether that was anything.
    pub fn advance(&mut self, socket: &mut Socket<'_>) -> bool {
        match self {
            Service::Http(exchange) => exchange.advance(socket),
            Service::Echo => echo(socket),
            Service::Discard => socket.recv(|bytes| (bytes.len(), bytes.len())).is_ok_and(|count| count > 0),
            // The bytes are written, as a program would that has something to say.
            Service::Chargen => socket
                .send(|room| {
                    room.fill(b'x');
                    (room.len(), room.len())
                })
                .is_ok_and(|count| count > 0),
        }
    }

    /// Whether our side of the connection is to be closed; `half_closed`: the client's is, and all of it was read.
    pub fn is_over(&self, half_closed: bool) -> bool {
        match self {
            Service::Http(exchange) => exchange.is_over() || half_closed && exchange.is_between_requests(),
            Service::Echo | Service::Discard | Service::Chargen => half_closed,
        }
    }
}

fn echo(socket: &mut Socket<'_>) -> bool {
    let room = socket.send_capacity() - socket.send_queue();
    let mut bytes = [0; ECHO];
    let count = socket.recv_slice(&mut bytes[..room.min(ECHO)]).unwrap_or(0);
    count > 0 && socket.send_slice(&bytes[..count]) == Ok(count)
}
