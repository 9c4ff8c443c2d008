//! Writes on their way to the shards: checked for their form, sorted by shard, laid out in the shards' groups.

use crate::{
    error::SubmitError,
    group::BundlePart,
    lane::Lane,
    limits::GROUP_BYTES_MAX,
    log::{StoredTag, bundle_frame_bytes, record_frame_bytes},
    shard::Shared,
    ticket::{Outcome, Place, Tickets},
};
use arterial_protocol::{BundleTree, ShardCount, Tag, Write, bundle, limits::BUNDLE_WRITES_MAX};
use ed25519_zebra::{Signature, VerificationKey};
use std::sync::Arc;

/// The writes of one call, by shard.
pub(crate) struct Routed {
    /// Indexes of writes, those of one shard together and in order.
    order: Vec<u32>,
    /// Where each shard's end.
    ends: Vec<u32>,
    tickets: Tickets,
}

impl Routed {
    /// Sorts out the writes that can't be records, and the others by shard.
    #[expect(clippy::cast_possible_truncation, reason = "a call has fewer than 2^32 writes")]
    pub(crate) fn new<'w>(
        writes: impl ExactSizeIterator<Item = &'w Write<'w>> + Clone,
        shards: ShardCount,
    ) -> Self {
        let mut tickets = Tickets { places: vec![Place::REFUSED; writes.len()], ..Tickets::default() };
        let mut ends = vec![0; shards.get() as usize + 1];
        let mut shard_of = Vec::with_capacity(writes.len());
        for (at, write) in writes.enumerate() {
            let shard = match write.validate() {
                Ok(()) => write.device.shard(shards).0,
                Err(error) => {
                    tickets.refused.push((at as u32, error.into()));
                    shards.get()
                }
            };
            shard_of.push(shard);
            ends[shard as usize] += 1;
        }
        let mut next = 0;
        for end in &mut ends {
            next += std::mem::replace(end, next);
        }
        let mut order = vec![0; shard_of.len()];
        for (at, shard) in shard_of.into_iter().enumerate() {
            let place = &mut ends[shard as usize];
            order[*place as usize] = at as u32;
            *place += 1;
        }
        Self { order, ends, tickets }
    }

    fn of_shard(&self, shard: usize) -> std::ops::Range<usize> {
        let start = if shard == 0 { 0 } else { self.ends[shard - 1] };
        start as usize..self.ends[shard] as usize
    }

    /// Hands every shard its writes; waits while lanes are full.
    pub(crate) fn submit(
        mut self,
        shards: &[Arc<Shared>],
        lane: Lane,
        writes: &[(Write<'_>, Tag)],
    ) -> Tickets {
        for (at, shard) in shards.iter().enumerate() {
            let range = self.of_shard(at);
            if range.is_empty() {
                continue;
            }
            let mut hand_over = shard.inbox.hand_over(lane);
            for &index in &self.order[range] {
                let (write, tag) = &writes[index as usize];
                let tag = StoredTag::Own(*tag);
                match hand_over.reserve(1, record_frame_bytes(write.payload.len(), &tag), true) {
                    Ok(group) => {
                        let entry = group.lay(write, &tag);
                        self.tickets.put(index, group.outcome(), entry);
                    }
                    Err(_) => self.tickets.refused.push((index, SubmitError::Closed)),
                }
            }
        }
        self.tickets.finish()
    }

    /// Hands every shard its part of a bundle; waits while lanes are full.
    pub(crate) fn submit_bundle(
        mut self,
        shards: &[Arc<Shared>],
        lane: Lane,
        bundle: &CheckedBundle<'_>,
    ) -> Tickets {
        for (at, shard) in shards.iter().enumerate() {
            let range = self.of_shard(at);
            let mut rest = &self.order[range];
            while !rest.is_empty() {
                let (members, bytes) = bundle.fill_group(rest);
                rest = &rest[members.len()..];
                let mut hand_over = shard.inbox.hand_over(lane);
                let Ok(group) = hand_over.reserve(members.len() + 1, bytes, true) else {
                    let closed = members.iter().map(|&index| (index, SubmitError::Closed));
                    self.tickets.refused.extend(closed);
                    continue;
                };
                for &index in members {
                    let entry = group
                        .lay(&bundle.writes[index as usize], &StoredTag::Bundled { index: place(index) });
                    self.tickets.put(index, group.outcome(), entry);
                }
                group.lay_bundle(bundle.part(members));
            }
        }
        self.tickets.finish()
    }
}

impl Tickets {
    fn put(&mut self, write: u32, outcome: &Arc<Outcome>, index: u32) {
        if !self.groups.last().is_some_and(|last| Arc::ptr_eq(last, outcome)) {
            self.groups.push(Arc::clone(outcome));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a call has fewer than 2^32 writes")]
        let group = self.groups.len() as u32 - 1;
        self.places[write as usize] = Place { group, index };
    }

    fn finish(mut self) -> Self {
        self.refused.sort_unstable_by_key(|(index, _)| *index);
        self
    }
}

/// A gateway's writes under one signature.
///
/// Every device of them is enrolled with the gateway's public key. A write that its shard refuses is named by its own
/// ticket and keeps none of the others out.
#[derive(Clone, Copy, Debug)]
pub struct SignedBundle<'a> {
    /// The gateway's Ed25519 public key.
    pub key: [u8; 32],
    /// The gateway's secret for this bundle, from which the writes' blinds are made.
    pub seed: [u8; 32],
    /// Over [`BundleTree::message`] of the writes' [`leaves`](bundle::leaves).
    pub signature: [u8; 64],
    /// At most [`BUNDLE_WRITES_MAX`](arterial_protocol::limits::BUNDLE_WRITES_MAX) of them.
    pub writes: &'a [Write<'a>],
}

