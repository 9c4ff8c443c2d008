//! A deployment's keys in a file.
//!
//! ```text
//!  0  magic[8]            "ARTKEY\r\n"
//!  8  format version u32  1
//! 12  shards u32
//! 16  circuit digest[32]
//! 48  body bytes u64
//! 56  body
//!       verifying key     22 big-endian words: VerificationKey::words
//!       beta, delta       2 points of G1
//!       a, b in G1        v points of G1 each     v = variables of the circuit
//!       b in G2           v points of G2
//!       h                 d − 1 points of G1      d = the least power of two ≥ constraints + public inputs + 1
//!       l                 w points of G1          w = witness variables
//!     BLAKE3[32] of all before it
//! ```
//! Little-endian but for the words. A point of the proving key is x, y, uncompressed, as arkworks writes it: 64
//! bytes in G1, 128 in G2. All sizes follow from the circuit, which the digest names, so a file of another length
//! is no key file of it.
//!
//! The verifying key is fully checked when it is read. The proving key's points are only checked to be pairs of
//! field elements: the checksum says that they are the ones that were written, and wrong ones can give no more than
//! a proof that doesn't verify, which the prover doesn't hand out.

use super::{KeyPair, ProofError, ProvingKey, VerificationKey};
use crate::circuit::{CircuitDigest, block::BlockCircuit, constraints::Shape};
use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize, SerializationError};
use arterial_protocol::ShardCount;
use arterial_storage::Storage;
use rayon::prelude::*;
use std::{
    io,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"ARTKEY\r\n";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 56;
const CHECKSUM_BYTES: usize = 32;
const G1_BYTES: usize = 64;
const G2_BYTES: usize = 128;
const VERIFYING_BYTES: usize = 32 * VerificationKey::WORDS;

impl KeyPair {
    /// Writes the keys so that the file is there whole and durable, or not at all.
    ///
    /// # Errors
    /// [`ProofError::KeyFileIo`].
    pub fn write(&self, storage: &dyn Storage, path: &Path) -> Result<(), ProofError> {
        let written = self.encode().and_then(|bytes| storage.replace(path, &bytes));
        written.map_err(|source| ProofError::KeyFileIo { path: path.into(), action: "write", source })
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let shards = self.proving.shards;
        let shape = BlockCircuit::shape(shards);
        let body_bytes = Layout::of(&shape).body_bytes();
        let mut bytes = Vec::with_capacity(HEAD_BYTES + body_bytes + CHECKSUM_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&shards.get().to_le_bytes());
        bytes.extend_from_slice(&shape.digest.0);
        bytes.extend_from_slice(&(body_bytes as u64).to_le_bytes());
        bytes.extend_from_slice(self.verifying.words().as_flattened());
        let key = &self.proving.key;
        write_points(&mut bytes, &[key.beta_g1, key.delta_g1])?;
        write_points(&mut bytes, &key.a_query)?;
        write_points(&mut bytes, &key.b_g1_query)?;
        write_points(&mut bytes, &key.b_g2_query)?;
        write_points(&mut bytes, &key.h_query)?;
        write_points(&mut bytes, &key.l_query)?;
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        Ok(bytes)
    }

    /// Reads the keys of a deployment with this many shards.
    ///
    /// # Errors
    /// The file cannot be read, is no key file, is of another version, damaged, or of another circuit. Every error
    /// names the file and what to do.
    pub fn read(storage: &dyn Storage, path: &Path, shards: ShardCount) -> Result<Self, ProofError> {
        let bytes = storage.read(path).map_err(|source| ProofError::KeyFileIo {
            path: path.into(),
            action: "read",
            source,
        })?;
        let damaged = |fault| ProofError::KeyFileDamaged { path: path.into(), fault };
        let (body, got_shards, got_digest) = open(path, &bytes)?;
        if got_shards != shards.get() {
            return Err(ProofError::KeyFileShards {
                path: path.into(),
                expected: shards.get(),
                got: got_shards,
            });
        }
        let shape = BlockCircuit::shape(shards);
        if got_digest != shape.digest {
            return Err(ProofError::KeyFileCircuit {
                path: path.into(),
                expected: shape.digest,
                got: got_digest,
            });
        }
        let layout = Layout::of(&shape);
        if body.len() != layout.body_bytes() {
            return Err(damaged("its length is not that of a key of its circuit"));
        }
        decode(body, shards, &layout).map_err(damaged)
    }
}

/// How many points of each kind a circuit's proving key has.
struct Layout {
    variables: usize,
    h: usize,
    witness: usize,
}

impl Layout {
    const fn of(shape: &Shape) -> Self {
        let inputs = shape.public + 1;
        let domain = (shape.constraints + inputs).next_power_of_two();
        Self { variables: inputs + shape.witness, h: domain - 1, witness: shape.witness }
    }

    const fn body_bytes(&self) -> usize {
        VERIFYING_BYTES
            + G1_BYTES * (2 + 2 * self.variables + self.h + self.witness)
            + G2_BYTES * self.variables
    }
}

/// Checks what can be checked without knowing the circuit; the body, the shards and the circuit that it names.
fn open<'a>(path: &Path, bytes: &'a [u8]) -> Result<(&'a [u8], u32, CircuitDigest), ProofError> {
    let damaged = |fault| ProofError::KeyFileDamaged { path: PathBuf::from(path), fault };
    let Some(after_magic) = bytes.strip_prefix(MAGIC) else {
        return Err(ProofError::NotAKeyFile { path: path.into() });
    };
    let truncated = || damaged("it ends early");
    let (version, _) = after_magic.split_first_chunk().ok_or_else(truncated)?;
    let got = u32::from_le_bytes(*version);
    if got != VERSION {
        return Err(ProofError::KeyFileVersion { path: path.into(), expected: VERSION, got });
    }
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(truncated)?;
    let (head, body) = content.split_first_chunk::<HEAD_BYTES>().ok_or_else(truncated)?;
    let (shards, digest, body_bytes) = head_fields(head);
    if body_bytes != body.len() as u64 {
        return Err(damaged("its length is not the one it states"));
    }
    if blake3::hash(content) != *checksum {
        return Err(damaged("its checksum is wrong"));
    }
    Ok((body, shards, digest))
}

