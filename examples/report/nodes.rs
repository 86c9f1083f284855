//! What the nodes of a plan are and hold.

use plimsoll::model::{Resources, well_known};
use plimsoll::plan::{ConsolidationPlan, Launch};
use plimsoll::{LaunchPlan, Node, Pod, Price, Problem, Quantity};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Node pool, instance type, zone and capacity type.
pub(crate) type Kind<'a> = (&'a str, &'a str, &'a str, &'a str);

/// One node, to be launched or running.
pub(crate) struct NodeFacts {
    /// The node's name; of a launch its number.
    pub(crate) name: String,
    pub(crate) node_pool: String,
    pub(crate) instance_type: String,
    pub(crate) zone: String,
    pub(crate) capacity_type: String,
    /// Nothing where it isn't known.
    pub(crate) price: Option<Price>,
    pub(crate) is_running: bool,
    /// Whether a consolidation deletes it, or launched it.
    pub(crate) changes: bool,
    pub(crate) resources: Vec<ResourceFacts>,
    /// How many pods of each of the problem's entries it holds, daemon sets' of running nodes among
    /// them.
    pub(crate) workloads: BTreeMap<Arc<str>, usize>,
    pub(crate) pods: Vec<Arc<str>>,
}

/// What a node has of a resource.
pub(crate) struct ResourceFacts {
    pub(crate) name: Arc<str>,
    /// By pods and daemons.
    pub(crate) requested: Quantity,
    pub(crate) allocatable: Quantity,
    /// By daemons alone.
    pub(crate) daemons: Quantity,
}

impl NodeFacts {
    /// How full it is: the share that is requested of the scarcest resource.
    pub(crate) fn fullness(&self) -> f64 {
        let shares = self.resources.iter().map(ResourceFacts::share);
        shares.fold(0.0, f64::max)
    }

    /// What nodes of one kind have in common.
    pub(crate) fn kind(&self) -> Kind<'_> {
        (&self.node_pool, &self.instance_type, &self.zone, &self.capacity_type)
    }

    pub(crate) fn is_spot(&self) -> bool {
        self.capacity_type == "spot"
    }

    /// What the script shows of it.
    pub(crate) fn data(&self) -> Value {
        let resource = |one: &ResourceFacts| {
            let amounts = [one.requested, one.allocatable, one.free(), one.daemons];
            let texts: Vec<String> = amounts.iter().map(|one| shown(&one.to_string())).collect();
            json!([one.name, texts[0], texts[1], texts[2], texts[3], super::percent(one.share())])
        };
        json!({
            "name": self.name,
            "pool": self.node_pool,
            "is": format!("{} in {} ({})", self.instance_type, self.zone, self.capacity_type),
            "price": self.price.map_or("unknown".into(), super::dollars),
            "resources": self.resources.iter().map(resource).collect::<Vec<_>>(),
            "pods": self.workloads.iter().map(|(name, count)| json!([name, count])).collect::<Vec<_>>(),
        })
    }
}

impl ResourceFacts {
    pub(crate) fn free(&self) -> Quantity {
        self.allocatable.saturating_sub(self.requested)
    }

    /// Whether there is any of it, or should be.
    fn matters(&self) -> bool {
        self.allocatable > Quantity::ZERO || self.requested > Quantity::ZERO
    }

    fn share(&self) -> f64 {
        super::share(self.requested.nanos(), self.allocatable.nanos())
    }
}

/// A number of bytes in Gi where it is one.
fn shown(text: &str) -> String {
    match text.parse::<u64>() {
        Ok(bytes) if bytes >= 1 << 26 => format!("{:.1}Gi", bytes as f64 / f64::from(1 << 30)),
        _ => text.into(),
    }
}

/// The problem's entry of a pod that a plan names.
fn entry<'p>(problem: &'p Problem, pod: &str) -> Option<&'p Pod> {
    let (namespace, name) = pod.split_once('/')?;
    let is_set = |pod: &&Pod| pod.replicas() > 1;
    let single = problem.pod(namespace, name).filter(|pod| !is_set(pod));
    let set = || {
        let (stem, number) = name.rsplit_once('-')?;
        let _number: u32 = number.parse().ok()?;
        problem.pod(namespace, stem).filter(is_set)
    };
    single.or_else(set)
}

