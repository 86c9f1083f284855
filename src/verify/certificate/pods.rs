//! The pods of a certificate: that the plan has them, and what they ask for.
//!
//! *What has to be so.* A certificate counts pods under conditions: on pools of this weight,
//! honouring these preferences, beyond what running nodes can take. The plan must have so many such
//! pods, and none may be counted under two names. Pods are taken from *cells*, those of an entry
//! that are alike in all of this, the strictest claims first.
//!
//! *Cost.* Items of the certificate × their entries × their cells.

use super::super::account::PodPlaces;
use super::super::facts::{EntryPods, Facts};
use super::super::node_affinity::{Answer, PodNodeRules};
use super::super::site::Sites;
use super::super::topology::PlacedClasses;
use super::super::violation::{PlanPlace, Violation};
use super::super::{offering, resource, taint, volume};
use super::{host_spread, malformed};
use crate::model::{Effect, HostPort, NodeSelectorTerm, Pod, Taint};
use crate::plan::certificate::{Certificate, PodValue};
use crate::plan::{Launch, LaunchPlan, LaunchTemplate};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// The pods of one item of a certificate.
#[derive(Clone)]
pub(super) struct CountedPods {
    /// The weight of pools whose launches may have them; `None`: of any.
    pub(super) weight: Option<i32>,
    pub(super) beyond: bool,
    pub(super) count: u32,
    /// How many there are of these in the plan, those of other items among them.
    pub(super) available: u64,
    pub(super) value: i128,
    /// What each asks for at least, by the certificate's resources and then its drivers.
    pub(super) request: Vec<i128>,
    /// What they are like: each once.
    pub(super) profiles: Vec<usize>,
    /// Whether no two of them share a node.
    pub(super) alone: bool,
    /// How many share a node at most, for the sake of a spread over hosts.
    pub(super) per_node: Option<u32>,
    /// The position in the certificate.
    pub(super) position: usize,
}

impl CountedPods {
    /// The same, worth something.
    pub(super) fn as_if_worthy(&self) -> Self {
        Self { value: 1, ..self.clone() }
    }

    /// How many of them share a node at most.
    pub(super) fn together(&self) -> u64 {
        let spread = u64::from(self.per_node.unwrap_or(u32::MAX));
        if self.alone { spread.min(1) } else { spread }
    }

    /// How many of so many fit where there is so much room, and share a node.
    pub(super) fn fit(&self, room: &[i128], count: u64) -> u64 {
        let most = count.min(self.together());
        let asked = room.iter().zip(&self.request).filter(|(_, request)| **request > 0);
        asked.fold(most, |most, (there, request)| {
            let times = there.max(&0).checked_div(*request).unwrap_or(0);
            most.min(u64::try_from(times).unwrap_or(u64::MAX))
        })
    }
}

/// Pods that no place tells apart.
pub(super) struct PodProfile<'a> {
    /// One of them.
    pub(super) pod: &'a Pod,
    /// Their class as rules between pods have it.
    pub(super) class: usize,
    /// The number of their rules about nodes.
    pub(super) rules: Option<usize>,
    /// Terms of preferred node affinity that their places honour.
    pub(super) honours: Vec<&'a NodeSelectorTerm>,
    /// Whether their places have no `PreferNoSchedule` taint that they don't tolerate.
    pub(super) untainted: bool,
}

/// Pods of one entry that the plan has on launches of one weight, or binds, and that honour the
/// same.
struct PlannedPods {
    weight: Option<i32>,
    honours: Rc<KeptPreferences>,
    left: u64,
}

/// Which preferences about its node a pod of the plan honours.
#[derive(Debug, Default, Eq, PartialEq)]
struct KeptPreferences {
    terms: Vec<u32>,
    untainted: bool,
}

impl KeptPreferences {
    fn include(&self, pods: &PodValue) -> bool {
        pods.honours.iter().all(|term| self.terms.contains(term))
            && (self.untainted || !pods.untainted)
    }
}

