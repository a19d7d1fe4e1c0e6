//! Socket options, by level and name, as plain values.

use std::ffi::c_int;

use longwire::stack::{Duration, KeepAlive, SocketOptions, TcpInfo};

use crate::descriptors::Role;
use crate::errno::{Errno, INVALID, Result};
use crate::world::World;
use crate::{flags, tcp_info};

/// Linux doubles what is asked for, to account for its own overhead, and tells the doubled value.
const BUFFER_FACTOR: usize = 2;
/// Linux's option to be told with each message how much is still unread; the C library's bindings do not name it.
pub(crate) const TCP_INQ: c_int = 36;
/// Linux's option for the most that may wait to be sent; the C library's bindings do not name it.
const TCP_NOTSENT_LOWAT: c_int = 25;
/// What may be asked for as MSS, as on Linux.
const MAX_SEGMENT: std::ops::RangeInclusive<u16> = 88..=32_767;
/// What the MSS is before there is a connection (RFC 9293 3.7.1).
const DEFAULT_MSS: u16 = 536;
const UNKNOWN: Errno = Errno(libc::ENOPROTOOPT);

/// The value of an option.
pub(crate) enum Value {
    /// A number.
    Int(c_int),
    /// `SO_LINGER`: off, or seconds.
    Linger(Option<c_int>),
    /// Anything else, byte for byte.
    Bytes(Vec<u8>),
}

impl World {
    /// What new sockets begin with.
    pub(crate) fn default_options(&self) -> SocketOptions {
        self.default_options.clone()
    }

    /// `getsockopt`.
    pub(crate) fn option(&mut self, fd: c_int, level: c_int, name: c_int) -> Result<Value> {
        let options = self.options_of(fd)?;
        match (level, name) {
            (libc::SOL_SOCKET, name) => self.socket_level(fd, name, &options),
            (libc::IPPROTO_TCP, name) => self.tcp_level(fd, name, &options),
            _ => Err(UNKNOWN),
        }
    }

    fn socket_level(&mut self, fd: c_int, name: c_int, options: &SocketOptions) -> Result<Value> {
        let buffer = |bytes: usize| Value::Int(c_int::try_from(bytes).unwrap_or(c_int::MAX));
        Ok(match name {
            libc::SO_ERROR => Value::Int(self.take_error(fd)?.map_or(0, |error| Errno::from(error).0)),
            libc::SO_REUSEADDR => Value::Int(c_int::from(self.descriptors.socket(fd)?.local.reuse_address)),
            libc::SO_LINGER => Value::Linger(self.descriptors.socket(fd)?.local.linger),
            libc::SO_KEEPALIVE => Value::Int(c_int::from(options.keep_alive.is_some())),
            libc::SO_SNDBUF => buffer(self.send_memory(fd)?),
            libc::SO_RCVBUF => buffer(options.receive_buffer),
            libc::SO_TYPE => Value::Int(libc::SOCK_STREAM),
            libc::SO_ACCEPTCONN => {
                Value::Int(c_int::from(matches!(self.descriptors.socket(fd)?.role, Role::Listener(_))))
            }
            _ => return Err(UNKNOWN),
        })
    }

    fn tcp_level(&mut self, fd: c_int, name: c_int, options: &SocketOptions) -> Result<Value> {
        let keep_alive = self.descriptors.socket(fd)?.local.keep_alive;
        let seconds =
            |duration: Duration| Value::Int(c_int::try_from(duration.as_secs()).unwrap_or(c_int::MAX));
        Ok(match name {
            libc::TCP_NODELAY => Value::Int(c_int::from(options.nodelay)),
            libc::TCP_CORK => Value::Int(c_int::from(options.cork)),
            // 0 stands for what all sockets begin with.
            TCP_NOTSENT_LOWAT if options.notsent_lowat == self.default_options.notsent_lowat => Value::Int(0),
            TCP_NOTSENT_LOWAT => Value::Int(options.notsent_lowat.map_or(-1, |bytes| bytes as c_int)),
            libc::TCP_USER_TIMEOUT => {
                let millis = options.user_timeout.map_or(0, |timeout| timeout.as_millis());
                Value::Int(c_int::try_from(millis).unwrap_or(c_int::MAX))
            }
            libc::TCP_KEEPIDLE => seconds(keep_alive.idle),
            libc::TCP_KEEPINTVL => seconds(keep_alive.interval),
            libc::TCP_KEEPCNT => Value::Int(c_int::from(keep_alive.count)),
            libc::TCP_MAXSEG => {
                let asked = c_int::from(options.max_segment.unwrap_or(DEFAULT_MSS));
                Value::Int(self.info(fd)?.map_or(asked, |info| c_int::from(info.snd_mss)))
            }
            TCP_INQ => Value::Int(c_int::from(self.descriptors.socket(fd)?.local.tell_unread)),
            libc::TCP_INFO => {
                let info = self.info(fd)?.ok_or(INVALID)?;
                Value::Bytes(tcp_info::layout(&info).to_vec())
            }
            _ => return Err(UNKNOWN),
        })
    }

