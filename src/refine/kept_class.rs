//! What the bound is a bound for: the pods that a plan places, and what others must keep of it.
//!
//! A plan's lower bound speaks of all plans that place the same pods, on pools of the same weights
//! (or on running nodes), and honour the preferences that this one honours. So pods of one class
//! are told apart by the weight of the pool that they are on and by the preferences about nodes
//! that they honour there; each such *kept class* is an item of its own, that may go to the sites
//! which keep it. Where no node of the plan holds more of a class than a spread over hosts would
//! have it, soft or not, and the plan keeps spreads over the domains that launches could add, that
//! is kept too: a cap for each node, since a fresh node always has none.
//!
//! All other rules between pods are left out: a bound without them is a bound all the same.
//!
//! *Example.* Of twenty replicas that prefer zone `a`, a plan has fifteen there and five in `b`.
//! The bound is of plans that have fifteen in `a` and five anywhere: two kept classes, the first of
//! which may only use sites in `a`. Without that a cheaper plan with all twenty in `b` would prove
//! a gap that nobody may close.

use super::enumerate;
use crate::bound::Demand;
use crate::bound::certificate::CertifiedPods;
use crate::compile::{
    Bits, ClassId, Compiled, EligibilityId, EligibilitySets, Id, IdVec, Item, ItemId, NodeId,
    PoolId, TopologyKey, TopologySpread,
};
use crate::pack::{self, AssignedPacking, Context};
use std::collections::{BTreeMap, BTreeSet};

/// Pods of one class of which other plans must keep the same.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct KeptClass {
    pub(super) class: ClassId,
    /// The weight of the pools that they are on; `None`: on running nodes, so that they may be
    /// anywhere.
    pub(super) weight: Option<i32>,
    /// Which terms of their preferred node affinity are honoured.
    pub(super) terms: Vec<u32>,
    /// Whether no `PreferNoSchedule` taint of their node is untolerated.
    pub(super) untainted: bool,
}

/// The kept classes of a plan, each an item.
#[derive(Debug)]
pub(super) struct KeptClasses {
    pub(super) list: Vec<KeptClass>,
    /// How many pods.
    pub(super) counts: Vec<u32>,
    /// By kept class: how many of its pods a node may hold for the sake of spreads over hosts.
    pub(super) per_node: Vec<Option<u32>>,
    /// How many nodes static pools launch: in this plan, and so in all.
    pub(super) static_nodes: BTreeMap<PoolId, u32>,
    pub(super) compiled: Compiled,
}

impl KeptClasses {
    pub(super) fn of(context: &Context<'_>, packed: &AssignedPacking) -> Self {
        Self::counted(context, packed, true)
    }

    /// As [`KeptClasses::of`], where nodes may hold as many pods as spreads over hosts allow beside
    /// other nodes.
    pub(super) fn uncapped(context: &Context<'_>, packed: &AssignedPacking) -> Self {
        Self::counted(context, packed, false)
    }

    /// Whether no node holds more of any class than its spreads over hosts allow beside a fresh
    /// node.
    pub(super) fn keeps_hosts(&self, context: &Context<'_>) -> bool {
        let topology = &context.compiled.topology;
        self.list.iter().zip(&self.per_node).all(|(kept_class, per_node)| {
            let mut own = topology.rules[kept_class.class].spreads.iter().filter(|spread| {
                spread.hard
                    && spread.key == TopologyKey::Hostname
                    && topology.selects(spread.selection, kept_class.class)
            });
            let mut is_within = |most: u32| own.all(|spread| i64::from(most) <= spread.max_skew);
            is_within(per_node.unwrap_or(u32::MAX))
        })
    }

