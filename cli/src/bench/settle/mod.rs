//! `arterial bench settle`: what a block costs on the base chain, and how fast blocks are proven and posted.

mod report;

use crate::{args::SettleArgs, error::CliError, interrupt::Interrupt};
use arterial::{
    BaseChain as _, BlockNumber, Domain, StateRoot,
    protocol::{DataDigest, Digest, ShardCount, ShardLeaf},
    rollup::{
        ManualClock, ProvenBlock,
        chain::{
            ChainError, PostStatus,
            contract::Call,
            embedded::{EmbeddedChain, EmbeddedConfig},
        },
        circuit::BlockWitness,
        proof::{BlockProver as _, KeyPair, Prover},
    },
    storage::{FileStorage, Storage},
};
pub(crate) use report::SettleReport;
use std::{sync::Arc, time::Instant};

/// Sizes of blocks whose gas is looked at.
const SIZES: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// A block with its proof.
struct Proven {
    records: u64,
    block: ProvenBlock,
    seconds: f64,
}

/// A block on the chain.
struct Posted {
    records: u64,
    gas: u64,
    calldata: Vec<u8>,
}

/// Measures; the report.
pub(crate) fn measure(args: &SettleArgs, interrupt: &Interrupt) -> Result<SettleReport, CliError> {
    let dir = super::work_dir(&args.place.dir)?;
    let shards = ShardCount::new(args.shards).expect("the command line takes powers of two only");
    let config = EmbeddedConfig::default();
    let domain = Domain::derive(config.chain_id, &[5; 32]);
    let final_after_ms = config.slot_ms * (config.finality_slots + 1);
    let begun = Instant::now();
    let keys = KeyPair::generate(shards)?;
    let prover = Prover::new(keys);
    let setup_seconds = begun.elapsed().as_secs_f64();
    let clock = ManualClock::default();
    let storage: Arc<dyn Storage> = Arc::new(FileStorage);
    let chain = EmbeddedChain::create(
        &storage,
        &dir.path().join("chain"),
        config,
        StateRoot::genesis(domain, shards),
        &prover.verification_key().words(),
        Arc::new(clock.clone()),
    )?;
    let sizes = std::iter::repeat_n(args.records, args.blocks as usize + 1).chain(SIZES);
    let blocks = prove(&prover, domain, shards, sizes, interrupt)?;
    let begun = Instant::now();
    let mut posted = Vec::with_capacity(blocks.len());
    for Proven { records, block, .. } in &blocks {
        posted.push(post(&chain, &clock, final_after_ms, *records, block)?);
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let posts_per_second = blocks.len() as f64 / begun.elapsed().as_secs_f64();
    let mut prove_seconds: Vec<f64> = blocks.iter().map(|block| block.seconds).collect();
    prove_seconds.sort_by(f64::total_cmp);
    Ok(SettleReport::new(args, setup_seconds, &prove_seconds, posts_per_second, &posted))
}

/// Blocks one on the other, whose shards have all moved.
fn prove(
    prover: &Prover,
    domain: Domain,
    shards: ShardCount,
    sizes: impl Iterator<Item = u64>,
    interrupt: &Interrupt,
) -> Result<Vec<Proven>, CliError> {
    let mut old: Vec<ShardLeaf> = shards.iter().map(ShardLeaf::genesis).collect();
    let mut blocks = Vec::new();
    for (number, records) in (1..).map(BlockNumber).zip(sizes) {
        // A few at least, so that there is something to say.
        if interrupt.is_raised() && blocks.len() > 2 {
            break;
        }
        let new: Vec<ShardLeaf> = old.iter().map(|leaf| moved(leaf, number, records, shards)).collect();
        let witness = BlockWitness { domain, number, old, new: new.clone() };
        let begun = Instant::now();
        let block = prover.prove(&witness)?;
        blocks.push(Proven { records, block, seconds: begun.elapsed().as_secs_f64() });
        old = new;
    }
    Ok(blocks)
}

/// A shard after its part of a block. The block's proof doesn't look at what accounts there are.
fn moved(leaf: &ShardLeaf, number: BlockNumber, records: u64, shards: ShardCount) -> ShardLeaf {
    let (count, shard) = (u64::from(shards.get()), u64::from(leaf.shard.0));
    let mut bytes = *blake3::hash(&[number.0.to_le_bytes(), shard.to_le_bytes()].concat()).as_bytes();
    let data = DataDigest(bytes);
    bytes.reverse();
    ShardLeaf {
        accounts_root: Digest::reduce(bytes),
        total_records: leaf.total_records + records / count + u64::from(shard < records % count),
        data,
        ..*leaf
    }
}

/// Posts a block and waits, by the chain's clock, until it is final.
fn post(
    chain: &EmbeddedChain,
    clock: &ManualClock,
    final_after_ms: u64,
    records: u64,
    block: &ProvenBlock,
) -> Result<Posted, CliError> {
    chain.post(block)?;
    clock.advance_ms(final_after_ms);
    let number = block.statement().number;
    match chain.status(number)? {
        PostStatus::Final(inclusion) => {
            let calldata = Call::post_block(block.statement(), block.proof()).encode();
            Ok(Posted { records, gas: inclusion.gas_used, calldata })
        }
        PostStatus::Reverted(error) => Err(ChainError::Rejected { number, error }.into()),
        _ => Err(CliError::NotOnChain { number: number.0 }),
    }
}
