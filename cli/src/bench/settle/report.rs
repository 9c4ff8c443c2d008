//! What settling cost.

use super::{super::findings::Findings, Posted};
use crate::{
    args::SettleArgs,
    lines::Lines,
    output::{counted, grouped},
    page::{Axis, Bar, Bars, Chart, Drawing, Plot, Scale, Section, Series, Tile},
};
use serde::Serialize;

/// Every transaction's.
const TRANSACTION_GAS: u64 = 21_000;
/// EIP-1108: a check of four pairings, and three products and three sums.
const PAIRING_GAS: u64 = 45_000 + 4 * 34_000;
const PRODUCTS_GAS: u64 = 3 * (6_000 + 150);
/// EIP-2929: the new root's slot, written for the first time.
const SLOT_GAS: u64 = 2_100 + 20_000;

/// What `arterial bench settle` prints.
#[derive(Serialize, Debug)]
pub(crate) struct SettleReport {
    shards: u32,
    blocks: usize,
    records: u64,
    /// Making the Groth16 keys.
    setup_seconds: f64,
    /// Of a block's proof: the median.
    prove_seconds: f64,
    prove_seconds_max: f64,
    /// Submitted, checked and carried out by the contract, and synced.
    posts_per_second: f64,
    proof_bytes: usize,
    calldata_bytes: usize,
    /// The first block's.
    gas_first: u64,
    gas_per_block: f64,
    gas_min: u64,
    gas_max: u64,
    /// What EIP-1108 prices of it, with the transaction and its calldata: no contract that checks this proof is below.
    gas_floor: u64,
    ratio_to_floor: f64,
    parts: Vec<Part>,
    by_size: Vec<Size>,
}

/// Gas for one thing.
#[derive(Serialize, Debug)]
struct Part {
    what: &'static str,
    gas: u64,
}

/// What a block of some size costs.
#[derive(Serialize, Debug)]
struct Size {
    records: u64,
    gas: u64,
    gas_per_record: f64,
}

fn calldata_gas(calldata: &[u8]) -> u64 {
    // EIP-2028.
    calldata.iter().map(|&byte| if byte == 0 { 4 } else { 16 }).sum()
}