    /// How many pods of each of these kept classes, by place in the list, a packing has in each of
    /// so many cells; `None` where that can't be told.
    pub(super) fn by_cells(
        &self,
        context: &Context<'_>,
        packed: &AssignedPacking,
        items: &[usize],
        cells: usize,
        cell_of: impl Fn(usize) -> Option<usize>,
    ) -> Option<Vec<Vec<u32>>> {
        let whole = context.compiled;
        let compiled = packed.compiled(whole);
        let inner = Context { compiled, ..*context };
        let mut by_cells: Vec<Vec<u32>> = items.iter().map(|_| vec![0; cells]).collect();
        let chosen = pack::chosen(&inner, &packed.packing);
        for (group, chosen) in packed.packing.groups.iter().zip(chosen) {
            let weight = group.bin_type(compiled).map(|bin_type| bin_type.weight);
            let at = group.at_sites(whole, chosen);
            if at.is_empty() {
                return None;
            }
            for (item, count) in &group.items {
                let item = &compiled.items[*item];
                if item.placeholder {
                    continue;
                }
                let sites = &compiled.eligible[item.eligibility];
                for (class, each) in &item.parts {
                    let kept_class = KeptClass::of(context, *class, weight, sites);
                    let item = items.iter().position(|item| self.list[*item] == kept_class)?;
                    for nodes in &at {
                        by_cells[item][cell_of(nodes.site)?] += each * count * nodes.count;
                    }
                }
            }
        }
        Some(by_cells)
    }

    /// Caps are kept only where the plan keeps them with its nodes in any order; otherwise a plan
    /// that fills nodes in turns could be cheaper, and the bound would be wrong.
    fn counted(context: &Context<'_>, packed: &AssignedPacking, capped: bool) -> Self {
        let whole = context.compiled;
        let mut counts: BTreeMap<KeptClass, u32> = BTreeMap::new();
        let mut nodes_of: BTreeMap<KeptClass, BTreeSet<NodeId>> = BTreeMap::new();
        let inner = Context { compiled: packed.compiled(whole), ..*context };
        let static_nodes = packed.packing.static_nodes(inner.compiled);
        for group in &packed.packing.groups {
            let weight = group.bin_type(inner.compiled).map(|bin_type| bin_type.weight);
            for (item, count) in &group.items {
                let item = &inner.compiled.items[*item];
                if item.placeholder {
                    continue;
                }
                let sites = &inner.compiled.eligible[item.eligibility];
                for (class, each) in &item.parts {
                    let kept_class = KeptClass::of(context, *class, weight, sites);
                    if let Some(nodes) = group.place.running() {
                        // Even where bound pods crowd a node for the sake of a spread.
                        nodes_of.entry(kept_class.clone()).or_default().extend(nodes);
                    }
                    *counts.entry(kept_class).or_insert(0) += each * count * group.multiplicity;
                }
            }
        }
        let most = host_spread_caps(inner.compiled);
        let (list, counts): (Vec<KeptClass>, Vec<u32>) = counts.into_iter().unzip();
        let over_skew = over_skew(context, packed);
        let is_capped = |one: &KeptClass| cap(context, one.class, &most).is_some();
        // Where domains that could be launched in had to be given up, fresh nodes needn't count
        // either.
        let capped = capped
            && (!list.iter().any(is_capped)
                || enumerate::is_ordered_beside_launches(context, packed));
        let per_node: Vec<Option<u32>> = list
            .iter()
            .map(|kept_class| {
                let capped = capped && !over_skew.contains(&kept_class.class);
                cap(context, kept_class.class, &most).filter(|_| capped)
            })
            .collect();
        // Of what the plan itself doesn't keep other plans needn't keep anything.
        for kept_class in list.iter().filter(|one| over_skew.contains(&one.class)) {
            let nodes = whole.over_skew.iter().filter(|(_, class)| *class == kept_class.class);
            nodes_of.entry(kept_class.clone()).or_default().extend(nodes.map(|(node, _)| *node));
        }
        let compiled = compiled(whole, &list, &counts, &per_node, &nodes_of);
        Self { list, counts, per_node, static_nodes, compiled }
    }

