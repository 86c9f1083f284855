//! The nodes that run or can be launched, as far as a search tells them apart.

use super::super::super::facts::Facts;
use super::super::super::label;
use super::super::super::limit::{self, Usage};
use super::super::super::offering::lists;
use super::super::super::reservation::Reservations;
use super::super::super::resource;
use super::super::super::topology::PlacedClasses;
use super::super::place::{CertifiedNode, NodeJudge};
use super::super::pods::{CountedPods, PodProfile};
use crate::model::well_known;
use crate::plan::certificate::Certificate;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A node that runs or can be launched.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct ClaimNode {
    /// The values that its labels have of the keys that matter.
    pub(super) cell: Vec<Option<Arc<str>>>,
    /// Its name, if it runs.
    pub(super) name: Option<Arc<str>>,
    /// What it has for pods.
    pub(super) room: Vec<i128>,
    /// By position in the certificate, how many pods it can hold; those of which it can hold any.
    pub(super) present: Vec<(usize, u32)>,
    /// What it draws on things of which there is only so much.
    pub(super) draws: Vec<i128>,
    /// What it costs, in billionths.
    pub(super) cost: i64,
}

/// All of them.
pub(super) struct ClaimNodes {
    pub(super) keys: Vec<Arc<str>>,
    pub(super) list: Vec<ClaimNode>,
    /// How much there is of each thing of which there is only so much.
    pub(super) left: Vec<i128>,
}

/// A limit of a pool, or a reservation.
type DrawSource<'a> = (bool, &'a str, &'a str);

impl ClaimNodes {
    /// Works them out; nothing where a number is too large.
    pub(super) fn of<'a>(
        facts: &Facts<'a>,
        certificate: &Certificate,
        (counted, profiles): (&[CountedPods], &[PodProfile<'a>]),
        classes: &PlacedClasses,
        (usage, reservations): (&Usage<'a>, &Reservations<'a>),
        keys: &BTreeSet<Arc<str>>,
    ) -> Option<Self> {
        // What pods are worth plays no part: each of them counts.
        let all: Vec<CountedPods> = counted.iter().map(CountedPods::as_if_worthy).collect();
        let mut judge = NodeJudge::new(facts, certificate, (&all, profiles), classes);
        let keys: Vec<Arc<str>> = keys.iter().cloned().collect();
        let mut sources: BTreeMap<DrawSource<'a>, usize> = BTreeMap::new();
        let mut left: Vec<i128> = Vec::new();
        let mut drawn: Vec<(ClaimNode, Vec<(usize, i128)>)> = Vec::new();
        for (at_pool, pool) in facts.problem.node_pools.iter().enumerate() {
            let limits = resource::rounded_down(&pool.limits);
            for (at_type, instance_type) in facts.problem.instance_types.iter().enumerate() {
                if !lists(pool, &instance_type.name) {
                    continue;
                }
                let charge = limit::charge(instance_type);
                let offerings =
                    instance_type.offerings.iter().filter(|offering| offering.available);
                for offering in offerings {
                    let id = judge.launch((at_pool, pool), (at_type, instance_type), offering);
                    let place = id.and_then(|id| judge.place(id));
                    let Some(place) = place.filter(|place| !place.present.is_empty()) else {
                        continue;
                    };
                    let mut draws = Vec::new();
                    let mut draw = |source: DrawSource<'a>, most: i128, amount: i128| {
                        let next = sources.len();
                        let at = *sources.entry(source).or_insert(next);
                        if at == left.len() {
                            left.push(most);
                        }
                        draws.push((at, amount));
                    };
                    for (name, most) in &limits {
                        let amount = charge.get(name).copied().unwrap_or(0);
                        if amount > 0 {
                            let most = most.checked_sub(usage.running(pool, name))?;
                            draw((false, &pool.name, name), most, amount);
                        }
                    }
                    if let Some(reservation) = &offering.reservation {
                        let most = reservations.remaining(&reservation.id)?;
                        draw((true, &reservation.id, ""), most.into(), 1);
                    }
                    let (labels, _) = label::of_launch(facts, pool, instance_type, offering);
                    let cost = offering.price.checked_add(certificate.node_fee)?.nanos();
                    let node = ClaimNode {
                        cell: cell(&keys, |key| labels.known.get(key).copied()),
                        cost: i64::try_from(cost).ok()?,
                        ..ClaimNode::at(place)
                    };
                    drawn.push((node, draws));
                }
            }
        }
        // Of those that differ in what they cost alone, the cheapest.
        let mut list: Vec<ClaimNode> = Vec::new();
        for (mut node, draws) in drawn {
            node.draws = vec![0; left.len()];
            for (at, amount) in draws {
                *node.draws.get_mut(at)? = amount;
            }
            list.push(node);
        }
        list.sort_unstable();
        list.dedup_by(|next, kept| ClaimNode { cost: kept.cost, ..next.clone() } == *kept);
        for (at, node) in facts.problem.nodes.iter().enumerate() {
            let Some(place) = judge.node(at).filter(|place| !place.present.is_empty()) else {
                continue;
            };
            let labels = label::of_node(node);
            list.push(ClaimNode {
                cell: cell(&keys, |key| labels.known.get(key).copied()),
                name: Some(node.name.clone()),
                draws: vec![0; left.len()],
                ..ClaimNode::at(&place)
            });
        }
        Some(Self { keys, list, left })
    }
}

impl ClaimNode {
    fn at(place: &CertifiedNode<'_>) -> Self {
        Self {
            cell: Vec::new(),
            name: None,
            room: place.room.clone(),
            present: place.present.clone(),
            draws: Vec::new(),
            cost: 0,
        }
    }
}

/// The values of labels.
fn cell<'l>(keys: &[Arc<str>], value: impl Fn(&str) -> Option<&'l str>) -> Vec<Option<Arc<str>>> {
    let of = |key: &Arc<str>| value(well_known::normalized(key)).map(Arc::from);
    keys.iter().map(of).collect()
}
