//! A consolidation's action as the evictions that carry it out.

use crate::model::{Pod, Problem};
use crate::plan::consolidation::ConsolidationAction;
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The evictions that empty the nodes that an action deletes: one for each pod that is bound to
/// them and isn't a daemon set's or the node's own, the least important first, then by name.
///
/// They are to be posted to each pod's `eviction` subresource, which holds them to the disruption
/// budgets, once the action's launches are ready and its nodes are cordoned.
///
/// # Examples
/// ```
/// use plimsoll::k8s::evictions;
/// use plimsoll::{InstanceType, Node, NodePool, Offering, Options, Pod, Problem, Resources, consolidate};
///
/// let size = Resources::parse([("cpu", "2"), ("pods", "29")])?;
/// let large = InstanceType::new("m7.large", size.clone())
///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
/// let node = |name: &str| {
///     Node::new(name, size.clone())
///         .with_label("node.kubernetes.io/instance-type", "m7.large")
///         .with_label("topology.kubernetes.io/zone", "eu-1a")
///         .with_label("karpenter.sh/capacity-type", "on-demand")
///         .with_label("karpenter.sh/nodepool", "default")
/// };
/// let half = Resources::parse([("cpu", "500m")])?;
/// let web = |name: &str, on: &str| {
///     let pod = Pod::new(name).with_requests(half.clone()).with_node_name(on);
///     pod.with_owner_kind("ReplicaSet")
/// };
/// let problem = Problem::builder()
///     .instance_type(large)
///     .node_pool(NodePool::new("default"))
///     .node(node("n1"))
///     .node(node("n2"))
///     .pod(web("a", "n1"))
///     .pod(web("b", "n2"))
///     .build()?;
/// let plan = consolidate(&problem, &Options::default())?;
/// let evicted = evictions(&problem, &plan.actions()[0]);
/// assert_eq!(evicted.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn evictions(problem: &Problem, action: &ConsolidationAction) -> Vec<Eviction> {
    let deleted: BTreeSet<&str> = action.delete.iter().map(|name| &**name).collect();
    let moves = |pod: &&Pod| {
        pod.node_name().is_some_and(|node| deleted.contains(node))
            && !matches!(pod.owner_kind(), Some("DaemonSet" | "Node"))
    };
    let mut names: Vec<(i32, &str, Arc<str>)> = Vec::new();
    for pod in problem.pods().iter().filter(moves) {
        match pod.replicas() {
            0 | 1 => names.push((pod.priority(), pod.namespace(), pod.name().into())),
            many => names.extend((0..many).map(|number| {
                (pod.priority(), pod.namespace(), format!("{}-{number}", pod.name()).into())
            })),
        }
    }
    names.sort();
    let eviction = |(_, namespace, name): (i32, &str, Arc<str>)| Eviction {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_string()),
            ..ObjectMeta::default()
        },
        ..Eviction::default()
    };
    names.into_iter().map(eviction).collect()
}
