//! Small random problems in which something is scarce and pods of several classes are tied
//! together.
//!
//! Every problem is made from one number, by plain draws, so that a number is all that a report
//! needs. Few kinds of pods with several replicas each keep the exhaustive search quick.

use super::{CAPACITY_TYPE, HOSTNAME, REQUIRED, ZONE};
use proptest::prelude::*;
use serde_json::{Value, json};

const ZONES: [&str; 3] = ["z1", "z2", "z3"];
const GPU: &str = "nvidia.com/gpu";
/// A label that a pool leaves open.
const TENANT: &str = "example.com/tenant";
const DRIVER: &str = "ebs";

/// A problem of at most so many pods.
pub(crate) fn problem(pods: u32) -> impl Strategy<Value = Value> {
    any::<u64>().prop_map(move |seed| made_from(seed, pods)).no_shrink()
}

/// Draws, one after another.
struct Draw(u64);

impl Draw {
    /// A number below another one.
    fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(most)).unwrap()
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    fn of<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(u32::try_from(values.len()).unwrap()) as usize]
    }

    /// From one number to another, both possible.
    fn between(&mut self, least: u32, most: u32) -> u32 {
        least + self.below(most - least + 1)
    }
}

/// What the supply's parts have to know of each other.
struct World {
    draw: Draw,
    /// Chances that hold for all of a problem, so that each is sometimes about little else.
    spread: u32,
    priorities: bool,
    tenants: bool,
    gpus: bool,
    zones: usize,
    nodes: usize,
}

/// The problem of a number.
pub(crate) fn made_from(seed: u64, most: u32) -> Value {
    let mut draw = Draw(seed);
    let mut world = World {
        spread: *draw.of(&[0, 40, 80]),
        priorities: draw.chance(30),
        tenants: draw.chance(12),
        gpus: draw.chance(25),
        zones: *draw.of(&[1, 2, 2, 3, 3, 3]),
        nodes: *draw.of(&[0, 0, 0, 1, 1, 2, 3]),
        draw,
    };
    let types: Vec<Value> = (0..world.draw.between(1, 3)).map(|at| world.machine(at)).collect();
    let pods = world.pending(most);
    let pools: Vec<Value> =
        (0..*world.draw.of(&[1, 1, 1, 2, 2, 3])).map(|at| world.pool(at, &types)).collect();
    let (nodes, bound) = world.running(&pods, &types, &pools);
    let mut problem = json!({
        "pods": pods.into_iter().chain(bound).collect::<Vec<_>>(),
        "instanceTypes": types,
        "nodePools": pools,
        "nodes": nodes,
    });
    if world.draw.chance(12) {
        problem["daemonSets"] = json!([{
            "name": "agent", "requests": { "cpu": "100m", "memory": "128Mi" },
            "tolerations": [{ "operator": "Exists" }],
        }]);
    }
    problem
}

/// Dollars from hundred-thousandths.
fn price(units: u32) -> Value {
    serde_json::from_str(&format!("{}.{:05}", units / 100_000, units % 100_000)).unwrap()
}

impl World {
    fn machine(&mut self, at: u32) -> Value {
        let (cpu, ratio) = (*self.draw.of(&[2_u32, 4, 4, 8, 16]), *self.draw.of(&[2_u32, 4, 8]));
        let gpu = self.gpus && self.draw.chance(50);
        let base = cpu * 2_000 + cpu * ratio * 350 + if gpu { 60_000 } else { 0 };
        let mut offerings = Vec::new();
        for zone in &ZONES[..self.zones] {
            let dearer = self.draw.between(90, 130);
            let mut sell = |capacity_type: &str, units: u32| {
                offerings.push(json!({
                    "zone": zone, "capacityType": capacity_type, "price": price(units),
                }));
            };
            if self.draw.chance(75) {
                sell("on-demand", base * dearer / 100);
            }
            if self.draw.chance(35) {
                sell("spot", base * dearer / self.draw.between(150, 400));
            }
            if self.draw.chance(15) {
                sell("reserved", *self.draw.of(&[0, 10, base / 3]));
                let remaining = self.draw.between(0, 2);
                let id = format!("cr-{at}-{zone}");
                offerings.last_mut().unwrap()["reservation"] =
                    json!({ "id": id, "remaining": remaining });
            } else if self.draw.chance(10) {
                offerings.last_mut().into_iter().for_each(|one| one["available"] = json!(false));
            }
        }
        if offerings.is_empty() {
            offerings.push(json!({
                "zone": ZONES[0], "capacityType": "on-demand", "price": price(base),
            }));
        }
        let mut machine = json!({
            "name": format!("t{at}"),
            "labels": { "example.com/size": format!("{cpu}") },
            "capacity": {
                "cpu": cpu, "memory": format!("{}Gi", cpu * ratio), "pods": self.draw.of(&[3, 8, 29, 58]),
            },
            "offerings": offerings,
        });
        if gpu {
            machine["capacity"][GPU] = json!(self.draw.of(&[1, 4, 8]));
        }
        if self.draw.chance(30) {
            machine["overhead"] = json!({ "cpu": "100m", "memory": "500Mi" });
        }
        machine
    }

