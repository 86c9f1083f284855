//! Certificates, checked: which lower bound a plan's certificate proves, in integers alone.
//!
//! Why a certificate proves a bound is said in [`crate::plan::certificate`]. Here each thing that
//! it says is looked up or added up again:
//!
//! 1. That the plan has the pods that are counted, on launches of such pools or on running nodes,
//!    and that they honour these preferences; no pod is counted twice ([`pods`]).
//! 2. That pods of which few are to share a node keep each other off, by host ports or by required
//!    anti-affinity over the hostname ([`anti_affinity`]).
//! 3. For every way to launch a node, and for every running node, which of the pods can be there
//!    and what room there is for them ([`place`]), and that its proof holds ([`worth`]; [`values`]
//!    where a label is open).
//!
//! 4. That nothing was overlooked where everything is said to have been tried ([`exhaust`]).
//!
//! Where it isn't certain what a node would be, it is taken to be as good as it can be: a label
//! that a launch leaves open suits each pod by itself, daemon sets run there only if they do
//! whatever the labels become, and rules that depend on where other pods of the plan are (spreads,
//! affinity) count only where everything is tried. So what is proved holds of more plans than there
//! are.
//!
//! Static pools launch what they lack in any plan. Each of their launches in this plan is taken to
//! be in all, to cost no less than the pool's cheapest offering, and to hold pods for nothing.
//!
//! # Order of the check
//!
//! ```text
//! fee ─ pods ─ groups, proofs (form) ─ offerings, nodes, limits, reservations (names, signs)
//!                                        │ anything wrong? then nothing is proved
//!                                        ▼
//!   Σ values  −  limits and reservations  −  nodes         places × proofs
//!                                        │ a launch worth more than it costs? nothing is proved
//!                                        ▼
//!   rounded up to a billionth and to the common step  =  the bound
//! ```
//!
//! # Cost
//!
//! Places × the pods that can be there × the leaves of their proofs; places that no rule tells
//! apart are one. All products are counted, and a check that would take too many ends with
//! [`Violation::WorthUnproved`]: whoever makes
//! certificates keeps them checkable.

mod anti_affinity;
mod cluster;
mod exhaust;
mod form;
mod host_spread;
mod place;
mod placement;
mod pods;
mod values;
mod worth;

use super::account::PodPlaces;
use super::facts::Facts;
use super::limit::{self, Usage};
use super::offering::lists;
use super::reservation::Reservations;
use super::resource;
use super::site::Sites;
use super::topology::PlacedClasses;
use super::violation::Violation;
use crate::model::{InstanceType, NodePool, Offering, Price};
use crate::plan::LaunchPlan;
use crate::plan::certificate::{Certificate, POINT, PodValue};
use anti_affinity::Separation;
pub(super) use cluster::{Candidate, CandidateCluster, check_cluster};
use exhaust::ClaimOutcome;
use form::{OfferingProofs, check_groups, check_proofs, node_proofs, offering_proofs};
use place::NodeJudge;
pub(super) use placement::check_placement;
use pods::{CountedPods, PodProfile};
use std::collections::BTreeMap;
use std::sync::Arc;
use worth::Evaluator;

/// Reports what is wrong with a plan's certificate, if it has one, and says which lower bound it
/// proves.
///
/// The bound is in prices per hour; zero where there is no certificate or it is wrong.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    (plan, placement): (&'a LaunchPlan, &PodPlaces<'a>),
    classes: &PlacedClasses,
    scarce: (&Usage<'a>, &Reservations<'a>),
    out: &mut Vec<Violation>,
) -> Price {
    check_and_value(facts, sites, (plan, placement), classes, scarce, (out, &mut Vec::new()))
}

