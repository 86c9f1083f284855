//! How much of the preferences a packing honours, counted in its final state.
//!
//! The same definitions as in the documentation of [`crate::plan::PreferenceShare`]: every placed
//! pod counts with the weight of each of its preferences, whatever made the packer honour it or
//! not.
//!
//! *What counts as honoured.*
//!
//! | preference | honoured where |
//! |---|---|
//! | preferred node affinity | the node meets the term |
//! | preferred affinity | another pod of the selection is in the domain, or the pod is of it and the only one |
//! | preferred anti-affinity | none is, the pod itself aside |
//! | spread (`ScheduleAnyway`) | the domain's count exceeds the lowest by no more than `maxSkew` |
//! | taints (`PreferNoSchedule`) | the node has none that the pod doesn't tolerate |
//!
//! `verify` counts the same by a code of its own, and refuses a plan that states other numbers.
//!
//! *Cost.* Groups × their classes × terms, after one pass that counts the selections that are read.

use super::launch_template::chosen;
use super::packing::{Context, NodeGroup, Packing};
use crate::compile::{
    AffinityTerm, Base, ClassId, Compiled, Id, KeyId, NodeId, NodesAtSite, OfferId, SelectionId,
    TopologyKey, TopologySpread,
};
use crate::plan::{PreferenceKind, PreferenceShare};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes that are alike and what each holds of which classes.
#[derive(Debug)]
pub(crate) struct PlacedGroup {
    /// What it is or becomes: its labels and taints are known by this.
    site: usize,
    /// How many nodes.
    multiplicity: u64,
    /// Of a running node which it is.
    node: Option<NodeId>,
    /// What each holds of which class.
    classes: BTreeMap<ClassId, u64>,
}

impl PlacedGroup {
    /// Nodes at a site, with what each holds.
    pub(super) fn new(nodes: NodesAtSite, classes: BTreeMap<ClassId, u64>) -> Self {
        let NodesAtSite { site, node, count } = nodes;
        Self { site, multiplicity: count.into(), node, classes }
    }
}

/// The nodes of a packing, each launch at the offer that was chosen for it.
pub(crate) fn placed_groups(
    compiled: &Compiled,
    groups: &[NodeGroup],
    chosen: impl Fn(usize) -> Option<OfferId>,
) -> Vec<PlacedGroup> {
    let mut placed_groups = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let mut classes: BTreeMap<ClassId, u64> = BTreeMap::new();
        for (item, count) in &group.items {
            for (class, each) in &compiled.items[*item].parts {
                *classes.entry(*class).or_insert(0) += u64::from(*each) * u64::from(*count);
            }
        }
        let nodes = group.at_sites(compiled, chosen(at)).into_iter();
        placed_groups.extend(nodes.map(|nodes| PlacedGroup::new(nodes, classes.clone())));
    }
    placed_groups
}

/// What is honoured of each kind of preference that any placed pod has.
pub(crate) fn shares(base: &Base, placed_groups: &[PlacedGroup]) -> Vec<PreferenceShare> {
    let preference_tally =
        PreferenceTally { base, placed_groups, totals: Totals::of(base, placed_groups) };
    let all = [
        preference_tally.node_affinity(),
        preference_tally.terms(PreferenceKind::PodAffinity),
        preference_tally.terms(PreferenceKind::PodAntiAffinity),
        preference_tally.spreads(),
        preference_tally.taints(),
    ];
    all.into_iter().filter(|share| share.weight > 0).collect()
}

