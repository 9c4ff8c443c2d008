//! What is proven in a second, by whom.

mod arterial;
mod groth16;

use crate::Error;
use serde::{Deserialize, Serialize};

/// One way to prove.
pub(crate) struct Prover {
    pub(crate) name: &'static str,
    /// In the lock file; without one it is of this repository.
    pub(crate) package: Option<&'static str>,
    pub(crate) setup: &'static str,
    /// What its proof does not say.
    pub(crate) lacks: &'static str,
}

/// In the order of the table, which is that of [`measure`].
pub(crate) const PROVERS: [Prover; 3] = [groth16::PROVER, arterial::PROVER, arterial::BARE];

/// What one run of one of them came to.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Proven {
    pub(crate) records_per_second: f64,
    pub(crate) proof_bytes: Option<f64>,
    pub(crate) verify_ms: Option<f64>,
    pub(crate) rss_bytes: Option<f64>,
}

/// One run of each.
pub(crate) fn measure(seconds: u64) -> Result<[Proven; 3], Error> {
    let groth16 = groth16::measure(seconds)?;
    let (arterial, bare) = arterial::measure()?;
    Ok([groth16, arterial, bare])
}
