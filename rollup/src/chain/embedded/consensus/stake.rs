//! Who the validators are, what each has at stake, and whose turn it is to propose.

use crate::chain::embedded::EmbeddedConfig;
use ed25519_zebra::{SigningKey, VerificationKey};

/// Validators of one chain, at most: each repeats all checks, and hears of every vote.
pub const VALIDATORS_MAX: usize = 128;
/// The stake of one validator, at most.
pub const STAKE_MAX: u64 = 1 << 48;
// Three times all of it is still a number, signed too.
const _: () = assert!((VALIDATORS_MAX as u64) * STAKE_MAX <= i64::MAX as u64 / 4);

/// The key that a validator signs with. It follows from the chain's configuration, as one process runs all of them.
pub(super) fn signing_key(config: &EmbeddedConfig, validator: u32) -> SigningKey {
    let mut hasher = blake3::Hasher::new_derive_key("arterial embedded chain validator key 1");
    hasher.update(&config.chain_id.to_le_bytes());
    hasher.update(&config.seed.to_le_bytes());
    hasher.update(&validator.to_le_bytes());
    SigningKey::from(*hasher.finalize().as_bytes())
}

#[derive(Clone, Debug)]
struct Member {
    key: VerificationKey,
    genesis: u64,
    stake: u64,
    priority: i64,
}

/// The validators by their number, as they are at one height.
#[derive(Clone, Debug)]
pub(super) struct Stakes(Vec<Member>);

impl Stakes {
    pub(super) fn genesis(config: &EmbeddedConfig) -> Self {
        let members = (0..).zip(&config.validators).map(|(validator, &stake)| Member {
            key: signing_key(config, validator).verification_key(),
            genesis: stake,
            stake,
            priority: 0,
        });
        Self(members.collect())
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).expect("a configuration has no more than VALIDATORS_MAX validators")
    }

    /// The stake of a validator; none if there is no such one.
    pub(super) fn stake(&self, validator: u32) -> u64 {
        self.member(validator).map_or(0, |member| member.stake)
    }

    /// What it began with.
    pub(super) fn genesis_stake(&self, validator: u32) -> u64 {
        self.member(validator).map_or(0, |member| member.genesis)
    }

    /// What a validator's signatures are checked with, as long as it has a stake.
    pub(super) fn key(&self, validator: u32) -> Option<&VerificationKey> {
        self.member(validator).filter(|member| member.stake > 0).map(|member| &member.key)
    }

    /// The key of a validator, whatever its stake.
    pub(super) fn public_key(&self, validator: u32) -> [u8; 32] {
        self.member(validator).map_or([0; 32], |member| member.key.into())
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|member| member.stake).sum()
    }

    /// Whether so much stake decides: more than two thirds of all.
    pub(super) fn decides(&self, stake: u64) -> bool {
        3 * stake > 2 * self.total()
    }

    /// Whether nothing can be decided against so much stake.
    pub(super) fn blocks(&self, stake: u64) -> bool {
        !self.decides(self.total() - stake)
    }

    /// Who proposes in a round of the next height.
    ///
    /// The turns are Tendermint's: everybody gains priority by stake, the first one proposes and falls back by all of it. So
    /// over as many turns as there is stake each proposes as often as it has stake.
    pub(super) fn proposer(&self, round: u32) -> Option<u32> {
        let mut ahead = self.clone();
        (0..=round).map(|_| ahead.turn()).last().flatten()
    }

    fn turn(&mut self) -> Option<u32> {
        let total = i64::try_from(self.total()).expect("stakes are limited to far less");
        for member in &mut self.0 {
            member.priority += i64::try_from(member.stake).expect("stakes are limited to far less");
        }
        let staked = (0..).zip(&mut self.0).filter(|(_, member)| member.stake > 0);
        // Of equals the first one, whatever `max_by_key` would take.
        let (first, member) = staked.min_by_key(|(_, member)| -member.priority)?;
        member.priority -= total;
        Some(first)
    }

    /// Goes on to the next height, with other stakes if somebody was slashed.
    pub(super) fn next_height(&mut self, slashed: impl IntoIterator<Item = u32>) {
        self.turn();
        for validator in slashed {
            if let Some(member) = self.0.get_mut(validator as usize) {
                (member.stake, member.priority) = (0, 0);
            }
        }
    }

    fn member(&self, validator: u32) -> Option<&Member> {
        self.0.get(usize::try_from(validator).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stakes(stakes: &[u64]) -> Stakes {
        Stakes::genesis(&EmbeddedConfig { validators: stakes.to_vec(), ..EmbeddedConfig::default() })
    }

    #[test]
    fn each_proposes_as_often_as_it_has_stake() {
        for given in [&[1u64][..], &[1, 1, 1, 1], &[40, 30, 20, 10], &[7, 1, 1], &[0, 3, 0, 2]] {
            let mut stakes = stakes(given);
            let mut rounds = vec![0; given.len()];
            for round in 0..u32::try_from(stakes.total()).unwrap() {
                rounds[stakes.proposer(round).unwrap() as usize] += 1;
            }
            assert_eq!(rounds, given);
            let mut heights = vec![0; given.len()];
            for _ in 0..stakes.total() {
                heights[stakes.proposer(0).unwrap() as usize] += 1;
                stakes.next_height([]);
            }
            assert_eq!(heights, given);
        }
        assert_eq!(stakes(&[]).proposer(0), None);
        assert_eq!(stakes(&[0]).proposer(7), None);
    }

    #[test]
    fn more_than_two_thirds_decide() {
        let stakes = stakes(&[40, 30, 20, 10]);
        assert!(!stakes.decides(66) && stakes.decides(67));
        let stakes = self::stakes(&[1, 1, 1]);
        assert!(!stakes.decides(2) && stakes.decides(3));
        assert!(stakes.blocks(1) && !stakes.blocks(0));
    }

    #[test]
    fn who_was_slashed_has_nothing_left_and_no_turn() {
        let mut stakes = stakes(&[1, 1, 1, 1]);
        stakes.next_height([1, 9]);
        assert_eq!((stakes.stake(1), stakes.genesis_stake(1), stakes.total()), (0, 1, 3));
        assert!(stakes.key(1).is_none() && stakes.key(0).is_some());
        assert!((0..12).all(|round| stakes.proposer(round) != Some(1)));
    }

    #[test]
    fn keys_differ_by_chain_seed_and_validator() {
        let config = EmbeddedConfig::default();
        let keys = [
            signing_key(&config, 0),
            signing_key(&config, 1),
            signing_key(&EmbeddedConfig { seed: 1, ..config.clone() }, 0),
            signing_key(&EmbeddedConfig { chain_id: 1, ..config }, 0),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(keys[..at].iter().all(|other| other.as_bytes() != key.as_bytes()));
        }
    }
}
