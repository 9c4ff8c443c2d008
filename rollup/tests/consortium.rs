//! The embedded chain with validators: what they decide, what they don't, and what becomes of those that cheat.
#![cfg(feature = "embedded-chain")]
#![expect(clippy::unwrap_used, reason = "clippy allows it in test functions, and not in what they share")]

mod stand_in;

use arterial_protocol::{BlockNumber, BlockStatement, StateRoot};
use arterial_rollup::{
    ManualClock, ProvenBlock,
    chain::{
        At, BaseChain as _, ChainError, PostStatus,
        contract::{Address, Call},
        embedded::{
            Check, Conduct, EmbeddedChain, EmbeddedConfig, STAKE_MAX, Standing, Transaction, VALIDATORS_MAX,
            Verdict,
        },
    },
    proof::VerificationKey,
};
use arterial_storage::{MemoryStorage, Storage};
use stand_in::{StandIn, root, statement};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

const SLOT_MS: u64 = 1000;
const DIR: &str = "/chain";

/// Says of each block what a test wants to hear, and counts how often it is asked.
#[derive(Clone, Default)]
struct Scripted {
    verdicts: Arc<Mutex<BTreeMap<u64, Verdict>>>,
    asked: Arc<AtomicU64>,
}

impl Scripted {
    fn say(&self, number: u64, verdict: Verdict) {
        self.verdicts.lock().unwrap().insert(number, verdict);
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Check for Scripted {
    fn check(&self, number: BlockNumber, posted: StateRoot) -> Verdict {
        self.asked.fetch_add(1, Ordering::Relaxed);
        // A script is about the block that everybody expects.
        let scripted = self.verdicts.lock().unwrap().get(&number.0).cloned();
        scripted.filter(|_| posted == root(number.0)).unwrap_or(Verdict::Valid)
    }
}

struct Fixture {
    config: EmbeddedConfig,
    storage: Arc<dyn Storage>,
    clock: ManualClock,
    check: Scripted,
    prover: StandIn,
    chain: Option<EmbeddedChain>,
}

impl Fixture {
    fn new(stakes: &[u64]) -> Self {
        Self::seeded(stakes, 0)
    }

    fn seeded(stakes: &[u64], seed: u64) -> Self {
        let config = EmbeddedConfig {
            slot_ms: SLOT_MS,
            validators: stakes.to_vec(),
            seed,
            ..EmbeddedConfig::default()
        };
        let (clock, prover) = (ManualClock::default(), StandIn::new("a deployment"));
        clock.advance_ms(1_700_000_000_000);
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let time = Arc::new(clock.clone());
        let (dir, key) = (Path::new(DIR), prover.key_words());
        let chain = EmbeddedChain::create(&storage, dir, config.clone(), root(0), &key, time).unwrap();
        let check = Scripted::default();
        let chain = Some(chain.with_check(Box::new(check.clone())));
        Self { config, storage, clock, check, prover, chain }
    }

    fn chain(&self) -> &EmbeddedChain {
        self.chain.as_ref().unwrap()
    }

    fn restart(&mut self) {
        self.chain = None;
        let time = Arc::new(self.clock.clone());
        let chain = EmbeddedChain::open(&self.storage, Path::new(DIR), self.config.clone(), time).unwrap();
        self.chain = Some(chain.with_check(Box::new(self.check.clone())));
    }

    fn reader(&self) -> EmbeddedChain {
        EmbeddedChain::open_read_only(&*self.storage, Path::new(DIR)).unwrap()
    }

    fn history(&self) -> Vec<u8> {
        self.storage.read(&EmbeddedChain::history_path(Path::new(DIR))).unwrap()
    }

    fn proven(&self, statement: &BlockStatement) -> ProvenBlock {
        let key = VerificationKey::from_words(&self.prover.key_words()).unwrap();
        ProvenBlock::verify(*statement, self.prover.prove(statement), &key).unwrap()
    }

    fn post(&self, number: u64) -> Result<(), ChainError> {
        self.chain().post(&self.proven(&statement(number)))
    }

    fn status(&self, number: u64) -> PostStatus {
        self.chain().status(BlockNumber(number)).unwrap()
    }

    fn is_final(&self, number: u64) -> bool {
        matches!(self.status(number), PostStatus::Final(_))
    }

    fn standing(&self) -> Standing {
        self.chain().standing().unwrap()
    }

    fn set(&self, validators: impl IntoIterator<Item = u32>, conduct: Conduct) {
        validators.into_iter().for_each(|one| assert!(self.chain().set_conduct(one, conduct)));
    }

    /// Time passes, and somebody asks now and then.
    fn pass(&self, slots: u64) {
        for _ in 0..4 * slots {
            self.clock.advance_ms(SLOT_MS / 4);
            self.chain().head().unwrap();
        }
    }

    /// Posts a block, again where it was forgotten, until it is final; the slots that took.
    #[track_caller]
    fn settle(&self, number: u64) -> u64 {
        for slots in 0..60 {
            match self.status(number) {
                PostStatus::Final(_) => return slots,
                PostStatus::Unknown | PostStatus::Reverted(_) => self.post(number).unwrap(),
                PostStatus::Pending | PostStatus::Posted(_) => {}
            }
            self.pass(1);
        }
        panic!("block {number}: {:?}, {:?}", self.status(number), self.standing());
    }
}

#[test]
fn a_block_is_pending_and_then_final() {
    let fixture = Fixture::new(&[40, 30, 20, 10]);
    assert_eq!(fixture.standing().decided, None);
    let number = BlockNumber(1);
    fixture.post(1).unwrap();
    fixture.post(1).unwrap();
    for at in [At::Latest, At::Finalized] {
        assert_eq!(fixture.chain().state_root(number, at).unwrap(), None);
    }
    assert_eq!(fixture.status(1), PostStatus::Pending);
    fixture.pass(2);
    let PostStatus::Final(inclusion) = fixture.status(1) else { panic!("{:?}", fixture.standing()) };
    assert_eq!((inclusion.height, inclusion.gas_used / 1000), (1, 258));
    for at in [At::Latest, At::Finalized] {
        assert_eq!(fixture.chain().state_root(number, at).unwrap(), Some(root(1)));
    }
    let standing = fixture.standing();
    let decided = standing.decided.unwrap();
    assert_eq!((decided.height, decided.round, standing.stalled), (1, 0, None));
    let signed: u64 = standing.validators.iter().filter(|one| one.signed).map(|one| one.stake).sum();
    assert!(signed > 66, "{signed}");
    // Nothing is decided where there is nothing to decide.
    fixture.pass(20);
    let head = fixture.chain().head().unwrap();
    assert_eq!((head.height, head.finalized_height, head.settled), (1, 1, number));
}

#[test]
fn every_validator_checks_a_block_once_before_it_is_final() {
    let fixture = Fixture::new(&[1; 4]);
    for number in 1..=3 {
        fixture.settle(number);
        assert_eq!(fixture.check.asked(), 4 * number);
    }
}

#[test]
fn anybodys_transactions_are_included_each_once() {
    let fixture = Fixture::new(&[1; 4]);
    let ask = Transaction { caller: Address([9; 20]), calldata: Call::PendingSequencer.encode() };
    let ids = [0; 3].map(|_| fixture.chain().send(ask.clone()).unwrap());
    assert_eq!(fixture.chain().outcome(ids[0]).unwrap(), None);
    fixture.pass(2);
    for id in ids {
        assert!(fixture.chain().outcome(id).unwrap().unwrap().result.is_ok());
    }
    let another = fixture.chain().send(ask).unwrap();
    assert!(!ids.contains(&another));
    assert_eq!(fixture.chain().outcome(another).unwrap(), None);
    fixture.pass(2);
    assert!(fixture.chain().outcome(another).unwrap().is_some());
}

#[test]
fn without_more_than_two_thirds_of_the_stake_nothing_is_decided() {
    for (stakes, offline) in [(vec![40, 30, 20, 10], 0..1), (vec![1; 3], 2..3), (vec![1; 6], 0..2)] {
        let mut fixture = Fixture::new(&stakes);
        fixture.settle(1);
        fixture.set(offline.clone(), Conduct::Offline);
        fixture.post(2).unwrap();
        fixture.pass(30);
        assert_eq!(fixture.status(2), PostStatus::Pending);
        assert_eq!(fixture.chain().state_root(BlockNumber(2), At::Latest).unwrap(), None);
        for standing in [fixture.standing(), fixture.reader().standing().unwrap()] {
            let stalled = standing.stalled.unwrap();
            assert!(stalled.contains("more than two thirds"), "{stalled}");
            let silent: Vec<_> = offline.clone().map(|one| one.to_string()).collect();
            assert!(stalled.ends_with(&format!("validators {}", silent.join(", "))), "{stalled}");
        }
        fixture.set(offline.clone(), Conduct::Honest);
        fixture.settle(2);
        assert_eq!(fixture.standing().stalled, None);
        // The same when all are asleep, and wake up by a restart.
        fixture.set((0..).take(stakes.len()), Conduct::Offline);
        fixture.post(3).unwrap();
        fixture.pass(10);
        assert_eq!(fixture.status(3), PostStatus::Pending);
        fixture.restart();
        fixture.settle(3);
    }
    assert!(!Fixture::new(&[1; 4]).chain().set_conduct(4, Conduct::Offline));
}

#[test]
fn a_third_less_a_bit_may_be_offline() {
    let fixture = Fixture::new(&[40, 30, 20, 10]);
    fixture.set([1], Conduct::Offline);
    for number in 1..=6 {
        fixture.settle(number);
    }
    let standing = fixture.standing();
    assert!(!standing.validators[1].signed && standing.validators[0].signed);
    assert_eq!(standing.validators[1].slashed, None, "staying away costs nothing");
    fixture.set([1], Conduct::Honest);
    fixture.set([0], Conduct::Offline);
    fixture.post(7).unwrap();
    fixture.pass(10);
    assert!(!fixture.is_final(7));
}

#[test]
fn a_block_whose_proof_does_not_hold_is_never_posted() {
    for careless in [vec![], vec![0], vec![3]] {
        let mut fixture = Fixture::new(&[1; 4]);
        fixture.settle(1);
        fixture.set(careless, Conduct::Careless);
        fixture.check.say(2, Verdict::Invalid("invented accounts".into()));
        fixture.post(2).unwrap();
        fixture.pass(20);
        assert_eq!(fixture.status(2), PostStatus::Unknown);
        assert_eq!(fixture.chain().state_root(BlockNumber(2), At::Latest).unwrap(), None);
        for standing in [fixture.standing(), fixture.reader().standing().unwrap()] {
            let refusal = standing.refusal.unwrap();
            assert!(refusal.starts_with("block 2: invented accounts (validators "), "{refusal}");
        }
        match fixture.post(2) {
            Err(ChainError::Refused { number, what }) => {
                assert_eq!((number, &*what), (BlockNumber(2), "invented accounts"));
            }
            other => panic!("{other:?}"),
        }
        // Nor is what stands on it, and everybody else's transactions go on.
        assert!(matches!(fixture.post(3), Err(ChainError::Rejected { .. })));
        let ask = Transaction { caller: Address([9; 20]), calldata: Call::PendingSequencer.encode() };
        let id = fixture.chain().send(ask).unwrap();
        fixture.pass(3);
        assert!(fixture.chain().outcome(id).unwrap().is_some());
        // A block that does hold takes its place.
        let other = BlockStatement { new_state_root: root(9), ..statement(2) };
        fixture.chain().post(&fixture.proven(&other)).unwrap();
        fixture.pass(3);
        assert!(fixture.is_final(2));
        assert_eq!(fixture.standing().refusal, None);
        fixture.restart();
        assert_eq!(fixture.chain().state_root(BlockNumber(2), At::Finalized).unwrap(), Some(root(9)));
    }
}

/// It is their checks that keep such a block out, and nothing else; and one that refuses alone keeps nothing out.
#[test]
fn validators_that_check_nothing_let_everything_in() {
    let fixture = Fixture::new(&[1; 4]);
    fixture.set(0..3, Conduct::Careless);
    for number in 1..=4 {
        fixture.check.say(number, Verdict::Invalid("invented accounts".into()));
        fixture.post(number).unwrap();
        while !fixture.is_final(number) {
            fixture.clock.advance_ms(SLOT_MS / 64);
            assert_eq!(fixture.standing().refusal, None);
        }
    }
    // It may hear of a block only when that is decided.
    assert!((1..=4).contains(&fixture.check.asked()), "{}", fixture.check.asked());
}

#[test]
fn a_block_that_cannot_be_checked_yet_is_checked_again() {
    let fixture = Fixture::new(&[1; 4]);
    fixture.check.say(1, Verdict::Unavailable("no such file".into()));
    fixture.post(1).unwrap();
    fixture.pass(5);
    assert_eq!(fixture.status(1), PostStatus::Pending);
    assert_eq!(fixture.standing().refusal, None);
    fixture.check.verdicts.lock().unwrap().clear();
    fixture.pass(2);
    assert!(fixture.is_final(1));
}

#[test]
fn after_a_restart_a_refused_block_is_checked_again_and_nothing_without_a_check() {
    let mut fixture = Fixture::new(&[1; 4]);
    fixture.check.say(1, Verdict::Invalid("a torn file".into()));
    fixture.post(1).unwrap();
    fixture.pass(10);
    assert!(matches!(fixture.post(1), Err(ChainError::Refused { .. })));
    // The file has been mended.
    fixture.check.verdicts.lock().unwrap().clear();
    fixture.chain = None;
    let time = Arc::new(fixture.clock.clone());
    let chain = EmbeddedChain::open(&fixture.storage, Path::new(DIR), fixture.config.clone(), time).unwrap();
    fixture.chain = Some(chain);
    fixture.post(1).unwrap();
    fixture.pass(5);
    assert_eq!(fixture.status(1), PostStatus::Pending);
    fixture.restart();
    fixture.settle(1);
}

#[test]
fn who_says_two_things_loses_its_stake_and_nobody_else_does() {
    for guilty in 0..4 {
        let mut fixture = Fixture::new(&[4, 3, 3, 3]);
        fixture.set([guilty], Conduct::Equivocating);
        for number in 1..=6 {
            fixture.settle(number);
        }
        for restarted in [false, true] {
            if restarted {
                fixture.restart();
            }
            for standing in [fixture.standing(), fixture.reader().standing().unwrap()] {
                for (number, one) in (0..).zip(&standing.validators) {
                    let expected = if number == guilty { 0 } else { one.genesis_stake };
                    assert_eq!((one.stake, one.slashed.is_some()), (expected, number == guilty), "{number}");
                }
                let (height, what) = standing.validators[guilty as usize].slashed.clone().unwrap();
                assert!(height <= 6 && what.contains("twice at height"), "{height}: {what}");
            }
        }
        // Of the three that are left this one is needed now: with the word of who was slashed it would not be.
        fixture.settle(7);
        fixture.set([u32::from(guilty == 0)], Conduct::Offline);
        fixture.post(8).unwrap();
        fixture.pass(10);
        assert!(!fixture.is_final(8));
    }
}

/// Whoever has a third of the stake can have two blocks decided for one height. That is seen and said, and nothing is
/// built on either.
#[test]
fn a_third_that_says_two_things_can_fork_the_chain() {
    let mut fixture = Fixture::new(&[4, 3, 3]);
    fixture.set([0], Conduct::Equivocating);
    fixture.post(1).unwrap();
    fixture.pass(3);
    let ask = Transaction { caller: Address([9; 20]), calldata: Call::PendingSequencer.encode() };
    for _ in 0..2 {
        for standing in [fixture.standing(), fixture.reader().standing().unwrap()] {
            let fork = standing.fork.unwrap();
            assert!(fork.contains("height 1 was decided twice"), "{fork}");
        }
        match fixture.chain().send(ask.clone()) {
            Err(ChainError::Forked { what }) => {
                assert!(what.contains("height 1 was decided twice"), "{what}")
            }
            other => panic!("{other:?}"),
        }
        fixture.pass(5);
        assert_eq!(fixture.chain().head().unwrap().height, 1);
        fixture.restart();
    }
}

#[test]
fn a_censor_holds_posts_up_for_its_own_turns_only() {
    let fixture = Fixture::new(&[1; 4]);
    fixture.set([0, 2], Conduct::Censoring);
    let took: u64 = (1..=8).map(|number| fixture.settle(number)).sum();
    // Half of the turns are theirs, whose blocks have no post.
    let heights = fixture.chain().head().unwrap().height;
    assert!(heights > 8, "{heights}");
    assert!(took < 8 * 6, "{took}");
    fixture.set(0..4, Conduct::Censoring);
    fixture.post(9).unwrap();
    fixture.pass(10);
    assert_eq!(fixture.status(9), PostStatus::Pending);
}

#[test]
fn who_is_late_is_waited_for_where_it_is_needed() {
    let fixture = Fixture::new(&[1; 3]);
    fixture.set([1], Conduct::Delayed { by_ms: 2 * SLOT_MS });
    for number in 1..=3 {
        fixture.settle(number);
    }
    assert!(fixture.standing().validators.iter().all(|one| one.slashed.is_none()));
}

#[test]
fn nothing_that_is_decided_is_reorganised() {
    let fixture = Fixture::new(&[1; 4]);
    fixture.settle(1);
    fixture.post(2).unwrap();
    fixture.chain().reorganise(u64::MAX).unwrap();
    assert!(fixture.is_final(1));
    assert_eq!(fixture.status(2), PostStatus::Unknown);
    fixture.settle(2);
    assert!(matches!(fixture.reader().reorganise(1), Err(ChainError::Misuse(_))));
}

#[test]
fn the_same_seed_makes_the_same_history() {
    let history = |seed| {
        let fixture = Fixture::seeded(&[3, 2, 2, 1], seed);
        fixture.set([3], Conduct::Equivocating);
        for number in 1..=3 {
            fixture.settle(number);
        }
        fixture.set([1], Conduct::Delayed { by_ms: 300 });
        fixture.settle(4);
        fixture.history()
    };
    let first = history(1);
    assert!(first == history(1));
    assert!(first != history(2));
}

#[test]
fn a_restart_at_any_moment_contradicts_nothing() {
    // Steps that fall upon every part of a height, and one validator whose turns are missed, so that there are rounds.
    let mut fixture = Fixture::new(&[3, 2, 2, 2]);
    let mut number = 1;
    for step in 0..150 {
        if matches!(fixture.status(number), PostStatus::Unknown) {
            fixture.post(number).unwrap();
        }
        fixture.set([step / 50], Conduct::Offline);
        fixture.clock.advance_ms(37);
        fixture.chain().head().unwrap();
        number += u64::from(fixture.is_final(number));
        fixture.restart();
        for before in 1..number {
            assert!(fixture.is_final(before));
        }
    }
    // What waited for a slot was forgotten at every restart; where it began to be decided, it was.
    for number in number..number + 3 {
        fixture.settle(number);
    }
    let standing = fixture.standing();
    assert!(standing.validators.iter().all(|one| one.slashed.is_none()), "{standing:?}");
    assert_eq!(standing.stalled, None);
}

/// A number that follows from another; Knuth's MMIX, whose high bits are the better ones.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 33
}

/// Validators with less than a third of the stake do whatever they like, and everything is restarted now and then. Two
/// validators that decided differently would be told of as a fork.
#[test]
fn whatever_less_than_a_third_does_all_agree_and_go_on() {
    for seed in 0..8 {
        println!("seed {seed}");
        let mut random = seed * 77 + 1;
        let count = 4 + next(&mut random) % 4;
        let stakes: Vec<u64> = (0..count).map(|_| 1 + next(&mut random) % 20).collect();
        let (mut faulty, mut left) = (Vec::new(), stakes.iter().sum::<u64>().div_ceil(3) - 1);
        for (number, &stake) in (0..).zip(&stakes) {
            if stake <= left {
                left -= stake;
                faulty.push(number);
            }
        }
        let mut fixture = Fixture::seeded(&stakes, seed);
        let mut number = 1;
        for _ in 0..60 {
            let pick = usize::try_from(next(&mut random)).unwrap() % (faulty.len() + 1);
            if let Some(one) = faulty.get(pick) {
                let conduct = match next(&mut random) % 6 {
                    0 => Conduct::Offline,
                    1 => Conduct::Delayed { by_ms: next(&mut random) % 3000 },
                    2 => Conduct::Equivocating,
                    3 => Conduct::Censoring,
                    4 => Conduct::Careless,
                    _ => Conduct::Honest,
                };
                fixture.set([*one], conduct);
            }
            if next(&mut random).is_multiple_of(8) {
                fixture.restart();
            }
            if matches!(fixture.status(number), PostStatus::Unknown) {
                fixture.post(number).unwrap();
            }
            fixture.clock.advance_ms(next(&mut random) % SLOT_MS);
            number += u64::from(fixture.is_final(number));
        }
        assert!(number > 2, "{number}: {:?}", fixture.standing());
        for number in number..number + 2 {
            fixture.settle(number);
        }
        let standing = fixture.standing();
        assert_eq!(standing.stalled, None);
        for (number, one) in (0..).zip(&standing.validators) {
            assert!(one.slashed.is_none() || faulty.contains(&number), "{number}: {one:?}");
        }
        let last = fixture.chain().head().unwrap().settled;
        assert_eq!(fixture.reader().head().unwrap().settled, last);
    }
}

#[test]
fn what_cannot_be_a_set_of_validators_is_refused() {
    let fixture = Fixture::new(&[1]);
    for stakes in [vec![1; VALIDATORS_MAX + 1], vec![1, 0, 1], vec![STAKE_MAX + 1]] {
        let config = EmbeddedConfig { validators: stakes, ..EmbeddedConfig::default() };
        let (clock, key) = (Arc::new(fixture.clock.clone()), fixture.prover.key_words());
        let made =
            EmbeddedChain::create(&fixture.storage, Path::new("/another"), config, root(0), &key, clock);
        assert!(matches!(made, Err(ChainError::Misuse(_))));
    }
    fixture.settle(1);
    assert_eq!(fixture.standing().decided.unwrap().signatures, 1);
}
