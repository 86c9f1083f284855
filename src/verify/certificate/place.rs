//! Places for the pods of a certificate: launches and running nodes, with the room that they have
//! and the pods that can be there.
//!
//! Thousands of offerings differ in nothing that any rule reads. So labels are cut down to the keys
//! that matter, and what can be at a place with such labels is worked out once.
//!
//! *Why cutting labels down is right.* Two places that agree in every label which a rule of the
//! counted pods, of the daemons or of a bar reads are the same to all of them; whatever else
//! distinguishes them can't make one hold more.

use super::super::facts::{EntryPods, Facts};
use super::super::label::{self, NodeLabels};
use super::super::limit::Usage;
use super::super::node;
use super::super::node_affinity::{PodNodeRules, could_all_hold};
use super::super::requirement::{Condition, possible};
use super::super::resource::{self, Amounts};
use super::super::topology::{PlacedClasses, needed_keys};
use super::super::{anti_affinity, host_port, taint, volume};
use super::pods::{CountedPods, PodProfile, tolerates_soft};
use crate::model::{InstanceType, NodePool, Offering, Pod, Requirement, Taint, well_known};
use crate::plan::certificate::Certificate;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A node, running or to be launched.
pub(super) struct CertifiedNode<'a> {
    /// What it has for pods, by the certificate's resources and then its drivers.
    pub(super) room: Vec<i128>,
    /// The pods that can be there, and how many of them at most.
    pub(super) present: Vec<(usize, u32)>,
    /// Of a launch, what it would be.
    pub(super) launch: Option<CertifiedLaunch<'a>>,
}

/// A launch that a certificate counts with, as documents have it.
#[derive(Clone)]
pub(super) struct CertifiedLaunch<'a> {
    /// Who buys it.
    pub(super) pool: &'a NodePool,
    /// What is bought.
    pub(super) instance_type: &'a InstanceType,
    /// Its labels, with those that are open.
    pub(super) labels: NodeLabels<'a>,
}

/// What is left of a place when a label is known to meet a requirement, or not to.
pub(super) enum Narrowed<'a> {
    /// There is no such place.
    Nowhere,
    /// It is no different.
    Same,
    Other(CertifiedNode<'a>),
}

/// What labels are told by: those that are known, and the pool and the type where some are open.
type LabelsKey<'a> = (usize, Vec<(&'a str, &'a str)>, Option<usize>);

/// What running nodes are told by: the name where it matters, labels, taints that count, all
/// taints.
type NodeKey<'a> = (Option<&'a str>, Vec<(&'a str, &'a str)>, Vec<&'a Taint>, &'a [Taint]);

/// What can be where.
pub(super) struct NodeJudge<'c, 'a> {
    pub(super) facts: &'c Facts<'a>,
    /// What is checked.
    certificate: &'c Certificate,
    /// What its pods are like.
    pub(super) profiles: &'c [PodProfile<'a>],
    /// Its items, with what each is worth and asks for.
    counted: &'c [CountedPods],
    /// The classes of rules between pods.
    classes: &'c PlacedClasses,
    /// For each ask, the first that asks the same of labels.
    alike: Vec<usize>,
    /// The label keys that matter.
    keys: BTreeSet<&'c str>,
    /// Whether it matters which node it is.
    named: bool,
    /// What is on running nodes, by name.
    bound: BTreeMap<&'a str, Vec<EntryPods<'a>>>,
    labels_numbers: BTreeMap<LabelsKey<'a>, usize>,
    known: BTreeMap<(usize, usize), usize>,
    /// The pools that launch nothing, since what runs exceeds a limit of theirs.
    overrun: BTreeSet<usize>,
    places: Vec<CertifiedNode<'a>>,
    on_nodes: BTreeMap<NodeKey<'a>, Vec<bool>>,
    volumes_are_limited: bool,
}

