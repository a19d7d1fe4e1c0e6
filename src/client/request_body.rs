//! What a request carries.

use std::fmt;
use std::io::Read;

use crate::http::BodySize;

/// The body of a request.
#[derive(Default)]
pub enum RequestBody {
    /// None.
    #[default]
    Empty,
    /// These bytes: the request can be sent again if it has to be.
    Bytes(Vec<u8>),
    /// What a reader gives, once: with `length` exactly so much, without it in chunks until its end. While the reader
    /// blocks nothing else is sent or received.
    Stream {
        /// Where it comes from.
        reader: Box<dyn Read + Send>,
        /// How much it will be, if that is known.
        length: Option<u64>,
    },
}

impl RequestBody {
    pub(super) fn size(&self) -> BodySize {
        match self {
            RequestBody::Empty => BodySize::Known(0),
            RequestBody::Bytes(bytes) => BodySize::Known(bytes.len() as u64),
            RequestBody::Stream { length, .. } => length.map_or(BodySize::Unknown, BodySize::Known),
        }
    }

    /// Whether it can be sent a second time.
    pub(super) fn is_replayable(&self) -> bool {
        !matches!(self, RequestBody::Stream { .. })
    }
}

impl From<Vec<u8>> for RequestBody {
    fn from(bytes: Vec<u8>) -> Self {
        RequestBody::Bytes(bytes)
    }
}

impl From<&str> for RequestBody {
    fn from(text: &str) -> Self {
        RequestBody::Bytes(text.into())
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestBody::Empty => f.write_str("Empty"),
            RequestBody::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            RequestBody::Stream { length, .. } => write!(f, "Stream({length:?})"),
        }
    }
}
