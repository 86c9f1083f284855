//! A plan as one self-contained page: SVG and tables made here, a small script beside them, nothing
//! from the network. All figures come from the plan, or are sums of what it says.
#![allow(clippy::cast_precision_loss, reason = "a drawing needs no more than doubles have")]

mod nodes;
mod sections;
mod treemap;
mod waves;

use nodes::{NodeFacts, consolidated, launched};
use plimsoll::plan::ConsolidationPlan;
use plimsoll::{LaunchPlan, Options, Price, Problem, Solver};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Hours of a month, as clouds count them.
const HOURS: i128 = 730;

/// The page of a plan; `baseline` is one that is blind to prices, to compare with.
pub(crate) fn of_launches(
    title: &str,
    solver: &Solver,
    (problem, options): (&Problem, &Options),
    plan: &LaunchPlan,
    baseline: &LaunchPlan,
) -> String {
    let nodes = launched(problem, plan);
    let cost = plan.cost();
    let placed = nodes.iter().filter(|node| !node.is_running).map(|node| node.pods.len()).sum();
    let full: Vec<String> = plan.fullness(problem).iter().map(ToString::to_string).collect();
    let mut body = sections::head(&sections::Figures {
        cost: cost.total,
        lower_bound: cost.lower_bound,
        bounded: "no plan for these pods costs less",
        compared: Some(("first fit, blind to prices", baseline.cost().total)),
        facts: vec![
            counted(plan.launches().len(), "node") + " to launch",
            counted(placed, "pod") + " on them",
            counted(plan.bindings().len(), "pod") + " on running nodes",
            counted(plan.unschedulable().len(), "pod") + " without a place",
            format!("of what is launched is requested: {}", escaped(&full.join(", "))),
        ],
    });
    body += &sections::concentration(&nodes);
    body += &treemap::section(("nodes", "Nodes", "running, gets pods"), &nodes, 0);
    body += &sections::kinds(&nodes);
    body += &sections::heat_map(&nodes);
    body += &sections::supplies(&solver.supplies(plan, options).unwrap_or_default());
    body += &sections::unplaced(solver, options, plan);
    page(title, &body, &[&nodes])
}

/// The page of a consolidation.
pub(crate) fn of_consolidation(title: &str, problem: &Problem, plan: &ConsolidationPlan) -> String {
    let (before, after) = consolidated(problem, plan);
    let cost = plan.cost();
    let deleted: usize = plan.actions().iter().map(|action| action.delete.len()).sum();
    let launches: usize = plan.actions().iter().map(|action| action.launches.len()).sum();
    let mut body = sections::head(&sections::Figures {
        cost: cost.after,
        lower_bound: cost.lower_bound,
        bounded: "nothing costs less in which pods leave deleted nodes only",
        compared: Some(("before", cost.before)),
        facts: vec![
            counted(deleted, "node") + " to delete",
            counted(launches, "node") + " to launch",
            counted(usize::try_from(plan.moved()).unwrap_or(usize::MAX), "pod") + " to move",
            counted(usize::try_from(plan.waves()).unwrap_or(usize::MAX), "wave"),
        ],
    });
    body += &waves::section(plan);
    body += &treemap::section(("before", "Nodes before", "to delete"), &before, 0);
    body += &treemap::section(("after", "Nodes after", "gets pods"), &after, before.len());
    body += &sections::concentration(&after);
    body += &sections::kinds(&after);
    body += &sections::heat_map(&after);
    body += &waves::kept(plan);
    page(title, &body, &[&before, &after])
}

/// The whole document around a body; the nodes are data for the script, in the order in which they
/// are numbered.
fn page(title: &str, body: &str, nodes: &[&[NodeFacts]]) -> String {
    let data: Vec<serde_json::Value> =
        nodes.iter().flat_map(|nodes| nodes.iter()).map(NodeFacts::data).collect();
    // No name can end the element that the data is in.
    let data = serde_json::Value::from(data).to_string().replace('<', "\\u003c");
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n\
         <aside id=\"detail\" aria-live=\"polite\" hidden></aside>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

/// Text as it may stand in an element or an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            other => safe.push(other),
        }
    }
    safe
}

/// "1 node", "1,234 nodes".
fn counted(count: usize, word: &str) -> String {
    let number = grouped(count);
    if count == 1 { format!("{number} {word}") } else { format!("{number} {word}s") }
}

/// A number with its thousands apart.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = digits.as_str();
    while rest.len() > 3 {
        let (head, tail) = rest.split_at(rest.len() - 3);
        parts.push(tail);
        rest = head;
    }
    parts.push(rest);
    parts.reverse();
    parts.join(",")
}

/// Dollars and cents, rounded; with as many places more as a small amount needs.
fn dollars(price: Price) -> String {
    let nanos = price.nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let places: u32 = if nanos != 0 && nanos < 1_000_000_000 { 4 } else { 2 };
    let unit = 10_u128.pow(9 - places);
    let rounded = nanos.saturating_add(unit / 2) / unit;
    let scale = 10_u128.pow(places);
    let whole = usize::try_from(rounded / scale).unwrap_or(usize::MAX);
    let width = usize::try_from(places).unwrap_or(2);
    format!("{sign}${}.{:0width$}", grouped(whole), rounded % scale)
}

/// What an hourly price comes to in a month.
fn monthly(price: Price) -> String {
    dollars(Price::from_nanos(price.nanos().saturating_mul(HOURS)))
}

/// A part of a whole, from 0 to 1.
fn share(part: i128, whole: i128) -> f64 {
    if whole <= 0 { 0.0 } else { (part as f64 / whole as f64).clamp(0.0, 1.0) }
}

/// A share in whole percent.
fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Which of ten steps of a scale a share is on.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 9")]
fn step(share: f64) -> u8 {
    (share * 10.0).floor().clamp(0.0, 9.0) as u8
}
