//! What is reported is what happened.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use arterial::{
    BaseChain, Contract, DeviceId, Engine, Enrolment, Lane, SteppedEngine, SubmitError, Tag, Write,
    protocol::{ShardCount, ShardId},
    rollup::{
        ManualClock,
        batch_proof::testing::SimulatedBatchProver,
        chain::embedded::{EmbeddedChain, EmbeddedConfig},
        proof::testing::SimulatedProver,
    },
    shards::limits::{LANE_WRITES_DEFAULT, SEGMENT_BYTES_MIN},
    storage::{Fault, Faulty, MemoryStorage, Storage},
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{
    io,
    path::Path,
    sync::{Arc, OnceLock},
};

const SHARD: ShardId = ShardId(0);
const DEVICE: DeviceId = DeviceId([1; 16]);

/// A deployment in memory that does what it is told, and what it reports.
struct World {
    node: SteppedEngine,
    disk: Faulty<MemoryStorage>,
    clock: ManualClock,
    chain: Arc<EmbeddedChain>,
    handle: PrometheusHandle,
}

/// Runs a test with a recorder of its own.
fn recorded(test: impl FnOnce(&mut World)) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || test(&mut World::open(handle)));
}

impl World {
    fn open(handle: PrometheusHandle) -> Self {
        let (disk, clock) = (Faulty::new(MemoryStorage::default()), ManualClock::default());
        let chain = Arc::new(OnceLock::new());
        let (opened, chain_disk, chain_clock) = (Arc::clone(&chain), disk.clone(), clock.clone());
        let config = EmbeddedConfig { slot_ms: 1000, ..EmbeddedConfig::default() };
        let chain_id = config.chain_id;
        let open = move |contract: &Contract<'_>| {
            let (genesis, key) = (contract.genesis_state_root, contract.key.words());
            let storage: Arc<dyn Storage> = Arc::new(chain_disk);
            let dir = Path::new("/chain");
            let chain = EmbeddedChain::create(&storage, dir, config, genesis, &key, Arc::new(chain_clock))?;
            Ok(Arc::clone(opened.get_or_init(|| Arc::new(chain))) as Arc<dyn BaseChain>)
        };
        let node = Engine::builder("/deployment")
            .shards(1)
            .segment_bytes(SEGMENT_BYTES_MIN)
            .prover(Arc::new(SimulatedProver::new(1, ShardCount::new(1).unwrap())))
            .batch_prover(Arc::new(SimulatedBatchProver::new(1)))
            .storage(Arc::new(disk.clone()))
            .clock(Arc::new(clock.clone()))
            .chain(chain_id, open)
            .open_stepped()
            .unwrap();
        let chain = Arc::clone(chain.get().unwrap());
        let world = Self { node, disk, clock, chain, handle };
        world.node.engine().enroll(Enrolment::host(DEVICE)).unwrap();
        world
    }

    fn submit(&self, lane: Lane, seq: u64, payload: &[u8], tag: Tag) -> Result<(), SubmitError> {
        let write = Write { device: DEVICE, seq, observed_at_ms: 1, kind: 1, payload };
        self.node.engine().try_submit(lane, &write, tag).map(drop)
    }

    fn work(&self) {
        while self.node.step_shard(SHARD) {}
    }

    /// Puts everything durable into a block.
    fn make_block(&mut self) {
        self.node.want_blocks().unwrap();
        while self.node.step_blocks() {}
    }

    /// Lets the chain get on, and the engine follow it.
    fn settle(&mut self, slots: u64) {
        for _ in 0..slots {
            self.clock.advance_ms(1000);
            self.node.step_settle();
        }
    }

    /// A sample, by its line up to the value.
    fn value(&mut self, series: &str) -> f64 {
        self.node.observe();
        let text = self.handle.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    #[track_caller]
    fn expect(&mut self, expected: &[(&str, f64)]) {
        for (series, expected) in expected {
            assert_eq!(self.value(series), *expected, "{series}");
        }
    }
}

fn refused(reason: &str) -> String {
    format!("arterial_writes_refused_total{{reason=\"{reason}\"}}")
}

#[test]
fn writes_are_counted_by_what_became_of_them() {
    recorded(|world| {
        for reason in arterial::telemetry::REASONS {
            assert_eq!(world.value(&refused(reason)), 0.0, "it begins at 0");
        }
        for seq in 0..4 {
            world.submit(Lane::Alarm, seq, b"x", Tag::Host).unwrap();
        }
        world.expect(&[("arterial_queued_writes{shard=\"0\",lane=\"alarm\"}", 4.0)]);
        world.work();
        world.submit(Lane::Routine, 3, b"x", Tag::Host).unwrap();
        world.submit(Lane::Routine, 2, b"y", Tag::Host).unwrap();
        world.submit(Lane::Routine, 9, b"x", Tag::Mac([0; 32])).unwrap();
        world.work();
        world.submit(Lane::Routine, 1 << 40, b"x", Tag::Host).unwrap_err();
        let stranger = Write { device: DeviceId([9; 16]), seq: 0, observed_at_ms: 1, kind: 1, payload: b"x" };
        let tickets = world.node.engine().submit_many(Lane::Bulk, &[(stranger, Tag::Host)]);
        world.work();
        assert!(tickets.is_answered());
        world.expect(&[
            ("arterial_writes_durable_total{lane=\"alarm\"}", 4.0),
            ("arterial_writes_durable_total{lane=\"routine\"}", 0.0),
            ("arterial_writes_repeated_total", 1.0),
            (&refused("equivocation"), 1.0),
            (&refused("unauthentic"), 1.0),
            (&refused("invalid"), 1.0),
            (&refused("unknown_device"), 1.0),
            ("arterial_queued_writes{shard=\"0\",lane=\"alarm\"}", 0.0),
            ("arterial_unsealed_records{shard=\"0\"}", 4.0),
            ("arterial_devices", 1.0),
            ("arterial_durable_latency_seconds_count{lane=\"alarm\"}", 1.0),
        ]);
    });
}

