//! Labels that launches leave open: which of their values are worth telling apart.
//!
//! # The problem
//!
//! A pool may require of a label no more than that it exists, or that it is one of a thousand
//! values. A node gets one state of it, and the launch says which. So a launch is listed once for
//! each state that matters, and the states are endlessly many.
//!
//! # The idea
//!
//! Two states that every rule about nodes admits or refuses alike are as good as one, and one of
//! each sort stands for all of them. Every sort has a member among: absence; the values that
//! anybody names; a value that nobody names; and, between any two bounds that anybody states, an
//! integer that nobody names. Of a label over which pods are counted every value is a domain of its
//! own: there all values that anybody names are told apart, and further ones are invented as far as
//! pods that keep away from each other, or spreads that want so many domains, can use them.
//!
//! # Why it is right
//!
//! A rule reads a state in four ways only: whether it is there, whether it is among certain values,
//! and whether it is an integer above or below a bound. An invented value is none that a rule, a
//! pool, a type or a node names, so it means what any other such value would; and the launch states
//! it, so nobody has to guess it.
//!
//! # Cost
//!
//! A value is looked up among the rules that name it, and tried against those that don't (`NotIn`,
//! bounds): thousands of pods that ask for a value each cost one look each.

use crate::model::{Pod, Problem, ValueSet, WhenUnsatisfiable, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most values that are invented for one label.
const MOST_INVENTED: usize = 128;

/// What is known of the domains of a topology key whose label a launch may leave open.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenDomains {
    /// Values that somebody names: those of running nodes and of pools.
    pub(crate) named: BTreeSet<Arc<str>>,
    /// How many others are invented.
    pub(crate) invented: usize,
}

/// What is known of the domains of each of some keys.
pub(crate) fn domains<'a>(
    problem: &Problem,
    keys: &BTreeSet<Arc<str>>,
    pending: impl Iterator<Item = &'a Pod>,
) -> BTreeMap<Arc<str>, OpenDomains> {
    let mut domains: BTreeMap<Arc<str>, OpenDomains> = keys
        .iter()
        .map(|key| (key.clone(), OpenDomains { named: BTreeSet::new(), invented: 1 }))
        .collect();
    if domains.is_empty() {
        return domains;
    }
    let of_nodes = problem.nodes.iter().filter(|node| !node.deleting);
    let labels = of_nodes.map(|node| &node.labels);
    for labels in labels.chain(problem.node_pools.iter().map(|pool| &pool.labels)) {
        for (key, of_key) in &mut domains {
            of_key.named.extend(labels.get(key).cloned());
        }
    }
    for requirement in problem.node_pools.iter().flat_map(|pool| &pool.requirements) {
        if let Some(of_key) = domains.get_mut(well_known::normalized(&requirement.key)) {
            of_key.named.extend(ValueSet::from_requirement(requirement).mentioned());
        }
    }
    for pod in pending {
        for (key, wanted) in wanted(pod) {
            if let Some(of_key) = domains.get_mut(well_known::normalized(key)) {
                of_key.invented = of_key.invented.max(wanted.0).saturating_add(wanted.1);
            }
        }
    }
    for of_key in domains.values_mut() {
        of_key.invented = of_key.invented.min(MOST_INVENTED);
    }
    domains
}

/// How many domains of which keys a pod's rules can use: at least so many, and so many more than
/// others.
fn wanted(pod: &Pod) -> impl Iterator<Item = (&Arc<str>, (usize, usize))> {
    let replicas = pod.replicas.max(1) as usize;
    let spreads = pod.topology_spread_constraints.iter();
    let hard = spreads.filter(|one| one.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule);
    let least = hard.filter_map(|one| Some((&one.topology_key, (one.min_domains? as usize, 0))));
    let anti_affinity = pod.affinity.iter().map(|affinity| &affinity.pod_anti_affinity);
    let anti_affinity = anti_affinity.flat_map(|rules| {
        let preferred = rules.preferred.iter().map(|one| &one.term.topology_key);
        rules.required.iter().map(|term| &term.topology_key).chain(preferred)
    });
    least.chain(anti_affinity.map(move |key| (key, (0, replicas))))
}

/// States that stand for all of a set, given what is told apart: each is a value, or `None` for
/// absence.
///
/// Conditions on one label, by what they admit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readers {
    /// By value, those that admit finitely many values, this one among them.
    by_value: BTreeMap<Arc<str>, Vec<usize>>,
    /// Those that admit absence, or endlessly many values.
    wide: Vec<(usize, ValueSet)>,
    /// Every value that any of them names.
    mentioned: BTreeSet<Arc<str>>,
    /// Where integers begin to be read differently.
    cuts: BTreeSet<i64>,
}

impl Readers {
    /// Adds one that reads the label, by its number.
    pub(crate) fn add(&mut self, reader: usize, admitted: &ValueSet) {
        self.mentioned.extend(admitted.mentioned());
        self.cuts.extend(cuts(admitted));
        match admitted.finite_values() {
            Some(values) if !admitted.admits_absent() => {
                for value in values {
                    self.by_value.entry(value.clone()).or_default().push(reader);
                }
            }
            _ => self.wide.push((reader, admitted.clone())),
        }
    }

