//! Proven blocks on disk, a file each.
//!
//! ```text
//! blocks/0000000000000007.block
//!   0 "ARTBLOCK" │ 8 version u16 │ 10 zero u16 │ 12 shards u32 │ 16 block u64 │ 24 records u64 │ 32 domain[32]
//!  64 old state root[32] │ 96 new state root[32] │ 128 proof[256]
//! 384 shards × { accounts root[32] │ total records u64 │ data[32] │ root node at u64 │ accounts file end u64 }
//!     CRC-32C u32 of everything before │ zero u32
//! ```
//! Little-endian but for roots and proof, which stand as the EVM has them. A block's file is written before the
//! block is posted, as a whole, and never changed: what is posted twice is posted with the same bytes.

use crate::{
    accounts::TreeRoot,
    block::ProvenBlock,
    proof::{ProofError, VerificationKey},
};
use arterial_protocol::{
    BlockNumber, BlockProof, BlockStatement, DataDigest, Digest, Domain, FieldElement, ShardCount, ShardLeaf,
    StateRoot,
};
use arterial_storage::{Storage, append_checksum, checked_content};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const MAGIC: [u8; 8] = *b"ARTBLOCK";
const VERSION: u16 = 1;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireHead {
    magic: [u8; 8],
    version: U16,
    zero: U16,
    shards: U32,
    number: U64,
    records: U64,
    domain: [u8; 32],
    old_state_root: [u8; 32],
    new_state_root: [u8; 32],
    proof: [u8; BlockProof::BYTES],
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireShard {
    accounts_root: [u8; 32],
    total_records: U64,
    data: [u8; 32],
    root_at: U64,
    end: U64,
}

/// A shard after a block: what the state root commits to, and where its accounts stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardState {
    /// What the state root commits to.
    pub leaf: ShardLeaf,
    /// The version of the accounts.
    pub accounts: TreeRoot,
}

impl ShardState {
    /// Every shard before the first block.
    #[must_use]
    pub fn genesis(shards: ShardCount) -> Vec<Self> {
        shards
            .iter()
            .map(|shard| Self { leaf: ShardLeaf::genesis(shard), accounts: TreeRoot::genesis() })
            .collect()
    }
}

/// A proven block and every shard after it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredBlock {
    /// The block.
    pub block: ProvenBlock,
    /// Every shard after it, in order.
    pub shards: Vec<ShardState>,
}

/// Why a block can't be stored or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockStoreError {
    /// The operating system refused something.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("block file {} is corrupt: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The proof in the file does not hold.
    #[error("block file {}: {source}", path.display())]
    Proof {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<ProofError>,
    },
}

/// The blocks of a deployment.
#[derive(Clone, Debug)]
pub struct BlockStore {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    domain: Domain,
    shards: ShardCount,
}

