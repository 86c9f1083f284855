//! How pods are best divided over cells, and which of them stay out.
//!
//! The items that rules are about are divided in every way that keeps the rules, over the cells and
//! among those that stay out; the others then go where they cost least ([`SearchInput::sums`]). A
//! division whose nodes turn out to have no order of binding is passed over.
//!
//! *Cost.* Ways to divide the ruled items, each cut off as soon as a rule is broken, more pods stay
//! out than in the best plan, or the floors of the cells come to more than it costs; for each of
//! what is left a look-up in the sums of the free items.

use super::super::tuning::divide::PLANS;
use super::cells::{CellTable, NodeFill, SearchInput};
use super::domain_constraint::{DomainConstraint, DomainsReached, ItemsByCell};
use super::pareto::{ParetoFront, PointOrigin, SearchBudget};

/// How good a plan is, less is better: how many pods of each priority stay out, the highest first,
/// and what the others cost.
pub(super) type PlanScore = (Vec<u32>, i128);

/// A plan as the search has it.
#[derive(Clone, Debug)]
pub(super) struct FoundPlan {
    pub(super) score: PlanScore,
    pub(super) held: Vec<NodeFill>,
    /// How many pods of each item stay out.
    pub(super) out: Vec<u32>,
}

/// What is looked through for the best plan.
pub(super) struct CellDivider<'a, 'b, 'w> {
    pub(super) input: &'a SearchInput<'a>,
    pub(super) tables: &'a [CellTable],
    pub(super) constraints: &'a [DomainConstraint],
    /// How many items, the first ones, rules are about.
    pub(super) ruled: usize,
    pub(super) budget: &'b mut SearchBudget<'w>,
    /// What has to be beaten.
    pub(super) best: PlanScore,
    pub(super) found: Option<FoundPlan>,
    /// Whether a plan is legal, all its nodes looked at together.
    pub(super) is_legal: &'a dyn Fn(&FoundPlan) -> bool,
    pub(super) by_cells: ItemsByCell,
    /// By cell, the number of the vector of pods that are there.
    pub(super) numbers: Vec<usize>,
    pub(super) out: Vec<u32>,
}

