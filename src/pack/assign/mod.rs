//! Domain assignment: domains are chosen for whole classes of pods before anything is packed.
//!
//! *Problem.* Spreads, affinity and anti-affinity over zones and the like tie pods to each other
//! wherever they are. Looked at pod by pod they make packing slow and its result a matter of order;
//! and what one pod needs another to decide first is left for another round.
//!
//! *Idea.* A class with such rules is divided over *cells*, the combinations of domains that it can
//! use: so many pods here, so many there. Each part is then an item of its own that may use the
//! sites of its cell alone, and the packer needs to know nothing of domains. Pods that must share a
//! node become one item of several parts, as heavy as they are together. What remains for the
//! packer are rules about single nodes: which items may not meet, and how many of some pods a node
//! may hold.
//!
//! *Why it is right.* Classes are assigned one after another, those that a spread ties together by
//! turns ([`joint`]), and each pod is given a cell in which kube-scheduler would accept it after
//! all those assigned before it (and the bound ones). So the order of assigning is an order of
//! binding. Whom a pod needs is bound before it: those with whom it is to share a node, or who are
//! called to its domains, count there when it is judged. Classes come in this order: those that
//! others' affinity needs before the others; then the urgent; then those with the fewest cells.
//! Pods without rules of their own come last, wherever they are put, since nothing counts them any
//! more. Anti-affinity holds between every two classes whatever the order. A spread counts the
//! domains that the class, or others that it counts, could launch in beside those that exist, so it
//! is never looser than kube-scheduler's; what packing answers ([`feedback`]) closes those in which
//! no node is to stand; over single nodes a fresh one can always be launched, so the lowest count
//! is 0 and `maxSkew` is a cap.
//!
//! *Joint choices.* Where an affinity has its pick of domains, that one is taken in which most pods
//! of all classes tied together have a cell; of those the cheapest. A class that others only point
//! at is not tied down: one pod of it is put where it is needed, the rest go anywhere.
//!
//! *Preferences* take part when they are to be respected: a part uses the sites of its cell that
//! honour most, and among the cells allowed those come first that honour most.
//!
//! *Cost.* Classes × cells, and one step for each pod of a spread class until its counts repeat;
//! the rest of the steps is a multiplication.
//!
//! *Example.* Six replicas spread over three zones with `maxSkew: 1`, of which one zone is sold out
//! for their type. Cells are the zones; the spread counts all three, since a launch of *some* type
//! could be there; so two zones take one each and no more, and four pods wait. If packing shows
//! that no node will stand in the third zone, its cell is closed ([`feedback`]), the lowest count
//! is that of the other two, and all six are assigned, three to each.
//!
//! # Parts
//!
//! | file | what it decides |
//! |---|---|
//! | [`cell`] | which combinations of domains a class can use, and what a pod costs there |
//! | [`affinity`] | who comes before whom, and in whose domains a class may or must be |
//! | [`spread`] | the next legal cell of a pod with spreads |
//! | [`joint`] | turns of classes that a spread ties together |
//! | [`colocate`] | pods that must share a node: several classes as one item |
//! | [`finish`], [`batch`], [`from_parts`] | items from parts: eligibility, conflicts, caps |
//! | [`feedback`] | what packing answered, for the next assignment |

mod affinity;
mod batch;
mod cell;
mod colocate;
mod feedback;
mod finish;
mod from_parts;
mod joint;
mod spread;
mod spread_state;
#[cfg(test)]
mod tests;

use super::packing::Context;
use crate::compile::{
    Bits, ClassId, Compiled, Id, IdVec, Item, ItemId, KeyId, OfferId, SelectionId, Topology,
    TopologyKey,
};
pub(crate) use batch::{Batch, items_of};
use cell::{CellCosts, CellDivisions, DomainCell};
pub(crate) use cell::{DomainPrices, UNTAINTED};
pub(crate) use feedback::{Feedback, Restrictions, SpreadDomain};
pub(crate) use from_parts::{ClassPart, NodeParts};
use spread::{CellRules, DomainReaches};
use spread_state::DomainCounts;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Pods of a class that have no cell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LeftOutPods {
    pub(crate) count: u32,
    /// Whether rules between pods leave them none; else there is no room for them in any, as far as
    /// is known.
    pub(crate) barred: bool,
}

