//! Eight KoalaBear elements: what a record, a head, an account and a tree node hash to.

use core::fmt;
use p3_field::{PrimeField32, integers::QuotientMap};
use p3_koala_bear::KoalaBear;

/// The KoalaBear prime, 2³¹ − 2²⁴ + 1.
pub const KOALA_BEAR: u32 = (1 << 31) - (1 << 24) + 1;

/// A digest over KoalaBear: eight canonical elements.
///
/// Its bytes are the eight elements as little-endian `u32`s, each below the prime.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Digest([u32; 8]);

impl Digest {
    /// Eight zeros: an unused slot, a new account's head.
    pub const ZERO: Self = Self([0; 8]);

    /// A hash's 32 bytes as eight little-endian `u32`s, each reduced modulo the prime.
    #[must_use]
    pub fn reduce(bytes: [u8; 32]) -> Self {
        Self(words(bytes).map(|word| word % KOALA_BEAR))
    }

    /// The digest with these bytes, or `None` when an element is not below the prime.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Option<Self> {
        let limbs = words(bytes);
        limbs.iter().all(|&limb| limb < KOALA_BEAR).then_some(Self(limbs))
    }

    /// The elements as little-endian `u32`s.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(4).zip(self.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        bytes
    }

    /// The eight elements, each below [`KOALA_BEAR`].
    #[must_use]
    pub const fn limbs(self) -> [u32; 8] {
        self.0
    }

    pub(crate) fn to_elements(self) -> [KoalaBear; 8] {
        self.0.map(KoalaBear::from_int)
    }

    pub(crate) fn from_elements(elements: [KoalaBear; 8]) -> Self {
        Self(elements.map(|element| element.as_canonical_u32()))
    }
}

fn words(bytes: [u8; 32]) -> [u32; 8] {
    core::array::from_fn(|i| {
        u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
    })
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_elements_decode() {
        let mut bytes = [0; 32];
        bytes[4..8].copy_from_slice(&(KOALA_BEAR - 1).to_le_bytes());
        assert_eq!(Digest::from_bytes(bytes).map(Digest::to_bytes), Some(bytes));
        bytes[4..8].copy_from_slice(&KOALA_BEAR.to_le_bytes());
        assert_eq!(Digest::from_bytes(bytes), None);
        assert_eq!(Digest::reduce(bytes), Digest::ZERO);
    }
}
