//! All connections of a server: by key, by socket, by how long they are idle, by client.

use std::collections::HashMap;
use std::net::IpAddr;

use super::connection::Connection;
use crate::driver::SocketId;

/// Names a connection; a stale one finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// No neighbour.
const NONE: u32 = u32::MAX;

/// A place in the table, and in the list of idle connections if the one here is idle.
struct Slot {
    generation: u32,
    connection: Option<Connection>,
    idle: bool,
    before: u32,
    after: u32,
}

/// The connections. Every operation takes the same time however many there are.
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_socket: HashMap<SocketId, u32>,
    clients: HashMap<IpAddr, u32>,
    longest_idle: u32,
    latest_idle: u32,
    idle: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        Table {
            slots: Vec::new(),
            free: Vec::new(),
            by_socket: HashMap::new(),
            clients: HashMap::new(),
            longest_idle: NONE,
            latest_idle: NONE,
            idle: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_socket.len()
    }

    pub(super) fn idle_len(&self) -> usize {
        self.idle
    }

    /// Connections of one client.
    pub(super) fn of_client(&self, client: IpAddr) -> usize {
        self.clients.get(&client).map_or(0, |&count| count as usize)
    }

    pub(super) fn insert(&mut self, client: IpAddr, connection: Connection) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, connection: None, idle: false, before: NONE, after: NONE });
            (self.slots.len() - 1) as u32
        });
        self.by_socket.insert(connection.socket(), index);
        *self.clients.entry(client).or_default() += 1;
        let slot = &mut self.slots[index as usize];
        slot.connection = Some(connection);
        Key { index, generation: slot.generation }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(key.index as usize)?;
        slot.connection.as_mut().filter(|_| slot.generation == key.generation)
    }

    pub(super) fn key_of(&self, socket: SocketId) -> Option<Key> {
        let index = *self.by_socket.get(&socket)?;
        Some(Key { index, generation: self.slots[index as usize].generation })
    }

    /// Takes a connection out; `client` is who it was counted for.
    pub(super) fn remove(&mut self, key: Key, client: Option<IpAddr>) -> Option<Connection> {
        self.get_mut(key)?;
        self.set_idle(key, false);
        let slot = &mut self.slots[key.index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let connection = slot.connection.take()?;
        self.free.push(key.index);
        self.by_socket.remove(&connection.socket());
        if let Some(client) = client
            && let Some(count) = self.clients.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
        Some(connection)
    }

    /// Keys of all connections.
    pub(super) fn keys(&self) -> Vec<Key> {
        let taken = self.slots.iter().enumerate().filter(|(_, slot)| slot.connection.is_some());
        taken.map(|(index, slot)| Key { index: index as u32, generation: slot.generation }).collect()
    }

    /// Says whether a connection is idle. One that becomes it is the latest.
    pub(super) fn set_idle(&mut self, key: Key, idle: bool) {
        let Some(slot) = self.slots.get_mut(key.index as usize) else { return };
        if slot.generation != key.generation || slot.idle == idle {
            return;
        }
        slot.idle = idle;
        if idle {
            (slot.before, slot.after) = (self.latest_idle, NONE);
            self.link(self.latest_idle, key.index);
            self.latest_idle = key.index;
            self.longest_idle = if self.longest_idle == NONE { key.index } else { self.longest_idle };
            self.idle += 1;
        } else {
            let (before, after) = (slot.before, slot.after);
            self.unlink(before, after);
            self.idle -= 1;
        }
    }

    /// The connection that has been idle for the longest time.
    pub(super) fn longest_idle(&self) -> Option<Key> {
        let slot = self.slots.get(self.longest_idle as usize)?;
        Some(Key { index: self.longest_idle, generation: slot.generation })
    }

    fn link(&mut self, before: u32, after: u32) {
        if let Some(slot) = self.slots.get_mut(before as usize) {
            slot.after = after;
        }
    }

    fn unlink(&mut self, before: u32, after: u32) {
        self.link(before, after);
        match self.slots.get_mut(after as usize) {
            Some(slot) => slot.before = before,
            None => self.latest_idle = before,
        }
        if before == NONE {
            self.longest_idle = after;
        }
    }
}
