//! Karpenter's node pools, of each version of its API.
//!
//! Version 1 is what the problem's pools are like. What the versions before it said otherwise is
//! brought into its form first: v1beta1 had another word for a policy and expiry among the rules of
//! disruption; v1alpha5 called a pool a provisioner, and its fields differ.
//!
//! Sources: <https://karpenter.sh/docs/concepts/nodepools/>, and for the versions before
//! <https://karpenter.sh/docs/upgrading/v1-migration/> and
//! <https://karpenter.sh/v0.32/upgrading/v1beta1-migration/>.

use super::dump::Entry;
use super::report::Findings;
use crate::model::document::pool::{read_disruption, read_lifetime, read_span};
use crate::model::document::read::{Cursor, Fields, boolean, labels, resources, whole};
use crate::model::document::selector::read_requirement;
use crate::model::document::taint::read_taint;
use crate::model::document::value::Value;
use crate::model::fault::Path;
use crate::model::{
    ConsolidationPolicy, Delay, Disruption, Labels, NodePool, Operator, Requirement, TimeSpan,
    check_node_pool, well_known,
};
use std::sync::Arc;

/// How long a node lives where the pool says nothing.
const DEFAULT_LIFETIME: Delay = Delay::After(TimeSpan::from_hours(720));

/// What changes how much of a node its pods can have.
const OF_ALLOCATABLE: [&str; 6] =
    ["maxPods", "podsPerCore", "systemReserved", "kubeReserved", "evictionHard", "evictionSoft"];

/// A `NodePool`.
pub(super) fn node_pool(entry: &Entry, findings: &mut Findings) -> NodePool {
    let mut pool = NodePool::new(Arc::clone(&entry.id.name));
    let path = Path::Text("spec");
    let empty = Value::Map(Vec::new());
    let mut fields = Cursor {
        value: entry.tree.get("spec").unwrap_or(&empty),
        path: &path,
        faults: &mut findings.faults,
    }
    .object(&["template", "disruption", "limits", "weight", "replicas"]);
    pool.limits = fields.optional("limits", resources).unwrap_or_default();
    pool.weight = fields.optional("weight", whole).unwrap_or_default();
    pool.replicas = fields.optional("replicas", whole);
    let beta = &*entry.version == "v1beta1";
    let disruption = fields.optional("disruption", |cursor| {
        let value = in_words_of_v1(cursor.value, beta);
        read_disruption(Cursor { value: &value, path: cursor.path, faults: cursor.faults })
    });
    pool.disruption = disruption.unwrap_or_default();
    let mut kubelet = None;
    let _read = fields.optional("template", |cursor| {
        let mut fields = cursor.object(&["metadata", "spec"]);
        pool.labels = fields.optional("metadata", read_labels).unwrap_or_default();
        fields.optional("spec", |cursor| {
            kubelet = cursor.value.get("kubelet").filter(|_| beta).map(of_allocatable);
            let ignored: &[&'static str] = match beta {
                true => &["nodeClassRef", "kubelet", "resources"],
                false => &["nodeClassRef"],
            };
            let mut fields = cursor.object_beside(
                &[
                    "taints",
                    "startupTaints",
                    "requirements",
                    "expireAfter",
                    "terminationGracePeriod",
                ],
                ignored,
            );
            read_nodes(&mut pool, &mut fields);
            // What the API fills in.
            pool.expire_after =
                fields.optional("expireAfter", read_lifetime).or(Some(DEFAULT_LIFETIME));
            pool.termination_grace_period = fields.optional("terminationGracePeriod", read_span);
            Some(())
        })
    });
    if beta {
        let value = entry.tree.find(&["spec", "disruption", "expireAfter"]);
        let path = Path::Text("spec.disruption.expireAfter");
        let faults = &mut findings.faults;
        let said = value.and_then(|value| read_lifetime(Cursor { value, path: &path, faults }));
        pool.expire_after = Some(said.unwrap_or(DEFAULT_LIFETIME));
    }
    refuse_kubelet(kubelet, "spec.template.spec.kubelet", findings);
    checked(pool, findings)
}

