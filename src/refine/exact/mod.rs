//! Small problems, solved to the end.
//!
//! *Problem.* With few pods the relaxation says little: half a node is no node, and rules between
//! pods over domains aren't in it. The gap that it leaves on twenty pods is often a fifth, and
//! sometimes all of it.
//!
//! *Idea.* With few pods everything can be tried. Pods are told apart by kept class alone
//! ([`claim`](super::kept_class)), so that there are few different ways to take some of them: as
//! many as the product of all kept classes' numbers. For each of these ways, what they cost on
//! nodes of one *cell* (nodes that have the same labels, as far as rules between pods count over
//! them) is worked out once, the smaller ways before the larger. The kept classes that such rules
//! are about are then divided over cells in every way that keeps the rules ([`rules`]), and the
//! others go where they cost least. What is scarce (limits, reservations) is kept account of: there
//! isn't one least cost but a front of costs and uses ([`front`]).
//!
//! *Why it is right.* Whatever another plan does with the same pods is among what is tried, and
//! what is tried costs no more than it. What rules over domains say of the end whatever the order
//! of binding is all that is asked of them, and only what this plan keeps as well. A plan that has
//! no order of binding beside the domains that launches could add doesn't keep these for any rule:
//! then the domains count that stand.
//!
//! *The plan.* Where the cheapest division costs less than the plan, a plan that costs as little is
//! sought by an enumeration of its own ([`enumerate`]), which keeps all rules.
//!
//! *Cost.* Pairs of a way and a part of it, for each cell: [`MOST_STEPS`] at most, or nothing comes
//! of it.
//!
//! The certificate says that everything was tried; [`verify`](crate::verify()) does it again in its
//! own way. It may take eight times as many steps: on hundreds of random problems it took 2.4 times
//! as many at most, and less than these on the larger ones.

mod front;
mod grid;
mod places;
pub(super) mod rules;
mod search;

use super::cancel::Cancel;
use super::certify::entries;
use super::enumerate;
use super::kept_class::KeptClasses;
use super::tuning::exact::{MOST_PODS, MOST_STEPS, MOST_WAYS};
use crate::bound::Proved;
use crate::model::Price;
use crate::pack::{AssignedPacking, Context};
use crate::plan::certificate::{Certificate, PodValue};
use front::ExactBudget;
pub(super) use grid::CountIndex;
use places::{ExactCells, ExactItem};
use rules::ExactConstraint;
use search::ExactSearch;

/// What comes of trying everything.
#[derive(Debug, Default)]
pub(super) struct Exhaustion {
    /// The least that the plan's pods cost, as far as that is below what they cost now or the same.
    pub(super) least: Option<i64>,
}

impl Exhaustion {
    /// Tries everything, where that isn't too much.
    pub(super) fn of(
        context: &Context<'_>,
        kept_classes: &KeptClasses,
        packed: &AssignedPacking,
        cancel: &Cancel<'_>,
    ) -> Self {
        exhaust(context, kept_classes, packed, cancel).unwrap_or_default()
    }

    /// The bound that follows, where that is better than what is proved already.
    ///
    /// The certificate names the pods that were looked at, worth nothing where they had no value:
    /// the reader must know which pods were tried.
    pub(super) fn proved(
        &self,
        context: &Context<'_>,
        kept_classes: &KeptClasses,
        proved: Option<Proved>,
    ) -> Option<Proved> {
        let Some(least) = self.least.map(i128::from) else { return proved };
        if proved.as_ref().is_some_and(|proved| proved.bound >= least) {
            return proved;
        }
        let mut certificate = proved.and_then(|proved| proved.certificate).unwrap_or_else(|| {
            let dims = &context.compiled.dims;
            let (resources, drivers) = (dims.names().to_vec(), dims.drivers().to_vec());
            let node_fee = Price::from_nanos(context.fee.into());
            Certificate { resources, drivers, node_fee, ..Certificate::default() }
        });
        certificate.exhausted = Some(Price::from_nanos(least));
        for (at, kept_class) in kept_classes.list.iter().enumerate() {
            let pods = kept_classes
                .pods(at, 0)
                .published(entries(&kept_classes.compiled, kept_class.class));
            // Those that are worth something are there.
            if !certificate.pods.iter().any(|one| PodValue { value: 0, ..one.clone() } == pods) {
                certificate.pods.push(pods);
            }
        }
        Some(Proved { bound: least, certificate: Some(certificate) })
    }
}

/// Whether the certificate's reader sees the same problem: nodes whose labels are all known, and
/// all pods among the kept classes.
///
/// Open labels, static pools and placeholders would have to be tried as well; plans with these keep
/// the other bound.
fn is_definite(context: &Context<'_>) -> bool {
    let compiled = context.compiled;
    compiled.pools.values().all(|pool| pool.static_replicas.is_none())
        && compiled.offers.values().all(|offer| offer.fixed_labels.is_empty())
        && compiled.items.values().all(|item| !item.placeholder)
}

/// Items that rules are about come first: their divisions are tried one by one, and the others'
/// costs looked up.
fn exhaust(
    context: &Context<'_>,
    kept_classes: &KeptClasses,
    packed: &AssignedPacking,
    cancel: &Cancel<'_>,
) -> Option<Exhaustion> {
    let pods = kept_classes.counts.iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
    if pods > MOST_PODS || !is_definite(context) {
        return None;
    }
    let inner = Context { compiled: packed.compiled(context.compiled), ..*context };
    let cost = packed.packing.cost(&inner);
    let launchable = enumerate::is_ordered_beside_launches(context, packed);
    let keys = rules::keys(context, kept_classes.list.iter().map(|kept_class| kept_class.class));
    let sites = ExactCells::new(context, kept_classes, keys);
    let mut order: Vec<usize> = (0..kept_classes.list.len()).collect();
    let kept = |items: &[ExactItem]| -> Option<Vec<ExactConstraint>> {
        let places: Vec<usize> = items.iter().map(|item| item.kept).collect();
        let cell_of = |site| sites.cell_of(context.compiled, site);
        let by_cells =
            kept_classes.by_cells(context, packed, &places, sites.cells.len(), cell_of)?;
        let mut rules = rules::rules(context, items, &sites, launchable);
        rules.retain(|rule| rule.is_kept(&sites.cells, &by_cells));
        Some(rules)
    };
    let rules = kept(&sites.items(kept_classes, &order))?;
    let mut is_ruled = vec![false; order.len()];
    rules.iter().flat_map(ExactConstraint::items).for_each(|item| is_ruled[item] = true);
    order.sort_by_key(|at| !is_ruled[*at]);
    let items = sites.items(kept_classes, &order);
    let rules = kept(&items)?;
    let ruled = is_ruled.iter().filter(|ruled| **ruled).count();
    let counts: Vec<u32> = items.iter().map(|item| item.count).collect();
    let grid = CountIndex::new(&counts, MOST_WAYS)?;
    let limit = i64::try_from(cost).ok()?.checked_add(1)?;
    let mut budget = ExactBudget { limit, left: sites.left.clone(), steps: MOST_STEPS, cancel };
    let search = ExactSearch { items: &items, ruled, sites: &sites, rules: &rules, grid: &grid };
    let tables = search.tables(&mut budget)?;
    let division = search.divide(&tables, &mut budget)??;
    Some(Exhaustion { least: Some(division.label.cost) })
}
