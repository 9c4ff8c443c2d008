//! The devices' own side: their keys, and the tags they make.

use super::plan::Plan;
use crate::{
    args::Auth,
    error::{CliError, IoContext},
    interrupt::Interrupt,
};
use arterial::{DeviceId, Enrolment, Tag};
use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use indicatif::ProgressBar;
use rayon::prelude::*;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

const SEED_FILE: &str = "devices.seed";
const SEED_BYTES: usize = 32;

/// What every device's keys are derived from. Real devices have keys of their own; these have to sign the same when
/// a run is taken up again.
pub(crate) struct Seed([u8; SEED_BYTES]);

impl Seed {
    /// The directory's seed, made on its first run.
    pub(crate) fn open(dir: &Path) -> Result<Self, CliError> {
        let path = dir.join(SEED_FILE);
        match fs::read(&path) {
            Ok(bytes) => {
                let got = bytes.len();
                bytes.try_into().map(Self).map_err(|_| CliError::Seed { path, expected: SEED_BYTES, got })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(dir, &path),
            Err(source) => Err(source).context("read", &path),
        }
    }

    fn create(dir: &Path, path: &Path) -> Result<Self, CliError> {
        let mut seed = [0; SEED_BYTES];
        getrandom::fill(&mut seed).map_err(CliError::Randomness)?;
        // Whole and durable before a device is enrolled with a key from it, or not at all.
        let temporary = path.with_extension("tmp");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&temporary).and_then(|mut file| {
            file.write_all(&seed)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            File::open(dir)?.sync_all()
        });
        written.context("write", path)?;
        Ok(Self(seed))
    }

    fn derive(&self, context: &str, label: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&self.0).update(label.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// What one device proves its writes with.
enum Secret {
    Ed25519(Box<SigningKey>),
    Mac([u8; 32]),
}

/// Every device with its keys, in the plan's order.
pub(crate) struct Devices {
    secrets: Vec<Secret>,
}

impl Devices {
    pub(crate) fn derive(seed: &Seed, plan: &Plan, auth: Auth) -> Self {
        let secret = |device| {
            let label = plan.label(device);
            match auth {
                Auth::Ed25519 => Secret::Ed25519(Box::new(SigningKey::from(
                    seed.derive("arterial run 2026 device signing key", &label),
                ))),
                Auth::Mac => Secret::Mac(seed.derive("arterial run 2026 device MAC key", &label)),
            }
        };
        Self { secrets: (0..plan.devices().len()).into_par_iter().map(secret).collect() }
    }

    pub(crate) fn enrolments(&self, ids: &[DeviceId]) -> Vec<Enrolment> {
        let enrolment = |(id, secret): (&DeviceId, &Secret)| match secret {
            Secret::Ed25519(key) => Enrolment::ed25519(*id, VerificationKeyBytes::from(&**key).into()),
            Secret::Mac(key) => Enrolment::mac(*id, *key),
        };
        ids.iter().zip(&self.secrets).map(enrolment).collect()
    }

    /// The tag of every write, in the plan's order; `None` when it was interrupted.
    pub(crate) fn sign(&self, plan: &Plan, bar: &ProgressBar, interrupt: &Interrupt) -> Option<Vec<Tag>> {
        let sign = |signed_bytes: &mut Vec<u8>, at| {
            if interrupt.is_raised() {
                return None;
            }
            let (device, seq) = plan.place(at);
            let write = plan.write_of(device, seq);
            bar.inc(1);
            Some(match &self.secrets[device] {
                Secret::Ed25519(key) => {
                    write.signed_bytes(signed_bytes);
                    Tag::Ed25519(key.sign(signed_bytes).into())
                }
                Secret::Mac(key) => Tag::mac(key, &write),
            })
        };
        (0..plan.writes()).into_par_iter().map_init(Vec::new, sign).collect()
    }
}
