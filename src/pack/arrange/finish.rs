//! From cells and drafts to classes: what the packer has to know of each part.

use super::batch::{Batch, classes_of};
use super::{Arrangement, Arranger, Draft};
use crate::compile::{Bits, KindId};

impl Arranger<'_> {
    /// Makes classes of what is arranged.
    pub(super) fn finish(mut self) -> Arrangement {
        let ids: Vec<KindId> = self.kinds.ids().collect();
        for kind in ids {
            self.draw_up(kind);
        }
        let drafts = std::mem::take(&mut self.drafts);
        let parts = drafts.iter().map(|draft| Batch {
            kinds: draft.parts.clone(),
            count: draft.count,
            sites: &*draft.sites,
        });
        let parts: Vec<Batch<&Bits>> = parts.collect();
        let restrictions = self.restrictions;
        let (compiled, numbered) =
            classes_of(self.compiled, &|kind| restrictions.wishful[kind], &parts, false);
        let made = drafts.iter().zip(numbered).filter(|(_, class)| class.is_some());
        let firm = made.map(|(draft, _)| draft.firm.clone()).collect();
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
        Arrangement { foreign, launchable, compiled, out: self.out, choices, firm }
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
}
