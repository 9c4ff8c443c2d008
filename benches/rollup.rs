//! Moving accounts, and proving blocks.
#![allow(clippy::unwrap_used, reason = "a bench panics where it fails")]

use arterial_protocol::{
    AccountRun, Batch, BlockNumber, DataDigest, Digest, Domain, Link, ShardCount, ShardId, ShardLeaf,
};
use arterial_rollup::{
    BlockStore, ProvenBatches, ShardState, StoredBlock,
    accounts::{AccountsFile, AccountsTree, TreeRoot},
    batch_proof::{BatchProofs, BatchProver as _, BatchWitness, Options, StarkProver, Witness},
    circuit::BlockWitness,
    proof::{BlockProver as _, KeyPair, Prover},
};
use arterial_storage::{FileStorage, MemoryStorage, Storage};
use criterion::{BatchSize, Criterion, Throughput};
use std::{cell::Cell, hint::black_box, path::Path, sync::Arc};

fn domain() -> Domain {
    Domain::derive(1, &[6; 32])
}

/// A batch with so many records of each of so many accounts; the first one enrols them.
fn batch(number: u32, accounts: u32, records: u32) -> Batch {
    let mut batch = Batch::new(ShardId(0), BlockNumber(number.into()));
    let link = |n| Link {
        digest: Digest::reduce([3; 32]),
        seq: number * records + n,
        observed_at_ms: 1 << 40,
        kind: 1,
    };
    let links: Vec<Link> = (0..records).map(link).collect();
    for slot in 0..accounts {
        let enrolment = (number == 1).then(|| Digest::reduce([5; 32]));
        batch.push(AccountRun { slot, enrolment, links: &links }).unwrap();
    }
    batch
}

/// Heads, leaves, nodes, and the durable append of them.
fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("accounts::apply");
    for accounts in [1 << 12, 1 << 14] {
        let dir = tempfile::tempdir().unwrap();
        let file =
            AccountsFile::open(&FileStorage, &dir.path().join("0.nodes"), ShardId(0), domain()).unwrap();
        let mut tree = AccountsTree::open(&file, TreeRoot::genesis()).unwrap();
        tree.apply(&batch(1, accounts, 1), &file).unwrap();
        let number = Cell::new(1);
        let next = || {
            number.set(number.get() + 1);
            batch(number.get(), accounts, 1)
        };
        group.throughput(Throughput::Elements(accounts.into()));
        group.bench_function(format!("touched={accounts}"), |bench| {
            bench.iter_batched(next, |batch| tree.apply(&batch, &file).unwrap(), BatchSize::PerIteration);
        });
    }
}

/// A small block's batch: what every proof takes at least, more than what its records take.
fn prove_batch(criterion: &mut Criterion) {
    const RECORDS: u32 = 1024;
    let file =
        AccountsFile::open(&MemoryStorage::default(), Path::new("0.nodes"), ShardId(0), domain()).unwrap();
    let mut tree = AccountsTree::open(&file, TreeRoot::genesis()).unwrap();
    tree.apply(&batch(1, RECORDS / 4, 0), &file).unwrap();
    let batch = batch(2, RECORDS / 4, 4);
    let before = tree.before(&batch);
    let data = DataDigest::of(&batch.encode());
    let batches = [BatchWitness { batch: &batch, accounts: before.accounts(), tree: &before, data }];
    let witness = Witness { number: batch.number, batches: &batches };
    let prove = || StarkProver.prove(&witness, &Options::default()).unwrap();
    let proven = prove();

    let mut group = criterion.benchmark_group("batch_proof::prove");
    group.sample_size(10).throughput(Throughput::Elements(RECORDS.into()));
    group.bench_function(format!("records={RECORDS}"), |bench| bench.iter(prove));
    drop(group);
    let mut group = criterion.benchmark_group("batch_proof::verify");
    group.sample_size(10).throughput(Throughput::Bytes(proven.proof().len() as u64));
    group.bench_function(format!("records={RECORDS}"), |bench| {
        bench.iter(|| StarkProver.verify(proven.statement(), black_box(proven.proof())).unwrap());
    });
    drop(group);
    store_batches(criterion, &proven);
}

/// Written and synced.
fn store_batches(criterion: &mut Criterion, proven: &ProvenBatches) {
    let dir = tempfile::tempdir().unwrap();
    let proofs = BatchProofs::new(Arc::new(FileStorage), dir.path());
    let mut group = criterion.benchmark_group("batch_proof::write");
    group.throughput(Throughput::Bytes(proven.proof().len() as u64));
    group.bench_function("records=1024", |bench| bench.iter(|| proofs.write(black_box(proven)).unwrap()));
}

/// A block in which every shard has records.
fn prove(criterion: &mut Criterion) {
    let shards = ShardCount::new(16).unwrap();
    let prover = Prover::new(KeyPair::generate(shards).unwrap());
    let old: Vec<ShardLeaf> = shards.iter().map(ShardLeaf::genesis).collect();
    let moved = |leaf: &ShardLeaf| ShardLeaf { total_records: 1000, data: DataDigest([7; 32]), ..*leaf };
    let witness =
        BlockWitness { domain: domain(), number: BlockNumber(1), new: old.iter().map(moved).collect(), old };
    let settings = format!("shards={}", shards.get());
    // Its rules checked and its roots computed: what is left of the witness is made inside the proof.
    let mut group = criterion.benchmark_group("circuit::statement");
    group.throughput(Throughput::Elements(shards.get().into()));
    group.bench_function(&settings, |bench| bench.iter(|| black_box(&witness).statement().unwrap()));
    drop(group);
    let mut group = criterion.benchmark_group("proof::prove");
    group.sample_size(10).throughput(Throughput::Elements(1));
    group.bench_function(&settings, |bench| bench.iter(|| prover.prove(&witness).unwrap()));
    drop(group);
    let block = prover.prove(&witness).unwrap();
    let mut group = criterion.benchmark_group("proof::verify");
    group.throughput(Throughput::Elements(1));
    group.bench_function(&settings, |bench| {
        bench.iter(|| prover.verification_key().verify(block.statement(), black_box(block.proof())).unwrap());
    });
    drop(group);

    let dir = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let store = BlockStore::open(storage, dir.path().join("blocks"), witness.domain, shards).unwrap();
    let states = witness.new.iter().map(|&leaf| ShardState { leaf, accounts: TreeRoot::genesis() });
    let stored = StoredBlock { block, shards: states.collect() };
    let mut group = criterion.benchmark_group("block_store::write");
    group.throughput(Throughput::Elements(1));
    group.bench_function(&settings, |bench| bench.iter(|| store.write(black_box(&stored)).unwrap()));
}

fn main() {
    let mut criterion = arterial_benches::criterion();
    apply(&mut criterion);
    prove_batch(&mut criterion);
    prove(&mut criterion);
    criterion.final_summary();
}
