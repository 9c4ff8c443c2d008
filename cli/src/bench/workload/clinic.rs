//! Clinics: FHIR bundles, many at once.

use super::{Planned, START_MS, Seqs, SplitMix64};
use crate::input::kind;
use arterial::shards::Lane;

/// Bytes of a bundle's Observations, together.
const BUNDLE_BYTES: usize = 51_000;
/// Bundles of a burst at most.
const BURST_BUNDLES: u64 = 16;
/// Bytes of an Observation: those of HL7's own R4 examples that have a reading.
const OBSERVATIONS: [usize; 14] =
    [1429, 1525, 1546, 1549, 1571, 2087, 2099, 2509, 2723, 3499, 4561, 5105, 5447, 7428];
const HOUR_MS: u64 = 3_600_000;

/// Clinics' systems, each a device, which send a burst in turn.
#[derive(Clone)]
pub(crate) struct Clinic {
    seqs: Seqs,
    random: SplitMix64,
    burst: u64,
    /// Left of the burst and of its first bundle.
    bundles: u64,
    bytes: usize,
}

impl Clinic {
    pub(super) fn new(devices: usize, seed: u64) -> Self {
        let mut random = SplitMix64(seed);
        let bundles = 1 + random.below(BURST_BUNDLES);
        Self { seqs: Seqs::new(devices), random, burst: 0, bundles, bytes: BUNDLE_BYTES }
    }

    pub(super) const fn devices(&self) -> usize {
        self.seqs.devices()
    }

    pub(super) fn next(&mut self) -> Planned {
        let observation = OBSERVATIONS[self.random.place(OBSERVATIONS.len())];
        // The last one is what is left, if that is no crumb.
        let payload_bytes = match self.bytes.checked_sub(observation) {
            Some(left) if left >= OBSERVATIONS[0] => observation,
            _ => self.bytes,
        };
        let device = self.seqs.turn(self.burst);
        let seq = self.seqs.next(device);
        let observed_at_ms = START_MS + self.burst / self.seqs.devices() as u64 * HOUR_MS + seq;
        self.bytes -= payload_bytes;
        if self.bytes == 0 {
            (self.bytes, self.bundles) = (BUNDLE_BYTES, self.bundles - 1);
        }
        if self.bundles == 0 {
            (self.burst, self.bundles) = (self.burst + 1, 1 + self.random.below(BURST_BUNDLES));
        }
        let (kind, lane) = (kind::FHIR_OBSERVATION, Lane::Routine);
        Planned { device, seq, observed_at_ms, kind, payload_bytes, lane }
    }
}
