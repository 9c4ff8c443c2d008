//! Writes that were made before: whether they were accepted, and where.
//!
//! What is in no block yet, the writer knows. The rest is looked up in the device's blocks, from the newest back: that
//! reads a file for each of them, so a thread beside the writers does it, and none of their acknowledgements waits for a
//! device whose counter has stepped back by years.

use crate::{
    error::{ShardError, SubmitError},
    log::LogPosition,
    measures::RefusalMeasures,
    shard::{Ack, Shared},
    ticket::{Answer, Promise},
};
use arterial_protocol::{DeviceId, Digest, Link, ShardId};
use arterial_storage::yield_to_writers;
use std::{
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

/// A write whose number is below its device's next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OldWrite {
    pub(crate) device: DeviceId,
    pub(crate) slot: u32,
    pub(crate) link: Link,
    /// The lowest number that the device's account takes.
    pub(crate) next_seq: u32,
}

impl OldWrite {
    /// What is said of it, now that it is known what was accepted under its number.
    pub(crate) fn answer(&self, shard: ShardId, accepted: Option<(Digest, LogPosition)>) -> Answer {
        let Self { device, link, next_seq, .. } = *self;
        let seq = link.seq.into();
        let Some((accepted, position)) = accepted else {
            return Err(SubmitError::SeqRegressed { device, next_seq, got: seq });
        };
        if accepted == link.digest {
            return Ok(Ack { shard, position, repeated: true });
        }
        tracing::warn!(%device, seq, %accepted, refused = %link.digest, "equivocation");
        Err(SubmitError::Equivocation { device, seq, accepted, position, refused: link.digest })
    }
}

/// A question about an old write.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) shared: Arc<Shared>,
    pub(crate) write: OldWrite,
    /// The newest sealed block that touches the device.
    pub(crate) last_block: u64,
    /// What its ticket waits for.
    pub(crate) answer: Arc<Promise<Answer>>,
}

impl Lookup {
    fn settle(&self, measures: &RefusalMeasures) {
        let found = self.find().map_err(|error| SubmitError::from(Arc::new(error)));
        let answer = found.and_then(|accepted| self.write.answer(self.shared.id, accepted));
        measures.count(&answer);
        self.answer.settle(answer);
    }

    fn find(&self) -> Result<Option<(Digest, LogPosition)>, ShardError> {
        let Self { shared, write, last_block, .. } = self;
        let Some((_, position)) = shared.sealed.find(write.slot, write.link.seq, *last_block)? else {
            return Ok(None);
        };
        let digest = shared.read_record(position, |_, record| Ok(record.digest))?;
        Ok(Some((digest, position)))
    }
}

/// A question that waits for the thread that answers it, and is counted until then.
#[derive(Debug)]
struct Asked(Lookup);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.answer.settle(Err(SubmitError::Closed));
        self.0.shared.lookup_ends();
    }
}

/// Where a writer's questions go.
#[derive(Clone, Debug)]
pub(crate) enum Lookups {
    /// To a thread.
    Beside(Asking),
    /// Nowhere: the writer looks itself.
    Here(RefusalMeasures),
}

/// Questions on their way to the thread that answers them. They are bounded by what writers take while some wait.
#[derive(Clone, Debug)]
pub(crate) struct Asking(Sender<Asked>);

impl Lookups {
    /// Starts the thread. It ends once nobody can ask any more.
    pub(crate) fn begin() -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, questions) = channel();
        let thread = thread::Builder::new().name("art-lookup".into()).spawn(move || answer(questions))?;
        Ok((Self::Beside(Asking(sender)), thread))
    }

    pub(crate) fn here() -> Self {
        Self::Here(RefusalMeasures::new())
    }

    pub(crate) fn ask(&self, lookup: Lookup) {
        match self {
            Self::Beside(Asking(sender)) => {
                lookup.shared.lookups.fetch_add(1, Ordering::AcqRel);
                // If there is nobody any more, that is the answer.
                let _ = sender.send(Asked(lookup));
            }
            Self::Here(measures) => lookup.settle(measures),
        }
    }
}

fn answer(questions: Receiver<Asked>) {
    yield_to_writers();
    let measures = RefusalMeasures::new();
    for asked in questions {
        // Closing waits for one walk through a device's blocks, not for all of them.
        if !asked.0.shared.inbox.is_closed() {
            asked.0.settle(&measures);
        }
    }
}
