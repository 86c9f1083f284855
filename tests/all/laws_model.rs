//! Laws of the model's arithmetic: sets of label states, quantities and prices.

use plimsoll::model::{
    HostPort, Labels, Operator, Requirement, Requirements, Toleration, ValueSet, Volume,
};
use plimsoll::{NodePool, Pod, Price, Problem, Quantity, Resources};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Values that meet in many ways: words, and integers near each other, in several spellings.
const VALUES: [&str; 16] = [
    "",
    "a",
    "b",
    "c",
    "-1",
    "0",
    "1",
    "01",
    "+1",
    "2",
    "3",
    "03",
    "4",
    "1.0",
    "9223372036854775807",
    "-9223372036854775808",
];

fn requirement(key: &'static str) -> impl Strategy<Value = Requirement> {
    let listed = prop::sample::subsequence(VALUES.to_vec(), 1..5);
    let bound = prop::sample::select(vec![
        "-1",
        "0",
        "1",
        "2",
        "3",
        "4",
        "9223372036854775807",
        "-9223372036854775808",
    ]);
    let several = prop::sample::select(vec![Operator::In, Operator::NotIn]);
    let none = prop::sample::select(vec![Operator::Exists, Operator::DoesNotExist]);
    let one = prop::sample::select(vec![Operator::Gt, Operator::Lt, Operator::Gte, Operator::Lte]);
    prop_oneof![
        4 => (several, listed).prop_map(move |(operator, values)| {
            Requirement::new(key, operator, values)
        }),
        1 => none.prop_map(move |operator| Requirement::new(key, operator, [""; 0])),
        3 => (one, bound).prop_map(move |(operator, value)| {
            Requirement::new(key, operator, [value])
        }),
    ]
}

/// Sets as conditions make them, small ranges and single values among them.
fn set() -> impl Strategy<Value = ValueSet> {
    prop::collection::vec(requirement("key"), 0..4).prop_map(|conditions| of(&conditions))
}

fn of(conditions: &[Requirement]) -> ValueSet {
    conditions.iter().collect::<Requirements>().get("key").clone()
}

fn requirements() -> impl Strategy<Value = Requirements> {
    let condition = prop_oneof![requirement("x"), requirement("y"), requirement("z")];
    prop::collection::vec(condition, 0..6).prop_map(|conditions| conditions.iter().collect())
}

