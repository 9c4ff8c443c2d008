//! `arterial bench ingest`: how many writes a second become durable, and how soon.

use super::{
    bare::{BareCommits, Commits, MEASURE_FOR, bare_commits},
    committer::Committer,
    disk::{CountedStorage, DiskCounts},
    load::{Answered, CALL_WRITES, Driven, Load, Pace, Running, Span, Turns, WARM_UP, drive},
    machine::{hashes_per_second, zebra_verifications_per_second},
    report::{IngestReport, Limits, Reopened},
    scaled::{Scaled, all_cores, doubled_below, on_cores},
    trees::Trees,
    workload::{Order, Source, Submitter, Uniform, devices},
};
use crate::{
    args::{BenchAuth, IngestArgs},
    error::CliError,
    interrupt::Interrupt,
    watch::Samples,
};
use arterial::{
    Domain,
    protocol::{FieldElement, ShardCount, limits::RECORD_HEAD_BYTES},
    shards::{Lane, Shards, ShardsConfig, limits::SIGNATURES_AT_ONCE},
    storage::Storage,
};
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Instant,
};

/// Ed25519 signatures that are made beforehand for each second, if no rate is given.
const SIGNED_PER_SECOND: u64 = 250_000;
pub(crate) const DOMAIN: Domain = Domain(FieldElement::ZERO);

/// Measures; the report.
pub(crate) fn measure(args: &IngestArgs, interrupt: &Interrupt) -> Result<IngestReport, CliError> {
    let dir = super::work_dir(&args.place.dir)?;
    let run = Run::measure(args, dir.path(), interrupt)?;
    let limits = limits(args, &run.driven, dir.path())?;
    let mut by_cores = Vec::new();
    if args.by_cores {
        for count in doubled_below(all_cores()) {
            let dir = super::work_dir(&args.place.dir)?;
            let run = on_cores(count, || Run::measure(args, dir.path(), interrupt))?;
            by_cores.push(Scaled { count, per_second: run.writes_per_second() });
        }
        by_cores.push(Scaled { count: all_cores(), per_second: run.writes_per_second() });
    }
    Ok(IngestReport::new(args, run, &limits, by_cores))
}

/// What one run came to.
pub(crate) struct Run {
    pub(crate) driven: Driven<Snapshot>,
    pub(crate) samples: Samples,
    pub(crate) workload_bytes: u64,
    /// Records that came into blocks meanwhile.
    pub(crate) committed: u64,
    pub(crate) reopened: Reopened,
}

impl Run {
    fn measure(args: &IngestArgs, dir: &Path, interrupt: &Interrupt) -> Result<Self, CliError> {
        let storage = CountedStorage::default();
        let counts = Arc::clone(&storage.counts);
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let count = ShardCount::new(args.shards).expect("the command line takes powers of two only");
        let config = ShardsConfig::new(dir.to_owned(), DOMAIN, count);
        let shards = Shards::open(&storage, &config).map_err(arterial::EngineError::from)?;

        let mut submitters = submitters(args);
        for submitter in &submitters {
            submitter.enrol(&shards)?;
        }
        let trees = args.commit.then(|| Trees::create(&*storage, dir, DOMAIN, count)).transpose()?;
        let mut committer = Committer::new(&shards, trees);
        let workload_bytes = submitters.iter().map(Submitter::bytes).sum::<usize>() as u64;
        let (running, answered) = (Running::new(&shards, interrupt), Answered::default());
        let loads = submitters
            .iter_mut()
            .map(|submitter| Load { submitter, pace: pace(args), answered: &answered, turns: Turns::Usual })
            .collect();
        let mut samples = Samples::begin();
        let driven = drive(
            &running,
            Some(&mut committer),
            loads,
            Span::seconds(args.seconds),
            || Snapshot::take(&answered, &counts),
            || samples.take(answered.durable.load(Ordering::Relaxed)),
        )?;
        let records = answered.durable.load(Ordering::Relaxed);
        let committed = committer.committed();
        drop(committer);
        drop(shards);
        let begun = Instant::now();
        drop(Shards::open(&storage, &config).map_err(arterial::EngineError::from)?);
        let reopened = Reopened { records, seconds: begun.elapsed().as_secs_f64() };
        Ok(Self { driven, samples, workload_bytes, committed, reopened })
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(crate) fn writes_per_second(&self) -> f64 {
        let Driven { before, after, .. } = &self.driven;
        (after.durable - before.durable) as f64 / (after.at - before.at).as_secs_f64()
    }
}

/// What was counted up to a moment.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    pub(crate) at: Instant,
    pub(crate) durable: u64,
    pub(crate) refused: u64,
    pub(crate) record_bytes: u64,
    pub(crate) syncs: u64,
    pub(crate) bytes: u64,
    pub(crate) allocations: u64,
}

