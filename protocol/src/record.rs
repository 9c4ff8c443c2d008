//! The canonical record: the bytes that are hashed.
//!
//! ```text
//!  0  salt[32]
//! 32  device id[16]
//! 48  seq u64             < 2^30
//! 56  observed_at_ms u64  < 2^48
//! 64  kind u16 │ 66 flags u16 (zero) │ 68 payload_len u32
//! 72  payload, then zeros to a multiple of 64 bytes, at most 64 KiB
//! ```
//! Little-endian. There is one encoding of a record: decoding refuses everything else.

use crate::{
    device::DeviceId,
    digest::Digest,
    lanes::{self, Mode},
    limits::{RECORD_ALIGN_BYTES, RECORD_BYTES_MAX, RECORD_HEAD_BYTES},
    write::{Write, WriteError},
};
use alloc::vec::Vec;

/// What hides a reading from whoever sees a neighbour's receipt.
///
/// BLAKE3 of subject key ‖ device id ‖ seq ‖ `"salt/v1\0"`, 64 bytes: one block. Without the subject key it
/// cannot be made again, and the digest cannot be linked to the payload any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// The salt of one write.
    #[must_use]
    pub fn derive(subject_key: &[u8; 32], device: DeviceId, seq: u64) -> Self {
        Self(lanes::hash(Mode::Hash, &Self::message(subject_key, device, seq)))
    }

    /// The block whose BLAKE3 is the salt of one write, for whoever makes many with
    /// [`lanes::hash_blocks`] in [`Mode::Hash`].
    #[must_use]
    pub fn message(subject_key: &[u8; 32], device: DeviceId, seq: u64) -> [u8; 64] {
        let mut block = [0; 64];
        block[..32].copy_from_slice(subject_key);
        block[32..48].copy_from_slice(&device.0);
        block[48..56].copy_from_slice(&seq.to_le_bytes());
        block[56..].copy_from_slice(b"salt/v1\0");
        block
    }
}

/// An accepted write in its canonical bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    bytes: Vec<u8>,
}

/// Why bytes are not a canonical record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The length is not what the head's payload length makes it, or over 64 KiB.
    #[error(
        "a record of {got} bytes: expected the head, the payload of {payload} bytes and zeros to a multiple of {RECORD_ALIGN_BYTES}"
    )]
    Length {
        /// Bytes given.
        got: usize,
        /// Payload bytes that the head declares, if there is a head.
        payload: usize,
    },
    /// The flags are not zero.
    #[error("record flags {got:#06x} are not known: expected zero")]
    Flags {
        /// What stands there.
        got: u16,
    },
    /// The padding is not zero.
    #[error("the record's padding is not zero")]
    Padding,
    /// A field is out of range.
    #[error(transparent)]
    Field(#[from] WriteError),
}

impl Record {
    /// The canonical record of a write.
    ///
    /// # Errors
    /// A field that is out of range.
    pub fn new(salt: Salt, write: &Write<'_>) -> Result<Self, WriteError> {
        let mut bytes = Vec::new();
        Self::encode(salt, write, &mut bytes)?;
        Ok(Self { bytes })
    }

    /// Writes the canonical bytes into `out`, replacing what is there: no allocation once it is large enough.
    ///
    /// # Errors
    /// A field that is out of range; `out` is then untouched.
    pub fn encode(salt: Salt, write: &Write<'_>, out: &mut Vec<u8>) -> Result<(), WriteError> {
        write.validate()?;
        out.clear();
        out.extend_from_slice(&salt.0);
        write.encode_body(out);
        out.resize(out.len().next_multiple_of(RECORD_ALIGN_BYTES), 0);
        Ok(())
    }

