//! What the proof system does with nothing of ours above it: `p3-poseidon1-air`, one permutation to a row.

use arterial_stark::{Blake3, Queries, config};
use p3_koala_bear::{KOALABEAR_POSEIDON1_RC_16, KOALABEAR_POSEIDON1_RC_24, KoalaBear, MDSKoalaBearData};
use p3_monty_31::MDSUtils;
use p3_poseidon1::Poseidon1Constants;
use p3_poseidon1_air::VectorizedPoseidon1Air;
use std::time::Instant;

/// The queries of most batch proofs.
const QUERIES: Queries = Queries(176);
/// Permutations of one bare proof at least and at most: less tells little, more takes too much memory.
const BARE_MIN: usize = 1 << 12;
const BARE_MAX: usize = 1 << 18;

/// Permutations of width 24 proven in a second, when about so many are proven at once.
pub(super) fn p24_per_second(permutations: usize) -> f64 {
    let rows = permutations.next_power_of_two().clamp(BARE_MIN, BARE_MAX);
    let (full, partial) = Poseidon1Constants::<KoalaBear, 24> {
        rounds_f: 8,
        rounds_p: 23,
        mds_circ_col: MDSKoalaBearData::MATRIX_CIRC_MDS_24_COL,
        round_constants: KOALABEAR_POSEIDON1_RC_24.to_vec(),
    }
    .to_optimized();
    let air = VectorizedPoseidon1Air::<KoalaBear, 24, 3, 0, 4, 23, 1>::new(full, partial);
    let begun = Instant::now();
    let trace = air.generate_vectorized_trace_rows(rows, 1);
    p3_uni_stark::prove(&config::<Blake3>(QUERIES), &air, trace, &[]).expect("a valid trace has a proof");
    rate(rows, begun)
}

/// [`p24_per_second`] for width 16.
pub(super) fn p16_per_second(permutations: usize) -> f64 {
    let rows = permutations.next_power_of_two().clamp(BARE_MIN, BARE_MAX);
    let (full, partial) = Poseidon1Constants::<KoalaBear, 16> {
        rounds_f: 8,
        rounds_p: 20,
        mds_circ_col: MDSKoalaBearData::MATRIX_CIRC_MDS_16_COL,
        round_constants: KOALABEAR_POSEIDON1_RC_16.to_vec(),
    }
    .to_optimized();
    let air = VectorizedPoseidon1Air::<KoalaBear, 16, 3, 0, 4, 20, 1>::new(full, partial);
    let begun = Instant::now();
    let trace = air.generate_vectorized_trace_rows(rows, 1);
    p3_uni_stark::prove(&config::<Blake3>(QUERIES), &air, trace, &[]).expect("a valid trace has a proof");
    rate(rows, begun)
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn rate(rows: usize, begun: Instant) -> f64 {
    rows as f64 / begun.elapsed().as_secs_f64()
}
