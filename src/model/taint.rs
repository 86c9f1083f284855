//! Taints of nodes and the tolerations of pods.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>.

use std::sync::Arc;

/// A mark on a node that keeps pods away unless they tolerate it.
///
/// # Examples
/// ```
/// use plimsoll::Pod;
/// use plimsoll::model::{Effect, Taint, Toleration};
///
/// let taint = Taint::new("dedicated", "batch", Effect::NoSchedule);
/// let toleration = Toleration::equal(taint.key.clone(), taint.value.clone())
///     .with_effect(taint.effect);
/// let pod = Pod::new("job").with_toleration(toleration);
/// assert_eq!(pod.tolerations()[0].effect, Some(Effect::NoSchedule));
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Taint {
    /// The taint's key.
    pub key: Arc<str>,
    /// The taint's value, empty when there is none.
    pub value: Arc<str>,
    /// What the taint does.
    pub effect: Effect,
}

/// What a [`Taint`] does to pods that don't tolerate it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Effect {
    /// They aren't placed here.
    NoSchedule,
    /// They are placed elsewhere where possible.
    PreferNoSchedule,
    /// They aren't placed here, and are evicted.
    NoExecute,
}

/// A pod's leave to run on nodes with certain taints.
///
/// # Examples
/// ```
/// use plimsoll::model::{Toleration, TolerationOperator};
///
/// // As daemon sets of a cluster's own services have it: every taint.
/// assert_eq!(Toleration::exists("").operator, TolerationOperator::Exists);
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Toleration {
    /// The taint's key; empty (with `Exists`) means every key.
    pub key: Arc<str>,
    /// How key and value are compared.
    pub operator: TolerationOperator,
    /// The value to compare with.
    pub value: Arc<str>,
    /// The taint's effect; `None` means every effect.
    pub effect: Option<Effect>,
    /// For `NoExecute`: how long the pod stays; it plays no part in placement.
    pub toleration_seconds: Option<i64>,
}

/// The operators of a [`Toleration`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TolerationOperator {
    /// The values are equal.
    #[default]
    Equal,
    /// The key is there, whatever its value.
    Exists,
    /// The taint's value, an integer, is greater than the toleration's.
    Gt,
    /// The taint's value, an integer, is less than the toleration's.
    Lt,
}

impl Taint {
    /// A taint; an empty value stands for none.
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>, value: impl Into<Arc<str>>, effect: Effect) -> Self {
        Self { key: key.into(), value: value.into(), effect }
    }
}

impl Toleration {
    /// Tolerates every taint of a key; the empty key means every taint.
    #[must_use]
    pub fn exists(key: impl Into<Arc<str>>) -> Self {
        Self { key: key.into(), operator: TolerationOperator::Exists, ..Self::default() }
    }

    /// Tolerates the taints with this key and value.
    #[must_use]
    pub fn equal(key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Self { key: key.into(), value: value.into(), ..Self::default() }
    }

    /// Tolerates only taints of this effect.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }
}
