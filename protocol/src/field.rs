//! Elements of BN254's scalar field as 32 canonical big-endian bytes: what the EVM and a receipt carry.

use crate::digest::Digest;
use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};
use core::fmt;

/// The order of BN254's scalar field, big-endian (EIP-197).
pub const MODULUS: [u8; 32] = [
    0x30, 0x64, 0x4e, 0x72, 0xe1, 0x31, 0xa0, 0x29, 0xb8, 0x50, 0x45, 0xb6, 0x81, 0x81, 0x58, 0x5d, 0x28,
    0x33, 0xe8, 0x48, 0x79, 0xb9, 0x70, 0x91, 0x43, 0xe1, 0xf5, 0x93, 0xf0, 0x00, 0x00, 0x01,
];

/// One element of BN254's scalar field, held as its canonical big-endian bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldElement([u8; 32]);

impl FieldElement {
    /// Zero.
    pub const ZERO: Self = Self([0; 32]);

    /// The element with these big-endian bytes, or `None` when they are not below the field's order.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 32]) -> Option<Self> {
        // Arrays compare lexicographically, which is numerically for big-endian bytes.
        (bytes < MODULUS).then_some(Self(bytes))
    }

    /// The big-endian number in `bytes`, modulo the field's order.
    #[must_use]
    pub fn reduce(bytes: [u8; 32]) -> Self {
        Self::from_fr(Fr::from_be_bytes_mod_order(&bytes))
    }

    /// The canonical big-endian bytes.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 32] {
        self.0
    }

    pub(crate) fn to_fr(self) -> Fr {
        Fr::from_be_bytes_mod_order(&self.0)
    }

    pub(crate) fn from_fr(value: Fr) -> Self {
        let mut bytes = [0; 32];
        let big_endian = value.into_bigint().to_bytes_be();
        bytes[32 - big_endian.len()..].copy_from_slice(&big_endian);
        Self(bytes)
    }
}

impl From<u64> for FieldElement {
    fn from(value: u64) -> Self {
        Self::from(u128::from(value))
    }
}

impl From<u128> for FieldElement {
    fn from(value: u128) -> Self {
        let mut bytes = [0; 32];
        bytes[16..].copy_from_slice(&value.to_be_bytes());
        Self(bytes)
    }
}

/// Σ dᵢ·2³¹ⁱ: 248 bits, so always canonical. This is where the two fields meet.
impl From<Digest> for FieldElement {
    fn from(digest: Digest) -> Self {
        let mut bytes = [0u8; 32];
        let mut accumulator = 0u64;
        let mut bits = 0;
        let mut at = 32;
        for limb in digest.limbs() {
            accumulator |= u64::from(limb) << bits;
            bits += 31;
            while bits >= 8 {
                at -= 1;
                #[expect(clippy::cast_possible_truncation, reason = "the low byte is what is taken")]
                let low = accumulator as u8;
                bytes[at] = low;
                accumulator >>= 8;
                bits -= 8;
            }
        }
        debug_assert!(bits == 0 && at == 1);
        Self(bytes)
    }
}

impl fmt::Display for FieldElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for FieldElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_modulus_is_not_canonical_and_its_predecessor_is() {
        assert_eq!(FieldElement::from_be_bytes(MODULUS), None);
        assert_eq!(FieldElement::reduce(MODULUS), FieldElement::ZERO);
        let mut below = MODULUS;
        below[31] -= 1;
        assert!(FieldElement::from_be_bytes(below).is_some());
        assert_eq!(FieldElement::from_be_bytes([0xff; 32]), None);
    }

    #[test]
    fn arkworks_has_the_same_modulus() {
        assert_eq!(Fr::MODULUS.to_bytes_be(), MODULUS);
    }

    proptest! {
        #[test]
        fn packing_is_the_sum_of_limbs_times_powers_of_two_to_the_31(bytes: [u8; 32]) {
            let digest = Digest::reduce(bytes);
            let sum = digest.limbs().iter().rev().fold(Fr::from(0u64), |acc, &limb| acc * Fr::from(1u64 << 31) + Fr::from(limb));
            prop_assert_eq!(FieldElement::from(digest), FieldElement::from_fr(sum));
        }

        #[test]
        fn bytes_round_trip(bytes: [u8; 32]) {
            let element = FieldElement::reduce(bytes);
            prop_assert_eq!(FieldElement::from_be_bytes(element.to_be_bytes()), Some(element));
            prop_assert_eq!(FieldElement::from_fr(element.to_fr()), element);
        }
    }
}
