//! One validator: what it hears, checks, signs and says.

use super::{
    Pool,
    agreed::Agreed,
    ballot::{Ballot, BlockId, Kind, Signed},
    candidate::{BLOCK_CALLDATA_BYTES_MAX, Candidate},
    certificate::Certificate,
    evidence::{ROUNDS_MAX, Watch},
    faults::Conduct,
    machine::{Machine, Output, Timeout, Told, machine},
    post_of,
    record::{Input, Message, Record, shortened},
    stake::{Stakes, signing_key},
};
use crate::chain::{
    contract::Call,
    embedded::{Check, EmbeddedConfig, Transaction, Verdict, ledger::Ledger},
};
use arterial_protocol::{BlockNumber, FieldElement, StateRoot};
use ed25519_zebra::SigningKey;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// What a validator sees of the chain.
pub(super) struct View<'a> {
    pub(super) agreed: &'a Agreed,
    pub(super) ledger: &'a Ledger,
    pub(super) pool: &'a Pool,
    pub(super) check: Option<&'a dyn Check>,
    pub(super) slot: u64,
}

/// What a validator did, in order. Nothing of it counts before the records are on disk.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) records: Vec<Record>,
    pub(super) sent: Vec<Sent>,
    pub(super) waits: Vec<Timeout>,
    pub(super) decision: Option<Certificate>,
}

/// A message to all others; or to one half of them, with another one to the other half.
pub(super) struct Sent {
    pub(super) message: Arc<Message>,
    pub(super) twin: Option<Arc<Message>>,
}

pub(super) struct Validator {
    number: u32,
    key: SigningKey,
    pub(super) conduct: Conduct,
    running: Option<Running>,
    /// Blocks of the rollup that it checked, and what was wrong with them.
    verdicts: BTreeMap<(BlockNumber, [u8; 32]), Result<(), String>>,
    watch: Watch,
}

/// The height at which a validator is.
struct Running {
    height: u64,
    stakes: Stakes,
    machine: Box<dyn Machine>,
    /// Messages by their number.
    heard: BTreeSet<u32>,
    candidates: BTreeMap<BlockId, Arc<Candidate>>,
    /// What its machine waits for.
    waits: Vec<Timeout>,
    is_decided: bool,
}

impl Validator {
    pub(super) fn new(config: &EmbeddedConfig, number: u32) -> Self {
        Self {
            number,
            key: signing_key(config, number),
            conduct: Conduct::Honest,
            running: None,
            verdicts: BTreeMap::new(),
            watch: Watch::default(),
        }
    }

