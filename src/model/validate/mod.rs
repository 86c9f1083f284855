//! The checks that a problem must pass, each fault with its path.
//!
//! The checks read the parts as they were given, so that paths count in the caller's order. What
//! makes a name a duplicate is found by sorting, not by maps of names: a million pods are many.
//!
//! # What is checked where
//!
//! | file | what |
//! |---|---|
//! | `name` | names, label keys and label values |
//! | `unique` | names that occur twice, names of replicas |
//! | `pod`, `affinity`, `taint` | what pods ask for, and Kubernetes' scheduling rules |
//! | `pool`, `requirement` | who may buy what |
//! | `supply`, `resource` | types, offerings, nodes, amounts and prices |
//! | `overlay` | price overlays |
//!
//! What is checked is what the API servers of Kubernetes and Karpenter check, so that a problem
//! says nothing that a cluster couldn't; and limits that keep arithmetic in range (10,000,000 pods,
//! prices up to 100,000, quantities up to 2^60), so that nothing later has to ask. Each check goes
//! on after a fault. The time is that of sorting names.

mod affinity;
mod name;
mod overlay;
mod pod;
mod pool;
mod requirement;
mod resource;
mod supply;
mod taint;
mod unique;

use super::ProblemBuilder;
use super::fault::{Faults, Path, quoted};
#[cfg(feature = "serde")]
pub(super) use overlay::check as overlay;
pub(super) use overlay::{overlay_labels, overlays};
pub(crate) use pod::MOST_PODS;
pub(crate) use pod::pod;
pub(crate) use pool::node_pool;
pub(super) use resource::price;
use std::collections::BTreeSet;
pub(crate) use supply::node;
pub(super) use unique::{name_of_replica, stem_and_number, taken};

/// The lists of a problem in the order of its document.
pub(crate) const LISTS: [&str; 7] = [
    "pods",
    "instanceTypes",
    "nodePools",
    "nodes",
    "daemonSets",
    "podDisruptionBudgets",
    "namespaces",
];

/// Checks every part of a problem; `pods_by_name` has the positions of its pods in name order.
///
/// References are asked only where all names of the other list could be read.
pub(super) fn check(parts: &ProblemBuilder, pods_by_name: &[usize], faults: &mut Faults) {
    let [pods, types, pools, nodes, daemons, budgets, namespaces] =
        LISTS.map(|list| Path::Field(&Path::Root, list));
    check_pods(parts, pods_by_name, &pods, faults);

    for (i, instance_type) in parts.instance_types.iter().enumerate() {
        supply::instance_type(instance_type, &types.item(i), faults);
    }
    unique::names(
        parts.instance_types.iter().map(|instance_type| ("", &*instance_type.name)),
        &types,
        faults,
    );

    let type_names: Option<BTreeSet<&str>> = faults
        .knows_names_of("instanceTypes")
        .then(|| parts.instance_types.iter().map(|instance_type| &*instance_type.name).collect());
    for (i, pool) in parts.node_pools.iter().enumerate() {
        node_pool(pool, type_names.as_ref(), &pools.item(i), faults);
    }
    unique::names(parts.node_pools.iter().map(|pool| ("", &*pool.name)), &pools, faults);

    for (i, node) in parts.nodes.iter().enumerate() {
        supply::node(node, &nodes.item(i), faults);
    }
    unique::names(parts.nodes.iter().map(|node| ("", &*node.name)), &nodes, faults);

    for (i, daemon) in parts.daemon_sets.iter().enumerate() {
        pod::daemon_set(daemon, &daemons.item(i), faults);
    }
    let names = parts.daemon_sets.iter().map(|daemon| (&*daemon.namespace, &*daemon.name));
    unique::names(names, &daemons, faults);

    for (i, budget) in parts.pod_disruption_budgets.iter().enumerate() {
        let at = budgets.item(i);
        name::object_name(&budget.name, &at.field("name"), faults);
        name::object_name(&budget.namespace, &at.field("namespace"), faults);
        if let Some(selector) = &budget.selector {
            requirement::selector(selector, &at.field("selector"), faults);
        }
    }
    let names =
        parts.pod_disruption_budgets.iter().map(|budget| (&*budget.namespace, &*budget.name));
    unique::names(names, &budgets, faults);

    for (i, namespace) in parts.namespaces.iter().enumerate() {
        let at = namespaces.item(i);
        name::object_name(&namespace.name, &at.field("name"), faults);
        requirement::labels(&namespace.labels, &at.field("labels"), faults);
    }
    unique::names(parts.namespaces.iter().map(|space| ("", &*space.name)), &namespaces, faults);
}

/// Replicas are counted, since all of them may end as single lines of a plan.
fn check_pods(parts: &ProblemBuilder, by_name: &[usize], path: &Path<'_>, faults: &mut Faults) {
    let nodes: Option<BTreeSet<&str>> = faults
        .knows_names_of("nodes")
        .then(|| parts.nodes.iter().map(|node| &*node.name).collect());
    let mut total: u64 = 0;
    for (i, part) in parts.pods.iter().enumerate() {
        let at = path.item(i);
        pod(part, &at, faults);
        if let (Some(node), Some(nodes)) = (part.node_name.as_deref(), &nodes)
            && !nodes.contains(node)
        {
            unknown_node(node, &at, faults);
        }
        if part.replicas <= MOST_PODS {
            total = total.saturating_add(u64::from(part.replicas));
        }
    }
    self::total(total, path, faults);
    unique::pods(&parts.pods, by_name, path, faults);
}

/// The fault of a pod that is bound to a node that isn't there.
pub(super) fn unknown_node(node: &str, path: &Path<'_>, faults: &mut Faults) {
    faults.add(
        &path.field("nodeName"),
        format!("{} isn't a node of the problem", quoted(node)),
        "a name of nodes",
    );
}

/// Checks how many pods there are in all, replicas counted.
pub(super) fn total(pods: u64, path: &Path<'_>, faults: &mut Faults) {
    if pods > u64::from(MOST_PODS) {
        faults.add(
            path,
            format!("{pods} pods, replicas counted"),
            format!("at most {MOST_PODS} in all"),
        );
    }
}