    fn pool(&mut self, at: u32, types: &[Value]) -> Value {
        let mut pool = json!({ "name": format!("p{at}") });
        let mut requirements = Vec::new();
        if self.draw.chance(if at == 0 { 15 } else { 40 }) {
            let zones = &ZONES[..self.draw.between(1, 2) as usize];
            requirements.push(json!({ "key": ZONE, "operator": "In", "values": zones }));
        }
        if self.draw.chance(10) {
            requirements
                .push(json!({ "key": CAPACITY_TYPE, "operator": "In", "values": ["on-demand"] }));
        }
        if self.tenants && self.draw.chance(70) {
            requirements.push(
                self.draw
                    .of(&[
                        json!({ "key": TENANT, "operator": "Exists" }),
                        json!({ "key": TENANT, "operator": "In", "values": ["ant", "bee"] }),
                        json!({ "key": TENANT, "operator": "NotIn", "values": ["ant"] }),
                    ])
                    .clone(),
            );
        }
        if !requirements.is_empty() {
            pool["requirements"] = json!(requirements);
        }
        if at > 0 && self.draw.chance(25) {
            pool["taints"] = json!([{ "key": "team", "value": "ml", "effect": "NoSchedule" }]);
        }
        if types.len() > 1 && self.draw.chance(20) {
            pool["instanceTypes"] = json!([self.draw.of(types)["name"]]);
        }
        if at > 0 && self.draw.chance(20) {
            pool["replicas"] = json!(self.draw.between(1, 2));
            return pool;
        }
        if self.draw.chance(10) {
            pool["weight"] = json!(self.draw.of(&[10, 50]));
        }
        let limits = json!({});
        pool["limits"] = limits;
        for _ in 0..*self.draw.of(&[0, 0, 1, 1, 1, 2]) {
            let (name, limit) = self.limit();
            pool["limits"][name] = limit;
        }
        if pool["limits"] == json!({}) {
            pool.as_object_mut().unwrap().remove("limits");
        }
        pool
    }

    fn limit(&mut self) -> (&'static str, Value) {
        match self.draw.below(10) {
            0..4 => ("cpu", json!(self.draw.of(&[0, 3, 5, 7, 8, 12, 16, 20, 24, 33]))),
            4..7 => ("nodes", json!(self.draw.of(&[0, 1, 1, 2, 2, 3, 3, 4, 5]))),
            7..9 => ("memory", json!(self.draw.of(&["15Gi", "32Gi", "48Gi", "70Gi", "100Gi"]))),
            _ if self.gpus => (GPU, json!(self.draw.of(&[0, 1, 4, 8, 9]))),
            _ => ("pods", json!(self.draw.of(&[3, 8, 12, 32, 60]))),
        }
    }

