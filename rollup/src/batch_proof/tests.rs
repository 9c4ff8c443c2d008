use super::{file, *};
use crate::accounts::{AccountsFile, AccountsTree, Before, TreeRoot};
use arterial_protocol::{
    AccountRun, Batch, BlockNumber, DataDigest, Digest, Domain, FieldElement, Link, ShardId, ShardLeaf,
};
use arterial_storage::{MemoryStorage, Storage};
use proptest::prelude::*;
use std::{path::Path, sync::Arc};

const DOMAIN: Domain = Domain(FieldElement::ZERO);

/// A shard's accounts, moved batch by batch.
struct Shard {
    leaf: ShardLeaf,
    tree: AccountsTree,
    file: AccountsFile,
}

/// A batch and what it met.
struct Sealed {
    batch: Batch,
    before: Before,
    data: DataDigest,
}

impl Shard {
    fn new(storage: &MemoryStorage, id: ShardId) -> Self {
        let path = format!("{:04}.nodes", id.0);
        let file = AccountsFile::open(storage, Path::new(&path), id, DOMAIN).unwrap();
        let tree = AccountsTree::open(&file, TreeRoot::genesis()).unwrap();
        Self { leaf: ShardLeaf::genesis(id), tree, file }
    }

    /// Opens so many accounts and gives each account of `runs` so many records.
    fn seal(&mut self, number: BlockNumber, enrolments: u32, runs: &[usize]) -> Option<Sealed> {
        let mut batch = Batch::new(self.leaf.shard, number);
        let known = (0..).take_while(|&slot| self.tree.account(slot).is_some()).count();
        let known = u32::try_from(known).unwrap();
        for slot in 0..known + enrolments {
            let next_seq = self.tree.account(slot).map_or(0, |account| account.next_seq);
            let records = runs.get(slot as usize % runs.len().max(1)).copied().unwrap_or(0);
            let links: Vec<Link> = (next_seq..).take(records).map(|seq| link(slot, seq)).collect();
            let enrolment = (slot >= known).then(|| number_digest(slot));
            if enrolment.is_some() || !links.is_empty() {
                batch.push(AccountRun { slot, enrolment, links: &links }).unwrap();
            }
        }
        if batch.is_empty() {
            return None;
        }
        let (before, data) = (self.tree.before(&batch), DataDigest::of(&batch.encode()));
        self.leaf.accounts_root = self.tree.apply(&batch, &self.file).unwrap().digest;
        self.leaf.total_records += batch.record_count() as u64;
        self.leaf.data = data;
        Some(Sealed { batch, before, data })
    }
}

fn number_digest(number: u32) -> Digest {
    let mut bytes = [0x5a; 32];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Digest::reduce(bytes)
}

fn link(slot: u32, seq: u32) -> Link {
    Link { digest: number_digest(slot ^ seq), seq, observed_at_ms: seq.into(), kind: 1 }
}

fn witnesses(sealed: &[Sealed]) -> Vec<BatchWitness<'_>> {
    let mut witnesses = Vec::new();
    for Sealed { batch, before, data } in sealed {
        witnesses.push(BatchWitness { batch, accounts: before.accounts(), tree: before, data: *data });
    }
    witnesses
}

/// Two blocks of three shards: the leaves before the second and after it, and its proof.
fn block() -> (Vec<ShardLeaf>, Vec<ShardLeaf>, ProvenBatches) {
    let storage = MemoryStorage::default();
    let mut shards: Vec<Shard> = (0..3).map(|id| Shard::new(&storage, ShardId(id))).collect();
    for shard in &mut shards {
        shard.seal(BlockNumber(1), 3, &[1, 2]).unwrap();
    }
    let leaves = |shards: &[Shard]| shards.iter().map(|shard| shard.leaf).collect::<Vec<_>>();
    let before = leaves(&shards);
    let number = BlockNumber(2);
    let sealed: Vec<Sealed> =
        [shards[0].seal(number, 1, &[2]), shards[2].seal(number, 0, &[1, 0])].into_iter().flatten().collect();
    let proven =
        StarkProver.prove(&Witness { number, batches: &witnesses(&sealed) }, &Options::default()).unwrap();
    (before, leaves(&shards), proven)
}

#[test]
fn a_block_moves_as_its_batches_say_and_any_difference_is_named() {
    let (before, after, proven) = block();
    let statement = proven.statement();
    check_moves(&before, &after, statement).unwrap();
    let differs = |what: &str, before: &[ShardLeaf], after: &[ShardLeaf], statement: &Statement| {
        let error = check_moves(before, after, statement).unwrap_err();
        assert!(matches!(error, BatchProofError::Moves { what: got, .. } if got == what), "{what}: {error}");
    };
    let changed = |leaves: &[ShardLeaf], at: usize, change: fn(&mut ShardLeaf)| {
        let mut leaves = leaves.to_vec();
        change(&mut leaves[at]);
        leaves
    };
    let other = |leaf: &mut ShardLeaf| leaf.accounts_root = Digest::ZERO;
    differs("the accounts root before", &changed(&before, 0, other), &after, statement);
    differs("the accounts root after", &before, &changed(&after, 2, other), statement);
    differs("whether there is a batch", &before, &changed(&after, 1, other), statement);
    let other = |leaf: &mut ShardLeaf| leaf.total_records += 1;
    differs("the number of records", &changed(&before, 0, other), &after, statement);
    differs("the number of records", &before, &changed(&after, 2, other), statement);
    differs("whether there is a batch", &before, &changed(&after, 1, other), statement);
    let other = |leaf: &mut ShardLeaf| leaf.total_records = u64::MAX;
    differs("the number of records", &changed(&before, 0, other), &changed(&after, 0, other), statement);
    let other = |leaf: &mut ShardLeaf| leaf.data.0[0] ^= 1;
    differs("the digest of the batch", &before, &changed(&after, 0, other), statement);
    differs("whether there is a batch", &before, &changed(&after, 1, other), statement);
    let other = |leaf: &mut ShardLeaf| leaf.shard = ShardId(9);
    differs("the shard", &changed(&before, 0, other), &after, statement);

    let changed = |change: fn(&mut Vec<BatchStatement>)| {
        let mut statement = statement.clone();
        change(&mut statement.batches);
        statement
    };
    differs("whether there is a batch", &before, &after, &changed(|batches| batches.truncate(1)));
    differs("its place", &before, &after, &changed(|batches| batches.push(batches[0])));
    differs("whether there is a batch", &before, &after, &changed(|batches| batches[1].shard = ShardId(7)));
}

