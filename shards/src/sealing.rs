//! From what a block is cut from to its batch: off the writer's thread, so that no acknowledgement waits for it.

use crate::{accounts::Unsealed, checkpoint::Checkpoint, directory::Directory, log::LogPosition};
use arterial_protocol::{AccountRun, Batch, BatchError, BlockNumber, Link, ShardId};
use std::sync::Arc;

/// An account that a block touches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch {
    pub(crate) slot: u32,
    /// Whether the block opens it.
    pub(crate) enrolled: bool,
    /// The newest block before that touched it, 0 if none did.
    pub(crate) previous_block: u64,
    /// Where it stands among the accounts of that block.
    pub(crate) previous_touch: u32,
    /// Its records in the block.
    pub(crate) records: u32,
    /// Where the last of them stands.
    pub(crate) last: u32,
}

/// What goes into a block, in order of the log.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) number: BlockNumber,
    pub(crate) touched: Vec<Touch>,
    pub(crate) records: Vec<Unsealed>,
    /// What a restart needs to begin behind this block, if one is due.
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// What a writer answers to whoever seals a block.
#[derive(Debug)]
pub(crate) enum CutAnswer {
    /// To be made a batch of.
    Cut(Arc<Cut>),
    /// It is sealed already.
    Sealed,
}

/// A batch and what its index needs.
#[derive(Debug)]
pub(crate) struct Sealing {
    pub(crate) batch: Batch,
    /// For each account of the batch, the block before that touched it.
    pub(crate) previous_blocks: Vec<u64>,
    /// For each record of the batch, where it stands in the log.
    pub(crate) positions: Vec<LogPosition>,
}

impl Cut {
    pub(crate) const fn new(number: BlockNumber) -> Self {
        Self { number, touched: Vec::new(), records: Vec::new(), checkpoint: None }
    }

    /// The batch: accounts by slot, the records of each by `seq`, which is their order in the log.
    pub(crate) fn sealing(&self, shard: ShardId, directory: &Directory) -> Result<Sealing, BatchError> {
        let mut by_slot: Vec<u32> = (0..).take(self.touched.len()).collect();
        by_slot.sort_unstable_by_key(|&touch| self.touched[touch as usize].slot);
        // Where each account's next record goes.
        let mut next = vec![0; self.touched.len()];
        let mut end = 0;
        for &touch in &by_slot {
            next[touch as usize] = end;
            end += self.touched[touch as usize].records as usize;
        }
        let Some(any) = self.records.first() else {
            return self.assemble(shard, directory, &by_slot, &[], Vec::new());
        };
        let mut links: Vec<Link> = vec![any.link; end];
        let mut positions = vec![any.position; end];
        for record in &self.records {
            let at = &mut next[record.touch as usize];
            (links[*at], positions[*at]) = (record.link, record.position);
            *at += 1;
        }
        self.assemble(shard, directory, &by_slot, &links, positions)
    }

    fn assemble(
        &self,
        shard: ShardId,
        directory: &Directory,
        by_slot: &[u32],
        mut links: &[Link],
        positions: Vec<LogPosition>,
    ) -> Result<Sealing, BatchError> {
        let mut batch = Batch::new(shard, self.number);
        let mut previous_blocks = Vec::with_capacity(by_slot.len());
        for &touch in by_slot {
            let touched = &self.touched[touch as usize];
            let (run, rest) = links.split_at(touched.records as usize);
            links = rest;
            let device = directory.device(touched.slot);
            let enrolment = touched.enrolled.then(|| device.credential.identity(device.id));
            batch.push(AccountRun { slot: touched.slot, enrolment, links: run })?;
            previous_blocks.push(touched.previous_block);
        }
        Ok(Sealing { batch, previous_blocks, positions })
    }
}
