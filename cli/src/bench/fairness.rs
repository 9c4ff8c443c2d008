//! `arterial bench fairness`: what a flood does to those who have nothing to do with it.

use super::{
    bare::{Commits, bare_commits},
    committer::Committer,
    findings::{Findings, Spread, side_by_side},
    ingest::DOMAIN,
    load::{Answered, Load, Pace, Running, Span, Turns, WARM_UP, drive},
    report::{Quantiles, latencies, rounded},
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
        limits::{GROUP_BYTES, GROUP_WRITES, GROUPS_APART},
    },
    storage::{FileStorage, Storage},
};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
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

/// Not measured when a deployment goes on where it was.
const AGAIN_WARM_UP: Duration = Duration::from_millis(250);

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

/// Latencies without the flood and with it, from seconds that took turns.
#[derive(Serialize, Debug)]
pub(crate) struct Suffered {
    idle: Seconds,
    flooded: Seconds,
    /// Of the median seconds' p99.
    ratio: f64,
}

/// What a flood did, and how much of one it was.
#[derive(Serialize, Debug)]
pub(crate) struct Flooded {
    #[serde(flatten)]
    suffered: Suffered,
    flood_writes_per_second: f64,
    /// With those of the warm-ups.
    flood_writes: u64,
}

/// Latencies of many seconds.
#[derive(Serialize, Debug)]
struct Seconds {
    /// The p99 of the median second: a machine that is shared stands still for some milliseconds now and then, and where
    /// that falls says nothing of a flood.
    p99_ms: f64,
    /// Of all seconds together.
    all_ms: Quantiles,
}

impl Seconds {
    fn of(seconds: &[Histogram<u64>]) -> Self {
        let mut all = latencies();
        seconds.iter().for_each(|second| all.add(second).expect("all have the same range"));
        let p99 = seconds.iter().map(|second| Quantiles::of(second).p99).collect();
        Self { p99_ms: Spread::of(p99).median, all_ms: Quantiles::of(&all) }
    }
}

impl Suffered {
    /// Takes a second without the flood and one with it in turn: what else the machine does meets both alike.
    fn measure(
        seconds: u64,
        interrupt: &Interrupt,
        mut second: impl FnMut(bool) -> Result<Histogram<u64>, CliError>,
    ) -> Result<Self, CliError> {
        let (mut idle, mut flooded) = (Vec::new(), Vec::new());
        for _ in (0..seconds).take_while(|_| !interrupt.is_raised()) {
            idle.push(second(false)?);
            flooded.push(second(true)?);
        }
        let [idle, flooded] = [idle, flooded].map(|seconds| Seconds::of(&seconds));
        let ratio = flooded.p99_ms / idle.p99_ms;
        Ok(Self { idle, flooded, ratio })
    }
}

