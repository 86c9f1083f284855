//! Plans of small problems, found by trying everything.
//!
//! *Problem.* The packer arranges pods over domains before it packs them, and refinement keeps to
//! that assignment. Where something is scarce (a limit, a reservation, room that runs) the
//! assignment may have been the wrong one: pods stay out that had a place, or a plan costs more
//! than it need.
//!
//! *Idea.* Pods are told apart by item alone, so that there are few vectors of numbers of pods.
//! What each vector costs on the nodes of one *cell* (a combination of domains) is worked out once,
//! smaller vectors before larger ones, as a Pareto front of costs and of uses of what is scarce
//! ([`cells`]). The items that rules between pods are about are then divided over the cells and
//! over those that stay out, in every way that keeps what the rules say of the end
//! ([`domain_constraint`], [`host_rules`]); the others go where they cost least ([`divide`]). Of
//! what comes out an order of binding must exist ([`order`]), and pools of higher weights must have
//! come first ([`weights`]); else the search goes on with the next best.
//!
//! Most pods by priority come before costs. Domains in which nothing stands but a launch of the
//! pods could count at first, as for the packer; where pods stay out all the same, only those count
//! that stand in the plan ([`Task::launchable`]), and every node may be asked to hold some of what
//! a spread over nodes counts, so that others may hold more ([`Task::levels`]).
//!
//! *Why it is right.* Every table entry is made of nodes that can be launched and hold what they
//! are given; what a rule says of the end is true of every plan that can be bound, and no plan is
//! returned that can't. The plan is handed to the packer as an assignment of its own ([`rebuild`]):
//! one class for each item and cell.
//!
//! *Cost.* Pairs of a vector and a part of it, for each cell, and ways to divide the items of
//! rules: [`MOST_STEPS`](super::tuning::enumerate::MOST_STEPS) at most, or nothing comes of it.
//!
//! *Example.* Three pods with a spread of skew 1 over two zones. There are four vectors, of 0 to 3
//! pods; what each costs in each zone is a front of a point or two. The spread leaves the divisions
//! 2 + 1 and 1 + 2. Where a limit admits the node for two pods in one of the zones only, the packer,
//! which assigns before it buys, may have chosen the other; here both are looked up, and the one
//! within the limit is the plan.

mod cells;
mod divide;
mod domain_constraint;
mod host_rules;
mod hosts;
mod order;
mod pareto;
mod places;
mod rebuild;
mod static_nodes;
mod weights;

use super::cancel::Cancel;
use super::exact::CountIndex;
use super::kept_class::KeptClasses;
use super::tuning::enumerate::{MOST_FRONTS, MOST_PODS, MOST_WAYS};
use crate::compile::{ClassId, Id, ItemId, NodeId, TopologySpread};
use crate::pack::{self, AssignedPacking, Context};
use cells::SearchInput;
use divide::{CellDivider, FoundPlan, PlanScore};
use domain_constraint::{DomainsReached, ItemsByCell};
use host_rules::HostRules;
use order::{HostPods, LaunchableCounts, PlanHost, PlanState};
use pareto::SearchBudget;
use places::{CellItem, Places};
use static_nodes::StaticNodes;
use std::collections::{BTreeMap, BTreeSet};

/// What an unmet preference weighs that is honoured whatever it costs.
const WHATEVER_IT_COSTS: i128 = 1 << 80;

/// What a plan is sought for.
struct Task<'a> {
    context: &'a Context<'a>,
    kept_classes: &'a KeptClasses,
    /// Whether pods may stay out.
    optional: bool,
    /// Whether domains count in which pods of a spread could launch, beside those that stand.
    launchable: bool,
    /// Whether spreads count that need not be kept.
    soft: bool,
    /// How many pods every node has to hold that a spread over nodes counts.
    levels: hosts::HostLevels,
    /// Whether rules between pods are left out, so that what comes of it is a bound for all others.
    relaxed: bool,
    /// The nodes that static pools launch, where they are chosen beforehand.
    static_nodes: Option<&'a StaticNodes>,
}

