//! A disk that fails when a test wants it to.

use crate::{Blob, Map, Storage};
use parking_lot::Mutex;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The operation fails with this kind and has done nothing; those after it work again.
    Once(io::ErrorKind),
    /// A write stops after this many bytes, other operations do nothing, and so does everything after it: a crash.
    CrashAfter(usize),
}

#[derive(Debug, Default)]
struct Plan {
    /// Operations that change the disk, so far.
    operations: u64,
    fault: Option<(u64, Fault)>,
    crashed: bool,
    full: bool,
}

/// A [`Storage`] that fails its n-th changing operation.
#[derive(Clone, Debug)]
pub struct Faulty<S> {
    inner: S,
    plan: Arc<Mutex<Plan>>,
}

impl<S> Faulty<S> {
    /// No fault yet: counts operations.
    pub fn new(inner: S) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// Changing operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.plan.lock().operations
    }

    /// Lets the changing operation with this number (from 0) fail.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.plan.lock().fault = Some((operation, fault));
    }

    /// Lets every operation that needs new space fail, or no longer.
    pub fn set_full(&self, full: bool) {
        self.plan.lock().full = full;
    }

    fn needs_space(&self) -> io::Result<()> {
        if self.plan.lock().full { Err(io::ErrorKind::StorageFull.into()) } else { whole(&self.plan) }
    }
}

/// How an operation goes.
enum Course {
    Well,
    /// Only so many bytes are written.
    Torn(usize),
}

fn crashed() -> io::Error {
    io::Error::other("simulated crash")
}

impl Plan {
    fn step(&mut self) -> io::Result<Course> {
        if self.crashed {
            return Err(crashed());
        }
        let operation = self.operations;
        self.operations += 1;
        match self.fault {
            Some((at, Fault::Once(kind))) if at == operation => Err(io::Error::new(kind, "simulated fault")),
            Some((at, Fault::CrashAfter(bytes))) if at == operation => {
                self.crashed = true;
                Ok(Course::Torn(bytes))
            }
            _ => Ok(Course::Well),
        }
    }
}

fn whole(plan: &Mutex<Plan>) -> io::Result<()> {
    match plan.lock().step()? {
        Course::Well => Ok(()),
        Course::Torn(_) => Err(crashed()),
    }
}

impl<S: Storage> Storage for Faulty<S> {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.needs_space()?;
        self.inner.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.inner.list(dir)
    }

    fn create(&self, path: &Path, bytes: u64) -> io::Result<Box<dyn Blob>> {
        self.needs_space()?;
        let inner = self.inner.create(path, bytes)?;
        Ok(Box::new(FaultyBlob { inner, plan: Arc::clone(&self.plan) }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>> {
        let inner = self.inner.open(path)?;
        Ok(Box::new(FaultyBlob { inner, plan: Arc::clone(&self.plan) }))
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.needs_space()?;
        self.inner.replace(path, content)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.inner.read(path)
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        self.inner.map(path)
    }
}

#[derive(Debug)]
struct FaultyBlob {
    inner: Box<dyn Blob>,
    plan: Arc<Mutex<Plan>>,
}

impl Blob for FaultyBlob {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.plan.lock().step()? {
            Course::Well => self.inner.write_at(bytes, offset),
            Course::Torn(kept) => {
                self.inner.write_at(&bytes[..kept.min(bytes.len())], offset)?;
                Err(crashed())
            }
        }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        whole(&self.plan)?;
        self.inner.sync()
    }

    fn bytes(&self) -> io::Result<u64> {
        self.inner.bytes()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        whole(&self.plan)?;
        self.inner.set_len(bytes)
    }
}
