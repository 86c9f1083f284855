//! Certificates of consolidations, checked: how little the outcome costs beside the nodes that
//! stay.
//!
//! Why such a certificate proves a bound is said in [`crate::plan::certificate`]. The pods that are
//! counted are those of the nodes that may go. Everything about launches and about what comes to a
//! running node is judged as it is for launch plans; what a node holds that may go is more: its own
//! pods, beside which others come, and less what it costs.

use super::super::account::PodPlaces;
use super::super::facts::{EntryPods, Facts};
use super::super::limit::Usage;
use super::super::reservation::Reservations;
use super::super::site::Sites;
use super::super::topology;
use super::super::violation::Violation;
use super::place::NodeJudge;
use super::pods::{self, CountedPods};
use super::worth::Evaluator;
use super::{Checker, check_plain, malformed, node_proofs, offering_proofs, separated};
use crate::plan::LaunchPlan;
use crate::plan::certificate::{Certificate, POINT, PodValue};
use std::collections::{BTreeMap, BTreeSet};

/// A running node that may go, with the pods that would leave it.
pub(in super::super) struct Candidate<'a> {
    /// What it costs, in billionths; nothing where that isn't known.
    pub(in super::super) price: i128,
    /// The pods that leave it if it goes, by entry, as they are.
    pub(in super::super) own: Vec<EntryPods<'a>>,
    /// The pods that go with it, as they are.
    pub(in super::super) fixed: Vec<EntryPods<'a>>,
    /// Whether a reservation may have one node more when it is gone.
    pub(in super::super) is_reserved: bool,
}

/// A cluster of which nodes may go.
pub(in super::super) struct CandidateCluster<'f, 'a> {
    /// The problem in which all pods of candidates are pending, as they would be created anew: none
    /// of them bars others from anywhere.
    pub(in super::super) facts: &'f Facts<'a>,
    /// By position of the node.
    pub(in super::super) candidates: BTreeMap<usize, Candidate<'a>>,
    /// Positions of nodes to which no running pod may be moved.
    pub(in super::super) closed: BTreeSet<usize>,
}

/// What a certificate proves of a cluster beside the nodes that stay, in billionths, moves paid;
/// nothing where it proves nothing. Reports what is wrong with it.
pub(in super::super) fn check_cluster<'a>(
    cluster: &CandidateCluster<'_, 'a>,
    certificate: &'a Certificate,
    out: &mut Vec<Violation>,
) -> Option<i128> {
    let facts = cluster.facts;
    let before = out.len();
    let is_counted = |pods: &PodValue| !pods.beyond_running;
    check_plain(certificate, is_counted, certificate.move_price >= 0, out);
    let mut sites = Sites::default();
    let nothing = LaunchPlan::of(Vec::new(), Vec::new());
    let placement = cluster.at_home();
    let classes = topology::placed_classes(facts, &nothing, &placement);
    let (mut counted, profiles) =
        pods::check(facts, &mut sites, certificate, (&nothing, &placement), &classes, out);
    let separation = separated(facts, certificate, (&mut counted, &profiles), out);
    let offerings = offering_proofs(facts, certificate, out);
    let nodes = node_proofs(facts, certificate, out);
    let charges = cluster.charges(certificate, out);
    // What follows relies on it.
    if out.len() > before {
        return None;
    }
    // What comes to a node is worth that much less.
    let arriving: Vec<CountedPods> = counted
        .iter()
        .map(|pods| CountedPods {
            value: pods.value.saturating_sub(certificate.move_price).max(0),
            ..pods.clone()
        })
        .collect();
    let mut judge = NodeJudge::new(facts, certificate, (&arriving, &profiles), &classes);
    for (at, candidate) in &cluster.candidates {
        if let Some(node) = facts.problem.nodes.get(*at) {
            judge.bind(&node.name, &candidate.own);
            judge.bind(&node.name, &candidate.fixed);
        }
    }
    let evaluator = Evaluator::new(certificate, &arriving, separation);
    let worth_of = Vec::new();
    let mut checker = Checker { facts, certificate, judge, evaluator, worth_of, sum: Some(0) };
    checker.count(&counted);
    checker.take_off(charges);
    for pool in facts.problem.node_pools.iter().enumerate() {
        let _market = checker.check_pool(&offerings, pool, true, out);
    }
    checker.check_candidates(&nodes, (cluster, certificate, &counted), out);
    let sum = checker.sum.filter(|_| out.len() == before);
    if sum.is_none() && out.len() == before {
        out.push(malformed("pods"));
    }
    let sum = sum?;
    let rest = i128::from(sum & ((1 << POINT) - 1) != 0);
    (sum >> POINT).checked_add(rest)
}

