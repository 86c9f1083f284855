//! Taking a few nodes apart and packing their pods anew, well.
//!
//! *Problem.* A plan that was rounded from fractions is good but for its last purchases, which had to
//! take what was left.
//!
//! *Idea.* Take apart a few nodes that waste most (cost more than their pods are worth) with some
//! others that can hold the same pods. What they held is a small problem of its own: column generation
//! finds patterns for exactly these pods, which are rounded; if that is cheaper, the plan takes it over.
//! Each node that wastes something has its turn, with other companions every time.
//!
//! *Why it is right.* The pods of a part are placed as before or better, and parts are replaced whole.
//!
//! *Cost.* Attempts × the cost of a small problem, whatever the size of the whole.
//!
//! References: large neighbourhood search (Shaw 1998); ruin and recreate (Schrimpf et al. 2000); POPMUSIC
//! (Taillard and Voß 2002).

use super::generate::{Care, Generator, Round};
use super::instance::{Instance, Pattern, Site};
use super::round::{Draft, rounded};
use std::collections::{BTreeMap, BTreeSet};

/// How many nodes are taken apart together.
const NODES: u32 = 12;
/// The most bins that a part may use.
const BINS: usize = 48;
/// Rounds of column generation for a part.
const ROUNDS: u32 = 30;
/// How many demands of a part have rows of their own.
const OWN: usize = 16;
const CARE: Care = Care { close: 1e-3, steps: 200 };

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
    pub(super) fn new(instance: &Instance<'_, '_>, efficient: &[u32]) -> Self {
        let launch = |bin: &&u32| matches!(instance.bins[**bin as usize].site, Site::Launch(_));
        Self {
            tried: BTreeMap::new(),
            attempts: 0,
            bins: efficient.iter().filter(launch).take(BINS).copied().collect(),
            single: instance.singles().into_iter().map(|single| Some(single?.bin)).collect(),
        }
    }

    /// Tries to improve a plan once, at these values of pods; whether that was worth it.
    pub(super) fn improve(
        &mut self,
        instance: &Instance<'_, '_>,
        draft: &mut Draft,
        values: &[f64],
    ) -> bool {
        self.attempts += 1;
        let Some(chosen) = self.choose(instance, draft, values) else { return false };
        let mut rest = draft.clone();
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        let mut taken: Vec<(Pattern, u32)> = Vec::new();
        for (group, times) in chosen {
            let pattern = draft.groups[group].0.clone();
            rest.give_back(instance, group, times);
            for (demand, count) in &pattern.items {
                *counts.entry(*demand).or_insert(0) += count * times;
            }
            taken.push((pattern, times));
        }
        // What had no place may find one.
        for (demand, left) in (0..).zip(&draft.left) {
            if *left > 0 {
                *counts.entry(demand).or_insert(0) += left;
            }
        }
        let mut bins: BTreeSet<u32> = self.bins.iter().copied().collect();
        bins.extend(taken.iter().map(|(pattern, _)| pattern.bin));
        bins.extend(counts.keys().filter_map(|demand| self.single[*demand as usize]));
        let bins: Vec<u32> = bins.into_iter().collect();
        let part = instance.part(&counts, &bins, &rest.supplies);
        let numbers: Vec<u32> = counts.keys().copied().collect();
        let Some(better) = solve(instance, &part, &numbers, &taken, values) else { return false };
        for (pattern, times) in &better.groups {
            let items =
                pattern.items.iter().map(|(demand, count)| (numbers[*demand as usize], *count));
            let bin = whole_bin(instance, &part, pattern.bin);
            let Some(bin) = bin else { return false };
            let pattern = Pattern { bin, items: items.collect() };
            if rest.buy(instance, &pattern, *times) < *times {
                return false;
            }
        }
        rest.tidy();
        if rest.rank() < draft.rank() {
            *draft = rest;
            return true;
        }
        false
    }

    /// Some nodes to take apart: groups of the plan with how many of each.
    fn choose(
        &mut self,
        instance: &Instance<'_, '_>,
        draft: &Draft,
        values: &[f64],
    ) -> Option<Vec<(usize, u32)>> {
        let waste = |(pattern, _): &(Pattern, u32)| {
            instance.bins[pattern.bin as usize].cost as f64 - pattern.worth(values)
        };
        let launched = |(pattern, times): &(Pattern, u32)| {
            *times > 0 && matches!(instance.bins[pattern.bin as usize].site, Site::Launch(_))
        };
        let mut order: Vec<(f64, usize)> = (0..draft.groups.len())
            .filter(|at| launched(&draft.groups[*at]))
            .map(|at| {
                let group = &draft.groups[at];
                let tried = self.tried.get(&group.0).copied().unwrap_or(0);
                (waste(group) / f64::from(1 + tried), at)
            })
            .collect();
        order.sort_by(|(one, at), (other, place)| other.total_cmp(one).then(at.cmp(place)));
        let (_, first) = *order.first()?;
        let tried = self.tried.entry(draft.groups[first].0.clone()).or_insert(0);
        *tried += 1;
        let turn = *tried as usize;
        let mut chosen = vec![(first, draft.groups[first].1.min(2))];
        let mut nodes = chosen[0].1;
        let held: BTreeSet<u32> =
            instance.bins[draft.groups[first].0.bin as usize].items.iter().copied().collect();
        // Companions that hold something that could be on the first one's node; every turn skips others.
        let related = order.iter().skip(1).filter(|(_, at)| {
            draft.groups[*at].0.items.iter().any(|(demand, _)| held.contains(demand))
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
            if skip && skipped < draft.groups.len() {
                skipped += 1;
                continue;
            }
            let times = draft.groups[*at].1.min(2).min(NODES - nodes);
            chosen.push((*at, times));
            nodes += times;
        }
        // The last first, so that places stay right.
        chosen.sort_unstable_by(|one, other| other.cmp(one));
        (nodes > 1).then_some(chosen)
    }
}

