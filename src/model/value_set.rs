//! The set of states that a label may be in.
//!
//! A label of a node is in one of infinitely many states: it is absent, or it has some text as its
//! value. Every requirement on a label stands for a set of such states, several requirements for
//! the intersection of their sets, and two parties (a pod and a pool, say) are compatible when
//! their sets have a state in common:
//!
//! | operator | set |
//! |---|---|
//! | `In` a, b | the values a and b |
//! | `NotIn` a, b | absence, and every value but a and b |
//! | `Exists` | every value |
//! | `DoesNotExist` | absence |
//! | `Gt`, `Lt`, `Gte`, `Lte` n | the values that are integers in the range |
//!
//! Four shapes are closed under intersection, and each set has exactly one form in them, so `==`,
//! `Hash` and `Ord` speak of the sets: absence; finitely many values (none of them: the empty set);
//! all values but finitely many, with or without absence; and the integers of a non-empty range but
//! for finitely many values, all of which are integers of that range.
//!
//! Integers are read as Kubernetes reads them, with Go's `ParseInt` in base ten and 64 bits: `5`,
//! `05` and `+5` are different values of the same integer. An integer thus has endlessly many
//! values, so a range of integers is never a finite set of values, and no finite number of
//! exclusions empties it: `Gte 5`, `Lte 5`, `NotIn 5` together admit a node labelled `05`. Nobody
//! gives a new node such a label, though: who may choose a label's value writes an integer in the
//! usual way.
//!
//! Sources: <https://pkg.go.dev/k8s.io/apimachinery/pkg/labels#Requirement.Matches> and
//! <https://karpenter.sh/docs/concepts/scheduling/>.

use super::{Operator, Requirement};
use std::collections::BTreeSet;
use std::iter::successors;
use std::sync::Arc;

/// The set of states that a label may be in: absent, or one of a set of values.
///
/// Sets are canonical: two are `==` exactly when the same states are in them. The empty set (no
/// state at all, a contradiction) is not the same as [`ValueSet::absent`].
///
/// # Examples
/// ```
/// use plimsoll::model::{Operator, Requirement, ValueSet};
///
/// let few = ValueSet::from_requirement(&Requirement::new("size", Operator::In, ["4", "8"]));
/// let large = ValueSet::from_requirement(&Requirement::new("size", Operator::Gt, ["4"]));
/// assert_eq!(few.intersect(&large), ValueSet::one("8"));
/// assert!(!large.overlaps(&ValueSet::absent()));
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ValueSet(States);

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum States {
    Absent,
    Only(BTreeSet<Arc<str>>),
    AllBut {
        excluded: BTreeSet<Arc<str>>,
        or_absent: bool,
    },
    /// `least <= most`, and each excluded value is an integer between them.
    Integers {
        least: i64,
        most: i64,
        excluded: BTreeSet<Arc<str>>,
    },
}

static NO_VALUES: BTreeSet<Arc<str>> = BTreeSet::new();

/// The integer that a label's value stands for, if it does.
pub(crate) fn integer(value: &str) -> Option<i64> {
    // Both this and Go's ParseInt take an optional sign and ASCII digits, nothing else.
    value.parse().ok()
}

/// The integer of a range that is nearest to zero, of two the one above it, and isn't excluded as
/// it is usually written.
fn usual_integer(least: i64, most: i64, excluded: &BTreeSet<Arc<str>>) -> Option<Arc<str>> {
    let nearest: i64 = 0.clamp(least, most);
    let beside = |distance: i64| {
        let above = nearest.checked_add(distance).filter(|n| *n <= most);
        let below = nearest.checked_sub(distance).filter(|n| *n >= least);
        [above, below].into_iter().flatten()
    };
    // Of so many distances one isn't excluded, unless the range ends before.
    let furthest = i64::try_from(excluded.len()).unwrap_or(i64::MAX);
    let integers = (0..=furthest).flat_map(beside).map(|n| Arc::from(n.to_string()));
    integers.into_iter().find(|value: &Arc<str>| !excluded.contains(value))
}

