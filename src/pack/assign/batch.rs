//! Items made of parts: so many pods of these classes, on these sites.
//!
//! Whatever decides where pods go (an assignment, a plan that is completed or changed) states the
//! outcome as parts; what the packer has to know of each is worked out here: what one asks for, who
//! may not share a node with whom, and how many of some pods a node may hold.
//!
//! *Caps.* A required spread over hosts with `maxSkew` *s* is, for a packer, "no node holds more
//! than *s* of these": a fresh node can be launched, so the lowest count is zero. Classes that may
//! be bound after everybody who counts them are left out of the cap, since nobody is judged with
//! them in place.
//!
//! *Cost.* Items times the classes that they hold; a cap costs a set of items, and one that
//! concerns a single item is written into the item.

use super::affinity;
use crate::compile::{
    Bits, CapId, ClassId, Compiled, EligibilitySets, HostSpreadCap, Id, IdVec, Item, ItemId,
    SelectionId, TopologyKey, TopologySpread,
};
use std::collections::{BTreeMap, BTreeSet};

/// Equal things to pack: each is so many pods of these classes on one node.
#[derive(Clone, Debug)]
pub(crate) struct Batch<S> {
    pub(crate) classes: Vec<(ClassId, u32)>,
    pub(crate) count: u32,
    /// The sites that they may use.
    pub(crate) sites: S,
}

/// Makes the items of a problem from parts, one for each; a part that no node could hold by the
/// rules of its own pods has none.
///
/// `preferring`: whether a class's preferences over single nodes are kept as if they were required.
/// `allowed`: whether what is one part is known to be legal on a node, whatever a spread over
/// single nodes says.
pub(crate) fn items_of<S: std::borrow::Borrow<Bits>>(
    whole: &Compiled,
    preferring: &dyn Fn(ClassId) -> bool,
    parts: &[Batch<S>],
    allowed: bool,
) -> (Compiled, Vec<Option<ItemId>>) {
    let mut eligibility_sets = EligibilitySets::default();
    let mut items: IdVec<ItemId, Item> = IdVec::new();
    let numbered = parts.iter().map(|part| {
        let mut item = together(whole, &part.classes)?;
        item.count = part.count;
        item.eligibility = eligibility_sets.number(part.sites.borrow());
        Some(items.push(item))
    });
    let numbered: Vec<Option<ItemId>> = numbered.collect();
    let builder = EligibilityBuilder {
        compiled: whole,
        preferring,
        needed: affinity::needed(&whole.topology, &whole.classes),
        allowed,
    };
    let of_class = items_of_classes(whole, &items);
    builder.add_conflicts(&mut items, &of_class);
    let caps = builder.limit(&mut items, &of_class);
    (whole.with_items(items, eligibility_sets.sets, caps), numbered)
}

/// What pods that share a node ask for together; nothing where they can't.
///
/// Requests are summed, host ports must not clash, and what one of them may have few of per node
/// holds for all.
pub(super) fn together(compiled: &Compiled, parts: &[(ClassId, u32)]) -> Option<Item> {
    let ((first, count), others) = parts.split_first()?;
    let mut sum = times(compiled, *first, *count)?;
    for (class, count) in others {
        let more = times(compiled, *class, *count)?;
        if sum.uses.clashes(&more.uses) {
            return None;
        }
        for (have, asked) in sum.request.iter_mut().zip(&more.request) {
            *have = have.saturating_add(*asked);
        }
        sum.uses.join(more.uses);
        sum.per_node = sum.per_node.min(more.per_node);
        sum.priority = sum.priority.max(more.priority);
        sum.placeholder &= more.placeholder;
    }
    sum.parts = parts.to_vec();
    Some(sum)
}

/// So many pods of a class as one; nothing where one node can't hold them by its own rules.
fn times(compiled: &Compiled, class: ClassId, count: u32) -> Option<Item> {
    let mut item = compiled.items[ItemId::from_index(class.index())].clone();
    item.per_node = item.per_node.checked_div(count)?;
    for asked in &mut item.request {
        *asked = asked.checked_mul(i64::from(count))?;
    }
    (item.per_node > 0).then_some(item)
}

/// What is looked at when rules about single nodes are worked out.
struct EligibilityBuilder<'a> {
    compiled: &'a Compiled,
    preferring: &'a dyn Fn(ClassId) -> bool,
    /// For each class, whether another's affinity needs it.
    needed: IdVec<ClassId, bool>,
    /// Whether what is one item is known to be legal on a node.
    allowed: bool,
}

