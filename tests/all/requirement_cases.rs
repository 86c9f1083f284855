//! The requirement algebra against Karpenter's: a table of facts, and 1,500 pairs with the answers
//! that Karpenter v1.13 gives.
//!
//! Karpenter keeps a requirement as a complement flag, a set of values and bounds, and derives an
//! operator from them. That form can't hold two things, and all differences come from these:
//!
//! - DIFFERENCE "contradiction": conditions on one label that can't hold together (`In [a]` and
//!   `In [b]`) become `DoesNotExist`, so a pod with such conditions is taken to ask for the label's
//!   absence. Here the empty set is a set of its own, and nothing satisfies it. kube-scheduler
//!   checks each condition alone and would never place such a pod, so a node launched for it is
//!   wasted.
//! - DIFFERENCE "exclusion": `NotIn` admits absence, but together with a condition that doesn't
//!   (`Exists`, `Gt`, …) it must not. Karpenter derives the operator `NotIn` from any exclusion and
//!   lets the label be absent. kube-scheduler would refuse the pod on such a node.
//!
//! Karpenter's test for common states doesn't notice when a finite range of integers is excluded
//! entirely. That is right, since `05` is another value of the integer 5, so there is no
//! difference.
//!
//! Source: `Requirement.Intersection`, `Requirements.Compatible` and `Requirements.Intersects` of
//! <https://github.com/kubernetes-sigs/karpenter/tree/main/pkg/scheduling>.

use plimsoll::model::{Operator, Requirement, Requirements, ValueSet};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

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

/// Conditions on one label, written as in the tables of facts: `Gt 4; NotIn 5 6`.
fn set(text: &str) -> ValueSet {
    let mut requirements = Requirements::new();
    for condition in text.split("; ") {
        let mut words = condition.split(' ');
        let operator = operator(words.next().unwrap());
        requirements.add(&Requirement::new("key", operator, words));
    }
    requirements.get("key").clone()
}

fn operator(name: &str) -> Operator {
    *OPERATORS.iter().find(|operator| operator.as_str() == name).unwrap()
}

/// The examples of Karpenter's `requirement_test.go`, run, with the two differences argued above.
#[test]
fn two_conditions_leave_what_both_admit() {
    for (left, right, both) in [
        ("In 1 5", "In 5 9", "In 5"),
        ("In 1 5", "NotIn 5", "In 1"),
        ("In 1 5", "Gt 4", "In 5"),
        ("In x 10", "Gt 4", "In 10"),
        ("In x", "Gte 5", "Exists; DoesNotExist"),
        ("In a", "In b", "Exists; DoesNotExist"),
        ("NotIn 5", "Lt 5", "Lte 4"),
        ("NotIn 1 5", "Gt 4", "Gte 5; NotIn 5"),
        ("NotIn a", "NotIn b", "NotIn a b"),
        ("NotIn 5", "DoesNotExist", "DoesNotExist"),
        ("NotIn a", "Exists", "Exists; NotIn a"),
        ("Exists", "DoesNotExist", "Exists; DoesNotExist"),
        ("Gt 4", "Lt 5", "Exists; DoesNotExist"),
        ("Gt 4", "Lte 5", "Gte 5; Lte 5"),
        ("Gte 5; Lte 5", "NotIn 5", "Gte 5; Lte 5; NotIn 5"),
        ("Gt 9223372036854775807", "Exists", "Exists; DoesNotExist"),
    ] {
        let (left, right, both) = (set(left), set(right), set(both));
        assert_eq!(left.intersect(&right), both, "{left:?} and {right:?}");
        assert_eq!(right.intersect(&left), both, "{right:?} and {left:?}");
        assert_eq!(left.overlaps(&right), !both.is_empty(), "{left:?} and {right:?}");
    }
}

