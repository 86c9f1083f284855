//! Limits that leave pods out: who is placed, on what, and for how long the packer looks for it.

use plimsoll::model::{
    Affinity, InstanceType, LabelSelector, NodePool, Offering, Pod, PodAffinityTerm, Problem,
    ProblemBuilder, Resources,
};
use plimsoll::{LaunchPlan, Options, Stop, provision, verify};

fn instance(name: &str, resources: &[(&str, &str)], price: &str) -> InstanceType {
    let capacity = resources.iter().copied().chain([("pods", "110")]);
    InstanceType::new(name, Resources::parse(capacity).unwrap())
        .with_offering(Offering::on_demand("a", price.parse().unwrap()))
}

fn pod(name: &str, replicas: u32, requests: &[(&str, &str)]) -> Pod {
    let requests = Resources::parse(requests.iter().copied()).unwrap();
    Pod::new(name).with_replicas(replicas).with_requests(requests)
}

/// A pool with these limits.
fn limited(limits: &[(&str, &str)]) -> ProblemBuilder {
    let limits = Resources::parse(limits.iter().copied()).unwrap();
    Problem::builder().node_pool(NodePool::new("default").with_limits(limits))
}

/// The plan, which breaks no rule, and how many pods of each workload it launches for.
fn planned(problem: ProblemBuilder, options: &Options) -> (LaunchPlan, usize) {
    let problem = problem.build().unwrap();
    let plan = provision(&problem, options).unwrap();
    let _verified = verify(&problem, &plan).unwrap();
    let launched = plan.launches().iter().map(|launch| launch.pods().len()).sum();
    (plan, launched)
}

#[test]
fn of_one_priority_the_most_pods_are_placed() {
    let problem = |urgent: i32| {
        limited(&[("cpu", "8")])
            .instance_type(instance("c4", &[("cpu", "4")], "0.2"))
            .pod(pod("large", 1, &[("cpu", "4")]).with_priority(urgent))
            .pod(pod("small", 8, &[("cpu", "1")]))
    };
    let (_, launched) = planned(problem(0), &Options::default());
    assert_eq!(launched, 8, "the small ones alone");
    let (plan, launched) = planned(problem(10), &Options::default());
    assert_eq!(launched, 5, "the urgent one first");
    let left_out = plan.unschedulable().iter().map(|out| out.pod.to_string());
    assert!(left_out.into_iter().all(|pod| pod.contains("small")));
}

#[test]
fn types_are_weighed_by_what_they_take_of_each_limit() {
    // By cost alone c4 is bought, of which the limit admits two; of m2 it admits four.
    let problem = |limits: &[(&str, &str)]| {
        limited(limits)
            .instance_type(instance("c4", &[("cpu", "4"), ("memory", "16Gi")], "0.2"))
            .instance_type(instance("m2", &[("cpu", "2"), ("memory", "16Gi")], "0.25"))
            .pod(pod("cache", 8, &[("memory", "8Gi")]))
    };
    let options = Options::default();
    assert_eq!(planned(problem(&[("cpu", "8")]), &options).1, 8);
    // A second limit that doesn't bind changes nothing.
    assert_eq!(planned(problem(&[("cpu", "8"), ("memory", "1Ti")]), &options).1, 8);
    // Where it binds, as many are placed as it allows.
    assert_eq!(planned(problem(&[("cpu", "8"), ("memory", "48Gi")]), &options).1, 6);
    assert_eq!(planned(problem(&[("cpu", "8"), ("nodes", "3")]), &options).1, 6);
}

#[test]
fn a_node_is_bought_for_those_that_no_cheaper_one_takes() {
    // One node is all that the limit admits; only the dear type takes all.
    let (plan, launched) = planned(
        limited(&[("cpu", "7")])
            .instance_type(instance("r4", &[("cpu", "4"), ("memory", "32Gi")], "0.23"))
            .instance_type(instance(
                "g4",
                &[("cpu", "4"), ("memory", "32Gi"), ("example.com/gpu", "1")],
                "5.7",
            ))
            .pod(pod("cache", 4, &[("memory", "8Gi")]))
            .pod(pod("gpu", 1, &[("example.com/gpu", "1")])),
        &Options::default(),
    );
    assert_eq!((launched, plan.launches().len()), (5, 1));
}

#[test]
fn pods_that_may_not_share_a_node_leave_room_on_theirs_for_others() {
    let apart = PodAffinityTerm::new(
        "kubernetes.io/hostname",
        LabelSelector::new().with_label("app", "apart"),
    );
    let affinity = Affinity::new().with_required_pod_anti_affinity(apart);
    let (_, launched) = planned(
        limited(&[("nodes", "4")])
            .instance_type(instance("m", &[("memory", "32Gi")], "0.29"))
            .instance_type(instance("r", &[("memory", "16Gi")], "0.14"))
            .pod(pod("pair", 2, &[("memory", "14Gi")]))
            .pod(
                pod("apart", 4, &[("memory", "14Gi")])
                    .with_label("app", "apart")
                    .with_affinity(affinity),
            ),
        &Options::default(),
    );
    assert_eq!(launched, 6);
}

#[test]
fn what_is_left_to_choose_is_chosen_by_cost() {
    let (plan, launched) = planned(
        limited(&[("nodes", "2")])
            .instance_type(instance("c4", &[("cpu", "4")], "0.2"))
            .instance_type(instance("c8", &[("cpu", "8")], "0.4"))
            .instance_type(instance("c16", &[("cpu", "16")], "1.6"))
            .pod(pod("web", 20, &[("cpu", "1")]))
            .pod(pod("huge", 1, &[("cpu", "16")])),
        &Options::default(),
    );
    // Twenty small ones on a node of 16 and a smaller one: the huge one takes the place of sixteen,
    // and two of the dearest type would hold twenty as well.
    assert_eq!(launched, 20);
    assert!(plan.cost().total <= "2".parse().unwrap(), "{}", plan.cost().total);
}

#[test]
fn a_stopped_packer_gives_what_it_has() {
    let mut options = Options::default();
    options.stop = Stop::when(|| true);
    let problem = limited(&[("cpu", "8")])
        .instance_type(instance("c4", &[("cpu", "4")], "0.2"))
        .pod(pod("web", 10, &[("cpu", "1")]));
    assert_eq!(planned(problem, &options).1, 8);
}
