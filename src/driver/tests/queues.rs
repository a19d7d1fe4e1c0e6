//! Several shards over the queues of one interface, and a client whose packets come to whichever it likes.

use super::*;
use crate::device::{Device, Habit, fan};
use crate::driver::{Next, Runner};
use crate::stack::{Counters, Steering};

/// A server on two queues and a client, turned by the test.
struct TwoQueues {
    client: Shard,
    members: Vec<Runner>,
    listeners: Vec<SocketId>,
    /// How often each member's loop would have been woken.
    rings: Vec<Arc<AtomicUsize>>,
}

impl TwoQueues {
    fn new(habit: Habit) -> TwoQueues {
        let (near, far) = fan(2, habit);
        let clock = Clock::start();
        let stack = Stack::new(
            Config::new(vec!["10.9.0.1/24".parse().unwrap()]),
            Seed::from_u64(1),
            Pool::new(),
            clock.now(),
        );
        let client = Shard::new(stack, Box::new(near), clock, Ringer::new(|| {})).unwrap();
        let rings: Vec<_> = far.iter().map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let ringers: Vec<_> = rings.iter().map(counting).collect();
        let devices = far.into_iter().map(|end| Box::new(end) as Box<dyn Device>).collect();
        let config = Config::new(vec!["10.9.0.2/24".parse().unwrap()]);
        let members = Runner::several(devices, &config, &ringers).unwrap();
        let listeners = members.iter().map(|member| listen(member.shared())).collect();
        TwoQueues { client, members, listeners, rings }
    }

    fn settle(&mut self) {
        for _ in 0..16 {
            turn(&mut self.client);
            for member in &mut self.members {
                while member.turn() == Next::Turn {}
            }
        }
    }

    /// Connections that a member has accepted.
    fn accept(&self, place: usize) -> Vec<SocketId> {
        self.members[place].shared().with(|stack| {
            std::iter::from_fn(|| stack.accept(self.listeners[place]).ok())
                .map(|(socket, _)| socket)
                .collect()
        })
    }

    fn sum(&self, counter: impl Fn(&Counters) -> u64) -> u64 {
        self.members.iter().map(|member| member.shared().with(|stack| counter(stack.counters()))).sum()
    }
}

fn counting(rings: &Arc<AtomicUsize>) -> Ringer {
    let rings = Arc::clone(rings);
    Ringer::new(move || {
        rings.fetch_add(1, Ordering::Relaxed);
    })
}

/// Twenty connections, and a request on each.
fn connect_and_ask(world: &mut TwoQueues) -> Vec<SocketId> {
    let streams: Vec<_> = (0..20).map(|_| connect(world.client.shared())).collect();
    world.settle();
    for &stream in &streams {
        world.client.shared().with_socket(stream, |stack| stack.write(stream, b"question")).unwrap();
    }
    world.settle();
    streams
}

#[test]
fn a_kernel_that_learns_brings_only_first_packets_to_the_wrong_shard() {
    let mut world = TwoQueues::new(Habit::Learning);
    connect_and_ask(&mut world);
    let accepted: Vec<_> = (0..2).map(|place| world.accept(place).len()).collect();
    assert!(accepted.iter().all(|&count| count > 0) && accepted.iter().sum::<usize>() == 20, "{accepted:?}");
    // All were put on the first queue, as nothing was known of them, and each of the second shard's went over once.
    assert_eq!(world.sum(|all| all.ip.forwarded), accepted[1] as u64);
    assert_eq!(world.sum(|all| all.ip.forward_dropped), 0);
    assert!(world.rings[1].load(Ordering::Relaxed) > 0, "its loop was woken for them");
}

#[test]
fn connections_work_although_every_packet_goes_astray() {
    let mut world = TwoQueues::new(Habit::Contrary);
    let streams = connect_and_ask(&mut world);
    for place in 0..2 {
        for socket in world.accept(place) {
            let shared = world.members[place].shared();
            let mut buffer = [0; 16];
            assert_eq!(shared.with(|stack| stack.read(socket, &mut buffer)), Ok(8));
            assert_eq!(shared.with_socket(socket, |stack| stack.write(socket, b"answer")), Ok(6));
        }
    }
    world.settle();
    for stream in streams {
        let mut buffer = [0; 16];
        assert_eq!(world.client.shared().with(|stack| stack.read(stream, &mut buffer)), Ok(6));
    }
    assert!(world.sum(|all| all.ip.forwarded) > 40, "all but what was rightly first on the second queue");
    assert_eq!(world.sum(|all| all.ip.forward_dropped) + world.sum(|all| all.tcp.resets_sent), 0);
}

