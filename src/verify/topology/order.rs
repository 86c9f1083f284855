//! A binding order, searched for: kube-scheduler accepts each pod given those bound before it.
//!
//! Pods with a spread or an affinity are bound as soon as they are accepted, pass after pass, so
//! many at once as stay legal and leave their domain open to others that a spread still ties to it;
//! by this the domains of a spread fill up evenly. Only when nothing else is left a pod is bound
//! that makes a domain fuller than that. Pods without such rules could be bound at any time. They
//! are kept back, since they can only raise counts, until one is needed: for an affinity, or in a
//! domain whose low count holds others up. Where that gets stuck and few pods are concerned, every
//! order is tried, as far as [`MAX_STATES`] different states go.
//!
//! What a domain holds at the end is known, and so is the highest count at which it still takes an
//! owner of a spread: `maxSkew` above the lowest count at the end. In every order the other pods
//! that it counts leave as much of that as owners still to come need. A second try binds none that
//! doesn't ([`OrderSearch::spare`]).
//!
//! *Example.* Skew 1, zones `a` (2 bound) and `b` (0 bound); the plan puts two pods in `b` and one
//! in `a`. Begun with `a` the first is refused: 3 − 0 > 1. In the order b, b, a all are accepted:
//! 1 − 0, 2 − 1 and 3 − 2. The search binds in `b` first, since the count is lowest there.
//!
//! *Why a failure may be uncertain.* Which order exists is a hard question in general. Two greedy
//! tries answer nearly all plans; few pods are searched in full. Where neither settles it, the
//! violation says that not every order was tried, and a plan of ours isn't made if we couldn't find
//! an order ourselves.
//!
//! *Cost.* Passes × members × the counters that they read; a pass binds at least one pod, and
//! mostly a level of all domains.

use super::super::violation::{BindingRule, Violation};
use super::alike::{AlikePods, alike};
use super::final_state::{FinalState, PodsOnNode};
use super::rules::{PodCounter, TopologyRuleSet};
use crate::model::well_known;
use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
mod tests;

/// The most states of an exhaustive search.
const MAX_STATES: usize = 20_000;
/// The most pods that are bound one by one although they hold others up.
const MAX_HARMFUL: u32 = 1_000;
/// The most pods of an exhaustive search.
const MAX_PODS: u64 = 48;

/// Reports a pod that no order of binding gets to its place, if there is one.
pub(super) fn check(state: &FinalState<'_>, rules: &TopologyRuleSet, out: &mut Vec<Violation>) {
    let members = alike(state, rules);
    let mut binder = OrderSearch::new(state, rules, &members);
    if binder.ruled.is_empty() {
        return;
    }
    let stuck = binder.clone();
    binder.bind_greedily();
    let Some(first) = binder.unbound() else { return };
    let mut careful = OrderSearch { reserves: true, ..stuck.clone() };
    careful.bind_greedily();
    if careful.unbound().is_none() {
        return;
    }
    let mut seen = BTreeSet::new();
    let (found, certain) = match stuck.pods() <= MAX_PODS {
        true => (stuck.search(&mut seen), seen.len() < MAX_STATES),
        false => (false, false),
    };
    if !found {
        out.push(binder.violation(first, certain));
    }
}

/// How much a pod that is bound may hold up others that a spread counts it for.
#[derive(Clone, Copy, Eq, PartialEq)]
enum BindingCare {
    /// It goes to a domain of the lowest count.
    Lowest,
    /// Its domain stays open to the others.
    Level,
    /// As it comes.
    None,
}

