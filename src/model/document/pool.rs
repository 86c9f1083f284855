//! Node pools in documents.
//!
//! Durations, budgets and words are read into their types, so a text that isn't one is a fault of
//! the document and not of the checks that follow.

use super::read::{
    Cursor, choice, labels, list as read_list, parsed, resources, text, texts, whole,
};
use super::selector::{read_requirement, write_requirement};
use super::taint::{read_taint, write_taint};
use super::value::Value;
use super::write::{Object, list, word};
use crate::model::{
    Budget, BudgetNodes, BudgetReason, BudgetWindow, ConsolidationPolicy, Delay, Disruption,
    NodePool, TimeSpan,
};

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
        termination_grace_period: fields.optional("terminationGracePeriod", read_span),
        expire_after: fields.optional("expireAfter", read_lifetime),
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
        .option("terminationGracePeriod", pool.termination_grace_period.map(shown))
        .option("expireAfter", pool.expire_after.map(shown))
        .into()
}

pub(crate) fn read_disruption(cursor: Cursor<'_>) -> Option<Disruption> {
    let mut fields = cursor.object(&["consolidationPolicy", "consolidateAfter", "budgets"]);
    let mut disruption = Disruption::default();
    if let Some(policy) = fields.optional("consolidationPolicy", |word| choice(word, &POLICIES)) {
        disruption.consolidation_policy = policy;
    }
    if let Some(after) =
        fields.optional("consolidateAfter", |cursor| parsed(cursor, DURATION, PATIENCE))
    {
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
            (*consolidate_after != default.consolidate_after).then(|| shown(consolidate_after)),
        )
        .option("budgets", (*budgets != default.budgets).then(|| list(budgets, write_budget)));
    object.into()
}

pub(super) fn read_budget(cursor: Cursor<'_>) -> Option<Budget> {
    let mut fields = cursor.object(&["nodes", "reasons", "schedule", "duration"]);
    let none = BudgetNodes::Count(0);
    let nodes =
        fields.required("nodes", |cursor| parsed(cursor, "a number or a share", COUNT_OR_SHARE));
    let mut budget = Budget::new(nodes.unwrap_or(none));
    budget.reasons = fields
        .optional("reasons", |cursor| read_list(cursor, |one| choice(one, BudgetReason::WORDS)))
        .unwrap_or_default();
    let schedule = fields.optional("schedule", text);
    let duration = fields.optional("duration", read_budget_duration);
    if fields.has("schedule") != fields.has("duration") {
        fields.fault_of_all("a schedule or a duration alone", "both, or neither");
    }
    budget.window =
        schedule.zip(duration).map(|(schedule, duration)| BudgetWindow { schedule, duration });
    Some(budget)
}

pub(super) fn write_budget(budget: &Budget) -> Value<'_> {
    let reasons = budget.reasons.iter().map(|reason| reason.as_str());
    let window = budget.window.as_ref();
    Object::new()
        .field("nodes", shown(budget.nodes))
        .unless_empty("reasons", list(reasons, Value::from))
        .option("schedule", window.map(|window| &window.schedule))
        .option("duration", window.map(|window| shown(window.duration)))
        .into()
}

const DURATION: &str = "a duration";
const SPAN: &str = "a duration such as 30s or 1h30m";
const PATIENCE: &str = "a duration such as 30s or 1h30m, or Never";
const LIFETIME: &str = "a duration such as 720h, or Never";
const COUNT_OR_SHARE: &str = "a number of nodes such as 5, or a share of them such as 10%";

/// A duration.
pub(crate) fn read_span(cursor: Cursor<'_>) -> Option<TimeSpan> {
    parsed(cursor, DURATION, SPAN)
}

/// How long a node lives.
pub(crate) fn read_lifetime(cursor: Cursor<'_>) -> Option<Delay> {
    parsed(cursor, DURATION, LIFETIME)
}

/// A duration in hours and minutes; seconds are zero, if they are there at all.
fn read_budget_duration(cursor: Cursor<'_>) -> Option<TimeSpan> {
    let Value::Text(text) = cursor.value else { return cursor.wrong("a text") };
    let in_minutes = text.strip_suffix("0s").unwrap_or(text);
    let span = in_minutes.parse().ok().filter(|_| !in_minutes.contains('s'));
    span.or_else(|| cursor.wrong("a duration in hours and minutes, such as 8h or 1h30m"))
}

fn shown<'d>(value: impl std::fmt::Display) -> Value<'d> {
    Value::Text(value.to_string().into())
}
