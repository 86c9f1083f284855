//! Launches as what a controller or a cloud is asked for: Karpenter's `NodeClaim`, and selections
//! of instances for EC2 Fleet, Compute Engine and Azure.
//!
//! A launch has one choice and alternatives, each of which holds its pods. A claim says what all of
//! them have in common, as requirements, and the cloud chooses. The clouds' own interfaces take
//! lists instead, and not all can say "this type in this zone": where types and zones are two lists
//! that the cloud combines, they are cut so that every combination is an alternative.

use super::dump::Dump;
use super::kind::{ObjectKind, group_of};
use crate::model::document::selector::write_requirement;
use crate::model::document::taint::write_taint;
use crate::model::document::value::Value as Tree;
use crate::model::{CapacityType, NodePool, Operator, well_known};
use crate::plan::{Launch, LaunchTemplate, OfferingRef};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The cloud's part of what a node is made from, Karpenter's `nodeClassRef`.
///
/// # Examples
/// ```
/// use plimsoll::k8s::NodeClassRef;
///
/// let class = NodeClassRef::new("karpenter.k8s.aws", "EC2NodeClass", "default");
/// assert_eq!(&*class.kind, "EC2NodeClass");
/// ```
///
/// Classes are the cloud provider's objects: images, subnets, security groups. Nothing of them is
/// read.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct NodeClassRef {
    /// The group of its API.
    ///
    /// Without a version, such as `karpenter.k8s.aws`.
    pub group: Arc<str>,
    /// Its kind.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl NodeClassRef {
    /// A class by group, kind and name.
    #[must_use]
    pub fn new(
        group: impl Into<Arc<str>>,
        kind: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Self {
        Self { group: group.into(), kind: kind.into(), name: name.into() }
    }
}

impl Dump {
    /// The class that a pool of the dump names; `None` where there is no such pool, or it names
    /// none.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::k8s::Dump;
    ///
    /// let mut dump = Dump::new();
    /// dump.add_text("pool.yaml", "
    /// apiVersion: karpenter.sh/v1
    /// kind: NodePool
    /// metadata: {name: default}
    /// spec:
    ///   template:
    ///     spec:
    ///       nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: standard}
    /// ");
    /// let class = dump.node_class_of("default").unwrap();
    /// assert_eq!((&*class.kind, &*class.name), ("EC2NodeClass", "standard"));
    /// assert!(dump.node_class_of("other").is_none());
    /// ```
    #[must_use]
    pub fn node_class_of(&self, pool: &str) -> Option<NodeClassRef> {
        let is_pool = |kind| matches!(kind, ObjectKind::NodePool | ObjectKind::Provisioner);
        let entry =
            self.entries.iter().find(|entry| is_pool(entry.kind) && &*entry.id.name == pool)?;
        let reference = entry
            .tree
            .find(&["spec", "template", "spec", "nodeClassRef"])
            .or_else(|| entry.tree.find(&["spec", "providerRef"]))?;
        let text = |name: &str| reference.get(name).and_then(Tree::as_text);
        // Before version 1 a reference had the version of the API, not its group.
        let group = text("group").or_else(|| text("apiVersion").map(group_of));
        Some(NodeClassRef::new(group.unwrap_or_default(), text("kind")?, text("name")?))
    }
}

/// A launch as a `NodeClaim` of Karpenter's version 1, to be created: requirements, taints, startup
/// taints, labels, what the pods and daemons of the node ask for, and what the pool says of the
/// node's end.
///
/// The labels are those that every alternative gives its node. An owner reference to the pool,
/// which has to name the pool's `uid`, is the caller's to add.
///
/// # Examples
/// ```
/// use plimsoll::k8s::{NodeClassRef, node_claim};
/// use plimsoll::model::TimeSpan;
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
/// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1500m")])?);
/// let pool = NodePool::new("default").with_expire_after(TimeSpan::from_hours(720));
/// let problem =
///     Problem::builder().pod(web).instance_type(large).node_pool(pool.clone()).build()?;
/// let plan = provision(&problem, &Options::default())?;
/// let class = NodeClassRef::new("karpenter.k8s.aws", "EC2NodeClass", "default");
/// let claim = node_claim(&plan.launches()[0], &pool, &class);
/// assert_eq!(claim["metadata"]["generateName"], "default-");
/// assert_eq!(claim["spec"]["resources"]["requests"]["cpu"], "1500m");
/// assert_eq!(claim["spec"]["expireAfter"], "720h");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn node_claim(launch: &Launch, pool: &NodePool, class: &NodeClassRef) -> Value {
    let template = launch.template();
    let mut spec = Map::new();
    let requirements = template.requirements.iter().map(|one| json(&write_requirement(one)));
    spec.insert("requirements".into(), requirements.collect());
    for (name, taints) in
        [("taints", &template.taints), ("startupTaints", &template.startup_taints)]
    {
        if !taints.is_empty() {
            let taints: Value = taints.iter().map(|taint| json(&write_taint(taint))).collect();
            spec.insert(name.into(), taints);
        }
    }
    spec.insert("resources".into(), json!({"requests": json(&Tree::from(launch.requests()))}));
    let NodeClassRef { group, kind, name } = class;
    spec.insert("nodeClassRef".into(), json!({"group": **group, "kind": **kind, "name": **name}));
    for (name, value) in [
        ("expireAfter", pool.expire_after().map(|lifetime| lifetime.to_string())),
        ("terminationGracePeriod", pool.termination_grace_period().map(|span| span.to_string())),
    ] {
        if let Some(value) = value {
            spec.insert(name.into(), value.into());
        }
    }
    let labels: Map<String, Value> =
        common_labels(template, pool).map(|(key, value)| (key.into(), value.into())).collect();
    json!({
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {"generateName": format!("{}-", template.node_pool), "labels": labels},
        "spec": spec,
    })
}

