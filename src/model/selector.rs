//! Kubernetes' `LabelSelector`: which pods or namespaces a rule means.
//!
//! Selectors speak of the labels of pods and namespaces; of nodes' labels
//! [`Requirement`](super::Requirement)s speak, which have more operators. In Kubernetes an absent
//! selector and an empty one are opposites: where a field is an `Option<LabelSelector>`, `None`
//! matches nothing and `Some` of an empty one everything.
//!
//! Source:
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>.

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
    ///
    /// They hold beside `match_labels`, all of them.
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One condition of a [`LabelSelector`].
///
/// With `In` and `NotIn` at least one value is given, with the others none; it is checked when the
/// problem is built.
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
///
/// They are Kubernetes' four.
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
    ///
    /// To match nothing, use `None` where a selector is optional.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a label with exactly this value.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::LabelSelector;
    ///
    /// let web = LabelSelector::new().with_label("app", "web").with_label("tier", "front");
    /// assert_eq!(web.match_labels.len(), 2);
    /// ```
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.match_labels.insert(key, value);
        self
    }

    /// Adds a condition.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{LabelSelector, LabelSelectorRequirement, SelectorOperator};
    ///
    /// let apps = LabelSelectorRequirement::new("app", SelectorOperator::In, ["web", "api"]);
    /// let live = LabelSelectorRequirement::new("old", SelectorOperator::DoesNotExist, [""; 0]);
    /// let selector = LabelSelector::new().with_expression(apps).with_expression(live);
    /// assert_eq!(selector.match_expressions.len(), 2);
    /// ```
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
