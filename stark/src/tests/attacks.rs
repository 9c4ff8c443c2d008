//! For each rule, a trace that breaks it alone.

use super::{
    checker::check,
    forge::{Extra, F, Node, Row, Rows, f, forge},
    prove_and_verify,
    shard::{Shard, account, batch, batch_of, digest, link},
    statement, trace,
};
use crate::{
    BatchWitness, StarkError, Statement,
    air::{
        Compressions, Kind,
        record::{HIGH, LOW, RECORD_COLUMNS},
    },
    field::{WireDigest, elements},
    prover::trace::Trace,
};
use arterial_protocol::{Account, Batch, ShardId};
use p3_field::{PrimeCharacteristicRing, PrimeField32};

/// Two shards with a batch each, in one proof. In shard 3 three accounts with records, two of them neighbours; an
/// enrolment with one and an enrolment without. In shard 5 the same slots, as far as they are there.
pub(super) struct Honest {
    pub(super) shards: [Shard; 2],
    pub(super) batches: [Batch; 2],
    accounts: [Vec<Option<Account>>; 2],
}

impl Honest {
    pub(super) fn new() -> Self {
        let shards = [&[1, 2, 3, 9, 40][..], &[2, 3]]
            .map(|slots| Shard::new(slots.iter().map(|&slot| (slot, account(slot))).collect()));
        let links = |slot: u32, gaps: &[u32]| {
            let mut seq = shards[0].accounts.get(&slot).map_or(0, |account| account.next_seq);
            gaps.iter()
                .map(|gap| {
                    seq += gap + 1;
                    link(seq - 1, u64::from(seq) << 18 | u64::from(slot))
                })
                .collect::<Vec<_>>()
        };
        let batches = [
            batch([
                (2, None, &links(2, &[0, 5, 1_000_000])[..]),
                (3, None, &links(3, &[0, 0])),
                (4, Some(digest(4)), &links(4, &[7])),
                (5, Some(digest(5)), &[]),
                (9, None, &links(9, &[600_000_000, 0])),
            ]),
            batch_of(ShardId(5), [(2, None, &links(2, &[3, 3])[..]), (4, Some(digest(4)), &[])]),
        ];
        let accounts = [0, 1].map(|at: usize| shards[at].before(&batches[at]));
        Self { shards, batches, accounts }
    }

    fn witnesses(&self) -> [BatchWitness<'_>; 2] {
        [0, 1].map(|at: usize| self.shards[at].witness(&self.batches[at], &self.accounts[at]))
    }

    pub(super) fn trace(&self) -> Trace {
        trace(&self.witnesses())
    }

    pub(super) fn statement(&self, trace: &Trace) -> Statement {
        statement(&self.witnesses(), trace)
    }
}

/// Requires that exactly these tables' rows and buses notice the cheat, and that the verifier does.
#[track_caller]
fn caught(tables: &[&'static str], buses: &[&str], extra: Extra, mut cheat: impl FnMut(Row<'_>)) {
    let honest = Honest::new();
    let forged = forge(&honest.trace(), extra, &mut cheat);
    let statement = honest.statement(&forged);
    let faults = check(&forged, &statement);
    assert_eq!(faults.tables, tables.iter().copied().collect(), "tables; {faults:?}");
    assert_eq!(faults.buses, buses.iter().map(|&bus| bus.to_owned()).collect(), "buses; {faults:?}");
    let verdict = prove_and_verify(&statement, forged);
    assert!(matches!(verdict, Err(StarkError::NotProven { .. })), "{verdict:?}");
}

