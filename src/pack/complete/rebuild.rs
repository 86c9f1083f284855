//! From a placement back to a packing: classes made of what each node holds.
//!
//! Pods may go wherever their node is as far as rules between pods read it: to sites in the same
//! domains, which honour the same preferences, and that open no domain where nothing stands. Pods
//! that need each other on their node stay together as one.
//!
//! *Problem.* Searches over a placement move pods freely, and the packer's improvements
//! (right-sizing, exchange of pods between groups) need a packing: items with eligibility, caps and
//! conflicts that make every move that they allow a legal one.
//!
//! *Idea.* A class is divided into items by the node it is on: an item may go to the sites that
//! rules can't tell from the one it is at. Caps over single nodes come from spreads over hosts;
//! where a node holds more than these allow (bound so before, or a spread that only prefers), the
//! strictest way of writing them down that the placement satisfies is taken, tried in the order of
//! [`SpreadCaps`].
//!
//! *Right.* Counts in every domain that a rule reads stay what they are, and no domain is opened,
//! so an order of binding that was found for the placement still exists.
//!
//! *Cost.* For each class and site one intersection of sets of sites; equal pairs are computed
//! once.

use super::super::assign::{Batch, DomainAssignment, LeftOutPods, items_of};
use super::super::assigned_packing::AssignedPacking;
use super::super::packing::{Context, NodeGroup, Packing};
use super::super::right_size::holds;
use super::placement::{PlacedNodes, Placement};
use super::rules::item_of;
use crate::compile::{
    Bits, ClassId, Compiled, IdVec, ItemId, KeyId, NO_DOMAIN, OfferId, SelectionId,
};
use std::collections::{BTreeMap, BTreeSet};

/// How far pods may go from where they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Leeway {
    /// To all sites that are alike for the rules of each.
    Alike,
    /// To sites in the same domain of every key alone.
    Domain,
}

/// How many pods of spreads over single nodes a node may hold from now on.
///
/// Tried in this order, so that a packing loses no more of what the packer may still move than its
/// nodes require.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum SpreadCaps {
    /// What these say, those that are only preferred among them.
    AsPreferred,
    /// What those say that must be kept.
    Required,
    /// As before, but what a node holds beyond them is one item.
    PerNode,
}

/// Classes on a node that are one item, by number for each.
///
/// A bundle is placed as a whole: its request is the sum of its pods' requests.
type Bundle = Vec<(ClassId, u32)>;

