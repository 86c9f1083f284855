//! Classes made of parts: so many pods of these kinds, on these sites.
//!
//! Whatever decides where pods go (an arrangement, a plan that is completed or changed) states the
//! outcome as parts; what the packer has to know of each is worked out here: what one asks for, who may
//! not share a node with whom, and how many of some pods a node may hold.

use super::affinity;
use crate::compile::{
    Bits, Cap, CapId, Class, ClassId, Compiled, Id, IdVec, KindId, Over, Rows, SelectionId, Spread,
};
use std::collections::{BTreeMap, BTreeSet};

/// Equal things to pack: each is so many pods of these kinds on one node.
#[derive(Clone, Debug)]
pub(crate) struct Batch<S> {
    pub(crate) kinds: Vec<(KindId, u32)>,
    pub(crate) count: u32,
    /// The sites that they may use.
    pub(crate) sites: S,
}

/// Makes the classes of a problem from parts, one for each; a part that no node could hold by the rules
/// of its own pods has none.
///
/// `wishful`: whether a kind's preferences over single nodes are kept as if they were required. `allowed`: whether
/// what is one part is known to be legal on a node, whatever a spread over single nodes says.
pub(crate) fn classes_of<S: std::borrow::Borrow<Bits>>(
    whole: &Compiled,
    wishful: &dyn Fn(KindId) -> bool,
    parts: &[Batch<S>],
    allowed: bool,
) -> (Compiled, Vec<Option<ClassId>>) {
    let mut rows = Rows::default();
    let mut classes: IdVec<ClassId, Class> = IdVec::new();
    let numbered = parts.iter().map(|part| {
        let mut class = together(whole, &part.kinds)?;
        class.count = part.count;
        class.row = rows.number(part.sites.borrow());
        Some(classes.push(class))
    });
    let numbered: Vec<Option<ClassId>> = numbered.collect();
    let maker = Maker {
        compiled: whole,
        wishful,
        needed: affinity::needed(&whole.topology, &whole.kinds),
        allowed,
    };
    let of_kind = classes_of_kinds(whole, &classes);
    maker.keep_apart(&mut classes, &of_kind);
    let caps = maker.limit(&mut classes, &of_kind);
    (whole.with_classes(classes, rows.rows, caps), numbered)
}

/// What pods that share a node ask for together; nothing where they can't.
pub(super) fn together(compiled: &Compiled, parts: &[(KindId, u32)]) -> Option<Class> {
    let ((first, count), others) = parts.split_first()?;
    let mut sum = times(compiled, *first, *count)?;
    for (kind, count) in others {
        let more = times(compiled, *kind, *count)?;
        if sum.ports.takes.overlaps(&more.ports.blocks) {
            return None;
        }
        for (have, asked) in sum.request.iter_mut().zip(&more.request) {
            *have = have.saturating_add(*asked);
        }
        sum.ports.takes.or(&more.ports.takes);
        sum.ports.blocks.or(&more.ports.blocks);
        sum.shared.extend(more.shared);
        sum.per_node = sum.per_node.min(more.per_node);
        sum.priority = sum.priority.max(more.priority);
        sum.guest &= more.guest;
    }
    sum.shared.sort_unstable();
    sum.shared.dedup();
    sum.parts = parts.to_vec();
    Some(sum)
}

/// So many pods of a kind as one; nothing where one node can't hold them by its own rules.
fn times(compiled: &Compiled, kind: KindId, count: u32) -> Option<Class> {
    let mut class = compiled.classes[ClassId::from_index(kind.index())].clone();
    class.per_node = class.per_node.checked_div(count)?;
    for asked in &mut class.request {
        *asked = asked.checked_mul(i64::from(count))?;
    }
    (class.per_node > 0).then_some(class)
}

/// What is looked at when rules about single nodes are worked out.
struct Maker<'a> {
    compiled: &'a Compiled,
    wishful: &'a dyn Fn(KindId) -> bool,
    /// For each kind, whether another's affinity needs it.
    needed: IdVec<KindId, bool>,
    /// Whether what is one class is known to be legal on a node.
    allowed: bool,
}

