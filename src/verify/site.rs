//! Sites: what a node would be if a pool launched it with an offering.
//!
//! Thousands of launches and alternatives name the same few thousand combinations of pool, type and
//! offering, so each is worked out once and kept. A site differs also by the values to which a
//! launch fixes labels that would be open otherwise.
//!
//! *Cost.* A site for each distinct combination that the plan names, with its labels, daemons and
//! room; each set of rules about nodes is judged once on each.

use super::facts::{EntryPods, Facts};
use super::label::{self, LaunchLabels, NodeLabels};
use super::node_affinity::{Answer, PodNodeRules};
use super::requirement::{KnownLabel, all_hold};
use super::resource::{self, Amounts};
use super::taint;
use super::volume::VolumeLimits;
use crate::model::{InstanceType, NodePool, Offering, Pod};
use crate::plan::LaunchTemplate;
use std::collections::BTreeMap;

/// A pool, an instance type and one of its offerings, by their positions.
pub(super) type At = (usize, usize, usize);

/// What a node launched there would be.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) labels: NodeLabels<'a>,
    /// Label keys on which pool, type and offering contradict each other.
    pub(super) contradictions: Vec<&'a str>,
    /// The daemon sets that run there, with their positions.
    pub(super) daemons: Vec<(usize, &'a Pod)>,
    /// Open labels on which it depends whether a daemon set runs there.
    pub(super) undecided: Vec<&'a str>,
    /// What the daemons request.
    pub(super) daemon_requests: Amounts<'a>,
    /// What the type has, overhead included.
    pub(super) capacity: Amounts<'a>,
    /// How many volumes it attaches.
    pub(super) volume_limits: &'a VolumeLimits,
    /// What the type leaves to pods and daemons.
    pub(super) allocatable: Amounts<'a>,
    /// Sites of the same number have the same type and run the same daemon sets.
    pub(super) room: usize,
    /// Whether the daemons alone fit.
    daemons_fit: bool,
    /// By number of rules: whether they hold of the labels.
    verdicts: Vec<Option<bool>>,
}

/// Sites worked out so far.
#[derive(Debug, Default)]
pub(super) struct Sites<'a> {
    /// Label sets before a launch fixes anything.
    unfixed: BTreeMap<At, (NodeLabels<'a>, Vec<&'a str>)>,
    index: BTreeMap<(At, LaunchLabels<'a>), usize>,
    /// By type and daemon sets, by their positions.
    rooms: BTreeMap<(usize, Vec<usize>), usize>,
    list: Vec<Site<'a>>,
}

impl<'a> Sites<'a> {
    pub(super) fn get(&mut self, id: usize) -> Option<&mut Site<'a>> {
        self.list.get_mut(id)
    }

    /// The site of a pool with an offering, with labels fixed as a launch fixes them.
    ///
    /// Labels before a launch fixes anything depend on pool, type and offering alone and are worked
    /// out once; launches that fix the same values share what follows from them. A number stands
    /// for the daemons that run there and the type, by which callers keep what they find out about
    /// room.
    pub(super) fn find(
        &mut self,
        facts: &Facts<'a>,
        (at_pool, pool): (usize, &'a NodePool),
        (at_type, instance_type): (usize, &'a InstanceType),
        (at_offering, offering): (usize, &'a Offering),
        fixed_by: Option<&'a LaunchTemplate>,
    ) -> usize {
        let at = (at_pool, at_type, at_offering);
        let (unfixed, contradictions) = self
            .unfixed
            .entry(at)
            .or_insert_with(|| label::of_launch(facts, pool, instance_type, offering));
        let fixed =
            fixed_by.map_or_else(LaunchLabels::default, |template| unfixed.fixed_by(template));
        let key = (at, fixed);
        if let Some(id) = self.index.get(&key) {
            return *id;
        }
        let labels = unfixed.fixed(&key.1);
        let contradictions = contradictions.clone();
        let mut site = Site {
            labels,
            contradictions,
            daemons: Vec::new(),
            undecided: Vec::new(),
            daemon_requests: Amounts::new(),
            capacity: resource::rounded_down(&instance_type.capacity),
            volume_limits: &instance_type.volume_limits,
            allocatable: resource::allocatable(instance_type),
            room: 0,
            daemons_fit: true,
            verdicts: Vec::new(),
        };
        site.admit_daemons(&facts.problem.daemon_sets, pool);
        let daemons = site.daemons.iter().map(|(at, _)| *at).collect();
        let next = self.rooms.len();
        site.room = *self.rooms.entry((at_type, daemons)).or_insert(next);
        let id = self.list.len();
        self.list.push(site);
        let _none = self.index.insert(key, id);
        id
    }
}

impl<'a> Site<'a> {
    /// A daemon set of which it depends on an open label whether it runs makes the launch's
    /// requests unknown: the label is noted, and reported where the site is used.
    fn admit_daemons(&mut self, daemon_sets: &'a [Pod], pool: &'a NodePool) {
        for (at, daemon) in daemon_sets.iter().enumerate() {
            if taint::untolerated(daemon, pool.taints.iter()).is_some() {
                continue;
            }
            match PodNodeRules::of(daemon).runs(&self.labels) {
                Answer::Yes => {
                    self.daemons.push((at, daemon));
                    resource::add(&mut self.daemon_requests, daemon, 1);
                }
                Answer::Open(key) => self.undecided.push(key),
                Answer::No => {}
            }
        }
        self.daemons_fit =
            resource::lacking(&self.daemon_requests, &self.allocatable).next().is_none();
    }

    /// Whether pods with these requests fit beside the daemons.
    pub(super) fn fits(&self, requests: &Amounts<'_>) -> bool {
        self.daemons_fit
            && requests.iter().all(|(name, amount)| {
                let daemons = self.daemon_requests.get(name).copied().unwrap_or(0);
                let sum = amount.saturating_add(daemons);
                sum <= 0 || self.allocatable.get(name).is_some_and(|there| sum <= *there)
            })
    }

    /// Whether the rules of a group about labels and zones hold here.
    ///
    /// The answer is kept by the number of the rules, which many entries share.
    pub(super) fn admits(&mut self, facts: &Facts<'a>, group: &EntryPods<'a>) -> bool {
        let judge = |labels: &NodeLabels<'a>| PodNodeRules::of(group.pod).hold(labels);
        let Some(number) = facts.rules_of(group.entry) else { return judge(&self.labels) };
        if self.verdicts.len() <= number {
            self.verdicts.resize(number.saturating_add(1), None);
        }
        match self.verdicts.get_mut(number) {
            Some(verdict) => *verdict.get_or_insert_with(|| judge(&self.labels)),
            None => judge(&self.labels),
        }
    }
}

impl<'a> Site<'a> {
    /// The values of a label that count for `minValues`: the one it has, or the named ones that it
    /// can have.
    pub(super) fn values(&self, key: &str) -> Vec<&'a str> {
        if let Some(value) = self.labels.known.get(key) {
            return vec![value];
        }
        let conditions = self.labels.open.get(key).map_or(&[][..], |all| all);
        conditions
            .iter()
            .flat_map(|one| one.values)
            .map(|value| &**value)
            .filter(|value| all_hold(conditions, KnownLabel::Value(value)))
            .collect()
    }
}
