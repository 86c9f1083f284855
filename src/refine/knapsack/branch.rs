//! The best filling of a node, by branch and bound.
//!
//! *Problem.* The relaxation says what a filling could be worth, the quick filling what one is
//! worth; between them lies the best, and it has to be found or the upper bound lowered.
//!
//! *Idea.* Depth first, with the relaxation solved anew at each step from where its parent left it.
//! Of the counts that are broken in the solution the one worth most is split: as many as the count
//! rounded up are there for good, or fewer. The first part comes first, since it leads to good
//! fillings soon, and the second goes on in the same place, so that there is one open part for each
//! level.
//!
//! What keeps the tree small happens before each split. Items that don't fit into what is left any
//! more, or that a rule bars, go, so the relaxation is that of what can still happen, which is much
//! sharper than prices of the root where few items fill a node. And an item whose gain beyond the
//! prices shows that one more (or one less) of it would bring the bound below what is known already
//! has its count limited (or put there for good) without a split.
//!
//! Conflicts, and groups that aren't rows of the relaxation, are looked at in integers: a solution
//! without a broken count that breaks one of them is split as well.
//!
//! *Why it is right.* Each part is dropped only where a bound that holds for any prices shows that
//! it holds nothing better than what is known, or where all its fillings are covered by the two
//! parts made of it. Where the steps run out the upper bound is the largest bound of what is still
//! open.
//!
//! *Cost.* A step is one relaxation over the items that still can be added, a few pivots mostly.
//!
//! References: Land and Doig 1960; Dantzig, Fulkerson and Johnson 1954 for limits by reduced costs;
//! Shih 1979 for bounds with several resources.

use super::relax::BoundedProgramme;
use super::{Knapsack, KnapsackFilling, PricingResult, RootRelaxation, StepLimit};
use ordered_float::OrderedFloat;
use std::cmp::Reverse;

/// Of a value, relative: less isn't worth a search.
const SAME: f64 = 1e-10;
/// A count this close to a whole number is one.
const WHOLE: f64 = 1e-9;

/// A part of the search: what is there for good, and what may be added.
///
/// Levels are kept and used again, so that a search of thousands of steps allocates for its depth.
#[derive(Debug, Default)]
struct BranchLevel {
    /// The item of each column, ascending, and how many more of it may be added.
    items: Vec<usize>,
    most: Vec<i64>,
    linear: BoundedProgramme,
    solution: Vec<f64>,
    /// What is left of each binding resource, and what each group may still count.
    free: Vec<i64>,
    open: Vec<i64>,
    worth: f64,
    /// Where its own entries in the list of what is there begin.
    start: usize,
    /// No filling of this part is worth more.
    bound: f64,
}

enum BranchOutcome {
    Closed,
    /// At least so many of a column more, or fewer.
    Split(usize, i64),
    /// The steps ran out before it was known.
    Stopped,
}

struct BranchSearch<'a> {
    knapsack: &'a Knapsack,
    values: &'a [f64],
    /// The group of each row beyond the resources.
    groups: Vec<usize>,
    best: KnapsackFilling,
    floor: f64,
    /// Bounds up to here are of no interest.
    enough: f64,
    same: f64,
    /// The largest bound of a part that was closed with less than it could have held, by rounding.
    left_over: f64,
    /// What is there, by level.
    there: Vec<(u32, i64)>,
    step_limit: StepLimit<'a>,
}

