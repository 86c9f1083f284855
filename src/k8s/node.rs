//! Nodes that run, with what their claims and their storage drivers say of them.
//!
//! Three objects say what a node is: the `Node` itself, Karpenter's `NodeClaim` (in which state of
//! its life it is, and what it will have before it says so) and the `CSINode` (how many volumes it
//! attaches). A claim without a node is a node on its way.
//!
//! States are read from several autoscalers' words, so a cluster needs no Karpenter:
//!
//! | field | read from |
//! |---|---|
//! | initialized | the label `karpenter.sh/initialized`; always of nodes without a pool |
//! | deleting | `deletionTimestamp` of node or claim; taints of both autoscalers |
//! | drifted, consolidatable | conditions of the claim |
//! | lifetime remaining | `expireAfter` and the claim's age, where the present is told |
//! | do-not-disrupt | annotations of both autoscalers |
//! | capacity type | its label, or what EKS, GKE and AKS call it |

use super::dump::Entry;
use super::fields::NODE_SPEC;
use super::metadata::Metadata;
use super::report::Findings;
use super::time::{Timestamp, duration_seconds};
use crate::model::document::read::{Cursor, Fields, boolean, resources};
use crate::model::document::taint::read_taint;
use crate::model::document::value::Value;
use crate::model::fault::{Path, quoted};
use crate::model::{Effect, InstanceType, Labels, Node, Resources, Taint, check_node, well_known};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many volumes each node attaches, by driver, as `CSINode` objects say; by the node's name.
pub(super) type AttachLimits = BTreeMap<Arc<str>, BTreeMap<Arc<str>, u32>>;

/// Resources of old nodes that are limits of attachments, and the drivers that they limit.
const ATTACHABLE: [(&str, &str); 3] = [
    ("attachable-volumes-aws-ebs", "ebs.csi.aws.com"),
    ("attachable-volumes-azure-disk", "disk.csi.azure.com"),
    ("attachable-volumes-gce-pd", "pd.csi.storage.gke.io"),
];

/// Taints of nodes that are going away.
const DELETING: [&str; 3] =
    ["karpenter.sh/disrupted", "karpenter.sh/disruption", "ToBeDeletedByClusterAutoscaler"];

const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
const UNREGISTERED: &str = "karpenter.sh/unregistered";

/// What is looked up while nodes are converted.
///
/// Filled before the first node is read.
#[derive(Debug, Default)]
pub(super) struct OfNodes<'a> {
    pub(super) attach_limits: AttachLimits,
    /// Karpenter's claims that have a node, by its name.
    pub(super) claims: BTreeMap<Arc<str>, &'a Entry>,
    /// What can be bought, by name.
    pub(super) types: BTreeMap<&'a str, &'a InstanceType>,
    pub(super) now: Option<Timestamp>,
}

/// Reads the limits of a `CSINode`, which is called as its node is.
///
/// A driver without a count attaches any number.
pub(super) fn read_attach_limits(entry: &Entry, limits: &mut AttachLimits) {
    let drivers = entry.tree.find(&["spec", "drivers"]).map_or(&[][..], Value::items);
    let of_driver = |driver: &Value<'_>| {
        let name = driver.get("name")?.as_text()?;
        match driver.find(&["allocatable", "count"])? {
            Value::Integer(count) => Some((name.into(), u32::try_from(*count).ok()?)),
            _ => None,
        }
    };
    let of_node = drivers.iter().filter_map(of_driver).collect();
    let _former = limits.insert(Arc::clone(&entry.id.name), of_node);
}

