//! Sockets as lines of text, much as Linux's ss writes them.

use crate::cli::output::plain;
use crate::cli::units::{bits_for_people, micros_for_people, millis_for_people};
use crate::control::{SocketReport, TcpReport};

/// The first line.
pub(super) fn heading() -> String {
    let columns = ["Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Timer"];
    line(columns.map(str::to_owned))
}

/// One socket.
pub(super) fn row(socket: &SocketReport) -> String {
    let timer = socket
        .timer
        .as_ref()
        .map(|timer| format!("timer:({},{},{})", timer.kind, millis_for_people(timer.in_ms), timer.tries));
    line([
        socket.protocol.clone(),
        socket.state.clone(),
        socket.receive_queue.to_string(),
        socket.send_queue.to_string(),
        socket.local.clone(),
        socket.remote.clone().unwrap_or_else(|| "*:*".to_owned()),
        timer.unwrap_or_default(),
    ])
}

/// What `-i` adds to a connection.
pub(super) fn details(tcp: &TcpReport) -> String {
    let mut words = vec![tcp.congestion.clone()];
    let flags = [(tcp.timestamps, "ts"), (tcp.sack, "sack"), (tcp.ecn, "ecn")];
    words.extend(flags.iter().filter(|(used, _)| *used).map(|(_, name)| (*name).to_owned()));
    if let Some((ours, theirs)) = tcp.window_scale {
        words.push(format!("wscale:{theirs},{ours}"));
    }
    words.push(format!("rto:{}", micros_for_people(tcp.rto_us)));
    words.push(match tcp.srtt_us {
        Some(srtt) => format!("rtt:{}/{}", micros_for_people(srtt), micros_for_people(tcp.rttvar_us)),
        None => "rtt:-".to_owned(),
    });
    words.extend(tcp.min_rtt_us.map(|rtt| format!("minrtt:{}", micros_for_people(rtt))));
    words.push(format!("mss:{} rcvmss:{} advmss:{}", tcp.snd_mss, tcp.rcv_mss, tcp.advertised_mss));
    let threshold = tcp.ssthresh.map_or_else(|| "-".to_owned(), |threshold| threshold.to_string());
    words.push(format!("cwnd:{} ssthresh:{threshold}", tcp.cwnd));
    words.push(format!("snd_wnd:{} rcv_wnd:{}", tcp.snd_wnd, tcp.rcv_wnd));
    words.push(format!("bytes_acked:{} bytes_received:{}", tcp.bytes_acked, tcp.bytes_received));
    words.push(format!("segs_out:{} segs_in:{}", tcp.segments_out, tcp.segments_in));
    words.push(format!("retrans:{} backoff:{}", tcp.retransmissions, tcp.backoff));
    words.push(format!("path:{}", tcp.path));
    let under_way = [("unacked", tcp.in_flight), ("sacked", tcp.sacked), ("lost", tcp.lost)];
    words.extend(
        under_way.iter().filter(|(_, bytes)| *bytes > 0).map(|(name, bytes)| format!("{name}:{bytes}")),
    );
    words.extend(tcp.delivery_rate.map(|rate| format!("delivery_rate:{}", bits_for_people(rate))));
    words.extend(tcp.pacing_rate.map(|rate| format!("pacing_rate:{}", bits_for_people(rate))));
    words.push(format!(
        "lastsnd:{} lastrcv:{}",
        millis_for_people(tcp.last_sent_ms),
        millis_for_people(tcp.last_received_ms)
    ));
    plain(&words.join(" "))
}

fn line(columns: [String; 7]) -> String {
    let [netid, state, receive, send, local, peer, timer] = columns;
    let text = format!("{netid:<5} {state:<12} {receive:>8} {send:>8}  {local:<24} {peer:<24} {timer}");
    plain(text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::TimerReport;

    #[test]
    fn a_row_stands_below_its_heading() {
        let socket = SocketReport {
            protocol: "tcp".into(),
            state: "ESTABLISHED".into(),
            send_queue: 1_448,
            local: "10.9.0.2:80".into(),
            remote: Some("10.9.0.1:40000".into()),
            timer: Some(TimerReport { kind: "rto".into(), in_ms: 1_200, tries: 1 }),
            ..SocketReport::default()
        };
        assert_eq!(
            [heading(), row(&socket)],
            [
                "Netid State          Recv-Q   Send-Q  Local Address:Port       Peer Address:Port        Timer",
                "tcp   ESTABLISHED         0     1448  10.9.0.2:80              10.9.0.1:40000           timer:(rto,1.2s,1)",
            ]
        );
    }

    #[test]
    fn details_leave_out_what_is_not_known() {
        let tcp = TcpReport { congestion: "cubic".into(), path: "open".into(), ..TcpReport::default() };
        let text = details(&tcp);
        assert!(text.starts_with("cubic rto:0us rtt:- mss:0"), "{text}");
        assert!(text.contains(" ssthresh:- ") && !text.contains("rate") && !text.contains("lost"), "{text}");
        let tcp = TcpReport {
            srtt_us: Some(20_500),
            rttvar_us: 900,
            sack: true,
            ecn: true,
            window_scale: Some((8, 7)),
            delivery_rate: Some(1_250_000),
            lost: 1_448,
            ..tcp
        };
        let text = details(&tcp);
        for words in
            ["cubic sack ecn wscale:7,8", "rtt:20.5ms/900us", "lost:1448", "delivery_rate:10.0Mbit/s"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn nobody_writes_to_the_terminal() {
        let socket = SocketReport { state: "\x1b[2J".into(), ..SocketReport::default() };
        assert!(!row(&socket).contains('\x1b'));
    }
}
