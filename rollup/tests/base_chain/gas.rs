//! What a block costs: the same on the embedded chain, on anvil and wherever the EVM has Ethereum's prices, whatever the
//! number of its records and shards.

use crate::{
    ethereum::Ethereum,
    stand_in::{StandIn, root, statement},
    suite::{Follower, Host},
};
use arterial_protocol::{BlockNumber, BlockStatement, StateRoot};
use arterial_rollup::{
    ManualClock, ProvenBlock,
    chain::{
        BaseChain, PostStatus,
        contract::Call,
        embedded::{EmbeddedChain, EmbeddedConfig},
    },
    proof::VerificationKey,
};
use arterial_storage::FileStorage;
use std::sync::Arc;
use tempfile::TempDir;

/// In steady state.
const GAS_MAX: u64 = 260_000;
/// EIP-1108: four pairings, and three products and sums for three public inputs.
const CURVE_GAS: u64 = 45_000 + 4 * 34_000 + 3 * (6_000 + 150);

/// An embedded chain that makes a block whenever it is asked to post.
pub(crate) struct Embedded {
    chain: EmbeddedChain,
    clock: ManualClock,
    _dir: TempDir,
}

impl Embedded {
    pub(crate) fn new(key: &[[u8; 32]; 22], genesis: StateRoot) -> Self {
        let (clock, dir) = (ManualClock::default(), TempDir::new().unwrap());
        let (files, config) = (Arc::new(FileStorage) as _, EmbeddedConfig::default());
        let time = Arc::new(clock.clone());
        let chain = EmbeddedChain::create(&files, dir.path(), config, genesis, key, time).unwrap();
        Self { chain, clock, _dir: dir }
    }

    pub(crate) fn gas_of(&self, block: &ProvenBlock) -> u64 {
        self.chain.post(block).unwrap();
        self.clock.advance_ms(1000);
        gas(&self.chain, block.statement().number)
    }
}

#[track_caller]
pub(crate) fn gas(chain: &dyn BaseChain, number: BlockNumber) -> u64 {
    match chain.status(number).unwrap() {
        PostStatus::Posted(inclusion) | PostStatus::Final(inclusion) => inclusion.gas_used,
        other => panic!("{number}: {other:?}"),
    }
}

#[test]
fn a_block_costs_the_same_on_anvil() {
    let Some(host) = Ethereum::new() else { return };
    let embedded = Embedded::new(&Follower::key_words(), root(0));
    let mut follower = Follower::new();
    for number in 1..=5 {
        follower.turn(&host.chain, number).unwrap();
        host.slot();
        let there = gas(&host.chain, BlockNumber(number));
        assert_eq!(embedded.gas_of(&follower.block(number)), there, "block {number}");
        assert!(number == 1 || there <= GAS_MAX, "block {number}: {there}");
    }
}

/// The contract knows nothing of shards: they shape the circuit, and a key is 22 words whatever they are. The number of
/// records is a part of one public input. What differs is calldata, where a byte that is 0 is 12 gas cheaper, and what
/// the sums of the public inputs take in code. Proofs here are made from the trapdoors of three keys; they are as real as
/// any to the contract.
#[test]
fn neither_shards_nor_records_show_in_the_gas() {
    println!(
        "{:>6} {:>10} {:>8} {:>12} {:>12} {:>11}",
        "shards", "records", "gas", "gas a record", "over curves", "zero bytes"
    );
    for (shards, label) in [(1, "of one shard"), (16, "of 16 shards"), (256, "of 256 shards")] {
        let prover = StandIn::new(label);
        let key = VerificationKey::from_words(&prover.key_words()).unwrap();
        let embedded = Embedded::new(&prover.key_words(), root(0));
        // The first block writes the slot of the newest number for the first time.
        for (number, record_count) in (1..).zip([1, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]) {
            let statement = BlockStatement { record_count, ..statement(number) };
            let proof = prover.prove(&statement);
            let gas = embedded.gas_of(&ProvenBlock::verify(statement, proof, &key).unwrap());
            let calldata = Call::post_block(&statement, &proof).encode();
            let zeros = calldata.iter().filter(|&&byte| byte == 0).count() as u64;
            if number == 1 {
                continue;
            }
            let (per_record, over) = (gas as f64 / record_count as f64, gas - CURVE_GAS);
            println!("{shards:>6} {record_count:>10} {gas:>8} {per_record:>12.4} {over:>12} {zeros:>11}");
            assert!(gas <= GAS_MAX, "{gas}");
            assert_eq!(gas + 12 * zeros, GAS_WITHOUT_ZEROS);
        }
    }
}

/// Gas of a block whose calldata has no zero byte.
const GAS_WITHOUT_ZEROS: u64 = 259_556;
