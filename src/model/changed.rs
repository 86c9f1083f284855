//! A problem of which some parts are other than it says, while it stays as it is and is shared.
//!
//! What is changed is kept by name beside the problem: its lists are long, and a what-if changes
//! one entry or two. The problem is written out anew only where somebody asks for it
//! ([`Changed::problem`]).
//!
//! A change costs what it touches: looking a part up is a binary search in the problem's list or a
//! look into the maps of changes, and every check that [`build`](super::ProblemBuilder::build)
//! would make of the changed part is made, against the others as they are now. What is changed back
//! to what it was is no change, so a what-if that is undone compiles as the problem does.
//!
//! What can change: pods and nodes come and go, replicas are set, offerings of a type change in
//! availability, price and reservation, limits of pools are set or lifted. Types and pools
//! themselves neither come nor go.

use super::fault::{Faults, Path, quoted};
use super::{
    InstanceType, Node, NodePool, Offering, Pod, Price, Problem, Quantity, normal, validate,
};
use crate::error::{Error, InvalidInput};
use crate::model::CapacityType;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A problem, with what one must know of it to change it.
///
/// Made once per problem, in time linear in its pods; what-ifs share it.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) problem: Problem,
    /// For each node with bound pods their places in the list of pods, ascending.
    bound: BTreeMap<Arc<str>, Vec<usize>>,
    /// How many pods there are, replicas counted.
    pods: u64,
}

/// A pod's namespace and name, and whether it is a set of replicas: a set and a single pod may be
/// called the same.
pub(crate) type PodKey = (Arc<str>, Arc<str>, bool);

/// What is other than the problem says: what each part is now, or `None` where it is gone.
///
/// By key in the order of the problem's lists, so that writing the problem out is a merge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) pods: BTreeMap<PodKey, Option<Arc<Pod>>>,
    pub(crate) nodes: BTreeMap<Arc<str>, Option<Arc<Node>>>,
    /// By the place in the list of types, none of which goes or comes.
    pub(crate) instance_types: BTreeMap<usize, Arc<InstanceType>>,
    /// By the place in the list of pools, none of which goes or comes.
    pub(crate) node_pools: BTreeMap<usize, Arc<NodePool>>,
}

/// A problem with changes; clones share both.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) origin: Arc<Origin>,
    pub(crate) changes: Arc<Changes>,
    /// How many pods there are now, replicas counted.
    pods: u64,
}

impl Origin {
    pub(crate) fn new(problem: &Problem) -> Self {
        let mut bound: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (at, pod) in problem.pods.iter().enumerate() {
            match pod.node_name.as_ref().map(|name| (bound.get_mut(name), name)) {
                None => {}
                Some((Some(places), _)) => places.push(at),
                Some((None, name)) => {
                    let _new = bound.insert(name.clone(), vec![at]);
                }
            }
        }
        let pods = problem.pods.iter().map(|pod| u64::from(pod.replicas)).sum();
        Self { problem: problem.clone(), bound, pods }
    }

    /// The pod of a key in the problem as it was given: its place in the list.
    pub(crate) fn place_of(&self, (namespace, name, is_set): &PodKey) -> Option<usize> {
        let pods = &self.problem.pods;
        pods.binary_search_by(|pod| normal::order(pod).cmp(&(namespace, name, *is_set))).ok()
    }

    /// The place of a node in the problem as it was given.
    pub(crate) fn node_place(&self, name: &str) -> Option<usize> {
        self.problem.nodes.binary_search_by(|node| (*node.name).cmp(name)).ok()
    }

    fn node(&self, name: &str) -> Option<&Node> {
        self.problem.nodes.get(self.node_place(name)?)
    }
}

fn key_of(pod: &Pod) -> PodKey {
    (pod.namespace.clone(), pod.name.clone(), pod.replicas > 1)
}

/// Whether a pod goes with its node: those that a daemon set keeps there, and static pods of the
/// node's own, aren't created anew elsewhere.
///
/// Everything else has a controller that makes it anew, or is a bare pod that the caller moves.
fn goes_with_node(pod: &Pod) -> bool {
    matches!(pod.owner_kind.as_deref(), Some("DaemonSet" | "Node"))
}

/// The pod that is created anew for one that is evicted.
///
/// Pending, with the requests that it has when it comes back.
fn recreated(pod: &Pod) -> Pod {
    let mut pod = pod.clone();
    pod.node_name = None;
    if let Some(requests) = pod.recreated_requests.take() {
        pod.requests = requests;
    }
    pod
}

