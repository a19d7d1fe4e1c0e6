//! What can be wrong with a packet's bytes.

use std::fmt;

/// Why a packet could not be understood. Each has a counter of its own in the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Shorter than its headers say.
    Truncated,
    /// Neither IPv4 nor IPv6.
    Version,
    /// A header field contradicts another (a length below the minimum, say).
    Malformed,
    /// A checksum does not match.
    Checksum,
    /// The packet asks to be routed by its source (RFC 7126, RFC 5095).
    SourceRoute,
    /// TCP options of length 0 or 1, or past the header's end.
    Options,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WireError::Truncated => "shorter than its headers say",
            WireError::Version => "neither IPv4 nor IPv6",
            WireError::Malformed => "contradictory header fields",
            WireError::Checksum => "checksum does not match",
            WireError::SourceRoute => "source routing",
            WireError::Options => "malformed TCP options",
        })
    }
}

impl std::error::Error for WireError {}
