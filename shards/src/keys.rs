//! Subject and MAC keys, apart from every log, so that one can be destroyed.
//!
//! ```text
//! keys/0003.keys: 128 bytes a slot
//!   0 state u8 (0 empty, 1 present, 2 destroyed) │ 1 has MAC key u8 │ 2 zero u16 │ 4 slot u32
//!   8 device id[16] │ 24 subject key[32] │ 56 MAC key[32] │ 88 zeros │ 124 CRC-32C u32 of bytes 0‥124
//! ```
//! An entry is made durable before its enrolment is logged; one without an enrolment is written over by the
//! next. Destroying overwrites in place: what the disk's own layers keep of old sectors is beyond us.

use crate::error::{IoContext, ShardError};
use arterial_protocol::DeviceId;
use arterial_storage::{Blob, Storage};
use std::{
    fmt,
    path::{Path, PathBuf},
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

const ENTRY_BYTES: usize = size_of::<WireEntry>();
const PRESENT: u8 = 1;
const DESTROYED: u8 = 2;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireEntry {
    state: u8,
    has_mac: u8,
    zero: U16,
    slot: U32,
    device: [u8; 16],
    subject: [u8; 32],
    mac: [u8; 32],
    zeros: [u8; 36],
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
        Ok(Self { path, blob })
    }

    /// Writes entries for consecutive slots, durably.
    pub(crate) fn put(&self, first_slot: u32, entries: &[(DeviceId, DeviceKeys)]) -> Result<(), ShardError> {
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
        for (slot, (device, keys)) in (first_slot..).zip(entries) {
            bytes.extend_from_slice(entry(PRESENT, slot, *device, Some(keys)).as_bytes());
        }
        self.write(first_slot, &bytes)
    }

    /// Overwrites a device's keys, durably.
    pub(crate) fn destroy(&self, slot: u32, device: DeviceId) -> Result<(), ShardError> {
        self.write(slot, entry(DESTROYED, slot, device, None).as_bytes())
    }

    fn write(&self, slot: u32, bytes: &[u8]) -> Result<(), ShardError> {
        self.blob
            .write_at(bytes, u64::from(slot) * ENTRY_BYTES as u64)
            .and_then(|()| self.blob.sync())
            .context("cannot write key file", &self.path)
    }

    /// The keys of the first slots, whose devices are given; `None` where they were destroyed.
    pub(crate) fn load(&self, devices: &[DeviceId]) -> Result<Vec<Option<DeviceKeys>>, ShardError> {
        let mut bytes = vec![0; devices.len() * ENTRY_BYTES];
        self.blob.read_at(&mut bytes, 0).context("cannot read key file", &self.path)?;
        parse(&bytes, devices, &self.path)
    }
}

/// What [`KeyStore::load`] makes of a key file's bytes.
pub(crate) fn parse(
    bytes: &[u8],
    devices: &[DeviceId],
    path: &Path,
) -> Result<Vec<Option<DeviceKeys>>, ShardError> {
    let corrupt =
        |offset: usize, what| ShardError::Corrupt { path: path.to_owned(), offset: offset as u64, what };
    let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
    if entries.len() < devices.len() {
        let what = format!("it ends before the keys of {} devices", devices.len() - entries.len());
        return Err(corrupt(bytes.len(), what));
    }
    (0u32..)
        .zip(devices)
        .zip(entries)
        .map(|((slot, device), entry)| {
            parse_entry(slot, *device, entry)
                .map_err(|what| corrupt(slot as usize * ENTRY_BYTES, what.to_owned()))
        })
        .collect()
}

fn parse_entry(
    slot: u32,
    device: DeviceId,
    bytes: &[u8; ENTRY_BYTES],
) -> Result<Option<DeviceKeys>, &'static str> {
    let entry = WireEntry::read_from_bytes(bytes).expect("an entry is as long as its bytes");
    if entry.crc.get() != crc32c::crc32c(&bytes[..ENTRY_BYTES - 4]) {
        return Err("the entry's checksum does not match");
    }
    if entry.slot != slot || entry.device != device.0 {
        return Err("the entry is of another device");
    }
    match (entry.state, entry.has_mac) {
        (DESTROYED, _) => Ok(None),
        (PRESENT, 0) => Ok(Some(DeviceKeys { subject: entry.subject, mac: None })),
        (PRESENT, 1) => Ok(Some(DeviceKeys { subject: entry.subject, mac: Some(entry.mac) })),
        _ => Err("the entry has an unknown state"),
    }
}

fn entry(state: u8, slot: u32, device: DeviceId, keys: Option<&DeviceKeys>) -> WireEntry {
    let mac = keys.and_then(|keys| keys.mac);
    let mut entry = WireEntry {
        state,
        has_mac: u8::from(mac.is_some()),
        zero: 0.into(),
        slot: slot.into(),
        device: device.0,
        subject: keys.map_or([0; 32], |keys| keys.subject),
        mac: mac.unwrap_or([0; 32]),
        zeros: [0; 36],
        crc: 0.into(),
    };
    entry.crc = crc32c::crc32c(&entry.as_bytes()[..ENTRY_BYTES - 4]).into();
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use arterial_storage::FileStorage;

    #[test]
    fn keys_come_back_until_they_are_destroyed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.keys");
        let store = KeyStore::open(&FileStorage, path.clone()).unwrap();
        let devices = [DeviceId([1; 16]), DeviceId([2; 16])];
        let keys =
            [DeviceKeys { subject: [3; 32], mac: None }, DeviceKeys { subject: [4; 32], mac: Some([5; 32]) }];
        store.put(0, &[(devices[0], keys[0]), (devices[1], keys[1])]).unwrap();
        assert_eq!(store.load(&devices).unwrap(), keys.map(Some));
        store.destroy(1, devices[1]).unwrap();
        assert_eq!(store.load(&devices).unwrap(), [Some(keys[0]), None]);
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(32).any(|window| window == [4; 32] || window == [5; 32]));
    }

    #[test]
    fn each_changed_byte_of_an_entry_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.keys");
        let device = DeviceId([1; 16]);
        let store = KeyStore::open(&FileStorage, path.clone()).unwrap();
        store.put(0, &[(device, DeviceKeys { subject: [3; 32], mac: None })]).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(store.load(&[device]), Err(ShardError::Corrupt { offset: 0, .. })), "byte {at}");
        }
        std::fs::write(&path, &good).unwrap();
        assert!(matches!(store.load(&[DeviceId([9; 16])]), Err(ShardError::Corrupt { .. })));
    }
}
