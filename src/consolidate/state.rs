//! A cluster as it would be: which nodes stand, what is where, and what every rule counts; with a
//! log, so that what was tried is undone.
//!
//! *Idea.* Every change is one of five: pods of a class are put on a node or taken off it, a node
//! goes with the pods at home there, comes back with them, or is launched. Each has an inverse, so
//! a trial is a mark, some changes, a look at what it costs, and the changes undone. Nothing is
//! copied, and what a change costs is in the number of pods that it moves.
//!
//! *Why a structure of its own.* [`Placement`](crate::pack) has equal nodes in groups, which is
//! right for tens of thousands of launches, and of which running nodes with their own pods make
//! nothing; it counts by the same rules ([`RuleCounts`], [`OpenNode`](crate::compile::OpenNode)),
//! which are asked here too.
//!
//! *Draining.* While waves are carried out a node that goes still stands for a moment, tainted,
//! without the pods that leave it: [`ClusterState::drain`] and [`ClusterState::finish`] are the two
//! halves of going.
//!
//! *Invariants.* `left` counts the pods of a class without a place, `lacking` lists the classes of
//! which more are left than may be; `free` is what is there less what is held; `cost` is that of
//! all that stands, and counters are those of all pods and nodes. `undo(mark)` restores all of it:
//! the log is gone through backwards, and each change has an inverse that records nothing.
//!
//! *Cost.* A change is as dear as the counters that its pods move: a few. A clone copies all
//! vectors, and is made once for a search, not for a trial.

use super::host_counts::HostCounts;
use super::model::{ConsolidationModel, HomePods, weight};
use super::nodes_by_room::NodesByRoom;
use super::preference::PreferenceCounts;
use crate::compile::{Draw, OfferId, ReservationId, SupplyLedger};
use crate::pack::RuleCounts;

/// A change that was made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Put { node: usize, class: usize, count: u32 },
    Take { node: usize, class: usize, count: u32 },
    Drain { node: usize },
    Finish { node: usize },
    Return { node: usize },
    Launch { node: usize },
    Unlaunch { offer: OfferId },
    Abandon { node: usize },
    Restore { node: usize },
}

/// A cluster as it would be.
#[derive(Clone)]
pub(super) struct ClusterState<'m> {
    pub(super) model: &'m ConsolidationModel<'m>,
    /// What is free on each node, one after another.
    pub(super) free: Vec<i64>,
    /// How large that is in all resources together, by node.
    pub(super) slack: Vec<i64>,
    /// Nodes that take pods, by what is free on them.
    pub(super) by_room: NodesByRoom,
    /// Nodes with room for a pod, when such were last asked for, in words of 64.
    pub(super) roomy: Vec<u64>,
    /// Running nodes that stand and take pods, in words of 64.
    pub(super) standing: Vec<u64>,
    /// Running nodes that take no pods though they stand, since they are to go later, in words of
    /// 64.
    pub(super) leaving: Vec<u64>,
    /// What came to each node: class and count.
    pub(super) arrived: Vec<Vec<(usize, u32)>>,
    /// The offers of launched nodes, which are numbered after the running ones.
    pub(super) launched: Vec<OfferId>,
    /// For each of them, the running node that it replaces one for one, if it does.
    pub(super) replaces: Vec<Option<usize>>,
    /// Launched nodes that were given up again.
    pub(super) abandoned: Vec<bool>,
    /// For each class, how many pods have no place.
    pub(super) left: Vec<u32>,
    /// For each class, how many pods may stay without a place.
    out: Vec<u32>,
    /// The classes of which more have no place than may.
    lacking: Vec<usize>,
    pub(super) counts: RuleCounts,
    pub(super) hosts: Vec<HostCounts>,
    /// What preferences about other pods count.
    pub(super) preferences: PreferenceCounts,
    pub(super) supplies: SupplyLedger,
    /// What all that stands costs, as the search weighs it.
    pub(super) cost: i128,
    /// The same at what is paid, whatever interruptions count for.
    pub(super) paid: i128,
    /// How many pods at home would have moved.
    pub(super) moves: u64,
    /// What moving them costs.
    pub(super) disruption: i128,
    log: Vec<Change>,
    recording: bool,
}

