//! What one look finds.

use super::scrape::Sample;
use crate::status;
use arterial::telemetry::{self as telemetry, LANES, Metric, STAGES, WAITING_STAGES};

/// Everything that is shown, at one moment.
#[derive(Clone, Default, Debug)]
pub(crate) struct Snapshot {
    /// Seconds since the first look.
    pub(crate) at: f64,
    /// The newest block of each stage, in the order of [`STAGES`].
    pub(crate) newest: [u64; STAGES.len()],
    /// What only the running process knows.
    pub(crate) live: Option<Live>,
    /// The last blocks, the newest first, where they were read one by one.
    pub(crate) blocks: Vec<Block>,
    /// Why blocks don't get on, if that is known.
    pub(crate) stuck: Option<String>,
}

/// What the running process reports.
#[derive(Clone, Default, Debug)]
pub(crate) struct Live {
    pub(crate) durable: f64,
    pub(crate) repeated: f64,
    pub(crate) refused: f64,
    pub(crate) latency: Buckets,
    pub(crate) sync: Buckets,
    /// By lane, over all shards.
    pub(crate) queued: [f64; LANES.len()],
    pub(crate) unsealed: f64,
    /// By stage that a block can wait in, seconds.
    pub(crate) ages: [f64; WAITING_STAGES.len()],
    pub(crate) records_proven: f64,
    pub(crate) blocks_proven: f64,
    pub(crate) gas: f64,
    pub(crate) gas_blocks: f64,
    pub(crate) reorgs: f64,
    pub(crate) faults: f64,
    pub(crate) replaced: f64,
    pub(crate) poisoned: f64,
    pub(crate) shards: usize,
    pub(crate) devices: f64,
    pub(crate) resident_bytes: f64,
}

/// A block, as far as it is known.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) records: Option<u64>,
    pub(crate) gas: Option<u64>,
    /// Seconds since it was proven, by its file.
    pub(crate) age_s: Option<u64>,
    /// When it was first seen, as [`Snapshot::at`] counts, if it was seen to come.
    pub(crate) seen: Option<f64>,
}

/// A histogram's buckets, summed over all series: how many values were at most so large.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// What came since an earlier look.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let earlier = |bound: f64| before.0.iter().find(|(other, _)| *other == bound).map_or(0.0, |at| at.1);
        Self(self.0.iter().map(|&(bound, count)| (bound, count - earlier(bound))).collect())
    }

    /// A quantile, evenly spread within its bucket as Prometheus has it; `None` if there is no value.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        let total = self.0.last()?.1;
        if total <= 0.0 {
            return None;
        }
        let rank = quantile * total;
        let mut below = (0.0, 0.0);
        for &(bound, count) in &self.0 {
            if count >= rank && count > below.1 {
                let part = (rank - below.1) / (count - below.1);
                // Beyond the last bound nothing more is known.
                return Some(if bound.is_finite() { below.0 + (bound - below.0) * part } else { below.0 });
            }
            below = (bound, count);
        }
        Some(below.0)
    }
}

