//! What stands in the history, attacked; what shows from outside is tested in `tests/consortium.rs`.

use super::{
    ballot::{Ballot, BlockId, ChainDigest, Kind, Signed},
    candidate::Candidate,
    certificate::Certificate,
    evidence::Watch,
    machine::{Timeout, Wait},
    record::{Input, Message},
    stake::signing_key,
    *,
};
use crate::{
    chain::contract::Address,
    chain::embedded::{
        BaseChain as _, Check, EmbeddedChain, EmbeddedConfig, SEQUENCER, Transaction, Verdict,
        frame::Frame,
        history::{History, Writer, take_lock},
        tests::block,
    },
    proof::VerificationKey,
};
use arterial_protocol::{FieldElement, StateRoot};
use arterial_storage::{ManualClock, MemoryStorage, Storage};
use std::{collections::BTreeMap, path::Path, sync::Arc};

const KEY: [[u8; 32]; VerificationKey::WORDS] = [[1; 32]; VerificationKey::WORDS];
const DIR: &str = "/chain";

struct Trusting;

impl Check for Trusting {
    fn check(&self, _: BlockNumber, _: StateRoot) -> Verdict {
        Verdict::Valid
    }
}

fn config() -> EmbeddedConfig {
    EmbeddedConfig { validators: vec![4, 3, 2, 1], seed: 5, ..EmbeddedConfig::default() }
}

struct Fixture {
    storage: Arc<dyn Storage>,
    clock: ManualClock,
}

impl Fixture {
    /// A chain with two heights that are decided and one that is just being so, closed.
    fn new() -> Self {
        let (storage, clock): (Arc<dyn Storage>, _) =
            (Arc::new(MemoryStorage::default()), ManualClock::default());
        let genesis = StateRoot(FieldElement::from(7u64));
        let time = Arc::new(clock.clone());
        let chain = EmbeddedChain::create(&storage, Path::new(DIR), config(), genesis, &KEY, time).unwrap();
        let chain = chain.with_check(Box::new(Trusting));
        for heir in 1..=2 {
            send(&chain, heir);
            clock.advance_ms(2000);
            assert_eq!(chain.head().unwrap().height, u64::from(heir));
        }
        send(&chain, 3);
        clock.advance_ms(1000);
        while !chain.standing().unwrap().validators.iter().any(|one| one.heard == Some(true)) {
            clock.advance_ms(5);
            chain.head().unwrap();
        }
        assert_eq!(chain.head().unwrap().height, 2);
        Self { storage, clock }
    }

    fn open(&self) -> Result<EmbeddedChain, ChainError> {
        EmbeddedChain::open(&self.storage, Path::new(DIR), config(), Arc::new(self.clock.clone()))
    }

    fn frames(&self) -> Vec<Vec<Record>> {
        let mut history = History::open(&*self.storage, Path::new(DIR)).unwrap().1;
        let mut frames = Vec::new();
        while let Some(frame) = history.next().unwrap() {
            let Frame::Consensus(records) = frame else { panic!("{frame:?}") };
            frames.push(records);
        }
        frames
    }

    /// The same history with other records, whose checksums are right.
    fn rewritten(&self, change: impl Fn(&mut Record)) -> Self {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let header = History::open(&*self.storage, Path::new(DIR)).unwrap().0;
        storage.create_dir(Path::new(DIR)).unwrap();
        let mut writer = Writer::create(Arc::clone(&storage), Path::new(DIR), &header).unwrap();
        for mut records in self.frames() {
            records.iter_mut().for_each(&change);
            writer.append(&Frame::Consensus(records)).unwrap();
        }
        Self { storage, clock: self.clock.clone() }
    }

    #[track_caller]
    fn is_corrupt(&self, why: &str) {
        match self.open().err() {
            Some(ChainError::Corrupt { what, .. }) => assert!(what.contains(why), "{what}"),
            other => panic!("{other:?}"),
        }
    }
}

fn send(chain: &EmbeddedChain, heir: u8) {
    let calldata = Call::TransferSequencer(Address([heir; 20])).encode();
    chain.send(Transaction { caller: SEQUENCER, calldata }).unwrap();
}

fn digest(fixture: &Fixture) -> ChainDigest {
    let header = History::open(&*fixture.storage, Path::new(DIR)).unwrap().0;
    Agreed::genesis(&header).unwrap().chain
}

