//! How much of the preferences a packing honours, counted in its final state.
//!
//! The same definitions as in the documentation of [`crate::plan::PreferenceShare`]: every placed pod
//! counts with the weight of each of its preferences, whatever made the packer honour it or not.

use super::specify::chosen;
use super::state::{Context, Group, Place, State};
use crate::compile::{
    Base, Compiled, Id, KeyId, KindId, NodeId, OfferId, Over, SelectionId, Spread, Term,
};
use crate::plan::{PreferenceKind, PreferenceShare};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes that are alike and what each holds of which kinds.
#[derive(Debug)]
pub(crate) struct Spot {
    site: usize,
    times: u64,
    node: Option<NodeId>,
    kinds: BTreeMap<KindId, u64>,
}

impl Spot {
    /// So many nodes at a site, with what each holds.
    pub(super) fn new(
        site: usize,
        times: u64,
        node: Option<NodeId>,
        kinds: BTreeMap<KindId, u64>,
    ) -> Self {
        Self { site, times, node, kinds }
    }
}

/// The nodes of a packing, each launch at the offer that was chosen for it.
pub(crate) fn spots(
    compiled: &Compiled,
    groups: &[Group],
    chosen: impl Fn(usize) -> Option<OfferId>,
) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let mut kinds: BTreeMap<KindId, u64> = BTreeMap::new();
        for (class, count) in &group.items {
            for (kind, each) in &compiled.classes[*class].parts {
                *kinds.entry(*kind).or_insert(0) += u64::from(*each) * u64::from(*count);
            }
        }
        match &group.place {
            Place::Launch(_) => {
                let Some(offer) = chosen(at) else { continue };
                let site = compiled.site_of_offer(offer);
                spots.push(Spot { site, times: u64::from(group.times), node: None, kinds });
            }
            Place::Running(nodes) => spots.extend(nodes.iter().map(|node| Spot {
                site: compiled.site_of_node(*node),
                times: 1,
                node: Some(*node),
                kinds: kinds.clone(),
            })),
        }
    }
    spots
}

/// What is honoured of each kind of preference that any placed pod has.
pub(crate) fn shares(base: &Base, spots: &[Spot]) -> Vec<PreferenceShare> {
    let tally = Tally { base, spots, totals: Totals::of(base, spots) };
    let all = [
        tally.node_affinity(),
        tally.terms(PreferenceKind::PodAffinity),
        tally.terms(PreferenceKind::PodAntiAffinity),
        tally.spreads(),
        tally.taints(),
    ];
    all.into_iter().filter(|share| share.weight > 0).collect()
}

