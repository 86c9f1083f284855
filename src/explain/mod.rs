//! Why a pod has no place, and why a node stays: causes as data, and reasons made of them.
//!
//! A [`Cause`] names one rule that took candidates away, with the operands that a cluster's owner
//! needs to change something: what was asked for, what there is, and by how much it fell short. A
//! [`Reason`] is what a plan carries: the cause's code, a sentence, and how many candidates it
//! ruled out. All words are in one file of this module.
//!
//! | type | says |
//! |---|---|
//! | [`Reason`] | code, sentence, number of candidates, and the cause where it is known |
//! | [`Cause`] | which rule, with its operands |
//! | [`LabelConflict`] | of [`Cause::Labels`]: what is needed of a label, and what there is |
//! | [`Miss`] | of [`Cause::Existing`]: what rules out nodes that run |
//! | [`Blocker`] | of [`Cause::Blocked`]: what keeps a running node from going |
//!
//! # Which reasons a pod has
//!
//! Reasons are made once a plan is finished, from the plan as it stands: for each node pool, and
//! for the nodes of the problem together, the rules by which candidates are gone. A pod's reasons
//! add up to all candidates; several rules that only together leave none are one cause,
//! [`Cause::Several`]. With what a reason blames out of the way the pod would fit there;
//! [`question`](crate::question) turns that into changes that can be carried out.
//!
//! Programs read [`Reason::cause`] or [`Reason::code`], people [`Reason::sentence`]. Codes stay the
//! same between versions, sentences don't.
//!
//! # Examples
//! A message to the owner of a workload, without a word taken apart:
//! ```
//! use plimsoll::explain::{Cause, Reason};
//!
//! fn message(reason: &Reason) -> String {
//!     match reason.cause() {
//!         Some(Cause::Taint { taint, .. }) => format!("add a toleration of {}", taint.key),
//!         Some(Cause::Resource { resource, requested, nearest: Some((_, has)), .. }) => {
//!             format!("ask for {} less {resource}", requested.saturating_sub(*has))
//!         }
//!         _ => reason.sentence().to_owned(),
//!     }
//! }
//! let full = Reason::new(&Cause::AntiAffinity, 3);
//! assert_eq!(message(&full), full.to_string());
//! ```

mod blocker;
mod words;

pub use blocker::Blocker;
pub(crate) use words::taint_text;

use crate::model::{Protocol, Quantity, Taint, ValueSet};
use std::cmp::Reverse;
use std::sync::Arc;

