//! Hashing records, and checking receipts.
#![allow(clippy::unwrap_used, reason = "a bench panics where it fails")]

use arterial_protocol::{
    Account, BlockNumber, BundleTree, Credential, DataDigest, DeviceId, Digest, Domain, Evidence, Receipt,
    Record, Salt, ShardId, ShardLeaf, Stage, StateRoot, Write, bundle, empty_subtree,
    lanes::{self, Mode},
    limits::{ACCOUNTS_DEPTH, RECORD_HEAD_BYTES},
    poseidon::koala,
};
use criterion::{Criterion, Throughput};
use ed25519_zebra::SigningKey;
use std::hint::black_box;

const DEVICE: DeviceId = DeviceId([0x5a; 16]);

fn record(seq: u64, payload: &[u8]) -> Record {
    let write = Write { device: DEVICE, seq, observed_at_ms: 1_700_000_000_000, kind: 1, payload };
    Record::new(Salt::derive(&[9; 32], DEVICE, seq), &write).unwrap()
}

fn hash(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record::digest");
    for bytes in [128, 1024] {
        let record = record(0, &vec![0xab; bytes - RECORD_HEAD_BYTES]);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("bytes={bytes}"), |bench| bench.iter(|| black_box(&record).digest()));
    }
}

/// The write path's hashing: the messages of one group, many of one length side by side, or one after the other.
fn hash_many(criterion: &mut Criterion) {
    const MESSAGES: usize = 4096;
    for bytes in [64, 128, 1024] {
        let data = vec![0xab; MESSAGES * bytes];
        let messages: Vec<&[u8]> = data.chunks(bytes).collect();
        let mut out = vec![[0; 32]; MESSAGES];
        let mut bench = |name: &str, hash: &mut dyn FnMut(&mut [[u8; 32]])| {
            let mut group = criterion.benchmark_group(name);
            group.throughput(Throughput::Elements(MESSAGES as u64));
            group.bench_function(format!("bytes={bytes}"), |bench| bench.iter(|| hash(black_box(&mut out))));
        };
        bench("lanes::hash_many", &mut |out| lanes::hash_many(Mode::Mac, black_box(&messages), out));
        bench("blake3::hash", &mut |out| {
            for (message, out) in black_box(&messages).iter().zip(out) {
                *out = *blake3::hash(message).as_bytes();
            }
        });
    }
}

/// A gateway's leaves and tree.
fn bundle(criterion: &mut Criterion) {
    let payload = [0xab; 56];
    let write =
        |seq| Write { device: DEVICE, seq, observed_at_ms: 1_700_000_000_000, kind: 1, payload: &payload };
    for count in [64, 4096] {
        let writes: Vec<Write<'_>> = (0..count).map(write).collect();
        let leaves = bundle::leaves(&[3; 32], &writes);
        let mut group = criterion.benchmark_group("bundle::leaves");
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("writes={count}"), |bench| {
            bench.iter(|| bundle::leaves(&[3; 32], black_box(&writes)));
        });
        drop(group);
        let mut group = criterion.benchmark_group("bundle::tree");
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("writes={count}"), |bench| {
            bench.iter(|| BundleTree::new(black_box(&leaves).clone()).unwrap());
        });
    }
}

/// A receipt with this many later records in its block, and the root it is of; a deployment of one shard.
fn receipt(later: u64) -> (Receipt, StateRoot) {
    let signing = SigningKey::from_bytes(&[7; 32]);
    let credential = Credential::Ed25519(signing.verification_key().into());
    let records: Vec<Record> = (0..=later).map(|seq| record(seq, b"98 bpm")).collect();
    let mut account = Account::open(credential.identity(DEVICE));
    for record in &records {
        account.extend(0, &record.link()).unwrap();
    }
    let accounts_path: [Digest; ACCOUNTS_DEPTH] = std::array::from_fn(empty_subtree);
    let accounts_root = accounts_path.iter().fold(account.leaf(), |node, &empty| koala::node(node, empty));
    let (domain, number, data) = (Domain::derive(1, &[6; 32]), BlockNumber(1), DataDigest([4; 32]));
    let leaf = ShardLeaf { shard: ShardId(0), accounts_root, total_records: later + 1, data };
    let mut signed_bytes = Vec::new();
    records[0].write().signed_bytes(&mut signed_bytes);
    let receipt = Receipt {
        stage: Stage::Final,
        domain,
        number,
        record: records[0].clone(),
        credential,
        evidence: Evidence::Signature(signing.sign(&signed_bytes).into()),
        slot: 0,
        head_before: Digest::ZERO,
        later: records[1..].iter().map(Record::link).collect(),
        head_after: account.head,
        count: account.count,
        accounts_path,
        accounts_root,
        total_records: later + 1,
        data,
        shards_path: Vec::new(),
    };
    (receipt, StateRoot::compute(domain, number, &[leaf]))
}

fn check(criterion: &mut Criterion) {
    for later in [0, 100] {
        let (receipt, root) = receipt(later);
        let bytes = receipt.encode();
        let mut group = criterion.benchmark_group("receipt::decode");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("later={later}"), |bench| {
            bench.iter(|| Receipt::decode(black_box(&bytes)).unwrap());
        });
        drop(group);
        let mut group = criterion.benchmark_group("receipt::verify");
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("later={later}"), |bench| {
            bench.iter(|| black_box(&receipt).verify(&root).unwrap());
        });
    }
}

fn main() {
    let mut criterion = arterial_benches::criterion();
    hash(&mut criterion);
    hash_many(&mut criterion);
    bundle(&mut criterion);
    check(&mut criterion);
    criterion.final_summary();
}
