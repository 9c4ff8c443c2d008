//! The `arterial` command as its users run it.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod bench;
mod common;
#[cfg(feature = "ethereum")]
#[path = "../../../rollup/tests/nodes/devnet.rs"]
mod devnet;
#[cfg(feature = "ethereum")]
mod ethereum;
mod inspect;
mod kill;
mod metrics;
#[cfg(feature = "ethereum")]
#[path = "../../../rollup/tests/nodes/mod.rs"]
mod nodes;
mod page;
mod repair;
mod run;
#[path = "../../src/top/scrape.rs"]
mod scrape;
mod verify;