    /// All pending pods, of which nothing is kept but what they ask for: a kept class for each
    /// class.
    pub(super) fn of_all(context: &Context<'_>) -> Self {
        let whole = context.compiled;
        let kept_class =
            |class| KeptClass { class, weight: None, terms: Vec::new(), untainted: false };
        let list: Vec<KeptClass> = whole.classes.ids().map(kept_class).collect();
        // Pods that only use room that is left have no right to a place.
        let count = |item: &Item| if item.placeholder { 0 } else { item.count };
        let counts: Vec<u32> = whole.items.values().map(count).collect();
        let per_node = vec![None; list.len()];
        let compiled = compiled(whole, &list, &counts, &per_node, &BTreeMap::new());
        Self { list, counts, per_node, static_nodes: BTreeMap::new(), compiled }
    }

    /// One demand for each kept class.
    pub(super) fn demands(&self) -> Vec<Demand> {
        let demands = self.counts.iter().enumerate().map(|(at, count)| Demand {
            item: ItemId::from_index(at),
            weight: None,
            count: *count,
            beyond_running: 0,
        });
        demands.collect()
    }

    /// The pods of a kept class as a certificate counts them, each worth so much.
    pub(super) fn pods(&self, at: usize, value: i128) -> CertifiedPods {
        let kept_class = &self.list[at];
        CertifiedPods {
            classes: vec![kept_class.class],
            weight: kept_class.weight,
            honours: kept_class.terms.clone(),
            untainted: kept_class.untainted,
            beyond_running: false,
            per_node: self.per_node[at],
            count: self.counts[at],
            value,
        }
    }

    /// What pods of these demands are worth where those of the kept classes are worth so much: for
    /// each class and weight the mean of its kept classes.
    ///
    /// The tier's demands are items of an assignment, of which each holds pods of kept classes in
    /// proportions that aren't told apart.
    pub(super) fn values(
        &self,
        of_claims: &[f64],
        compiled: &Compiled,
        demands: &[Demand],
    ) -> Vec<f64> {
        let mut sums: BTreeMap<(ClassId, Option<i32>), (f64, f64)> = BTreeMap::new();
        for ((kept_class, count), value) in self.list.iter().zip(&self.counts).zip(of_claims) {
            let sum = sums.entry((kept_class.class, kept_class.weight)).or_default();
            sum.0 += f64::from(*count) * value;
            sum.1 += f64::from(*count);
        }
        let mean = |class: ClassId, weight: Option<i32>| {
            sums.get(&(class, weight)).map_or(0.0, |(value, count)| value / count.max(1.0))
        };
        let of_demand = |demand: &Demand| {
            let parts = compiled.items[demand.item].parts.iter();
            parts.map(|(class, each)| f64::from(*each) * mean(*class, demand.weight)).sum()
        };
        demands.iter().map(of_demand).collect()
    }
}

impl KeptClass {
    /// What a pod of a class keeps wherever it is among the sites that its item may go to.
    pub(super) fn of(
        context: &Context<'_>,
        class: ClassId,
        weight: Option<i32>,
        sites: &Bits,
    ) -> Self {
        let base = context.compiled;
        let mut kept_class = Self { class, weight, terms: Vec::new(), untainted: false };
        let list = tolerations(base, class);
        let disliked = base.preferences.disliked.get(list).copied().unwrap_or(false);
        if !context.with_preferences || base.preferences.terms[class].is_empty() && !disliked {
            return kept_class;
        }
        let mut sites = sites.clone();
        sites.and(&base.usable);
        sites.and(&of_weight(base, weight));
        for (at, (_, term)) in (0..).zip(&base.preferences.terms[class]) {
            let holds = |condition: &usize| base.site_conditions.holds[*condition].includes(&sites);
            if !term.is_empty() && term.iter().all(holds) {
                kept_class.terms.push(at);
            }
        }
        kept_class.untainted = disliked && base.preferences.untainted[list].includes(&sites);
        kept_class
    }

