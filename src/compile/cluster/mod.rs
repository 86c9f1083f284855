//! What a problem's what-ifs have in common, and the fast way from there to a dense problem.
//!
//! # The problem
//!
//! A what-if changes an entry or two of a cluster of a thousand nodes and tens of thousands of
//! pods. Reading all of it anew for each what-if costs a hundred times what the plan costs.
//!
//! # The idea
//!
//! What no what-if changes is read once: the offers with their labels, the shapes of launches, the
//! running nodes with what is free on each, and the bound pods, which are classes like all others,
//! with counts by node. All of it is read with the vocabulary of *all* pods as if they were
//! pending, so that a pod that loses its node meets no word that is unknown. A what-if takes from
//! this what its own, smaller vocabulary asks for, and goes through the last stages as any problem
//! does. What bound pods take, bar and count isn't kept by what it comes to, but by class and node,
//! so that it goes when the node goes.
//!
//! # Why it is right
//!
//! What comes out is the same, number for number, as what [`Compiled::new`] makes of the problem
//! written out: classes, nodes and offers have the same order and the same ids, and a vocabulary is
//! that of the pods which are pending in the what-if. Debug builds compare the two. Where the
//! smaller vocabulary can't be taken from the larger one, [`Cluster::compile`] says so, and the
//! problem is written out and read anew:
//!
//! - where a launch leaves a label open that any pod reads: which states it is listed for depends
//!   on who reads it;
//! - where a new pod has a resource, a driver, a host port, a label key, a topology key or a
//!   selector's key that no pod has had, or the last pod that had a port is gone;
//! - where rules select namespaces by their labels, and a namespace comes or goes with its pods;
//! - where a pod that comes or goes mounts a volume of a limited driver: whether the volume is
//!   shared may change;
//! - where a new price changes the order of a type's offerings.
//!
//! # Cost
//!
//! One walk over offers, nodes and classes of bound pods, in which little is done for each.

#[cfg(debug_assertions)]
mod check;
mod pods;
mod supply;
#[cfg(test)]
mod tests;

use super::Compiled;
use super::bits::Bits;
use super::id::{Id, IdVec, PoolId, ShapeId};
use super::node::{self, Counting, RunningNode};
use super::node_use::UseCounts;
use super::resource::Dims;
use super::selection::Namespaces;
use super::shape::{Daemons, Shape, charge_running};
use super::stages::{
    FittedShapes, LabelledSites, PodClasses, RuleEligibility, Stages, Vocabulary, by_state,
    check_size, sites, vocabulary,
};
use super::taint::{self, TaintedSites};
use super::topology;
use crate::model::{Changed, LabelKeys, Origin, Parts, Pod, Price, Taint};
use pods::{Edits, bound_classes, selects_namespaces};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What the what-ifs of a problem have in common.
///
/// Made once for a problem, and shared by its what-ifs, in threads too.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The vocabulary of all pods, as if they were pending.
    vocabulary: Vocabulary,
    /// By how many pods what they use of nodes is used.
    use_counts: UseCounts,
    /// How many pods are in each namespace.
    namespace_users: BTreeMap<Arc<str>, u64>,
    namespaces: Namespaces,
    /// Whether any rule selects namespaces by their labels.
    by_namespace: bool,
    /// The storage drivers that types limit, and by how many nodes each driver is limited.
    limited_by_types: BTreeSet<Arc<str>>,
    limited_by_nodes: BTreeMap<Arc<str>, u32>,
    /// By how many bound pods' required anti-affinity each topology key is read.
    anti_affinity_keys: BTreeMap<Arc<str>, u32>,
    /// The places of pending pods.
    pending: Vec<usize>,
    /// The sites, with labels for the whole vocabulary, and nodes without what changes when nodes
    /// do.
    sites: LabelledSites,
    /// For each label key how many of its values offers have.
    offered: BTreeMap<Arc<str>, usize>,
    shapes: IdVec<ShapeId, Shape>,
    /// The pool and the type of each shape.
    of_shape: IdVec<ShapeId, (PoolId, usize)>,
    /// The offers that can be used if they are on sale.
    usable: Bits,
    /// The nodes of the problem by their places; `None` for those that can take no pods.
    nodes: Vec<Option<KnownNode>>,
    /// The lists of hard taints of nodes.
    taints: Vec<Vec<Taint>>,
    /// Bound pods that no rule between pods can tell apart.
    bound: Vec<BoundClass>,
    /// For each place of a pod, its class among them.
    item_of: Vec<u32>,
    label_keys: Arc<LabelKeys>,
    /// By how many nodes each label key is had.
    node_keys: BTreeMap<Arc<str>, u32>,
    known: KnownCounts,
}

/// Launches and running nodes counted in the resources that some what-ifs ask for.
///
/// What-ifs of one cluster ask for few combinations of resources, so each is worked out once. It is
/// no state: what is known says what would be worked out again.
#[derive(Clone, Debug)]
struct Counted {
    fitted: FittedShapes,
    /// The nodes of the problem by their places, as long as nothing changes on them.
    nodes: Arc<Vec<Option<Arc<RunningNode>>>>,
}

