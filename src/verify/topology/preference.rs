//! Preferences, counted again in the final state of a plan.

use super::super::facts::Facts;
use super::super::node_affinity::{Answer, PodNodeRules};
use super::super::taint;
use super::final_state::{FinalState, PodsOnNode};
use super::rules::{PodCounter, TopologyRuleSet};
use crate::model::{Effect, Pod, Taint};
use crate::plan::{PreferenceKind, PreferenceShare};
use std::collections::BTreeMap;
use std::sync::Arc;

/// By name of the first pod of each entry that is bound, the weight of what one of its pods prefers
/// and has.
pub(super) fn of_bound(
    facts: &Facts<'_>,
    state: &FinalState<'_>,
    rules: &TopologyRuleSet,
) -> BTreeMap<Arc<str>, u64> {
    let disliked = disliked(facts);
    let everywhere = everywhere(state);
    let of_member = |member: &PodsOnNode| {
        let of_pod = weigh(state, rules, (rules, &everywhere), member, &disliked);
        let honoured = of_pod.iter().fold(0_u64, |sum, (_, kept)| sum.saturating_add(*kept));
        (member.first.clone(), honoured)
    };
    state.bound.iter().map(of_member).collect()
}

/// The taints that nodes of the problem may have and that are to be avoided.
fn disliked<'a>(facts: &Facts<'a>) -> Vec<&'a Taint> {
    let soft = |taint: &&Taint| taint.effect == Effect::PreferNoSchedule;
    let of_pools = facts.problem.node_pools.iter().flat_map(|pool| &pool.taints);
    let standing = facts.problem.nodes.iter().filter(|node| !node.deleting);
    of_pools.chain(standing.flat_map(|node| &node.taints)).filter(soft).collect()
}

/// What of each kind of preference is honoured, of those that any placed pod has.
pub(super) fn shares(
    facts: &Facts<'_>,
    state: &FinalState<'_>,
    rules: &TopologyRuleSet,
) -> Vec<PreferenceShare> {
    let mut last = rules.clone();
    for member in &state.placed {
        last.count(state, member.class, member.host, member.count);
    }
    let disliked = disliked(facts);
    let everywhere = everywhere(state);
    let mut sums = [(0_u64, 0_u64); 5];
    for member in &state.placed {
        let of_pod = weigh(state, rules, (&last, &everywhere), member, &disliked);
        for (sum, (weight, honoured)) in sums.iter_mut().zip(of_pod) {
            sum.0 = sum.0.saturating_add(weight.saturating_mul(member.count));
            sum.1 = sum.1.saturating_add(honoured.saturating_mul(member.count));
        }
    }
    let kinds = PreferenceKind::ALL.into_iter().zip(sums);
    kinds
        .filter(|(_, (weight, _))| *weight > 0)
        .map(|(kind, (weight, honoured))| PreferenceShare::new(kind, weight, honoured))
        .collect()
}

/// By kind of preference, in their order, what one pod of a member wishes for and gets.
///
/// Preferences of pods are judged at the end, when everybody is there: what was honoured when a pod
/// was bound may be lost to those that came later. A pod never counts for itself, except that the
/// only one of whom its own affinity speaks honours it by being there.
fn weigh(
    state: &FinalState<'_>,
    rules: &TopologyRuleSet,
    (last, everywhere): (&TopologyRuleSet, &[u64]),
    member: &PodsOnNode,
    disliked: &[&Taint],
) -> [(u64, u64); 5] {
    let mut sums = [(0, 0); 5];
    let [node, affinity, anti_affinity, spread, taints] = &mut sums;
    let Some(class) = state.classes.get(member.class) else { return sums };
    let Some(own) = rules.of_class.get(member.class) else { return sums };
    let Some(profile) =
        state.hosts.get(member.host).and_then(|host| state.profiles.get(host.profile))
    else {
        return sums;
    };
    let add = |sum: &mut (u64, u64), weight: u64, honoured: bool| {
        sum.0 = sum.0.saturating_add(weight);
        sum.1 = sum.1.saturating_add(if honoured { weight } else { 0 });
    };
    let preferred = class.pod.affinity.as_deref().map(|rules| &rules.node_affinity.preferred);
    for preferred_term in preferred.into_iter().flatten() {
        let honoured =
            PodNodeRules::term(&preferred_term.preference, &profile.labels) == Answer::Yes;
        add(node, preferred_term.weight.into(), honoured);
    }
    let others = |at: usize| -> Option<(&PodCounter, u64)> {
        let counter = last.counters.get(at)?;
        let count = counter.count(last.domain(counter, member.host)?);
        let itself = u64::from(counter.classes.binary_search(&member.class).is_ok());
        Some((counter, count.saturating_sub(itself)))
    };
    for (weight, at) in &own.preferred_affinity {
        let honoured = others(*at).is_some_and(|(counter, others)| {
            let selects_itself = counter.classes.binary_search(&member.class).is_ok();
            let all = || {
                let of_classes = counter.classes.iter().filter_map(|class| everywhere.get(*class));
                of_classes.fold(0_u64, |sum, count| sum.saturating_add(*count))
            };
            others > 0 || selects_itself && all() <= 1
        });
        add(affinity, *weight, honoured);
    }
    for (weight, at) in &own.preferred_anti_affinity {
        add(anti_affinity, *weight, others(*at).is_none_or(|(_, others)| others == 0));
    }
    for one in own.spreads.iter().filter(|spread| !spread.hard) {
        let Some(counter) = last.counters.get(one.counter) else { continue };
        let even = last.domain(counter, member.host).is_some_and(|domain| {
            let least = counter.least(one.min_domains);
            counter.count(domain).saturating_sub(least) <= one.max_skew
        });
        add(spread, 1, even);
    }
    if !tolerates_all(class.pod, disliked.iter().copied()) {
        let soft = profile.taints.iter().copied();
        let soft = soft.filter(|taint| taint.effect == Effect::PreferNoSchedule);
        add(taints, 1, tolerates_all(class.pod, soft));
    }
    sums
}

/// For each class, how many pods of it there are, wherever they run.
fn everywhere(state: &FinalState<'_>) -> Vec<u64> {
    let mut counts = vec![0_u64; state.classes.len()];
    for member in state.bound.iter().chain(&state.placed) {
        if let Some(count) = counts.get_mut(member.class) {
            *count = count.saturating_add(member.count);
        }
    }
    counts
}

fn tolerates_all<'t>(pod: &Pod, mut taints: impl Iterator<Item = &'t Taint>) -> bool {
    taints.all(|taint| taint::is_tolerated(pod, taint))
}
