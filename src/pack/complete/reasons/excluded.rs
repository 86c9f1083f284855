//! How all candidates of a pool are ruled out: the smallest set of rules of which each candidate
//! breaks one.
//!
//! *Problem.* What is in the way at the nearest candidate says what to change, and nothing of the
//! others: a pod that asks for a zone may find the types of that zone too small, and the large ones
//! elsewhere.
//!
//! *Idea.* A candidate, a further launch or a running node, is a set of rules that it breaks. A set
//! of rules that meets all of these sets rules out everything; the smallest is found by trying all
//! sets of one rule, of two, and so on, each time from the first candidate that isn't met yet.
//!
//! *Cost.* A look at every offer that differs in shape, domains or labels; then at most
//! [`MOST_LOOKS`] sets, after which the rule that meets most is taken again and again.

use super::super::of_plan::ClassNames;
use super::super::placement::Placement;
use super::super::rules::PlacementRules;
use super::between::Barrier;
use super::{LeftOut, ReasonFinder};
use crate::compile::{ClassId, Id, OfferId, PoolId};
use crate::explain::{Cause, LabelConflict};
use crate::model::{Quantity, amount};
use crate::pack::packing::Context;
use crate::plan::LaunchPlan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most sets of rules that are tried.
///
/// A look costs a pass over some dozens of masks, so that the search ends within milliseconds.
const MOST_LOOKS: u32 = 20_000;
/// The most rules that are told apart; those beyond count as the last.
///
/// As many as a mask has bits; sharing the last makes a set look smaller, never a candidate
/// possible.
const MOST_RULES: usize = 64;

/// How the candidates of a pool, or the running nodes, are ruled out for a pod.
#[derive(Debug)]
pub(crate) struct Exclusion {
    /// The pool; `None` means the nodes of the problem.
    pub(crate) pool: Option<Arc<str>>,
    /// How many candidates there are.
    pub(crate) candidates: u32,
    /// The smallest set of rules of which each candidate breaks one.
    pub(crate) rules: Vec<Cause>,
    /// All that is in the way at the nearest candidate.
    pub(crate) nearest: Vec<Cause>,
    /// What the nearest running node lacks.
    pub(crate) short: Vec<(Arc<str>, Quantity, Quantity)>,
}

/// How candidates are ruled out for a class of pods that a plan leaves out; `None` where the plan
/// isn't one of the problem.
pub(crate) fn exclusions(
    context: &Context<'_>,
    plan: &LaunchPlan,
    pod: &str,
) -> Option<Vec<Exclusion>> {
    let names = ClassNames::of(context.compiled);
    let class = names.class(pod)?;
    let rules = PlacementRules::of(context.compiled);
    let placement = Placement::of_plan(context, &rules, plan, &names)?;
    Some(ReasonFinder::of(placement).exclusions(class))
}

/// The sets of rules that candidates break.
#[derive(Default)]
struct BrokenRules {
    /// Each rule with the cause of the candidate that falls least short of it.
    rules: Vec<((&'static str, Arc<str>), Cause)>,
    /// How many candidates break exactly the rules of a mask.
    masks: BTreeMap<u64, u32>,
}

impl BrokenRules {
    /// Causes of one rule are one bit, whatever their numbers; the cause that is kept to be told is
    /// that of the candidate which falls least short.
    fn note(&mut self, causes: Vec<Cause>, count: u32) {
        let mut mask = 0_u64;
        for cause in causes {
            let key = (cause.code(), operand(&cause));
            let at = self.rules.iter().position(|(known, _)| *known == key);
            let at = at.unwrap_or(self.rules.len()).min(MOST_RULES - 1);
            match self.rules.get_mut(at) {
                Some((_, known)) if shortage(&cause) < shortage(known) => *known = cause,
                Some(_) => {}
                None => self.rules.push((key, cause)),
            }
            mask |= 1 << at;
        }
        let number = self.masks.entry(mask).or_insert(0);
        *number = number.saturating_add(count);
    }

    /// The smallest set of rules of which each candidate breaks one; nothing where one breaks none.
    ///
    /// Sets that contain another are dropped first: what meets the smaller meets them too. Sizes
    /// are tried upwards, so the first that is found is a smallest; where the looks run out, the
    /// greedy set is taken, which rules out everything as well but may be larger.
    fn smallest(&self) -> Vec<Cause> {
        let mut sets: Vec<u64> = self.masks.keys().copied().collect();
        sets.sort_by_key(|mask| (mask.count_ones(), *mask));
        if sets.first().is_none_or(|mask| *mask == 0) {
            return Vec::new();
        }
        let all = sets.clone();
        sets.retain(|mask| !all.iter().any(|other| other != mask && other & mask == *other));
        let mut looks = MOST_LOOKS;
        let most = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        let found = (1..=most).find_map(|size| hitting(&sets, 0, size, &mut looks));
        let chosen = found.unwrap_or_else(|| greedy(&sets));
        let rules = self.rules.iter().enumerate();
        rules.filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, (_, cause))| cause.clone()).collect()
    }
}

