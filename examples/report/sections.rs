//! What the page says beside the map: figures, where the pods are, limits, pods without a place.

use super::nodes::NodeFacts;
use super::{counted, dollars, escaped, grouped, monthly, percent, share, step};
use plimsoll::question::{Supply, SupplyUse};
use plimsoll::{LaunchPlan, Options, Price, Solver};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A share of all pods on one kind of spot nodes of which the page warns.
const MUCH: f64 = 0.25;
/// The most rows of a table; the rest is one.
const MOST_ROWS: usize = 24;
/// The most kinds of pods without a place that are asked about.
const MOST_ASKED: usize = 40;

pub(super) struct Figures {
    pub(super) cost: Price,
    pub(super) lower_bound: Price,
    /// What the bound is one of.
    pub(super) bounded: &'static str,
    pub(super) compared: Option<(&'static str, Price)>,
    pub(super) facts: Vec<String>,
}

/// What it costs, what at least, and what something else costs, as bars on one scale.
pub(super) fn head(figures: &Figures) -> String {
    let (cost, bound) = (figures.cost.nanos(), figures.lower_bound.nanos());
    let other = figures.compared.map_or(0, |(_, price)| price.nanos());
    let most = cost.max(other).max(1);
    let gap = percent_fine(share(cost - bound, cost));
    let facts: Vec<String> = figures.facts.iter().map(|fact| format!("<li>{fact}</li>")).collect();
    let mut html = format!(
        "<section id=\"head\"><p class=\"cost\"><strong id=\"cost\">{}</strong> an hour, \
         <strong>{}</strong> a month</p>\n<ul class=\"facts\">{}</ul>\n\
         <div class=\"bar\" role=\"img\" aria-label=\"cost {}, at least {}\">\
         <span class=\"proved\" style=\"width:{:.2}%\"></span>\
         <span class=\"gap\" style=\"width:{:.2}%\"></span></div>\n<p class=\"legend\">\
         <span class=\"key proved\">at least {}</span> {}; \
         <span class=\"key gap\">gap {gap}</span> the most that could still be saved</p>\n",
        dollars(figures.cost),
        monthly(figures.cost),
        facts.concat(),
        dollars(figures.cost),
        dollars(figures.lower_bound),
        100.0 * share(bound.min(cost), most),
        100.0 * share((cost - bound).max(0), most),
        dollars(figures.lower_bound),
        figures.bounded,
    );
    if let Some((name, price)) = figures.compared {
        let times = if cost > 0 { price.nanos() as f64 / cost as f64 } else { 1.0 };
        html += &format!(
            "<div class=\"bar\" role=\"img\" aria-label=\"{name} {}\"><span class=\"other\" \
             style=\"width:{:.2}%\"></span></div>\n<p class=\"legend\"><span class=\"key other\">\
             {name} {}</span> {times:.2} times as much, {} a month more</p>\n",
            dollars(price),
            100.0 * share(price.nanos(), most),
            dollars(price),
            monthly(Price::from_nanos(price.nanos() - cost)),
        );
    }
    html + "</section>\n"
}

fn percent_fine(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What nodes of one kind come to.
struct KindSum<'a> {
    node: &'a NodeFacts,
    nodes: usize,
    pods: usize,
    price: i128,
    workloads: BTreeSet<&'a str>,
}

fn sums(nodes: &[NodeFacts]) -> Vec<KindSum<'_>> {
    let mut kinds: BTreeMap<_, KindSum<'_>> = BTreeMap::new();
    for node in nodes {
        let sum = kinds.entry(node.kind()).or_insert_with(|| KindSum {
            node,
            nodes: 0,
            pods: 0,
            price: 0,
            workloads: BTreeSet::new(),
        });
        sum.nodes += 1;
        sum.pods += node.pods.len();
        sum.price += node.price.map_or(0, Price::nanos);
        sum.workloads.extend(node.workloads.keys().map(|name| &**name));
    }
    let mut sums: Vec<KindSum<'_>> = kinds.into_values().collect();
    sums.sort_by_key(|sum| (Reverse(sum.pods), Reverse(sum.price)));
    sums
}