/// What a workload is called: the entry of a pod without the numbers and hashes of single pods.
fn workload(problem: &Problem, pod: &str) -> Arc<str> {
    match entry(problem, pod) {
        Some(entry) if entry.replicas() > 1 => {
            format!("{}/{}", entry.namespace(), entry.name()).into()
        }
        Some(entry) => match entry.labels().get("app") {
            Some(app) => format!("{}/{app}", entry.namespace()).into(),
            None => pod.into(),
        },
        None => pod.into(),
    }
}

/// What a pod requests, itself included as one of `pods`.
fn requests(problem: &Problem, pod: &str, moved: bool) -> Resources {
    let mut own = match entry(problem, pod) {
        Some(entry) if moved => entry.recreated_requests().clone(),
        Some(entry) => entry.requests().clone(),
        None => Resources::new(),
    };
    let _former = own.insert("pods", Quantity::from_units(1));
    own
}

fn sum<'a>(problem: &Problem, pods: impl Iterator<Item = &'a Arc<str>>, moved: bool) -> Resources {
    pods.fold(Resources::new(), |sum, pod| sum.saturating_add(&requests(problem, pod, moved)))
}

fn workloads(problem: &Problem, pods: &[Arc<str>]) -> BTreeMap<Arc<str>, usize> {
    let mut counts = BTreeMap::new();
    for pod in pods {
        *counts.entry(workload(problem, pod)).or_insert(0) += 1;
    }
    counts
}

/// Every resource that a node has or that is requested of it.
fn resources(
    allocatable: &Resources,
    requested: &Resources,
    daemons: &Resources,
) -> Vec<ResourceFacts> {
    let names = allocatable.iter().chain(requested.iter()).map(|(name, _)| name.clone());
    let mut names: Vec<Arc<str>> = names.collect();
    names.sort_unstable();
    names.dedup();
    let of = |list: &Resources, name: &str| list.get(name).unwrap_or(Quantity::ZERO);
    let facts = names.into_iter().map(|name| ResourceFacts {
        requested: of(requested, &name),
        allocatable: of(allocatable, &name),
        daemons: of(daemons, &name),
        name,
    });
    facts.filter(ResourceFacts::matters).collect()
}

/// A node to be launched; `more` come to it beside its own pods.
fn of_launch(problem: &Problem, name: String, launch: &Launch, more: &[Arc<str>]) -> NodeFacts {
    let template = launch.template();
    let offering = &template.offering;
    let own = sum(problem, launch.pods().iter(), true);
    let daemons = launch.requests().saturating_sub(&own);
    let comes = sum(problem, more.iter(), true);
    let of = |list: &Resources, name: &str| list.get(name).unwrap_or(Quantity::ZERO);
    let resources = launch.fullness(problem).into_iter().map(|full| ResourceFacts {
        requested: full.requested.saturating_add(of(&comes, &full.resource)),
        allocatable: full.allocatable,
        daemons: of(&daemons, &full.resource),
        name: full.resource,
    });
    let pods: Vec<Arc<str>> = launch.pods().iter().chain(more).cloned().collect();
    NodeFacts {
        name,
        node_pool: template.node_pool.to_string(),
        instance_type: offering.instance_type.to_string(),
        zone: offering.zone.to_string(),
        capacity_type: offering.capacity_type.to_string(),
        price: Some(offering.price),
        is_running: false,
        changes: true,
        resources: resources.filter(ResourceFacts::matters).collect(),
        workloads: workloads(problem, &pods),
        pods,
    }
}

