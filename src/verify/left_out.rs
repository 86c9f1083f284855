//! Pods without a place that surely have one in the plan as it stands.
//!
//! *What is looked for.* A pod that a node of the problem or a launch has room for, bound after all
//! others; and one for which there would be room if pods of a lower priority weren't there.
//!
//! *Why it is sure.* Only such pods are looked at as no rule between pods concerns: no spread and
//! no affinity of their own, and no anti-affinity that selects them. Everything else is asked of
//! the node together with all pods that it then has, by the same functions that judge a plan. Pods
//! of a lower priority go only where no rule of anybody selects them, so that nobody else notices.
//! Launches are passed over where their alternatives must hold the pods as well (`minValues`), and
//! where there are reservations, by which a caller may have pods wait.
//!
//! *Cost.* [`MOST_LOOKS`] looks at a node; beyond these nothing is said.

use super::account::PodPlaces;
use super::anti_affinity::{self, term_selects};
use super::facts::{EntryPods, Facts, selects};
use super::resource::{self, Amounts};
use super::site::Sites;
use super::violation::{PlanPlace, Violation};
use super::{host_port, min_values, node, offering, taint, volume};
use crate::model::Pod;
use crate::plan::{LaunchPlan, LaunchTemplate};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A pod without a place that surely has one in the plan as it stands.
///
/// # Examples
/// ```
/// use plimsoll::{Node, Pod, Problem, Resources, plan::LaunchPlan, verify};
///
/// let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
/// let problem = Problem::builder().pod(Pod::new("web")).node(Node::new("n1", room)).build()?;
/// // A legal plan that leaves out a pod for which there is room.
/// let lazy = LaunchPlan::from_json(
///     r#"{ "unschedulable": [{ "pod": "default/web", "reasons": [
///             { "code": "not-found", "sentence": "not looked for", "candidates": 1 }] }],
///         "cost": { "total": 0, "fees": 0, "lowerBound": 0, "proof": "optimal" } }"#,
/// )?;
/// let oversight = verify(&problem, &lazy)?.oversights()[0].to_string();
/// assert_eq!(oversight, "pod default/web has no place, and there is room for it on node n1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Oversight {
    /// "namespace/name" of the pod.
    pub pod: Arc<str>,
    /// Where it has a place.
    pub place: PlanPlace,
    /// Whether pods of a lower priority hold that place; else it is free.
    pub is_outranked: bool,
}

impl fmt::Display for Oversight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pod, place, is_outranked } = self;
        match is_outranked {
            true => write!(f, "pod {pod} stays out for pods of a lower priority on {place}"),
            false => write!(f, "pod {pod} has no place, and there is room for it on {place}"),
        }
    }
}

/// The most looks at a node for a pod.
const MOST_LOOKS: usize = 4_000;
/// The most entries with pods without a place that are looked at, and of pods with rules about
/// others.
const MOST_ENTRIES: usize = 512;