/// The number that a part's bin has in the whole.
fn whole_bin(instance: &Instance<'_, '_>, part: &Instance<'_, '_>, bin: u32) -> Option<u32> {
    let Site::Launch(column) = part.bins[bin as usize].site else { return None };
    let same = |bin: &super::instance::Bin| matches!(bin.site, Site::Launch(at) if at == column);
    instance.bins.iter().position(same).map(|at| at as u32)
}

/// A plan for a part that is better than what was taken apart.
fn solve(
    instance: &Instance<'_, '_>,
    part: &Instance<'_, '_>,
    numbers: &[u32],
    taken: &[(Pattern, u32)],
    values: &[f64],
) -> Option<Draft> {
    let values: Vec<f64> = numbers.iter().map(|demand| values[*demand as usize]).collect();
    let place: BTreeMap<u32, u32> = numbers.iter().copied().zip(0..).collect();
    let known = taken.iter().filter_map(|(pattern, _)| {
        let items =
            pattern.items.iter().filter_map(|(demand, count)| Some((*place.get(demand)?, *count)));
        let site = &instance.bins[pattern.bin as usize].site;
        let Site::Launch(column) = site else { return None };
        let same =
            |bin: &super::instance::Bin| matches!(bin.site, Site::Launch(at) if at == *column);
        let bin = part.bins.iter().position(same)? as u32;
        Some(Pattern { bin, items: items.collect() })
    });
    let mut generator = Generator::new(part, known, values, OWN, CARE);
    for _ in 0..ROUNDS {
        if generator.round() != Round::Improved {
            break;
        }
    }
    let fractions = generator.solution();
    let fractions: Vec<(&Pattern, f64)> =
        fractions.into_iter().map(|(column, times)| (&generator.patterns[column], times)).collect();
    let tries = [2.0, 0.9, 0.7, 0.5];
    let (values, screens) = (&generator.best.values, &generator.screens);
    let drafts = tries.iter().map(|up| rounded(part, &fractions, values, screens, *up));
    drafts.min_by_key(Draft::rank)
}
