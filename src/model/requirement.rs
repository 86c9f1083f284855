//! What a label may be: requirements as written, and the sets of states they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One condition on a label, as it is written in documents.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Requirement {
    /// The label.
    pub key: Arc<str>,
    /// How it is tested.
    pub operator: Operator,
    /// What it is tested with.
    pub values: Vec<Arc<str>>,
    /// Node pools only: at least this many different values must stay possible for a launch.
    pub min_values: Option<u32>,
}

/// The operators of a [`Requirement`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Operator {
    /// One of the values.
    In,
    /// None of the values, or absent.
    NotIn,
    /// Any value.
    Exists,
    /// Absent.
    DoesNotExist,
    /// An integer greater than the value.
    Gt,
    /// An integer less than the value.
    Lt,
    /// An integer not less than the value.
    Gte,
    /// An integer not greater than the value.
    Lte,
}

/// The set of states a label may be in: absent, or one of a set of values; canonical.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ValueSet {
    absent: bool,
    values: Values,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Values {
    /// Exactly these.
    Only(BTreeSet<Arc<str>>),
    /// All but these; with a bound, integers within the bounds alone.
    AllBut { excluded: BTreeSet<Arc<str>>, at_least: Option<i64>, at_most: Option<i64> },
}

impl ValueSet {
    /// Every state, absence included.
    #[must_use]
    pub fn any() -> Self {
        Self {
            absent: true,
            values: Values::AllBut { excluded: BTreeSet::new(), at_least: None, at_most: None },
        }
    }

    /// Absence alone.
    #[must_use]
    pub fn absent() -> Self {
        Self { absent: true, values: Values::Only(BTreeSet::new()) }
    }

    /// One value.
    #[must_use]
    pub fn one(value: impl Into<Arc<str>>) -> Self {
        Self { absent: false, values: Values::Only(BTreeSet::from([value.into()])) }
    }

    /// Whether the label may be in this state (`None`: absent).
    #[must_use]
    pub fn admits(&self, state: Option<&str>) -> bool {
        let _ = (state, &self.values, self.absent);
        false
    }
}

/// Value sets by label key; a key not named may be in any state.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Requirements(BTreeMap<Arc<str>, ValueSet>);
