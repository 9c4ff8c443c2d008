//! One description of a circuit, three readers of it.
//!
//! Key generation needs the rows of the matrices A, B and C and no values, proving needs values and no rows, and
//! telling circuits apart needs a hash of the rows. [`Constraints`] is what the circuit is written against:
//!
//! ```text
//!                      ┌─ Arkworks     rows → key generation (and, in tests, is_satisfied)
//! block::synthesize ───┼─ Assignment   values of all variables, and of A·z, B·z, C·z → proving
//!                      └─ Fingerprint  BLAKE3 of the rows → CircuitDigest
//! ```
//!
//! So a prover keeps no matrices: at 256 shards they would be 330 MB, over twice its key.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use ark_relations::gr1cs::{ConstraintSystemRef, LinearCombination, Matrix, SynthesisError, Variable};
use std::fmt;

/// A linear combination of variables together with its value.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    value: Fr,
    /// The same in every witness, so that what is computed from it costs no constraint.
    fixed: bool,
    /// Empty where only values are wanted.
    terms: Vec<(Fr, Variable)>,
}

impl Wire {
    pub(crate) fn constant(value: Fr) -> Self {
        Self { value, fixed: true, terms: vec![(value, Variable::One)] }
    }

    pub(crate) const fn value(&self) -> Fr {
        self.value
    }

    pub(crate) const fn is_fixed(&self) -> bool {
        self.fixed
    }
}

/// Where a circuit puts its variables and constraints.
pub(crate) trait Constraints: Sized {
    /// Whether rows are wanted, or only values.
    const ROWS: bool;

    /// The next public input.
    fn new_public(&mut self, value: Fr) -> Variable;

    /// The next variable that only the prover knows.
    fn new_witness(&mut self, value: Fr) -> Variable;

    /// Requires `a·b = c`.
    fn enforce(&mut self, a: &Wire, b: &Wire, c: &Wire);

    fn public(&mut self, value: Fr) -> Wire {
        let variable = self.new_public(value);
        wire_of::<Self>(value, variable)
    }

    fn witness(&mut self, value: Fr) -> Wire {
        let variable = self.new_witness(value);
        wire_of::<Self>(value, variable)
    }

    /// Σ coefficient·wire: free of constraints.
    fn linear<'a>(&self, summands: impl IntoIterator<Item = (Fr, &'a Wire)>) -> Wire {
        let mut sum = Wire { value: Fr::ZERO, fixed: true, terms: Vec::new() };
        for (coefficient, wire) in summands {
            sum.value += coefficient * wire.value;
            sum.fixed &= wire.fixed;
            if Self::ROWS {
                sum.terms
                    .extend(wire.terms.iter().map(|&(factor, variable)| (coefficient * factor, variable)));
            }
        }
        let mut terms = LinearCombination(sum.terms);
        terms.compactify();
        terms.0.retain(|(coefficient, _)| *coefficient != Fr::ZERO);
        Wire { terms: terms.0, ..sum }
    }

    fn difference(&self, left: &Wire, right: &Wire) -> Wire {
        self.linear([(Fr::ONE, left), (-Fr::ONE, right)])
    }

    /// A new variable for `a·b`: one constraint.
    fn product(&mut self, a: &Wire, b: &Wire) -> Wire {
        let product = self.witness(a.value * b.value);
        self.enforce(a, b, &product);
        product
    }

    /// A new variable that is 0 or 1: one constraint.
    fn boolean(&mut self, value: Fr) -> Wire {
        let bit = self.witness(value);
        let less_one = self.difference(&bit, &Wire::constant(Fr::ONE));
        self.require_zero_product(&bit, &less_one);
        bit
    }

    /// Requires `a·b = 0`: one constraint.
    fn require_zero_product(&mut self, a: &Wire, b: &Wire) {
        let zero = self.linear([]);
        self.enforce(a, b, &zero);
    }

    /// Requires `a = b`: one constraint.
    fn require_equal(&mut self, a: &Wire, b: &Wire) {
        let difference = self.difference(a, b);
        self.require_zero_product(&difference, &Wire::constant(Fr::ONE));
    }
}

