//! Whether everything that was acknowledged is final, once, and was posted as one thing.

use crate::{
    Soak,
    devices::{Device, devices},
    nodes::{self, Anvil},
    weather::Seen,
    worker,
};
use arterial::{
    At, BlockNumber, Engine, Receipt, Stage,
    protocol::ShardId,
    rollup::chain::contract::Address,
    shards::published_batch,
    storage::{FileStorage, Storage},
};
use serde_json::json;
use std::{collections::BTreeMap, error::Error, path::Path, sync::Arc};

/// What holds.
#[derive(Clone, Copy)]
pub(crate) struct Verdict {
    pub(crate) blocks: u64,
    pub(crate) records: u64,
    pub(crate) receipts: u64,
    pub(crate) gas: (u64, u64),
    /// Transactions of the account that were included and posted nothing.
    pub(crate) reverted: u64,
}

/// Checks it from the files and the node alone.
pub(crate) fn judge(
    dir: &Path,
    anvil: &Anvil,
    contract: Address,
    args: &Soak,
    ticks: u64,
) -> Result<Verdict, Box<dyn Error>> {
    let engine = worker::open(dir, &anvil.url(), contract)?;
    let last = engine.flush(Stage::Final)?;
    let state = engine.state();
    if [state.proven, state.posted, state.finalized] != [last; 3] || state.unsealed_records != 0 {
        return Err(format!("there is a backlog: {state:?}").into());
    }
    let devices = devices(args.rate);
    let (records, gas) = check_blocks(&engine, dir, last, devices.len(), ticks)?;
    let receipts = check_receipts(&engine, &devices, ticks, args.receipts)?;
    let nonce = nodes::number(&anvil.ask("eth_getTransactionCount", json!([nodes::ACCOUNT, "latest"])));
    // One deployed the contract.
    let reverted = nonce - 1 - last.0;
    Ok(Verdict { blocks: last.0, records, receipts, gas, reverted })
}

/// Every block follows the rules, record by record, and is the contract's, finally; and every write of every device is in
/// exactly one of them.
fn check_blocks(
    engine: &Engine,
    dir: &Path,
    last: BlockNumber,
    devices: usize,
    ticks: u64,
) -> Result<(u64, (u64, u64)), Box<dyn Error>> {
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let config = engine.deployment().shards_config(dir);
    let mut seqs: BTreeMap<(ShardId, u32), Vec<u64>> = BTreeMap::new();
    let (mut least, mut most, mut records) = (u64::MAX, 0, 0);
    for number in (1..=last.0).map(BlockNumber) {
        let audit = arterial::audit(dir, number)?;
        let settled = engine.chain().state_root(number, At::Finalized)?;
        if settled != Some(audit.statement.new_state_root) {
            return Err(format!("block {number} has another root on the chain: {settled:?}").into());
        }
        let inclusion = engine.block(number)?.inclusion.ok_or("a final block stands nowhere")?;
        if number.0 > 1 {
            (least, most) = (least.min(inclusion.gas_used), most.max(inclusion.gas_used));
        }
        records += audit.statement.record_count;
        for shard in audit.batches.iter().map(|batch| batch.shard) {
            let batch = published_batch(&storage, &config, shard, number)?;
            for run in batch.runs() {
                let account = seqs.entry((shard, run.slot)).or_default();
                account.extend(run.links.iter().map(|link| u64::from(link.seq)));
            }
        }
    }
    if seqs.len() != devices || !seqs.values().all(|seqs| seqs.iter().copied().eq(0..ticks)) {
        return Err("a write is missing, or there twice, or out of order".into());
    }
    Ok((records, (least, most)))
}

/// Receipts verify against the contract's finalised roots, and the newest ones say that nothing is missing.
fn check_receipts(
    engine: &Engine,
    devices: &[Device],
    ticks: u64,
    wanted: u64,
) -> Result<u64, Box<dyn Error>> {
    let mut roots = BTreeMap::new();
    let newest = devices.iter().map(|device| (device, ticks - 1));
    let spread = (0..wanted).zip(devices.iter().cycle()).map(|(n, device)| (device, n * ticks / wanted));
    let mut receipts = 0;
    for (device, seq) in newest.chain(spread) {
        let receipt = Receipt::decode(&engine.receipt(device.id, seq)?.encode())?;
        let root = match roots.get(&receipt.number) {
            Some(root) => *root,
            None => {
                let root = engine.chain().state_root(receipt.number, At::Finalized)?;
                *roots.entry(receipt.number).or_insert(root.ok_or("a receipt's block is not final")?)
            }
        };
        let verified = receipt.verify(&root)?;
        if (verified.device, verified.seq, u64::from(verified.position)) != (device.id, seq, seq)
            || !verified.history_is_gapless
        {
            return Err(format!("a receipt says something else: {verified:?}").into());
        }
        receipts += 1;
    }
    Ok(receipts)
}

/// Whatever was sent for a block had one content.
pub(crate) fn one_content(seen: &Seen, blocks: u64) -> Result<(), Box<dyn Error>> {
    for number in 1..=blocks {
        let contents = seen.posts.get(&number).map_or(0, |(contents, _)| contents.len());
        if contents != 1 {
            return Err(format!("block {number} was sent with {contents} contents").into());
        }
    }
    Ok(())
}
