//! `arterial export-proof`: a block's proof as snarkjs reads it.

use crate::{
    args::ExportArgs,
    error::{CliError, IoContext},
    output,
};
use arterial::{
    BlockNumber, Deployment,
    rollup::{
        BlockStore,
        proof::{KeyPair, SnarkjsFiles},
    },
    storage::FileStorage,
};
use std::{fs, sync::Arc};

pub(crate) fn export(args: &ExportArgs) -> Result<(), CliError> {
    let number = BlockNumber(args.block);
    if number == BlockNumber::GENESIS {
        return Err(CliError::Genesis);
    }
    let deployment = Deployment::read(&FileStorage, &args.dir)?;
    let key = KeyPair::read(&FileStorage, &args.dir.join("block.key"), deployment.shards)?.verifying;
    let blocks = args.dir.join("blocks");
    let blocks = BlockStore::open(Arc::new(FileStorage), blocks, deployment.domain, deployment.shards)?;
    let newest = blocks.latest()?;
    if number > newest {
        return Err(CliError::NotProven { number: args.block, newest });
    }
    let files = SnarkjsFiles::export(&key, &blocks.read(number, &key)?.block)?;
    fs::create_dir_all(&args.out).context("make", &args.out)?;
    let files = [
        ("verification_key.json", &files.verification_key),
        ("public.json", &files.public),
        ("proof.json", &files.proof),
    ];
    for (name, value) in files {
        let path = args.out.join(name);
        fs::write(&path, output::json(value)? + "\n").context("write", &path)?;
    }
    let out = args.out.display();
    output::print(&format!(
        "block {number}: verification_key.json, public.json and proof.json are in {out}; check them with\n\
         snarkjs groth16 verify {out}/verification_key.json {out}/public.json {out}/proof.json\n"
    ))
}
