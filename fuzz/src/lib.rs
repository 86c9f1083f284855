//! Problems made of bytes: every input is a small problem that is valid, so that fuzzing reaches
//! the solver instead of the checks before it.
//!
//! Everything is drawn from few names (three zones, three labels, four resources), so that rules
//! meet each other; amounts are small, so that nodes fill up. A byte changed is a problem changed in
//! one place.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use plimsoll::model::{
    Affinity, CapacityType, Effect, HostPort, LabelSelector, NodeSelectorTerm, Operator,
    PodAffinityTerm, PodDisruptionBudget, Taint, Toleration, TopologySpreadConstraint, Volume,
    WhenUnsatisfiable,
};
use plimsoll::{
    InstanceType, Node, NodePool, Offering, Options, Pod, PreferencePolicy, Price, Problem,
    Quantity, Requirement, Resources,
};

/// The bytes of an input, read bit by bit as decisions.
pub type Bytes<'b> = Unstructured<'b>;

const ZONES: [&str; 3] = ["a", "b", "c"];
const CAPACITY_TYPES: [&str; 2] = ["on-demand", "spot"];
const APPS: [&str; 3] = ["db", "job", "web"];
const TENANTS: [&str; 2] = ["x", "y"];
const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";
const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
const POOL: &str = "karpenter.sh/nodepool";
const TYPE: &str = "node.kubernetes.io/instance-type";
const TENANT: &str = "example.com/tenant";
const GPU: &str = "example.com/gpu";

fn one_in(bytes: &mut Bytes<'_>, of: u8) -> Result<bool> {
    bytes.ratio(1, of)
}

