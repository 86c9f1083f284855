//! Arranging: domains are chosen for whole kinds of pods before anything is packed.
//!
//! *Problem.* Spreads, affinity and anti-affinity over zones and the like tie pods to each other wherever
//! they are. Looked at pod by pod they make packing slow and its result a matter of order; and what one
//! pod needs another to decide first is left for another round.
//!
//! *Idea.* A kind with such rules is divided over *cells*, the combinations of domains that it can use:
//! so many pods here, so many there. Each part is then a class of its own that may use the sites of its
//! cell alone, and the packer needs to know nothing of domains. Pods that must share a node become one
//! class of several parts, as heavy as they are together. What remains for the packer are rules about
//! single nodes: which classes may not meet, and how many of some pods a node may hold.
//!
//! *Why it is right.* Kinds are arranged one after another, those that a spread ties together by turns
//! ([`joint`]), and each pod is given a cell in which kube-scheduler would accept it after all those
//! arranged before it (and the bound ones). So the order of arranging is an order of binding. Whom a pod needs is bound before it: those with whom it is to
//! share a node, or who are called to its domains, count there when it is judged. Kinds come in this order: those that others' affinity
//! needs before the others; then the urgent; then those with the fewest cells. Pods without rules of
//! their own come last, wherever they are put, since nothing counts them any more. Anti-affinity holds
//! between every two kinds whatever the order. A spread counts the domains that the kind, or
//! others that it counts, could launch in beside those that exist, so it is never looser than
//! kube-scheduler's; what packing answers ([`feedback`]) closes those in which no node is to stand; over single nodes a fresh
//! one can always be launched, so the lowest count is 0 and `maxSkew` is a cap.
//!
//! *Joint choices.* Where an affinity has its pick of domains, that one is taken in which most pods of
//! all kinds tied together have a cell; of those the cheapest. A kind that others only point at is not
//! tied down: one pod of it is put where it is needed, the rest go anywhere.
//!
//! *Preferences* take part when they are to be respected: a part uses the sites of its cell that honour
//! most, and among the cells allowed those come first that honour most.
//!
//! *Cost.* Kinds × cells, and one step for each pod of a spread kind until its counts repeat; the rest
//! of the steps is a multiplication.

mod affinity;
mod batch;
mod cell;
mod feedback;
mod finish;
mod from_parts;
mod joint;
mod share;
mod spread;
#[cfg(test)]
mod tests;

use super::state::Context;
use crate::compile::{
    Bits, Class, ClassId, Compiled, Id, IdVec, KeyId, KindId, OfferId, Over, SelectionId, Topology,
};
pub(crate) use batch::{Batch, classes_of};
use cell::{Cell, Cuts, Priced};
pub(crate) use cell::{Prices, UNTAINTED};
pub(crate) use feedback::{Feedback, Foreign, Restrictions};
pub(crate) use from_parts::{Held, Part};
use spread::{Reaches, Rules, Tally};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Pods of a kind that have no cell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Out {
    pub(crate) count: u32,
    /// Whether rules between pods leave them none; else there is no room for them in any, as far as is
    /// known.
    pub(crate) barred: bool,
}

impl Out {
    /// So many pods for which there is no room.
    pub(crate) fn of(count: u32) -> Self {
        Self { count, barred: false }
    }
}

/// Kinds divided into classes.
#[derive(Clone, Debug)]
pub(crate) struct Arrangement {
    pub(crate) compiled: Compiled,
    /// For each kind, how many pods have no cell.
    pub(crate) out: BTreeMap<KindId, Out>,
    /// For each kind that had a choice, how many cells it could choose from.
    pub(crate) choices: BTreeMap<KindId, usize>,
    /// Domains that kinds can't use, with the offers that would make them count for their spreads.
    pub(crate) foreign: Vec<(Foreign, Bits)>,
    /// Domains that count for kinds' spreads since a launch could open them, with those offers.
    pub(crate) launchable: Vec<(Foreign, Bits)>,
    /// For each class, the kinds in it of which others count on these very pods in a cell.
    pub(crate) firm: IdVec<ClassId, Vec<(KindId, usize)>>,
}

/// Pods that go to the same sites: so many of these parts.
#[derive(Clone, Debug)]
struct Draft {
    parts: Vec<(KindId, u32)>,
    count: u32,
    sites: Rc<Bits>,
    /// The kinds in it that were counted in a cell, for others or for themselves.
    firm: Vec<(KindId, usize)>,
}

