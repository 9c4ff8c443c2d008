//! What a shard knows of its devices while it takes writes.

use crate::{keys::DeviceKeys, log::LogPosition, sealed::Sealing};
use arterial_protocol::{
    AccountRun, Batch, BatchError, BlockNumber, Credential, DeviceId, Link, ShardId, limits::RUN_RECORDS_MAX,
};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// A device, for those who submit and those who read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) credential: Credential,
    /// `None` once they were destroyed.
    pub(crate) keys: Option<DeviceKeys>,
    /// The newest sealed block that touched the account, 0 before the first.
    pub(crate) last_block: u64,
}

/// The devices of a shard by identifier and by slot.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    slots: HashMap<DeviceId, u32>,
    devices: Vec<Device>,
}

impl Directory {
    pub(crate) fn slot(&self, device: DeviceId) -> Option<u32> {
        self.slots.get(&device).copied()
    }

    pub(crate) fn device(&self, slot: u32) -> &Device {
        &self.devices[slot as usize]
    }

    pub(crate) fn device_mut(&mut self, slot: u32) -> &mut Device {
        &mut self.devices[slot as usize]
    }

    pub(crate) fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The slot that the next device gets.
    #[expect(clippy::cast_possible_truncation, reason = "a shard has at most SLOTS_END slots")]
    pub(crate) fn next_slot(&self) -> u32 {
        self.devices.len() as u32
    }

    pub(crate) fn add(&mut self, device: Device) {
        self.slots.insert(device.id, self.next_slot());
        self.devices.push(device);
    }
}

/// A record that waits for its block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsealed {
    pub(crate) link: Link,
    pub(crate) position: LogPosition,
}

#[derive(Debug, Default)]
struct Account {
    next_seq: u32,
    enrolled_unsealed: bool,
    unsealed: VecDeque<Unsealed>,
}

/// What is not in a block yet, and what comes next: moved by the writer alone, and by replay in the same way.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
    /// Slots with anything unsealed.
    touched: BTreeSet<u32>,
    unsealed_records: usize,
    /// The newest sealed block; 0 before the first.
    sealed: u64,
}

impl Accounts {
    pub(crate) fn enrol(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "a shard has at most SLOTS_END slots")]
        self.touched.insert(self.accounts.len() as u32);
        self.accounts.push(Account { enrolled_unsealed: true, ..Account::default() });
    }

    /// The lowest `seq` that the account at `slot` takes.
    pub(crate) fn next_seq(&self, slot: u32) -> u32 {
        self.accounts[slot as usize].next_seq
    }

    pub(crate) fn accept(&mut self, slot: u32, unsealed: Unsealed) {
        let account = &mut self.accounts[slot as usize];
        assert!(unsealed.link.seq >= account.next_seq, "a record was checked before it was accepted");
        account.next_seq = unsealed.link.seq + 1;
        account.unsealed.push_back(unsealed);
        self.touched.insert(slot);
        self.unsealed_records += 1;
    }

    /// An accepted record that waits for its block.
    pub(crate) fn find_unsealed(&self, slot: u32, seq: u32) -> Option<Unsealed> {
        let unsealed = &self.accounts[slot as usize].unsealed;
        let at = unsealed.binary_search_by_key(&seq, |unsealed| unsealed.link.seq).ok()?;
        unsealed.get(at).copied()
    }

    pub(crate) const fn unsealed_records(&self) -> usize {
        self.unsealed_records
    }

    /// Whether there is anything to put into a block.
    pub(crate) fn has_unsealed(&self) -> bool {
        !self.touched.is_empty()
    }

    /// How many seals it takes until everything that is unsealed now is in a block.
    pub(crate) fn seals_needed(&self) -> u64 {
        let of_account =
            |&slot: &u32| self.accounts[slot as usize].unsealed.len().div_ceil(RUN_RECORDS_MAX).max(1);
        self.touched.iter().map(of_account).max().unwrap_or(0) as u64
    }

    /// The newest block that this shard sealed.
    pub(crate) const fn sealed(&self) -> BlockNumber {
        BlockNumber(self.sealed)
    }

    /// What the next block takes: of each account its enrolment and its first records up to the cap.
    ///
    /// A function of the log alone, so that a replay makes the same batch.
    pub(crate) fn sealing(&self, shard: ShardId, directory: &Directory) -> Result<Sealing, BatchError> {
        let mut batch = Batch::new(shard, self.sealed().next());
        let (mut previous_blocks, mut positions) = (Vec::with_capacity(self.touched.len()), Vec::new());
        let mut links = Vec::with_capacity(RUN_RECORDS_MAX);
        for &slot in &self.touched {
            let (account, device) = (&self.accounts[slot as usize], directory.device(slot));
            links.clear();
            for unsealed in account.unsealed.iter().take(RUN_RECORDS_MAX) {
                links.push(unsealed.link);
                positions.push(unsealed.position);
            }
            let enrolment = account.enrolled_unsealed.then(|| device.credential.identity(device.id));
            batch.push(AccountRun { slot, enrolment, links: &links })?;
            previous_blocks.push(device.last_block);
        }
        Ok(Sealing { batch, previous_blocks, positions })
    }

    /// Takes out what [`Accounts::sealing`] put into the block.
    pub(crate) fn seal(&mut self, directory: &mut Directory) {
        self.sealed += 1;
        let Self { accounts, touched, unsealed_records, sealed } = self;
        touched.retain(|&slot| {
            let account = &mut accounts[slot as usize];
            let taken = account.unsealed.len().min(RUN_RECORDS_MAX);
            account.unsealed.drain(..taken);
            account.enrolled_unsealed = false;
            directory.device_mut(slot).last_block = *sealed;
            *unsealed_records -= taken;
            !account.unsealed.is_empty()
        });
    }
}
