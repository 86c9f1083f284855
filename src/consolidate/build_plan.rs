//! From waves to a plan: names for numbers, and a reason for every node that stays.
//!
//! *Names.* Pods of a move class are interchangeable; which of them takes which place is decided
//! here, in the order of their entries, so that the same search gives the same plan. Launches are
//! called `launch-1` and on, or by a longer stem where nodes are called so already.
//!
//! *Reasons.* A node that stays has its verdict's blockers; one that could have gone has what was
//! found when it was last tried; one that went in the search and got stuck has `no-order`; one to
//! which pods came is needed.
//!
//! *Cost.* Proportional to the pods that move and the nodes that stay.

use super::eligibility::NodeVerdict;
use super::greedy::Stay;
use super::model::{ConsolidationModel, HomePods};
use super::target::Target;
use super::wave::WaveStep;
use crate::explain::{Blocker, Cause, Reason};
use crate::model::{Pod, Price, Problem};
use crate::pack::{offering_ref, requests_of};
use crate::plan::consolidation::{
    ConsolidationAction, ConsolidationCost, DisruptionCost, DisruptionReason, KeptNode,
    NodeToLaunch, RejectedAction,
};
use crate::plan::{Binding, ConsolidationPlan, Launch};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a plan is made of.
pub(super) struct PlanParts<'a> {
    pub(super) problem: &'a Problem,
    pub(super) model: &'a ConsolidationModel<'a>,
    pub(super) verdicts: &'a [NodeVerdict],
    pub(super) target: &'a Target,
    pub(super) waves: &'a [Vec<WaveStep>],
    pub(super) stays: &'a [Option<Stay>],
    /// Nodes that no order was found for.
    pub(super) stuck: &'a BTreeSet<usize>,
}

