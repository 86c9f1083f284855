//! Random instance types, pools and running nodes.

use super::{CAPACITY_TYPE, INSTANCE_TYPE, NODE_POOL, ZONE, labels, pick, put, sometimes};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ZONES: [&str; 2] = ["a", "b"];

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cpu: u32,
    memory: u32,
    pods: u32,
    gpu: bool,
    family: Option<&'static str>,
    generation: Option<u32>,
    tenancy: bool,
    overhead: bool,
    offerings: Vec<Sale>,
}

#[derive(Clone, Debug)]
struct Sale {
    zone: usize,
    /// On demand, spot, or one of two reservations.
    kind: u32,
    /// Cents for a CPU.
    price: u32,
    available: bool,
    remaining: u32,
}

pub(crate) fn machine() -> impl Strategy<Value = Machine> {
    let kind = prop_oneof![9 => Just(0_u32), 6 => Just(1), 1 => Just(2), 1 => Just(3)];
    let sale = (0..2_usize, kind, 2..=12_u32, prop::bool::weighted(0.85), 0..=2_u32).prop_map(
        |(zone, kind, price, available, remaining)| Sale {
            zone,
            kind,
            price,
            available,
            remaining,
        },
    );
    let size = (pick(&[1_u32, 2, 4, 8]), pick(&[1_u32, 2, 4]), pick(&[2_u32, 3, 110, 110]));
    let labels = (sometimes(60, pick(&["m", "r"])), sometimes(60, pick(&[4_u32, 6])));
    let rest = (prop::bool::weighted(0.2), prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    (size, labels, rest, prop::collection::vec(sale, 1..=3)).prop_map(
        |((cpu, ratio, pods), (family, generation), (gpu, tenancy, overhead), offerings)| Machine {
            cpu,
            memory: cpu * ratio,
            pods,
            gpu,
            family,
            generation,
            tenancy,
            overhead,
            offerings,
        },
    )
}

impl Machine {
    pub(crate) fn document(&self, index: usize) -> Value {
        let mut offerings = BTreeMap::new();
        for sale in &self.offerings {
            let cents = sale.price * self.cpu + if self.gpu { 30 } else { 0 };
            let (capacity_type, price) = match sale.kind {
                0 => ("on-demand", format!("0.{cents:03}")),
                1 => ("spot", format!("0.{:03}", cents / 3)),
                _ => ("reserved", format!("0.0000{}", sale.price)),
            };
            let price: Value = serde_json::from_str(&price).unwrap();
            let mut offering = json!({
                "zone": ZONES[sale.zone], "capacityType": capacity_type, "price": price,
            });
            put(&mut offering, "available", (!sale.available).then_some(Value::Bool(false)));
            let reservation =
                json!({ "id": format!("r{}", sale.kind), "remaining": sale.remaining });
            put(&mut offering, "reservation", (sale.kind >= 2).then_some(reservation));
            offerings.insert((sale.zone, sale.kind), offering);
        }
        let mut machine = json!({
            "name": format!("t{index}"),
            "labels": labels([
                ("example.com/family", self.family.map(str::to_string)),
                ("example.com/generation", self.generation.map(|g| g.to_string())),
            ]),
            "capacity": {
                "cpu": self.cpu, "memory": format!("{}Gi", self.memory), "pods": self.pods,
            },
            "offerings": offerings.into_values().collect::<Vec<_>>(),
        });
        if self.gpu {
            machine["capacity"]["nvidia.com/gpu"] = json!(1);
        }
        put(
            &mut machine,
            "overhead",
            self.overhead.then(|| json!({"cpu": "80m", "memory": "100Mi"})),
        );
        let tenancy = json!([{
            "key": "example.com/tenancy", "operator": "In", "values": ["default", "dedicated"],
        }]);
        put(&mut machine, "requirements", self.tenancy.then_some(tenancy));
        machine
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Pool {
    weight: Option<u32>,
    team: Option<&'static str>,
    taint: Option<u32>,
    startup: bool,
    requirement: Option<u32>,
    types: Option<Vec<usize>>,
    limit: Option<(u32, u32)>,
}

pub(crate) fn pool() -> impl Strategy<Value = Pool> {
    let scarce = (
        sometimes(30, prop::collection::vec(0..4_usize, 1..=3)),
        sometimes(25, (0..4_u32, 1..=3_u32)),
    );
    let first = (sometimes(30, pick(&[10_u32, 20])), sometimes(25, pick(&["red", "blue"])));
    let taints = (sometimes(20, 0..3_u32), prop::bool::weighted(0.2));
    (first, taints, sometimes(40, 0..9_u32), scarce).prop_map(
        |((weight, team), (taint, startup), requirement, (types, limit))| Pool {
            weight,
            team,
            taint,
            startup,
            requirement,
            types,
            limit,
        },
    )
}

const TAINTS: [(&str, &str, &str); 3] = [
    ("dedicated", "batch", "NoSchedule"),
    ("dedicated", "batch", "NoExecute"),
    ("dedicated", "web", "PreferNoSchedule"),
];

fn taint(index: u32) -> Value {
    let (key, value, effect) = TAINTS[index as usize % TAINTS.len()];
    json!({ "key": key, "value": value, "effect": effect })
}

impl Pool {
    pub(crate) fn document(&self, index: usize, types: usize) -> Value {
        let mut pool = json!({
            "name": format!("p{index}"),
            "labels": labels([("team", self.team.map(str::to_string))]),
        });
        put(&mut pool, "weight", self.weight.map(|w| json!(w)));
        put(&mut pool, "taints", self.taint.map(|t| json!([taint(t)])));
        let startup = json!([{ "key": "example.com/starting", "effect": "NoSchedule" }]);
        put(&mut pool, "startupTaints", self.startup.then_some(startup));
        put(&mut pool, "requirements", self.requirement.map(|r| json!([requirement(r)])));
        let names = self.types.as_ref().map(|list| {
            let mut names: Vec<String> = list.iter().map(|t| format!("t{}", t % types)).collect();
            names.sort();
            names.dedup();
            json!(names)
        });
        put(&mut pool, "instanceTypes", names);
        // Each limit leaves room for two running nodes of the largest kind.
        let limits = self.limit.map(|(resource, amount)| match resource {
            0 => json!({ "cpu": 16 + 2 * amount }),
            1 => json!({ "nodes": 2 + amount - 1 }),
            2 => json!({ "memory": format!("{}Gi", 64 + 4 * amount) }),
            _ => json!({ "cpu": 20, "nvidia.com/gpu": 2 }),
        });
        put(&mut pool, "limits", limits);
        pool
    }
}

fn requirement(index: u32) -> Value {
    let key = |name: &str| format!("example.com/{name}");
    match index {
        0 => json!({ "key": CAPACITY_TYPE, "operator": "In", "values": ["on-demand"] }),
        1 => json!({ "key": CAPACITY_TYPE, "operator": "NotIn", "values": ["on-demand"] }),
        2 => json!({ "key": key("family"), "operator": "In", "values": ["m"] }),
        3 => json!({ "key": key("generation"), "operator": "Gt", "values": ["4"] }),
        4 => json!({ "key": key("tier"), "operator": "In", "values": ["gold", "silver"] }),
        5 => json!({ "key": key("tier"), "operator": "Exists" }),
        6 => json!({ "key": ZONE, "operator": "In", "values": ["a"] }),
        7 => json!({ "key": INSTANCE_TYPE, "operator": "Exists", "minValues": 2 }),
        _ => json!({ "key": key("generation"), "operator": "Lte", "values": ["5"] }),
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Running {
    cpu: u32,
    labels: (bool, bool, Option<usize>, Option<usize>),
    taint: Option<u32>,
    initialized: bool,
    deleting: bool,
    volumes: Option<u32>,
}

pub(crate) fn running() -> impl Strategy<Value = Running> {
    let labels =
        (any::<bool>(), any::<bool>(), sometimes(60, 0..3_usize), sometimes(50, 0..4_usize));
    let state = (prop::bool::weighted(0.75), prop::bool::weighted(0.1));
    (1..=4_u32, labels, sometimes(35, 0..5_u32), state, sometimes(30, 0..=2_u32)).prop_map(
        |(cpu, labels, taint, (initialized, deleting), volumes)| Running {
            cpu,
            labels,
            taint,
            initialized,
            deleting,
            volumes,
        },
    )
}

impl Running {
    pub(crate) fn document(&self, index: usize, (types, pools): (usize, usize)) -> Value {
        let (zone, old_key, pool, ty) = self.labels;
        let key = if old_key { "failure-domain.beta.kubernetes.io/zone" } else { ZONE };
        let mut node = json!({
            "name": format!("n{index}"),
            "labels": labels([
                (key, zone.then(|| ZONES[index % 2].to_string())),
                (CAPACITY_TYPE, zone.then(|| "on-demand".to_string())),
                (NODE_POOL, pool.map(|p| format!("p{}", p % pools))),
                (INSTANCE_TYPE, ty.map(|t| format!("t{}", t % types))),
            ]),
            "allocatable": { "cpu": self.cpu, "memory": format!("{}Gi", 4 * self.cpu), "pods": 5 },
        });
        let standing = self.taint.map(|t| match t {
            0..3 => taint(t),
            3 => json!({ "key": "example.com/starting", "effect": "NoSchedule" }),
            _ => json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoExecute" }),
        });
        put(&mut node, "taints", standing.map(|t| json!([t])));
        put(&mut node, "initialized", (!self.initialized).then_some(Value::Bool(false)));
        put(&mut node, "deleting", self.deleting.then_some(Value::Bool(true)));
        put(&mut node, "volumeLimits", self.volumes.map(|v| json!({ "csi": v + 2 })));
        node
    }
}