/// A cheat in one record.
fn record(tables: &[&'static str], buses: &[&str], cheat: fn(&mut super::forge::Record)) {
    caught(tables, buses, Extra::default(), |row| {
        if let Row::Record(1, record) = row {
            cheat(record);
        }
    });
}

/// A cheat in one account, after its records.
fn closing(at: usize, tables: &[&'static str], buses: &[&str], cheat: fn(&mut super::forge::Account)) {
    caught(tables, buses, Extra::default(), |row| match row {
        Row::Account(this, account) if this == at => cheat(account),
        _ => {}
    });
}

/// A cheat in one node.
fn node(at: usize, tables: &[&'static str], buses: &[&str], cheat: fn(&mut super::forge::Node)) {
    caught(tables, buses, Extra::default(), |row| match row {
        Row::Node(this, node) if this == at => cheat(node),
        _ => {}
    });
}

#[test]
fn without_a_cheat_nothing_is_caught() {
    let honest = Honest::new();
    let same = forge(&honest.trace(), Extra::default(), &mut |_| {});
    for (forged, honest) in same.tables.iter().zip(honest.trace().tables) {
        let sorted = |matrix: &p3_matrix::dense::RowMajorMatrix<F>| {
            let mut cells: Vec<Vec<F>> = matrix.values.chunks(RECORD_COLUMNS).map(<[F]>::to_vec).collect();
            cells.sort();
            cells
        };
        assert_eq!(sorted(forged), sorted(&honest));
    }
    let statement = honest.statement(&same);
    assert!(check(&same, &statement).none());
    prove_and_verify(&statement, same).unwrap();
}

#[test]
fn a_repeated_seq() {
    record(&["record"], &[], |record| {
        record.gap_low = [F::ZERO; 12];
        record.gap_low[0] = F::NEG_ONE;
        record.gap_high = [F::ZERO; 7];
    });
}

#[test]
fn a_seq_that_wraps_around_the_field() {
    // Two gaps, each with digits of its own, whose sum passes the prime: the third record's seq would be 1.
    caught(&[], &["account"], Extra::default(), |row| {
        if let Row::Record(at @ (1 | 2), record) = row {
            let target = if at == 1 { f(1_100_000_000) } else { f(1) };
            let gap = (target - record.next_seq).as_canonical_u32();
            record.gap_low = LOW.digits(gap % 3u32.pow(12)).map(f);
            record.gap_high = HIGH.digits(gap / 3u32.pow(12)).map(f);
        }
    });
}

#[test]
fn a_seq_beyond_its_range() {
    caught(&[], &["account"], Extra::default(), |row| {
        if let Row::Record(0, record) = row {
            let gap = (1 << 30) + 5;
            record.gap_low = LOW.digits(gap % 3u32.pow(12)).map(f);
            record.gap_high = HIGH.digits(gap / 3u32.pow(12)).map(f);
        }
    });
}

#[test]
fn a_skipped_head() {
    record(&[], &["account"], |record| record.head = [F::ZERO; 8]);
}

#[test]
fn a_foreign_account() {
    record(&[], &["account"], |record| record.slot = f(3));
}

#[test]
fn a_next_seq_that_no_record_left() {
    record(&[], &["account"], |record| record.next_seq += F::ONE);
}

#[test]
fn a_count_off_by_one() {
    record(&[], &["account"], |record| record.count += F::ONE);
}

#[test]
fn a_forgotten_spread() {
    record(&[], &["account"], |record| record.spread = f(7));
}

#[test]
fn a_record_that_counts_twice() {
    record(&["record"], &["account"], |record| record.active = F::TWO);
}

#[test]
fn a_dropped_record() {
    caught(&[], &["tally"], Extra::default(), |row| match row {
        Row::Record(1, record) => record.active = F::ZERO,
        Row::Claim(0, claim) => claim.records += 1,
        _ => {}
    });
}

#[test]
fn an_added_record() {
    let mut again = Rows::read(&Honest::new().trace()).records[1].clone();
    again.count += F::ONE;
    caught(&[], &["account"], Extra { records: vec![again], ..Extra::default() }, |_| {});
}

#[test]
fn records_of_two_accounts_swapped() {
    let rows = Rows::read(&Honest::new().trace()).records;
    let (first, second) = (rows[2].digest, rows[4].digest);
    let swap = |row: Row<'_>| match row {
        Row::Record(2, record) => record.digest = second,
        Row::Record(4, record) => record.digest = first,
        _ => {}
    };
    // The swapped batch is a valid one of its own; it is another root that is reached, and the proof says so.
    let honest = Honest::new();
    let mut swap = swap;
    let forged = forge(&honest.trace(), Extra::default(), &mut swap);
    let (claimed, true_statement) = (honest.statement(&forged), honest.statement(&honest.trace()));
    let true_root = true_statement.batches[0].new_root;
    assert_ne!(claimed.batches[0].new_root, true_root);
    let swapped = forge(&honest.trace(), Extra::default(), &mut swap);
    let lie = forge(&swapped, Extra::default(), &mut |row| {
        if let Row::Claim(0, claim) = row {
            claim.new = WireDigest(true_root);
        }
    });
    assert_eq!(check(&lie, &true_statement).buses, ["node".to_owned()].into());
    assert!(prove_and_verify(&true_statement, lie).is_err());
}

#[test]
fn an_account_that_counts_twice() {
    closing(1, &["account"], &["account", "node"], |account| account.active = F::TWO);
}

#[test]
fn a_state_that_the_records_do_not_lead_to() {
    closing(1, &[], &["account"], |account| account.new_head = elements(digest(77)));
    closing(1, &[], &["account"], |account| {
        account.new_next_seq[0] += if account.new_next_seq[0] == F::TWO { F::NEG_ONE } else { F::ONE }
    });
    closing(1, &[], &["account"], |account| account.records[0] = F::ZERO);
}

#[test]
fn a_digit_that_is_none() {
    closing(1, &["account"], &["account"], |account| account.new_next_seq[0] = f(3));
    closing(1, &["account"], &["account"], |account| account.records[1] = f(5));
    closing(1, &["account"], &["account"], |account| account.reach[0] = F::NEG_ONE);
    closing(1, &["account"], &["account"], |account| account.next_seq_low[0] = F::NEG_ONE);
    closing(1, &["account"], &["account"], |account| account.next_seq_high[0] = f(4));
}

#[test]
fn a_slot_that_is_another_accounts() {
    closing(0, &[], &["account", "node"], |account| account.slot = f(3));
}

#[test]
fn a_leaf_that_is_not_the_accounts() {
    closing(0, &["account"], &[], |account| account.old_leaf = elements(digest(5)));
}

#[test]
fn an_account_out_of_nothing() {
    // Not enrolled, but its slot was empty.
    closing(0, &["account"], &[], |account| account.old_leaf = [F::ZERO; 8]);
}

#[test]
fn a_resurrected_slot() {
    // Slot 2 has an account; it is opened again with the same past.
    caught(&["account"], &[], Extra::default(), |row| {
        if let Row::Opening(0, account) = row {
            account.enrolled = F::ONE;
        }
    });
    // With a past of nothing it is a valid enrolment of an empty slot: another old root, which a shard doesn't have.
    let honest = Honest::new();
    let forged = forge(&honest.trace(), Extra::default(), &mut |row| {
        if let Row::Opening(0, account) = row {
            (account.enrolled, account.head, account.count) = (F::ONE, [F::ZERO; 8], F::ZERO);
            (account.next_seq_low, account.next_seq_high) = ([F::ZERO; 12], [F::ZERO; 7]);
        }
    });
    assert_ne!(forged.claims[0].old.0, honest.shards[0].root());
    let lie = forge(&forged, Extra::default(), &mut |row| {
        if let Row::Claim(0, claim) = row {
            claim.old = WireDigest(honest.shards[0].root());
        }
    });
    let statement = honest.statement(&lie);
    assert_eq!(check(&lie, &statement).buses, ["node".to_owned()].into());
    assert!(prove_and_verify(&statement, lie).is_err());
}

#[test]
fn an_enrolment_with_a_past() {
    fn opening(cheat: fn(&mut super::forge::Account)) {
        caught(&["account"], &[], Extra::default(), |row| {
            if let Row::Opening(3, account) = row {
                cheat(account);
            }
        });
    }
    opening(|account| account.head[3] = F::ONE);
    opening(|account| account.count = F::ONE);
    opening(|account| account.next_seq_low[2] = F::ONE);
    opening(|account| account.next_seq_high[0] = F::ONE);
}

#[test]
fn an_enrolment_that_is_not_one_or_none() {
    closing(3, &["account"], &[], |account| account.enrolled = F::TWO);
}

#[test]
fn an_enrolment_or_records_of_padding() {
    let row = || {
        let mut row = Rows::read(&Honest::new().trace()).accounts[3].clone();
        row.active = F::ZERO;
        row.enrolled = F::ZERO;
        row.records = [F::ZERO; 7];
        row
    };
    let mut enrolled = row();
    enrolled.enrolled = F::ONE;
    caught(&["account"], &[], Extra { accounts: vec![enrolled], ..Extra::default() }, |row| {
        if let Row::Claim(0, claim) = row {
            claim.enrolments += 1;
        }
    });
    let mut counted = row();
    counted.records[0] = F::ONE;
    counted.old_leaf = Rows::read(&Honest::new().trace()).accounts[3].old_leaf;
    caught(&["account"], &[], Extra { accounts: vec![counted], ..Extra::default() }, |row| {
        if let Row::Claim(0, claim) = row {
            claim.records += 1;
        }
    });
}

#[test]
fn an_account_listed_twice() {
    // Enrolled without records, so that its messages on the account bus cancel each other.
    let again = Rows::read(&Honest::new().trace()).accounts[3].clone();
    caught(&[], &["node"], Extra { accounts: vec![again], ..Extra::default() }, |row| {
        if let Row::Claim(0, claim) = row {
            claim.enrolments += 1;
        }
    });
}

#[test]
fn a_sibling_changed_under_cover() {
    // The second node is the one above slot 4 and 5; the sixth has one child that moved.
    let honest = Rows::read(&Honest::new().trace()).nodes;
    let at = honest.iter().position(|node| node.left_moved == F::ZERO).unwrap();
    let other = honest.iter().position(|node| node.right_moved == F::ZERO).unwrap();
    node(at, &["node"], &[], |node| node.new_left[6] += F::ONE);
    node(other, &["node"], &[], |node| node.old_right[0] += F::ONE);
}

#[test]
fn a_child_that_is_not_what_is_below() {
    node(0, &[], &["node"], |node| node.old_right[0] += F::ONE);
    node(0, &[], &["node"], |node| node.new_right[7] += F::ONE);
}

#[test]
fn a_child_that_moved_but_is_not_received() {
    node(0, &["node"], &["node"], |node| node.right_moved = F::ZERO);
    node(0, &["node"], &["node"], |node| node.right_moved = F::TWO);
}

#[test]
fn a_node_in_another_place() {
    node(0, &[], &["node"], |node| node.index += F::ONE);
    node(0, &[], &["node"], |node| node.level += F::ONE);
}

#[test]
fn a_node_listed_twice() {
    let again = Rows::read(&Honest::new().trace()).nodes[0].clone();
    caught(&[], &["node"], Extra { nodes: vec![again], ..Extra::default() }, |_| {});
}

#[test]
fn a_wrong_compression() {
    let honest = Honest::new();
    let statement = honest.statement(&honest.trace());
    // One column of the first, a partial, the third and the last round of every table.
    let columns = |kind| match kind {
        Kind::Claim(_) => [0; 4],
        Kind::Record => [46, 140, 200, 242],
        Kind::Account => [94, 190, 290, 486],
        Kind::Node => [37, 110, 170, 316],
    };
    for (at, table) in honest.trace().shape.tables(2).iter().enumerate() {
        for column in columns(table.kind) {
            let mut trace = honest.trace();
            trace.tables[at].values[column] += F::ONE;
            assert_eq!(check(&trace, &statement).tables.len(), 1, "{:?}, column {column}", table.kind);
        }
    }
}

#[test]
fn a_claim_that_is_not_the_traces() {
    fn claim(buses: &[&str], cheat: fn(&mut crate::segment::Claim)) {
        caught(&[], buses, Extra::default(), |row| {
            if let Row::Claim(0, claim) = row {
                cheat(claim);
            }
        });
    }
    claim(&["node"], |claim| claim.old = WireDigest(digest(1)));
    claim(&["node"], |claim| claim.new = WireDigest(digest(1)));
    claim(&["tally"], |claim| claim.records += 1);
    claim(&["tally"], |claim| claim.enrolments -= 1);
}

#[test]
fn a_node_in_place_of_an_account() {
    // A node below the leaves stands where the account at slot 5 did; all that is missing is what it receives.
    let honest = Rows::read(&Honest::new().trace());
    let account = honest.accounts[3].clone();
    let below = Node {
        left_moved: F::ONE,
        right_moved: F::ZERO,
        shard: account.shard,
        level: F::NEG_ONE,
        index: account.slot,
        old_left: [F::ZERO; 8],
        old_right: [F::ZERO; 8],
        new_left: elements(digest(8)),
        new_right: [F::ZERO; 8],
    };
    let (old, new) = below.parents(&Compressions::new());
    let above = honest
        .nodes
        .iter()
        .position(|node| node.shard == f(3) && node.level == F::ZERO && node.index == f(2))
        .unwrap();
    caught(&[], &["node"], Extra { nodes: vec![below], ..Extra::default() }, |row| match row {
        Row::Opening(3, account) => (account.active, account.enrolled) = (F::ZERO, F::ZERO),
        Row::Node(at, node) if at == above => (node.old_right, node.new_right) = (old, new),
        _ => {}
    });
}

#[test]
fn a_record_of_another_shard() {
    // Both shards have an account at slot 2; a record of the one is put onto the other's.
    record(&[], &["account"], |record| record.shard = f(5));
}

#[test]
fn an_account_of_another_shard() {
    closing(0, &[], &["account", "node"], |account| account.shard = f(5));
}

#[test]
fn a_node_of_another_shard() {
    node(0, &[], &["node"], |node| node.shard = f(5));
}

#[test]
fn a_subtree_in_another_shard() {
    // Shard 5's whole batch is shifted to shard 3, whose tree has another root.
    caught(&[], &["node", "tally"], Extra::default(), |row| match row {
        Row::Opening(5.., account) => account.shard = f(3),
        Row::Record(8.., record) => record.shard = f(3),
        Row::Node(_, node) if node.shard == f(5) => node.shard = f(3),
        Row::Claim(1, claim) => (claim.records, claim.enrolments) = (2, 1),
        _ => {}
    });
}

#[test]
fn counts_that_two_shards_trade() {
    caught(&[], &["tally"], Extra::default(), |row| match row {
        Row::Claim(0, claim) => (claim.records, claim.enrolments) = (claim.records - 1, claim.enrolments - 1),
        Row::Claim(1, claim) => (claim.records, claim.enrolments) = (claim.records + 1, claim.enrolments + 1),
        _ => {}
    });
}

#[test]
fn roots_that_two_shards_trade() {
    let claims = Honest::new().trace().claims;
    caught(&[], &["node"], Extra::default(), |row| {
        if let Row::Claim(at, claim) = row {
            (claim.old, claim.new) = (claims[1 - at].old, claims[1 - at].new);
        }
    });
}
