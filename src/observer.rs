//! What is looked at now and then instead of being told: depths, backlogs, ages. The threads that are amid something
//! long could not tell of them, and that is when they are of interest.

use crate::stages::Stages;
use arterial_rollup::Clock;
use arterial_shards::{ShardStatus, Shards};
use arterial_telemetry::{self as telemetry, Gauge, LANES, STAGES, WAITING_STAGES};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// How often it is looked.
const OBSERVE_EVERY: Duration = Duration::from_millis(500);
/// Times kept for one stage: half an hour of blocks that all wait. Beyond that, newer blocks seem as old as older ones.
const MARKS_MAX: usize = 4096;

/// Sets the gauges.
pub(crate) struct Observer {
    shards: Arc<Shards>,
    stages: Arc<Stages>,
    clock: Arc<dyn Clock>,
    by_shard: Vec<ShardGauges>,
    held_back: [Gauge; LANES.len()],
    devices: Gauge,
    numbers: [Gauge; STAGES.len()],
    blocks: [Gauge; WAITING_STAGES.len()],
    ages: [Gauge; WAITING_STAGES.len()],
    halted: Gauge,
    resident: Gauge,
    waiting: [Waiting; WAITING_STAGES.len()],
}

struct ShardGauges {
    queued: [Gauge; LANES.len()],
    unsealed: Gauge,
    poisoned: Gauge,
}

impl ShardGauges {
    fn new(status: &ShardStatus) -> Self {
        let shard = &*status.shard.to_string();
        Self {
            queued: LANES.map(|lane| telemetry::QUEUED_WRITES.gauge(&[shard, lane])),
            unsealed: telemetry::UNSEALED_RECORDS.gauge(&[shard]),
            poisoned: telemetry::SHARD_POISONED.gauge(&[shard]),
        }
    }
}

impl Observer {
    pub(crate) fn new(shards: Arc<Shards>, stages: Arc<Stages>, clock: Arc<dyn Clock>) -> Self {
        Self {
            by_shard: shards.status().iter().map(ShardGauges::new).collect(),
            shards,
            stages,
            clock,
            held_back: LANES.map(|lane| telemetry::SHARDS_HELD_BACK.gauge(&[lane])),
            devices: telemetry::DEVICES.gauge(&[]),
            numbers: STAGES.map(|stage| telemetry::BLOCK_NUMBER.gauge(&[stage])),
            blocks: WAITING_STAGES.map(|stage| telemetry::STAGE_BLOCKS.gauge(&[stage])),
            ages: WAITING_STAGES.map(|stage| telemetry::STAGE_AGE_SECONDS.gauge(&[stage])),
            halted: telemetry::HALTED.gauge(&[]),
            resident: telemetry::RESIDENT_MEMORY_BYTES.gauge(&[]),
            waiting: Default::default(),
        }
    }

