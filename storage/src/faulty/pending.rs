//! What was written to a file and not synced, and what a loss of power leaves of it.

use super::plan::Chance;
use crate::Blob;
use std::io;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLen(u64),
}

/// Changes in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Pending {
    changes: Vec<Change>,
    /// Writes of syncs that failed. The system shows them until power is lost, and believes that they are on the disk.
    lost: Vec<Change>,
}

impl Pending {
    pub(super) fn push(&mut self, change: Change) {
        self.cover_lost(&change);
        self.changes.push(change);
    }

    /// What a sync writes.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What a sync that fails has written.
    pub(super) fn lose_changes(&mut self, chance: &mut Chance) -> Vec<Change> {
        let changes = self.take_changes();
        for change in &changes {
            self.cover_lost(change);
            if matches!(change, Change::Write { .. }) {
                self.lost.push(change.clone());
            }
        }
        survivors(changes, chance)
    }

    /// What a change covers of what was lost shows no more.
    fn cover_lost(&mut self, change: &Change) {
        let (from, to) = match change {
            Change::Write { offset, bytes } => (*offset, offset + bytes.len() as u64),
            Change::SetLen(bytes) => (*bytes, u64::MAX),
        };
        let lost = std::mem::take(&mut self.lost).into_iter();
        self.lost = lost.flat_map(|change| without(change, from, to)).collect();
    }

    /// What gets to the disk when power is lost.
    pub(super) fn survivors(self, chance: &mut Chance) -> Vec<Change> {
        survivors(self.changes, chance)
    }

    fn shown(&self) -> impl Iterator<Item = &Change> {
        self.lost.iter().chain(&self.changes)
    }

    /// The file's length, given that of the file below.
    pub(super) fn length(&self, below: u64) -> u64 {
        self.shown().fold(below, |length, change| match change {
            Change::Write { offset, bytes } => length.max(offset + bytes.len() as u64),
            Change::SetLen(bytes) => *bytes,
        })
    }

    /// The whole file as its writer sees it.
    pub(super) fn content(&self, below: &dyn Blob) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.length(below.bytes()?)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.read(below, &mut bytes, 0)?;
        Ok(bytes)
    }

    /// A part of the file as its writer sees it.
    pub(super) fn read(&self, below: &dyn Blob, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let length = below.bytes()?;
        if !bytes.is_empty() && offset + bytes.len() as u64 > self.length(length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let there = cut(length, offset, bytes.len());
        below.read_at(&mut bytes[..there], offset)?;
        bytes[there..].fill(0);
        let window = bytes.len();
        for change in self.shown() {
            match change {
                Change::Write { offset: at, bytes: written } => {
                    let (from, to) =
                        (cut(*at, offset, window), cut(*at + written.len() as u64, offset, window));
                    let skipped = cut(offset, *at, written.len());
                    bytes[from..to].copy_from_slice(&written[skipped..skipped + (to - from)]);
                }
                Change::SetLen(end) => bytes[cut(*end, offset, window)..].fill(0),
            }
        }
        Ok(())
    }
}

/// What a disk has of changes in the end, of which nobody knows.
fn survivors(changes: Vec<Change>, chance: &mut Chance) -> Vec<Change> {
    match chance.below(4) {
        0 => Vec::new(),
        1 => changes,
        2 => beginning(changes, chance),
        _ => sectors(changes, chance),
    }
}

/// What is left of a change where others are written over a part of the file.
fn without(change: Change, from: u64, to: u64) -> Vec<Change> {
    let Change::Write { offset, bytes } = change else { return vec![change] };
    let (before, after) = (cut(from, offset, bytes.len()), cut(to, offset, bytes.len()));
    let parts = [(offset, &bytes[..before]), (offset + after as u64, &bytes[after..])];
    let kept = parts.into_iter().filter(|(_, bytes)| !bytes.is_empty());
    kept.map(|(offset, bytes)| Change::Write { offset, bytes: bytes.to_vec() }).collect()
}

/// How far `end` reaches into a window at `offset`.
fn cut(end: u64, offset: u64, window: usize) -> usize {
    usize::try_from(end.saturating_sub(offset)).map_or(window, |reach| reach.min(window))
}

/// The first few changes, the last of them torn at any byte if it is longer than what a disk writes at once.
fn beginning(mut changes: Vec<Change>, chance: &mut Chance) -> Vec<Change> {
    changes.truncate(chance.below(changes.len() as u64 + 1) as usize);
    if let Some(Change::Write { offset, bytes }) = changes.last_mut()
        && *offset / SECTOR_BYTES != (*offset + bytes.len() as u64).saturating_sub(1) / SECTOR_BYTES
    {
        bytes.truncate(chance.below(bytes.len() as u64 + 1) as usize);
    }
    changes
}