impl Task<'_> {
    /// The spreads of a class that count.
    fn spreads(&self, class: ClassId) -> impl Iterator<Item = &TopologySpread> {
        let all = self.context.compiled.topology.rules[class].spreads.iter();
        all.filter(|spread| spread.hard || self.soft)
    }

    /// Whether fresh nodes don't count for spreads over nodes.
    fn counts_standing_hosts(&self) -> bool {
        !self.launchable || !self.levels.is_empty() || self.relaxed
    }

    /// Whether a running node has more pods than a spread of a class over nodes allows above none:
    /// whether one more is legal there depends on what the other nodes have.
    fn is_over_skew(&self, node: NodeId, class: ClassId) -> bool {
        self.counts_standing_hosts() && self.context.compiled.over_skew.contains(&(node, class))
    }

    /// Whether it has for any class.
    fn is_over_skew_of_any(&self, node: NodeId) -> bool {
        self.counts_standing_hosts()
            && self.context.compiled.over_skew.iter().any(|(of, _)| *of == node)
    }

    /// What it counts for that a pod of a class is at a site where preferences aren't honoured:
    /// those of pods that may stay out; others keep what is honoured by the sites that they may
    /// use.
    ///
    /// Weights are far above any price where preferences are to be honoured whatever they cost, so
    /// that more of them come before costs.
    fn unmet(&self, class: ClassId, site: usize) -> i128 {
        if !self.optional || !self.context.with_preferences {
            return 0;
        }
        match self.context.preference_price {
            Some(price) => {
                i128::from(places::unmet(self.context, class, site, 1)) * i128::from(price)
            }
            None => {
                let weight = places::unmet(self.context, class, site, pack::UNTAINTED.into());
                i128::from(weight) * WHATEVER_IT_COSTS
            }
        }
    }

    /// What each class of pods finds unmet at a site, where that counts.
    fn unmet_at(&self, site: usize) -> Vec<u64> {
        if !self.optional || !self.context.with_preferences {
            return Vec::new();
        }
        let classes = self.kept_classes.list.iter().map(|kept_class| kept_class.class);
        classes.map(|class| places::unmet(self.context, class, site, 1)).collect()
    }
}

/// Whether there are few pods, and few ways to take some of them.
fn are_few(kept_classes: &KeptClasses) -> bool {
    let pods = kept_classes.counts.iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
    let ways = kept_classes.counts.iter().map(|count| (*count as usize).saturating_add(1));
    pods <= MOST_PODS && ways.fold(1, usize::saturating_mul) <= MOST_WAYS
}

/// Whether any pod has preferences that count.
pub(super) fn has_preferences(context: &Context<'_>) -> bool {
    let base = context.compiled;
    context.with_preferences
        && (base.preferences.terms.values().any(|terms| !terms.is_empty())
            || base.preferences.disliked.contains(&true)
            || base.topology.rules.values().any(|rules| {
                !(rules.preferred_affinity.is_empty() && rules.preferred_anti_affinity.is_empty())
                    || rules.spreads.iter().any(|spread| !spread.hard)
            }))
}

