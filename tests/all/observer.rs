//! Who looks on while a plan is refined sees it come and can end it.

use crate::verified::tree;
use plimsoll::progress::{Event, Phase, Progress, Trace};
use plimsoll::{
    Effort, LaunchPlan, Limits, Observer, Options, Problem, consolidate, provision, verify,
    verify_consolidation,
};
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

/// What is seen of a consolidation leads to what the plan says, and looking on changes nothing.
#[test]
fn consolidations_are_looked_on() {
    let problem = plimsoll_testdata::running_cluster(20, 200, 20, 60, 3);
    let effort = Effort::Refine(Limits::default().with_rounds(60).with_attempts(300));
    let options = Options::default().with_effort(effort);
    let trace = Trace::new();
    let watched = options.clone().with_observer(trace.observer());
    let plan = consolidate(&problem, &watched).unwrap();
    let _verified = verify_consolidation(&problem, &plan, &options.consolidation).unwrap();
    let unseen = consolidate(&problem, &options).unwrap();
    assert_eq!(plan.to_json(), unseen.to_json());
    let events = trace.events();
    let mut plans = events.iter().filter_map(|event| match event {
        Event::Consolidated(figures) => Some(*figures),
        _ => None,
    });
    let last = plans.next_back().unwrap();
    assert_eq!(
        (last.cost, last.moved, last.waves),
        (plan.cost().after, plan.moved(), plan.waves())
    );
    let progress = events.iter().filter_map(|event| match event {
        Event::Progress(progress) => Some(*progress),
        _ => None,
    });
    let progress: Vec<Progress> = progress.collect();
    assert_eq!(progress[0].phase, Phase::Packed);
    assert_eq!(progress[0].cost, plan.cost().before);
    let last = progress.last().unwrap();
    assert_eq!((last.phase, last.cost), (Phase::Proving, plan.cost().after));
    assert!(progress.iter().any(|one| one.lower_bound.nanos() > 0));
    assert!(progress.iter().all(|one| one.lower_bound <= one.cost));
}

/// A look that has seen enough ends a consolidation, which is one all the same.
#[test]
fn a_consolidation_ends_when_enough_is_seen() {
    let problem = plimsoll_testdata::running_cluster(20, 200, 20, 60, 3);
    let calls: Arc<Mutex<u32>> = Arc::default();
    let count = calls.clone();
    let options = Options::default().with_effort(Effort::Refine(Limits::NONE)).with_observer(
        Observer::new(move |progress| {
            *count.lock().unwrap() += 1;
            match progress.phase == Phase::Searching {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }),
    );
    let plan = consolidate(&problem, &options).unwrap();
    let _verified = verify_consolidation(&problem, &plan, &options.consolidation).unwrap();
    assert!(plan.cost().after < plan.cost().before);
    assert!(*calls.lock().unwrap() > 1);
}