impl CellDivider<'_, '_, '_> {
    /// Divides the items from this one on; those before it are.
    pub(super) fn item(&mut self, at: usize) -> Option<()> {
        self.budget.spend(self.tables.len() as u64)?;
        let cells = &self.input.places.cells;
        // More pods never cost less than the least of all vectors that hold these.
        let mut sum = 0_i128;
        for (number, table) in self.numbers.iter().zip(self.tables) {
            if table.floor[*number] == i128::MAX {
                return Some(());
            }
            sum += table.floor[*number];
        }
        if (self.missing(), sum) >= self.best {
            return Some(());
        }
        let decided =
            |constraint: &&DomainConstraint| constraint.last().is_some_and(|last| last + 1 == at);
        let mut decided = self.constraints.iter().filter(decided);
        if !decided
            .all(|constraint| constraint.holds(cells, &self.by_cells, DomainsReached::Partial))
        {
            return Some(());
        }
        if at < self.ruled {
            return self.cell(at, 0, self.input.items[at].count);
        }
        self.finish()
    }

    /// Divides what is left of an item over the cells from this one on.
    fn cell(&mut self, at: usize, cell: usize, left: u32) -> Option<()> {
        let item = &self.input.items[at];
        if cell == self.tables.len() {
            if left > 0 && !self.input.task.optional {
                return Some(());
            }
            self.out[at] = left;
            let done = self.item(at + 1);
            self.out[at] = 0;
            return done;
        }
        let most = if item.reach[cell] { left } else { 0 };
        let stride = self.input.grid.stride(at);
        for count in (0..=most).rev() {
            self.by_cells[at][cell] = count;
            self.numbers[cell] += stride * count as usize;
            let done = self.cell(at, cell + 1, left - count);
            self.numbers[cell] -= stride * count as usize;
            self.by_cells[at][cell] = 0;
            done?;
        }
        Some(())
    }

    /// How many pods of each priority stay out so far.
    fn missing(&self) -> Vec<u32> {
        let mut missing = vec![0; self.best.0.len()];
        for (item, out) in self.input.items.iter().zip(&self.out) {
            missing[item.level] += out;
        }
        missing
    }

    /// Places the items that no rule is about.
    fn finish(&mut self) -> Option<()> {
        let (input, cells) = (self.input, &self.input.places.cells);
        let used: Vec<bool> = self.numbers.iter().map(|number| *number > 0).collect();
        let mut closed = vec![false; cells.len()];
        for constraint in self.constraints {
            let reach = DomainsReached::Whole { used: &used, closed: &mut closed };
            if !constraint.holds(cells, &self.by_cells, reach) {
                return Some(());
            }
        }
        let sums = input.sums(self.tables, &self.numbers, &closed, self.free(), self.budget)?;
        let Some(last) = sums.last() else { return Some(()) };
        let mut plans: Vec<(PlanScore, usize, usize)> = Vec::new();
        for (number, front) in last.iter().enumerate() {
            let score = self.missing_beside(number);
            for (index, point) in front.iter().enumerate() {
                let score = (score.clone(), point.cost);
                if score < self.best {
                    plans.push((score, number, index));
                }
            }
        }
        plans.sort();
        for (score, number, index) in plans.into_iter().take(PLANS) {
            self.budget.spend(64)?;
            let held = self.trace(&sums, number, index);
            let mut out = self.out.clone();
            let vector = input.grid.vector(number);
            for (at, item) in input.items.iter().enumerate().skip(self.ruled) {
                out[at] = item.count - vector[at];
            }
            let found = FoundPlan { score, held, out };
            if (self.is_legal)(&found) {
                self.best = found.score.clone();
                self.budget.limit = match self.best.0.iter().all(|missing| *missing == 0) {
                    true => self.best.1,
                    false => self.budget.limit,
                };
                self.found = Some(found);
                break;
            }
        }
        Some(())
    }

    /// How many pods of each priority stay out where so many of the free items are placed.
    fn missing_beside(&self, number: usize) -> Vec<u32> {
        let vector = self.input.grid.vector(number);
        let mut missing = self.missing();
        for (at, item) in self.input.items.iter().enumerate().skip(self.ruled) {
            missing[item.level] += item.count - vector[at];
        }
        missing
    }

    /// How many vectors there are of items that no rule is about.
    fn free(&self) -> usize {
        match self.ruled.checked_sub(1) {
            Some(last) => self.input.grid.stride(last),
            None => self.input.grid.len(),
        }
    }

    /// The nodes of a plan.
    fn trace(
        &self,
        sums: &[Vec<ParetoFront>],
        mut number: usize,
        mut index: usize,
    ) -> Vec<NodeFill> {
        let mut held = Vec::new();
        for (cell, sum) in sums.iter().enumerate().rev() {
            let Some(point) = sum[number].get(index) else { break };
            let PointOrigin { at, part, rest } = point.origin;
            let here = self.numbers[cell] + part as usize;
            self.tables[cell].trace(here, at as usize, &mut held);
            (number, index) = (number - part as usize, rest as usize);
        }
        held
    }
}

impl SearchInput<'_> {
    /// For each cell from the first on, what the items that no rule is about cost on it and those
    /// before it, beside those with these numbers there.
    fn sums(
        &self,
        tables: &[CellTable],
        numbers: &[usize],
        closed: &[bool],
        len: usize,
        budget: &mut SearchBudget<'_>,
    ) -> Option<Vec<Vec<ParetoFront>>> {
        let mut sums: Vec<Vec<ParetoFront>> = Vec::new();
        for (cell, (table, start)) in tables.iter().zip(numbers).enumerate() {
            let here = table.least().get(*start..start + len)?;
            let open = if closed[cell] { 1 } else { len };
            let mut sum: Vec<ParetoFront> = vec![Vec::new(); len];
            let last = cell + 1 == tables.len() && !self.task.optional;
            for number in if last { len - 1..len } else { 0..len } {
                let most = self.grid.vector(number);
                let none = vec![0; most.len()];
                budget.spend(self.grid.between(&none, &most))?;
                let mut front = Vec::new();
                for part in self.grid.range(&none, &most).take_while(|part| *part < open) {
                    for (at, one) in here[part].iter().enumerate() {
                        let Some(before) = sums.last() else {
                            if part == number {
                                let origin = PointOrigin::new(at, part, 0);
                                budget.add(&mut front, one.cost, |at| one.uses[at], origin);
                            }
                            continue;
                        };
                        budget.spend(before[number - part].len() as u64)?;
                        for (rest, other) in before[number - part].iter().enumerate() {
                            let origin = PointOrigin::new(at, part, rest);
                            let uses = |at: usize| one.uses[at].saturating_add(other.uses[at]);
                            budget.add(&mut front, one.cost + other.cost, uses, origin);
                        }
                    }
                }
                sum[number] = front;
            }
            sums.push(sum);
        }
        Some(sums)
    }
}
