//! Node pools in documents.

use super::read::{Cursor, choice, labels, resources, text, texts, whole};
use super::selector::{read_requirement, write_requirement};
use super::taint::{read_taint, write_taint};
use super::value::Value;
use super::write::{Object, list, word};
use crate::model::{Budget, ConsolidationPolicy, Disruption, NodePool};

const POLICIES: [(&str, ConsolidationPolicy); 3] = [
    ("WhenEmpty", ConsolidationPolicy::WhenEmpty),
    ("WhenEmptyOrUnderutilized", ConsolidationPolicy::WhenEmptyOrUnderutilized),
    ("Balanced", ConsolidationPolicy::Balanced),
];

pub(super) fn read_node_pool(cursor: Cursor<'_>) -> Option<NodePool> {
    let mut fields = cursor.object(&[
        "name",
        "weight",
        "labels",
        "taints",
        "startupTaints",
        "requirements",
        "instanceTypes",
        "limits",
        "replicas",
        "disruption",
        "terminationGracePeriod",
        "expireAfter",
    ]);
    Some(NodePool {
        name: fields.required("name", text).unwrap_or_default(),
        weight: fields.optional("weight", whole).unwrap_or_default(),
        labels: fields.optional("labels", labels).unwrap_or_default(),
        taints: fields.list("taints", read_taint),
        startup_taints: fields.list("startupTaints", read_taint),
        requirements: fields.list("requirements", read_requirement),
        instance_types: fields.optional("instanceTypes", texts),
        limits: fields.optional("limits", resources).unwrap_or_default(),
        replicas: fields.optional("replicas", whole),
        disruption: fields.optional("disruption", read_disruption).unwrap_or_default(),
        termination_grace_period: fields.optional("terminationGracePeriod", text),
        expire_after: fields.optional("expireAfter", text),
    })
}

pub(super) fn write_node_pool(pool: &NodePool) -> Value<'_> {
    Object::new()
        .field("name", &pool.name)
        .unless("weight", 0, pool.weight)
        .unless_empty("labels", &pool.labels)
        .unless_empty("taints", list(&pool.taints, write_taint))
        .unless_empty("startupTaints", list(&pool.startup_taints, write_taint))
        .unless_empty("requirements", list(&pool.requirements, write_requirement))
        .option("instanceTypes", pool.instance_types.as_ref())
        .unless_empty("limits", &pool.limits)
        .option("replicas", pool.replicas)
        .unless_empty("disruption", write_disruption(&pool.disruption))
        .option("terminationGracePeriod", pool.termination_grace_period.as_ref())
        .option("expireAfter", pool.expire_after.as_ref())
        .into()
}

pub(crate) fn read_disruption(cursor: Cursor<'_>) -> Option<Disruption> {
    let mut fields = cursor.object(&["consolidationPolicy", "consolidateAfter", "budgets"]);
    let mut disruption = Disruption::default();
    if let Some(policy) = fields.optional("consolidationPolicy", |word| choice(word, &POLICIES)) {
        disruption.consolidation_policy = policy;
    }
    if let Some(after) = fields.optional("consolidateAfter", text) {
        disruption.consolidate_after = after;
    }
    if fields.has("budgets") {
        disruption.budgets = fields.list("budgets", read_budget);
    }
    Some(disruption)
}

pub(super) fn write_disruption(disruption: &Disruption) -> Value<'_> {
    let default = Disruption::default();
    let Disruption { consolidation_policy, consolidate_after, budgets } = disruption;
    let object = Object::new()
        .option(
            "consolidationPolicy",
            (*consolidation_policy != default.consolidation_policy)
                .then(|| word(consolidation_policy, &POLICIES)),
        )
        .option(
            "consolidateAfter",
            (*consolidate_after != default.consolidate_after).then_some(consolidate_after),
        )
        .option("budgets", (*budgets != default.budgets).then(|| list(budgets, write_budget)));
    object.into()
}

pub(super) fn read_budget(cursor: Cursor<'_>) -> Option<Budget> {
    let mut fields = cursor.object(&["nodes", "reasons", "schedule", "duration"]);
    Some(Budget {
        nodes: fields.required("nodes", text).unwrap_or_default(),
        reasons: fields.optional("reasons", texts).unwrap_or_default(),
        schedule: fields.optional("schedule", text),
        duration: fields.optional("duration", text),
    })
}

pub(super) fn write_budget(budget: &Budget) -> Value<'_> {
    Object::new()
        .field("nodes", &budget.nodes)
        .unless_empty("reasons", &budget.reasons)
        .option("schedule", budget.schedule.as_ref())
        .option("duration", budget.duration.as_ref())
        .into()
}
