//! The plan document, both ways; it shares the trees and words of the problem document.
//!
//! Money is written as a number where the nearest float reads back exactly, and as a text with the
//! decimal number where it doesn't (sums with more digits than a float has). Both are read.

use super::{Binding, Cost, Launch, LaunchPlan, LaunchSpec, OfferingRef, Proof, Unschedulable};
use crate::error::Error;
use crate::explain::Reason;
use crate::model::document::read::{Cursor, choice, labels, price, resources, text, texts, whole};
use crate::model::document::selector::{read_requirement, write_requirement};
use crate::model::document::taint::{read_taint, write_taint};
use crate::model::document::value::Value;
use crate::model::document::write::{self, Object, word};
use crate::model::document::{parse, to_text};
use crate::model::fault::{Faults, Path};
use crate::model::{Price, Warning};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

impl LaunchPlan {
    /// Reads a plan document in JSON.
    ///
    /// It is checked for its form only; [`verify`](crate::verify()) says whether it is a plan for a
    /// problem. What `stats` holds besides whole numbers (times, which callers may add) is left
    /// out.
    ///
    /// # Errors
    /// Every fault of the document, each with the path of its field; for text that isn't JSON, the
    /// line and the column.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        read_plan(&parse(text)?)
    }

    /// The plan as a JSON document; it reads back as an equal plan, which has no certificate.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_text(&write_plan(self))
    }
}

impl<'d> Deserialize<'d> for LaunchPlan {
    /// Reads a plan document in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        read_plan(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for LaunchPlan {
    /// Writes the plan document.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_plan(self).serialize(serializer)
    }
}

const PROOFS: [(&str, Proof); 3] =
    [("optimal", Proof::Optimal), ("within", Proof::Within), ("none", Proof::None)];

const LISTS: [&str; 6] = ["launches", "bindings", "unschedulable", "cost", "warnings", "stats"];

fn read_plan(document: &Value<'_>) -> Result<LaunchPlan, Error> {
    let mut faults = Faults::default();
    let root = Cursor { value: document, path: &Path::Root, faults: &mut faults };
    let mut fields = root.object(&LISTS);
    // Launches alike but for their pods are neighbours, and share what they are like.
    let mut former: Option<Arc<LaunchSpec>> = None;
    let mut launch = |cursor: Cursor<'_>| {
        let (spec, pods) = read_launch(cursor);
        let spec = match former.take() {
            Some(former) if *former == spec => former,
            _ => Arc::new(spec),
        };
        former = Some(Arc::clone(&spec));
        Some(Launch { spec, pods })
    };
    let mut reasons: Option<Arc<[Reason]>> = None;
    let mut unschedulable = |cursor: Cursor<'_>| {
        let (pod, read) = read_unschedulable(cursor);
        let shared = match reasons.take() {
            Some(former) if *former == *read => former,
            _ => read.into(),
        };
        reasons = Some(Arc::clone(&shared));
        Some(Unschedulable { pod, reasons: shared })
    };
    let plan = LaunchPlan {
        launches: fields.list("launches", &mut launch),
        bindings: fields.list("bindings", read_binding),
        unschedulable: fields.list("unschedulable", &mut unschedulable),
        cost: fields.required("cost", read_cost).unwrap_or(Cost {
            total: Price::ZERO,
            fees: Price::ZERO,
            lower_bound: Price::ZERO,
            proof: Proof::None,
        }),
        warnings: fields.list("warnings", read_warning),
        stats: fields.optional("stats", read_stats).unwrap_or_default(),
        certificate: None,
        termination: None,
    };
    faults.into_result(&LISTS)?;
    Ok(plan)
}

fn write_plan(plan: &LaunchPlan) -> Value<'_> {
    Object::new()
        .field("launches", write::list(&plan.launches, write_launch))
        .field("bindings", write::list(&plan.bindings, write_binding))
        .field("unschedulable", write::list(&plan.unschedulable, write_unschedulable))
        .field("cost", write_cost(plan.cost))
        .field("warnings", write::list(&plan.warnings, write_warning))
        .field("stats", &plan.stats)
        .into()
}

fn read_warning(cursor: Cursor<'_>) -> Option<Warning> {
    let mut fields = cursor.object(&["path", "message"]);
    let mut of = |name| fields.required(name, text).unwrap_or_default().to_string();
    Some(Warning { path: of("path"), message: of("message") })
}

fn write_warning(warning: &Warning) -> Value<'_> {
    Object::new().field("path", &*warning.path).field("message", &*warning.message).into()
}

fn read_launch(cursor: Cursor<'_>) -> (LaunchSpec, Vec<Arc<str>>) {
    let mut fields = cursor.object(&[
        "nodePool",
        "offering",
        "price",
        "alternatives",
        "labels",
        "taints",
        "requirements",
        "requests",
        "pods",
    ]);
    let node_pool = fields.required("nodePool", text).unwrap_or_default();
    let mut offering = fields
        .required("offering", |cursor| {
            let fields = cursor.object(&["instanceType", "zone", "capacityType", "reservation"]);
            Some(read_place(fields))
        })
        .unwrap_or_else(no_choice);
    offering.price = fields.required("price", price).unwrap_or_default();
    let spec = LaunchSpec {
        node_pool,
        offering,
        alternatives: Arc::new(fields.list("alternatives", read_choice)),
        labels: Arc::new(fields.optional("labels", labels).unwrap_or_default()),
        taints: fields.list("taints", read_taint),
        requirements: Arc::new(fields.list("requirements", read_requirement)),
        requests: fields.optional("requests", resources).unwrap_or_default(),
    };
    (spec, fields.optional("pods", texts).unwrap_or_default())
}

