//! What a consolidation does, wave by wave, and what stays.

use super::{counted, dollars, escaped, grouped};
use plimsoll::plan::ConsolidationPlan;
use std::collections::BTreeMap;

/// The most names in a cell.
const MOST_NAMES: usize = 6;
/// The most reasons for nodes that stay.
const MOST_REASONS: usize = 24;

fn names(list: &[String]) -> String {
    let few: Vec<String> = list.iter().take(MOST_NAMES).map(|name| escaped(name)).collect();
    let rest = list.len() - few.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    few.join(", ") + &more
}

/// The actions in order.
pub(super) fn section(plan: &ConsolidationPlan) -> String {
    let mut rows = String::new();
    for action in plan.actions() {
        let deleted: Vec<String> = action.delete.iter().map(ToString::to_string).collect();
        let made: Vec<String> =
            action.launches.iter().map(|one| one.launch.template().offering.to_string()).collect();
        let moves: usize = action.bindings.len()
            + action.launches.iter().map(|one| one.launch.pods().len()).sum::<usize>();
        rows += &format!(
            "<tr><td class=\"number\">{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
            action.wave,
            action.reason.word(),
            names(&deleted),
            names(&made),
            grouped(moves),
            action.savings.map_or("unknown".into(), dollars),
        );
    }
    if rows.is_empty() {
        return "<section id=\"waves\"><h2>Waves</h2><p>Nothing is to be done.</p></section>\n"
            .into();
    }
    format!(
        "<section id=\"waves\"><h2>{}</h2>\n<div class=\"scroll\"><table><thead><tr><th>wave</th>\
         <th>for</th><th>delete</th><th>launch first</th><th>pods</th><th>saves an hour</th></tr>\
         </thead>\n<tbody>\n{rows}</tbody></table></div></section>\n",
        counted(usize::try_from(plan.waves()).unwrap_or(usize::MAX), "wave")
    )
}

/// Why nodes stay, by reason.
pub(super) fn kept(plan: &ConsolidationPlan) -> String {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kept in plan.keep() {
        if let Some(reason) = kept.reasons.first() {
            reasons.entry(reason.to_string()).or_default().push(kept.node.to_string());
        }
    }
    let mut sorted: Vec<(String, Vec<String>)> = reasons.into_iter().collect();
    sorted.sort_by(|one, other| other.1.len().cmp(&one.1.len()).then(one.0.cmp(&other.0)));
    let mut rows = String::new();
    for (reason, nodes) in sorted.iter().take(MOST_REASONS) {
        rows += &format!(
            "<tr><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>\n",
            grouped(nodes.len()),
            escaped(reason),
            names(nodes),
        );
    }
    if rows.is_empty() {
        return String::new();
    }
    let rest = sorted.len().saturating_sub(MOST_REASONS);
    let more = if rest > 0 { format!("<p>{rest} reasons more</p>") } else { String::new() };
    format!(
        "<section id=\"kept\"><h2>Nodes that stay</h2>\n<div class=\"scroll\"><table><thead><tr>\
         <th>nodes</th><th>why</th><th>which</th></tr></thead>\n<tbody>\n{rows}</tbody></table>\
         </div>{more}</section>\n"
    )
}
