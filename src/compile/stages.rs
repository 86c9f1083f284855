//! A problem made dense, in stages, each of which is made of those before:
//!
//! 1. [`Vocabulary`]: what is counted and told apart: resources, ports, shared volumes, label keys
//!    that selectors read.
//! 2. [`PodClasses`]: classes of pending pods and their rules about nodes.
//! 3. [`LabelledSites`]: what can be bought and what runs, with labels.
//! 4. [`RuleEligibility`]: which rules hold at which sites.
//! 5. [`FittedShapes`]: what sites have room for once daemons have theirs.
//! 6. The rules between pods ([`topology`]), and what bound pods fix of them.
//! 7. The classes to pack, and what can be bought for them.
//!
//! A whole problem goes through all of them ([`Compiled::new`]). A what-if takes the first five
//! from what the problem it changes has of them ([`Cluster`](super::cluster::Cluster)), and goes
//! through the last two as any problem does.

use super::alternatives::{AlternativeGroups, Alternatives};
use super::anchor::Anchors;
use super::bits::Bits;
use super::eligibility::EligibilitySets;
use super::id::{ClassId, Id, IdVec, ItemId, NodeId, OfferId, PoolId, ReservationId, ShapeId};
use super::label::LabelTable;
use super::node::{self, Counting, RunningNode};
use super::node_use::UseVocabulary;
use super::offer::{Offer, Offers, Pool, Reserved};
use super::pod_class::{ClassMembers, ReadLabels, kinds};
use super::preference::{NodePreferences, SoftTaints};
use super::resource::Dims;
use super::rule::{self, ConditionIndex, NodeRuleSets};
use super::selection::Namespaces;
use super::shape::{Daemons, Shape, charge_running};
use super::taint::{self, TaintedSites};
use super::topology::{self, BoundPods};
use super::volume::limited_drivers;
use super::{Base, Compiled, Item, PodClass, SiteConditions, is_listed, open};
use crate::error::Error;
use crate::model::{LabelKeys, Parts, Placeholder, Pod, Price, Problem};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is counted and told apart.
///
/// What isn't in it can't tell two pods apart, and no vector has a place for it.
#[derive(Clone, Debug)]
pub(super) struct Vocabulary {
    /// The resources that anything asks for, and their order in vectors.
    pub(super) dims: Dims,
    /// What pods use of nodes beside amounts.
    pub(super) uses: Arc<UseVocabulary>,
    /// The label keys of pods that some rule reads: no other tells pods apart.
    pub(super) read: ReadLabels,
}

/// Classes of pending pods, and what they ask of nodes.
///
/// Rules of daemons are numbered with them, since a daemon is asked the same of each site.
#[derive(Debug)]
pub(super) struct PodClasses<'a> {
    /// For each class, the entries of its pods.
    pub(super) members: IdVec<ClassId, ClassMembers>,
    /// For each class, its first pod, which stands for all.
    pub(super) exemplars: IdVec<ClassId, &'a Pod>,
    /// What pods and daemons ask of nodes, each set of rules once.
    pub(super) rules: NodeRuleSets,
    /// The number of each class's set of rules, and of each daemon's.
    pub(super) of_class: Vec<usize>,
    /// For each daemon set, the number of its rules.
    pub(super) of_daemon: Vec<usize>,
    /// Preferred node affinity.
    pub(super) terms: IdVec<ClassId, Vec<(u8, Vec<ConditionIndex>)>>,
    /// The topology keys of rules between pods.
    pub(super) topology_keys: BTreeSet<Arc<str>>,
}

/// What can be bought and what runs.
///
/// Offers first, in their order, then running nodes that can take pods.
#[derive(Debug)]
pub(super) struct LabelledSites {
    /// The labels of all sites, as numbers, as far as a rule reads them.
    pub(super) table: LabelTable,
    /// Node pools with what is used of their limits.
    pub(super) pools: IdVec<PoolId, Pool>,
    /// Every way to buy a node.
    pub(super) offers: Arc<IdVec<OfferId, Offer>>,
    /// Reservations with what is left of each.
    pub(super) reservations: IdVec<ReservationId, Reserved>,
    /// The label keys that types and offerings declare: no pool may invent values of these.
    pub(super) declared: Arc<BTreeSet<Arc<str>>>,
    /// Where the offers of each type of a pool begin.
    pub(super) first_offers: Arc<FirstOffers>,
}

/// For each pool and type that it can use, the first of its offers and how many they are.
pub(super) type FirstOffers = BTreeMap<(PoolId, usize), (OfferId, usize)>;

