//! What a label must be: requirements as they are written, and sets of them by label.
//!
//! There are two forms. A [`Requirement`] is a line of a document: key, operator, values. It keeps
//! what its author wrote, faults included. [`Requirements`] are what several of them mean together:
//! for each key the [`ValueSet`] of states that all of them admit. The first is for reading and
//! writing, the second for reasoning.
//!
//! ```
//! use plimsoll::Requirement;
//! use plimsoll::model::{Labels, Operator, Requirements};
//!
//! let conditions = [
//!     Requirement::new("example.com/generation", Operator::Gt, ["5"]),
//!     Requirement::new("example.com/generation", Operator::NotIn, ["7"]),
//! ];
//! let together: Requirements = conditions.iter().collect();
//! let labels = |generation: &str| -> Labels {
//!     [("example.com/generation", generation)].into_iter().collect()
//! };
//! assert!(together.admits(&labels("6")) && together.admits(&labels("8")));
//! assert!(!together.admits(&labels("7")) && !together.admits(&Labels::new()));
//! ```

use super::value_set::integer;
use super::{Labels, ValueSet, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// One condition on a label, as it is written in documents.
///
/// It is a node selector requirement of Kubernetes, with Karpenter's `Gte`, `Lte` and `minValues`
/// added for node pools and instance types.
///
/// Sources: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#operators>
/// and
/// <https://karpenter.sh/docs/concepts/nodepools/#spectemplatespecrequirements>.
///
/// # Examples
/// ```
/// use plimsoll::Requirement;
/// use plimsoll::model::Operator;
///
/// let zones = Requirement::new("topology.kubernetes.io/zone", Operator::In, ["a", "b"]);
/// assert_eq!(zones.to_string(), "topology.kubernetes.io/zone In [a, b]");
/// ```
///
/// What is allowed depends on where it stands: pods have Kubernetes' six operators, pools, types
/// and overlays all eight, and `minValues` is for pools alone. It is checked when the problem is
/// built.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Requirement {
    /// The label.
    pub key: Arc<str>,
    /// How it is tested.
    ///
    /// `In` and `NotIn` take one value or more, `Exists` and `DoesNotExist` none, the others
    /// exactly one integer of 64 bits.
    pub operator: Operator,
    /// What it is tested with.
    pub values: Vec<Arc<str>>,
    /// Node pools only: at least this many different values must stay possible for a launch.
    ///
    /// 1 to 50, and with `In` no more than there are values.
    pub min_values: Option<u32>,
}

/// The operators of a [`Requirement`].
///
/// Only `NotIn` and `DoesNotExist` hold of a node without the label.
///
/// # Examples
/// ```
/// use plimsoll::model::Operator;
///
/// assert_eq!("NotIn".parse(), Ok(Operator::NotIn));
/// assert_eq!(Operator::DoesNotExist.to_string(), "DoesNotExist");
/// assert!("notin".parse::<Operator>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Operator {
    /// One of the values.
    In,
    /// None of the values, or absent.
    NotIn,
    /// Any value.
    Exists,
    /// Absent.
    DoesNotExist,
    /// An integer greater than the value.
    Gt,
    /// An integer less than the value.
    Lt,
    /// An integer not less than the value.
    ///
    /// Karpenter's: pods don't have it.
    Gte,
    /// An integer not greater than the value.
    ///
    /// Karpenter's: pods don't have it.
    Lte,
}

/// The most values that [`Requirement::min_values`] may ask for, as in Karpenter's `NodePool`.
pub(crate) const MOST_MIN_VALUES: u32 = 50;

impl Requirement {
    /// A condition on a label, as written: it is checked when a problem is built.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Requirement;
    /// use plimsoll::model::Operator;
    ///
    /// let gpu = Requirement::new("nvidia.com/gpu.present", Operator::Exists, [""; 0]);
    /// let small = Requirement::new("example.com/cpu", Operator::Lt, ["9"]);
    /// assert_eq!((gpu.values.len(), small.values.len()), (0, 1));
    /// ```
    #[must_use]
    pub fn new<V: Into<Arc<str>>>(
        key: impl Into<Arc<str>>,
        operator: Operator,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        Self { key: key.into(), operator, values, min_values: None }
    }

    /// The same condition, with at least this many different values left to choose from.
    ///
    /// Of a node pool's requirement. A cloud that delivers by availability then has a choice:
    /// Karpenter's `minValues`.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Operator, well_known};
    /// use plimsoll::{NodePool, Requirement};
    ///
    /// // At least five instance types in every launch.
    /// let flexible = Requirement::new(well_known::INSTANCE_TYPE, Operator::Exists, [""; 0]);
    /// let pool = NodePool::new("spot").with_requirement(flexible.with_min_values(5));
    /// assert_eq!(pool.requirements()[0].min_values, Some(5));
    /// ```
    #[must_use]
    pub fn with_min_values(mut self, min_values: u32) -> Self {
        self.min_values = Some(min_values);
        self
    }

