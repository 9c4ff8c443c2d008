//! The receipt's bytes.
//!
//! ```text
//!   0 "ARTR" │ 4 version u16 │ 6 stage u8 (0 sealed ‥ 3 final)
//!   7 evidence u8: 1 signature, 2 MAC, 3 host, 4 bundle; it says what the credential is, too
//!   8 block u64 │ 16 domain[32] │ 48 credential[32] │ 80 signature[64], zeros with a MAC or a host
//! 144 slot u32 │ 148 count u32 │ 152 later u16 │ 154 shards depth u8 │ 155 zero u8 │ 156 record bytes u32
//! 160 bundle count u16 │ 162 bundle index u16, both zero without a bundle
//! 164 head before[32] │ 196 head after[32] │ 228 accounts root[32] │ 260 total records u64 │ 268 data[32]
//! 300 accounts path, 20 × 32
//! 940 shards path, depth × 32, big-endian elements
//!     later, each 44 bytes as in a batch
//!     of a bundle: blind[32], then the path that count and index have, each 32 bytes
//!     record
//!     BLAKE3 of everything before, its first 16 bytes
//! ```
//! Little-endian but for the field elements, which stand as the EVM has them. One receipt has one encoding.
//! The checksum tells damage from forgery: it guards the stage too, which no hash of the state covers.

use super::{Evidence, Receipt, Stage};
use crate::{
    bundle::{self, BundleProof},
    device::Credential,
    digest::Digest,
    field::FieldElement,
    limits::{ACCOUNTS_DEPTH, RECORD_BYTES_MAX, RUN_RECORDS_MAX, SHARDS_DEPTH_MAX},
    link::WireLink,
    record::{Record, RecordError},
    state::{BlockNumber, DataDigest, Domain},
};
use alloc::vec::Vec;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const MAGIC: [u8; 4] = *b"ARTR";
const VERSION: u16 = 2;
const CHECKSUM_BYTES: usize = 16;

const SIGNATURE: u8 = 1;
const MAC: u8 = 2;
const HOST: u8 = 3;
const BUNDLE: u8 = 4;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireReceipt {
    magic: [u8; 4],
    version: U16,
    stage: u8,
    evidence: u8,
    number: U64,
    domain: [u8; 32],
    credential: [u8; 32],
    signature: [u8; 64],
    slot: U32,
    count: U32,
    later: U16,
    shards_depth: u8,
    zero: u8,
    record_bytes: U32,
    bundle_count: U16,
    bundle_index: U16,
    head_before: [u8; 32],
    head_after: [u8; 32],
    accounts_root: [u8; 32],
    total_records: U64,
    data: [u8; 32],
    accounts_path: [[u8; 32]; ACCOUNTS_DEPTH],
}

const _: () = {
    assert!(size_of::<WireReceipt>() == 940);
    assert!(RUN_RECORDS_MAX <= u16::MAX as usize);
    assert!(SHARDS_DEPTH_MAX <= u8::MAX as usize);
};

