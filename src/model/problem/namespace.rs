//! Namespaces and their labels.
//!
//! Only a `namespaceSelector` reads the labels of namespaces, so only those that one should find by
//! their labels have to be listed; a pod's namespace need not be.

use crate::model::Labels;
use std::sync::Arc;

/// A namespace and its labels, which `namespaceSelector` reads.
///
/// # Examples
/// ```
/// use plimsoll::Problem;
/// use plimsoll::model::Namespace;
///
/// let shop = Namespace::new("shop").with_label("team", "checkout");
/// let problem = Problem::builder().namespace(shop).build()?;
/// assert_eq!(problem.namespaces()[0].labels.len(), 1);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Namespace {
    /// The namespace's name.
    pub name: Arc<str>,
    /// Its labels; `kubernetes.io/metadata.name` is implied.
    pub labels: Labels,
}

impl Namespace {
    /// A namespace without labels of its own.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), labels: Labels::new() }
    }

    /// Sets a label.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.labels.insert(key, value);
        self
    }
}
