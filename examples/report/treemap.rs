//! Nodes as a treemap: node pools, in them kinds of nodes (type × zone × capacity type), in these
//! nodes. A node's area is its price, its colour how full it is; spot is hatched.
//!
//! The map is drawn twice, wide and tall, and the style shows the one that fits the screen. Areas
//! are laid out by the squarified method (Bruls, Huizing, van Wijk, 2000): a row is filled as long
//! as that makes its rectangles more square.

use super::nodes::{Kind, NodeFacts};
use super::{escaped, percent, step};
use std::collections::BTreeMap;

#[derive(Clone, Copy)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The room that a pool's name takes, and a kind's.
const POOL_NAME: f64 = 18.0;
const KIND_NAME: f64 = 13.0;
/// What a node counts for whose price isn't known, or nothing: a little, so that it is seen.
const LEAST: f64 = 0.002;

/// The section; nodes are numbered from `first` on.
///
/// `marked` says what running nodes have in common that stand out.
pub(super) fn section(
    (id, title, marked): (&str, &str, &str),
    nodes: &[NodeFacts],
    first: usize,
) -> String {
    if nodes.is_empty() {
        return String::new();
    }
    let legend: String =
        (0..10).map(|at| format!("<span class=\"key f{at}\">{}</span>", at * 10)).collect();
    let any = |is: fn(&NodeFacts) -> bool, key: &str| match nodes.iter().any(is) {
        true => key.to_owned(),
        false => String::new(),
    };
    let keys = [
        any(NodeFacts::is_spot, "<span class=\"key hatched\">spot</span> "),
        any(|node| node.is_running, "<span class=\"key outlined\">running</span> "),
        any(
            |node| node.is_running && node.changes,
            &format!("<span class=\"key marked\">{marked}</span> "),
        ),
    ];
    format!(
        "<section id=\"{id}\"><h2>{title}</h2>\n<p class=\"legend\">Area: price. Colour: requested \
         of the scarcest resource, in percent: {legend} {} Point at a node, or go there by the \
         arrow keys, for what it holds.</p>\n{}{}</section>\n",
        keys.concat(),
        drawn(nodes, first, (1200.0, 560.0), "wide"),
        drawn(nodes, first, (400.0, 760.0), "tall"),
    )
}

fn weight(node: &NodeFacts) -> f64 {
    node.price.map_or(0.0, |price| price.nanos() as f64 / 1e9).max(LEAST)
}

fn drawn(nodes: &[NodeFacts], first: usize, (width, height): (f64, f64), class: &str) -> String {
    let mut pools: BTreeMap<&str, BTreeMap<Kind<'_>, Vec<usize>>> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        pools.entry(&node.node_pool).or_default().entry(node.kind()).or_default().push(at);
    }
    let total = |places: &[usize]| places.iter().map(|at| weight(&nodes[*at])).sum::<f64>();
    let mut sized: Vec<(f64, &str)> = pools
        .iter()
        .map(|(name, kinds)| (kinds.values().map(|places| total(places)).sum(), *name))
        .collect();
    sized.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    let whole = Area { x: 0.0, y: 0.0, width, height };
    let weights: Vec<f64> = sized.iter().map(|(weight, _)| *weight).collect();
    let mut svg = format!(
        "<svg class=\"map {class}\" viewBox=\"0 0 {width} {height}\" role=\"group\" \
         aria-label=\"{} nodes\"><defs><pattern id=\"hatch-{class}-{first}\" width=\"6\" height=\"6\" \
         patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line class=\"stripe\" \
         x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\"/></pattern></defs>\n",
        nodes.len()
    );
    let mut is_first = true;
    for ((_, name), area) in sized.iter().zip(squarified(&weights, whole)) {
        svg += &format!("<rect class=\"pool\" {}/>", placed(area));
        let shown = if name.is_empty() { "no node pool" } else { name };
        svg += &text(area, POOL_NAME, 13.0, &format!("node pool {shown}"), "pool-name");
        let inside = below(area, POOL_NAME);
        let Some(kinds) = pools.get(name) else { continue };
        let mut kinds: Vec<_> = kinds.iter().collect();
        kinds.sort_by(|(a, one), (b, other)| total(other).total_cmp(&total(one)).then(a.cmp(b)));
        let weights: Vec<f64> = kinds.iter().map(|(_, places)| total(places)).collect();
        for (((_, of_type, zone, capacity_type), places), area) in
            kinds.iter().zip(squarified(&weights, inside))
        {
            let label = format!("{}× {of_type} {zone} {capacity_type}", places.len());
            svg += &format!("<rect class=\"kind\" {}/>", placed(area));
            let named = area.height > 3.0 * KIND_NAME && area.width > 60.0;
            let inside = if named { below(area, KIND_NAME) } else { area };
            if named {
                svg += &text(area, KIND_NAME, 10.0, &label, "kind-name");
            }
            let weights: Vec<f64> = places.iter().map(|at| weight(&nodes[*at])).collect();
            for (at, area) in places.iter().zip(squarified(&weights, inside)) {
                svg += &node(&nodes[*at], first + at, area, is_first);
                is_first = false;
            }
            if *capacity_type == "spot" {
                svg += &format!(
                    "<rect class=\"hatch\" fill=\"url(#hatch-{class}-{first})\" {}/>",
                    placed(inside)
                );
            }
            svg.push('\n');
        }
    }
    svg += "</svg>\n";
    svg
}

