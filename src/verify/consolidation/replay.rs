//! The cluster as waves change it, and each wave as a problem and a launch plan of its own.
//!
//! A wave is carried out so: its launches are made; the nodes that go are tainted, and those of
//! their pods that are created anew are evicted, as are pods that leave nodes that stay; all these
//! pods pend, asking for what they ask for anew, and are bound where the plan says; the nodes are
//! gone. So the moment in which pods are bound is a problem of launching: nodes that go still
//! stand, and tell by their taint which spreads count them; other pods are bound, and nothing is
//! asked of them; the pods that move are pending. What the wave does is a launch plan for it, and
//! today's rules judge it.
//!
//! That the nodes stand until their pods are bound also makes launches overlap with them in the
//! limits of pools, and keeps what they have reserved until the next wave.
//!
//! *What is counted when.* Until a wave is over a node that goes holds its place: launches come on
//! top of it in limits; its reservation is free for the next wave only; what leaves a node that
//! stays takes its room there until the end. After it launches are nodes like others, with the
//! labels that they stated and their type's room.
//!
//! *Cost.* A document for each wave; entries of which no pod moves are taken as they are.

use super::super::facts::{Facts, pod_name};
use super::super::label;
use super::super::resource;
use super::eligibility::disruption_taint;
use super::script::{ActionScript, Destination, PodKey, is_reschedulable};
use super::worth::offerings_of;
use crate::model::{InstanceType, Node, Pod, Problem, Quantity, Resources, well_known};
use crate::plan::consolidation::NodeToLaunch;
use crate::plan::{Binding, Launch, LaunchPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Nodes that stand, and where pods are.
pub(super) struct ReplayState<'f, 'p> {
    facts: &'f Facts<'p>,
    /// Standing nodes by name.
    pub(super) nodes: BTreeMap<Arc<str>, Node>,
    /// Bound pods by their node.
    on_node: BTreeMap<Arc<str>, BTreeSet<PodKey>>,
    /// The node of each bound pod.
    node_of: BTreeMap<PodKey, Arc<str>>,
    /// Entries of which the plan moves pods.
    touched: BTreeSet<usize>,
    /// By reservation: how many more nodes it holds than the problem says.
    reserved: BTreeMap<Arc<str>, i64>,
}

/// A wave as a problem and a plan for it.
pub(super) struct ReplayStep {
    pub(super) problem: Problem,
    pub(super) plan: LaunchPlan,
    /// Its launches with the pods alone that they name, of which they state the requests.
    pub(super) own: LaunchPlan,
    /// By node that stays: pods that leave it in the wave, as they are on it.
    pub(super) leaving: BTreeMap<Arc<str>, Vec<Pod>>,
}

impl<'f, 'p> ReplayState<'f, 'p> {
    /// The cluster as the problem has it.
    pub(super) fn new(facts: &'f Facts<'p>, touched: BTreeSet<usize>) -> Self {
        let mut state = Self {
            facts,
            nodes: BTreeMap::new(),
            on_node: BTreeMap::new(),
            node_of: BTreeMap::new(),
            touched,
            reserved: BTreeMap::new(),
        };
        for node in &facts.problem.nodes {
            let _new = state.nodes.insert(node.name.clone(), node.clone());
        }
        for (entry, pod) in facts.problem.pods.iter().enumerate() {
            let node = pod.node_name.as_ref().filter(|name| state.nodes.contains_key(&***name));
            let Some(node) = node.cloned() else { continue };
            for replica in 0..pod.replicas.max(1) {
                state.bind((entry, replica), node.clone());
            }
        }
        state
    }

    fn bind(&mut self, key: PodKey, node: Arc<str>) {
        let _new = self.on_node.entry(node.clone()).or_default().insert(key);
        let _new = self.node_of.insert(key, node);
    }

    fn unbind(&mut self, key: PodKey) {
        if let Some(node) = self.node_of.remove(&key)
            && let Some(pods) = self.on_node.get_mut(&node)
        {
            let _was_there = pods.remove(&key);
        }
    }

    /// The entry of a pod.
    pub(super) fn pod(&self, key: PodKey) -> Option<&'p Pod> {
        self.facts.problem.pods.get(key.0)
    }

    /// The node on which a pod is.
    pub(super) fn node_of(&self, key: PodKey) -> Option<&Arc<str>> {
        self.node_of.get(&key)
    }

    /// The pods on a node, with their names.
    pub(super) fn pods_on(&self, node: &str) -> Vec<(PodKey, Arc<str>, &'p Pod)> {
        let keys = self.on_node.get(node).into_iter().flatten();
        let named = |key: &PodKey| {
            let pod = self.pod(*key)?;
            Some((*key, pod_name(pod, key.1), pod))
        };
        keys.filter_map(named).collect()
    }

    /// The moment of a wave in which its pods are bound.
    pub(super) fn step(&self, wave: &[ActionScript<'_>]) -> ReplayStep {
        let moves = || wave.iter().flat_map(|action| &action.moves);
        let arriving: BTreeSet<PodKey> = moves().map(|one| one.key).collect();
        let draining: BTreeSet<&str> =
            wave.iter().flat_map(|action| &action.delete).map(|(_, node)| &***node).collect();
        let mut leaving: BTreeMap<Arc<str>, Vec<Pod>> = BTreeMap::new();
        for key in &arriving {
            if let Some(node) = self.node_of.get(key).filter(|node| !draining.contains(&***node))
                && let Some(pod) = self.pod(*key)
            {
                leaving.entry(node.clone()).or_default().push(self.single(*key, pod));
            }
        }
        let (launches, bindings) = self.placed_by(wave);
        let placed: BTreeSet<&Arc<str>> = launches
            .iter()
            .flat_map(|one| &one.pods)
            .chain(bindings.iter().map(|one| &one.pod))
            .collect();
        let pending = moves().filter(|one| placed.contains(one.name)).map(|one| one.key).collect();
        let problem = self.document(&pending, &arriving, &draining);
        let own = wave.iter().flat_map(own_launches).collect();
        let (plan, own) = (LaunchPlan::of(launches, bindings), LaunchPlan::of(own, Vec::new()));
        ReplayStep { problem, plan, own, leaving }
    }

    /// The launches of a wave with the pods that come to them in it, and the pods that come to
    /// nodes that stand.
    ///
    /// A pod may go to a launch of another action of the wave, by its name, if that comes before
    /// its own.
    fn placed_by(&self, wave: &[ActionScript<'_>]) -> (Vec<Launch>, Vec<Binding>) {
        let mut launches: Vec<Launch> = Vec::new();
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        let mut bindings = Vec::new();
        for action in wave {
            let first = launches.len();
            for one in &action.action.launches {
                let _new = by_name.entry(&one.name).or_insert(launches.len());
                launches.push(Launch { pods: Vec::new(), ..one.launch.clone() });
            }
            for one in &action.moves {
                let launch = match one.to {
                    Destination::Launch(at) => first.checked_add(at),
                    Destination::Node(node, _) => by_name.get(&**node).copied(),
                };
                match (launch.and_then(|at| launches.get_mut(at)), one.to) {
                    (Some(launch), _) => launch.pods.push(one.name.clone()),
                    // Where it isn't there, that has been said.
                    (None, Destination::Node(node, _)) if self.nodes.contains_key(node) => {
                        bindings.push(Binding { pod: one.name.clone(), node: node.clone() });
                    }
                    _ => {}
                }
            }
        }
        (launches, bindings)
    }

    /// The launches of a wave to which more pods come later with all pods that ever come to them,
    /// as a problem of these pods alone and a plan for it; nothing where none come later.
    pub(super) fn with_later(
        &self,
        wave: &[ActionScript<'_>],
        later: &BTreeMap<&str, Vec<(PodKey, &Arc<str>)>>,
    ) -> Option<(Problem, LaunchPlan)> {
        if later.is_empty() {
            return None;
        }
        let (own, _) = self.placed_by(wave);
        let names = wave.iter().flat_map(|action| &action.action.launches).map(|one| &one.name);
        let mut pending: BTreeSet<PodKey> = BTreeSet::new();
        let mut launches = Vec::new();
        for (launch, name) in own.iter().zip(names) {
            let Some(more) = later.get(&**name) else { continue };
            let mut pods = launch.pods.clone();
            pods.extend(more.iter().map(|(_, pod)| Arc::clone(pod)));
            let keys = pods.iter().filter_map(|pod| self.facts.pod(pod));
            pending.extend(keys.map(|(entry, _, replica)| (entry, replica)));
            launches.push(Launch { pods, ..launch.clone() });
        }
        if launches.is_empty() {
            return None;
        }
        let mut problem = self.facts.problem.clone();
        let pods = pending.iter().filter_map(|key| Some(self.pending(*key, self.pod(*key)?)));
        problem.pods = pods.collect::<Vec<_>>().into();
        Some((problem, LaunchPlan::of(launches, Vec::new())))
    }

    /// One pod of an entry as it pends.
    ///
    /// It asks for what it will ask for once it is created anew, if it ran at home until now.
    fn pending(&self, key: PodKey, pod: &Pod) -> Pod {
        let mut single = self.single(key, pod);
        if pod.node_name.is_some() && single.node_name == pod.node_name {
            recreate(&mut single);
        }
        single.node_name = None;
        single
    }

    /// One pod of an entry, by itself.
    fn single(&self, key: PodKey, pod: &Pod) -> Pod {
        let mut single = pod.clone();
        if pod.replicas > 1 {
            single.name = format!("{}-{}", pod.name, key.1).into();
            single.replicas = 1;
        }
        single.node_name = self.node_of.get(&key).cloned();
        if pod.node_name.is_some() && single.node_name != pod.node_name {
            recreate(&mut single);
        }
        single
    }

    /// The problem of a moment: pods that are placed pend, pods that have been evicted and have no
    /// place aren't there, and neither are pending pods that aren't placed.
    fn document(
        &self,
        pending: &BTreeSet<PodKey>,
        evicted: &BTreeSet<PodKey>,
        draining: &BTreeSet<&str>,
    ) -> Problem {
        let given = self.facts.problem;
        let mut pods = Vec::with_capacity(given.pods.len());
        for (entry, pod) in given.pods.iter().enumerate() {
            let home = pod.node_name.as_ref().filter(|node| self.nodes.contains_key(&***node));
            if !self.touched.contains(&entry) {
                let is_there =
                    home.is_some_and(|node| !draining.contains(&**node) || !is_reschedulable(pod));
                pods.extend(is_there.then(|| pod.clone()));
                continue;
            }
            for replica in 0..pod.replicas.max(1) {
                let key = (entry, replica);
                if pending.contains(&key) {
                    pods.push(self.pending(key, pod));
                    continue;
                }
                let is_away = |node: &Arc<str>| draining.contains(&**node) && is_reschedulable(pod);
                if !evicted.contains(&key) && !self.node_of.get(&key).is_none_or(is_away) {
                    pods.push(self.single(key, pod));
                }
            }
        }
        let drained = |node: &Node| {
            let mut node = node.clone();
            if draining.contains(&*node.name) {
                node.taints.push(disruption_taint());
            }
            node
        };
        let mut problem = given.clone();
        problem.pods = pods.into();
        problem.nodes = self.nodes.values().map(drained).collect();
        if let Some(types) = self.instance_types() {
            problem.instance_types = types.into();
        }
        problem
    }

    /// The problem of this moment, without pods that pend.
    pub(super) fn now(&self) -> Problem {
        self.document(&BTreeSet::new(), &BTreeSet::new(), &BTreeSet::new())
    }

    /// The instance types with what reservations hold now; nothing where that is what they held.
    fn instance_types(&self) -> Option<Vec<InstanceType>> {
        if self.reserved.values().all(|more| *more == 0) {
            return None;
        }
        let mut types = self.facts.problem.instance_types.to_vec();
        let offerings = types.iter_mut().flat_map(|one| &mut one.offerings);
        for reservation in offerings.filter_map(|one| one.reservation.as_mut()) {
            let more = self.reserved.get(&reservation.id).copied().unwrap_or(0);
            let remaining = i64::from(reservation.remaining).saturating_add(more).max(0);
            reservation.remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
        }
        Some(types)
    }

    /// Carries a wave out.
    ///
    /// Names that mean nothing were reported and are passed over here, so that the rest can be
    /// judged.
    pub(super) fn carry_out(&mut self, wave: &[ActionScript<'_>]) {
        for action in wave {
            for launch in &action.action.launches {
                if let Some(id) = &launch.launch.template.offering.reservation {
                    let more = self.reserved.entry(id.clone()).or_default();
                    *more = more.saturating_sub(1);
                }
                if let Some(node) = self.launched(&launch.name, &launch.launch) {
                    let _new = self.nodes.entry(launch.name.clone()).or_insert(node);
                }
            }
            for one in &action.moves {
                self.unbind(one.key);
                let node = match one.to {
                    Destination::Launch(at) => {
                        action.action.launches.get(at).map(|launch| launch.name.clone())
                    }
                    Destination::Node(node, _) => Some(node.clone()),
                };
                if let Some(node) = node.filter(|node| self.nodes.contains_key(node)) {
                    self.bind(one.key, node);
                }
            }
            for (_, name) in &action.delete {
                if let Some(node) = self.nodes.remove(*name)
                    && let Some(id) = reservation_of(self.facts, &node)
                {
                    let more = self.reserved.entry(id).or_default();
                    *more = more.saturating_add(1);
                }
                for key in self.on_node.remove(*name).unwrap_or_default() {
                    let _was_there = self.node_of.remove(&key);
                }
            }
        }
    }

    /// The node that a launch becomes.
    fn launched(&self, name: &Arc<str>, launch: &Launch) -> Option<Node> {
        let template = &launch.template;
        let (_, instance_type) = self.facts.instance_type(&template.offering.instance_type)?;
        let allocatable: Resources = resource::allocatable(instance_type)
            .into_iter()
            .map(|(name, amount)| {
                let amount = u64::try_from(amount).unwrap_or(0);
                let per_unit =
                    if name == "cpu" { Quantity::from_millis } else { Quantity::from_units };
                (name, per_unit(amount))
            })
            .collect();
        let mut node = Node::new(name.clone(), allocatable).with_price(template.offering.price);
        node.labels = template.labels.as_ref().clone();
        node.taints.clone_from(&template.taints);
        node.volume_limits.clone_from(&instance_type.volume_limits);
        Some(node)
    }
}

/// The launches of an action, with pods that mean something.
fn own_launches(action: &ActionScript<'_>) -> Vec<Launch> {
    let launch = |(at, one): (usize, &NodeToLaunch)| {
        let own =
            action.moves.iter().filter(|pod| matches!(pod.to, Destination::Launch(to) if to == at));
        Launch { pods: own.map(|pod| pod.name.clone()).collect(), ..one.launch.clone() }
    };
    action.action.launches.iter().enumerate().map(launch).collect()
}

/// The pod asks for what it asks for once it is created anew.
pub(super) fn recreate(pod: &mut Pod) {
    if let Some(requests) = pod.recreated_requests.take() {
        pod.requests = requests;
    }
}

/// The reservation that a node of the problem holds, where its labels tell.
///
/// Labels rarely name the reservation; where all offerings that they fit are of one, that is it.
fn reservation_of(facts: &Facts<'_>, node: &Node) -> Option<Arc<str>> {
    if label::of_node(node).known.get(well_known::CAPACITY_TYPE).copied() != Some("reserved") {
        return None;
    }
    let offerings = offerings_of(facts, node);
    let mut ids = offerings.iter().map(|one| one.reservation.as_ref().map(|held| &held.id));
    let first = ids.next()??;
    ids.all(|id| id == Some(first)).then(|| first.clone())
}