#[test]
fn limits_are_of_all_shards_together() {
    let (_near, far) = fan(2, Habit::Learning);
    let devices = far.into_iter().map(|end| Box::new(end) as Box<dyn Device>).collect();
    let config = Config { max_sockets: 10, ..Config::new(vec!["10.9.0.2/24".parse().unwrap()]) };
    let ringers = [(); 2].map(|()| Ringer::new(|| {}));
    for member in Runner::several(devices, &config, &ringers).unwrap() {
        let bind = |stack: &mut Stack| stack.udp_bind("10.9.0.2:0".parse().unwrap());
        let opened = (0..10).take_while(|_| member.shared().with(bind).is_ok()).count();
        assert_eq!(opened, 5);
    }
}

#[test]
fn what_is_for_a_shard_that_has_stopped_is_counted() {
    let mut world = TwoQueues::new(Habit::Learning);
    world.members.truncate(1);
    let _streams: Vec<_> = (0..20).map(|_| connect(world.client.shared())).collect();
    turn(&mut world.client);
    while world.members[0].turn() == Next::Turn {}
    let lost = world.sum(|all| all.ip.forward_dropped);
    assert!((1..20).contains(&lost), "{lost} of 20 SYNs");
    assert_eq!(world.sum(|all| all.ip.forwarded), 0, "nobody got any");
}

#[test]
fn a_shard_alone_with_a_steering_loses_what_is_for_others_and_sleeps() {
    let (near, mut far) = fan(1, Habit::Learning);
    let addresses = |address: &str| Config::new(vec![address.parse().unwrap()]);
    let shard = |config, device: Box<dyn Device>| {
        let clock = Clock::start();
        let stack = Stack::new(config, Seed::from_u64(1), Pool::new(), clock.now());
        Shard::new(stack, device, clock, Ringer::new(|| {})).unwrap()
    };
    let mut client = shard(addresses("10.9.0.1/24"), Box::new(near));
    let config = Config { steering: Some(Steering::new([7; 16], 0, 2)), ..addresses("10.9.0.2/24") };
    let mut server = shard(config, Box::new(far.remove(0)));
    for _ in 0..20 {
        connect(client.shared());
    }
    turn(&mut client);
    turn(&mut server);
    let counters = server.shared().with(|stack| stack.counters().ip);
    assert!((1..20).contains(&counters.forward_dropped), "{counters:?}");
    assert_eq!(counters.forwarded, 0);
    assert!(!server.shared().with(|stack| stack.has_strays()));
    let now = server.shared().now();
    assert!(server.deadline().is_none_or(|deadline| deadline > now), "no turn at once, for ever");
}

#[test]
fn datagrams_to_ourselves_cross_to_the_shard_whose_they_are() {
    let mut world = TwoQueues::new(Habit::Learning);
    let owner = world.members[0].shared().with(|stack| stack.steering().unwrap().of_port(53));
    let [there, here] = [owner, 1 - owner];
    let server = world.members[there].shared().with(|stack| stack.udp_bind("10.9.0.2:53".parse().unwrap()));
    let shared = world.members[here].shared().clone();
    let socket = shared.with(|stack| stack.udp_bind("10.9.0.2:0".parse().unwrap())).unwrap();
    world.settle();
    // The loop sleeps, and the thread that sends does not know whose this is.
    let before = world.rings[here].load(Ordering::Relaxed);
    shared
        .with_socket(socket, |stack| stack.udp_send_to(socket, b"hello", "10.9.0.2:53".parse().unwrap()))
        .unwrap();
    assert_eq!(world.rings[here].load(Ordering::Relaxed), before + 1);
    world.settle();
    let received =
        world.members[there].shared().with(|stack| stack.udp_recv_from(server.unwrap(), &mut [0; 8]));
    assert_eq!(received.unwrap().0, 5);
}