/// As [`check`]; notes what launches are worth at most.
///
/// Worths are those of every launch that the problem offers, whether the plan uses it or not: they
/// say below which price another offering would pay.
pub(super) fn check_and_value<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    (plan, placement): (&'a LaunchPlan, &PodPlaces<'a>),
    classes: &PlacedClasses,
    scarce: (&Usage<'a>, &Reservations<'a>),
    (out, worths): (&mut Vec<Violation>, &mut Vec<OfferingWorth>),
) -> Price {
    let Some(certificate) = plan.certificate.as_deref() else { return Price::ZERO };
    let before = out.len();
    check_fee(plan, certificate, out);
    let (mut counted, profiles) =
        pods::check(facts, sites, certificate, (plan, placement), classes, out);
    let separation = separated(facts, certificate, (&mut counted, &profiles), out);
    let offerings = offering_proofs(facts, certificate, out);
    let nodes = node_proofs(facts, certificate, out);
    let charges = charges(facts, certificate, scarce, out);
    // What follows relies on it.
    if out.len() > before {
        return Price::ZERO;
    }
    let judge = NodeJudge::new(facts, certificate, (&counted, &profiles), classes);
    let evaluator = Evaluator::new(certificate, &counted, separation);
    let worth_of = Vec::new();
    let mut checker = Checker { facts, certificate, judge, evaluator, worth_of, sum: Some(0) };
    checker.check_beyond(&counted, out);
    checker.count(&counted);
    checker.take_off(charges);
    let fixed = checker.check_launches(&offerings, plan, out);
    worths.append(&mut checker.worth_of);
    checker.check_nodes(&nodes, out);
    if out.len() > before {
        return Price::ZERO;
    }
    let Some(proved) = checker.sum.and_then(|sum| bound(facts, certificate, sum, fixed?)) else {
        out.push(malformed("pods"));
        return Price::ZERO;
    };
    let mut proved = proved;
    if let Some(stated) = certificate.exhausted.filter(|stated| *stated > proved) {
        match exhaust::check(facts, certificate, (&counted, &profiles), classes, scarce, stated) {
            ClaimOutcome::Proved => proved = stated,
            ClaimOutcome::Cheaper(found) => out.push(Violation::NotExhausted { stated, found }),
            ClaimOutcome::Unknown => {}
        }
    }
    if plan.cost.lower_bound > proved {
        out.push(Violation::LowerBoundUnproved { stated: plan.cost.lower_bound, proved });
    }
    proved
}

/// Says which of the pods are alone on a node, and reports what is wrong with groups and with the
/// form of proofs.
fn separated<'c, 'a>(
    facts: &'c Facts<'a>,
    certificate: &Certificate,
    (counted, profiles): (&mut [CountedPods], &'c [PodProfile<'a>]),
    out: &mut Vec<Violation>,
) -> Separation<'c, 'a> {
    let mut separation = Separation::new(facts, profiles);
    let alone: Vec<bool> =
        counted.iter().map(|pods| separation.are_separated(pods, pods)).collect();
    counted.iter_mut().zip(alone).for_each(|(pods, alone)| pods.alone = alone);
    check_groups(certificate, counted, &mut separation, out);
    check_proofs(certificate, counted, out);
    separation
}

/// Reports what has a place in a bound on the cost of a launch plan alone, or isn't sound: pods
/// that such a plan tells apart, or that aren't `counted` here; a fee; an exhaustive search; a
/// price of moves.
fn check_plain(
    certificate: &Certificate,
    counted: impl Fn(&PodValue) -> bool,
    move_price_is_sound: bool,
    out: &mut Vec<Violation>,
) {
    let is_plain = |pods: &PodValue| {
        pods.weight.is_none()
            && pods.honours.is_empty()
            && !pods.untainted
            && pods.per_node.is_none()
            && counted(pods)
    };
    if let Some(at) = certificate.pods.iter().position(|pods| !is_plain(pods)) {
        out.push(malformed(format!("pods[{at}]")));
    }
    for (part, is_sound) in [
        ("nodeFee", certificate.node_fee == Price::ZERO),
        ("exhausted", certificate.exhausted.is_none()),
        ("movePrice", move_price_is_sound),
    ] {
        if !is_sound {
            out.push(malformed(part));
        }
    }
}

fn malformed(part: impl Into<String>) -> Violation {
    Violation::CertificateMalformed { part: part.into().into() }
}

/// Reports a fee that isn't the plan's.
fn check_fee(plan: &LaunchPlan, certificate: &Certificate, out: &mut Vec<Violation>) {
    let launches = u64::try_from(plan.launches.len()).unwrap_or(u64::MAX);
    let stated = certificate.node_fee;
    if stated < Price::ZERO || stated.checked_mul(launches) != Some(plan.cost.fees) {
        out.push(Violation::CertificateFee { stated, fees: plan.cost.fees, launches });
    }
}