/// What is bound so far.
///
/// A clone is a state to come back to: counters, what is left, and lists of those concerned.
#[derive(Clone)]
struct OrderSearch<'s, 'a> {
    state: &'s FinalState<'a>,
    rules: &'s TopologyRuleSet,
    /// The plan's pods, each entry for all that take each other's turn.
    members: &'s [AlikePods],
    counters: Vec<PodCounter>,
    /// For each member, how many of its pods aren't bound yet.
    left: Vec<u64>,
    /// Members with a spread or an affinity of their own.
    ruled: Vec<usize>,
    /// Members without, that some counter counts.
    free: Vec<usize>,
    /// For each counter of a spread of which some owner isn't bound yet, its lowest `maxSkew`.
    needed: BTreeMap<usize, u64>,
    /// By counter and domain, what owners of spreads still to be bound there need.
    kept: BTreeMap<(usize, usize), Kept>,
    /// By counter, the lowest count of any domain when all pods are bound.
    last: Vec<u64>,
    /// Whether what owners need in a domain is kept for them.
    reserves: bool,
}

/// What owners of a spread that are still to be bound need in a domain.
#[derive(Clone, Copy)]
struct Kept {
    /// How many of them the spread itself counts.
    counted: u64,
    /// The highest count of the domain at which one of these is counted, bound itself.
    highest: u64,
    /// The highest count at which all of the others are accepted.
    open: u64,
}

/// For each counter of a spread that one of these members has, the lowest `maxSkew`.
fn needed(members: &[AlikePods], rules: &TopologyRuleSet, ruled: &[usize]) -> BTreeMap<usize, u64> {
    let mut needed: BTreeMap<usize, u64> = BTreeMap::new();
    let classes: BTreeSet<usize> =
        ruled.iter().filter_map(|at| members.get(*at)).map(|member| member.class).collect();
    for class in classes {
        let spreads = rules.of_class.get(class).into_iter().flat_map(|rules| &rules.spreads);
        for spread in spreads.filter(|spread| spread.hard) {
            let skew = needed.entry(spread.counter).or_insert(u64::MAX);
            *skew = (*skew).min(spread.max_skew);
        }
    }
    needed
}

/// For each counter, the lowest count of any domain when all pods are bound.
fn last_counts(state: &FinalState<'_>, rules: &TopologyRuleSet, members: &[AlikePods]) -> Vec<u64> {
    let mut counters = rules.counters.clone();
    for of in members {
        let profile = state.hosts.get(of.host).map_or(usize::MAX, |host| host.profile);
        for at in rules.counted_by.get(of.class).into_iter().flatten() {
            let Some(counter) = counters.get_mut(*at) else { continue };
            if let (Some(domain), Some(true)) =
                (rules.domain(counter, of.host), counter.profiles.get(profile))
            {
                let sum = counter.counts.entry(domain).or_insert(0);
                *sum = sum.saturating_add(of.count);
            }
        }
    }
    counters.iter().map(|counter| counter.least(0)).collect()
}

impl<'s, 'a> OrderSearch<'s, 'a> {
    fn new(
        state: &'s FinalState<'a>,
        rules: &'s TopologyRuleSet,
        members: &'s [AlikePods],
    ) -> Self {
        let has_rules = |at: &usize| {
            let class = members.get(*at).and_then(|member| rules.of_class.get(member.class));
            class.is_some_and(|class| {
                !class.affinity.is_empty() || class.spreads.iter().any(|spread| spread.hard)
            })
        };
        let is_counted = |at: &usize| {
            let list = members.get(*at).and_then(|member| rules.counted_by.get(member.class));
            list.is_some_and(|list| !list.is_empty())
        };
        let (ruled, others): (Vec<usize>, Vec<usize>) = (0..members.len()).partition(has_rules);
        let mut binder = Self {
            state,
            rules,
            members,
            counters: rules.counters.clone(),
            left: members.iter().map(|member| member.count).collect(),
            needed: needed(members, rules, &ruled),
            ruled,
            free: others.into_iter().filter(is_counted).collect(),
            kept: BTreeMap::new(),
            last: last_counts(state, rules, members),
            reserves: false,
        };
        binder.keep();
        binder
    }

