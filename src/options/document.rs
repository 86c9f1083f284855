//! Options in documents: all of them but the functions of the caller.
//!
//! Reader and writer of each field stand side by side and share the list of its words, so what is
//! written reads back. A document that names nothing is the default, and the default is written as
//! `{}`.

use super::{
    Effort, Limits, MinValuesPolicy, Objective, Options, PreferencePolicy, ReservedPolicy,
};
use crate::error::Error;
use crate::model::document::consolidation_options::{
    read_consolidation_options, write_consolidation_options,
};
use crate::model::document::part::read_part;
use crate::model::document::read::{Cursor, choice, price, whole};
use crate::model::document::value::Value;
use crate::model::document::write::{Object, word};
use crate::model::document::{lines::with_lines, parse, to_text};
use crate::model::{ConsolidationOptions, Price};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

impl Options {
    /// Reads options in JSON; what isn't named is as by default.
    ///
    /// The fields are `effort` (`"firstFit"`, `"greedy"`, `"refine"` or `{"refine": {"rounds": …,
    /// "attempts": …}}`, each a number or `"none"`), `objective` (`nodeFee`, `interruption`),
    /// `preferences` (`"respect"`, `"ignore"` or `{"priced": …}`), `minValues` (`"strict"`,
    /// `"bestEffort"`), `reserved` (`"fallback"`, `"strict"`) and `consolidation`.
    ///
    /// # Errors
    /// Every fault of the document, each with the path of its field; for text that isn't JSON, the
    /// line and the column.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Effort, Options, PreferencePolicy};
    ///
    /// let options = Options::from_json(
    ///     r#"{"effort": "refine", "preferences": {"priced": 0.001}}"#,
    /// )?;
    /// assert_eq!(options.effort, Effort::Refine(Default::default()));
    /// assert_eq!(options.preferences, PreferencePolicy::Priced("0.001".parse()?));
    /// assert_eq!(Options::from_json(&options.to_json())?, options);
    ///
    /// let error = Options::from_json(r#"{"efort": "refine"}"#).unwrap_err();
    /// let fault = error.findings()[0].to_string();
    /// assert_eq!(fault, "efort (line 1): an unknown field; expected effort?");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Error> {
        read_part(&parse(text)?, read_options).map_err(|error| with_lines(error, text))
    }

    /// The options as a JSON document, defaults left out; [`Options::stop`] and
    /// [`Options::observer`], which are functions, aren't in it.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Effort, Limits, Options};
    ///
    /// assert_eq!(Options::default().to_json(), "{}");
    /// let options = Options::default().with_effort(Effort::Refine(Limits::NONE));
    /// let text = r#"{"effort":{"refine":{"rounds":"none","attempts":"none"}}}"#;
    /// assert_eq!(options.to_json(), text);
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        to_text(self)
    }
}

impl<'d> Deserialize<'d> for Options {
    /// Reads options in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Value::deserialize(deserializer)?;
        read_part(&document, read_options).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Options {
    /// Writes the options, defaults and the caller's functions left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_options(self).serialize(serializer)
    }
}

impl<'d> Deserialize<'d> for ConsolidationOptions {
    /// Reads options in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Value::deserialize(deserializer)?;
        read_part(&document, read_consolidation_options).map_err(serde::de::Error::custom)
    }
}

impl Serialize for ConsolidationOptions {
    /// Writes the options, defaults left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_consolidation_options(self).serialize(serializer)
    }
}

const EFFORTS: [(&str, Effort); 3] = [
    ("firstFit", Effort::FirstFit),
    ("greedy", Effort::Greedy),
    ("refine", Effort::Refine(Limits::DEFAULT)),
];

const PREFERENCES: [(&str, PreferencePolicy); 2] =
    [("respect", PreferencePolicy::Respect), ("ignore", PreferencePolicy::Ignore)];

const MIN_VALUES: [(&str, MinValuesPolicy); 2] =
    [("strict", MinValuesPolicy::Strict), ("bestEffort", MinValuesPolicy::BestEffort)];

const RESERVED: [(&str, ReservedPolicy); 2] =
    [("fallback", ReservedPolicy::Fallback), ("strict", ReservedPolicy::Strict)];

/// What stands for no limit.
const NONE: &str = "none";

