//! Whether the pods of a plan can be bound one after another.
//!
//! *Problem.* kube-scheduler binds pod by pod, and each has to pass its filters among those bound
//! before it. What a plan looks like in the end says little of that: a spread is kept as of the
//! moment of binding, and an affinity needs somebody to be there first.
//!
//! *Idea.* A search over the sets of pods that are bound, one pod at a time, those first whose
//! domains have the fewest of what counts them. A pod that nothing counts against anybody is bound
//! as soon as it is accepted: it can hold up nobody. Pods of one class on one node are alike, so a
//! set is a number for each class and node.
//!
//! *Cost.* At most [`MOST_STATES`] sets; where these don't suffice there is taken to be no order.

use super::super::tuning::order::MOST_STATES;
use crate::compile::{
    Base, Bits, ClassId, NO_DOMAIN, NodeId, SelectionId, TopologyKey, TopologySpread,
};
use crate::pack::Context;
use std::collections::BTreeSet;

/// What counts for spreads beside the nodes that stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaunchableCounts {
    /// Whether domains do in which pods concerned could launch.
    pub(super) domains: bool,
    /// Whether a fresh node does for spreads over nodes.
    pub(super) hosts: bool,
}

/// A node that stands in the finished plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlanHost {
    pub(super) site: usize,
    /// Of a running node which it is.
    pub(super) node: Option<NodeId>,
}

/// Pods of a class on a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostPods {
    pub(super) class: ClassId,
    /// The place of the node in the list.
    pub(super) host: usize,
    pub(super) count: u32,
}

/// A domain: of a key, or a node.
type Domain = usize;

/// A required spread of a class, as a search needs it.
struct RequiredSpread {
    selection: SelectionId,
    selects_own: bool,
    skew: i64,
    min_domains: usize,
    /// For each node its domain.
    domains: Vec<Option<Domain>>,
    /// For each node, whether its pods count.
    counted: Vec<bool>,
    /// All domains that count, with what is bound there.
    base: Vec<(Domain, i64)>,
    /// Whether an empty node could always be launched, so that the lowest count is 0.
    is_even: bool,
}

/// A required affinity of a class.
struct AffinityDomains {
    selection: SelectionId,
    selects_own: bool,
    /// For each key, the domain of each node, and those in which bound pods are.
    over: Vec<(Vec<Option<Domain>>, BTreeSet<Domain>)>,
}

/// The nodes and pods of a plan.
pub(super) struct PlanState<'a> {
    base: &'a Base,
    members: Vec<HostPods>,
    spreads: Vec<Vec<RequiredSpread>>,
    affinity: Vec<Option<AffinityDomains>>,
    /// For each member, whether any spread counts it.
    is_counted: Vec<bool>,
}

fn domain(
    base: &Base,
    hosts: &[PlanHost],
    host: usize,
    topology_key: TopologyKey,
) -> Option<Domain> {
    match topology_key {
        TopologyKey::Hostname => Some(host),
        TopologyKey::Label(key) => {
            let domain = base.topology.keys[key].of_site[hosts[host].site];
            (domain != NO_DOMAIN).then_some(domain as usize)
        }
    }
}

