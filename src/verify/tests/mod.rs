//! Plans that keep every rule, and plans that break exactly one.
//!
//! The fixture makes plans by hand: a launch gets its labels, taints and price from the names it is
//! given, and states the requests that the test writes down.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accounting;
mod cases;
mod certificates;
mod cost;
mod launches;
mod laws;
mod left_out;
mod node_rules;
mod nodes;
mod pods;
mod requirements;
mod scarce;
mod topology;

use crate::explain::{Cause, Reason};
use crate::model::{
    Effect, InstanceType, NodePool, Offering, Pod, Price, Problem, ProblemBuilder, Resources,
    Taint, well_known,
};
use crate::plan::{
    Binding, Cost, Launch, LaunchPlan, LaunchTemplate, OfferingRef, Proof, Unschedulable,
};
use crate::verify::{BindingRule, PlanPlace, Verified, Violation, verify};
use std::collections::BTreeMap;
use std::sync::Arc;

fn amounts<const N: usize>(pairs: [(&str, &str); N]) -> Resources {
    Resources::parse(pairs).unwrap()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn taint(key: &str, effect: Effect) -> Taint {
    Taint::new(key, "", effect)
}

fn offering(zone: &str, capacity_type: &str, cost: &str) -> Offering {
    Offering::new(zone, capacity_type.parse().unwrap(), price(cost))
}

/// 2 cpu, 4 units of memory and 10 pods; 0.10 on demand in zones a and b, 0.04 as spot in b.
fn small() -> InstanceType {
    InstanceType::new("small", amounts([("cpu", "2"), ("memory", "4"), ("pods", "10")]))
        .with_label("family", "s")
        .with_offering(offering("a", "on-demand", "0.10"))
        .with_offering(offering("b", "on-demand", "0.10"))
        .with_offering(offering("b", "spot", "0.04"))
}

/// 8 cpu, 16 units of memory, a gpu, and 40 pods; 0.50 on demand in zone a.
fn large() -> InstanceType {
    let capacity = amounts([("cpu", "8"), ("memory", "16"), ("gpu", "1"), ("pods", "40")]);
    InstanceType::new("large", capacity).with_label("family", "l").with_offering(offering(
        "a",
        "on-demand",
        "0.50",
    ))
}

/// A pod of 500 millicores.
fn pod(name: &str) -> Pod {
    Pod::new(name).with_requests(amounts([("cpu", "500m")]))
}

/// Both types and the pool `main`.
fn market() -> ProblemBuilder {
    Problem::builder()
        .instance_type(small())
        .instance_type(large())
        .node_pool(NodePool::new("main"))
}

const SMALL: (&str, &str, &str) = ("small", "a", "on-demand");
const SMALL_B: (&str, &str, &str) = ("small", "b", "on-demand");
const SPOT: (&str, &str, &str) = ("small", "b", "spot");
const LARGE: (&str, &str, &str) = ("large", "a", "on-demand");

fn choice(problem: &Problem, (kind, zone, capacity_type): (&str, &str, &str)) -> OfferingRef {
    let instance_type = problem.instance_types.iter().find(|one| &*one.name == kind).unwrap();
    let offering = instance_type
        .offerings
        .iter()
        .find(|one| &*one.zone == zone && one.capacity_type.as_str() == capacity_type)
        .unwrap();
    OfferingRef {
        price: offering.price,
        instance_type: instance_type.name.clone(),
        zone: offering.zone.clone(),
        capacity_type: offering.capacity_type,
        reservation: offering.reservation.as_ref().map(|one| one.id.clone()),
    }
}

/// What a pool launches with an offering, with these requests.
fn template<const N: usize>(
    problem: &Problem,
    pool: &str,
    kind: (&str, &str, &str),
    requests: [(&str, &str); N],
) -> LaunchDraft {
    let offering = choice(problem, kind);
    let pool = problem.node_pools.iter().find(|one| &*one.name == pool).unwrap();
    let instance_type = problem.instance_types.iter().find(|one| *one.name == *kind.0).unwrap();
    let own = [
        (well_known::NODE_POOL, &*pool.name),
        (well_known::INSTANCE_TYPE, &*instance_type.name),
        (well_known::ZONE, &*offering.zone),
        (well_known::CAPACITY_TYPE, offering.capacity_type.as_str()),
    ];
    let stated = pool.labels.iter().chain(instance_type.labels.iter()).map(|(k, v)| (&**k, &**v));
    let minima = pool.requirements.iter().filter(|one| one.min_values.is_some());
    let template = LaunchTemplate {
        node_pool: pool.name.clone(),
        alternatives: Arc::new(vec![offering.clone()]),
        offering: offering.clone(),
        labels: Arc::new(own.into_iter().chain(stated).collect()),
        taints: pool.taints.clone(),
        startup_taints: pool.startup_taints.clone(),
        capacity: instance_type.capacity.clone(),
        requirements: Arc::new(minima.cloned().collect()),
    };
    LaunchDraft { template, requests: amounts(requests) }
}

/// A launch that has no pods yet.
#[derive(Clone)]
struct LaunchDraft {
    template: LaunchTemplate,
    requests: Resources,
}

impl std::ops::Deref for LaunchDraft {
    type Target = LaunchTemplate;

    fn deref(&self) -> &LaunchTemplate {
        &self.template
    }
}

impl std::ops::DerefMut for LaunchDraft {
    fn deref_mut(&mut self) -> &mut LaunchTemplate {
        &mut self.template
    }
}

fn launch<const N: usize>(draft: LaunchDraft, pods: [&str; N]) -> Launch {
    let LaunchDraft { template, requests } = draft;
    Launch { template: Arc::new(template), pods: names(pods), requests: Arc::new(requests) }
}

fn names<const N: usize>(pods: [&str; N]) -> Vec<Arc<str>> {
    pods.into_iter().map(|name| format!("default/{name}").into()).collect()
}

/// A plan without fees, of which nothing is proved.
fn plan(launches: Vec<Launch>) -> LaunchPlan {
    let total = launches.iter().map(|one| one.template.offering.price.nanos()).sum();
    let proof = if total == 0 { Proof::Optimal } else { Proof::None };
    LaunchPlan {
        launches,
        bindings: Vec::new(),
        unschedulable: Vec::new(),
        cost: Cost {
            total: Price::from_nanos(total),
            fees: Price::ZERO,
            lower_bound: Price::ZERO,
            proof,
        },
        warnings: Vec::new(),
        stats: BTreeMap::new(),
        certificate: None,
        termination: None,
    }
}

/// A plan that launches nothing and binds these pods to nodes.
fn bindings<const N: usize>(pairs: [(&str, &str); N]) -> LaunchPlan {
    let binding = |(pod, node): (&str, &str)| Binding {
        pod: format!("default/{pod}").into(),
        node: node.into(),
    };
    LaunchPlan { bindings: pairs.into_iter().map(binding).collect(), ..plan(Vec::new()) }
}

fn without_place(pod: &str) -> Unschedulable {
    let reasons = [Reason::new(&Cause::NoNodePool, 0)];
    Unschedulable { pod: format!("default/{pod}").into(), reasons: Arc::new(reasons) }
}

#[track_caller]
fn accepted(problem: &Problem, plan: &LaunchPlan) -> Verified {
    verify(problem, plan).unwrap()
}

#[track_caller]
fn refused<const N: usize>(problem: &Problem, plan: &LaunchPlan, expected: [Violation; N]) {
    let found = verify(problem, plan).unwrap_err();
    assert!(found.iter().eq(&expected), "{found}\n{found:#?}");
    // Every violation says where or what in words of its own.
    for violation in found.iter() {
        assert!(violation.to_string().len() > 10);
    }
}

fn at_alternative(alternative: usize) -> PlanPlace {
    PlanPlace::Alternative { launch: 0, alternative }
}

/// Every variant of [`Violation`] is expected by some test here.
#[test]
fn every_violation_has_a_plan_that_makes_it() {
    let tests = [
        include_str!("accounting.rs"),
        include_str!("certificates.rs"),
        include_str!("cost.rs"),
        include_str!("launches.rs"),
        include_str!("nodes.rs"),
        include_str!("pods.rs"),
        include_str!("scarce.rs"),
        include_str!("topology.rs"),
        include_str!("../consolidation/tests/mod.rs"),
        include_str!("../consolidation/tests/stepped.rs"),
    ]
    .concat();
    let (_, variants) = include_str!("../violation.rs").split_once("pub enum Violation {").unwrap();
    let names = variants.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"));
    let names: Vec<&str> = names.filter(|name| !name.starts_with(' ')).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert!(tests.contains(&format!("Violation::{name} {{")), "no test expects {name}");
    }
}
