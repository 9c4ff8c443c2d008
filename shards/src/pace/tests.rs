use super::*;
use crate::{
    config::ShardsConfig,
    enrolment::Enrolment,
    inbox::Control,
    log::{StoredTag, record_frame_bytes},
    lookup::Lookups,
    shard::{self, Shared},
    ticket::Ticket,
    writer::Writer,
};
use arterial_protocol::{BlockNumber, DeviceId, Domain, ShardCount, ShardId, Tag, Write};
use arterial_storage::{MemoryStorage, Storage as _};
use std::{
    path::PathBuf,
    sync::{Arc, mpsc::sync_channel},
    thread,
};

const MAX: usize = 1024;
const INTERVAL: Duration = Duration::from_secs(1);
/// Groups of a lane that is held back, at what few records are taken an interval.
const SMALL: Option<u32> = Some(GROUP_HALVINGS_MAX);

const fn limit(lane: Lane) -> usize {
    backlog_records_of(lane, MAX)
}

/// After two seals that found the backlog full; the first block had half as many records as the mark has.
fn pressed(begun: Instant, left: usize) -> Pace {
    let mut pace = Pace::new(MAX);
    assert_eq!(pace.sealed(begun, MAX, MAX - MARK_RECORDS / 2), [None; 3]);
    assert_eq!(pace.due(Lane::Routine, MAX), None, "nothing is known of how fast blocks are made");
    assert_eq!(pace.sealed(begun + INTERVAL, MAX, left), [None, SMALL, SMALL]);
    pace
}

/// What a routine lane at its mark has waiting.
const MARK_RECORDS: usize = (limit(Lane::Routine) as f64 * MARK) as usize;

fn seconds(due: Option<Instant>, since: Instant) -> f64 {
    due.unwrap().duration_since(since).as_secs_f64()
}

#[test]
fn writes_are_taken_as_fast_as_blocks_are_made_but_for_alarms() {
    let begun = Instant::now();
    let mut pace = pressed(begun, 100);
    // Half the mark an interval, and as this seal is at the mark, no faster and no slower.
    let at = begun + INTERVAL * 2;
    assert_eq!(pace.sealed(at, MARK_RECORDS, 0), [None, SMALL, SMALL]);
    let per_interval = f64::midpoint(MARK_RECORDS as f64 / 2.0, (MAX - 100) as f64);
    let after = |records: f64| records / per_interval * INTERVAL.as_secs_f64();
    for records in [0, 1, 100, MARK_RECORDS, MAX] {
        let due = seconds(pace.due(Lane::Routine, records), at);
        assert!((due - after(records as f64)).abs() < 1e-6, "{records}: {due}");
    }
    // Of a full backlog bulk writes have much more than their part.
    let due = seconds(pressed(begun, 100).due(Lane::Bulk, 100 + MARK_RECORDS / 4), begun + INTERVAL);
    assert!((due - INTERVAL.as_secs_f64()).abs() < 1e-6, "{due}");
    // Less may wait of what is less urgent, so what waits is more of it.
    assert!(pace.due(Lane::Bulk, 100) > pace.due(Lane::Routine, 100));
    assert_eq!(pace.due(Lane::Alarm, MAX), None);
}

/// However long it was: an hour in which nobody wrote, or a block with nothing in it, would hold the next flood back.
#[test]
fn a_block_before_which_nothing_pressed_says_nothing_of_how_fast_blocks_are_made() {
    let (begun, full) = (Instant::now(), limit(Lane::Routine));
    let mut pace = Pace::new(MAX);
    pace.sealed(begun, 0, 0);
    let at = begun + INTERVAL * 3600;
    assert_eq!(pace.sealed(at, full, 0), [None; 3]);
    assert_eq!(pace.due(Lane::Routine, full), None);
    assert_eq!(pace.sealed(at + INTERVAL, full, 0), [None, SMALL, SMALL]);
    let taken = full as f64 * (1.0 + CATCHING_UP * (1.0 - 1.0 / MARK));
    let due = seconds(pace.due(Lane::Routine, taken as usize), at + INTERVAL);
    assert!((due - INTERVAL.as_secs_f64()).abs() < 0.01, "{due}");
}

#[test]
fn what_is_left_is_no_reason_to_wait() {
    let begun = Instant::now();
    let pace = pressed(begun, 100);
    for backlog in [0, 100] {
        assert_eq!(pace.due(Lane::Routine, backlog), Some(begun + INTERVAL));
    }
    assert!(pace.due(Lane::Routine, 101) > Some(begun + INTERVAL));
}

