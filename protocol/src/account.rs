//! A device's state in its shard, and the rules by which records move it.
//!
//! ```text
//! head'   = C24( head ‖ d  ‖ [tag_record,  slot, seq, t_lo, t_hi, kind, 0, 0] )
//! account = C24( head ‖ id ‖ [tag_account, next_seq, count, 0, 0, 0, 0, 0] )
//! ```
//! `t_lo`, `t_hi` are the low and high 24 bits of `observed_at_ms`.

use crate::{
    digest::Digest,
    limits::{OBSERVED_AT_MS_END, SEQ_END, SLOTS_END},
    poseidon::koala::{Block24, LANES, compress24, compress24_lanes},
};
use alloc::vec::Vec;

const TAG_RECORD: u32 = 1;
const TAG_ACCOUNT: u32 = 2;

/// What a record adds to its device's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The record's digest.
    pub digest: Digest,
    /// Below 2³⁰.
    pub seq: u32,
    /// Below 2⁴⁸.
    pub observed_at_ms: u64,
    /// The payload's kind.
    pub kind: u16,
}

/// A device's account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    /// BLAKE3 of device id and credential, reduced.
    pub identity: Digest,
    /// The chain over all its records.
    pub head: Digest,
    /// The lowest `seq` the next record may have.
    pub next_seq: u32,
    /// Records so far; equal to `next_seq` when none since 0 is missing.
    pub count: u32,
}

/// The rule that a record would break.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The record is not after the account's last one.
    #[error("seq {got} is before the account's next, {next_seq}")]
    SeqRegressed {
        /// The lowest that would do.
        next_seq: u32,
        /// The record's.
        got: u32,
    },
    /// A number is beyond what the formats hold.
    #[error("a record's seq, time or slot is out of range")]
    OutOfRange,
}

impl Account {
    /// A new account.
    #[must_use]
    pub const fn open(identity: Digest) -> Self {
        Self { identity, head: Digest::ZERO, next_seq: 0, count: 0 }
    }

    /// The account's leaf in its shard's tree.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        compress24(self.block())
    }

    fn block(&self) -> Block24 {
        Block24 {
            first: self.head,
            second: self.identity,
            numbers: [TAG_ACCOUNT, self.next_seq, self.count, 0, 0, 0, 0, 0],
        }
    }

    /// Takes one record in.
    ///
    /// # Errors
    /// The rule the record breaks; the account is then unchanged.
    pub fn extend(&mut self, slot: u32, link: &Link) -> Result<(), AccountError> {
        self.check(slot, link)?;
        self.head = compress24(head_block(self.head, slot, link));
        self.advance(link);
        Ok(())
    }

    fn check(&self, slot: u32, link: &Link) -> Result<(), AccountError> {
        if u64::from(link.seq) >= SEQ_END || link.observed_at_ms >= OBSERVED_AT_MS_END || slot >= SLOTS_END {
            return Err(AccountError::OutOfRange);
        }
        if link.seq < self.next_seq {
            return Err(AccountError::SeqRegressed { next_seq: self.next_seq, got: link.seq });
        }
        Ok(())
    }

    fn advance(&mut self, link: &Link) {
        self.next_seq = link.seq + 1;
        self.count += 1;
    }
}

fn head_block(head: Digest, slot: u32, link: &Link) -> Block24 {
    #[expect(clippy::cast_possible_truncation, reason = "two 24-bit limbs of a number below 2^48")]
    let (low, high) = ((link.observed_at_ms & 0xff_ffff) as u32, (link.observed_at_ms >> 24) as u32);
    Block24 {
        first: head,
        second: link.digest,
        numbers: [TAG_RECORD, slot, link.seq, low, high, u32::from(link.kind), 0, 0],
    }
}

/// The records that one account takes in in one block.
#[derive(Debug)]
pub struct Run<'a> {
    /// The account's slot.
    pub slot: u32,
    /// The account; moved by [`extend_runs`].
    pub account: Account,
    /// Its records, in order of `seq`.
    pub links: &'a [Link],
}

