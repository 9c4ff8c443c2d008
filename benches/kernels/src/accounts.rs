//! What a batch does to accounts, in as many lanes as the build has.

use crate::{Kernel, Work};
use arterial_protocol::{
    Account, BlockNumber, Credential, DataDigest, DeviceId, Digest, Domain, Link, Run, ShardCount, ShardLeaf,
    StateRoot, extend_runs, leaves, poseidon::koala,
};
use std::hint::black_box;

const ACCOUNTS: u32 = 1024;

pub(crate) const KERNELS: &[Kernel] = &[
    Kernel { name: "account::extend_runs/accounts=1024,records=4", work: Work::Elements(4096), setup: heads },
    Kernel { name: "account::leaves/accounts=1024", work: Work::Elements(1024), setup: account_leaves },
    Kernel { name: "koala::nodes/pairs=1024", work: Work::Elements(1024), setup: nodes },
    Kernel { name: "state_root::compute/shards=16", work: Work::Elements(16), setup: state_root },
];

fn accounts() -> Vec<Account> {
    let open = |n: u32| Account::open(Credential::Host.identity(DeviceId(u128::from(n).to_le_bytes())));
    (0..ACCOUNTS).map(open).collect()
}

/// The chains of heads: C24 for each record.
fn heads() -> Box<dyn FnMut()> {
    let accounts = accounts();
    let digest = Digest::reduce([3; 32]);
    Box::new(move || {
        let links: [Link; 4] = [0, 1, 2, 3].map(|seq| Link { digest, seq, observed_at_ms: 1 << 40, kind: 1 });
        let run = |(slot, account): (u32, &Account)| Run { slot, account: *account, links: &links };
        let mut runs: Vec<Run<'_>> = (0..).zip(black_box(&accounts)).map(run).collect();
        extend_runs(black_box(&mut runs), || ()).unwrap();
    })
}

fn account_leaves() -> Box<dyn FnMut()> {
    let accounts = accounts();
    Box::new(move || {
        black_box(leaves(black_box(&accounts)));
    })
}

/// One level of the tree of accounts: C16 for each node.
fn nodes() -> Box<dyn FnMut()> {
    let leaves = leaves(&accounts());
    let pairs: Vec<[Digest; 2]> = leaves.iter().zip(leaves.iter().rev()).map(|(l, r)| [*l, *r]).collect();
    Box::new(move || {
        black_box(koala::nodes(black_box(&pairs)));
    })
}

/// Circom's Poseidon over BN254.
fn state_root() -> Box<dyn FnMut()> {
    let domain = Domain::derive(1, &[6; 32]);
    let leaf = |shard| ShardLeaf { total_records: 7, data: DataDigest([4; 32]), ..ShardLeaf::genesis(shard) };
    let leaves: Vec<ShardLeaf> = ShardCount::new(16).unwrap().iter().map(leaf).collect();
    Box::new(move || {
        black_box(StateRoot::compute(domain, BlockNumber(1), black_box(&leaves)));
    })
}
