//! The offload device: super-packets of up to 64 KiB cross the interface in one call, and the kernel does what a network
//! card with TCP segmentation offload would.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use nix::errno::Errno;

use super::cut::{MAX_PACKET, Shape, UDP_CHECKSUM};
use super::descriptor::Descriptor;
use super::interface::TunDevice;
use super::virtio::{self, VirtioHeader};
use super::{CounterVisitor, Cut, Device, DeviceError, WireDevice, system};
use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{OutPacket, PacketMeta, SendOutcome, TcpHeader};

#[cfg(test)]
mod tests;

/// Slices that one call takes: the virtio-net header, the packet's own, and more of payload than the stack lends.
const MAX_SLICES: usize = 64;

/// Bytes up to which a packet is written in one piece. Copying so little costs less than the kernel's walk over slices.
const SMALL: usize = 512;

/// A TUN interface with a virtio-net header in front of each packet, and TCP segmentation offload both ways. Made by
/// [`OpenTun::configure`](super::OpenTun::configure).
///
/// Packets are written as they are: the kernel sums and cuts them, where that is still needed at all. Should it refuse
/// super-packets after all, the device says so in the log, and cuts them itself from then on.
pub struct Offload {
    /// The way of what has to be finished here.
    cut: Cut<VirtioTun>,
    /// The kernel has not refused a super-packet.
    whole: bool,
    received_super_packets: u64,
    sent_super_packets: u64,
    unusable: u64,
    /// Where a small packet is put together.
    small: Vec<u8>,
    /// Held by each queue of the interface.
    queues: Arc<()>,
}

impl Offload {
    /// The interface's name.
    pub fn name(&self) -> &str {
        self.cut.wire().descriptor.name()
    }

    /// Lets go of what the queues of the interface share. Whether no other one holds it any more: of several that go at
    /// once exactly one is told so.
    fn leave(&mut self) -> bool {
        Arc::into_inner(std::mem::take(&mut self.queues)).is_some()
    }

    /// Writes a packet as it is.
    fn send_whole(&mut self, now: Instant, packet: &OutPacket<'_>, shape: Shape) -> SendOutcome {
        let is_cut = shape.packets > 1;
        let virtio = VirtioHeader::for_packet(packet, is_cut).emit();
        if !is_cut && packet.header.len() + shape.payload <= SMALL {
            return self.send_small(&virtio, packet);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        slices[0] = IoSlice::new(&virtio);
        slices[1] = IoSlice::new(packet.header);
        for (place, slice) in slices[2..].iter_mut().zip(packet.payload) {
            *place = IoSlice::new(slice);
        }
        let slices = &slices[..2 + packet.payload.len()];
        let descriptor = &mut self.cut.wire_mut().descriptor;
        let len = packet.header.len() + shape.payload;
        match descriptor.send(len, |file| file.write_vectored(slices)) {
            Ok(outcome) => {
                self.sent_super_packets += u64::from(is_cut && outcome == SendOutcome::Sent);
                outcome
            }
            Err(error) if is_cut && error.raw_os_error() == Some(Errno::EINVAL as i32) => {
                log::warn!(
                    "{}: the kernel refuses super-packets: they are cut here from now on",
                    self.name()
                );
                self.whole = false;
                self.cut.send(now, packet)
            }
            Err(error) => descriptor.refused(&error),
        }
    }

    /// Writes a packet of a few bytes, which is no super-packet.
    fn send_small(&mut self, virtio: &[u8; virtio::LEN], packet: &OutPacket<'_>) -> SendOutcome {
        let Offload { cut, small, .. } = self;
        small.clear();
        small.extend_from_slice(virtio);
        small.extend_from_slice(packet.header);
        packet.payload.iter().for_each(|slice| small.extend_from_slice(slice));
        let descriptor = &mut cut.wire_mut().descriptor;
        let sent = descriptor.send(small.len() - virtio::LEN, |file| file.write(small));
        sent.unwrap_or_else(|error| descriptor.refused(&error))
    }

    /// Whether the kernel is to finish a packet: to sum it, and to cut it if it is longer than a segment.
    fn is_for_kernel(&self, packet: &OutPacket<'_>, shape: Shape) -> bool {
        let is_cut = shape.packets > 1;
        // Whoever reads ICMP from a raw socket gets the checksum as it was written; ping(8) complains.
        matches!(packet.checksum, TcpHeader::CHECKSUM_OFFSET | UDP_CHECKSUM)
            && packet.payload.len() <= MAX_SLICES - 2
            && packet.header.len() + shape.payload <= MAX_PACKET
            && (self.whole || !is_cut)
    }
}

impl Drop for Offload {
    /// A persistent interface keeps what it was told, and whoever opens it next need not know of super-packets. It was told
    /// for all of its queues, so the last one takes it back.
    fn drop(&mut self) {
        if !self.leave() {
            return;
        }
        let descriptor = &self.cut.wire().descriptor;
        if let Err(error) = system::withdraw_offloads(descriptor.fd()) {
            log::debug!("{}: offloads not withdrawn: {error}", descriptor.name());
        }
    }
}

impl TunDevice for Offload {
    fn attach(interface: &str) -> Result<File, DeviceError> {
        system::open_offload_tun(interface, false)
            .map_err(|error| DeviceError::from_open_offload(interface, error))
    }

