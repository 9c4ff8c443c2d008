//! What was seen now and then while something ran.

use crate::page::{Axis, Chart, Drawing, Plot, Scale, Series};
use arterial::telemetry::resident_bytes;
use serde::Serialize;
use std::time::Instant;

/// Points that are kept for a report at most.
const POINTS_MAX: usize = 120;

/// A moment: how much had become durable, and what was in memory.
#[derive(Clone, Copy)]
struct Sample {
    seconds: f64,
    durable: u64,
    resident_bytes: u64,
}

/// Moments since a beginning.
pub(crate) struct Samples {
    begun: Instant,
    samples: Vec<Sample>,
}

/// What a stretch of time was like.
#[derive(Serialize, Clone, Copy, Debug)]
pub(crate) struct Point {
    /// At its end.
    pub(crate) seconds: f64,
    pub(crate) writes_per_second: f64,
    pub(crate) resident_bytes: u64,
}

impl Samples {
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), samples: Vec::new() }
    }

    pub(crate) fn take(&mut self, durable: u64) {
        let (seconds, resident_bytes) = (self.begun.elapsed().as_secs_f64(), resident_bytes().unwrap_or(0));
        self.samples.push(Sample { seconds, durable, resident_bytes });
    }

    /// How much had become durable, by seconds.
    pub(crate) fn durable(&self) -> Vec<(f64, u64)> {
        self.samples.iter().map(|sample| (sample.seconds, sample.durable)).collect()
    }

    pub(crate) fn peak_bytes(&self) -> u64 {
        self.samples.iter().map(|sample| sample.resident_bytes).max().unwrap_or(0)
    }

    /// Stretches of a tenth of a second, or longer ones where there would be too many.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(crate) fn points(&self) -> Vec<Point> {
        let total = self.samples.last().map_or(0.0, |last| last.seconds);
        let width = (total / POINTS_MAX as f64).max(0.1);
        let mut points = Vec::new();
        let mut before: Option<&Sample> = self.samples.first();
        for sample in &self.samples {
            let Some(from) = before else { break };
            let took = sample.seconds - from.seconds;
            if took < width {
                continue;
            }
            points.push(Point {
                seconds: sample.seconds,
                writes_per_second: (sample.durable - from.durable) as f64 / took,
                resident_bytes: sample.resident_bytes,
            });
            before = Some(sample);
        }
        points
    }
}

/// Throughput over time.
pub(crate) fn throughput(points: &[Point]) -> Chart {
    let series = Series {
        name: "durable writes a second".into(),
        points: points.iter().map(|point| (point.seconds, point.writes_per_second)).collect(),
    };
    Chart {
        title: "Throughput over time",
        note: "Writes that became durable, stretch by stretch.".into(),
        drawing: Drawing::Plot(Plot {
            x: linear("seconds"),
            y: linear("writes a second"),
            series: vec![series],
        }),
    }
}

/// Memory over time.
#[expect(clippy::cast_precision_loss, reason = "a drawing")]
pub(crate) fn memory(points: &[Point]) -> Chart {
    let mib = |point: &Point| (point.seconds, point.resident_bytes as f64 / (1 << 20) as f64);
    let series = Series { name: "resident".into(), points: points.iter().map(mib).collect() };
    Chart {
        title: "Memory over time",
        note: "Resident in memory: the log's mapped segments and what is submitted are in it.".into(),
        drawing: Drawing::Plot(Plot { x: linear("seconds"), y: linear("MiB"), series: vec![series] }),
    }
}

/// An axis from zero on.
pub(crate) const fn linear(label: &'static str) -> Axis {
    Axis { label, scale: Scale::Linear }
}
