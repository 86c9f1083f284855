//! Affinity and topology spread in documents, in Kubernetes' shapes.
//!
//! The long names (`requiredDuringSchedulingIgnoredDuringExecution`) and the nesting are
//! Kubernetes', so that this part of a manifest can be pasted as it is.

use super::read::{Cursor, choice, text, texts, whole};
use super::selector::{read_requirement, read_selector, write_requirement, write_selector};
use super::value::Value;
use super::write::{Object, list, word};
use crate::model::{
    Affinity, NodeAffinity, NodeInclusionPolicy, NodeSelectorTerm, PodAffinity, PodAffinityTerm,
    PreferredSchedulingTerm, TopologySpreadConstraint, WeightedPodAffinityTerm, WhenUnsatisfiable,
};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

pub(crate) fn read_affinity(cursor: Cursor<'_>) -> Option<Affinity> {
    let mut fields = cursor.object(&["nodeAffinity", "podAffinity", "podAntiAffinity"]);
    Some(Affinity {
        node_affinity: fields.optional("nodeAffinity", read_node_affinity).unwrap_or_default(),
        pod_affinity: fields.optional("podAffinity", read_pod_affinity).unwrap_or_default(),
        pod_anti_affinity: fields
            .optional("podAntiAffinity", read_pod_affinity)
            .unwrap_or_default(),
    })
}

pub(super) fn write_affinity(affinity: &Affinity) -> Value<'_> {
    Object::new()
        .unless_empty("nodeAffinity", write_node_affinity(&affinity.node_affinity))
        .unless_empty("podAffinity", write_pod_affinity(&affinity.pod_affinity))
        .unless_empty("podAntiAffinity", write_pod_affinity(&affinity.pod_anti_affinity))
        .into()
}

pub(super) fn read_node_affinity(cursor: Cursor<'_>) -> Option<NodeAffinity> {
    let mut fields = cursor.object(&[REQUIRED, PREFERRED]);
    Some(NodeAffinity {
        required: fields.optional(REQUIRED, |cursor| {
            let mut fields = cursor.object(&["nodeSelectorTerms"]);
            fields.required("nodeSelectorTerms", |terms| super::read::list(terms, read_term))
        }),
        preferred: fields.list(PREFERRED, |cursor| {
            let mut fields = cursor.object(&["weight", "preference"]);
            Some(PreferredSchedulingTerm {
                weight: fields.required("weight", whole).unwrap_or(1),
                preference: fields.required("preference", read_term).unwrap_or_default(),
            })
        }),
    })
}

pub(super) fn write_node_affinity(rules: &NodeAffinity) -> Value<'_> {
    Object::new()
        .option(REQUIRED, rules.required.as_deref().map(write_terms))
        .unless_empty(PREFERRED, list(&rules.preferred, write_preference))
        .into()
}

fn write_terms(terms: &[NodeSelectorTerm]) -> Value<'_> {
    Object::new().field("nodeSelectorTerms", list(terms, write_term)).into()
}

fn write_preference(preferred_term: &PreferredSchedulingTerm) -> Value<'_> {
    Object::new()
        .field("weight", preferred_term.weight)
        .field("preference", write_term(&preferred_term.preference))
        .into()
}

pub(crate) fn read_term(cursor: Cursor<'_>) -> Option<NodeSelectorTerm> {
    let mut fields = cursor.object(&["matchExpressions", "matchFields"]);
    Some(NodeSelectorTerm {
        match_expressions: fields.list("matchExpressions", read_requirement),
        match_fields: fields.list("matchFields", read_requirement),
    })
}

pub(super) fn write_term(term: &NodeSelectorTerm) -> Value<'_> {
    Object::new()
        .unless_empty("matchExpressions", list(&term.match_expressions, write_requirement))
        .unless_empty("matchFields", list(&term.match_fields, write_requirement))
        .into()
}

pub(super) fn read_pod_affinity(cursor: Cursor<'_>) -> Option<PodAffinity> {
    let mut fields = cursor.object(&[REQUIRED, PREFERRED]);
    Some(PodAffinity {
        required: fields.list(REQUIRED, read_pod_term),
        preferred: fields.list(PREFERRED, |cursor| {
            let mut fields = cursor.object(&["weight", "podAffinityTerm"]);
            Some(WeightedPodAffinityTerm {
                weight: fields.required("weight", whole).unwrap_or(1),
                term: fields.required("podAffinityTerm", read_pod_term).unwrap_or_default(),
            })
        }),
    })
}

pub(super) fn write_pod_affinity(rules: &PodAffinity) -> Value<'_> {
    Object::new()
        .unless_empty(REQUIRED, list(&rules.required, write_pod_term))
        .unless_empty(PREFERRED, list(&rules.preferred, write_weighted_term))
        .into()
}

