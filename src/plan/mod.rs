//! The answer of a launch: what to create, what goes where, what has no place, what it costs.

mod alternatives;
pub mod certificate;
pub mod consolidation;
#[cfg(feature = "serde")]
mod document;
mod fullness;
mod gap;
mod pod_ref;
mod preference;
#[cfg(feature = "serde")]
mod reason;
mod table;
mod template;

pub use alternatives::AlternativeSet;
pub use certificate::{Certificate, PlacementBound};
pub use consolidation::ConsolidationPlan;
pub use fullness::Fullness;
pub use gap::{GapSources, LaunchExcess, PodExcess};
pub use pod_ref::PodRef;
pub use preference::{PreferenceKind, PreferenceShare};
pub use template::{LaunchTemplate, OfferingRef};

use crate::explain::Reason;
use crate::model::{OfferingKey, Price, Resources, Warning};
use std::collections::BTreeMap;
use std::sync::Arc;
use template::TemplateList;

/// What to launch for the pending pods, and at what cost.
///
/// Launches are sorted by node pool, instance type, zone, capacity type, reservation and first pod;
/// bindings and unschedulable pods by pod. Plans are equal if their documents are: certificates,
/// and what ended the search, play no part.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # let pods = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "900m")])?);
/// # let huge = Pod::new("huge").with_requests(Resources::parse([("cpu", "64")])?);
/// # let problem = Problem::builder()
/// #     .pods([pods, huge])
/// #     .instance_type(small)
/// #     .node_pool(NodePool::new("default"))
/// #     .build()?;
/// # let plan = provision(&problem, &Options::default())?;
/// // Three pods of "web" that fit two to a node, and one that fits nowhere.
/// assert_eq!(plan.launches().len(), 2);
/// assert_eq!(&*plan.unschedulable()[0].pod, "default/huge");
/// // Launches that are alike share a template: as many nodes of it are to be created.
/// for template in plan.templates() {
///     let alike = plan.launches().iter().filter(|launch| launch.template() == template).count();
///     println!("{alike} × {} in {}", template.offering.instance_type, template.offering.zone);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LaunchPlan {
    pub(crate) launches: Vec<Launch>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) unschedulable: Vec<Unschedulable>,
    pub(crate) cost: Cost,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) stats: BTreeMap<Arc<str>, u64>,
    pub(crate) certificate: Option<Arc<Certificate>>,
    pub(crate) termination: Option<Termination>,
}

/// One node to create. Launches alike but for their pods share one [`LaunchTemplate`].
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # let pods = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "900m")])?);
/// # let huge = Pod::new("huge").with_requests(Resources::parse([("cpu", "64")])?);
/// # let problem = Problem::builder()
/// #     .pods([pods, huge])
/// #     .instance_type(small)
/// #     .node_pool(NodePool::new("default"))
/// #     .build()?;
/// # let plan = provision(&problem, &Options::default())?;
/// // One node holds two of the three pods.
/// let launch = plan.launches().iter().find(|launch| launch.pods().len() == 2).ok_or("none")?;
/// assert_eq!(launch.requests().get("cpu"), Some("1800m".parse()?));
/// // How full the node will be.
/// let has = launch.template().capacity.get("cpu");
/// assert_eq!(has, Some("2".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Launch {
    pub(crate) template: Arc<LaunchTemplate>,
    /// "namespace/name" of the pods that go there, sorted.
    pub(crate) pods: Vec<Arc<str>>,
    pub(crate) requests: Arc<Resources>,
}

/// A pod placed on a node of the problem.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Binding {
    /// "namespace/name".
    pub pod: Arc<str>,
    /// The node's name.
    pub node: Arc<str>,
}

