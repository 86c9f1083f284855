//! What would have to be other for a cause not to be in a pod's way.
//!
//! *Idea.* Each cause has the operands of its rule, so for most of them the smallest change that
//! takes it away can be written down: the limit that lets one more node in is what is used plus
//! what is needed; the skew that lets the pod in is one more than the highest count less the
//! lowest. What has no such change (no pool, no type, a static pool) says so.
//!
//! *Why it is the smallest.* A change is made for the nearest candidate, the one of which the least
//! is in the way; anything less leaves it in the way there. Another candidate may be had for a
//! smaller change of another kind, so several answers are compared by how many changes they take.
//!
//! | cause | change |
//! |---|---|
//! | labels, taint, zones, host port | the pod's own rule is left out, or it tolerates the taint |
//! | resources | the pod asks for what there is |
//! | limit, reservation, `minValues` | the pool's number is raised or lowered to what is needed |
//! | spread, domains, affinity | a number is loosened, or the rule left out |
//! | daemon sets | they go |

use super::RuleChange;
use crate::explain::{Cause, Miss};
use crate::model::{Pod, Quantity, well_known};
use std::sync::Arc;

/// What finds too little room for a pod: the resource, what is requested, and what there is.
pub(crate) type Shortfall = (Arc<str>, Quantity, Quantity);

/// The changes that take a cause out of a pod's way; `None` where no change of a rule does.
///
/// `short` says what a running node lacks, where that is the cause.
///
/// Causes that are in the way together need all of their changes, each once; if one has none there
/// is no remedy.
pub(super) fn changes(cause: &Cause, pod: &Pod, short: &[Shortfall]) -> Option<Vec<RuleChange>> {
    let entry: Arc<str> = format!("{}/{}", pod.namespace, pod.name).into();
    let own = || entry.clone();
    let one = |change: RuleChange| Some(vec![change]);
    let without_label = |key: &str| {
        let key: Arc<str> = key.into();
        RuleChange::WithoutLabelRule { pod: own(), key: Some(key) }
    };
    match cause {
        Cause::Several { causes } => {
            let all: Option<Vec<Vec<RuleChange>>> =
                causes.iter().map(|cause| changes(cause, pod, short)).collect();
            let mut all = all?.concat();
            all.sort();
            all.dedup();
            Some(all)
        }
        Cause::Labels { conflicts, .. } if conflicts.is_empty() => None,
        Cause::Labels { conflicts, .. } => {
            Some(conflicts.iter().map(|conflict| without_label(&conflict.key)).collect())
        }
        Cause::NodeName { .. } => {
            let keys = [well_known::HOSTNAME, crate::compile::NODE_NAME];
            let asked = keys.into_iter().filter(|key| asks_for(pod, key));
            Some(asked.map(without_label).collect())
        }
        Cause::Taint { taint, .. } => {
            one(RuleChange::Toleration { pod: own(), taint: Some(taint.clone()) })
        }
        Cause::Zone { .. } | Cause::Existing { miss: Miss::Zone } => {
            one(RuleChange::WithoutVolumePlaces { pod: own() })
        }
        Cause::Resource { resource, requested, nearest, .. } => {
            let available = nearest.as_ref().map_or(Quantity::ZERO, |(_, available)| *available);
            lower(&own(), resource, *requested, available).map(|change| vec![change])
        }
        Cause::Daemon { daemons, .. } => Some(
            daemons
                .iter()
                .map(|name| RuleChange::WithoutDaemonSet { name: name.clone() })
                .collect(),
        ),
        Cause::AttachLimit { driver, volumes, most, .. } => one(RuleChange::VolumeLimit {
            driver: driver.clone(),
            more: volumes.saturating_sub(*most).max(1),
        }),
        Cause::VolumeLimit { driver } => {
            let own = pod.volumes.iter().filter(|volume| volume.driver == *driver).count();
            let more = u32::try_from(own).unwrap_or(u32::MAX).max(1);
            one(RuleChange::VolumeLimit { driver: driver.clone(), more })
        }
        Cause::Unavailable { pool } => one(RuleChange::Available { node_pool: pool.clone() }),
        Cause::Limit { pool, resource, used, needed, .. } => one(RuleChange::Limit {
            node_pool: pool.clone(),
            resource: resource.clone(),
            to: Some(used.saturating_add(*needed)),
        }),
        Cause::Reservation { id } => one(RuleChange::Reservation { id: id.clone(), to: 1 }),
        Cause::MinValues { pool, key, possible, .. } => {
            one(RuleChange::MinValues { node_pool: pool.clone(), key: key.clone(), to: *possible })
        }
        Cause::HostPort { port, .. } => {
            one(RuleChange::WithoutHostPort { pod: own(), port: Some(*port) })
        }
        Cause::TopologySpread { key, max_skew, least, full, .. } => {
            let most = full.iter().map(|(_, count)| *count).max().unwrap_or(0);
            let to = most.saturating_add(1).saturating_sub(*least);
            let to = to.max(max_skew.saturating_add(1));
            one(RuleChange::MaxSkew { pod: own(), key: key.clone(), to })
        }
        Cause::MinDomains { key, domains, .. } => one(RuleChange::MinDomains {
            pod: own(),
            key: key.clone(),
            to: u32::try_from(domains.len()).unwrap_or(u32::MAX).max(1),
        }),
        Cause::EmptyDomain { key, .. } => {
            one(RuleChange::WithoutSpread { pod: None, key: Some(key.clone()) })
        }
        Cause::PodAffinity { key, .. } => {
            one(RuleChange::WithoutPodAffinity { pod: own(), key: Some(key.clone()) })
        }
        Cause::PodAffinityNode { .. } => one(RuleChange::WithoutPodAffinity {
            pod: own(),
            key: Some(well_known::HOSTNAME.into()),
        }),
        Cause::MutualAffinity => one(RuleChange::WithoutPodAffinity { pod: own(), key: None }),
        Cause::AntiAffinity => one(RuleChange::WithoutPodAntiAffinity {
            pod: None,
            key: Some(well_known::HOSTNAME.into()),
        }),
        Cause::PodAntiAffinity { key, .. } => {
            one(RuleChange::WithoutPodAntiAffinity { pod: None, key: Some(key.clone()) })
        }
        Cause::TopologyKey { key } => Some(without_topology(pod, &own(), key)),
        Cause::Placeholder => one(RuleChange::LaunchPlaceholder { pod: own() }),
        Cause::Existing { miss } => of_running(*miss, pod, &own(), short),
        // A static pool's number of nodes isn't in the cause.
        Cause::StaticPool { .. }
        | Cause::NoNodePool
        | Cause::NoInstanceType { .. }
        | Cause::NotFound { .. }
        | Cause::Blocked { .. } => None,
    }
}

