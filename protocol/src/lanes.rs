//! BLAKE3 of many short messages, each in a SIMD lane of its own.
//!
//! BLAKE3 vectorises over the chunks of one long message. A record is one chunk or less, so hashed alone it uses one
//! lane of 16. The same kernels hash as many messages side by side, given that all are as long as each other and of
//! whole blocks: then each is a chunk that is also the root (BLAKE3 paper, sections 2.2 and 2.4).
//!
//! ```text
//! lane  0   record 0   block 0 ─▶ block 1 ─▶ hash 0        flags: CHUNK_START on the first block,
//! lane  1   record 1   block 0 ─▶ block 1 ─▶ hash 1               CHUNK_END and ROOT on the last
//!   ⋮                                                      counter: 0, the number of the chunk
//! lane 15   record 15  block 0 ─▶ block 1 ─▶ hash 15
//! ```
//!
//! The kernels are chosen at run time by the processor, without `std` too: the `blake3` crate asks `CPUID` itself.

use blake3::{
    BLOCK_LEN, CHUNK_LEN, Hasher, IncrementCounter,
    hazmat::{ContextKey, HasherExt},
    platform::Platform,
};

/// Messages hashed at once at most: the lanes of AVX-512.
pub const LANES: usize = 16;

/// Domain flags of the compression function: BLAKE3 paper, section 2.2.
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
const DERIVE_KEY_MATERIAL: u8 = 1 << 6;

/// What a plain hash starts from: SHA-256's initial values.
const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The context keys: BLAKE3 of [`Mode::context`] in the mode for contexts. Constants, so that no hash costs two.
const MAC_KEY: ContextKey = [
    0x9c, 0x48, 0x71, 0xef, 0xd4, 0x55, 0xc2, 0x80, 0xa7, 0xf1, 0xf6, 0xec, 0xce, 0xaa, 0x39, 0x05, 0x02,
    0xf1, 0x6a, 0xb0, 0x58, 0x4d, 0xdd, 0x32, 0x75, 0x4a, 0xe0, 0xa6, 0x51, 0x33, 0x68, 0xbc,
];
const BUNDLE_LEAF_KEY: ContextKey = [
    0x50, 0x31, 0xf1, 0x63, 0x89, 0x5e, 0x34, 0x87, 0x62, 0x7e, 0x47, 0x8b, 0x19, 0x49, 0x62, 0xd8, 0x1f,
    0x05, 0x1d, 0x38, 0xe5, 0x21, 0xa6, 0x7c, 0x44, 0x92, 0xaf, 0x45, 0xa3, 0xa9, 0x30, 0x48,
];

/// What a hash is for. Hashes in two modes never agree but by a collision, whatever the messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Plain BLAKE3: record digests, salts, inner nodes of bundles.
    Hash,
    /// The MAC of a write, see [`Tag::mac`](crate::Tag::mac).
    Mac,
    /// A write's leaf in a bundle, see [`bundle`](crate::bundle).
    BundleLeaf,
}

impl Mode {
    /// The context string of BLAKE3's `derive_key`, for the modes that use it.
    #[must_use]
    pub const fn context(self) -> Option<&'static str> {
        match self {
            Self::Hash => None,
            Self::Mac => Some("arterial/mac/v1"),
            Self::BundleLeaf => Some("arterial/bundle-leaf/v1"),
        }
    }

    const fn context_key(self) -> Option<&'static ContextKey> {
        match self {
            Self::Hash => None,
            Self::Mac => Some(&MAC_KEY),
            Self::BundleLeaf => Some(&BUNDLE_LEAF_KEY),
        }
    }

    /// Hashes in this mode, one message of any length.
    pub(crate) fn hasher(self) -> Hasher {
        self.context_key().map_or_else(Hasher::new, Hasher::new_from_context_key)
    }

    /// The chaining value and the flags that every block starts from.
    fn start(self) -> ([u32; 8], u8) {
        let Some(key) = self.context_key() else { return (IV, 0) };
        let (words, _) = key.as_chunks::<4>();
        (core::array::from_fn(|n| u32::from_le_bytes(words[n])), DERIVE_KEY_MATERIAL)
    }
}

/// BLAKE3 of one message.
#[must_use]
pub fn hash(mode: Mode, message: &[u8]) -> [u8; 32] {
    match mode {
        // Shorter than through a hasher.
        Mode::Hash => *blake3::hash(message).as_bytes(),
        _ => *mode.hasher().update(message).finalize().as_bytes(),
    }
}

/// BLAKE3 of each message. Allocates nothing.
///
/// Lanes need messages of one length: a multiple of 64 bytes, up to 1,024. All others are hashed as well, one by one.
///
/// # Panics
/// There is not one place in `out` for each message.
pub fn hash_many(mode: Mode, messages: &[&[u8]], out: &mut [[u8; 32]]) {
    assert_eq!(messages.len(), out.len(), "one hash for each message");
    let platform = Platform::detect();
    let kernel =
        messages.first().filter(|_| platform.simd_degree() > 1).and_then(|first| kernel(first.len()));
    for (messages, out) in messages.chunks(LANES).zip(out.chunks_mut(LANES)) {
        if kernel.is_some_and(|kernel| kernel(platform, mode, messages, out)) {
            continue;
        }
        for (message, out) in messages.iter().zip(out) {
            *out = hash(mode, message);
        }
    }
}