/// Every state that could tell two of the sets apart.
fn states() -> impl Iterator<Item = Option<&'static str>> {
    let spelled = ["5", "-2", "002", "+3", "x", "9223372036854775808"];
    VALUES.into_iter().chain(spelled).map(Some).chain([None])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn intersection_is_a_semilattice(a in set(), b in set(), c in set()) {
        prop_assert_eq!(a.intersect(&b), b.intersect(&a));
        prop_assert_eq!(a.intersect(&b).intersect(&c), a.intersect(&b.intersect(&c)));
        prop_assert_eq!(a.intersect(&a), a.clone());
        prop_assert_eq!(a.intersect(&ValueSet::any()), a.clone());
        prop_assert_eq!(a.intersect(&ValueSet::none()), ValueSet::none());
    }

    #[test]
    fn intersection_admits_what_both_admit(a in set(), b in set()) {
        let both = a.intersect(&b);
        for state in states() {
            prop_assert_eq!(both.admits(state), a.admits(state) && b.admits(state));
        }
        prop_assert_eq!(both.is_empty(), both.sample().is_none() && !both.admits_absent());
    }

    #[test]
    fn sets_overlap_when_their_intersection_is_not_empty(a in set(), b in set()) {
        prop_assert_eq!(a.overlaps(&b), !a.intersect(&b).is_empty());
        prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
    }

    /// What the two sets mention, and a value of each that neither does, tell them apart.
    #[test]
    fn sets_with_the_same_states_are_equal(a in set(), b in set()) {
        let mut probes: BTreeSet<_> = a.mentioned().chain(b.mentioned()).collect();
        probes.extend(states().flatten().map(Into::into));
        // An integer has many spellings, and a set that names one of them still admits the others.
        let numbers: BTreeSet<i64> = probes.iter().filter_map(|value| value.parse().ok()).collect();
        let near = numbers.iter().flat_map(|number| [-1, 0, 1].map(|by| number.saturating_add(by)));
        let spelled = near.flat_map(|number| {
            let (sign, size) = (if number < 0 { "-" } else { "+" }, number.unsigned_abs());
            ["", "0", "00"].map(|zeros| format!("{sign}{zeros}{size}").into())
        });
        probes.extend(spelled.collect::<Vec<_>>());
        let unnamed = Requirement::new("key", Operator::NotIn, probes.iter().cloned());
        let unnamed = ValueSet::from_requirement(&unnamed);
        probes.extend([&a, &b].into_iter().filter_map(|set| set.intersect(&unnamed).sample()));
        let same = a.admits_absent() == b.admits_absent()
            && probes.iter().all(|value| a.admits(Some(value)) == b.admits(Some(value)));
        prop_assert_eq!(a == b, same);
        if same {
            let hash = |set: &ValueSet| {
                let mut hasher = DefaultHasher::new();
                set.hash(&mut hasher);
                hasher.finish()
            };
            prop_assert_eq!(hash(&a), hash(&b));
        }
    }

    #[test]
    fn order_of_conditions_does_not_matter(
        conditions in prop::collection::vec(requirement("key"), 0..5),
    ) {
        let reversed: Vec<_> = conditions.iter().rev().cloned().collect();
        prop_assert_eq!(of(&conditions), of(&reversed));
    }

    #[test]
    fn sets_survive_their_document_form(a in set()) {
        prop_assert_eq!(of(&a.to_requirements("key")), a);
    }

    #[test]
    fn descriptions_of_a_set_are_true(a in set()) {
        if let Some(values) = a.finite_values() {
            for value in states().flatten() {
                prop_assert_eq!(a.admits(Some(value)), values.contains(value));
            }
        }
        if let Some(value) = a.single() {
            prop_assert_eq!(&a, &ValueSet::one(value.clone()));
        }
        if let Some(sample) = a.sample() {
            prop_assert!(a.admits(Some(&sample)));
        }
        prop_assert!(a.excluded().iter().all(|value| !a.admits(Some(value))));
        prop_assert_eq!(a.is_any(), a == ValueSet::any());
    }

    #[test]
    fn requirements_intersect_by_label(a in requirements(), b in requirements()) {
        let both = a.intersect(&b);
        prop_assert_eq!(&both, &b.intersect(&a));
        prop_assert_eq!(a.overlaps(&b), !both.is_empty());
        prop_assert_eq!(both.is_empty(), both.contradiction().is_some());
        prop_assert_eq!(&a.intersect(&Requirements::new()), &a);
        for (x, y) in states().flat_map(|x| [None, Some("a"), Some("1")].map(|y| (x, y))) {
            let pairs = [("x", x), ("y", y)];
            let labels: Labels = pairs.iter().filter_map(|(k, v)| Some((*k, (*v)?))).collect();
            prop_assert_eq!(both.admits(&labels), a.admits(&labels) && b.admits(&labels));
        }
    }

    #[test]
    fn quantities_read_back_as_printed(quantity in quantity()) {
        prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
    }

    /// `a · 10^i` against `b · 10^j`, both in billionths and exact in 128 bits.
    #[test]
    fn quantities_are_ordered_by_value(a in 0..100_000_u32, i in -9..9_i32, b in 0..100_000_u32, j in -9..9_i32) {
        let exact = |n: u32, power: i32| i128::from(n) * 10_i128.pow((power + 9).unsigned_abs());
        let read = |n: u32, power: i32| format!("{n}e{power}").parse::<Quantity>();
        let (left, right) = (read(a, i)?, read(b, j)?);
        prop_assert_eq!(left.cmp(&right), exact(a, i).cmp(&exact(b, j)));
        prop_assert_eq!(left.nanos(), exact(a, i));
    }

    #[test]
    fn binary_suffixes_are_powers_of_1024(whole in 0..1024_u64, power in 0..5_usize) {
        let suffix = ["Ki", "Mi", "Gi", "Ti", "Pi"][power];
        let units = whole << (10 * (power + 1));
        prop_assert_eq!(format!("{whole}{suffix}").parse(), Ok(Quantity::from_units(units)));
    }

    #[test]
    fn a_longer_fraction_never_makes_a_quantity_smaller(
        digits in "[0-9]{1,40}",
        more in "[0-9]{1,9}",
        suffix in prop::sample::select(vec!["n", "m", "", "k", "Ki", "Gi", "e3", "e-12"]),
    ) {
        let short: Quantity = format!("0.{digits}{suffix}").parse()?;
        let long: Quantity = format!("0.{digits}{more}{suffix}").parse()?;
        prop_assert!(short <= long);
    }

    #[test]
    fn any_text_is_read_or_refused(text in r"[-+]?[0-9.]{0,30}[a-zA-Z+-]{0,3}[0-9]{0,25}|\PC*") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            prop_assert!(quantity <= Quantity::MAX);
            prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
        }
        if let Ok(price) = text.parse::<Price>() {
            prop_assert!(Price::ZERO <= price && price <= Price::MAX);
            prop_assert_eq!(price.to_string().parse(), Ok(price));
        }
    }

    #[test]
    fn prices_read_back_as_printed(nanos in 0..=Price::MAX.nanos()) {
        let price = Price::from_nanos(nanos);
        prop_assert_eq!(price.to_string().parse(), Ok(price));
    }

    #[test]
    fn prices_are_rounded_to_the_nearest(nanos in 0..1_000_000_000_000_i128, part in 0..1000_i128) {
        let (whole, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        let price: Price = format!("{whole}.{fraction:09}{part:03}").parse()?;
        prop_assert_eq!(price.nanos(), nanos + i128::from(part >= 500));
        prop_assert_eq!(format!("{whole}{fraction:09}{part:03}e-12").parse(), Ok(price));
    }
}

