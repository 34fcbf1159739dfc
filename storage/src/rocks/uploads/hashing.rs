//! The SHA-256 of octets that mostly arrive in order.

use sha2::{Digest, Sha256};

/// Hashes what comes in order; what does not is read again at the end.
pub(super) struct Hashing {
    hasher: Sha256,
    /// The octets before this place are in the hash.
    upto: u64,
}

impl Hashing {
    pub(super) fn new() -> Self {
        Self {
            hasher: Sha256::new(),
            upto: 0,
        }
    }

    /// Octets have come for this place.
    pub(super) fn add(&mut self, offset: u64, octets: &[u8]) {
        if offset < self.upto && !octets.is_empty() {
            // Something hashed has changed.
            *self = Self::new();
        } else if offset == self.upto {
            self.go_on(octets);
        }
    }

    /// The next octets, in order.
    pub(super) fn go_on(&mut self, octets: &[u8]) {
        self.hasher.update(octets);
        self.upto += octets.len() as u64;
    }

    /// Where to go on.
    pub(super) fn upto(&self) -> u64 {
        self.upto
    }

    pub(super) fn finish(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(pieces: &[(usize, &str)]) -> (u64, [u8; 32]) {
        let mut memory = Vec::new();
        let mut hashing = Hashing::new();
        for (offset, piece) in pieces {
            let end = offset + piece.len();
            memory.resize(memory.len().max(end), 0);
            memory[*offset..end].copy_from_slice(piece.as_bytes());
            hashing.add(*offset as u64, piece.as_bytes());
        }
        let upto = hashing.upto();
        hashing.go_on(&memory[usize::try_from(upto).expect("short")..]);
        (upto, hashing.finish())
    }

    #[test]
    fn any_order_gives_the_same_hash() {
        let expected: [u8; 32] = Sha256::digest(b"abcdef").into();
        assert_eq!(hashed(&[(0, "abc"), (3, "def")]), (6, expected));
        assert_eq!(hashed(&[(3, "def"), (0, "abc")]), (3, expected));
        assert_eq!(hashed(&[(0, "abc"), (3, "def"), (1, "bc")]), (0, expected));
        assert_eq!(hashed(&[(0, "abx"), (2, "cdef"), (0, "a")]).1, expected);
    }
}