/// Whether a packing honours no less of any kind of preference than another, as far as they count;
/// each with the problem whose classes it packs.
///
/// Whether refinement may take one packing for the other: a cheaper plan that honours less isn't a
/// better one where preferences are to be respected.
pub(crate) fn honours_no_less(
    (context, packing): (&Context<'_>, &Packing),
    (other_context, other): (&Context<'_>, &Packing),
) -> bool {
    let honoured = |context: &Context<'_>, packing: &Packing| {
        let chosen = chosen(context, packing);
        shares(context.compiled, &placed_groups(context.compiled, &packing.groups, |at| chosen[at]))
    };
    // The same pods have the same preferences.
    !context.with_preferences
        || honoured(context, packing).iter().zip(&honoured(other_context, other)).all(
            |(one, other)| {
                (one.kind, one.weight) == (other.kind, other.weight)
                    && one.honoured >= other.honoured
            },
        )
}

/// How many pods of a selection are where, bound ones among them.
///
/// Only selections and keys that some placed pod's preference reads are counted.
struct Totals {
    /// How many pods of a selection there are.
    all: BTreeMap<SelectionId, u64>,
    /// How many of them are in each domain of a key.
    by_domain: BTreeMap<(SelectionId, KeyId), Vec<u64>>,
}

impl Totals {
    /// Counts for the selections that preferences read.
    fn of(base: &Base, placed_groups: &[PlacedGroup]) -> Self {
        let placed: BTreeSet<ClassId> = placed_groups
            .iter()
            .flat_map(|placed_group| placed_group.classes.keys().copied())
            .collect();
        let mut totals = Self { all: BTreeMap::new(), by_domain: BTreeMap::new() };
        for class in placed {
            let rules = &base.topology.rules[class];
            for (_, term) in rules.preferred_affinity.iter().chain(&rules.preferred_anti_affinity) {
                let _zero = totals.all.entry(term.selection).or_insert(0);
                if let TopologyKey::Label(key) = term.key {
                    let domains = base.topology.keys[key].domains.len();
                    let _zeros = totals
                        .by_domain
                        .entry((term.selection, key))
                        .or_insert_with(|| vec![0; domains]);
                }
            }
        }
        for placed_group in placed_groups {
            for (class, count) in &placed_group.classes {
                for selection in &base.topology.selected_by[*class] {
                    totals.add(
                        base,
                        *selection,
                        placed_group.site,
                        count * placed_group.multiplicity,
                    );
                }
            }
        }
        let read: Vec<SelectionId> = totals.all.keys().copied().collect();
        for selection in read {
            for (node, count) in &base.topology.selections[selection].bound {
                totals.add(base, selection, base.site_of_node(*node), u64::from(*count));
            }
        }
        totals
    }

    /// Counts pods of a selection at a site.
    fn add(&mut self, base: &Base, selection: SelectionId, site: usize, count: u64) {
        let Some(all) = self.all.get_mut(&selection) else { return };
        *all += count;
        let first = KeyId::from_index(0);
        for ((_, key), domains) in self
            .by_domain
            .range_mut((selection, first)..)
            .take_while(|((of, _), _)| *of == selection)
        {
            let domain = base.topology.keys[*key].of_site[site] as usize;
            if let Some(total) = domains.get_mut(domain) {
                *total += count;
            }
        }
    }
}

/// A final state, to be asked which preferences it honours.
struct PreferenceTally<'a> {
    base: &'a Base,
    placed_groups: &'a [PlacedGroup],
    totals: Totals,
}