impl<'a> CandidateCluster<'_, 'a> {
    /// The pods of candidates where they are.
    fn at_home(&self) -> PodPlaces<'a> {
        let pending = |group: &EntryPods<'a>| {
            // As they would be created anew.
            let pod = self.facts.problem.pods.get(group.entry)?;
            Some(EntryPods { pod, ..group.clone() })
        };
        let own = |(at, candidate): (&usize, &Candidate<'a>)| {
            (*at, candidate.own.iter().filter_map(pending).collect())
        };
        PodPlaces { nodes: self.candidates.iter().map(own).collect(), ..PodPlaces::default() }
    }

    /// What all launches together can be charged at most for limits and reservations, once all
    /// candidates are gone. Reports prices of what isn't limited.
    fn charges(&self, certificate: &Certificate, out: &mut Vec<Violation>) -> Option<i128> {
        let stays = |at: usize| !self.candidates.contains_key(&at);
        let usage = Usage::of_nodes(self.facts, stays);
        let reserved = self.candidates.values().filter(|one| one.is_reserved).count();
        let more = u32::try_from(reserved).unwrap_or(u32::MAX);
        let reservations =
            Reservations::of(self.facts.problem, &LaunchPlan::of(Vec::new(), Vec::new()))
                .with_more(more);
        super::charges(self.facts, certificate, (&usage, &reservations), out)
    }

    /// What a candidate's own pods are worth, those that are counted.
    fn held(
        &self,
        at: usize,
        counted: &[CountedPods],
        entries: &[BTreeSet<usize>],
    ) -> Option<i128> {
        let mut held = 0_i128;
        let Some(candidate) = self.candidates.get(&at) else { return Some(0) };
        for (pods, entries) in counted.iter().zip(entries) {
            let own = candidate.own.iter().filter(|group| entries.contains(&group.entry));
            let count = own.fold(0_u64, |sum, group| sum.saturating_add(group.count));
            let count = count.min(pods.count.into());
            held = held.checked_add(pods.value.checked_mul(count.into())?)?;
        }
        Some(held)
    }
}

impl<'a> Checker<'_, 'a> {
    /// Takes off what running nodes can be worth beyond what they cost, and reports nodes of which
    /// that isn't proved.
    fn check_candidates(
        &mut self,
        proofs: &BTreeMap<&str, u32>,
        (cluster, certificate, counted): (&CandidateCluster<'_, 'a>, &Certificate, &[CountedPods]),
        out: &mut Vec<Violation>,
    ) {
        let entries: Vec<BTreeSet<usize>> = certificate
            .pods
            .iter()
            .map(|pods| {
                let found = pods.entries.iter().filter_map(|name| self.facts.entry(name));
                found.map(|(entry, _)| entry).collect()
            })
            .collect();
        for (at, node) in self.facts.problem.nodes.iter().enumerate() {
            let open = !cluster.closed.contains(&at);
            let place = self.judge.node(at).filter(|place| open && !place.present.is_empty());
            let arriving = match (&place, proofs.get(&*node.name)) {
                (None, _) => 0,
                (Some(_), None) => {
                    out.push(Violation::NodeUnproved { node: node.name.clone() });
                    continue;
                }
                (Some(place), Some(proof)) => {
                    match self.evaluator.worth(*proof, place, &self.judge) {
                        Ok(worth) => worth,
                        Err(unproved) => {
                            let (place, proof) = (node.name.clone(), unproved.proof);
                            out.push(Violation::WorthUnproved { place, proof });
                            continue;
                        }
                    }
                }
            };
            let price = cluster.candidates.get(&at).map_or(0, |candidate| candidate.price);
            let beyond = || {
                let held = cluster.held(at, counted, &entries)?.checked_add(arriving)?;
                Some(held.checked_sub(price.checked_mul(1 << POINT)?)?.max(0))
            };
            self.take_off(beyond());
        }
    }
}
