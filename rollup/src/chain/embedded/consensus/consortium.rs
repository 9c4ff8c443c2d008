//! All validators of a chain in this process, and what happens between them.

use super::{
    Consensus, Pool,
    agreed::Agreed,
    ballot::BlockId,
    candidate::CANDIDATE_BYTES_MAX,
    certificate::Certificate,
    faults::Conduct,
    network::{Event, Network},
    post_of,
    record::{Message, Record, shortened},
    validator::{Effects, Sent, Validator, View},
};
use crate::chain::{
    ChainError,
    embedded::{
        Check, FRAME_BYTES_MAX, TRANSACTIONS_MAX, Transaction,
        evm::Executed,
        frame::{Frame, Header},
        history::Writer,
        ledger::Ledger,
    },
};
use arterial_storage::Clock;
use std::{cmp::Ordering, mem, sync::Arc};

/// The last time that a clock can reach, so that counting on from there never overflows.
const NOW_US_MAX: u64 = u64::MAX / 4;
/// Bytes of records from which on a step takes no further event.
const STEP_BYTES_MAX: usize = FRAME_BYTES_MAX / 4;
// The last event may be a proposer's that makes two blocks, and refuses everything else that waits.
const _: () = assert!(STEP_BYTES_MAX + 2 * CANDIDATE_BYTES_MAX + TRANSACTIONS_MAX * 2048 <= FRAME_BYTES_MAX);

pub(in crate::chain::embedded) struct Consortium {
    genesis_ms: u64,
    agreed: Agreed,
    pool: Pool,
    check: Option<Box<dyn Check>>,
    validators: Vec<Validator>,
    network: Network,
    /// What has been done up to here. It is the clock's time unless there is more to do than one call may take.
    now_us: u64,
    /// The newest height that has been begun with, and when.
    begun: (u64, u64),
    writer: Writer,
    clock: Arc<dyn Clock>,
}

/// What came of some events that go on record together.
#[derive(Default)]
struct Step {
    records: Vec<Record>,
    bytes: usize,
    /// Messages among the records, which get their numbers in this order.
    said: u32,
    sent: Vec<Sending>,
    decision: Option<Certificate>,
}

/// A message to be sent, or two that contradict each other, with their numbers.
struct Sending {
    from: u32,
    at_us: u64,
    messages: Vec<(Option<u32>, Arc<Message>)>,
}

impl Consortium {
    /// Goes on where the records end; or says what does not fit in them.
    pub(in crate::chain::embedded) fn new(
        header: &Header,
        mut agreed: Agreed,
        writer: Writer,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let (config, genesis_ms) = (&header.config, header.genesis_ms);
        // What it was about may have been mended meanwhile: it is looked at again.
        agreed.refusals.clear();
        let validators = (0..agreed.stakes.len()).map(|number| Validator::new(config, number)).collect();
        let network = Network::new(config.slot_ms, config.seed ^ agreed.height.rotate_left(32));
        let mut this = Self {
            genesis_ms,
            pool: Pool::new(),
            check: None,
            validators,
            network,
            now_us: 0,
            begun: (agreed.height, 0),
            agreed,
            writer,
            clock,
        };
        this.now_us = this.clock_us().max(this.slot_start_us(this.agreed.slot));
        if this.agreed.is_under_way() {
            this.resume()?;
        }
        Ok(this)
    }

    /// Brings every validator to where it was, and lets it hear again what may have been on its way.
    fn resume(&mut self) -> Result<(), String> {
        for (validator, input) in &self.agreed.inputs {
            let validator = usize::try_from(*validator).ok().and_then(|at| self.validators.get_mut(at));
            let done = validator.ok_or("there is no such validator")?.replay(*input, &self.agreed)?;
            if let Some(certificate) = done.decision {
                self.network.schedule(self.now_us, Event::Decided(certificate));
            }
        }
        self.begun = (self.agreed.height + 1, self.now_us);
        (0..self.agreed.stakes.len()).for_each(|validator| self.join(validator));
        Ok(())
    }

