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
mod tests {
    use super::*;
    use crate::error::SubmitError;
    use crate::limits::{GROUP_BYTES, GROUP_WRITES};
    use crate::log::{StoredTag, record_frame_bytes};
    use crate::ticket::Ticket;
    use arterial_protocol::{Tag, Write};
    use std::{sync::Arc, thread};

    fn hand_over(inbox: &Inbox, lane: Lane, writes: u64) {
        let tag = StoredTag::Own(Tag::Host);
        for seq in 0..writes {
            let write =
                Write { device: DeviceId([1; 16]), seq, observed_at_ms: 1, kind: 1, payload: &[7; 56] };
            let bytes = record_frame_bytes(write.payload.len(), &tag);
            inbox.hand_over(lane).reserve(1, bytes, false).unwrap().lay(&write, &tag);
        }
    }

    fn taken(inbox: &Inbox, lanes_taken: usize) -> Option<(Lane, usize)> {
        match inbox.try_take(lanes_taken)? {
            Work::Group(lane, group) => Some((lane, group.offsets.len())),
            work => panic!("expected a group: {work:?}"),
        }
    }

    #[test]
    fn lanes_that_are_not_taken_from_wait_and_keep_no_other_out() {
        let inbox = Inbox::new(100, true);
        for lane in [Lane::Bulk, Lane::Routine] {
            hand_over(&inbox, lane, 3);
        }
        assert_eq!(taken(&inbox, 0), None);
        assert_eq!(taken(&inbox, 1), None);
        hand_over(&inbox, Lane::Alarm, 3);
        assert_eq!(taken(&inbox, 1), Some((Lane::Alarm, 3)));
        assert_eq!(taken(&inbox, 1), None);
        assert_eq!(taken(&inbox, 2), Some((Lane::Routine, 3)));
        assert_eq!(taken(&inbox, 2), None);
        // The least urgent lane's turn goes to the least urgent one that is taken from.
        for _ in 0..2 * TURN_EVERY {
            hand_over(&inbox, Lane::Alarm, 1);
            assert!(matches!(taken(&inbox, 2), Some((Lane::Alarm, _))));
        }
        inbox.close();
        assert_eq!(taken(&inbox, 1), Some((Lane::Bulk, 3)), "what waits is worked off in the end");
    }

    #[test]
    fn what_the_backlog_has_no_room_for_in_the_end_is_abandoned() {
        let inbox = Inbox::new(100, true);
        let ticket = lay(&mut inbox.hand_over(Lane::Alarm), 0);
        inbox.close();
        assert!(!ticket.is_answered());
        assert!(matches!(inbox.try_take(0), Some(Work::Done)));
        inbox.abandon();
        assert!(matches!(ticket.wait(), Err(SubmitError::Closed)));
    }

    #[test]
    fn a_full_group_is_handed_on_and_what_follows_is_in_the_next() {
        let inbox = Inbox::new(2 * GROUP_WRITES, true);
        hand_over(&inbox, Lane::Bulk, GROUP_WRITES as u64 + 1);
        assert_eq!(taken(&inbox, Lane::ALL.len()), Some((Lane::Bulk, GROUP_WRITES)));
        assert_eq!(taken(&inbox, Lane::ALL.len()), Some((Lane::Bulk, 1)));
        let (payload, tag) = (vec![7; GROUP_BYTES / 3], StoredTag::Own(Tag::Host));
        for seq in 0..3 {
            let write =
                Write { device: DeviceId([1; 16]), seq, observed_at_ms: 1, kind: 1, payload: &payload };
            let bytes = record_frame_bytes(payload.len(), &tag);
            inbox.hand_over(Lane::Bulk).reserve(1, bytes, false).unwrap().lay(&write, &tag);
        }
        assert_eq!(taken(&inbox, Lane::ALL.len()), Some((Lane::Bulk, 2)));
        assert_eq!(taken(&inbox, Lane::ALL.len()), Some((Lane::Bulk, 1)));
    }

    #[test]
    fn a_lane_that_is_paced_hands_on_smaller_groups_and_is_waited_for_no_longer_than_said() {
        let inbox = Inbox::new(2 * GROUP_WRITES, true);
        let paced = GROUP_WRITES / 4;
        inbox.pace([None, None, Some(2)]);
        for lane in [Lane::Routine, Lane::Bulk] {
            hand_over(&inbox, lane, paced as u64 + 1);
        }
        let bulk = [taken(&inbox, 3), taken(&inbox, 3), taken(&inbox, 3)];
        assert_eq!(bulk, [(Lane::Routine, paced + 1), (Lane::Bulk, paced), (Lane::Bulk, 1)].map(Some));
        inbox.pace([None; 3]);
        hand_over(&inbox, Lane::Bulk, paced as u64 + 1);
        assert!(inbox.take(2, Some(Instant::now())).is_none());
        assert_eq!(taken(&inbox, 3), Some((Lane::Bulk, paced + 1)));
    }