/// A set of at most so many more rules that meets all sets, as bits.
///
/// A depth-first search: any set that isn't met needs one of its own rules, so only these are
/// branched on, in order of their bits. The depth is `more`, and `looks` is shared by all calls.
fn hitting(sets: &[u64], chosen: u64, more: u32, looks: &mut u32) -> Option<u64> {
    let Some(open) = sets.iter().find(|set| *set & chosen == 0) else { return Some(chosen) };
    if more == 0 || *looks == 0 {
        return None;
    }
    *looks -= 1;
    let mut rest = *open;
    while rest != 0 {
        let rule = rest & rest.wrapping_neg();
        rest &= !rule;
        if let Some(found) = hitting(sets, chosen | rule, more - 1, looks) {
            return Some(found);
        }
    }
    None
}

/// A set that meets all sets, of rules that meet most of those left.
///
/// Each round meets at least one more set, as none is empty; ties go to the lower bit.
fn greedy(sets: &[u64]) -> u64 {
    let mut chosen = 0_u64;
    loop {
        let open: Vec<u64> = sets.iter().copied().filter(|set| set & chosen == 0).collect();
        let met = |rule: u32| open.iter().filter(|set| **set >> rule & 1 == 1).count();
        let best = (0..u64::BITS).max_by_key(|rule| (met(*rule), std::cmp::Reverse(*rule)));
        match best.filter(|_| !open.is_empty()) {
            Some(rule) => chosen |= 1 << rule,
            None => return chosen,
        }
    }
}

/// What a cause is about, beside its code: causes that agree in both are of one rule.
///
/// For most causes the label, resource, driver or port; for conflicts of labels all keys together,
/// so that two offers that miss the same keys by different values break one rule.
fn operand(cause: &Cause) -> Arc<str> {
    match cause {
        Cause::Labels { conflicts, .. } => {
            let keys: Vec<&str> = conflicts.iter().map(|conflict| &*conflict.key).collect();
            keys.join("\n").into()
        }
        Cause::Taint { taint, .. } => format!("{}={}", taint.key, taint.value).into(),
        Cause::Resource { resource, .. }
        | Cause::Daemon { resource, .. }
        | Cause::Limit { resource, .. } => resource.clone(),
        Cause::AttachLimit { driver, .. } | Cause::VolumeLimit { driver } => driver.clone(),
        Cause::Reservation { id } => id.clone(),
        Cause::HostPort { port, protocol, .. } => format!("{port}/{protocol}").into(),
        Cause::MinValues { key, .. }
        | Cause::TopologySpread { key, .. }
        | Cause::MinDomains { key, .. }
        | Cause::EmptyDomain { key, .. }
        | Cause::PodAffinity { key, .. }
        | Cause::PodAntiAffinity { key, .. }
        | Cause::TopologyKey { key } => key.clone(),
        _ => "".into(),
    }
}

