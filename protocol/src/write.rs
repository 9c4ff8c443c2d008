//! What a device submits, and how it proves that it did.

use crate::{
    device::{Credential, DeviceId},
    lanes::Mode,
    limits::{
        OBSERVED_AT_MS_END, PAYLOAD_BYTES_MAX, RECORD_ALIGN_BYTES, RECORD_HEAD_BYTES, SALT_BYTES, SEQ_END,
    },
};
use alloc::vec::Vec;
use ed25519_zebra::{Signature, VerificationKey};

/// Prefix of what a device signs.
pub const SIGNING_DOMAIN: &[u8; 17] = b"arterial/write/v1";

/// Bytes of a record between its salt and its payload.
const BODY_HEAD_BYTES: usize = RECORD_HEAD_BYTES - SALT_BYTES;

/// One write: borrowed, so that submitting it copies nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Write<'a> {
    /// Who wrote it.
    pub device: DeviceId,
    /// The device's own number for it, below 2³⁰. Gaps are allowed, repeats and steps back are not.
    pub seq: u64,
    /// The device's clock in milliseconds since 1970, below 2⁴⁸. Committed, not ordered by.
    pub observed_at_ms: u64,
    /// What the payload is; its meaning is the application's.
    pub kind: u16,
    /// The reading itself, at most [`PAYLOAD_BYTES_MAX`] bytes.
    pub payload: &'a [u8],
}

/// Why a write can never become a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The device has used up its sequence numbers, or sent nonsense.
    #[error("seq {got} is out of range: it must be below {SEQ_END}")]
    SeqOutOfRange {
        /// What the write says.
        got: u64,
    },
    /// The clock is beyond the year 10889.
    #[error(
        "observed_at_ms {got} is out of range: it must be below {OBSERVED_AT_MS_END} milliseconds since 1970"
    )]
    ObservedAtOutOfRange {
        /// What the write says.
        got: u64,
    },
    /// The payload doesn't fit a record.
    #[error(
        "a payload of {got} bytes is too long: split it into writes of at most {PAYLOAD_BYTES_MAX} bytes"
    )]
    PayloadTooLong {
        /// Bytes of the payload.
        got: usize,
    },
}

impl Write<'_> {
    /// Checks the ranges that the formats need.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), WriteError> {
        if self.seq >= SEQ_END {
            return Err(WriteError::SeqOutOfRange { got: self.seq });
        }
        if self.observed_at_ms >= OBSERVED_AT_MS_END {
            return Err(WriteError::ObservedAtOutOfRange { got: self.observed_at_ms });
        }
        if self.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(WriteError::PayloadTooLong { got: self.payload.len() });
        }
        Ok(())
    }

    /// What the device signs: the domain, then the record's bytes from the device id to the payload's end.
    pub fn signed_bytes(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(SIGNING_DOMAIN);
        self.encode_body(out);
    }

    /// Appends bytes 32 ‥ 72 + payload of the canonical record: what is signed, and what a log keeps.
    pub fn encode_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head());
        out.extend_from_slice(self.payload);
    }

    /// The hash of `prefix` ‖ bytes 32‥ of the canonical record, padding included: the prefix stands where the salt
    /// would. What is hashed is of whole blocks, so that many writes can be hashed in [`lanes`](crate::lanes).
    pub(crate) fn hash_behind(&self, prefix: &[u8; 32], mode: Mode) -> [u8; 32] {
        const ZEROS: [u8; RECORD_ALIGN_BYTES] = [0; RECORD_ALIGN_BYTES];
        let padding = &ZEROS[..self.canonical_bytes() - RECORD_HEAD_BYTES - self.payload.len()];
        let mut hasher = mode.hasher();
        hasher.update(prefix).update(&self.head()).update(self.payload).update(padding);
        *hasher.finalize().as_bytes()
    }

    /// Bytes of the canonical record.
    pub(crate) const fn canonical_bytes(&self) -> usize {
        (RECORD_HEAD_BYTES + self.payload.len()).next_multiple_of(RECORD_ALIGN_BYTES)
    }

    /// Bytes 32 ‥ 72 of the canonical record.
    fn head(&self) -> [u8; BODY_HEAD_BYTES] {
        let mut head = [0; BODY_HEAD_BYTES];
        head[..16].copy_from_slice(&self.device.0);
        head[16..24].copy_from_slice(&self.seq.to_le_bytes());
        head[24..32].copy_from_slice(&self.observed_at_ms.to_le_bytes());
        head[32..34].copy_from_slice(&self.kind.to_le_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "a validated payload is at most 64 KiB")]
        head[36..].copy_from_slice(&(self.payload.len() as u32).to_le_bytes());
        head
    }
}

