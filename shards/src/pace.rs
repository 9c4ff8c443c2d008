//! How fast a shard takes writes while blocks can't keep up.
//!
//! Each seal gives a full backlog room at once. Were that filled at once, the writer would stand still until the next seal:
//! a write would wait for a whole block, and whoever shares the processors and the disk would have a burst beside him after
//! each. So writes are taken as fast as they come into blocks, and somewhat faster or slower as the backlog is below or above
//! its mark at a seal: what is above is for a block that takes longer than those before.
//!
//! ```text
//!   records
//!   limit ┤- - - - - - - - - - - - - -     as many may wait
//!   mark  ┤- - - - - ╱│- - - - - ╱│- -
//!         │       ╱   │       ╱   │
//!         │    ╱      │    ╱      │    ╱
//!    left ┤ ╱         │ ╱         │ ╱
//!         └───────────┴───────────┴────▶ time
//!                    seal        seal
//! ```
//!
//! And groups are no larger than they must be to come [`GROUPS_APART`]: up to twice that, as they are full ones, halved.

use crate::{
    lane::Lane,
    limits::{GROUP_BYTES, GROUP_HALVINGS_MAX, GROUP_WRITES, GROUPS_APART, backlog_records_of},
};
use std::time::{Duration, Instant};

/// A lane presses if a seal finds so much waiting of what it was allowed to have.
const PRESSED: f64 = 7.0 / 8.0;

/// The mark, as a part of the limit.
const MARK: f64 = 3.0 / 4.0;

/// By how much faster than blocks a lane is taken from that found nothing waiting: each block is as much larger than the one
/// before, until the backlog is at its mark. With twice that blocks swung about it.
const CATCHING_UP: f64 = 1.0 / 2.0;

/// The least of the rate of blocks that a lane is taken at, however much of what is more urgent waits.
const SLOWEST: f64 = 1.0 / 2.0;

/// The longest time that a write is held back for.
const HELD_BACK_MAX: Duration = Duration::from_secs(10);

/// The newest seal.
#[derive(Clone, Copy, Debug)]
struct Sealed {
    at: Instant,
    /// Records that waited for a block until then.
    found: usize,
    /// Records that still waited after it.
    left: usize,
    /// Records of its block.
    sealed: usize,
}

/// Groups that were committed since the newest seal, but for those of alarms.
#[derive(Clone, Copy, Default, Debug)]
struct Committed {
    groups: usize,
    writes: usize,
    bytes: usize,
    took: Duration,
}

/// What may wait for a block, lane by lane, and from when.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Records that may wait for a block, alarms included.
    backlog_records_max: usize,
    newest: Option<Sealed>,
    /// The lanes that pressed then. Never that of the alarms.
    pressing: [bool; Lane::ALL.len()],
    /// Records a second that come into blocks while lanes press: how fast blocks could be made while nothing waited, nobody knows.
    sealed_per_second: Option<f64>,
    committed: Committed,
}

#[expect(clippy::cast_precision_loss, reason = "shares of bounded numbers")]
impl Committed {
    /// How often a full group of such writes is halved if so many are taken a second.
    fn halvings(self, per_second: f64) -> u32 {
        let each = |sum: f64, of: usize| sum / of.max(1) as f64;
        let apart = GROUPS_APART.as_secs_f64().max(2.0 * each(self.took.as_secs_f64(), self.groups));
        let full = (GROUP_WRITES as f64).min(GROUP_BYTES as f64 / each(self.bytes as f64, self.writes));
        let fits = |halvings: &u32| per_second * apart <= full / f64::from(1 << halvings);
        (0..=GROUP_HALVINGS_MAX).rev().find(fits).unwrap_or(0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares of bounded numbers")]
impl Pace {
    pub(crate) fn new(backlog_records_max: usize) -> Self {
        Self {
            backlog_records_max,
            newest: None,
            pressing: [false; Lane::ALL.len()],
            sealed_per_second: None,
            committed: Committed::default(),
        }
    }

    /// Which lanes are held back from this seal on, that found so many records waiting and left so many: how often a full group
    /// of theirs is halved.
    pub(crate) fn sealed(
        &mut self,
        at: Instant,
        found: usize,
        left: usize,
    ) -> [Option<u32>; Lane::ALL.len()] {
        let presses = |lane| lane != Lane::Alarm && found as f64 >= self.allowed(lane, at) * PRESSED;
        let pressing = Lane::ALL.map(presses);
        let interval = self.newest.map_or(Duration::ZERO, |newest| at.duration_since(newest.at));
        // If they pressed all the time. It was spent on what the seal before this one sealed.
        let is_known = [self.pressing, pressing].iter().all(|pressing| pressing.contains(&true));
        self.sealed_per_second = self.newest.filter(|_| is_known).map(|Sealed { sealed, .. }| {
            let now = sealed as f64 / interval.as_secs_f64().max(f64::EPSILON);
            self.sealed_per_second.map_or(now, |before| f64::midpoint(before, now))
        });
        self.newest = Some(Sealed { at, found, left, sealed: found.saturating_sub(left) });
        self.pressing = pressing;
        let committed = std::mem::take(&mut self.committed);
        Lane::ALL.map(|lane| self.pacing(lane).map(|(_, per_second)| committed.halvings(per_second)))
    }

    /// A group of so many writes and bytes was committed.
    pub(crate) fn committed(&mut self, writes: usize, bytes: usize, took: Duration) {
        self.committed.groups += 1;
        self.committed.writes += writes;
        self.committed.bytes += bytes;
        self.committed.took += took;
    }

    fn limit(&self, lane: Lane) -> f64 {
        backlog_records_of(lane, self.backlog_records_max) as f64
    }

    /// If the lane is held back, the newest seal, and the records a second that are taken since.
    fn pacing(&self, lane: Lane) -> Option<(Sealed, f64)> {
        let newest = self.newest.filter(|_| self.pressing[lane as usize])?;
        let missing = 1.0 - newest.found as f64 / (self.limit(lane) * MARK);
        let share = 1.0 + CATCHING_UP * missing;
        Some((newest, self.sealed_per_second? * share.max(SLOWEST)))
    }

    /// Records that may wait by now while the lane's writes are still taken.
    fn allowed(&self, lane: Lane, now: Instant) -> f64 {
        let limit = self.limit(lane);
        let Some((Sealed { at, left, .. }, per_second)) = self.pacing(lane) else { return limit };
        (left as f64 + per_second * now.duration_since(at).as_secs_f64()).min(limit)
    }

    /// When more of the lane's writes are taken while so many wait, if not at once.
    pub(crate) fn due(&self, lane: Lane, backlog: usize) -> Option<Instant> {
        let (Sealed { at, left, .. }, per_second) = self.pacing(lane)?;
        let after = backlog.saturating_sub(left) as f64 / per_second.max(f64::EPSILON);
        Some(at + HELD_BACK_MAX.min(Duration::try_from_secs_f64(after).unwrap_or(HELD_BACK_MAX)))
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers of records"
)]
mod tests;
