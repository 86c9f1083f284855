//! Cells: the combinations of domains that a kind can use, and what they are like.

use super::super::running;
use super::Arranger;
use crate::compile::{Bits, Class, Compiled, Id, KeyId, KindId, NodeId, OfferId, RowId, fits};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// One combination of domains, one for each key of its kind.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) domains: Rc<[(KeyId, u32)]>,
    /// The sites that the kind may use there.
    pub(super) sites: Rc<Bits>,
    /// Those of them that honour most of its preferences about nodes, where these take part.
    pub(super) best: Rc<Bits>,
    /// The weight of the preferences honoured there.
    pub(super) honoured: u32,
    /// What a pod costs there at least.
    pub(super) cost: Cost,
}

/// What a pod costs at least: first by weight of the pool, then in billionths; less is better.
pub(super) type Cost = (Reverse<i32>, i64);

/// Sites cut along the domains of some keys: each combination that has any, with its sites.
pub(super) type Cut = Rc<[(Rc<[(KeyId, u32)]>, Rc<Bits>)]>;

/// The rows that were cut, by the keys.
pub(super) type Cuts = BTreeMap<(RowId, Vec<KeyId>), Cut>;

/// What was worked out, by request, number of pods and sites.
pub(super) type Priced = BTreeMap<(Vec<i64>, u32, Bits), Cost>;

impl Cell {
    /// The cell's domain of a key.
    pub(super) fn domain(&self, key: KeyId) -> Option<u32> {
        self.domains.iter().find(|(of, _)| *of == key).map(|(_, domain)| *domain)
    }
}

/// Whether prices differ between domains: where they don't, no cell is cheaper than another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prices {
    even: bool,
}

/// The most pairs of a kind and an offer that are priced to compare cells.
const MAX_PRICED: usize = 1 << 24;

impl Prices {
    pub(crate) fn of(compiled: &Compiled) -> Self {
        if compiled.kinds.len().saturating_mul(compiled.offers.len()) > MAX_PRICED {
            return Self { even: true };
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
        Self { even: sold.values().all(|of_one| of_one.len() == places.len()) }
    }
}

impl Arranger<'_> {
    /// The cells of a kind over some keys that hold at least one of its pods.
    pub(super) fn cells(&self, kind: KindId, keys: &[KeyId]) -> Vec<Cell> {
        let class = self.class(kind);
        let cut = match self.rows.get(&kind) {
            Some(row) => self.cut(row, keys),
            // Many kinds have the same row.
            None => {
                let mut cuts = self.cuts.borrow_mut();
                let cut = cuts.entry((class.row, keys.to_vec()));
                cut.or_insert_with(|| self.cut(self.row(kind), keys)).clone()
            }
        };
        let usable = cut.iter().filter(|(_, sites)| holds_any(self, class, sites));
        usable
            .map(|(domains, sites)| {
                let (best, honoured) = self.best_sites(kind, sites);
                let cost = self.cheapest(class, &best);
                Cell { domains: domains.clone(), sites: sites.clone(), best, honoured, cost }
            })
            .collect()
    }

