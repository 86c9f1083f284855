//! Namespaces and their labels.

use crate::model::Labels;
use std::sync::Arc;

/// A namespace and its labels, which `namespaceSelector` reads.
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
