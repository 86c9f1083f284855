//! The certificate document, both ways.
//!
//! Amounts are texts with decimal integers: they have more digits than a float, and readers of JSON
//! often know no other numbers.
//!
//! Amounts are texts: they have more digits than a float, and than most readers' integers. Names of
//! fields are those of [`Certificate`], in camel case; lists that are empty, and numbers that are
//! zero by default, may be left out. Reading checks the form; what a certificate proves only
//! [`verify`](crate::verify()) can say.

use super::{
    Certificate, ConflictGroup, LimitPrice, NodeProof, OfferingProof, PodValue, ReservationPrice,
    WorthProof,
};
use crate::error::Error;
use crate::model::Requirement;
use crate::model::document::read::{Cursor, boolean, list, price, text, texts, whole};
use crate::model::document::selector::{read_requirement, write_requirement};
use crate::model::document::value::Value;
use crate::model::document::write::{self, Object};
use crate::model::document::{parse, to_text};
use crate::model::fault::{Faults, Path};
use crate::model::{Operator, Price};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

impl Certificate {
    /// Reads a certificate document in JSON.
    ///
    /// It is checked for its form only; [`verify`](crate::verify()) says what it proves.
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
    /// use plimsoll::plan::Certificate;
    ///
    /// let certificate = plan.certificate().ok_or("nothing is proved")?.clone();
    /// let read = Certificate::from_json(&certificate.to_json())?;
    /// assert_eq!(read, certificate);
    /// // Kept beside the plan's document it proves the same later.
    /// let later = plimsoll::LaunchPlan::from_json(&plan.to_json())?.with_certificate(read);
    /// assert!(plimsoll::verify(&problem, &later).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Error> {
        read_certificate(&parse(text)?)
    }

    /// The certificate as a JSON document; it reads back as an equal certificate.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_text(&write_certificate(self))
    }
}

impl<'d> Deserialize<'d> for Certificate {
    /// Reads a certificate document in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        read_certificate(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Certificate {
    /// Writes the certificate document.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_certificate(self).serialize(serializer)
    }
}

const LISTS: [&str; 12] = [
    "nodeFee",
    "resources",
    "drivers",
    "pods",
    "groups",
    "limits",
    "reservations",
    "offerings",
    "nodes",
    "proofs",
    "movePrice",
    "exhausted",
];

fn read_certificate(document: &Value<'_>) -> Result<Certificate, Error> {
    let mut faults = Faults::default();
    let root = Cursor { value: document, path: &Path::Root, faults: &mut faults };
    let mut fields = root.object(&LISTS);
    let certificate = Certificate {
        node_fee: fields.optional("nodeFee", price).unwrap_or_default(),
        resources: fields.optional("resources", texts).unwrap_or_default(),
        drivers: fields.optional("drivers", texts).unwrap_or_default(),
        pods: fields.list("pods", read_pods),
        groups: fields.list("groups", read_group),
        limits: fields.list("limits", read_limit),
        reservations: fields.list("reservations", read_reservation),
        offerings: fields.list("offerings", read_offering),
        nodes: fields.list("nodes", read_node),
        proofs: fields.list("proofs", read_proof),
        move_price: fields.optional("movePrice", amount).unwrap_or_default(),
        exhausted: fields.optional("exhausted", price),
    };
    faults.into_result(&LISTS)?;
    Ok(certificate)
}

fn write_certificate(certificate: &Certificate) -> Value<'_> {
    Object::new()
        .unless("nodeFee", Price::ZERO, certificate.node_fee)
        .field("resources", &certificate.resources)
        .unless_empty("drivers", &certificate.drivers)
        .field("pods", write::list(&certificate.pods, write_pods))
        .unless_empty("groups", write::list(&certificate.groups, write_group))
        .unless_empty("limits", write::list(&certificate.limits, write_limit))
        .unless_empty("reservations", write::list(&certificate.reservations, write_reservation))
        .field("offerings", write::list(&certificate.offerings, write_offering))
        .unless_empty("nodes", write::list(&certificate.nodes, write_node))
        .field("proofs", write::list(&certificate.proofs, write_proof))
        .option(
            "movePrice",
            (certificate.move_price != 0).then(|| write_amount(certificate.move_price)),
        )
        .option("exhausted", certificate.exhausted)
        .into()
}

/// An amount: a text with a decimal integer, or an integer.
fn amount(cursor: Cursor<'_>) -> Option<i128> {
    let number = match cursor.value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    match number {
        Some(number) => Some(number),
        None => cursor.wrong("a text with an integer of at most 128 bits"),
    }
}

fn amounts(cursor: Cursor<'_>) -> Option<Vec<i128>> {
    list(cursor, |item| Some(amount(item).unwrap_or_default()))
}

fn write_amount<'d>(amount: i128) -> Value<'d> {
    Value::Text(amount.to_string().into())
}

