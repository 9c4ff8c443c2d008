//! What validators sign: that they propose a block, and their votes.

use super::stake::Stakes;
use crate::chain::embedded::frame::Reader;
use ed25519_zebra::{Signature, SigningKey};
use std::fmt;

/// What tells a ballot from everything else that might be signed with the same key.
const DOMAIN: &[u8; 27] = b"arterial embedded ballot 01";

/// A block by its content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::chain::embedded) struct BlockId(pub(super) [u8; 32]);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockId({self})")
    }
}

/// Which chain a ballot is for: the hash of its history's header, in which are its id, its validators and their stake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) struct ChainDigest(pub(super) [u8; 32]);

/// What a ballot says of its block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::chain::embedded) enum Kind {
    Proposal,
    Prevote,
    Precommit,
}

/// What one validator says once in a round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::chain::embedded) struct Ballot {
    pub(super) validator: u32,
    pub(super) height: u64,
    pub(super) round: u32,
    pub(super) kind: Kind,
    /// `None` is a vote for no block.
    pub(super) block: Option<BlockId>,
    /// Of a proposal, the round in which two thirds prevoted its block already.
    pub(super) valid_round: Option<u32>,
}

impl Ballot {
    /// Bytes of an encoded ballot.
    const BYTES: usize = 4 + 8 + 4 + 1 + 33 + 5;

    pub(super) fn sign(self, chain: ChainDigest, key: &SigningKey) -> Signed {
        Signed { ballot: self, signature: key.sign(&self.signed_bytes(chain)).to_bytes() }
    }

    /// What is signed; of fixed length, so that no two ballots have the same.
    fn signed_bytes(&self, chain: ChainDigest) -> Vec<u8> {
        let mut bytes = [DOMAIN.as_slice(), &chain.0].concat();
        self.encode(&mut bytes);
        bytes
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend_from_slice(&self.validator.to_le_bytes());
        bytes.extend_from_slice(&self.height.to_le_bytes());
        bytes.extend_from_slice(&self.round.to_le_bytes());
        bytes.push(self.kind as u8);
        bytes.push(u8::from(self.block.is_some()));
        bytes.extend_from_slice(&self.block.map_or([0; 32], |block| block.0));
        bytes.push(u8::from(self.valid_round.is_some()));
        bytes.extend_from_slice(&self.valid_round.unwrap_or(0).to_le_bytes());
        debug_assert_eq!(bytes.len() - start, Self::BYTES);
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let (validator, height, round) = (reader.u32()?, reader.u64()?, reader.u32()?);
        let kind = match reader.array()? {
            [0] => Kind::Proposal,
            [1] => Kind::Prevote,
            [2] => Kind::Precommit,
            _ => return None,
        };
        let block = match (reader.array()?, reader.array()?) {
            ([0], bytes) if bytes == [0; 32] => None,
            ([1], bytes) => Some(BlockId(bytes)),
            _ => return None,
        };
        let valid_round = match (reader.array()?, reader.u32()?) {
            ([0], 0) => None,
            ([1], round) => Some(round),
            _ => return None,
        };
        let ballot = Self { validator, height, round, kind, block, valid_round };
        ballot.is_well_formed().then_some(ballot)
    }

    /// Whether it says something: a proposal is of a block, and only a proposal refers to an earlier round.
    const fn is_well_formed(&self) -> bool {
        match (self.kind, self.block, self.valid_round) {
            (Kind::Proposal, None, _) => false,
            (Kind::Proposal, Some(_), Some(valid)) => valid < self.round,
            (Kind::Proposal, Some(_), None) => true,
            (_, _, valid) => valid.is_none(),
        }
    }
}

/// A ballot with its validator's signature, which holds only if somebody checked it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) struct Signed {
    pub(super) ballot: Ballot,
    pub(super) signature: [u8; 64],
}

impl Signed {
    /// Checks that a validator with a stake signed this for this chain.
    pub(super) fn check(&self, chain: ChainDigest, stakes: &Stakes) -> Result<(), String> {
        let validator = self.ballot.validator;
        let key = stakes.key(validator).ok_or_else(|| format!("validator {validator} has no stake"))?;
        if !self.ballot.is_well_formed() {
            return Err(format!("a ballot of validator {validator} says nothing"));
        }
        let bytes = self.ballot.signed_bytes(chain);
        key.verify(&Signature::from(self.signature), &bytes)
            .map_err(|_| format!("the signature of validator {validator} does not hold"))
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        self.ballot.encode(bytes);
        bytes.extend_from_slice(&self.signature);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { ballot: Ballot::decode(reader)?, signature: reader.array()? })
    }
}