/// Measures; the report.
pub(crate) fn measure(args: &FairnessArgs, interrupt: &Interrupt) -> Result<FairnessReport, CliError> {
    // All goes at the end: a file system that tells the disk what is free is busy with that for a while.
    let dir = super::work_dir(&args.place.dir)?;
    let neighbour = suffer(args, &dir.path().join("neighbour"), NEIGHBOUR, [Lane::Routine; 2], interrupt)?;
    let bare = bare(args, dir.path(), neighbour.flood_writes_per_second, interrupt)?;
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

/// Steady writes to a shard, alone in one deployment, and with a flood of another gateway's in a second one, whose backlog
/// stays as full as the flood keeps it.
fn suffer(
    args: &FairnessArgs,
    dir: &Path,
    shard: ShardId,
    [lane, flood_lane]: [Lane; 2],
    interrupt: &Interrupt,
) -> Result<Flooded, CliError> {
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let count = ShardCount::new(args.shards).expect("the command line takes powers of two only");
    let dirs = ["idle", "flooded"].map(|name| dir.join(name));
    let open = |dir: &PathBuf| {
        Shards::open(&storage, &ShardsConfig::new(dir.clone(), DOMAIN, count)).map_err(EngineError::from)
    };
    let deployments = [open(&dirs[0])?, open(&dirs[1])?];
    let committer = |at: usize| -> Result<_, CliError> {
        let trees = Trees::create(&*storage, &dirs[at], DOMAIN, count)?;
        Ok(Committer::new(&deployments[at], Some(trees)))
    };
    let mut committers = [committer(0)?, committer(1)?];
    let submitter = |n: u64, shard: ShardId, order: Order, lane: Lane| {
        let devices = devices(n).filter(|device| device.shard(count) == shard).take(args.devices).collect();
        let payload = args.record_bytes - RECORD_HEAD_BYTES;
        let source = Source::Uniform(Uniform::new(order, args.devices, payload, lane));
        Submitter::new(n, BenchAuth::Mac, devices, source)
    };
    let mut steady = [(); 2].map(|()| submitter(0, shard, Order::Turns, lane));
    let mut gateway = submitter(1, FLOODED, Order::Zipf(Zipf::new(args.devices)), flood_lane);
    for (steady, shards) in steady.iter_mut().zip(&deployments) {
        steady.enrol(shards)?;
    }
    gateway.enrol(&deployments[1])?;

    let (flood, mut flooded_for, mut flooded_with) = (Answered::default(), Duration::ZERO, 0);
    let mut begun = [false; 2];
    let suffered = Suffered::measure(args.seconds, interrupt, |is_flooded| {
        let at = usize::from(is_flooded);
        let answered = Answered::default();
        let mut loads = vec![Load {
            submitter: &mut steady[at],
            pace: Pace::Open { rate: args.rate },
            answered: &answered,
            turns: Turns::Prompt,
        }];
        if is_flooded {
            let pace = Pace::Closed { call_writes: FLOOD_CALL_WRITES };
            loads.push(Load { submitter: &mut gateway, pace, answered: &flood, turns: Turns::Last });
        }
        let running = Running::new(&deployments[at], interrupt);
        let count = || (Instant::now(), flood.durable.load(Ordering::Relaxed));
        let warm_up = if begun[at] { AGAIN_WARM_UP } else { WARM_UP };
        begun[at] = true;
        let span = Span { warm_up, measured: Duration::from_secs(1) };
        let driven = drive(&running, Some(&mut committers[at]), loads, span, count, || ())?;
        let ((begun, before), (ended, after)) = (driven.before, driven.after);
        if is_flooded {
            flooded_for += ended - begun;
            flooded_with += after - before;
        }
        Ok(driven.latencies[0].all())
    })?;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let flood_writes_per_second = flooded_with as f64 / flooded_for.as_secs_f64();
    Ok(Flooded { suffered, flood_writes_per_second, flood_writes: flood.durable.load(Ordering::Relaxed) })
}

/// What the disk does with the neighbour's bytes, alone and while the flood's come as fast and in about such groups as they came.
fn bare(
    args: &FairnessArgs,
    dir: &Path,
    flood_writes_per_second: f64,
    interrupt: &Interrupt,
) -> Result<Suffered, CliError> {
    let steady_writes = usize::try_from(args.rate).unwrap_or(usize::MAX).div_ceil(1000);
    let commits = |writes, every| Commits { bytes: writes * args.record_bytes, every: Some(every) };
    let steady = commits(steady_writes, STEADY_EVERY);
    let full = GROUP_WRITES.min(GROUP_BYTES / args.record_bytes).max(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of writes")]
    let group = ((flood_writes_per_second * GROUPS_APART.as_secs_f64()) as usize).clamp(1, full);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let every = Duration::from_secs_f64(group as f64 / flood_writes_per_second.max(1.0));
    let flood = commits(group, every);
    Suffered::measure(args.seconds, interrupt, |is_flooded| {
        let commits = if is_flooded { &[steady, flood][..] } else { &[steady] };
        let mut measured = bare_commits(dir, commits, Duration::from_secs(1))?;
        Ok(measured.swap_remove(0).latencies)
    })
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
            suffer_lines(&mut line, who, suffered);
            line("  beside", format!("{} writes a second", rounded(*flood_writes_per_second)));
        }
        suffer_lines(&mut line, "the disk alone", &self.bare);
        lines
    }
}

fn suffer_lines(line: &mut impl FnMut(&str, String), who: &str, suffered: &Suffered) {
    let Suffered { idle, flooded, ratio } = suffered;
    line(&format!("{who}, idle, ms"), idle.all_ms.to_string());
    line(&format!("{who}, flooded"), flooded.all_ms.to_string());
    let [idle, flooded] = [idle.p99_ms, flooded.p99_ms];
    line("  p99 of the median second", format!("{idle:.2} alone, {flooded:.2} flooded: {ratio:.2} times"));
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
            ("another shard, alone", neighbour.idle.p99_ms),
            ("another shard, beside a flood", neighbour.flooded.p99_ms),
            ("the disk, alone", bare.idle.p99_ms),
            ("the disk, beside a flood", bare.flooded.p99_ms),
            ("alarms, alone", alarms.idle.p99_ms),
            ("alarms, amid a flood", alarms.flooded.p99_ms),
        ];
        let note = "Within how many milliseconds 99 of 100 writes of the median second were durable.";
        let chart = side_by_side("What a flood does to others", note, "ms", &figures);
        vec![Section::new("Fairness", self.lines(), vec![chart])]
    }
}
