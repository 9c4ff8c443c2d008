//! The embedded chain as a base chain: slots, finality, restarts, damage.
#![cfg(feature = "embedded-chain")]
#![expect(clippy::unwrap_used, reason = "clippy allows it in test functions, and not in what they share")]

mod stand_in;

use arterial_protocol::{BlockNumber, BlockStatement};
use arterial_rollup::{
    Clock, ManualClock, ProvenBlock,
    chain::{
        At, BaseChain as _, ChainError, Head, PostStatus,
        contract::{Address, Call, ContractError},
        embedded::{EmbeddedChain, EmbeddedConfig, SEQUENCER, Transaction},
    },
    proof::VerificationKey,
};
use arterial_storage::{FileStorage, Storage};
use stand_in::{StandIn, root, statement};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tempfile::TempDir;

const CONFIG: EmbeddedConfig =
    EmbeddedConfig { chain_id: 1337, slot_ms: 1000, finality_slots: 2, validators: Vec::new(), seed: 0 };

fn files() -> Arc<dyn Storage> {
    Arc::new(FileStorage)
}

struct Fixture {
    dir: TempDir,
    clock: ManualClock,
    prover: StandIn,
}

impl Fixture {
    fn new() -> Self {
        let clock = ManualClock::default();
        clock.advance_ms(1_700_000_000_000);
        Self { dir: TempDir::new().unwrap(), clock, prover: StandIn::new("a deployment") }
    }

    fn create(&self) -> EmbeddedChain {
        let clock = Arc::new(self.clock.clone());
        EmbeddedChain::create(&files(), self.dir.path(), CONFIG, root(0), &self.prover.key_words(), clock)
            .unwrap()
    }

    fn open(&self) -> Result<EmbeddedChain, ChainError> {
        EmbeddedChain::open(&files(), self.dir.path(), CONFIG, Arc::new(self.clock.clone()))
    }

    fn post(&self, chain: &EmbeddedChain, number: u64) -> Result<(), ChainError> {
        chain.post(&proven(&self.prover, &statement(number)))
    }

    fn slots(&self, slots: u64) {
        self.clock.advance_ms(slots * CONFIG.slot_ms);
    }

    fn history(&self) -> PathBuf {
        self.dir.path().join("history.log")
    }

    /// A chain whose history holds `blocks` final blocks, each one in its slot, and is closed.
    fn with_blocks(blocks: u64) -> Self {
        let fixture = Self::new();
        let chain = fixture.create();
        for number in 1..=blocks {
            fixture.post(&chain, number).unwrap();
            fixture.slots(1);
            assert!(matches!(chain.status(BlockNumber(number)).unwrap(), PostStatus::Posted(_)));
        }
        drop(chain);
        fixture
    }
}

fn proven(prover: &StandIn, statement: &BlockStatement) -> ProvenBlock {
    let key = VerificationKey::from_words(&prover.key_words()).unwrap();
    ProvenBlock::verify(*statement, prover.prove(statement), &key).unwrap()
}

/// The contract's latest block, checked root by root.
#[track_caller]
fn settled(chain: &EmbeddedChain) -> u64 {
    let BlockNumber(latest) = chain.head().unwrap().settled;
    for number in 0..latest + 2 {
        let expected = (number <= latest).then(|| root(number));
        assert_eq!(chain.state_root(BlockNumber(number), At::Latest).unwrap(), expected);
    }
    latest
}