    /// Pending pods: plain ones, a StatefulSet with a volume for each, or followers.
    fn pending(&mut self, most: u32) -> Vec<Value> {
        let mut pods = Vec::new();
        let mut left = self.draw.between(most.div_ceil(3), most);
        let mut at = 0;
        while left > 0 && at < 5 {
            let replicas = self.draw.between(1, 6).min(left);
            let mut pod = self.pod(at);
            if self.zones > 1 && replicas > 1 && self.draw.chance(12) {
                // A set whose volumes are in the zones by turns, as many classes as zones.
                let zones = u32::try_from(self.zones).unwrap();
                for turn in 0..zones.min(replicas) {
                    let mut own = pod.clone();
                    own["name"] = json!(format!("s{at}{}", ["a", "b", "c"][turn as usize]));
                    own["replicas"] = json!((replicas - turn).div_ceil(zones));
                    own["volumes"] = json!([{
                        "driver": DRIVER, "id": format!("v{at}-{turn}"), "zones": [ZONES[turn as usize]],
                    }]);
                    pods.push(own);
                }
                at += 2;
            } else {
                pod["replicas"] = json!(replicas);
                pods.push(pod);
            }
            left -= replicas;
            at += 1;
        }
        pods
    }

    fn pod(&mut self, at: u32) -> Value {
        let draw = &mut self.draw;
        let mut requests = json!({});
        let size = draw.below(3);
        if size != 0 {
            requests["cpu"] = json!(draw.of(&["100m", "500m", "900m", "1500m", "1900m", "3500m"]));
        }
        if size != 1 {
            requests["memory"] =
                json!(draw.of(&["128Mi", "512Mi", "1000Mi", "3500Mi", "7000Mi", "14000Mi"]));
        }
        if self.gpus && draw.chance(25) {
            requests[GPU] = json!(draw.of(&[1, 1, 2]));
        }
        let mut pod = json!({
            "name": format!("a{at}"),
            "labels": { "app": format!("a{at}"), "tier": draw.of(&["x", "y"]) },
            "requests": requests,
        });
        if self.priorities {
            pod["priority"] = json!(draw.of(&[-10, 0, 0, 100]));
        }
        if draw.chance(8) {
            pod["tolerations"] = json!([{ "key": "team", "operator": "Exists" }]);
        }
        if draw.chance(6) {
            pod["hostPorts"] = json!([{ "port": 80 }]);
        }
        if draw.chance(6) {
            let mut volume = json!({ "driver": DRIVER, "id": format!("w{at}") });
            if draw.chance(50) {
                volume["zones"] = json!([draw.of(&ZONES[..self.zones])]);
            }
            pod["volumes"] = json!([volume]);
        }
        match draw.below(100) {
            0..5 => pod["nodeSelector"] = json!({ ZONE: draw.of(&ZONES[..self.zones]) }),
            5..8 => pod["nodeSelector"] = json!({ CAPACITY_TYPE: draw.of(&["spot", "reserved"]) }),
            8..11 => pod["nodeSelector"] = json!({ "karpenter.sh/nodepool": "p0" }),
            11..15 => self.not_in_zone(&mut pod),
            _ => {}
        }
        if self.tenants && self.draw.chance(40) {
            let tenant = self.draw.of(&["ant", "bee", "cow"]);
            pod["nodeSelector"] = json!({ TENANT: tenant });
        }
        self.rules(&mut pod, at);
        pod
    }

    fn not_in_zone(&mut self, pod: &mut Value) {
        let zone = self.draw.of(&ZONES[..self.zones]);
        let term =
            json!({ "matchExpressions": [{ "key": ZONE, "operator": "NotIn", "values": [zone] }] });
        pod["affinity"] = json!({ "nodeAffinity": { REQUIRED: { "nodeSelectorTerms": [term] } } });
    }

