//! Moving accounts, and proving blocks.
#![allow(clippy::unwrap_used, reason = "a bench panics where it fails")]

use arterial_protocol::{
    AccountRun, Batch, BlockNumber, DataDigest, Digest, Domain, Link, ShardCount, ShardId, ShardLeaf,
};
use arterial_rollup::{
    accounts::{AccountsFile, AccountsTree, TreeRoot},
    circuit::BlockWitness,
    proof::{BlockProver as _, KeyPair, Prover},
};
use arterial_storage::FileStorage;
use criterion::{BatchSize, Criterion, Throughput};
use std::cell::Cell;

/// A batch with one record of each of so many accounts; the first one enrols them.
fn batch(number: u32, accounts: u32) -> Batch {
    let mut batch = Batch::new(ShardId(0), BlockNumber(number.into()));
    let link = Link { digest: Digest::reduce([3; 32]), seq: number, observed_at_ms: 1 << 40, kind: 1 };
    for slot in 0..accounts {
        let enrolment = (number == 1).then(|| Digest::reduce([5; 32]));
        batch.push(AccountRun { slot, enrolment, links: &[link] }).unwrap();
    }
    batch
}

/// Heads, leaves, nodes, and the durable append of them.
fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("accounts::apply");
    for accounts in [1 << 12, 1 << 14] {
        let dir = tempfile::tempdir().unwrap();
        let domain = Domain::derive(1, &[6; 32]);
        let file = AccountsFile::open(&FileStorage, &dir.path().join("0.nodes"), ShardId(0), domain).unwrap();
        let mut tree = AccountsTree::open(&file, TreeRoot::genesis()).unwrap();
        tree.apply(&batch(1, accounts), &file).unwrap();
        let number = Cell::new(1);
        let next = || {
            number.set(number.get() + 1);
            batch(number.get(), accounts)
        };
        group.sample_size(20).throughput(Throughput::Elements(accounts.into()));
        group.bench_function(format!("touched={accounts}"), |bench| {
            bench.iter_batched(next, |batch| tree.apply(&batch, &file).unwrap(), BatchSize::PerIteration);
        });
    }
}

/// A block in which every shard has records.
fn prove(criterion: &mut Criterion) {
    let shards = ShardCount::new(16).unwrap();
    let prover = Prover::new(KeyPair::generate(shards).unwrap());
    let old: Vec<ShardLeaf> = shards.iter().map(ShardLeaf::genesis).collect();
    let moved = |leaf: &ShardLeaf| ShardLeaf { total_records: 1000, data: DataDigest([7; 32]), ..*leaf };
    let witness = BlockWitness {
        domain: Domain::derive(1, &[6; 32]),
        number: BlockNumber(1),
        new: old.iter().map(moved).collect(),
        old,
    };
    let mut group = criterion.benchmark_group("proof::prove");
    group.sample_size(10).throughput(Throughput::Elements(1));
    group.bench_function(format!("shards={}", shards.get()), |bench| {
        bench.iter(|| prover.prove(&witness).unwrap());
    });
}

fn main() {
    let mut criterion = arterial_benches::criterion();
    apply(&mut criterion);
    prove(&mut criterion);
    criterion.final_summary();
}
