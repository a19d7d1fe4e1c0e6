//! The application's calls (RFC 9293 3.9.1, 3.10.2–3.10.6).

use super::active::{Outgoing, Tail};
use super::connection::{Connection, Pending};
use super::news::News;
use super::{Context, Error, SendFlags, SocketOptions, State, right_sizing};
use crate::buffer::{Chunk, Pool};

impl Connection {
    /// Moves received bytes into `buffer` and says how many; `Ok(0)` is the end of the stream (or an empty buffer).
    ///
    /// # Errors
    /// `WouldBlock` with nothing to read; once everything is read, the error that ended the connection.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let incoming = self.active.incoming_mut();
        let count = incoming.map_or(0, |incoming| incoming.queue.read(buffer));
        if count == 0 {
            return self.nothing_to_read().map(|()| 0);
        }
        self.after_read();
        Ok(count)
    }

    /// Like [`read`](Self::read), leaving the bytes where they are.
    ///
    /// # Errors
    /// As `read`.
    pub fn peek(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let count = self.active.incoming.as_ref().map_or(0, |incoming| incoming.queue.peek(buffer));
        if count == 0 && !buffer.is_empty() {
            return self.nothing_to_read().map(|()| 0);
        }
        Ok(count)
    }

    /// Takes the oldest received chunk without copying it; `Ok(None)` is the end of the stream.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_chunk(&mut self) -> Result<Option<Chunk>, Error> {
        let Some(chunk) = self.active.incoming_mut().and_then(|incoming| incoming.queue.pop()) else {
            return self.nothing_to_read().map(|()| None);
        };
        self.after_read();
        Ok(Some(chunk))
    }

    /// End of stream, an error, or just nothing yet.
    fn nothing_to_read(&self) -> Result<(), Error> {
        match (self.state, self.error) {
            (_, Some(error)) => Err(error),
            _ if self.read_shut => Ok(()),
            (State::Closed | State::CloseWait | State::Closing | State::LastAck | State::TimeWait, None) => {
                Ok(())
            }
            _ => Err(Error::WouldBlock),
        }
    }

    /// Reading has freed memory: the peer hears of it if that is worth a segment.
    fn after_read(&mut self) {
        if self.state.can_receive() && self.window.update_is_due(&self.reception()) {
            self.pending.add(Pending::ACK);
        }
        self.release_memory();
    }

    /// Takes as many of `bytes` as there is room for and says how many.
    ///
    /// # Errors
    /// `WouldBlock` without room or before the connection stands; `BrokenPipe` after the direction was closed; the
    /// error that ended the connection.
    pub fn write(&mut self, pool: &Pool, bytes: &[u8]) -> Result<usize, Error> {
        self.write_with(pool, bytes, SendFlags::default())
    }

    /// Like [`write`](Self::write), and says what kind of write it is. If not all bytes are taken, their end is not
    /// reached, and the flags have no effect.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_with(&mut self, pool: &Pool, bytes: &[u8], flags: SendFlags) -> Result<usize, Error> {
        let room = self.check_writable()?;
        let count = bytes.len().min(room);
        if count > 0 {
            let flags = if count == bytes.len() { flags } else { SendFlags::default() };
            self.note_write(count, flags).queue.write(pool, &bytes[..count]);
        }
        Ok(count)
    }

    /// Takes down what is said of the `count` bytes that are to be put into the queue, which it returns.
    fn note_write(&mut self, count: usize, flags: SendFlags) -> &mut Outgoing {
        self.note_application_limit();
        let end = self.snd_una + self.queued() as u32 + count as u32;
        let outgoing = self.active.outgoing.get_or_insert_default();
        if flags.end_of_record {
            outgoing.records.end_at(end);
        }
        outgoing.tail = Tail { more: flags.more, held: flags.more, pushed: false };
        outgoing
    }

    /// What was written goes out now, as far as the windows allow, whatever else would make it wait: Nagle's algorithm,
    /// a cork, an announcement of more (RFC 9293 3.9.1, PUSH).
    pub fn push(&mut self) {
        if let Some(outgoing) = self.active.outgoing_mut() {
            outgoing.tail.pushed = true;
        }
    }

    /// Takes an owned chunk without copying it, whole or not at all.
    ///
    /// # Errors
    /// As [`write`](Self::write), with the chunk given back. One that is larger than the room is taken if the queue
    /// is empty, since it would never fit.
    pub fn write_chunk(&mut self, pool: &Pool, chunk: Chunk) -> Result<(), (Error, Chunk)> {
        self.write_chunk_with(pool, chunk, SendFlags::default())
    }

    /// Like [`write_chunk`](Self::write_chunk), and says what kind of write it is.
    ///
    /// # Errors
    /// As `write_chunk`.
    pub fn write_chunk_with(
        &mut self,
        pool: &Pool,
        chunk: Chunk,
        flags: SendFlags,
    ) -> Result<(), (Error, Chunk)> {
        match self.check_writable() {
            Err(error) => Err((error, chunk)),
            Ok(room) if chunk.len() > room && self.queued() > 0 => {
                self.write_blocked = true;
                Err((Error::WouldBlock, chunk))
            }
            Ok(_) if chunk.is_empty() => Ok(()),
            Ok(_) => {
                let count = chunk.len();
                self.note_write(count, flags).queue.push(pool, chunk);
                Ok(())
            }
        }
    }

    fn check_writable(&mut self) -> Result<usize, Error> {
        match (self.state, self.error) {
            (_, Some(error)) => return Err(error),
            _ if self.fin_queued => return Err(Error::BrokenPipe),
            (State::Established | State::CloseWait, None) => {}
            (State::SynSent | State::SynReceived, None) => {
                self.write_blocked = true;
                return Err(Error::WouldBlock);
            }
            _ => return Err(Error::BrokenPipe),
        }
        let room = self.send_room();
        if room == 0 {
            self.write_blocked = true;
            return Err(Error::WouldBlock);
        }
        Ok(room)
    }

    /// Makes an open connection with unacknowledged data wait for its acknowledgment before the next
    /// [`write`](Self::write): an event comes then. Whether it is such a one.
    pub fn block_write(&mut self) -> bool {
        let waits = self.state.can_send() && self.queued() > 0;
        self.write_blocked |= waits;
        waits
    }

    /// Somebody asks whether there is room to [`write`](Self::write): without any, an event comes once there is. A write
    /// that took less than it was given has told nobody to wait, and may have taken the last of the room. (That the
    /// handshake is complete is an event in any case.)
    pub fn expect_room(&mut self) {
        self.write_blocked |= self.state.is_synchronised() && !self.is_writable();
    }

    /// Bytes that [`write`](Self::write) would take now, were the connection open.
    pub fn send_room(&self) -> usize {
        let room = self.send_buffer().saturating_sub(self.queued());
        self.options.notsent_lowat.map_or(room, |lowat| room.min(self.room_below(lowat)))
    }

    /// Bytes that may be written until `lowat` of them cannot be sent yet, or somewhat more: no less than a
    /// super-packet is worth waiting for.
    fn room_below(&self, lowat: usize) -> usize {
        let (mss, unsent) = (u32::from(self.snd_mss), self.unsent() as usize);
        if unsent >= lowat.max(1) {
            return 0;
        }
        let now = self.cwnd_room().min(self.window_room()) / mss * mss;
        let waiting = lowat.checked_next_multiple_of(self.largest_burst() as usize).unwrap_or(usize::MAX);
        waiting.saturating_add(now as usize).saturating_sub(unsent)
    }

    /// Whether there is so much room that it is worth a wake-up.
    pub(super) fn has_worthwhile_room(&self) -> bool {
        self.state.is_synchronised()
            && self.waits_little()
            && self.send_buffer().saturating_sub(self.queued()) >= self.send_buffer() / 3
    }

    /// Whether so little waits to be sent that more may be written.
    fn waits_little(&self) -> bool {
        self.options.notsent_lowat.is_none_or(|lowat| 2 * (self.unsent() as usize) < lowat.max(1))
    }

    /// Bytes that may be written and unacknowledged.
    pub(super) fn send_buffer(&self) -> usize {
        let SocketOptions { first_send_buffer, send_buffer, .. } = *self.options;
        right_sizing::send_buffer(self.congestion.cwnd(), first_send_buffer, send_buffer)
    }

    /// Whether [`read`](Self::read) would not block.
    pub fn is_readable(&self) -> bool {
        let holds = self.active.incoming.as_ref().is_some_and(|incoming| !incoming.queue.is_empty());
        holds || self.nothing_to_read() != Err(Error::WouldBlock)
    }

    /// Whether [`write`](Self::write) would not block.
    pub fn is_writable(&self) -> bool {
        match self.state {
            State::SynSent | State::SynReceived => false,
            state => !state.can_send() || (self.send_room() > 0 && self.waits_little()),
        }
    }

    /// Closes our direction: a FIN follows what was written (RFC 9293 3.10.4). Again has no effect.
    ///
    /// # Errors
    /// `NotConnected` before the handshake is complete, or once the connection has ended.
    pub fn shutdown_write(&mut self) -> Result<(), Error> {
        match self.state {
            State::SynSent | State::SynReceived => Err(Error::NotConnected),
            State::Closed => Err(self.error.unwrap_or(Error::NotConnected)),
            _ => {
                self.queue_fin();
                // Who waits for room learns that there will be none.
                if std::mem::take(&mut self.write_blocked) {
                    self.news.add(News::WRITABLE);
                }
                Ok(())
            }
        }
    }

    /// `read` gives the end of the stream from now on instead of waiting. TCP has no way to tell the peer (RFC 9293
    /// 3.9.1 closes only our own direction): what it sends all the same is acknowledged, and can be read, as on Linux.
    ///
    /// # Errors
    /// `NotConnected` before the handshake is complete.
    pub fn shutdown_read(&mut self) -> Result<(), Error> {
        if matches!(self.state, State::SynSent | State::SynReceived) {
            return Err(Error::NotConnected);
        }
        self.read_shut = true;
        self.news.add(News::READABLE);
        Ok(())
    }

    /// The application lets the connection go. What was written still goes out, and both sides close in order; but
    /// with data that nobody will read, the peer gets a reset, so that it knows (RFC 2525 2.17).
    pub fn close(&mut self, cx: &mut Context<'_>) {
        self.orphan = true;
        let unread = self.active.incoming.as_ref().is_some_and(|incoming| !incoming.queue.is_empty());
        if let Some(active) = self.active.existing() {
            active.incoming = None;
        }
        match self.state {
            State::SynSent => self.end(None),
            State::Closed | State::TimeWait => {}
            _ if unread => self.fail_with_reset(cx, Error::ConnectionAborted),
            _ => self.queue_fin(),
        }
        self.limit_fin_wait_2(cx);
    }

    /// Ends the connection at once (RFC 9293 3.10.5): a reset goes out at the next
    /// [`poll_transmit`](Self::poll_transmit), and `error` is what reads and writes give from now on.
    pub fn abort(&mut self, error: Error) {
        if matches!(self.state, State::Closed | State::TimeWait) {
            return;
        }
        let tell = self.state != State::SynSent;
        self.end(Some(error));
        if tell {
            self.pending.add(Pending::RESET);
        }
    }

    /// An ICMP error about this connection. It ends an attempt to connect, and is soft otherwise: anyone can forge
    /// one (RFC 5927 5.2; RFC 9293 3.9.2.2).
    pub fn handle_unreachable(&mut self, cx: &mut Context<'_>, error: Error) {
        if self.state == State::SynSent {
            let fast = self.active.fast_open.is_some();
            self.fail(cx, error);
            if fast {
                self.report_fast_open(None, true); // RFC 7413 4.1.3.1
            }
        }
    }

    fn queue_fin(&mut self) {
        self.fin_queued = true;
        match self.state {
            State::Established => self.state = State::FinWait1,
            State::CloseWait => self.state = State::LastAck,
            _ => {}
        }
    }

    /// The peer's direction may stay open for ever, but not for nobody.
    pub(super) fn limit_fin_wait_2(&mut self, cx: &Context<'_>) {
        if self.orphan && self.state == State::FinWait2 {
            self.active.timers.linger.set(cx.now + cx.config.fin_wait_2_timeout);
        }
    }
}
