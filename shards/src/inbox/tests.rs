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
        let write = Write { device: DeviceId([1; 16]), seq, observed_at_ms: 1, kind: 1, payload: &[7; 56] };
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
        let write = Write { device: DeviceId([1; 16]), seq, observed_at_ms: 1, kind: 1, payload: &payload };
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
