//! Failing disks and the history's bytes; what shows from outside is tested in `tests/embedded_chain.rs`.

use super::{
    frame::{Block, Change, Frame, Receipt},
    *,
};
use arterial_protocol::FieldElement;
use arterial_storage::{Fault, Faulty, ManualClock, MemoryStorage};
use proptest::prelude::*;
use std::io;

/// Points that are valid for the constructor, which looks at coordinates only.
const KEY: [[u8; 32]; VerificationKey::WORDS] = [[1; 32]; VerificationKey::WORDS];

fn genesis() -> StateRoot {
    StateRoot(FieldElement::from(7u64))
}

const DIR: &str = "/chain";

fn create(storage: &Arc<dyn Storage>, config: EmbeddedConfig, clock: &ManualClock) -> EmbeddedChain {
    let clock = Arc::new(clock.clone());
    EmbeddedChain::create(storage, Path::new(DIR), config, genesis(), &KEY, clock).unwrap()
}

#[test]
fn after_a_failed_write_the_chain_only_tells_of_it() {
    let faults = [0, 1, 12, 100].map(|bytes| (0, Fault::Short(bytes)));
    let sync = (1, Fault::Once(io::ErrorKind::Other));
    // A frame is one write and one sync. Of what a failed sync left nobody knows: seeds differ.
    for (seed, (operation, fault)) in (0..).zip(faults.into_iter().chain([sync; 8])) {
        let disk = Faulty::seeded(MemoryStorage::default(), seed);
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let (config, clock) = (EmbeddedConfig::default(), ManualClock::default());
        let chain = create(&storage, config.clone(), &clock);
        let calldata = Call::TransferSequencer(Address([3; 20])).encode();
        let transaction = Transaction { caller: SEQUENCER, calldata };
        let id = chain.send(transaction.clone()).unwrap();
        clock.advance_ms(1000);
        disk.fail_at(disk.operations() + operation, fault);
        for _ in 0..2 {
            assert!(matches!(chain.outcome(id), Err(ChainError::Io { .. })));
            assert!(matches!(chain.send(transaction.clone()), Err(ChainError::Io { .. })));
            assert!(matches!(chain.head(), Err(ChainError::Io { .. })));
            assert!(matches!(chain.reorganise(1), Err(ChainError::Io { .. })));
        }
        drop(chain);
        // All of the block is there or nothing of it.
        let storage: Arc<dyn Storage> = Arc::new(disk.restart().unwrap());
        let chain = EmbeddedChain::open(&storage, Path::new(DIR), config, Arc::new(clock)).unwrap();
        let included = chain.outcome(id).unwrap().is_some();
        assert!(!included || operation == 1);
        let ask = Transaction { caller: SEQUENCER, calldata: Call::PendingSequencer.encode() };
        let pending = chain.simulate(&ask).unwrap().result.unwrap();
        assert_eq!(pending[31], if included { 3 } else { 0 });
    }
}

#[test]
fn limits_are_kept() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let clock = ManualClock::default();
    let chain = create(&storage, EmbeddedConfig::default(), &clock);
    let send = |bytes| chain.send(Transaction { caller: Address([1; 20]), calldata: vec![0xff; bytes] });
    assert!(matches!(send(CALLDATA_BYTES_MAX + 1), Err(ChainError::Misuse(_))));
    for _ in 0..TRANSACTIONS_MAX {
        send(CALLDATA_BYTES_MAX).unwrap();
    }
    assert!(matches!(send(0), Err(ChainError::Misuse(_))));
    clock.advance_ms(1000);
    send(0).unwrap();
    let no_slots = EmbeddedConfig { slot_ms: 0, ..EmbeddedConfig::default() };
    let chain = EmbeddedChain::create(&storage, Path::new("/b"), no_slots, genesis(), &KEY, Arc::new(clock));
    assert!(matches!(chain.err(), Some(ChainError::Misuse(_))));
}

pub(super) fn block() -> Block {
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
    let config =
        EmbeddedConfig { chain_id: 1, slot_ms: 2, finality_slots: 3, validators: vec![4, 5], seed: 6 };
    Header { config, genesis_ms: 4, code: [5; 32], genesis: genesis(), key: KEY }
}

/// Changing the format is a deliberate act: a new version, and a new value here.
#[test]
fn the_format_is_pinned() {
    let frames =
        [Frame::Block(block()), Frame::Final(77), Frame::Reorganised(78)].map(|frame| frame.encode());
    let bytes = [header().encode(), frames.concat()].concat();
    let hash = blake3::hash(&bytes).to_hex();
    assert_eq!(hash.as_str(), "76043f1c065311bcc7e9d23f554846b8040b7877d8a00581d3ac8f2ce80adaa3");
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
    for frame in [Frame::Block(block()), Frame::Final(77), Frame::Reorganised(78)] {
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
