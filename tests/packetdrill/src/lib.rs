//! longwire behind the interface with which packetdrill drives a user-space stack.
//!
//! packetdrill plays scripts of system calls and packets. It loads this library with `--so_filename`, calls
//! [`packetdrill_interface_init`](abi::packetdrill_interface_init), and from then on the library's functions in place
//! of the kernel's. The stack is the one that longwire always runs, driven through the same five entry points; what
//! is different is the clock: time is virtual, so that minutes of a script pass in milliseconds and are exact.
//!
//! From the outside in: `abi` is the table of functions, `calls` the functions themselves (C types in, `errno` out),
//! `host` lets two threads take turns, and `world` is what they take turns with: stack, clock and descriptors.
//! Loaded with `LD_PRELOAD` as well, `preload` answers what the tool asks the C library about our sockets.

#![deny(unsafe_op_in_unsafe_fn)]

mod abi;
mod address;
mod calls;
mod descriptors;
mod epoll;
mod errno;
mod flags;
mod host;
mod options;
mod preload;
mod readiness;
mod send_memory;
mod socket;
mod tcp_info;
mod transfer;
mod wire;
mod world;
