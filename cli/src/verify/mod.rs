//! `arterial verify`: receipts against a state root, or a block from what was published of it, step by step.

mod deep;
mod outcome;
mod trusted;

use crate::{args::VerifyArgs, error::CliError, output};
use arterial::{
    BlockNumber, Receipt, Step, Verified,
    protocol::{ReceiptDecodeError, VerifyError},
};
use outcome::{Outcome, Reading};
use rayon::prelude::*;
use serde::Serialize;
use std::{fs, io, path::Path};
use trusted::Trusted;

/// Receipts checked at once, before anything is said of them.
const CHUNK_RECEIPTS: usize = 256;

/// Why a receipt does not hold.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("cannot read the file: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Decode(#[from] ReceiptDecodeError),
    #[error("no state root to check against: {0}")]
    Root(String),
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

impl Fault {
    /// The step that failed; `None` when it did not come to one.
    const fn step(&self) -> Option<Step> {
        match self {
            Self::Decode(_) => Some(Step::Encoding),
            Self::Verify(error) => Some(error.step()),
            Self::Io(_) | Self::Root(_) => None,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    verified: bool,
    receipts_verified: usize,
    receipts_failed: usize,
    receipts: Vec<Outcome>,
}

/// Checks every receipt, or the block; says whether all of it holds.
pub(crate) fn verify(args: &VerifyArgs) -> Result<bool, CliError> {
    if let [dir, block] = &args.deep[..] {
        let number = block.to_str().and_then(|number| number.parse().ok());
        let got = || block.to_string_lossy().into_owned();
        let number = number.map(BlockNumber).ok_or_else(|| CliError::BlockNumber { got: got() })?;
        return deep::verify(Path::new(dir), number, args.json);
    }
    let trusted = Trusted::open(args)?;
    let mut receipts = Vec::new();
    let mut failed = 0;
    for paths in args.receipts.chunks(CHUNK_RECEIPTS) {
        let outcomes: Vec<Outcome> = paths.par_iter().map(|path| check(path, &trusted, args.print)).collect();
        failed += outcomes.iter().filter(|outcome| !outcome.verified).count();
        if args.json {
            receipts.extend(outcomes);
        } else {
            output::print(&outcomes.iter().map(Outcome::text).collect::<String>())?;
        }
    }
    let receipts_verified = args.receipts.len() - failed;
    if args.json {
        let report = Report { verified: failed == 0, receipts_verified, receipts_failed: failed, receipts };
        output::print_json(&report)?;
    } else {
        output::print(&format!("{receipts_verified} of {} receipts verify\n", args.receipts.len()))?;
    }
    if failed > 0 {
        eprintln!("error: {failed} of {} receipts do not verify", args.receipts.len());
    }
    Ok(failed == 0)
}

fn check(path: &Path, trusted: &Trusted, print: bool) -> Outcome {
    let mut outcome = Outcome::new(path);
    let checked = read(path).and_then(|receipt| {
        outcome.reading = Some(Reading::of(&receipt));
        if print {
            outcome.receipt = serde_json::from_str(&receipt.to_json()).ok();
        }
        check_receipt(&receipt, trusted, &mut outcome)
    });
    match checked {
        Ok(verified) => outcome.passed(&verified),
        Err(fault) => outcome.failed(fault.step(), &fault.to_string()),
    }
    outcome
}

fn read(path: &Path) -> Result<Receipt, Fault> {
    Ok(Receipt::decode(&fs::read(path)?)?)
}

fn check_receipt(receipt: &Receipt, trusted: &Trusted, outcome: &mut Outcome) -> Result<Verified, Fault> {
    let root = trusted.root_of(receipt.number).map_err(Fault::Root)?;
    outcome.state_root = Some(root.value.to_string());
    outcome.source = Some(root.source);
    Ok(receipt.verify(&root.value)?)
}