    /// Works out what is kept for owners of spreads.
    fn keep(&mut self) {
        self.kept.clear();
        for at in &self.ruled {
            let left = self.left.get(*at).copied().unwrap_or(0);
            let Some(of) = self.members.get(*at).filter(|_| left > 0) else { continue };
            let spreads =
                self.rules.of_class.get(of.class).into_iter().flat_map(|class| &class.spreads);
            for spread in spreads.filter(|spread| spread.hard) {
                let Some(counter) = self.counters.get(spread.counter) else { continue };
                let Some(domain) = self.rules.domain(counter, of.host) else { continue };
                let profile = self.state.hosts.get(of.host).map_or(usize::MAX, |host| host.profile);
                if spread.own && counter.profiles.get(profile) != Some(&true) {
                    continue;
                }
                let is_few = counter.domains < spread.min_domains;
                let last = self.last.get(spread.counter).copied().filter(|_| !is_few);
                let reach = spread.max_skew.saturating_add(last.unwrap_or(0));
                let none = Kept { counted: 0, highest: 0, open: u64::MAX };
                let kept = self.kept.entry((spread.counter, domain)).or_insert(none);
                if spread.own {
                    kept.counted = kept.counted.saturating_add(left);
                    kept.highest = kept.highest.max(reach);
                } else {
                    kept.open = kept.open.min(reach);
                }
            }
        }
    }

    /// How many pods of a member leave room in their domains for owners still to come: with one
    /// more these could not all be bound, in whatever order.
    fn spare(&self, member: usize) -> u64 {
        if !self.reserves {
            return u64::MAX;
        }
        let Some(of) = self.members.get(member) else { return 0 };
        let profile = self.state.hosts.get(of.host).map_or(usize::MAX, |host| host.profile);
        let rules = self.rules.of_class.get(of.class);
        let counters = self.rules.counted_by.get(of.class).into_iter().flatten();
        let room = counters.filter_map(|at| {
            let counter = self.counters.get(*at)?;
            let domain = self.rules.domain(counter, of.host)?;
            let kept = self.kept.get(&(*at, domain))?;
            let counts = counter.profiles.get(profile) == Some(&true);
            let owns = rules
                .is_some_and(|own| own.spreads.iter().any(|one| one.hard && one.counter == *at));
            let most = match kept.counted {
                needed if needed > 0 && !owns => kept.open.min(kept.highest.saturating_sub(needed)),
                _ => kept.open,
            };
            counts.then(|| most.saturating_sub(counter.count(domain)))
        });
        room.min().unwrap_or(u64::MAX)
    }

    fn is_over_hosts(&self, counter: &PodCounter) -> bool {
        let key = self.rules.keys.get(counter.key);
        key.is_some_and(|key| well_known::normalized(&key.key) == well_known::HOSTNAME)
    }

    /// How many pods a search would be about.
    fn pods(&self) -> u64 {
        let members = self.ruled.iter().chain(&self.free);
        members.fold(0, |sum, at| sum.saturating_add(self.left_of(*at)))
    }

    fn left_of(&self, member: usize) -> u64 {
        self.left.get(member).copied().unwrap_or(0)
    }

    fn unbound(&self) -> Option<usize> {
        self.ruled.iter().copied().find(|at| self.left_of(*at) > 0)
    }

    /// In order of harm: owners with spreads over several nodes that hold nobody up; others in the
    /// lowest domains; helpers there; the same with less care; and at last one pod that does hold
    /// others up, the one that does so least.
    fn bind_greedily(&mut self) {
        let mut harmful = 0;
        loop {
            let (even, others): (Vec<usize>, Vec<usize>) =
                self.ruled.iter().partition(|at| self.is_even(**at));
            let hold_up =
                if harmful < MAX_HARMFUL { BindingCare::Level } else { BindingCare::None };
            if self.pass(&even, hold_up)
                || self.pass(&others, BindingCare::Lowest)
                || self.help(BindingCare::Lowest)
                || self.pass(&others, hold_up)
                || self.help(BindingCare::Level)
            {
                continue;
            }
            harmful += 1;
            if !self.bind_harmful(&even)
                && !self.bind_harmful(&others)
                && !self.help(BindingCare::None)
            {
                return;
            }
        }
    }

