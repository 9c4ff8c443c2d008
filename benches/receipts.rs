//! Making receipts of settled records.
#![allow(clippy::unwrap_used, reason = "a bench panics where it fails")]

use arterial::{Engine, Enrolment, Lane, Stage, Tag, Write};
use arterial_protocol::{DeviceId, ShardCount};
use arterial_rollup::{
    batch_proof::testing::SimulatedBatchProver, chain::embedded::EmbeddedConfig,
    proof::testing::SimulatedProver,
};
use criterion::{Criterion, Throughput};
use ed25519_zebra::SigningKey;
use std::{cell::Cell, sync::Arc};

const SHARDS: u32 = 4;
const DEVICES: u128 = 256;
/// Of each device.
const RECORDS: u64 = 16;

/// A signed record of one device: found in the log, its account opened, its block read, all of it put together. Nothing
/// of it depends on who made the proofs.
fn receipt(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::builder(dir.path().join("deployment"))
        .shards(SHARDS)
        .embedded_chain(EmbeddedConfig { slot_ms: 20, ..EmbeddedConfig::default() })
        .prover(Arc::new(SimulatedProver::new(1, ShardCount::new(SHARDS).unwrap())))
        .batch_prover(Arc::new(SimulatedBatchProver::new(1)))
        .open()
        .unwrap();
    let key = SigningKey::from_bytes(&[7; 32]);
    let device = |n: u128| DeviceId(n.to_le_bytes());
    let enrolments: Vec<Enrolment> =
        (0..DEVICES).map(|n| Enrolment::ed25519(device(n), key.verification_key().into())).collect();
    assert!(engine.enroll_many(&enrolments).iter().all(Result::is_ok));
    let sign = |write: Write<'static>| {
        let mut signed = Vec::new();
        write.signed_bytes(&mut signed);
        (write, Tag::Ed25519(key.sign(&signed).into()))
    };
    let write =
        |n, seq| Write { device: device(n), seq, observed_at_ms: 1 << 40, kind: 1, payload: &[0xab; 56] };
    let writes: Vec<_> = (0..RECORDS)
        .flat_map(|seq| (0..DEVICES).map(move |n| (n, seq)))
        .map(|(n, seq)| sign(write(n, seq)))
        .collect();
    assert!(engine.submit_many(Lane::Routine, &writes).answers().all(|answer| answer.is_ok()));
    engine.flush(Stage::Final).unwrap();

    let next = Cell::new(0);
    let mut group = criterion.benchmark_group("engine::receipt");
    group.throughput(Throughput::Elements(1));
    group.bench_function(format!("later={}", RECORDS - 1), |bench| {
        bench.iter(|| {
            next.set((next.get() + 1) % DEVICES);
            engine.receipt(device(next.get()), 0).unwrap()
        });
    });
    drop(group);
    drop(engine.close());
}

fn main() {
    let mut criterion = arterial_benches::criterion();
    receipt(&mut criterion);
    criterion.final_summary();
}
