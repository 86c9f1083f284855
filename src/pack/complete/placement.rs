//! A plan as it stands: groups of equal nodes with their pods, and what rules count.
//!
//! A packing knows items, parts of classes that an assignment of domains made, and no rule over
//! domains: the assignment kept these. To complete or change a plan, such rules have to be asked
//! pod by pod. A [`Placement`] is the same plan by class, with every count that a rule reads kept
//! beside it ([`RuleCounts`]), so that "may one more go here" is a look-up, and putting a pod
//! somewhere or taking it away is an update of a few counts.
//!
//! Invariants: for each class, what groups hold and `left` make up its count; the counts are those
//! of bound pods and of all groups; `free` is the place's room less the requests of its pods;
//! limits and reservations are less what launches draw. Groups are shared between copies of a plan
//! and copied when they change, as trials change one or two of them.

use super::super::packing::Context;
use super::super::{assigned_packing::AssignedPacking, launch_template, running};
use super::launch_table::LaunchTable;
use super::rule_counts::RuleCounts;
use super::rules::{PlacementRules, item_of};
use crate::compile::{
    ClassId, Compiled, IdVec, NodeId, NodeSource, OfferId, OpenNode, SelectionId, SupplyLedger,
    fits,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// A node with what it holds, once that was asked: a part of the plan.
#[allow(clippy::disallowed_types, reason = "it is no state beside the plan")]
type OpenedNode<'c> = std::sync::OnceLock<OpenNode<'c>>;

/// Equal nodes that hold the same.
#[derive(Clone, Debug)]
pub(super) struct PlacedNodes<'c> {
    pub(super) on: NodeSource<OfferId>,
    /// What each of them holds of which class of pods, sorted.
    pub(super) pods: Vec<(ClassId, u32)>,
    /// What is free on each.
    pub(super) free: Vec<i64>,
    /// How many nodes.
    pub(super) count: u32,
    /// The site of the offer, or of the first running node: the others are like it.
    pub(super) site: usize,
    /// One of them with what it holds, once that was asked.
    opened: OpenedNode<'c>,
}

/// A plan as it stands, to be completed or changed.
///
/// A copy costs as much as its lists of groups: the groups themselves are shared until one of the
/// copies changes them.
#[derive(Clone, Debug)]
pub(super) struct Placement<'c> {
    /// The problem as a whole, and how it is solved.
    pub(super) context: &'c Context<'c>,
    /// Which rules count what.
    pub(super) rules: &'c PlacementRules,
    /// Shared between copies of the plan, as most of it is the same.
    pub(super) groups: Vec<Arc<PlacedNodes<'c>>>,
    /// For each class of pods, how many have no place.
    pub(super) left: IdVec<ClassId, u32>,
    /// What rules over domains count.
    pub(super) domains: RuleCounts,
    /// What is left of limits and reservations.
    pub(super) supplies: SupplyLedger,
    /// For each spread over single nodes of the class that is placed, the lowest count of any node
    /// that stands; empty where a fresh node counts, which has none.
    pub(super) lowest_on_hosts: Vec<i64>,
    /// Whether any node holds more of what a spread over single nodes counts than a fresh one would
    /// allow: one more node may break the order of binding then.
    pub(super) beside_hosts: bool,
    /// Whether spreads over single nodes count a fresh node beside those that stand.
    pub(super) counts_fresh_host: bool,
    /// What was looked up of launches, for all copies of the plan.
    pub(super) table: Rc<LaunchTable>,
}

impl PlacedNodes<'_> {
    /// Nodes that hold nothing, with so much free on each.
    fn empty(on: NodeSource<OfferId>, free: Vec<i64>, count: u32, site: usize) -> Self {
        Self { on, pods: Vec::new(), free, count, site, opened: OpenedNode::new() }
    }
}

impl<'c> Placement<'c> {
    /// A plan without launches in which no node stands yet; so many pods have no place.
    pub(super) fn bare(
        context: &'c Context<'c>,
        rules: &'c PlacementRules,
        left: IdVec<ClassId, u32>,
    ) -> Self {
        let compiled = context.compiled;
        Self {
            context,
            rules,
            groups: Vec::new(),
            left,
            domains: RuleCounts::of(compiled, rules),
            supplies: SupplyLedger::new(compiled),
            lowest_on_hosts: Vec::new(),
            beside_hosts: false,
            counts_fresh_host: false,
            table: Rc::new(LaunchTable::of(compiled)),
        }
    }

