//! Running clusters made from seeds: nodes of few types with pods of few apps, and every rule that
//! a consolidation heeds, each now and then.
//!
//! Pods are bound at random to nodes on which they fit and which they may use; spreads are looked
//! at no further than that, so that some are uneven from the start.

use plimsoll_testdata::SplitMix64;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const ZONE: &str = "topology.kubernetes.io/zone";
const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
const NODE_POOL: &str = "karpenter.sh/nodepool";
const HOSTNAME: &str = "kubernetes.io/hostname";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// How large clusters are, and what they have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) nodes: u64,
    pub(super) apps: u64,
    /// Only what the exhaustive search knows: no preferences, nothing that holds pods or nodes but
    /// the mark on a node, no pending pods, no budgets.
    pub(super) plain: bool,
}

impl Spec {
    pub(super) const SMALL: Self = Self { nodes: 6, apps: 5, plain: false };
    pub(super) const MIDDLE: Self = Self { nodes: 40, apps: 25, plain: false };
    pub(super) const TINY: Self = Self { nodes: 4, apps: 4, plain: true };
}

struct Maker {
    random: SplitMix64,
    spec: Spec,
    zones: u64,
}

struct Host {
    document: Value,
    name: String,
    cpu: i64,
    memory: i64,
    zone: String,
    capacity_type: String,
    tainted: bool,
    apps: BTreeSet<String>,
    port: bool,
    volumes: usize,
}

/// The document of a cluster.
pub(super) fn cluster(seed: u64, spec: Spec) -> Value {
    let mut random = SplitMix64::new(seed);
    let zones = 1 + random.below(3);
    Maker { random, spec, zones }.cluster()
}

impl Maker {
    /// True so many times in a hundred.
    fn is(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }

    /// The same, for what plain clusters don't have.
    fn odd(&mut self, percent: u64) -> bool {
        !self.spec.plain && self.is(percent)
    }

    fn pick<T: Clone>(&mut self, values: &[T]) -> T {
        let at = self.random.below(values.len() as u64);
        values[usize::try_from(at).unwrap()].clone()
    }

    fn zone(&mut self) -> String {
        let at = usize::try_from(self.random.below(self.zones)).unwrap();
        ["a", "b", "c"][at].into()
    }

    fn cluster(&mut self) -> Value {
        let types = self.types();
        let pools = self.pools();
        let mut hosts: Vec<Host> = (0..self.spec.nodes.min(2 + self.random.below(self.spec.nodes)))
            .map(|at| self.host(at, &types, &pools))
            .collect();
        let mut pods = Vec::new();
        let mut budgets = Vec::new();
        for app in 0..1 + self.random.below(self.spec.apps) {
            let app = format!("app{app}");
            let template = self.pod(&app);
            let replicas = 1 + self.random.below(4);
            for replica in 0..replicas {
                pods.extend(self.bind(&template, &app, replica, &mut hosts));
            }
            if self.odd(25) {
                let allowed = self.random.below(3);
                budgets.push(json!({
                    "name": app, "selector": { "matchLabels": { "app": app } },
                    "disruptionsAllowed": allowed,
                }));
            }
        }
        let daemons = if self.is(30) {
            for host in &hosts {
                if self.random.below(10) < 9 {
                    pods.push(json!({
                        "name": format!("agent-{}", host.name), "nodeName": host.name,
                        "requests": { "cpu": "50m" }, "ownerKind": "DaemonSet",
                        "tolerations": [{ "operator": "Exists" }],
                    }));
                }
            }
            json!([{ "name": "agent", "requests": { "cpu": "50m" },
                "tolerations": [{ "operator": "Exists" }] }])
        } else {
            json!([])
        };
        let nodes: Vec<Value> = hosts.into_iter().map(|host| host.document).collect();
        json!({
            "pods": pods, "instanceTypes": types, "nodePools": pools, "nodes": nodes,
            "podDisruptionBudgets": budgets, "daemonSets": daemons,
        })
    }

    fn types(&mut self) -> Vec<Value> {
        let reserved = self.odd(20);
        let mut types = Vec::new();
        for (at, cpu) in [2_u64, 4, 8, 16].into_iter().enumerate() {
            if at > 1 && self.is(40) {
                continue;
            }
            let memory = cpu * self.pick(&[2, 4, 8]);
            // Thousandths of a dollar.
            let price = cpu * (40 + self.random.below(20)) + memory * 2;
            let mut offerings = Vec::new();
            for zone in ["a", "b", "c"].into_iter().take(usize::try_from(self.zones).unwrap()) {
                let mut sell = |capacity_type: &str, price: u64, available: bool| {
                    offerings.push(json!({
                        "zone": zone, "capacityType": capacity_type, "available": available,
                        "price": format!("0.{price:04}").parse::<f64>().unwrap(),
                    }));
                };
                let sold_out = self.random.below(10) == 0;
                sell("on-demand", price, !sold_out);
                if self.random.below(2) == 0 {
                    sell("spot", price * 2 / 5, self.random.below(5) > 0);
                }
            }
            if reserved && at == 1 {
                offerings.push(json!({
                    "zone": "a", "capacityType": "reserved", "price": 0.001,
                    "reservation": { "id": "held", "remaining": self.random.below(2) },
                }));
            }
            let mut ty = json!({
                "name": format!("t{cpu}"),
                "capacity": { "cpu": cpu, "memory": format!("{memory}Gi"), "pods": 20 },
                "offerings": offerings,
            });
            if self.is(40) {
                ty["overhead"] = json!({ "cpu": "100m" });
            }
            if self.is(40) {
                ty["volumeLimits"] = json!({ "disk": 2 });
            }
            types.push(ty);
        }
        types
    }

