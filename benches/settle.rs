//! The settlement contract in its EVM, and the embedded chain's history.
#![allow(clippy::unwrap_used, reason = "a bench panics where it fails")]

use arterial_protocol::{BlockNumber, DataDigest, Domain, ShardCount, ShardLeaf, StateRoot};
use arterial_rollup::{
    ManualClock,
    chain::{
        contract::{Address, Call},
        embedded::{EmbeddedChain, EmbeddedConfig, SEQUENCER, Transaction},
    },
    circuit::BlockWitness,
    proof::{BlockProver as _, testing::SimulatedProver},
};
use arterial_storage::{FileStorage, Storage};
use criterion::{Criterion, Throughput};
use std::{path::Path, sync::Arc};

fn domain() -> Domain {
    Domain::derive(1, &[6; 32])
}

/// The call that posts a deployment's first block, and a chain that waits for it. The contract can't tell the proof from
/// one that took longer to make.
fn first_block(dir: &Path, clock: &ManualClock) -> (EmbeddedChain, Transaction) {
    let shards = ShardCount::new(16).unwrap();
    let prover = SimulatedProver::new(1, shards);
    let old: Vec<ShardLeaf> = shards.iter().map(ShardLeaf::genesis).collect();
    let moved = |leaf: &ShardLeaf| ShardLeaf { total_records: 1000, data: DataDigest([7; 32]), ..*leaf };
    let new = old.iter().map(moved).collect();
    let witness = BlockWitness { domain: domain(), number: BlockNumber(1), old, new };
    let block = prover.prove(&witness).unwrap();
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let chain = EmbeddedChain::create(
        &storage,
        dir,
        EmbeddedConfig::default(),
        StateRoot::genesis(domain(), shards),
        &prover.verification_key().words(),
        Arc::new(clock.clone()),
    );
    let calldata = Call::post_block(block.statement(), block.proof()).encode();
    (chain.unwrap(), Transaction { caller: SEQUENCER, calldata })
}

/// The whole call: pairings, checks, storage. Gas is printed: it is what others pay.
fn post_block(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let (chain, transaction) = first_block(&dir.path().join("chain"), &ManualClock::default());
    let outcome = chain.simulate(&transaction).unwrap();
    outcome.result.unwrap();
    println!("contract::post_block: {} gas for the first block of a deployment", outcome.gas_used);
    let mut group = criterion.benchmark_group("contract::post_block");
    group.throughput(Throughput::Elements(1));
    group.bench_function("shards=16", |bench| {
        bench.iter(|| chain.simulate(&transaction).unwrap().result.unwrap());
    });
}

/// One small transaction in a block of its own: run, appended to the history, synced.
fn append(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let (chain, _) = first_block(&dir.path().join("chain"), &clock);
    let mut group = criterion.benchmark_group("embedded::block");
    group.throughput(Throughput::Elements(1));
    group.bench_function("transactions=1", |bench| {
        bench.iter(|| {
            let asked = Transaction { caller: Address([7; 20]), calldata: Call::Latest.encode() };
            let id = chain.send(asked).unwrap();
            clock.advance_ms(1000);
            chain.outcome(id).unwrap().unwrap().result.unwrap()
        });
    });
}

fn main() {
    let mut criterion = arterial_benches::criterion();
    post_block(&mut criterion);
    append(&mut criterion);
    criterion.final_summary();
}
