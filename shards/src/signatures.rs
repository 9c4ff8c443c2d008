//! Ed25519 signatures, many at once.
//!
//! A signature counts by the rules of `ed25519-zebra` (ZIP 215), one by one or with others: equations are multiplied by the
//! cofactor, and points are taken in any encoding. With n signatures (R, s) of keys A over messages, of which
//! k = SHA-512(R ‖ A ‖ message), all stand if for random z of 128 bits, but for one chance in 2^128,
//!
//! ```text
//! 8·( −Σ zᵢsᵢ·B + Σ zᵢ·Rᵢ + Σ zᵢkᵢ·Aᵢ ) = 0        Bernstein et al., "High-speed high-security signatures", section 5
//! ```
//! That sum costs 2.5 µs a signature, but to find the points that 32 bytes stand for costs 4.5 µs each. So the points of
//! keys are kept: devices sign again.

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::ED25519_BASEPOINT_POINT,
    edwards::CompressedEdwardsY,
    traits::{IsIdentity, VartimeMultiscalarMul},
};
use ed25519_zebra::{Signature, VerificationKey};
use rand::Rng;
use sha2::{Digest, Sha512};

/// Keys whose points are kept: 200 bytes each, 1.6 MB for a shard whose devices sign.
const KEYS_KEPT: usize = 8192;

/// A signature, and what it says.
#[derive(Debug)]
pub(crate) struct Signed<'a> {
    /// The device's: where its key's point is kept.
    pub(crate) slot: u32,
    pub(crate) key: &'a [u8; 32],
    pub(crate) signature: &'a [u8; 64],
    pub(crate) message: &'a [u8],
}

impl Signed<'_> {
    /// Whether this one stands.
    pub(crate) fn verify(&self) -> bool {
        VerificationKey::try_from(*self.key)
            .and_then(|key| key.verify(&Signature::from_bytes(self.signature), self.message))
            .is_ok()
    }

    /// The signature's two halves.
    fn halves(&self) -> ([u8; 32], [u8; 32]) {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&self.signature[..32]);
        s.copy_from_slice(&self.signature[32..]);
        (r, s)
    }
}

/// Signatures that are checked together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// By slot, modulo their number.
    keys: Vec<Option<Known>>,
    scalars: Vec<Scalar>,
    points: Vec<EdwardsPoint>,
    /// Of the base point.
    base: Scalar,
}

#[derive(Clone, Debug)]
struct Known {
    key: [u8; 32],
    point: EdwardsPoint,
}

