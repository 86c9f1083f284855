//! Laws of certificates, on small random problems: every bound that a plan states is proved, and
//! nothing that is proved is false, whatever is done to a certificate.

use crate::oracle::Oracle;
use crate::random;
use crate::random::company;
use crate::verified::tree;
use plimsoll::plan::Certificate;
use plimsoll::plan::certificate::WorthProof;
use plimsoll::verify::Violation;
use plimsoll::{Effort, LaunchPlan, Options, PreferencePolicy, Price, Problem, provision, verify};
use proptest::prelude::*;
use serde_json::{Value, json};

fn plan_of(problem: &Problem, effort: Effort, fee: i64) -> LaunchPlan {
    let mut options = Options::default();
    options.effort = effort;
    options.preferences = PreferencePolicy::Ignore;
    options.objective.node_fee = Price::from_nanos(fee.into());
    provision(problem, &options).unwrap()
}

fn is_about_the_certificate(violation: &&Violation) -> bool {
    matches!(
        violation,
        Violation::CertificateMalformed { .. }
            | Violation::CertificateFee { .. }
            | Violation::CertificatePods { .. }
            | Violation::NotApart { .. }
            | Violation::OfferingUnproved { .. }
            | Violation::OfferingWorth { .. }
            | Violation::NodeUnproved { .. }
            | Violation::WorthUnproved { .. }
            | Violation::LowerBoundUnproved { .. }
            | Violation::NotExhausted { .. }
    )
}

/// Whether a bound is proved, as far as nothing else is wrong with a plan.
fn check(problem: &Value, effort: Effort, fee: i64) -> Result<(), TestCaseError> {
    let read = Problem::from_json(&problem.to_string()).unwrap();
    let plan = plan_of(&read, effort, fee);
    let shown = || format!("{problem}\n{}\n{:#?}", plan.to_json(), plan.certificate());
    prop_assert!(
        plan.certificate().is_some() || plan.cost().lower_bound == Price::ZERO,
        "no certificate: {}",
        shown()
    );
    match verify(&read, &plan) {
        Ok(verified) => prop_assert!(verified.lower_bound() >= plan.cost().lower_bound),
        Err(violations) => {
            let found = violations.iter().find(is_about_the_certificate);
            prop_assert!(found.is_none(), "{}\n{}", found.unwrap(), shown());
        }
    }
    if let Some(certificate) = plan.certificate() {
        let text = certificate.to_json();
        prop_assert_eq!(&Certificate::from_json(&text).unwrap(), certificate);
        let again = plan.clone().with_certificate(Certificate::from_json(&text).unwrap());
        prop_assert_eq!(verify(&read, &again).ok(), verify(&read, &plan).ok());
    }
    Ok(())
}

/// Changes a certificate, as numbers say.
fn change(certificate: &mut Certificate, (what, at, by): (u8, usize, i64)) {
    let by = i128::from(by);
    let offer = at % certificate.offerings.len().max(1);
    let pods = at % certificate.pods.len().max(1);
    let proofs = u32::try_from(certificate.proofs.len().max(1)).unwrap();
    match what {
        0 => certificate.pods.iter_mut().for_each(|one| one.value += one.value / 100 * by),
        1 | 2 => {
            if let Some(one) = certificate.pods.get_mut(pods) {
                match what {
                    1 => one.value += one.value / 10 * by,
                    _ => one.count = one.count.saturating_add_signed(i32::try_from(by).unwrap()),
                }
            }
        }
        3 => {
            if let Some(one) = certificate.pods.get_mut(pods) {
                one.weight = if by > 0 { None } else { Some(10) };
            }
        }
        4 => {
            if let Some(one) = certificate.offerings.get_mut(offer) {
                one.proof = u32::try_from(at).unwrap() % proofs;
            }
        }
        5 => {
            let proof = at % certificate.proofs.len().max(1);
            if let Some(WorthProof::Priced { resources, groups }) =
                certificate.proofs.get_mut(proof)
            {
                let prices = resources.iter_mut().chain(groups);
                prices.for_each(|price| *price += *price / 10 * by);
            }
        }
        6 => certificate.nodes.truncate(at % 2),
        7 => certificate.node_fee = Price::from_nanos(by.max(0)),
        8 => certificate.groups.iter_mut().for_each(|group| {
            group.most = group.most.saturating_add_signed(i32::try_from(by).unwrap());
        }),
        9 => {
            if let Some(one) = certificate.reservations.get_mut(0) {
                one.price += one.price / 10 * by;
            }
        }
        10 => {
            if let Some(one) = certificate.offerings.get_mut(offer) {
                let _dropped = one.offerings.pop();
            }
        }
        11 => {
            if let Some(one) = certificate.pods.get_mut(pods) {
                one.beyond_running = !one.beyond_running;
            }
        }
        12 => {
            let split = WorthProof::Split { pod: 0, count: 1, fewer: 0, more: 0 };
            certificate.proofs.push(split);
            certificate.offerings.iter_mut().for_each(|one| one.proof = proofs);
        }
        13 => {
            let resource = u32::try_from(at % certificate.resources.len().max(1)).unwrap();
            certificate.proofs.push(WorthProof::Table { resource });
            if let Some(one) = certificate.offerings.get_mut(offer) {
                one.proof = proofs;
            }
        }
        _ => {
            let other = certificate.pods.get(pods).cloned();
            certificate.pods.extend(other);
        }
    }
}

