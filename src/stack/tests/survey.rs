//! What a survey shows of every kind of socket, and how much of it at a time.

use super::*;
use crate::stack::{ListenOptions, SocketInfo, SocketState, State, SurveyPlace, TimerKind, Transport};

/// Everything there is, looked at in steps of `budget`.
fn survey(stack: &Stack, budget: usize) -> Vec<SocketInfo> {
    let (mut place, mut found) = (SurveyPlace::default(), Vec::new());
    loop {
        let before = found.len();
        let more = stack.survey(&mut place, budget, &mut |info| found.push(info.clone()));
        assert!(found.len() - before <= budget, "more than asked for");
        if !more {
            return found;
        }
    }
}

/// The only one that speaks `transport` and is called `state`.
#[track_caller]
fn only(found: &[SocketInfo], transport: Transport, state: &str) -> SocketInfo {
    let wanted = |info: &&SocketInfo| info.transport == transport && info.state.name() == state;
    let matching: Vec<_> = found.iter().filter(wanted).collect();
    assert_eq!(matching.len(), 1, "{state}: {found:#?}");
    matching[0].clone()
}

#[test]
fn each_kind_is_shown_with_its_ends_queues_and_timer() {
    for (ours, theirs) in FAMILIES {
        let mut host = Host::new();
        let local = at(ours, 80);
        let listener =
            host.stack.listen(local, ListenOptions { backlog: 9, ..ListenOptions::default() }).unwrap();
        let udp = host.stack.udp_bind(at(ours, 53)).unwrap();
        host.stack.udp_connect(udp, at(theirs, 5_353)).unwrap();
        host.stack.udp_bind(at(ours, 54)).unwrap();
        host.stack.icmp_bind(Some(7)).unwrap();
        shake_hands(&mut host, at(theirs, 1_001), local); // stays in the accept queue
        host.receive(&tcp(at(theirs, 1_002), local, header(1, 0, TcpFlags::SYN), b""));
        host.output();
        let opening = host.stack.connect(host.now, at(theirs, 443), None, None).unwrap();
        host.output();

        let found = survey(&host.stack, 100);
        assert_eq!(found.len(), 7, "{found:#?}");
        let listen = only(&found, Transport::Tcp, "LISTEN");
        assert_eq!((listen.id, listen.local, listen.remote), (Some(listener), local, None));
        assert_eq!((listen.receive_queue, listen.send_queue), (1, 9), "waiting, and most that may");
        assert_eq!(only(&found, Transport::Udp, "ESTABLISHED").remote, Some(at(theirs, 5_353)));
        assert_eq!(only(&found, Transport::Udp, "UNCONNECTED").local, at(ours, 54));
        assert_eq!(only(&found, Transport::Icmp, "UNCONNECTED").local.port(), 7);
        let half_open = only(&found, Transport::Tcp, "SYN-RECEIVED");
        assert_eq!((half_open.id, half_open.remote), (None, Some(at(theirs, 1_002))));
        let timer = half_open.timer.unwrap();
        assert_eq!((timer.kind, timer.tries), (TimerKind::SynAck, 0));
        assert!((timer.at - host.now).as_millis().abs_diff(1_000) <= 1, "{timer:?}");
        let opened = only(&found, Transport::Tcp, "SYN-SENT");
        assert_eq!((opened.id, opened.remote), (Some(opening), Some(at(theirs, 443))));
        assert_eq!(opened.timer.unwrap().kind, TimerKind::Retransmit);
        assert!(only(&found, Transport::Tcp, "ESTABLISHED").tcp.is_some());
    }
}

#[test]
fn a_connection_tells_what_it_has_carried_and_how_fast() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (client, server) = pair.connect(listener);
    pair.client.stack.write(client, &[7; 5_000]).unwrap();
    pair.wait(Duration::from_millis(1));
    pair.client.stack.write(client, &[7; 100]).unwrap();
    pair.client.output(); // lost on the wire
    let of = |stack: &Stack, id| survey(stack, 8).into_iter().find(|info| info.id == Some(id)).unwrap();

    let sender = of(&pair.client.stack, client);
    assert_eq!((sender.send_queue, sender.timer.unwrap().kind), (100, TimerKind::Retransmit));
    let info = sender.tcp.unwrap();
    assert_eq!((info.bytes_acked, info.bytes_received, info.in_flight), (5_000, 0, 100));
    assert!(info.segments_out >= 3 && info.segments_in >= 2, "{info:?}");
    let receiver = of(&pair.server.stack, server);
    assert_eq!(receiver.receive_queue, 5_000);
    let info = receiver.tcp.unwrap();
    assert_eq!((info.bytes_acked, info.bytes_received), (0, 5_000));
    assert_eq!(info.delivery_rate, 0, "it has sent no data");
}

#[test]
fn one_in_time_wait_is_shown_once_though_the_application_holds_it() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (client, server) = pair.connect(listener);
    pair.client.stack.shutdown(client, std::net::Shutdown::Write).unwrap();
    pair.exchange();
    pair.server.stack.close(pair.server.now, server).unwrap();
    pair.exchange();
    assert_eq!(pair.client.stack.info(client).unwrap().state, State::TimeWait);
    let found = survey(&pair.client.stack, 8);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].state, SocketState::Connection(State::TimeWait));
    let timer = found[0].timer.unwrap();
    assert_eq!((timer.kind, timer.at - pair.client.now), (TimerKind::TimeWait, Duration::from_secs(60)));
}

#[test]
fn small_steps_show_the_same_as_large_ones_and_skip_what_has_gone() {
    let mut host = Host::new();
    let bound: Vec<_> =
        (0..200).map(|port| host.stack.udp_bind(at("10.0.0.1", 1_000 + port)).unwrap()).collect();
    for id in bound.iter().step_by(2) {
        host.stack.close(host.now, *id).unwrap();
    }
    let ports = |budget| survey(&host.stack, budget).iter().map(|info| info.local.port()).collect::<Vec<_>>();
    let expected: Vec<_> = (0..200).filter(|port| port % 2 == 1).map(|port| 1_000 + port).collect();
    for budget in [1, 7, 64, 1_000] {
        assert_eq!(ports(budget), expected, "in steps of {budget}");
    }
}