/// The error for a part that isn't there.
fn unknown(list: &str, name: &str, expected: &str) -> Error {
    let problem = format!("{} isn't one of the problem", quoted(name));
    Error::invalid(vec![InvalidInput::new(list, problem, expected)])
}

impl Changed {
    /// The problem as it is.
    pub(crate) fn new(origin: Arc<Origin>) -> Self {
        Self { pods: origin.pods, changes: Arc::new(Changes::default()), origin }
    }

    /// The problem written out, with its changes in it.
    ///
    /// Equal to what a builder would have made of the same parts: lists are sorted, parts
    /// normalised. Linear in the lists that have changed; the others are shared.
    pub(crate) fn problem(&self) -> Problem {
        let mut problem = self.origin.problem.clone();
        let changes = &*self.changes;
        if !changes.pods.is_empty() {
            let mut here: BTreeMap<usize, Option<&Arc<Pod>>> = BTreeMap::new();
            let mut new: Vec<Pod> = Vec::new();
            for (key, pod) in &changes.pods {
                match self.origin.place_of(key) {
                    Some(place) => {
                        let _none = here.insert(place, pod.as_ref());
                    }
                    None => new.extend(pod.as_deref().cloned()),
                }
            }
            let kept = problem.pods.iter().enumerate();
            let kept = kept.filter_map(|(at, pod)| match here.get(&at) {
                None => Some(pod.clone()),
                Some(changed) => changed.map(|pod| (**pod).clone()),
            });
            let mut pods: Vec<Pod> = kept.chain(new).collect();
            pods.sort_by(|a, b| normal::order(a).cmp(&normal::order(b)));
            problem.pods = pods.into();
        }
        if !changes.nodes.is_empty() {
            let kept = problem.nodes.iter().filter(|node| !changes.nodes.contains_key(&node.name));
            let new = changes.nodes.values().flatten().map(|node| (**node).clone());
            let mut nodes: Vec<Node> = kept.cloned().chain(new).collect();
            nodes.sort_by(|a, b| a.name.cmp(&b.name));
            problem.nodes = nodes.into();
        }
        if !changes.instance_types.is_empty() {
            let types = problem.instance_types.to_mut();
            for (at, instance_type) in &changes.instance_types {
                types[*at] = (**instance_type).clone();
            }
        }
        if !changes.node_pools.is_empty() {
            let pools = problem.node_pools.to_mut();
            for (at, pool) in &changes.node_pools {
                pools[*at] = (**pool).clone();
            }
        }
        problem
    }

    /// The node of a name.
    pub(crate) fn node(&self, name: &str) -> Option<&Node> {
        match self.changes.nodes.get(name) {
            Some(changed) => changed.as_deref(),
            None => self.origin.node(name),
        }
    }

    fn pod(&self, key: &PodKey) -> Option<&Pod> {
        match self.changes.pods.get(key) {
            Some(changed) => changed.as_deref(),
            None => self.origin.problem.pods.get(self.origin.place_of(key)?),
        }
    }

    /// The pods and sets of replicas that are bound to a node.
    ///
    /// By the index of the given problem, and of the changes those that are bound there.
    pub(crate) fn bound_to<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Pod> {
        let places = self.origin.bound.get(node).into_iter().flatten();
        let as_given = places.filter_map(|at| self.origin.problem.pods.get(*at));
        let as_given = as_given.filter(|pod| {
            self.changes.pods.is_empty() || !self.changes.pods.contains_key(&key_of(pod))
        });
        let changed = self.changes.pods.values().flatten().map(|pod| &**pod);
        as_given.chain(changed.filter(move |pod| pod.node_name.as_deref() == Some(node)))
    }

    /// Has a pod be another, or gone; what is as it was given is no change.
    ///
    /// Keeps the count of all pods, which has a limit.
    fn set_pod(&mut self, key: PodKey, pod: Option<Arc<Pod>>) {
        let former = self.pod(&key).map_or(0, |pod| u64::from(pod.replicas));
        let now = pod.as_ref().map_or(0, |pod| u64::from(pod.replicas));
        self.pods = self.pods.saturating_sub(former).saturating_add(now);
        let place = self.origin.place_of(&key);
        let given = place.and_then(|at| self.origin.problem.pods.get(at));
        let changes = Arc::make_mut(&mut self.changes);
        if given == pod.as_deref() {
            let _former = changes.pods.remove(&key);
        } else {
            let _former = changes.pods.insert(key, pod);
        }
    }

