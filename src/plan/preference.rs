//! Preferences: how much of their weight a plan honours.

/// A kind of preference.
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
    pub const ALL: [Self; 5] =
        [Self::NodeAffinity, Self::PodAffinity, Self::PodAntiAffinity, Self::Spread, Self::Taints];

    /// The names under which a plan's `stats` have the weight and what is honoured of it.
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
    #[must_use]
    pub fn new(kind: PreferenceKind, weight: u64, honoured: u64) -> Self {
        Self { kind, weight, honoured }
    }
}
