use super::*;
use crate::accounts::{AccountsTree, TreeRoot};
use arterial_protocol::{
    AccountRun, FieldElement, Link, ShardLeaf, StateRoot,
    limits::{SEQ_END, SLOTS_END},
};
use arterial_storage::FileStorage;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SHARDS: u32 = 2;

fn domain() -> Domain {
    Domain(FieldElement::from(7_u64))
}

fn shards() -> ShardCount {
    ShardCount::new(SHARDS).unwrap()
}

/// A block: for each shard, how many accounts it opens, and how many records which of its accounts get.
type Plan = Vec<(u32, BTreeMap<u32, u32>)>;

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let shard = (0u32..4, prop::collection::btree_map(0u32..12, 1u32..5, 0..6));
    prop::collection::vec(prop::collection::vec(shard, SHARDS as usize), 1..8)
}

/// A shard as the engine has it.
struct Real {
    file: AccountsFile,
    tree: AccountsTree,
    state: ShardState,
}

impl Real {
    fn new(dir: &std::path::Path, shard: u32) -> Self {
        let file =
            AccountsFile::open(&FileStorage, &dir.join(shard.to_string()), ShardId(shard), domain()).unwrap();
        let tree = AccountsTree::open(&file, TreeRoot::genesis()).unwrap();
        let state = ShardState { leaf: ShardLeaf::genesis(ShardId(shard)), accounts: TreeRoot::genesis() };
        Self { file, tree, state }
    }