    /// A connection's snapshot.
    fn info(&self, fd: c_int) -> Result<Option<TcpInfo>> {
        Ok(match self.descriptors.socket(fd)?.role {
            Role::Connection(id) => Some(self.stack.info(id)?),
            Role::Fresh(_) | Role::Listener(_) => None,
        })
    }

    /// `setsockopt` of a number.
    pub(crate) fn set_option(&mut self, fd: c_int, level: c_int, name: c_int, value: c_int) -> Result<()> {
        let mut options = self.options_of(fd)?;
        match (level, name) {
            (libc::SOL_SOCKET, libc::SO_REUSEADDR) => {
                self.descriptors.socket_mut(fd)?.local.reuse_address = value != 0;
                return Ok(());
            }
            (libc::IPPROTO_TCP, TCP_INQ) => {
                self.descriptors.socket_mut(fd)?.local.tell_unread = value != 0;
                return Ok(());
            }
            (libc::SOL_SOCKET, libc::SO_SNDBUF) => {
                let bytes = usize::try_from(value).map_err(|_| INVALID)?;
                self.descriptors.socket_mut(fd)?.local.send_memory = Some(bytes * BUFFER_FACTOR);
                return Ok(());
            }
            (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => {
                let local = &self.descriptors.socket(fd)?.local;
                options.keep_alive = (value != 0).then_some(local.keep_alive);
            }
            (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE | libc::TCP_KEEPINTVL | libc::TCP_KEEPCNT) => {
                let local = &mut self.descriptors.socket_mut(fd)?.local;
                set_keep_alive(&mut local.keep_alive, name, value)?;
                options.keep_alive = options.keep_alive.map(|_| local.keep_alive);
            }
            (libc::IPPROTO_TCP, TCP_NOTSENT_LOWAT) => {
                let own = Some(value as u32 as usize).filter(|bytes| *bytes > 0);
                options.notsent_lowat = own.or(self.default_options.notsent_lowat);
            }
            (libc::SOL_SOCKET, name) => set_socket_level(&mut options, name, value)?,
            (libc::IPPROTO_TCP, name) => set_tcp_level(&mut options, name, value)?,
            _ => return Err(UNKNOWN),
        }
        self.set_options_of(fd, options)?;
        if (level, name) == (libc::IPPROTO_TCP, libc::TCP_NODELAY) && value != 0 {
            // On Linux this pushes what a cork holds.
            if let Role::Connection(id) = self.descriptors.socket(fd)?.role {
                self.stack.push(id)?;
            }
        }
        Ok(())
    }

    /// `setsockopt` of `TCP_CONGESTION`. All connections of a stack have the controller of its configuration: only
    /// that one can be asked for.
    pub(crate) fn set_congestion(&mut self, fd: c_int, name: &str) -> Result<()> {
        self.descriptors.socket(fd)?;
        match flags::algorithm(name) {
            Some(algorithm) if algorithm == self.congestion => Ok(()),
            _ => Err(Errno(libc::ENOENT)),
        }
    }

    /// `setsockopt` of `SO_LINGER`.
    pub(crate) fn set_linger(&mut self, fd: c_int, seconds: Option<c_int>) -> Result<()> {
        self.descriptors.socket_mut(fd)?.local.linger = seconds;
        Ok(())
    }
}

fn set_socket_level(options: &mut SocketOptions, name: c_int, value: c_int) -> Result<()> {
    let buffer = || usize::try_from(value).map(|bytes| bytes * BUFFER_FACTOR).map_err(|_| INVALID);
    match name {
        libc::SO_RCVBUF => options.receive_buffer = buffer()?,
        _ => return Err(UNKNOWN),
    }
    Ok(())
}

fn set_tcp_level(options: &mut SocketOptions, name: c_int, value: c_int) -> Result<()> {
    let number = u64::try_from(value).map_err(|_| INVALID);
    match name {
        libc::TCP_NODELAY => options.nodelay = value != 0,
        libc::TCP_CORK => options.cork = value != 0,
        libc::TCP_MAXSEG => {
            let most = u16::try_from(value).ok().filter(|most| MAX_SEGMENT.contains(most));
            options.max_segment = Some(most.ok_or(INVALID)?);
        }
        libc::TCP_USER_TIMEOUT => {
            options.user_timeout = Some(Duration::from_millis(number?)).filter(|timeout| !timeout.is_zero());
        }
        _ => return Err(UNKNOWN),
    }
    Ok(())
}

/// What is set while keep-alive is off counts once it is switched on.
fn set_keep_alive(keep_alive: &mut KeepAlive, name: c_int, value: c_int) -> Result<()> {
    let seconds = || u64::try_from(value).map(Duration::from_secs).map_err(|_| INVALID);
    match name {
        libc::TCP_KEEPIDLE => keep_alive.idle = seconds()?,
        libc::TCP_KEEPINTVL => keep_alive.interval = seconds()?,
        _ => keep_alive.count = u8::try_from(value).map_err(|_| INVALID)?,
    }
    Ok(())
}