    fn set_node(&mut self, name: Arc<str>, node: Option<Arc<Node>>) {
        let same = self.origin.node(&name) == node.as_deref();
        let changes = Arc::make_mut(&mut self.changes);
        if same {
            let _former = changes.nodes.remove(&name);
        } else {
            let _former = changes.nodes.insert(name, node);
        }
    }

    /// Takes a node away: its pods are pending, but for those that go with it.
    ///
    /// # Errors
    /// There is no such node.
    pub(crate) fn remove_node(&mut self, name: &str) -> Result<(), Error> {
        let Some(node) = self.node(name) else {
            return Err(unknown("nodes", name, "a name of nodes"));
        };
        let name = node.name.clone();
        let pods: Vec<(PodKey, Option<Arc<Pod>>)> = self
            .bound_to(&name)
            .map(|pod| (key_of(pod), (!goes_with_node(pod)).then(|| Arc::new(recreated(pod)))))
            .collect();
        pods.into_iter().for_each(|(key, pod)| self.set_pod(key, pod));
        self.set_node(name, None);
        Ok(())
    }

    /// Adds a node.
    ///
    /// # Errors
    /// What a builder would say of it, its name being taken included.
    pub(crate) fn add_node(&mut self, mut node: Node) -> Result<(), Error> {
        let mut faults = Faults::default();
        let nodes = Path::Field(&Path::Root, "nodes");
        let path = nodes.key(&node.name);
        validate::node(&node, &path, &mut faults);
        if self.node(&node.name).is_some() {
            validate::taken(&node.name, &path, &mut faults);
        }
        faults.into_result(&validate::LISTS)?;
        normal::node(&mut node);
        self.set_node(node.name.clone(), Some(Arc::new(node)));
        Ok(())
    }

    /// Adds a pod or a set of replicas, pending or bound.
    pub(crate) fn add_pod(&mut self, mut pod: Pod) -> Result<(), Error> {
        self.check_pod(&pod, self.pods)?;
        normal::pod(&mut pod);
        self.set_pod(key_of(&pod), Some(Arc::new(pod)));
        Ok(())
    }

    /// Takes away what is called so: a pod, or a set of replicas.
    pub(crate) fn remove_pod(&mut self, namespace: &str, name: &str) -> Result<(), Error> {
        for key in self.called(namespace, name)? {
            self.set_pod(key, None);
        }
        Ok(())
    }

    /// Has a pod or a set of replicas be so many.
    ///
    /// A set of one is a single pod of that name, and the other way round; then its key changes.
    ///
    /// # Errors
    /// Nothing is called so, or two things are; the number isn't allowed; a name of a replica is
    /// taken.
    pub(crate) fn set_replicas(
        &mut self,
        namespace: &str,
        name: &str,
        replicas: u32,
    ) -> Result<(), Error> {
        let keys = self.called(namespace, name)?;
        let [key] = &keys[..] else {
            let problem = "a pod and a set of replicas are called so";
            let pods = format!("pods[{namespace}/{name}]");
            let fault = InvalidInput::new(pods, problem, "a name of one of them alone");
            return Err(Error::invalid(vec![fault]));
        };
        let Some(pod) = self.pod(key) else { return Ok(()) };
        let mut pod = pod.clone();
        let former = u64::from(std::mem::replace(&mut pod.replicas, replicas));
        let mut without = self.clone();
        without.set_pod(key.clone(), None);
        without.check_pod(&pod, self.pods.saturating_sub(former))?;
        without.set_pod(key_of(&pod), Some(Arc::new(pod)));
        *self = without;
        Ok(())
    }

    /// The pods of a name: one, or a single one and a set of replicas.
    fn called(&self, namespace: &str, name: &str) -> Result<Vec<PodKey>, Error> {
        let key = |is_set| (Arc::from(namespace), Arc::from(name), is_set);
        let mut keys: Vec<PodKey> = [key(false), key(true)].into();
        keys.retain(|key| self.pod(key).is_some());
        match keys.is_empty() {
            true => Err(unknown("pods", &format!("{namespace}/{name}"), "a name of pods")),
            false => Ok(keys),
        }
    }

