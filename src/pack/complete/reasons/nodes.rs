//! What stands in the way of a pod on the running nodes.
//!
//! *Problem.* A pod may be kept off a thousand nodes for a few different combinations of reasons;
//! its owner wants to hear the few things of which changing one would help.
//!
//! *Idea.* What a node lacks is a set of [`NodeLack`]s, kept as a mask of bits and counted. Where
//! some nodes lack one thing alone, each such thing is told with the number of all nodes that lack
//! it, also beside others; where every node lacks more, the smallest combination that most nodes
//! have in common is told whole.
//!
//! *Right.* Every lack is judged as if the others weren't there, with the counts of the finished
//! plan, so that a node with one lack takes the pod once that one is gone.
//!
//! *Cost.* One look at each group of equal nodes.

use super::super::placement::PlacedNodes;
use super::between::Barrier;
use super::{KeyDomain, LeftOut, ReasonFinder};
use crate::compile::{TopologyKey, fits, is_tolerated, of_node};
use crate::explain::{Cause, Miss};
use crate::model::{Node, well_known};
use std::collections::BTreeMap;

/// What running nodes lack.
///
/// Equal lacks of different nodes share a bit, so the ones with an operand (a driver, a rule
/// between pods) are compared with it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum NodeLack {
    /// A taint of the node that the pod doesn't tolerate.
    Taints,
    /// A node selector, an affinity to nodes or a node's name that the pod itself asks for.
    Labels,
    /// The zone where a volume of the pod can be attached.
    Zone,
    /// Too little is free of some resource for one more pod.
    Resources,
    /// Slots for volumes of the driver of this place in the vectors.
    Slots(usize),
    /// A host port that the pod wants is taken there.
    Ports,
    /// A rule between pods, its own or one of others that selects it.
    Between(Barrier),
}

/// Different lacks, each a bit of a mask; so many that differ are kept apart.
///
/// The last bit stands for all that are left over; problems with so many different barriers are
/// rare, and what is lost then is detail of the message only.
const MOST_LACKS: usize = 64;

impl<'c> ReasonFinder<'c> {
    /// What stands in the way on running nodes, each with how many nodes it is on: every single
    /// thing that is all that is in the way somewhere; where there is none, the fewest that are in
    /// the way at once.
    ///
    /// `within` restricts the look to nodes in one domain of a key, for the question what stops a
    /// pod in the lowest domain of its spread; `plain` leaves that very question out of the causes,
    /// so that explanations don't nest without end. Nodes that are being deleted come last, with a
    /// count of their own.
    pub(super) fn of_nodes(
        &mut self,
        asked: &LeftOut<'c>,
        within: Option<KeyDomain>,
        plain: bool,
    ) -> Vec<(Vec<Cause>, u32)> {
        let mut known: Vec<NodeLack> = Vec::new();
        // Nodes that lack the same, with the first group of them.
        let mut masks: BTreeMap<u64, (u32, usize)> = BTreeMap::new();
        for at in &self.running {
            let nodes = &self.placement.groups[*at];
            if !self.is_within(nodes.site, within) {
                continue;
            }
            let mut mask = 0_u64;
            for lack in self.lacks(asked, nodes) {
                let number = known.iter().position(|one| *one == lack).unwrap_or_else(|| {
                    known.push(lack);
                    known.len() - 1
                });
                mask |= 1 << number.min(MOST_LACKS - 1);
            }
            let (count, _) = masks.entry(mask).or_insert((0, *at));
            *count = count.saturating_add(nodes.count);
        }
        let mut found: Vec<(Vec<Cause>, u32)> = Vec::new();
        let fewest = masks.keys().map(|mask| mask.count_ones()).min().unwrap_or(0);
        let mut nearest: Vec<(u64, u32, usize)> = masks
            .iter()
            .filter(|(mask, _)| mask.count_ones() == fewest)
            .map(|(mask, (_, at))| {
                let covers = masks.iter().filter(|(other, _)| *other & mask == *mask);
                (*mask, covers.map(|(_, (count, _))| *count).sum(), *at)
            })
            .collect();
        if fewest != 1 {
            nearest.sort_by_key(|(mask, count, _)| (std::cmp::Reverse(*count), *mask));
            nearest.truncate(1);
        }
        for (mask, count, at) in nearest {
            let mut causes: Vec<Cause> = Vec::new();
            for (number, lack) in known.iter().enumerate().take(MOST_LACKS) {
                if mask & (1 << number) != 0 {
                    causes.push(self.lack_cause(asked, *lack, at, plain));
                }
            }
            found.push((causes, count));
        }
        let deleting = self.deleting(asked, within);
        if deleting > 0 {
            found.push((vec![Cause::Existing { miss: Miss::Deleting }], deleting));
        }
        found
    }

