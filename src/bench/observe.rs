//! What the system says of itself, in the files of /proc: what was on the wire, who is left in TIME-WAIT, and what a
//! process costs.
//!
//! The parsers take text, so that they can be tested; whatever is missing or strange is `None`, and no error: a figure
//! that cannot be had is left out of the report.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Ticks a second in /proc/PID/stat: USER_HZ, which Linux fixes at 100 for everything that programs see.
const TICKS: u64 = 100;
/// The state of TIME-WAIT in /proc/net/tcp.
const TIME_WAIT: &str = "06";

/// What has been on the wire, as one side has counted it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wire {
    /// TCP segments both ways, those sent again included.
    pub(crate) segments: u64,
    /// SYNs sent.
    pub(crate) syns: u64,
    /// Segments sent again.
    pub(crate) retransmissions: u64,
    /// Bytes of IP packets both ways.
    pub(crate) bytes: u64,
}

impl Wire {
    /// What came to this since `before`.
    pub(crate) fn since(&self, before: &Wire) -> Wire {
        Wire {
            segments: self.segments.saturating_sub(before.segments),
            syns: self.syns.saturating_sub(before.syns),
            retransmissions: self.retransmissions.saturating_sub(before.retransmissions),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }
}

/// What the kernel has counted in this network namespace. With a server in the same namespace every segment is counted
/// by its sender and by its receiver, and only the senders' half is taken.
pub(crate) fn kernel_wire(server_is_here: bool) -> Option<Wire> {
    let snmp = fs::read_to_string("/proc/net/snmp").ok()?;
    let netstat = fs::read_to_string("/proc/net/netstat").ok()?;
    wire_of(&snmp, &netstat, server_is_here)
}

fn wire_of(snmp: &str, netstat: &str, server_is_here: bool) -> Option<Wire> {
    let tcp = |name| field(snmp, "Tcp:", name);
    let retransmissions = tcp("RetransSegs")?;
    let sent = tcp("OutSegs")? + retransmissions;
    let bytes_sent = field(netstat, "IpExt:", "OutOctets")?;
    let (received, bytes_received) = match server_is_here {
        true => (0, 0),
        false => (tcp("InSegs")?, field(netstat, "IpExt:", "InOctets")?),
    };
    // A SYN that is sent again is a retransmission, too, but one more SYN on the wire.
    let syns = tcp("ActiveOpens")? + field(netstat, "TcpExt:", "TCPSynRetrans")?;
    Some(Wire { segments: sent + received, syns, retransmissions, bytes: bytes_sent + bytes_received })
}

/// A number in a file of header lines and value lines, both of which begin with `group`.
fn field(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.split(' ').next() == Some(group));
    let (names, values) = (lines.next()?, lines.next()?);
    let index = names.split(' ').position(|word| word == name)?;
    values.split(' ').nth(index)?.parse().ok()
}

/// Bytes of packets that an interface of this namespace has carried both ways.
pub(crate) fn interface_bytes(interface: &str) -> Option<u64> {
    bytes_of(&fs::read_to_string("/proc/net/dev").ok()?, interface)
}

fn bytes_of(dev: &str, interface: &str) -> Option<u64> {
    let line = dev.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    let values: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(values.first()? + values.get(8)?)
}

/// Whose sockets are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Namespace {
    /// That of this process.
    Ours,
    /// That of the process with this id.
    Of(u32),
}

/// Connections in TIME-WAIT in a namespace: as a client's with `server` across, or as a server's with it as their own
/// address.
pub(crate) fn time_wait(namespace: Namespace, server: SocketAddr, as_server: bool) -> Option<u64> {
    let directory = match namespace {
        Namespace::Ours => "/proc/net".to_owned(),
        Namespace::Of(pid) => format!("/proc/{pid}/net"),
    };
    let v4 = fs::read_to_string(format!("{directory}/tcp")).ok()?;
    // Absent where IPv6 is off.
    let v6 = fs::read_to_string(format!("{directory}/tcp6")).unwrap_or_default();
    Some(waiting_in(&v4, server, as_server) + waiting_in(&v6, server, as_server))
}

fn waiting_in(table: &str, server: SocketAddr, as_server: bool) -> u64 {
    let column = if as_server { 1 } else { 2 };
    let is_ours = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().take(4).collect();
        words.get(3) == Some(&TIME_WAIT) && words.get(column).and_then(|word| address(word)) == Some(server)
    };
    table.lines().filter(is_ours).count() as u64
}

/// An address as /proc/net/tcp has it: words of 32 bits in the machine's own order, in hexadecimal.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(address)?).into(),
        32 => {
            let words = (0..4).map(|index| word(address.get(index * 8..index * 8 + 8)?));
            let octets: Vec<u8> = words.collect::<Option<Vec<_>>>()?.concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// What processes have cost so far, and hold now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Processor time, in user space and in system calls.
    pub(crate) cpu: Duration,
    /// Resident memory in bytes.
    pub(crate) memory: u64,
}

