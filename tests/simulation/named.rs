//! Worlds with a name: one situation each, set up by hand.

use std::cell::Cell;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;

use longwire::sim::{HostConfig, Pause, Seen};
use longwire::stack::Error;
use longwire::tcp::{KeepAlive, SocketOptions, State};
use longwire::time::Duration;
use longwire::wire::TcpFlags;

use crate::pair::{CLIENT, Pair, SERVER, address, config, read_all, world, world_of};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A loop that was not run for 500 ms has an RTO due and the ACK in its input. Packets come before timers.
#[test]
fn a_stalled_loop_fires_no_rto() {
    let mut pair = Pair::establish("delay=10ms");
    pair.transfer(CLIENT, 100, secs(1));
    let client = pair.client;
    pair.run_for(secs(1));
    pair.client().write(client, &[7; 1000]).unwrap();
    pair.run_for(millis(1));
    pair.world.stall(CLIENT, millis(500));
    pair.run_for(secs(5));
    let counters = &pair.client().counters().tcp;
    assert_eq!((counters.rto, counters.retransmissions), (0, 0));
    assert_eq!(pair.client().info(client).unwrap().send_queue, 0, "acknowledged");
}

/// The counterpart of the above, so that it could fail: without the ACK, the same stall does end in a timer: the tail loss
/// probe, which goes before the RTO.
#[test]
fn a_stalled_loop_whose_ack_was_lost_fires_its_timer() {
    let mut pair = Pair::establish("delay=10ms");
    pair.transfer(CLIENT, 100, secs(1));
    let client = pair.client;
    pair.run_for(secs(1));
    let lost_until = pair.world.now() + millis(100);
    pair.world.set_rule(move |crossing, _| crossing.from == CLIENT || crossing.now > lost_until);
    pair.client().write(client, &[7; 1000]).unwrap();
    pair.run_for(millis(1));
    pair.world.stall(CLIENT, millis(500));
    pair.run_for(secs(5));
    let counters = &pair.client().counters().tcp;
    assert!(counters.rto + counters.tail_probes > 0);
    assert_eq!(pair.client().info(client).unwrap().send_queue, 0, "acknowledged");
}

/// RFC 9293 3.8.6.1: the window stays shut, every probe is lost for a while, and so is the update that opens it.
#[test]
fn a_zero_window_survives_lost_probes_and_a_lost_update() {
    let options = SocketOptions { receive_buffer: 16 * 1024, ..SocketOptions::default() };
    let mut pair = Pair::establish_in(world(2, "delay=5ms"), false, &options);
    let (client, server) = (pair.client, pair.server);
    let data: Vec<u8> = (0..60_000u32).map(|i| (i % 253) as u8).collect();
    assert_eq!(pair.client().write(client, &data), Ok(data.len()));
    pair.run_for(secs(2));
    assert_eq!(pair.client().info(client).unwrap().snd_wnd, 0, "the window is shut");

    pair.world.set_rule(|_, _| false);
    pair.run_for(secs(20));
    let mut received = Vec::new();
    read_all(pair.server(), server, &mut received);
    pair.run_for(millis(100));
    pair.world.clear_rule();

    let end = pair.world.now() + secs(120);
    while received.len() < data.len() {
        assert!(pair.world.now() < end, "stuck at {} bytes", received.len());
        pair.run_for(millis(10));
        read_all(pair.server(), server, &mut received);
    }
    assert!(received == data);
    assert!(pair.client().counters().tcp.window_probes > 1);
    pair.close();
}

/// The application reads, the window opens, and the sender hears of it at once: nobody waits for a probe.
#[test]
fn reading_opens_a_closed_window_at_once() {
    let options = SocketOptions { receive_buffer: 16 * 1024, ..SocketOptions::default() };
    let mut pair = Pair::establish_in(world(2, "delay=5ms"), false, &options);
    let (client, server) = (pair.client, pair.server);
    pair.client().write(client, &[3; 60_000]).unwrap();
    pair.run_for(millis(3_330));
    assert_eq!(pair.client().info(client).unwrap().snd_wnd, 0, "the window is shut");
    let probes = pair.client().counters().tcp.window_probes;
    let mut received = Vec::new();
    for _ in 0..20 {
        read_all(pair.server(), server, &mut received);
        pair.run_for(millis(11));
    }
    assert_eq!(received.len(), 60_000);
    assert_eq!(pair.client().counters().tcp.window_probes, probes, "none was needed");
    pair.close();
}

