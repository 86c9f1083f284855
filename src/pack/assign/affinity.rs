//! Affinity and anti-affinity over domains: who comes first, who goes where.
//!
//! Both are relations between classes. Anti-affinity over a key is symmetric, whoever states it: a
//! class with a pod in a domain closes it to the other ([`conflicts`]). Affinity is directed: a
//! class needs pods of another in its domain, so that one is given its domains first ([`levels`],
//! the longest path, cut off where it is a circle), and what affinity ties together at all
//! ([`affinity_components`]) is assigned as one.
//!
//! Which classes conflict or need each other doesn't depend on the packing, so it is worked out
//! once for a problem; what a class may still use is asked as classes before it are placed.

use super::{ClassId, DomainAssigner};
use crate::compile::{Id, IdVec, KeyId, NodeId, PodClass, RequiredAffinity, Topology, TopologyKey};
use crate::pack::disjoint_sets::DisjointSets;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// For each class, the others of which anti-affinity over a key keeps it out of the domains, and
/// which it keeps out of its own.
///
/// Kubernetes' rule is symmetric in effect: kube-scheduler refuses a pod where a pod that is there
/// has a term that means it. A class whose term selects itself conflicts with itself: one pod for
/// each domain.
pub(super) fn conflicts(
    topology: &Topology,
    classes: &IdVec<ClassId, PodClass>,
) -> IdVec<ClassId, Vec<(KeyId, ClassId)>> {
    let mut conflicts: IdVec<ClassId, Vec<(KeyId, ClassId)>> =
        classes.iter().map(|_| Vec::new()).collect();
    for (class, rules) in topology.rules.iter() {
        for term in &rules.anti_affinity {
            let TopologyKey::Label(key) = term.key else { continue };
            for other in &topology.selections[term.selection].classes {
                conflicts[class].push((key, *other));
                conflicts[*other].push((key, class));
            }
        }
    }
    for list in conflicts.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    conflicts
}

/// For each class, the first of the classes that affinity ties together with it.
///
/// Those that share a component have to agree on domains, so the best domain is chosen for all of
/// them ([`DomainAssigner::best_for_all`](DomainAssigner)).
pub(super) fn affinity_components(
    topology: &Topology,
    classes: &IdVec<ClassId, PodClass>,
) -> IdVec<ClassId, ClassId> {
    let mut sets = DisjointSets::new(classes.len());
    for (class, rules) in topology.rules.iter() {
        for other in rules
            .affinity
            .iter()
            .flat_map(|affinity| &topology.selections[affinity.selection].classes)
        {
            sets.join(class.index(), other.index());
        }
    }
    classes.ids().map(|class| ClassId::from_index(sets.root(class.index()))).collect()
}

/// For each class, whether another's required affinity points at it.
pub(super) fn needed(
    topology: &Topology,
    classes: &IdVec<ClassId, PodClass>,
) -> IdVec<ClassId, bool> {
    let mut needed: IdVec<ClassId, bool> = classes.iter().map(|_| false).collect();
    for (class, rules) in topology.rules.iter() {
        for other in rules
            .affinity
            .iter()
            .flat_map(|affinity| &topology.selections[affinity.selection].classes)
        {
            needed[*other] |= *other != class;
        }
    }
    needed
}

