//! Failing disks and the history's bytes; what shows from outside is tested in `tests/embedded_chain.rs`.

use super::{
    frame::{Block, Change, Frame, Receipt},
    history::Append,
    *,
};
use crate::clock::ManualClock;
use arterial_protocol::FieldElement;
use proptest::prelude::*;
use std::{fs::OpenOptions, io};
use tempfile::TempDir;

/// Points that are valid for the constructor, which looks at coordinates only.
const KEY: [[u8; 32]; VerificationKey::WORDS] = [[1; 32]; VerificationKey::WORDS];

fn genesis() -> StateRoot {
    StateRoot(FieldElement::from(7u64))
}

/// A file that writes so many bytes and then fails, or fails to sync.
struct Failing {
    file: fs::File,
    bytes: usize,
}

impl Append for Failing {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(&bytes[..bytes.len().min(self.bytes)])?;
        if bytes.len() <= self.bytes { Ok(()) } else { Err(io::Error::from(io::ErrorKind::StorageFull)) }
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::Error::other("the disk is gone"))
    }
}

#[test]
fn after_a_failed_write_the_chain_only_tells_of_it() {
    for bytes in [0, 1, 12, 100, usize::MAX] {
        let dir = TempDir::new().unwrap();
        let (config, clock) = (EmbeddedConfig::default(), ManualClock::default());
        let chain =
            EmbeddedChain::create(dir.path(), config, genesis(), &KEY, Arc::new(clock.clone())).unwrap();
        let file = OpenOptions::new().append(true).open(dir.path().join("history.log")).unwrap();
        chain.ledger.lock().writer().replace_file(Box::new(Failing { file, bytes }));
        let calldata = Call::TransferSequencer(Address([3; 20])).encode();
        let transaction = Transaction { caller: SEQUENCER, calldata };
        let id = chain.send(transaction.clone()).unwrap();
        clock.advance_ms(1000);
        for _ in 0..2 {
            assert!(matches!(chain.outcome(id), Err(ChainError::Io { .. })));
            assert!(matches!(chain.send(transaction.clone()), Err(ChainError::Io { .. })));
            assert!(matches!(chain.head(), Err(ChainError::Io { .. })));
        }
        drop(chain);
        // All of the block is there or nothing of it.
        let chain = EmbeddedChain::open(dir.path(), config, Arc::new(clock)).unwrap();
        assert_eq!(chain.outcome(id).unwrap().is_some(), bytes == usize::MAX);
        let ask = Transaction { caller: SEQUENCER, calldata: Call::PendingSequencer.encode() };
        let pending = chain.simulate(&ask).unwrap().result.unwrap();
        assert_eq!(pending[31], if bytes == usize::MAX { 3 } else { 0 });
    }
}

#[test]
fn limits_are_kept() {
    let dir = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::default());
    let chain =
        EmbeddedChain::create(dir.path(), EmbeddedConfig::default(), genesis(), &KEY, clock.clone()).unwrap();
    let send = |bytes| chain.send(Transaction { caller: Address([1; 20]), calldata: vec![0xff; bytes] });
    assert!(matches!(send(CALLDATA_BYTES_MAX + 1), Err(ChainError::Misuse(_))));
    for _ in 0..TRANSACTIONS_MAX {
        send(CALLDATA_BYTES_MAX).unwrap();
    }
    assert!(matches!(send(0), Err(ChainError::Misuse(_))));
    clock.advance_ms(1000);
    send(0).unwrap();
    let no_slots = EmbeddedConfig { slot_ms: 0, ..EmbeddedConfig::default() };
    let chain = EmbeddedChain::create(&dir.path().join("b"), no_slots, genesis(), &KEY, clock);
    assert!(matches!(chain.err(), Some(ChainError::Misuse(_))));
}

fn block() -> Block {
    let transaction =
        |byte, length| Transaction { caller: Address([byte; 20]), calldata: vec![byte; length] };
    let receipt = |success, answer: &[u8]| Receipt { success, gas_used: 258_812, answer: answer.to_vec() };
    Block {
        height: 9,
        transactions: vec![
            (transaction(1, 5), receipt(true, &[])),
            (transaction(2, 0), receipt(false, &[8; 4])),
        ],
        changes: vec![
            Change { account: Address([4; 20]), nonce: 6, words: vec![] },
            Change {
                account: Address([5; 20]),
                nonce: 1,
                words: vec![([0; 32], [1; 32]), ([2; 32], [3; 32])],
            },
        ],
    }
}

fn header() -> Header {
    let config = EmbeddedConfig { chain_id: 1, slot_ms: 2, finality_slots: 3 };
    Header { config, genesis_ms: 4, code: [5; 32], genesis: genesis(), key: KEY }
}

/// Changing the format is a deliberate act: a new version, and a new value here.
#[test]
fn the_format_is_pinned() {
    let bytes = [header().encode(), Frame::Block(block()).encode(), Frame::Final(77).encode()].concat();
    let hash = blake3::hash(&bytes).to_hex();
    assert_eq!(hash.as_str(), "94fc48b8d93499ef7c457b71cc3f433ffe0d4d0b7614c4ebf650eb9eea291e07");
}

#[test]
fn headers_and_frames_have_one_encoding() {
    assert_eq!(Header::decode(&header().encode()), Ok(header()));
    assert_eq!(header().encode().len(), Header::BYTES);
    for at in 0..Header::BYTES {
        let mut bytes = header().encode();
        bytes[at] ^= 1;
        assert!(Header::decode(&bytes).is_err());
        assert!(Header::decode(&bytes[..at]).is_err());
    }
    for frame in [Frame::Block(block()), Frame::Final(77)] {
        let bytes = frame.encode();
        assert_eq!(Frame::decode(&bytes), Some(frame));
        assert_eq!(Frame::decode(&[&bytes[..], &[0]].concat()), None);
        for length in 0..bytes.len() {
            assert_eq!(Frame::decode(&bytes[..length]), None);
        }
    }
}

proptest! {
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(mutations in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 0..6)) {
        let mut bytes = Frame::Block(block()).encode();
        for (at, byte) in mutations {
            *at.get_mut(&mut bytes) = byte;
        }
        if let Some(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }
}
