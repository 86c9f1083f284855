//! An arrangement made from given parts: so many pods of which kind may use which sites.
//!
//! Whoever has decided the domains of pods in another way than the arranger (an enumeration, a local
//! search) hands its decision to the packer through here. What the packer has to know of each part is
//! worked out as for the arranger's own classes: which of them may not share a node, and how many of
//! some pods a node may hold.

use super::{Arrangement, Out};
use crate::compile::{
    Bits, Cap, CapId, Class, ClassId, Compiled, Id, IdVec, KindId, NodeId, Over, Rows, SelectionId,
    Spread,
};
use crate::pack::Context;
use std::collections::BTreeMap;

/// Pods of one kind that may use the same sites.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) kind: KindId,
    pub(crate) count: u32,
    /// Where they may go: at most the sites of the kind.
    pub(crate) sites: Bits,
}

/// How many pods of which parts a node holds, by their places in the list; of a running one, which it is.
pub(crate) type Held = (Option<NodeId>, Vec<(usize, u32)>);

impl Arrangement {
    /// The arrangement of which each part is a class, in this order. `out`: the pods of each kind that
    /// have no part; `held`: nodes that are known to be legal whatever a cap says, such as those of a
    /// plan of which an order of binding is known: no cap is lower than what they hold.
    pub(crate) fn from_parts(
        context: &Context<'_>,
        parts: &[Part],
        out: BTreeMap<KindId, Out>,
        held: &[Held],
    ) -> Self {
        let compiled = context.compiled;
        let mut rows = Rows::default();
        let mut classes: IdVec<ClassId, Class> = IdVec::new();
        let mut of_kind: BTreeMap<KindId, Vec<ClassId>> = BTreeMap::new();
        for part in parts {
            let class = &compiled.classes[ClassId::from_index(part.kind.index())];
            let row = rows.number(&part.sites);
            let id = classes.push(Class { count: part.count, row, ..class.clone() });
            of_kind.entry(part.kind).or_default().push(id);
        }
        keep_apart(compiled, &mut classes, &of_kind);
        let caps = limit(context, &mut classes, &of_kind, held);
        Self {
            firm: parts.iter().map(|_| Vec::new()).collect(),
            compiled: compiled.with_classes(classes, rows.rows, caps),
            out,
            choices: BTreeMap::new(),
            foreign: Vec::new(),
            launchable: Vec::new(),
        }
    }
}

/// Says which classes may not share a node.
fn keep_apart(
    compiled: &Compiled,
    classes: &mut IdVec<ClassId, Class>,
    of_kind: &BTreeMap<KindId, Vec<ClassId>>,
) {
    for (kind, own) in of_kind {
        let apart = compiled.kinds[*kind].apart.iter();
        let others = apart.flat_map(|other| of_kind.get(other).into_iter().flatten()).copied();
        let mut others: Vec<ClassId> = others.collect();
        others.sort_unstable();
        for id in own {
            classes[*id].conflicts = others.iter().copied().filter(|other| other != id).collect();
        }
    }
}

/// Turns required spreads over single nodes into caps.
fn limit(
    context: &Context<'_>,
    classes: &mut IdVec<ClassId, Class>,
    of_kind: &BTreeMap<KindId, Vec<ClassId>>,
    held: &[Held],
) -> IdVec<CapId, Cap> {
    let compiled = context.compiled;
    let mut groups: BTreeMap<(SelectionId, i64), Vec<&Spread>> = BTreeMap::new();
    for kind in of_kind.keys() {
        let spreads = compiled.topology.rules[*kind].spreads.iter();
        for spread in spreads.filter(|spread| spread.hard && spread.over == Over::Host) {
            groups.entry((spread.selection, spread.max_skew)).or_default().push(spread);
        }
    }
    let mut caps = IdVec::new();
    for ((selection, max_skew), spreads) in groups {
        let selected = &compiled.topology.selections[selection];
        let members = selected.kinds.iter().filter_map(|kind| of_kind.get(kind)).flatten();
        let mut counted = Bits::none(classes.len());
        members.for_each(|id| counted.insert(id.index()));
        let mut sites = compiled.usable.emptied();
        spreads.iter().for_each(|spread| sites.or(&spread.counted));
        let used = selected.bound.iter().copied();
        let used: Vec<(NodeId, u32)> =
            used.filter(|(node, _)| sites.contains(compiled.site_of_node(*node))).collect();
        let on_node = |(node, parts): &Held| -> u32 {
            let of_cap = parts.iter().filter(|(part, _)| counted.contains(*part));
            let bound = used.iter().filter(|(of, _)| Some(*of) == *node);
            of_cap.map(|(_, count)| count).sum::<u32>() + bound.map(|(_, count)| count).sum::<u32>()
        };
        let most = u32::try_from(max_skew).unwrap_or(u32::MAX);
        let most = held.iter().map(on_node).fold(most, u32::max);
        let cap = caps.push(Cap { most, counted: counted.clone(), used });
        for id in counted.iter().map(ClassId::from_index) {
            classes[id].per_node = classes[id].per_node.min(most);
            classes[id].caps.push((cap, 1));
        }
    }
    caps
}
