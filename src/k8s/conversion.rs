//! What a conversion is asked, and what it answers.

use super::report::{Note, ObjectId, Outcome, Refusal};
use super::time::Timestamp;
use crate::error::Error;
use crate::model::{InstanceType, Problem, ProblemBuilder, TopologySpreadConstraint};

/// How objects are read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConvertOptions {
    /// Makes notes of refusals: what is refused is left out all the same. Of a bound pod what it
    /// asks for is kept, so that its node isn't taken to be emptier than it is.
    pub lenient: bool,
    /// The present, which ages of nodes and pods are counted to; without, each is as if it were
    /// new.
    pub now: Option<Timestamp>,
    /// What can be bought. Where it isn't empty and no pool is among the objects, a pool called
    /// "default" is added that may buy all of it.
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
    pub fn problem(&self) -> Result<Problem, Error> {
        self.parts.clone().build()
    }

    /// The parts of the problem, to add to them before it is built.
    #[must_use]
    pub fn into_parts(self) -> ProblemBuilder {
        self.parts
    }

    /// What the problem doesn't hold and isn't wrong, in the order of the objects.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What is left out, and why, in the order of the objects; texts that can't be read come first.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// What became of each object, in the order in which they were added.
    #[must_use]
    pub fn outcomes(&self) -> &[(ObjectId, Outcome)] {
        &self.outcomes
    }
}
