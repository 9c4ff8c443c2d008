//! The verifying half of a key pair.

use super::{
    ProofError,
    points::{Word, g1_from_words, g1_to_words, g2_from_words, g2_to_words},
};
use ark_bn254::{Bn254, Fr};
use ark_ff::PrimeField;
use ark_groth16::{Groth16, PreparedVerifyingKey, Proof, VerifyingKey, prepare_verifying_key};
use arterial_protocol::{BlockProof, BlockStatement};
use std::fmt;

/// What proofs are checked with; the contract is deployed with its words.
#[derive(Clone)]
pub struct VerificationKey(PreparedVerifyingKey<Bn254>);

impl VerificationKey {
    /// Words of a key.
    pub const WORDS: usize = 22;

    /// Checks a proof.
    ///
    /// # Errors
    /// [`ProofError::Point`] if the proof is malformed, [`ProofError::NotProven`] if it doesn't prove the statement.
    pub fn verify(&self, statement: &BlockStatement, proof: &BlockProof) -> Result<(), ProofError> {
        let proof = decode_proof(proof)?;
        let inputs = statement.public_inputs().map(|input| Fr::from_be_bytes_mod_order(&input.to_be_bytes()));
        match Groth16::<Bn254>::verify_proof(&self.0, &proof, &inputs) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(ProofError::NotProven),
        }
    }

    /// The key as the EVM takes it, and as the contract's constructor does: big-endian words of
    /// alpha (x, y), beta, gamma, delta (each x.c1, x.c0, y.c1, y.c0), ic 0 to 3 (each x, y).
    #[must_use]
    pub fn words(&self) -> [[u8; 32]; Self::WORDS] {
        let key = self.as_ark();
        let mut words = [[0; 32]; Self::WORDS];
        let g2 = [&key.beta_g2, &key.gamma_g2, &key.delta_g2].map(g2_to_words);
        let all = g1_to_words(&key.alpha_g1).into_iter().chain(g2.into_iter().flatten());
        let all = all.chain(key.gamma_abc_g1.iter().flat_map(g1_to_words));
        for (word, source) in words.iter_mut().zip(all) {
            *word = source;
        }
        words
    }

    /// The key with these [`words`](Self::words).
    ///
    /// # Errors
    /// [`ProofError::Point`] if a point is not canonical, not on its curve, not in its subgroup, or at infinity.
    pub fn from_words(words: &[[u8; 32]; Self::WORDS]) -> Result<Self, ProofError> {
        let g1 = |point, at: usize| g1_from_words(point, &[words[at], words[at + 1]]);
        let g2 = |point, at: usize| {
            g2_from_words(point, &[words[at], words[at + 1], words[at + 2], words[at + 3]])
        };
        Ok(Self::from_ark(&VerifyingKey {
            alpha_g1: g1("the key's alpha", 0)?,
            beta_g2: g2("the key's beta", 2)?,
            gamma_g2: g2("the key's gamma", 6)?,
            delta_g2: g2("the key's delta", 10)?,
            gamma_abc_g1: (14..Self::WORDS)
                .step_by(2)
                .map(|at| g1("the key's ic", at))
                .collect::<Result<_, _>>()?,
        }))
    }

    pub(super) fn from_ark(key: &VerifyingKey<Bn254>) -> Self {
        Self(prepare_verifying_key(key))
    }

    pub(super) const fn as_ark(&self) -> &VerifyingKey<Bn254> {
        &self.0.vk
    }
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_ark() == other.as_ark()
    }
}

impl Eq for VerificationKey {}

/// BLAKE3 of the words: enough to tell keys apart in a log.
impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerificationKey({})", blake3::hash(self.words().as_flattened()))
    }
}

/// A, B, C with their words in the order of [`BlockProof`].
pub(super) fn encode_proof(proof: &Proof<Bn254>) -> BlockProof {
    let [a, c] = [&proof.a, &proof.c].map(g1_to_words);
    let mut bytes = [0; BlockProof::BYTES];
    let words = a.into_iter().chain(g2_to_words(&proof.b)).chain(c);
    for (chunk, word) in bytes.as_chunks_mut::<32>().0.iter_mut().zip(words) {
        *chunk = word;
    }
    BlockProof(bytes)
}

pub(super) fn decode_proof(proof: &BlockProof) -> Result<Proof<Bn254>, ProofError> {
    let words: [Word; 8] = std::array::from_fn(|at| proof.0.as_chunks::<32>().0[at]);
    let [ax, ay, bx1, bx0, by1, by0, cx, cy] = words;
    Ok(Proof {
        a: g1_from_words("the proof's A", &[ax, ay])?,
        b: g2_from_words("the proof's B", &[bx1, bx0, by1, by0])?,
        c: g1_from_words("the proof's C", &[cx, cy])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{Fq, G1Affine, G2Affine};
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::BigInteger;
    use proptest::prelude::*;

    fn proof() -> Proof<Bn254> {
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        Proof { a: g1, b: (g2 + g2).into_affine(), c: (g1 + g1 + g1).into_affine() }
    }

    fn fault(proof: &BlockProof) -> (&'static str, &'static str) {
        match decode_proof(proof) {
            Err(ProofError::Point { point, fault }) => (point, fault),
            other => panic!("{other:?}"),
        }
    }

    /// EIP-197's order of G2 coordinates, with the generator as that EIP has it.
    #[test]
    fn the_imaginary_part_comes_first() {
        let words = g2_to_words(&G2Affine::generator());
        assert!(hex::encode(words[0]).starts_with("198e9393920d483a"));
        assert!(hex::encode(words[1]).starts_with("1800deef121f1e76"));
    }

    #[test]
    fn a_proof_round_trips() {
        let encoded = encode_proof(&proof());
        assert_eq!(decode_proof(&encoded).unwrap(), proof());
    }

    #[test]
    fn infinity_is_refused() {
        for (range, point) in
            [(0..64, "the proof's A"), (64..192, "the proof's B"), (192..256, "the proof's C")]
        {
            let mut encoded = encode_proof(&proof());
            encoded.0[range].fill(0);
            assert_eq!(fault(&encoded), (point, "is the point at infinity"));
        }
    }

    #[test]
    fn a_coordinate_has_one_encoding() {
        let mut encoded = encode_proof(&proof());
        // The generator's x is 1; 1 + q is the same number modulo q and must not be taken for it.
        let mut alias = Fq::MODULUS;
        alias.add_with_carry(&1u64.into());
        encoded.0[..32].copy_from_slice(&alias.to_bytes_be());
        assert_eq!(fault(&encoded), ("the proof's A", "has a coordinate over the field's order"));
    }

    #[test]
    fn a_point_of_the_twist_outside_the_subgroup_is_refused() {
        let outside = (1u64..)
            .find_map(|x| G2Affine::get_point_from_x_unchecked(ark_bn254::Fq2::from(x), false))
            .filter(|point| !point.is_in_correct_subgroup_assuming_on_curve())
            .expect("nearly every point of the twist is outside");
        let encoded = encode_proof(&Proof { b: outside, ..proof() });
        assert_eq!(fault(&encoded), ("the proof's B", "is not in the subgroup"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), BlockProof::BYTES)) {
            let proof = BlockProof(bytes.try_into().unwrap());
            if let Ok(decoded) = decode_proof(&proof) {
                prop_assert_eq!(encode_proof(&decoded), proof);
            }
        }

        #[test]
        fn a_flipped_bit_is_noticed(bit in 0..BlockProof::BYTES * 8) {
            let mut encoded = encode_proof(&proof());
            encoded.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode_proof(&encoded).is_err());
        }
    }
}
