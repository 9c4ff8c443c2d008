//! The settlement contract as bytes: its code, the calls it takes, its answers and its errors.
//!
//! A small part of Solidity's ABI, written out for this one contract: every argument is static, so calldata is a
//! four-byte selector (the start of the signature's Keccak-256) and then 32-byte big-endian words.

mod address;
mod call;
mod code;
mod error;
#[cfg(test)]
#[cfg(feature = "embedded-chain")]
mod tests;

pub use address::{Address, AddressError};
pub use call::Call;
pub use code::key_in_code;
pub use error::ContractError;

use crate::proof::VerificationKey;
use arterial_protocol::{BlockNumber, FieldElement, StateRoot};

/// The code that deploys `contracts/Settlement.sol`, without the constructor's arguments.
pub const BYTECODE: &[u8] = include_bytes!("../../../contracts/Settlement.bin");

const KEY_WORDS: usize = VerificationKey::WORDS;
const WORD: usize = 32;

/// The code to send in a transaction that creates the contract, for a key by its [words](VerificationKey::words).
#[must_use]
pub fn deployment(key: &[[u8; WORD]; KEY_WORDS], genesis: StateRoot, sequencer: Address) -> Vec<u8> {
    let mut code = BYTECODE.to_vec();
    code.extend_from_slice(key.as_flattened());
    code.extend_from_slice(&genesis.0.to_be_bytes());
    code.extend_from_slice(&word_of_address(sequencer));
    code
}

/// The answer of [`Call::StateRoot`]: `None` when the contract has no such block.
///
/// # Errors
/// The answer is not one canonical field element.
pub fn decode_state_root(answer: &[u8]) -> Result<Option<StateRoot>, ContractError> {
    let element =
        sole_word(answer).and_then(FieldElement::from_be_bytes).ok_or_else(|| unexpected(answer))?;
    Ok((element != FieldElement::ZERO).then_some(StateRoot(element)))
}

/// The answer of [`Call::Latest`].
///
/// # Errors
/// The answer is not one 64-bit number.
pub fn decode_latest(answer: &[u8]) -> Result<BlockNumber, ContractError> {
    sole_word(answer).and_then(u64_of_word).map(BlockNumber).ok_or_else(|| unexpected(answer))
}

/// The answer of [`Call::Sequencer`] and [`Call::PendingSequencer`].
///
/// # Errors
/// The answer is not one address.
pub fn decode_address(answer: &[u8]) -> Result<Address, ContractError> {
    sole_word(answer).and_then(address_of_word).ok_or_else(|| unexpected(answer))
}

fn unexpected(answer: &[u8]) -> ContractError {
    ContractError::Other(answer.to_vec())
}

fn sole_word(bytes: &[u8]) -> Option<[u8; WORD]> {
    bytes.try_into().ok()
}

fn word_of_u64(value: u64) -> [u8; WORD] {
    let mut word = [0; WORD];
    word[WORD - 8..].copy_from_slice(&value.to_be_bytes());
    word
}

fn word_of_address(address: Address) -> [u8; WORD] {
    let mut word = [0; WORD];
    word[WORD - 20..].copy_from_slice(&address.0);
    word
}

fn u64_of_word(word: [u8; WORD]) -> Option<u64> {
    let (high, low) = word.split_last_chunk::<8>()?;
    high.iter().all(|&byte| byte == 0).then(|| u64::from_be_bytes(*low))
}

fn address_of_word(word: [u8; WORD]) -> Option<Address> {
    let (high, low) = word.split_last_chunk::<20>()?;
    high.iter().all(|&byte| byte == 0).then_some(Address(*low))
}
