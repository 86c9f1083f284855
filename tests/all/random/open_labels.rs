//! Small random problems over labels that pools leave open: requirements with every operator, pods
//! that ask for, wish for and count over the same few keys.
//!
//! Values are few, so that they meet; among them are those that a solver may be tempted to invent.

use super::{CAPACITY_TYPE, HOSTNAME, REQUIRED, ZONE, pick, put, sometimes};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Two labels with names for values, and one with numbers.
pub(crate) const KEYS: [&str; 3] =
    ["example.com/line", "example.com/rack", "example.com/generation"];
const NAMES: [&str; 6] = ["a", "b", "c", "other", "other-1", "r1"];
const APPS: [&str; 3] = ["x", "y", "z"];
/// At most so many pods are pending.
const PENDING: usize = 8;
pub(crate) const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// A problem document.
pub(crate) fn problem() -> impl Strategy<Value = Value> {
    let supply = (
        prop::collection::vec(machine(), 1..=2),
        prop::collection::vec(pool(), 1..=2),
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(node(), 1..=2)],
    );
    let demand = (
        prop::collection::vec((pod(), 1..=3_usize), 1..=4),
        prop_oneof![2 => Just(None), 1 => pick(&APPS).prop_map(Some)],
        sometimes(20, term()),
    );
    (supply, demand).prop_map(|((machines, pools, nodes), (pending, bound, daemon))| {
        let mut left = PENDING;
        let mut pods = Vec::new();
        for (at, (mut pod, replicas)) in pending.into_iter().enumerate() {
            let replicas = replicas.min(left);
            left -= replicas;
            pod["name"] = json!(format!("p{at}"));
            pod["replicas"] = json!(replicas);
            pods.extend((replicas > 0).then_some(pod));
        }
        if let Some(app) = bound.filter(|_| !nodes.is_empty()) {
            pods.push(json!({
                "name": "bound", "nodeName": "n0", "labels": { "app": app },
                "requests": { "cpu": "250m" },
            }));
        }
        let daemon = daemon.map(|term| {
            let required = json!({ REQUIRED: { "nodeSelectorTerms": [term] } });
            json!([{
                "name": "agent", "requests": { "cpu": "100m" },
                "affinity": { "nodeAffinity": required },
            }])
        });
        let mut problem = json!({
            "pods": pods,
            "instanceTypes": named("t", machines),
            "nodePools": named("pool", pools),
            "nodes": named("n", nodes),
        });
        put(&mut problem, "daemonSets", daemon);
        problem
    })
}

fn named(prefix: &str, list: Vec<Value>) -> Vec<Value> {
    let name = |(at, mut one): (usize, Value)| {
        one["name"] = json!(format!("{prefix}{at}"));
        one
    };
    list.into_iter().enumerate().map(name).collect()
}

/// A key and a value of it.
fn label() -> impl Strategy<Value = (&'static str, String)> {
    (0..KEYS.len(), pick(&NAMES), 1..=6_u32).prop_map(|(at, name, number)| {
        let value = if at == 2 { number.to_string() } else { name.to_string() };
        (KEYS[at], value)
    })
}

/// A requirement; `any_operator` says whether the operators are allowed that pools alone know.
fn requirement(any_operator: bool) -> impl Strategy<Value = Value> {
    let operators: &[&str] =
        &["In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"];
    let operator = pick(if any_operator { operators } else { &operators[..7] });
    let values = prop::collection::btree_set(label(), 1..=3);
    (operator, values, 0..=7_u32).prop_map(|(operator, values, bound)| {
        let key = values.first().map_or(KEYS[0], |(key, _)| *key);
        let values: Vec<String> =
            values.into_iter().filter(|(of, _)| *of == key).map(|(_, value)| value).collect();
        match operator {
            "In" | "NotIn" => json!({ "key": key, "operator": operator, "values": values }),
            "Exists" | "DoesNotExist" => json!({ "key": key, "operator": operator }),
            _ => json!({ "key": key, "operator": operator, "values": [bound.to_string()] }),
        }
    })
}

fn term() -> impl Strategy<Value = Value> {
    prop::collection::vec(requirement(false), 1..=2)
        .prop_map(|expressions| json!({ "matchExpressions": expressions }))
}

fn machine() -> impl Strategy<Value = Value> {
    let offering = (prop::bool::weighted(0.7), 1..=3_u32, sometimes(10, pick(&["r1", "r2"])));
    let own = (sometimes(15, label()), sometimes(15, requirement(true)));
    (pick(&[2_u32, 4, 8]), pick(&[2_u32, 110]), prop::collection::vec(offering, 2), own).prop_map(
        |(cpu, pods, sales, (label, requirement))| {
            let mut offerings = Vec::new();
            for (zone, (sold, tenths, rack)) in ["a", "b"].into_iter().zip(sales) {
                let mut offering = json!({
                    "zone": zone, "capacityType": "on-demand", "available": sold,
                    "price": f64::from(tenths) / 10.0,
                });
                put(&mut offering, "labels", rack.map(|rack| json!({ KEYS[1]: rack })));
                offerings.push(offering);
            }
            let mut machine = json!({
                "capacity": { "cpu": cpu, "memory": "64Gi", "pods": pods }, "offerings": offerings,
            });
            let requirement = requirement.filter(|_| label.is_none());
            put(&mut machine, "labels", label.map(|(key, value)| json!({ key: value })));
            put(&mut machine, "requirements", requirement.map(|one| json!([one])));
            machine
        },
    )
}

