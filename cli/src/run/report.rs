//! What a run has to say at its end.

use super::{ingest::Ingested, plan::Plan};
use crate::{
    environment::Environment,
    error::CliError,
    input::Skipped,
    lines::Lines,
    output::{counted, grouped},
};
use arterial::{BlockNumber, Deployment, Engine, EngineState, StateRoot};
use serde::Serialize;
use std::path::Path;

/// The report, as `--json` prints it.
#[derive(Serialize, Debug)]
pub(crate) struct Report {
    pub(crate) environment: Environment,
    /// Writes of this run that are durable.
    pub(crate) records: usize,
    /// Those of them that were so before this run.
    pub(crate) repeated: usize,
    /// Writes that were refused.
    pub(crate) refused: usize,
    pub(crate) devices: usize,
    pub(crate) shards: u32,
    /// Bytes of the readings themselves.
    pub(crate) payload_bytes: u64,
    /// Before ingest, on the devices' side.
    pub(crate) sign_seconds: f64,
    /// From the first submit to the last durable acknowledgement.
    pub(crate) seconds: f64,
    pub(crate) records_per_second: f64,
    /// From the last acknowledgement to the finality of the last block.
    pub(crate) settle_seconds: f64,
    /// Final blocks of the deployment.
    pub(crate) blocks: u64,
    /// Records in them.
    pub(crate) block_records: u64,
    pub(crate) gas_per_block: Option<f64>,
    pub(crate) gas_per_record: Option<f64>,
    pub(crate) proof_bytes: usize,
    /// For a block, on average over those proven in this run.
    pub(crate) prove_seconds: Option<f64>,
    pub(crate) receipts_verified: usize,
    /// Of the last block, read back from the chain.
    pub(crate) state_root: String,
    pub(crate) domain: String,
    pub(crate) chain_id: u64,
    pub(crate) skipped_inputs: usize,
    pub(crate) skipped: Vec<SkippedInput>,
}

/// An input that was not, or not wholly, taken.
#[derive(Serialize, Debug)]
pub(crate) struct SkippedInput {
    pub(crate) path: String,
    pub(crate) reason: String,
}

impl From<Skipped> for SkippedInput {
    fn from(skipped: Skipped) -> Self {
        Self { path: skipped.path.display().to_string(), reason: skipped.reason }
    }
}

/// What posting the blocks cost.
#[derive(Default, Debug)]
pub(crate) struct Settlement {
    blocks: u64,
    records: u64,
    /// Of the blocks whose inclusion the chain tells.
    gas: u64,
    gas_blocks: u64,
    gas_records: u64,
    /// Records and gas of each of them.
    by_block: Vec<(u64, u64)>,
}

impl Settlement {
    /// Sums up the blocks to the last.
    pub(crate) fn of(engine: &Engine, last: BlockNumber) -> Result<Self, CliError> {
        let mut sum = Self { blocks: last.0, ..Self::default() };
        for number in 1..=last.0 {
            let block = engine.block(BlockNumber(number))?;
            let records = block.statement.record_count;
            sum.records += records;
            if let Some(inclusion) = block.inclusion {
                sum.gas += inclusion.gas_used;
                sum.gas_blocks += 1;
                sum.gas_records += records;
                sum.by_block.push((records, inclusion.gas_used));
            }
        }
        Ok(sum)
    }

    pub(crate) fn by_block(&self) -> &[(u64, u64)] {
        &self.by_block
    }
}

/// The parts of a run that a report is made of.
pub(crate) struct Parts<'a> {
    pub(crate) environment: Environment,
    pub(crate) plan: &'a Plan,
    pub(crate) ingested: &'a Ingested,
    pub(crate) settlement: &'a Settlement,
    pub(crate) deployment: Deployment,
    pub(crate) state: EngineState,
    pub(crate) sign_seconds: f64,
    pub(crate) settle_seconds: f64,
    pub(crate) receipts_verified: usize,
    pub(crate) state_root: StateRoot,
    pub(crate) skipped: Vec<Skipped>,
}

