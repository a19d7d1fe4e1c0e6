//! The application in the loop that answers.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::unix::SourceFd;

use super::asker::{Asker, Progress};
use super::{ControlSocket, Greeting, MetricSource};
use crate::driver::{Application, Duration, Event, Instant, SharedStack, WakeSources};

/// Most who are answered at once; whoever comes then is told so.
const MAX_ASKERS: usize = 8;

/// Most connections accepted in a turn.
const ACCEPTS: usize = 16;

/// Time until accepting is tried again where the system refuses it.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// Time between two looks at the descriptors, where a busy loop turns more often than that: with nobody there, and
/// while somebody is being answered.
const LOOK_INTERVALS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(1));

/// Answers at a control socket: an [`Application`] for [`SharedStack::attach`].
///
/// It walks over the sockets a few in each turn, however many there are, keeps little more than a batch for each
/// asker, and leaves who reads too slowly or asks nothing.
pub struct Service {
    socket: ControlSocket,
    wakes: WakeSources,
    greeting: Greeting,
    sources: Sources,
    /// All stacks that it answers for, if there are others than the one in whose loop it lives.
    stacks: Vec<SharedStack>,
    askers: Vec<Asker>,
    /// When the descriptors were last tried, and whether a turn has come since that left it at that.
    looked_at: Option<Instant>,
    look_is_due: bool,
    /// Some asker can go on at once.
    busy: bool,
    /// Accepting failed, and is tried again then: nothing tells when there are descriptors again.
    accept_at: Option<Instant>,
}

impl Service {
    /// A service for the stack called `name` whose loop is woken by `wakes`.
    ///
    /// # Errors
    /// The listener cannot be waited on.
    pub fn new(socket: ControlSocket, name: &str, wakes: WakeSources) -> io::Result<Service> {
        wakes.register(&mut SourceFd(&socket.listener().as_raw_fd()))?;
        let greeting = Greeting {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: name.to_owned(),
            pid: std::process::id(),
        };
        Ok(Service {
            socket,
            wakes,
            greeting,
            sources: Sources::default(),
            stacks: Vec::new(),
            askers: Vec::new(),
            looked_at: None,
            look_is_due: false,
            busy: false,
            accept_at: None,
        })
    }

    /// Has it answer for all of `stacks`, the queues of one interface, in whichever of their loops it lives.
    #[must_use]
    pub fn for_all(self, stacks: &[SharedStack]) -> Service {
        Service { stacks: stacks.to_vec(), ..self }
    }

    /// Where further metrics can be added, also while the service runs.
    pub fn sources(&self) -> Sources {
        self.sources.clone()
    }

    /// Whether the descriptors are to be tried in this turn. A turn is no sign that one of them is ready, and trying
    /// costs system calls.
    fn is_time_to_look(&mut self, now: Instant) -> bool {
        let soon = self.next_look().is_some_and(|at| now < at);
        self.look_is_due = soon && !self.busy;
        if !self.look_is_due {
            self.looked_at = Some(now);
        }
        !self.look_is_due
    }

    fn next_look(&self) -> Option<Instant> {
        let interval = if self.askers.is_empty() { LOOK_INTERVALS.0 } else { LOOK_INTERVALS.1 };
        self.looked_at.map(|at| at + interval)
    }

    /// Whether more may be waiting: their arrival is told once only.
    fn accept(&mut self, now: Instant) -> bool {
        let has_failed = self.accept_at.take().is_some();
        for _ in 0..ACCEPTS {
            let stream = match self.socket.listener().accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let trouble = error.kind() != io::ErrorKind::WouldBlock;
                    self.accept_at = trouble.then_some(now + ACCEPT_RETRY);
                    if trouble && !has_failed {
                        log::warn!("the control socket accepts nobody: {error}");
                    }
                    return false;
                }
            };
            let admitted = Asker::new(stream, now).and_then(|asker| {
                self.wakes.register(&mut SourceFd(&asker.descriptor()))?;
                Ok(asker)
            });
            match admitted {
                Ok(mut asker) => {
                    if self.askers.len() >= MAX_ASKERS {
                        asker.refuse("too many are asking at once: try again");
                    }
                    // Over the limit it stays just as long as it takes to tell it so.
                    self.askers.push(asker);
                }
                Err(error) => log::debug!("an asker cannot be served: {error}"),
            }
        }
        true
    }
}

impl Application for Service {
    fn turn(&mut self, stack: &SharedStack, now: Instant, _events: &[Event]) {
        if !self.is_time_to_look(now) {
            return;
        }
        let mut busy = self.accept(now);
        let Service { askers, greeting, sources, stacks, .. } = self;
        let stacks = if stacks.is_empty() { slice::from_ref(stack) } else { stacks };
        askers.retain_mut(|asker| match asker.step(stacks, greeting, sources, now) {
            Progress::More => {
                busy = true;
                true
            }
            Progress::Waiting => true,
            Progress::Done => false,
        });
        // Past the limit somebody has been told to go, and lingers until its answer is read: no longer than this turn.
        self.askers.truncate(MAX_ASKERS);
        self.busy = busy;
    }

    fn deadline(&self) -> Option<Instant> {
        if self.busy {
            return Some(Instant::ZERO);
        }
        let look = self.next_look().filter(|_| self.look_is_due);
        let patience = self.askers.iter().map(Asker::deadline).min();
        look.into_iter().chain(patience).chain(self.accept_at).min()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("path", &self.socket.path())
            .field("askers", &self.askers.len())
            .finish()
    }
}

/// What has metrics beside the stack. Clones are the same list.
#[derive(Clone, Default)]
pub struct Sources {
    list: Arc<Mutex<Vec<Arc<dyn MetricSource>>>>,
}

impl Sources {
    /// Adds one. It is asked in the loop and must not block.
    pub fn add(&self, source: Arc<dyn MetricSource>) {
        self.lock().push(source);
    }

    pub(super) fn all(&self) -> Vec<Arc<dyn MetricSource>> {
        self.lock().clone()
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<dyn MetricSource>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("count", &self.lock().len()).finish()
    }
}
