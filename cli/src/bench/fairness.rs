//! `arterial bench fairness`: what a flood does to those who have nothing to do with it.

use super::{
    bare::{BareCommits, Commits, bare_commits},
    committer::Committer,
    findings::{Findings, side_by_side},
    ingest::DOMAIN,
    load::{Answered, Load, Pace, Running, drive},
    report::{Quantiles, rounded},
    trees::Trees,
    workload::{Order, Source, Submitter, Uniform, Zipf, devices},
};
use crate::{
    args::{BenchAuth, FairnessArgs},
    error::CliError,
    interrupt::Interrupt,
    lines::Lines,
    output::counted,
    page::{Section, Tile},
};
use arterial::{
    EngineError,
    protocol::{ShardCount, ShardId, limits::RECORD_HEAD_BYTES},
    shards::{
        Lane, Shards, ShardsConfig,
        limits::{GROUP_BYTES, GROUP_WRITES},
    },
    storage::{FileStorage, Storage},
};
use serde::Serialize;
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// The shard that is flooded.
const FLOODED: ShardId = ShardId(0);
/// Its neighbour.
const NEIGHBOUR: ShardId = ShardId(1);

/// Writes of one of the flood's calls. Making a call is a gateway's work and takes the processor from nobody in reality,
/// so the calls are small.
const FLOOD_CALL_WRITES: usize = 256;

/// How often the disk alone is written to in place of the neighbour, which writes about as often.
const STEADY_EVERY: Duration = Duration::from_millis(1);

/// What `arterial bench fairness` prints.
#[derive(Serialize, Debug)]
pub(crate) struct FairnessReport {
    record_bytes: usize,
    shards: u32,
    /// Writes a second of the neighbour, and of the alarms.
    rate: u64,
    /// Devices of the flood, by Zipf's law.
    devices: usize,
    /// Another shard, while its neighbour is flooded by routine writes.
    neighbour: Flooded,
    /// The same with nothing of ours above the disk: commits of as many bytes, alone and beside those of the flood.
    bare: Suffered,
    /// Alarms, while their own shard is flooded by bulk writes.
    alarms: Flooded,
}

/// Latencies without the flood and with it.
#[derive(Serialize, Debug)]
pub(crate) struct Suffered {
    idle_ms: Quantiles,
    flooded_ms: Quantiles,
    /// Of the p99.
    ratio: f64,
}

/// What a flood did, and how much of one it was.
#[derive(Serialize, Debug)]
pub(crate) struct Flooded {
    #[serde(flatten)]
    suffered: Suffered,
    flood_writes_per_second: f64,
    /// With those of the warm-up.
    flood_writes: u64,
}

impl Suffered {
    fn new(idle_ms: Quantiles, flooded_ms: Quantiles) -> Self {
        let ratio = flooded_ms.p99 / idle_ms.p99;
        Self { idle_ms, flooded_ms, ratio }
    }
}

/// Measures; the report.
pub(crate) fn measure(args: &FairnessArgs, interrupt: &Interrupt) -> Result<FairnessReport, CliError> {
    // All goes at the end: a file system that tells the disk what is free is busy with that for a while.
    let dir = super::work_dir(&args.place.dir)?;
    let neighbour = suffer(args, &dir.path().join("neighbour"), NEIGHBOUR, [Lane::Routine; 2], interrupt)?;
    let bare = bare(args, dir.path(), neighbour.flood_writes_per_second)?;
    Ok(FairnessReport {
        record_bytes: args.record_bytes,
        shards: args.shards,
        rate: args.rate,
        devices: args.devices,
        neighbour,
        bare,
        alarms: suffer(args, &dir.path().join("alarms"), FLOODED, [Lane::Alarm, Lane::Bulk], interrupt)?,
    })
}

