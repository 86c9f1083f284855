//! The one form of a valid problem: current label keys, sorted lists.
//!
//! Two problems that mean the same should be one value: only then are plans independent of the
//! order in which parts were given, equal pods one class, and what-ifs comparable with fresh
//! problems. So a valid problem is brought to one form before anything reads it:
//!
//! | what | its form |
//! |---|---|
//! | lists whose order means nothing | sorted: by namespace and name, or whole |
//! | label keys | current ones ([`well_known::normalized`]) |
//! | an affinity without rules | none |
//! | an empty host address | `0.0.0.0` |
//! | limits of Kubernetes' largest quantity | none |
//! | what neighbours in a list have in common | in memory once |
//!
//! Spreads and terms of affinity keep their order: paths number them.
//! Sorting is stable, linear where the input is sorted, and never the reason that something is
//! refused: faults are found before, in the order that the caller gave.

use super::{
    Affinity, InstanceType, Labels, Node, NodePool, NodeSelectorTerm, Operator, Pod, Problem,
    ProblemBuilder, Quantity, Requirement, well_known,
};
use std::sync::Arc;

/// What pods are sorted by: a single pod comes before a set of replicas that is called the same.
pub(crate) fn order(pod: &Pod) -> (&Arc<str>, &Arc<str>, bool) {
    (&pod.namespace, &pod.name, pod.replicas > 1)
}

/// The positions of pods in their order; of equal ones that of position.
///
/// Time `O(n log n)` with comparisons of integers for nearly all pairs; `O(n)` for sorted input.
pub(super) fn pods_by_name(pods: &[Pod]) -> Vec<usize> {
    if pods.is_sorted_by_key(order) {
        return (0..pods.len()).collect();
    }
    let mut namespaces: Vec<&str> = pods.iter().map(|pod| &*pod.namespace).collect();
    namespaces.dedup();
    namespaces.sort_unstable();
    namespaces.dedup();
    // A million texts lie scattered in memory, so their order is decided without them where that is
    // possible: namespaces by rank, names by their start.
    let key = |(i, pod): (usize, &'_ Pod)| {
        let rank = namespaces.binary_search(&&*pod.namespace).unwrap_or_default();
        (rank, start(&pod.name), i)
    };
    let mut keys: Vec<(usize, u128, usize)> = pods.iter().enumerate().map(key).collect();
    let name = |i: usize| pods.get(i).map(|pod| &*pod.name);
    let is_set = |i: usize| pods.get(i).is_some_and(|pod| pod.replicas > 1);
    keys.sort_unstable_by(|a, b| {
        (a.0, a.1)
            .cmp(&(b.0, b.1))
            .then_with(|| name(a.2).cmp(&name(b.2)))
            .then_with(|| is_set(a.2).cmp(&is_set(b.2)))
            .then_with(|| a.2.cmp(&b.2))
    });
    keys.into_iter().map(|(_, _, i)| i).collect()
}

/// The first 16 bytes of a text as a number, in the order of texts.
///
/// A text that is shorter is filled with zeros, which no name contains.
fn start(text: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(text.bytes()).for_each(|(byte, b)| *byte = b);
    u128::from_be_bytes(bytes)
}

/// The problem of checked parts.
///
/// Every part is normalised first, since its form decides nothing about its name. The positions are
/// those that the checks have found already, so pods are sorted once.
pub(super) fn problem(mut parts: ProblemBuilder, pods_by_name: &[usize]) -> Problem {
    // What neighbours have in common they share, before and after.
    let mut former: Option<Pod> = None;
    for one in &mut parts.pods {
        pod(one);
        former.iter().for_each(|former| one.share(former));
        former = Some(one.clone());
    }
    parts.daemon_sets.iter_mut().for_each(pod);
    parts.instance_types.iter_mut().for_each(instance_type);
    parts.node_pools.iter_mut().for_each(node_pool);
    parts.nodes.iter_mut().for_each(node);

    parts.daemon_sets.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    parts.instance_types.sort_by(|a, b| a.name.cmp(&b.name));
    parts.node_pools.sort_by(|a, b| a.name.cmp(&b.name));
    parts.nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let budgets = &mut parts.pod_disruption_budgets;
    budgets.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    parts.namespaces.sort_by(|a, b| a.name.cmp(&b.name));

    permute(&mut parts.pods, pods_by_name);
    Problem {
        pods: parts.pods.into(),
        instance_types: parts.instance_types.into(),
        node_pools: parts.node_pools.into(),
        nodes: parts.nodes.into(),
        daemon_sets: parts.daemon_sets.into(),
        pod_disruption_budgets: parts.pod_disruption_budgets.into(),
        namespaces: parts.namespaces.into(),
    }
}

