//! Intensive care: monitors at bedsides.

use super::{Planned, START_MS, Seqs, SplitMix64, payload_of};
use crate::input::kind;
use arterial::shards::Lane;

/// Devices of a bed: one for each lane.
const BED_DEVICES: usize = 3;
const WAVEFORMS: usize = 0;
const NUMERICS: usize = 1;
const ALARMS: usize = 2;
/// Waveform frames of a bed and second.
const FRAMES: u8 = 4;
/// Seconds from one alarm of a bed to the next, on average: some 290 a day.
const ALARM_SECONDS: u64 = 300;

/// Beds, which have their seconds in turn.
#[derive(Clone)]
pub(crate) struct Icu {
    beds: usize,
    seqs: Seqs,
    random: SplitMix64,
    /// The bed whose second it is, the second, and what of it was sent.
    bed: usize,
    second: u64,
    sent: u8,
}

impl Icu {
    pub(super) fn new(devices: usize, seed: u64) -> Self {
        let beds = (devices / BED_DEVICES).max(1);
        let seqs = Seqs::new(beds * BED_DEVICES);
        Self { beds, seqs, random: SplitMix64(seed), bed: 0, second: 0, sent: 0 }
    }

    pub(super) const fn devices(&self) -> usize {
        self.seqs.devices()
    }

    pub(super) fn next(&mut self) -> Planned {
        let part = self.sent;
        self.sent += 1;
        match part {
            0..FRAMES => self.write(WAVEFORMS, u64::from(part) * 250, kind::ECG, 1024, Lane::Bulk),
            FRAMES => self.write(NUMERICS, 0, kind::SPO2, 256, Lane::Routine),
            _ => {
                let alarm = self.random.below(ALARM_SECONDS) == 0;
                let planned =
                    alarm.then(|| self.write(ALARMS, 500, kind::FHIR_OBSERVATION, 512, Lane::Alarm));
                (self.sent, self.bed) = (0, self.bed + 1);
                if self.bed == self.beds {
                    (self.bed, self.second) = (0, self.second + 1);
                }
                planned.unwrap_or_else(|| self.next())
            }
        }
    }

    fn write(&mut self, part: usize, after_ms: u64, kind: u16, record_bytes: usize, lane: Lane) -> Planned {
        let device = self.bed * BED_DEVICES + part;
        let observed_at_ms = START_MS + self.second * 1000 + after_ms;
        Planned {
            device,
            seq: self.seqs.next(device),
            observed_at_ms,
            kind,
            payload_bytes: payload_of(record_bytes),
            lane,
        }
    }
}
