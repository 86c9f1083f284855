//! Reasons in documents: a code, its operands, a sentence, and how many candidates it ruled out.
//!
//! An operand is a field of the [`Cause`], under the same name. A reason whose operands are left
//! out is read without its cause.
//!
//! *Idea.* A cause is an enum with some thirty variants, and its document is flat: `{"code":
//! "limit", "pool": "default", "resource": "cpu", …}`. So that reader and writer can't part ways,
//! both are made of one table, a line for each variant: its code, its fields, and what they are
//! called. A type that occurs as an operand says once how it is written and read (`Operand`).
//!
//! *Codes that aren't one to one.* Two codes may mean one variant (`pod-affinity` and
//! `pod-affinity-node-full` differ in a field), and one code two variants (`pod-affinity` is about
//! nodes, or, with a `key`, about other domains). Both are settled by hand, in `read_cause`.
//!
//! *Reading what is newer.* A code that isn't known, or operands that are missing, leave a reason
//! with its words and without its cause, so a document of another version still reads.

use crate::explain::{Blocker, Cause, LabelConflict, Miss, Reason};
use crate::model::document::read::{
    Cursor, Fields, boolean, choice, list, quantity, signed_price, text, whole,
};
use crate::model::document::selector::{read_requirement, write_requirement};
use crate::model::document::taint::{read_taint, write_taint};
use crate::model::document::value::Value;
use crate::model::document::write::{self, Object, word};
use crate::model::fault::{Faults, Path};
use crate::model::{BudgetReason, Price, Protocol, Quantity, Requirement, Taint, ValueSet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// A part of a cause as a field of its reason.
///
/// `add` and `field` are what an object does with it: a value that may be absent overrides both,
/// and isn't written at all where it is `None`.
trait Operand: Sized {
    fn write(&self) -> Value<'_>;

    fn read(cursor: Cursor<'_>) -> Option<Self>;

    fn add<'d>(&'d self, object: Object<'d>, name: &'static str) -> Object<'d> {
        object.field(name, self.write())
    }

    /// The operand of this name; `None` where there is none.
    fn field(fields: &mut Fields<'_>, name: &'static str) -> Option<Self> {
        fields.optional(name, Self::read)
    }
}

/// Every variant of a cause or blocker: its codes, and what its fields are called.
macro_rules! operands {
    ($kind:ident, $write:ident, $read:ident;
     $($($code:literal)|+ => $variant:ident { $($field:ident: $name:literal),* }),* $(,)?) => {
        fn $write<'d>(of: &'d $kind, object: Object<'d>) -> Object<'d> {
            match of {
                $($kind::$variant { $($field),* } => {
                    $(let object = $field.add(object, $name);)*
                    object
                })*
            }
        }

        fn $read(code: &str, fields: &mut Fields<'_>) -> Option<$kind> {
            match code {
                $($($code)|+ => {
                    $(let $field = Operand::field(fields, $name)?;)*
                    Some($kind::$variant { $($field),* })
                })*
                _ => None,
            }
        }
    };
}

