//! Each placement rule as a question about plain data, in the words of the Kubernetes documents.

use super::document::{
    Document, HOSTNAME, Labels, Node, Pod, PodTerm, Requirement, Spread, Term, list,
};
use serde_json::Value;

/// Whether a label's state (`None`: absent) meets a requirement.
pub(crate) fn admits(requirement: &Requirement, state: Option<&str>) -> bool {
    let integer = || Some((state?.parse::<i64>().ok()?, bound(requirement)?));
    match requirement.operator.as_str() {
        "In" => state.is_some_and(|s| requirement.values.iter().any(|v| v == s)),
        "NotIn" => state.is_none_or(|s| requirement.values.iter().all(|v| v != s)),
        "Exists" => state.is_some(),
        "DoesNotExist" => state.is_none(),
        "Gt" => integer().is_some_and(|(s, v)| s > v),
        "Lt" => integer().is_some_and(|(s, v)| s < v),
        "Gte" => integer().is_some_and(|(s, v)| s >= v),
        "Lte" => integer().is_some_and(|(s, v)| s <= v),
        other => panic!("operator {other}"),
    }
}

fn bound(requirement: &Requirement) -> Option<i64> {
    requirement.values.first()?.parse().ok()
}

/// Whether a pod's node selector and required node affinity match a node.
///
/// `name` is the node's name; a node to be launched has none yet, and equals no name.
pub(crate) fn selects(pod: &Pod, labels: &Labels, name: Option<&str>) -> bool {
    let state = |key: &str| labels.get(key).map(String::as_str);
    let expression = |r: &Requirement| admits(r, state(&r.key));
    let field = |r: &Requirement| match r.operator.as_str() {
        "In" => name.is_some_and(|n| r.values.iter().any(|v| v == n)),
        "NotIn" => name.is_none_or(|n| r.values.iter().all(|v| v != n)),
        other => panic!("operator {other} on a field"),
    };
    pod.selector.iter().all(|(key, value)| state(key) == Some(value))
        && pod.terms.as_ref().is_none_or(|terms| {
            terms.iter().any(|term| {
                !(term.expressions.is_empty() && term.fields.is_empty())
                    && term.expressions.iter().all(expression)
                    && term.fields.iter().all(field)
            })
        })
}

/// Whether a pod tolerates every hard taint of a list.
pub(crate) fn tolerates<'a>(pod: &Pod, taints: impl IntoIterator<Item = &'a Value>) -> bool {
    taints
        .into_iter()
        .filter(|taint| taint["effect"] != "PreferNoSchedule")
        .all(|taint| pod.tolerations.iter().any(|toleration| covers(toleration, taint)))
}

fn covers(toleration: &Value, taint: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or("").to_string();
    let (key, effect) = (text(&toleration["key"]), text(&toleration["effect"]));
    let (wanted, value) = (text(&toleration["value"]), text(&taint["value"]));
    let compared = |test: fn(&i64, &i64) -> bool| {
        value.parse::<i64>().is_ok_and(|v| wanted.parse::<i64>().is_ok_and(|w| test(&v, &w)))
    };
    (effect.is_empty() || effect == text(&taint["effect"]))
        && (key.is_empty() || key == text(&taint["key"]))
        && match toleration["operator"].as_str().unwrap_or("") {
            "Exists" => true,
            "" | "Equal" => wanted == value,
            "Gt" => compared(i64::gt),
            "Lt" => compared(i64::lt),
            other => panic!("operator {other} of a toleration"),
        }
}

/// The taints of a running node that keep pods away.
pub(crate) fn standing_taints<'a>(document: &'a Document, node: &'a Node) -> Vec<&'a Value> {
    let pool = node.labels.get("karpenter.sh/nodepool");
    let pool = document.pools.iter().find(|p| Some(&p.name) == pool);
    let startup = |taint: &Value| {
        pool.is_some_and(|pool| {
            let same = |s: &Value| s["key"] == taint["key"] && s["effect"] == taint["effect"];
            pool.startup.iter().any(same)
        })
    };
    let passing = |taint: &Value| {
        let (key, effect) = (taint["key"].as_str().unwrap(), taint["effect"].as_str().unwrap());
        matches!(
            (key, effect),
            ("node.kubernetes.io/not-ready", "NoSchedule" | "NoExecute")
                | ("node.kubernetes.io/unreachable", "NoSchedule")
                | ("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule")
                | ("karpenter.sh/unregistered", "NoExecute")
        ) || key.starts_with("readiness.k8s.io/")
    };
    let stands = |t: &&Value| node.initialized || !(startup(t) || passing(t));
    node.taints.iter().filter(stands).collect()
}

