//! Short and long connections, measured: the load, what it costs on the wire and at the server, and the report.
//!
//! `load` sends requests with as many clients as are wanted, each an `exchange` after the other over a `transport`: the
//! kernel's sockets, or those of a stack of longwire's own. `measure` looks at the system (`observe`, `own_metrics`)
//! before and after. `report` makes a page of it, with `plots`, and `columns` and `json` the same for terminals and for
//! programs. `idle` holds connections on which nothing happens. Every figure says where it comes from; one that cannot be
//! had is left out.
//!
//! `suite` is about something else: what `scripts/bench.sh` has measured of several stacks.

mod clock;
mod columns;
mod exchange;
mod histogram;
mod idle;
mod json;
mod load;
mod measure;
mod observe;
mod own_metrics;
mod plots;
mod report;
mod suite;
mod transport;

#[cfg(test)]
mod tests;

pub(crate) use clock::Stopwatch;
pub(crate) use columns::terminal_table;
pub(crate) use histogram::Histogram;
pub(crate) use idle::{Crowd, PORTS};
pub(crate) use json::json;
pub(crate) use load::{Amount, Life};
pub(crate) use measure::{Client, Measurement, Target, measure};
pub(crate) use observe::{Cost, cost, kernel_memory, machine};
pub(crate) use report::{ClientKind, Comparison, Report, html};
pub(crate) use suite::{Results, markdown, plot};
pub(crate) use transport::{Kernel, OwnStack};
