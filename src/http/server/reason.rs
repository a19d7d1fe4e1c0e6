//! Why a connection was limited, refused or ended.

/// Something worth a counter: a limit that fired, or why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// No request for as long as a long connection may be idle.
    IdleTimeout,
    /// The connection has had as many requests as it may.
    MaxRequests,
    /// A head took too long.
    HeaderTimeout,
    /// A request body took too long.
    BodyTimeout,
    /// A request body came too slowly.
    BodyRate,
    /// The peer took nothing of an answer for too long.
    SendTimeout,
    /// The peer did not close after our last answer.
    LingerTimeout,
    /// A request was malformed or over a limit.
    BadRequest,
    /// A request body was not wanted and too long to be skipped.
    BodyRefused,
    /// A request body was longer than its handler takes: it was answered with 413.
    BodyTooLarge,
    /// A handler panicked.
    HandlerPanic,
    /// A handler's answer was not what it had announced: too short, or its parts out of order.
    HandlerBroken,
    /// The server was full.
    Overload,
    /// The connection had to make room for others.
    Evicted,
    /// The server is shutting down.
    Shutdown,
    /// The client closed its side between requests.
    ClientClosed,
    /// The transport failed under an exchange.
    TransportFailed,
}

impl Reason {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Reason; 17] = [
        Reason::IdleTimeout,
        Reason::MaxRequests,
        Reason::HeaderTimeout,
        Reason::BodyTimeout,
        Reason::BodyRate,
        Reason::SendTimeout,
        Reason::LingerTimeout,
        Reason::BadRequest,
        Reason::BodyRefused,
        Reason::BodyTooLarge,
        Reason::HandlerPanic,
        Reason::HandlerBroken,
        Reason::Overload,
        Reason::Evicted,
        Reason::Shutdown,
        Reason::ClientClosed,
        Reason::TransportFailed,
    ];

    /// The name as a metric has it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::IdleTimeout => "idle_timeout",
            Reason::MaxRequests => "max_requests",
            Reason::HeaderTimeout => "header_timeout",
            Reason::BodyTimeout => "body_timeout",
            Reason::BodyRate => "body_rate",
            Reason::SendTimeout => "send_timeout",
            Reason::LingerTimeout => "linger_timeout",
            Reason::BadRequest => "bad_request",
            Reason::BodyRefused => "body_refused",
            Reason::BodyTooLarge => "body_too_large",
            Reason::HandlerPanic => "handler_panic",
            Reason::HandlerBroken => "handler_broken",
            Reason::Overload => "overload",
            Reason::Evicted => "evicted",
            Reason::Shutdown => "shutdown",
            Reason::ClientClosed => "client_closed",
            Reason::TransportFailed => "transport_failed",
        }
    }
}

/// A set of reasons in four bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons(u32);

impl Reasons {
    /// Adds one.
    pub fn insert(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u8;
    }

    /// Whether `reason` is among them.
    pub fn contains(self, reason: Reason) -> bool {
        self.0 & 1 << reason as u8 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in the set, in the order of [`Reason::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.into_iter().filter(move |reason| self.contains(*reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_bit_and_a_name_of_its_own() {
        let mut names = std::collections::HashSet::new();
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            let mut set = Reasons::default();
            set.insert(reason);
            assert_eq!(set.iter().collect::<Vec<_>>(), [reason]);
            assert_eq!(reason as usize, index);
            assert!(names.insert(reason.name()), "{}", reason.name());
        }
    }
}
