//! What a search for consolidations rests on and never changes: the nodes that run with the pods
//! that could leave them, classes of pods that may take each other's places, and what can be
//! launched.
//!
//! The problem that is compiled is the given one with the pods of nodes that may go *pending*: so
//! these are classes of pods like others, what is free on a node is what is free beside what never
//! leaves it, and rules between pods count the rest as they come and go. A pod at home is there
//! whatever the rules say, and asks for what it asks for now; elsewhere it asks for what it asks
//! for once it is created anew.
//!
//! Pods of one class differ in one thing, where they are: by what they prefer, a place that is good
//! for one may be worse than what another has. A [`MoveClass`] is pods of one class that honour as
//! much at home, of nodes and of other pods ([`super::preference`]), and its places are those that
//! honour no less. So any of its pods may take any of its places.

use super::eligibility::NodeVerdict;
use super::nodes_by_room::RoomLevels;
use super::preference::{PreferenceCounts, PreferenceRule, PreferenceRules, homes_by_class};
use super::price::{PLAIN, eviction_cost};
use crate::compile::{
    Bits, ClassId, Compiled, Id, IdVec, ItemId, PoolId, ReservationId, SelectionId,
    charge_of_running,
};
use crate::model::{Pod, Problem};
use crate::pack::{Context, PlacementRules, kept_reservations};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Pods of one class that may take each other's places.
///
/// Whatever a trial asks about one of its pods is worked out here once: the request, the sites, the
/// rules that read it, which counters it moves.
#[derive(Debug)]
pub(super) struct MoveClass {
    pub(super) class: ClassId,
    pub(super) item: ItemId,
    /// What one asks for on a node that isn't its own.
    pub(super) request: Vec<i64>,
    /// The sites where one may come to, as far as rules about nodes and preferences go.
    pub(super) sites: Bits,
    /// The same of running nodes alone, in words of 64.
    pub(super) nodes: Vec<u64>,
    /// Whether they wait for a place, instead of having one.
    pub(super) pending: bool,
    /// Whether no rule about single nodes but room says anything of them.
    pub(super) plain: bool,
    /// Whether rules over domains or hosts ask anything of them.
    pub(super) tied: bool,
    /// The counters over hosts that count them.
    pub(super) on_hosts: Vec<usize>,
    /// Their own spreads over hosts.
    pub(super) host_rules: Vec<HostRule>,
    /// The preferences about other pods that one honours at home.
    pub(super) kept: Vec<PreferenceRule>,
    /// The counters of those that came and want to be apart from them.
    pub(super) apart_from: Vec<usize>,
    /// Whether they prefer some nodes.
    pub(super) prefers: bool,
    /// The most of them that rules allow on an empty node, its room aside.
    pub(super) per_node: u32,
    pub(super) priority: i32,
    /// The total of the affinity by which they need each other on their node, if any.
    pub(super) together: Option<usize>,
    /// How large one is in the resource of which it takes most.
    pub(super) size: i64,
    /// How large one is in all resources together.
    pub(super) weight: i64,
}

/// A spread over hosts.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostRule {
    pub(super) counter: usize,
    pub(super) max_skew: i64,
    pub(super) min_domains: usize,
    pub(super) own: bool,
}

/// What is counted on each host.
#[derive(Debug)]
pub(super) struct HostCounter {
    pub(super) counted: Arc<Bits>,
    pub(super) counts_draining: bool,
    /// Bound pods that never leave, by running node.
    pub(super) bound: Vec<(usize, u32)>,
}

/// Pods of a class at home, or that wait.
#[derive(Debug)]
pub(super) struct HomePods {
    pub(super) class: usize,
    pub(super) count: u32,
    /// The places of their entries in the problem.
    pub(super) entries: Vec<u32>,
}