operands! {
    Cause, write_operands, read_operands;
    "no-node-pool" => NoNodePool {},
    "no-instance-type" => NoInstanceType { pool: "pool" },
    "labels" => Labels { pool: "pool", conflicts: "conflicts" },
    "taint" => Taint { pool: "pool", taint: "taint" },
    "volume-zone" => Zone { pool: "pool", volume_zones: "volumeZones", pool_zones: "poolZones" },
    "resource" => Resource {
        pool: "pool", resource: "resource", requested: "requested", nearest: "nearest",
        daemons: "daemonSets"
    },
    "daemon" => Daemon {
        pool: "pool", instance_type: "instanceType", daemons: "daemons", resource: "resource",
        requested: "requested", available: "available"
    },
    "attach-limit" => AttachLimit {
        pool: "pool", driver: "driver", volumes: "volumes", most: "most"
    },
    "unavailable" => Unavailable { pool: "pool" },
    "limit" => Limit {
        pool: "pool", resource: "resource", limit: "limit", used: "used", needed: "needed"
    },
    "reservation" => Reservation { id: "id" },
    "min-values" => MinValues {
        pool: "pool", key: "key", needed: "minValues", possible: "possible"
    },
    "host-port" => HostPort { pool: "pool", port: "port", protocol: "protocol" },
    "node-name" => NodeName { node: "node" },
    "volume-limit" => VolumeLimit { driver: "driver" },
    "anti-affinity" => AntiAffinity {},
    "topology-spread" => TopologySpread {
        key: "key", max_skew: "maxSkew", least: "least", full: "fullDomains", lowest: "lowest"
    },
    "min-domains" => MinDomains {
        key: "key", max_skew: "maxSkew", needed: "minDomains", domains: "counts"
    },
    "empty-domain" => EmptyDomain { key: "key", domain: "domain" },
    "pod-affinity" | "pod-affinity-node-full" => PodAffinityNode {
        nodes: "nodes", launches: "launches", full: "full"
    },
    "pod-anti-affinity" => PodAntiAffinity { key: "key", domains: "domains" },
    "pod-affinity-cycle" => MutualAffinity {},
    "topology-key" => TopologyKey { key: "key" },
    "placeholder" => Placeholder {},
    "static-pool" => StaticPool { pool: "pool" },
    "existing-deleting" | "existing-labels" | "existing-taints" | "existing-volume-zone"
    | "existing-resources" | "existing-host-ports" | "existing-topology" => Existing {
        miss: "miss"
    },
    "several" => Several { causes: "causes" },
    "not-found" => NotFound { pool: "pool" },
    // Its code is that of affinity to a node, from which its key tells it.
    "pod-affinity over a key" => PodAffinity { key: "key", domains: "domains" },
    // A blocker has its own code and operands.
    "blocked" => Blocked { blocker: "blocker" },
}

operands! {
    Blocker, write_blocker, read_blocker;
    "deleting" => Deleting {},
    "not-initialized" => NotInitialized {},
    "nominated" => Nominated {},
    "do-not-disrupt" => DoNotDisrupt {},
    "unmanaged" => Unmanaged {},
    "not-consolidatable" => NotConsolidatable {},
    "consolidate-never" => ConsolidateNever { pool: "pool" },
    "node-of-static-pool" => StaticPool { pool: "pool" },
    "when-empty" => WhenEmpty { pool: "pool" },
    "unknown-label" => UnknownLabel { key: "key" },
    "node-budget" => NodeBudget { pool: "pool", reason: "reason" },
    "pod-do-not-disrupt" => PodDoNotDisrupt { pod: "pod" },
    "disruption-budget" => PodDisruptionBudget { pod: "pod", budget: "budget" },
    "several-disruption-budgets" => SeveralDisruptionBudgets { pod: "pod" },
    "bare-pod" => BarePod { pod: "pod" },
    "no-other-place" => NoOtherPlace { pod: "pod" },
    "unknown-price" => UnknownPrice {},
    "saves-too-little" => SavesTooLittle { savings: "savings", least: "leastSavings" },
    "move-cost" => MoveCost { savings: "savings", cost: "cost" },
    "move-limit" => MoveLimit { most: "most" },
    "few-spot-types" => FewSpotTypes { types: "types", least: "least" },
    "unbalanced" => Unbalanced { pool: "pool" },
    "needed" => Needed {},
    "no-order" => NoOrder {},
}

/// The variant that a reason's code and operands mean.
///
/// Blockers share the space of codes with causes: what is no cause's code is tried as a blocker's.
fn read_cause(code: &str, fields: &mut Fields<'_>) -> Option<Cause> {
    let over_a_key = code == "pod-affinity" && fields.has("key");
    let code = if over_a_key { "pod-affinity over a key" } else { code };
    let blocker = |fields: &mut Fields<'_>| read_blocker(code, fields);
    let cause = read_operands(code, fields);
    cause.or_else(|| Some(Cause::Blocked { blocker: blocker(fields)? }))
}

