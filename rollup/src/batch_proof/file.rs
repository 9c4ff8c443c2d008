//! Batch proofs on disk, one beside each block's file.
//!
//! ```text
//! blocks/0000000000000007.batches
//!  0 "ARTBATCH" │ 8 version u16 │ 10 zero u16 │ 12 batches u32 │ 16 block u64
//! 24 batches × { shard u32 │ records u32 │ enrolments u32 │ zero u32 │ old root[32] │ new root[32] │ data[32] }
//!    the proof, as its crate encodes it
//!    CRC-32C u32 of everything before │ zero u32
//! ```
//! Little-endian. A proof is written before its block is, so that a crash while a block is proven costs no proof twice.

use super::{BatchProofError, BatchProver, BatchStatement, ProvenBatches, Statement};
use arterial_protocol::{BlockNumber, DataDigest, Digest, ShardId};
use arterial_storage::{Storage, append_checksum, checked_content};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const MAGIC: [u8; 8] = *b"ARTBATCH";
const VERSION: u16 = 1;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireHead {
    magic: [u8; 8],
    version: U16,
    zero: U16,
    batches: U32,
    number: U64,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireBatch {
    shard: U32,
    records: U32,
    enrolments: U32,
    zero: U32,
    old_root: [u8; 32],
    new_root: [u8; 32],
    data: [u8; 32],
}

/// The batch proofs of a deployment.
#[derive(Clone, Debug)]
pub struct BatchProofs {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
}

impl BatchProofs {
    /// Those in the directory of a deployment's blocks.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, blocks_dir: &Path) -> Self {
        Self { storage, dir: blocks_dir.to_owned() }
    }

    /// Where a block's batch proof is.
    #[must_use]
    pub fn path(&self, number: BlockNumber) -> PathBuf {
        self.dir.join(format!("{:016x}.batches", number.0))
    }

    /// Whether there is one; what is in it is checked when it is read.
    ///
    /// # Errors
    /// The operating system can't tell.
    pub fn has(&self, number: BlockNumber) -> Result<bool, BatchProofError> {
        let path = self.path(number);
        self.storage.exists(&path).map_err(|source| BatchProofError::Io {
            what: "cannot look for",
            path,
            source,
        })
    }

    /// Writes a proof, durably.
    ///
    /// # Errors
    /// The operating system's; nothing is stored then.
    pub fn write(&self, batches: &ProvenBatches) -> Result<(), BatchProofError> {
        let path = self.path(batches.statement().number);
        let bytes = encode(batches.statement(), batches.proof());
        self.storage.replace(&path, &bytes).map_err(|source| BatchProofError::Io {
            what: "cannot write batch proof",
            path,
            source,
        })
    }

    /// Reads a proof back and checks it.
    ///
    /// # Errors
    /// The file is missing, damaged, of another block, or its proof doesn't hold.
    pub fn read(
        &self,
        number: BlockNumber,
        verifier: &dyn BatchProver,
    ) -> Result<ProvenBatches, BatchProofError> {
        let path = self.path(number);
        let bytes = self.storage.map(&path).map_err(|source| BatchProofError::Io {
            what: "cannot read batch proof",
            path: path.clone(),
            source,
        })?;
        let (statement, proof) =
            decode(&bytes).map_err(|what| BatchProofError::Corrupt { path: path.clone(), what })?;
        if statement.number != number {
            return Err(BatchProofError::Corrupt { path, what: "it is of another block" });
        }
        ProvenBatches::verify(&statement, proof.to_vec(), verifier)
            .map_err(|source| BatchProofError::Proof { path, source: Box::new(source) })
    }
}

pub(super) fn encode(statement: &Statement, proof: &[u8]) -> Vec<u8> {
    let batches = u32::try_from(statement.batches.len()).expect("a block has a batch of a shard at most");
    let head = WireHead {
        magic: MAGIC,
        version: VERSION.into(),
        zero: 0.into(),
        batches: batches.into(),
        number: statement.number.0.into(),
    };
    let mut bytes = head.as_bytes().to_vec();
    for batch in &statement.batches {
        let batch = WireBatch {
            shard: batch.shard.0.into(),
            records: batch.record_count.into(),
            enrolments: batch.enrolment_count.into(),
            zero: 0.into(),
            old_root: batch.old_root.to_bytes(),
            new_root: batch.new_root.to_bytes(),
            data: batch.data.0,
        };
        bytes.extend_from_slice(batch.as_bytes());
    }
    bytes.extend_from_slice(proof);
    append_checksum(&mut bytes);
    bytes
}

/// A statement and the bytes that are said to prove it.
pub(super) fn decode(bytes: &[u8]) -> Result<(Statement, &[u8]), &'static str> {
    let content = checked_content(bytes)?;
    let (head, rest) = WireHead::ref_from_prefix(content).map_err(|_| "it is shorter than its head")?;
    if head.magic != MAGIC || head.version != VERSION || head.zero != 0 {
        return Err("it is no batch proof of a known version");
    }
    let count = usize::try_from(head.batches.get()).map_err(|_| "it has more batches than bytes")?;
    let (wire, proof) = <[WireBatch]>::ref_from_prefix_with_elems(rest, count)
        .map_err(|_| "it has more batches than bytes")?;
    let root = |bytes| Digest::from_bytes(bytes).ok_or("an accounts root is not canonical");
    let batch = |wire: &WireBatch| {
        if wire.zero != 0 {
            return Err("a batch's zero is not one");
        }
        Ok(BatchStatement {
            shard: ShardId(wire.shard.get()),
            old_root: root(wire.old_root)?,
            new_root: root(wire.new_root)?,
            record_count: wire.records.get(),
            enrolment_count: wire.enrolments.get(),
            data: DataDigest(wire.data),
        })
    };
    let batches = wire.iter().map(batch).collect::<Result<_, _>>()?;
    Ok((Statement { number: BlockNumber(head.number.get()), batches }, proof))
}
