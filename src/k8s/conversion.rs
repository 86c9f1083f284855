//! What a conversion is asked, and what it answers.
//!
//! Options are what a dump doesn't say: what can be bought, what time it is, how the scheduler is
//! configured, and how strict to be. The answer is a [`ProblemBuilder`] rather than a problem,
//! since a caller mostly has parts of its own to add.

use super::report::{Note, ObjectId, Outcome, Refusal};
use super::time::Timestamp;
use crate::error::Error;
use crate::model::{InstanceType, Problem, ProblemBuilder, TopologySpreadConstraint};

/// How objects are read.
///
/// # Examples
/// ```
/// use plimsoll::k8s::{ConvertOptions, PodSource, system_default_spreads};
///
/// let mut options = ConvertOptions::default();
/// options.lenient = true;
/// options.now = Some("2026-11-30T09:00:00Z".parse()?);
/// options.default_spreads = system_default_spreads();
/// options.pods = PodSource::Live;
/// assert!(options.catalog.is_empty());
/// # Ok::<(), plimsoll::k8s::ParseTimestampError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConvertOptions {
    /// Makes notes of refusals: what is refused is left out all the same. Of a bound pod what it
    /// asks for is kept, so that its node isn't taken to be emptier than it is.
    ///
    /// Default: `false`.
    pub lenient: bool,
    /// The present, which ages of nodes and pods are counted to; without, each is as if it were
    /// new.
    ///
    /// Read are `expireAfter` of node claims and annotations that keep a pod for a time after its
    /// start.
    pub now: Option<Timestamp>,
    /// What can be bought. Where it isn't empty and no pool is among the objects, a pool called
    /// "default" is added that may buy all of it.
    ///
    /// Node overlays change it, machine groups are pools of one of its types, and nodes that don't
    /// say yet what they have are looked up in it.
    pub catalog: Vec<InstanceType>,
    /// The spreads of pods that have none of their own, as the scheduler's configuration lists
    /// them; none by default. [`system_default_spreads`](super::system_default_spreads) has those
    /// that are built in.
    pub default_spreads: Vec<TopologySpreadConstraint>,
    /// Which pods are planned for.
    pub pods: PodSource,
}

/// Which pods of a dump are planned for: those that there are, or those that templates ask for;
/// both would be the same pods twice.
///
/// # Examples
/// ```
/// use plimsoll::k8s::{ConvertOptions, Dump, PodSource};
///
/// // A deployment as its cluster shows it: two of three pods are there.
/// let mut dump = Dump::new();
/// dump.add_text("web.yaml", "
/// apiVersion: apps/v1
/// kind: Deployment
/// metadata: {name: web}
/// spec:
///   replicas: 3
///   selector: {matchLabels: {app: web}}
///   template: {metadata: {labels: {app: web}}, spec: {containers: []}}
/// ---
/// apiVersion: v1
/// kind: List
/// items:
/// - kind: Pod
///   metadata:
///     name: web-x
///     labels: {app: web}
///     ownerReferences: [{kind: ReplicaSet, name: web-1, controller: true}]
///   spec: {containers: []}
///   status: {phase: Pending}
/// - kind: Pod
///   metadata:
///     name: web-y
///     labels: {app: web}
///     ownerReferences: [{kind: ReplicaSet, name: web-1, controller: true}]
///   spec: {containers: []}
///   status: {phase: Pending}
/// ");
/// let pods = |source| -> Result<u32, plimsoll::Error> {
///     let mut options = ConvertOptions::default();
///     options.pods = source;
///     let problem = dump.convert(&options).problem()?;
///     Ok(problem.pods().iter().map(|pod| pod.replicas()).sum())
/// };
/// assert_eq!(pods(PodSource::Auto)?, 2);
/// assert_eq!(pods(PodSource::Templates)?, 3);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PodSource {
    /// The live pods, if one of them is pending or bound to a node that is here, and the templates
    /// of workloads that have no live pods and no status; else the templates.
    #[default]
    Auto,
    /// The live pods, and the manifests of single pods.
    Live,
    /// The templates of workloads, and the manifests of single pods.
    Templates,
}

/// What a dump comes to.
///
/// # Examples
/// ```
/// use plimsoll::k8s::{ConvertOptions, Dump, Outcome};
///
/// let mut dump = Dump::new();
/// dump.add_text("claims.yaml", "
/// apiVersion: v1
/// kind: Pod
/// metadata: {name: gpu}
/// spec:
///   resourceClaims: [{name: gpu, resourceClaimName: gpu}]
///   containers: [{name: main, resources: {claims: [{name: gpu}]}}]
/// ");
/// let conversion = dump.convert(&ConvertOptions::default());
/// assert_eq!(conversion.outcomes()[0].1, Outcome::Refused);
/// assert_eq!(conversion.refusals()[0].path, "spec.resourceClaims");
/// ```
///
/// It holds the parts of the problem, not the objects: a dump can be dropped once it is converted.
#[derive(Clone, Debug)]
#[must_use]
pub struct Conversion {
    pub(super) parts: ProblemBuilder,
    pub(super) notes: Vec<Note>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) outcomes: Vec<(ObjectId, Outcome)>,
}

impl Conversion {
    /// The problem of all that isn't refused.
    ///
    /// # Errors
    /// What the parts contradict each other in, such as a sum of pods beyond a limit.
    ///
    /// A clone of the parts is built; [`into_parts`](Conversion::into_parts) spares that.
    pub fn problem(&self) -> Result<Problem, Error> {
        self.parts.clone().build()
    }

    /// The parts of the problem, to add to them before it is built.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::k8s::{ConvertOptions, Dump};
    /// use plimsoll::{Node, Resources};
    ///
    /// let mut dump = Dump::new();
    /// dump.add_text("pod.yaml", "{kind: Pod, metadata: {name: web}, spec: {containers: []}}");
    /// let parts = dump.convert(&ConvertOptions::default()).into_parts();
    /// // A node that the cluster doesn't show yet.
    /// let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// let problem = parts.node(Node::new("n-1", room).with_initialized(false)).build()?;
    /// assert_eq!((problem.pods().len(), problem.nodes().len()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_parts(self) -> ProblemBuilder {
        self.parts
    }

    /// What the problem doesn't hold and isn't wrong, in the order of the objects.
    ///
    /// With [`lenient`](ConvertOptions::lenient) refusals stand here too, as "left out: …".
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What is left out, and why, in the order of the objects; texts that can't be read come first.
    ///
    /// Empty means that the problem is what the objects say. A caller that plans in spite of
    /// refusals plans without these objects.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// What became of each object, in the order in which they were added.
    ///
    /// As many as there are objects.
    #[must_use]
    pub fn outcomes(&self) -> &[(ObjectId, Outcome)] {
        &self.outcomes
    }
}
