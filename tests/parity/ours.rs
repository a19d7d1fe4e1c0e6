//! The stack's TCP, over its own loopback.

pub(crate) use longwire::net;

#[path = "programs.rs"]
pub(crate) mod programs;
