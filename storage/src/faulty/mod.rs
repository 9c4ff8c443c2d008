//! A disk that fails and loses power when a test wants it to.
//!
//! What is written and not synced is held back, per file, where reads see it and the storage below does not. A sync
//! hands it down. A crash decides by seed what of it got there all the same: nothing, everything, a beginning, or any
//! of its sectors in any order.

mod pending;
mod plan;

pub use plan::{Fault, Rates};

use crate::{Blob, Lock, Map, Storage, at_once, temporary_for};
use parking_lot::{Mutex, MutexGuard};
use pending::{Change, Pending};
use plan::{Chance, Course, Flushed, Plan, crashed};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A [`Storage`] with faults; clones share them.
///
/// Deterministic: the same operations with the same seed meet the same faults and leave the same bytes.
#[derive(Clone, Debug)]
pub struct Faulty<S> {
    inner: S,
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug)]
struct Disk {
    plan: Plan,
    pending: BTreeMap<PathBuf, Pending>,
}

impl<S: Storage + Clone + 'static> Faulty<S> {
    /// No fault yet: counts operations.
    pub fn new(inner: S) -> Self {
        Self::seeded(inner, 0)
    }

    /// No fault yet; what is left to chance later follows from the seed.
    pub fn seeded(inner: S, seed: u64) -> Self {
        Self { inner, disk: Arc::new(Mutex::new(Disk { plan: Plan::new(seed), pending: BTreeMap::new() })) }
    }

    /// Operations so far that change the disk.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.disk.lock().plan.operations
    }

    /// How many of them went wrong.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.disk.lock().plan.faults
    }

    /// Lets the changing operation with this number (from 0) fail.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.disk.lock().plan.fault = Some((operation, fault));
    }

    /// Lets operations fail at random from here on.
    pub fn set_rates(&self, rates: Rates) {
        self.disk.lock().plan.rates = rates;
    }

    /// Lets every operation that needs new space fail, or no longer.
    pub fn set_full(&self, full: bool) {
        self.disk.lock().plan.full = full;
    }

    /// Lets nothing fail any more. What is lost stays lost.
    pub fn heal(&self) {
        let plan = &mut self.disk.lock().plan;
        (plan.fault, plan.rates, plan.full) = (None, Rates::default(), false);
    }

    /// Loses power now. Every operation of this life fails from here on.
    ///
    /// # Errors
    /// The storage's below, while it takes what survives.
    pub fn crash(&self) -> io::Result<()> {
        self.crash_now(&mut self.disk.lock())
    }

    /// Whether power was lost.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.disk.lock().plan.crashed
    }

    /// A new life on what survived, without faults. The handles of the old one fail for good.
    ///
    /// # Errors
    /// As [`Self::crash`], which it does first.
    pub fn restart(&self) -> io::Result<Self> {
        let mut disk = self.disk.lock();
        self.crash_now(&mut disk)?;
        Ok(Self::seeded(self.inner.clone(), disk.plan.chance.next()))
    }

    /// The process ends and the machine does not: a new life, without faults, that sees everything that was written,
    /// and of which what was not synced can still be lost. The handles of the old life fail for good.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut disk = self.disk.lock();
        disk.plan.crashed = true;
        let next = Self::seeded(self.inner.clone(), disk.plan.chance.next());
        next.disk.lock().pending = std::mem::take(&mut disk.pending);
        next
    }

    /// Turns one bit of a file on the disk around, as a medium does that goes bad.
    ///
    /// # Errors
    /// The storage's below; there is no such bit.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let blob = self.inner.open(path)?;
        let mut byte = [0];
        blob.read_at(&mut byte, bit / 8)?;
        byte[0] ^= 1 << (bit % 8);
        blob.write_at(&byte, bit / 8)?;
        blob.sync()
    }

    /// What an operation answers; with it the life of the disk may end.
    fn outcome(&self, disk: &mut Disk, course: Course) -> io::Result<()> {
        match course {
            Course::Well => Ok(()),
            Course::Fails(error) | Course::Short(_, error) => Err(error),
            Course::Killed(_, flushed) => {
                disk.plan.crashed = true;
                if flushed == Flushed::Yes {
                    self.settle(disk, |mut pending, _| pending.take_changes())?;
                }
                Err(crashed())
            }
            Course::Crashes => {
                self.crash_now(disk)?;
                Err(crashed())
            }
        }
    }

    fn crash_now(&self, disk: &mut Disk) -> io::Result<()> {
        disk.plan.crashed = true;
        self.settle(disk, Pending::survivors)
    }

    /// Every file's pending changes meet their fate.
    fn settle(
        &self,
        disk: &mut Disk,
        survivors: impl Fn(Pending, &mut Chance) -> Vec<Change>,
    ) -> io::Result<()> {
        for (path, pending) in std::mem::take(&mut disk.pending) {
            write_through(&*self.inner.open(&path)?, survivors(pending, &mut disk.plan.chance))?;
        }
        Ok(())
    }

    /// An operation that happens as a whole or not at all, also when power is lost in it.
    fn whole<T>(&self, act: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.disk.lock();
        let course = disk.plan.needs_space()?;
        self.run_whole(&mut disk, course, act)
    }

    fn run_whole<T>(
        &self,
        disk: &mut Disk,
        course: Course,
        act: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        match course {
            Course::Well => act(disk),
            Course::Crashes if disk.plan.chance.one_in(2) => {
                act(disk)?;
                self.crash_now(disk)?;
                Err(crashed())
            }
            course => self.outcome(disk, course).and(Err(crashed())),
        }
    }

    /// What a replacement that does not come to its end leaves behind, now and then.
    fn leave_temporary(&self, disk: &mut Disk, path: &Path, content: &[u8]) -> io::Result<()> {
        if !disk.plan.chance.one_in(2) {
            return Ok(());
        }
        let torn = disk.plan.chance.below(content.len() as u64 + 1) as usize;
        self.inner.replace(&temporary_for(path), &content[..torn])
    }

    fn reading(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.disk.lock();
        disk.plan.read()?;
        Ok(disk)
    }

    fn blob(&self, inner: Box<dyn Blob>, path: &Path) -> Box<dyn Blob> {
        Box::new(FaultyBlob { storage: self.clone(), inner, path: path.to_owned() })
    }
}

