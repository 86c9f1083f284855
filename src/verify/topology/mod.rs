//! Rules between pods over domains, judged again: spreads, affinity, anti-affinity.
//!
//! kube-scheduler binds one pod after another and looks at those bound before. So whether a plan keeps
//! a spread or an affinity depends on the order of binding, and a plan is right if at least one order
//! exists in which every placed pod is accepted ([`order`]). Anti-affinity holds between any two pods
//! whichever comes first, so it is a statement about the end ([`apart`]). And all of it must hold
//! whichever of a launch's alternatives is taken ([`opened`]).
//!
//! All nodes stand: those of the problem that aren't being deleted, with their bound pods, and the
//! plan's launches, each with the labels that the plan states and a hostname of its own.
//!
//! Sources: <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>,
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>; kube-scheduler's
//! `PodTopologySpread` and `InterPodAffinity` filters.

mod apart;
mod bars;
mod opened;
mod order;
mod preference;
mod rules;
mod scene;
mod ties;

pub(super) use apart::Sticky;
pub(super) use bars::{Kinds, MOST_PODS, needed_keys};
pub(super) use ties::{ByValue, Crowd, Tie, What};

use super::account::Placement;
use super::facts::Facts;
use super::site::Sites;
use super::violation::Violation;
use crate::plan::{LaunchPlan, PreferenceShare};
use rules::Rules;
use scene::Scene;

/// What is found of rules between pods.
pub(super) struct Judged {
    /// Which preferences the plan honours.
    pub(super) shares: Vec<PreferenceShare>,
    /// Placed pods by kind, where the plan has a certificate.
    pub(super) kinds: Kinds,
}

/// Reports pods whose rules over domains the plan can't keep, and says which preferences it honours.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    (plan, placement): (&'a LaunchPlan, &Placement<'a>),
    out: &mut Vec<Violation>,
) -> Judged {
    let mut scene = Scene::of(facts, plan, placement);
    let rules = Rules::of(facts, &scene);
    apart::check(&scene, &rules, out);
    order::check(&scene, &rules, out);
    opened::check(facts, sites, plan, (&scene, &rules), out);
    let shares = preference::shares(facts, &scene, &rules);
    let mut kinds = match plan.certificate {
        Some(_) => Kinds::of(&mut scene, &rules),
        None => Kinds::default(),
    };
    if plan.certificate.as_deref().is_some_and(|one| one.exhausted.is_some()) {
        kinds.tie(facts, &scene, &rules);
    }
    Judged { shares, kinds }
}
