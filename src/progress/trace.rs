//! A record of what a solve decided.
//!
//! A trace is the way to answer "why this node?" after the fact, to compare two versions of a
//! problem, or to write a test about a decision rather than about a price. It grows by one entry
//! for each purchase: a plan of tens of thousands of launches has some hundreds, since equal nodes
//! are bought together.

use super::{Event, Observer};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

/// A record of what solves decided, step by step.
///
/// It is written by its [`observer`](Trace::observer); clones share the record. The same problem
/// and options give the same record on every machine, unless a clock stops the solve. `Display`
/// writes a line for each step. Consolidations aren't recorded.
///
/// # Examples
/// ```
/// use plimsoll::progress::Trace;
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
/// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "2")])?);
/// let problem =
///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
/// let trace = Trace::new();
/// let _plan = provision(&problem, &Options::default().with_observer(trace.observer()))?;
/// let text = trace.to_string();
/// let bought = text.lines().find(|line| line.starts_with("bought"));
/// assert_eq!(
///     bought,
///     Some(
///         "bought: 1 x m7.large eu-1a on-demand 0.1008, pool default, efficiency 100.00 %, \
///          each for default/web"
///     ),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<Mutex<Vec<Event>>>);

impl Trace {
    /// An empty record.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::progress::Trace;
    ///
    /// let trace = Trace::new();
    /// assert!(trace.events().is_empty());
    /// // Clones share the record.
    /// assert_eq!(trace.clone().to_string(), trace.to_string());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An observer that writes down all that it sees, and ends nothing.
    ///
    /// To write down steps *and* end a search, call [`Trace::push`] in an observer of your own.
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
    /// use plimsoll::progress::{Event, Trace};
    ///
    /// let trace = Trace::new();
    /// let plan = solver.provision(&options.with_observer(trace.observer()))?;
    /// let nodes = trace.events().iter().map(|event| match event {
    ///     Event::Bought { nodes, .. } => *nodes,
    ///     _ => 0,
    /// }).sum::<u32>();
    /// assert_eq!(usize::try_from(nodes)?, plan.launches().len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn observer(&self) -> Observer {
        let trace = self.clone();
        Observer::of_events(move |event| {
            trace.push(event.clone());
            ControlFlow::Continue(())
        })
    }

    /// Adds a step.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::progress::{Event, Trace};
    /// use plimsoll::Observer;
    /// use std::ops::ControlFlow;
    ///
    /// let trace = Trace::new();
    /// let record = trace.clone();
    /// let observer = Observer::of_events(move |event| {
    ///     record.push(event.clone());
    ///     match event {
    ///         Event::Progress(progress) if progress.gap_millionths() <= 10_000 => ControlFlow::Break(()),
    ///         _ => ControlFlow::Continue(()),
    ///     }
    /// });
    /// # drop(observer);
    /// ```
    pub fn push(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// What is recorded, in its order.
    ///
    /// A copy: the record goes on growing if a solve is under way.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Display for Trace {
    /// A line for each step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events().iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}
