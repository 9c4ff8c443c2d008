//! What stands in the history of the validators' doings: the stakes and the newest block by what was decided, and all that
//! was said and heard of the height that is not.

use super::{
    ballot::{BlockId, ChainDigest},
    certificate::Certificate,
    evidence::Evidence,
    record::{Input, Message, Record},
    stake::Stakes,
};
use crate::chain::embedded::{Decided, Standing, ValidatorStanding, frame::Header, ledger::Ledger};
use arterial_protocol::{BlockNumber, StateRoot};
use std::{collections::BTreeMap, sync::Arc};

pub(in crate::chain::embedded) struct Agreed {
    pub(super) chain: ChainDigest,
    /// As they are at the height that is not decided.
    pub(super) stakes: Stakes,
    /// The newest height that is decided, its block and its slot.
    pub(super) height: u64,
    pub(super) parent: BlockId,
    pub(super) slot: u64,
    pub(super) certificate: Option<Certificate>,
    /// Against whom there is evidence that is in no block yet.
    pub(super) evidence: BTreeMap<u32, Evidence>,
    /// Who lost its stake, at which height and for what.
    pub(super) slashed: BTreeMap<u32, (u64, Evidence)>,
    /// Blocks of the rollup, by number and root, that validators won't vote for, and why.
    pub(super) refusals: BTreeMap<(BlockNumber, [u8; 32]), BTreeMap<u32, String>>,
    /// Of the height that is not decided.
    pub(super) messages: Vec<Arc<Message>>,
    pub(super) inputs: Vec<(u32, Input)>,
    /// Why the chain can't go on, for good.
    pub(super) fork: Option<String>,
}

impl Agreed {
    /// At height 0; none of a chain without validators.
    pub(in crate::chain::embedded) fn genesis(header: &Header) -> Option<Self> {
        (!header.config.validators.is_empty()).then(|| Self {
            chain: ChainDigest(*blake3::hash(&header.encode()).as_bytes()),
            stakes: Stakes::genesis(&header.config),
            height: 0,
            parent: BlockId([0; 32]),
            slot: 0,
            certificate: None,
            evidence: BTreeMap::new(),
            slashed: BTreeMap::new(),
            refusals: BTreeMap::new(),
            messages: Vec::new(),
            inputs: Vec::new(),
            fork: None,
        })
    }

    /// Takes a record over that is on disk, be it just now or long ago; or says what is wrong with it.
    pub(in crate::chain::embedded) fn apply(
        &mut self,
        record: Record,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        match record {
            Record::Message(message) => self.messages.push(message),
            Record::Input { validator, input } => self.inputs.push((validator, input)),
            Record::Evidence(evidence) => {
                self.evidence.entry(evidence.validator()).or_insert(evidence);
            }
            Record::Refusal { validator, number, root, fault } => {
                self.refusals.entry((number, root.0.to_be_bytes())).or_default().insert(validator, fault);
            }
            Record::Fork(what) => self.fork = Some(what),
            Record::Decision(certificate) => return self.decide(certificate, ledger),
        }
        Ok(())
    }

    fn decide(&mut self, certificate: Certificate, ledger: &mut Ledger) -> Result<(), String> {
        let height = self.height + 1;
        certificate.check(self.chain, &self.stakes, height).map_err(|error| error.to_string())?;
        let mut proposed = self.messages.iter().filter_map(|message| message.candidate.as_ref());
        // By what it is, not by what its proposer said that it is.
        let candidate = proposed
            .find(|candidate| candidate.id() == certificate.block)
            .ok_or("no proposal has the block that is decided")?;
        if candidate.parent != self.parent || candidate.block.height != height {
            return Err("the block that is decided is not the next one".into());
        }
        let candidate = Arc::clone(candidate);
        for evidence in &candidate.evidence {
            evidence.check(self.chain, &self.stakes, height)?;
            self.slashed.insert(evidence.validator(), (height, *evidence));
            self.evidence.remove(&evidence.validator());
        }
        self.stakes.next_height(candidate.evidence.iter().map(Evidence::validator));
        (self.height, self.parent, self.slot) = (height, certificate.block, candidate.slot);
        self.certificate = Some(certificate);
        self.messages.clear();
        self.inputs.clear();
        ledger.include_final(candidate.block.clone(), candidate.slot);
        self.refusals.retain(|(number, _), _| !ledger.is_taken(*number));
        Ok(())
    }

