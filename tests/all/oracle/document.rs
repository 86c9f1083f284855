//! The problem document as the oracle reads it: plain strings and integers, replicas written out.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Amounts = BTreeMap<String, i64>;
pub(crate) type Labels = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Requirement {
    pub(crate) key: String,
    pub(crate) operator: String,
    pub(crate) values: Vec<String>,
    pub(crate) min_values: usize,
}

/// One alternative of a required node affinity: expressions on labels, conditions on the name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Term {
    pub(crate) expressions: Vec<Requirement>,
    pub(crate) fields: Vec<Requirement>,
}

/// A required term of affinity or anti-affinity between pods, as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PodTerm {
    pub(crate) key: String,
    pub(crate) selector: Value,
    pub(crate) namespaces: Vec<String>,
    pub(crate) namespace_selector: Value,
    pub(crate) match_keys: Vec<String>,
    pub(crate) mismatch_keys: Vec<String>,
}

/// A topology spread constraint that must be kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) key: String,
    pub(crate) max_skew: usize,
    pub(crate) min_domains: usize,
    pub(crate) selector: Value,
    pub(crate) match_keys: Vec<String>,
    /// Whether nodes that the pod's node selector and affinity refuse count for nothing.
    pub(crate) honour_affinity: bool,
    /// Whether nodes whose taints the pod doesn't tolerate count for nothing.
    pub(crate) honour_taints: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pod {
    pub(crate) id: String,
    pub(crate) namespace: String,
    pub(crate) labels: Labels,
    pub(crate) requests: Amounts,
    pub(crate) selector: Labels,
    pub(crate) terms: Option<Vec<Term>>,
    pub(crate) near: Vec<PodTerm>,
    pub(crate) apart: Vec<PodTerm>,
    pub(crate) spreads: Vec<Spread>,
    /// Whether it has spreads over other domains than nodes, or preferences of any kind: these may
    /// draw it to any pool.
    pub(crate) drawn: bool,
    pub(crate) tolerations: Vec<Value>,
    pub(crate) ports: Vec<(u64, String, String)>,
    pub(crate) volumes: Vec<(String, String, Vec<String>)>,
    /// For each volume that has any, the terms of which one must hold.
    pub(crate) volume_terms: Vec<Vec<Term>>,
    pub(crate) priority: i64,
    pub(crate) node: Option<String>,
    pub(crate) daemon: bool,
}

#[derive(Debug)]
pub(crate) struct Offering {
    pub(crate) zone: String,
    pub(crate) capacity_type: String,
    pub(crate) price: i128,
    pub(crate) available: bool,
    pub(crate) labels: Labels,
    pub(crate) reservation: Option<(String, i64)>,
}

#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) capacity: Amounts,
    pub(crate) allocatable: Amounts,
    pub(crate) offerings: Vec<Offering>,
    pub(crate) volume_limits: BTreeMap<String, usize>,
}

#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) weight: i64,
    pub(crate) labels: Labels,
    pub(crate) taints: Vec<Value>,
    pub(crate) startup: Vec<Value>,
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) types: Option<Vec<String>>,
    pub(crate) limits: Amounts,
    /// How many nodes a static pool has.
    pub(crate) replicas: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) taints: Vec<Value>,
    pub(crate) allocatable: Amounts,
    pub(crate) initialized: bool,
    pub(crate) deleting: bool,
    pub(crate) volume_limits: BTreeMap<String, usize>,
}

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) pending: Vec<Pod>,
    pub(crate) bound: Vec<Pod>,
    pub(crate) daemons: Vec<Pod>,
    pub(crate) types: Vec<Type>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) namespaces: BTreeMap<String, Labels>,
}

pub(crate) const HOSTNAME: &str = "kubernetes.io/hostname";

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, or: &str) -> String {
    value.as_str().unwrap_or(or).to_string()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(|v| text(v, "")).collect()
}