    /// Sites by the domains of some keys.
    fn cut(&self, sites: &Bits, keys: &[KeyId]) -> Cut {
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

    /// The sites that honour most of a kind's preferences about nodes, of those that hold a pod of it,
    /// and the weight honoured.
    pub(super) fn best_sites(&self, kind: KindId, sites: &Rc<Bits>) -> (Rc<Bits>, u32) {
        if !self.is_wishful(kind) {
            return (sites.clone(), 0);
        }
        let (compiled, class) = (self.compiled, self.class(kind));
        let mut wishes: Vec<(u32, Bits)> = Vec::new();
        // What all of these sites honour, or none, tells no two of them apart.
        let mut common = 0;
        let mut weigh = |weight, honoured: Bits| {
            if honoured == **sites {
                common += weight;
            } else if !honoured.is_empty() {
                wishes.push((weight, honoured));
            }
        };
        for (weight, term) in
            compiled.wishes.terms[kind].iter().filter(|(_, term)| !term.is_empty())
        {
            let mut honoured = (**sites).clone();
            term.iter().for_each(|atom| honoured.and(&compiled.grounds.holds[*atom]));
            weigh(u32::from(*weight), honoured);
        }
        let rules = compiled.kinds[kind].rules;
        let tolerations = compiled.grounds.rules.sets()[rules].tolerations;
        if let Some(untainted) = compiled.wishes.untainted.get(tolerations) {
            let mut honoured = (**sites).clone();
            honoured.and(untainted);
            weigh(UNTAINTED, honoured);
        }
        if wishes.is_empty() {
            let holds = common > 0 && holds_any(self, class, sites);
            return (sites.clone(), if holds { common } else { 0 });
        }
        // Split by wish, the heavier part first: the first part that holds a pod isn't the best yet, since
        // several light wishes may outweigh a heavy one, so all parts are weighed.
        let mut parts: Vec<(u32, Bits)> = vec![(common, (**sites).clone())];
        for (weight, honoured) in &wishes {
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
            if holds_any(self, class, &together) {
                return (Rc::new(together), same[0].0);
            }
        }
        (sites.clone(), 0)
    }

    /// Whether one of these offers can be launched with one of a class on it: for sale, and a node of it
    /// within the limits of its pool as they are before anything is launched.
    pub(super) fn is_launchable(&self, class: &Class, offers: &Bits) -> bool {
        let compiled = self.compiled;
        offers.iter().take_while(|site| *site < compiled.offers.len()).any(|site| {
            let id = OfferId::from_index(site);
            let shape = &compiled.shapes[compiled.offers[id].shape];
            compiled.is_sold(id)
                && compiled.is_within_limits(id)
                && !class.ports.blocks.overlaps(&shape.ports)
                && shape.takes(class, 1.min(class.per_node)) > 0
        })
    }

    /// What one pod of a class costs at least on these sites.
    fn cheapest(&self, class: &Class, sites: &Bits) -> Cost {
        let compiled = self.compiled;
        if self.prices.even {
            return (Reverse(0), 0);
        }
        let mut nodes =
            compiled.nodes.ids().filter(|node| sites.contains(compiled.site_of_node(*node)));
        if nodes.any(|node| running::room(self.context, node).takes(class) > 0) {
            return (Reverse(i32::MAX), 0);
        }
        // Many kinds ask for the same.
        let key = (class.request.clone(), class.count, sites.clone());
        let mut priced = self.priced.borrow_mut();
        *priced.entry(key).or_insert_with(|| {
            let offers = sites.iter().take_while(|site| *site < compiled.offers.len());
            let costs = offers.filter_map(|site| {
                let id = OfferId::from_index(site);
                let offer = &compiled.offers[id];
                let room = &compiled.shapes[offer.shape].allocatable;
                let slots = fits(room, &class.request, class.count);
                let price = offer.price.saturating_add(self.context.fee);
                (slots > 0 && compiled.is_sold(id))
                    .then(|| (Reverse(compiled.pools[offer.pool].weight), price / i64::from(slots)))
            });
            costs.min().unwrap_or((Reverse(i32::MIN), i64::MAX))
        })
    }
}

/// What it weighs to keep off a `PreferNoSchedule` taint: more than all other wishes, as the last
/// preference that Karpenter gives up.
pub(crate) const UNTAINTED: u32 = 1 << 20;

/// Whether any of these sites holds a pod of a class.
pub(super) fn holds_any(arranger: &Arranger<'_>, class: &Class, sites: &Bits) -> bool {
    most_on_any(arranger, class, sites, 1) > 0
}

/// How many pods of a class the roomiest of these sites holds, up to `enough`.
pub(super) fn most_on_any(
    arranger: &Arranger<'_>,
    class: &Class,
    sites: &Bits,
    enough: u32,
) -> u32 {
    let compiled = arranger.compiled;
    let mut most = 0;
    for site in sites.iter() {
        let here = if site < compiled.offers.len() {
            let id = OfferId::from_index(site);
            let shape = &compiled.shapes[compiled.offers[id].shape];
            if class.ports.blocks.overlaps(&shape.ports)
                || !compiled.is_sold(id)
                || !compiled.is_within_limits(id)
            {
                0
            } else {
                shape.takes(class, enough.min(class.per_node))
            }
        } else {
            let node = NodeId::from_index(site - compiled.offers.len());
            let room = running::room(arranger.context, node);
            room.takes_there(class).min(enough)
        };
        most = most.max(here);
        if most >= enough {
            break;
        }
    }
    most
}