/// How far a kind is arranged.
#[derive(Debug, Default)]
struct Progress {
    keys: Vec<KeyId>,
    cells: Vec<Cell>,
    /// Which cells its loose pods may use.
    allowed: Vec<bool>,
    /// Pods by cell that are tied to it.
    pinned: Vec<u32>,
    /// Pods by cell that are counted there, tied or in drafts.
    counted: Vec<u32>,
    /// Pods that may use any allowed cell.
    loose: u32,
    /// Pods that no cell is legal for as things stand; others that are placed later may change that.
    waiting: u32,
    /// What each of its pods looks at.
    rules: Rc<Rules>,
    /// Whether it has rules of its own that decide cells.
    ruled: bool,
    done: bool,
}

impl Progress {
    /// Whether it was arranged, with pods that may use any of the cells left to it.
    fn is_loose(&self) -> bool {
        self.done && self.loose > 0 && (self.keys.is_empty() || self.allowed.contains(&true))
    }
}

/// What is being arranged.
struct Arranger<'a> {
    context: &'a Context<'a>,
    compiled: &'a Compiled,
    topology: &'a Topology,
    restrictions: &'a Restrictions,
    prices: &'a Prices,
    kinds: IdVec<KindId, Progress>,
    /// Pending pods in known domains, by what counts them.
    counts: BTreeMap<(SelectionId, KeyId), Vec<i64>>,
    /// The same as spreads see it, each of which looks at some nodes alone.
    tallies: BTreeMap<(SelectionId, KeyId), Vec<Tally>>,
    drafts: Vec<Draft>,
    out: BTreeMap<KindId, Out>,
    /// For each kind, the others that anti-affinity over a key keeps out of its domains.
    foes: IdVec<KindId, Vec<(KeyId, KindId)>>,
    /// For each kind, the first of the kinds that affinity ties together with it.
    ties: IdVec<KindId, KindId>,
    /// For each kind, whether another's affinity needs it.
    needed: IdVec<KindId, bool>,
    /// The sites of kinds that keep out of banned domains.
    rows: BTreeMap<KindId, Bits>,
    /// The rows by domains, as far as they were cut.
    cuts: RefCell<Cuts>,
    /// What the domains of keys have for spreads, as far as it was looked up.
    reaches: RefCell<Reaches>,
    /// What pods cost at least that ask for the same.
    priced: RefCell<Priced>,
}

/// Whether there is anything to arrange: rules between pods, preferences that take part, reservations
/// that pods are kept to.
pub(crate) fn is_needed(context: &Context<'_>) -> bool {
    let (compiled, wishful) = (context.compiled, context.wishful);
    let soft = || {
        compiled.wishes.untainted.iter().any(|sites| !sites.includes(&compiled.usable))
            || compiled.wishes.terms.values().any(|terms| !terms.is_empty())
    };
    let rules = compiled.topology.rules.values().any(|rules| {
        rules.near.is_some()
            || rules.spreads.iter().any(|spread| spread.hard || wishful)
            || rules.far.iter().any(|term| term.over != Over::Host)
            || wishful && !(rules.wish_near.is_empty() && rules.wish_far.is_empty())
    });
    rules || wishful && soft() || context.strict && compiled.reservations.len() > 0
}

/// Divides the kinds of a problem into classes without rules over domains.
pub(crate) fn arrange(
    context: &Context<'_>,
    prices: &Prices,
    restrictions: &Restrictions,
) -> Arrangement {
    let compiled = context.compiled;
    let mut arranger = Arranger {
        context,
        compiled,
        topology: &compiled.topology,
        restrictions,
        prices,
        kinds: compiled.kinds.iter().map(|_| Progress::default()).collect(),
        counts: BTreeMap::new(),
        tallies: BTreeMap::new(),
        drafts: Vec::new(),
        out: BTreeMap::new(),
        foes: affinity::foes(&compiled.topology, &compiled.kinds),
        ties: affinity::ties(&compiled.topology, &compiled.kinds),
        needed: affinity::needed(&compiled.topology, &compiled.kinds),
        rows: BTreeMap::new(),
        cuts: RefCell::default(),
        reaches: RefCell::default(),
        priced: RefCell::default(),
    };
    arranger.ban();
    arranger.prepare();
    arranger.place_all();
    arranger.finish()
}

