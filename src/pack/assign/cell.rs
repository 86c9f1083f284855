//! Cells: the combinations of domains that a class can use, and what they are like.
//!
//! *Problem.* Where may pods of a class go, as far as rules over domains can tell, and which of
//! these places is the cheapest?
//!
//! *Idea.* Its eligible sites are cut along the domains of every key that a rule of its own or of
//! others counts over; each combination that has a site is a cell. A site without a label has no
//! domain of that key, and is in a cell of its own with the others that lack it. Cells in which no
//! site holds a single pod are dropped.
//!
//! A cell's cost is what a pod costs there at least, a resource's share of the cheapest site's
//! price that it fills most; first comes the weight of the pool, since that decides whatever the
//! price. Only sites that honour most of the class's preferences count for it.
//!
//! *Cost.* Cells are as many as the product of the keys' domains at worst, and in practice the
//! zones. Cuts are kept by eligibility set and keys, costs by request, number and sites: many
//! classes share them.

use super::DomainAssigner;
use crate::compile::{Bits, ClassId, Compiled, EligibilityId, Id, Item, KeyId, OfferId, fits};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// One combination of domains, one for each key of its class.
#[derive(Clone, Debug)]
pub(super) struct DomainCell {
    pub(super) domains: Rc<[(KeyId, u32)]>,
    /// The sites that the class may use there.
    pub(super) sites: Rc<Bits>,
    /// Those of them that honour most of its preferences about nodes, where these take part.
    pub(super) best: Rc<Bits>,
    /// The weight of the preferences honoured there.
    pub(super) honoured: u32,
    /// What a pod costs there at least.
    pub(super) cost: CellCost,
}

/// What a pod costs at least: first by weight of the pool, then in billionths; less is better.
pub(super) type CellCost = (Reverse<i32>, i64);

/// Sites cut along the domains of some keys: each combination that has any, with its sites.
pub(super) type CellDivision = Rc<[(Rc<[(KeyId, u32)]>, Rc<Bits>)]>;

/// The eligibility sets that were cut, by the keys.
pub(super) type CellDivisions = BTreeMap<(EligibilityId, Vec<KeyId>), CellDivision>;

/// What was worked out, by request, number of pods and sites.
pub(super) type CellCosts = BTreeMap<(Vec<i64>, u32, Bits), CellCost>;

impl DomainCell {
    /// The cell's domain of a key.
    pub(super) fn domain(&self, key: KeyId) -> Option<u32> {
        self.domains.iter().find(|(of, _)| *of == key).map(|(_, domain)| *domain)
    }
}

/// Whether prices differ between domains: where they don't, no cell is cheaper than another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DomainPrices {
    /// Whether everything is sold in every domain, at one price.
    equal: bool,
}

/// The most pairs of a class and an offer that are priced to compare cells.
const MAX_PRICED: usize = 1 << 24;

impl DomainPrices {
    /// Looks at every offer that can be bought; too many are taken for equal.
    ///
    /// Where they are equal, and on problems too large to look, cells are chosen by counts alone,
    /// and the packer's prices decide the rest.
    pub(crate) fn of(compiled: &Compiled) -> Self {
        if compiled.classes.len().saturating_mul(compiled.offers.len()) > MAX_PRICED {
            return Self { equal: true };
        }
        // Alike but for the domain: the same pool, type and price in every domain of every key.
        let mut sold: BTreeMap<(_, usize, i64), BTreeSet<Vec<u32>>> = BTreeMap::new();
        let mut places: BTreeSet<Vec<u32>> = BTreeSet::new();
        for (id, offer) in compiled.offers.iter().filter(|(_, offer)| offer.available) {
            let site = compiled.site_of_offer(id);
            let place: Vec<u32> =
                compiled.topology.keys.values().map(|key| key.of_site[site]).collect();
            let _new = places.insert(place.clone());
            let _new =
                sold.entry((offer.pool, offer.instance, offer.price)).or_default().insert(place);
        }
        Self { equal: sold.values().all(|of_one| of_one.len() == places.len()) }
    }
}