    /// Decodes canonical bytes.
    ///
    /// # Errors
    /// Anything that [`Record::new`] would not have made.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let Some(head) = bytes.first_chunk::<RECORD_HEAD_BYTES>() else {
            return Err(RecordError::Length { got: bytes.len(), payload: 0 });
        };
        let flags = u16::from_le_bytes([head[66], head[67]]);
        let payload = u32::from_le_bytes([head[68], head[69], head[70], head[71]]) as usize;
        let expected = RECORD_HEAD_BYTES.saturating_add(payload).next_multiple_of(RECORD_ALIGN_BYTES);
        if bytes.len() != expected || bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::Length { got: bytes.len(), payload });
        }
        if flags != 0 {
            return Err(RecordError::Flags { got: flags });
        }
        if bytes[RECORD_HEAD_BYTES + payload..].iter().any(|&byte| byte != 0) {
            return Err(RecordError::Padding);
        }
        let record = Self { bytes: bytes.to_vec() };
        record.write().validate()?;
        Ok(record)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The write inside.
    #[must_use]
    pub fn write(&self) -> Write<'_> {
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| self.bytes[at + i]));
        let payload = word(64) >> 32;
        let mut device = [0; 16];
        device.copy_from_slice(&self.bytes[32..48]);
        Write {
            device: DeviceId(device),
            seq: word(48),
            observed_at_ms: word(56),
            #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are the kind")]
            kind: word(64) as u16,
            payload: &self.bytes[RECORD_HEAD_BYTES..RECORD_HEAD_BYTES + payload as usize],
        }
    }

    /// BLAKE3 of the bytes, reduced: what the device's head takes in.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest(&self.bytes)
    }
}

/// BLAKE3 of canonical record bytes, as eight KoalaBear elements.
///
/// Of many records at once: [`Digest::reduce`] of what [`lanes::hash_many`] makes of them in [`Mode::Hash`].
#[must_use]
pub fn digest(canonical: &[u8]) -> Digest {
    Digest::reduce(*blake3::hash(canonical).as_bytes())
}

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let write = self.write();
        write!(f, "Record({} seq {}, {} payload bytes)", write.device, write.seq, write.payload.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{OBSERVED_AT_MS_END, PAYLOAD_BYTES_MAX, SEQ_END};
    use proptest::prelude::*;

    fn record(payload: &[u8]) -> Record {
        let write =
            Write { device: DeviceId([7; 16]), seq: 5, observed_at_ms: 1_700_000_000_000, kind: 3, payload };
        Record::new(Salt::derive(&[9; 32], write.device, write.seq), &write).unwrap()
    }

    proptest! {
        #[test]
        fn round_trips(seq in 0..SEQ_END, observed_at_ms in 0..OBSERVED_AT_MS_END, kind: u16, payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let write = Write { device: DeviceId([1; 16]), seq, observed_at_ms, kind, payload: &payload };
            let record = Record::new(Salt::derive(&[2; 32], write.device, seq), &write).unwrap();
            prop_assert_eq!(record.as_bytes().len() % RECORD_ALIGN_BYTES, 0);
            prop_assert_eq!(record.write(), write);
            prop_assert_eq!(Record::decode(record.as_bytes()), Ok(record));
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), canonical: bool) {
            if canonical {
                bytes = record(&bytes).as_bytes().to_vec();
                bytes[60] ^= 1;
            }
            if let Ok(record) = Record::decode(&bytes) {
                prop_assert_eq!(record.as_bytes(), &bytes[..]);
            }
        }
    }

    #[test]
    fn each_rule_is_enforced_alone() {
        let good = record(b"98").as_bytes().to_vec();
        let broken = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            Record::decode(&bytes)
        };
        assert_eq!(broken(66, 1), Err(RecordError::Flags { got: 1 }));
        assert_eq!(broken(127, 1), Err(RecordError::Padding));
        assert_eq!(broken(68, 57), Err(RecordError::Length { got: 128, payload: 57 }));
        assert_eq!(
            broken(51, 0x40),
            Err(RecordError::Field(WriteError::SeqOutOfRange { got: 5 | 0x4000_0000 }))
        );
        assert!(matches!(broken(62, 1), Err(RecordError::Field(WriteError::ObservedAtOutOfRange { .. }))));
        assert_eq!(Record::decode(&good[..64]), Err(RecordError::Length { got: 64, payload: 0 }));
        assert_eq!(
            Record::decode(&[good.clone(), vec![0; 64]].concat()),
            Err(RecordError::Length { got: 192, payload: 2 })
        );
    }

    #[test]
    fn the_largest_payload_fits_and_one_more_byte_does_not() {
        assert_eq!(record(&vec![1; PAYLOAD_BYTES_MAX]).as_bytes().len(), RECORD_BYTES_MAX);
        let payload = vec![1; PAYLOAD_BYTES_MAX + 1];
        let write =
            Write { device: DeviceId([7; 16]), seq: 0, observed_at_ms: 0, kind: 0, payload: &payload };
        assert_eq!(write.validate(), Err(WriteError::PayloadTooLong { got: PAYLOAD_BYTES_MAX + 1 }));
    }
}