    /// The height at which it is, if it has begun with any.
    pub(super) fn height(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.height)
    }

    pub(super) fn is_at(&self, height: u64) -> bool {
        self.height() == Some(height)
    }

    pub(super) fn has_heard(&self, at: u32) -> bool {
        self.running.as_ref().is_some_and(|running| running.heard.contains(&at))
    }

    /// What it waits for at its height.
    pub(super) fn waits(&self) -> Vec<Timeout> {
        self.running.as_ref().map_or_else(Vec::new, |running| running.waits.clone())
    }

    /// Forgets what it found of the rollup's blocks.
    pub(super) fn check_again(&mut self) {
        self.verdicts.clear();
    }

    /// Begins with the next height.
    pub(super) fn start(&mut self, view: &View<'_>, done: &mut Effects) {
        if view.agreed.stakes.stake(self.number) == 0 {
            return;
        }
        self.verdicts.retain(|(number, _), _| !view.ledger.is_taken(*number));
        self.enter(view.agreed);
        self.record(view.agreed, Input::Start, done);
        self.tell_round(0, Some(view), view.agreed, done);
    }

    fn enter(&mut self, agreed: &Agreed) {
        let (height, stakes) = (agreed.height + 1, agreed.stakes.clone());
        self.watch.next_height(height);
        self.running = Some(Running {
            height,
            machine: machine(self.number, height, &stakes),
            stakes,
            heard: BTreeSet::new(),
            candidates: BTreeMap::new(),
            waits: Vec::new(),
            is_decided: false,
        });
    }

    /// A message came in, with its number if it is of the height that's not decided.
    pub(super) fn hear(&mut self, view: &View<'_>, at: Option<u32>, message: &Message, done: &mut Effects) {
        let Some(running) = &mut self.running else { return };
        let (signed, ballot) = (message.signed, message.signed.ballot);
        let is_ahead = ballot.height > running.height || ballot.round >= ROUNDS_MAX;
        let is_due = ballot.height == running.height;
        if is_ahead || at.is_some_and(|at| is_due && !running.heard.insert(at)) {
            return;
        }
        if let Err(fault) = signed.check(view.agreed.chain, &running.stakes) {
            tracing::warn!(validator = self.number, fault, "a validator takes no notice of a ballot");
            return;
        }
        if let Some(evidence) = self.watch.see(signed)
            && !view.agreed.evidence.contains_key(&evidence.validator())
            && view.agreed.stakes.stake(evidence.validator()) > 0
        {
            done.records.push(Record::Evidence(evidence));
        }
        if !is_due || running.is_decided {
            return;
        }
        let valid = match &message.candidate {
            None => true,
            Some(candidate) => match self.receive(view, ballot, candidate, done) {
                Some(valid) => valid,
                None => return,
            },
        };
        if let Some(at) = at {
            self.record(view.agreed, Input::Message { at, valid }, done);
        }
        self.tell(told(signed, valid), Some(view), view.agreed, done);
    }

    /// Looks at a proposed block; `None` if it is of no interest, else whether it may be voted for.
    fn receive(
        &mut self,
        view: &View<'_>,
        ballot: Ballot,
        candidate: &Arc<Candidate>,
        done: &mut Effects,
    ) -> Option<bool> {
        let running = self.running.as_mut()?;
        // Whoever is behind what is decided takes that over; its state is no more.
        let is_due = running.height == view.agreed.height + 1;
        let is_proposers = running.stakes.proposer(ballot.round) == Some(ballot.validator);
        if !is_due || !is_proposers || ballot.block != Some(candidate.id()) {
            return None;
        }
        running.candidates.insert(candidate.id(), Arc::clone(candidate));
        match self.judge(view, candidate, done) {
            Ok(()) => Some(true),
            Err(fault) => {
                tracing::debug!(validator = self.number, fault, "a validator won't vote for a block");
                Some(false)
            }
        }
    }

    /// Whether a block follows all rules, or which one it breaks.
    fn judge(&mut self, view: &View<'_>, candidate: &Candidate, done: &mut Effects) -> Result<(), String> {
        let (agreed, height) = (view.agreed, view.agreed.height + 1);
        let rules = [
            (candidate.parent == agreed.parent, "it follows another block"),
            (candidate.block.height == height, "it is of another height"),
            (candidate.slot > agreed.slot, "it is no later than the block before it"),
            (candidate.slot <= view.slot, "it is of a time to come"),
            (candidate.is_well_formed(), "it is too large, or slashes somebody twice"),
        ];
        for (holds, otherwise) in rules {
            if !holds {
                return Err(otherwise.into());
            }
        }
        for evidence in &candidate.evidence {
            evidence.check(agreed.chain, &agreed.stakes, height)?;
        }
        match candidate.is_executed(view.ledger) {
            Ok(true) => {}
            Ok(false) => return Err("its transactions do something else".into()),
            Err(error) => return Err(error.to_string()),
        }
        for (transaction, receipt) in &candidate.block.transactions {
            if let Some((number, root)) = post_of(transaction, receipt.success) {
                self.attest(view, number, root, done)?;
            }
        }
        Ok(())
    }

    /// Checks a block of the rollup, once; or says why it won't vote for it.
    fn attest(
        &mut self,
        view: &View<'_>,
        number: BlockNumber,
        root: [u8; 32],
        done: &mut Effects,
    ) -> Result<(), String> {
        if self.conduct == Conduct::Careless {
            return Ok(());
        }
        if let Some(known) = self.verdicts.get(&(number, root)) {
            return known.clone();
        }
        let bytes = root;
        let root = FieldElement::from_be_bytes(root).map(StateRoot).ok_or("its root is not canonical")?;
        let verdict = view.check.map_or_else(
            || Verdict::Unavailable("the validators have nothing to check with".into()),
            |check| check.check(number, root),
        );
        let found = match verdict {
            Verdict::Unavailable(fault) => {
                tracing::warn!(%number, fault, "a validator can't check a block now");
                return Err(fault);
            }
            Verdict::Valid => Ok(()),
            Verdict::Invalid(fault) => Err(shortened(fault)),
        };
        if let Err(fault) = &found
            && !view.agreed.knows_refusal(self.number, number, root)
        {
            tracing::error!(validator = self.number, %number, fault, "a validator refuses a block");
            let (validator, fault) = (self.number, fault.clone());
            done.records.push(Record::Refusal { validator, number, root, fault });
        }
        self.verdicts.insert((number, bytes), found.clone());
        found
    }

    /// What it waited for is over.
    pub(super) fn time_out(&mut self, view: &View<'_>, height: u64, timeout: Timeout, done: &mut Effects) {
        let Some(running) = self.running.as_mut().filter(|running| running.height == height) else { return };
        let waited = running.waits.iter().position(|wait| *wait == timeout);
        if waited.map(|at| running.waits.swap_remove(at)).is_some() && !running.is_decided {
            self.record(view.agreed, Input::Timeout(timeout), done);
            self.tell(Told::Timeout(timeout), Some(view), view.agreed, done);
        }
    }

    /// Goes through what it was told before a restart, and ends where it was; or says what does not fit.
    pub(super) fn replay(&mut self, input: Input, agreed: &Agreed) -> Result<Effects, String> {
        let mut done = Effects::default();
        if input == Input::Start {
            self.enter(agreed);
            self.tell_round(0, None, agreed, &mut done);
        }
        let running = self.running.as_mut().ok_or("a validator that did not begin was told something")?;
        match input {
            Input::Start => {}
            Input::Message { at, valid } => {
                let message = usize::try_from(at).ok().and_then(|at| agreed.messages.get(at));
                let message = message.ok_or("a validator heard what nobody said")?;
                if let Some(candidate) = &message.candidate {
                    running.candidates.insert(candidate.id(), Arc::clone(candidate));
                }
                running.heard.insert(at);
                self.watch.see(message.signed);
                self.tell(told(message.signed, valid), None, agreed, &mut done);
            }
            Input::Timeout(timeout) => {
                running.waits.retain(|wait| *wait != timeout);
                self.tell(Told::Timeout(timeout), None, agreed, &mut done);
            }
        }
        let is_said =
            |sent: &Sent| agreed.messages.iter().any(|message| message.signed == sent.message.signed);
        match done.sent.iter().all(is_said) {
            true => Ok(done),
            false => Err(format!("validator {} said something else than it would now", self.number)),
        }
    }

    fn record(&self, agreed: &Agreed, input: Input, done: &mut Effects) {
        // Of a height that is decided nothing is needed any more.
        if self.is_at(agreed.height + 1) {
            done.records.push(Record::Input { validator: self.number, input });
        }
    }

    fn tell_round(&mut self, round: u32, view: Option<&View<'_>>, agreed: &Agreed, done: &mut Effects) {
        let proposer = self.running.as_ref().and_then(|running| running.stakes.proposer(round));
        if let Some(proposer) = proposer {
            self.tell(Told::Round { round, proposer }, view, agreed, done);
        }
    }

    /// Tells its machine something, and does what that wants. Without a view it goes by what is on record.
    fn tell(&mut self, told: Told, view: Option<&View<'_>>, agreed: &Agreed, done: &mut Effects) {
        let mut tell = VecDeque::from([told]);
        while let Some(told) = tell.pop_front() {
            let Some(running) = &mut self.running else { return };
            for output in running.machine.handle(told) {
                tell.extend(self.obey(output, view, agreed, done));
            }
        }
    }

    /// Does what its machine wants; what that is to be told next.
    fn obey(
        &mut self,
        output: Output,
        view: Option<&View<'_>>,
        agreed: &Agreed,
        done: &mut Effects,
    ) -> Option<Told> {
        let running = self.running.as_mut()?;
        let (validator, height) = (self.number, running.height);
        match output {
            Output::Round(round) => {
                running.stakes.proposer(round).map(|proposer| Told::Round { round, proposer })
            }
            Output::NeedBlock(round) => {
                let candidate = match view {
                    Some(view) => Arc::new(self.make(view, done)),
                    None => self.proposed(round, agreed)?,
                };
                let block = candidate.id();
                self.running.as_mut()?.candidates.insert(block, candidate);
                Some(Told::Block { round, block })
            }
            Output::Propose { round, block, valid_round } => {
                let kind = Kind::Proposal;
                let ballot = Ballot { validator, height, round, kind, block: Some(block), valid_round };
                let signed = self.say(ballot, agreed, done)?;
                Some(Told::Proposal { signed, valid: true })
            }
            Output::Vote { precommit, round, block } => {
                let kind = if precommit { Kind::Precommit } else { Kind::Prevote };
                let ballot = Ballot { validator, height, round, kind, block, valid_round: None };
                self.say(ballot, agreed, done).map(Told::Vote)
            }
            Output::Wait(timeout) => {
                running.waits.push(timeout);
                done.waits.push(timeout);
                None
            }
            Output::Decide { round, block, signatures } => {
                running.is_decided = true;
                done.decision = Some(Certificate { height, round, block, signatures });
                None
            }
        }
    }

    /// The block that it proposed by the record.
    fn proposed(&self, round: u32, agreed: &Agreed) -> Option<Arc<Candidate>> {
        let message = agreed.messages.iter().find(|message| {
            let Ballot { validator, round: of, kind, valid_round, .. } = message.signed.ballot;
            (validator, of, kind, valid_round) == (self.number, round, Kind::Proposal, None)
        })?;
        message.candidate.clone()
    }

    /// Makes a block of what waits, of as much as it would vote for itself.
    fn make(&mut self, view: &View<'_>, done: &mut Effects) -> Candidate {
        let (agreed, height) = (view.agreed, view.agreed.height + 1);
        let evidence = agreed.evidence.values().copied();
        let evidence = evidence.filter(|it| it.check(agreed.chain, &agreed.stakes, height).is_ok()).collect();
        let (mut taken, mut bytes) = (Pool::new(), 0);
        for (transaction, expected) in view.pool {
            if self.conduct == Conduct::Censoring && is_post(transaction) {
                continue;
            }
            let Ok(executed) = view.ledger.simulate_at(view.slot, &taken, transaction) else { continue };
            bytes += transaction.calldata.len();
            if bytes > BLOCK_CALLDATA_BYTES_MAX {
                break;
            }
            // What comes after something that was left out may have no place here.
            let is_thwarted = expected.receipt.success && !executed.receipt.success;
            let post = post_of(transaction, executed.receipt.success);
            if is_thwarted
                || post.is_some_and(|(number, root)| self.attest(view, number, root, done).is_err())
            {
                continue;
            }
            taken.push((transaction.clone(), executed));
        }
        Candidate::new(agreed.parent, height, view.slot, evidence, &taken)
    }

    /// Signs a ballot and sends it, with its block if it proposes one.
    fn say(&mut self, ballot: Ballot, agreed: &Agreed, done: &mut Effects) -> Option<Signed> {
        let candidates = &mut self.running.as_mut()?.candidates;
        let proposed = ballot.block.filter(|_| ballot.kind == Kind::Proposal);
        let candidate = proposed.and_then(|id| candidates.get(&id)).cloned();
        let twin = (self.conduct == Conduct::Equivocating).then(|| match &candidate {
            Some(candidate) => {
                let other = Arc::new(other(candidate));
                candidates.insert(other.id(), Arc::clone(&other));
                (Ballot { block: Some(other.id()), ..ballot }, Some(other))
            }
            // Where it knows of no other block, none is another vote than one.
            None => {
                let other = candidates.keys().find(|id| Some(**id) != ballot.block).copied();
                (Ballot { block: other, ..ballot }, None)
            }
        });
        let message = |(ballot, candidate): (Ballot, Option<Arc<Candidate>>)| {
            Arc::new(Message { signed: ballot.sign(agreed.chain, &self.key), candidate })
        };
        let twin = twin.filter(|(twin, _)| *twin != ballot).map(message);
        let message = message((ballot, candidate));
        let signed = message.signed;
        done.sent.push(Sent { message, twin });
        Some(signed)
    }
}

fn told(signed: Signed, valid: bool) -> Told {
    match signed.ballot.kind {
        Kind::Proposal => Told::Proposal { signed, valid },
        Kind::Prevote | Kind::Precommit => Told::Vote(signed),
    }
}

fn is_post(transaction: &Transaction) -> bool {
    matches!(Call::decode(&transaction.calldata), Some(Call::PostBlock { .. }))
}

/// Another block that would do as well: without transactions, or of an earlier time.
fn other(candidate: &Candidate) -> Candidate {
    let Candidate { parent, slot, ref block, .. } = *candidate;
    let slot = if block.transactions.is_empty() { slot.saturating_sub(1) } else { slot };
    Candidate::new(parent, block.height, slot, Vec::new(), &[])
}
