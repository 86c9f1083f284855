//! Why refinement ended: each reason where it should be, and the same for the same limits.

use plimsoll::model::{LabelSelector, TopologySpreadConstraint, WhenUnsatisfiable, well_known};
use plimsoll::plan::{Proof, Termination};
use plimsoll::{
    Effort, InstanceType, LaunchPlan, Limits, NodePool, Offering, Options, Pod, Problem, Resources,
    Stop, provision, verify,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Too many pods for everything to be tried, and an odd number of them: half a large node is in the
/// relaxation and in no plan, so that the cheapest plan isn't proved to be that.
fn odd(pods: u32) -> Problem {
    let amounts = |cpu: &str| Resources::parse([("cpu", cpu), ("pods", "10")]).unwrap();
    let machine = |name: &str, cpu: &str, price: &str| {
        InstanceType::new(name, amounts(cpu))
            .with_offering(Offering::on_demand("a", price.parse().unwrap()))
    };
    let request = Resources::parse([("cpu", "1")]).unwrap();
    Problem::builder()
        .pod(Pod::new("web").with_replicas(pods).with_requests(request))
        .instance_type(machine("small", "1", "0.09"))
        .instance_type(machine("large", "2", "0.1"))
        .node_pool(NodePool::new("default"))
        .build()
        .unwrap()
}

fn refined(problem: &Problem, rounds: u64, attempts: u64, stop: Stop) -> LaunchPlan {
    let mut limits = Limits::default();
    (limits.rounds, limits.attempts) = (rounds, attempts);
    let mut options = Options::default();
    (options.effort, options.stop) = (Effort::Refine(limits), stop);
    provision(problem, &options).unwrap()
}

#[test]
fn each_limit_is_named_where_it_is_the_first_to_run_out() {
    let problem = odd(71);
    for (rounds, attempts, expected) in [
        (u64::MAX, u64::MAX, Termination::Done),
        (0, u64::MAX, Termination::Rounds),
        (1, u64::MAX, Termination::Rounds),
        (u64::MAX, 0, Termination::Attempts),
        (u64::MAX, 7, Termination::Attempts),
    ] {
        let plan = refined(&problem, rounds, attempts, Stop::default());
        assert_eq!(plan.termination(), Some(expected), "{rounds} rounds, {attempts} attempts");
        assert_ne!(plan.cost().proof, Proof::Optimal);
    }
}

#[test]
fn a_stop_is_named_whenever_it_comes() {
    let problem = odd(71);
    for asked in [0, 3, 60] {
        let left = AtomicU32::new(asked);
        // It says so once, and then takes it back: too late.
        let stop = Stop::when(move || left.fetch_sub(1, Ordering::Relaxed) == 0);
        let plan = refined(&problem, u64::MAX, u64::MAX, stop);
        assert_eq!(plan.termination(), Some(Termination::Stopped), "after {asked} questions");
    }
    // The rounds ran out before, but it's the stop that ended it.
    let left = AtomicU32::new(10);
    let stop = Stop::when(move || left.fetch_sub(1, Ordering::Relaxed) == 0);
    assert_eq!(refined(&problem, 0, u64::MAX, stop).termination(), Some(Termination::Stopped));
}

/// Spreads over zones under a limit that leaves pods out: attempts place pods anew, and look for
/// orders of binding.
fn scarce() -> Problem {
    let amounts = |cpu: &str| Resources::parse([("cpu", cpu), ("pods", "10")]).unwrap();
    let machine = |name: &str, cpu: &str, price: &str| {
        let offering = |zone: &str| Offering::on_demand(zone, price.parse().unwrap());
        ["a", "b", "c"].iter().fold(InstanceType::new(name, amounts(cpu)), |one, zone| {
            one.with_offering(offering(zone))
        })
    };
    let pod = |name: &str, replicas: u32, cpu: &str| {
        let selector = LabelSelector::new().with_label("app", name);
        Pod::new(name)
            .with_label("app", name)
            .with_replicas(replicas)
            .with_requests(Resources::parse([("cpu", cpu)]).unwrap())
            .with_topology_spread_constraint(
                TopologySpreadConstraint::new(
                    1,
                    well_known::ZONE,
                    WhenUnsatisfiable::DoNotSchedule,
                )
                .with_label_selector(selector),
            )
    };
    Problem::builder()
        .pod(pod("web", 11, "700m"))
        .pod(pod("api", 7, "1"))
        .pod(pod("job", 5, "1500m"))
        .instance_type(machine("small", "2", "0.12"))
        .instance_type(machine("large", "4", "0.2"))
        .node_pool(NodePool::new("default").with_limits(Resources::parse([("cpu", "16")]).unwrap()))
        .build()
        .unwrap()
}

/// A wish to stop after so many questions, and how many were asked.
fn after(questions: u32) -> (Stop, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    (Stop::when(move || counted.fetch_add(1, Ordering::Relaxed) >= questions), asked)
}

#[test]
fn a_stop_in_the_middle_of_an_attempt_leaves_a_legal_plan_that_is_no_worse() {
    let problem = scarce();
    let rank = |plan: &LaunchPlan| (plan.unschedulable().len(), plan.cost().total);
    let (never, asked) = after(u32::MAX);
    let greedy = rank(&provision(&problem, &Options::default().with_stop(never)).unwrap());
    assert!(greedy.0 > 0, "the limit leaves pods out");
    let of_greedy = asked.load(Ordering::Relaxed);
    for more in (0..2_000).step_by(131) {
        let (stop, asked) = after(of_greedy + more);
        let plan = refined(&problem, u64::MAX, u64::MAX, stop);
        let _verified = verify(&problem, &plan).unwrap();
        assert!(rank(&plan) <= greedy, "after {more} questions more");
        assert!(asked.load(Ordering::Relaxed) >= of_greedy + more, "it is asked so often");
    }
}

#[test]
fn of_a_plan_that_is_proved_the_cheapest_nothing_is_left_to_try() {
    for stop in [Stop::default(), Stop::when(|| true)] {
        let plan = refined(&odd(70), 0, 0, stop);
        assert_eq!(
            (plan.cost().proof, plan.termination()),
            (Proof::Optimal, Some(Termination::Done))
        );
    }
}

#[test]
fn plans_that_were_not_refined_say_nothing() {
    for effort in [Effort::Greedy, Effort::FirstFit] {
        let mut options = Options::default();
        options.effort = effort;
        assert_eq!(provision(&odd(71), &options).unwrap().termination(), None);
    }
}

#[test]
fn the_table_says_it() {
    let table = |rounds, attempts| refined(&odd(71), rounds, attempts, Stop::default()).to_string();
    let [rounds, attempts] = [table(0, u64::MAX), table(u64::MAX, 0)];
    assert!(rounds.contains("\nrefined until its rounds ran out\n"), "{rounds}");
    assert!(attempts.contains("\nrefined until its attempts ran out\n"), "{attempts}");
}

/// Its document has no place for it.
#[cfg(feature = "serde")]
#[test]
fn a_plan_from_its_document_is_equal_and_does_not_say() {
    let plan = refined(&odd(71), 0, 0, Stop::default());
    let read = LaunchPlan::from_json(&plan.to_json()).unwrap();
    assert_eq!((&read, read.termination()), (&plan, None));
}
