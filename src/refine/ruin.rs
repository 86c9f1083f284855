//! Taking a few nodes apart and packing their pods anew, well.
//!
//! *Problem.* A plan that was rounded from fractions is good but for its last purchases, which had
//! to take what was left.
//!
//! *Idea.* Take apart a few nodes that waste most (cost more than their pods are worth) with some
//! others that can hold the same pods. What they held is a small problem of its own: column
//! generation finds patterns for exactly these pods, which are rounded, and prices, which are
//! corrected by a few plans; if the best of all these is cheaper, the plan takes it over. Each node
//! that wastes something has its turn, with other companions every time.
//!
//! *Why it is right.* The pods of a part are placed as before or better, and parts are replaced
//! whole.
//!
//! *Cost.* Attempts × the cost of a small problem, whatever the size of the whole.
//!
//! References: large neighbourhood search (Shaw 1998); ruin and recreate (Schrimpf et al. 2000);
//! POPMUSIC (Taillard and Voß 2002).

use super::cancel::Cancel;
use super::generate::{ColumnGeneration, RoundEnd};
use super::instance::{Instance, Pattern};
use super::round::{IntegerPlan, corrected, rounded};
use super::tuning::ruin::{BINS, CARE, CORRECTIONS, NODES, OWN, PARTS, ROUND_UP, ROUNDS};
use crate::compile::NodeSource;
use crate::parallel;
use ordered_float::OrderedFloat;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Where the search stands.
#[derive(Debug)]
pub(super) struct Ruin {
    /// How often each pattern was the first to be taken apart.
    tried: BTreeMap<Pattern, u32>,
    attempts: u64,
    /// The bins that are of most use.
    bins: Vec<u32>,
    /// For each demand, the bin that holds one of its pods for least.
    single: Vec<Option<u32>>,
}

impl Ruin {
    /// `efficient`: the bins, those of most use first.
    pub(super) fn new(instance: &Instance<'_>, efficient: &[u32]) -> Self {
        let launch = |bin: &&u32| instance.bins[**bin as usize].site.is_launch();
        Self {
            tried: BTreeMap::new(),
            attempts: 0,
            bins: efficient.iter().filter(launch).take(BINS).copied().collect(),
            single: instance.singles().into_iter().map(|single| Some(single?.bin)).collect(),
        }
    }

    /// Takes some parts of a plan apart, at these values of pods, and packs each anew; whether that
    /// was worth it.
    pub(super) fn improve(
        &mut self,
        instance: &Instance<'_>,
        plan: &mut IntegerPlan,
        values: &[f64],
        cancel: &Cancel<'_>,
    ) -> bool {
        let mut rest = plan.clone();
        let mut wanted = Vec::new();
        // What other parts may use: each has what it gives back, and the first what wasn't used at
        // all.
        let mut others = vec![0; rest.supplies.len()];
        for number in 0..PARTS {
            self.attempts += 1;
            let Some(chosen) = self.choose(instance, &rest, values) else { break };
            let mut part = Neighbourhood::default();
            for (group, times) in chosen {
                part.taken.push((rest.groups[group].0.clone(), times));
                rest.give_back(instance, group, times);
            }
            part.supplies = rest.supplies.iter().zip(&others).map(|(all, of)| all - of).collect();
            others.clone_from(&rest.supplies);
            part.counts(if number == 0 { &plan.left } else { &[] });
            wanted.push(part);
        }
        let solved = parallel::map(&wanted, |part| self.solve(instance, part, values, cancel));
        for (part, better) in wanted.into_iter().zip(solved) {
            for (pattern, times) in better.unwrap_or(part.taken) {
                let _bought = rest.buy(instance, &pattern, times);
            }
        }
        rest.tidy();
        if rest.rank() < plan.rank() {
            *plan = rest;
            return true;
        }
        false
    }

