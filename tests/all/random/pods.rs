//! Random pods: pending, bound to nodes, and of daemon sets.

use super::{
    CAPACITY_TYPE, HOSTNAME, INSTANCE_TYPE, NODE_POOL, REQUIRED, ZONE, pick, put, sometimes,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const APPS: [&str; 3] = ["x", "y", "z"];
const CPU: [&str; 8] = ["0", "100m", "500m", "700m", "1", "1500m", "2", "3"];
const MEMORY: [&str; 4] = ["0", "300Mi", "1Gi", "3Gi"];

#[derive(Clone, Debug)]
pub(crate) struct PendingPod {
    pub(crate) replicas: u8,
    size: (usize, usize, bool),
    huge: bool,
    app: usize,
    priority: Option<i32>,
    select: Option<(u32, usize)>,
    terms: Option<(u32, u32)>,
    toleration: Option<u32>,
    apart: Option<(usize, bool)>,
    port: Option<u32>,
    volume: Option<(u32, u32)>,
}

pub(crate) fn pending() -> impl Strategy<Value = PendingPod> {
    let size = (0..CPU.len(), 0..MEMORY.len(), prop::bool::weighted(0.08));
    let kind = (1..=3_u8, size, prop::bool::weighted(0.03), 0..APPS.len());
    let where_to = (
        sometimes(35, (0..11_u32, 0..12_usize)),
        sometimes(20, (0..8_u32, 0..8_u32)),
        sometimes(35, 0..4_u32),
    );
    let company = (
        sometimes(15, (0..APPS.len(), any::<bool>())),
        sometimes(12, 0..4_u32),
        sometimes(15, (0..3_u32, 0..4_u32)),
    );
    (kind, where_to, company, sometimes(25, pick(&[-10, 5, 100]))).prop_map(
        |(kind, (select, terms, toleration), (apart, port, volume), priority)| PendingPod {
            replicas: kind.0,
            size: kind.1,
            huge: kind.2,
            app: kind.3,
            priority,
            select,
            terms,
            toleration,
            apart,
            port,
            volume,
        },
    )
}

impl PendingPod {
    pub(crate) fn document(
        &self,
        index: usize,
        replicas: usize,
        types: usize,
        pools: usize,
        nodes: usize,
    ) -> Value {
        let (cpu, memory, gpu) = self.size;
        let mut pod = json!({
            "name": format!("a{index}"),
            "replicas": replicas,
            "labels": { "app": APPS[self.app] },
            "requests": { "cpu": if self.huge { "50" } else { CPU[cpu] }, "memory": MEMORY[memory] },
        });
        if gpu {
            pod["requests"]["nvidia.com/gpu"] = json!(1);
        }
        let selector = self.select.map(|(kind, n)| match kind {
            0 => json!({ ZONE: (["a", "b"][n % 2]) }),
            1 => json!({ CAPACITY_TYPE: (["on-demand", "spot", "reserved"][n % 3]) }),
            2 => json!({ INSTANCE_TYPE: format!("t{}", n % types) }),
            3 | 8..=10 => json!({ NODE_POOL: format!("p{}", n % pools) }),
            4 => json!({ "team": (["red", "blue"][n % 2]) }),
            5 => json!({ "example.com/tier": (["gold", "silver", "tin"][n % 3]) }),
            6 => json!({ "example.com/tenancy": (["default", "dedicated"][n % 2]) }),
            _ => json!({ HOSTNAME: format!("n{}", n % nodes.max(1)) }),
        });
        put(&mut pod, "nodeSelector", selector);
        let mut affinity = json!({});
        let terms = self.terms.map(
            |(one, other)| json!({ REQUIRED: { "nodeSelectorTerms": [term(one), term(other)] } }),
        );
        put(&mut affinity, "nodeAffinity", terms);
        let apart = self.apart.map(|(app, own)| {
            let app = APPS[if own { self.app } else { app }];
            let selector = json!({ "matchLabels": { "app": app } });
            json!({ REQUIRED: [{ "topologyKey": HOSTNAME, "labelSelector": selector }] })
        });
        put(&mut affinity, "podAntiAffinity", apart);
        put(&mut pod, "affinity", Some(affinity));
        put(&mut pod, "tolerations", self.toleration.map(|t| json!([toleration(t)])));
        put(&mut pod, "hostPorts", self.port.map(|p| json!([port(p)])));
        put(&mut pod, "volumes", self.volume.map(|v| json!([volume(v)])));
        put(&mut pod, "priority", self.priority.map(|p| json!(p)));
        pod
    }
}

fn term(kind: u32) -> Value {
    let expression = |key: &str, operator: &str, values: &[&str]| json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] });
    match kind {
        0 => expression(ZONE, "In", &["a"]),
        1 => expression("failure-domain.beta.kubernetes.io/zone", "NotIn", &["a"]),
        2 => expression("example.com/family", "In", &["m", "q"]),
        3 => expression("example.com/family", "NotIn", &["m"]),
        4 => expression("example.com/generation", "Gt", &["4"]),
        5 => expression("example.com/generation", "Lt", &["5"]),
        6 => json!({ "matchExpressions": [{ "key": "example.com/family", "operator": "Exists" }] }),
        _ => json!({ "matchExpressions": [
            { "key": "example.com/generation", "operator": "DoesNotExist" },
            { "key": CAPACITY_TYPE, "operator": "In", "values": ["spot", "on-demand"] },
        ] }),
    }
}

