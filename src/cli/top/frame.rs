//! One look at a stack, and what two of them say about the time between.

use std::collections::HashMap;
use std::time::Duration;

use crate::cli::output::plain;
use crate::cli::units::{bits_for_people, bytes_for_people, micros_for_people};
use crate::control::{Greeting, SocketReport};
use crate::time::Instant;

/// What was there at one moment.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) greeting: Option<Greeting>,
    at: Instant,
    /// Metrics without labels, by name.
    metrics: HashMap<String, u64>,
    /// Connections by queue and id.
    sockets: HashMap<(Option<u32>, u64), SocketReport>,
}

/// What happened between two samples.
#[derive(Debug)]
pub(super) struct Frame {
    heading: Vec<String>,
    rows: Vec<Row>,
}

/// One connection.
#[derive(Debug)]
struct Row {
    /// Bytes a second.
    received: u64,
    sent: u64,
    socket: SocketReport,
}

impl Sample {
    pub(super) fn new(at: Instant) -> Sample {
        Sample { greeting: None, at, metrics: HashMap::new(), sockets: HashMap::new() }
    }

    /// Takes the values of Prometheus' text that have no labels.
    pub(super) fn take_metrics(&mut self, text: &str) {
        let pairs =
            text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
        let values = pairs.filter_map(|(name, value)| {
            Some((name.strip_prefix("longwire_")?.to_owned(), value.parse().ok()?))
        });
        self.metrics.extend(values);
    }

    pub(super) fn take_socket(&mut self, socket: SocketReport) {
        if let Some(id) = socket.id {
            self.sockets.insert((socket.queue, id), socket);
        }
    }

    fn metric(&self, name: &str) -> u64 {
        self.metrics.get(name).copied().unwrap_or(0)
    }
}

impl Frame {
    pub(super) fn between(before: &Sample, now: &Sample) -> Frame {
        let elapsed = now.at - before.at;
        let mut rows: Vec<_> = now
            .sockets
            .iter()
            .map(|(id, socket)| {
                let (received, sent) = carried(before.sockets.get(id), socket);
                Row { received: rate(received, elapsed), sent: rate(sent, elapsed), socket: socket.clone() }
            })
            .collect();
        rows.sort_by_key(|row| {
            (std::cmp::Reverse(row.received.saturating_add(row.sent)), (row.socket.queue, row.socket.id))
        });
        Frame { heading: heading(before, now, elapsed), rows }
    }

    /// As text, in so many rows and columns at most.
    pub(super) fn lines(&self, rows: usize, _columns: usize) -> Vec<String> {
        let mut lines = self.heading.clone();
        lines.push(String::new());
        lines.push(columns(
            ["STATE", "LOCAL", "PEER", "IN", "OUT", "RTT", "CWND", "UNACKED", "RETRANS"].map(str::to_owned),
        ));
        let room = rows.saturating_sub(lines.len());
        if self.rows.is_empty() {
            lines.push("no connection has carried anything lately".to_owned());
        }
        // The last line says what has no room.
        let shown = if self.rows.len() > room { room.saturating_sub(1) } else { self.rows.len() };
        lines.extend(self.rows[..shown].iter().map(Row::line));
        if shown < self.rows.len() {
            lines.push(format!("and {} more", self.rows.len() - shown));
        }
        lines
    }
}

impl Row {
    fn line(&self) -> String {
        let tcp = self.socket.tcp.as_deref();
        let value = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        columns([
            self.socket.state.clone(),
            self.socket.local.clone(),
            self.socket.remote.clone().unwrap_or_default(),
            bits_for_people(self.received),
            bits_for_people(self.sent),
            tcp.and_then(|tcp| tcp.srtt_us).map_or_else(|| "-".to_owned(), micros_for_people),
            value(tcp.map(|tcp| tcp.cwnd.into())),
            value(tcp.map(|tcp| tcp.in_flight.into())),
            value(tcp.map(|tcp| tcp.retransmissions.into())),
        ])
    }
}

