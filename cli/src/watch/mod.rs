//! How far an engine has come, looked at a hundred times a second, and what there is to be drawn of it.

mod charts;
mod series;

pub(crate) use charts::{StageTime, charts, stages};
pub(crate) use series::{Point, Samples, linear, memory, throughput};

use crate::error::CliError;
use arterial::{BlockNumber, Engine, Proving, ProvingStep, Stage};
use serde::Serialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Looks from one sample of writes and memory to the next.
const SAMPLE_EVERY: u32 = 5;
/// Blocks whose times are kept; of more, only what they hold in sum.
const BLOCKS_MAX: usize = 1 << 16;

/// When a block came to each stage, in seconds since the beginning, and what it holds.
#[derive(Serialize, Clone, Copy, Default, Debug)]
pub(crate) struct BlockTimes {
    pub(crate) number: u64,
    pub(crate) records: u64,
    pub(crate) sealed: f64,
    /// The accounts have moved; the proof of the batches begins.
    pub(crate) applied: f64,
    pub(crate) batches_proven: f64,
    pub(crate) proven: f64,
    pub(crate) posted: f64,
    pub(crate) finalized: f64,
}

impl BlockTimes {
    /// Every stage from the seal on.
    pub(crate) const fn times(&self) -> [f64; 6] {
        [self.sealed, self.applied, self.batches_proven, self.proven, self.posted, self.finalized]
    }

    const fn at(&self, stage: Stage) -> f64 {
        match stage {
            Stage::Sealed => self.sealed,
            Stage::Proven => self.proven,
            Stage::Posted => self.posted,
            Stage::Final => self.finalized,
        }
    }
}

/// What was seen of the blocks that were made meanwhile.
pub(crate) struct Seen {
    /// The newest block when it began.
    before: u64,
    pub(crate) blocks: Vec<BlockTimes>,
    pub(crate) samples: Samples,
    /// Durable records that waited for a block, at most.
    pub(crate) unsealed_max: usize,
}

/// A thread that looks, until it is told to stop or is dropped.
pub(crate) struct Watcher {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

impl Watcher {
    /// Begins to look at an engine, and at how many writes are durable.
    pub(crate) fn begin(engine: &Engine, durable: &Arc<AtomicU64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, durable, told) = (engine.clone(), Arc::clone(durable), Arc::clone(&stop));
        let thread = thread::spawn(move || watch(&engine, &durable, &told));
        Self { stop, thread: Some(thread) }
    }

    /// Looks once more; what was seen, with what the engine says that each block holds.
    pub(crate) fn end(mut self, engine: &Engine) -> Result<Seen, CliError> {
        let mut seen = self.join().expect("a watcher ends once");
        for times in &mut seen.blocks {
            times.records = engine.block(BlockNumber(times.number))?.statement.record_count;
        }
        Ok(seen)
    }

    fn join(&mut self) -> Option<Seen> {
        self.stop.store(true, Ordering::Release);
        self.thread.take().map(|thread| thread.join().expect("a watcher does not panic"))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.join());
    }
}

fn watch(engine: &Engine, durable: &AtomicU64, stop: &AtomicBool) -> Seen {
    let before = engine.state().sealed.0;
    let mut seen = Seen { before, blocks: Vec::new(), samples: Samples::begin(), unsealed_max: 0 };
    let begun = Instant::now();
    let mut looks = 0u32;
    loop {
        // Once more after the end, so that it is seen.
        let last = stop.load(Ordering::Acquire);
        let now = begun.elapsed().as_secs_f64();
        let state = engine.state();
        seen.reach(now, [state.sealed.0, state.proven.0, state.posted.0, state.finalized.0], state.proving);
        seen.unsealed_max = seen.unsealed_max.max(state.unsealed_records);
        if looks.is_multiple_of(SAMPLE_EVERY) || last {
            seen.samples.take(durable.load(Ordering::Relaxed));
        }
        if last {
            return seen;
        }
        looks = looks.wrapping_add(1);
        thread::sleep(LOOK_EVERY);
    }
}

