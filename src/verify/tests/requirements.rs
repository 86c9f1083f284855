//! The tests of single states agree with the model's algebra of sets, which they don't use.

use crate::model::{Operator, Requirement, ValueSet};
use crate::verify::requirement::{Condition, KnownLabel, follows, possible};
use proptest::prelude::*;

/// The states that some of these requirements tell apart.
const STATES: [Option<&str>; 12] = [
    None,
    Some("a"),
    Some("b"),
    Some("c"),
    Some("0"),
    Some("1"),
    Some("2"),
    Some("3"),
    Some("4"),
    Some("5"),
    Some("9223372036854775806"),
    Some("9223372036854775807"),
];

fn requirement() -> impl Strategy<Value = Requirement> {
    const VALUES: [&str; 7] = ["a", "b", "1", "2", "3", "4", "9223372036854775807"];
    let listed = prop::collection::vec(prop::sample::select(&VALUES[..]), 1..4);
    let number = prop::sample::select(&VALUES[2..]);
    prop_oneof![
        (prop::sample::select(&[Operator::In, Operator::NotIn][..]), listed)
            .prop_map(|(operator, values)| Requirement::new("k", operator, values)),
        prop::sample::select(&[Operator::Exists, Operator::DoesNotExist][..])
            .prop_map(|operator| Requirement::new("k", operator, [""; 0])),
        (
            prop::sample::select(&[Operator::Gt, Operator::Lt, Operator::Gte, Operator::Lte][..]),
            number
        )
            .prop_map(|(operator, value)| Requirement::new("k", operator, [value])),
    ]
}

fn meet(requirements: &[Requirement]) -> ValueSet {
    requirements
        .iter()
        .map(ValueSet::from_requirement)
        .fold(ValueSet::any(), |all, one| all.intersect(&one))
}

proptest! {
    #[test]
    fn a_state_is_admitted_alike(one in requirement(), value in "[a-c0-5]{0,2}") {
        let (set, condition) = (ValueSet::from_requirement(&one), Condition::from(&one));
        prop_assert_eq!(condition.holds(KnownLabel::Absent), Some(set.admits(None)));
        prop_assert_eq!(condition.holds(KnownLabel::Value(&value)), Some(set.admits(Some(&value))));
    }

    #[test]
    fn possible_is_what_can_be_given(all in prop::collection::vec(requirement(), 0..5)) {
        let conditions: Vec<Condition<'_>> = all.iter().map(Condition::from).collect();
        prop_assert_eq!(possible(&conditions), meet(&all).can_be_given());
    }

    #[test]
    fn what_follows_changes_nothing(
        all in prop::collection::vec(requirement(), 1..4),
        further in requirement(),
    ) {
        let conditions: Vec<Condition<'_>> = all.iter().map(Condition::from).collect();
        let (before, after) = (meet(&all), ValueSet::from_requirement(&further));
        let may = |holds: bool| {
            let mut states = STATES.iter().filter(|state| before.admits(**state));
            states.any(|state| after.admits(*state) == holds)
        };
        let expected = match (may(true), may(false)) {
            (true, true) => None,
            (holds, _) => Some(holds),
        };
        prop_assert_eq!(follows(&conditions, (&further).into()), expected);
    }
}
