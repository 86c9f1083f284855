//! Which demands can't share a node, and of which one holds only so much together.
//!
//! Conflicts come from host ports, from anti-affinity over hosts and from pods that are alone on
//! their node; caps from cardinality constraints and from spreads over hosts.

use crate::bound::Demand;
use crate::compile::{CapId, Compiled, Id, ItemId};
use std::collections::BTreeMap;

/// Rules about what shares a node, by demand.
pub(super) struct PackingRules {
    /// For each demand that has any, the others that can't share a node with it.
    pub(super) conflicts: BTreeMap<u32, Vec<u32>>,
    pub(super) groups: Vec<DemandCap>,
}

/// Demands of which a node holds only so much together.
#[derive(Debug)]
pub(super) struct DemandCap {
    /// Demands, and what a pod of each counts for.
    pub(super) members: Vec<(u32, u32)>,
    pub(super) most: u32,
    /// The cap that it comes from, against which bound pods count.
    pub(super) cap: Option<CapId>,
}

impl PackingRules {
    pub(super) fn of(compiled: &Compiled, demands: &[Demand]) -> Self {
        let mut of_item: BTreeMap<ItemId, Vec<u32>> = BTreeMap::new();
        for (number, demand) in (0..).zip(demands) {
            of_item.entry(demand.item).or_default().push(number);
        }
        let mut conflicts: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let barring: Vec<ItemId> =
            of_item.keys().copied().filter(|item| compiled.items[*item].uses.bars_any()).collect();
        for (item, numbers) in &of_item {
            let of = &compiled.items[*item];
            let barring = if of.uses.bars_any() { &barring[..] } else { &[] };
            let clash = |other: &ItemId| other != item && compiled.keep_apart(*item, *other);
            let others = of.conflicts.iter().chain(barring.iter().filter(|other| clash(other)));
            let mut others: Vec<u32> = others
                .flat_map(|other| of_item.get(other).into_iter().flatten().copied())
                .collect();
            // Demands of one class that is alone on its node keep each other away too.
            if of.per_node == 1 && numbers.len() > 1 {
                others.extend(numbers);
            }
            if others.is_empty() {
                continue;
            }
            others.sort_unstable();
            others.dedup();
            for number in numbers {
                let others = others.iter().copied().filter(|other| other != number).collect();
                let _none = conflicts.insert(*number, others);
            }
        }
        let of_members = |items: &[(ItemId, u32)]| -> Vec<(u32, u32)> {
            let numbers = items.iter().flat_map(|(item, each)| {
                let numbers = of_item.get(item).into_iter().flatten();
                numbers.map(move |number| (*number, *each))
            });
            numbers.collect()
        };
        let mut groups: Vec<DemandCap> = compiled
            .cardinality_constraints
            .iter()
            .map(|constraint| DemandCap {
                members: of_members(&constraint.items),
                most: constraint.most,
                cap: None,
            })
            .collect();
        let mut capped: Vec<Vec<(ItemId, u32)>> = vec![Vec::new(); compiled.caps.len()];
        for item in of_item.keys() {
            for (cap, each) in &compiled.items[*item].caps {
                capped[cap.index()].push((*item, *each));
            }
        }
        for ((id, cap), items) in compiled.caps.iter().zip(capped) {
            let members = of_members(&items);
            groups.push(DemandCap { members, most: cap.most, cap: Some(id) });
        }
        groups.retain(|group| !group.members.is_empty());
        Self { conflicts, groups }
    }
}
