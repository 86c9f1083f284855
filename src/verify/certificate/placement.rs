//! Bounds on placed pods, checked: how many of the pending pods can have a place at most.
//!
//! Why a certificate proves such a number is said in [`crate::plan::certificate`]. Pods, places and
//! proofs are judged as those of a bound on costs; but a launch is paid by what it is charged for
//! limits and a reservation alone, and what all that is left of these comes to is how much the
//! placed pods can be worth.

use super::super::account::PodPlaces;
use super::super::facts::{EntryPods, Facts, pod_name};
use super::super::limit::Usage;
use super::super::reservation::Reservations;
use super::super::site::Sites;
use super::super::violation::Violation;
use super::super::{limit, resource, static_pool, topology};
use super::place::NodeJudge;
use super::pods::{self, CountedPods};
use super::worth::Evaluator;
use super::{Checker, check_plain, malformed, node_proofs, offering_proofs, separated};
use crate::model::NodePool;
use crate::plan::LaunchPlan;
use crate::plan::certificate::PlacementBound;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many pods can be placed at most, as a bound's certificate proves. Reports what is wrong with
/// it; nothing where it proves nothing.
pub(in super::super) fn check_placement<'a>(
    facts: &Facts<'a>,
    bound: &'a PlacementBound,
    out: &mut Vec<Violation>,
) -> Option<u64> {
    let certificate = &bound.certificate;
    check_plain(certificate, |_| true, certificate.move_price == 0, out);
    let mut sites = Sites::default();
    let nothing = LaunchPlan::of(Vec::new(), Vec::new());
    let placement = PodPlaces { anywhere: pending(facts), ..PodPlaces::default() };
    let classes = topology::placed_classes(facts, &nothing, &placement);
    let (mut counted, profiles) =
        pods::check(facts, &mut sites, certificate, (&nothing, &placement), &classes, out);
    let separation = separated(facts, certificate, (&mut counted, &profiles), out);
    let offerings = offering_proofs(facts, certificate, out);
    let nodes = node_proofs(facts, certificate, out);
    // What follows relies on it.
    if !out.is_empty() {
        return None;
    }
    let judge = NodeJudge::new(facts, certificate, (&counted, &profiles), &classes);
    let evaluator = Evaluator::new(certificate, &counted, separation);
    let worth_of = Vec::new();
    let mut checker = Checker { facts, certificate, judge, evaluator, worth_of, sum: Some(0) };
    checker.check_beyond(&counted, out);
    let mut holding = BTreeSet::new();
    for (at, pool) in facts.problem.node_pools.iter().enumerate() {
        match pool.replicas {
            None => checker.check_charges(&offerings, (at, pool), &mut holding, out),
            Some(replicas) => {
                let launches = static_pool::missing(facts, pool, replicas);
                let found = checker.check_pool(&offerings, (at, pool), false, out);
                // What these hold isn't paid by what they are charged.
                checker.worth_of.clear();
                checker.take_off(found.worth.checked_mul(launches.into()));
            }
        }
    }
    checker.check_nodes(&nodes, out);
    let charged = checker.charged(&holding, out);
    checker.take_off(charged);
    if !out.is_empty() {
        return None;
    }
    let worth = checker.sum.and_then(i128::checked_neg);
    let pods = placement.anywhere.iter().fold(0, |sum: u64, one| sum.saturating_add(one.count));
    let proved = worth.and_then(|worth| placed(pods, &counted, worth));
    match proved {
        None => out.push(malformed("pods")),
        Some(proved) if proved > bound.most_placed => {
            out.push(Violation::PlacementBoundUnproved { stated: bound.most_placed, proved });
        }
        Some(_) => {}
    }
    proved
}

