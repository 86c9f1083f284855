//! Affinity and anti-affinity over domains: who comes first, who goes where.

use super::{Arranger, KindId};
use crate::compile::{Id, IdVec, KeyId, Kind, Near, NodeId, Over, Topology};
use crate::pack::union::Union;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// For each kind, the others of which anti-affinity over a key keeps it out of the domains, and which
/// it keeps out of its own.
pub(super) fn foes(
    topology: &Topology,
    kinds: &IdVec<KindId, Kind>,
) -> IdVec<KindId, Vec<(KeyId, KindId)>> {
    let mut foes: IdVec<KindId, Vec<(KeyId, KindId)>> = kinds.iter().map(|_| Vec::new()).collect();
    for (kind, rules) in topology.rules.iter() {
        for term in &rules.far {
            let Over::Key(key) = term.over else { continue };
            for other in &topology.selections[term.selection].kinds {
                foes[kind].push((key, *other));
                foes[*other].push((key, kind));
            }
        }
    }
    for list in foes.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    foes
}

/// For each kind, the first of the kinds that affinity ties together with it.
pub(super) fn ties(topology: &Topology, kinds: &IdVec<KindId, Kind>) -> IdVec<KindId, KindId> {
    let mut union = Union::new(kinds.len());
    for (kind, rules) in topology.rules.iter() {
        for other in rules.near.iter().flat_map(|near| &topology.selections[near.selection].kinds) {
            union.join(kind.index(), other.index());
        }
    }
    kinds.ids().map(|kind| KindId::from_index(union.root(kind.index()))).collect()
}

/// For each kind, whether another's required affinity points at it.
pub(super) fn needed(topology: &Topology, kinds: &IdVec<KindId, Kind>) -> IdVec<KindId, bool> {
    let mut needed: IdVec<KindId, bool> = kinds.iter().map(|_| false).collect();
    for (kind, rules) in topology.rules.iter() {
        for other in rules.near.iter().flat_map(|near| &topology.selections[near.selection].kinds) {
            needed[*other] |= *other != kind;
        }
    }
    needed
}