/// Which states of a label satisfy a condition, as kube-scheduler sees it.
///
/// Source: <https://pkg.go.dev/k8s.io/apimachinery/pkg/labels#Requirement.Matches>.
#[test]
fn a_condition_admits_what_kubernetes_matches() {
    for (conditions, admitted, refused) in [
        ("In a b", "a b", "c - A"),
        ("NotIn a b", "c - A", "a b"),
        ("Exists", "a 5", "-"),
        ("DoesNotExist", "-", "a 5"),
        ("Gt 4", "5 05 +5 9223372036854775807", "4 - x 4.5 5.0 9223372036854775808"),
        ("Lt 4", "3 -1 +3 003 -9223372036854775808", "4 - x 3.0"),
        ("Gte 4", "4 04", "3 - x"),
        ("Lte 4", "4 -4", "5 - x"),
        ("Gte 5; Lte 5; NotIn 5", "05 +5", "5 6 -"),
        ("NotIn a; Exists", "b", "a -"),
        ("Exists; DoesNotExist", "", "a 5 -"),
    ] {
        let states = set(conditions);
        let state = |word| if word == "-" { None } else { Some(word) };
        for word in admitted.split_whitespace() {
            assert!(states.admits(state(word)), "{conditions} admits {word}");
        }
        for word in refused.split_whitespace() {
            assert!(!states.admits(state(word)), "{conditions} refuses {word}");
        }
    }
}

#[test]
fn outdated_keys_are_read_as_their_successors() {
    let mut requirements = Requirements::new();
    let old = "failure-domain.beta.kubernetes.io/zone";
    requirements.add(&Requirement::new(old, Operator::In, ["a", "b"]));
    requirements.add(&Requirement::new("topology.kubernetes.io/zone", Operator::In, ["b", "c"]));
    assert_eq!(*requirements.get(old), ValueSet::one("b"));
    assert_eq!(requirements.iter().len(), 1);
}

/// One of the pairs: what is known of a label (`a`) and what is asked of it (`b`).
struct Case {
    a: Requirements,
    b: Requirements,
    answers: Value,
}

fn cases() -> Option<Vec<Case>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/requirements-cases.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("skipped: {path} isn't there");
        return None;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let requirements = |list: &Value| list.as_array().unwrap().iter().map(requirement).collect();
    let case = |answers: Value| {
        let list = |name: &str| -> Vec<Requirement> { requirements(&answers[name]) };
        let (a, b) = (list("a").iter().collect(), list("b").iter().collect());
        Case { a, b, answers }
    };
    Some(cases.into_iter().map(case).collect())
}

fn requirement(value: &Value) -> Requirement {
    let operator = operator(value["operator"].as_str().unwrap());
    Requirement::new(value["key"].as_str().unwrap(), operator, strings(&value["values"]))
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(|value| value.as_str().unwrap())
}

/// Whether Karpenter derives `NotIn` or `DoesNotExist`, which pass each other unseen, or skips the
/// label because one side doesn't name it.
fn negative(states: &ValueSet) -> bool {
    let no_value = states.finite_values().is_some_and(BTreeSet::is_empty);
    no_value || !states.excluded().is_empty() || states.is_any()
}

/// Why Karpenter calls two sets compatible that have no state in common; `None` if it doesn't.
fn difference(a: &ValueSet, b: &ValueSet) -> Option<&'static str> {
    let contradiction = a.is_empty() || b.is_empty();
    (negative(a) && negative(b)).then_some(if contradiction {
        "contradiction"
    } else {
        "exclusion"
    })
}

/// Checks every key of a relation: our answer, and the differences that would explain Karpenter's.
fn check<'a>(pairs: impl Iterator<Item = (&'a ValueSet, &'a ValueSet)>) -> (bool, Option<String>) {
    let disjoint: Vec<_> = pairs.filter(|(a, b)| !a.overlaps(b)).collect();
    let why: Option<BTreeSet<_>> = disjoint.iter().map(|(a, b)| difference(a, b)).collect();
    let why = why.filter(|why| !why.is_empty());
    (disjoint.is_empty(), why.map(|why| why.into_iter().collect::<Vec<_>>().join(" and ")))
}

