//! From a socket's events to the tasks that wait for them.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use ::tokio::task::coop;

use crate::driver::{Direction, Readiness, Subscriber};
use crate::net::socket::Socket;

/// Tasks that wait for one socket.
#[derive(Default)]
pub(super) struct Tasks {
    reading: Mutex<Waiting>,
    writing: Mutex<Waiting>,
}

/// Who waits in one direction. There are never more of these than there are futures.
#[derive(Default)]
struct Waiting {
    /// The task of the last `poll_…` call: as everywhere in tokio, these know one task a direction.
    polled: Option<Waker>,
    /// The tasks of [`Wait`]s, by the numbers that those have.
    futures: BTreeMap<u64, Waker>,
    next_number: u64,
}

impl Tasks {
    /// Becomes the place where the events of `socket` go, and makes it nonblocking.
    ///
    /// # Errors
    /// `AlreadyExists` if they go to somebody already: a poller, or another asynchronous handle.
    pub(super) fn of(socket: &Socket) -> io::Result<Arc<Tasks>> {
        let tasks = Arc::new(Tasks::default());
        if !socket.waiter().try_subscribe(Arc::clone(&tasks) as Arc<dyn Subscriber>) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "registered already"));
        }
        socket.set_nonblocking(true);
        Ok(tasks)
    }

    /// Tries, and has the task woken if it is to wait: for `poll_…` functions, of which one task in a direction waits.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        self.attempt(cx, attempt, |waker| {
            let before = self.waiting(direction).polled.replace(waker);
            drop(before);
        })
    }

    /// Tries until it need not wait: for `async` functions, of which any number may wait at once.
    pub(super) fn wait<T, F: FnMut() -> io::Result<T> + Unpin>(
        &self,
        direction: Direction,
        attempt: F,
    ) -> Wait<'_, F> {
        Wait { tasks: self, direction, attempt, number: None }
    }

    /// Between a first try and the note that somebody waits the event may have come: so it is tried once more. A task
    /// that never has to wait lets the others have their turn, as with tokio's own sockets.
    fn attempt<T>(
        &self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut() -> io::Result<T>,
        note: impl FnOnce(Waker),
    ) -> Poll<io::Result<T>> {
        let budget = ready!(coop::poll_proceed(cx));
        let mut note = Some(note);
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => {
                    budget.made_progress();
                    return Poll::Ready(done);
                }
            }
            match note.take() {
                Some(note) => note(cx.waker().clone()),
                None => return Poll::Pending,
            }
        }
    }

    /// Everybody: one event may stand for several connections to accept.
    fn wake(&self, direction: Direction) {
        let mut waiting = self.waiting(direction);
        let polled = waiting.polled.take();
        let futures = std::mem::take(&mut waiting.futures);
        drop(waiting);
        polled.into_iter().chain(futures.into_values()).for_each(Waker::wake);
    }

    /// Wakers are foreign code: none is cloned, woken or dropped while this is locked.
    fn waiting(&self, direction: Direction) -> MutexGuard<'_, Waiting> {
        let waiting = match direction {
            Direction::Read => &self.reading,
            Direction::Write => &self.writing,
        };
        waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Tasks {
    fn notify(&self, kinds: Readiness) {
        let over = kinds.closed || kinds.failed;
        if kinds.readable || over {
            self.wake(Direction::Read);
        }
        if kinds.writable || kinds.connected || over {
            self.wake(Direction::Write);
        }
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tasks")
    }
}

/// The future of [`Tasks::wait`]. Dropped, it leaves nothing behind.
pub(super) struct Wait<'a, F> {
    tasks: &'a Tasks,
    direction: Direction,
    attempt: F,
    /// Which of those that wait this is, once it has waited.
    number: Option<u64>,
}

impl<T, F: FnMut() -> io::Result<T> + Unpin> Future for Wait<'_, F> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Wait { tasks, direction, attempt, number } = self.get_mut();
        tasks.attempt(cx, attempt, |waker| {
            let mut waiting = tasks.waiting(*direction);
            let number = *number.get_or_insert_with(|| {
                waiting.next_number += 1;
                waiting.next_number
            });
            let before = waiting.futures.insert(number, waker);
            drop(waiting);
            drop(before);
        })
    }
}

impl<F> Drop for Wait<'_, F> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = self.tasks.waiting(self.direction).futures.remove(&number);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counting() -> (Arc<Counting>, Waker) {
        let counting = Arc::new(Counting::default());
        (Arc::clone(&counting), Waker::from(counting))
    }

    fn would_block() -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll_once(future: impl Future, waker: &Waker) -> bool {
        std::pin::pin!(future).poll(&mut Context::from_waker(waker)).is_ready()
    }

    #[test]
    fn a_future_that_is_dropped_leaves_no_waker_behind() {
        let (tasks, (counting, waker)) = (Tasks::default(), counting());
        for _ in 0..100 {
            assert!(!poll_once(tasks.wait(Direction::Read, would_block), &waker));
        }
        drop(waker);
        assert_eq!(Arc::strong_count(&counting), 1);
    }

    #[test]
    fn every_future_is_woken_and_once() {
        let tasks = Tasks::default();
        let wakers: Vec<_> = (0..3).map(|_| counting()).collect();
        let mut waits: Vec<_> = wakers.iter().map(|_| tasks.wait(Direction::Read, would_block)).collect();
        for (wait, (_, waker)) in waits.iter_mut().zip(&wakers) {
            // Twice: a future that is polled again still waits once.
            assert!(!poll_once(&mut *wait, waker));
            assert!(!poll_once(wait, waker));
        }
        tasks.notify(Readiness { readable: true, ..Readiness::default() });
        tasks.notify(Readiness { readable: true, ..Readiness::default() });
        assert!(wakers.iter().all(|(counting, _)| counting.0.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn of_poll_functions_the_last_task_is_woken_and_only_in_its_direction() {
        let tasks = Tasks::default();
        let [reads, writes] = [Direction::Read, Direction::Write].map(|direction| {
            let (early, late) = (counting(), counting());
            for waker in [&early.1, &late.1] {
                assert!(tasks.poll(&mut Context::from_waker(waker), direction, would_block).is_pending());
            }
            [early.0, late.0]
        });
        let woken = |pair: &[Arc<Counting>; 2]| pair.each_ref().map(|one| one.0.load(Ordering::Relaxed));
        tasks.notify(Readiness { writable: true, ..Readiness::default() });
        assert_eq!((woken(&reads), woken(&writes)), ([0, 0], [0, 1]));
        tasks.notify(Readiness { closed: true, ..Readiness::default() });
        assert_eq!((woken(&reads), woken(&writes)), ([0, 1], [0, 1]));
    }

    #[test]
    fn an_event_between_the_first_try_and_the_note_is_not_missed() {
        let tasks = Tasks::default();
        let mut tries = 0;
        let late = || {
            tries += 1;
            if tries == 1 { would_block() } else { Ok(()) }
        };
        assert!(poll_once(tasks.wait(Direction::Read, late), Waker::noop()));
    }
}
