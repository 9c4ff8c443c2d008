//! What a receipt's holder does.

use crate::{Kernel, Work, write};
use arterial_protocol::{
    Account, BlockNumber, Credential, DataDigest, DeviceId, Digest, Domain, Evidence, Receipt, Record, Salt,
    ShardId, ShardLeaf, Stage, StateRoot, empty_subtree, limits::ACCOUNTS_DEPTH, poseidon::koala,
};
use ed25519_zebra::SigningKey;
use std::hint::black_box;

pub(crate) const KERNELS: &[Kernel] = &[
    Kernel { name: "receipt::encode/later=100", work: Work::Elements(1), setup: || encode(100) },
    Kernel { name: "receipt::decode/later=100", work: Work::Elements(1), setup: || decode(100) },
    Kernel { name: "receipt::verify/later=0", work: Work::Elements(1), setup: || verify(0) },
    Kernel { name: "receipt::verify/later=100", work: Work::Elements(1), setup: || verify(100) },
];

const DEVICE: DeviceId = DeviceId([0x5a; 16]);

fn encode(later: u64) -> Box<dyn FnMut()> {
    let (receipt, _) = receipt(later);
    Box::new(move || {
        black_box(black_box(&receipt).encode());
    })
}

fn decode(later: u64) -> Box<dyn FnMut()> {
    let bytes = receipt(later).0.encode();
    Box::new(move || {
        black_box(Receipt::decode(black_box(&bytes)).unwrap());
    })
}

fn verify(later: u64) -> Box<dyn FnMut()> {
    let (receipt, root) = receipt(later);
    Box::new(move || {
        black_box(black_box(&receipt).verify(black_box(&root)).unwrap());
    })
}

/// A receipt with this many later records in its block, and the root it is of; a deployment of one shard.
fn receipt(later: u64) -> (Receipt, StateRoot) {
    let signing = SigningKey::from_bytes(&[7; 32]);
    let credential = Credential::Ed25519(signing.verification_key().into());
    let record = |seq| Record::new(Salt::derive(&[9; 32], DEVICE, seq), &write(DEVICE, seq)).unwrap();
    let records: Vec<Record> = (0..=later).map(record).collect();
    let mut account = Account::open(credential.identity(DEVICE));
    for record in &records {
        account.extend(0, &record.link()).unwrap();
    }
    let accounts_path: [Digest; ACCOUNTS_DEPTH] = std::array::from_fn(empty_subtree);
    let accounts_root = accounts_path.iter().fold(account.leaf(), |node, &empty| koala::node(node, empty));
    let (domain, number, data) = (Domain::derive(1, &[6; 32]), BlockNumber(1), DataDigest([4; 32]));
    let leaf = ShardLeaf { shard: ShardId(0), accounts_root, total_records: later + 1, data };
    let mut signed_bytes = Vec::new();
    records[0].write().signed_bytes(&mut signed_bytes);
    let receipt = Receipt {
        stage: Stage::Final,
        domain,
        number,
        record: records[0].clone(),
        credential,
        evidence: Evidence::Signature(signing.sign(&signed_bytes).into()),
        slot: 0,
        head_before: Digest::ZERO,
        later: records[1..].iter().map(Record::link).collect(),
        head_after: account.head,
        count: account.count,
        accounts_path,
        accounts_root,
        total_records: later + 1,
        data,
        shards_path: Vec::new(),
    };
    (receipt, StateRoot::compute(domain, number, &[leaf]))
}