/// By how much a cause's candidate falls short, to compare candidates of one rule.
///
/// In billionths of the resource's unit, saturating; causes without an amount are all alike.
fn shortage(cause: &Cause) -> i128 {
    match cause {
        Cause::Resource { nearest: None, .. } => i128::MAX,
        Cause::Resource { requested, nearest: Some((_, available)), .. } => {
            requested.nanos().saturating_sub(available.nanos())
        }
        Cause::Daemon { requested, available, .. } => {
            requested.nanos().saturating_sub(available.nanos())
        }
        Cause::Limit { used, needed, .. } => used.nanos().saturating_add(needed.nanos()),
        Cause::AttachLimit { most, .. } => -i128::from(*most),
        _ => 0,
    }
}

impl<'c> ReasonFinder<'c> {
    /// One entry for each pool in the order of the problem, then one for running nodes. A pool
    /// without any type that could be launched is told by that instead of by its candidates.
    fn exclusions(&mut self, class: ClassId) -> Vec<Exclusion> {
        let compiled = self.placement.compiled();
        let asked = self.asked(class);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        if asked.item.placeholder {
            let cause = vec![Cause::Placeholder];
            let candidates = number(compiled.sites());
            let (rules, nearest) = (cause.clone(), cause);
            return vec![Exclusion { pool: None, candidates, rules, nearest, short: Vec::new() }];
        }
        let mut found = Vec::new();
        for pool in compiled.pools.ids() {
            let name = compiled.parts.node_pool(compiled.pools[pool].index).name.clone();
            let (rules, nearest) = match self.of_pool(&asked, pool, None, false) {
                None => {
                    let causes = self.without_types(&asked, pool, &name);
                    (causes.clone(), causes)
                }
                Some(nearest) => (self.broken_by_launches(&asked, pool, &name), nearest),
            };
            found.push(Exclusion {
                pool: Some(name.clone()),
                candidates: number(self.offers[pool].len()),
                rules,
                nearest: or_not_found(nearest, Some(name)),
                short: Vec::new(),
            });
        }
        if !self.running.is_empty() || !compiled.deleting.is_empty() {
            found.push(self.running_exclusion(&asked));
        }
        if found.is_empty() {
            let (rules, nearest) = (vec![Cause::NoNodePool], vec![Cause::NoNodePool]);
            found.push(Exclusion { pool: None, candidates: 0, rules, nearest, short: Vec::new() });
        }
        found
    }

    /// The smallest set of rules of which each further launch of a pool breaks one.
    ///
    /// Offers that agree in shape, domains, availability, reservation and unmet conditions break
    /// the same rules and are asked once. Under strict reservations, a pod with reserved offers has
    /// only those as candidates. An offer that nothing forbids can still be barred by the order of
    /// binding: then the domain that it would open is the rule.
    fn broken_by_launches(
        &mut self,
        asked: &LeftOut<'c>,
        pool: PoolId,
        name: &Arc<str>,
    ) -> Vec<Cause> {
        let compiled = self.placement.compiled();
        let mut candidates = self.offers[pool].clone();
        if self.placement.context.strict_reservations
            && candidates.iter().any(|offer| self.placement.is_reserved(asked.class, *offer))
        {
            candidates.retain(|offer| compiled.offers[*offer].reservation.is_some());
        }
        // Offers that differ in nothing that a rule reads are looked at once.
        let with_values = !compiled.pools[pool].min_values.is_empty();
        let mut alike: BTreeMap<_, (OfferId, u32)> = BTreeMap::new();
        for offer in &candidates {
            let of = &compiled.offers[*offer];
            let site = compiled.site_of_offer(*offer);
            let spent = of.reservation.filter(|id| self.placement.supplies.is_spent(Some(*id)));
            let own = with_values.then_some(*offer);
            let unmet = self.unmet_conditions(asked, site);
            let key = (of.shape.index(), self.cell_of_site[site], of.available, spent, unmet, own);
            let (_, count) = alike.entry(key).or_insert((*offer, 0));
            *count = count.saturating_add(1);
        }
        let mut broken = BrokenRules::default();
        for ((_, _, _, _, unmet, _), (offer, count)) in alike {
            let site = compiled.site_of_offer(offer);
            let mut causes = self.taint_causes(asked, pool);
            causes.extend(self.condition_causes(&unmet, name, &candidates));
            causes.extend(self.offer_causes(asked, offer, name, &candidates));
            for barrier in self.barriers(asked, site, None) {
                causes.push(self.barrier_cause(asked, barrier, site, true));
            }
            if causes.is_empty()
                && !self.leaves_order(asked, offer)
                && let Some(key) = self.opened_key(site)
            {
                causes.push(self.barrier_cause(asked, Barrier::Opens(key), site, true));
            }
            broken.note(causes, count);
        }
        broken.smallest()
    }