fn heading(before: &Sample, now: &Sample, elapsed: Duration) -> Vec<String> {
    let a_second = |name: &str| rate(now.metric(name).saturating_sub(before.metric(name)), elapsed);
    let mut lines = Vec::new();
    if let Some(Greeting { version, name, pid }) = &now.greeting {
        lines.push(plain(&format!("longwire {version} on {name}, process {pid}")));
    }
    lines.push(format!(
        "in  {}, {} packets/s    out {}, {} packets/s",
        bits_for_people(a_second("device_received_bytes_total")),
        a_second("device_received_packets_total"),
        bits_for_people(a_second("device_sent_bytes_total")),
        a_second("device_sent_packets_total"),
    ));
    lines.push(format!(
        "tcp {} live, {} half-open, {} in TIME-WAIT    opened {}/s, retransmitted {}/s, reset {}/s    buffers {}",
        now.metric("tcp_live_connections"),
        now.metric("tcp_half_open_connections"),
        now.metric("tcp_time_wait_connections"),
        a_second("tcp_active_opens_total") + a_second("tcp_passive_opens_total"),
        a_second("tcp_retransmissions_total"),
        a_second("tcp_resets_sent_total") + a_second("tcp_resets_received_total"),
        bytes_for_people(now.metric("buffer_bytes")),
    ));
    if now.metrics.contains_key("http_requests_total") {
        lines.push(format!(
            "http {} requests/s, {} connections open, {} of them idle",
            a_second("http_requests_total"),
            now.metric("http_open_connections"),
            now.metric("http_idle_connections"),
        ));
    }
    lines
}

/// Bytes received and acknowledged since `before`. Of one that was not there then it is not known when they came,
/// unless all of it is new.
fn carried(before: Option<&SocketReport>, now: &SocketReport) -> (u64, u64) {
    let totals = |socket: &SocketReport| {
        socket.tcp.as_deref().map_or((0, 0), |tcp| (tcp.bytes_received, tcp.bytes_acked))
    };
    let Some(before) = before else { return (0, 0) };
    let (then, now) = (totals(before), totals(now));
    (now.0.saturating_sub(then.0), now.1.saturating_sub(then.1))
}

/// A second's share.
fn rate(count: u64, elapsed: Duration) -> u64 {
    if elapsed.is_zero() { 0 } else { (count as f64 / elapsed.as_secs_f64()).round() as u64 }
}

fn columns(columns: [String; 9]) -> String {
    let [state, local, peer, received, sent, rtt, cwnd, unacked, retransmitted] = columns;
    plain(&format!(
        "{state:<12} {local:<22} {peer:<22} {received:>11} {sent:>11} {rtt:>8} {cwnd:>9} {unacked:>9} {retransmitted:>7}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::TcpReport;

    fn socket(id: u64, received: u64, acked: u64) -> SocketReport {
        let tcp = TcpReport { bytes_received: received, bytes_acked: acked, ..TcpReport::default() };
        SocketReport {
            id: Some(id),
            state: "ESTABLISHED".into(),
            local: format!("10.9.0.2:{id}"),
            tcp: Some(Box::new(tcp)),
            ..SocketReport::default()
        }
    }

    fn sample(seconds: u64, metrics: &str, sockets: Vec<SocketReport>) -> Sample {
        let mut sample = Sample::new(Instant::from_secs(seconds));
        sample.take_metrics(metrics);
        sockets.into_iter().for_each(|socket| sample.take_socket(socket));
        sample
    }

    #[test]
    fn the_busiest_come_first() {
        let before = sample(1, "", vec![socket(1, 0, 0), socket(2, 500, 0), socket(3, 0, 0)]);
        let now =
            sample(3, "", vec![socket(1, 2_000, 0), socket(2, 500, 8_000), socket(3, 0, 0), socket(4, 9, 9)]);
        let frame = Frame::between(&before, &now);
        let rates: Vec<_> =
            frame.rows.iter().map(|row| (row.socket.id.unwrap(), row.received, row.sent)).collect();
        assert_eq!(rates, [(2, 0, 4_000), (1, 1_000, 0), (3, 0, 0), (4, 0, 0)]);
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let many = || (0..50).map(|id| socket(id, id, 0)).collect();
        let frame = Frame::between(&sample(0, "", many()), &sample(1, "", many()));
        let lines = frame.lines(20, 80);
        assert_eq!(lines.len(), 20);
        assert_eq!(lines[19], "and 35 more");
        assert!(frame.lines(2, 80).len() <= 5, "however small the terminal is");
    }

    #[test]
    fn the_heading_has_rates_of_counters_and_values_of_gauges() {
        let text = |requests: u64, packets: u64| {
            format!(
                "# HELP x y\nlongwire_http_requests_total {requests}\nlongwire_device_received_packets_total {packets}\n\
                 longwire_tcp_live_connections 7\nlongwire_http_reasons_total{{reason=\"x\"}} 3\n"
            )
        };
        let frame =
            Frame::between(&sample(0, &text(10, 0), Vec::new()), &sample(2, &text(30, 100), Vec::new()));
        let heading = frame.lines(24, 80).join("\n");
        for words in ["http 10 requests/s", "0bit/s, 50 packets/s", "tcp 7 live", "no connection has carried"]
        {
            assert!(heading.contains(words), "{words}: {heading}");
        }
    }
}
