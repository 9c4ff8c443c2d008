//! Soundness by attack: each test breaks one rule and recomputes everything else so that no other rule is.

use super::*;
use crate::circuit::{BrokenRule, CircuitDigest, constraints::testing::movable};
use ark_relations::gr1cs::ConstraintSystem;
use arterial_protocol::{DataDigest, Digest, ShardId};
use light_poseidon::{Poseidon, PoseidonHasher};
use proptest::prelude::*;

fn shards(count: u32) -> ShardCount {
    ShardCount::new(count).unwrap()
}

/// Bytes that differ from each other.
fn bytes(seed: u32) -> [u8; 32] {
    *blake3::hash(&seed.to_le_bytes()).as_bytes()
}

/// Shard i gets i + 1 records in block 8.
fn witness(count: u32) -> BlockWitness {
    let leaf = |shard: ShardId, seed: u32, total_records: u64| ShardLeaf {
        shard,
        accounts_root: Digest::reduce(bytes(seed + 4 * shard.0)),
        total_records,
        data: DataDigest(bytes(seed + 4 * shard.0 + 1)),
    };
    BlockWitness {
        domain: Domain::derive(1, &[7; 32]),
        number: BlockNumber(8),
        old: shards(count).iter().map(|shard| leaf(shard, 0, 1000 + u64::from(shard.0))).collect(),
        new: shards(count).iter().map(|shard| leaf(shard, 2, 1001 + 2 * u64::from(shard.0))).collect(),
    }
}

fn satisfied(circuit: &BlockCircuit) -> bool {
    let system = ConstraintSystem::new_ref();
    circuit.clone().generate_constraints(system.clone()).unwrap();
    system.is_satisfied().unwrap()
}

fn honest(witness: &BlockWitness) -> BlockCircuit {
    BlockCircuit::new(witness, &witness.statement().unwrap())
}

fn h(inputs: &[Fr]) -> Fr {
    Poseidon::<Fr>::new_circom(inputs.len()).unwrap().hash(inputs).unwrap()
}

/// A statement and its witness over field elements, with nothing derived from anything else.
struct Claim {
    domains: [Fr; 2],
    numbers: [Fr; 2],
    ids: Vec<Fr>,
    old: Vec<LeafChoice>,
    new: Vec<LeafChoice>,
    counts: Vec<Fr>,
    record_count: Fr,
}

impl Claim {
    fn of(witness: &BlockWitness) -> Self {
        let circuit = honest(witness);
        let counts: Vec<Fr> = witness.counts().map(Fr::from).collect();
        Self {
            domains: [circuit.domain; 2],
            numbers: [Fr::from(witness.number.0 - 1), Fr::from(witness.number.0)],
            ids: (0..witness.old.len() as u64).map(Fr::from).collect(),
            old: circuit.shards.iter().map(|shard| shard.old.clone()).collect(),
            new: circuit.shards.iter().map(|shard| shard.new.clone()).collect(),
            record_count: counts.iter().sum(),
            counts,
        }
    }

    fn root(&self, at: usize, leaves: &[LeafChoice]) -> Fr {
        let mut level: Vec<Fr> = self
            .ids
            .iter()
            .zip(leaves)
            .map(|(id, leaf)| h(&[*id, leaf.accounts_root, leaf.total, leaf.data[0], leaf.data[1]]))
            .collect();
        while level.len() > 1 {
            level = level.chunks(2).map(h).collect();
        }
        h(&[self.domains[at], self.numbers[at], level[0]])
    }

    /// The choices of a prover who wants this claim accepted.
    ///
    /// Bits of what doesn't fit are made to sum up all the same: the lowest one takes what is missing.
    fn circuit(&self) -> BlockCircuit {
        let split = |value: Fr, count: usize| {
            let mut split = bits(value.into_bigint().0[0], count);
            let sum = split.iter().rev().fold(Fr::ZERO, |sum, bit| sum.double() + bit);
            split[0] += value - sum;
            split
        };
        let shards = self.old.iter().zip(&self.new).zip(&self.counts).map(|((old, new), count)| {
            let change = |half: usize| (new.data[half] - old.data[half]).inverse();
            let inverses = match (change(0), change(1)) {
                (Some(inverse), _) => [inverse, Fr::ZERO],
                (None, Some(inverse)) => [Fr::ZERO, inverse],
                // Nothing makes 0·x a 1; any try is as good.
                (None, None) => [Fr::ONE, Fr::ONE],
            };
            ShardChoice { old: old.clone(), new: new.clone(), count: split(*count, COUNT_BITS), inverses }
        });
        BlockCircuit {
            public: [
                self.root(0, &self.old),
                self.root(1, &self.new),
                self.numbers[1] * Fr::from(1u128 << 64) + self.record_count,
            ],
            domain: self.domains[0],
            number: split(self.numbers[1], NUMBER_BITS),
            shards: shards.collect(),
        }
    }
}

