//! Who writes: a device's identifier, its credential, and what its account says of both.

use crate::{digest::Digest, limits::SHARDS_MAX};
use core::fmt;

/// A device's identifier, chosen by whoever enrols it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(pub [u8; 16]);

impl DeviceId {
    /// An identifier derived from a label, for devices that have only a name.
    #[must_use]
    pub fn from_label(label: &str) -> Self {
        let hash = blake3::derive_key("arterial/device-label/v1", label.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Self(id)
    }

    /// The shard this device belongs to: a pure function of its identifier, uniform over identifiers
    /// even when they are chosen with a pattern.
    ///
    /// The function has no key: whoever enrols devices could choose identifiers that all fall into one shard. With
    /// any public function, a cryptographic hash too, that takes a few tries per device, as many as there are shards;
    /// so this one is merely cheap. It is the enrolling node's own load that would be out of balance.
    #[must_use]
    pub fn shard(self, shards: ShardCount) -> ShardId {
        let id = u128::from_le_bytes(self.0);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves, and a mask of at most 32 bits")]
        let hash = mix(id as u64 ^ mix((id >> 64) as u64)) as u32;
        ShardId(hash & (shards.0 - 1))
    }
}

/// MurmurHash3's 64-bit finaliser, `fmix64`, by Austin Appleby, in the public domain:
/// <https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp>. Every bit of the input flips every bit of
/// the output with a probability near one half.
const fn mix(mut word: u64) -> u64 {
    word ^= word >> 33;
    word = word.wrapping_mul(0xff51_afd7_ed55_8ccd);
    word ^= word >> 33;
    word = word.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ (word >> 33)
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number of a shard, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How many shards a deployment has: a power of two up to [`SHARDS_MAX`], fixed at genesis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ShardCount(u32);

impl ShardCount {
    /// The count, or `None` when it is no power of two or over [`SHARDS_MAX`].
    #[must_use]
    pub fn new(shards: u32) -> Option<Self> {
        (shards.is_power_of_two() && shards <= SHARDS_MAX).then_some(Self(shards))
    }

    /// The count as a number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Levels of the tree over the shards.
    #[must_use]
    pub const fn depth(self) -> usize {
        self.0.trailing_zeros() as usize
    }

    /// Every shard, in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = ShardId> + Clone {
        (0..self.0).map(ShardId)
    }
}

/// What a device proves its writes with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Credential {
    /// An Ed25519 public key, the device's own or its gateway's: anybody can check authorship.
    Ed25519([u8; 32]),
    /// BLAKE3 of a shared MAC key: only holders of the key can check authorship.
    Mac([u8; 32]),
    /// None that others could check: the embedding node authenticates the device, by mTLS say, and vouches for it.
    Host,
}

impl Credential {
    /// The credential of a shared MAC key.
    #[must_use]
    pub fn of_mac_key(key: &[u8; 32]) -> Self {
        Self::Mac(*blake3::hash(key).as_bytes())
    }

    /// 1 for Ed25519, 2 for MAC, 3 for the host's word.
    #[must_use]
    pub const fn tag(&self) -> u8 {
        match self {
            Self::Ed25519(_) => 1,
            Self::Mac(_) => 2,
            Self::Host => 3,
        }
    }

    /// The public key, or the hash of the MAC key, or zeros.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        match self {
            Self::Ed25519(bytes) | Self::Mac(bytes) => bytes,
            Self::Host => &[0; 32],
        }
    }

    /// The credential with this tag and these bytes; each has one encoding.
    #[must_use]
    pub fn from_parts(tag: u8, bytes: [u8; 32]) -> Option<Self> {
        match tag {
            1 => Some(Self::Ed25519(bytes)),
            2 => Some(Self::Mac(bytes)),
            3 if bytes == [0; 32] => Some(Self::Host),
            _ => None,
        }
    }

    /// What the account of `device` carries: BLAKE3(device id ‖ key type ‖ key), reduced.
    #[must_use]
    pub fn identity(&self, device: DeviceId) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&device.0).update(&[self.tag()]).update(self.bytes());
        Digest::reduce(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_count_is_a_power_of_two_in_range() {
        for shards in [0, 3, 12, SHARDS_MAX + 1, SHARDS_MAX * 2] {
            assert_eq!(ShardCount::new(shards), None, "{shards}");
        }
        for shards in [1, 2, 16, SHARDS_MAX] {
            assert_eq!(ShardCount::new(shards).map(ShardCount::get), Some(shards));
        }
    }

    /// 16 shards of 1,000 devices each would be even; a standard deviation is 31.
    fn assert_spread(pattern: &str, id: impl Fn(u32) -> DeviceId) {
        let shards = ShardCount::new(16).unwrap();
        let mut counts = [0u32; 16];
        for n in 0..16_000 {
            counts[id(n).shard(shards).0 as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{pattern}: {counts:?}");
    }

    #[test]
    fn patterned_identifiers_spread_over_the_shards() {
        for shift in [0, 3, 16, 32, 63, 64, 65, 96, 112] {
            assert_spread(&format!("n << {shift}"), |n| DeviceId((u128::from(n) << shift).to_le_bytes()));
            assert_spread(&format!("ones but n << {shift}"), |n| {
                DeviceId((!(u128::from(n) << shift)).to_le_bytes())
            });
        }
        assert_spread("both halves alike", |n| DeviceId((u128::from(n) * ((1 << 64) + 1)).to_le_bytes()));
        assert_spread("big-endian", |n| DeviceId(u128::from(n).to_be_bytes()));
        assert_spread("labels", |n| DeviceId::from_label(&format!("ward 3, bed {n}")));
    }

    #[test]
    fn every_credential_has_one_encoding() {
        for credential in [Credential::Ed25519([3; 32]), Credential::of_mac_key(&[4; 32]), Credential::Host] {
            assert_eq!(Credential::from_parts(credential.tag(), *credential.bytes()), Some(credential));
        }
        let mut bytes = [0; 32];
        assert_eq!(Credential::from_parts(0, bytes), None);
        assert_eq!(Credential::from_parts(4, bytes), None);
        bytes[31] = 1;
        assert_eq!(Credential::from_parts(3, bytes), None);
    }
}