#[test]
fn a_block_is_pending_then_posted_then_final() {
    let fixture = Fixture::new();
    let chain = fixture.create();
    let number = BlockNumber(1);
    let roots = || [At::Latest, At::Finalized].map(|at| chain.state_root(number, at).unwrap());
    assert_eq!(chain.chain_id(), 1337);
    assert_eq!(chain.status(number).unwrap(), PostStatus::Unknown);
    assert_eq!(chain.state_root(BlockNumber::GENESIS, At::Finalized).unwrap(), Some(root(0)));
    assert!(matches!(chain.status(BlockNumber::GENESIS).unwrap(), PostStatus::Final(_)));

    fixture.clock.advance_ms(999);
    fixture.post(&chain, 1).unwrap();
    assert_eq!((chain.status(number).unwrap(), roots()), (PostStatus::Pending, [None, None]));
    let head = Head { height: 0, finalized_height: 0, settled: BlockNumber::GENESIS };
    assert_eq!(chain.head().unwrap(), head);

    fixture.clock.advance_ms(1);
    let PostStatus::Posted(inclusion) = chain.status(number).unwrap() else { panic!() };
    assert_eq!((inclusion.height, inclusion.gas_used / 1000), (1, 258));
    assert_eq!(roots(), [Some(root(1)), None]);
    assert_eq!(chain.head().unwrap(), Head { height: 1, finalized_height: 0, settled: number });

    fixture.slots(1);
    assert_eq!((chain.status(number).unwrap(), roots()[1]), (PostStatus::Posted(inclusion), None));
    fixture.slots(1);
    assert_eq!((chain.status(number).unwrap(), roots()[1]), (PostStatus::Final(inclusion), Some(root(1))));
    assert_eq!(chain.head().unwrap(), Head { height: 3, finalized_height: 1, settled: number });
}

#[test]
fn a_block_counts_as_included_in_its_slot_however_late_one_asks() {
    let fixture = Fixture::new();
    let chain = fixture.create();
    fixture.slots(5);
    fixture.post(&chain, 1).unwrap();
    fixture.slots(100);
    let PostStatus::Final(inclusion) = chain.status(BlockNumber(1)).unwrap() else { panic!() };
    assert_eq!(inclusion.height, 6);
}

#[test]
fn several_blocks_fit_into_one_slot_in_order() {
    let fixture = Fixture::new();
    let chain = fixture.create();
    for number in 1..=4 {
        fixture.post(&chain, number).unwrap();
    }
    fixture.slots(1);
    assert_eq!(settled(&chain), 4);
    for number in 1..=4 {
        let PostStatus::Posted(inclusion) = chain.status(BlockNumber(number)).unwrap() else { panic!() };
        assert_eq!(inclusion.height, 1);
    }
}

#[test]
fn posting_again_is_harmless_and_posting_otherwise_is_rejected() {
    let fixture = Fixture::new();
    let chain = fixture.create();
    let other = proven(&fixture.prover, &BlockStatement { new_state_root: root(9), ..statement(1) });
    let rejected = |result: Result<(), ChainError>| match result {
        Err(ChainError::Rejected { number, error }) => (number.0, error),
        other => panic!("{other:?}"),
    };
    let wrong = |expected, got| ContractError::WrongBlockNumber {
        expected: BlockNumber(expected),
        got: BlockNumber(got),
    };
    assert_eq!(rejected(fixture.post(&chain, 2)), (2, wrong(1, 2)));
    for _ in 0..3 {
        fixture.post(&chain, 1).unwrap();
    }
    assert_eq!(rejected(chain.post(&other)), (1, wrong(2, 1)));
    fixture.slots(1);
    let size = fs::metadata(fixture.history()).unwrap().len();
    assert_eq!(settled(&chain), 1);
    let size_with_block = fs::metadata(fixture.history()).unwrap().len();
    assert!(size_with_block > size);
    fixture.post(&chain, 1).unwrap();
    assert_eq!(rejected(chain.post(&other)), (1, wrong(2, 1)));
    fixture.slots(1);
    assert_eq!(settled(&chain), 1);
    assert_eq!(fs::metadata(fixture.history()).unwrap().len(), size_with_block);

    let stranger = proven(&StandIn::new("another deployment"), &statement(2));
    assert_eq!(rejected(chain.post(&stranger)), (2, ContractError::InvalidProof));
}