/// How many steps of affinity lead from a class to one that needs no other: a class comes after
/// those that it needs. Classes that need each other are on one level.
///
/// Relaxation over the edges until nothing changes, [`MAX_LEVELS`] times at most: a circle would
/// raise its levels for ever, and they are cut off.
pub(super) fn levels(
    topology: &Topology,
    classes: &IdVec<ClassId, PodClass>,
) -> IdVec<ClassId, u32> {
    let mut levels: IdVec<ClassId, u32> = classes.iter().map(|_| 0).collect();
    let edges: Vec<(ClassId, ClassId)> = topology
        .rules
        .iter()
        .flat_map(|(class, rules)| {
            let affinity = rules.affinity.iter();
            let needed =
                affinity.flat_map(|affinity| &topology.selections[affinity.selection].classes);
            needed.filter(move |other| **other != class).map(move |other| (class, *other))
        })
        .collect();
    for _ in 0..MAX_LEVELS {
        let mut changed = false;
        for (class, needed) in &edges {
            let level = (levels[*needed] + 1).min(MAX_LEVELS);
            if levels[*class] < level {
                levels[*class] = level;
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

impl DomainAssigner<'_> {
    /// Takes the cells from a class in whose domains a conflicting class is.
    ///
    /// A class that is done with loose pods may end in any cell that it is allowed, so all of these
    /// count as taken.
    pub(super) fn exclude_occupied(&mut self, class: ClassId) {
        let taken: BTreeSet<(KeyId, u32)> = self.conflicts[class]
            .iter()
            .filter(|(_, conflict)| *conflict != class)
            .flat_map(|(key, conflict)| {
                let conflict = &self.classes[*conflict];
                let holds = |at: usize| {
                    conflict.counted[at] > 0
                        || conflict.done && conflict.unassigned > 0 && conflict.allowed[at]
                };
                let cells = conflict.cells.iter().enumerate().filter(move |(at, _)| holds(*at));
                cells.filter_map(|(_, cell)| Some((*key, cell.domain(*key)?)))
            })
            .collect();
        let progress = &mut self.classes[class];
        for (cell, allowed) in progress.cells.iter().zip(&mut progress.allowed) {
            *allowed &= !cell.domains.iter().any(|domain| taken.contains(domain));
        }
        if !progress.cells.is_empty() && !progress.allowed.contains(&true) {
            let count = progress.unassigned;
            self.leave_out(class, count, true);
        }
    }

    /// Whether a conflicting class of a class is still to be assigned.
    pub(super) fn has_open_conflict(&self, class: ClassId) -> bool {
        self.conflicts[class]
            .iter()
            .any(|(_, conflict)| *conflict != class && !self.classes[*conflict].done)
    }

    /// Settles a class with conflicting classes in one domain, which leaves the others to them.
    ///
    /// Left in all domains it would keep the others out of each of them. Chosen is the cell that
    /// leaves the fewest of the others without any, then by preferences, hint and cost.
    pub(super) fn place_component(&mut self, class: ClassId) {
        let keys: BTreeSet<KeyId> = self.conflicts[class].iter().map(|(key, _)| *key).collect();
        let progress = &self.classes[class];
        let hint = self.restrictions.hints.get(&class).copied();
        let open = progress.cells.iter().enumerate().filter(|(at, _)| progress.allowed[*at]);
        let best = open.min_by_key(|(at, cell)| {
            (
                self.displaced(class, &keys, *at),
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
        let progress = &mut self.classes[class];
        progress.allowed.iter_mut().zip(same).for_each(|(allowed, same)| *allowed &= same);
        if progress.allowed.iter().filter(|allowed| **allowed).count() == 1 {
            let count = progress.unassigned;
            self.assign(class, best, count);
        }
    }

    /// How many pods of conflicting classes still to be assigned would have no domain left if a
    /// class took a cell.
    fn displaced(&self, class: ClassId, keys: &BTreeSet<KeyId>, at: usize) -> u64 {
        let cell = &self.classes[class].cells[at];
        let open = self.conflicts[class].iter().filter(|(key, conflict)| {
            keys.contains(key) && *conflict != class && !self.classes[*conflict].done
        });
        let displaced = open.filter(|(key, conflict)| {
            let conflict = &self.classes[*conflict];
            let mut others = conflict.cells.iter().zip(&conflict.allowed);
            !others.any(|(other, allowed)| *allowed && other.domain(*key) != cell.domain(*key))
        });
        displaced.map(|(_, conflict)| u64::from(self.classes[*conflict].unassigned)).sum()
    }

    /// Leaves a class only the cells where what it needs is, or is put now; whether there is any.
    ///
    /// In order of what is easier: domains where what it needs is known to be; domains where some
    /// of it could be put now; and, for pods that may be their own company, the first of them
    /// anywhere, which decides for the others. If none of these is possible all are out.
    pub(super) fn restrict_to_affinity(
        &mut self,
        class: ClassId,
        affinity: &RequiredAffinity,
    ) -> bool {
        let keys = keys_of(affinity);
        let steps = self.steps(class);
        let cells = 0..self.classes[class].cells.len();
        let here: Vec<bool> =
            cells.clone().map(|at| self.is_met(class, at, affinity, &keys)).collect();
        let available_targets: Vec<bool> = cells
            .clone()
            .map(|at| self.available_targets(class, at, affinity, &keys).is_some())
            .collect();
        let allowed = self.classes[class].allowed.clone();
        let any = |list: &[bool]| list.iter().zip(&allowed).any(|(one, allowed)| *one && *allowed);
        let keep: Vec<bool> = if steps && (any(&here) || any(&available_targets)) {
            here.iter()
                .zip(&available_targets)
                .map(|(here, available_targets)| *here || *available_targets)
                .collect()
        } else if any(&here) {
            here
        } else if any(&available_targets) {
            let Some(at) = self.best_for_all(class, &keys, &available_targets) else {
                return false;
            };
            let _came = self.ensure_target(class, at, affinity);
            self.same_domains(class, at, &keys)
        } else if self.topology.selects(affinity.selection, class)
            && !self.is_anywhere(class, affinity)
        {
            let all: Vec<bool> = cells.map(|_| true).collect();
            let Some(at) = self.best_for_all(class, &keys, &all) else { return false };
            self.same_domains(class, at, &keys)
        } else {
            let count = self.classes[class].unassigned;
            self.leave_out(class, count, true);
            return false;
        };
        let progress = &mut self.classes[class];
        progress.allowed.iter_mut().zip(keep).for_each(|(allowed, keep)| *allowed &= keep);
        true
    }

    /// Whether what a class needs is known to be in every domain of a cell.
    fn is_met(
        &self,
        class: ClassId,
        at: usize,
        affinity: &RequiredAffinity,
        keys: &[KeyId],
    ) -> bool {
        let cell = &self.classes[class].cells[at];
        keys.iter().all(|key| self.has_any(affinity.selection, *key, cell.domain(*key)))
    }

    /// Whether any pod that all terms of a class select runs in a domain, or was given a cell or
    /// several to choose from. On a node without the labels a pod is nowhere.
    pub(super) fn is_anywhere(&self, class: ClassId, affinity: &RequiredAffinity) -> bool {
        let selected = &self.topology.selections[affinity.selection];
        let in_domain = |node: NodeId| {
            let site = self.compiled.site_of_node(node);
            affinity.key.iter().any(|topology_key| match topology_key {
                TopologyKey::Hostname => true,
                TopologyKey::Label(key) => self.topology.keys[*key].labelled.contains(site),
            })
        };
        selected.bound.iter().any(|(node, _)| in_domain(*node))
            || selected.classes.iter().any(|other| {
                self.has_place(*other) || *other != class && self.classes[*other].is_unassigned()
            })
    }

    /// A class with loose pods that a cell's domains could have, for one that needs it there.
    fn available_targets(
        &self,
        class: ClassId,
        at: usize,
        affinity: &RequiredAffinity,
        keys: &[KeyId],
    ) -> Option<(ClassId, usize)> {
        let cell = &self.classes[class].cells[at];
        let selected = &self.topology.selections[affinity.selection].classes;
        selected.iter().filter(|other| **other != class).find_map(|other| {
            let target = &self.classes[*other];
            if target.unassigned == 0 || target.ruled && !target.done {
                return None;
            }
            let mut cells = target.cells.iter().enumerate();
            cells
                .find(|(at, theirs)| {
                    target.allowed[*at]
                        && self.is_below_learnt_capacity(*other, *at)
                        && keys.iter().all(|key| theirs.domain(*key) == cell.domain(*key))
                })
                .map(|(at, _)| (*other, at))
        })
    }

    /// Whom a class would call to a cell's domains, where what it needs isn't there yet.
    pub(super) fn pending_target(
        &self,
        class: ClassId,
        at: usize,
        affinity: &RequiredAffinity,
    ) -> Option<(ClassId, usize)> {
        let keys = keys_of(affinity);
        if self.is_met(class, at, affinity, &keys) {
            return None;
        }
        self.available_targets(class, at, affinity, &keys)
    }

    /// Sees to it that what a class needs is in a cell's domains; whether it is.
    pub(super) fn ensure_target(
        &mut self,
        class: ClassId,
        at: usize,
        affinity: &RequiredAffinity,
    ) -> bool {
        let keys = keys_of(affinity);
        if self.is_met(class, at, affinity, &keys) {
            return true;
        }
        if let Some((target, cell)) = self.available_targets(class, at, affinity, &keys) {
            self.assign(target, cell, 1);
            return true;
        }
        self.topology.selects(affinity.selection, class) && !self.is_anywhere(class, affinity)
    }

    /// The best of some cells for all classes that affinity ties together: where most of their pods
    /// have a cell, then the cheapest.
    fn best_for_all(&self, class: ClassId, keys: &[KeyId], among: &[bool]) -> Option<usize> {
        let progress = &self.classes[class];
        let hint = self.restrictions.hints.get(&class).copied();
        let companions: Vec<ClassId> = self
            .affinity_component
            .iter()
            .filter(|(_, component)| **component == self.affinity_component[class])
            .map(|(id, _)| id)
            .collect();
        let open = progress.cells.iter().enumerate();
        let open = open.filter(|(at, _)| progress.allowed[*at] && among[*at]);
        open.min_by_key(|(at, cell)| {
            let welcome: u64 = companions
                .iter()
                .filter(|companion| {
                    let theirs = &self.classes[**companion];
                    let mut cells = theirs.cells.iter().zip(&theirs.allowed);
                    cells.any(|(other, allowed)| {
                        *allowed
                            && keys.iter().all(|key| {
                                other.domain(*key).is_none_or(|d| Some(d) == cell.domain(*key))
                            })
                    })
                })
                .map(|companion| u64::from(self.item(*companion).count))
                .sum();
            (Reverse(welcome), Reverse(cell.honoured), hint != Some(*at), cell.cost, *at)
        })
        .map(|(at, _)| at)
    }

    /// The cells of a class that are in the same domains of some keys as one of them.
    fn same_domains(&self, class: ClassId, at: usize, keys: &[KeyId]) -> Vec<bool> {
        let cells = &self.classes[class].cells;
        let same = |cell: &super::DomainCell| {
            keys.iter().all(|key| cell.domain(*key) == cells[at].domain(*key))
        };
        cells.iter().map(same).collect()
    }
}

/// The keys over which an affinity holds.
fn keys_of(affinity: &RequiredAffinity) -> Vec<KeyId> {
    let topology_key = affinity.key.iter().filter_map(|topology_key| match topology_key {
        TopologyKey::Hostname => None,
        TopologyKey::Label(key) => Some(*key),
    });
    topology_key.collect()
}
