//! BLAKE3 of tables' rows, in lanes.
//!
//! A row has up to some four thousand bytes. `p3_blake3` hashes rows of one chunk, 1,024 bytes, side by side, and longer
//! ones each alone; here all are hashed side by side. The digests are the same.

use arterial_protocol::lanes::{LANES, Mode, hash, hash_many};
use p3_field::PrimeField32;
use p3_koala_bear::KoalaBear;
use p3_symmetric::CryptographicHasher;

/// Hashes rows as `SerializingHasher<p3_blake3::Blake3>` does, faster.
#[derive(Clone, Copy, Debug)]
pub struct RowHasher;

impl CryptographicHasher<KoalaBear, [u8; 32]> for RowHasher {
    const LANES: usize = LANES;

    fn hash_iter<I: IntoIterator<Item = KoalaBear>>(&self, row: I) -> [u8; 32] {
        hash(Mode::Hash, row.into_iter().map(bytes).collect::<Vec<_>>().as_flattened())
    }

    fn hash_many(&self, rows: &[KoalaBear], out: &mut [[u8; 32]]) {
        let width = rows.len().checked_div(out.len()).unwrap_or(0);
        let mut serialized = vec![[0; 4]; LANES * width];
        for (at, out) in out.chunks_mut(LANES).enumerate() {
            let mut messages: [&[u8]; LANES] = [&[]; LANES];
            if width > 0 {
                for (bytes_of, &value) in serialized.iter_mut().zip(&rows[at * LANES * width..]) {
                    *bytes_of = bytes(value);
                }
                for (message, row) in messages.iter_mut().zip(serialized.chunks(width)) {
                    *message = row.as_flattened();
                }
            }
            hash_many(Mode::Hash, &messages[..out.len()], out);
        }
    }
}

/// An element as it is in memory, which is as unique as its canonical form and needs no arithmetic.
fn bytes(element: KoalaBear) -> [u8; 4] {
    element.to_unique_u32().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use p3_field::PrimeCharacteristicRing;
    use p3_symmetric::SerializingHasher;

    #[test]
    fn digests_are_those_of_p3_blake3() {
        let theirs = SerializingHasher::new(p3_blake3::Blake3);
        for width in [0, 1, 15, 16, 17, 256, 257, 487, 804, 972, 2048, 2049] {
            for height in [0, 1, 15, 16, 17, 40] {
                let rows: Vec<KoalaBear> = (0..width * height).map(KoalaBear::from_usize).collect();
                let (mut ours, mut expected) = (vec![[1; 32]; height], vec![[2; 32]; height]);
                RowHasher.hash_many(&rows, &mut ours);
                theirs.hash_many(&rows, &mut expected);
                assert_eq!(ours, expected, "{height} rows of {width}");
                let first: [u8; 32] = RowHasher.hash_slice(&rows[..width.min(rows.len())]);
                assert!(height == 0 || first == ours[0]);
            }
        }
    }
}