#[test]
fn what_was_not_changed_opens() {
    let fixture = Fixture::new().rewritten(|_| {});
    assert_eq!(fixture.open().unwrap().head().unwrap().height, 2);
}

#[test]
fn certificates_are_checked_when_a_history_is_opened() {
    let fixture = Fixture::new();
    let bend = |change: &dyn Fn(&mut Certificate)| {
        fixture.rewritten(|record| {
            if let Record::Decision(certificate) = record
                && certificate.height == 2
            {
                change(certificate);
            }
        })
    };
    let least = |certificate: &mut Certificate| certificate.signatures.retain(|(by, _)| *by > 1);
    bend(&least).is_corrupt("more than two thirds is needed");
    bend(&|certificate| certificate.signatures.clear()).is_corrupt("more than two thirds");
    bend(&|certificate| certificate.signatures[1] = certificate.signatures[0]).is_corrupt("twice");
    bend(&|certificate| certificate.signatures[0].1[7] ^= 1).is_corrupt("signature");
    bend(&|certificate| certificate.round += 1).is_corrupt("signature");
    bend(&|certificate| certificate.block.0[0] ^= 1).is_corrupt("signature");
    bend(&|certificate| certificate.height = 3).is_corrupt("height 3, expected 2");
    bend(&|certificate| certificate.signatures.push((9, [1; 64]))).is_corrupt("no stake");
}

#[test]
fn the_state_is_what_was_signed() {
    let fixture = Fixture::new();
    let bend = |change: &dyn Fn(&mut Candidate)| {
        let bent = fixture.rewritten(|record| {
            if let Record::Message(message) = record
                && let Message { signed, candidate: Some(candidate) } = &**message
                && signed.ballot.height == 2
            {
                let mut candidate = (**candidate).clone();
                change(&mut candidate);
                *record = Record::Message(Arc::new(Message {
                    signed: *signed,
                    candidate: Some(Arc::new(candidate)),
                }));
            }
        });
        bent.is_corrupt("no proposal has the block that is decided");
    };
    bend(&|candidate| candidate.block.changes[0].nonce += 1);
    bend(&|candidate| candidate.block.transactions[0].1.gas_used += 1);
    bend(&|candidate| candidate.block.transactions[0].0.caller.0[0] ^= 1);
    bend(&|candidate| candidate.block.transactions.clear());
    bend(&|candidate| candidate.slot += 1);
    bend(&|candidate| candidate.parent.0[0] ^= 1);
}

#[test]
fn frames_of_another_kind_of_chain_are_found() {
    let fixture = Fixture::new();
    let lock = take_lock(&*fixture.storage, Path::new(DIR)).unwrap();
    let mut history = History::open(&*fixture.storage, Path::new(DIR)).unwrap().1;
    while history.next().unwrap().is_some() {}
    let storage = Arc::clone(&fixture.storage);
    let mut writer = Writer::resume(storage, Path::new(DIR), lock, &history).unwrap();
    writer.append(&Frame::Final(2)).unwrap();
    drop(writer);
    fixture.is_corrupt("this kind of chain");
}

#[test]
fn a_validator_does_not_go_on_from_what_it_did_not_say() {
    let fixture = Fixture::new();
    // Somebody else's word in its mouth: the first message of the open height says something else.
    let chain = digest(&fixture);
    let bent = fixture.rewritten(|record| {
        if let Record::Message(message) = record {
            let Ballot { validator, height, kind, .. } = message.signed.ballot;
            if height == 3 && kind != Kind::Proposal {
                let ballot = Ballot { block: None, ..message.signed.ballot };
                let signed = ballot.sign(chain, &signing_key(&config(), validator));
                *record = Record::Message(Arc::new(Message { signed, candidate: None }));
            }
        }
    });
    bent.is_corrupt("said something else");
    let heard_of_nobody = fixture.rewritten(|record| {
        if let Record::Input { input, .. } = record {
            *input = Input::Message { at: 1000, valid: true };
        }
    });
    heard_of_nobody.is_corrupt("did not begin");
    let strangers = fixture.rewritten(|record| {
        if let Record::Input { validator, .. } = record {
            *validator += 4;
        }
    });
    strangers.is_corrupt("no such validator");
}