    /// The sites that its class may use and that keep it but for the weight.
    pub(super) fn sites_of_any_weight(&self, base: &Compiled) -> Bits {
        let item = &base.items[ItemId::from_index(self.class.index())];
        let mut sites = Self { weight: None, ..self.clone() }.sites(base);
        sites.and(&base.eligible[item.eligibility]);
        sites
    }

    /// The sites that keep it.
    fn sites(&self, base: &Compiled) -> Bits {
        let mut sites = Bits::all(base.sites());
        for term in &self.terms {
            if let Some((_, term)) = base.preferences.terms[self.class].get(*term as usize) {
                term.iter()
                    .for_each(|condition| sites.and(&base.site_conditions.holds[*condition]));
            }
        }
        if self.untainted {
            sites.and(&base.preferences.untainted[tolerations(base, self.class)]);
        }
        sites.and(&of_weight(base, self.weight));
        sites
    }
}

/// Running nodes, and what pools of a weight launch.
fn of_weight(base: &Compiled, weight: Option<i32>) -> Bits {
    let mut sites = Bits::all(base.sites());
    if let Some(weight) = weight {
        for (offer, of) in base.offers.iter() {
            if base.pools[of.pool].weight != weight {
                sites.remove(base.site_of_offer(offer));
            }
        }
    }
    sites
}

fn tolerations(base: &Compiled, class: ClassId) -> usize {
    base.site_conditions.rules.sets()[base.classes[class].rules].tolerations
}

/// For each class, how many of its pods a node may hold as the packer sees it.
fn host_spread_caps(compiled: &Compiled) -> BTreeMap<ClassId, u32> {
    let mut most = BTreeMap::new();
    for item in compiled.items.values() {
        let caps = item.caps.iter().map(|(cap, each)| compiled.caps[*cap].most / (*each).max(1));
        let of_item = caps.min().unwrap_or(u32::MAX).min(item.per_node);
        for (class, each) in &item.parts {
            let slot = most.entry(*class).or_insert(0);
            // Items of a class that count for one cap share it; others could meet on a node.
            *slot = of_item.saturating_mul(*each).max(*slot);
        }
    }
    most
}

/// How many pods of a class a node may hold for the sake of its spreads over hosts that the plan
/// keeps.
fn cap(context: &Context<'_>, class: ClassId, most: &BTreeMap<ClassId, u32>) -> Option<u32> {
    let topology = &context.compiled.topology;
    let kept = |spread: &&TopologySpread| {
        spread.key == TopologyKey::Hostname
            && topology.selects(spread.selection, class)
            && (spread.hard || context.with_preferences)
    };
    let skews = topology.rules[class].spreads.iter().filter(kept);
    let caps = skews.map(|spread| u32::try_from(spread.max_skew.max(1)).unwrap_or(u32::MAX));
    let held = most.get(&class).copied().unwrap_or(u32::MAX);
    caps.filter(|cap| held <= *cap).min()
}