/// Whether two pods want the same port of the same address.
pub(crate) fn ports_clash(a: &Pod, b: &Pod) -> bool {
    let any = |ip: &str| ip == "0.0.0.0" || ip == "::";
    a.ports.iter().any(|(port, protocol, ip)| {
        b.ports.iter().any(|(other_port, other_protocol, other_ip)| {
            port == other_port
                && protocol == other_protocol
                && (ip == other_ip || any(ip) || any(other_ip))
        })
    })
}

/// Whether either pod refuses to share a node with the other.
pub(crate) fn kept_apart(document: &Document, a: &Pod, b: &Pod) -> bool {
    let refuses = |one: &Pod, other: &Pod| {
        let mut terms = one.apart.iter().filter(|term| term.key == HOSTNAME);
        terms.any(|term| means(document, one, term, other))
    };
    refuses(a, b) || refuses(b, a)
}

/// Whether a pod's term of affinity or anti-affinity means another pod.
pub(crate) fn means(document: &Document, owner: &Pod, term: &PodTerm, other: &Pod) -> bool {
    let by_label = |selector: &Value| {
        let mut labels = document.namespaces.get(&other.namespace).cloned().unwrap_or_default();
        labels.insert("kubernetes.io/metadata.name".into(), other.namespace.clone());
        matches(selector, &labels)
    };
    let own = term.namespaces.is_empty() && term.namespace_selector.is_null();
    let namespace = (own && other.namespace == owner.namespace)
        || term.namespaces.contains(&other.namespace)
        || by_label(&term.namespace_selector);
    let differs = |key: &String| {
        owner.labels.get(key).is_none_or(|value| other.labels.get(key) != Some(value))
    };
    namespace
        && matches(&term.selector, &other.labels)
        && agree(owner, &term.match_keys, other)
        && term.mismatch_keys.iter().all(differs)
}

/// Whether a pod's spread counts another pod.
pub(crate) fn counts(owner: &Pod, spread: &Spread, other: &Pod) -> bool {
    owner.namespace == other.namespace
        && matches(&spread.selector, &other.labels)
        && agree(owner, &spread.match_keys, other)
}

/// Whether another pod has the same values of some labels; a label that the owner lacks says
/// nothing.
fn agree(owner: &Pod, keys: &[String], other: &Pod) -> bool {
    keys.iter()
        .all(|key| owner.labels.get(key).is_none_or(|value| other.labels.get(key) == Some(value)))
}

/// Whether a label selector matches; an absent one matches nothing, an empty one everything.
fn matches(selector: &Value, labels: &Labels) -> bool {
    let state = |key: &str| labels.get(key).map(String::as_str);
    let expression = |e: &Value| {
        let values = || list(&e["values"]).iter().filter_map(Value::as_str);
        let state = state(e["key"].as_str().unwrap());
        match e["operator"].as_str().unwrap() {
            "In" => state.is_some_and(|s| values().any(|v| v == s)),
            "NotIn" => state.is_none_or(|s| values().all(|v| v != s)),
            "Exists" => state.is_some(),
            "DoesNotExist" => state.is_none(),
            other => panic!("operator {other} of a selector"),
        }
    };
    selector.is_object()
        && list(&selector["matchExpressions"]).iter().all(expression)
        && selector["matchLabels"]
            .as_object()
            .into_iter()
            .flatten()
            .all(|(key, value)| state(key) == value.as_str())
}

/// Whether a pod's volumes can be reached from a node with these labels.
pub(crate) fn reaches(pod: &Pod, labels: &Labels) -> bool {
    let zone = labels.get("topology.kubernetes.io/zone");
    let state = |key: &str| labels.get(key).map(String::as_str);
    let holds = |term: &Term| {
        !term.expressions.is_empty() && term.expressions.iter().all(|r| admits(r, state(&r.key)))
    };
    pod.volume_terms.iter().all(|terms| terms.iter().any(holds))
        && pod
            .volumes
            .iter()
            .all(|(_, _, zones)| zones.is_empty() || zone.is_some_and(|zone| zones.contains(zone)))
}
