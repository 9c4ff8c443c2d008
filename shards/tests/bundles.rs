//! Many writes under one signature.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use arterial_protocol::{BlockNumber, BundleTree, DeviceId, Evidence, Write, bundle};
use arterial_shards::{Enrolment, Lane, Located, Shards, SignedBundle, SubmitError};
use arterial_storage::FileStorage;
use common::{Device, open, payload};
use ed25519_zebra::SigningKey;
use std::path::Path;

const SEED: [u8; 32] = [4; 32];

fn gateway() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

fn write(n: u8, seq: u64, payload: &[u8]) -> Write<'_> {
    Write { device: device(n), seq, observed_at_ms: 1_700_000_000_000, kind: 1, payload }
}

/// Shards with devices 0 to 19 of the gateway.
fn with_devices(dir: &Path, count: u32) -> Shards {
    let shards = open(&FileStorage, dir, count);
    let key = gateway().verification_key().into();
    let enrolments: Vec<Enrolment> = (0..20).map(|n| Enrolment::ed25519(device(n), key)).collect();
    assert!(shards.enrol(&enrolments).iter().all(Result::is_ok));
    shards
}

fn signed<'a>(key: &SigningKey, writes: &'a [Write<'a>]) -> SignedBundle<'a> {
    let tree = BundleTree::new(bundle::leaves(&SEED, writes)).unwrap();
    let signature = key.sign(&tree.message()).into();
    SignedBundle { key: key.verification_key().into(), seed: SEED, signature, writes }
}

/// That a sealed write carries its own proof of authorship.
fn is_proven(shards: &Shards, write: &Write<'_>) -> bool {
    let Located::Sealed(found) = shards.locate(write.device, write.seq).unwrap() else { panic!("{write:?}") };
    let Evidence::Bundle(proof) = found.evidence else { panic!("{:?}", found.evidence) };
    assert_eq!(found.record.write(), *write);
    proof.verify(&found.credential, write).is_ok()
}

#[test]
fn every_write_of_a_bundle_is_durable_and_proves_its_author_before_and_after_reopening() {
    for count in [1, 4] {
        let dir = tempfile::tempdir().unwrap();
        let mut shards = with_devices(dir.path(), count);
        let payloads: Vec<Vec<u8>> = (0..200).map(|n| vec![n; usize::from(n) * 7]).collect();
        let writes: Vec<Write<'_>> =
            (0..200).map(|n| write(n % 20, u64::from(n / 20), &payloads[usize::from(n)])).collect();
        let tickets = shards.submit_bundle(Lane::Routine, &signed(&gateway(), &writes)).unwrap();
        let acks: Vec<_> = tickets.wait().into_iter().map(Result::unwrap).collect();
        assert!(acks.iter().all(|ack| !ack.repeated));
        shards.seal(BlockNumber(1)).unwrap();
        for _ in 0..2 {
            assert!(writes.iter().all(|write| is_proven(&shards, write)));
            drop(shards);
            shards = open(&FileStorage, dir.path(), count);
        }
    }
}

#[test]
fn bad_members_are_named_one_by_one_and_the_others_stand() {
    let dir = tempfile::tempdir().unwrap();
    let shards = with_devices(dir.path(), 2);
    let loner = Device::new(100);
    shards.enrol(&[loner.enrolment()])[0].as_ref().unwrap();
    let reading = payload(0);
    let (own, tag) = loner.write(0, &reading);
    shards.submit(Lane::Routine, &own, tag).unwrap().wait().unwrap();
    shards.enrol(&[Enrolment::host(device(101))])[0].as_ref().unwrap();
    let first = [write(3, 5, b"first")];
    shards.submit_bundle(Lane::Routine, &signed(&gateway(), &first)).unwrap().wait()[0].as_ref().unwrap();

    let mut writes: Vec<Write<'_>> = (0..20).map(|n| write(n, 7, b"good")).collect();
    writes[0] = write(100, 1, b"of a device that signs by itself");
    writes[6] = write(101, 0, b"no gateway's");
    writes[11] = write(200, 0, b"a stranger's");
    writes[12] = write(3, 5, b"first");
    writes[13] = write(3, 5, b"not the first");
    writes[19] = write(3, 4, b"a step back");
    // The device's own next write comes before these in the bundle.
    let outcomes = shards.submit_bundle(Lane::Routine, &signed(&gateway(), &writes)).unwrap().wait();
    let unauthentic = |n: usize| matches!(outcomes[n], Err(SubmitError::Unauthentic { .. }));
    assert!(unauthentic(0) && unauthentic(6), "{outcomes:?}");
    assert!(matches!(outcomes[11], Err(SubmitError::UnknownDevice { .. })));
    assert!(outcomes[12].as_ref().unwrap().repeated);
    assert!(matches!(outcomes[13], Err(SubmitError::Equivocation { seq: 5, .. })));
    assert!(matches!(outcomes[19], Err(SubmitError::SeqRegressed { next_seq: 8, got: 4, .. })));
    let bad = [0, 6, 11, 12, 13, 19];
    let good: Vec<usize> = (0..20).filter(|n| !bad.contains(n)).collect();
    assert!(good.iter().all(|&n| outcomes[n].as_ref().is_ok_and(|ack| !ack.repeated)));
    shards.seal(BlockNumber(1)).unwrap();
    assert!(good.iter().all(|&n| is_proven(&shards, &writes[n])));
    assert!(is_proven(&shards, &first[0]));
}

#[test]
fn a_bundle_whose_signature_does_not_fit_is_accepted_on_nobodys_word() {
    let dir = tempfile::tempdir().unwrap();
    let shards = with_devices(dir.path(), 2);
    let writes: Vec<Write<'_>> = (0..20).map(|n| write(n, 0, b"good")).collect();
    let good = signed(&gateway(), &writes);
    let mut changed = writes.clone();
    changed[4].seq = 1;
    let other = SigningKey::from_bytes(&[8; 32]).verification_key().into();
    for bundle in [
        SignedBundle { writes: &changed, ..good },
        SignedBundle { writes: &writes[..19], ..good },
        SignedBundle { seed: [5; 32], ..good },
        SignedBundle { signature: [1; 64], ..good },
        SignedBundle { key: other, ..good },
    ] {
        let refused = shards.submit_bundle(Lane::Routine, &bundle).unwrap_err();
        assert!(matches!(refused, SubmitError::BundleSignature { .. }), "{refused}");
    }
    let empty = SignedBundle { writes: &[], ..good };
    assert!(matches!(shards.submit_bundle(Lane::Routine, &empty), Err(SubmitError::BundleSize { got: 0 })));
    assert!(!shards.has_unsealed() || shards.unsealed_records() == 0);
    // Another gateway's bundle of these devices is signed well, and none of its members is believed.
    let foreign = signed(&SigningKey::from_bytes(&[8; 32]), &writes);
    let outcomes = shards.submit_bundle(Lane::Routine, &foreign).unwrap().wait();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(SubmitError::Unauthentic { .. }))));
    assert_eq!(shards.unsealed_records(), 0);
}