impl EligibilityBuilder<'_> {
    /// Says which items may not share a node.
    fn add_conflicts(&self, items: &mut IdVec<ItemId, Item>, of_class: &ItemsByClass) {
        let mut pairs: BTreeSet<(ClassId, ClassId)> = BTreeSet::new();
        for (class, rules) in
            self.compiled.topology.rules.iter().filter(|(class, _)| (self.preferring)(*class))
        {
            for (_, term) in rules
                .preferred_anti_affinity
                .iter()
                .filter(|(_, term)| term.key == TopologyKey::Hostname)
            {
                for other in &self.compiled.topology.selections[term.selection].classes {
                    let _new = pairs.insert((class, *other));
                    let _new = pairs.insert((*other, class));
                }
            }
        }
        let preferring_classes = |class: ClassId| {
            pairs.range((class, ClassId::from_index(0))..).take_while(move |(of, _)| *of == class)
        };
        let ids: Vec<ItemId> = items.ids().collect();
        for id in ids {
            let item = &items[id];
            let conflicting_classes = item.parts.iter().flat_map(|(class, _)| {
                let fixed = self.compiled.classes[*class].host_conflicts.iter();
                fixed.chain(preferring_classes(*class).map(|(_, other)| other))
            });
            let conflicts = conflicting_classes
                .flat_map(|conflict| &of_class[*conflict])
                .map(|(item, _)| *item);
            let mut conflicts: Vec<ItemId> = conflicts.collect();
            conflicts.sort_unstable();
            conflicts.dedup();
            let alone = conflicts.binary_search(&id).is_ok();
            conflicts.retain(|other| *other != id);
            // What is one item already was allowed to be; only its copies stay apart.
            let item = &mut items[id];
            if alone {
                item.per_node = 1;
            }
            item.conflicts = conflicts;
        }
    }

    /// Turns spreads over single nodes into caps.
    ///
    /// Spreads of equal selection and skew are one cap, whoever has them. Bound pods on counted
    /// nodes take part of it.
    fn limit(
        &self,
        items: &mut IdVec<ItemId, Item>,
        of_class: &ItemsByClass,
    ) -> IdVec<CapId, HostSpreadCap> {
        let mut groups: BTreeMap<(SelectionId, i64), Vec<&TopologySpread>> = BTreeMap::new();
        for (class, rules) in self.compiled.topology.rules.iter() {
            let preferring = (self.preferring)(class);
            let over_hosts = rules.spreads.iter().filter(|spread| {
                spread.key == TopologyKey::Hostname && (spread.hard || preferring)
            });
            for spread in over_hosts {
                groups.entry((spread.selection, spread.max_skew)).or_default().push(spread);
            }
        }
        let mut caps = IdVec::new();
        for ((selection, max_skew), spreads) in groups {
            let selected = &self.compiled.topology.selections[selection];
            let mut counts: BTreeMap<ItemId, u32> = BTreeMap::new();
            for class in selected.classes.iter().filter(|class| self.is_early(**class)) {
                for (item, count) in &of_class[*class] {
                    *counts.entry(*item).or_insert(0) += count;
                }
            }
            let concerned: Vec<(ItemId, u32)> = counts.into_iter().collect();
            let most = u32::try_from(max_skew).unwrap_or(u32::MAX);
            let concerned = self.keep_within(items, concerned, most);
            if let [(only, each)] = concerned[..]
                && selected.bound.is_empty()
            {
                let item = &mut items[only];
                item.per_node = item.per_node.min(most / each.max(1));
                continue;
            }
            let mut counted = self.compiled.usable.emptied();
            spreads.iter().for_each(|spread| counted.or(&spread.counted));
            let used = selected.bound.iter().copied();
            let used = used
                .filter(|(node, _)| counted.contains(self.compiled.site_of_node(*node)))
                .collect();
            let mut members = Bits::none(items.len());
            concerned.iter().for_each(|(item, _)| members.insert(item.index()));
            let cap = caps.push(HostSpreadCap { most, counted: members, used });
            for (id, count) in concerned {
                items[id].per_node = items[id].per_node.min(most / count);
                items[id].caps.push((cap, count));
            }
        }
        caps
    }

    /// Of the items that a cap counts those that keep within it; where one that doesn't is allowed
    /// all the same, none of the others may join it.
    ///
    /// Such an item exists where a plan that is known to be legal is written down: three of these
    /// pods share a node because every node held two when the third came.
    fn keep_within(
        &self,
        items: &mut IdVec<ItemId, Item>,
        concerned: Vec<(ItemId, u32)>,
        most: u32,
    ) -> Vec<(ItemId, u32)> {
        let (within, beyond): (Vec<_>, Vec<_>) =
            concerned.into_iter().partition(|(_, count)| *count <= most || !self.allowed);
        for (id, _) in &beyond {
            items[*id].per_node = 1;
            for (other, _) in within.iter().chain(&beyond).filter(|(other, _)| other != id) {
                for (one, two) in [(*id, *other), (*other, *id)] {
                    if let Err(at) = items[one].conflicts.binary_search(&two) {
                        items[one].conflicts.insert(at, two);
                    }
                }
            }
        }
        within
    }

    /// Whether pods of a class may have to be bound before some that a spread counts beside them:
    /// those without rules of their own that nobody needs come last, and count for nobody.
    fn is_early(&self, class: ClassId) -> bool {
        let rules = &self.compiled.topology.rules[class];
        let preferring = (self.preferring)(class);
        rules.affinity.is_some()
            || !rules.anti_affinity.is_empty()
            || rules.spreads.iter().any(|spread| spread.hard || preferring)
            || preferring
                && !(rules.preferred_affinity.is_empty()
                    && rules.preferred_anti_affinity.is_empty())
            || !self.compiled.classes[class].domain_keys.is_empty()
            || self.needed[class]
    }
}

/// For each class, the items that hold pods of it, with how many.
type ItemsByClass = IdVec<ClassId, Vec<(ItemId, u32)>>;

fn items_of_classes(whole: &Compiled, items: &IdVec<ItemId, Item>) -> ItemsByClass {
    let mut of_class: ItemsByClass = whole.classes.iter().map(|_| Vec::new()).collect();
    for (id, item) in items.iter() {
        for (class, count) in &item.parts {
            of_class[*class].push((id, *count));
        }
    }
    of_class
}