impl SettleReport {
    #[expect(clippy::cast_precision_loss, reason = "ratios")]
    pub(super) fn new(
        args: &SettleArgs,
        setup_seconds: f64,
        prove_seconds: &[f64],
        posts_per_second: f64,
        posted: &[Posted],
    ) -> Self {
        let after_first = posted.get(1..).unwrap_or_default();
        let (asked, sizes) = after_first.split_at(after_first.len().min(args.blocks as usize));
        let last = asked.last();
        let calldata = last.map_or(0, |posted| calldata_gas(&posted.calldata));
        let gas = last.map_or(0, |posted| posted.gas);
        let mut parts = vec![
            Part { what: "pairings (EIP-1108)", gas: PAIRING_GAS },
            Part { what: "products and sums (EIP-1108)", gas: PRODUCTS_GAS },
            Part { what: "the transaction", gas: TRANSACTION_GAS },
            Part { what: "calldata (EIP-2028)", gas: calldata },
            Part { what: "the new root's slot (EIP-2929)", gas: SLOT_GAS },
        ];
        let named: u64 = parts.iter().map(|part| part.gas).sum();
        parts.push(Part { what: "everything else", gas: gas.saturating_sub(named) });
        let gas_floor = PAIRING_GAS + PRODUCTS_GAS + TRANSACTION_GAS + calldata;
        let gas_per_block =
            asked.iter().map(|posted| posted.gas as f64).sum::<f64>() / asked.len().max(1) as f64;
        let by_size = |posted: &Posted| Size {
            records: posted.records,
            gas: posted.gas,
            gas_per_record: posted.gas as f64 / posted.records as f64,
        };
        Self {
            shards: args.shards,
            blocks: asked.len(),
            records: args.records,
            setup_seconds,
            prove_seconds: prove_seconds[prove_seconds.len() / 2],
            prove_seconds_max: prove_seconds[prove_seconds.len() - 1],
            posts_per_second,
            proof_bytes: arterial::protocol::BlockProof::BYTES,
            calldata_bytes: last.map_or(0, |posted| posted.calldata.len()),
            gas_first: posted.first().map_or(0, |posted| posted.gas),
            gas_per_block,
            gas_min: asked.iter().map(|posted| posted.gas).min().unwrap_or(0),
            gas_max: asked.iter().map(|posted| posted.gas).max().unwrap_or(0),
            gas_floor,
            ratio_to_floor: gas_per_block / gas_floor as f64,
            parts,
            by_size: sizes.iter().map(by_size).collect(),
        }
    }

    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        lines.push(
            "blocks",
            format!(
                "{} of {}, {}",
                self.blocks,
                counted(self.records, "record"),
                counted(self.shards.into(), "shard")
            ),
        );
        lines.push("keys made", format!("in {:.2} s, once for a deployment", self.setup_seconds));
        lines.push(
            "a block's proof",
            format!(
                "{:.3} s, at most {:.3} s, {} bytes",
                self.prove_seconds, self.prove_seconds_max, self.proof_bytes
            ),
        );
        lines.push(
            "posts per second",
            format!("{:.0}, carried out and synced by the embedded chain", self.posts_per_second),
        );
        lines.push("calldata", format!("{} bytes", self.calldata_bytes));
        lines.push("gas of the first block", grouped(self.gas_first));
        lines.push(
            "gas of a block after it",
            format!("{:.0} ({} to {})", self.gas_per_block, grouped(self.gas_min), grouped(self.gas_max)),
        );
        lines.push(
            "floor",
            format!(
                "{} by EIP-1108, with the transaction and its calldata: {:.2} times as much",
                grouped(self.gas_floor),
                self.ratio_to_floor
            ),
        );
        for part in &self.parts {
            lines.push(format!("  {}", part.what), grouped(part.gas));
        }
        for size in &self.by_size {
            let records = format!("  {}", counted(size.records, "record"));
            lines.push(
                records,
                format!("{} gas a block, {:.4} a record", grouped(size.gas), size.gas_per_record),
            );
        }
        lines
    }

    #[expect(clippy::cast_precision_loss, reason = "a drawing")]
    fn charts(&self) -> Vec<Chart> {
        let points = self.by_size.iter().map(|size| (size.records as f64, size.gas_per_record)).collect();
        let log = |label| Axis { label, scale: Scale::Log };
        let by_size = Chart {
            title: "Gas a record, by records in a block",
            note: "A block costs the same whatever it holds, so each record costs a tenth of it where ten times as many \
                   share it."
                .into(),
            drawing: Drawing::Plot(Plot {
                x: log("records in a block"),
                y: log("gas a record"),
                series: vec![Series { name: "gas a record".into(), points }],
            }),
        };
        let bar =
            Bar { name: "a block".into(), sizes: self.parts.iter().map(|part| part.gas as f64).collect() };
        let floor = [PAIRING_GAS, PRODUCTS_GAS, TRANSACTION_GAS, self.parts[3].gas].map(|gas| gas as f64);
        let floor = Bar { name: "the floor".into(), sizes: floor.into() };
        let parts = Chart {
            title: "Where a block's gas goes",
            note: "Pairings and products are the check of the proof, at prices that EIP-1108 fixes: no contract that checks \
                   such a proof costs less than the floor."
                .into(),
            drawing: Drawing::Bars(Bars {
                unit: "gas",
                parts: self.parts.iter().map(|part| part.what).collect(),
                bars: vec![bar, floor],
            }),
        };
        vec![by_size, parts]
    }
}

impl Findings for SettleReport {
    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("prove_seconds", self.prove_seconds),
            ("posts_per_second", self.posts_per_second),
            ("gas_per_block", self.gas_per_block),
        ]
    }

    fn tiles(&self) -> Vec<Tile> {
        vec![
            Tile::new(format!("{:.0}", self.gas_per_block), "gas a block, whatever it holds"),
            Tile::new(format!("{:.2} ×", self.ratio_to_floor), "the floor that EIP-1108 sets"),
            Tile::new(format!("{:.2} s", self.prove_seconds), "to prove a block's state root"),
        ]
    }

    fn sections(&self) -> Vec<Section> {
        vec![Section::new("Settling", self.lines(), self.charts())]
    }
}
