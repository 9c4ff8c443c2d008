//! What a device submits, and how it proves that it did.

use crate::{
    device::{Credential, DeviceId},
    limits::{OBSERVED_AT_MS_END, PAYLOAD_BYTES_MAX, SEQ_END},
};
use alloc::vec::Vec;
use ed25519_zebra::{Signature, VerificationKey};

/// Prefix of what a device signs.
pub const SIGNING_DOMAIN: &[u8; 17] = b"arterial/write/v1";

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
        out.extend_from_slice(&self.device.0);
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.observed_at_ms.to_le_bytes());
        out.extend_from_slice(&self.kind.to_le_bytes());
        out.extend_from_slice(&0u16.to_le_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "a validated payload is at most 64 KiB")]
        out.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        out.extend_from_slice(self.payload);
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// Ed25519 over the signed bytes, checked by ZIP 215's rules so that batches and single checks agree.
    Ed25519([u8; 64]),
    /// BLAKE3 keyed with the device's MAC key, over the signed bytes.
    Mac([u8; 32]),
}

impl Tag {
    /// The tag a MAC-authenticated device makes.
    #[must_use]
    pub fn mac(key: &[u8; 32], signed_bytes: &[u8]) -> Self {
        Self::Mac(*blake3::keyed_hash(key, signed_bytes).as_bytes())
    }

    /// Checks a MAC tag against the device's key, in constant time.
    ///
    /// # Errors
    /// It is no MAC tag, or another.
    pub fn verify_mac(&self, key: &[u8; 32], signed_bytes: &[u8]) -> Result<(), AuthorshipError> {
        let Self::Mac(mac) = self else { return Err(AuthorshipError::KindMismatch) };
        let expected = blake3::keyed_hash(key, signed_bytes);
        if expected == *mac { Ok(()) } else { Err(AuthorshipError::Mac) }
    }

    /// Checks that an Ed25519 tag is by `credential` over `signed_bytes`.
    ///
    /// # Errors
    /// [`AuthorshipError`] says which of the three doesn't fit.
    pub(crate) fn verify_signature(
        &self,
        credential: &Credential,
        signed_bytes: &[u8],
    ) -> Result<(), AuthorshipError> {
        let (Self::Ed25519(signature), Credential::Ed25519(key)) = (self, credential) else {
            return Err(AuthorshipError::KindMismatch);
        };
        let key = VerificationKey::try_from(*key).map_err(|_| AuthorshipError::Key)?;
        key.verify(&Signature::from_bytes(signature), signed_bytes).map_err(|_| AuthorshipError::Signature)
    }
}

/// Why a tag is not the device's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorshipError {
    /// A signature where the device has a MAC key, or the other way round.
    #[error("the tag is not of the kind that the device is enrolled with")]
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
}
