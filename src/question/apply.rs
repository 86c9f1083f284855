//! Problems with a rule loosened or lifted.
//!
//! *Idea.* A problem is taken apart into a builder, the change edits the parts that it names, and
//! the builder makes a valid problem again, or says why that isn't one. Each edit says whether
//! there was anything to edit.
//!
//! *Why small edits.* An answer "leave out the spread" is checked by a plan without that spread and
//! nothing else. An edit that took more away would make answers look right that aren't.
//!
//! *Cost.* A copy of the problem's lists; strings are shared.

use super::RuleChange;
use crate::compile::NODE_NAME;
use crate::error::{Error, InvalidInput};
use crate::model::{
    Affinity, Effect, Labels, NodePool, NodeSelectorTerm, Placeholder, Pod, Problem,
    ProblemBuilder, Quantity, Requirement, Toleration, WhenUnsatisfiable, well_known,
};
use std::sync::Arc;

impl RuleChange {
    /// The problem with the change in it.
    ///
    /// # Errors
    /// The problem has no such pod, node pool, offering, reservation or daemon set, or none that
    /// has such a rule; or the change makes no valid problem.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::question::RuleChange;
    /// use plimsoll::{NodePool, Problem};
    ///
    /// let pools = [NodePool::new("a").with_weight(10), NodePool::new("b")];
    /// let problem = Problem::builder().node_pools(pools).build()?;
    /// let even = RuleChange::WithoutWeights.apply(&problem)?;
    /// assert!(even.node_pools().iter().all(|pool| pool.weight() == 0));
    /// // Done twice there is nothing left to change.
    /// assert!(RuleChange::WithoutWeights.apply(&even).unwrap_err().is_invalid_input());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply(&self, problem: &Problem) -> Result<Problem, Error> {
        Self::apply_all(std::slice::from_ref(self), problem)
    }

    /// The problem with several changes in it, made in this order.
    ///
    /// # Errors
    /// As [`RuleChange::apply`].
    ///
    /// # Examples
    /// ```
    /// use plimsoll::question::RuleChange;
    /// use plimsoll::{NodePool, Problem};
    ///
    /// let problem = Problem::builder().node_pool(NodePool::new("default")).build()?;
    /// let limit = |to: &str| -> Result<RuleChange, Box<dyn std::error::Error>> {
    ///     let (node_pool, resource) = ("default".into(), "nodes".into());
    ///     Ok(RuleChange::Limit { node_pool, resource, to: Some(to.parse()?) })
    /// };
    /// // The later one counts.
    /// let changed = RuleChange::apply_all(&[limit("3")?, limit("5")?], &problem)?;
    /// assert_eq!(changed.node_pools()[0].limits().get("nodes"), Some("5".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply_all(changes: &[Self], problem: &Problem) -> Result<Problem, Error> {
        let mut parts = problem.to_builder();
        for change in changes {
            if !change.make(&mut parts) {
                let problem = "the problem has nothing to be changed so";
                let fault = InvalidInput::new(
                    "change",
                    format!("\"{change}\": {problem}"),
                    "a change of a rule that the problem has",
                );
                return Err(Error::invalid(vec![fault]));
            }
        }
        parts.build()
    }

    /// Makes the change; whether there was anything to change.
    ///
    /// Each change is as small as its name says, so that the law about answers means something:
    /// rules other than the one that is changed stay as they were, and a change that finds nothing
    /// to change is an error, not a problem that happens to be the same.
    fn make(&self, parts: &mut ProblemBuilder) -> bool {
        match self {
            Self::Request { pod, resource, to, .. } => edit_pod(parts, pod, |pod| {
                let others = pod.requests.iter().filter(|(name, _)| **name != *resource);
                let mut requests: crate::model::Resources =
                    others.map(|(name, amount)| (name.clone(), amount)).collect();
                if *to > Quantity::ZERO {
                    let _former = requests.insert(resource.clone(), *to);
                }
                std::mem::replace(&mut pod.requests, requests) != pod.requests
            }),
            Self::WithoutLabelRule { pod, key: Some(key) } => {
                edit_pod(parts, pod, |pod| drop_key(pod, key))
            }
            Self::WithoutLabelRule { pod, key: None } => edit_pod(parts, pod, |pod| {
                let selected = !std::mem::take(&mut pod.node_selector).is_empty();
                edit_affinity(pod, |affinity| affinity.node_affinity.required.take().is_some())
                    | selected
            }),
            Self::WithoutVolumePlaces { pod } => edit_pod(parts, pod, |pod| {
                let mut any = false;
                for volume in pod.volumes.items_mut() {
                    any |= !volume.zones.is_empty() || !volume.node_selector_terms.is_empty();
                    volume.zones.clear();
                    volume.node_selector_terms.clear();
                }
                any
            }),
            Self::Toleration { pod, taint } => edit_pod(parts, pod, |pod| {
                pod.tolerations.to_mut().push(match taint {
                    Some(taint) => Toleration::equal(taint.key.clone(), taint.value.clone()),
                    None => Toleration::exists(""),
                });
                true
            }),
            Self::WithoutHostPort { pod, port } => edit_pod(parts, pod, |pod| {
                retain(pod.host_ports.to_mut(), |one| port.is_some_and(|port| one.port != port))
            }),
            Self::MaxSkew { pod, key, to } => edit_spreads(parts, pod, key, |spread| {
                let required = spread.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule;
                if required && spread.max_skew < *to {
                    spread.max_skew = *to;
                }
                required
            }),
            Self::MinDomains { pod, key, to } => edit_spreads(parts, pod, key, |spread| {
                let had = spread.min_domains;
                spread.min_domains = had.map(|had| had.min(*to)).filter(|least| *least > 1);
                had.is_some()
            }),
            Self::WithoutSpread { pod, key } => edit_pods(parts, pod.as_ref(), |pod| {
                retain(pod.topology_spread_constraints.to_mut(), |one| {
                    key.as_ref().is_some_and(|key| one.topology_key != *key)
                })
            }),
            Self::WithoutPodAffinity { pod, key } => edit_pod(parts, pod, |pod| {
                edit_affinity(pod, |affinity| {
                    retain(&mut affinity.pod_affinity.required, |one| is_other(key, one))
                })
            }),
            Self::WithoutPodAntiAffinity { pod, key } => edit_pods(parts, pod.as_ref(), |pod| {
                edit_affinity(pod, |affinity| {
                    retain(&mut affinity.pod_anti_affinity.required, |one| is_other(key, one))
                })
            }),
            Self::WithoutPreferences { pod } => {
                let avoided = has_avoided_taints(parts);
                edit_pods(parts, pod.as_ref(), |pod| {
                    drop_preferences(pod) | avoid_none(pod, avoided)
                })
            }
            Self::LaunchPlaceholder { pod } => edit_pod(parts, pod, |pod| {
                let free = pod.placeholder() == Some(Placeholder::Free);
                *pod = pod.clone().with_placeholder(Placeholder::Launch);
                free
            }),
            Self::Limit { node_pool, resource, to } => edit_pool(parts, node_pool, |pool| {
                let had = pool.limits.get(resource).is_some();
                let others = pool.limits.iter().filter(|(name, _)| **name != *resource);
                let mut limits: crate::model::Resources =
                    others.map(|(name, amount)| (name.clone(), amount)).collect();
                if let Some(to) = to {
                    let _none = limits.insert(resource.clone(), *to);
                }
                pool.limits = limits;
                had || to.is_some()
            }),
            Self::MinValues { node_pool, key, to } => edit_pool(parts, node_pool, |pool| {
                let mut any = false;
                for one in pool.requirements.iter_mut().filter(|one| one.key == *key) {
                    any |= one.min_values.is_some();
                    one.min_values = one.min_values.map(|had| had.min(*to)).filter(|to| *to > 0);
                }
                any
            }),
            Self::Replicas { node_pool, to } => edit_pool(parts, node_pool, |pool| {
                let is_static = pool.replicas.is_some();
                pool.replicas = is_static.then_some(*to);
                is_static
            }),
            Self::Weight { node_pool, to } => edit_pool(parts, node_pool, |pool| {
                pool.weight = *to;
                true
            }),
            Self::Reservation { .. }
            | Self::Available { .. }
            | Self::OfferingPrice { .. }
            | Self::VolumeLimit { .. } => self.make_of_types(parts),
            Self::WithoutDaemonSet { name } => {
                retain(&mut parts.daemon_sets, |one| one.name != *name)
            }
            Self::WithoutWeights => {
                let weights = || parts.node_pools.iter().map(NodePool::weight);
                let differ = weights().max() != weights().min();
                parts.node_pools.iter_mut().for_each(|pool| pool.weight = 0);
                differ
            }
            Self::KeepDeletingNodes => {
                let mut any = false;
                for node in &mut parts.nodes {
                    any |= std::mem::take(&mut node.deleting);
                }
                any
            }
        }
    }

    /// Makes a change of instance types.
    ///
    /// A reservation, or what a pool may buy, is spread over offerings of several types; all that
    /// have it are changed alike.
    fn make_of_types(&self, parts: &mut ProblemBuilder) -> bool {
        let mut any = false;
        match self {
            Self::Reservation { id, to } => {
                for one in parts.instance_types.iter_mut().flat_map(|one| &mut one.offerings) {
                    for own in one.reservation.iter_mut().filter(|own| own.id == *id) {
                        any = true;
                        own.remaining = *to;
                    }
                }
            }
            Self::Available { node_pool } => {
                let pool = parts.node_pools.iter().find(|pool| pool.name == *node_pool);
                let listed = pool.map(|pool| pool.instance_types.clone());
                let is_meant = |name: &Arc<str>| match &listed {
                    None => false,
                    Some(None) => true,
                    Some(Some(names)) => names.contains(name),
                };
                let types = parts.instance_types.iter_mut().filter(|one| is_meant(&one.name));
                for offering in types.flat_map(|one| &mut one.offerings) {
                    any |= !std::mem::replace(&mut offering.available, true);
                }
            }
            Self::OfferingPrice { instance_type, zone, capacity_type, to } => {
                let types =
                    parts.instance_types.iter_mut().filter(|one| one.name == *instance_type);
                for offering in types.flat_map(|one| &mut one.offerings) {
                    if offering.zone == *zone && offering.capacity_type == *capacity_type {
                        any = true;
                        offering.price = *to;
                    }
                }
            }
            Self::VolumeLimit { driver, more } => {
                let of_types = parts.instance_types.iter_mut().map(|one| &mut one.volume_limits);
                let of_nodes = parts.nodes.iter_mut().map(|one| &mut one.volume_limits);
                for limit in of_types.chain(of_nodes).filter_map(|limits| limits.get_mut(driver)) {
                    any = true;
                    *limit = limit.saturating_add(*more);
                }
            }
            _ => {}
        }
        any
    }
}