/// Steady writes to a shard, alone and then with a flood of another gateway's.
fn suffer(
    args: &FairnessArgs,
    dir: &Path,
    shard: ShardId,
    [lane, flood_lane]: [Lane; 2],
    interrupt: &Interrupt,
) -> Result<Flooded, CliError> {
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let count = ShardCount::new(args.shards).expect("the command line takes powers of two only");
    let config = ShardsConfig::new(dir.to_owned(), DOMAIN, count);
    let shards = Shards::open(&storage, &config).map_err(EngineError::from)?;
    let submitter = |n: u64, shard: ShardId, order: Order, lane: Lane| {
        let devices = devices(n).filter(|device| device.shard(count) == shard).take(args.devices).collect();
        let payload = args.record_bytes - RECORD_HEAD_BYTES;
        let source = Source::Uniform(Uniform::new(order, args.devices, payload, lane));
        Submitter::new(n, BenchAuth::Mac, devices, source)
    };
    let mut steady = submitter(0, shard, Order::Turns, lane);
    let mut gateway = submitter(1, FLOODED, Order::Zipf(Zipf::new(args.devices)), flood_lane);
    steady.enrol(&shards)?;
    gateway.enrol(&shards)?;
    let trees = Trees::create(&*storage, dir, DOMAIN, count)?;
    let mut committer = Committer::new(&shards, Some(trees));

    let mut phase = |flooded: bool| -> Result<(Quantiles, f64, u64), CliError> {
        let (answered, flood) = (Answered::default(), Answered::default());
        let mut loads = vec![Load {
            submitter: &mut steady,
            pace: Pace::Open { rate: args.rate },
            answered: &answered,
            yields: false,
        }];
        if flooded {
            let pace = Pace::Closed { call_writes: FLOOD_CALL_WRITES };
            loads.push(Load { submitter: &mut gateway, pace, answered: &flood, yields: true });
        }
        let running = Running::new(&shards, interrupt);
        let count = || (Instant::now(), flood.durable.load(Ordering::Relaxed));
        let measured = Duration::from_secs(args.seconds);
        let driven = drive(&running, Some(&mut committer), loads, measured, count, || ())?;
        let ((begun, before), (ended, after)) = (driven.before, driven.after);
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let flood_rate = (after - before) as f64 / (ended - begun).as_secs_f64();
        let floods = flood.durable.load(Ordering::Relaxed);
        Ok((Quantiles::of(&driven.latencies[0].all()), flood_rate, floods))
    };
    let (idle_ms, ..) = phase(false)?;
    let (flooded_ms, flood_writes_per_second, flood_writes) = phase(true)?;
    Ok(Flooded { suffered: Suffered::new(idle_ms, flooded_ms), flood_writes_per_second, flood_writes })
}

/// What the disk does with the neighbour's bytes, alone and while the flood's come as fast as they came, in the groups that
/// the engine made of them.
fn bare(args: &FairnessArgs, dir: &Path, flood_writes_per_second: f64) -> Result<Suffered, CliError> {
    let steady_writes = usize::try_from(args.rate).unwrap_or(usize::MAX).div_ceil(1000);
    let commits = |writes, every| Commits { bytes: writes * args.record_bytes, every: Some(every) };
    let steady = commits(steady_writes, STEADY_EVERY);
    let group = GROUP_WRITES.min(GROUP_BYTES / args.record_bytes);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let every = Duration::from_secs_f64(group as f64 / flood_writes_per_second.max(1.0));
    let flood = commits(group, every);
    let quantiles = |commits: &[BareCommits]| Quantiles::of(&commits[0].latencies);
    let idle_ms = quantiles(&bare_commits(dir, &[steady])?);
    let flooded_ms = quantiles(&bare_commits(dir, &[steady, flood])?);
    Ok(Suffered::new(idle_ms, flooded_ms))
}

impl FairnessReport {
    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        let mut line = |name: &str, value: String| lines.push(name, value);
        let Self { record_bytes, shards, rate, devices, .. } = self;
        line("records", format!("{record_bytes} bytes, {}", counted((*shards).into(), "shard")));
        line("steady writes per second", rate.to_string());
        line("devices of the flood", format!("{devices}, by Zipf's law"));
        for (who, flooded) in [("neighbouring shard", &self.neighbour), ("alarms", &self.alarms)] {
            let Flooded { suffered, flood_writes_per_second, .. } = flooded;
            line(&format!("{who}, idle, ms"), suffered.idle_ms.to_string());
            line(&format!("{who}, flooded"), suffered.flooded_ms.to_string());
            line(
                "  p99 with the flood",
                format!(
                    "{:.2} times as long, beside {} writes a second",
                    suffered.ratio,
                    rounded(*flood_writes_per_second)
                ),
            );
        }
        line("the disk alone, idle, ms", self.bare.idle_ms.to_string());
        line("the disk alone, flooded", self.bare.flooded_ms.to_string());
        line("  p99 with the flood", format!("{:.2} times as long", self.bare.ratio));
        lines
    }
}

impl Findings for FairnessReport {
    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("neighbour_ratio", self.neighbour.suffered.ratio),
            ("bare_ratio", self.bare.ratio),
            ("alarms_ratio", self.alarms.suffered.ratio),
        ]
    }

    fn tiles(&self) -> Vec<Tile> {
        vec![
            Tile::new(format!("{:.2} ×", self.neighbour.suffered.ratio), "a neighbour's p99 beside a flood"),
            Tile::new(format!("{:.2} ×", self.alarms.suffered.ratio), "an alarm's p99 amid a flood"),
        ]
    }

    fn sections(&self) -> Vec<Section> {
        let (neighbour, bare, alarms) = (&self.neighbour.suffered, &self.bare, &self.alarms.suffered);
        let figures = [
            ("another shard, alone", neighbour.idle_ms.p99),
            ("another shard, beside a flood", neighbour.flooded_ms.p99),
            ("the disk, alone", bare.idle_ms.p99),
            ("the disk, beside a flood", bare.flooded_ms.p99),
            ("alarms, alone", alarms.idle_ms.p99),
            ("alarms, amid a flood", alarms.flooded_ms.p99),
        ];
        let note = "Within how many milliseconds 99 of 100 writes were durable.";
        let chart = side_by_side("What a flood does to others", note, "ms", &figures);
        vec![Section::new("Fairness", self.lines(), vec![chart])]
    }
}
