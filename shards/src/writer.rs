//! A shard's writer: the one thread that appends to its log.

use crate::{
    accounts::{Accounts, Device, Unsealed},
    authenticate::{SignedWrite, authenticate},
    enrolment::{DeviceKey, Enrolment},
    error::{EnrolError, ShardError, SubmitError},
    keys::{DeviceKeys, KeyStore},
    limits::BACKLOG_RECORDS_MAX,
    log::{Frame, LogPosition, LogWriter, StoredRecord, record_frame_bytes_max},
    queue::{Control, Reply, Request, Work},
    shard::{Ack, Enrolled, SealedBatch, Shared},
};
use arterial_protocol::{BlockNumber, DeviceId, Record, Salt, digest, limits::SLOTS_END};
use ed25519_zebra::VerificationKey;
use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: LogWriter,
    pub(crate) accounts: Accounts,
    pub(crate) keys: KeyStore,
    /// The canonical record that is being hashed.
    pub(crate) canonical: Vec<u8>,
    /// Why no more writes are taken, once an append or a sync has failed.
    pub(crate) poisoned: Option<String>,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            // A backlog at its limit stops the writes, not the seals that work it off.
            let take_writes = self.accounts.unsealed_records() < BACKLOG_RECORDS_MAX;
            match self.shared.queue.take(take_writes) {
                Work::Group(requests) => self.commit_group(requests),
                Work::Control(control) => self.control(control),
                Work::Done => return,
            }
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Enrol(enrolments, answer) => {
                let outcomes = self.enrol(&enrolments);
                self.publish();
                answer.send(outcomes);
            }
            Control::Seal(number, answer) => {
                let sealed = self.seal(number);
                self.publish();
                answer.send(sealed);
            }
            Control::DestroyKeys(device, answer) => answer.send(self.destroy_keys(device)),
            Control::SealsNeeded(answer) => answer.send(self.accounts.seals_needed()),
            Control::IsUnsealed(device, seq, answer) => {
                let slot = self.shared.directory.read().slot(device);
                answer.send(slot.is_some_and(|slot| self.accounts.find_unsealed(slot, seq).is_some()));
            }
        }
    }

    /// Says what waits for a block; before the answer, so that whoever has it finds it so.
    fn publish(&self) {
        self.shared.unsealed_records.store(self.accounts.unsealed_records(), Ordering::Release);
        self.shared.has_unsealed.store(self.accounts.has_unsealed(), Ordering::Release);
    }

    fn check_poison(&self) -> Result<(), ShardError> {
        match &self.poisoned {
            Some(reason) => Err(ShardError::Poisoned { shard: self.shared.id, reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Syncs what was pushed; after a failure the shard takes no more.
    fn commit(&mut self) -> Result<(), ShardError> {
        let (bytes, begun) = (self.log.group_bytes(), Instant::now());
        let committed: io::Result<()> = self.log.commit();
        metrics::histogram!("arterial_commit_seconds").record(begun.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a metric")]
        metrics::histogram!("arterial_commit_bytes").record(bytes as f64);
        committed.or_else(|error| {
            tracing::error!(shard = %self.shared.id, %error, "the log can't be made durable: no more writes are taken");
            self.poisoned = Some(error.to_string());
            self.check_poison()
        })
    }

    /// The durability order of writes: check, append, sync, and only then answer.
    fn commit_group(&mut self, requests: Vec<Request>) {
        let writes: Vec<&SignedWrite> = requests.iter().flat_map(|request| &request.writes).collect();
        let bytes = writes.iter().map(|write| record_frame_bytes_max(write.payload.len())).sum();
        let ready = self.check_poison().and_then(|()| self.log.reserve(bytes)).map_err(Arc::new);
        let mut outcomes = match ready {
            Ok(()) => self.admit_all(&writes),
            Err(error) => refuse(writes.len(), &error),
        };
        if let Err(error) = self.commit() {
            outcomes = refuse(writes.len(), &Arc::new(error));
        }
        let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        metrics::counter!("arterial_writes_durable_total").increment(accepted as u64);
        metrics::counter!("arterial_writes_refused_total").increment((outcomes.len() - accepted) as u64);
        self.publish();
        answer(requests, outcomes);
    }

    fn admit_all(&mut self, writes: &[&SignedWrite]) -> Vec<Result<Ack, SubmitError>> {
        let shared = Arc::clone(&self.shared);
        let directory = shared.directory.read();
        let slots = authenticate(writes.iter().copied(), &directory);
        writes
            .iter()
            .zip(slots)
            .map(|(write, slot)| slot.and_then(|slot| self.admit(write, slot, directory.device(slot))))
            .collect()
    }

    /// Accepts one authentic write, or finds out that it was accepted before.
    fn admit(&mut self, signed: &SignedWrite, slot: u32, device: &Device) -> Result<Ack, SubmitError> {
        let write = signed.write();
        let keys = device.keys.ok_or(SubmitError::KeysDestroyed { device: device.id })?;
        let salt = Salt::derive(&keys.subject, write.device, write.seq);
        Record::encode(salt, &write, &mut self.canonical)?;
        let record = StoredRecord { digest: digest(&self.canonical), write, tag: (&signed.tag).into() };
        let link = record.link();
        let ack = |position, repeated| Ack { shard: self.shared.id, position, repeated };
        let next_seq = self.accounts.next_seq(slot);
        if link.seq >= next_seq {
            let position = self.log.push(&Frame::Record { slot, record });
            self.accounts.accept(slot, Unsealed { link, position });
            return Ok(ack(position, false));
        }
        let (accepted, position) =
            self.find_accepted(slot, link.seq, device.last_block)
                .map_err(Arc::new)?
                .ok_or(SubmitError::SeqRegressed { device: device.id, next_seq, got: write.seq })?;
        if accepted == link.digest {
            return Ok(ack(position, true));
        }
        tracing::warn!(device = %device.id, seq = write.seq, %accepted, refused = %link.digest, "equivocation");
        metrics::counter!("arterial_equivocations_total").increment(1);
        Err(SubmitError::Equivocation {
            device: device.id,
            seq: write.seq,
            accepted,
            position,
            refused: link.digest,
        })
    }

    fn find_accepted(
        &self,
        slot: u32,
        seq: u32,
        last_block: u64,
    ) -> Result<Option<(arterial_protocol::Digest, LogPosition)>, ShardError> {
        if let Some(unsealed) = self.accounts.find_unsealed(slot, seq) {
            return Ok(Some((unsealed.link.digest, unsealed.position)));
        }
        let Some((_, position)) = self.shared.sealed.find(slot, seq, last_block)? else { return Ok(None) };
        let digest = self.shared.read_record(position, |_, record| Ok(record.digest))?;
        Ok(Some((digest, position)))
    }

    fn enrol(&mut self, enrolments: &[Enrolment]) -> Vec<Result<Enrolled, EnrolError>> {
        let mut outcomes = Vec::with_capacity(enrolments.len());
        let mut new: Vec<Device> = Vec::new();
        for enrolment in enrolments {
            outcomes.push(self.plan_enrolment(enrolment, &mut new));
        }
        if let Err(error) = self.add_devices(&new).map_err(Arc::new) {
            let failed = || Err(EnrolError::Shard(Arc::clone(&error)));
            return enrolments.iter().map(|_| failed()).collect();
        }
        outcomes
    }

    /// Whether a device can be enrolled, or is already; `new` collects those that are to be.
    fn plan_enrolment(&self, enrolment: &Enrolment, new: &mut Vec<Device>) -> Result<Enrolled, EnrolError> {
        let (device, shard) = (enrolment.device, self.shared.id);
        let credential = enrolment.key.credential();
        let directory = self.shared.directory.read();
        let known =
            directory.slot(device).map(|slot| (slot, directory.device(slot).credential)).or_else(|| {
                let at = (directory.next_slot()..).zip(&*new).find(|(_, planned)| planned.id == device);
                at.map(|(slot, planned)| (slot, planned.credential))
            });
        if let Some((slot, known)) = known {
            let same = known == credential;
            return if same {
                Ok(Enrolled { shard, slot })
            } else {
                Err(EnrolError::AlreadyEnrolled { device })
            };
        }
        if let DeviceKey::Ed25519(key) = enrolment.key {
            VerificationKey::try_from(key).map_err(|_| EnrolError::InvalidKey { device })?;
        }
        let slot =
            (directory.next_slot()..SLOTS_END).nth(new.len()).ok_or(EnrolError::ShardFull { shard })?;
        let subject = enrolment.subject_key.unwrap_or_else(rand::random);
        let mac = match enrolment.key {
            DeviceKey::Mac(key) => Some(key),
            DeviceKey::Ed25519(_) => None,
        };
        new.push(Device { id: device, credential, keys: Some(DeviceKeys { subject, mac }), last_block: 0 });
        Ok(Enrolled { shard, slot })
    }

    /// The durability order of enrolments: keys, sync, append, sync, and only then answer.
    fn add_devices(&mut self, new: &[Device]) -> Result<(), ShardError> {
        if new.is_empty() {
            return Ok(());
        }
        self.check_poison()?;
        self.log.reserve(new.len() * record_frame_bytes_max(0))?;
        let first_slot = self.shared.directory.read().next_slot();
        let entries: Vec<(DeviceId, DeviceKeys)> =
            new.iter().filter_map(|device| device.keys.map(|keys| (device.id, keys))).collect();
        self.keys.put(first_slot, &entries)?;
        for (slot, device) in (first_slot..).zip(new) {
            self.log.push(&Frame::Enrolment { slot, device: device.id, credential: device.credential });
        }
        self.commit()?;
        let mut directory = self.shared.directory.write();
        for device in new {
            directory.add(*device);
            self.accounts.enrol();
        }
        Ok(())
    }

    /// The durability order of a seal: the batch's files, sync, the seal in the log, sync, and only then answer.
    fn seal(&mut self, number: BlockNumber) -> Result<SealedBatch, ShardError> {
        let sealed = self.accounts.sealed();
        if number <= sealed {
            return self.shared.sealed_batch(number);
        }
        if number != sealed.next() {
            return Err(ShardError::SealOrder {
                shard: self.shared.id,
                expected: sealed.next(),
                got: number,
            });
        }
        self.check_poison()?;
        let shard = self.shared.id;
        let sealing = self
            .accounts
            .sealing(shard, &self.shared.directory.read())
            .map_err(|source| ShardError::Batch { shard, source })?;
        let data = if sealing.batch.is_empty() { None } else { Some(self.shared.sealed.write(&sealing)?) };
        self.log.reserve(record_frame_bytes_max(0))?;
        self.log.push(&Frame::Seal { number, data: data.unwrap_or_default() });
        self.commit()?;
        self.accounts.seal(&mut self.shared.directory.write());
        self.shared.sealed_number.store(number.0, Ordering::Release);
        Ok(SealedBatch { batch: Arc::new(sealing.batch), data })
    }

    fn destroy_keys(&mut self, device: DeviceId) -> Result<(), ShardError> {
        let mut directory = self.shared.directory.write();
        let slot = directory.slot(device).ok_or(ShardError::UnknownDevice { device })?;
        self.keys.destroy(slot, device)?;
        directory.device_mut(slot).keys = None;
        Ok(())
    }
}

fn refuse(writes: usize, error: &Arc<ShardError>) -> Vec<Result<Ack, SubmitError>> {
    (0..writes).map(|_| Err(SubmitError::Shard(Arc::clone(error)))).collect()
}

fn answer(requests: Vec<Request>, outcomes: Vec<Result<Ack, SubmitError>>) {
    let mut outcomes = outcomes.into_iter();
    for request in requests {
        match request.reply {
            Reply::One(answer) => answer.send(outcomes.next().unwrap_or(Err(SubmitError::Closed))),
            Reply::Many(answer) => answer.send(outcomes.by_ref().take(request.writes.len()).collect()),
        }
    }
}
