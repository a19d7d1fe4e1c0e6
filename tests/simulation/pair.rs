//! Two hosts, one connection, and calls made by hand.

use std::net::{IpAddr, SocketAddr};

use longwire::device::LinkConfig;
use longwire::sim::{HostConfig, Pause, Trace, World};
use longwire::stack::{Cidr, Config, Error, ListenOptions, SocketId, Stack};
use longwire::tcp::{SocketOptions, State};
use longwire::time::Duration;

/// Where clients live.
pub(crate) const CLIENT: usize = 0;
/// Where servers live.
pub(crate) const SERVER: usize = 1;
const PORT: u16 = 80;

pub(crate) fn address(host: usize, v6: bool) -> IpAddr {
    let last = host as u8 + 1;
    if v6 {
        IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)])
    } else {
        IpAddr::from([10, 0, 0, last])
    }
}

pub(crate) fn config(host: usize) -> Config {
    Config::new(vec![
        Cidr { address: address(host, false), prefix: 24 },
        Cidr { address: address(host, true), prefix: 64 },
    ])
}

/// Two hosts of default configuration on a link that is the same both ways.
pub(crate) fn world(seed: u64, link: &str) -> World {
    world_of(seed, link, |host| HostConfig::new(config(host)))
}

/// Two hosts on a link that is the same both ways.
pub(crate) fn world_of(seed: u64, link: &str, host: impl Fn(usize) -> HostConfig) -> World {
    let mut world = World::new(seed, Trace::with_lines());
    world.add_host(host(CLIENT));
    world.add_host(host(SERVER));
    let link: LinkConfig = link.parse().unwrap();
    world.link(CLIENT, SERVER, &link, &link);
    world
}

/// A connection between the two hosts of a world.
pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) client: SocketId,
    pub(crate) server: SocketId,
}

impl Pair {
    /// Establishes a connection over a link such as `delay=20ms`.
    #[track_caller]
    pub(crate) fn establish(link: &str) -> Pair {
        Pair::establish_in(world(1, link), false, &SocketOptions::default())
    }

    #[track_caller]
    pub(crate) fn establish_in(mut world: World, v6: bool, options: &SocketOptions) -> Pair {
        let remote = SocketAddr::new(address(SERVER, v6), PORT);
        let listening = ListenOptions {
            backlog: 10,
            socket: Some(options.clone()),
            max_connections: None,
            ..Default::default()
        };
        let listener = world.host_mut(SERVER).stack_mut().listen(remote, listening).unwrap();
        let now = world.now();
        let client =
            world.host_mut(CLIENT).stack_mut().connect(now, remote, None, Some(options.clone())).unwrap();
        let limit = now + Duration::from_secs(3600);
        let there = world.run(limit, |world| world.host(SERVER).stack().counters().tcp.passive_opens > 0);
        assert_eq!(there, Ok(Pause::Done), "{}", world.trace().lines().join("\n"));
        let (server, from) = world.host_mut(SERVER).stack_mut().accept(listener).unwrap();
        let client_stack = world.host(CLIENT).stack();
        assert_eq!(client_stack.local_addr(client), Ok(from));
        assert_eq!(world.host(SERVER).stack().remote_addr(server), Ok(from));
        let now = world.now();
        world.host_mut(SERVER).stack_mut().close(now, listener).unwrap();
        Pair { world, client, server }
    }

    pub(crate) fn client(&mut self) -> &mut Stack {
        self.world.host_mut(CLIENT).stack_mut()
    }

    pub(crate) fn server(&mut self) -> &mut Stack {
        self.world.host_mut(SERVER).stack_mut()
    }

    #[track_caller]
    pub(crate) fn run_for(&mut self, how_long: Duration) {
        self.world.run_for(how_long).unwrap();
    }

    /// The states of client and server.
    #[track_caller]
    pub(crate) fn states(&mut self) -> (State, State) {
        let (client, server) = (self.client, self.server);
        (self.client().info(client).unwrap().state, self.server().info(server).unwrap().state)
    }

    /// Moves `len` bytes from the client to the server, or the other way round, within `limit`, and compares them.
    #[track_caller]
    pub(crate) fn transfer(&mut self, from: usize, len: usize, limit: Duration) {
        let (sender, receiver) =
            if from == CLIENT { (self.client, self.server) } else { (self.server, self.client) };
        let sent: Vec<u8> = (0..len).map(|i| (i * 7 + i / 251) as u8).collect();
        let (mut written, mut received) = (0, Vec::new());
        let end = self.world.now() + limit;
        while received.len() < len {
            assert!(self.world.now() < end, "{} of {len} bytes in {limit:?}", received.len());
            if written < len {
                match self.world.host_mut(from).stack_mut().write(sender, &sent[written..]) {
                    Ok(count) => written += count,
                    Err(Error::WouldBlock) => {}
                    Err(error) => panic!("write: {error:?}"),
                }
            }
            read_all(self.world.host_mut(1 - from).stack_mut(), receiver, &mut received);
            self.run_for(Duration::from_millis(1));
        }
        assert!(received == sent, "the bytes differ");
    }

    /// Closes both ends in order and waits until nothing is left, TIME-WAIT included.
    #[track_caller]
    pub(crate) fn close(mut self) {
        let (now, client, server) = (self.world.now(), self.client, self.server);
        self.client().close(now, client).unwrap();
        self.server().close(now, server).unwrap();
        self.world.finish(now + Duration::from_secs(300)).unwrap();
    }
}

/// Reads until there is nothing more.
#[track_caller]
pub(crate) fn read_all(stack: &mut Stack, socket: SocketId, into: &mut Vec<u8>) {
    let mut buffer = [0; 4096];
    loop {
        match stack.read(socket, &mut buffer) {
            Ok(0) | Err(Error::WouldBlock) => return,
            Ok(count) => into.extend_from_slice(&buffer[..count]),
            Err(error) => panic!("read: {error:?}"),
        }
    }
}