fn toleration(kind: u32) -> Value {
    match kind {
        0 => json!({ "operator": "Exists" }),
        1 => json!({ "key": "dedicated", "operator": "Exists" }),
        2 => json!({ "key": "dedicated", "value": "batch", "effect": "NoSchedule" }),
        _ => json!({ "key": "dedicated", "operator": "Equal", "value": "web" }),
    }
}

fn port(kind: u32) -> Value {
    match kind {
        0 | 1 => json!({ "port": 80 }),
        2 => json!({ "port": 80, "protocol": "UDP" }),
        _ => json!({ "port": 80, "hostIP": "10.0.0.1" }),
    }
}

fn volume((id, zones): (u32, u32)) -> Value {
    let zones: &[&str] = match zones {
        0 => &["a"],
        1 => &["b"],
        2 => &["a", "b"],
        _ => &[],
    };
    json!({ "driver": "csi", "id": format!("v{id}"), "zones": zones })
}

#[derive(Clone, Debug)]
pub(crate) struct RunningPod {
    node: usize,
    cpu: usize,
    app: usize,
    daemon: bool,
    apart: Option<usize>,
    port: Option<u32>,
    volume: Option<u32>,
}

pub(crate) fn running() -> impl Strategy<Value = RunningPod> {
    let company = (sometimes(20, 0..APPS.len()), sometimes(20, 0..4_u32), sometimes(30, 0..5_u32));
    (0..4_usize, 0..3_usize, 0..APPS.len(), prop::bool::weighted(0.3), company).prop_map(
        |(node, cpu, app, daemon, (apart, port, volume))| RunningPod {
            node,
            cpu,
            app,
            daemon,
            apart,
            port,
            volume,
        },
    )
}

impl RunningPod {
    pub(crate) fn document(&self, index: usize, nodes: usize) -> Value {
        let mut pod = json!({
            "name": format!("b{index}"),
            "labels": { "app": APPS[self.app] },
            "requests": { "cpu": CPU[self.cpu] },
            "nodeName": format!("n{}", self.node % nodes),
            "ownerKind": if self.daemon { "DaemonSet" } else { "ReplicaSet" },
        });
        let apart = self.apart.map(|app| {
            let selector = json!({ "matchLabels": { "app": APPS[app] } });
            let terms = json!([{ "topologyKey": HOSTNAME, "labelSelector": selector }]);
            json!({ "podAntiAffinity": { REQUIRED: terms } })
        });
        put(&mut pod, "affinity", apart);
        put(&mut pod, "hostPorts", self.port.map(|p| json!([port(p)])));
        put(&mut pod, "volumes", self.volume.map(|v| json!([volume((v, 3))])));
        pod
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    cpu: usize,
    select: Option<u32>,
    tolerates: bool,
    port: bool,
}

pub(crate) fn daemon() -> impl Strategy<Value = Daemon> {
    let rules = (sometimes(50, 0..8_u32), any::<bool>(), prop::bool::weighted(0.2));
    (0..3_usize, rules).prop_map(|(cpu, (select, tolerates, port))| Daemon {
        cpu,
        select,
        tolerates,
        port,
    })
}

impl Daemon {
    pub(crate) fn document(&self, index: usize, ports: bool) -> Value {
        let mut daemon =
            json!({ "name": format!("d{index}"), "requests": { "cpu": CPU[self.cpu] } });
        let affinity = self.select.map(
            |kind| json!({ "nodeAffinity": { REQUIRED: { "nodeSelectorTerms": [term(kind)] } } }),
        );
        put(&mut daemon, "affinity", affinity);
        put(&mut daemon, "tolerations", self.tolerates.then(|| json!([toleration(0)])));
        let port = (self.port && ports).then(|| json!([port(u32::try_from(index).unwrap() * 2)]));
        put(&mut daemon, "hostPorts", port);
        daemon
    }
}
