//! What is going to be submitted: every device, and all writes in the order of their arrival.

use crate::{
    error::CliError,
    input::{Reading, Recording},
};
use arterial::{DeviceId, Write, protocol::limits::SEQ_END};
use std::collections::BTreeMap;

/// Writes of one run; each takes some 70 bytes of memory, for its tag and its place.
const WRITES_MAX: usize = 1 << 26;

/// The writes of a run. Copies of a device share its readings.
#[derive(Debug)]
pub(crate) struct Plan {
    sources: Vec<Source>,
    copies: usize,
    ids: Vec<DeviceId>,
    /// The sources' readings in the order of their arrival: source and `seq`.
    order: Vec<(u32, u32)>,
}

/// A device as the files have it.
#[derive(Debug)]
struct Source {
    label: String,
    /// By `seq`.
    readings: Vec<Reading>,
}

impl Plan {
    /// Merges the recordings of one label in the order of time, then of files, and copies every device.
    ///
    /// A run on the same input plans the same, which is what makes it go on where another stopped.
    pub(crate) fn new(recordings: Vec<Recording>, copies: u32) -> Result<Self, CliError> {
        let mut by_label: BTreeMap<String, Vec<Reading>> = BTreeMap::new();
        for recording in recordings {
            by_label.entry(recording.device).or_default().extend(recording.readings);
        }
        by_label.retain(|_, readings| !readings.is_empty());
        let copies = copies as usize;
        let total: usize = by_label.values().map(Vec::len).sum();
        let writes = total.saturating_mul(copies);
        if total == 0 {
            return Err(CliError::NoReadings);
        }
        if writes > WRITES_MAX {
            return Err(CliError::TooManyWrites { max: WRITES_MAX, got: writes });
        }
        const { assert!((WRITES_MAX as u64) < SEQ_END, "a seq is below the number of writes") };
        let mut sources = Vec::with_capacity(by_label.len());
        let mut order = Vec::with_capacity(total);
        for (source, (label, mut readings)) in (0..).zip(by_label) {
            readings.sort_by_key(|reading| reading.observed_at_ms);
            let begin = readings.first().map_or(0, |first| first.observed_at_ms);
            let arrivals = (0..).zip(&readings);
            // Devices are taken to have begun together: some files have no date at all.
            order.extend(arrivals.map(|(seq, reading)| (reading.observed_at_ms - begin, source, seq)));
            sources.push(Source { label, readings });
        }
        order.sort_unstable();
        let order = order.into_iter().map(|(_, source, seq)| (source, seq)).collect();
        let mut plan = Self { sources, copies, ids: Vec::new(), order };
        plan.ids = (0..plan.sources.len() * copies)
            .map(|device| DeviceId::from_label(&plan.label(device)))
            .collect();
        Ok(plan)
    }

    pub(crate) fn writes(&self) -> usize {
        self.order.len() * self.copies
    }

    pub(crate) fn devices(&self) -> &[DeviceId] {
        &self.ids
    }

    /// A device's name; copies are numbered from 2, the first is the device itself.
    pub(crate) fn label(&self, device: usize) -> String {
        let label = &self.sources[device / self.copies].label;
        match device % self.copies {
            0 => label.clone(),
            copy => format!("{label}#{}", copy + 1),
        }
    }

    /// How many writes a device has.
    pub(crate) fn writes_of(&self, device: usize) -> usize {
        self.sources[device / self.copies].readings.len()
    }

    /// The device and `seq` of a write, by its place in the order.
    pub(crate) fn place(&self, at: usize) -> (usize, u32) {
        let (source, seq) = self.order[at / self.copies];
        (source as usize * self.copies + at % self.copies, seq)
    }

    /// A device's write.
    pub(crate) fn write_of(&self, device: usize, seq: u32) -> Write<'_> {
        let reading = &self.sources[device / self.copies].readings[seq as usize];
        Write {
            device: self.ids[device],
            seq: seq.into(),
            observed_at_ms: reading.observed_at_ms,
            kind: reading.kind,
            payload: &reading.payload,
        }
    }

    /// A write by its place in the order.
    pub(crate) fn write(&self, at: usize) -> Write<'_> {
        let (device, seq) = self.place(at);
        self.write_of(device, seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(device: &str, times: &[u64]) -> Recording {
        let reading = |&observed_at_ms| Reading { observed_at_ms, kind: 1, payload: vec![7] };
        Recording { device: device.into(), readings: times.iter().map(reading).collect() }
    }

    #[test]
    fn recordings_of_a_label_are_one_device_and_devices_interleave() {
        let recordings = vec![
            recording("b", &[1000, 1002]),
            recording("a", &[20, 25]),
            recording("a", &[21]),
            recording("c", &[]),
        ];
        let plan = Plan::new(recordings, 2).unwrap();
        assert_eq!((plan.writes(), plan.devices().len()), (10, 4));
        let labels: Vec<_> = (0..4).map(|device| plan.label(device)).collect();
        assert_eq!(labels, ["a", "a#2", "b", "b#2"]);
        let writes: Vec<_> =
            (0..10).step_by(2).map(|at| plan.write(at)).map(|w| (w.seq, w.observed_at_ms)).collect();
        assert_eq!(writes, [(0, 20), (0, 1000), (1, 21), (1, 1002), (2, 25)]);
        assert_eq!(plan.write(3).device, DeviceId::from_label("b#2"));
        assert_eq!(plan.write(3), plan.write_of(3, 0));
    }

    #[test]
    fn a_run_has_something_to_do_and_a_bound() {
        assert!(matches!(Plan::new(vec![recording("a", &[])], 1), Err(CliError::NoReadings)));
        let copies = u32::try_from(WRITES_MAX).unwrap() / 2 + 1;
        assert!(matches!(
            Plan::new(vec![recording("a", &[1, 2])], copies),
            Err(CliError::TooManyWrites { .. })
        ));
    }
}