/// A node that runs and isn't going already.
#[derive(Debug)]
pub(super) struct ModelNode {
    /// Its place in the problem.
    pub(super) place: usize,
    pub(super) site: usize,
    pub(super) price: Option<i128>,
    /// What the search counts for it: its price, or as much as the dearest node of which one is
    /// known, so that what nobody knows the price of draws no pods and goes first; and what
    /// interruptions are expected to cost.
    pub(super) weighed: i128,
    pub(super) may_go: bool,
    pub(super) must_go: bool,
    /// Pods that leave it when it goes, by class.
    pub(super) home: Vec<HomePods>,
    /// What is free beside all pods.
    pub(super) free: Vec<i64>,
    /// Its pool as far as limits go, and what it counts for against each.
    pub(super) charge: Option<(PoolId, Vec<i64>)>,
    /// How many pods would move.
    pub(super) moves: u64,
    /// What moving them costs.
    pub(super) disruption: i128,
    /// Bound pods that never leave it, by counter of domains.
    pub(super) bound: Vec<(usize, usize, i64)>,
}

/// What a search rests on.
///
/// It is shared by all searches of a call, and by the search for bounds.
pub(super) struct ConsolidationModel<'c> {
    pub(super) context: &'c Context<'c>,
    pub(super) rules: PlacementRules,
    pub(super) nodes: Vec<ModelNode>,
    pub(super) classes: Vec<MoveClass>,
    pub(super) hosts: Vec<HostCounter>,
    /// Preferences about other pods, and what they count while all pods are at home.
    pub(super) preferences: PreferenceRules,
    pub(super) preferences_at_home: PreferenceCounts,
    /// For each resource, [`LARGE`] over what nodes have of it on average.
    pub(super) scale: Vec<i64>,
    /// Amounts of resources by which nodes with room for a pod are told.
    pub(super) levels: RoomLevels,
    /// Pods that wait for a place: those without a node, and those of nodes that are going already.
    pub(super) waiting: Vec<HomePods>,
    /// By reservation, how many nodes of it are for those that static pools lack.
    pub(super) kept_reservations: IdVec<ReservationId, u32>,
    pub(super) width: usize,
}

impl<'c> ConsolidationModel<'c> {
    /// `given` is the problem as it was given, `context` that with the pods of nodes that may go
    /// pending; verdicts are of its nodes, by their places.
    pub(super) fn new(context: &'c Context<'c>, given: &Problem, verdicts: &[NodeVerdict]) -> Self {
        let compiled = context.compiled;
        let rules = PlacementRules::of(compiled);
        let width = compiled.dims.len();
        let scale = scale(compiled);
        let (hosts, numbers) = host_counters(compiled, &rules);
        let dearest = verdicts.iter().filter_map(|verdict| verdict.price).max().unwrap_or(0).max(1);
        let mut nodes: Vec<ModelNode> = compiled
            .nodes
            .iter()
            .map(|(id, running)| {
                let verdict = &verdicts[running.index];
                let node = &given.nodes[running.index];
                ModelNode {
                    place: running.index,
                    site: compiled.site_of_node(id),
                    price: verdict.price,
                    weighed: verdict.price.unwrap_or(dearest).saturating_add(verdict.risk),
                    may_go: verdict.may_go(),
                    must_go: verdict.must_go(),
                    home: Vec::new(),
                    free: running.free.clone(),
                    charge: charge_of_running(&compiled.parts, &compiled.pools, node),
                    moves: 0,
                    disruption: 0,
                    bound: Vec::new(),
                }
            })
            .collect();
        let mut node_at: Vec<Option<usize>> = vec![None; given.nodes.len()];
        nodes.iter().enumerate().for_each(|(at, node)| node_at[node.place] = Some(at));
        note_bound(compiled, &rules, &mut nodes);

        let mut receiving = Bits::all(compiled.sites());
        let mut standing = Bits::all(compiled.sites());
        for node in &nodes {
            if !verdicts[node.place].receives {
                receiving.remove(node.site);
            }
            if node.must_go {
                standing.remove(node.site);
            }
        }
        let mut entries: Vec<(ClassId, u32, Option<usize>)> = Vec::new();
        for (class, of_class) in compiled.classes.iter() {
            let home = |entry: &u32| {
                let name = given.pods[*entry as usize].node_name.as_ref()?;
                node_at[given.nodes.binary_search_by(|node| node.name.cmp(name)).ok()?]
            };
            entries.extend(of_class.entries.iter().map(|entry| (class, *entry, home(entry))));
        }
        let movable: BTreeSet<ClassId> =
            entries.iter().filter(|(.., home)| home.is_some()).map(|(class, ..)| *class).collect();
        let preferring = movable.into_iter().filter(|_| context.with_preferences);
        let preferences = PreferenceRules::of(compiled, preferring);
        let homes = entries.iter().filter_map(|(class, entry, home)| {
            Some(((*home)?, *class, given.pods[*entry as usize].replicas.max(1)))
        });
        let homes = homes_by_class(nodes.len(), homes);
        let preferences_at_home = PreferenceCounts::of(compiled, &preferences, &nodes, &homes);
        let mut builder = ClassBuilder {
            compiled,
            rules: &rules,
            preferences: (&preferences, &preferences_at_home),
            numbers: &numbers,
            scale: &scale,
            preferring: context.with_preferences,
            receiving,
            standing,
            known: BTreeMap::new(),
            classes: Vec::new(),
        };
        let mut waiting: BTreeMap<usize, HomePods> = BTreeMap::new();
        for (class, entry, home) in &entries {
            let class = *class;
            let pod = &given.pods[*entry as usize];
            let count = pod.replicas.max(1);
            match *home {
                None => {
                    let number = builder.number(class, None);
                    let pods = waiting.entry(number).or_insert_with(|| HomePods {
                        class: number,
                        count: 0,
                        entries: Vec::new(),
                    });
                    pods.count = pods.count.saturating_add(count);
                    pods.entries.push(*entry);
                }
                Some(home) => {
                    let number = builder.number(class, Some((home, nodes[home].site)));
                    let request = &builder.classes[number].request;
                    nodes[home].settle(compiled, request, number, *entry, pod);
                }
            }
        }
        let classes = builder.classes;
        for node in &mut nodes {
            node.home.sort_by_key(|pods| pods.class);
            attach(compiled, &classes, node);
        }
        let waiting = waiting.into_values().collect();
        let levels = RoomLevels::of(width, classes.iter().map(|class| &class.request[..]));
        Self {
            context,
            rules,
            nodes,
            classes,
            hosts,
            preferences,
            preferences_at_home,
            scale,
            levels,
            waiting,
            kept_reservations: kept_reservations(compiled),
            width,
        }
    }

