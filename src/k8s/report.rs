//! What became of each object: it is in the problem, something is said of it, or it is refused.
//!
//! Nothing that comes in is lost without a word: each object has an [`Outcome`], and whatever isn't
//! in the problem has a [`Note`] or a [`Refusal`] with the object, the field, and a sentence.
//!
//! ```
//! use plimsoll::k8s::{ConvertOptions, Dump, Outcome};
//!
//! let mut dump = Dump::new();
//! dump.add_text("objects.yaml", "
//! apiVersion: v1
//! kind: ConfigMap
//! metadata: {name: settings}
//! ---
//! apiVersion: v1
//! kind: Pod
//! metadata: {name: web}
//! spec: {schedulerName: mine, containers: []}
//! ");
//! let conversion = dump.convert(&ConvertOptions::default());
//! assert!(conversion.outcomes().iter().all(|(_, outcome)| *outcome == Outcome::Noted));
//! let notes: Vec<String> = conversion.notes().iter().map(ToString::to_string).collect();
//! assert_eq!(notes[0], "ConfigMap settings: plays no part in where pods go");
//! assert!(notes[1].starts_with("Pod web spec.schedulerName: mine may place the pod otherwise"));
//! ```

use crate::error::InvalidInput;
use crate::model::fault::{Faults, Path};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Which object: its kind, its namespace and its name.
///
/// It is printed as `Pod default/web`, and as `Node n1` where there is no namespace.
///
/// Two objects of one group, kind, namespace and name are one object given twice, whatever their
/// versions.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct ObjectId {
    /// The group of the API, without the version; empty for the core's.
    pub group: Arc<str>,
    /// The kind, such as "Pod"; "text" for a text that can't be read.
    pub kind: Arc<str>,
    /// The namespace as the object has it; `None` where it names none.
    pub namespace: Option<Arc<str>>,
    /// The name, or what names are generated from.
    pub name: Arc<str>,
}

/// Something about an object that the problem doesn't hold, and that isn't wrong.
///
/// # Examples
/// ```
/// use plimsoll::k8s::{ConvertOptions, Dump};
///
/// let mut dump = Dump::new();
/// dump.add_text("cron.yaml", "{apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly}}");
/// let conversion = dump.convert(&ConvertOptions::default());
/// let note = &conversion.notes()[0];
/// assert_eq!((&*note.object.kind, &*note.object.name), ("CronJob", "nightly"));
/// assert_eq!(note.message, "its jobs' pods count when there are some");
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Note {
    /// The object.
    pub object: ObjectId,
    /// The field, such as `spec.schedulerName`; empty where it is of the whole object.
    pub path: String,
    /// What became of it, in a sentence.
    pub message: String,
}

/// Why an object is left out: it restricts scheduling in a way that isn't modelled, or is wrong.
///
/// It prints in one line: the object, the field, why, and what was expected.
///
/// # Examples
/// ```
/// use plimsoll::k8s::{ConvertOptions, Dump};
///
/// let mut dump = Dump::new();
/// dump.add_text("pod.yaml", "
/// apiVersion: v1
/// kind: Pod
/// metadata: {name: web, namespace: shop}
/// spec: {containers: [], nodeSelecter: {disk: ssd}}
/// ");
/// let conversion = dump.convert(&ConvertOptions::default());
/// assert_eq!(
///     conversion.refusals()[0].to_string(),
///     "Pod shop/web spec.nodeSelecter: an unknown field; expected nodeSelector?"
/// );
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Refusal {
    /// The object.
    pub object: ObjectId,
    /// The field, such as `spec.resourceClaims`; empty where it is of the whole object.
    pub path: String,
    /// Why.
    pub why: String,
    /// What would be right, or what to do.
    pub instead: String,
}

/// What became of an object, in short.
///
/// Ordered by how much is lost. With [`ConvertOptions::lenient`](super::ConvertOptions::lenient) no
/// object is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// All that matters of it is in the problem.
    Converted,
    /// It is in the problem but for what notes say, or plays no part in it, as they say.
    Noted,
    /// It is left out, and refusals say why.
    Refused,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" {path}") }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.object, at(&self.path), self.message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, path, why, instead } = self;
        write!(f, "{object}{}: {why}; expected {instead}", at(path))
    }
}

/// What is found while one object is converted.
///
/// One for each object, kept by its place among them.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) faults: Faults,
    pub(super) notes: Vec<(String, String)>,
}

impl Findings {
    /// Says something of a field, or of the whole object where the path is empty.
    pub(super) fn note(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.notes.push((path.into(), message.into()));
    }

    /// Refuses the object for a field, or as a whole where the path is empty.
    pub(super) fn refuse(
        &mut self,
        path: &str,
        why: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.faults.add(&Path::Text(path), why, instead);
    }

    /// Whether the object is refused by what is found so far.
    pub(super) fn is_refused(&self) -> bool {
        !self.faults.is_empty()
    }

    /// The faults, and the notes as they are.
    ///
    /// Faults in the order in which they were found.
    pub(super) fn into_parts(self) -> (Vec<InvalidInput>, Vec<(String, String)>) {
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        if let Err(error) = self.faults.into_result(&[]) {
            faults = error.findings().to_vec();
        }
        // What is so of each pod of a template is said once.
        let mut said = BTreeSet::new();
        faults.retain(|fault| said.insert((fault.path.clone(), fault.problem.clone())));
        said.clear();
        notes.extend(self.notes.into_iter().filter(|note| said.insert(note.clone())));
        (faults, notes)
    }
}
