//! The greedy packer: classes onto groups of identical nodes.
//!
//! Running nodes are filled first, since what fits there costs nothing, and then the nodes that
//! static pools launch in any case ([`static_pool`]). Then the node pools are used weight by
//! weight: a pool of a lower weight is touched only for pods that no pool of a higher one can take
//! within its limits, and what room these leave may be used by others ([`weight`]). Within a weight
//! the packer buys the most efficient first ([`greedy`]), then moves every launch to the cheapest
//! bin type that holds it ([`mod@right_size`]). A few fill rules of filling a node are tried, and
//! two other ways as well: the price-blind baseline ([`first_fit`]), and reservation prices
//! ([`mod@reservation`]). The cheapest packing of those that place the most is kept, and its
//! poorest launches are taken apart once more ([`improve`]).
//!
//! Priorities matter only where something is scarce. So all pods are packed together first; only
//! when some stay out that a launch or a running node could have taken is the packing done anew,
//! priority by priority, with prices on what is scarce ([`scarce`]).
//!
//! What is packed is completed ([`mod@complete`]), and parts of a small plan are taken out and put
//! back better ([`improve_few`]).
//!
//! # From call to plan
//!
//! ```text
//! packed ── choose ─┬─ assign_domains        which pods go to which zones, as far as rules ask
//!                   ├─ pack_with ─┬─ pack_once × fill rules   (greedy, by efficiency)
//!                   │             ├─ first_fit, reservation   (two other ways)
//!                   │             └─ scarce                   (where limits leave pods out)
//!                   └─ shown ─ learn ─ again                  (until what was assigned has room)
//!        ── complete                        pods left out, in the plan as it stands
//!        ── improve_few ── recreate         parts taken out and put back (small problems)
//!        ── build_plan                      names, templates, cost, bound
//! ```
//!
//! # Invariants
//!
//! A packing is legal at every step as far as single nodes, limits and reservations go: whatever is
//! tried works on a clone, and what is kept is checked by `invariant` where debug assertions are
//! on. Rules over domains are the assignment's, which is made before anything is bought and held
//! against what was bought afterwards. Nothing here depends on the number of threads: ways are
//! packed side by side, each for itself, and compared in a fixed order.
//!
//! # What is compared
//!
//! First how many pods stay out, the most urgent first; then cost; then the number of nodes; then
//! the order in which the ways were tried. A packing that breaks the order of pool weights, or that
//! takes from static pools what they need, comes after all that don't.

mod assign;
mod assigned_packing;
mod build_plan;
mod choose;
mod combine;
mod complete;
mod decided_launches;
mod disjoint_sets;
mod existing_domains;
mod fill;
mod fill_leftover;
mod first_fit;
mod greedy;
mod improve;
mod invariant;
mod launch_template;
mod offers_by_price;
mod packing;
mod preference;
mod repair;
mod reservation;
mod right_size;
mod running;
mod scarce;
mod search;
mod shown;
mod static_pool;
mod step;
mod value_bucket;
mod weight;

pub(crate) use assign::{ClassPart, DomainAssignment, LeftOutPods, NodeParts, UNTAINTED};
pub(crate) use assigned_packing::AssignedPacking;
pub(crate) use build_plan::build_plan;
use choose::PackFns;
pub(crate) use complete::{
    Exclusion, HostSpread, PlacementRules, RuleCounts, Wanted, complete, exclusions, is_ordered,
    is_ordered_beside_launches, keeps_static_domains, recreate, substitutes, supplies,
};
pub(crate) use decided_launches::DecidedLaunches;
pub(crate) use launch_template::{chosen, offering_ref, requests_of};
pub(crate) use packing::{Context, NodeGroup, Packing};
pub(crate) use preference::honours_no_less;
pub(crate) use right_size::right_size;
pub(crate) use running::alike;
pub(crate) use static_pool::{are_first, kept_reservations, launch_rest};

use crate::compile::{Compiled, ItemId};
use crate::parallel;
use crate::plan::LaunchPlan;
use crate::progress::{Improvement, MethodKind};
use fill::{FEW, FillRule, SEARCHED};
use greedy::{MANY, WeightTier};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use step::PackingStep;

