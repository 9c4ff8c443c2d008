//! How soon writes were durable: lane by lane, and by shares.

use super::{load::Latencies, report::Quantiles};
use crate::page::{Axis, Chart, Drawing, Plot, Scale, Series};
use arterial::Lane;
use hdrhistogram::Histogram;
use serde::Serialize;

/// Latencies of one lane's writes.
#[derive(Serialize, Clone, Copy, Debug)]
pub(crate) struct LaneLatency {
    pub(crate) lane: &'static str,
    pub(crate) writes: u64,
    pub(crate) ms: Quantiles,
}

impl LaneLatency {
    /// Of each lane that was written in.
    pub(crate) fn of(latencies: &Latencies) -> Vec<Self> {
        let named = [(Lane::Alarm, "alarm"), (Lane::Routine, "routine"), (Lane::Bulk, "bulk")];
        let of = |(lane, name)| {
            let micros = latencies.of(lane);
            Self { lane: name, writes: micros.len(), ms: Quantiles::of(micros) }
        };
        named.into_iter().map(of).filter(|lane| lane.writes > 0).collect()
    }
}

/// Milliseconds within which a share of the writes were durable.
#[derive(Serialize, Clone, Copy, Debug)]
pub(crate) struct Percentile {
    pub(crate) share: f64,
    pub(crate) ms: f64,
}

/// From the median's neighbours to the slowest in a hundred thousand.
#[expect(clippy::cast_precision_loss, reason = "times")]
pub(crate) fn percentiles(micros: &Histogram<u64>) -> Vec<Percentile> {
    // No more nines than there are writes for.
    let shares = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999];
    let told = |share: &f64| (1.0 - share) * micros.len() as f64 >= 1.0;
    let percentile = |share| Percentile { share, ms: micros.value_at_quantile(share) as f64 / 1000.0 };
    shares.into_iter().filter(told).map(percentile).collect()
}

/// Latencies by share, each nine as far from the next.
pub(crate) fn latency_chart(percentiles: &[Percentile]) -> Chart {
    let points = percentiles.iter().map(|percentile| (percentile.share, percentile.ms)).collect();
    Chart {
        title: "From due to durable",
        note: "Within how many milliseconds what share of the writes was durable, from when each was due: a stall counts for \
               every write that it held up."
            .into(),
        drawing: Drawing::Plot(Plot {
            x: Axis { label: "share of the writes", scale: Scale::Nines },
            y: Axis { label: "ms", scale: Scale::Log },
            series: vec![Series { name: "due to durable".into(), points }],
        }),
    }
}