fn pool() -> impl Strategy<Value = Value> {
    let requirements = prop::collection::vec(requirement(true), 1..=3);
    let taint = sometimes(25, pick(&["NoSchedule", "PreferNoSchedule"]));
    let rest =
        (sometimes(20, 1..=3_u32), sometimes(20, 1..=3_u32), sometimes(10, pick(&["a", "b"])));
    (requirements, sometimes(25, label()), taint, rest).prop_map(
        |(mut requirements, label, taint, (nodes, weight, zone))| {
            let zone = zone.map(|zone| json!({ "key": ZONE, "operator": "In", "values": [zone] }));
            requirements.extend(zone);
            let mut pool = json!({ "requirements": requirements });
            put(&mut pool, "labels", label.map(|(key, value)| json!({ key: value })));
            put(&mut pool, "taints", taint.map(|effect| json!([{ "key": "k", "effect": effect }])));
            put(&mut pool, "limits", nodes.map(|nodes| json!({ "nodes": nodes })));
            put(&mut pool, "weight", weight.map(|weight| json!(weight)));
            pool
        },
    )
}

fn node() -> impl Strategy<Value = Value> {
    (label(), pick(&["a", "b"]), 1..=2_u32).prop_map(|((key, value), zone, cpu)| {
        json!({
            "labels": { key: value, ZONE: zone },
            "allocatable": { "cpu": cpu, "memory": "64Gi", "pods": 5 },
        })
    })
}

fn topology_key() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        3 => pick(&KEYS), 1 => Just(ZONE), 1 => Just(HOSTNAME), 1 => Just(CAPACITY_TYPE),
    ]
}

fn pod() -> impl Strategy<Value = Value> {
    let looks = (pick(&["1", "1", "2", "3"]), pick(&APPS), prop::bool::weighted(0.2));
    let nodes = (
        sometimes(25, label()),
        sometimes(35, prop::collection::vec(term(), 1..=2)),
        sometimes(35, (1..=9_u32, term())),
    );
    let between = (
        prop::collection::vec(sometimes(20, (topology_key(), pick(&APPS))), 4),
        sometimes(40, prop::collection::vec(spread(), 1..=2)),
    );
    (looks, nodes, between).prop_map(
        |((cpu, app, tolerates), (selected, required, preferred), (terms, spreads))| {
            let mut pod = json!({ "requests": { "cpu": cpu }, "labels": { "app": app } });
            put(&mut pod, "nodeSelector", selected.map(|(key, value)| json!({ key: value })));
            let toleration = json!([{ "key": "k", "operator": "Exists" }]);
            put(&mut pod, "tolerations", tolerates.then_some(toleration));
            let mut node = json!({});
            put(&mut node, REQUIRED, required.map(|terms| json!({ "nodeSelectorTerms": terms })));
            let wish =
                preferred.map(|(weight, term)| json!([{ "weight": weight, "preference": term }]));
            put(&mut node, PREFERRED, wish);
            let mut affinity = json!({ "nodeAffinity": node });
            for (path, pair) in ["podAffinity", "podAntiAffinity"].into_iter().zip(terms.chunks(2))
            {
                let term = |term: &Option<(&'static str, &'static str)>| {
                    term.map(|(key, app)| {
                        let selector = json!({ "matchLabels": { "app": app } });
                        json!({ "topologyKey": key, "labelSelector": selector })
                    })
                };
                let mut rules = json!({});
                put(&mut rules, REQUIRED, term(&pair[0]).map(|term| json!([term])));
                let wish =
                    term(&pair[1]).map(|term| json!([{ "weight": 5, "podAffinityTerm": term }]));
                put(&mut rules, PREFERRED, wish);
                affinity[path] = rules;
            }
            pod["affinity"] = affinity;
            let spreads = spreads.map(|mut spreads| {
                spreads.dedup_by_key(|one| one["topologyKey"].clone());
                json!(spreads)
            });
            put(&mut pod, "topologySpreadConstraints", spreads);
            pod
        },
    )
}

fn spread() -> impl Strategy<Value = Value> {
    let hard = prop::bool::weighted(0.7);
    (topology_key(), pick(&APPS), hard, 1..=2_u32, 0..20_u32).prop_map(
        |(key, app, hard, skew, rare)| {
            let mut spread = json!({
                "topologyKey": key, "maxSkew": skew,
                "whenUnsatisfiable": if hard { "DoNotSchedule" } else { "ScheduleAnyway" },
                "labelSelector": { "matchLabels": { "app": app } },
            });
            match rare {
                0..3 if hard => spread["minDomains"] = json!(rare + 1),
                3..6 => spread["nodeAffinityPolicy"] = json!("Ignore"),
                6..9 => spread["nodeTaintsPolicy"] = json!("Honor"),
                _ => {}
            }
            spread
        },
    )
}