/// A reason without its words: the code and the operands.
fn write_cause<'d>(cause: &'d Cause, object: Object<'d>) -> Object<'d> {
    let object = object.field("code", cause.code());
    match cause {
        Cause::Blocked { blocker } => write_blocker(blocker, object),
        cause => write_operands(cause, object),
    }
}

/// A field that is none of these is a fault: a misspelt operand would otherwise be a cause silently
/// lost.
const REASON: &[&str] = &[
    "code",
    "sentence",
    "candidates",
    "pool",
    "conflicts",
    "taint",
    "volumeZones",
    "poolZones",
    "resource",
    "requested",
    "nearest",
    "daemonSets",
    "daemons",
    "instanceType",
    "available",
    "driver",
    "volumes",
    "most",
    "limit",
    "used",
    "needed",
    "id",
    "key",
    "minValues",
    "possible",
    "port",
    "protocol",
    "node",
    "maxSkew",
    "least",
    "fullDomains",
    "lowest",
    "minDomains",
    "counts",
    "domain",
    "domains",
    "nodes",
    "launches",
    "full",
    "miss",
    "causes",
    "blocker",
    "reason",
    "pod",
    "budget",
    "savings",
    "leastSavings",
    "cost",
    "types",
];

pub(super) fn read_reason(cursor: Cursor<'_>) -> Option<Reason> {
    let mut fields = cursor.object(REASON);
    let code = fields.required("code", text).unwrap_or_default();
    Some(Reason {
        cause: read_cause(&code, &mut fields).map(Arc::new),
        sentence: fields.required("sentence", text).unwrap_or_default(),
        candidates: fields.required("candidates", whole).unwrap_or_default(),
        code,
    })
}

pub(super) fn write_reason(reason: &Reason) -> Value<'_> {
    let object = match reason.cause() {
        Some(cause) => write_cause(cause, Object::new()),
        None => Object::new().field("code", &reason.code),
    };
    object.field("sentence", &reason.sentence).field("candidates", reason.candidates).into()
}

impl Serialize for Reason {
    /// Writes the reason as plans have it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_reason(self).serialize(serializer)
    }
}

impl<'d> Deserialize<'d> for Reason {
    /// Reads a reason in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        let mut faults = Faults::default();
        let value = Value::deserialize(deserializer)?;
        let root = Cursor { value: &value, path: &Path::Root, faults: &mut faults };
        let reason = read_reason(root);
        faults.into_result(&[]).map_err(serde::de::Error::custom)?;
        reason.ok_or_else(|| serde::de::Error::custom("no reason"))
    }
}

impl Operand for Arc<str> {
    fn write(&self) -> Value<'_> {
        self.into()
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        text(cursor)
    }
}

macro_rules! plain_operands {
    ($($kind:ty: $read:ident),*) => {$(
        impl Operand for $kind {
            fn write(&self) -> Value<'_> {
                (*self).into()
            }

            fn read(cursor: Cursor<'_>) -> Option<Self> {
                $read(cursor)
            }
        }
    )*};
}

plain_operands! { bool: boolean, u16: whole, u32: whole, u64: whole, Price: signed_price }

macro_rules! word_operands {
    ($($kind:ident),*) => {$(
        impl Operand for $kind {
            fn write(&self) -> Value<'_> {
                self.as_str().into()
            }

            fn read(cursor: Cursor<'_>) -> Option<Self> {
                choice(cursor, $kind::WORDS)
            }
        }
    )*};
}

word_operands! { BudgetReason, Protocol }

impl Operand for Blocker {
    fn write(&self) -> Value<'_> {
        write_blocker(self, Object::new().field("code", self.code())).into()
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        let mut fields = cursor.object(REASON);
        let code = fields.required("code", text)?;
        read_blocker(&code, &mut fields)
    }
}

impl Operand for Quantity {
    fn write(&self) -> Value<'_> {
        Value::Text(self.to_string().into())
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        quantity(cursor)
    }
}

impl Operand for Taint {
    fn write(&self) -> Value<'_> {
        write_taint(self)
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        read_taint(cursor)
    }
}