/// Puts the items of a list in the order that the positions say, each of them once, without a
/// second list beside it.
fn permute<T>(items: &mut [T], order: &[usize]) {
    let mut done = vec![false; items.len()];
    for start in 0..items.len() {
        // Each cycle of the order once around.
        let mut at = start;
        while let (Some(false), Some(&from)) = (done.get(at), order.get(at)) {
            done[at] = true;
            if from == start || from >= items.len() {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

/// ```text
/// beta.kubernetes.io/arch: arm64   ->  kubernetes.io/arch: arm64
/// hostIP: ""                       ->  hostIP: "0.0.0.0"
/// tolerations: [b, a]              ->  tolerations: [a, b]
/// affinity: {}                     ->  (none)
/// ```
pub(super) fn pod(pod: &mut Pod) {
    selector(pod);
    pod.tolerations.items_mut().sort();
    for port in pod.host_ports.items_mut() {
        if port.host_ip.is_empty() {
            port.host_ip = "0.0.0.0".into();
        }
    }
    if !pod.host_ports.is_empty() {
        pod.host_ports.items_mut().sort();
        pod.host_ports.to_mut().dedup();
    }
    for volume in pod.volumes.items_mut() {
        for term in &mut volume.node_selector_terms {
            requirements(&mut term.match_expressions);
        }
        volume.node_selector_terms.sort();
        volume.node_selector_terms.dedup();
        volume.zones.sort();
        volume.zones.dedup();
    }
    pod.volumes.items_mut().sort();
    for constraint in pod.topology_spread_constraints.items_mut() {
        key(&mut constraint.topology_key);
    }
    // An affinity that says nothing is none.
    pod.affinity = pod.affinity.take().filter(|rules| **rules != Affinity::default());
    if let Some(rules) = &mut pod.affinity {
        affinity(Arc::make_mut(rules));
    }
}

/// The node selector with current keys. Where an outdated name of a key asks for another value,
/// what it asks for becomes a condition of the node affinity: no node meets both.
fn selector(pod: &mut Pod) {
    let contradicts = |(key, value): &(&Arc<str>, &Arc<str>)| {
        let current = well_known::normalized(key);
        let stated = pod.node_selector.get(current);
        current != &***key && stated.is_some_and(|stated| stated != *value)
    };
    let others: Vec<Requirement> = pod
        .node_selector
        .iter()
        .filter(contradicts)
        .map(|(key, value)| Requirement::new(key.clone(), Operator::In, [value.clone()]))
        .collect();
    labels(&mut pod.node_selector);
    if others.is_empty() {
        return;
    }
    let rules = Arc::make_mut(pod.affinity.get_or_insert_default());
    let Some(terms) = &mut rules.node_affinity.required else {
        let term = NodeSelectorTerm { match_expressions: others, match_fields: Vec::new() };
        rules.node_affinity.required = Some(vec![term]);
        return;
    };
    // A term that says nothing matches no node, and stays as it is.
    let says_something = |term: &&mut NodeSelectorTerm| **term != NodeSelectorTerm::default();
    for term in terms.iter_mut().filter(says_something) {
        term.match_expressions.extend(others.iter().cloned());
    }
}

fn affinity(rules: &mut Affinity) {
    let node = &mut rules.node_affinity;
    let preferred_terms =
        node.preferred.iter_mut().map(|preferred_term| &mut preferred_term.preference);
    for term in node.required.iter_mut().flatten().chain(preferred_terms) {
        requirements(&mut term.match_expressions);
    }
    for rules in [&mut rules.pod_affinity, &mut rules.pod_anti_affinity] {
        let preferred_terms =
            rules.preferred.iter_mut().map(|preferred_term| &mut preferred_term.term);
        for term in rules.required.iter_mut().chain(preferred_terms) {
            key(&mut term.topology_key);
        }
    }
}

pub(super) fn instance_type(of_type: &mut InstanceType) {
    labels(&mut of_type.labels);
    requirements(&mut of_type.requirements);
    of_type.requirements.sort();
    for offering in &mut of_type.offerings {
        labels(&mut offering.labels);
    }
    of_type.offerings.sort();
}

/// A limit of Kubernetes' largest quantity is the usual way to write "none", and so it is none.
pub(super) fn node_pool(pool: &mut NodePool) {
    labels(&mut pool.labels);
    pool.taints.sort();
    pool.startup_taints.sort();
    requirements(&mut pool.requirements);
    pool.requirements.sort();
    // What Kubernetes' largest quantity limits isn't limited.
    if pool.limits.iter().any(|(_, most)| most >= Quantity::MAX) {
        let limits = pool.limits.iter().filter(|(_, most)| *most < Quantity::MAX);
        pool.limits = limits.map(|(name, most)| (name.clone(), most)).collect();
    }
    if let Some(names) = &mut pool.instance_types {
        names.sort();
    }
}

pub(super) fn node(node: &mut Node) {
    labels(&mut node.labels);
    node.taints.sort();
}

fn key(key: &mut Arc<str>) {
    let current = well_known::normalized(key);
    if current != &**key {
        *key = current.into();
    }
}

fn requirements(requirements: &mut [Requirement]) {
    for requirement in requirements {
        key(&mut requirement.key);
    }
}

fn labels(labels: &mut Labels) {
    if labels.iter().any(|(key, _)| well_known::normalized(key) != &**key) {
        *labels = labels
            .iter()
            .map(|(key, value)| (well_known::normalized(key), Arc::clone(value)))
            .collect();
    }
}
