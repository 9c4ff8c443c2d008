//! Subject and MAC keys, apart from every log, so that one can be destroyed.
//!
//! ```text
//! keys/0003.keys: 128 bytes a slot
//!   0 state u8 (0 empty, 1 present, 2 destroyed) │ 1 has MAC key u8 │ 2 credential type u8 │ 3 zero u8 │ 4 slot u32
//!   8 device id[16] │ 24 subject key[32] │ 56 MAC key[32] │ 88 credential[32] │ 120 zero u32
//! 124 CRC-32C u32 of bytes 0‥124
//! ```
//! The credential stands in the log too; here it spares a restart the reading of every enrolment.
//!
//! An entry is made durable before its enrolment is logged; one without an enrolment is written over by the
//! next. Destroying overwrites in place: what the disk's own layers keep of old sectors is beyond us.

use crate::{
    directory::Device,
    error::{IoContext, ShardError},
};
use arterial_protocol::{Credential, DeviceId};
use arterial_storage::{Blob, Storage};
use std::{
    fmt,
    path::{Path, PathBuf},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian::U32};

pub(crate) const ENTRY_BYTES: usize = size_of::<WireEntry>();
const PRESENT: u8 = 1;
const DESTROYED: u8 = 2;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireEntry {
    state: u8,
    has_mac: u8,
    credential_type: u8,
    zero: u8,
    slot: U32,
    device: [u8; 16],
    subject: [u8; 32],
    mac: [u8; 32],
    credential: [u8; 32],
    zeros: U32,
    crc: U32,
}

const _: () = assert!(ENTRY_BYTES == 128);

/// A device's secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeviceKeys {
    /// Salts every record of the device.
    pub(crate) subject: [u8; 32],
    /// Authenticates its writes, if it has no Ed25519 key.
    pub(crate) mac: Option<[u8; 32]>,
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKeys(secret)")
    }
}

/// The key file of one shard.
#[derive(Debug)]
pub(crate) struct KeyStore {
    path: PathBuf,
    blob: Box<dyn Blob>,
}

impl KeyStore {
    pub(crate) fn open(storage: &dyn Storage, path: PathBuf) -> Result<Self, ShardError> {
        let blob = storage.open(&path).context("cannot open key file", &path)?;
        // What a killed process wrote may be in memory only, and is believed from here on.
        blob.sync().context("cannot sync key file", &path)?;
        Ok(Self { path, blob })
    }

    /// Writes the entries of devices at consecutive slots, durably.
    pub(crate) fn put(&self, first_slot: u32, devices: &[Device]) -> Result<(), ShardError> {
        let mut bytes = Vec::with_capacity(devices.len() * ENTRY_BYTES);
        for (slot, device) in (first_slot..).zip(devices) {
            bytes.extend_from_slice(WireEntry::new(slot, device).as_bytes());
        }
        self.write(first_slot, &bytes)
    }

    /// Overwrites a device's keys, durably.
    pub(crate) fn destroy(&self, slot: u32, device: &Device) -> Result<(), ShardError> {
        self.write(slot, WireEntry::new(slot, &Device { keys: None, ..*device }).as_bytes())
    }

    fn write(&self, slot: u32, bytes: &[u8]) -> Result<(), ShardError> {
        self.blob
            .write_at(bytes, offset_of(slot as usize))
            .and_then(|()| self.blob.sync())
            .context("cannot write key file", &self.path)
    }

    /// The devices at so many slots from a first one on.
    pub(crate) fn load(&self, first_slot: u32, devices: usize) -> Result<Vec<Device>, ShardError> {
        let mut bytes = vec![0; devices * ENTRY_BYTES];
        let offset = offset_of(first_slot as usize);
        self.blob.read_at(&mut bytes, offset).context("cannot read key file", &self.path)?;
        parse(&bytes, first_slot, &self.path)
    }

    pub(crate) fn corrupt(&self, slot: u32, what: &str) -> ShardError {
        corrupt(&self.path, slot, what)
    }
}

/// Where the entry of a slot begins in a key file.
pub(crate) const fn offset_of(slot: usize) -> u64 {
    slot as u64 * ENTRY_BYTES as u64
}

fn corrupt(path: &Path, slot: u32, what: &str) -> ShardError {
    let offset = offset_of(slot as usize);
    ShardError::Corrupt { path: path.to_owned(), offset, what: what.into() }
}

/// What [`KeyStore::load`] makes of a key file's bytes.
pub(crate) fn parse(bytes: &[u8], first_slot: u32, path: &Path) -> Result<Vec<Device>, ShardError> {
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    let corrupt = |slot, what| corrupt(path, slot, what);
    let devices: Result<Vec<Device>, ShardError> = (first_slot..)
        .zip(entries)
        .map(|(slot, entry)| parse_entry(slot, entry).map_err(|what| corrupt(slot, what)))
        .collect();
    match devices {
        Ok(devices) if !rest.is_empty() =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "a shard has at most SLOTS_END slots")]
            Err(corrupt(first_slot + devices.len() as u32, "it ends amid an entry"))
        }
        devices => devices,
    }
}