/// The labels that the node has whichever alternative it becomes: the pool's, and those that the
/// requirements leave one value.
///
/// The others depend on which alternative the cloud delivers, and its node will say them itself.
fn common_labels<'a>(
    template: &'a LaunchTemplate,
    pool: &'a NodePool,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let settled = |key: &str, value: &str| {
        key == well_known::NODE_POOL
            || pool.labels().get(key).is_some()
            || template.requirements.iter().any(|one| {
                well_known::normalized(&one.key) == key
                    && one.operator == Operator::In
                    && matches!(one.values.as_slice(), [only] if **only == *value)
            })
    };
    let labels = template.labels.iter().map(|(key, value)| (&**key, &**value));
    labels.filter(move |(key, value)| settled(key, value))
}

/// The JSON of a tree of ours, whose numbers and keys JSON always has.
fn json(tree: &Tree<'_>) -> Value {
    serde_json::to_value(tree).unwrap_or_default()
}

/// So many nodes of a template as a request to EC2's `CreateFleet`, but for the launch template
/// that names the image.
///
/// A fleet that is made at once has one capacity type, that of the choice; the alternatives of this
/// type are its overrides, in their order. Nodes of a reservation are on demand, and reservations
/// are used first; which one, the launch template says.
///
/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFleet.html>.
///
/// # Examples
/// ```
/// use plimsoll::k8s::ec2_fleet;
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::spot("eu-1a", "0.04".parse()?))
///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
/// let parts = Problem::builder().pod(Pod::new("web")).instance_type(large);
/// let problem = parts.node_pool(NodePool::new("default")).build()?;
/// let plan = provision(&problem, &Options::default())?;
/// let request = ec2_fleet(plan.launches()[0].template(), 1);
/// assert_eq!(request["TargetCapacitySpecification"]["DefaultTargetCapacityType"], "spot");
/// let overrides = &request["LaunchTemplateConfigs"][0]["Overrides"];
/// assert_eq!(overrides[0]["InstanceType"], "m7.large");
/// // What is on demand isn't asked for in a request for spot.
/// assert_eq!(overrides.as_array().map(Vec::len), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn ec2_fleet(template: &LaunchTemplate, nodes: u32) -> Value {
    let chosen = &template.offering;
    let spot = chosen.capacity_type == CapacityType::Spot;
    let of_fleet = |one: &&OfferingRef| {
        one.capacity_type == chosen.capacity_type && one.reservation == chosen.reservation
    };
    let overrides: Value = (0_u32..)
        .zip(template.alternatives.iter().filter(of_fleet))
        .map(|(priority, one)| {
            json!({
                "InstanceType": *one.instance_type,
                "AvailabilityZone": *one.zone,
                "Priority": priority,
            })
        })
        .collect();
    let mut request = json!({
        "Type": "instant",
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": nodes,
            "DefaultTargetCapacityType": if spot { "spot" } else { "on-demand" },
        },
        "LaunchTemplateConfigs": [{"Overrides": overrides}],
    });
    let (name, mut options) = match spot {
        true => ("SpotOptions", json!({"AllocationStrategy": "capacity-optimized-prioritized"})),
        false => ("OnDemandOptions", json!({"AllocationStrategy": "prioritized"})),
    };
    if chosen.reservation.is_some() {
        options["CapacityReservationOptions"] =
            json!({"UsageStrategy": "use-capacity-reservations-first"});
    }
    request[name] = options;
    request
}

/// Types and zones of which every combination is an alternative like the choice: the types in their
/// order, the choice's zone first.
fn combinations(template: &LaunchTemplate) -> (Vec<&str>, Vec<&str>) {
    let chosen = &template.offering;
    let alike = |one: &&OfferingRef| {
        one.capacity_type == chosen.capacity_type && one.reservation == chosen.reservation
    };
    let pairs: BTreeSet<(&str, &str)> = template
        .alternatives
        .iter()
        .filter(alike)
        .map(|one| (&*one.zone, &*one.instance_type))
        .collect();
    let mut types: Vec<&str> = Vec::new();
    for one in template.alternatives.iter().filter(alike) {
        if one.zone == chosen.zone && !types.contains(&&*one.instance_type) {
            types.push(&one.instance_type);
        }
    }
    let mut zones = vec![&*chosen.zone];
    let others: BTreeSet<&str> = pairs.iter().map(|(zone, _)| *zone).collect();
    for zone in others {
        let has_all = || types.iter().all(|of_type| pairs.contains(&(zone, *of_type)));
        if zone != &*chosen.zone && has_all() {
            zones.push(zone);
        }
    }
    (types, zones)
}

