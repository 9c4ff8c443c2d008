//! What is compared with the model: after every recovery, and at the end.

use crate::{
    device::write,
    model::Truth,
    simulation::{DIR, STAGES, Simulation},
};
use arterial::storage::Storage as _;
use arterial::{At, BaseChain as _, BlockNumber, EngineError, Receipt, ShardError, StateRoot};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Further than any device has counted.
const UNUSED_SEQ: u64 = 1 << 29;

impl Simulation {
    /// A receipt says what was written, and stands on a root that was or will be posted.
    pub(crate) fn check_receipt(&self, device: usize, seq: u64, receipt: &Receipt) {
        let Some(entry) = self.known[device].records.get(&seq) else {
            self.broken(&format!(
                "there is a receipt of device {device}, seq {seq}, which was never accepted"
            ));
        };
        let found = receipt.record.write();
        if found != write(self.devices[device].id, seq, &entry.payload) || !STAGES.contains(&receipt.stage) {
            self.broken(&format!("the receipt of device {device}, seq {seq} is of another write"));
        }
        if !self.devices[device].fits(&receipt.evidence) {
            self.broken(&format!("the receipt of device {device}, seq {seq} shows {:?}", receipt.evidence));
        }
    }

    /// Files of blocks and their batches, as they are when the block is stored and for ever.
    pub(crate) fn record_files(&mut self) {
        for (path, bytes) in self.block_files() {
            match self.settled_files.get(&path) {
                Some(before) if *before != bytes => {
                    self.broken(&format!("{} is another file than it was", path.display()));
                }
                Some(_) => {}
                None => {
                    self.settled_files.insert(path, bytes);
                }
            }
        }
    }

