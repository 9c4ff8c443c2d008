//! The contract takes a block from nobody who has no proof, and it understands calldata as we do.
#![no_main]

use arterial_fuzz::{domain, key_words};
use arterial_protocol::{BlockNumber, ShardCount, StateRoot};
use arterial_rollup::{
    ManualClock,
    chain::{
        At, BaseChain as _,
        contract::{Address, Call, ContractError},
        embedded::{EmbeddedChain, EmbeddedConfig, SEQUENCER, Transaction},
    },
};
use arterial_storage::{MemoryStorage, Storage};
use libfuzzer_sys::fuzz_target;
use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

static CHAIN: LazyLock<(EmbeddedChain, StateRoot)> = LazyLock::new(|| {
    let dir = Path::new("/chain");
    let genesis = StateRoot::genesis(domain(), ShardCount::new(4).expect("a power of two"));
    let clock = Arc::new(ManualClock::default());
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let chain = EmbeddedChain::create(&storage, dir, EmbeddedConfig::default(), genesis, &key_words(), clock);
    (chain.expect("a new chain"), genesis)
});

/// Calldata that is a call's but for its arguments, or any bytes.
fn calldata(choice: u8, data: &[u8]) -> Vec<u8> {
    let calls = [
        Call::Latest,
        Call::StateRoot(BlockNumber(0)),
        Call::Sequencer,
        Call::PendingSequencer,
        Call::TransferSequencer(Address([0; 20])),
        Call::AcceptSequencer,
    ];
    match calls.get(usize::from(choice % 8)) {
        Some(call) => [&call.encode()[..4], data].concat(),
        None if choice % 8 == 6 => [&[0xf5, 0x59, 0xe7, 0x19], data].concat(),
        None => data.to_vec(),
    }
}

fuzz_target!(|data: &[u8]| {
    let _ = ContractError::decode(data);
    let Some((&[choice, caller], data)) = data.split_first_chunk::<2>() else { return };
    let (chain, genesis) = &*CHAIN;
    let calldata = calldata(choice, data);
    let call = Call::decode(&calldata);
    if let Some(call) = call {
        assert!(calldata.starts_with(&call.encode()));
    }
    // No transaction comes from the zero address, which is what "nobody" is to the contract.
    let caller = if caller % 2 == 0 { SEQUENCER } else { Address([caller; 20]) };
    let outcome = chain.simulate(&Transaction { caller, calldata });
    let taken = outcome.is_ok_and(|outcome| outcome.result.is_ok());
    let expected = match call {
        None | Some(Call::PostBlock { .. } | Call::AcceptSequencer) => false,
        Some(Call::TransferSequencer(_)) => caller == SEQUENCER,
        Some(_) => true,
    };
    assert_eq!(taken, expected, "{call:?} by {caller}");
    assert_eq!(chain.state_root(BlockNumber(0), At::Latest).expect("asked"), Some(*genesis));
    assert_eq!(chain.state_root(BlockNumber(1), At::Latest).expect("asked"), None);
});
