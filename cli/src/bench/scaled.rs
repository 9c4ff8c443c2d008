//! How a rate grows with what it is given: shards, threads, cores.

use crate::{
    error::CliError,
    page::{Chart, Drawing, Plot, Series},
    watch::linear,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;
use std::{io, thread};

/// A rate with so many shards, threads or cores.
#[derive(Serialize, Clone, Copy, Debug)]
pub(crate) struct Scaled {
    pub(crate) count: usize,
    pub(crate) per_second: f64,
}

/// As many cores as this process may use.
pub(crate) fn all_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// One, two, four and so on, as long as that is fewer.
pub(crate) fn doubled_below(end: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1), |count| Some(count * 2)).take_while(move |count| *count < end)
}

/// Runs it in a thread that is bound to the first so many of the cores that this process may use. Threads that it begins
/// inherit that; the kernel's own, which write to the disk, do not.
pub(crate) fn on_cores<T: Send>(
    cores: usize,
    run: impl FnOnce() -> Result<T, CliError> + Send,
) -> Result<T, CliError> {
    let bound = || {
        bind(cores).map_err(|source| CliError::Cores { cores, source })?;
        run()
    };
    thread::scope(|scope| scope.spawn(bound).join().expect("what is measured ends"))
}

fn bind(cores: usize) -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let mut few = CpuSet::new();
    for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).take(cores) {
        few.set(cpu);
    }
    Ok(sched_setaffinity(None, &few)?)
}

/// A line with a point for each.
#[expect(clippy::cast_precision_loss, reason = "a drawing")]
pub(crate) fn chart(
    title: &'static str,
    note: &str,
    (x, y): (&'static str, &'static str),
    name: &str,
    scaled: &[Scaled],
) -> Chart {
    let points = scaled.iter().map(|one| (one.count as f64, one.per_second)).collect();
    let series = vec![Series { name: name.into(), points }];
    let drawing = Drawing::Plot(Plot { x: linear(x), y: linear(y), series });
    Chart { title, note: note.to_owned(), drawing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_to_one_core_and_all_that_it_begins_has_one() {
        let before = all_cores();
        let seen = on_cores(1, || Ok([all_cores(), thread::spawn(all_cores).join().unwrap()])).unwrap();
        assert_eq!(seen, [1, 1]);
        assert_eq!(on_cores(before, || Ok(all_cores())).unwrap(), before);
        assert_eq!(all_cores(), before, "the binding ends with its thread");
    }

    #[test]
    fn counts_double_until_all_are_reached() {
        assert_eq!(doubled_below(8).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(doubled_below(6).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(doubled_below(1).count(), 0);
    }
}
