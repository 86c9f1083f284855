//! Affinity over single nodes: pods that must share a node become one class.
//!
//! A pod that needs another on its node can go where one is bound already, or beside a pending one:
//! then the two are packed as one thing, as heavy as both. Those who need each other and have nobody
//! bound all go to one node, as many as it holds, since the first of them decides for the others.
//!
//! A follower that gets a cell settles that of its hosts too, and they are bound before it: its spreads
//! judge it with them in place. Where that leaves followers out, further hosts are bound first in the
//! domains that its spreads find lowest, as long as that lets more of the followers in.

use super::cell::most_on_any;
use super::spread::Company;
use super::{Arranger, Cell, Draft, KindId};
use crate::compile::{Bits, Class, Id, Near, NodeId, Over};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most drafts that followers are given to one by one.
const MAX_DRAFTS: usize = 4096;
/// The most pods that get cells at once so that others can follow them.
const MAX_EVENED: u32 = 4096;
/// How often followers are given to drafts again, since others' cells were settled.
const MAX_PASSES: u32 = 64;

/// Kinds, each with one of its cells.
type Settled = Vec<(KindId, usize)>;

impl Arranger<'_> {
    /// Gives the pods of a kind nodes that they share with those that they need.
    pub(super) fn share_nodes(&mut self, kind: KindId, near: &Near) {
        if !self.topology.selections[near.selection].bound.is_empty() {
            self.join_bound(kind, near);
        }
        self.tie_down(near, kind);
        self.join_drafts(kind, near, true);
        // What its spreads allow changes as domains fill up.
        let mut progress = self.steps(kind);
        for _ in 0..MAX_PASSES {
            let before = self.kinds[kind].loose;
            if before == 0 || !progress && !self.even_out(kind, near) {
                break;
            }
            self.join_drafts(kind, near, false);
            progress = self.kinds[kind].loose < before;
        }
        if self.kinds[kind].loose > 0
            && self.topology.selects(near.selection, kind)
            && !self.is_anywhere(kind, near)
        {
            self.found(kind);
        }
        let left = self.kinds[kind].loose;
        if left > 0 {
            self.leave_out(kind, left, true);
        }
    }

    /// Pods that go to running nodes where what they need is bound.
    fn join_bound(&mut self, kind: KindId, near: &Near) {
        let mut sites = self.row(kind).clone();
        sites.and(&self.nodes_with(near.selection));
        for over in &near.over {
            let Over::Key(key) = over else { continue };
            let bound = self.bound(near.selection, *key, None);
            for (domain, count) in self.topology.keys[*key].domains.iter().zip(bound) {
                if count == 0 {
                    sites.and_not(domain);
                }
            }
        }
        let class = self.class(kind);
        let room = sites.iter().map(|site| {
            let node = NodeId::from_index(site - self.compiled.offers.len());
            super::super::running::room(self.context, node).takes(class)
        });
        let room = room.fold(0_u32, u32::saturating_add).min(self.kinds[kind].loose);
        self.place_within(kind, room, &sites);
    }

    /// Places up to so many pods of a kind on these sites, cell by cell where it has rules over keys.
    fn place_within(&mut self, kind: KindId, count: u32, sites: &Bits) {
        let rules = self.rules(kind);
        let mut left = count;
        if self.kinds[kind].cells.is_empty() {
            if left > 0 {
                self.kinds[kind].loose -= left;
                let parts = vec![(kind, 1)];
                self.drafts.push(Draft {
                    parts,
                    count: left,
                    sites: Rc::new(sites.clone()),
                    firm: Vec::new(),
                });
            }
            return;
        }
        while left > 0 {
            let company = Company::Nobody;
            let Some(cell) = self.best_cell(kind, &rules, Some(sites), company) else { return };
            let mut within = sites.clone();
            within.and(&self.kinds[kind].cells[cell].sites);
            self.note(kind, cell, 1);
            let same = self
                .drafts
                .iter_mut()
                .find(|draft| draft.parts == [(kind, 1)] && *draft.sites == within);
            match same {
                Some(draft) => draft.count += 1,
                None => {
                    let (parts, firm) = (vec![(kind, 1)], vec![(kind, cell)]);
                    let sites = Rc::new(within);
                    self.drafts.push(Draft { parts, count: 1, sites, firm });
                }
            }
            left -= 1;
        }
    }

    /// Counts pods of a kind in a cell without keeping them there: a draft has them.
    fn note(&mut self, kind: KindId, cell: usize, count: u32) {
        self.kinds[kind].loose -= count;
        self.count(kind, cell, count, None);
    }

    /// Makes drafts of the pods that a kind may need on its node, so that it can join them.
    fn tie_down(&mut self, near: &Near, follower: KindId) {
        let kinds = self.topology.selections[near.selection].kinds.clone();
        for kind in kinds.into_iter().filter(|kind| *kind != follower) {
            let target = &self.kinds[kind];
            if target.ruled && !target.done {
                continue;
            }
            for cell in 0..target.cells.len() {
                let count = std::mem::take(&mut self.kinds[kind].pinned[cell]);
                if count > 0 {
                    let sites = self.kinds[kind].cells[cell].best.clone();
                    self.drafts.push(Draft {
                        parts: vec![(kind, 1)],
                        count,
                        sites,
                        firm: vec![(kind, cell)],
                    });
                }
            }
            let count = std::mem::take(&mut self.kinds[kind].loose);
            if count > 0 {
                let sites = self.loose_sites(kind);
                self.drafts.push(Draft { parts: vec![(kind, 1)], count, sites, firm: Vec::new() });
            }
        }
    }

    /// Adds pods of a kind to drafts that hold what it needs: evenly, or as many as each takes.
    fn join_drafts(&mut self, kind: KindId, near: &Near, evenly: bool) {
        let mut hosts: Vec<usize> = (0..self.drafts.len())
            .filter(|at| {
                self.drafts[*at]
                    .parts
                    .iter()
                    .any(|(of, _)| self.topology.selects(near.selection, *of))
            })
            .collect();
        hosts.truncate(MAX_DRAFTS);
        let mut copies: u32 = hosts.iter().map(|at| self.drafts[*at].count).sum();
        for at in hosts {
            let mut count = self.drafts[at].count;
            while count > 0 && self.kinds[kind].loose > 0 && copies > 0 {
                let each = self.kinds[kind].loose.div_ceil(if evenly { copies } else { 1 });
                let Some((joined, sites, cells)) = self.fit_in(kind, at, each) else { break };
                // Followers over keys change the counts with each node; others go to all nodes alike.
                let steps = self.steps(kind);
                let times =
                    if steps { 1 } else { (self.kinds[kind].loose / joined).clamp(1, count) };
                let mut parts = self.drafts[at].parts.clone();
                match parts.iter_mut().find(|(of, _)| *of == kind) {
                    Some((_, held)) => *held += joined,
                    None => parts.push((kind, joined)),
                }
                parts.sort_unstable();
                let mut firm = self.drafts[at].firm.clone();
                self.kinds[kind].loose -= joined * times;
                // Where the follower has a cell, those that had none have one now and count as well.
                for (of, cell) in cells {
                    let here = parts.iter().find(|(part, _)| *part == of);
                    let each = if of == kind { joined } else { here.map_or(0, |(_, each)| *each) };
                    self.count(of, cell, each * times, Some(&sites));
                    if !firm.contains(&(of, cell)) {
                        firm.push((of, cell));
                    }
                }
                self.drafts.push(Draft { parts, count: times, sites: Rc::new(sites), firm });
                count -= times;
                copies -= times;
                self.drafts[at].count = count;
            }
            copies = copies.saturating_sub(count);
        }
        self.drafts.retain(|draft| draft.count > 0);
    }

    /// Gives cells to half of those that a kind needs and that have none, where a spread of the kind
    /// counts least: with them in place first it may be kept where it can't be with each as its company.
    /// Whether there are any.
    fn even_out(&mut self, kind: KindId, near: &Near) -> bool {
        let rules = self.rules(kind);
        for at in 0..self.drafts.len() {
            let draft = &self.drafts[at];
            let [(host, 1)] = draft.parts[..] else { continue };
            if host == kind
                || !self.topology.selects(near.selection, host)
                || self.unsettled(draft).is_empty()
            {
                continue;
            }
            let (sites, half) = (draft.sites.clone(), draft.count.div_ceil(2).min(MAX_EVENED));
            let mut settled: BTreeMap<usize, (u32, Bits)> = BTreeMap::new();
            for _ in 0..half {
                let Some(cell) = self.lowest_cell(host, &rules, &sites) else { break };
                let mut within = (*sites).clone();
                within.and(&self.kinds[host].cells[cell].sites);
                self.count(host, cell, 1, Some(&within));
                settled.entry(cell).or_insert((0, within)).0 += 1;
            }
            if settled.is_empty() {
                continue;
            }
            for (cell, (count, sites)) in settled {
                self.drafts[at].count -= count;
                let (parts, firm) = (vec![(host, 1)], vec![(host, cell)]);
                self.drafts.push(Draft { parts, count, sites: Rc::new(sites), firm });
            }
            self.drafts.retain(|draft| draft.count > 0);
            return true;
        }
        false
    }

    /// The parts of a draft that have cells of which none is settled.
    fn unsettled(&self, draft: &Draft) -> Vec<(KindId, u32)> {
        let is_settled = |kind: KindId| draft.firm.iter().any(|(of, _)| *of == kind);
        let open =
            |(kind, _): &&(KindId, u32)| !self.kinds[*kind].cells.is_empty() && !is_settled(*kind);
        draft.parts.iter().filter(open).copied().collect()
    }

    /// How many pods of a kind a draft can take in each of its nodes, on which sites, and the cells that
    /// are settled by this: the kind's own, and those of the others that had none.
    fn fit_in(&self, kind: KindId, at: usize, wanted: u32) -> Option<(u32, Bits, Settled)> {
        let draft = &self.drafts[at];
        let held = draft.parts.iter().find(|(of, _)| *of == kind).map_or(0, |(_, count)| *count);
        let apart = &self.compiled.kinds[kind].apart;
        if draft.parts.iter().any(|(of, _)| apart.binary_search(of).is_ok()) {
            return None;
        }
        let mut sites = (*draft.sites).clone();
        sites.and(self.row(kind));
        let rules = self.rules(kind);
        let mut most = wanted.min(self.kinds[kind].loose);
        let mut cells = Settled::new();
        if !self.kinds[kind].cells.is_empty() {
            let unsettled = self.unsettled(draft);
            let company = Company::Shared(&unsettled);
            let best = self.best_cell(kind, &rules, Some(&sites), company)?;
            sites.and(&self.kinds[kind].cells[best].sites);
            most = most.min(self.legal_run(kind, best, most, company));
            cells.push((kind, best));
            for (other, _) in unsettled {
                let (class, theirs) = (self.class(other), &self.kinds[other].cells);
                let within = |cell: &Cell| {
                    let mut within = sites.clone();
                    within.and(&cell.sites);
                    within
                };
                let mut numbered = theirs.iter().enumerate();
                let (at, cell) = numbered.find(|(at, cell)| {
                    self.is_below_ceiling(other, *at)
                        && most_on_any(self, class, &within(cell), 1) > 0
                })?;
                sites = within(cell);
                cells.push((other, at));
            }
        }
        most = most.min(self.cap(kind).saturating_sub(held));
        while most > 0 {
            let mut parts = draft.parts.clone();
            match parts.iter_mut().find(|(of, _)| *of == kind) {
                Some((_, held)) => *held += most,
                None => parts.push((kind, most)),
            }
            let together = self.together(&parts)?;
            if most_on_any(self, &together, &sites, 1) > 0 {
                return Some((most, sites, cells));
            }
            most /= 2;
        }
        None
    }

    /// How many pods of a kind one node may hold by its own spreads over single nodes.
    fn cap(&self, kind: KindId) -> u32 {
        let rules = &self.topology.rules[kind].spreads;
        let hosts = rules.iter().filter(|spread| {
            spread.over == Over::Host
                && (spread.hard || self.is_wishful(kind))
                && self.topology.selects(spread.selection, kind)
        });
        let skew = hosts.map(|spread| u32::try_from(spread.max_skew).unwrap_or(u32::MAX)).min();
        let bundle = self.restrictions.bundles.get(&kind).copied().unwrap_or(u32::MAX);
        skew.unwrap_or(u32::MAX).min(self.class(kind).per_node).min(bundle)
    }

    /// How many pods of a kind in a row a cell may take after their company, up to `most`.
    fn legal_run(&self, kind: KindId, cell: usize, most: u32, company: Company<'_>) -> u32 {
        let rules = self.rules(kind);
        let runs = rules.levels.iter().filter(|level| level.hard).map(|level| {
            let domain = self.kinds[kind].cells[cell].domain(level.key);
            let company = self.extra(kind, cell, level, company);
            level.run(self.tally(level), domain, company).min(i64::from(most))
        });
        let alone = if rules.alone.is_empty() { i64::MAX } else { 1 };
        let run = runs.min().unwrap_or(i64::from(most)).min(alone);
        u32::try_from(run.max(0)).unwrap_or(0)
    }

    /// All pods of a kind that need each other on one node, as many as it holds.
    fn found(&mut self, kind: KindId) {
        let class = self.class(kind);
        let wanted = self.kinds[kind].loose.min(self.cap(kind));
        let row = Rc::new(self.row(kind).clone());
        let options: Vec<(Option<usize>, Rc<Bits>, u32)> = if self.kinds[kind].cells.is_empty() {
            if !self.kinds[kind].keys.is_empty() {
                return;
            }
            vec![(None, self.best_sites(kind, &row).0, wanted)]
        } else {
            let cells = self.kinds[kind].cells.iter().enumerate();
            cells
                .filter(|(at, _)| self.kinds[kind].allowed[*at] && self.is_below_ceiling(kind, *at))
                .map(|(at, cell)| {
                    let legal = self.legal_run(kind, at, wanted, Company::Nobody);
                    (Some(at), cell.best.clone(), legal)
                })
                .collect()
        };
        let held = options.into_iter().map(|(cell, sites, legal)| {
            let held = most_on_any(self, class, &sites, legal.min(wanted));
            (held.min(legal), cell, sites)
        });
        let best = held.min_by_key(|(held, cell, _)| {
            let cell = cell.map(|at| {
                let hinted = self.restrictions.hints.get(&kind) == Some(&at);
                (!hinted, self.kinds[kind].cells[at].cost, at)
            });
            (std::cmp::Reverse(*held), cell)
        });
        let Some((held, cell, sites)) = best.filter(|(held, _, _)| *held > 0) else { return };
        let mut firm = Vec::new();
        match cell {
            Some(cell) => {
                self.note(kind, cell, held);
                firm.push((kind, cell));
            }
            None => self.kinds[kind].loose -= held,
        }
        self.drafts.push(Draft { parts: vec![(kind, held)], count: 1, sites, firm });
    }

    /// The sites that loose pods of a kind may use.
    pub(super) fn loose_sites(&self, kind: KindId) -> Rc<Bits> {
        let row = self.row(kind);
        let progress = &self.kinds[kind];
        if progress.allowed.iter().all(|allowed| *allowed) {
            return self.best_sites(kind, &Rc::new(row.clone())).0;
        }
        let mut sites = row.emptied();
        let open = progress.cells.iter().zip(&progress.allowed).filter(|(_, allowed)| **allowed);
        open.for_each(|(cell, _)| sites.or(&cell.sites));
        self.best_sites(kind, &Rc::new(sites)).0
    }

    /// What pods that share a node ask for together; nothing where they can't.
    pub(super) fn together(&self, parts: &[(KindId, u32)]) -> Option<Class> {
        super::batch::together(self.compiled, parts)
    }
}
