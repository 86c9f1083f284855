//! The one error type: invalid input, a problem beyond a limit, or a broken invariant.

use std::fmt;

/// Why a call gave no result.
///
/// There are three kinds: the input is invalid ([`Error::is_invalid_input`], every fault at once),
/// the input is beyond a limit of this version ([`Error::is_unsupported`]), or the
/// library found a fault of its own ([`Error::is_internal`]). Pods that can't be placed are never
/// an error: they are part of the plan.
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
}

impl InvalidInput {
    pub(crate) fn new(
        path: impl Into<String>,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), problem: problem.into(), expected: expected.into() }
    }
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; expected {}", self.path, self.problem, self.expected)
    }
}

impl Error {
    /// An error for faults in the input, in the order of the document.
    pub(crate) fn invalid(faults: Vec<InvalidInput>) -> Self {
        Self { kind: Box::new(ErrorKind::Invalid(faults)) }
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
        findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}

impl std::error::Error for Error {}
