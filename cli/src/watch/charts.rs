//! Blocks on their way from durable to final, drawn.

use super::{BlockTimes, Seen, linear, memory, throughput};
use crate::page::{Bar, Bars, Chart, Drawing, Plot, Row, Series, Spans};
use arterial::Stage;
use serde::Serialize;

/// What is done with a block after its seal.
const STAGES: [&str; 5] = ["accounts moved", "records proven", "state root proven", "posted", "final"];
/// Points of a line at most, but for the last.
const POINTS_MAX: usize = 160;

/// What a stage takes.
#[derive(Serialize, Clone, Copy, Debug)]
pub(crate) struct StageTime {
    pub(crate) stage: &'static str,
    pub(crate) seconds: f64,
}

/// What each stage takes of a block: the median of all blocks.
pub(crate) fn stages(seen: &Seen) -> Vec<StageTime> {
    let median = |n: usize| {
        let mut took: Vec<f64> =
            seen.blocks().map(BlockTimes::times).map(|times| times[n + 1] - times[n]).collect();
        took.sort_by(f64::total_cmp);
        took.get(took.len() / 2).copied().unwrap_or(0.0)
    };
    STAGES.into_iter().enumerate().map(|(n, stage)| StageTime { stage, seconds: median(n) }).collect()
}

/// Everything that there is to see of it.
pub(crate) fn charts(seen: &Seen) -> Vec<Chart> {
    let points = seen.samples.points();
    vec![progress(seen), every_block(seen), median_block(seen), throughput(&points), memory(&points)]
}

#[expect(clippy::cast_precision_loss, reason = "a drawing")]
fn progress(seen: &Seen) -> Chart {
    let thinned = |points: Vec<(f64, u64)>| {
        let every = points.len().div_ceil(POINTS_MAX).max(1);
        let last = points.last().copied().filter(|_| every > 1);
        points.into_iter().step_by(every).chain(last).map(|(at, records)| (at, records as f64)).collect()
    };
    let stage = |name: &str, stage| Series { name: name.into(), points: thinned(seen.records_at(stage)) };
    let durable = Series { name: "durable".into(), points: thinned(seen.samples.durable()) };
    Chart {
        title: "From durable to final",
        note: "Records that had come to each stage. What lies between two lines is on its way.".into(),
        drawing: Drawing::Plot(Plot {
            x: linear("seconds"),
            y: linear("records"),
            series: vec![durable, stage("proven", Stage::Proven), stage("final", Stage::Final)],
        }),
    }
}

fn every_block(seen: &Seen) -> Chart {
    let row = |block: &BlockTimes| Row { name: block.number.to_string(), times: block.times().into() };
    Chart {
        title: "Every block's stages",
        note: "A row for each block, from its seal to its finality, looked at every 10 ms. Finality is the chain's: some of \
               its slots after a post."
            .into(),
        drawing: Drawing::Spans(Spans { steps: STAGES.into(), rows: seen.blocks().map(row).collect() }),
    }
}

fn median_block(seen: &Seen) -> Chart {
    let sizes = stages(seen).iter().map(|stage| stage.seconds).collect();
    Chart {
        title: "Where a block's time goes",
        note: "Seconds of the median block in each stage after its seal.".into(),
        drawing: Drawing::Bars(Bars {
            unit: "s",
            parts: STAGES.into(),
            bars: vec![Bar { name: "the median block".into(), sizes }],
        }),
    }
}