/// A place, with what it holds: a node of the problem, or a launch with its template.
enum Place<'p, 'a> {
    Node(usize),
    Launch(usize, &'a LaunchTemplate, &'p [EntryPods<'a>]),
}

/// What is looked through.
///
/// It asks the rules of the other files about a place with one pod more, and throws away what they
/// say but for whether they say anything.
struct Finder<'f, 'p, 'a> {
    facts: &'f Facts<'a>,
    sites: &'f mut Sites<'a>,
    placement: &'p PodPlaces<'a>,
    bound: BTreeMap<&'a str, Vec<EntryPods<'a>>>,
    /// Pods with rules about others.
    ruled: Vec<&'a Pod>,
}

/// The pods without a place that surely have one, of each entry of the problem one.
///
/// A pod with a spread, an affinity or an anti-affinity of its own is left alone: whether it has a
/// place then depends on where others go. Places are nodes that stand and launches of the plan,
/// each with the pods that the plan puts there; a place is looked at twice, first as it is, then
/// without the pods of a lower priority that nobody needs to be there. The work is bounded by
/// [`MOST_LOOKS`]: what isn't looked at isn't reported.
pub(super) fn oversights<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    (plan, placement): (&'a LaunchPlan, &PodPlaces<'a>),
) -> Vec<Oversight> {
    let mut waiting: BTreeMap<usize, (Arc<str>, &'a Pod)> = BTreeMap::new();
    for one in &plan.unschedulable {
        if let Some((entry, pod, _)) = facts.pod(&one.pod)
            && pod.placeholder().is_none()
        {
            let _first = waiting.entry(entry).or_insert_with(|| (one.pod.clone(), pod));
        }
    }
    let is_ruled = |pod: &&Pod| {
        let affinity = pod.affinity.as_deref();
        !pod.topology_spread_constraints.is_empty()
            || affinity.is_some_and(|all| {
                !all.pod_affinity.required.is_empty() || !all.pod_anti_affinity.required.is_empty()
            })
    };
    let ruled: Vec<&'a Pod> = facts.problem.pods.iter().filter(is_ruled).collect();
    if waiting.is_empty() || waiting.len() > MOST_ENTRIES || ruled.len() > MOST_ENTRIES {
        return Vec::new();
    }
    let bound = node::bound(facts);
    let mut finder = Finder { facts, sites, placement, bound, ruled };
    let places = finder.places(plan);
    let mut found = Vec::new();
    let mut looks = 0_usize;
    for (entry, (name, pod)) in waiting {
        if is_ruled(&pod) || finder.is_kept_away(pod) {
            continue;
        }
        looks = looks.saturating_add(places.len());
        if looks > MOST_LOOKS {
            break;
        }
        let alone = EntryPods { pod, entry, count: 1, first: name.clone(), last: name.clone() };
        let mut find = |outranks| places.iter().find(|place| finder.holds(place, &alone, outranks));
        let (place, is_outranked) = match find(false) {
            Some(place) => (Some(place), false),
            None => (find(true), true),
        };
        found.extend(place.map(|place| Oversight {
            pod: name.clone(),
            place: match place {
                Place::Node(at) => PlanPlace::Node(finder.name(*at)),
                Place::Launch(at, ..) => PlanPlace::Launch(*at),
            },
            is_outranked,
        }));
    }
    found
}

impl<'p, 'a> Finder<'_, 'p, 'a> {
    fn name(&self, node: usize) -> Arc<str> {
        self.facts.problem.nodes.get(node).map_or_else(|| "".into(), |node| node.name.clone())
    }

    /// The nodes and the launches, of those that are alike one.
    fn places(&self, plan: &'a LaunchPlan) -> Vec<Place<'p, 'a>> {
        let nodes = self.facts.problem.nodes.iter().enumerate();
        let nodes = nodes.filter(|(_, node)| !node.deleting).map(|(at, _)| Place::Node(at));
        let mut places: Vec<Place<'p, 'a>> = nodes.collect();
        let types = &self.facts.problem.instance_types;
        let mut offerings = types.iter().flat_map(|instance_type| &instance_type.offerings);
        if offerings.any(|offering| offering.reservation.is_some()) {
            return places;
        }
        let mut known: BTreeSet<(*const LaunchTemplate, Vec<(usize, u64)>)> = BTreeSet::new();
        for (at, (launch, groups)) in plan.launches.iter().zip(&self.placement.launches).enumerate()
        {
            let pods = groups.iter().map(|group| (group.entry, group.count)).collect();
            if known.insert((Arc::as_ptr(&launch.template), pods)) {
                places.push(Place::Launch(at, &launch.template, groups));
            }
        }
        places
    }

    /// Whether some pod keeps this one out of its domains.
    fn is_kept_away(&self, pod: &Pod) -> bool {
        self.ruled.iter().any(|owner| {
            anti_affinity::terms(owner)
                .iter()
                .any(|term| term_selects(self.facts, owner, term, pod))
        })
    }

    /// Whether a rule of anybody's selects a pod.
    fn is_named(&self, pod: &Pod) -> bool {
        self.ruled.iter().any(|owner| {
            let affinity = owner.affinity.as_deref();
            let mut terms = affinity.into_iter().flat_map(|all| {
                all.pod_affinity.required.iter().chain(&all.pod_anti_affinity.required)
            });
            let mut spreads = owner.topology_spread_constraints.iter();
            terms.any(|term| term_selects(self.facts, owner, term, pod))
                || spreads.any(|one| {
                    let value = |key: &str| pod.labels.get(key).map(|value| &**value);
                    one.label_selector.as_ref().is_some_and(|selector| selects(selector, value))
                })
        })
    }

    /// Whether a place holds a pod beside those that it has, or beside those alone that have no
    /// lower priority or that somebody needs to be there.
    ///
    /// With `outranks` the pods of a lower priority are taken off first; a place where that takes
    /// nobody off isn't looked at again.
    fn holds(&mut self, place: &Place<'p, 'a>, alone: &EntryPods<'a>, outranks: bool) -> bool {
        let own: &[EntryPods<'a>] = match place {
            Place::Node(at) => self.placement.nodes.get(at).map_or(&[], |groups| groups),
            Place::Launch(_, _, groups) => groups,
        };
        let stays = |group: &&EntryPods<'a>| {
            !outranks || group.pod.priority >= alone.pod.priority || self.is_named(group.pod)
        };
        let mut groups: Vec<EntryPods<'a>> = own.iter().filter(stays).cloned().collect();
        if outranks && groups.len() == own.len() {
            return false;
        }
        match groups.iter_mut().find(|group| group.entry == alone.entry) {
            Some(group) => group.count = group.count.saturating_add(1),
            None => groups.push(alone.clone()),
        }
        match place {
            Place::Node(at) => self.node_holds(*at, &groups),
            Place::Launch(_, template, _) => self.launch_holds(template, &groups),
        }
    }

    fn node_holds(&self, at: usize, groups: &[EntryPods<'a>]) -> bool {
        let Some(of) = self.facts.problem.nodes.get(at) else { return false };
        let bound = self.bound.get(&*of.name).map_or(&[][..], |groups| groups);
        let mut said = Vec::new();
        node::check_node(self.facts, of, bound, groups, &mut said);
        said.is_empty()
    }

    fn launch_holds(&mut self, template: &'a LaunchTemplate, groups: &[EntryPods<'a>]) -> bool {
        let Some(pool) = self.facts.pool(&template.node_pool) else { return false };
        if !min_values::asked(pool.1).is_empty() {
            return false;
        }
        let (place, mut said) = (PlanPlace::Unschedulable, Vec::<Violation>::new());
        let choice = (&template.offering, template);
        let id = offering::check(self.facts, self.sites, pool, choice, &place, &mut said);
        let Some(site) = id.and_then(|id| self.sites.get(id)) else { return false };
        let mut requests = Amounts::new();
        groups.iter().for_each(|group| resource::add(&mut requests, group.pod, group.count));
        if !site.undecided.is_empty()
            || !site.fits(&requests)
            || !groups.iter().all(|group| site.admits(self.facts, group))
        {
            return false;
        }
        let daemons = || site.daemons.iter().map(|(_, daemon)| *daemon);
        volume::check(site.volume_limits, daemons(), groups, &place, &mut said);
        let named = daemons().map(|one| (super::facts::pod_name(one, 0), one));
        host_port::check(named, groups, &place, &mut said);
        anti_affinity::check(self.facts, &[], groups, &place, &mut said);
        for group in groups {
            taint::check(group.pod, &group.first, &place, pool.1.taints.iter(), &mut said);
        }
        said.is_empty()
    }
}