/// Keeps what is wanted; whether anything went.
fn retain<T>(list: &mut Vec<T>, keep: impl FnMut(&T) -> bool) -> bool {
    let before = list.len();
    list.retain(keep);
    list.len() < before
}

fn is_other(key: &Option<Arc<str>>, term: &crate::model::PodAffinityTerm) -> bool {
    key.as_ref().is_some_and(|key| term.topology_key != *key)
}

/// Changes the entries of a name, or all; whether any was to be changed.
fn edit_pods(
    parts: &mut ProblemBuilder,
    entry: Option<&Arc<str>>,
    mut change: impl FnMut(&mut Pod) -> bool,
) -> bool {
    let named = entry.map(|entry| entry.split_once('/').unwrap_or(("", entry)));
    let mut any = false;
    for pod in &mut parts.pods {
        if named.is_none_or(|(namespace, name)| *pod.namespace == *namespace && *pod.name == *name)
        {
            any |= change(pod);
        }
    }
    any
}

/// Drops what a pod would rather have of nodes and other pods; whether there was anything.
fn drop_preferences(pod: &mut Pod) -> bool {
    let spread = retain(pod.topology_spread_constraints.to_mut(), |one| {
        one.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule
    });
    edit_affinity(pod, |affinity| {
        let nodes = !std::mem::take(&mut affinity.node_affinity.preferred).is_empty();
        let near = !std::mem::take(&mut affinity.pod_affinity.preferred).is_empty();
        !std::mem::take(&mut affinity.pod_anti_affinity.preferred).is_empty() | nodes | near
    }) | spread
}

