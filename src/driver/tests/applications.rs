//! Applications in the loop: events, deadlines, panics.

use std::sync::Mutex;

use super::*;
use crate::driver::{Event, Instant};

/// Notes every event that it gets.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Event>>>);

impl Application for Notes {
    fn turn(&mut self, _: &SharedStack, _: Instant, events: &[Event]) {
        self.0.lock().unwrap().extend_from_slice(events);
    }
}

impl Notes {
    fn readable(&self, socket: SocketId) -> usize {
        let events = self.0.lock().unwrap();
        events.iter().filter(|event| event.socket == socket && event.kinds.readable).count()
    }
}

/// Panics in each of its turns.
struct Clumsy(Arc<AtomicUsize>);

impl Application for Clumsy {
    fn turn(&mut self, stack: &SharedStack, _: Instant, _: &[Event]) {
        self.0.fetch_add(1, Ordering::Relaxed);
        stack.with(|_| panic!("even under the lock"));
    }
}

#[test]
fn an_application_gets_the_events_that_nobody_has_claimed() {
    let mut bench = Bench::new();
    let (here, there) = bench.connection();
    let notes = Notes::default();
    bench.server.shared().attach(Box::new(notes.clone()));
    bench.client.shared().with_socket(here, |stack| stack.write(here, b"1")).unwrap();
    bench.settle();
    assert_eq!(notes.readable(there), 1);
    bench.server.shared().with(|stack| stack.read(there, &mut [0; 8])).unwrap();
    bench.server.shared().waiters().register(there);
    bench.client.shared().with_socket(here, |stack| stack.write(here, b"2")).unwrap();
    bench.settle();
    assert_eq!(notes.readable(there), 1, "claimed now");
}

#[test]
fn attaching_asks_for_a_turn() {
    let mut bench = Bench::new();
    bench.client.deadline();
    bench.client.shared().attach(Box::new(Notes::default()));
    assert_eq!(bench.rings(), 1);
}

#[test]
fn an_application_that_comes_too_late_is_dropped() {
    let bench = Bench::new();
    let shared = bench.client.shared().clone();
    drop(bench);
    let notes = Notes::default();
    shared.attach(Box::new(notes.clone()));
    assert_eq!(Arc::strong_count(&notes.0), 1);
}

#[test]
fn a_panicking_application_hurts_nobody_and_is_dropped_in_the_end() {
    let mut bench = Bench::new();
    let (here, there) = bench.connection();
    let calls = Arc::new(AtomicUsize::new(0));
    let notes = Notes::default();
    let shared = bench.server.shared().clone();
    shared.attach(Box::new(Clumsy(Arc::clone(&calls))));
    shared.attach(Box::new(notes.clone()));
    for sent in 1..=20 {
        bench.client.shared().with_socket(here, |stack| stack.write(here, b"x")).unwrap();
        bench.settle();
        assert_eq!(shared.with_socket(there, |stack| stack.read(there, &mut [0; 8])), Ok(1));
        assert_eq!(notes.readable(there), sent);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 16);
    assert_eq!(Arc::strong_count(&calls), 1, "dropped");
}
