//! Taints and tolerations, made dense: each distinct list of either is judged against the other
//! once.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>.
//!
//! `NoSchedule` and `NoExecute` are *hard*: they keep pods away. `PreferNoSchedule` is a
//! preference, dealt with in [`preference`](super::preference).

use super::bits::Bits;
use crate::model::{Effect, Node, NodePool, Taint, Toleration, TolerationOperator};
use std::collections::BTreeMap;
use std::ops::Range;

/// The distinct lists of tolerations, by number.
///
/// A million pods have a handful of lists.
#[derive(Debug, Default)]
pub(crate) struct Tolerations {
    lists: Vec<Vec<Toleration>>,
    numbers: BTreeMap<Vec<Toleration>, usize>,
}

impl Tolerations {
    /// The number of a list; the order of its entries plays no part.
    pub(crate) fn number(&mut self, list: &[Toleration]) -> usize {
        let mut list = list.to_vec();
        list.sort_unstable();
        list.dedup();
        if let Some(known) = self.numbers.get(&list) {
            return *known;
        }
        self.lists.push(list.clone());
        let _new = self.numbers.insert(list, self.lists.len() - 1);
        self.lists.len() - 1
    }

    pub(crate) fn lists(&self) -> &[Vec<Toleration>] {
        &self.lists
    }
}

/// The sites that carry each distinct list of hard taints.
///
/// Lists of pools hold for all offers of the pool at once: ranges of sites, not single ones.
#[derive(Debug, Default)]
pub(crate) struct TaintedSites {
    lists: Vec<(Vec<Taint>, Vec<Range<usize>>)>,
    numbers: BTreeMap<Vec<Taint>, usize>,
}

impl TaintedSites {
    /// Notes that sites carry these hard taints.
    pub(crate) fn note(&mut self, taints: &[Taint], sites: Range<usize>) {
        let number = match self.numbers.get(taints) {
            Some(known) => *known,
            None => {
                let _new = self.numbers.insert(taints.to_vec(), self.lists.len());
                self.lists.push((taints.to_vec(), Vec::new()));
                self.lists.len() - 1
            }
        };
        self.lists[number].1.push(sites);
    }

    /// The sites whose every hard taint the list tolerates.
    pub(crate) fn tolerated(&self, tolerations: &[Toleration], sites: usize) -> Bits {
        let mut bits = Bits::none(sites);
        for (taints, carriers) in &self.lists {
            if taints.iter().all(|taint| is_tolerated(taint, tolerations)) {
                carriers.iter().cloned().flatten().for_each(|site| bits.insert(site));
            }
        }
        bits
    }
}

/// The hard taints of a pool's launches, sorted; startup taints keep no pod away.
pub(crate) fn of_pool(pool: &NodePool) -> Vec<Taint> {
    hard(pool.taints.iter())
}

/// The hard taints of a running node, sorted. While it starts, the startup taints of its pool and
/// the taints that Kubernetes and Karpenter put on starting nodes are passing.
pub(crate) fn of_node(node: &Node, pool: Option<&NodePool>) -> Vec<Taint> {
    let passing = |taint: &&Taint| {
        let startup = pool.map_or(&[][..], |pool| &pool.startup_taints);
        let same = |other: &Taint| other.key == taint.key && other.effect == taint.effect;
        !node.initialized && (is_ephemeral(taint) || startup.iter().any(same))
    };
    hard(node.taints.iter().filter(|taint| !passing(taint)))
}

/// The hard taints of a pool that a list of tolerations doesn't cover.
pub(crate) fn untolerated(pool: &NodePool, tolerations: &[Toleration]) -> Vec<Taint> {
    let mut taints = of_pool(pool);
    taints.retain(|taint| !is_tolerated(taint, tolerations));
    taints
}

fn hard<'a>(taints: impl Iterator<Item = &'a Taint>) -> Vec<Taint> {
    let mut taints: Vec<Taint> =
        taints.filter(|taint| taint.effect != Effect::PreferNoSchedule).cloned().collect();
    taints.sort_unstable();
    taints.dedup();
    taints
}

/// Taints that a node carries only while it starts, by key and effect.
///
/// Source: Karpenter's `KnownEphemeralTaints`, and the taints that cloud providers put on nodes
/// which aren't initialized yet.
fn is_ephemeral(taint: &Taint) -> bool {
    match (&*taint.key, taint.effect) {
        ("node.kubernetes.io/not-ready", Effect::NoSchedule | Effect::NoExecute)
        | (
            "node.kubernetes.io/unreachable" | "node.cloudprovider.kubernetes.io/uninitialized",
            Effect::NoSchedule,
        )
        | ("karpenter.sh/unregistered", Effect::NoExecute) => true,
        (key, _) => key.starts_with("readiness.k8s.io/"),
    }
}

/// Whether some toleration covers a taint.
pub(crate) fn is_tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|toleration| tolerates(toleration, taint))
}

/// Whether a toleration covers a taint: an empty key (with `Exists`) or effect covers all.
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    if toleration.effect.is_some_and(|effect| effect != taint.effect) {
        return false;
    }
    if !toleration.key.is_empty() && toleration.key != taint.key {
        return false;
    }
    let numbers =
        || Some((taint.value.parse::<i64>().ok()?, toleration.value.parse::<i64>().ok()?));
    match toleration.operator {
        TolerationOperator::Exists => true,
        TolerationOperator::Equal => !toleration.key.is_empty() && toleration.value == taint.value,
        TolerationOperator::Gt => numbers().is_some_and(|(of_taint, bound)| of_taint > bound),
        TolerationOperator::Lt => numbers().is_some_and(|(of_taint, bound)| of_taint < bound),
    }
}