    fn lay(hand_over: &mut HandOver<'_>, seq: u64) -> Ticket {
        let (write, tag) = (
            Write { device: DeviceId([1; 16]), seq, observed_at_ms: 1, kind: 1, payload: b"x" },
            StoredTag::Own(Tag::Host),
        );
        let group = hand_over.reserve(1, record_frame_bytes(1, &tag), true).unwrap();
        let index = group.lay(&write, &tag);
        Ticket { outcome: Arc::clone(group.outcome()), index }
    }

    /// Were a lock held while writes are laid out, this would not end.
    #[test]
    fn whoever_is_amid_a_call_keeps_neither_the_writer_nor_another_lane_waiting() {
        let inbox = Inbox::new(10 * GROUP_WRITES, true);
        hand_over(&inbox, Lane::Bulk, 1);
        let mut flood = inbox.hand_over(Lane::Bulk);
        drop(lay(&mut flood, 1));
        assert_eq!(taken(&inbox, 3), None, "the newest group is the flood's");
        hand_over(&inbox, Lane::Alarm, 1);
        assert_eq!(taken(&inbox, 3), Some((Lane::Alarm, 1)));
        // What is full is handed on amid the call.
        (2..=GROUP_WRITES as u64).for_each(|seq| drop(lay(&mut flood, seq)));
        assert_eq!(inbox.writes(), [0, 0, GROUP_WRITES]);
        assert_eq!(taken(&inbox, 3), Some((Lane::Bulk, GROUP_WRITES)));
        assert_eq!(taken(&inbox, 3), None);
        drop(flood);
        assert_eq!(taken(&inbox, 3), Some((Lane::Bulk, 1)));
        assert_eq!(inbox.writes(), [0; 3]);
    }

    #[test]
    fn a_call_that_outgrows_its_lane_s_room_is_bounded_as_many_calls_are() {
        let inbox = Inbox::new(GROUP_WRITES, true);
        let mut flood = inbox.hand_over(Lane::Bulk);
        let (tag, bytes) = (StoredTag::Own(Tag::Host), record_frame_bytes(1, &StoredTag::Own(Tag::Host)));
        let write = Write { device: DeviceId([1; 16]), seq: 0, observed_at_ms: 1, kind: 1, payload: b"x" };
        let taken_in = (0..2 * GROUP_WRITES).take_while(|_| {
            let group = flood.reserve(1, bytes, false);
            group.map(|group| group.lay(&write, &tag)).is_ok()
        });
        assert_eq!(taken_in.count(), GROUP_WRITES);
        assert_eq!(flood.reserve(1, bytes, false).unwrap_err(), Refused::Full);
        assert_eq!(inbox.writes(), [0, 0, GROUP_WRITES]);
    }

    #[test]
    fn closing_waits_for_whoever_is_amid_a_call() {
        let inbox = Inbox::new(10, true);
        let mut last = inbox.hand_over(Lane::Routine);
        drop(lay(&mut last, 0));
        inbox.close();
        assert!(inbox.try_take(3).is_none(), "not done");
        assert!(matches!(inbox.try_take(0), Some(Work::Done)), "nothing of it would be taken");
        drop(last);
        assert_eq!(taken(&inbox, 3), Some((Lane::Routine, 1)));
        assert!(matches!(inbox.try_take(3), Some(Work::Done)));
    }

    /// Whatever comes first: the call's end, or that nobody works it off.
    #[test]
    fn what_is_handed_over_amid_abandoning_is_answered() {
        for _ in 0..if cfg!(miri) { 3 } else { 200 } {
            let inbox = Inbox::new(10, true);
            hand_over(&inbox, Lane::Bulk, 2);
            let ticket = thread::scope(|scope| {
                let mut last = inbox.hand_over(Lane::Alarm);
                let ticket = lay(&mut last, 0);
                let abandoning = scope.spawn(|| inbox.abandon());
                drop(last);
                abandoning.join().unwrap();
                ticket
            });
            assert!(ticket.is_answered());
            assert!(matches!(ticket.wait(), Err(SubmitError::Closed)));
            assert_eq!(inbox.writes(), [0; 3]);
        }
    }

    #[test]
    fn memory_of_groups_is_kept_up_to_a_bound_and_used_again() {
        let inbox = Inbox::new(1, true);
        let (small, spare) = (vec![0; 100], vec![0; SPARE_BYTES_MAX - 50]);
        let place = spare.as_ptr();
        inbox.give_back(spare);
        inbox.give_back(small);
        drop(lay(&mut inbox.hand_over(Lane::Bulk), 0));
        let Some(Work::Group(_, group)) = inbox.try_take(3) else { panic!("expected a group") };
        assert_eq!(group.bytes.as_ptr(), place);
        drop(lay(&mut inbox.hand_over(Lane::Bulk), 1));
        let Some(Work::Group(_, other)) = inbox.try_take(3) else { panic!("expected a group") };
        assert!(other.bytes.capacity() < SPARE_BYTES_MAX / 2, "one spare was kept");
    }