/// A packing that places more pods, the urgent first, or as many that cost less, where trying
/// everything finds one.
///
/// It is sought, in so many steps at most, where pods stay out, and where pools have weights, static
/// ones among them: those of the same priority may be others then, or on pools of other weights.
///
/// First without rules between pods, which is quick: where not even that places more, or costs
/// less, nothing does. Then with them; then with fewer domains that count; then guess by guess of
/// what the lowest node holds.
pub(super) fn better(
    context: &Context<'_>,
    packed: &AssignedPacking,
    most: u64,
    cancel: &Cancel<'_>,
) -> Option<AssignedPacking> {
    let whole = context.compiled;
    let left = packed.left(whole);
    let placeholder = |class: ClassId| whole.items[ItemId::from_index(class.index())].placeholder;
    let is_whole = left.iter().all(|(class, left)| *left == 0 || placeholder(class));
    // Pods on nodes of a static pool might be on those of another weight, and the reverse.
    let weights: BTreeSet<i32> = whole.pools.values().map(|pool| pool.weight).collect();
    let preferences = has_preferences(context);
    let pods = whole.items.values().map(|item| u64::from(item.count)).sum::<u64>();
    // Of many pods not even the kept classes are worth their time.
    let many = pods > 2 * u64::from(MOST_PODS);
    if many || is_whole && (preferences || weights.len() < 2) {
        return None;
    }
    let kept_classes = KeptClasses::of_all(context);
    let levels = levels(&kept_classes);
    let mut missing = vec![0; levels.len()];
    for (at, _) in kept_classes
        .list
        .iter()
        .enumerate()
        .filter(|(_, kept_class)| !placeholder(kept_class.class))
    {
        let priority = kept_classes.compiled.items[ItemId::from_index(at)].priority;
        let level = levels.iter().position(|level| *level == priority).unwrap_or(0);
        missing[level] += left[kept_classes.list[at].class];
    }
    let inner = Context { compiled: packed.compiled(whole), ..*context };
    let cost = packed.packing.cost(&inner) - rebuild::static_cost(context);
    let static_nodes = static_nodes::choices(context);
    let mut attempts = Attempts {
        packed,
        static_nodes: &static_nodes,
        steps: most,
        cancel,
        score: (missing, if preferences { i128::MIN } else { cost }),
        best: None,
    };
    let mut task = Task {
        context,
        kept_classes: &kept_classes,
        optional: true,
        launchable: true,
        soft: false,
        levels: hosts::HostLevels::new(),
        relaxed: false,
        static_nodes: None,
    };
    // Mostly no plan at all is better: nobody need look for one that keeps all rules.
    task.relaxed = true;
    let mut steps = most / 2;
    let relaxed = solve(&task, packed, attempts.score.clone(), &mut steps, cancel);
    task.relaxed = false;
    let fewest = match relaxed {
        Solved::Best(None, score) => Some(score.0),
        Solved::Best(..) | Solved::Unknown => None,
        Solved::Nothing => return None,
    };
    attempts.make(&task);
    let has_fewest = fewest.as_ref().is_some_and(|fewest| attempts.score.0 <= *fewest);
    let before = attempts.best.as_ref().unwrap_or(packed);
    let is_beside_launches = is_ordered_beside_launches(context, before);
    if has_fewest && is_beside_launches {
        return attempts.best;
    }
    // Domains that could be opened are given up for pods, not for money.
    if is_beside_launches {
        attempts.score.1 = i128::MIN;
    }
    task.launchable = false;
    attempts.make(&task);
    // Where nodes hold more of a spread over them, fewer may do.
    for levels in hosts::levels(&task) {
        task.levels = levels;
        attempts.make(&task);
    }
    attempts.best
}

/// Searches one after the other, each of which has to beat those before it.
struct Attempts<'a> {
    packed: &'a AssignedPacking,
    /// The choices of nodes of static pools, each of which is a search; none where they are chosen
    /// as pods need them.
    static_nodes: &'a [StaticNodes],
    steps: u64,
    cancel: &'a Cancel<'a>,
    score: PlanScore,
    best: Option<AssignedPacking>,
}

impl Attempts<'_> {
    fn make(&mut self, task: &Task<'_>) {
        if self.static_nodes.is_empty() {
            self.make_with(task, None);
        }
        for choice in self.static_nodes {
            self.make_with(task, Some(choice));
        }
    }

    /// Searches, with a choice of nodes of static pools.
    fn make_with(&mut self, task: &Task<'_>, static_nodes: Option<&StaticNodes>) {
        let task = Task { static_nodes, levels: task.levels.clone(), ..*task };
        let extra = static_nodes.map_or(0, |choice| choice.extra);
        let score = (self.score.0.clone(), self.score.1.saturating_sub(extra));
        let found = solve(&task, self.packed, score, &mut self.steps, self.cancel);
        if let Solved::Best(Some(packed), (missing, cost)) = found {
            (self.best, self.score) = (Some(*packed), (missing, cost.saturating_add(extra)));
        }
    }
}

