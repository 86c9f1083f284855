//! What a caller sees of refinement while it runs, and how it says that this is enough.

use crate::model::Price;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Where refinement stands: the best plan so far, and what no plan costs less than.
///
/// The cost is what is minimised, fees and priced preferences included. The lower bound is worked
/// out in floating point; when the search ends it is proved in integers, and what the plan states
/// may be a little lower.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// What the best plan so far costs per hour.
    pub cost: Price,
    /// What no plan that places the same pods costs less than per hour, as far as is known: 0 at
    /// first.
    pub lower_bound: Price,
}

/// What refinement is doing.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Phase {
    /// The packer has made a plan, and refinement begins.
    Packed,
    /// The bound is being raised and the plan improved, by turns.
    Searching,
    /// The bound is being proved.
    Proving,
}

impl Progress {
    /// How far the cost may be from the least possible: (cost − lower bound) / cost in millionths,
    /// rounded up; 0 for a cost of 0.
    #[must_use]
    pub fn gap_millionths(&self) -> u32 {
        let (cost, bound) = (self.cost.nanos(), self.lower_bound.nanos());
        if cost <= 0 {
            return 0;
        }
        let above = cost.saturating_sub(bound).clamp(0, cost);
        let millionths = above.saturating_mul(1_000_000).saturating_add(cost - 1) / cost;
        u32::try_from(millionths).unwrap_or(1_000_000)
    }
}

impl fmt::Display for Progress {
    /// The phase, the cost, the lower bound and the gap.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Packed => "packed",
            Phase::Searching => "searching",
            Phase::Proving => "proving",
        };
        let hundredths = self.gap_millionths().div_ceil(100);
        let gap = format!("{}.{:02} %", hundredths / 100, hundredths % 100);
        write!(f, "{phase}: {} an hour, at least {}, gap {gap}", self.cost, self.lower_bound)
    }
}

/// Looks on while a plan is refined, and may end it.
///
/// It is called whenever the best plan or the lower bound is better than before, and when a phase
/// begins, from one thread at a time, and should return soon: refinement waits for it. By default
/// nobody looks on.
///
/// # Examples
/// A progress bar is a closure that draws; "stop at a gap of 1 %" is one that compares:
/// ```
/// use plimsoll::{Effort, Observer, Options};
/// use std::ops::ControlFlow;
///
/// let options = Options::default()
///     .with_effort(Effort::Refine(Default::default()))
///     .with_observer(Observer::new(|progress| {
///         eprintln!("{progress}");
///         match progress.gap_millionths() <= 10_000 {
///             true => ControlFlow::Break(()),
///             false => ControlFlow::Continue(()),
///         }
///     }));
/// ```
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Look>>);

type Look = dyn Fn(&Progress) -> ControlFlow<()> + Send + Sync;

impl Observer {
    /// Calls `look` with where refinement stands; what it returns says whether to go on.
    pub fn new(look: impl Fn(&Progress) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(look)))
    }

    /// Whether the caller wishes to go on, having seen this.
    pub(crate) fn goes_on(&self, progress: &Progress) -> bool {
        self.0.as_ref().is_none_or(|look| look(progress).is_continue())
    }
}

/// Observers are equal if they are one, shared by clones, or if neither looks on.
impl PartialEq for Observer {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer::new(..)" } else { "Observer(nobody)" })
    }
}