    /// What the nodes of a group lack for one more pod, each for itself.
    ///
    /// Ports and slots of volumes depend on what the node holds, so the node is only opened where
    /// the pod uses any or the problem has drivers with limits at all.
    fn lacks(&self, asked: &LeftOut<'_>, nodes: &PlacedNodes<'c>) -> Vec<NodeLack> {
        let compiled = self.placement.compiled();
        let (site_conditions, dims) = (&compiled.site_conditions, &compiled.dims);
        let mut lacks = Vec::new();
        if !site_conditions.tolerated[asked.tolerations].contains(nodes.site) {
            lacks.push(NodeLack::Taints);
        }
        if !asked.suits.contains(nodes.site) {
            lacks.extend(self.label_lacks(asked, nodes.site));
        }
        let names = dims.names().len();
        if fits(&nodes.free[..names], &asked.item.request[..names], 1) == 0 {
            lacks.push(NodeLack::Resources);
        }
        if asked.item.uses.bars_any() || !dims.drivers().is_empty() {
            let node = self.placement.open(nodes);
            if node.used().bars(&asked.item.uses) {
                lacks.push(NodeLack::Ports);
            }
            let slots = (names..dims.len()).filter(|dim| {
                super::launches::slots(asked, *dim, Some(node.used())) > 0
                    && self.lacks_slots(asked, *dim, &nodes.free, node.used())
            });
            lacks.extend(slots.map(NodeLack::Slots));
        }
        lacks.extend(
            self.barriers(asked, nodes.site, Some(nodes)).into_iter().map(NodeLack::Between),
        );
        lacks
    }

    /// Whether it is labels or the places of volumes that a site doesn't have as the pod needs
    /// them.
    ///
    /// A condition may be asked for by the pod and by a volume alike; then both are named, for both
    /// have to change.
    fn label_lacks(&self, asked: &LeftOut<'_>, site: usize) -> Vec<NodeLack> {
        let compiled = self.placement.compiled();
        let site_conditions = &compiled.site_conditions;
        let set = &site_conditions.rules.sets()[asked.set];
        let holds = |condition: &usize| site_conditions.holds[*condition].contains(site);
        let unmet = |terms: &Vec<Vec<usize>>| {
            !terms.iter().any(|term| !term.is_empty() && term.iter().all(holds))
        };
        let unheld: Vec<usize> =
            set.all.iter().copied().filter(|condition| !holds(condition)).collect();
        let mut lacks = Vec::new();
        if unheld.iter().any(|condition| self.is_own(asked, *condition))
            || set.terms.iter().any(unmet)
        {
            lacks.push(NodeLack::Labels);
        }
        if unheld.iter().any(|condition| self.is_of_volumes(asked, *condition))
            || set.volumes.iter().any(unmet)
        {
            lacks.push(NodeLack::Zone);
        }
        lacks
    }