/// RFC 9293 3.8.6.1: a peer that answers probes with a zero window may do so for ever.
#[test]
fn a_zero_window_may_stay_shut_for_a_day() {
    let options = SocketOptions { receive_buffer: 16 * 1024, ..SocketOptions::default() };
    let mut pair = Pair::establish_in(world(3, "delay=5ms"), true, &options);
    let (client, server) = (pair.client, pair.server);
    let written = pair.client().write(client, &[9; 50_000]).unwrap();
    pair.run_for(secs(24 * 3600));
    let mut received = Vec::new();
    for _ in 0..400 {
        read_all(pair.server(), server, &mut received);
        pair.run_for(secs(1));
    }
    assert_eq!(received.len(), written);
    pair.close();
}

/// RFC 9293 3.8.4: idle, then probes at their interval, then the end; nothing was ever written.
#[test]
fn keep_alive_finds_a_peer_that_has_vanished() {
    let keep_alive = KeepAlive { idle: secs(10), interval: secs(2), count: 3 };
    let options = SocketOptions { keep_alive: Some(keep_alive), ..SocketOptions::default() };
    let mut pair = Pair::establish_in(world(4, "delay=5ms"), false, &options);
    let client = pair.client;
    pair.run_for(secs(65));
    assert_eq!(pair.states(), (State::Established, State::Established), "probes are answered");
    assert!(pair.client().counters().tcp.keep_alive_probes >= 3);

    pair.world.set_rule(|_, _| false);
    pair.run_for(secs(10));
    assert_eq!(pair.client().error(client), Ok(None), "not before the probes have run out");
    pair.run_for(secs(10));
    assert_eq!(pair.client().error(client), Ok(Some(Error::TimedOut)));
    assert_eq!(pair.client().read(client, &mut [0; 10]), Err(Error::TimedOut));
    assert_eq!(pair.client().write(client, b"x"), Err(Error::TimedOut));
    assert_eq!(pair.client().counters().tcp.keep_alive_timeouts, 1);
}

/// RFC 9293 3.8.3: R2. Fifteen retransmissions with a doubling timer take a quarter of an hour.
#[test]
fn a_peer_that_vanishes_under_data_times_out() {
    let mut pair = Pair::establish("delay=5ms");
    let client = pair.client;
    pair.world.set_rule(|_, _| false);
    pair.client().write(client, &[1; 5_000]).unwrap();
    let start = pair.world.now();
    let limit = start + secs(3600);
    let died = pair.world.run(limit, |world| world.host(CLIENT).stack().error(client) != Ok(None));
    assert_eq!(died, Ok(Pause::Done));
    let took = pair.world.now() - start;
    assert!(took > secs(300) && took < secs(1800), "took {took:?}");
    assert_eq!(pair.client().read(client, &mut [0; 10]), Err(Error::TimedOut));
    assert_eq!(pair.client().write(client, b"x"), Err(Error::TimedOut));
    let now = pair.world.now();
    pair.client().close(now, client).unwrap();
    pair.run_for(secs(1));
    assert_eq!(pair.client().live_connections(), 0);
    assert_eq!(pair.client().poll_timeout(), None, "no timer is left behind");
}

/// RFC 9293 3.9.1: the user timeout replaces the count of retransmissions.
#[test]
fn the_user_timeout_ends_a_connection_earlier() {
    let options = SocketOptions { user_timeout: Some(secs(5)), ..SocketOptions::default() };
    let mut pair = Pair::establish_in(world(5, "delay=5ms"), true, &options);
    let client = pair.client;
    pair.run_for(secs(100));
    pair.world.set_rule(|_, _| false);
    pair.client().write(client, b"anybody there?").unwrap();
    pair.run_for(secs(4));
    assert_eq!(pair.client().error(client), Ok(None));
    pair.run_for(secs(4));
    assert_eq!(pair.client().error(client), Ok(Some(Error::TimedOut)));
}

