//! Preferences: how much of their weight a plan honours.
//!
//! Five things of Kubernetes are wishes and no rules:
//! `preferredDuringSchedulingIgnoredDuringExecution` of node affinity, of pod affinity and of pod
//! anti-affinity, spreads with `whenUnsatisfiable: ScheduleAnyway`, and taints of the effect
//! `PreferNoSchedule`. A plan that breaks one is legal, so what it makes of them is a figure and no
//! verdict.

/// A kind of preference.
///
/// The order is that of Kubernetes' documentation, and that in which plans list them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum PreferenceKind {
    /// Preferred node affinity.
    NodeAffinity,
    /// Preferred affinity between pods.
    PodAffinity,
    /// Preferred anti-affinity between pods.
    PodAntiAffinity,
    /// Topology spread constraints that may be broken (`ScheduleAnyway`).
    Spread,
    /// Taints that are to be avoided (`PreferNoSchedule`).
    Taints,
}

/// How much of the weight of one kind of preference a plan honours, summed over the placed pods.
///
/// A term of preferred affinity has its own weight; a spread constraint, and for each pod the
/// avoiding of taints, weighs 1.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # use plimsoll::model::{Affinity, NodeSelectorTerm, Operator};
/// # use plimsoll::Requirement;
/// let zone = Requirement::new("topology.kubernetes.io/zone", Operator::In, ["eu-1a"]);
/// let rather_there = Affinity::new().with_preferred_node_term(10, NodeSelectorTerm::new([zone]));
/// let pods = Pod::new("web").with_replicas(2).with_affinity(rather_there);
/// # let problem =
/// #     Problem::builder().pod(pods).instance_type(small).node_pool(NodePool::new("default")).build()?;
/// let share = provision(&problem, &Options::default())?.preferences()[0];
/// assert_eq!((share.honoured, share.weight), (20, 20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PreferenceShare {
    /// Which preferences.
    pub kind: PreferenceKind,
    /// What all of them weigh.
    pub weight: u64,
    /// What those that are honoured weigh.
    pub honoured: u64,
}

impl PreferenceKind {
    /// All kinds, in their order.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::plan::PreferenceKind;
    ///
    /// for kind in PreferenceKind::ALL {
    ///     let (weight, honoured) = kind.stat_names();
    ///     assert!(weight.starts_with("preferred") && honoured.starts_with("honoured"));
    /// }
    /// ```
    pub const ALL: [Self; 5] =
        [Self::NodeAffinity, Self::PodAffinity, Self::PodAntiAffinity, Self::Spread, Self::Taints];

    /// The names under which a plan's `stats` have the weight and what is honoured of it.
    ///
    /// Both are sums over placed pods. A plan in which no pod has such a preference has neither.
    #[must_use]
    pub fn stat_names(self) -> (&'static str, &'static str) {
        match self {
            Self::NodeAffinity => ("preferredNodeAffinity", "honouredNodeAffinity"),
            Self::PodAffinity => ("preferredPodAffinity", "honouredPodAffinity"),
            Self::PodAntiAffinity => ("preferredPodAntiAffinity", "honouredPodAntiAffinity"),
            Self::Spread => ("preferredSpread", "honouredSpread"),
            Self::Taints => ("preferredTaints", "honouredTaints"),
        }
    }
}

impl PreferenceShare {
    /// What all preferences of a kind weigh, and those that are honoured.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::plan::{PreferenceKind, PreferenceShare};
    ///
    /// let share = PreferenceShare::new(PreferenceKind::Spread, 8, 6);
    /// assert_eq!(share.honoured * 100 / share.weight, 75);
    /// ```
    #[must_use]
    pub fn new(kind: PreferenceKind, weight: u64, honoured: u64) -> Self {
        Self { kind, weight, honoured }
    }
}
