//! Why a pod has no place, pool by pool, and what would give it one.
//!
//! Of each pool two things are said. The smallest set of rules of which every candidate breaks one
//! says why there is none; all that is in the way at the nearest candidate says what to change. The
//! changes together give the pod a place in the plan as it stands, unless other pods that have none
//! take it first.
//!
//! *Two questions, two sets.* The *smallest excluding set* explains: with fewer rules some
//! candidate would be left. It is found as a smallest hitting set of what each candidate breaks,
//! which are few kinds. *The nearest candidate* helps: of all candidates the one with the fewest
//! things in its way, all of which must go.
//!
//! *Cost.* One look at every candidate of the pod, those of offers that are alike together.

use super::{RuleChange, not_asked, remedy};
use crate::error::Error;
use crate::explain::Cause;
use crate::options::Options;
use crate::pack::{Exclusion, exclusions};
use crate::plan::LaunchPlan;
use crate::solver::Solver;
use std::fmt;
use std::sync::Arc;

/// Why a pod has no place.
///
/// Its text has three lines: where it was looked, what is in the way at the nearest candidate, and
/// what would give the pod a place there.
///
/// `Display` is for people; programs read [`WhyUnplaced::nearest`] and its changes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WhyUnplaced {
    /// "namespace/name".
    pub pod: Arc<str>,
    /// For each node pool, by name, and then for the nodes of the problem, how its candidates are
    /// ruled out.
    pub excluded: Vec<ExcludedCandidates>,
}

/// How the candidates of a node pool, or the nodes of the problem, are ruled out for a pod.
///
/// Its text has at most three lines: the rules, what is in the way at the nearest candidate, and
/// the change.
///
/// `rules` and `nearest` differ where several things are in the way of one candidate: the rules say
/// why none is left, with as few as possible, and the nearest what would have to go to use it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ExcludedCandidates {
    /// The node pool; `None` means the nodes of the problem.
    pub node_pool: Option<Arc<str>>,
    /// How many candidates there are: offerings of types of the pool, or nodes.
    pub candidates: u32,
    /// The smallest set of rules of which every candidate breaks one, each as it is where it falls
    /// least short. Empty where some candidate breaks none: the search didn't find the place.
    pub rules: Vec<Cause>,
    /// All that is in the way at the nearest candidate, a further launch, a launch of the plan or a
    /// node.
    pub nearest: Vec<Cause>,
    /// What takes all of that away; `None` where no change of a rule does, for want of types or of
    /// a pool, say.
    pub changes: Option<Vec<RuleChange>>,
}

impl Solver {
    /// Why a pod has no place in a plan for the solver's problem, and what would give it one.
    ///
    /// The plan is taken as it stands, whatever effort made it. The pod is called as the plan calls
    /// it, "namespace/name".
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, Solver};
    ///
    /// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
    ///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
    /// let web = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "1500m")])?);
    /// let pool = NodePool::new("default").with_limits(Resources::parse([("cpu", "4")])?);
    /// let problem = Problem::builder().pod(web).instance_type(large).node_pool(pool).build()?;
    /// let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// let plan = solver.provision(&options)?;
    /// let why = solver.why_unplaced(&plan, "default/web-2", &options)?;
    /// assert_eq!(
    ///     why.to_string(),
    ///     "default/web-2 has no place on any of 1 offering of 1 node pool
    /// node pool default has used 4 of its limit of 4 cpu, one more node for the pod needs 2
    /// to give it one: set the limit of node pool default to 6 cpu",
    /// );
    /// let changes = why.nearest().and_then(|nearest| nearest.changes.clone()).unwrap_or_default();
    /// let effect = solver.effect_of(&plan, &changes, &options)?;
    /// assert_eq!((effect.before.unplaced, effect.after.unplaced), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The plan doesn't leave the pod out, or isn't one of the solver's problem
    /// ([`Error::is_invalid_input`]); or the options are refused as by [`Solver::provision`].
    pub fn why_unplaced(
        &self,
        plan: &LaunchPlan,
        pod: &str,
        options: &Options,
    ) -> Result<WhyUnplaced, Error> {
        let out = plan.unschedulable.iter().find(|out| *out.pod == *pod).ok_or_else(|| {
            not_asked("pod", format!("{pod} isn't left out"), "a pod that the plan leaves out")
        })?;
        let entry = entry_of(self.problem(), pod);
        let found = self.ask(options, |context| exclusions(context, plan, pod))?;
        let (Some(entry), Some(found)) = (entry, found) else {
            return Err(not_asked("plan", "it isn't one of the problem".into(), "a plan for it"));
        };
        let excluded = found.into_iter().map(|one| {
            let Exclusion { pool, candidates, rules, nearest, short } = one;
            let all: Option<Vec<Vec<RuleChange>>> =
                nearest.iter().map(|cause| remedy::changes(cause, entry, &short)).collect();
            let changes = all.map(|all| {
                let mut changes = all.concat();
                changes.sort();
                changes.dedup();
                changes
            });
            ExcludedCandidates { node_pool: pool, candidates, rules, nearest, changes }
        });
        Ok(WhyUnplaced { pod: out.pod.clone(), excluded: excluded.collect() })
    }
}