const MISSES: [(&str, Miss); 7] = [
    ("deleting", Miss::Deleting),
    ("labels", Miss::Labels),
    ("taints", Miss::Taints),
    ("volumeZone", Miss::Zone),
    ("resources", Miss::Resources),
    ("hostPorts", Miss::HostPorts),
    ("topology", Miss::Topology),
];

impl Operand for Miss {
    fn write(&self) -> Value<'_> {
        word(self, &MISSES)
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        choice(cursor, &MISSES)
    }
}

/// Sets of values are written as the requirements that they are.
impl Operand for LabelConflict {
    fn write(&self) -> Value<'_> {
        let set = |set: &ValueSet| {
            let requirements = set.to_requirements(&self.key);
            let requirements = requirements.iter().map(|one| owned(write_requirement(one)));
            Value::List(requirements.collect())
        };
        Object::new()
            .field("key", &self.key)
            .field("needed", set(&self.needed))
            .field("offered", set(&self.offered))
            .into()
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        let mut fields = cursor.object(&["key", "needed", "offered"]);
        let key = fields.required("key", text)?;
        let mut set = |name| {
            let requirements: Vec<Requirement> = fields.list(name, read_requirement);
            let sets = requirements.iter().map(ValueSet::from_requirement);
            sets.reduce(|one, other| one.intersect(&other))
        };
        Some(Self { key, needed: set("needed")?, offered: set("offered")? })
    }
}

/// A tree that borrows nothing.
///
/// Requirements are made for the writing, while the trees of documents borrow from plans: this one
/// must hold its own texts.
fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Bool(value) => Value::Bool(value),
        Value::Integer(value) => Value::Integer(value),
        Value::Float(value) => Value::Float(value),
        Value::Text(text) => Value::Text(text.into_owned().into()),
        Value::List(items) => Value::List(items.into_iter().map(owned).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.into_owned().into(), owned(value)))
                .collect(),
        ),
    }
}

/// A cause within another: its code and its operands.
impl Operand for Cause {
    fn write(&self) -> Value<'_> {
        write_cause(self, Object::new()).into()
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        let mut fields = cursor.object(REASON);
        let code = fields.required("code", text)?;
        read_cause(&code, &mut fields)
    }
}

impl<T: Operand> Operand for Box<T> {
    fn write(&self) -> Value<'_> {
        (**self).write()
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        T::read(cursor).map(Self::new)
    }
}

impl<T: Operand> Operand for Vec<T> {
    fn write(&self) -> Value<'_> {
        write::list(self, T::write)
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        list(cursor, T::read)
    }
}

/// Left out where there is none.
impl<T: Operand> Operand for Option<T> {
    fn write(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, T::write)
    }

    fn read(cursor: Cursor<'_>) -> Option<Self> {
        T::read(cursor).map(Some)
    }

    fn add<'d>(&'d self, object: Object<'d>, name: &'static str) -> Object<'d> {
        object.option(name, self.as_ref().map(T::write))
    }

    fn field(fields: &mut Fields<'_>, name: &'static str) -> Option<Self> {
        Some(fields.optional(name, T::read))
    }
}

/// What pairs are called: an object of two fields.
macro_rules! pair_operands {
    ($($first:ty: $one:literal, $second:ty: $other:literal;)*) => {$(
        impl Operand for ($first, $second) {
            fn write(&self) -> Value<'_> {
                Object::new().field($one, self.0.write()).field($other, self.1.write()).into()
            }

            fn read(cursor: Cursor<'_>) -> Option<Self> {
                let mut fields = cursor.object(&[$one, $other]);
                let first = fields.required($one, Operand::read)?;
                Some((first, fields.required($other, Operand::read)?))
            }
        }
    )*};
}

pair_operands! {
    Arc<str>: "instanceType", Quantity: "available";
    Arc<str>: "domain", u32: "pods";
    Arc<str>: "domain", Box<Cause>: "cause";
    Vec<Arc<str>>: "names", Quantity: "requested";
}

#[cfg(test)]
mod tests;
