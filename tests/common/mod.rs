//! Devices and deployments for the tests of the whole path.

use arterial::rollup::chain::embedded::EmbeddedConfig;
use arterial::{
    Ack, DeviceId, Engine, EngineBuilder, Enrolment, Lane, SubmitError, Tag, Write, protocol::ShardCount,
    rollup::proof::KeyPair, storage::FileStorage,
};
use ed25519_zebra::SigningKey;
use std::{path::Path, sync::OnceLock, time::Duration};

pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) key: SigningKey,
}

pub(crate) fn payload(seq: u64) -> Vec<u8> {
    format!("{{\"spo2\":{}}}", 90 + seq % 10).into_bytes()
}

impl Device {
    pub(crate) fn new(n: u8) -> Self {
        Self { id: DeviceId([n; 16]), key: SigningKey::from_bytes(&[n; 32]) }
    }

    pub(crate) fn enrolment(&self) -> Enrolment {
        Enrolment {
            subject_key: Some([self.id.0[0]; 32]),
            ..Enrolment::ed25519(self.id, self.key.verification_key().into())
        }
    }

    /// A reading and its signature.
    pub(crate) fn sign<'a>(&self, seq: u64, payload: &'a [u8]) -> (Write<'a>, Tag) {
        let write = Write { device: self.id, seq, observed_at_ms: 1_735_689_600_000 + seq, kind: 1, payload };
        let mut signed = Vec::new();
        write.signed_bytes(&mut signed);
        (write, Tag::Ed25519(self.key.sign(&signed).into()))
    }

    /// Writes one reading and waits until it is durable.
    pub(crate) fn write(&self, engine: &Engine, seq: u64) -> Result<Ack, SubmitError> {
        let payload = payload(seq);
        let (write, tag) = self.sign(seq, &payload);
        engine.submit(Lane::Routine, &write, tag)?.wait()
    }
}

/// The keys of all test deployments with so many shards: a setup each would take longer than the tests.
fn keys(shards: u32) -> &'static [u8] {
    static KEYS: [OnceLock<Vec<u8>>; 3] = [const { OnceLock::new() }; 3];
    KEYS[shards.trailing_zeros() as usize].get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("block.key");
        KeyPair::generate(ShardCount::new(shards).unwrap()).unwrap().write(&FileStorage, &path).unwrap();
        std::fs::read(path).unwrap()
    })
}

/// A deployment with few shards and a quick chain, made by hand: blocks come when they are asked for.
pub(crate) fn builder(dir: &Path, shards: u32) -> EngineBuilder {
    if !dir.join("genesis").exists() {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("block.key"), keys(shards)).unwrap();
    }
    Engine::builder(dir)
        .shards(shards)
        .segment_bytes(arterial::shards::limits::SEGMENT_BYTES_MIN)
        .block_interval(Duration::from_secs(3600))
        .embedded_chain(EmbeddedConfig { slot_ms: 20, ..EmbeddedConfig::default() })
}
