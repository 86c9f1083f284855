//! The search: what pods in a cell cost, and how pods are best divided over cells.
//!
//! *Problem.* A vector of counts says how many pods of each item are wanted. What do the cheapest
//! nodes cost that hold them, where some go to one cell and some to another, and rules over domains
//! allow some divisions only?
//!
//! *Idea.* Two dynamic programmes and a search between them. For one cell, the least front of a
//! vector is that of one node's filling beside the least front of the rest; running nodes are then
//! taken in one after the other, each once. The items that rules are about are divided over cells
//! by depth-first search, cell by cell; for each division that the rules allow, the items that no
//! rule is about are spread by the second programme, in which a cell joins those before it.
//!
//! *Why it is right.* The numbers of vectors grow with each count, so that a part of a vector has a
//! smaller number, and is worked out before it is asked for. Of all nodes that hold some pods one
//! holds a pod of the first item that there is any of, so only such fillings are tried first: every
//! set of nodes is counted in one order instead of all. Fewer pods never cost more, so a division
//! is given up once what is decided of it costs the limit already.
//!
//! *Cost.* For each cell, pairs of a vector and a part of it, times the pairs of points of their
//! fronts. Each is a step of the [`ExactBudget`]; where it has none left, the answer is `None`, and
//! nothing is claimed.

use super::front::{ExactBudget, ExactFront, ExactPoint};
use super::grid::CountIndex;
use super::places::{ExactCells, ExactItem, ExactPlace};
use super::rules::{ExactConstraint, ExactItemsByCell};

/// What is searched.
#[derive(Debug)]
pub(super) struct ExactSearch<'a> {
    /// Those that rules over domains are about first.
    pub(super) items: &'a [ExactItem],
    /// How many of them rules are about.
    pub(super) ruled: usize,
    pub(super) sites: &'a ExactCells,
    pub(super) rules: &'a [ExactConstraint],
    pub(super) grid: &'a CountIndex,
}

/// What pods in one cell cost, by the number of the vector of pods.
#[derive(Debug)]
pub(super) struct ExactTable {
    /// On launches and so many of the cell's running nodes.
    pub(super) with_nodes: Vec<Vec<ExactFront>>,
}

impl ExactTable {
    /// On all that the cell has.
    pub(super) fn least(&self) -> &[ExactFront] {
        self.with_nodes.last().map_or(&[], |last| last)
    }
}

/// Pods by cell, and the least cost of them that is known.
#[derive(Debug)]
pub(super) struct Division {
    pub(super) label: ExactPoint,
}

