//! A packing with the assignment that it is of, and what makes one better than another.
//!
//! A packing is of *items*; what a plan says of pods is of *classes*. Where an assignment made the
//! items (a part of a class for each domain) the way back is here: how many pods of each class have
//! no place, whether they found no cell or no room; and the order by which assignments with
//! different items can be compared at all.

use super::assign::{DomainAssignment, LeftOutPods};
use super::packing::{Context, Packing};
use crate::compile::{ClassId, Compiled, Id, IdVec, ItemId};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A packing, of items that an assignment made, or of the classes as they are.
#[derive(Clone, Debug)]
pub(crate) struct AssignedPacking {
    pub(crate) assignment: Option<DomainAssignment>,
    pub(crate) packing: Packing,
}

impl AssignedPacking {
    /// The items that are packed.
    pub(crate) fn compiled<'a>(&'a self, whole: &'a Compiled) -> &'a Compiled {
        self.assignment.as_ref().map_or(whole, |assignment| &assignment.compiled)
    }

    /// For each class, how many pods have no place.
    ///
    /// Both kinds of left-out pods are counted: those of items that found no room, and those that
    /// the assignment gave no cell.
    pub(crate) fn left(&self, whole: &Compiled) -> IdVec<ClassId, u32> {
        let mut left: IdVec<ClassId, u32> = whole.classes.iter().map(|_| 0).collect();
        let compiled = self.compiled(whole);
        for (item, count) in self.packing.left.iter().filter(|(_, count)| **count > 0) {
            for (class, each) in &compiled.items[item].parts {
                left[*class] += each * count;
            }
        }
        for (class, LeftOutPods { count, .. }) in self.out() {
            left[*class] += count;
        }
        left
    }

    /// Whether every pod has a place and nothing is launched: nothing places more, or costs less.
    pub(crate) fn is_free(&self, whole: &Compiled) -> bool {
        let left = self.left(whole);
        let mut left = left.iter().filter(|(_, left)| **left > 0);
        left.all(|(class, _)| whole.items[super::complete::item_of(class)].placeholder)
            && self.packing.launches_nothing()
    }

    /// For each class of which some pods found no cell, how many.
    pub(crate) fn out(&self) -> impl Iterator<Item = (&ClassId, &LeftOutPods)> {
        self.assignment.iter().flat_map(|assignment| &assignment.out)
    }

    /// How many pods have no place that may cause a launch.
    pub(super) fn short(&self, whole: &Compiled) -> u64 {
        let left = self.left(whole);
        let left = left.iter().filter(|(class, _)| !is_placeholder(whole, *class));
        left.map(|(_, left)| u64::from(*left)).sum()
    }

    /// What makes one packing better than another: less is better.
    ///
    /// Pods that have no place, by priority from high to low; then cost, with what unmet
    /// preferences cost where they have a price; then nodes. Placeholders that stay out are no
    /// loss.
    pub(crate) fn rank(&self, context: &Context<'_>) -> impl Ord + use<> {
        let whole = context.compiled;
        let compiled = self.compiled(whole);
        let unmet = self.unmet(context);
        let context = Context { compiled, ..*context };
        let mut unplaced: BTreeMap<Reverse<i32>, u64> = BTreeMap::new();
        for (class, count) in
            self.left(whole).iter().filter(|(class, _)| !is_placeholder(whole, *class))
        {
            *unplaced.entry(Reverse(self.priority(whole, class))).or_insert(0) += u64::from(*count);
        }
        let nodes: u64 =
            self.packing.groups.iter().map(|group| u64::from(group.multiplicity)).sum();
        let cost = self.packing.cost(&context).saturating_add(unmet);
        (unplaced.into_values().collect::<Vec<u64>>(), cost, nodes)
    }

    /// What the preferences cost that aren't honoured, where they have a price.
    fn unmet(&self, context: &Context<'_>) -> i128 {
        let Some(price) = context.preference_price else { return 0 };
        let compiled = self.compiled(context.compiled);
        let context = Context { compiled, ..*context };
        let chosen = super::launch_template::chosen(&context, &self.packing);
        let placed_groups =
            super::preference::placed_groups(compiled, &self.packing.groups, |at| chosen[at]);
        let unmet = super::preference::shares(compiled, &placed_groups)
            .into_iter()
            .map(|share| i128::from(share.weight.saturating_sub(share.honoured)));
        unmet.sum::<i128>().saturating_mul(i128::from(price))
    }

    fn priority(&self, compiled: &Compiled, class: ClassId) -> i32 {
        compiled.exemplar(class).map_or(0, |pod| pod.priority)
    }
}

/// Whether pods of a class may only use room that is there anyway.
pub(super) fn is_placeholder(whole: &Compiled, class: ClassId) -> bool {
    whole.items[ItemId::from_index(class.index())].placeholder
}
