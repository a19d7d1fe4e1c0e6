//! What is said over the control socket: one line of JSON asks, lines of JSON answer.

use serde::{Deserialize, Serialize};

use super::SocketReport;

/// The longest question in bytes, its line end included.
pub(super) const MAX_QUESTION: usize = 4 * 1024;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// The table of sockets: answered by any number of [`Line::Socket`].
    Sockets(SocketQuestion),
    /// Every counter, in the text format of Prometheus: answered by one [`Line::Metrics`].
    Metrics,
}

/// Which sockets, and how much of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SocketQuestion {
    /// With what only connections have: [`SocketReport::tcp`].
    pub details: bool,
    /// Only those in one of these states, by [name](crate::driver::SocketState::name); empty: in any.
    pub states: Vec<String>,
    /// Only those that speak this: `tcp`, `udp`, `icmp`.
    pub protocol: Option<String>,
    /// Only those with this port at either end.
    pub port: Option<u16>,
    /// Only connections that have sent or received something in the last so many milliseconds.
    pub active_within_ms: Option<u64>,
}

/// One line of an answer. The first is a greeting and the last an end, unless something went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Who answers.
    Greeting(Greeting),
    /// One socket.
    Socket(Box<SocketReport>),
    /// Every counter, in the text format of Prometheus.
    Metrics(String),
    /// The answer is complete.
    End {
        /// Lines between the greeting and this one.
        lines: u64,
    },
    /// The question cannot be answered; nothing follows.
    Error(String),
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Version of the program.
    pub version: String,
    /// What the stack is called: the name of its interface.
    pub name: String,
    /// The process.
    pub pid: u32,
}
