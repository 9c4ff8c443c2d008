//! What every base chain must do, on every base chain: the embedded one, and Ethereum's rules as anvil has them.
#![cfg(all(feature = "embedded-chain", feature = "ethereum"))]
#![expect(clippy::unwrap_used, reason = "clippy allows it in test functions, and not in what they share")]

mod blobs;
mod devnet;
#[path = "../nodes/devnet.rs"]
mod devnet_nodes;
mod embedded;
mod ethereum;
mod gas;
mod keys;
mod kill;
#[path = "../nodes/mod.rs"]
mod nodes;
#[path = "../nodes/proxy.rs"]
mod proxy;
#[path = "../stand_in/mod.rs"]
mod stand_in;
mod suite;