    /// The weight of what a pod of a class prefers of its node and has at a site.
    pub(super) fn honoured(&self, class: ClassId, site: usize) -> u32 {
        honoured(self.context.compiled, class, site)
    }

    pub(super) fn compiled(&self) -> &'c Compiled {
        self.context.compiled
    }
}

impl MoveClass {
    /// Whether a node takes them wherever it has room: another that comes never helps.
    ///
    /// A class of such pods is tried once when a node goes: if nothing has room now, nothing will
    /// after others moved.
    pub(super) fn asks_room_alone(&self) -> bool {
        self.plain && !self.tied && !self.heeds_preferences()
    }
}

impl ModelNode {
    /// Has pods of a class be at home here.
    ///
    /// What the pod asks for at home is what it asks for now; `moved` is what it will ask for
    /// elsewhere.
    fn settle(&mut self, compiled: &Compiled, moved: &[i64], class: usize, entry: u32, pod: &Pod) {
        let count = pod.replicas.max(1);
        // What the pod asks for now, with the volume slots that it takes in any case.
        let now = compiled.dims.requests(pod);
        let anew = match &pod.recreated_requests {
            None => now.clone(),
            Some(requests) => compiled.dims.requests(&pod.clone().with_requests(requests.clone())),
        };
        for (at, free) in self.free.iter_mut().enumerate() {
            let here = moved[at].saturating_sub(anew[at]).saturating_add(now[at]);
            *free = free.saturating_sub(here.saturating_mul(i64::from(count)));
        }
        self.moves = self.moves.saturating_add(u64::from(count));
        self.disruption =
            self.disruption.saturating_add(eviction_cost(pod).saturating_mul(i128::from(count)));
        match self.home.iter_mut().find(|pods| pods.class == class) {
            Some(pods) => {
                pods.count = pods.count.saturating_add(count);
                pods.entries.push(entry);
            }
            None => self.home.push(HomePods { class, count, entries: vec![entry] }),
        }
    }
}

/// What going takes in all, in billionths of moving a plain pod: a node by itself counts as one.
pub(super) fn disruption_of(node: &ModelNode) -> i128 {
    PLAIN.saturating_add(node.disruption)
}

