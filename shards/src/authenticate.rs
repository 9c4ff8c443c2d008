//! Checking that devices wrote what came in their name.

use crate::{accounts::Directory, error::SubmitError};
use arterial_protocol::{Credential, DeviceId, Tag, Write};
use ed25519_zebra::{Signature, batch};

/// A write on its way to the log.
#[derive(Clone, Debug)]
pub(crate) struct SignedWrite {
    pub(crate) device: DeviceId,
    pub(crate) seq: u64,
    pub(crate) observed_at_ms: u64,
    pub(crate) kind: u16,
    pub(crate) payload: Box<[u8]>,
    pub(crate) tag: Tag,
}

impl SignedWrite {
    pub(crate) fn new(write: &Write<'_>, tag: Tag) -> Self {
        let &Write { device, seq, observed_at_ms, kind, payload } = write;
        Self { device, seq, observed_at_ms, kind, payload: payload.into(), tag }
    }

    pub(crate) fn write(&self) -> Write<'_> {
        Write {
            device: self.device,
            seq: self.seq,
            observed_at_ms: self.observed_at_ms,
            kind: self.kind,
            payload: &self.payload,
        }
    }
}

/// The slot of each write's device, or why the write is not its device's.
///
/// Signatures are checked in one batch; only if that fails is each checked alone, to name the culprits.
pub(crate) fn authenticate<'a>(
    writes: impl ExactSizeIterator<Item = &'a SignedWrite>,
    directory: &Directory,
) -> Vec<Result<u32, SubmitError>> {
    let mut slots = Vec::with_capacity(writes.len());
    let mut signed = Vec::new();
    let mut signed_bytes = Vec::new();
    for (at, write) in writes.enumerate() {
        write.write().signed_bytes(&mut signed_bytes);
        match check(write, directory, &signed_bytes) {
            Ok((slot, item)) => {
                slots.push(Ok(slot));
                signed.extend(item.map(|item| (at, write, item)));
            }
            Err(error) => slots.push(Err(error)),
        }
    }
    let mut batch = batch::Verifier::new();
    for (_, _, item) in &signed {
        batch.queue(item.clone());
    }
    if batch.verify(rand::rng()).is_err() {
        for (at, write, item) in signed {
            if item.verify_single().is_err() {
                slots[at] = Err(unauthentic(write));
            }
        }
    }
    slots
}

/// The slot, and what is left to check if the device signs.
fn check(
    write: &SignedWrite,
    directory: &Directory,
    signed_bytes: &[u8],
) -> Result<(u32, Option<batch::Item>), SubmitError> {
    let device = write.device;
    let slot = directory.slot(device).ok_or(SubmitError::UnknownDevice { device })?;
    let known = directory.device(slot);
    let keys = known.keys.ok_or(SubmitError::KeysDestroyed { device })?;
    match (&write.tag, &known.credential, keys.mac) {
        (Tag::Ed25519(signature), Credential::Ed25519(key), _) => {
            let item = batch::Item::from(((*key).into(), Signature::from_bytes(signature), signed_bytes));
            Ok((slot, Some(item)))
        }
        (tag @ Tag::Mac(_), Credential::Mac(_), Some(key)) => {
            tag.verify_mac(&key, &write.write()).map_err(|_| unauthentic(write))?;
            Ok((slot, None))
        }
        _ => Err(unauthentic(write)),
    }
}

fn unauthentic(write: &SignedWrite) -> SubmitError {
    SubmitError::Unauthentic { device: write.device, seq: write.seq }
}
