//! What a shard's writer knows of its accounts: what comes next, and what is in no block yet.

use crate::{
    checkpoint::Checkpoint,
    log::LogPosition,
    sealing::{Cut, Touch},
};
use arterial_protocol::{BlockNumber, Link, limits::RUN_RECORDS_MAX};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// A record that waits for its block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsealed {
    pub(crate) link: Link,
    pub(crate) position: LogPosition,
    /// Its account, as an index into the touched ones.
    pub(crate) touch: u32,
    /// The account's record before it in the same block, or [`NONE`].
    previous: u32,
}

const NONE: u32 = u32::MAX;

/// What is kept of an account through restarts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct AccountState {
    /// The lowest `seq` that it takes.
    pub(crate) next_seq: u32,
    /// The newest block that touches it, 0 before the first.
    pub(crate) block: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    state: AccountState,
    /// Where it stands among the accounts that the block touches.
    touch: u32,
}

/// Moved by the writer alone, and by replay in the same way.
#[derive(Debug)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
    /// The newest block that is sealed.
    sealed: u64,
    /// What goes into the block after it, if that is decided.
    cut: Option<Arc<Cut>>,
    /// What goes into the block that is open.
    open: Cut,
    /// What is over the cap of its account and goes into a later block.
    over: BTreeMap<u32, VecDeque<(Link, LogPosition)>>,
    over_records: usize,
}

impl Default for Accounts {
    fn default() -> Self {
        Self::restore(Vec::new(), BlockNumber::GENESIS)
    }
}

impl Accounts {
    /// The accounts as they were when a block was cut.
    pub(crate) fn restore(states: Vec<AccountState>, sealed: BlockNumber) -> Self {
        Self {
            accounts: states.into_iter().map(|state| Account { state, touch: NONE }).collect(),
            sealed: sealed.0,
            cut: None,
            open: Cut::new(sealed.next()),
            over: BTreeMap::new(),
            over_records: 0,
        }
    }

    /// What a restart needs of every account, in order of the slots.
    pub(crate) fn states(&self) -> Vec<AccountState> {
        self.accounts.iter().map(|account| account.state).collect()
    }

    /// What is over the caps, in an order in which it can be accepted again.
    pub(crate) fn over(&self) -> impl Iterator<Item = (u32, &(Link, LogPosition))> {
        self.over.iter().flat_map(|(slot, records)| records.iter().map(move |record| (*slot, record)))
    }

