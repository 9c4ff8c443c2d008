//! In one line, how sure a batch proof makes and why.

use arterial::rollup::batch_proof::{Regime, Soundness};
use serde_json::{Value, json};

/// The proof's bits, and the parameters that give them; of several segments those of the weakest.
pub(crate) fn text(segments: &[Soundness]) -> String {
    let Some(weakest) = segments.iter().min_by(|left, right| left.bits.total_cmp(&right.bits)) else {
        return "no batches, nothing to prove".to_owned();
    };
    let regime = match weakest.regime {
        Regime::UniqueDecoding => "unique decoding".to_owned(),
        Regime::ListDecoding { multiplicity } => format!("list decoding with m = {multiplicity}"),
        _ => "another regime".to_owned(),
    };
    let segmented = match segments.len() {
        1 => String::new(),
        count => format!("; {count} segments"),
    };
    format!(
        "{:.1} bits proven by {regime}: extension degree {}, blow-up {}, {} queries, {} bits of grinding{segmented}",
        Soundness::together(segments),
        weakest.extension_degree,
        1 << weakest.log_blowup,
        weakest.queries,
        weakest.query_grinding_bits
    )
}

pub(crate) fn as_json(segments: &[Soundness]) -> Value {
    let segment = |segment: &Soundness| {
        json!({
            "bits": segment.bits,
            "regime": match segment.regime {
                Regime::UniqueDecoding => "unique decoding",
                Regime::ListDecoding { .. } => "list decoding",
                _ => "another",
            },
            "extension_degree": segment.extension_degree,
            "blowup": 1 << segment.log_blowup,
            "queries": segment.queries,
            "grinding_bits": segment.query_grinding_bits,
        })
    };
    json!({
        "proven_bits": (!segments.is_empty()).then(|| Soundness::together(segments)),
        "segments": segments.iter().map(segment).collect::<Vec<_>>(),
    })
}