/// What was counted, by the places of its resources among all.
///
/// A lock that is held for a look-up; what is missing is counted outside of it.
type KnownCounts = Mutex<BTreeMap<Vec<usize>, Counted>>;

/// The most combinations of resources that are kept.
const MOST_KNOWN: usize = 64;

/// A running node as it is while nothing changes.
///
/// Where a what-if changes the node or its pods, it is read anew.
#[derive(Debug)]
struct KnownNode {
    running: RunningNode,
    /// Which list of hard taints it has, and which entry of the label table.
    taints: u32,
    entry: u32,
}

/// Bound pods that no rule between pods can tell apart.
///
/// What they bar is worked out per what-if, from those of the nodes that are still there.
#[derive(Debug)]
struct BoundClass {
    /// The places of the pods and of their nodes, in the order of the problem.
    pods: Vec<(u32, u32)>,
    /// How many are bound to which node, by its place.
    nodes: Vec<(u32, u32)>,
}

const NONE: u32 = u32::MAX;

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}

/// What a pod would be if its node went.
///
/// With its [recreated requests](crate::model::Pod::recreated_requests), if it has others.
fn as_pending(pod: &Pod) -> Cow<'_, Pod> {
    match pod.recreated_requests() == pod.requests() {
        true => Cow::Borrowed(pod),
        false => Cow::Owned(pod.clone().with_requests(pod.recreated_requests().clone())),
    }
}

impl Cluster {
    /// Reads a problem for its what-ifs; `None` where these have to be read one by one.
    pub(crate) fn new(origin: &Origin) -> Option<Self> {
        let problem = &origin.problem;
        let parts = Parts::of(problem);
        let recreated: Vec<Cow<'_, Pod>> = problem.pods.iter().map(as_pending).collect();
        let all = || recreated.iter().map(|pod| &**pod).chain(problem.pods.iter());
        let vocabulary = vocabulary(problem, all());
        let (pending, bound) = by_state(problem);
        // Which labels are read where is asked of one pod of each class.
        let places: Vec<usize> = (0..problem.pods.len()).collect();
        let bound_keys = problem.pods.iter().flat_map(topology::keys_of_bound);
        let mut asked = PodClasses::of(&parts, &places, bound_keys, &vocabulary);
        let mut sites = sites(problem, &asked, problem.pods.iter(), Price::ZERO).ok()?;
        if sites.offers.values().any(|offer| !offer.fixed_labels.is_empty()) {
            return None;
        }
        let keys = sites.table.keys().cloned();
        let offered = keys.map(|key| (key.clone(), sites.table.values(&key).len())).collect();
        let open: Vec<usize> =
            (0..problem.nodes.len()).filter(|place| !problem.nodes[*place].deleting).collect();
        open.iter().for_each(|place| node::push_labels(&mut sites.table, parts.node(*place)));
        check_size(&asked.rules, sites.offers.len() + open.len()).ok()?;

        let mut hard = TaintedSites::default();
        let mut taints: BTreeMap<Vec<Taint>, u32> = BTreeMap::new();
        let mut of_node = Vec::with_capacity(open.len());
        for (at, place) in open.iter().enumerate() {
            let node = parts.node(*place);
            let own = taint::of_node(node, node::pool_of(&parts, node));
            let site = sites.offers.len() + at;
            hard.note(&own, site..site + 1);
            let next = small(taints.len());
            of_node.push(*taints.entry(own).or_insert(next));
        }
        let mut lists = vec![Vec::new(); taints.len()];
        taints.into_iter().for_each(|(list, number)| lists[number as usize] = list);
        let table = sites.table.clone();
        let eligibility = RuleEligibility::of(&parts, &mut asked, &mut sites, hard, &open);
        sites.table = table;

        let first_node = sites.offers.len();
        let runs =
            |site: usize, daemon: usize| eligibility.met[asked.of_daemon[daemon]].contains(site);
        let Vocabulary { dims, uses, .. } = &vocabulary;
        let mut offers = (*sites.offers).clone();
        let daemons = Daemons { parts: &parts, dims, uses };
        let (shapes, usable) = daemons.shapes(&mut offers, &sites.pools, first_node, &runs);
        let mut of_shape: IdVec<ShapeId, (PoolId, usize)> =
            shapes.iter().map(|_| (PoolId::from_index(0), 0)).collect();
        offers.values().for_each(|one| of_shape[one.shape] = (one.pool, one.instance));
        let mut usable = usable;
        // Whether an offer is on sale is looked up when it is needed.
        for (id, offer) in offers.iter() {
            if shapes[offer.shape].allocatable.iter().all(|amount| *amount >= 0) {
                usable.insert(id.index());
            }
        }
        sites.offers = Arc::new(offers);
        let counting = Counting { dims, uses };
        let mut bound_to: Vec<Vec<&Pod>> = vec![Vec::new(); problem.nodes.len()];
        bound.iter().for_each(|(place, node)| bound_to[*node].push(parts.pod(*place)));
        let mut nodes: Vec<Option<KnownNode>> = problem.nodes.iter().map(|_| None).collect();
        for (at, place) in open.iter().enumerate() {
            let bound = || bound_to[*place].iter().copied();
            let own = |daemon: &(usize, &Pod)| runs(first_node + at, daemon.0);
            let own = problem.daemon_sets.iter().enumerate().filter(own).map(|(_, pod)| pod);
            let running = counting.running(*place, parts.node(*place), own, bound());
            let taints = of_node[at];
            nodes[*place] = Some(KnownNode { running, taints, entry: small(at) });
        }
        problem.nodes.iter().for_each(|node| charge_running(&parts, &mut sites.pools, node, 1));

        let mut namespace_users: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        for pod in &problem.pods {
            match namespace_users.get_mut(&pod.namespace) {
                Some(count) => *count += 1,
                None => {
                    let _new = namespace_users.insert(pod.namespace.clone(), 1);
                }
            }
        }
        let mut anti_affinity_keys: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        let bound_pods = bound.iter().map(|(place, _)| parts.pod(*place));
        for key in bound_pods.flat_map(topology::keys_of_bound) {
            *anti_affinity_keys.entry(key.clone()).or_insert(0) += 1;
        }
        let types = problem
            .instance_types
            .iter()
            .flat_map(|instance_type| instance_type.volume_limits.keys());
        let limited_by_types = types.cloned().collect();
        let mut limited_by_nodes: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        let mut node_keys: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        for node in &problem.nodes {
            for driver in node.volume_limits.keys() {
                *limited_by_nodes.entry(driver.clone()).or_insert(0) += 1;
            }
            for (key, _) in node.labels.iter() {
                match node_keys.get_mut(key) {
                    Some(count) => *count += 1,
                    None => {
                        let _new = node_keys.insert(key.clone(), 1);
                    }
                }
            }
        }
        let (bound, item_of) = bound_classes(problem, &bound, &vocabulary.read);
        let label_keys = Arc::new(LabelKeys::of(&parts, 0..problem.nodes.len()));
        Some(Self {
            namespaces: Namespaces::of(&problem.namespaces, problem.pods.iter()),
            vocabulary,
            use_counts: UseCounts::of(problem),
            namespace_users,
            by_namespace: problem.pods.iter().any(selects_namespaces),
            limited_by_types,
            limited_by_nodes,
            anti_affinity_keys,
            pending,
            sites,
            offered,
            shapes,
            of_shape,
            usable,
            nodes,
            taints: lists,
            bound,
            item_of,
            label_keys,
            node_keys,
            known: KnownCounts::default(),
        })
    }