/// Whether any node has or would have a taint that pods only prefer to avoid.
fn has_avoided_taints(parts: &ProblemBuilder) -> bool {
    let pools = parts.node_pools.iter().flat_map(|pool| &pool.taints);
    let nodes = parts.nodes.iter().flat_map(|node| &node.taints);
    pools.chain(nodes).any(|taint| taint.effect == Effect::PreferNoSchedule)
}

/// Has a pod tolerate such taints, where there are any; whether there are.
fn avoid_none(pod: &mut Pod, avoided: bool) -> bool {
    if avoided {
        let all = Toleration::exists("").with_effect(Effect::PreferNoSchedule);
        pod.tolerations.to_mut().push(all);
    }
    avoided
}

fn edit_pod(
    parts: &mut ProblemBuilder,
    entry: &Arc<str>,
    change: impl FnMut(&mut Pod) -> bool,
) -> bool {
    edit_pods(parts, Some(entry), change)
}

fn edit_pool(
    parts: &mut ProblemBuilder,
    name: &Arc<str>,
    change: impl FnOnce(&mut NodePool) -> bool,
) -> bool {
    parts.node_pools.iter_mut().find(|pool| pool.name == *name).is_some_and(change)
}

fn edit_spreads(
    parts: &mut ProblemBuilder,
    entry: &Arc<str>,
    key: &Arc<str>,
    mut change: impl FnMut(&mut crate::model::TopologySpreadConstraint) -> bool,
) -> bool {
    edit_pod(parts, entry, |pod| {
        let own = pod.topology_spread_constraints.items_mut().iter_mut();
        own.filter(|one| one.topology_key == *key).fold(false, |any, one| change(one) | any)
    })
}

