//! Who is placed where a limit admits some of about a thousand pods: a higher limit places no
//! fewer.

use crate::random;
use plimsoll::{LaunchPlan, Options, Problem, provision, verify};
use serde_json::{Value, json};

/// A plan that was verified.
fn planned(problem: &Value) -> LaunchPlan {
    let read = Problem::from_json(&problem.to_string()).unwrap();
    let plan = provision(&read, &Options::default()).unwrap();
    let _verified = verify(&read, &plan).unwrap();
    plan
}

/// Forty services of about a thousand pods, spread over zones, of which a limit admits some.
fn composed(seed: u64, limit: u64) -> Value {
    let mut state = seed;
    let mut draw = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut pods = Vec::new();
    for at in 0..40 {
        let app = format!("s{at}");
        let (cpu, ratio) = (100 * (1 + draw(20)), 1 + draw(8));
        let mut pod = json!({
            "name": app, "replicas": 1 + draw(50), "labels": { "app": app },
            "requests": { "cpu": format!("{cpu}m"), "memory": format!("{}Mi", cpu * ratio) },
        });
        if draw(3) == 0 {
            pod["topologySpreadConstraints"] = json!([{
                "topologyKey": random::ZONE, "maxSkew": 1 + draw(2),
                "whenUnsatisfiable": "DoNotSchedule", "labelSelector": { "matchLabels": { "app": app } },
            }]);
        }
        pods.push(pod);
    }
    let mut types = Vec::new();
    for cpu in [2, 4, 8, 16] {
        for ratio in [2, 4, 8] {
            let offerings = ["z1", "z2", "z3"].map(|zone| {
                let price = (cpu * 20 + cpu * ratio * 3) * (95 + draw(11)) / 100;
                json!({ "zone": zone, "capacityType": "on-demand", "price": price })
            });
            types.push(json!({
                "name": format!("t{cpu}x{ratio}"), "offerings": offerings,
                "capacity": { "cpu": cpu, "memory": format!("{}Gi", cpu * ratio), "pods": 58 },
            }));
        }
    }
    let pool = json!({ "name": "main", "limits": { "cpu": limit } });
    json!({ "pods": pods, "instanceTypes": types, "nodePools": [pool], "nodes": [] })
}

/// Where a limit is raised no fewer of a thousand pods are placed, but for one in a thousand.
#[test]
fn a_higher_limit_places_no_fewer_of_a_thousand_pods() {
    for seed in [1, 2] {
        let mut most = 0;
        for limit in [200, 216, 260, 340] {
            let problem = composed(seed, limit);
            let plan = planned(&problem);
            let placed: usize = plan.launches().iter().map(|launch| launch.pods().len()).sum();
            let all = placed + plan.unschedulable().len();
            println!("seed {seed}, limit {limit}: {placed} of {all}");
            assert!(placed + all.div_ceil(1000) >= most, "{placed} placed, {most} before");
            most = most.max(placed);
        }
    }
}