pub(super) fn read_options(cursor: Cursor<'_>) -> Option<Options> {
    let mut fields = cursor.object(&[
        "effort",
        "objective",
        "preferences",
        "minValues",
        "reserved",
        "consolidation",
    ]);
    Some(Options {
        effort: fields.optional("effort", read_effort).unwrap_or_default(),
        objective: fields.optional("objective", read_objective).unwrap_or_default(),
        preferences: fields.optional("preferences", read_preferences).unwrap_or_default(),
        min_values: fields
            .optional("minValues", |cursor| choice(cursor, &MIN_VALUES))
            .unwrap_or_default(),
        reserved: fields
            .optional("reserved", |cursor| choice(cursor, &RESERVED))
            .unwrap_or_default(),
        consolidation: fields
            .optional("consolidation", read_consolidation_options)
            .unwrap_or_default(),
        ..Options::default()
    })
}

pub(super) fn write_options(options: &Options) -> Value<'_> {
    let default = Options::default();
    Object::new()
        .option("effort", (options.effort != default.effort).then(|| write_effort(options.effort)))
        .unless_empty("objective", write_objective(&options.objective))
        .option(
            "preferences",
            (options.preferences != default.preferences)
                .then(|| write_preferences(options.preferences)),
        )
        .option(
            "minValues",
            (options.min_values != default.min_values)
                .then(|| word(&options.min_values, &MIN_VALUES)),
        )
        .option(
            "reserved",
            (options.reserved != default.reserved).then(|| word(&options.reserved, &RESERVED)),
        )
        .unless_empty("consolidation", write_consolidation_options(&options.consolidation))
        .into()
}

fn read_effort(cursor: Cursor<'_>) -> Option<Effort> {
    if !matches!(cursor.value, Value::Map(_)) {
        return choice(cursor, &EFFORTS);
    }
    let mut fields = cursor.object(&["refine"]);
    fields.required("refine", |cursor| {
        let mut fields = cursor.object(&["rounds", "attempts"]);
        Some(Effort::Refine(Limits {
            rounds: fields.optional("rounds", read_limit).unwrap_or(Limits::DEFAULT.rounds),
            attempts: fields.optional("attempts", read_limit).unwrap_or(Limits::DEFAULT.attempts),
        }))
    })
}

fn write_effort(effort: Effort) -> Value<'static> {
    match effort {
        Effort::Refine(limits) if limits != Limits::DEFAULT => {
            let limits = Object::new()
                .option("rounds", write_limit(limits.rounds, Limits::DEFAULT.rounds))
                .option("attempts", write_limit(limits.attempts, Limits::DEFAULT.attempts));
            Object::new().field("refine", limits).into()
        }
        effort => word(&effort, &EFFORTS),
    }
}

/// A number that a document can't hold (2^64 - 1) is written as a word.
fn read_limit(cursor: Cursor<'_>) -> Option<u64> {
    match cursor.value {
        Value::Text(text) if text == NONE => Some(u64::MAX),
        Value::Text(text) if text.trim().parse::<u64>().is_err() => {
            cursor.wrong("a whole number, or \"none\" for no limit")
        }
        _ => whole(cursor),
    }
}

fn write_limit(limit: u64, default: u64) -> Option<Value<'static>> {
    (limit != default).then(|| if limit == u64::MAX { NONE.into() } else { limit.into() })
}

fn read_objective(cursor: Cursor<'_>) -> Option<Objective> {
    let mut fields = cursor.object(&["nodeFee", "interruption"]);
    Some(Objective {
        node_fee: fields.optional("nodeFee", price).unwrap_or_default(),
        interruption: fields.optional("interruption", price).unwrap_or_default(),
    })
}

fn write_objective(objective: &Objective) -> Value<'_> {
    Object::new()
        .unless("nodeFee", Price::ZERO, objective.node_fee)
        .unless("interruption", Price::ZERO, objective.interruption)
        .into()
}

fn read_preferences(cursor: Cursor<'_>) -> Option<PreferencePolicy> {
    match cursor.value {
        Value::Map(_) => {}
        Value::Text(text) if PREFERENCES.iter().any(|(word, _)| word == text) => {
            return choice(cursor, &PREFERENCES);
        }
        _ => return cursor.wrong("respect, ignore, or a map such as {\"priced\": 0.001}"),
    }
    let mut fields = cursor.object(&["priced"]);
    fields.required("priced", price).map(PreferencePolicy::Priced)
}

fn write_preferences(policy: PreferencePolicy) -> Value<'static> {
    match policy {
        PreferencePolicy::Priced(price) => Object::new().field("priced", price).into(),
        policy => word(&policy, &PREFERENCES),
    }
}