    /// Whether a member has a spread over domains of several nodes: those are the hardest to
    /// please.
    fn is_even(&self, member: usize) -> bool {
        let class = self.members.get(member).and_then(|of| self.rules.of_class.get(of.class));
        let spreads =
            class.into_iter().flat_map(|class| &class.spreads).filter(|spread| spread.hard);
        spreads.into_iter().any(|spread| {
            let counter = self.counters.get(spread.counter);
            counter.is_some_and(|counter| !self.is_over_hosts(counter))
        })
    }

    /// Binds what is accepted of these members; whether there was any.
    fn pass(&mut self, members: &[usize], hold_up: BindingCare) -> bool {
        let mut progress = false;
        for at in members {
            let count = self.accepted(*at).min(self.left_of(*at));
            let count = count.min(self.harmless(*at, hold_up)).min(self.spare(*at));
            if count > 0 {
                self.bind(*at, count);
                progress = true;
            }
        }
        if progress {
            self.ruled.retain(|at| self.left.get(*at).is_some_and(|left| *left > 0));
            self.needed = needed(self.members, self.rules, &self.ruled);
            // What owners bound before others in this pass needed is given free only now.
            self.keep();
        }
        progress
    }

    fn bind(&mut self, member: usize, count: u64) {
        let Some(of) = self.members.get(member) else { return };
        if let Some(left) = self.left.get_mut(member) {
            *left = left.saturating_sub(count);
        }
        let profile = self.state.hosts.get(of.host).map_or(usize::MAX, |host| host.profile);
        for at in self.rules.counted_by.get(of.class).into_iter().flatten() {
            let Some(counter) = self.counters.get_mut(*at) else { continue };
            if let (Some(domain), Some(true)) =
                (self.rules.domain(counter, of.host), counter.profiles.get(profile))
            {
                let sum = counter.counts.entry(domain).or_insert(0);
                *sum = sum.saturating_add(count);
            }
        }
    }

    /// How many pods of a member can be bound now, one after another.
    ///
    /// Kube-scheduler's filters, for several pods of one member in a row: an affinity that is met
    /// stays met, and a spread admits as many as its domain may exceed the lowest count.
    fn accepted(&self, member: usize) -> u64 {
        let Some(of) = self.members.get(member) else { return 0 };
        let Some(rules) = self.rules.of_class.get(of.class) else { return 0 };
        let counters = || rules.affinity.iter().filter_map(|at| self.counters.get(*at));
        let labelled = counters().all(|counter| self.rules.domain(counter, of.host).is_some());
        let met = counters().all(|counter| {
            self.rules.domain(counter, of.host).is_some_and(|domain| counter.count(domain) > 0)
        });
        let first = rules.affinity_to_self && counters().all(|counter| counter.total() == 0);
        if !labelled || !met && !first {
            return 0;
        }
        let mut most = u64::MAX;
        for spread in rules.spreads.iter().filter(|spread| spread.hard) {
            let Some(counter) = self.counters.get(spread.counter) else { return 0 };
            let Some(domain) = self.rules.domain(counter, of.host) else { return 0 };
            let reach = spread.max_skew.saturating_add(counter.least(spread.min_domains));
            let count = counter.count(domain);
            most = match spread.own {
                true => most.min(reach.saturating_sub(count)),
                false if count <= reach => most,
                false => 0,
            };
        }
        most
    }

