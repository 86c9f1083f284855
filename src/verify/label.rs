//! Labels, derived again: what labels a node has, running or to be launched.
//!
//! A launch gets its labels from four places: the pool, the instance type, the offering, and the
//! names of the three (with the zone and the capacity type). Where two of them define a key, they
//! must agree. A requirement of the pool or the type on a key that none of them defines leaves the
//! label *open*: the launch's own labels say which value the node gets, or its requirements that it
//! has none; what neither says is the cloud's to choose. A type that is silent about a key that
//! other types declare lacks the label, whatever the pool requires. A label that is open gets
//! integers as they are usually written: `05`, which a rule could tell from `5`, only where a
//! requirement lists it.

use super::facts::Facts;
use super::node_affinity::PodNodeRules;
use super::requirement::{Condition, KnownLabel, all_hold, follows, is_oddly_written, possible};
use super::violation::Violation;
use crate::model::{InstanceType, Labels, Node, NodePool, Offering, Requirement, well_known};
use crate::plan::LaunchTemplate;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The labels of one node, running or to be launched.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeLabels<'a> {
    pub(super) known: BTreeMap<&'a str, &'a str>,
    /// Labels of a launch that have several possible values, and what those must meet.
    pub(super) open: BTreeMap<&'a str, Vec<Condition<'a>>>,
    /// The node's name; `None` for a launch.
    pub(super) name: Option<&'a str>,
}

impl<'a> NodeLabels<'a> {
    /// The state of a label, by its key or an outdated name of it.
    pub(super) fn state(&self, key: &str) -> KnownLabel<'a> {
        let key = well_known::normalized(key);
        if key == well_known::HOSTNAME && self.name.is_none() {
            return KnownLabel::Unique;
        }
        if let Some(value) = self.known.get(key) {
            return KnownLabel::Value(value);
        }
        if self.open.contains_key(key) { KnownLabel::Open } else { KnownLabel::Absent }
    }

    /// Whether a condition holds of a label; `None` if it depends on the value that the label gets.
    pub(super) fn meet(&self, key: &str, condition: Condition<'_>) -> Option<bool> {
        condition.holds(self.state(key)).or_else(|| {
            let conditions = self.open.get(well_known::normalized(key));
            follows(conditions.map_or(&[], |all| all), condition)
        })
    }

    /// Whether a condition holds of a label, or of one of the values that it may get.
    pub(super) fn could_meet(&self, key: &str, condition: Condition<'_>) -> bool {
        self.meet(key, condition) != Some(false)
    }

    /// Whether a condition holds of a label whatever it becomes, if it is open.
    pub(super) fn surely_meet(&self, key: &str, condition: Condition<'_>) -> bool {
        match self.open.get(well_known::normalized(key)) {
            Some(conditions) => follows(conditions, condition) == Some(true),
            None => condition.holds(self.state(key)) == Some(true),
        }
    }

    /// What a launch says of open labels: the values that its labels give them, where they may have
    /// those, and what it requires of the others.
    pub(super) fn fixed_by(&self, template: &'a LaunchTemplate) -> LaunchLabels<'a> {
        let mut fixed = LaunchLabels::default();
        if self.open.is_empty() {
            return fixed;
        }
        let pairs =
            template.labels.iter().map(|(key, value)| (well_known::normalized(key), &**value));
        let possible = |(key, value): &(&'a str, &'a str)| {
            self.open.get(key).is_some_and(|all| all_hold(all, KnownLabel::Value(value)))
        };
        fixed.values.extend(pairs.filter(possible));
        let is_open = |key: &str| {
            self.open.contains_key(key) && !fixed.values.iter().any(|(fixed, _)| *fixed == key)
        };
        let requirements = template.requirements.iter();
        let required = requirements.filter(|one| is_open(well_known::normalized(&one.key)));
        fixed.required = required.collect();
        fixed
    }

    /// The labels as a launch fixes them.
    pub(super) fn fixed(&self, fixed: &LaunchLabels<'a>) -> Self {
        let mut labels = self.clone();
        for (key, value) in &fixed.values {
            let _open = labels.open.remove(key);
            let _former = labels.known.insert(key, value);
        }
        for requirement in &fixed.required {
            let key = well_known::normalized(&requirement.key);
            if let Some(conditions) = labels.open.get_mut(key) {
                conditions.push((*requirement).into());
            }
        }
        // What can only be absent isn't open.
        labels.open.retain(|_, all| follows(all, Condition::exists()) != Some(false));
        labels
    }
}

/// What a launch says of labels that would be open otherwise.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct LaunchLabels<'a> {
    values: Vec<(&'a str, &'a str)>,
    required: Vec<&'a Requirement>,
}

/// The labels of a running node.
pub(super) fn of_node(node: &Node) -> NodeLabels<'_> {
    let mut known = BTreeMap::from([(well_known::HOSTNAME, &*node.name)]);
    // Outdated keys first, so that the present ones prevail.
    for outdated in [true, false] {
        for (key, value) in node.labels.iter() {
            let normalized = well_known::normalized(key);
            if (normalized != &**key) == outdated {
                let _former = known.insert(normalized, value);
            }
        }
    }
    NodeLabels { known, open: BTreeMap::new(), name: Some(&node.name) }
}

