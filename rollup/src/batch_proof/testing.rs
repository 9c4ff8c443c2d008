//! **For tests only**: a prover that proves nothing. Whoever has it can vouch for anything.

use super::{BatchProver, ProvenBatches, file::encode};
use arterial_protocol::{Account, AccountError, AccountRun, Digest, limits::ACCOUNTS_DEPTH, poseidon::koala};
use arterial_stark::{BatchStatement, BatchWitness, Options, Soundness, StarkError, Statement, Witness};

/// Checks a block's batches natively, record by record, and vouches for them with a hash.
///
/// Its "proofs" are BLAKE3 of seed and statement: **whoever knows the seed can make one of anything**. The same block has
/// the same bytes every time.
#[derive(Clone, Copy, Debug)]
pub struct SimulatedBatchProver {
    seed: u64,
}

impl SimulatedBatchProver {
    /// The prover with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A "proof" of the statement, be it true or not.
    #[must_use]
    pub fn forge(&self, statement: &Statement) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"arterial/simulated-batch-prover/v1").update(&self.seed.to_le_bytes());
        hasher.update(&encode(statement, &[]));
        hasher.finalize().as_bytes().to_vec()
    }
}

impl BatchProver for SimulatedBatchProver {
    fn prove(&self, witness: &Witness<'_>, _: &Options<'_>) -> Result<ProvenBatches, StarkError> {
        let batches = witness.batches.iter().filter(|one| !one.batch.is_empty());
        let batches = batches.map(checked).collect::<Result<_, _>>()?;
        let statement = Statement { number: witness.number, batches };
        ProvenBatches::verify(&statement, self.forge(&statement), self)
    }

    fn verify(&self, statement: &Statement, proof: &[u8]) -> Result<Vec<Soundness>, StarkError> {
        if proof == self.forge(statement) {
            Ok(Vec::new())
        } else {
            Err(StarkError::NotProven { fault: "it is not this seed's hash".to_owned() })
        }
    }
}

/// What a batch says, if it follows the rules.
fn checked(witness: &BatchWitness<'_>) -> Result<BatchStatement, StarkError> {
    let BatchWitness { batch, accounts, tree, data } = *witness;
    let shard = batch.shard;
    let mut changes = Vec::with_capacity(accounts.len());
    for (AccountRun { slot, enrolment, links }, before) in batch.runs().zip(accounts) {
        let mut account = match (enrolment, before) {
            (Some(identity), None) => Account::open(identity),
            (None, Some(account)) => *account,
            (Some(_), Some(_)) => return Err(StarkError::SlotTaken { shard, slot }),
            (None, None) => return Err(StarkError::UnknownAccount { shard, slot }),
        };
        let rule = |source: AccountError| StarkError::Rule { shard, slot, source };
        links.iter().try_for_each(|link| account.extend(slot, link)).map_err(rule)?;
        let old = before.map_or(Digest::ZERO, |account| account.leaf());
        changes.push((slot, old, account.leaf()));
    }
    for level in 0..ACCOUNTS_DEPTH {
        let parent = |siblings: &[(u32, Digest, Digest)]| {
            let index = siblings[0].0 / 2;
            let child = |child: u32| {
                let moved = siblings.iter().find(|(index, ..)| *index == child);
                moved.map_or_else(|| [tree.node(level, child); 2], |&(_, old, new)| [old, new])
            };
            let [[old_left, new_left], [old_right, new_right]] = [child(2 * index), child(2 * index + 1)];
            (index, koala::node(old_left, old_right), koala::node(new_left, new_right))
        };
        changes = changes.chunk_by(|left, right| left.0 / 2 == right.0 / 2).map(parent).collect();
    }
    let (_, old_root, new_root) = changes[0];
    let expected = tree.node(ACCOUNTS_DEPTH, 0);
    if old_root != expected {
        return Err(StarkError::Tree { shard, level: ACCOUNTS_DEPTH, index: 0, expected, got: old_root });
    }
    let count = |number: usize| u32::try_from(number).expect("a batch's counts are bounded");
    Ok(BatchStatement {
        shard,
        old_root,
        new_root,
        record_count: count(batch.record_count()),
        enrolment_count: count(batch.runs().filter(|run| run.enrolment.is_some()).count()),
        data,
    })
}
