use super::*;
use arterial_protocol::{
    Account, AccountRun, Batch, BlockNumber, Digest, Domain, FieldElement, Link, ShardId, empty_subtree,
    limits::ACCOUNTS_DEPTH, poseidon::koala,
};
use arterial_storage::{Fault, Faulty, FileStorage};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DOMAIN: Domain = Domain(FieldElement::ZERO);
const SHARD: ShardId = ShardId(3);

fn link(seq: u32) -> Link {
    Link { digest: Digest::reduce([seq.to_le_bytes()[0]; 32]), seq, observed_at_ms: u64::from(seq), kind: 1 }
}

fn identity(slot: u32) -> Digest {
    Digest::reduce([slot.to_le_bytes()[0] ^ 0x77; 32])
}

/// A batch that opens some accounts and adds records to others.
fn batch(number: u64, enrol: std::ops::Range<u32>, runs: &BTreeMap<u32, Vec<Link>>) -> Batch {
    let mut batch = Batch::new(SHARD, BlockNumber(number));
    let mut slots: Vec<u32> = runs.keys().copied().chain(enrol.clone()).collect();
    slots.sort_unstable();
    slots.dedup();
    for slot in slots {
        let links = runs.get(&slot).map_or(&[][..], Vec::as_slice);
        batch
            .push(AccountRun { slot, enrolment: enrol.contains(&slot).then(|| identity(slot)), links })
            .unwrap();
    }
    batch
}

/// The root by the definition: every leaf, every level, one by one.
fn plain_root(accounts: &BTreeMap<u32, Account>) -> Digest {
    let mut level: Vec<Digest> = accounts.values().map(Account::leaf).collect();
    for height in 0..ACCOUNTS_DEPTH {
        if level.len() % 2 == 1 {
            level.push(empty_subtree(height));
        }
        level = level.chunks(2).map(|pair| koala::node(pair[0], pair[1])).collect();
        if level.is_empty() {
            level.push(empty_subtree(height + 1));
        }
    }
    level[0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The tree, its file at every version, and the tree read back agree with a plain map of accounts.
    #[test]
    fn every_version_opens_to_what_a_plain_model_says(
        blocks in prop::collection::vec((0u32..4, prop::collection::btree_map(0u32..12, 1u32..5, 0..6)), 1..8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0003.nodes");
        let file = AccountsFile::open(&FileStorage, &path, SHARD, DOMAIN).unwrap();
        let mut tree = AccountsTree::open(&file, TreeRoot::genesis()).unwrap();
        let mut model: BTreeMap<u32, Account> = BTreeMap::new();
        let mut versions = vec![(TreeRoot::genesis(), model.clone())];
        for (number, (enrol, wanted)) in blocks.into_iter().enumerate() {
            let first = u32::try_from(model.len()).unwrap();
            let enrol = first..first + enrol;
            for slot in enrol.clone() {
                model.insert(slot, Account::open(identity(slot)));
            }
            let mut runs = BTreeMap::new();
            for (slot, records) in wanted {
                let Some(account) = model.get_mut(&slot) else { continue };
                let links: Vec<Link> = (0..records).map(|n| link(account.next_seq + 2 * n)).collect();
                for link in &links {
                    account.extend(slot, link).unwrap();
                }
                runs.insert(slot, links);
            }
            let root = tree.apply(&batch(number as u64 + 1, enrol, &runs), &file).unwrap();
            prop_assert_eq!(root.digest, plain_root(&model));
            versions.push((root, model.clone()));
            tree = AccountsTree::open(&file, root).unwrap();
        }
        for (root, model) in &versions {
            for slot in 0..16 {
                let opening = file.open_at(root, slot).unwrap();
                prop_assert_eq!(opening.account.as_ref(), model.get(&slot));
                let leaf = opening.account.map_or(Digest::ZERO, |account| account.leaf());
                let climbed = opening.path.iter().enumerate().fold(leaf, |node, (level, &sibling)| {
                    if slot >> level & 1 == 0 { koala::node(node, sibling) } else { koala::node(sibling, node) }
                });
                prop_assert_eq!(climbed, root.digest);
            }
        }
    }
}

fn opened(dir: &std::path::Path) -> (AccountsFile, AccountsTree) {
    let file = AccountsFile::open(&FileStorage, &dir.join("0003.nodes"), SHARD, DOMAIN).unwrap();
    let tree = AccountsTree::open(&file, TreeRoot::genesis()).unwrap();
    (file, tree)
}

#[test]
fn each_rule_is_enforced_alone_and_leaves_the_tree_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let (file, mut tree) = opened(dir.path());
    let before = tree.apply(&batch(1, 0..2, &BTreeMap::from([(0, vec![link(5)])])), &file).unwrap();
    let error = tree.apply(&batch(2, 3..4, &BTreeMap::new()), &file).unwrap_err();
    assert!(matches!(error, AccountsError::EnrolmentOutOfTurn { expected: 2, got: 3, .. }));
    let error = tree.apply(&batch(2, 1..2, &BTreeMap::new()), &file).unwrap_err();
    assert!(matches!(error, AccountsError::EnrolmentOutOfTurn { expected: 2, got: 1, .. }));
    let error = tree.apply(&batch(2, 0..0, &BTreeMap::from([(2, vec![link(0)])])), &file).unwrap_err();
    assert!(matches!(error, AccountsError::UnknownAccount { slot: 2, .. }));
    let error = tree.apply(&batch(2, 0..0, &BTreeMap::from([(0, vec![link(5)])])), &file).unwrap_err();
    assert!(matches!(error, AccountsError::Rule { slot: 0, .. }));
    assert_eq!(tree.root(), before);
    tree.apply(&batch(2, 0..0, &BTreeMap::from([(0, vec![link(6)])])), &file).unwrap();
}

#[test]
fn a_failed_append_leaves_the_tree_as_it_was_and_can_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Faulty::new(FileStorage);
    let file = AccountsFile::open(&storage, &dir.path().join("0003.nodes"), SHARD, DOMAIN).unwrap();
    let mut tree = AccountsTree::open(&file, TreeRoot::genesis()).unwrap();
    let before = tree.root();
    // Three pieces, each written and synced.
    let first = batch(1, 0..4000, &BTreeMap::from([(1, vec![link(0)])]));
    for operation in 0..6 {
        storage.fail_at(storage.operations() + operation, Fault::Once(std::io::ErrorKind::StorageFull));
        assert!(matches!(tree.apply(&first, &file), Err(AccountsError::Io { .. })));
        assert_eq!(tree.root(), before);
    }
    let after = tree.apply(&first, &file).unwrap();
    assert_eq!(AccountsTree::open(&file, after).unwrap().root(), after);
}

