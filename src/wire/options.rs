//! TCP options (RFC 9293 3.1; RFC 7323; RFC 2018; RFC 7413).
//!
//! Walked by our own iterator: unknown kinds are skipped by their length, where a general parser would stop.

use super::{FastOpenCookie, SeqNumber, WireError};

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const FAST_OPEN: u8 = 34;

/// The most a TCP header has room for.
pub(super) const MAX_LEN: usize = 40;

/// TSval and TSecr (RFC 7323 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// The sender's clock.
    pub value: u32,
    /// The clock value being echoed.
    pub echo: u32,
}

/// Up to four ranges that the receiver holds beyond the acknowledgment (RFC 2018 3), each `[left, right)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SackBlocks {
    blocks: [(SeqNumber, SeqNumber); 4],
    len: u8,
}

impl SackBlocks {
    /// Adds a block; a fifth is ignored, as the header has no room for it.
    pub fn push(&mut self, left: SeqNumber, right: SeqNumber) {
        if let Some(slot) = self.blocks.get_mut(usize::from(self.len)) {
            *slot = (left, right);
            self.len += 1;
        }
    }

    /// Drops what is behind the first `len` blocks.
    pub fn truncate(&mut self, len: usize) {
        // What is dropped counts in no comparison.
        self.blocks.iter_mut().skip(len).for_each(|block| *block = Default::default());
        self.len = self.len.min(u8::try_from(len).unwrap_or(u8::MAX));
    }

