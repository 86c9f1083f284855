//! Node pools and their disruption rules, as Karpenter validates them.
//!
//! Source: <https://karpenter.sh/docs/concepts/nodepools/>.

use super::requirement::{self, RequirementContext};
use super::{name, resource, taint};
use crate::model::NODES;
use crate::model::fault::{Faults, Path, quoted};
use crate::model::{Budget, Disruption, NodePool, TimeSpan, well_known};
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
    if let Some(period) = pool.termination_grace_period.as_deref()
        && period.parse::<TimeSpan>().is_err()
    {
        faults.add(
            &path.field("terminationGracePeriod"),
            format!("{} isn't a duration", quoted(period)),
            "a duration such as 30s or 1h30m",
        );
    }
    if let Some(after) = pool.expire_after.as_deref()
        && after != "Never"
        && after.parse::<TimeSpan>().is_err()
    {
        faults.add(
            &path.field("expireAfter"),
            format!("{} isn't a duration", quoted(after)),
            "a duration such as 720h, or Never",
        );
    }
}

fn disruption(disruption: &Disruption, path: &Path<'_>, faults: &mut Faults) {
    let after = &*disruption.consolidate_after;
    if after != "Never" && after.parse::<TimeSpan>().is_err() {
        faults.add(
            &path.field("consolidateAfter"),
            format!("{} isn't a duration", quoted(after)),
            "a duration such as 30s or 1h30m, or Never",
        );
    }
    let list = path.field("budgets");
    for (i, limit) in disruption.budgets.iter().enumerate() {
        budget(limit, &list.item(i), faults);
    }
}

fn budget(budget: &Budget, path: &Path<'_>, faults: &mut Faults) {
    if !is_count_or_share(&budget.nodes) {
        faults.add(
            &path.field("nodes"),
            quoted(&budget.nodes),
            "a number of nodes such as 5, or a share of them such as 10%",
        );
    }
    for (i, reason) in budget.reasons.iter().enumerate() {
        if !matches!(&**reason, "Underutilized" | "Empty" | "Drifted") {
            faults.add(
                &path.field("reasons").item(i),
                quoted(reason),
                "Underutilized, Empty or Drifted",
            );
        }
    }
    if budget.schedule.is_some() != budget.duration.is_some() {
        faults.add(path, "a schedule or a duration alone", "both, or neither");
    }
    if let Some(schedule) = budget.schedule.as_deref().filter(|text| !is_schedule(text)) {
        faults.add(
            &path.field("schedule"),
            quoted(schedule),
            "five cron fields, or @hourly, @daily, @midnight, @weekly, @monthly, @yearly or \
             @annually",
        );
    }
    if let Some(duration) = budget.duration.as_deref() {
        let whole_minutes = duration.strip_suffix("0s").unwrap_or(duration);
        if duration.parse::<TimeSpan>().is_err() || !is_in_minutes(whole_minutes) {
            faults.add(
                &path.field("duration"),
                quoted(duration),
                "a duration in hours and minutes, such as 8h or 1h30m",
            );
        }
    }
}

/// Whether a text is a duration without seconds.
fn is_in_minutes(text: &str) -> bool {
    text.parse::<TimeSpan>().is_ok() && !text.contains('s')
}

fn is_count_or_share(text: &str) -> bool {
    let is_number = |text: &str, most: u32| {
        text.bytes().all(|b| b.is_ascii_digit())
            && text.parse::<u32>().is_ok_and(|number| number <= most)
    };
    match text.strip_suffix('%') {
        Some(share) => is_number(share, 100),
        None => is_number(text, u32::MAX),
    }
}

fn is_schedule(text: &str) -> bool {
    const NAMED: [&str; 7] =
        ["@annually", "@yearly", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
    NAMED.contains(&text)
        || (!text.starts_with('@') && text.split_ascii_whitespace().take(6).count() == 5)
}