fn write_through(blob: &dyn Blob, changes: Vec<Change>) -> io::Result<()> {
    for change in changes {
        match change {
            Change::Write { offset, bytes } => blob.write_at(&bytes, offset)?,
            Change::SetLen(bytes) => blob.set_len(bytes)?,
        }
    }
    blob.sync()
}

impl<S: Storage + Clone + 'static> Storage for Faulty<S> {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.whole(|_| self.inner.create_dir(dir))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let _disk = self.reading()?;
        self.inner.list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let _disk = self.reading()?;
        self.inner.exists(path)
    }

    fn create(&self, path: &Path, bytes: u64, _: &mut dyn FnMut(u64)) -> io::Result<Box<dyn Blob>> {
        let inner = self.whole(|disk| {
            // Everybody else waits for it, as the disk does one thing at a time.
            let blob = self.inner.create(path, bytes, &mut at_once)?;
            disk.pending.remove(path);
            Ok(blob)
        })?;
        Ok(self.blob(inner, path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>> {
        let exists = {
            let _disk = self.reading()?;
            self.inner.exists(path)?
        };
        let inner = if exists { self.inner.open(path)? } else { self.whole(|_| self.inner.open(path))? };
        Ok(self.blob(inner, path))
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let course = disk.plan.needs_space()?;
        if matches!(course, Course::Crashes | Course::Killed(..)) {
            self.leave_temporary(&mut disk, path, content)?;
        }
        self.run_whole(&mut disk, course, |disk| {
            self.inner.replace(path, content)?;
            disk.pending.remove(path);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(|disk| {
            self.inner.rename(from, to)?;
            disk.pending.remove(to);
            if let Some(pending) = disk.pending.remove(from) {
                disk.pending.insert(to.to_owned(), pending);
            }
            Ok(())
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let disk = self.reading()?;
        match disk.pending.get(path) {
            Some(pending) => pending.content(&*self.inner.open(path)?),
            None => self.inner.read(path),
        }
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        let disk = self.reading()?;
        match disk.pending.get(path) {
            Some(pending) => Ok(Map::from(Arc::new(pending.content(&*self.inner.open(path)?)?))),
            None => self.inner.map(path),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let _disk = self.reading()?;
        self.inner.lock(path)
    }
}

#[derive(Debug)]
struct FaultyBlob<S> {
    storage: Faulty<S>,
    inner: Box<dyn Blob>,
    path: PathBuf,
}

impl<S: Storage + Clone + 'static> FaultyBlob<S> {
    fn hold_back(&self, disk: &mut Disk, change: Change) {
        disk.pending.entry(self.path.clone()).or_default().push(change);
    }

    fn length(&self, disk: &Disk) -> io::Result<u64> {
        let below = self.inner.bytes()?;
        Ok(disk.pending.get(&self.path).map_or(below, |pending| pending.length(below)))
    }
}

impl<S: Storage + Clone + 'static> Blob for FaultyBlob<S> {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.storage.disk.lock();
        let extends = self.length(&disk)? < offset + bytes.len() as u64;
        let course = if extends { disk.plan.needs_space()? } else { disk.plan.write(bytes.len())? };
        let kept = course.kept(bytes.len());
        if kept > 0 {
            self.hold_back(&mut disk, Change::Write { offset, bytes: bytes[..kept].to_vec() });
        }
        self.storage.outcome(&mut disk, course)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let disk = self.storage.reading()?;
        match disk.pending.get(&self.path) {
            Some(pending) => pending.read(&*self.inner, bytes, offset),
            None => self.inner.read_at(bytes, offset),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.storage.disk.lock();
        let course = disk.plan.sync()?;
        if !matches!(course, Course::Killed(..) | Course::Crashes) {
            let Disk { plan, pending, .. } = &mut *disk;
            let changes = pending.get_mut(&self.path).map_or_else(Vec::new, |pending| match course {
                Course::Well => pending.take_changes(),
                // The system takes for written what it could not write: a second call would succeed, and reads show it.
                _ => pending.lose_changes(&mut plan.chance),
            });
            write_through(&*self.inner, changes)?;
        }
        self.storage.outcome(&mut disk, course)
    }

    fn bytes(&self) -> io::Result<u64> {
        let disk = self.storage.reading()?;
        self.length(&disk)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut disk = self.storage.disk.lock();
        let course = disk.plan.write(0)?;
        if matches!(course, Course::Well | Course::Crashes) {
            self.hold_back(&mut disk, Change::SetLen(bytes));
        }
        self.storage.outcome(&mut disk, course)
    }
}