/// Which rules hold at which sites.
///
/// From here on no label is read any more.
#[derive(Debug)]
pub(super) struct RuleEligibility {
    /// For each condition of a rule, the sites that meet it.
    pub(super) site_conditions: SiteConditions,
    /// What pods would rather have of nodes, as such conditions.
    pub(super) preferences: NodePreferences,
    /// For each set of rules, the sites that meet it.
    pub(super) met: Vec<Bits>,
}

/// What launches have room for, daemons counted.
#[derive(Clone, Debug)]
pub(super) struct FittedShapes {
    /// For each pool and type, the room that is left beside the daemons that run there.
    pub(super) shapes: Arc<IdVec<ShapeId, Shape>>,
    /// What may be launched in place of what.
    pub(super) alternatives: Arc<Alternatives>,
}

impl<'a> PodClasses<'a> {
    /// The classes of pods at these places, in the order of the problem.
    pub(super) fn of(
        parts: &'a Parts,
        pending: &[usize],
        bound_keys: impl Iterator<Item = &'a Arc<str>>,
        vocabulary: &Vocabulary,
    ) -> Self {
        let pods = pending.iter().map(|place| (*place, parts.pod(*place)));
        let members = kinds(pods, &vocabulary.dims, &vocabulary.read, &vocabulary.uses);
        let first = |class: &ClassMembers| Some(parts.pod(*class.entries.first()? as usize));
        let exemplars: IdVec<ClassId, &Pod> = members.values().filter_map(first).collect();
        let mut rules = NodeRuleSets::default();
        let of_class = exemplars.values().map(|pod| rules.of(pod)).collect();
        let of_daemon = parts.daemon_sets().iter().map(|pod| rules.of(pod)).collect();
        let terms = exemplars.values().map(|pod| NodePreferences::of(&mut rules, pod)).collect();
        let topology_keys = topology::keys(exemplars.values().copied(), bound_keys);
        Self { members, exemplars, rules, of_class, of_daemon, terms, topology_keys }
    }
}

/// The label keys of which launches must keep values open.
pub(super) fn flexible_keys(problem: &Problem) -> BTreeSet<Arc<str>> {
    let requirements = problem.node_pools.iter().flat_map(|pool| &pool.requirements);
    let min_values = requirements.filter(|requirement| requirement.min_values.is_some());
    min_values.map(|requirement| requirement.key.clone()).collect()
}

/// Where each of a list of neighbours begins and ends: offers of a pool stand together.
pub(super) fn ranges(pools: &IdVec<PoolId, Pool>, offers: &IdVec<OfferId, Offer>) -> Vec<usize> {
    let mut ends = vec![0; pools.len() + 1];
    offers.values().for_each(|offer| ends[offer.pool.index() + 1] += 1);
    (1..ends.len()).for_each(|at| ends[at] += ends[at - 1]);
    ends
}

impl RuleEligibility {
    /// Which rules of pods and daemons hold at which sites. `hard` has the taints that keep pods
    /// from running nodes; `nodes` are these, by their places.
    pub(super) fn of(
        parts: &Parts,
        asked: &mut PodClasses<'_>,
        sites: &mut LabelledSites,
        mut hard: TaintedSites,
        nodes: &[usize],
    ) -> Self {
        let first_node = sites.offers.len();
        let len = first_node + nodes.len();
        let mut soft = SoftTaints::new(len);
        let ends = ranges(&sites.pools, &sites.offers);
        for (id, pool) in sites.pools.iter() {
            let pool = parts.node_pool(pool.index);
            let own = ends[id.index()]..ends[id.index() + 1];
            hard.note(&taint::of_pool(pool), own.clone());
            soft.note(&pool.taints, own);
        }
        for (at, place) in nodes.iter().enumerate() {
            let site = first_node + at;
            soft.note(&parts.node(*place).taints, site..site + 1);
        }
        let rules = std::mem::take(&mut asked.rules);
        let preferred_terms = NodePreferences {
            terms: std::mem::take(&mut asked.terms),
            untainted: soft.untainted(&rules.tolerations),
            disliked: soft.disliked(&rules.tolerations),
        };
        let site_conditions =
            SiteConditions::of(rules, std::mem::take(&mut sites.table), &hard, len);
        let met = site_conditions.met(len);
        Self { site_conditions, preferences: preferred_terms, met }
    }
}

