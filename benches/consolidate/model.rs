//! A running cluster as the emulated autoscalers see it, read from a problem's document.
//!
//! It knows what decides in the clusters that are compared: resources, labels, taints, spreads,
//! anti-affinity and preferences. Documents with pod affinity, host ports, volumes or reservations
//! aren't for it.

use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
pub(crate) const HOSTNAME: &str = "kubernetes.io/hostname";
pub(crate) const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
const NODE_POOL: &str = "karpenter.sh/nodepool";

pub(crate) type Labels = BTreeMap<String, String>;
/// Amounts in millionths of a unit.
pub(crate) type Amounts = BTreeMap<String, i128>;

/// A condition on a label.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    key: String,
    operator: String,
    values: Vec<String>,
}

/// A rule between pods over the domains of a label.
#[derive(Clone, Debug)]
pub(crate) struct Between {
    pub(crate) key: String,
    pub(crate) selector: Labels,
    pub(crate) max_skew: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) labels: Labels,
    pub(crate) requests: Amounts,
    pub(crate) required: Vec<Condition>,
    /// By weight, the highest first.
    pub(crate) preferred: Vec<(i64, Vec<Condition>)>,
    pub(crate) spreads: Vec<Between>,
    pub(crate) soft_spreads: Vec<Between>,
    pub(crate) apart: Vec<Between>,
    tolerations: Vec<Value>,
    /// Whether it is created anew elsewhere when its node goes.
    pub(crate) moves: bool,
    pub(crate) owner: Option<String>,
    pub(crate) held: bool,
    pub(crate) priority: i64,
    pub(crate) deletion_cost: i64,
    pub(crate) disruptions_allowed: Option<u64>,
    pub(crate) node: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) taints: Vec<Value>,
    pub(crate) allocatable: Amounts,
    pub(crate) price: Option<i128>,
    pub(crate) pool: Option<usize>,
    pub(crate) eligible: bool,
    pub(crate) initialized: bool,
    pub(crate) lifetime: f64,
    pub(crate) gone: bool,
}

/// A way to buy a node.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) pool: usize,
    pub(crate) instance_type: String,
    pub(crate) labels: Labels,
    /// What is left for pods, those of daemon sets taken off.
    pub(crate) free: Amounts,
    pub(crate) allocatable: Amounts,
    pub(crate) capacity: Amounts,
    pub(crate) price: i128,
}

#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) weight: i64,
    pub(crate) taints: Vec<Value>,
    pub(crate) limits: Amounts,
    pub(crate) empty_only: bool,
    budgets: Vec<Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) pods: Vec<Pod>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) offers: Vec<Offer>,
    pub(crate) pools: Vec<Pool>,
    /// Requests of the daemons that each node still has to run.
    daemons: Vec<Pod>,
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn labels(value: &Value) -> Labels {
    let map = value.as_object().into_iter().flatten();
    map.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// A quantity in millionths.
fn amount(value: &Value) -> i128 {
    let written = value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let digits = written.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale: i128 = match &written[digits.len()..] {
        "m" => 1_000,
        "k" => 1_000_000_000,
        "M" => 1_000_000_000_000,
        "G" => 1_000_000_000_000_000,
        "Ki" => 1_000_000 << 10,
        "Mi" => 1_000_000 << 20,
        "Gi" => 1_000_000 << 30,
        "Ti" => 1_000_000 << 40,
        _ => 1_000_000,
    };
    let number: f64 = digits.parse().expect("a quantity");
    (number * scale as f64).round() as i128
}

pub(crate) fn price(value: &Value) -> i128 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
    text.parse::<plimsoll::Price>().expect("a price").nanos()
}

fn amounts(value: &Value) -> Amounts {
    let map = value.as_object().into_iter().flatten();
    map.map(|(key, value)| (key.clone(), amount(value))).collect()
}

fn conditions(value: &Value) -> Vec<Condition> {
    let read = |one: &Value| Condition {
        key: text(&one["key"]),
        operator: text(&one["operator"]),
        values: list(one, "values").iter().map(text).collect(),
    };
    value.as_array().into_iter().flatten().map(read).collect()
}

