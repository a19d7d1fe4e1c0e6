//! Threads for what may have to wait for a disk.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

/// Threads: enough for a disk to have something to choose from.
const THREADS: usize = 4;
/// Jobs that may wait before no new request is taken on.
const MOST_WAITING: usize = 1024;

type Job = Box<dyn FnOnce() + Send>;

/// The workers. They end with their owner.
pub(super) struct Workers {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Workers {
    pub(super) fn start() -> Self {
        let workers = Workers { queue: Arc::default() };
        for number in 0..THREADS {
            let queue = Arc::clone(&workers.queue);
            let thread = thread::Builder::new().name(format!("longwire-files-{number}"));
            if let Err(error) = thread.spawn(move || queue.work()) {
                log::error!("a thread for files could not be started: {error}");
            }
        }
        workers
    }

    /// Has `job` done, for a request that nothing was promised to. `None` if too many wait already.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<Ticket<T>> {
        let busy = lock(&self.queue.state).jobs.len() >= MOST_WAITING;
        (!busy).then(|| self.resume(job))
    }

    /// Has `job` done, for an answer that is under way. There is one of these for each such answer at most, so that
    /// the number of connections bounds them.
    pub(super) fn resume<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Ticket<T> {
        let slot = Arc::new(Mutex::new(Slot { state: Outcome::Pending, waker: None }));
        let promise = Promise { slot: Arc::clone(&slot) };
        let job: Job = Box::new(move || promise.keep(job()));
        lock(&self.queue.state).jobs.push_back(job);
        self.queue.filled.notify_one();
        Ticket { slot }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        self.queue.filled.notify_all();
        drop(jobs);
    }
}

impl Queue {
    fn work(&self) {
        loop {
            let state = lock(&self.state);
            let waiting = |state: &mut State| state.jobs.is_empty() && !state.closed;
            let mut state = self.filled.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
            let Some(job) = state.jobs.pop_front() else { return };
            drop(state);
            // A panic costs the job its result; its promise says so, and the worker goes on.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                log::error!("a job on a file panicked");
            }
        }
    }
}

/// Where the result of a job will be.
pub(super) struct Ticket<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

struct Slot<T> {
    state: Outcome<T>,
    waker: Option<Waker>,
}

enum Outcome<T> {
    Pending,
    Kept(T),
    /// The job will not be done, or its result has been taken.
    Lost,
}

impl<T> Ticket<T> {
    /// The result, once; until then the waker is woken when it is there.
    ///
    /// # Errors
    /// The job has panicked, or the workers have ended.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<io::Result<T>> {
        let mut slot = lock(&self.slot);
        match std::mem::replace(&mut slot.state, Outcome::Lost) {
            Outcome::Pending => {
                slot.state = Outcome::Pending;
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Outcome::Kept(value) => Poll::Ready(Ok(value)),
            Outcome::Lost => Poll::Ready(Err(io::Error::other("the job was not done"))),
        }
    }
}

/// The other end of a ticket. Dropped unkept, it says that there will be no result.
struct Promise<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

impl<T> Promise<T> {
    fn keep(self, value: T) {
        lock(&self.slot).state = Outcome::Kept(value);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let mut slot = lock(&self.slot);
        if matches!(slot.state, Outcome::Pending) {
            slot.state = Outcome::Lost;
        }
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Nothing panics under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::task::Wake;

    struct Bell(mpsc::Sender<()>);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    /// Waits for a result as a connection would.
    fn wait<T>(ticket: &Ticket<T>) -> io::Result<T> {
        let (sender, receiver) = mpsc::channel();
        let waker = Waker::from(Arc::new(Bell(sender)));
        loop {
            if let Poll::Ready(result) = ticket.poll(&Context::from_waker(&waker)) {
                return result;
            }
            receiver.recv().expect("the waker is woken");
        }
    }

    #[test]
    fn a_result_wakes_who_waits_and_is_there_once() {
        let workers = Workers::start();
        let ticket = workers.begin(|| 7).expect("room");
        assert_eq!(wait(&ticket).ok(), Some(7));
        assert!(wait(&ticket).is_err());
    }

    #[test]
    fn a_panic_costs_only_its_own_result() {
        let workers = Workers::start();
        let broken: Ticket<()> = workers.resume(|| panic!("as the test wants it"));
        assert!(wait(&broken).is_err());
        for number in 0..20 {
            assert_eq!(wait(&workers.resume(move || number)).ok(), Some(number));
        }
    }

    #[test]
    fn too_many_new_ones_are_refused_and_what_was_not_done_is_told() {
        let workers = Workers::start();
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        let block = || {
            let gate = Arc::clone(&gate);
            move || drop(gate.lock())
        };
        let tickets: Vec<_> = (0..MOST_WAITING + THREADS).filter_map(|_| workers.begin(block())).collect();
        assert!(tickets.len() >= MOST_WAITING);
        let last = workers.resume(block());
        assert!(workers.begin(block()).is_none());
        drop(workers);
        assert!(wait(&last).is_err());
        drop(closed);
    }
}
