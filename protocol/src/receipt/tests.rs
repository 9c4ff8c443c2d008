use super::*;
use crate::{
    account::Account,
    device::{DeviceId, ShardId},
    poseidon::koala,
    record::Salt,
    state::{ShardLeaf, StateRoot, climb, empty_subtree, shards_tree},
    write::{Tag, Write, WriteError},
};
use ed25519_zebra::SigningKey;
use proptest::prelude::*;

struct Sample {
    receipt: Receipt,
    root: StateRoot,
}

/// A receipt for the record at `at` of a run of `run`, in a state of `shards` shards, beside one neighbour.
fn sample(shards: u32, run: u32, at: u32, mac: bool, payload: &[u8]) -> Sample {
    let shards = ShardCount::new(shards).unwrap();
    let device = DeviceId([0x5a; 16]);
    let signing = SigningKey::from_bytes(&[7; 32]);
    let credential = if mac {
        Credential::of_mac_key(&[8; 32])
    } else {
        Credential::Ed25519(signing.verification_key().into())
    };
    let slot = 5;
    let records: Vec<Record> = (0..run)
        .map(|n| {
            let write = Write {
                device,
                seq: 3 + 2 * u64::from(n),
                observed_at_ms: 1_700_000_000_000,
                kind: 1,
                payload,
            };
            Record::new(Salt::derive(&[9; 32], device, write.seq), &write).unwrap()
        })
        .collect();
    let mut account = Account {
        identity: credential.identity(device),
        head: Digest::reduce([1; 32]),
        next_seq: 3,
        count: 2,
    };
    let mut head_before = account.head;
    for (n, record) in (0..).zip(&records) {
        if n == at {
            head_before = account.head;
        }
        account.extend(slot, &record.link()).unwrap();
    }
    let mut accounts_path: [Digest; ACCOUNTS_DEPTH] = core::array::from_fn(empty_subtree);
    accounts_path[0] = Account::open(Digest::reduce([2; 32])).leaf();
    let accounts_root = climb(account.leaf(), slot, &accounts_path, koala::node);
    let shard = device.shard(shards);
    let leaves: Vec<ShardLeaf> = shards
        .iter()
        .map(|id| ShardLeaf { shard: id, accounts_root, total_records: 77, data: DataDigest([4; 32]) })
        .collect();
    let levels = shards_tree(&leaves);
    let shards_path = levels[..levels.len() - 1]
        .iter()
        .enumerate()
        .map(|(level, nodes)| nodes[(shard.0 as usize >> level) ^ 1])
        .collect();
    let domain = Domain::derive(31337, &[6; 32]);
    let mut signed_bytes = Vec::new();
    let record = records[at as usize].clone();
    record.write().signed_bytes(&mut signed_bytes);
    let receipt = Receipt {
        stage: Stage::Final,
        domain,
        number: BlockNumber(12),
        signature: (!mac).then(|| signing.sign(&signed_bytes).into()),
        record,
        credential,
        slot,
        head_before,
        later: records[at as usize + 1..].iter().map(Record::link).collect(),
        head_after: account.head,
        count: account.count,
        accounts_path,
        accounts_root,
        total_records: 77,
        data: DataDigest([4; 32]),
        shards_path,
    };
    Sample { receipt, root: StateRoot::compute(domain, BlockNumber(12), &leaves) }
}

fn samples() -> Vec<Sample> {
    vec![sample(1, 1, 0, false, b"98 bpm"), sample(16, 3, 1, false, b""), sample(4, 2, 1, true, &[0xab; 100])]
}

#[test]
fn a_good_receipt_verifies_and_says_what_it_proves() {
    let Sample { receipt, root } = sample(16, 3, 1, false, b"98 bpm");
    let verified = receipt.verify(&root).unwrap();
    assert_eq!(verified.device, DeviceId([0x5a; 16]));
    assert_eq!((verified.seq, verified.position, verified.history_is_gapless), (5, 3, false));
    assert_eq!((verified.authorship, verified.number), (Authorship::Signed, BlockNumber(12)));
    let mac = sample(4, 2, 1, true, b"");
    assert_eq!(mac.receipt.verify(&mac.root).unwrap().authorship, Authorship::SequencerOnly);
}

