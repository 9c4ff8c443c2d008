use super::*;
use crate::{
    Credential, DeviceId, Write,
    lanes::{self, Mode},
    limits::BUNDLE_WRITES_MAX,
    write::AuthorshipError,
};
use ed25519_zebra::SigningKey;
use proptest::prelude::*;

const SEED: [u8; 32] = [3; 32];

/// Leaves that differ, of no writes.
fn numbered(count: u16) -> Vec<[u8; 32]> {
    (0..count).map(|n| lanes::hash(Mode::Hash, &n.to_le_bytes())).collect()
}

fn tree(count: u16) -> BundleTree {
    BundleTree::new(numbered(count)).unwrap()
}

/// Some writes of several lengths, two of them over what lanes take.
fn writes(payload: &[u8]) -> Vec<Write<'_>> {
    let lengths = [0, 6, 56, 57, 6, 300, 952, 953, 6, 2000];
    (0..)
        .zip(lengths.into_iter().cycle().take(50))
        .map(|(n, length)| Write {
            device: DeviceId([n; 16]),
            seq: u64::from(n),
            observed_at_ms: 1_700_000_000_000,
            kind: 1,
            payload: &payload[..length],
        })
        .collect()
}

/// The root by its definition, one node after the other.
fn root_by_hand(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => *blake3::hash(&[*left, *right].concat()).as_bytes(),
                _ => pair[0],
            })
            .collect();
    }
    level[0]
}

#[test]
fn a_tree_is_as_it_is_defined() {
    for count in (1..=40).chain([1023, 1024, 1025, 4095, 4096]) {
        let tree = tree(count);
        assert_eq!((tree.root(), tree.count()), (root_by_hand(numbered(count)), count));
    }
}

#[test]
fn a_bundle_has_a_size() {
    assert_eq!(BundleTree::new(Vec::new()), None);
    assert_eq!(BundleTree::new(vec![[0; 32]; BUNDLE_WRITES_MAX + 1]), None);
    assert_eq!(path_nodes(0, 0), None);
    assert_eq!(path_nodes(4097, 0), None);
    assert_eq!(path_nodes(u16::MAX, 0), None);
}

#[test]
fn paths_are_as_long_as_their_place_makes_them() {
    for count in (1..=40).chain([4095, 4096]) {
        let tree = tree(count);
        for index in 0..count {
            assert_eq!(path_nodes(count, index), tree.path(index).map(|path| path.len()));
        }
        assert_eq!((path_nodes(count, count), tree.path(count)), (None, None));
    }
    assert_eq!([0, 3, 4].map(|index| path_nodes(5, index)), [Some(3), Some(3), Some(1)]);
}

#[test]
fn leaves_in_lanes_agree_with_one_by_one() {
    let payload: Vec<u8> = (0..=250).cycle().take(2000).collect();
    let writes = writes(&payload);
    for count in [0, 1, 10, 50] {
        let expected: Vec<_> =
            (0..).zip(&writes[..count]).map(|(index, write)| leaf(&blind(&SEED, index), write)).collect();
        assert_eq!(leaves(&SEED, &writes[..count]), expected);
    }
}

#[test]
fn a_leaf_is_what_it_is_defined_to_be() {
    let write = Write { device: DeviceId([7; 16]), seq: 5, observed_at_ms: 9, kind: 1, payload: b"98 bpm" };
    let mut material = vec![8; 32];
    write.encode_body(&mut material);
    material.resize(128, 0);
    assert_eq!(leaf(&[8; 32], &write), blake3::derive_key("arterial/bundle-leaf/v1", &material));
    // Nor does a leaf tell what it is of without its blind.
    assert_ne!(leaf(&blind(&SEED, 0), &write), leaf(&blind(&SEED, 1), &write));
    assert_ne!(blind(&SEED, 0), blind(&[4; 32], 0));
}

/// A bundle of 50 writes, signed, and the proof of the one at `index`.
fn signed<'a>(writes: &[Write<'a>], index: u16) -> (Credential, Write<'a>, BundleProof) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let tree = BundleTree::new(leaves(&SEED, writes)).unwrap();
    let proof = BundleProof {
        signature: key.sign(&tree.message()).into(),
        count: tree.count(),
        index,
        blind: blind(&SEED, index),
        path: tree.path(index).unwrap(),
    };
    (Credential::Ed25519(key.verification_key().into()), writes[usize::from(index)], proof)
}

#[test]
fn every_write_of_a_bundle_is_proven() {
    let payload = [1; 2000];
    let writes = writes(&payload);
    for index in 0..50 {
        let (credential, write, proof) = signed(&writes, index);
        assert_eq!(proof.verify(&credential, &write), Ok(()), "{index}");
    }
}

