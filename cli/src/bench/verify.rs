//! `arterial bench verify`: how many receipts a second anybody can check, and what each step of it takes.

use super::{
    findings::Findings,
    load::CALL_WRITES,
    pipeline::open_engine,
    report::rounded,
    workload::{Call, Source, Submitter, devices},
};
use crate::{
    args::VerifyBenchArgs,
    error::CliError,
    interrupt::Interrupt,
    lines::Lines,
    output::grouped,
    page::{Bar, Bars, Chart, Drawing, Section, Tile},
};
use arterial::{
    At, BlockNumber, DeviceId, Engine, Receipt, Stage, StateRoot, Step,
    protocol::{Digest, limits::RUN_RECORDS_MAX},
};
use rayon::prelude::*;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long each is measured at least.
const MEASURE_FOR: Duration = Duration::from_millis(700);
/// Of the engine that the receipts come from; nothing of it is measured.
const SLOT_MS: u64 = 20;

/// What `arterial bench verify` prints.
#[derive(Serialize, Debug)]
pub(crate) struct VerifyReport {
    auth: String,
    workload: &'static str,
    receipts: usize,
    /// On average.
    receipt_bytes: f64,
    /// Records of the same device that follow in the same block, on average: each is hashed once.
    later_records: f64,
    /// Making a receipt from the files of a running engine.
    taken_per_second: f64,
    /// Decoded and verified.
    one_thread_per_second: f64,
    threads: usize,
    all_threads_per_second: f64,
    steps: Vec<StepTime>,
}

/// What a step takes, on one thread.
#[derive(Serialize, Debug)]
struct StepTime {
    step: String,
    micros: f64,
}

/// Receipts of one run, and the roots that their blocks have on its chain.
struct Taken {
    receipts: Vec<Receipt>,
    encoded: Vec<Vec<u8>>,
    roots: BTreeMap<BlockNumber, StateRoot>,
    seconds: f64,
}

/// Measures; the report.
pub(crate) fn measure(args: &VerifyBenchArgs, interrupt: &Interrupt) -> Result<VerifyReport, CliError> {
    let dir = super::work_dir(&args.place.dir)?;
    let taken = take(args, &open_engine(dir.path(), args.shards, SLOT_MS, |builder| builder)?, interrupt)?;
    let count = taken.receipts.len();
    let whole = |bytes: &Vec<u8>| check(bytes, &taken.roots);
    let one_thread = per_second(count, || taken.encoded.iter().try_for_each(whole))?;
    let all_threads = per_second(count, || taken.encoded.par_iter().try_for_each(whole))?;
    #[expect(clippy::cast_precision_loss, reason = "averages")]
    let average = |sum: usize| sum as f64 / count.max(1) as f64;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let taken_per_second = count as f64 / taken.seconds;
    Ok(VerifyReport {
        auth: format!("{:?}", args.auth).to_lowercase(),
        workload: args.workload.name(),
        receipts: count,
        receipt_bytes: average(taken.encoded.iter().map(Vec::len).sum()),
        later_records: average(taken.receipts.iter().map(|receipt| receipt.later.len()).sum()),
        taken_per_second,
        one_thread_per_second: one_thread,
        threads: rayon::current_num_threads(),
        all_threads_per_second: all_threads,
        steps: steps(&taken)?,
    })
}

/// Writes, waits until all is final, and takes receipts of the first writes.
fn take(args: &VerifyBenchArgs, engine: &Engine, interrupt: &Interrupt) -> Result<Taken, CliError> {
    let source = Source::named(args.workload, args.devices, 1);
    let devices = devices(0).take(source.devices()).collect();
    let mut submitter = Submitter::new(0, args.auth, devices, source);
    submitter.sign(args.records);
    submitter.enrol(engine)?;
    let wanted: Vec<(DeviceId, u64)> = submitter.next_writes(args.receipts.min(args.records));
    let mut left = args.records;
    while left > 0 && !interrupt.is_raised() {
        let writes = left.min(CALL_WRITES);
        for Call { tickets, .. } in submitter.submit(engine, writes) {
            tickets.answers().try_for_each(|answer| answer.map(drop))?;
        }
        left -= writes;
    }
    let last = engine.flush(Stage::Final)?;
    let root = |number| {
        let root = engine.chain().state_root(BlockNumber(number), At::Finalized)?;
        root.map(|root| (BlockNumber(number), root)).ok_or(CliError::NotOnChain { number })
    };
    let roots = (1..=last.0).map(root).collect::<Result<_, CliError>>()?;
    let begun = Instant::now();
    let receipts =
        wanted.iter().map(|(device, seq)| engine.receipt(*device, *seq)).collect::<Result<Vec<_>, _>>()?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Taken { encoded: receipts.iter().map(Receipt::encode).collect(), receipts, roots, seconds })
}

fn check(bytes: &[u8], roots: &BTreeMap<BlockNumber, StateRoot>) -> Result<(), CliError> {
    let wrong = |what: String| CliError::WrongReceipt { what };
    let receipt = Receipt::decode(bytes).map_err(|error| wrong(error.to_string()))?;
    let root = roots.get(&receipt.number).ok_or(CliError::NotOnChain { number: receipt.number.0 })?;
    receipt.verify(root).map(drop).map_err(|error| wrong(error.to_string()))
}