/// The claim about an honest block of two shards, changed.
fn attack(change: impl FnOnce(&mut Claim)) -> bool {
    let mut claim = Claim::of(&witness(2));
    change(&mut claim);
    satisfied(&claim.circuit())
}

#[test]
fn an_unchanged_claim_is_accepted() {
    assert!(attack(|_| ()), "or the attacks below would fail for another reason");
}

#[test]
fn other_shard_ids_are_refused() {
    assert!(!attack(|claim| claim.ids.swap(0, 1)));
    assert!(!attack(|claim| claim.ids[1] = Fr::ZERO));
    assert!(!attack(|claim| claim.ids.iter_mut().for_each(|id| *id += Fr::ONE)));
}

#[test]
fn leaves_in_another_order_are_refused() {
    // With their ids, so that each leaf is one of the old root's, at another place.
    assert!(!attack(|claim| {
        claim.ids.swap(0, 1);
        claim.old.swap(0, 1);
        claim.new.swap(0, 1);
        claim.counts.swap(0, 1);
    }));
}

#[test]
fn a_number_that_does_not_follow_is_refused() {
    for previous in [6u64, 8, 9] {
        assert!(!attack(|claim| claim.numbers[0] = Fr::from(previous)), "{previous} before 8");
    }
}

#[test]
fn a_number_over_64_bits_is_refused() {
    let over = Fr::from(1u128 << 64);
    assert!(!attack(|claim| claim.numbers = [over - Fr::ONE, over]));
    assert!(!attack(|claim| claim.numbers = [-Fr::from(2u64), -Fr::ONE]));
    let last = Fr::from(u64::MAX);
    assert!(attack(|claim| claim.numbers = [last - Fr::ONE, last]));
}

#[test]
fn a_total_that_is_not_the_sum_is_refused() {
    assert!(!attack(|claim| claim.new[1].total += Fr::ONE));
    assert!(!attack(|claim| claim.new[1].total -= Fr::ONE));
    assert!(!attack(|claim| claim.new[0].total = claim.old[0].total));
}

#[test]
fn a_negative_count_is_refused() {
    assert!(!attack(|claim| {
        let [first, second] = &mut claim.counts[..] else { panic!("two shards") };
        *first = -Fr::ONE;
        *second = Fr::from(4u64);
        claim.record_count = *first + *second;
        claim.new[0].total = claim.old[0].total + *first;
        claim.new[1].total = claim.old[1].total + *second;
    }));
}

#[test]
fn a_count_over_32_bits_is_refused() {
    let with_count = |count: u64| {
        attack(|claim| {
            claim.counts[0] = Fr::from(count);
            claim.record_count = claim.counts.iter().sum();
            claim.new[0].total = claim.old[0].total + claim.counts[0];
        })
    };
    assert!(!with_count(1 << 32));
    assert!(!with_count(u64::MAX));
    assert!(with_count((1 << 32) - 1));
}

#[test]
fn bits_that_are_not_bits_are_refused() {
    // 1 + 2·1 = 3 = 3 + 2·0 = -1 + 2·2
    for fake in [[3i64, 0], [-1, 2]] {
        let mut witness = witness(1);
        witness.new[0].total_records = witness.old[0].total_records + 3;
        let mut circuit = honest(&witness);
        assert!(satisfied(&circuit));
        circuit.shards[0].count[..2].copy_from_slice(&fake.map(Fr::from));
        assert!(!satisfied(&circuit), "{fake:?} in a count");

        witness.number = BlockNumber(3);
        let mut circuit = honest(&witness);
        circuit.number[..2].copy_from_slice(&fake.map(Fr::from));
        assert!(!satisfied(&circuit), "{fake:?} in the number");
    }
}

#[test]
fn a_record_count_that_is_not_the_sum_is_refused() {
    assert!(!attack(|claim| claim.record_count += Fr::ONE));
    assert!(!attack(|claim| claim.record_count = Fr::ZERO));
    // What the counts lack, the number's half cannot give.
    assert!(!attack(|claim| claim.record_count += Fr::from(1u128 << 64)));
}

