//! An assignment made from given parts: so many pods of which class may use which sites.
//!
//! Whoever has decided the domains of pods in another way than the arranger (an enumeration, a
//! local search) hands its decision to the packer through here. What the packer has to know of each
//! part is worked out as for the arranger's own items: which of them may not share a node, and how
//! many of some pods a node may hold.

use super::{DomainAssignment, LeftOutPods};
use crate::compile::{
    Bits, CapId, ClassId, Compiled, EligibilitySets, HostSpreadCap, Id, IdVec, Item, ItemId,
    NodeId, SelectionId, TopologyKey, TopologySpread,
};
use crate::pack::Context;
use std::collections::BTreeMap;

/// Pods of one class that may use the same sites.
#[derive(Clone, Debug)]
pub(crate) struct ClassPart {
    pub(crate) class: ClassId,
    pub(crate) count: u32,
    /// Where they may go: at most the sites of the class.
    pub(crate) sites: Bits,
}

/// How many pods of which parts a node holds, by their places in the list; of a running one, which
/// it is.
pub(crate) type NodeParts = (Option<NodeId>, Vec<(usize, u32)>);

impl DomainAssignment {
    /// The assignment of which each part is an item, in this order. `out`: the pods of each class
    /// that have no part; `held`: nodes that are known to be legal whatever a cap says, such as
    /// those of a plan of which an order of binding is known: no cap is lower than what they hold.
    pub(crate) fn from_parts(
        context: &Context<'_>,
        parts: &[ClassPart],
        out: BTreeMap<ClassId, LeftOutPods>,
        held: &[NodeParts],
    ) -> Self {
        let compiled = context.compiled;
        let mut eligibility_sets = EligibilitySets::default();
        let mut items: IdVec<ItemId, Item> = IdVec::new();
        let mut of_class: BTreeMap<ClassId, Vec<ItemId>> = BTreeMap::new();
        for part in parts {
            let item = &compiled.items[ItemId::from_index(part.class.index())];
            let eligibility = eligibility_sets.number(&part.sites);
            let id = items.push(Item { count: part.count, eligibility, ..item.clone() });
            of_class.entry(part.class).or_default().push(id);
        }
        add_conflicts(compiled, &mut items, &of_class);
        let caps = limit(context, &mut items, &of_class, held);
        Self {
            committed: parts.iter().map(|_| Vec::new()).collect(),
            compiled: compiled.with_items(items, eligibility_sets.sets, caps),
            out,
            choices: BTreeMap::new(),
            spread_domains: Vec::new(),
            launchable: Vec::new(),
        }
    }
}

/// Says which items may not share a node.
fn add_conflicts(
    compiled: &Compiled,
    items: &mut IdVec<ItemId, Item>,
    of_class: &BTreeMap<ClassId, Vec<ItemId>>,
) {
    for (class, own) in of_class {
        let apart = compiled.classes[*class].host_conflicts.iter();
        let others = apart.flat_map(|other| of_class.get(other).into_iter().flatten()).copied();
        let mut others: Vec<ItemId> = others.collect();
        others.sort_unstable();
        for id in own {
            items[*id].conflicts = others.iter().copied().filter(|other| other != id).collect();
        }
    }
}

/// Turns required spreads over single nodes into caps.
///
/// A cap is raised to what a node of a known plan holds, so that a legal plan stays one when it is
/// written down again.
fn limit(
    context: &Context<'_>,
    items: &mut IdVec<ItemId, Item>,
    of_class: &BTreeMap<ClassId, Vec<ItemId>>,
    held: &[NodeParts],
) -> IdVec<CapId, HostSpreadCap> {
    let compiled = context.compiled;
    let mut groups: BTreeMap<(SelectionId, i64), Vec<&TopologySpread>> = BTreeMap::new();
    for class in of_class.keys() {
        let spreads = compiled.topology.rules[*class].spreads.iter();
        for spread in spreads.filter(|spread| spread.hard && spread.key == TopologyKey::Hostname) {
            groups.entry((spread.selection, spread.max_skew)).or_default().push(spread);
        }
    }
    let mut caps = IdVec::new();
    for ((selection, max_skew), spreads) in groups {
        let selected = &compiled.topology.selections[selection];
        let members = selected.classes.iter().filter_map(|class| of_class.get(class)).flatten();
        let mut counted = Bits::none(items.len());
        members.for_each(|id| counted.insert(id.index()));
        let mut sites = compiled.usable.emptied();
        spreads.iter().for_each(|spread| sites.or(&spread.counted));
        let used = selected.bound.iter().copied();
        let used: Vec<(NodeId, u32)> =
            used.filter(|(node, _)| sites.contains(compiled.site_of_node(*node))).collect();
        let on_node = |(node, parts): &NodeParts| -> u32 {
            let of_cap = parts.iter().filter(|(part, _)| counted.contains(*part));
            let bound = used.iter().filter(|(of, _)| Some(*of) == *node);
            of_cap.map(|(_, count)| count).sum::<u32>() + bound.map(|(_, count)| count).sum::<u32>()
        };
        let most = u32::try_from(max_skew).unwrap_or(u32::MAX);
        let most = held.iter().map(on_node).fold(most, u32::max);
        let cap = caps.push(HostSpreadCap { most, counted: counted.clone(), used });
        for id in counted.iter().map(ItemId::from_index) {
            items[id].per_node = items[id].per_node.min(most);
            items[id].caps.push((cap, 1));
        }
    }
    caps
}
