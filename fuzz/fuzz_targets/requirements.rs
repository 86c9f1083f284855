//! The algebra of requirements against a model: the set of states of a label that are admitted,
//! one bit for each of few values and one for the label's absence.
#![no_main]

use libfuzzer_sys::arbitrary::Result;
use libfuzzer_sys::fuzz_target;
use plimsoll::model::{Operator, Requirement, Requirements, ValueSet};
use plimsoll_fuzz::Bytes;

/// The values that conditions name, and others: integers, texts, and what only looks like one.
const VALUES: [&str; 12] = ["-1", "0", "1", "2", "3", "4", "5", "6", "05", "a", "b", "other"];
const OPERATORS: [Operator; 8] = [
    Operator::In,
    Operator::NotIn,
    Operator::Exists,
    Operator::DoesNotExist,
    Operator::Gt,
    Operator::Lt,
    Operator::Gte,
    Operator::Lte,
];
const ABSENT: u16 = 1 << VALUES.len();

/// Whether a condition holds of one state, read as kube-scheduler does.
fn holds(operator: Operator, values: &[&str], state: Option<&str>) -> bool {
    let Some(value) = state else {
        return matches!(operator, Operator::NotIn | Operator::DoesNotExist);
    };
    let compare = |holds: fn(&i64, &i64) -> bool| {
        let (value, bound) = (value.parse::<i64>(), values[0].parse::<i64>());
        matches!((value, bound), (Ok(value), Ok(bound)) if holds(&value, &bound))
    };
    match operator {
        Operator::In => values.contains(&value),
        Operator::NotIn => !values.contains(&value),
        Operator::Exists => true,
        Operator::DoesNotExist => false,
        Operator::Gt => compare(i64::gt),
        Operator::Lt => compare(i64::lt),
        Operator::Gte => compare(i64::ge),
        Operator::Lte => compare(i64::le),
        _ => false,
    }
}

fn states() -> impl Iterator<Item = (u16, Option<&'static str>)> {
    let values = VALUES.iter().enumerate().map(|(i, value)| (1 << i, Some(*value)));
    values.chain([(ABSENT, None)])
}

/// Some conditions, as a set of values and as bits.
fn draw(bytes: &mut Bytes<'_>) -> Result<(ValueSet, u16)> {
    let mut requirements = Requirements::new();
    let mut bits = (ABSENT << 1) - 1;
    for _ in 0..bytes.int_in_range(0..=3)? {
        let operator = *bytes.choose(&OPERATORS)?;
        let values: Vec<&str> = match operator {
            Operator::Exists | Operator::DoesNotExist => Vec::new(),
            Operator::In | Operator::NotIn => {
                let count = bytes.int_in_range(1..=3)?;
                (0..count).map(|_| bytes.choose(&VALUES).copied()).collect::<Result<_>>()?
            }
            // A bound is an integer as Kubernetes writes them.
            _ => vec![*bytes.choose(&VALUES[1..8])?],
        };
        requirements.add(&Requirement::new("key", operator, values.iter().copied()));
        for (bit, state) in states() {
            if !holds(operator, &values, state) {
                bits &= !bit;
            }
        }
    }
    Ok((requirements.get("key").clone(), bits))
}

fn check(set: &ValueSet, bits: u16) {
    for (bit, state) in states() {
        assert_eq!(set.admits(state), bits & bit != 0, "{set:?} of {state:?}");
    }
    // Values that nobody names are beyond the model.
    assert!(bits == 0 || !set.is_empty(), "{set:?}");
    let mut again = Requirements::new();
    for requirement in set.to_requirements("key") {
        again.add(&requirement);
    }
    if !set.is_empty() {
        assert_eq!(again.get("key"), set, "what is written says the same");
    }
    if let Some(value) = set.sample() {
        assert!(set.admits(Some(&value)), "{set:?} doesn't hold its own {value}");
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let (Ok((one, of_one)), Ok((other, of_other))) = (draw(&mut bytes), draw(&mut bytes)) else {
        return;
    };
    check(&one, of_one);
    check(&other, of_other);
    let both = one.intersect(&other);
    check(&both, of_one & of_other);
    assert_eq!(both, other.intersect(&one));
    assert_eq!(one.overlaps(&other), !both.is_empty());
    assert_eq!(one.intersect(&one), one);
});