fn some<T>(
    bytes: &mut Bytes<'_>,
    most: usize,
    mut of: impl FnMut(&mut Bytes<'_>, usize) -> Result<T>,
) -> Result<Vec<T>> {
    let count = bytes.int_in_range(0..=most)?;
    (0..count).map(|i| of(bytes, i)).collect()
}

fn amounts(bytes: &mut Bytes<'_>, cpus: u64) -> Result<Resources> {
    let mut amounts = Resources::new();
    let millis = bytes.int_in_range(0..=cpus * 4)? * 250;
    let _former = amounts.insert("cpu", Quantity::from_millis(millis));
    let gibibytes = bytes.int_in_range(0..=cpus * 4)?;
    let _former = amounts.insert("memory", Quantity::from_units(gibibytes << 30));
    if one_in(bytes, 8)? {
        let _former = amounts.insert(GPU, Quantity::from_units(bytes.int_in_range(0..=2)?));
    }
    Ok(amounts)
}

fn capacity(bytes: &mut Bytes<'_>) -> Result<Resources> {
    let cpus = *bytes.choose(&[1_u64, 2, 4, 8, 16])?;
    let mut capacity = Resources::new();
    let _former = capacity.insert("cpu", Quantity::from_units(cpus));
    let gibibytes = cpus * *bytes.choose(&[2_u64, 4, 8])?;
    let _former = capacity.insert("memory", Quantity::from_units(gibibytes << 30));
    let _former = capacity.insert("pods", Quantity::from_units(bytes.int_in_range(2..=12)?));
    if one_in(bytes, 5)? {
        let _former = capacity.insert(GPU, Quantity::from_units(bytes.int_in_range(1..=4)?));
    }
    Ok(capacity)
}

/// A condition on a label that nodes may have.
fn requirement(bytes: &mut Bytes<'_>) -> Result<Requirement> {
    let (key, values) = *bytes.choose(&[
        (ZONE, &ZONES[..]),
        (CAPACITY_TYPE, &CAPACITY_TYPES[..]),
        (TENANT, &TENANTS[..]),
        (POOL, &["pool-0", "pool-1"][..]),
    ])?;
    let operator = *bytes.choose(&[
        Operator::In,
        Operator::In,
        Operator::NotIn,
        Operator::Exists,
        Operator::DoesNotExist,
    ])?;
    let values = match operator {
        Operator::In | Operator::NotIn => {
            let first = *bytes.choose(values)?;
            let mut chosen = vec![first];
            if one_in(bytes, 3)? {
                chosen.push(*bytes.choose(values)?);
            }
            chosen.sort_unstable();
            chosen.dedup();
            chosen
        }
        _ => Vec::new(),
    };
    Ok(Requirement::new(key, operator, values))
}

fn selector(bytes: &mut Bytes<'_>) -> Result<LabelSelector> {
    Ok(LabelSelector::new().with_label("app", *bytes.choose(&APPS)?))
}

fn pod_term(bytes: &mut Bytes<'_>) -> Result<PodAffinityTerm> {
    let key = *bytes.choose(&[ZONE, HOST, CAPACITY_TYPE])?;
    Ok(PodAffinityTerm::new(key, selector(bytes)?))
}

fn affinity(bytes: &mut Bytes<'_>) -> Result<Affinity> {
    let term = |bytes: &mut Bytes<'_>| Ok(NodeSelectorTerm::new([requirement(bytes)?]));
    let mut affinity = Affinity::new();
    for _ in 0..bytes.int_in_range(1..=2)? {
        let weight = bytes.int_in_range(1..=100)?;
        affinity = match bytes.int_in_range(0..=5)? {
            0 => affinity.with_required_node_term(term(bytes)?),
            1 => affinity.with_preferred_node_term(weight, term(bytes)?),
            2 => affinity.with_required_pod_affinity(pod_term(bytes)?),
            3 => affinity.with_preferred_pod_affinity(weight, pod_term(bytes)?),
            4 => affinity.with_required_pod_anti_affinity(pod_term(bytes)?),
            _ => affinity.with_preferred_pod_anti_affinity(weight, pod_term(bytes)?),
        };
    }
    Ok(affinity)
}

fn taint(bytes: &mut Bytes<'_>) -> Result<Taint> {
    let effect =
        *bytes.choose(&[Effect::NoSchedule, Effect::NoExecute, Effect::PreferNoSchedule])?;
    Ok(Taint::new("dedicated", *bytes.choose(&TENANTS)?, effect))
}

fn pod(bytes: &mut Bytes<'_>, number: usize, nodes: &[String]) -> Result<Pod> {
    let app = *bytes.choose(&APPS)?;
    let mut pod =
        Pod::new(format!("pod-{number}")).with_label("app", app).with_requests(amounts(bytes, 4)?);
    if one_in(bytes, 3)? {
        pod = pod.with_affinity(affinity(bytes)?);
    }
    if one_in(bytes, 4)? {
        let hard = [WhenUnsatisfiable::DoNotSchedule, WhenUnsatisfiable::ScheduleAnyway];
        let key = *bytes.choose(&[ZONE, HOST, CAPACITY_TYPE])?;
        let skew = bytes.int_in_range(1..=2)?;
        let hardness = *bytes.choose(&hard)?;
        let mut spread = TopologySpreadConstraint::new(skew, key, hardness)
            .with_label_selector(selector(bytes)?);
        if hardness == WhenUnsatisfiable::DoNotSchedule && one_in(bytes, 4)? {
            spread.min_domains = Some(bytes.int_in_range(1..=3)?);
        }
        pod = pod.with_topology_spread_constraint(spread);
    }
    if one_in(bytes, 5)? {
        pod = pod.with_node_selector(ZONE, *bytes.choose(&ZONES)?);
    }
    if one_in(bytes, 5)? {
        pod = pod.with_toleration(Toleration::equal("dedicated", *bytes.choose(&TENANTS)?));
    }
    if one_in(bytes, 8)? {
        pod = pod.with_host_port(HostPort::new(bytes.int_in_range(80..=81)?));
    }
    if one_in(bytes, 8)? {
        let id = format!("v-{}", bytes.int_in_range(0..=3)?);
        pod = pod.with_volume(Volume::new("disk", id).with_zone(*bytes.choose(&ZONES)?));
    }
    if one_in(bytes, 4)? {
        pod = pod.with_priority(bytes.int_in_range(-1..=2)?);
    }
    if one_in(bytes, 8)? {
        pod = pod.with_do_not_disrupt(true);
    }
    if !one_in(bytes, 6)? {
        pod = pod.with_owner_kind("ReplicaSet");
    }
    match nodes.is_empty() || !one_in(bytes, 2)? {
        true => Ok(pod.with_replicas(bytes.int_in_range(1..=5)?)),
        false => Ok(pod.with_node_name(bytes.choose(nodes)?.clone())),
    }
}

fn instance_type(bytes: &mut Bytes<'_>, number: usize) -> Result<InstanceType> {
    let mut instance_type = InstanceType::new(format!("type-{number}"), capacity(bytes)?);
    if one_in(bytes, 3)? {
        let mut overhead = Resources::new();
        let _former = overhead.insert("cpu", Quantity::from_millis(100));
        instance_type = instance_type.with_overhead(overhead);
    }
    if one_in(bytes, 6)? {
        instance_type = instance_type.with_volume_limit("disk", bytes.int_in_range(0..=2)?);
    }
    for zone in ZONES {
        for capacity_type in [CapacityType::OnDemand, CapacityType::Spot] {
            if one_in(bytes, 2)? {
                continue;
            }
            let price = Price::from_nanos(i128::from(bytes.int_in_range(1..=40_u8)?) * 25_000_000);
            let mut offering = Offering::new(zone, capacity_type, price);
            if one_in(bytes, 8)? {
                offering = offering.with_available(false);
            }
            instance_type = instance_type.with_offering(offering);
        }
    }
    if one_in(bytes, 8)? {
        let offering = Offering::reserved(*bytes.choose(&ZONES)?, Price::ZERO);
        let remaining = bytes.int_in_range(0..=2)?;
        instance_type = instance_type.with_offering(offering.with_reservation("cr-1", remaining));
    }
    Ok(instance_type)
}

fn node_pool(bytes: &mut Bytes<'_>, number: usize) -> Result<NodePool> {
    let mut pool = NodePool::new(format!("pool-{number}"));
    if one_in(bytes, 3)? {
        pool = pool.with_weight(bytes.int_in_range(1..=2)?);
    }
    if one_in(bytes, 4)? {
        pool = pool.with_taint(taint(bytes)?);
    }
    if one_in(bytes, 4)? {
        pool = pool.with_label(TENANT, *bytes.choose(&TENANTS)?);
    }
    if one_in(bytes, 4)? {
        let kinds = ["on-demand", "spot", "reserved"];
        let requirement = Requirement::new(CAPACITY_TYPE, Operator::In, [*bytes.choose(&kinds)?]);
        pool = pool.with_requirement(requirement);
    }
    if one_in(bytes, 3)? {
        let resource = *bytes.choose(&["cpu", "nodes", "memory"])?;
        let most = u64::from(bytes.int_in_range(0..=24_u8)?);
        let most = if resource == "memory" { most << 30 } else { most };
        let mut limits = Resources::new();
        let _former = limits.insert(resource, Quantity::from_units(most));
        pool = pool.with_limits(limits);
    }
    if one_in(bytes, 12)? {
        pool = pool.with_replicas(bytes.int_in_range(0..=2)?);
    }
    Ok(pool)
}

fn node(bytes: &mut Bytes<'_>, number: usize, types: &[InstanceType]) -> Result<Node> {
    let mut node = match types.is_empty() || one_in(bytes, 6)? {
        true => Node::new(format!("node-{number}"), capacity(bytes)?),
        false => {
            let of = bytes.choose(types)?;
            Node::new(format!("node-{number}"), of.allocatable()).with_label(TYPE, of.name())
        }
    };
    node = node
        .with_label(POOL, format!("pool-{}", bytes.int_in_range(0..=1)?))
        .with_label(ZONE, *bytes.choose(&ZONES)?)
        .with_label(CAPACITY_TYPE, *bytes.choose(&CAPACITY_TYPES)?);
    if one_in(bytes, 8)? {
        node = node.with_taint(taint(bytes)?);
    }
    if one_in(bytes, 10)? {
        node = node.with_deleting(true);
    }
    if one_in(bytes, 10)? {
        node = node.with_initialized(false);
    }
    if one_in(bytes, 8)? {
        node = node.with_drifted(true);
    }
    if one_in(bytes, 12)? {
        node = node.with_do_not_disrupt(true);
    }
    Ok(node)
}

/// A problem of few pods, types, pools and nodes.
pub fn problem(bytes: &mut Bytes<'_>) -> Result<Option<Problem>> {
    let types = some(bytes, 3, instance_type)?;
    let pools = some(bytes, 2, node_pool)?;
    let nodes = some(bytes, 4, |bytes, i| node(bytes, i, &types))?;
    let names: Vec<String> = nodes.iter().map(|node| node.name().to_owned()).collect();
    let pods = some(bytes, 8, |bytes, i| pod(bytes, i, &names))?;
    let mut parts = Problem::builder().pods(pods).instance_types(types).nodes(nodes);
    for pool in pools {
        parts = parts.node_pool(pool);
    }
    if one_in(bytes, 4)? {
        let daemon = Pod::new("daemon").with_namespace("kube-system");
        parts = parts.daemon_set(daemon.with_requests(amounts(bytes, 1)?));
    }
    if one_in(bytes, 4)? {
        let allowed = bytes.int_in_range(0..=2)?;
        parts = parts.pod_disruption_budget(PodDisruptionBudget::new(
            "budget",
            selector(bytes)?,
            allowed,
        ));
    }
    // Two things at most can be wrong with it: a spread stated twice, or a name.
    Ok(parts.build().ok())
}

/// Options of a call, refinement apart.
pub fn options(bytes: &mut Bytes<'_>) -> Result<Options> {
    let preferences = match bytes.int_in_range(0..=3)? {
        0 => PreferencePolicy::Ignore,
        1 => PreferencePolicy::Priced(Price::from_nanos(1_000_000)),
        _ => PreferencePolicy::Respect,
    };
    let fee = if one_in(bytes, 4)? { Price::from_nanos(10_000_000) } else { Price::ZERO };
    Ok(Options::default().with_preferences(preferences).with_node_fee(fee))
}
