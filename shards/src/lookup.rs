//! Writes that were made before: whether they were accepted, and where.
//!
//! What is in no block yet, the writer knows. The rest is looked up in the device's blocks, from the newest back: that
//! reads a file for each of them, so a thread beside the writers does it, and none of their acknowledgements waits for a
//! device whose counter has stepped back by years.

use crate::{
    background,
    error::{ShardError, SubmitError},
    limits::LOOKUPS_MAX,
    log::LogPosition,
    measures::RefusalMeasures,
    shard::{Ack, Shared},
    ticket::{Answer, Exception, Promise},
};
use arterial_protocol::{DeviceId, Digest, Link, ShardId};
use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
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
}

impl Lookup {
    fn answer(&self) -> Answer {
        let accepted = self.find().map_err(Arc::new)?;
        self.write.answer(self.shared.id, accepted)
    }

    fn find(&self) -> Result<Option<(Digest, LogPosition)>, ShardError> {
        let Self { shared, write, last_block } = self;
        let Some((_, position)) = shared.sealed.find(write.slot, write.link.seq, *last_block)? else {
            return Ok(None);
        };
        let digest = shared.read_record(position, |_, record| Ok(record.digest))?;
        Ok(Some((digest, position)))
    }
}

/// A question, and who waits for its answer.
#[derive(Debug)]
struct Asked {
    lookup: Lookup,
    answer: Arc<Promise<Answer>>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.answer.settle(Err(SubmitError::Closed));
    }
}

/// Where a writer's questions go.
#[derive(Clone, Debug)]
pub(crate) enum Lookups {
    /// To a thread.
    Beside(Asking),
    /// Nowhere: the writer looks itself.
    Here,
}

/// Questions on their way to the thread that answers them.
#[derive(Clone, Debug)]
pub(crate) struct Asking(SyncSender<Asked>);

impl Lookups {
    /// Starts the thread. It ends once nobody can ask any more.
    pub(crate) fn begin() -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, questions) = sync_channel(LOOKUPS_MAX);
        let thread = thread::Builder::new().name("art-lookup".into()).spawn(move || answer(questions))?;
        Ok((Self::Beside(Asking(sender)), thread))
    }

    pub(crate) fn ask(&self, lookup: Lookup) -> Exception {
        let Self::Beside(Asking(sender)) = self else { return Exception::Said(lookup.answer()) };
        let shard = lookup.shared.id;
        let answer = Arc::default();
        match sender.try_send(Asked { lookup, answer: Arc::clone(&answer) }) {
            Ok(()) => Exception::Sought(answer),
            Err(TrySendError::Full(_)) => Exception::Said(Err(SubmitError::Busy { shard })),
            Err(TrySendError::Disconnected(_)) => Exception::Said(Err(SubmitError::Closed)),
        }
    }
}

fn answer(questions: Receiver<Asked>) {
    background::yield_to_writers();
    let measures = RefusalMeasures::new();
    for asked in questions {
        // Closing waits for one walk through a device's blocks, not for all of them.
        if !asked.lookup.shared.inbox.is_closed() {
            let answer = asked.lookup.answer();
            measures.count(&answer);
            asked.answer.settle(answer);
        }
    }
}