    /// The plan that a packing makes; `context` is of the problem as a whole.
    ///
    /// Launches stand at the offers that they will take, so what is counted is what the plan will
    /// say.
    pub(super) fn of(
        context: &'c Context<'c>,
        rules: &'c PlacementRules,
        packed: &AssignedPacking,
    ) -> Self {
        let compiled = context.compiled;
        let mut placement = Self::bare(context, rules, packed.left(compiled));
        let inner = Context { compiled: packed.compiled(compiled), ..*context };
        let chosen = launch_template::chosen(&inner, &packed.packing);
        let mut untouched: BTreeSet<NodeId> = compiled.nodes.ids().collect();
        for (group, chosen) in packed.packing.groups.iter().zip(chosen) {
            let mut pods: BTreeMap<ClassId, u32> = BTreeMap::new();
            for (item, count) in &group.items {
                for (class, each) in &inner.compiled.items[*item].parts {
                    *pods.entry(*class).or_insert(0) += each * count;
                }
            }
            let pods: Vec<(ClassId, u32)> = pods.into_iter().collect();
            match (group.place.running(), chosen) {
                (Some(nodes), _) => {
                    nodes.iter().for_each(|node| {
                        let _known = untouched.remove(node);
                    });
                    placement.stand_up(nodes, &pods);
                }
                (None, Some(offer)) => {
                    placement.launch(offer, group.multiplicity);
                    let at = placement.groups.len() - 1;
                    placement.hold(at, &pods);
                }
                (None, None) => {}
            }
        }
        let untouched: Vec<NodeId> = untouched.into_iter().collect();
        placement.stand_up(&untouched, &[]);
        placement.beside_hosts = placement.is_beside_hosts();
        placement
    }

    /// Whether any node holds more pods with a spread over single nodes than its skew.
    fn is_beside_hosts(&self) -> bool {
        self.groups.iter().any(|nodes| {
            let mut spreads = nodes.pods.iter().flat_map(|(held, _)| {
                self.rules.of_class[*held].host_spreads.iter().filter(|spread| spread.own)
            });
            spreads.any(|spread| {
                spread.counted.contains(nodes.site)
                    && i64::from(self.on_node(nodes, spread.selection)) > spread.max_skew
            })
        })
    }

    /// Adds running nodes, those that are alike as one group.
    ///
    /// Alike means: the same room, the same domains of every key, counted by the same spreads, with
    /// the same bound pods that anybody counts.
    pub(super) fn stand_up(&mut self, nodes: &[NodeId], pods: &[(ClassId, u32)]) {
        let context = self.context;
        let compiled = context.compiled;
        for alike in running::alike(context, nodes) {
            let mut groups: BTreeMap<_, Vec<NodeId>> = BTreeMap::new();
            for node in alike {
                let site = compiled.site_of_node(node);
                let keys = compiled.topology.keys.values();
                let domains: Vec<u32> = keys.map(|key| key.of_site[site]).collect();
                let counted = self.rules.counters.iter().map(|counter| {
                    counter.counted.as_ref().is_none_or(|counted| counted.contains(site))
                });
                let counted: Vec<bool> = counted.collect();
                let first = <SelectionId as crate::compile::Id>::from_index(0);
                let bound = self.rules.bound_on.range((node, first)..);
                let bound = bound.take_while(|((of, _), _)| *of == node);
                let bound: Vec<(SelectionId, u32)> =
                    bound.map(|((_, selection), count)| (*selection, *count)).collect();
                groups.entry((domains, counted, bound)).or_default().push(node);
            }
            for nodes in groups.into_values() {
                let Some(first) = nodes.first() else { continue };
                let site = compiled.site_of_node(*first);
                let count = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
                let free = compiled.nodes[*first].free.clone();
                let on = NodeSource::Running(nodes);
                self.groups.push(Arc::new(PlacedNodes::empty(on, free, count, site)));
                self.stand(site, i64::from(count));
                self.hold(self.groups.len() - 1, pods);
            }
        }
    }

    /// Adds empty launches of an offer.
    pub(super) fn launch(&mut self, offer: OfferId, count: u32) {
        let compiled = self.context.compiled;
        let site = compiled.site_of_offer(offer);
        let shape = &compiled.shapes[compiled.offers[offer].shape];
        let (on, free) = (NodeSource::Launch(offer), shape.allocatable.clone());
        self.groups.push(Arc::new(PlacedNodes::empty(on, free, count, site)));
        self.stand(site, i64::from(count));
        self.charge(offer, i128::from(count));
    }

