//! Answers of a knapsack against trying everything.

use super::{Knapsack, KnapsackGroup, KnapsackItem};
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(in super::super) struct Case {
    room: Vec<i64>,
    items: Vec<KnapsackItem>,
    groups: Vec<KnapsackGroup>,
    conflicts: Vec<Vec<u32>>,
    pub(in super::super) values: Vec<f64>,
}

impl Case {
    pub(in super::super) fn knapsack(&self) -> Knapsack {
        Knapsack::new(self.room.clone(), &self.items, self.groups.clone(), &self.conflicts)
    }

    fn holds(&self, counts: &[i64]) -> bool {
        let fits = |resource: usize| {
            let asked = self.items.iter().zip(counts).map(|(item, n)| item.request[resource] * n);
            asked.sum::<i64>() <= self.room[resource]
        };
        let counted = |group: &KnapsackGroup| {
            let held = group.members.iter().map(|(item, each)| each * counts[*item as usize]);
            held.sum::<i64>() <= group.most
        };
        let apart = |item: usize| {
            let barred = |other: &u32| counts[*other as usize] > 0;
            counts[item] == 0 || !self.conflicts[item].iter().any(barred)
        };
        (0..self.room.len()).all(fits)
            && self.groups.iter().all(counted)
            && (0..counts.len()).all(apart)
    }

    /// The most that any counts are worth.
    pub(in super::super) fn brute(&self) -> f64 {
        let mut counts = vec![0; self.items.len()];
        let mut best = 0.0_f64;
        loop {
            if self.holds(&counts) {
                best = best.max(self.values.iter().zip(&counts).map(|(v, n)| v * *n as f64).sum());
            }
            let next = (0..counts.len()).find(|at| counts[*at] < i64::from(self.items[*at].most));
            let Some(next) = next else { return best };
            counts[..next].fill(0);
            counts[next] += 1;
        }
    }

    pub(in super::super) fn check(&self, counts: &[(u32, u32)], value: f64) {
        let mut all = vec![0; self.items.len()];
        counts.iter().for_each(|(item, count)| all[*item as usize] += i64::from(*count));
        assert!(counts.iter().all(|(_, count)| *count > 0));
        assert!(all.iter().zip(&self.items).all(|(n, item)| *n <= i64::from(item.most)));
        assert!(self.holds(&all), "{counts:?} don't fit");
        let worth: f64 = self.values.iter().zip(&all).map(|(v, n)| v * *n as f64).sum();
        assert!((worth - value).abs() <= 1e-9 * worth.max(1.0), "{worth} {value}");
    }
}

/// Few items, so that all counts can be tried; some worth nothing, some that don't fit.
pub(in super::super) fn cases(
    dims: std::ops::RangeInclusive<usize>,
    rules: bool,
) -> impl Strategy<Value = Case> {
    (dims, 1..7_usize).prop_flat_map(move |(dims, items)| {
        let item = (prop::collection::vec(0..40_i64, dims), 1..4_u32);
        let group = (1..6_i64, prop::collection::vec((0..items as u32, 1..3_i64), 1..4));
        let pair = (0..items as u32, 0..items as u32);
        let few = if rules { 0..3 } else { 0..1_usize };
        (
            prop::collection::vec(20..100_i64, dims),
            prop::collection::vec(item, items),
            prop::collection::vec(group, few.clone()),
            prop::collection::vec(pair, few),
            prop::collection::vec(
                prop_oneof![1 => Just(0.0), 9 => (1..50_u32).prop_map(f64::from)],
                items,
            ),
        )
            .prop_map(move |(room, items, groups, pairs, values)| {
                let conflicts = mutual(items.len(), pairs);
                let item = |(request, most)| KnapsackItem { request, most };
                Case {
                    room,
                    items: items.into_iter().map(item).collect(),
                    groups: groups
                        .into_iter()
                        .map(|(most, members)| KnapsackGroup { most, members })
                        .collect(),
                    conflicts,
                    values,
                }
            })
    })
}

/// As many items as on a node of some size, worth about what they ask for.
pub(in super::super) fn larger() -> impl Strategy<Value = Case> {
    of_items(8..40)
}

fn of_items(number: std::ops::Range<usize>) -> impl Strategy<Value = Case> {
    (1..=4_usize, number).prop_flat_map(|(dims, items)| {
        let item = (prop::collection::vec(1..60_i64, dims), 1..5_u32, 80..120_i64);
        let group = (1..6_i64, prop::collection::vec((0..items as u32, 1..3_i64), 1..6));
        let pair = (0..items as u32, 0..items as u32);
        (
            prop::collection::vec(80..250_i64, dims),
            prop::collection::vec(item, items),
            prop::collection::vec(group, 0..4),
            prop::collection::vec(pair, 0..6),
        )
            .prop_map(|(room, drawn, groups, pairs)| {
                let worth = |(request, _, noise): &(Vec<i64>, u32, i64)| {
                    (request.iter().sum::<i64>() * noise / 10) as f64
                };
                let values = drawn.iter().map(worth).collect();
                let items =
                    drawn.into_iter().map(|(request, most, _)| KnapsackItem { request, most });
                let items: Vec<KnapsackItem> = items.collect();
                let conflicts = mutual(items.len(), pairs);
                let group = |(most, members)| KnapsackGroup { most, members };
                let groups = groups.into_iter().map(group).collect();
                Case { room, items, groups, conflicts, values }
            })
    })
}