/// The label key that an outdated one stands for.
pub(crate) fn modern(key: &str) -> String {
    match key {
        "failure-domain.beta.kubernetes.io/zone" => "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region" => "topology.kubernetes.io/region",
        "beta.kubernetes.io/arch" => "kubernetes.io/arch",
        "beta.kubernetes.io/os" => "kubernetes.io/os",
        "beta.kubernetes.io/instance-type" => "node.kubernetes.io/instance-type",
        other => other,
    }
    .to_string()
}

/// Labels of nodes, with outdated keys replaced.
fn node_labels(value: &Value) -> Labels {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(k, v)| (modern(k), text(v, ""))).collect()
}

/// Labels of pods and namespaces, as they are.
fn plain_labels(value: &Value) -> Labels {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(k, v)| (k.clone(), text(v, ""))).collect()
}

/// A quantity or a price in billionths, rounded up.
pub(crate) fn nanos(value: &Value) -> i128 {
    let written = value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let split = written.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(written.len());
    let (number, suffix) = written.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("0{whole}{fraction}").parse().unwrap();
    let power = |n: u32| 10_i128.pow(n);
    let (times, over) = match suffix {
        "n" => (1, 1),
        "u" => (power(3), 1),
        "m" => (power(6), 1),
        "" => (power(9), 1),
        "k" => (power(12), 1),
        "M" => (power(15), 1),
        "G" => (power(18), 1),
        "T" => (power(21), 1),
        "P" => (power(24), 1),
        "E" => (power(27), 1),
        "Ki" => (power(9) << 10, 1),
        "Mi" => (power(9) << 20, 1),
        "Gi" => (power(9) << 30, 1),
        "Ti" => (power(9) << 40, 1),
        "Pi" => (power(9) << 50, 1),
        "Ei" => (power(9) << 60, 1),
        exponent => match exponent[1..].parse::<i32>().unwrap() {
            up @ 0.. => (power(9 + up.unsigned_abs()), 1),
            down => (power(9), power(down.unsigned_abs())),
        },
    };
    let over = over * power(u32::try_from(fraction.len()).unwrap());
    (digits * times + over - 1).div_euclid(over)
}

/// Amounts in counting units (millicores, else whole units), rounded up or down.
fn amounts(value: &Value, up: bool) -> Amounts {
    let entry = |(name, amount): (&String, &Value)| {
        let per_unit = if name == "cpu" { 1000 } else { 1 };
        let scaled = nanos(amount) * per_unit + if up { 999_999_999 } else { 0 };
        (name.clone(), i64::try_from(scaled.div_euclid(1_000_000_000)).unwrap())
    };
    value.as_object().into_iter().flatten().map(entry).collect()
}

fn requirement(value: &Value) -> Requirement {
    Requirement {
        key: modern(&text(&value["key"], "")),
        operator: text(&value["operator"], ""),
        values: texts(&value["values"]),
        min_values: value["minValues"].as_u64().map_or(0, |n| usize::try_from(n).unwrap()),
    }
}

fn requirements(value: &Value) -> Vec<Requirement> {
    list(value).iter().map(requirement).collect()
}

fn pod_terms(value: &Value) -> Vec<PodTerm> {
    let term = |t: &Value| PodTerm {
        key: modern(&text(&t["topologyKey"], "")),
        selector: t["labelSelector"].clone(),
        namespaces: texts(&t["namespaces"]),
        namespace_selector: t["namespaceSelector"].clone(),
        match_keys: texts(&t["matchLabelKeys"]),
        mismatch_keys: texts(&t["mismatchLabelKeys"]),
    };
    list(value).iter().map(term).collect()
}

