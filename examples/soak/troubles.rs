//! What goes wrong, in an order that follows from the seed.

use crate::{
    nodes::Anvil,
    weather::{FAIR, FOUL, Weather},
};
use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use serde_json::json;
use std::time::{Duration, Instant};

/// Of what is not final yet, with a finality eight blocks deep.
const REORGANISATION_MAX: u64 = 6;
const GWEI: u64 = 1_000_000_000;

/// How often each befell.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) reorganisations: u64,
    pub(crate) blocks_undone: u64,
    pub(crate) kills: u64,
    pub(crate) node_restarts: u64,
    pub(crate) pools_dropped: u64,
    pub(crate) fee_spikes: u64,
    pub(crate) highest_fee_gwei: u64,
    pub(crate) foul_spells: u64,
}

pub(crate) struct Troubles {
    random: Xoshiro256PlusPlus,
    pub(crate) counts: Counts,
    /// When the node comes back, while it is down.
    node_back: Option<Instant>,
    /// The height at which the node began anew: anvil loses every account where a reorganisation reaches below it.
    node_began_at: u64,
    fair_again: Option<Instant>,
}

impl Troubles {
    pub(crate) fn new(seed: u64, height: u64) -> Self {
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            counts: Counts::default(),
            node_back: None,
            node_began_at: height,
            fair_again: None,
        }
    }

    /// A second's; whether the worker is to be killed.
    pub(crate) fn second(&mut self, anvil: &mut Anvil, weather: &Weather) -> bool {
        self.change_back(anvil, weather);
        let dice: [u32; 6] = std::array::from_fn(|_| self.random.random_range(0..120));
        let [reorganise, drop_pool, spike, foul, restart, kill] = dice;
        if self.node_back.is_none() {
            if reorganise < 12 {
                self.reorganise(anvil);
            }
            if drop_pool < 3 {
                self.counts.pools_dropped += 1;
                anvil.ask("anvil_dropAllTransactions", json!([]));
            }
            if spike < 2 {
                self.spike(anvil);
            }
            if restart < 2 {
                self.counts.node_restarts += 1;
                anvil.end();
                self.node_back = Some(self.within(0, 10_000));
            }
        }
        if foul < 4 && self.fair_again.is_none() {
            self.counts.foul_spells += 1;
            weather.set(FOUL);
            self.fair_again = Some(self.within(2_000, 15_000));
        }
        self.counts.kills += u64::from(kill < 3);
        kill < 3
    }

    /// From here on nothing goes wrong.
    pub(crate) fn end(&mut self, anvil: &mut Anvil, weather: &Weather) {
        let now = Some(Instant::now());
        (self.node_back, self.fair_again) = (self.node_back.and(now), now);
        self.change_back(anvil, weather);
        weather.set(0);
    }

    fn change_back(&mut self, anvil: &mut Anvil, weather: &Weather) {
        let is_past = |at: &mut Instant| *at <= Instant::now();
        if self.node_back.take_if(is_past).is_some() {
            anvil.begin();
            self.node_began_at = anvil.height();
        }
        if self.fair_again.take_if(is_past).is_some() {
            weather.set(FAIR);
        }
    }

    fn reorganise(&mut self, anvil: &Anvil) {
        let depth = self.random.random_range(1..=REORGANISATION_MAX);
        let depth = depth.min(anvil.height() - self.node_began_at);
        if depth > 0 {
            self.counts.reorganisations += 1;
            self.counts.blocks_undone += depth;
            anvil.ask("anvil_reorg", json!([depth, []]));
        }
    }

    /// Above what the worker may pay, for some of them for a dozen blocks: it falls by an eighth a block.
    fn spike(&mut self, anvil: &Anvil) {
        let gwei = self.random.random_range(20..500);
        self.counts.fee_spikes += 1;
        self.counts.highest_fee_gwei = self.counts.highest_fee_gwei.max(gwei);
        anvil.ask("anvil_setNextBlockBaseFeePerGas", json!([format!("{:#x}", gwei * GWEI)]));
    }

    fn within(&mut self, from_ms: u64, to_ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(self.random.random_range(from_ms..to_ms))
    }
}