impl<'m> ClusterState<'m> {
    /// The cluster as it is: all pods at home, those that wait without a place.
    pub(super) fn new(model: &'m ConsolidationModel<'m>) -> Self {
        let compiled = model.compiled();
        let rules = &model.rules;
        let mut counts = RuleCounts::of(compiled, rules);
        let mut hosts: Vec<HostCounts> = Vec::new();
        for counter in &model.hosts {
            let mut on = vec![0; model.nodes.len()];
            counter.bound.iter().for_each(|(node, count)| on[*node] += count);
            hosts.push(HostCounts { on, nodes_with: Vec::new(), nodes: 0 });
        }
        let (mut cost, mut paid) = (0_i128, 0_i128);
        for (at, node) in model.nodes.iter().enumerate() {
            counts.stand(compiled, rules, node.site, 1);
            cost = cost.saturating_add(node.weighed);
            paid = paid.saturating_add(node.price.unwrap_or(node.weighed));
            for HomePods { class, count, .. } in &node.home {
                let of_class = &model.classes[*class];
                counts.count(compiled, rules, of_class.class, node.site, i64::from(*count));
                of_class.on_hosts.iter().for_each(|host| hosts[*host].on[at] += count);
            }
            for (counter, counts) in model.hosts.iter().zip(&mut hosts) {
                if counter.counted.contains(node.site) {
                    counts.stand(counts.on[at]);
                }
            }
        }
        let mut left = vec![0; model.classes.len()];
        model.waiting.iter().for_each(|pods| left[pods.class] = pods.count);
        let mut standing = vec![0_u64; model.nodes.len().div_ceil(64)];
        (0..model.nodes.len()).for_each(|at| standing[at / 64] |= 1 << (at % 64));
        let mut state = Self {
            model,
            slack: model.nodes.iter().map(|node| weight(&node.free, &model.scale)).collect(),
            free: model.nodes.iter().flat_map(|node| node.free.iter().copied()).collect(),
            by_room: NodesByRoom::default(),
            roomy: Vec::new(),
            leaving: vec![0_u64; standing.len()],
            standing,
            arrived: vec![Vec::new(); model.nodes.len()],
            launched: Vec::new(),
            replaces: Vec::new(),
            abandoned: Vec::new(),
            out: vec![0; left.len()],
            lacking: (0..left.len()).filter(|class| left[*class] > 0).collect(),
            left,
            counts,
            hosts,
            preferences: model.preferences_at_home.clone(),
            supplies: SupplyLedger::new(compiled),
            cost,
            paid,
            moves: 0,
            disruption: 0,
            log: Vec::new(),
            recording: true,
        };
        state.list_nodes();
        state
    }

    /// Forgets how to undo what was done.
    pub(super) fn settle(&mut self) {
        self.log.clear();
    }

    /// A place in the log to come back to.
    ///
    /// Marks nest: an inner trial may be undone and the outer one go on.
    pub(super) fn mark(&self) -> usize {
        self.log.len()
    }

    /// What was launched, and what was put where, since it was forgotten how to undo what was done.
    pub(super) fn since_settled(&self) -> (Vec<usize>, Vec<(usize, usize, u32)>) {
        let launched = |change: &Change| match change {
            Change::Launch { node } => Some(*node),
            _ => None,
        };
        let put = |change: &Change| match change {
            Change::Put { node, class, count } => Some((*node, *class, *count)),
            _ => None,
        };
        (self.log.iter().filter_map(launched).collect(), self.log.iter().filter_map(put).collect())
    }

