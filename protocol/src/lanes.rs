//! BLAKE3 of many short messages, each in a SIMD lane of its own.
//!
//! BLAKE3 vectorises over the chunks of one long message. A record is one chunk or less, so hashed alone it uses one
//! lane of 16. The same kernels hash as many messages side by side, given that all are as long as each other: then each
//! is a chunk that is also the root, or all are like trees of chunks (BLAKE3 paper, sections 2.2 and 2.4).
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
use core::array::from_fn;

/// Messages hashed at once at most: the lanes of AVX-512.
pub const LANES: usize = 16;

/// Chunks of the longest message that lanes take.
const CHUNKS_MAX: usize = 8;

/// Domain flags of the compression function: BLAKE3 paper, section 2.2.
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const PARENT: u8 = 1 << 2;
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
        (words(key), DERIVE_KEY_MATERIAL)
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
/// Lanes need messages of one length, of up to 8 KiB, and of those that are longer than a chunk as many as each has
/// chunks, which could fill lanes as well. All others are hashed too, one by one.
///
/// # Panics
/// There is not one place in `out` for each message.
pub fn hash_many(mode: Mode, messages: &[&[u8]], out: &mut [[u8; 32]]) {
    assert_eq!(messages.len(), out.len(), "one hash for each message");
    let lanes = Lanes::new(mode);
    for (messages, out) in messages.chunks(LANES).zip(out.chunks_mut(LANES)) {
        if lanes.take(messages) {
            lanes.hash(messages, out);
        } else {
            for (message, out) in messages.iter().zip(out) {
                *out = hash(mode, message);
            }
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

/// Hashes messages of one length side by side.
struct Lanes {
    platform: Platform,
    /// The chaining value and the flags that every chunk starts from.
    start: ([u32; 8], u8),
}

impl Lanes {
    fn new(mode: Mode) -> Self {
        Self { platform: Platform::detect(), start: mode.start() }
    }

    fn take(&self, messages: &[&[u8]]) -> bool {
        let Some(length) = messages.first().map(|message| message.len()) else { return false };
        let chunks = length.div_ceil(CHUNK_LEN);
        self.platform.simd_degree() > 1
            && (1..=CHUNKS_MAX).contains(&chunks)
            && (chunks == 1 || messages.len() >= chunks)
            && messages.iter().all(|message| message.len() == length)
    }

    /// Hashes messages that it takes: their chunks, then the tree above them, of which an odd last node rises as it is.
    fn hash(&self, messages: &[&[u8]], out: &mut [[u8; 32]]) {
        let (count, chunks) = (messages.len(), messages[0].len().div_ceil(CHUNK_LEN));
        if chunks == 1 {
            return self.chunk(messages, 0, ROOT, out);
        }
        let mut nodes = [[[0; 32]; LANES]; CHUNKS_MAX];
        for (counter, nodes) in (0..).zip(&mut nodes[..chunks]) {
            let mut parts: [&[u8]; LANES] = [&[]; LANES];
            for (part, message) in parts.iter_mut().zip(messages) {
                *part = message.chunks(CHUNK_LEN).nth(counter).unwrap_or_default();
            }
            self.chunk(&parts[..count], counter as u64, 0, &mut nodes[..count]);
        }
        let mut left = chunks;
        while left > 1 {
            let flags = PARENT | if left == 2 { ROOT } else { 0 };
            for parent in 0..left / 2 {
                let children: [[[u8; 32]; 2]; LANES] =
                    from_fn(|lane| [nodes[2 * parent][lane], nodes[2 * parent + 1][lane]]);
                let blocks = children.each_ref().map(|pair| pair.as_flattened());
                self.blocks::<BLOCK_LEN>(&blocks[..count], 0, [flags, 0, 0], &mut nodes[parent][..count]);
            }
            if left % 2 == 1 {
                nodes[left / 2] = nodes[left - 1];
            }
            left = left.div_ceil(2);
        }
        out.copy_from_slice(&nodes[0][..count]);
    }

    /// Hashes each message's chunk of this number; `root` is [`ROOT`] if it is the only one.
    fn chunk(&self, parts: &[&[u8]], counter: u64, root: u8, out: &mut [[u8; 32]]) {
        let (whole, tail) = (parts[0].len() / BLOCK_LEN, parts[0].len() % BLOCK_LEN);
        let end = CHUNK_END | root;
        if let Some(kernel) = whole.checked_sub(1).map(|at| KERNELS[at]) {
            kernel(self, parts, counter, [0, CHUNK_START, if tail == 0 { end } else { 0 }], out);
        }
        if tail == 0 {
            return;
        }
        // The kernels take whole blocks only.
        let (key, flags) = self.start;
        let flags = flags | end | if whole == 0 { CHUNK_START } else { 0 };
        for (part, out) in parts.iter().zip(out) {
            let mut block = [0; BLOCK_LEN];
            block[..tail].copy_from_slice(&part[whole * BLOCK_LEN..]);
            let mut value = if whole == 0 { key } else { words(out) };
            #[expect(clippy::cast_possible_truncation, reason = "shorter than a block")]
            self.platform.compress_in_place(&mut value, &block, tail as u8, counter, flags);
            for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(value) {
                *bytes = word.to_le_bytes();
            }
        }
    }

    /// Runs over the first `N` bytes of each part; flags of every block, of the first one and of the last one besides.
    fn blocks<const N: usize>(
        &self,
        parts: &[&[u8]],
        counter: u64,
        [every, first, last]: [u8; 3],
        out: &mut [[u8; 32]],
    ) {
        let mut inputs = [&[0; N]; LANES];
        for (input, part) in inputs.iter_mut().zip(parts) {
            *input = part.first_chunk().expect("a part has its blocks");
        }
        let (key, flags) = &self.start;
        self.platform.hash_many(
            &inputs[..parts.len()],
            key,
            counter,
            IncrementCounter::No,
            flags | every,
            first,
            last,
            out.as_flattened_mut(),
        );
    }
}

/// [`Lanes::blocks`] of so many bytes.
type Kernel = fn(&Lanes, &[&[u8]], u64, [u8; 3], &mut [[u8; 32]]);

/// By the number of blocks, from 1.
const KERNELS: [Kernel; CHUNK_LEN / BLOCK_LEN] = [
    Lanes::blocks::<64>,
    Lanes::blocks::<128>,
    Lanes::blocks::<192>,
    Lanes::blocks::<256>,
    Lanes::blocks::<320>,
    Lanes::blocks::<384>,
    Lanes::blocks::<448>,
    Lanes::blocks::<512>,
    Lanes::blocks::<576>,
    Lanes::blocks::<640>,
    Lanes::blocks::<704>,
    Lanes::blocks::<768>,
    Lanes::blocks::<832>,
    Lanes::blocks::<896>,
    Lanes::blocks::<960>,
    Lanes::blocks::<1024>,
];

/// A chaining value's words.
fn words(value: &[u8; 32]) -> [u32; 8] {
    let (words, _) = value.as_chunks::<4>();
    from_fn(|n| u32::from_le_bytes(words[n]))
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
    fn every_length_of_parts_of_blocks_and_of_several_chunks_agrees_with_one_by_one() {
        let data = bytes(20 * 9 * CHUNK_LEN);
        for mode in MODES {
            let around = (1..=8).flat_map(|chunks| [-1, 0, 1, 63, 64, 65, 640].map(|by| chunks * 1024 + by));
            for length in [1, 63, 65, 96, 127, 1000].into_iter().chain(around) {
                let messages: Vec<&[u8]> = data.chunks(usize::try_from(length).unwrap()).take(20).collect();
                for count in [1, 2, 4, 8, 16, 20] {
                    check(mode, &messages[..count]);
                }
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
