//! Digests and bytes as elements of KoalaBear.

use arterial_protocol::Digest;
#[cfg(feature = "prover")]
use p3_field::PrimeField32;
use p3_field::integers::QuotientMap;
use p3_koala_bear::KoalaBear;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

pub(crate) fn elements(digest: Digest) -> [KoalaBear; 8] {
    digest.limbs().map(KoalaBear::from_int)
}

#[cfg(feature = "prover")]
pub(crate) fn digest(elements: [KoalaBear; 8]) -> Digest {
    let mut bytes = [0; 32];
    for (chunk, element) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(elements) {
        *chunk = element.as_canonical_u32().to_le_bytes();
    }
    Digest::from_bytes(bytes).expect("canonical elements are below the prime")
}

/// Little-endian bytes as 16-bit limbs, each one element.
pub(crate) fn limbs16<const BYTES: usize>(bytes: [u8; BYTES]) -> impl Iterator<Item = KoalaBear> {
    (0..BYTES / 2).map(move |i| KoalaBear::from_int(u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])))
}

/// A digest in a proof's bytes: eight canonical elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WireDigest(pub(crate) Digest);

impl Serialize for WireDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WireDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <[u8; 32]>::deserialize(deserializer)?;
        Digest::from_bytes(bytes)
            .map(Self)
            .ok_or_else(|| D::Error::custom("an element is not below the prime"))
    }
}
