//! What can be at a place, by the values of a label that its launch leaves open.
//!
//! Thousands of pods may each ask for a value of their own of one label. A node has one value, so
//! those that ask for different ones are never together. Pods that ask for exactly one value are
//! sorted by it; what others there are is asked again for each value.

use super::super::label::NodeLabels;
use super::super::node_affinity::PodNodeRules;
use super::super::requirement::{Condition, KnownLabel, all_hold, possible};
use super::place::{CertifiedLaunch, CertifiedNode, NodeJudge};
use super::pods::CountedPods;
use crate::model::well_known;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is left of a place for each value of a label.
pub(super) enum NodeByValue<'a> {
    /// The label isn't open: its value, if it is there.
    Known(Option<&'a str>),
    /// The cases: a value, or nothing where it has another value than those, or isn't there.
    Cases(Vec<(Option<Arc<str>>, CertifiedNode<'a>)>),
}

/// Items, each with how many pods a node has of it at most.
type MostOnNode = [(usize, u32)];

impl<'a> NodeJudge<'_, 'a> {
    /// What is left of a place where a label has one of these values, one that pods ask for, or any
    /// other state.
    pub(super) fn by_value(
        &self,
        counted: &[CountedPods],
        place: &CertifiedNode<'a>,
        key: &str,
        listed: &'a [Arc<str>],
    ) -> NodeByValue<'a> {
        let key = well_known::normalized(key);
        let Some(launch) = &place.launch else { return NodeByValue::Known(None) };
        let Some((key, conditions)) = launch.labels.open.get_key_value(key) else {
            return NodeByValue::Known(launch.labels.known.get(key).copied());
        };
        let mut daemons = self.facts.problem.daemon_sets.iter().map(PodNodeRules::of);
        let daemons_read =
            daemons.any(|rules| rules.keys().any(|one| well_known::normalized(one) == *key));
        let (sorted, others) = self.sorted(counted, place, key);
        let mut values: BTreeSet<&'a str> = listed.iter().map(|value| &**value).collect();
        values.extend(sorted.keys());
        values.retain(|value| all_hold(conditions, KnownLabel::Value(value)));
        let mut cases = Vec::new();
        for value in values {
            let mut labels = launch.labels.clone();
            let _open = labels.open.remove(key);
            let _new = labels.known.insert(key, value);
            let own = sorted.get(value).map_or(&[][..], |items| items);
            let case = self.case(counted, place, labels, (own, &others), daemons_read);
            cases.push((Some(value.into()), case));
        }
        let mut labels = launch.labels.clone();
        if let Some(conditions) = labels.open.get_mut(key) {
            conditions.push(Condition::none_of(listed));
            if possible(conditions) {
                cases.push((None, self.case(counted, place, labels, (&[], &others), daemons_read)));
            }
        }
        NodeByValue::Cases(cases)
    }

    /// The items of a place of which every pod asks for exactly one value, by value, and the
    /// others.
    #[allow(
        clippy::type_complexity,
        reason = "a list of items by value, and another list of items"
    )]
    fn sorted(
        &self,
        counted: &[CountedPods],
        place: &CertifiedNode<'a>,
        key: &str,
    ) -> (BTreeMap<&'a str, Vec<(usize, u32)>>, Vec<(usize, u32)>) {
        let (mut sorted, mut others): (BTreeMap<&str, Vec<_>>, Vec<_>) =
            (BTreeMap::new(), Vec::new());
        for (item, most) in &place.present {
            let profiles = counted.get(*item).map_or(&[][..], |pods| &pods.profiles);
            let value = |profile: &usize| {
                PodNodeRules::of(self.profiles.get(*profile)?.pod).only_value(key)
            };
            let values: Option<BTreeSet<&'a str>> = profiles.iter().map(value).collect();
            match values {
                Some(values) => {
                    for value in values {
                        sorted.entry(value).or_default().push((*item, *most));
                    }
                }
                None => others.push((*item, *most)),
            }
        }
        (sorted, others)
    }

    /// A place with such labels: of the items that it can have, those that ask for just this value,
    /// and those of the others that can be there.
    fn case(
        &self,
        counted: &[CountedPods],
        whole: &CertifiedNode<'a>,
        labels: NodeLabels<'a>,
        (own, others): (&MostOnNode, &MostOnNode),
        daemons_read: bool,
    ) -> CertifiedNode<'a> {
        let launch =
            whole.launch.as_ref().map(|launch| CertifiedLaunch { labels, ..launch.clone() });
        let mut present: Vec<(usize, u32)> = own.to_vec();
        let suits = |(item, _): &&(usize, u32)| {
            let labels = launch.as_ref().map(|launch| &launch.labels);
            let profiles = counted.get(*item).map_or(&[][..], |pods| &pods.profiles);
            let mut profiles = profiles.iter().filter_map(|profile| self.profiles.get(*profile));
            profiles
                .any(|profile| labels.is_none_or(|labels| self.labels_could_suit(profile, labels)))
        };
        present.extend(others.iter().filter(suits));
        present.sort_unstable();
        let mut room = whole.room.clone();
        if daemons_read && let Some(launch) = &launch {
            let again = self.launched(launch);
            let there: BTreeSet<usize> = again.present.iter().map(|(item, _)| *item).collect();
            present.retain(|(item, _)| there.contains(item));
            room = again.room;
        }
        CertifiedNode { room, present, launch }
    }
}