/// Blocks that take as long as they have records, and writers that are always faster.
#[test]
fn the_backlog_comes_to_its_mark_and_stays_there() {
    let (mut pace, mut at, limit) = (Pace::new(MAX << 10), Instant::now(), limit(Lane::Routine) << 10);
    let (mut left, mut sealed) = (0, limit / 3);
    pace.sealed(at, sealed, left);
    let mut found = Vec::new();
    for round in 0..20 {
        // Seven eighths of the time its accounts are moved, and for the last the next one is cut and sealed.
        let [cut_at, sealed_at] = [7, 8]
            .map(|eighths| at + INTERVAL.mul_f64(sealed as f64 / limit as f64 * f64::from(eighths) / 8.0));
        let [cut, all] = [cut_at, sealed_at].map(|at| pace.allowed(Lane::Routine, at) as usize);
        (at, left, sealed) = (sealed_at, all - cut, cut);
        assert_eq!(pace.sealed(at, all, left)[Lane::Routine as usize].is_some(), round > 0);
        found.push(all as f64 / (limit as f64 * MARK));
    }
    assert!(found[..2].iter().all(|found| *found > 1.3), "it is at its limit at first: {found:?}");
    assert!(found[10..].iter().all(|found| (found - 1.0).abs() < 0.15), "{found:?}");
}

#[test]
fn a_lane_is_held_back_no_longer_than_it_presses() {
    let (begun, full) = (Instant::now(), limit(Lane::Routine));
    let sealed = |found, after| {
        let mut pace = pressed(begun, 0);
        pace.sealed(begun + INTERVAL + after, found, 0)[Lane::Routine as usize].is_some()
    };
    let allowed_at_half = pressed(begun, 0).allowed(Lane::Routine, begun + INTERVAL * 3 / 2) as usize;
    assert!(allowed_at_half < full / 2);
    // What counts is what it was allowed by then.
    let (whole, half) = (INTERVAL * 100, INTERVAL / 2);
    for (found, after) in
        [(full, whole), (full * 7 / 8, whole), (full, half), (allowed_at_half * 7 / 8 + 1, half)]
    {
        assert!(sealed(found, after), "{found} after {after:?}");
    }
    for (found, after) in [(full * 7 / 8 - 1, whole), (full / 2, whole), (allowed_at_half * 7 / 8 - 1, half)]
    {
        assert!(!sealed(found, after), "{found} after {after:?}");
    }
}

#[test]
fn nothing_is_held_back_for_longer_than_a_bound() {
    let begun = Instant::now();
    let mut pace = Pace::new(MAX);
    // No block had anything in it.
    pace.sealed(begun, MAX, MAX);
    pace.sealed(begun, MAX, MAX);
    for backlog in [MAX, MAX + 1] {
        let due = pace.due(Lane::Routine, backlog).unwrap();
        assert!(due <= begun + HELD_BACK_MAX, "{backlog}");
    }
    assert_eq!(pace.due(Lane::Routine, MAX + 1), Some(begun + HELD_BACK_MAX));
}

#[test]
fn groups_are_no_larger_than_they_must_be_to_come_so_far_apart() {
    let full = GROUP_WRITES as f64 / GROUPS_APART.as_secs_f64();
    let commit = |bytes, took| Committed { groups: 1, writes: 1, bytes, took };
    let halvings = |share: f64, committed: Committed| committed.halvings(full * share);
    for (share, expected) in
        [(2.0, 0), (1.0, 0), (0.51, 0), (0.5, 1), (0.26, 1), (0.25, 2), (0.125, 3), (0.001, 3), (0.0, 3)]
    {
        for committed in [Committed::default(), commit(1, Duration::ZERO), commit(1, GROUPS_APART / 2)] {
            assert_eq!(halvings(share, committed), expected, "{share} {committed:?}");
        }
    }
    // A disk that takes twice as long needs twice as many writes a commit, also if there were many.
    for groups in [1, 1000] {
        let slow = Committed { groups, writes: groups, bytes: groups, took: GROUPS_APART * groups as u32 };
        assert_eq!([0.5, 0.25, 0.125].map(|share| halvings(share, slow)), [0, 1, 2]);
    }
    // Of large writes a full group has fewer.
    let large = commit(4 * GROUP_BYTES / GROUP_WRITES, Duration::ZERO);
    assert_eq!([0.25, 0.125].map(|share| halvings(share, large)), [0, 1]);
}

#[test]
fn a_lane_that_is_taken_from_more_slowly_has_smaller_groups() {
    let (mut pace, mut at, full) = (Pace::new(MAX << 10), Instant::now(), MAX << 10);
    // So many that half of them, at which bulk writes are taken here, are half a full group at a time.
    let per_second = GROUP_WRITES as f64 / GROUPS_APART.as_secs_f64() * 0.99;
    let mut sealed = || {
        at += Duration::from_secs_f64(full as f64 / per_second);
        pace.sealed(at, full, 0)
    };
    assert_eq!(sealed(), [None; 3]);
    assert_eq!(sealed(), [None, Some(0), Some(1)]);
}

