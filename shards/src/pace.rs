//! How fast a shard takes writes while its backlog is at a limit.
//!
//! Each seal gives a full backlog room at once. Were that filled at once, the writer would stand still until the next seal:
//! a write would wait for a whole block, and whoever shares the processors and the disk would have a burst beside him after
//! each. So the room is given out evenly, over as long as the last block took.
//!
//! ```text
//!   records
//!   limit ┤- - - - - - - - - - -╱─────   as many may wait
//!         │                 ╱
//!         │             ╱
//!    left ┤         ╱
//!         └─────────┬───────────┬─────▶ time
//!                 seal      interval later
//! ```
//!
//! And a writer that has time to wait commits smaller groups: others have the processor and the disk between them. One that
//! has none commits larger ones, which cost it less a write.

use crate::{
    lane::Lane,
    limits::{GROUP_HALVINGS_MAX, backlog_records_of},
};
use std::time::{Duration, Instant};

/// A lane is paced once a seal finds so many eighths of what it was allowed to have waiting.
const PRESSED_EIGHTHS: usize = 7;

/// The longest time that room is given out over: a block that came after a pause says nothing about the next.
const INTERVAL_MAX: Duration = Duration::from_secs(10);

/// The newest seal.
#[derive(Clone, Copy, Debug)]
struct Sealed {
    at: Instant,
    /// Since the one before.
    interval: Duration,
    /// Records that still waited for a block after it.
    left: usize,
}

/// What may wait for a block, lane by lane, and from when.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Records that may wait for a block, alarms included.
    backlog_records_max: usize,
    newest: Option<Sealed>,
    /// The lanes whose room is given out in time. Never that of the alarms.
    paced: [bool; Lane::ALL.len()],
    /// How often a full group is halved in these lanes.
    halvings: u32,
    /// How long the writer held them back, with nothing else to do, since the newest seal.
    waited: Duration,
}

impl Pace {
    pub(crate) const fn new(backlog_records_max: usize) -> Self {
        let paced = [false; Lane::ALL.len()];
        Self { backlog_records_max, newest: None, paced, halvings: 0, waited: Duration::ZERO }
    }

    /// Which lanes are paced from this seal on, that found so many records waiting and left so many: how often a full group of
    /// theirs is halved.
    pub(crate) fn sealed(
        &mut self,
        at: Instant,
        found: usize,
        left: usize,
    ) -> [Option<u32>; Lane::ALL.len()] {
        let pressed = |lane| found >= self.allowed(lane, at) / 8 * PRESSED_EIGHTHS;
        let paced = Lane::ALL.map(|lane| lane != Lane::Alarm && self.newest.is_some() && pressed(lane));
        let interval = self.newest.map_or(Duration::ZERO, |newest| at.duration_since(newest.at));
        let waited = std::mem::take(&mut self.waited);
        // Twice as many commits take the writer twice as long at most: it has the time if it waited for more than half of it.
        if waited > interval / 2 {
            self.halvings = GROUP_HALVINGS_MAX.min(self.halvings + 1);
        } else if waited < interval / 8 {
            self.halvings = self.halvings.saturating_sub(1);
        }
        self.newest = Some(Sealed { at, interval: interval.min(INTERVAL_MAX), left });
        self.paced = paced;
        paced.map(|paced| paced.then_some(self.halvings))
    }

    /// The lanes were held back for so long, and the writer had nothing else to do.
    pub(crate) fn waited(&mut self, waited: Duration) {
        self.waited += waited;
    }

    fn limit(&self, lane: Lane) -> usize {
        backlog_records_of(lane, self.backlog_records_max)
    }

    /// The newest seal, if the lane is paced since.
    fn pacing(&self, lane: Lane) -> Option<Sealed> {
        self.newest.filter(|_| self.paced[lane as usize])
    }

    /// Records that may wait by now while the lane's writes are still taken.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a bounded number"
    )]
    fn allowed(&self, lane: Lane, now: Instant) -> usize {
        let limit = self.limit(lane);
        let Some(Sealed { at, interval, left }) = self.pacing(lane) else { return limit };
        let since = now.duration_since(at).min(interval);
        let share = since.as_secs_f64() / interval.as_secs_f64().max(f64::MIN_POSITIVE);
        left.min(limit) + (limit.saturating_sub(left) as f64 * share) as usize
    }

    /// When more of the lane's writes are taken while so many wait, if not at once.
    #[expect(clippy::cast_precision_loss, reason = "a share of a bounded number")]
    pub(crate) fn due(&self, lane: Lane, backlog: usize) -> Option<Instant> {
        let Sealed { at, interval, left } = self.pacing(lane)?;
        let room = self.limit(lane).saturating_sub(left);
        let share = backlog.saturating_sub(left) as f64 / room.max(1) as f64;
        Some(at + interval.mul_f64(share.min(1.0)))
    }
}

#[cfg(test)]
mod tests {
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
    const INTERVAL: Duration = Duration::from_secs(8);