impl<'a> PlanState<'a> {
    pub(super) fn new(
        context: &Context<'a>,
        counting: LaunchableCounts,
        hosts: &[PlanHost],
        members: Vec<HostPods>,
    ) -> Self {
        let base: &'a Base = context.compiled;
        let spreads: Vec<Vec<RequiredSpread>> = members
            .iter()
            .map(|member| {
                let hard = base.topology.rules[member.class].spreads.iter().filter(|one| one.hard);
                let of =
                    |spread| RequiredSpread::new(context, counting, hosts, member.class, spread);
                hard.map(of).collect()
            })
            .collect();
        let affinity = members.iter().map(|member| {
            let required = base.topology.rules[member.class].affinity.as_ref()?;
            let topology_key = required.key.iter().map(|topology_key| {
                let of_host: Vec<Option<Domain>> =
                    (0..hosts.len()).map(|host| domain(base, hosts, host, *topology_key)).collect();
                let bound = base.topology.selections[required.selection].bound.iter();
                let bound = bound.filter_map(|(node, _)| {
                    of_host[hosts.iter().position(|host| host.node == Some(*node))?]
                });
                let bound = bound.collect();
                (of_host, bound)
            });
            Some(AffinityDomains {
                selection: required.selection,
                selects_own: base.topology.selects(required.selection, member.class),
                over: topology_key.collect(),
            })
        });
        let affinity = affinity.collect();
        let selections: BTreeSet<SelectionId> =
            spreads.iter().flatten().map(|rule| rule.selection).collect();
        let is_counted = members.iter().map(|member| {
            selections.iter().any(|selection| base.topology.selects(*selection, member.class))
        });
        Self { is_counted: is_counted.collect(), base, members, spreads, affinity }
    }

    /// Whether no pod is where the anti-affinity of another keeps it out.
    pub(super) fn keeps_anti_affinity(&self, hosts: &[PlanHost]) -> bool {
        let topology = &self.base.topology;
        self.members.iter().enumerate().all(|(at, owner)| {
            topology.rules[owner.class].anti_affinity.iter().all(|term| {
                let here = domain(self.base, hosts, owner.host, term.key);
                let others = self.members.iter().enumerate().filter(|(_, other)| {
                    topology.selects(term.selection, other.class)
                        && here.is_some()
                        && here == domain(self.base, hosts, other.host, term.key)
                });
                others.map(|(other, member)| member.count - u32::from(other == at)).sum::<u32>()
                    == 0
            })
        })
    }

    /// Whether there is an order in which all can be bound.
    pub(super) fn has_order(&self) -> bool {
        let left: Vec<u32> = self.members.iter().map(|member| member.count).collect();
        self.search(left, &mut BTreeSet::new())
    }

    fn search(&self, mut left: Vec<u32>, seen: &mut BTreeSet<Vec<u32>>) -> bool {
        // What nothing counts only helps.
        loop {
            let free = (0..left.len())
                .find(|at| left[*at] > 0 && !self.is_counted[*at] && self.accepts(*at, &left));
            let Some(at) = free else { break };
            left[at] = 0;
        }
        if left.iter().all(|left| *left == 0) {
            return true;
        }
        if seen.len() >= MOST_STATES || !seen.insert(left.clone()) {
            return false;
        }
        let mut moves: Vec<(i64, usize)> = (0..left.len())
            .filter(|at| left[*at] > 0 && self.accepts(*at, &left))
            .map(|at| (self.height(at, &left), at))
            .collect();
        moves.sort_unstable();
        moves.into_iter().any(|(_, at)| {
            let mut next = left.clone();
            next[at] -= 1;
            self.search(next, seen)
        })
    }

    /// How many pods of a member are bound.
    fn bound(&self, at: usize, left: &[u32]) -> i64 {
        i64::from(self.members[at].count - left[at])
    }

    /// How many pods that a rule counts are in a domain, and what the lowest has.
    fn counts(&self, rule: &RequiredSpread, here: Domain, left: &[u32]) -> (i64, i64) {
        let mut counts = rule.base.clone();
        let mut own = 0;
        for (at, member) in self.members.iter().enumerate() {
            let counted = rule.counted[member.host]
                && self.base.topology.selects(rule.selection, member.class);
            let Some(domain) = rule.domains[member.host].filter(|_| counted) else { continue };
            let bound = self.bound(at, left);
            if let Some((_, count)) = counts.iter_mut().find(|(of, _)| *of == domain) {
                *count += bound;
            }
            own += if domain == here { bound } else { 0 };
        }
        let of_here = rule.base.iter().find(|(of, _)| *of == here).map_or(0, |(_, count)| *count);
        let lowest = counts.iter().map(|(_, count)| *count).min().unwrap_or(0);
        let few = counts.len() < rule.min_domains || rule.is_even;
        (own + of_here, if few { 0 } else { lowest })
    }

