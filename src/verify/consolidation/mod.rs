//! An independent check of a consolidation: it is carried out on the problem's documents, wave by
//! wave, and judged at each step.
//!
//! # What is claimed
//!
//! [`verify_consolidation`] accepts a plan if and only if all of this holds.
//!
//! - *Names and order* ([`script`]). Waves count from 1 without a gap; no action does nothing. Each
//!   pod that is named is one of the problem that can move, and is placed once; each node deleted
//!   is one of the problem and is deleted once. Every other node is kept, for a reason.
//! - *Eligibility* ([`eligibility`]). Karpenter's rules let each node go for the stated reason when
//!   its wave begins, and each pod that leaves a node that stays.
//! - *Destinations* ([`wave`]). The action that deletes a node places all of its pods, on launches
//!   of its own, on those of an action before it, or on nodes that are there when its wave begins,
//!   that no wave deletes, and, for running pods, that have started, aren't promised to others and
//!   aren't to be replaced themselves.
//! - *Each step is legal* ([`replay`], [`wave`]). When the pods of a wave are bound, today's rules
//!   accept all of them: resources, ports, volumes and their number, node affinity, taints, rules
//!   between pods in some order of binding, limits of pools with launches beside the nodes that
//!   they replace, reservations, those that static pools need for nodes that they lack, weights,
//!   and everything that a launch states. Nodes that go still
//!   stand then, tainted. What leaves a node that stays takes its room until the wave is over.
//!   Pods that stay are asked nothing. A launch holds all pods that ever come to it, with its
//!   choice and every alternative.
//! - *Budgets* ([`budget`], [`schedule`]). No wave disrupts more nodes of a pool than its budgets
//!   allow at the caller's instant, nor evicts more pods than a disruption budget allows (more of a
//!   single node take several rounds), nor launches more nodes than the caller allows. An allowance
//!   of a disruption budget is there again in the next wave.
//! - *Worth* ([`worth`]). Savings and disruption costs are right, and nothing is saved by a price
//!   that isn't known; an action that nothing else asks for saves what it must, has the spot types
//!   to choose from that it must, and is balanced where the pool's policy wants that. An action for
//!   pods that wait does nothing else.
//! - *Bounds* ([`bound`]). Its certificates, if it has any, prove its lower bounds, of outcomes
//!   in which pods leave the nodes that are deleted and no others.
//! - *Sums*. The number of moved pods, without those of nodes that are going already, is right and
//!   isn't above the caller's; so are the costs before and after, of all nodes whose price
//!   is known; no lower bound is above what it bounds.
//!
//! # What isn't
//!
//! - That a reason why a node stays is right, or that its best alternative is: only that there is
//!   a reason.
//! - That pending pods that have a place get it.
//! - That a pod honours as much of its preferences as before; how many moved ones don't
//!   ([`preference`]) is said of what is accepted.
//! - That an order of binding found is the one that a cluster will take.
//! - That rules between pods hold of pods that come to a launch in a later wave, if the cloud took
//!   another alternative than the choice: by then it is known what was launched.
//!
//! # Cost
//!
//! Each wave is judged as a problem of its own, so the work is that of checking as many launch
//! plans as there are waves.
//!
//! # Files
//!
//! | file | what it checks |
//! |---|---|
//! | [`script`] | names, order and completeness: who goes where |
//! | [`eligibility`], [`schedule`] | whether each node and pod may go, for this reason, at this instant |
//! | [`budget`] | what a wave may disrupt |
//! | [`replay`] | the cluster at each moment, as a problem of its own |
//! | [`wave`] | each action, each step as a launch plan |
//! | [`worth`] | savings, disruption costs, balance |
//! | [`preference`] | what moved pods honour less |
//! | [`bound`] | certificates of the lower bounds |

mod bound;
mod budget;
mod eligibility;
mod fault;
mod preference;
mod replay;
mod schedule;
mod script;
mod wave;
mod worth;

#[cfg(test)]
mod tests;

pub use fault::{ConsolidationFault, Ineligible};

use super::facts::Facts;
use super::violation::Violation;
use super::violations::Violations;
use crate::model::{ConsolidationOptions, Pod, Price, Problem};
use crate::plan::ConsolidationPlan;
use fault::ConsolidationFault as Fault;
use preference::HonouredBefore;
use replay::ReplayState;
use script::{ActionScript, Destination, PodKey, Script, fault};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use worth::{PoolTotals, Weighed};