/// The labels of a node that a pool launches with an offering, and the keys on which pool, type and
/// offering contradict each other.
pub(super) fn of_launch<'a>(
    facts: &Facts<'a>,
    pool: &'a NodePool,
    instance_type: &'a InstanceType,
    offering: &'a Offering,
) -> (NodeLabels<'a>, Vec<&'a str>) {
    let mut labels = NodeLabels::default();
    let mut contradictions = Vec::new();
    let own = [
        (well_known::NODE_POOL, &*pool.name),
        (well_known::INSTANCE_TYPE, &*instance_type.name),
        (well_known::ZONE, &*offering.zone),
        (well_known::CAPACITY_TYPE, offering.capacity_type.as_str()),
    ];
    let stated =
        pool.labels.iter().chain(instance_type.labels.iter()).chain(offering.labels.iter());
    for (key, value) in own.into_iter().chain(stated.map(|(key, value)| (&**key, &**value))) {
        let key = well_known::normalized(key);
        if *labels.known.entry(key).or_insert(value) != value {
            contradictions.push(key);
        }
    }
    for requirement in pool.requirements.iter().chain(&instance_type.requirements) {
        let key = well_known::normalized(&requirement.key);
        let typed =
            instance_type.requirements.iter().any(|one| well_known::normalized(&one.key) == key);
        let left_open = (typed || !facts.declared.contains(key)) && key != well_known::HOSTNAME;
        if left_open && !labels.known.contains_key(key) {
            labels.open.entry(key).or_default().push(requirement.into());
        } else if Condition::from(requirement).holds(labels.state(key)) != Some(true) {
            contradictions.push(key);
        }
    }
    contradictions
        .extend(labels.open.iter().filter(|(_, all)| !possible(all)).map(|(key, _)| *key));
    contradictions.sort_unstable();
    contradictions.dedup();
    (labels, contradictions)
}

/// Whether a launch may give such a value to a label that is open: it writes an integer in the
/// usual way unless some requirement lists another.
fn can_be_given(facts: &Facts<'_>, key: &str, value: &str) -> bool {
    let problem = facts.problem;
    let supply = problem.node_pools.iter().map(|pool| &pool.requirements[..]);
    let supply = supply
        .chain(problem.instance_types.iter().map(|instance_type| &instance_type.requirements[..]));
    let mut supply = supply.flatten().map(|one| (&*one.key, Condition::from(one)));
    let pods = problem.pods.iter().chain(&problem.daemon_sets);
    let affinity = pods.clone().filter_map(|pod| pod.affinity.as_deref());
    let preferred = affinity.flat_map(|rules| &rules.node_affinity.preferred);
    let preferred =
        preferred.flat_map(|preferred_term| &preferred_term.preference.match_expressions);
    let preferred = preferred.map(|one| (&*one.key, Condition::from(one)));
    let mut asked = pods.flat_map(|pod| PodNodeRules::of(pod).conditions()).chain(preferred);
    let lists = |(of, condition): (&str, Condition<'_>)| {
        well_known::normalized(of) == key && condition.values.iter().any(|one| **one == *value)
    };
    !is_oddly_written(value) || supply.any(lists) || asked.any(lists)
}

/// Reports where a launch's stated labels aren't those that its choice gives it.
pub(super) fn check(
    facts: &Facts<'_>,
    launch: usize,
    derived: &NodeLabels<'_>,
    stated: &Labels,
    out: &mut Vec<Violation>,
) {
    let stated: Vec<(&str, &Arc<str>)> =
        stated.iter().map(|(key, value)| (well_known::normalized(key), value)).collect();
    for (key, value) in &derived.known {
        if !stated.iter().any(|(stated, _)| stated == key) {
            out.push(Violation::LabelMissing {
                launch,
                key: (*key).into(),
                expected: (*value).into(),
            });
        }
    }
    for (key, value) in stated {
        let right = match (derived.known.get(key), derived.open.get(key)) {
            (Some(known), _) => **known == **value,
            (None, Some(conditions)) => {
                all_hold(conditions, KnownLabel::Value(value)) && can_be_given(facts, key, value)
            }
            (None, None) => false,
        };
        if !right {
            out.push(Violation::LabelWrong { launch, key: key.into(), value: value.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NodeLabels;
    use crate::model::{Operator, Requirement};
    use std::collections::BTreeMap;

    /// Open labels meet what follows from what is required of them, known ones what they are.
    #[test]
    fn what_labels_surely_and_possibly_meet() {
        let required = Requirement::new("team", Operator::In, ["red", "green"]);
        let labels = NodeLabels {
            known: BTreeMap::from([("zone", "a")]),
            open: BTreeMap::from([("team", vec![(&required).into()])]),
            name: None,
        };
        let is = |operator, values: &[&str], key: &str| {
            let values = values.iter().copied();
            let asked = Requirement::new(key, operator, values);
            (labels.surely_meet(key, (&asked).into()), labels.could_meet(key, (&asked).into()))
        };
        assert_eq!(is(Operator::In, &["red", "green", "blue"], "team"), (true, true));
        assert_eq!(is(Operator::In, &["red"], "team"), (false, true));
        assert_eq!(is(Operator::NotIn, &["red"], "team"), (false, true));
        assert_eq!(is(Operator::In, &["blue"], "team"), (false, false));
        assert_eq!(is(Operator::NotIn, &["blue"], "team"), (true, true));
        assert_eq!(is(Operator::In, &["a"], "zone"), (true, true));
        assert_eq!(is(Operator::In, &["b"], "zone"), (false, false));
        assert_eq!(is(Operator::Exists, &[], "rack"), (false, false));
        assert_eq!(is(Operator::DoesNotExist, &[], "rack"), (true, true));
    }
}
