//! Node pools and their disruption rules, as Karpenter validates them.
//!
//! Source: <https://karpenter.sh/docs/concepts/nodepools/>.

use super::requirement::{self, RequirementContext};
use super::{name, resource, taint};
use crate::model::NODES;
use crate::model::fault::{Faults, Path, quoted};
use crate::model::{Budget, BudgetWindow, Disruption, NodePool, well_known};
use std::collections::BTreeSet;

/// Checks a node pool, but for its name's being unique.
///
/// `types` has the names of the problem's instance types, where all of them are known.
pub(crate) fn node_pool(
    pool: &NodePool,
    types: Option<&BTreeSet<&str>>,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    name::label_name(&pool.name, &path.field("name"), faults);
    let labels = path.field("labels");
    requirement::node_labels(&pool.labels, &labels, faults);
    requirement::fixed_label(&pool.labels, well_known::NODE_POOL, &pool.name, &labels, faults);
    requirement::no_label(&pool.labels, well_known::HOSTNAME, &labels, faults);
    taint::taints(&pool.taints, &path.field("taints"), faults);
    taint::taints(&pool.startup_taints, &path.field("startupTaints"), faults);
    let list = path.field("requirements");
    for (i, condition) in pool.requirements.iter().enumerate() {
        requirement::requirement(condition, RequirementContext::Pool, &list.item(i), faults);
    }
    let list = path.field("instanceTypes");
    let mut seen = BTreeSet::new();
    for (i, type_name) in pool.instance_types.iter().flatten().enumerate() {
        if !seen.insert(type_name) {
            faults.add(
                &list.item(i),
                format!("{} for a second time", quoted(type_name)),
                "it once",
            );
        } else if types.is_some_and(|types| !types.contains(&**type_name)) {
            faults.add(
                &list.item(i),
                format!("{} isn't an instance type of the problem", quoted(type_name)),
                "a name of instanceTypes",
            );
        }
    }
    resource::limits(&pool.limits, &path.field("limits"), faults);
    if pool.replicas.is_some() {
        if pool.weight != 0 {
            faults.add(
                &path.field("weight"),
                "a weight of a static pool",
                "no weight with replicas",
            );
        }
        for (resource, _) in pool.limits.iter().filter(|(resource, _)| &***resource != NODES) {
            faults.add(
                &path.field("limits").key(resource),
                "a limit of a static pool",
                "no limit but nodes with replicas",
            );
        }
    }
    disruption(&pool.disruption, &path.field("disruption"), faults);
}

fn disruption(disruption: &Disruption, path: &Path<'_>, faults: &mut Faults) {
    let list = path.field("budgets");
    for (i, limit) in disruption.budgets.iter().enumerate() {
        budget(limit, &list.item(i), faults);
    }
}

/// A share above 100 % can only come from a budget that was built by hand.
fn budget(budget: &Budget, path: &Path<'_>, faults: &mut Faults) {
    if !budget.nodes.is_valid() {
        faults.add(&path.field("nodes"), budget.nodes.to_string(), "a share of at most 100%");
    }
    let Some(BudgetWindow { schedule, duration }) = &budget.window else { return };
    if !is_schedule(schedule) {
        faults.add(
            &path.field("schedule"),
            quoted(schedule),
            "five cron fields, or @hourly, @daily, @midnight, @weekly, @monthly, @yearly or \
             @annually",
        );
    }
    if !duration.seconds().is_multiple_of(60) {
        faults.add(&path.field("duration"), duration.to_string(), "whole minutes");
    }
}

/// Whether the five fields are cron's is decided where budgets are read; one that can't be read
/// allows no disruption, as in Karpenter.
fn is_schedule(text: &str) -> bool {
    const NAMED: [&str; 7] =
        ["@annually", "@yearly", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
    NAMED.contains(&text)
        || (!text.starts_with('@') && text.split_ascii_whitespace().take(6).count() == 5)
}
