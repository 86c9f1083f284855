//! A problem with the options that it was solved with: all that an answer depends on.
//!
//! A maintainer who is told of a wrong plan needs the problem and the options, and nothing else:
//! there is no clock, no random number and no state beside them. The document is read as a stream,
//! since it may hold a million pods.

use super::Options;
use super::document::{read_options, write_options};
use crate::error::Error;
use crate::model::Problem;
use crate::model::document::lines::with_lines;
use crate::model::document::read::Cursor;
use crate::model::document::value::Value;
use crate::model::document::{from_text, read_problem, to_text};
use crate::model::fault::{Faults, Path};
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A problem and how its plan was to be made: what a report of a fault needs, since the same of
/// both gives the same plan.
///
/// [`Options::stop`] and [`Options::observer`] are functions and no part of its document: a search
/// that a clock ended is replayed to its limits.
///
/// # Examples
/// ```
/// use plimsoll::options::Replay;
/// use plimsoll::{Effort, Options, Pod, Problem, provision};
///
/// let problem = Problem::builder().pod(Pod::new("web")).build()?;
/// let options = Options::default().with_effort(Effort::FirstFit);
/// let document = Replay::new(problem, options).to_json();
/// let replay = Replay::from_json(&document)?;
/// assert_eq!(replay.options.effort, Effort::FirstFit);
/// let plan = provision(&replay.problem, &replay.options)?;
/// assert_eq!(plan.unschedulable().len(), 1);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Replay {
    /// The problem.
    pub problem: Problem,
    /// How its plan was to be made.
    pub options: Options,
}

const PROBLEM: &str = "problem";
const OPTIONS: &str = "options";

impl Replay {
    /// A problem and how its plan was to be made.
    ///
    /// Clones both where the caller needs them afterwards; problems are cheap to clone.
    #[must_use]
    pub fn new(problem: Problem, options: Options) -> Self {
        Self { problem, options }
    }

    /// Reads `{"problem": …, "options": …}` in JSON, both in their own form; options may be left
    /// out.
    ///
    /// # Errors
    /// Every fault of the document, each with the path of its field, such as
    /// `problem.pods[3].requests`; for text that isn't JSON, the line and the column.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::options::Replay;
    ///
    /// let text = r#"{"options": {"effort": "greedy"}, "problem": {"pods": []}}"#;
    /// let error = Replay::from_json(text).unwrap_err();
    /// assert_eq!(error.findings()[0].path, "problem.instanceTypes");
    /// assert_eq!(error.findings()[0].problem, "missing");
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let reader = |deserializer: &mut serde_json::Deserializer<_>| read_replay(deserializer);
        from_text(text, reader)?.map_err(|error| with_lines(error, text))
    }

    /// The document; it reads back as an equal problem and equal options.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_text(self)
    }

    /// Whether a JSON text is a replay document, by its first field: what reads both these and
    /// problem documents asks this first.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::options::Replay;
    ///
    /// assert!(Replay::is_one(r#"{"problem": {}}"#));
    /// assert!(!Replay::is_one(r#"{"pods": []}"#));
    /// ```
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let inside = text.strip_prefix('{').map(str::trim_start).unwrap_or_default();
        let key = inside.strip_prefix('"').and_then(|rest| rest.split('"').next());
        matches!(key, Some(PROBLEM | OPTIONS))
    }
}

impl<'d> Deserialize<'d> for Replay {
    /// Reads a replay document in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        read_replay(deserializer)?.map_err(serde::de::Error::custom)
    }
}

impl Serialize for Replay {
    /// Writes the replay document.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(Some(2))?;
        document.serialize_entry(OPTIONS, &write_options(&self.options))?;
        document.serialize_entry(PROBLEM, &self.problem)?;
        document.end()
    }
}

fn read_replay<'d, D: Deserializer<'d>>(
    deserializer: D,
) -> Result<Result<Replay, Error>, D::Error> {
    let mut draft = Draft::default();
    let rest = deserializer.deserialize_any(ReplayVisitor { draft: &mut draft })?;
    let mut faults = Faults::default();
    let root = Cursor { value: &rest, path: &Path::Root, faults: &mut faults };
    let mut fields = root.object(&[OPTIONS, PROBLEM]);
    // The problem is read by now, item by item.
    let _read = fields.required(PROBLEM, |_| Some(()));
    let options = fields.optional(OPTIONS, read_options).unwrap_or_default();
    let problem = draft.problem.unwrap_or_else(|| Problem::builder().build());
    let problem = problem.map_err(|error| error.within(PROBLEM));
    Ok(match (faults.into_result(&[]), problem) {
        (Ok(()), Ok(problem)) => Ok(Replay { problem, options }),
        (Ok(()), Err(error)) | (Err(error), Ok(_)) => Err(error),
        (Err(one), Err(other)) => Err(one.beside(other)),
    })
}

/// What is read of a replay while its document passes by.
#[derive(Default)]
struct Draft {
    problem: Option<Result<Problem, Error>>,
}

struct ReplayVisitor<'a> {
    draft: &'a mut Draft,
}

impl<'d> Visitor<'d> for ReplayVisitor<'_> {
    /// The tree of the document, with nothing in place of the problem.
    type Value = Value<'d>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a replay document")
    }

    fn visit_map<A: MapAccess<'d>>(self, mut entries: A) -> Result<Value<'d>, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = match (&*key, &self.draft.problem) {
                (PROBLEM, None) => {
                    self.draft.problem = Some(entries.next_value_seed(ProblemSeed)?);
                    Value::Bool(true)
                }
                _ => entries.next_value()?,
            };
            map.push((key.into(), value));
        }
        Ok(Value::Map(map))
    }
}

/// Reads a problem and keeps its faults apart from those of the format.
struct ProblemSeed;

impl<'d> DeserializeSeed<'d> for ProblemSeed {
    type Value = Result<Problem, Error>;

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        read_problem(deserializer)
    }
}