impl<'a> Write<'a> {
    /// The write whose [`Write::encode_body`] is `body`, or `None` where there is none.
    #[must_use]
    pub fn decode_body(body: &'a [u8]) -> Option<Self> {
        let (device, rest) = body.split_first_chunk::<16>()?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let (observed_at_ms, rest) = rest.split_first_chunk::<8>()?;
        let (&[kind_low, kind_high, 0, 0], rest) = rest.split_first_chunk::<4>()? else { return None };
        let (payload_len, payload) = rest.split_first_chunk::<4>()?;
        let write = Self {
            device: DeviceId(*device),
            seq: u64::from_le_bytes(*seq),
            observed_at_ms: u64::from_le_bytes(*observed_at_ms),
            kind: u16::from_le_bytes([kind_low, kind_high]),
            payload,
        };
        (u32::from_le_bytes(*payload_len) as usize == payload.len() && write.validate().is_ok())
            .then_some(write)
    }
}

/// The proof of authorship that comes with a write.
///
/// A write of a bundle has none of its own: see [`bundle`](crate::bundle).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// Ed25519 over the signed bytes, checked by ZIP 215's rules so that batches and single checks agree.
    Ed25519([u8; 64]),
    /// The MAC of the write under the device's key, see [`Tag::mac`].
    Mac([u8; 32]),
    /// The embedding node's word: it has authenticated the device otherwise, by mTLS say.
    Host,
}

impl Tag {
    /// The tag a MAC-authenticated device makes: BLAKE3 `derive_key` with the context `"arterial/mac/v1"` of
    /// key ‖ bytes 32‥ of the canonical record, which is the record with the key in the salt's place.
    ///
    /// Why this is a MAC: BLAKE3's modes are built to be indifferentiable from random oracles, apart from each other
    /// (paper, sections 2.3 and 4), and a random oracle of a secret key and a message is a pseudorandom function of
    /// the message. What breaks that construction with SHA-2, extending a message by its hash, does not work here:
    /// the last block is hashed with the `ROOT` flag, so no output is a chaining value. The key has one length and
    /// comes first, so no other pair of key and write makes the same material. BLAKE3's keyed mode would do as well,
    /// but has the key where all lanes share it: with the key in the message, devices with different keys are checked
    /// side by side, with [`lanes::hash_many`](crate::lanes::hash_many) in [`Mode::Mac`].
    #[must_use]
    pub fn mac(key: &[u8; 32], write: &Write<'_>) -> Self {
        Self::Mac(write.hash_behind(key, Mode::Mac))
    }

    /// Checks a MAC tag against the device's key, in constant time.
    ///
    /// # Errors
    /// It is no MAC tag, or another.
    pub fn verify_mac(&self, key: &[u8; 32], write: &Write<'_>) -> Result<(), AuthorshipError> {
        self.check_mac(write.hash_behind(key, Mode::Mac))
    }

    /// Checks a MAC tag against the MAC that the write should have, in constant time; for whoever computed many in
    /// lanes.
    ///
    /// # Errors
    /// It is no MAC tag, or another.
    pub fn check_mac(&self, expected: [u8; 32]) -> Result<(), AuthorshipError> {
        let Self::Mac(mac) = self else { return Err(AuthorshipError::KindMismatch) };
        if blake3::Hash::from_bytes(expected) == *mac { Ok(()) } else { Err(AuthorshipError::Mac) }
    }
}

/// Checks that the key of `credential` signed `message`.
pub(crate) fn verify_signature(
    credential: &Credential,
    signature: &[u8; 64],
    message: &[u8],
) -> Result<(), AuthorshipError> {
    let Credential::Ed25519(key) = credential else { return Err(AuthorshipError::KindMismatch) };
    let key = VerificationKey::try_from(*key).map_err(|_| AuthorshipError::Key)?;
    key.verify(&Signature::from_bytes(signature), message).map_err(|_| AuthorshipError::Signature)
}

/// Why a write is not shown to be the device's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorshipError {
    /// A signature where the device has a MAC key, say.
    #[error("the proof of authorship is not of the kind that the device is enrolled with")]
    KindMismatch,
    /// The MAC is another.
    #[error("the MAC is not by the device's key")]
    Mac,
    /// The enrolled key is no point of the curve.
    #[error("the device's Ed25519 public key is not a valid point")]
    Key,
    /// The signature doesn't verify.
    #[error("the Ed25519 signature does not verify under the device's public key")]
    Signature,
    /// A path that no write of such a bundle has.
    #[error("a path of {got} siblings is not possible for write {index} of a bundle of {count}")]
    BundlePath {
        /// Writes of the bundle.
        count: u16,
        /// The write's place among them.
        index: u16,
        /// Siblings.
        got: usize,
    },
}