impl OfNodes<'_> {
    /// A node of the cluster.
    ///
    /// `None` where nobody says what the node has; then `findings` refuses it.
    pub(super) fn node(&self, entry: &Entry, findings: &mut Findings) -> Option<Node> {
        let tree = &entry.tree;
        let metadata = Metadata::of(tree);
        let claim = self.claims.get(&entry.id.name).copied();
        let mut labels = metadata.labels(&Path::Text("metadata"), findings);
        say_capacity_type(&mut labels);
        let mut taints = self.spec_taints(tree, findings);
        let condition = ready(tree);
        if let Some((key, effect)) = condition
            && !taints.iter().any(|taint| &*taint.key == key)
        {
            taints.push(Taint::new(key, "", effect));
        }
        let mut node = Node::new(Arc::clone(&entry.id.name), Resources::new());
        let amounts = self.allocatable(entry, claim, &labels, findings)?;
        for (name, amount) in amounts.iter() {
            match ATTACHABLE.iter().find(|(resource, _)| *resource == &**name) {
                Some((_, driver)) => {
                    let most = u32::try_from(amount.nanos() / 1_000_000_000).unwrap_or(u32::MAX);
                    let _former = node.volume_limits.insert((*driver).into(), most);
                }
                None => {
                    let _former = node.allocatable.insert(Arc::clone(name), amount);
                }
            }
        }
        if let Some(limits) = self.attach_limits.get(&entry.id.name) {
            node.volume_limits.extend(limits.iter().map(|(name, most)| (Arc::clone(name), *most)));
        }
        node.deleting =
            metadata.is_deleting() || taints.iter().any(|taint| DELETING.contains(&&*taint.key));
        taints.retain(|taint| &*taint.key != "DeletionCandidateOfClusterAutoscaler");
        let managed = labels.get(well_known::NODE_POOL).is_some();
        let initialized =
            labels.get("karpenter.sh/initialized").is_some_and(|word| &**word == "true");
        let unregistered = taints.iter().any(|taint| &*taint.key == UNREGISTERED);
        taints.retain(|taint| &*taint.key != UNREGISTERED);
        node.initialized = !unregistered && (initialized || !managed);
        node.do_not_disrupt = metadata.annotation("karpenter.sh/do-not-disrupt") == Some("true")
            || metadata.annotation("cluster-autoscaler.kubernetes.io/scale-down-disabled")
                == Some("true");
        node.taints = taints;
        node.labels = labels;
        if let Some(claim) = claim {
            self.say_claim(&mut node, claim, findings);
        }
        findings.faults.end_of_reading();
        check_node(&node, &Path::Text("spec"), &mut findings.faults);
        Some(node)
    }

    /// The taints of the spec, and the one that an unschedulable node has in time.
    fn spec_taints(&self, tree: &Value<'_>, findings: &mut Findings) -> Vec<Taint> {
        let Some(value) = tree.get("spec") else { return Vec::new() };
        let path = Path::Text("spec");
        let mut fields = Cursor { value, path: &path, faults: &mut findings.faults }
            .object_beside(NODE_SPEC.0, NODE_SPEC.1);
        let mut taints = fields.list("taints", read_taint);
        let unschedulable = fields.optional("unschedulable", boolean) == Some(true);
        if unschedulable && !taints.iter().any(|taint| &*taint.key == UNSCHEDULABLE) {
            taints.push(Taint::new(UNSCHEDULABLE, "", Effect::NoSchedule));
        }
        taints
    }

    /// What the node's pods can have: as the node says, or while it starts as its claim or its
    /// type.
    ///
    /// A node that has just registered may say nothing yet.
    fn allocatable(
        &self,
        entry: &Entry,
        claim: Option<&Entry>,
        labels: &Labels,
        findings: &mut Findings,
    ) -> Option<Resources> {
        let of = |tree: &Value<'_>, findings: &mut Findings| {
            let value = tree.find(&["status", "allocatable"])?;
            let path = Path::Text("status.allocatable");
            let read = Cursor { value, path: &path, faults: &mut findings.faults };
            resources(read).filter(|amounts| !amounts.is_empty())
        };
        if let Some(amounts) = of(&entry.tree, findings) {
            return Some(amounts);
        }
        let of_claim = claim.and_then(|claim| of(&claim.tree, findings));
        let name = [well_known::INSTANCE_TYPE, "beta.kubernetes.io/instance-type"]
            .into_iter()
            .find_map(|key| labels.get(key));
        let of_type =
            name.and_then(|name| self.types.get(&**name)).map(|of_type| of_type.allocatable());
        let found = of_claim.or(of_type);
        match found.is_some() {
            true => findings
                .note("status.allocatable", "missing: what its claim or its type has counts"),
            false => findings.refuse(
                "status.allocatable",
                "missing, and neither a claim nor a type of the catalog says what the node has",
                "what pods can have of the node",
            ),
        }
        found
    }

    /// What Karpenter's claim says of its node.
    ///
    /// Without the present (`ConvertOptions::now`) a claim counts as new, and a note says so.
    fn say_claim(&self, node: &mut Node, claim: &Entry, findings: &mut Findings) {
        let conditions = claim.tree.find(&["status", "conditions"]).map_or(&[][..], Value::items);
        node.drifted = is_condition(conditions, "Drifted", "True");
        // The controller that sets it may not run; what says nothing of it isn't held back.
        node.consolidatable = !is_condition(conditions, "Consolidatable", "False");
        node.deleting |= Metadata::of(&claim.tree).is_deleting();
        let text = |path: &[&str]| claim.tree.find(path).and_then(Value::as_text);
        let whole = text(&["spec", "expireAfter"]).and_then(duration_seconds);
        let created = text(&["metadata", "creationTimestamp"]).and_then(|text| text.parse().ok());
        let (Some(whole), Some(created)) = (whole.filter(|whole| *whole > 0), created) else {
            return;
        };
        let Some(now) = self.now else {
            let message = "without the present instant it counts as new";
            findings.note("", format!("its claim expires after a time; {message}"));
            return;
        };
        let created: Timestamp = created;
        let age = now.seconds().saturating_sub(created.seconds()).clamp(0, whole);
        let left = i128::from(whole - age) * 1_000_000_000 / i128::from(whole);
        node.lifetime_remaining = u32::try_from(left).unwrap_or(0);
    }

    /// A claim that has no node yet: a node on its way, under the claim's name.
    ///
    /// The labels are those of the claim and of its requirements with one value, which is what the
    /// node will have. `None`, with a note, where nothing is known to be launched.
    pub(super) fn launched(&self, entry: &Entry, findings: &mut Findings) -> Option<Node> {
        let metadata = Metadata::of(&entry.tree);
        let path = Path::Text("spec");
        let empty = Value::Map(Vec::new());
        let mut fields = Cursor {
            value: entry.tree.get("spec").unwrap_or(&empty),
            path: &path,
            faults: &mut findings.faults,
        }
        .object_beside(
            &["taints", "startupTaints"],
            &[
                "requirements",
                "resources",
                "nodeClassRef",
                "machineTemplateRef",
                "kubelet",
                "expireAfter",
                "terminationGracePeriod",
            ],
        );
        let taints = all_taints(&mut fields);
        let value = entry.tree.find(&["status", "allocatable"]);
        let at = Path::Text("status.allocatable");
        let amounts = value
            .and_then(|value| resources(Cursor { value, path: &at, faults: &mut findings.faults }));
        let mut labels = metadata.labels(&Path::Text("metadata"), findings);
        for (key, value) in settled(&entry.tree) {
            if labels.get(&key).is_none() {
                let _none = labels.insert(key, value);
            }
        }
        let name = labels.get(well_known::INSTANCE_TYPE);
        let of_type =
            name.and_then(|name| self.types.get(&**name)).map(|of_type| of_type.allocatable());
        let Some(amounts) = amounts.filter(|amounts| !amounts.is_empty()).or(of_type) else {
            findings.note("status", "nothing is launched for it yet, so it is no node");
            return None;
        };
        let mut node = Node::new(Arc::clone(&entry.id.name), amounts);
        node.labels = labels;
        node.taints = taints;
        node.initialized = false;
        node.deleting = metadata.is_deleting();
        findings.note("", "a node that is on its way, called as its claim is");
        findings.faults.end_of_reading();
        check_node(&node, &path, &mut findings.faults);
        Some(node)
    }
}

