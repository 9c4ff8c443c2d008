//! Curve points as the EVM's precompiles take them: big-endian words of 32 bytes (EIP-196, EIP-197).
//!
//! Decoding checks everything: coordinates below the field's order, on the curve, for G2 in the subgroup. The
//! point at infinity is refused: no honest key or proof has it.

use super::ProofError;
use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};

pub(super) type Word = [u8; 32];

/// x, y.
pub(super) fn g1_to_words(point: &G1Affine) -> [Word; 2] {
    [word(&point.x), word(&point.y)]
}

/// x.c1, x.c0, y.c1, y.c0: the imaginary part first.
pub(super) fn g2_to_words(point: &G2Affine) -> [Word; 4] {
    [word(&point.x.c1), word(&point.x.c0), word(&point.y.c1), word(&point.y.c0)]
}

pub(super) fn g1_from_words(point: &'static str, [x, y]: &[Word; 2]) -> Result<G1Affine, ProofError> {
    let affine = G1Affine::new_unchecked(coordinate(point, x)?, coordinate(point, y)?);
    // G1 is the whole curve, so its subgroup check is that of being on it.
    checked(point, affine, affine.is_on_curve())
}

pub(super) fn g2_from_words(
    point: &'static str,
    [x1, x0, y1, y0]: &[Word; 4],
) -> Result<G2Affine, ProofError> {
    let x = Fq2::new(coordinate(point, x0)?, coordinate(point, x1)?);
    let y = Fq2::new(coordinate(point, y0)?, coordinate(point, y1)?);
    let affine = G2Affine::new_unchecked(x, y);
    let affine = checked(point, affine, affine.is_on_curve())?;
    if !affine.is_in_correct_subgroup_assuming_on_curve() {
        return Err(ProofError::Point { point, fault: "is not in the subgroup" });
    }
    Ok(affine)
}

fn checked<P: AffineRepr>(point: &'static str, affine: P, on_curve: bool) -> Result<P, ProofError> {
    // (0, 0), which is how infinity is written, is not on either curve: both have b ≠ 0.
    if affine.is_zero() {
        return Err(ProofError::Point { point, fault: "is the point at infinity" });
    }
    if !on_curve {
        return Err(ProofError::Point { point, fault: "is not on the curve" });
    }
    Ok(affine)
}

fn word(coordinate: &Fq) -> Word {
    let mut word = [0; 32];
    for (bytes, limb) in word.as_chunks_mut::<8>().0.iter_mut().rev().zip(coordinate.into_bigint().0) {
        *bytes = limb.to_be_bytes();
    }
    word
}

fn coordinate(point: &'static str, word: &Word) -> Result<Fq, ProofError> {
    let mut limbs = [0; 4];
    for (limb, bytes) in limbs.iter_mut().zip(word.as_chunks::<8>().0.iter().rev()) {
        *limb = u64::from_be_bytes(*bytes);
    }
    Fq::from_bigint(BigInt::new(limbs))
        .ok_or(ProofError::Point { point, fault: "has a coordinate over the field's order" })
}
