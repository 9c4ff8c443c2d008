//! One validator's side of Tendermint's agreement on one block, as the rest of this module sees it: whoever implements
//! it is behind this trait.

use super::{
    ballot::{BlockId, Signed},
    stake::Stakes,
};

/// The state of one validator at one height. The same inputs in the same order make the same outputs.
pub(super) trait Machine: Send {
    /// Tells it something that has been checked, and what it does upon that, in order.
    fn handle(&mut self, told: Told) -> Vec<Output>;
}

/// Makes the machine of a validator, at a height with these stakes.
pub(super) fn machine(validator: u32, height: u64, stakes: &Stakes) -> Box<dyn Machine> {
    Box::new(super::malachite::Malachite::new(validator, height, stakes))
}

/// What a machine is told.
pub(super) enum Told {
    /// A round begins, with this proposer.
    Round { round: u32, proposer: u32 },
    /// The block that it asked for, to propose in this round.
    Block { round: u32, block: BlockId },
    /// A proposal by its round's proposer, and whether its block may be voted for.
    Proposal { signed: Signed, valid: bool },
    /// A vote of a validator with a stake.
    Vote(Signed),
    /// What it wanted to wait for is over.
    Timeout(Timeout),
}

/// What a machine wants done.
pub(super) enum Output {
    /// A round to begin.
    Round(u32),
    /// A block to propose in this round.
    NeedBlock(u32),
    /// A proposal to be signed and sent.
    Propose { round: u32, block: BlockId, valid_round: Option<u32> },
    /// A vote to be signed and sent.
    Vote { precommit: bool, round: u32, block: Option<BlockId> },
    /// To be told when it has waited.
    Wait(Timeout),
    /// The block is decided by precommits of this round, of which each has its validator's signature, in their order.
    Decide { round: u32, block: BlockId, signatures: Vec<(u32, [u8; 64])> },
}

/// Something to wait for, but not for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) struct Timeout {
    pub(super) wait: Wait,
    pub(super) round: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) enum Wait {
    /// A proposal.
    Propose,
    /// Two thirds of the prevotes for one thing.
    Prevote,
    /// Two thirds of the precommits for one thing.
    Precommit,
}