    /// Takes the last group, of launches, back.
    pub(super) fn take_back(&mut self) {
        let Some(nodes) = self.groups.pop() else { return };
        self.close(&nodes);
    }

    /// Gives back what a group of launches took, and leaves its pods without a place.
    pub(super) fn close(&mut self, nodes: &PlacedNodes<'_>) {
        for (class, each) in &nodes.pods {
            let count = each * nodes.count;
            self.left[*class] += count;
            self.count(*class, nodes.site, -i64::from(count));
        }
        if let Some(offer) = nodes.on.launched() {
            self.stand(nodes.site, -i64::from(nodes.count));
            self.charge(offer, -i128::from(nodes.count));
        }
    }

    /// Takes so many launches off limits and reservations; negative numbers give back.
    fn charge(&mut self, offer: OfferId, nodes: i128) {
        self.supplies.draw(self.context.compiled.draw(offer), nodes);
    }

    /// How many more launches of an offer limits and reservations allow for pods.
    ///
    /// None of a static pool: pods don't make it launch. None of a pool that is above a limit
    /// already.
    pub(super) fn supply(&self, offer: OfferId) -> u32 {
        let compiled = self.context.compiled;
        let is_static = compiled.pools[compiled.offers[offer].pool].static_replicas.is_some();
        if is_static { 0 } else { self.buyable(offer) }
    }

    /// As [`Self::supply`], of static pools too.
    pub(super) fn buyable(&self, offer: OfferId) -> u32 {
        let compiled = self.context.compiled;
        match compiled.offers[offer].available {
            true => self.supplies.nodes(compiled.draw(offer)),
            false => 0,
        }
    }

    /// Counts pods at a site.
    pub(super) fn count(&mut self, class: ClassId, site: usize, count: i64) {
        self.domains.count(self.context.compiled, self.rules, class, site, count);
    }

    /// Notes that nodes stand at a site, or no longer.
    fn stand(&mut self, site: usize, count: i64) {
        self.domains.stand(self.context.compiled, self.rules, site, count);
    }

    /// Counts the domains in which nodes stand from now on even if none does any more, where pods
    /// with a spread over them could launch: a domain is given up for the sake of pods, not of
    /// money. Where nothing but nodes of static pools could stand, pods launch none; those domains
    /// count for pods alone that have no others.
    pub(super) fn keep_domains(&mut self) {
        for (counter, domain, _) in self.kept_domains() {
            let exists = &mut self.domains.exists[counter][domain];
            *exists = exists.saturating_add(1);
        }
    }

    /// The domains in which nodes stand, by the counters of spreads over them, in which nothing but
    /// nodes of static pools could: of spreads of pods that have no others.
    pub(super) fn static_domains(&self) -> impl Iterator<Item = (usize, usize)> {
        let kept = self.kept_domains().into_iter();
        kept.filter(|(.., is_static)| *is_static).map(|(counter, domain, _)| (counter, domain))
    }

    /// The domains in which nodes stand that count even if none does any more, by counter, and
    /// whether they do for pods that launch none.
    fn kept_domains(&self) -> Vec<(usize, usize, bool)> {
        let compiled = self.context.compiled;
        let mut launchable = compiled.usable.emptied();
        for (id, offer) in compiled.offers.iter() {
            let is_static = compiled.pools[offer.pool].static_replicas.is_some();
            if !is_static && compiled.is_sold(id) && compiled.is_within_limits(id) {
                launchable.insert(compiled.site_of_offer(id));
            }
        }
        let mut kept = Vec::new();
        for at in &self.rules.spread_counters {
            let counter = &self.rules.counters[*at];
            let domains = &compiled.topology.keys[counter.key].domains;
            let standing = domains.iter().zip(&self.domains.exists[*at]).enumerate();
            for (number, (domain, _)) in standing.filter(|(_, (_, exists))| **exists > 0) {
                let rows = || {
                    let owners = counter.owners.iter();
                    owners.map(|class| {
                        &compiled.eligible[compiled.items[item_of(*class)].eligibility]
                    })
                };
                let mut launched = domain.clone();
                launched.and(&launchable);
                let is_static =
                    rows().any(|row| !row.overlaps(&launchable) && row.overlaps(domain));
                if is_static || rows().any(|row| row.overlaps(&launched)) {
                    kept.push((*at, number, is_static));
                }
            }
        }
        kept
    }

