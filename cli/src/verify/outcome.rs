//! What is said of one receipt.

use crate::input::{kind, time};
use arterial::{
    Receipt, Step, Verified,
    protocol::{Credential, Evidence},
};
use serde::Serialize;
use serde_json::Value;
use std::{fmt::Write as _, path::Path};

/// One receipt, checked.
#[derive(Serialize)]
pub(super) struct Outcome {
    file: String,
    pub(super) verified: bool,
    failed_step: Option<String>,
    error: Option<String>,
    steps: Vec<StepOutcome>,
    pub(super) state_root: Option<String>,
    /// What the root rests on.
    pub(super) source: Option<String>,
    third_party_authorship: Option<bool>,
    /// The record's place in its device's history, from 0.
    position: Option<u32>,
    history_is_gapless: Option<bool>,
    /// By the receipt itself: true only if it verifies.
    pub(super) reading: Option<Reading>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<Value>,
}

#[derive(Serialize)]
struct StepOutcome {
    step: String,
    /// `None` when it did not come to it.
    passed: Option<bool>,
    checked: String,
}

/// What a receipt says of its record.
#[derive(Serialize)]
pub(super) struct Reading {
    device: String,
    seq: u64,
    observed_at_ms: u64,
    observed_at: String,
    kind: u16,
    kind_name: &'static str,
    payload_bytes: usize,
    block: u64,
    /// How far the block had come when the receipt was made, by its issuer's word.
    issued_at_stage: String,
    credential: &'static str,
    #[serde(skip)]
    evidence: Evidence,
}

impl Reading {
    pub(super) fn of(receipt: &Receipt) -> Self {
        let write = receipt.record.write();
        Self {
            device: write.device.to_string(),
            seq: write.seq,
            observed_at_ms: write.observed_at_ms,
            observed_at: time::format(write.observed_at_ms),
            kind: write.kind,
            kind_name: kind::name(write.kind),
            payload_bytes: write.payload.len(),
            block: receipt.number.0,
            issued_at_stage: receipt.stage.to_string(),
            credential: match receipt.credential {
                Credential::Ed25519(_) => "ed25519",
                Credential::Mac(_) => "mac",
                Credential::Host => "host",
            },
            evidence: receipt.evidence.clone(),
        }
    }
}

/// What a step checks, in plain words.
fn checked(step: Step, evidence: Option<&Evidence>) -> String {
    let what = match (step, evidence) {
        (Step::Encoding, _) => "the bytes are one whole receipt, undamaged",
        (Step::Authorship, Some(Evidence::Mac)) => {
            "NO THIRD-PARTY AUTHORSHIP: the device has a MAC key, that it wrote this is the sequencer's word"
        }
        (Step::Authorship, Some(Evidence::Host)) => {
            "NO THIRD-PARTY AUTHORSHIP: the device has no key, that it wrote this is the host node's word"
        }
        (Step::Authorship, Some(Evidence::Bundle(proof))) => {
            return format!("the device's Ed25519 key signed this reading in a bundle of {}", proof.count);
        }
        (Step::Authorship, _) => "the device's Ed25519 key signed this reading",
        (Step::Chain, _) => {
            "the reading leads from the device's history before it to the one after the block"
        }
        (Step::Account, _) => "that history is the device's account in its shard",
        (Step::State, _) => "the shard is in the state that the trusted root commits to",
        _ => "a step that this command does not know",
    };
    what.to_owned()
}

impl Outcome {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            file: path.display().to_string(),
            verified: false,
            failed_step: None,
            error: None,
            steps: Vec::new(),
            state_root: None,
            source: None,
            third_party_authorship: None,
            position: None,
            history_is_gapless: None,
            reading: None,
            receipt: None,
        }
    }

    pub(super) fn passed(&mut self, verified: &Verified) {
        self.verified = true;
        self.third_party_authorship = Some(verified.authorship.is_third_party());
        self.position = Some(verified.position);
        self.history_is_gapless = Some(verified.history_is_gapless);
        self.steps(|_| Some(true));
    }

    /// Steps are taken in order: those before the failed one passed, those after it were not taken.
    pub(super) fn failed(&mut self, failed: Option<Step>, error: &str) {
        self.failed_step = failed.map(|step| step.to_string());
        // The library's messages begin with the step, which stands beside this one.
        let short = failed.and_then(|step| error.strip_prefix(&format!("{step}: ")));
        self.error = Some(short.unwrap_or(error).to_owned());
        let decoded = self.reading.is_some();
        self.steps(|step| match failed {
            Some(failed) if step == failed => Some(false),
            Some(failed) => (step < failed).then_some(true),
            None => (decoded && step == Step::Encoding).then_some(true),
        });
    }

    fn steps(&mut self, passed: impl Fn(Step) -> Option<bool>) {
        let evidence = self.reading.as_ref().map(|reading| &reading.evidence);
        let outcome = |step: Step| StepOutcome {
            step: step.to_string(),
            passed: passed(step),
            checked: checked(step, evidence),
        };
        self.steps = Step::ALL.into_iter().map(outcome).collect();
    }

    /// The outcome for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.file);
        // Writing to a string does not fail.
        for step in &self.steps {
            let (mark, what) = match step.passed {
                Some(true) => ("✓", step.checked.as_str()),
                Some(false) => ("✗", step.checked.as_str()),
                None => ("·", "not checked"),
            };
            let _ = writeln!(text, "  {mark} {:<11}{what}", step.step);
        }
        if let (Some(root), Some(source)) = (&self.state_root, &self.source) {
            let _ = writeln!(text, "  root         {root}, {source}");
        }
        if let Some(reading) = &self.reading {
            let _ = writeln!(
                text,
                "  reading      device {}, seq {}, {} ({}), {} bytes, observed {}",
                reading.device,
                reading.seq,
                reading.kind_name,
                reading.kind,
                reading.payload_bytes,
                reading.observed_at
            );
            let _ = writeln!(
                text,
                "  block        {}, {} when the receipt was made",
                reading.block, reading.issued_at_stage
            );
        }
        if let (Some(position), Some(gapless)) = (self.position, self.history_is_gapless) {
            let gaps = if gapless { "has every seq from 0 on" } else { "has gaps in its seq" };
            let _ = writeln!(
                text,
                "  history      record {position} of its device, from 0; the history up to the block {gaps}"
            );
        }
        if let Some(receipt) = &self.receipt {
            let _ = writeln!(text, "{receipt:#}");
        }
        let _ = match (&self.error, &self.failed_step) {
            (None, _) => writeln!(text, "  verified"),
            (Some(error), Some(step)) => writeln!(text, "  FAILED at step \"{step}\": {error}"),
            (Some(error), None) => writeln!(text, "  FAILED: {error}"),
        };
        text
    }
}