impl Seen {
    fn reach(&mut self, now: f64, [sealed, proven, posted, finalized]: [u64; 4], proving: Option<Proving>) {
        let newest = self.before + self.blocks.len() as u64;
        let room = (BLOCKS_MAX - self.blocks.len()) as u64;
        // What is proven is sealed, whichever was asked for first.
        for number in newest + 1..=sealed.max(proven).min(newest + room) {
            self.blocks.push(BlockTimes { number, sealed: now, ..BlockTimes::default() });
        }
        let begun = self.blocks.partition_point(|block| block.finalized > 0.0);
        for block in &mut self.blocks[begun..] {
            if let Some(Proving { number, step }) = proving
                && block.number == number.0
            {
                set(&mut block.applied, now);
                if step == ProvingStep::Block {
                    set(&mut block.batches_proven, now);
                }
            }
            // A stage that was over before anybody looked took no time that could be told.
            let all = [&mut block.applied, &mut block.batches_proven, &mut block.proven];
            if block.number <= proven {
                all.into_iter().for_each(|time| set(time, now));
            }
            if block.number <= posted {
                set(&mut block.posted, now);
            }
            if block.number <= finalized {
                set(&mut block.posted, now);
                set(&mut block.finalized, now);
            }
        }
    }

    /// Blocks that hold something, and came to their end.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &BlockTimes> {
        self.blocks.iter().filter(|block| block.records > 0 && block.finalized > 0.0)
    }

    /// Records in blocks that had come to a stage, by seconds.
    fn records_at(&self, stage: Stage) -> Vec<(f64, u64)> {
        let mut sum = 0;
        let come = self.blocks.iter().filter(|block| block.at(stage) > 0.0);
        let steps = come.flat_map(|block| {
            let before = sum;
            sum += block.records;
            [(block.at(stage), before), (block.at(stage), sum)]
        });
        std::iter::once((0.0, 0)).chain(steps).collect()
    }
}

fn set(time: &mut f64, now: f64) {
    if *time == 0.0 {
        *time = now.max(f64::MIN_POSITIVE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(before: u64) -> Seen {
        Seen { before, blocks: Vec::new(), samples: Samples::begin(), unsealed_max: 0 }
    }

    #[test]
    fn stages_are_told_as_they_are_seen_and_filled_in_where_none_was() {
        let mut seen = seen(4);
        let block = |step| Some(Proving { number: BlockNumber(5), step });
        seen.reach(1.0, [5, 4, 4, 4], None);
        seen.reach(
            2.0,
            [5, 4, 4, 4],
            block(ProvingStep::Batches(arterial::rollup::batch_proof::Phase::Verify)),
        );
        seen.reach(3.0, [5, 4, 4, 4], block(ProvingStep::Block));
        seen.reach(4.0, [5, 5, 4, 4], None);
        // Two more, of which one went all the way between two looks.
        seen.reach(5.0, [7, 6, 6, 6], None);
        seen.reach(6.0, [7, 7, 7, 7], None);
        let times: Vec<[f64; 6]> = seen.blocks.iter().map(BlockTimes::times).collect();
        assert_eq!(times, [[1.0, 2.0, 3.0, 4.0, 5.0, 5.0], [5.0; 6], [5.0, 6.0, 6.0, 6.0, 6.0, 6.0]]);
        assert_eq!(seen.blocks.iter().map(|block| block.number).collect::<Vec<_>>(), [5, 6, 7]);
    }

    #[test]
    fn records_add_up_block_by_block() {
        let mut seen = seen(0);
        seen.reach(1.0, [2, 1, 0, 0], None);
        seen.blocks.iter_mut().for_each(|block| block.records = 10 * block.number);
        seen.reach(2.0, [2, 2, 2, 0], None);
        assert_eq!(seen.records_at(Stage::Proven), [(0.0, 0), (1.0, 0), (1.0, 10), (2.0, 10), (2.0, 30)]);
        assert_eq!(seen.records_at(Stage::Final), [(0.0, 0)]);
        assert_eq!(seen.blocks().count(), 0);
    }
}