/// What all launches together can be charged at most for limits and reservations. Reports prices of
/// what isn't limited.
///
/// What is left is taken whole: other plans may use all of it.
fn charges<'a>(
    facts: &Facts<'a>,
    certificate: &Certificate,
    (usage, reservations): (&Usage<'a>, &Reservations<'a>),
    out: &mut Vec<Violation>,
) -> Option<i128> {
    let mut sum = Some(0_i128);
    let mut add = |price: i128, most: i128| {
        sum = sum.and_then(|sum| sum.checked_add(price.checked_mul(most)?));
    };
    for (at, limit) in certificate.limits.iter().enumerate() {
        let pool = facts.pool(&limit.node_pool).map(|(_, pool)| pool);
        let limits = pool.map(|pool| resource::rounded_down(&pool.limits));
        let most = limits.and_then(|limits| limits.get(&*limit.resource).copied());
        match (pool, most) {
            (Some(pool), Some(most)) if limit.price >= 0 => {
                let left = most.saturating_sub(usage.running(pool, &limit.resource));
                add(limit.price, left.max(0));
            }
            _ => out.push(malformed(format!("limits[{at}]"))),
        }
    }
    for (at, one) in certificate.reservations.iter().enumerate() {
        match reservations.remaining(&one.id) {
            Some(remaining) if one.price >= 0 => add(one.price, remaining.into()),
            _ => out.push(malformed(format!("reservations[{at}]"))),
        }
    }
    sum
}

/// What is found of a pool's offerings.
struct PoolFinding {
    /// What pods on one of its launches are worth at most.
    worth: i128,
    /// What one of its launches costs at least, in billionths.
    cost: Option<i128>,
}

/// What the pods on a launch are worth at most, by a certificate.
#[derive(Clone, Debug)]
pub(crate) struct OfferingWorth {
    pub(crate) node_pool: Arc<str>,
    pub(crate) instance_type: Arc<str>,
    /// Which of the type's offerings.
    pub(crate) offering: usize,
    /// What the pods are worth at most, in the certificate's units.
    pub(crate) worth: i128,
    /// The price below which it would pay, in billionths per hour: what the pods are worth, less
    /// what it is charged for limits and a reservation and less the fee.
    pub(crate) pays_below: i128,
}

/// A proof, the room of a node, and the pods that can be there.
type OnNode = (u32, Vec<i128>, Vec<(usize, u32)>);

/// Goes through the places, and adds up.
struct Checker<'c, 'a> {
    facts: &'c Facts<'a>,
    certificate: &'a Certificate,
    judge: NodeJudge<'c, 'a>,
    evaluator: Evaluator<'c, 'a>,
    /// What launches are worth at most.
    worth_of: Vec<OfferingWorth>,
    /// What is proved so far, in the certificate's units; nothing once a number was too large.
    sum: Option<i128>,
}

