//! How sure a proof makes: bits that follow from theorems, for the tables' actual heights.
//!
//! The error is the sum of what each round of the protocol lets through (union bound), in the regime of the two that
//! gives more: unique decoding, or list decoding up to the Johnson bound with multiplicity m. Nothing is taken from
//! conjectures. The terms and their sources are those of `p3_security`; what is added up here, and where this is more
//! careful than it, is:
//!
//! | round | error | |
//! |---|---|---|
//! | lookups | N·(W + 2) / F | N messages of all tables, W fields of the widest |
//! | constraints | L·C / F | C constraints of all tables |
//! | out-of-domain point | L²·(d·k + k) / F | L² as in eprint 2024/1553, theorem 2, not L |
//! | batching the openings | gap(k)·(openings − 1) / F | |
//! | folding | rounds · gap(k)·(arity − 1) / F | every round as if it were the largest |
//! | queries | αᵠ / 2^grinding | |
//! | hash | 2⁻¹²⁸ | collisions of 256 bits |

use crate::{
    air::CONSTRAINT_DEGREE,
    config::{EXTENSION_DEGREE, LOG_BLOWUP, LOG_FOLDING_ARITY, QUERY_GRINDING_BITS, Queries},
    shape::Shape,
};
use p3_batch_stark::num_batched_openings;
use p3_security::{
    ErrorBits, InstanceShape, SecurityAssumption,
    fri::{FriRegime, commit_phase_error_ldr_m, commit_phase_error_udr, query_phase_error},
    proximity::{LDR_M_CAP, alpha_ldr_m, alpha_udr, compute_upper_m, list_size_ldr_m},
};
use p3_uni_stark::OpeningShape;

/// Bits that every accepted proof has.
pub(crate) const BITS_MIN: f64 = 100.0;

/// Why a word that passes is close to one codeword, or to one of few.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Regime {
    /// Within half the minimum distance.
    UniqueDecoding,
    /// Up to the Johnson bound, with this multiplicity.
    ListDecoding {
        /// The multiplicity m.
        multiplicity: usize,
    },
}

/// What a proof's tables and parameters prove.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Soundness {
    /// A false statement passes with probability at most 2⁻ᵇⁱᵗˢ a try.
    pub bits: f64,
    /// By which argument.
    pub regime: Regime,
    /// Degree over KoalaBear of the field that challenges are drawn from.
    pub extension_degree: usize,
    /// Logarithm of the inverse rate.
    pub log_blowup: usize,
    /// Queries of the low-degree test.
    pub queries: usize,
    /// Work before the queries are drawn.
    pub query_grinding_bits: usize,
}

/// Bits of the field of challenges, rounded down: 5·log₂(2³¹ − 2²⁴ + 1) = 154.94.
const FIELD_BITS: usize = 154;
/// Bits of work to find a collision of a 256-bit hash.
const COLLISION_BITS: f64 = 128.0;
/// Out-of-domain points of a column: one, and for the lookups' columns the next row's too.
const POINTS: usize = 2;
/// Fields of the widest message: shard, level, index and two digests.
const MESSAGE_FIELDS: usize = 19;
/// Chunks of a quotient: degree 3 − 1.
const QUOTIENT_CHUNKS: usize = CONSTRAINT_DEGREE - 1;
/// Numbers of queries to choose from, so that few different verifiers are needed. Short tables need more: their
/// codes are too small for large multiplicities.
const QUERY_CHOICES: [usize; 5] = [176, 184, 192, 208, 256];

impl Soundness {
    /// Of a segment with these tables and so many claims in a proof of so many segments, by the fewest queries with which all of them together
    /// reach [`BITS_MIN`]; by the most, if none do.
    pub(crate) fn of(shape: &Shape, claims: usize, segments: usize) -> Self {
        let sizes = Sizes::of(shape, claims);
        let needed = BITS_MIN + (segments as f64).log2();
        let [fewest, more @ ..] = QUERY_CHOICES;
        more.iter().fold(sizes.soundness(fewest), |soundness, &queries| {
            if soundness.bits >= needed { soundness } else { sizes.soundness(queries) }
        })
    }

    /// Bits of a proof with these segments: their errors add up.
    #[must_use]
    pub fn together(segments: &[Self]) -> f64 {
        let errors: Vec<ErrorBits> =
            segments.iter().map(|segment| ErrorBits::from_log2(segment.bits)).collect();
        ErrorBits::sum(&errors).bits()
    }

    pub(crate) const fn parameters(&self) -> Queries {
        Queries(self.queries)
    }
}

/// What of a shape the error depends on.
struct Sizes {
    log_height: usize,
    constraints: usize,
    openings: usize,
    messages: f64,
}

