//! Orders of binding, held against all there are.
//!
//! Each problem is drawn by seed: a few nodes in a few zones, kinds of pods with spreads and
//! affinity over zones and hosts, and a place for every pod. [`Tiny::has_order`] binds pods one by
//! one in every order, and reads the rules off the lists below: it shares no line with what is
//! tested.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;
use crate::model::{
    Affinity, LabelSelector, Node, Pod, PodAffinityTerm, Problem, Resources,
    TopologySpreadConstraint, WhenUnsatisfiable,
};
use crate::plan::{Binding, LaunchPlan};
use crate::verify::facts::Facts;
use crate::verify::{PlanPlace, account};
use plimsoll_testdata::SplitMix64;
use std::sync::Arc;

const GROUPS: [&str; 3] = ["red", "green", "blue"];

/// A topology key: zones, or single nodes.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Key {
    Zone,
    Host,
}

/// A spread over a key of the pods of a group.
struct Spread {
    key: Key,
    group: usize,
    skew: u32,
    min_domains: Option<u32>,
}

/// Pods that are alike.
struct Kind {
    /// The groups whose label they have.
    groups: [bool; 3],
    spreads: Vec<Spread>,
    /// Required affinity: a key, and the group that must be there.
    affinity: Vec<(Key, usize)>,
}

/// A problem, with a node for every pod.
struct Tiny {
    /// Nodes by their zones; some have none.
    zones: Vec<Option<usize>>,
    kinds: Vec<Kind>,
    /// Pods that are bound: how many of which kind on which node.
    bound: Vec<(usize, usize, u32)>,
    /// Pods to be bound.
    placed: Vec<(usize, usize, u32)>,
}

/// How many pods of each kind are on each node.
type Counts = BTreeMap<(usize, usize), u64>;

