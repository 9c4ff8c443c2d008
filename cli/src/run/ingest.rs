//! Writes into the engine, and their acknowledgements out of it.

use super::plan::Plan;
use crate::{error::CliError, interrupt::Interrupt};
use arterial::{Engine, Lane, SubmitError, Tag, Tickets};
use indicatif::ProgressBar;
use std::{
    collections::VecDeque,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Writes submitted at once: enough to keep the cost of a call small.
const CHUNK_WRITES: usize = 4096;
/// Chunks that wait for their acknowledgement: enough for every shard to have the next group while it syncs one.
const CHUNKS_IN_FLIGHT: usize = 16;
/// Refusals kept word for word.
const REASONS_MAX: usize = 8;

/// What came of the writes.
#[derive(Debug, Default)]
pub(crate) struct Ingested {
    /// From the first submit to the last acknowledgement.
    pub(crate) seconds: f64,
    /// Writes that are durable.
    pub(crate) durable: usize,
    /// Those of them that were so before.
    pub(crate) repeated: usize,
    /// Writes that were refused, by their place in the plan, ascending.
    pub(crate) refused: Vec<usize>,
    /// Why, for the first few.
    pub(crate) reasons: Vec<String>,
}

/// Submits every write and waits until it is durable; stops in between when interrupted. How many are durable can be seen
/// meanwhile.
pub(crate) fn ingest(
    engine: &Engine,
    plan: &Plan,
    tags: &[Tag],
    durable: &AtomicU64,
    bar: &ProgressBar,
    interrupt: &Interrupt,
) -> Result<Ingested, CliError> {
    let mut ingested = Ingested::default();
    let mut in_flight: VecDeque<(Range<usize>, Tickets)> = VecDeque::with_capacity(CHUNKS_IN_FLIGHT);
    let mut writes = Vec::with_capacity(CHUNK_WRITES);
    let begin = Instant::now();
    for (chunk, tags) in (0..).step_by(CHUNK_WRITES).zip(tags.chunks(CHUNK_WRITES)) {
        if interrupt.is_raised() {
            break;
        }
        if in_flight.len() == CHUNKS_IN_FLIGHT
            && let Some((places, tickets)) = in_flight.pop_front()
        {
            ingested.take(plan, places, tickets, bar)?;
            durable.store(ingested.durable as u64, Ordering::Relaxed);
        }
        writes.clear();
        writes.extend((chunk..).zip(tags).map(|(at, tag)| (plan.write(at), *tag)));
        in_flight.push_back((chunk..chunk + tags.len(), engine.submit_many(Lane::Routine, &writes)));
    }
    for (places, tickets) in in_flight {
        ingested.take(plan, places, tickets, bar)?;
        durable.store(ingested.durable as u64, Ordering::Relaxed);
    }
    ingested.seconds = begin.elapsed().as_secs_f64();
    Ok(ingested)
}

impl Ingested {
    fn take(
        &mut self,
        plan: &Plan,
        places: Range<usize>,
        tickets: Tickets,
        bar: &ProgressBar,
    ) -> Result<(), CliError> {
        bar.inc(places.len() as u64);
        for (at, outcome) in places.zip(tickets.wait()) {
            match outcome {
                Ok(ack) => {
                    self.durable += 1;
                    self.repeated += usize::from(ack.repeated);
                }
                // No other write would fare better.
                Err(error @ (SubmitError::Shard(_) | SubmitError::Closed)) => return Err(error.into()),
                Err(error) => {
                    if self.reasons.len() < REASONS_MAX {
                        let (device, seq) = plan.place(at);
                        self.reasons.push(format!("{} seq {seq}: {error}", plan.label(device)));
                    }
                    self.refused.push(at);
                }
            }
        }
        Ok(())
    }

    /// Writes that became durable in this run, each second.
    pub(crate) fn records_per_second(&self) -> f64 {
        if self.seconds > 0.0 { (self.durable - self.repeated) as f64 / self.seconds } else { 0.0 }
    }
}
