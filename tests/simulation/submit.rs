//! What is submitted: by whom, how, how urgently, and how honestly.

use crate::{
    device::{gateway, sign_bundle, write},
    model::Attempt,
    simulation::{Answers, Simulation, Waiting},
};
use arterial::{Lane, SignedBundle, SubmitError, Tag, Tickets, Write};
use rand::RngExt as _;

impl Simulation {
    fn attempt(&mut self, device: usize) -> Attempt {
        let next = self.known[device].next_seq();
        let mut payload = format!("{{\"n\":{}}}", self.random.random::<u32>()).into_bytes();
        payload.resize(payload.len() + self.pick(200), b' ');
        let fresh = next + if self.pick(8) == 0 { self.pick(4) as u64 } else { 0 };
        let old = |seq: u64| seq.saturating_sub(1);
        let (seq, authentic) = match self.pick(20) {
            // The same again, or the same number with something else.
            0 | 1 => (old(fresh), true),
            2 => (if next > 0 { self.random.random_range(0..next) } else { 0 }, true),
            3 => (fresh, false),
            _ => (fresh, true),
        };
        if self.pick(2) == 0
            && let Some(entry) = self.known[device].records.get(&seq)
        {
            payload.clone_from(&entry.payload);
        }
        Attempt { device, seq, payload, authentic }
    }

    /// Several, of one device in order.
    fn attempts(&mut self, pick_device: impl Fn(&mut Self) -> usize) -> Vec<Attempt> {
        let count = 2 + self.pick(12);
        let mut attempts = Vec::with_capacity(count);
        for _ in 0..count {
            let device = pick_device(self);
            attempts.push(self.attempt(device));
        }
        for at in 1..attempts.len() {
            if self.pick(2) == 0 {
                let (device, seq) = (attempts[at - 1].device, attempts[at - 1].seq + 1);
                attempts[at] = Attempt { device, seq, payload: vec![b'm'; self.pick(90)], authentic: true };
            }
        }
        attempts
    }

    fn any_device(&mut self) -> usize {
        self.pick(self.devices.len())
    }

    fn lane(&mut self) -> Lane {
        Lane::ALL[self.pick(Lane::ALL.len())]
    }

    fn signed<'a>(&self, attempt: &'a Attempt) -> (Write<'a>, Tag) {
        let device = &self.devices[attempt.device];
        let write = write(device.id, attempt.seq, &attempt.payload);
        (write, if attempt.authentic { device.sign(&write) } else { device.forge(&write) })
    }

    fn log_submit(&mut self, how: &str, lane: Lane, attempts: &[Attempt]) {
        let numbers: Vec<_> = attempts.iter().map(|attempt| (attempt.device, attempt.seq)).collect();
        self.log(&format!("submit {how} {lane:?} {numbers:?}"));
    }

    pub(crate) fn submit_one(&mut self) {
        let (device, lane) = (self.any_device(), self.lane());
        let attempt = self.attempt(device);
        self.submit(lane, attempt);
    }

    pub(crate) fn submit(&mut self, lane: Lane, attempt: Attempt) {
        let attempts = vec![attempt];
        self.log_submit("one", lane, &attempts);
        let (write, tag) = self.signed(&attempts[0]);
        match self.engine().submit(lane, &write, tag) {
            Ok(ticket) => self.waiting.push(Waiting { lane, attempts, answers: Answers::One(ticket) }),
            Err(error) => self.broken(&format!("a write is not even taken: {error}")),
        }
    }

    pub(crate) fn submit_many(&mut self) {
        let lane = self.lane();
        let attempts = self.attempts(Self::any_device);
        self.submit_these(lane, attempts);
    }

    pub(crate) fn submit_these(&mut self, lane: Lane, attempts: Vec<Attempt>) {
        self.empty_other_lanes(lane);
        self.log_submit("many", lane, &attempts);
        let signed: Vec<_> = attempts.iter().map(|attempt| self.signed(attempt)).collect();
        let tickets = self.engine().submit_many(lane, &signed);
        self.answer_all(lane, attempts, tickets);
    }

    /// A bundle of the gateway's; some of its members may be others' devices, and sometimes it is not what was signed.
    pub(crate) fn submit_bundle(&mut self) {
        let gateways: Vec<usize> =
            (0..self.devices.len()).filter(|&device| self.devices[device].is_gateways()).collect();
        let attempts = self.attempts(|simulation| match simulation.pick(8) {
            0 => simulation.any_device(),
            _ => gateways[simulation.pick(gateways.len())],
        });
        let (lane, honest) = (self.lane(), self.pick(8) > 0);
        self.submit_bundle_of(lane, attempts, honest);
    }

    pub(crate) fn submit_bundle_of(&mut self, lane: Lane, mut attempts: Vec<Attempt>, honest: bool) {
        for attempt in &mut attempts {
            attempt.authentic = self.devices[attempt.device].is_gateways();
        }
        self.empty_other_lanes(lane);
        self.log_submit(if honest { "bundle" } else { "forged bundle" }, lane, &attempts);
        let writes: Vec<Write<'_>> = attempts
            .iter()
            .map(|attempt| write(self.devices[attempt.device].id, attempt.seq, &attempt.payload))
            .collect();
        let seed: [u8; 32] = self.random.random();
        let signed = if honest { &writes[..] } else { &writes[1..] };
        let (key, signature) = (gateway().verification_key().into(), sign_bundle(&seed, signed));
        let bundle = SignedBundle { key, seed, signature, writes: &writes };
        match self.engine().submit_bundle(lane, &bundle) {
            Ok(tickets) if honest => self.answer_all(lane, attempts, tickets),
            Err(SubmitError::BundleSignature { .. }) if !honest => {}
            other => self.broken(&format!("a bundle, signed {honest}, was answered {other:?}")),
        }
    }

    /// The tickets of one call are answered together when the last shard has answered. What else waits must be answered
    /// before or after all of them, in the order of the model: so nothing waits in another lane, where it could come
    /// between, and nothing else happens until all is answered.
    fn empty_other_lanes(&mut self, lane: Lane) {
        if self.waiting.iter().any(|waiting| waiting.lane != lane) {
            self.drain();
        }
    }

    fn answer_all(&mut self, lane: Lane, attempts: Vec<Attempt>, tickets: Tickets) {
        self.waiting.push(Waiting { lane, attempts, answers: Answers::Many(tickets) });
        self.step_all_shards();
    }
}
