//! One node of the problem, judged again with the pods that the plan adds to it.
//!
//! Asked of it are the rules about a pod and a node (selector, required affinity, volumes' zones,
//! taints) and those about who shares a node (resources, host ports, attached volumes,
//! anti-affinity over hosts). A node that is being deleted takes nobody; one that is starting takes
//! pods as it will be.
//!
//! What runs there already isn't the plan's doing: a resource of which bound pods take too much is
//! reported only if the plan adds pods that want more of it. Daemons that are to run there and
//! aren't bound yet are counted in what is there.

use super::account::PodPlaces;
use super::facts::{EntryPods, Facts, pod_name};
use super::label;
use super::node_affinity::{Answer, PodNodeRules};
use super::resource::{self, Amounts};
use super::violation::{PlanPlace, Violation};
use super::{anti_affinity, host_port, taint, volume};
use crate::model::{Node, Pod};
use std::collections::BTreeMap;

/// Reports what is wrong with the pods that a plan adds to nodes.
pub(super) fn check<'a>(facts: &Facts<'a>, placement: &PodPlaces<'a>, out: &mut Vec<Violation>) {
    check_beside(facts, &bound(facts), placement, out);
}

/// Reports what is wrong with the pods that a plan adds to nodes beside those that are there.
pub(super) fn check_beside<'a>(
    facts: &Facts<'a>,
    bound: &BTreeMap<&'a str, Vec<EntryPods<'a>>>,
    placement: &PodPlaces<'a>,
    out: &mut Vec<Violation>,
) {
    for (at, groups) in &placement.nodes {
        if let Some(node) = facts.problem.nodes.get(*at) {
            let bound = bound.get(&*node.name).map_or(&[][..], |groups| groups);
            check_node(facts, node, bound, groups, out);
        }
    }
}

/// By name of a node, the pods that are bound to it.
pub(super) fn bound<'a>(facts: &Facts<'a>) -> BTreeMap<&'a str, Vec<EntryPods<'a>>> {
    let mut bound: BTreeMap<&str, Vec<EntryPods<'a>>> = BTreeMap::new();
    for (entry, pod) in facts.problem.pods.iter().enumerate() {
        if let Some(node) = &pod.node_name {
            let replicas = pod.replicas.max(1);
            bound.entry(node).or_default().push(EntryPods {
                pod,
                entry,
                count: u64::from(replicas),
                first: pod_name(pod, 0),
                last: pod_name(pod, replicas.saturating_sub(1)),
            });
        }
    }
    bound
}

/// Reports what is wrong with pods that a plan adds to a node beside the bound ones.
///
/// Everything that can be said of one node is reported; what is wrong with several rules is
/// reported for each.
pub(super) fn check_node<'a>(
    facts: &Facts<'a>,
    node: &'a Node,
    bound: &[EntryPods<'a>],
    groups: &[EntryPods<'a>],
    out: &mut Vec<Violation>,
) {
    let place = PlanPlace::Node(node.name.clone());
    if node.deleting
        && let Some(group) = groups.first()
    {
        let (pod, node) = (group.first.clone(), node.name.clone());
        out.push(Violation::NodeDeleting { pod, node });
    }
    let labels = label::of_node(node);
    let taints = taint::of_node(facts, node);
    for group in groups {
        taint::check(group.pod, &group.first, &place, taints.iter().copied(), out);
        PodNodeRules::of(group.pod).check(&labels, &group.first, &place, out);
    }
    check_room(facts, node, bound, groups, out);
    let others = bound.iter().map(|group| (group.first.clone(), group.pod));
    host_port::check(others, groups, &place, out);
    let daemons = daemons(facts, node).filter(|_| !node.deleting);
    let present = bound.iter().map(|group| group.pod).chain(daemons);
    volume::check(&node.volume_limits, present, groups, &place, out);
    anti_affinity::check(facts, bound, groups, &place, out);
}

/// The daemon sets that belong on a node.
///
/// Those whose taints and rules about nodes admit it: Kubernetes' controller places a pod of them
/// there sooner or later, whether one runs now or not.
pub(super) fn daemons<'a>(facts: &Facts<'a>, node: &'a Node) -> impl Iterator<Item = &'a Pod> {
    let labels = label::of_node(node);
    let taints = taint::of_node(facts, node);
    let daemons = facts.problem.daemon_sets.iter();
    daemons.filter(move |daemon| {
        taint::untolerated(daemon, taints.iter().copied()).is_none()
            && PodNodeRules::of(daemon).runs(&labels) == Answer::Yes
    })
}

/// Reports resources of which the added pods want more than bound pods, and daemons still to come,
/// leave.
///
/// Only resources that added pods ask for are compared, so that a node which bound pods overfill
/// with memory still takes a pod that wants none.
fn check_room<'a>(
    facts: &Facts<'a>,
    node: &'a Node,
    bound: &[EntryPods<'a>],
    groups: &[EntryPods<'a>],
    out: &mut Vec<Violation>,
) {
    let mut added = Amounts::new();
    for group in groups {
        resource::add(&mut added, group.pod, group.count);
    }
    let mut taken = Amounts::new();
    for group in bound {
        resource::add(&mut taken, group.pod, group.count);
    }
    if !node.deleting {
        resource::add_all(&mut taken, &held_back(facts, node, bound));
    }
    let allocatable = resource::rounded_down(&node.allocatable);
    for (name, amount) in added {
        let taken = taken.get(name).copied().unwrap_or(0);
        let requested = amount.saturating_add(taken);
        let there = allocatable.get(name).copied().unwrap_or(0);
        if amount > 0 && requested > there {
            out.push(Violation::Overfull {
                place: PlanPlace::Node(node.name.clone()),
                resource: name.into(),
                requested,
                allocatable: there,
            });
        }
    }
}

/// What daemon sets that belong on a node request, less what daemons on it request already.
///
/// By resource, and never below nothing: a daemon that runs already takes its part as a bound pod.
pub(super) fn held_back<'a>(
    facts: &Facts<'a>,
    node: &'a Node,
    bound: &[EntryPods<'a>],
) -> Amounts<'a> {
    let mut expected = Amounts::new();
    daemons(facts, node).for_each(|daemon| resource::add(&mut expected, daemon, 1));
    let mut running = Amounts::new();
    for group in bound.iter().filter(|one| one.pod.owner_kind.as_deref() == Some("DaemonSet")) {
        resource::add(&mut running, group.pod, group.count);
    }
    expected
        .into_iter()
        .map(|(name, amount)| {
            let running = running.get(name).copied().unwrap_or(0);
            (name, amount.saturating_sub(running).max(0))
        })
        .collect()
}