/// A warning where one kind of spot nodes in one zone holds a large share of all pods.
pub(super) fn concentration(nodes: &[NodeFacts]) -> String {
    let all: usize = nodes.iter().map(|node| node.pods.len()).sum();
    let mut html = String::new();
    for sum in sums(nodes).iter().filter(|sum| sum.node.is_spot()) {
        let part = share(to_i128(sum.pods), to_i128(all));
        if part < MUCH {
            continue;
        }
        html += &format!(
            "<p class=\"warning\"><strong>{} of all pods</strong> ({} of {}) are on \
             <strong>{} of one type in one zone: {} in {}</strong>. One interruption of that \
             capacity can take all of them.</p>\n",
            percent(part),
            grouped(sum.pods),
            grouped(all),
            counted(sum.nodes, "spot node"),
            escaped(&sum.node.instance_type),
            escaped(&sum.node.zone),
        );
    }
    html
}

fn to_i128(count: usize) -> i128 {
    i128::try_from(count).unwrap_or(i128::MAX)
}

/// Kinds of nodes by the pods that they hold.
pub(super) fn kinds(nodes: &[NodeFacts]) -> String {
    let all: usize = nodes.iter().map(|node| node.pods.len()).sum();
    let paid: i128 = nodes.iter().filter_map(|node| node.price).map(Price::nanos).sum();
    let sums = sums(nodes);
    let mut rows = String::new();
    for sum in sums.iter().take(MOST_ROWS) {
        let (pods, cost) = (share(to_i128(sum.pods), to_i128(all)), share(sum.price, paid));
        rows += &format!(
            "<tr{}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"number\">{}</td>\
             <td class=\"number bars\"><i style=\"width:{:.1}%\"></i>{} ({})</td>\
             <td class=\"number bars\"><i style=\"width:{:.1}%\"></i>{}</td>\
             <td class=\"number\">{}</td></tr>\n",
            if sum.node.is_spot() && pods >= MUCH { " class=\"much\"" } else { "" },
            escaped(&sum.node.node_pool),
            escaped(&sum.node.instance_type),
            escaped(&sum.node.zone),
            escaped(&sum.node.capacity_type),
            grouped(sum.nodes),
            100.0 * pods,
            grouped(sum.pods),
            percent(pods),
            100.0 * cost,
            dollars(Price::from_nanos(sum.price)),
            sum.workloads.len(),
        );
    }
    if let Some(rest) = sums.get(MOST_ROWS..).filter(|rest| !rest.is_empty()) {
        let (nodes, pods) =
            rest.iter().fold((0, 0), |(nodes, pods), sum| (nodes + sum.nodes, pods + sum.pods));
        let price: i128 = rest.iter().map(|sum| sum.price).sum();
        rows += &format!(
            "<tr><td colspan=\"4\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td></td></tr>\n",
            counted(rest.len(), "kind") + " more",
            grouped(nodes),
            grouped(pods),
            dollars(Price::from_nanos(price)),
        );
    }
    format!(
        "<section id=\"kinds\"><h2>Where the pods are</h2>\n<div class=\"scroll\"><table>\n<thead>\
         <tr><th>node pool</th><th>type</th><th>zone</th><th>capacity</th><th>nodes</th>\
         <th>pods</th><th>an hour</th><th>workloads</th></tr></thead>\n<tbody>\n{rows}</tbody>\
         </table></div></section>\n"
    )
}

/// Zones × workloads.
pub(super) fn heat_map(nodes: &[NodeFacts]) -> String {
    let zones: BTreeSet<&str> = nodes.iter().map(|node| node.zone.as_str()).collect();
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for node in nodes {
        for (name, count) in &node.workloads {
            *counts.entry(name).or_default().entry(&node.zone).or_insert(0) += count;
        }
    }
    let total = |of: &BTreeMap<&str, usize>| of.values().sum::<usize>();
    let mut rows: Vec<(&str, BTreeMap<&str, usize>)> = counts.into_iter().collect();
    rows.sort_by(|(a, one), (b, other)| total(other).cmp(&total(one)).then(a.cmp(b)));
    if rows.len() > MOST_ROWS {
        let rest = rows.split_off(MOST_ROWS);
        let mut sum: BTreeMap<&str, usize> = BTreeMap::new();
        for (zone, count) in rest.iter().flat_map(|(_, of)| of) {
            *sum.entry(zone).or_insert(0) += count;
        }
        rows.push(("", sum));
    }
    let named = rows.len();
    let mut html = String::new();
    for (name, of) in &rows {
        let name = if name.is_empty() { format!("all but {}", named - 1) } else { escaped(name) };
        html += &format!("<tr><th scope=\"row\">{name}</th>");
        for zone in &zones {
            let count = of.get(zone).copied().unwrap_or(0);
            let part = share(to_i128(count), to_i128(total(of)));
            let shown = if count == 0 { String::new() } else { grouped(count) };
            html += &format!("<td class=\"number f{}\">{shown}</td>", step(part));
        }
        html += "</tr>\n";
    }
    let heads: Vec<String> =
        zones.iter().map(|zone| format!("<th>{}</th>", escaped(zone))).collect();
    format!(
        "<section id=\"zones\"><h2>Zones and workloads</h2>\n<p class=\"legend\">Pods in each zone; \
         the darker, the larger the share of the workload.</p>\n<div class=\"scroll\">\
         <table class=\"heat\"><thead><tr><th>workload</th>{}</tr></thead>\n<tbody>\n{html}</tbody>\
         </table></div></section>\n",
        heads.concat()
    )
}

