//! Taints of nodes and the tolerations of pods.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>.
//!
//! A toleration lets a pod onto nodes that have a taint; it doesn't draw it there. A pod may go to
//! a node where each taint with the effect `NoSchedule` or `NoExecute` is tolerated by one of its
//! tolerations; a taint of `PreferNoSchedule` that isn't tolerated is a preference against the
//! node.
//!
//! | toleration | tolerates |
//! |---|---|
//! | key, `Equal`, value | taints with this key and value |
//! | key, `Exists` | taints with this key |
//! | no key, `Exists` | every taint |
//! | key, `Gt` or `Lt`, integer | taints with this key whose value is a greater or a lesser integer |
//! | with an effect | of those, taints of this effect |

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
///
/// Of one key and effect a node has one taint.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Taint {
    /// The taint's key.
    pub key: Arc<str>,
    /// The taint's value, empty when there is none.
    pub value: Arc<str>,
    /// What the taint does.
    ///
    /// One key may stand twice, with two effects.
    pub effect: Effect,
}

/// What a [`Taint`] does to pods that don't tolerate it.
///
/// In documents its variants' names are its words.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Effect {
    /// They aren't placed here.
    ///
    /// Pods that run there stay.
    NoSchedule,
    /// They are placed elsewhere where possible.
    ///
    /// It is weighed as [`Options::preferences`](crate::Options) says.
    PreferNoSchedule,
    /// They aren't placed here, and are evicted.
    ///
    /// Eviction is Kubernetes' part: pods that are bound here are taken to run on.
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
///
/// Checked when the problem is built: without a key the operator is `Exists`; `Exists` has no
/// value; `Gt` and `Lt` have an integer as it is usually written; seconds go with `NoExecute` only.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Toleration {
    /// The taint's key; empty (with `Exists`) means every key.
    pub key: Arc<str>,
    /// How key and value are compared.
    pub operator: TolerationOperator,
    /// The value to compare with.
    ///
    /// Empty with `Exists`.
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
    ///
    /// A taint whose value isn't an integer isn't tolerated. Kubernetes has it as an alpha feature.
    Gt,
    /// The taint's value, an integer, is less than the toleration's.
    ///
    /// As `Gt`.
    Lt,
}

impl Taint {
    /// A taint; an empty value stands for none.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Effect, Taint};
    ///
    /// let gpu = Taint::new("nvidia.com/gpu", "", Effect::NoSchedule);
    /// assert_eq!((&*gpu.value, gpu.effect.as_str()), ("", "NoSchedule"));
    /// ```
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>, value: impl Into<Arc<str>>, effect: Effect) -> Self {
        Self { key: key.into(), value: value.into(), effect }
    }
}

impl Toleration {
    /// Tolerates every taint of a key; the empty key means every taint.
    ///
    /// Of every effect, unless [`with_effect`](Toleration::with_effect) says which.
    #[must_use]
    pub fn exists(key: impl Into<Arc<str>>) -> Self {
        Self { key: key.into(), operator: TolerationOperator::Exists, ..Self::default() }
    }

    /// Tolerates the taints with this key and value.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Toleration, TolerationOperator};
    ///
    /// let batch = Toleration::equal("dedicated", "batch");
    /// assert_eq!(batch.operator, TolerationOperator::Equal);
    /// assert_eq!(batch.effect, None);
    /// ```
    #[must_use]
    pub fn equal(key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Self { key: key.into(), value: value.into(), ..Self::default() }
    }

    /// Tolerates only taints of this effect.
    ///
    /// Without an effect it tolerates all three.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }
}