    fn limit(lane: Lane) -> usize {
        backlog_records_of(lane, MAX)
    }

    #[test]
    fn room_is_given_out_over_as_long_as_the_last_block_took_but_for_alarms() {
        let (begun, full) = (Instant::now(), limit(Lane::Routine));
        let mut pace = Pace::new(MAX);
        assert_eq!(pace.sealed(begun, full, 0), [None; 3], "nothing is known of how long a block takes");
        assert_eq!(pace.due(Lane::Routine, full), None);
        let left = full / 4;
        assert_eq!(pace.sealed(begun + INTERVAL, MAX, left), [None, Some(0), Some(0)]);
        let due = |lane, backlog| pace.due(lane, backlog).map(|due| due - begun);
        assert_eq!(due(Lane::Routine, left), Some(INTERVAL));
        assert_eq!(due(Lane::Routine, left + (full - left) / 2), Some(INTERVAL * 3 / 2));
        for backlog in [full, full + 100] {
            assert_eq!(due(Lane::Routine, backlog), Some(INTERVAL * 2));
        }
        // Less may wait of what is less urgent, so what is left is more of it.
        assert!(due(Lane::Bulk, left + 100) > due(Lane::Routine, left + 100));
        assert_eq!(due(Lane::Alarm, MAX), None);
    }

    #[test]
    fn a_lane_is_held_back_no_longer_than_it_presses() {
        let (begun, full) = (Instant::now(), limit(Lane::Routine));
        let sealed = |found, at_half| {
            let mut pace = Pace::new(MAX);
            pace.sealed(begun, 0, 0);
            pace.sealed(begun + INTERVAL, full, 0);
            let after = if at_half { INTERVAL / 2 } else { INTERVAL };
            pace.sealed(begun + INTERVAL + after, found, 0)[Lane::Routine as usize].is_some()
        };
        // What counts is what it was allowed by then.
        let pressed = [(full, false), (full * 7 / 8, false), (full * 7 / 8, true), (full / 2, true)];
        assert_eq!(pressed.map(|(found, at_half)| sealed(found, at_half)), [true; 4]);
        let at_ease = [(full * 7 / 8 - 1, false), (full / 2, false), (full * 3 / 8, true)];
        assert_eq!(at_ease.map(|(found, at_half)| sealed(found, at_half)), [false; 3]);
    }

    #[test]
    fn a_block_after_a_long_pause_holds_nobody_back_as_long() {
        let (begun, full) = (Instant::now(), limit(Lane::Routine));
        let mut pace = Pace::new(MAX);
        pace.sealed(begun, 0, 0);
        let at = begun + INTERVAL_MAX * 100;
        pace.sealed(at, full, 0);
        assert_eq!(pace.due(Lane::Routine, full), Some(at + INTERVAL_MAX));
    }

    #[test]
    fn groups_are_as_small_as_the_writer_has_time_for() {
        let (mut at, full) = (Instant::now(), limit(Lane::Routine));
        let mut pace = Pace::new(MAX);
        pace.sealed(at, full, 0);
        let mut halvings = |found, waited: &[Duration]| {
            at += INTERVAL;
            waited.iter().for_each(|waited| pace.waited(*waited));
            pace.sealed(at, found, 0)[Lane::Routine as usize]
        };
        for expected in [1, 2, 3, 3] {
            assert_eq!(halvings(full, &[INTERVAL / 3; 2]), Some(expected));
        }
        assert_eq!(halvings(full, &[INTERVAL / 2]), Some(3), "neither more time than it needs nor less");
        assert_eq!(halvings(full, &[INTERVAL / 8]), Some(3));
        assert_eq!(halvings(full, &[INTERVAL / 9]), Some(2));
        assert_eq!(halvings(0, &[]), None);
        for expected in [0, 0] {
            assert_eq!(halvings(full, &[]), Some(expected));
        }
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

    /// A writer whose room is given out over hours.
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
        pace.newest = Some(Sealed { at: Instant::now(), interval: Duration::from_secs(100_000), left: 0 });
        pace.paced = [false, true, true];
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

    /// Time that passes while no lane is held back says nothing of how much the writer has.
    #[test]
    fn a_writer_counts_what_it_waits_while_it_holds_lanes_back() {
        let (shared, mut writer) = paced_writer();
        let mut waited = |paced| {
            let pace = writer.pace.as_mut().unwrap();
            (pace.paced, pace.waited) = ([false, paced, paced], Duration::ZERO);
            // Nothing was written yet, so all is due when the room begins to be given out.
            pace.newest.as_mut().unwrap().at = Instant::now() + INTERVAL_MAX;
            shared.inbox.push_control(Control::LookAgain).unwrap();
            assert!(writer.take(Lane::ALL.len()).is_some());
            writer.pace.as_ref().unwrap().waited
        };
        assert_eq!(waited(false), Duration::ZERO);
        assert_ne!(waited(true), Duration::ZERO);
    }

    #[test]
    fn closing_waits_for_no_block() {
        held_back(|shared| shared.inbox.close());
    }
}