    /// Whether kube-scheduler's filters accept one more pod of a member.
    fn accepts(&self, at: usize, left: &[u32]) -> bool {
        let member = &self.members[at];
        if let Some(affinity) = &self.affinity[at] {
            let in_domains = |(of_host, bound): &(Vec<Option<Domain>>, BTreeSet<Domain>),
                              any: bool| {
                let here = of_host[member.host];
                let placed = self.members.iter().enumerate().any(|(other, of)| {
                    self.bound(other, left) > 0
                        && self.base.topology.selects(affinity.selection, of.class)
                        && of_host[of.host].is_some()
                        && (any || of_host[of.host] == here)
                });
                placed
                    || if any {
                        !bound.is_empty()
                    } else {
                        here.is_some_and(|here| bound.contains(&here))
                    }
            };
            let labelled = affinity.over.iter().all(|(of_host, _)| of_host[member.host].is_some());
            let met = affinity.over.iter().all(|over| in_domains(over, false));
            let first =
                affinity.selects_own && !affinity.over.iter().any(|over| in_domains(over, true));
            if !labelled || !met && !first {
                return false;
            }
        }
        self.spreads[at].iter().all(|rule| {
            let Some(here) = rule.domains[member.host] else { return false };
            let (count, lowest) = self.counts(rule, here, left);
            count + i64::from(rule.selects_own) <= lowest + rule.skew
        })
    }

    /// How far the domain of a member is above the lowest for those that count it.
    fn height(&self, at: usize, left: &[u32]) -> i64 {
        let member = &self.members[at];
        let heights = self.spreads.iter().flatten().filter_map(|rule| {
            let counted = rule.counted[member.host]
                && self.base.topology.selects(rule.selection, member.class);
            let here = rule.domains[member.host].filter(|_| counted)?;
            let (count, lowest) = self.counts(rule, here, left);
            Some(count - lowest)
        });
        heights.max().unwrap_or(0)
    }
}

impl RequiredSpread {
    fn new(
        context: &Context<'_>,
        counting: LaunchableCounts,
        hosts: &[PlanHost],
        class: ClassId,
        spread: &TopologySpread,
    ) -> Self {
        let base = context.compiled;
        let domains: Vec<Option<Domain>> =
            (0..hosts.len()).map(|host| domain(base, hosts, host, spread.key)).collect();
        let is_counted = |bits: &Bits, host: &PlanHost| bits.contains(host.site);
        let counted: Vec<bool> =
            hosts.iter().map(|host| is_counted(&spread.counted, host)).collect();
        let mut standing: BTreeSet<Domain> = (0..hosts.len())
            .filter(|host| counted[*host])
            .filter_map(|host| domains[host])
            .collect();
        if let TopologyKey::Label(key) = spread.key {
            let concerned = base.topology.selections[spread.selection].classes.iter().copied();
            for class in concerned.chain([class]) {
                let launches = counting.domains;
                let open =
                    super::domain_constraint::open(context, launches, class, key, &spread.counted);
                standing.extend(open.into_iter().map(|domain| domain as usize));
            }
        }
        let bound = &base.topology.selections[spread.selection].bound;
        let of_domain = |of: Domain| -> i64 {
            let here = bound.iter().filter(|(node, _)| {
                let host = hosts.iter().position(|host| host.node == Some(*node));
                host.is_some_and(|host| counted[host] && domains[host] == Some(of))
            });
            here.map(|(_, count)| i64::from(*count)).sum()
        };
        Self {
            selection: spread.selection,
            selects_own: base.topology.selects(spread.selection, class),
            skew: spread.max_skew,
            min_domains: spread.min_domains,
            base: standing.into_iter().map(|of| (of, of_domain(of))).collect(),
            domains,
            counted,
            is_even: spread.key == TopologyKey::Hostname && counting.hosts,
        }
    }
}
