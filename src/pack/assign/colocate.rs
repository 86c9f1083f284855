//! Affinity over single nodes: pods that must share a node become one item.
//!
//! A pod that needs another on its node can go where one is bound already, or beside a pending one:
//! then the two are packed as one thing, as heavy as both. Those who need each other and have
//! nobody bound all go to one node, as many as it holds, since the first of them decides for the
//! others.
//!
//! A follower that gets a cell settles that of its hosts too, and they are bound before it: its
//! spreads judge it with them in place. Where that leaves followers out, further hosts are bound
//! first in the domains that its spreads find lowest, as long as that lets more of the followers
//! in.
//!
//! *Cost.* Drafts × followers, each with a look at the cells of both; what has no rule over keys
//! goes to all copies of a draft alike, in one step.

use super::cell::most_on_any;
use super::spread::Companions;
use super::{ClassId, DomainAssigner, DomainCell, ItemDraft};
use crate::compile::{Bits, Item, RequiredAffinity, TopologyKey};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most drafts that followers are given to one by one.
const MAX_DRAFTS: usize = 4096;
/// The most pods that get cells at once so that others can follow them.
const MAX_EVENED: u32 = 4096;
/// How often followers are given to drafts again, since others' cells were settled.
const MAX_PASSES: u32 = 64;

/// Classes, each with one of its cells.
type ClassCells = Vec<(ClassId, usize)>;

