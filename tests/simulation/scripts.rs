//! Short runs that are written down, with every fault at every place.

use crate::{
    model::Attempt,
    simulation::{DIR, Simulation},
};
use arterial::{
    Lane, Receipt,
    storage::{Fault, Faulty, MemoryStorage, Storage as _},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

fn writes(devices: std::ops::Range<usize>, seq: u64, payload: &[u8]) -> Vec<Attempt> {
    devices.map(|device| Attempt { device, seq, payload: payload.to_vec(), authentic: true }).collect()
}

/// Makes a block of everything, and settles it.
fn block(simulation: &mut Simulation) {
    simulation.want_blocks();
    simulation.step_blocks();
    for _ in 0..4 {
        simulation.step_settle();
        simulation.clock.advance_ms(1000);
    }
}

/// From enrolments over writes to final blocks: one by one, many at once, in a bundle, and in every lane.
fn three_blocks(simulation: &mut Simulation) {
    simulation.enrol_these(&[0, 1, 2, 3, 4]);
    for (round, lane) in (0..).zip(Lane::ALL) {
        for attempt in writes(0..4, 2 * round, b"72 bpm") {
            simulation.submit(lane, attempt);
        }
        simulation.step_all_shards();
        simulation.submit_bundle_of(lane, writes(1..2, 2 * round + 1, b"in a bundle"), true);
        simulation.submit_these(lane, writes(0..4, 2 * round + 1, b"in a bundle"));
        block(simulation);
    }
    simulation.destroy_keys_of(4);
}

/// More than a segment holds.
fn a_second_segment(simulation: &mut Simulation) {
    simulation.enrol_these(&[0]);
    for round in 0..10 {
        let burst = (0..15).flat_map(|n| writes(0..1, 15 * round + n, &[b'7'; 60_000])).collect();
        simulation.submit_these(Lane::Bulk, burst);
    }
    block(simulation);
}

/// A checkpoint at every seal.
const EVERY_SEAL: u64 = 1;
const NEVER: u64 = u64::MAX;

const FAULTS: [Fault; 5] = [
    Fault::Crash,
    Fault::Once(std::io::ErrorKind::Other),
    Fault::Short(40),
    Fault::CrashAfter(40),
    Fault::Kill(600),
];

/// Runs a script with a fault at each of its operations in turn, opens again and checks everything.
fn with_each_fault(script: fn(&mut Simulation), checkpoint_log_bytes: u64, faults: &[Fault], seeds: u64) {
    let mut whole = Simulation::quiet(0, checkpoint_log_bytes);
    assert!(whole.open());
    script(&mut whole);
    let operations = whole.disk.operations();
    whole.finish();
    for operation in 0..operations {
        for (n, fault) in (0..seeds).flat_map(|seed| faults.iter().map(move |fault| (seed, *fault))) {
            let mut simulation = Simulation::quiet(1000 * n + operation, checkpoint_log_bytes);
            simulation.log(&format!("{fault:?} at operation {operation}"));
            simulation.disk.fail_at(operation, fault);
            if simulation.try_open().is_ok() {
                script(&mut simulation);
            } else {
                simulation.disk = simulation.disk.restart().unwrap();
                simulation.shut();
                assert!(simulation.open());
            }
            simulation.finish();
        }
    }
}

#[test]
fn power_is_lost_at_every_operation() {
    with_each_fault(three_blocks, NEVER, &[Fault::Crash], 1);
    with_each_fault(three_blocks, EVERY_SEAL, &[Fault::Crash], 2);
}

#[test]
fn every_operation_fails_once_or_is_the_last_of_its_process() {
    let faults = &FAULTS[1..];
    with_each_fault(three_blocks, EVERY_SEAL, faults, 1);
}

#[test]
fn power_is_lost_around_a_new_segment() {
    with_each_fault(a_second_segment, EVERY_SEAL, &[Fault::Crash], 1);
}

/// A deployment with a checkpoint, something behind it, and a group that a kill tore.
fn killed_behind_a_checkpoint(seed: u64) -> Simulation {
    let mut simulation = Simulation::quiet(seed, EVERY_SEAL);
    assert!(simulation.open());
    three_blocks(&mut simulation);
    simulation.enrol_these(&[5, 6]);
    simulation.submit_these(Lane::Routine, writes(0..4, 6, b"behind the checkpoint"));
    simulation.disk.fail_at(simulation.disk.operations(), Fault::Kill(300));
    simulation.submit_these(Lane::Routine, writes(0..7, 7, b"torn"));
    assert!(simulation.disk.is_crashed());
    simulation.disk = simulation.disk.kill();
    simulation.shut();
    simulation
}

#[test]
fn every_operation_of_opening_from_a_checkpoint_goes_wrong() {
    for (n, fault) in (0..).zip(FAULTS) {
        for operation in 0.. {
            let mut simulation = killed_behind_a_checkpoint(1000 * n + operation);
            let checkpoint = Path::new(DIR).join("shards/0000/checkpoint");
            assert!(simulation.medium.exists(&checkpoint).unwrap());
            simulation.log(&format!("{fault:?} at operation {operation} of opening"));
            simulation.disk.fail_at(operation, fault);
            let opened = simulation.try_open();
            if simulation.disk.faults() == 0 {
                assert!(opened.is_ok() && operation > 5, "opening has {operation} operations");
                break;
            }
            if opened.is_err() {
                simulation.disk =
                    if n % 2 == 0 { simulation.disk.restart().unwrap() } else { simulation.disk.kill() };
                simulation.shut();
                assert!(simulation.open());
            }
            simulation.check_recovery();
            simulation.finish();
        }
    }
}

fn files_under(storage: &MemoryStorage, dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for path in storage.list(dir).unwrap() {
        match storage.read(&path) {
            Ok(bytes) => drop(files.insert(path, bytes)),
            Err(_) => files_under(storage, &path, files),
        }
    }
}

/// Whatever bit turns around: a receipt that is given is right.
#[test]
fn a_flipped_bit_gives_no_wrong_receipt() {
    let mut simulation = Simulation::quiet(0, EVERY_SEAL);
    assert!(simulation.open());
    three_blocks(&mut simulation);
    simulation.finish();
    assert_eq!(simulation.authorships.len(), 4, "a receipt of each kind of authorship was verified");
    let roots = simulation.roots();
    simulation.shut();
    let mut files = BTreeMap::new();
    files_under(&simulation.medium, Path::new(DIR), &mut files);
    // A lock holds nothing.
    files.retain(|_, bytes| !bytes.is_empty());
    let (mut given, mut refused) = (0, 0);
    for (path, bytes) in &files {
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        for n in 0..12 {
            let bit = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n + 1) % (8 * written);
            simulation.medium = MemoryStorage::default();
            for (path, bytes) in &files {
                simulation.medium.create_dir(path.parent().unwrap()).unwrap();
                simulation.medium.replace(path, bytes).unwrap();
            }
            simulation.disk = Faulty::new(simulation.medium.clone());
            simulation.disk.flip_bit(path, bit).unwrap();
            simulation.log(&format!("bit {bit} of {}", path.display()));
            if simulation.try_open().is_err() {
                refused += 1;
                continue;
            }
            for (device, seq) in (0..4).flat_map(|device| (0..6).map(move |seq| (device, seq))) {
                let id = simulation.devices[device].id;
                let Ok(receipt) = simulation.engine().receipt(id, seq) else {
                    refused += 1;
                    continue;
                };
                given += 1;
                let receipt = Receipt::decode(&receipt.encode()).unwrap();
                simulation.check_receipt(device, seq, &receipt);
                receipt.verify(&roots[&receipt.number]).unwrap();
            }
            simulation.shut();
        }
    }
    assert!(given > 100 && refused > 100, "{given} receipts given, {refused} refused");
}