#[test]
fn bytes_are_pinned_and_round_trip() {
    for Sample { receipt, .. } in samples() {
        assert_eq!(Receipt::decode(&receipt.encode()), Ok(receipt));
    }
    // A change of this hash is a change of the format: give it a new version.
    let hash = blake3::hash(&sample(16, 3, 1, true, b"98 bpm").receipt.encode());
    assert_eq!(hash.to_hex().as_str(), "8f273efdc0e6a756970bf0e7c28d9e84bf62c8440519948cc02a8b34d62e1648");
}

/// Each single bit of each byte, as it would be damaged in storage.
#[test]
fn any_changed_bit_is_rejected_as_damage() {
    for Sample { receipt, .. } in samples() {
        let good = receipt.encode();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                Receipt::decode(&bytes).unwrap_err();
            }
        }
    }
}

/// Each single bit of each byte, by somebody who makes the checksum fit: only the stage, which is the issuer's
/// word, survives; everything else fails a step that has a name.
#[test]
fn any_forged_bit_but_the_stages_is_rejected_by_a_step() {
    for Sample { receipt, root } in samples() {
        let good = receipt.encode();
        let covered = good.len() - 16;
        let mut steps = std::collections::BTreeSet::new();
        for at in 0..covered {
            for bit in 0..8 {
                let mut bytes = good[..covered].to_vec();
                bytes[at] ^= 1 << bit;
                let sum = encoding::checksum(&bytes);
                bytes.extend_from_slice(&sum);
                let Ok(forged) = Receipt::decode(&bytes) else {
                    steps.insert(Step::Encoding);
                    continue;
                };
                match forged.verify(&root) {
                    Err(error) => {
                        let text = error.to_string();
                        assert!(text.starts_with(&error.step().to_string()), "{text}");
                        steps.insert(error.step());
                    }
                    Ok(_) => assert_eq!(at, 6, "bit {bit} of byte {at} was changed and accepted"),
                }
            }
        }
        let signed = receipt.signature.is_some();
        let expected: std::collections::BTreeSet<Step> =
            Step::ALL.into_iter().filter(|step| signed || *step != Step::Authorship).collect();
        assert_eq!(steps, expected);
    }
}

#[test]
fn each_rule_is_enforced_alone() {
    let Sample { receipt, root } = sample(16, 3, 1, false, b"98 bpm");
    let broken = |change: &dyn Fn(&mut Receipt)| {
        let mut receipt = receipt.clone();
        change(&mut receipt);
        receipt.verify(&root).unwrap_err()
    };
    assert!(matches!(broken(&|r| r.signature = None), VerifyError::Authorship(_)));
    assert!(matches!(broken(&|r| r.signature = Some([0; 64])), VerifyError::Authorship(_)));
    assert!(matches!(
        broken(&|r| r.credential = Credential::of_mac_key(&[8; 32])),
        VerifyError::Authorship(_)
    ));
    assert!(matches!(broken(&|r| r.credential = Credential::Ed25519([2; 32])), VerifyError::Authorship(_)));
    assert!(matches!(broken(&|r| r.later[0].seq = 5), VerifyError::Rule(_)));
    assert_eq!(broken(&|r| r.later = vec![r.later[0]; 1024]), VerifyError::RunTooLong { got: 1025 });
    assert_eq!(broken(&|r| r.later.clear()), VerifyError::HeadMismatch);
    assert_eq!(broken(&|r| r.slot += 1), VerifyError::HeadMismatch);
    assert_eq!(broken(&|r| r.head_before = Digest::ZERO), VerifyError::HeadMismatch);
    assert_eq!(broken(&|r| r.count = 1), VerifyError::Count { got: 1, low: 2, high: 7 });
    assert_eq!(broken(&|r| r.count = 8), VerifyError::Count { got: 8, low: 2, high: 7 });
    assert_eq!(broken(&|r| r.count -= 1), VerifyError::AccountMismatch);
    assert_eq!(broken(&|r| r.accounts_path[3] = Digest::reduce([1; 32])), VerifyError::AccountMismatch);
    assert_eq!(
        broken(&|r| r.shards_path = vec![FieldElement::ZERO; 13]),
        VerifyError::ShardsDepth { got: 13 }
    );
    for change in [
        &(|r: &mut Receipt| r.number = BlockNumber(13)) as &dyn Fn(&mut Receipt),
        &|r| r.domain = Domain::derive(1, &[6; 32]),
        &|r| r.total_records += 1,
        &|r| r.data.0[0] ^= 1,
        &|r| r.shards_path[2] = FieldElement::ZERO,
        &|r| _ = r.shards_path.pop(),
    ] {
        assert!(matches!(broken(change), VerifyError::StateRootMismatch { .. }));
    }
    let other = StateRoot(FieldElement::from(1u64));
    assert_eq!(receipt.verify(&other), Err(VerifyError::StateRootMismatch { expected: other, got: root }));
}