/// What an accepted consolidation was found to be; only [`verify_consolidation`] makes one.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, Node, NodePool, Options, Problem, Resources, consolidate};
/// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
/// # let (pool, price) = ("karpenter.sh/nodepool", "0.2".parse()?);
/// # let node = |name: &str| Node::new(name, room.clone()).with_price(price);
/// # let node = |name: &str| node(name).with_label(pool, "default");
/// # let problem = Problem::builder()
/// #     .instance_type(InstanceType::new("m.xlarge", room.clone()))
/// #     .node_pool(NodePool::new("default"))
/// #     .nodes([node("idle"), node("held").with_do_not_disrupt(true)])
/// #     .build()?;
/// # let plan = consolidate(&problem, &Options::default())?;
/// use plimsoll::{ConsolidationOptions, verify_consolidation};
///
/// let verified = verify_consolidation(&problem, &plan, &ConsolidationOptions::default())?;
/// assert_eq!((verified.waves(), verified.deleted(), verified.launched()), (1, 1, 0));
/// assert_eq!(verified.cost_before().to_string(), "0.4");
/// assert_eq!(verified.cost_after(), plan.cost().after);
/// assert_eq!((verified.moved(), verified.honouring_less()), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub struct VerifiedConsolidation {
    cost_before: Price,
    cost_after: Price,
    lower_bound: Price,
    lower_bound_for_moves: Price,
    waves: u32,
    deleted: u64,
    launched: u64,
    moved: u64,
    honouring_less: u64,
}

impl VerifiedConsolidation {
    /// What the problem's nodes cost per hour, those of which no price is known left out.
    #[must_use]
    pub fn cost_before(&self) -> Price {
        self.cost_before
    }

    /// What is there when all waves are done costs per hour, nodes of which no price is known left
    /// out.
    #[must_use]
    pub fn cost_after(&self) -> Price {
        self.cost_after
    }

    /// What is proved that every outcome costs per hour at least in which pods leave the nodes
    /// that are deleted, however many move; not below what the plan states.
    #[must_use]
    pub fn lower_bound(&self) -> Price {
        self.lower_bound
    }

    /// As [`VerifiedConsolidation::lower_bound`], of outcomes that move at most as many pods as the
    /// plan does.
    #[must_use]
    pub fn lower_bound_for_moves(&self) -> Price {
        self.lower_bound_for_moves
    }

    /// How many waves there are.
    #[must_use]
    pub fn waves(&self) -> u32 {
        self.waves
    }

    /// How many nodes are deleted.
    #[must_use]
    pub fn deleted(&self) -> u64 {
        self.deleted
    }

    /// How many nodes are launched.
    #[must_use]
    pub fn launched(&self) -> u64 {
        self.launched
    }

    /// How many running pods are moved, without those of nodes that were going already.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// How many of the moved pods honour less of what they prefer, by weight, when their wave is
    /// over than they did where the problem has them: 0 of what
    /// [`consolidate`](crate::consolidate()) decides, unless preferences were to be ignored.
    #[must_use]
    pub fn honouring_less(&self) -> u64 {
        self.honouring_less
    }
}

/// Checks a consolidation against the problem that it answers and what the caller asked; the module
/// says what is claimed.
///
/// It never panics, whatever the plan says.
///
/// The options must be those that the plan was made with: what an action must save, and what may
/// move, is the caller's to say.
///
/// # Errors
/// Every violation found, sorted.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "serde")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use plimsoll::model::Resources;
/// use plimsoll::plan::ConsolidationPlan;
/// use plimsoll::{
///     ConsolidationOptions, InstanceType, Node, NodePool, Problem, verify_consolidation,
/// };
///
/// let capacity = Resources::parse([("cpu", "4"), ("memory", "16Gi"), ("pods", "58")])?;
/// let idle = Node::new("idle", capacity.clone())
///     .with_label("karpenter.sh/nodepool", "default")
///     .with_price("0.2".parse()?);
/// let problem = Problem::builder()
///     .node(idle)
///     .instance_type(InstanceType::new("m.xlarge", capacity))
///     .node_pool(NodePool::new("default"))
///     .build()?;
/// let plan = ConsolidationPlan::from_json(
///     r#"{
///         "actions": [{ "wave": 1, "delete": ["idle"], "reason": "empty", "savings": 0.2,
///             "disruptionCost": 0 }],
///         "cost": { "before": 0.2, "after": 0, "lowerBound": 0, "lowerBoundForMoves": 0 },
///         "moved": 0
///     }"#,
/// )?;
/// let verified = verify_consolidation(&problem, &plan, &ConsolidationOptions::default())?;
/// assert_eq!((verified.deleted(), verified.cost_after().to_string()), (1, "0".into()));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "serde"))]
/// # fn main() {}
/// ```
pub fn verify_consolidation(
    problem: &Problem,
    plan: &ConsolidationPlan,
    options: &ConsolidationOptions,
) -> Result<VerifiedConsolidation, Violations> {
    let facts = Facts::new(problem);
    let mut found = Vec::new();
    let script = Script::of(&facts, plan, &mut found);
    let touched = script.actions.iter().flat_map(|action| &action.moves).map(|one| one.key.0);
    let mut state = ReplayState::new(&facts, touched.collect());
    let totals = PoolTotals::of(&facts);
    let cost_before = cost_of(&facts, &state);
    let waves = script.actions.chunk_by(|one, next| one.action.wave == next.action.wave);
    let mut moved = 0_u64;
    let mut honoured = HonouredBefore::of(&facts);
    for wave in waves {
        for action in wave {
            wave::check_action(&facts, &state, &script, action, options, &mut found);
            let weighed = weigh(&facts, &state, action);
            moved = moved.saturating_add(count(weighed.moved.len()));
            weighed.check(&facts, &totals, options, &mut found);
        }
        wave::check_budgets(&facts, &state, wave, options, &mut found);
        let number = wave.first().map_or(0, |action| action.action.wave);
        wave::check_step(&state.step(wave), number, &mut found);
        if let Some((problem, plan)) = state.with_later(wave, &later(&script, wave)) {
            wave::check_later(&problem, &plan, number, &mut found);
        }
        let leaving = preference::moved(&state, wave);
        state.carry_out(wave);
        honoured.count(&facts, &leaving, &state);
    }
    let cost_after = cost_of(&facts, &state);
    check_sums(plan, options, (cost_before, cost_after, moved), &mut found);
    let bounds = bound::check(&facts, plan, &script, options, moved, &mut found);
    let launched = plan.actions.iter().map(|action| action.launches.len()).sum();
    match Violations::of(found) {
        Some(violations) => Err(violations),
        None => Ok(VerifiedConsolidation {
            cost_before,
            cost_after,
            lower_bound: bounds.of_all,
            lower_bound_for_moves: bounds.for_moves,
            waves: plan.actions.last().map_or(0, |action| action.wave),
            deleted: count(script.deleted.len()),
            launched: count(launched),
            moved,
            honouring_less: honoured.less,
        }),
    }
}

