//! Devices that sign, for every test of the write side.

use arterial_protocol::{DeviceId, Domain, FieldElement, ShardCount, Tag, Write};
use arterial_shards::{Enrolment, Shards, ShardsConfig};
use arterial_storage::Storage;
use ed25519_zebra::SigningKey;
use std::{path::Path, sync::Arc};

pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) key: SigningKey,
}

/// A reading of which the payload follows from the number.
pub(crate) fn payload(seq: u64) -> Vec<u8> {
    format!("{{\"bpm\":{}}}", 60 + seq % 40).into_bytes()
}

impl Device {
    pub(crate) fn new(n: u8) -> Self {
        Self { id: DeviceId([n; 16]), key: SigningKey::from_bytes(&[n; 32]) }
    }

    pub(crate) fn enrolment(&self) -> Enrolment {
        let subject_key = Some([self.id.0[0] ^ 0x55; 32]);
        Enrolment { subject_key, ..Enrolment::ed25519(self.id, self.key.verification_key().into()) }
    }

    pub(crate) fn write<'a>(&self, seq: u64, payload: &'a [u8]) -> (Write<'a>, Tag) {
        let write = Write { device: self.id, seq, observed_at_ms: 1_700_000_000_000 + seq, kind: 1, payload };
        let mut signed = Vec::new();
        write.signed_bytes(&mut signed);
        (write, Tag::Ed25519(self.key.sign(&signed).into()))
    }
}

pub(crate) fn config(dir: &Path, shards: u32) -> ShardsConfig {
    let mut config =
        ShardsConfig::new(dir.to_owned(), Domain(FieldElement::from(5u64)), ShardCount::new(shards).unwrap());
    config.segment_bytes = arterial_shards::limits::SEGMENT_BYTES_MIN;
    config
}

pub(crate) fn open(storage: &(impl Storage + Clone + 'static), dir: &Path, shards: u32) -> Shards {
    let storage: Arc<dyn Storage> = Arc::new(storage.clone());
    Shards::open(&storage, &config(dir, shards)).unwrap()
}
