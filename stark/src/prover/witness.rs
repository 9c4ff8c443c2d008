//! What a proof is made from, and the rules it is held against first.

use crate::error::StarkError;
use arterial_protocol::{
    Account, AccountError, AccountRun, Batch, BlockNumber, DataDigest, Digest, Link, ShardId,
    limits::{OBSERVED_AT_MS_END, SEQ_END},
};

/// The accounts tree as it was before the batch.
pub trait OldTree: Sync {
    /// The digest of a node; `level` 0 are the accounts' leaves, an unused slot's is zero.
    fn node(&self, level: usize, index: u32) -> Digest;
}

/// A block's batches and the states that they meet.
#[derive(Clone, Copy)]
pub struct Witness<'a> {
    /// The block.
    pub number: BlockNumber,
    /// Of every shard that has one, in order of their ids; empty ones are passed over.
    pub batches: &'a [BatchWitness<'a>],
}

/// A batch and the state that it meets.
#[derive(Clone, Copy)]
pub struct BatchWitness<'a> {
    /// The batch.
    pub batch: &'a Batch,
    /// For each account that the batch touches, in its order, the account before; `None` where there is none.
    pub accounts: &'a [Option<Account>],
    /// The tree before.
    pub tree: &'a dyn OldTree,
    /// The digest of the batch's bytes.
    pub data: DataDigest,
}

/// What happens to one account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move<'a> {
    pub(crate) shard: ShardId,
    pub(crate) slot: u32,
    pub(crate) enrolled: bool,
    /// The account before; a new one if it is enrolled.
    pub(crate) before: Account,
    pub(crate) links: &'a [Link],
}

impl<'a> Witness<'a> {
    /// What happens to each account, shard by shard, if the rules allow it.
    pub(crate) fn moves(&self) -> Result<Vec<Move<'a>>, StarkError> {
        let number = self.number;
        if !self.batches.is_sorted_by(|left, right| left.batch.shard < right.batch.shard)
            || self.batches.iter().any(|witness| witness.batch.number != number)
        {
            return Err(StarkError::Batches { number });
        }
        let mut moves = Vec::with_capacity(self.batches.iter().map(|witness| witness.accounts.len()).sum());
        for BatchWitness { batch, accounts, .. } in self.batches {
            let (shard, expected, got) = (batch.shard, batch.account_count(), accounts.len());
            if expected != got {
                return Err(StarkError::Accounts { shard, expected, got });
            }
            for (run, account) in batch.runs().zip(*accounts) {
                moves.push(checked(shard, &run, account.as_ref())?);
            }
        }
        Ok(moves)
    }
}

fn checked<'a>(
    shard: ShardId,
    run: &AccountRun<'a>,
    account: Option<&Account>,
) -> Result<Move<'a>, StarkError> {
    let AccountRun { slot, enrolment, links } = *run;
    let before = match (enrolment, account) {
        (None, Some(account)) => *account,
        (None, None) => return Err(StarkError::UnknownAccount { shard, slot }),
        (Some(_), Some(_)) => return Err(StarkError::SlotTaken { shard, slot }),
        (Some(identity), None) => Account::open(identity),
    };
    let rule = |source| StarkError::Rule { shard, slot, source };
    // No records lead to such an account; its numbers would leave their range.
    if before.count > before.next_seq {
        return Err(rule(AccountError::OutOfRange));
    }
    let mut next_seq = before.next_seq;
    for link in links {
        if u64::from(link.seq) >= SEQ_END || link.observed_at_ms >= OBSERVED_AT_MS_END {
            return Err(rule(AccountError::OutOfRange));
        }
        if link.seq < next_seq {
            return Err(rule(AccountError::SeqRegressed { next_seq, got: link.seq }));
        }
        next_seq = link.seq + 1;
    }
    Ok(Move { shard, slot, enrolled: enrolment.is_some(), before, links })
}
