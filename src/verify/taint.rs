//! Taints, tested again: which of them keep pods away, and which pods tolerate them.
//!
//! *The rule.* A taint with `NoSchedule` or `NoExecute` keeps every pod away that doesn't tolerate
//! it; one with `PreferNoSchedule` is a wish, and judged with the preferences. A toleration speaks
//! of a taint where the effect is equal or it names none, the key is equal or it names none (with
//! `Exists`, every taint), and the operator holds: `Exists` of any value, `Equal` of the same one,
//! `Gt` and `Lt` where both are integers and the taint's is above, or below, the toleration's.
//!
//! *Which taints a node has.* A launch has those of its pool. Its startup taints don't count: pods
//! are only bound once they are gone. A running node has those that it states, but for what belongs
//! to starting while it starts ([`of_node`]); after that even such a taint means what it says.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>.

use super::facts::Facts;
use super::violation::{PlanPlace, Violation};
use crate::model::{Effect, Node, Pod, Taint, Toleration, TolerationOperator, well_known};
use std::sync::Arc;

/// Whether a toleration speaks of a taint.
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let same_effect = toleration.effect.is_none_or(|effect| effect == taint.effect);
    let same_key = toleration.key.is_empty() || toleration.key == taint.key;
    let numbers = || Some((taint.value.parse::<i64>().ok()?, toleration.value.parse().ok()?));
    same_effect
        && same_key
        && match toleration.operator {
            TolerationOperator::Exists => true,
            TolerationOperator::Equal => toleration.value == taint.value,
            TolerationOperator::Gt => numbers().is_some_and(|(taint, bound)| taint > bound),
            TolerationOperator::Lt => numbers().is_some_and(|(taint, bound)| taint < bound),
        }
}

/// Whether a pod tolerates a taint, whatever its effect.
pub(super) fn is_tolerated(pod: &Pod, taint: &Taint) -> bool {
    pod.tolerations.iter().any(|toleration| tolerates(toleration, taint))
}

/// The first taint that keeps a pod away.
pub(super) fn untolerated<'t>(
    pod: &Pod,
    mut taints: impl Iterator<Item = &'t Taint>,
) -> Option<&'t Taint> {
    taints.find(|taint| {
        matches!(taint.effect, Effect::NoSchedule | Effect::NoExecute) && !is_tolerated(pod, taint)
    })
}

/// Reports a taint that a pod doesn't tolerate.
pub(super) fn check<'t>(
    pod: &Pod,
    name: &Arc<str>,
    place: &PlanPlace,
    taints: impl Iterator<Item = &'t Taint>,
    out: &mut Vec<Violation>,
) {
    if let Some(taint) = untolerated(pod, taints) {
        out.push(Violation::Untolerated {
            pod: name.clone(),
            place: place.clone(),
            taint: taint.clone(),
        });
    }
}

/// The taints of a running node that count.
///
/// While a node starts, its pool's startup taints and the taints that every starting node has don't
/// count: they will be gone. Once it has started, they mean what they say.
pub(super) fn of_node<'a>(facts: &Facts<'a>, node: &'a Node) -> Vec<&'a Taint> {
    let pool = super::label::of_node(node)
        .known
        .get(well_known::NODE_POOL)
        .and_then(|name| facts.pool(name))
        .map(|(_, pool)| pool);
    let startup = pool.map_or(&[][..], |pool| &pool.startup_taints);
    node.taints
        .iter()
        .filter(|taint| {
            node.initialized
                || !(is_ephemeral(taint)
                    || startup
                        .iter()
                        .any(|other| other.key == taint.key && other.effect == taint.effect))
        })
        .collect()
}

/// Whether a taint is one that nodes have only while they start.
fn is_ephemeral(taint: &Taint) -> bool {
    matches!(
        (&*taint.key, taint.effect),
        ("node.kubernetes.io/not-ready", Effect::NoSchedule | Effect::NoExecute)
            | ("node.kubernetes.io/unreachable", Effect::NoSchedule)
            | ("node.cloudprovider.kubernetes.io/uninitialized", Effect::NoSchedule)
            | ("karpenter.sh/unregistered", Effect::NoExecute)
    ) || taint.key.starts_with("readiness.k8s.io/")
}
