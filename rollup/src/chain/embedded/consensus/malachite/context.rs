//! What Malachite is generic over, made of what is here already.

use super::super::{
    ballot::{Ballot, BlockId, Kind},
    stake::Stakes,
};
use arc_malachitebft_core_types as types;
use std::{array::TryFromSliceError, fmt, sync::Arc, time::Duration};
use types::{NilOrVal, Round, VoteType, VotingPower};

#[derive(Clone)]
pub(super) struct Tendermint {
    pub(super) stakes: Arc<Stakes>,
}

impl types::Context for Tendermint {
    type Address = Address;
    type Height = Height;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Member;
    type ValidatorSet = Set;
    type Timeouts = Never;
    type Value = BlockId;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, set: &'a Set, _: Height, round: Round) -> &'a Member {
        let proposer = self.stakes.proposer(number(round)).and_then(|validator| set.find(validator));
        proposer.expect("machines are made of stakes that are not all gone")
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        block: BlockId,
        pol_round: Round,
        validator: Address,
    ) -> Proposal {
        let ballot = ballot(Kind::Proposal, height, round, Some(block), validator);
        Proposal::new(Ballot { valid_round: pol_round.as_u32(), ..ballot })
    }

    fn new_prevote(
        &self,
        height: Height,
        round: Round,
        block: NilOrVal<BlockId>,
        validator: Address,
    ) -> Vote {
        Vote::new(ballot(Kind::Prevote, height, round, option(block), validator))
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        block: NilOrVal<BlockId>,
        validator: Address,
    ) -> Vote {
        Vote::new(ballot(Kind::Precommit, height, round, option(block), validator))
    }
}

pub(super) fn number(round: Round) -> u32 {
    round.as_u32().unwrap_or(0)
}

pub(super) const fn vote_type(kind: Kind) -> VoteType {
    match kind {
        Kind::Precommit => VoteType::Precommit,
        Kind::Proposal | Kind::Prevote => VoteType::Prevote,
    }
}

pub(super) fn proposed(ballot: &Ballot) -> BlockId {
    ballot.block.expect("a proposal is made of a block")
}

fn ballot(kind: Kind, height: Height, round: Round, block: Option<BlockId>, validator: Address) -> Ballot {
    let (validator, height, round) = (validator.0, height.0, number(round));
    Ballot { validator, height, round, kind, block, valid_round: None }
}

fn option(block: NilOrVal<BlockId>) -> Option<BlockId> {
    match block {
        NilOrVal::Nil => None,
        NilOrVal::Val(block) => Some(block),
    }
}

/// Blocks are told apart by what they are; what is in them is kept elsewhere.
impl types::Value for BlockId {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

/// A validator by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Address(pub(super) u32);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl types::Address for Address {}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(super) struct Height(pub(super) u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl types::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Member {
    pub(super) address: Address,
    pub(super) stake: u64,
}

impl types::Validator<Tendermint> for Member {
    fn address(&self) -> &Address {
        &self.address
    }

    /// Signatures are checked before anything comes here.
    fn public_key(&self) -> &() {
        &()
    }

    fn voting_power(&self) -> VotingPower {
        self.stake
    }
}

/// Those that have a stake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Set(pub(super) Arc<[Member]>);

impl Set {
    fn find(&self, validator: u32) -> Option<&Member> {
        self.0.iter().find(|member| member.address.0 == validator)
    }
}

impl types::ValidatorSet<Tendermint> for Set {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        self.0.iter().map(|member| member.stake).sum()
    }

    fn get_by_address(&self, address: &Address) -> Option<&Member> {
        self.find(address.0)
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.0.get(index)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Proposal {
    pub(super) ballot: Ballot,
    validator: Address,
}

impl Proposal {
    pub(super) const fn new(ballot: Ballot) -> Self {
        Self { ballot, validator: Address(ballot.validator) }
    }
}

impl types::Proposal<Tendermint> for Proposal {
    fn height(&self) -> Height {
        Height(self.ballot.height)
    }

    fn round(&self) -> Round {
        Round::new(self.ballot.round)
    }

    fn value(&self) -> &BlockId {
        self.ballot.block.as_ref().expect("a proposal is made of a block")
    }

    fn take_value(self) -> BlockId {
        proposed(&self.ballot)
    }

    fn pol_round(&self) -> Round {
        Round::from(self.ballot.valid_round)
    }

    fn validator_address(&self) -> &Address {
        &self.validator
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Vote {
    pub(super) ballot: Ballot,
    validator: Address,
    block: NilOrVal<BlockId>,
}

impl Vote {
    pub(super) fn new(ballot: Ballot) -> Self {
        let block = ballot.block.map_or(NilOrVal::Nil, NilOrVal::Val);
        Self { ballot, validator: Address(ballot.validator), block }
    }
}

impl types::Vote<Tendermint> for Vote {
    fn height(&self) -> Height {
        Height(self.ballot.height)
    }

    fn round(&self) -> Round {
        Round::new(self.ballot.round)
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.block
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.block
    }

    fn vote_type(&self) -> VoteType {
        vote_type(self.ballot.kind)
    }

    fn validator_address(&self) -> &Address {
        &self.validator
    }

    /// Votes carry nothing beside their block.
    fn extension(&self) -> Option<&types::SignedExtension<Tendermint>> {
        None
    }

    fn take_extension(&mut self) -> Option<types::SignedExtension<Tendermint>> {
        None
    }

    fn extend(self, _: types::SignedExtension<Tendermint>) -> Self {
        self
    }
}

/// Proposals are sent whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Part;

impl types::ProposalPart<Tendermint> for Part {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

/// How long to wait is not a driver's business.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Never;

impl types::Timeouts<Tendermint> for Never {
    fn duration_for(&self, _: types::Timeout) -> Duration {
        Duration::MAX
    }
}

/// Signatures are carried along here, and made and checked elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ed25519;

impl types::SigningScheme for Ed25519 {
    type DecodingError = TryFromSliceError;
    type Signature = [u8; 64];
    type PublicKey = ();
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<[u8; 64], TryFromSliceError> {
        bytes.try_into()
    }

    fn encode_signature(signature: &[u8; 64]) -> Vec<u8> {
        signature.to_vec()
    }

    fn decode_public_key(_: &[u8]) -> Result<(), TryFromSliceError> {
        Ok(())
    }

    fn encode_public_key((): &()) -> Vec<u8> {
        Vec::new()
    }
}