/// A cheaper packing of the same pods on pools of the same weights, that honours no less, where
/// trying everything finds one; `is_least`: none is that keeps the spreads over nodes which this
/// one keeps.
pub(super) fn cheaper(
    context: &Context<'_>,
    packed: &AssignedPacking,
    is_least: bool,
    most: u64,
    cancel: &Cancel<'_>,
) -> Option<AssignedPacking> {
    let pods = packed.packing.groups.iter().flat_map(|group| {
        group.items.iter().map(|(_, count)| u64::from(*count) * u64::from(group.multiplicity))
    });
    if pods.sum::<u64>() > u64::from(MOST_PODS) {
        return None;
    }
    let kept_classes = KeptClasses::of(context, packed);
    if !are_few(&kept_classes) {
        return None;
    }
    let inner = Context { compiled: packed.compiled(context.compiled), ..*context };
    let cost = packed.packing.cost(&inner) - rebuild::static_cost(context);
    let mut task = Task {
        context,
        kept_classes: &kept_classes,
        optional: false,
        launchable: true,
        soft: context.with_preferences,
        levels: hosts::HostLevels::new(),
        relaxed: false,
        static_nodes: None,
    };
    task.launchable = is_ordered_beside_launches(context, packed);
    let missing = vec![0; levels(&kept_classes).len()];
    let static_nodes = static_nodes::choices(context);
    let (static_nodes, score) = (&static_nodes[..], (missing, cost));
    let mut attempts = Attempts { packed, static_nodes, steps: most, cancel, score, best: None };
    if !is_least {
        attempts.make(&task);
    }
    if !task.launchable || !kept_classes.keeps_hosts(context) {
        // Domains that could be launched had to be given up, so fresh nodes needn't count either.
        let kept_classes = KeptClasses::uncapped(context, packed);
        let mut task = Task { kept_classes: &kept_classes, ..task };
        for levels in hosts::levels(&task) {
            task.levels = levels;
            attempts.make(&task);
        }
    }
    let better = attempts.best?;
    let outer = Context { compiled: better.compiled(context.compiled), ..*context };
    let is_better = better.packing.cost(&outer) < packed.packing.cost(&inner)
        && pack::honours_no_less((&outer, &better.packing), (&inner, &packed.packing));
    is_better.then_some(better)
}

/// Whether an order of binding exists for a packing beside the domains that launches of the pods
/// concerned could add, and a fresh node for spreads over nodes: looked for quickly, and where
/// there are few pods exhaustively.
pub(super) fn is_ordered_beside_launches(context: &Context<'_>, packed: &AssignedPacking) -> bool {
    if pack::is_ordered_beside_launches(context, packed) {
        return true;
    }
    let compiled = context.compiled;
    let inner = Context { compiled: packed.compiled(compiled), ..*context };
    let nodes = compiled.nodes.ids();
    let running =
        nodes.map(|node| PlanHost { site: compiled.site_of_node(node), node: Some(node) });
    let mut hosts: Vec<PlanHost> = running.collect();
    let mut members: BTreeMap<(ClassId, usize), u32> = BTreeMap::new();
    let chosen = pack::chosen(&inner, &packed.packing);
    for (group, chosen) in packed.packing.groups.iter().zip(chosen) {
        let mut on: Vec<usize> = Vec::new();
        for nodes in group.at_sites(compiled, chosen) {
            // Running nodes are hosts already.
            let first = nodes.node.map_or(hosts.len(), |node| node.index());
            on.extend(first..first + nodes.count as usize);
            if nodes.node.is_none() {
                let host = PlanHost { site: nodes.site, node: None };
                hosts.extend((0..nodes.count).map(|_| host));
            }
        }
        for (item, count) in &group.items {
            for (class, each) in &inner.compiled.items[*item].parts {
                for host in &on {
                    *members.entry((*class, *host)).or_default() += each * count;
                }
            }
        }
    }
    if members.values().fold(0_u32, |sum, count| sum.saturating_add(*count)) > MOST_PODS {
        return false;
    }
    let members = members.into_iter().map(|((class, host), count)| HostPods { class, host, count });
    let counting = LaunchableCounts { domains: true, hosts: true };
    PlanState::new(context, counting, &hosts, members.collect()).has_order()
}