/// What the last stages are made of.
pub(super) struct Stages<'a> {
    /// The problem itself.
    pub(super) parts: &'a Parts,
    pub(super) vocabulary: Vocabulary,
    pub(super) asked: PodClasses<'a>,
    pub(super) sites: LabelledSites,
    pub(super) eligibility: RuleEligibility,
    pub(super) fitted: FittedShapes,
    /// The sites that can take a pod at all: offers that are available and not ruled out.
    pub(super) usable: Bits,
    /// All nodes by their places, in the order of their names, and those that can take pods.
    pub(super) standing: Vec<usize>,
    pub(super) deleting: Vec<(usize, Vec<i64>)>,
    /// Running nodes that can take pods, with what they have free.
    pub(super) nodes: IdVec<NodeId, Arc<RunningNode>>,
    /// Pods that run, those alike on a node together.
    pub(super) bound: &'a [BoundPods<'a>],
    /// The labels of namespaces, which selectors of them read.
    pub(super) namespaces: &'a Namespaces,
    pub(super) label_keys: Arc<LabelKeys>,
}

impl Compiled {
    /// Makes a problem dense; each expected interruption of a node adds so much to what offers
    /// cost.
    ///
    /// # Errors
    /// A problem with more kinds of things than there is memory for.
    pub(crate) fn new(problem: &Problem, interruption: Price) -> Result<Self, Error> {
        let parts = &Parts::of(problem);
        let (pending, bound) = by_state(problem);
        let pods = || pending.iter().map(|place| parts.pod(*place));
        let vocabulary = vocabulary(problem, pods());
        let bound_pods = bound.iter().map(|(place, _)| parts.pod(*place));
        let bound_keys = bound_pods.flat_map(topology::keys_of_bound);
        let mut asked = PodClasses::of(parts, &pending, bound_keys, &vocabulary);
        let mut sites = sites(problem, &asked, pods(), interruption)?;
        let standing: Vec<usize> = (0..problem.nodes.len()).collect();
        let open: Vec<usize> =
            standing.iter().copied().filter(|place| !parts.node(*place).deleting).collect();
        open.iter().for_each(|place| node::push_labels(&mut sites.table, parts.node(*place)));
        check_size(&asked.rules, sites.offers.len() + open.len())?;

        let mut hard = TaintedSites::default();
        for (at, place) in open.iter().enumerate() {
            let node = parts.node(*place);
            let site = sites.offers.len() + at;
            hard.note(&taint::of_node(node, node::pool_of(parts, node)), site..site + 1);
        }
        let eligibility = RuleEligibility::of(parts, &mut asked, &mut sites, hard, &open);

        let first_node = sites.offers.len();
        let len = first_node + open.len();
        let runs =
            |site: usize, daemon: usize| eligibility.met[asked.of_daemon[daemon]].contains(site);
        let Vocabulary { dims, uses, .. } = &vocabulary;
        let mut offers = Arc::unwrap_or_clone(sites.offers);
        let daemons = Daemons { parts, dims, uses };
        let (shapes, usable) = daemons.shapes(&mut offers, &sites.pools, len, &runs);
        let alternatives = Alternatives::new(&shapes, &offers);
        sites.offers = Arc::new(offers);
        let counting = Counting { dims, uses };
        let mut bound_to: Vec<Vec<&Pod>> = vec![Vec::new(); problem.nodes.len()];
        bound.iter().for_each(|(place, node)| bound_to[*node].push(parts.pod(*place)));
        let nodes = open.iter().enumerate().map(|(at, place)| {
            let bound = || bound_to[*place].iter().copied();
            let own = |daemon: &(usize, &Pod)| runs(first_node + at, daemon.0);
            let own = problem.daemon_sets.iter().enumerate().filter(own).map(|(_, pod)| pod);
            Arc::new(counting.running(*place, parts.node(*place), own, bound()))
        });
        let nodes: IdVec<NodeId, Arc<RunningNode>> = nodes.collect();
        let deleting =
            node::deleting(parts, dims, &standing, |place| bound_to[place].iter().copied());
        let nodes_of_pools = problem.nodes.iter();
        nodes_of_pools.for_each(|node| charge_running(parts, &mut sites.pools, node, 1));

        let bound: Vec<BoundPods<'_>> = bound
            .iter()
            .map(|(place, node)| {
                let exemplar = parts.pod(*place);
                let node = u32::try_from(*node).unwrap_or(u32::MAX);
                BoundPods { exemplar, nodes: Cow::Owned(vec![(node, exemplar.replicas)]) }
            })
            .collect();
        let namespaces = Namespaces::of(&problem.namespaces, problem.pods.iter());
        let label_keys = Arc::new(LabelKeys::of(parts, standing.iter().copied()));
        let stages = Stages {
            parts,
            vocabulary,
            asked,
            sites,
            eligibility,
            fitted: FittedShapes { shapes: Arc::new(shapes), alternatives: Arc::new(alternatives) },
            usable,
            standing,
            deleting,
            nodes,
            bound: &bound,
            namespaces: &namespaces,
            label_keys,
        };
        Ok(stages.finish())
    }
}