/// RFC 9293 3.6.1: both FINs cross; both ends pass through CLOSING to TIME-WAIT.
#[test]
fn simultaneous_close() {
    let mut pair = Pair::establish("delay=50ms");
    let (client, server) = (pair.client, pair.server);
    pair.client().shutdown(client, Shutdown::Write).unwrap();
    pair.server().shutdown(server, Shutdown::Write).unwrap();
    pair.run_for(millis(60));
    assert_eq!(pair.states(), (State::Closing, State::Closing));
    pair.run_for(millis(60));
    assert_eq!(pair.states(), (State::TimeWait, State::TimeWait));
    assert_eq!(pair.client().read(client, &mut [0; 10]), Ok(0));
    assert_eq!(pair.server().read(server, &mut [0; 10]), Ok(0));
    pair.close();
}

/// RFC 9293 3.5, figure 8: both SYNs cross.
#[test]
fn simultaneous_open() {
    let mut world = world(6, "delay=50ms");
    let ends = [CLIENT, SERVER].map(|host| SocketAddr::new(address(host, false), 7000 + host as u16));
    let sockets = [CLIENT, SERVER].map(|host| {
        let now = world.now();
        let remote = ends[1 - host];
        world.host_mut(host).stack_mut().connect(now, remote, Some(ends[host]), None).unwrap()
    });
    let mut pair = Pair { world, client: sockets[0], server: sockets[1] };
    pair.run_for(secs(1));
    assert_eq!(pair.states(), (State::Established, State::Established));
    pair.transfer(CLIENT, 20_000, secs(5));
    pair.transfer(SERVER, 20_000, secs(5));
    pair.close();
}

/// An hour of silence costs nothing, and what was learnt about the path is still there.
#[test]
fn long_idle_then_data() {
    let mut pair = Pair::establish("delay=20ms");
    pair.transfer(CLIENT, 50_000, secs(5));
    pair.run_for(secs(1));
    let before = pair.world.trace().packets();
    pair.run_for(secs(3600));
    assert_eq!(pair.world.trace().packets(), before, "an idle connection is silent");
    pair.transfer(SERVER, 100_000, secs(5));
    pair.transfer(CLIENT, 100_000, secs(5));
    assert_eq!(pair.client().counters().tcp.rto + pair.server().counters().tcp.rto, 0);
    pair.close();
}

/// With enough patience; an honest count of retries runs out once in a hundred times on such a link.
#[test]
fn handshakes_get_through_30_percent_loss() {
    let patient = |host| {
        let mut config = config(host);
        config.tcp.syn_retries = 14;
        config.tcp.syn_ack_retries = 14;
        HostConfig::new(config)
    };
    for seed in 0..200 {
        let world = world_of(seed, "delay=30ms,loss=30%", patient);
        let mut pair = Pair::establish_in(world, seed % 2 == 0, &SocketOptions::default());
        pair.run_for(secs(100));
        let states = pair.states();
        assert_eq!(states, (State::Established, State::Established), "seed {seed}");
    }
}

/// Without a listener the answer is a reset, which a client in SYN-SENT takes for a refusal (RFC 9293 3.10.7.3).
#[test]
fn a_closed_port_refuses() {
    for v6 in [false, true] {
        let mut world = world(7, "delay=5ms");
        let now = world.now();
        let remote = SocketAddr::new(address(SERVER, v6), 81);
        let client = world.host_mut(CLIENT).stack_mut().connect(now, remote, None, None).unwrap();
        world.run_for(secs(1)).unwrap();
        assert_eq!(world.host(CLIENT).stack().error(client), Ok(Some(Error::ConnectionRefused)));
    }
}

