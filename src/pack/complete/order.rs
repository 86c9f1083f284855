//! Whether an order of binding exists in which kube-scheduler accepts every pod of a plan.
//!
//! *Problem.* Spreads and affinity are judged as each pod is bound, with all nodes of the plan
//! standing. A change that isn't the adding of a last pod needs a new order.
//!
//! *Idea.* Pods are bound lowest domain first, classes interleaved: of all that are accepted those
//! come first that raise a domain least above the lowest, as far as any pod still to come has a
//! spread that reads it. Pods without ordered rules can come at any time; they are kept back until
//! one is needed, for an affinity or to raise a domain that holds others down.
//!
//! *Why it is right.* Each step is one that kube-scheduler accepts, so a full order found is a
//! proof; where none is found there may be one all the same, and the change isn't made.
//!
//! *Cost.* Steps × (groups of equal pods on equal nodes + domains); a step binds as many pods as
//! stay level.

use super::placement::Placement;
use super::rules::{HostSpread, PlacementRules};
use crate::compile::{ClassId, SelectionId};
use std::collections::{BTreeMap, BTreeSet};

/// The most steps, times members, of one look for an order.
const MOST_WORK: usize = 4_000_000;

/// Pods of one class on one group of nodes.
struct GroupMember {
    class: ClassId,
    group: usize,
    site: usize,
    /// How many aren't bound yet.
    left: i64,
    all: i64,
    /// Whether it has rules that depend on the order.
    ordered: bool,
}

/// What is bound so far.
struct BindingOrder<'a, 'c> {
    placement: &'a Placement<'c>,
    rules: &'c PlacementRules,
    members: Vec<GroupMember>,
    counts: Vec<Vec<i64>>,
    /// By counter, the lowest count of a domain that exists, and how many exist: what is asked of
    /// every member in every step, and changes by a step.
    lowest: Vec<(i64, usize)>,
    totals: Vec<u64>,
    /// By group, the members on it.
    on_group: Vec<Vec<usize>>,
    /// By counter, how many pods of its owners aren't bound yet.
    waiting: Vec<i64>,
    /// Whether the caller's wish to stop ends the look.
    on_trial: bool,
}

/// Whether there is an order for the pods of these components, given by their first classes;
/// `None`: of all.
pub(super) fn exists(placement: &Placement<'_>, components: Option<&BTreeSet<ClassId>>) -> bool {
    is_found(placement, components, false)
}

/// As [`exists`] for these components, of a change that is thrown away where the caller wishes to
/// stop: no order is found then.
pub(super) fn exists_on_trial(placement: &Placement<'_>, components: &BTreeSet<ClassId>) -> bool {
    is_found(placement, Some(components), true)
}

fn is_found(
    placement: &Placement<'_>,
    components: Option<&BTreeSet<ClassId>>,
    on_trial: bool,
) -> bool {
    let rules = placement.rules;
    let mut binder = BindingOrder {
        placement,
        rules,
        members: Vec::new(),
        counts: rules.counters.iter().map(|counter| counter.bound.clone()).collect(),
        lowest: Vec::new(),
        totals: Vec::new(),
        on_group: vec![Vec::new(); placement.groups.len()],
        waiting: vec![0; rules.counters.len()],
        on_trial,
    };
    binder.totals.extend(rules.totals.iter().map(|selection| {
        let bound = &placement.compiled().topology.selections[*selection].bound;
        bound.iter().map(|(_, count)| u64::from(*count)).sum::<u64>()
    }));
    for (group, nodes) in placement.groups.iter().enumerate() {
        for (class, each) in &nodes.pods {
            let of_class = &rules.of_class[*class];
            let concerned = components.is_none_or(|some| some.contains(&rules.component[*class]));
            let counted = !of_class.counted_by.is_empty() || !of_class.totals.is_empty();
            // Skews over single nodes are kept in any order, unless some hold more than a fresh one
            // would allow.
            let on_hosts = of_class.is_on_hosts || !of_class.host_spreads.is_empty();
            let on_hosts = on_hosts && placement.beside_hosts;
            let counted = counted || of_class.is_ordered() || on_hosts;
            if !concerned || !counted {
                continue;
            }
            let all = i64::from(*each) * i64::from(nodes.count);
            let ordered = of_class.is_ordered() || !of_class.host_spreads.is_empty();
            binder.on_group[group].push(binder.members.len());
            binder.members.push(GroupMember {
                class: *class,
                group,
                site: nodes.site,
                left: all,
                all,
                ordered,
            });
            for spread in &of_class.spreads {
                binder.waiting[spread.counter] += all;
            }
        }
    }
    binder.lowest = (0..rules.counters.len()).map(|counter| binder.lowest_of(counter)).collect();
    let mut of_component: BTreeMap<ClassId, Vec<usize>> = BTreeMap::new();
    for (at, member) in binder.members.iter().enumerate() {
        of_component.entry(rules.component[member.class]).or_default().push(at);
    }
    of_component.values().all(|members| binder.bind(members))
}

