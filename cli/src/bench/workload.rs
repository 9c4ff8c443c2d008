//! What the benches submit: devices, their writes, and the tags that go with them.

use crate::{args::BenchAuth, error::CliError};
use arterial::{
    DeviceId, Enrolment, Tag, Write,
    protocol::{
        BundleTree, bundle,
        lanes::{Mode, hash_many},
    },
    shards::{Lane, Shards, SignedBundle, Tickets},
};
use ed25519_zebra::SigningKey;

/// Bytes from which payloads are cut.
const POOL_BYTES: usize = 1 << 20;
const START_MS: u64 = 1_735_689_600_000;
const KIND: u16 = 1;

/// The devices of the n-th submitter, one after the other.
pub(crate) fn devices(n: u64) -> impl Iterator<Item = DeviceId> {
    (0u64..).map(move |at| DeviceId((u128::from(n) << 64 | u128::from(at)).to_le_bytes()))
}

/// Which device writes next.
pub(crate) enum Order {
    /// Each in turn.
    Turns,
    /// The n-th most active one an n-th as often as the most active one.
    Zipf(Zipf),
}

/// Zipf's law over some devices, and how often each has written.
pub(crate) struct Zipf {
    /// How likely each device or one before it is, in order.
    up_to: Vec<f64>,
    written: Vec<u64>,
    random: SplitMix64,
}

impl Zipf {
    #[expect(clippy::cast_precision_loss, reason = "a likelihood")]
    pub(crate) fn new(devices: usize) -> Self {
        let mut sum = 0.0;
        let mut up_to: Vec<f64> = (1..=devices)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        up_to.iter_mut().for_each(|up_to| *up_to /= sum);
        Self { up_to, written: vec![0; devices], random: SplitMix64(7) }
    }

    /// A device, and its `seq`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    fn next(&mut self) -> (usize, u64) {
        let drawn = (self.random.next() >> 11) as f64 / (1u64 << 53) as f64;
        let device = self.up_to.partition_point(|up_to| *up_to <= drawn).min(self.up_to.len() - 1);
        let seq = self.written[device];
        self.written[device] += 1;
        (device, seq)
    }
}

/// One submitter's devices and where each of them stands.
pub(crate) struct Submitter {
    auth: BenchAuth,
    /// Bytes of each payload.
    payload_bytes: usize,
    /// What payloads are cut from.
    pool: Vec<u8>,
    devices: Vec<DeviceId>,
    order: Order,
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
    pub(crate) fn new(
        n: u64,
        auth: BenchAuth,
        devices: Vec<DeviceId>,
        order: Order,
        payload_bytes: usize,
    ) -> Self {
        let mut random = SplitMix64(n);
        let key_of = |at: u64| SigningKey::from_bytes(&seed(n << 32 | at, 4));
        Self {
            auth,
            payload_bytes,
            pool: std::iter::repeat_with(|| random.next().to_le_bytes())
                .take((POOL_BYTES + payload_bytes).div_ceil(8))
                .flatten()
                .collect(),
            key: SigningKey::from_bytes(&seed(n, 1)),
            keys: match auth {
                BenchAuth::Ed25519 => (0..devices.len() as u64).map(key_of).collect(),
                BenchAuth::None | BenchAuth::Mac | BenchAuth::Bundle => Vec::new(),
            },
            devices,
            order,
            mac_key: seed(n, 2),
            signatures: Vec::new(),
            submitted: 0,
            scratch: Vec::new(),
        }
    }

