//! What the history holds, and its bytes. The layout is drawn in the module above.

use super::{EmbeddedConfig, Outcome, TRANSACTIONS_MAX, Transaction, VALIDATORS_MAX, consensus::Record};
use crate::chain::contract::{Address, BYTECODE, ContractError};
use crate::proof::VerificationKey;
use arterial_protocol::{FieldElement, StateRoot};

const MAGIC: &[u8; 8] = b"ARTCHAIN";
const VERSION: u32 = 3;
const BLOCK: u8 = 1;
const FINAL: u8 = 2;
const REORGANISED: u8 = 3;
const CONSENSUS: u8 = 4;

/// How a history starts: everything that the state at height 0 follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) config: EmbeddedConfig,
    pub(super) genesis_ms: u64,
    /// BLAKE3 of the contract's code.
    pub(super) code: [u8; 32],
    pub(super) genesis: StateRoot,
    pub(super) key: [[u8; 32]; VerificationKey::WORDS],
}

impl Header {
    /// Bytes of a header.
    pub(super) const BYTES: usize =
        12 + 5 * 8 + 2 * 32 + VerificationKey::WORDS * 32 + VALIDATORS_MAX * 8 + 4;

    pub(super) fn own_code() -> [u8; 32] {
        *blake3::hash(BYTECODE).as_bytes()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let EmbeddedConfig { chain_id, slot_ms, finality_slots, seed, ref validators } = self.config;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        for number in [chain_id, slot_ms, finality_slots, seed, self.genesis_ms] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.code);
        bytes.extend_from_slice(&self.genesis.0.to_be_bytes());
        bytes.extend_from_slice(self.key.as_flattened());
        for stake in validators.iter().copied().chain(core::iter::repeat(0)).take(VALIDATORS_MAX) {
            bytes.extend_from_slice(&stake.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// The header, or what is wrong with it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (content, crc) = bytes.split_last_chunk::<4>().ok_or("the header is cut off")?;
        let mut reader = Reader(content);
        if reader.array() != Some(*MAGIC) {
            return Err("this is not a chain's history".into());
        }
        match reader.u32() {
            Some(VERSION) => {}
            got => return Err(format!("format version: expected {VERSION}, got {got:?}")),
        }
        if crc32c::crc32c(content) != u32::from_le_bytes(*crc) {
            return Err("the header's checksum does not match".into());
        }
        Self::decode_content(&mut reader).ok_or_else(|| "the header's content is malformed".into())
    }

    fn decode_content(reader: &mut Reader<'_>) -> Option<Self> {
        let mut config = EmbeddedConfig {
            chain_id: reader.u64()?,
            slot_ms: reader.u64()?,
            finality_slots: reader.u64()?,
            seed: reader.u64()?,
            validators: Vec::new(),
        };
        let (genesis_ms, code) = (reader.u64()?, reader.array()?);
        let genesis = StateRoot(FieldElement::from_be_bytes(reader.array()?)?);
        let mut key = [[0; 32]; VerificationKey::WORDS];
        for word in &mut key {
            *word = reader.array()?;
        }
        let stakes = (0..VALIDATORS_MAX).map(|_| reader.u64()).collect::<Option<Vec<_>>>()?;
        let count = stakes.iter().position(|stake| *stake == 0).unwrap_or(VALIDATORS_MAX);
        let is_padded = stakes[count..].iter().all(|stake| *stake == 0);
        config.validators = stakes[..count].to_vec();
        (reader.0.is_empty() && is_padded && config.check().is_ok()).then_some(Self {
            config,
            genesis_ms,
            code,
            genesis,
            key,
        })
    }
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A base-chain block that holds transactions.
    Block(Block),
    /// Every block up to this height is final.
    Final(u64),
    /// Every block above this height was taken away.
    Reorganised(u64),
    /// What validators did, in order.
    Consensus(Vec<Record>),
}

/// A base-chain block that holds transactions, and the state they led to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Block {
    pub(super) height: u64,
    pub(super) transactions: Vec<(Transaction, Receipt)>,
    pub(super) changes: Vec<Change>,
}

