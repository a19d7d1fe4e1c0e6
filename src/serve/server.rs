//! How a server is put together.

use std::fmt;
use std::net::SocketAddr;
use std::slice;
use std::sync::Arc;

use super::builtin::Builtins;
use super::engine::{Engine, Parts};
use super::reception::Reception;
use super::services::{Kind, Services};
use super::{Config, Files, ServerHandle, Stats};
use crate::driver::{Error, ListenOptions, SharedStack, SocketId, Stack, Steering};
use crate::http::Router;

/// A server that is to start. See the [module](super).
#[must_use = "nothing runs before `start`"]
pub struct Server {
    config: Config,
    builtin: Option<String>,
    files: Option<Files>,
    routes: Vec<Box<dyn FnOnce(Router) -> Router + Send>>,
    services: Vec<(Kind, u16)>,
}

impl Server {
    /// A server without content.
    pub fn new(config: Config) -> Self {
        Server { config, builtin: None, files: None, routes: Vec::new(), services: Vec::new() }
    }

    /// Adds the built-in routes (`/`, `/healthz`, `/metrics`, `/echo`, `/sha256`, `/bytes/N`), each behind `prefix`,
    /// which is empty or like `/about`.
    pub fn builtin(mut self, prefix: impl Into<String>) -> Self {
        self.builtin = Some(prefix.into());
        self
    }

    /// Serves the files of a directory, where no route answers.
    pub fn files(mut self, files: Files) -> Self {
        self.files = Some(files);
        self
    }

    /// Adds routes.
    pub fn routes(mut self, add: impl FnOnce(Router) -> Router + Send + 'static) -> Self {
        self.routes.push(Box::new(add));
        self
    }

    /// Adds the echo service (RFC 862), over TCP and UDP, on a port of each address of the server.
    pub fn echo(mut self, port: u16) -> Self {
        self.services.push((Kind::Echo, port));
        self
    }

    /// Adds the discard service (RFC 863), over TCP.
    pub fn discard(mut self, port: u16) -> Self {
        self.services.push((Kind::Discard, port));
        self
    }

    /// Adds the character generator (RFC 864), over TCP.
    pub fn chargen(mut self, port: u16) -> Self {
        self.services.push((Kind::Chargen, port));
        self
    }

    /// Listens on each of `addresses`, and lives in the loop of `stack` from its next turn.
    ///
    /// # Errors
    /// An address cannot be listened on; then nothing has started.
    pub fn start(self, stack: &SharedStack, addresses: &[SocketAddr]) -> Result<ServerHandle, StartError> {
        self.start_on(slice::from_ref(stack), addresses)
    }

    /// The same in the loops of several stacks, which are queues of one interface
    /// ([`Network::shards`](crate::net::Network::shards)): each serves its part of the connections, and has its part of
    /// what is allowed.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_on(
        self,
        stacks: &[SharedStack],
        addresses: &[SocketAddr],
    ) -> Result<ServerHandle, StartError> {
        let config = self.config.share(stacks.len().max(1));
        let mut opened = Vec::new();
        for stack in stacks {
            opened.push(Opened::all(stack, &config, addresses, &self.services)?);
        }
        let stats = Stats::of_loops(stacks.len());
        let ringers = stacks.iter().map(|stack| stack.ringer().clone());
        let (handle, controls) = ServerHandle::new(ringers, Arc::clone(&stats[0]));
        let first = self.reception(stacks, &stats[0]);
        for (((stack, opened), control), stats) in stacks.iter().zip(opened).zip(controls).zip(stats) {
            let reception = first.beside(Arc::clone(&stats));
            let (listeners, services) = opened.keep();
            let parts = Parts { config: config.clone(), reception, listeners, services, control, stats };
            stack.attach(Box::new(Engine::new(parts, stack)));
        }
        Ok(handle)
    }

    /// Everything that it answers.
    fn reception(self, stacks: &[SharedStack], stats: &Arc<Stats>) -> Reception {
        let mut router = Router::new().body_limit(self.config.body_limit);
        if let Some(prefix) = &self.builtin {
            router = Builtins::new(prefix, stacks, stats).add_to(router);
        }
        for add in self.routes {
            router = add(router);
        }
        if let (Some(files), Some(stack)) = (self.files, stacks.first()) {
            router = files.add_to(router, *stack.clock());
        }
        Reception::new(Arc::new(router), &self.config, Arc::clone(stats))
    }
}

/// Sockets of a server that is starting; they are closed again if it does not come to that.
struct Opened<'a> {
    stack: &'a SharedStack,
    options: ListenOptions,
    sockets: Vec<SocketId>,
    listeners: Vec<SocketId>,
    services: Services,
}

impl<'a> Opened<'a> {
    /// All that a server has on one stack.
    fn all(
        stack: &'a SharedStack,
        config: &Config,
        addresses: &[SocketAddr],
        services: &[(Kind, u16)],
    ) -> Result<Self, StartError> {
        let options = ListenOptions {
            backlog: config.backlog,
            socket: Some(config.socket.clone()),
            max_connections: Some(config.most_with_reserve()),
            fast_open: config.fast_open,
        };
        let (sockets, listeners) = (Vec::new(), Vec::new());
        let mut opened = Opened { stack, options, sockets, listeners, services: Services::new() };
        opened.listeners = opened.listen(addresses)?;
        for &(kind, port) in services {
            let places: Vec<_> =
                addresses.iter().map(|address| SocketAddr::new(address.ip(), port)).collect();
            for listener in opened.listen(&places)? {
                opened.services.add_listener(listener, kind);
            }
            if kind == Kind::Echo && opened.gets_datagrams_to(port) {
                for socket in opened.open(&places, Stack::udp_bind)? {
                    opened.services.add_datagrams(socket);
                }
            }
        }
        Ok(opened)
    }

    /// Whether it is this one of several stacks that datagrams to the port come to.
    fn gets_datagrams_to(&self, port: u16) -> bool {
        let is_its = |steering: &Steering| steering.of_port(port) == steering.place();
        self.stack.with(|stack| stack.steering().is_none_or(is_its))
    }

    fn listen(&mut self, addresses: &[SocketAddr]) -> Result<Vec<SocketId>, StartError> {
        let options = self.options.clone();
        self.open(addresses, |stack, address| stack.listen(address, options.clone()))
    }

    fn open(
        &mut self,
        addresses: &[SocketAddr],
        open: impl Fn(&mut Stack, SocketAddr) -> Result<SocketId, Error>,
    ) -> Result<Vec<SocketId>, StartError> {
        let first = self.sockets.len();
        for &address in addresses {
            let socket = self.stack.with(|stack| open(stack, address));
            self.sockets.push(socket.map_err(|error| StartError { address, error })?);
        }
        Ok(self.sockets[first..].to_vec())
    }

    /// The server has them now: the listeners, and the services.
    fn keep(mut self) -> (Vec<SocketId>, Services) {
        self.sockets.clear();
        (std::mem::take(&mut self.listeners), std::mem::take(&mut self.services))
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        let now = self.stack.now();
        for &socket in &self.sockets {
            let _ = self.stack.with(|stack| stack.close(now, socket));
        }
    }
}

/// Why a server did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartError {
    /// The address that it was to listen on.
    pub address: SocketAddr,
    /// What is wrong with it.
    pub error: Error,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.error)
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