/// A bundle whose signature is its gateway's.
pub(crate) struct CheckedBundle<'a> {
    writes: &'a [Write<'a>],
    bundle: &'a SignedBundle<'a>,
    tree: BundleTree,
    leaves: Vec<[u8; 32]>,
}

impl<'a> CheckedBundle<'a> {
    /// Checks the signature. If it doesn't fit, then at least one write isn't what was signed, and nobody knows which.
    pub(crate) fn new(bundle: &'a SignedBundle<'a>) -> Result<Self, SubmitError> {
        let SignedBundle { key, seed, signature, writes } = bundle;
        let count = writes.len();
        if count > BUNDLE_WRITES_MAX {
            return Err(SubmitError::BundleSize { got: count });
        }
        for write in *writes {
            write.validate()?;
        }
        let leaves = bundle::leaves(seed, writes);
        let tree = BundleTree::new(leaves.clone()).ok_or(SubmitError::BundleSize { got: count })?;
        VerificationKey::try_from(*key)
            .and_then(|key| key.verify(&Signature::from_bytes(signature), &tree.message()))
            .map_err(|_| SubmitError::BundleSignature { writes: count })?;
        Ok(Self { writes, bundle, tree, leaves })
    }

    /// As many of these members as one group holds, and the bytes that they take there.
    fn fill_group<'m>(&self, members: &'m [u32]) -> (&'m [u32], usize) {
        // A member has at most as many siblings as the tree has levels.
        let most_siblings = self.tree.path(0).map_or(0, |path| path.len() + 1);
        let frame_bytes = |index: u32| {
            let payload = self.writes[index as usize].payload.len();
            record_frame_bytes(payload, &StoredTag::Bundled { index: 0 })
        };
        let (mut taken, mut bytes) = (0, 0);
        for &index in members {
            let (records, siblings) = (bytes + frame_bytes(index), (taken + 1) * most_siblings);
            if taken > 0 && records + bundle_frame_bytes(siblings) > GROUP_BYTES_MAX {
                break;
            }
            (taken, bytes) = (taken + 1, records);
        }
        let members = &members[..taken];
        (members, bytes + bundle_frame_bytes(self.siblings(members).len()))
    }

    fn siblings(&self, members: &[u32]) -> Vec<[u8; 32]> {
        let places: Vec<u16> = members.iter().map(|&index| place(index)).collect();
        self.tree.siblings(&places).expect("members rise and are of the bundle")
    }

    fn part(&self, members: &[u32]) -> BundlePart {
        let SignedBundle { key, seed, signature, .. } = *self.bundle;
        BundlePart {
            key,
            signature,
            seed,
            writes: u32::from(self.tree.count()),
            members: members.iter().map(|&index| (place(index), self.leaves[index as usize])).collect(),
            siblings: self.siblings(members),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a bundle has at most BUNDLE_WRITES_MAX writes")]
const fn place(index: u32) -> u16 {
    index as u16
}
