//! What is found out about a group of writes before any of them is accepted: whose they are, and whether they are.

use crate::{
    directory::{Device, Directory},
    error::SubmitError,
    group::Group,
    limits::SIGNATURES_AT_ONCE,
    log::{Laid, TagKind, layout},
    signatures::{Batch, Signed},
};
use arterial_protocol::{Credential, SIGNING_DOMAIN};

/// The findings about a group, by entry.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// The slot of each entry's device, or one of the marks.
    pub(crate) slots: Vec<u32>,
    /// Where in the group each entry's canonical record begins.
    pub(crate) records: Vec<u32>,
    /// What kind of tag each entry has, for those that have a slot.
    pub(crate) tags: Vec<TagKind>,
    /// Why entries are refused.
    pub(crate) refusals: Vec<(u32, SubmitError)>,
    batch: Batch,
    /// What one signature covers.
    message: Vec<u8>,
}

/// The entry is refused.
pub(crate) const REFUSED: u32 = u32::MAX;
/// The entry is no write, but a bundle's frame.
pub(crate) const BUNDLE: u32 = u32::MAX - 1;

impl Checks {
    pub(crate) fn refuse(&mut self, index: usize, error: SubmitError) {
        #[expect(clippy::cast_possible_truncation, reason = "a group has at most GROUP_WRITES_MAX entries")]
        let at = index as u32;
        self.slots[index] = REFUSED;
        self.refusals.push((at, error));
    }

    /// Whether an entry is a write that nothing was found against.
    pub(crate) fn stands(&self, index: usize) -> bool {
        self.slots[index] < BUNDLE
    }

    /// An entry's record.
    pub(crate) fn laid<'a>(&self, group: &'a Group, index: usize) -> Laid<'a> {
        let frame = group.frame(index);
        Laid::new(&group.bytes[frame.clone()], self.records[index] as usize - frame.start)
    }

    /// Finds every entry's device, and whether its tag is of the kind that the device is enrolled with.
    pub(crate) fn look_up(&mut self, group: &Group, directory: &Directory) {
        self.slots.clear();
        self.records.clear();
        self.tags.clear();
        self.refusals.clear();
        let mut bundles = group.bundles.iter().peekable();
        for (index, at) in (0..group.offsets.len()).zip(0u32..) {
            let frame = group.frame(index);
            let Some((tag, canonical_at)) = layout(&group.bytes[frame.clone()]) else {
                self.slots.push(BUNDLE);
                self.records.push(0);
                self.tags.push(TagKind::Bundled);
                bundles.next();
                continue;
            };
            #[expect(clippy::cast_possible_truncation, reason = "a group is at most GROUP_BYTES_MAX long")]
            self.records.push((frame.start + canonical_at) as u32);
            self.tags.push(tag);
            let bundle_key = bundles
                .peek()
                .filter(|bundled| bundled.entries.contains(&at))
                .map(|bundled| bundled.part.key);
            let laid = Laid::new(&group.bytes[frame], canonical_at);
            self.slots.push(REFUSED);
            match find(&laid, tag, bundle_key, directory) {
                Ok(slot) => self.slots[index] = slot,
                Err(error) => self.refuse(index, error),
            }
        }
    }

    /// Checks the signatures of a group, many at once; only if that fails is each checked alone, to name the culprits.
    ///
    /// It takes long, so `between` is called now and then.
    pub(crate) fn verify_signatures(
        &mut self,
        group: &Group,
        directory: &Directory,
        mut between: impl FnMut(),
    ) {
        let signed: Vec<usize> = (0..group.offsets.len())
            .filter(|&index| self.stands(index) && self.tags[index] == TagKind::Ed25519)
            .collect();
        let mut rng = rand::rng();
        for indexes in signed.chunks(SIGNATURES_AT_ONCE) {
            let mut batch = std::mem::take(&mut self.batch);
            batch.clear();
            let stand = indexes.iter().all(|&index| {
                self.with_signed(group, directory, index, |signed| batch.push(signed, &mut rng))
            }) && batch.verify();
            self.batch = batch;
            if !stand {
                for &index in indexes {
                    if !self.with_signed(group, directory, index, |signed| signed.verify()) {
                        let laid = self.laid(group, index);
                        self.refuse(index, unauthentic(&laid));
                    }
                }
            }
            between();
        }
    }

    /// Shows an entry's signature, and what it covers.
    fn with_signed<T>(
        &mut self,
        group: &Group,
        directory: &Directory,
        index: usize,
        show: impl FnOnce(&Signed<'_>) -> T,
    ) -> T {
        let laid = self.laid(group, index);
        self.message.clear();
        self.message.extend_from_slice(SIGNING_DOMAIN);
        self.message.extend_from_slice(laid.signed());
        let slot = self.slots[index];
        show(&Signed {
            slot,
            key: directory.device(slot).credential.bytes(),
            signature: laid.tag().try_into().expect("an Ed25519 tag is a signature"),
            message: &self.message,
        })
    }
}

fn find(
    laid: &Laid<'_>,
    tag: TagKind,
    bundle_key: Option<[u8; 32]>,
    directory: &Directory,
) -> Result<u32, SubmitError> {
    let device = laid.device();
    let slot = directory.slot(device).ok_or(SubmitError::UnknownDevice { device })?;
    let Device { credential, keys, .. } = directory.device(slot);
    if keys.is_none() {
        return Err(SubmitError::KeysDestroyed { device });
    }
    let fits = match (tag, credential) {
        (TagKind::Ed25519, Credential::Ed25519(_))
        | (TagKind::Mac, Credential::Mac(_))
        | (TagKind::Host, Credential::Host) => true,
        (TagKind::Bundled, Credential::Ed25519(key)) => bundle_key == Some(*key),
        _ => false,
    };
    if fits { Ok(slot) } else { Err(unauthentic(laid)) }
}

pub(crate) fn unauthentic(laid: &Laid<'_>) -> SubmitError {
    SubmitError::Unauthentic { device: laid.device(), seq: laid.seq() }
}
