//! One wave, judged: each action by rules of its own, and all of them together by today's rules.
//!
//! Of an action alone: each node that it deletes may go for its stated reason; every pod there that
//! runs on is moved, and no pod moves that may not; a destination stands, isn't about to go, is
//! settled and up to date; static pools get as many nodes as they lose.
//!
//! Of the wave as a whole: the cluster after it, with moved pods on their destinations, is written
//! as a launch plan for the problem as it was before the wave, and judged by the same functions as
//! any launch plan. So no rule about pods and nodes is stated twice in the checker. Budgets and
//! disruption budgets are counted over the wave, since its actions run at once.
//!
//! *Why as a launch plan.* The moment in which a wave's pods are bound is a problem like any other:
//! nodes that stand, pods that are bound, pods that pend, launches for them. So resources, ports,
//! volumes, taints, affinity, spreads, limits, reservations and weights are checked by the code
//! that checks launch plans, and only what is peculiar to disruption is checked here.
//!
//! *Cost.* That of a launch plan's check for each wave, and a look at each pod that moves.

use super::super::facts::{EntryPods, Facts, pod_name};
use super::super::limit::Usage;
use super::super::reservation::Reservations;
use super::super::site::Sites;
use super::super::violation::Violation;
use super::super::{account, launch, node, static_pool, topology, weight};
use super::budget::{Excess, PoolNodes, excess};
use super::eligibility::{self, are_ended, budget_name, budgets_of, pool_of};
use super::fault::ConsolidationFault as Fault;
use super::replay::{ReplayState, ReplayStep};
use super::script::{ActionScript, Destination, PodKey, PodMove, Script, fault, is_reschedulable};
use crate::model::{ConsolidationOptions, Pod, Problem};
use crate::plan::LaunchPlan;
use crate::plan::consolidation::DisruptionReason;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Reports pods that an action can't move so, or should have moved, and nodes that it can't delete.
pub(super) fn check_action(
    facts: &Facts<'_>,
    state: &ReplayState<'_, '_>,
    script: &Script<'_>,
    action: &ActionScript<'_>,
    options: &ConsolidationOptions,
    out: &mut Vec<Violation>,
) {
    let at = action.at;
    let moving: BTreeSet<PodKey> = action.moves.iter().map(|one| one.key).collect();
    for (i, name) in &action.delete {
        let path = format!("actions[{at}].delete[{i}]");
        let Some(node) = state.nodes.get(*name) else { continue };
        let pods = state.pods_on(name);
        let named: Vec<(Arc<str>, &Pod)> =
            pods.iter().map(|(_, name, pod)| (name.clone(), *pod)).collect();
        let (reason, bare) = (action.action.reason, options.bare_pods_move);
        for cause in eligibility::of_node(facts, node, &named, reason, bare) {
            let node = Arc::clone(name);
            out.push(fault(path.clone(), Fault::Ineligible { node, reason, cause }));
        }
        for (key, pod, found) in pods {
            if is_reschedulable(found) && !moving.contains(&key) {
                out.push(fault(path.clone(), Fault::PodLeftOut { pod, node: Arc::clone(name) }));
            }
        }
    }
    for one in &action.moves {
        check_move(facts, state, script, action, *one, options, out);
    }
    check_static(facts, state, action, out);
}

/// Reports a pod that can't be moved so.
///
/// A pod on a node that is going already may go anywhere that takes it: it has no choice. All
/// others go to nodes that have started, aren't promised, and stay.
fn check_move(
    facts: &Facts<'_>,
    state: &ReplayState<'_, '_>,
    script: &Script<'_>,
    action: &ActionScript<'_>,
    one: PodMove<'_>,
    options: &ConsolidationOptions,
    out: &mut Vec<Violation>,
) {
    let home = state.node_of(one.key);
    let is_deleted = |node: &str| action.delete.iter().any(|(_, name)| ***name == *node);
    let home_node = home.and_then(|name| state.nodes.get(name));
    // Pods of nodes that the action deletes are judged with these, and pods of nodes that are going
    // anyway have no choice.
    let is_ours = home_node.is_some_and(|node| !node.deleting && !is_deleted(&node.name));
    let path = match one.to {
        Destination::Launch(launch) => format!("actions[{}].launches[{launch}]", action.at),
        Destination::Node(_, binding) => format!("actions[{}].bindings[{binding}]", action.at),
    };
    let pod = || one.name.clone();
    if is_ours && let Some(found) = state.pod(one.key) {
        for cause in eligibility::of_pod(facts.problem, one.name, found, options.bare_pods_move) {
            out.push(fault(path.clone(), Fault::PodHeld { pod: pod(), cause }));
        }
    }
    let Destination::Node(name, _) = one.to else { return };
    let node = || name.clone();
    if script.is_launched(name, action.action.wave, action.at) {
        return;
    }
    let Some(destination) = state.nodes.get(name) else {
        let gone = script.deleted.contains(&**name);
        out.push(fault(
            path,
            match gone {
                true => Fault::DestinationDeleted { pod: pod(), node: node() },
                false => Fault::DestinationMissing { pod: pod(), node: node() },
            },
        ));
        return;
    };
    if script.deleted.contains(&**name) {
        out.push(fault(path.clone(), Fault::DestinationDeleted { pod: pod(), node: node() }));
    }
    if home == Some(name) {
        out.push(fault(path.clone(), Fault::PodStays { pod: pod(), node: node() }));
    }
    if home_node.is_some_and(|node| !node.deleting) {
        let managed = pool_of(facts, destination).is_some();
        if managed && !destination.initialized || destination.nominated {
            out.push(fault(path.clone(), Fault::DestinationUnsettled { pod: pod(), node: node() }));
        }
        if destination.drifted || destination.lifetime_remaining == 0 {
            out.push(fault(path, Fault::DestinationOutdated { pod: pod(), node: node() }));
        }
    }
}

