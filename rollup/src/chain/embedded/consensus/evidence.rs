//! Proof that a validator said two things where it may say one.

use super::{
    ballot::{Ballot, BlockId, ChainDigest, Kind, Signed},
    stake::Stakes,
};
use crate::chain::embedded::frame::Reader;
use std::collections::BTreeMap;

/// Rounds of one height whose ballots are remembered; those of later ones are not even looked at.
pub(super) const ROUNDS_MAX: u32 = 1 << 16;

/// Two ballots that contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) struct Evidence {
    first: Signed,
    second: Signed,
}

impl Evidence {
    /// Whom it is against.
    pub(super) const fn validator(&self) -> u32 {
        self.first.ballot.validator
    }

    /// Checks that it convicts a validator that still has a stake, of something up to this height.
    pub(super) fn check(&self, chain: ChainDigest, stakes: &Stakes, height: u64) -> Result<(), String> {
        let [first, second] = [self.first.ballot, self.second.ballot];
        if place(&first) != place(&second) {
            return Err("the two ballots are not of one validator, height, round and kind".into());
        }
        if first == second {
            return Err("the two ballots say the same".into());
        }
        if first.height > height {
            return Err(format!("the ballots are of height {}, above {height}", first.height));
        }
        self.first.check(chain, stakes).and_then(|()| self.second.check(chain, stakes))
    }

    /// What was done, in words.
    pub(super) fn describe(&self) -> String {
        let Ballot { height, round, kind, .. } = self.first.ballot;
        let what = match kind {
            Kind::Proposal => "proposed",
            Kind::Prevote => "prevoted",
            Kind::Precommit => "precommitted",
        };
        let said = |block: Option<BlockId>| block.map_or("no block".into(), |block| block.to_string());
        let [first, second] = [self.first, self.second].map(|signed| said(signed.ballot.block));
        format!("{what} twice at height {height}, round {round}: {first} and {second}")
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        self.first.encode(bytes);
        self.second.encode(bytes);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { first: Signed::decode(reader)?, second: Signed::decode(reader)? })
    }
}

/// Where a validator may say one thing only.
type Place = (u64, u32, Kind, u32);

const fn place(ballot: &Ballot) -> Place {
    (ballot.height, ballot.round, ballot.kind, ballot.validator)
}

/// What a validator heard of the others at this height and the one before, where late ballots are still of interest.
///
/// Malachite keeps such evidence too, of one height and of votes and proposals apart.
#[derive(Default)]
pub(super) struct Watch(BTreeMap<Place, Signed>);

impl Watch {
    /// Remembers a ballot whose signature holds, and tells if it contradicts an earlier one.
    pub(super) fn see(&mut self, signed: Signed) -> Option<Evidence> {
        if signed.ballot.round >= ROUNDS_MAX {
            return None;
        }
        let first = *self.0.entry(place(&signed.ballot)).or_insert(signed);
        (first.ballot != signed.ballot).then_some(Evidence { first, second: signed })
    }

    /// Forgets what is two heights old.
    pub(super) fn next_height(&mut self, height: u64) {
        self.0 = self.0.split_off(&(height.saturating_sub(1), 0, Kind::Proposal, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::{super::stake::signing_key, *};
    use crate::chain::embedded::EmbeddedConfig;

    const CHAIN: ChainDigest = ChainDigest([1; 32]);

    fn config() -> EmbeddedConfig {
        EmbeddedConfig { validators: vec![1; 4], ..EmbeddedConfig::default() }
    }

    fn signed(ballot: Ballot) -> Signed {
        ballot.sign(CHAIN, &signing_key(&config(), ballot.validator))
    }

    fn ballot() -> Ballot {
        let block = Some(BlockId([5; 32]));
        Ballot { validator: 2, height: 7, round: 1, kind: Kind::Precommit, block, valid_round: None }
    }

    fn check(first: Signed, second: Signed) -> Result<(), String> {
        Evidence { first, second }.check(CHAIN, &Stakes::genesis(&config()), 7)
    }

    #[test]
    fn two_ballots_for_one_place_convict() {
        let nil = Ballot { block: None, ..ballot() };
        let other = Ballot { block: Some(BlockId([6; 32])), ..ballot() };
        let [proposal, again] =
            [None, Some(0)].map(|valid_round| Ballot { kind: Kind::Proposal, valid_round, ..ballot() });
        for (first, second) in [(ballot(), nil), (ballot(), other), (proposal, again)] {
            let mut watch = Watch::default();
            assert_eq!(watch.see(signed(first)), None);
            assert_eq!(watch.see(signed(first)), None);
            let evidence = watch.see(signed(second)).unwrap();
            assert_eq!(evidence.validator(), 2);
            assert_eq!(evidence.check(CHAIN, &Stakes::genesis(&config()), 7), Ok(()));
            assert!(evidence.describe().contains("twice at height 7, round 1"));
        }
    }

    #[test]
    fn nothing_else_convicts() {
        let other = Ballot { block: None, ..ballot() };
        let mut innocent = vec![(signed(ballot()), signed(ballot()))];
        for elsewhere in [
            Ballot { validator: 1, ..other },
            Ballot { height: 6, ..other },
            Ballot { round: 2, ..other },
            Ballot { kind: Kind::Prevote, ..other },
        ] {
            innocent.push((signed(ballot()), signed(elsewhere)));
            let mut watch = Watch::default();
            assert_eq!([watch.see(signed(ballot())), watch.see(signed(elsewhere))], [None; 2]);
        }
        // Said for another chain, signed by somebody else, of a height that is yet to come, bent.
        innocent.push((signed(ballot()), other.sign(ChainDigest([2; 32]), &signing_key(&config(), 2))));
        innocent.push((signed(ballot()), other.sign(CHAIN, &signing_key(&config(), 1))));
        let later = |ballot: Ballot| signed(Ballot { height: 8, ..ballot });
        innocent.push((later(ballot()), later(other)));
        let mut bent = signed(other);
        bent.signature[9] ^= 1;
        innocent.push((bent, signed(ballot())));
        for (first, second) in innocent {
            assert!(check(first, second).is_err());
            assert!(check(second, first).is_err());
        }
        // Who was slashed once has nothing to lose.
        let mut stakes = Stakes::genesis(&config());
        stakes.next_height([2]);
        let evidence = Evidence { first: signed(ballot()), second: signed(other) };
        assert!(evidence.check(CHAIN, &stakes, 7).is_err());
    }

    #[test]
    fn the_height_before_is_still_watched_and_no_earlier_one() {
        let mut watch = Watch::default();
        watch.see(signed(ballot()));
        watch.next_height(8);
        let other = signed(Ballot { block: None, ..ballot() });
        assert!(watch.see(other).is_some());
        watch.next_height(9);
        assert!(watch.see(other).is_none());
    }
}