    /// What [`ProblemBuilder::build`](super::ProblemBuilder::build) would find wrong with a pod
    /// that comes to so many others.
    fn check_pod(&self, pod: &Pod, others: u64) -> Result<(), Error> {
        let mut faults = Faults::default();
        let name = format!("{}/{}", pod.namespace, pod.name);
        let pods = Path::Field(&Path::Root, "pods");
        let path = pods.key(&name);
        validate::pod(pod, &path, &mut faults);
        if let Some(node) = &pod.node_name
            && self.node(node).is_none()
        {
            validate::unknown_node(node, &path, &mut faults);
        }
        validate::total(others.saturating_add(u64::from(pod.replicas)), &pods, &mut faults);
        if self.pod(&key_of(pod)).is_some() {
            validate::taken(&pod.name, &path, &mut faults);
        } else if let Some((replica, stem)) = self.clash(pod) {
            validate::name_of_replica(&replica, &stem, &path, &mut faults);
        }
        faults.into_result(&validate::LISTS)
    }

    /// A name that a pod would share: the name, and the stem of the replicas that have it.
    ///
    /// A single pod meets at most one set, that of its stem. A set meets single pods whose names
    /// begin with its own and a hyphen: these stand together in the sorted list, so few are looked
    /// at.
    fn clash(&self, pod: &Pod) -> Option<(Arc<str>, Arc<str>)> {
        if pod.replicas <= 1 {
            let (stem, number) = validate::stem_and_number(&pod.name)?;
            let stem: Arc<str> = stem.into();
            let set = self.pod(&(pod.namespace.clone(), stem.clone(), true))?;
            return (number < set.replicas).then(|| (pod.name.clone(), stem));
        }
        let is_replica = |other: &&Pod| {
            let number = validate::stem_and_number(&other.name);
            other.replicas <= 1
                && other.namespace == pod.namespace
                && number.is_some_and(|(stem, number)| *stem == *pod.name && number < pod.replicas)
        };
        let prefix = format!("{}-", pod.name);
        let key = (&*pod.namespace, &*prefix);
        let from =
            self.origin.problem.pods.partition_point(|one| (&*one.namespace, &*one.name) < key);
        let given = self.origin.problem.pods.get(from..)?.iter();
        let mut given = given
            .take_while(|one| one.namespace == pod.namespace && one.name.starts_with(&prefix))
            .filter(is_replica)
            .filter(|one| !self.changes.pods.contains_key(&key_of(one)));
        let mut new = self.changes.pods.values().flatten().map(|one| &**one).filter(is_replica);
        let other = given.next().or_else(|| new.next())?;
        Some((other.name.clone(), pod.name.clone()))
    }

    /// An instance type by its place in the list.
    pub(crate) fn instance_type(&self, at: usize) -> Option<&InstanceType> {
        let changed = self.changes.instance_types.get(&at).map(|of_type| &**of_type);
        changed.or_else(|| self.origin.problem.instance_types.get(at))
    }

    /// Changes the offerings of a type in a zone and of a capacity type.
    pub(crate) fn change_offerings(
        &mut self,
        (instance_type, zone, capacity_type): (&str, &str, CapacityType),
        change: impl Fn(&mut Offering),
    ) -> Result<(), Error> {
        let types = &self.origin.problem.instance_types;
        let at = types
            .binary_search_by(|of_type| (*of_type.name).cmp(instance_type))
            .map_err(|_| unknown("instanceTypes", instance_type, "a name of instanceTypes"))?;
        let is_meant = |one: &Offering| *one.zone == *zone && one.capacity_type == capacity_type;
        let changed = self.change_type(at, is_meant, change);
        match changed {
            true => Ok(()),
            false => {
                let list = format!("instanceTypes[{instance_type}].offerings");
                let way = format!("{zone} {capacity_type}");
                Err(unknown(&list, &way, "a zone and a capacityType in which it is offered"))
            }
        }
    }

    /// Changes any offerings of any types.
    pub(crate) fn change_each_offering(&mut self, change: impl Fn(&InstanceType, &mut Offering)) {
        for at in 0..self.origin.problem.instance_types.len() {
            let Some(of_type) = self.instance_type(at) else { continue };
            let mut changed = of_type.clone();
            changed.offerings.iter_mut().for_each(|one| change(of_type, one));
            if changed != *of_type {
                self.set_type(at, changed);
            }
        }
    }

