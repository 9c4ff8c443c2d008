//! To bytes.

use super::{DIGEST_BYTES, Delta, HEAD_BYTES, MAGIC, VERSION};
use arterial_protocol::Digest;

impl Delta {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let accounts: usize = self.changed.iter().map(|shard| shard.accounts.len()).sum();
        let mut bytes = Vec::with_capacity(HEAD_BYTES + 64 * self.changed.len() + 40 * accounts);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.shards.get().to_le_bytes());
        bytes.extend_from_slice(&self.number.0.to_le_bytes());
        bytes.extend_from_slice(&self.domain.0.to_be_bytes());
        for shard in &self.changed {
            number(&mut bytes, shard.shard.0.into());
            number(&mut bytes, shard.total_records);
            bytes.extend_from_slice(&shard.data.0);
            number(&mut bytes, shard.accounts.len() as u64);
            let mut next_slot = 0;
            for account in &shard.accounts {
                let skipped = u64::from(account.slot - next_slot);
                number(&mut bytes, skipped << 1 | u64::from(account.identity.is_some()));
                next_slot = account.slot + 1;
                for digest in account.identity.iter().chain([&account.head]) {
                    bytes.extend_from_slice(&pack(*digest));
                }
                number(&mut bytes, account.next_seq.into());
                number(&mut bytes, (account.next_seq - account.count).into());
            }
        }
        bytes
    }
}

/// Seven bits a byte, the low ones first, the high bit where more follow.
pub(super) fn number(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// Eight limbs of 31 bits.
pub(super) fn pack(digest: Digest) -> [u8; DIGEST_BYTES] {
    let mut packed = [0; DIGEST_BYTES];
    let (mut bits, mut held) = (0_u64, 0);
    let mut limbs = digest.limbs().into_iter();
    for byte in &mut packed {
        if held < 8 {
            bits |= u64::from(limbs.next().unwrap_or(0)) << held;
            held += 31;
        }
        *byte = bits.to_le_bytes()[0];
        bits >>= 8;
        held -= 8;
    }
    packed
}
