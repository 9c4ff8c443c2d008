//! The hand-written encoding against the ABI that the compiler wrote.

use super::*;
use arterial_protocol::{BlockProof, BlockStatement};
use proptest::prelude::*;
use revm::primitives::keccak256;
use serde_json::Value;

fn artifact() -> Value {
    serde_json::from_str(include_str!("../../../contracts/Settlement.json")).unwrap()
}

/// The selectors of everything of a kind in the ABI, by name.
fn selector(kind: &str, name: &str) -> [u8; 4] {
    let abi = artifact()["abi"].clone();
    let entry =
        abi.as_array().unwrap().iter().find(|entry| entry["type"] == kind && entry["name"] == name).unwrap();
    let types: Vec<&str> =
        entry["inputs"].as_array().unwrap().iter().map(|input| input["type"].as_str().unwrap()).collect();
    *keccak256(format!("{name}({})", types.join(","))).first_chunk().unwrap()
}

fn post_block() -> Call {
    let root = |byte| StateRoot(FieldElement::reduce([byte; 32]));
    let statement = BlockStatement {
        old_state_root: root(1),
        new_state_root: root(2),
        number: BlockNumber(0x0102_0304_0506_0708),
        record_count: u64::MAX,
    };
    Call::post_block(&statement, &BlockProof(core::array::from_fn(|at| u8::try_from(at).unwrap())))
}

fn calls() -> [(&'static str, Call); 7] {
    [
        ("postBlock", post_block()),
        ("latest", Call::Latest),
        ("stateRoot", Call::StateRoot(BlockNumber(7))),
        ("sequencer", Call::Sequencer),
        ("pendingSequencer", Call::PendingSequencer),
        ("transferSequencer", Call::TransferSequencer(Address([9; 20]))),
        ("acceptSequencer", Call::AcceptSequencer),
    ]
}

#[test]
fn the_two_committed_artifacts_hold_the_same_code() {
    assert_eq!(artifact()["bytecode"], format!("0x{}", hex::encode(BYTECODE)));
}

#[test]
fn every_function_of_the_abi_has_its_selector_here() {
    for (name, call) in calls() {
        assert_eq!(call.encode()[..4], selector("function", name), "{name}");
    }
    let functions =
        artifact()["abi"].as_array().unwrap().iter().filter(|entry| entry["type"] == "function").count();
    assert_eq!(functions, calls().len());
}

#[test]
fn calls_round_trip_and_ignore_what_follows() {
    for (name, call) in calls() {
        let mut calldata = call.encode();
        assert_eq!(Call::decode(&calldata), Some(call), "{name}");
        if calldata.len() > 4 {
            assert_eq!(Call::decode(&calldata[..calldata.len() - 1]), None, "{name}");
        }
        calldata.push(1);
        assert_eq!(Call::decode(&calldata), Some(call), "{name}");
    }
}

#[test]
fn every_error_of_the_abi_is_decoded() {
    let caller = Address([7; 20]);
    let answer = |name: &str, words: &[[u8; WORD]]| [&selector("error", name), words.as_flattened()].concat();
    let errors = [
        (answer("NotSequencer", &[word_of_address(caller)]), ContractError::NotSequencer { caller }),
        (
            answer("NotPendingSequencer", &[word_of_address(caller)]),
            ContractError::NotPendingSequencer { caller },
        ),
        (
            answer("WrongBlockNumber", &[word_of_u64(2), word_of_u64(9)]),
            ContractError::WrongBlockNumber { expected: BlockNumber(2), got: BlockNumber(9) },
        ),
        (answer("NotCanonical", &[[0xff; 32]]), ContractError::NotCanonical { value: [0xff; 32] }),
        (answer("InvalidProof", &[]), ContractError::InvalidProof),
    ];
    let known = artifact()["abi"].as_array().unwrap().iter().filter(|entry| entry["type"] == "error").count();
    assert_eq!(known, errors.len());
    for (answer, error) in errors {
        assert_eq!(ContractError::decode(&answer), error);
        let longer = [&answer[..], &[0]].concat();
        assert_eq!(ContractError::decode(&longer), ContractError::Other(longer.clone()));
    }
}

#[test]
fn addresses_parse_as_they_are_shown() {
    let address = Address(core::array::from_fn(|at| u8::try_from(at * 13).unwrap()));
    assert_eq!(address.to_string().parse(), Ok(address));
    for text in ["", "0x", "00", "0x00", &"0".repeat(42), &format!("{address}00"), "0xzz"] {
        assert!(text.parse::<Address>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), pick in 0..7usize) {
        let mut bytes = bytes;
        let _ = (ContractError::decode(&bytes), decode_address(&bytes), decode_latest(&bytes), decode_state_root(&bytes));
        if let Some(start) = bytes.first_chunk_mut::<4>() {
            start.copy_from_slice(&calls()[pick].1.encode()[..4]);
        }
        if let Some(call) = Call::decode(&bytes) {
            prop_assert!(bytes.starts_with(&call.encode()));
        }
    }
}