impl LeftOutPods {
    /// So many pods for which there is no room.
    pub(crate) fn of(count: u32) -> Self {
        Self { count, barred: false }
    }
}

/// Classes divided into items.
///
/// What was assigned is in `compiled`: its items are the parts, each with the sites of its cell.
/// The other lists say what was taken for granted, so that packing can be held against it.
#[derive(Clone, Debug)]
pub(crate) struct DomainAssignment {
    pub(crate) compiled: Compiled,
    /// For each class, how many pods have no cell.
    pub(crate) out: BTreeMap<ClassId, LeftOutPods>,
    /// For each class that had a choice, how many cells it could choose from.
    pub(crate) choices: BTreeMap<ClassId, usize>,
    /// Domains that classes can't use, with the offers that would make them count for their
    /// spreads.
    pub(crate) spread_domains: Vec<(SpreadDomain, Bits)>,
    /// Domains that count for classes' spreads since a launch could open them, with those offers.
    pub(crate) launchable: Vec<(SpreadDomain, Bits)>,
    /// For each item, the classes in it of which others count on these very pods in a cell.
    pub(crate) committed: IdVec<ItemId, Vec<(ClassId, usize)>>,
}

/// Pods that go to the same sites: so many of these parts.
///
/// Drafts are put together while assigning, split when followers join some of their copies, and
/// become items at the end.
#[derive(Clone, Debug)]
struct ItemDraft {
    parts: Vec<(ClassId, u32)>,
    count: u32,
    sites: Rc<Bits>,
    /// The classes in it that were counted in a cell, for others or for themselves.
    committed: Vec<(ClassId, usize)>,
}

/// How far a class is assigned.
///
/// Three states of a pod are told apart: tied to a cell, loose (any allowed cell will do, so the
/// packer chooses), and waiting for others to raise a count.
#[derive(Debug, Default)]
struct ClassProgress {
    keys: Vec<KeyId>,
    cells: Vec<DomainCell>,
    /// Which cells its loose pods may use.
    allowed: Vec<bool>,
    /// Pods by cell that are tied to it.
    assigned: Vec<u32>,
    /// Pods by cell that are counted there, tied or in drafts.
    counted: Vec<u32>,
    /// Pods that may use any allowed cell.
    unassigned: u32,
    /// Pods that no cell is legal for as things stand; others that are placed later may change
    /// that.
    waiting: u32,
    /// What each of its pods looks at.
    rules: Rc<CellRules>,
    /// Whether it has rules of its own that decide cells.
    ruled: bool,
    done: bool,
}

impl ClassProgress {
    /// Whether it was assigned, with pods that may use any of the cells left to it.
    fn is_unassigned(&self) -> bool {
        self.done && self.unassigned > 0 && (self.keys.is_empty() || self.allowed.contains(&true))
    }
}

/// What is being assigned.
///
/// Counts are kept by selection and key, as rules read them; who is counted where is updated with
/// each pod, so that asking whether a cell is legal looks at a few numbers.
struct DomainAssigner<'a> {
    context: &'a Context<'a>,
    compiled: &'a Compiled,
    topology: &'a Topology,
    restrictions: &'a Restrictions,
    prices: &'a DomainPrices,
    classes: IdVec<ClassId, ClassProgress>,
    /// Pending pods in known domains, by what counts them.
    counts: BTreeMap<(SelectionId, KeyId), Vec<i64>>,
    /// The same as spreads see it, each of which looks at some nodes alone.
    domain_counts: BTreeMap<(SelectionId, KeyId), Vec<DomainCounts>>,
    drafts: Vec<ItemDraft>,
    out: BTreeMap<ClassId, LeftOutPods>,
    /// For each class, the others that anti-affinity over a key keeps out of its domains.
    conflicts: IdVec<ClassId, Vec<(KeyId, ClassId)>>,
    /// For each class, the first of the classes that affinity ties together with it.
    affinity_component: IdVec<ClassId, ClassId>,
    /// For each class, whether another's affinity needs it.
    needed: IdVec<ClassId, bool>,
    /// The sites of classes that keep out of banned domains.
    eligible: BTreeMap<ClassId, Bits>,
    /// The eligibility sets by domains, as far as they were cut.
    cuts: RefCell<CellDivisions>,
    /// What the domains of keys have for spreads, as far as it was looked up.
    reaches: RefCell<DomainReaches>,
    /// What pods cost at least that ask for the same.
    priced: RefCell<CellCosts>,
}

