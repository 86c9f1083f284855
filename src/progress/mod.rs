//! What a caller sees of a solve while it runs, and how it says that this is enough.
//!
//! An [`Observer`] is told where refinement stands, or of every step: what domains were chosen,
//! what was bought and why, what rounds came to. A [`Trace`] keeps these steps.
//!
//! | wanted | way |
//! |---|---|
//! | a progress bar, "stop at a gap of 1 %" | [`Observer::new`]: told of [`Progress`] |
//! | why is the plan as it is? | [`Trace`], or [`Observer::of_events`]: told of every [`Event`] |
//! | stop after ten seconds | [`Stop`](crate::Stop), which needs no observer |
//!
//! # Promises
//!
//! An observer changes nothing but the moment at which a search ends. Events of a launch plan come
//! in the same order on every machine and with any number of threads; whatever an observer writes
//! down is as reproducible as the plan. Nobody looking on costs nothing: events aren't made.

mod event;
mod trace;

pub use event::{
    ConsolidationFigures, DomainFeedback, Event, Improvement, MethodKind, PackingFigures,
};
pub use trace::Trace;

use crate::model::Price;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where refinement or a consolidation stands: the best plan so far, and what no plan costs less
/// than.
///
/// The cost is what is minimised, fees and priced preferences included. The lower bound is worked
/// out in floating point; when the search ends it is proved in integers, and what the plan states
/// may be a little lower.
///
/// A search never reports a cost above or a bound below what it reported before.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # use plimsoll::{Effort, Observer};
/// # use std::ops::ControlFlow;
/// # use std::sync::{Arc, Mutex};
/// # let pod = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "900m")])?);
/// # let problem =
/// #     Problem::builder().pod(pod).instance_type(small).node_pool(NodePool::new("default")).build()?;
/// let seen = Arc::new(Mutex::new(Vec::new()));
/// let log = seen.clone();
/// let observer = Observer::new(move |progress| {
///     if let Ok(mut log) = log.lock() {
///         log.push((progress.cost, progress.lower_bound));
///     }
///     ControlFlow::Continue(())
/// });
/// let options =
///     Options::default().with_effort(Effort::Refine(Default::default())).with_observer(observer);
/// let plan = provision(&problem, &options)?;
/// let seen = seen.lock().map_err(|_| "poisoned")?;
/// assert!(seen.iter().all(|(cost, bound)| bound <= cost && *cost >= plan.cost().total));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// They come in this order; a search that is stopped, or that has nothing to prove, leaves out what
/// comes after.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Phase {
    /// The packer has made a plan, and refinement begins; of a consolidation, the cluster is as it
    /// was given.
    Packed,
    /// The bound is being raised and the plan improved, by turns.
    Searching,
    /// The bound is being proved.
    Proving,
}

impl Progress {
    /// How far the cost may be from the least possible: (cost − lower bound) / cost in millionths,
    /// rounded up; 0 for a cost of 0.
    ///
    /// Rounded up, so that "at most 1 %" is true where the number says so; the gap of a finished
    /// plan ([`Cost::gap_millionths`](crate::plan::Cost::gap_millionths)) is rounded to the
    /// nearest.
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

/// Looks on while a plan is made, and may end that.
///
/// It is called from one thread at a time and should return soon: the solve waits for it. One made
/// by [`Observer::new`] is told of progress alone, whenever the best plan or the lower bound is
/// better than before and when a phase of refinement begins; one made by [`Observer::of_events`] of
/// every step, which costs a little time. By default nobody looks on, which costs nothing.
///
/// Of consolidations the cost is what the cluster costs that the best plan leads to, fees left out,
/// and plans and bounds are looked for side by side: their order may differ from one call to the
/// next, the plan doesn't.
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
pub struct Observer(Option<Look>);

#[derive(Clone)]
enum Look {
    Progress(Arc<LookAt<Progress>>),
    Events(Arc<LookAt<Event>>),
}

type LookAt<T> = dyn Fn(&T) -> ControlFlow<()> + Send + Sync;

impl Observer {
    /// Calls `look` with where refinement stands; what it returns says whether to go on.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// use plimsoll::{Effort, Observer};
    /// use std::ops::ControlFlow;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::sync::Arc;
    ///
    /// let calls = Arc::new(AtomicU32::new(0));
    /// let counted = calls.clone();
    /// let observer = Observer::new(move |_| {
    ///     counted.fetch_add(1, Ordering::Relaxed);
    ///     ControlFlow::Continue(())
    /// });
    /// let options = options.with_effort(Effort::Refine(Default::default())).with_observer(observer);
    /// solver.provision(&options)?;
    /// assert!(calls.load(Ordering::Relaxed) > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(look: impl Fn(&Progress) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Some(Look::Progress(Arc::new(look))))
    }

    /// Calls `look` with every step; what it returns says whether to go on.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Observer, Options};
    /// use std::ops::ControlFlow;
    ///
    /// let options = Options::default().with_observer(Observer::of_events(|event| {
    ///     eprintln!("{event}");
    ///     ControlFlow::Continue(())
    /// }));
    /// ```
    pub fn of_events(look: impl Fn(&Event) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Some(Look::Events(Arc::new(look))))
    }
}

/// Observers are equal if they are one, shared by clones, or if neither looks on.
impl PartialEq for Observer {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(Look::Progress(one)), Some(Look::Progress(other))) => Arc::ptr_eq(one, other),
            (Some(Look::Events(one)), Some(Look::Events(other))) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            None => "Observer(nobody)",
            Some(Look::Progress(_)) => "Observer::new(..)",
            Some(Look::Events(_)) => "Observer::of_events(..)",
        })
    }
}

/// An observer of one solve, and whether it has seen enough.
///
/// Threads tell it things side by side; `turn` lets one in at a time, so that a caller's closure
/// needs no lock of its own. Once it has said that this is enough nothing more is told, and
/// `enough` ends the search at the next place where it looks.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    observer: Observer,
    enough: Arc<AtomicBool>,
    /// Held by whoever tells something.
    turn: Mutex<()>,
}

impl Watch {
    pub(crate) fn of(observer: &Observer) -> Self {
        Self { observer: observer.clone(), ..Self::default() }
    }

    /// Whether anybody looks on.
    pub(crate) fn looks_on(&self) -> bool {
        self.observer.0.is_some()
    }

    /// Whether every step is to be told of.
    pub(crate) fn wants_events(&self) -> bool {
        matches!(self.observer.0, Some(Look::Events(_)))
    }

    /// Set once the observer has seen enough.
    pub(crate) fn enough(&self) -> Arc<AtomicBool> {
        self.enough.clone()
    }

    /// Tells of a step, if that is wanted.
    pub(crate) fn event(&self, event: impl FnOnce() -> Event) {
        if let Some(Look::Events(look)) = &self.observer.0 {
            self.heed(|| look(&event()));
        }
    }

    /// Tells where refinement stands.
    pub(crate) fn progress(&self, progress: Progress) {
        match &self.observer.0 {
            None => {}
            Some(Look::Progress(look)) => self.heed(|| look(&progress)),
            Some(Look::Events(look)) => self.heed(|| look(&Event::Progress(progress))),
        }
    }

    /// Asks the observer, unless it has seen enough.
    fn heed(&self, ask: impl FnOnce() -> ControlFlow<()>) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.enough.load(Ordering::Relaxed) && ask().is_break() {
            self.enough.store(true, Ordering::Relaxed);
        }
    }
}