/// The places of pending pods, and of bound ones with the places of their nodes.
///
/// Both in the order of the problem.
pub(super) fn by_state(problem: &Problem) -> (Vec<usize>, Vec<(usize, usize)>) {
    let (mut pending, mut bound) = (Vec::new(), Vec::new());
    for (place, pod) in problem.pods.iter().enumerate() {
        match &pod.node_name {
            None => pending.push(place),
            Some(name) => {
                let node = problem.nodes.binary_search_by(|node| node.name.cmp(name));
                bound.extend(node.ok().map(|node| (place, node)));
            }
        }
    }
    (pending, bound)
}

/// What is counted and told apart where these pods are to be placed.
pub(super) fn vocabulary<'a>(
    problem: &'a Problem,
    pending: impl Iterator<Item = &'a Pod> + Clone,
) -> Vocabulary {
    let daemons = &problem.daemon_sets;
    let limited = limits_volumes(problem);
    let drivers =
        limited_drivers(|driver| limited.contains(driver), pending.clone().chain(daemons));
    let dims = Dims::of(pending.chain(daemons), drivers);
    Vocabulary {
        uses: Arc::new(UseVocabulary::of(problem, &dims)),
        read: ReadLabels::of(problem.pods.iter()),
        dims,
    }
}

/// The storage drivers that some running node or instance type limits.
fn limits_volumes(problem: &Problem) -> BTreeSet<&Arc<str>> {
    let nodes = problem.nodes.iter().flat_map(|node| node.volume_limits.keys());
    let types =
        problem.instance_types.iter().flat_map(|instance_type| instance_type.volume_limits.keys());
    nodes.chain(types).collect()
}

/// What can be bought, with its labels as far as anybody reads them; nodes are still to come.
pub(super) fn sites<'a>(
    problem: &Problem,
    asked: &PodClasses<'_>,
    pending: impl Iterator<Item = &'a Pod>,
    interruption: Price,
) -> Result<LabelledSites, Error> {
    let domains = open::domains(problem, &asked.topology_keys, pending);
    let mut table = LabelTable::new(&asked.rules, flexible_keys(problem), domains);
    let Offers { pools, offers, reservations, declared } =
        Offers::of(problem, interruption, &mut table).map_err(Error::unsupported)?;
    let mut first_offers = FirstOffers::new();
    for (id, offer) in offers.iter() {
        first_offers.entry((offer.pool, offer.instance)).or_insert((id, 0)).1 += 1;
    }
    Ok(LabelledSites {
        table,
        pools,
        offers: Arc::new(offers),
        reservations,
        declared: Arc::new(declared),
        first_offers: Arc::new(first_offers),
    })
}

/// The most pairs of a set of rules and a site, so that memory stays bounded (one bit each).
const MAX_BITS: usize = 1 << 33;

/// Checks that there is memory for all pairs of rules and sites.
///
/// Asked before the matrix is made.
pub(super) fn check_size(rules: &NodeRuleSets, sites: usize) -> Result<(), Error> {
    let sets = rules.sets().len();
    match sites.saturating_mul(sets + rules.conditions().len()) > MAX_BITS {
        true => Err(Error::unsupported(vec![rule::too_many(sets, sites, MAX_BITS)])),
        false => Ok(()),
    }
}

