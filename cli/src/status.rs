//! `arterial status`: how far every block has come, and what it waits for.

use crate::{
    args::StatusArgs,
    error::{CliError, IoContext},
    output::{self, grouped},
    standing,
};
#[cfg(feature = "ethereum")]
use arterial::rollup::chain::contract::ContractError;
use arterial::{
    At, BaseChain, BlockNumber, Deployment, Stage,
    rollup::{
        BlockStore, Clock as _, ProvenBlock, SystemClock,
        chain::{
            Head, Inclusion, PostStatus,
            embedded::{EmbeddedChain, Standing},
        },
        proof::{KeyPair, VerificationKey},
    },
    storage::{FileStorage, Storage},
};
use serde::Serialize;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// Blocks of the base chain between its head and its newest final one, beyond which finality is late: Ethereum's are some
/// 64 to 96.
const FINALITY_LATE_BLOCKS: u64 = 128;

/// What `--json` prints.
#[derive(Serialize)]
pub(crate) struct Report {
    chain_id: u64,
    height: u64,
    finalized_height: u64,
    /// Of the directory, of the contract.
    pub(crate) blocks_proven: u64,
    pub(crate) blocks_posted: u64,
    pub(crate) blocks_final: u64,
    /// Why posting can't go on as things are; an operator has to act.
    pub(crate) stuck: Option<String>,
    /// Of an embedded chain that has some.
    #[serde(serialize_with = "standing::serialize")]
    consortium: Option<Standing>,
    pub(crate) blocks: Vec<Row>,
}

#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) records: u64,
    stage: String,
    height: Option<u64>,
    pub(crate) gas: Option<u64>,
    /// Since it was proven.
    pub(crate) age_s: Option<u64>,
    waits_for: Option<String>,
}

/// A deployment's blocks, and the contract that they go to: a real chain's, or what is read anew each time of the embedded
/// chain's history.
pub(crate) struct Reader {
    dir: PathBuf,
    store: BlockStore,
    key: VerificationKey,
    #[cfg(feature = "ethereum")]
    ethereum: Option<Arc<arterial::rollup::chain::ethereum::EthereumChain>>,
}

/// A contract, with what only a real chain can say of it.
struct Chain {
    chain: Arc<dyn BaseChain>,
    standing: Option<Standing>,
    #[cfg(feature = "ethereum")]
    ethereum: Option<Arc<arterial::rollup::chain::ethereum::EthereumChain>>,
}

/// Shows it; says whether nothing is stuck.
pub(crate) fn status(args: &StatusArgs) -> Result<bool, CliError> {
    let reader = Reader::open(
        &args.dir,
        #[cfg(feature = "ethereum")]
        &args.contract,
    )?;
    let report = reader.look(args.last)?;
    match args.json {
        true => output::print_json(&report)?,
        false => output::print(&report.table())?,
    }
    if let Some(why) = &report.stuck {
        eprintln!("error: posting can't go on: {why}");
    }
    Ok(report.stuck.is_none())
}

impl Reader {
    pub(crate) fn open(
        dir: &Path,
        #[cfg(feature = "ethereum")] contract: &crate::ethereum::ContractArgs,
    ) -> Result<Self, CliError> {
        let deployment = Deployment::read(&FileStorage, dir)?;
        let storage: Arc<dyn Storage> = Arc::new(FileStorage);
        let key = KeyPair::read(&FileStorage, &dir.join("block.key"), deployment.shards)?.verifying;
        let store = BlockStore::open(storage, dir.join("blocks"), deployment.domain, deployment.shards)?;
        #[cfg(feature = "ethereum")]
        let ethereum = match contract.given() {
            Some((nodes, contract)) => Some(Arc::new(crate::ethereum::read(nodes, contract)?.1)),
            None => None,
        };
        Ok(Self {
            dir: dir.to_owned(),
            store,
            key,
            #[cfg(feature = "ethereum")]
            ethereum,
        })
    }

    /// How far the blocks are now, the last so many of them one by one.
    pub(crate) fn look(&self, last: u64) -> Result<Report, CliError> {
        let opened = self.chain()?;
        let chain = &*opened.chain;
        // The chain first: a block is stored before it is posted.
        let head = chain.head()?;
        let newest = self.store.latest()?.0;
        let finalized = newest_final(chain, head.settled)?;
        let mut report = Report {
            chain_id: chain.chain_id(),
            height: head.height,
            finalized_height: head.finalized_height,
            blocks_proven: newest,
            blocks_posted: head.settled.0,
            blocks_final: finalized,
            stuck: (head.settled.0 > newest).then(|| {
                format!("block {} stands in the contract, the newest here is {newest}", head.settled)
            }),
            consortium: opened.standing.clone(),
            blocks: Vec::new(),
        };
        if let Some(standing) = &opened.standing {
            let refusal = standing.refusal.as_ref().map(|why| format!("the validators refuse {why}"));
            report.stuck = report.stuck.or_else(|| standing.fork.clone()).or(refusal);
        }
        for number in (newest.saturating_sub(last) + 1..=newest).map(BlockNumber) {
            let row = row(number, &self.store, &self.key, &opened, head, &mut report.stuck)?;
            report.blocks.push(row);
        }
        Ok(report)
    }

    fn chain(&self) -> Result<Chain, CliError> {
        #[cfg(feature = "ethereum")]
        if let Some(chain) = &self.ethereum {
            return Ok(Chain {
                chain: Arc::clone(chain) as _,
                standing: None,
                ethereum: Some(Arc::clone(chain)),
            });
        }
        let history = self.dir.join("chain");
        if !history.is_dir() {
            return Err(CliError::NoChainGiven { path: self.dir.clone() });
        }
        let chain = EmbeddedChain::open_read_only(&FileStorage, &history)?;
        Ok(Chain {
            standing: chain.standing(),
            chain: Arc::new(chain),
            #[cfg(feature = "ethereum")]
            ethereum: None,
        })
    }
}