    /// Whether it compares with a single value that isn't an integer, so that nothing meets it.
    ///
    /// Kubernetes accepts such a term in a pod and matches nothing by it; in pools it is a fault.
    pub(crate) fn bounds_nothing(&self) -> bool {
        use Operator::{Gt, Gte, Lt, Lte};
        let compares = matches!(self.operator, Gt | Lt | Gte | Lte);
        compares && matches!(self.values.as_slice(), [value] if integer(value).is_none())
    }

    /// What is wrong with the operator's values or with `min_values`, and what would be right.
    ///
    /// Sources: `ValidateNodeSelectorRequirement` of
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go>
    /// for the number of values, `NewRequirement` of
    /// <https://pkg.go.dev/k8s.io/apimachinery/pkg/labels> for integers, and
    /// <https://karpenter.sh/docs/concepts/nodepools/#min-values> for `minValues`.
    pub(crate) fn fault(&self) -> Option<(String, String)> {
        let operator = self.operator;
        let count = self.values.len();
        match operator {
            Operator::In | Operator::NotIn if count == 0 => {
                return Some((format!("{operator} has no values"), "at least one value".into()));
            }
            Operator::Exists | Operator::DoesNotExist if count > 0 => {
                return Some((format!("{operator} has {count} values"), "no values".into()));
            }
            Operator::Gt | Operator::Lt | Operator::Gte | Operator::Lte => {
                let expected = || "exactly one integer of 64 bits".into();
                match self.values.as_slice() {
                    [value] if integer(value).is_some() => {}
                    [value] => return Some((format!("{operator} has {value:?}"), expected())),
                    _ => return Some((format!("{operator} has {count} values"), expected())),
                }
            }
            _ => {}
        }
        let min_values = self.min_values?;
        if !(1..=MOST_MIN_VALUES).contains(&min_values) {
            let expected = format!("a whole number from 1 to {MOST_MIN_VALUES}");
            return Some((format!("minValues is {min_values}"), expected));
        }
        let different = self.values.iter().collect::<BTreeSet<_>>().len();
        if operator == Operator::In && usize::try_from(min_values).is_ok_and(|n| n > different) {
            let expected = "at least as many different values as minValues".into();
            return Some((format!("minValues is {min_values} of {different} values"), expected));
        }
        None
    }
}

impl Operator {
    /// The operator's name in documents.
    ///
    /// What [`FromStr`](std::str::FromStr) reads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
            Self::Gt => "Gt",
            Self::Lt => "Lt",
            Self::Gte => "Gte",
            Self::Lte => "Lte",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.operator)?;
        if !self.values.is_empty() {
            write!(f, " [{}]", self.values.join(", "))?;
        }
        self.min_values.map_or(Ok(()), |n| write!(f, " (at least {n} values)"))
    }
}

/// Value sets by label key; a key not named may be in any state.
///
/// It stands for a set of label maps, in canonical form: two are `==` exactly when they ask the
/// same of every label. Outdated names of keys are read as the names that replaced them.
///
/// # Examples
/// ```
/// use plimsoll::Requirement;
/// use plimsoll::model::{Operator, Requirements, ValueSet};
///
/// let mut requirements = Requirements::new();
/// requirements.add(&Requirement::new("arch", Operator::In, ["amd64", "arm64"]));
/// requirements.add(&Requirement::new("arch", Operator::NotIn, ["arm64"]));
/// assert_eq!(*requirements.get("arch"), ValueSet::one("amd64"));
/// assert!(requirements.get("os").is_any());
/// ```
///
/// It is a product of sets: labels that are restricted are so independently of each other.
/// Alternatives (terms of node affinity) need one of these each.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Requirements(BTreeMap<Arc<str>, ValueSet>);

static ANY: ValueSet = ValueSet::any();

impl Requirements {
    /// No condition: every label may be in any state.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a condition to those that are there (its `min_values` aside).
    ///
    /// A requirement that isn't valid admits what [`ValueSet::from_requirement`] says.
    pub fn add(&mut self, requirement: &Requirement) {
        self.restrict(&requirement.key, &ValueSet::from_requirement(requirement));
    }