#[test]
fn an_included_revert_is_told_and_a_strangers_is_not() {
    let fixture = Fixture::new();
    let chain = fixture.create();
    let calldata = Call::post_block(&statement(2), &fixture.prover.prove(&statement(2))).encode();
    let heir = Address([1; 20]);
    chain.send(Transaction { caller: heir, calldata: calldata.clone() }).unwrap();
    fixture.slots(1);
    assert_eq!(chain.status(BlockNumber(2)).unwrap(), PostStatus::Unknown);
    chain.send(Transaction { caller: SEQUENCER, calldata }).unwrap();
    fixture.slots(1);
    let error = ContractError::WrongBlockNumber { expected: BlockNumber(1), got: BlockNumber(2) };
    assert_eq!(chain.status(BlockNumber(2)).unwrap(), PostStatus::Reverted(error));
    for number in 1..=2 {
        fixture.post(&chain, number).unwrap();
    }
    assert_eq!(chain.status(BlockNumber(2)).unwrap(), PostStatus::Pending);
    fixture.slots(1);
    assert!(matches!(chain.status(BlockNumber(2)).unwrap(), PostStatus::Posted(_)));
}

#[test]
fn a_restart_at_any_point_forgets_nothing_but_the_pool() {
    let fixture = Fixture::new();
    drop(fixture.create());
    for number in 1..=5 {
        let chain = fixture.open().unwrap();
        assert_eq!(settled(&chain), number - 1);
        fixture.post(&chain, number).unwrap();
        drop(chain);
        let chain = fixture.open().unwrap();
        assert_eq!(chain.status(BlockNumber(number)).unwrap(), PostStatus::Unknown);
        fixture.post(&chain, number).unwrap();
        fixture.slots(1);
        let status = chain.status(BlockNumber(number)).unwrap();
        drop(chain);
        let chain = fixture.open().unwrap();
        assert_eq!(chain.status(BlockNumber(number)).unwrap(), status);
        fixture.slots(2);
        assert!(matches!(chain.status(BlockNumber(number)).unwrap(), PostStatus::Final(_)));
    }
}

#[test]
fn a_reorganisation_takes_blocks_away_but_no_final_one() {
    let fixture = Fixture::with_blocks(4);
    let chain = fixture.open().unwrap();
    let finals = || {
        (1..=4).filter(|&n| matches!(chain.status(BlockNumber(n)), Ok(PostStatus::Final(_)))).count() as u64
    };
    assert_eq!((settled(&chain), finals()), (4, 2));
    fixture.post(&chain, 5).unwrap();
    chain.reorganise(1).unwrap();
    assert_eq!(settled(&chain), 3);
    for number in [4, 5] {
        assert_eq!(chain.status(BlockNumber(number)).unwrap(), PostStatus::Unknown);
    }
    let height = chain.head().unwrap().height;
    chain.reorganise(u64::MAX).unwrap();
    assert_eq!((settled(&chain), finals(), chain.head().unwrap().height), (2, 2, height));
    // It stays so, and goes on from there.
    drop(chain);
    let chain = fixture.open().unwrap();
    assert_eq!((settled(&chain), chain.head().unwrap().height), (2, height));
    for number in 3..=5 {
        fixture.post(&chain, number).unwrap();
    }
    fixture.slots(3);
    assert_eq!(settled(&chain), 5);
    assert!(matches!(chain.status(BlockNumber(5)).unwrap(), PostStatus::Final(_)));
    chain.reorganise(u64::MAX).unwrap();
    assert_eq!(settled(&chain), 5);
    drop(chain);
    let reader = EmbeddedChain::open_read_only(&FileStorage, fixture.dir.path()).unwrap();
    assert_eq!(settled(&reader), 5);
    assert!(matches!(reader.reorganise(1), Err(ChainError::Misuse(_))));
}

/// A clock that somebody sets.
#[derive(Clone, Default, Debug)]
struct WallClock(Arc<AtomicU64>);