#[test]
fn whatever_is_cut_off_a_validator_says_one_thing_in_one_place() {
    let whole = Fixture::new();
    let frames = whole.frames();
    for kept in 0..=frames.len() {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let header = History::open(&*whole.storage, Path::new(DIR)).unwrap().0;
        storage.create_dir(Path::new(DIR)).unwrap();
        let mut writer = Writer::create(Arc::clone(&storage), Path::new(DIR), &header).unwrap();
        for records in &frames[..kept] {
            writer.append(&Frame::Consensus(records.clone())).unwrap();
        }
        drop(writer);
        let fixture = Fixture { storage, clock: ManualClock::default() };
        fixture.clock.advance_ms(10_000);
        let chain = fixture.open().unwrap().with_check(Box::new(Trusting));
        let before = chain.head().unwrap().height;
        for _ in 0..40 {
            fixture.clock.advance_ms(100);
            chain.head().unwrap();
        }
        send(&chain, 9);
        for _ in 0..40 {
            fixture.clock.advance_ms(100);
            chain.head().unwrap();
        }
        assert!(chain.head().unwrap().height > before, "{kept}: {:?}", chain.standing());
        let mut said = BTreeMap::new();
        for record in fixture.frames().concat() {
            let Record::Message(message) = record else { continue };
            let Signed { ballot, .. } = message.signed;
            let Ballot { validator, height, round, kind, .. } = ballot;
            let first = *said.entry((validator, height, round, kind)).or_insert(ballot);
            assert_eq!(first, ballot, "{kept}");
        }
    }
}

/// One record of each kind.
fn records() -> Vec<Record> {
    let block_id = BlockId([5; 32]);
    let vote = Ballot {
        validator: 2,
        height: 9,
        round: 3,
        kind: Kind::Precommit,
        block: Some(block_id),
        valid_round: None,
    };
    let sign = |ballot: Ballot| ballot.sign(ChainDigest([1; 32]), &signing_key(&config(), 2));
    let mut watch = Watch::default();
    watch.see(sign(vote));
    let evidence = watch.see(sign(Ballot { block: None, ..vote })).unwrap();
    let proposal = sign(Ballot { kind: Kind::Proposal, valid_round: Some(1), ..vote });
    let candidate =
        Candidate { parent: BlockId([4; 32]), slot: 11, evidence: vec![evidence], block: block() };
    let message = |signed, candidate| Record::Message(Arc::new(Message { signed, candidate }));
    let input = |input| Record::Input { validator: 2, input };
    let waited = |wait| input(Input::Timeout(Timeout { wait, round: 3 }));
    let signatures = vec![(1, [8; 64]), (2, sign(vote).signature)];
    vec![
        message(proposal, Some(Arc::new(candidate))),
        message(sign(Ballot { kind: Kind::Prevote, block: None, ..vote }), None),
        input(Input::Start),
        input(Input::Message { at: 6, valid: false }),
        input(Input::Message { at: 7, valid: true }),
        waited(Wait::Propose),
        waited(Wait::Prevote),
        waited(Wait::Precommit),
        Record::Evidence(evidence),
        Record::Refusal {
            validator: 2,
            number: BlockNumber(6),
            root: StateRoot(FieldElement::from(7u64)),
            fault: "invented accounts".into(),
        },
        Record::Decision(Certificate { height: 9, round: 3, block: block_id, signatures }),
        Record::Fork("twice".into()),
    ]
}

/// Changing the format is a deliberate act: a new version, and a new value here.
#[test]
fn the_format_of_records_is_pinned() {
    let frame = Frame::Consensus(records());
    let hash = blake3::hash(&frame.encode()).to_hex();
    assert_eq!(hash.as_str(), "34efe2820e0c46ac38d03c54a262c4cb4373d699ad86fbe379b69f3c45057440");
}

#[test]
fn records_have_one_encoding() {
    let bytes = Frame::Consensus(records()).encode();
    assert_eq!(Frame::decode(&bytes), Some(Frame::Consensus(records())));
    let is_canonical = |bytes: &[u8]| Frame::decode(bytes).is_none_or(|frame| frame.encode() == bytes);
    for at in 0..bytes.len() {
        assert!(is_canonical(&bytes[..at]));
        for bit in 0..8 {
            let mut bent = bytes.clone();
            bent[at] ^= 1 << bit;
            assert!(is_canonical(&bent), "byte {at}, bit {bit}");
        }
    }
    // Nothing was done, and no frame says so.
    assert_eq!(Frame::decode(&Frame::Consensus(Vec::new()).encode()), None);
}
