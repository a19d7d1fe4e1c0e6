//! **longwire**: a TCP/IP stack in user space.

pub mod buffer;
pub mod time;
pub mod wire;