#[test]
fn unchanged_data_with_other_accounts_is_refused() {
    for inverses in [[0i64, 0], [1, 0], [0, 1], [1, 1], [-1, 1]] {
        let mut claim = Claim::of(&witness(2));
        claim.new[1] = LeafChoice { accounts_root: claim.new[1].accounts_root, ..claim.old[1].clone() };
        claim.counts[1] = Fr::ZERO;
        claim.record_count = claim.counts.iter().sum();
        let mut circuit = claim.circuit();
        circuit.shards[1].inverses = inverses.map(Fr::from);
        assert!(!satisfied(&circuit), "{inverses:?}");

        circuit.shards[1].new.accounts_root = circuit.shards[1].old.accounts_root;
        claim.new[1].accounts_root = claim.old[1].accounts_root;
        circuit.public = claim.circuit().public;
        assert!(satisfied(&circuit), "a shard that is wholly unchanged, with {inverses:?}");
    }
}

#[test]
fn unchanged_data_with_records_is_refused() {
    for inverses in [[0i64, 0], [1, 0], [0, 1], [1, 1], [-1, 1]] {
        let mut claim = Claim::of(&witness(2));
        claim.new[1] = LeafChoice { total: claim.new[1].total, ..claim.old[1].clone() };
        let mut circuit = claim.circuit();
        circuit.shards[1].inverses = inverses.map(Fr::from);
        assert!(!satisfied(&circuit), "{inverses:?}");
    }
}

#[test]
fn a_change_in_either_half_of_the_digest_is_a_change() {
    for half in [0, 1] {
        assert!(attack(|claim| claim.new[1].data[half] = claim.old[1].data[half]), "half {half} unchanged");
    }
    // But not one half's change used for an inverse of the other.
    let mut claim = Claim::of(&witness(1));
    claim.new[0].data[0] = claim.old[0].data[0];
    let mut circuit = claim.circuit();
    circuit.shards[0].inverses.swap(0, 1);
    assert!(!satisfied(&circuit));
}

#[test]
fn another_domain_in_either_root_is_refused() {
    for at in [0, 1] {
        assert!(!attack(|claim| claim.domains[at] += Fr::ONE), "root {at}");
    }
}

#[test]
fn an_old_root_of_other_leaves_is_refused() {
    let changes: [fn(&mut LeafChoice); 4] = [
        |leaf| leaf.accounts_root += Fr::ONE,
        |leaf| leaf.total += Fr::ONE,
        |leaf| leaf.data[0] += Fr::ONE,
        |leaf| leaf.data[1] += Fr::ONE,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let claim = Claim::of(&witness(2));
        let mut leaves = claim.old.clone();
        change(&mut leaves[1]);
        let mut circuit = claim.circuit();
        circuit.public[0] = claim.root(0, &leaves);
        assert!(!satisfied(&circuit), "element {at} of the leaf before");

        let mut leaves = claim.new.clone();
        change(&mut leaves[0]);
        let mut circuit = claim.circuit();
        circuit.public[1] = claim.root(1, &leaves);
        assert!(!satisfied(&circuit), "element {at} of the leaf after");
    }
}

#[test]
fn any_other_public_input_is_refused() {
    for at in 0..3 {
        let mut circuit = honest(&witness(1));
        circuit.public[at] += Fr::ONE;
        assert!(!satisfied(&circuit), "input {at}");
    }
    let mut circuit = honest(&witness(1));
    circuit.public.swap(0, 1);
    assert!(!satisfied(&circuit));
}

#[test]
fn honest_blocks_are_accepted() {
    for count in [1, 2, 16] {
        assert!(satisfied(&honest(&witness(count))), "{count} shards");
        assert!(satisfied(&BlockCircuit::blank(shards(count))), "{count} empty shards");
    }
}

#[test]
fn a_batch_of_enrolments_only_is_accepted() {
    let mut witness = witness(2);
    witness.new[0].total_records = witness.old[0].total_records;
    assert_eq!(witness.statement().unwrap().record_count, 2);
    assert!(satisfied(&honest(&witness)));
}

#[test]
fn empty_shards_beside_busy_ones_are_accepted() {
    let mut witness = witness(4);
    for empty in [0, 3] {
        witness.new[empty] = witness.old[empty];
    }
    assert!(satisfied(&honest(&witness)));
}