/// Reports pods that the plan doesn't have, and says what all of them ask for.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    certificate: &Certificate,
    (plan, placement): (&'a LaunchPlan, &PodPlaces<'a>),
    classes: &PlacedClasses,
    out: &mut Vec<Violation>,
) -> (Vec<CountedPods>, Vec<PodProfile<'a>>) {
    let mut cells = cells(facts, sites, certificate, (plan, placement));
    let unshared = match volume::are_limited(facts.problem) {
        true => Some(volume::unshared(facts.problem)),
        false => None,
    };
    let mut profiles = PodProfiles { list: Vec::new(), known: BTreeMap::new(), unshared };
    let mut counted: Vec<CountedPods> = Vec::with_capacity(certificate.pods.len());
    let mut entries: Vec<Vec<usize>> = Vec::with_capacity(certificate.pods.len());
    for (at, pods) in certificate.pods.iter().enumerate() {
        if pods.value < 0 {
            out.push(malformed(format!("pods[{at}].value")));
        }
        let mut of_pods = Vec::with_capacity(pods.entries.len());
        for name in &pods.entries {
            match facts.entry(name) {
                Some((entry, pod)) if pod.node_name.is_none() => of_pods.push(entry),
                _ => out.push(malformed(format!("pods[{at}].entries"))),
            }
        }
        of_pods.sort_unstable();
        of_pods.dedup();
        if let Some(most) = pods.per_node
            && !host_spread::is_kept(facts, pods, &of_pods, most, placement)
        {
            out.push(malformed(format!("pods[{at}].perNode")));
        }
        let mut item = profiles.count(facts, certificate, pods, &of_pods, classes);
        item.position = at;
        counted.push(item);
        entries.push(of_pods);
    }
    // Those that can be taken from the fewest cells first, so that the others leave these to them.
    let mut order: Vec<usize> = (0..counted.len()).collect();
    let strictness = |pods: &PodValue| pods.honours.len().saturating_add(pods.untainted.into());
    order.sort_by_key(|at| {
        let pods = certificate.pods.get(*at);
        pods.map(|pods| (!pods.beyond_running, std::cmp::Reverse(strictness(pods))))
    });
    for at in order {
        let (Some(pods), Some(counted), Some(entries)) =
            (certificate.pods.get(at), counted.get_mut(at), entries.get(at))
        else {
            continue;
        };
        let found = take(&mut cells, pods, entries);
        counted.available = found;
        // How many of them are beyond running nodes is looked at later.
        if u64::from(pods.count) > found {
            let counted = pods.count.into();
            out.push(Violation::CertificatePods { pods: at, counted, found });
        }
    }
    (counted, profiles.list)
}

/// Takes so many pods from the cells that they can be of; how many there were. Of pods beyond
/// running nodes it isn't known which they are, so all that they could be are taken.
fn take(cells: &mut [Vec<PlannedPods>], pods: &PodValue, entries: &[usize]) -> u64 {
    let mut found = 0_u64;
    for entry in entries {
        let Some(cells) = cells.get_mut(*entry) else { continue };
        let suits =
            |cell: &&mut PlannedPods| cell.weight == pods.weight && cell.honours.include(pods);
        for cell in cells.iter_mut().filter(suits) {
            found = found.saturating_add(cell.left);
            if pods.beyond_running {
                cell.left = 0;
            }
        }
    }
    if pods.beyond_running {
        return found;
    }
    let mut wanted = u64::from(pods.count);
    for entry in entries {
        let Some(cells) = cells.get_mut(*entry) else { continue };
        // Cells lie in the order of how much they honour.
        let suits =
            |cell: &&mut PlannedPods| cell.weight == pods.weight && cell.honours.include(pods);
        for cell in cells.iter_mut().filter(suits) {
            let taken = cell.left.min(wanted);
            cell.left = cell.left.saturating_sub(taken);
            wanted = wanted.saturating_sub(taken);
        }
    }
    found
}