impl<'a> Checker<'_, 'a> {
    fn take_off(&mut self, amount: Option<i128>) {
        self.sum = self.sum.and_then(|sum| sum.checked_sub(amount?));
    }

    /// Adds what all pods are worth.
    fn count(&mut self, counted: &[CountedPods]) {
        for pods in counted {
            let worth = pods.value.checked_mul(pods.count.into());
            self.sum = self.sum.and_then(|sum| sum.checked_add(worth?));
        }
    }

    /// Reports pods beyond running nodes of which running nodes can take more than is claimed.
    fn check_beyond(&mut self, counted: &[CountedPods], out: &mut Vec<Violation>) {
        for (at, pods) in counted.iter().enumerate().filter(|(_, pods)| pods.beyond) {
            let room = (0..self.facts.problem.nodes.len())
                .fold(0_u64, |sum, node| sum.saturating_add(self.judge.room_for(node, pods)));
            let found = pods.available.saturating_sub(room);
            if u64::from(pods.count) > found {
                let counted = pods.count.into();
                out.push(Violation::CertificatePods { pods: at, counted, found });
            }
        }
    }

    /// Reports offerings of which it isn't proved that they cost what pods there are worth. Takes
    /// off what launches of static pools may hold; what those cost at least.
    fn check_launches(
        &mut self,
        proofs: &OfferingProofs,
        plan: &LaunchPlan,
        out: &mut Vec<Violation>,
    ) -> Option<i128> {
        let mut fixed = Some(0_i128);
        for (at_pool, pool) in self.facts.problem.node_pools.iter().enumerate() {
            if pool.replicas.is_none() {
                let _market = self.check_pool(proofs, (at_pool, pool), true, out);
                continue;
            }
            let launches = plan.launches.iter().filter(|one| one.template.node_pool == pool.name);
            let launches = i128::try_from(launches.count()).unwrap_or(i128::MAX);
            // Whatever a static pool could launch more, it doesn't.
            if launches > 0 {
                let found = self.check_pool(proofs, (at_pool, pool), false, out);
                self.take_off(found.worth.checked_mul(launches));
                let cost = found.cost.unwrap_or(0).checked_mul(launches);
                fixed = fixed.and_then(|sum| sum.checked_add(cost?));
            }
        }
        fixed
    }

    /// Reports a pool's offerings of which nothing is proved, or, where pods must be worth what
    /// they are launched for, too little.
    ///
    /// Offerings at the same place with the same proof differ in price alone, so the proof is
    /// walked once for them.
    fn check_pool(
        &mut self,
        proofs: &OfferingProofs,
        (at_pool, pool): (usize, &'a NodePool),
        is_paid_by_pods: bool,
        out: &mut Vec<Violation>,
    ) -> PoolFinding {
        let mut found = PoolFinding { worth: 0, cost: None };
        // Offerings that make the same place differ in what they cost alone.
        let mut known: BTreeMap<(usize, u32), Option<i128>> = BTreeMap::new();
        for (at_type, of_type) in self.facts.problem.instance_types.iter().enumerate() {
            if !lists(pool, &of_type.name) {
                continue;
            }
            let offerings = of_type.offerings.iter().enumerate();
            for (at, offering) in offerings.filter(|(_, one)| one.available) {
                let launch = self.judge.launch((at_pool, pool), (at_type, of_type), offering);
                let Some(id) = launch else { continue };
                let price = offering.price.checked_add(self.certificate.node_fee);
                let price = price.map(Price::nanos);
                found.cost = found.cost.into_iter().chain(price).min();
                let place = self.judge.place(id).filter(|place| !place.present.is_empty());
                let Some(place) = place else {
                    self.note_worth((pool, of_type), at, 0);
                    continue;
                };
                let (node_pool, instance_type) = (pool.name.clone(), of_type.name.clone());
                let Some(proof) = proofs.get(&(at_pool, at_type, at)) else {
                    let offering = at;
                    out.push(Violation::OfferingUnproved { node_pool, instance_type, offering });
                    continue;
                };
                let worth = match known.get(&(id, *proof)) {
                    Some(worth) => *worth,
                    None => {
                        let worth = self.evaluator.worth(*proof, place, &self.judge);
                        if let Err(unproved) = worth {
                            let place = format!("{node_pool} {instance_type}").into();
                            let proof = unproved.proof;
                            out.push(Violation::WorthUnproved { place, proof });
                        }
                        let _new = known.insert((id, *proof), worth.ok());
                        worth.ok()
                    }
                };
                let Some(worth) = worth else { continue };
                self.note_worth((pool, of_type), at, worth);
                found.worth = found.worth.max(worth);
                let cost = price.and_then(|price| {
                    let charge = self.charge(pool, of_type, offering)?;
                    price.checked_mul(1 << POINT)?.checked_add(charge)
                });
                if is_paid_by_pods && cost.is_none_or(|cost| worth > cost) {
                    let (offering, cost) = (at, cost.unwrap_or(0));
                    out.push(Violation::OfferingWorth {
                        node_pool,
                        instance_type,
                        offering,
                        worth,
                        cost,
                    });
                }
            }
        }
        found
    }

    /// Notes what the pods on a launch are worth at most.
    fn note_worth(
        &mut self,
        (pool, of_type): (&NodePool, &InstanceType),
        offering: usize,
        worth: i128,
    ) {
        let charge = self.charge(pool, of_type, &of_type.offerings[offering]);
        let Some(net) = charge.and_then(|charge| worth.checked_sub(charge)) else { return };
        self.worth_of.push(OfferingWorth {
            node_pool: pool.name.clone(),
            instance_type: of_type.name.clone(),
            offering,
            worth,
            pays_below: (net >> POINT).saturating_sub(self.certificate.node_fee.nanos()),
        });
    }

    /// What a launch is charged for its pool's limits and for a reservation.
    fn charge(
        &self,
        pool: &NodePool,
        instance_type: &InstanceType,
        offering: &Offering,
    ) -> Option<i128> {
        let mut sum = 0_i128;
        let own = self.certificate.limits.iter().filter(|limit| limit.node_pool == pool.name);
        let mut charge = None;
        for limit in own {
            let charge = charge.get_or_insert_with(|| limit::charge(instance_type));
            let amount = charge.get(&*limit.resource).copied().unwrap_or(0);
            sum = sum.checked_add(limit.price.checked_mul(amount)?)?;
        }
        let id = offering.reservation.as_ref().map(|one| &one.id);
        for one in self.certificate.reservations.iter().filter(|one| Some(&one.id) == id) {
            sum = sum.checked_add(one.price)?;
        }
        Some(sum)
    }

    /// Takes off what pods on running nodes can be worth, and reports nodes of which that isn't
    /// proved.
    ///
    /// Nodes with equal room and pods share an answer.
    fn check_nodes(&mut self, proofs: &BTreeMap<&str, u32>, out: &mut Vec<Violation>) {
        let mut known: BTreeMap<OnNode, i128> = BTreeMap::new();
        for (at, node) in self.facts.problem.nodes.iter().enumerate() {
            let place = self.judge.node(at).filter(|place| !place.present.is_empty());
            let Some(place) = place else { continue };
            let Some(proof) = proofs.get(&*node.name) else {
                out.push(Violation::NodeUnproved { node: node.name.clone() });
                continue;
            };
            let key = (*proof, place.room.clone(), place.present.clone());
            let worth = match known.get(&key) {
                Some(worth) => *worth,
                None => match self.evaluator.worth(*proof, &place, &self.judge) {
                    Ok(worth) => {
                        let _new = known.insert(key, worth);
                        worth
                    }
                    Err(unproved) => {
                        let (place, proof) = (node.name.clone(), unproved.proof);
                        out.push(Violation::WorthUnproved { place, proof });
                        continue;
                    }
                },
            };
            self.take_off(Some(worth));
        }
    }
}

