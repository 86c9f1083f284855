//! The answer of a launch: what to create, what goes where, what has no place, what it costs.
//!
//! A [`LaunchPlan`] is data: nothing in it has been done, and it keeps no reference to the problem
//! or to the solver that made it. Each pending pod of the problem is in one of three lists:
//!
//! | list | the pod |
//! |---|---|
//! | [`LaunchPlan::launches`] | goes to a node that is to be created |
//! | [`LaunchPlan::bindings`] | finds room on a node that runs, or is starting |
//! | [`LaunchPlan::unschedulable`] | has no place, for the reasons beside it |
//!
//! Pods that were bound before the plan are in none of them; they stay where they are.
//!
//! # How the parts hang together
//!
//! ```text
//! LaunchPlan ─┬─ Launch ── LaunchTemplate ─┬─ OfferingRef       the choice: what the cost counts
//!             │   pods, requests           ├─ [OfferingRef]     alternatives for the same pods
//!             │                            └─ labels, taints, requirements, capacity
//!             ├─ Binding                   pod → node of the problem
//!             ├─ Unschedulable ── [Reason] see `explain`
//!             ├─ Cost                      total, fees, lower bound, what is proved
//!             └─ Certificate               why the lower bound is one
//! ```
//!
//! | type | is |
//! |---|---|
//! | [`LaunchPlan`], [`Launch`], [`LaunchTemplate`], [`OfferingRef`] | what to buy |
//! | [`AlternativeSet`] | alternatives as one request to a cloud can name them |
//! | [`Binding`], [`Unschedulable`], [`PodRef`] | pods by name |
//! | [`Cost`], [`Proof`], [`Certificate`], [`PlacementBound`], [`GapSources`] | what it costs, and how far that is from the cheapest |
//! | [`Fullness`], [`PreferenceShare`], [`Termination`] | figures about the plan |
//! | [`ConsolidationPlan`] | the answer about running nodes, in [`consolidation`] |
//!
//! # From a plan to a cloud
//!
//! A controller walks over the launches. Those that share a template differ in nothing but their
//! pods, so one request of several nodes does for them:
//!
//! ```
//! # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
//! # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
//! # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
//! # let large = InstanceType::new("m7.large", room).with_offering(price);
//! # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
//! # let pool = NodePool::new("default");
//! # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
//! # let problem = problem.node_pool(pool).build()?;
//! # let plan = plimsoll::provision(&problem, &Options::default())?;
//! for template in plan.templates() {
//!     let count = plan.launches().iter().filter(|one| one.template() == template).count();
//!     // The sets are in the order in which to try them; each fits into one request.
//!     for set in template.alternative_sets() {
//!         let types: Vec<&str> = set.offerings.iter().map(|one| &*one.instance_type).collect();
//!         println!("{count} x any of {types:?}, {}", set.capacity_type);
//!     }
//! }
//! assert_eq!((plan.templates().len(), plan.launches().len()), (1, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A plan prints as a table for people (`Display`), and, with the feature `serde`, reads and writes
//! the document that the guide describes field by field.

mod alternatives;
pub mod certificate;
pub mod consolidation;
mod cost;
#[cfg(feature = "serde")]
mod document;
mod fullness;
mod gap;
mod launch;
mod pod_ref;
mod preference;
#[cfg(feature = "serde")]
mod reason;
mod table;
mod template;

pub use alternatives::AlternativeSet;
pub use certificate::{Certificate, PlacementBound};
pub use consolidation::ConsolidationPlan;
pub use cost::{Cost, Proof, Termination};
pub use fullness::Fullness;
pub use gap::{GapSources, LaunchExcess, PodExcess};
pub use launch::{Binding, Launch, Unschedulable};
pub use pod_ref::PodRef;
pub use preference::{PreferenceKind, PreferenceShare};
pub use template::{LaunchTemplate, OfferingRef};

