//! **longwire**: a TCP/IP stack in user space.

pub mod buffer;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "serve")]
pub mod client;
#[cfg(feature = "device")]
pub mod device;
#[cfg(feature = "net")]
pub mod driver;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "device")]
pub mod sim;
pub mod stack;
pub mod tcp;
pub mod time;
pub mod wire;