impl Batch {
    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.scalars.clear();
        self.points.clear();
        self.base = Scalar::ZERO;
    }

    /// Takes one more; whether it can stand at all.
    pub(crate) fn push(&mut self, signed: &Signed<'_>, rng: &mut impl Rng) -> bool {
        let (r, s) = signed.halves();
        let Some(key) = self.key(signed.slot, signed.key) else { return false };
        let Some(commitment) = CompressedEdwardsY(r).decompress() else { return false };
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else { return false };
        let hash = Sha512::new().chain_update(r).chain_update(signed.key).chain_update(signed.message);
        let mut z = [0; 16];
        rng.fill_bytes(&mut z);
        let z = Scalar::from(u128::from_le_bytes(z));
        self.base -= z * s;
        self.scalars.extend([z, z * Scalar::from_hash(hash)]);
        self.points.extend([commitment, key]);
        true
    }

    /// Whether all that were taken stand.
    pub(crate) fn verify(&mut self) -> bool {
        self.scalars.push(self.base);
        self.points.push(ED25519_BASEPOINT_POINT);
        let sum = EdwardsPoint::vartime_multiscalar_mul(&self.scalars, &self.points);
        sum.mul_by_cofactor().is_identity()
    }

    /// The point that a key stands for.
    fn key(&mut self, slot: u32, key: &[u8; 32]) -> Option<EdwardsPoint> {
        if self.keys.is_empty() {
            self.keys.resize(KEYS_KEPT, None);
        }
        let kept = &mut self.keys[slot as usize % KEYS_KEPT];
        if let Some(known) = kept.as_ref().filter(|known| known.key == *key) {
            return Some(known.point);
        }
        let point = CompressedEdwardsY(*key).decompress()?;
        *kept = Some(Known { key: *key, point });
        Some(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use ed25519_zebra::SigningKey;

    #[derive(Clone)]
    struct Owned {
        slot: u32,
        key: [u8; 32],
        signature: [u8; 64],
        message: Vec<u8>,
    }

    impl Owned {
        fn new(n: u8) -> Self {
            let key = SigningKey::from_bytes(&[n; 32]);
            let message = vec![n; usize::from(n)];
            let signature = key.sign(&message).into();
            Self { slot: n.into(), key: key.verification_key().into(), signature, message }
        }

        fn signed(&self) -> Signed<'_> {
            let Self { slot, key, signature, message } = self;
            Signed { slot: *slot, key, signature, message }
        }
    }

    fn stand(batch: &mut Batch, all: &[Owned]) -> bool {
        batch.clear();
        all.iter().all(|one| batch.push(&one.signed(), &mut rand::rng())) && batch.verify()
    }

    #[test]
    fn good_ones_stand_together_and_any_change_to_one_is_seen() {
        let good: Vec<Owned> = (0..20).map(Owned::new).collect();
        let mut batch = Batch::default();
        assert!(stand(&mut batch, &[]) && stand(&mut batch, &good));
        let other = Owned::new(99);
        let changes: [&dyn Fn(&mut Owned); 6] = [
            &|one| one.signature[0] ^= 1,
            &|one| one.signature[33] ^= 1,
            &|one| one.message.push(0),
            &|one| one.key = other.key,
            &|one| one.signature = other.signature,
            // The same number, not in its only encoding: the group's order is added.
            &|one| {
                let mut s = [0; 32];
                s.copy_from_slice(&one.signature[32..]);
                let order =
                    (-Scalar::ONE).to_bytes().into_iter().zip(Scalar::ONE.to_bytes()).map(|(a, b)| a + b);
                let mut carry = 0;
                for (to, (a, b)) in one.signature[32..].iter_mut().zip(s.into_iter().zip(order)) {
                    let sum = u16::from(a) + u16::from(b) + carry;
                    (*to, carry) = (sum.to_le_bytes()[0], sum >> 8);
                }
            },
        ];
        for (at, change) in changes.into_iter().enumerate() {
            for culprit in [0, 7, 19] {
                let mut bad = good.clone();
                change(&mut bad[culprit]);
                assert!(!stand(&mut batch, &bad), "change {at} of {culprit}");
                let stands: Vec<bool> = bad.iter().map(|one| one.signed().verify()).collect();
                assert_eq!(stands.iter().position(|stands| !stands), Some(culprit), "change {at}");
                assert!(stand(&mut batch, &good), "what came before leaves no trace");
            }
        }
        // Two that are wrong by as much as each other, in opposite directions.
        let mut bad = good;
        let shift = |s: &mut [u8], by: Scalar| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(s);
            s.copy_from_slice((Scalar::from_bytes_mod_order(bytes) + by).as_bytes());
        };
        shift(&mut bad[3].signature[32..], Scalar::ONE);
        shift(&mut bad[4].signature[32..], -Scalar::ONE);
        assert!(!stand(&mut batch, &bad));
    }

    /// What ZIP 215 is about: keys and commitments of small order and in other encodings than their own.
    #[test]
    fn a_batch_and_a_single_check_never_disagree() {
        let mut encodings: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|point| point.compress().0).collect();
        for low in 0xed..=0xff {
            let mut beyond_the_field = [0xff; 32];
            (beyond_the_field[0], beyond_the_field[31]) = (low, 0x7f);
            encodings.push(beyond_the_field);
        }
        for at in 0..encodings.len() {
            let mut other_sign = encodings[at];
            other_sign[31] ^= 0x80;
            encodings.push(other_sign);
        }
        let (mut batch, mut accepted) = (Batch::default(), 0);
        for (n, key) in (0u32..).zip(&encodings) {
            for r in &encodings {
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(r);
                let one = Owned { slot: n, key: *key, signature, message: b"Zcash".to_vec() };
                let stands = one.signed().verify();
                accepted += usize::from(stands);
                assert_eq!(
                    stand(&mut batch, &[one.clone(), Owned::new(1)]),
                    stands,
                    "key {key:x?}, R {r:x?}"
                );
            }
        }
        assert!(accepted >= 14 * 14, "the vectors of ZIP 215: {accepted} stand");
    }

    #[test]
    fn devices_that_share_a_place_for_their_keys_do_not_share_a_key() {
        let mut batch = Batch::default();
        let (one, mut other) = (Owned::new(1), Owned::new(2));
        #[expect(clippy::cast_possible_truncation, reason = "it is small")]
        let apart = KEYS_KEPT as u32;
        other.slot = one.slot + apart;
        for _ in 0..2 {
            assert!(stand(&mut batch, &[one.clone(), other.clone(), one.clone()]));
        }
        other.key = one.key;
        assert!(!stand(&mut batch, &[one, other]));
    }
}
