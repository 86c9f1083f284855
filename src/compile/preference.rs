//! Preferences about nodes, made dense: which sites honour which preference.
//!
//! Preferred node affinity is a weight and conditions on labels; a `PreferNoSchedule` taint is a
//! preference of every pod that doesn't tolerate it to be elsewhere.

use super::bits::Bits;
use super::id::{ClassId, IdVec};
use super::rule::{ConditionIndex, NodeRuleSets};
use super::taint::{self, Tolerations};
use crate::model::{Effect, Pod, Taint};
use std::ops::Range;
use std::sync::Arc;

/// The preferences about nodes of a problem's pods.
///
/// What they count for is decided where plans are compared; here is only who honours what.
#[derive(Debug, Default)]
pub(crate) struct NodePreferences {
    /// For each class, the weights and conditions of its preferred node affinity.
    pub(crate) terms: IdVec<ClassId, Vec<(u8, Vec<ConditionIndex>)>>,
    /// For each list of tolerations, the sites without a `PreferNoSchedule` taint that it doesn't
    /// cover.
    pub(crate) untainted: Vec<Bits>,
    /// For each list of tolerations, whether any pool or node has such a taint.
    pub(crate) disliked: Vec<bool>,
}

impl NodePreferences {
    /// The preferred node affinity of a pod. A term without conditions is never honoured.
    pub(crate) fn of(rules: &mut NodeRuleSets, pod: &Pod) -> Vec<(u8, Vec<ConditionIndex>)> {
        let preferred = pod.affinity.iter().flat_map(|affinity| &affinity.node_affinity.preferred);
        preferred
            .map(|preferred_term| (preferred_term.weight, rules.term(&preferred_term.preference)))
            .collect()
    }

    /// The label keys that a class's preferences read.
    pub(crate) fn keys<'r>(
        &'r self,
        class: ClassId,
        rules: &'r NodeRuleSets,
    ) -> impl Iterator<Item = &'r Arc<str>> {
        let conditions = self.terms[class].iter().flat_map(|(_, term)| term);
        conditions.map(|condition| &rules.conditions()[*condition].0)
    }
}

/// The taints of pools and nodes, and of each site.
///
/// Gathered while sites are listed, and turned into bits once.
pub(crate) struct SoftTaints<'a> {
    /// The `PreferNoSchedule` taints of pools that any launch is of or none, and of nodes.
    all: Vec<&'a Taint>,
    sites: Vec<(Vec<&'a Taint>, Range<usize>)>,
    len: usize,
}

impl<'a> SoftTaints<'a> {
    /// So many sites, of which none has taints yet.
    pub(crate) fn new(len: usize) -> Self {
        Self { all: Vec::new(), sites: Vec::new(), len }
    }

    /// Notes that sites have these taints.
    pub(crate) fn note(&mut self, taints: &'a [Taint], sites: Range<usize>) {
        let soft = taints.iter().filter(|taint| taint.effect == Effect::PreferNoSchedule);
        let soft: Vec<&Taint> = soft.collect();
        if !soft.is_empty() {
            self.all.extend(&soft);
            self.sites.push((soft, sites));
        }
    }

    /// For each list of tolerations, whether some soft taint isn't covered.
    pub(crate) fn disliked(&self, tolerations: &Tolerations) -> Vec<bool> {
        let uncovered = |list: &Vec<crate::model::Toleration>| {
            self.all.iter().any(|taint| !taint::is_tolerated(taint, list))
        };
        tolerations.lists().iter().map(uncovered).collect()
    }

    /// For each list of tolerations, the sites that nothing makes unwelcome.
    pub(crate) fn untainted(&self, tolerations: &Tolerations) -> Vec<Bits> {
        let of_list = |list: &Vec<crate::model::Toleration>| {
            let mut bits = Bits::all(self.len);
            for (taints, sites) in &self.sites {
                if !taints.iter().all(|taint| taint::is_tolerated(taint, list)) {
                    sites.clone().for_each(|site| bits.remove(site));
                }
            }
            bits
        };
        tolerations.lists().iter().map(of_list).collect()
    }
}