    /// Has every node of a group hold these pods more; they have a place already.
    pub(super) fn hold(&mut self, at: usize, pods: &[(ClassId, u32)]) {
        for (class, each) in pods {
            self.add(at, *class, i64::from(*each));
        }
    }

    /// Puts pods on every node of a group, or takes some from each.
    ///
    /// The node that was opened before is kept up where pods are added; where some are taken it is
    /// opened anew when it is asked for, since what they blocked can't be told from it.
    fn add(&mut self, at: usize, class: ClassId, each: i64) {
        let compiled = self.context.compiled;
        let item = &compiled.items[item_of(class)];
        let nodes = Arc::make_mut(&mut self.groups[at]);
        for (free, asked) in nodes.free.iter_mut().zip(&item.request) {
            *free -= asked * each;
        }
        match nodes.pods.binary_search_by_key(&class, |(held, _)| *held) {
            Ok(found) => {
                let now = i64::from(nodes.pods[found].1) + each;
                match u32::try_from(now) {
                    Ok(now) if now > 0 => nodes.pods[found].1 = now,
                    _ => {
                        let _gone = nodes.pods.remove(found);
                    }
                }
            }
            Err(place) => {
                if let Ok(each) = u32::try_from(each) {
                    nodes.pods.insert(place, (class, each));
                }
            }
        }
        match (u32::try_from(each), nodes.opened.get_mut()) {
            (Ok(each), Some(opened)) => opened.put(item_of(class), each),
            (Ok(_), None) => {}
            (Err(_), _) => nodes.opened = OpenedNode::new(),
        }
        let (site, count) = (nodes.site, i64::from(nodes.count));
        if item.uses.is_shared() {
            // What several pods use together takes a slot once.
            let free = self.open(&self.groups[at]).free().to_vec();
            Arc::make_mut(&mut self.groups[at]).free = free;
        }
        self.count(class, site, each * count);
    }

