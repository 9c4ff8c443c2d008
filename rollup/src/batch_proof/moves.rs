//! A block's moves against those that are proven.

use super::{BatchProofError, BatchStatement, Statement};
use arterial_protocol::{ShardLeaf, limits::BATCH_RECORDS_MAX};

/// Requires that every shard moves from `before` to `after` as the batches say, and that all others stand still.
///
/// With the block's proof, which says that `before` and `after` are what its state roots commit to, and the proof of the
/// batches, it follows that every account moved by the rules, record by record.
///
/// # Errors
/// The first shard that moves otherwise.
pub fn check_moves(
    before: &[ShardLeaf],
    after: &[ShardLeaf],
    statement: &Statement,
) -> Result<(), BatchProofError> {
    let number = statement.number;
    let mut batches = statement.batches.iter().peekable();
    for (before, after) in before.iter().zip(after) {
        let shard = after.shard;
        let batch = batches.next_if(|batch| batch.shard == shard);
        check_move(before, after, batch).map_err(|what| BatchProofError::Moves { number, shard, what })?;
    }
    match batches.next() {
        Some(batch) => Err(BatchProofError::Moves { number, shard: batch.shard, what: "its place" }),
        None => Ok(()),
    }
}

fn check_move(
    before: &ShardLeaf,
    after: &ShardLeaf,
    batch: Option<&BatchStatement>,
) -> Result<(), &'static str> {
    let Some(batch) = batch else {
        return if before == after { Ok(()) } else { Err("whether there is a batch") };
    };
    if before.shard != after.shard {
        return Err("the shard");
    }
    if batch.old_root != before.accounts_root {
        return Err("the accounts root before");
    }
    if batch.new_root != after.accounts_root {
        return Err("the accounts root after");
    }
    if batch.data != after.data {
        return Err("the digest of the batch");
    }
    // Bounded, so that the sum can't overflow whatever the leaves are.
    if batch.record_count as usize > BATCH_RECORDS_MAX
        || before.total_records.checked_add(batch.record_count.into()) != Some(after.total_records)
    {
        return Err("the number of records");
    }
    Ok(())
}