fn wire_of<C: Constraints>(value: Fr, variable: Variable) -> Wire {
    let terms = if C::ROWS { vec![(Fr::ONE, variable)] } else { Vec::new() };
    Wire { value, fixed: false, terms }
}

/// The rows, into an arkworks constraint system.
pub(crate) struct Arkworks {
    system: ConstraintSystemRef<Fr>,
    outcome: Result<(), SynthesisError>,
}

impl Arkworks {
    pub(crate) const fn new(system: ConstraintSystemRef<Fr>) -> Self {
        Self { system, outcome: Ok(()) }
    }

    /// Whether everything arrived.
    pub(crate) fn finish(self) -> Result<(), SynthesisError> {
        self.outcome
    }

    fn taken(&mut self, variable: Result<Variable, SynthesisError>) -> Variable {
        variable.unwrap_or_else(|error| {
            self.outcome = Err(error);
            Variable::Zero
        })
    }
}

impl Constraints for Arkworks {
    const ROWS: bool = true;

    fn new_public(&mut self, value: Fr) -> Variable {
        let variable = self.system.new_input_variable(|| Ok(value));
        self.taken(variable)
    }

    fn new_witness(&mut self, value: Fr) -> Variable {
        let variable = self.system.new_witness_variable(|| Ok(value));
        self.taken(variable)
    }

    fn enforce(&mut self, a: &Wire, b: &Wire, c: &Wire) {
        let row = |wire: &Wire| {
            let terms = wire.terms.clone();
            || LinearCombination(terms)
        };
        if let Err(error) = self.system.enforce_r1cs_constraint(row(a), row(b), row(c)) {
            self.outcome = Err(error);
        }
    }
}

/// The values of all variables and of both sides of all constraints.
#[derive(Default)]
pub(crate) struct Assignment {
    public: Vec<Fr>,
    witness: Vec<Fr>,
    products: [Matrix<Fr>; 3],
}

impl Assignment {
    /// One and the public inputs: how many.
    pub(crate) const fn inputs(&self) -> usize {
        1 + self.public.len()
    }

    /// How many constraints.
    pub(crate) const fn constraints(&self) -> usize {
        self.products[0].len()
    }

    /// z: one, the public inputs, the witness.
    pub(crate) fn variables(&self) -> Vec<Fr> {
        let one = [Fr::ONE];
        [one.as_slice(), &self.public, &self.witness].concat()
    }

    /// Matrices that have the circuit's products with z, and with z only.
    ///
    /// The prover asks nothing of A, B and C but A·z, B·z and C·z, and z starts with 1. Synthesis has just
    /// computed these products, so each row is the product itself at variable 0.
    pub(crate) const fn product_matrices(&self) -> &[Matrix<Fr>; 3] {
        &self.products
    }
}

impl Constraints for Assignment {
    const ROWS: bool = false;

    fn new_public(&mut self, value: Fr) -> Variable {
        self.public.push(value);
        Variable::instance(self.public.len())
    }

    fn new_witness(&mut self, value: Fr) -> Variable {
        self.witness.push(value);
        Variable::witness(self.witness.len() - 1)
    }

    fn enforce(&mut self, a: &Wire, b: &Wire, c: &Wire) {
        for (matrix, wire) in self.products.iter_mut().zip([a, b, c]) {
            matrix.push(vec![(wire.value, 0)]);
        }
    }
}

/// Which circuit a key is of: BLAKE3 of the constraints and the numbers of variables.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CircuitDigest(pub [u8; 32]);

impl fmt::Display for CircuitDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for CircuitDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is to be known of a circuit to tell whether a key fits it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub(crate) digest: CircuitDigest,
    pub(crate) constraints: usize,
    pub(crate) public: usize,
    pub(crate) witness: usize,
}

