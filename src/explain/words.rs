//! The words of causes: their codes and their sentences, all in one place.
//!
//! *Rules of style.* A sentence has no full stop and no capital, so that it can stand behind a
//! colon or be joined by "and". It names pool, label and resource as the problem does, gives the
//! amounts that are missing, and speaks of the pod as "the pod": whoever shows it names the pod.
//! Lists end after five names with how many more there are, so that a sentence stays one line. A
//! set of label values reads as what it is: `a or b`, `anything but c`, `an integer of at least 4`.
//!
//! Changing a sentence changes documents and recorded plans; changing a code breaks whoever counts
//! by it, and isn't done.

use super::{Cause, LabelConflict, Miss, Reason};
use crate::model::{Effect, Quantity, Taint, ValueSet};
use std::fmt;
use std::sync::Arc;

/// Longer lists are cut here, so that a sentence stays one.
const MOST_VALUES: usize = 5;

impl Cause {
    /// The cause's code: kebab-case, and the same between versions.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::explain::{Cause, Miss};
    ///
    /// assert_eq!(Cause::NoNodePool.code(), "no-node-pool");
    /// assert_eq!(Cause::Existing { miss: Miss::Taints }.code(), "existing-taints");
    /// ```
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoNodePool => "no-node-pool",
            Self::NoInstanceType { .. } => "no-instance-type",
            Self::Labels { .. } => "labels",
            Self::Taint { .. } => "taint",
            Self::Zone { .. } => "volume-zone",
            Self::Resource { .. } => "resource",
            Self::Daemon { .. } => "daemon",
            Self::Unavailable { .. } => "unavailable",
            Self::Limit { .. } => "limit",
            Self::Reservation { .. } => "reservation",
            Self::MinValues { .. } => "min-values",
            Self::HostPort { .. } => "host-port",
            Self::NodeName { .. } => "node-name",
            Self::VolumeLimit { .. } => "volume-limit",
            Self::AttachLimit { .. } => "attach-limit",
            Self::AntiAffinity => "anti-affinity",
            Self::TopologySpread { .. } => "topology-spread",
            Self::MinDomains { .. } => "min-domains",
            Self::EmptyDomain { .. } => "empty-domain",
            Self::PodAffinity { .. } | Self::PodAffinityNode { full: false, .. } => "pod-affinity",
            Self::PodAffinityNode { full: true, .. } => "pod-affinity-node-full",
            Self::PodAntiAffinity { .. } => "pod-anti-affinity",
            Self::MutualAffinity => "pod-affinity-cycle",
            Self::TopologyKey { .. } => "topology-key",
            Self::Placeholder => "placeholder",
            Self::StaticPool { .. } => "static-pool",
            Self::Several { .. } => "several",
            Self::NotFound { .. } => "not-found",
            Self::Blocked { blocker } => blocker.code(),
            Self::Existing { miss } => match miss {
                Miss::Deleting => "existing-deleting",
                Miss::Labels => "existing-labels",
                Miss::Taints => "existing-taints",
                Miss::Zone => "existing-volume-zone",
                Miss::Resources => "existing-resources",
                Miss::HostPorts => "existing-host-ports",
                Miss::Topology => "existing-topology",
            },
        }
    }
}