fn numbers(cursor: Cursor<'_>) -> Option<Vec<u32>> {
    list(cursor, |item| Some(whole(item).unwrap_or_default()))
}

fn write_numbers<'d>(numbers: &[u32]) -> Value<'d> {
    write::list(numbers, |number| Value::from(*number))
}

fn read_pods(cursor: Cursor<'_>) -> Option<PodValue> {
    let mut fields = cursor.object(&[
        "entries",
        "weight",
        "honours",
        "untainted",
        "beyondRunning",
        "perNode",
        "count",
        "value",
    ]);
    Some(PodValue {
        entries: fields.required("entries", texts).unwrap_or_default(),
        weight: fields.optional("weight", whole),
        honours: fields.optional("honours", numbers).unwrap_or_default(),
        untainted: fields.optional("untainted", boolean).unwrap_or_default(),
        beyond_running: fields.optional("beyondRunning", boolean).unwrap_or_default(),
        per_node: fields.optional("perNode", whole),
        count: fields.required("count", whole).unwrap_or_default(),
        value: fields.required("value", amount).unwrap_or_default(),
    })
}

fn write_pods(pods: &PodValue) -> Value<'_> {
    Object::new()
        .field("entries", &pods.entries)
        .option("weight", pods.weight)
        .unless_empty("honours", write_numbers(&pods.honours))
        .unless("untainted", false, pods.untainted)
        .unless("beyondRunning", false, pods.beyond_running)
        .option("perNode", pods.per_node)
        .field("count", pods.count)
        .field("value", write_amount(pods.value))
        .into()
}

fn read_group(cursor: Cursor<'_>) -> Option<ConflictGroup> {
    let mut fields = cursor.object(&["pods", "most"]);
    let pair = |cursor: Cursor<'_>| {
        let Value::List(items) = cursor.value else {
            return cursor.wrong("two numbers: a position and what each pod counts for");
        };
        let [_, _] = &items[..] else {
            return cursor.wrong("two numbers: a position and what each pod counts for");
        };
        let numbers = numbers(cursor)?;
        Some((numbers.first().copied()?, numbers.get(1).copied()?))
    };
    Some(ConflictGroup {
        pods: fields
            .required("pods", |cursor| list(cursor, |item| Some(pair(item).unwrap_or_default())))
            .unwrap_or_default(),
        most: fields.required("most", whole).unwrap_or_default(),
    })
}

fn write_group(group: &ConflictGroup) -> Value<'_> {
    let pair = |(pod, each): &(u32, u32)| write_numbers(&[*pod, *each]);
    Object::new().field("pods", write::list(&group.pods, pair)).field("most", group.most).into()
}

fn read_limit(cursor: Cursor<'_>) -> Option<LimitPrice> {
    let mut fields = cursor.object(&["nodePool", "resource", "price"]);
    Some(LimitPrice {
        node_pool: fields.required("nodePool", text).unwrap_or_default(),
        resource: fields.required("resource", text).unwrap_or_default(),
        price: fields.required("price", amount).unwrap_or_default(),
    })
}

fn write_limit(limit: &LimitPrice) -> Value<'_> {
    Object::new()
        .field("nodePool", &limit.node_pool)
        .field("resource", &limit.resource)
        .field("price", write_amount(limit.price))
        .into()
}

fn read_reservation(cursor: Cursor<'_>) -> Option<ReservationPrice> {
    let mut fields = cursor.object(&["id", "price"]);
    Some(ReservationPrice {
        id: fields.required("id", text).unwrap_or_default(),
        price: fields.required("price", amount).unwrap_or_default(),
    })
}

fn write_reservation(reservation: &ReservationPrice) -> Value<'_> {
    Object::new()
        .field("id", &reservation.id)
        .field("price", write_amount(reservation.price))
        .into()
}

fn read_offering(cursor: Cursor<'_>) -> Option<OfferingProof> {
    let mut fields = cursor.object(&["nodePool", "instanceType", "offerings", "proof"]);
    Some(OfferingProof {
        node_pool: fields.required("nodePool", text).unwrap_or_default(),
        instance_type: fields.required("instanceType", text).unwrap_or_default(),
        offerings: fields.required("offerings", numbers).unwrap_or_default(),
        proof: fields.required("proof", whole).unwrap_or_default(),
    })
}

fn write_offering(offering: &OfferingProof) -> Value<'_> {
    Object::new()
        .field("nodePool", &offering.node_pool)
        .field("instanceType", &offering.instance_type)
        .field("offerings", write_numbers(&offering.offerings))
        .field("proof", offering.proof)
        .into()
}

fn read_node(cursor: Cursor<'_>) -> Option<NodeProof> {
    let mut fields = cursor.object(&["node", "proof"]);
    Some(NodeProof {
        node: fields.required("node", text).unwrap_or_default(),
        proof: fields.required("proof", whole).unwrap_or_default(),
    })
}