/// An action with the nodes that it deletes and the running pods that it moves.
///
/// Pods of nodes that are going already aren't counted as moved: they have to move whatever is
/// decided.
fn weigh<'s, 'p>(
    facts: &Facts<'_>,
    state: &'s ReplayState<'_, '_>,
    script: &'s ActionScript<'p>,
) -> Weighed<'s, 'p> {
    // Pods of nodes that are going already have no choice.
    let home = |key| state.nodes.get(state.node_of(key)?);
    let running =
        script.moves.iter().filter(|one| home(one.key).is_some_and(|node| !node.deleting));
    let moved: Vec<&Pod> = running.filter_map(|one| state.pod(one.key)).collect();
    Weighed {
        script,
        deleted: script.delete.iter().filter_map(|(_, name)| state.nodes.get(*name)).collect(),
        moved,
        serves_pending: worth::serves_pending(facts, script),
    }
}

/// By name of a launch of a wave, the pods that later waves bring to it.
///
/// A launch is judged with all pods that ever come to it, so that a later wave can't overfill it,
/// or need a label that it doesn't have.
fn later<'p>(
    script: &Script<'p>,
    wave: &[ActionScript<'p>],
) -> BTreeMap<&'p str, Vec<(PodKey, &'p Arc<str>)>> {
    let launches = wave.iter().flat_map(|action| &action.action.launches);
    let names: BTreeSet<&str> = launches.map(|one| &*one.name).collect();
    let mut later: BTreeMap<&str, Vec<(PodKey, &Arc<str>)>> = BTreeMap::new();
    let number = wave.first().map_or(0, |action| action.action.wave);
    let others = script.actions.iter().filter(|action| action.action.wave != number);
    for one in others.flat_map(|action| &action.moves) {
        if let Destination::Node(node, _) = one.to
            && names.contains(&**node)
        {
            later.entry(node).or_default().push((one.key, one.name));
        }
    }
    later
}

/// What standing nodes cost, as far as their prices are known.
fn cost_of(facts: &Facts<'_>, state: &ReplayState<'_, '_>) -> Price {
    let prices = state.nodes.values().filter_map(|node| worth::price_of(facts, node));
    Price::from_nanos(worth::sum(prices))
}

/// Reports sums that aren't right, and too many moves.
fn check_sums(
    plan: &ConsolidationPlan,
    options: &ConsolidationOptions,
    (before, after, moved): (Price, Price, u64),
    out: &mut Vec<Violation>,
) {
    for (path, stated, expected) in
        [("cost.before", plan.cost.before, before), ("cost.after", plan.cost.after, after)]
    {
        if stated != expected {
            out.push(fault(path, Fault::CostWrong { stated, expected }));
        }
    }
    // Whatever could be reached at all could be so with more moves.
    let bounds = [
        ("cost.lowerBound", plan.cost.lower_bound, plan.cost.lower_bound_for_moves),
        ("cost.lowerBoundForMoves", plan.cost.lower_bound_for_moves, plan.cost.after),
    ];
    for (path, lower_bound, cost) in bounds {
        if lower_bound < Price::ZERO || lower_bound > cost {
            out.push(fault(path, Fault::LowerBoundWrong { lower_bound, cost }));
        }
    }
    if plan.moved != moved {
        out.push(fault("moved", Fault::MovedWrong { stated: plan.moved, expected: moved }));
    }
    if let Some(most) = options.max_moves.filter(|most| moved > *most) {
        out.push(fault("moved", Fault::TooManyMoves { moved, most }));
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
