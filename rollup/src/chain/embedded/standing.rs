//! How the validators of a chain stand, for those who operate it.

use std::fmt;

/// The validators of a chain, by what is on record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Each of them, by its number.
    pub validators: Vec<ValidatorStanding>,
    /// The newest decision; `None` at genesis.
    pub decided: Option<Decided>,
    /// The height that they are deciding and its newest round, if they are.
    pub deciding: Option<(u64, u32)>,
    /// Why a block of the rollup can't be posted: who won't vote for it, and why.
    pub refusal: Option<String>,
    /// Why nothing can be decided at the moment.
    pub stalled: Option<String>,
    /// Why nothing will be decided any more: two blocks were, for one height.
    pub fork: Option<String>,
}

/// One validator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValidatorStanding {
    /// Its Ed25519 key.
    pub key: [u8; 32],
    /// What it has at stake.
    pub stake: u64,
    /// What it began with.
    pub genesis_stake: u64,
    /// For what it lost its stake, and at which height.
    pub slashed: Option<(u64, String)>,
    /// Whether it is among those that signed the newest decision.
    pub signed: bool,
    /// Whether it has been heard in the newest rounds of the height that is being decided; `None` where none is.
    pub heard: Option<bool>,
}

/// A block that more than two thirds of the stake decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided {
    /// Its height.
    pub height: u64,
    /// The round in which it was decided, from 0.
    pub round: u32,
    /// Its hash, which covers transactions and state.
    pub block: [u8; 32],
    /// Validators that signed it.
    pub signatures: usize,
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { height, round, signatures, .. } = self;
        write!(f, "height {height} in round {round}, signed by {signatures}")
    }
}