impl PlanParts<'_> {
    /// The plan, of whose cost nothing is proved so far (`bound` does that).
    pub(super) fn plan(&self) -> ConsolidationPlan {
        let names = self.launch_names();
        let mut actions = Vec::new();
        let mut waiting = Leaving::of(self.problem, &self.model.waiting);
        for (number, wave) in (1_u32..).zip(self.waves) {
            let mut action = |step| self.action(number, step, &names, &mut waiting);
            let mut of_wave: Vec<ConsolidationAction> = wave.iter().map(&mut action).collect();
            // What is done for pods that wait comes first.
            of_wave.sort_by(|one, other| one.delete.cmp(&other.delete));
            actions.extend(of_wave);
        }
        let gone: BTreeSet<usize> =
            self.steps().flat_map(|step| step.nodes.iter().copied()).collect();
        let prices = self.verdicts.iter().map(|verdict| verdict.price.unwrap_or(0));
        let before: i128 = prices.fold(0, i128::saturating_add);
        let saved = gone.iter().filter_map(|node| self.model.nodes[*node].price);
        let bought = self.steps().flat_map(|step| &step.templates);
        let bought = bought.map(|template| template.offering.price.nanos());
        let after = before - saved.sum::<i128>() + bought.sum::<i128>();
        let cost = ConsolidationCost {
            before: Price::from_nanos(before),
            after: Price::from_nanos(after),
            lower_bound: Price::ZERO,
            lower_bound_for_moves: Price::ZERO,
        };
        let moved = gone.iter().map(|node| self.model.nodes[*node].moves).sum();
        let mut stats: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let _none = stats.insert("eligibleNodes".into(), count(self.may_go()));
        let _none = stats.insert("stuckNodes".into(), count(self.stuck.len()));
        ConsolidationPlan {
            keep: self.keep_all(),
            actions,
            cost,
            moved,
            warnings: Vec::new(),
            stats,
            certificate: None,
            certificate_for_moves: None,
        }
    }

    fn steps(&self) -> impl Iterator<Item = &WaveStep> {
        self.waves.iter().flatten()
    }

    fn may_go(&self) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.may_go()).count()
    }

    /// A name for each launch that no node has.
    fn launch_names(&self) -> Vec<Arc<str>> {
        let taken: BTreeSet<&str> = self.problem.nodes.iter().map(|node| &*node.name).collect();
        let mut stem = String::from("launch");
        while taken.iter().any(|name| name.starts_with(&stem)) {
            stem.push_str("-new");
        }
        (1..=self.target.launches.len()).map(|number| format!("{stem}-{number}").into()).collect()
    }

    /// One step as an action.
    ///
    /// Pods come from the nodes that go in this step, or from those that wait; launches of the step
    /// itself list their pods, all others are bindings.
    fn action(
        &self,
        wave: u32,
        step: &WaveStep,
        names: &[Arc<str>],
        waiting: &mut Leaving<'_>,
    ) -> ConsolidationAction {
        let model = self.model;
        let running = model.nodes.len();
        let of_node = |node: &usize| &model.nodes[*node];
        let home = step.nodes.iter().flat_map(|node| &of_node(node).home);
        let mut leaving = Leaving::of(self.problem, home);
        let mut bindings = Vec::new();
        let mut launched: BTreeMap<usize, (Vec<Arc<str>>, Vec<i64>)> = BTreeMap::new();
        let mut puts = step.puts.clone();
        puts.sort_unstable();
        for (node, class, count) in puts {
            let pods = match model.classes[class].pending {
                true => waiting.take(class, count),
                false => leaving.take(class, count),
            };
            match node.checked_sub(running) {
                None => {
                    let name = &self.problem.nodes[model.nodes[node].place].name;
                    bindings
                        .extend(pods.into_iter().map(|pod| Binding { pod, node: name.clone() }));
                }
                Some(launch) if step.launches.contains(&launch) => {
                    let of_launch = launched
                        .entry(launch)
                        .or_insert_with(|| (Vec::new(), vec![0_i64; model.width]));
                    for (sum, asked) in of_launch.1.iter_mut().zip(&model.classes[class].request) {
                        *sum = sum.saturating_add(asked.saturating_mul(i64::from(count)));
                    }
                    of_launch.0.extend(pods);
                }
                Some(launch) => {
                    let name = &names[launch];
                    bindings
                        .extend(pods.into_iter().map(|pod| Binding { pod, node: name.clone() }));
                }
            }
        }
        bindings.sort_unstable();
        let launches = step.launches.iter().zip(&step.templates).map(|(launch, template)| {
            let offer = self.target.launches[*launch];
            let of_launch = launched.remove(launch);
            let none = || (Vec::new(), vec![0_i64; model.width]);
            let (mut pods, load) = of_launch.unwrap_or_else(none);
            pods.sort_unstable();
            let requests = Arc::new(requests_of(model.compiled(), offer, &load));
            let launch_of = Launch { template: template.clone(), pods, requests };
            NodeToLaunch { name: names[*launch].clone(), launch: launch_of }
        });
        let launches: Vec<NodeToLaunch> = launches.collect();
        let mut delete: Vec<Arc<str>> = step
            .nodes
            .iter()
            .map(|node| self.problem.nodes[of_node(node).place].name.clone())
            .collect();
        delete.sort_unstable();
        let known: Option<Vec<i128>> = step.nodes.iter().map(|node| of_node(node).price).collect();
        let bought = launches.iter().map(|one| one.launch.template.offering.price.nanos());
        let bought: i128 = bought.sum();
        let savings = known.map(|prices| Price::from_nanos(prices.iter().sum::<i128>() - bought));
        let disruption: i128 = step.nodes.iter().map(|node| of_node(node).disruption).sum();
        let first = step.nodes.first().map(|node| of_node(node).place);
        ConsolidationAction {
            wave,
            delete,
            launches,
            bindings,
            reason: first.map_or(DisruptionReason::Pending, |place| self.verdicts[place].reason),
            savings,
            disruption_cost: DisruptionCost::from_billionths(
                u128::try_from(disruption).unwrap_or(0),
            ),
        }
    }

    /// Why each node stays that isn't deleted.
    pub(super) fn keep_all(&self) -> Vec<KeptNode> {
        let gone = self.steps().flat_map(|step| &step.nodes);
        self.keep(&gone.map(|node| self.model.nodes[*node].place).collect())
    }

    /// Why each other node stays.
    fn keep(&self, gone: &BTreeSet<usize>) -> Vec<KeptNode> {
        let mut by_place: BTreeMap<usize, usize> = BTreeMap::new();
        for (node, running) in self.model.nodes.iter().enumerate() {
            let _new = by_place.insert(running.place, node);
        }
        let kept = self.verdicts.iter().enumerate().filter(|(place, _)| !gone.contains(place));
        kept.map(|(place, verdict)| {
            let node = by_place.get(&place).copied();
            let stay = node.and_then(|node| self.stays[node].as_ref());
            let mut blockers = verdict.blockers.clone();
            if blockers.is_empty() {
                blockers.push(self.why(node, stay));
            }
            blockers.sort_unstable();
            blockers.dedup();
            let best = stay.and_then(|stay| self.rejected(node, stay));
            KeptNode {
                node: self.problem.nodes[place].name.clone(),
                reasons: blockers
                    .into_iter()
                    .map(|blocker| Reason::new(&Cause::Blocked { blocker }, 1))
                    .collect(),
                best,
            }
        })
        .collect()
    }

    /// Why a node stays that may go.
    fn why(&self, node: Option<usize>, stay: Option<&Stay>) -> Blocker {
        match stay {
            Some(stay) => stay.blocker.clone(),
            // It could go by itself, then.
            None if node.is_some_and(|node| self.stuck.contains(&node)) => Blocker::NoOrder,
            None => Blocker::Needed,
        }
    }

    /// What a node would have saved, if places were found for its pods.
    fn rejected(&self, node: Option<usize>, stay: &Stay) -> Option<RejectedAction> {
        let running = &self.model.nodes[node?];
        Some(RejectedAction {
            savings: Price::from_nanos(stay.savings?),
            disruption_cost: DisruptionCost::from_billionths(
                u128::try_from(running.disruption).unwrap_or(0),
            ),
            moved: running.moves,
            launches: stay
                .launches
                .iter()
                .map(|id| offering_ref(self.model.compiled(), *id))
                .collect(),
        })
    }
}

