//! How a server is put together.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::builtin::Builtins;
use super::engine::{Engine, Parts};
use super::handle::Control;
use super::{Config, ServerHandle, Stats};
use crate::driver::{Error, ListenOptions, SharedStack, SocketId};
use crate::http::Router;

/// A server that is to start. See the [module](super).
#[must_use = "nothing runs before `start`"]
pub struct Server {
    config: Config,
    builtin: Option<String>,
    routes: Vec<Box<dyn FnOnce(Router) -> Router + Send>>,
}

impl Server {
    /// A server without content.
    pub fn new(config: Config) -> Self {
        Server { config, builtin: None, routes: Vec::new() }
    }

    /// Adds the built-in routes (`/`, `/healthz`, `/metrics`, `/echo`, `/sha256`, `/bytes/N`), each behind `prefix`,
    /// which is empty or like `/about`.
    pub fn builtin(mut self, prefix: impl Into<String>) -> Self {
        self.builtin = Some(prefix.into());
        self
    }

    /// Adds routes.
    pub fn routes(mut self, add: impl FnOnce(Router) -> Router + Send + 'static) -> Self {
        self.routes.push(Box::new(add));
        self
    }

    /// Listens on each of `addresses`, and lives in the loop of `stack` from its next turn.
    ///
    /// # Errors
    /// An address cannot be listened on; then nothing has started.
    pub fn start(self, stack: &SharedStack, addresses: &[SocketAddr]) -> Result<ServerHandle, StartError> {
        let stats = Arc::new(Stats::default());
        let control = Arc::new(Control::default());
        let mut router = Router::new().body_limit(self.config.body_limit);
        if let Some(prefix) = &self.builtin {
            router = Builtins::new(prefix, stack, &stats).add_to(router);
        }
        for add in self.routes {
            router = add(router);
        }
        let listeners = listen(stack, addresses, &self.config)?;
        let handle = ServerHandle::new(Arc::clone(&control), stack.ringer().clone(), Arc::clone(&stats));
        let parts = Parts { config: self.config, service: Box::new(router), listeners, control, stats };
        stack.attach(Box::new(Engine::new(parts, stack)));
        Ok(handle)
    }
}

/// Opens all listeners or none.
fn listen(
    stack: &SharedStack,
    addresses: &[SocketAddr],
    config: &Config,
) -> Result<Vec<SocketId>, StartError> {
    let options = ListenOptions {
        backlog: config.backlog,
        socket: Some(config.socket.clone()),
        max_connections: Some(config.max_connections + config.reserve()),
    };
    let mut listeners = Vec::new();
    for &address in addresses {
        match stack.with(|stack| stack.listen(address, options.clone())) {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                let now = stack.now();
                for listener in listeners {
                    let _ = stack.with(|stack| stack.close(now, listener));
                }
                return Err(StartError { address, error });
            }
        }
    }
    Ok(listeners)
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
