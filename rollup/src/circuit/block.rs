//! The statement of a block proof.
//!
//! Public inputs: `old_state_root`, `new_state_root`, `number·2⁶⁴ + record_count`. The circuit of S shards says:
//! there are a domain, a number n and, for every shard, a leaf before and a leaf after, such that
//!
//! | rule | constraints |
//! |---|---|
//! | n is below 2⁶⁴ | 64 |
//! | the shards' ids are 0, 1, … S−1, before and after | none: they are constants of the leaf hashes |
//! | each leaf, before and after, hashes its five elements | S·2·318 |
//! | the leaves hash up to one tree before and one after | (S−1)·2·240 |
//! | `old_state_root` = H(domain, n − 1, tree before) | 261 + 1 |
//! | `new_state_root` = H(domain, n, tree after), same domain | 261 + 1 |
//! | each count is below 2³² | S·32 |
//! | total after = total before + count | none: the leaf after is hashed with that sum |
//! | data digest unchanged → accounts root unchanged and count zero | S·4 |
//! | the third input = n·2⁶⁴ + sum of the counts | 1 |
//!
//! together 1,152·S + 109. At most 2¹² shards with counts below 2³² sum to less than 2⁶⁴, and n is below 2⁶⁴, so
//! the third input has one reading.
//!
//! What it doesn't say: that accounts roots, totals and data digests are well formed. The old ones are those of the
//! old root, which starts at genesis, and totals grow by counts only; new accounts roots and data digests are the
//! sequencer's word. A leaf with an element out of range can be opened by no receipt.

use super::{
    constraints::{Arkworks, Constraints, Fingerprint, Shape, Wire},
    poseidon,
    witness::BlockWitness,
};
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field, PrimeField};
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};
use arterial_protocol::{
    BlockNumber, BlockStatement, Domain, FieldElement, ShardCount, ShardLeaf, limits::SHARDS_DEPTH_MAX,
};

const NUMBER_BITS: usize = 64;
const COUNT_BITS: usize = 32;
const _: () = assert!(COUNT_BITS + SHARDS_DEPTH_MAX <= NUMBER_BITS, "the sum of the counts fits its half");

/// Everything a prover may choose, honestly or not: field elements that nobody has checked.
#[derive(Clone, Debug)]
pub(crate) struct BlockCircuit {
    pub(crate) public: [Fr; 3],
    domain: Fr,
    /// n, the lowest bit first.
    number: Vec<Fr>,
    shards: Vec<ShardChoice>,
}

#[derive(Clone, Debug)]
struct ShardChoice {
    old: LeafChoice,
    /// Its total is the old one plus the count.
    new: LeafChoice,
    /// The lowest bit first.
    count: Vec<Fr>,
    /// For each half of the data digest, the inverse of its change; zero if it didn't change.
    inverses: [Fr; 2],
}

#[derive(Clone, Debug)]
struct LeafChoice {
    accounts_root: Fr,
    total: Fr,
    data: [Fr; 2],
}

impl BlockCircuit {
    /// The honest choices for a witness that was checked and has this statement.
    pub(crate) fn new(witness: &BlockWitness, statement: &BlockStatement) -> Self {
        let shards = witness.old.iter().zip(&witness.new).zip(witness.counts()).map(|((old, new), count)| {
            let (old, new) = (LeafChoice::new(old), LeafChoice::new(new));
            let change = |half: usize| (new.data[half] - old.data[half]).inverse().unwrap_or(Fr::ZERO);
            // One inverse is enough; a second one would make the sum 2.
            let high = change(0);
            let low = if high == Fr::ZERO { change(1) } else { Fr::ZERO };
            ShardChoice { inverses: [high, low], old, new, count: bits(count.into(), COUNT_BITS) }
        });
        Self {
            public: statement.public_inputs().map(element),
            domain: element(witness.domain.0),
            number: bits(witness.number.0, NUMBER_BITS),
            shards: shards.collect(),
        }
    }

    /// The circuit of this many shards, with a block in which nothing happens.
    pub(crate) fn blank(shards: ShardCount) -> Self {
        let leaves: Vec<ShardLeaf> = shards.iter().map(ShardLeaf::genesis).collect();
        let witness = BlockWitness {
            domain: Domain(FieldElement::ZERO),
            number: BlockNumber::GENESIS.next(),
            old: leaves.clone(),
            new: leaves,
        };
        let statement = witness.statement().expect("a block in which nothing happens breaks no rule");
        Self::new(&witness, &statement)
    }