#[test]
fn what_was_committed_before_the_newest_seal_says_nothing_of_groups_after_the_next() {
    let begun = Instant::now();
    let mut pace = pressed(begun, 0);
    let mut sealed = |after: u32| pace.sealed(begun + INTERVAL * after, MAX, 0)[Lane::Routine as usize];
    assert_eq!(sealed(2), Some(GROUP_HALVINGS_MAX));
    pace.committed(1, 1, INTERVAL);
    assert_eq!(pace.sealed(begun + INTERVAL * 3, MAX, 0), [None, Some(0), Some(0)]);
    assert_eq!(pace.sealed(begun + INTERVAL * 4, MAX, 0)[Lane::Routine as usize], Some(GROUP_HALVINGS_MAX));
}

const DEVICE: DeviceId = DeviceId([7; 16]);

fn submit(shared: &Shared, lane: Lane, seqs: std::ops::Range<u64>) -> Vec<Ticket> {
    let tag = StoredTag::Own(Tag::Host);
    let submit = |seq| {
        let write = Write { device: DEVICE, seq, observed_at_ms: 0, kind: 1, payload: b"72 bpm" };
        let mut hand_over = shared.inbox.hand_over(lane);
        let group = hand_over.reserve(1, record_frame_bytes(write.payload.len(), &tag), true).unwrap();
        let index = group.lay(&write, &tag);
        Ticket { outcome: Arc::clone(group.outcome()), index }
    };
    seqs.map(submit).collect()
}

fn ask<T>(shared: &Shared, control: impl FnOnce(crate::inbox::Answer<T>) -> Control) -> T {
    let (answer, receiver) = sync_channel(1);
    shared.inbox.push_control(control(answer)).unwrap();
    receiver.recv().unwrap()
}

/// A writer that holds back whatever is no alarm.
fn paced_writer() -> (Arc<Shared>, Writer) {
    let config = ShardsConfig::new(
        PathBuf::from("/deployment"),
        Domain::derive(1, &[1; 32]),
        ShardCount::new(1).unwrap(),
    );
    let setup = config.setup(ShardId(0), Lookups::here());
    let storage = Arc::new(MemoryStorage::default());
    storage.create_dir(&config.dir.join("keys")).unwrap();
    let (shared, mut writer) = shard::open(storage, config.paths(ShardId(0)), setup).unwrap();
    let mut pace = Pace::new(MAX);
    pace.newest = Some(Sealed { at: Instant::now(), found: MAX, left: 0, sealed: MAX });
    (pace.sealed_per_second, pace.pressing) = (Some(0.0), [false, true, true]);
    (writer.pace, writer.backlog_records_max) = (Some(pace), MAX);
    (shared, writer)
}

/// Routine writes that wait for their room.
fn held_back(then: impl FnOnce(&Shared)) {
    let (shared, writer) = paced_writer();
    let is_held_back = thread::scope(|scope| {
        scope.spawn(|| writer.run());
        ask(&shared, |answer| Control::Enrol(vec![Enrolment::host(DEVICE)], answer))[0].as_ref().unwrap();
        for ticket in submit(&shared, Lane::Routine, 0..1) {
            ticket.wait().unwrap();
        }
        let waiting = submit(&shared, Lane::Routine, 100..103);
        // One by one, and more than the turns after which a less urgent lane has its own.
        for seq in 10..30 {
            submit(&shared, Lane::Alarm, seq..seq + 1).remove(0).wait().unwrap();
        }
        let is_held_back = waiting.iter().all(|ticket| !ticket.is_answered());
        then(&shared);
        for ticket in waiting {
            ticket.wait().unwrap();
        }
        shared.inbox.close();
        is_held_back
    });
    assert!(is_held_back);
}

#[test]
fn alarms_overtake_who_is_held_back_and_the_next_seal_says_anew_how_long() {
    held_back(|shared| {
        let number = BlockNumber(1);
        drop(ask(shared, |answer| Control::Cut(number, answer)).unwrap());
        ask(shared, |answer| Control::Seal(number, None, answer)).unwrap();
        assert_eq!(shared.inbox.held_back(), [false, true, true]);
    });
}

/// An alarm's group is small, and says nothing of those that are held back.
#[test]
fn a_writer_counts_its_commits_but_for_alarms() {
    let (shared, mut writer) = paced_writer();
    let mut commit = |lane, seqs| {
        let tickets = submit(&shared, lane, seqs);
        assert!(writer.step());
        for ticket in tickets {
            assert!(ticket.is_answered());
        }
        let Committed { groups, writes, bytes, took } = writer.pace.as_ref().unwrap().committed;
        (groups, writes, bytes > 0, took > Duration::ZERO)
    };
    assert_eq!(commit(Lane::Alarm, 0..5), (0, 0, false, false));
    assert_eq!(commit(Lane::Routine, 10..13), (1, 3, true, true));
    assert_eq!(commit(Lane::Bulk, 20..21), (2, 4, true, true));
}

#[test]
fn closing_waits_for_no_block() {
    held_back(|shared| shared.inbox.close());
}
