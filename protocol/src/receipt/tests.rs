use super::*;
use crate::{
    account::Account,
    bundle::{self, BundleProof, BundleTree},
    device::{DeviceId, ShardId},
    poseidon::koala,
    record::Salt,
    state::{ShardLeaf, StateRoot, climb, empty_subtree, shards_tree},
    write::{AuthorshipError, Tag, Write, WriteError},
};
use ed25519_zebra::SigningKey;
use proptest::prelude::*;

struct Sample {
    receipt: Receipt,
    root: StateRoot,
}

/// What the sample's device is enrolled with, and how its record came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Signature,
    Mac,
    Host,
    Bundle,
}

impl By {
    fn credential(self) -> Credential {
        match self {
            Self::Signature | Self::Bundle => Credential::Ed25519(signing_key().verification_key().into()),
            Self::Mac => Credential::of_mac_key(&[8; 32]),
            Self::Host => Credential::Host,
        }
    }

    fn evidence(self, write: &Write<'_>) -> Evidence {
        match self {
            Self::Signature => {
                let mut signed_bytes = Vec::new();
                write.signed_bytes(&mut signed_bytes);
                Evidence::Signature(signing_key().sign(&signed_bytes).into())
            }
            Self::Mac => Tag::mac(&[8; 32], write).into(),
            Self::Host => Tag::Host.into(),
            Self::Bundle => Evidence::Bundle(bundle_proof(write)),
        }
    }
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// The write as the sixth of a bundle of seven.
fn bundle_proof(write: &Write<'_>) -> BundleProof {
    let seq = |n: u64| if n == 5 { write.seq } else { 100 + n };
    let writes: Vec<Write<'_>> = (0..7).map(|n| Write { seq: seq(n), ..*write }).collect();
    let tree = BundleTree::new(bundle::leaves(&[3; 32], &writes)).unwrap();
    BundleProof {
        signature: signing_key().sign(&tree.message()).into(),
        count: 7,
        index: 5,
        blind: bundle::blind(&[3; 32], 5),
        path: tree.path(5).unwrap(),
    }
}

/// A receipt for the record at `at` of a run of `run`, in a state of `shards` shards, beside one neighbour.
fn sample(shards: u32, run: u32, at: u32, by: By, payload: &[u8]) -> Sample {
    let shards = ShardCount::new(shards).unwrap();
    let device = DeviceId([0x5a; 16]);
    let credential = by.credential();
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
    let record = records[at as usize].clone();
    let receipt = Receipt {
        stage: Stage::Final,
        domain,
        number: BlockNumber(12),
        evidence: by.evidence(&record.write()),
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
    vec![
        sample(1, 1, 0, By::Signature, b"98 bpm"),
        sample(16, 3, 1, By::Signature, b""),
        sample(4, 2, 1, By::Mac, &[0xab; 100]),
        sample(1, 2, 0, By::Host, b"98 bpm"),
        sample(2, 2, 1, By::Bundle, b"98 bpm"),
    ]
}

#[test]
fn a_good_receipt_verifies_and_says_what_it_proves() {
    let Sample { receipt, root } = sample(16, 3, 1, By::Signature, b"98 bpm");
    let verified = receipt.verify(&root).unwrap();
    assert_eq!(verified.device, DeviceId([0x5a; 16]));
    assert_eq!((verified.seq, verified.position, verified.history_is_gapless), (5, 3, false));
    assert_eq!((verified.authorship, verified.number), (Authorship::Signed, BlockNumber(12)));
    let by = |by| {
        let Sample { receipt, root } = sample(4, 3, 2, by, b"");
        receipt.verify(&root).unwrap().authorship
    };
    assert_eq!(by(By::Bundle), Authorship::SignedInBundle { writes: 7 });
    assert_eq!(by(By::Mac), Authorship::SequencerOnly);
    assert_eq!(by(By::Host), Authorship::HostOnly);
    assert!(by(By::Signature).is_third_party() && by(By::Bundle).is_third_party());
    assert!(!by(By::Mac).is_third_party() && !by(By::Host).is_third_party());
}

#[test]
fn bytes_are_pinned_and_round_trip() {
    for Sample { receipt, .. } in samples() {
        assert_eq!(Receipt::decode(&receipt.encode()), Ok(receipt));
    }
    // A change of one of these is a change of the format: give it a new version.
    let hash = |by| blake3::hash(&sample(16, 3, 1, by, b"98 bpm").receipt.encode()).to_string();
    let pins = [
        (By::Signature, "26c6dec4afdfd43af6cbfe18ebb326e65941a2adbce9c1ba67bf1495164972be"),
        (By::Mac, "6f2689899ba6174034bc61dd47c303f58ea7e216302e424201cffff59bd7990f"),
        (By::Host, "819b893ecb8415408b56b5463aa4a00a48e06b2e349ffe340b0953d1c4799322"),
        (By::Bundle, "dc10b11306dbf4740ac2ef0f74a98140296a84d7daae06858bbaf08ac25188a7"),
    ];
    assert_eq!(pins.map(|(by, _)| hash(by)), pins.map(|(_, hash)| hash.to_owned()));
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
        let signed = matches!(receipt.credential, Credential::Ed25519(_));
        let expected: std::collections::BTreeSet<Step> =
            Step::ALL.into_iter().filter(|step| signed || *step != Step::Authorship).collect();
        assert_eq!(steps, expected);
    }
}

#[test]
fn each_rule_is_enforced_alone() {
    let Sample { receipt, root } = sample(16, 3, 1, By::Signature, b"98 bpm");
    let broken = |change: &dyn Fn(&mut Receipt)| {
        let mut receipt = receipt.clone();
        change(&mut receipt);
        receipt.verify(&root).unwrap_err()
    };
    let authorship = |error| VerifyError::Authorship(error);
    for evidence in [Evidence::Mac, Evidence::Host] {
        let error = broken(&|r| r.evidence = evidence.clone());
        assert_eq!(error, authorship(AuthorshipError::KindMismatch));
    }
    for credential in [Credential::Host, By::Mac.credential()] {
        let error = broken(&|r| r.credential = credential);
        assert_eq!(error, authorship(AuthorshipError::KindMismatch));
    }
    assert_eq!(
        broken(&|r| r.evidence = Evidence::Signature([0; 64])),
        authorship(AuthorshipError::Signature)
    );
    assert_eq!(broken(&|r| r.credential = Credential::Ed25519([2; 32])), authorship(AuthorshipError::Key));
    // A bundle of another write; and one that the receipt's own device did sign, but of no such shape.
    let write = receipt.record.write();
    let proof = bundle_proof(&Write { kind: 2, ..write });
    assert_eq!(
        broken(&|r| r.evidence = Evidence::Bundle(proof.clone())),
        authorship(AuthorshipError::Signature)
    );
    let proof = BundleProof { path: Vec::new(), ..bundle_proof(&write) };
    assert_eq!(
        broken(&|r| r.evidence = Evidence::Bundle(proof.clone())),
        authorship(AuthorshipError::BundlePath { count: 7, index: 5, got: 0 })
    );
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
    let Sample { receipt, .. } = sample(16, 1, 0, By::Mac, b"");
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
}

#[test]
fn json_is_readable() {
    let json = |by| -> serde_json::Value {
        serde_json::from_str(&sample(4, 1, 0, by, b"98 bpm").receipt.to_json()).unwrap()
    };
    let signed = json(By::Signature);
    assert_eq!(signed["reading"]["payload_text"], "98 bpm");
    assert_eq!(signed["stage"], "final");
    assert_eq!(signed["account"]["path"].as_array().unwrap().len(), ACCOUNTS_DEPTH);
    assert_eq!(signed["device"]["evidence"]["signature"].as_str().unwrap().len(), 128);
    assert_eq!(json(By::Mac)["device"]["evidence"], "mac");
    assert_eq!(json(By::Host)["device"]["key_type"], "host");
    let bundle = &json(By::Bundle)["device"]["evidence"]["bundle"];
    assert_eq!((bundle["index"].as_u64(), bundle["path"].as_array().unwrap().len()), (Some(5), 3));
}

/// Fields that only a bundle has, and a signature that only some have, are zero for the others.
#[test]
fn evidence_has_one_encoding() {
    let forged = |by, at: usize, value: u8| {
        let mut bytes = sample(4, 1, 0, by, b"").receipt.encode();
        bytes.truncate(bytes.len() - 16);
        bytes[at] = value;
        let sum = encoding::checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Receipt::decode(&bytes)
    };
    let field = |field| Err(ReceiptDecodeError::Field { field });
    for by in [By::Signature, By::Mac, By::Host] {
        assert_eq!(forged(by, 160, 1), field("bundle"), "{by:?}");
        assert_eq!(forged(by, 162, 1), field("bundle"), "{by:?}");
        assert_eq!(forged(by, 7, 4), field("bundle"), "{by:?}");
        assert_eq!(forged(by, 7, 0), field("evidence"), "{by:?}");
        assert_eq!(forged(by, 7, 5), field("evidence"), "{by:?}");
    }
    assert_eq!(forged(By::Mac, 143, 1), field("evidence"));
    assert_eq!(forged(By::Host, 143, 1), field("evidence"));
    assert_eq!(forged(By::Host, 48, 1), field("credential"));
    assert_eq!(forged(By::Bundle, 7, 1), field("bundle"));
    assert_eq!(forged(By::Bundle, 162, 7), field("bundle"));
    // 4,097 writes, which would be 13 levels.
    assert_eq!(forged(By::Bundle, 161, 0x10), field("bundle"));
}

proptest! {
    #[test]
    fn decoding_never_panics_and_is_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..2000), keep in 0usize..1400, seal: bool, by in prop_oneof![Just(By::Signature), Just(By::Mac), Just(By::Host), Just(By::Bundle)]) {
        let mut input = sample(2, 2, 0, by, b"x").receipt.encode();
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
