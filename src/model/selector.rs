//! Kubernetes' `LabelSelector`: which pods or namespaces a rule means.

use super::Labels;
use std::sync::Arc;

/// A query over labels: every entry of both lists must hold; an empty selector matches everything.
///
/// # Examples
/// ```
/// use plimsoll::model::{LabelSelector, LabelSelectorRequirement, SelectorOperator};
///
/// let stable = LabelSelectorRequirement::new("track", SelectorOperator::NotIn, ["canary"]);
/// let selector = LabelSelector::new().with_label("app", "web").with_expression(stable);
/// assert_eq!(selector.match_labels.get("app").map(|value| &**value), Some("web"));
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    pub match_labels: Labels,
    /// Further conditions.
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One condition of a [`LabelSelector`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct LabelSelectorRequirement {
    /// The label.
    pub key: Arc<str>,
    /// How it is tested.
    pub operator: SelectorOperator,
    /// The values of `In` and `NotIn`.
    pub values: Vec<Arc<str>>,
}

/// The operators of a [`LabelSelectorRequirement`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SelectorOperator {
    /// The label has one of the values.
    In,
    /// The label has none of the values, or is absent.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl LabelSelector {
    /// A selector that matches everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a label with exactly this value.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.match_labels.insert(key, value);
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn with_expression(mut self, expression: LabelSelectorRequirement) -> Self {
        self.match_expressions.push(expression);
        self
    }
}

impl LabelSelectorRequirement {
    /// A condition on a label.
    #[must_use]
    pub fn new<V: Into<Arc<str>>>(
        key: impl Into<Arc<str>>,
        operator: SelectorOperator,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Self { key: key.into(), operator, values: values.into_iter().map(Into::into).collect() }
    }
}
