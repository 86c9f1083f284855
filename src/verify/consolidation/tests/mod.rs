//! A consolidation that keeps every rule, and one mutation of it, or of its problem, for each rule.
//!
//! The cluster has six small nodes and a large one. The plan deletes the empty node and empties one
//! onto another, then replaces the large node and the drifted one by small launches.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bounded;
mod eligible;
mod moved;
mod named;
mod stepped;
mod weighed;

use super::{ConsolidationFault as Fault, Ineligible, verify_consolidation};
use crate::explain::{Cause, Reason};
use crate::model::{
    Budget, CapacityType, ConsolidationOptions, InstanceType, Node, NodePool, Offering, Pod, Price,
    Problem, ProblemBuilder, Resources, well_known,
};
use crate::plan::consolidation::{
    ConsolidationAction, ConsolidationCost, DisruptionCost, DisruptionReason, KeptNode,
    NodeToLaunch,
};
use crate::plan::{Binding, ConsolidationPlan, Launch, LaunchTemplate, OfferingRef};
use crate::verify::Violation;
use std::collections::BTreeMap;
use std::sync::Arc;

const PLAIN: u128 = 1_000_000_000;

fn amounts<const N: usize>(pairs: [(&str, &str); N]) -> Resources {
    Resources::parse(pairs).unwrap()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

/// 2 cpu for 0.10 on demand in a and b, 0.04 as spot; attaches two volumes of `ebs`.
fn small() -> InstanceType {
    InstanceType::new("small", amounts([("cpu", "2"), ("memory", "4"), ("pods", "10")]))
        .with_offering(Offering::on_demand("a", price("0.10")))
        .with_offering(Offering::on_demand("b", price("0.10")))
        .with_volume_limit("ebs", 2)
}

/// 8 cpu for 0.50.
fn large() -> InstanceType {
    InstanceType::new("large", amounts([("cpu", "8"), ("memory", "16"), ("pods", "40")]))
        .with_offering(Offering::on_demand("a", price("0.50")))
}

fn node(name: &str, instance_type: &InstanceType) -> Node {
    let mut node = Node::new(name, instance_type.capacity().clone())
        .with_label(well_known::NODE_POOL, "main")
        .with_label(well_known::INSTANCE_TYPE, instance_type.name())
        .with_label(well_known::ZONE, "a")
        .with_label(well_known::CAPACITY_TYPE, "on-demand");
    for (driver, limit) in instance_type.volume_limits() {
        node = node.with_volume_limit(driver.clone(), *limit);
    }
    node
}

/// A pod of 500 millicores on a node.
fn pod(name: &str, node: &str) -> Pod {
    Pod::new(name)
        .with_requests(amounts([("cpu", "500m")]))
        .with_owner_kind("ReplicaSet")
        .with_node_name(node)
        .with_label("app", name)
}

fn pool() -> NodePool {
    let mut pool = NodePool::new("main");
    pool.disruption.budgets = vec![Budget::of_share(100)];
    pool
}

/// The parts of the problem, to be changed before they are put together.
#[derive(Clone)]
struct ClusterParts {
    pods: Vec<Pod>,
    nodes: Vec<Node>,
    types: Vec<InstanceType>,
    pools: Vec<NodePool>,
    budgets: Vec<(&'static str, &'static str, u32)>,
    daemons: Vec<Pod>,
    options: ConsolidationOptions,
}

impl ClusterParts {
    fn new() -> Self {
        let (small, large) = (small(), large());
        Self {
            pods: vec![
                pod("one", "n1"),
                pod("two", "n2"),
                pod("big", "n3"),
                pod("old", "n4"),
                pod("kept", "n6"),
            ],
            nodes: vec![
                node("n1", &small),
                node("n2", &small),
                node("n3", &large),
                node("n4", &small).with_drifted(true),
                node("n5", &small),
                node("n6", &small),
            ],
            types: vec![small, large],
            pools: vec![pool()],
            budgets: Vec::new(),
            daemons: Vec::new(),
            options: ConsolidationOptions::default(),
        }
    }

    fn problem(&self) -> Problem {
        let parts = self.clone();
        let mut builder: ProblemBuilder = Problem::builder();
        builder.pods = parts.pods;
        builder.nodes = parts.nodes;
        builder.instance_types = parts.types;
        builder.node_pools = parts.pools;
        builder.daemon_sets = parts.daemons;
        for (name, app, allowed) in parts.budgets {
            builder.pod_disruption_budgets.push(crate::model::PodDisruptionBudget {
                name: name.into(),
                namespace: "default".into(),
                selector: Some(selecting(app)),
                disruptions_allowed: allowed,
            });
        }
        builder.build().unwrap()
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| &*node.name == name).unwrap()
    }

    fn pod(&mut self, name: &str) -> &mut Pod {
        self.pods.iter_mut().find(|pod| &*pod.name == name).unwrap()
    }

    fn pool(&mut self) -> &mut NodePool {
        self.pools.first_mut().unwrap()
    }
}