    fn rules(&mut self, pod: &mut Value, at: u32) {
        let draw = &mut self.draw;
        let (own, tier) = (pod["labels"]["app"].clone(), pod["labels"]["tier"].clone());
        let mut spreads = Vec::new();
        for key in [ZONE, HOSTNAME, CAPACITY_TYPE, TENANT] {
            let times = match key {
                ZONE => 100,
                HOSTNAME => 35,
                TENANT if !self.tenants => 0,
                _ => 12,
            };
            if draw.chance(self.spread * times / 100) {
                let meant =
                    if draw.chance(30) { json!({ "tier": tier }) } else { json!({ "app": own }) };
                let mut spread = json!({
                    "topologyKey": key, "maxSkew": draw.of(&[1, 1, 1, 2, 3]),
                    "whenUnsatisfiable": "DoNotSchedule", "labelSelector": { "matchLabels": meant },
                });
                match draw.below(40) {
                    0 | 1 => spread["minDomains"] = json!(draw.of(&[2, 3])),
                    2 => spread["nodeTaintsPolicy"] = json!("Honor"),
                    3 => spread["nodeAffinityPolicy"] = json!("Ignore"),
                    _ => {}
                }
                spreads.push(spread);
            }
        }
        if !spreads.is_empty() {
            pod["topologySpreadConstraints"] = json!(spreads);
        }
        let mut require = |kind: &str, key: &str, meant: Value| {
            if pod["affinity"].is_null() {
                pod["affinity"] = json!({});
            }
            let term = json!({ "topologyKey": key, "labelSelector": { "matchLabels": meant } });
            pod["affinity"][kind] = json!({ REQUIRED: [term] });
        };
        let key = *draw.of(&[ZONE, HOSTNAME, HOSTNAME]);
        let other = json!({ "app": format!("a{}", draw.below(5)) });
        match draw.below(100) {
            0..10 => require("podAntiAffinity", key, json!({ "app": own })),
            10..14 => require("podAntiAffinity", key, json!({ "tier": tier })),
            14..18 => require("podAntiAffinity", key, other),
            18..23 if at > 0 => {
                require("podAffinity", key, json!({ "app": format!("a{}", draw.below(at)) }));
            }
            23..26 => require("podAffinity", key, json!({ "app": own })),
            26..28 => require("podAffinity", key, other),
            _ => {}
        }
    }

    /// Running nodes that are nearly full, some in a zone of their own, and what is bound to them.
    fn running(
        &mut self,
        pods: &[Value],
        types: &[Value],
        pools: &[Value],
    ) -> (Vec<Value>, Vec<Value>) {
        let (mut nodes, mut bound) = (Vec::new(), Vec::new());
        for at in 0..self.nodes {
            let name = format!("n{at}");
            let kind = self.draw.of(types).clone();
            let mut labels = json!({ "node.kubernetes.io/instance-type": kind["name"] });
            if self.draw.chance(92) {
                let own = self.draw.chance(8);
                let zone = if own { &"z9" } else { self.draw.of(&ZONES[..self.zones]) };
                labels[ZONE] = json!(zone);
                labels[CAPACITY_TYPE] = json!("on-demand");
            }
            if self.draw.chance(75) {
                labels["karpenter.sh/nodepool"] = self.draw.of(pools)["name"].clone();
            }
            if self.tenants && self.draw.chance(50) {
                labels[TENANT] = json!(self.draw.of(&["ant", "bee"]));
            }
            let mut node = json!({
                "name": name, "labels": labels, "allocatable": kind["capacity"].clone(),
            });
            if self.draw.chance(15) {
                node["volumeLimits"] = json!({ DRIVER: self.draw.of(&[0, 1]) });
            }
            if self.draw.chance(6) {
                node["deleting"] = json!(true);
            }
            if self.draw.chance(6) {
                node["taints"] = json!([{ "key": "team", "value": "ml", "effect": "NoSchedule" }]);
            }
            nodes.push(node);
            // What fills it up; room for little is left.
            let cpu = u32::try_from(kind["capacity"]["cpu"].as_u64().unwrap()).unwrap() * 1_000;
            let free = *self.draw.of(&[0, 500, 1_000, 2_000, 4_000]);
            let mut filler = json!({
                "name": format!("b{at}"), "nodeName": name, "ownerKind": "ReplicaSet",
                "labels": { "app": "old", "tier": "x" },
                "requests": { "cpu": format!("{}m", cpu.saturating_sub(free)) },
            });
            if self.draw.chance(40) {
                // One that is counted with pending ones.
                filler["labels"] = self.draw.of(pods)["labels"].clone();
            }
            if self.draw.chance(5) {
                let meant = json!({ "matchLabels": { "tier": "y" } });
                let term = json!({ "topologyKey": HOSTNAME, "labelSelector": meant });
                filler["affinity"] = json!({ "podAntiAffinity": { REQUIRED: [term] } });
            }
            bound.push(filler);
        }
        (nodes, bound)
    }
}
