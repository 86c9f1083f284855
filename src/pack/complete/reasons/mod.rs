//! Why pods have no place, told from the finished plan.
//!
//! *Problem.* A reason is to be true: with what it blames removed, the pod finds a place in the
//! plan as it stands. Rules that were in the way while domains were chosen may not be any more, and
//! what keeps a pod from one place says nothing of another.
//!
//! *Idea.* A candidate is a further launch, a node that the plan launches, or a running node. What
//! stands in a pod's way there at the end of the plan is a set of obstacles: taints, labels, size,
//! ports, limits, rules between pods. For each pool, and for the running nodes, the candidate with
//! the fewest is the nearest, and its obstacles are the reason; where they are more than one, the
//! reason says so ([`Cause::Several`]). Among candidates with as few, what an owner would rather
//! change decides, and by how much a size or a limit falls short.
//!
//! *Why it is right.* Each obstacle is judged for itself, so with all of a candidate's removed none
//! is left there, and the pod may be bound last. Whether a node in a domain without one leaves an
//! order of binding for the others is asked as it is for a launch ([`order`](super::order)).
//!
//! *Cost.* For each class left out (not each pod): a look at every offer, a few sums each, since
//! what depends on the shape of a node alone, or on its domains alone, is worked out once for each;
//! and a look at every group of equal nodes that has room.
//!
//! *Example.* A pod asks for 6 cores and a GPU in zone `b`. Of the candidates of pool `default` one
//! has the GPU and 4 cores in zone `b` (one obstacle: cpu), another 8 cores and no GPU in zone `b`
//! (one), a third both in zone `a` (one). All are as near; a size that falls short is what is
//! easiest to change, so the reason is the cpu, with the amount that is missing.

mod between;
mod excluded;
mod labels;
mod launches;
mod nodes;

pub(crate) use excluded::{Exclusion, exclusions};

use super::super::assigned_packing::AssignedPacking;
use super::super::packing::Context;
use super::launch::LaunchChoices;
use super::placement::{PlacedNodes, Placement};
use super::rules::{PlacementRules, item_of};
use crate::compile::{
    AffinityTerm, Bits, ClassId, IdVec, Item, KeyId, NO_DOMAIN, NodeId, OfferId, PoolId,
    TopologyKey,
};
use crate::explain::{Cause, Reason};
use crate::model::well_known;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most looks for an order of binding beside a node in a domain without one.
const MOST_LOOKS: u32 = 100;

/// For each class of which pods have no place, the reasons, sorted, at least one.
///
/// Pods of a class share their reasons, in memory as well.
pub(crate) fn reasons(
    context: &Context<'_>,
    packed: &AssignedPacking,
) -> BTreeMap<ClassId, Arc<[Reason]>> {
    let left = packed.left(context.compiled);
    let out: Vec<ClassId> = left.iter().filter(|(_, left)| **left > 0).map(|(id, _)| id).collect();
    if out.is_empty() {
        return BTreeMap::new();
    }
    let rules = PlacementRules::of(context.compiled);
    let mut teller = ReasonFinder::of(Placement::of(context, &rules, packed));
    out.into_iter().map(|class| (class, teller.reasons(class).into())).collect()
}

/// Tells why, with what the classes share.
///
/// What is worked out for one class and is true for others (suiting sites of a set of rules, orders
/// beside an opened domain) is kept.
struct ReasonFinder<'c> {
    placement: Placement<'c>,
    /// For each pool what it can launch.
    offers: IdVec<PoolId, Vec<OfferId>>,
    /// For each pool the groups that it launches.
    launched: IdVec<PoolId, Vec<usize>>,
    /// For each pool the most that is free of each resource on any of these.
    roomiest: IdVec<PoolId, Vec<i64>>,
    /// The groups of running nodes.
    running: Vec<usize>,
    /// For each site the number of its cell: those of one are in the same domains.
    cell_of_site: Vec<usize>,
    cells: usize,
    /// For each set of rules about nodes that was asked for, the sites whose labels meet it.
    suits: BTreeMap<usize, Arc<Bits>>,
    /// The required anti-affinity of bound pods, with the nodes where they are.
    bound_anti_affinity: BTreeMap<AffinityTerm, Vec<NodeId>>,
    /// For each cell with a domain without nodes, whether one there leaves others an order of
    /// binding.
    orders: BTreeMap<usize, bool>,
    looks: u32,
}