    /// The conditions on labels that a site doesn't meet, by the way to choose alternatives that
    /// leaves fewest: those that hold whatever is chosen, each for itself, and those of the
    /// alternatives together.
    fn unmet_conditions(&self, asked: &LeftOut<'_>, site: usize) -> Vec<Vec<usize>> {
        let compiled = self.placement.compiled();
        let holds = |condition: &usize| compiled.site_conditions.holds[*condition].contains(site);
        let set = &compiled.site_conditions.rules.sets()[asked.set];
        let mut unmet: Vec<Vec<usize>> =
            set.all.iter().filter(|one| !holds(one)).map(|one| vec![*one]).collect();
        for terms in set.terms.iter().chain(&set.volumes) {
            let fails = |term: &Vec<usize>| -> Vec<usize> {
                term.iter().copied().filter(|one| !holds(one)).collect()
            };
            let least =
                terms.iter().filter(|term| !term.is_empty()).map(fails).min_by_key(Vec::len);
            match least {
                Some(least) if least.is_empty() => {}
                Some(least) => unmet.push(least),
                None => unmet.push(Vec::new()),
            }
        }
        unmet
    }

    /// An empty list is a list of terms of which none can ever hold; it becomes a cause without
    /// conflicts.
    fn condition_causes(
        &self,
        unmet: &[Vec<usize>],
        pool: &Arc<str>,
        offers: &[OfferId],
    ) -> Vec<Cause> {
        let conditions = self.placement.compiled().site_conditions.rules.conditions();
        let cause = |conflicts: &Vec<usize>| {
            let conflicts = conflicts.iter().map(|condition| {
                let (key, needed) = &conditions[*condition];
                LabelConflict::new(key.clone(), needed.clone(), self.offered(key, offers))
            });
            Cause::Labels { pool: pool.clone(), conflicts: conflicts.collect() }
        };
        unmet.iter().map(cause).collect()
    }

    /// How the nodes of the problem are ruled out.
    ///
    /// The nearest node is the one with the fewest causes, then with the least missing relative to
    /// the request, then the first. A node that is being deleted and would take the pod comes
    /// before all nodes that lack more than one thing.
    fn running_exclusion(&mut self, asked: &LeftOut<'c>) -> Exclusion {
        let compiled = self.placement.compiled();
        let mut broken = BrokenRules::default();
        let mut nearest: Option<(usize, i128, usize)> = None;
        let mut candidates = 0_u32;
        for at in self.running.clone() {
            let nodes = self.placement.groups[at].clone();
            let causes = self.node_causes(asked, at, true);
            let short: i128 = self.shortfalls(asked, at).iter().map(|(_, _, lack)| *lack).sum();
            candidates = candidates.saturating_add(nodes.count);
            if nearest
                .as_ref()
                .is_none_or(|(few, least, ..)| (causes.len(), short) < (*few, *least))
            {
                nearest = Some((causes.len(), short, at));
            }
            broken.note(causes, nodes.count);
        }
        let mut causes = Vec::new();
        let deleting = u32::try_from(compiled.deleting.len()).unwrap_or(u32::MAX);
        let would = self.deleting(asked, None);
        if would > 0 {
            let cause = Cause::Existing { miss: crate::explain::Miss::Deleting };
            broken.note(vec![cause.clone()], would);
            if nearest.as_ref().is_none_or(|(few, ..)| *few > 1) {
                nearest = None;
                causes.push(cause);
            }
        }
        let at = nearest.map_or(usize::MAX, |(_, _, at)| at);
        causes.extend(self.node_causes(asked, at, false));
        let names = compiled.dims.names();
        let short = self.shortfalls(asked, at).into_iter().map(|(dim, free, _)| {
            let of = |count: i64| amount(&names[dim], count.max(0));
            (names[dim].clone(), of(asked.item.request[dim]), of(free))
        });
        Exclusion {
            pool: None,
            candidates: candidates.saturating_add(deleting),
            rules: broken.smallest(),
            short: short.collect(),
            nearest: or_not_found(causes, None),
        }
    }

