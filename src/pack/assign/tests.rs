//! Assignments of hand-made problems, without a packer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use super::{DomainAssignment, DomainPrices, Feedback, Restrictions, assign_domains};
use crate::compile::{ClassId, Compiled, Id, KeyId};
use crate::model::{
    InstanceType, LabelSelector, NodePool, Offering, Pod, Price, Problem, ProblemBuilder,
    Resources, TopologySpreadConstraint, Volume, WhenUnsatisfiable, well_known,
};
use crate::pack::Context;
use crate::progress::Watch;
use crate::stop::Stop;
use std::collections::BTreeMap;

/// A type of 4 cpu that is sold in three zones for the same.
fn market(pool: NodePool) -> ProblemBuilder {
    let capacity = Resources::parse([("cpu", "4"), ("pods", "10")]).unwrap();
    let price: Price = "0.2".parse().unwrap();
    let zones = ["a", "b", "c"].into_iter();
    let large = zones.fold(InstanceType::new("large", capacity), |large, zone| {
        large.with_offering(Offering::on_demand(zone, price))
    });
    Problem::builder().instance_type(large).node_pool(pool)
}

/// Pods of the workload `db`, spread over zones.
fn member(name: &str, replicas: u32) -> Pod {
    let selector = LabelSelector::new().with_label("app", "db");
    let spread =
        TopologySpreadConstraint::new(1, well_known::ZONE, WhenUnsatisfiable::DoNotSchedule)
            .with_label_selector(selector);
    Pod::new(name)
        .with_replicas(replicas)
        .with_label("app", "db")
        .with_requests(Resources::parse([("cpu", "1")]).unwrap())
        .with_topology_spread_constraint(spread)
}

/// Arranges, and says how many pods of how many have a cell, by zone.
fn arranged(problem: &Problem, answers: &dyn Fn(&Compiled) -> Vec<Feedback>) -> ZoneCounts {
    let compiled = Compiled::new(problem, Price::ZERO).unwrap();
    let stop = Stop::default();
    let context = Context {
        compiled: &compiled,
        listed: &compiled,
        fee: 0,
        best_effort_min_values: false,
        with_preferences: true,
        preference_price: None,
        strict_reservations: false,
        scarcity: None,
        stop: &stop,
        watch: &Watch::default(),
    };
    let mut restrictions = Restrictions::new(&compiled, true);
    for answer in answers(&compiled) {
        assert!(restrictions.learn(answer), "{answer:?} is new");
        assert!(!restrictions.learn(answer), "{answer:?} is known");
    }
    let assignment = assign_domains(&context, &DomainPrices::of(&compiled), &restrictions);
    ZoneCounts {
        zones: zones(&assignment),
        out: assignment.out.values().map(|out| out.count).sum(),
    }
}

#[derive(Debug, Eq, PartialEq)]
struct ZoneCounts {
    zones: BTreeMap<String, u32>,
    out: u32,
}

fn zones(assignment: &DomainAssignment) -> BTreeMap<String, u32> {
    let compiled = &assignment.compiled;
    let key = compiled.topology.keys.values().find(|key| &*key.name == well_known::ZONE).unwrap();
    let mut zones = BTreeMap::new();
    for item in compiled.items.values() {
        let eligible = &compiled.eligible[item.eligibility];
        let of_row =
            key.names.iter().zip(&key.domains).filter(|(_, sites)| sites.overlaps(eligible));
        let of_row: Vec<&str> = of_row.map(|(zone, _)| &**zone).collect();
        let zone = if let [zone] = of_row[..] { zone } else { "any" };
        *zones.entry(zone.to_string()).or_insert(0) += item.count;
    }
    zones
}

fn outcome(zones: [(&str, u32); 3], out: u32) -> ZoneCounts {
    let zones = zones.into_iter().filter(|(_, count)| *count > 0);
    ZoneCounts { zones: zones.map(|(zone, count)| (zone.to_owned(), count)).collect(), out }
}

fn none(_: &Compiled) -> Vec<Feedback> {
    Vec::new()
}

#[test]
fn pods_tied_by_a_spread_take_turns() {
    // A StatefulSet whose volumes are in three zones by turns.
    let pods = (0..900_u32).map(|at| {
        let zone = ["a", "b", "c"][at as usize % 3];
        member(&format!("db-{at}"), 1)
            .with_volume(Volume::new("csi", format!("data-{at}")).with_zone(zone))
    });
    let problem = pods.fold(market(NodePool::new("main")), ProblemBuilder::pod).build().unwrap();
    assert_eq!(arranged(&problem, &none), outcome([("a", 300), ("b", 300), ("c", 300)], 0));
}

#[test]
fn who_has_one_zone_goes_first_and_the_others_make_up_for_it() {
    let assigned = member("pinned", 10).with_node_selector(well_known::ZONE, "a");
    let problem = market(NodePool::new("main")).pod(member("free", 20)).pod(assigned);
    let all = arranged(&problem.build().unwrap(), &none);
    assert_eq!(all, outcome([("a", 10), ("b", 10), ("c", 10)], 0));
}

#[test]
fn a_zone_that_no_pod_can_launch_in_holds_no_count_down() {
    let volume = |name: &str| Volume::new("csi", name.to_owned()).with_zone("a");
    let pods = member("db", 5).with_volume(volume("data"));
    let problem = market(NodePool::new("main")).pod(pods).build().unwrap();
    assert_eq!(arranged(&problem, &none), outcome([("a", 5), ("b", 0), ("c", 0)], 0));
    // Not even the first node is within the limit.
    let limits = Resources::parse([("cpu", "3")]).unwrap();
    let closed = NodePool::new("closed").with_limits(limits).with_weight(1);
    let problem = market(closed).pod(member("db", 5)).build().unwrap();
    let nowhere = arranged(&problem, &none);
    // The packer says what stops them.
    assert_eq!(nowhere, outcome([("any", 5), ("b", 0), ("c", 0)], 0));
}

#[test]
fn what_packing_answers_is_kept_to() {
    let problem = market(NodePool::new("main")).pod(member("db", 9)).build().unwrap();
    let class = ClassId::from_index(0);
    let full = |_: &Compiled| vec![Feedback::CellFull { class, cell: 0, held: 1 }];
    assert_eq!(arranged(&problem, &full).out, 4, "one zone has 1, the others 2 each");
    let few = |_: &Compiled| vec![Feedback::ClassFull { class, held: 6 }];
    assert_eq!(arranged(&problem, &few), outcome([("a", 2), ("b", 2), ("c", 2)], 3));
    let empty = |compiled: &Compiled| {
        let mut keys = compiled.topology.keys.iter();
        let (key, zone) = keys.find(|(_, key)| &*key.name == well_known::ZONE).unwrap();
        let zone = zone.names.iter().position(|name| &**name == "c").unwrap();
        let key: KeyId = key;
        vec![Feedback::DomainEmpty((class, key, u32::try_from(zone).unwrap()))]
    };
    assert_eq!(arranged(&problem, &empty).zones.get("c"), None);
    assert_eq!(arranged(&problem, &empty).out, 0);
}
