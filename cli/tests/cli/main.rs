//! The `arterial` command as its users run it.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod bench;
mod common;
mod inspect;
mod kill;
mod repair;
mod run;
mod verify;
