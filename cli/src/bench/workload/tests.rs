use super::*;
use crate::input::kind;
use std::collections::BTreeMap;

fn planned(name: WorkloadName, devices: usize, seed: u64, writes: usize) -> Vec<Planned> {
    let mut source = Source::named(name, devices, seed);
    std::iter::repeat_with(|| source.next()).take(writes).collect()
}

/// How many of the writes are so.
fn count(planned: &[Planned], of: impl Fn(&&Planned) -> bool) -> usize {
    planned.iter().filter(of).count()
}

const ALL: [WorkloadName; 4] =
    [WorkloadName::Home, WorkloadName::Icu, WorkloadName::Clinic, WorkloadName::Storm];

#[test]
fn a_seed_is_a_workload() {
    for name in ALL {
        let first = planned(name, 400, 1, 5000);
        assert_eq!(first, planned(name, 400, 1, 5000), "{name:?}");
        assert_ne!(first, planned(name, 400, 2, 5000), "{name:?}");
    }
}

/// Else a shard would refuse it as a step back, or take it for another device's.
#[test]
fn every_device_counts_up_from_zero_in_one_lane() {
    for (name, devices) in ALL.into_iter().flat_map(|name| [(name, 1), (name, 7), (name, 430)]) {
        let mut next: BTreeMap<usize, (u64, Lane)> = BTreeMap::new();
        for write in planned(name, devices, 3, 20_000) {
            let (seq, lane) = next.entry(write.device).or_insert((0, write.lane));
            assert_eq!((write.seq, write.lane), (*seq, *lane), "{name:?}, device {}", write.device);
            *seq += 1;
        }
        assert!(next.len() <= devices.max(3), "{name:?}: {} devices of {devices}", next.len());
    }
}

#[test]
fn homes_have_their_shares_and_sizes() {
    let writes = planned(WorkloadName::Home, 2000, 1, 20_000);
    let of = |kind: u16| count(&writes, |write| write.kind == kind);
    let shares = [kind::PPG, kind::SPO2, kind::GLUCOSE, kind::FHIR_OBSERVATION].map(of);
    assert_eq!(shares, [14_000, 4000, 1000, 1000]);
    for write in &writes {
        let bytes = write.record_bytes();
        match write.kind {
            kind::PPG | kind::GLUCOSE => assert_eq!(bytes, 128),
            kind::SPO2 => assert_eq!(bytes, 192),
            _ => assert!((640..=2048).contains(&bytes), "{bytes}"),
        }
    }
    let fhir: Vec<usize> =
        writes.iter().filter(|w| w.kind == kind::FHIR_OBSERVATION).map(Planned::record_bytes).collect();
    assert_eq!((fhir.iter().min(), fhir.iter().max()), (Some(&640), Some(&2048)));
}

#[test]
fn a_bed_has_four_frames_and_numerics_a_second_and_alarms_are_rare() {
    let writes = planned(WorkloadName::Icu, 90, 1, 300_000);
    let of = |lane: Lane, bytes: usize| {
        count(&writes, |write| write.lane == lane && write.record_bytes() == bytes)
    };
    let (frames, numerics, alarms) = (of(Lane::Bulk, 1024), of(Lane::Routine, 256), of(Lane::Alarm, 512));
    assert_eq!(frames + numerics + alarms, writes.len());
    // The last second may not be over.
    let seconds = frames.div_ceil(4);
    assert!(seconds - numerics <= 1, "{frames} {numerics}");
    // One in 300 seconds; by chance some more or fewer.
    assert!((numerics / 400..numerics / 200).contains(&alarms), "{alarms} of {numerics}");
    let last = writes.last().unwrap();
    assert_eq!((last.observed_at_ms - START_MS) / 1000, (seconds as u64 - 1) / 30);
}

#[test]
fn bundles_of_clinics_are_of_51_kb_and_come_in_bursts() {
    let writes = planned(WorkloadName::Clinic, 50, 1, 20_000);
    let (mut bundle, mut bundles) = (0, 0);
    for write in &writes {
        assert!(write.payload_bytes <= 9000, "{write:?}");
        bundle += write.payload_bytes;
        assert!(bundle <= 51_000, "{bundle}");
        if bundle == 51_000 {
            (bundle, bundles) = (0, bundles + 1);
        }
    }
    assert!(bundles > 1000, "{bundles}");
    let bursts: Vec<usize> = writes
        .chunk_by(|a, b| a.device == b.device)
        .map(|burst| burst.iter().map(|w| w.payload_bytes).sum())
        .collect();
    // But for the last one, which goes on.
    for burst in &bursts[..bursts.len() - 1] {
        assert!(burst.is_multiple_of(51_000) && *burst <= 16 * 51_000, "{burst}");
    }
}

#[test]
fn a_storm_has_backlog_of_every_twentieth_device_and_is_unequal() {
    let writes = planned(WorkloadName::Storm, 2000, 1, 400_000);
    let flushing: std::collections::BTreeSet<usize> =
        writes.iter().filter(|write| write.lane == Lane::Bulk).map(|write| write.device).collect();
    assert_eq!(flushing.len(), 100);
    let bulk = count(&writes, |write| write.lane == Lane::Bulk);
    assert!((200_000..230_000).contains(&bulk), "half of it and what those devices have now: {bulk}");
    let mut live: BTreeMap<usize, usize> = BTreeMap::new();
    writes
        .iter()
        .filter(|write| write.lane == Lane::Routine)
        .for_each(|write| *live.entry(write.device).or_default() += 1);
    let busiest = live.values().max().unwrap();
    assert!(*busiest > 10 * live.values().min().unwrap(), "{busiest}");
    // Twenty devices with an hour's backlog at least are through some time.
    let few = planned(WorkloadName::Storm, 20, 1, 200_000);
    let end = &few[few.len() - 20_000..];
    assert!(count(end, |write| write.lane == Lane::Bulk) < 2000);
}
