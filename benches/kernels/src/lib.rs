//! What each stage of the write side and of the verifier does most, by itself and without a disk.
//!
//! The benches time these kernels; this package's program counts their instructions, which the neighbour's load does not
//! change. A kernel is named `module::operation/key=value`.
#![allow(clippy::unwrap_used, reason = "a bench panics where it fails")]

mod accounts;
mod batch;
mod bundle;
mod hashing;
mod log;
mod receipt;

use arterial_protocol::{DeviceId, Write};

/// Something to be done again and again.
pub struct Kernel {
    /// `module::operation/key=value`.
    pub name: &'static str,
    /// How much of what is done each time.
    pub work: Work,
    /// Prepares it; the answer does it once a call.
    pub setup: fn() -> Box<dyn FnMut()>,
}

/// What a kernel's throughput is told in.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// So many of what the name says.
    Elements(u64),
    /// So many bytes.
    Bytes(u64),
}

/// All kernels.
pub fn kernels() -> impl Iterator<Item = &'static Kernel> {
    let modules = [
        hashing::KERNELS,
        bundle::KERNELS,
        log::KERNELS,
        accounts::KERNELS,
        batch::KERNELS,
        receipt::KERNELS,
    ];
    modules.into_iter().flatten()
}

/// Bytes of most records in the benches.
const PAYLOAD: [u8; 56] = [0xab; 56];

/// A device's write whose record has 128 bytes.
const fn write(device: DeviceId, seq: u64) -> Write<'static> {
    Write { device, seq, observed_at_ms: 1_700_000_000_000, kind: 1, payload: &PAYLOAD }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_of_one_form_and_every_kernel_can_be_repeated() {
        let mut names = HashSet::new();
        for kernel in kernels() {
            assert!(names.insert(kernel.name), "{} is there twice", kernel.name);
            let (operation, settings) = kernel.name.split_once('/').unwrap();
            assert!(operation.contains("::"), "{}", kernel.name);
            assert!(settings.split(',').all(|setting| setting.contains('=')), "{}", kernel.name);
            let mut run = (kernel.setup)();
            run();
            run();
        }
    }
}