impl Condition {
    /// Whether it holds of a node's labels.
    pub(crate) fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let bound = || self.values.first().and_then(|one| one.parse::<i64>().ok());
        let number = || value.and_then(|one| one.parse::<i64>().ok());
        match &*self.operator {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => number() > bound() && number().is_some(),
            "Lt" => number().is_some() && number() < bound(),
            other => panic!("operator {other}"),
        }
    }
}

impl Pod {
    fn read(value: &Value) -> Self {
        let affinity = &value["affinity"];
        let node = &affinity["nodeAffinity"];
        let mut required: Vec<Condition> = labels(&value["nodeSelector"])
            .into_iter()
            .map(|(key, value)| Condition { key, operator: "In".into(), values: vec![value] })
            .collect();
        let terms = &node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
        assert!(terms.as_array().is_none_or(|terms| terms.len() < 2), "alternative terms");
        required.extend(conditions(&terms[0]["matchExpressions"]));
        let mut preferred: Vec<(i64, Vec<Condition>)> =
            list(node, "preferredDuringSchedulingIgnoredDuringExecution")
                .iter()
                .map(|one| {
                    let conditions = conditions(&one["preference"]["matchExpressions"]);
                    (one["weight"].as_i64().unwrap_or(0), conditions)
                })
                .collect();
        preferred.sort_by_key(|(weight, _)| -weight);
        let between = |one: &Value| Between {
            key: text(&one["topologyKey"]),
            selector: labels(&one["labelSelector"]["matchLabels"]),
            max_skew: one["maxSkew"].as_i64().unwrap_or(1),
        };
        let spreads = list(value, "topologySpreadConstraints");
        let (hard, soft): (Vec<&Value>, Vec<&Value>) =
            spreads.iter().partition(|one| one["whenUnsatisfiable"] == "DoNotSchedule");
        let apart = &affinity["podAntiAffinity"];
        let mut requests = amounts(&value["requests"]);
        let _one = requests.insert("pods".into(), 1_000_000);
        let owner = value["ownerKind"].as_str().map(str::to_string);
        Self {
            name: text(&value["name"]),
            namespace: value["namespace"].as_str().unwrap_or("default").into(),
            labels: labels(&value["labels"]),
            requests,
            required,
            preferred,
            spreads: hard.into_iter().map(between).collect(),
            soft_spreads: soft.into_iter().map(between).collect(),
            apart: list(apart, "requiredDuringSchedulingIgnoredDuringExecution")
                .iter()
                .map(between)
                .collect(),
            tolerations: list(value, "tolerations").to_vec(),
            moves: !matches!(owner.as_deref(), Some("DaemonSet" | "Node")),
            owner,
            held: value["doNotDisrupt"] == true,
            priority: value["priority"].as_i64().unwrap_or(0),
            deletion_cost: value["deletionCost"].as_i64().unwrap_or(0),
            disruptions_allowed: None,
            node: None,
        }
    }

    pub(crate) fn tolerates(&self, taints: &[Value]) -> bool {
        taints.iter().filter(|taint| taint["effect"] != "PreferNoSchedule").all(|taint| {
            self.tolerations.iter().any(|one| {
                let same = |key: &str| one[key].as_str().is_none_or(|own| taint[key] == own);
                let equal = one["operator"] == "Exists"
                    || one["value"].as_str().unwrap_or("") == taint["value"].as_str().unwrap_or("");
                same("key") && same("effect") && equal
            })
        })
    }

    /// What Karpenter counts for its eviction.
    pub(crate) fn eviction_cost(&self) -> f64 {
        let raw =
            1.0 + self.deletion_cost as f64 / 134_217_728.0 + self.priority as f64 / 33_554_432.0;
        raw.clamp(-10.0, 10.0)
    }
}

