//! Bytes that wait for the transport.

use std::borrow::Cow;
use std::io::IoSlice;

use crate::few::Few;

/// A run of bytes that moves by ownership, or is static: no copy between the handler and the transport.
pub type Piece = Cow<'static, [u8]>;

/// Pieces up to this size are copied behind what already waits, so that a head and its small body leave together.
const COPY_LIMIT: usize = 2 * 1024;
/// What memory for such a piece begins with.
const FIRST_CAPACITY: usize = 512;
/// A piece with room for more than this gives its memory back once it has gone.
const SPARE_LIMIT: usize = 2 * COPY_LIMIT;

/// A queue of pieces. How much may wait is its owner's decision.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// For a small answer it is one.
    pieces: Few<Piece>,
    /// Bytes of the first piece that have gone.
    gone: usize,
    len: usize,
    /// Empty, and the memory of a piece that has gone: the next answer needs none then.
    spare: Vec<u8>,
}

impl Output {
    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets `write` append to the end.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let has_room = matches!(self.pieces.back_mut(), Some(Cow::Owned(last)) if last.len() < COPY_LIMIT);
        if !has_room {
            let mut fresh = std::mem::take(&mut self.spare);
            fresh.reserve(FIRST_CAPACITY);
            self.pieces.push_back(Cow::Owned(fresh));
        }
        if let Some(Cow::Owned(last)) = self.pieces.back_mut() {
            let before = last.len();
            write(last);
            let written = last.len() - before;
            self.len += written;
        }
    }

    /// Adds a piece at the end; a small one is copied.
    pub(crate) fn push(&mut self, piece: Piece) {
        if piece.len() <= COPY_LIMIT {
            self.append(|last| last.extend_from_slice(&piece));
        } else {
            self.len += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Lends the first pieces; returns how many slices were filled.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, piece) in slices.iter_mut().zip(self.pieces.iter()) {
            let skip = if filled == 0 { self.gone } else { 0 };
            *slot = IoSlice::new(&piece[skip..]);
            filled += 1;
        }
        filled
    }

    /// Takes `n` bytes off the front, at most all.
    pub(crate) fn advance(&mut self, n: usize) {
        let n = n.min(self.len);
        self.len -= n;
        self.gone += n;
        while let Some(first) = self.pieces.front()
            && self.gone >= first.len()
        {
            self.gone -= first.len();
            if let Some(Cow::Owned(mut piece)) = self.pieces.pop_front()
                && piece.capacity() <= SPARE_LIMIT
            {
                piece.clear();
                self.spare = piece;
            }
        }
    }

    /// Gives the memory of a long queue back, if nothing waits: what is kept for the next answer is small.
    pub(crate) fn release(&mut self) {
        self.pieces.release_if_empty();
    }

    /// Gives the first piece away.
    pub(crate) fn take(&mut self) -> Option<Piece> {
        let mut piece = self.pieces.pop_front()?;
        let gone = std::mem::take(&mut self.gone);
        self.len -= piece.len() - gone;
        if gone > 0 {
            match &mut piece {
                Cow::Owned(bytes) => drop(bytes.drain(..gone)),
                Cow::Borrowed(bytes) => *bytes = &bytes[gone..],
            }
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(output: &Output) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = output.slices(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn small_pieces_join_and_large_ones_move() {
        let mut output = Output::default();
        output.append(|head| head.extend_from_slice(b"head "));
        output.push(Cow::Borrowed(b"small"));
        assert_eq!((output.pieces.iter().count(), output.len()), (1, 10));
        let large = vec![7; 10_000];
        let address = large.as_ptr();
        output.push(Cow::Owned(large));
        output.append(|tail| tail.extend_from_slice(b"\r\n"));
        assert_eq!((output.pieces.iter().count(), output.len()), (3, 10_012));
        assert_eq!(output.pieces.iter().nth(1).unwrap().as_ptr(), address);
    }

    #[test]
    fn the_memory_of_a_small_piece_serves_again_and_a_large_one_gives_it_back() {
        let mut output = Output::default();
        output.push(Cow::Borrowed(b"abc"));
        let mut slices = [IoSlice::new(&[])];
        output.slices(&mut slices);
        let address = slices[0].as_ptr();
        output.advance(3);
        output.push(Cow::Borrowed(b"de"));
        assert_eq!(content(&output), b"de");
        let mut slices = [IoSlice::new(&[])];
        output.slices(&mut slices);
        assert_eq!(slices[0].as_ptr(), address);

        let mut output = Output::default();
        output.push(Cow::Owned(vec![7; SPARE_LIMIT + 1]));
        output.advance(SPARE_LIMIT + 1);
        assert_eq!(output.spare.capacity(), 0);
    }

    #[test]
    fn a_queue_that_was_long_gives_its_memory_back() {
        let mut output = Output::default();
        (0..100).for_each(|_| output.push(Cow::Borrowed(&[b'x'; COPY_LIMIT + 1])));
        output.release();
        assert!(output.pieces.allocated() > 0, "it is not empty");
        output.advance(output.len());
        output.release();
        assert_eq!(output.pieces.allocated(), 0);
    }

    #[test]
    fn what_has_gone_is_not_seen_again() {
        let mut output = Output::default();
        output.push(Cow::Borrowed(b"abc"));
        output.push(Cow::Borrowed(&[b'x'; 3000]));
        output.advance(2);
        assert_eq!(content(&output)[..3], *b"cxx");
        output.advance(2);
        assert_eq!(output.take().unwrap().len(), 2999);
        assert!(output.is_empty() && output.take().is_none());
        output.advance(5);
        assert!(output.is_empty());
        output.push(Cow::Owned(b"new".to_vec()));
        output.advance(1);
        assert_eq!(output.take().unwrap(), &b"ew"[..]);
    }
}
