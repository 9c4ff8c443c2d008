//! What a gateway makes of the writes that it signs at once.

use crate::{Kernel, Work, write};
use arterial_protocol::{BundleTree, DeviceId, Write, bundle};
use std::hint::black_box;

pub(crate) const KERNELS: &[Kernel] = &[
    Kernel { name: "bundle::leaves/writes=64", work: Work::Elements(64), setup: || leaves(64) },
    Kernel { name: "bundle::leaves/writes=4096", work: Work::Elements(4096), setup: || leaves(4096) },
    Kernel { name: "bundle::tree/writes=64", work: Work::Elements(64), setup: || tree(64) },
    Kernel { name: "bundle::tree/writes=4096", work: Work::Elements(4096), setup: || tree(4096) },
];

fn writes(count: u64) -> Vec<Write<'static>> {
    (0..count).map(|seq| write(DeviceId([0x5a; 16]), seq)).collect()
}

fn leaves(count: u64) -> Box<dyn FnMut()> {
    let writes = writes(count);
    Box::new(move || {
        black_box(bundle::leaves(&[3; 32], black_box(&writes)));
    })
}

fn tree(count: u64) -> Box<dyn FnMut()> {
    let leaves = bundle::leaves(&[3; 32], &writes(count));
    Box::new(move || {
        black_box(BundleTree::new(black_box(&leaves).clone()).unwrap());
    })
}