/// A pod with no place, and why.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # let pods = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "900m")])?);
/// # let huge = Pod::new("huge").with_requests(Resources::parse([("cpu", "64")])?);
/// # let problem = Problem::builder()
/// #     .pods([pods, huge])
/// #     .instance_type(small)
/// #     .node_pool(NodePool::new("default"))
/// #     .build()?;
/// # let plan = provision(&problem, &Options::default())?;
/// use plimsoll::explain::Cause;
///
/// for waiting in plan.unschedulable() {
///     let reason = &waiting.reasons[0];
///     assert_eq!(reason.code(), "resource");
///     assert!(matches!(reason.cause(), Some(Cause::Resource { .. })));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unschedulable {
    /// "namespace/name".
    pub pod: Arc<str>,
    /// Why, shared by all pods of the same kind; never empty.
    pub reasons: Arc<[Reason]>,
}

/// What the launches cost per hour, and how far that can be from the cheapest.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # let pods = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "900m")])?);
/// # let huge = Pod::new("huge").with_requests(Resources::parse([("cpu", "64")])?);
/// # let problem = Problem::builder()
/// #     .pods([pods, huge])
/// #     .instance_type(small)
/// #     .node_pool(NodePool::new("default"))
/// #     .build()?;
/// # let plan = provision(&problem, &Options::default())?;
/// use plimsoll::Price;
///
/// let cost = plan.cost();
/// assert_eq!((cost.total.to_string(), cost.fees), ("0.06".into(), Price::ZERO));
/// assert!(cost.lower_bound <= cost.total);
/// // At most so much of it could be saved, in percent.
/// let gap = f64::from(cost.gap_millionths()) / 10_000.0;
/// assert!((0.0..=100.0).contains(&gap));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// The sum of the launches' prices, plus fees.
    pub total: Price,
    /// The fee per node and hour times the number of launches.
    pub fees: Price,
    /// No plan that places the same pods, on pools of the same weights, costs less; fees included.
    pub lower_bound: Price,
    /// What is proved.
    pub proof: Proof,
}

/// What is proved of a plan's cost.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Proof {
    /// The total equals the lower bound.
    Optimal,
    /// The lower bound is positive.
    Within,
    /// Nothing.
    None,
}

/// What put an end to refinement ([`Effort::Refine`](crate::Effort::Refine)).
///
/// It says nothing of the plan's cost; [`Proof`] does.
///
/// # Examples
/// ```
/// use plimsoll::plan::Termination;
/// use plimsoll::{Effort, InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
/// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1500m")])?);
/// let problem =
///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
/// let mut options = Options::default();
/// options.effort = Effort::Refine(Default::default());
/// assert_eq!(provision(&problem, &options)?.termination(), Some(Termination::Done));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Termination {
    /// Nothing was left to try: the plan is proved the cheapest, or all stages of refinement are
    /// done.
    Done,
    /// [`Limits::rounds`](crate::Limits::rounds) were the first to run out.
    Rounds,
    /// [`Limits::attempts`](crate::Limits::attempts) were the first to run out.
    Attempts,
    /// [`Options::stop`](crate::Options::stop) said so.
    Stopped,
}

impl Cost {
    /// How far the total may be from the cheapest: (total − lower bound) / total in millionths,
    /// rounded to the nearest; 0 for a total of 0.
    #[must_use]
    pub fn gap_millionths(&self) -> u32 {
        let (total, bound) = (self.total.nanos(), self.lower_bound.nanos());
        if total <= 0 {
            return 0;
        }
        let above = total.saturating_sub(bound).clamp(0, total);
        let millionths = above.saturating_mul(1_000_000).saturating_add(total / 2) / total;
        u32::try_from(millionths).unwrap_or(1_000_000)
    }
}

impl PartialEq for LaunchPlan {
    fn eq(&self, other: &Self) -> bool {
        let Self { launches, bindings, unschedulable, cost, warnings, stats, .. } = self;
        *launches == other.launches
            && *bindings == other.bindings
            && *unschedulable == other.unschedulable
            && *cost == other.cost
            && *warnings == other.warnings
            && *stats == other.stats
    }
}

impl Eq for LaunchPlan {}

