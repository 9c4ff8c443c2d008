//! A host node that takes readings from two bedside monitors and keeps a receipt for each.
//!
//! `cargo run --release --example embed`

use arterial::{At, DeviceId, Engine, Enrolment, Lane, Receipt, Stage, Tag, Write};
use ed25519_zebra::SigningKey;
use std::{error::Error, thread};

/// A device and the key that never leaves it.
struct Monitor {
    id: DeviceId,
    key: SigningKey,
}

impl Monitor {
    fn new(label: &str) -> Self {
        let mut seed = [0; 32];
        seed[..label.len()].copy_from_slice(label.as_bytes());
        Self { id: DeviceId::from_label(label), key: SigningKey::from_bytes(&seed) }
    }

    /// What happens on the device: it numbers and signs each reading.
    fn sign(&self, write: &Write<'_>) -> Tag {
        let mut signed = Vec::new();
        write.signed_bytes(&mut signed);
        Tag::Ed25519(self.key.sign(&signed).into())
    }

    /// What happens at the node for each reading: submit it, and answer the device once it is durable.
    fn write(&self, engine: &Engine, seq: u64) -> Result<(), arterial::SubmitError> {
        let reading = format!("{} bpm", 60 + seq % 20);
        let observed_at_ms = 1_735_689_600_000 + 1000 * seq;
        let write = Write { device: self.id, seq, observed_at_ms, kind: 1, payload: reading.as_bytes() };
        let ack = engine.submit(Lane::Routine, &write, self.sign(&write))?.wait()?;
        println!("{} seq {seq} is durable in shard {} at {}", self.id, ack.shard, ack.position);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("arterial-embed-{}", std::process::id()));
    let engine = Engine::builder(&dir).shards(4).open()?;
    let monitors = ["bed 12", "bed 13"].map(Monitor::new);
    for monitor in &monitors {
        engine.enroll(Enrolment::ed25519(monitor.id, monitor.key.verification_key().into()))?;
    }
    // The handle is cheap: every thread that serves devices has its own.
    thread::scope(|scope| {
        for monitor in &monitors {
            let engine = engine.clone();
            scope.spawn(move || (0..5).try_for_each(|seq| monitor.write(&engine, seq)));
        }
    });
    println!("block {} is final", engine.flush(Stage::Final)?);
    for monitor in &monitors {
        // What a patient or a court gets is these bytes; what they need besides is the root on the chain.
        let bytes = engine.receipt(monitor.id, 4)?.encode();
        let receipt = Receipt::decode(&bytes)?;
        let root = engine.chain().state_root(receipt.number, At::Finalized)?.ok_or("not final")?;
        println!("{} bytes prove {:?}", bytes.len(), receipt.verify(&root)?);
    }
    drop(engine);
    std::fs::remove_dir_all(dir)?;
    Ok(())
}
