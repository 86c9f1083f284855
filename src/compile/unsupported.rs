//! Rules that the solver can't honour yet: named, never ignored.

use super::anti_affinity::Selection;
use crate::error::InvalidInput;
use crate::model::{Pod, Problem, well_known};

/// The rules of a problem that can't be honoured yet, each with the first pod or pool that has it.
pub(crate) fn rules(problem: &Problem) -> Vec<InvalidInput> {
    let mut found: Vec<InvalidInput> = Vec::new();
    if let Some(pool) = problem.node_pools.iter().find(|pool| pool.replicas.is_some()) {
        let path = format!("nodePools[{}].replicas", pool.name);
        found.push(finding(path, "replicas of a static pool"));
    }
    for (rule, applies) in RULES {
        let pending = problem.pods.iter().filter(|pod| pod.node_name.is_none());
        if let Some(pod) = pending.clone().find(|pod| applies(pod)) {
            found.push(finding(path_of(pod, rule), rule));
        }
    }
    if let Some(pod) = bound_owner(problem) {
        let rule = "affinity.podAntiAffinity";
        found.push(finding(
            path_of(pod, rule),
            "anti-affinity of a bound pod over another key than kubernetes.io/hostname",
        ));
    }
    found
}

type Applies = fn(&Pod) -> bool;

const RULES: [(&str, Applies); 6] = [
    ("topologySpreadConstraints", |pod| !pod.topology_spread_constraints.is_empty()),
    ("affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.as_ref().is_some_and(|rules| !rules.node_affinity.preferred.is_empty())
    }),
    ("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.as_ref().is_some_and(|rules| !rules.pod_affinity.required.is_empty())
    }),
    ("affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.as_ref().is_some_and(|rules| !rules.pod_affinity.preferred.is_empty())
    }),
    ("affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.as_ref().is_some_and(|rules| !rules.pod_anti_affinity.preferred.is_empty())
    }),
    ("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.iter().flat_map(|rules| &rules.pod_anti_affinity.required).any(over_wider)
    }),
];

fn over_wider(term: &crate::model::PodAffinityTerm) -> bool {
    &*term.topology_key != well_known::HOSTNAME
}

/// A bound pod whose anti-affinity over zones or the like selects a pending pod.
fn bound_owner(problem: &Problem) -> Option<&Pod> {
    problem.pods.iter().filter(|pod| pod.node_name.is_some()).find(|pod| {
        let terms = pod.affinity.iter().flat_map(|rules| &rules.pod_anti_affinity.required);
        terms.filter(|term| over_wider(term)).any(|term| {
            let selection = Selection::of(term, pod, problem);
            let mut pending = problem.pods.iter().filter(|pod| pod.node_name.is_none());
            pending.any(|pod| selection.selects(pod))
        })
    })
}

fn path_of(pod: &Pod, rule: &str) -> String {
    format!("pods[{}/{}].{rule}", pod.namespace, pod.name)
}

fn finding(path: String, rule: &str) -> InvalidInput {
    InvalidInput::new(path, format!("{rule} can't be honoured yet"), "a problem without it")
}
