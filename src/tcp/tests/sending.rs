use super::*;

#[test]
fn rfc_6928_the_initial_window_is_ten_segments() {
    let mut rig = Rig::established();
    rig.write(50_000);
    let sent: usize = rig.sent.iter().map(|seen| seen.payload.len()).sum();
    assert_eq!(sent, 10_000);
    assert_eq!(rig.sent[0].gso_size, MSS as u16, "as super-packets");
}

#[test]
fn rfc_5681_3_1_slow_start() {
    let mut rig = Rig::established();
    rig.write(50_000);
    rig.sent.clear();
    rig.advance(ms(20));
    rig.send(ack(1, 10_001), b"");
    let sent: usize = rig.sent.iter().map(|seen| seen.payload.len()).sum();
    assert_eq!(sent, 20_000);
}

#[test]
fn the_peers_window_is_honoured() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 2_500), b"");
    rig.write(10_000);
    let sent: usize = rig.sent.iter().map(|seen| seen.payload.len()).sum();
    assert_eq!(sent, 2_000, "whole segments (RFC 1122 4.2.3.4)");
}

#[test]
fn rfc_9293_3_7_4_nagle_holds_a_small_write_while_data_is_under_way() {
    let mut rig = Rig::established_with(SocketOptions::default(), TcpOptions::default());
    rig.write(10);
    rig.recv_data(1, 10);
    rig.write(10);
    rig.write(10);
    rig.recv_nothing();
    rig.send(ack(1, 11), b"");
    rig.recv_data(11, 20);
}

#[test]
fn nodelay_sends_at_once() {
    let mut rig = Rig::established();
    rig.write(10);
    rig.write(10);
    rig.recv_data(1, 10);
    rig.recv_data(11, 10);
}

#[test]
fn rfc_9293_3_9_1_push_is_set_when_nothing_more_is_queued_and_at_the_end_of_a_burst() {
    let mut rig = Rig::established();
    rig.write(10_000);
    let sent: Vec<_> =
        rig.sent.drain(..).map(|seen| (seen.payload.len(), seen.header.has(TcpFlags::PSH))).collect();
    assert_eq!(sent, [(2_000, true); 5]);

    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 1_000), b"");
    rig.write(1_500);
    assert!(!rig.recv_data(1, 1_000).header.has(TcpFlags::PSH), "a single segment, with more behind it");
    rig.send(ack(1, 1_001), b"");
    assert!(rig.recv_data(1_001, 500).header.has(TcpFlags::PSH));
}

#[test]
fn a_full_buffer_blocks_and_says_when_there_is_room() {
    let options = SocketOptions { send_buffer: 3_000, nodelay: true, ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.write(3_000);
    assert_eq!(rig.with(|connection, cx| connection.write(cx.pool, b"x")), Err(Error::WouldBlock));
    rig.send(ack(1, 501), b"");
    assert!(!rig.connection.take_events().writable, "too little room to be worth it");
    rig.send(ack(1, 1_501), b"");
    assert!(rig.connection.take_events().writable);
}

#[test]
fn writing_after_shutdown_is_a_broken_pipe() {
    let mut rig = Rig::established();
    rig.shutdown();
    assert_eq!(rig.with(|connection, cx| connection.write(cx.pool, b"x")), Err(Error::BrokenPipe));
}

#[test]
fn owned_chunks_are_sent_as_they_are() {
    let mut rig = Rig::established();
    let chunk = Chunk::from(vec![9; 2_000]);
    rig.with(|connection, cx| connection.write_chunk(cx.pool, chunk)).unwrap();
    rig.transmit();
    assert_eq!(rig.recv().payload, vec![9; 2_000]);
}

/// Bursts are a millisecond at the sending rate: two windows of ten segments in the 10 ms of a round trip. That is no
/// less than the configured two, no more than half of either window.
#[test]
fn a_burst_is_a_millisecond_at_the_sending_rate() {
    let mut rig = Rig::established();
    rig.write(50_000);
    assert!(rig.sent.iter().all(|seen| seen.payload.len() == 2_000), "{:?}", rig.sent);
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(ack(1, 10_001), b"");
    assert!(rig.sent.iter().all(|seen| seen.payload.len() == 4_000), "{:?}", rig.sent);

    let config = Config { congestion: Algorithm::NewReno, ..config() };
    let mut rig = Rig::connecting_with(SocketOptions { min_burst: 9, ..SocketOptions::default() }, config);
    rig.advance(ms(10));
    let mut syn_ack = segment(0, 1, SYN | ACK);
    syn_ack.options.mss = Some(MSS as u16);
    rig.send(syn_ack, b"");
    rig.sent.clear();
    rig.write(10_000);
    assert_eq!(rig.recv().payload.len(), 5_000, "half of the congestion window");
    rig.send(window(ack(1, 10_001), 6_000), b"");
    rig.connection.max_snd_wnd = 6_000;
    rig.sent.clear();
    rig.write(6_000);
    assert_eq!(rig.recv().payload.len(), 3_000, "half of the peer's window");
}

#[test]
fn rfc_5681_4_1_restart_after_idle() {
    let mut rig = Rig::established();
    rig.write(10_000);
    for i in 1..=10 {
        rig.send(ack(1, 1 + i * 1_000), b"");
    }
    rig.write(20_000);
    rig.send(ack(1, 20_001), b"");
    rig.send(ack(1, 30_001), b"");
    let grown = rig.connection.info(rig.now, &rig.config).cwnd;
    assert!(grown > 10_000, "{grown}");
    rig.advance(Duration::from_secs(10));
    rig.sent.clear();
    rig.write(50_000);
    let sent: usize = rig.sent.iter().map(|seen| seen.payload.len()).sum();
    assert_eq!(sent, 10_000);
}

#[test]
fn an_idle_connection_holds_no_buffers() {
    let mut rig = Rig::established();
    rig.write(10_000);
    rig.send(ack(1, 10_001), b"abc");
    rig.read().unwrap();
    assert!(rig.connection.active.outgoing.is_none() && rig.connection.active.incoming.is_none());
}

/// What an idle connection costs beside its place in the stack's tables: what has to outlive the data under way is
/// inline, and has to stay little.
#[test]
fn a_control_block_is_small() {
    assert!(size_of::<Connection>() <= 216, "{} bytes", size_of::<Connection>());
}
