//! That a write is in a bundle, and who signed that.

use super::{
    leaf, message,
    tree::{is_count, levels},
};
use crate::{
    device::Credential,
    lanes::{self, Mode},
    write::{AuthorshipError, Write, verify_signature},
};
use alloc::vec::Vec;
use core::ops::Range;

/// That a gateway signed a write as one of a bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BundleProof {
    /// The gateway's Ed25519 signature over [`message`].
    pub signature: [u8; 64],
    /// Writes of the bundle.
    pub count: u16,
    /// The write's place among them, from 0.
    pub index: u16,
    /// The write's own [`blind`](super::blind).
    pub blind: [u8; 32],
    /// Siblings from the leaf up: [`path_nodes`] of them.
    pub path: Vec<[u8; 32]>,
}

impl BundleProof {
    /// Checks that the key of `credential` signed a bundle that has `write` at this place.
    ///
    /// # Errors
    /// [`AuthorshipError`] says what doesn't fit.
    pub fn verify(&self, credential: &Credential, write: &Write<'_>) -> Result<(), AuthorshipError> {
        let Self { count, index, .. } = *self;
        if path_nodes(count, index) != Some(self.path.len()) {
            return Err(AuthorshipError::BundlePath { count, index, got: self.path.len() });
        }
        let mut node = leaf(&self.blind, write);
        let (mut at, mut siblings) = (usize::from(index), self.path.iter());
        for level in levels(count) {
            // The length fits, so there is one where there has to be.
            if let Some(sibling) = (at ^ 1 < level.len()).then(|| siblings.next()).flatten() {
                let pair = if at % 2 == 0 { [node, *sibling] } else { [*sibling, node] };
                node = lanes::hash(Mode::Hash, pair.as_flattened());
            }
            at /= 2;
        }
        verify_signature(credential, &self.signature, &message(count, &node))
    }
}

/// How many siblings the path of a bundle's write has; `None` where there is no such write or no such bundle.
#[must_use]
pub fn path_nodes(count: u16, index: u16) -> Option<usize> {
    let has_sibling = |(level, nodes): (usize, Range<usize>)| (usize::from(index) >> level ^ 1) < nodes.len();
    (is_count(count) && index < count)
        .then(|| levels(count).enumerate().filter(|level| has_sibling(level.clone())).count())
}
