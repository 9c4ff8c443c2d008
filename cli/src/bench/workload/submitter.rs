//! Who submits: devices, their keys, and the tags that go with their writes.

use super::{Planned, Source, SplitMix64};
use crate::{args::BenchAuth, error::CliError};
use arterial::{
    DeviceId, Engine, EnrolError, Enrolled, Enrolment, SubmitError, Tag, Write,
    protocol::{
        BundleTree, bundle,
        lanes::{Mode, hash_many},
        limits::PAYLOAD_BYTES_MAX,
    },
    shards::{Lane, Shards, SignedBundle, Tickets},
};
use ed25519_zebra::SigningKey;

/// Bytes from which payloads are cut.
const POOL_BYTES: usize = 1 << 20;

/// The devices of the n-th submitter, one after the other.
pub(crate) fn devices(n: u64) -> impl Iterator<Item = DeviceId> {
    (0u64..).map(move |at| DeviceId((u128::from(n) << 64 | u128::from(at)).to_le_bytes()))
}

/// What takes writes: the shards alone, or the whole engine.
pub(crate) trait Sink: Sync {
    fn enrol(&self, enrolments: &[Enrolment]) -> Vec<Result<Enrolled, EnrolError>>;
    fn submit_many(&self, lane: Lane, writes: &[(Write<'_>, Tag)]) -> Tickets;
    fn submit_bundle(&self, lane: Lane, bundle: &SignedBundle<'_>) -> Result<Tickets, SubmitError>;
}

impl Sink for Shards {
    fn enrol(&self, enrolments: &[Enrolment]) -> Vec<Result<Enrolled, EnrolError>> {
        self.enrol(enrolments)
    }

    fn submit_many(&self, lane: Lane, writes: &[(Write<'_>, Tag)]) -> Tickets {
        self.submit_many(lane, writes)
    }

    fn submit_bundle(&self, lane: Lane, bundle: &SignedBundle<'_>) -> Result<Tickets, SubmitError> {
        self.submit_bundle(lane, bundle)
    }
}

impl Sink for Engine {
    fn enrol(&self, enrolments: &[Enrolment]) -> Vec<Result<Enrolled, EnrolError>> {
        self.enroll_many(enrolments)
    }

    fn submit_many(&self, lane: Lane, writes: &[(Write<'_>, Tag)]) -> Tickets {
        self.submit_many(lane, writes)
    }

    fn submit_bundle(&self, lane: Lane, bundle: &SignedBundle<'_>) -> Result<Tickets, SubmitError> {
        self.submit_bundle(lane, bundle)
    }
}

/// Writes that were submitted at once, in one lane.
pub(crate) struct Call {
    pub(crate) lane: Lane,
    pub(crate) tickets: Tickets,
    /// Of the canonical records, together.
    pub(crate) record_bytes: u64,
}

/// One submitter's devices and where each of them stands.
pub(crate) struct Submitter {
    auth: BenchAuth,
    /// What payloads are cut from.
    pool: Vec<u8>,
    devices: Vec<DeviceId>,
    source: Source,
    /// The gateway's.
    key: SigningKey,
    /// Each device's own, if devices sign one by one.
    keys: Vec<SigningKey>,
    mac_key: [u8; 32],
    /// Signatures made beforehand, of the writes in the order in which they are submitted.
    signatures: Vec<[u8; 64]>,
    /// Writes submitted so far.
    submitted: u64,
    scratch: Vec<u8>,
}

impl Submitter {
    /// The n-th submitter.
    pub(crate) fn new(n: u64, auth: BenchAuth, devices: Vec<DeviceId>, source: Source) -> Self {
        let mut random = SplitMix64(n);
        let key_of = |at: u64| SigningKey::from_bytes(&seed(n << 32 | at, 4));
        Self {
            auth,
            pool: std::iter::repeat_with(|| random.next().to_le_bytes())
                .take((POOL_BYTES + PAYLOAD_BYTES_MAX).div_ceil(8))
                .flatten()
                .collect(),
            key: SigningKey::from_bytes(&seed(n, 1)),
            keys: match auth {
                BenchAuth::Ed25519 => (0..devices.len() as u64).map(key_of).collect(),
                BenchAuth::None | BenchAuth::Mac | BenchAuth::Bundle => Vec::new(),
            },
            devices,
            source,
            mac_key: seed(n, 2),
            signatures: Vec::new(),
            submitted: 0,
            scratch: Vec::new(),
        }
    }

    /// Enrols its devices.
    pub(crate) fn enrol(&self, sink: &dyn Sink) -> Result<(), CliError> {
        for outcome in sink.enrol(&self.enrolments()) {
            outcome.map_err(|source| CliError::Enrol { label: "of the bench".into(), source })?;
        }
        Ok(())
    }

    fn enrolments(&self) -> Vec<Enrolment> {
        let enrol = |(at, &device): (usize, &DeviceId)| match self.auth {
            BenchAuth::None => Enrolment::host(device),
            BenchAuth::Mac => Enrolment::mac(device, self.mac_key),
            BenchAuth::Ed25519 => Enrolment::ed25519(device, self.keys[at].verification_key().into()),
            BenchAuth::Bundle => Enrolment::ed25519(device, self.key.verification_key().into()),
        };
        self.devices.iter().enumerate().map(enrol).collect()
    }

    /// Signs this many writes beforehand, if devices sign one by one.
    pub(crate) fn sign(&mut self, writes: usize) {
        if self.auth != BenchAuth::Ed25519 {
            return;
        }
        let mut signed = Vec::new();
        let mut source = self.source.clone();
        self.signatures = (0..writes)
            .map(|_| {
                let planned = source.next();
                self.write(&planned).signed_bytes(&mut signed);
                self.keys[planned.device].sign(&signed).into()
            })
            .collect();
    }

    /// Whose its next writes are, and their numbers.
    pub(crate) fn next_writes(&self, writes: usize) -> Vec<(DeviceId, u64)> {
        let mut source = self.source.clone();
        let next = std::iter::repeat_with(|| source.next()).take(writes);
        next.map(|planned| (self.devices[planned.device], planned.seq)).collect()
    }

    /// How many more writes it can submit.
    pub(crate) fn left(&self) -> usize {
        match self.auth {
            BenchAuth::Ed25519 => {
                self.signatures.len() - usize::try_from(self.submitted).unwrap_or(usize::MAX)
            }
            _ => usize::MAX,
        }
    }

    /// Bytes that the workload itself holds.
    pub(crate) const fn bytes(&self) -> usize {
        self.pool.len() + self.signatures.len() * 64
    }

    #[expect(clippy::cast_possible_truncation, reason = "a remainder by a length is below it")]
    fn write(&self, planned: &Planned) -> Write<'_> {
        let Planned { device, seq, observed_at_ms, kind, payload_bytes, .. } = *planned;
        let cut = ((seq * 31 + device as u64).wrapping_mul(64) % POOL_BYTES as u64) as usize;
        let payload = &self.pool[cut..cut + payload_bytes];
        Write { device: self.devices[device], seq, observed_at_ms, kind, payload }
    }

    /// Submits the next writes, the urgent ones of them first.
    pub(crate) fn submit(&mut self, sink: &dyn Sink, writes: usize) -> Vec<Call> {
        let writes = writes.min(self.left());
        let first = usize::try_from(self.submitted).unwrap_or(usize::MAX);
        self.submitted += writes as u64;
        let planned: Vec<(usize, Planned)> =
            (first..first + writes).map(|at| (at, self.source.next())).collect();
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut submit = |lane: Lane| {
            let planned: Vec<_> = planned.iter().filter(|(_, planned)| planned.lane == lane).collect();
            if planned.is_empty() {
                return None;
            }
            let record_bytes = planned.iter().map(|(_, planned)| planned.record_bytes() as u64).sum();
            let tickets = self.submit_in(sink, lane, &planned, &mut scratch);
            Some(Call { lane, tickets, record_bytes })
        };
        let calls = Lane::ALL.into_iter().filter_map(&mut submit).collect();
        self.scratch = scratch;
        calls
    }

    fn submit_in(
        &self,
        sink: &dyn Sink,
        lane: Lane,
        planned: &[&(usize, Planned)],
        scratch: &mut Vec<u8>,
    ) -> Tickets {
        let writes = planned.iter().map(|(_, planned)| self.write(planned));
        match self.auth {
            BenchAuth::Bundle => {
                let writes: Vec<Write<'_>> = writes.collect();
                self.submit_bundle(sink, lane, &writes)
            }
            BenchAuth::None => {
                let tagged: Vec<_> = writes.map(|write| (write, Tag::Host)).collect();
                sink.submit_many(lane, &tagged)
            }
            BenchAuth::Mac => {
                let writes: Vec<Write<'_>> = writes.collect();
                let macs = macs(&self.mac_key, &writes, scratch);
                let tagged: Vec<_> = writes.into_iter().zip(macs.into_iter().map(Tag::Mac)).collect();
                sink.submit_many(lane, &tagged)
            }
            BenchAuth::Ed25519 => {
                let tags = planned.iter().map(|(at, _)| Tag::Ed25519(self.signatures[*at]));
                let tagged: Vec<_> = writes.zip(tags).collect();
                sink.submit_many(lane, &tagged)
            }
        }
    }

    fn submit_bundle(&self, sink: &dyn Sink, lane: Lane, writes: &[Write<'_>]) -> Tickets {
        // Another one for each bundle.
        let seed = seed(self.submitted, 5 + lane as u8);
        let tree = BundleTree::new(bundle::leaves(&seed, writes)).expect("a bench's bundle has a size");
        let signature = self.key.sign(&tree.message()).into();
        let signed = SignedBundle { key: self.key.verification_key().into(), seed, signature, writes };
        sink.submit_bundle(lane, &signed).expect("the bench signs its bundles")
    }
}

/// The MACs of writes, in lanes as a gateway would make them where neighbours are of one length.
fn macs(key: &[u8; 32], writes: &[Write<'_>], scratch: &mut Vec<u8>) -> Vec<[u8; 32]> {
    scratch.clear();
    let mut ends = Vec::with_capacity(writes.len());
    for write in writes {
        let begin = scratch.len();
        scratch.extend_from_slice(key);
        write.encode_body(scratch);
        scratch.resize(begin + (scratch.len() - begin).next_multiple_of(64), 0);
        ends.push(scratch.len());
    }
    let begins = std::iter::once(&0).chain(&ends);
    let messages: Vec<&[u8]> = begins.zip(&ends).map(|(&begin, &end)| &scratch[begin..end]).collect();
    let mut macs = vec![[0; 32]; writes.len()];
    let mut left = &mut macs[..];
    for alike in messages.chunk_by(|a, b| a.len() == b.len()) {
        let (those, rest) = left.split_at_mut(alike.len());
        hash_many(Mode::Mac, alike, those);
        left = rest;
    }
    macs
}

fn seed(n: u64, purpose: u8) -> [u8; 32] {
    let mut seed = [purpose; 32];
    seed[..8].copy_from_slice(&n.to_le_bytes());
    seed
}
