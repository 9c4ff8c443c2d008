//! The suite on the embedded chain: on one node, and on validators.

use crate::{
    stand_in::root,
    suite::{self, DEPTH_MAX, Follower, Host},
};
use arterial_protocol::{BlockNumber, StateRoot};
use arterial_rollup::{
    Clock, ManualClock,
    chain::{
        BaseChain,
        embedded::{Check, Conduct, EmbeddedChain, EmbeddedConfig, Verdict},
    },
};
use arterial_storage::{FileStorage, Storage};
use std::sync::Arc;
use tempfile::TempDir;

const CONFIG: EmbeddedConfig = EmbeddedConfig {
    chain_id: 1337,
    slot_ms: 12_000,
    finality_slots: DEPTH_MAX + 2,
    validators: Vec::new(),
    seed: 0,
};

/// Of blocks that were made for a test nothing is published that could be checked.
struct Trusting;

impl Check for Trusting {
    fn check(&self, _: BlockNumber, _: StateRoot) -> Verdict {
        Verdict::Valid
    }
}

struct Embedded {
    chain: Option<EmbeddedChain>,
    config: EmbeddedConfig,
    clock: ManualClock,
    dir: TempDir,
}

impl Embedded {
    fn new() -> Self {
        Self::with(CONFIG)
    }

    /// Of four validators one is two-faced, until it is slashed, and all others are needed from then on.
    fn consortium(seed: u64) -> Self {
        let this = Self::with(EmbeddedConfig { validators: vec![4, 3, 3, 3], seed, ..CONFIG });
        assert!(this.get().set_conduct(3, Conduct::Equivocating));
        this
    }

    fn with(config: EmbeddedConfig) -> Self {
        let (clock, dir) = (ManualClock::default(), TempDir::new().unwrap());
        let (files, time) = parts(&clock);
        let key = Follower::key_words();
        let chain = EmbeddedChain::create(&files, dir.path(), config.clone(), root(0), &key, time).unwrap();
        Self { chain: Some(chain.with_check(Box::new(Trusting))), config, clock, dir }
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
        let chain = EmbeddedChain::open(&files, self.dir.path(), self.config.clone(), time).unwrap();
        self.chain = Some(chain.with_check(Box::new(Trusting)));
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

/// What a consortium decided it does not take back, so that there is nothing of it in the suite's reorganisations.
#[test]
fn a_consortium_posts_in_order() {
    suite::posts_in_order(Embedded::consortium(1));
}

#[test]
fn a_consortium_outlives_drops_stalls_and_restarts() {
    suite::outlives_drops_stalls_and_restarts(Embedded::consortium(2));
}

#[test]
fn a_consortium_outlives_everything() {
    for seed in 0..8 {
        suite::outlives_everything(Embedded::consortium(seed), seed);
    }
}