fn selecting(app: &str) -> crate::model::LabelSelector {
    let mut selector = crate::model::LabelSelector::default();
    let _new = selector.match_labels.insert("app", app);
    selector
}

fn full(name: &str) -> Arc<str> {
    format!("default/{name}").into()
}

/// What the pool launches for pods, each of 500 millicores.
fn launch(name: &str, pods: &[&str]) -> NodeToLaunch {
    let offering = OfferingRef {
        price: price("0.10"),
        instance_type: "small".into(),
        zone: "a".into(),
        capacity_type: CapacityType::OnDemand,
        reservation: None,
    };
    let labels = [
        (well_known::NODE_POOL, "main"),
        (well_known::INSTANCE_TYPE, "small"),
        (well_known::ZONE, "a"),
        (well_known::CAPACITY_TYPE, "on-demand"),
    ];
    let template = LaunchTemplate {
        node_pool: "main".into(),
        alternatives: Arc::new(vec![offering.clone()]),
        offering,
        labels: Arc::new(labels.into_iter().collect()),
        taints: Vec::new(),
        startup_taints: Vec::new(),
        capacity: small().capacity().clone(),
        requirements: Arc::new(Vec::new()),
    };
    let (cpu, number) = (format!("{}m", 500 * pods.len()), pods.len().to_string());
    let launch = Launch {
        template: Arc::new(template),
        pods: pods.iter().map(|pod| full(pod)).collect(),
        requests: Arc::new(amounts([("cpu", &*cpu), ("pods", &*number)])),
    };
    NodeToLaunch::new(name, launch)
}

fn binding(pod: &str, node: &str) -> Binding {
    Binding { pod: full(pod), node: node.into() }
}

fn action(wave: u32, node: &str, reason: DisruptionReason, savings: &str) -> ConsolidationAction {
    ConsolidationAction {
        wave,
        delete: vec![node.into()],
        launches: Vec::new(),
        bindings: Vec::new(),
        reason,
        savings: Some(price(savings)),
        disruption_cost: DisruptionCost::ZERO,
    }
}

/// Has a pod leave a node that stays.
fn make_room(plan: &mut ConsolidationPlan) {
    let mut move_only = action(1, "n6", DisruptionReason::Underutilized, "0");
    move_only.delete.clear();
    move_only.bindings.push(binding("kept", "n2"));
    move_only.disruption_cost = DisruptionCost::from_billionths(PLAIN);
    plan.actions.insert(2, move_only);
    plan.moved = 4;
}

fn keep(node: &str) -> KeptNode {
    let reasons = vec![Reason::new(&Cause::NoNodePool, 0)];
    KeptNode { node: node.into(), reasons, best: None }
}

const EMPTY: usize = 0;
const DELETE: usize = 1;
const REPLACE: usize = 2;
const DRIFT: usize = 3;

