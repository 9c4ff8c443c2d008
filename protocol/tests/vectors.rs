//! Every commitment below the shards against an implementation that shares no code with ours: `vectors/make.py`.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use arterial_protocol::{
    Account, BundleProof, BundleTree, Credential, DeviceId, Digest, Record, Salt, ShardCount, ShardId, Tag,
    Write, bundle, limits::PAYLOAD_BYTES_MAX, poseidon::koala,
};
use ed25519_zebra::{Signature, VerificationKey};
use serde_json::{Value, json};

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn digest(value: &Value) -> Digest {
    Digest::from_bytes(bytes(value)).unwrap()
}

fn number<T: TryFrom<u64, Error: std::fmt::Debug>>(value: &Value) -> T {
    value.as_u64().unwrap().try_into().unwrap()
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/vectors.json")).unwrap()
}

fn payload(case: &Value) -> Vec<u8> {
    match case["payload"].as_str() {
        Some(payload) => hex::decode(payload).unwrap(),
        None => (0..=250).cycle().take(PAYLOAD_BYTES_MAX).collect(),
    }
}

fn write<'a>(case: &Value, payload: &'a [u8]) -> Write<'a> {
    Write {
        device: DeviceId(bytes(&case["device"])),
        seq: number(&case["seq"]),
        observed_at_ms: number(&case["observed_at_ms"]),
        kind: number(&case["kind"]),
        payload,
    }
}

#[test]
fn records_heads_accounts_and_tags_agree() {
    let vectors = vectors();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let payload = payload(case);
        let write = write(case, &payload);
        let device = write.device;
        let shards = ShardCount::new(4096).unwrap();
        assert_eq!(device.shard(shards), ShardId(number(&case["shard_of_4096"])));
        let record =
            Record::new(Salt::derive(&bytes(&case["subject_key"]), device, write.seq), &write).unwrap();
        if let Some(expected) = case["record"].as_str() {
            assert_eq!(hex::encode(record.as_bytes()), expected);
        }
        assert_eq!(record.digest(), digest(&case["digest"]));

        let credential = Credential::Ed25519(bytes(&case["public_key"]));
        assert_eq!(credential.identity(device), digest(&case["identity"]));
        let count: u32 = number(&case["count"]);
        assert_eq!(Credential::Host.identity(device), digest(&case["host_identity"]));
        let mut account = Account {
            identity: credential.identity(device),
            head: digest(&case["head_before"]),
            next_seq: 0,
            count: count - 1,
        };
        account.extend(number(&case["slot"]), &record.link()).unwrap();
        assert_eq!((account.head, account.count), (digest(&case["head"]), count));
        assert_eq!(account.leaf(), digest(&case["leaf"]));
        assert_eq!(koala::node(account.leaf(), account.head), digest(&case["node"]));

        let mut signed = Vec::new();
        write.signed_bytes(&mut signed);
        let key = VerificationKey::try_from(bytes::<32>(&case["public_key"])).unwrap();
        key.verify(&Signature::from_bytes(&bytes(&case["signature"])), &signed).unwrap();
        assert_eq!(Tag::mac(&bytes(&case["mac_key"]), &write), Tag::Mac(bytes(&case["mac"])));
    }
}

#[test]
fn bundles_agree() {
    let vectors = vectors();
    let (cases, expected) = (vectors["cases"].as_array().unwrap(), &vectors["bundle"]);
    let payloads: Vec<Vec<u8>> = cases.iter().map(payload).collect();
    let writes: Vec<Write<'_>> =
        cases.iter().zip(&payloads).map(|(case, payload)| write(case, payload)).collect();
    let seed = bytes(&expected["seed"]);
    let leaves = bundle::leaves(&seed, &writes);
    assert_eq!(json!(leaves.iter().map(hex::encode).collect::<Vec<_>>()), expected["leaves"]);
    let tree = BundleTree::new(leaves).unwrap();
    assert_eq!(hex::encode(tree.message()), expected["message"].as_str().unwrap());
    for (index, write) in (0..).zip(&writes) {
        let at = usize::from(index);
        let proof = BundleProof {
            signature: bytes(&expected["signature"]),
            count: 6,
            index,
            blind: bytes(&expected["blinds"][at]),
            path: expected["paths"][at].as_array().unwrap().iter().map(bytes).collect(),
        };
        assert_eq!((bundle::blind(&seed, index), tree.path(index)), (proof.blind, Some(proof.path.clone())));
        proof.verify(&Credential::Ed25519(bytes(&expected["public_key"])), write).unwrap();
    }
}
