//! Devices that write every tenth of a second, in step: what a tick has is a function of its number.

use arterial::{DeviceId, Enrolment, Tag, Write};
use ed25519_zebra::SigningKey;

pub(crate) const TICK_MS: u64 = 100;
const BEGAN_MS: u64 = 1_735_689_600_000;

pub(crate) struct Device {
    pub(crate) id: DeviceId,
    key: SigningKey,
    secret: [u8; 32],
}

/// As many as make up a rate of writes a second.
pub(crate) fn devices(rate: u64) -> Vec<Device> {
    (0..rate * TICK_MS / 1000).map(Device::new).collect()
}

impl Device {
    fn new(n: u64) -> Self {
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&n.to_le_bytes());
        Self { id: DeviceId::from_label(&format!("soak {n}")), key: SigningKey::from_bytes(&secret), secret }
    }

    pub(crate) fn enrolment(&self) -> Enrolment {
        let key = self.key.verification_key().into();
        Enrolment { subject_key: Some(self.secret), ..Enrolment::ed25519(self.id, key) }
    }

    /// Its write of a tick, signed.
    pub(crate) fn sign<'a>(&self, tick: u64, payload: &'a [u8]) -> (Write<'a>, Tag) {
        let observed_at_ms = BEGAN_MS + tick * TICK_MS;
        let write = Write { device: self.id, seq: tick, observed_at_ms, kind: 1, payload };
        let mut signed = Vec::new();
        write.signed_bytes(&mut signed);
        (write, Tag::Ed25519(self.key.sign(&signed).into()))
    }
}

/// What every device reads at a tick.
pub(crate) fn payload(tick: u64) -> [u8; 16] {
    let mut payload = *b"hr 072 spo2 0097";
    payload[8..].copy_from_slice(&tick.to_le_bytes());
    payload
}