/// A rule that keeps a pod from some candidates, with its operands.
///
/// Candidates are the offerings of a node pool's instance types, or, where a variant says so, the
/// nodes of the problem.
///
/// Every variant has a code ([`Cause::code`]) and a sentence (`Display`, without a full stop).
/// `#[non_exhaustive]`: new rules bring new variants, so a `match` ends with a case that shows the
/// sentence.
///
/// # Examples
/// ```
/// use plimsoll::explain::Cause;
///
/// /// What a message to the owner of a pool could say.
/// fn advice(cause: &Cause) -> Option<String> {
///     match cause {
///         Cause::Limit { pool, resource, used, needed, .. } => {
///             let enough = used.saturating_add(*needed);
///             Some(format!("raise the limit of {pool} for {resource} to {enough}"))
///         }
///         Cause::Several { causes } => causes.iter().find_map(advice),
///         _ => None,
///     }
/// }
/// assert_eq!(advice(&Cause::AntiAffinity), None);
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Cause {
    /// The problem has no node pool, so nothing can be launched.
    NoNodePool,
    /// The node pool can use no instance type at all, whatever the pod.
    ///
    /// Its requirements contradict those of every type, or each type that it lists is unknown.
    NoInstanceType {
        /// The node pool.
        pool: Arc<str>,
    },
    /// The pod needs labels that no node of the pool can have together.
    ///
    /// One conflict: what the pod needs of that label no node of the pool has. Several: each can be
    /// had alone, and nothing has all of them, such as a zone and an instance type that isn't sold
    /// there. Node selectors and required node affinity are meant alike.
    Labels {
        /// The node pool.
        pool: Arc<str>,
        /// The smallest set of conditions that leaves no candidate, by key.
        conflicts: Vec<LabelConflict>,
    },
    /// The node pool's nodes have a taint that the pod doesn't tolerate.
    ///
    /// A toleration in the pod's spec, or another pool, would do. `PreferNoSchedule` taints keep
    /// nobody away and are never a cause.
    Taint {
        /// The node pool.
        pool: Arc<str>,
        /// The first such taint.
        taint: Taint,
    },
    /// The pod's volumes are in zones where the node pool can't launch.
    ///
    /// A volume that exists is bound to where it was created (`nodeAffinity` of a
    /// PersistentVolume): the pool has to be allowed to launch there.
    Zone {
        /// The node pool.
        pool: Arc<str>,
        /// Where the volumes are.
        volume_zones: Vec<Arc<str>>,
        /// Where the node pool can launch.
        pool_zones: Vec<Arc<str>>,
    },
    /// No node of the pool has enough of a resource, even when it's empty.
    ///
    /// Allocatable resources count, capacity less overhead, and daemon sets of the pool take their
    /// part first. Where `daemons` is given, the pod itself isn't too large, what runs beside it
    /// is.
    Resource {
        /// The node pool.
        pool: Arc<str>,
        /// The resource.
        resource: Arc<str>,
        /// What the pod requests.
        requested: Quantity,
        /// The nearest miss: the instance type that comes closest and what it has left for pods
        /// beside its daemon sets; `None` when no instance type has the resource.
        nearest: Option<(Arc<str>, Quantity)>,
        /// The daemon sets without which the pod would fit there, and what they take of the
        /// resource together; none where it wouldn't fit anyway.
        daemons: Option<(Vec<Arc<str>>, Quantity)>,
    },
    /// Daemon sets ask for more of a resource than nodes of the pool have, so none can be launched.
    Daemon {
        /// The node pool.
        pool: Arc<str>,
        /// The instance type that comes closest.
        instance_type: Arc<str>,
        /// The daemon sets that ask for it, by name.
        daemons: Vec<Arc<str>>,
        /// The resource.
        resource: Arc<str>,
        /// What they request together.
        requested: Quantity,
        /// What the instance type has.
        available: Quantity,
    },
    /// No node of the pool that is large enough attaches so many volumes, even when it's empty.
    AttachLimit {
        /// The node pool.
        pool: Arc<str>,
        /// The storage driver.
        driver: Arc<str>,
        /// How many volumes of it the pod mounts.
        volumes: u32,
        /// How many a node can attach at most, beside those of its daemon sets.
        most: u32,
    },
    /// Every offering that suits the pod is marked as unavailable.
    ///
    /// They are in the problem and marked so ([`Offering::available`](crate::Offering)), because a
    /// launch failed lately, say: the pod has a place once one is back.
    Unavailable {
        /// The node pool.
        pool: Arc<str>,
    },
    /// The node pool's limit leaves no room for one more node.
    ///
    /// `used + needed` is the least limit that would do, as far as this rule alone is concerned.
    /// Where `needed` is zero the pool is above a limit already, and launches nothing at all
    /// (Karpenter's `spec.limits`).
    Limit {
        /// The node pool.
        pool: Arc<str>,
        /// The limited resource, or `nodes`.
        resource: Arc<str>,
        /// The most that the pool may have.
        limit: Quantity,
        /// What its nodes have by the end of the plan.
        used: Quantity,
        /// What the smallest node that suits the pod would add.
        needed: Quantity,
    },
    /// A reservation is used up.
    Reservation {
        /// The reservation.
        id: Arc<str>,
    },
    /// The pod leaves fewer choices open than the node pool's `minValues` ask for.
    ///
    /// Karpenter's `minValues` keeps choices open for the cloud; a pod that names one instance type
    /// leaves one.
    MinValues {
        /// The node pool.
        pool: Arc<str>,
        /// The label.
        key: Arc<str>,
        /// How many values must stay possible.
        needed: u32,
        /// How many do.
        possible: u32,
    },
    /// Daemon sets of the node pool's nodes hold a host port that the pod needs.
    HostPort {
        /// The node pool.
        pool: Arc<str>,
        /// The port.
        port: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// The pod asks for a node by name, which no launch can promise.
    ///
    /// By a node selector or node affinity over `kubernetes.io/hostname` or the field
    /// `metadata.name`: what a launch will be called nobody knows.
    NodeName {
        /// The node's name.
        node: Arc<str>,
    },
    /// Nodes of the problem can't attach another volume of a driver.
    VolumeLimit {
        /// The driver.
        driver: Arc<str>,
    },
    /// Nodes of the problem run pods that the pod may not share a node with.
    AntiAffinity,
    /// The domains that the pod could use have as many of the pods that it spreads with as its
    /// spread constraint allows.
    ///
    /// This is kube-scheduler's rule: a pod may go where, with it, the count exceeds the lowest by
    /// no more than `maxSkew`. So the domain with the lowest count is the one that holds all others
    /// back, and `lowest` says why it can't be filled.
    TopologySpread {
        /// The label whose values are the domains.
        key: Arc<str>,
        /// How far a domain's count may exceed the lowest.
        max_skew: u32,
        /// The lowest count of all domains; 0 while there are fewer than `minDomains`.
        least: u32,
        /// The domains that may take no more, each with its count of pods, by domain; of single
        /// nodes those that run.
        full: Vec<(Arc<str>, u32)>,
        /// A domain with the lowest count, and what stops the pod there; `None` where that isn't
        /// one thing that can be named.
        lowest: Option<(Arc<str>, Box<Cause>)>,
    },
    /// While there are fewer domains than the pod's spread constraint asks for, the lowest count is
    /// taken as 0, and the domains that there are have as many pods as that allows.
    MinDomains {
        /// The label whose values are the domains.
        key: Arc<str>,
        /// How far a domain's count may exceed the lowest.
        max_skew: u32,
        /// How many domains the spread asks for.
        needed: u32,
        /// The domains that there are, each with its count of pods, by domain.
        domains: Vec<(Arc<str>, u32)>,
    },
    /// A node for the pod would be the first in a domain, and others' spread constraints, which
    /// count the domains of all nodes, don't allow what they have elsewhere beside an empty one.
    EmptyDomain {
        /// The label whose values are the domains.
        key: Arc<str>,
        /// The domain without a node.
        domain: Arc<str>,
    },
    /// The pod must be in one domain with certain pods, and can't.
    PodAffinity {
        /// The label whose values are the domains.
        key: Arc<str>,
        /// The domains in which such pods are, sorted; none where no such pod has a place.
        domains: Vec<Arc<str>>,
    },
    /// The pod must be on a node with certain pods, and can't be on one of theirs.
    PodAffinityNode {
        /// The running nodes where such pods are, by name.
        nodes: Vec<Arc<str>>,
        /// How many nodes to launch have such pods.
        launches: u32,
        /// Whether nothing but room is missing on one of these.
        full: bool,
    },
    /// The domains that the pod could use hold pods that it may not be with.
    PodAntiAffinity {
        /// The label whose values are the domains.
        key: Arc<str>,
        /// The domains that are ruled out, sorted.
        domains: Vec<Arc<str>>,
    },
    /// Pods need each other in one domain, and none of them can be bound first.
    ///
    /// Kube-scheduler lets the first pod of a group in only if it selects itself. Two kinds that
    /// each need the other, and don't select themselves, can never start.
    MutualAffinity,
    /// A topology rule of the pod needs a label that no node it could use has.
    TopologyKey {
        /// The label.
        key: Arc<str>,
    },
    /// The pod is a placeholder that may only use free room, and there is none.
    ///
    /// See [`Placeholder::Free`](crate::model::Placeholder::Free).
    Placeholder,
    /// The node pool is static, and its nodes have no room for the pod.
    StaticPool {
        /// The node pool.
        pool: Arc<str>,
    },
    /// Nodes of the problem are ruled out for another reason.
    Existing {
        /// What they lack.
        miss: Miss,
    },
    /// No candidate is ruled out by one thing alone: at the one that is nearest, all of these stand
    /// in the pod's way at once.
    Several {
        /// What stands in its way, at least two causes, none of them `Several`.
        causes: Vec<Cause>,
    },
    /// A running node stays where it is.
    Blocked {
        /// What keeps it.
        blocker: Blocker,
    },
    /// Nodes of the pool could take the pod, but the search found no plan in which one does: it was
    /// told to stop, or a place for the pod needs an order of binding that it doesn't look for.
    NotFound {
        /// The node pool; `None` where it is a node of the problem.
        pool: Option<Arc<str>>,
    },
}

/// A condition that a pod puts on a label, and what there is.
///
/// # Examples
/// ```
/// use plimsoll::explain::LabelConflict;
/// use plimsoll::model::ValueSet;
///
/// let (needed, offered) = (ValueSet::one("arm64"), ValueSet::one("amd64"));
/// let conflict = LabelConflict::new("kubernetes.io/arch", needed, offered);
/// assert!(!conflict.needed.overlaps(&conflict.offered));
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct LabelConflict {
    /// The label.
    pub key: Arc<str>,
    /// What the pod needs it to be.
    pub needed: ValueSet,
    /// What it can be.
    pub offered: ValueSet,
}

/// What rules out nodes of the problem.
///
/// A [`Cause::Existing`] has one of these; nodes that are ruled out by different things are counted
/// in reasons of their own. The order is that in which they are looked at: what is there first
/// rules a node out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Miss {
    /// They are being deleted.
    Deleting,
    /// Their labels aren't those that the pod needs.
    Labels,
    /// They have taints that the pod doesn't tolerate.
    Taints,
    /// They aren't in the zones of the pod's volumes.
    Zone,
    /// They have too little left of what the pod requests.
    Resources,
    /// Their host ports are taken.
    HostPorts,
    /// They are in domains that the pod's spread, affinity or anti-affinity rules out.
    Topology,
}

