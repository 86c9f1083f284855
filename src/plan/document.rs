//! The plan document, both ways; it shares the trees and words of the problem document.
//!
//! Money is written as a number where the nearest float reads back exactly, and as a text with the
//! decimal number where it doesn't (sums with more digits than a float has). Both are read.
//!
//! *Streams.* Plans of a hundred thousand launches are read and written item by item: a launch is a
//! tree for as long as it takes to read it, and the tree of the whole document is never there.
//! Templates may come after the launches that name them by number, so launches are kept as drafts
//! until all is read. What is the same for neighbours (requests of alike launches, reasons of pods
//! of one kind) is shared in memory again.
//!
//! *Faults.* Reading doesn't end at the first: each field that is missing, misspelt or of the wrong
//! kind is noted with its path, and what couldn't be read has a stand-in until the whole document
//! has been looked at.

use super::reason::{read_reason, write_reason};
use super::template::TemplateList;
use super::{Binding, Cost, Launch, LaunchPlan, LaunchTemplate, OfferingRef, Proof, Unschedulable};
use crate::error::Error;
use crate::explain::Reason;
use crate::model::document::lines::with_lines;
use crate::model::document::read::{Cursor, Fields, choice, labels, price, resources, text, texts};
use crate::model::document::selector::{read_requirement, write_requirement};
use crate::model::document::taint::{read_taint, write_taint};
use crate::model::document::value::{Value, read_items};
use crate::model::document::write::{self, Items, Object, word};
use crate::model::document::{already_read, from_text, to_text};
use crate::model::fault::{Faults, Path};
use crate::model::{CapacityType, Price, Resources, Warning};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cell::RefCell;
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
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default");
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let plan = plimsoll::provision(&problem, &Options::default())?;
    /// use plimsoll::LaunchPlan;
    ///
    /// let read = LaunchPlan::from_json(&plan.to_json())?;
    /// assert_eq!(read, plan);
    /// assert!(read.certificate().is_none());
    ///
    /// let error = LaunchPlan::from_json("{}").unwrap_err();
    /// assert!(error.to_string().contains("cost"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Error> {
        from_text(text, |deserializer| read_plan(deserializer))?
            .map_err(|error| with_lines(error, text))
    }

    /// The plan as a JSON document; it reads back as an equal plan, which has no certificate.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default");
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let plan = plimsoll::provision(&problem, &Options::default())?;
    /// let json = plan.to_json();
    /// assert!(json.contains("\"instanceType\":\"m7.large\""));
    /// // A template stands once, however many launches are of it.
    /// assert_eq!(json.matches("\"nodePool\"").count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        to_text(self)
    }
}

impl<'d> Deserialize<'d> for LaunchPlan {
    /// Reads a plan document in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        read_plan(deserializer)?.map_err(serde::de::Error::custom)
    }
}

impl Serialize for LaunchPlan {
    /// Writes the plan document.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_plan(self, serializer)
    }
}

const PROOFS: [(&str, Proof); 3] =
    [("optimal", Proof::Optimal), ("within", Proof::Within), ("none", Proof::None)];

const LISTS: [&str; 7] =
    ["templates", "launches", "bindings", "unschedulable", "cost", "warnings", "stats"];

/// The lists that are read item by item.
const LONG_LISTS: [&str; 3] = ["launches", "bindings", "unschedulable"];