    /// How many pods of a member can be bound without making a domain so full that others, still to
    /// be bound, could not go there.
    fn harmless(&self, member: usize, hold_up: BindingCare) -> u64 {
        if hold_up == BindingCare::None {
            return u64::MAX;
        }
        let Some(of) = self.members.get(member) else { return 0 };
        let profile = self.state.hosts.get(of.host).map_or(usize::MAX, |host| host.profile);
        let rules = self.rules.of_class.get(of.class);
        let counters = self.rules.counted_by.get(of.class).into_iter().flatten();
        let room = counters.filter_map(|at| {
            let (counter, skew) = (self.counters.get(*at)?, *self.needed.get(at)?);
            let domain = self.rules.domain(counter, of.host)?;
            // On a single node nothing evens out: what owners still to come need there is kept for
            // them.
            let owns = rules.is_some_and(|own| own.spreads.iter().any(|one| one.counter == *at));
            let kept = match self.kept.get(&(*at, domain)) {
                Some(kept) if !owns && self.is_over_hosts(counter) => kept.counted,
                _ => 0,
            };
            (counter.profiles.get(profile) == Some(&true)).then(|| {
                let full = counter.count(domain).saturating_add(kept);
                let skew = match hold_up {
                    BindingCare::Lowest if !self.is_over_hosts(counter) => 1,
                    _ => skew,
                };
                counter.least(0).saturating_add(skew).saturating_sub(full)
            })
        });
        room.min().unwrap_or(u64::MAX)
    }

    /// Binds one accepted pod although it may hold others up: the one that does so least.
    fn bind_harmful(&mut self, members: &[usize]) -> bool {
        let accepted = members
            .iter()
            .copied()
            .filter(|at| self.left_of(*at) > 0 && self.spare(*at) > 0 && self.accepted(*at) > 0);
        let excess = |at: usize| -> u64 {
            let Some(of) = self.members.get(at) else { return u64::MAX };
            let counters = self.rules.counted_by.get(of.class).into_iter().flatten();
            let over = counters.filter_map(|at| {
                let (counter, skew) = (self.counters.get(*at)?, *self.needed.get(at)?);
                let count = counter.count(self.rules.domain(counter, of.host)?);
                Some(count.saturating_sub(counter.least(0).saturating_add(skew)))
            });
            over.sum()
        };
        let Some(at) = accepted.min_by_key(|at| (excess(*at), *at)) else { return false };
        self.bind(at, 1);
        self.ruled.retain(|at| self.left.get(*at).is_some_and(|left| *left > 0));
        self.keep();
        true
    }

    /// Binds one pod without rules that a stuck one waits for, if careful one that holds up nobody;
    /// whether there was any.
    fn help(&mut self, hold_up: BindingCare) -> bool {
        for at in self.ruled.clone() {
            if let Some(helper) = self.helper(at, hold_up) {
                self.bind(helper, 1);
                return true;
            }
        }
        false
    }

    fn helper(&self, member: usize, hold_up: BindingCare) -> Option<usize> {
        let of = self.members.get(member)?;
        let rules = self.rules.of_class.get(of.class)?;
        let affinity: Vec<&PodCounter> =
            rules.affinity.iter().filter_map(|at| self.counters.get(*at)).collect();
        let missing = affinity.iter().any(|counter| {
            self.rules.domain(counter, of.host).is_none_or(|domain| counter.count(domain) == 0)
        });
        let mut free = self
            .free
            .iter()
            .copied()
            .filter(|at| self.left_of(*at) > 0 && self.spare(*at) > 0)
            .filter(|at| self.harmless(*at, hold_up) > 0);
        if missing {
            return free.find(|at| {
                self.members.get(*at).is_some_and(|other| {
                    affinity.iter().all(|counter| {
                        counter.classes.binary_search(&other.class).is_ok()
                            && self.rules.domain(counter, other.host)
                                == self.rules.domain(counter, of.host)
                    })
                })
            });
        }
        for spread in rules.spreads.iter().filter(|spread| spread.hard) {
            let counter = self.counters.get(spread.counter)?;
            let least = counter.least(spread.min_domains);
            let low = free.find(|at| {
                self.members.get(*at).is_some_and(|other| {
                    let profile =
                        self.state.hosts.get(other.host).map_or(usize::MAX, |host| host.profile);
                    counter.classes.binary_search(&other.class).is_ok()
                        && counter.profiles.get(profile) == Some(&true)
                        && self
                            .rules
                            .domain(counter, other.host)
                            .is_some_and(|domain| counter.count(domain) == least)
                        && self.rules.domain(counter, other.host)
                            != self.rules.domain(counter, of.host)
                })
            });
            if low.is_some() {
                return low;
            }
        }
        None
    }