/// How many steps of affinity lead from a kind to one that needs no other: a kind comes after those
/// that it needs. Kinds that need each other are on one level.
pub(super) fn levels(topology: &Topology, kinds: &IdVec<KindId, Kind>) -> IdVec<KindId, u32> {
    let mut levels: IdVec<KindId, u32> = kinds.iter().map(|_| 0).collect();
    let edges: Vec<(KindId, KindId)> = topology
        .rules
        .iter()
        .flat_map(|(kind, rules)| {
            let near = rules.near.iter();
            let needed = near.flat_map(|near| &topology.selections[near.selection].kinds);
            needed.filter(move |other| **other != kind).map(move |other| (kind, *other))
        })
        .collect();
    for _ in 0..MAX_LEVELS {
        let mut changed = false;
        for (kind, needed) in &edges {
            let level = (levels[*needed] + 1).min(MAX_LEVELS);
            if levels[*kind] < level {
                levels[*kind] = level;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    levels
}

/// The longest chain of affinity that is told from a circle.
const MAX_LEVELS: u32 = 32;

impl Arranger<'_> {
    /// Takes the cells from a kind in whose domains a foe is.
    pub(super) fn shun(&mut self, kind: KindId) {
        let taken: BTreeSet<(KeyId, u32)> = self.foes[kind]
            .iter()
            .filter(|(_, foe)| *foe != kind)
            .flat_map(|(key, foe)| {
                let foe = &self.kinds[*foe];
                let holds =
                    |at: usize| foe.counted[at] > 0 || foe.done && foe.loose > 0 && foe.allowed[at];
                let cells = foe.cells.iter().enumerate().filter(move |(at, _)| holds(*at));
                cells.filter_map(|(_, cell)| Some((*key, cell.domain(*key)?)))
            })
            .collect();
        let progress = &mut self.kinds[kind];
        for (cell, allowed) in progress.cells.iter().zip(&mut progress.allowed) {
            *allowed &= !cell.domains.iter().any(|domain| taken.contains(domain));
        }
        if !progress.cells.is_empty() && !progress.allowed.contains(&true) {
            let count = progress.loose;
            self.leave_out(kind, count, true);
        }
    }

    /// Whether a foe of a kind is still to be arranged.
    pub(super) fn has_open_foe(&self, kind: KindId) -> bool {
        self.foes[kind].iter().any(|(_, foe)| *foe != kind && !self.kinds[*foe].done)
    }

    /// Settles a kind with foes in one domain, which leaves the others to them.
    pub(super) fn settle(&mut self, kind: KindId) {
        let keys: BTreeSet<KeyId> = self.foes[kind].iter().map(|(key, _)| *key).collect();
        let progress = &self.kinds[kind];
        let hint = self.restrictions.hints.get(&kind).copied();
        let open = progress.cells.iter().enumerate().filter(|(at, _)| progress.allowed[*at]);
        let best = open.min_by_key(|(at, cell)| {
            (
                self.ousted(kind, &keys, *at),
                Reverse(cell.honoured),
                hint != Some(*at),
                cell.cost,
                *at,
            )
        });
        let Some((best, _)) = best else { return };
        let domains: Vec<Option<u32>> =
            keys.iter().map(|key| progress.cells[best].domain(*key)).collect();
        let same: Vec<bool> = progress
            .cells
            .iter()
            .map(|cell| keys.iter().map(|key| cell.domain(*key)).eq(domains.iter().copied()))
            .collect();
        let progress = &mut self.kinds[kind];
        progress.allowed.iter_mut().zip(same).for_each(|(allowed, same)| *allowed &= same);
        if progress.allowed.iter().filter(|allowed| **allowed).count() == 1 {
            let count = progress.loose;
            self.pin(kind, best, count);
        }
    }

    /// How many pods of foes still to be arranged would have no domain left if a kind took a cell.
    fn ousted(&self, kind: KindId, keys: &BTreeSet<KeyId>, at: usize) -> u64 {
        let cell = &self.kinds[kind].cells[at];
        let open = self.foes[kind]
            .iter()
            .filter(|(key, foe)| keys.contains(key) && *foe != kind && !self.kinds[*foe].done);
        let ousted = open.filter(|(key, foe)| {
            let foe = &self.kinds[*foe];
            let mut others = foe.cells.iter().zip(&foe.allowed);
            !others.any(|(other, allowed)| *allowed && other.domain(*key) != cell.domain(*key))
        });
        ousted.map(|(_, foe)| u64::from(self.kinds[*foe].loose)).sum()
    }

    /// Leaves a kind only the cells where what it needs is, or is put now; whether there is any.
    pub(super) fn approach(&mut self, kind: KindId, near: &Near) -> bool {
        let keys = keys_of(near);
        let steps = self.steps(kind);
        let cells = 0..self.kinds[kind].cells.len();
        let here: Vec<bool> = cells.clone().map(|at| self.is_met(kind, at, near, &keys)).collect();
        let callable: Vec<bool> =
            cells.clone().map(|at| self.callable(kind, at, near, &keys).is_some()).collect();
        let allowed = self.kinds[kind].allowed.clone();
        let any = |list: &[bool]| list.iter().zip(&allowed).any(|(one, allowed)| *one && *allowed);
        let keep: Vec<bool> = if steps && (any(&here) || any(&callable)) {
            here.iter().zip(&callable).map(|(here, callable)| *here || *callable).collect()
        } else if any(&here) {
            here
        } else if any(&callable) {
            let Some(at) = self.best_for_all(kind, &keys, &callable) else { return false };
            let _came = self.accompany(kind, at, near);
            self.same_domains(kind, at, &keys)
        } else if self.topology.selects(near.selection, kind) && !self.is_anywhere(kind, near) {
            let all: Vec<bool> = cells.map(|_| true).collect();
            let Some(at) = self.best_for_all(kind, &keys, &all) else { return false };
            self.same_domains(kind, at, &keys)
        } else {
            let count = self.kinds[kind].loose;
            self.leave_out(kind, count, true);
            return false;
        };
        let progress = &mut self.kinds[kind];
        progress.allowed.iter_mut().zip(keep).for_each(|(allowed, keep)| *allowed &= keep);
        true
    }

    /// Whether what a kind needs is known to be in every domain of a cell.
    fn is_met(&self, kind: KindId, at: usize, near: &Near, keys: &[KeyId]) -> bool {
        let cell = &self.kinds[kind].cells[at];
        keys.iter().all(|key| self.has_any(near.selection, *key, cell.domain(*key)))
    }

    /// Whether any pod that all terms of a kind select runs in a domain, or was given a cell or several to
    /// choose from. On a node without the labels a pod is nowhere.
    pub(super) fn is_anywhere(&self, kind: KindId, near: &Near) -> bool {
        let selected = &self.topology.selections[near.selection];
        let in_domain = |node: NodeId| {
            let site = self.compiled.site_of_node(node);
            near.over.iter().any(|over| match over {
                Over::Host => true,
                Over::Key(key) => self.topology.keys[*key].labelled.contains(site),
            })
        };
        selected.bound.iter().any(|(node, _)| in_domain(*node))
            || selected.kinds.iter().any(|other| {
                self.has_place(*other) || *other != kind && self.kinds[*other].is_loose()
            })
    }

    /// A kind with loose pods that a cell's domains could have, for one that needs it there.
    fn callable(
        &self,
        kind: KindId,
        at: usize,
        near: &Near,
        keys: &[KeyId],
    ) -> Option<(KindId, usize)> {
        let cell = &self.kinds[kind].cells[at];
        let selected = &self.topology.selections[near.selection].kinds;
        selected.iter().filter(|other| **other != kind).find_map(|other| {
            let target = &self.kinds[*other];
            if target.loose == 0 || target.ruled && !target.done {
                return None;
            }
            let mut cells = target.cells.iter().enumerate();
            cells
                .find(|(at, theirs)| {
                    target.allowed[*at]
                        && self.is_below_ceiling(*other, *at)
                        && keys.iter().all(|key| theirs.domain(*key) == cell.domain(*key))
                })
                .map(|(at, _)| (*other, at))
        })
    }

    /// Whom a kind would call to a cell's domains, where what it needs isn't there yet.
    pub(super) fn called(&self, kind: KindId, at: usize, near: &Near) -> Option<(KindId, usize)> {
        let keys = keys_of(near);
        if self.is_met(kind, at, near, &keys) {
            return None;
        }
        self.callable(kind, at, near, &keys)
    }

    /// Sees to it that what a kind needs is in a cell's domains; whether it is.
    pub(super) fn accompany(&mut self, kind: KindId, at: usize, near: &Near) -> bool {
        let keys = keys_of(near);
        if self.is_met(kind, at, near, &keys) {
            return true;
        }
        if let Some((target, cell)) = self.callable(kind, at, near, &keys) {
            self.pin(target, cell, 1);
            return true;
        }
        self.topology.selects(near.selection, kind) && !self.is_anywhere(kind, near)
    }

    /// The best of some cells for all kinds that affinity ties together: where most of their pods have
    /// a cell, then the cheapest.
    fn best_for_all(&self, kind: KindId, keys: &[KeyId], among: &[bool]) -> Option<usize> {
        let progress = &self.kinds[kind];
        let hint = self.restrictions.hints.get(&kind).copied();
        let fellows: Vec<KindId> = self
            .ties
            .iter()
            .filter(|(_, tie)| **tie == self.ties[kind])
            .map(|(id, _)| id)
            .collect();
        let open = progress.cells.iter().enumerate();
        let open = open.filter(|(at, _)| progress.allowed[*at] && among[*at]);
        open.min_by_key(|(at, cell)| {
            let welcome: u64 = fellows
                .iter()
                .filter(|fellow| {
                    let theirs = &self.kinds[**fellow];
                    let mut cells = theirs.cells.iter().zip(&theirs.allowed);
                    cells.any(|(other, allowed)| {
                        *allowed
                            && keys.iter().all(|key| {
                                other.domain(*key).is_none_or(|d| Some(d) == cell.domain(*key))
                            })
                    })
                })
                .map(|fellow| u64::from(self.class(*fellow).count))
                .sum();
            (Reverse(welcome), Reverse(cell.honoured), hint != Some(*at), cell.cost, *at)
        })
        .map(|(at, _)| at)
    }

    /// The cells of a kind that are in the same domains of some keys as one of them.
    fn same_domains(&self, kind: KindId, at: usize, keys: &[KeyId]) -> Vec<bool> {
        let cells = &self.kinds[kind].cells;
        let same =
            |cell: &super::Cell| keys.iter().all(|key| cell.domain(*key) == cells[at].domain(*key));
        cells.iter().map(same).collect()
    }
}

/// The keys over which an affinity holds.
fn keys_of(near: &Near) -> Vec<KeyId> {
    let over = near.over.iter().filter_map(|over| match over {
        Over::Host => None,
        Over::Key(key) => Some(*key),
    });
    over.collect()
}