    /// What the nodes of a group lack, as causes.
    pub(super) fn node_causes(
        &mut self,
        asked: &LeftOut<'c>,
        at: usize,
        plain: bool,
    ) -> Vec<Cause> {
        let Some(nodes) = self.placement.groups.get(at) else { return Vec::new() };
        let lacks = self.lacks(asked, nodes);
        lacks.into_iter().map(|lack| self.lack_cause(asked, lack, at, plain)).collect()
    }

    /// Where a node has whom the pod must share a node with, and lacks only room, the affinity is
    /// the cause that helps: "too little room" would read as if any larger node did.
    fn lack_cause(&mut self, asked: &LeftOut<'c>, lack: NodeLack, at: usize, plain: bool) -> Cause {
        let compiled = self.placement.compiled();
        let miss = |miss: Miss| Cause::Existing { miss };
        match lack {
            NodeLack::Taints => miss(Miss::Taints),
            NodeLack::Labels => miss(Miss::Labels),
            NodeLack::Zone => miss(Miss::Zone),
            NodeLack::Resources => {
                let nodes = &self.placement.groups[at];
                let affinity = self.placement.rules.of_class[asked.class].affinity;
                let is_with = affinity.is_some_and(|affinity| {
                    affinity.over_hosts && self.placement.on_node(nodes, affinity.selection) > 0
                });
                if is_with && self.lacks_room_alone(asked, nodes) {
                    self.host_affinity(asked)
                } else {
                    miss(Miss::Resources)
                }
            }
            NodeLack::Ports => miss(Miss::HostPorts),
            NodeLack::Slots(dim) => {
                let driver = dim.checked_sub(compiled.dims.names().len());
                let driver = driver.and_then(|at| compiled.dims.drivers().get(at));
                Cause::VolumeLimit { driver: driver.cloned().unwrap_or_else(|| "".into()) }
            }
            NodeLack::Between(Barrier::AntiAffinity(TopologyKey::Hostname)) => Cause::AntiAffinity,
            NodeLack::Between(barrier) => {
                let site = self.placement.groups[at].site;
                self.barrier_cause(asked, barrier, site, plain)
            }
        }
    }

    /// How many nodes would take the pod if they weren't being deleted. With them gone or not,
    /// domains aren't the same, so pods with rules between pods aren't told of them.
    pub(super) fn deleting(&self, asked: &LeftOut<'_>, within: Option<KeyDomain>) -> u32 {
        let compiled = self.placement.compiled();
        if asked.tied || within.is_some() || asked.item.uses.is_shared() {
            return 0;
        }
        let would = compiled.deleting.iter().filter(|(index, free)| {
            fits(free, &asked.item.request, 1) > 0
                && self.would_take(asked, compiled.parts.node(*index))
        });
        u32::try_from(would.count()).unwrap_or(u32::MAX)
    }

    /// Whether the pod's rules about nodes let it be on one.
    ///
    /// The node isn't compiled, since nothing is to be placed there: taints and labels are read
    /// from the model. A pod that asks for host ports is not told of such nodes, for who holds the
    /// ports there isn't known.
    fn would_take(&self, asked: &LeftOut<'_>, node: &Node) -> bool {
        let compiled = self.placement.compiled();
        let rules = &compiled.site_conditions.rules;
        let pool = node.labels.get(well_known::NODE_POOL);
        let pool = pool.and_then(|name| compiled.parts.node_pools().find(|one| one.name == *name));
        let tolerations = &rules.tolerations.lists()[asked.tolerations];
        let holds = |condition: &usize| {
            let (key, states) = &rules.conditions()[*condition];
            let state = match &**key {
                crate::compile::NODE_NAME => Some(&node.name),
                well_known::HOSTNAME => node.labels.get(key).or(Some(&node.name)),
                _ => node.labels.get(key),
            };
            states.admits(state.map(|state| &**state))
        };
        of_node(node, pool).iter().all(|taint| is_tolerated(taint, tolerations))
            && rules.sets()[asked.set].all.iter().all(holds)
            && rules.alternatives_hold(asked.set, |condition| holds(&condition))
            && !asked.item.uses.bars_any()
    }
}