fn spread(value: &Value) -> Spread {
    Spread {
        key: modern(&text(&value["topologyKey"], "")),
        max_skew: usize::try_from(value["maxSkew"].as_u64().unwrap()).unwrap(),
        min_domains: value["minDomains"].as_u64().map_or(0, |n| usize::try_from(n).unwrap()),
        selector: value["labelSelector"].clone(),
        match_keys: texts(&value["matchLabelKeys"]),
        honour_affinity: value["nodeAffinityPolicy"] != "Ignore",
        honour_taints: value["nodeTaintsPolicy"] == "Honor",
    }
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

fn term(value: &Value) -> Term {
    Term {
        expressions: requirements(&value["matchExpressions"]),
        fields: requirements(&value["matchFields"]),
    }
}

/// A node selector; where two names of a key ask for different values, a label that no node has.
fn selector(value: &Value) -> Labels {
    let mut labels = node_labels(value);
    let pairs = value.as_object().into_iter().flatten();
    if pairs.into_iter().any(|(key, value)| labels.get(&modern(key)) != Some(&text(value, ""))) {
        labels.insert("no node has this label".into(), String::new());
    }
    labels
}

/// Whether a spread may draw a pod to some pool: one over nodes that must be kept never does, for a
/// fresh node is always legal.
fn may_draw(spread: &Value) -> bool {
    spread["topologyKey"] != "kubernetes.io/hostname"
        || spread["whenUnsatisfiable"] != "DoNotSchedule"
}

fn pods(value: &Value) -> Vec<Pod> {
    let replicas = value["replicas"].as_u64().unwrap_or(1);
    let name = text(&value["name"], "");
    let terms = &value["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"];
    let mut requests = amounts(&value["requests"], true);
    requests.insert("pods".into(), 1);
    let pod = Pod {
        id: String::new(),
        namespace: text(&value["namespace"], "default"),
        labels: plain_labels(&value["labels"]),
        requests,
        selector: selector(&value["nodeSelector"]),
        terms: terms.is_array().then(|| list(terms).iter().map(term).collect()),
        near: pod_terms(&value["affinity"]["podAffinity"][REQUIRED]),
        apart: pod_terms(&value["affinity"]["podAntiAffinity"][REQUIRED]),
        spreads: list(&value["topologySpreadConstraints"])
            .iter()
            .filter(|one| one["whenUnsatisfiable"] == "DoNotSchedule")
            .map(spread)
            .collect(),
        drawn: list(&value["topologySpreadConstraints"]).iter().any(may_draw)
            || value["affinity"].to_string().contains("preferredDuring"),
        tolerations: list(&value["tolerations"]).to_vec(),
        ports: list(&value["hostPorts"])
            .iter()
            .map(|p| {
                let (protocol, ip) = (text(&p["protocol"], "TCP"), text(&p["hostIP"], ""));
                let ip = if ip.is_empty() { "0.0.0.0".into() } else { ip };
                (p["port"].as_u64().unwrap(), protocol, ip)
            })
            .collect(),
        volumes: list(&value["volumes"])
            .iter()
            .map(|v| (text(&v["driver"], ""), text(&v["id"], ""), texts(&v["zones"])))
            .collect(),
        volume_terms: list(&value["volumes"])
            .iter()
            .map(|v| list(&v["nodeSelectorTerms"]).iter().map(term).collect())
            .filter(|terms: &Vec<Term>| !terms.is_empty())
            .collect(),
        priority: value["priority"].as_i64().unwrap_or(0),
        node: value["nodeName"].as_str().map(str::to_string),
        daemon: value["ownerKind"] == "DaemonSet",
    };
    let named = |name: String| Pod { id: format!("{}/{name}", pod.namespace), ..pod.clone() };
    match replicas {
        1 => vec![named(name)],
        n => (0..n).map(|i| named(format!("{name}-{i}"))).collect(),
    }
}

fn volume_limits(value: &Value) -> BTreeMap<String, usize> {
    let limits = value["volumeLimits"].as_object().into_iter().flatten();
    limits.map(|(k, v)| (k.clone(), usize::try_from(v.as_u64().unwrap()).unwrap())).collect()
}

fn instance_type(value: &Value) -> Type {
    let capacity = amounts(&value["capacity"], false);
    let overhead = amounts(&value["overhead"], true);
    let mut allocatable: Amounts = capacity
        .iter()
        .map(|(name, have)| (name.clone(), (have - overhead.get(name).unwrap_or(&0)).max(0)))
        .collect();
    let pages: i64 =
        capacity.iter().filter(|(n, _)| n.starts_with("hugepages-")).map(|(_, a)| a).sum();
    if let Some(memory) = allocatable.get_mut("memory") {
        *memory = (*memory - pages).max(0);
    }
    let offering = |o: &Value| Offering {
        zone: text(&o["zone"], ""),
        capacity_type: text(&o["capacityType"], ""),
        price: nanos(&o["price"]),
        available: o["available"].as_bool().unwrap_or(true),
        labels: node_labels(&o["labels"]),
        reservation: o["reservation"]["remaining"]
            .as_i64()
            .map(|left| (text(&o["reservation"]["id"], ""), left)),
    };
    Type {
        name: text(&value["name"], ""),
        labels: node_labels(&value["labels"]),
        requirements: requirements(&value["requirements"]),
        capacity,
        allocatable,
        offerings: list(&value["offerings"]).iter().map(offering).collect(),
        volume_limits: volume_limits(value),
    }
}

fn pool(value: &Value) -> Pool {
    Pool {
        name: text(&value["name"], ""),
        weight: value["weight"].as_i64().unwrap_or(0),
        labels: node_labels(&value["labels"]),
        taints: list(&value["taints"]).to_vec(),
        startup: list(&value["startupTaints"]).to_vec(),
        requirements: requirements(&value["requirements"]),
        types: value["instanceTypes"].is_array().then(|| texts(&value["instanceTypes"])),
        limits: amounts(&value["limits"], false),
        replicas: value["replicas"].as_u64().map(|count| usize::try_from(count).unwrap()),
    }
}

fn node(value: &Value) -> Node {
    let name = text(&value["name"], "");
    let mut labels = node_labels(&value["labels"]);
    labels.entry("kubernetes.io/hostname".into()).or_insert_with(|| name.clone());
    Node {
        name,
        labels,
        taints: list(&value["taints"]).to_vec(),
        allocatable: amounts(&value["allocatable"], false),
        initialized: value["initialized"].as_bool().unwrap_or(true),
        deleting: value["deleting"].as_bool().unwrap_or(false),
        volume_limits: volume_limits(value),
    }
}

impl Document {
    /// The keys over which pods have rules about each other, the hostname apart. What a bound pod
    /// needed doesn't matter any more; whom it keeps away does.
    pub(crate) fn topology_keys(&self) -> BTreeSet<&String> {
        let near = self.pending.iter().flat_map(|pod| &pod.near);
        let apart = self.pending.iter().chain(&self.bound).flat_map(|pod| &pod.apart);
        let spreads = self.pending.iter().flat_map(|pod| &pod.spreads).map(|one| &one.key);
        let keys = near.chain(apart).map(|term| &term.key).chain(spreads);
        keys.filter(|key| *key != HOSTNAME).collect()
    }

    pub(crate) fn read(value: &Value) -> Self {
        let all = |key: &str| list(&value[key]).iter().flat_map(pods).collect::<Vec<_>>();
        let (bound, pending) = all("pods").into_iter().partition(|pod| pod.node.is_some());
        Self {
            pending,
            bound,
            daemons: all("daemonSets"),
            types: list(&value["instanceTypes"]).iter().map(instance_type).collect(),
            pools: list(&value["nodePools"]).iter().map(pool).collect(),
            nodes: list(&value["nodes"]).iter().map(node).collect(),
            namespaces: list(&value["namespaces"])
                .iter()
                .map(|n| (text(&n["name"], ""), plain_labels(&n["labels"])))
                .collect(),
        }
    }
}
