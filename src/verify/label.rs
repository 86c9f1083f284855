//! Labels, derived again: what labels a node has, and whether a pod's rules about nodes hold.
//!
//! A launch gets its labels from four places: the pool, the instance type, the offering, and the
//! names of the three (with the zone and the capacity type). Where two of them define a key, they
//! must agree. A requirement of the pool or the type on a key that none of them defines leaves the
//! label *open*: the launch's own labels say which value the node gets. A type that is silent about
//! a key that other types declare lacks the label, whatever the pool requires.

use super::facts::Facts;
use super::requirement::{State, all_hold, holds, possible};
use super::violation::{Place, Violation};
use crate::model::{
    InstanceType, Labels, Node, NodePool, NodeSelectorTerm, Offering, Operator, Pod, Requirement,
    Volume, well_known,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The labels of one node, running or to be launched.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeLabels<'a> {
    pub(super) known: BTreeMap<&'a str, &'a str>,
    /// Labels of a launch that have several possible values, and what those must meet.
    pub(super) open: BTreeMap<&'a str, Vec<&'a Requirement>>,
    /// The node's name; `None` for a launch.
    pub(super) name: Option<&'a str>,
}

impl<'a> NodeLabels<'a> {
    /// The state of a label, by its key or an outdated name of it.
    pub(super) fn state(&self, key: &str) -> State<'a> {
        let key = well_known::normalized(key);
        if key == well_known::HOSTNAME && self.name.is_none() {
            return State::Unique;
        }
        if let Some(value) = self.known.get(key) {
            return State::Value(value);
        }
        match self.open.get(key) {
            Some(requirements) if !all_hold(requirements, State::Absent) => State::Open,
            _ => State::Absent,
        }
    }

    /// The values that a launch's labels give to open labels, where those may have them.
    pub(super) fn pins(&self, labels: &'a Labels) -> Vec<(&'a str, &'a str)> {
        if self.open.is_empty() {
            return Vec::new();
        }
        let pairs = labels.iter().map(|(key, value)| (well_known::normalized(key), &**value));
        pairs
            .filter(|(key, value)| {
                self.open.get(key).is_some_and(|all| all_hold(all, State::Value(value)))
            })
            .collect()
    }

    /// The labels with some open ones fixed.
    pub(super) fn pinned(&self, pins: &[(&'a str, &'a str)]) -> Self {
        let mut fixed = self.clone();
        for (key, value) in pins {
            let _open = fixed.open.remove(key);
            let _former = fixed.known.insert(key, value);
        }
        fixed
    }
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
        (well_known::CAPACITY_TYPE, &*offering.capacity_type),
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
            labels.open.entry(key).or_default().push(requirement);
        } else if holds(requirement.operator, &requirement.values, labels.state(key)) != Some(true)
        {
            contradictions.push(key);
        }
    }
    contradictions
        .extend(labels.open.iter().filter(|(_, all)| !possible(all)).map(|(key, _)| *key));
    contradictions.sort_unstable();
    contradictions.dedup();
    (labels, contradictions)
}

/// Reports where a launch's stated labels aren't those that its choice gives it.
pub(super) fn check(
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
            (None, Some(requirements)) => all_hold(requirements, State::Value(value)),
            (None, None) => false,
        };
        if !right {
            out.push(Violation::LabelWrong { launch, key: key.into(), value: value.clone() });
        }
    }
}

/// Everything a pod says about the labels of its node; pods that say the same are judged together.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct NodeRules<'a> {
    selector: &'a Labels,
    required: Option<&'a [NodeSelectorTerm]>,
    volumes: &'a [Volume],
}

/// Whether rules hold of a node; `Open` names a label that would have to be fixed to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer<'a> {
    Yes,
    No,
    Open(&'a str),
}

impl<'a> NodeRules<'a> {
    pub(super) fn of(pod: &'a Pod) -> Self {
        let required =
            pod.affinity.as_deref().and_then(|one| one.node_affinity.required.as_deref());
        Self { selector: &pod.node_selector, required, volumes: &pod.volumes }
    }