/// The cause as a sentence, without a full stop.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked { blocker } => blocker.fmt(f),
            Self::NoNodePool => f.write_str("there is no node pool to launch from"),
            Self::NoInstanceType { pool } => {
                write!(f, "node pool {pool} has no instance type that meets its own requirements")
            }
            Self::Labels { pool, conflicts } => labels(f, pool, conflicts),
            Self::Taint { pool, taint } => {
                let taint = taint_text(taint);
                write!(f, "node pool {pool} has the taint {taint}, which the pod doesn't tolerate")
            }
            Self::Zone { pool, volume_zones, pool_zones } => {
                let (needed, offered) = (list(volume_zones), list(pool_zones));
                write!(f, "the pod's volumes need zone {needed}, node pool {pool} ")?;
                match pool_zones.as_slice() {
                    [] => f.write_str("has no zone for the pod"),
                    _ => write!(f, "allows {offered}"),
                }
            }
            Self::Resource { pool, resource, requested, nearest: None, .. } => {
                write!(f, "the pod requests {requested} {resource}, ")?;
                write!(f, "no instance type of node pool {pool} has any")
            }
            Self::Resource {
                pool,
                resource,
                requested,
                nearest: Some((name, available)),
                daemons,
            } => {
                let lacks = requested.saturating_sub(*available);
                write!(f, "the pod lacks {lacks} {resource} on {name}, ")?;
                write!(f, "the nearest of node pool {pool}: ")?;
                write!(f, "it requests {requested} and finds {available}")?;
                match daemons {
                    Some((names, taken)) => {
                        write!(f, " beside {taken} of {}", daemon_sets(names))
                    }
                    None => Ok(()),
                }
            }
            Self::Daemon { pool, instance_type, daemons, resource, requested, available } => {
                let request = if daemons.len() == 1 { "requests" } else { "request" };
                write!(f, "{} on node pool {pool} {request} ", daemon_sets(daemons))?;
                write!(f, "{requested} {resource}, and {instance_type}, the nearest, has ")?;
                write!(f, "{available}, so no node for the pod can be launched")
            }
            Self::AttachLimit { pool, driver, volumes, most } => {
                write!(f, "the pod mounts {volumes} volumes of {driver}, ")?;
                write!(f, "a node of node pool {pool} that is large enough attaches {most} at most")
            }
            Self::Unavailable { pool } => {
                write!(f, "no offering of node pool {pool} that suits the pod is available")
            }
            Self::Limit { pool, resource, limit, used, needed } => {
                write!(f, "node pool {pool} has used {used} of its limit of {limit} {resource}, ")?;
                match *needed == Quantity::ZERO {
                    true => f.write_str("and launches nothing while that is exceeded"),
                    false => write!(f, "one more node for the pod needs {needed}"),
                }
            }
            Self::Reservation { id } => write!(f, "reservation {id} is used up"),
            Self::MinValues { pool, key, needed, possible } => {
                write!(f, "node pool {pool} keeps at least {needed} values of {key} open, ")?;
                write!(f, "the pod leaves {possible}")
            }
            Self::HostPort { pool, port, protocol } => {
                write!(f, "a daemon set on node pool {pool} holds host port {port}/{protocol}")
            }
            Self::NodeName { node } => {
                write!(f, "the pod must run on node {node}, which can't take it")
            }
            Self::VolumeLimit { driver } => {
                write!(f, "existing nodes can't attach another volume of {driver}")
            }
            Self::AntiAffinity => {
                f.write_str("existing nodes run pods that anti-affinity keeps apart from the pod")
            }
            Self::TopologySpread { key, max_skew, least, full, lowest } => {
                write!(f, "the pods spread over {key} with a skew of at most {max_skew}: ")?;
                write!(f, "the lowest count is {least}")?;
                counts(f, full)?;
                if full.is_empty() {
                    f.write_str(", and nodes with room have as many as that allows")?;
                }
                match lowest {
                    Some((domain, cause)) => {
                        write!(f, "; in {}, the lowest, {cause}", named(domain))
                    }
                    None => Ok(()),
                }
            }
            Self::MinDomains { key, max_skew, needed, domains } => {
                write!(f, "the pods spread over {key} with a skew of at most {max_skew} and ")?;
                match domains.len() {
                    1 => write!(f, "minDomains {needed}: there is 1 domain")?,
                    more => write!(f, "minDomains {needed}: there are {more} domains")?,
                }
                counts(f, domains)?;
                f.write_str(", and while they are too few the lowest count is taken as 0")
            }
            Self::EmptyDomain { key, domain } => {
                write!(f, "a node for the pod would be the first in {key} {}, ", named(domain))?;
                f.write_str("and the spread of other pods doesn't allow what they have elsewhere")
            }
            Self::PodAffinity { key, domains } => match domains.as_slice() {
                [] => write!(f, "the pod must share {key} with pods of which none has a place"),
                some => write!(f, "the pod must share {key} with pods in {}", list(some)),
            },
            Self::PodAffinityNode { nodes, launches, full } => {
                let lacks = if *full { "is full" } else { "can't take it" };
                f.write_str("the pod must share a node with certain pods, and ")?;
                match (nodes.as_slice(), launches) {
                    ([], 0 | 1) => write!(f, "the node to launch where they are {lacks}"),
                    ([], more) => {
                        write!(f, "each of the {more} nodes to launch where they are {lacks}")
                    }
                    (some, 0) => write!(f, "node {}, where they are, {lacks}", list(some)),
                    (some, more) => {
                        write!(f, "node {}, where they are, {lacks}, ", list(some))?;
                        write!(f, "and so it is with {more} nodes to launch")
                    }
                }
            }
            Self::PodAntiAffinity { key, domains } => match domains.as_slice() {
                [] => write!(f, "anti-affinity over {key} keeps the pod apart from other pods"),
                some => write!(f, "anti-affinity keeps the pod out of {key} {}", list(some)),
            },
            Self::MutualAffinity => {
                f.write_str("the pod and others need each other, so that none can be first")
            }
            Self::TopologyKey { key } => {
                write!(f, "the pod's topology rules need the label {key}, ")?;
                f.write_str("which no node that it could use has")
            }
            Self::Placeholder => {
                f.write_str("the pod is a placeholder for free room, and no room is free")
            }
            Self::StaticPool { pool } => {
                write!(f, "node pool {pool} has a fixed number of nodes, ")?;
                f.write_str("none of them with room for the pod")
            }
            Self::Existing { miss } => f.write_str(match miss {
                Miss::Deleting => "existing nodes are being deleted",
                Miss::Labels => "existing nodes don't have the labels that the pod needs",
                Miss::Taints => "existing nodes have taints that the pod doesn't tolerate",
                Miss::Zone => "existing nodes aren't in a zone of the pod's volumes",
                Miss::Resources => "existing nodes have too little left for the pod's requests",
                Miss::HostPorts => "existing nodes have no free host port for the pod",
                Miss::Topology => "existing nodes are where the pod's topology rules don't let it",
            }),
            Self::Several { causes } => {
                f.write_str("several at once: ")?;
                for (at, cause) in causes.iter().enumerate() {
                    let and = if at == 0 { "" } else { ", and " };
                    write!(f, "{and}{cause}")?;
                }
                Ok(())
            }
            Self::NotFound { pool: Some(pool) } => {
                write!(
                    f,
                    "node pool {pool} could take the pod, but no plan in which it does was found"
                )
            }
            Self::NotFound { pool: None } => f.write_str(
                "an existing node could take the pod, but no plan in which it does was found",
            ),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// With one conflict both sides are said. With several each side alone could be met, so only what
