//! What is asked for.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

pub const USAGE: &str = "usage: load down|up|long|short|echo ADDRESS:PORT [OPTION VALUE]...

  down, up       bytes from or to a server that sends or discards without end
  long           GET requests on connections that stay
  short          GET requests, each on a connection of its own, which the server closes first
  echo           one byte there and back on one connection

  --seconds S        how long it is measured [2]
  --connections N    at once [1; 50 for long and short]
  --pipeline N       requests under way on each long connection [1]
  --path PATH        what is asked for [/healthz]
  --control NAME     congestion control, set on each socket and read back [cubic]
  --sources A,N      N consecutive IPv4 addresses from A on, which connections begin from in turn
  --server PID,PID   whose processor time is counted";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Down,
    Up,
    Long,
    Short,
    Echo,
}

#[derive(Clone, Debug)]
pub struct Arguments {
    pub work: Work,
    pub server: SocketAddr,
    pub duration: Duration,
    pub connections: usize,
    pub pipeline: usize,
    pub path: String,
    pub control: String,
    pub sources: Vec<Ipv4Addr>,
    pub pids: Vec<u32>,
}

impl Arguments {
    pub fn parse(words: &[String]) -> Result<Arguments, String> {
        let [work, server, options @ ..] = words else { return Err("nothing to do".to_owned()) };
        let work = match work.as_str() {
            "down" => Work::Down,
            "up" => Work::Up,
            "long" => Work::Long,
            "short" => Work::Short,
            "echo" => Work::Echo,
            other => return Err(format!("{other} is no work")),
        };
        let mut arguments = Arguments {
            work,
            server: server.parse().map_err(|_| format!("{server} is no ADDRESS:PORT"))?,
            duration: Duration::from_secs(2),
            connections: if matches!(work, Work::Long | Work::Short) { 50 } else { 1 },
            pipeline: 1,
            path: "/healthz".to_owned(),
            control: "cubic".to_owned(),
            sources: Vec::new(),
            pids: Vec::new(),
        };
        for option in options.chunks(2) {
            let [name, value] = option else { return Err(format!("{} has no value", option[0])) };
            arguments.set(name, value).ok_or_else(|| format!("{name} {value} is not understood"))?;
        }
        Ok(arguments)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "--seconds" => self.duration = Duration::try_from_secs_f64(value.parse().ok()?).ok()?,
            "--connections" => self.connections = value.parse().ok().filter(|count| *count > 0)?,
            "--pipeline" => self.pipeline = value.parse().ok().filter(|count| *count > 0)?,
            "--path" => self.path = value.to_owned(),
            "--control" => self.control = value.to_owned(),
            "--sources" => {
                let (first, count) = value.split_once(',')?;
                let first = u32::from(first.parse::<Ipv4Addr>().ok()?);
                self.sources = (0..count.parse().ok()?).map(|index| Ipv4Addr::from(first + index)).collect();
            }
            "--server" => self.pids = value.split(',').map(str::parse).collect::<Result<_, _>>().ok()?,
            _ => return None,
        }
        Some(())
    }

    /// The address from which connection number `index` is to begin, if that is said.
    pub fn source(&self, index: usize) -> Option<Ipv4Addr> {
        self.sources.get(index.checked_rem(self.sources.len())?).copied()
    }
}