    /// Undoes all changes since a mark.
    pub(super) fn undo(&mut self, mark: usize) {
        self.recording = false;
        while self.log.len() > mark {
            match self.log.pop() {
                Some(Change::Put { node, class, count }) => self.take(node, class, count),
                Some(Change::Take { node, class, count }) => self.put(node, class, count),
                Some(Change::Drain { node }) => self.undrain(node),
                Some(Change::Finish { node }) => self.remain(node, 1),
                Some(Change::Return { node }) => {
                    self.empty_node(node);
                    self.remain(node, -1);
                }
                Some(Change::Launch { .. }) => self.unlaunch(),
                Some(Change::Abandon { node }) => self.restore(node),
                Some(Change::Restore { node }) => self.abandon(node),
                Some(Change::Unlaunch { offer }) => {
                    let _node = self.launch(offer);
                }
                None => break,
            }
        }
        self.recording = true;
    }

    pub(super) fn note(&mut self, change: Change) {
        if self.recording {
            self.log.push(change);
        }
    }

    /// How many nodes there are, gone ones among them.
    pub(super) fn nodes(&self) -> usize {
        self.arrived.len()
    }

    /// Whether a running node stands, or a launched one.
    pub(super) fn stands(&self, node: usize) -> bool {
        match node < self.model.nodes.len() {
            true => self.standing[node / 64] >> (node % 64) & 1 == 1,
            false => self.abandoned.get(node - self.model.nodes.len()) == Some(&false),
        }
    }

    /// Whether a node stands and isn't to go later.
    pub(super) fn takes_pods(&self, node: usize) -> bool {
        let leaving = self.leaving.get(node / 64).copied().unwrap_or(0);
        let is_leaving = node < self.model.nodes.len() && leaving >> (node % 64) & 1 == 1;
        self.stands(node) && !is_leaving
    }

    /// Has some running nodes take no pods from now on, and all others.
    ///
    /// A node to which a pod came can't go later in a plan where no pod moves twice, so nodes that
    /// are going to go are kept from taking any.
    pub(super) fn set_leaving(&mut self, nodes: &[usize]) {
        self.leaving.fill(0);
        nodes.iter().for_each(|node| self.leaving[node / 64] |= 1 << (node % 64));
        self.list_nodes();
    }

    /// The site of a node.
    pub(super) fn site(&self, node: usize) -> usize {
        match self.model.nodes.get(node) {
            Some(running) => running.site,
            None => {
                let offer = self.launched[node - self.model.nodes.len()];
                self.model.compiled().site_of_offer(offer)
            }
        }
    }

    pub(super) fn free(&self, node: usize) -> &[i64] {
        let width = self.model.width;
        &self.free[node * width..(node + 1) * width]
    }

    /// How large what is free on a node is in all resources together.
    pub(super) fn slack(&self, node: usize) -> i64 {
        self.slack[node]
    }

    /// Puts pods that have no place on a node.
    ///
    /// The caller has asked whether they are accepted; nothing is asked here.
    pub(super) fn put(&mut self, node: usize, class: usize, count: u32) {
        self.note(Change::Put { node, class, count });
        self.lower(class, count);
        self.add(node, class, i64::from(count));
        let arrived = &mut self.arrived[node];
        match arrived.iter_mut().find(|(held, _)| *held == class) {
            Some((_, held)) => *held += count,
            None => arrived.push((class, count)),
        }
    }

    /// Takes pods that came to a node off it.
    pub(super) fn take(&mut self, node: usize, class: usize, count: u32) {
        self.note(Change::Take { node, class, count });
        self.raise(class, count);
        let arrived = &mut self.arrived[node];
        if let Some(at) = arrived.iter().position(|(held, _)| *held == class) {
            arrived[at].1 -= count;
            if arrived[at].1 == 0 {
                let _gone = arrived.swap_remove(at);
            }
        }
        self.add(node, class, -i64::from(count));
    }

    /// More pods of a class have no place.
    fn raise(&mut self, class: usize, count: u32) {
        let before = self.left[class];
        self.left[class] = before + count;
        if before <= self.out[class] && self.left[class] > self.out[class] {
            self.lacking.push(class);
        }
    }

    /// Fewer pods of a class have no place.
    fn lower(&mut self, class: usize, count: u32) {
        let before = self.left[class];
        self.left[class] = before - count;
        if before > self.out[class] && self.left[class] <= self.out[class] {
            self.lacking.retain(|other| *other != class);
        }
    }