    pub(in crate::chain::embedded) fn check_with(&mut self, check: Box<dyn Check>) {
        self.check = Some(check);
    }

    /// False if there is no such validator.
    pub(in crate::chain::embedded) fn set_conduct(&mut self, validator: u32, conduct: Conduct) -> bool {
        let found = usize::try_from(validator).ok().and_then(|at| self.validators.get_mut(at));
        let Some(found) = found else { return false };
        let was = mem::replace(&mut found.conduct, conduct);
        if was == Conduct::Offline && conduct != Conduct::Offline {
            self.join(validator);
        }
        true
    }

    fn clock_us(&self) -> u64 {
        let since_genesis_ms = self.clock.now_ms().saturating_sub(self.genesis_ms);
        since_genesis_ms.saturating_mul(1000).min(NOW_US_MAX)
    }

    fn slot_start_us(&self, slot: u64) -> u64 {
        slot.saturating_mul(self.network.slot_us()).min(NOW_US_MAX)
    }

    const fn slot(&self, at_us: u64) -> u64 {
        at_us / self.network.slot_us()
    }

    /// Begins with the next height in the next slot, if there is anything to decide.
    fn begin(&mut self) {
        let height = self.agreed.height + 1;
        let is_wanted = !self.pool.is_empty() || !self.agreed.evidence.is_empty();
        if is_wanted && self.begun.0 < height {
            let at_us = self.slot_start_us(self.slot(self.now_us) + 1);
            self.begun = (height, at_us);
            self.network.schedule(at_us, Event::Begin { height });
        }
    }

    fn join(&mut self, validator: u32) {
        let at_us = self.now_us + self.delay_us(validator) + self.network.latency_us();
        self.network.schedule(at_us.max(self.begun.1), Event::Join { validator });
    }

    fn delay_us(&self, validator: u32) -> u64 {
        self.validators[validator as usize].conduct.delay_us().min(NOW_US_MAX)
    }

    /// More events than that are left to the next call: some twenty rounds of votes.
    fn events_max(&self) -> usize {
        64 * (self.validators.len().pow(2) + 16)
    }

    /// Lets happen what happens within the least time that a message takes, records it, and only then sends the messages.
    /// Returns how many events that were.
    fn step(&mut self, ledger: &mut Ledger, start_us: u64, until_us: u64) -> Result<usize, ChainError> {
        let end_us = start_us.saturating_add(self.network.latency_min_us().max(1)).min(until_us + 1);
        let (mut step, mut events) = (Step::default(), 0);
        while step.bytes <= STEP_BYTES_MAX
            && let Some((at_us, event)) = self.network.take_before(end_us)
        {
            self.now_us = at_us;
            events += 1;
            self.happen(ledger, event, &mut step);
        }
        let decision = step.decision.take();
        let refuses = step.records.iter().any(|record| matches!(record, Record::Refusal { .. }));
        // Last, as nothing of its height counts after it.
        step.records.extend(decision.clone().map(Record::Decision));
        if !step.records.is_empty() {
            self.writer.append(&Frame::Consensus(step.records.clone()))?;
        }
        if let Some(certificate) = &decision {
            self.take_out(certificate.block);
        }
        for record in step.records {
            self.agreed.apply(record, ledger).map_err(ChainError::Misuse)?;
        }
        self.send(step.sent);
        if decision.is_some() || refuses {
            self.sort_out(ledger)?;
        }
        Ok(events)
    }