#[test]
fn full_queues_full_disks_and_broken_logs_are_told() {
    recorded(|world| {
        let mut full = 0;
        let refusal = loop {
            match world.submit(Lane::Bulk, full, b"x", Tag::Host) {
                Ok(()) => full += 1,
                Err(error) => break error,
            }
            assert!(full <= LANE_WRITES_DEFAULT as u64, "a lane has a bound");
        };
        assert!(matches!(refusal, SubmitError::Busy { .. }), "{refusal}");
        world.expect(&[
            (&refused("busy"), 1.0),
            ("arterial_queued_writes{shard=\"0\",lane=\"bulk\"}", full as f64),
        ]);
        world.work();
        world.expect(&[("arterial_writes_durable_total{lane=\"bulk\"}", full as f64)]);

        world.disk.set_full(true);
        let large = vec![0; 60_000];
        let fills = 2 * SEGMENT_BYTES_MIN / 60_000;
        for seq in full..full + fills {
            world.submit(Lane::Alarm, seq, &large, Tag::Host).unwrap();
            world.work();
        }
        let durable = world.value("arterial_writes_durable_total{lane=\"alarm\"}");
        assert!(durable > 0.0 && durable < fills as f64, "{durable}");
        world.expect(&[
            (&refused("disk_full"), fills as f64 - durable),
            ("arterial_shard_poisoned{shard=\"0\"}", 0.0),
        ]);

        world.disk.heal();
        world.clock.advance_ms(5000);
        let alarm = |world: &World, seq: u64| {
            world.submit(Lane::Alarm, full + fills + seq, &large, Tag::Host).unwrap();
            world.work();
        };
        alarm(world, 0);
        world.expect(&[("arterial_writes_durable_total{lane=\"alarm\"}", durable + 1.0)]);
        world.disk.fail_at(world.disk.operations(), Fault::Once(io::ErrorKind::Other));
        alarm(world, 1);
        alarm(world, 2);
        world.expect(&[("arterial_shard_poisoned{shard=\"0\"}", 1.0)]);
        world.expect(&[(&refused("poisoned"), 2.0)]);
    });
}

#[test]
fn blocks_are_followed_through_their_stages_and_back() {
    recorded(|world| {
        world.settle(1);
        world.submit(Lane::Routine, 0, b"x", Tag::Host).unwrap();
        world.work();
        world.make_block();
        world.expect(&[
            ("arterial_block_number{stage=\"proven\"}", 1.0),
            ("arterial_stage_blocks{stage=\"proven\"}", 1.0),
            ("arterial_stage_age_seconds{stage=\"proven\"}", 0.0),
            ("arterial_records_proven_total", 1.0),
            ("arterial_blocks_proven_total", 1.0),
            ("arterial_unsealed_records{shard=\"0\"}", 0.0),
        ]);
        for step in arterial::telemetry::BLOCK_STEPS {
            world.expect(&[(&format!("arterial_block_step_seconds_count{{step=\"{step}\"}}"), 1.0)]);
        }
        world.clock.advance_ms(7500);
        world.expect(&[("arterial_stage_age_seconds{stage=\"proven\"}", 7.5)]);
        while world.value("arterial_block_number{stage=\"posted\"}") < 1.0 {
            world.settle(1);
        }
        let gas = world.value("arterial_gas_total");
        assert!(gas > 100_000.0, "{gas}");
        world.expect(&[
            ("arterial_blocks_posted_total", 1.0),
            ("arterial_gas_blocks_total", 1.0),
            ("arterial_stage_blocks{stage=\"proven\"}", 0.0),
            ("arterial_stage_blocks{stage=\"posted\"}", 1.0),
            ("arterial_stage_age_seconds{stage=\"proven\"}", 0.0),
            ("arterial_reorgs_total", 0.0),
        ]);
        world.chain.reorganise(2).unwrap();
        world.node.step_settle();
        world.expect(&[
            ("arterial_reorgs_total", 1.0),
            ("arterial_blocks_regressed_total", 1.0),
            ("arterial_stage_blocks{stage=\"proven\"}", 1.0),
        ]);
        while world.value("arterial_block_number{stage=\"final\"}") < 1.0 {
            world.settle(1);
        }
        world.expect(&[("arterial_blocks_posted_total", 2.0), ("arterial_gas_total", 2.0 * gas)]);
        world.expect(&[("arterial_faults_total{part=\"settle\"}", 0.0), ("arterial_halted", 0.0)]);
        world.disk.set_full(true);
        world.submit(Lane::Routine, 1, b"x", Tag::Host).unwrap();
        world.work();
        world.make_block();
        world.expect(&[("arterial_faults_total{part=\"blocks\"}", 1.0)]);
    });
}
