//! From a placement back to a packing: classes made of what each node holds.
//!
//! Pods may go wherever their node is as far as rules between pods read it: to sites in the same domains,
//! which honour the same preferences, and that open no domain where nothing stands. Pods that need each
//! other on their node stay together as one.

use super::super::arrange::{Arrangement, Batch, Out, classes_of};
use super::super::choose::Packed;
use super::super::right_size::holds;
use super::super::state::{Context, Group, Place, State};
use super::placement::{Nodes, On, Placement};
use super::rules::class_of;
use crate::compile::{
    Bits, ClassId, Compiled, IdVec, KeyId, KindId, NO_DOMAIN, OfferId, SelectionId,
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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Caps {
    /// What these say, those that are only wished for among them.
    AsWished,
    /// What those say that must be kept.
    Required,
    /// As before, but what a node holds beyond them is one item.
    PerNode,
}

/// Kinds on a node that are one item, by number for each.
type Bundle = Vec<(KindId, u32)>;

impl Placement<'_> {
    /// The packing that this is; nothing where some rule about single nodes can't be written down as the
    /// packer has it.
    pub(super) fn packed(&self, former: &Packed, leeway: Leeway) -> Option<Packed> {
        self.packed_with(former, leeway, Caps::AsWished)
            .or_else(|| self.packed_with(former, leeway, Caps::Required))
            .or_else(|| self.packed_with(former, leeway, Caps::PerNode))
    }

    fn packed_with(&self, former: &Packed, leeway: Leeway, caps: Caps) -> Option<Packed> {
        let whole = self.compiled();
        let mut numbers: BTreeMap<(Bundle, Bits), usize> = BTreeMap::new();
        let mut parts: Vec<Batch<Bits>> = Vec::new();
        let closed = self.closed();
        let mut items: Vec<Vec<(usize, u32)>> = Vec::with_capacity(self.groups.len());
        let mut known: BTreeMap<(KindId, usize), Bits> = BTreeMap::new();
        for nodes in &self.groups {
            let mut of_node = Vec::new();
            for (bundle, each) in self.bundles(nodes, caps) {
                let mut sites = whole.usable.clone();
                for (kind, _) in &bundle {
                    let own = known
                        .entry((*kind, nodes.site))
                        .or_insert_with(|| self.sites(*kind, nodes.site, leeway, &closed));
                    sites.and(own);
                }
                let number =
                    *numbers.entry((bundle, sites)).or_insert_with_key(|(kinds, sites)| {
                        parts.push(Batch { kinds: kinds.clone(), count: 0, sites: sites.clone() });
                        parts.len() - 1
                    });
                parts[number].count += each * nodes.count;
                of_node.push((number, each));
            }
            items.push(of_node);
        }
        let out = self.left_out(former, &mut parts);
        let wishful = self.context.wishful && caps == Caps::AsWished;
        let (compiled, classes) = classes_of(whole, &|_| wishful, &parts, caps == Caps::PerNode);
        let context = Context { compiled: &compiled, ..*self.context };
        let mut columns: BTreeMap<OfferId, usize> = BTreeMap::new();
        for (at, column) in compiled.columns.iter().enumerate() {
            columns.extend(column.offers.iter().chain(&column.dominated).map(|id| (*id, at)));
        }
        let mut state = State::new(&compiled);
        for (nodes, of_node) in self.groups.iter().zip(items) {
            let place = match &nodes.on {
                On::Launch(offer) => Place::Launch(*columns.get(offer)?),
                On::Running(list) => {
                    if nodes.pods.is_empty() {
                        continue;
                    }
                    state.idle.retain(|node| !list.contains(node));
                    Place::Running(list.clone())
                }
            };
            let mut items: Vec<(ClassId, u32)> = Vec::with_capacity(of_node.len());
            let mut load = vec![0_i64; compiled.dims.len()];
            for (part, each) in of_node {
                let class = classes[part]?;
                let request = &compiled.classes[class].request;
                load.iter_mut().zip(request).for_each(|(sum, one)| *sum += one * i64::from(each));
                items.push((class, each));
            }
            items.sort_unstable();
            let group = Group { place, items, load, times: nodes.count };
            if !keeps_caps(&context, &group) {
                return None;
            }
            if let Place::Launch(column) = group.place
                && !group.items.is_empty()
                && !holds(&context, column, &group)
            {
                return None;
            }
            state.add(&compiled, group);
        }
        let firm = compiled.classes.iter().map(|_| Vec::new()).collect();
        let arrangement = Arrangement {
            compiled,
            out,
            choices: BTreeMap::new(),
            foreign: Vec::new(),
            launchable: Vec::new(),
            firm,
        };
        Some(Packed { arrangement: Some(arrangement), state })
    }

    /// What is one item on a node, with how often: pods that need each other there are one.
    fn bundles(&self, nodes: &Nodes, caps: Caps) -> Vec<(Bundle, u32)> {
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
        for (at, (kind, _)) in nodes.pods.iter().enumerate() {
            let affinity = self.rules.of_kind[*kind].affinity;
            if let Some(affinity) = affinity.filter(|affinity| affinity.over_hosts) {
                tie(Some(at), affinity.selection);
            }
        }
        if caps == Caps::PerNode {
            // The packer caps what a spread counts on every node, whether its owners are there or not.
            for (kind, rules) in self.rules.of_kind.iter() {
                let owner = nodes.pods.iter().position(|(held, _)| *held == kind);
                for spread in &rules.host_spreads {
                    if i64::from(self.on_node(nodes, spread.selection)) > spread.max_skew {
                        tie(owner, spread.selection);
                    }
                }
            }
        }
        let mut bundles: BTreeMap<usize, Bundle> = BTreeMap::new();
        let mut single = Vec::new();
        for (at, (kind, each)) in nodes.pods.iter().enumerate() {
            match tied[at] {
                true => bundles.entry(of[at]).or_default().push((*kind, *each)),
                false => single.push((vec![(*kind, 1)], *each)),
            }
        }
        single.extend(bundles.into_values().map(|bundle| (bundle, 1)));
        single
    }

    /// Offers that would open a domain of a spread in which nothing stands.
    fn closed(&self) -> Bits {
        let compiled = self.compiled();
        let mut closed = compiled.usable.emptied();
        for at in &self.rules.spread_counters {
            let counter = &self.rules.counters[*at];
            let key = &compiled.topology.keys[counter.key];
            for (domain, stands) in key.domains.iter().zip(&self.stands[*at]) {
                if *stands == 0 {
                    let mut sites = domain.clone();
                    counter.counted.iter().for_each(|counted| sites.and(counted));
                    closed.or(&sites);
                }
            }
        }
        closed
    }

    /// The sites that a pod of a class may use that is at one.
    fn sites(&self, kind: KindId, at: usize, leeway: Leeway, closed: &Bits) -> Bits {
        let compiled = self.compiled();
        let mut sites = compiled.rows[compiled.classes[class_of(kind)].row].clone();
        sites.and_not(closed);
        let keys: BTreeSet<KeyId> = match leeway {
            Leeway::Alike => self.keys(kind),
            Leeway::Domain => compiled.topology.keys.ids().collect(),
        };
        for key in keys {
            let key = &compiled.topology.keys[key];
            match key.of_site[at] {
                NO_DOMAIN => sites.and_not(&key.labelled),
                domain => sites.and(&key.domains[domain as usize]),
            }
        }
        if self.context.wishful {
            let terms = compiled.wishes.terms[kind].iter().map(|(_, term)| term);
            for term in terms.filter(|term| !term.is_empty()) {
                let holds = &compiled.grounds.holds;
                if term.iter().all(|atom| holds[*atom].contains(at)) {
                    term.iter().for_each(|atom| sites.and(&holds[*atom]));
                }
            }
            let rules = compiled.kinds[kind].rules;
            let list = compiled.grounds.rules.sets()[rules].tolerations;
            if let Some(untainted) = compiled.wishes.untainted.get(list)
                && untainted.contains(at)
            {
                sites.and(untainted);
            }
        }
        sites.insert(at);
        sites
    }

    /// The keys over which it matters where a pod of a class is.
    fn keys(&self, kind: KindId) -> BTreeSet<KeyId> {
        let compiled = self.compiled();
        let own = compiled.topology.rules[kind].keys(self.context.wishful);
        let counted = self.rules.of_kind[kind].counted_by.iter();
        let counted = counted.map(|at| self.rules.counters[*at].key);
        let sticky = compiled.kinds[kind].sticky.iter().copied();
        own.chain(sticky).chain(counted).collect()
    }

    /// The pods without a place: how many of those classes that rules over domains tie; the others as parts of
    /// which none is placed.
    fn left_out(&self, former: &Packed, parts: &mut Vec<Batch<Bits>>) -> BTreeMap<KindId, Out> {
        let compiled = self.compiled();
        let before: BTreeSet<KindId> = former.out().map(|(kind, _)| *kind).collect();
        let mut out = BTreeMap::new();
        for (kind, left) in self.left.iter().filter(|(_, left)| **left > 0) {
            let class = &compiled.classes[class_of(kind)];
            let tied = self.rules.of_kind[kind].is_domain_tied();
            if !tied && !class.guest && !before.contains(&kind) {
                let sites = compiled.rows[class.row].clone();
                parts.push(Batch { kinds: vec![(kind, 1)], count: *left, sites });
                continue;
            }
            let _none = out.insert(kind, Out::of(*left));
        }
        out
    }
}

/// Whether what a group's nodes hold keeps within what the packer lets a node hold.
fn keeps_caps(context: &Context<'_>, group: &Group) -> bool {
    let compiled: &Compiled = context.compiled;
    let mut used: IdVec<crate::compile::CapId, u32> = compiled.caps.iter().map(|_| 0).collect();
    for (at, (id, count)) in group.items.iter().enumerate() {
        let class = &compiled.classes[*id];
        let apart = |(other, _): &(ClassId, u32)| class.conflicts.binary_search(other).is_ok();
        if *count > class.per_node || group.items[at + 1..].iter().any(apart) {
            return false;
        }
        class.caps.iter().for_each(|(cap, each)| used[*cap] += each * count);
    }
    let node = match &group.place {
        Place::Running(nodes) => nodes.first(),
        Place::Launch(_) => None,
    };
    used.iter().filter(|(_, used)| **used > 0).all(|(id, used)| {
        let cap = &compiled.caps[id];
        let bound = node.and_then(|node| {
            let at = cap.used.binary_search_by_key(node, |(node, _)| *node).ok()?;
            Some(cap.used[at].1)
        });
        used + bound.unwrap_or(0) <= cap.most
    })
}
