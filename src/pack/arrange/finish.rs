//! From cells and drafts to classes: what the packer has to know of each part.

use super::{Arrangement, Arranger, Draft, Progress};
use crate::compile::{
    Bits, Cap, CapId, Class, ClassId, Id, IdVec, KindId, Over, Rows, SelectionId, Spread,
};
use std::collections::{BTreeMap, BTreeSet};

impl<'p> Arranger<'_, 'p> {
    /// Makes classes of what is arranged.
    pub(super) fn finish(mut self) -> Arrangement<'p> {
        let ids: Vec<KindId> = self.kinds.ids().collect();
        for kind in ids {
            self.draw_up(kind);
        }
        let drafts = std::mem::take(&mut self.drafts);
        let mut rows = Rows::default();
        let mut classes: IdVec<ClassId, Class> = IdVec::new();
        let mut firm: IdVec<ClassId, Vec<(KindId, usize)>> = IdVec::new();
        for Draft { parts, count, sites, firm: counted } in drafts {
            let Some(mut class) = self.together(&parts) else { continue };
            let _id = firm.push(counted);
            class.count = count;
            class.row = rows.number(&sites);
            let _id = classes.push(class);
        }
        let of_kind = classes_of_kinds(&self.kinds, &classes);
        self.keep_apart(&mut classes, &of_kind);
        let caps = self.limit(&mut classes, &of_kind);
        let choices = self
            .kinds
            .iter()
            .filter(|(_, progress)| progress.ruled && progress.cells.len() > 1)
            .map(|(kind, progress)| (kind, progress.cells.len()))
            .collect();
        let ruled = self.kinds.iter().filter(|(_, progress)| progress.ruled);
        let (mut foreign, mut launchable) = (Vec::new(), Vec::new());
        for (kind, _) in ruled {
            for (domain, offers, open) in self.counted_domains(kind) {
                let list = if open { &mut launchable } else { &mut foreign };
                list.push((domain, offers));
            }
        }
        Arrangement {
            foreign,
            launchable,
            compiled: self.compiled.with_classes(classes, rows.rows, caps),
            out: self.out,
            choices,
            firm,
        }
    }

    /// Drafts for the pods of a kind that aren't in one yet.
    fn draw_up(&mut self, kind: KindId) {
        if !self.kinds[kind].done {
            self.shun(kind);
        }
        // Others count on pods in cells: those that were placed one by one, and those that were called.
        let firm = !self.kinds[kind].ruled || self.needed[kind] || self.steps(kind);
        for cell in 0..self.kinds[kind].cells.len() {
            let count = std::mem::take(&mut self.kinds[kind].pinned[cell]);
            if count > 0 {
                let sites = self.kinds[kind].cells[cell].best.clone();
                let firm = if firm { vec![(kind, cell)] } else { Vec::new() };
                self.drafts.push(Draft { parts: vec![(kind, 1)], count, sites, firm });
            }
        }
        let count = std::mem::take(&mut self.kinds[kind].loose);
        if count > 0 {
            let sites = self.loose_sites(kind);
            self.drafts.push(Draft { parts: vec![(kind, 1)], count, sites, firm: Vec::new() });
        }
    }

    /// Says which classes may not share a node.
    fn keep_apart(&self, classes: &mut IdVec<ClassId, Class>, of_kind: &OfKind) {
        let mut pairs: BTreeSet<(KindId, KindId)> = BTreeSet::new();
        for (kind, rules) in self.topology.rules.iter().filter(|(kind, _)| self.is_wishful(*kind)) {
            for (_, term) in rules.wish_far.iter().filter(|(_, term)| term.over == Over::Host) {
                for other in &self.topology.selections[term.selection].kinds {
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
        for (kind, rules) in self.topology.rules.iter() {
            let wishful = self.is_wishful(kind);
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
            let selected = &self.topology.selections[selection];
            let mut counts: BTreeMap<ClassId, u32> = BTreeMap::new();
            for kind in selected.kinds.iter().filter(|kind| self.is_early(**kind)) {
                for (class, count) in &of_kind[*kind] {
                    *counts.entry(*class).or_insert(0) += count;
                }
            }
            let concerned: Vec<(ClassId, u32)> = counts.into_iter().collect();
            let most = u32::try_from(max_skew).unwrap_or(u32::MAX);
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

    /// Whether pods of a kind may have to be bound before some that a spread counts beside them: those
    /// without rules of their own that nobody needs come last, and count for nobody.
    fn is_early(&self, kind: KindId) -> bool {
        let rules = &self.topology.rules[kind];
        let wishful = self.is_wishful(kind);
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

fn classes_of_kinds(kinds: &IdVec<KindId, Progress>, classes: &IdVec<ClassId, Class>) -> OfKind {
    let mut of_kind: OfKind = kinds.iter().map(|_| Vec::new()).collect();
    for (id, class) in classes.iter() {
        for (kind, count) in &class.parts {
            of_kind[*kind].push((id, *count));
        }
    }
    of_kind
}
