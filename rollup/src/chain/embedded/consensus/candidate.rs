//! A block that is proposed: its transactions with all that they do, so that who signs it signs the state, too.

use super::{Pool, ballot::BlockId, block_of, evidence::Evidence, stake::VALIDATORS_MAX};
use crate::chain::{
    ChainError,
    embedded::{
        CALLDATA_BYTES_MAX, TRANSACTIONS_MAX, Transaction,
        evm::Executed,
        frame::{Block, Reader, length},
        ledger::Ledger,
    },
};

/// Calldata of one block: a few blocks that are proposed at once must go into one frame of the history.
pub(super) const BLOCK_CALLDATA_BYTES_MAX: usize = 1 << 20;
// Whatever else a block has, it is small beside that: each transaction's answer and changes, and everybody's evidence.
pub(super) const CANDIDATE_BYTES_MAX: usize =
    BLOCK_CALLDATA_BYTES_MAX + TRANSACTIONS_MAX * 4096 + VALIDATORS_MAX * 512;
const _: () = assert!(CALLDATA_BYTES_MAX <= BLOCK_CALLDATA_BYTES_MAX);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) struct Candidate {
    /// The block before it.
    pub(super) parent: BlockId,
    /// The slot in which it was made, which is the time that its transactions see.
    pub(super) slot: u64,
    /// Against whom it takes the stake; ascending by validator.
    pub(super) evidence: Vec<Evidence>,
    pub(super) block: Block,
}

impl Candidate {
    pub(super) fn new(
        parent: BlockId,
        height: u64,
        slot: u64,
        evidence: Vec<Evidence>,
        transactions: &[(Transaction, Executed)],
    ) -> Self {
        Self { parent, slot, evidence, block: block_of(height, transactions) }
    }

    pub(super) fn id(&self) -> BlockId {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        BlockId(blake3::derive_key("arterial embedded chain block 1", &bytes))
    }

    /// Runs its transactions on the chain's state, and says whether all that it claims of them comes of it.
    pub(super) fn is_executed(&self, ledger: &Ledger) -> Result<bool, ChainError> {
        let mut done = Pool::new();
        for (transaction, _) in &self.block.transactions {
            let executed = ledger.simulate_at(self.slot, &done, transaction)?;
            done.push((transaction.clone(), executed));
        }
        Ok(block_of(self.block.height, &done) == self.block)
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.parent.0);
        bytes.extend_from_slice(&self.slot.to_le_bytes());
        bytes.extend_from_slice(&length(self.evidence.len()));
        self.evidence.iter().for_each(|evidence| evidence.encode(bytes));
        self.block.encode(bytes);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let (parent, slot) = (BlockId(reader.array()?), reader.u64()?);
        let count = usize::try_from(reader.u32()?).ok().filter(|count| *count <= VALIDATORS_MAX)?;
        let evidence = (0..count).map(|_| Evidence::decode(reader)).collect::<Option<_>>()?;
        Some(Self { parent, slot, evidence, block: Block::decode(reader)? })
    }

    /// Whether it keeps to the limits, and takes the stake of nobody twice.
    pub(super) fn is_well_formed(&self) -> bool {
        let transactions = &self.block.transactions;
        transactions.len() <= TRANSACTIONS_MAX
            && transactions.iter().map(|(transaction, _)| transaction.calldata.len()).sum::<usize>()
                <= BLOCK_CALLDATA_BYTES_MAX
            && self.evidence.windows(2).all(|pair| pair[0].validator() < pair[1].validator())
    }
}