fn all_taints(fields: &mut Fields<'_>) -> Vec<Taint> {
    let mut taints = fields.list("taints", read_taint);
    taints.extend(fields.list("startupTaints", read_taint));
    taints
}

/// The labels that a claim's requirements leave one value.
///
/// `In` with one value; anything else leaves the label open.
fn settled(tree: &Value<'_>) -> Vec<(Arc<str>, Arc<str>)> {
    let requirements = tree.find(&["spec", "requirements"]).map_or(&[][..], Value::items);
    let one = |requirement: &Value<'_>| {
        let text = |name: &str| requirement.get(name)?.as_text().map(Arc::from);
        match requirement.get("values")?.items() {
            [value] if text("operator").as_deref() == Some("In") => {
                Some((text("key")?, value.as_text()?.into()))
            }
            _ => None,
        }
    };
    requirements.iter().filter_map(one).collect()
}

/// Whether a condition has a status.
pub(super) fn is_condition(conditions: &[Value<'_>], name: &str, status: &str) -> bool {
    let is = |condition: &Value<'_>, field: &str, word: &str| {
        condition.get(field).and_then(Value::as_text) == Some(word)
    };
    conditions
        .iter()
        .any(|condition| is(condition, "type", name) && is(condition, "status", status))
}

/// The taint that a node has which isn't ready.
///
/// The controller sets it a moment later; a dump may be from before.
fn ready(tree: &Value<'_>) -> Option<(&'static str, Effect)> {
    let conditions = tree.find(&["status", "conditions"])?.items();
    if is_condition(conditions, "Ready", "False") {
        Some(("node.kubernetes.io/not-ready", Effect::NoSchedule))
    } else if is_condition(conditions, "Ready", "Unknown") {
        Some(("node.kubernetes.io/unreachable", Effect::NoSchedule))
    } else {
        None
    }
}

