//! Devices that write, honestly or not.

use arterial::{
    DeviceId, Enrolment, Tag, Write,
    protocol::{BundleTree, Evidence, ShardCount, bundle},
};
use ed25519_zebra::SigningKey;

/// A device and its secret.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    secret: Secret,
}

enum Secret {
    Ed25519(Box<SigningKey>),
    /// The key of the one gateway.
    Gateway,
    Mac([u8; 32]),
    /// The host vouches for the device.
    Host,
}

/// The key of the gateway, that signs bundles, and single writes too.
pub(crate) fn gateway() -> SigningKey {
    SigningKey::from_bytes(&[0x77; 32])
}

/// The gateway's signature over a bundle.
pub(crate) fn sign_bundle(seed: &[u8; 32], writes: &[Write<'_>]) -> [u8; 64] {
    let tree = BundleTree::new(bundle::leaves(seed, writes)).expect("a bundle of a few writes");
    gateway().sign(&tree.message()).into()
}

impl Device {
    /// Each kind of credential in turn.
    pub(crate) fn new(n: u8) -> Self {
        let secret = match n % 4 {
            0 => Secret::Ed25519(Box::new(SigningKey::from_bytes(&[n + 1; 32]))),
            1 => Secret::Gateway,
            2 => Secret::Mac([n ^ 0xaa; 32]),
            _ => Secret::Host,
        };
        Self { id: DeviceId([n; 16]), secret }
    }

    pub(crate) fn enrolment(&self) -> Enrolment {
        let enrolment = match &self.secret {
            Secret::Ed25519(key) => Enrolment::ed25519(self.id, key.verification_key().into()),
            Secret::Gateway => Enrolment::ed25519(self.id, gateway().verification_key().into()),
            Secret::Mac(key) => Enrolment::mac(self.id, *key),
            Secret::Host => Enrolment::host(self.id),
        };
        Enrolment { subject_key: Some([self.id.0[0] ^ 0x55; 32]), ..enrolment }
    }

    pub(crate) fn sign(&self, write: &Write<'_>) -> Tag {
        let sign = |key: &SigningKey| {
            let mut signed = Vec::new();
            write.signed_bytes(&mut signed);
            Tag::Ed25519(key.sign(&signed).into())
        };
        match &self.secret {
            Secret::Ed25519(key) => sign(key),
            Secret::Gateway => sign(&gateway()),
            Secret::Mac(key) => Tag::mac(key, write),
            Secret::Host => Tag::Host,
        }
    }

    /// A tag that is not the device's for this write.
    pub(crate) fn forge(&self, write: &Write<'_>) -> Tag {
        match &self.secret {
            // Nothing of the write is in the host's word, so only its kind can be wrong.
            Secret::Host => Tag::mac(&[0; 32], write),
            // Whoever can't sign may still claim the host's word.
            _ if write.seq.is_multiple_of(2) => Tag::Host,
            _ => self.sign(&Write { kind: write.kind + 1, ..*write }),
        }
    }

    /// Whether the gateway's bundles can have the device's writes.
    pub(crate) const fn is_gateways(&self) -> bool {
        matches!(self.secret, Secret::Gateway)
    }

    /// Whether a receipt shows the device's authorship as it can.
    pub(crate) const fn fits(&self, evidence: &Evidence) -> bool {
        matches!(
            (&self.secret, evidence),
            (Secret::Ed25519(_) | Secret::Gateway, Evidence::Signature(_))
                | (Secret::Gateway, Evidence::Bundle(_))
                | (Secret::Mac(_), Evidence::Mac)
                | (Secret::Host, Evidence::Host)
        )
    }

    pub(crate) fn shard(&self, shards: ShardCount) -> usize {
        self.id.shard(shards).0 as usize
    }
}

/// What a write says; everything else of it follows from device and number.
pub(crate) fn write(device: DeviceId, seq: u64, payload: &[u8]) -> Write<'_> {
    Write { device, seq, observed_at_ms: 1_735_689_600_000 + seq, kind: 1, payload }
}
