//! Submitters at work, as fast as the answers come or at a rate, while what is durable is sealed behind them.

use super::{committer::Committer, report::latencies, workload::Submitter};
use crate::{error::CliError, interrupt::Interrupt};
use arterial::shards::{Lane, Shards, Tickets, yield_to_writers};
use hdrhistogram::Histogram;
use std::{
    collections::VecDeque,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Calls whose answers one submitter waits for at once.
const CALLS_IN_FLIGHT: usize = 6;
/// Writes of a call at most, but for a bundle's.
pub(crate) const CALL_WRITES: usize = 2048;
/// How far apart the calls of an open loop are.
const TICK: Duration = Duration::from_micros(500);
/// Not measured: caches, segments and the writers' buffers come into being.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);

/// What the threads of a run share.
pub(crate) struct Running<'a> {
    pub(crate) shards: &'a Shards,
    interrupt: &'a Interrupt,
    stop: AtomicBool,
    measuring: AtomicBool,
    /// Whether every submitter has ended.
    submitted: AtomicBool,
}

impl<'a> Running<'a> {
    pub(crate) const fn new(shards: &'a Shards, interrupt: &'a Interrupt) -> Self {
        let [stop, measuring, submitted] = [const { AtomicBool::new(false) }; 3];
        Self { shards, interrupt, stop, measuring, submitted }
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
    pub(crate) durable: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// How fast a submitter submits.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as the answers come, so many writes a call: a write is due when it is submitted.
    Closed { call_writes: usize },
    /// So many a second, whatever the answers do: latencies are from when a write was due, so that no stall is left out.
    Open { rate: u64 },
}

/// What one submitter does.
pub(crate) struct Load<'a> {
    pub(crate) submitter: &'a mut Submitter,
    pub(crate) lane: Lane,
    pub(crate) pace: Pace,
    pub(crate) answered: &'a Answered,
    /// Whether it gives way to the engine's threads. What it does is then done by another machine in reality.
    pub(crate) yields: bool,
}

/// What was counted before and after, and of each load the microseconds from when a write was due until it was known to
/// be durable.
pub(crate) struct Driven<T> {
    pub(crate) before: T,
    pub(crate) after: T,
    pub(crate) latencies: Vec<Histogram<u64>>,
}

/// Lets the loads run for so long after the warm-up, with seals behind them. `sample` is called now and then.
pub(crate) fn drive<T>(
    running: &Running<'_>,
    committer: &mut Committer,
    loads: Vec<Load<'_>>,
    measured: Duration,
    count: impl Fn() -> T,
    mut sample: impl FnMut(),
) -> Result<Driven<T>, CliError> {
    thread::scope(|scope| {
        let committing = scope.spawn(|| committer.run(running));
        let threads: Vec<_> = loads.into_iter().map(|load| scope.spawn(|| load.run(running))).collect();
        let mut wait = |until: Instant| {
            let ended = || threads.iter().all(thread::ScopedJoinHandle::is_finished);
            while Instant::now() < until && running.goes_on() && !ended() {
                sample();
                thread::sleep(Duration::from_millis(20));
            }
        };
        wait(Instant::now() + WARM_UP);
        running.measuring.store(true, Ordering::Relaxed);
        let before = count();
        wait(Instant::now() + measured);
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
    fn run(self, running: &Running<'_>) -> Histogram<u64> {
        if self.yields {
            yield_to_writers();
        }
        match self.pace {
            Pace::Closed { call_writes } => self.run_closed(call_writes, running),
            Pace::Open { rate } => self.run_open(rate, running),
        }
    }

    fn run_closed(self, call_writes: usize, running: &Running<'_>) -> Histogram<u64> {
        let Self { submitter, lane, answered, .. } = self;
        let mut latencies = latencies();
        let mut in_flight: VecDeque<(Instant, Tickets)> = VecDeque::new();
        while running.goes_on() && submitter.left() > 0 {
            if in_flight.len() == CALLS_IN_FLIGHT
                && let Some((due, tickets)) = in_flight.pop_front()
            {
                answered.take(due, &tickets, running, &mut latencies);
            }
            let due = Instant::now();
            in_flight.push_back((due, submitter.submit(running.shards, lane, call_writes)));
        }
        for (due, tickets) in in_flight {
            answered.take(due, &tickets, running, &mut latencies);
        }
        latencies
    }

    fn run_open(self, rate: u64, running: &Running<'_>) -> Histogram<u64> {
        let Self { submitter, lane, answered, .. } = self;
        let (sender, receiver) = mpsc::channel::<(Instant, Tickets)>();
        thread::scope(|scope| {
            let waiter = scope.spawn(move || {
                let mut latencies = latencies();
                for (due, tickets) in receiver {
                    answered.take(due, &tickets, running, &mut latencies);
                }
                latencies
            });
            let (begun, mut submitted) = (Instant::now(), 0u64);
            while running.goes_on() && submitter.left() > 0 {
                let elapsed = begun.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
                let writes = (elapsed.saturating_mul(rate) / 1_000_000).saturating_sub(submitted);
                // The oldest of these writes were due a tick ago, or longer if the loop was held up.
                let oldest = begun + Duration::from_secs_f64(seconds(submitted, rate));
                if let Ok(writes) = usize::try_from(writes)
                    && writes > 0
                {
                    for (due, part) in parts(oldest, writes) {
                        let _ = sender.send((due, submitter.submit(running.shards, lane, part)));
                    }
                }
                submitted += writes;
                thread::sleep(TICK);
            }
            drop(sender);
            waiter.join().expect("a waiter ends")
        })
    }
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
    fn take(&self, due: Instant, tickets: &Tickets, running: &Running<'_>, latencies: &mut Histogram<u64>) {
        let (mut durable, mut refused) = (0, 0);
        for answer in tickets.answers() {
            match answer {
                Ok(_) => durable += 1,
                Err(_) => refused += 1,
            }
        }
        self.durable.fetch_add(durable, Ordering::Relaxed);
        self.refused.fetch_add(refused, Ordering::Relaxed);
        if running.measuring.load(Ordering::Relaxed) {
            let micros = due.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
            latencies.saturating_record_n(micros, durable + refused);
        }
    }
}