impl Between {
    /// Whether it means a pod of the owner's namespace.
    pub(crate) fn means(&self, owner: &Pod, other: &Pod) -> bool {
        owner.namespace == other.namespace
            && self.selector.iter().all(|(key, value)| other.labels.get(key) == Some(value))
    }
}

impl Model {
    pub(crate) fn read(document: &Value) -> Self {
        let pools: Vec<Pool> = list(document, "nodePools")
            .iter()
            .map(|one| Pool {
                name: text(&one["name"]),
                weight: one["weight"].as_i64().unwrap_or(0),
                taints: list(one, "taints").to_vec(),
                limits: amounts(&one["limits"]),
                empty_only: one["disruption"]["consolidationPolicy"] == "WhenEmpty",
                budgets: match one["disruption"]["budgets"].as_array() {
                    Some(budgets) => budgets.clone(),
                    None => vec![serde_json::json!({ "nodes": "10%" })],
                },
            })
            .collect();
        let daemons: Vec<Pod> = list(document, "daemonSets").iter().map(Pod::read).collect();
        let offers = offers(document, &daemons);
        let nodes: Vec<Node> =
            list(document, "nodes").iter().map(|one| node(one, document, &pools)).collect();
        let budgets = list(document, "podDisruptionBudgets");
        let mut pods: Vec<Pod> = Vec::new();
        for value in list(document, "pods") {
            let mut pod = Pod::read(value);
            let of = |name: &str| nodes.iter().position(|node| node.name == name);
            pod.node = value["nodeName"].as_str().and_then(of);
            let own = budgets.iter().filter(|budget| {
                let namespace = budget["namespace"].as_str().unwrap_or("default");
                let selected = labels(&budget["selector"]["matchLabels"]);
                namespace == pod.namespace
                    && selected.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
            });
            pod.disruptions_allowed =
                own.filter_map(|budget| budget["disruptionsAllowed"].as_u64()).min();
            pods.push(pod);
        }
        Self { pods, nodes, offers, pools, daemons }
    }

    pub(crate) fn cost(&self) -> i128 {
        self.nodes.iter().filter(|node| !node.gone).filter_map(|node| node.price).sum()
    }

    pub(crate) fn standing(&self) -> usize {
        self.nodes.iter().filter(|node| !node.gone).count()
    }

    pub(crate) fn on(&self, node: usize) -> impl Iterator<Item = (usize, &Pod)> {
        self.pods.iter().enumerate().filter(move |(_, pod)| pod.node == Some(node))
    }

    /// What each node leaves to pods: its bound pods and the daemons it still has to run taken off.
    pub(crate) fn free(&self) -> Vec<Amounts> {
        let mut free: Vec<Amounts> =
            self.nodes.iter().map(|node| node.allocatable.clone()).collect();
        let mut running: Vec<Amounts> = vec![Amounts::new(); self.nodes.len()];
        for pod in &self.pods {
            let Some(node) = pod.node else { continue };
            take(&mut free[node], &pod.requests);
            if pod.owner.as_deref() == Some("DaemonSet") {
                take(&mut running[node], &pod.requests);
            }
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let mut missing = std::mem::take(&mut running[at]);
            for daemon in self.daemons.iter().filter(|daemon| {
                daemon.tolerates(&node.taints)
                    && daemon.required.iter().all(|one| one.holds(&node.labels))
            }) {
                for (name, amount) in &daemon.requests {
                    *missing.entry(name.clone()).or_insert(0) += amount;
                }
            }
            missing.retain(|_, amount| *amount > 0);
            take(&mut free[at], &missing);
        }
        free
    }

    /// How many nodes of a pool may be disrupted for a reason.
    pub(crate) fn budget(&self, pool: usize, reason: &str) -> u64 {
        let own = self.nodes.iter().filter(|node| !node.gone && node.pool == Some(pool));
        let total = own.filter(|node| node.initialized).count() as u64;
        let applies = |budget: &&Value| {
            let reasons = list(budget, "reasons");
            reasons.is_empty() || reasons.iter().any(|one| one == reason)
        };
        let allowed = |budget: &Value| {
            let nodes = text(&budget["nodes"]);
            match nodes.strip_suffix('%') {
                Some(share) => (share.parse::<u64>().expect("a share") * total).div_ceil(100),
                None => nodes.parse().expect("a number"),
            }
        };
        let budgets = self.pools[pool].budgets.iter().filter(applies);
        budgets.map(allowed).min().unwrap_or(u64::MAX)
    }
}

