//! Quotas: items of which one node holds few together, as the bound sees them.

use super::Compiled;
use super::id::{ClassId, Id, ItemId, SelectionId};
use super::topology::TopologyKey;
use std::collections::{BTreeMap, BTreeSet};

/// Several items of which one node holds so much together and no more.
///
/// A node holds at most so many of the items together: a clique of anti-affinity, or a cap on what
/// a spread counts. Bounds and the knapsack read these; [`OpenNode`](super::OpenNode) asks the
/// rules themselves.
#[derive(Clone, Debug)]
pub(crate) struct CardinalityConstraint {
    /// The items, with what one counts for.
    pub(crate) items: Vec<(ItemId, u32)>,
    pub(crate) most: u32,
}

impl Compiled {
    /// The quotas of caps, and of pods that keep each other off their nodes: one a node of them
    /// all.
    pub(super) fn cardinality_constraints(&self) -> Vec<CardinalityConstraint> {
        let mut of_class: BTreeMap<ClassId, Vec<ItemId>> = BTreeMap::new();
        for (id, item) in self.items.iter() {
            for (class, _) in &item.parts {
                of_class.entry(*class).or_default().push(id);
            }
        }
        let mut exclusive: BTreeMap<SelectionId, BTreeSet<ItemId>> = BTreeMap::new();
        for (class, rules) in self.topology.rules.iter() {
            let own = rules.anti_affinity.iter().filter(|term| term.key == TopologyKey::Hostname);
            for term in own.filter(|term| self.topology.selects(term.selection, class)) {
                let items = of_class.get(&class).into_iter().flatten();
                exclusive.entry(term.selection).or_default().extend(items);
            }
        }
        let exclusive = exclusive.into_values().map(|items| CardinalityConstraint {
            items: items.into_iter().map(|item| (item, 1)).collect(),
            most: 1,
        });
        let mut capped: Vec<CardinalityConstraint> = self
            .caps
            .values()
            .map(|cap| CardinalityConstraint { items: Vec::new(), most: cap.most })
            .collect();
        for (id, item) in self.items.iter() {
            for (cap, each) in &item.caps {
                capped[cap.index()].items.push((id, *each));
            }
        }
        let several = |constraint: &CardinalityConstraint| constraint.items.len() > 1;
        exclusive.chain(capped).filter(several).collect()
    }
}