/// The priorities of all pods, the highest first.
fn levels(kept_classes: &KeptClasses) -> Vec<i32> {
    let all: BTreeSet<i32> =
        kept_classes.compiled.items.values().map(|item| item.priority).collect();
    all.into_iter().rev().collect()
}

/// What comes of a search.
enum Solved {
    /// The best score, and the packing, unless rules were left out.
    Best(Option<Box<AssignedPacking>>, PlanScore),
    /// Nothing beats the score.
    Nothing,
    /// Not everything was tried.
    Unknown,
}

/// The best packing that beats a score.
fn solve(
    task: &Task<'_>,
    packed: &AssignedPacking,
    best: PlanScore,
    steps: &mut u64,
    cancel: &Cancel<'_>,
) -> Solved {
    try_solve(task, packed, best, steps, cancel).unwrap_or(Solved::Unknown)
}

/// In steps: places and items; the rules that this plan keeps; the numbering of vectors, which must
/// fit into memory; the tables of all cells; and the division. `None` where any of these is too
/// much.
fn try_solve(
    task: &Task<'_>,
    packed: &AssignedPacking,
    best: PlanScore,
    steps: &mut u64,
    cancel: &Cancel<'_>,
) -> Option<Solved> {
    let (context, kept_classes) = (task.context, task.kept_classes);
    if !are_few(kept_classes) || context.strict_reservations || !rebuild::is_simple(context) {
        return None;
    }
    let mut places = Places::new(task);
    let levels = levels(kept_classes);
    let mut order: Vec<usize> =
        (0..kept_classes.list.len()).filter(|at| kept_classes.counts[*at] > 0).collect();
    let draft = places::items(task, &places, &levels, &order);
    let kept = |items: &[CellItem], places: &Places| {
        if task.relaxed {
            return Vec::new();
        }
        let mut constraints = domain_constraint::constraints(task, items, places);
        if task.soft {
            let by_cells = by_cells(task, packed, items, places);
            constraints.retain(|constraint| {
                let holds =
                    |by_cells| constraint.holds(&places.cells, by_cells, DomainsReached::Partial);
                !constraint.soft || by_cells.as_ref().is_some_and(holds)
            });
        }
        constraints
    };
    let mut ruled: BTreeSet<usize> =
        kept(&draft, &places).iter().flat_map(domain_constraint::DomainConstraint::items).collect();
    ruled.extend(HostRules::new(task, &draft, &mut places.clone()).items());
    let ruled: BTreeSet<usize> = ruled.into_iter().map(|at| order[at]).collect();
    order.sort_by_key(|at| !ruled.contains(at));
    let mut items = places::items(task, &places, &levels, &order);
    let host_rules = HostRules::new(task, &items, &mut places);
    if !task.relaxed {
        weights::note_higher(task, &mut items, &places);
    }
    let counts: Vec<u32> = items.iter().map(|item| item.count).collect();
    let grid = CountIndex::new(&counts, MOST_WAYS)?;
    let nodes = places.list.iter().filter(|place| place.stands()).count();
    if (nodes + places.cells.len()).saturating_mul(grid.len()) > MOST_FRONTS {
        return None;
    }
    let constraints = kept(&items, &places);
    let limit = match best.0.iter().all(|missing| *missing == 0) {
        true => best.1,
        false => i128::MAX,
    };
    let (left, told) = (places.left.clone(), places.told.clone());
    let mut budget = SearchBudget { limit, left, told, steps: *steps, cancel };
    let input =
        SearchInput { task, items: &items, places: &places, host_rules: &host_rules, grid: &grid };
    let found = search(&input, &constraints, ruled.len(), best, &mut budget);
    *steps = budget.steps;
    let (found, is_whole) = found?;
    Some(match found {
        Some(found) if task.relaxed && is_whole => Solved::Best(None, found.score),
        Some(found) if !task.relaxed => {
            Solved::Best(Some(Box::new(rebuild::packed(&input, packed, &found)?)), found.score)
        }
        None if is_whole => Solved::Nothing,
        Some(_) | None => Solved::Unknown,
    })
}