/// The newest block that is final, by halving: what is below a final block is final.
fn newest_final(chain: &dyn BaseChain, settled: BlockNumber) -> Result<u64, CliError> {
    let (mut low, mut high) = (0, settled.0);
    while low < high {
        let middle = high - (high - low) / 2;
        match chain.state_root(BlockNumber(middle), At::Finalized)? {
            Some(_) => low = middle,
            None => high = middle - 1,
        }
    }
    Ok(low)
}

fn row(
    number: BlockNumber,
    store: &BlockStore,
    key: &VerificationKey,
    chain: &Chain,
    head: Head,
    stuck: &mut Option<String>,
) -> Result<Row, CliError> {
    let block = store.read(number, key)?.block;
    let (stage, inclusion, waits_for) = match chain.chain.status(number)? {
        PostStatus::Final(inclusion) => (Stage::Final, Some(inclusion), None),
        PostStatus::Posted(inclusion) => {
            (Stage::Posted, Some(inclusion), Some(late_finality(inclusion, head)))
        }
        PostStatus::Unknown | PostStatus::Pending | PostStatus::Reverted(_) => {
            (Stage::Proven, None, Some(chain.what_posting_waits_for(&block, head, stuck)?))
        }
    };
    if inclusion.is_some() {
        let ours = block.statement().new_state_root;
        if let Some(theirs) = chain.chain.state_root(number, At::Latest)?
            && theirs != ours
        {
            *stuck = Some(format!("block {number} stands there with root {theirs}, here it has {ours}"));
        }
    }
    Ok(Row {
        number: number.0,
        records: block.statement().record_count,
        stage: stage.to_string(),
        height: inclusion.map(|inclusion| inclusion.height),
        gas: inclusion.map(|inclusion| inclusion.gas_used),
        age_s: age(&store.path(number))?.map(|age| age.as_secs()),
        waits_for,
    })
}

fn late_finality(inclusion: Inclusion, head: Head) -> String {
    let Head { height, finalized_height, .. } = head;
    let late = match finalized_height {
        0 => "; the chain has finalised nothing yet",
        finalized if height.saturating_sub(finalized) > FINALITY_LATE_BLOCKS => "; that is late",
        _ => "",
    };
    let mut text = format!(
        "finality: it is in block {}, final is block {finalized_height} of {height}{late}",
        inclusion.height
    );
    if !late.is_empty() {
        text += ": where it stays so, validators with a third of the stake or more are offline";
    }
    text
}

impl Chain {
    fn what_posting_waits_for(
        &self,
        block: &ProvenBlock,
        head: Head,
        stuck: &mut Option<String>,
    ) -> Result<String, CliError> {
        let before = head.settled;
        if block.statement().number != before.next() {
            return Ok("the block before it".into());
        }
        #[cfg(feature = "ethereum")]
        if let Some(chain) = &self.ethereum {
            if let Err(error) = chain.would_take(block, head.height)? {
                if matches!(error, ContractError::WrongBlockNumber { .. }) {
                    return Ok("the chain, which moved while it was looked at".into());
                }
                *stuck = Some(format!("the contract rejects block {}: {error}", block.statement().number));
                return Ok(format!("the contract to take it: {error}"));
            }
            let standing = chain.standing()?;
            let price = format!("gas costs {:.3} gwei there", standing.base_fee as f64 / 1e9);
            return Ok(match standing.pending_transactions {
                0 => format!("`arterial run` to post it: the contract would take it, and {price}"),
                _ => format!("its transaction to be included: {price}"),
            });
        }
        let _ = stuck;
        let stalled = self.standing.as_ref().and_then(|standing| standing.stalled.as_ref());
        Ok(stalled.map_or("`arterial run` to post it".into(), |why| format!("the validators: {why}")))
    }
}

/// How long ago a block was stored, which is when it had been proven.
fn age(path: &Path) -> Result<Option<Duration>, CliError> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).context("look at", path)?;
    let now = Duration::from_millis(SystemClock.now_ms());
    Ok(modified.duration_since(UNIX_EPOCH).ok().map(|stored| now.saturating_sub(stored)))
}

impl Report {
    fn table(&self) -> String {
        let mut table = format!(
            "chain {} at block {}, final up to {}\nblocks: {} proven, {} posted, {} final\n\n",
            self.chain_id,
            self.height,
            self.finalized_height,
            grouped(self.blocks_proven),
            grouped(self.blocks_posted),
            grouped(self.blocks_final)
        );
        // Writing to a string does not fail.
        if let Some(standing) = &self.consortium {
            let _ = standing::write_text(&mut table, standing);
            table.push('\n');
        }
        let shown = |number: Option<u64>| number.map_or("-".into(), grouped);
        let _ = writeln!(
            table,
            "{:>8} {:>12} {:<8} {:>10} {:>9} {:>9}  waits for",
            "block", "records", "stage", "in block", "gas", "age"
        );
        for row in &self.blocks {
            let _ = writeln!(
                table,
                "{:>8} {:>12} {:<8} {:>10} {:>9} {:>8}s  {}",
                row.number,
                grouped(row.records),
                row.stage,
                row.height.map_or("-".into(), |height| height.to_string()),
                shown(row.gas),
                shown(row.age_s),
                row.waits_for.as_deref().unwrap_or("-")
            );
        }
        table
    }
}
