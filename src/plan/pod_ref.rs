//! Pods as plans name them.

use super::{Binding, Launch, Unschedulable};
use std::fmt;

/// A pod as plans name it: "namespace/name", taken apart.
///
/// # Examples
/// ```
/// use plimsoll::plan::PodRef;
///
/// let pod = PodRef::parse("shop/web-0").unwrap();
/// assert_eq!((pod.namespace, pod.name), ("shop", "web-0"));
/// assert_eq!(pod.to_string(), "shop/web-0");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct PodRef<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The name: of one of several replicas, with its number.
    pub name: &'a str,
}

impl<'a> PodRef<'a> {
    /// Takes a "namespace/name" apart; `None` of a text without a slash.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        Some(Self { namespace, name })
    }
}

impl fmt::Display for PodRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Launch {
    /// The pods that go there, as [`Launch::pods`], taken apart.
    pub fn pod_refs(&self) -> impl Iterator<Item = PodRef<'_>> {
        self.pods.iter().filter_map(|pod| PodRef::parse(pod))
    }
}

impl Binding {
    /// The pod; `None` where a document names none.
    #[must_use]
    pub fn pod_ref(&self) -> Option<PodRef<'_>> {
        PodRef::parse(&self.pod)
    }
}

impl Unschedulable {
    /// The pod; `None` where a document names none.
    #[must_use]
    pub fn pod_ref(&self) -> Option<PodRef<'_>> {
        PodRef::parse(&self.pod)
    }
}