    /// Restricts a label to states that are in `states` too.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Requirements, ValueSet};
    ///
    /// let mut of_pool = Requirements::new();
    /// of_pool.restrict("topology.kubernetes.io/zone", &ValueSet::only(["a", "b"]));
    /// of_pool.restrict("topology.kubernetes.io/zone", &ValueSet::only(["b", "c"]));
    /// assert_eq!(*of_pool.get("topology.kubernetes.io/zone"), ValueSet::one("b"));
    /// ```
    pub fn restrict(&mut self, key: &str, states: &ValueSet) {
        let key = well_known::normalized(key);
        if let Some(present) = self.0.get_mut(key) {
            *present = present.intersect(states);
        } else if !states.is_any() {
            self.0.insert(key.into(), states.clone());
        }
    }

    /// The states that a label may be in.
    ///
    /// Every state of a label that nothing restricts: [`ValueSet::any`].
    #[must_use]
    pub fn get(&self, key: &str) -> &ValueSet {
        self.0.get(well_known::normalized(key)).unwrap_or(&ANY)
    }

    /// The labels that are restricted at all, by key.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &ValueSet)> {
        self.0.iter()
    }

    /// The conditions of both.
    ///
    /// Linear in the conditions of `other`, times the logarithm of these.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (key, states) in &other.0 {
            both.restrict(key, states);
        }
        both
    }

    /// Whether some labels satisfy both: exactly when [`Requirements::intersect`] isn't empty.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Requirement;
    /// use plimsoll::model::{Operator, Requirements};
    ///
    /// let of = |operator, zone| -> Requirements {
    ///     [Requirement::new("topology.kubernetes.io/zone", operator, [zone])].iter().collect()
    /// };
    /// assert!(of(Operator::In, "a").overlaps(&of(Operator::NotIn, "b")));
    /// assert!(!of(Operator::In, "a").overlaps(&of(Operator::NotIn, "a")));
    /// ```
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.is_empty()
            && !other.is_empty()
            && self.0.iter().all(|(key, states)| states.overlaps(other.get(key)))
    }

    /// Whether a node with exactly these labels satisfies every condition.
    ///
    /// Keys of `labels` have to be current ones, as those of a built problem are.
    #[must_use]
    pub fn admits(&self, labels: &Labels) -> bool {
        self.0.iter().all(|(key, states)| states.admits(labels.get(key).map(|value| &**value)))
    }

    /// Whether no labels can satisfy the conditions; [`Requirements::contradiction`] names why.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contradiction().is_some()
    }

    /// The first label of which the conditions leave no state.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Requirement;
    /// use plimsoll::model::{Operator, Requirements};
    ///
    /// let both = [
    ///     Requirement::new("kubernetes.io/arch", Operator::In, ["arm64"]),
    ///     Requirement::new("kubernetes.io/arch", Operator::In, ["amd64"]),
    /// ];
    /// let both: Requirements = both.iter().collect();
    /// assert_eq!(both.contradiction().map(|key| &**key), Some("kubernetes.io/arch"));
    /// assert!(both.is_empty());
    /// ```
    #[must_use]
    pub fn contradiction(&self) -> Option<&Arc<str>> {
        self.0.iter().find(|(_, states)| states.is_empty()).map(|(key, _)| key)
    }

    /// Whether there is no condition at all.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a Requirement> for Requirements {
    fn from_iter<T: IntoIterator<Item = &'a Requirement>>(conditions: T) -> Self {
        let mut requirements = Self::new();
        conditions.into_iter().for_each(|condition| requirements.add(condition));
        requirements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(operator: Operator, values: &[&str], min_values: Option<u32>) -> Option<String> {
        let mut requirement = Requirement::new("k", operator, values.iter().copied());
        requirement.min_values = min_values;
        requirement.fault().map(|(problem, _)| problem)
    }

    #[test]
    fn faults_name_what_is_wrong() {
        assert_eq!(problem(Operator::In, &["a"], None), None);
        assert_eq!(problem(Operator::Gt, &["-05"], None), None);
        assert_eq!(problem(Operator::In, &[], None).as_deref(), Some("In has no values"));
        assert_eq!(problem(Operator::Exists, &["a"], None).as_deref(), Some("Exists has 1 values"));
        assert_eq!(problem(Operator::Lte, &["a"], None).as_deref(), Some("Lte has \"a\""));
        assert_eq!(problem(Operator::Lt, &["1", "2"], None).as_deref(), Some("Lt has 2 values"));
        assert_eq!(problem(Operator::Exists, &[], Some(50)), None);
        assert_eq!(problem(Operator::Exists, &[], Some(51)).as_deref(), Some("minValues is 51"));
        assert_eq!(problem(Operator::Exists, &[], Some(0)).as_deref(), Some("minValues is 0"));
        assert_eq!(
            problem(Operator::In, &["a", "a"], Some(2)).as_deref(),
            Some("minValues is 2 of 1 values")
        );
    }
}