    fn block_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let list = |dir: PathBuf| self.medium.list(&dir).unwrap_or_default();
        let blocks: Vec<PathBuf> = list(Path::new(DIR).join("blocks"));
        let newest = blocks.iter().filter_map(|path| number_of(path, "block")).max().unwrap_or(0);
        let batches = self.shards.iter().flat_map(|shard| {
            list(Path::new(DIR).join(format!("shards/{:04}/batches", shard.0)))
                .into_iter()
                .filter(|path| number_of(path, "batch").is_some_and(|number| number <= newest))
        });
        let batches: Vec<PathBuf> = batches.collect();
        let blocks = blocks.into_iter().filter(|path| number_of(path, "block").is_some());
        blocks.chain(batches).map(|path| (path.clone(), self.medium.read(&path).unwrap())).collect()
    }

    /// Where the last byte that is not zero stands in each shard's newest segment.
    pub(crate) fn written_bytes(&self) -> Vec<usize> {
        let of_shard = |shard: u32| {
            let segments = self.disk.list(&Path::new(DIR).join(format!("shards/{shard:04}/log"))).ok()?;
            let bytes = self.disk.map(segments.last()?).ok()?;
            let chunk = bytes.chunks(4096).rposition(|chunk| chunk.iter().any(|byte| *byte != 0))?;
            let within = bytes[chunk * 4096..].iter().take(4096).rposition(|byte| *byte != 0)?;
            Some(chunk * 4096 + within + 1)
        };
        (0..self.shards.get()).map(|shard| of_shard(shard).unwrap_or(0)).collect()
    }

    /// A torn tail is cut, and said.
    pub(crate) fn check_cut(&mut self, before: &[usize]) {
        let after = self.written_bytes();
        for (shard, status) in self.engine().state().shards.iter().enumerate() {
            let cut = before[shard].saturating_sub(after[shard]);
            if (cut > 0) != (status.cut_bytes > 0) {
                let said = status.cut_bytes;
                self.broken(&format!("{cut} bytes of shard {shard} were cut at least, {said} are told of"));
            }
        }
    }

    /// Everything that was promised is there, in order, and nothing else changed.
    pub(crate) fn check_recovery(&mut self) {
        for path in self.settled_files.keys().cloned().collect::<Vec<_>>() {
            if self.medium.read(&path).ok().as_ref() != self.settled_files.get(&path) {
                self.broken(&format!("{} changed or is gone", path.display()));
            }
        }
        self.record_files();
        for device in 0..self.devices.len() {
            self.check_device(device);
        }
    }

    fn check_device(&mut self, device: usize) {
        let (engine, id) = (self.engine(), self.devices[device].id);
        let (enrolled, destroyed) = match engine.receipt(id, UNUSED_SEQ) {
            Err(EngineError::Shard(ShardError::UnknownDevice { .. })) => (Truth::No, Truth::No),
            Err(EngineError::Shard(ShardError::KeysDestroyed { .. })) => (Truth::Yes, Truth::Yes),
            Err(EngineError::Shard(ShardError::UnknownRecord { .. })) => (Truth::Yes, Truth::No),
            other => self.broken(&format!("asked for what can't be, got {other:?}")),
        };
        for (what, before, now) in [
            ("enrolled", self.known[device].enrolled, enrolled),
            ("destroyed", self.known[device].destroyed, destroyed),
        ] {
            if before != Truth::Doubt && before != now {
                self.broken(&format!("device {device}, {what}: was {before:?}, is {now:?}"));
            }
        }
        (self.known[device].enrolled, self.known[device].destroyed) = (enrolled, destroyed);
        if destroyed == Truth::Yes {
            // Nobody can tell any more what is there.
            return;
        }
        let mut missing = None;
        for seq in self.known[device].records.keys().copied().collect::<Vec<_>>() {
            let is_durable = self.known[device].records[&seq].durable;
            match engine.receipt(id, seq) {
                Ok(receipt) => {
                    self.check_receipt(device, seq, &receipt);
                }
                Err(EngineError::NotProven { .. }) => {}
                Err(
                    error @ EngineError::Shard(
                        ShardError::UnknownRecord { .. } | ShardError::UnknownDevice { .. },
                    ),
                ) => {
                    if is_durable {
                        self.broken(&format!("device {device}, seq {seq} was durable and is lost: {error}"));
                    }
                    missing = Some(seq);
                    self.known[device].records.remove(&seq);
                    continue;
                }
                Err(error) => self.broken(&format!("device {device}, seq {seq}: {error}")),
            }
            // What was in doubt is there, for good.
            self.known[device].records.entry(seq).and_modify(|entry| entry.durable = true);
            if let Some(earlier) = missing {
                self.broken(&format!("device {device}: seq {seq} is there and {earlier} before it is not"));
            }
        }
    }

    /// Heals everything, brings everything to its end, and checks all that was ever promised.
    pub(crate) fn finish(&mut self) {
        self.log("the end");
        self.restart(2);
        self.disk.heal();
        self.world.lock().trouble = 0;
        let last = match self.node().want_blocks() {
            Ok(last) => last,
            Err(error) => self.broken(&format!("no blocks can be asked for: {error}")),
        };
        for _ in 0..200 {
            self.step_blocks();
            self.step_settle();
            self.clock.advance_ms(1000);
            if self.engine().state().finalized >= last {
                break;
            }
        }
        let state = self.engine().state();
        if state.finalized < last || state.unsealed_records > 0 {
            self.broken(&format!("the blocks up to {last} never became final: {state:?}"));
        }
        self.record_files();
        self.check_histories();
        for (device, seq, receipt) in std::mem::take(&mut self.receipts) {
            let receipt = Receipt::decode(&receipt).expect("a receipt that was handed out decodes");
            self.check_receipt(device, seq, &receipt);
            self.verify(device, seq, &receipt);
        }
    }

    /// Every record that must be there is in a block, at its place in its device's history; and no other is.
    fn check_histories(&mut self) {
        let engine = self.engine();
        let mut found = 0;
        let mut hidden = false;
        for device in 0..self.devices.len() {
            if self.known[device].destroyed == Truth::Yes {
                hidden = true;
                continue;
            }
            let seqs: Vec<u64> = self.known[device].durable().map(|(seq, _)| seq).collect();
            for (at, seq) in (0..).zip(seqs) {
                let receipt = match engine.receipt(self.devices[device].id, seq) {
                    Ok(receipt) => receipt,
                    Err(error) => self.broken(&format!("device {device}, seq {seq} has no receipt: {error}")),
                };
                self.check_receipt(device, seq, &receipt);
                let position: u32 = self.verify(device, seq, &receipt);
                if position != at {
                    self.broken(&format!("device {device}, seq {seq} is record {position}, not {at}"));
                }
                found += 1;
            }
        }
        let proven = engine.state().proven.0;
        let in_blocks: u64 = (1..=proven)
            .map(|number| match engine.block(BlockNumber(number)) {
                Ok(block) => block.statement.record_count,
                Err(error) => self.broken(&format!("block {number}: {error}")),
            })
            .sum();
        if (!hidden && in_blocks != found) || in_blocks < found {
            self.broken(&format!("{in_blocks} records are in blocks, {found} were accepted"));
        }
        for number in (1..=proven).map(BlockNumber) {
            if self.world.lock().posted(number) != Some(self.root(number)) {
                self.broken(&format!("block {number} is final with another root than was posted"));
            }
        }
    }

    /// Every final root.
    pub(crate) fn roots(&mut self) -> BTreeMap<BlockNumber, StateRoot> {
        let proven = self.engine().state().proven;
        (1..=proven.0).map(|number| (BlockNumber(number), self.root(BlockNumber(number)))).collect()
    }

    fn root(&self, number: BlockNumber) -> StateRoot {
        match self.chain().state_root(number, At::Finalized) {
            Ok(Some(root)) => root,
            other => self.broken(&format!("block {number} has no final root: {other:?}")),
        }
    }

    /// A receipt verifies against the chain; the record's place in its device's history.
    fn verify(&mut self, device: usize, seq: u64, receipt: &Receipt) -> u32 {
        self.authorships.insert(std::mem::discriminant(&receipt.evidence));
        match receipt.verify(&self.root(receipt.number)) {
            Ok(verified) => verified.position,
            Err(error) => {
                self.broken(&format!("the receipt of device {device}, seq {seq} does not verify: {error}"))
            }
        }
    }
}

/// The block that a file is of.
fn number_of(path: &Path, extension: &str) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    (path.extension()? == extension).then(|| u64::from_str_radix(stem, 16).ok())?
}
