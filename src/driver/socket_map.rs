//! A map with sockets for keys.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::stack::SocketId;

/// What is known of some sockets. It is asked for every event, and a [`SocketId`] is a number of the stack's own: what its
/// hash has to withstand is a peer who has an influence on which of the numbers are in use, not one who chooses them.
pub(crate) type SocketMap<V> = HashMap<SocketId, V, SocketHashes>;

/// One multiplication with a secret of each map, where the standard library's hash is made of dozens of steps.
#[derive(Clone, Debug)]
pub(crate) struct SocketHashes {
    secret: u64,
}

impl Default for SocketHashes {
    fn default() -> Self {
        SocketHashes { secret: RandomState::new().hash_one(0) }
    }
}

impl BuildHasher for SocketHashes {
    type Hasher = SocketHasher;

    fn build_hasher(&self) -> SocketHasher {
        SocketHasher { secret: self.secret, bits: 0 }
    }
}

/// Takes one [`SocketId`].
pub(crate) struct SocketHasher {
    secret: u64,
    bits: u64,
}

impl Hasher for SocketHasher {
    fn write_u32(&mut self, number: u32) {
        self.bits = self.bits.rotate_left(32) ^ u64::from(number);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }

    fn finish(&self) -> u64 {
        // Every bit of the result depends on every bit of the number: a bit of the product only on those of the number up
        // to it, so that its lower half, which is what finds a place, knows nothing of the upper bits; its upper half does.
        let product = u128::from(self.bits ^ self.secret) * u128::from(ODD);
        product as u64 ^ (product >> 64) as u64
    }
}

/// 2^64 divided by the golden ratio.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn sockets_that_lie_side_by_side_are_spread() {
        let hashes = SocketHashes::default();
        let with_generation = |generation: u64| (0..1024).map(move |index| generation << 32 | index);
        for generation in [0, 1, 7_000_000] {
            let low: HashSet<_> = with_generation(generation)
                .map(|bits| hashes.hash_one(SocketId::from_bits(bits)) % 1024)
                .collect();
            // Chance alone would fill 63 % of the places.
            assert!(low.len() > 400, "{} of 1024 places", low.len());
        }
    }

    #[test]
    fn a_place_used_again_is_another_key() {
        let mut map = SocketMap::default();
        let [old, new] = [7, 1 << 32 | 7].map(SocketId::from_bits);
        map.insert(old, "old");
        assert_eq!((map.get(&old), map.get(&new)), (Some(&"old"), None));
    }
}