    /// Looks until the engine stops, and once more then.
    pub(crate) fn run(mut self) {
        loop {
            self.step();
            if !self.stages.back_off(OBSERVE_EVERY) {
                return self.step();
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    pub(crate) fn step(&mut self) {
        let status = self.shards.status();
        for (gauges, status) in self.by_shard.iter().zip(&status) {
            for (gauge, writes) in gauges.queued.iter().zip(status.queued_writes) {
                gauge.set(writes as f64);
            }
            gauges.unsealed.set(status.unsealed_records as f64);
            gauges.poisoned.set(f64::from(u8::from(status.poisoned)));
        }
        for (lane, gauge) in self.held_back.iter().enumerate() {
            gauge.set(status.iter().filter(|status| status.held_back[lane]).count() as f64);
        }
        self.devices.set(status.iter().map(|status| status.devices).sum::<usize>() as f64);
        let sealed = status.iter().map(|status| status.sealed.0).min().unwrap_or(0);
        let (numbers, halted) = {
            let progress = self.stages.progress();
            let later = [progress.proven, progress.posted, progress.finalized].map(|number| number.0);
            ([sealed, later[0], later[1], later[2]], progress.halted.is_some())
        };
        self.halted.set(f64::from(u8::from(halted)));
        for (gauge, number) in self.numbers.iter().zip(numbers) {
            gauge.set(number as f64);
        }
        let now = self.clock.now_ms();
        for (at, reached) in numbers.windows(2).enumerate() {
            self.blocks[at].set(reached[0].saturating_sub(reached[1]) as f64);
            let since = self.waiting[at].observe(reached[0], reached[1], now);
            self.ages[at].set(since.map_or(0.0, |since| now.saturating_sub(since) as f64 / 1000.0));
        }
        if let Some(bytes) = telemetry::resident_bytes() {
            self.resident.set(bytes as f64);
        }
    }
}

/// Since when blocks are in a stage.
#[derive(Default)]
struct Waiting {
    /// Blocks up to a number, from behind the mark before, came here at a time.
    marks: VecDeque<(u64, u64)>,
    /// Blocks up to this number had gone on.
    left: u64,
}

impl Waiting {
    /// Takes note that blocks up to `reached` have come here and those up to `left` gone on; since when the oldest is here.
    fn observe(&mut self, reached: u64, left: u64, now_ms: u64) -> Option<u64> {
        // What a reorganisation took away, from here or from the stage after.
        while let Some((_, since)) = self.marks.pop_back_if(|(number, _)| *number > reached) {
            if self.marks.back().map_or(self.left, |(number, _)| *number) < reached {
                self.marks.push_back((reached, since));
            }
        }
        if left < self.left {
            self.marks.push_front((self.left.min(reached), now_ms));
        }
        self.left = left;
        while self.marks.pop_front_if(|(number, _)| *number <= left).is_some() {}
        let is_full = self.marks.len() >= MARKS_MAX;
        match self.marks.back_mut() {
            Some((number, _)) if *number >= reached => {}
            Some((number, _)) if is_full => *number = reached,
            _ if reached > left => self.marks.push_back((reached, now_ms)),
            _ => {}
        }
        self.marks.iter().map(|(_, since)| *since).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_block_of_a_stage_is_as_old_as_its_coming_there() {
        let mut proven = Waiting::default();
        assert_eq!(proven.observe(0, 0, 10), None);
        assert_eq!(proven.observe(2, 0, 20), Some(20));
        assert_eq!(proven.observe(3, 1, 30), Some(20), "block 2 is left of those that came first");
        assert_eq!(proven.observe(3, 2, 40), Some(30));
        assert_eq!(proven.observe(3, 3, 50), None);
        assert_eq!(proven.observe(5, 4, 60), Some(60));
    }

    #[test]
    fn what_a_reorganisation_takes_away_is_back_in_the_stage_before_and_gone_from_its_own() {
        let (mut proven, mut posted) = (Waiting::default(), Waiting::default());
        assert_eq!((proven.observe(5, 4, 10), posted.observe(4, 1, 10)), (Some(10), Some(10)));
        // Blocks 3 and 4 fall back; block 2 stays, since when it came.
        assert_eq!((proven.observe(5, 2, 20), posted.observe(2, 1, 20)), (Some(10), Some(10)));
        assert_eq!((proven.observe(5, 4, 30), posted.observe(4, 2, 30)), (Some(10), Some(30)));
        assert_eq!((proven.observe(5, 5, 40), posted.observe(5, 4, 40)), (None, Some(40)));
        assert_eq!((proven.observe(5, 1, 50), posted.observe(1, 1, 50)), (Some(50), None));
    }

    #[test]
    fn a_long_wait_is_remembered_within_a_bound() {
        let mut waiting = Waiting::default();
        for number in 1..=2 * MARKS_MAX as u64 {
            assert_eq!(waiting.observe(number, 0, number), Some(1));
        }
        assert_eq!(waiting.marks.len(), MARKS_MAX);
        let (reached, left) = (3 * MARKS_MAX as u64, MARKS_MAX as u64);
        assert_eq!(
            waiting.observe(reached, left, reached),
            Some(left),
            "no older than the first of its mark"
        );
    }
}
