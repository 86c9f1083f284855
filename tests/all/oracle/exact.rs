//! The best plan, by branch and bound over counts of like pods.
//!
//! Pods that differ in their names alone are a class, and a set of pods is a count for each class,
//! kept as one number. For each running node and each kind of launch the sets that it holds are
//! listed once ([`super::kinds`]). Which pods are placed is decided first: sets of all pods are
//! tried in the order of what they leave out by priority, and the first that some legal plan places
//! is the best. For one such set the search fills running nodes, then the nodes of static pools,
//! then launches, each of which has a pod of the first class that is left.
//!
//! What is left is bounded from below as if nothing but the node's own room mattered: in cost, and
//! in what it takes of each limit and reservation. Rules between pods are checked on whole plans;
//! what can't be mended by further launches ends a branch before.

use super::Oracle;
use super::between::{Counting, Partial};
use super::kinds::{Kind, Kinds, Set};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// So many steps the search takes at most before it says that a problem is too hard.
const MOST_STEPS: u64 = 300_000;

/// A legal plan that nothing beats.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Optimum {
    /// How many pods of each priority have no place, highest priority first.
    pub(crate) missing: Vec<usize>,
    /// The cost in billionths, fees included.
    pub(crate) cost: i128,
}

/// The search was given up: the problem is too hard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TooHard;

/// What is where in a partial plan.
#[derive(Clone, Debug, Default)]
struct Sites {
    nodes: Vec<Set>,
    launches: Vec<(usize, Set)>,
}

/// What is on each running node, and on launches of which look; and the ways that are open beside
/// them, where that matters.
type Split = (Vec<Set>, Vec<(usize, Set)>, Option<Vec<bool>>);

struct Search<'a> {
    kinds: &'a Kinds<'a>,
    counting: Counting,
    /// The least cost so far.
    best: Option<i128>,
    steps: u64,
    left: Vec<i64>,
    sites: Sites,
    /// Whether all pods can be bound, by what is on each node, and on launches of which look.
    known: BTreeMap<Split, bool>,
}

impl Kinds<'_> {
    /// The best plan of all, fewest missing pods of the highest priority first, then cost; of those
    /// alone that leave out as many as asked, if that is asked.
    pub(crate) fn best(
        &self,
        counting: Counting,
        asked: Option<&[usize]>,
    ) -> Result<Option<Optimum>, TooHard> {
        let mut groups: BTreeMap<Vec<usize>, Vec<Set>> = BTreeMap::new();
        for set in 0..self.sets() {
            let missing = self.missing(set);
            if self.may_be_placed(set) && asked.is_none_or(|asked| missing == asked) {
                groups.entry(missing).or_default().push(set);
            }
        }
        let mut steps = 0;
        for (missing, mut sets) in groups {
            sets.sort_by_key(|set| self.at_least(0, *set));
            let mut best = None;
            for set in sets {
                best = self.cheapest(set, counting, best, &mut steps)?;
            }
            if let Some(cost) = best {
                return Ok(Some(Optimum { missing, cost }));
            }
        }
        Ok(None)
    }

    /// The least cost at which all pods can be placed.
    pub(crate) fn of_all(&self, counting: Counting) -> Result<Option<i128>, TooHard> {
        self.cheapest(self.sets() - 1, counting, None, &mut 0)
    }

    /// How many pods of each priority are missing where a set alone has a place.
    fn missing(&self, set: Set) -> Vec<usize> {
        let mut missing = BTreeMap::new();
        for (class, (count, placed)) in self.counts.iter().zip(self.digits(set)).enumerate() {
            *missing.entry(Reverse(self.pod(class).priority)).or_insert(0) +=
                usize::from(*count) - usize::from(*placed);
        }
        missing.into_values().collect()
    }

    fn cheapest(
        &self,
        set: Set,
        counting: Counting,
        best: Option<i128>,
        steps: &mut u64,
    ) -> Result<Option<i128>, TooHard> {
        let (left, sites) = (self.room.clone(), Sites::default());
        let (steps_before, known) = (*steps, BTreeMap::new());
        let mut search =
            Search { kinds: self, counting, best, steps: steps_before, left, sites, known };
        search.node(set, 0)?;
        *steps = search.steps;
        Ok(search.best)
    }
}

