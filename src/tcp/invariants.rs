//! What always holds of a control block.

use super::State;
use super::connection::Connection;

impl Connection {
    /// `Err` says which invariant of the control block is violated. For tests and the simulator.
    pub fn check_invariants(&self) -> Result<(), String> {
        if self.snd_nxt.lt(self.snd_una) {
            return Err(format!("SND.NXT {:?} before SND.UNA {:?}", self.snd_nxt, self.snd_una));
        }
        if self.state == State::Closed {
            return Ok(());
        }
        if let Some(outgoing) = self.active.outgoing.as_ref()
            && self.state.is_synchronised()
        {
            outgoing.log.check(self.snd_una, self.snd_nxt)?;
            let under_way =
                (self.in_flight() - u32::from(self.fin_sent && !self.fin_acknowledged())) as usize;
            if under_way > outgoing.queue.len() {
                return Err(format!("{under_way} bytes under way, {} queued", outgoing.queue.len()));
            }
        } else if self.state.is_synchronised() && self.in_flight() > 0 {
            return Err(format!("{} octets in flight and nothing to send them again from", self.in_flight()));
        }
        if self.state.is_synchronised() && self.in_flight() > 0 && !self.active.timers.retransmit.is_set() {
            return Err("data in flight without a timer".into());
        }
        if let Some(incoming) = &self.active.incoming {
            incoming.reassembly.check(self.rcv_nxt)?;
            let most = 2 * self.options.receive_buffer + 2 * 66 * 1024;
            if incoming.queue.pinned() + incoming.reassembly.pinned() > most {
                return Err(format!("{} bytes pinned for reading", incoming.queue.pinned()));
            }
        }
        Ok(())
    }
}