/// So many nodes of a template as a request to Compute Engine's `regionInstances.bulkInsert`, but
/// for the instance template that names the image.
///
/// Source: <https://cloud.google.com/compute/docs/reference/rest/v1/regionInstances/bulkInsert>.
///
/// # Examples
/// ```
/// use plimsoll::k8s::gce_bulk_insert;
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let capacity = Resources::parse([("cpu", "2"), ("pods", "29")])?;
/// let machine = InstanceType::new("n2-standard-2", capacity)
///     .with_offering(Offering::on_demand("europe-west1-b", "0.1".parse()?));
/// let parts = Problem::builder().pod(Pod::new("web")).instance_type(machine);
/// let problem = parts.node_pool(NodePool::new("default")).build()?;
/// let plan = provision(&problem, &Options::default())?;
/// let request = gce_bulk_insert(plan.launches()[0].template(), 2);
/// assert_eq!(request["count"], 2);
/// assert!(request.to_string().contains("n2-standard-2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn gce_bulk_insert(template: &LaunchTemplate, nodes: u32) -> Value {
    let (types, zones) = combinations(template);
    let selections: Map<String, Value> = (1_u32..)
        .zip(types)
        .map(|(rank, name)| (format!("rank-{rank}"), json!({"rank": rank, "machineTypes": [name]})))
        .collect();
    let locations: Map<String, Value> = zones
        .into_iter()
        .map(|zone| (format!("zones/{zone}"), json!({"preference": "ALLOW"})))
        .collect();
    let spot = template.offering.capacity_type == CapacityType::Spot;
    let mut properties = json!({
        "scheduling": {"provisioningModel": if spot { "SPOT" } else { "STANDARD" }},
    });
    if let Some(id) = &template.offering.reservation {
        properties["reservationAffinity"] = json!({
            "consumeReservationType": "SPECIFIC_RESERVATION",
            "key": "compute.googleapis.com/reservation-name",
            "values": [**id],
        });
    }
    json!({
        "count": nodes,
        "instanceFlexibilityPolicy": {"instanceSelections": selections},
        "locationPolicy": {"locations": locations},
        "instanceProperties": properties,
    })
}

/// So many nodes of a template as the properties of an Azure Compute Fleet, but for its profile of
/// the machine that names the image.
///
/// Zones of Azure are numbers; the one of a label such as `westeurope-2` is what is behind its last
/// hyphen.
///
/// Source: <https://learn.microsoft.com/azure/templates/microsoft.azurefleet/fleets>.
///
/// # Examples
/// ```
/// use plimsoll::k8s::azure_fleet;
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let capacity = Resources::parse([("cpu", "2"), ("pods", "30")])?;
/// let machine = InstanceType::new("Standard_D2s_v5", capacity)
///     .with_offering(Offering::on_demand("westeurope-2", "0.1".parse()?));
/// let parts = Problem::builder().pod(Pod::new("web")).instance_type(machine);
/// let problem = parts.node_pool(NodePool::new("default")).build()?;
/// let plan = provision(&problem, &Options::default())?;
/// let fleet = azure_fleet(plan.launches()[0].template(), 3);
/// assert_eq!(fleet["zones"][0], "2");
/// assert_eq!(fleet["properties"]["regularPriorityProfile"]["capacity"], 3);
/// assert_eq!(fleet["properties"]["vmSizesProfile"][0]["name"], "Standard_D2s_v5");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn azure_fleet(template: &LaunchTemplate, nodes: u32) -> Value {
    let (types, zones) = combinations(template);
    let sizes: Value =
        (0_u32..).zip(types).map(|(rank, name)| json!({"name": name, "rank": rank})).collect();
    let zones: Vec<&str> =
        zones.into_iter().map(|zone| zone.rsplit('-').next().unwrap_or(zone)).collect();
    let of_profile = |strategy: &str| json!({"capacity": nodes, "minCapacity": nodes, "allocationStrategy": strategy});
    let (name, profile) = match template.offering.capacity_type {
        CapacityType::Spot => ("spotPriorityProfile", of_profile("CapacityOptimized")),
        CapacityType::OnDemand | CapacityType::Reserved => {
            ("regularPriorityProfile", of_profile("Prioritized"))
        }
    };
    let mut properties = json!({"vmSizesProfile": sizes});
    properties[name] = profile;
    json!({"zones": zones, "properties": properties})
}
