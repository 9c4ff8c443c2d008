//! Malachite's Tendermint as the [`Machine`]. Nothing else here knows of it: it is an alpha, pinned to one version.

mod context;

use super::{
    ballot::{Ballot, BlockId, Kind, Signed},
    machine::{Machine, Output, Timeout, Told, Wait},
    stake::Stakes,
};
use arc_malachitebft_core_driver::{Driver, Input, Output as DriverOutput, ThresholdParams};
use arc_malachitebft_core_types as types;
use context::{Address, Height, Member, Proposal, Set, Tendermint, Vote, number, proposed, vote_type};
use std::{collections::BTreeMap, sync::Arc};
use types::{Round, SignedMessage, TimeoutKind, Validity, VoteType};

pub(super) struct Malachite {
    driver: Driver<Tendermint>,
    height: Height,
    stakes: Arc<Stakes>,
    /// Signatures of all votes for blocks, by validator. Of who votes twice the driver counts the first vote alone, which
    /// here is one to some and another to others: without the second they might never agree.
    votes: BTreeMap<(Kind, u32, BlockId), BTreeMap<u32, [u8; 64]>>,
}

impl Malachite {
    pub(super) fn new(validator: u32, height: u64, stakes: &Stakes) -> Self {
        let members = (0..stakes.len())
            .map(|validator| Member { address: Address(validator), stake: stakes.stake(validator) });
        let set = Set(members.filter(|member| member.stake > 0).collect());
        let height = Height(height);
        let stakes = Arc::new(stakes.clone());
        let context = Tendermint { stakes: Arc::clone(&stakes) };
        let driver = Driver::new(context, height, set, Address(validator), ThresholdParams::default());
        Self { driver, height, stakes, votes: BTreeMap::new() }
    }

    fn process(&mut self, input: Input<Tendermint>) -> Vec<Output> {
        match self.driver.process(input) {
            Ok(outputs) => outputs.into_iter().map(|output| self.output(output)).collect(),
            Err(error) => {
                // Of other heights or of strangers, which nothing is told that was checked.
                tracing::warn!(%error, "a validator's state machine takes no notice of something");
                Vec::new()
            }
        }
    }

    /// Tells the driver a vote. Where that makes two thirds for a block, and not by what the driver counts, it is told by a
    /// certificate, too, as Malachite's validators tell each other.
    fn vote(&mut self, Signed { ballot, signature }: Signed) -> Vec<Output> {
        let had_decided = self.decides(&ballot);
        if let Some(block) = ballot.block {
            let votes = self.votes.entry((ballot.kind, ballot.round, block)).or_default();
            votes.insert(ballot.validator, signature);
        }
        let mut outputs = self.process(Input::Vote(SignedMessage::new(Vote::new(ballot), signature)));
        if !had_decided && self.decides(&ballot) {
            let certificate = self.certificate(&ballot);
            outputs.extend(certificate.into_iter().flat_map(|certificate| self.process(certificate)));
        }
        outputs
    }

    /// Who votes as this ballot does.
    fn votes(&self, ballot: &Ballot) -> Option<&BTreeMap<u32, [u8; 64]>> {
        self.votes.get(&(ballot.kind, ballot.round, ballot.block?))
    }

    fn decides(&self, ballot: &Ballot) -> bool {
        let voters = self.votes(ballot).into_iter().flat_map(BTreeMap::keys);
        self.stakes.decides(voters.map(|voter| self.stakes.stake(*voter)).sum())
    }

    /// The votes like this one; none if the driver has counted enough of them.
    fn certificate(&self, ballot: &Ballot) -> Option<Input<Tendermint>> {
        let (height, round, value_id) = (self.height, Round::new(ballot.round), ballot.block?);
        let (vote_type, threshold) = (vote_type(ballot.kind), types::Threshold::Value(value_id));
        if self.driver.votes().is_threshold_met(&round, vote_type, threshold) {
            return None;
        }
        let votes = self.votes(ballot)?.iter().map(|(voter, signature)| (Address(*voter), *signature));
        Some(match vote_type {
            VoteType::Prevote => {
                let polka_signatures =
                    votes.map(|(by, signature)| types::PolkaSignature::new(by, signature)).collect();
                Input::PolkaCertificate(types::PolkaCertificate { height, round, value_id, polka_signatures })
            }
            VoteType::Precommit => {
                let commit_signatures = votes
                    .map(|(by, signature)| types::ExtendedCommitSignature::new(by, signature, None))
                    .collect();
                Input::CommitCertificate(types::ExtendedCommitCertificate {
                    height,
                    round,
                    value_id,
                    commit_signatures,
                })
            }
        })
    }

    fn output(&self, output: DriverOutput<Tendermint>) -> Output {
        match output {
            DriverOutput::NewRound(_, round) => Output::Round(number(round)),
            DriverOutput::GetValue(_, round, _) => Output::NeedBlock(number(round)),
            DriverOutput::Propose(Proposal { ballot, .. }) => Output::Propose {
                round: ballot.round,
                block: proposed(&ballot),
                valid_round: ballot.valid_round,
            },
            DriverOutput::Vote(Vote { ballot, .. }) => Output::Vote {
                precommit: ballot.kind == Kind::Precommit,
                round: ballot.round,
                block: ballot.block,
            },
            DriverOutput::ScheduleTimeout(timeout) => Output::Wait(Timeout {
                wait: match timeout.kind {
                    TimeoutKind::Propose => Wait::Propose,
                    TimeoutKind::Prevote => Wait::Prevote,
                    // The other two are never scheduled by a driver.
                    _ => Wait::Precommit,
                },
                round: number(timeout.round),
            }),
            DriverOutput::Decide(_, Proposal { ballot, .. }) => {
                // Its round is the one in which the validator is; the precommits are of the proposal's.
                let (block, round) = (proposed(&ballot), ballot.round);
                let votes = self.votes.get(&(Kind::Precommit, round, block));
                let signatures = votes.into_iter().flatten().map(|(voter, it)| (*voter, *it)).collect();
                Output::Decide { round, block, signatures }
            }
        }
    }
}

impl Machine for Malachite {
    fn handle(&mut self, told: Told) -> Vec<Output> {
        let input = match told {
            Told::Round { round, proposer } => {
                Input::NewRound(self.height, Round::new(round), Address(proposer))
            }
            Told::Block { round, block } => Input::ProposeValue(Round::new(round), block),
            Told::Proposal { signed: Signed { ballot, signature }, valid } => Input::Proposal(
                SignedMessage::new(Proposal::new(ballot), signature),
                Validity::from_bool(valid),
            ),
            Told::Vote(signed) => return self.vote(signed),
            Told::Timeout(Timeout { wait, round }) => {
                let kind = match wait {
                    Wait::Propose => TimeoutKind::Propose,
                    Wait::Prevote => TimeoutKind::Prevote,
                    Wait::Precommit => TimeoutKind::Precommit,
                };
                Input::TimeoutElapsed(types::Timeout::new(Round::new(round), kind))
            }
        };
        self.process(input)
    }
}