/// Packs the pending pods, cheaply.
///
/// Three steps, each of which only ever makes the packing better by the order above: choose and
/// pack, complete, recreate.
pub(crate) fn packed(context: &Context<'_>) -> AssignedPacking {
    let mut packed = choose::choose(context, PackFns { thorough: pack, brief: pack_briefly });
    packed.tell_steps(context);
    let _more = packed.told(context, Improvement::Completed, |packed| complete(context, packed));
    packed.told(context, Improvement::Recreated, |packed| improve_few(context, packed));
    packed
}

/// What putting parts of a plan back another way may take: attempts × nodes and offers × classes of
/// pods.
const MOST_RECREATED: usize = 200_000;
/// The most attempts.
const MOST_ATTEMPTS: usize = 60;

/// Takes parts of a small plan out and puts them back better, where there is anything to decide but
/// what goes on which node.
///
/// The number of attempts falls with the size of what each looks at, so that the time is bounded
/// whatever the problem; at zero nothing is done.
fn improve_few(context: &Context<'_>, packed: &mut AssignedPacking) {
    // Preferences at no price are none.
    let free = Context { with_preferences: false, preference_price: None, ..*context };
    let context = if context.preference_price == Some(0) { &free } else { context };
    let compiled = context.compiled;
    let scarce = may_be_scarce(compiled)
        || compiled.nodes.len() > 0
        || compiled.pools.values().any(|pool| pool.weight != 0);
    // Spreads that are only preferred are kept over the domains that could be launched in; what is
    // put back counts those alone that stand.
    let mut rules = compiled.topology.rules.values();
    let soft =
        context.with_preferences && rules.any(|rules| rules.spreads.iter().any(|one| !one.hard));
    if soft || !scarce && packed.assignment.is_none() {
        return;
    }
    let groups = packed.packing.groups.len() + compiled.offers.len();
    let open = compiled.pools.values().any(|pool| !pool.min_values.is_empty());
    let each = if open { 1 + compiled.offers.len() / 16 } else { 1 };
    let size = groups.saturating_mul(compiled.classes.len()).saturating_mul(each).max(1);
    let mut attempts = (MOST_RECREATED / size).min(MOST_ATTEMPTS);
    if attempts == 0 {
        return;
    }
    let mut granted = || {
        let granted = attempts > 0 && !context.is_stopped();
        attempts = attempts.saturating_sub(1);
        granted
    };
    let (better, is_better) = recreate(context, packed.clone(), &mut granted);
    if is_better {
        *packed = better;
    }
}

/// Plans without looking at prices until the end: the baseline to compare with.
pub(crate) fn plan_first_fit(context: &Context<'_>) -> LaunchPlan {
    let mut packed =
        choose::choose(context, PackFns { thorough: first_fit::pack, brief: first_fit::pack });
    packed.tell_steps(context);
    let _more = packed.told(context, Improvement::Completed, |packed| complete(context, packed));
    build_plan(context, &packed, None)
}

/// With more classes than this, searching is no fill rule of its own: too few nodes would be
/// searched.
const SEARCHED_AMONG: usize = 2 * SEARCHED;

/// Packs every pod that can be placed, cheaply.
///
/// Once the caller wishes to be given what there is, no further way is tried.
pub(crate) fn pack(context: &Context<'_>) -> Packing {
    pack_with(context, true)
}

/// As [`pack`], with little effort where something is scarce.
fn pack_briefly(context: &Context<'_>) -> Packing {
    pack_with(context, false)
}