/// Takes the slots of what pods at home use together.
fn attach(compiled: &Compiled, classes: &[MoveClass], node: &mut ModelNode) {
    let mut used = compiled.room_at(node.site).used.clone();
    for pods in &node.home {
        used.put(&compiled.items[classes[pods.class].item].uses, &mut node.free);
    }
}

/// How large an amount of all resources is, each in the same units.
pub(super) fn weight(amounts: &[i64], scale: &[i64]) -> i64 {
    amounts
        .iter()
        .zip(scale)
        .fold(0, |sum: i64, (amount, scale)| sum.saturating_add(amount.saturating_mul(*scale)))
}

/// What nodes have on average of a resource, in the units in which all are compared.
pub(super) const LARGE: i64 = 1 << 40;

/// For each resource, [`LARGE`] over what nodes have of it on average; of what isn't limited there
/// is no average.
fn scale(compiled: &Compiled) -> Vec<i64> {
    let mut sums = vec![0_i128; compiled.dims.len()];
    let mut count = 0_i128;
    for running in compiled.nodes.values() {
        count += 1;
        for (dim, (sum, free)) in sums.iter_mut().zip(&running.free).enumerate() {
            if !compiled.dims.is_unlimited(dim, *free) {
                *sum += i128::from((*free).max(0));
            }
        }
    }
    let scaled = |sum: i128| if sum > 0 { i128::from(LARGE) * count / sum } else { 0 };
    sums.into_iter().map(|sum| i64::try_from(scaled(sum)).unwrap_or(0)).collect()
}

/// What a counter over hosts is told by.
type HostKey = (SelectionId, Arc<Bits>, bool);

/// The counters of spreads over hosts, and their numbers.
fn host_counters(
    compiled: &Compiled,
    rules: &PlacementRules,
) -> (Vec<HostCounter>, BTreeMap<HostKey, usize>) {
    let mut counters = Vec::new();
    let mut numbers: BTreeMap<HostKey, usize> = BTreeMap::new();
    for spread in rules.of_class.values().flat_map(|rules| &rules.host_spreads) {
        let key = (spread.selection, spread.counted.clone(), spread.counts_draining);
        let next = counters.len();
        if *numbers.entry(key).or_insert(next) == next {
            let bound = &compiled.topology.selections[spread.selection].bound;
            counters.push(HostCounter {
                counted: spread.counted.clone(),
                counts_draining: spread.counts_draining,
                bound: bound.iter().map(|(node, count)| (node.index(), *count)).collect(),
            });
        }
    }
    (counters, numbers)
}

/// Notes which bound pods that never leave a node are counted in which domain.
fn note_bound(compiled: &Compiled, rules: &PlacementRules, nodes: &mut [ModelNode]) {
    for (at, counter) in rules.counters.iter().enumerate() {
        let Some(selection) = counter.selection else { continue };
        for (id, count) in &compiled.topology.selections[selection].bound {
            let node = &mut nodes[id.index()];
            if let Some(domain) = rules.domain(compiled, at, node.site) {
                node.bound.push((at, domain, i64::from(*count)));
            }
        }
    }
}

/// What a pod honours at home: the weight of what it prefers of nodes, and what of other pods.
type HonouredAtHome = (u32, Vec<PreferenceRule>);

/// Numbers classes of pods that may take each other's places.
struct ClassBuilder<'a> {
    compiled: &'a Compiled,
    rules: &'a PlacementRules,
    preferences: (&'a PreferenceRules, &'a PreferenceCounts),
    numbers: &'a BTreeMap<HostKey, usize>,
    scale: &'a [i64],
    preferring: bool,
    receiving: Bits,
    standing: Bits,
    /// By class, and what its pods honour at home, of nodes and of other pods; nothing for those
    /// that wait.
    known: BTreeMap<(ClassId, Option<HonouredAtHome>), usize>,
    classes: Vec<MoveClass>,
}