    /// Patterns for a part that are better than what was taken apart.
    fn solve(
        &self,
        instance: &Instance<'_>,
        part: &Neighbourhood,
        values: &[f64],
        cancel: &Cancel<'_>,
    ) -> Option<Vec<(Pattern, u32)>> {
        let mut bins: BTreeSet<u32> = self.bins.iter().copied().collect();
        bins.extend(part.taken.iter().map(|(pattern, _)| pattern.bin));
        bins.extend(part.counts.keys().filter_map(|demand| self.single[*demand as usize]));
        let bins: Vec<u32> = bins.into_iter().collect();
        let inner = instance.part(&part.counts, &bins, &part.supplies);
        let numbers: Vec<u32> = part.counts.keys().copied().collect();
        let values: Vec<f64> = numbers.iter().map(|demand| values[*demand as usize]).collect();
        // The bins of a part are in the order of those of the whole, but for those that hold
        // nothing.
        let outer: Vec<u32> = bins_of(instance, &bins, &inner);
        let known = part.taken.iter().filter_map(|(pattern, times)| {
            let bin = outer.binary_search(&pattern.bin).ok()? as u32;
            let place = |(demand, count): &(u32, u32)| {
                Some((numbers.binary_search(demand).ok()? as u32, *count))
            };
            let items = pattern.items.iter().filter_map(place).collect();
            Some((Pattern { bin, items }, *times))
        });
        let known: Vec<(Pattern, u32)> = known.collect();
        let mut former = IntegerPlan::new(&inner);
        for (pattern, times) in &known {
            let _bought = former.buy(&inner, pattern, *times);
        }
        let known = known.into_iter().map(|(pattern, _)| pattern);
        let mut generation = ColumnGeneration::new(&inner, known, values, OWN, CARE);
        for _ in 0..ROUNDS {
            if cancel.now() || generation.round(cancel) != RoundEnd::Improved {
                break;
            }
        }
        let fractions = generation.solution();
        let (mut values, screens) = (generation.best.values.clone(), &generation.screens);
        let plans = ROUND_UP.iter().map(|up| rounded(&inner, &fractions, &values, screens, *up));
        let mut best = plans.min_by_key(IntegerPlan::rank)?;
        best.take(corrected(&inner, &mut values, screens, CORRECTIONS, &mut || !cancel.now())?);
        if best.rank() >= former.rank() {
            return None;
        }
        let outside = |(pattern, times): (Pattern, u32)| {
            let items = pattern.items.iter();
            let items = items.map(|(demand, count)| (numbers[*demand as usize], *count)).collect();
            (Pattern { bin: outer[pattern.bin as usize], items }, times)
        };
        Some(best.groups.into_iter().map(outside).collect())
    }

    /// Some nodes to take apart: groups of the plan with how many of each.
    fn choose(
        &mut self,
        instance: &Instance<'_>,
        plan: &IntegerPlan,
        values: &[f64],
    ) -> Option<Vec<(usize, u32)>> {
        let waste = |(pattern, _): &(Pattern, u32)| {
            instance.bins[pattern.bin as usize].cost as f64 - pattern.worth(values)
        };
        let launched = |(pattern, times): &(Pattern, u32)| {
            *times > 0 && instance.bins[pattern.bin as usize].site.is_launch()
        };
        let mut order: Vec<(f64, usize)> = (0..plan.groups.len())
            .filter(|at| launched(&plan.groups[*at]))
            .map(|at| {
                let group = &plan.groups[at];
                let tried = self.tried.get(&group.0).copied().unwrap_or(0);
                (waste(group) / f64::from(1 + tried), at)
            })
            .collect();
        order.sort_by_key(|(most, at)| (Reverse(OrderedFloat(*most)), *at));
        let (_, first) = *order.first()?;
        let tried = self.tried.entry(plan.groups[first].0.clone()).or_insert(0);
        *tried += 1;
        let turn = *tried as usize;
        let mut chosen = vec![(first, plan.groups[first].1.min(2))];
        let mut nodes = chosen[0].1;
        let held: BTreeSet<u32> =
            instance.bins[plan.groups[first].0.bin as usize].items.iter().copied().collect();
        // Companions that hold something that could be on the first one's node; every turn skips
        // others.
        let related = order.iter().skip(1).filter(|(_, at)| {
            plan.groups[*at].0.items.iter().any(|(demand, _)| held.contains(demand))
        });
        let mut skipped = 0;
        for (number, (_, at)) in related.enumerate() {
            if nodes >= NODES {
                break;
            }
            let mix = (number as u64)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .wrapping_add(self.attempts.wrapping_mul(0xD1B5_4A32_D192_ED03));
            let skip = turn > 1 && !(mix >> 33).is_multiple_of(turn as u64 + 1);
            if skip && skipped < plan.groups.len() {
                skipped += 1;
                continue;
            }
            let times = plan.groups[*at].1.min(2).min(NODES - nodes);
            chosen.push((*at, times));
            nodes += times;
        }
        // The last first, so that places stay right.
        chosen.sort_unstable_by(|one, other| other.cmp(one));
        (nodes > 1).then_some(chosen)
    }
}

/// Nodes that were taken apart.
#[derive(Debug, Default)]
struct Neighbourhood {
    taken: Vec<(Pattern, u32)>,
    /// By demand, how many pods.
    counts: BTreeMap<u32, u32>,
    /// By supply, how much of it there is.
    supplies: Vec<i128>,
}

impl Neighbourhood {
    /// Counts the pods of what was taken apart, and those that have no place and may find one.
    fn counts(&mut self, left: &[u32]) {
        for (pattern, times) in &self.taken {
            for (demand, count) in &pattern.items {
                *self.counts.entry(*demand).or_insert(0) += count * times;
            }
        }
        for (demand, left) in (0..).zip(left).filter(|(_, left)| **left > 0) {
            *self.counts.entry(demand).or_insert(0) += left;
        }
    }
}

/// For each bin of a part, its number in the whole; `bins`: those that it was made of, ascending.
fn bins_of(instance: &Instance<'_>, bins: &[u32], part: &Instance<'_>) -> Vec<u32> {
    let bin_type = |site: &NodeSource<usize>| site.launched();
    let mut from = bins.iter();
    let mut number = |site: &NodeSource<usize>| {
        from.find(|bin| bin_type(&instance.bins[**bin as usize].site) == bin_type(site)).copied()
    };
    part.bins.iter().filter_map(|bin| number(&bin.site)).collect()
}
