//! What can happen in a simulation, but for what is submitted.

use crate::{
    model::Truth,
    simulation::{SLOT_MS, STRANGER, Simulation},
};
use arterial::{EngineError, EnrolError, ShardError, protocol::ShardId, storage::Fault};
use rand::RngExt as _;
use std::io::ErrorKind;

impl Simulation {
    /// One thing that happens.
    pub(crate) fn act(&mut self) {
        self.step += 1;
        match self.pick(100) {
            0..25 => self.submit_one(),
            25..31 => self.submit_many(),
            31..36 => self.submit_bundle(),
            36..40 => self.enrol(),
            40..62 => self.step_shard(),
            62..71 => self.step_blocks(),
            71..75 => self.want_blocks(),
            75..84 => self.step_settle(),
            84..89 => self.advance(),
            89..94 => self.ask_receipt(),
            94..96 => self.inject(),
            96 => self.reorganise(),
            97 => self.space(),
            98 if self.pick(6) == 0 => self.destroy_keys(),
            98 => self.step_blocks(),
            _ => self.restart_somehow(),
        }
        if self.disk.is_crashed() {
            // What it struck is told first: the rest was never tried.
            self.judge_answered();
            self.log("power was lost");
            self.restart_somehow();
        }
        self.judge_answered();
        self.check_state();
    }

    pub(crate) fn step_all_shards(&mut self) {
        for shard in 0..self.shards.get() as usize {
            while self.step_this_shard(shard) {}
        }
        self.judge_answered();
    }

    /// Works off what waits in each lane, and takes in the answers one group after the other: among lanes, writes are not
    /// answered in the order in which they were submitted.
    pub(crate) fn drain(&mut self) {
        for shard in 0..self.shards.get() as usize {
            while self.step_this_shard(shard) {
                self.judge_answered();
            }
        }
    }

    fn enrol(&mut self) {
        let count = 1 + self.pick(2);
        let devices: Vec<usize> = (0..count).map(|_| self.pick(STRANGER)).collect();
        self.enrol_these(&devices);
    }

    pub(crate) fn enrol_these(&mut self, devices: &[usize]) {
        let enrolments: Vec<_> = devices.iter().map(|&device| self.devices[device].enrolment()).collect();
        // Those who already wait may write under it.
        for &device in devices {
            if self.known[device].enrolled == Truth::No {
                self.known[device].enrolled = Truth::Doubt;
            }
        }
        let outcomes = self.engine().enroll_many(&enrolments);
        for (&device, outcome) in devices.iter().zip(outcomes) {
            self.log(&format!("enrol {device}: {:?}", outcome.as_ref().map(|enrolled| enrolled.slot).ok()));
            let shard = self.devices[device].shard(self.shards);
            match outcome {
                Ok(_) => self.known[device].enrolled = Truth::Yes,
                Err(EnrolError::Shard(error)) => match &*error {
                    ShardError::Poisoned { .. } => self.note_poison(shard),
                    ShardError::Io { .. } => {}
                    _ => self.broken(&format!("an enrolment was refused: {error}")),
                },
                Err(EnrolError::Closed) if self.disk.is_crashed() => {}
                Err(error) => self.broken(&format!("an enrolment was refused: {error}")),
            }
        }
    }

    pub(crate) fn step_shard(&mut self) {
        let shard = self.pick(self.shards.get() as usize);
        self.step_this_shard(shard);
    }

    pub(crate) fn step_this_shard(&mut self, shard: usize) -> bool {
        let id = ShardId(u32::try_from(shard).expect("few shards"));
        let worked = self.node().step_shard(id);
        self.log(&format!("step shard {shard}: {worked}"));
        worked
    }

    pub(crate) fn step_blocks(&mut self) {
        let made = self.node().step_blocks();
        let state = self.engine().state();
        self.log(&format!("step blocks: {made}, {} {:?}", state.proven, state.state_root));
        if made {
            self.record_files();
        }
    }

