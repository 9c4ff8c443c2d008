//! The buses that join the tables: multisets of messages that must balance (LogUp).
//!
//! | bus | message | sent by | received by |
//! |---|---|---|---|
//! | account | shard, slot, head, `next_seq`, count, spread | an account as it was; a record, after itself | a record, before itself; an account as it will be |
//! | node | shard, level, index, old digest, new digest | an account's leaf; a node | the node above it; the claim |
//! | tally | what is counted, shard | an account: its records, its enrolment | the claim, as often as it says |
//!
//! A message that is sent and one that is received cancel if and only if all their fields agree.

use p3_field::PrimeCharacteristicRing;
use p3_lookup::{Count, InteractionBuilder};

const ACCOUNT: &str = "account";
const NODE: &str = "node";
const TALLY: &str = "tally";

/// Whether a message comes to a bus or leaves it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Send,
    Receive,
}

/// What a claim counts.
#[derive(Clone, Copy)]
pub(crate) enum Counted {
    Records,
    Enrolments,
}

/// An account's state between two records.
pub(crate) struct AccountMessage<E> {
    pub(crate) shard: E,
    pub(crate) slot: E,
    pub(crate) head: [E; 8],
    pub(crate) next_seq: E,
    pub(crate) count: E,
    pub(crate) spread: E,
}

impl<E> AccountMessage<E> {
    /// Puts it on the bus if `active` is 1; the table constrains `active` to 0 or 1.
    pub(crate) fn post<AB: InteractionBuilder<Expr = E>>(
        self,
        builder: &mut AB,
        direction: Direction,
        active: E,
    ) where
        E: PrimeCharacteristicRing,
    {
        let state = [self.next_seq, self.count, self.spread];
        let fields = [self.shard, self.slot].into_iter().chain(self.head).chain(state);
        builder.push_interaction(ACCOUNT, fields, count(direction, active));
    }
}

/// A node of a shard's accounts tree, before and after.
pub(crate) struct NodeMessage<E> {
    pub(crate) shard: E,
    pub(crate) level: E,
    pub(crate) index: E,
    pub(crate) old: [E; 8],
    pub(crate) new: [E; 8],
}

impl<E> NodeMessage<E> {
    /// Puts it on the bus if `active` is 1; the table constrains `active` to 0 or 1.
    pub(crate) fn post<AB: InteractionBuilder<Expr = E>>(
        self,
        builder: &mut AB,
        direction: Direction,
        active: E,
    ) where
        E: PrimeCharacteristicRing,
    {
        let place = [self.shard, self.level, self.index];
        let fields = place.into_iter().chain(self.old).chain(self.new);
        builder.push_interaction(NODE, fields, count(direction, active));
    }
}

/// Sends `number` of what is counted in a shard; the table constrains `number` to at most `max`.
pub(crate) fn tally<AB: InteractionBuilder>(
    builder: &mut AB,
    what: Counted,
    shard: AB::Expr,
    number: AB::Expr,
    max: u32,
) {
    builder.push_interaction(TALLY, [AB::Expr::from_u8(what as u8), shard], Count::bounded(number, max));
}

/// Receives all that was sent of a shard.
pub(crate) fn total<AB: InteractionBuilder>(
    builder: &mut AB,
    what: Counted,
    shard: AB::Expr,
    number: AB::Expr,
) {
    builder.push_interaction(TALLY, [AB::Expr::from_u8(what as u8), shard], Count::provided(-number));
}

fn count<E: PrimeCharacteristicRing>(direction: Direction, active: E) -> Count<E> {
    match direction {
        Direction::Send => Count::bounded(active, 1),
        Direction::Receive => Count::bounded(-active, 1),
    }
}