    /// Sets the price of offerings.
    ///
    /// # Errors
    /// The price is out of range, or there is no such offering.
    pub(crate) fn set_price(
        &mut self,
        (instance_type, zone, capacity_type): (&str, &str, CapacityType),
        price: Price,
    ) -> Result<(), Error> {
        let mut faults = Faults::default();
        let types = Path::Field(&Path::Root, "instanceTypes");
        let of_type = types.key(instance_type);
        validate::price(price, &of_type.field("offerings").field("price"), &mut faults);
        faults.into_result(&validate::LISTS)?;
        self.change_offerings((instance_type, zone, capacity_type), |one| one.price = price)
    }

    /// Sets how many more nodes may use a reservation.
    ///
    /// All offerings that draw on it say the same afterwards.
    ///
    /// # Errors
    /// No offering draws on a reservation of this id.
    pub(crate) fn set_reservation(&mut self, id: &str, remaining: u32) -> Result<(), Error> {
        let draws = |one: &Offering| one.reservation.as_ref().is_some_and(|own| *own.id == *id);
        let types = self.origin.problem.instance_types.iter().enumerate();
        let drawing: Vec<usize> = types
            .filter(|(_, instance_type)| instance_type.offerings.iter().any(draws))
            .map(|(at, _)| at)
            .collect();
        if drawing.is_empty() {
            let list = "instanceTypes.offerings.reservation";
            return Err(unknown(list, id, "the id of a reservation"));
        }
        for at in drawing {
            let _some = self.change_type(at, draws, |one| {
                one.reservation.iter_mut().for_each(|own| own.remaining = remaining);
            });
        }
        Ok(())
    }

    /// Changes some offerings of a type; whether there are any.
    fn change_type(
        &mut self,
        at: usize,
        is_meant: impl Fn(&Offering) -> bool,
        change: impl Fn(&mut Offering),
    ) -> bool {
        let Some(instance_type) = self.instance_type(at) else { return false };
        let mut instance_type = instance_type.clone();
        let mut any = false;
        for offering in instance_type.offerings.iter_mut().filter(|one| is_meant(one)) {
            change(offering);
            any = true;
        }
        self.set_type(at, instance_type);
        any
    }

    /// Has a type be another; what is as it was given is no change.
    fn set_type(&mut self, at: usize, mut instance_type: InstanceType) {
        normal::instance_type(&mut instance_type);
        let same = self.origin.problem.instance_types.get(at) == Some(&instance_type);
        let changes = Arc::make_mut(&mut self.changes);
        let _former = match same {
            true => changes.instance_types.remove(&at),
            false => changes.instance_types.insert(at, Arc::new(instance_type)),
        };
    }

    /// Sets a pool's limit on a resource, or takes it away.
    ///
    /// # Errors
    /// There is no such pool, or it can't have this limit (a static one has none but of `nodes`).
    pub(crate) fn set_limit(
        &mut self,
        pool: &str,
        resource: &str,
        limit: Option<Quantity>,
    ) -> Result<(), Error> {
        let pools = &self.origin.problem.node_pools;
        let at = pools
            .binary_search_by(|one| (*one.name).cmp(pool))
            .map_err(|_| unknown("nodePools", pool, "a name of nodePools"))?;
        let changed = self.changes.node_pools.get(&at).map(|pool| &**pool);
        let Some(pool) = changed.or_else(|| pools.get(at)) else { return Ok(()) };
        let mut pool = pool.clone();
        match limit {
            Some(limit) => {
                let _former = pool.limits.insert(resource, limit);
            }
            None => {
                let others = pool.limits.iter().filter(|(name, _)| &***name != resource);
                pool.limits = others.map(|(name, most)| (name.clone(), most)).collect();
            }
        }
        let mut faults = Faults::default();
        let types: BTreeSet<&str> = self
            .origin
            .problem
            .instance_types
            .iter()
            .map(|instance_type| &*instance_type.name)
            .collect();
        let list = Path::Field(&Path::Root, "nodePools");
        validate::node_pool(&pool, Some(&types), &list.key(&pool.name), &mut faults);
        faults.into_result(&validate::LISTS)?;
        normal::node_pool(&mut pool);
        let same = self.origin.problem.node_pools.get(at) == Some(&pool);
        let changes = Arc::make_mut(&mut self.changes);
        let _former = match same {
            true => changes.node_pools.remove(&at),
            false => changes.node_pools.insert(at, Arc::new(pool)),
        };
        Ok(())
    }
}
