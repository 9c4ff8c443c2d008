//! The table of tree nodes: each node above a touched account, before and after, one to a row.
//!
//! | columns | | rule |
//! |---|---|---|
//! | `left_moved`, `right_moved` | 2 | 0 or 1 each: whether the child is received; neither is padding |
//! | `shard`, `level`, `index` | 3 | of the children's level and of the node; its children are 2·`index` and 2·`index` + 1, in the same shard |
//! | `old_left`, `old_right`, `new_left`, `new_right` | 32 | the children; one that did not move is the same before and after |
//! | compressions | 2·140 | the node before and after, sent as (`shard`, `level` + 1, `index`) |

use super::{Direction, expressions};
use crate::{
    bus::NodeMessage,
    columns::Columns,
    poseidon::{C16_COLUMNS, Poseidon},
};
use core::array::from_fn;
use p3_air::{AirBuilder, WindowAccess};
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::KoalaBear;
use p3_lookup::InteractionBuilder;

/// Columns of one node.
pub(crate) const NODE_COLUMNS: usize = 5 + 32 + 2 * C16_COLUMNS;

pub(super) fn eval<AB: InteractionBuilder<F = KoalaBear>>(builder: &mut AB, c16: &Poseidon<16>) {
    let main = builder.main();
    let mut columns = Columns::new(main.current_slice());
    let [left_moved, right_moved, shard, level, index] = *columns.array();
    let [old_left, old_right, new_left, new_right]: [&[AB::Var; 8]; 4] = from_fn(|_| columns.array());
    let mut compress = |builder: &mut AB, left: &[AB::Var; 8], right: &[AB::Var; 8]| {
        let input = from_fn(|i| if i < 8 { left[i].into() } else { right[i - 8].into() });
        c16.constrain(builder, input, &mut columns)
    };
    let old = compress(builder, old_left, old_right);
    let new = compress(builder, new_left, new_right);

    let active = left_moved.into() + right_moved - left_moved * right_moved;
    let parent = NodeMessage {
        shard: shard.into(),
        level: level + AB::F::ONE,
        index: index.into(),
        old: expressions::<AB, 8>(&old),
        new: expressions::<AB, 8>(&new),
    };
    parent.post(builder, Direction::Send, active);
    for (side, moved, old, new) in
        [(0, left_moved, old_left, new_left), (1, right_moved, old_right, new_right)]
    {
        builder.assert_bool(moved);
        let mut unmoved = builder.when(AB::Expr::ONE - moved);
        for (&old, &new) in old.iter().zip(new) {
            unmoved.assert_eq(old, new);
        }
        let child = NodeMessage {
            shard: shard.into(),
            level: level.into(),
            index: AB::Expr::from(index).double() + KoalaBear::from_bool(side == 1),
            old: expressions::<AB, 8>(old),
            new: expressions::<AB, 8>(new),
        };
        child.post(builder, Direction::Receive, moved.into());
    }
}
