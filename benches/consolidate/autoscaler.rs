//! Cluster Autoscaler's scale-down with its default flags, until nothing more is removable: nodes at
//! half their resources or less whose pods all fit elsewhere, in the order of the list, empty ones
//! first. It only deletes, and knows no prices.
//!
//! Every node counts as one of a group without a minimum, and timers as run out. Nodes and pools that
//! may not be disrupted aren't, as in the others: what is compared is how nodes are chosen.

use super::model::{Model, take};
use super::scheduler::simulate;
use super::{Outcome, Step};
use std::collections::BTreeSet;

const THRESHOLD_PERCENT: i128 = 50;

pub(crate) fn consolidate(mut model: Model) -> Outcome {
    let before = model.cost();
    let mut steps = Vec::new();
    let mut moved = 0;
    while let Some((node, bound)) = next(&model) {
        for (pod, to) in bound {
            model.pods[pod].node = Some(to);
            moved += 1;
        }
        model.nodes[node].gone = true;
        for pod in model.pods.iter_mut().filter(|pod| pod.node == Some(node)) {
            pod.node = None;
        }
        steps.push(Step { moved, cost: model.cost() });
    }
    Outcome { before, after: model.cost(), moved, nodes: model.standing(), steps }
}

/// The next node that goes, and where its pods go.
fn next(model: &Model) -> Option<(usize, Vec<(usize, usize)>)> {
    let mut nodes: Vec<usize> =
        (0..model.nodes.len()).filter(|at| is_candidate(model, *at)).collect();
    nodes.sort_by_key(|at| model.on(*at).any(|(_, pod)| pod.moves));
    nodes.into_iter().find_map(|at| {
        let simulation = simulate(model, &BTreeSet::from([at]))?;
        simulation.claims.is_empty().then_some((at, simulation.bound))
    })
}

fn is_candidate(model: &Model, at: usize) -> bool {
    let node = &model.nodes[at];
    let mut used = super::model::Amounts::new();
    for (_, pod) in model.on(at) {
        take(&mut used, &pod.requests);
    }
    let gpu = node.allocatable.keys().find(|name| name.ends_with("/gpu")).cloned();
    let counted = gpu.map_or(vec!["cpu".to_string(), "memory".to_string()], |gpu| vec![gpu]);
    let is_low = counted.iter().all(|name| {
        let all = node.allocatable.get(name).copied().unwrap_or(0);
        -used.get(name).copied().unwrap_or(0) * 100 <= all * THRESHOLD_PERCENT
    });
    let may_go = model.on(at).all(|(_, pod)| {
        // Bare pods, and those that a disruption budget or their own mark holds.
        !pod.moves
            || pod.owner.is_some()
                && !pod.held
                && pod.disruptions_allowed.is_none_or(|allowed| allowed > 0)
    });
    let is_empty = model.on(at).all(|(_, pod)| !pod.moves);
    let policy = node.pool.is_some_and(|pool| is_empty || !model.pools[pool].empty_only);
    !node.gone && node.eligible && policy && is_low && may_go
}
