//! Values on the edge of what is allowed, and what is found by name: the last that will do, the first that won't.

use plimsoll::model::{Forecast, PriceChange, PriceOverlay};
use plimsoll::{InstanceType, Node, NodePool, Offering, Pod, Price, Problem, Resources, Solver};

fn amounts(cpu: &str) -> Resources {
    Resources::parse([("cpu", cpu), ("pods", "10")]).unwrap()
}

fn problem(of_type: InstanceType) -> Problem {
    let requests = Resources::parse([("cpu", "1")]).unwrap();
    let pods = ["job", "web-2", "web-3"].map(|name| Pod::new(name).with_requests(requests.clone()));
    let of_pool = NodePool::new("default");
    Problem::builder().pods(pods).instance_type(of_type).node_pool(of_pool).build().unwrap()
}

fn of_type() -> InstanceType {
    InstanceType::new("m", amounts("4")).with_offering(Offering::spot("z", Price::from_nanos(1)))
}

#[test]
fn a_quantile_is_the_first_count_that_is_enough() {
    let halves = Forecast::default().with_sample(1, 1).with_sample(2, 1);
    assert_eq!(halves.quantile(0), Some(1));
    assert_eq!(halves.quantile(500_000), Some(1));
    assert_eq!(halves.quantile(500_001), Some(2));
    assert_eq!(halves.quantile(2_000_000), Some(2));
    assert_eq!(Forecast::default().quantile(0), None);
}

#[test]
fn a_label_has_63_letters_at_most() {
    for (length, is_valid) in [(63, true), (64, false)] {
        let value = "a".repeat(length);
        let pod = Pod::new("a").with_label(value.as_str(), value.as_str());
        let built = Problem::builder()
            .pod(pod)
            .instance_type(of_type())
            .node_pool(NodePool::new("default"))
            .build();
        assert_eq!(built.is_ok(), is_valid, "{length}");
    }
}

#[test]
fn parts_are_found_by_name_and_say_what_they_were_told() {
    let problem = problem(of_type());
    assert_eq!(problem.instance_type("m").map(InstanceType::name), Some("m"));
    assert_eq!(problem.instance_type("n"), None);
    for kept in [true, false] {
        assert_eq!(Node::new("n", amounts("4")).with_do_not_disrupt(kept).do_not_disrupt(), kept);
    }
}

#[test]
fn an_overlay_may_come_to_the_highest_price() {
    let problem = problem(of_type());
    let overlay = |price: Price| {
        let all = PriceOverlay::new("all", PriceChange::Set(price));
        problem.with_price_overlays(&[all])
    };
    let dearest = overlay(Price::MAX_UNIT).unwrap();
    assert_eq!(dearest.instance_types()[0].offerings()[0].price(), Price::MAX_UNIT);
    assert!(overlay(Price::from_nanos(Price::MAX_UNIT.nanos() + 1)).is_err());
}

#[test]
fn an_overhead_above_the_capacity_is_warned_of() {
    for (overhead, warned) in [("4", false), ("4001m", true)] {
        let of_type = of_type().with_overhead(Resources::parse([("cpu", overhead)]).unwrap());
        let plan = plimsoll::provision(&problem(of_type), &plimsoll::Options::default()).unwrap();
        let mut warnings = plan.warnings().iter();
        let said = warnings.any(|one| one.path == "instanceTypes[m].overhead[cpu]");
        assert_eq!(said, warned, "{overhead}");
    }
}

/// Replicas are called by numbers from 0: a set may not have a replica that is called as a pod that stays.
#[test]
fn replicas_may_not_be_called_as_other_pods() {
    let solver = Solver::new(&problem(of_type())).unwrap();
    let web = |replicas: u32| Pod::new("web").with_replicas(replicas);
    assert!(solver.what_if().with_pod(web(2)).is_ok(), "web-0 and web-1");
    assert!(solver.what_if().with_pod(web(3)).is_err(), "web-2 is there");
    let without = || solver.what_if().without_pod("default", "web-2").unwrap();
    assert!(without().with_pod(web(3)).is_ok());
    assert!(without().with_pod(web(4)).is_err(), "web-3 is there");
    // A pod that was added counts as one that was given.
    let added = || solver.what_if().with_pod(Pod::new("job-1")).unwrap();
    let job = |replicas: u32| Pod::new("job").with_replicas(replicas);
    let other = added().without_pod("default", "job").unwrap();
    assert!(other.clone().with_pod(job(1)).is_ok());
    assert!(other.with_pod(job(2)).is_err(), "job-1 is there");
}
