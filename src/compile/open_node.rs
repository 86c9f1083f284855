//! One node with the pods that it holds: may one more of an item go there, and how many?
//!
//! *Problem.* Packing, completion, consolidation and every search ask the same of a node, again and
//! again while pods come: is there room in every resource, are ports and slots for volumes
//! free, do the pods that are there suffer this one, and does a launch still leave its pool the
//! `minValues` that it asks for?
//!
//! *Idea.* What the answer needs is kept beside the pods as they are put: what is free, ports,
//! volumes, the items that are barred by those that are there, how much of each cap is used up. A
//! cap that is used up bars all that it counts, so that most answers are one bit.
//!
//! *Why it is right.* Each rule is about what is on the node and no other; pods of an item are
//! alike; and a node that takes some pods of an item takes fewer of them too.
//!
//! *Cost.* An answer looks at the resources, and at the rules of one item. Putting pods costs the
//! same and the words of the bars. What is tried is tried on a copy.

use super::bits::Bits;
use super::min_values::{LaunchMinValues, MinValuesChoice};
use super::{Compiled, Id, Item, ItemId, NodeRoom, NodeUse};

/// A node and what it holds.
///
/// `takes` asks, `put` acts; nothing is taken off again. A search that may have to go back keeps a
/// copy.
#[derive(Clone, Debug)]
pub(crate) struct OpenNode<'a> {
    compiled: &'a Compiled,
    room: NodeRoom<'a>,
    /// In the order in which they came.
    held: Vec<(ItemId, u32)>,
    free: Vec<i64>,
    used: NodeUse,
    /// The items that may not join what the node holds.
    barred: Bits,
    /// How much of each cap is used up, but for pods that are bound already.
    cap_counts: Vec<u32>,
    minimums: Option<LaunchMinValues>,
}

/// What a first look needs of an item's rules about what shares a node.
///
/// Kept beside an item by those who look at thousands of nodes for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharingRules {
    item: ItemId,
    /// Whether there are none.
    plain: bool,
    /// Whether more is to be looked at than who may not share its node and how many it takes.
    ruled: bool,
    per_node: u32,
}

impl SharingRules {
    pub(crate) fn of(id: ItemId, item: &Item) -> Self {
        Self {
            item: id,
            plain: item.goes_anywhere(),
            ruled: !item.caps.is_empty() || !item.uses.is_none(),
            per_node: item.per_node,
        }
    }
}

impl<'a> OpenNode<'a> {
    /// A node that holds none of the problem's pods yet; `minValues` give way where a pod alone
    /// can't meet them, if this is wished.
    pub(crate) fn new(
        compiled: &'a Compiled,
        room: NodeRoom<'a>,
        best_effort_min_values: bool,
    ) -> Self {
        let best_effort = best_effort_min_values;
        let choice = room.min_values.map(|offer| MinValuesChoice { offer, best_effort });
        Self {
            compiled,
            held: Vec::new(),
            free: room.free.to_vec(),
            used: room.used.clone(),
            barred: Bits::none(compiled.items.len()),
            cap_counts: vec![0; compiled.caps.len()],
            minimums: choice.map(|choice| LaunchMinValues::of(compiled, choice, &[])),
            room,
        }
    }

    /// The same with these pods on it, which are known to be accepted.
    pub(crate) fn holding(mut self, held: impl IntoIterator<Item = (ItemId, u32)>) -> Self {
        held.into_iter().for_each(|(item, count)| self.put(item, count));
        self
    }

    /// The same with so much free, where that is known otherwise.
    pub(crate) fn with_free(mut self, free: &[i64]) -> Self {
        self.free.copy_from_slice(free);
        self
    }

