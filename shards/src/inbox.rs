//! What waits for a shard's writer: bounded in writes and in bytes, in lanes by urgency.
//!
//! Whoever hands over writes takes the lane's newest group out, lays them out in it, and puts it back. No lock is held
//! meanwhile: a gateway that loses the processor amid a flood of waveforms keeps neither the writer nor an alarm waiting.

use crate::{
    enrolment::Enrolment,
    error::{EnrolError, ShardError},
    group::Group,
    lane::Lane,
    limits::{LANE_BYTES_MAX, TURN_EVERY},
    sealing::CutAnswer,
    shard::Enrolled,
};
use arterial_protocol::{BlockNumber, DataDigest, DeviceId};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{collections::VecDeque, sync::mpsc::SyncSender, time::Instant};

/// Bytes of buffers of groups that are kept for the next ones: as many as a full lane has, so that a flood takes no new memory.
/// Pages that were never written to cost whoever writes to them first, and that may be an alarm.
const SPARE_BYTES_MAX: usize = 2 * LANE_BYTES_MAX;

/// Whoever was woken so often, and found that others had been faster, has the next room: a bundle needs much of it at once,
/// and would wait for ever beside those who need little. A queue would make all take turns with every group, which costs a
/// lane that is always full an eighth of its writes.
const PASSED_BY_MAX: usize = 8;

/// Where the answer to a question goes.
pub(crate) type Answer<T> = SyncSender<T>;

/// Everything else that a writer does, before it takes more writes.
#[derive(Debug)]
pub(crate) enum Control {
    Enrol(Vec<Enrolment>, Answer<Vec<Result<Enrolled, EnrolError>>>),
    Cut(BlockNumber, Answer<Result<CutAnswer, ShardError>>),
    Seal(BlockNumber, Option<DataDigest>, Answer<Result<(), ShardError>>),
    Find(DeviceId, u32, Answer<Result<Found, ShardError>>),
    SealsNeeded(Answer<u64>),
    DestroyKeys(DeviceId, Answer<Result<(), ShardError>>),
    /// There is something to see: lanes that were not taken from may be again.
    LookAgain,
}

/// What a writer knows of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Unsealed,
    /// If it is anywhere, then in this block of the device's or one before.
    SealedBy(u64),
}

/// What a writer does next.
#[derive(Debug)]
pub(crate) enum Work {
    Control(Control),
    Group(Lane, Group),
    /// Closed, and nothing is left.
    Done,
}

/// Why a write was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    Full,
    Closed,
}

#[derive(Debug, Default)]
struct Waiting {
    groups: VecDeque<Group>,
    /// Whether somebody lays out writes in the newest group, which is not among the others then. Nobody else does until it is
    /// back: a device's writes stay in order.
    is_filling: bool,
    writes: usize,
    bytes: usize,
    /// Whether what room there is belongs to somebody who was passed by too often.
    claimed: bool,
    /// How often a full group of it is halved, if its writes are taken no faster than blocks are made.
    paced: Option<u32>,
}

#[derive(Debug, Default)]
struct State {
    lanes: [Waiting; Lane::ALL.len()],
    controls: VecDeque<Control>,
    spares: Vec<Vec<u8>>,
    spare_bytes: usize,
    /// Groups taken since the least urgent lane had its turn.
    taken: usize,
    closed: bool,
}

#[derive(Debug)]
pub(crate) struct Inbox {
    /// Writes that wait in one lane at most.
    writes_max: usize,
    /// Whether somebody makes room while a submitter waits for it. If not, who would wait goes over the bounds: it is
    /// the same caller who works it off.
    has_writer: bool,
    state: Mutex<State>,
    work: Condvar,
    /// Lane by lane: there may be room.
    room: [Condvar; Lane::ALL.len()],
    /// Lane by lane: nobody is filling.
    turn: [Condvar; Lane::ALL.len()],
}

impl Inbox {
    pub(crate) fn new(writes_max: usize, has_writer: bool) -> Self {
        Self {
            writes_max,
            has_writer,
            state: Mutex::default(),
            work: Condvar::new(),
            room: Default::default(),
            turn: Default::default(),
        }
    }