/// A running node with what is bound to it and what comes to it.
fn of_running(problem: &Problem, node: &Node, stays: &[Arc<str>], comes: &[Arc<str>]) -> NodeFacts {
    let label = |key: &str| node.labels().get(key).map_or_else(String::new, ToString::to_string);
    let instance_type = label(well_known::INSTANCE_TYPE);
    let (zone, capacity_type) = (label(well_known::ZONE), label(well_known::CAPACITY_TYPE));
    let of_type = problem.instance_type(&instance_type);
    let offerings = of_type.into_iter().flat_map(|one| one.offerings());
    let offered = offerings
        .filter(|one| one.zone() == zone && one.capacity_type().as_str() == capacity_type)
        .map(|one| one.price())
        .min();
    let is_daemon = |pod: &&Arc<str>| {
        entry(problem, pod).is_some_and(|entry| entry.owner_kind() == Some("DaemonSet"))
    };
    let daemons = sum(problem, stays.iter().filter(is_daemon), false);
    let requested =
        sum(problem, stays.iter(), false).saturating_add(&sum(problem, comes.iter(), true));
    let pods: Vec<Arc<str>> = stays.iter().chain(comes).cloned().collect();
    NodeFacts {
        name: node.name().into(),
        node_pool: label(well_known::NODE_POOL),
        price: node.price().or(offered),
        instance_type,
        zone,
        capacity_type,
        is_running: true,
        changes: !comes.is_empty(),
        resources: resources(node.allocatable(), &requested, &daemons),
        workloads: workloads(problem, &pods),
        pods,
    }
}

/// What is bound to each running node.
fn bound(problem: &Problem) -> BTreeMap<&str, Vec<Arc<str>>> {
    let mut bound: BTreeMap<&str, Vec<Arc<str>>> =
        problem.nodes().iter().map(|node| (node.name(), Vec::new())).collect();
    for pod in problem.pods() {
        let Some(list) = pod.node_name().and_then(|name| bound.get_mut(name)) else { continue };
        let name = format!("{}/{}", pod.namespace(), pod.name());
        match pod.replicas() {
            0 | 1 => list.push(name.into()),
            several => list.extend((0..several).map(|at| format!("{name}-{at}").into())),
        }
    }
    bound
}

/// The nodes of a plan: those to launch, then those that run.
pub(crate) fn launched(problem: &Problem, plan: &LaunchPlan) -> Vec<NodeFacts> {
    let launches = plan.launches().iter().enumerate();
    let mut nodes: Vec<NodeFacts> = launches
        .map(|(at, launch)| of_launch(problem, format!("launch {at}"), launch, &[]))
        .collect();
    let mut comes: BTreeMap<&str, Vec<Arc<str>>> = BTreeMap::new();
    for binding in plan.bindings() {
        comes.entry(&binding.node).or_default().push(binding.pod.clone());
    }
    let bound = bound(problem);
    nodes.extend(problem.nodes().iter().map(|node| {
        let stays = bound.get(node.name()).map_or(&[][..], Vec::as_slice);
        let comes = comes.get(node.name()).map_or(&[][..], Vec::as_slice);
        of_running(problem, node, stays, comes)
    }));
    nodes
}

/// The nodes before and after a consolidation.
pub(crate) fn consolidated(
    problem: &Problem,
    plan: &ConsolidationPlan,
) -> (Vec<NodeFacts>, Vec<NodeFacts>) {
    let bound = bound(problem);
    let deleted: Vec<&Arc<str>> = plan.actions().iter().flat_map(|one| &one.delete).collect();
    let mut comes: BTreeMap<&str, Vec<Arc<str>>> = BTreeMap::new();
    for binding in plan.actions().iter().flat_map(|action| &action.bindings) {
        comes.entry(&binding.node).or_default().push(binding.pod.clone());
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for node in problem.nodes() {
        let stays = bound.get(node.name()).map_or(&[][..], Vec::as_slice);
        let goes = deleted.iter().any(|name| ***name == *node.name());
        before.push(NodeFacts { changes: goes, ..of_running(problem, node, stays, &[]) });
        if !goes {
            let comes = comes.get(node.name()).map_or(&[][..], Vec::as_slice);
            after.push(of_running(problem, node, stays, comes));
        }
    }
    for made in plan.actions().iter().flat_map(|action| &action.launches) {
        let own = made.launch.pods();
        let more = comes.get(&*made.name).map_or(&[][..], Vec::as_slice);
        let more: Vec<Arc<str>> = more.iter().filter(|pod| !own.contains(pod)).cloned().collect();
        after.push(of_launch(problem, made.name.to_string(), &made.launch, &more));
    }
    (before, after)
}