/// Wide enough to fill lanes and reads, with pieces of one level both side by side and far apart.
#[test]
fn a_wide_tree_is_read_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (file, mut tree) = opened(dir.path());
    let all = 5000;
    tree.apply(&batch(1, 0..all, &BTreeMap::new()), &file).unwrap();
    for (number, slots) in [(2, vec![4999, 7, 2500]), (3, (100..140).collect()), (4, vec![7])] {
        let runs = slots.into_iter().map(|slot| (slot, vec![link(number)])).collect();
        tree.apply(&batch(number.into(), 0..0, &runs), &file).unwrap();
    }
    let read = AccountsTree::open(&file, tree.root()).unwrap();
    for slot in 0..=all {
        assert_eq!(read.account(slot), tree.account(slot));
    }
    assert_eq!(read.account(7).unwrap().next_seq, 5);
    let next = batch(5, all..all + 1, &BTreeMap::from([(2500, vec![link(9)])]));
    let mut read = read;
    assert_eq!(read.apply(&next, &file).unwrap(), tree.apply(&next, &file).unwrap());
}

#[test]
fn any_changed_byte_of_the_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (file, mut tree) = opened(dir.path());
    let root = tree.apply(&batch(1, 0..3, &BTreeMap::from([(1, vec![link(0)])])), &file).unwrap();
    let path = dir.path().join("0003.nodes");
    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
        let opened = AccountsFile::open(&FileStorage, &path, SHARD, DOMAIN)
            .and_then(|file| AccountsTree::open(&file, root).map(drop));
        opened.expect_err(&format!("byte {at}"));
    }
    std::fs::write(&path, &good[..good.len() - 1]).unwrap();
    let file = AccountsFile::open(&FileStorage, &path, SHARD, DOMAIN).unwrap();
    assert!(matches!(AccountsTree::open(&file, root), Err(AccountsError::Corrupt { .. })));
}