impl ValueSet {
    /// Every state, absence included.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::ValueSet;
    ///
    /// assert!(ValueSet::any().admits(Some("x")) && ValueSet::any().admits(None));
    /// ```
    #[must_use]
    pub const fn any() -> Self {
        Self(States::AllBut { excluded: BTreeSet::new(), or_absent: true })
    }

    /// Absence alone.
    #[must_use]
    pub const fn absent() -> Self {
        Self(States::Absent)
    }

    /// The empty set: no state at all.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::ValueSet;
    ///
    /// assert!(ValueSet::none().is_empty() && !ValueSet::absent().is_empty());
    /// assert_eq!(ValueSet::one("a").intersect(&ValueSet::one("b")), ValueSet::none());
    /// ```
    #[must_use]
    pub const fn none() -> Self {
        Self(States::Only(BTreeSet::new()))
    }

    /// One value.
    #[must_use]
    pub fn one(value: impl Into<Arc<str>>) -> Self {
        Self(States::Only(BTreeSet::from([value.into()])))
    }

    /// Any of these values.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::ValueSet;
    ///
    /// let zones = ValueSet::only(["b", "a", "b"]);
    /// assert_eq!(zones.finite_values().map(|values| values.len()), Some(2));
    /// ```
    #[must_use]
    pub fn only<V: Into<Arc<str>>>(values: impl IntoIterator<Item = V>) -> Self {
        Self(States::Only(values.into_iter().map(Into::into).collect()))
    }

    /// The states that a requirement admits.
    ///
    /// A requirement that isn't valid admits what its words say: `In` without values and a bound
    /// that isn't one integer admit nothing.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Operator, Requirement, ValueSet};
    ///
    /// let of = |operator, values: &[&str]| {
    ///     ValueSet::from_requirement(&Requirement::new("k", operator, values.iter().copied()))
    /// };
    /// assert!(of(Operator::NotIn, &["a"]).admits(None));
    /// assert!(!of(Operator::Exists, &[]).admits(None));
    /// assert_eq!(of(Operator::Gte, &["3"]), of(Operator::Gt, &["2"]));
    /// assert_eq!(of(Operator::Gt, &["large"]), ValueSet::none());
    /// ```
    #[must_use]
    pub fn from_requirement(requirement: &Requirement) -> Self {
        let values = || requirement.values.iter().cloned().collect();
        let bound = match requirement.values.as_slice() {
            [value] => integer(value),
            _ => None,
        };
        let range = |least: Option<i64>, most: Option<i64>| match (least, most) {
            (Some(least), Some(most)) => Self::integers(least, most, BTreeSet::new()),
            _ => Self::none(),
        };
        match requirement.operator {
            Operator::In => Self(States::Only(values())),
            Operator::NotIn => Self(States::AllBut { excluded: values(), or_absent: true }),
            Operator::Exists => {
                Self(States::AllBut { excluded: BTreeSet::new(), or_absent: false })
            }
            Operator::DoesNotExist => Self::absent(),
            Operator::Gt => range(bound.and_then(|n| n.checked_add(1)), Some(i64::MAX)),
            Operator::Lt => range(Some(i64::MIN), bound.and_then(|n| n.checked_sub(1))),
            Operator::Gte => range(bound, Some(i64::MAX)),
            Operator::Lte => range(Some(i64::MIN), bound),
        }
    }

    /// The integers from `least` to `most` but for some values: the one place that makes ranges.
    fn integers(least: i64, most: i64, mut excluded: BTreeSet<Arc<str>>) -> Self {
        if least > most {
            return Self::none();
        }
        excluded.retain(|value| integer(value).is_some_and(|n| (least..=most).contains(&n)));
        Self(States::Integers { least, most, excluded })
    }

    /// Whether a new node could be given such a label, or none: an integer is written in the usual
    /// way unless a requirement lists it.
    pub(crate) fn can_be_given(&self) -> bool {
        match &self.0 {
            States::Absent | States::AllBut { .. } => true,
            States::Only(values) => !values.is_empty(),
            States::Integers { least, most, excluded } => {
                usual_integer(*least, *most, excluded).is_some()
            }
        }
    }

