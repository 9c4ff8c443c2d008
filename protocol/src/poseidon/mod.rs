//! The two SNARK-friendly hashes: Poseidon over KoalaBear below the shards, over BN254 above them.

pub mod bn254;
mod grain;
pub mod koala;