    /// Its digest and its sizes.
    pub(crate) fn shape(shards: ShardCount) -> Shape {
        let mut fingerprint = Fingerprint::new();
        Self::blank(shards).synthesize(&mut fingerprint);
        fingerprint.finish()
    }

    /// States the rules.
    pub(crate) fn synthesize<C: Constraints>(&self, c: &mut C) {
        let [old_root, new_root, numbers] = self.public.map(|value| c.public(value));
        let domain = c.witness(self.domain);
        let number = number_from_bits(c, &self.number);
        let previous = c.difference(&number, &Wire::constant(Fr::ONE));

        let mut old_leaves = Vec::with_capacity(self.shards.len());
        let mut new_leaves = Vec::with_capacity(self.shards.len());
        let mut counts = Vec::with_capacity(self.shards.len());
        for (shard, id) in self.shards.iter().zip(0u64..) {
            let (old, new, count) = shard.synthesize(c, &Wire::constant(Fr::from(id)));
            old_leaves.push(old);
            new_leaves.push(new);
            counts.push(count);
        }
        require_root(c, &old_root, &domain, &previous, old_leaves);
        require_root(c, &new_root, &domain, &number, new_leaves);

        let shift = Fr::from(1u128 << 64);
        let expected = c.linear(counts.iter().map(|count| (Fr::ONE, count)).chain([(shift, &number)]));
        c.require_equal(&numbers, &expected);
    }
}

impl ConstraintSynthesizer<Fr> for BlockCircuit {
    fn generate_constraints(self, system: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let mut constraints = Arkworks::new(system);
        self.synthesize(&mut constraints);
        constraints.finish()
    }
}

impl ShardChoice {
    /// The leaves' hashes before and after, and the count.
    fn synthesize<C: Constraints>(&self, c: &mut C, id: &Wire) -> (Wire, Wire, Wire) {
        let [old_root, new_root] = [&self.old, &self.new].map(|leaf| c.witness(leaf.accounts_root));
        let [old_data, new_data] = [&self.old, &self.new].map(|leaf| leaf.data.map(|half| c.witness(half)));
        let old_total = c.witness(self.old.total);
        let count = number_from_bits(c, &self.count);
        let new_total = c.linear([(Fr::ONE, &old_total), (Fr::ONE, &count)]);

        // `unchanged` can be brought to zero only by the inverse of a change.
        let mut unchanged = Wire::constant(Fr::ONE);
        for ((old, new), inverse) in old_data.iter().zip(&new_data).zip(self.inverses) {
            let change = c.difference(new, old);
            let inverse = c.witness(inverse);
            let changed = c.product(&change, &inverse);
            unchanged = c.difference(&unchanged, &changed);
        }
        let moved = c.difference(&new_root, &old_root);
        c.require_zero_product(&unchanged, &moved);
        c.require_zero_product(&unchanged, &count);

        let old = poseidon::hash(c, [id, &old_root, &old_total, &old_data[0], &old_data[1]]);
        let new = poseidon::hash(c, [id, &new_root, &new_total, &new_data[0], &new_data[1]]);
        (old, new, count)
    }
}

impl LeafChoice {
    fn new(leaf: &ShardLeaf) -> Self {
        let [_, accounts_root, total, high, low] = leaf.elements().map(element);
        Self { accounts_root, total, data: [high, low] }
    }
}

/// Requires that a state root commits to these leaves.
fn require_root<C: Constraints>(c: &mut C, root: &Wire, domain: &Wire, number: &Wire, mut level: Vec<Wire>) {
    while level.len() > 1 {
        level =
            level.as_chunks::<2>().0.iter().map(|[left, right]| poseidon::hash(c, [left, right])).collect();
    }
    for tree in &level {
        let committed = poseidon::hash(c, [domain, number, tree]);
        c.require_equal(root, &committed);
    }
}

/// Σ 2ⁱ·bitᵢ of as many new boolean variables as there are bits.
fn number_from_bits<C: Constraints>(c: &mut C, bits: &[Fr]) -> Wire {
    let wires: Vec<Wire> = bits.iter().map(|&bit| c.boolean(bit)).collect();
    let powers = std::iter::successors(Some(Fr::ONE), |power| Some(power.double()));
    c.linear(powers.zip(&wires))
}

fn bits(number: u64, count: usize) -> Vec<Fr> {
    (0..count).map(|bit| Fr::from(number >> bit & 1)).collect()
}

fn element(element: FieldElement) -> Fr {
    Fr::from_be_bytes_mod_order(&element.to_be_bytes())
}

#[cfg(test)]
mod tests;