    /// Has pods that have no place now stay without one, those of some classes.
    ///
    /// Pods that waited and found no place aren't the fault of what is tried next.
    pub(super) fn leave_out(&mut self, is_meant: impl Fn(usize) -> bool) {
        for class in 0..self.left.len() {
            self.out[class] = if is_meant(class) { self.left[class] } else { 0 };
        }
        let lacking = (0..self.left.len()).filter(|class| self.lacks(*class) > 0);
        self.lacking = lacking.collect();
    }

    /// How many pods of a class need a place.
    pub(super) fn lacks(&self, class: usize) -> u32 {
        self.left[class].saturating_sub(self.out[class])
    }

    /// The classes of which pods need a place.
    pub(super) fn lacking(&self) -> &[usize] {
        &self.lacking
    }

    /// Counts pods on a node more, or less.
    fn add(&mut self, node: usize, class: usize, count: i64) {
        let model = self.model;
        let of_class = &model.classes[class];
        let site = self.site(node);
        let width = model.width;
        let free = &mut self.free[node * width..(node + 1) * width];
        for (free, asked) in free.iter_mut().zip(&of_class.request) {
            *free -= asked * count;
        }
        self.slack[node] -= of_class.weight.saturating_mul(count);
        self.note_free(node);
        let item = &model.compiled().items[of_class.item];
        if item.uses.is_shared() {
            self.attach(node, class, count > 0);
        }
        self.counts.count(model.compiled(), &model.rules, of_class.class, site, count);
        self.count_arrived(node, class, count);
        for host in &of_class.on_hosts {
            let counts = &mut self.hosts[*host];
            let before = counts.on[node];
            counts.on[node] = before.saturating_add_signed(i32::try_from(count).unwrap_or(0));
            if model.hosts[*host].counted.contains(site) {
                counts.fall(before);
                counts.stand(counts.on[node]);
            }
        }
    }

    /// Takes or frees the slots of volumes that pods of a class share, where nobody else there has
    /// them.
    ///
    /// A volume that a pod on the node has already takes no further slot.
    fn attach(&mut self, node: usize, class: usize, more: bool) {
        let model = self.model;
        let uses = &model.compiled().items[model.classes[class].item].uses;
        // Pods are put before they are listed, and taken off the list before this.
        let others = self.open(node);
        let slots: Vec<usize> = uses.slots(Some(others.used())).collect();
        for slot in slots {
            let sign = if more { -1 } else { 1 };
            self.free[node * model.width + slot] += sign;
            self.slack[node] += sign * model.scale[slot];
        }
        self.note_free(node);
    }

    /// Has a node that went come back, with its pods, of which enough must be without a place.
    pub(super) fn come_back(&mut self, node: usize) {
        self.note(Change::Return { node });
        self.remain(node, 1);
        self.undrain(node);
    }

    /// The first half of going: the node, to which no pod came, takes none any more, and its own
    /// have no place.
    ///
    /// Counters that honour taints no longer see it; those that don't still do, until
    /// [`ClusterState::finish`].
    pub(super) fn drain(&mut self, node: usize) {
        self.note(Change::Drain { node });
        self.empty_node(node);
    }

    /// The second half of going: nothing is left of the node.
    pub(super) fn finish(&mut self, node: usize) {
        self.note(Change::Finish { node });
        self.remain(node, -1);
    }

    fn empty_node(&mut self, node: usize) {
        self.standing[node / 64] &= !(1 << (node % 64));
        self.note_free(node);
        self.leave(node, 1);
        self.stand(node, -1, false);
        let running = &self.model.nodes[node];
        self.moves += running.moves;
        self.disruption += running.disruption;
    }

    fn undrain(&mut self, node: usize) {
        self.stand(node, 1, false);
        self.leave(node, -1);
        self.standing[node / 64] |= 1 << (node % 64);
        self.note_free(node);
        let running = &self.model.nodes[node];
        self.moves -= running.moves;
        self.disruption -= running.disruption;
    }

