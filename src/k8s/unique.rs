//! Names of pods: workloads of several kinds may have one name, their pods may not.
//!
//! Kubernetes names the pods of a deployment at random; here they are `name-0` to `name-(n-1)`, as
//! a stateful set's are anyway. So a deployment that is called as a stateful set is, or as a pod
//! with or without a number, gets its kind into the name: then a name means one thing wherever it
//! stands.

use super::dump::Entry;
use super::report::Findings;
use crate::model::Pod;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names that are taken, by namespace.
#[derive(Debug, Default)]
pub(super) struct UniqueNames {
    singles: BTreeSet<(Arc<str>, Arc<str>)>,
    /// By namespace and stem, how many numbered names are taken.
    sets: BTreeMap<(Arc<str>, Arc<str>), u32>,
    /// By namespace and stem, the least number of a single pod's name.
    numbered: BTreeMap<(Arc<str>, Arc<str>), u32>,
}

impl UniqueNames {
    /// Gives names to pods that have another's, and says so. Pods that stand alone have the names
    /// that the cluster gave them and keep them.
    pub(super) fn settle(
        mut self,
        mut pods: Vec<(usize, Pod, bool)>,
        entries: &[Entry],
        findings: &mut [Findings],
    ) -> Vec<(usize, Pod, bool)> {
        // The sort is stable: of each sort the pods stay in the order of their objects.
        pods.sort_by_key(|(at, pod, _)| (pod.replicas > 1, *at));
        for (at, pod, _) in &mut pods {
            let kind = entries.get(*at).map_or("", |entry| &*entry.id.kind).to_lowercase();
            let stem = Arc::clone(&pod.name);
            let mut tries = 0_u64;
            while !self.is_free(pod) {
                pod.name = match tries {
                    0 => format!("{stem}-{kind}").into(),
                    _ => format!("{stem}-{kind}-{tries}x").into(),
                };
                tries += 1;
            }
            if tries > 0
                && let Some(of_object) = findings.get_mut(*at)
            {
                let message = format!("another pod has this name: here it is {}", pod.name);
                of_object.note("metadata.name", message);
            }
            self.take(pod);
        }
        pods.sort_by_key(|(at, ..)| *at);
        pods
    }

    /// Three collisions are possible: single with single, set with set of one stem, and a single
    /// that is called as a replica would be.
    fn is_free(&self, pod: &Pod) -> bool {
        let key = (Arc::clone(&pod.namespace), Arc::clone(&pod.name));
        if pod.replicas > 1 {
            let least = self.numbered.get(&key);
            let names_one = self.sets.contains_key(&key) || self.singles.contains(&key);
            !names_one && least.is_none_or(|least| *least >= pod.replicas)
        } else {
            let in_set = stem_and_number(&pod.name).is_some_and(|(stem, number)| {
                let key = (Arc::clone(&pod.namespace), stem.into());
                self.sets.get(&key).is_some_and(|count| number < *count)
            });
            !self.singles.contains(&key) && !self.sets.contains_key(&key) && !in_set
        }
    }

    fn take(&mut self, pod: &Pod) {
        let key = (Arc::clone(&pod.namespace), Arc::clone(&pod.name));
        if pod.replicas > 1 {
            let _none = self.sets.insert(key, pod.replicas);
            return;
        }
        if let Some((stem, number)) = stem_and_number(&pod.name) {
            let stem = (Arc::clone(&pod.namespace), stem.into());
            let least = self.numbered.entry(stem).or_insert(number);
            *least = (*least).min(number);
        }
        let _new = self.singles.insert(key);
    }
}

/// The stem and the number of a name such as `web-0`.
///
/// Zeros in front make another name.
fn stem_and_number(name: &str) -> Option<(&str, u32)> {
    let (stem, digits) = name.rsplit_once('-')?;
    let plain = digits == "0" || !digits.starts_with('0');
    let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    plain.then_some((stem, number))
}