#[test]
fn a_bundle_that_fills_many_groups_is_cut_into_parts() {
    let dir = tempfile::tempdir().unwrap();
    let shards = with_devices(dir.path(), 1);
    let payload = vec![7; 30_000];
    let writes: Vec<Write<'_>> = (0..100).map(|n| write(n % 20, u64::from(n / 20), &payload)).collect();
    let outcomes = shards.submit_bundle(Lane::Bulk, &signed(&gateway(), &writes)).unwrap().wait();
    assert!(outcomes.iter().all(Result::is_ok));
    shards.seal(BlockNumber(1)).unwrap();
    assert!(writes.iter().all(|write| is_proven(&shards, write)));
}

/// A group is torn anywhere by a crash. A member without its bundle's frame has no proof of who wrote it.
#[test]
fn a_torn_bundle_leaves_none_of_its_members() {
    let dir = tempfile::tempdir().unwrap();
    let shards = with_devices(dir.path(), 1);
    let segment = dir.path().join("shards/0000/log/0000000000000000.seg");
    let written = || {
        let bytes = std::fs::read(&segment).unwrap();
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
        (bytes, end.next_multiple_of(8))
    };
    let (_, begun) = written();
    let payloads: Vec<Vec<u8>> = (0..5).map(payload).collect();
    let writes: Vec<Write<'_>> = (0..5).map(|n| write(n, 0, &payloads[usize::from(n)])).collect();
    let tickets = shards.submit_bundle(Lane::Routine, &signed(&gateway(), &writes)).unwrap();
    assert!(tickets.wait().iter().all(Result::is_ok));
    drop(shards);
    let (good, end) = written();
    for keep in (begun..=end).step_by(8) {
        let mut bytes = good.clone();
        bytes[keep..].fill(0);
        std::fs::write(&segment, bytes).unwrap();
        let shards = open(&FileStorage, dir.path(), 1);
        let there = shards.unsealed_records();
        assert_eq!(there, if keep == end { 5 } else { 0 }, "bytes up to {keep} of {end}");
        assert_eq!(shards.status()[0].cut_bytes > 0, keep > begun && keep < end, "{keep}");
    }
    let shards = open(&FileStorage, dir.path(), 1);
    shards.seal(BlockNumber(1)).unwrap();
    assert!(writes.iter().all(|write| is_proven(&shards, write)));
}
