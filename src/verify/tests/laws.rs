//! Laws: a good plan that is changed is refused; and no plan, however strange, makes a panic.

use super::*;
use proptest::prelude::*;

/// Ten pods in pairs on small nodes.
fn good() -> (Problem, LaunchPlan) {
    let problem = market().pod(pod("web").with_replicas(10)).build().unwrap();
    let one = template(&problem, "main", SMALL, [("cpu", "1"), ("pods", "2")]);
    let (template, requests) = (Arc::new(one.template), Arc::new(one.requests));
    let name = |number: usize| format!("default/web-{number}").into();
    let launch = |at: usize| Launch {
        template: template.clone(),
        pods: vec![name(2 * at), name(2 * at + 1)],
        requests: requests.clone(),
    };
    let launches = (0..5).map(launch).collect();
    let plan = plan(launches);
    (problem, plan)
}

#[test]
fn the_good_plan_is_accepted() {
    let (problem, plan) = good();
    let verified = accepted(&problem, &plan);
    assert_eq!((verified.launches(), verified.pods_launched()), (5, 10));
}

/// One way to spoil a plan, chosen by numbers.
fn spoil(plan: &mut LaunchPlan, problem: &Problem, (how, at, other): (u8, usize, usize)) {
    let (at, other) = (at % 5, other % 4);
    let other = if other >= at { other + 1 } else { other };
    let launch = &mut plan.launches[at];
    match how {
        0 => _ = launch.pods.pop(),
        1 => {
            let pod = launch.pods[0].clone();
            launch.pods.push(pod);
        }
        2 => {
            let pod = launch.pods.remove(0);
            plan.launches[other].pods.push(pod);
        }
        3 => {
            let template = Arc::make_mut(&mut launch.template);
            template.offering.price = price("0.01");
            Arc::make_mut(&mut template.alternatives)[0].price = price("0.01");
        }
        4 => {
            let template = Arc::make_mut(&mut launch.template);
            template.offering = choice(problem, SMALL_B);
            template.alternatives = Arc::new(vec![choice(problem, SMALL_B)]);
        }
        5 => _ = plan.launches.remove(at),
        6 => {
            let launch = launch.clone();
            plan.launches.push(launch);
        }
        7 => plan.cost.total = Price::from_nanos(plan.cost.total.nanos() + 1),
        8 => launch.pods[1] = "default/web".into(),
        _ => {
            let pods = plan.launches.iter_mut().flat_map(|one| std::mem::take(&mut one.pods));
            plan.launches[0].pods = pods.collect();
        }
    }
}

proptest! {
    #[test]
    fn a_spoilt_plan_is_refused(how in 0_u8..10, at in 0_usize..5, other in 0_usize..4) {
        let (problem, mut plan) = good();
        spoil(&mut plan, &problem, (how, at, other));
        prop_assert!(verify(&problem, &plan).is_err());
    }

    #[test]
    fn no_plan_makes_a_panic(
        steps in prop::collection::vec((0_u8..10, 0_usize..5, 0_usize..4), 1..6),
        total in any::<i64>(),
        names in prop::collection::vec("[a-z0-9/-]{0,12}", 0..4),
    ) {
        let (problem, mut plan) = good();
        for step in steps {
            if plan.launches.len() >= 5 && plan.launches.iter().all(|one| one.pods.len() > 1) {
                spoil(&mut plan, &problem, step);
            }
        }
        plan.cost.total = Price::from_nanos(i128::from(total) << 60);
        for name in names {
            plan.bindings.push(Binding { pod: name.as_str().into(), node: name.as_str().into() });
            plan.launches[0].pods.push(name.into());
        }
        let _refused = verify(&problem, &plan).unwrap_err();
    }
}
