//! Blobs beside a block (EIP-4844): the accounts' delta, for whoever wants to rebuild them from the chain alone.
//!
//! ```text
//! delta ─ length u32 ‖ bytes ‖ zeros ─▶ 4,096 elements of 31 bytes a blob ─▶ sidecar with cell proofs (EIP-7594)
//! ```
//! The contract does not look at them: what is in them is held against the state roots. Commitments and proofs are made
//! by `c-kzg`, the C library that nodes use. The trusted setup in it is that of Ethereum's public KZG ceremony of 2023
//! (`trusted_setup_4096.json` of ethereum/consensus-specs): a secret that lasts while one of its 141,416 contributors
//! was honest. It bears nothing here but what nodes accept; no state root and no receipt rests on it.

use crate::{chain::ChainError, delta::Delta};
use alloy_eips::{
    eip4844::{BYTES_PER_BLOB, Blob, DATA_GAS_PER_BLOB},
    eip7594::BlobTransactionSidecarEip7594,
};
use alloy_primitives::B256;
use arterial_protocol::BlockNumber;
use c_kzg::KzgSettings;

/// Blobs of a transaction (EIP-7594).
pub(super) const BLOBS_MAX: usize = 6;
/// An element is below the scalar field's modulus if its first byte is zero.
const ELEMENT_BYTES: usize = 31;
const ROOM: usize = BYTES_PER_BLOB / 32 * ELEMENT_BYTES;
const LENGTH_BYTES: usize = 4;

/// Where the deltas of blocks come from.
pub trait Deltas: Send + Sync {
    /// What a block that is proven did to the accounts.
    ///
    /// # Errors
    /// The files can't be read.
    fn delta(&self, number: BlockNumber) -> Result<Delta, ChainError>;
}

/// What goes out with a transaction.
pub(super) struct Sidecar {
    pub(super) parts: BlobTransactionSidecarEip7594,
    pub(super) hashes: Vec<B256>,
}

impl Sidecar {
    /// Blobs with these bytes, their commitments and proofs: half a second or so for each. `None` where they need more
    /// than a transaction may have.
    pub(super) fn new(bytes: &[u8]) -> Result<Option<Self>, ChainError> {
        let Some(blobs) = to_blobs(bytes) else { return Ok(None) };
        let parts = BlobTransactionSidecarEip7594::try_from_blobs_with_settings(blobs, setup())
            .map_err(|error| ChainError::Signer { what: format!("its blobs have no commitment: {error}") })?;
        let hashes = parts.versioned_hashes().collect();
        Ok(Some(Self { parts, hashes }))
    }

    /// Gas for blobs that it uses.
    pub(super) const fn gas(&self) -> u64 {
        DATA_GAS_PER_BLOB * self.hashes.len() as u64
    }
}

/// Without tables beside it: those that alloy has made take 140 MB, and seconds, for proofs that are no faster.
fn setup() -> &'static KzgSettings {
    c_kzg::ethereum_kzg_settings(0)
}

fn to_blobs(bytes: &[u8]) -> Option<Vec<Blob>> {
    let length = u32::try_from(bytes.len()).ok()?;
    let content = [&length.to_le_bytes(), bytes].concat();
    let blobs: Vec<Blob> = content
        .chunks(ROOM)
        .map(|content| {
            let mut blob = Blob::default();
            for (element, piece) in blob.0.chunks_exact_mut(32).zip(content.chunks(ELEMENT_BYTES)) {
                element[1..=piece.len()].copy_from_slice(piece);
            }
            blob
        })
        .collect();
    (blobs.len() <= BLOBS_MAX).then_some(blobs)
}

/// The bytes in blobs, if they are there as they are put there.
pub(super) fn from_blobs(blobs: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut content = Vec::with_capacity(blobs.len() * ROOM);
    for blob in blobs {
        if blob.len() != BYTES_PER_BLOB {
            return None;
        }
        for element in blob.as_chunks::<32>().0 {
            let ([0], piece) = element.split_first_chunk::<1>()? else { return None };
            content.extend_from_slice(piece);
        }
    }
    let (length, rest) = content.split_first_chunk::<LENGTH_BYTES>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (bytes, zeros) = rest.split_at_checked(length)?;
    let is_shortest = (LENGTH_BYTES + length).div_ceil(ROOM) == blobs.len();
    (is_shortest && zeros.iter().all(|byte| *byte == 0)).then(|| bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs(length: usize) -> Option<Vec<Vec<u8>>> {
        let bytes: Vec<u8> = (0..length).map(|at| at.to_le_bytes()[0] | 1).collect();
        let blobs: Vec<Vec<u8>> = to_blobs(&bytes)?.iter().map(|blob| blob.to_vec()).collect();
        assert_eq!(from_blobs(&blobs), Some(bytes));
        Some(blobs)
    }

    #[test]
    fn bytes_come_back_out_of_blobs_and_nothing_else_does() {
        for (length, count) in
            [(0, 1), (1, 1), (ROOM - 4, 1), (ROOM - 3, 2), (BLOBS_MAX * ROOM - 4, BLOBS_MAX)]
        {
            assert_eq!(blobs(length).unwrap().len(), count, "{length}");
        }
        assert!(blobs(BLOBS_MAX * ROOM - 3).is_none());
        let good = blobs(1000).unwrap();
        let broken = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut blobs = good.clone();
            change(&mut blobs);
            from_blobs(&blobs)
        };
        assert_eq!(broken(&|blobs| blobs[0][32] = 1), None, "an element's first byte");
        assert_eq!(broken(&|blobs| blobs[0][131_000] = 1), None, "what is behind the bytes");
        assert_eq!(broken(&|blobs| blobs.push(vec![0; BYTES_PER_BLOB])), None, "a blob too many");
        assert_eq!(broken(&|blobs| blobs[0][4] = 0xff), None, "a length beyond the blobs");
        assert_eq!(broken(&|blobs| blobs[0].truncate(64)), None, "a short blob");
        assert_eq!(from_blobs(&[]), None);
    }

    #[test]
    fn a_sidecar_is_what_nodes_accept() {
        let sidecar = Sidecar::new(&[7; 1000]).unwrap().unwrap();
        sidecar.parts.validate(&sidecar.hashes, setup()).unwrap();
        assert_eq!((sidecar.hashes.len(), sidecar.parts.cell_proofs.len()), (1, 128));
    }
}