impl PreferenceTally<'_> {
    fn share(
        &self,
        kind: PreferenceKind,
        of_placed_group: impl Fn(&PlacedGroup, ClassId) -> (u64, u64),
    ) -> PreferenceShare {
        let (mut weight, mut honoured) = (0_u64, 0_u64);
        for placed_group in self.placed_groups {
            for (pod, count) in &placed_group.classes {
                let (all, kept) = of_placed_group(placed_group, *pod);
                weight = weight.saturating_add(all * count * placed_group.multiplicity);
                honoured = honoured.saturating_add(kept * count * placed_group.multiplicity);
            }
        }
        PreferenceShare { kind, weight, honoured }
    }

    /// Preferred node affinity: a term counts where the node meets it.
    fn node_affinity(&self) -> PreferenceShare {
        self.share(PreferenceKind::NodeAffinity, |placed_group, class| {
            let mut sums = (0, 0);
            for (weight, term) in &self.base.preferences.terms[class] {
                let holds = |condition: &usize| {
                    self.base.site_conditions.holds[*condition].contains(placed_group.site)
                };
                sums.0 += u64::from(*weight);
                if !term.is_empty() && term.iter().all(holds) {
                    sums.1 += u64::from(*weight);
                }
            }
            sums
        })
    }

    fn terms(&self, of: PreferenceKind) -> PreferenceShare {
        self.share(of, |placed_group, class| {
            let rules = &self.base.topology.rules[class];
            let affinity = of == PreferenceKind::PodAffinity;
            let mut sums = (0, 0);
            for (weight, term) in
                if affinity { &rules.preferred_affinity } else { &rules.preferred_anti_affinity }
            {
                let kept = if affinity {
                    self.is_affinity(placed_group, class, term)
                } else {
                    self.is_anti_affinity(placed_group, class, term)
                };
                sums.0 += u64::from(*weight);
                sums.1 += if kept { u64::from(*weight) } else { 0 };
            }
            sums
        })
    }

    /// How many pods that a term selects are in the domain of a group of nodes beside the pod
    /// itself; `None` where it has no domain.
    ///
    /// `None` for a node without the label: an affinity over it can't be honoured there, an
    /// anti-affinity can't be hurt.
    fn others(
        &self,
        placed_group: &PlacedGroup,
        class: ClassId,
        term: &AffinityTerm,
    ) -> Option<u64> {
        let own = u64::from(self.base.topology.selects(term.selection, class));
        let there = match term.key {
            TopologyKey::Hostname => self.on_node(placed_group, term.selection),
            TopologyKey::Label(key) => {
                let domain = self.base.topology.keys[key].of_site[placed_group.site] as usize;
                *self.totals.by_domain.get(&(term.selection, key))?.get(domain)?
            }
        };
        Some(there.saturating_sub(own))
    }

    fn is_affinity(&self, placed_group: &PlacedGroup, class: ClassId, term: &AffinityTerm) -> bool {
        let Some(others) = self.others(placed_group, class, term) else { return false };
        let own = self.base.topology.selects(term.selection, class);
        let all = self.totals.all.get(&term.selection).copied().unwrap_or(0);
        others > 0 || own && all <= 1
    }

    fn is_anti_affinity(
        &self,
        placed_group: &PlacedGroup,
        class: ClassId,
        term: &AffinityTerm,
    ) -> bool {
        self.others(placed_group, class, term).unwrap_or(0) == 0
    }

    /// How many pods of a selection each node of a group of nodes holds.
    fn on_node(&self, placed_group: &PlacedGroup, selection: SelectionId) -> u64 {
        let topology = &self.base.topology;
        let placed =
            placed_group.classes.iter().filter(|(class, _)| topology.selects(selection, **class));
        let placed: u64 = placed.map(|(_, count)| count).sum();
        let bound = placed_group.node.and_then(|node| {
            let bound = &topology.selections[selection].bound;
            let at = bound.binary_search_by_key(&node, |(of, _)| *of).ok()?;
            Some(u64::from(bound[at].1))
        });
        placed + bound.unwrap_or(0)
    }

    /// Spreads that may be broken: one counts where its domain isn't too far above the lowest.
    fn spreads(&self) -> PreferenceShare {
        let mut lowest: BTreeMap<(ClassId, usize), Lowest> = BTreeMap::new();
        for placed_group in self.placed_groups {
            for class in placed_group.classes.keys() {
                for (at, spread) in self.base.topology.rules[*class].spreads.iter().enumerate() {
                    if !spread.hard {
                        let _known =
                            lowest.entry((*class, at)).or_insert_with(|| self.lowest(spread));
                    }
                }
            }
        }
        self.share(PreferenceKind::Spread, |placed_group, class| {
            let mut sums = (0, 0);
            for (at, spread) in self.base.topology.rules[class].spreads.iter().enumerate() {
                if let Some(lowest) = lowest.get(&(class, at)) {
                    sums.0 += 1;
                    sums.1 += u64::from(self.is_even(placed_group, spread, lowest));
                }
            }
            sums
        })
    }

    /// The final counts of a spread, on counted nodes.
    ///
    /// Counted are the nodes that the spread counts, by its node inclusion policies; those without
    /// any of its pods count as zero.
    fn lowest(&self, spread: &TopologySpread) -> Lowest {
        let counted = self
            .placed_groups
            .iter()
            .filter(|placed_group| spread.counted.contains(placed_group.site));
        match spread.key {
            TopologyKey::Hostname => {
                // Nodes without any of the plan's pods count too.
                let used: BTreeSet<NodeId> = self
                    .placed_groups
                    .iter()
                    .filter_map(|placed_group| placed_group.node)
                    .collect();
                let untouched = self.base.nodes.ids().filter(|node| {
                    spread.counted.contains(self.base.site_of_node(*node)) && !used.contains(node)
                });
                let bound = &self.base.topology.selections[spread.selection].bound;
                let of_idle = untouched.map(|node| {
                    let at = bound.binary_search_by_key(&node, |(of, _)| *of);
                    at.map_or(0, |at| u64::from(bound[at].1))
                });
                let mut counts: Vec<u64> = counted
                    .clone()
                    .map(|placed_group| self.on_node(placed_group, spread.selection))
                    .collect();
                let idle: Vec<u64> = of_idle.collect();
                let domains: u64 = counted.map(|placed_group| placed_group.multiplicity).sum();
                let domains = domains + u64::try_from(idle.len()).unwrap_or(u64::MAX);
                counts.extend(idle);
                Lowest::of(spread, counts.into_iter().min(), domains, Vec::new())
            }
            TopologyKey::Label(key) => {
                let key = &self.base.topology.keys[key];
                let mut counts: Vec<Option<u64>> = vec![None; key.domains.len()];
                let mut add = |site: usize, count: u64| {
                    if let Some(total) = counts.get_mut(key.of_site[site] as usize) {
                        *total = Some(total.unwrap_or(0) + count);
                    }
                };
                let nodes = self.base.nodes.ids().map(|node| self.base.site_of_node(node));
                nodes.filter(|site| spread.counted.contains(*site)).for_each(|site| add(site, 0));
                let bound = self.base.topology.selections[spread.selection].bound.iter();
                for (node, count) in bound {
                    let site = self.base.site_of_node(*node);
                    if spread.counted.contains(site) {
                        add(site, u64::from(*count));
                    }
                }
                for placed_group in counted {
                    let classes = placed_group.classes.iter();
                    let of_selection = classes
                        .filter(|(class, _)| self.base.topology.selects(spread.selection, **class));
                    let placed: u64 = of_selection.map(|(_, count)| count).sum();
                    add(placed_group.site, placed * placed_group.multiplicity);
                }
                let open = counts.iter().flatten();
                let domains = u64::try_from(open.clone().count()).unwrap_or(u64::MAX);
                Lowest::of(spread, open.min().copied(), domains, counts)
            }
        }
    }

    fn is_even(
        &self,
        placed_group: &PlacedGroup,
        spread: &TopologySpread,
        lowest: &Lowest,
    ) -> bool {
        let count = match spread.key {
            TopologyKey::Hostname if spread.counted.contains(placed_group.site) => {
                self.on_node(placed_group, spread.selection)
            }
            TopologyKey::Hostname => 0,
            TopologyKey::Label(key) => {
                let domain = self.base.topology.keys[key].of_site[placed_group.site] as usize;
                match lowest.by_domain.get(domain) {
                    Some(count) => count.unwrap_or(0),
                    None => return false,
                }
            }
        };
        i64::try_from(count.saturating_sub(lowest.least)).unwrap_or(i64::MAX) <= spread.max_skew
    }

    /// Taints to be avoided: each pod that is on no such node counts once.
    fn taints(&self) -> PreferenceShare {
        self.share(PreferenceKind::Taints, |placed_group, class| {
            let rules = self.base.classes[class].rules;
            let list = self.base.site_conditions.rules.sets()[rules].tolerations;
            let preferred_terms = &self.base.preferences;
            if !preferred_terms.disliked.get(list).copied().unwrap_or(false) {
                return (0, 0);
            }
            (1, u64::from(preferred_terms.untainted[list].contains(placed_group.site)))
        })
    }
}

/// The final counts of a spread.
struct Lowest {
    least: u64,
    by_domain: Vec<Option<u64>>,
}

impl Lowest {
    fn of(
        spread: &TopologySpread,
        least: Option<u64>,
        domains: u64,
        by_domain: Vec<Option<u64>>,
    ) -> Self {
        let few = domains < u64::try_from(spread.min_domains).unwrap_or(u64::MAX);
        Self { least: if few { 0 } else { least.unwrap_or(0) }, by_domain }
    }
}