/// [`Account::extend`] for every link of every run, in lanes across the accounts.
///
/// Runs of similar length share lanes: the caller's order is kept, an order by length is made inside. `after_each` is
/// called after each permutation of the lanes, for who has to do something else meanwhile.
///
/// # Errors
/// The slot of the first run with a record that breaks a rule, and the rule. The runs are then in doubt.
pub fn extend_runs(runs: &mut [Run<'_>], mut after_each: impl FnMut()) -> Result<(), (u32, AccountError)> {
    let mut by_length: Vec<&mut Run<'_>> = runs.iter_mut().filter(|run| !run.links.is_empty()).collect();
    by_length.sort_by_key(|run| core::cmp::Reverse(run.links.len()));
    let mut blocks = Vec::with_capacity(LANES);
    for lanes in by_length.chunks_mut(LANES) {
        let mut active = lanes.len();
        for step in 0..lanes.first().map_or(0, |run| run.links.len()) {
            while lanes[active - 1].links.len() <= step {
                active -= 1;
            }
            blocks.clear();
            for run in &lanes[..active] {
                let link = &run.links[step];
                run.account.check(run.slot, link).map_err(|error| (run.slot, error))?;
                blocks.push(head_block(run.account.head, run.slot, link));
            }
            for (run, head) in lanes[..active].iter_mut().zip(compress24_lanes(&blocks)) {
                run.account.head = head;
                run.account.advance(&run.links[step]);
            }
            after_each();
        }
    }
    Ok(())
}

/// [`Account::leaf`] of each account, in lanes.
#[must_use]
pub fn leaves(accounts: &[Account]) -> Vec<Digest> {
    accounts
        .chunks(LANES)
        .flat_map(|lanes| compress24_lanes(&lanes.iter().map(Account::block).collect::<Vec<_>>()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn links(max: usize) -> impl Strategy<Value = Vec<Link>> {
        proptest::collection::vec((any::<[u8; 32]>(), 1u32..4, 0..OBSERVED_AT_MS_END, any::<u16>()), 0..max)
            .prop_map(|parts| {
                let mut seq = 0;
                parts
                    .into_iter()
                    .map(|(bytes, step, observed_at_ms, kind)| {
                        seq += step;
                        Link { digest: Digest::reduce(bytes), seq, observed_at_ms, kind }
                    })
                    .collect()
            })
    }

    proptest! {
        #[test]
        fn lanes_agree_with_one_by_one(all in proptest::collection::vec(links(12), 0..40)) {
            let mut runs: Vec<Run<'_>> = (0u8..).zip(&all).map(|(slot, links)| {
                Run { slot: slot.into(), account: Account::open(Digest::reduce([slot; 32])), links }
            }).collect();
            let plain: Vec<Account> = runs.iter().map(|run| {
                let mut account = run.account;
                for link in run.links { account.extend(run.slot, link).unwrap(); }
                account
            }).collect();
            extend_runs(&mut runs, || ()).unwrap();
            let accounts: Vec<Account> = runs.iter().map(|run| run.account).collect();
            prop_assert_eq!(&accounts, &plain);
            prop_assert_eq!(leaves(&accounts), plain.iter().map(Account::leaf).collect::<Vec<_>>());
        }
    }

    #[test]
    fn each_rule_is_enforced_alone() {
        let good = Link { digest: Digest::ZERO, seq: 4, observed_at_ms: 1, kind: 1 };
        let mut account = Account::open(Digest::ZERO);
        account.extend(0, &good).unwrap();
        assert_eq!((account.next_seq, account.count), (5, 1));
        let before = account;
        assert_eq!(account.extend(0, &good), Err(AccountError::SeqRegressed { next_seq: 5, got: 4 }));
        let next = Link { seq: 5, ..good };
        for (slot, link) in [
            (0, Link { seq: 1 << 30, ..next }),
            (0, Link { observed_at_ms: OBSERVED_AT_MS_END, ..next }),
            (SLOTS_END, next),
        ] {
            assert_eq!(account.extend(slot, &link), Err(AccountError::OutOfRange));
            assert_eq!(
                extend_runs(&mut [Run { slot, account, links: &[link] }], || ()),
                Err((slot, AccountError::OutOfRange))
            );
        }
        assert_eq!(account, before);
        account.extend(0, &next).unwrap();
    }

    #[test]
    fn every_field_reaches_the_head_and_the_leaf() {
        let base = Link { digest: Digest::ZERO, seq: 1, observed_at_ms: 1, kind: 1 };
        let head = |slot, link: Link| {
            let mut account = Account::open(Digest::ZERO);
            account.extend(slot, &link).unwrap();
            account.head
        };
        let mut seen = vec![head(0, base), head(1, base)];
        seen.push(head(0, Link { digest: Digest::reduce([1; 32]), ..base }));
        seen.push(head(0, Link { seq: 2, ..base }));
        seen.push(head(0, Link { observed_at_ms: 2, ..base }));
        seen.push(head(0, Link { observed_at_ms: 1 << 24, ..base }));
        seen.push(head(0, Link { kind: 2, ..base }));
        let account = Account::open(Digest::ZERO);
        seen.push(account.leaf());
        seen.push(Account { next_seq: 1, ..account }.leaf());
        seen.push(Account { count: 1, ..account }.leaf());
        seen.push(Account { identity: Digest::reduce([1; 32]), ..account }.leaf());
        seen.push(Account { head: Digest::reduce([1; 32]), ..account }.leaf());
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