    /// The blocks, in the order they stand in the header.
    pub fn as_slice(&self) -> &[(SeqNumber, SeqNumber)] {
        &self.blocks[..usize::from(self.len)]
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The options of one segment that this stack knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TcpOptions {
    /// Maximum segment size (RFC 9293 3.7.1).
    pub mss: Option<u16>,
    /// Window scale shift (RFC 7323 2.2), as it was on the wire.
    pub window_scale: Option<u8>,
    /// SACK-permitted (RFC 2018 2).
    pub sack_permitted: bool,
    /// Timestamps (RFC 7323 3.2).
    pub timestamps: Option<Timestamps>,
    /// SACK blocks (RFC 2018 3).
    pub sack: SackBlocks,
    /// TCP Fast Open (RFC 7413 4.1.1): a cookie, or the request for one. Means something on SYNs only.
    pub fast_open: Option<FastOpenCookie>,
}

impl TcpOptions {
    /// Reads the options part of a header.
    ///
    /// # Errors
    /// [`WireError::Options`] if a length is 0 or 1, or goes past the end. An option of a known kind with a length
    /// that its kind does not have is skipped like an unknown one.
    pub fn parse(mut bytes: &[u8]) -> Result<TcpOptions, WireError> {
        let mut options = TcpOptions::default();
        while let [kind, rest @ ..] = bytes {
            match *kind {
                END => break,
                NOP => bytes = rest,
                kind => {
                    let len = usize::from(*rest.first().ok_or(WireError::Options)?);
                    if len < 2 {
                        return Err(WireError::Options);
                    }
                    options.take(kind, bytes.get(2..len).ok_or(WireError::Options)?);
                    bytes = &bytes[len..];
                }
            }
        }
        Ok(options)
    }

    fn take(&mut self, kind: u8, data: &[u8]) {
        match (kind, data) {
            (MSS, &[a, b]) => self.mss = Some(u16::from_be_bytes([a, b])),
            (WINDOW_SCALE, &[shift]) => self.window_scale = Some(shift),
            (SACK_PERMITTED, []) => self.sack_permitted = true,
            (TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => {
                let (value, echo) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
                self.timestamps = Some(Timestamps { value, echo });
            }
            (FAST_OPEN, cookie) => self.fast_open = FastOpenCookie::new(cookie),
            (SACK, edges) if edges.len().is_multiple_of(8) => {
                for &[a, b, c, d, e, f, g, h] in edges.as_chunks::<8>().0 {
                    let left = SeqNumber(u32::from_be_bytes([a, b, c, d]));
                    let right = SeqNumber(u32::from_be_bytes([e, f, g, h]));
                    self.sack.push(left, right);
                }
            }
            _ => {}
        }
    }

    /// Bytes the options take in a header, padding included.
    pub fn wire_len(&self) -> usize {
        self.emit(&mut [0; MAX_LEN])
    }

    /// Writes the options in the order that Linux has made customary (`mss,sackOK,TS,nop,wscale,FO` on a SYN) and
    /// returns their length, a multiple of four. SACK blocks that do not fit are left out.
    pub(super) fn emit(&self, out: &mut [u8; MAX_LEN]) -> usize {
        let mut writer = Writer { out, len: 0 };
        if let Some(mss) = self.mss {
            writer.put(&[MSS, 4]);
            writer.put(&mss.to_be_bytes());
        }
        match (self.sack_permitted, self.timestamps) {
            (true, Some(_)) => writer.put(&[SACK_PERMITTED, 2]),
            (true, None) => writer.put(&[NOP, NOP, SACK_PERMITTED, 2]),
            (false, Some(_)) => writer.put(&[NOP, NOP]),
            (false, None) => {}
        }
        if let Some(timestamps) = self.timestamps {
            writer.put(&[TIMESTAMPS, 10]);
            writer.put(&timestamps.value.to_be_bytes());
            writer.put(&timestamps.echo.to_be_bytes());
        }
        if let Some(shift) = self.window_scale {
            writer.put(&[NOP, WINDOW_SCALE, 3, shift]);
        }
        if let Some(cookie) = self.fast_open {
            writer.put(&[FAST_OPEN, 2 + cookie.as_slice().len() as u8]);
            writer.put(cookie.as_slice());
            writer.pad();
        }
        writer.put_sack(&self.sack);
        writer.len
    }
}

/// Appends to a fixed area; what would not fit is a bug of ours that a test would find, so it is left out quietly.
struct Writer<'a> {
    out: &'a mut [u8; MAX_LEN],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.out.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn pad(&mut self) {
        while !self.len.is_multiple_of(4) {
            self.put(&[NOP]);
        }
    }

    fn put_sack(&mut self, sack: &SackBlocks) {
        let fitting = (MAX_LEN - self.len).saturating_sub(4) / 8;
        let blocks = &sack.as_slice()[..sack.as_slice().len().min(fitting)];
        if blocks.is_empty() {
            return;
        }
        self.put(&[NOP, NOP, SACK, 2 + 8 * blocks.len() as u8]);
        for (left, right) in blocks {
            self.put(&left.0.to_be_bytes());
            self.put(&right.0.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_were_dropped_make_no_difference() {
        let block = |n| (SeqNumber(n), SeqNumber(n + 1));
        let with = |numbers: &[u32]| {
            let mut blocks = SackBlocks::default();
            numbers.iter().for_each(|&n| blocks.push(block(n).0, block(n).1));
            blocks
        };
        let mut cut = with(&[1, 2, 3]);
        cut.truncate(2);
        assert_eq!(cut, with(&[1, 2]));
        assert_ne!(cut, with(&[1, 3]));
    }

    fn emitted(options: &TcpOptions) -> Vec<u8> {
        let mut out = [0; MAX_LEN];
        let len = options.emit(&mut out);
        out[..len].to_vec()
    }

    #[test]
    fn a_syn_has_linux_order() {
        let options = TcpOptions {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: Some(Timestamps { value: 1, echo: 0 }),
            ..TcpOptions::default()
        };
        let bytes = emitted(&options);
        assert_eq!(bytes, [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]);
        assert_eq!(TcpOptions::parse(&bytes), Ok(options));
    }

    #[test]
    fn without_timestamps_sack_permitted_is_padded() {
        let options = TcpOptions {
            mss: Some(1460),
            window_scale: Some(8),
            sack_permitted: true,
            ..TcpOptions::default()
        };
        assert_eq!(emitted(&options), [2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 8]);
    }

    #[test]
    fn three_sack_blocks_fit_beside_timestamps() {
        let mut options =
            TcpOptions { timestamps: Some(Timestamps { value: 9, echo: 8 }), ..TcpOptions::default() };
        for i in 0..4 {
            options.sack.push(SeqNumber(i * 100), SeqNumber(i * 100 + 50));
        }
        let parsed = TcpOptions::parse(&emitted(&options)).unwrap();
        assert_eq!(parsed.sack.as_slice(), &options.sack.as_slice()[..3]);
        assert_eq!(options.wire_len(), 40);
    }

    #[test]
    fn rfc_7413_4_1_1_a_cookie_and_the_request_for_one_stand_last_and_are_padded() {
        let request = TcpOptions { fast_open: Some(FastOpenCookie::REQUEST), ..TcpOptions::default() };
        assert_eq!(emitted(&request), [34, 2, 1, 1]);
        assert_eq!(TcpOptions::parse(&emitted(&request)), Ok(request));

        let full = TcpOptions {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: Some(Timestamps { value: 1, echo: 0 }),
            fast_open: FastOpenCookie::new(&[9; 16]),
            ..TcpOptions::default()
        };
        let bytes = emitted(&full);
        assert_eq!((bytes.len(), &bytes[20..22], &bytes[38..]), (40, &[34, 18][..], &[1, 1][..]));
        assert_eq!(TcpOptions::parse(&bytes), Ok(full));
    }

    #[test]
    fn rfc_7413_4_1_1_a_cookie_of_a_wrong_length_is_ignored() {
        for bytes in [&[34, 3, 9][..], &[34, 4, 9, 9], &[34, 7, 1, 2, 3, 4, 5]] {
            assert_eq!(TcpOptions::parse(bytes), Ok(TcpOptions::default()), "{bytes:?}");
        }
    }

    #[test]
    fn unknown_kinds_are_skipped() {
        let options = TcpOptions::parse(&[254, 4, 1, 2, 1, 2, 4, 5, 180, 0, 99]).unwrap();
        assert_eq!(options.mss, Some(1460));
    }

    #[test]
    fn lengths_that_lie_are_errors() {
        for bytes in [&[2, 0][..], &[2, 1], &[254], &[254, 9, 0], &[1, 1, 8]] {
            assert_eq!(TcpOptions::parse(bytes), Err(WireError::Options), "{bytes:?}");
        }
    }

    #[test]
    fn a_known_kind_of_wrong_length_is_skipped() {
        let options = TcpOptions::parse(&[2, 3, 9, 3, 3, 4]).unwrap();
        assert_eq!((options.mss, options.window_scale), (None, Some(4)));
    }
}
