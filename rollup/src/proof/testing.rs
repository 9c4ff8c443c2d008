//! **For tests only**: a prover that cheats. Whoever has it can prove anything under its key.

use super::{BlockProver, ProofError, VerificationKey, verification_key::encode_proof};
use crate::{block::ProvenBlock, circuit::BlockWitness};
use ark_bn254::{Bn254, Fr, G1Projective, G2Projective};
use ark_ec::{CurveGroup as _, PrimeGroup as _};
use ark_ff::{Field as _, PrimeField as _};
use ark_groth16::{Proof, VerifyingKey};
use arterial_protocol::{BlockProof, BlockStatement, ShardCount};

/// Makes proofs that verify, without a circuit, in a millisecond.
///
/// It knows the trapdoor of its own verification key: the discrete logarithms of all its points. So it can choose a
/// proof's A and B and solve the verification equation for C, which is the simulator by which Groth16 is shown to be
/// zero-knowledge (eprint 2016/260, section 3.2); to a verifier and to the contract these proofs are as good as any.
/// **It can forge a proof of any statement.** That a block follows the rules is checked natively, by
/// [`BlockWitness::statement`], and by nothing else. Never deploy a contract with its key.
///
/// Keys and proofs follow from seed and statement: the same block has the same bytes every time.
#[derive(Clone, Debug)]
pub struct SimulatedProver {
    seed: u64,
    shards: ShardCount,
    trapdoor: Trapdoor,
    verifying: VerificationKey,
}

#[derive(Clone, Debug)]
struct Trapdoor {
    alpha: Fr,
    beta: Fr,
    gamma: Fr,
    delta: Fr,
    inputs: [Fr; 4],
}

impl SimulatedProver {
    /// The prover with this seed, for blocks of this many shards.
    #[must_use]
    pub fn new(seed: u64, shards: ShardCount) -> Self {
        let [alpha, beta, gamma, delta, i0, i1, i2, i3] = scalars(seed, b"key");
        let trapdoor = Trapdoor { alpha, beta, gamma, delta, inputs: [i0, i1, i2, i3] };
        let verifying = VerificationKey::from_ark(&VerifyingKey {
            alpha_g1: g1(alpha).into_affine(),
            beta_g2: g2(beta).into_affine(),
            gamma_g2: g2(gamma).into_affine(),
            delta_g2: g2(delta).into_affine(),
            gamma_abc_g1: trapdoor.inputs.map(|input| g1(input).into_affine()).to_vec(),
        });
        Self { seed, shards, trapdoor, verifying }
    }

    /// A proof of the statement, be it true or not.
    #[must_use]
    pub fn forge(&self, statement: &BlockStatement) -> BlockProof {
        let Trapdoor { alpha, beta, gamma, delta, inputs: [constant, weights @ ..] } = &self.trapdoor;
        let words = statement.public_inputs().map(|input| input.to_be_bytes());
        let [a, b] = scalars(self.seed, words.as_flattened());
        let public = words.map(|word| Fr::from_be_bytes_mod_order(&word));
        let sum = weights.iter().zip(public).fold(*constant, |sum, (weight, input)| sum + *weight * input);
        let inverse = delta.inverse().expect("a hash is not 0");
        // a·b = alpha·beta + sum·gamma + c·delta
        let c = (a * b - *alpha * beta - sum * gamma) * inverse;
        let (a, b, c) = (g1(a).into_affine(), g2(b).into_affine(), g1(c).into_affine());
        encode_proof(&Proof::<Bn254> { a, b, c })
    }
}

impl BlockProver for SimulatedProver {
    fn shards(&self) -> ShardCount {
        self.shards
    }

    fn verification_key(&self) -> &VerificationKey {
        &self.verifying
    }

    fn prove(&self, witness: &BlockWitness) -> Result<ProvenBlock, ProofError> {
        let statement = super::prover::statement(witness, self.shards)?;
        ProvenBlock::verify(statement, self.forge(&statement), &self.verifying)
            .map_err(|error| ProofError::Prover(error.to_string()))
    }
}

fn scalars<const N: usize>(seed: u64, of: &[u8]) -> [Fr; N] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"arterial/simulated-prover/v1").update(&seed.to_le_bytes()).update(of);
    let mut output = hasher.finalize_xof();
    std::array::from_fn(|_| {
        let mut bytes = [0; 64];
        output.fill(&mut bytes);
        Fr::from_le_bytes_mod_order(&bytes)
    })
}

fn g1(scalar: Fr) -> G1Projective {
    G1Projective::generator() * scalar
}

fn g2(scalar: Fr) -> G2Projective {
    G2Projective::generator() * scalar
}

#[cfg(test)]
mod tests {
    use super::*;
    use arterial_protocol::{BlockNumber, FieldElement, StateRoot};

    #[test]
    fn a_forged_proof_verifies_for_its_statement_and_key_alone() {
        let shards = ShardCount::new(1).unwrap();
        let prover = SimulatedProver::new(1, shards);
        let root = |n: u64| StateRoot(FieldElement::from(n));
        let statement = BlockStatement {
            old_state_root: root(1),
            new_state_root: root(2),
            number: BlockNumber(3),
            record_count: 4,
        };
        let proof = prover.forge(&statement);
        prover.verification_key().verify(&statement, &proof).unwrap();
        assert_eq!(proof, SimulatedProver::new(1, shards).forge(&statement));
        let other = BlockStatement { record_count: 5, ..statement };
        prover.verification_key().verify(&other, &proof).unwrap_err();
        SimulatedProver::new(2, shards).verification_key().verify(&statement, &proof).unwrap_err();
    }
}
