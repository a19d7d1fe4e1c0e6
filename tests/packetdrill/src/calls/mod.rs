//! The functions of the table, by family. Each turns C's arguments into ours, makes the call, and turns the result
//! back; none knows anything about TCP.

pub(crate) mod netdev;
pub(crate) mod options;
pub(crate) mod polling;
pub(crate) mod sockets;
pub(crate) mod streams;