proptest! {
    #![proptest_config(random::config())]

    #[test]
    fn every_bound_is_proved(problem in random::problem(), fee in 0..2_i64) {
        check(&problem, Effort::Greedy, fee * 3_000_000)?;
        check(&problem, Effort::FirstFit, 0)?;
    }

    #[test]
    fn every_bound_is_proved_in_company(problem in company::problem(), fee in 0..2_i64) {
        check(&problem, Effort::Greedy, fee * 3_000_000)?;
        check(&problem, Effort::FirstFit, 0)?;
    }

    /// A changed certificate is refused, or what it proves is true all the same.
    #[test]
    fn nothing_false_is_proved(
        problem in random::problem(),
        changes in prop::collection::vec((0..15_u8, 0..20_usize, -9..=9_i64), 1..4),
    ) {
        let read = Problem::from_json(&problem.to_string()).unwrap();
        let plan = plan_of(&read, Effort::Greedy, 0);
        let Some(certificate) = plan.certificate() else { return Ok(()) };
        let mut certificate = certificate.clone();
        for one in changes {
            change(&mut certificate, one);
        }
        // The same plan, of which nothing is stated: what is proved need not reach a bound.
        let mut document: Value = serde_json::from_str(&plan.to_json()).unwrap();
        let tree = tree(&plan.to_json());
        document["cost"]["lowerBound"] = json!(0);
        document["cost"]["proof"] = json!("none");
        let plan = LaunchPlan::from_json(&document.to_string()).unwrap();
        let plan = plan.with_certificate(certificate);
        if let Ok(verified) = verify(&read, &plan) {
            let proved = verified.lower_bound();
            let oracle = Oracle::new(&problem, 0, true);
            let optimum = oracle.cheapest_like(&oracle.places(&tree)).unwrap();
            prop_assert!(
                proved.nanos() <= optimum,
                "{} is proved, {} is possible\n{}\n{:#?}",
                proved, Price::from_nanos(optimum), problem, plan.certificate()
            );
        }
    }
}

/// Two hundred classes of pods that differ in their spreads alone, on launches whose team is open.
fn many_classes_and_teams() -> Problem {
    let zones = ["a", "b", "c"];
    let offerings = |price: u32| {
        let offering = |zone| json!({"zone": zone, "capacityType": "on-demand", "price": price});
        zones.map(offering)
    };
    let types: Vec<Value> = (1..=20)
        .map(|size| {
            let capacity = json!({"cpu": size * 4, "memory": "64Gi", "pods": 110});
            let name = format!("cpu-{size}");
            json!({"name": name, "capacity": capacity, "offerings": offerings(size)})
        })
        .collect();
    let pods: Vec<Value> = (0..200)
        .map(|number| {
            let own = json!({"app": format!("app-{number}")});
            let spread = json!({"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": own}});
            let team = format!("team-{}", number % 40);
            let selector = if number % 3 == 0 { json!({"team": team}) } else { json!({}) };
            json!({"name": format!("pod-{number}"), "replicas": 3, "labels": own,
                "requests": {"cpu": 1 + number % 2}, "nodeSelector": selector,
                "topologySpreadConstraints": [spread]})
        })
        .collect();
    let team = json!({"key": "team", "operator": "Exists"});
    let pool = json!({"name": "default", "requirements": [team]});
    let document = json!({"pods": pods, "instanceTypes": types, "nodePools": [pool]});
    Problem::from_json(&document.to_string()).unwrap()
}

#[test]
fn what_asks_for_the_same_is_counted_once_where_open_labels_have_many_values() {
    let problem = many_classes_and_teams();
    let plan = plan_of(&problem, Effort::default(), 0);
    let verified = verify(&problem, &plan).unwrap();
    assert!(verified.lower_bound() >= plan.cost().lower_bound);
    assert!(plan.cost().lower_bound.nanos() * 2 > plan.cost().total.nanos(), "{:?}", plan.cost());
    let certificate = plan.certificate().unwrap();
    let counted: u32 = certificate.pods.iter().map(|pods| pods.count).sum();
    assert_eq!(counted, 600);
    assert!(certificate.pods.len() < 100, "{} items", certificate.pods.len());
}