fn edit_affinity(pod: &mut Pod, change: impl FnOnce(&mut Affinity) -> bool) -> bool {
    pod.affinity.as_mut().is_some_and(|affinity| change(Arc::make_mut(affinity)))
}

/// Leaves out whatever a pod and its volumes ask of a label.
///
/// Node selector, every term of required node affinity, and what volumes ask of it. A term from
/// which the only condition is gone would match no node in Kubernetes' reading; here it holds
/// anywhere, since its condition is what was to be left out.
fn drop_key(pod: &mut Pod, key: &Arc<str>) -> bool {
    let selected = pod.node_selector.get(key).is_some();
    if selected {
        let others = pod.node_selector.iter().filter(|(name, _)| **name != *key);
        pod.node_selector =
            others.map(|(name, value)| (name.clone(), value.clone())).collect::<Labels>();
    }
    let in_affinity = edit_affinity(pod, |affinity| {
        let Some(terms) = &mut affinity.node_affinity.required else { return false };
        let (any, anywhere) = drop_from_terms(terms, key);
        if anywhere {
            affinity.node_affinity.required = None;
        }
        any
    });
    let mut of_volumes = false;
    for volume in pod.volumes.items_mut() {
        let (any, anywhere) = drop_from_terms(&mut volume.node_selector_terms, key);
        of_volumes |= any;
        if anywhere {
            volume.node_selector_terms.clear();
        }
        if **key == *well_known::ZONE {
            of_volumes |= !volume.zones.is_empty();
            volume.zones.clear();
        }
    }
    selected | in_affinity | of_volumes
}

/// Leaves a label out of alternatives; whether any asked for it, and whether one of them asks for
/// nothing now, so that all of them hold anywhere.
fn drop_from_terms(terms: &mut [NodeSelectorTerm], key: &Arc<str>) -> (bool, bool) {
    let (mut any, mut anywhere) = (false, false);
    for term in terms {
        let other = |one: &Requirement| one.key != *key;
        let gone = match **key == *NODE_NAME {
            true => retain(&mut term.match_fields, |_| false),
            false => retain(&mut term.match_expressions, other),
        };
        any |= gone;
        anywhere |= gone && term.match_expressions.is_empty() && term.match_fields.is_empty();
    }
    (any, anywhere)
}