fn write_launch(launch: &Launch) -> Value<'_> {
    let spec = &*launch.spec;
    Object::new()
        .field("nodePool", &spec.node_pool)
        .field("offering", write_place(&spec.offering))
        .field("price", spec.offering.price)
        .field("alternatives", write::list(&*spec.alternatives, write_choice))
        .field("labels", &*spec.labels)
        .field("taints", write::list(&spec.taints, write_taint))
        .field("requirements", write::list(&*spec.requirements, write_requirement))
        .field("requests", &spec.requests)
        .field("pods", &launch.pods)
        .into()
}

fn read_choice(cursor: Cursor<'_>) -> Option<OfferingRef> {
    let mut fields =
        cursor.object(&["instanceType", "zone", "capacityType", "price", "reservation"]);
    let price = fields.required("price", price).unwrap_or_default();
    Some(OfferingRef { price, ..read_place(fields) })
}

fn write_choice(choice: &OfferingRef) -> Value<'_> {
    write_place(choice).field("price", choice.price).into()
}

/// All of a choice but its price.
fn read_place(mut fields: crate::model::document::read::Fields<'_>) -> OfferingRef {
    OfferingRef {
        price: Price::ZERO,
        instance_type: fields.required("instanceType", text).unwrap_or_default(),
        zone: fields.required("zone", text).unwrap_or_default(),
        capacity_type: fields.required("capacityType", text).unwrap_or_default(),
        reservation: fields.optional("reservation", text),
    }
}

fn write_place(choice: &OfferingRef) -> Object<'_> {
    Object::new()
        .field("instanceType", &choice.instance_type)
        .field("zone", &choice.zone)
        .field("capacityType", &choice.capacity_type)
        .option("reservation", choice.reservation.as_ref())
}

/// The stand-in for a choice that isn't there.
fn no_choice() -> OfferingRef {
    OfferingRef {
        price: Price::ZERO,
        instance_type: "".into(),
        zone: "".into(),
        capacity_type: "".into(),
        reservation: None,
    }
}

fn read_binding(cursor: Cursor<'_>) -> Option<Binding> {
    let mut fields = cursor.object(&["pod", "node"]);
    Some(Binding {
        pod: fields.required("pod", text).unwrap_or_default(),
        node: fields.required("node", text).unwrap_or_default(),
    })
}

fn write_binding(binding: &Binding) -> Value<'_> {
    Object::new().field("pod", &binding.pod).field("node", &binding.node).into()
}

fn read_unschedulable(cursor: Cursor<'_>) -> (Arc<str>, Vec<Reason>) {
    let mut fields = cursor.object(&["pod", "reasons"]);
    let pod = fields.required("pod", text).unwrap_or_default();
    (pod, fields.list("reasons", read_reason))
}

fn write_unschedulable(unschedulable: &Unschedulable) -> Value<'_> {
    Object::new()
        .field("pod", &unschedulable.pod)
        .field("reasons", write::list(&*unschedulable.reasons, write_reason))
        .into()
}

fn read_reason(cursor: Cursor<'_>) -> Option<Reason> {
    let mut fields = cursor.object(&["code", "sentence", "candidates"]);
    Some(Reason {
        code: fields.required("code", text).unwrap_or_default(),
        sentence: fields.required("sentence", text).unwrap_or_default(),
        candidates: fields.required("candidates", whole).unwrap_or_default(),
        cause: None,
    })
}

fn write_reason(reason: &Reason) -> Value<'_> {
    Object::new()
        .field("code", &reason.code)
        .field("sentence", &reason.sentence)
        .field("candidates", reason.candidates)
        .into()
}

fn read_cost(cursor: Cursor<'_>) -> Option<Cost> {
    let mut fields = cursor.object(&["total", "fees", "lowerBound", "gap", "proof"]);
    Some(Cost {
        total: fields.required("total", price).unwrap_or_default(),
        fees: fields.required("fees", price).unwrap_or_default(),
        lower_bound: fields.required("lowerBound", price).unwrap_or_default(),
        // The gap follows from the rest, so it is read only to find fault with it.
        proof: {
            let _gap = fields.optional("gap", price);
            fields.required("proof", |cursor| choice(cursor, &PROOFS)).unwrap_or(Proof::None)
        },
    })
}

fn write_cost(cost: Cost) -> Value<'static> {
    Object::new()
        .field("total", cost.total)
        .field("fees", cost.fees)
        .field("lowerBound", cost.lower_bound)
        .field("gap", write::billionths(i128::from(cost.gap_millionths()) * 1000))
        .field("proof", word(&cost.proof, &PROOFS))
        .into()
}

fn read_stats(cursor: Cursor<'_>) -> Option<BTreeMap<Arc<str>, u64>> {
    let Value::Map(entries) = cursor.value else {
        return cursor.wrong("a map");
    };
    let count = |value: &Value<'_>| match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    let counts =
        entries.iter().filter_map(|(name, value)| Some((Arc::from(&**name), count(value)?)));
    Some(counts.collect())
}
