//! From bytes, none of which is trusted.

use super::{AccountDelta, DIGEST_BYTES, Delta, DeltaError, HEAD_BYTES, MAGIC, ShardDelta, VERSION};
use arterial_protocol::{
    BlockNumber, DataDigest, Digest, Domain, FieldElement, ShardCount, ShardId,
    limits::{SEQ_END, SLOTS_END},
};

/// An account takes so many bytes at least: what is allocated is bounded by what was given.
const ACCOUNT_BYTES_MIN: usize = 1 + DIGEST_BYTES + 2;

impl Delta {
    /// Decodes canonical bytes.
    ///
    /// # Errors
    /// The first rule that they break. What decodes encodes to the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DeltaError> {
        let short = DeltaError::Length { got: bytes.len() };
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or(short)?;
        let mut head = Reader { rest: head, short };
        let (magic, version, zero) = (head.array::<8>()?, head.array::<2>()?, head.array::<2>()?);
        if magic != MAGIC || u16::from_le_bytes(version) != VERSION || zero != [0; 2] {
            return Err(DeltaError::Format);
        }
        let shards =
            ShardCount::new(u32::from_le_bytes(head.array()?)).ok_or(value("the number of shards"))?;
        let number = BlockNumber(u64::from_le_bytes(head.array()?));
        let domain = FieldElement::from_be_bytes(head.array()?).map(Domain).ok_or(value("the domain"))?;
        let mut reader = Reader { rest, short };
        let (mut changed, mut next_shard) = (Vec::new(), 0);
        while !reader.rest.is_empty() {
            let shard = reader.shard(next_shard, shards)?;
            next_shard = shard.shard.0 + 1;
            changed.push(shard);
        }
        Ok(Self { domain, shards, number, changed })
    }
}

const fn value(what: &'static str) -> DeltaError {
    DeltaError::Value { what }
}

struct Reader<'a> {
    rest: &'a [u8],
    short: DeltaError,
}

impl Reader<'_> {
    fn shard(&mut self, first: u32, shards: ShardCount) -> Result<ShardDelta, DeltaError> {
        let shard = self.number("a shard's id", shards.get().into())?;
        let shard = u32::try_from(shard).ok().filter(|shard| *shard >= first).ok_or(value("a shard's id"))?;
        let total_records = self.number("a number of records", u64::MAX)?;
        let data = DataDigest(self.array()?);
        let length = self.number("a number of accounts", u64::from(SLOTS_END) + 1)?;
        let length = usize::try_from(length).map_err(|_| value("a number of accounts"))?;
        if length == 0 {
            return Err(value("a number of accounts"));
        }
        if length > self.rest.len() / ACCOUNT_BYTES_MIN {
            return Err(self.short);
        }
        let (mut accounts, mut next_slot) = (Vec::with_capacity(length), 0);
        for _ in 0..length {
            let account = self.account(next_slot)?;
            next_slot = account.slot + 1;
            accounts.push(account);
        }
        Ok(ShardDelta { shard: ShardId(shard), total_records, data, accounts })
    }

    fn account(&mut self, next_slot: u32) -> Result<AccountDelta, DeltaError> {
        let skipped_and_new = self.number("a slot", 2 * u64::from(SLOTS_END))?;
        let slot = u64::from(next_slot) + (skipped_and_new >> 1);
        let slot = u32::try_from(slot).ok().filter(|slot| *slot < SLOTS_END).ok_or(value("a slot"))?;
        let identity = (skipped_and_new & 1 == 1).then(|| self.digest()).transpose()?;
        let head = self.digest()?;
        let next_seq = self.number("a seq", SEQ_END + 1)?;
        let missing = self.number("a count", next_seq + 1)?;
        let narrow = |number: u64| u32::try_from(number).map_err(|_| value("a seq"));
        Ok(AccountDelta {
            slot,
            identity,
            head,
            next_seq: narrow(next_seq)?,
            count: narrow(next_seq - missing)?,
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DeltaError> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(self.short)?;
        self.rest = rest;
        Ok(*array)
    }

    /// A number below `end`, in as few bytes as there are for it.
    fn number(&mut self, what: &'static str, end: u64) -> Result<u64, DeltaError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let digits = u64::from(byte & 0x7f);
            if digits << shift >> shift != digits || (byte == 0 && shift > 0) {
                return Err(value(what));
            }
            number |= digits << shift;
            if byte & 0x80 == 0 {
                return (number < end).then_some(number).ok_or(value(what));
            }
        }
        Err(value(what))
    }

    fn digest(&mut self) -> Result<Digest, DeltaError> {
        let packed = self.array::<DIGEST_BYTES>()?;
        let (mut bits, mut held, mut packed) = (0_u64, 0, packed.into_iter());
        let mut bytes = [0; 32];
        for limb in bytes.as_chunks_mut::<4>().0 {
            while held < 31 {
                bits |= u64::from(packed.next().unwrap_or(0)) << held;
                held += 8;
            }
            let [a, b, c, d, ..] = (bits & 0x7fff_ffff).to_le_bytes();
            *limb = [a, b, c, d];
            bits >>= 31;
            held -= 31;
        }
        Digest::from_bytes(bytes).ok_or(value("a digest"))
    }
}
