//! A shard's writer: the one that appends to its log.

use crate::{
    accounts::Accounts,
    check::{BUNDLE, Checks, REFUSED},
    checkpoint::Checkpoint,
    directory::Device,
    enrolment::{DeviceKey, Enrolment},
    error::{EnrolError, ShardError},
    group::{BundlePart, Bundled, Group},
    hash,
    inbox::{Control, Found, Work},
    keys::{DeviceKeys, KeyStore},
    lane::Lane,
    limits::{GROUP_BYTES_MAX, backlog_records_of, lookups_of},
    log::{BundleFrame, Frame, LogPosition, LogWriter, RefusedMember, finish, set_slot},
    lookup::{Lookup, Lookups, OldWrite},
    measures::GroupMeasures,
    pace::Pace,
    sealing::CutAnswer,
    shard::{Enrolled, Shared},
    ticket::{Exception, Settled},
};
use arterial_protocol::{BlockNumber, DataDigest, DeviceId, Link, limits::SLOTS_END};
use ed25519_zebra::VerificationKey;
use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: LogWriter,
    pub(crate) accounts: Accounts,
    pub(crate) keys: KeyStore,
    /// Findings about groups, kept for their memory: one more while alarms overtake.
    pub(crate) checks: Vec<Checks>,
    /// Where the log stood at the newest checkpoint.
    pub(crate) checkpoint: LogPosition,
    /// Bytes of log from one to the next.
    pub(crate) checkpoint_log_bytes: u64,
    /// Records that may wait for a block.
    pub(crate) backlog_records_max: usize,
    /// How fast that room is given out; stepped, at once: whoever steps owns the time.
    pub(crate) pace: Option<Pace>,
    /// Why no more writes are taken, once an append or a sync has failed.
    pub(crate) poisoned: Option<String>,
    /// Who is asked about writes that are older than what waits for a block.
    pub(crate) lookups: Lookups,
    pub(crate) measures: GroupMeasures,
}

/// What to do with the entries of a group, decided and not done.
struct Plan {
    /// Where each entry goes; an entry that does not stand goes nowhere.
    offsets: Vec<u32>,
    /// Bundles' frames as they are now that some of their members are refused.
    bundles: Vec<Vec<u8>>,
    exceptions: Vec<(u32, Exception)>,
    /// What is asked about some of those, once the others are durable.
    lookups: Vec<Lookup>,
}