    /// Whether nobody reads the label.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_value.is_empty() && self.wide.is_empty()
    }

    /// Those that admit a state, in a fixed order.
    pub(crate) fn admitting(&self, state: Option<&str>) -> Vec<usize> {
        let named = state.and_then(|value| self.by_value.get(value)).into_iter().flatten().copied();
        let wide = self.wide.iter().filter(|(_, states)| states.admits(state));
        named.chain(wide.map(|(reader, _)| *reader)).collect()
    }

    /// One state of each sort among those that a label may be in; where its values are domains,
    /// each of them.
    pub(crate) fn representatives(
        &self,
        may_be: &ValueSet,
        domains: Option<&OpenDomains>,
    ) -> Vec<Option<Arc<str>>> {
        let mut seen: BTreeSet<Vec<usize>> = BTreeSet::new();
        let mut chosen = Vec::new();
        if may_be.admits_absent() {
            let _new = seen.insert(self.admitting(None));
            chosen.push(None);
        }
        for value in self.candidates(may_be, domains) {
            if domains.is_some() || seen.insert(self.admitting(Some(&value))) {
                chosen.push(Some(value));
            }
        }
        chosen
    }

    /// Values with every sort among them.
    fn candidates(&self, may_be: &ValueSet, domains: Option<&OpenDomains>) -> Vec<Arc<str>> {
        if let Some(values) = may_be.finite_values() {
            return values.iter().cloned().collect();
        }
        let mut named = self.mentioned.clone();
        named.extend(may_be.mentioned());
        named.extend(domains.iter().flat_map(|domains| &domains.named).cloned());
        let invented = domains.map_or(1, |domains| domains.invented);
        let mut invented: Vec<Arc<str>> = may_be.samples(&named).take(invented).collect();
        // Between two bounds next to each other all integers that nobody names are alike.
        let mut cuts = self.cuts.clone();
        cuts.extend(self::cuts(may_be));
        let starts = std::iter::once(i64::MIN).chain(cuts.iter().copied());
        let ends = cuts.iter().map(|cut| cut.saturating_sub(1)).chain([i64::MAX]);
        for (least, most) in starts.zip(ends).filter(|_| !cuts.is_empty()) {
            let integers = ValueSet::between(least, most).intersect(may_be);
            let new = |value: &Arc<str>| !invented.contains(value);
            if let Some(integer) = integers.samples(&named).next().filter(new) {
                invented.push(integer);
            }
        }
        let named = named.into_iter().filter(|value| may_be.admits(Some(value)));
        named.chain(invented).collect()
    }
}

/// The integers from which on, upwards, a set that is a range admits integers, or no longer does.
fn cuts(states: &ValueSet) -> impl Iterator<Item = i64> {
    let range = states.range().into_iter();
    range.flat_map(|(least, most)| [Some(least), most.checked_add(1)]).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Operator, Requirement};

    fn set(conditions: &[(Operator, &[&str])]) -> ValueSet {
        conditions.iter().fold(ValueSet::any(), |set, (operator, values)| {
            let requirement = Requirement::new("k", *operator, values.iter().copied());
            set.intersect(&ValueSet::from_requirement(&requirement))
        })
    }

    fn states(
        readers: &[ValueSet],
        may_be: &ValueSet,
        domains: Option<&OpenDomains>,
    ) -> Vec<String> {
        let mut all = Readers::default();
        readers.iter().enumerate().for_each(|(at, states)| all.add(at, states));
        let states = all.representatives(may_be, domains).into_iter();
        states.map(|state| state.map_or("-".into(), |value| value.to_string())).collect()
    }

    #[test]
    fn one_state_of_each_sort_stands_for_all() {
        use Operator::{DoesNotExist, Exists, Gt, In, Lt, NotIn};
        let any = set(&[(Exists, &[])]);
        assert_eq!(states(&[], &any, None), ["other"]);
        assert_eq!(
            states(&[set(&[(NotIn, &["other", "other-1"])])], &any, None),
            ["other", "other-2"]
        );
        assert_eq!(states(&[set(&[(DoesNotExist, &[])])], &ValueSet::any(), None), ["-", "other"]);
        // Between the bounds there is an integer that nobody names.
        let excluded = set(&[(NotIn, &["5", "6"])]);
        let few = set(&[(Gt, &["4"]), (Lt, &["9"])]);
        assert_eq!(states(std::slice::from_ref(&excluded), &few, None), ["5", "7"]);
        let fewer = set(&[(Gt, &["4"]), (Lt, &["7"])]);
        assert_eq!(states(&[excluded], &fewer, None), ["5"]);
        let above = set(&[(Gt, &["9"])]);
        assert_eq!(states(&[above], &any, None), ["10", "9"]);
        let tenants: Vec<ValueSet> = (0..3).map(|n| ValueSet::one(format!("t{n}"))).collect();
        assert_eq!(states(&tenants, &any, None), ["t0", "t1", "t2", "other"]);
        assert_eq!(states(&tenants[..1], &set(&[(In, &["t0", "t1", "t2"])]), None), ["t0", "t1"]);
    }

    #[test]
    fn every_domain_that_is_named_is_told_apart_and_so_many_more() {
        let domains = OpenDomains { named: ["r1".into(), "other".into()].into(), invented: 2 };
        let any = set(&[(Operator::Exists, &[])]);
        let expected = ["other", "r1", "other-1", "other-2"];
        assert_eq!(states(&[], &any, Some(&domains)), expected);
        let few = ValueSet::only(["r1", "r2"]);
        assert_eq!(states(&[], &few, Some(&domains)), ["r1", "r2"]);
    }
}
