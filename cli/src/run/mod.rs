//! `arterial run`: from device files to verified receipts.
//!
//! ```text
//! files ─ read ─▶ plan ─ sign ─▶ ingest ─▶ durable ─ settle ─▶ final ─ receipts ─▶ report
//! ```

mod devices;
mod ingest;
mod page;
mod plan;
mod receipts;
mod report;
mod way;

use crate::{
    args::{DeploymentArgs, Receipts, RunArgs},
    environment::Environment,
    error::{CliError, IoContext},
    input::{self, Input, Recording, Skipped, synthetic},
    interrupt::Interrupt,
    metrics::Server,
    output,
    progress::Progress,
    watch::Watcher,
};
use arterial::{
    BlockNumber, Engine, EngineBuilder, EngineError, Proving, ProvingStep, Stage,
    rollup::{
        batch_proof::Phase,
        chain::{ChainError, embedded::EmbeddedConfig},
    },
};
use devices::{Devices, Seed};
use ingest::Ingested;
use plan::Plan;
use receipts::Roots;
use report::{Parts, Report, Settlement};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Of so many spread receipts the last is drawn on the page.
const SHOWN: usize = 8;
/// What an engine that was stopped while it began a deployment may have left.
const BEGUN: [&str; 3] = ["lock", "genesis.tmp", "block.key"];

/// Runs the job; says whether everything that was given came through.
pub(crate) fn run(args: &RunArgs) -> Result<bool, CliError> {
    check_directory(&args.out)?;
    let _served = serve_metrics(args)?;
    let interrupt = Interrupt::listen();
    let progress = Progress::new(!args.json);
    let Input { recordings, skipped } = read(args);
    report_skipped(&skipped);
    let plan = Plan::new(recordings, args.replicate)?;

    let engine = open(args, progress)?;
    let devices = Devices::derive(&Seed::open(&args.out)?, &plan, args.auth);
    let begin = Instant::now();
    let bar = progress.bar("signing", plan.writes());
    let tags = devices.sign(&plan, &bar, &interrupt).ok_or_else(|| stopped(&engine, None))?;
    let sign_seconds = begin.elapsed().as_secs_f64();
    bar.finish_and_clear();

    enrol(&engine, &plan, &devices)?;
    let durable = Arc::default();
    let watcher = Watcher::begin(&engine, &durable);
    let bar = progress.bar("ingest", plan.writes());
    let ingested = ingest::ingest(&engine, &plan, &tags, &durable, &bar, &interrupt)?;
    bar.finish_and_clear();
    report_refused(&ingested);

    let begin = Instant::now();
    let last = settle(&engine, &interrupt, progress)?
        .ok_or_else(|| stopped(&engine, Some((ingested.durable, plan.writes()))))?;
    let settle_seconds = begin.elapsed().as_secs_f64();
    let seen = watcher.end(&engine)?;

    let roots = Roots::read(&engine, last)?;
    let receipts_verified = take_receipts(args, &engine, &plan, &ingested, &roots, progress, &interrupt)?
        .ok_or_else(|| stopped(&engine, Some((ingested.durable, plan.writes()))))?;
    let settlement = Settlement::of(&engine, last)?;
    let one = receipts::choose(&plan, &ingested.refused, Receipts::Sample(SHOWN)).pop();
    let way = one.map(|one| way::of(&engine, &plan, one, &roots)).transpose()?;
    let report = Report::new(Parts {
        environment: Environment::of(&args.out),
        plan: &plan,
        ingested: &ingested,
        settlement: &settlement,
        deployment: *engine.deployment(),
        state: engine.close(),
        sign_seconds,
        settle_seconds,
        receipts_verified,
        state_root: *roots.of(last)?,
        skipped,
    });
    let page = page::html(&report, &seen, &settlement, way, &args.out);
    finish(&report, &page, args)?;
    Ok(report.is_complete())
}

/// Serves what is measured, if that was asked for, until what is returned is dropped.
fn serve_metrics(args: &RunArgs) -> Result<Option<Server>, CliError> {
    let Some(address) = args.metrics else { return Ok(None) };
    if !address.ip().is_loopback() && !args.metrics_exposed {
        return Err(CliError::MetricsExposed { address });
    }
    let server = Server::start(address)?;
    eprintln!("metrics: {}", server.url());
    Ok(Some(server))
}

/// Nothing is written into a directory that is somebody else's.
fn check_directory(dir: &Path) -> Result<(), CliError> {
    if !dir.exists() || dir.join("genesis").exists() {
        return Ok(());
    }
    for entry in fs::read_dir(dir).context("list", dir)? {
        let name = entry.context("list", dir)?.file_name();
        if !BEGUN.iter().any(|begun| name == *begun) {
            return Err(CliError::ForeignDirectory { path: dir.to_owned() });
        }
    }
    Ok(())
}

fn read(args: &RunArgs) -> Input {
    if !args.input.is_empty() {
        return input::read(&args.input);
    }
    let synthetic = &args.synthetic;
    let recordings: Vec<Recording> =
        synthetic::recordings(synthetic.seed, synthetic.devices as usize, synthetic.seconds as usize);
    Input { recordings, skipped: Vec::new() }
}

fn report_skipped(skipped: &[Skipped]) {
    for skipped in skipped {
        eprintln!("skipped {}: {}", skipped.path.display(), skipped.reason);
    }
}

fn report_refused(ingested: &Ingested) {
    for reason in &ingested.reasons {
        eprintln!("refused {reason}");
    }
    if ingested.refused.len() > ingested.reasons.len() {
        eprintln!("refused {} writes in all", ingested.refused.len());
    }
}