impl ClassBuilder<'_> {
    /// The class of pods at home on a node, at a site, or that wait.
    fn number(&mut self, class: ClassId, home: Option<(usize, usize)>) -> usize {
        let (rules, counts) = self.preferences;
        let honoured = home.map(|place| {
            let kept = rules.honoured(self.compiled, counts, class, place);
            (self.honoured(class, place.1), kept)
        });
        let next = self.classes.len();
        let number = *self.known.entry((class, honoured.clone())).or_insert(next);
        if number == next {
            let made = self.class(class, honoured);
            self.classes.push(made);
        }
        number
    }

    fn class(&self, class: ClassId, home: Option<HonouredAtHome>) -> MoveClass {
        let (rules, _) = self.preferences;
        let honoured = home.as_ref().map(|(weight, _)| *weight);
        // What waits takes the place that it finds.
        let apart_from = if home.is_some() { rules.apart_from(class) } else { Vec::new() };
        let kept = home.map(|(_, kept)| kept).unwrap_or_default();
        let compiled = self.compiled;
        let item_id = ItemId::from_index(class.index());
        let item = &compiled.items[item_id];
        let mut sites = compiled.eligible[item.eligibility].clone();
        sites.and(if honoured.is_some() { &self.receiving } else { &self.standing });
        if let Some(least) = honoured.filter(|least| *least > 0) {
            let worse: Vec<usize> =
                sites.iter().filter(|site| self.honoured(class, *site) < least).collect();
            worse.into_iter().for_each(|site| sites.remove(site));
        }
        let mut nodes = vec![0_u64; compiled.nodes.len().div_ceil(64)];
        for at in sites.iter().filter_map(|site| compiled.node_at(site)).map(Id::index) {
            nodes[at / 64] |= 1 << (at % 64);
        }
        let own = &self.rules.of_class[class];
        let counter = |spread: &crate::pack::HostSpread| {
            let key = (spread.selection, spread.counted.clone(), spread.counts_draining);
            self.numbers.get(&key).copied()
        };
        let host_rules = own.host_spreads.iter().filter_map(|spread| {
            Some(HostRule {
                counter: counter(spread)?,
                max_skew: spread.max_skew,
                min_domains: spread.min_domains,
                own: spread.own,
            })
        });
        let on_hosts = self
            .numbers
            .iter()
            .filter(|((selection, ..), _)| compiled.topology.selects(*selection, class));
        let size = item.request.iter().zip(self.scale);
        MoveClass {
            class,
            item: item_id,
            request: item.request.clone(),
            nodes,
            sites,
            pending: honoured.is_none(),
            plain: item.goes_anywhere(),
            tied: own.is_ordered() || !own.anti_affinity.is_empty() || !own.host_spreads.is_empty(),
            priority: item.priority,
            together: own
                .affinity
                .filter(|affinity| affinity.over_hosts && affinity.own)
                .map(|affinity| affinity.total),
            on_hosts: on_hosts.map(|(_, number)| *number).collect(),
            host_rules: host_rules.collect(),
            prefers: self.prefers(class),
            per_node: item.per_node.min(rules.most_per_node(&kept)),
            kept,
            apart_from,
            weight: weight(&item.request, self.scale),
            size: size.map(|(asked, scale)| asked.saturating_mul(*scale)).max().unwrap_or(0),
        }
    }

    /// The weight of what a pod of a class prefers of its node and has at a site.
    fn honoured(&self, class: ClassId, site: usize) -> u32 {
        if self.preferring { honoured(self.compiled, class, site) } else { 0 }
    }

    /// Whether a class prefers some nodes.
    fn prefers(&self, class: ClassId) -> bool {
        let preferences = &self.compiled.preferences;
        let sets = self.compiled.site_conditions.rules.sets();
        let list = sets[self.compiled.classes[class].rules].tolerations;
        self.preferring
            && (!preferences.terms[class].is_empty()
                || preferences.disliked.get(list).copied().unwrap_or(false))
    }
}

/// The weight of what a pod of a class prefers of its node and has at a site.
fn honoured(compiled: &Compiled, class: ClassId, site: usize) -> u32 {
    let holds = &compiled.site_conditions.holds;
    let terms = compiled.preferences.terms[class].iter();
    let met = terms.filter(|(_, term)| {
        !term.is_empty() && term.iter().all(|condition| holds[*condition].contains(site))
    });
    let affinity: u32 = met.map(|(weight, _)| u32::from(*weight)).sum();
    let list = compiled.site_conditions.rules.sets()[compiled.classes[class].rules].tolerations;
    let disliked = compiled.preferences.disliked.get(list).copied().unwrap_or(false);
    let untainted =
        compiled.preferences.untainted.get(list).is_some_and(|sites| sites.contains(site));
    affinity + u32::from(disliked && untainted)
}
