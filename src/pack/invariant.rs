//! What holds of every packing, checked where debug assertions are on: in tests and under fuzzing.
//!
//! Counts are kept by saturating arithmetic, which would hide a breach: a pod that is placed twice,
//! a limit that is charged once too often. Here each is worked out anew from the groups.

use super::packing::{Context, Packing};
use crate::compile::{Id, IdVec, NodeId};
use std::collections::BTreeSet;

impl Packing {
    /// Has debug assertions compare what is kept beside the groups with the groups themselves.
    ///
    /// Every pod is placed once or left, groups hold what fits and say what it comes to, no running
    /// node is in two of them, and limits and reservations are charged for the launches, no more
    /// and no less.
    pub(super) fn assert_consistent(&self, context: &Context<'_>) {
        if cfg!(debug_assertions) {
            self.check_counts(context);
            self.check_groups(context);
            self.check_nodes(context);
            self.check_supplies(context);
        }
    }

    fn check_counts(&self, context: &Context<'_>) {
        let compiled = context.compiled;
        let mut counts: IdVec<_, u64> = self.left.values().map(|left| u64::from(*left)).collect();
        for group in &self.groups {
            for (item, count) in &group.items {
                counts[*item] += u64::from(*count) * u64::from(group.multiplicity);
            }
        }
        for (id, item) in compiled.items.iter() {
            let (are, were) = (counts[id], u64::from(item.count));
            // Placeholders that may only use free room aren't waiting before they are let in.
            debug_assert!(
                are == were || item.placeholder && are == 0,
                "{id:?}: {are} of {were} pods"
            );
        }
    }

    fn check_groups(&self, context: &Context<'_>) {
        let compiled = context.compiled;
        for group in &self.groups {
            debug_assert!(group.multiplicity > 0, "a group without nodes: {group:?}");
            let is_sorted = group.items.is_sorted_by(|a, b| a.0 < b.0);
            debug_assert!(is_sorted, "classes of a group out of order: {group:?}");
            let has_any = group.items.iter().all(|(_, count)| *count > 0);
            debug_assert!(has_any, "none of a class: {group:?}");
            let load = compiled.load(&group.items);
            debug_assert_eq!(load, group.load, "what the pods of a group ask for: {group:?}");
            let pods = compiled.together(group.items.iter().map(|(item, _)| *item), &load);
            let launched = group.place.launched();
            let fit = launched.is_none_or(|at| pods.fit_there(&compiled.room_of_bin_type(at)))
                && group.place.nodes().iter().all(|id| pods.fit_there(&compiled.room_of_node(*id)));
            debug_assert!(fit, "a group holds more than fits: {group:?}");
            let apart = group.items.iter().enumerate().any(|(at, (one, _))| {
                group.items[..at].iter().any(|(other, _)| compiled.keep_apart(*one, *other))
            });
            debug_assert!(!apart, "pods share a node that may not: {group:?}");
        }
    }

    fn check_nodes(&self, context: &Context<'_>) {
        let mut seen: BTreeSet<NodeId> = self.untouched_nodes.iter().copied().collect();
        debug_assert_eq!(
            seen.len(),
            self.untouched_nodes.len(),
            "a running node is untouched twice"
        );
        for group in &self.groups {
            let Some(nodes) = group.place.running() else { continue };
            debug_assert_eq!(nodes.len(), group.multiplicity as usize, "nodes of {group:?}");
            for node in nodes {
                debug_assert!(seen.insert(*node), "{node:?} is in two places");
            }
        }
        let count = context.compiled.nodes.len();
        debug_assert!(seen.iter().all(|node| node.index() < count), "a node that isn't there");
    }

    fn check_supplies(&self, context: &Context<'_>) {
        let mut anew = Self::new(context.compiled);
        for group in &self.groups {
            anew.charge(context.compiled, group, 1);
        }
        let (are, were) = (&self.supplies, &anew.supplies);
        debug_assert_eq!(are.all_limits(), were.all_limits(), "what is left of limits");
        debug_assert_eq!(are.all_reserved(), were.all_reserved(), "what is left of reservations");
    }
}