impl DomainAssigner<'_> {
    /// The cells of a class over some keys that hold at least one of its pods.
    ///
    /// Cells in which no node could hold a pod are left out, as if the domain weren't there for
    /// this class.
    pub(super) fn cells(&self, class: ClassId, keys: &[KeyId]) -> Vec<DomainCell> {
        let item = self.item(class);
        let cut = match self.eligible.get(&class) {
            Some(eligible) => self.cut(eligible, keys),
            // Many classes have the same eligibility set.
            None => {
                let mut cuts = self.cuts.borrow_mut();
                let cut = cuts.entry((item.eligibility, keys.to_vec()));
                cut.or_insert_with(|| self.cut(self.eligible_sites(class), keys)).clone()
            }
        };
        let usable = cut.iter().filter(|(_, sites)| holds_any(self, item, sites));
        usable
            .map(|(domains, sites)| {
                let (best, honoured) = self.best_sites(class, sites);
                let cost = self.cheapest(item, &best);
                DomainCell { domains: domains.clone(), sites: sites.clone(), best, honoured, cost }
            })
            .collect()
    }

    /// Sites by the domains of some keys.
    ///
    /// One key after another: each part is divided by the domains of the next, and what lacks the
    /// label is a part of its own.
    fn cut(&self, sites: &Bits, keys: &[KeyId]) -> CellDivision {
        let mut found: Vec<(Vec<(KeyId, u32)>, Bits)> = vec![(Vec::new(), sites.clone())];
        for key in keys {
            let domains = &self.topology.keys[*key].domains;
            let mut finer = Vec::new();
            for (chosen, sites) in found {
                for (number, domain) in (0_u32..).zip(domains) {
                    let mut within = sites.clone();
                    within.and(domain);
                    if !within.is_empty() {
                        let mut chosen = chosen.clone();
                        chosen.push((*key, number));
                        finer.push((chosen, within));
                    }
                }
                // A key that only others' rules count over may be missing.
                let mut without = sites;
                without.and_not(&self.topology.keys[*key].labelled);
                if !without.is_empty() {
                    finer.push((chosen, without));
                }
            }
            found = finer;
        }
        found.into_iter().map(|(domains, sites)| (domains.into(), Rc::new(sites))).collect()
    }

    /// The sites that honour most of a class's preferences about nodes, of those that hold a pod of
    /// it, and the weight honoured.
    ///
    /// Sites are divided by which preferences they honour, so there are at most as many parts as
    /// sites; the heaviest part that holds a pod wins.
    pub(super) fn best_sites(&self, class: ClassId, sites: &Rc<Bits>) -> (Rc<Bits>, u32) {
        if !self.is_preferring(class) {
            return (sites.clone(), 0);
        }
        let (compiled, item) = (self.compiled, self.item(class));
        let mut preferred_terms: Vec<(u32, Bits)> = Vec::new();
        // What all of these sites honour, or none, tells no two of them apart.
        let mut common = 0;
        let mut weigh = |weight, honoured: Bits| {
            if honoured == **sites {
                common += weight;
            } else if !honoured.is_empty() {
                preferred_terms.push((weight, honoured));
            }
        };
        for (weight, term) in
            compiled.preferences.terms[class].iter().filter(|(_, term)| !term.is_empty())
        {
            let mut honoured = (**sites).clone();
            term.iter()
                .for_each(|condition| honoured.and(&compiled.site_conditions.holds[*condition]));
            weigh(u32::from(*weight), honoured);
        }
        let rules = compiled.classes[class].rules;
        let tolerations = compiled.site_conditions.rules.sets()[rules].tolerations;
        if let Some(untainted) = compiled.preferences.untainted.get(tolerations) {
            let mut honoured = (**sites).clone();
            honoured.and(untainted);
            weigh(UNTAINTED, honoured);
        }
        if preferred_terms.is_empty() {
            let holds = common > 0 && holds_any(self, item, sites);
            return (sites.clone(), if holds { common } else { 0 });
        }
        // Split by preference, the heavier part first: the first part that holds a pod isn't the
        // best yet, since several light preferences may outweigh a heavy one, so all parts are
        // weighed.
        let mut parts: Vec<(u32, Bits)> = vec![(common, (**sites).clone())];
        for (weight, honoured) in &preferred_terms {
            let mut finer: BTreeMap<Bits, u32> = BTreeMap::new();
            for (sum, part) in parts {
                let (mut with, mut without) = (part.clone(), part);
                with.and(honoured);
                without.and_not(honoured);
                for (bits, sum) in [(with, sum + weight), (without, sum)] {
                    if !bits.is_empty() {
                        let _former = finer.insert(bits, sum);
                    }
                }
            }
            parts = finer.into_iter().map(|(bits, sum)| (sum, bits)).collect();
        }
        parts.sort_by(|one, other| (Reverse(one.0), &one.1).cmp(&(Reverse(other.0), &other.1)));
        for same in parts.chunk_by(|one, other| one.0 == other.0) {
            let mut together = sites.emptied();
            same.iter().for_each(|(_, bits)| together.or(bits));
            if holds_any(self, item, &together) {
                return (Rc::new(together), same[0].0);
            }
        }
        (sites.clone(), 0)
    }

    /// Whether one of these offers can be launched with one of an item on it: for sale, and a node
    /// of it within the limits of its pool as they are before anything is launched.
    pub(super) fn is_launchable(&self, item: &Item, offers: &Bits) -> bool {
        let compiled = self.compiled;
        offers.iter().take_while(|site| *site < compiled.offers.len()).any(|site| {
            let id = OfferId::from_index(site);
            compiled.is_sold(id)
                && compiled.is_within_limits(id)
                && compiled.room_of_offer(id).takes_there(item, 1) > 0
        })
    }

    /// What one pod of an item costs at least on these sites.
    ///
    /// A running node with room costs nothing and comes before every pool. For a launch the share
    /// of the price is by how many such pods the empty node takes, one resource limiting.
    fn cheapest(&self, item: &Item, sites: &Bits) -> CellCost {
        let compiled = self.compiled;
        if self.prices.equal {
            return (Reverse(0), 0);
        }
        let mut nodes =
            compiled.nodes.ids().filter(|node| sites.contains(compiled.site_of_node(*node)));
        if nodes.any(|node| compiled.room_of_node(node).takes(item, 1) > 0) {
            return (Reverse(i32::MAX), 0);
        }
        // Many classes ask for the same.
        let key = (item.request.clone(), item.count, sites.clone());
        let mut priced = self.priced.borrow_mut();
        *priced.entry(key).or_insert_with(|| {
            let offers = sites.iter().take_while(|site| *site < compiled.offers.len());
            let costs = offers.filter_map(|site| {
                let id = OfferId::from_index(site);
                let offer = &compiled.offers[id];
                let room = &compiled.shapes[offer.shape].allocatable;
                let slots = fits(room, &item.request, item.count);
                let price = offer.price.saturating_add(self.context.fee);
                (slots > 0 && compiled.is_sold(id))
                    .then(|| (Reverse(compiled.pools[offer.pool].weight), price / i64::from(slots)))
            });
            costs.min().unwrap_or((Reverse(i32::MIN), i64::MAX))
        })
    }
}

/// What it weighs to keep off a `PreferNoSchedule` taint: more than all other preferences, as the
/// last preference that Karpenter gives up.
pub(crate) const UNTAINTED: u32 = 1 << 20;

/// Whether any of these sites holds a pod of an item.
pub(super) fn holds_any(arranger: &DomainAssigner<'_>, item: &Item, sites: &Bits) -> bool {
    most_on_any(arranger, item, sites, 1) > 0
}

/// How many pods of an item the roomiest of these sites holds, up to `enough`.
pub(super) fn most_on_any(
    arranger: &DomainAssigner<'_>,
    item: &Item,
    sites: &Bits,
    enough: u32,
) -> u32 {
    let compiled = arranger.compiled;
    let mut most = 0;
    for site in sites.iter() {
        let is_launchable = |id: OfferId| compiled.is_sold(id) && compiled.is_within_limits(id);
        let is_open = compiled.node_at(site).is_some() || is_launchable(OfferId::from_index(site));
        let here = if is_open { compiled.room_at(site).takes_there(item, enough) } else { 0 };
        most = most.max(here);
        if most >= enough {
            break;
        }
    }
    most
}