/// All pending pods but placeholders.
fn pending<'a>(facts: &Facts<'a>) -> Vec<EntryPods<'a>> {
    let entries = facts.problem.pods.iter().enumerate();
    let pending = entries.filter(|(_, pod)| pod.node_name.is_none() && pod.placeholder().is_none());
    let group = |(entry, pod): (usize, &'a crate::model::Pod)| EntryPods {
        pod,
        entry,
        count: pod.replicas.max(1).into(),
        first: pod_name(pod, 0),
        last: pod_name(pod, pod.replicas.saturating_sub(1)),
    };
    pending.map(group).collect()
}

/// How many of so many pods can be placed that are worth so much together.
fn placed(pods: u64, counted: &[CountedPods], worth: i128) -> Option<u64> {
    let valued = counted.iter().filter(|pods| pods.value > 0);
    let mut by_value: Vec<(i128, u64)> =
        valued.map(|pods| (pods.value, pods.count.into())).collect();
    by_value.sort_unstable();
    let all = by_value.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
    let (mut placed, mut left) = (pods.checked_sub(all)?, worth.max(0));
    for (value, count) in by_value {
        let some = left.checked_div(value)?.min(count.into());
        left = left.checked_sub(some.checked_mul(value)?)?;
        placed = placed.checked_add(u64::try_from(some).ok()?)?;
    }
    Some(placed)
}

impl<'a> Checker<'_, 'a> {
    /// Reports a pool's offerings on which pods are worth more than what a launch is charged for.
    /// Notes pools with types of which launches hold counted pods.
    fn check_charges(
        &mut self,
        proofs: &super::OfferingProofs,
        (at, pool): (usize, &'a NodePool),
        holding: &mut BTreeSet<(Arc<str>, Arc<str>)>,
        out: &mut Vec<Violation>,
    ) {
        let _market = self.check_pool(proofs, (at, pool), false, out);
        let found: Vec<_> = self.worth_of.drain(..).collect();
        for one in found {
            let Some((_, instance_type)) = self.facts.instance_type(&one.instance_type) else {
                continue;
            };
            let Some(offering) = instance_type.offerings.get(one.offering) else { continue };
            if one.worth <= 0 {
                continue;
            }
            let _new = holding.insert((one.node_pool.clone(), one.instance_type.clone()));
            let charge = self.charge(pool, instance_type, offering);
            if charge.is_none_or(|charge| one.worth > charge) {
                out.push(Violation::OfferingWorth {
                    node_pool: one.node_pool,
                    instance_type: one.instance_type,
                    offering: one.offering,
                    worth: one.worth,
                    cost: charge.unwrap_or(0),
                });
            }
        }
    }

    /// What is left of all limits and reservations, at their prices, where launches of these types
    /// alone hold counted pods. Reports prices of what isn't limited.
    fn charged(
        &self,
        holding: &BTreeSet<(Arc<str>, Arc<str>)>,
        out: &mut Vec<Violation>,
    ) -> Option<i128> {
        let usage = Usage::of_running(self.facts);
        let nothing = LaunchPlan::of(Vec::new(), Vec::new());
        let reservations = Reservations::of(self.facts.problem, &nothing);
        let charged = super::charges(self.facts, self.certificate, (&usage, &reservations), out);
        let mut charged = charged?;
        // Launches can't use up what is no multiple of what they take.
        for price in &self.certificate.limits {
            let Some((_, pool)) = self.facts.pool(&price.node_pool) else { continue };
            let mut step = 0_i128;
            for (_, name) in holding.iter().filter(|(of, _)| *of == pool.name) {
                let Some((_, instance_type)) = self.facts.instance_type(name) else { continue };
                let charge = limit::charge(instance_type);
                let mut other = charge.get(&*price.resource).copied().unwrap_or(0);
                while other != 0 {
                    (step, other) = (other, step.checked_rem(other)?);
                }
            }
            let limits = resource::rounded_down(&pool.limits);
            let most = limits.get(&*price.resource).copied().unwrap_or(0);
            let left = most.saturating_sub(usage.running(pool, &price.resource)).max(0);
            let beyond = left.checked_rem(step).unwrap_or(0);
            charged = charged.checked_sub(price.price.checked_mul(beyond)?)?;
        }
        Some(charged)
    }
}
