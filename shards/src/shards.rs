//! All shards of a deployment.

use crate::{
    authenticate::SignedWrite,
    config::ShardsConfig,
    enrolment::Enrolment,
    error::{EnrolError, ShardError, SubmitError},
    limits::{ENROLMENTS_MAX, GROUP_BYTES_MAX, GROUP_WRITES_MAX},
    log::record_frame_bytes_max,
    queue::{Control, Refused, Reply, Request},
    shard::{self, Ack, Enrolled, Located, SealedBatch, Shared},
    ticket::{Answer, Ticket, Tickets, ticket},
};
use arterial_protocol::{BlockNumber, DeviceId, ShardCount, ShardId, Tag, Write};
use arterial_storage::Storage;
use parking_lot::Mutex;
use std::{
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
};

/// One shard's progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardStatus {
    /// The shard.
    pub shard: ShardId,
    /// Devices enrolled.
    pub devices: usize,
    /// Writes that wait in its queue.
    pub queued_writes: usize,
    /// Durable records that wait for a block.
    pub unsealed_records: usize,
    /// Its newest sealed block.
    pub sealed: BlockNumber,
    /// Bytes of a torn tail that were cut when it was opened.
    pub cut_bytes: u64,
}

/// The write side: every shard, its writer thread and its log.
#[derive(Debug)]
pub struct Shards {
    count: ShardCount,
    shards: Vec<Arc<Shared>>,
    writers: Mutex<Vec<JoinHandle<()>>>,
}

