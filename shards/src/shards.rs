//! All shards of a deployment.

use crate::{
    config::ShardsConfig,
    enrolment::Enrolment,
    error::{EnrolError, ShardError, SubmitError},
    inbox::{Answer, Control, Found, Refused},
    lane::Lane,
    limits::ENROLMENTS_MAX,
    log::{StoredTag, record_frame_bytes},
    lookup::Lookups,
    measures::Refusals,
    route::{CheckedBundle, Routed, SignedBundle},
    sealing::CutAnswer,
    shard::{self, Enrolled, Located, SealedBatch, Shared},
    ticket::{Ticket, Tickets},
    writer::Writer,
};
use arterial_protocol::{BlockNumber, DeviceId, ShardCount, ShardId, Tag, Write};
use arterial_storage::{Storage, run_promptly, yield_to_writers};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// One shard's progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardStatus {
    /// The shard.
    pub shard: ShardId,
    /// Devices enrolled.
    pub devices: usize,
    /// Writes that wait in its lanes, the most urgent first.
    pub queued_writes: [usize; Lane::ALL.len()],
    /// The lanes whose writes are taken no faster than blocks are made, as its backlog was nearly full at the newest seal.
    pub held_back: [bool; Lane::ALL.len()],
    /// Durable records that wait for a block.
    pub unsealed_records: usize,
    /// Its newest sealed block.
    pub sealed: BlockNumber,
    /// Bytes of a torn tail that were cut when it was opened.
    pub cut_bytes: u64,
    /// Whether it takes no more writes, as its log failed.
    pub poisoned: bool,
}

/// Threads that make batches beside each other: they wait for the disk more than they compute.
const SEALERS: usize = 2;

/// The write side: every shard, its writer and its log.
#[derive(Debug)]
pub struct Shards {
    count: ShardCount,
    shards: Vec<Arc<Shared>>,
    writers: Writers,
    /// What is said of writes before they are queued.
    refusals: Refusals,
}

/// Who does the writers' work.
#[derive(Debug)]
enum Writers {
    /// A thread each.
    Threads(Mutex<Vec<JoinHandle<()>>>),
    /// Whoever calls.
    Stepped(Vec<Mutex<Option<Writer>>>),
}