/// The names of pods that leave nodes, or that wait, by class.
///
/// Names are handed out once; a set of replicas counts up.
struct Leaving<'p> {
    /// For each class the entries whose pods leave, each with the replicas that are left.
    entries: BTreeMap<usize, Vec<(&'p Pod, u32)>>,
}

impl<'p> Leaving<'p> {
    fn of<'n>(problem: &'p Problem, home: impl IntoIterator<Item = &'n HomePods>) -> Self {
        let mut entries: BTreeMap<usize, Vec<(&Pod, u32)>> = BTreeMap::new();
        for HomePods { class, entries: own, .. } in home {
            let pods = own.iter().map(|entry| (&problem.pods[*entry as usize], 0));
            entries.entry(*class).or_default().extend(pods);
        }
        for list in entries.values_mut() {
            // Handed out from the end.
            list.reverse();
        }
        Self { entries }
    }

    /// The names of so many pods of a class.
    fn take(&mut self, class: usize, count: u32) -> Vec<Arc<str>> {
        let mut names = Vec::with_capacity(count as usize);
        let Some(list) = self.entries.get_mut(&class) else { return names };
        while names.len() < count as usize {
            let Some((pod, named)) = list.last_mut() else { break };
            let replicas = pod.replicas.max(1);
            names.push(match replicas {
                1 => format!("{}/{}", pod.namespace, pod.name).into(),
                _ => format!("{}/{}-{named}", pod.namespace, pod.name).into(),
            });
            *named += 1;
            if *named >= replicas {
                let _done = list.pop();
            }
        }
        names
    }
}