impl Shards {
    /// Opens every shard, replays its log and starts its writer.
    ///
    /// # Errors
    /// The first shard's that can't be opened.
    pub fn open(storage: &Arc<dyn Storage>, config: &ShardsConfig) -> Result<Self, ShardError> {
        config.check()?;
        let keys = config.dir.join("keys");
        storage.create_dir(&keys).map_err(|source| ShardError::Io {
            what: "cannot make directory",
            path: keys,
            source,
        })?;
        let opened: Vec<_> = thread::scope(|scope| {
            let open = |id| {
                let paths = config.paths(id);
                let storage = Arc::clone(storage);
                scope.spawn(move || {
                    shard::open(
                        storage,
                        &paths,
                        config.domain,
                        id,
                        config.segment_bytes,
                        config.queue_writes_max,
                    )
                })
            };
            let threads: Vec<_> = config.shards.iter().map(open).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(Err(ShardError::Closed))).collect()
        });
        let opened: Vec<_> = opened.into_iter().collect::<Result<_, _>>()?;
        let mut shards = Vec::with_capacity(opened.len());
        let mut writers = Vec::with_capacity(opened.len());
        for (shared, writer) in opened {
            let name = format!("arterial-shard-{}", shared.id);
            let spawned = thread::Builder::new().name(name).spawn(move || writer.run());
            writers.push(spawned.map_err(|source| ShardError::Io {
                what: "cannot start the writer of",
                path: config.paths(shared.id).log,
                source,
            })?);
            shards.push(shared);
        }
        Ok(Self { count: config.shards, shards, writers: Mutex::new(writers) })
    }

    fn shard_of(&self, device: DeviceId) -> &Arc<Shared> {
        &self.shards[device.shard(self.count).0 as usize]
    }

    /// Submits a write; waits while the shard's queue is full.
    ///
    /// # Errors
    /// What can be said at once; everything else comes with the ticket.
    pub fn submit(
        &self,
        write: &Write<'_>,
        tag: Tag,
    ) -> Result<Ticket<Result<Ack, SubmitError>>, SubmitError> {
        self.push(write, tag, true)
    }

    /// Submits a write, or says [`SubmitError::Busy`] at once.
    ///
    /// # Errors
    /// What can be said at once; everything else comes with the ticket.
    pub fn try_submit(
        &self,
        write: &Write<'_>,
        tag: Tag,
    ) -> Result<Ticket<Result<Ack, SubmitError>>, SubmitError> {
        self.push(write, tag, false)
    }

    fn push(
        &self,
        write: &Write<'_>,
        tag: Tag,
        wait: bool,
    ) -> Result<Ticket<Result<Ack, SubmitError>>, SubmitError> {
        write.validate()?;
        let shard = self.shard_of(write.device);
        let (answer, ticket) = ticket();
        let request = Request { writes: vec![SignedWrite::new(write, tag)], reply: Reply::One(answer) };
        match shard.queue.push(request, wait) {
            Ok(()) => Ok(ticket),
            Err(Refused::Full) => Err(SubmitError::Busy { shard: shard.id }),
            Err(Refused::Closed) => Err(SubmitError::Closed),
        }
    }

    /// Submits many writes, in order for each device; waits while queues are full.
    pub fn submit_many(&self, writes: &[(Write<'_>, Tag)]) -> Tickets {
        let mut tickets = Tickets { writes: writes.len(), parts: Vec::new(), refused: Vec::new() };
        let mut parts: Vec<Part> = self.shards.iter().map(|_| Part::default()).collect();
        for (at, (write, tag)) in writes.iter().enumerate() {
            if let Err(error) = write.validate() {
                tickets.refused.push((at, error.into()));
                continue;
            }
            let shard = write.device.shard(self.count);
            let part = &mut parts[shard.0 as usize];
            let bytes = record_frame_bytes_max(write.payload.len());
            if part.writes.len() == GROUP_WRITES_MAX / 4 || part.bytes + bytes > GROUP_BYTES_MAX / 4 {
                self.push_part(shard, std::mem::take(part), &mut tickets);
            }
            part.indexes.push(at);
            part.bytes += bytes;
            part.writes.push(SignedWrite::new(write, *tag));
        }
        for (shard, part) in self.count.iter().zip(parts) {
            self.push_part(shard, part, &mut tickets);
        }
        tickets
    }

    fn push_part(&self, shard: ShardId, part: Part, tickets: &mut Tickets) {
        if part.writes.is_empty() {
            return;
        }
        let (answer, ticket) = ticket();
        let request = Request { writes: part.writes, reply: Reply::Many(answer) };
        // A closed queue drops the answer, which the ticket says as `Closed`.
        let _ = self.shards[shard.0 as usize].queue.push(request, true);
        tickets.parts.push((part.indexes, ticket));
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
                let (answer, ticket) = ticket();
                let _ = shard.queue.push_control(Control::Enrol(enrolments.to_vec(), answer));
                waiting.push((indexes.to_vec(), ticket));
            }
        }
        for (indexes, ticket) in waiting {
            for (at, outcome) in indexes.into_iter().zip(ticket.wait_raw().into_iter().flatten()) {
                outcomes[at] = outcome;
            }
        }
        outcomes
    }

    /// Asks every shard something and waits for all answers, in order of the shards.
    fn ask_all<T>(
        &self,
        control: impl Fn(Answer<Result<T, ShardError>>) -> Control,
    ) -> Result<Vec<T>, ShardError> {
        let asked: Vec<_> = self.shards.iter().map(|shard| ask(shard, &control)).collect();
        asked.into_iter().map(|ticket| ticket.wait_raw().unwrap_or(Err(ShardError::Closed))).collect()
    }

    /// Seals a block in every shard; one that is sealed already answers with what it sealed.
    ///
    /// After an error it can be called again with the same number: shards that had sealed answer the same.
    ///
    /// # Errors
    /// The first shard's.
    pub fn seal(&self, number: BlockNumber) -> Result<Vec<SealedBatch>, ShardError> {
        self.ask_all(|answer| Control::Seal(number, answer))
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
        if let Some(found) = shard.find_sealed(device, number)? {
            return Ok(Located::Sealed(found));
        }
        let (answer, ticket) = ticket();
        let _ = shard.queue.push_control(Control::IsUnsealed(device, number, answer));
        if ticket.wait_raw().ok_or(ShardError::Closed)? {
            return Ok(Located::Unsealed);
        }
        // It may have been sealed between the two questions.
        shard.find_sealed(device, number)?.map(Located::Sealed).ok_or(unknown)
    }

    /// Destroys a device's subject and MAC keys, for good: it can write no more, and its records can't be linked
    /// to what was committed any more. Every root, proof and receipt of others stays valid.
    ///
    /// # Errors
    /// There is no such device, or its key file can't be written.
    pub fn destroy_keys(&self, device: DeviceId) -> Result<(), ShardError> {
        let ticket = ask(self.shard_of(device), |answer| Control::DestroyKeys(device, answer));
        ticket.wait_raw().unwrap_or(Err(ShardError::Closed))
    }

    /// Every shard's progress.
    #[must_use]
    pub fn status(&self) -> Vec<ShardStatus> {
        let status = |shard: &Arc<Shared>| ShardStatus {
            shard: shard.id,
            devices: shard.directory.read().devices().len(),
            queued_writes: shard.queue.writes(),
            unsealed_records: shard.unsealed_records.load(Ordering::Acquire),
            sealed: shard.sealed_number(),
            cut_bytes: shard.cut_bytes,
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
            let asked: Vec<_> = self.shards.iter().map(|shard| ask(shard, Control::SealsNeeded)).collect();
            let mut needed = 0;
            for ticket in asked {
                needed = needed.max(ticket.wait_raw().ok_or(ShardError::Closed)?);
            }
            // A shard that sealed meanwhile counted from there.
            if self.newest_sealed() == sealed {
                return Ok(BlockNumber(sealed.0 + needed));
            }
        }
    }

    /// Takes nothing more, works off what is queued, and ends the writers.
    pub fn close(&self) {
        for shard in &self.shards {
            shard.queue.close();
        }
        for writer in self.writers.lock().drain(..) {
            if writer.join().is_err() {
                tracing::error!("a shard's writer panicked");
            }
        }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.close();
    }
}

/// What goes to one shard in one request.
#[derive(Default)]
struct Part {
    indexes: Vec<usize>,
    writes: Vec<SignedWrite>,
    bytes: usize,
}

fn ask<T>(shard: &Shared, control: impl Fn(Answer<T>) -> Control) -> Ticket<T> {
    let (answer, ticket) = ticket();
    // A closed queue drops the answer, which the ticket says.
    let _ = shard.queue.push_control(control(answer));
    ticket
}