fn plan() -> ConsolidationPlan {
    let cost = DisruptionCost::from_billionths(PLAIN);
    let mut delete = action(1, "n1", DisruptionReason::Underutilized, "0.10");
    delete.bindings.push(binding("one", "n2"));
    let mut replace = action(2, "n3", DisruptionReason::Underutilized, "0.40");
    replace.launches.push(launch("new-1", &["big"]));
    let mut drift = action(2, "n4", DisruptionReason::Drifted, "0");
    drift.launches.push(launch("new-2", &["old"]));
    for action in [&mut delete, &mut replace, &mut drift] {
        action.disruption_cost = cost;
    }
    ConsolidationPlan {
        actions: vec![action(1, "n5", DisruptionReason::Empty, "0.10"), delete, replace, drift],
        keep: vec![keep("n2"), keep("n6")],
        cost: ConsolidationCost {
            before: price("1.00"),
            after: price("0.40"),
            lower_bound: Price::ZERO,
            lower_bound_for_moves: Price::ZERO,
        },
        moved: 3,
        warnings: Vec::new(),
        stats: BTreeMap::new(),
        certificate: None,
        certificate_for_moves: None,
    }
}

/// Everything that is found.
fn found(parts: &ClusterParts, plan: &ConsolidationPlan) -> Vec<Violation> {
    let result = verify_consolidation(&parts.problem(), plan, &parts.options);
    result.err().map_or_else(Vec::new, |found| found.iter().cloned().collect())
}

/// What is found of a mutation.
#[track_caller]
fn refused(mutate: impl FnOnce(&mut ClusterParts, &mut ConsolidationPlan), expected: &[Violation]) {
    let (mut parts, mut plan) = (ClusterParts::new(), plan());
    mutate(&mut parts, &mut plan);
    let found = found(&parts, &plan);
    for violation in expected {
        assert!(found.contains(violation), "{violation} isn't among {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for violation in &found {
        assert!(violation.to_string().len() > 10);
    }
}

#[track_caller]
fn accepted(mutate: impl FnOnce(&mut ClusterParts, &mut ConsolidationPlan)) {
    let (mut parts, mut plan) = (ClusterParts::new(), plan());
    mutate(&mut parts, &mut plan);
    let found = found(&parts, &plan);
    assert!(found.is_empty(), "{found:#?}");
}

fn fault(path: &str, fault: Fault) -> Violation {
    Violation::Consolidation { path: path.into(), fault }
}

fn in_wave(wave: u32, violation: Violation) -> Violation {
    Violation::Wave { wave, violation: Box::new(violation) }
}

#[test]
fn the_plan_is_accepted_for_what_it_is() {
    let (parts, plan) = (ClusterParts::new(), plan());
    let verified = verify_consolidation(&parts.problem(), &plan, &parts.options).unwrap();
    assert_eq!((verified.cost_before(), verified.cost_after()), (price("1"), price("0.4")));
    assert_eq!((verified.waves(), verified.deleted(), verified.launched()), (2, 4, 2));
    assert_eq!(verified.moved(), 3);
}

/// Every variant of the faults is expected by some test.
#[test]
fn every_fault_has_a_mutation_that_makes_it() {
    let tests = [
        include_str!("bounded.rs"),
        include_str!("eligible.rs"),
        include_str!("moved.rs"),
        include_str!("named.rs"),
        include_str!("stepped.rs"),
        include_str!("weighed.rs"),
    ]
    .concat();
    let source = include_str!("../fault.rs");
    for (kind, prefix) in [("ConsolidationFault", "Fault"), ("Ineligible", "Ineligible")] {
        let (_, variants) = source.split_once(&format!("pub enum {kind} {{")).unwrap();
        let (variants, _) = variants.split_once("\n}").unwrap();
        let lines = variants.lines().filter_map(|line| line.strip_prefix("    "));
        let lines = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
        for name in lines.map(|line| line.trim_end_matches([' ', '{', ','])) {
            assert!(tests.contains(&format!("{prefix}::{name}")), "{prefix}::{name}");
        }
    }
}
