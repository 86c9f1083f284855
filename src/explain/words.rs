//! The words of causes: their codes and their sentences, all in one place.

use super::{Cause, LabelConflict, Miss, Reason};
use crate::model::{Effect, Taint, ValueSet};
use std::fmt;
use std::sync::Arc;

/// Longer lists are cut here, so that a sentence stays one.
const MOST_VALUES: usize = 5;

impl Cause {
    /// The cause's code: kebab-case, and the same between versions.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoNodePool => "no-node-pool",
            Self::NoInstanceType { .. } => "no-instance-type",
            Self::Labels { .. } => "labels",
            Self::Taint { .. } => "taint",
            Self::Zone { .. } => "volume-zone",
            Self::Resource { .. } => "resource",
            Self::Unavailable { .. } => "unavailable",
            Self::Limit { .. } => "limit",
            Self::Reservation { .. } => "reservation",
            Self::MinValues { .. } => "min-values",
            Self::HostPort { .. } => "host-port",
            Self::NodeName { .. } => "node-name",
            Self::VolumeLimit { .. } => "volume-limit",
            Self::AntiAffinity => "anti-affinity",
            Self::Existing { miss } => match miss {
                Miss::Deleting => "existing-deleting",
                Miss::Labels => "existing-labels",
                Miss::Taints => "existing-taints",
                Miss::Zone => "existing-volume-zone",
                Miss::Resources => "existing-resources",
                Miss::HostPorts => "existing-host-ports",
            },
        }
    }
}