/// RFC 9293 3.4: a stream that crosses sequence number zero. The initial sequence number follows a clock of 4 µs
/// (RFC 6528), so the right moment for it can be computed from any SYN of the same port.
#[test]
fn a_stream_passes_the_end_of_sequence_space() {
    let mut world = world(8, "delay=5ms");
    let local = SocketAddr::new(address(CLIENT, false), 5555);
    let remote = SocketAddr::new(address(SERVER, false), 80);
    let isn = Rc::new(Cell::new(None));
    let (before, after) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (first, [high, low]) = (isn.clone(), [before.clone(), after.clone()]);
    world.set_rule(move |crossing, packet| {
        let Some(seen) = Seen::of(packet).filter(|_| crossing.from == CLIENT) else { return true };
        if seen.tcp.flags == TcpFlags::SYN && first.get().is_none() {
            first.set(Some((crossing.now, seen.tcp.seq)));
        }
        let side = if seen.tcp.seq.0 > u32::MAX / 2 { &high } else { &low };
        side.set(side.get() + seen.payload.len());
        true
    });
    let now = world.now();
    let refused = world.host_mut(CLIENT).stack_mut().connect(now, remote, Some(local), None).unwrap();
    world.run_for(secs(1)).unwrap();
    let now = world.now();
    world.host_mut(CLIENT).stack_mut().close(now, refused).unwrap();

    let (at, seq) = isn.get().unwrap();
    let until_wrap = (0u32.wrapping_sub(seq.0) - 50_000) as u64 * 4;
    let moment = at + Duration::from_micros(until_wrap);
    world.run_for(moment - world.now()).unwrap();

    let listener = world.host_mut(SERVER).stack_mut().listen(remote, Default::default()).unwrap();
    let now = world.now();
    let client = world.host_mut(CLIENT).stack_mut().connect(now, remote, Some(local), None).unwrap();
    world.run_for(secs(1)).unwrap();
    let (server, _) = world.host_mut(SERVER).stack_mut().accept(listener).unwrap();
    let mut pair = Pair { world, client, server };
    pair.transfer(CLIENT, 200_000, secs(10));
    assert!(before.get() > 40_000 && after.get() > 100_000, "{} and {}", before.get(), after.get());
    pair.transfer(SERVER, 200_000, secs(10));
}

/// The device takes one packet in three; nothing is lost by it.
#[test]
fn a_device_that_is_often_full_loses_nothing() {
    let busy = |host| HostConfig { full_chance: 0.66, ..HostConfig::new(config(host)) };
    let world = world_of(9, "delay=2ms", busy);
    let mut pair = Pair::establish_in(world, false, &SocketOptions::default());
    pair.transfer(CLIENT, 100_000, secs(30));
    assert_eq!(pair.client().counters().tcp.retransmissions, 0, "SND.NXT does not move over a full device");
    pair.close();
}

/// RFC 1191, RFC 8201: a router half-way carries less, and says so; also on a link that loses one packet in a hundred,
/// some of the router's words among them.
#[test]
fn a_narrow_hop_that_says_so_costs_a_round_trip() {
    for (v6, mtu, headers) in [(false, 1_400, 52), (true, 1_320, 72)] {
        let mut pair = Pair::establish_in(world(11, "delay=20ms"), v6, &SocketOptions::default());
        pair.world.set_hop(CLIENT, SERVER, mtu, true);
        pair.transfer(CLIENT, 500_000, secs(2));
        let client = pair.client;
        let counters = &pair.client().counters().tcp;
        assert_eq!((counters.path_mtu_reductions, counters.path_mtu_black_holes, counters.rto), (1, 0, 0));
        assert_eq!(usize::from(pair.client().info(client).unwrap().snd_mss), mtu - headers);
        pair.transfer(SERVER, 500_000, secs(2));
        pair.close();
    }
    let mut pair = Pair::establish_in(world(12, "delay=20ms,loss=1%"), false, &SocketOptions::default());
    pair.world.set_hop(CLIENT, SERVER, 1_400, true);
    pair.transfer(CLIENT, 500_000, secs(60));
    pair.close();
}

/// RFC 4821 7.7: the router drops without a word, from the middle of a connection on.
#[test]
fn a_narrow_hop_that_says_nothing_is_found_out() {
    for v6 in [false, true] {
        let mut pair = Pair::establish_in(world(13, "delay=20ms"), v6, &SocketOptions::default());
        pair.transfer(CLIENT, 100_000, secs(2));
        pair.world.set_hop(CLIENT, SERVER, 1_300, false);
        pair.transfer(CLIENT, 500_000, secs(10));
        let counters = &pair.client().counters().tcp;
        assert_eq!((counters.path_mtu_reductions, counters.path_mtu_black_holes), (0, 1));
        pair.close();
    }
}
