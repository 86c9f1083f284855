//! Preferences about nodes, made dense: which sites honour which wish.
//!
//! Preferred node affinity is a weight and conditions on labels; a `PreferNoSchedule` taint is a wish of
//! every pod that doesn't tolerate it to be elsewhere.

use super::bits::Bits;
use super::id::{IdVec, KindId};
use super::rule::{Atom, Rules};
use super::taint::{self, Tolerations};
use crate::model::{Effect, Pod, Taint};
use std::sync::Arc;

/// The preferences about nodes of a problem's pods.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// For each kind, the weights and conditions of its preferred node affinity.
    pub(crate) terms: IdVec<KindId, Vec<(u8, Vec<Atom>)>>,
    /// For each list of tolerations, the sites without a `PreferNoSchedule` taint that it doesn't cover.
    pub(crate) untainted: Vec<Bits>,
    /// For each list of tolerations, whether any pool or node has such a taint.
    pub(crate) disliked: Vec<bool>,
}

impl Wishes {
    /// The preferred node affinity of a pod. A term without conditions is never honoured.
    pub(crate) fn of(rules: &mut Rules, pod: &Pod) -> Vec<(u8, Vec<Atom>)> {
        let preferred = pod.affinity.iter().flat_map(|affinity| &affinity.node_affinity.preferred);
        preferred.map(|wish| (wish.weight, rules.term(&wish.preference))).collect()
    }

    /// The label keys that a kind's preferences read.
    pub(crate) fn keys<'r>(
        &'r self,
        kind: KindId,
        rules: &'r Rules,
    ) -> impl Iterator<Item = &'r Arc<str>> {
        let atoms = self.terms[kind].iter().flat_map(|(_, term)| term);
        atoms.map(|atom| &rules.atoms()[*atom].0)
    }
}

/// The taints of pools and nodes, and of each site.
pub(crate) struct SoftTaints<'a> {
    pub(crate) all: Vec<&'a [Taint]>,
    pub(crate) sites: Vec<(&'a [Taint], usize)>,
    pub(crate) len: usize,
}

impl SoftTaints<'_> {
    /// For each list of tolerations, whether some soft taint isn't covered.
    pub(crate) fn disliked(&self, tolerations: &Tolerations) -> Vec<bool> {
        let soft = |taint: &&Taint| taint.effect == Effect::PreferNoSchedule;
        let taints: Vec<&Taint> = self.all.iter().copied().flatten().filter(soft).collect();
        let uncovered = |list: &Vec<crate::model::Toleration>| {
            taints.iter().any(|taint| !taint::is_tolerated(taint, list))
        };
        tolerations.lists().iter().map(uncovered).collect()
    }

    /// For each list of tolerations, the sites that nothing makes unwelcome.
    pub(crate) fn untainted(&self, tolerations: &Tolerations) -> Vec<Bits> {
        let soft = |taint: &&Taint| taint.effect == Effect::PreferNoSchedule;
        let tainted: Vec<(Vec<&Taint>, usize)> = self
            .sites
            .iter()
            .map(|(taints, site)| (taints.iter().filter(soft).collect::<Vec<_>>(), *site))
            .filter(|(taints, _)| !taints.is_empty())
            .collect();
        let of_list = |list: &Vec<crate::model::Toleration>| {
            let mut bits = Bits::all(self.len);
            for (taints, site) in &tainted {
                if !taints.iter().all(|taint| taint::is_tolerated(taint, list)) {
                    bits.remove(*site);
                }
            }
            bits
        };
        tolerations.lists().iter().map(of_list).collect()
    }
}