/// [`hash_many`] for messages that stand one behind the other.
///
/// # Panics
/// There is not one place in `out` for each message.
pub fn hash_blocks(mode: Mode, messages: &[[u8; BLOCK_LEN]], out: &mut [[u8; 32]]) {
    assert_eq!(messages.len(), out.len(), "one hash for each message");
    for (messages, out) in messages.chunks(LANES).zip(out.chunks_mut(LANES)) {
        let mut slices: [&[u8]; LANES] = [&[]; LANES];
        for (slice, message) in slices.iter_mut().zip(messages) {
            *slice = message;
        }
        hash_many(mode, &slices[..messages.len()], out);
    }
}

/// Hashes up to [`LANES`] messages, or says that they are not of its length and does nothing.
type Kernel = fn(Platform, Mode, &[&[u8]], &mut [[u8; 32]]) -> bool;

/// The kernel for messages of so many bytes.
fn kernel(bytes: usize) -> Option<Kernel> {
    /// By the number of blocks, from 1.
    const KERNELS: [Kernel; CHUNK_LEN / BLOCK_LEN] = [
        in_lanes::<64>,
        in_lanes::<128>,
        in_lanes::<192>,
        in_lanes::<256>,
        in_lanes::<320>,
        in_lanes::<384>,
        in_lanes::<448>,
        in_lanes::<512>,
        in_lanes::<576>,
        in_lanes::<640>,
        in_lanes::<704>,
        in_lanes::<768>,
        in_lanes::<832>,
        in_lanes::<896>,
        in_lanes::<960>,
        in_lanes::<1024>,
    ];
    KERNELS.get((bytes / BLOCK_LEN).checked_sub(1)?).filter(|_| bytes.is_multiple_of(BLOCK_LEN)).copied()
}

fn in_lanes<const N: usize>(
    platform: Platform,
    mode: Mode,
    messages: &[&[u8]],
    out: &mut [[u8; 32]],
) -> bool {
    let mut inputs = [&[0; N]; LANES];
    for (input, message) in inputs.iter_mut().zip(messages) {
        let Ok(message) = (*message).try_into() else { return false };
        *input = message;
    }
    let (key, flags) = mode.start();
    platform.hash_many(
        &inputs[..messages.len()],
        &key,
        0,
        IncrementCounter::No,
        flags,
        CHUNK_START,
        CHUNK_END | ROOT,
        out.as_flattened_mut(),
    );
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [Mode; 3] = [Mode::Hash, Mode::Mac, Mode::BundleLeaf];

    /// What the `blake3` crate's front door says, with the context as a string.
    fn expected(mode: Mode, message: &[u8]) -> [u8; 32] {
        match mode.context() {
            None => *blake3::hash(message).as_bytes(),
            Some(context) => blake3::derive_key(context, message),
        }
    }

    fn check(mode: Mode, messages: &[&[u8]]) {
        let mut out = vec![[0; 32]; messages.len()];
        hash_many(mode, messages, &mut out);
        for (message, got) in messages.iter().zip(out) {
            assert_eq!(got, expected(mode, message), "{mode:?}, {} messages", messages.len());
            assert_eq!(hash(mode, message), got);
        }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..=250).cycle().take(count).collect()
    }

    #[test]
    fn context_keys_are_those_of_their_contexts() {
        for mode in MODES {
            let expected = mode.context().map(blake3::hazmat::hash_derive_key_context);
            assert_eq!(mode.context_key().map(hex::encode), expected.map(hex::encode), "{mode:?}");
        }
    }

    #[test]
    fn every_length_in_every_mode_agrees_with_one_by_one() {
        for mode in MODES {
            for length in (BLOCK_LEN..=CHUNK_LEN).step_by(BLOCK_LEN) {
                let data = bytes(40 * length);
                for count in 0..=40 {
                    check(mode, &data.chunks(length).take(count).collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn lengths_that_no_lane_takes_are_hashed_one_by_one() {
        let data = bytes(20 * 2048);
        for mode in MODES {
            for length in [1, 63, 65, 96, 127, 1000, 1023, 1025, 1088, 2048] {
                check(mode, &data.chunks(length).take(20).collect::<Vec<_>>());
            }
            check(mode, &[b"", b""]);
        }
    }

    #[test]
    fn messages_of_several_lengths_are_hashed_all_the_same() {
        let data = bytes(1024);
        let mut messages = vec![&data[..128]; 40];
        messages[20] = &data[..64];
        messages[39] = &data[..129];
        for mode in MODES {
            check(mode, &messages);
            check(mode, &messages[20..]);
        }
    }

    #[test]
    fn blocks_are_hashed_like_messages() {
        let data = bytes(40 * BLOCK_LEN);
        let (blocks, _) = data.as_chunks::<BLOCK_LEN>();
        for count in [0, 1, 15, 16, 17, 40] {
            let mut out = vec![[0; 32]; count];
            hash_blocks(Mode::Hash, &blocks[..count], &mut out);
            assert!(blocks.iter().zip(&out).all(|(block, hash)| *hash == expected(Mode::Hash, block)));
        }
    }
}