    fn apply(
        &mut self,
        number: BlockNumber,
        opened: u32,
        records: &BTreeMap<u32, u32>,
    ) -> Option<ShardDelta> {
        let shard = self.state.leaf.shard;
        let first = (0..).find(|slot| self.tree.account(*slot).is_none()).unwrap();
        let mut batch = Batch::new(shard, number);
        for slot in 0..first + opened {
            let next_seq = self.tree.account(slot).map_or(0, |account| account.next_seq);
            let links: Vec<Link> = (0..records.get(&slot).copied().unwrap_or(0))
                .map(|n| Link {
                    digest: Digest::reduce([(slot + n).to_le_bytes()[0]; 32]),
                    seq: next_seq + 2 * n,
                    observed_at_ms: 1,
                    kind: 1,
                })
                .collect();
            let enrolment = (slot >= first).then(|| Digest::reduce([slot.to_le_bytes()[0] ^ 0x77; 32]));
            if enrolment.is_some() || !links.is_empty() {
                batch.push(AccountRun { slot, enrolment, links: &links }).unwrap();
            }
        }
        if !batch.is_empty() {
            let accounts = self.tree.apply(&batch, &self.file).unwrap();
            let leaf = ShardLeaf {
                accounts_root: accounts.digest,
                total_records: self.state.leaf.total_records + batch.record_count() as u64,
                data: DataDigest::of(&batch.encode()),
                ..self.state.leaf
            };
            self.state = ShardState { leaf, accounts };
        }
        ShardDelta::read(&self.state, &batch, &self.file).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// From the bytes alone, after each block: the accounts, each shard's root and the state root that the engine has.
    #[test]
    fn the_accounts_are_rebuilt_from_deltas_alone(plans in plans()) {
        let dir = tempfile::tempdir().unwrap();
        let mut real: Vec<Real> = (0..SHARDS).map(|shard| Real::new(dir.path(), shard)).collect();
        let mut rebuilt = Rebuilt::genesis(domain(), shards());
        for (number, plan) in (1..).map(BlockNumber).zip(plans) {
            let changed = real
                .iter_mut()
                .zip(&plan)
                .filter_map(|(real, (opened, records))| real.apply(number, *opened, records))
                .collect();
            let delta = Delta { domain: domain(), shards: shards(), number, changed };
            let bytes = delta.encode();
            prop_assert_eq!(&Delta::decode(&bytes).unwrap(), &delta);
            rebuilt = rebuilt.apply(&Delta::decode(&bytes).unwrap()).unwrap();
            let leaves: Vec<ShardLeaf> = real.iter().map(|real| real.state.leaf).collect();
            prop_assert_eq!(rebuilt.state_root(), StateRoot::compute(domain(), number, &leaves));
            for real in &real {
                let shard = real.state.leaf.shard;
                prop_assert_eq!(rebuilt.leaf(shard).unwrap(), real.state.leaf);
                let accounts = rebuilt.accounts(shard).unwrap();
                prop_assert!((0..).zip(accounts).all(|(slot, account)| real.tree.account(slot) == Some(account)));
                prop_assert!(real.tree.account(u32::try_from(accounts.len()).unwrap()).is_none());
            }
        }
    }

    /// One encoding only, and no panic.
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(
        at in any::<prop::sample::Index>(), value: u8, cut in any::<prop::sample::Index>(), cuts: bool,
    ) {
        let mut bytes = sample().encode();
        let index = at.index(bytes.len());
        bytes[index] = value;
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(delta) = Delta::decode(&bytes) {
            prop_assert_eq!(delta.encode(), bytes);
        }
    }

    #[test]
    fn digests_are_packed_without_loss(bytes: [u8; 32]) {
        let digest = Digest::reduce(bytes);
        let account = AccountDelta { slot: 0, identity: Some(digest), head: digest, next_seq: 0, count: 0 };
        let delta = with(vec![account]);
        prop_assert_eq!(Delta::decode(&delta.encode()).unwrap(), delta);
    }
}

fn account(slot: u32, new: bool) -> AccountDelta {
    let identity = new.then(|| Digest::reduce([9; 32]));
    AccountDelta { slot, identity, head: Digest::reduce([3; 32]), next_seq: 300, count: 200 }
}

fn with(accounts: Vec<AccountDelta>) -> Delta {
    let changed =
        vec![ShardDelta { shard: ShardId(1), total_records: 1000, data: DataDigest([5; 32]), accounts }];
    Delta { domain: domain(), shards: shards(), number: BlockNumber(1), changed }
}

fn sample() -> Delta {
    with(vec![account(0, true), account(1, true), account(2, true)])
}

/// The format, as it was when it was fixed; another one is another version. The hash is that of the bytes which a few lines
/// of Python make after the drawing in the module.
#[test]
fn the_encoding_is_pinned() {
    let bytes = sample().encode();
    assert_eq!(bytes.len(), HEAD_BYTES + 1 + 2 + 32 + 1 + 3 * (1 + 2 * DIGEST_BYTES + 2 + 1));
    assert_eq!(
        blake3::hash(&bytes).to_hex().as_str(),
        "213d41c217f1ff030d392ee8a879c9775acd1eb76e20884cf7a0e46ace975d8b"
    );
}

#[test]
fn each_rule_of_the_encoding_is_enforced_alone() {
    let good = sample().encode();
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Delta::decode(&bytes).unwrap_err()
    };
    for at in [0, 8, 10] {
        assert_eq!(broken(&|bytes| bytes[at] ^= 1), DeltaError::Format, "byte {at}");
    }
    let value = |what| DeltaError::Value { what };
    assert_eq!(broken(&|bytes| bytes[12] = 3), value("the number of shards"));
    assert_eq!(broken(&|bytes| bytes[24] = 0xff), value("the domain"));
    assert_eq!(broken(&|bytes| bytes[HEAD_BYTES] = 2), value("a shard's id"));
    // A shorter number in more bytes.
    let longer = |bytes: &mut Vec<u8>| _ = bytes.splice(HEAD_BYTES..=HEAD_BYTES, [0x81, 0]);
    assert_eq!(broken(&longer), value("a shard's id"));
    let too_long = |bytes: &mut Vec<u8>| _ = bytes.splice(HEAD_BYTES + 1..HEAD_BYTES + 3, [0xff; 10]);
    assert_eq!(broken(&too_long), value("a number of records"));
    let accounts_at = HEAD_BYTES + 1 + 2 + 32;
    assert_eq!(broken(&|bytes| bytes[accounts_at] = 0), value("a number of accounts"));
    let too_many =
        |bytes: &mut Vec<u8>| _ = bytes.splice(accounts_at..=accounts_at, [0xff, 0xff, 0xff, 0x7f]);
    assert_eq!(broken(&too_many), value("a number of accounts"));
    assert!(matches!(broken(&|bytes| bytes[accounts_at] = 100), DeltaError::Length { .. }));
    let identity_at = accounts_at + 2;
    let large = |bytes: &mut Vec<u8>| bytes[identity_at..identity_at + 4].fill(0xff);
    assert_eq!(broken(&large), value("a digest"));
    let seqs_at = identity_at + 2 * DIGEST_BYTES;
    assert_eq!(broken(&|bytes| bytes[seqs_at..seqs_at + 2].copy_from_slice(&[0x81, 0])), value("a seq"));
    assert_eq!(broken(&|bytes| bytes[seqs_at + 1] = 0), value("a seq"));
    let missing = |bytes: &mut Vec<u8>| _ = bytes.splice(seqs_at + 2..seqs_at + 3, [0xad, 2]);
    assert_eq!(broken(&missing), value("a count"));
    for length in 0..good.len() {
        assert!(Delta::decode(&good[..length]).is_err() || length == HEAD_BYTES, "{length}");
    }
    assert!(matches!(broken(&|bytes| bytes.push(0)), DeltaError::Value { .. } | DeltaError::Length { .. }));
    let refused = |delta: &Delta| Delta::decode(&delta.encode()).unwrap_err();
    assert_eq!(refused(&with(vec![account(SLOTS_END, true)])), value("a slot"));
    let late = AccountDelta { next_seq: u32::try_from(SEQ_END).unwrap() + 1, ..account(0, true) };
    assert_eq!(refused(&with(vec![late])), value("a seq"));
    for second in [ShardId(0), ShardId(1)] {
        let mut delta = sample();
        delta.changed.push(ShardDelta { shard: second, ..delta.changed[0].clone() });
        assert_eq!(refused(&delta), value("a shard's id"), "after shard 1 comes {second}");
    }
}

