//! Authenticating writes, and making them durable.
#![allow(clippy::unwrap_used, reason = "a bench panics where it fails")]

use arterial_protocol::{DeviceId, Domain, FieldElement, ShardCount, Tag, Write};
use arterial_shards::{Enrolment, Lane, Shards, ShardsConfig};
use arterial_storage::{FileStorage, Storage};
use criterion::{BatchSize, Criterion, Throughput};
use ed25519_zebra::{Signature, SigningKey, VerificationKeyBytes, batch};
use std::{cell::Cell, sync::Arc};

const GROUP: usize = 4096;
const PAYLOAD: [u8; 56] = [0xab; 56];
const MAC_KEY: [u8; 32] = [8; 32];

fn device(n: usize) -> DeviceId {
    DeviceId((n as u128).to_le_bytes())
}

fn write(device: DeviceId, seq: u64) -> Write<'static> {
    Write { device, seq, observed_at_ms: 1_700_000_000_000, kind: 1, payload: &PAYLOAD }
}

/// What `authenticate` does for the writes of one group that are signed.
fn verify_batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authenticate::verify_batch");
    for count in [64usize, 1024] {
        let items: Vec<batch::Item> = (0..count)
            .map(|n| {
                let key = SigningKey::from_bytes(&[n.to_le_bytes()[0]; 32]);
                let mut signed = Vec::new();
                write(device(n), 0).signed_bytes(&mut signed);
                let signature: Signature = key.sign(&signed);
                batch::Item::from((VerificationKeyBytes::from(&key), signature, &signed))
            })
            .collect();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("signatures={count}"), |bench| {
            bench.iter(|| {
                let mut verifier = batch::Verifier::new();
                items.iter().for_each(|item| verifier.queue(item.clone()));
                verifier.verify(rand::rng()).unwrap();
            });
        });
    }
}

/// From submitting to durable, one shard: authentication by MAC, hashing, the log, and its fdatasync.
fn append(criterion: &mut Criterion) {
    const DEVICES: usize = 1024;
    let mut group = criterion.benchmark_group("shards::submit_many");
    let dir = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let domain = Domain(FieldElement::from(5u64));
    let config = ShardsConfig::new(dir.path().to_owned(), domain, ShardCount::new(1).unwrap());
    let shards = Shards::open(&storage, &config).unwrap();
    let enrolments: Vec<Enrolment> = (0..DEVICES).map(|n| Enrolment::mac(device(n), MAC_KEY)).collect();
    assert!(shards.enrol(&enrolments).iter().all(Result::is_ok));
    let next_seq = Cell::new(0);
    let group_of_writes = || {
        // A shard takes no more than a million records that wait for their block.
        if shards.unsealed_records() > 1 << 19 {
            shards.seal(shards.status()[0].sealed.next()).unwrap();
        }
        let first = next_seq.get();
        next_seq.set(first + (GROUP / DEVICES) as u64);
        (0..GROUP)
            .map(|n| {
                let write = write(device(n % DEVICES), first + (n / DEVICES) as u64);
                (write, Tag::mac(&MAC_KEY, &write))
            })
            .collect::<Vec<_>>()
    };
    group.sample_size(20).throughput(Throughput::Elements(GROUP as u64));
    group.bench_function(format!("writes={GROUP},tag=mac"), |bench| {
        let submit = |writes: Vec<(Write<'_>, Tag)>| {
            assert!(shards.submit_many(Lane::Routine, &writes).wait().iter().all(Result::is_ok));
        };
        bench.iter_batched(group_of_writes, submit, BatchSize::PerIteration);
    });
}

fn main() {
    let mut criterion = arterial_benches::criterion();
    verify_batch(&mut criterion);
    append(&mut criterion);
    criterion.final_summary();
}
