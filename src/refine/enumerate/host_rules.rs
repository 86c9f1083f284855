//! Rules between pods on one node: spreads and affinity over single nodes, as far as they hold in
//! every order of binding.

use super::places::{CellItem, CellPlace, Places};
use super::{Task, hosts};
use crate::compile::{Bits, NodeId, SelectionId, TopologyKey};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A spread over single nodes.
#[derive(Debug)]
struct HostSpreadLimit {
    /// Items that have it, with this skew or a smaller one.
    owners: Vec<usize>,
    /// How many of them a node may hold, bound pods included: as many as the last of them finds
    /// legal.
    most: i64,
    /// How many selected pods each node that counts has to hold: what the lowest of them has.
    least: i64,
    selected: Vec<usize>,
    counted: Arc<Bits>,
    bound: BTreeMap<NodeId, i64>,
}

/// An affinity over single nodes.
#[derive(Debug)]
struct HostAffinity {
    owners: Vec<usize>,
    /// The owners that are selected themselves.
    founders: Vec<usize>,
    /// The items that are selected and aren't owners.
    helpers: Vec<usize>,
    /// The nodes with bound pods that are selected.
    bound: Vec<NodeId>,
    /// The supply of nodes on which owners may be the first.
    first: usize,
}

/// What rules between pods say of single nodes.
#[derive(Debug)]
pub(super) struct HostRules {
    caps: Vec<HostSpreadLimit>,
    affinities: Vec<HostAffinity>,
    /// A supply without end, of which every node uses one that is legal in some orders of binding
    /// only: of plans that cost more, those are kept that have fewer such nodes.
    unsure: usize,
}

/// The nodes that count for a spread over nodes which asks for several of them, where it is guessed
/// how many pods each has to hold; of several such spreads, those of the first.
fn needing_hosts<'a>(task: &'a Task<'_>) -> Option<&'a Bits> {
    if task.relaxed || task.levels.values().all(|level| *level == 0) {
        return None;
    }
    let rules = task.kept_classes.list.iter().flat_map(|one| task.spreads(one.class));
    let mut asking =
        rules.filter(|one| one.hard && one.key == TopologyKey::Hostname && one.min_domains > 1);
    asking.next().map(|one| &*one.counted)
}

impl HostRules {
    /// The rules of these items; that an owner may be the first is a supply of one node.
    pub(super) fn new(task: &Task<'_>, items: &[CellItem], places: &mut Places) -> Self {
        let topology = &task.context.compiled.topology;
        let of_selection = |selection: SelectionId| -> Vec<usize> {
            (0..items.len()).filter(|at| topology.selects(selection, items[*at].class)).collect()
        };
        let mut caps: BTreeMap<hosts::HostSpreadKey, Vec<usize>> = BTreeMap::new();
        let mut affinities: BTreeMap<SelectionId, Vec<usize>> = BTreeMap::new();
        let ruled = if task.relaxed { &[] } else { items };
        for (at, item) in ruled.iter().enumerate() {
            let of = &topology.rules[item.class];
            for spread in
                of.spreads.iter().filter(|one| one.hard && one.key == TopologyKey::Hostname)
            {
                if topology.selects(spread.selection, item.class) {
                    let rule = (spread.selection, spread.max_skew, spread.counted.clone());
                    caps.entry(rule).or_default().push(at);
                }
            }
            if let Some(affinity) = of
                .affinity
                .as_ref()
                .filter(|affinity| affinity.key.contains(&TopologyKey::Hostname))
            {
                affinities.entry(affinity.selection).or_default().push(at);
            }
        }
        let level = |rule: &hosts::HostSpreadKey| task.levels.get(rule).copied().unwrap_or(0);
        let list = caps.keys().map(|rule| {
            let (selection, skew, counted) = rule;
            // Owners that are more particular are bound first, and those after them find them
            // there.
            let stricter = || {
                let of_selection = caps.iter().filter(|((of, ..), _)| of == selection);
                of_selection.filter(|((_, other, _), _)| other <= skew)
            };
            let owners = stricter().flat_map(|(_, owners)| owners.iter().copied()).collect();
            let most = stricter().map(|(other, _)| level(other).saturating_add(other.1)).max();
            let bound = topology.selections[*selection].bound.iter();
            let site = |node: &NodeId| task.context.compiled.site_of_node(*node);
            let bound = bound.filter(|(node, _)| counted.contains(site(node)));
            HostSpreadLimit {
                owners,
                most: most.unwrap_or(*skew),
                least: level(rule),
                selected: of_selection(*selection),
                counted: counted.clone(),
                bound: bound.map(|(node, count)| (*node, i64::from(*count))).collect(),
            }
        });
        let caps = list.collect();
        let affinities = affinities.into_iter().map(|(selection, owners)| {
            let selected = of_selection(selection);
            let bound = &topology.selections[selection].bound;
            places.left.push(i64::from(bound.is_empty()));
            places.told.push(false);
            HostAffinity {
                first: places.left.len() - 1,
                founders: owners.iter().copied().filter(|at| selected.contains(at)).collect(),
                helpers: selected.into_iter().filter(|at| !owners.contains(at)).collect(),
                bound: bound.iter().map(|(node, _)| *node).collect(),
                owners,
            }
        });
        let affinities = affinities.collect();
        places.left.push(i64::MAX);
        places.told.push(false);
        let unsure = places.left.len() - 1;
        places.list.iter_mut().for_each(|place| place.uses.resize(unsure + 1, 0));
        if let Some(counted) = needing_hosts(task) {
            // A supply of which every launch adds one: of plans that cost more, those are kept that
            // have more hosts.
            places.left.push(0);
            places.told.push(false);
            for place in &mut places.list {
                let adds = !place.stands() && counted.contains(place.site);
                place.uses.push(if adds { -1 } else { 0 });
            }
        }
        Self { caps, affinities, unsure }
    }

    /// The items that an affinity over single nodes is about: whether they have company may depend
    /// on where others are.
    pub(super) fn items(&self) -> impl Iterator<Item = usize> {
        self.affinities
            .iter()
            .flat_map(|affinity| affinity.owners.iter().chain(&affinity.helpers).copied())
    }

    /// Whether a node may hold these numbers of items in the end, and the supplies of which it then
    /// uses one.
    pub(super) fn admits(&self, place: &CellPlace, held: &[u32]) -> Option<Vec<usize>> {
        let sum = |items: &[usize]| -> i64 { items.iter().map(|at| i64::from(held[*at])).sum() };
        let mut unsure = false;
        for cap in &self.caps {
            let bound = place.node.and_then(|node| cap.bound.get(&node)).copied().unwrap_or(0);
            let owners = sum(&cap.owners);
            let short =
                || cap.counted.contains(place.site) && bound + sum(&cap.selected) < cap.least;
            if owners > 0 && bound + owners > cap.most || cap.least > 0 && short() {
                return None;
            }
            unsure |= owners > 0 && bound + sum(&cap.selected) > cap.most;
        }
        let mut first = Vec::new();
        for affinity in self.affinities.iter().filter(|affinity| sum(&affinity.owners) > 0) {
            if place.node.is_some_and(|node| affinity.bound.contains(&node)) {
                continue;
            }
            unsure = true;
            if sum(&affinity.helpers) == 0 {
                if sum(&affinity.founders) == 0 {
                    return None;
                }
                first.push(affinity.first);
            }
        }
        first.extend(unsure.then_some(self.unsure));
        Some(first)
    }
}