    /// The states that are in both sets.
    ///
    /// Linear in the values that both name. It is commutative and associative, since sets are
    /// canonical.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Operator, Requirement, ValueSet};
    ///
    /// let not_a = ValueSet::from_requirement(&Requirement::new("k", Operator::NotIn, ["a"]));
    /// assert_eq!(not_a.intersect(&ValueSet::only(["a", "b"])), ValueSet::one("b"));
    /// assert_eq!(not_a.intersect(&ValueSet::absent()), ValueSet::absent());
    /// ```
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        use States::{Absent, AllBut, Integers, Only};
        let union = |a: &BTreeSet<Arc<str>>, b: &BTreeSet<Arc<str>>| a.union(b).cloned().collect();
        match (&self.0, &other.0) {
            (Absent, _) if other.admits_absent() => Self::absent(),
            (_, Absent) if self.admits_absent() => Self::absent(),
            (Absent, _) | (_, Absent) => Self::none(),
            (Only(values), Only(fewer)) if fewer.len() < values.len() => {
                Self::only(fewer.iter().filter(|value| values.contains(*value)).cloned())
            }
            (Only(values), _) => {
                Self::only(values.iter().filter(|value| other.admits(Some(value))).cloned())
            }
            (_, Only(values)) => {
                Self::only(values.iter().filter(|value| self.admits(Some(value))).cloned())
            }
            (AllBut { excluded: a, or_absent: x }, AllBut { excluded: b, or_absent: y }) => {
                Self(AllBut { excluded: union(a, b), or_absent: *x && *y })
            }
            (AllBut { excluded: a, .. }, Integers { least, most, excluded: b })
            | (Integers { least, most, excluded: a }, AllBut { excluded: b, .. }) => {
                Self::integers(*least, *most, union(a, b))
            }
            (
                Integers { least: l, most: m, excluded: a },
                Integers { least, most, excluded: b },
            ) => Self::integers(*l.max(least), *m.min(most), union(a, b)),
        }
    }

    /// Whether the set has no state, so that nothing satisfies it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, States::Only(values) if values.is_empty())
    }

    /// Whether some state is in both sets: exactly when [`ValueSet::intersect`] isn't empty.
    ///
    /// It makes no set, so it is the cheaper question of the two.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        use States::{Absent, AllBut, Integers, Only};
        match (&self.0, &other.0) {
            (Absent, _) => other.admits_absent(),
            (_, Absent) => self.admits_absent(),
            (Only(values), _) => values.iter().any(|value| other.admits(Some(value))),
            (_, Only(values)) => values.iter().any(|value| self.admits(Some(value))),
            (Integers { least: l, most: m, .. }, Integers { least, most, .. }) => {
                l.max(least) <= m.min(most)
            }
            // Both have infinitely many values, and only finitely many are taken out.
            (AllBut { .. }, AllBut { .. } | Integers { .. }) | (Integers { .. }, AllBut { .. }) => {
                true
            }
        }
    }

    /// Whether a label may be in this state (`None`: absent).
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Operator, Requirement, ValueSet};
    ///
    /// let over_five = ValueSet::from_requirement(&Requirement::new("k", Operator::Gt, ["5"]));
    /// assert!(over_five.admits(Some("6")) && over_five.admits(Some("+06")));
    /// assert!(!over_five.admits(Some("5")) && !over_five.admits(Some("six")));
    /// assert!(!over_five.admits(None));
    /// ```
    #[must_use]
    pub fn admits(&self, state: Option<&str>) -> bool {
        match (&self.0, state) {
            (States::Absent, state) => state.is_none(),
            (States::AllBut { or_absent, .. }, None) => *or_absent,
            (States::Only(_) | States::Integers { .. }, None) => false,
            (States::Only(values), Some(value)) => values.contains(value),
            (States::AllBut { excluded, .. }, Some(value)) => !excluded.contains(value),
            (States::Integers { least, most, excluded }, Some(value)) => {
                integer(value).is_some_and(|n| (least..=most).contains(&&n))
                    && !excluded.contains(value)
            }
        }
    }

    /// Whether the label may be absent.
    #[must_use]
    pub fn admits_absent(&self) -> bool {
        self.admits(None)
    }

    /// Whether every state is in the set, so that it asks for nothing.
    #[must_use]
    pub fn is_any(&self) -> bool {
        matches!(&self.0, States::AllBut { excluded, or_absent: true } if excluded.is_empty())
    }

    /// The values in the set, absence aside, where they are finitely many.
    #[must_use]
    pub fn finite_values(&self) -> Option<&BTreeSet<Arc<str>>> {
        match &self.0 {
            States::Absent => Some(&NO_VALUES),
            States::Only(values) => Some(values),
            States::AllBut { .. } | States::Integers { .. } => None,
        }
    }

    /// The values taken out of a set of infinitely many.
    #[must_use]
    pub fn excluded(&self) -> &BTreeSet<Arc<str>> {
        match &self.0 {
            States::AllBut { excluded, .. } | States::Integers { excluded, .. } => excluded,
            States::Absent | States::Only(_) => &NO_VALUES,
        }
    }

    /// The least and the greatest integer that a value may stand for, where it must be an integer.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Operator, Requirement, ValueSet};
    ///
    /// let bound = |operator, value| {
    ///     ValueSet::from_requirement(&Requirement::new("k", operator, [value]))
    /// };
    /// let both = bound(Operator::Gt, "2").intersect(&bound(Operator::Lte, "9"));
    /// assert_eq!(both.range(), Some((3, 9)));
    /// assert_eq!(ValueSet::one("3").range(), None);
    /// ```
    #[must_use]
    pub fn range(&self) -> Option<(i64, i64)> {
        match self.0 {
            States::Integers { least, most, .. } => Some((least, most)),
            _ => None,
        }
    }

    /// The value, where the set is exactly one value (and not absence).
    ///
    /// A launch whose label is down to one value has it fixed.
    #[must_use]
    pub fn single(&self) -> Option<&Arc<str>> {
        match &self.0 {
            States::Only(values) if values.len() == 1 => values.first(),
            _ => None,
        }
    }

    /// Every value that the set's description names, sorted: those listed or excluded, and each
    /// bound with the integers next to it.
    pub fn mentioned(&self) -> impl Iterator<Item = Arc<str>> {
        let named = match &self.0 {
            States::Absent => &NO_VALUES,
            States::Only(values) => values,
            States::AllBut { excluded, .. } | States::Integers { excluded, .. } => excluded,
        };
        let mut named = named.clone();
        if let States::Integers { least, most, .. } = self.0 {
            // The ends of 64 bits aren't bounds that anyone wrote.
            for bound in [least, most].into_iter().filter(|n| ![i64::MIN, i64::MAX].contains(n)) {
                named.extend([bound - 1, bound, bound + 1].map(|n| Arc::from(n.to_string())));
            }
        }
        named.into_iter()
    }

    /// Some value in the set, always the same one for the same set; `None` when there is none.
    ///
    /// Of a finite set it is the first value. Of integers it is the one nearest to zero that isn't
    /// excluded, with zeros in front where every integer of the range is.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Operator, Requirement, ValueSet};
    ///
    /// let below = ValueSet::from_requirement(&Requirement::new("k", Operator::Lt, ["-3"]));
    /// assert_eq!(below.sample().as_deref(), Some("-4"));
    /// assert_eq!(ValueSet::only(["b", "a"]).sample().as_deref(), Some("a"));
    /// assert_eq!(ValueSet::absent().sample(), None);
    /// ```
    #[must_use]
    pub fn sample(&self) -> Option<Arc<str>> {
        match &self.0 {
            States::Absent => None,
            States::Only(values) => values.first().cloned(),
            States::AllBut { excluded, .. } => {
                let numbered = (1..=excluded.len()).map(|n| format!("other-{n}"));
                let named = std::iter::once("other".into()).chain(numbered);
                named.map(Arc::from).find(|value: &Arc<str>| !excluded.contains(value))
            }
            States::Integers { least, most, excluded } => {
                let nearest = 0.clamp(*least, *most);
                let sign = if nearest < 0 { "-" } else { "" };
                let mut padded = (1..=excluded.len() + 1)
                    .map(|zeros| format!("{sign}{}{}", "0".repeat(zeros), nearest.unsigned_abs()))
                    .map(Arc::from);
                let usual = usual_integer(*least, *most, excluded);
                usual.or_else(|| padded.find(|value| !excluded.contains(value)))
            }
        }
    }

    /// Values in the set that aren't `taken` and that a new node could be given, always the same
    /// ones in the same order: those of a finite set as they are sorted, integers from zero
    /// outwards, and of all other values some that nobody would give a meaning.
    pub(crate) fn samples<'s>(
        &'s self,
        taken: &'s BTreeSet<Arc<str>>,
    ) -> Box<dyn Iterator<Item = Arc<str>> + 's> {
        let is_free =
            move |value: &Arc<str>| !taken.contains(value) && !self.excluded().contains(value);
        match &self.0 {
            States::Absent => Box::new(std::iter::empty()),
            States::Only(values) => {
                Box::new(values.iter().filter(move |value| is_free(value)).cloned())
            }
            States::AllBut { .. } => {
                let numbered = (1_u64..).map(|n| Arc::from(format!("other-{n}")));
                Box::new(std::iter::once("other".into()).chain(numbered).filter(is_free))
            }
            States::Integers { least, most, .. } => {
                let nearest = 0.clamp(*least, *most);
                let above = successors(Some(nearest), |n: &i64| n.checked_add(1));
                let below = successors(nearest.checked_sub(1), |n: &i64| n.checked_sub(1));
                let above = above.take_while(|n| n <= most);
                let below = below.take_while(|n| n >= least);
                let written = above.chain(below).map(|n| Arc::from(n.to_string()));
                Box::new(written.filter(is_free))
            }
        }
    }

    /// The integers from `least` to `most`.
    pub(crate) fn between(least: i64, most: i64) -> Self {
        Self::integers(least, most, BTreeSet::new())
    }

    /// The set as requirements on `key`, which together admit exactly its states.
    ///
    /// Every state asks for no requirement; the empty set is `Exists` with `DoesNotExist`; integers
    /// are `Gte` and `Lte`, where they have a bound. None has `min_values`.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Operator, Requirement, ValueSet};
    ///
    /// let few = Requirement::new("k", Operator::In, ["a", "b"]);
    /// assert_eq!(ValueSet::from_requirement(&few).to_requirements("k"), [few]);
    /// assert!(ValueSet::any().to_requirements("k").is_empty());
    /// assert_eq!(ValueSet::none().to_requirements("k").len(), 2);
    /// ```
    #[must_use]
    pub fn to_requirements(&self, key: &str) -> Vec<Requirement> {
        let key: Arc<str> = key.into();
        let plain = |operator| Requirement::new(key.clone(), operator, [] as [Arc<str>; 0]);
        let bound =
            |operator, n: i64| Requirement::new(key.clone(), operator, [n.to_string().as_str()]);
        let mut requirements = Vec::new();
        match &self.0 {
            States::Absent => requirements.push(plain(Operator::DoesNotExist)),
            States::Only(values) if values.is_empty() => {
                requirements.extend([plain(Operator::Exists), plain(Operator::DoesNotExist)]);
            }
            States::Only(values) => requirements.push(Requirement::new(
                key.clone(),
                Operator::In,
                values.iter().cloned(),
            )),
            States::AllBut { or_absent: true, .. } => {}
            States::AllBut { or_absent: false, .. } => requirements.push(plain(Operator::Exists)),
            States::Integers { least, most, .. } => {
                if *least > i64::MIN || *most == i64::MAX {
                    requirements.push(bound(Operator::Gte, *least));
                }
                if *most < i64::MAX {
                    requirements.push(bound(Operator::Lte, *most));
                }
            }
        }
        if !self.excluded().is_empty() {
            let excluded = self.excluded().iter().cloned();
            requirements.push(Requirement::new(key, Operator::NotIn, excluded));
        }
        requirements
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operator::{DoesNotExist, Exists, Gt, Gte, In, Lt, Lte, NotIn};

    fn set(conditions: &[(Operator, &[&str])]) -> ValueSet {
        conditions.iter().fold(ValueSet::any(), |set, (operator, values)| {
            let requirement = Requirement::new("k", *operator, values.iter().copied());
            set.intersect(&ValueSet::from_requirement(&requirement))
        })
    }

    #[test]
    fn equal_sets_have_one_form() {
        assert_eq!(set(&[(Gt, &["4"])]), set(&[(Gte, &["5"]), (NotIn, &["4", "x"])]));
        assert_eq!(set(&[(Gt, &["4"]), (Lt, &["5"])]), ValueSet::none());
        assert_eq!(set(&[(Exists, &[]), (DoesNotExist, &[])]), ValueSet::none());
        assert_eq!(set(&[(NotIn, &["a"]), (DoesNotExist, &[])]), ValueSet::absent());
        assert_eq!(set(&[(In, &["x", "05", "+5", "5.0"]), (Lte, &["5"])]).mentioned().count(), 2);
        let beside: Vec<Arc<str>> = set(&[(Gte, &["5"]), (NotIn, &["x"])]).mentioned().collect();
        assert_eq!(beside, ["4", "5", "6"].map(Arc::from));
        assert_eq!(set(&[(Gt, &["9223372036854775807"])]), ValueSet::none());
        assert_eq!(set(&[(Lt, &["-9223372036854775808"])]), ValueSet::none());
        assert_ne!(set(&[(Gte, &["-9223372036854775808"])]), set(&[(Exists, &[])]));
        assert_ne!(ValueSet::none(), ValueSet::absent());
        assert!(ValueSet::any().is_any() && !set(&[(Exists, &[])]).is_any());
    }

    #[test]
    fn integers_are_given_in_the_usual_way() {
        let range = |excluded: &[&str]| set(&[(Gt, &["3"]), (Lt, &["7"]), (NotIn, excluded)]);
        assert!(range(&["4", "6"]).can_be_given());
        assert!(!range(&["4", "5", "6"]).can_be_given());
        assert!(!range(&["4", "5", "6"]).is_empty());
        assert!(set(&[(In, &["05"]), (Gt, &["3"]), (NotIn, &["5"])]).can_be_given());
        assert!(!ValueSet::none().can_be_given());
    }

    #[test]
    fn samples_are_in_the_set() {
        let of =
            |conditions: &[(Operator, &[&str])]| set(conditions).sample().map(|v| v.to_string());
        assert_eq!(of(&[(NotIn, &["other", "a"])]).as_deref(), Some("other-1"));
        assert_eq!(of(&[(Gte, &["-3"]), (NotIn, &["0"])]).as_deref(), Some("1"));
        assert_eq!(of(&[(Gte, &["5"]), (Lte, &["6"]), (NotIn, &["5"])]).as_deref(), Some("6"));
        assert_eq!(
            of(&[(Gte, &["5"]), (Lte, &["5"]), (NotIn, &["5", "05"])]).as_deref(),
            Some("005")
        );
        assert_eq!(of(&[(Lt, &["-1"])]).as_deref(), Some("-2"));
        assert_eq!(of(&[(Lte, &["1"]), (NotIn, &["0", "1"])]).as_deref(), Some("-1"));
        assert_eq!(of(&[(In, &["b", "a"])]).as_deref(), Some("a"));
        assert_eq!(of(&[(DoesNotExist, &[])]), None);
    }

    #[test]
    fn samples_avoid_what_is_taken() {
        let taken: BTreeSet<Arc<str>> = ["other", "other-2", "6", "a"].map(Arc::from).into();
        let of = |conditions: &[(Operator, &[&str])]| -> Vec<String> {
            set(conditions).samples(&taken).take(3).map(|v| v.to_string()).collect()
        };
        assert_eq!(of(&[(Exists, &[])]), ["other-1", "other-3", "other-4"]);
        assert_eq!(of(&[(NotIn, &["other-1"])]), ["other-3", "other-4", "other-5"]);
        assert_eq!(of(&[(Gt, &["5"]), (Lt, &["8"])]), ["7"]);
        assert_eq!(of(&[(Gt, &["5"])]), ["7", "8", "9"]);
        assert_eq!(of(&[(Lt, &["2"])]), ["0", "1", "-1"]);
        assert_eq!(of(&[(In, &["a", "b"])]), ["b"]);
    }
}
