//! `arterial bench pipeline`: the whole path, from writes that are due to blocks that are final.

mod report;

use super::{
    ingest::signed_writes,
    load::{Answered, Load, Pace, Running, Span, Turns, drive},
    workload::{Source, Submitter, devices},
};
use crate::{
    args::PipelineArgs,
    error::CliError,
    interrupt::Interrupt,
    watch::{Seen, Watcher},
};
use arterial::{
    At, BlockNumber, DeviceId, Engine, EngineBuilder, Receipt, Stage, rollup::chain::embedded::EmbeddedConfig,
};
pub(crate) use report::PipelineReport;
use report::Ran;
use std::{
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// Receipts that are verified when all is final.
const RECEIPTS: usize = 64;

/// A deployment of its own, whose keys go away with its directory.
pub(crate) fn open_engine(
    dir: &Path,
    shards: u32,
    slot_ms: u64,
    set: impl FnOnce(EngineBuilder) -> EngineBuilder,
) -> Result<Engine, CliError> {
    let config = EmbeddedConfig { slot_ms, ..EmbeddedConfig::default() };
    Ok(set(Engine::builder(dir.join("run")).shards(shards).embedded_chain(config)).open()?)
}

/// Measures; the report.
pub(crate) fn measure(args: &PipelineArgs, interrupt: &Interrupt) -> Result<PipelineReport, CliError> {
    let dir = super::work_dir(&args.place.dir)?;
    let engine = open_engine(dir.path(), args.shards, args.slot_ms, |builder| {
        builder
            .block_records(args.block_records)
            .block_interval(Duration::from_millis(args.block_interval_ms))
    })?;
    let source = Source::named(args.workload, args.devices, args.seed);
    let devices = devices(0).take(source.devices()).collect();
    let mut submitter = Submitter::new(0, args.auth, devices, source);
    submitter.sign(signed_writes(args.rate, args.seconds));
    submitter.enrol(&engine)?;
    let some: Vec<(DeviceId, u64)> = submitter.next_writes(RECEIPTS);

    let (running, answered) = (Running::new(&engine, interrupt), Answered::default());
    let begun = Instant::now();
    let watcher = Watcher::begin(&engine, &answered.durable);
    let pace = Pace::Open { rate: args.rate };
    let loads = vec![Load { submitter: &mut submitter, pace, answered: &answered, turns: Turns::Usual }];
    let count = || (Instant::now(), answered.durable.load(Ordering::Relaxed));
    let driven = drive(&running, None, loads, Span::seconds(args.seconds), count, || ())?;
    let durable_at = begun.elapsed().as_secs_f64();
    engine.flush(Stage::Final)?;
    let final_at = begun.elapsed().as_secs_f64();
    let seen = watcher.end(&engine)?;
    let gas = gas(&engine, &seen)?;
    let receipts_verified = verify(&engine, &some)?;
    let answered = &answered;
    Ok(PipelineReport::new(
        args,
        Ran { driven, answered, seen, durable_at, final_at, gas, receipts_verified },
    ))
}

/// The gas of each block that came after the first.
fn gas(engine: &Engine, seen: &Seen) -> Result<Vec<u64>, CliError> {
    let mut gas = Vec::new();
    for times in seen.blocks.iter().filter(|times| times.number > 1) {
        gas.extend(engine.block(BlockNumber(times.number))?.inclusion.map(|inclusion| inclusion.gas_used));
    }
    Ok(gas)
}

/// Checks what the path is for: receipts of the first writes, against the roots that the chain answers.
fn verify(engine: &Engine, writes: &[(DeviceId, u64)]) -> Result<usize, CliError> {
    for (device, seq) in writes {
        let wrong = |what: String| CliError::WrongReceipt { what };
        let bytes = engine.receipt(*device, *seq)?.encode();
        let receipt = Receipt::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
        let number = receipt.number;
        let root = engine.chain().state_root(number, At::Finalized)?;
        let root = root.ok_or(CliError::NotOnChain { number: number.0 })?;
        receipt.verify(&root).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(writes.len())
}