#[test]
fn verdicts_agree_with_karpenter_but_for_two_defects() {
    let Some(cases) = cases() else { return };
    assert_eq!(cases.len(), 1500);
    let well_known = |key: &str| {
        ["kubernetes.io/arch", "topology.kubernetes.io/zone", "karpenter.k8s.aws/instance-cpu"]
            .contains(&key)
    };
    let (any, absent) = (ValueSet::any(), ValueSet::absent());
    let mut differences: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for case in &cases {
        let defined = |key: &str| case.a.iter().any(|(name, _)| **name == *key);
        let known = |undefined: fn(&str) -> bool| {
            let (any, absent) = (&any, &absent);
            case.b.iter().map(move |(key, asked)| match defined(key) {
                true => (case.a.get(key), asked),
                false if undefined(key) => (any, asked),
                false => (absent, asked),
            })
        };
        let both = case.a.intersect(&case.b);
        let named = both.iter().map(|(key, _)| (case.a.get(key), case.b.get(key)));
        let relations = [
            ("compatible", check(known(|_| false))),
            ("compatibleAllowUndefinedWellKnown", check(known(well_known))),
            ("intersects", check(named)),
        ];
        assert_eq!(relations[2].1.0, case.a.overlaps(&case.b));
        assert_eq!(relations[2].1.0, !both.is_empty());
        for (relation, (ours, why)) in relations {
            let theirs = case.answers[relation].as_bool().unwrap();
            match why {
                _ if ours == theirs => {}
                Some(why) if theirs => *differences.entry((relation, why)).or_default() += 1,
                _ => panic!("{relation}: {ours} here, {theirs} there: {}", case.answers),
            }
        }
    }
    let counted: Vec<_> =
        differences.iter().map(|((relation, why), n)| (*relation, why.as_str(), *n)).collect();
    let expected = [
        ("compatible", "contradiction", 101),
        ("compatible", "contradiction and exclusion", 3),
        ("compatible", "exclusion", 8),
        ("compatibleAllowUndefinedWellKnown", "contradiction", 158),
        ("compatibleAllowUndefinedWellKnown", "contradiction and exclusion", 3),
        ("compatibleAllowUndefinedWellKnown", "exclusion", 7),
        ("intersects", "contradiction", 300),
        ("intersects", "contradiction and exclusion", 1),
    ];
    assert_eq!(counted, expected);
}

#[test]
fn intersections_agree_with_karpenter_but_for_two_defects() {
    let Some(cases) = cases() else { return };
    let (mut same, mut contradictions, mut exclusions) = (0, 0, 0);
    for case in &cases {
        let both = case.a.intersect(&case.b);
        let theirs = case.answers["intersection"].as_object().unwrap();
        let keys: Vec<_> = both.iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys, theirs.keys().map(String::as_str).collect::<Vec<_>>());
        for (key, ours) in both.iter() {
            let value = &theirs[&**key];
            let theirs = theirs_as_set(value);
            if *ours == theirs {
                same += 1;
            } else if ours.is_empty() && theirs == ValueSet::absent() {
                contradictions += 1;
            } else if *ours == theirs.intersect(&set("Exists")) && !ours.excluded().is_empty() {
                exclusions += 1;
            } else {
                panic!("{key}: {ours:?} here, {value} there");
            }
        }
    }
    assert_eq!((same, contradictions, exclusions), (2739, 987, 36));
}

/// The set that Karpenter's form stands for; see the differences above.
fn theirs_as_set(value: &Value) -> ValueSet {
    let mut requirements = Requirements::new();
    let mut add = |operator, values: Vec<String>| {
        requirements.add(&Requirement::new("key", operator, values));
    };
    add(
        operator(value["operator"].as_str().unwrap()),
        strings(&value["values"]).map(String::from).collect(),
    );
    for (name, operator) in [("gte", Operator::Gte), ("lte", Operator::Lte)] {
        if let Some(bound) = value[name].as_i64() {
            add(operator, vec![bound.to_string()]);
        }
    }
    requirements.get("key").clone()
}