/// Limits and reservations as bars.
pub(super) fn supplies(uses: &[SupplyUse]) -> String {
    if uses.is_empty() {
        return String::new();
    }
    let mut html = String::new();
    for one in uses {
        let part = share(one.used.nanos(), one.most.nanos());
        let name = match &one.supply {
            Supply::Limit { node_pool, resource } => format!("{node_pool}: {resource}"),
            Supply::Reservation { id } => format!("reservation {id}"),
            _ => continue,
        };
        html += &format!(
            "<tr><th scope=\"row\">{}</th><td><div class=\"bar\"><span class=\"{}\" \
             style=\"width:{:.1}%\"></span></div></td><td>{}</td></tr>\n",
            escaped(&name),
            if one.is_binding() { "binding" } else { "proved" },
            100.0 * part,
            escaped(&one.to_string()),
        );
    }
    format!(
        "<section id=\"limits\"><h2>Limits and reservations</h2>\n<div class=\"scroll\">\
         <table class=\"wide-bars\"><tbody>\n{html}</tbody></table></div></section>\n"
    )
}

/// Pods without a place, by what would give them one.
pub(super) fn unplaced(solver: &Solver, options: &Options, plan: &LaunchPlan) -> String {
    if plan.unschedulable().is_empty() {
        return String::new();
    }
    // Pods of one kind have the same reasons, in the same memory.
    let mut kinds: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for out in plan.unschedulable() {
        kinds.entry(out.reasons.as_ptr()).or_default().push(&out.pod);
    }
    let mut kinds: Vec<Vec<&str>> = kinds.into_values().collect();
    kinds.sort_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
    let mut by_change: BTreeMap<String, (Vec<&str>, String)> = BTreeMap::new();
    for (at, pods) in kinds.iter().enumerate() {
        let why = match pods.first() {
            Some(pod) if at < MOST_ASKED => solver.why_unplaced(plan, pod, options).ok(),
            _ => None,
        };
        let nearest = why.as_ref().and_then(|why| why.nearest());
        let changes = nearest.and_then(|nearest| nearest.changes.as_deref()).unwrap_or_default();
        let words: Vec<String> = changes.iter().map(ToString::to_string).collect();
        let key = if words.is_empty() { "nothing is known".into() } else { words.join(", and ") };
        let reason = why.map_or_else(String::new, |why| {
            why.to_string().lines().nth(1).unwrap_or_default().to_owned()
        });
        let entry = by_change.entry(key).or_insert_with(|| (Vec::new(), reason));
        entry.0.extend(pods);
    }
    let mut groups: Vec<(String, (Vec<&str>, String))> = by_change.into_iter().collect();
    groups.sort_by(|one, other| other.1.0.len().cmp(&one.1.0.len()).then(one.0.cmp(&other.0)));
    let mut html = String::new();
    for (change, (pods, reason)) in &groups {
        let few: Vec<String> = pods.iter().take(5).map(|pod| escaped(pod)).collect();
        let more = pods.len() - few.len();
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        html += &format!(
            "<tr><td class=\"number\">{}</td><td><strong>{}</strong><br>{}</td><td>{}{rest}</td></tr>\n",
            grouped(pods.len()),
            escaped(change),
            escaped(reason),
            few.join(", "),
        );
    }
    format!(
        "<section id=\"unplaced\"><h2>{} without a place</h2>\n<div class=\"scroll\"><table><thead>\
         <tr><th>pods</th><th>what would give one a place, and what is in the way</th>\
         <th>which</th></tr></thead>\n<tbody>\n{html}</tbody></table></div></section>\n",
        counted(plan.unschedulable().len(), "pod")
    )
}
