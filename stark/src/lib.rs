//! The batch proof of Arterial: a STARK over KoalaBear that every record of a block's batches follows the rules.
//!
//! A [`Statement`] names a block's batches and, for each, the roots of its shard's accounts before and after it. [`verify`] checks a proof of
//! one with nothing but this crate; an auditor turns the feature `prover` off. [`prove`] makes one and never gives out
//! what it has not verified.
//!
//! # Tables
//!
//! ```text
//!            state before, state after                    leaf                    node, up to the root
//! ┌────────┐  (shard, slot, head,      ┌─────────┐  (shard, 0, slot,     ┌──────┐  (shard, level, index,     ┌────────┐
//! │ record │◀─── next_seq, count, ────▶│ account │────── old, new) ─────▶│ node │────── old, new) ──────────▶│ claims │
//! │  × 4   │     spread) account bus   └────┬────┘        node bus       │      │──┐        node bus         │        │
//! └────────┘                                │                            └──────┘◀─┘                         └────▲───┘
//!                                           └──────── tally bus: each shard's records, enrolments ─────────────────┘
//! ```
//!
//! | table | a row is | columns | compressions |
//! |---|---|---|---|
//! | record | four records | 4·243 | 4 `C24` |
//! | account | a touched account, before and after | 487 | 2 `C24` |
//! | node | a tree node above a touched account, before and after | 317 | 2 `C16` |
//! | claims | the public values; one row | 1 | |
//!
//! All batches of a block share these tables, each row with its shard: so what a proof costs at least, in time and in
//! bytes, it costs once for a block and not for every shard.
//!
//! Each file under `air/` has its table's columns and which rule each enforces. No constraint reads the next row: rows
//! stand in any order, a table may be cut into instances of different heights, and what belongs together is joined by
//! the buses (LogUp). Every constraint is of degree 3 at most, which a blow-up of 2 allows.
//!
//! # Why a proof means what it says
//!
//! **Each touched slot is one account row, each node above it one node row.** A claim receives one message, of its
//! shard and of the root's place and digests; a segment's claims are of different shards. A node row sends one message,
//! of its place, and receives one for each child that it says moved, of its own shard; an account row sends one, at
//! level 0. All of them balance. A row at level ℓ is received only by a row at level ℓ + 1 of its shard or by the
//! shard's claim; levels rise by one, and to go round the field takes more rows than there are, so every chain ends at
//! a claim: nothing is above a root. Going down, a claim receives one message at the root's place, so one row sends it; its children have two different places, and so on: each place is sent once. Indices double
//! from the root's, so they are numbers below 2²⁰ without a range check, and slots are. A node row must have a child
//! that moved, so each chain goes on down until an account row ends it, at level 0; none can end below, because levels
//! would fall for ever. So the touched places are a tree's, and no slot is there twice.
//!
//! **The old root's tree becomes the new root's.** A child that did not move is the same before and after, by
//! constraint. One that moved has the digests that the row below sends. By the compressions' collision resistance the
//! two trees agree everywhere else, and at each touched slot the old leaf is the one the old root commits to.
//!
//! **An account's records are one chain, in order, none left out or added.** Shard and slot are in every message. A record receives its account's state and
//! sends the next one, with `count` one higher. An account row sends the state before and receives the one after. In
//! one slot there is one account row, so one state enters and one leaves; as every record adds one to `count`, a cycle
//! would take as many records as the field has elements. What balances is one path, through every active record of the
//! slot. So `records = count' − count` is their number, and a record of a slot without an account is on no path.
//!
//! **`seq` rises, and stays below 2³⁰.** `seq = next_seq + gap` with `gap` in digits: `gap_low < 3¹²`, `gap_high < 3⁷`.
//! Sums of gaps could pass the prime p and come out small, so `spread` adds up the `gap_high`s of a run and is checked
//! once an account: at most 1,024 records (`records` in digits) give a spread below 2²², no overflow there; and
//! `next_seq_high + spread < 3⁷` (`reach` in digits). So the last `next_seq`, as an integer, is at most
//! 3¹² + 3¹²·2,186 + 1,024·3¹² < 1.71·10⁹ < p = 2.13·10⁹: it did not wrap, nor did any before it. It is at most 2³⁰
//! (`new_next_seq` in digits), so every `seq` of the run is below.
//!
//! **Totals.** An account sends its `records` and its `enrolled` to the tally bus under its shard, as multiplicities,
//! both range-checked and zero in padding; the shard's claim receives what the public values say. Sums stay below p by the height of the tables,
//! which Plonky3's verifier checks, and a claimed count must be one that a batch can have.
//!
//! **Not range-checked: a record's digest, time and kind.** The head binds them as field elements. One out of range is
//! no less a lie than a digest that is of no record: a head over it can be opened by no receipt. Whoever has the
//! batch's bytes recomputes all of it.
//!
//! **Segments.** What does not fit into memory at once is cut into segments, each a proof of its own: for the whole
//! trees of several shards, or for one subtree of one. A shard's places must tile its tree together with the untouched
//! digests beside them, so no slot is in two. Every segment's transcript is bound to the whole statement by its BLAKE3.
//!
//! # Parameters
//!
//! Challenges of the quintic extension, FRI with rate 1/2, queries by height, 16 bits of grinding: 100 bits proven by
//! list decoding or unique decoding for the heights that a proof has, never by conjecture ([`Soundness`] has the sum).
//! Fiat–Shamir begins with a tag of statement and version; the claims and the statement's digest are public values.
//!
//! Not zero-knowledge: openings show some trace cells' combinations. Records are digests of salted bytes, and who gets
//! the proof gets the batch.

mod air;
mod bus;
mod columns;
mod config;
mod digits;
mod error;
mod field;
mod pcs;
mod poseidon;
mod proof;
#[cfg(feature = "prover")]
mod prover;
mod rows;
mod segment;
mod shape;
mod soundness;
mod statement;
mod verify;

pub use config::{Blake3, Challenge, Config, ProofHash, Queries, config};
pub use error::StarkError;
#[cfg(feature = "prover")]
pub use prover::{BatchWitness, OldTree, Options, Phase, Proof, Witness, prove};
pub use soundness::{Regime, Soundness};
pub use statement::{BatchStatement, Statement};
pub use verify::{Verified, verify};

#[cfg(all(test, feature = "prover"))]
mod tests;