/// Shards, circuit digest and length of the body.
fn head_fields(head: &[u8; HEAD_BYTES]) -> (u32, CircuitDigest, u64) {
    let shards = u32::from_le_bytes(std::array::from_fn(|i| head[12 + i]));
    let digest = CircuitDigest(std::array::from_fn(|i| head[16 + i]));
    let body_bytes = u64::from_le_bytes(std::array::from_fn(|i| head[48 + i]));
    (shards, digest, body_bytes)
}

/// `body` has exactly the layout's length.
fn decode(mut body: &[u8], shards: ShardCount, layout: &Layout) -> Result<KeyPair, &'static str> {
    let words = take(&mut body, VERIFYING_BYTES).as_chunks::<32>().0;
    let words = std::array::from_fn(|at| words[at]);
    let verifying =
        VerificationKey::from_words(&words).map_err(|_| "a point of its verifying key is not a valid one")?;
    let key = decode_proving(body, &verifying, layout)
        .map_err(|_| "a point of its proving key is not of field elements")?;
    Ok(KeyPair { proving: ProvingKey { shards, key }, verifying })
}

fn decode_proving(
    mut body: &[u8],
    verifying: &VerificationKey,
    layout: &Layout,
) -> Result<ark_groth16::ProvingKey<Bn254>, SerializationError> {
    let body = &mut body;
    Ok(ark_groth16::ProvingKey {
        vk: verifying.as_ark().clone(),
        beta_g1: G1Affine::deserialize_uncompressed_unchecked(take(body, G1_BYTES))?,
        delta_g1: G1Affine::deserialize_uncompressed_unchecked(take(body, G1_BYTES))?,
        a_query: read_points::<G1Affine, G1_BYTES>(body, layout.variables)?,
        b_g1_query: read_points::<G1Affine, G1_BYTES>(body, layout.variables)?,
        b_g2_query: read_points::<G2Affine, G2_BYTES>(body, layout.variables)?,
        h_query: read_points::<G1Affine, G1_BYTES>(body, layout.h)?,
        l_query: read_points::<G1Affine, G1_BYTES>(body, layout.witness)?,
    })
}

fn take<'a>(body: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let (taken, rest) = body.split_at(bytes);
    *body = rest;
    taken
}

fn read_points<P: CanonicalDeserialize + Send, const BYTES: usize>(
    body: &mut &[u8],
    count: usize,
) -> Result<Vec<P>, SerializationError> {
    let points = take(body, count * BYTES).as_chunks::<BYTES>().0.par_iter();
    points.map(|point| P::deserialize_uncompressed_unchecked(point.as_slice())).collect()
}

fn write_points<P: CanonicalSerialize>(output: &mut Vec<u8>, points: &[P]) -> io::Result<()> {
    points.iter().try_for_each(|point| {
        point.serialize_uncompressed(&mut *output).map_err(|error| match error {
            SerializationError::IoError(error) => error,
            other => io::Error::other(other.to_string()),
        })
    })
}