/// The bound that follows from what is proved in the certificate's units, and from what static
/// pools' launches cost.
///
/// Rounding up is right because every plan costs a whole number of billionths, and a multiple of
/// the common step.
fn bound(facts: &Facts<'_>, certificate: &Certificate, sum: i128, fixed: i128) -> Option<Price> {
    let rest = i128::from(sum & ((1 << POINT) - 1) != 0);
    let whole = (sum >> POINT).checked_add(rest)?.max(0).checked_add(fixed)?;
    // Every plan's cost is a multiple of what all launches' costs are multiples of.
    let step = common_step(facts, certificate)?;
    let nanos = match whole.checked_rem(step) {
        Some(0) | None => whole,
        Some(above) => whole.checked_sub(above)?.checked_add(step)?,
    };
    Some(Price::from_nanos(nanos))
}

/// The greatest common divisor of what nodes cost that any pool could launch; 0 where that is
/// nothing.
fn common_step(facts: &Facts<'_>, certificate: &Certificate) -> Option<i128> {
    let problem = facts.problem;
    let mut step = 0_i128;
    for instance_type in &problem.instance_types {
        if !problem.node_pools.iter().any(|pool| lists(pool, &instance_type.name)) {
            continue;
        }
        for offering in instance_type.offerings.iter().filter(|one| one.available) {
            let mut other = offering.price.checked_add(certificate.node_fee)?.nanos();
            while other != 0 {
                (step, other) = (other, step.checked_rem(other)?);
            }
        }
    }
    Some(step)
}