    /// The dense problem of a what-if; `None` where it has to be written out and read anew.
    pub(crate) fn compile(&self, changed: &Changed) -> Option<Compiled> {
        let parts = &Parts::changed(changed);
        let edits = Edits::of(parts, changed);
        let read = self.read(&edits)?;
        let bound_keys = self.anti_affinity_keys(&edits);
        let (standing, open) = self.standing(parts, changed);
        let pending = self.pending(parts, &edits);
        let pods = || pending.iter().map(|place| parts.pod(*place));
        let daemons = parts.daemon_sets();
        let drivers = self.drivers(&edits, pods().chain(daemons));
        let dims = Dims::of(pods().chain(daemons), drivers);
        let places = dims.places_in(&self.vocabulary.dims)?;
        let vocabulary = Vocabulary { dims, uses: self.vocabulary.uses.clone(), read };
        let mut asked = PodClasses::of(parts, &pending, bound_keys.iter(), &vocabulary);

        let mut sites = self.sites(parts, changed, &asked, &standing, &open)?;
        check_size(&asked.rules, sites.offers.len() + open.len()).ok()?;
        let hard = self.tainted(parts, &open);
        let eligibility = RuleEligibility::of(parts, &mut asked, &mut sites, hard, &open);
        let counted = self.counted(&sites, &vocabulary.dims, &places);
        let fitted = self.fitted(parts, changed, &sites, &counted);
        let first_node = sites.offers.len();
        let runs =
            |site: usize, daemon: usize| eligibility.met[asked.of_daemon[daemon]].contains(site);
        let nodes = self.running(&edits, &open, &vocabulary, &counted, &|at, daemon| {
            runs(first_node + at, daemon)
        });
        let usable = self.usable_sites(&sites, open.len());
        let bound_to = |place: usize| changed.bound_to(&parts.node(place).name);
        let deleting = node::deleting(parts, &vocabulary.dims, &standing, bound_to);
        let bound = self.bound(parts, &edits);
        let label_keys = self.label_keys(parts, &edits, &standing);
        let stages = Stages {
            parts,
            vocabulary,
            asked,
            sites,
            eligibility,
            fitted,
            usable,
            standing,
            deleting,
            nodes,
            bound: &bound,
            namespaces: &self.namespaces,
            label_keys,
        };
        let compiled = stages.finish();
        #[cfg(debug_assertions)]
        check::equals_whole(&compiled, changed);
        Some(compiled)
    }
}