fn open(args: &RunArgs, progress: Progress) -> Result<Engine, CliError> {
    let dir = &args.out;
    warn_of_keys(dir);
    let builder = deployment(dir, &args.deployment);
    #[cfg(feature = "ethereum")]
    let builder = args.ethereum.settle_there(builder, dir)?;
    let spinner = progress.spinner("opening");
    let engine = builder.open();
    spinner.finish_and_clear();
    engine.map_err(|error| match error {
        EngineError::Chain(ChainError::Misuse(chain))
            if args.deployment.slot_ms.is_some() || args.deployment.validators.is_some() =>
        {
            CliError::ChainSettings { chain }
        }
        error => error.into(),
    })
}

/// Says what a new deployment's keys are worth.
pub(crate) fn warn_of_keys(dir: &Path) {
    if !dir.join("block.key").exists() {
        eprintln!(
            "note: making Groth16 keys in {}. This is a development setup: whoever runs it could forge proofs. A \
             deployment whose proofs must convince others needs keys from a ceremony.",
            dir.join("block.key").display()
        );
    }
}

/// The deployment in a directory, with what was asked for.
pub(crate) fn deployment(dir: &Path, args: &DeploymentArgs) -> EngineBuilder {
    let mut builder = Engine::builder(dir);
    if let Some(shards) = args.shards {
        builder = builder.shards(shards);
    }
    if let Some(records) = args.block_records {
        builder = builder.block_records(records);
    }
    if let Some(interval_ms) = args.block_interval_ms {
        builder = builder.block_interval(Duration::from_millis(interval_ms));
    }
    if let Some(threads) = args.prover_threads {
        builder = builder.prover_threads(threads);
    }
    if args.slot_ms.is_some() || args.validators.is_some() {
        let mut config = EmbeddedConfig::default();
        config.slot_ms = args.slot_ms.unwrap_or(config.slot_ms);
        config.validators = args.validators.as_ref().map_or(config.validators, |stakes| stakes.0.clone());
        builder = builder.embedded_chain(config);
    }
    builder
}

fn enrol(engine: &Engine, plan: &Plan, devices: &Devices) -> Result<(), CliError> {
    let outcomes = engine.enroll_many(&devices.enrolments(plan.devices()));
    for (device, outcome) in outcomes.into_iter().enumerate() {
        outcome.map_err(|source| CliError::Enrol { label: plan.label(device), source })?;
    }
    Ok(())
}

/// Waits until everything is final; `None` when it was interrupted.
fn settle(
    engine: &Engine,
    interrupt: &Interrupt,
    progress: Progress,
) -> Result<Option<BlockNumber>, CliError> {
    let spinner = progress.spinner("settling");
    // In a thread of its own, so that Ctrl-C need not wait for the chain.
    let (sender, receiver) = mpsc::channel();
    let flushing = engine.clone();
    thread::spawn(move || sender.send(flushing.flush(Stage::Final)));
    let mut told = None;
    loop {
        if interrupt.is_raised() {
            return Ok(None);
        }
        match receiver.recv_timeout(TICK) {
            Ok(last) => {
                spinner.finish_and_clear();
                return Ok(Some(last?));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(EngineError::Closed.into()),
            Err(RecvTimeoutError::Timeout) => {
                let state = engine.state();
                let proving = state.proving.map(proving).unwrap_or_default();
                spinner.set_message(format!(
                    "settling: block {} sealed, {} proven, {} posted, {} final{proving}",
                    state.sealed, state.proven, state.posted, state.finalized
                ));
                if state.fault.is_some() && state.fault != told {
                    eprintln!("waiting: {}", state.fault.as_deref().unwrap_or_default());
                }
                told = state.fault;
            }
        }
    }
}

fn take_receipts(
    args: &RunArgs,
    engine: &Engine,
    plan: &Plan,
    ingested: &Ingested,
    roots: &Roots,
    progress: Progress,
    interrupt: &Interrupt,
) -> Result<Option<usize>, CliError> {
    let chosen = receipts::choose(plan, &ingested.refused, args.receipts);
    let bar = progress.bar("receipts", chosen.len());
    let dir = args.out.join(receipts::DIR);
    let verified = receipts::verify(engine, plan, &chosen, roots, &dir, &bar, interrupt);
    bar.finish_and_clear();
    verified
}

/// Closes the engine early, and what there is to say then. `durable` says how many of how many writes are.
fn stopped(engine: &Engine, durable: Option<(usize, usize)>) -> CliError {
    let state = engine.clone().close();
    let durable = match durable {
        Some((durable, writes)) => format!("{durable} of {writes} writes are durable"),
        None => "this run submitted nothing yet".into(),
    };
    CliError::Interrupted(format!(
        "stopped: {durable}, blocks are proven up to {} and final up to {}; the same command goes on from here",
        state.proven, state.finalized
    ))
}

fn finish(report: &Report, page: &str, args: &RunArgs) -> Result<(), CliError> {
    let path = args.out.join("report.html");
    fs::write(&path, page).context("write", &path)?;
    let path = args.out.join("report.json");
    fs::write(&path, output::json(report)? + "\n").context("write", &path)?;
    if args.json { output::print_json(report) } else { output::print(&report.lines(&args.out).to_string()) }
}

/// What is being proven, to follow on how far the blocks are.
fn proving(Proving { number, step }: Proving) -> String {
    let step = match step {
        ProvingStep::Batches(Phase::Trace { segments, segment }) => {
            format!("trace of segment {} of {segments}", segment + 1)
        }
        ProvingStep::Batches(Phase::Prove { segments, segment }) => {
            format!("its batches, segment {} of {segments}", segment + 1)
        }
        ProvingStep::Batches(Phase::Verify) => "checking the proof of its batches".to_owned(),
        ProvingStep::Block => "its state root".to_owned(),
        _ => "its rules".to_owned(),
    };
    format!("; proving block {number}: {step}")
}
