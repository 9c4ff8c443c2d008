//! Calls of the contract's functions.

use super::{Address, WORD, address_of_word, u64_of_word, word_of_address, word_of_u64};
use arterial_protocol::{BlockNumber, BlockProof, BlockStatement};

/// A call of one of the contract's functions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "a call lives on the stack until it is encoded")]
pub enum Call {
    /// `postBlock(uint64,uint64,uint256,uint256[8])`.
    PostBlock {
        /// The block's number.
        number: BlockNumber,
        /// Records in it.
        record_count: u64,
        /// The state it leads to, as sent: the contract says whether it is canonical.
        new_state_root: [u8; WORD],
        /// The proof of it.
        proof: BlockProof,
    },
    /// `latest()`: the number of the latest block.
    Latest,
    /// `stateRoot(uint64)`: the root after a block.
    StateRoot(BlockNumber),
    /// `sequencer()`: who may post blocks.
    Sequencer,
    /// `pendingSequencer()`: who may take over that role.
    PendingSequencer,
    /// `transferSequencer(address)`: proposes who takes over.
    TransferSequencer(Address),
    /// `acceptSequencer()`: takes over.
    AcceptSequencer,
}

impl Call {
    const POST_BLOCK: [u8; 4] = [0xf5, 0x59, 0xe7, 0x19];
    const LATEST: [u8; 4] = [0x52, 0xbf, 0xe7, 0x89];
    const STATE_ROOT: [u8; 4] = [0x2b, 0xf5, 0xba, 0xf5];
    const SEQUENCER: [u8; 4] = [0x5c, 0x1b, 0xba, 0x38];
    const PENDING_SEQUENCER: [u8; 4] = [0xe2, 0x02, 0xd9, 0x95];
    const TRANSFER_SEQUENCER: [u8; 4] = [0xbf, 0x8e, 0x24, 0x40];
    const ACCEPT_SEQUENCER: [u8; 4] = [0xe4, 0x64, 0x3e, 0x85];

    /// The call that posts a block. The old root is not in it: the contract takes its own.
    #[must_use]
    pub fn post_block(statement: &BlockStatement, proof: &BlockProof) -> Self {
        Self::PostBlock {
            number: statement.number,
            record_count: statement.record_count,
            new_state_root: statement.new_state_root.0.to_be_bytes(),
            proof: *proof,
        }
    }

    /// The call as calldata.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let words = |selector: [u8; 4], words: &[[u8; WORD]]| [&selector, words.as_flattened()].concat();
        match *self {
            Self::PostBlock { number, record_count, new_state_root, proof } => {
                let head = [word_of_u64(number.0), word_of_u64(record_count), new_state_root];
                [&Self::POST_BLOCK, head.as_flattened(), &proof.0].concat()
            }
            Self::Latest => words(Self::LATEST, &[]),
            Self::StateRoot(number) => words(Self::STATE_ROOT, &[word_of_u64(number.0)]),
            Self::Sequencer => words(Self::SEQUENCER, &[]),
            Self::PendingSequencer => words(Self::PENDING_SEQUENCER, &[]),
            Self::TransferSequencer(next) => words(Self::TRANSFER_SEQUENCER, &[word_of_address(next)]),
            Self::AcceptSequencer => words(Self::ACCEPT_SEQUENCER, &[]),
        }
    }

    /// The call that the contract sees in calldata, or `None` when it knows no such function or the arguments are
    /// short or out of range. As Solidity's own decoder does, it ignores what follows the last argument.
    #[must_use]
    pub fn decode(calldata: &[u8]) -> Option<Self> {
        let (selector, arguments) = calldata.split_first_chunk::<4>()?;
        let (words, _) = arguments.as_chunks::<WORD>();
        Some(match *selector {
            Self::POST_BLOCK => {
                let (&[number, record_count, new_state_root], rest) = words.split_first_chunk::<3>()?;
                let (proof, _) = rest.as_flattened().split_first_chunk::<{ BlockProof::BYTES }>()?;
                Self::PostBlock {
                    number: BlockNumber(u64_of_word(number)?),
                    record_count: u64_of_word(record_count)?,
                    new_state_root,
                    proof: BlockProof(*proof),
                }
            }
            Self::LATEST => Self::Latest,
            Self::STATE_ROOT => Self::StateRoot(BlockNumber(u64_of_word(*words.first()?)?)),
            Self::SEQUENCER => Self::Sequencer,
            Self::PENDING_SEQUENCER => Self::PendingSequencer,
            Self::TRANSFER_SEQUENCER => Self::TransferSequencer(address_of_word(*words.first()?)?),
            Self::ACCEPT_SEQUENCER => Self::AcceptSequencer,
            _ => return None,
        })
    }
}