impl Snapshot {
    fn take(answered: &Answered, counts: &DiskCounts) -> Self {
        Self {
            at: Instant::now(),
            durable: answered.durable.load(Ordering::Relaxed),
            refused: answered.refused.load(Ordering::Relaxed),
            record_bytes: answered.bytes.load(Ordering::Relaxed),
            syncs: counts.syncs.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
            allocations: super::allocations(),
        }
    }
}

fn pace(args: &IngestArgs) -> Pace {
    match (args.rate, args.auth) {
        (Some(rate), _) => Pace::Open { rate: rate / args.writers as u64 },
        (None, BenchAuth::Bundle) => Pace::Closed { call_writes: args.bundle },
        (None, _) => Pace::Closed { call_writes: CALL_WRITES },
    }
}

fn submitters(args: &IngestArgs) -> Vec<Submitter> {
    let payload = args.record_bytes - RECORD_HEAD_BYTES;
    let each = (args.devices / args.writers).max(1);
    let signed = signed_writes(args.rate.unwrap_or(SIGNED_PER_SECOND), args.seconds).div_ceil(args.writers);
    thread::scope(|scope| {
        let make = |n: u64| {
            scope.spawn(move || {
                let source = match args.workload {
                    Some(name) => Source::named(name, each, args.seed.wrapping_add(n)),
                    None => Source::Uniform(Uniform::new(Order::Turns, each, payload, Lane::Routine)),
                };
                let devices = devices(n).take(source.devices()).collect();
                let mut submitter = Submitter::new(n, args.auth, devices, source);
                submitter.sign(signed);
                submitter
            })
        };
        let threads: Vec<_> = (0..args.writers as u64).map(make).collect();
        threads.into_iter().map(|thread| thread.join().expect("signing ends")).collect()
    })
}

/// How many writes are signed beforehand, so that some are left when the time is over.
pub(crate) fn signed_writes(rate: u64, seconds: u64) -> usize {
    usize::try_from(rate * (seconds + WARM_UP.as_secs() + 1)).unwrap_or(usize::MAX)
}

/// The machine's own limits, on what was just measured.
fn limits(args: &IngestArgs, measured: &Driven<Snapshot>, dir: &Path) -> Result<Limits, CliError> {
    let (before, after) = (&measured.before, &measured.after);
    let syncs = (after.syncs - before.syncs).max(1);
    let commit_bytes = usize::try_from((after.bytes - before.bytes) / syncs).unwrap_or(usize::MAX);
    let answered = (after.durable - before.durable + after.refused - before.refused).max(1);
    let record_bytes =
        usize::try_from((after.record_bytes - before.record_bytes) / answered).unwrap_or(usize::MAX);
    let threads = args.shards.min(4);
    let bare = |every| -> Result<BareCommits, CliError> {
        let commits = vec![Commits { bytes: commit_bytes, every }; threads as usize];
        Ok(BareCommits::sum(&bare_commits(dir, &commits, MEASURE_FOR)?))
    };
    let every = (after.at - before.at).mul_f64(f64::from(threads) / syncs_per_run(syncs));
    Ok(Limits {
        commit_bytes,
        bare: bare(None)?,
        bare_paced: args.rate.is_some().then(|| bare(Some(every))).transpose()?,
        hashes_per_second: hashes_per_second(record_bytes),
        zebra_verifications_per_second: (args.auth == BenchAuth::Ed25519)
            .then(|| zebra_verifications_per_second(SIGNATURES_AT_ONCE)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn syncs_per_run(syncs: u64) -> f64 {
    syncs as f64
}
