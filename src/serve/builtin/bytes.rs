//! `GET /bytes/N`: a body whose every byte anyone can check.

use std::io;
use std::task::{Context, Poll};

use crate::http::Piece;
use crate::serve::content::Source;

/// Byte `i` is `i mod PERIOD`. A prime, so that no power of two hides an error of alignment.
const PERIOD: usize = 251;
/// The longest piece, and room to begin anywhere in a period.
const LENGTH: usize = 64 * 1024 + PERIOD;

static PATTERN: [u8; LENGTH] = {
    let mut pattern = [0; LENGTH];
    let mut index = 0;
    while index < LENGTH {
        pattern[index] = (index % PERIOD) as u8;
        index += 1;
    }
    pattern
};

/// The pattern, of any length, without memory of its own.
pub(super) struct Pattern;

impl Source for Pattern {
    fn read(&mut self, _cx: &mut Context<'_>, offset: u64, most: usize) -> Poll<io::Result<Piece>> {
        let start = (offset % PERIOD as u64) as usize;
        let length = most.min(LENGTH - PERIOD);
        Poll::Ready(Ok(Piece::Borrowed(&PATTERN[start..start + length])))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn every_offset_has_its_byte() {
        let mut cx = Context::from_waker(Waker::noop());
        for offset in [0, 1, 250, 251, 65_535, 1 << 40, u64::MAX - 10] {
            let Poll::Ready(Ok(piece)) = Pattern.read(&mut cx, offset, 1_000_000) else { panic!("ready") };
            assert_eq!(piece.len(), 65_536);
            let right =
                piece.iter().zip(0_u64..).all(|(&byte, i)| u64::from(byte) == (offset % 251 + i) % 251);
            assert!(right, "from {offset}");
        }
    }
}
