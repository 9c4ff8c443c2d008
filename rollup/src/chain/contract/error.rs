//! Why the contract reverted a call.

use super::{Address, WORD, address_of_word, u64_of_word};
use arterial_protocol::BlockNumber;

/// Why the contract reverted a call: its custom errors, decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// Only the registered sequencer may do this.
    #[error("{caller} is not the registered sequencer; send from its account, or have it hand the role over")]
    NotSequencer {
        /// Who called.
        caller: Address,
    },
    /// Only the proposed sequencer may do this.
    #[error(
        "{caller} was not proposed as the next sequencer; have the sequencer call transferSequencer first"
    )]
    NotPendingSequencer {
        /// Who called.
        caller: Address,
    },
    /// Blocks come in order, each once.
    #[error(
        "the contract takes block {expected} next, got block {got}; post the blocks between in order, or read what is posted"
    )]
    WrongBlockNumber {
        /// The number that the contract takes next.
        expected: BlockNumber,
        /// The number it was given.
        got: BlockNumber,
    },
    /// A number is not below its field's order.
    #[error(
        "0x{} is not below its field's order; encode roots and proof coordinates canonically",
        hex::encode(value)
    )]
    NotCanonical {
        /// The number.
        value: [u8; WORD],
    },
    /// The proof does not prove this block on top of the contract's latest root.
    #[error(
        "the proof does not prove this block on top of the contract's latest root; compare that root and the verification key with the contract's"
    )]
    InvalidProof,
    /// Something the contract does not say itself: no such function, arguments out of range, out of gas.
    #[error("the call failed with answer 0x{}; compare contract address, calldata and gas limit", hex::encode(.0))]
    Other(Vec<u8>),
}

impl ContractError {
    const NOT_SEQUENCER: [u8; 4] = [0x05, 0x96, 0x78, 0x77];
    const NOT_PENDING_SEQUENCER: [u8; 4] = [0xf3, 0x08, 0x70, 0x9a];
    const WRONG_BLOCK_NUMBER: [u8; 4] = [0xc0, 0xb3, 0x4a, 0x18];
    const NOT_CANONICAL: [u8; 4] = [0x3a, 0x12, 0x8c, 0x73];
    const INVALID_PROOF: [u8; 4] = [0x09, 0xbd, 0xe3, 0x39];

    /// The error in a reverted call's answer.
    #[must_use]
    pub fn decode(answer: &[u8]) -> Self {
        Self::decode_custom(answer).unwrap_or_else(|| Self::Other(answer.to_vec()))
    }

    fn decode_custom(answer: &[u8]) -> Option<Self> {
        let (selector, arguments) = answer.split_first_chunk::<4>()?;
        Some(match (*selector, arguments.as_chunks::<WORD>()) {
            (Self::NOT_SEQUENCER, (&[caller], [])) => Self::NotSequencer { caller: address_of_word(caller)? },
            (Self::NOT_PENDING_SEQUENCER, (&[caller], [])) => {
                Self::NotPendingSequencer { caller: address_of_word(caller)? }
            }
            (Self::WRONG_BLOCK_NUMBER, (&[expected, got], [])) => Self::WrongBlockNumber {
                expected: BlockNumber(u64_of_word(expected)?),
                got: BlockNumber(u64_of_word(got)?),
            },
            (Self::NOT_CANONICAL, (&[value], [])) => Self::NotCanonical { value },
            (Self::INVALID_PROOF, ([], [])) => Self::InvalidProof,
            _ => return None,
        })
    }
}
