//! What a packing did, step by step, for those who look on.
//!
//! Packings are tried side by side and most are dropped, so each keeps its own steps, in numbers,
//! and only those of the packing that is kept are told, with names. Where nobody wants them none
//! are kept.
//!
//! *Cost.* When nobody looks on, a comparison for each step: the closures that make steps aren't
//! called. When somebody does, a few words for each purchase; names are looked up only for the
//! packing that is kept.

use super::assign::{DomainAssignment, Feedback};
use super::assigned_packing::AssignedPacking;
use super::launch_template::offering_ref;
use super::packing::{Context, Packing};
use crate::bound::DualValues;
use crate::compile::{ClassId, Compiled, Id, ItemId, KeyId};
use crate::model::{CapacityType, Price};
use crate::plan::OfferingRef;
use crate::progress::{DomainFeedback, Event, Improvement, MethodKind, PackingFigures};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A step of a packing.
#[derive(Clone, Debug)]
pub(crate) enum PackingStep {
    /// It is made in this way from here on.
    Method(MethodKind),
    /// Pods without a place were priced: how many, and what they are worth together, in
    /// billionths.
    Priced { pods: u64, worth: i128 },
    /// Nodes were bought; how efficient they are, in parts of 2^-40.
    Bought { bin_type: usize, times: u32, items: Vec<(ItemId, u32)>, efficiency: u128 },
    /// Nodes went to a cheaper bin type.
    RightSized { from: usize, to: usize, times: u32 },
    /// Launches were taken apart.
    TakenApart { from: PackingFigures, to: PackingFigures },
}

/// The whole of an efficiency.
const WHOLE: u128 = 1 << 40;

impl Packing {
    /// Keeps a step, where steps are wanted.
    pub(super) fn note(&mut self, context: &Context<'_>, step: impl FnOnce() -> PackingStep) {
        if context.watch.wants_events() {
            self.steps.push(step());
        }
    }

    /// Keeps that pods left, of which so many of each item are asked about, were priced.
    pub(super) fn note_prices(&mut self, context: &Context<'_>, worth: &DualValues) {
        if context.watch.wants_events() {
            let left = self.left.iter().filter(|(_, left)| **left > 0);
            let (pods, total) = left.fold((0_u64, 0_i128), |(pods, total), (item, left)| {
                let each = i128::from(worth.of(item)).saturating_mul(i128::from(*left));
                (pods.saturating_add(u64::from(*left)), total.saturating_add(each))
            });
            self.steps.push(PackingStep::Priced { pods, worth: worth.amount(total) });
        }
    }

    /// What it comes to, pods without a domain not counted.
    pub(super) fn figures(&self, context: &Context<'_>) -> PackingFigures {
        let launched = self.groups.iter().filter(|group| group.place.is_launch());
        let launched = launched.map(|group| u64::from(group.multiplicity));
        let items = &context.compiled.items;
        let waiting = self.left.iter().filter(|(item, _)| !items[*item].placeholder);
        let pods_of = |item: ItemId| items[item].parts.iter().map(|(_, each)| u64::from(*each));
        let out = waiting.map(|(item, left)| u64::from(*left) * pods_of(item).sum::<u64>());
        PackingFigures {
            cost: Price::from_nanos(self.cost(context)),
            nodes: launched.sum(),
            left_out: out.sum(),
        }
    }
}

impl AssignedPacking {
    /// What it comes to.
    pub(crate) fn figures(&self, context: &Context<'_>) -> PackingFigures {
        let inner = Context { compiled: self.compiled(context.compiled), ..*context };
        let left_out = self.short(context.compiled);
        PackingFigures { left_out, ..self.packing.figures(&inner) }
    }

