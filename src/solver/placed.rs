//! How many pods can have a place, whatever the plan.
//!
//! *Problem.* A plan that leaves pods out may be a bad plan, or the pods may be too many. *Idea.*
//! Count a pod as one, whatever it costs, and ask the linear programme of the lower bound for the
//! most that limits, reservations and running nodes can hold: its dual values are a certificate.
//! *Why it is right.* See [`plimsoll::plan::certificate`](crate::plan::certificate), "Placed pods".
//! Where the programme proves nothing the bound is the number of pods, which is always one.

use super::Solver;
use crate::bound;
use crate::plan::certificate::PlacementBound;
use crate::refine;

impl Solver {
    /// How many of the pending pods can have a place at most, placeholders aside, with a proof that
    /// [`verify_placement_bound`](crate::verify::verify_placement_bound) checks.
    ///
    /// It looks at resources, limits, reservations, static pools and the room on running nodes, and
    /// at who can be where, not at rules over domains. Where a plan places as many none places
    /// more; where it places fewer there may be a better one, or none. It takes a linear programme
    /// of the size of the one that greedy planning starts with, and no plan is made.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::verify::verify_placement_bound;
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, Solver};
    ///
    /// let web = Pod::new("web").with_replicas(9).with_requests(Resources::parse([("cpu", "1")])?);
    /// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
    ///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
    /// let pool = NodePool::new("default").with_limits(Resources::parse([("cpu", "7")])?);
    /// let problem = Problem::builder().pod(web).instance_type(large).node_pool(pool).build()?;
    /// let solver = Solver::new(&problem)?;
    ///
    /// // Three nodes of two cpu, and no plan places more.
    /// let bound = solver.placement_bound();
    /// assert_eq!(bound.most_placed, 6);
    /// assert_eq!(verify_placement_bound(&problem, &bound)?, 6);
    /// let plan = solver.provision(&Options::default())?;
    /// assert_eq!(plan.unschedulable().len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn placement_bound(&self) -> PlacementBound {
        let compiled = &*self.compiled;
        let mut entries = |class| refine::entries(compiled, class);
        bound::most_placed(compiled, &mut entries).unwrap_or_else(|| bound::all_placed(compiled))
    }
}
