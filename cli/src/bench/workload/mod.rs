//! What the benches submit: which device writes what, in which lane, how large, and in what order.
//!
//! ```text
//! home    70% wearables' frames of a second, 128 bytes │ 20% vitals, 192 │ 5% glucose, 128 │ 5% FHIR JSON, 640–2,048
//! icu     each bed and second: four waveform frames of 1,024 bytes (bulk) and numerics of 256; an alarm of 512 (alarm
//!         lane) every five minutes. A bed is three devices, as a device's writes keep their order in one lane only
//! clinic  bursts of up to 16 FHIR bundles of 51 kB, cut into their Observations as the readers of files cut them
//! storm   home, busy by Zipf's law, while every twentieth device sends 1 to 12 hours of backlog (bulk), at once
//! ```
//!
//! Sizes are those of canonical records. Bytes of payloads are made up; no part of the write path looks at them.

mod clinic;
mod home;
mod icu;
mod random;
mod submitter;
#[cfg(test)]
mod tests;

pub(crate) use random::{SplitMix64, Zipf};
pub(crate) use submitter::{Call, Sink, Submitter, devices};

use crate::args::WorkloadName;
use arterial::{
    protocol::limits::{RECORD_ALIGN_BYTES, RECORD_HEAD_BYTES},
    shards::Lane,
};
use clinic::Clinic;
use home::Home;
use icu::Icu;

/// When the devices' clocks begin.
const START_MS: u64 = 1_735_689_600_000;

/// A write as a workload has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Planned {
    /// By its place among the submitter's.
    pub(crate) device: usize,
    pub(crate) seq: u64,
    pub(crate) observed_at_ms: u64,
    pub(crate) kind: u16,
    pub(crate) payload_bytes: usize,
    pub(crate) lane: Lane,
}

impl Planned {
    /// Bytes of its canonical record.
    pub(crate) const fn record_bytes(&self) -> usize {
        (RECORD_HEAD_BYTES + self.payload_bytes).next_multiple_of(RECORD_ALIGN_BYTES)
    }
}

/// The writes of one submitter's devices, without end; the same again when it is cloned.
#[derive(Clone)]
pub(crate) enum Source {
    /// All alike.
    Uniform(Uniform),
    Home(Home),
    Icu(Icu),
    Clinic(Clinic),
}

impl Source {
    /// A named workload of so many devices.
    pub(crate) fn named(name: WorkloadName, devices: usize, seed: u64) -> Self {
        match name {
            WorkloadName::Home => Self::Home(Home::new(devices, seed)),
            WorkloadName::Storm => Self::Home(Home::storm(devices, seed)),
            WorkloadName::Icu => Self::Icu(Icu::new(devices, seed)),
            WorkloadName::Clinic => Self::Clinic(Clinic::new(devices, seed)),
        }
    }

    /// How many devices there are: of beds, whole ones.
    pub(crate) const fn devices(&self) -> usize {
        match self {
            Self::Uniform(uniform) => uniform.seqs.devices(),
            Self::Home(home) => home.devices(),
            Self::Icu(icu) => icu.devices(),
            Self::Clinic(clinic) => clinic.devices(),
        }
    }

    pub(crate) fn next(&mut self) -> Planned {
        match self {
            Self::Uniform(uniform) => uniform.next(),
            Self::Home(home) => home.next(),
            Self::Icu(icu) => icu.next(),
            Self::Clinic(clinic) => clinic.next(),
        }
    }
}

/// Which device writes next.
#[derive(Clone)]
pub(crate) enum Order {
    /// Each in turn.
    Turns,
    /// By Zipf's law.
    Zipf(Zipf),
}

/// Records of one size and lane.
#[derive(Clone)]
pub(crate) struct Uniform {
    order: Order,
    seqs: Seqs,
    payload_bytes: usize,
    lane: Lane,
    planned: u64,
    random: SplitMix64,
}

impl Uniform {
    pub(crate) fn new(order: Order, devices: usize, payload_bytes: usize, lane: Lane) -> Self {
        Self { order, seqs: Seqs::new(devices), payload_bytes, lane, planned: 0, random: SplitMix64(7) }
    }

    fn next(&mut self) -> Planned {
        let device = match &self.order {
            Order::Turns => self.seqs.turn(self.planned),
            Order::Zipf(zipf) => zipf.draw(&mut self.random),
        };
        self.planned += 1;
        let seq = self.seqs.next(device);
        let (payload_bytes, lane) = (self.payload_bytes, self.lane);
        Planned { device, seq, observed_at_ms: START_MS + seq, kind: 1, payload_bytes, lane }
    }
}

/// How often each device has written.
#[derive(Clone)]
struct Seqs(Vec<u32>);

impl Seqs {
    fn new(devices: usize) -> Self {
        Self(vec![0; devices.max(1)])
    }

    const fn devices(&self) -> usize {
        self.0.len()
    }

    /// Whose turn the n-th one is, if all write in turn.
    #[expect(clippy::cast_possible_truncation, reason = "a remainder by a length is below it")]
    const fn turn(&self, n: u64) -> usize {
        (n % self.0.len() as u64) as usize
    }

    fn next(&mut self, device: usize) -> u64 {
        let seq = self.0[device];
        self.0[device] += 1;
        seq.into()
    }
}

/// The payload of a record of this many bytes without padding.
const fn payload_of(record_bytes: usize) -> usize {
    record_bytes - RECORD_HEAD_BYTES
}