/// Why bytes are not a receipt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptDecodeError {
    /// Something else altogether.
    #[error("encoding: not a receipt: it does not begin with \"ARTR\"")]
    Magic,
    /// A newer or older format.
    #[error("encoding: receipt format version {got} is not known: expected {VERSION}")]
    Version {
        /// What stands there.
        got: u16,
    },
    /// The bytes end early, or go on.
    #[error("encoding: the receipt is {got} bytes long, its head says {expected}")]
    Length {
        /// By the head.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// The receipt was damaged.
    #[error("encoding: the checksum does not match: the receipt is damaged")]
    Checksum,
    /// A value that no receipt has.
    #[error("encoding: the field {field} has a value that no receipt has")]
    Field {
        /// The field's name.
        field: &'static str,
    },
    /// The record inside is none.
    #[error("encoding: {0}")]
    Record(#[from] RecordError),
}

impl Receipt {
    /// The canonical bytes.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a receipt's parts are within limits that fit their fields"
    )]
    pub fn encode(&self) -> Vec<u8> {
        let (evidence, signature, bundle) = match &self.evidence {
            Evidence::Signature(signature) => (SIGNATURE, *signature, None),
            Evidence::Mac => (MAC, [0; 64], None),
            Evidence::Host => (HOST, [0; 64], None),
            Evidence::Bundle(proof) => (BUNDLE, proof.signature, Some(proof)),
        };
        let head = WireReceipt {
            magic: MAGIC,
            version: VERSION.into(),
            stage: self.stage as u8,
            evidence,
            number: self.number.0.into(),
            domain: self.domain.0.to_be_bytes(),
            credential: *self.credential.bytes(),
            signature,
            slot: self.slot.into(),
            count: self.count.into(),
            later: (self.later.len() as u16).into(),
            shards_depth: self.shards_path.len() as u8,
            zero: 0,
            record_bytes: (self.record.as_bytes().len() as u32).into(),
            bundle_count: bundle.map_or(0, |proof| proof.count).into(),
            bundle_index: bundle.map_or(0, |proof| proof.index).into(),
            head_before: self.head_before.to_bytes(),
            head_after: self.head_after.to_bytes(),
            accounts_root: self.accounts_root.to_bytes(),
            total_records: self.total_records.into(),
            data: self.data.0,
            accounts_path: self.accounts_path.map(Digest::to_bytes),
        };
        let mut bytes = Vec::with_capacity(head.bytes_total(bundle.map_or(0, |proof| 1 + proof.path.len())));
        bytes.extend_from_slice(head.as_bytes());
        for sibling in &self.shards_path {
            bytes.extend_from_slice(&sibling.to_be_bytes());
        }
        for link in &self.later {
            bytes.extend_from_slice(WireLink::from(link).as_bytes());
        }
        if let Some(proof) = bundle {
            bytes.extend_from_slice(&proof.blind);
            bytes.extend_from_slice(proof.path.as_flattened());
        }
        bytes.extend_from_slice(self.record.as_bytes());
        bytes.extend_from_slice(&checksum(&bytes));
        bytes
    }

    /// Decodes canonical bytes.
    ///
    /// # Errors
    /// What is wrong with them. What decodes encodes to the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptDecodeError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(ReceiptDecodeError::Magic);
        }
        let (head, rest) = WireReceipt::ref_from_prefix(bytes).map_err(|_| ReceiptDecodeError::Length {
            expected: size_of::<WireReceipt>(),
            got: bytes.len(),
        })?;
        if head.version != VERSION {
            return Err(ReceiptDecodeError::Version { got: head.version.get() });
        }
        let bundle_nodes = head.bundle_nodes().ok_or(ReceiptDecodeError::Field { field: "bundle" })?;
        let expected = head.bytes_total(bundle_nodes);
        let length = ReceiptDecodeError::Length { expected, got: bytes.len() };
        if expected != bytes.len() {
            return Err(length);
        }
        let (covered, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(length)?;
        if checksum(covered) != *sum {
            return Err(ReceiptDecodeError::Checksum);
        }
        head.check()?;
        let (shards_path, rest) =
            <[[u8; 32]]>::ref_from_prefix_with_elems(rest, usize::from(head.shards_depth))
                .map_err(|_| length)?;
        let (later, rest) = <[WireLink]>::ref_from_prefix_with_elems(rest, usize::from(head.later.get()))
            .map_err(|_| length)?;
        let (bundle, rest) =
            <[[u8; 32]]>::ref_from_prefix_with_elems(rest, bundle_nodes).map_err(|_| length)?;
        let record = rest.get(..head.record_bytes.get() as usize).ok_or(length)?;
        head.receipt(shards_path, later, bundle, record)
    }
}

impl WireReceipt {
    /// Bytes of the whole receipt.
    fn bytes_total(&self, bundle_nodes: usize) -> usize {
        size_of::<Self>()
            + usize::from(self.shards_depth) * 32
            + usize::from(self.later.get()) * size_of::<WireLink>()
            + bundle_nodes * 32
            + self.record_bytes.get() as usize
            + CHECKSUM_BYTES
    }