    /// A lane in which there is always room for one write, and never for four.
    #[test]
    fn whoever_needs_much_room_is_not_passed_by_for_ever() {
        let inbox = Inbox::new(4, true);
        let (payload, tag) = (vec![7; GROUP_BYTES / 2], StoredTag::Own(Tag::Host));
        let small = || {
            let write =
                Write { device: DeviceId([1; 16]), seq: 0, observed_at_ms: 1, kind: 1, payload: &payload };
            let bytes = record_frame_bytes(payload.len(), &tag);
            inbox.hand_over(Lane::Bulk).reserve(1, bytes, false).map(|group| {
                group.lay(&write, &tag);
            })
        };
        // Each is a group of its own.
        while small().is_ok() {}
        assert_eq!(inbox.writes(), [0, 0, 4]);
        let passed_by = thread::scope(|scope| {
            let large = scope.spawn(|| {
                let mut hand_over = inbox.hand_over(Lane::Bulk);
                let group = hand_over.reserve(4, 4 * record_frame_bytes(1, &tag), true).unwrap();
                let write =
                    Write { device: DeviceId([1; 16]), seq: 0, observed_at_ms: 1, kind: 1, payload: b"x" };
                (0..4).for_each(|_| _ = group.lay(&write, &tag));
            });
            let passed_by = (0..1_000_000).take_while(|_| {
                taken(&inbox, Lane::ALL.len());
                small().is_ok()
            });
            let passed_by = passed_by.count();
            // From here on nobody else gets in, and the lane empties.
            while taken(&inbox, Lane::ALL.len()).is_some() {}
            large.join().unwrap();
            passed_by
        });
        assert!((PASSED_BY_MAX - 1..1_000_000).contains(&passed_by), "{passed_by}");
    }

    const SUBMITTERS: u64 = 3;
    const WRITES: u64 = if cfg!(miri) { 6 } else { 2000 };

    fn submit(inbox: &Inbox, lane: Lane, submitter: u64, wait: bool) -> Result<(), Refused> {
        let device = DeviceId([0; 16]);
        let write = Write { device, seq: submitter, observed_at_ms: 0, kind: 1, payload: b"x" };
        let tag = StoredTag::Own(Tag::Host);
        inbox.hand_over(lane).reserve(1, record_frame_bytes(1, &tag), wait)?.lay(&write, &tag);
        Ok(())
    }

    /// Lanes that hold two writes, submitters that wait for room in them, and a writer that waits for work: nobody sleeps
    /// through what they wait for, and closing ends it when everything was handed on.
    #[test]
    fn every_write_that_was_taken_is_handed_on_and_nobody_waits_for_ever() {
        let inbox = Inbox::new(2, true);
        let handed_on = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut handed_on = 0;
                loop {
                    match inbox.take(Lane::ALL.len(), None).unwrap() {
                        Work::Group(_, group) => {
                            handed_on += group.offsets.len() as u64;
                            inbox.give_back(group.settle(crate::ticket::Settled::Abandoned));
                        }
                        Work::Control(control) => panic!("nobody asked for {control:?}"),
                        Work::Done => return handed_on,
                    }
                }
            });
            let submitters: Vec<_> = (0..SUBMITTERS)
                .zip(Lane::ALL.into_iter().cycle())
                .map(|(n, lane)| {
                    let inbox = &inbox;
                    scope.spawn(move || (0..WRITES).for_each(|_| submit(inbox, lane, n, true).unwrap()))
                })
                .collect();
            submitters.into_iter().for_each(|submitter| submitter.join().unwrap());
            inbox.close();
            writer.join().unwrap()
        });
        assert_eq!((handed_on, inbox.writes()), (SUBMITTERS * WRITES, [0; Lane::ALL.len()]));
        assert_eq!(submit(&inbox, Lane::Routine, 0, true), Err(Refused::Closed));
    }

    #[test]
    fn a_full_lane_refuses_who_does_not_wait_and_closing_wakes_who_does() {
        let inbox = Inbox::new(1, true);
        submit(&inbox, Lane::Bulk, 0, false).unwrap();
        assert_eq!(submit(&inbox, Lane::Bulk, 0, false), Err(Refused::Full));
        submit(&inbox, Lane::Alarm, 0, false).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| submit(&inbox, Lane::Bulk, 0, true));
            inbox.close();
            assert_eq!(waiting.join().unwrap(), Err(Refused::Closed));
        });
    }
}
