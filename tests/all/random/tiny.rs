//! Tiny random problems in which rules between pods decide: few pods, few nodes, two or three
//! zones.
//!
//! Most rules can be kept, and prices differ between zones, so that it matters how.

use super::{CAPACITY_TYPE, HOSTNAME, REQUIRED, ZONE, pick, put, sometimes};
use proptest::prelude::*;
use serde_json::{Value, json};

const APPS: [&str; 2] = ["x", "y"];
const ZONES: [&str; 3] = ["a", "b", "c"];
const FAMILY: &str = "example.com/family";
/// A label of pools.
const RACK: &str = "example.com/rack";
/// At most so many pods are pending.
const PENDING: usize = 6;

/// A problem document.
pub(crate) fn problem() -> impl Strategy<Value = Value> {
    let supply = (
        prop::collection::vec(machine(), 1..=3),
        prop::collection::vec(pool(), 1..=2),
        prop_oneof![1 => Just(Vec::new()), 2 => prop::collection::vec(node(), 1..=2)],
    );
    let demand = (
        prop::collection::vec((pod(), 1..=3_usize), 1..=3),
        prop::collection::vec((bound(), 0..2_usize), 0..=3),
    );
    (supply, demand).prop_map(|((machines, pools, nodes), (pending, bound))| {
        let mut left = PENDING;
        let mut pods = Vec::new();
        for (mut pod, replicas) in named("p", pending) {
            let replicas = replicas.min(left);
            left -= replicas;
            pod["replicas"] = json!(replicas);
            pods.extend((replicas > 0).then_some(pod));
        }
        for (mut pod, node) in named("b", bound).into_iter().filter(|_| !nodes.is_empty()) {
            pod["nodeName"] = json!(format!("n{}", node % nodes.len()));
            pods.push(pod);
        }
        let plain = |list: Vec<Value>| list.into_iter().map(|one| (one, ())).collect();
        let list = |prefix: &str, list: Vec<Value>| -> Vec<Value> {
            named(prefix, plain(list)).into_iter().map(|(one, ())| one).collect()
        };
        json!({
            "pods": pods,
            "instanceTypes": list("t", machines),
            "nodePools": list("pool", pools),
            "nodes": list("n", nodes),
            "namespaces": [
                { "name": "default", "labels": { "tier": "front" } },
                { "name": "other", "labels": { "tier": "back" } },
            ],
        })
    })
}

/// The list with a name on each, the prefix and its number.
fn named<T>(prefix: &str, list: Vec<(Value, T)>) -> Vec<(Value, T)> {
    let name = |(at, (mut one, rest)): (usize, (Value, T))| {
        one["name"] = json!(format!("{prefix}{at}"));
        (one, rest)
    };
    list.into_iter().enumerate().map(name).collect()
}

fn machine() -> impl Strategy<Value = Value> {
    // In each zone: cents for a CPU, whether it's sold, whether spot is too.
    let sale = (5..=9_u32, prop::bool::weighted(0.8), prop::bool::weighted(0.3));
    let sales = prop::collection::vec(sale, 2..=3);
    (pick(&[2_u32, 2, 4]), sometimes(60, pick(&["m", "r"])), sales).prop_map(
        |(cpu, family, sales)| {
            let mut offerings = Vec::new();
            for (zone, (cents, sold, spot)) in ZONES.iter().zip(sales) {
                let mut sell = |capacity_type: &str, cents: u32| {
                    let price = f64::from(cents) / 100.0;
                    offerings.push(json!({
                        "zone": zone, "capacityType": capacity_type, "price": price, "available": sold,
                    }));
                };
                sell("on-demand", cents * cpu);
                if spot {
                    sell("spot", cents * cpu / 2);
                }
            }
            let mut machine = json!({
                "capacity": { "cpu": cpu, "memory": "64Gi", "pods": 110 },
                "offerings": offerings,
            });
            put(&mut machine, "labels", family.map(|family| json!({ FAMILY: family })));
            machine
        },
    )
}

fn pool() -> impl Strategy<Value = Value> {
    let zones: &[&[&str]] = &[&["a"], &["a", "b"], &["b", "c"]];
    let first = (sometimes(30, prop::sample::select(zones)), sometimes(40, pick(&["1", "2"])));
    let rest = (sometimes(15, 1..=3_u32), sometimes(15, pick(&[10_u32, 20])));
    (first, prop::bool::weighted(0.1), rest).prop_map(
        |((zones, rack), tainted, (limit, weight))| {
            let mut pool = json!({ "name": "" });
            let zones =
                zones.map(|zones| json!([{ "key": ZONE, "operator": "In", "values": zones }]));
            put(&mut pool, "requirements", zones);
            put(&mut pool, "labels", rack.map(|rack| json!({ RACK: rack })));
            put(&mut pool, "taints", tainted.then(|| json!([taint()])));
            put(&mut pool, "limits", limit.map(|nodes| json!({ "nodes": nodes })));
            put(&mut pool, "weight", weight.map(|weight| json!(weight)));
            pool
        },
    )
}

fn taint() -> Value {
    json!({ "key": "dedicated", "value": "db", "effect": "NoSchedule" })
}

