//! Requirements, tested again: one operator against one concrete state of a label.
//!
//! Nothing here intersects sets of values. A label is absent, has a value, has a value that no
//! other node has, or is left open by a launch; an operator holds of that state or it doesn't.
//! Where a question is whether *some* state meets several requirements, the states that could
//! matter are written down and tried one by one.

use crate::model::{Operator, Requirement};
use std::sync::Arc;

/// What is known of one label of one node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State<'a> {
    /// The node has no such label.
    Absent,
    /// The node has this value.
    Value(&'a str),
    /// The node has a value that nobody knows yet and no other node has: a new node's name.
    Unique,
    /// The node will have one of several values.
    Open,
}

/// Whether an operator with its values holds of a label's state; `None` if the state is open.
pub(super) fn holds(operator: Operator, values: &[Arc<str>], state: State<'_>) -> Option<bool> {
    let value = match state {
        State::Open => return None,
        State::Unique => {
            return Some(matches!(operator, Operator::NotIn | Operator::Exists));
        }
        State::Absent => {
            return Some(matches!(operator, Operator::NotIn | Operator::DoesNotExist));
        }
        State::Value(value) => value,
    };
    let listed = || values.iter().any(|one| **one == *value);
    let compared = |test: fn(i64, i64) -> bool| {
        let [bound] = values else { return false };
        match (value.parse(), bound.parse()) {
            (Ok(value), Ok(bound)) => test(value, bound),
            _ => false,
        }
    };
    Some(match operator {
        Operator::In => listed(),
        Operator::NotIn => !listed(),
        Operator::Exists => true,
        Operator::DoesNotExist => false,
        Operator::Gt => compared(|value, bound| value > bound),
        Operator::Lt => compared(|value, bound| value < bound),
        Operator::Gte => compared(|value, bound| value >= bound),
        Operator::Lte => compared(|value, bound| value <= bound),
    })
}

/// Whether every requirement holds of a state that isn't open.
pub(super) fn all_hold(requirements: &[&Requirement], state: State<'_>) -> bool {
    requirements.iter().all(|one| holds(one.operator, &one.values, state) == Some(true))
}

/// Whether some state of one label meets every requirement.
///
/// It is enough to try: absence; every value that is named; the integers next to each bound, one
/// more of them than there are values to exclude; and a value that nobody names.
pub(super) fn possible(requirements: &[&Requirement]) -> bool {
    let named: Vec<&str> =
        requirements.iter().flat_map(|one| one.values.iter().map(|value| &**value)).collect();
    if all_hold(requirements, State::Absent)
        || named.iter().any(|value| all_hold(requirements, State::Value(value)))
    {
        return true;
    }
    let unheard_of = format!("~{}", named.concat());
    if all_hold(requirements, State::Value(&unheard_of)) {
        return true;
    }
    let reach = i64::try_from(named.len()).unwrap_or(i64::MAX).saturating_add(1);
    requirements.iter().any(|one| {
        let bounded =
            matches!(one.operator, Operator::Gt | Operator::Lt | Operator::Gte | Operator::Lte);
        let Some(Ok(bound)) = one.values.first().map(|value| value.parse::<i64>()) else {
            return false;
        };
        bounded
            && (bound.saturating_sub(reach)..=bound.saturating_add(reach))
                .any(|value| all_hold(requirements, State::Value(&value.to_string())))
    })
}