/// A `Provisioner`, which a pool of version 1 was once called.
///
/// What `v1alpha5` filled in by itself (linux, amd64, on-demand) is added where nothing is said,
/// since a pool of today would be open there.
pub(super) fn provisioner(entry: &Entry, findings: &mut Findings) -> NodePool {
    let mut pool = NodePool::new(Arc::clone(&entry.id.name));
    let path = Path::Text("spec");
    let empty = Value::Map(Vec::new());
    let value = entry.tree.get("spec").unwrap_or(&empty);
    let kubelet = value.get("kubeletConfiguration").map(of_allocatable);
    let mut fields = Cursor { value, path: &path, faults: &mut findings.faults }.object_beside(
        &[
            "labels",
            "taints",
            "startupTaints",
            "requirements",
            "limits",
            "weight",
            "consolidation",
            "ttlSecondsAfterEmpty",
            "ttlSecondsUntilExpired",
        ],
        &["annotations", "kubeletConfiguration", "provider", "providerRef"],
    );
    pool.labels = fields.optional("labels", labels).unwrap_or_default();
    let _former = pool.labels.insert("karpenter.sh/provisioner-name", Arc::clone(&pool.name));
    read_nodes(&mut pool, &mut fields);
    pool.weight = fields.optional("weight", whole).unwrap_or_default();
    let limits = fields.optional("limits", |cursor| {
        cursor.object(&["resources"]).optional("resources", resources)
    });
    pool.limits = limits.unwrap_or_default();
    let consolidates = fields.optional("consolidation", |cursor| {
        cursor.object(&["enabled"]).optional("enabled", boolean)
    });
    let after_empty: Option<u32> = fields.optional("ttlSecondsAfterEmpty", whole);
    let lifetime: Option<u32> = fields.optional("ttlSecondsUntilExpired", whole);
    pool.expire_after = lifetime.map(|seconds| TimeSpan::from_seconds(seconds.into()).into());
    let mut disruption = Disruption::default();
    match (consolidates, after_empty) {
        (Some(true), _) => {}
        (_, Some(seconds)) => {
            disruption.consolidation_policy = ConsolidationPolicy::WhenEmpty;
            disruption.consolidate_after = TimeSpan::from_seconds(seconds.into()).into();
        }
        (_, None) => disruption.consolidate_after = Delay::Never,
    }
    pool.disruption = disruption;
    // What this version filled in where nothing was said.
    for (key, value) in [
        (well_known::OS, "linux"),
        (well_known::ARCH, "amd64"),
        (well_known::CAPACITY_TYPE, "on-demand"),
    ] {
        if !says(&pool, key) {
            pool.requirements.push(Requirement::new(key, Operator::In, [value]));
        }
    }
    refuse_kubelet(kubelet, "spec.kubeletConfiguration", findings);
    checked(pool, findings)
}

/// Whether a pool has a rule about a label.
///
/// Labels and requirements both fix what a node is like.
fn says(pool: &NodePool, key: &str) -> bool {
    let mut requirements = pool.requirements.iter();
    pool.labels.get(key).is_some()
        || requirements.any(|one| well_known::normalized(&one.key) == key)
}

/// The part of a pool that its nodes are like.
fn read_nodes(pool: &mut NodePool, fields: &mut Fields<'_>) {
    pool.taints = fields.list("taints", read_taint);
    pool.startup_taints = fields.list("startupTaints", read_taint);
    pool.requirements = fields.list("requirements", read_requirement);
}

fn read_labels(cursor: Cursor<'_>) -> Option<Labels> {
    cursor.object_beside(&["labels"], &["annotations"]).optional("labels", labels)
}

/// The rules of disruption as version 1 writes them: numbers of nodes as texts, and without what
/// v1beta1 had there.
///
/// So one reader serves both versions.
fn in_words_of_v1<'d>(disruption: &Value<'d>, beta: bool) -> Value<'d> {
    let Value::Map(entries) = disruption else { return disruption.clone() };
    let number_as_text = |value: &Value<'d>| match value {
        Value::Integer(number) => Value::Text(number.to_string().into()),
        value => value.clone(),
    };
    let budget = |budget: &Value<'d>| match budget {
        Value::Map(fields) => Value::Map(
            fields.iter().map(|(key, value)| (key.clone(), number_as_text(value))).collect(),
        ),
        other => other.clone(),
    };
    let of_field = |(key, value): &(std::borrow::Cow<'d, str>, Value<'d>)| {
        let value = match (&**key, value) {
            ("expireAfter", _) if beta => return None,
            ("consolidationPolicy", Value::Text(word)) if beta && word == "WhenUnderutilized" => {
                Value::Text("WhenEmptyOrUnderutilized".into())
            }
            ("budgets", Value::List(budgets)) => Value::List(budgets.iter().map(budget).collect()),
            (_, value) => value.clone(),
        };
        Some((key.clone(), value))
    };
    Value::Map(entries.iter().filter_map(of_field).collect())
}

/// The first field of a kubelet's configuration that changes what pods can have of a node.
///
/// Reserved resources, eviction thresholds, `maxPods` and the like.
fn of_allocatable(kubelet: &Value<'_>) -> Option<&'static str> {
    OF_ALLOCATABLE.into_iter().find(|field| kubelet.get(field).is_some())
}

fn refuse_kubelet(kubelet: Option<Option<&'static str>>, at: &str, findings: &mut Findings) {
    if let Some(Some(field)) = kubelet {
        findings.refuse(
            &format!("{at}.{field}"),
            "it changes how much of a node pods can have, for this pool alone",
            "types in the catalog that have this much, and no such field",
        );
    }
}

/// A cloud's part of pools, such as an `EC2NodeClass`.
///
/// Subnets, images and security groups are the cloud's, and the catalog is the caller's.
pub(super) fn node_class(entry: &Entry, findings: &mut Findings) {
    let kubelet = entry.tree.find(&["spec", "kubelet"]).map(of_allocatable);
    refuse_kubelet(kubelet, "spec.kubelet", findings);
    findings.note("spec", "not read: the zones of its subnets belong into the pools' requirements");
    for field in ["blockDeviceMappings", "instanceStorePolicy"] {
        if entry.tree.find(&["spec", field]).is_some() {
            let message = "the catalog's ephemeral-storage counts, not what this makes of it";
            findings.note(format!("spec.{field}"), message);
        }
    }
}

fn checked(pool: NodePool, findings: &mut Findings) -> NodePool {
    findings.faults.end_of_reading();
    check_node_pool(&pool, None, &Path::Text("spec"), &mut findings.faults);
    pool
}
