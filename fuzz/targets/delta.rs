//! What decodes as a delta encodes to the same bytes, and none makes the accounts panic.
#![no_main]

use arterial_fuzz::{domain, raw_or_patched};
use arterial_protocol::{BlockNumber, DataDigest, Digest, ShardCount, ShardId};
use arterial_rollup::delta::{AccountDelta, Delta, Rebuilt, ShardDelta};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let account = |slot| AccountDelta {
        slot,
        identity: Some(Digest::ZERO),
        head: Digest::ZERO,
        next_seq: 300,
        count: 200,
    };
    let accounts = (0..3).map(account).collect();
    let shard = ShardDelta { shard: ShardId(1), total_records: 600, data: DataDigest([5; 32]), accounts };
    let shards = ShardCount::new(2).expect("a power of two");
    Delta { domain: domain(), shards, number: BlockNumber(1), changed: vec![shard] }.encode()
});

fuzz_target!(|data: &[u8]| {
    let bytes = raw_or_patched(data, &SAMPLE);
    let Ok(delta) = Delta::decode(&bytes) else { return };
    assert_eq!(delta.encode(), bytes);
    if delta.shards.get() > 4 {
        return;
    }
    if let Ok(rebuilt) = Rebuilt::genesis(delta.domain, delta.shards).apply(&delta) {
        let accounts = rebuilt.accounts(ShardId(0)).map_or(0, <[_]>::len);
        assert!(accounts <= delta.changed.iter().map(|shard| shard.accounts.len()).sum());
        let _ = rebuilt.state_root();
    }
});