    /// Begins to hand over writes. Nobody else does in this lane until that ends, so it is short.
    pub(crate) const fn hand_over(&self, lane: Lane) -> HandOver<'_> {
        HandOver { inbox: self, lane, filling: None }
    }

    pub(crate) fn push_control(&self, control: Control) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        state.controls.push_back(control);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Waits for work; writes of so many lanes only, the most urgent first. Once it is closed those of every lane, unless
    /// none is taken from. If there is none until then, `None`.
    pub(crate) fn take(&self, lanes_taken: usize, until: Option<Instant>) -> Option<Work> {
        let mut state = self.state.lock();
        loop {
            let work = self.next(&mut state, lanes_taken);
            if work.is_some() {
                return work;
            }
            match until {
                None => self.work.wait(&mut state),
                Some(until) if self.work.wait_until(&mut state, until).timed_out() => return None,
                Some(_) => {}
            }
        }
    }

    /// Work that is there now.
    pub(crate) fn try_take(&self, lanes_taken: usize) -> Option<Work> {
        self.next(&mut self.state.lock(), lanes_taken)
    }

    fn next(&self, state: &mut State, lanes_taken: usize) -> Option<Work> {
        if let Some(control) = state.controls.pop_front() {
            return Some(Work::Control(control));
        }
        // The most urgent lane; now and then the least urgent one, so that none waits for ever.
        let mut lanes = Lane::ALL;
        let lanes = &mut lanes[..if state.closed && lanes_taken > 0 { Lane::ALL.len() } else { lanes_taken }];
        if state.taken >= TURN_EVERY {
            lanes.reverse();
            state.taken = 0;
        }
        for &lane in &*lanes {
            if let Some(group) = self.take_from(state, lane) {
                state.taken += 1;
                return Some(Work::Group(lane, group));
            }
        }
        let is_filling = lanes.iter().any(|lane| state.lanes[*lane as usize].is_filling);
        (state.closed && !is_filling).then_some(Work::Done)
    }

    /// The alarms that wait now: for a writer that is amid something long.
    pub(crate) fn take_alarms(&self) -> Option<Group> {
        self.take_from(&mut self.state.lock(), Lane::Alarm)
    }

    fn take_from(&self, state: &mut State, lane: Lane) -> Option<Group> {
        let waiting = &mut state.lanes[lane as usize];
        let group = waiting.groups.pop_front()?;
        waiting.writes -= group.offsets.len();
        waiting.bytes -= group.bytes.len();
        self.room[lane as usize].notify_all();
        Some(group)
    }

    /// Keeps a group's memory for another one.
    pub(crate) fn give_back(&self, bytes: Vec<u8>) {
        let mut state = self.state.lock();
        if state.spare_bytes + bytes.capacity() <= SPARE_BYTES_MAX {
            state.spare_bytes += bytes.capacity();
            state.spares.push(bytes);
        }
    }

    /// Takes nothing more, but for what somebody is amid laying out. What waits is still worked off, as far as the backlog has
    /// room for it.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_one();
        for waited_for in self.room.iter().chain(&self.turn) {
            waited_for.notify_all();
        }
    }

    /// Says which lanes' writes are taken no faster than blocks are made, and how often a full group of theirs is halved.
    pub(crate) fn pace(&self, paced: [Option<u32>; Lane::ALL.len()]) {
        let mut state = self.state.lock();
        for (waiting, paced) in state.lanes.iter_mut().zip(paced) {
            waiting.paced = paced;
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Takes nothing more, and tells everybody who waits that there will be no answer.
    pub(crate) fn abandon(&self) {
        self.close();
        let left = {
            let mut state = self.state.lock();
            // Nobody begins any more, and whoever has begun waits for nobody.
            while let Some(filled) = state.lanes.iter().position(|waiting| waiting.is_filling) {
                self.turn[filled].wait(&mut state);
            }
            (std::mem::take(&mut state.lanes), std::mem::take(&mut state.controls))
        };
        // Whoever is told may ask something of this inbox at once.
        drop(left);
    }

    /// Writes that wait, by lane.
    pub(crate) fn writes(&self) -> [usize; Lane::ALL.len()] {
        self.state.lock().lanes.each_ref().map(|waiting| waiting.writes)
    }

    /// The lanes whose writes are taken no faster than blocks are made.
    pub(crate) fn held_back(&self) -> [bool; Lane::ALL.len()] {
        self.state.lock().lanes.each_ref().map(|waiting| waiting.paced.is_some())
    }
}

/// Writes being handed over to one lane.
pub(crate) struct HandOver<'a> {
    inbox: &'a Inbox,
    lane: Lane,
    filling: Option<Filling>,
}

