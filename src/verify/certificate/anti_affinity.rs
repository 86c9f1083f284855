//! Pods that keep each other off their nodes: by host ports, or by required anti-affinity over the
//! hostname of either.
//!
//! A spread over the hostname isn't among these: kube-scheduler lets a node have as many pods as it
//! allows above the node that has fewest, and that one may have some.

use super::super::facts::Facts;
use super::super::{anti_affinity, host_port};
use super::pods::{CountedPods, PodProfile};
use std::collections::BTreeMap;

/// Of items that are of more different pods than this it isn't said that they are apart.
const MOST_ASKS: usize = 64;
/// The most pairs of pods that are looked at.
const MOST_PAIRS: u32 = 1 << 26;

/// Which pods are known to be apart.
pub(super) struct Separation<'c, 'a> {
    facts: &'c Facts<'a>,
    profiles: &'c [PodProfile<'a>],
    known: BTreeMap<(usize, usize), bool>,
    left: u32,
}

impl<'c, 'a> Separation<'c, 'a> {
    pub(super) fn new(facts: &'c Facts<'a>, profiles: &'c [PodProfile<'a>]) -> Self {
        Self { facts, profiles, known: BTreeMap::new(), left: MOST_PAIRS }
    }

    fn keep_off(&mut self, one: usize, other: usize) -> bool {
        let key = (one.min(other), one.max(other));
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let (Some(a), Some(b)) = (self.profiles.get(one), self.profiles.get(other)) else {
            return false;
        };
        let separated = host_port::clashes(a.pod, b.pod)
            || anti_affinity::forbids(self.facts, a.pod, b.pod)
            || anti_affinity::forbids(self.facts, b.pod, a.pod);
        let _new = self.known.insert(key, separated);
        separated
    }

    /// Whether some pod of an item may keep others off: no two pods are apart of which neither may.
    pub(super) fn may_keep_off(&self, pods: &CountedPods) -> bool {
        let profiles = pods.profiles.iter().filter_map(|profile| self.profiles.get(*profile));
        profiles.into_iter().any(|profile| {
            let terms = anti_affinity::terms(profile.pod);
            !profile.pod.host_ports.is_empty() || terms.iter().any(anti_affinity::is_per_node)
        })
    }

    /// Whether no pod of one item shares a node with one of another.
    pub(super) fn are_separated(&mut self, one: &CountedPods, other: &CountedPods) -> bool {
        if one.profiles.len().max(other.profiles.len()) > MOST_ASKS {
            return false;
        }
        let pairs = one.profiles.iter().flat_map(|a| other.profiles.iter().map(move |b| (*a, *b)));
        for (a, b) in pairs {
            match self.left.checked_sub(1) {
                Some(left) => self.left = left,
                None => return false,
            }
            if !self.keep_off(a, b) {
                return false;
            }
        }
        true
    }

    /// The first two of some items whose pods may share a node.
    pub(super) fn first_together(
        &mut self,
        members: &[usize],
        counted: &[CountedPods],
    ) -> Option<(usize, usize)> {
        for (place, one) in members.iter().enumerate() {
            for other in members.iter().skip(place.saturating_add(1)) {
                let (a, b) = (counted.get(*one)?, counted.get(*other)?);
                if !self.are_separated(a, b) {
                    return Some((*one, *other));
                }
            }
        }
        None
    }
}
