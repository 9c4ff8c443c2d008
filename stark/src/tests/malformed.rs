//! Bytes that are no proof of the statement: none is taken, none makes the verifier panic.

use super::{
    NUMBER,
    checker::check,
    prove_and_verify, prove_one,
    shard::{Shard, account, batch, digest, link},
    statement, trace,
};
use crate::{
    BatchStatement, Blake3, ProofHash, StarkError, Statement,
    air::record::RECORD_COLUMNS,
    proof::{Body, PROOF_BYTES_MAX},
    segment::Claim,
    shape::Shape,
    verify,
};
use arterial_protocol::{BlockNumber, DataDigest, Digest, KOALA_BEAR, ShardId};
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;
use proptest::prelude::*;
use std::sync::LazyLock;

/// A valid proof with its statement.
static PROOF: LazyLock<(Statement, Vec<u8>)> = LazyLock::new(|| {
    let (shard, batch) = shard_and_batch();
    let before = shard.before(&batch);
    let proof = prove_one(shard.witness(&batch, &before)).expect("a valid batch");
    (proof.verified.statement, proof.bytes)
});

type ChangeStatement = fn(&mut Statement);
type ChangeClaim = fn(&mut BatchStatement, &mut Claim);
type ChangeBody = fn(&mut Body<Blake3>);

fn shard_and_batch() -> (Shard, arterial_protocol::Batch) {
    let shard = Shard::new([4, 5, 900].map(|slot| (slot, account(slot))).into());
    let links = [link(500, 3), link(501, 4), link(900, 5)];
    let batch = batch([(4, None, &links[..]), (6, Some(digest(6)), &links[..1]), (900, None, &links[1..])]);
    (shard, batch)
}

#[test]
fn a_statement_that_differs_in_anything() {
    let (statement, bytes) = &*PROOF;
    verify::<Blake3>(statement, bytes).unwrap();
    let changes: [(&str, ChangeStatement); 10] = [
        ("shard", |statement| statement.batches[0].shard = ShardId(4)),
        ("high half of the shard", |statement| statement.batches[0].shard.0 ^= 1 << 31),
        ("number", |statement| statement.number = BlockNumber(statement.number.0 ^ 1 << 63)),
        ("old root", |statement| statement.batches[0].old_root = digest(1)),
        ("new root", |statement| statement.batches[0].new_root = Digest::ZERO),
        ("record count", |statement| statement.batches[0].record_count += 1),
        ("enrolment count", |statement| statement.batches[0].enrolment_count -= 1),
        ("data", |statement| statement.batches[0].data.0[31] ^= 1),
        ("a batch less", |statement| statement.batches.clear()),
        ("a batch twice", |statement| statement.batches.push(statement.batches[0])),
    ];
    for (what, change) in changes {
        let mut other = statement.clone();
        change(&mut other);
        assert!(verify::<Blake3>(&other, bytes).is_err(), "{what}");
    }
}

/// A count and that count plus the prime are one field element.
#[test]
fn a_count_beyond_the_prime() {
    let (statement, bytes) = &*PROOF;
    let beyond = |count: u32| count + KOALA_BEAR;
    let (mut other, mut body) = (statement.clone(), Body::<Blake3>::decode(bytes).unwrap());
    other.batches[0].record_count = beyond(other.batches[0].record_count);
    body.segments[0].claims[0].records = other.batches[0].record_count;
    assert!(matches!(verify::<Blake3>(&other, &body.encode()), Err(StarkError::Claim { .. })));
    let (mut other, mut body) = (statement.clone(), Body::<Blake3>::decode(bytes).unwrap());
    other.batches[0].enrolment_count = beyond(other.batches[0].enrolment_count);
    body.segments[0].claims[0].enrolments = other.batches[0].enrolment_count;
    assert!(matches!(verify::<Blake3>(&other, &body.encode()), Err(StarkError::Claim { .. })));
}

