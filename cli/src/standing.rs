//! How the validators of an embedded chain stand, as `status` and `inspect` show it.

use crate::output::grouped;
use arterial::rollup::chain::embedded::{Standing, ValidatorStanding};
use serde::{Serialize as _, Serializer};
use serde_json::{Value, json};
use std::fmt::{self, Write};

/// A line for each validator, and what was decided last.
pub(crate) fn write_text(text: &mut String, standing: &Standing) -> fmt::Result {
    let total: u64 = standing.validators.iter().map(|one| one.stake).sum();
    writeln!(text, "validators, more than two thirds of {} stake decide", grouped(total))?;
    for (number, one) in standing.validators.iter().enumerate() {
        write!(text, "  {number:>3}  stake {:>12}  key {}…  ", grouped(one.stake), &key(one)[..16])?;
        writeln!(text, "{}", condition(one))?;
    }
    match &standing.decided {
        Some(decided) => writeln!(text, "  newest certificate: {decided} validators, it holds")?,
        None => writeln!(text, "  nothing has been decided yet")?,
    }
    if let Some((height, round)) = standing.deciding {
        writeln!(text, "  being decided: height {height}, round {round}")?;
    }
    let troubles =
        [("refused", &standing.refusal), ("stalled", &standing.stalled), ("forked", &standing.fork)];
    for (what, why) in troubles {
        if let Some(why) = why {
            writeln!(text, "  {what}: {why}")?;
        }
    }
    Ok(())
}

fn condition(one: &ValidatorStanding) -> String {
    match (&one.slashed, one.heard, one.signed) {
        (Some((height, what)), ..) => format!("slashed at height {height}: it {what}"),
        (None, Some(false), _) => "not heard at this height: offline, or late".into(),
        (None, _, true) => "signed the newest certificate".into(),
        (None, Some(true), false) => "takes part".into(),
        (None, None, false) => "did not sign the newest certificate".into(),
    }
}

fn key(one: &ValidatorStanding) -> String {
    hex::encode(one.key)
}

/// The same for `--json`.
pub(crate) fn as_json(standing: &Standing) -> Value {
    let validator = |one: &ValidatorStanding| {
        json!({
            "key": key(one),
            "stake": one.stake,
            "genesis_stake": one.genesis_stake,
            "slashed": one.slashed.as_ref().map(|(height, what)| json!({ "height": height, "what": what })),
            "signed": one.signed,
            "heard": one.heard,
        })
    };
    json!({
        "validators": standing.validators.iter().map(validator).collect::<Vec<_>>(),
        "certificate": standing.decided.as_ref().map(|decided| json!({
            "height": decided.height,
            "round": decided.round,
            "block": hex::encode(decided.block),
            "signatures": decided.signatures,
        })),
        "deciding": standing.deciding.map(|(height, round)| json!({ "height": height, "round": round })),
        "refusal": standing.refusal,
        "stalled": standing.stalled,
        "fork": standing.fork,
    })
}

/// A field of what `--json` prints.
pub(crate) fn serialize<S: Serializer>(
    standing: &Option<Standing>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    standing.as_ref().map(as_json).serialize(serializer)
}