/// What comes out is never worse than the quick filling, whatever the steps.
pub(super) fn best(
    knapsack: &Knapsack,
    root: RootRelaxation,
    values: &[f64],
    floor: f64,
    step_limit: StepLimit<'_>,
) -> PricingResult {
    let relaxed = root.relaxed(knapsack, values);
    let best = root.fill(knapsack, values);
    let mut search = BranchSearch {
        knapsack,
        values,
        groups: root.groups,
        best,
        floor,
        enough: 0.0,
        same: SAME * relaxed.upper_bound,
        left_over: 0.0,
        there: Vec::new(),
        step_limit,
    };
    search.raise();
    let first = BranchLevel {
        most: root.items.iter().map(|item| knapsack.most[*item]).collect(),
        items: root.items,
        linear: root.linear,
        free: knapsack.binding.iter().map(|resource| knapsack.room[*resource]).collect(),
        open: knapsack.groups.iter().map(|group| group.most).collect(),
        bound: relaxed.upper_bound,
        ..BranchLevel::default()
    };
    let (open, exact) = search.run(first);
    let BranchSearch { best, enough, left_over, .. } = search;
    let upper_bound = open.max(enough).max(left_over).min(relaxed.upper_bound.max(best.value));
    PricingResult { counts: best.counts, value: best.value, upper_bound, exact }
}