    pub(crate) fn want_blocks(&mut self) {
        let wanted = self.node().want_blocks();
        self.log(&format!("want blocks: {:?}", wanted.ok()));
    }

    pub(crate) fn step_settle(&mut self) {
        let went = self.node().step_settle();
        let state = self.engine().state();
        self.log(&format!("step settle: {went}, {} {}", state.posted, state.finalized));
    }

    fn advance(&mut self) {
        let ms = self.random.random_range(0..3 * SLOT_MS);
        self.log(&format!("advance {ms}"));
        self.clock.advance_ms(ms);
    }

    /// Asks for a receipt of anything; one that is given is kept for the end.
    fn ask_receipt(&mut self) {
        let device = self.pick(self.devices.len());
        let next = self.known[device].next_seq();
        let seq = self.random.random_range(0..next + 2);
        let answer = self.engine().receipt(self.devices[device].id, seq);
        self.log(&format!("receipt of {device} {seq}: {}", answer.is_ok()));
        match answer {
            Ok(receipt) => {
                self.check_receipt(device, seq, &receipt);
                self.receipts.push((device, seq, receipt.encode()));
            }
            Err(error) => self.check_refusal(device, seq, &error),
        }
    }

    fn check_refusal(&self, device: usize, seq: u64, error: &EngineError) {
        let known = &self.known[device];
        let durable = known.records.get(&seq).is_some_and(|entry| entry.durable);
        let fits = match error {
            EngineError::NotProven { .. } => known.records.contains_key(&seq) || !self.waiting.is_empty(),
            EngineError::Shard(ShardError::UnknownRecord { .. }) => !durable,
            EngineError::Shard(ShardError::UnknownDevice { .. }) => known.enrolled != Truth::Yes,
            EngineError::Shard(ShardError::KeysDestroyed { .. }) => known.destroyed != Truth::No,
            error => is_io(error) || self.disk.is_crashed(),
        };
        if !fits {
            self.broken(&format!("receipt of device {device}, seq {seq}: {error}"));
        }
    }

    /// Something will go wrong soon.
    fn inject(&mut self) {
        let fault = match self.pick(5) {
            0 => Fault::Once(ErrorKind::Other),
            1 => Fault::Short(self.pick(600)),
            2 => Fault::CrashAfter(self.pick(600)),
            3 => Fault::Kill(self.pick(3) * 300),
            _ => Fault::Crash,
        };
        let operation = self.disk.operations() + self.pick(6) as u64;
        self.log(&format!("inject {fault:?} at {operation}"));
        self.disk.fail_at(operation, fault);
    }

    /// The disk is full, or no longer.
    fn space(&mut self) {
        let full = self.pick(3) == 0;
        self.log(&format!("full: {full}"));
        self.disk.set_full(full);
    }

    fn reorganise(&mut self) {
        let depth = 1 + self.pick(4) as u64;
        let outcome = self.chain().reorganise(depth);
        self.log(&format!("reorganise {depth}: {}", outcome.is_ok()));
    }

    fn destroy_keys(&mut self) {
        let device = self.pick(self.devices.len());
        self.destroy_keys_of(device);
    }

    pub(crate) fn destroy_keys_of(&mut self, device: usize) {
        if self.known[device].destroyed == Truth::No {
            self.known[device].destroyed = Truth::Doubt;
        }
        let outcome = self.engine().destroy_keys(self.devices[device].id);
        self.log(&format!("destroy keys of {device}: {}", outcome.is_ok()));
        match outcome {
            Ok(()) => self.known[device].destroyed = Truth::Yes,
            Err(EngineError::Shard(ShardError::UnknownDevice { .. })) => {
                if self.known[device].enrolled == Truth::Yes {
                    self.broken("an enrolled device is unknown");
                }
                self.known[device].destroyed = Truth::No;
            }
            Err(_) => {}
        }
    }
}

fn is_io(error: &EngineError) -> bool {
    let text = error.to_string();
    text.contains("simulated") || matches!(error, EngineError::Shard(ShardError::Io { .. }))
}