#[test]
fn a_proof_is_read_back_and_any_changed_byte_of_it_noticed() {
    let (.., proven) = block();
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    storage.create_dir(Path::new("blocks")).unwrap();
    let proofs = BatchProofs::new(Arc::clone(&storage), Path::new("blocks"));
    let number = proven.statement().number;
    assert!(!proofs.has(number).unwrap());
    assert!(matches!(proofs.read(number, &StarkProver), Err(BatchProofError::Io { .. })));
    proofs.write(&proven).unwrap();
    assert!(proofs.has(number).unwrap());
    let read = proofs.read(number, &StarkProver).unwrap();
    assert_eq!((read.statement(), read.soundness()), (proven.statement(), proven.soundness()));
    assert!(read.proof() == proven.proof());

    let path = proofs.path(number);
    let good = storage.read(&path).unwrap();
    let changed = |bytes: &[u8]| {
        storage.replace(&path, bytes).unwrap();
        proofs.read(number, &StarkProver).unwrap_err()
    };
    for at in (0..300).step_by(4).chain((300..good.len()).step_by(good.len() / 60)) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        let error = changed(&bytes);
        assert!(matches!(error, BatchProofError::Corrupt { .. }), "byte {at}: {error}");
        // The same with the checksum made to fit.
        let end = bytes.len() - 8;
        if at < end {
            let crc = crc32c::crc32c(&bytes[..end]);
            bytes[end..end + 4].copy_from_slice(&crc.to_le_bytes());
            changed(&bytes);
        }
    }
    for end in [0, 7, 8, 24, 40, 200, good.len() - 1] {
        assert!(matches!(changed(&good[..end]), BatchProofError::Corrupt { .. }), "cut at {end}");
    }
    storage.replace(&proofs.path(BlockNumber(9)), &good).unwrap();
    assert!(matches!(proofs.read(BlockNumber(9), &StarkProver), Err(BatchProofError::Corrupt { .. })));
}

/// A change here is a new format version.
#[test]
fn the_format_is_pinned() {
    let root = |byte| Digest::reduce([byte; 32]);
    let batch = BatchStatement {
        shard: ShardId(3),
        old_root: root(1),
        new_root: root(2),
        record_count: 5,
        enrolment_count: 1,
        data: DataDigest([7; 32]),
    };
    let statement = Statement {
        number: BlockNumber(9),
        batches: vec![batch, BatchStatement { shard: ShardId(4), ..batch }],
    };
    let bytes = file::encode(&statement, b"proof");
    assert_eq!(file::decode(&bytes), Ok((statement, &b"proof"[..])));
    assert_eq!(
        blake3::hash(&bytes).to_hex().as_str(),
        "a6d559d9a0474b4a77d2b66388e48beca201281bae65112da7f5c6f9bbf7ae5f"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The tree that the engine keeps and the proof of what moved it say the same, block after block.
    #[test]
    fn the_accounts_tree_and_the_proof_agree(
        blocks in prop::collection::vec(
            prop::collection::vec((0u32..4, prop::collection::vec(0usize..4, 1..4)), 2), 1..4
        ),
    ) {
        let storage = MemoryStorage::default();
        let mut shards: Vec<Shard> = (0..2).map(|id| Shard::new(&storage, ShardId(id))).collect();
        for (number, plans) in (1..).map(BlockNumber).zip(&blocks) {
            let before: Vec<ShardLeaf> = shards.iter().map(|shard| shard.leaf).collect();
            let sealed: Vec<Sealed> = shards
                .iter_mut()
                .zip(plans)
                .filter_map(|(shard, (enrolments, runs))| shard.seal(number, *enrolments, runs))
                .collect();
            let after: Vec<ShardLeaf> = shards.iter().map(|shard| shard.leaf).collect();
            let batches = witnesses(&sealed);
            let witness = Witness { number, batches: &batches };
            let proven = StarkProver.prove(&witness, &Options::default()).unwrap();
            check_moves(&before, &after, proven.statement()).unwrap();
            prop_assert!(proven.bits() >= 100.0);
            #[cfg(feature = "testing")]
            {
                let simulated = testing::SimulatedBatchProver::new(1).prove(&witness, &Options::default()).unwrap();
                prop_assert_eq!(simulated.statement(), proven.statement());
            }
        }
    }
}