/// Says in Karpenter's words what the clouds say in theirs: how a node is paid for.
///
/// Labels that Karpenter's own nodes have stay as they are.
fn say_capacity_type(labels: &mut Labels) {
    let is = |key: &str, word: &str| labels.get(key).is_some_and(|value| &**value == word);
    let spot = is("eks.amazonaws.com/capacityType", "SPOT")
        || is("cloud.google.com/gke-spot", "true")
        || is("cloud.google.com/gke-preemptible", "true")
        || is("kubernetes.azure.com/scalesetpriority", "spot");
    let known = ["eks.amazonaws.com/capacityType", "cloud.google.com/gke-nodepool"]
        .into_iter()
        .chain(["kubernetes.azure.com/agentpool", "kubernetes.azure.com/scalesetpriority"])
        .any(|key| labels.get(key).is_some());
    let reserved = is("eks.amazonaws.com/capacityType", "CAPACITY_BLOCK");
    let word = match (spot, reserved) {
        (true, _) => "spot",
        (false, true) => "reserved",
        (false, false) => "on-demand",
    };
    if (spot || known) && labels.get(well_known::CAPACITY_TYPE).is_none() {
        let _none = labels.insert(well_known::CAPACITY_TYPE, word);
    }
    if let Some(pool) = labels.get("karpenter.sh/provisioner-name").cloned()
        && labels.get(well_known::NODE_POOL).is_none()
    {
        let _none = labels.insert(well_known::NODE_POOL, pool);
    }
}

/// Reads the name of the node of a claim.
pub(super) fn node_of_claim(entry: &Entry) -> Option<Arc<str>> {
    let name = entry.tree.find(&["status", "nodeName"])?.as_text()?;
    (!name.is_empty()).then(|| name.into())
}

/// Why a claim is no node and will be none; nothing where it may be one.
pub(super) fn failed(entry: &Entry) -> Option<String> {
    let conditions = entry.tree.find(&["status", "conditions"])?.items();
    let failed = is_condition(conditions, "Launched", "False");
    failed.then(|| {
        let text = |condition: &Value<'_>, name: &str| {
            condition.get(name).and_then(Value::as_text).map(str::to_owned)
        };
        let of_launch =
            |condition: &&Value<'_>| text(condition, "type").as_deref() == Some("Launched");
        let condition = conditions.iter().find(of_launch);
        let why = condition.and_then(|condition| text(condition, "reason")).unwrap_or_default();
        format!("its launch failed: {}", quoted(&why))
    })
}
