//! Making a device known.

use arterial_protocol::{Credential, DeviceId};
use std::fmt;

/// What a device will prove its writes with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DeviceKey {
    /// The public key of the device or its gateway.
    Ed25519([u8; 32]),
    /// A secret that the device and the sequencer share. There is no third-party authorship with it.
    Mac([u8; 32]),
    /// Nothing: the embedding node has made sure of the device in another way, over mutual TLS say, and vouches for what
    /// it submits in the device's name. Nobody can check that afterwards, and receipts say so.
    Host,
}

impl DeviceKey {
    pub(crate) fn credential(&self) -> Credential {
        match self {
            Self::Ed25519(public_key) => Credential::Ed25519(*public_key),
            Self::Mac(key) => Credential::of_mac_key(key),
            Self::Host => Credential::Host,
        }
    }
}

/// A device and its keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Enrolment {
    /// The device.
    pub device: DeviceId,
    /// What it proves its writes with.
    pub key: DeviceKey,
    /// What salts its records; made at random when `None`. Whoever destroys it makes them unlinkable.
    pub subject_key: Option<[u8; 32]>,
}

impl Enrolment {
    /// A device that signs, with a random subject key.
    #[must_use]
    pub const fn ed25519(device: DeviceId, public_key: [u8; 32]) -> Self {
        Self { device, key: DeviceKey::Ed25519(public_key), subject_key: None }
    }

    /// A device that shares a MAC key, with a random subject key.
    #[must_use]
    pub const fn mac(device: DeviceId, key: [u8; 32]) -> Self {
        Self { device, key: DeviceKey::Mac(key), subject_key: None }
    }

    /// A device that the embedding node vouches for, with a random subject key.
    #[must_use]
    pub const fn host(device: DeviceId) -> Self {
        Self { device, key: DeviceKey::Host, subject_key: None }
    }
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enrolment({}, keys secret)", self.device)
    }
}
