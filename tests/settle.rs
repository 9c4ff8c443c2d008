//! What the engine takes over from a base chain that changes its mind.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use arterial::{
    At, BaseChain, BlockNumber, Contract, DeviceId, Engine, Enrolment, Lane, StateRoot, SteppedEngine, Tag,
    Write,
    protocol::{FieldElement, ShardCount, ShardId},
    rollup::{
        ManualClock, ProvenBlock,
        batch_proof::testing::SimulatedBatchProver,
        chain::{ChainError, Head, PostStatus},
        proof::testing::SimulatedProver,
    },
    shards::limits::SEGMENT_BYTES_MIN,
    storage::MemoryStorage,
};
use std::sync::{Arc, Mutex};

/// What the chain says of block 1, and what was posted as it.
#[derive(Default)]
struct Said {
    settled: u64,
    latest: Option<StateRoot>,
    finalized: Option<StateRoot>,
    posted: Option<StateRoot>,
}

#[derive(Default)]
struct Fickle(Mutex<Said>);

impl BaseChain for Fickle {
    fn chain_id(&self) -> u64 {
        7
    }

    fn post(&self, block: &ProvenBlock) -> Result<(), ChainError> {
        self.0.lock().unwrap().posted = Some(block.statement().new_state_root);
        Ok(())
    }

    fn status(&self, _: BlockNumber) -> Result<PostStatus, ChainError> {
        Ok(PostStatus::Unknown)
    }

    fn head(&self) -> Result<Head, ChainError> {
        let settled = BlockNumber(self.0.lock().unwrap().settled);
        Ok(Head { height: 9, finalized_height: 9, settled })
    }

    fn state_root(&self, _: BlockNumber, at: At) -> Result<Option<StateRoot>, ChainError> {
        let said = self.0.lock().unwrap();
        Ok(match at {
            At::Latest => said.latest,
            At::Finalized => said.finalized,
        })
    }
}

/// An engine with one block that was posted, its chain, and the block's root.
fn posted() -> (SteppedEngine, Arc<Fickle>, StateRoot) {
    let chain = Arc::new(Fickle::default());
    let opened = Arc::clone(&chain);
    let mut node = Engine::builder("/deployment")
        .shards(1)
        .segment_bytes(SEGMENT_BYTES_MIN)
        .prover(Arc::new(SimulatedProver::new(1, ShardCount::new(1).unwrap())))
        .batch_prover(Arc::new(SimulatedBatchProver::new(1)))
        .storage(Arc::new(MemoryStorage::default()))
        .clock(Arc::new(ManualClock::default()))
        .chain(7, move |_: &Contract<'_>| Ok(opened as Arc<dyn BaseChain>))
        .open_stepped()
        .unwrap();
    let device = DeviceId([1; 16]);
    node.engine().enroll(Enrolment::host(device)).unwrap();
    let write = Write { device, seq: 0, observed_at_ms: 1, kind: 1, payload: b"98" };
    let ticket = node.engine().submit(Lane::Routine, &write, Tag::Host).unwrap();
    while node.step_shard(ShardId(0)) {}
    ticket.wait().unwrap();
    node.want_blocks().unwrap();
    while node.step_blocks() {}
    node.step_settle();
    let ours = chain.0.lock().unwrap().posted.unwrap();
    (node, chain, ours)
}

/// How many blocks count as posted and as final after one more look, and whether a fault is told.
fn look(node: &SteppedEngine) -> (u64, u64, bool) {
    node.step_settle();
    let state = node.engine().state();
    (state.posted.0, state.finalized.0, state.fault.is_some())
}

fn other() -> StateRoot {
    StateRoot(FieldElement::from(7u64))
}

#[test]
fn what_becomes_final_is_compared_again() {
    let (node, chain, ours) = posted();
    let say = |finalized| chain.0.lock().unwrap().finalized = finalized;
    {
        let mut said = chain.0.lock().unwrap();
        (said.settled, said.latest) = (1, Some(ours));
    }
    assert_eq!(look(&node), (1, 0, false));
    say(Some(other()));
    assert_eq!(look(&node), (1, 0, true));
    say(Some(ours));
    assert_eq!(look(&node), (1, 1, false));
}

#[test]
fn a_block_counts_as_posted_once_it_was_compared() {
    let (node, chain, ours) = posted();
    let say = |latest| chain.0.lock().unwrap().latest = latest;
    chain.0.lock().unwrap().settled = 1;
    assert_eq!(look(&node), (0, 0, false), "it stands, and nobody has its root");
    say(Some(other()));
    assert_eq!(look(&node), (0, 0, true));
    say(Some(ours));
    assert_eq!(look(&node), (1, 0, false));
}
