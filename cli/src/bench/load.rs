//! Submitters at work, as fast as the answers come or at a rate, while what is durable is sealed behind them.

use super::{
    committer::Committer,
    report::latencies,
    workload::{Call, Sink, Submitter},
};
use crate::{error::CliError, interrupt::Interrupt};
use arterial::shards::{Lane, run_promptly, yield_to_writers};
use hdrhistogram::Histogram;
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Writes whose answers one submitter waits for at once.
const WRITES_IN_FLIGHT: usize = 6 * CALL_WRITES;
/// Writes of a call at most, but for a bundle's.
pub(crate) const CALL_WRITES: usize = 2048;
/// How far apart the ticks are at which an open loop makes its calls, but where writes are further apart.
const TICK: Duration = Duration::from_micros(500);
/// Not measured: caches, segments and the writers' buffers come into being.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);

/// What the threads of a run share.
pub(crate) struct Running<'a> {
    sink: &'a dyn Sink,
    interrupt: &'a Interrupt,
    stop: AtomicBool,
    measuring: AtomicBool,
    /// Whether every submitter has ended.
    submitted: AtomicBool,
}

impl<'a> Running<'a> {
    pub(crate) const fn new(sink: &'a dyn Sink, interrupt: &'a Interrupt) -> Self {
        let [stop, measuring, submitted] = [const { AtomicBool::new(false) }; 3];
        Self { sink, interrupt, stop, measuring, submitted }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && !self.interrupt.is_raised()
    }

    pub(crate) fn submitting(&self) -> bool {
        !self.submitted.load(Ordering::Acquire)
    }
}

/// Answers so far.
#[derive(Default)]
pub(crate) struct Answered {
    pub(crate) durable: Arc<AtomicU64>,
    pub(crate) refused: AtomicU64,
    /// Of the canonical records of all that were answered.
    pub(crate) bytes: AtomicU64,
}

/// How fast a submitter submits.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as the answers come, so many writes a call: a write is due when it is submitted.
    Closed { call_writes: usize },
    /// So many a second, whatever the answers do: latencies are from when a write was due, so that no stall is left out.
    Open { rate: u64 },
}

/// When a submitter has the processor that the engine's threads want, too.
#[derive(Clone, Copy)]
pub(crate) enum Turns {
    /// As the system has it.
    Usual,
    /// As soon as a write is due: whoever hands it over in reality waits for none of these threads.
    Prompt,
    /// When no other wants it: what it does is done by another machine in reality.
    Last,
}

/// What one submitter does.
pub(crate) struct Load<'a> {
    pub(crate) submitter: &'a mut Submitter,
    pub(crate) pace: Pace,
    pub(crate) answered: &'a Answered,
    pub(crate) turns: Turns,
}

/// What was counted before and after, and of each load the microseconds from when a write was due until it was known to
/// be durable.
pub(crate) struct Driven<T> {
    pub(crate) before: T,
    pub(crate) after: T,
    pub(crate) latencies: Vec<Latencies>,
}

/// Microseconds from when a write was due until it was known to be durable, lane by lane.
pub(crate) struct Latencies([Histogram<u64>; Lane::ALL.len()]);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Lane::ALL.map(|_| latencies()))
    }

    pub(crate) fn of(&self, lane: Lane) -> &Histogram<u64> {
        &self.0[lane as usize]
    }

    pub(crate) fn all(&self) -> Histogram<u64> {
        let mut all = latencies();
        self.0.iter().for_each(|lane| all.add(lane).expect("all have the same range"));
        all
    }

    /// Those of several loads together.
    pub(crate) fn sum(all: &[Self]) -> Self {
        let mut sum = Self::new();
        for one in all {
            for (lane, other) in sum.0.iter_mut().zip(&one.0) {
                lane.add(other).expect("all have the same range");
            }
        }
        sum
    }
}

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Span {
    /// So many seconds after the usual warm-up.
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self { warm_up: WARM_UP, measured: Duration::from_secs(seconds) }
    }
}

/// Lets the loads run for so long, with seals behind them. `sample` is called now and then.
pub(crate) fn drive<T>(
    running: &Running<'_>,
    committer: Option<&mut Committer<'_>>,
    loads: Vec<Load<'_>>,
    span: Span,
    count: impl Fn() -> T,
    mut sample: impl FnMut(),
) -> Result<Driven<T>, CliError> {
    thread::scope(|scope| {
        let committing = scope.spawn(|| committer.map_or(Ok(()), |committer| committer.run(running)));
        let threads: Vec<_> = loads.into_iter().map(|load| scope.spawn(|| load.run(running))).collect();
        let mut wait = |until: Instant| {
            let ended = || threads.iter().all(thread::ScopedJoinHandle::is_finished);
            while Instant::now() < until && running.goes_on() && !ended() {
                sample();
                thread::sleep(Duration::from_millis(20));
            }
        };
        wait(Instant::now() + span.warm_up);
        running.measuring.store(true, Ordering::Relaxed);
        let before = count();
        wait(Instant::now() + span.measured);
        let after = count();
        running.stop.store(true, Ordering::Relaxed);
        let ended: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        running.submitted.store(true, Ordering::Release);
        let latencies = ended.into_iter().map(|ended| ended.expect("a submitter ends")).collect();
        committing.join().expect("a committer ends")?;
        Ok(Driven { before, after, latencies })
    })
}