/// Hashes the rows as they come.
///
/// ```text
/// constraint   row of A ‖ row of B ‖ row of C
/// row          terms u64 ‖ (kind u8: 0 one, 1 public, 2 witness ‖ index u64 ‖ coefficient[32]) per term
/// at the end   constraints u64 ‖ public inputs u64 ‖ witness variables u64
/// ```
/// All little-endian, terms in the order of kind and index.
pub(crate) struct Fingerprint {
    hasher: blake3::Hasher,
    constraints: usize,
    public: usize,
    witness: usize,
}

impl Fingerprint {
    pub(crate) fn new() -> Self {
        let hasher = blake3::Hasher::new_derive_key("arterial/circuit/v1");
        Self { hasher, constraints: 0, public: 0, witness: 0 }
    }

    pub(crate) fn finish(mut self) -> Shape {
        for number in [self.constraints, self.public, self.witness] {
            self.hasher.update(&(number as u64).to_le_bytes());
        }
        let digest = CircuitDigest(*self.hasher.finalize().as_bytes());
        Shape { digest, constraints: self.constraints, public: self.public, witness: self.witness }
    }
}

impl Constraints for Fingerprint {
    const ROWS: bool = true;

    fn new_public(&mut self, _: Fr) -> Variable {
        self.public += 1;
        Variable::instance(self.public)
    }

    fn new_witness(&mut self, _: Fr) -> Variable {
        self.witness += 1;
        Variable::witness(self.witness - 1)
    }

    fn enforce(&mut self, a: &Wire, b: &Wire, c: &Wire) {
        self.constraints += 1;
        // One update per constraint: BLAKE3 hashes long inputs many lanes at a time.
        let mut bytes = Vec::new();
        for wire in [a, b, c] {
            bytes.extend_from_slice(&(wire.terms.len() as u64).to_le_bytes());
            for (coefficient, variable) in &wire.terms {
                let kind = if variable.is_one() { 0 } else { 1 + u8::from(variable.is_witness()) };
                bytes.push(kind);
                bytes.extend_from_slice(&(variable.get_variable_index(0).unwrap_or(0) as u64).to_le_bytes());
                bytes.extend_from_slice(&coefficient.into_bigint().to_bytes_le());
            }
        }
        self.hasher.update(&bytes);
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use ark_relations::gr1cs::{ConstraintSystem, R1CS_PREDICATE_LABEL};

    /// The witness variables that can be changed, each alone, without breaking a constraint.
    pub(crate) fn movable(synthesize: impl FnOnce(&mut Arkworks)) -> Vec<usize> {
        let system = ConstraintSystem::new_ref();
        let mut constraints = Arkworks::new(system.clone());
        synthesize(&mut constraints);
        constraints.finish().unwrap();
        assert!(system.is_satisfied().unwrap());

        let matrices = &system.to_matrices().unwrap()[R1CS_PREDICATE_LABEL];
        let system = system.borrow().unwrap();
        let (public, witness) = (system.instance_assignment().unwrap(), system.witness_assignment().unwrap());
        let mut z = [public, witness].concat();
        let mut rows_of = vec![Vec::new(); z.len()];
        for row in 0..system.num_constraints() {
            for (_, variable) in matrices.iter().flat_map(|matrix| &matrix[row]) {
                rows_of[*variable].push(row);
            }
        }
        let mut movable = Vec::new();
        for variable in public.len()..z.len() {
            z[variable] += Fr::ONE;
            let holds = |&row: &usize| {
                let [a, b, c] = [0, 1, 2].map(|matrix: usize| {
                    matrices[matrix][row].iter().map(|(factor, at)| *factor * z[*at]).sum::<Fr>()
                });
                a * b == c
            };
            if rows_of[variable].iter().all(holds) {
                movable.push(variable - public.len());
            }
            z[variable] -= Fr::ONE;
        }
        movable
    }
}