/// More items mean fewer ways: with many, ways differ by little in the end and each takes long.
/// Where something may be scarce the first way finds out whether it is, because the answer decides
/// how all others are to weigh nodes.
fn pack_with(context: &Context<'_>, thorough: bool) -> Packing {
    let items = context.compiled.items.len();
    let fill_rules: &[FillRule] = if items <= SEARCHED_AMONG {
        &[FillRule::Balanced, FillRule::Careful, FillRule::Largest, FillRule::Searched]
    } else if items <= MANY {
        &[FillRule::Balanced, FillRule::Careful, FillRule::Largest]
    } else {
        &[FillRule::Balanced]
    };
    let together = |_: ItemId| 0;
    let mut start = Packing::new(context.compiled);
    // All fill rules begin with the same worth.
    let worth = start.worth(context, &start.waiting(&|_| true));
    let mut methods: Vec<PackingMethod> =
        fill_rules.iter().map(|fill_rule| PackingMethod::Efficiency(*fill_rule)).collect();
    if items <= MANY {
        methods.push(PackingMethod::FirstFit);
    }
    if items <= FEW {
        methods.push(PackingMethod::ReservationPrices);
    }
    let go = |method: &PackingMethod| match method {
        PackingMethod::Efficiency(fill_rule) => {
            pack_once(context, start.clone(), *fill_rule, &together)
        }
        PackingMethod::FirstFit => first_fit::pack(context),
        PackingMethod::ReservationPrices => reservation::pack(context),
    };
    let go_on = |method: &PackingMethod| (!context.is_stopped()).then(|| go(method));
    // Where something may be scarce, one way says whether it is; then the others look at that.
    // Where nodes run, one way says whether all pods have a place on them; then no other is better.
    let may_be_scarce = may_be_scarce(context.compiled) || context.is_stopped();
    let first = usize::from(may_be_scarce || context.compiled.nodes.len() > 0);
    let mut packings: Vec<Packing> = methods.drain(..first).map(|method| go(&method)).collect();
    let is_free = |packing: &Packing| {
        packing.launches_nothing() && packing.left.values().all(|left| *left == 0)
    };
    let scarce = may_be_scarce && packings.iter().any(|packing| short(context, packing));
    if !scarce && !packings.iter().any(is_free) {
        packings.extend(parallel::map(&methods, go_on).into_iter().flatten());
    }
    let mut best = best(context, packings);
    if short(context, &best) && !context.is_stopped() {
        best = match thorough {
            true => scarce::pack(context, best, fill_rules),
            false => scarce::pack_quickly(context, best, fill_rules[0]),
        };
    }
    let improved = improve::improve(context, best, &worth, fill_rules[0]);
    improved.assert_consistent(context);
    improved
}

/// Whether limits or reservations may leave out what could be bought otherwise.
///
/// It looks at the problem, not at a plan: a limit so high that nobody comes near it counts as
/// well. [`short`] says whether it matters.
fn may_be_scarce(compiled: &Compiled) -> bool {
    compiled.pools.values().any(|pool| !pool.limits.is_empty())
        || compiled.bin_types.iter().any(|bin_type| bin_type.reservation.is_some())
}

/// A way to pack.
#[derive(Clone, Copy, Debug)]
enum PackingMethod {
    /// The most efficient first, nodes filled by a fill rule.
    Efficiency(FillRule),
    FirstFit,
    /// The dearest bin type first, as long as its pods pay for it.
    ReservationPrices,
}

/// Whether pods stay out that a launch or a running node could have taken.
fn short(context: &Context<'_>, packing: &Packing) -> bool {
    let mut items = context.compiled.items.ids();
    items.any(|item| packing.left[item] > 0 && placeable(context, item))
}

/// Packs every pod that can be placed, in few ways that differ much, to compare assignments.
pub(crate) fn pack_quickly(context: &Context<'_>) -> Packing {
    let few = context.compiled.items.len() <= SEARCHED_AMONG;
    let fill_rule = if few { FillRule::Searched } else { FillRule::Balanced };
    let greedy = pack_once(context, Packing::new(context.compiled), fill_rule, &|_| 0);
    if may_be_scarce(context.compiled) && short(context, &greedy) {
        return scarce::pack_quickly(context, greedy, fill_rule);
    }
    greedy.assert_consistent(context);
    if few { best(context, vec![greedy, first_fit::pack(context)]) } else { greedy }
}

/// The packing that leaves the fewest pods out, the most urgent first; of those the cheapest; of
/// those the one with the fewest nodes; of those the first.
///
/// `min_by_key` keeps the first of equals, so that the order of ways decides, and not threads.
fn best(context: &Context<'_>, packings: Vec<Packing>) -> Packing {
    let best = packings.into_iter().min_by_key(|packing| {
        let nodes: u64 = packing.groups.iter().map(|group| u64::from(group.multiplicity)).sum();
        let illegal =
            !packing.keeps_weights(context.compiled) || !are_first(context.compiled, packing);
        (illegal, packing.unplaced(context.compiled), packing.cost(context), nodes)
    });
    best.unwrap_or_else(|| Packing::new(context.compiled))
}

/// Whether any bin type or running node takes a pod of a class.
fn placeable(context: &Context<'_>, id: ItemId) -> bool {
    let compiled = context.compiled;
    let item = &compiled.items[id];
    compiled.nodes.ids().any(|node| compiled.room_of_node(node).takes(item, 1) > 0)
        || !compiled.compatibles[id].is_empty()
}