/// A claim that is changed together with the statement gets past the sums; the transcript is another then.
#[test]
fn a_claim_that_differs_in_anything() {
    let (statement, bytes) = &*PROOF;
    let changes: [(&str, ChangeClaim); 5] = [
        ("old root", |statement, claim| (statement.old_root, claim.old.0) = (digest(1), digest(1))),
        ("new root", |statement, claim| (statement.new_root, claim.new.0) = (digest(1), digest(1))),
        ("record count", |statement, claim| (statement.record_count, claim.records) = (8, 8)),
        ("enrolment count", |statement, claim| (statement.enrolment_count, claim.enrolments) = (2, 2)),
        ("shard", |statement, claim| (statement.shard.0, claim.shard) = (8, 8)),
    ];
    for (what, change) in changes {
        let (mut other, mut body) = (statement.clone(), Body::<Blake3>::decode(bytes).unwrap());
        change(&mut other.batches[0], &mut body.segments[0].claims[0]);
        let verdict = verify::<Blake3>(&other, &body.encode());
        assert!(matches!(verdict, Err(StarkError::NotProven { .. })), "{what}: {verdict:?}");
    }
}

#[test]
fn a_structure_that_differs_in_anything() {
    let (statement, bytes) = &*PROOF;
    let changes: [(&str, ChangeBody); 15] = [
        ("no segment", |body| body.segments.clear()),
        ("the segment twice", |body| body.segments.extend(Body::decode(&PROOF.1).unwrap().segments)),
        ("a digest too many", |body| body.untouched.push(body.segments[0].claims[0].old)),
        ("no claim", |body| body.segments[0].claims.clear()),
        ("the claim twice", |body| {
            let claims = &mut body.segments[0].claims;
            claims.push(claims[0]);
        }),
        ("a claim of a shard that is not named", |body| {
            let claims = &mut body.segments[0].claims;
            claims.push(Claim { shard: 7, ..claims[0] });
        }),
        ("a level above the tree", |body| body.segments[0].claims[0].level = 255),
        ("a level below the root", |body| body.segments[0].claims[0].level = 19),
        ("another place", |body| body.segments[0].claims[0].index = u32::MAX),
        ("a table that is too tall", |body| body.segments[0].shape.nodes[0] = 21),
        ("a table that is too short", |body| body.segments[0].shape.nodes[0] = 5),
        ("a table of another height", |body| body.segments[0].shape.nodes[0] += 1),
        ("heights that are not the segment's", |body| body.segments[0].proof.degree_bits[1] += 1),
        ("too many parts", |body| body.segments[0].shape.nodes = vec![9, 8, 7]),
        ("no table", |body| body.segments[0].shape.records.clear()),
    ];
    for (what, change) in changes {
        let mut body = Body::<Blake3>::decode(bytes).unwrap();
        change(&mut body);
        assert!(verify::<Blake3>(statement, &body.encode()).is_err(), "{what}");
    }
    // Tables so short that no number of queries makes up for it.
    let mut bare = Body::<Blake3>::decode(bytes).unwrap();
    bare.segments[0].shape = Shape { records: vec![], accounts: vec![], nodes: vec![] };
    let verdict = verify::<Blake3>(statement, &bare.encode());
    assert!(matches!(verdict, Err(StarkError::Soundness { .. })), "{verdict:?}");

    let mut taller = Body::<Blake3>::decode(bytes).unwrap();
    taller.segments[0].shape.records[0] += 1;
    taller.segments[0].proof.degree_bits[1] += 1;
    let verdict = verify::<Blake3>(statement, &taller.encode());
    assert!(matches!(verdict, Err(StarkError::NotProven { .. })), "{verdict:?}");
}

#[test]
fn a_batch_of_nothing_needs_no_proof_and_moves_nothing() {
    let shard = Shard::new([(4, account(4))].into());
    let nothing = batch([]);
    let proof = prove_one(shard.witness(&nothing, &[])).unwrap();
    assert_eq!(proof.bytes, [1, 0, 0, 0]);
    assert_eq!(proof.verified.statement, Statement { number: NUMBER, batches: Vec::new() });
    let moved = BatchStatement {
        shard: ShardId(3),
        old_root: shard.root(),
        new_root: digest(9),
        record_count: 0,
        enrolment_count: 0,
        data: DataDigest::default(),
    };
    let statement = Statement { number: NUMBER, batches: vec![moved] };
    let verdict = verify::<Blake3>(&statement, &proof.bytes);
    assert!(matches!(verdict, Err(StarkError::Malformed { .. })), "{verdict:?}");
}

