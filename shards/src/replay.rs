//! Rebuilding from a log what its writer knew.

use crate::{
    accounts::Accounts,
    checkpoint::Checkpoint,
    directory::{Device, Directory},
    error::ShardError,
    keys::KeyStore,
    log::{Frame, LogPosition, LogReader, SegmentId},
    sealing::Sealing,
};
use arterial_protocol::{BlockNumber, DataDigest, ShardId};
use arterial_storage::Storage;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

/// What a replay of the log has built so far.
pub(crate) struct Replay {
    pub(crate) directory: Directory,
    pub(crate) accounts: Accounts,
    /// The block of the checkpoint that it began with, until its seal, which stands behind that, is met.
    restored: Option<BlockNumber>,
    /// The first slot that a frame filled, whose device's keys are not known.
    first_enrolled: u32,
}

impl Default for Replay {
    fn default() -> Self {
        let (directory, accounts) = (Directory::default(), Accounts::default());
        Self { directory, accounts, restored: None, first_enrolled: 0 }
    }
}

impl Replay {
    /// What the writer knew when the checkpoint was taken.
    pub(crate) fn restore(
        checkpoint: &Checkpoint,
        keys: &KeyStore,
        storage: &Arc<dyn Storage>,
        log: &Path,
        segments: &SegmentId,
    ) -> Result<Self, ShardError> {
        let mut directory = Directory::default();
        for device in keys.load(0, checkpoint.accounts.len())? {
            directory.add(device);
        }
        let mut accounts = Accounts::restore(checkpoint.accounts.clone(), checkpoint.number);
        let end = Arc::new(AtomicU64::new(checkpoint.position.0));
        let reader = LogReader::new(Arc::clone(storage), log.to_owned(), segments.segment_bytes, end);
        for &(slot, position) in &checkpoint.over {
            let link = reader.read(position, |frame| match frame {
                Frame::Record { record, .. } => Ok(record.link()),
                _ => Err(reader.corrupt(position, "expected a record".into())),
            })?;
            accounts.place(slot, link, position);
        }
        let first_enrolled = directory.next_slot();
        Ok(Self { directory, accounts, restored: Some(checkpoint.number), first_enrolled })
    }

    /// Takes one frame in as the writer did, and gives back what it sealed; what the writer would not have written
    /// is corruption.
    pub(crate) fn apply(
        &mut self,
        shard: ShardId,
        position: LogPosition,
        frame: &Frame<'_>,
    ) -> Result<Option<(Sealing, DataDigest)>, ShardError> {
        let corrupt = |what: String| ShardError::Corrupt {
            path: PathBuf::from(format!("log of shard {shard}")),
            offset: position.0,
            what,
        };
        match *frame {
            Frame::Enrolment { slot, device, credential } => {
                if slot != self.directory.next_slot() || self.directory.slot(device).is_some() {
                    return Err(corrupt(format!("device {device} is enrolled at slot {slot} out of turn")));
                }
                self.directory.add(Device { id: device, credential, keys: None });
                self.accounts.enrol();
            }
            Frame::Record { slot, record } => {
                let link = record.link();
                if self.directory.slot(record.write.device) != Some(slot)
                    || link.seq < self.accounts.next_seq(slot)
                {
                    return Err(corrupt(format!("a record of slot {slot} is out of turn")));
                }
                self.accounts.accept(slot, link, position);
            }
            Frame::Bundle(_) => {}
            Frame::Cut { number } => {
                if self.accounts.pending().is_some() || number != self.accounts.sealed().next() {
                    return Err(corrupt(format!("block {number} is cut out of turn")));
                }
                self.accounts.cut(None);
            }
            Frame::Seal { number, .. } if self.restored == Some(number) => self.restored = None,
            Frame::Seal { number, data } => {
                let Some(cut) = self.accounts.pending().filter(|cut| cut.number == number) else {
                    return Err(corrupt(format!("block {number} is sealed and was not cut")));
                };
                let sealing = cut
                    .sealing(shard, &self.directory)
                    .map_err(|source| ShardError::Batch { shard, source })?;
                let made = &sealing.batch;
                let digest =
                    if made.is_empty() { DataDigest::default() } else { DataDigest::of(&made.encode()) };
                if digest != data {
                    return Err(corrupt(format!(
                        "the log does not make the batch that was sealed as block {number}"
                    )));
                }
                self.accounts.seal();
                return Ok(Some((sealing, data)));
            }
        }
        Ok(None)
    }

    /// Adds the keys of the devices that were enrolled by frames.
    pub(crate) fn load_keys(&mut self, keys: &KeyStore) -> Result<(), ShardError> {
        let first = self.first_enrolled;
        let devices = self.directory.devices().len() - first as usize;
        for (slot, known) in (first..).zip(keys.load(first, devices)?) {
            let device = self.directory.device_mut(slot);
            if (known.id, known.credential) != (device.id, device.credential) {
                return Err(keys.corrupt(slot, "the entry is of another device"));
            }
            device.keys = known.keys;
        }
        Ok(())
    }
}