/// Reports static pools that lose nodes without getting as many.
///
/// Launches and deletions of one action have to match, pool by pool, so that the number holds at
/// every moment.
fn check_static(
    facts: &Facts<'_>,
    state: &ReplayState<'_, '_>,
    action: &ActionScript<'_>,
    out: &mut Vec<Violation>,
) {
    let mut changes: BTreeMap<&Arc<str>, (u64, u64)> = BTreeMap::new();
    for (_, name) in &action.delete {
        let pool = state.nodes.get(*name).and_then(|node| pool_of(facts, node));
        if let Some(pool) = pool.filter(|pool| pool.replicas.is_some()) {
            changes.entry(&pool.name).or_default().0 += 1;
        }
    }
    for launch in &action.action.launches {
        let pool = facts.pool(&launch.launch.template.node_pool);
        if let Some((_, pool)) = pool.filter(|(_, pool)| pool.replicas.is_some()) {
            changes.entry(&pool.name).or_default().1 += 1;
        }
    }
    for (pool, (deleted, launched)) in changes {
        if deleted != launched {
            let wrong = Fault::StaticPool { node_pool: pool.clone(), deleted, launched };
            out.push(fault(format!("actions[{}]", action.at), wrong));
        }
    }
}

/// Reports budgets of pools and disruption budgets that a wave exceeds, and too many launches.
///
/// Counted are nodes that have started; those going already count as disrupted.
pub(super) fn check_budgets(
    facts: &Facts<'_>,
    state: &ReplayState<'_, '_>,
    wave: &[ActionScript<'_>],
    options: &ConsolidationOptions,
    out: &mut Vec<Violation>,
) {
    let Some(first) = wave.first() else { return };
    let (number, path) = (first.action.wave, format!("actions[{}].wave", first.at));
    let mut nodes: BTreeMap<&str, PoolNodes> = BTreeMap::new();
    for node in state.nodes.values().filter(|node| node.initialized) {
        if let Some(pool) = pool_of(facts, node) {
            let of_pool = nodes.entry(&pool.name).or_default();
            of_pool.total += 1;
            of_pool.going += u64::from(node.deleting);
        }
    }
    let mut deleted: BTreeMap<&str, BTreeMap<DisruptionReason, u64>> = BTreeMap::new();
    for action in wave {
        for (_, name) in &action.delete {
            if let Some(pool) = state.nodes.get(*name).and_then(|node| pool_of(facts, node)) {
                *deleted.entry(&pool.name).or_default().entry(action.action.reason).or_default() +=
                    1;
            }
        }
    }
    for (name, reasons) in deleted {
        let Some((_, pool)) = facts.pool(name) else { continue };
        let of_pool = nodes.get(name).copied().unwrap_or_default();
        if let Some(Excess { reason, disrupted, allowed }) =
            excess(pool, of_pool, &reasons, options.now)
        {
            let node_pool = pool.name.clone();
            let wave = number;
            let over = Fault::NodeBudget { wave, node_pool, reason, disrupted, allowed };
            out.push(fault(path.clone(), over));
        }
    }
    check_disruption_budgets(facts, state, wave, &path, out);
    let launched = wave.iter().map(|action| action.action.launches.len()).sum::<usize>();
    let launched = u64::try_from(launched).unwrap_or(u64::MAX);
    if let Some(most) = options.max_surge.map(u64::from).filter(|most| launched > *most) {
        out.push(fault(path, Fault::Surge { wave: number, launched, most }));
    }
}

/// Reports disruption budgets of which a wave evicts too many pods. More than a budget allows may
/// go only where all are on one node: its eviction takes several rounds then. Pods that are ended
/// in any case, and those of nodes that are going already, don't count.
fn check_disruption_budgets(
    facts: &Facts<'_>,
    state: &ReplayState<'_, '_>,
    wave: &[ActionScript<'_>],
    path: &str,
    out: &mut Vec<Violation>,
) {
    let mut evicted: BTreeMap<PodKey, (&Arc<str>, &Pod)> = BTreeMap::new();
    let mut ended: BTreeSet<&str> = BTreeSet::new();
    for action in wave {
        for (_, name) in &action.delete {
            let pool = state.nodes.get(*name).and_then(|node| pool_of(facts, node));
            if pool.is_some_and(|pool| are_ended(pool, action.action.reason)) {
                let _new = ended.insert(name);
            }
            for (key, _, pod) in state.pods_on(name) {
                let _new = evicted.insert(key, (*name, pod));
            }
        }
        for one in &action.moves {
            if let (Some(node), Some(pod)) = (state.node_of(one.key), state.pod(one.key)) {
                let _same = evicted.insert(one.key, (node, pod));
            }
        }
    }
    let free = |node: &str| {
        ended.contains(node) || state.nodes.get(node).is_some_and(|node| node.deleting)
    };
    // By budget and what it allows: the node of each pod that counts.
    let mut spent: BTreeMap<(Arc<str>, u32), Vec<&Arc<str>>> = BTreeMap::new();
    for (node, pod) in evicted.values().filter(|(node, _)| !free(node)) {
        for budget in budgets_of(facts.problem, pod) {
            let key = (budget_name(budget), budget.disruptions_allowed);
            spent.entry(key).or_default().push(node);
        }
    }
    for ((budget, allowed), nodes) in spent {
        let (evicted, allowed) =
            (u64::try_from(nodes.len()).unwrap_or(u64::MAX), u64::from(allowed));
        let is_alone = nodes.iter().all(|node| nodes.first() == Some(node));
        if evicted > allowed && !is_alone {
            let wave = wave.first().map_or(0, |action| action.action.wave);
            let over = Fault::PodBudget { wave, budget, evicted, allowed };
            out.push(fault(path, over));
        }
    }
}

/// Reports rules of launch plans that a wave breaks in the moment in which its pods are bound.
///
/// Launches state the requests of the pods that they name, and may get more in the same wave from
/// others, so requests are judged by themselves.
pub(super) fn check_step(step: &ReplayStep, wave: u32, out: &mut Vec<Violation>) {
    let facts = Facts::new(&step.problem);
    let mut sites = Sites::default();
    let mut found = Vec::new();
    let plan = &step.plan;
    let placement = account::check(&facts, plan, &mut found);
    let (launches, loads) = (&plan.launches, &placement.launches);
    let _lowered = launch::check(&facts, &mut sites, launches, loads, &mut found);
    check_requests(&facts, &step.own, &mut found);
    let mut bound = node::bound(&facts);
    for (name, pods) in &step.leaving {
        // What leaves takes its room until the wave is over.
        let ghosts = pods.iter().map(|pod| {
            let name = pod_name(pod, 0);
            EntryPods { pod, entry: usize::MAX, count: 1, first: name.clone(), last: name }
        });
        bound.entry(name).or_default().extend(ghosts);
    }
    node::check_beside(&facts, &bound, &placement, &mut found);
    let _judged = topology::check(&facts, &mut sites, (plan, &placement), &mut found);
    let usage = Usage::of(&facts, plan);
    usage.check(&facts, &mut found);
    let reservations = Reservations::of(&step.problem, plan);
    reservations.check(&mut found);
    let reservations = static_pool::check_wave(&facts, &mut sites, plan, &mut found);
    weight::check(&facts, &mut sites, launches, loads, (&usage, &reservations), &mut found);
    out.extend(found.into_iter().map(|violation| in_wave(wave, violation)));
}

/// Reports requests of launches that aren't those of the pods that they name, whatever else is
/// bound to them.
fn check_requests(facts: &Facts<'_>, own: &LaunchPlan, out: &mut Vec<Violation>) {
    let is_about_requests = |one: &Violation| matches!(one, Violation::RequestsWrong { .. });
    let mut said = Vec::new();
    let placement = account::check(facts, own, &mut said);
    let (launches, loads) = (&own.launches, &placement.launches);
    let _lowered = launch::check(facts, &mut Sites::default(), launches, loads, &mut said);
    out.retain(|one| !is_about_requests(one));
    out.extend(said.into_iter().filter(is_about_requests));
}

/// Reports launches that can't hold all pods that ever come to them, with every alternative.
pub(super) fn check_later(
    problem: &Problem,
    plan: &LaunchPlan,
    wave: u32,
    out: &mut Vec<Violation>,
) {
    let facts = Facts::new(problem);
    let mut found = Vec::new();
    let placement = account::check(&facts, plan, &mut found);
    let (launches, loads) = (&plan.launches, &placement.launches);
    let _lowered = launch::check(&facts, &mut Sites::default(), launches, loads, &mut found);
    // What a launch requests is that of the pods that it names.
    found.retain(|one| !matches!(one, Violation::RequestsWrong { .. }));
    out.extend(found.into_iter().map(|violation| in_wave(wave, violation)));
}

fn in_wave(wave: u32, violation: Violation) -> Violation {
    Violation::Wave { wave, violation: Box::new(violation) }
}