/// By entry, the pods that the plan places, told apart by where they are and what they honour.
///
/// A certificate may tell pods of one entry apart by the weight of the pool that launches them, and
/// by the preferences that they honour where they are: a bound that counts them so holds of all
/// plans that keep both. What a pod honours is only worked out where the certificate asks. Those
/// that honour least come first, so that pods of whom nothing is said aren't taken from those that
/// honour more.
fn cells<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    certificate: &Certificate,
    (plan, placement): (&'a LaunchPlan, &PodPlaces<'a>),
) -> Vec<Vec<PlannedPods>> {
    let mut cells: Vec<Vec<PlannedPods>> = facts.problem.pods.iter().map(|_| Vec::new()).collect();
    let mut add = |group: &EntryPods<'a>, weight: Option<i32>, honours: Rc<KeptPreferences>| {
        let Some(cells) = cells.get_mut(group.entry) else { return };
        let same = |cell: &&mut PlannedPods| cell.weight == weight && cell.honours == honours;
        match cells.iter_mut().find(same) {
            Some(cell) => cell.left = cell.left.saturating_add(group.count),
            None => cells.push(PlannedPods { weight, honours, left: group.count }),
        }
    };
    let asked = certificate.pods.iter().any(|pods| pods.untainted || !pods.honours.is_empty());
    let none = Rc::new(KeptPreferences::default());
    let mut known: BTreeMap<(*const LaunchTemplate, usize), Rc<KeptPreferences>> = BTreeMap::new();
    for (launch, groups) in plan.launches.iter().zip(&placement.launches) {
        let pool = facts.pool(&launch.template.node_pool);
        let weight = pool.map(|(_, pool)| pool.weight);
        for group in groups {
            let honours = match asked {
                true => known
                    .entry((Arc::as_ptr(&launch.template), group.entry))
                    .or_insert_with(|| Rc::new(on_launch(facts, sites, launch, group.pod))),
                false => &none,
            };
            add(group, weight, honours.clone());
        }
    }
    placement.anywhere.iter().for_each(|group| add(group, None, none.clone()));
    for (at, groups) in &placement.nodes {
        let Some(node) = facts.problem.nodes.get(*at) else { continue };
        let labels = super::super::label::of_node(node);
        for group in groups {
            let honours = match asked {
                true => {
                    let holds =
                        |term: &NodeSelectorTerm| PodNodeRules::term(term, &labels) == Answer::Yes;
                    Rc::new(honours(group.pod, holds, &node.taints))
                }
                false => none.clone(),
            };
            add(group, None, honours);
        }
    }
    for cells in &mut cells {
        cells.sort_by_key(|cell| (cell.honours.terms.len(), cell.honours.untainted));
    }
    cells
}

/// What a pod honours on a launch, whatever labels that are open there become.
fn on_launch<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    launch: &'a Launch,
    pod: &Pod,
) -> KeptPreferences {
    let Some(pool) = facts.pool(&launch.template.node_pool) else {
        return KeptPreferences::default();
    };
    let choice = (&launch.template.offering, &*launch.template);
    // What is wrong with it has been said.
    let mut said = Vec::new();
    let site = offering::check(facts, sites, pool, choice, &PlanPlace::Launch(0), &mut said);
    let Some(site) = site.and_then(|id| sites.get(id)) else { return KeptPreferences::default() };
    let term = |term: &NodeSelectorTerm| PodNodeRules::term(term, &site.labels) == Answer::Yes;
    honours(pod, term, &pool.1.taints)
}

fn honours(
    pod: &Pod,
    holds: impl Fn(&NodeSelectorTerm) -> bool,
    taints: &[Taint],
) -> KeptPreferences {
    let kept = preferred(pod).enumerate().filter(|(_, term)| holds(term));
    KeptPreferences {
        terms: kept.filter_map(|(at, _)| u32::try_from(at).ok()).collect(),
        untainted: tolerates_soft(pod, taints.iter()),
    }
}