    fn happen(&mut self, ledger: &Ledger, event: Event, step: &mut Step) {
        let validator = match &event {
            Event::Begin { height } => {
                if *height == self.agreed.height + 1 {
                    (0..self.agreed.stakes.len()).for_each(|validator| self.join(validator));
                }
                return;
            }
            Event::Decided(certificate) => return self.decide(certificate.clone(), step),
            Event::Join { validator } | Event::TimeOut { validator, .. } => *validator,
            Event::Arrival { to, .. } => *to,
        };
        let mut done = Effects::default();
        let slot = self.slot(self.now_us);
        let Self { agreed, pool, check, validators, begun, .. } = self;
        let view = View { agreed, ledger, pool, check: check.as_deref(), slot };
        let one = &mut validators[validator as usize];
        if one.conduct == Conduct::Offline {
            return;
        }
        let mut is_behind = false;
        match event {
            Event::Arrival { at, message, .. } => one.hear(&view, at, &message, &mut done),
            Event::TimeOut { height, timeout, .. } => one.time_out(&view, height, timeout, &mut done),
            Event::Join { .. } => {
                let height = view.agreed.height + 1;
                // Else it is told to join when the height begins.
                is_behind = begun.0 == height;
                if is_behind && !one.is_at(height) {
                    one.start(&view, &mut done);
                }
            }
            Event::Begin { .. } | Event::Decided(_) => {}
        }
        if is_behind {
            self.catch_up(validator);
        }
        self.take_over(validator, done, step);
    }

    /// Sends a validator what it missed of the height that's not decided, and lets it wait for what it waits for.
    fn catch_up(&mut self, validator: u32) {
        let one = &self.validators[validator as usize];
        let height = self.agreed.height + 1;
        if !one.is_at(height) {
            return;
        }
        let waits = one.waits();
        let missed: Vec<_> = (0..)
            .zip(&self.agreed.messages)
            .filter(|(at, message)| message.signed.ballot.validator != validator && !one.has_heard(*at))
            .map(|(at, message)| (at, Arc::clone(message)))
            .collect();
        for (at, message) in missed {
            let at_us = self.now_us + self.network.latency_us() + self.delay_us(validator);
            self.network.schedule(at_us, Event::Arrival { to: validator, at: Some(at), message });
        }
        for timeout in waits {
            let at_us = self.now_us.saturating_add(self.network.patience_us(timeout));
            self.network.schedule(at_us, Event::TimeOut { validator, height, timeout });
        }
    }

    /// Takes over what a validator did; its messages are not sent before that is recorded.
    fn take_over(&mut self, validator: u32, done: Effects, step: &mut Step) {
        let Effects { records, sent, waits, decision } = done;
        let mut recorded = records;
        for Sent { message, twin } in sent {
            let mut messages = Vec::new();
            for message in [Some(message), twin].into_iter().flatten() {
                // Of a height that is decided nothing need be known after a restart.
                let is_open = message.signed.ballot.height == self.agreed.height + 1;
                let said = self.agreed.messages.len() as u64 + u64::from(step.said);
                let at = u32::try_from(said).ok().filter(|_| is_open);
                if is_open {
                    step.said += 1;
                    recorded.push(Record::Message(Arc::clone(&message)));
                }
                messages.push((at, message));
            }
            step.sent.push(Sending { from: validator, at_us: self.now_us, messages });
        }
        let mut encoded = Vec::new();
        recorded.iter().for_each(|record| record.encode(&mut encoded));
        step.bytes += encoded.len();
        step.records.extend(recorded);
        if let Some(height) = self.validators[validator as usize].height() {
            for timeout in waits {
                let at_us = self.now_us.saturating_add(self.network.patience_us(timeout));
                self.network.schedule(at_us, Event::TimeOut { validator, height, timeout });
            }
        }
        if let Some(certificate) = decision {
            self.decide(certificate, step);
        }
    }

    /// What one validator decides is decided, unless another decided something else.
    fn decide(&mut self, certificate: Certificate, step: &mut Step) {
        let known = match certificate.height.cmp(&self.agreed.height) {
            Ordering::Greater => step.decision.as_ref().map(|decision| decision.block),
            Ordering::Equal => Some(self.agreed.parent),
            // Of somebody who is that late; what was decided then is behind a certificate of its own.
            Ordering::Less => return,
        };
        match known {
            None => step.decision = Some(certificate),
            Some(block) if block == certificate.block => {}
            Some(block) => {
                let Certificate { height, block: other, .. } = certificate;
                let what = format!(
                    "height {height} was decided twice, as {block} and as {other}: a third of the stake voted for both"
                );
                tracing::error!(what, "the chain has forked");
                step.records.push(Record::Fork(shortened(what)));
            }
        }
    }