impl Search<'_> {
    /// Whether a branch is worth a look: what is left from a stage on can be had at a lower cost
    /// than the best, within limits and reservations.
    fn is_open(&mut self, stage: usize, set: Set, cost: i128) -> Result<bool, TooHard> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Err(TooHard);
        }
        let Some(least) = self.kinds.at_least(stage, set) else { return Ok(false) };
        let within = |(at, left): (usize, &i64)| {
            let needed = self.kinds.needs(at, stage, set);
            needed == 0 || needed <= *left
        };
        Ok(self.best.is_none_or(|best| cost + least < best)
            && self.left.iter().enumerate().all(within))
    }

    /// Fills the running nodes from the next one on.
    fn node(&mut self, set: Set, cost: i128) -> Result<(), TooHard> {
        let at = self.sites.nodes.len();
        if !self.is_open(at, set, cost)? {
            return Ok(());
        }
        let kinds = self.kinds;
        let Some(holds) = kinds.nodes.get(at) else { return self.fixed(set, cost, 0) };
        for part in holds.iter().rev().filter(|part| kinds.contains(set, **part)) {
            self.sites.nodes.push(*part);
            if !self.is_apart()? {
                self.sites.nodes.pop();
                continue;
            }
            self.node(set - part, cost)?;
            self.sites.nodes.pop();
        }
        Ok(())
    }

    /// Launches the nodes that static pools lack.
    fn fixed(&mut self, set: Set, cost: i128, at: usize) -> Result<(), TooHard> {
        let kinds = self.kinds;
        if !self.is_open(kinds.nodes.len() + at, set, cost)? {
            return Ok(());
        }
        let Some(pool) = kinds.fixed.get(at) else { return self.launch(set, cost, None) };
        let again = at > 0 && kinds.fixed[at - 1] == *pool;
        let before = self.sites.launches.last().copied().filter(|_| again);
        let mut possible = false;
        for (number, kind) in kinds.list.iter().enumerate() {
            if kind.pool != *pool || !self.take(kind) {
                continue;
            }
            possible = true;
            for (part, price) in &kind.holds {
                let later = before.is_none_or(|before| (number, *part) >= before);
                if later && kinds.contains(set, *part) {
                    self.sites.launches.push((number, *part));
                    if self.is_apart()? {
                        self.fixed(set - part, cost + price, at + 1)?;
                    }
                    self.sites.launches.pop();
                }
            }
            self.give_back(kind);
        }
        // A pool that can't launch any more has fewer nodes.
        if possible { Ok(()) } else { self.fixed(set, cost, at + 1) }
    }

    /// Launches for what is left; the first class of it is among the pods of the next one.
    fn launch(
        &mut self,
        set: Set,
        cost: i128,
        last: Option<(usize, usize)>,
    ) -> Result<(), TooHard> {
        let kinds = self.kinds;
        let stage = kinds.nodes.len() + kinds.fixed.len();
        if !self.is_open(stage, set, cost)? || !self.could_be_even(set) {
            return Ok(());
        }
        let Some(class) = kinds.digits(set).iter().position(|count| *count > 0) else {
            if self.keeps_weights() && self.can_be_bound() {
                self.best = Some(cost);
            }
            return Ok(());
        };
        let from = last.filter(|(first, _)| *first == class).map_or(0, |(_, option)| option);
        let options = kinds.options[class].iter().enumerate().skip(from);
        let rest = |part: Set| kinds.at_least(stage, set - part);
        let mut open: Vec<(i128, usize)> = options
            .filter(|(_, (_, part, _))| kinds.contains(set, *part))
            .filter_map(|(at, (_, part, price))| Some((price + rest(*part)?, at)))
            .collect();
        open.sort_unstable();
        for (_, at) in open {
            let (number, part, price) = kinds.options[class][at];
            let kind = &kinds.list[number];
            if self.take(kind) {
                self.sites.launches.push((number, part));
                if self.is_apart()? {
                    self.launch(set - part, cost + price, Some((class, at)))?;
                }
                self.sites.launches.pop();
                self.give_back(kind);
            }
        }
        Ok(())
    }

    /// Takes a launch from limits and reservations; if there isn't enough of either, nothing is
    /// taken.
    fn take(&mut self, kind: &Kind) -> bool {
        // Pools of which a limit is broken already have no kinds.
        let enough =
            kind.uses.iter().zip(&self.left).all(|(uses, left)| *uses == 0 || uses <= left);
        if enough {
            self.left.iter_mut().zip(&kind.uses).for_each(|(left, uses)| *left -= uses);
        }
        enough
    }

    fn give_back(&mut self, kind: &Kind) {
        self.left.iter_mut().zip(&kind.uses).for_each(|(left, uses)| *left += uses);
    }

    /// The plan so far, pods by number.
    fn partial(&self) -> Partial {
        let kinds = self.kinds;
        let mut used = vec![0; kinds.classes.len()];
        let mut pods = |set: Set| -> Vec<usize> {
            let mut pods = Vec::new();
            for (class, count) in kinds.digits(set).iter().enumerate() {
                let from = used[class];
                used[class] += usize::from(*count);
                pods.extend(&kinds.classes[class][from..used[class]]);
            }
            pods
        };
        let mut nodes: Vec<Vec<usize>> = self.sites.nodes.iter().map(|set| pods(*set)).collect();
        nodes.resize(kinds.nodes.len(), Vec::new());
        let launched = self.sites.launches.iter();
        let launches = launched.map(|(kind, set)| (pods(*set), kinds.list[*kind].way)).collect();
        Partial { nodes, launches }
    }

    /// Whether nobody shares a domain with one that is to be kept away.
    fn is_apart(&self) -> Result<bool, TooHard> {
        let between = &self.kinds.oracle.between;
        Ok(!between.keeps_apart || between.is_apart(&self.partial()))
    }

    /// Whether the pods of spreads that are placed could be even enough in the end.
    fn could_be_even(&self, set: Set) -> bool {
        let (kinds, between) = (self.kinds, &self.kinds.oracle.between);
        if !between.spreads {
            return true;
        }
        let rest: Vec<(usize, usize)> = kinds
            .digits(set)
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(class, count)| (kinds.classes[class][0], usize::from(*count)))
            .collect();
        between.could_be_even(&self.partial(), &rest, self.counting)
    }

    /// The ways by which one more node could be launched within what is left.
    fn open_ways(&self) -> Vec<bool> {
        let enough = |uses: &Vec<i64>| {
            uses.iter().zip(&self.left).all(|(uses, left)| *uses == 0 || uses <= left)
        };
        self.kinds.way_uses.iter().map(|uses| uses.as_ref().is_some_and(enough)).collect()
    }

    fn can_be_bound(&mut self) -> bool {
        let (kinds, between) = (self.kinds, &self.kinds.oracle.between);
        if !between.any {
            return true;
        }
        let look = |kind: usize| kinds.list[kind].look;
        let launched = self.sites.launches.iter();
        let mut launched: Vec<(usize, Set)> =
            launched.map(|(kind, set)| (look(*kind), *set)).collect();
        launched.sort_unstable();
        let open = (self.counting == Counting::Remaining).then(|| self.open_ways());
        let key = (self.sites.nodes.clone(), launched, open);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let can_be_bound = between.can_be_bound(&self.partial(), self.counting, key.2.as_deref());
        self.known.insert(key, can_be_bound);
        can_be_bound
    }

    /// Whether every launch is there for pods that could have no more node of a pool of higher
    /// weight; others may be there if it would be the same without them. Those that rules between
    /// pods tie to others may have had to go where no such pool launches.
    fn keeps_weights(&self) -> bool {
        let kinds = self.kinds;
        let is_fixed = |kind: &Kind| kinds.oracle.document.pools[kind.pool].replicas.is_some();
        let enough = |kind: &Kind| {
            kind.uses.iter().zip(&self.left).all(|(uses, left)| *uses == 0 || uses <= left)
        };
        let launched = self.sites.launches.iter().map(|(kind, set)| (&kinds.list[*kind], *set));
        let launched: Vec<(&Kind, Set)> = launched.filter(|(own, _)| !is_fixed(own)).collect();
        let needs = |(own, set): &(&Kind, Set)| {
            kinds.part(*set, |class| {
                let mut all = kinds.list.iter();
                kinds.tied_are_free && kinds.oracle.between.tied[kinds.classes[class][0]]
                    || !all.any(|kind| {
                        kind.weight > own.weight
                            && !is_fixed(kind)
                            && kind.takes_alone[class]
                            && enough(kind)
                    })
            })
        };
        let needed: Vec<Set> = launched.iter().map(needs).collect();
        // Pods that rules tie to others may need the domains that they are in.
        let is_tied = |set: Set| {
            let mut counts = kinds.digits(set).iter().enumerate();
            let tied = &kinds.oracle.between.tied;
            counts.any(|(class, count)| *count > 0 && tied[kinds.classes[class][0]])
        };
        let moves = |set: Set, from: &Kind, to: &Kind| {
            !(kinds.tied_are_free && is_tied(set)) || from.look == to.look
        };
        let price = |kind: &Kind, set: Set| {
            kind.holds.iter().find(|(part, _)| *part == set).map(|(_, price)| *price)
        };
        (0..launched.len()).all(|at| {
            let ((own, set), needs) = (launched[at], needed[at]);
            if needs == set {
                return true;
            }
            // What the node itself takes of limits and reservations is there for another.
            let enough_without = |kind: &Kind| {
                let rest = self.left.iter().zip(&own.uses).map(|(left, own)| left + own);
                kind.uses.iter().zip(rest).all(|(uses, left)| *uses == 0 || *uses <= left)
            };
            let cheaper = |kind: &Kind| {
                kind.weight == own.weight
                    && !is_fixed(kind)
                    && enough_without(kind)
                    && moves(needs, own, kind)
                    && price(kind, needs) < price(own, set)
                    && price(kind, needs).is_some()
            };
            // A kind may have dearer types that hold more than what is launched.
            let holds_too = |kind: &Kind, set: Set, both: Set| {
                price(kind, both).is_some_and(|more| price(kind, set) >= Some(more))
            };
            let shared = |other: usize| {
                let both = needs + needed[other];
                let (theirs, held) = launched[other];
                let is_there = other != at && theirs.weight == own.weight && needed[other] > 0;
                is_there
                    && (holds_too(own, set, both) && moves(needed[other], theirs, own)
                        || holds_too(theirs, held, both) && moves(needs, own, theirs))
            };
            needs > 0 && !kinds.list.iter().any(cheaper) && !(0..launched.len()).any(shared)
        })
    }
}

impl Oracle {
    /// What can be bought, and which pods share nodes, where each pod is free.
    pub(crate) fn kinds(&self) -> Kinds<'_> {
        Kinds::of(self, None)
    }
}
