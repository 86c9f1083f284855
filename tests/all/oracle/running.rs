//! What runs already: what still fits on a node, and what a pool's nodes use of its limits.

use super::document::{Amounts, Document, Node, Pod};
use super::rules::{kept_apart, ports_clash, reaches, selects, standing_taints, tolerates};
use std::collections::BTreeSet;

/// Whether a node can take exactly these pods on top of those bound to it.
pub(crate) fn takes(document: &Document, node: &Node, pods: &[&Pod]) -> bool {
    if pods.is_empty() {
        return true;
    }
    let taints = standing_taints(document, node);
    let admits = |pod: &Pod| {
        tolerates(pod, taints.iter().copied()) && selects(pod, &node.labels, Some(&node.name))
    };
    let bound: Vec<&Pod> =
        document.bound.iter().filter(|p| p.node.as_ref() == Some(&node.name)).collect();
    let daemons: Vec<&Pod> = document.daemons.iter().filter(|d| admits(d)).collect();
    let sum = |pods: &mut dyn Iterator<Item = &&Pod>, name: &String| -> i64 {
        pods.filter_map(|p| p.requests.get(name)).sum()
    };
    let fits = |name: &String| {
        let expected = sum(&mut daemons.iter(), name);
        let present = sum(&mut bound.iter().filter(|p| p.daemon), name);
        let held_back = (expected - present).max(0);
        let (taken, asked) = (sum(&mut bound.iter(), name), sum(&mut pods.iter(), name));
        // What bound pods take too much of matters only to pods that ask for more of it.
        asked == 0 || taken + held_back + asked <= *node.allocatable.get(name).unwrap_or(&0)
    };
    let others = |i: usize| bound.iter().chain(&pods[..i]);
    !node.deleting
        && pods.iter().all(|pod| admits(pod) && reaches(pod, &node.labels))
        && pods.iter().flat_map(|p| p.requests.keys()).all(fits)
        && (0..pods.len()).all(|i| {
            let apart = |o: &&Pod| !ports_clash(pods[i], o) && !kept_apart(document, pods[i], o);
            others(i).all(apart)
        })
        && node.volume_limits.iter().all(|(driver, most)| {
            let volumes = |p: &&Pod| -> BTreeSet<String> {
                let of_driver = p.volumes.iter().filter(|(d, _, _)| d == driver);
                of_driver.map(|(_, id, _)| id.clone()).collect()
            };
            let attached: BTreeSet<String> = bound.iter().chain(pods).flat_map(volumes).collect();
            let new = pods.iter().any(|p| !volumes(p).is_empty());
            !new || attached.len() <= *most
        })
}

/// What is left of a pool's limits beside what its running nodes use.
pub(crate) fn room(document: &Document, pool: usize) -> Amounts {
    let pool = &document.pools[pool];
    let mut room = pool.limits.clone();
    for node in &document.nodes {
        if node.labels.get("karpenter.sh/nodepool") != Some(&pool.name) {
            continue;
        }
        let type_name = node.labels.get("node.kubernetes.io/instance-type");
        let ty = document.types.iter().find(|t| Some(&t.name) == type_name);
        let uses = ty.map_or(&node.allocatable, |t| &t.capacity);
        for (name, left) in &mut room {
            *left -= if name == "nodes" { 1 } else { *uses.get(name).unwrap_or(&0) };
        }
    }
    room
}