/// Seats the placeholders: pods that may only use the room that is left.
///
/// They come after all pods that count, so they never take a place from one, and nothing is bought
/// for them.
pub(crate) fn place_placeholders(context: &Context<'_>, packing: &mut Packing) {
    let placeholder = |item: ItemId| context.item(item).placeholder;
    if context.compiled.items.ids().any(placeholder) {
        packing.admit_placeholders(context.compiled);
        fill_leftover::fill_leftover(context, packing, FillRule::Largest, &placeholder);
        running::fill(context, packing, FillRule::Largest, &placeholder);
    }
    packing.assert_consistent(context);
}

/// The bin types of a weight.
fn of_weight(compiled: &Compiled, weight: i32) -> Vec<usize> {
    (0..compiled.bin_types.len()).filter(|at| compiled.bin_types[*at].weight == weight).collect()
}

/// Packs in one fill rule, the classes of each rank together, the lowest rank first; where pools
/// are static, with the nodes that suit what is packed, and with the cheapest ones, whichever comes
/// out better.
///
/// A static node that suits the pods may be dear, and a cheap one may hold none of them: which is
/// better shows only once the rest is bought, so both are.
fn pack_once(
    context: &Context<'_>,
    mut packing: Packing,
    fill_rule: FillRule,
    rank: &dyn Fn(ItemId) -> i64,
) -> Packing {
    packing.note(context, || PackingStep::Method(MethodKind::Efficiency));
    if !static_pool::lacks_nodes(context.compiled, &packing) {
        return pack_from(context, packing, fill_rule, rank);
    }
    let mut cheap = packing.clone();
    launch_rest(context, &mut cheap);
    let starts = [packing, cheap].into_iter();
    best(context, starts.map(|start| pack_from(context, start, fill_rule, rank)).collect())
}

/// Packs in one fill rule what a packing leaves.
///
/// Of each rank: first the pods that no purchase could help, onto room that is there; then the
/// others there; then static pools; then purchases. Static nodes that nobody needed are launched
/// with the last rank, or before, where otherwise a purchase could draw on the reservation that
/// they need.
fn pack_from(
    context: &Context<'_>,
    mut packing: Packing,
    fill_rule: FillRule,
    rank: &dyn Fn(ItemId) -> i64,
) -> Packing {
    let compiled = context.compiled;
    let ranks: BTreeSet<i64> = compiled.items.ids().map(rank).collect();
    let Some(last) = ranks.last().copied() else {
        launch_rest(context, &mut packing);
        return packing;
    };
    for step in ranks {
        let wanted = |item: ItemId| rank(item) == step;
        // Those that nothing can be bought for have no other place.
        let node_only = |item: ItemId| wanted(item) && static_pool::is_node_only(compiled, item);
        fill_leftover::fill_leftover(context, &mut packing, fill_rule, &node_only);
        running::fill(context, &mut packing, fill_rule, &node_only);
        fill_leftover::fill_leftover(context, &mut packing, fill_rule, &wanted);
        running::fill(context, &mut packing, fill_rule, &wanted);
        static_pool::launch(context, &mut packing, fill_rule, &wanted);
        if step == last {
            launch_rest(context, &mut packing);
        } else {
            static_pool::launch_reserved(context, &mut packing);
        }
        buy_all(context, &mut packing, fill_rule, &wanted);
    }
    packing
}

/// Buys launches for what is left, pools of a higher weight first.
///
/// Weights from high to low: a pool is used as far as its limits go before the next is looked at
/// (Karpenter's `spec.weight`). Right-sizing gives charges against limits back, so that a further
/// launch may fit; each turn adds groups or ends, and groups are bounded by pods.
fn buy_all(
    context: &Context<'_>,
    packing: &mut Packing,
    fill_rule: FillRule,
    wanted: &dyn Fn(ItemId) -> bool,
) {
    let bin_types = context.compiled.bin_types.iter();
    let weights: BTreeSet<Reverse<i32>> =
        bin_types.map(|bin_type| Reverse(bin_type.weight)).collect();
    for Reverse(weight) in weights {
        let bin_types = of_weight(context.compiled, weight);
        let tier = WeightTier { bin_types: &bin_types, fill_rule, wanted };
        // Right-sizing may free what a limit holds: go on until it frees nothing.
        loop {
            let before = packing.groups.len();
            greedy::buy(context, packing, tier);
            if packing.groups.len() == before {
                break;
            }
            right_size(context, packing);
        }
    }
}