impl Report {
    pub(crate) fn new(parts: Parts<'_>) -> Self {
        let Parts { plan, ingested, settlement, deployment, state, .. } = parts;
        let payload_bytes = (0..plan.writes()).map(|at| plan.write(at).payload.len() as u64).sum();
        Self {
            environment: parts.environment,
            records: ingested.durable,
            repeated: ingested.repeated,
            refused: ingested.refused.len(),
            devices: plan.devices().len(),
            shards: deployment.shards.get(),
            payload_bytes,
            sign_seconds: parts.sign_seconds,
            seconds: ingested.seconds,
            records_per_second: ingested.records_per_second(),
            settle_seconds: parts.settle_seconds,
            blocks: settlement.blocks,
            block_records: settlement.records,
            gas_per_block: ratio(settlement.gas as f64, settlement.gas_blocks),
            gas_per_record: ratio(settlement.gas as f64, settlement.gas_records),
            proof_bytes: arterial::protocol::BlockProof::BYTES,
            prove_seconds: ratio(state.prove_seconds, state.blocks_proven),
            receipts_verified: parts.receipts_verified,
            state_root: parts.state_root.to_string(),
            domain: deployment.domain.0.to_string(),
            chain_id: deployment.chain_id,
            skipped_inputs: parts.skipped.len(),
            skipped: parts.skipped.into_iter().map(SkippedInput::from).collect(),
        }
    }

    /// Whether everything that was given came through.
    pub(crate) fn is_complete(&self) -> bool {
        self.refused == 0 && self.skipped.is_empty()
    }

    /// The report for people.
    pub(crate) fn lines(&self, dir: &Path) -> Lines {
        let dir = dir.display();
        let mut lines = Lines::default();
        let mut row = |name: &str, value: String| lines.push(name, value);
        let mut records = format!("{} durable", grouped(self.records as u64));
        if self.repeated > 0 {
            records += &format!(", {} of them before this run", grouped(self.repeated as u64));
        }
        if self.refused > 0 {
            records += &format!(", {} refused", grouped(self.refused as u64));
        }
        row("records", records);
        row(
            "devices",
            format!("{} over {}", grouped(self.devices as u64), counted(self.shards.into(), "shard")),
        );
        row("payload", format!("{} bytes", grouped(self.payload_bytes)));
        row("signing", format!("{:.3} s, by the devices, before ingest", self.sign_seconds));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is small and positive"
        )]
        let rate = self.records_per_second.round() as u64;
        row("ingest", format!("{:.3} s, {} durable records a second", self.seconds, grouped(rate)));
        let proving = self
            .prove_seconds
            .map_or("none proven in this run".into(), |s| format!("{s:.3} s to prove each"));
        row(
            "blocks",
            format!(
                "{} final with {}, {proving}",
                grouped(self.blocks),
                counted(self.block_records, "record")
            ),
        );
        row("settling", format!("{:.3} s, to the finality of the last block", self.settle_seconds));
        if let (Some(block), Some(record)) = (self.gas_per_block, self.gas_per_record) {
            row(
                "gas",
                format!("{block:.0} a block, {record:.2} a record, for proofs of {} bytes", self.proof_bytes),
            );
        }
        row(
            "receipts",
            format!(
                "{} verified against the roots that the chain answers",
                grouped(self.receipts_verified as u64)
            ),
        );
        row("state root", format!("{} at block {}", self.state_root, self.blocks));
        row("keys", format!("{dir}/block.key: unless from a ceremony, whoever made them could forge proofs"));
        row(
            "directory",
            format!(
                "{dir}: receipts in {dir}/receipts, this report in {dir}/report.json, with plots in {dir}/report.html"
            ),
        );
        lines
    }
}

fn ratio(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}
