//! The server inside the loop: who is looked at in a turn, and for how long.

mod access_log;
mod connection;
mod connections;
mod cooling;
mod crew;
mod table;
mod wakes;
mod wheel;

use std::sync::Arc;

use self::connections::Connections;
use self::wakes::Wakes;
use super::handle::{Control, Order};
use super::reception::Reception;
use super::services::Services;
use super::{Config, Ended, Stats};
use crate::driver::{Application, Event, Instant, SharedStack, SocketId};
use crate::http::{Clock, Now, ServerConfig};

pub(super) use self::access_log::AccessLog;

/// Connections that are accepted in one turn.
const ACCEPTS: usize = 256;

/// What an engine is made of.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) reception: Reception,
    pub(super) listeners: Vec<SocketId>,
    pub(super) services: Services,
    pub(super) control: Control,
    pub(super) stats: Arc<Stats>,
}

/// What stays the same for all connections as long as the server lives.
struct Environment {
    config: Config,
    http: Arc<ServerConfig>,
    reception: Reception,
    wakes: Arc<Wakes>,
    stats: Arc<Stats>,
}

/// What a connection needs to have its turn.
struct Turn<'a> {
    stack: &'a SharedStack,
    now: Instant,
    /// The same moment, as the session wants it.
    moment: Now,
    env: &'a Environment,
}

/// How far the server has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Nothing new; what is there is finished until then.
    Finishing(Instant),
    Ended,
}

/// The event-driven server.
pub(super) struct Engine {
    env: Environment,
    listeners: Vec<SocketId>,
    /// A listener may have connections.
    accepting: bool,
    connections: Connections,
    services: Services,
    clock: Clock,
    phase: Phase,
    control: Control,
}

impl Engine {
    pub(super) fn new(parts: Parts, stack: &SharedStack) -> Self {
        let Parts { config, reception, listeners, services, control, stats } = parts;
        let http = Arc::new(config.http.clone());
        let wakes = Wakes::new(stack.ringer().clone());
        Engine {
            env: Environment { config, http, reception, wakes, stats },
            listeners,
            accepting: true,
            connections: Connections::new(stack.now()),
            services,
            clock: Clock::default(),
            phase: Phase::Serving,
            control,
        }
    }

    /// Takes note of what has happened.
    fn notice(&mut self, stack: &SharedStack, now: Instant, events: &[Event]) {
        for event in events {
            if self.connections.notice(stack, &self.env.http, now, event) || self.services.notice(event) {
                continue;
            }
            self.accepting |= self.listeners.contains(&event.socket);
        }
        for socket in self.env.wakes.take() {
            self.connections.enqueue(socket);
        }
    }
}

/// Takes new connections, `budget` of them at most. Whether there may be more.
fn accept(listeners: &[SocketId], connections: &mut Connections, turn: &Turn<'_>, mut budget: usize) -> bool {
    for &listener in listeners {
        while let Ok((socket, peer)) = turn.stack.with(|stack| stack.accept(listener)) {
            connections.admit(turn, socket, peer);
            budget -= 1;
            if budget == 0 {
                return true;
            }
        }
    }
    false
}

impl Application for Engine {
    fn turn(&mut self, stack: &SharedStack, now: Instant, events: &[Event]) {
        let moment = self.clock.now(now - Instant::ZERO, stack.clock().unix_time().as_secs());
        self.notice(stack, now, events);
        let Engine { env, listeners, accepting, connections, services, phase, control, .. } = self;
        let turn = &Turn { stack, now, moment, env };
        if *accepting {
            *accepting = accept(listeners, connections, turn, ACCEPTS);
        }
        connections.fire(turn);
        match (control.order(), *phase) {
            (Some(Order::Finish(limit)), Phase::Serving) => {
                // Whoever has shaken hands is served.
                accept(listeners, connections, turn, usize::MAX);
                connections.shutdown(turn);
                services.shutdown(stack, now, env.http.linger_timeout);
                *phase = Phase::Finishing(now + limit);
            }
            (Some(Order::Abort), Phase::Serving | Phase::Finishing(_)) => *phase = Phase::Finishing(now),
            _ => {}
        }
        connections.run(turn);
        services.run(stack, now);
        let mut ended = None;
        if let Phase::Finishing(limit) = *phase {
            for listener in listeners.drain(..) {
                let _ = stack.with(|stack| stack.close(now, listener));
            }
            if connections.len() + services.len() == 0 || limit <= now {
                let cut = connections.abort(turn) + services.abort(stack, now);
                ended = Some(Ended { cut });
                *phase = Phase::Ended;
            }
        }
        env.stats.set_open(connections.len(), connections.idle_len());
        // Last, as whoever has waited for it may look at the rest then.
        if let Some(ended) = ended {
            control.end(ended);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let limit = match self.phase {
            Phase::Finishing(limit) => Some(limit),
            Phase::Serving | Phase::Ended => None,
        };
        let more = self.accepting.then_some(Instant::ZERO);
        let parts = [limit, more, self.connections.deadline(&self.env.http), self.services.deadline()];
        parts.into_iter().flatten().min()
    }
}

impl Drop for Engine {
    /// The stack has stopped, or the server panicked too often: who waits for it shall not wait for ever.
    fn drop(&mut self) {
        self.env.stats.set_open(0, 0);
        self.control.end(Ended { cut: self.connections.len() + self.services.len() });
    }
}