/// Two results: the outer is the deserializer's own error (text that isn't JSON), the inner all
/// faults of the document.
fn read_plan<'d, D: Deserializer<'d>>(
    deserializer: D,
) -> Result<Result<LaunchPlan, Error>, D::Error> {
    let mut faults = Faults::default();
    let mut launches = LaunchReader::default();
    let mut drafts: Vec<(usize, WrittenLaunch)> = Vec::new();
    let mut bindings: Vec<Binding> = Vec::new();
    let mut out = UnschedulableReader::default();
    let read = |list: &'static str, index: usize, value: &Value<'_>| {
        let path = Path::Root.field(list);
        let cursor = Cursor { value, path: &path.item(index), faults: &mut faults };
        match list {
            "launches" => drafts.push((index, launches.read(cursor))),
            "bindings" => bindings.extend(read_binding(cursor)),
            _ => out.read(cursor),
        }
    };
    let rest = read_items(deserializer, &LONG_LISTS, &RefCell::new(read))?;
    let root = Cursor { value: &rest, path: &Path::Root, faults: &mut faults };
    let mut fields = root.object(&LISTS);
    for list in LONG_LISTS {
        let _read = fields.optional(list, already_read);
    }
    let templates = fields.list("templates", read_template);
    let plan = LaunchPlan {
        launches: Vec::new(),
        bindings,
        unschedulable: out.read,
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
    // Templates may stand after the launches that name them.
    let templates = TemplatesRead::new(templates);
    let path = Path::Root.field("launches");
    let launches = drafts
        .into_iter()
        .filter_map(|(index, draft)| templates.launch(draft, &path.item(index), &mut faults));
    let plan = LaunchPlan { launches: launches.collect(), ..plan };
    Ok(faults.into_result(&LISTS).map(|()| plan))
}

/// Lists are written as they are walked through; the only thing made before is the numbering of
/// templates.
fn write_plan<S: Serializer>(plan: &LaunchPlan, serializer: S) -> Result<S::Ok, S::Error> {
    let templates = TemplateList::of(&plan.launches);
    let launch = |one| launch_fields(Object::new(), one, &templates).into();
    let mut document = serializer.serialize_map(Some(LISTS.len()))?;
    document.serialize_entry(
        "templates",
        &Items::new(&templates.templates, |one: &&LaunchTemplate| write_template(one)),
    )?;
    document.serialize_entry("launches", &Items::new(&plan.launches, launch))?;
    document.serialize_entry("bindings", &Items::new(&plan.bindings, write_binding))?;
    document
        .serialize_entry("unschedulable", &Items::new(&plan.unschedulable, write_unschedulable))?;
    document.serialize_entry("cost", &write_cost(plan.cost))?;
    document.serialize_entry("warnings", &Items::new(&plan.warnings, write_warning))?;
    document.serialize_entry("stats", &Value::from(&plan.stats))?;
    document.end()
}

/// Reads pods without a place; those with the same reasons are neighbours, and share them.
#[derive(Default)]
struct UnschedulableReader {
    read: Vec<Unschedulable>,
    /// The reasons of the pod before.
    former: Option<Arc<[Reason]>>,
}

impl UnschedulableReader {
    fn read(&mut self, cursor: Cursor<'_>) {
        let (pod, read) = read_unschedulable(cursor);
        let reasons = match self.former.take() {
            Some(former) if *former == *read => former,
            _ => read.into(),
        };
        self.former = Some(reasons.clone());
        self.read.push(Unschedulable { pod, reasons });
    }
}

pub(super) fn read_warning(cursor: Cursor<'_>) -> Option<Warning> {
    let mut fields = cursor.object(&["path", "message"]);
    let mut of = |name| fields.required(name, text).unwrap_or_default().to_string();
    Some(Warning { path: of("path"), message: of("message") })
}

pub(super) fn write_warning(warning: &Warning) -> Value<'_> {
    Object::new().field("path", &*warning.path).field("message", &*warning.message).into()
}

/// A launch as it is written, its template by number.
pub(super) struct WrittenLaunch {
    template: Option<i128>,
    pods: Vec<Arc<str>>,
    requests: Arc<Resources>,
}

/// Reads launches.
#[derive(Default)]
pub(super) struct LaunchReader {
    /// The requests of the launch before: launches of one kind are neighbours, and share them.
    former: Arc<Resources>,
}

impl LaunchReader {
    fn read(&mut self, cursor: Cursor<'_>) -> WrittenLaunch {
        self.read_fields(&mut cursor.object(&["template", "pods", "requests"]))
    }

    /// What every launch says.
    pub(super) fn read_fields(&mut self, fields: &mut Fields<'_>) -> WrittenLaunch {
        let requests = fields.optional("requests", resources).unwrap_or_default();
        if *self.former != requests {
            self.former = Arc::new(requests);
        }
        let pods = fields.optional("pods", texts).unwrap_or_default();
        let number = |cursor: Cursor<'_>| match cursor.value {
            Value::Integer(number) => Some(*number),
            _ => cursor.wrong("the number of a template"),
        };
        let template = fields.required("template", number);
        WrittenLaunch { template, pods, requests: self.former.clone() }
    }
}

/// The templates of a document.
pub(super) struct TemplatesRead(Vec<Arc<LaunchTemplate>>);

impl TemplatesRead {
    pub(super) fn new(templates: Vec<LaunchTemplate>) -> Self {
        Self(templates.into_iter().map(Arc::new).collect())
    }