    /// Whether a node's labels meet the selector and the required affinity; volumes play no part.
    pub(super) fn answer(&self, labels: &NodeLabels<'_>) -> Answer<'a> {
        both(self.selector_answer(labels), || self.affinity_answer(labels))
    }

    /// Whether the selector and the zones of the volumes hold, and the affinity does.
    pub(super) fn hold(&self, labels: &NodeLabels<'_>) -> bool {
        self.answer(labels) == Answer::Yes && self.unreachable(labels).next().is_none()
    }

    /// Whether an open label could be fixed so that the selector and the affinity hold.
    pub(super) fn could_hold(&self, labels: &NodeLabels<'_>) -> bool {
        let selector: Vec<Requirement> = self
            .selector
            .iter()
            .map(|(key, value)| Requirement {
                key: key.clone(),
                operator: Operator::In,
                values: vec![value.clone()],
                min_values: None,
            })
            .collect();
        let terms = self.required.map(|terms| {
            terms.iter().filter(|term| !is_empty(term) && fields_hold(term, labels) == Answer::Yes)
        });
        match terms {
            None => could_all_hold(&selector, &[], labels),
            Some(mut terms) => {
                terms.any(|term| could_all_hold(&selector, &term.match_expressions, labels))
            }
        }
    }

    fn selector_answer(&self, labels: &NodeLabels<'_>) -> Answer<'a> {
        all(self.selector.iter().map(|(key, value)| {
            (&**key, holds(Operator::In, std::slice::from_ref(value), labels.state(key)))
        }))
    }

    fn affinity_answer(&self, labels: &NodeLabels<'_>) -> Answer<'a> {
        let Some(terms) = self.required else { return Answer::Yes };
        let mut answer = Answer::No;
        for term in terms.iter().filter(|term| !is_empty(term)) {
            let expressions = all(term
                .match_expressions
                .iter()
                .map(|one| (&*one.key, holds(one.operator, &one.values, labels.state(&one.key)))));
            match both(expressions, || fields_hold(term, labels)) {
                Answer::Yes => return Answer::Yes,
                Answer::Open(key) => answer = Answer::Open(key),
                Answer::No => {}
            }
        }
        answer
    }

    /// The volumes that can't be reached from the node's zone.
    pub(super) fn unreachable(&self, labels: &NodeLabels<'_>) -> impl Iterator<Item = &'a Volume> {
        let zone = labels.state(well_known::ZONE);
        self.volumes.iter().filter(move |volume| {
            !volume.zones.is_empty() && holds(Operator::In, &volume.zones, zone) != Some(true)
        })
    }

    /// Reports each rule that doesn't hold.
    pub(super) fn check(
        &self,
        labels: &NodeLabels<'_>,
        pod: &Arc<str>,
        place: &Place,
        out: &mut Vec<Violation>,
    ) {
        let (pod, place) = (|| pod.clone(), || place.clone());
        match self.selector_answer(labels) {
            Answer::Yes => {}
            Answer::No => out.push(Violation::NodeSelector { pod: pod(), place: place() }),
            Answer::Open(key) => {
                out.push(Violation::LabelOpen { place: place(), key: key.into() });
            }
        }
        match self.affinity_answer(labels) {
            Answer::Yes => {}
            Answer::No => out.push(Violation::NodeAffinity { pod: pod(), place: place() }),
            Answer::Open(key) => {
                out.push(Violation::LabelOpen { place: place(), key: key.into() });
            }
        }
        out.extend(self.unreachable(labels).map(|volume| Violation::VolumeZone {
            pod: pod(),
            place: place(),
            volume: volume.id.clone(),
        }));
    }
}

/// A term that says nothing matches no node.
fn is_empty(term: &NodeSelectorTerm) -> bool {
    term.match_expressions.is_empty() && term.match_fields.is_empty()
}

/// Whether the conditions on the node's fields hold; its name is the only one.
fn fields_hold<'t>(term: &'t NodeSelectorTerm, labels: &NodeLabels<'_>) -> Answer<'t> {
    let name = labels.name.map_or(State::Unique, State::Value);
    all(term.match_fields.iter().map(|one| {
        let known = &*one.key == "metadata.name";
        (&*one.key, holds(one.operator, &one.values, name).map(|holds| known && holds))
    }))
}

/// `No` if any condition fails, else `Open` if any is.
fn all<'k>(conditions: impl Iterator<Item = (&'k str, Option<bool>)>) -> Answer<'k> {
    let mut answer = Answer::Yes;
    for (key, holds) in conditions {
        match holds {
            Some(true) => {}
            Some(false) => return Answer::No,
            None => answer = Answer::Open(key),
        }
    }
    answer
}

fn both<'k>(one: Answer<'k>, other: impl FnOnce() -> Answer<'k>) -> Answer<'k> {
    match one {
        Answer::No => Answer::No,
        Answer::Yes => other(),
        Answer::Open(key) => match other() {
            Answer::No => Answer::No,
            Answer::Yes | Answer::Open(_) => Answer::Open(key),
        },
    }
}

/// Whether each label has, or could be given, a state that meets every condition on it.
fn could_all_hold(
    selector: &[Requirement],
    expressions: &[Requirement],
    labels: &NodeLabels<'_>,
) -> bool {
    let mut by_key: BTreeMap<&str, Vec<&Requirement>> = BTreeMap::new();
    for one in selector.iter().chain(expressions) {
        by_key.entry(well_known::normalized(&one.key)).or_default().push(one);
    }
    by_key.into_iter().all(|(key, mut conditions)| match labels.open.get(key) {
        Some(open) => {
            conditions.extend(open);
            possible(&conditions)
        }
        None => all_hold(&conditions, labels.state(key)),
    })
}