/// A class that has no place.
#[derive(Clone)]
struct LeftOut<'a> {
    class: ClassId,
    item: &'a Item,
    /// Its set of rules about nodes.
    set: usize,
    tolerations: usize,
    /// The sites whose labels suit it.
    suits: Arc<Bits>,
    /// The domains in which bound pods keep it away by an anti-affinity of theirs.
    kept_away: BTreeSet<KeyDomain>,
    /// The nodes whose bound pods keep it off them, sorted.
    kept_off: Vec<NodeId>,
    /// Whether any rule between pods reads it.
    tied: bool,
}

/// A domain of a key.
type KeyDomain = (KeyId, u32);

impl<'c> ReasonFinder<'c> {
    fn of(placement: Placement<'c>) -> Self {
        let compiled = placement.compiled();
        let mut offers: IdVec<PoolId, Vec<OfferId>> =
            compiled.pools.iter().map(|_| Vec::new()).collect();
        compiled.offers.iter().for_each(|(id, offer)| offers[offer.pool].push(id));
        let mut launched: IdVec<PoolId, Vec<usize>> =
            compiled.pools.iter().map(|_| Vec::new()).collect();
        let mut roomiest: IdVec<PoolId, Vec<i64>> =
            compiled.pools.iter().map(|_| vec![i64::MIN; compiled.dims.len()]).collect();
        let mut running = Vec::new();
        for (at, nodes) in placement.groups.iter().enumerate() {
            match nodes.on.launched() {
                None => running.push(at),
                Some(offer) => {
                    let pool = compiled.offers[offer].pool;
                    launched[pool].push(at);
                    let most = roomiest[pool].iter_mut().zip(&nodes.free);
                    most.for_each(|(most, free)| *most = (*most).max(*free));
                }
            }
        }
        let mut bound_anti_affinity: BTreeMap<AffinityTerm, Vec<NodeId>> = BTreeMap::new();
        for (term, node) in &compiled.topology.bound_anti_affinity {
            bound_anti_affinity.entry(*term).or_default().push(*node);
        }
        let cell_of_site = LaunchChoices::of(&placement).cell_of_site;
        let cells = cell_of_site.iter().max().map_or(0, |last| last + 1);
        Self {
            placement,
            offers,
            launched,
            roomiest,
            running,
            cell_of_site,
            cells,
            suits: BTreeMap::new(),
            bound_anti_affinity,
            orders: BTreeMap::new(),
            looks: 0,
        }
    }

    /// The reasons why a class has no place, sorted, at least one.
    ///
    /// One cause for each pool and for each miss of running nodes, with how many candidates it
    /// rules out; equal causes are added up.
    fn reasons(&mut self, class: ClassId) -> Vec<Reason> {
        let compiled = self.placement.compiled();
        let asked = self.asked(class);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        if asked.item.placeholder {
            return vec![Reason::new(&Cause::Placeholder, number(compiled.sites()))];
        }
        let mut causes: BTreeMap<Cause, u32> = BTreeMap::new();
        if compiled.pools.len() == 0 {
            let _new = causes.insert(Cause::NoNodePool, 0);
        }
        let any_offers = self.offers.values().any(|offers| !offers.is_empty());
        for pool in compiled.pools.ids() {
            let offers = number(self.offers[pool].len());
            // What such a pool lacks has nothing to do with the pod, unless it asks for that very
            // pool.
            if offers == 0 && any_offers && !self.names_pool(&asked, pool) {
                continue;
            }
            let name = || compiled.parts.node_pool(compiled.pools[pool].index).name.clone();
            let cause = match self.of_pool(&asked, pool, None, false) {
                None => one(self.without_types(&asked, pool, &name()), None),
                Some(found) => one(found, Some(name())),
            };
            let sum = causes.entry(cause).or_insert(0);
            *sum = sum.saturating_add(offers);
        }
        for (found, count) in self.of_nodes(&asked, None, false) {
            let sum = causes.entry(one(found, None)).or_insert(0);
            *sum = sum.saturating_add(count);
        }
        let mut reasons: Vec<Reason> =
            causes.iter().map(|(cause, candidates)| Reason::new(cause, *candidates)).collect();
        reasons.sort_unstable();
        reasons
    }

