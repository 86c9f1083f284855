//! Pods as plans name them.
//!
//! In documents and plans a pod is one text, "namespace/name". Replicas of one entry are numbered
//! from 0: the entry "web" of three replicas is `default/web-0` to `default/web-2`, an entry of a
//! single pod keeps its name. Names of Kubernetes' objects hold no slash, so the first one
//! separates the two.

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
    ///
    /// # Examples
    /// ```
    /// use plimsoll::plan::PodRef;
    ///
    /// assert_eq!(PodRef::parse("shop/web").map(|pod| pod.name), Some("web"));
    /// assert_eq!(PodRef::parse("web"), None);
    /// ```
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
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default");
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let plan = plimsoll::provision(&problem, &Options::default())?;
    /// let names: Vec<&str> =
    ///     plan.launches().iter().flat_map(|launch| launch.pod_refs()).map(|pod| pod.name).collect();
    /// assert_eq!(names.len(), 3);
    /// assert!(names.contains(&"web-2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