fn write_weighted_term(preferred_term: &WeightedPodAffinityTerm) -> Value<'_> {
    Object::new()
        .field("weight", preferred_term.weight)
        .field("podAffinityTerm", write_pod_term(&preferred_term.term))
        .into()
}

pub(super) fn read_pod_term(cursor: Cursor<'_>) -> Option<PodAffinityTerm> {
    let mut fields = cursor.object(&[
        "labelSelector",
        "topologyKey",
        "namespaces",
        "namespaceSelector",
        "matchLabelKeys",
        "mismatchLabelKeys",
    ]);
    Some(PodAffinityTerm {
        label_selector: fields.optional("labelSelector", read_selector),
        topology_key: fields.required("topologyKey", text).unwrap_or_default(),
        namespaces: fields.optional("namespaces", texts).unwrap_or_default(),
        namespace_selector: fields.optional("namespaceSelector", read_selector),
        match_label_keys: fields.optional("matchLabelKeys", texts).unwrap_or_default(),
        mismatch_label_keys: fields.optional("mismatchLabelKeys", texts).unwrap_or_default(),
    })
}

pub(super) fn write_pod_term(term: &PodAffinityTerm) -> Value<'_> {
    Object::new()
        .option("labelSelector", term.label_selector.as_ref().map(write_selector))
        .field("topologyKey", &term.topology_key)
        .unless_empty("namespaces", &term.namespaces)
        .option("namespaceSelector", term.namespace_selector.as_ref().map(write_selector))
        .unless_empty("matchLabelKeys", &term.match_label_keys)
        .unless_empty("mismatchLabelKeys", &term.mismatch_label_keys)
        .into()
}

const WHEN_UNSATISFIABLE: [(&str, WhenUnsatisfiable); 2] = [
    ("DoNotSchedule", WhenUnsatisfiable::DoNotSchedule),
    ("ScheduleAnyway", WhenUnsatisfiable::ScheduleAnyway),
];

const POLICIES: [(&str, NodeInclusionPolicy); 2] =
    [("Honor", NodeInclusionPolicy::Honor), ("Ignore", NodeInclusionPolicy::Ignore)];

pub(crate) fn read_spread(cursor: Cursor<'_>) -> Option<TopologySpreadConstraint> {
    let mut fields = cursor.object(&[
        "maxSkew",
        "topologyKey",
        "whenUnsatisfiable",
        "labelSelector",
        "minDomains",
        "nodeAffinityPolicy",
        "nodeTaintsPolicy",
        "matchLabelKeys",
    ]);
    Some(TopologySpreadConstraint {
        max_skew: fields.required("maxSkew", whole).unwrap_or(1),
        topology_key: fields.required("topologyKey", text).unwrap_or_default(),
        when_unsatisfiable: fields
            .required("whenUnsatisfiable", |cursor| choice(cursor, &WHEN_UNSATISFIABLE))
            .unwrap_or(WhenUnsatisfiable::DoNotSchedule),
        label_selector: fields.optional("labelSelector", read_selector),
        min_domains: fields.optional("minDomains", whole),
        node_affinity_policy: fields
            .optional("nodeAffinityPolicy", |cursor| choice(cursor, &POLICIES))
            .unwrap_or(NodeInclusionPolicy::Honor),
        node_taints_policy: fields
            .optional("nodeTaintsPolicy", |cursor| choice(cursor, &POLICIES))
            .unwrap_or(NodeInclusionPolicy::Ignore),
        match_label_keys: fields.optional("matchLabelKeys", texts).unwrap_or_default(),
    })
}

pub(super) fn write_spread(constraint: &TopologySpreadConstraint) -> Value<'_> {
    let policy = |policy, default| (policy != default).then(|| word(&policy, &POLICIES));
    Object::new()
        .field("maxSkew", constraint.max_skew)
        .field("topologyKey", &constraint.topology_key)
        .field("whenUnsatisfiable", word(&constraint.when_unsatisfiable, &WHEN_UNSATISFIABLE))
        .option("labelSelector", constraint.label_selector.as_ref().map(write_selector))
        .option("minDomains", constraint.min_domains)
        .option(
            "nodeAffinityPolicy",
            policy(constraint.node_affinity_policy, NodeInclusionPolicy::Honor),
        )
        .option(
            "nodeTaintsPolicy",
            policy(constraint.node_taints_policy, NodeInclusionPolicy::Ignore),
        )
        .unless_empty("matchLabelKeys", &constraint.match_label_keys)
        .into()
}
