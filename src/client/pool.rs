//! Idle connections.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::{Authority, ClientConfig};
use crate::net::Instant;

/// Connections that wait for their next request, the longest idle first.
///
/// There is no thread that looks after them: those whose time is over go at the next call. A connection is closed
/// by being dropped, and never under the lock.
pub(super) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    max_idle: usize,
    max_idle_per_authority: usize,
    idle_timeout: Duration,
}

struct Idle {
    authority: Authority,
    connection: Connection,
    until: Instant,
}

impl Pool {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Pool {
            idle: Mutex::default(),
            max_idle: config.max_idle,
            max_idle_per_authority: config.max_idle_per_authority,
            idle_timeout: config.idle_timeout,
        }
    }

    /// The connection to `authority` that was used last, if it still stands: an older one is likelier to be closed
    /// by the server at any moment.
    pub(super) fn take(&self, authority: &Authority, now: Instant) -> Option<Connection> {
        loop {
            let (found, expired) = {
                let mut idle = self.lock();
                let expired = remove_all(&mut idle, |idle| idle.until <= now);
                let position = idle.iter().rposition(|idle| idle.authority == *authority);
                (position.and_then(|position| idle.remove(position)), expired)
            };
            drop(expired);
            let connection = found?.connection;
            if !connection.is_stale() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(super) fn put(&self, authority: Authority, connection: Connection, now: Instant) {
        let timeout = connection.announced_timeout.map_or(self.idle_timeout, |t| t.min(self.idle_timeout));
        let surplus = {
            let mut idle = self.lock();
            idle.push_back(Idle { authority, connection, until: now + timeout });
            self.take_surplus(&mut idle, now)
        };
        drop(surplus);
    }

    /// What is over its time or over the limits, the oldest first. Only the newest connection's authority can have
    /// too many.
    fn take_surplus(&self, idle: &mut VecDeque<Idle>, now: Instant) -> Vec<Idle> {
        let mut surplus = remove_all(idle, |idle| idle.until <= now);
        if let Some(authority) = idle.back().map(|newest| newest.authority.clone()) {
            let same = idle.iter().filter(|idle| idle.authority == authority).count();
            let mut too_many = same.saturating_sub(self.max_idle_per_authority);
            surplus.extend(remove_all(idle, |idle| {
                let goes = too_many > 0 && idle.authority == authority;
                too_many -= usize::from(goes);
                goes
            }));
        }
        let too_many = idle.len().saturating_sub(self.max_idle);
        surplus.extend(idle.drain(..too_many));
        surplus
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

fn remove_all(idle: &mut VecDeque<Idle>, mut goes: impl FnMut(&Idle) -> bool) -> Vec<Idle> {
    let (gone, kept): (VecDeque<_>, VecDeque<_>) = idle.drain(..).partition(|entry| goes(entry));
    *idle = kept;
    gone.into()
}
