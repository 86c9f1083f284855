//! Placeholders: pods that stand for room that should stay free.
//!
//! Karpenter and Cluster Autoscaler keep headroom by running pods that do nothing ("balloons"),
//! which are preempted when something comes. Here nothing has to run: the placeholder is planned
//! for, and the room that it takes in the plan stays free in the cluster.

/// What a placeholder pod may use; it is stated by the annotation [`Placeholder::ANNOTATION`].
///
/// Placeholders are headroom: pods that are never run, but planned for, so that pods that come
/// later find room. A placeholder is an ordinary pending pod in every other way; it is usual to
/// give it a low priority.
///
/// # Examples
/// ```
/// use plimsoll::Pod;
/// use plimsoll::model::Placeholder;
///
/// let headroom = Pod::new("headroom").with_priority(-10).with_placeholder(Placeholder::Launch);
/// let annotation = headroom.annotations().get(Placeholder::ANNOTATION);
/// assert_eq!(annotation.map(|value| &**value), Some("launch"));
/// assert_eq!(headroom.placeholder(), Some(Placeholder::Launch));
/// ```
///
/// In a plan a placeholder has a binding or a reason like every other pod, by which a caller tells
/// how much of the headroom there is. It must not be bound, and a daemon set has none.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Placeholder {
    /// Only room that is there anyway: on a node of the problem, or on a launch that other pods or
    /// a static node pool cause.
    Free,
    /// Any room: like any pod, it may cause a launch.
    Launch,
}

/// What the annotation's values mean.
const WORDS: [(&str, Placeholder); 2] =
    [("free", Placeholder::Free), ("launch", Placeholder::Launch)];

impl Placeholder {
    /// The annotation that makes a pod a placeholder; its values are `free` and `launch`.
    pub const ANNOTATION: &str = "plimsoll.dev/placeholder";

    /// The annotation's value.
    ///
    /// `free` or `launch`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        WORDS.iter().find(|(_, meaning)| *meaning == self).map_or("", |(word, _)| word)
    }

    /// What a value of the annotation means; `None` for a word that isn't one.
    pub(crate) fn from_word(text: &str) -> Option<Self> {
        WORDS.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
    }
}