impl Tiny {
    /// A problem with pods to be bound in so many places at most, so many in all or one in each.
    fn new(seed: u64, pairs: usize, most: usize) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut below = |bound: u64| usize::try_from(random.below(bound)).unwrap();
        let zones: Vec<Option<usize>> =
            (0..2 + below(3)).map(|_| if below(8) == 0 { None } else { Some(below(3)) }).collect();
        let kinds: Vec<Kind> = (0..1 + below(3))
            .map(|at| {
                let mut groups = [false; 3];
                groups[at] = true;
                groups[below(3)] |= below(3) == 0;
                let mut key = || if below(3) == 0 { Key::Host } else { Key::Zone };
                let keys = [key(), key(), key()];
                let (mut spreads, mut affinity) = (Vec::new(), Vec::new());
                for (number, key) in keys.into_iter().enumerate() {
                    // Mostly itself.
                    let group = if below(2) == 0 { at } else { below(3) };
                    match below(6) {
                        0 | 1 => spreads.push(Spread {
                            key,
                            group,
                            skew: if below(3) == 0 { 2 } else { 1 },
                            min_domains: (below(5) == 0).then_some(2),
                        }),
                        2 if number == 0 => affinity.push((key, group)),
                        _ => {}
                    }
                }
                // Kubernetes refuses two spreads over one key.
                let mut known = Vec::new();
                spreads.retain(|one: &Spread| {
                    let is_new = !known.contains(&one.key);
                    known.push(one.key);
                    is_new
                });
                Kind { groups, spreads, affinity }
            })
            .collect();
        let mut draw = |count: usize, most: usize| -> Vec<(usize, usize, u32)> {
            let one = |_| (below(kinds.len() as u64), below(zones.len() as u64));
            let pairs: BTreeSet<(usize, usize)> = (0..count).map(one).collect();
            let each = (most / pairs.len().max(1)).max(1) as u64;
            let many = |(kind, node)| (kind, node, 1 + u32::try_from(below(each)).unwrap());
            pairs.into_iter().map(many).collect()
        };
        let bound = draw(usize::from(seed.is_multiple_of(3)), 2);
        let placed = draw(pairs, most);
        Self { zones, kinds, bound, placed }
    }

    fn domain(&self, key: Key, node: usize) -> Option<usize> {
        if key == Key::Host { Some(node) } else { self.zones[node] }
    }

    /// How many pods of a group there are by domain, on nodes that count.
    fn by_domain(
        &self,
        pods: &Counts,
        key: Key,
        counts: impl Fn(usize) -> bool,
        is_meant: impl Fn(&Kind) -> bool,
    ) -> BTreeMap<usize, u64> {
        let mut sums: BTreeMap<usize, u64> = BTreeMap::new();
        for node in (0..self.zones.len()).filter(|node| counts(*node)) {
            let Some(domain) = self.domain(key, node) else { continue };
            let own =
                pods.iter().filter(|((kind, at), _)| *at == node && is_meant(&self.kinds[*kind]));
            *sums.entry(domain).or_insert(0) += own.map(|(_, count)| *count).sum::<u64>();
        }
        sums
    }

    /// Whether kube-scheduler accepts one more pod of a kind on a node.
    fn accepts(&self, pods: &Counts, kind: usize, node: usize) -> bool {
        let kind = &self.kinds[kind];
        let needs_zone = kind.spreads.iter().any(|one| one.key == Key::Zone);
        let has_keys = |node: usize| !needs_zone || self.zones[node].is_some();
        let spread = |one: &Spread| {
            let sums = self.by_domain(pods, one.key, has_keys, |other| other.groups[one.group]);
            let is_few = one.min_domains.is_some_and(|least| sums.len() < least as usize);
            let least = if is_few { 0 } else { sums.values().min().copied().unwrap_or(0) };
            let own = u64::from(kind.groups[one.group]);
            has_keys(node)
                && sums[&self.domain(one.key, node).unwrap()] + own <= least + u64::from(one.skew)
        };
        let meets_all = |other: &Kind| kind.affinity.iter().all(|(_, group)| other.groups[*group]);
        let term = |key: Key| {
            let sums = self.by_domain(pods, key, |_| true, meets_all);
            self.domain(key, node).map(|domain| (sums[&domain], sums.values().sum::<u64>()))
        };
        let terms: Option<Vec<(u64, u64)>> =
            kind.affinity.iter().map(|(key, _)| term(*key)).collect();
        let affinity = terms.is_some_and(|terms| {
            terms.iter().all(|(here, _)| *here > 0)
                || meets_all(kind) && terms.iter().all(|(_, all)| *all == 0)
        });
        kind.spreads.iter().all(spread) && affinity
    }

    /// Whether some order binds all pods.
    fn has_order(&self) -> bool {
        fn search(
            tiny: &Tiny,
            left: &mut Vec<u32>,
            pods: &mut Counts,
            seen: &mut BTreeSet<Vec<u32>>,
        ) -> bool {
            if left.iter().all(|count| *count == 0) {
                return true;
            }
            if !seen.insert(left.clone()) {
                return false;
            }
            for at in 0..left.len() {
                let (kind, node, _) = tiny.placed[at];
                if left[at] > 0 && tiny.accepts(pods, kind, node) {
                    left[at] -= 1;
                    *pods.entry((kind, node)).or_insert(0) += 1;
                    let found = search(tiny, left, pods, seen);
                    left[at] += 1;
                    *pods.get_mut(&(kind, node)).unwrap() -= 1;
                    if found {
                        return true;
                    }
                }
            }
            false
        }
        let mut left = self.placed.iter().map(|(_, _, count)| *count).collect();
        let bound =
            self.bound.iter().map(|(kind, node, count)| ((*kind, *node), u64::from(*count)));
        search(self, &mut left, &mut bound.collect(), &mut BTreeSet::new())
    }

    /// The same as a problem and a plan.
    fn documents(&self) -> (Problem, LaunchPlan) {
        let word =
            |key: Key| if key == Key::Host { well_known::HOSTNAME } else { well_known::ZONE };
        let selector = |group: usize| LabelSelector::new().with_label(GROUPS[group], "yes");
        let mut problem = Problem::builder();
        for (at, zone) in self.zones.iter().enumerate() {
            let room = Resources::parse([("pods", "99")]).unwrap();
            let node = Node::new(format!("n{at}"), room);
            let node = node.with_label(well_known::HOSTNAME, format!("n{at}"));
            problem = problem.node(match zone {
                Some(zone) => node.with_label(well_known::ZONE, format!("z{zone}")),
                None => node,
            });
        }
        let pod = |name: String, kind: &Kind| {
            let mut pod = Pod::new(name);
            for (group, _) in kind.groups.iter().enumerate().filter(|(_, has)| **has) {
                pod = pod.with_label(GROUPS[group], "yes");
            }
            for one in &kind.spreads {
                let when = WhenUnsatisfiable::DoNotSchedule;
                let mut spread = TopologySpreadConstraint::new(one.skew, word(one.key), when)
                    .with_label_selector(selector(one.group));
                spread.min_domains = one.min_domains;
                pod = pod.with_topology_spread_constraint(spread);
            }
            let terms = kind.affinity.iter();
            let terms =
                terms.map(|(key, group)| PodAffinityTerm::new(word(*key), selector(*group)));
            pod.with_affinity(terms.fold(Affinity::new(), Affinity::with_required_pod_affinity))
        };
        for (number, (kind, node, count)) in self.bound.iter().enumerate() {
            let name = format!("b{number}");
            let bound = pod(name, &self.kinds[*kind]).with_replicas(*count);
            problem = problem.pod(bound.with_node_name(format!("n{node}")));
        }
        let mut bindings = Vec::new();
        for (number, (kind, node, count)) in self.placed.iter().enumerate() {
            let name = format!("p{number}");
            let pending = pod(name.clone(), &self.kinds[*kind]);
            problem = problem.pod(pending.with_replicas(*count));
            let number = |at: u32| match *count {
                1 => format!("default/{name}").into(),
                _ => format!("default/{name}-{at}").into(),
            };
            let node: Arc<str> = format!("n{node}").into();
            bindings.extend((0..*count).map(|at| Binding { pod: number(at), node: node.clone() }));
        }
        (
            problem.build().unwrap(),
            LaunchPlan { bindings, ..LaunchPlan::of(Vec::new(), Vec::new()) },
        )
    }
}