/// The cause as a sentence, without a full stop.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            Self::Resource { pool, resource, requested, nearest: None } => {
                write!(f, "the pod requests {requested} {resource}, ")?;
                write!(f, "no instance type of node pool {pool} has any")
            }
            Self::Resource { pool, resource, requested, nearest: Some((name, available)) } => {
                let lacks = requested.saturating_sub(*available);
                write!(f, "the pod lacks {lacks} {resource} on {name}, ")?;
                write!(f, "the nearest of node pool {pool}: ")?;
                write!(f, "it requests {requested} and finds {available}")
            }
            Self::Unavailable { pool } => {
                write!(f, "no offering of node pool {pool} that suits the pod is available")
            }
            Self::Limit { pool, resource, limit, used, needed } => {
                write!(f, "node pool {pool} has used {used} of its limit of {limit} {resource}, ")?;
                write!(f, "one more node for the pod needs {needed}")
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
            Self::Existing { miss } => f.write_str(match miss {
                Miss::Deleting => "existing nodes are being deleted",
                Miss::Labels => "existing nodes don't have the labels that the pod needs",
                Miss::Taints => "existing nodes have taints that the pod doesn't tolerate",
                Miss::Zone => "existing nodes aren't in a zone of the pod's volumes",
                Miss::Resources => "existing nodes have too little left for the pod's requests",
                Miss::HostPorts => "existing nodes have no free host port for the pod",
            }),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

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

/// A taint as `kubectl taint` has it: `key=value:effect`, or `key:effect` without a value.
fn taint_text(taint: &Taint) -> String {
    let effect = match taint.effect {
        Effect::NoSchedule => "NoSchedule",
        Effect::PreferNoSchedule => "PreferNoSchedule",
        Effect::NoExecute => "NoExecute",
    };
    let equals = if taint.value.is_empty() { "" } else { "=" };
    format!("{}{equals}{}:{effect}", taint.key, taint.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Operator, Requirement, Resources};

    fn set(operator: Operator, values: &[&str]) -> ValueSet {
        ValueSet::from_requirement(&Requirement::new("k", operator, values.iter().copied()))
    }

    fn amount(text: &str) -> crate::model::Quantity {
        Resources::parse([("r", text)]).ok().and_then(|r| r.get("r")).unwrap_or_default()
    }

    #[test]
    fn each_cause_has_its_code_and_sentence() {
        let pool: Arc<str> = "gpu".into();
        let p = || Arc::clone(&pool);
        let taint = Taint::new("nvidia.com/gpu", "true", Effect::NoSchedule);
        let conflict = |key, needed, offered| LabelConflict::new(key, needed, offered);
        let zone = "topology.kubernetes.io/zone";
        let linux = || conflict("os", ValueSet::one("linux"), ValueSet::any());
        let cases = [
            (Cause::NoNodePool, "no-node-pool", "there is no node pool to launch from"),
            (
                Cause::NoInstanceType { pool: p() },
                "no-instance-type",
                "node pool gpu has no instance type that meets its own requirements",
            ),
            (
                Cause::Labels {
                    pool: p(),
                    conflicts: vec![conflict(zone, ValueSet::one("a"), ValueSet::only(["b", "c"]))],
                },
                "labels",
                "the pod needs topology.kubernetes.io/zone to be a, on node pool gpu it is b or c",
            ),
            (
                Cause::Labels {
                    pool: p(),
                    conflicts: vec![conflict("x", set(Operator::Exists, &[]), ValueSet::absent())],
                },
                "labels",
                "the pod needs x to be set, on node pool gpu it is absent",
            ),
            (
                Cause::Labels {
                    pool: p(),
                    conflicts: vec![
                        linux(),
                        conflict("cpu", set(Operator::Gt, &["4"]), ValueSet::any()),
                    ],
                },
                "labels",
                "node pool gpu has nothing with all of: os linux; cpu an integer of at least 5",
            ),
            (
                Cause::Labels { pool: p(), conflicts: vec![] },
                "labels",
                "node pool gpu can't give a node the labels that the pod needs",
            ),
            (
                Cause::Taint { pool: p(), taint },
                "taint",
                "node pool gpu has the taint nvidia.com/gpu=true:NoSchedule, which the pod doesn't \
                 tolerate",
            ),
            (
                Cause::Zone {
                    pool: p(),
                    volume_zones: vec!["a".into()],
                    pool_zones: vec!["b".into(), "c".into()],
                },
                "volume-zone",
                "the pod's volumes need zone a, node pool gpu allows b or c",
            ),
            (
                Cause::Zone { pool: p(), volume_zones: vec!["a".into()], pool_zones: vec![] },
                "volume-zone",
                "the pod's volumes need zone a, node pool gpu has no zone for the pod",
            ),
            (
                Cause::Resource {
                    pool: p(),
                    resource: "cpu".into(),
                    requested: amount("4"),
                    nearest: Some(("m7i.xlarge".into(), amount("3700m"))),
                },
                "resource",
                "the pod lacks 300m cpu on m7i.xlarge, the nearest of node pool gpu: it requests 4 \
                 and finds 3700m",
            ),
            (
                Cause::Resource {
                    pool: p(),
                    resource: "example.com/fpga".into(),
                    requested: amount("1"),
                    nearest: None,
                },
                "resource",
                "the pod requests 1 example.com/fpga, no instance type of node pool gpu has any",
            ),
            (
                Cause::Unavailable { pool: p() },
                "unavailable",
                "no offering of node pool gpu that suits the pod is available",
            ),
            (
                Cause::Limit {
                    pool: p(),
                    resource: "cpu".into(),
                    limit: amount("200"),
                    used: amount("198"),
                    needed: amount("4"),
                },
                "limit",
                "node pool gpu has used 198 of its limit of 200 cpu, one more node for the pod \
                 needs 4",
            ),
            (
                Cause::Reservation { id: "cr-1".into() },
                "reservation",
                "reservation cr-1 is used up",
            ),
            (
                Cause::MinValues { pool: p(), key: "family".into(), needed: 3, possible: 1 },
                "min-values",
                "node pool gpu keeps at least 3 values of family open, the pod leaves 1",
            ),
            (
                Cause::HostPort { pool: p(), port: 9100, protocol: "TCP".into() },
                "host-port",
                "a daemon set on node pool gpu holds host port 9100/TCP",
            ),
            (
                Cause::NodeName { node: "n1".into() },
                "node-name",
                "the pod must run on node n1, which can't take it",
            ),
            (
                Cause::VolumeLimit { driver: "ebs.csi.aws.com".into() },
                "volume-limit",
                "existing nodes can't attach another volume of ebs.csi.aws.com",
            ),
            (
                Cause::AntiAffinity,
                "anti-affinity",
                "existing nodes run pods that anti-affinity keeps apart from the pod",
            ),
        ];
        for (cause, code, sentence) in cases {
            let reason = Reason::new(&cause, 7);
            assert_eq!((reason.code(), reason.sentence()), (code, sentence));
            assert_eq!(reason.candidates(), 7);
        }
    }

    #[test]
    fn existing_nodes_have_their_own_sentences() {
        for (miss, code, sentence) in [
            (Miss::Deleting, "existing-deleting", "existing nodes are being deleted"),
            (
                Miss::Labels,
                "existing-labels",
                "existing nodes don't have the labels that the pod needs",
            ),
            (
                Miss::Taints,
                "existing-taints",
                "existing nodes have taints that the pod doesn't tolerate",
            ),
            (
                Miss::Zone,
                "existing-volume-zone",
                "existing nodes aren't in a zone of the pod's volumes",
            ),
            (
                Miss::Resources,
                "existing-resources",
                "existing nodes have too little left for the pod's requests",
            ),
            (
                Miss::HostPorts,
                "existing-host-ports",
                "existing nodes have no free host port for the pod",
            ),
        ] {
            let cause = Cause::Existing { miss };
            assert_eq!((cause.code(), cause.to_string().as_str()), (code, sentence));
        }
    }

    #[test]
    fn sets_of_label_states_read_well() {
        let with = |operator, values: &[&str], excluded: &[&str]| {
            states(&set(operator, values).intersect(&set(Operator::NotIn, excluded)))
        };
        assert_eq!(states(&ValueSet::none()), "contradictory");
        assert_eq!(states(&ValueSet::any()), "anything");
        assert_eq!(states(&ValueSet::one("")), "\"\"");
        assert_eq!(with(Operator::In, &["a", "b", "c"], &[]), "a, b or c");
        assert_eq!(
            with(Operator::In, &["1", "2", "3", "4", "5", "6", "7"], &[]),
            "1, 2, 3, 4, 5 or 2 more"
        );
        assert_eq!(with(Operator::NotIn, &["a"], &["b"]), "absent or anything but a or b");
        assert_eq!(with(Operator::Exists, &[], &["a"]), "anything but a");
        assert_eq!(with(Operator::Gte, &["2"], &["3"]), "an integer of at least 2 but 3");
        assert_eq!(with(Operator::Lt, &["2"], &[]), "an integer of at most 1");
        assert_eq!(
            states(&set(Operator::Gt, &["2"]).intersect(&set(Operator::Lte, &["9"]))),
            "an integer from 3 to 9"
        );
    }

    #[test]
    fn reasons_that_ruled_out_more_come_first() {
        let mut reasons = [
            Reason::new(&Cause::NoNodePool, 1),
            Reason::new(&Cause::AntiAffinity, 1),
            Reason::new(&Cause::Reservation { id: "cr-1".into() }, 5),
        ];
        reasons.sort();
        let codes: Vec<_> = reasons.iter().map(Reason::code).collect();
        assert_eq!(codes, ["reservation", "anti-affinity", "no-node-pool"]);
    }
}