    pub(crate) fn room(&self) -> &NodeRoom<'a> {
        &self.room
    }

    /// What is free; slots of volumes that several pods mount are taken once.
    pub(crate) fn free(&self) -> &[i64] {
        &self.free
    }

    /// What is in use beside amounts.
    pub(crate) fn used(&self) -> &NodeUse {
        &self.used
    }

    /// How many pods of an item it holds.
    pub(crate) fn count(&self, item: ItemId) -> u32 {
        // Most often it's what came last.
        let held = self.held.iter().rev().find(|(held, _)| *held == item);
        held.map_or(0, |(_, count)| *count)
    }

    /// How many more pods of an item the node can take, `most` at most, if its rules about nodes
    /// admit them.
    pub(crate) fn takes(&self, id: ItemId, most: u32) -> u32 {
        let count = self.takes_by_rules(id, most);
        match &self.minimums {
            Some(minimums) if count > 0 => minimums.admit(self.compiled, &self.load(), id, count),
            _ => count,
        }
    }

    /// How many pods of an item there is room for beside what the node holds, whoever that is:
    /// resources, and what else pods use of a node.
    pub(crate) fn has_room(&self, id: ItemId, most: u32) -> u32 {
        self.used.takes(&self.compiled.items[id], &self.free, most)
    }

    /// How many of `count` more pods of an item leave a launch the `minValues` of its pool.
    pub(crate) fn leaves_min_values(&self, id: ItemId, count: u32) -> u32 {
        match &self.minimums {
            Some(minimums) => minimums.admit(self.compiled, &self.load(), id, count),
            None => count,
        }
    }

    /// As [`OpenNode::takes`], `minValues` aside.
    fn takes_by_rules(&self, id: ItemId, most: u32) -> u32 {
        let item = &self.compiled.items[id];
        let most = match item.per_node {
            u32::MAX => most,
            each => most.min(each.saturating_sub(self.count(id))),
        };
        let count = self.has_room(id, most);
        if count == 0 || self.barred.contains(id.index()) {
            return 0;
        }
        count.min(self.under_caps(item))
    }

    /// Whether the rules between pods let the node have one more of an item for which it has the
    /// resources: a quick look, `minValues` aside.
    pub(crate) fn may_take(&self, rules: &SharingRules) -> bool {
        if rules.plain {
            return true;
        }
        let id = rules.item;
        if self.barred.contains(id.index())
            || rules.per_node != u32::MAX && self.count(id) >= rules.per_node
        {
            return false;
        }
        if !rules.ruled {
            return true;
        }
        let item = &self.compiled.items[id];
        let under = item.caps.iter().all(|(cap, each)| {
            let count = self.cap_counts[cap.index()].saturating_add(*each);
            count <= self.compiled.caps[*cap].most
        });
        if !under || self.room.node.is_some() && self.under_caps(item) == 0 {
            return false;
        }
        item.uses.is_none() || self.has_room(id, 1) > 0
    }

    /// How many more of an item the caps allow.
    fn under_caps(&self, item: &Item) -> u32 {
        let under = item.caps.iter().map(|(id, each)| {
            let cap = &self.compiled.caps[*id];
            let bound = self.room.node.map_or(0, |node| cap.used_by_bound(node));
            cap.most.saturating_sub(self.cap_counts[id.index()].saturating_add(bound)) / each
        });
        under.min().unwrap_or(u32::MAX)
    }

    /// Puts more pods of an item on the node.
    pub(crate) fn put(&mut self, id: ItemId, count: u32) {
        let item = &self.compiled.items[id];
        for (free, asked) in self.free.iter_mut().zip(&item.request) {
            *free -= asked * i64::from(count);
        }
        self.used.put(&item.uses, &mut self.free);
        self.use_up(item, count);
        match self.held.iter_mut().rev().find(|(held, _)| *held == id) {
            Some((_, held)) => {
                *held += count;
                self.minimums.iter_mut().for_each(LaunchMinValues::grow);
            }
            None => {
                // Conflicts are mutual.
                item.conflicts.iter().for_each(|other| self.barred.insert(other.index()));
                if let Some(minimums) = &mut self.minimums {
                    minimums.join(self.compiled, id);
                }
                self.held.push((id, count));
            }
        }
    }

    /// Counts pods for the caps of their item, and bars all items of a cap that is used up.
    fn use_up(&mut self, item: &Item, count: u32) {
        for (id, each) in &item.caps {
            let (cap, counted) = (&self.compiled.caps[*id], &mut self.cap_counts[id.index()]);
            *counted = counted.saturating_add(each.saturating_mul(count));
            if *counted >= cap.most {
                self.barred.or(&cap.counted);
            }
        }
    }

    /// What the pods there use.
    fn load(&self) -> Vec<i64> {
        self.room.free.iter().zip(&self.free).map(|(all, free)| all - free).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::OpenNode;
    use crate::compile::{Compiled, ItemId};
    use crate::model::{
        Affinity, HostPort, InstanceType, LabelSelector, Node, NodePool, Offering, Operator, Pod,
        PodAffinityTerm, Price, Problem, Requirement, Resources, Volume, well_known,
    };

    fn resources(pairs: &[(&str, &str)]) -> Resources {
        Resources::parse(pairs.iter().copied()).unwrap()
    }

    /// Every rule about what shares a node, on launches and a running node that holds a pod.
    fn problem() -> Problem {
        let pod = |name: &str, cpu: &str| {
            Pod::new(name)
                .with_label("app", name)
                .with_replicas(4)
                .with_requests(resources(&[("cpu", cpu)]))
        };
        let selector = LabelSelector::new().with_label("app", "alone");
        let apart = PodAffinityTerm::new(well_known::HOSTNAME, selector);
        let instance = |name: &str, cpu: &str| {
            InstanceType::new(name, resources(&[("cpu", cpu), ("pods", "8")]))
                .with_volume_limit("ebs", 2)
                .with_offering(Offering::spot("z", "0.1".parse().unwrap()))
        };
        let several = Requirement::new::<&str>(well_known::INSTANCE_TYPE, Operator::Exists, []);
        let node = Node::new("n", resources(&[("cpu", "5"), ("pods", "8")]));
        Problem::builder()
            .pod(pod("plain", "500m"))
            .pod(
                pod("alone", "1")
                    .with_affinity(Affinity::new().with_required_pod_anti_affinity(apart)),
            )
            .pod(pod("port", "1").with_replicas(1).with_host_port(HostPort::new(80)))
            .pod(pod("same-port", "2").with_replicas(1).with_host_port(HostPort::new(80)))
            .pod(pod("shares", "250m").with_volume(Volume::new("ebs", "one")))
            .pod(pod("also", "750m").with_volume(Volume::new("ebs", "one")))
            .pod(pod("own", "750m").with_replicas(1).with_volume(Volume::new("ebs", "two")))
            .pod(
                pod("bound", "1")
                    .with_replicas(1)
                    .with_node_name("n")
                    .with_host_port(HostPort::new(80)),
            )
            .node(node.with_label(well_known::HOSTNAME, "n"))
            .instance_type(instance("small", "2"))
            .instance_type(instance("medium", "4"))
            .instance_type(instance("large", "8"))
            .node_pool(NodePool::new("default").with_requirement(several.with_min_values(2)))
            .build()
            .unwrap()
    }

    /// Calls with each node that holds up to three pods of two items.
    fn for_each_node(compiled: &Compiled, call: &dyn Fn(&OpenNode<'_>, &[ItemId])) {
        let items: Vec<ItemId> = compiled.items.ids().collect();
        for site in 0..compiled.sites() {
            let empty = OpenNode::new(compiled, compiled.room_at(site), false);
            for one in &items {
                for other in &items {
                    let mut node = empty.clone();
                    call(&node, &items);
                    for (item, most) in [(*one, 2), (*other, 1)] {
                        let taken = node.takes(item, most);
                        if taken > 0 {
                            node.put(item, taken);
                        }
                        call(&node, &items);
                    }
                }
            }
        }
    }

    #[test]
    fn as_many_are_taken_at_once_as_one_by_one() {
        let compiled = Compiled::new(&problem(), Price::ZERO).unwrap();
        for_each_node(&compiled, &|node, items| {
            for item in items {
                let mut grown = node.clone();
                let mut one_by_one = 0;
                while one_by_one < 6 && grown.takes(*item, 1) > 0 {
                    grown.put(*item, 1);
                    one_by_one += 1;
                }
                assert_eq!(node.takes(*item, 6), one_by_one, "{item:?} on {node:?}");
            }
        });
    }

    #[test]
    fn what_is_free_is_what_the_pods_leave_and_their_order_is_no_matter() {
        let compiled = Compiled::new(&problem(), Price::ZERO).unwrap();
        for_each_node(&compiled, &|node, items| {
            let load = compiled.load(&node.held);
            let together = compiled.together(node.held.iter().map(|(item, _)| *item), &load);
            assert!(together.fit_there(node.room()), "what it took fits: {node:?}");
            let used = node.room.free.iter().zip(node.free()).map(|(all, free)| all - free);
            let used: i64 = used.sum();
            let uses = node.held.iter().map(|(item, _)| &compiled.items[*item].uses);
            let mut slots = vec![0; compiled.dims.len()];
            let mut all = node.room.used.clone();
            uses.for_each(|uses| all.put(uses, &mut slots));
            assert_eq!(used, load.iter().sum::<i64>() - slots.iter().sum::<i64>(), "{node:?}");
            let empty = OpenNode::new(&compiled, node.room, false);
            let turned = empty.holding(node.held.iter().rev().copied());
            for item in items {
                assert_eq!(node.takes(*item, 6), turned.takes(*item, 6), "{item:?} on {node:?}");
            }
        });
    }
}
