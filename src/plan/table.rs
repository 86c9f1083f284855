//! A plan as a table for people; the same plan gives the same text.
//!
//! ```text
//! 2 nodes to launch for 3 pods, 0 pods on running nodes, 0 pods without a place
//!
//! nodes  node pool  instance type  zone   capacity type  each/h  all/h   pods  cpu
//!     2  default    m7.large       eu-1a  on-demand      0.1000  0.2000     3  3.0
//!     2                                                          0.2000     3  3.0
//!
//! cost per hour 0.2000, at least … with any plan (a gap of …%)
//! ```
//!
//! Launches that are alike but for their pods are one row, and the last row is their sum. Amounts
//! are what is requested, daemons included, so a row says what its nodes are for; prices have four
//! decimals. Whoever needs exact figures reads the plan itself: this text is no interface, and its
//! columns may change.

use super::{LaunchPlan, Proof, Termination};
use crate::model::{CPU, PODS, Price, Quantity};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many pods without a place are named for each reason.
const NAMED_PODS: usize = 3;

impl fmt::Display for LaunchPlan {
    /// Launches alike but for their pods are one row; amounts and prices are rounded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let placed: usize = self.launches.iter().map(|launch| launch.pods.len()).sum();
        writeln!(
            f,
            "{} to launch for {}, {} on running nodes, {} without a place",
            counted(self.launches.len(), "node"),
            counted(placed, "pod"),
            counted(self.bindings.len(), "pod"),
            counted(self.unschedulable.len(), "pod"),
        )?;
        if !self.launches.is_empty() {
            write!(f, "\n{}", self.launch_table())?;
        }
        self.fmt_cost(f)?;
        if let Some(termination) = self.termination {
            writeln!(f, "refined until {termination}")?;
        }
        self.fmt_unschedulable(f)
    }
}

impl fmt::Display for Termination {
    /// What follows "until".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "nothing was left to try",
            Self::Rounds => "its rounds ran out",
            Self::Attempts => "its attempts ran out",
            Self::Stopped => "it was stopped",
        })
    }
}

/// What is summed over the launches of a row.
///
/// Thousandths of a resource hold millicores, and bytes with three digits to spare, in 128 bits;
/// nothing is rounded before it is printed.
#[derive(Clone, Default)]
struct RowSum {
    nodes: usize,
    price: i128,
    pods: usize,
    /// By resource, in thousandths.
    requests: BTreeMap<String, i128>,
}

impl RowSum {
    fn add(&mut self, other: &Self) {
        self.nodes += other.nodes;
        self.price = self.price.saturating_add(other.price);
        self.pods += other.pods;
        for (name, amount) in &other.requests {
            let sum = self.requests.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }
}

impl LaunchPlan {
    fn launch_table(&self) -> TextTable {
        let mut sums: BTreeMap<_, RowSum> = BTreeMap::new();
        let mut all = RowSum::default();
        for launch in &self.launches {
            let choice = &launch.template.offering;
            let kind = (
                &launch.template.node_pool,
                &choice.instance_type,
                &choice.zone,
                choice.capacity_type,
                choice.price,
            );
            let requests = launch.requests.iter().filter(|(name, _)| &***name != PODS);
            let one = RowSum {
                nodes: 1,
                price: choice.price.nanos(),
                pods: launch.pods.len(),
                requests: requests.map(|(name, q)| (name.to_string(), thousandths(q))).collect(),
            };
            sums.entry(kind).or_default().add(&one);
            all.add(&one);
        }
        let resources: BTreeSet<&String> = all.requests.keys().collect();
        let row = |texts: [&str; 4], each: String, sum: &RowSum| {
            let mut row = vec![sum.nodes.to_string()];
            row.extend(texts.map(str::to_owned));
            row.extend([each, money(Price::from_nanos(sum.price)), sum.pods.to_string()]);
            row.extend(resources.iter().map(|name| {
                let amount = sum.requests.get(*name).copied().unwrap_or_default();
                amount_text(name, amount)
            }));
            row
        };
        let head = ["nodes", "node pool", "instance type", "zone", "capacity type"];
        let mut header: Vec<String> = head.map(str::to_owned).into();
        header.extend(["each/h", "all/h", "pods"].map(str::to_owned));
        header.extend(resources.iter().map(|name| (*name).clone()));
        let mut rows = vec![header];
        for ((pool, kind, zone, capacity_type, price), sum) in &sums {
            rows.push(row([pool, kind, zone, capacity_type.as_str()], money(*price), sum));
        }
        rows.push(row(["", "", "", ""], String::new(), &all));
        TextTable { rows, left: 1..5 }
    }

