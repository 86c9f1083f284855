//! The one error type: invalid input, a problem beyond a limit, or a broken invariant.

use std::collections::BTreeMap;
use std::fmt;

/// Why a call gave no result.
///
/// There are three kinds: the input is invalid ([`Error::is_invalid_input`], every fault at once),
/// the input is beyond a limit of this version ([`Error::is_unsupported`]), or the
/// library found a fault of its own ([`Error::is_internal`]). Pods that can't be placed are never
/// an error: they are part of the plan.
///
/// # Examples
/// ```
/// use plimsoll::{Pod, Problem, Resources};
///
/// let pod = Pod::new("web").with_node_name("n-1");
/// let error = Problem::builder().pod(pod).build().unwrap_err();
/// assert!(error.is_invalid_input());
/// let paths: Vec<&str> = error.findings().iter().map(|fault| fault.path.as_str()).collect();
/// assert_eq!(paths, ["pods[0].nodeName"]);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    kind: Box<ErrorKind>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum ErrorKind {
    Invalid(Vec<InvalidInput>),
    Unsupported(Vec<InvalidInput>),
    Internal(String),
}

/// One fault of the input: where it is, what is wrong, and what would be right.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct InvalidInput {
    /// The field's path in the problem document, such as `pods[3].affinity.nodeAffinity`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub expected: String,
    /// What the item is called that the path goes through, such as `default/web` of a pod; none
    /// where it has no name.
    pub name: Option<String>,
    /// The line of the document, from 1, where it was read as JSON text.
    pub line: Option<usize>,
}

impl InvalidInput {
    pub(crate) fn new(
        path: impl Into<String>,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        let (path, problem, expected) = (path.into(), problem.into(), expected.into());
        Self { path, problem, expected, name: None, line: None }
    }
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl InvalidInput {
    /// The fault, and how many more there are like it.
    fn write(&self, f: &mut fmt::Formatter<'_>, more: usize) -> fmt::Result {
        f.write_str(&self.path)?;
        match (&self.name, self.line) {
            (Some(name), Some(line)) => write!(f, " ({name}, line {line})")?,
            (Some(name), None) => write!(f, " ({name})")?,
            (None, Some(line)) => write!(f, " (line {line})")?,
            (None, None) => {}
        }
        if more > 0 {
            write!(f, " and {more} more like it")?;
        }
        write!(f, ": {}; expected {}", self.problem, self.expected)
    }

    /// What faults have in common that are told as one: the path without the items' numbers, and
    /// what is wrong.
    fn kind(&self) -> (String, &str, &str) {
        let mut path = String::with_capacity(self.path.len());
        for part in self.path.split_inclusive('[') {
            let (number, rest) = part.split_once(']').unwrap_or(("", part));
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            path.push_str(if is_number { rest } else { part });
        }
        (path, &self.problem, &self.expected)
    }
}

impl Error {
    /// An error for faults in the input, in the order of the document.
    pub(crate) fn invalid(faults: Vec<InvalidInput>) -> Self {
        Self { kind: Box::new(ErrorKind::Invalid(faults)) }
    }

    /// The same error, each fault with the line of its path.
    #[cfg(feature = "serde")]
    pub(crate) fn with_lines(mut self, line: impl Fn(&str) -> Option<usize>) -> Self {
        if let ErrorKind::Invalid(faults) = &mut *self.kind {
            faults.iter_mut().for_each(|fault| fault.line = line(&fault.path));
        }
        self
    }

    /// The same error, of an input that is a field of a document.
    #[cfg(feature = "serde")]
    pub(crate) fn within(mut self, field: &str) -> Self {
        if let ErrorKind::Invalid(faults) = &mut *self.kind {
            for fault in faults {
                let root = fault.path == "document";
                fault.path = if root { field.into() } else { format!("{field}.{}", fault.path) };
            }
        }
        self
    }

    /// The faults of both errors; of an error that isn't of faults, that one.
    #[cfg(feature = "serde")]
    pub(crate) fn beside(mut self, other: Self) -> Self {
        match (&mut *self.kind, *other.kind) {
            (ErrorKind::Invalid(faults), ErrorKind::Invalid(others)) => faults.extend(others),
            (_, kind @ (ErrorKind::Unsupported(_) | ErrorKind::Internal(_))) => {
                *self.kind = kind;
            }
            _ => {}
        }
        self
    }

    /// An error for problems beyond a limit.
    pub(crate) fn unsupported(rules: Vec<InvalidInput>) -> Self {
        Self { kind: Box::new(ErrorKind::Unsupported(rules)) }
    }

    /// An error for a broken invariant of the library itself.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self { kind: Box::new(ErrorKind::Internal(what.into())) }
    }

    /// Whether the input is invalid; [`Error::findings`] has every fault.
    #[must_use]
    pub fn is_invalid_input(&self) -> bool {
        matches!(*self.kind, ErrorKind::Invalid(_))
    }

    /// Whether the input is beyond a limit of this version; [`Error::findings`] names each.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(*self.kind, ErrorKind::Unsupported(_))
    }

    /// Whether the library broke one of its own invariants: please report it as a bug.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(*self.kind, ErrorKind::Internal(_))
    }

    /// Every fault of the input, or every rule that isn't supported, in the order of the document.
    #[must_use]
    pub fn findings(&self) -> &[InvalidInput] {
        match &*self.kind {
            ErrorKind::Invalid(findings) | ErrorKind::Unsupported(findings) => findings,
            ErrorKind::Internal(_) => &[],
        }
    }
}

/// The most faults that are told; any further ones are counted.
const MOST_LINES: usize = 50;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, findings) = match &*self.kind {
            ErrorKind::Invalid(findings) => ("the input is invalid", findings),
            ErrorKind::Unsupported(findings) => {
                ("the input is beyond a limit of this version", findings)
            }
            ErrorKind::Internal(what) => return write!(f, "a fault of the library itself: {what}"),
        };
        write!(f, "{head} ({} found)", findings.len())?;
        // A name that is misspelt in every pod is told once.
        let mut kinds: BTreeMap<_, (usize, usize)> = BTreeMap::new();
        for (at, finding) in findings.iter().enumerate() {
            kinds.entry(finding.kind()).or_insert((at, 0)).1 += 1;
        }
        let mut first: Vec<(usize, usize)> = kinds.into_values().collect();
        first.sort_unstable();
        for (at, count) in first.iter().take(MOST_LINES) {
            f.write_str("\n  ")?;
            findings[*at].write(f, count - 1)?;
        }
        match first.len().saturating_sub(MOST_LINES) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more, which `Error::findings` has"),
        }
    }
}

impl std::error::Error for Error {}