/// Whether a packing honours no less of any kind of preference than another, as far as they count; each
/// with the problem whose classes it packs.
pub(crate) fn honours_no_less(
    (context, state): (&Context<'_>, &State),
    (other_context, other): (&Context<'_>, &State),
) -> bool {
    let honoured = |context: &Context<'_>, state: &State| {
        let chosen = chosen(context, state);
        shares(context.compiled, &spots(context.compiled, &state.groups, |at| chosen[at]))
    };
    // The same pods have the same preferences.
    !context.wishful
        || honoured(context, state).iter().zip(&honoured(other_context, other)).all(
            |(one, other)| {
                (one.kind, one.weight) == (other.kind, other.weight)
                    && one.honoured >= other.honoured
            },
        )
}

/// How many pods of a selection are where, bound ones among them.
struct Totals {
    all: BTreeMap<SelectionId, u64>,
    by_domain: BTreeMap<(SelectionId, KeyId), Vec<u64>>,
}

impl Totals {
    /// Counts for the selections that preferences read.
    fn of(base: &Base, spots: &[Spot]) -> Self {
        let placed: BTreeSet<KindId> =
            spots.iter().flat_map(|spot| spot.kinds.keys().copied()).collect();
        let mut totals = Self { all: BTreeMap::new(), by_domain: BTreeMap::new() };
        for kind in placed {
            let rules = &base.topology.rules[kind];
            for (_, term) in rules.wish_near.iter().chain(&rules.wish_far) {
                let _zero = totals.all.entry(term.selection).or_insert(0);
                if let Over::Key(key) = term.over {
                    let domains = base.topology.keys[key].domains.len();
                    let _zeros = totals
                        .by_domain
                        .entry((term.selection, key))
                        .or_insert_with(|| vec![0; domains]);
                }
            }
        }
        for spot in spots {
            for (kind, count) in &spot.kinds {
                for selection in &base.topology.selected_by[*kind] {
                    totals.add(base, *selection, spot.site, count * spot.times);
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

struct Tally<'a> {
    base: &'a Base,
    spots: &'a [Spot],
    totals: Totals,
}

impl Tally<'_> {
    fn share(
        &self,
        kind: PreferenceKind,
        of_spot: impl Fn(&Spot, KindId) -> (u64, u64),
    ) -> PreferenceShare {
        let (mut weight, mut honoured) = (0_u64, 0_u64);
        for spot in self.spots {
            for (pod, count) in &spot.kinds {
                let (all, kept) = of_spot(spot, *pod);
                weight = weight.saturating_add(all * count * spot.times);
                honoured = honoured.saturating_add(kept * count * spot.times);
            }
        }
        PreferenceShare { kind, weight, honoured }
    }

    fn node_affinity(&self) -> PreferenceShare {
        self.share(PreferenceKind::NodeAffinity, |spot, kind| {
            let mut sums = (0, 0);
            for (weight, term) in &self.base.wishes.terms[kind] {
                let holds = |atom: &usize| self.base.grounds.holds[*atom].contains(spot.site);
                sums.0 += u64::from(*weight);
                if !term.is_empty() && term.iter().all(holds) {
                    sums.1 += u64::from(*weight);
                }
            }
            sums
        })
    }

    fn terms(&self, of: PreferenceKind) -> PreferenceShare {
        self.share(of, |spot, kind| {
            let rules = &self.base.topology.rules[kind];
            let near = of == PreferenceKind::PodAffinity;
            let mut sums = (0, 0);
            for (weight, term) in if near { &rules.wish_near } else { &rules.wish_far } {
                let kept = if near {
                    self.is_near(spot, kind, term)
                } else {
                    self.is_far(spot, kind, term)
                };
                sums.0 += u64::from(*weight);
                sums.1 += if kept { u64::from(*weight) } else { 0 };
            }
            sums
        })
    }

    /// How many pods that a term selects are in the domain of a spot beside the pod itself; `None`
    /// where it has no domain.
    fn others(&self, spot: &Spot, kind: KindId, term: &Term) -> Option<u64> {
        let own = u64::from(self.base.topology.selects(term.selection, kind));
        let there = match term.over {
            Over::Host => self.on_node(spot, term.selection),
            Over::Key(key) => {
                let domain = self.base.topology.keys[key].of_site[spot.site] as usize;
                *self.totals.by_domain.get(&(term.selection, key))?.get(domain)?
            }
        };
        Some(there.saturating_sub(own))
    }

    fn is_near(&self, spot: &Spot, kind: KindId, term: &Term) -> bool {
        let Some(others) = self.others(spot, kind, term) else { return false };
        let own = self.base.topology.selects(term.selection, kind);
        let all = self.totals.all.get(&term.selection).copied().unwrap_or(0);
        others > 0 || own && all <= 1
    }

    fn is_far(&self, spot: &Spot, kind: KindId, term: &Term) -> bool {
        self.others(spot, kind, term).unwrap_or(0) == 0
    }

    /// How many pods of a selection each node of a spot holds.
    fn on_node(&self, spot: &Spot, selection: SelectionId) -> u64 {
        let topology = &self.base.topology;
        let placed = spot.kinds.iter().filter(|(kind, _)| topology.selects(selection, **kind));
        let placed: u64 = placed.map(|(_, count)| count).sum();
        let bound = spot.node.and_then(|node| {
            let bound = &topology.selections[selection].bound;
            let at = bound.binary_search_by_key(&node, |(of, _)| *of).ok()?;
            Some(u64::from(bound[at].1))
        });
        placed + bound.unwrap_or(0)
    }

    fn spreads(&self) -> PreferenceShare {
        let mut lowest: BTreeMap<(KindId, usize), Lowest> = BTreeMap::new();
        for spot in self.spots {
            for kind in spot.kinds.keys() {
                for (at, spread) in self.base.topology.rules[*kind].spreads.iter().enumerate() {
                    if !spread.hard {
                        let _known =
                            lowest.entry((*kind, at)).or_insert_with(|| self.lowest(spread));
                    }
                }
            }
        }
        self.share(PreferenceKind::Spread, |spot, kind| {
            let mut sums = (0, 0);
            for (at, spread) in self.base.topology.rules[kind].spreads.iter().enumerate() {
                if let Some(lowest) = lowest.get(&(kind, at)) {
                    sums.0 += 1;
                    sums.1 += u64::from(self.is_even(spot, spread, lowest));
                }
            }
            sums
        })
    }

    /// The final counts of a spread, on counted nodes.
    fn lowest(&self, spread: &Spread) -> Lowest {
        let counted = self.spots.iter().filter(|spot| spread.counted.contains(spot.site));
        match spread.over {
            Over::Host => {
                // Nodes without any of the plan's pods count too.
                let used: BTreeSet<NodeId> =
                    self.spots.iter().filter_map(|spot| spot.node).collect();
                let idle = self.base.nodes.ids().filter(|node| {
                    spread.counted.contains(self.base.site_of_node(*node)) && !used.contains(node)
                });
                let bound = &self.base.topology.selections[spread.selection].bound;
                let of_idle = idle.map(|node| {
                    let at = bound.binary_search_by_key(&node, |(of, _)| *of);
                    at.map_or(0, |at| u64::from(bound[at].1))
                });
                let mut counts: Vec<u64> =
                    counted.clone().map(|spot| self.on_node(spot, spread.selection)).collect();
                let idle: Vec<u64> = of_idle.collect();
                let domains: u64 = counted.map(|spot| spot.times).sum();
                let domains = domains + u64::try_from(idle.len()).unwrap_or(u64::MAX);
                counts.extend(idle);
                Lowest::of(spread, counts.into_iter().min(), domains, Vec::new())
            }
            Over::Key(key) => {
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
                for spot in counted {
                    let kinds = spot.kinds.iter();
                    let of_selection = kinds
                        .filter(|(kind, _)| self.base.topology.selects(spread.selection, **kind));
                    let placed: u64 = of_selection.map(|(_, count)| count).sum();
                    add(spot.site, placed * spot.times);
                }
                let open = counts.iter().flatten();
                let domains = u64::try_from(open.clone().count()).unwrap_or(u64::MAX);
                Lowest::of(spread, open.min().copied(), domains, counts)
            }
        }
    }

    fn is_even(&self, spot: &Spot, spread: &Spread, lowest: &Lowest) -> bool {
        let count = match spread.over {
            Over::Host if spread.counted.contains(spot.site) => {
                self.on_node(spot, spread.selection)
            }
            Over::Host => 0,
            Over::Key(key) => {
                let domain = self.base.topology.keys[key].of_site[spot.site] as usize;
                match lowest.by_domain.get(domain) {
                    Some(count) => count.unwrap_or(0),
                    None => return false,
                }
            }
        };
        i64::try_from(count.saturating_sub(lowest.least)).unwrap_or(i64::MAX) <= spread.max_skew
    }

    fn taints(&self) -> PreferenceShare {
        self.share(PreferenceKind::Taints, |spot, kind| {
            let rules = self.base.kinds[kind].rules;
            let list = self.base.grounds.rules.sets()[rules].tolerations;
            let wishes = &self.base.wishes;
            if !wishes.disliked.get(list).copied().unwrap_or(false) {
                return (0, 0);
            }
            (1, u64::from(wishes.untainted[list].contains(spot.site)))
        })
    }
}

/// The final counts of a spread.
struct Lowest {
    least: u64,
    by_domain: Vec<Option<u64>>,
}

impl Lowest {
    fn of(spread: &Spread, least: Option<u64>, domains: u64, by_domain: Vec<Option<u64>>) -> Self {
        let few = domains < u64::try_from(spread.min_domains).unwrap_or(u64::MAX);
        Self { least: if few { 0 } else { least.unwrap_or(0) }, by_domain }
    }
}