impl Shards {
    /// Opens every shard, replays its log and starts its writer.
    ///
    /// # Errors
    /// The first shard's that can't be opened.
    pub fn open(storage: &Arc<dyn Storage>, config: &ShardsConfig) -> Result<Self, ShardError> {
        let ids = prepare(storage, config)?;
        let failed = |what, path| move |source| ShardError::Io { what, path, source };
        let (lookups, answers) =
            Lookups::begin().map_err(failed("cannot start the lookups of", config.dir.clone()))?;
        let opened: Vec<Opened> = thread::scope(|scope| {
            let open = |id| {
                let lookups = lookups.clone();
                scope.spawn(move || open_shard(storage, config, id, lookups))
            };
            let threads: Vec<_> = ids.map(open).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(Err(ShardError::Closed)))
                .collect::<Result<_, _>>()
        })?;
        let mut shards = Vec::with_capacity(opened.len());
        // Writers end first, and then who answers them.
        let mut threads = Vec::with_capacity(opened.len() + 1);
        for (shared, writer) in opened {
            // Linux shows fifteen bytes of a name.
            let name = format!("art-shard-{}", shared.id);
            let spawned = thread::Builder::new().name(name).spawn(move || {
                run_promptly();
                writer.run();
            });
            threads.push(spawned.map_err(failed("cannot start the writer of", config.paths(shared.id).log))?);
            shards.push(shared);
        }
        threads.push(answers);
        Ok(Self {
            count: config.shards,
            shards,
            writers: Writers::Threads(Mutex::new(threads)),
            refusals: Refusals::new(),
        })
    }

    /// Opens every shard without a thread: [`Shards::step`] does the writers' work, so that everything happens in an
    /// order that the caller decides. Whoever asks for something else than a write does what it takes to answer.
    ///
    /// # Errors
    /// As for [`Shards::open`].
    pub fn open_stepped(storage: &Arc<dyn Storage>, config: &ShardsConfig) -> Result<Self, ShardError> {
        let (mut shards, mut writers) = (Vec::new(), Vec::new());
        for id in prepare(storage, config)? {
            let (shared, writer) = open_shard(storage, config, id, Lookups::here())?;
            shards.push(shared);
            writers.push(Mutex::new(Some(writer)));
        }
        Ok(Self {
            count: config.shards,
            shards,
            writers: Writers::Stepped(writers),
            refusals: Refusals::new(),
        })
    }

    /// Lets a shard that was opened stepped do one piece of the work that waits for it; whether there was any.
    pub fn step(&self, shard: ShardId) -> bool {
        match &self.writers {
            Writers::Threads(_) => false,
            Writers::Stepped(writers) => writers[shard.0 as usize].lock().as_mut().is_some_and(Writer::step),
        }
    }

    fn shard_of(&self, device: DeviceId) -> &Arc<Shared> {
        &self.shards[device.shard(self.count).0 as usize]
    }

    /// Submits a write; waits while its lane is full.
    ///
    /// # Errors
    /// What can be said at once; everything else comes with the ticket.
    pub fn submit(&self, lane: Lane, write: &Write<'_>, tag: Tag) -> Result<Ticket, SubmitError> {
        self.push(lane, write, tag, true).inspect_err(|error| self.refusals.count(error, 1))
    }

    /// Submits a write, or says [`SubmitError::Busy`] at once.
    ///
    /// # Errors
    /// What can be said at once; everything else comes with the ticket.
    pub fn try_submit(&self, lane: Lane, write: &Write<'_>, tag: Tag) -> Result<Ticket, SubmitError> {
        self.push(lane, write, tag, false).inspect_err(|error| self.refusals.count(error, 1))
    }

    fn push(&self, lane: Lane, write: &Write<'_>, tag: Tag, wait: bool) -> Result<Ticket, SubmitError> {
        write.validate()?;
        let (shard, tag) = (self.shard_of(write.device), StoredTag::Own(tag));
        let mut hand_over = shard.inbox.hand_over(lane);
        match hand_over.reserve(1, record_frame_bytes(write.payload.len(), &tag), wait) {
            Ok(group) => {
                let index = group.lay(write, &tag);
                Ok(Ticket { outcome: Arc::clone(group.outcome()), index })
            }
            Err(Refused::Full) => Err(SubmitError::Busy { shard: shard.id }),
            Err(Refused::Closed) => Err(SubmitError::Closed),
        }
    }

    /// Submits many writes, in order for each device; waits while lanes are full.
    pub fn submit_many(&self, lane: Lane, writes: &[(Write<'_>, Tag)]) -> Tickets {
        let routed = Routed::new(writes.iter().map(|(write, _)| write), self.count);
        self.count_refused(routed.submit(&self.shards, lane, writes))
    }

    /// Submits a gateway's bundle; waits while lanes are full. The signature is checked in this thread.
    ///
    /// # Errors
    /// Why no write of the bundle is accepted; what is said of single ones comes with the tickets.
    pub fn submit_bundle(&self, lane: Lane, bundle: &SignedBundle<'_>) -> Result<Tickets, SubmitError> {
        let checked = CheckedBundle::new(bundle)
            .inspect_err(|error| self.refusals.count(error, bundle.writes.len()))?;
        let routed = Routed::new(bundle.writes.iter(), self.count);
        Ok(self.count_refused(routed.submit_bundle(&self.shards, lane, &checked)))
    }

    fn count_refused(&self, tickets: Tickets) -> Tickets {
        tickets.refused.iter().for_each(|(_, error)| self.refusals.count(error, 1));
        tickets
    }

    /// Enrols devices, durably; the answers are in the order of the enrolments.
    pub fn enrol(&self, enrolments: &[Enrolment]) -> Vec<Result<Enrolled, EnrolError>> {
        let mut outcomes: Vec<Result<Enrolled, EnrolError>> =
            enrolments.iter().map(|_| Err(EnrolError::Closed)).collect();
        let mut parts: Vec<(Vec<usize>, Vec<Enrolment>)> =
            self.shards.iter().map(|_| Default::default()).collect();
        for (at, enrolment) in enrolments.iter().enumerate() {
            let part = &mut parts[enrolment.device.shard(self.count).0 as usize];
            part.0.push(at);
            part.1.push(*enrolment);
        }
        let mut waiting = Vec::new();
        for (shard, (indexes, enrolments)) in self.shards.iter().zip(parts) {
            for (indexes, enrolments) in indexes.chunks(ENROLMENTS_MAX).zip(enrolments.chunks(ENROLMENTS_MAX))
            {
                let asked = self.ask(shard, |answer| Control::Enrol(enrolments.to_vec(), answer));
                waiting.push((indexes.to_vec(), asked));
            }
        }
        for (indexes, asked) in waiting {
            for (at, outcome) in indexes.into_iter().zip(asked.recv().into_iter().flatten()) {
                outcomes[at] = outcome;
            }
        }
        outcomes
    }

    /// Asks a shard's writer something. One that went away drops the answer, which the receiver is told.
    fn ask<T>(&self, shard: &Shared, control: impl FnOnce(Answer<T>) -> Control) -> Receiver<T> {
        let (answer, receiver) = sync_channel(1);
        if shard.inbox.push_control(control(answer)).is_ok() && matches!(self.writers, Writers::Stepped(_)) {
            // Controls come before writes.
            self.step(shard.id);
        }
        receiver
    }

    /// Seals a block in every shard; one that is sealed already answers with what it sealed.
    ///
    /// After an error it can be called again with the same number: shards that had sealed answer the same.
    ///
    /// # Errors
    /// The first shard's.
    pub fn seal(&self, number: BlockNumber) -> Result<Vec<SealedBatch>, ShardError> {
        let cuts: Vec<_> =
            self.shards.iter().map(|shard| self.ask(shard, |answer| Control::Cut(number, answer))).collect();
        let cuts: Vec<CutAnswer> = cuts
            .into_iter()
            .map(|asked| asked.recv().unwrap_or(Err(ShardError::Closed)))
            .collect::<Result<_, _>>()?;
        if matches!(self.writers, Writers::Stepped(_)) {
            return self
                .shards
                .iter()
                .zip(&cuts)
                .map(|(shard, cut)| self.seal_shard(shard, number, cut))
                .collect();
        }
        let work: Vec<_> = self.shards.iter().zip(&cuts).collect();
        thread::scope(|scope| {
            let seal = |part: &[(&Arc<Shared>, &CutAnswer)]| -> Vec<_> {
                yield_to_writers();
                part.iter().map(|(shard, cut)| self.seal_shard(shard, number, cut)).collect()
            };
            let parts = work.chunks(work.len().div_ceil(SEALERS));
            let threads: Vec<_> = parts.map(|part| scope.spawn(move || seal(part))).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_else(|_| vec![Err(ShardError::Closed)]))
                .collect()
        })
    }

    /// The durability order of a seal: the cut in the log, sync; the batch's files, sync; the seal in the log, sync; and
    /// only then answer. A checkpoint follows, if one is due, and a crash before it costs no more than time.
    fn seal_shard(
        &self,
        shard: &Shared,
        number: BlockNumber,
        cut: &CutAnswer,
    ) -> Result<SealedBatch, ShardError> {
        let CutAnswer::Cut(cut) = cut else { return shard.sealed_batch(number) };
        let sealed = shard.write_batch(cut)?;
        let asked = self.ask(shard, |answer| Control::Seal(number, sealed.data, answer));
        asked.recv().unwrap_or(Err(ShardError::Closed))?;
        shard.write_checkpoint(cut);
        Ok(sealed)
    }

    /// A sealed block's batch of one shard.
    ///
    /// # Errors
    /// The shard has not sealed the block, or its file can't be read.
    pub fn batch(&self, shard: ShardId, number: BlockNumber) -> Result<SealedBatch, ShardError> {
        let shared = &self.shards[shard.0 as usize];
        let sealed = shared.sealed_number();
        if number > sealed {
            return Err(ShardError::SealOrder { shard, expected: sealed, got: number });
        }
        shared.sealed_batch(number)
    }

    /// Where a device's record is.
    ///
    /// # Errors
    /// There is no such device or record, or it can't be read.
    pub fn locate(&self, device: DeviceId, seq: u64) -> Result<Located, ShardError> {
        let shard = self.shard_of(device);
        let unknown = ShardError::UnknownRecord { device, seq };
        let Ok(number) = u32::try_from(seq) else { return Err(unknown) };
        shard.check_keys(device)?;
        let asked = self.ask(shard, |answer| Control::Find(device, number, answer));
        match asked.recv().unwrap_or(Err(ShardError::Closed))? {
            Found::Unsealed => Ok(Located::Unsealed),
            Found::SealedBy(block) => {
                let found = shard.find_sealed(device, number, block)?.ok_or(unknown)?;
                Ok(Located::Sealed(Box::new(found)))
            }
        }
    }

    /// Destroys a device's subject and MAC keys, for good: it can write no more, and its records can't be linked
    /// to what was committed any more. Every root, proof and receipt of others stays valid.
    ///
    /// # Errors
    /// There is no such device, or its key file can't be written.
    pub fn destroy_keys(&self, device: DeviceId) -> Result<(), ShardError> {
        let asked = self.ask(self.shard_of(device), |answer| Control::DestroyKeys(device, answer));
        asked.recv().unwrap_or(Err(ShardError::Closed))
    }

    /// Every shard's progress.
    #[must_use]
    pub fn status(&self) -> Vec<ShardStatus> {
        let status = |shard: &Arc<Shared>| ShardStatus {
            shard: shard.id,
            devices: shard.directory.read().devices().len(),
            queued_writes: shard.inbox.writes(),
            held_back: shard.inbox.held_back(),
            unsealed_records: shard.unsealed_records.load(Ordering::Acquire),
            sealed: shard.sealed_number(),
            cut_bytes: shard.cut_bytes,
            poisoned: shard.poisoned.load(Ordering::Acquire),
        };
        self.shards.iter().map(status).collect()
    }

    /// Durable records that wait for a block.
    #[must_use]
    pub fn unsealed_records(&self) -> usize {
        self.shards.iter().map(|shard| shard.unsealed_records.load(Ordering::Acquire)).sum()
    }

    /// Whether there is anything to put into a block, be it an enrolment.
    #[must_use]
    pub fn has_unsealed(&self) -> bool {
        self.shards.iter().any(|shard| shard.has_unsealed.load(Ordering::Acquire))
    }

    /// The newest block that any shard has sealed.
    #[must_use]
    pub fn newest_sealed(&self) -> BlockNumber {
        self.shards.iter().map(|shard| shard.sealed_number()).max().unwrap_or(BlockNumber::GENESIS)
    }

    /// The block with which everything that is durable now will be sealed; later writes don't move it.
    ///
    /// It can be one more than needed when it is asked amid a seal.
    ///
    /// # Errors
    /// A shard is closed.
    pub fn last_block_needed(&self) -> Result<BlockNumber, ShardError> {
        loop {
            let sealed = self.newest_sealed();
            let asked: Vec<_> =
                self.shards.iter().map(|shard| self.ask(shard, Control::SealsNeeded)).collect();
            let mut needed = 0;
            for asked in asked {
                needed = needed.max(asked.recv().map_err(|_| ShardError::Closed)?);
            }
            // A shard that sealed meanwhile counted from there.
            if self.newest_sealed() == sealed {
                return Ok(BlockNumber(sealed.0 + needed));
            }
        }
    }

    /// Takes nothing more, works off what is queued, and ends the writers. Writes that the backlog has no room for, and
    /// repeats that are still looked up, are answered with [`SubmitError::Closed`].
    pub fn close(&self) {
        for shard in &self.shards {
            shard.inbox.close();
        }
        match &self.writers {
            Writers::Threads(threads) => {
                for thread in threads.lock().drain(..) {
                    if thread.join().is_err() {
                        tracing::error!("a thread of the shards panicked");
                    }
                }
            }
            Writers::Stepped(writers) => {
                for writer in writers {
                    if let Some(writer) = writer.lock().take() {
                        writer.run();
                    }
                }
            }
        }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.close();
    }
}

type Opened = (Arc<Shared>, Writer);

/// Checks the configuration and makes what all shards share; the shards to open.
fn prepare(
    storage: &Arc<dyn Storage>,
    config: &ShardsConfig,
) -> Result<impl Iterator<Item = ShardId> + use<>, ShardError> {
    config.check()?;
    let keys = config.dir.join("keys");
    storage.create_dir(&keys).map_err(|source| ShardError::Io {
        what: "cannot make directory",
        path: keys,
        source,
    })?;
    Ok(config.shards.iter())
}

fn open_shard(
    storage: &Arc<dyn Storage>,
    config: &ShardsConfig,
    id: ShardId,
    lookups: Lookups,
) -> Result<Opened, ShardError> {
    shard::open(Arc::clone(storage), config.paths(id), config.setup(id, lookups))
}
