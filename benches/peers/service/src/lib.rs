//! What the servers that are compared have in common: which port does what, and what a request is answered with.

/// What a port does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Sends back what it gets.
    Echo,
    /// Reads and forgets.
    Discard,
    /// Sends as fast as the client's window allows.
    Chargen,
    /// One answer to each empty line.
    Http,
}

/// The ports, and what they do.
pub const PORTS: [(u16, Service); 4] =
    [(7, Service::Echo), (9, Service::Discard), (19, Service::Chargen), (80, Service::Http)];

impl Service {
    /// What this port does, if anything.
    pub fn at(port: u16) -> Option<Service> {
        PORTS.into_iter().find_map(|(known, service)| (known == port).then_some(service))
    }
}

/// As long as longwire's answer to `GET /healthz`.
pub const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: benchmark\r\n\
Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nok\n";

/// What ends a request's head.
const END: &[u8] = b"\r\n\r\n";

/// Counts the requests of a connection, in pieces of any size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests {
    /// How much of a head's end has been seen.
    matched: usize,
}

impl Requests {
    /// How many heads end within these bytes.
    pub fn ends_in(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        for &byte in bytes {
            self.matched = match (byte == END[self.matched], byte) {
                (true, _) => self.matched + 1,
                (false, b'\r') => 1,
                (false, _) => 0,
            };
            if self.matched == END.len() {
                self.matched = 0;
                count += 1;
            }
        }
        count
    }
}

/// Whether the client wants these requests to be its last.
pub fn is_last(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|window| window == b": close")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_end_wherever_they_are_cut() {
        let two = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        for cut in 0..two.len() {
            let mut requests = Requests::default();
            assert_eq!(requests.ends_in(&two[..cut]) + requests.ends_in(&two[cut..]), 2, "cut at {cut}");
        }
        assert_eq!(Requests::default().ends_in(b"\r\r\n\r\n"), 1);
    }

    #[test]
    fn ports_have_services() {
        assert_eq!((Service::at(9), Service::at(8)), (Some(Service::Discard), None));
    }
}