/// The problem's entry of a pod that a plan names.
pub(super) fn entry_of<'p>(
    problem: &'p crate::model::Problem,
    pod: &str,
) -> Option<&'p crate::model::Pod> {
    let (namespace, name) = pod.split_once('/')?;
    let is = |name: &str, is_set: bool| {
        let key = (namespace, name, is_set);
        let of = |pod: &'p crate::model::Pod| (&*pod.namespace, &*pod.name, pod.replicas > 1);
        let at = problem.pods.binary_search_by(|pod| of(pod).cmp(&key)).ok()?;
        problem.pods.get(at)
    };
    is(name, false).or_else(|| is(name.rsplit_once('-')?.0, true))
}

impl WhyUnplaced {
    /// Where the fewest changes give the pod a place; of those that are as few the first.
    ///
    /// `None` only where there was nothing to look at: neither node pools nor nodes.
    #[must_use]
    pub fn nearest(&self) -> Option<&ExcludedCandidates> {
        let number = |one: &&ExcludedCandidates| match &one.changes {
            Some(changes) if !changes.is_empty() => changes.len(),
            _ => usize::MAX,
        };
        self.excluded.iter().min_by_key(number)
    }
}

/// "1 offering", "3 offerings".
fn counted(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// Causes one after another.
fn sentences(causes: &[Cause]) -> String {
    let all: Vec<String> = causes.iter().map(Cause::to_string).collect();
    all.join(", and ")
}

fn orders(changes: &[RuleChange]) -> String {
    let all: Vec<String> = changes.iter().map(RuleChange::to_string).collect();
    all.join(", and ")
}

impl fmt::Display for WhyUnplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pools: Vec<&ExcludedCandidates> =
            self.excluded.iter().filter(|one| one.node_pool.is_some()).collect();
        let offerings = pools.iter().map(|one| u64::from(one.candidates)).sum();
        let number = u64::try_from(pools.len()).unwrap_or(u64::MAX);
        write!(f, "{} has no place", self.pod)?;
        if number > 0 {
            let (offerings, pools) = (counted(offerings, "offering"), counted(number, "node pool"));
            write!(f, " on any of {offerings} of {pools}")?;
        }
        if let Some(nodes) = self.excluded.iter().find(|one| one.node_pool.is_none())
            && nodes.candidates > 0
        {
            let or = if number > 0 { ", nor on" } else { " on" };
            write!(f, "{or} {}", counted(nodes.candidates.into(), "node"))?;
        }
        let Some(nearest) = self.nearest() else { return Ok(()) };
        write!(f, "\n{}", sentences(&nearest.nearest))?;
        match &nearest.changes {
            Some(changes) if !changes.is_empty() => {
                write!(f, "\nto give it one: {}", orders(changes))
            }
            _ => f.write_str("\nno change of a single rule is known that gives it one"),
        }
    }
}

impl fmt::Display for ExcludedCandidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = u64::from(self.candidates);
        match &self.node_pool {
            Some(pool) => write!(f, "node pool {pool}, {}: ", counted(count, "offering"))?,
            None => write!(f, "{}: ", counted(count, "node"))?,
        }
        match self.rules.as_slice() {
            [] => f.write_str("some break no rule")?,
            rules => f.write_str(&sentences(rules))?,
        }
        if self.nearest != self.rules {
            write!(f, "\nnearest: {}", sentences(&self.nearest))?;
        }
        match &self.changes {
            Some(changes) if !changes.is_empty() => write!(f, "\nchange: {}", orders(changes)),
            _ => Ok(()),
        }
    }
}
