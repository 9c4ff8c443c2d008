//! The devices of a shard by identifier and by slot.

use crate::keys::DeviceKeys;
use arterial_protocol::{Credential, DeviceId};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// A device, for those who submit and those who read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) credential: Credential,
    /// `None` once they were destroyed.
    pub(crate) keys: Option<DeviceKeys>,
}

#[derive(Debug, Default)]
pub(crate) struct Directory {
    slots: HashMap<DeviceId, u32, RandomState>,
    devices: Vec<Device>,
}

impl Directory {
    pub(crate) fn slot(&self, device: DeviceId) -> Option<u32> {
        self.slots.get(&device).copied()
    }

    pub(crate) fn device(&self, slot: u32) -> &Device {
        &self.devices[slot as usize]
    }

    pub(crate) fn device_mut(&mut self, slot: u32) -> &mut Device {
        &mut self.devices[slot as usize]
    }

    pub(crate) fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The slot that the next device gets.
    #[expect(clippy::cast_possible_truncation, reason = "a shard has at most SLOTS_END slots")]
    pub(crate) fn next_slot(&self) -> u32 {
        self.devices.len() as u32
    }

    pub(crate) fn add(&mut self, device: Device) {
        self.slots.insert(device.id, self.next_slot());
        self.devices.push(device);
    }
}