/// A request that fits into what there is; none for `pods`, of which each pod is one.
fn lower(
    pod: &Arc<str>,
    resource: &Arc<str>,
    requested: Quantity,
    available: Quantity,
) -> Option<RuleChange> {
    (**resource != *crate::model::PODS).then(|| RuleChange::Request {
        pod: pod.clone(),
        resource: resource.clone(),
        to: available.min(requested),
        less: requested.saturating_sub(available),
    })
}

/// What takes away what running nodes lack.
fn of_running(
    miss: Miss,
    pod: &Pod,
    entry: &Arc<str>,
    short: &[Shortfall],
) -> Option<Vec<RuleChange>> {
    let own = || entry.clone();
    match miss {
        Miss::Deleting => Some(vec![RuleChange::KeepDeletingNodes]),
        Miss::Labels => Some(vec![RuleChange::WithoutLabelRule { pod: own(), key: None }]),
        Miss::Taints => Some(vec![RuleChange::Toleration { pod: own(), taint: None }]),
        Miss::Zone => Some(vec![RuleChange::WithoutVolumePlaces { pod: own() }]),
        Miss::HostPorts => (!pod.host_ports.is_empty())
            .then(|| vec![RuleChange::WithoutHostPort { pod: own(), port: None }]),
        Miss::Resources if short.is_empty() => None,
        Miss::Resources => short
            .iter()
            .map(|(resource, requested, free)| lower(entry, resource, *requested, *free))
            .collect(),
        Miss::Topology => None,
    }
}

/// Whether a pod's node selector or required node affinity says something of a label.
fn asks_for(pod: &Pod, key: &str) -> bool {
    let affinity = pod.affinity.as_deref();
    let terms = affinity.and_then(|affinity| affinity.node_affinity.required.as_ref());
    let mut asked = terms
        .into_iter()
        .flatten()
        .flat_map(|term| term.match_expressions.iter().chain(&term.match_fields));
    pod.node_selector.get(key).is_some() || asked.any(|one| *one.key == *key)
}

/// What leaves a label out of a pod's rules over domains.
fn without_topology(pod: &Pod, entry: &Arc<str>, key: &Arc<str>) -> Vec<RuleChange> {
    let mut changes = Vec::new();
    if pod.topology_spread_constraints.iter().any(|one| one.topology_key == *key) {
        changes
            .push(RuleChange::WithoutSpread { pod: Some(entry.clone()), key: Some(key.clone()) });
    }
    let affinity = pod.affinity.as_deref();
    if affinity.is_some_and(|own| own.pod_affinity.required.iter().any(|t| t.topology_key == *key))
    {
        changes.push(RuleChange::WithoutPodAffinity { pod: entry.clone(), key: Some(key.clone()) });
    }
    changes
}