/// The best plan that beats a score, and whether everything was tried; what was found before the
/// steps ran out is a plan as well.
fn search(
    input: &SearchInput<'_>,
    constraints: &[domain_constraint::DomainConstraint],
    ruled: usize,
    best: PlanScore,
    budget: &mut SearchBudget<'_>,
) -> Option<(Option<FoundPlan>, bool)> {
    let higher = weights::HigherPools::new(input);
    let is_legal = |found: &FoundPlan| {
        input.task.relaxed || higher.are_first(found) && is_bindable(input, found)
    };
    let tables = input.tables(budget)?;
    let mut divider = CellDivider {
        input,
        tables: &tables,
        constraints,
        ruled,
        budget,
        best,
        found: None,
        is_legal: &is_legal,
        by_cells: input.items.iter().map(|_| vec![0; tables.len()]).collect(),
        numbers: vec![0; tables.len()],
        out: vec![0; input.items.len()],
    };
    let is_whole = divider.item(0).is_some();
    Some((divider.found, is_whole))
}

/// Whether the pods of a plan can be bound one after another.
///
/// Asked of whole plans only, after everything cheaper: it is the dear question.
fn is_bindable(input: &SearchInput<'_>, found: &FoundPlan) -> bool {
    let (task, compiled) = (input.task, input.task.context.compiled);
    let running = compiled
        .nodes
        .ids()
        .map(|node| PlanHost { site: compiled.site_of_node(node), node: Some(node) });
    let mut hosts: Vec<PlanHost> = running.collect();
    let mut members: BTreeMap<(ClassId, usize), u32> = BTreeMap::new();
    for (at, number) in &found.held {
        let place = &input.places.list[*at];
        let host = match place.node {
            Some(node) => node.index(),
            None => {
                hosts.push(PlanHost { site: place.site, node: None });
                hosts.len() - 1
            }
        };
        let vector = input.grid.vector(*number);
        for (item, count) in input.items.iter().zip(vector).filter(|(_, count)| *count > 0) {
            *members.entry((item.class, host)).or_insert(0) += count;
        }
    }
    let idle = rebuild::idle_static(input, found);
    hosts.extend(idle.into_iter().map(|site| PlanHost { site, node: None }));
    let members = members.into_iter().map(|((class, host), count)| HostPods { class, host, count });
    let counting = LaunchableCounts {
        domains: task.launchable,
        hosts: task.launchable && task.levels.is_empty(),
    };
    let state = PlanState::new(task.context, counting, &hosts, members.collect());
    state.keeps_anti_affinity(&hosts) && state.has_order()
}

/// How many pods of each item the packing has in each cell; `None` where that can't be told.
fn by_cells(
    task: &Task<'_>,
    packed: &AssignedPacking,
    items: &[CellItem],
    places: &Places,
) -> Option<ItemsByCell> {
    let kept: Vec<usize> = items.iter().map(|item| item.item.index()).collect();
    let cell_of = |site| Some(places.cell_of(site));
    task.kept_classes.by_cells(task.context, packed, &kept, places.cells.len(), cell_of)
}