impl<'c, 'a> NodeJudge<'c, 'a> {
    /// A judge of the nodes of which a certificate speaks.
    ///
    /// Collects what certificates can tell nodes by: the labels that any rule of the counted pods
    /// or of the daemons reads. Nodes that agree in these are judged once, and names of nodes count
    /// only where some rule reads them, since otherwise each of ten thousand nodes would be a case
    /// of its own.
    pub(super) fn new(
        facts: &'c Facts<'a>,
        certificate: &'c Certificate,
        (counted, profiles): (&'c [CountedPods], &'c [PodProfile<'a>]),
        classes: &'c PlacedClasses,
    ) -> Self {
        let mut keys: BTreeSet<&'c str> = BTreeSet::from([well_known::ZONE]);
        let daemons = facts.problem.daemon_sets.iter();
        let rules = profiles.iter().map(|profile| profile.pod).chain(daemons).map(PodNodeRules::of);
        keys.extend(rules.flat_map(PodNodeRules::keys).map(well_known::normalized));
        let mut named = keys.contains(well_known::HOSTNAME);
        for profile in profiles {
            let honoured = profile.honours.iter().flat_map(|term| &term.match_expressions);
            keys.extend(honoured.map(|one| well_known::normalized(&one.key)));
            keys.extend(needed_keys(profile.pod));
            keys.extend(
                classes.barred.get(profile.class).into_iter().flatten().map(|(key, _)| &**key),
            );
            named |= PodNodeRules::of(profile.pod).reads_fields();
            named |= profile.honours.iter().any(|term| !term.match_fields.is_empty());
        }
        let usage = Usage::of_running(facts);
        let pools = facts.problem.node_pools.iter().enumerate();
        let overrun = pools.filter(|(_, pool)| pool.replicas.is_none() && usage.is_overrun(pool));
        Self {
            overrun: overrun.map(|(at, _)| at).collect(),
            facts,
            certificate,
            profiles,
            counted,
            classes,
            alike: alike(profiles, classes),
            keys,
            named,
            bound: node::bound(facts),
            labels_numbers: BTreeMap::new(),
            known: BTreeMap::new(),
            places: Vec::new(),
            on_nodes: BTreeMap::new(),
            volumes_are_limited: volume::are_limited(facts.problem),
        }
    }

    /// Has a running node also have these pods.
    pub(super) fn bind(&mut self, node: &'a str, pods: &[EntryPods<'a>]) {
        self.bound.entry(node).or_default().extend_from_slice(pods);
    }

    pub(super) fn place(&self, id: usize) -> Option<&CertifiedNode<'a>> {
        self.places.get(id)
    }