impl Snapshot {
    /// From a scrape; `None` if it is not of an engine.
    pub(crate) fn of_samples(samples: &[Sample]) -> Option<Self> {
        let all = |metric: &Metric| {
            let name = metric.name;
            samples.iter().filter(move |sample| sample.name == name)
        };
        let sum = |metric: &Metric| all(metric).map(|sample| sample.value).sum::<f64>();
        let with = |metric: &Metric, label: &str, value: &str| -> f64 {
            all(metric).filter(|sample| sample.label(label) == Some(value)).map(|sample| sample.value).sum()
        };
        if all(&telemetry::BLOCK_NUMBER).next().is_none() {
            // The process listens before it opens its deployment.
            let opening =
                samples.is_empty() || telemetry::ALL.iter().any(|metric| all(metric).next().is_some());
            let stuck = Some("its deployment is being opened".into());
            return opening.then(|| Self { stuck, ..Self::default() });
        }
        let live = Live {
            durable: sum(&telemetry::WRITES_DURABLE),
            repeated: sum(&telemetry::WRITES_REPEATED),
            refused: sum(&telemetry::WRITES_REFUSED),
            latency: buckets(samples, &telemetry::DURABLE_LATENCY_SECONDS),
            sync: buckets(samples, &telemetry::LOG_SYNC_SECONDS),
            queued: LANES.map(|lane| with(&telemetry::QUEUED_WRITES, "lane", lane)),
            unsealed: sum(&telemetry::UNSEALED_RECORDS),
            ages: WAITING_STAGES.map(|stage| with(&telemetry::STAGE_AGE_SECONDS, "stage", stage)),
            records_proven: sum(&telemetry::RECORDS_PROVEN),
            blocks_proven: sum(&telemetry::BLOCKS_PROVEN),
            gas: sum(&telemetry::GAS),
            gas_blocks: sum(&telemetry::GAS_BLOCKS),
            reorgs: sum(&telemetry::REORGS),
            faults: sum(&telemetry::FAULTS),
            replaced: with(&telemetry::TRANSACTIONS, "kind", "replacement"),
            poisoned: sum(&telemetry::SHARD_POISONED),
            shards: all(&telemetry::SHARD_POISONED).count(),
            devices: sum(&telemetry::DEVICES),
            resident_bytes: sum(&telemetry::RESIDENT_MEMORY_BYTES),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they are small counts")]
        let newest = STAGES.map(|stage| with(&telemetry::BLOCK_NUMBER, "stage", stage) as u64);
        let stuck = (sum(&telemetry::HALTED) > 0.0).then(|| "no more blocks are made: see its log".into());
        Some(Self { newest, live: Some(live), stuck, ..Self::default() })
    }

    /// From a deployment's files.
    pub(crate) fn of_report(report: &status::Report) -> Self {
        let block = |row: &status::Row| Block {
            number: row.number,
            records: Some(row.records),
            gas: row.gas,
            age_s: row.age_s,
            seen: None,
        };
        Self {
            newest: [report.blocks_proven, report.blocks_proven, report.blocks_posted, report.blocks_final],
            blocks: report.blocks.iter().rev().map(block).collect(),
            stuck: report.stuck.clone(),
            ..Self::default()
        }
    }

    /// How far a block has come.
    pub(crate) fn stage_of(&self, number: u64) -> &'static str {
        let at = self.newest.iter().rposition(|newest| number <= *newest);
        at.map_or("not sealed", |at| STAGES[at])
    }
}

fn buckets(samples: &[Sample], metric: &Metric) -> Buckets {
    let mut sums: Vec<(f64, f64)> = Vec::new();
    for sample in samples.iter().filter(|sample| sample.name.strip_suffix("_bucket") == Some(metric.name)) {
        let Some(bound) = sample.label("le").and_then(|le| le.parse().ok()) else { continue };
        match sums.iter_mut().find(|(other, _)| *other == bound) {
            Some((_, count)) => *count += sample.value,
            None => sums.push((bound, sample.value)),
        }
    }
    sums.sort_by(|a, b| a.0.total_cmp(&b.0));
    Buckets(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_came_since() {
        let before = Buckets(vec![(0.001, 10.0), (0.01, 10.0), (f64::INFINITY, 10.0)]);
        let after = Buckets(vec![(0.001, 60.0), (0.01, 109.0), (f64::INFINITY, 110.0)]);
        let since = after.since(&before);
        assert_eq!(since.quantile(0.5), Some(0.001));
        assert_eq!(since.quantile(0.25), Some(0.0005));
        let most = since.quantile(0.99).unwrap();
        assert!((most - 0.01).abs() < 1e-9, "{most}");
        assert_eq!(since.quantile(1.0), Some(0.01), "nothing is known beyond the last bound");
        assert_eq!(before.since(&before).quantile(0.5), None);
        assert_eq!(Buckets::default().quantile(0.5), None);
    }

    #[test]
    fn a_block_is_as_far_as_the_last_stage_that_has_it() {
        let snapshot = Snapshot { newest: [5, 4, 2, 1], ..Snapshot::default() };
        let stages: Vec<_> = (1..=6).map(|number| snapshot.stage_of(number)).collect();
        assert_eq!(stages, ["final", "posted", "proven", "proven", "sealed", "not sealed"]);
    }

    #[test]
    fn what_is_served_by_others_is_not_taken_for_an_engine() {
        let samples = super::super::scrape::samples("go_goroutines 7\n").unwrap();
        assert!(Snapshot::of_samples(&samples).is_none());
        let opening = Snapshot::of_samples(&[]).unwrap();
        assert!(opening.stuck.is_some() && opening.live.is_none());
    }
}