#[test]
fn what_no_block_can_do_is_refused() {
    let genesis = || Rebuilt::genesis(domain(), shards());
    let after = genesis().apply(&sample()).unwrap();
    let next = |accounts: Vec<AccountDelta>| Delta { number: BlockNumber(2), ..with(accounts) };
    let slot = |slot| Some(DeltaError::Slot { shard: ShardId(1), slot });
    let refused = |delta: &Delta| after.clone().apply(delta).err();
    assert_eq!(refused(&next(vec![account(2, false), account(3, true)])), None);
    assert_eq!(refused(&next(vec![account(4, true)])), slot(4));
    assert_eq!(refused(&next(vec![account(3, false)])), slot(3));
    assert_eq!(refused(&next(vec![account(2, true)])), slot(2));
    for (next_seq, count) in [(299, 200), (300, 199)] {
        assert_eq!(refused(&next(vec![AccountDelta { next_seq, count, ..account(0, false) }])), slot(0));
    }
    let unexpected = |got| {
        let (expected, got) = (BlockNumber(2), BlockNumber(got));
        Some(DeltaError::Unexpected { expected, got })
    };
    assert_eq!(refused(&Delta { number: BlockNumber(3), ..sample() }), unexpected(3));
    assert_eq!(refused(&Delta { domain: Domain(FieldElement::ZERO), ..next(vec![]) }), unexpected(2));
    assert_eq!(refused(&Delta { shards: ShardCount::new(4).unwrap(), ..next(vec![]) }), unexpected(2));
}
