//! Accounts' deltas in blobs beside blocks, on anvil.

use crate::{
    ethereum::{self, Ethereum},
    gas::{Embedded, gas},
    nodes,
    stand_in::root,
    suite::{self, Follower, Host},
};
use arterial_protocol::{BlockNumber, DataDigest, Digest, Domain, FieldElement, ShardCount, ShardId};
use arterial_rollup::{
    chain::{
        ChainError,
        ethereum::{Beacon, Connection, Deltas, EthereumSettings},
    },
    delta::{AccountDelta, Delta, ShardDelta},
};
use std::{sync::Arc, time::Duration};

/// A blob has room for so many accounts of these, and a transaction for six blobs.
const ACCOUNTS: [u32; 4] = [1, 3_000, 8_000, 24_000];
const BLOBS: [usize; 3] = [1, 1, 3];
const BLOB_GAS: u64 = 131_072;

/// Deltas of no accounts that there are: a chain does not look at them.
struct Made;

impl Deltas for Made {
    fn delta(&self, number: BlockNumber) -> Result<Delta, ChainError> {
        Ok(delta(number))
    }
}

fn delta(number: BlockNumber) -> Delta {
    let account = |slot: u32| AccountDelta {
        slot,
        identity: None,
        head: Digest::reduce([slot.to_le_bytes()[0]; 32]),
        next_seq: 100,
        count: 100,
    };
    let length = ACCOUNTS[usize::try_from(number.0).unwrap() % ACCOUNTS.len()];
    let shard = ShardDelta {
        shard: ShardId(0),
        total_records: number.0,
        data: DataDigest([3; 32]),
        accounts: (0..length).map(account).collect(),
    };
    let shards = ShardCount::new(1).unwrap();
    Delta { domain: Domain(FieldElement::from(7_u64)), shards, number, changed: vec![shard] }
}

/// A chain that publishes deltas.
fn host() -> Option<Ethereum> {
    let mut host = Ethereum::new()?;
    // anvil loads its trusted setup at the first blob, which takes seconds.
    let patient =
        EthereumSettings { timeout: Duration::from_secs(60), ..ethereum::settings(&[host.anvil.url()]) };
    let connection = Connection::known(patient, Arc::new(host.clock.clone()), nodes::CHAIN_ID);
    let (address, key) = (host.chain.contract(), Follower::key_words());
    let chain = connection.open(ethereum::account(), address, &key, root(0)).unwrap();
    host.chain = chain.with_blobs(Arc::new(Made));
    Some(host)
}

#[test]
fn deltas_come_back_out_of_the_chain_and_blocks_cost_what_they_cost_without() {
    let Some(host) = host() else { return };
    let embedded = Embedded::new(&Follower::key_words(), root(0));
    let mut follower = Follower::new();
    follower.settle(&host, 4);
    let beacon = Beacon::new(host.anvil.url().parse().unwrap(), Duration::from_secs(5));
    let published = |number| host.chain.published_delta(BlockNumber(number), &beacon);
    for number in 1..=4 {
        let without = embedded.gas_of(&follower.block(number));
        assert_eq!(gas(&host.chain, BlockNumber(number)), without, "block {number}");
        if number == 3 {
            continue;
        }
        let found = published(number).unwrap();
        let blobs = BLOBS[usize::try_from(number % 4).unwrap()];
        assert_eq!(found.delta, delta(BlockNumber(number)));
        assert_eq!((found.blobs, found.blob_gas), (blobs, BLOB_GAS * blobs as u64), "block {number}");
        assert_eq!((found.bytes, found.gas), (found.delta.encode().len(), without));
        assert!(found.blob_gas_price > 0);
    }
    let why = |number| published(number).unwrap_err().to_string();
    assert!(why(3).contains("posted without blobs"), "{}", why(3));
    assert!(why(5).contains("is not in the contract"), "{}", why(5));
}

#[test]
fn blocks_with_blobs_outlive_drops_stalls_and_restarts() {
    let Some(host) = host() else { return };
    suite::outlives_drops_stalls_and_restarts(host);
}

/// Nodes replace a transaction with blobs only by one that pays twice as much.
#[test]
fn what_is_stuck_with_blobs_is_replaced() {
    let Some(host) = host() else { return };
    let mut follower = Follower::new();
    follower.turn(&host.chain, 1).unwrap();
    let before = ethereum::pool(&host.anvil);
    host.stall();
    follower.turn(&host.chain, 1).unwrap();
    let after = ethereum::pool(&host.anvil);
    assert_eq!((before.len(), after.len(), before[0].0), (1, 1, after[0].0));
    assert!(after[0].1 >= 2 * before[0].1, "{before:?} {after:?}");
    follower.settle(&host, 1);
}