impl BindingOrder<'_, '_> {
    /// Binds the pods of one component, which no other's hold down.
    fn bind(&mut self, members: &[usize]) -> bool {
        let ordered = members.iter().copied().filter(|at| self.members[*at].ordered);
        let mut open: Vec<usize> = ordered.collect();
        let mut work = 0;
        while !open.is_empty() {
            work += members.len();
            if work > MOST_WORK || self.on_trial && self.placement.context.is_stopped() {
                return false;
            }
            let best = open
                .iter()
                .filter_map(|at| self.step(*at).map(|(excess, count)| (excess, *at, count)))
                .min_by_key(|(excess, at, _)| (*excess, *at));
            match best {
                Some((excess, at, count)) if excess <= 0 => self.put(at, count),
                _ => match self.helper(members, &open).or(best.map(|(_, at, _)| at)) {
                    Some(at) => self.put(at, 1),
                    None => match self.any_helper(members) {
                        Some(at) => self.put(at, 1),
                        None => return false,
                    },
                },
            }
            open.retain(|at| self.members[*at].left > 0);
        }
        true
    }

    fn put(&mut self, at: usize, count: i64) {
        let member = &mut self.members[at];
        member.left -= count;
        let (class, site) = (member.class, member.site);
        let of_class = &self.rules.of_class[class];
        for counter in &of_class.counted_by {
            let domain = self.rules.domain(self.placement.compiled(), *counter, site);
            if let Some(domain) = domain {
                self.counts[*counter][domain] += count;
                self.lowest[*counter] = self.lowest_of(*counter);
            }
        }
        for total in &of_class.totals {
            self.totals[*total] = self.totals[*total].saturating_add_signed(count);
        }
        of_class.spreads.iter().for_each(|spread| self.waiting[spread.counter] -= count);
    }

    /// The lowest count of a counter's domains, 0 where fewer exist than a spread asks for.
    fn least(&self, counter: usize, min_domains: usize) -> i64 {
        let (lowest, number) = self.lowest[counter];
        if number < min_domains { 0 } else { lowest }
    }

    fn lowest_of(&self, counter: usize) -> (i64, usize) {
        let domains = self.counts[counter].iter().zip(&self.placement.domains.exists[counter]);
        let open = domains.filter(|(_, exists)| **exists > 0).map(|(count, _)| *count);
        let number = open.clone().count();
        (open.min().unwrap_or(0), number)
    }

    /// How many pods of a member are accepted now, and how far above what keeps others' way open
    /// the first raises a domain; at most so many that it stays so.
    fn step(&self, at: usize) -> Option<(i64, i64)> {
        let member = &self.members[at];
        let accepted = self.accepted(at).min(member.left);
        if accepted <= 0 {
            return None;
        }
        let (mut excess, mut level) = (i64::MIN, i64::MAX);
        for counter in &self.rules.of_class[member.class].counted_by {
            if self.waiting[*counter] <= 0 {
                continue;
            }
            let domain = self.rules.domain(self.placement.compiled(), *counter, member.site);
            let Some(domain) = domain else { continue };
            let above = self.counts[*counter][domain] - self.least(*counter, 0);
            excess = excess.max(above + 1 - self.rules.counters[*counter].skew);
            level = level.min(1.max(self.rules.counters[*counter].skew - above));
        }
        // On a single node nothing evens out: what owners still to come need there is kept for
        // them.
        if self.crowds_out(at) {
            excess = excess.max(1);
            level = 1;
        }
        Some((excess, accepted.min(level)))
    }

    /// How many pods of a selection are bound on all nodes of a group together.
    fn on_nodes(&self, group: usize, selection: SelectionId) -> i64 {
        let topology = &self.placement.compiled().topology;
        let members = self.on_group[group].iter().map(|at| &self.members[*at]);
        let selected = members.filter(|member| topology.selects(selection, member.class));
        selected.map(|member| member.all - member.left).sum()
    }

    /// The lowest count of a spread over single nodes, of pods bound so far; 0 where the nodes are
    /// fewer than it asks for, or where a fresh node counts.
    fn lowest_on_hosts(&self, spread: &HostSpread) -> i64 {
        if self.placement.counts_fresh_host {
            return 0;
        }
        let (mut lowest, mut hosts) = (i64::MAX, 0_u64);
        for (group, nodes) in self.placement.groups.iter().enumerate() {
            if nodes.count == 0 || !spread.counted.contains(nodes.site) {
                continue;
            }
            let each = self.on_nodes(group, spread.selection) / i64::from(nodes.count);
            let bound = self.placement.bound_on(nodes, spread.selection);
            lowest = lowest.min(each + i64::from(bound));
            hosts = hosts.saturating_add(nodes.count.into());
        }
        let is_few = usize::try_from(hosts).is_ok_and(|hosts| hosts < spread.min_domains);
        if is_few || hosts == 0 { 0 } else { lowest }
    }

