//! What of the validators' doings goes on disk, before any of it counts.

use super::{
    ballot::{Kind, Signed},
    candidate::Candidate,
    certificate::Certificate,
    evidence::Evidence,
    machine::{Timeout, Wait},
};
use crate::chain::embedded::frame::{Reader, length};
use arterial_protocol::{BlockNumber, FieldElement, StateRoot};
use std::sync::Arc;

const MESSAGE: u8 = 1;
const INPUT: u8 = 2;
const EVIDENCE: u8 = 3;
const REFUSAL: u8 = 4;
const DECISION: u8 = 5;
const FORK: u8 = 6;
/// Bytes of a text in a record.
const TEXT_BYTES_MAX: usize = 1024;

/// One entry of the validators' journal. All of a height that's not decided is what they need to go on in the middle of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) enum Record {
    /// What a validator sends to all others. They are counted from 0 at every height.
    Message(Arc<Message>),
    /// What a validator's state machine was told; the same again brings it to where it was.
    Input { validator: u32, input: Input },
    /// What convicts a validator.
    Evidence(Evidence),
    /// A validator won't vote for a block of the rollup.
    Refusal { validator: u32, number: BlockNumber, root: StateRoot, fault: String },
    /// The next height's block, proposed in an earlier record, is decided.
    Decision(Certificate),
    /// Two blocks have been decided for one height, which only a third of the stake can bring about.
    Fork(String),
}

/// A ballot on its way, with the block if it proposes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) struct Message {
    pub(super) signed: Signed,
    pub(super) candidate: Option<Arc<Candidate>>,
}

/// What a state machine can be told from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) enum Input {
    /// The height begins.
    Start,
    /// The message with this number came; whether it is one to vote for, if it is a proposal.
    Message { at: u32, valid: bool },
    /// It has waited long enough.
    Timeout(Timeout),
}

impl Record {
    pub(in crate::chain::embedded) fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Message(message) => {
                bytes.push(MESSAGE);
                message.signed.encode(bytes);
                if let Some(candidate) = &message.candidate {
                    candidate.encode(bytes);
                }
            }
            Self::Input { validator, input } => {
                bytes.push(INPUT);
                bytes.extend_from_slice(&validator.to_le_bytes());
                input.encode(bytes);
            }
            Self::Evidence(evidence) => {
                bytes.push(EVIDENCE);
                evidence.encode(bytes);
            }
            Self::Refusal { validator, number, root, fault } => {
                bytes.push(REFUSAL);
                bytes.extend_from_slice(&validator.to_le_bytes());
                bytes.extend_from_slice(&number.0.to_le_bytes());
                bytes.extend_from_slice(&root.0.to_be_bytes());
                encode_text(fault, bytes);
            }
            Self::Decision(certificate) => {
                bytes.push(DECISION);
                certificate.encode(bytes);
            }
            Self::Fork(what) => {
                bytes.push(FORK);
                encode_text(what, bytes);
            }
        }
    }

    pub(in crate::chain::embedded) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(match reader.array()? {
            [MESSAGE] => {
                let signed = Signed::decode(reader)?;
                let candidate = match signed.ballot.kind {
                    Kind::Proposal => Some(Arc::new(Candidate::decode(reader)?)),
                    Kind::Prevote | Kind::Precommit => None,
                };
                Self::Message(Arc::new(Message { signed, candidate }))
            }
            [INPUT] => Self::Input { validator: reader.u32()?, input: Input::decode(reader)? },
            [EVIDENCE] => Self::Evidence(Evidence::decode(reader)?),
            [REFUSAL] => Self::Refusal {
                validator: reader.u32()?,
                number: BlockNumber(reader.u64()?),
                root: StateRoot(FieldElement::from_be_bytes(reader.array()?)?),
                fault: decode_text(reader)?,
            },
            [DECISION] => Self::Decision(Certificate::decode(reader)?),
            [FORK] => Self::Fork(decode_text(reader)?),
            _ => return None,
        })
    }
}

impl Input {
    fn encode(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Start => bytes.push(0),
            Self::Message { at, valid } => {
                bytes.push(1 + u8::from(valid));
                bytes.extend_from_slice(&at.to_le_bytes());
            }
            Self::Timeout(Timeout { wait, round }) => {
                bytes.push(3 + wait as u8);
                bytes.extend_from_slice(&round.to_le_bytes());
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let [tag] = reader.array()?;
        let mut timeout = |wait| Some(Self::Timeout(Timeout { wait, round: reader.u32()? }));
        match tag {
            0 => Some(Self::Start),
            1 | 2 => Some(Self::Message { at: reader.u32()?, valid: tag == 2 }),
            3 => timeout(Wait::Propose),
            4 => timeout(Wait::Prevote),
            5 => timeout(Wait::Precommit),
            _ => None,
        }
    }
}

/// A text as a record takes it: no longer than it may be.
pub(super) fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

fn encode_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&length(text.len()));
    bytes.extend_from_slice(text.as_bytes());
}

fn decode_text(reader: &mut Reader<'_>) -> Option<String> {
    String::from_utf8(reader.bytes()?).ok().filter(|text| text.len() <= TEXT_BYTES_MAX)
}