/// Whether there is anything to arrange: rules between pods, preferences that take part,
/// reservations that pods are kept to.
pub(crate) fn is_needed(context: &Context<'_>) -> bool {
    let (compiled, preferring) = (context.compiled, context.with_preferences);
    let soft = || {
        compiled.preferences.untainted.iter().any(|sites| !sites.includes(&compiled.usable))
            || compiled.preferences.terms.values().any(|terms| !terms.is_empty())
    };
    let rules = compiled.topology.rules.values().any(|rules| {
        rules.affinity.is_some()
            || rules.spreads.iter().any(|spread| spread.hard || preferring)
            || rules.anti_affinity.iter().any(|term| term.key != TopologyKey::Hostname)
            || preferring
                && !(rules.preferred_affinity.is_empty()
                    && rules.preferred_anti_affinity.is_empty())
    });
    rules || preferring && soft() || context.strict_reservations && compiled.reservations.len() > 0
}

/// Divides the classes of a problem into items without rules over domains.
///
/// The same problem, prices and restrictions give the same assignment: classes are walked in a
/// fixed order, and ties go to the first.
pub(crate) fn assign_domains(
    context: &Context<'_>,
    prices: &DomainPrices,
    restrictions: &Restrictions,
) -> DomainAssignment {
    let compiled = context.compiled;
    let mut arranger = DomainAssigner {
        context,
        compiled,
        topology: &compiled.topology,
        restrictions,
        prices,
        classes: compiled.classes.iter().map(|_| ClassProgress::default()).collect(),
        counts: BTreeMap::new(),
        domain_counts: BTreeMap::new(),
        drafts: Vec::new(),
        out: BTreeMap::new(),
        conflicts: affinity::conflicts(&compiled.topology, &compiled.classes),
        affinity_component: affinity::affinity_components(&compiled.topology, &compiled.classes),
        needed: affinity::needed(&compiled.topology, &compiled.classes),
        eligible: BTreeMap::new(),
        cuts: RefCell::default(),
        reaches: RefCell::default(),
        priced: RefCell::default(),
    };
    arranger.ban();
    arranger.prepare();
    arranger.place_all();
    arranger.finish()
}

