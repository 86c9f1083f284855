//! Limits of node pools, added up again: what a pool's nodes use, and what the launches add.
//!
//! *The rule.* A launch is charged with the whole capacity of its chosen type, overhead included,
//! and with one of `nodes`. What a pool's launches and its running nodes are charged together
//! exceeds no limit; a resource without a limit isn't looked at. A pool of which what runs exceeds
//! any limit launches nothing, not even what that limit doesn't count.
//!
//! *What runs.* A node belongs to the pool that its label names, on its way out or not, and is
//! charged with the capacity of its type; where the problem doesn't know the type, with what the
//! node says is allocatable.
//!
//! Pools without limits are left out of the sums, so that a plan of many launches costs nothing
//! here where nobody limits anything.
//!
//! Source: <https://karpenter.sh/docs/concepts/nodepools/#speclimits>.
//!
//! *Example.* A limit of 16 cpu, one running node of 8, and two launches of 4 and 8: 20 in all,
//! reported with the running 8 and the launched 12.

use super::facts::Facts;
use super::label;
use super::resource::{self, Amounts};
use super::violation::Violation;
use crate::model::{InstanceType, NodePool, well_known};
use crate::plan::LaunchPlan;
use std::collections::BTreeMap;

const NODES: &str = "nodes";

/// What pools use, by name.
#[derive(Debug, Default)]
pub(super) struct Usage<'a> {
    running: BTreeMap<&'a str, Amounts<'a>>,
    launched: BTreeMap<&'a str, Amounts<'a>>,
}

/// What one node of a type counts against its pool's limits.
pub(super) fn charge(instance_type: &InstanceType) -> Amounts<'_> {
    let mut charge = resource::rounded_down(&instance_type.capacity);
    let _stated = charge.insert(NODES, 1);
    charge
}

impl<'a> Usage<'a> {
    pub(super) fn of(facts: &Facts<'a>, plan: &LaunchPlan) -> Self {
        let mut usage = Self::of_running(facts);
        for launch in &plan.launches {
            if let Some((_, pool)) = facts.pool(&launch.template.node_pool)
                && let Some((_, instance_type)) =
                    facts.instance_type(&launch.template.offering.instance_type)
                && !pool.limits.is_empty()
            {
                let sum = usage.launched.entry(&pool.name).or_default();
                resource::add_all(sum, &charge(instance_type));
            }
        }
        usage
    }

    /// What runs uses, before anything is launched.
    pub(super) fn of_running(facts: &Facts<'a>) -> Self {
        Self::of_nodes(facts, |_| true)
    }

    /// What the nodes at these positions use.
    ///
    /// Consolidation asks this of the nodes that stand at a moment.
    pub(super) fn of_nodes(facts: &Facts<'a>, counts: impl Fn(usize) -> bool) -> Self {
        let mut usage = Self::default();
        let nodes = facts.problem.nodes.iter().enumerate();
        for (_, node) in nodes.filter(|(at, _)| counts(*at)) {
            let labels = label::of_node(node).known;
            let Some((_, pool)) =
                labels.get(well_known::NODE_POOL).and_then(|name| facts.pool(name))
            else {
                continue;
            };
            let instance_type =
                labels.get(well_known::INSTANCE_TYPE).and_then(|name| facts.instance_type(name));
            let charge = match instance_type {
                Some((_, instance_type)) => charge(instance_type),
                None => {
                    let mut charge = resource::rounded_down(&node.allocatable);
                    let _stated = charge.insert(NODES, 1);
                    charge
                }
            };
            resource::add_all(usage.running.entry(&pool.name).or_default(), &charge);
        }
        usage
    }

    fn amounts(&self, pool: &NodePool, resource: &str) -> (i128, i128) {
        let amount = |of: &BTreeMap<&str, Amounts<'_>>| {
            of.get(&*pool.name).and_then(|amounts| amounts.get(resource)).copied().unwrap_or(0)
        };
        (amount(&self.running), amount(&self.launched))
    }

    /// What a pool's nodes use already.
    pub(super) fn running(&self, pool: &NodePool, resource: &str) -> i128 {
        self.amounts(pool, resource).0
    }

    /// Whether a pool launches nothing, since what runs exceeds one of its limits.
    pub(super) fn is_overrun(&self, pool: &NodePool) -> bool {
        let mut limits = resource::rounded_down(&pool.limits).into_iter();
        limits.any(|(resource, limit)| self.running(pool, resource) > limit)
    }

    /// Reports limits that the plan's launches exceed.
    ///
    /// A pool that launches nothing may be above its limit: nobody can be blamed for what runs.
    pub(super) fn check(&self, facts: &Facts<'a>, out: &mut Vec<Violation>) {
        for pool in &facts.problem.node_pools {
            for (resource, limit) in resource::rounded_down(&pool.limits) {
                let (running, launched) = self.amounts(pool, resource);
                let launches = self.launched.contains_key(&*pool.name);
                if launches && running.saturating_add(launched) > limit {
                    out.push(Violation::Limit {
                        node_pool: pool.name.clone(),
                        resource: resource.into(),
                        running,
                        launched,
                        limit,
                    });
                }
            }
        }
    }

    /// Whether a pool's limits leave room for one more node of a type, after all that is launched.
    pub(super) fn leaves_room(&self, pool: &NodePool, instance_type: &InstanceType) -> bool {
        let charge = charge(instance_type);
        resource::rounded_down(&pool.limits).into_iter().all(|(resource, limit)| {
            let (running, launched) = self.amounts(pool, resource);
            let more = charge.get(resource).copied().unwrap_or(0);
            running.saturating_add(launched).saturating_add(more) <= limit
        })
    }
}