impl ExactSearch<'_> {
    /// What pods cost in each cell.
    pub(super) fn tables(&self, budget: &mut ExactBudget<'_>) -> Option<Vec<ExactTable>> {
        (0..self.sites.cells.len()).map(|cell| self.table(cell, budget)).collect()
    }

    /// What every vector of pods costs on the nodes of one cell: launches first, then with one more
    /// of its running nodes after the other.
    fn table(&self, cell: usize, budget: &mut ExactBudget<'_>) -> Option<ExactTable> {
        let mut launch: Vec<ExactFront> = vec![Vec::new(); self.grid.len()];
        let (launches, nodes): (Vec<&ExactPlace>, Vec<&ExactPlace>) =
            self.sites.places.iter().filter(|place| place.cell == cell).partition(|p| !p.runs());
        for place in launches {
            for number in place.fillings(self.items, self.grid, budget)? {
                if number > 0 {
                    budget.add(&mut launch[number], place.cost, |at| place.uses[at]);
                }
            }
        }
        let mut least: Vec<ExactFront> = vec![Vec::new(); self.grid.len()];
        least[0] = vec![ExactPoint { cost: 0, uses: vec![0; budget.left.len()] }];
        for number in 1..self.grid.len() {
            let most = self.grid.vector(number);
            // Of all nodes that hold the pods, one holds one of the first item that there are any
            // of.
            let mut from = vec![0; most.len()];
            if let Some(first) = most.iter().position(|count| *count > 0) {
                from[first] = 1;
            }
            budget.spend(self.grid.between(&from, &most))?;
            let mut front = Vec::new();
            for part in self.grid.range(&from, &most).filter(|part| !launch[*part].is_empty()) {
                budget.combine(&mut front, &launch[part], &least[number - part])?;
            }
            least[number] = front;
        }
        let mut with_nodes = vec![least];
        for place in nodes {
            let before = with_nodes.last()?;
            let mut after = before.clone();
            for part in place.fillings(self.items, self.grid, budget)? {
                let rest = self.grid.rest(part);
                budget.spend(self.grid.between(&vec![0; rest.len()], &rest))?;
                for other in self.grid.range(&vec![0; rest.len()], &rest) {
                    for label in &before[other] {
                        budget.add(&mut after[other + part], label.cost, |at| label.uses[at]);
                    }
                }
            }
            with_nodes.push(after);
        }
        Some(ExactTable { with_nodes })
    }

    /// The cheapest division of all pods over cells; the inner `None` where none costs less than
    /// the budget's limit.
    pub(super) fn divide(
        &self,
        tables: &[ExactTable],
        budget: &mut ExactBudget<'_>,
    ) -> Option<Option<Division>> {
        let mut divider = ExactDivider {
            search: self,
            tables,
            budget,
            best: None,
            by_cells: self.items.iter().map(|_| vec![0; tables.len()]).collect(),
            numbers: vec![0; tables.len()],
        };
        divider.item(0)?;
        Some(divider.best)
    }

    /// For each cell from the first on, what the items that no rule is about cost on it and those
    /// before it, beside those with these numbers there.
    pub(super) fn sums(
        &self,
        tables: &[ExactTable],
        numbers: &[usize],
        budget: &mut ExactBudget<'_>,
    ) -> Option<Vec<Vec<ExactFront>>> {
        let len = self.free();
        let mut sums: Vec<Vec<ExactFront>> = Vec::new();
        for (table, start) in tables.iter().zip(numbers) {
            let here = table.least().get(*start..start + len)?;
            let Some(before) = sums.last() else {
                sums.push(here.to_vec());
                continue;
            };
            let last = sums.len() + 1 == tables.len();
            let mut sum: Vec<ExactFront> = vec![Vec::new(); len];
            for number in if last { len - 1..len } else { 0..len } {
                let most = self.grid.vector(number);
                let none = vec![0; most.len()];
                budget.spend(self.grid.between(&none, &most))?;
                let mut front = Vec::new();
                for part in self.grid.range(&none, &most) {
                    budget.combine(&mut front, &before[number - part], &here[part])?;
                }
                sum[number] = front;
            }
            sums.push(sum);
        }
        Some(sums)
    }

    /// How many vectors there are of items that no rule is about.
    pub(super) fn free(&self) -> usize {
        match self.ruled.checked_sub(1) {
            Some(last) => self.grid.stride(last),
            None => self.grid.len(),
        }
    }
}

/// A division in the making: depth first, an item at a time, and of it a cell at a time.
struct ExactDivider<'a, 'b, 'w> {
    search: &'a ExactSearch<'a>,
    tables: &'a [ExactTable],
    budget: &'b mut ExactBudget<'w>,
    /// The cheapest division that was completed.
    best: Option<Division>,
    /// How many pods of each item are in each cell so far, as rules read it.
    by_cells: ExactItemsByCell,
    /// By cell, the number of the vector of pods that are there.
    numbers: Vec<usize>,
}

impl ExactDivider<'_, '_, '_> {
    /// Divides the items from this one on; those before it are.
    fn item(&mut self, at: usize) -> Option<()> {
        self.budget.spend(self.tables.len() as u64)?;
        let search = self.search;
        // Fewer pods never cost more.
        let mut sum = 0_i64;
        for (number, table) in self.numbers.iter().zip(self.tables) {
            let Some(cheapest) = table.least()[*number].first() else { return Some(()) };
            sum = sum.saturating_add(cheapest.cost);
        }
        let decided = |rule: &&ExactConstraint| rule.last().is_some_and(|last| last + 1 == at);
        let mut decided = search.rules.iter().filter(decided);
        if sum >= self.budget.limit
            || !decided.all(|rule| rule.holds(&search.sites.cells, &self.by_cells))
        {
            return Some(());
        }
        if at < search.ruled {
            return self.cell(at, 0, search.items[at].count);
        }
        let sums = search.sums(self.tables, &self.numbers, self.budget)?;
        if let Some(label) = sums.last().and_then(|sum| sum.last()?.first()) {
            self.budget.limit = label.cost;
            self.best = Some(Division { label: label.clone() });
        }
        Some(())
    }

    /// Divides what is left of an item over the cells from this one on.
    fn cell(&mut self, at: usize, cell: usize, left: u32) -> Option<()> {
        let search = self.search;
        if cell == self.tables.len() {
            return if left == 0 { self.item(at + 1) } else { Some(()) };
        }
        let most = if search.items[at].reaches(cell) { left } else { 0 };
        let stride = search.grid.stride(at);
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
}