/// is asked for together is.
fn labels(f: &mut fmt::Formatter<'_>, pool: &str, conflicts: &[LabelConflict]) -> fmt::Result {
    match conflicts {
        [] => write!(f, "node pool {pool} can't give a node the labels that the pod needs"),
        [LabelConflict { key, needed, offered }] => {
            let (needed, offered) = (states(needed), states(offered));
            write!(f, "the pod needs {key} to be {needed}, on node pool {pool} it is {offered}")
        }
        // Each can be had alone, so what there is of each would explain nothing.
        several => {
            let all: Vec<_> =
                several.iter().map(|c| format!("{} {}", c.key, states(&c.needed))).collect();
            write!(f, "node pool {pool} has nothing with all of: {}", all.join("; "))
        }
    }
}

/// A set of label states as it reads after "is" or "to be".
///
/// The order of tests matters: a contradiction first, then what has no condition, then finite sets,
/// and what is left is described by its bounds and exceptions.
fn states(set: &ValueSet) -> String {
    if set.is_empty() {
        return "contradictory".into();
    }
    if set.is_any() {
        return "anything".into();
    }
    if let Some(values) = set.finite_values() {
        let values: Vec<_> = values.iter().cloned().collect();
        return if values.is_empty() { "absent".into() } else { list(&values) };
    }
    let excluded: Vec<_> = set.excluded().iter().cloned().collect();
    let base = match set.range() {
        None if excluded.is_empty() => "set".into(),
        None if set.admits_absent() => "absent or anything".into(),
        None => "anything".into(),
        Some((i64::MIN, i64::MAX)) => "an integer".into(),
        Some((least, i64::MAX)) => format!("an integer of at least {least}"),
        Some((i64::MIN, most)) => format!("an integer of at most {most}"),
        Some((least, most)) => format!("an integer from {least} to {most}"),
    };
    if excluded.is_empty() { base } else { format!("{base} but {}", list(&excluded)) }
}

/// "a", "a or b", "a, b or c", "a, b, c, d, e or 7 more".
fn list(values: &[Arc<str>]) -> String {
    let named: Vec<_> = values
        .iter()
        .take(MOST_VALUES)
        .map(|value| if value.is_empty() { "\"\"".into() } else { Arc::clone(value) })
        .collect();
    let more = values.len() - named.len();
    match named.as_slice() {
        _ if more > 0 => format!("{} or {more} more", named.join(", ")),
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        few => few.join(""),
    }
}

/// "daemon set a", "daemon sets a, b and 2 more".
fn daemon_sets(names: &[Arc<str>]) -> String {
    match names {
        [one] => format!("daemon set {one}"),
        several => {
            let few: Vec<&str> = several.iter().take(MOST_VALUES).map(|name| &**name).collect();
            let more = several.len() - few.len();
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("daemon sets {}{rest}", few.join(", "))
        }
    }
}

/// A domain's name; an empty one is shown as such.
fn named(domain: &str) -> &str {
    if domain.is_empty() { "\"\"" } else { domain }
}

/// ", a has 3, b has 3, 7 more".
fn counts(f: &mut fmt::Formatter<'_>, domains: &[(Arc<str>, u32)]) -> fmt::Result {
    for (domain, count) in domains.iter().take(MOST_VALUES) {
        write!(f, ", {} has {count}", named(domain))?;
    }
    match domains.len().saturating_sub(MOST_VALUES) {
        0 => Ok(()),
        more => write!(f, ", {more} more"),
    }
}

/// A taint as `kubectl taint` has it: `key=value:effect`, or `key:effect` without a value.
pub(crate) fn taint_text(taint: &Taint) -> String {
    let effect = match taint.effect {
        Effect::NoSchedule => "NoSchedule",
        Effect::PreferNoSchedule => "PreferNoSchedule",
        Effect::NoExecute => "NoExecute",
    };
    let equals = if taint.value.is_empty() { "" } else { "=" };
    format!("{}{equals}{}:{effect}", taint.key, taint.value)
}

#[cfg(test)]
mod tests;