/// Any of the sectors in any order, and maybe the length that the file was to get without what was to be in it.
///
/// Between two syncs nothing says which write comes first. Where two of them cover a sector wholly, the order adds nothing:
/// the later one may as well be missing. It does where they overlap within a sector.
fn sectors(changes: Vec<Change>, chance: &mut Chance) -> Vec<Change> {
    let mut kept = Vec::new();
    for change in changes {
        match change {
            Change::SetLen(bytes) if chance.one_in(2) => kept.push(Change::SetLen(bytes)),
            Change::SetLen(_) => {}
            Change::Write { offset, bytes } => {
                let (mut offset, mut rest) = (offset, &bytes[..]);
                while !rest.is_empty() {
                    let length = cut((offset / SECTOR_BYTES + 1) * SECTOR_BYTES, offset, rest.len());
                    let (sector, after) = rest.split_at(length);
                    if chance.one_in(2) {
                        kept.push(Change::Write { offset, bytes: sector.to_vec() });
                    }
                    (offset, rest) = (offset + length as u64, after);
                }
            }
        }
    }
    chance.shuffle(&mut kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStorage, Storage as _};
    use std::{collections::BTreeSet, path::Path};

    fn write(offset: u64, byte: u8, length: usize) -> Change {
        Change::Write { offset, bytes: vec![byte; length] }
    }

    fn pending(changes: impl IntoIterator<Item = Change>) -> Pending {
        let mut pending = Pending::default();
        changes.into_iter().for_each(|change| pending.push(change));
        pending
    }

    fn below(bytes: &[u8]) -> Box<dyn Blob> {
        let storage = MemoryStorage::default();
        storage.replace(Path::new("file"), bytes).unwrap();
        storage.open(Path::new("file")).unwrap()
    }

    #[test]
    fn reads_see_what_is_held_back() {
        let below = below(&[1; 10]);
        let pending = pending([write(8, 2, 4), Change::SetLen(11), Change::SetLen(13), write(0, 3, 2)]);
        let expected = [3, 3, 1, 1, 1, 1, 1, 1, 2, 2, 2, 0, 0];
        assert_eq!(pending.content(&*below).unwrap(), expected);
        for from in 0..=expected.len() {
            for to in from..=expected.len() {
                let mut bytes = vec![9; to - from];
                pending.read(&*below, &mut bytes, from as u64).unwrap();
                assert_eq!(bytes, expected[from..to], "{from}..{to}");
            }
            let mut bytes = vec![9; expected.len() - from + 1];
            let error = pending.read(&*below, &mut bytes, from as u64).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn what_a_failed_sync_lost_is_shown_until_it_is_written_over() {
        let below = below(&[1; 8]);
        let mut pending = pending([write(2, 2, 4)]);
        pending.lose_changes(&mut Chance::new(0));
        assert_eq!(pending.content(&*below).unwrap(), [1, 1, 2, 2, 2, 2, 1, 1]);
        pending.push(write(3, 3, 2));
        assert_eq!(pending.content(&*below).unwrap(), [1, 1, 2, 3, 3, 2, 1, 1]);
        // Synced, it is below, and what was lost beside it is still shown.
        assert!(matches!(&pending.take_changes()[..], [Change::Write { offset: 3, .. }]));
        assert_eq!(pending.content(&*below).unwrap(), [1, 1, 2, 1, 1, 2, 1, 1]);
        assert!(pending.survivors(&mut Chance::new(0)).is_empty());
    }

    /// Every fate comes up, none of them adds a byte that nobody wrote, and what fits a sector is never torn.
    #[test]
    fn a_crash_leaves_sectors_of_what_was_written() {
        let mut torn = false;
        let mut fates = [false; 3];
        for seed in 0..400 {
            let pending = pending([write(500, 1, 2000), write(4096, 2, 100)]);
            let survivors = pending.survivors(&mut Chance::new(seed));
            let mut image = vec![0; 4196];
            for change in survivors {
                let Change::Write { offset, bytes } = change else { panic!("{change:?}") };
                image[offset as usize..][..bytes.len()].copy_from_slice(&bytes);
            }
            let [first, second] = [&image[500..2500], &image[4096..]];
            assert!(image[..500].iter().chain(&image[2500..4096]).all(|byte| *byte == 0));
            assert!(second == [0; 100] || second == [2; 100]);
            let written = first.iter().filter(|byte| **byte == 1).count();
            fates[usize::from(written > 0) + usize::from(written == 2000)] = true;
            torn |= first
                .windows(2)
                .enumerate()
                .any(|(at, pair)| pair == [1, 0] && !(501 + at).is_multiple_of(512));
        }
        assert!(torn && fates == [true; 3], "{torn} {fates:?}");
    }

    /// Writes that overlap within a sector and were not synced between: every subset of them, and both orders.
    #[test]
    fn unsynced_writes_arrive_in_any_order() {
        let image = |seed| {
            let pending = pending([write(0, 1, 300), write(200, 2, 200)]);
            let mut image = vec![0; 400];
            for change in pending.survivors(&mut Chance::new(seed)) {
                let Change::Write { offset, bytes } = change else { panic!("{change:?}") };
                image[offset as usize..][..bytes.len()].copy_from_slice(&bytes);
            }
            [image[0], image[250], image[350]]
        };
        let images: BTreeSet<_> = (0..400).map(image).collect();
        assert_eq!(images, BTreeSet::from([[0, 0, 0], [1, 1, 0], [0, 2, 2], [1, 2, 2], [1, 1, 2]]));
    }
}