impl Arranger<'_> {
    /// The class that stands for a kind before it is divided.
    fn class(&self, kind: KindId) -> &Class {
        &self.compiled.classes[ClassId::from_index(kind.index())]
    }

    /// The sites that a kind may use.
    fn row(&self, kind: KindId) -> &Bits {
        self.rows.get(&kind).unwrap_or(&self.compiled.rows[self.class(kind).row])
    }

    /// Where reservations come first whatever happens: the offers that draw on one, and all offers.
    fn reserved(&self) -> Option<(Bits, Bits)> {
        let compiled = self.compiled;
        let mut offers = compiled.usable.emptied();
        let mut reserved = offers.clone();
        for (id, offer) in compiled.offers.iter() {
            offers.insert(compiled.site_of_offer(id));
            if offer.reservation.is_some_and(|id| compiled.reservations[id].remaining > 0) {
                reserved.insert(compiled.site_of_offer(id));
            }
        }
        (self.context.strict && !reserved.is_empty()).then_some((reserved, offers))
    }

    /// Keeps kinds out of the banned domains, as far as they have other sites, and of what isn't
    /// reserved for them where that counts.
    fn ban(&mut self) {
        let mut banned: BTreeMap<KindId, Bits> = BTreeMap::new();
        for (kind, key, domain) in &self.restrictions.banned {
            let sites = banned.entry(*kind).or_insert_with(|| self.compiled.usable.emptied());
            for spread in &self.topology.rules[*kind].spreads {
                if spread.hard && spread.over == Over::Key(*key) {
                    let mut counted = (*spread.counted).clone();
                    counted.and(&self.topology.keys[*key].domains[*domain as usize]);
                    sites.or(&counted);
                }
            }
        }
        for sites in banned.values_mut() {
            for node in self.compiled.nodes.ids() {
                sites.remove(self.compiled.site_of_node(node));
            }
        }
        let reserved = self.reserved();
        let kinds: Vec<KindId> = self.kinds.ids().collect();
        for kind in kinds.into_iter().filter(|_| !banned.is_empty() || reserved.is_some()) {
            let mut row = self.compiled.rows[self.class(kind).row].clone();
            if let Some((reserved, offers)) = &reserved {
                let mut own = row.clone();
                own.and(reserved);
                if cell::holds_any(self, self.class(kind), &own) {
                    row.and_not(offers);
                    row.or(&own);
                    let _new = self.rows.insert(kind, row.clone());
                }
            }
            for (_, sites) in banned.iter().filter(|(of, _)| **of != kind) {
                row.and_not(sites);
            }
            // A pool of higher weight goes before keeping out of a domain.
            if cell::holds_any(self, self.class(kind), &row)
                && self.top_weight(kind, &row) == self.top_weight(kind, self.row(kind))
            {
                let _new = self.rows.insert(kind, row);
            }
        }
    }

    /// The highest weight of a pool by which one of these sites could hold a pod of a kind.
    fn top_weight(&self, kind: KindId, sites: &Bits) -> Option<i32> {
        let (compiled, class) = (self.compiled, self.class(kind));
        let offers = sites.iter().take_while(|site| *site < compiled.offers.len());
        let offers = offers.map(OfferId::from_index).filter(|id| compiled.is_sold(*id));
        let offers = offers.map(|id| &compiled.offers[id]);
        let open = offers.filter(|offer| compiled.shapes[offer.shape].takes(class, 1) > 0);
        open.map(|offer| compiled.pools[offer.pool].weight).max()
    }

    fn is_wishful(&self, kind: KindId) -> bool {
        self.restrictions.wishful[kind]
    }

    /// Works out the cells of every kind that needs any, and what is to be counted.
    fn prepare(&mut self) {
        let kinds: Vec<KindId> = self.kinds.ids().collect();
        for kind in &kinds {
            let keys = self.keys(*kind);
            for (selection, key) in self.counted_by(*kind) {
                let domains = self.topology.keys[key].domains.len();
                let _counts =
                    self.counts.entry((selection, key)).or_insert_with(|| vec![0; domains]);
            }
            self.keep_tallies(*kind);
            let ruled = self.is_ruled(*kind);
            let rules = if ruled { self.rules_of(*kind) } else { Rules::default() };
            let cells = if keys.is_empty() { Vec::new() } else { self.cells(*kind, &keys) };
            let count = self.class(*kind).count;
            let loose = self.restrictions.total(*kind, count);
            self.kinds[*kind] = Progress {
                allowed: self.allowed(*kind, &rules, &cells),
                pinned: vec![0; cells.len()],
                counted: vec![0; cells.len()],
                loose,
                waiting: 0,
                keys,
                cells,
                rules: Rc::new(rules),
                ruled,
                done: false,
            };
            if loose < count {
                let _out = self.out.insert(*kind, Out::of(count - loose));
            }
        }
    }

    /// Which cells a kind may use: not those in domains that are given up.
    fn allowed(&self, kind: KindId, rules: &Rules, cells: &[Cell]) -> Vec<bool> {
        if self.restrictions.closed.is_empty() {
            return vec![true; cells.len()];
        }
        let is_closed = |key: KeyId, domain: u32| {
            self.restrictions.closed.contains(&(kind, key, domain))
                && rules.levels.iter().any(|level| level.is_closed(key, domain))
        };
        let open = |cell: &Cell| !cell.domains.iter().any(|(key, domain)| is_closed(*key, *domain));
        cells.iter().map(open).collect()
    }

    /// The keys whose domains matter for a kind: those of its own rules, and those over which others'
    /// affinity or anti-affinity points at it.
    fn keys(&self, kind: KindId) -> Vec<KeyId> {
        let rules = &self.topology.rules[kind];
        let mut keys: Vec<KeyId> = rules.keys(self.is_wishful(kind)).collect();
        keys.extend(self.compiled.kinds[kind].sticky.iter().copied());
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// What the rules of a kind count, over keys.
    fn counted_by(&self, kind: KindId) -> Vec<(SelectionId, KeyId)> {
        let rules = &self.topology.rules[kind];
        let spreads = rules.spreads.iter().map(|spread| (spread.selection, spread.over));
        let near = rules.near.iter();
        let near = near.flat_map(|near| near.over.iter().map(|over| (near.selection, *over)));
        let wishes = rules.wish_near.iter().chain(&rules.wish_far);
        let wishes = wishes.map(|(_, term)| (term.selection, term.over));
        let all = spreads.chain(near).chain(wishes);
        all.filter_map(|(selection, over)| match over {
            Over::Host => None,
            Over::Key(key) => Some((selection, key)),
        })
        .collect()
    }

    /// Whether a kind has rules of its own that decide its cells or with whom it shares a node.
    fn is_ruled(&self, kind: KindId) -> bool {
        let rules = &self.topology.rules[kind];
        let wishful = self.is_wishful(kind);
        let key = |over: Over| over != Over::Host;
        rules.near.is_some()
            || !self.foes[kind].is_empty()
            || rules.spreads.iter().any(|one| key(one.over) && (one.hard || wishful))
            || wishful
                && rules.wish_near.iter().chain(&rules.wish_far).any(|(_, term)| key(term.over))
    }

    /// The kinds with rules, in the order in which they are arranged.
    fn order(&self) -> Vec<KindId> {
        let levels = affinity::levels(self.topology, &self.compiled.kinds);
        let mut order: Vec<KindId> =
            self.kinds.iter().filter(|(_, kind)| kind.ruled).map(|(id, _)| id).collect();
        order.sort_by_key(|kind| {
            (
                self.class(*kind).guest,
                levels[*kind],
                !self.restrictions.early.contains(kind),
                // Of those that need each other, the ones that can be first.
                !self.needs_itself(*kind),
                Reverse(self.class(*kind).priority),
                // Those that a spread ties to even counts before those that make counts uneven.
                !self.is_spread(*kind),
                self.kinds[*kind].cells.len(),
                *kind,
            )
        });
        order
    }

    /// Whether a kind has an affinity that its own pods meet.
    fn needs_itself(&self, kind: KindId) -> bool {
        let near = self.topology.rules[kind].near.iter();
        near.into_iter().any(|near| self.topology.selects(near.selection, kind))
    }

    /// Whether a kind has a spread over a key that must be kept.
    fn is_spread(&self, kind: KindId) -> bool {
        let spreads = &self.topology.rules[kind].spreads;
        spreads.iter().any(|spread| spread.hard && spread.over != Over::Host)
    }

    /// Gives the pods of one kind their cells, but for those that are placed one by one; whether it has
    /// such pods.
    fn place(&mut self, kind: KindId) -> bool {
        self.kinds[kind].done = true;
        if self.kinds[kind].cells.is_empty() && !self.kinds[kind].keys.is_empty() {
            // Where something else is wrong as well the packer finds no place either.
            if self.lacks_key(kind) {
                let count = self.kinds[kind].loose;
                self.leave_out(kind, count, true);
            }
            return false;
        }
        let near = self.topology.rules[kind].near.clone();
        if self.restrictions.given_up.contains(&kind) {
            let count = self.kinds[kind].loose;
            self.leave_out(kind, count, false);
            return false;
        }
        self.shun(kind);
        if let Some(near) = &near {
            if near.over.contains(&Over::Host) {
                self.share_nodes(kind, near);
                return false;
            }
            if !self.approach(kind, near) {
                return false;
            }
        }
        if self.steps(kind) {
            return true;
        }
        if self.kinds[kind].cells.len() > 1 && self.has_open_foe(kind) {
            self.settle(kind);
        } else if self.kinds[kind].allowed.iter().filter(|allowed| **allowed).count() == 1 {
            let cell = self.kinds[kind].allowed.iter().position(|allowed| *allowed).unwrap_or(0);
            let ceiling =
                self.restrictions.ceilings.get(&(kind, cell)).copied().unwrap_or(u32::MAX);
            let count = self.kinds[kind].loose;
            self.pin(kind, cell, count.min(ceiling));
            if count > ceiling {
                self.leave_out(kind, count - ceiling, false);
            }
        }
        false
    }

    /// Ties loose pods of a kind to a cell.
    fn pin(&mut self, kind: KindId, cell: usize, count: u32) {
        let progress = &mut self.kinds[kind];
        let count = count.min(progress.loose);
        progress.loose -= count;
        progress.pinned[cell] += count;
        self.count(kind, cell, count, None);
    }

    /// Counts pods of a kind in the domains of a cell, on all of its sites or on these.
    fn count(&mut self, kind: KindId, cell: usize, count: u32, sites: Option<&Bits>) {
        self.kinds[kind].counted[cell] += count;
        let domains = self.kinds[kind].cells[cell].domains.clone();
        for selection in &self.topology.selected_by[kind] {
            for (key, domain) in domains.iter() {
                if let Some(counts) = self.counts.get_mut(&(*selection, *key)) {
                    counts[*domain as usize] += i64::from(count);
                }
                for tally in self.tallies.get_mut(&(*selection, *key)).into_iter().flatten() {
                    let sites = sites.unwrap_or(&self.kinds[kind].cells[cell].sites);
                    tally.add(sites, *domain as usize, count);
                }
            }
        }
    }

    /// Whether a cell may have more pods of a kind, as far as earlier packings showed.
    fn is_below_ceiling(&self, kind: KindId, cell: usize) -> bool {
        let ceiling = self.restrictions.ceilings.get(&(kind, cell));
        ceiling.is_none_or(|ceiling| self.kinds[kind].counted[cell] < *ceiling)
    }

    /// Notes that pods of a kind have no cell; `barred`: because of rules between pods, not of what earlier
    /// packings showed.
    fn leave_out(&mut self, kind: KindId, count: u32, barred: bool) {
        self.kinds[kind].loose -= count.min(self.kinds[kind].loose);
        let out = self.out.entry(kind).or_insert(Out { count: 0, barred });
        out.count += count;
    }

    /// Whether nothing that a kind could use has some label that its rules count over.
    fn lacks_key(&self, kind: KindId) -> bool {
        let usable = &self.compiled.usable;
        let mut keys = self.kinds[kind].keys.iter();
        keys.any(|key| !self.topology.keys[*key].labelled.overlaps(usable))
    }

    /// Whether pods of a kind have a cell or share nodes.
    fn has_place(&self, kind: KindId) -> bool {
        let progress = &self.kinds[kind];
        progress.pinned.iter().any(|count| *count > 0)
            || self.drafts.iter().any(|draft| draft.parts.iter().any(|(of, _)| *of == kind))
    }
}
