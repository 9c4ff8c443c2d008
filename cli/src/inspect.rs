//! `arterial inspect`: what a run's directory holds, and whether every file of it is whole.

use crate::{
    args::InspectArgs,
    error::CliError,
    output::{self, counted, grouped},
    soundness, standing,
};
use arterial::{
    BlockReport, Inspection,
    rollup::chain::embedded::{EmbeddedChain, Standing},
    shards::{FileReport, SegmentReport, ShardReport},
    storage::FileStorage,
};
use serde_json::{Value, json};
use std::{
    fmt::{self, Write as _},
    path::Path,
};

/// Says whether everything is whole.
pub(crate) fn inspect(args: &InspectArgs) -> Result<bool, CliError> {
    let inspection = arterial::inspect(&args.dir)?;
    let faults = inspection.faults().count();
    let standing = standing_in(&args.dir, &inspection);
    if args.json {
        output::print_json(&as_json(&inspection, standing.as_ref()))?;
    } else {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write_text(&mut text, &inspection, standing.as_ref(), &args.dir);
        output::print(&text)?;
    }
    if faults > 0 {
        for (path, fault) in inspection.faults() {
            eprintln!("damaged {}: {fault}", path.display());
        }
        eprintln!(
            "error: {faults} of the files are damaged or missing; `arterial repair {}` says what can be mended",
            args.dir.display()
        );
    }
    Ok(faults == 0)
}

/// How the validators of the directory's chain stand, if it has a chain that is whole and has some.
fn standing_in(dir: &Path, inspection: &Inspection) -> Option<Standing> {
    inspection.chain.as_ref().filter(|file| file.fault.is_none())?;
    EmbeddedChain::open_read_only(&FileStorage, &dir.join("chain")).ok()?.standing()
}

fn write_text(
    text: &mut String,
    inspection: &Inspection,
    standing: Option<&Standing>,
    dir: &Path,
) -> fmt::Result {
    let deployment = &inspection.deployment;
    let shards = counted(deployment.shards.get().into(), "shard");
    writeln!(text, "{}", dir.display())?;
    writeln!(text, "  domain {} on chain {}, {shards}", deployment.domain.0, deployment.chain_id)?;
    let lines = [("proving and verifying keys", &inspection.keys)];
    let chain = inspection.chain.as_ref().map(|chain| ("history of the embedded chain", chain));
    for (what, file) in lines.into_iter().chain(chain) {
        write_file(text, dir, file, what)?;
    }
    if let Some(standing) = standing {
        standing::write_text(text, standing)?;
    }
    for shard in &inspection.shards {
        write_shard(text, shard, dir)?;
    }
    writeln!(text, "accounts")?;
    for file in &inspection.accounts {
        write_file(text, dir, file, "accounts of the newest block")?;
    }
    writeln!(text, "blocks: {}", grouped(inspection.blocks.len() as u64))?;
    for block in &inspection.blocks {
        let root = block.state_root.map_or("no state root".into(), |root| root.to_string());
        let records = grouped(block.records);
        let what = format!("block {}, {}, {records} records, {root}", block.number, block.stage);
        write_file(text, dir, &block.file, &what)?;
        write_file(text, dir, &block.batch_proof, &soundness::text(&block.soundness))?;
    }
    match inspection.faults().count() {
        0 => writeln!(text, "every file is whole"),
        faults => writeln!(text, "{faults} of the files are damaged or missing"),
    }
}

fn write_shard(text: &mut String, shard: &ShardReport, dir: &Path) -> fmt::Result {
    writeln!(
        text,
        "shard {}: {} devices, {} records, sealed up to block {}, {} records wait for a block",
        shard.shard,
        grouped(shard.devices as u64),
        grouped(shard.records),
        shard.sealed,
        grouped(shard.unsealed_records as u64)
    )?;
    for segment in &shard.segments {
        let mut what = format!("{} frames", grouped(segment.frames));
        if segment.torn_bytes > 0 {
            write!(what, ", {} bytes torn off by a crash", grouped(segment.torn_bytes))?;
        }
        write_line(text, dir, &segment.path, segment.bytes, segment.fault.as_deref(), &what)?;
    }
    // There are two of these for every block; only what is wrong is worth a line each.
    let (whole, damaged): (Vec<_>, Vec<_>) = shard.batches.iter().partition(|file| file.fault.is_none());
    writeln!(text, "  ✓ {} files of batches and their indexes", grouped(whole.len() as u64))?;
    for file in damaged {
        write_file(text, dir, file, "batch")?;
    }
    write_file(text, dir, &shard.keys, "keys of its devices")
}

fn write_file(text: &mut String, dir: &Path, file: &FileReport, what: &str) -> fmt::Result {
    write_line(text, dir, &file.path, file.bytes, file.fault.as_deref(), what)
}

fn write_line(
    text: &mut String,
    dir: &Path,
    path: &Path,
    bytes: u64,
    fault: Option<&str>,
    what: &str,
) -> fmt::Result {
    let path = path.strip_prefix(dir).unwrap_or(path).display();
    match fault {
        None => writeln!(text, "  ✓ {path}: {} bytes, {what}", grouped(bytes)),
        Some(fault) => writeln!(text, "  ✗ {path}: {what}: DAMAGED: {fault}"),
    }
}

fn as_json(inspection: &Inspection, standing: Option<&Standing>) -> Value {
    let deployment = &inspection.deployment;
    let faults: Vec<Value> =
        inspection.faults().map(|(path, fault)| json!({ "path": path, "fault": fault })).collect();
    json!({
        "whole": faults.is_empty(),
        "faults": faults,
        "domain": deployment.domain.0.to_string(),
        "chain_id": deployment.chain_id,
        "segment_bytes": deployment.segment_bytes,
        "keys": file(&inspection.keys),
        "chain": inspection.chain.as_ref().map(file),
        "consortium": standing.map(standing::as_json),
        "shards": inspection.shards.iter().map(shard).collect::<Vec<_>>(),
        "accounts": inspection.accounts.iter().map(file).collect::<Vec<_>>(),
        "blocks": inspection.blocks.iter().map(block).collect::<Vec<_>>(),
    })
}

fn file(file: &FileReport) -> Value {
    json!({ "path": file.path, "bytes": file.bytes, "fault": file.fault })
}

fn shard(shard: &ShardReport) -> Value {
    json!({
        "shard": shard.shard.0,
        "devices": shard.devices,
        "records": shard.records,
        "unsealed_records": shard.unsealed_records,
        "sealed": shard.sealed.0,
        "segments": shard.segments.iter().map(segment).collect::<Vec<_>>(),
        "batches": shard.batches.iter().map(file).collect::<Vec<_>>(),
        "keys": file(&shard.keys),
    })
}

fn segment(segment: &SegmentReport) -> Value {
    json!({
        "path": segment.path,
        "bytes": segment.bytes,
        "frames": segment.frames,
        "records": segment.records,
        "torn_bytes": segment.torn_bytes,
        "fault": segment.fault,
    })
}

fn block(block: &BlockReport) -> Value {
    json!({
        "number": block.number.0,
        "records": block.records,
        "stage": block.stage.to_string(),
        "state_root": block.state_root.map(|root| root.to_string()),
        "file": file(&block.file),
        "batch_proof": file(&block.batch_proof),
        "soundness": soundness::as_json(&block.soundness),
    })
}
