//! A base chain that delays, forgets, refuses and reorganises, and remembers what was ever posted.

use arterial::{
    BaseChain, BlockNumber, StateRoot,
    rollup::{
        ProvenBlock,
        chain::{At, ChainError, Head, PostStatus, embedded::EmbeddedChain},
    },
};
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use std::{collections::BTreeMap, io, sync::Arc};

/// What outlives every node that talks to the chain.
pub(crate) struct World {
    random: Xoshiro256PlusPlus,
    /// How many calls in a hundred go wrong in one of the ways there are.
    pub(crate) trouble: u32,
    /// Every block that was ever posted.
    posts: BTreeMap<BlockNumber, ProvenBlock>,
    /// Accepted, and on their way.
    held: Vec<ProvenBlock>,
}

impl World {
    pub(crate) fn new(seed: u64, trouble: u32) -> Arc<Mutex<Self>> {
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        Arc::new(Mutex::new(Self { random, trouble, posts: BTreeMap::new(), held: Vec::new() }))
    }

    fn goes_wrong(&mut self) -> bool {
        self.trouble > 0 && self.random.random_range(0..100) < self.trouble
    }

    /// The root that was posted for a block.
    pub(crate) fn posted(&self, number: BlockNumber) -> Option<StateRoot> {
        self.posts.get(&number).map(|block| block.statement().new_state_root)
    }
}

/// An embedded chain behind a bad connection.
pub(crate) struct FaultyChain {
    pub(crate) inner: Arc<EmbeddedChain>,
    pub(crate) world: Arc<Mutex<World>>,
}

fn unreachable_now() -> ChainError {
    ChainError::Io { what: "asking the chain".into(), source: io::Error::other("simulated outage") }
}

impl FaultyChain {
    fn ask<T>(
        &self,
        question: impl FnOnce(&EmbeddedChain) -> Result<T, ChainError>,
    ) -> Result<T, ChainError> {
        let mut world = self.world.lock();
        if world.goes_wrong() {
            return Err(unreachable_now());
        }
        if world.random.random_range(0..4) == 0 {
            for block in std::mem::take(&mut world.held) {
                // Late, it may find another in its place.
                let _ = self.inner.post(&block);
            }
        }
        question(&self.inner)
    }
}

impl BaseChain for FaultyChain {
    fn chain_id(&self) -> u64 {
        self.inner.chain_id()
    }

    fn post(&self, block: &ProvenBlock) -> Result<(), ChainError> {
        let mut world = self.world.lock();
        let number = block.statement().number;
        let first = world.posts.entry(number).or_insert_with(|| block.clone());
        assert!(first == block, "block {number} was posted with two contents");
        if !world.goes_wrong() {
            return self.inner.post(block);
        }
        match world.random.random_range(0..4) {
            0 => Err(unreachable_now()),
            // Forgotten.
            1 => Ok(()),
            2 => {
                world.held.push(block.clone());
                Ok(())
            }
            // Taken, and the answer is lost.
            _ => self.inner.post(block).and(Err(unreachable_now())),
        }
    }

    fn status(&self, number: BlockNumber) -> Result<PostStatus, ChainError> {
        self.ask(|chain| chain.status(number))
    }

    fn head(&self) -> Result<Head, ChainError> {
        self.ask(BaseChain::head)
    }

    fn state_root(&self, number: BlockNumber, at: At) -> Result<Option<StateRoot>, ChainError> {
        self.ask(|chain| chain.state_root(number, at))
    }
}
