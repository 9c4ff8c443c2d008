//! Receipts: taken, written, read back and checked against what the chain itself answers.

use super::plan::Plan;
use crate::{
    args::Receipts,
    error::{CliError, IoContext},
    interrupt::Interrupt,
};
use arterial::{At, BlockNumber, DeviceId, Engine, Receipt, StateRoot};
use indicatif::ProgressBar;
use rayon::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Where a run's receipts are.
pub(crate) const DIR: &str = "receipts";

/// The roots of the final blocks, by the contract's own answer.
pub(crate) struct Roots(BTreeMap<BlockNumber, StateRoot>);

impl Roots {
    pub(crate) fn read(engine: &Engine, last: BlockNumber) -> Result<Self, CliError> {
        let root = |number| {
            let root = engine.chain().state_root(BlockNumber(number), At::Finalized)?;
            root.map(|root| (BlockNumber(number), root)).ok_or(CliError::NotOnChain { number })
        };
        (0..=last.0).map(root).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn of(&self, number: BlockNumber) -> Result<&StateRoot, CliError> {
        self.0.get(&number).ok_or(CliError::NotOnChain { number: number.0 })
    }
}

/// Takes and verifies receipts; says how many, `None` when it was interrupted.
pub(crate) fn verify(
    engine: &Engine,
    plan: &Plan,
    chosen: &[(usize, u32)],
    roots: &Roots,
    dir: &Path,
    bar: &ProgressBar,
    interrupt: &Interrupt,
) -> Result<Option<usize>, CliError> {
    fs::create_dir_all(dir).context("make", dir)?;
    let failures: Vec<String> = chosen
        .par_iter()
        .take_any_while(|_| !interrupt.is_raised())
        .map(|&(device, seq)| {
            let outcome = verify_one(engine, plan, device, seq, roots, dir);
            bar.inc(1);
            outcome
        })
        .filter_map(|outcome| outcome.err().map(|error| error.to_string()))
        .collect();
    match failures.first() {
        None => Ok((!interrupt.is_raised()).then_some(chosen.len())),
        Some(first) => {
            Err(CliError::Receipts { failed: failures.len(), checked: chosen.len(), first: first.clone() })
        }
    }
}

fn verify_one(
    engine: &Engine,
    plan: &Plan,
    device: usize,
    seq: u32,
    roots: &Roots,
    dir: &Path,
) -> Result<(), CliError> {
    let write = plan.write_of(device, seq);
    let path = dir.join(file_name(write.device, write.seq));
    fs::write(&path, engine.receipt(write.device, write.seq)?.encode()).context("write", &path)?;
    // From here on like anybody who was handed the file.
    let bytes = fs::read(&path).context("read", &path)?;
    let wrong = |what: String| CliError::Receipt { path: path.clone(), what };
    let receipt = Receipt::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
    receipt.verify(roots.of(receipt.number)?).map_err(|error| wrong(error.to_string()))?;
    if receipt.record.write() != write {
        return Err(wrong("it is of another reading than the one that was submitted".into()));
    }
    Ok(())
}

fn file_name(device: DeviceId, seq: u64) -> String {
    format!("{device}-{seq}.receipt")
}

/// Device and `seq` of the receipts to take, of writes that are durable.
pub(crate) fn choose(plan: &Plan, refused: &[usize], which: Receipts) -> Vec<(usize, u32)> {
    let durable = |at: &usize| refused.binary_search(at).is_err();
    match which {
        Receipts::All => (0..plan.writes()).filter(durable).map(|at| plan.place(at)).collect(),
        Receipts::Sample(wanted) => sample(plan, refused, wanted),
    }
}

/// First and last of some devices, the rest spread over all writes.
fn sample(plan: &Plan, refused: &[usize], wanted: usize) -> Vec<(usize, u32)> {
    let refused: BTreeSet<_> = refused.iter().map(|&at| plan.place(at)).collect();
    let mut chosen = BTreeSet::new();
    let devices = plan.devices().len();
    let ends = (wanted / 4).max(1).min(devices);
    for device in (0..ends).map(|n| n * devices / ends) {
        let last = u32::try_from(plan.writes_of(device).saturating_sub(1)).unwrap_or(u32::MAX);
        chosen.extend([(device, 0), (device, last)]);
    }
    chosen.retain(|place| !refused.contains(place));
    let mut chosen: BTreeSet<_> = chosen.into_iter().take(wanted).collect();
    // Evenly spaced places, then those beside them where one was taken before.
    let stride = (plan.writes() / wanted.max(1)).max(1);
    for at in (0..stride).flat_map(|offset| (offset..plan.writes()).step_by(stride)) {
        if chosen.len() >= wanted {
            break;
        }
        let place = plan.place(at);
        if !refused.contains(&place) {
            chosen.insert(place);
        }
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::synthetic;

    #[test]
    fn a_sample_has_the_ends_of_devices_and_what_was_asked_for() {
        let plan = Plan::new(synthetic::recordings(1, 5, 40), 3).unwrap();
        for wanted in [1, 7, 64, plan.writes(), plan.writes() + 9] {
            let chosen = choose(&plan, &[], Receipts::Sample(wanted));
            assert_eq!(chosen.len(), wanted.min(plan.writes()), "{wanted}");
        }
        let chosen = choose(&plan, &[], Receipts::Sample(64));
        let last = u32::try_from(plan.writes_of(0) - 1).unwrap();
        assert!((0..15).all(|device| chosen.contains(&(device, 0)) && chosen.contains(&(device, last))));
        assert!(choose(&plan, &[], Receipts::Sample(0)).is_empty());
    }

    #[test]
    fn what_was_refused_has_no_receipt() {
        let plan = Plan::new(synthetic::recordings(1, 2, 3), 1).unwrap();
        let refused: Vec<_> = (0..plan.writes() - 1).collect();
        let left = plan.place(plan.writes() - 1);
        assert_eq!(choose(&plan, &refused, Receipts::All), [left]);
        assert_eq!(choose(&plan, &refused, Receipts::Sample(64)), [left]);
    }
}