fn node() -> impl Strategy<Value = Value> {
    let labels = (sometimes(85, pick(&ZONES)), sometimes(40, pick(&["1", "2"])));
    let state = (prop::bool::weighted(0.15), prop::bool::weighted(0.1));
    (0..=3_u32, labels, state).prop_map(|(cpu, (zone, rack), (tainted, deleting))| {
        let mut node = json!({
            "labels": super::labels([
                (ZONE, zone.map(str::to_string)),
                (CAPACITY_TYPE, zone.map(|_| "on-demand".to_string())),
                (RACK, rack.map(str::to_string)),
            ]),
            "allocatable": { "cpu": cpu, "memory": "64Gi", "pods": 110 },
        });
        put(&mut node, "taints", tainted.then(|| json!([taint()])));
        put(&mut node, "deleting", deleting.then_some(Value::Bool(true)));
        node
    })
}

fn pod() -> impl Strategy<Value = Value> {
    let looks = (pick(&["500m", "1", "1500m", "2"]), labels(), space());
    let rules = prop::collection::vec(rule(), 1..=2);
    let nodes = (sometimes(10, pick(&ZONES)), prop::bool::weighted(0.3));
    (looks, rules, nodes, sometimes(10, 1..=2_u32)).prop_map(
        |((cpu, labels, space), rules, (zone, tolerates), priority)| {
            let mut pod = json!({
                "requests": { "cpu": cpu }, "labels": labels, "namespace": space,
            });
            put(&mut pod, "nodeSelector", zone.map(|zone| json!({ ZONE: zone })));
            let toleration = json!({ "key": "dedicated", "operator": "Exists" });
            put(&mut pod, "tolerations", tolerates.then(|| json!([toleration])));
            put(&mut pod, "priority", priority.map(|priority| json!(priority)));
            rules.into_iter().for_each(|rule| rule.add_to(&mut pod));
            pod
        },
    )
}

fn bound() -> impl Strategy<Value = Value> {
    (labels(), space(), sometimes(20, rule())).prop_map(|(labels, space, rule)| {
        let mut pod = json!({
            "requests": { "cpu": "250m" }, "labels": labels, "namespace": space,
        });
        // Of a bound pod's rules its anti-affinity alone still binds others.
        if let Some(rule) = rule {
            Rule { kind: Kind::Far, ..rule }.add_to(&mut pod);
        }
        pod
    })
}

fn labels() -> impl Strategy<Value = Value> {
    (pick(&APPS), sometimes(50, pick(&["1", "2"]))).prop_map(|(app, revision)| {
        super::labels([("app", Some(app.to_string())), ("rev", revision.map(str::to_string))])
    })
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("default"), 1 => Just("other")]
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Spread,
    Near,
    Far,
}

#[derive(Clone, Debug)]
struct Rule {
    kind: Kind,
    key: &'static str,
    /// The app that it means; the pod's own where there is none.
    app: Option<&'static str>,
    skew: u32,
    /// Chooses among what is rarely said.
    rare: u32,
}

fn rule() -> impl Strategy<Value = Rule> {
    let kind = prop_oneof![4 => Just(Kind::Spread), 2 => Just(Kind::Near), 2 => Just(Kind::Far)];
    let key = prop_oneof![
        6 => Just(ZONE), 3 => Just(HOSTNAME), 1 => Just(CAPACITY_TYPE), 1 => Just(FAMILY), 1 => Just(RACK),
    ];
    (kind, key, sometimes(30, pick(&APPS)), 1..=2_u32, 0..60_u32)
        .prop_map(|(kind, key, app, skew, rare)| Rule { kind, key, app, skew, rare })
}

impl Rule {
    fn add_to(self, pod: &mut Value) {
        let own = pod["labels"]["app"].as_str().unwrap().to_string();
        let app = self.app.map_or(own, str::to_string);
        let mut rule = json!({
            "topologyKey": self.key, "labelSelector": { "matchLabels": { "app": app } },
        });
        if self.rare < 5 {
            rule["matchLabelKeys"] = json!(["rev"]);
        }
        let path = match self.kind {
            Kind::Spread => return self.spread(pod, rule),
            Kind::Near => "podAffinity",
            Kind::Far => "podAntiAffinity",
        };
        match self.rare {
            5..9 => rule["mismatchLabelKeys"] = json!(["rev"]),
            9..12 => rule["namespaces"] = json!(["other"]),
            12..15 => rule["namespaceSelector"] = json!({}),
            15..17 => rule["namespaceSelector"] = json!({ "matchLabels": { "tier": "front" } }),
            _ => {}
        }
        if pod["affinity"].is_null() {
            pod["affinity"] = json!({});
        }
        if pod["affinity"][path].is_null() {
            pod["affinity"][path] = json!({ REQUIRED: [] });
        }
        pod["affinity"][path][REQUIRED].as_array_mut().unwrap().push(rule);
    }

    fn spread(&self, pod: &mut Value, mut rule: Value) {
        rule["maxSkew"] = json!(self.skew);
        rule["whenUnsatisfiable"] = json!("DoNotSchedule");
        match self.rare {
            5..10 => rule["nodeAffinityPolicy"] = json!("Ignore"),
            10..15 => rule["nodeTaintsPolicy"] = json!("Honor"),
            15..20 => rule["minDomains"] = json!(2),
            20 => rule["minDomains"] = json!(3),
            _ => {}
        }
        let all = &mut pod["topologySpreadConstraints"];
        if all.is_null() {
            *all = json!([]);
        }
        // Kubernetes allows one constraint for each key and kind.
        let list = all.as_array_mut().unwrap();
        if list.iter().all(|one| one["topologyKey"] != rule["topologyKey"]) {
            list.push(rule);
        }
    }
}
