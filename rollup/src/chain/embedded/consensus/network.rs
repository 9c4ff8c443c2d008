//! The network between the validators: everything that is to happen, by virtual time. Order and latency follow from a seed.

use super::{
    certificate::Certificate,
    machine::{Timeout, Wait},
    record::Message,
};
use std::{collections::BTreeMap, sync::Arc};

/// What happens at some time.
pub(super) enum Event {
    /// A height begins for all.
    Begin { height: u64 },
    /// A validator takes part in the height that's not decided, or does so again, and is told what it missed.
    Join { validator: u32 },
    /// A message arrives.
    Arrival { to: u32, at: Option<u32>, message: Arc<Message> },
    /// A validator has waited.
    TimeOut { validator: u32, height: u64, timeout: Timeout },
    /// What was decided just before a restart and isn't on record.
    Decided(Certificate),
}

/// Times are microseconds since the chain's genesis.
pub(super) struct Network {
    slot_us: u64,
    events: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    random: u64,
}

impl Network {
    pub(super) fn new(slot_ms: u64, seed: u64) -> Self {
        Self { slot_us: slot_ms.saturating_mul(1000), events: BTreeMap::new(), scheduled: 0, random: seed }
    }

    pub(super) const fn slot_us(&self) -> u64 {
        self.slot_us
    }

    /// What every message takes at least: whatever is said within such a time can be on disk before any of it is heard.
    pub(super) const fn latency_min_us(&self) -> u64 {
        self.slot_us / 64
    }

    /// What a message takes, between validators that are not late.
    pub(super) fn latency_us(&mut self) -> u64 {
        let spread = self.latency_max_us() - self.latency_min_us();
        self.latency_min_us() + self.random() % (spread + 1)
    }

    pub(super) const fn latency_max_us(&self) -> u64 {
        self.slot_us / 16
    }

    /// How long a validator waits for something, longer in every round, so that some round is long enough for everybody.
    pub(super) const fn patience_us(&self, timeout: Timeout) -> u64 {
        let first = match timeout.wait {
            Wait::Propose => self.slot_us / 4,
            Wait::Prevote | Wait::Precommit => self.slot_us / 8,
        };
        first.saturating_add((self.slot_us / 8).saturating_mul(timeout.round as u64))
    }

    pub(super) fn schedule(&mut self, at_us: u64, event: Event) {
        self.scheduled += 1;
        self.events.insert((at_us, self.scheduled), event);
    }

    /// When something happens next.
    pub(super) fn next_us(&self) -> Option<u64> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// What happens next, if that's before a time.
    pub(super) fn take_before(&mut self, end_us: u64) -> Option<(u64, Event)> {
        let first = self.events.first_entry().filter(|first| first.key().0 < end_us)?;
        let ((at, _), event) = first.remove_entry();
        Some((at, event))
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
