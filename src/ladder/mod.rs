//! Time-sequence ("ladder") diagrams of the TCP connections in a capture.
//!
//! Two halves that know nothing of each other's matters. The analysis goes from bytes to rows: `file` reads packets,
//! `segment` finds the TCP segment in each, `connections` sorts them by connection, `tracker` says what each segment
//! means there, and `rows` keeps of it as much as can be looked at. The drawing, `drawing`, goes from rows to SVG.
//!
//! A capture may be larger than memory, and anybody's: it is read once, as a stream; what is kept is bounded by
//! [`Limits`]; and whatever it holds, the worst that comes of it is a [`ReadError`].

mod connections;
mod drawing;
mod file;
mod http_line;
mod rows;
mod segment;
mod tracker;

#[cfg(test)]
mod tests;

pub(crate) use connections::{Analysis, Connection, Filter, Limits, Selection};
pub(crate) use drawing::{Names, draw};
pub(crate) use file::{ReadError, analyse};

use std::fmt;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Who opened it.
    Client,
    /// Who accepted it.
    Server,
}

impl End {
    /// The one across.
    pub(crate) fn other(self) -> End {
        match self {
            End::Client => End::Server,
            End::Server => End::Client,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Client => "client",
            End::Server => "server",
        })
    }
}

/// A value for each end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Both<T> {
    pub(crate) client: T,
    pub(crate) server: T,
}

impl<T> Both<T> {
    pub(crate) fn at(&self, end: End) -> &T {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    pub(crate) fn at_mut(&mut self, end: End) -> &mut T {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }
}
