//! The way of one record, from its device to the base chain, as its receipt has it.

use super::{plan::Plan, receipts::Roots};
use crate::{
    error::CliError,
    input::{kind, time},
    output::{counted, grouped},
    page::{Level, Path, Station},
};
use arterial::{
    BlockSummary, Credential, Engine, Receipt, StateRoot,
    protocol::{Account, Evidence, FieldElement, Link, ShardCount, ShardLeaf, empty_subtree},
};

/// The way of a record of this run.
pub(super) fn of(
    engine: &Engine,
    plan: &Plan,
    (device, seq): (usize, u32),
    roots: &Roots,
) -> Result<Path, CliError> {
    let write = plan.write_of(device, seq);
    let bytes = engine.receipt(write.device, write.seq)?.encode();
    // What is drawn is what its holder has, and has checked.
    let wrong = |what: String| CliError::WrongReceipt { what };
    let receipt = Receipt::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
    let root = roots.of(receipt.number)?;
    receipt.verify(root).map_err(|error| wrong(error.to_string()))?;
    let block = engine.block(receipt.number)?;
    Ok(Path {
        title: "From a device to the chain",
        note: format!(
            "One reading of {}, drawn from its receipt of {} bytes, which verifies against the root that the contract \
             answers. Squares are what was hashed beside it on its way; hollow ones are places that no device has.",
            plan.label(device),
            grouped(bytes.len() as u64)
        ),
        stations: stations(&receipt, root, engine.deployment().shards, &block),
    })
}

fn stations(receipt: &Receipt, root: &StateRoot, shards: ShardCount, block: &BlockSummary) -> Vec<Station> {
    let write = receipt.record.write();
    let link = receipt.record.link();
    let later = receipt.later.len();
    let account = account(receipt, &link);
    let leaf = ShardLeaf {
        shard: write.device.shard(shards),
        accounts_root: receipt.accounts_root,
        total_records: receipt.total_records,
        data: receipt.data,
    };
    let plain = |name, value, how| Station { name, value, how, level: None };
    let mut stations = vec![
        plain(
            "Device",
            write.device.to_string(),
            format!("{}, seq {}, by {}", kind::name(write.kind), write.seq, authorship(receipt)),
        ),
        plain(
            "Record",
            link.digest.to_string(),
            format!("BLAKE3, salted; observed {}", minute(write.observed_at_ms)),
        ),
        plain(
            "Device's history",
            receipt.head_after.to_string(),
            match later {
                0 => "Poseidon over what was before, and it".to_owned(),
                1 => "Poseidon, with it and a later record".to_owned(),
                _ => format!("Poseidon, with it and {later} later records"),
            },
        ),
        Station {
            name: "Account",
            value: account.leaf().to_string(),
            how: format!("slot {}, {} so far", receipt.slot, counted(receipt.count.into(), "record")),
            level: Some(Level { name: "accounts", siblings: accounts_level(receipt) }),
        },
        plain(
            "Shard's accounts",
            receipt.accounts_root.to_string(),
            format!("{} Poseidon compressions up the tree", receipt.accounts_path.len()),
        ),
        Station {
            name: "Shard",
            value: leaf.hash().to_string(),
            how: format!(
                "shard {} of {}, {}",
                leaf.shard,
                shards.get(),
                counted(leaf.total_records, "record")
            ),
            level: (!receipt.shards_path.is_empty())
                .then(|| Level { name: "shards", siblings: receipt.shards_path.iter().map(byte).collect() }),
        },
        plain(
            "State root",
            root.to_string(),
            format!("block {}, {}, proven", receipt.number, counted(block.statement.record_count, "record")),
        ),
    ];
    stations.push(match block.inclusion {
        Some(inclusion) => plain(
            "Base chain",
            format!("block {}, {}", inclusion.height, block.stage),
            format!("{} gas for all of the block's records", grouped(inclusion.gas_used)),
        ),
        None => plain("Base chain", block.stage.to_string(), "the contract holds the root".to_owned()),
    });
    stations
}

/// The device's account after the block.
fn account(receipt: &Receipt, link: &Link) -> Account {
    let last = receipt.later.last().unwrap_or(link);
    Account {
        identity: receipt.credential.identity(receipt.record.write().device),
        head: receipt.head_after,
        next_seq: last.seq + 1,
        count: receipt.count,
    }
}

/// What stands beside the account on its way up, level by level.
fn accounts_level(receipt: &Receipt) -> Vec<Option<u8>> {
    let siblings = receipt.accounts_path.iter().enumerate();
    siblings
        .map(|(level, sibling)| (*sibling != empty_subtree(level)).then(|| sibling.to_bytes()[0]))
        .collect()
}

/// A time to the minute.
fn minute(ms: u64) -> String {
    time::format(ms).get(..16).map(|minute| minute.replace('T', " ")).unwrap_or_default()
}

fn byte(element: &FieldElement) -> Option<u8> {
    Some(element.to_be_bytes()[31])
}

fn authorship(receipt: &Receipt) -> &'static str {
    match (&receipt.evidence, &receipt.credential) {
        (Evidence::Bundle(_), _) => "a signed bundle",
        (_, Credential::Ed25519(_)) => "Ed25519",
        (_, Credential::Mac(_)) => "MAC",
        (_, Credential::Host) => "the host's word",
    }
}
