//! Rules that the solver can't honour yet: named, never ignored.

use super::anti_affinity::Selection;
use super::taint;
use crate::error::InvalidInput;
use crate::model::{Effect, Pod, Problem, Taint, WhenUnsatisfiable, well_known};

/// The hard rules of a problem that can't be honoured yet, each with the first pod or pool that has it.
pub(crate) fn rules(problem: &Problem) -> Vec<InvalidInput> {
    let mut found = of_pods(problem, &RULES);
    if let Some(pool) = problem.node_pools.iter().find(|pool| pool.replicas.is_some()) {
        let path = format!("nodePools[{}].replicas", pool.name);
        found.push(finding(path, "replicas of a static pool"));
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

/// The wishes of a problem that can't be weighed yet, only ignored, each with the first that has it.
pub(crate) fn wishes(problem: &Problem) -> Vec<InvalidInput> {
    let mut found = of_pods(problem, &WISHES);
    let prefers = |taints: &[Taint]| {
        let soft = |taint: &&Taint| taint.effect == Effect::PreferNoSchedule;
        taints
            .iter()
            .filter(soft)
            .any(|taint| pending(problem).any(|pod| !taint::is_tolerated(taint, &pod.tolerations)))
    };
    if let Some(pool) = problem.node_pools.iter().find(|pool| prefers(&pool.taints)) {
        found.push(finding(format!("nodePools[{}].taints", pool.name), "effect PreferNoSchedule"));
    }
    if let Some(node) = problem.nodes.iter().find(|node| !node.deleting && prefers(&node.taints)) {
        found.push(finding(format!("nodes[{}].taints", node.name), "effect PreferNoSchedule"));
    }
    found
}

fn of_pods(problem: &Problem, rules: &[(&str, Applies)]) -> Vec<InvalidInput> {
    let first = |(rule, applies): &(&str, Applies)| {
        let pod = pending(problem).find(|pod| applies(pod))?;
        Some(finding(path_of(pod, rule), rule))
    };
    rules.iter().filter_map(first).collect()
}

fn pending(problem: &Problem) -> impl Iterator<Item = &Pod> {
    problem.pods.iter().filter(|pod| pod.node_name.is_none())
}

type Applies = fn(&Pod) -> bool;

const RULES: [(&str, Applies); 3] = [
    ("topologySpreadConstraints", |pod| spreads(pod, WhenUnsatisfiable::DoNotSchedule)),
    ("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.as_ref().is_some_and(|rules| !rules.pod_affinity.required.is_empty())
    }),
    ("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.iter().flat_map(|rules| &rules.pod_anti_affinity.required).any(over_wider)
    }),
];

const WISHES: [(&str, Applies); 4] = [
    ("topologySpreadConstraints", |pod| spreads(pod, WhenUnsatisfiable::ScheduleAnyway)),
    ("affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.as_ref().is_some_and(|rules| !rules.node_affinity.preferred.is_empty())
    }),
    ("affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.as_ref().is_some_and(|rules| !rules.pod_affinity.preferred.is_empty())
    }),
    ("affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution", |pod| {
        pod.affinity.as_ref().is_some_and(|rules| !rules.pod_anti_affinity.preferred.is_empty())
    }),
];

fn spreads(pod: &Pod, when: WhenUnsatisfiable) -> bool {
    pod.topology_spread_constraints.iter().any(|constraint| constraint.when_unsatisfiable == when)
}

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