impl LabelConflict {
    /// A condition that a pod puts on a label, and what there is.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::explain::{Cause, LabelConflict};
    /// use plimsoll::model::ValueSet;
    ///
    /// let (needed, offered) = (ValueSet::one("arm64"), ValueSet::one("amd64"));
    /// let conflicts = vec![LabelConflict::new("kubernetes.io/arch", needed, offered)];
    /// let cause = Cause::Labels { pool: "default".into(), conflicts };
    /// assert_eq!(
    ///     cause.to_string(),
    ///     "the pod needs kubernetes.io/arch to be arm64, on node pool default it is amd64",
    /// );
    /// ```
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>, needed: ValueSet, offered: ValueSet) -> Self {
        Self { key: key.into(), needed, offered }
    }
}

/// One reason why a pod has no place, with how many candidates it ruled out.
///
/// Reasons are in order: those that ruled out more candidates first, then by code and sentence.
///
/// # Examples
/// ```
/// use plimsoll::explain::{Cause, Reason};
///
/// let reason = Reason::new(&Cause::Reservation { id: "cr-1".into() }, 2);
/// assert_eq!(reason.code(), "reservation");
/// assert_eq!(reason.to_string(), "reservation cr-1 is used up");
/// assert_eq!(reason.cause(), Some(&Cause::Reservation { id: "cr-1".into() }));
/// ```
#[derive(Clone, Debug)]
pub struct Reason {
    pub(crate) code: Arc<str>,
    pub(crate) sentence: Arc<str>,
    pub(crate) candidates: u32,
    /// `None` where a document states the words alone.
    pub(crate) cause: Option<Arc<Cause>>,
}