    /// Tries every order, one pod at a time.
    ///
    /// Depth first over which member is next, each state once; [`MAX_STATES`] bounds it.
    fn search(self, seen: &mut BTreeSet<Vec<u64>>) -> bool {
        if self.unbound().is_none() {
            return true;
        }
        if seen.len() >= MAX_STATES || !seen.insert(self.left.clone()) {
            return false;
        }
        let moves: Vec<usize> = self
            .ruled
            .iter()
            .chain(&self.free)
            .copied()
            .filter(|at| self.left_of(*at) > 0 && self.accepted(*at) > 0)
            .collect();
        moves.into_iter().any(|at| {
            let mut next = self.clone();
            next.bind(at, 1);
            next.search(seen)
        })
    }

    /// What holds up a member that can't be bound.
    fn violation(&self, member: usize, certain: bool) -> Violation {
        let of = self.first_unbound(member);
        let place = of.and_then(|of| self.state.hosts.get(of.host)).map(|host| host.place.clone());
        Violation::NoBindingOrder {
            pod: of.map_or_else(|| "".into(), |of| of.first.clone()),
            place: place.unwrap_or(super::super::violation::PlanPlace::Unschedulable),
            rule: self.broken(member),
            certain,
        }
    }

    /// The first of a member's pods that isn't bound: they are bound in turn.
    fn first_unbound(&self, member: usize) -> Option<&PodsOnNode> {
        let of = self.members.get(member)?;
        let mut bound = of.count.saturating_sub(self.left_of(member));
        let mut placed = of.placed.iter().filter_map(|at| self.state.placed.get(*at));
        placed.find(|pods| {
            let is_here = bound < pods.count;
            bound = bound.saturating_sub(pods.count);
            is_here
        })
    }

    fn broken(&self, member: usize) -> BindingRule {
        let none = || BindingRule::Affinity { key: "".into() };
        let Some(of) = self.members.get(member) else { return none() };
        let Some(rules) = self.rules.of_class.get(of.class) else { return none() };
        let spreads = rules.spreads.iter().filter(|spread| spread.hard);
        for spread in spreads {
            let Some(counter) = self.counters.get(spread.counter) else { continue };
            let Some(key) = self.rules.keys.get(counter.key) else { continue };
            let domain = self.rules.domain(counter, of.host);
            let least = counter.least(spread.min_domains);
            let count = domain.map_or(0, |domain| counter.count(domain));
            let sum = count.saturating_add(u64::from(spread.own));
            if domain.is_none() || sum > least.saturating_add(spread.max_skew) {
                return BindingRule::Spread {
                    key: key.key.clone(),
                    domain: domain.and_then(|domain| key.names.get(domain).cloned()),
                    count,
                    least,
                    max_skew: spread.max_skew,
                };
            }
        }
        let affinity =
            rules.affinity.iter().filter_map(|at| self.counters.get(*at)).find(|counter| {
                self.rules.domain(counter, of.host).is_none_or(|domain| counter.count(domain) == 0)
            });
        let key = affinity.and_then(|counter| self.rules.keys.get(counter.key));
        BindingRule::Affinity { key: key.map_or_else(|| "".into(), |key| key.key.clone()) }
    }
}