pub(crate) fn take(free: &mut Amounts, requests: &Amounts) {
    for (name, amount) in requests {
        *free.entry(name.clone()).or_insert(0) -= amount;
    }
}

pub(crate) fn fits(requests: &Amounts, free: &Amounts) -> bool {
    requests.iter().all(|(name, amount)| *amount <= free.get(name).copied().unwrap_or(0))
        && free.values().all(|left| *left >= 0)
}

fn offers(document: &Value, daemons: &[Pod]) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (pool, of_pool) in list(document, "nodePools").iter().enumerate() {
        let requirements = conditions(&of_pool["requirements"]);
        let listed = of_pool["instanceTypes"].as_array();
        for ty in list(document, "instanceTypes") {
            if listed.is_some_and(|names| !names.contains(&ty["name"])) {
                continue;
            }
            for offering in list(ty, "offerings").iter().filter(|one| one["available"] != false) {
                let mut own = labels(&of_pool["labels"]);
                own.extend(labels(&ty["labels"]));
                own.extend(labels(&offering["labels"]));
                for (key, value) in [
                    (NODE_POOL, &of_pool["name"]),
                    (INSTANCE_TYPE, &ty["name"]),
                    (ZONE, &offering["zone"]),
                    (CAPACITY_TYPE, &offering["capacityType"]),
                ] {
                    let _same = own.insert(key.into(), text(value));
                }
                if !requirements.iter().all(|one| one.holds(&own)) {
                    continue;
                }
                let capacity = amounts(&ty["capacity"]);
                let mut allocatable = capacity.clone();
                take(&mut allocatable, &amounts(&ty["overhead"]));
                let mut free = allocatable.clone();
                let taints = list(of_pool, "taints");
                for daemon in daemons {
                    if daemon.tolerates(taints) && daemon.required.iter().all(|one| one.holds(&own))
                    {
                        take(&mut free, &daemon.requests);
                    }
                }
                offers.push(Offer {
                    pool,
                    instance_type: text(&ty["name"]),
                    labels: own,
                    free,
                    allocatable,
                    capacity,
                    price: price(&offering["price"]),
                });
            }
        }
    }
    offers
}

fn node(value: &Value, document: &Value, pools: &[Pool]) -> Node {
    let mut own = labels(&value["labels"]);
    let name = text(&value["name"]);
    let _own = own.entry(HOSTNAME.into()).or_insert_with(|| name.clone());
    let of_type = |ty: &&Value| Some(&text(&ty["name"])) == own.get(INSTANCE_TYPE);
    let offerings = list(document, "instanceTypes").iter().filter(of_type);
    let fitting = offerings.flat_map(|ty| list(ty, "offerings")).filter(|offering| {
        Some(&text(&offering["zone"])) == own.get(ZONE)
            && Some(&text(&offering["capacityType"])) == own.get(CAPACITY_TYPE)
    });
    let known = fitting.map(|offering| price(&offering["price"])).min();
    let stated = (!value["price"].is_null()).then(|| price(&value["price"]));
    let initialized = value["initialized"] != false;
    let held = ["deleting", "nominated", "doNotDisrupt"].iter().any(|key| value[*key] == true);
    Node {
        pool: own.get(NODE_POOL).and_then(|name| pools.iter().position(|pool| pool.name == *name)),
        name,
        taints: list(value, "taints").to_vec(),
        allocatable: amounts(&value["allocatable"]),
        price: stated.or(known),
        eligible: initialized && !held && value["consolidatable"] != false,
        initialized,
        lifetime: value["lifetimeRemaining"].as_f64().unwrap_or(1.0),
        gone: false,
        labels: own,
    }
}
