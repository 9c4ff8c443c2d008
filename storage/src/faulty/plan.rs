//! What goes wrong, and when.

use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus, seq::SliceRandom as _};
use std::io;

/// What goes wrong with one operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The operation fails with this kind and has done nothing, and those after it work again. Of a sync it means that
    /// nobody knows what of the bytes got there.
    Once(io::ErrorKind),
    /// A write stops after this many bytes and fails; other operations do nothing.
    Short(usize),
    /// A write stops after this many bytes, other operations do nothing, and so does everything after it. What was
    /// written before is all there, also without a sync: a process is killed.
    CrashAfter(usize),
    /// The same, but the machine stays up: what was written is seen by the next life if that begins with
    /// [`Faulty::kill`](crate::Faulty::kill), and is lost or not, as with any loss of power, if with
    /// [`Faulty::restart`](crate::Faulty::restart).
    Kill(usize),
    /// Power is lost in the middle of the operation.
    Crash,
}

/// How often operations fail at random: so many in a million.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rates {
    /// Writes that stop after some bytes and fail.
    pub write: u32,
    /// Syncs that fail.
    pub sync: u32,
    /// Reads, maps and listings that fail.
    pub read: u32,
    /// Operations that find no space, of those that need it.
    pub space: u32,
    /// Changing operations in which power is lost.
    pub crash: u32,
}

/// How an operation goes.
#[derive(Debug)]
pub(super) enum Course {
    Well,
    /// It has done nothing.
    Fails(io::Error),
    /// It has written so many bytes.
    Short(usize, io::Error),
    /// It has written so many bytes, and no operation after it does anything.
    Killed(usize, Flushed),
    Crashes,
}

/// Whether the system has written down what was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flushed {
    Yes,
    No,
}

impl Course {
    /// How many of so many bytes are written; what becomes of them is another question.
    pub(super) fn kept(&self, bytes: usize) -> usize {
        match *self {
            Self::Well | Self::Crashes => bytes,
            Self::Fails(_) => 0,
            Self::Short(kept, _) | Self::Killed(kept, _) => kept.min(bytes),
        }
    }
}

#[derive(Debug)]
pub(super) struct Plan {
    /// Operations that change the disk, so far.
    pub(super) operations: u64,
    /// How many of them went wrong.
    pub(super) faults: u64,
    pub(super) fault: Option<(u64, Fault)>,
    pub(super) rates: Rates,
    pub(super) full: bool,
    pub(super) crashed: bool,
    pub(super) chance: Chance,
}

pub(super) fn crashed() -> io::Error {
    io::Error::other("simulated crash")
}

fn failed() -> io::Error {
    io::Error::other("simulated fault")
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let (rates, chance) = (Rates::default(), Chance::new(seed));
        Self { operations: 0, faults: 0, fault: None, rates, full: false, crashed: false, chance }
    }

    /// How a write of so many bytes goes.
    pub(super) fn write(&mut self, bytes: usize) -> io::Result<Course> {
        let rate = self.rates.write;
        self.change(|chance| {
            let short = chance.in_a_million(rate);
            short.then(|| Course::Short(chance.below(bytes as u64 + 1) as usize, failed()))
        })
    }

    pub(super) fn sync(&mut self) -> io::Result<Course> {
        let rate = self.rates.sync;
        self.change(|chance| chance.in_a_million(rate).then(|| Course::Fails(failed())))
    }

    /// How an operation that needs space goes.
    pub(super) fn needs_space(&mut self) -> io::Result<Course> {
        let (rate, full) = (self.rates.space, self.full);
        self.change(|chance| {
            (full || chance.in_a_million(rate)).then(|| Course::Fails(io::ErrorKind::StorageFull.into()))
        })
    }

    pub(super) fn read(&mut self) -> io::Result<()> {
        if self.crashed {
            return Err(crashed());
        }
        if self.chance.in_a_million(self.rates.read) { Err(failed()) } else { Ok(()) }
    }

    fn change(&mut self, random: impl FnOnce(&mut Chance) -> Option<Course>) -> io::Result<Course> {
        if self.crashed {
            return Err(crashed());
        }
        let operation = self.operations;
        self.operations += 1;
        let course = self.course_of(operation, random);
        self.faults += u64::from(!matches!(course, Course::Well));
        Ok(course)
    }

    fn course_of(&mut self, operation: u64, random: impl FnOnce(&mut Chance) -> Option<Course>) -> Course {
        if let Some((_, fault)) = self.fault.filter(|(at, _)| *at == operation) {
            return match fault {
                Fault::Once(kind) => Course::Fails(io::Error::new(kind, "simulated fault")),
                Fault::Short(bytes) => Course::Short(bytes, failed()),
                Fault::CrashAfter(bytes) => Course::Killed(bytes, Flushed::Yes),
                Fault::Kill(bytes) => Course::Killed(bytes, Flushed::No),
                Fault::Crash => Course::Crashes,
            };
        }
        if self.chance.in_a_million(self.rates.crash) {
            return Course::Crashes;
        }
        random(&mut self.chance).unwrap_or(Course::Well)
    }
}

/// Numbers that follow from a seed, the same ones on every machine.
#[derive(Debug)]
pub(super) struct Chance(Xoshiro256PlusPlus);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end)
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.0);
    }

    /// Draws nothing where the rate is 0, so that a disk without faults leaves the numbers as they are.
    fn in_a_million(&mut self, rate: u32) -> bool {
        rate != 0 && self.below(1_000_000) < u64::from(rate)
    }
}