    /// Whether a class asks for nodes of a pool by its name.
    fn names_pool(&self, asked: &LeftOut<'_>, pool: PoolId) -> bool {
        let compiled = self.placement.compiled();
        let name = &compiled.parts.node_pool(compiled.pools[pool].index).name;
        let rules = &compiled.site_conditions.rules;
        rules.sets()[asked.set].all.iter().any(|condition| {
            let (key, needed) = &rules.conditions()[*condition];
            &**key == well_known::NODE_POOL && needed.single() == Some(name)
        })
    }

    fn asked(&mut self, class: ClassId) -> LeftOut<'c> {
        let compiled = self.placement.compiled();
        let set = compiled.classes[class].rules;
        let suits = match self.suits.get(&set) {
            Some(known) => known.clone(),
            None => {
                let suits = Arc::new(self.suiting(set));
                let _none = self.suits.insert(set, suits.clone());
                suits
            }
        };
        let topology = &compiled.topology;
        let (mut kept_away, mut kept_off) = (BTreeSet::new(), Vec::new());
        let keeping = self.bound_anti_affinity.iter();
        for (term, nodes) in keeping.filter(|(term, _)| topology.selects(term.selection, class)) {
            match term.key {
                TopologyKey::Hostname => kept_off.extend(nodes),
                TopologyKey::Label(key) => {
                    let of_site = &topology.keys[key].of_site;
                    let domains = nodes.iter().map(|node| of_site[compiled.site_of_node(*node)]);
                    kept_away
                        .extend(domains.filter(|at| *at != NO_DOMAIN).map(|domain| (key, domain)));
                }
            }
        }
        kept_off.sort_unstable();
        let rules = &self.placement.rules.of_class[class];
        let tied = rules.is_ordered()
            || !rules.anti_affinity.is_empty()
            || !rules.host_spreads.is_empty()
            || !compiled.classes[class].host_conflicts.is_empty()
            || !topology.rules[class].anti_affinity.is_empty()
            || !kept_away.is_empty()
            || !kept_off.is_empty();
        LeftOut {
            class,
            item: &compiled.items[item_of(class)],
            set,
            tolerations: compiled.site_conditions.rules.sets()[set].tolerations,
            suits,
            kept_away,
            kept_off,
            tied,
        }
    }

    /// What stops a class in a domain, where it is in the way of few things there.
    ///
    /// It is asked for the lowest domain of a spread: what stops the pod there is what holds all
    /// the others back.
    fn stops(&mut self, asked: &LeftOut<'c>, key: KeyId, domain: u32) -> Option<Cause> {
        let compiled = self.placement.compiled();
        let within = Some((key, domain));
        let mut found: Vec<Vec<Cause>> = Vec::new();
        for pool in compiled.pools.ids() {
            found.extend(self.of_pool(asked, pool, within, true));
        }
        found.extend(self.of_nodes(asked, within, true).into_iter().map(|(causes, _)| causes));
        let least = found.into_iter().filter(|causes| !causes.is_empty()).min_by_key(Vec::len)?;
        Some(one(least, None))
    }

    /// Whether a site is in a domain, where one is given.
    fn is_within(&self, site: usize, within: Option<KeyDomain>) -> bool {
        let keys = &self.placement.compiled().topology.keys;
        within.is_none_or(|(key, domain)| keys[key].of_site[site] == domain)
    }

    /// Whether the nodes of a group have room for one more pod, rules between pods aside.
    fn has_room(&self, asked: &LeftOut<'_>, nodes: &PlacedNodes<'c>) -> bool {
        let short = nodes.free.iter().zip(&asked.item.request).any(|(free, want)| free < want);
        if short {
            return false;
        }
        let (node, item) = (self.placement.open(nodes), item_of(asked.class));
        node.has_room(item, 1) > 0 && node.leaves_min_values(item, 1) > 0
    }
}

/// Causes that stand in the way together as one; without any, what the search didn't find.
fn one(mut causes: Vec<Cause>, pool: Option<Arc<str>>) -> Cause {
    match causes.len() {
        0 => Cause::NotFound { pool },
        1 => causes.remove(0),
        _ => Cause::Several { causes },
    }
}
