//! Validators: whose word makes a block of this chain final.

use crate::published::{Published, PublishedError};
use arterial_protocol::{BlockNumber, StateRoot};
use std::{collections::BTreeMap, fmt};

/// Validators of one chain at most: each repeats all checks.
pub const VALIDATORS_MAX: u32 = 128;

/// What a validator says of a block of the rollup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every account moved by the rules, record by record, to this state root.
    Valid,
    /// It did not; nothing will change that.
    Invalid(String),
    /// What was published can't be read now.
    Unavailable(String),
}

/// How a validator checks a block that the contract took.
pub trait Check: Send + Sync {
    /// Checks a block against the state root that was posted.
    fn check(&self, number: BlockNumber, posted: StateRoot) -> Verdict;
}

/// By what was published: the block's proof, and the proof that its batches follow the rules.
impl Check for Published {
    fn check(&self, number: BlockNumber, posted: StateRoot) -> Verdict {
        let checked = || -> Result<StateRoot, PublishedError> {
            let block = self.block(number)?;
            self.batches(&block)?;
            Ok(block.statement.new_state_root)
        };
        match checked() {
            Ok(root) if root == posted => Verdict::Valid,
            Ok(root) => Verdict::Invalid(format!("posted with state root {posted}, published with {root}")),
            Err(error) if error.is_transient() => Verdict::Unavailable(error.to_string()),
            Err(error) => Verdict::Invalid(error.to_string()),
        }
    }
}

/// The validators of a chain, of equal stake.
pub(super) struct Validators {
    check: Box<dyn Check>,
    /// Who takes part at the moment.
    online: Vec<bool>,
    /// By height of a block with settlements, who attested it.
    attested: BTreeMap<u64, Vec<bool>>,
    /// By height, why somebody refused it, for good.
    refused: BTreeMap<u64, String>,
}

impl fmt::Debug for Validators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validators").field("online", &self.online).finish_non_exhaustive()
    }
}

impl Validators {
    pub(super) fn new(count: u32, check: Box<dyn Check>) -> Self {
        Self {
            check,
            online: vec![true; count as usize],
            attested: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Lets a validator take part or not; false if there is no such one.
    pub(super) fn set_online(&mut self, validator: u32, online: bool) -> bool {
        self.online.get_mut(validator as usize).map(|one| *one = online).is_some()
    }

    /// Whether those that take part have two thirds of the stake.
    pub(super) fn has_quorum(&self) -> bool {
        is_quorum(&self.online)
    }

    /// Lets every validator that takes part, and has not yet, check the rollup's blocks of a height; whether two thirds
    /// attest it.
    pub(super) fn attest(&mut self, height: u64, posted: &[(BlockNumber, StateRoot)]) -> bool {
        let attested = self.attested.entry(height).or_insert_with(|| vec![false; self.online.len()]);
        if self.refused.contains_key(&height) {
            return is_quorum(attested);
        }
        for (_, attested) in self.online.iter().zip(attested.iter_mut()).filter(|(online, _)| **online) {
            for &(number, root) in posted.iter().filter(|_| !*attested) {
                match self.check.check(number, root) {
                    Verdict::Valid => {}
                    Verdict::Unavailable(fault) => {
                        tracing::warn!(%number, fault, "a validator can't check a block now");
                        return false;
                    }
                    Verdict::Invalid(fault) => {
                        tracing::error!(%number, fault, "the validators refuse a block");
                        self.refused.insert(height, format!("block {number}: {fault}"));
                        return false;
                    }
                }
            }
            *attested = true;
        }
        is_quorum(attested)
    }

    /// Why a height can't become final, if a validator refused it.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refused.values().next().map(String::as_str)
    }

    /// Forgets what was said of heights above this one, which were taken away.
    pub(super) fn reorganise(&mut self, kept: u64) {
        self.attested.split_off(&(kept + 1));
        self.refused.split_off(&(kept + 1));
    }

    /// Forgets what was said up to a height that is final.
    pub(super) fn finalize(&mut self, height: u64) {
        self.attested = self.attested.split_off(&(height + 1));
    }
}

fn is_quorum(members: &[bool]) -> bool {
    3 * members.iter().filter(|member| **member).count() >= 2 * members.len()
}
