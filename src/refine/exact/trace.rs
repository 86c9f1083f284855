//! From the cheapest division back to the nodes that it is made of.
//!
//! The tables say what pods cost, not how. Every entry was made from smaller ones, so one of the ways to
//! make it is found again by looking for entries whose costs and uses add up.

use super::front::{Budget, Label};
use super::grid::Grid;
use super::places::Place;
use super::search::{Division, Search, Table};

/// A node with the number of the vector of pods that it holds.
pub(super) type Held = (usize, usize);

/// What is still to be made of which entry.
struct Rest {
    number: usize,
    label: Label,
}

impl Rest {
    /// Whether an entry beside another makes this one.
    fn is_sum(&self, one: &Label, other: &Label) -> bool {
        let uses = one.uses.iter().zip(&other.uses).map(|(one, other)| one.saturating_add(*other));
        self.label.cost == one.cost.saturating_add(other.cost)
            && uses.eq(self.label.uses.iter().copied())
    }
}

impl Search<'_> {
    /// The nodes of a division, and what each holds.
    pub(super) fn trace(
        &self,
        tables: &[Table],
        division: &Division,
        budget: &mut Budget<'_>,
    ) -> Option<Vec<Held>> {
        let numbers: Vec<usize> = (0..tables.len())
            .map(|cell| {
                let of_cell = division.spots.iter().enumerate();
                of_cell.map(|(item, spots)| self.grid.stride(item) * spots[cell] as usize).sum()
            })
            .collect();
        let sums = self.sums(tables, &numbers, budget)?;
        let mut held = Vec::new();
        let mut rest = Rest { number: self.free() - 1, label: division.label.clone() };
        for (cell, table) in tables.iter().enumerate().rev() {
            let mut here = Rest { number: rest.number, label: rest.label.clone() };
            if let Some(before) = cell.checked_sub(1).map(|before| &sums[before]) {
                let of_part = |part: usize| &table.least()[numbers[cell] + part];
                let (part, one, other) = split(self.grid, &rest, budget, |part| {
                    (of_part(part), &before[rest.number - part])
                })?;
                here = Rest { number: part, label: one };
                rest = Rest { number: rest.number - part, label: other };
            }
            here.number += numbers[cell];
            self.trace_cell(cell, table, here, budget, &mut held)?;
        }
        Some(held)
    }

    /// The nodes of a cell that an entry is made of.
    fn trace_cell(
        &self,
        cell: usize,
        table: &Table,
        mut rest: Rest,
        budget: &mut Budget<'_>,
        held: &mut Vec<Held>,
    ) -> Option<()> {
        let of_cell = self.sites.places.iter().enumerate().filter(|(_, place)| place.cell == cell);
        let (launches, nodes): (Vec<_>, Vec<_>) = of_cell.partition(|(_, place)| !place.runs());
        for ((at, place), before) in nodes.into_iter().zip(&table.with_nodes).rev() {
            let fillings = place.fillings(self.items, self.grid, budget)?;
            let most = self.grid.vector(rest.number);
            let makes = |part: &usize| {
                let fits = self.grid.vector(*part).iter().zip(&most).all(|(one, most)| one <= most);
                fits && before[rest.number - part].contains(&rest.label)
            };
            let part = fillings.into_iter().find(makes)?;
            rest.number -= part;
            if part > 0 {
                held.push((at, part));
            }
        }
        let least = table.with_nodes.first()?;
        while rest.number > 0 {
            let (part, one, other) = split(self.grid, &rest, budget, |part| {
                (&table.launch[part], &least[rest.number - part])
            })?;
            let launch = self.launch(&launches, part, &one, budget)?;
            held.push((launch, part));
            rest = Rest { number: rest.number - part, label: other };
        }
        Some(())
    }

    /// The launch that holds a vector of pods at a cost.
    fn launch(
        &self,
        launches: &[(usize, &Place)],
        part: usize,
        label: &Label,
        budget: &mut Budget<'_>,
    ) -> Option<usize> {
        for (at, place) in launches {
            let alike = place.cost == label.cost && place.uses == label.uses;
            if alike && place.fillings(self.items, self.grid, budget)?.contains(&part) {
                return Some(*at);
            }
        }
        None
    }
}

/// A part of what is left and an entry for it, beside one for the others, that make it together.
fn split<'f>(
    grid: &Grid,
    rest: &Rest,
    budget: &mut Budget<'_>,
    entries: impl Fn(usize) -> (&'f Vec<Label>, &'f Vec<Label>),
) -> Option<(usize, Label, Label)> {
    let most = grid.vector(rest.number);
    let none = vec![0; most.len()];
    for part in grid.range(&none, &most) {
        let (ones, others) = entries(part);
        budget.spend(1 + ones.len() as u64 * others.len() as u64)?;
        for one in ones {
            if let Some(other) = others.iter().find(|other| rest.is_sum(one, other)) {
                return Some((part, one.clone(), other.clone()));
            }
        }
    }
    None
}
