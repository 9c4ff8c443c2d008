//! The suite on the embedded chain.

use crate::{
    stand_in::root,
    suite::{self, DEPTH_MAX, Follower, Host},
};
use arterial_rollup::{
    Clock, ManualClock,
    chain::{
        BaseChain,
        embedded::{EmbeddedChain, EmbeddedConfig},
    },
};
use arterial_storage::{FileStorage, Storage};
use std::sync::Arc;
use tempfile::TempDir;

const CONFIG: EmbeddedConfig =
    EmbeddedConfig { chain_id: 1337, slot_ms: 12_000, finality_slots: DEPTH_MAX + 2, validators: 0 };

struct Embedded {
    chain: Option<EmbeddedChain>,
    clock: ManualClock,
    dir: TempDir,
}

impl Embedded {
    fn new() -> Self {
        let (clock, dir) = (ManualClock::default(), TempDir::new().unwrap());
        let (files, time) = parts(&clock);
        let key = Follower::key_words();
        let chain = EmbeddedChain::create(&files, dir.path(), CONFIG, root(0), &key, time).unwrap();
        Self { chain: Some(chain), clock, dir }
    }

    fn get(&self) -> &EmbeddedChain {
        self.chain.as_ref().unwrap()
    }
}

fn parts(clock: &ManualClock) -> (Arc<dyn Storage>, Arc<dyn Clock>) {
    (Arc::new(FileStorage), Arc::new(clock.clone()))
}

impl Host for Embedded {
    fn chain(&self) -> &dyn BaseChain {
        self.get()
    }

    fn slot(&self) {
        self.clock.advance_ms(CONFIG.slot_ms);
    }

    fn stall(&self) {
        self.clock.advance_ms(CONFIG.slot_ms - 1);
    }

    fn reorganise(&self, depth: u64) {
        self.get().reorganise(depth).unwrap();
    }

    fn drop_pool(&self) {
        self.get().reorganise(0).unwrap();
    }

    fn restart(&mut self) {
        self.chain = None;
        let (files, time) = parts(&self.clock);
        self.chain = Some(EmbeddedChain::open(&files, self.dir.path(), CONFIG, time).unwrap());
    }

    /// Gas is free here.
    fn raise_fee(&self) {}
}

#[test]
fn posts_in_order() {
    suite::posts_in_order(Embedded::new());
}

#[test]
fn goes_back_and_comes_again() {
    suite::goes_back_and_comes_again(Embedded::new());
}

#[test]
fn outlives_drops_stalls_and_restarts() {
    suite::outlives_drops_stalls_and_restarts(Embedded::new());
}

#[test]
fn outlives_everything() {
    for seed in 0..8 {
        suite::outlives_everything(Embedded::new(), seed);
    }
}