/// Whether a pod tolerates every taint that is merely to be avoided.
pub(super) fn tolerates_soft<'t>(pod: &Pod, mut taints: impl Iterator<Item = &'t Taint>) -> bool {
    taints.all(|one| one.effect != Effect::PreferNoSchedule || taint::is_tolerated(pod, one))
}

/// The terms of a pod's preferred node affinity.
fn preferred(pod: &Pod) -> impl Iterator<Item = &NodeSelectorTerm> {
    let affinity = pod.affinity.as_deref().into_iter();
    affinity
        .flat_map(|rules| &rules.node_affinity.preferred)
        .map(|preferred_term| &preferred_term.preference)
}

/// What pods are told by: their class, their ports, their volumes, and what they honour.
type ProfileKey<'c, 'a> = (usize, &'a [HostPort], VolumeUse<'a>, &'c [u32], bool);

/// The volumes that a pod shares with others, and how many of each driver it has alone.
type VolumeUse<'a> = (BTreeSet<(&'a str, &'a str)>, BTreeMap<&'a str, u64>);

struct PodProfiles<'c, 'a> {
    list: Vec<PodProfile<'a>>,
    known: BTreeMap<ProfileKey<'c, 'a>, usize>,
    /// The volumes that one pod alone mounts; nothing where no place limits volumes.
    unshared: Option<BTreeSet<(&'a str, &'a str)>>,
}

impl<'c, 'a> PodProfiles<'c, 'a> {
    /// What an item's pods ask for.
    fn count(
        &mut self,
        facts: &Facts<'a>,
        certificate: &Certificate,
        pods: &'c PodValue,
        entries: &[usize],
        classes: &PlacedClasses,
    ) -> CountedPods {
        let mut request: Option<Vec<i128>> = None;
        let mut profiles = Vec::new();
        for entry in entries {
            // Of entries without a class the plan places nothing.
            let (Some(pod), Some(class)) =
                (facts.problem.pods.get(*entry), classes.of_entry.get(entry))
            else {
                continue;
            };
            let mut amounts = resource::Amounts::new();
            resource::add(&mut amounts, pod, 1);
            let amount = |name: &Arc<str>| amounts.get(&**name).copied().unwrap_or(0);
            let slots = match &self.unshared {
                Some(unshared) => volume::slots(pod, unshared),
                None => VolumeUse::default(),
            };
            let alone = |driver: &Arc<str>| slots.1.get(&**driver).copied().unwrap_or(0).into();
            let alone = certificate.drivers.iter().map(alone);
            let own = certificate.resources.iter().map(amount).chain(alone);
            match &mut request {
                None => request = Some(own.collect()),
                Some(least) => {
                    least.iter_mut().zip(own).for_each(|(least, own)| *least = own.min(*least));
                }
            }
            let key = (*class, &pod.host_ports[..], slots, &pods.honours[..], pods.untainted);
            let next = self.list.len();
            let profile = *self.known.entry(key).or_insert(next);
            if profile == next {
                let terms: Vec<&NodeSelectorTerm> = preferred(pod).collect();
                let honours = pods.honours.iter().filter_map(|at| terms.get(*at as usize).copied());
                self.list.push(PodProfile {
                    pod,
                    class: *class,
                    rules: facts.rules_of(*entry),
                    honours: honours.collect(),
                    untainted: pods.untainted,
                });
            }
            profiles.push(profile);
        }
        profiles.sort_unstable();
        profiles.dedup();
        CountedPods {
            weight: pods.weight,
            beyond: pods.beyond_running,
            count: pods.count,
            available: 0,
            value: pods.value,
            request: request.unwrap_or_else(|| {
                let drivers = certificate.drivers.iter();
                certificate.resources.iter().chain(drivers).map(|_| 0).collect()
            }),
            profiles,
            alone: false,
            per_node: pods.per_node,
            position: 0,
        }
    }
}