    /// One of a group's nodes, with what it holds.
    pub(super) fn open<'n>(&self, nodes: &'n PlacedNodes<'c>) -> &'n OpenNode<'c> {
        nodes.opened.get_or_init(|| {
            let held = nodes.pods.iter().map(|(class, each)| (item_of(*class), *each));
            self.context.open(self.context.compiled.room_at(nodes.site)).holding(held)
        })
    }

    /// Puts pods that have no place on some nodes of a group, so many on each; where those that
    /// they are on stand in the list.
    ///
    /// Where only some nodes of the group are meant these are split off first.
    pub(super) fn put(&mut self, at: usize, class: ClassId, each: u32, nodes: u32) -> usize {
        let at = self.split(at, nodes);
        let count = each * self.groups[at].count;
        self.left[class] = self.left[class].saturating_sub(count);
        self.add(at, class, i64::from(each));
        at
    }

    /// Takes pods off every node of a group.
    pub(super) fn take(&mut self, at: usize, class: ClassId, each: u32) {
        self.left[class] += each * self.groups[at].count;
        self.add(at, class, -i64::from(each));
    }

    /// Tells some nodes of a group apart from the others: those are the ones at the place returned.
    pub(super) fn split(&mut self, at: usize, nodes: u32) -> usize {
        if nodes >= self.groups[at].count {
            return at;
        }
        let group = Arc::make_mut(&mut self.groups[at]);
        let mut apart = group.clone();
        group.count -= nodes;
        apart.count = nodes;
        apart.on = group.on.split_off(group.count as usize);
        if let Some(first) = apart.on.nodes().first() {
            apart.site = self.context.compiled.site_of_node(*first);
            apart.opened = OpenedNode::new();
        }
        self.groups.push(Arc::new(apart));
        self.groups.len() - 1
    }

    /// How many more pods of a class each node of a group takes, rules over domains aside.
    ///
    /// What a node could hold by resources is asked first; only pods with ports, volumes,
    /// conflicts, caps or `minValues` need the node opened.
    pub(super) fn takes(&self, nodes: &PlacedNodes<'c>, class: ClassId) -> u32 {
        let compiled = self.context.compiled;
        let item = &compiled.items[item_of(class)];
        if !compiled.eligible[item.eligibility].contains(nodes.site)
            && !self.is_open_beside_hosts(nodes, class)
        {
            return 0;
        }
        let count = fits(&nodes.free, &item.request, self.left[class].min(item.per_node));
        if count == 0 {
            return 0;
        }
        if item.goes_anywhere() && compiled.room_at(nodes.site).min_values.is_none() {
            return count;
        }
        self.open(nodes).takes(item_of(class), count)
    }

    /// Whether a group's nodes are barred to a class beside a fresh node alone, and none counts.
    fn is_open_beside_hosts(&self, nodes: &PlacedNodes<'_>, class: ClassId) -> bool {
        let over_skew = &self.rules.of_class[class].over_skew;
        let is_over = |node: &NodeId| over_skew.binary_search(node).is_ok();
        !self.lowest_on_hosts.is_empty() && nodes.on.nodes().first().is_some_and(is_over)
    }

    /// How many more pods of a class rules over single nodes allow on each node of a group, when
    /// bound after all others.
    ///
    /// Spreads over hosts, with a fresh node's count of zero as the lowest unless nothing more can
    /// be launched; and an affinity over hosts, which needs somebody there or the pod to be the
    /// first of its own.
    pub(super) fn host_room(&self, nodes: &PlacedNodes<'_>, class: ClassId) -> u32 {
        let rules = &self.rules.of_class[class];
        let mut most = u32::MAX;
        for (number, spread) in rules.host_spreads.iter().enumerate() {
            if !spread.counted.contains(nodes.site) {
                continue;
            }
            let there = i64::from(self.on_node(nodes, spread.selection));
            // A fresh node has none, and one may be launched: the lowest count is taken as 0, until
            // all that can be launched is.
            let lowest = self.lowest_on_hosts.get(number).copied().unwrap_or(0);
            let room = lowest.saturating_add(spread.max_skew) - there;
            most = match spread.own {
                true => most.min(u32::try_from(room.max(0)).unwrap_or(u32::MAX)),
                false if room >= 0 => most,
                false => 0,
            };
        }
        if let Some(affinity) = rules.affinity.filter(|affinity| affinity.over_hosts)
            && self.on_node(nodes, affinity.selection) == 0
        {
            let first = affinity.own && self.domains.totals[affinity.total] == 0;
            most = if first { most } else { 0 };
        }
        most
    }

    /// How many pods of a selection each node of a group has, bound ones among them.
    pub(super) fn on_node(&self, nodes: &PlacedNodes<'_>, selection: SelectionId) -> u32 {
        let topology = &self.context.compiled.topology;
        let placed = nodes.pods.iter().filter(|(class, _)| topology.selects(selection, *class));
        let placed: u32 = placed.map(|(_, each)| *each).sum();
        placed + self.bound_on(nodes, selection)
    }

    /// How many bound pods of a selection each node of a group has.
    pub(super) fn bound_on(&self, nodes: &PlacedNodes<'_>, selection: SelectionId) -> u32 {
        let first = nodes.on.nodes().first();
        let bound = first.and_then(|node| self.rules.bound_on.get(&(*node, selection)));
        bound.copied().unwrap_or(0)
    }

    /// How many more pods of a class rules over domains allow at a site, when bound after all
    /// others.
    pub(super) fn domain_room(&self, class: ClassId, site: usize) -> u32 {
        self.domains.room(self.context.compiled, self.rules, class, site)
    }

    /// Pods without a place by priority, the highest first, placeholders last; then what it costs.
    pub(super) fn rank(&self) -> (Vec<u64>, i128) {
        let compiled = self.context.compiled;
        let mut unplaced: BTreeMap<(bool, Reverse<i32>), u64> = BTreeMap::new();
        for (class, left) in self.left.iter() {
            let item = &compiled.items[item_of(class)];
            *unplaced.entry((item.placeholder, Reverse(item.priority))).or_insert(0) +=
                u64::from(*left);
        }
        (unplaced.into_values().collect(), self.cost())
    }

    /// What the launches cost, fees included.
    pub(super) fn cost(&self) -> i128 {
        let launches = self.groups.iter().filter_map(|nodes| {
            nodes.on.launched().map(|offer| self.price(offer) * i128::from(nodes.count))
        });
        launches.sum()
    }

    pub(super) fn price(&self, offer: OfferId) -> i128 {
        i128::from(self.context.compiled.offers[offer].price) + i128::from(self.context.fee)
    }

    pub(super) fn compiled(&self) -> &'c Compiled {
        self.context.compiled
    }
}