impl Sizes {
    fn of(shape: &Shape, claims: usize) -> Self {
        let mut sizes = Self { log_height: 0, constraints: 0, openings: 0, messages: 0.0 };
        for (kind, log_height) in shape.instances(claims) {
            let messages = kind.messages();
            // Every column has one constraint at most, every fraction one, and the accumulator three.
            sizes.constraints += kind.columns() + kind.fractions() + 3;
            sizes.openings += num_batched_openings(
                kind.columns(),
                false,
                0,
                false,
                QUOTIENT_CHUNKS,
                kind.fractions(),
                EXTENSION_DEGREE,
                OpeningShape::TwoAdic,
            );
            sizes.messages += (messages << log_height) as f64;
            sizes.log_height = sizes.log_height.max(usize::from(log_height));
        }
        sizes
    }

    /// The better regime's.
    fn soundness(&self, queries: usize) -> Soundness {
        let multiplicity_max = compute_upper_m(1 << self.log_height, POINTS).min(LDR_M_CAP);
        let listed = (3..=multiplicity_max).map(|multiplicity| {
            (Regime::ListDecoding { multiplicity }, self.list_decoding(queries, multiplicity))
        });
        let (regime, bits) = [(Regime::UniqueDecoding, self.unique_decoding(queries))]
            .into_iter()
            .chain(listed)
            .max_by(|(_, left), (_, right)| left.total_cmp(right))
            .expect("one regime at least");
        Soundness {
            bits,
            regime,
            extension_degree: EXTENSION_DEGREE,
            log_blowup: LOG_BLOWUP,
            queries,
            query_grinding_bits: QUERY_GRINDING_BITS,
        }
    }

    fn unique_decoding(&self, queries: usize) -> f64 {
        let alpha = alpha_udr(self.log_height, LOG_BLOWUP, POINTS);
        let gap = (FIELD_BITS - self.log_height - LOG_BLOWUP) as f64;
        let folding = commit_phase_error_udr(&fri(queries), &self.instance());
        self.bits(1.0, gap, folding, query_phase_error(alpha, queries, QUERY_GRINDING_BITS))
    }

    fn list_decoding(&self, queries: usize, multiplicity: usize) -> f64 {
        let alpha = alpha_ldr_m(LOG_BLOWUP, multiplicity);
        let list = list_size_ldr_m(LOG_BLOWUP, multiplicity);
        let gap = SecurityAssumption::prox_gaps_error_jb_at_m(
            self.log_height,
            LOG_BLOWUP,
            FIELD_BITS,
            2,
            multiplicity,
        );
        let folding = commit_phase_error_ldr_m(&fri(queries), &self.instance(), multiplicity);
        self.bits(list, gap, folding, query_phase_error(alpha, queries, QUERY_GRINDING_BITS))
    }

    /// Adds the terms up; `gap` is the proximity gap's error of one line.
    fn bits(&self, list: f64, gap: f64, folding: Option<ErrorBits>, queries: ErrorBits) -> f64 {
        let field = FIELD_BITS as f64;
        let height = (1u64 << self.log_height) as f64;
        let lookups = field - (self.messages * (MESSAGE_FIELDS + 2) as f64).log2();
        let constraints = field - (list * self.constraints as f64).log2();
        let degree = (CONSTRAINT_DEGREE + 1) as f64 * height + (CONSTRAINT_DEGREE * POINTS) as f64;
        let out_of_domain = field - (list * list * degree).log2();
        let batching = gap - (self.openings as f64).log2();
        let rounds = (self.log_height + LOG_BLOWUP) as f64;
        let mut terms = vec![lookups, constraints, out_of_domain, batching, queries.bits(), COLLISION_BITS];
        terms.extend(folding.map(|one| one.bits() - rounds.log2()));
        let terms: Vec<ErrorBits> = terms.into_iter().map(ErrorBits::from_log2).collect();
        ErrorBits::sum(&terms).bits()
    }

    fn instance(&self) -> InstanceShape {
        InstanceShape {
            log_trace_length: self.log_height,
            modulus_bits: FIELD_BITS,
            collision_resistance: 128,
            num_batched_functions: self.openings,
        }
    }
}

