//! A finished plan as a placement: names back to classes and offers, to be asked about.
//!
//! *Problem.* Questions about a finished plan (why is this pod out, what if that launch were of
//! another type) come with the plan as its owner sees it: names of pods, labels of launches. The
//! code that knows the rules works on classes, offers and sites.
//!
//! *Idea.* Pods are found by name: classes keep the entries they were made of. An offer is found by
//! pool, type, zone, capacity type, price and reservation, and where labels that a launch may
//! choose make several of it, by the labels that the launch says. Launches of one offer with equal
//! pods, and nodes that hold equal pods, become one group each, so that what follows costs by what
//! differs.
//!
//! *Cost.* A look-up for each pod, and one pass over the offers of a pool for each template.

use super::super::packing::Context;
use super::placement::Placement;
use super::rules::PlacementRules;
use crate::compile::{ClassId, Compiled, NodeId, OfferId};
use crate::plan::{LaunchPlan, LaunchTemplate};
use std::collections::BTreeMap;

/// What stands for a value of a label that a launch may choose and nobody has written.
///
/// Such a value starts with it, since no label of Kubernetes can.
const UNNAMED: char = '\0';

/// The classes of a problem's pods, by name.
#[derive(Debug)]
pub(crate) struct ClassNames<'c> {
    /// By namespace, name, and whether it is a set of replicas.
    ///
    /// The flag tells a single pod from a set of replicas whose names would otherwise be taken for
    /// each other: a pod "web-1" is not the replica 1 of "web".
    classes: BTreeMap<(&'c str, &'c str, bool), ClassId>,
}

impl<'c> ClassNames<'c> {
    /// Reads each entry of each class once. Entries that were merged into one class all lead to it.
    pub(crate) fn of(compiled: &'c Compiled) -> Self {
        let mut classes = BTreeMap::new();
        for (id, class) in compiled.classes.iter() {
            for entry in &class.entries {
                let pod = compiled.parts.pod(*entry as usize);
                let _none = classes.insert((&*pod.namespace, &*pod.name, pod.replicas > 1), id);
            }
        }
        Self { classes }
    }

    /// The class of a pod that a plan calls "namespace/name"; a replica has a number at the end.
    ///
    /// The exact name of a single pod comes first: only where there is none is the number cut off
    /// and an entry with several replicas looked for. The number itself isn't checked, as replicas
    /// are alike.
    pub(crate) fn class(&self, pod: &str) -> Option<ClassId> {
        let (namespace, name) = pod.split_once('/')?;
        let single = self.classes.get(&(namespace, name, false));
        let replica = || self.classes.get(&(namespace, name.rsplit_once('-')?.0, true));
        single.or_else(replica).copied()
    }

    /// How many of these pods are of which class, sorted; `None` where one isn't of the problem.
    ///
    /// The order by class makes equal multisets of pods equal keys, whatever the order of their
    /// names.
    pub(crate) fn counted<'p>(
        &self,
        pods: impl IntoIterator<Item = &'p str>,
    ) -> Option<Vec<(ClassId, u32)>> {
        let mut counts: BTreeMap<ClassId, u32> = BTreeMap::new();
        for pod in pods {
            *counts.entry(self.class(pod)?).or_insert(0) += 1;
        }
        Some(counts.into_iter().collect())
    }
}

/// The offer that launches of a template take; `None` where the problem has none such.
///
/// Offers that are sold alike differ in labels that the launch may choose. One that contradicts a
/// label of the template is out; of the others the one is taken that says least beyond the
/// template, and the first of those, so that the same plan always gives the same offers.
pub(crate) fn offer_of(compiled: &Compiled, template: &LaunchTemplate) -> Option<OfferId> {
    let pool = compiled
        .pools
        .iter()
        .find(|(_, pool)| compiled.parts.node_pool(pool.index).name == template.node_pool);
    let choice = &template.offering;
    let instance =
        compiled.parts.instance_types().position(|one| one.name == choice.instance_type)?;
    let offers = compiled.offers_of(pool?.0, instance);
    let sold: Vec<OfferId> = offers
        .filter(|id| {
            let offering =
                &compiled.parts.instance_type(instance).offerings[compiled.offers[*id].offering];
            let reservation = offering.reservation.as_ref().map(|one| &one.id);
            offering.zone == choice.zone
                && offering.capacity_type == choice.capacity_type
                && offering.price == choice.price
                && reservation == choice.reservation.as_ref()
        })
        .collect();
    // A label that no pod asks for stays open in the launch, whatever its offer says of it.
    let unsaid = |id: &OfferId| -> Option<usize> {
        let mut unsaid = 0;
        for (key, value) in compiled.offers[*id].fixed_labels.iter() {
            match (template.labels.get(key), value) {
                (label, value) if label == value.as_ref() => {}
                (None, Some(_)) => unsaid += 1,
                (Some(_), Some(value)) if value.starts_with(UNNAMED) => unsaid += 1,
                _ => return None,
            }
        }
        Some(unsaid)
    };
    let agreeing = sold.into_iter().filter_map(|id| Some((unsaid(&id)?, id)));
    agreeing.min().map(|(_, id)| id)
}

impl<'c> Placement<'c> {
    /// A plan as it stands; `None` where it names what isn't in the problem.
    ///
    /// Templates are shared between launches, so each is looked up once, by its address. Every
    /// running node stands, whether anything is bound to it by the plan or not: domains that only
    /// an empty node opens count too. What the plan leaves out waits, by class.
    pub(super) fn of_plan(
        context: &'c Context<'c>,
        rules: &'c PlacementRules,
        plan: &LaunchPlan,
        names: &ClassNames<'_>,
    ) -> Option<Self> {
        let compiled = context.compiled;
        let mut left: crate::compile::IdVec<ClassId, u32> =
            compiled.classes.iter().map(|_| 0).collect();
        for out in &plan.unschedulable {
            left[names.class(&out.pod)?] += 1;
        }
        let mut placement = Self::bare(context, rules, left);
        let mut offers: BTreeMap<*const LaunchTemplate, OfferId> = BTreeMap::new();
        let mut launches: BTreeMap<(OfferId, Vec<(ClassId, u32)>), u32> = BTreeMap::new();
        for launch in &plan.launches {
            let key = std::sync::Arc::as_ptr(&launch.template);
            let offer = match offers.get(&key) {
                Some(known) => *known,
                None => offer_of(compiled, &launch.template)?,
            };
            let _same = offers.insert(key, offer);
            let pods = names.counted(launch.pods.iter().map(|pod| &**pod))?;
            *launches.entry((offer, pods)).or_insert(0) += 1;
        }
        for ((offer, pods), count) in launches {
            placement.launch(offer, count);
            placement.hold(placement.groups.len() - 1, &pods);
        }
        let nodes: BTreeMap<&str, NodeId> = compiled
            .nodes
            .iter()
            .map(|(id, node)| (&*compiled.parts.node(node.index).name, id))
            .collect();
        let mut bound: BTreeMap<NodeId, Vec<&str>> =
            nodes.values().map(|id| (*id, Vec::new())).collect();
        for binding in &plan.bindings {
            let node = nodes.get(&*binding.node)?;
            bound.entry(*node).or_default().push(&binding.pod);
        }
        let mut alike: BTreeMap<Vec<(ClassId, u32)>, Vec<NodeId>> = BTreeMap::new();
        for (node, pods) in bound {
            alike.entry(names.counted(pods)?).or_default().push(node);
        }
        for (pods, nodes) in alike {
            placement.stand_up(&nodes, &pods);
        }
        Some(placement)
    }
}