    fn fmt_cost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cost = self.cost;
        write!(f, "\ncost per hour {}", money(cost.total))?;
        if cost.fees != Price::ZERO {
            write!(f, ", {} of it fees", money(cost.fees))?;
        }
        match cost.proof {
            Proof::Optimal => writeln!(f, ", the cheapest possible"),
            Proof::Within => {
                let gap = cost.gap_millionths();
                let (percent, rest) = (gap / 10_000, gap % 10_000 / 100);
                let bound = money(cost.lower_bound);
                writeln!(f, ", at least {bound} with any plan (a gap of {percent}.{rest:02}%)")
            }
            Proof::None => writeln!(f, ", no lower bound known"),
        }
    }

    /// Pods are grouped by their first reason, the one that ruled out the most candidates; three of
    /// each group are named, so that ten thousand waiting pods are a few lines.
    fn fmt_unschedulable(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for unschedulable in &self.unschedulable {
            let sentence = unschedulable.reasons.first().map_or("", |reason| &*reason.sentence);
            by_reason.entry(sentence).or_default().push(&unschedulable.pod);
        }
        if !by_reason.is_empty() {
            writeln!(f, "\nwithout a place:")?;
        }
        for (sentence, pods) in by_reason {
            let named = pods.iter().take(NAMED_PODS).copied().collect::<Vec<_>>().join(", ");
            write!(f, "  {}: {sentence}\n    {named}", counted(pods.len(), "pod"))?;
            match pods.len().saturating_sub(NAMED_PODS) {
                0 => writeln!(f)?,
                more => writeln!(f, " and {more} more")?,
            }
        }
        Ok(())
    }
}

/// Rows of cells under a header; columns are aligned to the right but for those in `left`.
///
/// Widths are counted in characters, so the text lines up where each of them is one column wide.
/// Spaces at the end of a line are cut.
pub(super) struct TextTable {
    pub(super) rows: Vec<Vec<String>>,
    pub(super) left: std::ops::Range<usize>,
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let gap = if i == 0 { "" } else { "  " };
                line += gap;
                line += &if self.left.contains(&i) {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A price to four decimals.
pub(super) fn money(price: Price) -> String {
    let rounded = price.nanos().saturating_add(50_000).div_euclid(100_000);
    let sign = if rounded < 0 { "-" } else { "" };
    let rounded = rounded.unsigned_abs();
    format!("{sign}{}.{:04}", rounded / 10_000, rounded % 10_000)
}

fn thousandths(amount: Quantity) -> i128 {
    amount.nanos() / 1_000_000
}

/// An amount to one decimal: cpu in cores, memory and storage in Gi, all else in whole units.
fn amount_text(resource: &str, thousandths: i128) -> String {
    let tenths = |amount: i128| format!("{}.{}", amount / 10, amount % 10);
    if resource == CPU {
        tenths((thousandths + 50) / 100)
    } else if matches!(resource, "memory" | "ephemeral-storage")
        || resource.starts_with("hugepages")
    {
        format!("{}Gi", tenths(((thousandths / 100) + (1 << 29)) >> 30))
    } else {
        ((thousandths + 999) / 1000).to_string()
    }
}