    /// What an emptied node counts for, once more or no longer.
    fn remain(&mut self, node: usize, sign: i64) {
        self.stand(node, sign, true);
        let running = &self.model.nodes[node];
        self.cost += i128::from(sign) * running.weighed;
        self.paid += i128::from(sign) * running.price.unwrap_or(running.weighed);
        if let Some((pool, charge)) = &running.charge {
            self.supplies.draw(Draw::on_limits(*pool, charge), sign.into());
        }
        for (counter, domain, count) in &running.bound {
            self.counts.counts[*counter][*domain] += sign * count;
        }
    }

    /// Has the pods at home on a node leave it, or (with -1) come back, while the node is counted.
    fn leave(&mut self, node: usize, sign: i64) {
        let model = self.model;
        let running = &model.nodes[node];
        self.count_home(node, sign);
        for HomePods { class, count, .. } in &running.home {
            let of_class = &model.classes[*class];
            let less = -sign * i64::from(*count);
            self.counts.count(model.compiled(), &model.rules, of_class.class, running.site, less);
            let counted = i32::try_from(less).unwrap_or(0);
            for host in &of_class.on_hosts {
                let counts = &mut self.hosts[*host];
                let before = counts.on[node];
                counts.on[node] = before.saturating_add_signed(counted);
                if model.hosts[*host].counted.contains(running.site) {
                    counts.fall(before);
                    counts.stand(counts.on[node]);
                }
            }
            match sign > 0 {
                true => self.raise(*class, *count),
                false => self.lower(*class, *count),
            }
        }
    }

    /// Has counters that look at draining nodes, or those that don't, see a node stand, or no
    /// longer; those of preferences don't.
    pub(super) fn stand(&mut self, node: usize, sign: i64, draining: bool) {
        let model = self.model;
        let site = self.site(node);
        let rules = &model.rules;
        for at in &rules.spread_counters {
            if rules.counters[*at].counts_draining == draining
                && let Some(domain) = rules.domain(model.compiled(), *at, site)
            {
                let exists = &mut self.counts.exists[*at][domain];
                *exists = exists.saturating_add_signed(i32::try_from(sign).unwrap_or(0));
            }
        }
        if !draining {
            let sign_of_one = if sign > 0 { 1 } else { -1 };
            let (compiled, rules) = (model.compiled(), &model.preferences);
            self.preferences.stand(compiled, rules, (node, site), sign_of_one);
        }
        for (counter, counts) in model.hosts.iter().zip(&mut self.hosts) {
            if counter.counts_draining == draining && counter.counted.contains(site) {
                match sign > 0 {
                    true => counts.stand(counts.on[node]),
                    false => counts.fall(counts.on[node]),
                }
            }
        }
    }

    /// How many launched nodes stand.
    pub(super) fn launches(&self) -> usize {
        self.abandoned.iter().filter(|gone| !**gone).count()
    }

    pub(super) fn charge(&mut self, offer: OfferId, nodes: i128) {
        self.supplies.draw(self.model.compiled().draw(offer), nodes);
        self.cost += nodes * self.price(offer);
        self.paid += nodes * self.paid_for(offer);
    }

    /// Whether limits and reservations leave room for a launch of an offer.
    pub(super) fn is_buyable(&self, offer: OfferId) -> bool {
        let compiled = self.model.compiled();
        let offer_pool = &compiled.pools[compiled.offers[offer].pool];
        let draw = compiled.draw(offer);
        // What static pools need is theirs.
        let is_kept = |id: ReservationId| {
            offer_pool.static_replicas.is_none()
                && self.supplies.reserved(id) <= self.model.kept_reservations[id]
        };
        compiled.offers[offer].available
            && self.supplies.allows(draw)
            && !draw.reservation.is_some_and(is_kept)
    }

    /// How many pods an affinity selects anywhere.
    pub(super) fn total(&self, total: usize) -> u64 {
        self.counts.totals[total]
    }
}