/// The classes of which some node holds more than a spread over hosts allows beside a fresh node,
/// bound pods included.
fn over_skew(context: &Context<'_>, packed: &AssignedPacking) -> BTreeSet<ClassId> {
    let whole = context.compiled;
    let compiled = packed.compiled(whole);
    let topology = &whole.topology;
    let over_hosts = |class: &ClassId| {
        let spreads = topology.rules[*class].spreads.iter();
        spreads.filter(|spread| spread.hard && spread.key == TopologyKey::Hostname)
    };
    let mut over_skew = BTreeSet::new();
    for group in &packed.packing.groups {
        let mut held: BTreeMap<ClassId, i64> = BTreeMap::new();
        for (item, count) in &group.items {
            for (class, each) in &compiled.items[*item].parts {
                if over_hosts(class).next().is_some() {
                    *held.entry(*class).or_default() += i64::from(each * count);
                }
            }
        }
        let nodes = group.place.nodes();
        for (class, count) in held {
            let exceeds = over_hosts(&class).any(|spread| {
                let own = i64::from(topology.selects(spread.selection, class));
                let bound = &topology.selections[spread.selection].bound;
                let there = nodes.iter().filter_map(|node| {
                    let at = bound.binary_search_by_key(node, |(node, _)| *node).ok()?;
                    let counts = spread.counted.contains(whole.site_of_node(*node));
                    counts.then_some(i64::from(bound[at].1))
                });
                let bound = there.max().unwrap_or(0);
                bound + own * count > spread.max_skew
            });
            if exceeds {
                let _new = over_skew.insert(class);
            }
        }
    }
    over_skew
}

/// What tells the sites of kept classes apart: the class's rules, the weight, and the preferences
/// kept.
type KeptKey<'a> = (EligibilityId, Option<i32>, ClassId, &'a [u32], bool);

/// A problem of which each kept class is an item.
fn compiled(
    whole: &Compiled,
    list: &[KeptClass],
    counts: &[u32],
    per_node: &[Option<u32>],
    nodes: &BTreeMap<KeptClass, BTreeSet<NodeId>>,
) -> Compiled {
    let mut of_class: BTreeMap<ClassId, BTreeSet<ItemId>> = BTreeMap::new();
    for (at, kept_class) in list.iter().enumerate() {
        of_class.entry(kept_class.class).or_default().insert(ItemId::from_index(at));
    }
    let mut eligibility_sets = EligibilitySets::default();
    let mut known: BTreeMap<KeptKey<'_>, EligibilityId> = BTreeMap::new();
    let mut items: IdVec<ItemId, Item> = IdVec::new();
    for ((kept_class, count), per_node) in list.iter().zip(counts).zip(per_node) {
        let item = &whole.items[ItemId::from_index(kept_class.class.index())];
        // The class matters only where it has preferences that are kept.
        let plain = kept_class.terms.is_empty() && !kept_class.untainted;
        let of = if plain { ClassId::from_index(0) } else { kept_class.class };
        let key =
            (item.eligibility, kept_class.weight, of, &kept_class.terms[..], kept_class.untainted);
        let eligibility = *known.entry(key).or_insert_with(|| {
            let mut eligible = kept_class.sites(whole);
            eligible.and(&whole.eligible[item.eligibility]);
            eligibility_sets.number(&eligible)
        });
        let mut eligibility = eligibility;
        let used = nodes.get(kept_class).into_iter().flatten();
        let used = used.map(|node| whole.site_of_node(*node));
        let beyond: Vec<usize> =
            used.filter(|site| !eligibility_sets.sets[eligibility].contains(*site)).collect();
        if !beyond.is_empty() {
            let mut all = eligibility_sets.sets[eligibility].clone();
            beyond.into_iter().for_each(|site| all.insert(site));
            eligibility = eligibility_sets.number(&all);
        }
        let id = ItemId::from_index(items.len());
        let of_classes = |other: &ItemId| {
            of_class.get(&ClassId::from_index(other.index())).into_iter().flatten().copied()
        };
        let alone = item.per_node == 1;
        let mut conflicts: Vec<ItemId> = item.conflicts.iter().flat_map(of_classes).collect();
        if alone {
            conflicts.extend(of_class.get(&kept_class.class).into_iter().flatten());
        }
        conflicts.retain(|other| *other != id);
        conflicts.sort_unstable();
        conflicts.dedup();
        let _id = items.push(Item {
            count: *count,
            eligibility,
            per_node: item.per_node.min(per_node.unwrap_or(u32::MAX)),
            conflicts,
            ..item.clone()
        });
    }
    whole.with_items(items, eligibility_sets.sets, IdVec::new())
}