    /// Puts messages on their way. Of two that contradict each other, one half of the others hears the one first, the other
    /// half the other.
    fn send(&mut self, sent: Vec<Sending>) {
        for Sending { from, at_us, messages } in sent {
            for to in (0..self.agreed.stakes.len()).filter(|to| *to != from) {
                let turned = messages.iter().cycle().skip(to as usize % 2).take(messages.len());
                let mut at_us = at_us.saturating_add(self.delay_us(from)).saturating_add(self.delay_us(to));
                for (at, message) in turned {
                    let arrival_us = at_us.saturating_add(self.network.latency_us());
                    let (at, message) = (*at, Arc::clone(message));
                    self.network.schedule(arrival_us, Event::Arrival { to, at, message });
                    at_us = at_us.saturating_add(4 * self.network.latency_max_us());
                }
            }
        }
    }

    /// Takes what a block has out of what waits.
    fn take_out(&mut self, block: BlockId) {
        let mut proposed = self.agreed.messages.iter().filter_map(|message| message.candidate.as_ref());
        let Some(candidate) = proposed.find(|candidate| candidate.id() == block) else { return };
        for (included, _) in &candidate.block.transactions {
            if let Some(at) = self.pool.iter().position(|(transaction, _)| transaction == included) {
                self.pool.remove(at);
            }
        }
    }

    /// Takes out of what waits what so many refuse that it can't be decided, and what would fail now as it would not have
    /// before.
    fn sort_out(&mut self, ledger: &Ledger) -> Result<(), ChainError> {
        let waited = mem::take(&mut self.pool);
        for (transaction, expected) in waited {
            let post = post_of(&transaction, expected.receipt.success);
            let is_refused = post.is_some_and(|(number, root)| self.agreed.refusal(number, root).is_some());
            if is_refused {
                continue;
            }
            let executed = ledger.simulate(&self.pool, &transaction)?;
            if executed.receipt.success || !expected.receipt.success {
                self.pool.push((transaction, executed));
            }
        }
        Ok(())
    }
}

impl Consensus for Consortium {
    fn advance(&mut self, ledger: &mut Ledger) -> Result<(), ChainError> {
        self.writer.check()?;
        let until_us = self.clock_us().max(self.now_us);
        let mut left = self.events_max();
        while left > 0 && self.agreed.fork.is_none() {
            self.begin();
            match self.network.next_us().filter(|next| *next <= until_us) {
                Some(next) => left = left.saturating_sub(self.step(ledger, next, until_us)?),
                None => {
                    self.now_us = until_us;
                    break;
                }
            }
        }
        Ok(())
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn submit(&mut self, _: &Ledger, transaction: Transaction, executed: Executed) -> Result<(), ChainError> {
        if let Some(what) = &self.agreed.fork {
            return Err(ChainError::Forked { what: what.clone() });
        }
        if let Some((number, root)) = post_of(&transaction, executed.receipt.success)
            && let Some(fault) = self.agreed.refusal(number, root)
        {
            return Err(ChainError::Refused { number, what: fault.to_owned() });
        }
        if self.pool.len() == TRANSACTIONS_MAX {
            let what =
                format!("{TRANSACTIONS_MAX} transactions are pending; send again when a block is decided");
            return Err(ChainError::Misuse(what));
        }
        self.pool.push((transaction, executed));
        Ok(())
    }

    /// What is decided stays; what waits is forgotten, and what was found of it.
    fn reorganise(&mut self, _: &mut Ledger, _: u64) -> Result<(), ChainError> {
        self.pool.clear();
        self.agreed.refusals.clear();
        self.validators.iter_mut().for_each(Validator::check_again);
        Ok(())
    }

    fn agreed(&self) -> Option<&Agreed> {
        Some(&self.agreed)
    }

    fn consortium(&mut self) -> Option<&mut Consortium> {
        Some(self)
    }
}
