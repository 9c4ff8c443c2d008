//! The proof system's parameters, and the hash of its trees and transcript.

use crate::{pcs::TablePcs, rows::RowHasher};
use p3_challenger::{
    CanObserve, CanSample, FieldChallenger, GrindingChallenger, HashChallenger, SerializingChallenger32,
};
use p3_commit::{ExtensionMmcs, Mmcs};
use p3_dft::Radix2DitParallel;
use p3_field::extension::QuinticTrinomialExtensionField;
use p3_fri::{FriParameters, TwoAdicFriPcs};
use p3_koala_bear::KoalaBear;
use p3_matrix::dense::RowMajorMatrix;
use p3_merkle_tree::MerkleTreeMmcs;
use p3_symmetric::CompressionFunctionFromHasher;
use p3_uni_stark::StarkConfig;

/// Challenges are of the quintic extension: list decoding reaches 100 bits there, over the quartic it does not.
pub type Challenge = QuinticTrinomialExtensionField<KoalaBear>;
pub(crate) const EXTENSION_DEGREE: usize = 5;

pub(crate) const LOG_BLOWUP: usize = 1;
pub(crate) const LOG_FOLDING_ARITY: usize = 2;
pub(crate) const QUERY_GRINDING_BITS: usize = 16;

/// Seeds every transcript: the statement's kind, its version, and what the tables' constraints are made of.
const TRANSCRIPT_TAG: &[u8] =
    b"arterial/batch-stark/v3: claims, record*4, account, node; C16, C24; depth 20\0";

/// The hash of a proof's Merkle trees and transcript. A proof under one does not verify under another.
pub trait ProofHash: 'static {
    /// Commits to tables by Merkle trees.
    type Mmcs: Mmcs<
            KoalaBear,
            Commitment: Sync,
            MultiProof: Sync,
            Error: Sync,
            ProverData<RowMajorMatrix<KoalaBear>>: Sync,
        > + Sync;
    /// The transcript.
    type Challenger: FieldChallenger<KoalaBear>
        + GrindingChallenger<Witness = KoalaBear>
        + CanObserve<<Self::Mmcs as Mmcs<KoalaBear>>::Commitment>
        + CanSample<Challenge>
        + Clone;

    /// The trees, which have a root each and no cap.
    fn mmcs() -> Self::Mmcs;

    /// The transcript that begins with this tag.
    fn challenger(tag: &[u8]) -> Self::Challenger;
}

/// The proof system under a hash: FRI with everything but the number of queries fixed.
///
/// It proves tables whose constraints read a row alone: what it hands out as the next row is zeros, and a constraint on
/// them would give a proof that does not verify.
pub type Config<H> = StarkConfig<TablePcs<H>, Challenge, <H as ProofHash>::Challenger>;

/// The proof system for a proof with so many queries.
#[must_use]
pub fn config<H: ProofHash>(queries: Queries) -> Config<H> {
    let fri = FriParameters {
        log_blowup: LOG_BLOWUP,
        log_final_poly_len: 0,
        max_log_arity: LOG_FOLDING_ARITY,
        num_queries: queries.0,
        batch_proof_of_work_bits: 0,
        commit_proof_of_work_bits: 0,
        query_proof_of_work_bits: QUERY_GRINDING_BITS,
        mmcs: ExtensionMmcs::new(H::mmcs()),
    };
    let pcs = TablePcs(TwoAdicFriPcs::new(Radix2DitParallel::default(), H::mmcs(), fri));
    StarkConfig::new(pcs, H::challenger(TRANSCRIPT_TAG))
}

/// How often the low-degree test asks; [`Soundness`](crate::Soundness) has the number that a proof needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Queries(pub usize);

/// BLAKE3: as fast to prove with as Keccak in lanes, and faster to verify.
#[derive(Clone, Copy, Debug)]
pub struct Blake3;

type Function = p3_blake3::Blake3;

impl ProofHash for Blake3 {
    type Mmcs =
        MerkleTreeMmcs<KoalaBear, u8, RowHasher, CompressionFunctionFromHasher<Function, 2, 32>, 2, 32>;
    type Challenger = SerializingChallenger32<KoalaBear, HashChallenger<u8, Function, 32>>;

    fn mmcs() -> Self::Mmcs {
        let function = p3_blake3::Blake3;
        MerkleTreeMmcs::new(RowHasher, CompressionFunctionFromHasher::new(function), 0)
    }

    fn challenger(tag: &[u8]) -> Self::Challenger {
        SerializingChallenger32::from_hasher(tag.to_vec(), p3_blake3::Blake3)
    }
}