impl DomainAssigner<'_> {
    /// Gives the pods of a class nodes that they share with those that they need.
    ///
    /// In four steps: beside bound pods; beside drafted ones, evenly; again as long as settled
    /// cells let more in; and the rest, if they may be each other's company, as groups of their
    /// own.
    pub(super) fn colocate(&mut self, class: ClassId, affinity: &RequiredAffinity) {
        if !self.topology.selections[affinity.selection].bound.is_empty() {
            self.join_bound(class, affinity);
        }
        self.assign_colocated(affinity, class);
        self.colocate_drafts(class, affinity, true);
        // What its spreads allow changes as domains fill up.
        let mut progress = self.steps(class);
        for _ in 0..MAX_PASSES {
            let before = self.classes[class].unassigned;
            if before == 0 || !progress && !self.even_colocated(class, affinity) {
                break;
            }
            self.colocate_drafts(class, affinity, false);
            progress = self.classes[class].unassigned < before;
        }
        if self.classes[class].unassigned > 0
            && self.topology.selects(affinity.selection, class)
            && !self.is_anywhere(class, affinity)
        {
            self.seed_group(class);
        }
        let left = self.classes[class].unassigned;
        if left > 0 {
            self.leave_out(class, left, true);
        }
    }

    /// Pods that go to running nodes where what they need is bound.
    ///
    /// As many as those nodes could hold if nothing else came there; whether they do shows when
    /// they are packed.
    fn join_bound(&mut self, class: ClassId, affinity: &RequiredAffinity) {
        let mut sites = self.eligible_sites(class).clone();
        sites.and(&self.nodes_with(affinity.selection));
        for topology_key in &affinity.key {
            let TopologyKey::Label(key) = topology_key else { continue };
            let bound = self.bound(affinity.selection, *key, None);
            for (domain, count) in self.topology.keys[*key].domains.iter().zip(bound) {
                if count == 0 {
                    sites.and_not(domain);
                }
            }
        }
        let item = self.item(class);
        let room = sites.iter().map(|site| self.compiled.room_at(site).takes(item, u32::MAX));
        let room = room.fold(0_u32, u32::saturating_add).min(self.classes[class].unassigned);
        self.place_within(class, room, &sites);
    }

    /// Places up to so many pods of a class on these sites, cell by cell where it has rules over
    /// keys.
    fn place_within(&mut self, class: ClassId, count: u32, sites: &Bits) {
        let rules = self.rules(class);
        let mut left = count;
        if self.classes[class].cells.is_empty() {
            if left > 0 {
                self.classes[class].unassigned -= left;
                let parts = vec![(class, 1)];
                self.drafts.push(ItemDraft {
                    parts,
                    count: left,
                    sites: Rc::new(sites.clone()),
                    committed: Vec::new(),
                });
            }
            return;
        }
        while left > 0 {
            let companions = Companions::Nobody;
            let Some(cell) = self.best_cell(class, &rules, Some(sites), companions) else { return };
            let mut within = sites.clone();
            within.and(&self.classes[class].cells[cell].sites);
            self.note(class, cell, 1);
            let same = self
                .drafts
                .iter_mut()
                .find(|draft| draft.parts == [(class, 1)] && *draft.sites == within);
            match same {
                Some(draft) => draft.count += 1,
                None => {
                    let (parts, committed) = (vec![(class, 1)], vec![(class, cell)]);
                    let sites = Rc::new(within);
                    self.drafts.push(ItemDraft { parts, count: 1, sites, committed });
                }
            }
            left -= 1;
        }
    }

    /// Counts pods of a class in a cell without keeping them there: a draft has them.
    fn note(&mut self, class: ClassId, cell: usize, count: u32) {
        self.classes[class].unassigned -= count;
        self.count(class, cell, count, None);
    }

    /// Makes drafts of the pods that a class may need on its node, so that it can join them.
    fn assign_colocated(&mut self, affinity: &RequiredAffinity, follower: ClassId) {
        let classes = self.topology.selections[affinity.selection].classes.clone();
        for class in classes.into_iter().filter(|class| *class != follower) {
            let target = &self.classes[class];
            if target.ruled && !target.done {
                continue;
            }
            self.draft_by_cell(class, true);
        }
    }

    /// Adds pods of a class to drafts that hold what it needs: evenly, or as many as each takes.
    ///
    /// A draft of many copies is split when only some get followers; each part goes on as a draft
    /// of its own.
    fn colocate_drafts(&mut self, class: ClassId, affinity: &RequiredAffinity, evenly: bool) {
        let mut hosts: Vec<usize> = (0..self.drafts.len())
            .filter(|at| {
                self.drafts[*at]
                    .parts
                    .iter()
                    .any(|(of, _)| self.topology.selects(affinity.selection, *of))
            })
            .collect();
        hosts.truncate(MAX_DRAFTS);
        let mut copies: u32 = hosts.iter().map(|at| self.drafts[*at].count).sum();
        for at in hosts {
            let mut count = self.drafts[at].count;
            while count > 0 && self.classes[class].unassigned > 0 && copies > 0 {
                let each = self.classes[class].unassigned.div_ceil(if evenly { copies } else { 1 });
                let Some((joined, sites, cells)) = self.fit_in(class, at, each) else { break };
                // Followers over keys change the counts with each node; others go to all nodes
                // alike.
                let steps = self.steps(class);
                let times = if steps {
                    1
                } else {
                    (self.classes[class].unassigned / joined).clamp(1, count)
                };
                let mut parts = self.drafts[at].parts.clone();
                match parts.iter_mut().find(|(of, _)| *of == class) {
                    Some((_, held)) => *held += joined,
                    None => parts.push((class, joined)),
                }
                parts.sort_unstable();
                let mut committed = self.drafts[at].committed.clone();
                self.classes[class].unassigned -= joined * times;
                // Where the follower has a cell, those that had none have one now and count as
                // well.
                for (of, cell) in cells {
                    let here = parts.iter().find(|(part, _)| *part == of);
                    let each = if of == class { joined } else { here.map_or(0, |(_, each)| *each) };
                    self.count(of, cell, each * times, Some(&sites));
                    if !committed.contains(&(of, cell)) {
                        committed.push((of, cell));
                    }
                }
                self.drafts.push(ItemDraft {
                    parts,
                    count: times,
                    sites: Rc::new(sites),
                    committed,
                });
                count -= times;
                copies -= times;
                self.drafts[at].count = count;
            }
            copies = copies.saturating_sub(count);
        }
        self.drafts.retain(|draft| draft.count > 0);
    }

    /// Gives cells to half of those that a class needs and that have none, where a spread of the
    /// class counts least: with them in place first it may be kept where it can't be with each as
    /// its company. Whether there are any.
    ///
    /// Half at a time, so that the other half stays free to go where followers need it next.
    fn even_colocated(&mut self, class: ClassId, affinity: &RequiredAffinity) -> bool {
        let rules = self.rules(class);
        for at in 0..self.drafts.len() {
            let draft = &self.drafts[at];
            let [(host, 1)] = draft.parts[..] else { continue };
            if host == class
                || !self.topology.selects(affinity.selection, host)
                || self.unsettled(draft).is_empty()
            {
                continue;
            }
            let (sites, half) = (draft.sites.clone(), draft.count.div_ceil(2).min(MAX_EVENED));
            let mut settled: BTreeMap<usize, (u32, Bits)> = BTreeMap::new();
            for _ in 0..half {
                let Some(cell) = self.lowest_cell(host, &rules, &sites) else { break };
                let mut within = (*sites).clone();
                within.and(&self.classes[host].cells[cell].sites);
                self.count(host, cell, 1, Some(&within));
                settled.entry(cell).or_insert((0, within)).0 += 1;
            }
            if settled.is_empty() {
                continue;
            }
            for (cell, (count, sites)) in settled {
                self.drafts[at].count -= count;
                let (parts, committed) = (vec![(host, 1)], vec![(host, cell)]);
                self.drafts.push(ItemDraft { parts, count, sites: Rc::new(sites), committed });
            }
            self.drafts.retain(|draft| draft.count > 0);
            return true;
        }
        false
    }

    /// The parts of a draft that have cells of which none is settled.
    fn unsettled(&self, draft: &ItemDraft) -> Vec<(ClassId, u32)> {
        let is_settled = |class: ClassId| draft.committed.iter().any(|(of, _)| *of == class);
        let open = |(class, _): &&(ClassId, u32)| {
            !self.classes[*class].cells.is_empty() && !is_settled(*class)
        };
        draft.parts.iter().filter(open).copied().collect()
    }

    /// How many pods of a class a draft can take in each of its nodes, on which sites, and the
    /// cells that are settled by this: the class's own, and those of the others that had none.
    fn fit_in(&self, class: ClassId, at: usize, wanted: u32) -> Option<(u32, Bits, ClassCells)> {
        let draft = &self.drafts[at];
        let held = draft.parts.iter().find(|(of, _)| *of == class).map_or(0, |(_, count)| *count);
        let host_conflicts = &self.compiled.classes[class].host_conflicts;
        if draft.parts.iter().any(|(of, _)| host_conflicts.binary_search(of).is_ok()) {
            return None;
        }
        let mut sites = (*draft.sites).clone();
        sites.and(self.eligible_sites(class));
        let rules = self.rules(class);
        let mut most = wanted.min(self.classes[class].unassigned);
        let mut cells = ClassCells::new();
        if !self.classes[class].cells.is_empty() {
            let unsettled = self.unsettled(draft);
            let companions = Companions::Shared(&unsettled);
            let best = self.best_cell(class, &rules, Some(&sites), companions)?;
            sites.and(&self.classes[class].cells[best].sites);
            most = most.min(self.legal_run(class, best, most, companions));
            cells.push((class, best));
            for (other, _) in unsettled {
                let (item, theirs) = (self.item(other), &self.classes[other].cells);
                let within = |cell: &DomainCell| {
                    let mut within = sites.clone();
                    within.and(&cell.sites);
                    within
                };
                let mut numbered = theirs.iter().enumerate();
                let (at, cell) = numbered.find(|(at, cell)| {
                    self.is_below_learnt_capacity(other, *at)
                        && most_on_any(self, item, &within(cell), 1) > 0
                })?;
                sites = within(cell);
                cells.push((other, at));
            }
        }
        most = most.min(self.cap(class).saturating_sub(held));
        while most > 0 {
            let mut parts = draft.parts.clone();
            match parts.iter_mut().find(|(of, _)| *of == class) {
                Some((_, held)) => *held += most,
                None => parts.push((class, most)),
            }
            let together = self.together(&parts)?;
            if most_on_any(self, &together, &sites, 1) > 0 {
                return Some((most, sites, cells));
            }
            most /= 2;
        }
        None
    }

    /// How many pods of a class one node may hold by its own spreads over single nodes.
    fn cap(&self, class: ClassId) -> u32 {
        let rules = &self.topology.rules[class].spreads;
        let hosts = rules.iter().filter(|spread| {
            spread.key == TopologyKey::Hostname
                && (spread.hard || self.is_preferring(class))
                && self.topology.selects(spread.selection, class)
        });
        let skew = hosts.map(|spread| u32::try_from(spread.max_skew).unwrap_or(u32::MAX)).min();
        let bundle = self.restrictions.bundles.get(&class).copied().unwrap_or(u32::MAX);
        skew.unwrap_or(u32::MAX).min(self.item(class).per_node).min(bundle)
    }

    /// How many pods of a class in a row a cell may take after their company, up to `most`.
    fn legal_run(&self, class: ClassId, cell: usize, most: u32, companions: Companions<'_>) -> u32 {
        let rules = self.rules(class);
        let runs = rules.spreads.iter().filter(|spread| spread.hard).map(|spread| {
            let domain = self.classes[class].cells[cell].domain(spread.key);
            let companions = self.extra(class, cell, spread, companions);
            spread.run(self.domain_counts(spread), domain, companions).min(i64::from(most))
        });
        let alone = if rules.alone.is_empty() { i64::MAX } else { 1 };
        let run = runs.min().unwrap_or(i64::from(most)).min(alone);
        u32::try_from(run.max(0)).unwrap_or(0)
    }

    /// All pods of a class that need each other on one node, as many as it holds.
    fn seed_group(&mut self, class: ClassId) {
        let item = self.item(class);
        let wanted = self.classes[class].unassigned.min(self.cap(class));
        let eligible = Rc::new(self.eligible_sites(class).clone());
        let options: Vec<(Option<usize>, Rc<Bits>, u32)> = if self.classes[class].cells.is_empty() {
            if !self.classes[class].keys.is_empty() {
                return;
            }
            vec![(None, self.best_sites(class, &eligible).0, wanted)]
        } else {
            let cells = self.classes[class].cells.iter().enumerate();
            cells
                .filter(|(at, _)| {
                    self.classes[class].allowed[*at] && self.is_below_learnt_capacity(class, *at)
                })
                .map(|(at, cell)| {
                    let legal = self.legal_run(class, at, wanted, Companions::Nobody);
                    (Some(at), cell.best.clone(), legal)
                })
                .collect()
        };
        let held = options.into_iter().map(|(cell, sites, legal)| {
            let held = most_on_any(self, item, &sites, legal.min(wanted));
            (held.min(legal), cell, sites)
        });
        let best = held.min_by_key(|(held, cell, _)| {
            let cell = cell.map(|at| {
                let hinted = self.restrictions.hints.get(&class) == Some(&at);
                (!hinted, self.classes[class].cells[at].cost, at)
            });
            (std::cmp::Reverse(*held), cell)
        });
        let Some((held, cell, sites)) = best.filter(|(held, _, _)| *held > 0) else { return };
        let mut committed = Vec::new();
        match cell {
            Some(cell) => {
                self.note(class, cell, held);
                committed.push((class, cell));
            }
            None => self.classes[class].unassigned -= held,
        }
        self.drafts.push(ItemDraft { parts: vec![(class, held)], count: 1, sites, committed });
    }

    /// The sites that loose pods of a class may use.
    pub(super) fn unassigned_sites(&self, class: ClassId) -> Rc<Bits> {
        let eligible = self.eligible_sites(class);
        let progress = &self.classes[class];
        if progress.allowed.iter().all(|allowed| *allowed) {
            return self.best_sites(class, &Rc::new(eligible.clone())).0;
        }
        let mut sites = eligible.emptied();
        let open = progress.cells.iter().zip(&progress.allowed).filter(|(_, allowed)| **allowed);
        open.for_each(|(cell, _)| sites.or(&cell.sites));
        self.best_sites(class, &Rc::new(sites)).0
    }

    /// What pods that share a node ask for together; nothing where they can't.
    pub(super) fn together(&self, parts: &[(ClassId, u32)]) -> Option<Item> {
        super::batch::together(self.compiled, parts)
    }
}
