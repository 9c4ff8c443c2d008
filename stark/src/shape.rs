//! How tall a segment's tables are.

use crate::{
    air::{Compressions, Kind, Table},
    error::StarkError,
};
use arterial_protocol::limits::{ACCOUNTS_DEPTH, BATCH_RECORDS_MAX};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Instances of one table at most.
const PARTS_MAX: usize = 2;
/// The shortest table: the error of shorter ones is hard to keep low, and they save nothing.
const LOG_HEIGHT_MIN: u8 = 6;
/// The tallest table: a batch has at most 2²⁰ of anything.
const LOG_HEIGHT_MAX: u8 = 20;
const _: () = assert!(ACCOUNTS_DEPTH <= LOG_HEIGHT_MAX as usize && BATCH_RECORDS_MAX <= 1 << LOG_HEIGHT_MAX);

/// The heights of a segment's tables, as base-2 logarithms: of each table one instance or two, the taller first.
///
/// Most counts are far from a power of two; two powers of two come closer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) records: Vec<u8>,
    pub(crate) accounts: Vec<u8>,
    pub(crate) nodes: Vec<u8>,
}

impl Shape {
    /// What a verifier takes from a proof.
    pub(crate) fn check(&self) -> Result<(), StarkError> {
        for parts in [&self.records, &self.accounts, &self.nodes] {
            if parts.len() > PARTS_MAX {
                return Err(StarkError::Malformed { fault: "a table has too many parts" });
            }
            if parts.iter().any(|log_height| !(LOG_HEIGHT_MIN..=LOG_HEIGHT_MAX).contains(log_height)) {
                return Err(StarkError::Malformed { fault: "a table is too tall or too short" });
            }
            if !parts.is_sorted_by(|taller, shorter| taller > shorter) {
                return Err(StarkError::Malformed { fault: "a table's parts are not in order" });
            }
        }
        Ok(())
    }

    /// Every instance with its height's logarithm: the claims', then the others as they are in the proof.
    pub(crate) fn instances(&self, claims: usize) -> impl Iterator<Item = (Kind, u8)> {
        let of =
            |kind, parts: &[u8]| parts.iter().map(move |&log_height| (kind, log_height)).collect::<Vec<_>>();
        [(Kind::Claim(claims), 0)]
            .into_iter()
            .chain(of(Kind::Record, &self.records))
            .chain(of(Kind::Account, &self.accounts))
            .chain(of(Kind::Node, &self.nodes))
    }

    /// The instances' tables, for so many claims.
    pub(crate) fn tables(&self, claims: usize) -> Vec<Table> {
        let compressions = Arc::new(Compressions::new());
        self.instances(claims)
            .map(|(kind, _)| Table { kind, compressions: Arc::clone(&compressions) })
            .collect()
    }

    /// The heights' logarithms, in the order of the instances.
    pub(crate) fn log_heights(&self) -> Vec<usize> {
        self.instances(1).map(|(_, log_height)| usize::from(log_height)).collect()
    }
}

/// The heights of instances that hold `rows` rows with few left over.
#[cfg(feature = "prover")]
pub(crate) fn heights(rows: usize) -> Vec<u8> {
    if rows == 0 {
        return Vec::new();
    }
    let log = |rows: usize| {
        let log_height = u8::try_from(rows.next_power_of_two().trailing_zeros()).expect("a logarithm");
        log_height.max(LOG_HEIGHT_MIN)
    };
    let half = rows.next_power_of_two() / 2;
    match (log(half), log(rows - half)) {
        (taller, shorter) if taller > shorter => vec![taller, shorter],
        _ => vec![log(rows)],
    }
}

#[cfg(all(test, feature = "prover"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_hold_the_rows_and_pass_the_check(rows in 1usize..=1 << 20) {
            let parts = heights(rows);
            let held: usize = parts.iter().map(|&log_height| 1 << log_height).sum();
            prop_assert!(rows <= held && held < rows + rows / 3 + (2 << LOG_HEIGHT_MIN), "{:?}", parts);
            prop_assert_eq!(Shape { records: parts, accounts: vec![], nodes: vec![] }.check(), Ok(()));
        }
    }
}
