//! Rules between pods over domains, judged again: spreads, affinity, anti-affinity.
//!
//! kube-scheduler binds one pod after another and looks at those bound before. So whether a plan
//! keeps a spread or an affinity depends on the order of binding, and a plan is right if at least
//! one order exists in which every placed pod is accepted ([`order`]). Anti-affinity holds between
//! any two pods whichever comes first, so it is a statement about the end ([`anti_affinity`]). And
//! all of it must hold whichever of a launch's alternatives is taken ([`opened`]).
//!
//! All nodes stand: those of the problem that aren't being deleted, with their bound pods, and the
//! plan's launches, each with the labels that the plan states and a hostname of its own.
//!
//! Sources: <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>,
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>; kube-scheduler's
//! `PodTopologySpread` and `InterPodAffinity` filters.
//!
//! | file | says |
//! |---|---|
//! | [`final_state`] | which nodes stand, and which pods are where |
//! | [`rules`], [`domain_rule`], [`bars`] | the rules of each class, and what counts for them |
//! | [`order`], [`alike`] | whether pods can be bound one after another |
//! | [`anti_affinity`] | whether any two pods are kept apart and aren't |
//! | [`opened`], [`selected_pods`] | whether an alternative would put pods, or a domain, elsewhere |
//! | [`preference`] | how much of what is preferred is honoured |

mod alike;
mod anti_affinity;
mod bars;
mod domain_rule;
mod final_state;
mod opened;
mod order;
mod preference;
mod rules;
mod selected_pods;

pub(super) use anti_affinity::DomainLabels;
pub(super) use bars::{MOST_PODS, PlacedClasses, needed_keys};
pub(super) use domain_rule::{CountByValue, DomainRule, DomainRuleKind, HostSpreadRule};

use super::account::PodPlaces;
use super::facts::Facts;
use super::site::Sites;
use super::violation::Violation;
use crate::plan::{LaunchPlan, PreferenceShare};
use final_state::FinalState;
use rules::TopologyRuleSet;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is found of rules between pods.
pub(super) struct Judged {
    /// Which preferences the plan honours.
    pub(super) shares: Vec<PreferenceShare>,
    /// Placed pods by class, where the plan has a certificate.
    pub(super) classes: PlacedClasses,
}

/// Reports pods whose rules over domains the plan can't keep, and says which preferences it
/// honours.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    (plan, placement): (&'a LaunchPlan, &PodPlaces<'a>),
    out: &mut Vec<Violation>,
) -> Judged {
    let mut state = FinalState::of(facts, plan, placement);
    let rules = TopologyRuleSet::of(facts, &state);
    anti_affinity::check(&state, &rules, out);
    order::check(&state, &rules, out);
    opened::check(facts, sites, plan, (&state, &rules), out);
    let shares = preference::shares(facts, &state, &rules);
    let mut classes = match plan.certificate {
        Some(_) => PlacedClasses::of(&mut state, &rules),
        None => PlacedClasses::default(),
    };
    if plan.certificate.as_deref().is_some_and(|one| one.exhausted.is_some()) {
        classes.note_rule(facts, &state, &rules);
    }
    Judged { shares, classes }
}

/// The classes of placed pods, with what bound pods bar them from.
pub(super) fn placed_classes<'a>(
    facts: &Facts<'a>,
    plan: &'a LaunchPlan,
    placement: &PodPlaces<'a>,
) -> PlacedClasses {
    let mut state = FinalState::of(facts, plan, placement);
    let rules = TopologyRuleSet::of(facts, &state);
    PlacedClasses::of(&mut state, &rules)
}

/// By name of the first pod of each entry that is bound, the weight of what one of its pods prefers
/// and has where it is.
pub(super) fn honoured_by_bound(facts: &Facts<'_>) -> BTreeMap<Arc<str>, u64> {
    let (plan, placement) = (LaunchPlan::of(Vec::new(), Vec::new()), PodPlaces::default());
    let state = FinalState::of(facts, &plan, &placement);
    let rules = TopologyRuleSet::of(facts, &state);
    preference::of_bound(facts, &state, &rules)
}