impl DomainAssigner<'_> {
    /// The item that stands for a class before it is divided.
    fn item(&self, pod_class: ClassId) -> &Item {
        &self.compiled.items[ItemId::from_index(pod_class.index())]
    }

    /// The sites that a class may use.
    fn eligible_sites(&self, class: ClassId) -> &Bits {
        self.eligible.get(&class).unwrap_or(&self.compiled.eligible[self.item(class).eligibility])
    }

    /// Where reservations come first whatever happens: the offers that draw on one, and all offers.
    ///
    /// With [`ReservedPolicy::Strict`](crate::options::ReservedPolicy) pods that a reservation
    /// could take wait for it.
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
        (self.context.strict_reservations && !reserved.is_empty()).then_some((reserved, offers))
    }

    /// Keeps classes out of the banned domains, as far as they have other sites, and of what isn't
    /// reserved for them where that counts.
    ///
    /// A ban is a wish: a class that has no other site, or none of so high a weight, keeps what it
    /// has.
    fn ban(&mut self) {
        let mut banned: BTreeMap<ClassId, Bits> = BTreeMap::new();
        for (class, key, domain) in &self.restrictions.banned {
            let sites = banned.entry(*class).or_insert_with(|| self.compiled.usable.emptied());
            for spread in &self.topology.rules[*class].spreads {
                if spread.hard && spread.key == TopologyKey::Label(*key) {
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
        let classes: Vec<ClassId> = self.classes.ids().collect();
        for class in classes.into_iter().filter(|_| !banned.is_empty() || reserved.is_some()) {
            let mut eligible = self.compiled.eligible[self.item(class).eligibility].clone();
            if let Some((reserved, offers)) = &reserved {
                let mut own = eligible.clone();
                own.and(reserved);
                if cell::holds_any(self, self.item(class), &own) {
                    eligible.and_not(offers);
                    eligible.or(&own);
                    let _new = self.eligible.insert(class, eligible.clone());
                }
            }
            for (_, sites) in banned.iter().filter(|(of, _)| **of != class) {
                eligible.and_not(sites);
            }
            // A pool of higher weight goes before keeping out of a domain.
            if cell::holds_any(self, self.item(class), &eligible)
                && self.top_weight(class, &eligible)
                    == self.top_weight(class, self.eligible_sites(class))
            {
                let _new = self.eligible.insert(class, eligible);
            }
        }
    }

    /// The highest weight of a pool by which one of these sites could hold a pod of a class.
    fn top_weight(&self, class: ClassId, sites: &Bits) -> Option<i32> {
        let (compiled, item) = (self.compiled, self.item(class));
        let offers = sites.iter().take_while(|site| *site < compiled.offers.len());
        let offers = offers.map(OfferId::from_index).filter(|id| compiled.is_sold(*id));
        let open = offers.filter(|id| compiled.room_of_offer(*id).takes_there(item, 1) > 0);
        open.map(|id| compiled.pools[compiled.offers[id].pool].weight).max()
    }

    fn is_preferring(&self, class: ClassId) -> bool {
        self.restrictions.preferring[class]
    }

    /// Works out the cells of every class that needs any, and what is to be counted.
    ///
    /// Classes without keys have no cells; they are placed by the packer wherever they may be.
    fn prepare(&mut self) {
        let classes: Vec<ClassId> = self.classes.ids().collect();
        for class in &classes {
            let keys = self.keys(*class);
            for (selection, key) in self.counted_by(*class) {
                let domains = self.topology.keys[key].domains.len();
                let _counts =
                    self.counts.entry((selection, key)).or_insert_with(|| vec![0; domains]);
            }
            self.keep_tallies(*class);
            let ruled = self.is_ruled(*class);
            let rules = if ruled { self.rules_of(*class) } else { CellRules::default() };
            let cells = if keys.is_empty() { Vec::new() } else { self.cells(*class, &keys) };
            let count = self.item(*class).count;
            let unassigned = self.restrictions.total(*class, count);
            self.classes[*class] = ClassProgress {
                allowed: self.allowed(*class, &rules, &cells),
                assigned: vec![0; cells.len()],
                counted: vec![0; cells.len()],
                unassigned,
                waiting: 0,
                keys,
                cells,
                rules: Rc::new(rules),
                ruled,
                done: false,
            };
            if unassigned < count {
                let _out = self.out.insert(*class, LeftOutPods::of(count - unassigned));
            }
        }
    }

    /// Which cells a class may use: not those in domains that are given up.
    fn allowed(&self, class: ClassId, rules: &CellRules, cells: &[DomainCell]) -> Vec<bool> {
        if self.restrictions.closed.is_empty() {
            return vec![true; cells.len()];
        }
        let is_closed = |key: KeyId, domain: u32| {
            self.restrictions.closed.contains(&(class, key, domain))
                && rules.spreads.iter().any(|spread| spread.is_closed(key, domain))
        };
        let open =
            |cell: &DomainCell| !cell.domains.iter().any(|(key, domain)| is_closed(*key, *domain));
        cells.iter().map(open).collect()
    }

    /// The keys whose domains matter for a class: those of its own rules, and those over which
    /// others' affinity or anti-affinity points at it.
    ///
    /// A class without rules of its own has cells too where others' affinity or anti-affinity
    /// points at it: those must know where it is.
    fn keys(&self, class: ClassId) -> Vec<KeyId> {
        let rules = &self.topology.rules[class];
        let mut keys: Vec<KeyId> = rules.keys(self.is_preferring(class)).collect();
        keys.extend(self.compiled.classes[class].domain_keys.iter().copied());
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// What the rules of a class count, over keys.
    fn counted_by(&self, class: ClassId) -> Vec<(SelectionId, KeyId)> {
        let rules = &self.topology.rules[class];
        let spreads = rules.spreads.iter().map(|spread| (spread.selection, spread.key));
        let affinity = rules.affinity.iter();
        let affinity = affinity.flat_map(|affinity| {
            affinity.key.iter().map(|topology_key| (affinity.selection, *topology_key))
        });
        let preferred_terms = rules.preferred_affinity.iter().chain(&rules.preferred_anti_affinity);
        let preferred_terms = preferred_terms.map(|(_, term)| (term.selection, term.key));
        let all = spreads.chain(affinity).chain(preferred_terms);
        all.filter_map(|(selection, topology_key)| match topology_key {
            TopologyKey::Hostname => None,
            TopologyKey::Label(key) => Some((selection, key)),
        })
        .collect()
    }

    /// Whether a class has rules of its own that decide its cells or with whom it shares a node.
    fn is_ruled(&self, class: ClassId) -> bool {
        let rules = &self.topology.rules[class];
        let preferring = self.is_preferring(class);
        let key = |topology_key: TopologyKey| topology_key != TopologyKey::Hostname;
        rules.affinity.is_some()
            || !self.conflicts[class].is_empty()
            || rules.spreads.iter().any(|one| key(one.key) && (one.hard || preferring))
            || preferring
                && rules
                    .preferred_affinity
                    .iter()
                    .chain(&rules.preferred_anti_affinity)
                    .any(|(_, term)| key(term.key))
    }

    /// The classes with rules, in the order in which they are assigned.
    ///
    /// Keys from first to last: placeholders last; whom others need before them; those that found
    /// no cell in an earlier attempt; those that can be first; by priority; spreads; the fewest
    /// cells; the class's number.
    fn order(&self) -> Vec<ClassId> {
        let levels = affinity::levels(self.topology, &self.compiled.classes);
        let mut order: Vec<ClassId> =
            self.classes.iter().filter(|(_, class)| class.ruled).map(|(id, _)| id).collect();
        order.sort_by_key(|class| {
            (
                self.item(*class).placeholder,
                levels[*class],
                !self.restrictions.early.contains(class),
                // Of those that need each other, the ones that can be first.
                !self.needs_itself(*class),
                Reverse(self.item(*class).priority),
                // Those that a spread ties to even counts before those that make counts uneven.
                !self.is_spread(*class),
                self.classes[*class].cells.len(),
                *class,
            )
        });
        order
    }

    /// Whether a class has an affinity that its own pods meet.
    fn needs_itself(&self, class: ClassId) -> bool {
        let affinity = self.topology.rules[class].affinity.iter();
        affinity.into_iter().any(|affinity| self.topology.selects(affinity.selection, class))
    }

    /// Whether a class has a spread over a key that must be kept.
    fn is_spread(&self, class: ClassId) -> bool {
        let spreads = &self.topology.rules[class].spreads;
        spreads.iter().any(|spread| spread.hard && spread.key != TopologyKey::Hostname)
    }

    /// Gives the pods of one class their cells, but for those that are placed one by one; whether
    /// it has such pods.
    ///
    /// Steps: without a cell nothing is done, or all are out; cells of conflicting classes are
    /// taken away; affinity narrows what is left; a class with counts to keep is placed pod by pod
    /// by the caller; one with conflicts to come is settled in one domain; any other keeps its
    /// choice open.
    fn place(&mut self, class: ClassId) -> bool {
        self.classes[class].done = true;
        if self.classes[class].cells.is_empty() && !self.classes[class].keys.is_empty() {
            // Where something else is wrong as well the packer finds no place either.
            if self.lacks_key(class) {
                let count = self.classes[class].unassigned;
                self.leave_out(class, count, true);
            }
            return false;
        }
        let affinity = self.topology.rules[class].affinity.clone();
        if self.restrictions.given_up.contains(&class) {
            let count = self.classes[class].unassigned;
            self.leave_out(class, count, false);
            return false;
        }
        self.exclude_occupied(class);
        if let Some(affinity) = &affinity {
            if affinity.key.contains(&TopologyKey::Hostname) {
                self.colocate(class, affinity);
                return false;
            }
            if !self.restrict_to_affinity(class, affinity) {
                return false;
            }
        }
        if self.steps(class) {
            return true;
        }
        if self.classes[class].cells.len() > 1 && self.has_open_conflict(class) {
            self.place_component(class);
        } else if self.classes[class].allowed.iter().filter(|allowed| **allowed).count() == 1 {
            let cell = self.classes[class].allowed.iter().position(|allowed| *allowed).unwrap_or(0);
            let learnt_capacity = self
                .restrictions
                .learnt_capacities
                .get(&(class, cell))
                .copied()
                .unwrap_or(u32::MAX);
            let count = self.classes[class].unassigned;
            self.assign(class, cell, count.min(learnt_capacity));
            if count > learnt_capacity {
                self.leave_out(class, count - learnt_capacity, false);
            }
        }
        false
    }

    /// Ties loose pods of a class to a cell.
    fn assign(&mut self, class: ClassId, cell: usize, count: u32) {
        let progress = &mut self.classes[class];
        let count = count.min(progress.unassigned);
        progress.unassigned -= count;
        progress.assigned[cell] += count;
        self.count(class, cell, count, None);
    }

    /// Counts pods of a class in the domains of a cell, on all of its sites or on these.
    fn count(&mut self, class: ClassId, cell: usize, count: u32, sites: Option<&Bits>) {
        self.classes[class].counted[cell] += count;
        let domains = self.classes[class].cells[cell].domains.clone();
        for selection in &self.topology.selected_by[class] {
            for (key, domain) in domains.iter() {
                if let Some(counts) = self.counts.get_mut(&(*selection, *key)) {
                    counts[*domain as usize] += i64::from(count);
                }
                for domain_counts in
                    self.domain_counts.get_mut(&(*selection, *key)).into_iter().flatten()
                {
                    let sites = sites.unwrap_or(&self.classes[class].cells[cell].sites);
                    domain_counts.add(sites, *domain as usize, count);
                }
            }
        }
    }

    /// Whether a cell may have more pods of a class, as far as earlier packings showed.
    fn is_below_learnt_capacity(&self, class: ClassId, cell: usize) -> bool {
        let learnt_capacity = self.restrictions.learnt_capacities.get(&(class, cell));
        learnt_capacity
            .is_none_or(|learnt_capacity| self.classes[class].counted[cell] < *learnt_capacity)
    }

    /// Notes that pods of a class have no cell; `barred`: because of rules between pods, not of
    /// what earlier packings showed.
    ///
    /// Whether rules or room are the cause decides what a later attempt may try: only the first is
    /// helped by giving up preferences or by a turn before others.
    fn leave_out(&mut self, class: ClassId, count: u32, barred: bool) {
        self.classes[class].unassigned -= count.min(self.classes[class].unassigned);
        let out = self.out.entry(class).or_insert(LeftOutPods { count: 0, barred });
        out.count += count;
    }

    /// Whether nothing that a class could use has some label that its rules count over.
    fn lacks_key(&self, class: ClassId) -> bool {
        let usable = &self.compiled.usable;
        let mut keys = self.classes[class].keys.iter();
        keys.any(|key| !self.topology.keys[*key].labelled.overlaps(usable))
    }

    /// Whether pods of a class have a cell or share nodes.
    fn has_place(&self, class: ClassId) -> bool {
        let progress = &self.classes[class];
        progress.assigned.iter().any(|count| *count > 0)
            || self.drafts.iter().any(|draft| draft.parts.iter().any(|(of, _)| *of == class))
    }
}
