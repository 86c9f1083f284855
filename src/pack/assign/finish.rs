//! From cells and drafts to items: what the packer has to know of each part.
//!
//! Classes that were tied to cells become one item for each cell; those that kept a choice one item
//! that may use all allowed cells, so that the packer decides by price. What others count on is
//! noted with each item: if the packer has no room for it, others were judged by a count that isn't
//! true.

use super::batch::{Batch, items_of};
use super::{DomainAssigner, DomainAssignment, ItemDraft};
use crate::compile::{Bits, ClassId};

impl DomainAssigner<'_> {
    /// Makes items of what is assigned.
    pub(super) fn finish(mut self) -> DomainAssignment {
        let ids: Vec<ClassId> = self.classes.ids().collect();
        for class in ids {
            self.draw_up(class);
        }
        let drafts = std::mem::take(&mut self.drafts);
        let parts = drafts.iter().map(|draft| Batch {
            classes: draft.parts.clone(),
            count: draft.count,
            sites: &*draft.sites,
        });
        let parts: Vec<Batch<&Bits>> = parts.collect();
        let restrictions = self.restrictions;
        let (compiled, numbered) =
            items_of(self.compiled, &|class| restrictions.preferring[class], &parts, false);
        let made = drafts.iter().zip(numbered).filter(|(_, item)| item.is_some());
        let committed = made.map(|(draft, _)| draft.committed.clone()).collect();
        let choices = self
            .classes
            .iter()
            .filter(|(_, progress)| progress.ruled && progress.cells.len() > 1)
            .map(|(class, progress)| (class, progress.cells.len()))
            .collect();
        let ruled = self.classes.iter().filter(|(_, progress)| progress.ruled);
        let (mut spread_domains, mut launchable) = (Vec::new(), Vec::new());
        for (class, _) in ruled {
            for (domain, offers, open) in self.counted_domains(class) {
                let list = if open { &mut launchable } else { &mut spread_domains };
                list.push((domain, offers));
            }
        }
        DomainAssignment { spread_domains, launchable, compiled, out: self.out, choices, committed }
    }

    /// Drafts for the pods of a class that aren't in one yet.
    ///
    /// Classes without rules are drawn up last, when it is known which domains conflicting classes
    /// took.
    fn draw_up(&mut self, class: ClassId) {
        if !self.classes[class].done {
            self.exclude_occupied(class);
        }
        // Others count on pods in cells: those that were placed one by one, and those that were
        // called.
        let committed = !self.classes[class].ruled || self.needed[class] || self.steps(class);
        self.draft_by_cell(class, committed);
    }

    /// Makes drafts of all pods of a class that no draft has yet: one for each cell, in which
    /// others count on them where they are `committed`, and one for those without a cell.
    pub(super) fn draft_by_cell(&mut self, class: ClassId, committed: bool) {
        for cell in 0..self.classes[class].cells.len() {
            let count = std::mem::take(&mut self.classes[class].assigned[cell]);
            if count > 0 {
                let sites = self.classes[class].cells[cell].best.clone();
                let committed = if committed { vec![(class, cell)] } else { Vec::new() };
                self.drafts.push(ItemDraft { parts: vec![(class, 1)], count, sites, committed });
            }
        }
        let count = std::mem::take(&mut self.classes[class].unassigned);
        if count > 0 {
            let sites = self.unassigned_sites(class);
            self.drafts.push(ItemDraft {
                parts: vec![(class, 1)],
                count,
                sites,
                committed: Vec::new(),
            });
        }
    }
}
