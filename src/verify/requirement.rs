//! Requirements, tested again: one operator against one concrete state of a label.
//!
//! Nothing here intersects sets of values. A label is absent, has a value, has a value that no
//! other node has, or is left open by a launch; an operator holds of that state or it doesn't.
//! Where a question is whether *some* state meets several requirements, the states that could
//! matter are written down and tried one by one.
//!
//! *Source.* The operators are Kubernetes' `NodeSelectorOperator` (`In`, `NotIn`, `Exists`,
//! `DoesNotExist`, `Gt`, `Lt`) and Karpenter's `Gte` and `Lte`. `NotIn` and `DoesNotExist` hold of
//! a label that isn't there; comparisons read both sides as integers and fail where one isn't.

use crate::model::{Operator, Requirement};
use std::sync::Arc;

/// What is known of one label of one node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum KnownLabel<'a> {
    /// The node has no such label.
    Absent,
    /// The node has this value.
    Value(&'a str),
    /// The node has a value that nobody knows yet and no other node has: a new node's name.
    Unique,
    /// The node will have one of several values.
    Open,
}

/// One operator with its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition<'a> {
    pub(super) operator: Operator,
    pub(super) values: &'a [Arc<str>],
    /// Whether it is met where the operator doesn't hold.
    pub(super) negated: bool,
}

impl<'a> From<&'a Requirement> for Condition<'a> {
    fn from(requirement: &'a Requirement) -> Self {
        Self { operator: requirement.operator, values: &requirement.values, negated: false }
    }
}

impl<'a> Condition<'a> {
    /// The condition that a label has exactly this value.
    pub(super) fn equals(value: &'a Arc<str>) -> Self {
        let values = std::slice::from_ref(value);
        Self { operator: Operator::In, values, negated: false }
    }

    /// The condition that a label has none of these values, or is absent.
    pub(super) fn none_of(values: &'a [Arc<str>]) -> Self {
        Self { operator: Operator::NotIn, values, negated: false }
    }

    /// The condition that a label is there.
    pub(super) fn exists() -> Self {
        Self { operator: Operator::Exists, values: &[], negated: false }
    }

    /// Whether it holds of a label's state; `None` if the state is open.
    ///
    /// `negated` asks for the opposite, of an absent label too: that is what proofs by cases need.
    pub(super) fn holds(self, state: KnownLabel<'_>) -> Option<bool> {
        let value = match state {
            KnownLabel::Open => return None,
            KnownLabel::Unique => {
                let holds = matches!(self.operator, Operator::NotIn | Operator::Exists);
                return Some(holds != self.negated);
            }
            KnownLabel::Absent => {
                let holds = matches!(self.operator, Operator::NotIn | Operator::DoesNotExist);
                return Some(holds != self.negated);
            }
            KnownLabel::Value(value) => value,
        };
        let listed = || self.values.iter().any(|one| **one == *value);
        let compared = |test: fn(i64, i64) -> bool| {
            let [bound] = self.values else { return false };
            match (value.parse(), bound.parse()) {
                (Ok(value), Ok(bound)) => test(value, bound),
                _ => false,
            }
        };
        let holds = match self.operator {
            Operator::In => listed(),
            Operator::NotIn => !listed(),
            Operator::Exists => true,
            Operator::DoesNotExist => false,
            Operator::Gt => compared(|value, bound| value > bound),
            Operator::Lt => compared(|value, bound| value < bound),
            Operator::Gte => compared(|value, bound| value >= bound),
            Operator::Lte => compared(|value, bound| value <= bound),
        };
        Some(holds != self.negated)
    }
}

/// Whether every condition holds of a state that isn't open.
pub(super) fn all_hold(conditions: &[Condition<'_>], state: KnownLabel<'_>) -> bool {
    conditions.iter().all(|one| one.holds(state) == Some(true))
}

/// Whether some state of one label meets every condition.
pub(super) fn possible(conditions: &[Condition<'_>]) -> bool {
    some_state(conditions, |state| all_hold(conditions, state))
}

/// What a further condition is of the states that meet all the others: true of each, false of each,
/// or neither.
pub(super) fn follows(conditions: &[Condition<'_>], further: Condition<'_>) -> Option<bool> {
    let mut all = conditions.to_vec();
    all.push(further);
    let may = |holds| {
        some_state(&all, |state| all_hold(conditions, state) && further.holds(state) == Some(holds))
    };
    match (may(true), may(false)) {
        (true, true) => None,
        (holds, _) => Some(holds),
    }
}

/// Whether a test that knows these conditions alone accepts some state that a new node's label may
/// get.
///
/// It is enough to try: absence; every value that is named; a value that nobody names; and the
/// integers on and beside each bound and each integer that is named. Nobody gives a new node an
/// integer with zeros before it, or a sign, unless that is what a requirement lists.
///
/// Between two neighbouring named integers every value meets the same comparisons, so those beside
/// each bound stand for all others.
fn some_state(conditions: &[Condition<'_>], accepts: impl Fn(KnownLabel<'_>) -> bool) -> bool {
    let named: Vec<&str> =
        conditions.iter().flat_map(|one| one.values.iter().map(|value| &**value)).collect();
    let unheard_of = format!("~{}", named.concat());
    if accepts(KnownLabel::Absent)
        || accepts(KnownLabel::Value(&unheard_of))
        || named.iter().any(|value| accepts(KnownLabel::Value(value)))
    {
        return true;
    }
    named.iter().filter_map(|value| value.parse::<i64>().ok()).any(|number| {
        (number.saturating_sub(1)..=number.saturating_add(1))
            .any(|value| accepts(KnownLabel::Value(&value.to_string())))
    })
}

/// Whether a value is an integer that isn't written as integers are: `05`, `+5`, `-0`.
pub(super) fn is_oddly_written(value: &str) -> bool {
    value.parse::<i64>().is_ok_and(|number| number.to_string() != value)
}
