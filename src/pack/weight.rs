//! Weights: who may be on a launch of a pool while a pool of a higher weight has room.
//!
//! *Rule.* A node of a lower weight is launched only for pods that no column of a higher weight can take any
//! more: they *need* it. Others may use the room that is left beside these, as kube-scheduler lets them
//! once the node is there, but the node may not be there, or larger, or dearer, for their sake.
//!
//! *Test.* Those that need a launch have to be there; no cheaper column of the same weight that can be
//! bought may hold them; and no other launch of the weight may hold them beside those that need that one,
//! or its pods here. What keeps pods off each other's nodes isn't looked at, so that others are kept off
//! rather too often.
//!
//! *Cost.* Nothing where all weights are the same; else columns and groups for each group with such pods.

use super::state::{Group, Place, State};
use crate::compile::{Bits, ClassId, Column, Compiled, SharedVolumes};
use std::collections::BTreeMap;

/// What can still be bought, by weight.
#[derive(Debug)]
pub(crate) struct Weights {
    /// For each weight, the columns of higher weights.
    above: BTreeMap<i32, Bits>,
    /// All columns.
    open: Bits,
}

impl Weights {
    pub(crate) fn of(compiled: &Compiled, state: &State) -> Self {
        let mut open = Bits::none(compiled.columns.len());
        let above = state.open_above(compiled);
        if above.values().any(|columns| !columns.is_empty()) {
            let columns = compiled.columns.iter().enumerate();
            let sold = columns.filter(|(_, column)| state.is_open(compiled, column));
            sold.for_each(|(at, _)| open.insert(at));
        }
        Self { above, open }
    }

    /// The columns of higher weights than that of a place that may keep pods from it.
    pub(crate) fn above(&self, compiled: &Compiled, place: &Place) -> Option<&Bits> {
        let column = launched(compiled, place)?;
        self.above.get(&column.weight).filter(|columns| !columns.is_empty())
    }

    /// Whether a group holds only what may be there.
    pub(crate) fn are_kept(&self, compiled: &Compiled, groups: &[Group], at: usize) -> bool {
        let Some(above) = self.above(compiled, &groups[at].place) else { return true };
        let is_other = |class: ClassId| {
            !compiled.classes[class].guest && compiled.takers[class].overlaps(above)
        };
        let others = groups[at].items.iter().any(|(class, _)| is_other(*class));
        !others || self.admit_others(compiled, groups, at)
    }

    /// Whether a group's nodes are what those need that need them, so that others may use their room.
    pub(crate) fn admit_others(&self, compiled: &Compiled, groups: &[Group], at: usize) -> bool {
        let group = &groups[at];
        let Some(own) = launched(compiled, &group.place) else { return true };
        let Some(needs) = self.needs(compiled, group) else { return false };
        let cheaper = compiled.columns.iter().enumerate().any(|(at, other)| {
            let is_sold =
                self.open.contains(at) || other.pool == own.pool && other.reservation.is_none();
            other.weight == own.weight
                && other.price < own.price
                && is_sold
                && compiled.pools[other.pool].fixed.is_none()
                && needs.fit(compiled, other)
        });
        let shares = |(other, of): (usize, &Group)| {
            let Some(column) = launched(compiled, &of.place) else { return false };
            if column.weight != own.weight || other == at && of.times < 2 {
                return false;
            }
            let Some(both) = self.needs(compiled, of).map(|theirs| needs.beside(&theirs)) else {
                return false;
            };
            both.fit(compiled, own) || both.fit(compiled, column)
        };
        !cheaper && !groups.iter().enumerate().any(shares)
    }

    /// The pods that need a group's nodes; nothing where there are none.
    fn needs(&self, compiled: &Compiled, group: &Group) -> Option<Needs> {
        let above = self.above(compiled, &group.place);
        let need = |class: ClassId| {
            !compiled.classes[class].guest
                && above.is_none_or(|above| !compiled.takers[class].overlaps(above))
        };
        let mut needs = Needs { classes: Vec::new(), load: vec![0; compiled.dims.len()] };
        for (class, count) in group.items.iter().filter(|(class, _)| need(*class)) {
            needs.classes.push(*class);
            let request = compiled.classes[*class].request.iter();
            for (load, each) in needs.load.iter_mut().zip(request) {
                *load = each.saturating_mul(i64::from(*count)).saturating_add(*load);
            }
        }
        (!needs.classes.is_empty()).then_some(needs)
    }
}

/// Pods that need a node, and what they ask for together.
struct Needs {
    classes: Vec<ClassId>,
    load: Vec<i64>,
}

impl Needs {
    fn beside(&self, other: &Self) -> Self {
        let load = self.load.iter().zip(&other.load);
        Self {
            classes: self.classes.iter().chain(&other.classes).copied().collect(),
            load: load.map(|(one, other)| one.saturating_add(*other)).collect(),
        }
    }

    /// Whether a node of a column has room for them and admits each.
    fn fit(&self, compiled: &Compiled, column: &Column) -> bool {
        let room = &compiled.shapes[column.shape].allocatable;
        let fits = room.iter().zip(&self.load).all(|(have, want)| *want <= 0 || have >= want);
        let classes = || self.classes.iter().map(|class| &compiled.classes[*class]);
        let attached = &compiled.shapes[column.shape].attached;
        fits && classes().all(|class| column.admits(class.row))
            && SharedVolumes::of(classes()).fit(room, &self.load, attached)
    }
}

/// The column of a launch that pods asked for.
fn launched<'c>(compiled: &'c Compiled, place: &Place) -> Option<&'c Column> {
    let Place::Launch(column) = place else { return None };
    let column = &compiled.columns[*column];
    compiled.pools[column.pool].fixed.is_none().then_some(column)
}