impl Placement<'_> {
    /// The packing that this is; nothing where some rule about single nodes can't be written down
    /// as the packer has it.
    pub(super) fn packed(
        &self,
        former: &AssignedPacking,
        leeway: Leeway,
    ) -> Option<AssignedPacking> {
        let honouring = [
            (SpreadCaps::AsPreferred, true),
            (SpreadCaps::Required, true),
            (SpreadCaps::PerNode, true),
        ];
        // A launch that honours a preference by chance may need alternatives that don't.
        let beside = [(SpreadCaps::Required, false), (SpreadCaps::PerNode, false)];
        let beside = beside.into_iter().filter(|_| self.context.with_preferences);
        let mut ways = honouring.into_iter().chain(beside);
        ways.find_map(|(caps, honours)| self.packed_with(former, (leeway, honours), caps))
    }

    /// One attempt: `None` where a node of the placement breaks a cap, a conflict or the size of
    /// its bin type as this way writes them down. Groups without pods are dropped unless they are
    /// launches: an idle running node is among the untouched ones anyway.
    fn packed_with(
        &self,
        former: &AssignedPacking,
        (leeway, honours): (Leeway, bool),
        caps: SpreadCaps,
    ) -> Option<AssignedPacking> {
        let whole = self.compiled();
        let mut numbers: BTreeMap<(Bundle, Bits), usize> = BTreeMap::new();
        let mut parts: Vec<Batch<Bits>> = Vec::new();
        let closed = self.closed();
        let mut items: Vec<Vec<(usize, u32)>> = Vec::with_capacity(self.groups.len());
        let mut known: BTreeMap<(ClassId, usize), Bits> = BTreeMap::new();
        for nodes in &self.groups {
            let mut of_node = Vec::new();
            for (bundle, each) in self.bundles(nodes, caps) {
                let mut sites = whole.usable.clone();
                for (class, _) in &bundle {
                    let own = known.entry((*class, nodes.site)).or_insert_with(|| {
                        self.sites(*class, nodes.site, (leeway, honours), &closed)
                    });
                    sites.and(own);
                }
                let number =
                    *numbers.entry((bundle, sites)).or_insert_with_key(|(classes, sites)| {
                        parts.push(Batch {
                            classes: classes.clone(),
                            count: 0,
                            sites: sites.clone(),
                        });
                        parts.len() - 1
                    });
                parts[number].count += each * nodes.count;
                of_node.push((number, each));
            }
            items.push(of_node);
        }
        let out = self.left_out(former, &mut parts);
        let preferring = self.context.with_preferences && caps == SpreadCaps::AsPreferred;
        let (compiled, compiled_items) =
            items_of(whole, &|_| preferring, &parts, caps == SpreadCaps::PerNode);
        let context = Context { compiled: &compiled, ..*self.context };
        let mut bin_types: BTreeMap<OfferId, usize> = BTreeMap::new();
        for (at, bin_type) in compiled.bin_types.iter().enumerate() {
            bin_types.extend(bin_type.offers.iter().chain(&bin_type.dominated).map(|id| (*id, at)));
        }
        let mut packing = Packing::new(&compiled);
        for (nodes, of_node) in self.groups.iter().zip(items) {
            if nodes.pods.is_empty() && !nodes.on.is_launch() {
                continue;
            }
            let place = nodes.on.renamed(|offer| bin_types.get(&offer).copied())?;
            packing.untouched_nodes.retain(|node| !place.nodes().contains(node));
            let mut items: Vec<(ItemId, u32)> = Vec::with_capacity(of_node.len());
            let mut load = vec![0_i64; compiled.dims.len()];
            for (part, each) in of_node {
                let item = compiled_items[part]?;
                let request = &compiled.items[item].request;
                load.iter_mut().zip(request).for_each(|(sum, one)| *sum += one * i64::from(each));
                items.push((item, each));
            }
            items.sort_unstable();
            let group = NodeGroup { place, items, load, multiplicity: nodes.count };
            if !keeps_caps(&context, &group, caps == SpreadCaps::PerNode) {
                return None;
            }
            if let Some(bin_type) = group.place.launched()
                && !group.items.is_empty()
                && !holds(&context, bin_type, &group)
            {
                return None;
            }
            packing.add(&compiled, group);
        }
        let committed = compiled.items.iter().map(|_| Vec::new()).collect();
        let assignment = DomainAssignment {
            compiled,
            out,
            choices: BTreeMap::new(),
            spread_domains: Vec::new(),
            launchable: Vec::new(),
            committed,
        };
        Some(AssignedPacking { assignment: Some(assignment), packing })
    }

    /// What is one item on a node, with how often: pods that need each other there are one.
    ///
    /// Classes are united as a disjoint-set forest of a few entries: an affinity over hosts ties
    /// its owner to all on the node that it selects. What is left single is an item for each pod.
    fn bundles(&self, nodes: &PlacedNodes<'_>, caps: SpreadCaps) -> Vec<(Bundle, u32)> {
        let topology = &self.compiled().topology;
        let mut of: Vec<usize> = (0..nodes.pods.len()).collect();
        let mut tied = vec![false; nodes.pods.len()];
        let mut tie = |owner: Option<usize>, selection: SelectionId| {
            let mut first = owner;
            owner.iter().for_each(|at| tied[*at] = true);
            for (other, (selected, _)) in nodes.pods.iter().enumerate() {
                if topology.selects(selection, *selected) {
                    tied[other] = true;
                    let at = *first.get_or_insert(other);
                    let (from, to) = (of[other].max(of[at]), of[other].min(of[at]));
                    of.iter_mut().filter(|of| **of == from).for_each(|of| *of = to);
                }
            }
        };
        for (at, (class, _)) in nodes.pods.iter().enumerate() {
            let affinity = self.rules.of_class[*class].affinity;
            if let Some(affinity) = affinity.filter(|affinity| affinity.over_hosts) {
                tie(Some(at), affinity.selection);
            }
        }
        if caps == SpreadCaps::PerNode {
            // The packer caps what a spread counts on every node, whether its owners are there or
            // not.
            for (class, rules) in self.rules.of_class.iter() {
                let owner = nodes.pods.iter().position(|(held, _)| *held == class);
                for spread in &rules.host_spreads {
                    if i64::from(self.on_node(nodes, spread.selection)) > spread.max_skew {
                        tie(owner, spread.selection);
                    }
                }
            }
        }
        let mut bundles: BTreeMap<usize, Bundle> = BTreeMap::new();
        let mut single = Vec::new();
        for (at, (class, each)) in nodes.pods.iter().enumerate() {
            match tied[at] {
                true => bundles.entry(of[at]).or_default().push((*class, *each)),
                false => single.push((vec![(*class, 1)], *each)),
            }
        }
        single.extend(bundles.into_values().map(|bundle| (bundle, 1)));
        single
    }

    /// Offers that would open a domain of a spread in which nothing stands.
    ///
    /// A pod that moved there would change the lowest count of the spread, and so what others may
    /// do.
    fn closed(&self) -> Bits {
        let compiled = self.compiled();
        let mut closed = compiled.usable.emptied();
        for at in &self.rules.spread_counters {
            let counter = &self.rules.counters[*at];
            let key = &compiled.topology.keys[counter.key];
            for (domain, exists) in key.domains.iter().zip(&self.domains.exists[*at]) {
                if *exists == 0 {
                    let mut sites = domain.clone();
                    counter.counted.iter().for_each(|counted| sites.and(counted));
                    closed.or(&sites);
                }
            }
        }
        closed
    }

    /// The sites that a pod of a class may use that is at one; only those that honour the
    /// preferences that are honoured there, if this is wished.
    ///
    /// The site where the pods are is always among them, even if a rule would bar it for new ones.
    fn sites(
        &self,
        class: ClassId,
        at: usize,
        (leeway, honours): (Leeway, bool),
        closed: &Bits,
    ) -> Bits {
        let compiled = self.compiled();
        let mut sites = compiled.eligible[compiled.items[item_of(class)].eligibility].clone();
        sites.and_not(closed);
        let keys: BTreeSet<KeyId> = match leeway {
            Leeway::Alike => self.keys(class),
            Leeway::Domain => compiled.topology.keys.ids().collect(),
        };
        for key in keys {
            let key = &compiled.topology.keys[key];
            match key.of_site[at] {
                NO_DOMAIN => sites.and_not(&key.labelled),
                domain => sites.and(&key.domains[domain as usize]),
            }
        }
        if leeway == Leeway::Domain && self.beside_hosts {
            // What counts for no spread over single nodes goes on so: one more host may hold few.
            let mut spreads = self.rules.of_class.values().flat_map(|own| &own.host_spreads);
            while let Some(spread) = spreads.find(|spread| !spread.counted.contains(at)) {
                sites.and_not(&spread.counted);
            }
        }
        if honours && self.context.with_preferences {
            let terms = compiled.preferences.terms[class].iter().map(|(_, term)| term);
            for term in terms.filter(|term| !term.is_empty()) {
                let holds = &compiled.site_conditions.holds;
                if term.iter().all(|condition| holds[*condition].contains(at)) {
                    term.iter().for_each(|condition| sites.and(&holds[*condition]));
                }
            }
            let rules = compiled.classes[class].rules;
            let list = compiled.site_conditions.rules.sets()[rules].tolerations;
            if let Some(untainted) = compiled.preferences.untainted.get(list)
                && untainted.contains(at)
            {
                sites.and(untainted);
            }
        }
        sites.insert(at);
        sites
    }

    /// The keys over which it matters where a pod of a class is.
    ///
    /// Its own rules' keys, the keys of rules that count it, and keys for which its class was
    /// divided.
    fn keys(&self, class: ClassId) -> BTreeSet<KeyId> {
        let compiled = self.compiled();
        let own = compiled.topology.rules[class].keys(self.context.with_preferences);
        let counted = self.rules.of_class[class].counted_by.iter();
        let counted = counted.map(|at| self.rules.counters[*at].key);
        let domain_keys = compiled.classes[class].domain_keys.iter().copied();
        own.chain(domain_keys).chain(counted).collect()
    }

    /// The pods without a place: how many of those classes that rules over domains tie; the others
    /// as parts of which none is placed.
    ///
    /// Pods without rules over domains stay in the packing as unplaced items, so that room that is
    /// found later takes them; tied ones can't be placed by the packer and are only counted.
    fn left_out(
        &self,
        former: &AssignedPacking,
        parts: &mut Vec<Batch<Bits>>,
    ) -> BTreeMap<ClassId, LeftOutPods> {
        let compiled = self.compiled();
        let before: BTreeSet<ClassId> = former.out().map(|(class, _)| *class).collect();
        let mut out = BTreeMap::new();
        for (class, left) in self.left.iter().filter(|(_, left)| **left > 0) {
            let item = &compiled.items[item_of(class)];
            let tied = self.rules.of_class[class].is_domain_tied();
            if !tied && !item.placeholder && !before.contains(&class) {
                let sites = compiled.eligible[item.eligibility].clone();
                parts.push(Batch { classes: vec![(class, 1)], count: *left, sites });
                continue;
            }
            let _none = out.insert(class, LeftOutPods::of(*left));
        }
        out
    }
}

