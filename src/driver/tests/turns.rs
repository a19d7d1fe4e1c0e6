//! What a turn does, in which order, and what other threads may do between.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;
use crate::driver::shard::PACKET_BUDGET;
use crate::driver::{Direction, Instant, Waiters};

#[test]
fn two_shards_on_one_thread_exchange_data() {
    let mut bench = Bench::new();
    let (here, there) = bench.connection();
    bench.client.shared().with_socket(here, |stack| stack.write(here, b"hello")).unwrap();
    bench.settle();
    let mut buffer = [0; 16];
    let read = bench.server.shared().with_socket(there, |stack| stack.read(there, &mut buffer));
    assert_eq!((read, &buffer[..5]), (Ok(5), &b"hello"[..]));
}

#[test]
fn a_thread_sends_by_itself_while_the_loop_sleeps() {
    let mut bench = Bench::new();
    let (here, there) = bench.connection();
    bench.client.deadline();
    bench.client.shared().with_socket(here, |stack| stack.write(here, b"direct")).unwrap();
    // Only the server turns: what arrives was sent by the write itself.
    turn(&mut bench.server);
    let mut buffer = [0; 16];
    assert_eq!(bench.server.shared().with(|stack| stack.read(there, &mut buffer)), Ok(6));
}

#[test]
fn a_loop_is_rung_for_an_earlier_timer_and_not_else() {
    let mut bench = Bench::new();
    assert_eq!(bench.client.deadline(), None, "nothing to do, ever");
    connect(bench.client.shared());
    assert_eq!(bench.rings(), 1, "the retransmission timer of the SYN");
    turn(&mut bench.client);
    assert!(bench.client.deadline().is_some());
    bench.client.shared().with(|stack| stack.live_connections());
    assert_eq!(bench.rings(), 1, "no timer has changed");
}

#[test]
fn an_awake_loop_is_not_rung() {
    let bench = Bench::new();
    connect(bench.client.shared());
    assert_eq!(bench.rings(), 0, "a loop that has not gone to sleep asks for the deadline before it does");
}

#[test]
fn a_device_that_a_thread_has_filled_since_the_turn_is_waited_for() {
    let bench = &mut Bench::new();
    let shared = bench.client.shared().clone();
    let socket = shared.with(|stack| stack.udp_bind("10.9.0.1:5".parse().unwrap())).unwrap();
    let now = shared.now();
    assert!(!bench.client.turn(now).full);
    // The loop is still awake, so that nobody rings it.
    let send = |_| shared.with_socket(socket, |stack| stack.udp_send_to(socket, b"x", address())).is_ok();
    assert!((0..100_000).take_while(|count| send(*count)).count() < 100_000, "the device was never full");
    assert_eq!(bench.rings(), 0);
    assert_eq!(bench.client.deadline(), Some(Instant::ZERO), "another turn before it sleeps");
    let now = shared.now();
    assert!(bench.client.turn(now).full);
    assert_eq!(bench.client.deadline(), None, "now whoever drives it knows");
}

/// A connection whose client may have 50 kB under way, and that many packets of 500 bytes waiting for the server.
fn backlog(bench: &mut Bench, packets: usize) -> (SocketId, SocketId) {
    let (here, there) = bench.connection();
    let (client, server) = (bench.client.shared().clone(), bench.server.shared().clone());
    let (mut left, mut arrived) = (300_000, 0);
    while arrived < 300_000 {
        // The first segments are acknowledged one by one.
        let size = if arrived < 20_000 { 1_000 } else { left };
        left -= client.with_socket(here, |stack| stack.write(here, &vec![0; size]).unwrap_or(0));
        bench.settle();
        arrived += server.with_socket(there, |stack| stack.read(there, &mut [0; 65_536])).unwrap_or(0);
        bench.settle();
    }
    for _ in 0..packets {
        assert_eq!(client.with_socket(here, |stack| stack.write(here, &[1; 500])), Ok(500));
    }
    (here, there)
}

fn segments_sent(shard: &Shard) -> u64 {
    shard.shared().with(|stack| stack.counters().tcp.segments_sent)
}

#[test]
fn an_acknowledgment_waits_while_there_is_more_to_read() {
    let mut bench = Bench::new();
    backlog(&mut bench, 100);
    let sent = segments_sent(&bench.server);
    let now = bench.server.shared().now();
    assert!(bench.server.turn(now).more, "64 of 100 packets are read");
    assert_eq!(segments_sent(&bench.server), sent);
    turn(&mut bench.server);
    assert_eq!(segments_sent(&bench.server), sent + 1, "one for all");
}

#[test]
fn data_does_not_wait_for_what_is_to_be_read() {
    let mut bench = Bench::new();
    let (_, there) = backlog(&mut bench, 100);
    let sent = segments_sent(&bench.server);
    bench.server.shared().with(|stack| stack.write(there, b"now")).unwrap();
    let now = bench.server.shared().now();
    assert!(bench.server.turn(now).more);
    assert_eq!(segments_sent(&bench.server), sent + 1);
}