impl Clock for WallClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn a_clock_that_runs_backwards_undoes_nothing() {
    let fixture = Fixture::new();
    let clock = WallClock::default();
    let set = |ms| clock.0.store(ms, Ordering::SeqCst);
    set(1_000_000);
    let arc: Arc<dyn Clock> = Arc::new(clock.clone());
    let key = fixture.prover.key_words();
    let chain =
        EmbeddedChain::create(&files(), fixture.dir.path(), CONFIG, root(0), &key, arc.clone()).unwrap();
    fixture.post(&chain, 1).unwrap();
    set(1_005_000);
    let status = chain.status(BlockNumber(1)).unwrap();
    assert!(matches!(status, PostStatus::Final(_)));
    fixture.post(&chain, 2).unwrap();
    for now in [0, 1_000_000, 1_005_999] {
        set(now);
        assert_eq!(chain.status(BlockNumber(1)).unwrap(), status);
        assert_eq!(chain.status(BlockNumber(2)).unwrap(), PostStatus::Pending);
        assert_eq!(chain.head().unwrap().height, 5);
    }
    drop(chain);
    set(0);
    let chain = EmbeddedChain::open(&files(), fixture.dir.path(), CONFIG, arc).unwrap();
    assert_eq!(chain.status(BlockNumber(1)).unwrap(), status);
    assert_eq!(chain.state_root(BlockNumber(1), At::Finalized).unwrap(), Some(root(1)));
    fixture.post(&chain, 2).unwrap();
    set(u64::MAX);
    assert!(matches!(chain.status(BlockNumber(2)).unwrap(), PostStatus::Final(_)));
    fixture.post(&chain, 3).unwrap();
    assert_eq!(chain.status(BlockNumber(3)).unwrap(), PostStatus::Pending);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off() {
    let fixture = Fixture::with_blocks(1);
    let start = fs::read(fixture.history()).unwrap().len();
    let chain = fixture.open().unwrap();
    fixture.post(&chain, 2).unwrap();
    fixture.slots(1);
    assert_eq!(settled(&chain), 2);
    drop(chain);
    let whole = fs::read(fixture.history()).unwrap();
    assert!(whole.len() > start + 356);
    for length in start..whole.len() {
        // Cut off; or as long as it was to be, but the rest never came to the disk.
        for tail in [vec![], vec![0; whole.len() - length]] {
            if whole[length..] == tail {
                continue;
            }
            fs::write(fixture.history(), [&whole[..length], &tail].concat()).unwrap();
            let reader = EmbeddedChain::open_read_only(&FileStorage, fixture.dir.path()).unwrap();
            assert_eq!(reader.head().unwrap().settled, BlockNumber(1));
            assert_eq!(fs::read(fixture.history()).unwrap().len(), length + tail.len());
            let chain = fixture.open().unwrap();
            assert_eq!(chain.head().unwrap().settled, BlockNumber(1));
            drop(chain);
            assert_eq!(fs::read(fixture.history()).unwrap(), whole[..start]);
        }
    }
    let chain = fixture.open().unwrap();
    fixture.post(&chain, 2).unwrap();
    fixture.slots(1);
    assert_eq!(settled(&chain), 2);
}

#[test]
fn a_flipped_bit_before_the_last_frame_is_found() {
    let fixture = Fixture::with_blocks(3);
    let whole = fs::read(fixture.history()).unwrap();
    let chain = fixture.open().unwrap();
    fixture.post(&chain, 4).unwrap();
    fixture.slots(1);
    assert_eq!(settled(&chain), 4);
    drop(chain);
    let longer = fs::read(fixture.history()).unwrap();
    for at in (0..whole.len()).step_by(3) {
        let mut bytes = longer.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(fixture.history(), &bytes).unwrap();
        match fixture.open().err() {
            Some(ChainError::Corrupt { path, what }) => {
                assert_eq!(path, fixture.history());
                assert!(at < 1848 || what.contains("offset"), "{what}");
            }
            other => panic!("{at}: {other:?}"),
        }
        assert_eq!(fs::read(fixture.history()).unwrap(), bytes, "damage is left as it is");
    }
}

#[test]
fn a_directory_has_one_writer() {
    let fixture = Fixture::new();
    let chain = fixture.create();
    let in_use = |result: Result<EmbeddedChain, ChainError>| match result.err() {
        Some(ChainError::Misuse(what)) => assert!(what.contains("in use"), "{what}"),
        other => panic!("{other:?}"),
    };
    in_use(fixture.open());
    drop(chain);
    let chain = fixture.open().unwrap();
    in_use(fixture.open());
    drop(chain);
    let clock = Arc::new(fixture.clock.clone());
    let key = fixture.prover.key_words();
    let again = EmbeddedChain::create(&files(), fixture.dir.path(), CONFIG, root(0), &key, clock);
    assert!(matches!(again.err(), Some(ChainError::Misuse(what)) if what.contains("exists already")));
}

#[test]
fn a_reader_sees_what_is_written_and_sends_nothing() {
    let fixture = Fixture::new();
    let chain = fixture.create();
    fixture.post(&chain, 1).unwrap();
    fixture.slots(3);
    assert!(matches!(chain.status(BlockNumber(1)).unwrap(), PostStatus::Final(_)));
    fixture.post(&chain, 2).unwrap();
    fixture.slots(1);
    assert_eq!(settled(&chain), 2);

    let before = fs::read(fixture.history()).unwrap();
    let reader = EmbeddedChain::open_read_only(&FileStorage, fixture.dir.path()).unwrap();
    assert_eq!(settled(&reader), 2);
    for number in [1, 2].map(BlockNumber) {
        assert_eq!(reader.status(number).unwrap(), chain.status(number).unwrap());
        let finals = [&reader, &chain].map(|chain| chain.state_root(number, At::Finalized).unwrap());
        assert_eq!(finals[0], finals[1]);
    }
    assert!(matches!(fixture.post(&reader, 3), Err(ChainError::Misuse(_))));
    assert_eq!(fs::read(fixture.history()).unwrap(), before);
}

#[test]
fn another_deployments_directory_is_refused() {
    let fixture = Fixture::with_blocks(1);
    let misuse = |result: Result<EmbeddedChain, ChainError>| match result.err() {
        Some(ChainError::Misuse(what)) => what,
        other => panic!("{other:?}"),
    };
    for config in [
        EmbeddedConfig { chain_id: 1, ..CONFIG },
        EmbeddedConfig { slot_ms: 1, ..CONFIG },
        EmbeddedConfig { finality_slots: 3, ..CONFIG },
        EmbeddedConfig { validators: vec![1; 4], ..CONFIG },
        EmbeddedConfig { seed: 1, ..CONFIG },
    ] {
        let clock = Arc::new(fixture.clock.clone());
        assert!(
            misuse(EmbeddedChain::open(&files(), fixture.dir.path(), config, clock)).contains("expected")
        );
    }
    // Made with other contract code, and its checksum right.
    let mut bytes = fs::read(fixture.history()).unwrap();
    bytes[52] ^= 1;
    let crc = crc32c::crc32c(&bytes[..1844]);
    bytes[1844..1848].copy_from_slice(&crc.to_le_bytes());
    fs::write(fixture.history(), bytes).unwrap();
    assert!(misuse(fixture.open()).contains("another contract"));
    let nowhere = fixture.dir.path().join("nowhere");
    assert!(misuse(EmbeddedChain::open_read_only(&FileStorage, &nowhere)).contains("does not exist"));
    assert!(
        misuse(EmbeddedChain::open(&files(), &nowhere, CONFIG, Arc::new(fixture.clock.clone())))
            .contains("does not exist")
    );
}