/// What is found, and whether a greedy order was enough; as it comes, and with what owners of
/// spreads need kept for them.
fn judged(tiny: &Tiny) -> (Vec<Violation>, [bool; 2]) {
    let (problem, plan) = tiny.documents();
    let facts = Facts::new(&problem);
    let mut found = Vec::new();
    let placement = account::check(&facts, &plan, &mut found);
    assert!(found.is_empty(), "{found:?}");
    let state = FinalState::of(&facts, &plan, &placement);
    let rules = TopologyRuleSet::of(&facts, &state);
    check(&state, &rules, &mut found);
    let members = alike(&state, &rules);
    let greedy = [false, true].map(|reserves| {
        let mut search = OrderSearch { reserves, ..OrderSearch::new(&state, &rules, &members) };
        search.bind_greedily();
        search.unbound().is_none()
    });
    (found, greedy)
}

#[test]
fn a_plan_is_refused_where_no_order_binds_its_pods() {
    let mut with_order = 0;
    for seed in 0..1_500 {
        let tiny = Tiny::new(seed, 4, 7);
        let has_order = tiny.has_order();
        let (found, greedy) = judged(&tiny);
        assert_eq!(found.is_empty(), has_order, "seed {seed}: {found:?}");
        let is_certain =
            |one: &Violation| matches!(one, Violation::NoBindingOrder { certain: true, .. });
        assert!(found.iter().all(is_certain), "seed {seed}: {found:?}");
        // What was bound greedily was bound in an order that there is.
        assert!(has_order || greedy == [false; 2], "seed {seed}: {greedy:?}");
        with_order += u32::from(has_order);
    }
    assert!((500..1_200).contains(&with_order), "{with_order}");
}

/// Plans of more pods than every order can be tried of rely on this. What is missed is measured:
/// less is better.
#[test]
fn greedy_orders_are_nearly_always_enough() {
    let (mut with_order, mut as_they_come, mut careful, mut both) = (0, 0, 0, 0);
    for seed in 10_000..11_500 {
        let tiny = Tiny::new(seed, 8, 30);
        if tiny.has_order() {
            let (_, found) = judged(&tiny);
            with_order += 1;
            as_they_come += u32::from(!found[0]);
            careful += u32::from(!found[1]);
            both += u32::from(found == [false; 2]);
        }
    }
    assert_eq!(with_order, 433);
    assert!(as_they_come <= 5 && careful <= 3 && both <= 3, "{as_they_come} {careful} {both}");
}

/// Six nodes with so many pods each that could be bound in any order, and one pod that can't be.
fn stuck_among(others: u32) -> Tiny {
    let over_hosts = Spread { key: Key::Host, group: 1, skew: 99, min_domains: None };
    let waits =
        Kind { groups: [true, false, false], spreads: Vec::new(), affinity: vec![(Key::Zone, 2)] };
    let other =
        Kind { groups: [false, true, false], spreads: vec![over_hosts], affinity: Vec::new() };
    let mut placed = vec![(0, 0, 1)];
    placed.extend((0..6).map(|node| (1, node, others)));
    Tiny { zones: vec![Some(0); 6], kinds: vec![waits, other], bound: Vec::new(), placed }
}

#[test]
fn what_was_not_searched_to_the_end_is_not_certain() {
    // 2 ^ 6 states; 8 ^ 6, more than are looked at; and more pods than a search is about.
    for (others, is_certain) in [(1, true), (7, false), (8, false)] {
        let (found, greedy) = judged(&stuck_among(others));
        assert_eq!(greedy, [false; 2]);
        let rule = BindingRule::Affinity { key: well_known::ZONE.into() };
        let place = PlanPlace::Node("n0".into());
        let stuck = Violation::NoBindingOrder {
            pod: "default/p0".into(),
            place,
            rule,
            certain: is_certain,
        };
        assert_eq!(found, [stuck], "{others}");
    }
}