fn fri(queries: usize) -> FriRegime {
    FriRegime {
        log_blowup: LOG_BLOWUP,
        num_queries: queries,
        log_final_poly_len: 0,
        max_log_arity: LOG_FOLDING_ARITY,
        commit_pow_bits: 0,
        query_pow_bits: QUERY_GRINDING_BITS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        air::{Kind, Table},
        config::Challenge,
        proof::SEGMENTS_MAX,
        segment::CLAIMS_MAX,
    };
    use p3_air::{Air, symbolic::AirLayout};
    use p3_koala_bear::KoalaBear;
    use p3_lookup::{InteractionSymbolicBuilder, LogUpGadget, Lookups, check_bus_widths};
    use p3_security::{GrindingSites, StarkAirParams, logup, stark::proven_security_report};

    fn shape(log_height: u8) -> Shape {
        Shape { records: vec![log_height], accounts: vec![log_height], nodes: vec![log_height] }
    }

    #[test]
    fn one_segment_has_these_queries_and_bits() {
        // Of every height there can be, with the three tables equally tall, which is the worst.
        let known =
            [(6, 176, 100), (8, 176, 103), (10, 176, 103), (12, 176, 102), (16, 176, 102), (20, 176, 100)];
        for (log_height, queries, bits) in known {
            let soundness = Soundness::of(&shape(log_height), 1, 1);
            assert_eq!(
                (soundness.queries, soundness.bits.floor()),
                (queries, f64::from(bits)),
                "2^{log_height}"
            );
        }
    }

    #[test]
    fn every_shape_reaches_what_is_needed_in_every_number_of_segments() {
        for log_height in 6..=20 {
            for segments in [1, 2, 3, 16, SEGMENTS_MAX] {
                let one = Soundness::of(&shape(log_height), CLAIMS_MAX, segments);
                assert!(Soundness::together(&vec![one; segments]) >= BITS_MIN, "2^{log_height}, {segments}");
            }
        }
    }

    /// `p3_security` takes the smallest term, we the sum: so ours is lower, and not by much.
    #[test]
    fn p3_security_says_a_little_more() {
        for log_height in [6, 10, 16, 20] {
            let sizes = Sizes::of(&shape(log_height), 1);
            let air = StarkAirParams {
                num_constraints: sizes.constraints,
                max_constraint_degree: CONSTRAINT_DEGREE,
                num_quotient_chunks: QUOTIENT_CHUNKS,
                max_combo: POINTS,
            };
            let messages = logup::LogUpAir {
                num_interactions: [Kind::Record, Kind::Account, Kind::Node].map(Kind::messages).iter().sum(),
                max_message_width: MESSAGE_FIELDS,
            };
            let lookups = logup::security_term(&messages, &sizes.instance(), &GrindingSites::NONE).unwrap();
            let theirs =
                proven_security_report(&fri(176), &air, &sizes.instance(), &[lookups], &GrindingSites::NONE);
            let (theirs, ours) = (theirs.security_bits(), sizes.soundness(176).bits);
            assert!(ours <= theirs && theirs - ours < 4.0, "2^{log_height}: {ours} against {theirs}");
        }
    }

    /// 176 queries of a code of rate 1/2 at multiplicity m: 176·(1/2 − log₂(1 + 1/2m)) + 16 bits.
    #[test]
    fn the_query_term_is_the_formulas() {
        let m = 50.0f64;
        let formula = 176.0 * (0.5 - (1.0 + 0.5 / m).log2()) + 16.0;
        let term = query_phase_error(alpha_ldr_m(LOG_BLOWUP, 50), 176, QUERY_GRINDING_BITS).bits();
        assert!((formula - term).abs() < 1e-9, "{formula} {term}");
    }

    /// What is counted by hand here is what Plonky3 finds in the tables.
    #[test]
    fn sizes_are_those_of_the_tables() {
        let tables: Vec<Table> =
            [1, 2, 7, CLAIMS_MAX].iter().flat_map(|&claims| shape(6).tables(claims)).collect();
        let lookups: Vec<Lookups<KoalaBear>> =
            tables.iter().map(Lookups::from_air::<Challenge, Table>).collect();
        assert_eq!(check_bus_widths(&lookups).unwrap(), MESSAGE_FIELDS);
        for (table, lookups) in tables.iter().zip(lookups) {
            assert_eq!(lookups.len(), table.kind.messages(), "{:?}", table.kind);
            let packed = lookups.pack_same_bus(&LogUpGadget::new(), CONSTRAINT_DEGREE);
            assert_eq!(packed.len(), table.kind.fractions(), "{:?}", table.kind);
            let mut builder = InteractionSymbolicBuilder::<KoalaBear, Challenge>::new(AirLayout::from_air::<
                KoalaBear,
            >(table));
            table.eval(&mut builder);
            let constraints = builder.base_constraints();
            assert!(constraints.len() <= table.kind.columns(), "{:?}: {}", table.kind, constraints.len());
            assert!(constraints.iter().all(|constraint| constraint.degree_multiple() <= CONSTRAINT_DEGREE));
        }
    }
}
