//! How validators check the rollup's blocks before they vote for them.

use crate::published::{Published, PublishedError};
use arterial_protocol::{BlockNumber, StateRoot};

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
