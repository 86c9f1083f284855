//! Pods of a plan that no order of binding tells apart, counted.
//!
//! Whether a pod is accepted depends on its class and, for each counter that a required rule of the
//! plan's pods reads, on its node's domain and on whether that node counts. Pods that agree in all
//! of these may take each other's turn, on whatever nodes they are: a million pods spread over
//! three zones are as many entries as they have classes, three times. Only over single nodes there
//! is an entry for each node.

use super::final_state::FinalState;
use super::rules::{PodCounter, TopologyRuleSet};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::BTreeSet;

/// A class, and for each counter that matters to it the domain, and whether the node counts.
type AlikeKey = (usize, Vec<(Option<usize>, bool)>);

/// Pods that are alike.
pub(super) struct AlikePods {
    pub(super) class: usize,
    /// The node of the first: all of theirs are in the same domains.
    pub(super) host: usize,
    pub(super) count: u64,
    /// Where they are in what the plan places, in turn.
    pub(super) placed: Vec<usize>,
}

/// The pods that a plan places, all that are alike in one entry.
pub(super) fn alike(state: &FinalState<'_>, rules: &TopologyRuleSet) -> Vec<AlikePods> {
    let of_class = counters_of_classes(state, rules);
    let mut alike: Vec<AlikePods> = Vec::new();
    let mut known: HashMap<AlikeKey, usize, FixedState> = HashMap::default();
    for (number, member) in state.placed.iter().enumerate() {
        let profile = state.hosts.get(member.host).map_or(usize::MAX, |host| host.profile);
        let seen = |counter: &&PodCounter| {
            let counts = counter.profiles.get(profile) == Some(&true);
            (rules.domain(counter, member.host), counts)
        };
        let own = of_class.get(member.class).into_iter().flatten();
        let key = (member.class, own.map(seen).collect());
        let at = *known.entry(key).or_insert_with(|| {
            let (class, host) = (member.class, member.host);
            alike.push(AlikePods { class, host, count: 0, placed: Vec::new() });
            alike.len().saturating_sub(1)
        });
        if let Some(entry) = alike.get_mut(at) {
            entry.count = entry.count.saturating_add(member.count);
            entry.placed.push(number);
        }
    }
    alike
}

/// For each class, the counters that it reads or that count it, of those that required rules of
/// placed pods read.
fn counters_of_classes<'r>(
    state: &FinalState<'_>,
    rules: &'r TopologyRuleSet,
) -> Vec<Vec<&'r PodCounter>> {
    let required = |class: usize| {
        let own = rules.of_class.get(class);
        let spreads = own.into_iter().flat_map(|own| &own.spreads);
        let spreads = spreads.filter(|spread| spread.hard).map(|spread| spread.counter);
        spreads.chain(own.into_iter().flat_map(|own| own.affinity.iter().copied()))
    };
    let placed: BTreeSet<usize> = state.placed.iter().map(|member| member.class).collect();
    let read: BTreeSet<usize> = placed.iter().flat_map(|class| required(*class)).collect();
    let counters = |class: usize| -> Vec<&'r PodCounter> {
        let counting = rules.counted_by.get(class).into_iter().flatten().copied();
        let counting = counting.filter(|at| read.contains(at));
        let all: BTreeSet<usize> = required(class).chain(counting).collect();
        all.into_iter().filter_map(|at| rules.counters.get(at)).collect()
    };
    (0..state.classes.len()).map(counters).collect()
}
