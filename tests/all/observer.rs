//! Who looks on while a plan is refined sees it come and can end it.

use crate::verified::tree;
use plimsoll::progress::{Phase, Progress};
use plimsoll::{Effort, LaunchPlan, Limits, Observer, Options, Problem, provision, verify};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

/// Services of different sizes, each so many times, on three machines.
fn problem(services: usize, replicas: usize) -> Problem {
    let pods: Vec<String> = (0..services)
        .map(|i| {
            let (cpu, memory) = (300 + 170 * (i % 13), 500 + 310 * (i % 7));
            let count = replicas + i % 5;
            format!(
                r#"{{"name": "s{i}", "replicas": {count},
                    "requests": {{"cpu": "{cpu}m", "memory": "{memory}Mi"}}}}"#
            )
        })
        .collect();
    let types: Vec<String> = [("a", 2, 8, "0.1"), ("b", 4, 8, "0.17"), ("c", 8, 32, "0.39")]
        .map(|(name, cpu, memory, price)| {
            format!(
                r#"{{"name": "{name}", "capacity": {{"cpu": {cpu}, "memory": "{memory}Gi", "pods": 29}},
                    "offerings": [{{"zone": "z", "capacityType": "on-demand", "price": {price}}}]}}"#
            )
        })
        .into();
    let text = format!(
        r#"{{"pods": [{}], "instanceTypes": [{}], "nodePools": [{{"name": "p"}}]}}"#,
        pods.join(","),
        types.join(",")
    );
    Problem::from_json(&text).unwrap()
}

fn refined(problem: &Problem, observer: Observer) -> LaunchPlan {
    let effort = Effort::Refine(Limits::default());
    let options = Options::default().with_effort(effort).with_observer(observer);
    let plan = provision(problem, &options).unwrap();
    let _verified = verify(problem, &plan).unwrap();
    plan
}

#[test]
fn plans_get_cheaper_and_bounds_rise_and_looking_on_changes_nothing() {
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let log = seen.clone();
    let problem = problem(3, 1);
    let plan = refined(
        &problem,
        Observer::new(move |progress| {
            log.lock().unwrap().push(*progress);
            ControlFlow::Continue(())
        }),
    );
    assert_eq!(tree(&plan.to_json()), tree(&refined(&problem, Observer::default()).to_json()));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.first().map(|progress| progress.phase), Some(Phase::Packed));
    assert_eq!(seen.last().map(|progress| progress.phase), Some(Phase::Proving));
    for pair in seen.windows(2) {
        assert!(pair[1].cost <= pair[0].cost && pair[1].lower_bound >= pair[0].lower_bound);
        assert!(pair[1].lower_bound <= pair[1].cost, "{}", pair[1]);
    }
    let last = seen.last().unwrap();
    assert!(last.lower_bound.nanos() > 0, "{last}");
    assert_eq!(plan.cost().total, last.cost, "{last}");
}

#[test]
fn a_gap_that_is_small_enough_ends_the_search() {
    let calls: Arc<Mutex<u32>> = Arc::default();
    let count = calls.clone();
    let plan = refined(
        &problem(8, 30),
        Observer::new(move |progress| {
            *count.lock().unwrap() += 1;
            match progress.gap_millionths() <= 15_000 {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }),
    );
    assert!(plan.cost().gap_millionths() <= 16_000, "{}", plan.cost().gap_millionths());
    assert!(*calls.lock().unwrap() > 1);
}
