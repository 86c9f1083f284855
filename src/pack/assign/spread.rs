//! Spreading a class over its cells, one pod after another until the counts repeat.
//!
//! Each pod goes to a cell where kube-scheduler would accept it: for each spread the count of the
//! cell's domain, this pod included, exceeds the lowest count of any domain by `maxSkew` at most.
//! Of those it takes the one that honours most preferences, then the cheapest, then the emptiest.
//! What is legal depends on the differences between counts alone; so once the differences are what
//! they were some steps ago, those steps are repeated as often as pods are left.
//!
//! Source: kube-scheduler's `PodTopologySpread` filter,
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>.

use super::DomainAssigner;
use super::cell::holds_any;
use super::spread_state::{CompanionCounts, DomainCounts, SpreadState};
use crate::compile::{
    AffinityTerm, Bits, ClassId, Id, Item, KeyId, NodeId, RequiredAffinity, SelectionId,
    TopologyKey,
};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// Whom a pod needs and who may have to be bound in its domains before it, although nobody is
/// counted there yet: a spread judges the pod with them in place, be it one of those that it counts
/// or not.
#[derive(Clone, Copy, Debug)]
pub(super) enum Companions<'a> {
    Nobody,
    /// These, on the same node.
    Shared(&'a [(ClassId, u32)]),
    /// One of those, in the same domains.
    Affinity(&'a RequiredAffinity),
}

/// What a domain has for a spread of pods with some rules about nodes.
#[derive(Debug)]
pub(super) struct DomainReach {
    /// The counted offers that they may use.
    offers: Bits,
    /// Whether a counted node runs there.
    exists: bool,
}

/// By rules, key and the sites on which the spread counts, for each domain.
pub(super) type DomainReaches = BTreeMap<(usize, KeyId, Arc<Bits>), Vec<DomainReach>>;

/// What one pod of a class looks at before it chooses a cell.
#[derive(Debug, Default)]
pub(super) struct CellRules {
    pub(super) spreads: Vec<SpreadState>,
    /// Keys over which no two pods of the class may be in one domain.
    pub(super) alone: Vec<KeyId>,
    pub(super) preferred_affinity: Vec<(u32, SelectionId, KeyId)>,
    pub(super) preferred_anti_affinity: Vec<(u32, SelectionId, KeyId)>,
}

/// The weight of a spread that may be broken, beside preferences of 1 to 100.
const SOFT_SPREAD: u32 = 100;

impl DomainAssigner<'_> {
    /// Whether the pods of a class have to be placed one by one.
    pub(super) fn steps(&self, class: ClassId) -> bool {
        let rules = self.rules(class);
        !(rules.spreads.is_empty()
            && rules.alone.is_empty()
            && rules.preferred_affinity.is_empty()
            && rules.preferred_anti_affinity.is_empty())
    }

    /// Starts to count for the spreads of a class.
    pub(super) fn keep_tallies(&mut self, class: ClassId) {
        for spread in &self.topology.rules[class].spreads {
            let TopologyKey::Label(key) = spread.key else { continue };
            let tallies = self.domain_counts.entry((spread.selection, key)).or_default();
            if tallies.iter().all(|domain_counts| domain_counts.counted != spread.counted) {
                let none = vec![0; self.topology.keys[key].domains.len()];
                tallies.push(DomainCounts {
                    counted: spread.counted.clone(),
                    least: none.clone(),
                    most: none,
                });
            }
        }
    }

    /// What each pod of a class looks at.
    pub(super) fn rules(&self, class: ClassId) -> Rc<CellRules> {
        self.classes[class].rules.clone()
    }

    /// Made once for a class: what bound pods count for, and which domains are open, don't change
    /// while classes are placed.
    pub(super) fn rules_of(&self, class: ClassId) -> CellRules {
        let rules = &self.topology.rules[class];
        let preferring = self.is_preferring(class);
        let spreads = rules.spreads.iter().filter(|spread| spread.hard || preferring);
        let spreads = spreads.filter_map(|spread| {
            let TopologyKey::Label(key) = spread.key else { return None };
            let tallies = self.domain_counts.get(&(spread.selection, key))?;
            let domain_counts =
                tallies.iter().position(|domain_counts| domain_counts.counted == spread.counted)?;
            let bound = self.bound(spread.selection, key, Some(&spread.counted));
            let open = self.open_domains(class, key, spread.selection, &spread.counted);
            let few = open.iter().filter(|open| **open).count() < spread.min_domains;
            Some(SpreadState {
                key,
                selection: spread.selection,
                domain_counts,
                max_skew: spread.max_skew,
                hard: spread.hard,
                own: i64::from(self.topology.selects(spread.selection, class)),
                bound,
                open,
                few,
            })
        });
        let spreads = spreads.collect();
        let alone =
            rules.anti_affinity.iter().filter(|term| self.topology.selects(term.selection, class));
        let alone = alone.filter_map(|term| match term.key {
            TopologyKey::Hostname => None,
            TopologyKey::Label(key) => Some(key),
        });
        let preferred_terms =
            |preferred_terms: &[(u8, AffinityTerm)]| -> Vec<(u32, SelectionId, KeyId)> {
                let over_keys =
                    preferred_terms.iter().filter_map(|(weight, term)| match term.key {
                        TopologyKey::Hostname => None,
                        TopologyKey::Label(key) => Some((u32::from(*weight), term.selection, key)),
                    });
                if preferring { over_keys.collect() } else { Vec::new() }
            };
        CellRules {
            spreads,
            alone: alone.collect(),
            preferred_affinity: preferred_terms(&rules.preferred_affinity),
            preferred_anti_affinity: preferred_terms(&rules.preferred_anti_affinity),
        }
    }

    /// How many bound pods of a selection run in each domain, on counted sites.
    pub(super) fn bound(
        &self,
        selection: SelectionId,
        key: KeyId,
        counted: Option<&Bits>,
    ) -> Vec<i64> {
        let key = &self.topology.keys[key];
        let mut counts = vec![0; key.domains.len()];
        for (node, count) in &self.topology.selections[selection].bound {
            let site = self.compiled.site_of_node(*node);
            let domain = key.of_site[site] as usize;
            if domain < counts.len() && counted.is_none_or(|counted| counted.contains(site)) {
                counts[domain] += i64::from(*count);
            }
        }
        counts
    }

    /// The domains of a key that exist for a class's spread, or could by a launch of the class or
    /// of others that it counts. One that none of them can launch in holds no count down: nodes
    /// stand there only if others need them.
    ///
    /// Kube-scheduler counts the domains of nodes that exist. Here a domain counts as soon as a
    /// launch that is about to happen could make it exist, which is stricter; `closed` and `opened`
    /// are what packing has shown.
    fn open_domains(
        &self,
        class: ClassId,
        key: KeyId,
        selection: SelectionId,
        counted: &Arc<Bits>,
    ) -> Vec<bool> {
        let rules = self.compiled.classes[class].rules;
        let mut reaches = self.reaches.borrow_mut();
        let reach = reaches
            .entry((rules, key, counted.clone()))
            .or_insert_with(|| self.reach(rules, key, counted));
        let mut launches: Vec<_> = self.launches(class);
        let domains = (0_u32..).zip(&*reach);
        let mut open: Vec<bool> = domains
            .map(|(number, domain)| {
                let is = |of: &BTreeSet<super::SpreadDomain>| of.contains(&(class, key, number));
                domain.exists
                    || is(&self.restrictions.opened)
                    || !is(&self.restrictions.closed)
                        && self.launches_any(&launches, &domain.offers)
            })
            .collect();
        for companion in &self.topology.selections[selection].classes {
            if *companion == class || open.iter().all(|open| *open) {
                continue;
            }
            launches = self.launches(*companion);
            for ((number, domain), open) in (0_u32..).zip(&*reach).zip(&mut open) {
                *open |= !self.restrictions.closed.contains(&(class, key, number))
                    && self.launches_any(&launches, &domain.offers);
            }
        }
        open
    }

    /// Whether one of these offers can be launched for any of these.
    fn launches_any(&self, launches: &[(Cow<'_, Item>, Cow<'_, Bits>)], offers: &Bits) -> bool {
        !offers.is_empty()
            && launches.iter().any(|(item, among)| {
                let mut offers = offers.clone();
                offers.and(among);
                self.is_launchable(item, &offers)
            })
    }

    /// What each domain of a key has for a spread of pods with these rules.
    fn reach(&self, rules: usize, key: KeyId, counted: &Bits) -> Vec<DomainReach> {
        let compiled = self.compiled;
        let set = &compiled.site_conditions.rules.sets()[rules];
        // Where the pod could be launched, if its volumes were elsewhere: a volume's zone restricts
        // the pod, not the domains in which others are counted.
        let mut could = compiled.usable.clone();
        could.and(counted);
        could.and(&compiled.site_conditions.tolerated[set.tolerations]);
        set.selector
            .iter()
            .for_each(|condition| could.and(&compiled.site_conditions.holds[*condition]));
        if let Some(terms) = &set.terms {
            could.and(&compiled.any_term(terms));
        }
        for node in compiled.nodes.ids() {
            could.remove(compiled.site_of_node(node));
        }
        let exists = |domain: &Bits| {
            let mut nodes = compiled.nodes.ids().map(|node| compiled.site_of_node(node));
            nodes.any(|site| counted.contains(site) && domain.contains(site))
        };
        let domains = self.topology.keys[key].domains.iter();
        domains
            .map(|domain| {
                let mut offers = could.clone();
                offers.and(domain);
                DomainReach { offers, exists: exists(domain) }
            })
            .collect()
    }

    /// What a launch for a pod of a class holds at least, and on which sites: the pod, and where it
    /// needs another on its node, one of those.
    fn launches(&self, class: ClassId) -> Vec<(Cow<'_, Item>, Cow<'_, Bits>)> {
        let alone = (Cow::Borrowed(self.item(class)), Cow::Borrowed(self.eligible_sites(class)));
        let shares = |affinity: &&RequiredAffinity| affinity.key.contains(&TopologyKey::Hostname);
        let Some(affinity) = self.topology.rules[class].affinity.as_ref().filter(shares) else {
            return vec![alone];
        };
        let hosts = self.topology.selections[affinity.selection].classes.iter();
        let launches = hosts.filter_map(|host| match *host == class {
            true => Some(alone.clone()),
            false => {
                let together = self.together(&[(class, 1), (*host, 1)])?;
                let mut among = self.eligible_sites(class).clone();
                among.and(self.eligible_sites(*host));
                Some((Cow::Owned(together), Cow::Owned(among)))
            }
        });
        launches.collect()
    }

    /// The domains of a class's spreads in which no node runs, with the offers that count there,
    /// and whether they are taken for domains before anything is launched.
    pub(super) fn counted_domains(&self, class: ClassId) -> Vec<(super::SpreadDomain, Bits, bool)> {
        let mut found = Vec::new();
        let spreads = self.topology.rules[class].spreads.iter();
        for spread in spreads.filter(|spread| spread.hard) {
            let TopologyKey::Label(key) = spread.key else { continue };
            let states = &self.classes[class].rules.spreads;
            let Some(state) = states.iter().find(|state| {
                state.hard && state.key == key && state.selection == spread.selection
            }) else {
                continue;
            };
            let domains = self.topology.keys[key].domains.iter();
            for ((number, domain), open) in (0_u32..).zip(domains).zip(&state.open) {
                let mut sites = (*spread.counted).clone();
                sites.and(domain);
                let mut nodes = self.compiled.nodes.ids();
                if *open && nodes.any(|node| sites.contains(self.compiled.site_of_node(node))) {
                    continue;
                }
                sites.and(&self.compiled.usable);
                if !sites.is_empty() {
                    found.push(((class, key, number), sites, *open));
                }
            }
        }
        found
    }

    /// The counts of rules that count a class, with the domain of a cell.
    pub(super) fn counting<'c>(
        &'c self,
        class: ClassId,
        cell: &'c super::DomainCell,
    ) -> impl Iterator<Item = (&'c [i64], usize)> {
        let selections = self.topology.selected_by[class].iter();
        selections.flat_map(move |selection| {
            cell.domains.iter().filter_map(move |(key, domain)| {
                let counts = self.counts.get(&(*selection, *key))?;
                Some((&counts[..], *domain as usize))
            })
        })
    }

    /// What pending pods count for in a spread, by domain.
    pub(super) fn domain_counts(&self, spread: &SpreadState) -> &DomainCounts {
        &self.domain_counts[&(spread.selection, spread.key)][spread.domain_counts]
    }

    /// What the company of a class's pods counts for in a spread of theirs if they go to a cell.
    pub(super) fn extra(
        &self,
        class: ClassId,
        at: usize,
        spread: &SpreadState,
        companions: Companions<'_>,
    ) -> CompanionCounts {
        let mut extra = CompanionCounts::default();
        let mut add = |of: ClassId, count: u32, sites: &Bits| {
            let domain_counts = self.domain_counts(spread);
            if self.topology.selects(spread.selection, of) && domain_counts.counted.overlaps(sites)
            {
                extra.most += i64::from(count);
                let sure = domain_counts.counted.includes(sites);
                extra.least += if sure { i64::from(count) } else { 0 };
            }
        };
        match companions {
            Companions::Nobody => {}
            Companions::Shared(parts) => {
                let sites = &self.classes[class].cells[at].sites;
                parts.iter().for_each(|(of, count)| add(*of, *count, sites));
            }
            Companions::Affinity(affinity) => {
                if let Some((of, cell)) = self.pending_target(class, at, affinity) {
                    add(of, 1, &self.classes[of].cells[cell].sites);
                }
            }
        }
        extra
    }

    /// The cell of a pod without rules of its own, on some of these sites, that raises the lowest
    /// count of a spread.
    pub(super) fn lowest_cell(
        &self,
        class: ClassId,
        rules: &CellRules,
        sites: &Bits,
    ) -> Option<usize> {
        let mut spreads = rules.spreads.iter().filter(|spread| spread.hard && !spread.few);
        let spread = spreads.find(|spread| self.topology.selects(spread.selection, class))?;
        let domain_counts = self.domain_counts(spread);
        let lowest = spread.lowest(domain_counts);
        let cells = self.classes[class].cells.iter().enumerate().filter(|(at, cell)| {
            if !self.is_below_learnt_capacity(class, *at) {
                return false;
            }
            let mut within = sites.clone();
            within.and(&cell.sites);
            let domain = cell.domain(spread.key).map(|domain| domain as usize);
            domain.is_some_and(|at| spread.open[at] && spread.count(domain_counts, at) <= lowest)
                && domain_counts.counted.includes(&within)
                && holds_any(self, self.item(class), &within)
        });
        cells.min_by_key(|(at, cell)| (cell.cost, *at)).map(|(at, _)| at)
    }

    pub(super) fn pending(&self, selection: SelectionId, key: KeyId) -> &[i64] {
        self.counts.get(&(selection, key)).map_or(&[], |counts| counts)
    }

    /// The best cell that one more pod of a class may use, of those that overlap these sites.
    pub(super) fn best_cell(
        &self,
        class: ClassId,
        rules: &CellRules,
        within: Option<&Bits>,
        companions: Companions<'_>,
    ) -> Option<usize> {
        let progress = &self.classes[class];
        let hint = self.restrictions.hints.get(&class).copied();
        let spreads = rules.spreads.iter().map(|spread| (spread, self.domain_counts(spread)));
        let spreads: Vec<(&SpreadState, &DomainCounts, i64)> = spreads
            .map(|(spread, domain_counts)| (spread, domain_counts, spread.lowest(domain_counts)))
            .collect();
        let mut best: Option<(_, usize)> = None;
        for (at, cell) in progress.cells.iter().enumerate().filter(|(at, _)| progress.allowed[*at])
        {
            if !self.is_below_learnt_capacity(class, at)
                || within.is_some_and(|sites| !sites.overlaps(&cell.sites))
            {
                continue;
            }
            let mut honoured = u64::from(cell.honoured);
            let mut crowd = 0;
            let mut legal = true;
            for (spread, domain_counts, lowest) in &spreads {
                let Some(domain) = cell.domain(spread.key).map(|domain| domain as usize) else {
                    continue;
                };
                let companions = self.extra(class, at, spread, companions);
                let kept = spread.is_kept(domain_counts, domain, *lowest, companions);
                legal &= kept || !spread.hard;
                honoured += u64::from(if kept && !spread.hard { SOFT_SPREAD } else { 0 });
                crowd += spread.count(domain_counts, domain);
            }
            for key in &rules.alone {
                // Nodes without the label are in no domain, and keep nobody away.
                let Some(domain) = cell.domain(*key) else { continue };
                let mut taken = progress.cells.iter().zip(&progress.counted);
                legal &=
                    !taken.any(|(other, count)| *count > 0 && other.domain(*key) == Some(domain));
            }
            if !legal {
                continue;
            }
            for (weight, selection, key) in &rules.preferred_affinity {
                honoured +=
                    u64::from(if self.is_affinity(class, *selection, *key, cell.domain(*key)) {
                        *weight
                    } else {
                        0
                    });
            }
            for (weight, selection, key) in &rules.preferred_anti_affinity {
                let met = self.has_any(*selection, *key, cell.domain(*key));
                honoured += u64::from(if met { 0 } else { *weight });
            }
            // Where others count it, it keeps their counts even, so that they have a choice.
            crowd += self.counting(class, cell).map(|(counts, domain)| counts[domain]).sum::<i64>();
            let score = (Reverse(honoured), hint != Some(at), cell.cost, crowd);
            if best.as_ref().is_none_or(|(least, _)| score < *least) {
                best = Some((score, at));
            }
        }
        best.map(|(_, at)| at)
    }

    /// Whether a pod of the selection is known to be in a domain.
    pub(super) fn has_any(&self, selection: SelectionId, key: KeyId, domain: Option<u32>) -> bool {
        let Some(domain) = domain else { return false };
        let pending = self.pending(selection, key).get(domain as usize).is_some_and(|n| *n > 0);
        pending || self.bound(selection, key, None)[domain as usize] > 0
    }

    /// Whether a wish to be near a selection is met in a domain; the first of its own class meets
    /// it anywhere.
    fn is_affinity(
        &self,
        class: ClassId,
        selection: SelectionId,
        key: KeyId,
        domain: Option<u32>,
    ) -> bool {
        self.has_any(selection, key, domain)
            || self.topology.selects(selection, class)
                && self.topology.selections[selection].bound.is_empty()
                && self.pending(selection, key).iter().all(|count| *count == 0)
    }

    /// The sites of running nodes of a selection's bound pods.
    pub(super) fn nodes_with(&self, selection: SelectionId) -> Bits {
        let compiled = self.compiled;
        let mut bits = compiled.usable.emptied();
        let bound: &Vec<(NodeId, u32)> = &self.topology.selections[selection].bound;
        bound.iter().for_each(|(node, _)| bits.insert(compiled.offers.len() + node.index()));
        bits
    }
}