impl Writer {
    /// Works until the inbox is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            let lanes = self.lanes_taken();
            let Some(work) = self.take(lanes) else { continue };
            // If it was closed meanwhile, it takes lanes that it did not take before.
            let is_more = matches!(work, Work::Done) && self.lanes_taken() > lanes;
            if !is_more && !self.work(work) {
                return;
            }
        }
    }

    /// Waits for work; writes of these lanes only, as far as they are due. `None` once more of them are.
    pub(crate) fn take(&mut self, lanes: usize) -> Option<Work> {
        let (due, wait_until) = self.lanes_due(lanes);
        self.shared.inbox.take(due, wait_until)
    }

    /// Does one piece of work, if there is any.
    pub(crate) fn step(&mut self) -> bool {
        let work = self.shared.inbox.try_take(self.lanes_taken());
        work.is_some_and(|work| self.work(work))
    }

    /// How many lanes are taken from, the most urgent first. A backlog at its limit stops the writes, not the seals that
    /// work it off, and so do old writes that are still to be looked up, unless nobody waits for that any more.
    fn lanes_taken(&self) -> usize {
        let (backlog, max) = (self.accounts.unsealed_records(), self.backlog_records_max);
        let lookups = self.shared.lookups.load(Ordering::Acquire);
        let is_taken = |lane: &Lane| {
            backlog < backlog_records_of(*lane, max)
                && (lookups < lookups_of(*lane) || self.shared.inbox.is_closed())
        };
        Lane::ALL.into_iter().filter(is_taken).count()
    }

    /// How many of these lanes are taken from by now, and when there are more. The alarms always are, so that a closed inbox
    /// hands on every lane at once.
    fn lanes_due(&self, lanes: usize) -> (usize, Option<Instant>) {
        let Some(pace) = &self.pace else { return (lanes, None) };
        let (backlog, now) = (self.accounts.unsealed_records(), Instant::now());
        let due = |lane: &Lane| pace.due(*lane, backlog).filter(|due| *due > now);
        let held_back = Lane::ALL[..lanes].iter().zip(0..).find_map(|(lane, at)| Some((at, due(lane)?)));
        held_back.map_or((lanes, None), |(at, due)| (at, Some(due)))
    }

    fn work(&mut self, work: Work) -> bool {
        match work {
            Work::Group(lane, group) => self.commit_group(lane, group),
            Work::Control(control) => self.control(control),
            Work::Done => return false,
        }
        true
    }

    /// Nobody waits any more for an answer that can't be sent.
    fn control(&mut self, control: Control) {
        match control {
            Control::Enrol(enrolments, answer) => {
                let outcomes = self.enrol(&enrolments);
                self.publish();
                let _ = answer.send(outcomes);
            }
            Control::Cut(number, answer) => {
                let cut = self.cut(number);
                self.publish();
                let _ = answer.send(cut);
            }
            Control::Seal(number, data, answer) => {
                let sealed = self.seal(number, data);
                self.publish();
                let _ = answer.send(sealed);
            }
            Control::DestroyKeys(device, answer) => _ = answer.send(self.destroy_keys(device)),
            Control::SealsNeeded(answer) => _ = answer.send(self.accounts.seals_needed()),
            Control::LookAgain => {}
            Control::Find(device, seq, answer) => _ = answer.send(self.find(device, seq)),
        }
    }

    fn find(&self, device: DeviceId, seq: u32) -> Result<Found, ShardError> {
        let slot = self.shared.directory.read().slot(device).ok_or(ShardError::UnknownDevice { device })?;
        if self.accounts.find_unsealed(slot, seq).is_none() {
            return Ok(Found::SealedBy(self.accounts.last_sealed(slot)));
        }
        // It may be of the group that could not be made durable.
        self.check_poison()?;
        Ok(Found::Unsealed)
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

    /// Looks at what became of an append; after a failure the shard takes no more.
    fn committed(&mut self, committed: io::Result<()>) -> Result<(), ShardError> {
        committed.or_else(|error| {
            tracing::error!(shard = %self.shared.id, %error, "the log can't be made durable: no more writes are taken");
            self.poisoned = Some(error.to_string());
            self.shared.poisoned.store(true, Ordering::Release);
            self.check_poison()
        })
    }

    /// The durability order of writes: check, complete, append, sync, and only then answer.
    fn commit_group(&mut self, lane: Lane, mut group: Group) {
        let (begun, writes, bytes) = (Instant::now(), group.offsets.len(), group.bytes.len());
        let mut checks = self.checks.pop().unwrap_or_default();
        let shared = Arc::clone(&self.shared);
        // Only this thread takes the lock for writing, so taking it twice for reading does not block.
        let directory = shared.directory.read();
        checks.look_up(&group, &directory);
        checks.verify_signatures(&group, &directory, || {
            // One group at a time: a flood of alarms must neither keep this one waiting nor fill the backlog.
            if lane != Lane::Alarm
                && self.lanes_taken() > 0
                && let Some(alarms) = shared.inbox.take_alarms()
            {
                self.commit_group(Lane::Alarm, alarms);
            }
        });
        hash::complete(&mut group, &mut checks, &directory);
        drop(directory);
        let settled = match self.append_group(&mut group, &mut checks) {
            Ok(settled) => settled,
            Err(error) => Settled::Refused(Arc::new(error)),
        };
        self.checks.push(checks);
        self.publish();
        self.measures.settles(lane, &group, &settled);
        shared.inbox.give_back(group.settle(settled));
        // Alarms are never held back.
        if let Some(pace) = &mut self.pace
            && lane != Lane::Alarm
        {
            pace.committed(writes, bytes, begun.elapsed());
        }
    }

    fn append_group(&mut self, group: &mut Group, checks: &mut Checks) -> Result<Settled, ShardError> {
        self.check_poison()?;
        // Bundles' frames grow by less than their refused members leave free.
        self.log.reserve(group.bytes.len())?;
        let base = self.log.end();
        let Plan { offsets, bundles, exceptions, lookups } = self.plan(group, checks, base);
        lay_out(group, checks, &offsets, &bundles, base);
        let committed = self.log.commit(&mut group.bytes);
        self.committed(committed)?;
        for lookup in lookups {
            self.lookups.ask(lookup);
        }
        Ok(Settled::Durable { shard: self.shared.id, base, offsets, exceptions })
    }

    /// Accepts what stands and follows on what was accepted before, and says where it goes.
    #[expect(clippy::cast_possible_truncation, reason = "a group is at most GROUP_BYTES_MAX long")]
    fn plan(&mut self, group: &Group, checks: &mut Checks, base: LogPosition) -> Plan {
        let mut plan = Plan {
            offsets: Vec::with_capacity(group.offsets.len()),
            bundles: Vec::new(),
            exceptions: Vec::new(),
            lookups: Vec::new(),
        };
        let (mut end, mut bundled) = (0, group.bundles.iter());
        for (index, entry) in (0..group.offsets.len()).zip(0u32..) {
            plan.offsets.push(end as u32);
            match checks.slots[index] {
                REFUSED => {}
                BUNDLE => {
                    let bundled = bundled.next().expect("each bundle's frame has its part");
                    match bundle_frame(bundled, checks, &plan.offsets, end) {
                        Some(frame) => {
                            end += frame.len();
                            plan.bundles.push(frame);
                        }
                        None => checks.slots[index] = REFUSED,
                    }
                }
                slot => {
                    let position = LogPosition(base.0 + end as u64);
                    let Err(old) = self.admit(slot, checks.laid(group, index).link(), position) else {
                        end += group.frame(index).len();
                        continue;
                    };
                    checks.slots[index] = REFUSED;
                    plan.exceptions.push((entry, self.look_up(old, &mut plan.lookups)));
                }
            }
        }
        plan.exceptions
            .extend(checks.refusals.drain(..).map(|(entry, error)| (entry, Exception::Said(Err(error)))));
        plan.exceptions.sort_unstable_by_key(|(entry, _)| *entry);
        plan
    }

    /// Accepts one authentic write, unless its number is one that may have been used before.
    fn admit(&mut self, slot: u32, link: Link, position: LogPosition) -> Result<(), OldWrite> {
        let next_seq = self.accounts.next_seq(slot);
        if link.seq < next_seq {
            let device = self.shared.directory.read().device(slot).id;
            return Err(OldWrite { device, slot, link, next_seq });
        }
        self.accounts.accept(slot, link, position);
        Ok(())
    }

    /// What is said of an old write at once; a question if that is nothing.
    fn look_up(&self, write: OldWrite, lookups: &mut Vec<Lookup>) -> Exception {
        let (shared, slot) = (Arc::clone(&self.shared), write.slot);
        if let Some((link, position)) = self.accounts.find_unsealed(slot, write.link.seq) {
            return Exception::Said(write.answer(shared.id, Some((link.digest, position))));
        }
        let (last_block, answer) = (self.accounts.last_sealed(slot), Arc::default());
        let sought = Exception::Sought(Arc::clone(&answer));
        lookups.push(Lookup { shared, write, last_block, answer });
        sought
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
            DeviceKey::Ed25519(_) | DeviceKey::Host => None,
        };
        new.push(Device { id: device, credential, keys: Some(DeviceKeys { subject, mac }) });
        Ok(Enrolled { shard, slot })
    }

    /// The durability order of enrolments: keys, sync, append, sync, and only then answer.
    fn add_devices(&mut self, new: &[Device]) -> Result<(), ShardError> {
        if new.is_empty() {
            return Ok(());
        }
        self.check_poison()?;
        // An enrolment's frame is shorter than a record's head.
        self.log.reserve(new.len() * 128)?;
        let first_slot = self.shared.directory.read().next_slot();
        self.keys.put(first_slot, new)?;
        let frames = (first_slot..).zip(new).map(|(slot, device)| Frame::Enrolment {
            slot,
            device: device.id,
            credential: device.credential,
        });
        let committed = self.log.append(frames);
        self.committed(committed)?;
        let mut directory = self.shared.directory.write();
        for device in new {
            directory.add(*device);
            self.accounts.enrol();
        }
        Ok(())
    }

    /// Decides, durably, what goes into a block. Making its batch is the asker's work.
    fn cut(&mut self, number: BlockNumber) -> Result<CutAnswer, ShardError> {
        let sealed = self.accounts.sealed();
        if number <= sealed {
            return Ok(CutAnswer::Sealed);
        }
        self.check_next(number)?;
        if let Some(cut) = self.accounts.pending() {
            return Ok(CutAnswer::Cut(Arc::clone(cut)));
        }
        self.check_poison()?;
        self.log.reserve(GROUP_BYTES_MAX)?;
        let committed = self.log.append([Frame::Cut { number }]);
        self.committed(committed)?;
        let end = self.log.end();
        let failed = self.shared.checkpoint_failed.swap(false, Ordering::AcqRel);
        let due = failed || end.0 - self.checkpoint.0 >= self.checkpoint_log_bytes;
        let checkpoint = due.then(|| Checkpoint::of(&self.accounts, number, end));
        if due {
            self.checkpoint = end;
        }
        Ok(CutAnswer::Cut(self.accounts.cut(checkpoint)))
    }

    /// The last step of a seal: the batch's files are durable, now the log says so.
    fn seal(&mut self, number: BlockNumber, data: Option<DataDigest>) -> Result<(), ShardError> {
        if number <= self.accounts.sealed() {
            return Ok(());
        }
        self.check_next(number)?;
        self.check_poison()?;
        self.log.reserve(128)?;
        let committed = self.log.append([Frame::Seal { number, data: data.unwrap_or_default() }]);
        self.committed(committed)?;
        let found = self.accounts.unsealed_records();
        self.accounts.seal();
        if let Some(pace) = &mut self.pace {
            let paced = pace.sealed(Instant::now(), found, self.accounts.unsealed_records());
            self.shared.inbox.pace(paced);
        }
        self.shared.sealed_number.store(number.0, Ordering::Release);
        Ok(())
    }

    fn check_next(&self, number: BlockNumber) -> Result<(), ShardError> {
        let (shard, expected) = (self.shared.id, self.accounts.sealed().next());
        if number == expected { Ok(()) } else { Err(ShardError::SealOrder { shard, expected, got: number }) }
    }

    fn destroy_keys(&mut self, device: DeviceId) -> Result<(), ShardError> {
        let mut directory = self.shared.directory.write();
        let slot = directory.slot(device).ok_or(ShardError::UnknownDevice { device })?;
        self.keys.destroy(slot, directory.device(slot))?;
        directory.device_mut(slot).keys = None;
        Ok(())
    }
}

