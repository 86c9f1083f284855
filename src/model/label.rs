//! Labels and the keys that have a meaning of their own.

use super::list::List;
use std::sync::Arc;

/// Keys and values, sorted by key, each key once.
///
/// Clones are cheap: they share the list until one of them is changed.
///
/// # Examples
/// ```
/// use plimsoll::model::Labels;
///
/// let mut labels: Labels = [("app", "web"), ("tier", "front")].into_iter().collect();
/// labels.extend([("tier", "back")]);
/// assert_eq!(labels.get("tier").map(|value| &**value), Some("back"));
/// let keys: Vec<&str> = labels.iter().map(|(key, _)| &**key).collect();
/// assert_eq!(keys, ["app", "tier"]);
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Labels(List<(Arc<str>, Arc<str>)>);

impl Labels {
    /// Shares the memory of others that are the same.
    pub(crate) fn share(&mut self, other: &Self) {
        self.0.share(&other.0);
    }

    /// No labels.
    #[must_use]
    pub const fn new() -> Self {
        Self(List::new())
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Arc<str>> {
        let at = self.0.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Sets a key's value and returns the former one.
    pub fn insert(
        &mut self,
        key: impl Into<Arc<str>>,
        value: impl Into<Arc<str>>,
    ) -> Option<Arc<str>> {
        let (key, value) = (key.into(), value.into());
        match self.0.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(at) => Some(std::mem::replace(&mut self.0.items_mut()[at].1, value)),
            Err(at) => {
                self.0.to_mut().insert(at, (key, value));
                None
            }
        }
    }

    /// Keys and values by key.
    #[must_use]
    pub fn iter(&self) -> LabelIter<'_> {
        self.into_iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(K, V)> for Labels {
    /// Of a key that occurs twice the last value counts.
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        let mut labels = Self::new();
        labels.extend(pairs);
        labels
    }
}

impl<K: Into<Arc<str>>, V: Into<Arc<str>>> Extend<(K, V)> for Labels {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, pairs: T) {
        for (key, value) in pairs {
            let _former = self.insert(key, value);
        }
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a Arc<str>, &'a Arc<str>);
    type IntoIter = LabelIter<'a>;

    fn into_iter(self) -> LabelIter<'a> {
        LabelIter(self.0.iter())
    }
}

/// Goes through labels by key.
#[derive(Clone, Debug)]
pub struct LabelIter<'a>(std::slice::Iter<'a, (Arc<str>, Arc<str>)>);

impl<'a> Iterator for LabelIter<'a> {
    type Item = (&'a Arc<str>, &'a Arc<str>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for LabelIter<'_> {}

/// Label keys that Kubernetes or Karpenter give a meaning.
pub mod well_known {
    /// The node's own name.
    pub const HOSTNAME: &str = "kubernetes.io/hostname";
    /// The zone a node runs in.
    pub const ZONE: &str = "topology.kubernetes.io/zone";
    /// The region a node runs in.
    pub const REGION: &str = "topology.kubernetes.io/region";
    /// The instance type of a node.
    pub const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
    /// The processor architecture of a node.
    pub const ARCH: &str = "kubernetes.io/arch";
    /// The operating system of a node.
    pub const OS: &str = "kubernetes.io/os";
    /// How a node is paid for: "on-demand", "spot" or "reserved".
    pub const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
    /// The node pool a node belongs to.
    pub const NODE_POOL: &str = "karpenter.sh/nodepool";

    /// The key that an outdated name stands for, or the key itself.
    #[must_use]
    pub fn normalized(key: &str) -> &str {
        match key {
            "failure-domain.beta.kubernetes.io/zone" => ZONE,
            "failure-domain.beta.kubernetes.io/region" => REGION,
            "beta.kubernetes.io/arch" => ARCH,
            "beta.kubernetes.io/os" => OS,
            "beta.kubernetes.io/instance-type" => INSTANCE_TYPE,
            other => other,
        }
    }
}