/// A lane's newest group, in the hands of whoever lays out writes in it.
struct Filling {
    group: Group,
    /// Writes and bytes of it that the lane counts already.
    counted: (usize, usize),
    /// Writes and bytes that the lane had room for besides. By now it may be more.
    room: (usize, usize),
    /// How often a full group is halved.
    halvings: u32,
}

impl Filling {
    fn has_room(&self, entries: usize, bytes: usize) -> bool {
        let (writes_laid, bytes_laid) = self.laid();
        writes_laid + entries <= self.room.0
            && bytes_laid + bytes <= self.room.1
            && self.group.has_room(entries, bytes, self.halvings)
    }

    /// Writes and bytes that the lane does not count yet.
    const fn laid(&self) -> (usize, usize) {
        (self.group.offsets.len() - self.counted.0, self.group.bytes.len() - self.counted.1)
    }
}

impl HandOver<'_> {
    /// The lane's group with room for so many entries of so many bytes together. Waits for room in the lane if `wait`.
    pub(crate) fn reserve(
        &mut self,
        entries: usize,
        bytes: usize,
        wait: bool,
    ) -> Result<&mut Group, Refused> {
        // Neither lock nor counter is touched for a write, but for the first one of a group.
        if !self.filling.as_ref().is_some_and(|filling| filling.has_room(entries, bytes)) {
            let mut state = self.inbox.state.lock();
            self.put_back(&mut state);
            self.filling = Some(self.take_out(&mut state, entries, bytes, wait)?);
        }
        Ok(&mut self.filling.as_mut().expect("one with room was taken out").group)
    }

    /// Hands on what was laid out, if anything was.
    fn put_back(&mut self, state: &mut State) {
        let Some(filling) = self.filling.take() else { return };
        let (writes, bytes) = filling.laid();
        let waiting = &mut state.lanes[self.lane as usize];
        waiting.is_filling = false;
        waiting.writes += writes;
        waiting.bytes += bytes;
        waiting.groups.push_back(filling.group);
        self.inbox.work.notify_one();
    }

    /// The lane's newest group, if it has room, or a new one.
    fn take_out(
        &self,
        state: &mut MutexGuard<'_, State>,
        entries: usize,
        bytes: usize,
        wait: bool,
    ) -> Result<Filling, Refused> {
        let (room, turn) = (&self.inbox.room[self.lane as usize], &self.inbox.turn[self.lane as usize]);
        let (mut passed_by, mut claims) = (0, false);
        loop {
            if state.closed {
                return Err(Refused::Closed);
            }
            let waiting = &mut state.lanes[self.lane as usize];
            if waiting.is_filling {
                turn.wait(state);
                continue;
            }
            let fits =
                waiting.writes + entries <= self.inbox.writes_max && waiting.bytes + bytes <= LANE_BYTES_MAX;
            let is_free = claims || !waiting.claimed;
            if is_free && (waiting.groups.is_empty() || fits) || (wait && !self.inbox.has_writer) {
                break;
            }
            if !wait {
                return Err(Refused::Full);
            }
            if passed_by == PASSED_BY_MAX && is_free {
                (claims, waiting.claimed) = (true, true);
            }
            turn.notify_one();
            room.wait(state);
            passed_by = PASSED_BY_MAX.min(passed_by + 1);
        }
        let State { lanes, spares, spare_bytes, .. } = &mut **state;
        let waiting = &mut lanes[self.lane as usize];
        if claims {
            waiting.claimed = false;
            room.notify_all();
        }
        waiting.is_filling = true;
        let halvings = waiting.paced.unwrap_or(0);
        let newest = waiting.groups.pop_back_if(|group| group.has_room(entries, bytes, halvings));
        let group = newest.unwrap_or_else(|| {
            let spare = spares.pop().unwrap_or_default();
            *spare_bytes -= spare.capacity();
            Group::reusing(spare, halvings)
        });
        Ok(Filling {
            counted: (group.offsets.len(), group.bytes.len()),
            room: (
                self.inbox.writes_max.saturating_sub(waiting.writes),
                LANE_BYTES_MAX.saturating_sub(waiting.bytes),
            ),
            group,
            halvings,
        })
    }
}

impl Drop for HandOver<'_> {
    fn drop(&mut self) {
        self.put_back(&mut self.inbox.state.lock());
        self.inbox.turn[self.lane as usize].notify_one();
    }
}

#[cfg(test)]
mod tests;
