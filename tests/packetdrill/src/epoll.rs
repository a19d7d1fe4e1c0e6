//! epoll: level- and edge-triggered, and one-shot.

use std::collections::BTreeMap;
use std::ffi::c_int;

use crate::descriptors::Descriptor;
use crate::errno::{AGAIN, Errno, INVALID, Result};
use crate::world::World;

/// Told without being asked for.
const ALWAYS: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
/// Not events, but how to tell of them.
const MODES: u32 = (libc::EPOLLET | libc::EPOLLONESHOT | libc::EPOLLEXCLUSIVE) as u32;

/// An epoll instance.
#[derive(Default)]
pub(crate) struct Epoll {
    watched: BTreeMap<c_int, Watch>,
}

struct Watch {
    interest: u32,
    data: u64,
    /// What the socket's count of events was when it was last told of, for edge-triggered watches.
    seen: u64,
}

impl Epoll {
    /// The descriptor has been closed.
    pub(crate) fn forget(&mut self, fd: c_int) {
        self.watched.remove(&fd);
    }
}

impl World {
    /// `epoll_create`.
    pub(crate) fn epoll_create(&mut self) -> Result<c_int> {
        self.descriptors.insert(Descriptor::Epoll(Epoll::default()))
    }

    /// `epoll_ctl`, with the event as mask and user data.
    pub(crate) fn epoll_ctl(
        &mut self,
        epoll: c_int,
        op: c_int,
        fd: c_int,
        mask: u32,
        data: u64,
    ) -> Result<()> {
        self.descriptors.socket(fd)?;
        let watched = &mut self.descriptors.epoll_mut(epoll)?.watched;
        let known = watched.contains_key(&fd);
        match op {
            libc::EPOLL_CTL_ADD if known => Err(Errno(libc::EEXIST)),
            libc::EPOLL_CTL_MOD | libc::EPOLL_CTL_DEL if !known => Err(Errno(libc::ENOENT)),
            libc::EPOLL_CTL_ADD | libc::EPOLL_CTL_MOD => {
                watched.insert(fd, Watch { interest: mask, data, seen: 0 });
                Ok(())
            }
            libc::EPOLL_CTL_DEL => {
                watched.remove(&fd);
                Ok(())
            }
            _ => Err(INVALID),
        }
    }

    /// `epoll_wait`: up to `most` pairs of events and user data, `EAGAIN` if there is none.
    pub(crate) fn epoll_wait(&mut self, epoll: c_int, most: usize) -> Result<Vec<(u32, u64)>> {
        let watched: Vec<(c_int, u32)> = self
            .descriptors
            .epoll_mut(epoll)?
            .watched
            .iter()
            .map(|(&fd, watch)| (fd, watch.interest))
            .collect();
        let mut told = Vec::new();
        for (fd, interest) in watched {
            let events = self.events(fd)? & ((interest & !MODES) | ALWAYS);
            let happened = self.descriptors.socket(fd)?.events;
            let Some(watch) = self.descriptors.epoll_mut(epoll)?.watched.get_mut(&fd) else { continue };
            let edge = interest & libc::EPOLLET as u32 != 0;
            let disarmed = interest & !MODES == 0;
            if events == 0 || disarmed || (edge && watch.seen == happened) || told.len() == most {
                continue;
            }
            watch.seen = happened;
            if interest & libc::EPOLLONESHOT as u32 != 0 {
                watch.interest &= MODES;
            }
            told.push((events, watch.data));
        }
        if told.is_empty() { Err(AGAIN) } else { Ok(told) }
    }
}