/// What came of a transaction, with the contract's answer as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) success: bool,
    pub(super) gas_used: u64,
    pub(super) answer: Vec<u8>,
}

impl Receipt {
    pub(super) fn outcome(&self) -> Outcome {
        let result =
            if self.success { Ok(self.answer.clone()) } else { Err(ContractError::decode(&self.answer)) };
        Outcome { gas_used: self.gas_used, result }
    }
}

/// One account after a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) account: Address,
    pub(super) nonce: u64,
    /// Storage words that were written: place and value, ascending by place.
    pub(super) words: Vec<([u8; 32], [u8; 32])>,
}

impl Frame {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Final(height) => {
                bytes.push(FINAL);
                bytes.extend_from_slice(&height.to_le_bytes());
            }
            Self::Reorganised(height) => {
                bytes.push(REORGANISED);
                bytes.extend_from_slice(&height.to_le_bytes());
            }
            Self::Block(block) => {
                bytes.push(BLOCK);
                block.encode(&mut bytes);
            }
            Self::Consensus(records) => {
                bytes.push(CONSENSUS);
                records.iter().for_each(|record| record.encode(&mut bytes));
            }
        }
        bytes
    }

    /// The frame, or `None` when these are not exactly the bytes of one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let frame = match reader.array()? {
            [FINAL] => Self::Final(reader.u64()?),
            [REORGANISED] => Self::Reorganised(reader.u64()?),
            [BLOCK] => Self::Block(Block::decode(&mut reader)?),
            [CONSENSUS] => {
                let mut records = Vec::new();
                while !reader.0.is_empty() {
                    records.push(Record::decode(&mut reader)?);
                }
                (!records.is_empty()).then_some(Self::Consensus(records))?
            }
            _ => return None,
        };
        reader.0.is_empty().then_some(frame)
    }
}

impl Block {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.height.to_le_bytes());
        bytes.extend_from_slice(&length(self.transactions.len()));
        for (transaction, receipt) in &self.transactions {
            bytes.extend_from_slice(&transaction.caller.0);
            bytes.extend_from_slice(&length(transaction.calldata.len()));
            bytes.extend_from_slice(&transaction.calldata);
            bytes.push(u8::from(receipt.success));
            bytes.extend_from_slice(&receipt.gas_used.to_le_bytes());
            bytes.extend_from_slice(&length(receipt.answer.len()));
            bytes.extend_from_slice(&receipt.answer);
        }
        bytes.extend_from_slice(&length(self.changes.len()));
        for change in &self.changes {
            bytes.extend_from_slice(&change.account.0);
            bytes.extend_from_slice(&change.nonce.to_le_bytes());
            bytes.extend_from_slice(&length(change.words.len()));
            for (key, value) in &change.words {
                bytes.extend_from_slice(&[*key, *value].concat());
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let mut block = Self { height: reader.u64()?, ..Self::default() };
        let transactions = reader.u32()?;
        if usize::try_from(transactions).ok()? > TRANSACTIONS_MAX {
            return None;
        }
        for _ in 0..transactions {
            let transaction = Transaction { caller: Address(reader.array()?), calldata: reader.bytes()? };
            let success = match reader.array()? {
                [0] => false,
                [1] => true,
                _ => return None,
            };
            let receipt = Receipt { success, gas_used: reader.u64()?, answer: reader.bytes()? };
            block.transactions.push((transaction, receipt));
        }
        // Every loop turn consumes bytes of the frame, so the frame's length bounds these loops whatever the counts.
        for _ in 0..reader.u32()? {
            let (account, nonce) = (Address(reader.array()?), reader.u64()?);
            let mut words = Vec::new();
            for _ in 0..reader.u32()? {
                words.push((reader.array()?, reader.array()?));
            }
            block.changes.push(Change { account, nonce, words });
        }
        Some(block)
    }
}

/// A length as the history writes it.
pub(super) fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("the limits keep every length of a block far below 2^32").to_le_bytes()
}

/// The unread rest of some bytes.
pub(super) struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }
}