#[test]
fn each_part_of_a_proof_is_checked() {
    let payload = [1; 2000];
    let writes = writes(&payload);
    let (credential, write, good) = signed(&writes, 48);
    let broken = |change: &dyn Fn(&mut BundleProof)| {
        let mut proof = good.clone();
        change(&mut proof);
        proof.verify(&credential, &write)
    };
    let signature = Err(AuthorshipError::Signature);
    assert_eq!(broken(&|proof| proof.signature[3] ^= 1), signature);
    assert_eq!(broken(&|proof| proof.blind[31] ^= 1), signature);
    for at in 0..good.path.len() {
        assert_eq!(broken(&|proof| proof.path[at][0] ^= 1), signature);
    }
    // The same shape of path, so only the signature can tell.
    assert_eq!(broken(&|proof| proof.index = 49), signature);
    assert_eq!((path_nodes(50, 48), path_nodes(52, 48)), (Some(3), Some(4)));
    let shape = |count, index, got| Err(AuthorshipError::BundlePath { count, index, got });
    assert_eq!(broken(&|proof| proof.count = 52), shape(52, 48, 3));
    assert_eq!(broken(&|proof| proof.index = 0), shape(50, 0, 3));
    assert_eq!(broken(&|proof| proof.index = 50), shape(50, 50, 3));
    assert_eq!(broken(&|proof| proof.path.push([0; 32])), shape(50, 48, 4));
    assert_eq!(broken(&|proof| _ = proof.path.pop()), shape(50, 48, 2));
    assert_eq!(good.verify(&credential, &Write { seq: 49, ..write }), signature);
    assert_eq!(good.verify(&Credential::Host, &write), Err(AuthorshipError::KindMismatch));
    let other = SigningKey::from_bytes(&[8; 32]).verification_key().into();
    assert_eq!(good.verify(&Credential::Ed25519(other), &write), signature);
}

#[test]
fn the_signed_count_fixes_the_shape() {
    // Four writes and one: a root of the same leaves, but for what stands for a node of the first.
    let leaves = numbered(4);
    let inner = tree(4).root();
    let of_one = BundleTree::new(vec![inner]).unwrap();
    assert_eq!(of_one.root(), BundleTree::new(leaves).unwrap().root());
    assert_ne!(of_one.message(), tree(4).message());
}

fn members_of(count: u16, chosen: &[u16]) -> Vec<u16> {
    let mut members: Vec<u16> = chosen.iter().map(|at| at % count).collect();
    members.sort_unstable();
    members.dedup();
    members
}

fn with_leaves(members: &[u16]) -> Vec<(u16, [u8; 32])> {
    let leaves = numbered(4096);
    members.iter().map(|&at| (at, leaves[usize::from(at)])).collect()
}

proptest! {
    #[test]
    fn paths_come_back_from_siblings(count in prop_oneof![1u16..70, 1u16..=4096], chosen in proptest::collection::vec(any::<u16>(), 1..80)) {
        let (tree, members) = (tree(count), members_of(count, &chosen));
        let siblings = tree.siblings(&members).unwrap();
        let known = with_leaves(&members);
        for &index in &members {
            prop_assert_eq!(path_from_siblings(count, &known, &siblings, index), tree.path(index));
        }
        // Neither one more nor one less, nor for who is no member.
        let more = [&siblings[..], &[[0; 32]]].concat();
        prop_assert_eq!(path_from_siblings(count, &known, &more, members[0]), None);
        if let Some((_, fewer)) = siblings.split_last() {
            prop_assert_eq!(path_from_siblings(count, &known, fewer, members[0]), None);
        }
        let stranger = (0..=count).find(|at| !members.contains(at)).unwrap();
        prop_assert_eq!(path_from_siblings(count, &known, &siblings, stranger), None);
    }

    #[test]
    fn no_members_make_it_panic(count: u16, known in proptest::collection::vec((any::<u16>(), Just([1; 32])), 0..8), siblings in 0usize..40, index: u16) {
        let path = path_from_siblings(count, &known, &vec![[2; 32]; siblings], index);
        if let Some(path) = path {
            prop_assert_eq!(path_nodes(count, index), Some(path.len()));
        }
    }
}

#[test]
fn all_members_need_no_siblings_and_one_needs_its_path() {
    for count in [1, 2, 5, 4096] {
        let tree = tree(count);
        let all: Vec<u16> = (0..count).collect();
        assert_eq!(tree.siblings(&all), Some(Vec::new()));
        assert_eq!(path_from_siblings(count, &with_leaves(&all), &[], count - 1), tree.path(count - 1));
        assert_eq!(tree.siblings(&[count - 1]), tree.path(count - 1));
    }
}

#[test]
fn members_rise_and_exist() {
    let tree = tree(5);
    for members in [&[1, 0][..], &[2, 2], &[5], &[0, 9]] {
        assert_eq!(tree.siblings(members), None);
        assert_eq!(path_from_siblings(5, &with_leaves(members), &[[0; 32]; 3], members[0]), None);
    }
    assert_eq!(path_from_siblings(0, &[], &[], 0), None);
    assert_eq!(path_from_siblings(4097, &[(0, [0; 32])], &[[0; 32]; 13], 0), None);
}