impl Maker<'_> {
    /// Says which classes may not share a node.
    fn keep_apart(&self, classes: &mut IdVec<ClassId, Class>, of_kind: &OfKind) {
        let mut pairs: BTreeSet<(KindId, KindId)> = BTreeSet::new();
        for (kind, rules) in
            self.compiled.topology.rules.iter().filter(|(kind, _)| (self.wishful)(*kind))
        {
            for (_, term) in rules.wish_far.iter().filter(|(_, term)| term.over == Over::Host) {
                for other in &self.compiled.topology.selections[term.selection].kinds {
                    let _new = pairs.insert((kind, *other));
                    let _new = pairs.insert((*other, kind));
                }
            }
        }
        let wished = |kind: KindId| {
            pairs.range((kind, KindId::from_index(0))..).take_while(move |(of, _)| *of == kind)
        };
        let ids: Vec<ClassId> = classes.ids().collect();
        for id in ids {
            let class = &classes[id];
            let foes = class.parts.iter().flat_map(|(kind, _)| {
                let fixed = self.compiled.kinds[*kind].apart.iter();
                fixed.chain(wished(*kind).map(|(_, other)| other))
            });
            let conflicts = foes.flat_map(|foe| &of_kind[*foe]).map(|(class, _)| *class);
            let mut conflicts: Vec<ClassId> = conflicts.collect();
            conflicts.sort_unstable();
            conflicts.dedup();
            let alone = conflicts.binary_search(&id).is_ok();
            conflicts.retain(|other| *other != id);
            // What is one class already was allowed to be; only its copies stay apart.
            let class = &mut classes[id];
            if alone {
                class.per_node = 1;
            }
            class.conflicts = conflicts;
        }
    }

    /// Turns spreads over single nodes into caps.
    fn limit(&self, classes: &mut IdVec<ClassId, Class>, of_kind: &OfKind) -> IdVec<CapId, Cap> {
        let mut groups: BTreeMap<(SelectionId, i64), Vec<&Spread>> = BTreeMap::new();
        for (kind, rules) in self.compiled.topology.rules.iter() {
            let wishful = (self.wishful)(kind);
            let over_hosts = rules
                .spreads
                .iter()
                .filter(|spread| spread.over == Over::Host && (spread.hard || wishful));
            for spread in over_hosts {
                groups.entry((spread.selection, spread.max_skew)).or_default().push(spread);
            }
        }
        let mut caps = IdVec::new();
        for ((selection, max_skew), spreads) in groups {
            let selected = &self.compiled.topology.selections[selection];
            let mut counts: BTreeMap<ClassId, u32> = BTreeMap::new();
            for kind in selected.kinds.iter().filter(|kind| self.is_early(**kind)) {
                for (class, count) in &of_kind[*kind] {
                    *counts.entry(*class).or_insert(0) += count;
                }
            }
            let concerned: Vec<(ClassId, u32)> = counts.into_iter().collect();
            let most = u32::try_from(max_skew).unwrap_or(u32::MAX);
            let concerned = self.set_apart(classes, concerned, most);
            if let [(only, each)] = concerned[..]
                && selected.bound.is_empty()
            {
                let class = &mut classes[only];
                class.per_node = class.per_node.min(most / each.max(1));
                continue;
            }
            let mut counted = self.compiled.usable.emptied();
            spreads.iter().for_each(|spread| counted.or(&spread.counted));
            let used = selected.bound.iter().copied();
            let used = used
                .filter(|(node, _)| counted.contains(self.compiled.site_of_node(*node)))
                .collect();
            let mut members = Bits::none(classes.len());
            concerned.iter().for_each(|(class, _)| members.insert(class.index()));
            let cap = caps.push(Cap { most, counted: members, used });
            for (id, count) in concerned {
                classes[id].per_node = classes[id].per_node.min(most / count);
                classes[id].caps.push((cap, count));
            }
        }
        caps
    }

    /// Of the classes that a cap counts those that keep within it; where one that doesn't is allowed all the
    /// same, none of the others may join it.
    fn set_apart(
        &self,
        classes: &mut IdVec<ClassId, Class>,
        concerned: Vec<(ClassId, u32)>,
        most: u32,
    ) -> Vec<(ClassId, u32)> {
        let (within, beyond): (Vec<_>, Vec<_>) =
            concerned.into_iter().partition(|(_, count)| *count <= most || !self.allowed);
        for (id, _) in &beyond {
            classes[*id].per_node = 1;
            for (other, _) in within.iter().chain(&beyond).filter(|(other, _)| other != id) {
                for (one, two) in [(*id, *other), (*other, *id)] {
                    if let Err(at) = classes[one].conflicts.binary_search(&two) {
                        classes[one].conflicts.insert(at, two);
                    }
                }
            }
        }
        within
    }

    /// Whether pods of a kind may have to be bound before some that a spread counts beside them: those
    /// without rules of their own that nobody needs come last, and count for nobody.
    fn is_early(&self, kind: KindId) -> bool {
        let rules = &self.compiled.topology.rules[kind];
        let wishful = (self.wishful)(kind);
        rules.near.is_some()
            || !rules.far.is_empty()
            || rules.spreads.iter().any(|spread| spread.hard || wishful)
            || wishful && !(rules.wish_near.is_empty() && rules.wish_far.is_empty())
            || !self.compiled.kinds[kind].sticky.is_empty()
            || self.needed[kind]
    }
}

/// For each kind, the classes that hold pods of it, with how many.
type OfKind = IdVec<KindId, Vec<(ClassId, u32)>>;

fn classes_of_kinds(whole: &Compiled, classes: &IdVec<ClassId, Class>) -> OfKind {
    let mut of_kind: OfKind = whole.kinds.iter().map(|_| Vec::new()).collect();
    for (id, class) in classes.iter() {
        for (kind, count) in &class.parts {
            of_kind[*kind].push((id, *count));
        }
    }
    of_kind
}