    /// Does something to it and tells what came of that, if it is better then.
    ///
    /// Figures and rank are taken before and after only where somebody looks on.
    pub(crate) fn told<R>(
        &mut self,
        context: &Context<'_>,
        by: Improvement,
        change: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let from =
            context.watch.wants_events().then(|| (self.figures(context), self.rank(context)));
        let result = change(self);
        if let Some((from, rank)) = from
            && self.rank(context) < rank
        {
            let to = self.figures(context);
            context.watch.event(|| Event::Improved { by, from, to });
        }
        result
    }

    /// Tells how it came about.
    pub(super) fn tell_steps(&mut self, context: &Context<'_>) {
        if !context.watch.wants_events() {
            return;
        }
        let figures = self.figures(context);
        context.watch.event(|| Event::Kept(figures));
        let steps = std::mem::take(&mut self.packing.steps);
        let compiled = self.compiled(context.compiled);
        let names = EventNames { compiled };
        if self.assignment.is_some() {
            for (id, item) in compiled.items.iter() {
                let domains = names.domains(id);
                if !domains.is_empty() {
                    let (pods, count) = (names.pods(&item.parts), item.count);
                    context.watch.event(|| Event::Assigned { pods, count, domains });
                }
            }
        }
        for step in steps {
            context.watch.event(|| names.event(step));
        }
    }
}

/// Tells what the packing of an assignment comes to.
pub(super) fn tell_packed(context: &Context<'_>, assignment: &DomainAssignment, packing: &Packing) {
    context.watch.event(|| {
        let whole = context.compiled;
        let context = Context { compiled: &assignment.compiled, ..*context };
        let placeholder = |class: ClassId| whole.items[item_of(class)].placeholder;
        let out = assignment.out.iter().filter(|(class, _)| !placeholder(**class));
        let out: u64 = out.map(|(_, out)| u64::from(out.count)).sum();
        let figures = packing.figures(&context);
        Event::Packed(PackingFigures { left_out: figures.left_out + out, ..figures })
    });
}

fn item_of(class: ClassId) -> ItemId {
    ItemId::from_index(class.index())
}

/// Tells what packing an assignment showed.
pub(super) fn tell_feedback(
    context: &Context<'_>,
    assignment: Option<&DomainAssignment>,
    feedback: Feedback,
) {
    context.watch.event(|| {
        let names = EventNames { compiled: context.compiled };
        let (class, feedback) = names.feedback(assignment, feedback);
        Event::Feedback { pods: names.class(class), feedback }
    });
}

/// Numbers of a problem to the names that events use.
struct EventNames<'a> {
    compiled: &'a Compiled,
}

