//! Random cheats, carried through to the root: whatever trace passes is a batch that the native rules accept.

use super::{
    attacks::Honest,
    checker::check,
    forge::{Extra, F, Record, Row, Rows, f, forge},
    prove_and_verify,
    shard::batch_of,
};
use arterial_protocol::{Batch, Digest, Link, ShardId};
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use proptest::prelude::*;

/// Which of the hooks is used, of which row, of which field, by how much.
type Edit = (u8, usize, prop::sample::Index, F);

fn edit() -> impl Strategy<Value = Edit> {
    // Small changes, by which digits and flags stay what they may be, and any other.
    let by = prop_oneof![
        3 => prop::sample::select(vec![F::ONE, F::TWO, F::NEG_ONE, -F::TWO]),
        1 => (1..F::ORDER_U32).prop_map(F::from_u32),
    ];
    (0u8..4, 0usize..16, any::<prop::sample::Index>(), by)
}

fn apply(edits: &[Edit], row: Row<'_>) {
    let (hook, at, mut fields) = match row {
        Row::Opening(at, account) => (0, at, account.fields()),
        Row::Record(at, record) => (1, at, record.fields()),
        Row::Account(at, account) => (2, at, account.fields()),
        Row::Node(at, node) => (3, at, node.fields()),
        Row::Claim(..) => return,
    };
    for (_, _, field, by) in edits.iter().filter(|edit| (edit.0, edit.1) == (hook, at)) {
        let field = field.index(fields.len());
        *fields[field] += *by;
    }
}

/// A shard's batch that a trace's active rows are of, unless a record's time or kind is out of range, which no constraint
/// forbids.
fn extracted(rows: &Rows, shard: ShardId) -> Option<Batch> {
    let digest = |elements: &[F; 8]| crate::field::digest(*elements);
    let mut runs: Vec<(u32, Option<Digest>, Vec<Link>)> = Vec::new();
    for account in rows.accounts.iter().filter(|account| account.shard == f(shard.0)) {
        let mut links = Vec::new();
        let own = |record: &&Record| (record.shard, record.slot) == (account.shard, account.slot);
        for record in rows.records.iter().filter(own) {
            let [low, high] =
                [record.time_low, record.time_high].map(|limb| u64::from(limb.as_canonical_u32()));
            links.push(Link {
                digest: digest(&record.digest),
                seq: record.seq().as_canonical_u32(),
                observed_at_ms: (low < 1 << 24 && high < 1 << 24).then_some(high << 24 | low)?,
                kind: u16::try_from(record.kind.as_canonical_u32()).ok()?,
            });
        }
        let enrolment = (account.enrolled == F::ONE).then(|| digest(&account.identity));
        if enrolment.is_some() || !links.is_empty() {
            runs.push((account.slot.as_canonical_u32(), enrolment, links));
        }
    }
    runs.sort_by_key(|run| run.0);
    Some(batch_of(shard, runs.iter().map(|(slot, enrolment, links)| (*slot, *enrolment, &links[..]))))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_trace_that_passes_is_a_batch_that_the_native_rules_accept(edits in prop::collection::vec(edit(), 1..3)) {
        let honest = Honest::new();
        let forged = forge(&honest.trace(), Extra::default(), &mut |row| apply(&edits, row));
        let statement = honest.statement(&forged);
        // A trace that starts from other accounts is of another shard.
        let same_old_roots =
            statement.batches.iter().zip(&honest.shards).all(|(claim, shard)| claim.old_root == shard.root());
        if check(&forged, &statement).none() && same_old_roots {
            for (claim, shard) in statement.batches.iter().zip(&honest.shards) {
                let Some(batch) = extracted(&Rows::read(&forged), claim.shard) else { return Ok(()) };
                let mut after = shard.clone();
                after.apply(&batch);
                prop_assert_eq!(claim.new_root, after.root());
                prop_assert_eq!(claim.record_count as usize, batch.record_count());
                let enrolments = batch.runs().filter(|run| run.enrolment.is_some()).count();
                prop_assert_eq!(claim.enrolment_count as usize, enrolments);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_verifier_takes_what_passes_and_nothing_else(edits in prop::collection::vec(edit(), 1..3)) {
        let honest = Honest::new();
        let forged = forge(&honest.trace(), Extra::default(), &mut |row| apply(&edits, row));
        let statement = honest.statement(&forged);
        let passes = check(&forged, &statement).none();
        prop_assert_eq!(prove_and_verify(&statement, forged).is_ok(), passes);
    }
}