    /// Whether another pod of a member leaves too little room for owners of a spread over single
    /// nodes that count it and aren't bound yet.
    fn crowds_out(&self, at: usize) -> bool {
        let member = &self.members[at];
        let topology = &self.placement.compiled().topology;
        let nodes = &self.placement.groups[member.group];
        self.on_group[member.group].iter().filter(|other| **other != at).any(|other| {
            let owner = &self.members[*other];
            let spreads = &self.rules.of_class[owner.class].host_spreads;
            owner.left > 0
                && spreads.iter().any(|spread| {
                    let bound = self.placement.bound_on(nodes, spread.selection);
                    let room = (spread.max_skew - i64::from(bound)) * i64::from(nodes.count);
                    spread.counted.contains(nodes.site)
                        && topology.selects(spread.selection, member.class)
                        && self.on_nodes(member.group, spread.selection)
                            + 1
                            + owner.left * i64::from(spread.own)
                            > room + i64::from(!spread.own) * i64::from(nodes.count - 1)
                })
        })
    }

    fn accepted(&self, at: usize) -> i64 {
        let member = &self.members[at];
        let rules = &self.rules.of_class[member.class];
        let compiled = self.placement.compiled();
        let domain = |counter: usize| self.rules.domain(compiled, counter, member.site);
        let mut most = i64::MAX;
        if let Some(affinity) = rules.affinity {
            let met = rules
                .affinity_counters
                .iter()
                .all(|at| domain(*at).is_some_and(|domain| self.counts[*at][domain] > 0));
            let met = met && (!affinity.over_hosts || self.is_on_nodes(member, affinity.selection));
            if !met {
                if !affinity.own || !rules.is_first(&affinity, &self.totals, &self.counts) {
                    return 0;
                }
                most = 1;
            }
        }
        let nodes = &self.placement.groups[member.group];
        for spread in rules.host_spreads.iter().filter(|one| one.counted.contains(member.site)) {
            let bound = self.placement.bound_on(nodes, spread.selection);
            let mut room = (spread.max_skew - i64::from(bound)) * i64::from(nodes.count)
                - self.on_nodes(member.group, spread.selection);
            // Above the skew, what all others hold is looked at.
            if self.placement.beside_hosts && room < i64::from(spread.own) {
                room += self.lowest_on_hosts(spread) * i64::from(nodes.count);
            }
            most = match spread.own {
                true => most.min(room),
                false if room >= 0 => most,
                false => 0,
            };
        }
        for spread in &rules.spreads {
            let Some(domain) = domain(spread.counter) else { return 0 };
            let reach = spread.max_skew + self.least(spread.counter, spread.min_domains);
            let room = reach - self.counts[spread.counter][domain];
            most = match spread.own {
                true => most.min(room),
                false if room >= 0 => most,
                false => 0,
            };
        }
        most
    }

    /// Whether pods of a selection are bound on every node of a member's group.
    fn is_on_nodes(&self, member: &GroupMember, selection: SelectionId) -> bool {
        let nodes = &self.placement.groups[member.group];
        self.placement.bound_on(nodes, selection) > 0
            || self.on_nodes(member.group, selection) >= i64::from(nodes.count)
    }

    /// A pod without ordered rules that one that isn't accepted waits for, and that holds up
    /// nobody.
    fn helper(&self, members: &[usize], open: &[usize]) -> Option<usize> {
        let compiled = self.placement.compiled();
        let free: Vec<usize> = members
            .iter()
            .copied()
            .filter(|at| !self.members[*at].ordered && self.members[*at].left > 0)
            .filter(|at| self.step(*at).is_some_and(|(excess, _)| excess <= 0))
            .collect();
        if free.is_empty() {
            return None;
        }
        for at in open.iter().filter(|at| self.accepted(**at) <= 0) {
            let member = &self.members[*at];
            let rules = &self.rules.of_class[member.class];
            let same = |other: &GroupMember, counter: usize| {
                let one = self.rules.domain(compiled, counter, member.site);
                one.is_some() && one == self.rules.domain(compiled, counter, other.site)
            };
            if let Some(affinity) = rules.affinity {
                let needed = free.iter().find(|other| {
                    let other = &self.members[**other];
                    compiled.topology.selects(affinity.selection, other.class)
                        && (!affinity.over_hosts || other.group == member.group)
                        && rules.affinity_counters.iter().all(|counter| same(other, *counter))
                });
                if let Some(needed) = needed {
                    return Some(*needed);
                }
            }
            for spread in &rules.spreads {
                let least = self.least(spread.counter, spread.min_domains);
                let lowest = free.iter().find(|other| {
                    let other = &self.members[**other];
                    let domain = self.rules.domain(compiled, spread.counter, other.site);
                    self.rules.of_class[other.class].counted_by.contains(&spread.counter)
                        && domain.is_some_and(|at| self.counts[spread.counter][at] == least)
                        && !same(other, spread.counter)
                });
                if let Some(lowest) = lowest {
                    return Some(*lowest);
                }
            }
        }
        None
    }

    /// Any pod without ordered rules that is left.
    fn any_helper(&self, members: &[usize]) -> Option<usize> {
        members.iter().copied().find(|at| !self.members[*at].ordered && self.members[*at].left > 0)
    }
}