impl BranchSearch<'_> {
    /// Takes note of what is known to be reached.
    fn raise(&mut self) {
        self.enough = self.best.value.max(self.floor) + self.same;
    }

    /// Gives the largest bound of what is open at the end, and whether nothing is.
    ///
    /// A loop over levels: look at the deepest, close it or split it. The second part of a split
    /// goes on in the parent's level.
    fn run(&mut self, first: BranchLevel) -> (f64, bool) {
        let mut levels = vec![first];
        let mut depth = 0;
        loop {
            if self.step_limit.steps == 0 {
                return (self.stop(&mut levels[..=depth]), false);
            }
            match self.look(&mut levels[depth]) {
                BranchOutcome::Stopped => {}
                BranchOutcome::Closed => {
                    self.there.truncate(levels[depth].start);
                    if depth == 0 {
                        return (0.0, true);
                    }
                    depth -= 1;
                }
                BranchOutcome::Split(column, count) => {
                    if levels.len() == depth + 1 {
                        levels.push(BranchLevel::default());
                    }
                    let (parents, children) = levels.split_at_mut(depth + 1);
                    if let (Some(parent), Some(child)) = (parents.last_mut(), children.first_mut())
                    {
                        if self.descend(parent, child, column, count) {
                            depth += 1;
                        }
                        parent.most[column] = count - 1;
                    }
                }
            }
        }
    }

    /// The largest bound of the open parts.
    fn stop(&mut self, levels: &mut [BranchLevel]) -> f64 {
        let mut open = 0.0_f64;
        for level in levels {
            level.limit(self.knapsack);
            level.set(self.knapsack, &self.groups);
            let bound = level.worth + level.linear.solve(self.enough - level.worth);
            open = open.max(bound.min(level.bound));
        }
        open
    }

    /// Makes a level of the part with at least `count` more of a column; `false` where they don't
    /// fit.
    fn descend(
        &mut self,
        parent: &BranchLevel,
        child: &mut BranchLevel,
        column: usize,
        count: i64,
    ) -> bool {
        let keep: Vec<u32> = (0..parent.items.len())
            .filter(|at| parent.most[*at] > 0 || parent.linear.is_basic(*at))
            .map(|at| at as u32)
            .collect();
        child.items.clear();
        child.items.extend(keep.iter().map(|at| parent.items[*at as usize]));
        child.most.clear();
        child.most.extend(keep.iter().map(|at| parent.most[*at as usize]));
        parent.linear.keep_into(&keep, &mut child.linear);
        child.free.clone_from(&parent.free);
        child.open.clone_from(&parent.open);
        child.worth = parent.worth;
        child.bound = parent.bound;
        child.start = self.there.len();
        let at = keep.binary_search(&(column as u32)).unwrap_or(0);
        let fits = self.commit(child, at, count);
        if !fits {
            self.there.truncate(child.start);
        }
        fits
    }

    /// Puts items there for good; `false` where they don't fit.
    fn commit(&mut self, level: &mut BranchLevel, column: usize, count: i64) -> bool {
        let item = level.items[column];
        if count > level.most[column] {
            return false;
        }
        let request = self.knapsack.request(item);
        for (free, resource) in level.free.iter_mut().zip(&self.knapsack.binding) {
            *free -= count * request[*resource];
            if *free < 0 {
                return false;
            }
        }
        for (group, each) in &self.knapsack.counted[item] {
            let open = &mut level.open[*group as usize];
            *open -= count * each;
            if *open < 0 {
                return false;
            }
        }
        level.most[column] -= count;
        level.worth += self.values[item] * count as f64;
        for other in &self.knapsack.conflicts[item] {
            if let Ok(at) = level.items.binary_search(&(*other as usize)) {
                level.most[at] = 0;
            }
        }
        self.there.push((item as u32, count));
        true
    }

    /// Bounds a level, limits its counts, and says how to split it.
    ///
    /// Solve, round, tighten, until nothing changes; then split. A relaxation that can't exceed
    /// what is known ends early, since the dual method's bound only falls.
    fn look(&mut self, level: &mut BranchLevel) -> BranchOutcome {
        loop {
            level.limit(self.knapsack);
            level.set(self.knapsack, &self.groups);
            self.step_limit.step();
            let bound = level.worth + level.linear.solve(self.enough - level.worth);
            level.bound = level.bound.min(bound);
            if level.bound <= self.enough {
                return BranchOutcome::Closed;
            }
            level.linear.solution(&mut level.solution);
            self.round(level);
            if level.bound <= self.enough {
                return BranchOutcome::Closed;
            }
            match self.tighten(level, bound) {
                None => return BranchOutcome::Closed,
                Some(false) => return self.split(level),
                Some(true) if self.step_limit.steps == 0 => return BranchOutcome::Stopped,
                Some(true) => {}
            }
        }
    }

    /// Limits counts by their gains; `None` where nothing is left, else whether the relaxation has
    /// to be solved again.
    ///
    /// With a gain of *g* each of a count costs *g* of the bound, so the spare bound says how far
    /// the count can be from where it stands.
    fn tighten(&mut self, level: &mut BranchLevel, bound: f64) -> Option<bool> {
        let spare = bound - self.enough;
        let mut committed = false;
        for column in 0..level.items.len() {
            let most = level.most[column];
            let gain = level.linear.gain[column];
            if most == 0 || level.linear.is_basic(column) {
                continue;
            }
            // How far the count may move from its bound.
            let moves = (spare / gain.abs()).min(1e15).floor();
            if moves >= most as f64 {
                continue;
            }
            let moves = moves as i64;
            if gain < 0.0 {
                level.most[column] = moves;
            } else {
                let needed = most - moves;
                level.solution[column] -= needed as f64;
                if !self.commit(level, column, needed) {
                    return None;
                }
                committed = true;
            }
        }
        if !committed {
            return Some(false);
        }
        level.limit(self.knapsack);
        let most = level.most.iter().map(|most| *most as f64);
        let changed = level.solution.iter().zip(most).any(|(count, most)| *count > most + WHOLE);
        level.set(self.knapsack, &self.groups);
        Some(changed)
    }

    /// Rounds the solution down, and keeps it where it is the best.
    fn round(&mut self, level: &mut BranchLevel) {
        let whole = |count: f64| (count + WHOLE).floor();
        let counts = level.items.iter().zip(&level.solution);
        let value = level.worth
            + counts.clone().map(|(item, count)| self.values[*item] * whole(*count)).sum::<f64>();
        if value <= self.best.value + self.same {
            return;
        }
        let mut all: Vec<(u32, i64)> = self.there.clone();
        all.extend(counts.filter_map(|(item, count)| {
            let count = whole(*count) as i64;
            (count > 0).then_some((*item as u32, count))
        }));
        all.sort_unstable();
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        let counts: Vec<(u32, u32)> = all
            .into_iter()
            .map(|(item, count)| (item, u32::try_from(count).unwrap_or(u32::MAX)))
            .collect();
        if self.knapsack.holds(&counts) {
            let worth =
                |(item, count): &(u32, u32)| self.values[*item as usize] * f64::from(*count);
            let value = counts.iter().map(worth).sum();
            if value > self.best.value {
                self.best = KnapsackFilling { counts, value };
                self.raise();
            }
        }
    }

    /// The broken count worth most; where none is broken, one that takes part in breaking a rule.
    fn split(&mut self, level: &BranchLevel) -> BranchOutcome {
        let mut broken: Option<(f64, usize)> = None;
        for (column, count) in level.solution.iter().enumerate() {
            if (count - count.round()).abs() > WHOLE {
                let value = self.values[level.items[column]];
                if broken.is_none_or(|(most, _)| value > most) {
                    broken = Some((value, column));
                }
            }
        }
        if let Some((_, column)) = broken {
            return BranchOutcome::Split(column, level.solution[column].ceil() as i64);
        }
        if let Some(column) = self.fault(level) {
            return BranchOutcome::Split(column, (level.solution[column].round() as i64).max(1));
        }
        // The solution is a filling, and it was rounded to itself.
        self.left_over = self.left_over.max(level.bound);
        BranchOutcome::Closed
    }

    /// A column that takes part in breaking a rule.
    ///
    /// Resources first, then groups, then conflicts; of those that take part the one worth most, as
    /// fixing it decides most.
    fn fault(&self, level: &BranchLevel) -> Option<usize> {
        let counts: Vec<i64> = level.solution.iter().map(|count| count.round() as i64).collect();
        let taken = |column: &usize| counts[*column] > 0;
        let worth = |column: &usize| self.values[level.items[*column]] * counts[*column] as f64;
        let dearest = |columns: &mut dyn Iterator<Item = usize>| {
            columns.max_by_key(|column| (OrderedFloat(worth(column)), Reverse(*column)))
        };
        let columns = || (0..level.items.len()).filter(taken);
        for (row, resource) in self.knapsack.binding.iter().enumerate() {
            let asked = |column: &usize| self.knapsack.request(level.items[*column])[*resource];
            let sum =
                columns().map(|column| i128::from(asked(&column)) * i128::from(counts[column]));
            if sum.sum::<i128>() > i128::from(level.free[row]) {
                return dearest(&mut columns().filter(|column| asked(column) > 0));
            }
        }
        let mut open = level.open.clone();
        for column in columns() {
            for (group, each) in &self.knapsack.counted[level.items[column]] {
                open[*group as usize] -= each * counts[column];
                if open[*group as usize] < 0 {
                    let counts_there = |column: &usize| {
                        let counted = &self.knapsack.counted[level.items[*column]];
                        counted.iter().any(|(other, _)| other == group)
                    };
                    return dearest(&mut columns().filter(counts_there));
                }
            }
        }
        let barred = |column: &usize| {
            self.knapsack.conflicts[level.items[*column]].iter().any(|other| {
                level.items.binary_search(&(*other as usize)).is_ok_and(|at| counts[at] > 0)
            })
        };
        dearest(&mut columns().filter(barred))
    }
}

