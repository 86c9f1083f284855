//! All that is wrong with a plan.

use super::violation::Violation;
use std::fmt;

/// Every rule that a plan breaks; never empty, sorted, each violation once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violations {
    list: Vec<Violation>,
}

impl Violations {
    /// The violations, if there are any.
    pub(super) fn of(mut list: Vec<Violation>) -> Option<Self> {
        list.sort_unstable();
        list.dedup();
        (!list.is_empty()).then_some(Self { list })
    }

    /// The violations, sorted.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Violation> {
        self.list.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the plan breaks rules ({} found)", self.list.len())?;
        self.list.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}

impl std::error::Error for Violations {}
