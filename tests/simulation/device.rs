//! Devices that write, honestly or not.

use arterial::{DeviceId, Enrolment, Tag, Write, protocol::ShardCount};
use ed25519_zebra::SigningKey;

/// A device and its secret.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    secret: Secret,
}

enum Secret {
    Ed25519(Box<SigningKey>),
    Mac([u8; 32]),
}

impl Device {
    /// Every third one authenticates with a MAC.
    pub(crate) fn new(n: u8) -> Self {
        let secret = match n % 3 {
            2 => Secret::Mac([n ^ 0xaa; 32]),
            _ => Secret::Ed25519(Box::new(SigningKey::from_bytes(&[n + 1; 32]))),
        };
        Self { id: DeviceId([n; 16]), secret }
    }

    pub(crate) fn enrolment(&self) -> Enrolment {
        let enrolment = match &self.secret {
            Secret::Ed25519(key) => Enrolment::ed25519(self.id, key.verification_key().into()),
            Secret::Mac(key) => Enrolment::mac(self.id, *key),
        };
        Enrolment { subject_key: Some([self.id.0[0] ^ 0x55; 32]), ..enrolment }
    }

    pub(crate) fn sign(&self, write: &Write<'_>) -> Tag {
        match &self.secret {
            Secret::Ed25519(key) => {
                let mut signed = Vec::new();
                write.signed_bytes(&mut signed);
                Tag::Ed25519(key.sign(&signed).into())
            }
            Secret::Mac(key) => Tag::mac(key, write),
        }
    }

    pub(crate) fn shard(&self, shards: ShardCount) -> usize {
        self.id.shard(shards).0 as usize
    }
}

/// What a write says; everything else of it follows from device and number.
pub(crate) fn write(device: DeviceId, seq: u64, payload: &[u8]) -> Write<'_> {
    Write { device, seq, observed_at_ms: 1_735_689_600_000 + seq, kind: 1, payload }
}