fn mutual(items: usize, pairs: Vec<(u32, u32)>) -> Vec<Vec<u32>> {
    let mut conflicts = vec![Vec::new(); items];
    for (a, b) in pairs.into_iter().filter(|(a, b)| a != b) {
        conflicts[a as usize].push(b);
        conflicts[b as usize].push(a);
    }
    conflicts
}

/// A table has a cell for each amount of what is asked for, however much there is of the rest.
#[test]
fn what_nothing_worthy_asks_for_needs_no_table() {
    let item = |asked, most| KnapsackItem { request: vec![asked], most };
    let half = (1 << 39) + 1;
    let items = [item(half, 1), item(half, 1), item(0, 3)];
    let knapsack = Knapsack::new(vec![1 << 40], &items, Vec::new(), &[]);
    let priced = knapsack.best(&[0.0, 0.0, 2.0], 0.0, 100.into());
    assert_eq!((priced.counts, priced.value), (vec![(2, 3)], 6.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_best_is_the_best(case in prop_oneof![cases(1..=1, false), cases(1..=5, true)]) {
        let knapsack = case.knapsack();
        let best = case.brute();
        let priced = knapsack.best(&case.values, 0.0, 10_000.into());
        prop_assert!(priced.exact);
        case.check(&priced.counts, priced.value);
        prop_assert!((priced.value - best).abs() <= 1e-8 * best.max(1.0), "{priced:?} {best}");
        prop_assert!((priced.upper_bound - best).abs() <= 1e-8 * best.max(1.0), "{priced:?} {best}");
    }

    #[test]
    fn nothing_is_above_an_upper_bound(case in cases(1..=5, true), steps in 0..4_u32) {
        let knapsack = case.knapsack();
        let best = case.brute() * (1.0 - 1e-9);
        let (relaxed, filled) = knapsack.estimate(&case.values, None);
        prop_assert!(relaxed.upper_bound >= best, "{relaxed:?} {best}");
        prop_assert_eq!(knapsack.upper_bound(&case.values, &relaxed.prices), relaxed.upper_bound);
        case.check(&filled.counts, filled.value);
        prop_assert!(filled.value <= relaxed.upper_bound * (1.0 + 1e-9));
        let priced = knapsack.best(&case.values, 0.0, steps.into());
        case.check(&priced.counts, priced.value);
        prop_assert!(priced.upper_bound >= best, "{priced:?} {best}");
        prop_assert!(!priced.exact || priced.value >= best, "{priced:?} {best}");
        prop_assert!(priced.upper_bound <= relaxed.upper_bound.max(priced.value) * (1.0 + 1e-9));
    }

    /// Where the relaxation starts makes no difference to what it proves.
    #[test]
    fn a_start_only_saves_work(case in cases(1..=5, true), turn in 0..6_usize) {
        let knapsack = case.knapsack();
        let mut others = case.values.clone();
        others.rotate_left(turn % case.values.len());
        let cold = knapsack.relax(&case.values, None);
        for last in [&cold, &knapsack.relax(&others, None)] {
            let warm = knapsack.relax(&case.values, Some(last));
            let apart = (warm.upper_bound - cold.upper_bound).abs();
            prop_assert!(apart <= 1e-7 * cold.upper_bound, "{cold:?} {warm:?}");
        }
    }

    /// A core that is chosen at the right prices proves what all items do, and never less at any
    /// others.
    #[test]
    fn a_core_only_saves_work(case in of_items(260..400), turn in 0..40_usize) {
        let knapsack = case.knapsack();
        let mut others = case.values.clone();
        others.rotate_left(turn);
        let cold = knapsack.relax(&case.values, None);
        let (warm, filled) = knapsack.estimate(&case.values, Some(&cold));
        prop_assert!((warm.upper_bound - cold.upper_bound).abs() <= 1e-7 * cold.upper_bound, "{cold:?} {warm:?}");
        case.check(&filled.counts, filled.value);
        let (warm, filled) = knapsack.estimate(&case.values, Some(&knapsack.relax(&others, None)));
        prop_assert!(warm.upper_bound >= cold.upper_bound * (1.0 - 1e-7), "{cold:?} {warm:?}");
        case.check(&filled.counts, filled.value);
    }

    #[test]
    fn any_prices_give_an_upper_bound(
        case in cases(1..=5, true),
        prices in prop::collection::vec(-5.0..80.0_f64, 8),
    ) {
        prop_assert!(case.knapsack().upper_bound(&case.values, &prices) >= case.brute() * (1.0 - 1e-9));
    }

    /// What isn't above the floor need not be found, but it is said what could be there.
    #[test]
    fn a_floor_hides_only_what_is_below(case in cases(1..=4, true), floor in 0.0..300.0_f64) {
        let best = case.brute();
        let priced = case.knapsack().best(&case.values, floor, 10_000.into());
        prop_assert!(priced.exact);
        prop_assert!(priced.upper_bound >= best * (1.0 - 1e-9));
        if best > floor + 1e-6 {
            prop_assert!((priced.value - best).abs() <= 1e-8 * best, "{priced:?} {best}");
        }
    }
}