/// Whether what a group's nodes hold keeps within what the packer lets a node hold; `allowed`: what
/// is one item there is legal, whatever bound pods hold beside it.
///
/// Conflicts are symmetric, so each pair is looked at once, from the item that comes first.
fn keeps_caps(context: &Context<'_>, group: &NodeGroup, allowed: bool) -> bool {
    let compiled: &Compiled = context.compiled;
    // By cap, how much of it is used, and by how many.
    let mut used: IdVec<crate::compile::CapId, (u32, u32)> =
        compiled.caps.iter().map(|_| (0, 0)).collect();
    for (at, (id, count)) in group.items.iter().enumerate() {
        let item = &compiled.items[*id];
        let apart = |(other, _): &(ItemId, u32)| item.conflicts.binary_search(other).is_ok();
        if *count > item.per_node || group.items[at + 1..].iter().any(apart) {
            return false;
        }
        for (cap, each) in &item.caps {
            let (sum, by) = &mut used[*cap];
            (*sum, *by) = (*sum + each * count, *by + count);
        }
    }
    let node = group.place.nodes().first();
    used.iter().filter(|(_, (used, _))| *used > 0).all(|(id, (used, by))| {
        let cap = &compiled.caps[id];
        used + node.map_or(0, |node| cap.used_by_bound(*node)) <= cap.most || allowed && *by == 1
    })
}
