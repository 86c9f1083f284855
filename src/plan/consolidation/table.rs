//! A consolidation as a table for people; the same plan gives the same text.
//!
//! ```text
//! 1 node to delete and 0 nodes to launch in 1 wave, 0 pods moved, 1 node kept
//!
//! wave  reason  delete  launch  pods  saves/h  disruption
//!    1  empty   idle    -          0   0.2000           0
//!
//! cost per hour 0.4000 before, 0.2000 after; at least …, and at least … with so many moves
//!
//! why nodes stay
//!   it is marked as one not to disrupt: held
//! ```
//!
//! Reasons are grouped by their sentence, those of the most nodes first, so that a thousand nodes
//! that stay are a few lines.

use super::{ConsolidationAction, ConsolidationPlan, DisruptionCost, DisruptionReason};
use crate::model::Price;
use crate::plan::table::{TextTable, counted, money};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many nodes are named in a row of the table, and for each reason to stay.
const NAMED_NODES: usize = 3;

impl fmt::Display for ConsolidationPlan {
    /// Each action is a row; prices are rounded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deleted: usize = self.actions.iter().map(|action| action.delete.len()).sum();
        let launched: usize = self.actions.iter().map(|action| action.launches.len()).sum();
        writeln!(
            f,
            "{} to delete and {} to launch in {}, {} moved, {} kept",
            counted(deleted, "node"),
            counted(launched, "node"),
            counted(usize::try_from(self.waves()).unwrap_or(usize::MAX), "wave"),
            counted(usize::try_from(self.moved).unwrap_or(usize::MAX), "pod"),
            counted(self.keep.len(), "node"),
        )?;
        if !self.actions.is_empty() {
            let names = ["wave", "reason", "delete", "launch", "pods", "saves/h", "disruption"];
            let mut rows = vec![names.map(str::to_owned).to_vec()];
            rows.extend(self.actions.iter().map(row));
            write!(f, "\n{}", TextTable { rows, left: 1..4 })?;
        }
        let cost = self.cost;
        writeln!(
            f,
            "\ncost per hour {} before, {} after; at least {}, and at least {} with so many moves",
            money(cost.before),
            money(cost.after),
            money(cost.lower_bound),
            money(cost.lower_bound_for_moves),
        )?;
        self.fmt_kept(f)
    }
}

impl ConsolidationPlan {
    /// The reasons to stay, those of the most nodes first.
    fn fmt_kept(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nodes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for kept in &self.keep {
            for reason in &kept.reasons {
                let _new = nodes.entry(reason.sentence()).or_default().insert(&kept.node);
            }
        }
        let mut by_count: Vec<(&str, BTreeSet<&str>)> = nodes.into_iter().collect();
        by_count.sort_by_key(|(sentence, nodes)| (std::cmp::Reverse(nodes.len()), *sentence));
        if !by_count.is_empty() {
            writeln!(f, "\nwhy nodes stay")?;
        }
        for (sentence, nodes) in by_count {
            let named = some(nodes.into_iter());
            writeln!(f, "  {sentence}: {named}")?;
        }
        Ok(())
    }
}

/// A saving that isn't known is a question mark.
fn row(action: &ConsolidationAction) -> Vec<String> {
    let launched = action.launches.iter().map(|node| {
        let choice = &node.launch.template().offering;
        format!("{}/{}/{}", choice.instance_type, choice.zone, choice.capacity_type)
    });
    vec![
        action.wave.to_string(),
        action.reason.to_string(),
        some(action.delete.iter()),
        some(launched),
        action.pods().to_string(),
        action.savings.map_or_else(|| "?".into(), money),
        action.disruption_cost.to_string(),
    ]
}

/// The first few of a list, and how many more there are.
fn some(names: impl ExactSizeIterator<Item = impl fmt::Display>) -> String {
    let more = names.len().saturating_sub(NAMED_NODES);
    let named: Vec<String> = names.take(NAMED_NODES).map(|name| name.to_string()).collect();
    match (named.is_empty(), more) {
        (true, _) => "-".into(),
        (false, 0) => named.join(", "),
        (false, more) => format!("{} and {more} more", named.join(", ")),
    }
}

impl fmt::Display for DisruptionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for DisruptionCost {
    /// As a decimal number: how many plain pods it is worth.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Price::from_nanos(i128::try_from(self.billionths()).unwrap_or(i128::MAX)).fmt(f)
    }
}