    /// The launch of a draft; that its template isn't there is a fault of the launch at `path`.
    pub(super) fn launch(
        &self,
        draft: WrittenLaunch,
        path: &Path<'_>,
        faults: &mut Faults,
    ) -> Option<Launch> {
        let WrittenLaunch { template, pods, requests } = draft;
        let number = template?;
        let template = usize::try_from(number).ok().and_then(|number| self.0.get(number));
        let Some(template) = template else {
            let expected = format!("the number of one of {} templates, from 0", self.0.len());
            faults.add(&path.field("template"), number.to_string(), expected);
            return None;
        };
        Some(Launch { template: template.clone(), pods, requests })
    }
}

/// Adds what every launch says to an object.
pub(super) fn launch_fields<'d>(
    object: Object<'d>,
    launch: &'d Launch,
    templates: &TemplateList<'d>,
) -> Object<'d> {
    let number = u64::try_from(templates.number(launch)).unwrap_or(u64::MAX);
    object
        .field("template", number)
        .field("pods", &launch.pods)
        .field("requests", &*launch.requests)
}

pub(super) fn read_template(cursor: Cursor<'_>) -> Option<LaunchTemplate> {
    let mut fields = cursor.object(&[
        "nodePool",
        "offering",
        "price",
        "alternatives",
        "labels",
        "taints",
        "startupTaints",
        "capacity",
        "requirements",
    ]);
    let node_pool = fields.required("nodePool", text).unwrap_or_default();
    let mut offering = fields
        .required("offering", |cursor| {
            let fields = cursor.object(&["instanceType", "zone", "capacityType", "reservation"]);
            Some(read_place(fields))
        })
        .unwrap_or_else(no_choice);
    offering.price = fields.required("price", price).unwrap_or_default();
    Some(LaunchTemplate {
        node_pool,
        offering,
        alternatives: Arc::new(fields.list("alternatives", read_choice)),
        labels: Arc::new(fields.optional("labels", labels).unwrap_or_default()),
        taints: fields.list("taints", read_taint),
        startup_taints: fields.list("startupTaints", read_taint),
        capacity: fields.optional("capacity", resources).unwrap_or_default(),
        requirements: Arc::new(fields.list("requirements", read_requirement)),
    })
}

pub(super) fn write_template(template: &LaunchTemplate) -> Value<'_> {
    Object::new()
        .field("nodePool", &template.node_pool)
        .field("offering", write_place(&template.offering))
        .field("price", template.offering.price)
        .field("alternatives", write::list(&*template.alternatives, write_choice))
        .field("labels", &*template.labels)
        .field("taints", write::list(&template.taints, write_taint))
        .field("startupTaints", write::list(&template.startup_taints, write_taint))
        .field("capacity", &template.capacity)
        .field("requirements", write::list(&*template.requirements, write_requirement))
        .into()
}

pub(super) fn read_choice(cursor: Cursor<'_>) -> Option<OfferingRef> {
    let mut fields =
        cursor.object(&["instanceType", "zone", "capacityType", "price", "reservation"]);
    let price = fields.required("price", price).unwrap_or_default();
    Some(OfferingRef { price, ..read_place(fields) })
}

pub(super) fn write_choice(choice: &OfferingRef) -> Value<'_> {
    write_place(choice).field("price", choice.price).into()
}

/// All of a choice but its price.
fn read_place(mut fields: Fields<'_>) -> OfferingRef {
    OfferingRef {
        price: Price::ZERO,
        instance_type: fields.required("instanceType", text).unwrap_or_default(),
        zone: fields.required("zone", text).unwrap_or_default(),
        capacity_type: fields
            .required("capacityType", |cursor| choice(cursor, CapacityType::WORDS))
            .unwrap_or(CapacityType::OnDemand),
        reservation: fields.optional("reservation", text),
    }
}

fn write_place(choice: &OfferingRef) -> Object<'_> {
    Object::new()
        .field("instanceType", &choice.instance_type)
        .field("zone", &choice.zone)
        .field("capacityType", choice.capacity_type.as_str())
        .option("reservation", choice.reservation.as_ref())
}

/// The stand-in for a choice that isn't there.
fn no_choice() -> OfferingRef {
    OfferingRef {
        price: Price::ZERO,
        instance_type: "".into(),
        zone: "".into(),
        capacity_type: CapacityType::OnDemand,
        reservation: None,
    }
}

pub(super) fn read_binding(cursor: Cursor<'_>) -> Option<Binding> {
    let mut fields = cursor.object(&["pod", "node"]);
    Some(Binding {
        pod: fields.required("pod", text).unwrap_or_default(),
        node: fields.required("node", text).unwrap_or_default(),
    })
}

pub(super) fn write_binding(binding: &Binding) -> Value<'_> {
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

pub(super) fn read_stats(cursor: Cursor<'_>) -> Option<BTreeMap<Arc<str>, u64>> {
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
