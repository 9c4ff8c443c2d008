//! `arterial verify --deep`: a block from what was published of it.

use crate::{
    error::CliError,
    output::{self, counted},
    soundness,
};
use arterial::{At, Audit, AuditError, AuditStep, BlockNumber, audit, rollup::batch_proof::BatchStatement};
use serde_json::{Value, json};
use std::path::Path;

/// Says whether the block holds.
pub(super) fn verify(dir: &Path, number: BlockNumber, json: bool) -> Result<bool, CliError> {
    let audited = audit(dir, number);
    if json {
        output::print_json(&as_json(number, &audited))?;
    } else if let Ok(audit) = &audited {
        output::print(&text(dir, audit))?;
    }
    match audited {
        Ok(_) => Ok(true),
        Err(error) => {
            eprintln!("error: {error}");
            Ok(false)
        }
    }
}

fn text(dir: &Path, audit: &Audit) -> String {
    let Audit { statement, batches, soundness, chain, .. } = audit;
    let records = counted(statement.record_count, "record");
    let enrolments = counted(sum(batches, |batch| batch.enrolment_count), "enrolment");
    let number = statement.number;
    let lines = [
        (AuditStep::Block, format!("{records}, state root {}", statement.new_state_root)),
        (
            AuditStep::Batches,
            format!(
                "{} moved by the rules, by {records} and {enrolments}; {}",
                counted(batches.len() as u64, "shard"),
                soundness::text(soundness)
            ),
        ),
        (AuditStep::Data, "every batch's bytes are those that were proven".to_owned()),
    ];
    let mut text = format!("{}, block {number}\n", dir.display());
    for (step, what) in lines {
        text += &format!("  ✓ {:12} {what}\n", step.to_string());
    }
    text += &match chain {
        Some(At::Finalized) => format!("  ✓ {:12} final\n", AuditStep::Chain.to_string()),
        Some(At::Latest) => {
            format!(
                "  ✓ {:12} posted, but NOT FINAL: a reorganisation could still undo it\n",
                AuditStep::Chain.to_string()
            )
        }
        None => {
            "  · base chain   not in the directory: compare the state root with the real one\n".to_owned()
        }
    };
    text
}

fn as_json(number: BlockNumber, audited: &Result<Audit, AuditError>) -> Value {
    match audited {
        Ok(Audit { statement, batches, soundness, chain, .. }) => json!({
            "verified": true,
            "block": number.0,
            "records": statement.record_count,
            "enrolments": sum(batches, |batch| batch.enrolment_count),
            "shards_moved": batches.len(),
            "old_state_root": statement.old_state_root.to_string(),
            "new_state_root": statement.new_state_root.to_string(),
            "soundness": soundness::as_json(soundness),
            "chain": chain.map(|at| if at == At::Finalized { "final" } else { "posted" }),
        }),
        Err(AuditError { step, source, .. }) => json!({
            "verified": false,
            "block": number.0,
            "step": step.to_string(),
            "fault": source.to_string(),
        }),
    }
}

fn sum(batches: &[BatchStatement], of: fn(&BatchStatement) -> u32) -> u64 {
    batches.iter().map(|batch| u64::from(of(batch))).sum()
}
