//! Node selectors, required node affinity and what reaches volumes, checked again.
//!
//! Where a label is open, a rule holds if it holds of every value that the label may get, and fails
//! if it holds of none; otherwise the launch should have fixed it, and which label that is gets
//! reported.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>.
//!
//! *Example.* A pod requires `zone in (a, b)`; a launch leaves the zone open between `a` and `c`.
//! Of `a` the rule holds, of `c` it doesn't: the answer is *open*, and the launch is reported for
//! not fixing the zone.
//!
//! *Terms.* Required terms are alternatives, the conditions of a term hold together; a term without
//! conditions matches no node. `matchFields` knows `metadata.name` alone.

use super::label::NodeLabels;
use super::requirement::{Condition, KnownLabel, all_hold, possible};
use super::violation::{PlanPlace, Violation};
use crate::model::{Labels, NodeSelectorTerm, Operator, Pod, Requirement, Volume, well_known};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything a pod says about the labels of its node; pods that say the same are judged together.
#[derive(Clone, Copy, Debug)]
pub(super) struct PodNodeRules<'a> {
    selector: &'a Labels,
    required: Option<&'a [NodeSelectorTerm]>,
    volumes: &'a [Volume],
}

/// What rules are told by: of volumes it is the nodes that reach them that count.
pub(super) type NodeRulesKey<'a> =
    (&'a Labels, Option<&'a [NodeSelectorTerm]>, Vec<VolumeReach<'a>>);

/// The zones and the terms by which nodes reach a volume.
type VolumeReach<'a> = (&'a [Arc<str>], &'a [NodeSelectorTerm]);

/// Whether rules hold of a node; `Open` names a label that would have to be fixed to know.
///
/// Three values, combined as in Kleene's logic: *no* wins in a conjunction, *yes* in a disjunction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer<'a> {
    Yes,
    No,
    Open(&'a str),
}

impl<'a> PodNodeRules<'a> {
    pub(super) fn of(pod: &'a Pod) -> Self {
        let required =
            pod.affinity.as_deref().and_then(|one| one.node_affinity.required.as_deref());
        Self { selector: &pod.node_selector, required, volumes: &pod.volumes }
    }

    /// What tells the rules from others.
    pub(super) fn said(&self) -> NodeRulesKey<'a> {
        let reach = |volume: &'a Volume| (&volume.zones[..], &volume.node_selector_terms[..]);
        let reaches = self.volumes.iter().map(reach);
        let some = reaches.filter(|(zones, terms)| !zones.is_empty() || !terms.is_empty());
        (self.selector, self.required, some.collect())
    }

    /// Whether a node's labels meet the selector and the required affinity; volumes play no part.
    pub(super) fn answer(&self, labels: &NodeLabels<'_>) -> Answer<'a> {
        both(self.selector_answer(labels), || self.affinity_answer(labels))
    }

    /// Whether the selector and the zones of the volumes hold, and the affinity does.
    pub(super) fn hold(&self, labels: &NodeLabels<'_>) -> bool {
        self.answer(labels) == Answer::Yes && self.unreachable(labels).next().is_none()
    }

    /// Whether a daemon with these rules runs on a node: all of them hold.
    pub(super) fn runs(&self, labels: &NodeLabels<'_>) -> Answer<'a> {
        self.volumes
            .iter()
            .fold(self.answer(labels), |answer, volume| both(answer, || reaches(volume, labels)))
    }

    /// Whether open labels could be fixed so that each volume can be reached.
    pub(super) fn could_reach(&self, labels: &NodeLabels<'_>) -> bool {
        self.volumes.iter().all(|volume| {
            let terms = &volume.node_selector_terms;
            is_in_zone(volume, labels)
                && (terms.is_empty()
                    || terms.iter().any(|term| Self::term_could_hold(term, labels)))
        })
    }

    /// Whether an open label could be fixed so that the selector and the affinity hold.
    ///
    /// It is the weaker question, for whoever must not miss a node that could be: certificates, and
    /// daemon sets of launches.
    pub(super) fn could_hold(&self, labels: &NodeLabels<'_>) -> bool {
        let terms = self.required.map(|terms| {
            terms.iter().filter(|term| !is_empty(term) && fields_hold(term, labels) == Answer::Yes)
        });
        let could = |expressions: &[Requirement]| {
            let selected = self.selector.iter().map(|(k, value)| (&**k, Condition::equals(value)));
            let expressed = expressions.iter().map(|one| (&*one.key, one.into()));
            could_all_hold(selected.chain(expressed), labels)
        };
        match terms {
            None => could(&[]),
            Some(mut terms) => terms.any(|term| could(&term.match_expressions)),
        }
    }

    /// Whether open labels could be fixed so that one term holds.
    pub(super) fn term_could_hold(term: &NodeSelectorTerm, labels: &NodeLabels<'_>) -> bool {
        let expressed = term.match_expressions.iter().map(|one| (&*one.key, one.into()));
        !is_empty(term)
            && fields_hold(term, labels) == Answer::Yes
            && could_all_hold(expressed, labels)
    }

    /// Whether the selector and the affinity hold whatever open labels become.
    pub(super) fn surely_hold(&self, labels: &NodeLabels<'_>) -> bool {
        let sure = |key: &str, condition: Condition<'_>| labels.surely_meet(key, condition);
        let term = |term: &NodeSelectorTerm| {
            !is_empty(term)
                && fields_hold(term, labels) == Answer::Yes
                && term.match_expressions.iter().all(|one| sure(&one.key, one.into()))
        };
        self.selector.iter().all(|(key, value)| sure(key, Condition::equals(value)))
            && self.required.is_none_or(|terms| terms.iter().any(term))
    }

    /// Whether the rules read more of a node than its labels: its name.
    pub(super) fn reads_fields(&self) -> bool {
        self.terms().any(|term| !term.match_fields.is_empty())
    }

    /// All conditions that the rules are made of.
    pub(super) fn conditions(self) -> impl Iterator<Item = (&'a str, Condition<'a>)> {
        let expressed = self.terms().flat_map(|term| &term.match_expressions);
        let expressed = expressed.map(|one| (&*one.key, Condition::from(one)));
        self.selector.iter().map(|(key, value)| (&**key, Condition::equals(value))).chain(expressed)
    }

    /// The label keys that matter for the rules.
    pub(super) fn keys(self) -> impl Iterator<Item = &'a str> {
        let expressed = self.terms().flat_map(|term| &term.match_expressions).map(|one| &*one.key);
        self.selector.iter().map(|(key, _)| &**key).chain(expressed)
    }

    /// The only value of a label with which the rules can hold, where the selector or every term of
    /// the affinity names one.
    pub(super) fn only_value(&self, key: &str) -> Option<&'a str> {
        let is_key = |one: &str| well_known::normalized(one) == key;
        let selected = self.selector.iter().find(|(one, _)| is_key(one));
        if let Some((_, value)) = selected {
            return Some(value);
        }
        let of_term = |term: &'a NodeSelectorTerm| {
            term.match_expressions.iter().find_map(|one| match &one.values[..] {
                [value] if one.operator == Operator::In && is_key(&one.key) => Some(&**value),
                _ => None,
            })
        };
        let mut values = self.required?.iter().filter(|term| !is_empty(term)).map(of_term);
        let first = values.next()??;
        values.all(|value| value == Some(first)).then_some(first)
    }

    /// The terms of the affinity and of volumes.
    fn terms(self) -> impl Iterator<Item = &'a NodeSelectorTerm> {
        let volumes = self.volumes.iter().flat_map(|volume| &volume.node_selector_terms);
        self.required.unwrap_or(&[]).iter().chain(volumes)
    }

    /// Whether one term holds of a node's labels.
    pub(super) fn term<'t>(term: &'t NodeSelectorTerm, labels: &NodeLabels<'_>) -> Answer<'t> {
        if is_empty(term) {
            return Answer::No;
        }
        let expressions = all(term
            .match_expressions
            .iter()
            .map(|one| (&*one.key, labels.meet(&one.key, one.into()))));
        both(expressions, || fields_hold(term, labels))
    }

    fn selector_answer(&self, labels: &NodeLabels<'_>) -> Answer<'a> {
        all(self
            .selector
            .iter()
            .map(|(key, value)| (&**key, labels.meet(key, Condition::equals(value)))))
    }

    fn affinity_answer(&self, labels: &NodeLabels<'_>) -> Answer<'a> {
        self.required.map_or(Answer::Yes, |terms| any(terms, labels))
    }

    /// The volumes that can't be reached from the node, or can't for sure.
    pub(super) fn unreachable(&self, labels: &NodeLabels<'_>) -> impl Iterator<Item = &'a Volume> {
        self.volumes.iter().filter(move |volume| reaches(volume, labels) != Answer::Yes)
    }

    /// Reports each rule that doesn't hold.
    pub(super) fn check(
        &self,
        labels: &NodeLabels<'_>,
        pod: &Arc<str>,
        place: &PlanPlace,
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

/// Whether a volume's zones, if it has any, include that of the node.
fn is_in_zone(volume: &Volume, labels: &NodeLabels<'_>) -> bool {
    let zone = labels.known.get(well_known::ZONE).copied();
    let among = |zone: &str| volume.zones.iter().any(|one| **one == *zone);
    volume.zones.is_empty() || zone.is_some_and(among)
}

/// Whether a volume can be reached from a node.
fn reaches<'a>(volume: &'a Volume, labels: &NodeLabels<'_>) -> Answer<'a> {
    match (is_in_zone(volume, labels), &volume.node_selector_terms[..]) {
        (false, _) => Answer::No,
        (true, []) => Answer::Yes,
        (true, terms) => any(terms, labels),
    }
}

/// Whether one of some terms holds of a node's labels.
fn any<'t>(terms: &'t [NodeSelectorTerm], labels: &NodeLabels<'_>) -> Answer<'t> {
    let mut answer = Answer::No;
    for term in terms.iter().filter(|term| !is_empty(term)) {
        match PodNodeRules::term(term, labels) {
            Answer::Yes => return Answer::Yes,
            Answer::Open(key) => answer = Answer::Open(key),
            Answer::No => {}
        }
    }
    answer
}

/// A term that says nothing matches no node.
fn is_empty(term: &NodeSelectorTerm) -> bool {
    term.match_expressions.is_empty() && term.match_fields.is_empty()
}

/// Whether the conditions on the node's fields hold; its name is the only one.
fn fields_hold<'t>(term: &'t NodeSelectorTerm, labels: &NodeLabels<'_>) -> Answer<'t> {
    let name = labels.name.map_or(KnownLabel::Unique, KnownLabel::Value);
    all(term.match_fields.iter().map(|one| {
        let known = &*one.key == "metadata.name";
        (&*one.key, Condition::from(one).holds(name).map(|holds| known && holds))
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
pub(super) fn could_all_hold<'k>(
    conditions: impl Iterator<Item = (&'k str, Condition<'k>)>,
    labels: &NodeLabels<'_>,
) -> bool {
    let mut by_key: BTreeMap<&str, Vec<Condition<'_>>> = BTreeMap::new();
    for (key, condition) in conditions {
        by_key.entry(well_known::normalized(key)).or_default().push(condition);
    }
    by_key.into_iter().all(|(key, mut conditions)| match labels.open.get(key) {
        Some(open) => {
            conditions.extend(open);
            possible(&conditions)
        }
        None => all_hold(&conditions, labels.state(key)),
    })
}