fn parse_entry(slot: u32, bytes: &[u8; ENTRY_BYTES]) -> Result<Device, &'static str> {
    let entry = WireEntry::read_from_bytes(bytes).expect("an entry is as long as its bytes");
    let credential = || {
        Credential::from_parts(entry.credential_type, entry.credential)
            .ok_or("the entry has an unknown type of credential")
    };
    // Destroying is for good, also where the write of it was torn: what may be left of the keys is not used again.
    if (entry.state, entry.slot.get()) == (DESTROYED, slot) {
        return Ok(Device { id: DeviceId(entry.device), credential: credential()?, keys: None });
    }
    if entry.crc.get() != crc32c::crc32c(&bytes[..ENTRY_BYTES - 4]) {
        return Err("the entry's checksum does not match");
    }
    if entry.slot != slot {
        return Err("the entry is of another device");
    }
    let keys = match (entry.state, entry.has_mac) {
        (PRESENT, 0) => Some(DeviceKeys { subject: entry.subject, mac: None }),
        (PRESENT, 1) => Some(DeviceKeys { subject: entry.subject, mac: Some(entry.mac) }),
        _ => return Err("the entry has an unknown state"),
    };
    Ok(Device { id: DeviceId(entry.device), credential: credential()?, keys })
}

impl WireEntry {
    fn new(slot: u32, device: &Device) -> Self {
        let Device { id, credential, keys } = device;
        let mac = keys.and_then(|keys| keys.mac);
        let mut entry = Self {
            state: if keys.is_some() { PRESENT } else { DESTROYED },
            has_mac: u8::from(mac.is_some()),
            credential_type: credential.tag(),
            zero: 0,
            slot: slot.into(),
            device: id.0,
            subject: keys.map_or([0; 32], |keys| keys.subject),
            mac: mac.unwrap_or([0; 32]),
            credential: *credential.bytes(),
            zeros: 0.into(),
            crc: 0.into(),
        };
        entry.crc = crc32c::crc32c(&entry.as_bytes()[..ENTRY_BYTES - 4]).into();
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arterial_storage::FileStorage;

    fn devices() -> [Device; 2] {
        let (one, two) =
            (DeviceKeys { subject: [3; 32], mac: None }, DeviceKeys { subject: [4; 32], mac: Some([5; 32]) });
        [
            Device { id: DeviceId([1; 16]), credential: Credential::Ed25519([8; 32]), keys: Some(one) },
            Device { id: DeviceId([2; 16]), credential: Credential::of_mac_key(&[5; 32]), keys: Some(two) },
        ]
    }

    #[test]
    fn keys_come_back_until_they_are_destroyed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.keys");
        let store = KeyStore::open(&FileStorage, path.clone()).unwrap();
        let devices = devices();
        store.put(0, &devices).unwrap();
        assert_eq!(store.load(0, 2).unwrap(), devices);
        assert_eq!(store.load(1, 1).unwrap(), devices[1..]);
        store.destroy(1, &devices[1]).unwrap();
        assert_eq!(store.load(0, 2).unwrap(), [devices[0], Device { keys: None, ..devices[1] }]);
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(32).any(|window| window == [4; 32] || window == [5; 32]));
    }

    #[test]
    fn a_torn_erasure_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.keys");
        let device = devices()[0];
        let store = KeyStore::open(&FileStorage, path.clone()).unwrap();
        store.put(0, &[device]).unwrap();
        let before = std::fs::read(&path).unwrap();
        store.destroy(0, &device).unwrap();
        let after = std::fs::read(&path).unwrap();
        for torn in 1..before.len() {
            std::fs::write(&path, [&after[..torn], &before[torn..]].concat()).unwrap();
            assert_eq!(store.load(0, 1).unwrap(), [Device { keys: None, ..device }], "byte {torn}");
        }
    }

    #[test]
    fn each_changed_byte_of_an_entry_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.keys");
        let store = KeyStore::open(&FileStorage, path.clone()).unwrap();
        store.put(0, &devices()).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in 0..ENTRY_BYTES {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(store.load(0, 1), Err(ShardError::Corrupt { offset: 0, .. })), "byte {at}");
        }
        std::fs::write(&path, &good).unwrap();
        assert!(store.load(0, 2).is_ok());
        assert!(matches!(parse(&good[ENTRY_BYTES..], 0, &path), Err(ShardError::Corrupt { .. })));
    }
}