    pub(crate) fn enrol(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "a shard has at most SLOTS_END slots")]
        let slot = self.accounts.len() as u32;
        self.accounts.push(Account::default());
        self.touch(slot, true);
    }

    /// The lowest `seq` that the account at `slot` takes.
    pub(crate) fn next_seq(&self, slot: u32) -> u32 {
        self.accounts[slot as usize].state.next_seq
    }

    pub(crate) fn accept(&mut self, slot: u32, link: Link, position: LogPosition) {
        let state = &mut self.accounts[slot as usize].state;
        assert!(link.seq >= state.next_seq, "a record was checked before it was accepted");
        state.next_seq = link.seq + 1;
        self.place(slot, link, position);
    }

    /// Puts a record into the open block, or behind it.
    pub(crate) fn place(&mut self, slot: u32, link: Link, position: LogPosition) {
        let touch = self.touch(slot, false);
        let touched = &mut self.open.touched[touch as usize];
        if touched.records as usize == RUN_RECORDS_MAX {
            self.over.entry(slot).or_default().push_back((link, position));
            self.over_records += 1;
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the backlog is bounded")]
        let at = self.open.records.len() as u32;
        let previous = std::mem::replace(&mut touched.last, at);
        touched.records += 1;
        self.open.records.push(Unsealed { link, position, touch, previous });
    }

    /// The account's index among those that the open block touches.
    fn touch(&mut self, slot: u32, enrolled: bool) -> u32 {
        let account = &mut self.accounts[slot as usize];
        let open = self.open.number.0;
        if account.state.block != open {
            #[expect(clippy::cast_possible_truncation, reason = "a shard has at most SLOTS_END slots")]
            let touch = self.open.touched.len() as u32;
            let previous_block = std::mem::replace(&mut account.state.block, open);
            let previous_touch = std::mem::replace(&mut account.touch, touch);
            self.open.touched.push(Touch {
                slot,
                enrolled,
                previous_block,
                previous_touch,
                records: 0,
                last: NONE,
            });
        }
        account.touch
    }

    /// Decides what goes into the next block: of each account its enrolment and its first records up to the cap.
    ///
    /// A function of the log alone, so that a replay decides alike.
    pub(crate) fn cut(&mut self, checkpoint: Option<Checkpoint>) -> Arc<Cut> {
        assert!(self.cut.is_none(), "a block is sealed before the next is cut");
        let next = Cut::new(self.open.number.next());
        self.open.checkpoint = checkpoint;
        let cut = Arc::new(std::mem::replace(&mut self.open, next));
        self.cut = Some(Arc::clone(&cut));
        // What stays over is not moved: of a flood it is much.
        let mut over = std::mem::take(&mut self.over);
        for (&slot, records) in &mut over {
            for (link, position) in records.drain(..records.len().min(RUN_RECORDS_MAX)) {
                self.place(slot, link, position);
                self.over_records -= 1;
            }
        }
        over.retain(|_, records| !records.is_empty());
        self.over = over;
        cut
    }

    /// What goes into the block after the newest sealed one, if that is decided.
    pub(crate) const fn pending(&self) -> Option<&Arc<Cut>> {
        self.cut.as_ref()
    }

    /// The block that was cut is sealed.
    pub(crate) fn seal(&mut self) {
        assert!(self.cut.take().is_some(), "a block is cut before it is sealed");
        self.sealed += 1;
    }

    /// The newest block that this shard sealed.
    pub(crate) const fn sealed(&self) -> BlockNumber {
        BlockNumber(self.sealed)
    }

    /// An accepted record that is in no sealed block.
    pub(crate) fn find_unsealed(&self, slot: u32, seq: u32) -> Option<(Link, LogPosition)> {
        if let Some(over) = self.over.get(&slot)
            && let Ok(at) = over.binary_search_by_key(&seq, |(link, _)| link.seq)
        {
            return over.get(at).copied();
        }
        let account = self.accounts.get(slot as usize)?;
        if account.state.block == self.open.number.0
            && let found @ Some(_) = self.open.find(account.touch, seq)
        {
            return found;
        }
        let (cut, touch) = self.touch_in_cut(slot)?;
        cut.find(touch, seq)
    }

    /// The newest sealed block that touches an account, 0 if none does.
    pub(crate) fn last_sealed(&self, slot: u32) -> u64 {
        if let Some((cut, touch)) = self.touch_in_cut(slot) {
            return cut.touched[touch as usize].previous_block;
        }
        self.newest_before_open(slot).map_or(0, |(block, _)| block)
    }

    /// The newest block before the open one that touches an account, and where the account stands in it.
    fn newest_before_open(&self, slot: u32) -> Option<(u64, u32)> {
        let account = self.accounts.get(slot as usize)?;
        if account.state.block != self.open.number.0 {
            return Some((account.state.block, account.touch));
        }
        let touched = &self.open.touched[account.touch as usize];
        Some((touched.previous_block, touched.previous_touch))
    }

    fn touch_in_cut(&self, slot: u32) -> Option<(&Cut, u32)> {
        let cut = self.cut.as_ref()?;
        let (block, touch) = self.newest_before_open(slot)?;
        (block == cut.number.0).then_some((cut, touch))
    }

    pub(crate) fn unsealed_records(&self) -> usize {
        let cut = self.cut.as_ref().map_or(0, |cut| cut.records.len());
        cut + self.open.records.len() + self.over_records
    }

    /// Whether there is anything to put into a block.
    pub(crate) fn has_unsealed(&self) -> bool {
        self.cut.is_some() || !self.open.touched.is_empty()
    }

    /// How many seals it takes until everything that is unsealed now is in a block.
    pub(crate) fn seals_needed(&self) -> u64 {
        let over = self.over.values().map(|records| records.len().div_ceil(RUN_RECORDS_MAX)).max();
        let open = usize::from(!self.open.touched.is_empty());
        (usize::from(self.cut.is_some()) + open + over.unwrap_or(0)) as u64
    }
}

impl Cut {
    /// A record of an account, looking back from its last.
    fn find(&self, touch: u32, seq: u32) -> Option<(Link, LogPosition)> {
        let mut at = self.touched.get(touch as usize)?.last;
        // At most RUN_RECORDS_MAX steps.
        while let Some(record) = self.records.get(at as usize) {
            if record.link.seq <= seq {
                return (record.link.seq == seq).then_some((record.link, record.position));
            }
            at = record.previous;
        }
        None
    }
}
