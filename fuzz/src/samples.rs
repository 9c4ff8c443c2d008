//! A record, a receipt, and keys by which everybody can prove anything.

use ark_bn254::{Fq, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, PrimeGroup};
use ark_ff::{BigInteger, PrimeField};
use arterial_protocol::{
    Account, BlockNumber, BlockProof, BlockStatement, BundleProof, BundleTree, Credential, DataDigest,
    DeviceId, Digest, Domain, Evidence, Receipt, Record, Salt, ShardId, ShardLeaf, Stage, StateRoot, Write,
    bundle, empty_subtree, limits::ACCOUNTS_DEPTH, poseidon::koala,
};
use ed25519_zebra::SigningKey;

/// The deployment of every sample.
#[must_use]
pub fn domain() -> Domain {
    Domain::derive(1337, &[6; 32])
}

/// A record of a device.
#[must_use]
pub fn record(seq: u64) -> Record {
    let device = DeviceId([0x5a; 16]);
    let write = Write { device, seq, observed_at_ms: 1_700_000_000_000, kind: 1, payload: b"98 bpm" };
    Record::new(Salt::derive(&[9; 32], device, seq), &write).expect("its fields are in range")
}

/// A receipt that verifies against the root beside it; of a deployment of one shard, whose device signed the record
/// or a bundle of three.
#[must_use]
pub fn receipt(bundled: bool) -> (Receipt, StateRoot) {
    let signing = SigningKey::from_bytes(&[7; 32]);
    let credential = Credential::Ed25519(signing.verification_key().into());
    let records = [0, 1, 2].map(record);
    let mut account = Account::open(credential.identity(records[0].write().device));
    for record in &records {
        account.extend(0, &record.link()).expect("seq rises");
    }
    let accounts_path: [Digest; ACCOUNTS_DEPTH] = std::array::from_fn(empty_subtree);
    let accounts_root = accounts_path.iter().fold(account.leaf(), |node, &empty| koala::node(node, empty));
    let (number, data) = (BlockNumber(1), DataDigest([4; 32]));
    let leaf = ShardLeaf { shard: ShardId(0), accounts_root, total_records: 3, data };
    let writes = records.each_ref().map(Record::write);
    let evidence = if bundled {
        Evidence::Bundle(bundle_proof(&signing, &writes))
    } else {
        let mut signed_bytes = Vec::new();
        writes[0].signed_bytes(&mut signed_bytes);
        Evidence::Signature(signing.sign(&signed_bytes).into())
    };
    let receipt = Receipt {
        stage: Stage::Final,
        domain: domain(),
        number,
        record: records[0].clone(),
        credential,
        evidence,
        slot: 0,
        head_before: Digest::ZERO,
        later: records[1..].iter().map(Record::link).collect(),
        head_after: account.head,
        count: account.count,
        accounts_path,
        accounts_root,
        total_records: 3,
        data,
        shards_path: Vec::new(),
    };
    (receipt, StateRoot::compute(domain(), number, &[leaf]))
}

/// That the first of some writes was signed with the others.
fn bundle_proof(signing: &SigningKey, writes: &[Write<'_>]) -> BundleProof {
    let seed = [3; 32];
    let tree = BundleTree::new(bundle::leaves(&seed, writes)).expect("a few writes");
    BundleProof {
        signature: signing.sign(&tree.message()).into(),
        count: tree.count(),
        index: 0,
        blind: bundle::blind(&seed, 0),
        path: tree.path(0).expect("the first write"),
    }
}

/// A verification key, by its words, all of whose points are generators: its trapdoor is 1.
#[must_use]
pub fn key_words() -> [[u8; 32]; 22] {
    let (g1, g2) = (g1_words(G1Affine::generator()), g2_words(G2Affine::generator()));
    let words = [&g1[..], &g2, &g2, &g2, &g1, &g1, &g1, &g1].concat();
    words.try_into().expect("2 + 3 · 4 + 4 · 2 words")
}

/// A proof of any statement under that key: with A and B the generators, C is minus the sum of the inputs and 1.
#[must_use]
pub fn proof(statement: &BlockStatement) -> BlockProof {
    let inputs = statement.public_inputs().map(|input| Fr::from_be_bytes_mod_order(&input.to_be_bytes()));
    let c: G1Affine = (G1Projective::generator() * -(Fr::from(1u64) + inputs.iter().sum::<Fr>())).into();
    let words =
        [&g1_words(G1Affine::generator())[..], &g2_words(G2Affine::generator()), &g1_words(c)].concat();
    BlockProof(words.as_flattened().try_into().expect("8 words"))
}

fn g1_words(point: G1Affine) -> [[u8; 32]; 2] {
    point.xy().map_or([[0; 32]; 2], |(x, y)| [word(x), word(y)])
}

fn g2_words(point: G2Affine) -> [[u8; 32]; 4] {
    point.xy().map_or([[0; 32]; 4], |(x, y)| [word(x.c1), word(x.c0), word(y.c1), word(y.c0)])
}

fn word(coordinate: Fq) -> [u8; 32] {
    coordinate.into_bigint().to_bytes_be().try_into().expect("a coordinate has 254 bits")
}