impl BranchLevel {
    /// Limits counts by what is left.
    fn limit(&mut self, knapsack: &Knapsack) {
        for (item, most) in self.items.iter().zip(&mut self.most) {
            if *most == 0 {
                continue;
            }
            let request = knapsack.request(*item);
            for (free, resource) in self.free.iter().zip(&knapsack.binding) {
                let asked = request[*resource];
                if asked * *most > *free {
                    *most = if asked > *free { 0 } else { free / asked };
                }
            }
            for (group, each) in &knapsack.counted[*item] {
                let open = self.open[*group as usize];
                if each * *most > open {
                    *most = open / each;
                }
            }
        }
    }

    /// Gives the relaxation what is left.
    fn set(&mut self, knapsack: &Knapsack, groups: &[usize]) {
        for (row, (free, resource)) in self.free.iter().zip(&knapsack.binding).enumerate() {
            self.linear.room[row] = *free as f64 / knapsack.room[*resource] as f64;
        }
        for (row, group) in groups.iter().enumerate() {
            let most = knapsack.groups[*group].most as f64;
            self.linear.room[self.free.len() + row] = self.open[*group] as f64 / most;
        }
        self.linear.most.iter_mut().zip(&self.most).for_each(|(slot, most)| *slot = *most as f64);
    }
}