/// BLAKE3 with another beginning of the transcript: another version, as it were.
struct Other;

impl ProofHash for Other {
    type Mmcs = <Blake3 as ProofHash>::Mmcs;
    type Challenger = <Blake3 as ProofHash>::Challenger;

    fn mmcs() -> Self::Mmcs {
        Blake3::mmcs()
    }

    fn challenger(tag: &[u8]) -> Self::Challenger {
        Blake3::challenger(&[tag, b"other"].concat())
    }
}

#[test]
fn a_proof_with_another_transcript() {
    let (statement, bytes) = &*PROOF;
    let verdict = verify::<Other>(statement, bytes);
    assert!(matches!(verdict, Err(StarkError::NotProven { .. })), "{verdict:?}");
}

#[test]
fn bytes_of_another_encoding_or_none() {
    let (statement, bytes) = &*PROOF;
    let malformed =
        |bytes: &[u8]| matches!(verify::<Blake3>(statement, bytes), Err(StarkError::Malformed { .. }));
    assert!(malformed(&[]));
    assert!(malformed(&[1]));
    assert!(malformed(&[&[2, 0], &bytes[2..]].concat()));
    assert!(malformed(&[bytes, &[0][..]].concat()));
    // The number of untouched digests, 0, in two bytes instead of one.
    assert_eq!(bytes[2], 0);
    assert!(malformed(&[&[1, 0, 0x80, 0][..], &bytes[3..]].concat()));
    for cut in (0..bytes.len()).step_by(bytes.len() / 500) {
        assert!(malformed(&bytes[..cut]), "cut at {cut}");
    }
    let long = vec![0; PROOF_BYTES_MAX + 1];
    assert!(matches!(verify::<Blake3>(statement, &long), Err(StarkError::TooLong { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_flipped_bit(at: prop::sample::Index, early in any::<bool>(), bit in 0u8..8) {
        let (statement, bytes) = &*PROOF;
        // Half of the flips where everything but the openings is.
        let at = at.index(if early { 8_000 } else { bytes.len() });
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << bit;
        prop_assert!(verify::<Blake3>(statement, &bytes).is_err(), "bit {bit} of byte {at}");
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(verify::<Blake3>(&PROOF.0, &bytes).is_err());
        prop_assert!(verify::<Blake3>(&PROOF.0, &[&[1, 0], &bytes[..]].concat()).is_err());
    }

    /// One changed cell breaks a rule, or it is padding that nobody reads.
    #[test]
    fn any_changed_cell(table in 1usize..4, row: prop::sample::Index, column: prop::sample::Index, by in 1u32..1 << 30) {
        let (shard, batch) = shard_and_batch();
        let before = shard.before(&batch);
        let witness = [shard.witness(&batch, &before)];
        let mut trace = trace(&witness);
        let statement = statement(&witness, &trace);
        let matrix = &mut trace.tables[table];
        let (row, column) = (row.index(matrix.values.len() / matrix.width), column.index(matrix.width));
        matrix.values[row * matrix.width + column] += KoalaBear::from_u32(by);
        let faults = check(&trace, &statement);
        let padding = match table {
            1 => row * 4 + column / RECORD_COLUMNS >= 6 && matches!(column % RECORD_COLUMNS, 1 | 12 | 13),
            2 => row >= 3 && matches!(column, 2 | 3),
            _ => row >= 25 && matches!(column, 2..5),
        };
        prop_assert!(!faults.none() || padding, "table {table}, row {row}, column {column}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_verifier_notices_what_the_row_by_row_check_does(
        table in 1usize..4, row in 0usize..2, column: prop::sample::Index, by in 1u32..1 << 30
    ) {
        let (shard, batch) = shard_and_batch();
        let before = shard.before(&batch);
        let witness = [shard.witness(&batch, &before)];
        let mut trace = trace(&witness);
        let statement = statement(&witness, &trace);
        let matrix = &mut trace.tables[table];
        let column = column.index(matrix.width);
        matrix.values[row * matrix.width + column] += KoalaBear::from_u32(by);
        let valid = check(&trace, &statement).none();
        prop_assert_eq!(prove_and_verify(&statement, trace).is_ok(), valid);
    }
}
