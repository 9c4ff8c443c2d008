//! People at home: wearables, vitals, glucose, FHIR; and a storm of them, after an outage.

use super::{Planned, START_MS, Seqs, SplitMix64, Zipf, payload_of};
use crate::input::kind;
use arterial::shards::Lane;

/// Devices in which every class is as often as in all.
const GROUP: usize = 20;
const HOUR_MS: u64 = 3_600_000;
/// Hours of backlog that a device flushes.
const BACKLOG_HOURS: std::ops::RangeInclusive<u64> = 1..=12;
/// What a device sends of its backlog before the next one has its turn.
const BACKLOG_RUN: u32 = 32;

/// What a device is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Wearable,
    Vitals,
    Glucose,
    Fhir,
}

impl Class {
    /// 14, 4, 1 and 1 of twenty.
    const fn of(device: usize) -> Self {
        match device % GROUP {
            0..14 => Self::Wearable,
            14..18 => Self::Vitals,
            18 => Self::Glucose,
            _ => Self::Fhir,
        }
    }

    /// How far apart a device's readings are.
    const fn period_ms(self) -> u64 {
        match self {
            Self::Wearable => 1000,
            Self::Vitals => 60_000,
            Self::Glucose => 300_000,
            Self::Fhir => 900_000,
        }
    }

    const fn kind(self) -> u16 {
        match self {
            Self::Wearable => kind::PPG,
            Self::Vitals => kind::SPO2,
            Self::Glucose => kind::GLUCOSE,
            Self::Fhir => kind::FHIR_OBSERVATION,
        }
    }

    fn payload_bytes(self, random: &mut SplitMix64) -> usize {
        match self {
            Self::Wearable | Self::Glucose => payload_of(128),
            Self::Vitals => payload_of(192),
            // 640, 704, … 2,048 bytes.
            Self::Fhir => payload_of(640 + 64 * random.place(23)),
        }
    }
}

/// Homes. Every device writes as often as any other of its class, so that shares are of records.
#[derive(Clone)]
pub(crate) struct Home {
    seqs: Seqs,
    random: SplitMix64,
    planned: u64,
    storm: Option<Storm>,
}

/// What makes a storm of it.
#[derive(Clone)]
struct Storm {
    /// Over groups of devices, so that classes keep their shares.
    zipf: Zipf,
    /// Each flushing device with the readings that it has left, in turn.
    backlogs: Vec<(usize, u32)>,
    turn: usize,
    run: u32,
}

impl Home {
    pub(super) fn new(devices: usize, seed: u64) -> Self {
        Self { seqs: Seqs::new(devices), random: SplitMix64(seed), planned: 0, storm: None }
    }

    pub(super) fn storm(devices: usize, seed: u64) -> Self {
        let mut home = Self::new(devices, seed);
        let devices = home.seqs.devices();
        let backlogs = (0..devices).filter(|device| flushes(*device)).map(|device| {
            let hours =
                BACKLOG_HOURS.start() + home.random.below(BACKLOG_HOURS.end() - BACKLOG_HOURS.start() + 1);
            let readings = hours * HOUR_MS / Class::of(device).period_ms();
            (device, u32::try_from(readings).unwrap_or(u32::MAX))
        });
        let (zipf, backlogs) = (Zipf::new(devices.div_ceil(GROUP)), backlogs.collect());
        home.storm = Some(Storm { zipf, backlogs, turn: 0, run: 0 });
        home
    }

    pub(super) const fn devices(&self) -> usize {
        self.seqs.devices()
    }

    pub(super) fn next(&mut self) -> Planned {
        let n = self.planned;
        self.planned += 1;
        let Self { seqs, random, storm, .. } = self;
        let Some(storm) = storm else { return self.write(self.seqs.turn(n), Lane::Routine) };
        // Half of what comes is backlog, as long as there is any.
        if n % 2 == 1
            && let Some(device) = storm.next_of_backlogs()
        {
            return self.write(device, Lane::Bulk);
        }
        let within = seqs.turn(if storm.backlogs.is_empty() { n } else { n / 2 }) % GROUP;
        let device = (storm.zipf.draw(random) * GROUP + within) % seqs.devices();
        // One that flushes goes on in its lane, as its order is kept in one lane only.
        self.write(device, if flushes(device) { Lane::Bulk } else { Lane::Routine })
    }

    fn write(&mut self, device: usize, lane: Lane) -> Planned {
        let class = Class::of(device);
        let seq = self.seqs.next(device);
        Planned {
            device,
            seq,
            observed_at_ms: START_MS + seq * class.period_ms(),
            kind: class.kind(),
            payload_bytes: class.payload_bytes(&mut self.random),
            lane,
        }
    }
}

impl Storm {
    fn next_of_backlogs(&mut self) -> Option<usize> {
        if self.run == BACKLOG_RUN {
            (self.run, self.turn) = (0, self.turn + 1);
        }
        let turn = self.turn % self.backlogs.len().max(1);
        let (device, left) = self.backlogs.get_mut(turn)?;
        let device = *device;
        *left -= 1;
        self.run += 1;
        if *left == 0 {
            self.backlogs.swap_remove(turn);
            self.run = 0;
        }
        Some(device)
    }
}

/// One of each twenty devices, each time one in another place, so that there are some of each class.
const fn flushes(device: usize) -> bool {
    device % GROUP == device / GROUP % GROUP
}