/// Reasons are equal if their documents are.
impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Reason {}

impl Reason {
    /// The reason that a cause gives, having ruled out so many candidates.
    ///
    /// Candidates are offerings of a pool's types, or nodes; the number plays no part in what the
    /// reason says, but in where it stands among others.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::explain::{Cause, Reason};
    ///
    /// let few = Reason::new(&Cause::NodeName { node: "n1".into() }, 1);
    /// let many = Reason::new(&Cause::NoNodePool, 40);
    /// // What rules out most comes first.
    /// assert!(many < few);
    /// assert_eq!(few.sentence(), "the pod must run on node n1, which can't take it");
    /// ```
    #[must_use]
    pub fn new(cause: &Cause, candidates: u32) -> Self {
        Self {
            code: cause.code().into(),
            sentence: cause.to_string().into(),
            candidates,
            cause: Some(Arc::new(cause.clone())),
        }
    }

    /// The cause as data; `None` of a reason that was read from a document without its operands.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_deref()
    }

    /// The cause's code, such as `min-values`; codes stay the same between versions.
    ///
    /// Alerts and dashboards count by it: it has neither names nor numbers.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The cause as a sentence, without a full stop.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// How many candidates it ruled out.
    ///
    /// Of offerings of a node pool's types, or of nodes of the problem, as the cause is about one
    /// or the other.
    #[must_use]
    pub fn candidates(&self) -> u32 {
        self.candidates
    }
}

impl Ord for Reason {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (Reverse(self.candidates), &self.code, &self.sentence).cmp(&(
            Reverse(other.candidates),
            &other.code,
            &other.sentence,
        ))
    }
}

impl PartialOrd for Reason {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
