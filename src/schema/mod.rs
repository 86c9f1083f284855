//! JSON Schemas of the documents (feature `schemars`): what an editor or another tool checks before
//! a document is read.
//!
//! The readers find more: names that aren't names, budgets that aren't numbers, references to what
//! isn't there. A document that a schema refuses is one that a reader refuses, but for fields whose
//! value is `null`, which readers take as left out.
//!
//! A schema is generated for each document (`Problem`, `LaunchPlan`, `ConsolidationPlan`) and for
//! each part that can be read alone:
//!
//! ```
//! use plimsoll::{Pod, Problem};
//! use schemars::schema_for;
//!
//! let pod = schema_for!(Pod);
//! assert_eq!(pod.get("title").and_then(|title| title.as_str()), Some("Pod"));
//! assert!(pod.pointer("/properties/topologySpreadConstraints").is_some());
//! assert!(schema_for!(Problem).pointer("/properties/nodePools").is_some());
//! ```
//!
//! The forms ([`form::Form`]) are written by hand beside the readers rather than derived, since the
//! types of the model aren't shaped like the documents: a pod's labels are a list, its affinity is
//! shared. Tests hold them against the readers: the same fields, the same that must be there, the
//! same words.

mod form;
mod plan;
mod problem;
#[cfg(test)]
mod tests;

use crate::model::{
    Affinity, Budget, Disruption, HostPort, InstanceType, LabelSelector, LabelSelectorRequirement,
    Namespace, Node, NodeAffinity, NodePool, NodeSelectorTerm, Offering, Pod, PodAffinity,
    PodAffinityTerm, PodDisruptionBudget, Problem, Requirement, Reservation, Taint, Toleration,
    TopologySpreadConstraint, Volume,
};
use crate::plan::{ConsolidationPlan, LaunchPlan};
use form::Form;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

macro_rules! schemas {
    ($($document:ty: $form:expr;)*) => {$(
        impl JsonSchema for $document {
            fn schema_name() -> Cow<'static, str> {
                const FORM: &Form = &$form;
                FORM.name.into()
            }

            fn schema_id() -> Cow<'static, str> {
                concat!("plimsoll::", stringify!($document)).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                const FORM: &Form = &$form;
                form::schema(FORM, generator)
            }
        }
    )*};
}

schemas! {
    Affinity: problem::AFFINITY;
    Budget: problem::BUDGET;
    ConsolidationPlan: plan::CONSOLIDATION;
    Disruption: problem::DISRUPTION;
    HostPort: problem::HOST_PORT;
    InstanceType: problem::INSTANCE_TYPE;
    LabelSelector: problem::SELECTOR;
    LabelSelectorRequirement: problem::EXPRESSION;
    LaunchPlan: plan::PLAN;
    Namespace: problem::NAMESPACE;
    Node: problem::NODE;
    NodeAffinity: problem::NODE_AFFINITY;
    NodePool: problem::NODE_POOL;
    NodeSelectorTerm: problem::TERM;
    Offering: problem::OFFERING;
    Pod: problem::POD;
    PodAffinity: problem::POD_AFFINITY;
    PodAffinityTerm: problem::POD_AFFINITY_TERM;
    PodDisruptionBudget: problem::POD_DISRUPTION_BUDGET;
    Problem: problem::PROBLEM;
    Requirement: problem::REQUIREMENT;
    Reservation: problem::RESERVATION;
    Taint: problem::TAINT;
    Toleration: problem::TOLERATION;
    TopologySpreadConstraint: problem::SPREAD;
    Volume: problem::VOLUME;
}