    /// Whether validators have begun with the height that is not decided.
    pub(super) const fn is_under_way(&self) -> bool {
        !self.inputs.is_empty()
    }

    /// Whether so many refuse a block of the rollup that it can't be decided; and why they do.
    pub(super) fn refusal(&self, number: BlockNumber, root: [u8; 32]) -> Option<&str> {
        let by = self.refusals.get(&(number, root))?;
        let stake = by.keys().map(|validator| self.stakes.stake(*validator)).sum();
        by.values().next().filter(|_| self.stakes.blocks(stake)).map(String::as_str)
    }

    /// Whether a refusal is on record already.
    pub(super) fn knows_refusal(&self, validator: u32, number: BlockNumber, root: StateRoot) -> bool {
        let by = self.refusals.get(&(number, root.0.to_be_bytes()));
        by.is_some_and(|by| by.contains_key(&validator))
    }

    pub(in crate::chain::embedded) fn standing(&self) -> Standing {
        let newest = self.messages.iter().map(|message| message.signed.ballot.round).max().unwrap_or(0);
        let signed = |validator: u32| {
            let signatures = self.certificate.iter().flat_map(|certificate| &certificate.signatures);
            signatures.into_iter().any(|(by, _)| *by == validator)
        };
        // Of the newest round nobody may have said anything yet.
        let heard = |validator: u32| {
            let mut ballots = self.messages.iter().map(|message| message.signed.ballot);
            ballots.any(|ballot| ballot.validator == validator && ballot.round + 1 >= newest)
        };
        let refused = self.refusals.iter().find(|((number, root), _)| self.refusal(*number, *root).is_some());
        let validators = (0..self.stakes.len()).map(|validator| ValidatorStanding {
            key: self.stakes.public_key(validator),
            stake: self.stakes.stake(validator),
            genesis_stake: self.stakes.genesis_stake(validator),
            slashed: self.slashed.get(&validator).map(|(height, evidence)| (*height, evidence.describe())),
            signed: signed(validator),
            heard: self.is_under_way().then(|| heard(validator)),
        });
        let mut standing = Standing {
            validators: validators.collect(),
            decided: self.certificate.as_ref().map(|certificate| Decided {
                height: certificate.height,
                round: certificate.round,
                block: certificate.block.0,
                signatures: certificate.signatures.len(),
            }),
            deciding: self.is_under_way().then_some((self.height + 1, newest)),
            refusal: refused.map(|((number, _), by)| {
                let who = by.keys().map(u32::to_string).collect::<Vec<_>>().join(", ");
                let why = by.values().next().map_or("", String::as_str);
                format!("block {number}: {why} (validators {who})")
            }),
            stalled: None,
            fork: self.fork.clone(),
        };
        standing.stalled = self.silence(&standing.validators);
        standing
    }

    /// Why the height can't be decided for lack of voices.
    fn silence(&self, validators: &[ValidatorStanding]) -> Option<String> {
        let total = self.stakes.total();
        if total == 0 {
            return Some("no validator has any stake left".into());
        }
        let is_silent = |validator: &ValidatorStanding| validator.heard == Some(false) && validator.stake > 0;
        let silent = (0..).zip(validators).filter(|(_, validator)| is_silent(validator));
        let who: Vec<u32> = silent.map(|(number, _)| number).collect();
        let missing: u64 = who.iter().map(|validator| self.stakes.stake(*validator)).sum();
        let names = || who.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        self.stakes.blocks(missing).then(|| {
            format!(
                "height {} needs more than two thirds of the stake, {} of {total} has been heard; silent: validators {}",
                self.height + 1,
                total - missing,
                names()
            )
        })
    }
}