    fn pools(&mut self) -> Vec<Value> {
        let count = 1 + self.random.below(2);
        (0..count)
            .map(|at| {
                let mut disruption = json!({ "budgets": [{ "nodes": "100%" }] });
                if self.odd(40) {
                    let nodes = self.pick(&["1", "2", "50%", "20%", "0"]);
                    let mut budget = json!({ "nodes": nodes });
                    if self.is(40) {
                        let reason = self.pick(&["Empty", "Underutilized", "Drifted"]);
                        budget["reasons"] = json!([reason]);
                    } else if self.is(30) {
                        budget["schedule"] = json!("0 9 * * mon-fri");
                        budget["duration"] = json!("8h");
                    }
                    disruption["budgets"] = json!([budget, { "nodes": "5" }]);
                }
                if self.odd(25) {
                    let policy = self.pick(&["WhenEmpty", "Balanced", "Balanced"]);
                    disruption["consolidationPolicy"] = json!(policy);
                }
                if self.odd(5) {
                    disruption["consolidateAfter"] = json!("Never");
                }
                let mut pool = json!({ "name": format!("pool{at}"), "disruption": disruption });
                if at > 0 && self.is(30) {
                    pool["taints"] =
                        json!([{ "key": "team", "value": "x", "effect": "NoSchedule" }]);
                }
                if self.is(25) {
                    pool["weight"] = json!(10 * self.random.below(3));
                }
                if self.is(20) {
                    pool["limits"] = json!({ "nodes": 2 + self.random.below(4) });
                }
                if self.is(20) {
                    pool["requirements"] = json!([
                        { "key": CAPACITY_TYPE, "operator": "In", "values": ["on-demand"] }
                    ]);
                }
                if self.odd(15) {
                    pool["terminationGracePeriod"] = json!("1h");
                }
                if self.odd(6) {
                    pool["replicas"] = json!(self.spec.nodes);
                    pool.as_object_mut().unwrap().remove("weight");
                    pool.as_object_mut().unwrap().remove("limits");
                }
                pool
            })
            .collect()
    }