    /// The blind and the path of a bundle's write: how many; `None` when there is no such write.
    fn bundle_nodes(&self) -> Option<usize> {
        match (self.evidence, self.bundle_count.get(), self.bundle_index.get()) {
            (BUNDLE, count, index) => Some(1 + bundle::path_nodes(count, index)?),
            (_, 0, 0) => Some(0),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), ReceiptDecodeError> {
        let field = |field| Err(ReceiptDecodeError::Field { field });
        if self.zero != 0 {
            return field("reserved");
        }
        if usize::from(self.later.get()) >= RUN_RECORDS_MAX {
            return field("later");
        }
        if usize::from(self.shards_depth) > SHARDS_DEPTH_MAX {
            return field("shards depth");
        }
        if self.record_bytes.get() as usize > RECORD_BYTES_MAX {
            return field("record bytes");
        }
        Ok(())
    }

    fn receipt(
        &self,
        shards_path: &[[u8; 32]],
        later: &[WireLink],
        bundle: &[[u8; 32]],
        record: &[u8],
    ) -> Result<Receipt, ReceiptDecodeError> {
        let invalid = |field| ReceiptDecodeError::Field { field };
        let digest = |bytes, field| Digest::from_bytes(bytes).ok_or(invalid(field));
        let element = |bytes, field| FieldElement::from_be_bytes(bytes).ok_or(invalid(field));
        let (credential, evidence) = self.authorship(bundle)?;
        let mut accounts_path = [Digest::ZERO; ACCOUNTS_DEPTH];
        for (sibling, &bytes) in accounts_path.iter_mut().zip(&self.accounts_path) {
            *sibling = digest(bytes, "accounts path")?;
        }
        Ok(Receipt {
            stage: Stage::from_byte(self.stage).ok_or(invalid("stage"))?,
            domain: Domain(element(self.domain, "domain")?),
            number: BlockNumber(self.number.get()),
            record: Record::decode(record)?,
            credential,
            evidence,
            slot: self.slot.get(),
            head_before: digest(self.head_before, "head before")?,
            later: later.iter().map(WireLink::decode).collect::<Option<_>>().ok_or(invalid("later"))?,
            head_after: digest(self.head_after, "head after")?,
            count: self.count.get(),
            accounts_path,
            accounts_root: digest(self.accounts_root, "accounts root")?,
            total_records: self.total_records.get(),
            data: DataDigest(self.data),
            shards_path: shards_path
                .iter()
                .map(|&bytes| element(bytes, "shards path"))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The credential, and evidence of its kind.
    fn authorship(&self, bundle: &[[u8; 32]]) -> Result<(Credential, Evidence), ReceiptDecodeError> {
        let signature = self.signature;
        let (tag, evidence) = match (self.evidence, bundle.split_first()) {
            (SIGNATURE, _) => (1, Evidence::Signature(signature)),
            (MAC, _) if signature == [0; 64] => (2, Evidence::Mac),
            (HOST, _) if signature == [0; 64] => (3, Evidence::Host),
            (BUNDLE, Some((&blind, path))) => {
                let (count, index) = (self.bundle_count.get(), self.bundle_index.get());
                (1, Evidence::Bundle(BundleProof { signature, count, index, blind, path: path.to_vec() }))
            }
            _ => return Err(ReceiptDecodeError::Field { field: "evidence" }),
        };
        let credential = Credential::from_parts(tag, self.credential);
        Ok((credential.ok_or(ReceiptDecodeError::Field { field: "credential" })?, evidence))
    }
}

impl Stage {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Sealed),
            1 => Some(Self::Proven),
            2 => Some(Self::Posted),
            3 => Some(Self::Final),
            _ => None,
        }
    }
}

pub(super) fn checksum(covered: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(&blake3::hash(covered).as_bytes()[..CHECKSUM_BYTES]);
    sum
}
