//! The bytes that applications of the simulator exchange: known at every offset, so that nothing has to be stored.

/// A stream of bytes in which every offset has a byte that follows from the stream's seed alone.
///
/// ```
/// use longwire::sim::Pattern;
/// let pattern = Pattern::new(7);
/// let mut whole = [0; 100];
/// pattern.fill(0, &mut whole);
/// let mut part = [0; 10];
/// pattern.fill(33, &mut part);
/// assert_eq!(whole[33..43], part);
/// assert_eq!(pattern.first_difference(33, &part), None);
/// part[4] ^= 1;
/// assert_eq!(pattern.first_difference(33, &part), Some(37));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    seed: u64,
}

impl Pattern {
    /// The stream of a seed. Streams of different seeds have nothing to do with each other.
    pub const fn new(seed: u64) -> Self {
        Pattern { seed }
    }

    /// Writes the bytes from `offset` on.
    pub fn fill(self, offset: u64, out: &mut [u8]) {
        self.pieces(offset, out.len(), |range, bytes| out[range].copy_from_slice(bytes));
    }

    /// The first offset at which `bytes`, which begin at `offset`, are not those of the stream.
    pub fn first_difference(self, offset: u64, bytes: &[u8]) -> Option<u64> {
        let mut found = None;
        self.pieces(offset, bytes.len(), |range, expected| {
            if found.is_none() && bytes[range.clone()] != *expected {
                let inside = bytes[range.clone()].iter().zip(expected).position(|(a, b)| a != b);
                found = inside.map(|inside| offset + (range.start + inside) as u64);
            }
        });
        found
    }

    /// Cuts `len` bytes from `offset` on at multiples of eight, and gives each piece with its place in them.
    fn pieces(self, offset: u64, len: usize, mut each: impl FnMut(std::ops::Range<usize>, &[u8])) {
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let word = self.word(at / 8).to_le_bytes();
            let skip = (at % 8) as usize;
            let take = (8 - skip).min(len - done);
            each(done..done + take, &word[skip..skip + take]);
            done += take;
        }
    }

    /// SplitMix64: neighbouring words share no pattern, so that a shifted or repeated stretch shows at once.
    const fn word(self, index: u64) -> u64 {
        let mut z = self.seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