#[test]
fn every_variable_is_determined() {
    let free = movable(|constraints| honest(&witness(1)).synthesize(constraints));
    assert!(free.is_empty(), "{free:?}");
    // But the inverses of a change that is not there.
    assert_eq!(movable(|constraints| BlockCircuit::blank(shards(1)).synthesize(constraints)).len(), 2);
}

#[test]
fn sizes_are_pinned() {
    for count in [1, 2, 16] {
        let shape = BlockCircuit::shape(shards(count));
        assert_eq!(shape.public, 3);
        assert_eq!(shape.constraints, 1152 * count as usize + 109);
        // The domain, the number's bits; of a shard two roots, one total, two digests, the count's bits and two
        // inverses. The rest are products, so determined.
        let products = 1118 * count as usize + 42;
        assert_eq!(shape.witness, 65 + 41 * count as usize + products);
    }
}

/// A change of the circuit makes every key file and every deployed contract worthless: it is a deliberate commit.
#[test]
fn the_circuit_is_pinned() {
    let CircuitDigest(digest) = BlockCircuit::shape(shards(2)).digest;
    assert_eq!(hex::encode(digest), "4957ace1bfca6e597f659229fd00648acd21bcb570bf19e0d1bf3c7d0a6af909");
}

#[test]
fn the_digest_depends_on_the_circuit_and_not_on_the_block() {
    let digest = |circuit: &BlockCircuit| {
        let mut fingerprint = Fingerprint::new();
        circuit.synthesize(&mut fingerprint);
        fingerprint.finish().digest
    };
    assert_eq!(digest(&honest(&witness(2))), BlockCircuit::shape(shards(2)).digest);
    assert_ne!(BlockCircuit::shape(shards(1)).digest, BlockCircuit::shape(shards(2)).digest);
}

/// Each rule has an error of its own, and a statement only comes from a witness that breaks none.
#[test]
fn the_native_check_names_the_rule() {
    let broken = |change: fn(&mut BlockWitness)| {
        let mut witness = witness(2);
        change(&mut witness);
        witness.statement().unwrap_err()
    };
    let shard = ShardId(1);
    assert_eq!(broken(|w| w.new.truncate(1)), BrokenRule::Leaves { old: 2, new: 1 });
    assert_eq!(
        broken(|w| {
            w.old.clear();
            w.new.clear()
        }),
        BrokenRule::Leaves { old: 0, new: 0 }
    );
    assert_eq!(broken(|w| w.old.swap(0, 1)), BrokenRule::ShardOrder { position: ShardId(0), got: shard });
    assert_eq!(broken(|w| w.new[1].shard.0 = 0), BrokenRule::ShardOrder { position: shard, got: ShardId(0) });
    assert_eq!(broken(|w| w.number = BlockNumber::GENESIS), BrokenRule::Genesis);
    assert_eq!(
        broken(|w| w.new[1].total_records = 7),
        BrokenRule::TotalDecreased { shard, old: 1001, new: 7 }
    );
    assert_eq!(
        broken(|w| w.new[1].total_records = 1001 + (1 << 32)),
        BrokenRule::CountOverflow { shard, count: 1 << 32 }
    );
    assert_eq!(broken(|w| w.new[1].data = w.old[1].data), BrokenRule::AccountsWithoutData { shard });
    assert_eq!(
        broken(|w| w.new[1] = ShardLeaf { total_records: w.new[1].total_records, ..w.old[1] }),
        BrokenRule::RecordsWithoutData { shard, count: 2 }
    );
}

prop_compose! {
    fn leaf(shard: u32)(root: [u8; 32], total in 0..u64::MAX - u64::from(u32::MAX), data: [u8; 32]) -> ShardLeaf {
        let (shard, data) = (ShardId(shard), DataDigest(data));
        ShardLeaf { shard, accounts_root: Digest::reduce(root), total_records: total, data }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_block_by_the_rules_is_accepted(
        old in leaf(0), new in leaf(0), count: u32, salt: [u8; 32], number in 1..u64::MAX, moved: bool,
    ) {
        let new = if moved { ShardLeaf { total_records: old.total_records + u64::from(count), ..new } } else { old };
        let domain = Domain::derive(1, &salt);
        let witness = BlockWitness { domain, number: BlockNumber(number), old: vec![old], new: vec![new] };
        prop_assert!(satisfied(&honest(&witness)));
    }
}