use crate::model::{OfferingKey, Price, Warning};
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
///
/// # Order
///
/// All lists are sorted, so that equal plans are equal byte for byte in their documents: the same
/// problem and options give the same plan on every machine and with any number of threads.
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
    ///
    /// Sorted by node pool, instance type, zone, capacity type, reservation and first pod. The
    /// index of a launch in this list is how [`verify`](crate::verify()) and the answers of
    /// [`question`](crate::question) refer to it.
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
    /// let pods: Vec<usize> = plan.launches().iter().map(|launch| launch.pods().len()).collect();
    /// assert_eq!(pods.iter().sum::<usize>(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn launches(&self) -> &[Launch] {
        &self.launches
    }

    /// What the launches are like, each template once, in the order of the first launch of each.
    ///
    /// A plan of many thousand launches has few templates; whoever creates nodes by the hundred
    /// asks for each of them once, with a count.
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
    /// let template = plan.templates()[0];
    /// assert_eq!(&*template.offering.instance_type, "m7.large");
    /// assert!(plan.launches().iter().all(|launch| launch.template() == template));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn templates(&self) -> Vec<&LaunchTemplate> {
        TemplateList::of(&self.launches).templates
    }

    /// How many nodes of each offering are launched.
    ///
    /// It is what a bill is made of, and what [`Solver::contingency`](crate::Solver::contingency)
    /// asks about: each key is an offering that may turn out to be sold out.
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
    /// use plimsoll::model::{CapacityType, OfferingKey};
    ///
    /// let key = OfferingKey::new("m7.large", "eu-1a", CapacityType::OnDemand);
    /// assert_eq!(plan.offerings().get(&key), Some(&2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// Sorted by pod. Only pods that were pending are here.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The pods with no place.
    ///
    /// Sorted by pod. Once all else is decided what was left out is tried once more in the plan as
    /// it stands, so it is there for want of room or of a rule's consent. That isn't a proof that
    /// no other plan has room for it;
    /// [`Solver::placement_bound`](crate::Solver::placement_bound) gives one where it can.
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
    /// for waiting in plan.unschedulable() {
    ///     eprintln!("{} waits: {}", waiting.pod, waiting.reasons[0]);
    /// }
    /// assert!(plan.unschedulable().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn unschedulable(&self) -> &[Unschedulable] {
        &self.unschedulable
    }

    /// What the launches cost per hour.
    ///
    /// In the currency of the problem's prices, per hour. Running nodes aren't in it: the plan
    /// doesn't change what they cost.
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
    /// let cost = plan.cost();
    /// assert_eq!(cost.total.to_string(), "0.2");
    /// let month = cost.total.nanos() * 730 / 1_000_000_000;
    /// assert_eq!(month, 146);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// What the problem says that is accepted but hardly meant, by path; it changes nothing.
    ///
    /// Faults that make a problem meaningless are errors of
    /// [`ProblemBuilder::build`](crate::model::ProblemBuilder::build); these are things that are
    /// legal and surprising, such as a rule that selects nothing.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The proof of the cost's lower bound, for a plan that [`provision`](crate::provision()) made;
    /// none where the bound is 0, and none of a plan that was read from a document.
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
    /// let certificate = plan.certificate().ok_or("nothing is proved")?;
    /// assert_eq!(certificate.bound(&problem, &plan)?, plan.cost().lower_bound);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }

    /// The same plan with this certificate, to be checked by [`verify`](crate::verify()): one that
    /// was read from its document, say.
    ///
    /// It replaces the certificate that the plan has, if any, and changes no claim of the plan:
    /// [`verify`](crate::verify()) refuses the pair where the certificate proves less than the
    /// plan's lower bound.
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
    /// use plimsoll::plan::Certificate;
    /// use plimsoll::verify;
    ///
    /// // An empty certificate proves nothing, and the plan claims something.
    /// let bare = plan.with_certificate(Certificate::default());
    /// assert!(verify(&problem, &bare).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// What is preferred by whom is in the problem; how hard the solver tries is up to
    /// [`Options::preferences`](crate::Options::preferences). The shares are counted over pods that
    /// have a place.
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
    /// // Nobody prefers anything here.
    /// assert!(plan.preferences().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// let stats = plan.stats();
    /// assert_eq!((stats.get("pods"), stats.get("podClasses")), (Some(&3), Some(&1)));
    /// assert_eq!(stats.get("launches"), Some(&2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.stats
    }
}