/// The cost of all of these processes together; `None` if one of them cannot be seen.
pub(crate) fn cost(pids: &[u32]) -> Option<Cost> {
    let mut sum = Cost::default();
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        sum.cpu += cpu_of(&stat)?;
        sum.memory += memory_of(&status)?;
    }
    Some(sum)
}

/// `utime` and `stime`. The name in brackets may have spaces and brackets itself.
fn cpu_of(stat: &str) -> Option<Duration> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * (1_000 / TICKS)))
}

fn memory_of(status: &str) -> Option<u64> {
    kilobytes(status, "VmRSS:")
}

/// Bytes that the kernel holds in its caches of objects: sockets, files, connections, and all else.
pub(crate) fn kernel_memory() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "Slab:")
}

/// A line of so many kB, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// A sentence about the machine: processor, how many, kernel.
pub(crate) fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{count} × {model}, Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNMP: &str = "\
Ip: Forwarding InReceives
Ip: 2 18426
Tcp: RtoAlgorithm ActiveOpens InSegs OutSegs RetransSegs InErrs
Tcp: 1 708 17209 12822 30 0
";
    const NETSTAT: &str = "\
TcpExt: SyncookiesSent TCPSynRetrans
TcpExt: 0 5
IpExt: InNoRoutes InOctets OutOctets
IpExt: 0 9000 1000
";

    #[test]
    fn the_wire_is_counted_once() {
        let there = wire_of(SNMP, NETSTAT, false).unwrap();
        assert_eq!(there, Wire { segments: 17_209 + 12_852, syns: 713, retransmissions: 30, bytes: 10_000 });
        let here = wire_of(SNMP, NETSTAT, true).unwrap();
        assert_eq!((here.segments, here.bytes), (12_852, 1_000), "the receivers' half is the same packets");
        assert_eq!(there.since(&here).segments, 17_209);
        assert_eq!(wire_of("", NETSTAT, false), None);
        assert_eq!(wire_of(&SNMP.replace("OutSegs", "Other"), NETSTAT, false), None);
    }

    #[test]
    fn an_interface_is_found_by_its_whole_name() {
        let dev = "Inter-| Receive\n face |bytes\n  lw01: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n   lw0: 100 1 0 0 0 0 0 0 23 \
                   1 0 0 0 0 0 0\n";
        assert_eq!(bytes_of(dev, "lw0"), Some(123));
        assert_eq!(bytes_of(dev, "lw"), None);
    }

    #[test]
    fn addresses_of_the_table_are_in_the_machines_order() {
        let octets = |ip: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(ip));
        let v4 = format!("{}:0050", octets([10, 9, 0, 2]));
        assert_eq!(address(&v4), Some("10.9.0.2:80".parse().unwrap()));
        let mapped = [[0; 4], [0; 4], [0, 0, 255, 255], [10, 9, 0, 2]].map(octets).concat() + ":0050";
        assert_eq!(address(&mapped), address(&v4), "a server of both families shows IPv4 so");
        let v6 = [[0xfd, 9, 0, 0], [0; 4], [0; 4], [0, 0, 0, 1]].map(octets).concat() + ":1F90";
        assert_eq!(address(&v6), Some("[fd09::1]:8080".parse().unwrap()));
        for wrong in ["", "x", "0100007F", "0100007G:0050", "01:0050"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn time_wait_is_counted_for_one_server_on_either_side() {
        let (client, server) = ("10.9.0.1:50000", "10.9.0.2:80");
        let hex = |text: &str| {
            let SocketAddr::V4(v4) = text.parse().unwrap() else { unreachable!() };
            format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port())
        };
        let line = |local: &str, remote: &str, state: &str| {
            format!("   0: {} {} {state} 00000000:00000000 03:00000000\n", hex(local), hex(remote))
        };
        let table = "  sl  local_address rem_address   st tx_queue\n".to_owned()
            + &line(client, server, "06")
            + &line("10.9.0.1:50001", server, "06")
            + &line("10.9.0.1:50002", server, "01")
            + &line("10.9.0.1:50003", "10.9.0.2:81", "06")
            + &line(server, client, "06");
        let server = server.parse().unwrap();
        assert_eq!(waiting_in(&table, server, false), 2);
        assert_eq!(waiting_in(&table, server, true), 1);
    }

    #[test]
    fn a_process_is_seen_whatever_it_is_called() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194560 5 0 0 0 150 50 0 0 20 0 1 0";
        assert_eq!(cpu_of(stat), Some(Duration::from_secs(2)));
        assert_eq!(memory_of("Name:\tx\nVmRSS:\t    7 kB\n"), Some(7 * 1024));
        assert_eq!((cpu_of("nothing"), memory_of("")), (None, None));
        let own = cost(&[std::process::id()]).unwrap();
        assert!(own.memory > 100_000);
        assert_eq!(cost(&[u32::MAX]), None);
        assert_eq!(kilobytes("MemFree:  1 kB\nSlab:   9 kB\nSReclaimable: 5 kB\n", "Slab:"), Some(9 * 1024));
    }
}
