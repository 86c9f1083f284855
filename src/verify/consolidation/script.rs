//! A plan's actions, read once: which nodes go, which pods go where, and which names mean anything.
//!
//! Every pod that the plan names is one of the problem, is named once, and isn't one that belongs
//! to its node; every node that it deletes is one of the problem, is deleted once, and is no pod's
//! destination. Waves count from 1 without a gap, and no action does nothing. Every other node is
//! kept, once, for a reason.
//!
//! *Why first.* Everything after it works with pods by entry and replica and with nodes by name,
//! each known and named once; what means nothing is reported here, with its path, and left out.

use super::super::facts::Facts;
use super::super::violation::Violation;
use super::fault::ConsolidationFault as Fault;
use crate::model::Pod;
use crate::plan::ConsolidationPlan;
use crate::plan::consolidation::ConsolidationAction;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A pod of the problem: the position of its entry, and which replica it is.
pub(super) type PodKey = (usize, u32);

/// What the actions do, with names that mean something.
pub(super) struct Script<'p> {
    pub(super) actions: Vec<ActionScript<'p>>,
    /// Every node of the problem that goes, by name.
    pub(super) deleted: BTreeSet<&'p str>,
    /// By name of a launch, its wave and the position of its action.
    launched: BTreeMap<&'p str, (u32, usize)>,
}

/// One action.
pub(super) struct ActionScript<'p> {
    /// Its position in the plan.
    pub(super) at: usize,
    pub(super) action: &'p ConsolidationAction,
    /// Nodes of the problem that it is the first to delete, with their positions in its list.
    pub(super) delete: Vec<(usize, &'p Arc<str>)>,
    /// Pods that it is the first to place.
    pub(super) moves: Vec<PodMove<'p>>,
}

/// A pod that is given a place.
#[derive(Clone, Copy)]
pub(super) struct PodMove<'p> {
    pub(super) key: PodKey,
    pub(super) name: &'p Arc<str>,
    pub(super) to: Destination<'p>,
}

/// Where a pod goes.
#[derive(Clone, Copy)]
pub(super) enum Destination<'p> {
    /// A launch of the action, by its position.
    Launch(usize),
    /// A node that is there, and the position of the binding.
    Node(&'p Arc<str>, usize),
}

/// A fault at a path.
pub(super) fn fault(path: impl Into<Arc<str>>, fault: Fault) -> Violation {
    Violation::Consolidation { path: path.into(), fault }
}

/// Whether a pod is created anew elsewhere when its node goes: those of daemon sets and mirror pods
/// aren't.
pub(super) fn is_reschedulable(pod: &Pod) -> bool {
    !matches!(pod.owner_kind.as_deref(), Some("DaemonSet" | "Node"))
}

impl<'p> Script<'p> {
    /// One pass over the actions in their order; names that launches take are unique over the whole
    /// plan, as later actions call them by these.
    pub(super) fn of(
        facts: &Facts<'_>,
        plan: &'p ConsolidationPlan,
        out: &mut Vec<Violation>,
    ) -> Self {
        let mut script =
            Self { actions: Vec::new(), deleted: BTreeSet::new(), launched: BTreeMap::new() };
        let mut placed: BTreeSet<PodKey> = BTreeSet::new();
        let mut former = 0;
        for (at, action) in plan.actions.iter().enumerate() {
            let wave = action.wave;
            let follows = wave == former || former.checked_add(1) == Some(wave);
            if !follows || wave == 0 {
                out.push(fault(
                    format!("actions[{at}].wave"),
                    Fault::WaveOutOfOrder { wave, former },
                ));
            }
            former = wave;
            if action.delete.is_empty() && action.launches.is_empty() && action.bindings.is_empty()
            {
                out.push(fault(format!("actions[{at}]"), Fault::ActionEmpty));
            }
            let mut delete = Vec::new();
            for (i, name) in action.delete.iter().enumerate() {
                let path = format!("actions[{at}].delete[{i}]");
                let node = name.clone();
                if facts.node(name).is_none() {
                    out.push(fault(path, Fault::NodeUnknown { node }));
                } else if !script.deleted.insert(name) {
                    out.push(fault(path, Fault::NodeDeletedTwice { node }));
                } else {
                    delete.push((i, name));
                }
            }
            for (i, launch) in action.launches.iter().enumerate() {
                let is_known = facts.node(&launch.name).is_some();
                let former = script.launched.insert(&launch.name, (wave, at));
                if is_known || former.is_some() {
                    let path = format!("actions[{at}].launches[{i}].name");
                    out.push(fault(path, Fault::LaunchName { node: launch.name.clone() }));
                }
            }
            let mut moves = Vec::new();
            for (path, name, to) in destinations(at, action) {
                let pod = name.clone();
                let Some((entry, found, replica)) = facts.pod(name) else {
                    out.push(fault(path, Fault::PodUnknown { pod }));
                    continue;
                };
                if !is_reschedulable(found) && found.node_name.is_some() {
                    out.push(fault(path, Fault::PodGoesWithNode { pod }));
                } else if !placed.insert((entry, replica)) {
                    out.push(fault(path, Fault::PodMovedTwice { pod }));
                } else {
                    moves.push(PodMove { key: (entry, replica), name, to });
                }
            }
            script.actions.push(ActionScript { at, action, delete, moves });
        }
        check_kept(facts, plan, &script.deleted, out);
        script
    }

    /// Whether a name is that of a launch of this or an earlier action of a wave.
    pub(super) fn is_launched(&self, name: &str, wave: u32, action: usize) -> bool {
        self.launched.get(name).is_some_and(|(of, at)| *of == wave && *at <= action)
    }
}

/// The pods that an action places, each with its path.
fn destinations<'p>(
    at: usize,
    action: &'p ConsolidationAction,
) -> impl Iterator<Item = (String, &'p Arc<str>, Destination<'p>)> {
    let launched = action.launches.iter().enumerate().flat_map(move |(launch, node)| {
        node.launch.pods.iter().enumerate().map(move |(i, pod)| {
            let path = format!("actions[{at}].launches[{launch}].pods[{i}]");
            (path, pod, Destination::Launch(launch))
        })
    });
    let bound = action.bindings.iter().enumerate().map(move |(i, binding)| {
        let path = format!("actions[{at}].bindings[{i}]");
        (path, &binding.pod, Destination::Node(&binding.node, i))
    });
    launched.chain(bound)
}

/// Reports nodes that aren't either deleted or kept once, for a reason.
fn check_kept(
    facts: &Facts<'_>,
    plan: &ConsolidationPlan,
    deleted: &BTreeSet<&str>,
    out: &mut Vec<Violation>,
) {
    let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, one) in plan.keep.iter().enumerate() {
        let (path, node) = (format!("keep[{at}]"), one.node.clone());
        if facts.node(&one.node).is_none() {
            out.push(fault(path, Fault::NodeUnknown { node }));
        } else if kept.insert(&one.node, at).is_some() || deleted.contains(&*one.node) {
            out.push(fault(path, Fault::KeptTwice { node }));
        } else if one.reasons.is_empty() {
            out.push(fault(path, Fault::ReasonMissing { node }));
        }
    }
    let nodes = facts.problem.nodes.iter().map(|node| &node.name);
    let silent = nodes.filter(|name| !deleted.contains(&***name) && !kept.contains_key(&***name));
    out.extend(silent.map(|node| fault("keep", Fault::NodeUnexplained { node: node.clone() })));
}