impl Stages<'_> {
    /// The rules between pods, and the classes to pack.
    pub(super) fn finish(self) -> Compiled {
        let Self { parts, vocabulary, asked, sites, eligibility, fitted, usable, .. } = self;
        let Vocabulary { dims, uses, .. } = vocabulary;
        let RuleEligibility { site_conditions, preferences, met } = eligibility;
        let first_node = sites.offers.len();
        let len = first_node + self.nodes.len();
        let places = self.nodes.values().map(|running| running.index + 1).max().unwrap_or(0);
        let mut node_at = vec![None; places];
        self.nodes.iter().for_each(|(id, running)| node_at[running.index] = Some(id));
        let one_host = node::of_one_host(parts, &self.nodes);
        let input = topology::TopologyInput {
            namespaces: self.namespaces,
            exemplars: &asked.exemplars,
            bound: self.bound,
            node_at: &node_at,
            first_node,
            one_host: &one_host,
            sites: len,
            table: &site_conditions.table,
            rules: &site_conditions.rules,
            of_class: &asked.of_class,
            holds: &site_conditions.holds,
            tolerated: &site_conditions.tolerated,
        };
        let (topology, fixed) = input.topology(asked.topology_keys);
        let anchors = {
            let open = sites.offers.values().any(|offer| !offer.fixed_labels.is_empty());
            Anchors::of(&topology, &fixed.domain_keys, len, open)
        };
        let mut eligibility_sets = EligibilitySets::default();
        let mut crowded: BTreeSet<(NodeId, ClassId)> = BTreeSet::new();
        let mut items: IdVec<ItemId, Item> = IdVec::new();
        for ((id, pod), members) in asked.exemplars.iter().zip(asked.members.values()) {
            let mut eligible = met[asked.of_class[id.index()]].clone();
            eligible.and(&usable);
            fixed.barred[id].iter().for_each(|barred| eligible.and_not(barred));
            for node in &fixed.over_skew[id] {
                let site = first_node + node.index();
                if eligible.contains(site) {
                    eligible.remove(site);
                    let _new = crowded.insert((*node, id));
                }
            }
            let apart = &fixed.host_conflicts[id];
            let mut request = dims.requests(pod);
            let uses = uses.of_pod(pod, &dims, &mut request);
            let alone = uses.bars_any() || apart.binary_search(&id).is_ok();
            let others = apart.iter().filter(|other| **other != id);
            let _id = items.push(Item {
                parts: vec![(id, 1)],
                count: members.count,
                request,
                eligibility: eligibility_sets.number(&eligible),
                priority: pod.priority,
                per_node: if alone { 1 } else { u32::MAX },
                uses,
                conflicts: others.map(|other| ItemId::from_index(other.index())).collect(),
                caps: Vec::new(),
                placeholder: pod.placeholder() == Some(Placeholder::Free),
            });
        }
        let min_values = flexible_states(parts, &site_conditions, &sites);
        let daemon_keys = asked
            .of_daemon
            .iter()
            .flat_map(|set| site_conditions.rules.keys(*set))
            .cloned()
            .collect();
        let classes = asked.members.iter().map(|(id, members)| PodClass {
            entries: members.entries.clone(),
            rules: asked.of_class[id.index()],
            domain_keys: fixed.domain_keys[id].clone(),
            host_conflicts: fixed.host_conflicts[id].clone(),
        });
        let classes = classes.collect();
        let base = Base {
            parts: parts.clone(),
            label_keys: self.label_keys,
            standing: self.standing,
            deleting: self.deleting,
            dims,
            pools: sites.pools,
            offers: sites.offers,
            shapes: fitted.shapes,
            alternative_groups: AlternativeGroups::new(&fitted.alternatives),
            alternatives: fitted.alternatives,
            nodes: self.nodes,
            reservations: sites.reservations,
            min_values,
            declared: sites.declared,
            site_conditions,
            topology,
            preferences,
            classes,
            usable,
            over_skew: crowded,
            anchors,
            daemon_keys,
            first_offers: sites.first_offers,
        };
        Compiled::of(Arc::new(base), items, eligibility_sets.sets, IdVec::new())
    }
}

/// For each label key of which launches must keep values open, its state at each site.
fn flexible_states(
    parts: &Parts,
    site_conditions: &SiteConditions,
    sites: &LabelledSites,
) -> BTreeMap<Arc<str>, Vec<u32>> {
    let min_values = flexible_keys(parts.given()).into_iter().map(|key| {
        let mut states = site_conditions.table.states(&key).to_vec();
        // A value that nobody lists is one that a launch may be given, not one that it keeps open.
        for (id, offer) in sites.offers.iter() {
            let mut fixed_labels = offer.fixed_labels.iter().filter(|(pinned, _)| *pinned == key);
            let pool = &sites.pools[offer.pool];
            if fixed_labels.any(|(_, value)| !is_listed(parts.given(), pool, offer, &key, value))
                && let Some(state) = states.get_mut(id.index())
            {
                *state = 0;
            }
        }
        (key, states)
    });
    min_values.collect()
}