impl Drop for Writer {
    /// Also when it panics: nobody waits for what nobody does.
    fn drop(&mut self) {
        self.shared.inbox.abandon();
    }
}

/// A bundle's frame, that goes to `end`, behind those of its members that are accepted; `None` if none is.
fn bundle_frame(bundled: &Bundled, checks: &Checks, offsets: &[u32], end: usize) -> Option<Vec<u8>> {
    let Bundled { entries, part } = bundled;
    let refused: Vec<RefusedMember> = entries
        .clone()
        .zip(&part.members)
        .filter(|(entry, _)| checks.slots[*entry as usize] == REFUSED)
        .map(|(_, &(index, leaf))| RefusedMember { index: u32::from(index).into(), zero: 0.into(), leaf })
        .collect();
    if refused.len() == part.members.len() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a group is at most GROUP_BYTES_MAX long")]
    let back = end as u32 - offsets[entries.start as usize];
    let BundlePart { signature, seed, writes, siblings, .. } = part;
    let frame = BundleFrame { signature, seed, writes: *writes, back, siblings, refused: &refused };
    let mut bytes = Vec::new();
    Frame::Bundle(frame).append(&mut bytes);
    Some(bytes)
}

/// Moves every entry to its place, and completes it there.
fn lay_out(group: &mut Group, checks: &Checks, offsets: &[u32], bundles: &[Vec<u8>], base: LogPosition) {
    let (mut end, mut bundles) = (0, bundles.iter());
    for (index, &offset) in offsets.iter().enumerate() {
        let (frame, at) = (group.frame(index), offset as usize);
        let length = match checks.slots[index] {
            REFUSED => continue,
            BUNDLE => {
                let bundle = bundles.next().expect("each bundle's frame was made");
                group.bytes[at..at + bundle.len()].copy_from_slice(bundle);
                bundle.len()
            }
            slot => {
                let length = frame.len();
                if frame.start != at {
                    group.bytes.copy_within(frame, at);
                }
                set_slot(&mut group.bytes[at..at + length], slot);
                length
            }
        };
        finish(&mut group.bytes[at..at + length], LogPosition(base.0 + u64::from(offset)), at == 0);
        end = at + length;
    }
    group.bytes.truncate(end);
}