impl EventNames<'_> {
    fn class(&self, class: ClassId) -> Arc<str> {
        self.compiled.exemplar(class).map_or_else(|| "".into(), |pod| pod.entry_name())
    }

    fn pods(&self, parts: &[(ClassId, u32)]) -> Vec<(Arc<str>, u32)> {
        parts.iter().map(|(class, each)| (self.class(*class), *each)).collect()
    }

    fn offering(&self, bin_type: usize) -> (Arc<str>, OfferingRef) {
        let bin_type = &self.compiled.bin_types[bin_type];
        let pool = self.compiled.pools[bin_type.pool].index;
        let pool = self.compiled.parts.node_pool(pool).name.clone();
        let offering = bin_type.offers.first().map(|offer| offering_ref(self.compiled, *offer));
        let none = || OfferingRef {
            price: Price::from_nanos(bin_type.price.into()),
            instance_type: "".into(),
            zone: "".into(),
            capacity_type: CapacityType::OnDemand,
            reservation: None,
        };
        (pool, offering.unwrap_or_else(none))
    }

    /// The domains that an item may use, by the keys over which its pods have rules.
    fn domains(&self, item: ItemId) -> Vec<(Arc<str>, Vec<Arc<str>>)> {
        let (topology, item) = (&self.compiled.topology, &self.compiled.items[item]);
        let rules = item.parts.iter().map(|(class, _)| &topology.rules[*class]);
        let keys: BTreeSet<KeyId> = rules.flat_map(|rules| rules.keys(true)).collect();
        let sites = &self.compiled.eligible[item.eligibility];
        let of_key = |key: KeyId| {
            let key = &topology.keys[key];
            let used = key.names.iter().zip(&key.domains);
            let used = used.filter(|(_, domain)| domain.overlaps(sites));
            (key.name.clone(), used.map(|(name, _)| name.clone()).collect())
        };
        keys.into_iter().map(of_key).collect()
    }

    fn domain(&self, key: KeyId, domain: u32) -> (Arc<str>, Arc<str>) {
        let key = &self.compiled.topology.keys[key];
        let name = key.names.get(domain as usize).cloned();
        (key.name.clone(), name.unwrap_or_else(|| "".into()))
    }

    fn feedback(
        &self,
        assignment: Option<&DomainAssignment>,
        feedback: Feedback,
    ) -> (ClassId, DomainFeedback) {
        match feedback {
            Feedback::CellFull { class, cell, held } => {
                let mut committed = assignment.into_iter().flat_map(|one| one.committed.iter());
                let item = committed.find(|(_, cells)| cells.contains(&(class, cell)));
                let domains = assignment.zip(item).map_or_else(Vec::new, |(one, (item, _))| {
                    let domains = EventNames { compiled: &one.compiled }.domains(item).into_iter();
                    domains.map(|(key, names)| (key, names.join("|").into())).collect()
                });
                (class, DomainFeedback::Full { domains, held })
            }
            Feedback::ClassFull { class, held } => (class, DomainFeedback::AllFull { held }),
            Feedback::BundleTooHeavy { class, most } => (class, DomainFeedback::TooHeavy { most }),
            Feedback::DomainEmpty((class, key, domain)) => {
                let (key, domain) = self.domain(key, domain);
                (class, DomainFeedback::Empty { key, domain })
            }
            Feedback::DomainBarred((class, key, domain)) => {
                let (key, domain) = self.domain(key, domain);
                (class, DomainFeedback::Barred { key, domain })
            }
            Feedback::DomainOpened((class, key, domain)) => {
                let (key, domain) = self.domain(key, domain);
                (class, DomainFeedback::Opened { key, domain })
            }
            Feedback::NoCell(class) => (class, DomainFeedback::NoDomain),
            Feedback::PreferencesInTheWay(class) => (class, DomainFeedback::PreferencesGivenUp),
            Feedback::NoRoom(class) => (class, DomainFeedback::GivenUp),
        }
    }

    fn event(&self, step: PackingStep) -> Event {
        match step {
            PackingStep::Method(method) => Event::Method(method),
            PackingStep::Priced { pods, worth } => {
                Event::Priced { pods, worth: Price::from_nanos(worth) }
            }
            PackingStep::Bought { bin_type, times, items, efficiency } => {
                let (node_pool, offering) = self.offering(bin_type);
                let parts = items.iter().flat_map(|(item, count)| {
                    let parts = &self.compiled.items[*item].parts;
                    parts.iter().map(move |(class, each)| (*class, each.saturating_mul(*count)))
                });
                let pods = self.pods(&parts.collect::<Vec<_>>());
                let millionths =
                    (efficiency.saturating_mul(1_000_000).saturating_add(WHOLE / 2)) / WHOLE;
                let known = efficiency < u128::MAX && efficiency > 0;
                let efficiency = known.then(|| u32::try_from(millionths).unwrap_or(u32::MAX));
                Event::Bought { node_pool, offering, nodes: times, pods, efficiency }
            }
            PackingStep::RightSized { from, to, times } => {
                let [(_, from), (_, to)] = [from, to].map(|one| self.offering(one));
                Event::RightSized { from, to, nodes: times }
            }
            PackingStep::TakenApart { from, to } => {
                Event::Improved { by: Improvement::TakenApart, from, to }
            }
        }
    }
}
