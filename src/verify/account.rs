//! Accounting, done again: every pending pod has exactly one place, or is listed as having none.
//!
//! An entry of `replicas` pods stands for `name-0` to `name-(n-1)`, and each of them is accounted
//! for by itself. A plan may not name a pod that the problem doesn't have, nor one that is bound
//! already; may not name one twice, be it on a launch, on a node or among those left out; and may
//! not forget one: a pod without a place must be said to have none, with at least one reason. A
//! launch without pods is refused unless its pool is static.
//!
//! What is returned is the plan's placement by entry, on which all further rules are judged: pods
//! of one entry are the same in every rule, so a million of them are a few hundred counts.
//!
//! *Example.* `web` of three replicas; the plan launches `web-0` and `web-1`, and lists `web-1` as
//! unschedulable too. Reported are `web-1`, which is mentioned twice, and `web-2`, which is
//! missing.
//!
//! *Cost.* One look-up by name for each pod that the plan names, and a sort of the replicas of each
//! entry.

use super::facts::{EntryPods, Facts, pod_name};
use super::violation::{PlanPlace, Violation};
use crate::plan::LaunchPlan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a plan puts the pods of the problem.
///
/// It has only what could be entered: a pod that isn't the problem's, or is bound, was reported and
/// is in no list, so that later rules needn't ask again.
#[derive(Debug, Default)]
pub(super) struct PodPlaces<'a> {
    /// By launch, in the plan's order, the pods that go there by entry.
    pub(super) launches: Vec<Vec<EntryPods<'a>>>,
    /// By position of a node of the problem, the pods that the plan adds by entry.
    pub(super) nodes: BTreeMap<usize, Vec<EntryPods<'a>>>,
    /// Pods of which it isn't said where they are, by entry.
    pub(super) anywhere: Vec<EntryPods<'a>>,
    pub(super) launched: u64,
    pub(super) bound: u64,
    pub(super) unschedulable: u64,
}

struct Account<'f, 'a> {
    facts: &'f Facts<'a>,
    /// By entry, the replicas that the plan mentions.
    mentioned: BTreeMap<usize, Vec<u32>>,
}

/// Reports pods that aren't in the plan exactly once, and says where the others are.
///
/// Bindings to nodes that the problem doesn't have are reported and entered nowhere; their pods
/// still count as mentioned.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    plan: &LaunchPlan,
    out: &mut Vec<Violation>,
) -> PodPlaces<'a> {
    let mut account = Account { facts, mentioned: BTreeMap::new() };
    let mut placement = PodPlaces::default();
    for (at, launch) in plan.launches.iter().enumerate() {
        let is_static =
            facts.pool(&launch.template.node_pool).is_some_and(|(_, pool)| pool.replicas.is_some());
        if launch.pods.is_empty() && !is_static {
            out.push(Violation::LaunchEmpty { launch: at });
        }
        let mut pods = BTreeMap::new();
        for name in &launch.pods {
            placement.launched +=
                u64::from(account.enter(name, &PlanPlace::Launch(at), &mut pods, out));
        }
        placement.launches.push(pods.into_values().collect());
    }
    let mut nodes: BTreeMap<usize, BTreeMap<usize, EntryPods<'a>>> = BTreeMap::new();
    for binding in &plan.bindings {
        let place = PlanPlace::Node(binding.node.clone());
        let mut nowhere = BTreeMap::new();
        let pods = match facts.node(&binding.node) {
            Some((at, _)) => nodes.entry(at).or_default(),
            None => {
                let (pod, node) = (binding.pod.clone(), binding.node.clone());
                out.push(Violation::NodeUnknown { pod, node });
                &mut nowhere
            }
        };
        placement.bound += u64::from(account.enter(&binding.pod, &place, pods, out));
    }
    placement.nodes =
        nodes.into_iter().map(|(at, pods)| (at, pods.into_values().collect())).collect();
    for pod in &plan.unschedulable {
        if pod.reasons.is_empty() {
            out.push(Violation::ReasonMissing { pod: pod.pod.clone() });
        }
        let entered = account.enter(&pod.pod, &PlanPlace::Unschedulable, &mut BTreeMap::new(), out);
        placement.unschedulable += u64::from(entered);
    }
    account.close(out);
    placement
}

impl<'a> Account<'_, 'a> {
    /// Enters one mention of a pod; whether it is a pending pod of the problem.
    fn enter(
        &mut self,
        name: &Arc<str>,
        place: &PlanPlace,
        pods: &mut BTreeMap<usize, EntryPods<'a>>,
        out: &mut Vec<Violation>,
    ) -> bool {
        let Some((entry, pod, replica)) = self.facts.pod(name) else {
            out.push(Violation::PodUnknown { pod: name.clone(), place: place.clone() });
            return false;
        };
        if pod.node_name.is_some() {
            out.push(Violation::PodBound { pod: name.clone(), place: place.clone() });
            return false;
        }
        self.mentioned.entry(entry).or_default().push(replica);
        let group = pods.entry(entry).or_insert_with(|| EntryPods {
            pod,
            entry,
            count: 0,
            first: name.clone(),
            last: name.clone(),
        });
        group.count = group.count.saturating_add(1);
        group.last = name.clone();
        true
    }

    /// Reports pods that are mentioned twice, or never.
    ///
    /// Repeated replicas are reported each by name, missing ones as the first of them and how many
    /// there are.
    fn close(mut self, out: &mut Vec<Violation>) {
        for (entry, pod) in self.facts.problem.pods.iter().enumerate() {
            if pod.node_name.is_some() {
                continue;
            }
            let mut replicas = self.mentioned.remove(&entry).unwrap_or_default();
            replicas.sort_unstable();
            out.extend(replicas.chunk_by(u32::eq).filter(|same| same.len() > 1).map(|same| {
                Violation::PodRepeated {
                    pod: pod_name(pod, same.first().copied().unwrap_or(0)),
                    times: u64::try_from(same.len()).unwrap_or(u64::MAX),
                }
            }));
            replicas.dedup();
            let mentioned = u64::try_from(replicas.len()).unwrap_or(u64::MAX);
            let count = u64::from(pod.replicas.max(1)).saturating_sub(mentioned);
            if count > 0 {
                let first =
                    (0..pod.replicas).zip(&replicas).find(|(number, found)| number != *found);
                let end = u32::try_from(replicas.len()).unwrap_or(u32::MAX);
                let pod = pod_name(pod, first.map_or(end, |(number, _)| number));
                out.push(Violation::PodMissing { pod, count });
            }
        }
    }
}