    /// Enrols its devices.
    pub(crate) fn enrol(&self, shards: &Shards) -> Result<(), CliError> {
        for outcome in shards.enrol(&self.enrolments()) {
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

    /// Signs this many writes beforehand, if devices sign one by one; they write in turn.
    pub(crate) fn sign(&mut self, writes: usize) {
        if self.auth != BenchAuth::Ed25519 {
            return;
        }
        let mut signed = Vec::new();
        self.signatures = (0..writes as u64)
            .map(|n| {
                let (device, seq) = turn(n, self.devices.len());
                self.write(device, seq).signed_bytes(&mut signed);
                self.keys[device].sign(&signed).into()
            })
            .collect();
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
    fn write(&self, device: usize, seq: u64) -> Write<'_> {
        let cut = ((seq * 31 + device as u64).wrapping_mul(64) % POOL_BYTES as u64) as usize;
        Write {
            device: self.devices[device],
            seq,
            observed_at_ms: START_MS + seq,
            kind: KIND,
            payload: &self.pool[cut..cut + self.payload_bytes],
        }
    }

    /// The device of the n-th write, and its `seq`.
    fn next(&mut self, n: u64) -> (usize, u64) {
        match &mut self.order {
            Order::Turns => turn(n, self.devices.len()),
            Order::Zipf(zipf) => zipf.next(),
        }
    }

    /// Submits the next writes.
    pub(crate) fn submit(&mut self, shards: &Shards, lane: Lane, writes: usize) -> Tickets {
        let writes = writes.min(self.left());
        let first = self.submitted;
        self.submitted += writes as u64;
        let mut scratch = std::mem::take(&mut self.scratch);
        let order: Vec<(usize, u64)> = (first..self.submitted).map(|n| self.next(n)).collect();
        let next = order.into_iter().map(|(device, seq)| self.write(device, seq));
        let tickets = match self.auth {
            BenchAuth::Bundle => {
                let writes: Vec<Write<'_>> = next.collect();
                self.submit_bundle(shards, lane, &writes)
            }
            BenchAuth::None => {
                let tagged: Vec<_> = next.map(|write| (write, Tag::Host)).collect();
                shards.submit_many(lane, &tagged)
            }
            BenchAuth::Mac => {
                let writes: Vec<Write<'_>> = next.collect();
                let macs = macs(&self.mac_key, &writes, &mut scratch);
                let tagged: Vec<_> = writes.into_iter().zip(macs.into_iter().map(Tag::Mac)).collect();
                shards.submit_many(lane, &tagged)
            }
            BenchAuth::Ed25519 => {
                let at = usize::try_from(first).unwrap_or(usize::MAX);
                let tags = self.signatures[at..].iter().map(|signature| Tag::Ed25519(*signature));
                let tagged: Vec<_> = next.zip(tags).collect();
                shards.submit_many(lane, &tagged)
            }
        };
        self.scratch = scratch;
        tickets
    }

    fn submit_bundle(&self, shards: &Shards, lane: Lane, writes: &[Write<'_>]) -> Tickets {
        let seed = seed(self.submitted, 3);
        let tree = BundleTree::new(bundle::leaves(&seed, writes)).expect("a bench's bundle has a size");
        let signature = self.key.sign(&tree.message()).into();
        let signed = SignedBundle { key: self.key.verification_key().into(), seed, signature, writes };
        shards.submit_bundle(lane, &signed).expect("the bench signs its bundles")
    }
}

/// The MACs of writes of one length, in lanes as a gateway would make them.
fn macs(key: &[u8; 32], writes: &[Write<'_>], scratch: &mut Vec<u8>) -> Vec<[u8; 32]> {
    scratch.clear();
    for write in writes {
        scratch.extend_from_slice(key);
        write.encode_body(scratch);
        scratch.resize(scratch.len().next_multiple_of(64), 0);
    }
    let messages: Vec<&[u8]> = scratch.chunks(scratch.len() / writes.len().max(1)).collect();
    let mut macs = vec![[0; 32]; writes.len()];
    hash_many(Mode::Mac, &messages, &mut macs);
    macs
}

/// The n-th write of so many devices that write in turn.
#[expect(clippy::cast_possible_truncation, reason = "a remainder by a length is below it")]
const fn turn(n: u64, devices: usize) -> (usize, u64) {
    ((n % devices as u64) as usize, n / devices as u64)
}

fn seed(n: u64, purpose: u8) -> [u8; 32] {
    let mut seed = [purpose; 32];
    seed[..8].copy_from_slice(&n.to_le_bytes());
    seed
}

/// A plain pseudorandom sequence: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
