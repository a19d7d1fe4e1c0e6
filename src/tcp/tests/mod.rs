//! One connection and a hand-made peer, exchanging packets on virtual time.
//!
//! The whole [`suite`](small::suite) runs once for each pair of initial sequence numbers below: comparisons are modulo
//! 2^32 (RFC 9293 3.4), so nothing may depend on where a connection begins.

/// Ordinary numbers.
#[path = "."]
mod small {
    const US: u32 = 1_000;
    const PEER: u32 = 50_000;
    #[path = "suite.rs"]
    mod suite;
}

/// Both directions pass 2^32 within the first segments.
#[allow(clippy::duplicate_mod, reason = "the same tests with other numbers")]
#[path = "."]
mod wrapping {
    const US: u32 = u32::MAX - 1_500;
    const PEER: u32 = u32::MAX - 3;
    #[path = "suite.rs"]
    mod suite;
}

/// Our SYN takes the last number; the peer's pass 2^31, where a signed comparison would turn over.
#[allow(clippy::duplicate_mod, reason = "the same tests with other numbers")]
#[path = "."]
mod turning {
    const US: u32 = u32::MAX;
    const PEER: u32 = (1 << 31) - 2;
    #[path = "suite.rs"]
    mod suite;
}
