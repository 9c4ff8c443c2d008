//! `arterial rebuild`: the newest accounts, from what the base chain has and nothing else.

use super::RebuildArgs;
use crate::{
    error::CliError,
    output::{self, grouped},
};
use arterial::{
    At, BaseChain as _, BlockNumber,
    protocol::ShardId,
    rollup::{
        chain::ethereum::{Beacon, EthereumChain, PublishedDelta},
        delta::Rebuilt,
    },
};
use serde::Serialize;
use std::{fmt::Write as _, time::Duration};

const TIMEOUT: Duration = Duration::from_secs(30);

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    /// The newest block that was rebuilt; every root up to it is the contract's.
    block: u64,
    /// Whether the contract's finalised state has it.
    is_final: bool,
    records: u64,
    accounts: usize,
    shards: Vec<ShardReport>,
    blob_gas: u64,
    blob_gas_a_record: f64,
    /// Wei for all blobs.
    blob_fees: u128,
    blocks: Vec<Row>,
}

#[derive(Serialize)]
struct ShardReport {
    shard: u32,
    accounts: usize,
    records: u64,
    /// The root over its accounts, eight limbs of four bytes.
    accounts_root: String,
}

#[derive(Serialize)]
struct Row {
    block: u64,
    records: u64,
    accounts: usize,
    bytes: usize,
    blobs: usize,
    blob_gas: u64,
    blob_gas_price: u128,
    gas: u64,
}

/// Rebuilds them block by block and compares each state root with the contract's.
pub(crate) fn rebuild(args: &RebuildArgs) -> Result<(), CliError> {
    let (_, chain) = super::read(args.rpc.clone(), args.contract)?;
    let beacon = Beacon::new(args.beacon.clone(), TIMEOUT);
    let settled = chain.head()?.settled;
    let (mut rebuilt, mut rows) = (None, Vec::new());
    for number in (1..=settled.0).map(BlockNumber) {
        let published = chain.published_delta(number, &beacon)?;
        let before = match rebuilt.take() {
            Some(rebuilt) => rebuilt,
            None => genesis(&chain, &published)?,
        };
        let records_before = records(&before);
        let after = before.apply(&published.delta).map_err(|source| CliError::Rebuild { source })?;
        compare(&chain, &after)?;
        rows.push(row(&published, records(&after) - records_before));
        rebuilt = Some(after);
    }
    let rebuilt = rebuilt.ok_or(CliError::NothingToRebuild)?;
    let is_final = chain.state_root(rebuilt.number(), At::Finalized)?.is_some();
    let report = Report::new(&rebuilt, rows, is_final);
    if args.json { output::print_json(&report) } else { output::print(&report.table()) }
}

/// What the first delta says it begins with, if the contract began with it.
fn genesis(chain: &EthereumChain, first: &PublishedDelta) -> Result<Rebuilt, CliError> {
    let genesis = Rebuilt::genesis(first.delta.domain, first.delta.shards);
    compare(chain, &genesis)?;
    Ok(genesis)
}

fn compare(chain: &EthereumChain, rebuilt: &Rebuilt) -> Result<(), CliError> {
    let (number, ours) = (rebuilt.number(), rebuilt.state_root());
    match chain.state_root(number, At::Latest)? {
        Some(theirs) if theirs == ours => Ok(()),
        theirs => Err(CliError::RebuiltOtherwise { number, ours, theirs }),
    }
}

fn shards(rebuilt: &Rebuilt) -> impl Iterator<Item = ShardReport> {
    (0..).map(ShardId).map_while(|shard| {
        let (leaf, accounts) = (rebuilt.leaf(shard)?, rebuilt.accounts(shard)?.len());
        let accounts_root = hex::encode(leaf.accounts_root.to_bytes());
        Some(ShardReport { shard: shard.0, accounts, records: leaf.total_records, accounts_root })
    })
}

fn records(rebuilt: &Rebuilt) -> u64 {
    shards(rebuilt).map(|shard| shard.records).sum()
}

fn row(published: &PublishedDelta, records: u64) -> Row {
    let PublishedDelta { delta, bytes, blobs, blob_gas, blob_gas_price, gas } = published;
    let accounts = delta.changed.iter().map(|shard| shard.accounts.len()).sum();
    let (bytes, blobs, blob_gas, gas) = (*bytes, *blobs, *blob_gas, *gas);
    Row {
        block: delta.number.0,
        records,
        accounts,
        bytes,
        blobs,
        blob_gas,
        blob_gas_price: *blob_gas_price,
        gas,
    }
}

impl Report {
    fn new(rebuilt: &Rebuilt, blocks: Vec<Row>, is_final: bool) -> Self {
        let shards: Vec<ShardReport> = shards(rebuilt).collect();
        let records = shards.iter().map(|shard| shard.records).sum::<u64>();
        let blob_gas = blocks.iter().map(|row| row.blob_gas).sum::<u64>();
        Self {
            block: rebuilt.number().0,
            is_final,
            records,
            accounts: shards.iter().map(|shard| shard.accounts).sum(),
            shards,
            blob_gas,
            blob_gas_a_record: blob_gas as f64 / records.max(1) as f64,
            blob_fees: blocks.iter().map(|row| u128::from(row.blob_gas) * row.blob_gas_price).sum(),
            blocks,
        }
    }

    fn table(&self) -> String {
        let mut table = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "{:>8} {:>12} {:>10} {:>10} {:>6} {:>10} {:>12} {:>9}",
            "block", "records", "accounts", "bytes", "blobs", "blob gas", "wei for one", "gas"
        );
        for row in &self.blocks {
            let _ = writeln!(
                table,
                "{:>8} {:>12} {:>10} {:>10} {:>6} {:>10} {:>12} {:>9}",
                row.block,
                grouped(row.records),
                grouped(row.accounts as u64),
                grouped(row.bytes as u64),
                row.blobs,
                grouped(row.blob_gas),
                row.blob_gas_price,
                grouped(row.gas)
            );
        }
        let last = if self.is_final { "final" } else { "not final yet" };
        let _ = writeln!(
            table,
            "\nrebuilt from blobs alone: {} accounts in {} shards after block {}, {last}; every state root is the contract's\n\
             blobs: {} gas, {:.2} a record of {}, {} wei in all",
            grouped(self.accounts as u64),
            self.shards.len(),
            self.block,
            grouped(self.blob_gas),
            self.blob_gas_a_record,
            grouped(self.records),
            self.blob_fees
        );
        table
    }
}