#[test]
fn a_record_under_another_shard_is_rejected() {
    // The same device, committed to by a root in which it lives in a shard that is not its own.
    let Sample { receipt, .. } = sample(16, 1, 0, true, b"");
    let own = receipt.record.write().device.shard(ShardCount::new(16).unwrap());
    let leaves: Vec<ShardLeaf> = (0..16)
        .map(|id| {
            let genesis = ShardLeaf::genesis(ShardId(id));
            if id == (own.0 ^ 1) {
                ShardLeaf {
                    accounts_root: receipt.accounts_root,
                    total_records: 77,
                    data: receipt.data,
                    ..genesis
                }
            } else {
                genesis
            }
        })
        .collect();
    let root = StateRoot::compute(receipt.domain, receipt.number, &leaves);
    let levels = shards_tree(&leaves);
    let mut forged = receipt;
    forged.shards_path = (0..4).map(|level| levels[level][((own.0 ^ 1) as usize >> level) ^ 1]).collect();
    assert!(matches!(forged.verify(&root), Err(VerifyError::StateRootMismatch { .. })));
}

#[test]
fn a_record_over_the_limits_has_no_receipt() {
    let write = Write { device: DeviceId([0; 16]), seq: 1 << 30, observed_at_ms: 0, kind: 0, payload: b"" };
    let error = Record::new(Salt::derive(&[0; 32], write.device, 0), &write).unwrap_err();
    assert_eq!(error, WriteError::SeqOutOfRange { got: 1 << 30 });
    let _ = Tag::mac(&[0; 32], b"");
}

#[test]
fn json_is_readable() {
    let Sample { receipt, .. } = sample(4, 1, 0, false, b"98 bpm");
    let json: serde_json::Value = serde_json::from_str(&receipt.to_json()).unwrap();
    assert_eq!(json["reading"]["payload_text"], "98 bpm");
    assert_eq!(json["stage"], "final");
    assert_eq!(json["account"]["path"].as_array().unwrap().len(), ACCOUNTS_DEPTH);
}

proptest! {
    #[test]
    fn decoding_never_panics_and_is_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..2000), keep in 0usize..1200, seal: bool) {
        let mut input = sample(2, 2, 0, true, b"x").receipt.encode();
        let keep = keep.min(input.len());
        input.truncate(keep);
        input.extend_from_slice(&bytes);
        if seal && input.len() > 16 {
            let covered = input.len() - 16;
            let sum = encoding::checksum(&input[..covered]);
            input[covered..].copy_from_slice(&sum);
        }
        if let Ok(receipt) = Receipt::decode(&input) {
            prop_assert_eq!(receipt.encode(), input);
        }
    }
}
