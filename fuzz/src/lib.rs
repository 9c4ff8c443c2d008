//! Valid samples, and what fuzzed bytes make of them: so no target needs a corpus to get past a checksum.

mod samples;

pub use samples::{domain, key_words, proof, receipt, record};

/// The fuzzed bytes as they are, or a valid sample that they change.
///
/// An odd first byte chooses the sample; then three bytes each say where a byte is changed and to what, and what is
/// left over is appended.
#[must_use]
pub fn raw_or_patched(data: &[u8], sample: &[u8]) -> Vec<u8> {
    match data.split_first() {
        Some((choice, patches)) if choice % 2 == 1 => patched(patches, sample),
        Some((_, raw)) => raw.to_vec(),
        None => Vec::new(),
    }
}

/// A sample with some of its bytes changed and others appended.
#[must_use]
pub fn patched(patches: &[u8], sample: &[u8]) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    let (patches, appended) = patches.as_chunks::<3>();
    for &[low, high, value] in patches {
        let at = usize::from(u16::from_le_bytes([low, high])) % sample.len();
        bytes[at] = value;
    }
    bytes.extend_from_slice(appended);
    bytes
}
