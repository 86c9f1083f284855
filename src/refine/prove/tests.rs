//! Proofs against trying everything.

use super::super::cancel::NEVER;
use super::super::knapsack::tests::{Case, cases, larger};
use super::{BinProof, BinValues, certify, prove, proved, scale};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn leaves(proof: &BinProof) -> usize {
    match proof {
        BinProof::Branch { fewer, more, .. } => leaves(fewer) + leaves(more),
        _ => 1,
    }
}

fn units() -> impl Strategy<Value = i128> {
    prop_oneof![Just(1), Just(1_000_003), Just(1_i128 << 60)]
}

fn all_cases() -> impl Strategy<Value = Case> {
    prop_oneof![cases(1..=1, false), cases(1..=5, true)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The best filling is a limit that can be proved, and nothing less is.
    #[test]
    fn what_holds_is_proved_and_no_more(case in all_cases(), unit in units()) {
        let knapsack = case.knapsack();
        let values: Vec<i128> = case.values.iter().map(|value| *value as i128 * unit).collect();
        let best = case.brute() as i128 * unit;
        let proof = prove(&knapsack, &values, best, 100_000);
        let shown = proof.and_then(|proof| proved(&knapsack, &values, &proof));
        prop_assert_eq!(shown, Some(best));
        prop_assert_eq!(prove(&knapsack, &values, best - 1, 100_000), None);
    }

    /// A limit with some slack takes few leaves.
    #[test]
    fn slack_makes_a_proof_short(case in all_cases()) {
        let knapsack = case.knapsack();
        let values = case.values.iter().map(|value| *value as i128 * 1_000_000_000);
        let values: Vec<i128> = values.collect();
        let limit = (knapsack.relax(&case.values, None).upper_bound * 1_000_001_000.0).ceil() as i128;
        let proof = prove(&knapsack, &values, limit, 10);
        prop_assert_eq!(proof.as_ref().map(leaves), Some(1));
    }

    /// A proof of other values, or of other rules, shows what it shows and never too little.
    #[test]
    fn no_proof_shows_too_little(case in all_cases(), other in all_cases(), scale in 1..4_i128) {
        let (knapsack, others) = (case.knapsack(), other.knapsack());
        let values: Vec<i128> = other.values.iter().map(|value| *value as i128 * scale).collect();
        let limit = other.brute() as i128 * scale;
        let Some(proof) = prove(&others, &values, limit, 100_000) else {
            return Err(TestCaseError::fail("no proof"));
        };
        let values: Vec<i128> = case.values.iter().map(|value| *value as i128).collect();
        if let Some(shown) = proved(&knapsack, &values, &proof) {
            prop_assert!(shown >= case.brute() as i128, "{proof:?}");
        }
    }

    /// The factor is the least ratio, and what it makes of the values is proved.
    #[test]
    fn values_are_scaled_to_the_limits(
        classes in prop::collection::vec((all_cases(), 1..200_u32), 1..4)
    ) {
        let knapsacks: Vec<_> = classes.iter().map(|(case, _)| case.knapsack()).collect();
        let all: Vec<BinValues<'_>> = classes
            .iter()
            .zip(&knapsacks)
            .map(|((case, limit), knapsack)| {
                BinValues { knapsack, values: &case.values, limit: f64::from(*limit) }
            })
            .collect();
        let ratios = classes.iter().map(|(case, limit)| f64::from(*limit) / case.brute());
        let least = ratios.fold(f64::INFINITY, f64::min);
        let factor = scale(&all, 10_000.into());
        prop_assert!(factor == least || (factor / least - 1.0).abs() < 1e-8, "{factor} {least}");
        if factor.is_finite() {
            let Some(certified) = certify(&all, factor, 100_000, &NEVER) else {
                return Err(TestCaseError::fail("no proof"));
            };
            prop_assert!(certified.factor > least * (1.0 - 1e-6));
            for (at, knapsack) in knapsacks.iter().enumerate() {
                let shown = proved(knapsack, &certified.values[at], &certified.proofs[at]);
                prop_assert!(shown.is_some_and(|shown| shown <= certified.limits[at]));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Where trying everything takes too long, search and proof check each other: what the one
    /// finds the other shows to be the most, and the filling fits.
    #[test]
    fn search_and_proof_agree_on_larger_nodes(case in larger()) {
        let knapsack = case.knapsack();
        let priced = knapsack.best(&case.values, 0.0, 50_000.into());
        case.check(&priced.counts, priced.value);
        if priced.exact {
            let values: Vec<i128> = case.values.iter().map(|value| *value as i128).collect();
            let best = priced.value.round() as i128;
            let proof = prove(&knapsack, &values, best, 400_000);
            prop_assert_eq!(proof.and_then(|proof| proved(&knapsack, &values, &proof)), Some(best));
            let filled = knapsack.fill(&case.values, None);
            case.check(&filled.counts, filled.value);
            prop_assert!(filled.value <= priced.value * (1.0 + 1e-9));
        }
    }
}

/// One quick filling may be poor, where what it begins with keeps off what is worth more. Many
/// aren't.
#[test]
fn quick_fillings_are_nearly_the_best() {
    let mut runner = TestRunner::deterministic();
    let (mut shares, mut number) = (0.0, 0.0);
    for _ in 0..100 {
        let case = larger().new_tree(&mut runner).unwrap().current();
        let knapsack = case.knapsack();
        let priced = knapsack.best(&case.values, 0.0, 50_000.into());
        if priced.exact {
            let share = knapsack.fill(&case.values, None).value / priced.value;
            assert!(share >= 0.8, "{share} of {case:?}");
            shares += share;
            number += 1.0;
        }
    }
    assert!(number > 50.0 && shares / number > 0.98, "{shares} of {number}");
}

#[test]
fn a_leaf_that_shows_nothing_is_refused() {
    use super::super::knapsack::{Knapsack, KnapsackItem};
    let items = [KnapsackItem { request: vec![2, 1], most: 3 }];
    let knapsack = Knapsack::new(vec![5, 9], &items, vec![], &[]);
    let shown = |proof: &BinProof| proved(&knapsack, &[10], proof);
    assert_eq!(shown(&BinProof::ResourceInfeasible { resource: 0 }), None);
    assert_eq!(shown(&BinProof::ResourceInfeasible { resource: 7 }), None);
    assert_eq!(shown(&BinProof::GroupInfeasible { group: 0 }), None);
    assert_eq!(shown(&BinProof::Priced { resources: vec![-1], groups: vec![] }), None);
    assert_eq!(shown(&BinProof::Priced { resources: vec![i128::MAX], groups: vec![] }), None);
    assert_eq!(shown(&BinProof::Priced { resources: vec![5], groups: vec![] }), Some(25));
    assert_eq!(shown(&BinProof::Table { resource: 0 }), Some(20));
    let full = || Box::new(BinProof::ResourceInfeasible { resource: 0 });
    let priced = Box::new(BinProof::Priced { resources: vec![5], groups: vec![] });
    let split = BinProof::Branch { item: 0, count: 2, fewer: priced, more: full() };
    assert_eq!(shown(&split), Some(25));
    let split = BinProof::Branch { item: 3, count: 2, fewer: full(), more: full() };
    assert_eq!(shown(&split), None);
}

/// Memory has billions of units: a table has as many entries as amounts matter, or there is none.
#[test]
fn a_table_takes_no_more_memory_than_is_of_use() {
    use super::super::knapsack::{Knapsack, KnapsackItem};
    let of = |asked: i64| {
        let items = [KnapsackItem { request: vec![asked, 1], most: 3 }];
        let knapsack = Knapsack::new(vec![1 << 50, 2], &items, vec![], &[]);
        proved(&knapsack, &[10], &BinProof::Table { resource: 0 })
    };
    // None that asks for any, a single amount, and more than can be tried.
    assert_eq!(of(0), Some(20));
    assert_eq!(of(1 << 49), Some(20));
    assert_eq!(of(1), None);
}
