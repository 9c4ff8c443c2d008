//! The proof agrees with the native rules, batch by batch.

use super::{
    NUMBER,
    checker::check,
    prove_one,
    shard::{Shard, account, batch, batch_of, digest, link},
    statement, trace,
};
use crate::{
    BatchStatement, BatchWitness, Blake3, Options, Phase, StarkError, Statement, Verified, Witness, prove,
    prover::{
        plan::{Part, Plan},
        prove::prove_in_parts,
    },
    segment::CLAIMS_MAX,
    verify,
};
use arterial_protocol::{
    Account, AccountError, Batch, BlockNumber, DataDigest, Digest, Link, ShardId,
    limits::{RUN_RECORDS_MAX, SLOTS_END},
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// What a batch does to one slot: whether an account was there, and the gaps before each of its records.
type Plans = BTreeMap<u32, (bool, Vec<u32>)>;

fn plans() -> impl Strategy<Value = Plans> {
    // Crowded at both ends of the tree and thin between them.
    let slot = prop_oneof![0u32..24, SLOTS_END - 8..SLOTS_END, 0..SLOTS_END];
    let gap = prop_oneof![4 => Just(0), 2 => 0u32..9, 1 => 0u32..1 << 24];
    prop::collection::btree_map(slot, (any::<bool>(), prop::collection::vec(gap, 0..6)), 1..14)
}

/// A shard and a batch that follows the rules there.
fn follow(id: ShardId, plans: &Plans) -> (Shard, Batch) {
    let there: BTreeMap<_, _> = plans
        .iter()
        .filter(|(_, (there, _))| *there)
        .map(|(&slot, _)| (slot, account(slot)))
        .chain([(77, account(77))])
        .collect();
    let shard = Shard::new(there);
    let runs: Vec<(u32, Option<Digest>, Vec<Link>)> = plans
        .iter()
        .filter_map(|(&slot, (_, gaps))| {
            let before = shard.accounts.get(&slot);
            let mut seq = before.map_or(0, |account| account.next_seq);
            let links: Vec<Link> = gaps
                .iter()
                .map(|gap| {
                    seq += gap + 1;
                    link(seq - 1, u64::from(seq) << 20 | u64::from(slot))
                })
                .collect();
            let enrolment = before.is_none().then(|| digest(u64::from(slot)));
            (enrolment.is_some() || !links.is_empty()).then_some((slot, enrolment, links))
        })
        .collect();
    let batch = batch_of(id, runs.iter().map(|(slot, enrolment, links)| (*slot, *enrolment, &links[..])));
    (shard, batch)
}

/// What the native rules say of a batch.
fn native(shard: &Shard, batch: &Batch) -> BatchStatement {
    let mut after = shard.clone();
    after.apply(batch);
    let enrolments = batch.runs().filter(|run| run.enrolment.is_some()).count();
    BatchStatement {
        shard: batch.shard,
        old_root: shard.root(),
        new_root: after.root(),
        record_count: u32::try_from(batch.record_count()).expect("a bounded count"),
        enrolment_count: u32::try_from(enrolments).expect("a bounded count"),
        data: DataDigest::of(&batch.encode()),
    }
}

/// A batch each in shards 0, 1, …
struct Block {
    shards: Vec<(Shard, Batch, Vec<Option<Account>>)>,
    /// What the native rules say of it.
    expected: Statement,
}

impl Block {
    fn new(plans: &[Plans]) -> Self {
        let shards: Vec<_> = (0..)
            .map(ShardId)
            .zip(plans)
            .map(|(id, plans)| {
                let (shard, batch) = follow(id, plans);
                let before = shard.before(&batch);
                (shard, batch, before)
            })
            .collect();
        let batches = shards
            .iter()
            .filter(|(_, batch, _)| !batch.is_empty())
            .map(|(shard, batch, _)| native(shard, batch));
        let expected = Statement { number: NUMBER, batches: batches.collect() };
        Self { shards, expected }
    }

    /// Of the batches that are not empty.
    fn witness(&self) -> Vec<BatchWitness<'_>> {
        let batches = self.shards.iter().filter(|(_, batch, _)| !batch.is_empty());
        batches.map(|(shard, batch, before)| shard.witness(batch, before)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_trace_is_valid_and_claims_what_the_native_rules_say(plans in prop::collection::vec(plans(), 1..4)) {
        let block = Block::new(&plans);
        prop_assume!(!block.expected.batches.is_empty());
        let witness = block.witness();
        let trace = trace(&witness);
        let statement = statement(&witness, &trace);
        prop_assert_eq!(&statement, &block.expected);
        let faults = check(&trace, &statement);
        prop_assert!(faults.none(), "{:?}", faults);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_proof_verifies_for_what_the_native_rules_say(
        plans in prop::collection::vec(plans(), 0..4),
        cells_max in prop_oneof![Just(usize::MAX), 9_000usize..80_000],
    ) {
        let block = Block::new(&plans);
        let witness = Witness { number: NUMBER, batches: &block.witness() };
        let proof = prove_in_parts::<Blake3>(&witness, &Options::default(), cells_max).unwrap();
        prop_assert_eq!(&proof.verified.statement, &block.expected);
        let verified = verify::<Blake3>(&block.expected, &proof.bytes).unwrap();
        prop_assert!(verified.bits() >= 100.0);
    }
}

#[test]
fn edges() {
    let everywhere = Shard::new((0..40).map(|slot| (slot, account(slot))).collect());
    let full_run: Vec<Link> = (0..1024).map(|seq| link(900 + seq, seq.into())).collect();
    assert_eq!(full_run.len(), RUN_RECORDS_MAX);
    let last_seq = [link((1 << 30) - 1, 5)];
    let last_slot = [link(0, 1)];
    let batches = [
        ("nothing", batch([])),
        ("one record", batch([(7, None, &full_run[..1])])),
        ("a full run", batch([(7, None, &full_run[..])])),
        ("the last seq", batch([(8, None, &last_seq[..])])),
        ("the last slot", batch([(SLOTS_END - 1, Some(digest(3)), &last_slot[..])])),
        ("an enrolment", batch([(40, Some(digest(4)), &full_run[..0])])),
        ("every account", batch((0..40).map(|slot| (slot, None, &full_run[..1])))),
    ];
    for (name, batch) in batches {
        let before = everywhere.before(&batch);
        let proof = prove_one(everywhere.witness(&batch, &before)).unwrap();
        let expected: Vec<_> = (!batch.is_empty()).then(|| native(&everywhere, &batch)).into_iter().collect();
        assert_eq!(proof.verified.statement.batches, expected, "{name}");
    }
}

#[test]
fn the_first_batch_of_an_empty_shard() {
    let shard = Shard::new(BTreeMap::new());
    let batch = batch((0..20).map(|slot| (slot, Some(digest(slot.into())), &[][..])));
    let proof = prove_one(shard.witness(&batch, &[None; 20])).unwrap();
    assert_eq!(proof.verified.statement.batches, [native(&shard, &batch)]);
}

#[test]
fn a_batch_that_breaks_a_rule_is_named() {
    let (id, shard) = (ShardId(3), Shard::new([(1, account(1))].into()));
    let next_seq = account(1).next_seq;
    let refused = |batch: &Batch| {
        let before = shard.before(batch);
        prove_one(shard.witness(batch, &before)).unwrap_err()
    };
    let late = [link(next_seq - 1, 1)];
    let source = AccountError::SeqRegressed { next_seq, got: next_seq - 1 };
    assert_eq!(refused(&batch([(1, None, &late[..])])), StarkError::Rule { shard: id, slot: 1, source });
    let out = [link(1 << 30, 1)];
    let source = AccountError::OutOfRange;
    assert_eq!(refused(&batch([(1, None, &out[..])])), StarkError::Rule { shard: id, slot: 1, source });
    let future = [Link { observed_at_ms: 1 << 48, ..link(next_seq, 1) }];
    assert_eq!(refused(&batch([(1, None, &future[..])])), StarkError::Rule { shard: id, slot: 1, source });
    let good = [link(next_seq, 1)];
    assert_eq!(refused(&batch([(2, None, &good[..])])), StarkError::UnknownAccount { shard: id, slot: 2 });
    assert_eq!(
        refused(&batch([(1, Some(digest(1)), &good[..])])),
        StarkError::SlotTaken { shard: id, slot: 1 }
    );

    let batch = batch([(1, None, &good[..])]);
    let few = prove_one(shard.witness(&batch, &[]));
    assert_eq!(few, Err(StarkError::Accounts { shard: id, expected: 1, got: 0 }));
    let impossible = [Some(Account { count: u32::MAX, ..account(1) })];
    let overflowing = prove_one(shard.witness(&batch, &impossible));
    assert_eq!(overflowing, Err(StarkError::Rule { shard: id, slot: 1, source }));
    let other = [Some(account(8))];
    let elsewhere = prove_one(shard.witness(&batch, &other));
    assert!(matches!(elsewhere, Err(StarkError::Tree { level: 20, index: 0, .. })), "{elsewhere:?}");

    let witness = shard.witness(&batch, &other);
    let batches = StarkError::Batches { number: NUMBER };
    let twice = Witness { number: NUMBER, batches: &[witness, witness] };
    assert_eq!(prove::<Blake3>(&twice, &Options::default()), Err(batches));
    let number = BlockNumber(NUMBER.0 + 1);
    let elsewhere = Witness { number, batches: &[witness] };
    assert_eq!(prove::<Blake3>(&elsewhere, &Options::default()), Err(StarkError::Batches { number }));
}

#[test]
fn proving_tells_its_phases_and_can_be_cancelled_between_them() {
    let shard = Shard::new([(1, account(1))].into());
    let links = [link(account(1).next_seq, 1)];
    let batch = batch([(1, None, &links[..])]);
    let before = shard.before(&batch);
    let witness = Witness { number: NUMBER, batches: &[shard.witness(&batch, &before)] };
    let phases = Mutex::new(Vec::new());
    let progress = |phase| phases.lock().unwrap().push(phase);
    prove::<Blake3>(&witness, &Options { progress: Some(&progress), cancel: None }).unwrap();
    let (segments, segment) = (1, 0);
    let expected =
        [Phase::Rules, Phase::Trace { segments, segment }, Phase::Prove { segments, segment }, Phase::Verify];
    assert_eq!(*phases.lock().unwrap(), expected);

    for last in expected {
        let cancel = AtomicBool::new(false);
        let progress = |phase| cancel.store(phase == last, Ordering::Relaxed);
        let proof = prove::<Blake3>(&witness, &Options { progress: Some(&progress), cancel: Some(&cancel) });
        assert_eq!(proof.is_err(), last != Phase::Verify, "{last:?}");
    }
}

#[test]
fn a_block_is_cut_where_its_tables_would_be_too_large() {
    // A large batch between two small ones, and one more that shares the last segment.
    let large: Plans = (0..60).map(|at| (at * 9_973, (true, vec![0, 1]))).collect();
    let small: Plans = [(5, (true, vec![0])), (6, (false, vec![0, 0]))].into();
    let block = Block::new(&[small.clone(), large, small.clone(), small]);
    let witness = block.witness();
    let moves = Witness { number: NUMBER, batches: &witness }.moves().unwrap();
    let plan = Plan::new(&witness, &moves, 100_000);
    let shards = |parts: &Vec<Part<'_>>| parts.iter().map(|part| part.shard.0).collect::<Vec<_>>();
    let segments: Vec<Vec<u32>> = plan.segments.iter().map(shards).collect();
    assert!(segments.len() > 5);
    assert_eq!(segments.first(), Some(&vec![0]));
    assert_eq!(segments.last(), Some(&vec![2, 3]));
    assert!(segments[1..segments.len() - 1].iter().all(|shards| *shards == [1]));
    let moved = plan.segments.iter().flatten().map(|part| part.moves.len()).sum::<usize>();
    assert_eq!(moved, moves.len());
    let witness = Witness { number: NUMBER, batches: &witness };
    let proof = prove_in_parts::<Blake3>(&witness, &Options::default(), 100_000).unwrap();
    assert_eq!(proof.verified.segments.len(), segments.len());
    assert_eq!(proof.verified.statement, block.expected);
    assert!(proof.verified.bits() >= 100.0);
}

#[test]
fn many_shards_share_segments_up_to_the_limit() {
    let plans: Vec<Plans> = (0..CLAIMS_MAX + 3).map(|_| [(0, (true, vec![0]))].into()).collect();
    let block = Block::new(&plans);
    let proof = prove::<Blake3>(&Witness { number: NUMBER, batches: &block.witness() }, &Options::default());
    let Verified { statement, segments, .. } = proof.unwrap().verified;
    assert_eq!((statement, segments.len()), (block.expected, 2));
}