impl BlockStore {
    /// Opens the directory of a deployment's blocks, or makes it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(
        storage: Arc<dyn Storage>,
        dir: PathBuf,
        domain: Domain,
        shards: ShardCount,
    ) -> Result<Self, BlockStoreError> {
        storage.create_dir(&dir).map_err(|source| BlockStoreError::Io {
            what: "cannot make directory",
            path: dir.clone(),
            source,
        })?;
        Ok(Self::existing(storage, dir, domain, shards))
    }

    /// The blocks in a directory as it is, which nothing is made in.
    #[must_use]
    pub const fn existing(
        storage: Arc<dyn Storage>,
        dir: PathBuf,
        domain: Domain,
        shards: ShardCount,
    ) -> Self {
        Self { storage, dir, domain, shards }
    }

    /// Where a block's file is.
    #[must_use]
    pub fn path(&self, number: BlockNumber) -> PathBuf {
        self.dir.join(format!("{:016x}.block", number.0))
    }

    /// The newest block; 0 before the first.
    ///
    /// # Errors
    /// The directory can't be read, or a block is missing.
    pub fn latest(&self) -> Result<BlockNumber, BlockStoreError> {
        let files = self.storage.list(&self.dir).map_err(|source| BlockStoreError::Io {
            what: "cannot list directory",
            path: self.dir.clone(),
            source,
        })?;
        let blocks = files.iter().filter(|path| path.extension() == Some("block".as_ref()));
        let mut latest = BlockNumber::GENESIS;
        for path in blocks {
            if *path != self.path(latest.next()) {
                return Err(BlockStoreError::Corrupt {
                    path: path.clone(),
                    what: "the block before it is missing",
                });
            }
            latest = latest.next();
        }
        Ok(latest)
    }

    /// Writes a block, durably.
    ///
    /// # Errors
    /// The operating system's; nothing is stored then.
    pub fn write(&self, stored: &StoredBlock) -> Result<(), BlockStoreError> {
        let path = self.path(stored.block.statement().number);
        self.storage.replace(&path, &self.encode(stored)).map_err(|source| BlockStoreError::Io {
            what: "cannot write block file",
            path,
            source,
        })
    }

    /// Reads a block back and checks its proof.
    ///
    /// # Errors
    /// The file is missing, damaged, of another deployment, or its proof doesn't hold.
    pub fn read(&self, number: BlockNumber, key: &VerificationKey) -> Result<StoredBlock, BlockStoreError> {
        let path = self.path(number);
        let bytes = self.storage.map(&path).map_err(|source| BlockStoreError::Io {
            what: "cannot read block file",
            path: path.clone(),
            source,
        })?;
        let corrupt = |what| BlockStoreError::Corrupt { path: path.clone(), what };
        let (statement, proof, shards) = self.decode(&bytes, number).map_err(corrupt)?;
        let leaves: Vec<ShardLeaf> = shards.iter().map(|shard| shard.leaf).collect();
        if StateRoot::compute(self.domain, number, &leaves) != statement.new_state_root {
            return Err(corrupt("its shards do not hash to its state root"));
        }
        let block = ProvenBlock::verify(statement, proof, key)
            .map_err(|source| BlockStoreError::Proof { path: path.clone(), source: Box::new(source) })?;
        Ok(StoredBlock { block, shards })
    }

    fn encode(&self, stored: &StoredBlock) -> Vec<u8> {
        let statement = stored.block.statement();
        let head = WireHead {
            magic: MAGIC,
            version: VERSION.into(),
            zero: 0.into(),
            shards: self.shards.get().into(),
            number: statement.number.0.into(),
            records: statement.record_count.into(),
            domain: self.domain.0.to_be_bytes(),
            old_state_root: statement.old_state_root.0.to_be_bytes(),
            new_state_root: statement.new_state_root.0.to_be_bytes(),
            proof: stored.block.proof().0,
        };
        let mut bytes = head.as_bytes().to_vec();
        for ShardState { leaf, accounts } in &stored.shards {
            let shard = WireShard {
                accounts_root: leaf.accounts_root.to_bytes(),
                total_records: leaf.total_records.into(),
                data: leaf.data.0,
                root_at: accounts.at.into(),
                end: accounts.end.into(),
            };
            bytes.extend_from_slice(shard.as_bytes());
        }
        append_checksum(&mut bytes);
        bytes
    }

    fn decode(
        &self,
        bytes: &[u8],
        number: BlockNumber,
    ) -> Result<(BlockStatement, BlockProof, Vec<ShardState>), &'static str> {
        let content = checked_content(bytes)?;
        let (head, rest) =
            WireHead::ref_from_prefix(content).map_err(|_| "it is shorter than a block's head")?;
        if head.magic != MAGIC || head.version != VERSION || head.zero != 0 {
            return Err("it is no block file of a known version");
        }
        if head.domain != self.domain.0.to_be_bytes() || head.shards != self.shards.get() {
            return Err("it is of another deployment");
        }
        if head.number != number.0 {
            return Err("it is of another block");
        }
        let wire = <[WireShard]>::ref_from_bytes(rest).map_err(|_| "its length is not that of its shards")?;
        if wire.len() != self.shards.get() as usize {
            return Err("it has another number of shards");
        }
        let root =
            |bytes| FieldElement::from_be_bytes(bytes).map(StateRoot).ok_or("a state root is not canonical");
        let statement = BlockStatement {
            old_state_root: root(head.old_state_root)?,
            new_state_root: root(head.new_state_root)?,
            number,
            record_count: head.records.get(),
        };
        let state = |(shard, wire): (_, &WireShard)| {
            let digest = Digest::from_bytes(wire.accounts_root).ok_or("an accounts root is not canonical")?;
            let (total_records, data) = (wire.total_records.get(), DataDigest(wire.data));
            Ok::<_, &str>(ShardState {
                leaf: ShardLeaf { shard, accounts_root: digest, total_records, data },
                accounts: TreeRoot { digest, at: wire.root_at.get(), end: wire.end.get() },
            })
        };
        let shards = self.shards.iter().zip(wire).map(state).collect::<Result<_, _>>()?;
        Ok((statement, BlockProof(head.proof), shards))
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
