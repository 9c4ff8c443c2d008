//! What a block claims, and the proof of it as the contract takes it.

use crate::{
    field::FieldElement,
    state::{BlockNumber, StateRoot},
};
use alloc::vec::Vec;
use core::fmt;

/// The statement that a block proof proves: this block moves the old state root to the new one by the rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockStatement {
    /// The state the block starts from.
    pub old_state_root: StateRoot,
    /// The state it leads to.
    pub new_state_root: StateRoot,
    /// Its number.
    pub number: BlockNumber,
    /// Records in it, over all shards.
    pub record_count: u64,
}

impl BlockStatement {
    /// The proof's public inputs: old root, new root, number·2⁶⁴ + record count.
    ///
    /// Number and count share one input because every input costs the contract 6,150 gas (EIP-1108).
    #[must_use]
    pub fn public_inputs(&self) -> [FieldElement; 3] {
        let numbers = u128::from(self.number.0) << 64 | u128::from(self.record_count);
        [self.old_state_root.0, self.new_state_root.0, FieldElement::from(numbers)]
    }
}

/// A Groth16 proof over BN254 as the EVM's precompiles take it (EIP-197): eight big-endian words,
/// A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BlockProof(pub [u8; Self::BYTES]);

impl BlockProof {
    /// Bytes of a proof.
    pub const BYTES: usize = 256;

    /// The proof's words.
    #[must_use]
    pub fn words(&self) -> Vec<[u8; 32]> {
        self.0.as_chunks::<32>().0.to_vec()
    }
}

impl fmt::Debug for BlockProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}
