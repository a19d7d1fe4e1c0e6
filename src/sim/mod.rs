//! Worlds of stacks and links in virtual time.
//!
//! A [`World`] holds hosts, each a [`Stack`](crate::stack::Stack) with scripted applications, and links between them
//! that delay, lose, reorder, duplicate and corrupt. It is driven by a clock that jumps to the next deadline, and by
//! one seed: the same seed gives the same packets at the same times, which the hash of its [`Trace`] shows. A
//! [`Scenario`] draws a whole world from a seed and says whether everything in it went as TCP promises.
//!
//! Beside what applications notice and what a stack knows of itself, every world is judged from outside: no host may send
//! what an observer of the wires could hold against it (see `audit.rs`).
//!
//! What a failing world prints is the seed and where it noticed; `LONGWIRE_SIM_SEEDS` and `LONGWIRE_SIM_TRACE` replay
//! it (see `tests/simulation.rs`).
//!
//! A world drawn from a seed:
//!
//! ```
//! use longwire::sim::{Failure, Report, Scenario};
//! let report: Report = Scenario::from_seed(1).run().map_err(|failure: Failure| failure.to_string()).unwrap();
//! assert_eq!(report.hash, Scenario::from_seed(1).run().unwrap().hash, "the same seed, the same packets");
//! ```

mod apps;
mod audit;
mod failure;
mod hop;
mod host;
mod merge;
mod middlebox;
mod pattern;
mod scenario;
mod script;
mod trace;
mod world;

pub use apps::{Endpoint, Outcome, Turn};
pub use failure::Failure;
pub use host::{Host, HostConfig, Plan, Service};
pub use middlebox::Middlebox;
pub use pattern::Pattern;
pub use scenario::{Disturbance, Flow, Report, Scenario, Side};
pub use script::{Ending, Habit, Pace, Script, Stream};
pub use trace::{Seen, Step, Trace};
pub use world::{Crossing, HostId, Pause, Rule, World};