/// A node with its text.
fn node(node: &NodeFacts, number: usize, area: Area, is_first: bool) -> String {
    let running = if node.is_running { " running" } else { "" };
    let changes = if node.changes && node.is_running { " changes" } else { "" };
    let title = format!(
        "{}: {} in {} ({}), {} an hour, {} full, {} pods",
        node.name,
        node.instance_type,
        node.zone,
        node.capacity_type,
        node.price.map_or("unknown price".into(), super::dollars),
        percent(node.fullness()),
        node.pods.len()
    );
    format!(
        "<rect class=\"node f{}{running}{changes}\" tabindex=\"{}\" role=\"img\" data-node=\"{number}\" {}>\
         <title>{}</title></rect>",
        step(node.fullness()),
        if is_first { 0 } else { -1 },
        placed(area),
        escaped(&title)
    )
}

fn placed(area: Area) -> String {
    format!(
        "x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"",
        area.x,
        area.y,
        area.width.max(0.0),
        area.height.max(0.0)
    )
}

/// A name at the top of an area, cut to its width; nothing where there is no room.
fn text(area: Area, height: f64, size: f64, name: &str, class: &str) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred")]
    let most = ((area.width - 6.0) / (size * 0.56)).max(0.0) as usize;
    if most < 4 || area.height < height {
        return String::new();
    }
    let cut: String = match name.chars().count() > most {
        true => name.chars().take(most - 1).chain(['…']).collect(),
        false => name.into(),
    };
    format!(
        "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\">{}</text>",
        area.x + 3.0,
        area.y + height - 4.0,
        escaped(&cut)
    )
}

/// What is left of an area below a name.
fn below(area: Area, name: f64) -> Area {
    let (edge, top) = (1.5_f64.min(area.width / 4.0), name.min(area.height / 2.0));
    Area {
        x: area.x + edge,
        y: area.y + top,
        width: (area.width - 2.0 * edge).max(0.0),
        height: (area.height - top - edge).max(0.0),
    }
}

/// Areas for weights, in descending order best, that fill an area.
fn squarified(weights: &[f64], area: Area) -> Vec<Area> {
    let total: f64 = weights.iter().sum();
    let scale = if total > 0.0 { area.width * area.height / total } else { 0.0 };
    let mut left = area;
    let mut areas = Vec::with_capacity(weights.len());
    let mut at = 0;
    while at < weights.len() {
        let side = left.width.min(left.height);
        let mut sum = 0.0;
        let mut worst = f64::INFINITY;
        let mut end = at;
        while end < weights.len() {
            let with = sum + weights[end] * scale;
            let of = |weight: f64| {
                let part = (weight * scale).max(f64::MIN_POSITIVE);
                let ratio = side * side * part / (with * with);
                ratio.max(1.0 / ratio)
            };
            let now = weights[at..=end].iter().map(|weight| of(*weight)).fold(0.0, f64::max);
            if end > at && now > worst {
                break;
            }
            (sum, worst) = (with, now);
            end += 1;
        }
        let thickness = if side > 0.0 { sum / side } else { 0.0 };
        let mut offset = 0.0;
        for weight in &weights[at..end] {
            let length = if sum > 0.0 { side * weight * scale / sum } else { 0.0 };
            areas.push(match left.width >= left.height {
                true => Area { x: left.x, y: left.y + offset, width: thickness, height: length },
                false => Area { x: left.x + offset, y: left.y, width: length, height: thickness },
            });
            offset += length;
        }
        match left.width >= left.height {
            true => left = Area { x: left.x + thickness, width: left.width - thickness, ..left },
            false => left = Area { y: left.y + thickness, height: left.height - thickness, ..left },
        }
        at = end;
    }
    areas
}