    /// What a pool would launch with an offering; nothing where it can't.
    ///
    /// Nothing where pool, type and offering contradict each other, or where the pool is above a
    /// limit already.
    pub(super) fn launch(
        &mut self,
        (at_pool, pool): (usize, &'a NodePool),
        (at_type, instance_type): (usize, &'a InstanceType),
        offering: &'a Offering,
    ) -> Option<usize> {
        let (mut labels, contradictions) =
            label::of_launch(self.facts, pool, instance_type, offering);
        if !contradictions.is_empty() || self.overrun.contains(&at_pool) {
            return None;
        }
        let keys = &self.keys;
        labels.known.retain(|key, _| keys.contains(key));
        labels.open.retain(|key, _| keys.contains(key));
        let known = labels.known.iter().map(|(key, value)| (*key, *value)).collect();
        let open = (!labels.open.is_empty()).then_some(at_type);
        let next = self.labels_numbers.len();
        let labels_number = *self.labels_numbers.entry((at_pool, known, open)).or_insert(next);
        if let Some(id) = self.known.get(&(labels_number, at_type)) {
            return Some(*id);
        }
        let place = self.launched(&CertifiedLaunch { pool, instance_type, labels });
        self.places.push(place);
        let id = self.places.len().saturating_sub(1);
        let _new = self.known.insert((labels_number, at_type), id);
        Some(id)
    }

    /// Only daemons that run there whatever open labels become take their part of the room.
    pub(super) fn launched(&self, launch: &CertifiedLaunch<'a>) -> CertifiedNode<'a> {
        let CertifiedLaunch { pool, instance_type, labels } = launch;
        let runs = |daemon: &&Pod| {
            taint::untolerated(daemon, pool.taints.iter()).is_none()
                && PodNodeRules::of(daemon).surely_hold(labels)
                && PodNodeRules::of(daemon).unreachable(labels).next().is_none()
        };
        let daemons: Vec<&Pod> = self.facts.problem.daemon_sets.iter().filter(runs).collect();
        let mut requests = Amounts::new();
        daemons.iter().for_each(|daemon| resource::add(&mut requests, daemon, 1));
        let allocatable = resource::allocatable(instance_type);
        let mut room = self.room(&allocatable, &requests);
        let slots = |driver: &Arc<str>| {
            volume::slots_left(&instance_type.volume_limits, driver, daemons.iter().copied())
        };
        room.extend(self.certificate.drivers.iter().map(slots));
        let mut labels_suit = self.suitable(labels);
        let can_be = |(at, profile): (usize, &PodProfile<'a>)| {
            taint::untolerated(profile.pod, pool.taints.iter()).is_none()
                && (!profile.untainted || tolerates_soft(profile.pod, pool.taints.iter()))
                && !daemons.iter().any(|daemon| host_port::clashes(profile.pod, daemon))
                && volume::attaches(
                    &instance_type.volume_limits,
                    daemons.iter().copied(),
                    profile.pod,
                )
                && labels_suit(at, profile)
        };
        let limits = &instance_type.volume_limits;
        let has_room = resource::lacking(&requests, &allocatable).next().is_none()
            && volume::attaches_daemons(limits, daemons.iter().copied());
        let admitted: Vec<bool> = match has_room {
            // No room for the daemons: nothing is launched there.
            false => vec![false; self.profiles.len()],
            true => self.profiles.iter().enumerate().map(can_be).collect(),
        };
        let present = self.present(&room, &admitted, |pods| {
            pods.weight.is_none_or(|weight| weight == pool.weight)
        });
        CertifiedNode { room, present, launch: Some(launch.clone()) }
    }

    /// What is left of a node, by the certificate's resources.
    fn room(&self, allocatable: &Amounts<'_>, taken: &Amounts<'_>) -> Vec<i128> {
        let of = |amounts: &Amounts<'_>, name: &str| amounts.get(name).copied().unwrap_or(0);
        let names = self.certificate.resources.iter();
        names.map(|name| of(allocatable, name).saturating_sub(of(taken, name))).collect()
    }

    /// The items of which some can be where there is so much room and such pods are admitted.
    ///
    /// Those worth nothing are left out: they can't make a place worth more.
    fn present(
        &self,
        room: &[i128],
        admitted: &[bool],
        may: impl Fn(&CountedPods) -> bool,
    ) -> Vec<(usize, u32)> {
        let items = self.counted.iter().enumerate();
        let worthy = items.filter(|(_, pods)| pods.value > 0 && may(pods));
        worthy
            .filter(|(_, pods)| {
                pods.profiles.iter().any(|profile| admitted.get(*profile) == Some(&true))
            })
            .filter_map(|(at, pods)| {
                let most = u32::try_from(pods.fit(room, pods.count.into())).unwrap_or(u32::MAX);
                (most > 0).then_some((at, most))
            })
            .collect()
    }

    /// Says whether labels could suit an ask; few ask for different things of them.
    fn suitable(&self, labels: &NodeLabels<'a>) -> impl FnMut(usize, &PodProfile<'a>) -> bool {
        let mut known: Vec<Option<bool>> = vec![None; self.profiles.len()];
        move |at, profile| {
            let first = self.alike.get(at).and_then(|first| known.get_mut(*first));
            let judged = || self.labels_could_suit(profile, labels);
            first.map_or_else(judged, |known| *known.get_or_insert_with(judged))
        }
    }

    /// Whether the labels of a place suit a pod, or could if those that are open were fixed for
    /// each of its rules.
    pub(super) fn labels_could_suit(
        &self,
        profile: &PodProfile<'a>,
        labels: &NodeLabels<'a>,
    ) -> bool {
        let rules = PodNodeRules::of(profile.pod);
        let barred = self.classes.barred.get(profile.class).into_iter().flatten();
        let barred = barred.map(|(key, values)| (&**key, Condition::none_of(values)));
        let needed = needed_keys(profile.pod).map(|key| (key, Condition::exists()));
        rules.could_hold(labels)
            && rules.could_reach(labels)
            && profile.honours.iter().all(|term| PodNodeRules::term_could_hold(term, labels))
            && could_all_hold(barred.chain(needed), labels)
    }

    /// What is left of a place of which a label meets a requirement, or doesn't.
    pub(super) fn narrowed(
        &self,
        place: &CertifiedNode<'a>,
        requirement: &'a Requirement,
        meets: bool,
    ) -> Narrowed<'a> {
        // Nothing about a running node is open.
        let Some(launch) = &place.launch else { return Narrowed::Same };
        let key = well_known::normalized(&requirement.key);
        let condition = Condition { negated: !meets, ..Condition::from(requirement) };
        let mut launch = launch.clone();
        match launch.labels.open.get_mut(key) {
            Some(conditions) => {
                conditions.push(condition);
                match possible(conditions) {
                    true => Narrowed::Other(self.launched(&launch)),
                    false => Narrowed::Nowhere,
                }
            }
            None => match condition.holds(launch.labels.state(key)) {
                Some(false) => Narrowed::Nowhere,
                _ => Narrowed::Same,
            },
        }
    }

    /// A running node.
    pub(super) fn node(&mut self, at: usize) -> Option<CertifiedNode<'a>> {
        let (room, admitted) = self.on_node(at)?;
        let present = self.present(&room, &admitted, |pods| !pods.beyond);
        Some(CertifiedNode { room, present, launch: None })
    }

    /// How many of all pods of an item a running node can take.
    pub(super) fn room_for(&mut self, node: usize, pods: &CountedPods) -> u64 {
        let Some((room, admitted)) = self.on_node(node) else { return 0 };
        let admitted = pods.profiles.iter().any(|profile| admitted.get(*profile) == Some(&true));
        if admitted { pods.fit(&room, pods.available) } else { 0 }
    }

    /// What is free on a running node, and which pods it admits.
    ///
    /// Its room is what is allocatable less what is bound there and what daemons will still take.
    /// Whom labels and taints admit is kept by what the certificate can tell nodes by; ports,
    /// anti-affinity and volumes of who is there already are asked for each node.
    fn on_node(&mut self, at: usize) -> Option<(Vec<i128>, Vec<bool>)> {
        let node = self.facts.problem.nodes.get(at).filter(|node| !node.deleting)?;
        let bound = self.bound.get(&*node.name).map_or(&[][..], |groups| groups);
        let mut taken = node::held_back(self.facts, node, bound);
        bound.iter().for_each(|group| resource::add(&mut taken, group.pod, group.count));
        let mut room = self.room(&resource::rounded_down(&node.allocatable), &taken);
        let daemons: Vec<&Pod> = match self.volumes_are_limited {
            true => node::daemons(self.facts, node).collect(),
            false => Vec::new(),
        };
        let slots = |driver: &Arc<str>| {
            let present = bound.iter().map(|group| group.pod).chain(daemons.iter().copied());
            volume::slots_left(&node.volume_limits, driver, present)
        };
        room.extend(self.certificate.drivers.iter().map(slots));
        let mut labels = label::of_node(node);
        labels.known.retain(|key, _| self.keys.contains(key));
        labels.name = Some(if self.named { &node.name } else { "" });
        let known = labels.known.iter().map(|(key, value)| (*key, *value)).collect();
        let taints = taint::of_node(self.facts, node);
        let key = (labels.name, known, taints.clone(), &node.taints[..]);
        let mut admitted = match self.on_nodes.get(&key) {
            Some(admitted) => admitted.clone(),
            None => {
                let admitted: Vec<bool> = {
                    let mut labels_suit = self.suitable(&labels);
                    let suits = |(at, profile): (usize, &PodProfile<'a>)| {
                        taint::untolerated(profile.pod, taints.iter().copied()).is_none()
                            && (!profile.untainted
                                || tolerates_soft(profile.pod, node.taints.iter()))
                            && labels_suit(at, profile)
                    };
                    self.profiles.iter().enumerate().map(suits).collect()
                };
                let _new = self.on_nodes.insert(key, admitted.clone());
                admitted
            }
        };
        for (profile, admitted) in self.profiles.iter().zip(&mut admitted).filter(|(_, yes)| **yes)
        {
            let clashes = |group: &EntryPods<'a>| {
                host_port::clashes(profile.pod, group.pod)
                    || anti_affinity::forbids(self.facts, profile.pod, group.pod)
                    || anti_affinity::forbids(self.facts, group.pod, profile.pod)
            };
            let present = bound.iter().map(|group| group.pod).chain(daemons.iter().copied());
            *admitted = !bound.iter().any(clashes)
                && volume::attaches(&node.volume_limits, present, profile.pod);
        }
        Some((room, admitted))
    }
}

/// For each ask, the first that asks the same of labels.
fn alike(profiles: &[PodProfile<'_>], classes: &PlacedClasses) -> Vec<usize> {
    let mut firsts: HashMap<_, usize, FixedState> = HashMap::default();
    let mut alike = Vec::with_capacity(profiles.len());
    for (at, profile) in profiles.iter().enumerate() {
        let needed: Vec<&str> = needed_keys(profile.pod).collect();
        let barred = classes.barred.get(profile.class).filter(|barred| !barred.is_empty());
        alike.push(*firsts.entry((profile.rules, &profile.honours, needed, barred)).or_insert(at));
    }
    alike
}
