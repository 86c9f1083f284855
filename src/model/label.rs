//! Labels and the keys that have a meaning of their own.
//!
//! Labels of pods, nodes, pools, types and namespaces are one type: a sorted list, which is smaller
//! than a map, compares in one pass, and is shared between clones. Keys whose meaning Kubernetes or
//! Karpenter fix stand in [`well_known`].

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
///
/// Looking a key up takes time logarithmic in their number, inserting linear.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Labels(List<(Arc<str>, Arc<str>)>);

impl Labels {
    /// Shares the memory of others that are the same.
    pub(crate) fn share(&mut self, other: &Self) {
        self.0.share(&other.0);
    }

    /// No labels.
    ///
    /// It allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(List::new())
    }

    /// The value of a key.
    ///
    /// `None` where the label is absent; an empty value is a value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Arc<str>> {
        let at = self.0.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Sets a key's value and returns the former one.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::Labels;
    ///
    /// let mut labels = Labels::new();
    /// assert_eq!(labels.insert("app", "web"), None);
    /// assert_eq!(labels.insert("app", "shop").as_deref(), Some("web"));
    /// ```
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
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::Labels;
    ///
    /// let labels: Labels = [("tier", "front"), ("app", "web")].into_iter().collect();
    /// let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    /// assert_eq!(pairs.collect::<Vec<_>>().join(","), "app=web,tier=front");
    /// ```
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
///
/// ```
/// use plimsoll::Pod;
/// use plimsoll::model::well_known;
///
/// let pod = Pod::new("web").with_node_selector(well_known::ZONE, "us-east-1a");
/// assert_eq!(pod.node_selector().iter().next().map(|(key, _)| &**key), Some(well_known::ZONE));
/// assert_eq!(well_known::normalized("beta.kubernetes.io/arch"), well_known::ARCH);
/// assert_eq!(well_known::normalized("example.com/team"), "example.com/team");
/// ```
///
/// Source: <https://kubernetes.io/docs/reference/labels-annotations-taints/> and
/// <https://karpenter.sh/docs/concepts/scheduling/#well-known-labels>.
pub mod well_known {
    /// The node's own name.
    ///
    /// Every launch has one of its own, so as a topology key it makes each node a domain. Running
    /// nodes say theirs; by default it is their name.
    pub const HOSTNAME: &str = "kubernetes.io/hostname";
    /// The zone a node runs in.
    ///
    /// Implied by an offering's zone.
    pub const ZONE: &str = "topology.kubernetes.io/zone";
    /// The region a node runs in.
    ///
    /// Nothing implies it: a type or pool states it where pods ask for it.
    pub const REGION: &str = "topology.kubernetes.io/region";
    /// The instance type of a node.
    ///
    /// Implied by the type's name.
    pub const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
    /// The processor architecture of a node.
    ///
    /// `amd64` or `arm64`, as the type states it.
    pub const ARCH: &str = "kubernetes.io/arch";
    /// The operating system of a node.
    ///
    /// `linux` or `windows`, as the type states it.
    pub const OS: &str = "kubernetes.io/os";
    /// How a node is paid for: "on-demand", "spot" or "reserved".
    ///
    /// Implied by the offering; [`CapacityType`](crate::model::CapacityType) has the words.
    pub const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
    /// The node pool a node belongs to.
    ///
    /// Implied by the pool's name. On a running node it says whose limits and budgets the node
    /// counts in.
    pub const NODE_POOL: &str = "karpenter.sh/nodepool";

    /// The key that an outdated name stands for, or the key itself.
    ///
    /// Kubernetes renamed five labels when they left beta and still writes both; a problem has them
    /// under the current names only, wherever a key stands.
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