    fn attach_queue(interface: &str) -> Result<File, DeviceError> {
        system::open_offload_tun(interface, true)
            .map_err(|error| DeviceError::from_open_offload(interface, error))
    }

    fn over(file: File, name: String, mtu: usize) -> Self {
        let wire = VirtioTun { descriptor: Descriptor::new(file, name, mtu) };
        Offload {
            cut: Cut::new(wire),
            whole: true,
            received_super_packets: 0,
            sent_super_packets: 0,
            unusable: 0,
            small: Vec::with_capacity(virtio::LEN + SMALL),
            queues: Arc::default(),
        }
    }

    fn over_queues(files: Vec<File>, name: &str, mtu: usize) -> Vec<Self> {
        let queues = Arc::default();
        let device = |file| {
            let mut device = Offload::over(file, name.to_owned(), mtu);
            device.queues = Arc::clone(&queues);
            device
        };
        files.into_iter().map(device).collect()
    }
}

impl Device for Offload {
    fn mtu(&self) -> usize {
        self.cut.mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        loop {
            let header = match self.cut.wire_mut().read(packet) {
                // The kernel has dropped a packet for which the header has no form.
                Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => None,
                result => result?,
            };
            match header.and_then(|header| Some((header, header.segments()?))) {
                Some((header, gso_size)) => {
                    self.received_super_packets += u64::from(gso_size > 0);
                    return Ok(PacketMeta { received_at: now, checksum: header.checksum(), gso_size });
                }
                None => self.unusable += 1,
            }
        }
    }

    fn send(&mut self, now: Instant, packet: &OutPacket<'_>) -> SendOutcome {
        if !self.cut.send_pending(now) {
            return SendOutcome::Full;
        }
        match Shape::of(packet, self.mtu()) {
            Ok(shape) if self.is_for_kernel(packet, shape) => self.send_whole(now, packet, shape),
            Ok(_) => self.cut.send(now, packet),
            Err(error) => self.cut.reject(packet, error),
        }
    }

    fn flush(&mut self, now: Instant) {
        self.cut.flush(now);
    }

    fn holds_back(&self) -> bool {
        self.cut.holds_back()
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        self.cut.counters(visit);
        let received = self.received_super_packets;
        visit("device_received_super_packets", "Packets read that were merged from several", received);
        let sent = self.sent_super_packets;
        visit("device_sent_super_packets", "Packets written that are longer than one segment", sent);
        visit(
            "device_unusable_packets",
            "Packets read that were merged in a form not asked for",
            self.unusable,
        );
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.cut.wire().descriptor.fd())
    }
}

/// The interface for finished packets, with a header in front of each that says so.
struct VirtioTun {
    descriptor: Descriptor,
}

impl VirtioTun {
    /// Reads a packet and the header in front of it; `None` if there was no whole header.
    fn read(&mut self, packet: &mut Chunk) -> io::Result<Option<VirtioHeader>> {
        packet.clear();
        if packet.spare().len() < virtio::LEN + MAX_PACKET {
            return self.read_apart(packet);
        }
        // One buffer costs the kernel less than two, and a pool's largest chunk has room for both.
        let len = self.descriptor.receive(virtio::LEN, |file| file.read(packet.spare()))?;
        packet.commit(len);
        let Some(header) = packet.first_chunk().map(VirtioHeader::parse) else {
            packet.clear();
            return Ok(None);
        };
        packet.advance(virtio::LEN);
        Ok(Some(header))
    }

    /// The same for a buffer without room for the header in front of the longest packet.
    fn read_apart(&mut self, packet: &mut Chunk) -> io::Result<Option<VirtioHeader>> {
        let mut header = [0; virtio::LEN];
        let len = self.descriptor.receive(virtio::LEN, |file| {
            file.read_vectored(&mut [IoSliceMut::new(&mut header), IoSliceMut::new(packet.spare())])
        })?;
        let Some(len) = len.checked_sub(virtio::LEN) else { return Ok(None) };
        packet.commit(len);
        Ok(Some(VirtioHeader::parse(&header)))
    }
}

impl WireDevice for VirtioTun {
    fn mtu(&self) -> usize {
        self.descriptor.mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        let header = self.read(packet)?.unwrap_or_default();
        let gso_size = header.segments().unwrap_or(0);
        Ok(PacketMeta { received_at: now, checksum: header.checksum(), gso_size })
    }

    fn transmit(&mut self, _now: Instant, packet: &[u8]) -> SendOutcome {
        let header = VirtioHeader::default().emit();
        let slices = [IoSlice::new(&header), IoSlice::new(packet)];
        let sent = self.descriptor.send(packet.len(), |file| file.write_vectored(&slices));
        sent.unwrap_or_else(|error| self.descriptor.refused(&error))
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        self.descriptor.counters(visit);
    }
}
