//! rs_merkle: a Merkle tree in memory. A log is put under it, as it keeps nothing itself.

use super::{Store, floor::Ring};
use crate::{Error, load::Meter};
use rs_merkle::{Hasher as _, MerkleTree, algorithms::Sha256};
use std::path::Path;

pub(super) const STORE: Store = Store {
    name: "rs_merkle",
    package: Some("rs_merkle"),
    setup: "SHA-256, one tree over all records, a commit of it for each commit, which looks through the whole tree: the longer it runs, the slower it is; over one file of `pwrite+fdatasync`",
    lacks: "the tree is in memory only and lost with the process; no index, no recovery, no proof of rules",
    write,
    check: None,
};

fn write(dir: &Path, meter: &Meter) -> Result<(), Error> {
    let mut ring = Ring::create(&dir.join("log"))?;
    let mut tree = MerkleTree::<Sha256>::new();
    let mut writer = meter.alone();
    while let Some(commit) = writer.next() {
        ring.append(writer.records().as_flattened())?;
        let mut leaves: Vec<[u8; 32]> = writer.records().iter().map(|record| Sha256::hash(record)).collect();
        tree.append(&mut leaves).commit();
        std::hint::black_box(tree.root().ok_or("a tree with leaves has a root")?);
        writer.durable(commit);
    }
    writer.hand_in();
    Ok(())
}
