//! What decodes as a receipt encodes to the same bytes; and a receipt that somebody changed, checksum included,
//! verifies against the true root only if what he changed is the stage.
#![no_main]

use arterial_fuzz::{raw_or_patched, receipt};
use arterial_protocol::{FieldElement, Receipt, Stage, StateRoot};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SAMPLES: LazyLock<[(Receipt, StateRoot, Vec<u8>); 2]> = LazyLock::new(|| {
    [false, true].map(|bundled| {
        let (receipt, root) = receipt(bundled);
        let mut bytes = receipt.encode();
        bytes.truncate(bytes.len() - 16);
        (receipt, root, bytes)
    })
});

fuzz_target!(|data: &[u8]| {
    let bundled = data.first().is_some_and(|choice| choice & 2 != 0);
    let (sample, root, covered) = &SAMPLES[usize::from(bundled)];
    let _ = Receipt::decode(data);
    let mut bytes = raw_or_patched(data, covered);
    let sum = blake3::hash(&bytes);
    bytes.extend_from_slice(&sum.as_bytes()[..16]);
    let Ok(receipt) = Receipt::decode(&bytes) else { return };
    assert_eq!(receipt.encode(), bytes);
    let other = StateRoot(FieldElement::reduce(*sum.as_bytes()));
    assert!(receipt.verify(&other).is_err());
    if receipt.verify(root).is_ok() {
        let stage = Stage::Final;
        assert_eq!(Receipt { stage, ..receipt }, Receipt { stage, ..sample.clone() });
    }
});