impl LaunchPlan {
    /// A plan of launches and bindings that claims nothing.
    pub(crate) fn of(launches: Vec<Launch>, bindings: Vec<Binding>) -> Self {
        Self {
            launches,
            bindings,
            unschedulable: Vec::new(),
            cost: Cost {
                total: Price::ZERO,
                fees: Price::ZERO,
                lower_bound: Price::ZERO,
                proof: Proof::None,
            },
            warnings: Vec::new(),
            stats: BTreeMap::new(),
            certificate: None,
            termination: None,
        }
    }

    /// The nodes to create.
    #[must_use]
    pub fn launches(&self) -> &[Launch] {
        &self.launches
    }

    /// What the launches are like, each template once, in the order of the first launch of each.
    #[must_use]
    pub fn templates(&self) -> Vec<&LaunchTemplate> {
        TemplateList::of(&self.launches).templates
    }

    /// How many nodes of each offering are launched.
    #[must_use]
    pub fn offerings(&self) -> BTreeMap<OfferingKey, u32> {
        let mut counts = BTreeMap::new();
        for launch in &self.launches {
            let count: &mut u32 = counts.entry(launch.template.offering.key()).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    /// The pods placed on nodes of the problem.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The pods with no place.
    #[must_use]
    pub fn unschedulable(&self) -> &[Unschedulable] {
        &self.unschedulable
    }

    /// What the launches cost per hour.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// What the problem says that is accepted but hardly meant, by path; it changes nothing.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The proof of the cost's lower bound, for a plan that [`provision`](crate::provision()) made;
    /// none where the bound is 0, and none of a plan that was read from a document.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }

    /// The same plan with this certificate, to be checked by [`verify`](crate::verify()): one that
    /// was read from its document, say.
    pub fn with_certificate(self, certificate: Certificate) -> Self {
        Self { certificate: Some(Arc::new(certificate)), ..self }
    }

    /// What put an end to the search for a better plan, for one that
    /// [`provision`](crate::provision()) made with [`Effort::Refine`](crate::Effort::Refine);
    /// `None` for others, and for a plan that was read from a document.
    #[must_use]
    pub fn termination(&self) -> Option<Termination> {
        self.termination
    }

    /// How much of the pods' preferences the plan honours, by kind; kinds that no placed pod has,
    /// or that were ignored, are left out.
    #[must_use]
    pub fn preferences(&self) -> Vec<PreferenceShare> {
        let share = |kind: PreferenceKind| {
            let (weight, honoured) = kind.stat_names();
            let weight = *self.stats.get(weight)?;
            Some(PreferenceShare { kind, weight, honoured: *self.stats.get(honoured)? })
        };
        PreferenceKind::ALL.into_iter().filter_map(share).collect()
    }

    /// Counts that describe the solve, by name.
    ///
    /// | name | what is counted |
    /// |---|---|
    /// | `pods` | pending pods |
    /// | `podClasses` | kinds of pods that no rule tells apart |
    /// | `items` | what was packed: classes, and parts of them in different domains |
    /// | `eligibilitySets` | different sets of nodes that rules about nodes admit |
    /// | `offers` | ways to buy a node: pool × instance type × offering × open labels |
    /// | `binTypes` | offers that differ in something that matters |
    /// | `nodeGroups` | kinds of nodes in the plan, by what they are and hold |
    /// | `launches` | nodes to create |
    /// | `preferred…`, `honoured…` | weights of preferences, see [`LaunchPlan::preferences`] |
    #[must_use]
    pub fn stats(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.stats
    }
}

impl Launch {
    /// What the node is like.
    #[must_use]
    pub fn template(&self) -> &LaunchTemplate {
        &self.template
    }

    /// The sum of the requests of its pods and of the daemons it runs, `pods` included.
    #[must_use]
    pub fn requests(&self) -> &Resources {
        &self.requests
    }

    /// "namespace/name" of the pods that go there, sorted.
    #[must_use]
    pub fn pods(&self) -> &[Arc<str>] {
        &self.pods
    }
}
