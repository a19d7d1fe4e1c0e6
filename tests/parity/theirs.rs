//! The kernel's TCP, over its loopback.

pub(crate) use std::net;

#[path = "programs.rs"]
pub(crate) mod programs;