/// How many of what a round does `per_round` of are done in a second.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn per_second(per_round: usize, mut round: impl FnMut() -> Result<(), CliError>) -> Result<f64, CliError> {
    let (begun, mut rounds) = (Instant::now(), 0u32);
    while begun.elapsed() < MEASURE_FOR {
        round()?;
        rounds += 1;
    }
    Ok(f64::from(rounds) * per_round as f64 / begun.elapsed().as_secs_f64())
}

/// What each step takes: as much longer as a receipt that is broken in the next step takes than one that is broken in this
/// one. So it is the verifier itself that is measured, and nothing that was written to be like it.
fn steps(taken: &Taken) -> Result<Vec<StepTime>, CliError> {
    let Taken { receipts, encoded, roots, .. } = taken;
    let other = Digest::reduce([7; 32]);
    // A run that is too long is seen before its first record is hashed.
    let too_long = |receipt: &mut Receipt| receipt.later = vec![receipt.record.link(); RUN_RECORDS_MAX];
    let decoded = micros(encoded.len(), || {
        encoded.iter().try_for_each(|bytes| {
            Receipt::decode(bytes)
                .map(drop)
                .map_err(|error| CliError::WrongReceipt { what: error.to_string() })
        })
    })?;
    let times = [
        broken(receipts, roots, Some(Step::Chain), too_long)?,
        broken(receipts, roots, Some(Step::Chain), |receipt| receipt.head_after = other)?,
        broken(receipts, roots, Some(Step::Account), |receipt| receipt.accounts_root = other)?,
        broken(receipts, roots, None, |_| {})?,
    ];
    let before = std::iter::once(0.0).chain(times);
    let each = times.into_iter().zip(before).map(|(until, before)| (until - before).max(0.0));
    let named = Step::ALL.into_iter().zip(std::iter::once(decoded).chain(each));
    Ok(named.map(|(step, micros)| StepTime { step: step.to_string(), micros }).collect())
}

/// Microseconds until receipts are found broken in a step, or to hold.
fn broken(
    receipts: &[Receipt],
    roots: &BTreeMap<BlockNumber, StateRoot>,
    fails: Option<Step>,
    change: impl Fn(&mut Receipt),
) -> Result<f64, CliError> {
    let mut receipts = receipts.to_vec();
    receipts.iter_mut().for_each(change);
    micros(receipts.len(), || {
        receipts.iter().try_for_each(|receipt| {
            let got = receipt.verify(&roots[&receipt.number]).err().map(|error| error.step());
            let what = || format!("failed in {got:?}, expected {fails:?}");
            if got == fails { Ok(()) } else { Err(CliError::WrongReceipt { what: what() }) }
        })
    })
}

fn micros(per_round: usize, round: impl FnMut() -> Result<(), CliError>) -> Result<f64, CliError> {
    per_second(per_round, round).map(|rate| 1e6 / rate)
}

impl VerifyReport {
    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        lines.push(
            "receipts",
            format!("{} of {}, authenticated by {}", grouped(self.receipts as u64), self.workload, self.auth),
        );
        lines.push(
            "bytes of a receipt",
            format!("{:.0}, with {:.1} later records of its device", self.receipt_bytes, self.later_records),
        );
        lines.push("verified per second", format!("{} on one thread", rounded(self.one_thread_per_second)));
        lines.push(format!("  on {} threads", self.threads), rounded(self.all_threads_per_second));
        lines
            .push("taken per second", format!("{}, from the engine's files", rounded(self.taken_per_second)));
        for StepTime { step, micros } in &self.steps {
            lines.push(format!("  {step}"), format!("{micros:.1} µs"));
        }
        lines
    }

    fn charts(&self) -> Vec<Chart> {
        let sizes = self.steps.iter().map(|step| step.micros).collect();
        let parts = self.steps.iter().map(|step| step_name(&step.step)).collect();
        vec![Chart {
            title: "What checking a receipt takes",
            note: "Microseconds on one thread, step by step. Needed are the receipt and the state root of its block, and \
                   nothing else."
                .into(),
            drawing: Drawing::Bars(Bars { unit: "µs", parts, bars: vec![Bar { name: "one receipt".into(), sizes }] }),
        }]
    }

    /// Receipts that all threads verify in a second.
    pub(crate) const fn threads(&self) -> [(usize, f64); 2] {
        [(1, self.one_thread_per_second), (self.threads, self.all_threads_per_second)]
    }
}

/// A step, as the page's parts are named.
fn step_name(step: &str) -> &'static str {
    const NAMES: [&str; 5] = ["encoding", "authorship", "chain", "account", "state"];
    NAMES.into_iter().find(|name| *name == step).unwrap_or("another step")
}

impl Findings for VerifyReport {
    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("one_thread_per_second", self.one_thread_per_second),
            ("all_threads_per_second", self.all_threads_per_second),
        ]
    }

    fn tiles(&self) -> Vec<Tile> {
        vec![Tile::new(rounded(self.all_threads_per_second), "receipts verified a second")]
    }

    fn sections(&self) -> Vec<Section> {
        vec![Section::new("Receipts verified", self.lines(), self.charts())]
    }
}