    fn host(&mut self, at: u64, types: &[Value], pools: &[Value]) -> Host {
        let ty = self.pick(types);
        let pool = self.pick(pools);
        let offering = self.pick(ty["offerings"].as_array().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let (zone, capacity_type) = (text(&offering["zone"]), text(&offering["capacityType"]));
        let cpu = i64::try_from(ty["capacity"]["cpu"].as_u64().unwrap()).unwrap() * 1000
            - if ty["overhead"].is_null() { 0 } else { 100 };
        let memory: i64 = text(&ty["capacity"]["memory"]).trim_end_matches("Gi").parse().unwrap();
        let name = format!("n{at:02}");
        let unknown = self.odd(4);
        let of_type = if unknown { json!("retired") } else { ty["name"].clone() };
        let mut node = json!({
            "name": name,
            "labels": {
                INSTANCE_TYPE: of_type, NODE_POOL: pool["name"], ZONE: zone,
                CAPACITY_TYPE: capacity_type,
            },
            "allocatable": { "cpu": format!("{cpu}m"), "memory": format!("{memory}Gi"), "pods": 20 },
        });
        for key in ["taints", "volumeLimits"] {
            let from = if key == "taints" { &pool } else { &ty };
            if !from[key].is_null() {
                node[key] = from[key].clone();
            }
        }
        if self.is(8) {
            node["doNotDisrupt"] = json!(true);
        }
        for (key, value, percent) in [
            ("initialized", json!(false), 4),
            ("consolidatable", json!(false), 8),
            ("deleting", json!(true), 4),
            ("nominated", json!(true), 4),
            ("drifted", json!(true), 10),
            ("lifetimeRemaining", json!(0), 4),
        ] {
            if self.odd(percent) {
                node[key] = value;
            }
        }
        let tainted = !pool["taints"].is_null();
        let (apps, port, volumes) = (BTreeSet::new(), false, 0);
        Host {
            document: node,
            name,
            cpu,
            memory,
            zone,
            capacity_type,
            tainted,
            apps,
            port,
            volumes,
        }
    }

    /// A pod of an app, without a name or a node.
    fn pod(&mut self, app: &str) -> Value {
        let cpu = self.pick(&[100, 250, 500, 900, 1500, 3000]);
        let memory = self.pick(&[1, 1, 2, 4]);
        let mut pod = json!({
            "labels": { "app": app }, "ownerKind": "ReplicaSet",
            "requests": { "cpu": format!("{cpu}m"), "memory": format!("{memory}Gi") },
        });
        let own = json!({ "matchLabels": { "app": app } });
        if self.is(20) {
            let key = if self.is(60) { ZONE } else { HOSTNAME };
            let hard = self.spec.plain || self.is(70);
            let mut spread = json!({
                "maxSkew": 1 + self.random.below(2), "topologyKey": key, "labelSelector": own,
                "whenUnsatisfiable": if hard { "DoNotSchedule" } else { "ScheduleAnyway" },
            });
            if self.is(30) {
                spread["nodeTaintsPolicy"] = json!("Honor");
            }
            if hard && self.is(10) {
                spread["minDomains"] = json!(2);
            }
            pod["topologySpreadConstraints"] = json!([spread]);
        }
        let mut affinity = Map::new();
        if self.is(12) {
            let term = json!({ "topologyKey": HOSTNAME, "labelSelector": own });
            affinity.insert("podAntiAffinity".into(), json!({ REQUIRED: [term] }));
        } else if self.odd(8) {
            let term = json!({ "topologyKey": HOSTNAME, "labelSelector": own });
            let preferred = json!([{ "weight": 10, "podAffinityTerm": term }]);
            affinity.insert("podAntiAffinity".into(), json!({ PREFERRED: preferred }));
        } else if self.is(6) {
            let term = json!({ "topologyKey": ZONE, "labelSelector": own });
            affinity.insert("podAffinity".into(), json!({ REQUIRED: [term] }));
        }
        if self.odd(10) {
            let spot = json!({ "key": CAPACITY_TYPE, "operator": "In", "values": ["spot"] });
            let preferred = json!([{ "weight": 5, "preference": { "matchExpressions": [spot] } }]);
            affinity.insert("nodeAffinity".into(), json!({ PREFERRED: preferred }));
        }
        if !affinity.is_empty() {
            pod["affinity"] = Value::Object(affinity);
        }
        if self.is(10) {
            pod["nodeSelector"] = json!({ ZONE: self.zone() });
        } else if self.is(5) {
            pod["nodeSelector"] = json!({ CAPACITY_TYPE: "on-demand" });
        }
        if self.is(25) {
            pod["tolerations"] = json!([{ "key": "team", "operator": "Exists" }]);
        }
        if self.is(5) {
            pod["hostPorts"] = json!([{ "port": 8080 }]);
        }
        if self.odd(8) {
            pod["priority"] = json!(self.pick(&[-10, 1000, 1_000_000_000]));
        }
        if self.odd(8) {
            pod["deletionCost"] = json!(self.pick(&[-2_147_483_647_i64, 100, 134_217_728]));
        }
        if self.is(8) {
            pod["recreatedRequests"] =
                json!({ "cpu": format!("{}m", cpu * 3 / 2), "memory": format!("{memory}Gi") });
        }
        if self.odd(4) {
            pod["doNotDisrupt"] = json!(true);
        }
        if self.odd(4) {
            pod.as_object_mut().unwrap().remove("ownerKind");
        }
        pod
    }

    /// One pod of an app, on some node that takes it; pending where none does, or now and then.
    fn bind(
        &mut self,
        template: &Value,
        app: &str,
        replica: u64,
        hosts: &mut [Host],
    ) -> Option<Value> {
        let mut pod = template.clone();
        pod["name"] = json!(format!("{app}-{replica}"));
        let amount = |key: &str, suffix: &str| -> i64 {
            pod["requests"][key].as_str().unwrap().trim_end_matches(suffix).parse().unwrap()
        };
        let (cpu, memory) = (amount("cpu", "m"), amount("memory", "Gi"));
        let mounts = self.is(6);
        if self.odd(4) {
            return Some(pod);
        }
        let is_apart = !template["affinity"]["podAntiAffinity"][REQUIRED].is_null();
        let has_port = !template["hostPorts"].is_null();
        let tolerates = !template["tolerations"].is_null();
        let asks = |key: &str, value: &str| {
            template["nodeSelector"][key].as_str().is_none_or(|asked| asked == value)
        };
        let suited = |host: &&mut Host| {
            host.cpu >= cpu
                && host.memory >= memory
                && (tolerates || !host.tainted)
                && asks(ZONE, &host.zone)
                && asks(CAPACITY_TYPE, &host.capacity_type)
                && !(is_apart && host.apps.contains(app))
                && !(has_port && host.port)
                && !(mounts && host.volumes > 1)
        };
        let mut suited: Vec<&mut Host> = hosts.iter_mut().filter(suited).collect();
        if suited.is_empty() {
            return None;
        }
        let at = usize::try_from(self.random.below(suited.len() as u64)).unwrap();
        let host = &mut *suited[at];
        host.cpu -= cpu;
        host.memory -= memory;
        host.port |= has_port;
        host.apps.insert(app.into());
        if mounts {
            host.volumes += 1;
            pod["volumes"] = json!([{
                "driver": "disk", "id": format!("{app}-{replica}"), "zones": [host.zone],
            }]);
        }
        pod["nodeName"] = json!(host.name);
        Some(pod)
    }
}