fn quantity() -> impl Strategy<Value = Quantity> {
    let suffix = prop::sample::select(vec!["n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi"]);
    prop_oneof![
        (0..=1_073_741_824_u64, suffix).prop_map(|(n, suffix)| format!("{n}{suffix}")),
        (0..=1_u64 << 60).prop_map(|n| n.to_string()),
        (0..1_u64 << 59, 0..1_000_000_000_u32).prop_map(|(n, part)| format!("{n}.{part:09}")),
    ]
    .prop_map(|text| text.parse().unwrap())
}

/// The generators reach the cases that the laws are about.
#[test]
fn generated_sets_are_varied() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let pairs: Vec<_> =
        (0..1000).map(|_| (set(), set()).new_tree(&mut runner).unwrap().current()).collect();
    let share = |test: fn(&(ValueSet, ValueSet)) -> bool| pairs.iter().filter(|p| test(p)).count();
    assert!(share(|(a, _)| a.is_empty()) > 50);
    assert!(share(|(a, _)| *a == ValueSet::absent()) > 20);
    assert!(share(|(a, _)| a.range().is_some()) > 50);
    assert!(share(|(a, _)| a.single().is_some()) > 50);
    assert!(share(|(a, b)| a == b) > 20);
    assert!(share(|(a, b)| a.overlaps(b)) > 200);
    assert!(share(|(a, b)| !a.is_empty() && !b.is_empty() && !a.overlaps(b)) > 100);
}

/// What Kubernetes' largest quantity limits isn't limited: the same problem as without it.
#[test]
fn the_largest_limit_is_none() {
    let problem = |limits: Resources| {
        let pool = NodePool::new("pool").with_limits(limits);
        Problem::builder().node_pool(pool).build().unwrap()
    };
    let cpu = || ("cpu", Quantity::from_units(8));
    let all: Resources = [cpu(), ("memory", Quantity::MAX)].into_iter().collect();
    assert_eq!(problem(all), problem([cpu()].into_iter().collect()));
}

/// In what order a pod's lists are makes no difference.
#[test]
fn a_pods_lists_have_no_order() {
    let ports = || [80, 443].map(HostPort::new);
    let tolerations = || ["a", "b"].map(Toleration::exists);
    let volumes = || ["x", "y"].map(|id| Volume::new("disk", id));
    let problem = |turned: bool| {
        let mut pod = Pod::new("p");
        let mut add = |at: usize| {
            pod = std::mem::replace(&mut pod, Pod::new("p"))
                .with_host_port(ports()[at].clone())
                .with_toleration(tolerations()[at].clone())
                .with_volume(volumes()[at].clone());
        };
        if turned { [1, 0] } else { [0, 1] }.into_iter().for_each(&mut add);
        Problem::builder().pod(pod).build().unwrap()
    };
    assert_eq!(problem(true), problem(false));
}

/// Where every integer of a range is excluded as it is usually written, one with zeros before it
/// is left, on the side of zero on which the range is.
#[test]
fn a_sample_of_excluded_integers_is_in_the_range() {
    for (least, most) in [(-3, -1), (1, 3), (-1, 1)] {
        let integers = (least..=most).map(|n| n.to_string());
        let conditions = [
            Requirement::new("key", Operator::Gte, [least.to_string()]),
            Requirement::new("key", Operator::Lte, [most.to_string()]),
            Requirement::new("key", Operator::NotIn, integers),
        ];
        let set = of(&conditions);
        let sample = set.sample().unwrap();
        assert!(set.admits(Some(&*sample)), "{sample}");
        let number: i64 = sample.parse().unwrap();
        assert!((least..=most).contains(&number), "{sample}");
    }
}
