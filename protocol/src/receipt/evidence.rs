//! What a receipt has to show for its device's authorship.

use super::Authorship;
use crate::{
    bundle::BundleProof,
    device::Credential,
    write::{AuthorshipError, Tag, Write, verify_signature},
};
use alloc::vec::Vec;

/// Why a record is its device's: what came with the write, as far as others can make use of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// The Ed25519 signature over the write.
    Signature([u8; 64]),
    /// A MAC, which is left out: to check it takes the key, and who has the key can make one.
    Mac,
    /// The word of the node that took the write.
    Host,
    /// The Ed25519 signature over a bundle, and the write's place in it.
    Bundle(BundleProof),
}

impl From<Tag> for Evidence {
    fn from(tag: Tag) -> Self {
        match tag {
            Tag::Ed25519(signature) => Self::Signature(signature),
            Tag::Mac(_) => Self::Mac,
            Tag::Host => Self::Host,
        }
    }
}

impl Evidence {
    /// Who vouches for the write, if the evidence is of the kind that the device is enrolled with, and holds.
    pub(super) fn check(
        &self,
        credential: &Credential,
        write: &Write<'_>,
    ) -> Result<Authorship, AuthorshipError> {
        match (self, credential) {
            (Self::Signature(signature), Credential::Ed25519(_)) => {
                let mut signed_bytes = Vec::new();
                write.signed_bytes(&mut signed_bytes);
                verify_signature(credential, signature, &signed_bytes)?;
                Ok(Authorship::Signed)
            }
            (Self::Bundle(proof), Credential::Ed25519(_)) => {
                proof.verify(credential, write)?;
                Ok(Authorship::SignedInBundle { writes: proof.count })
            }
            (Self::Mac, Credential::Mac(_)) => Ok(Authorship::SequencerOnly),
            (Self::Host, Credential::Host) => Ok(Authorship::HostOnly),
            _ => Err(AuthorshipError::KindMismatch),
        }
    }
}
