//! What is shown: the newest look, and what follows from those before it.

use super::snapshot::{Block, Live, Snapshot};
use arterial::telemetry::STAGES;
use std::collections::VecDeque;

/// Rates and quantiles are over the last so many looks.
const LOOKS: usize = 6;
/// Rates kept for the curve.
const CURVE: usize = 240;
/// Blocks that can be looked through.
pub(crate) const BLOCKS_MAX: usize = 64;

/// The state of the view.
#[derive(Default, Debug)]
pub(crate) struct Model {
    /// Where it is looked.
    pub(crate) source: String,
    looks: VecDeque<Snapshot>,
    /// Writes a second, look by look.
    pub(crate) curve: VecDeque<u64>,
    blocks: VecDeque<Block>,
    /// The chosen block, counted from the newest.
    pub(crate) chosen: usize,
    pub(crate) paused: bool,
    /// Why the newest look failed, if it did.
    pub(crate) failure: Option<String>,
}

impl Model {
    pub(crate) fn new(source: String) -> Self {
        Self { source, ..Self::default() }
    }

    /// Takes a look over.
    pub(crate) fn take(&mut self, snapshot: Snapshot) {
        self.failure = None;
        let restarted = match (&self.newest().live, &snapshot.live) {
            (Some(before), Some(now)) => {
                now.durable < before.durable || now.blocks_proven < before.blocks_proven
            }
            (before, now) => before.is_some() != now.is_some(),
        };
        if restarted {
            // Counters begin at 0 in a new process.
            self.looks.clear();
        }
        self.note_blocks(&snapshot);
        self.looks.push_back(snapshot);
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
        if let Some(rate) = self.step_rate() {
            self.curve.push_back(rate);
            if self.curve.len() > CURVE {
                self.curve.pop_front();
            }
        }
        self.choose(0);
    }

    /// Remembers blocks that came since the look before.
    fn note_blocks(&mut self, snapshot: &Snapshot) {
        if snapshot.live.is_none() {
            self.blocks = snapshot.blocks.iter().take(BLOCKS_MAX).cloned().collect();
            return;
        }
        let [sealed, proven, posted, _] = snapshot.newest;
        let known =
            self.blocks.front().map_or(sealed.saturating_sub(BLOCKS_MAX as u64), |block| block.number);
        let seen = self.blocks.front().map(|_| snapshot.at);
        for number in known + 1..=sealed {
            self.blocks.push_front(Block { number, seen, ..Block::default() });
        }
        self.blocks.truncate(BLOCKS_MAX);
        let (Some(before), Some(now)) = (self.looks.back().cloned(), &snapshot.live) else { return };
        let Some(earlier) = &before.live else { return };
        let average = |sum: f64, count: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count of records or gas"
            )]
            (count > 0.0).then(|| (sum / count).round() as u64)
        };
        let records =
            average(now.records_proven - earlier.records_proven, now.blocks_proven - earlier.blocks_proven);
        let gas = average(now.gas - earlier.gas, now.gas_blocks - earlier.gas_blocks);
        let [_, proven_before, posted_before, _] = before.newest;
        for block in &mut self.blocks {
            if (proven_before + 1..=proven).contains(&block.number) {
                block.records = records;
            }
            if (posted_before + 1..=posted).contains(&block.number) {
                block.gas = gas;
            }
        }
    }

    /// The newest look; an empty one before the first.
    pub(crate) fn newest(&self) -> &Snapshot {
        const NONE: &Snapshot =
            &Snapshot { at: 0.0, newest: [0; STAGES.len()], live: None, blocks: Vec::new(), stuck: None };
        self.looks.back().unwrap_or(NONE)
    }

    /// The oldest look that rates are taken from, the newest, and the seconds between.
    pub(crate) fn window(&self) -> Option<(&Live, &Live, f64)> {
        let (first, last) = (self.looks.front()?, self.looks.back()?);
        let seconds = last.at - first.at;
        (seconds > 0.0).then_some(())?;
        Some((first.live.as_ref()?, last.live.as_ref()?, seconds))
    }

    /// Writes a second between the last two looks.
    fn step_rate(&self) -> Option<u64> {
        let (before, now) = (self.looks.iter().nth_back(1)?, self.looks.back()?);
        let writes = now.live.as_ref()?.durable - before.live.as_ref()?.durable;
        let seconds = now.at - before.at;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is small and positive"
        )]
        (seconds > 0.0).then(|| (writes / seconds).round() as u64)
    }

    /// The last blocks, the newest first.
    pub(crate) fn blocks(&self) -> impl ExactSizeIterator<Item = &Block> {
        self.blocks.iter()
    }

    /// Moves the choice by so many blocks towards older ones.
    pub(crate) fn choose(&mut self, older: isize) {
        self.chosen = self.chosen.saturating_add_signed(older).min(self.blocks.len().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: f64, newest: [u64; 4], durable: f64, proven: (f64, f64)) -> Snapshot {
        let (blocks_proven, records_proven) = proven;
        let live = Live { durable, blocks_proven, records_proven, ..Live::default() };
        Snapshot { at, newest, live: Some(live), ..Snapshot::default() }
    }

    #[test]
    fn blocks_are_known_from_the_look_that_saw_them_come() {
        let mut model = Model::new("x".into());
        model.take(look(0.0, [2, 1, 0, 0], 100.0, (1.0, 50.0)));
        model.take(look(1.0, [3, 2, 1, 0], 300.0, (2.0, 130.0)));
        model.take(look(2.0, [4, 4, 1, 0], 300.0, (4.0, 150.0)));
        let blocks: Vec<_> = model.blocks().map(|block| (block.number, block.records)).collect();
        assert_eq!(blocks, [(4, Some(10)), (3, Some(10)), (2, Some(80)), (1, None)]);
        assert_eq!(model.curve, [200, 0]);
        let (first, last, seconds) = model.window().unwrap();
        assert_eq!((last.durable - first.durable, seconds), (200.0, 2.0));
    }

    #[test]
    fn a_restarted_process_begins_anew() {
        let mut model = Model::new("x".into());
        model.take(look(0.0, [2, 2, 2, 2], 500.0, (2.0, 500.0)));
        model.take(look(1.0, [2, 2, 0, 0], 10.0, (0.0, 0.0)));
        assert!(model.window().is_none(), "no rate goes over a restart");
        assert!(model.curve.is_empty());
        assert_eq!(model.blocks().len(), 2);
        // Nor over one that was seen while it opened its deployment.
        model.take(Snapshot { at: 2.0, ..Snapshot::default() });
        model.take(look(3.0, [2, 2, 2, 2], 0.0, (0.0, 0.0)));
        assert!(model.window().is_none());
        model.take(look(4.0, [2, 2, 2, 2], 7.0, (0.0, 0.0)));
        assert_eq!(model.curve, [7]);
    }

    #[test]
    fn the_choice_stays_among_the_blocks() {
        let mut model = Model::new("x".into());
        model.choose(5);
        assert_eq!(model.chosen, 0);
        model.take(look(0.0, [3, 3, 3, 3], 0.0, (0.0, 0.0)));
        model.choose(isize::MAX);
        assert_eq!(model.chosen, 2);
        model.choose(-1);
        assert_eq!(model.chosen, 1);
    }
}