    /// The resources of which the nodes of a group have too little left: what is free, and what is
    /// lacking in millionths of the request.
    ///
    /// Relative, so that gigabytes of memory and thousandths of a core can be summed and compared.
    fn shortfalls(&self, asked: &LeftOut<'_>, at: usize) -> Vec<(usize, i64, i128)> {
        let names = self.placement.compiled().dims.names().len();
        let Some(nodes) = self.placement.groups.get(at) else { return Vec::new() };
        let pairs = nodes.free.iter().zip(&asked.item.request).take(names).enumerate();
        let short = pairs.filter(|(_, (free, want))| free < want);
        short
            .map(|(dim, (free, want))| {
                let lacks = i128::from(*want) - i128::from((*free).max(0));
                (dim, *free, lacks.saturating_mul(1_000_000) / i128::from((*want).max(1)))
            })
            .collect()
    }
}

/// A pod can be left out although nothing is in its way, where a search ended before it was placed;
/// that is said rather than a rule made up.
fn or_not_found(causes: Vec<Cause>, pool: Option<Arc<str>>) -> Vec<Cause> {
    if causes.is_empty() { vec![Cause::NotFound { pool }] } else { causes }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest size of a set of bits that meets all masks, by trying every set.
    fn least(masks: &[u64], rules: u32) -> Option<u32> {
        let sets = 0..1_u64 << rules;
        let meeting = sets.filter(|set| masks.iter().all(|mask| mask & set != 0));
        meeting.map(u64::count_ones).min()
    }

    #[test]
    fn the_smallest_set_is_found() {
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        };
        for _ in 0..500 {
            let masks: Vec<u64> = (0..draw() % 9 + 1).map(|_| draw() % 255 + 1).collect();
            let mut broken = BrokenRules::default();
            for bit in 0..8_u32 {
                let cause = Cause::Reservation { id: bit.to_string().into() };
                broken.rules.push((("reservation", bit.to_string().into()), cause));
            }
            masks.iter().for_each(|mask| {
                let _none = broken.masks.insert(*mask, 1);
            });
            let found = broken.smallest();
            assert_eq!(Some(u32::try_from(found.len()).unwrap()), least(&masks, 8), "{masks:?}");
            let set = found.iter().fold(0_u64, |set, cause| match cause {
                Cause::Reservation { id } => set | 1 << id.parse::<u32>().unwrap(),
                _ => set,
            });
            assert!(masks.iter().all(|mask| mask & set != 0), "{masks:?}");
            let by_hand = greedy(&masks);
            assert!(masks.iter().all(|mask| mask & by_hand != 0), "{masks:?}");
        }
    }

    #[test]
    fn a_candidate_that_breaks_nothing_is_not_ruled_out() {
        let mut broken = BrokenRules::default();
        broken.note(vec![Cause::AntiAffinity], 1);
        broken.note(Vec::new(), 1);
        assert_eq!(broken.smallest(), []);
    }
}
