//! What is fixed when a deployment begins.
//!
//! ```text
//! genesis: 0 "ARTGENES" │ 8 version u16 │ 10 zero u16 │ 12 shards u32 │ 16 chain id u64 │ 24 segment bytes u64
//!          32 salt[32] │ 64 CRC-32C u32 of bytes 0‥64 │ 68 zero u32
//! ```

use crate::error::EngineError;
use arterial_protocol::{Domain, ShardCount};
use arterial_shards::ShardsConfig;
use arterial_storage::Storage;
use std::path::{Path, PathBuf};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const MAGIC: [u8; 8] = *b"ARTGENES";
const VERSION: u16 = 1;
const CRC_COVERS: usize = 64;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireGenesis {
    magic: [u8; 8],
    version: U16,
    zero: U16,
    shards: U32,
    chain_id: U64,
    segment_bytes: U64,
    salt: [u8; 32],
    crc: U32,
    zero_end: U32,
}

/// What is fixed when a deployment begins, read from its directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deployment {
    /// EIP-155 id of the chain it settles on.
    pub chain_id: u64,
    /// What its state roots commit to: chain id and a random salt.
    pub domain: Domain,
    /// How many shards it has.
    pub shards: ShardCount,
    /// Bytes of a log segment.
    pub segment_bytes: u64,
}

fn path_in(dir: &Path) -> PathBuf {
    dir.join("genesis")
}

impl Deployment {
    /// Reads a deployment's directory; changes nothing.
    ///
    /// # Errors
    /// There is no deployment, or its file is damaged.
    pub fn read(storage: &dyn Storage, dir: &Path) -> Result<Self, EngineError> {
        let path = path_in(dir);
        let bytes = match storage.read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(EngineError::NoDeployment { dir: dir.to_owned() });
            }
            Err(source) => return Err(EngineError::Io { what: "cannot read", path, source }),
        };
        let corrupt = |what| EngineError::Corrupt { path: path.clone(), what };
        let wire = WireGenesis::read_from_bytes(&bytes).map_err(|_| corrupt("it has another length"))?;
        if wire.magic != MAGIC || wire.version != VERSION {
            return Err(corrupt("it is no genesis file of a known version"));
        }
        if wire.crc.get() != crc32c::crc32c(&bytes[..CRC_COVERS]) || wire.zero != 0 || wire.zero_end != 0 {
            return Err(corrupt("its checksum does not match"));
        }
        let shards =
            ShardCount::new(wire.shards.get()).ok_or(corrupt("its number of shards is impossible"))?;
        Ok(Self::new(wire.chain_id.get(), &wire.salt, shards, wire.segment_bytes.get()))
    }

    fn new(chain_id: u64, salt: &[u8; 32], shards: ShardCount, segment_bytes: u64) -> Self {
        Self { chain_id, domain: Domain::derive(chain_id, salt), shards, segment_bytes }
    }

    /// Begins a deployment in a directory that is empty but for the lock.
    pub(crate) fn create(
        storage: &dyn Storage,
        dir: &Path,
        chain_id: u64,
        shards: ShardCount,
        segment_bytes: u64,
        salt: [u8; 32],
    ) -> Result<Self, EngineError> {
        let mut wire = WireGenesis {
            magic: MAGIC,
            version: VERSION.into(),
            zero: 0.into(),
            shards: shards.get().into(),
            chain_id: chain_id.into(),
            segment_bytes: segment_bytes.into(),
            salt,
            crc: 0.into(),
            zero_end: 0.into(),
        };
        wire.crc = crc32c::crc32c(&wire.as_bytes()[..CRC_COVERS]).into();
        let path = path_in(dir);
        storage.replace(&path, wire.as_bytes()).map_err(|source| EngineError::Io {
            what: "cannot write",
            path,
            source,
        })?;
        Ok(Self::new(chain_id, &salt, shards, segment_bytes))
    }

    /// The write side of this deployment.
    #[must_use]
    pub fn shards_config(&self, dir: &Path) -> ShardsConfig {
        let mut config = ShardsConfig::new(dir.to_owned(), self.domain, self.shards);
        config.segment_bytes = self.segment_bytes;
        config
    }
}