fn write_node(node: &NodeProof) -> Value<'_> {
    Object::new().field("node", &node.node).field("proof", node.proof).into()
}

/// A proof is an object with one field, which says what kind of proof it is.
fn read_proof(cursor: Cursor<'_>) -> Option<WorthProof> {
    let (value, path) = (cursor.value, cursor.path);
    let known = match value {
        Value::Map(entries) => entries.len() == 1,
        _ => true,
    };
    if !known {
        return cursor.wrong("an object with one field: the kind of proof");
    }
    let mut fields = Cursor { value, path, faults: cursor.faults }
        .object(&["priced", "table", "full", "crowded", "split", "label", "values"]);
    let priced = fields.optional("priced", |cursor| {
        let mut fields = cursor.object(&["resources", "groups"]);
        Some(WorthProof::Priced {
            resources: fields.optional("resources", amounts).unwrap_or_default(),
            groups: fields.optional("groups", amounts).unwrap_or_default(),
        })
    });
    let table = fields.optional("table", |cursor| {
        let mut fields = cursor.object(&["resource"]);
        let resource = fields.required("resource", whole).unwrap_or_default();
        Some(WorthProof::Table { resource })
    });
    let crowded = fields.optional("crowded", |cursor| {
        let mut fields = cursor.object(&["group"]);
        let group = fields.required("group", whole).unwrap_or_default();
        Some(WorthProof::Crowded { group })
    });
    let full = fields.optional("full", |cursor| {
        let mut fields = cursor.object(&["resource"]);
        let resource = fields.required("resource", whole).unwrap_or_default();
        Some(WorthProof::Full { resource })
    });
    let split = fields.optional("split", |cursor| {
        let mut fields = cursor.object(&["pod", "count", "fewer", "more"]);
        let mut number = |name| fields.required(name, whole).unwrap_or_default();
        Some(WorthProof::Split {
            pod: number("pod"),
            count: number("count"),
            fewer: number("fewer"),
            more: number("more"),
        })
    });
    let label = fields.optional("label", |cursor| {
        let mut fields = cursor.object(&["requirement", "meets", "fails"]);
        let requirement = fields.required("requirement", read_requirement);
        let mut number = |name| fields.required(name, whole).unwrap_or_default();
        let (meets, fails) = (number("meets"), number("fails"));
        let none = || Requirement::new("", Operator::Exists, [""; 0]);
        Some(WorthProof::Label { requirement: requirement.unwrap_or_else(none), meets, fails })
    });
    let values = fields.optional("values", |cursor| {
        let mut fields = cursor.object(&["key", "values", "proofs", "otherwise"]);
        Some(WorthProof::Values {
            key: fields.required("key", text).unwrap_or_default(),
            values: fields.required("values", texts).unwrap_or_default(),
            proofs: fields
                .required("proofs", |cursor| {
                    list(cursor, |item| Some(whole(item).unwrap_or_default()))
                })
                .unwrap_or_default(),
            otherwise: fields.required("otherwise", whole).unwrap_or_default(),
        })
    });
    // A stand-in keeps the positions of what follows.
    let none = WorthProof::Full { resource: 0 };
    let leaf = priced.or(table).or(full).or(crowded);
    Some(leaf.or(split).or(label).or(values).unwrap_or(none))
}

fn write_proof(proof: &WorthProof) -> Value<'_> {
    let (name, fields) = match proof {
        WorthProof::Priced { resources, groups } => {
            let amounts = |list: &[i128]| write::list(list.to_vec(), write_amount);
            let fields = Object::new().unless_empty("resources", amounts(resources));
            ("priced", fields.unless_empty("groups", amounts(groups)))
        }
        WorthProof::Table { resource } => ("table", Object::new().field("resource", *resource)),
        WorthProof::Crowded { group } => ("crowded", Object::new().field("group", *group)),
        WorthProof::Full { resource } => ("full", Object::new().field("resource", *resource)),
        WorthProof::Split { pod, count, fewer, more } => (
            "split",
            Object::new()
                .field("pod", *pod)
                .field("count", *count)
                .field("fewer", *fewer)
                .field("more", *more),
        ),
        WorthProof::Label { requirement, meets, fails } => (
            "label",
            Object::new()
                .field("requirement", write_requirement(requirement))
                .field("meets", *meets)
                .field("fails", *fails),
        ),
        WorthProof::Values { key, values, proofs, otherwise } => (
            "values",
            Object::new()
                .field("key", key)
                .field("values", write::list(values, Value::from))
                .field("proofs", write::list(proofs, |proof| Value::from(*proof)))
                .field("otherwise", *otherwise),
        ),
    };
    Object::new().field(name, fields).into()
}
