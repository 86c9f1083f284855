//! What became of each object: it is in the problem, something is said of it, or it is refused.

use crate::error::InvalidInput;
use crate::model::fault::{Faults, Path};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Which object: its kind, its namespace and its name.
///
/// It is printed as `Pod default/web`, and as `Node n1` where there is no namespace.
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