#[test]
fn a_turn_reads_so_many_packets_and_no_more() {
    let mut bench = Bench::new();
    let shared = bench.server.shared().clone();
    let socket = shared.with(|stack| stack.udp_bind(address())).unwrap();
    let from = bench.client.shared().with(|stack| stack.udp_bind("10.9.0.1:5".parse().unwrap())).unwrap();
    let sender = bench.client.shared();
    for _ in 0..PACKET_BUDGET + 4 {
        sender.with_socket(from, |stack| stack.udp_send_to(from, b"x", address())).unwrap();
    }
    let now = shared.now();
    assert!(bench.server.turn(now).more);
    let read = || shared.with(|stack| stack.udp_recv_from(socket, &mut [0; 8])).is_ok();
    assert_eq!(std::iter::repeat_with(read).take_while(|read| *read).count(), PACKET_BUDGET);
}

#[test]
fn an_acknowledgment_in_the_queue_comes_before_the_timer_that_waits_for_it() {
    let mut bench = Bench::new();
    let (here, _) = bench.connection();
    bench.client.shared().with_socket(here, |stack| stack.write(here, b"x")).unwrap();
    turn(&mut bench.server);
    // The client's loop stalls for longer than the retransmission time-out; the delayed acknowledgment arrives.
    sleep(Duration::from_millis(100));
    turn(&mut bench.server);
    sleep(Duration::from_millis(1_500));
    turn(&mut bench.client);
    let info = bench.client.shared().with(|stack| stack.info(here)).unwrap();
    assert_eq!((info.retransmissions, info.in_flight), (0, 0));
}

#[test]
fn a_thread_that_waits_for_the_lock_goes_before_the_loop_takes_it_again() {
    let bench = Bench::new();
    let shared = bench.client.shared();
    let done = Arc::new(AtomicBool::new(false));
    for _ in 0..50 {
        let core = shared.lock_for_loop();
        let (other, flag) = (shared.clone(), Arc::clone(&done));
        let thread = thread::spawn(move || other.with(|_| flag.store(true, Ordering::SeqCst)));
        while shared.waiting() == 0 {
            thread::yield_now();
        }
        // It is counted before it stands at the turnstile; give it the time to get there.
        sleep(Duration::from_millis(2));
        let core = shared.give_way(core);
        assert!(done.swap(false, Ordering::SeqCst), "the loop was faster");
        drop(core);
        thread.join().unwrap();
    }
}

#[test]
fn a_closure_that_panics_leaves_the_stack_usable() {
    let mut bench = Bench::new();
    let (here, _) = bench.connection();
    let shared = bench.client.shared().clone();
    let outcome = catch_unwind(AssertUnwindSafe(|| shared.with(|_| panic!("in the closure"))));
    assert!(outcome.is_err());
    shared.with_socket(here, |stack| stack.write(here, b"still here")).unwrap();
    bench.settle();
}

#[test]
fn a_waiting_thread_is_woken_by_its_event_and_in_its_direction() {
    let mut bench = Bench::new();
    let (here, there) = bench.connection();
    let waiter = bench.server.shared().waiters().register(there);
    let (read, write) = (waiter.ticket(Direction::Read), waiter.ticket(Direction::Write));
    let clock = *bench.server.shared().clock();
    bench.client.shared().with_socket(here, |stack| stack.write(here, b"wake up")).unwrap();
    bench.settle();
    let soon = || Some(clock.now() + Duration::from_millis(5));
    assert!(waiter.wait(read, &clock, None));
    assert!(!waiter.wait(write, &clock, soon()), "there was always room to write");
    assert!(!waiter.wait(waiter.ticket(Direction::Read), &clock, soon()), "one event, one wake-up");
}

#[test]
fn dropping_the_shard_wakes_who_waits() {
    let mut bench = Bench::new();
    let (here, _) = bench.connection();
    let shared = bench.client.shared().clone();
    let waiter = shared.waiters().register(here);
    let ticket = waiter.ticket(Direction::Read);
    drop(bench.client);
    assert!(waiter.wait(ticket, shared.clock(), None));
    assert!(shared.is_stopped());
    // Packets have nowhere to go now, and that is not a reason to panic.
    shared.with_socket(here, |stack| stack.write(here, b"into the void")).unwrap();
}

#[test]
fn registering_claims_and_removing_gives_back() {
    let mut bench = Bench::new();
    let (here, _) = bench.connection();
    let waiters = Waiters::default();
    waiters.register(here);
    assert_eq!(waiters.sockets(), [here]);
    waiters.remove(here);
    assert!(waiters.sockets().is_empty());
}