impl Load<'_> {
    fn run(self, running: &Running<'_>) -> Latencies {
        match self.turns {
            Turns::Usual => {}
            Turns::Prompt => run_promptly(),
            Turns::Last => yield_to_writers(),
        }
        match self.pace {
            Pace::Closed { call_writes } => self.run_closed(call_writes, running),
            Pace::Open { rate } => self.run_open(rate, running),
        }
    }

    fn run_closed(self, call_writes: usize, running: &Running<'_>) -> Latencies {
        let Self { submitter, answered, .. } = self;
        let mut latencies = Latencies::new();
        let mut in_flight: VecDeque<(Instant, Vec<Call>)> = VecDeque::new();
        while running.goes_on() && submitter.left() > 0 {
            if in_flight.len() * call_writes >= WRITES_IN_FLIGHT
                && let Some((due, calls)) = in_flight.pop_front()
            {
                answered.take(due, &calls, running, &mut latencies);
            }
            let due = Instant::now();
            in_flight.push_back((due, submitter.submit(running.sink, call_writes)));
        }
        for (due, calls) in in_flight {
            answered.take(due, &calls, running, &mut latencies);
        }
        latencies
    }

    fn run_open(self, rate: u64, running: &Running<'_>) -> Latencies {
        let Self { submitter, answered, .. } = self;
        let (sender, receiver) = mpsc::channel::<(Instant, Vec<Call>)>();
        thread::scope(|scope| {
            let waiter = scope.spawn(move || {
                let mut latencies = Latencies::new();
                for (due, calls) in receiver {
                    answered.take(due, &calls, running, &mut latencies);
                }
                latencies
            });
            let (begun, mut submitted) = (Instant::now(), 0u64);
            while running.goes_on() && submitter.left() > 0 {
                let writes = due_by(begun.elapsed(), rate).saturating_sub(submitted);
                // The oldest of these writes were due a tick ago, or longer if the loop was held up.
                let oldest = begun + Duration::from_secs_f64(seconds(submitted, rate));
                if let Ok(writes) = usize::try_from(writes)
                    && writes > 0
                {
                    for (due, part) in parts(oldest, writes) {
                        let _ = sender.send((due, submitter.submit(running.sink, part)));
                    }
                }
                submitted += writes;
                thread::sleep(until_tick(begun.elapsed(), rate));
            }
            drop(sender);
            waiter.join().expect("a waiter ends")
        })
    }
}

/// Writes that are due after so long at a rate: the first is at once.
fn due_by(elapsed: Duration, rate: u64) -> u64 {
    let micros = elapsed.as_micros().try_into().unwrap_or(u64::MAX);
    rate.saturating_mul(micros) / 1_000_000 + 1
}

/// How long it is to the next tick. Who slept for a tick would fall behind: a sleep is somewhat longer than asked for.
fn until_tick(elapsed: Duration, rate: u64) -> Duration {
    let tick = TICK.max(Duration::from_nanos(1_000_000_000u64.div_ceil(rate.max(1))));
    let into = elapsed.as_nanos() % tick.as_nanos();
    tick - Duration::from_nanos(into.try_into().expect("less than a tick"))
}

#[expect(clippy::cast_precision_loss, reason = "a time")]
fn seconds(writes: u64, rate: u64) -> f64 {
    writes as f64 / rate.max(1) as f64
}

/// Calls of a size that the engine takes well; all writes of a call count as due when its first was.
fn parts(oldest: Instant, writes: usize) -> impl Iterator<Item = (Instant, usize)> {
    (0..writes).step_by(CALL_WRITES).map(move |at| (oldest, CALL_WRITES.min(writes - at)))
}

impl Answered {
    fn take(&self, due: Instant, calls: &[Call], running: &Running<'_>, latencies: &mut Latencies) {
        for Call { lane, tickets, record_bytes } in calls {
            let (mut durable, mut refused) = (0, 0);
            for answer in tickets.answers() {
                match answer {
                    Ok(_) => durable += 1,
                    Err(_) => refused += 1,
                }
            }
            self.durable.fetch_add(durable, Ordering::Relaxed);
            self.refused.fetch_add(refused, Ordering::Relaxed);
            self.bytes.fetch_add(*record_bytes, Ordering::Relaxed);
            if running.measuring.load(Ordering::Relaxed) {
                let micros = due.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
                latencies.0[*lane as usize].saturating_record_n(micros, durable + refused);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn a_write_is_submitted_when_it_is_due_and_not_when_the_next_one_is() {
        for (elapsed, due) in [(0, 1), (499, 1), (500, 2), (999, 2), (1000, 3)] {
            assert_eq!(due_by(micros(elapsed), 2000), due, "{elapsed}");
        }
        assert_eq!(due_by(Duration::from_secs(3), 0), 1);
    }

    #[test]
    fn the_loop_wakes_at_ticks_however_late_it_is() {
        for (elapsed, left) in [(0, 500), (60, 440), (499, 1), (500, 500), (1730, 270)] {
            for rate in [2000, 1_000_000] {
                assert_eq!(until_tick(micros(elapsed), rate), micros(left), "{elapsed}");
            }
        }
        // Where writes are further apart, with every write.
        assert_eq!(until_tick(micros(2_060_000), 10), micros(40_000));
    }
}
