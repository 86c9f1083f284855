//! From packed groups to a plan: names for counts, launches for bin types.
//!
//! *Problem.* A packing counts; a plan names. Ten pods of a class are interchangeable, but the plan
//! must say which of them goes where, and the same problem must give the same names.
//!
//! *Idea.* Groups are sorted as their launches will be, and names are handed out class by class in
//! the order of the problem's entries. So the names on a launch depend on the packing alone. Pods
//! without a place get the last names of their class.
//!
//! *Cost.* Proportional to the number of pods, each of which is one string; the bound is worked out
//! beside it on another thread.

use super::assigned_packing::AssignedPacking;
use super::complete::reasons;
use super::launch_template::{self, LaunchOfGroup};
use super::packing::{Context, NodeGroup, Packing};
use super::preference;
use crate::bound::{BoundInput, Proved, prove};
use crate::compile::{ClassId, Compiled, Id, IdVec, ItemId, OfferId};
use crate::model::{self, Price, Warning};
use crate::parallel;
use crate::plan::{
    Binding, Certificate, Cost, Launch, LaunchPlan, LaunchTemplate, Proof, Unschedulable,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The nodes of a packing with the names of their pods.
struct NamedNodes<'c> {
    bindings: Vec<Binding>,
    launches: Vec<Launch>,
    /// For each group, the offer that is launched.
    chosen: Vec<Option<OfferId>>,
    /// The names that are left.
    names: IdVec<ClassId, PodNames<'c>>,
}

/// Makes the plan of a packing; with the bound that was proved of it already, where that is better
/// than the cheap one.
///
/// The cheap bound is always made; one that refinement proved takes its place where it is higher.
pub(crate) fn build_plan(
    whole: &Context<'_>,
    packed: &AssignedPacking,
    proved: Option<Proved>,
) -> LaunchPlan {
    let context = &Context { compiled: packed.compiled(whole.compiled), ..*whole };
    let (compiled, packing) = (context.compiled, &packed.packing);
    let (named, cheap) =
        parallel::both(|| NamedNodes::of(context, packing), || bound(whole, compiled, packing));
    let NamedNodes { bindings, launches, chosen, mut names } = named;
    let proved = proved.filter(|proved| proved.bound > cheap.bound).unwrap_or(cheap);
    let (cost, certificate) = cost(whole, &launches, proved);
    LaunchPlan {
        bindings,
        unschedulable: unschedulable(whole, packed, &mut names),
        cost,
        warnings: warnings(whole.compiled),
        stats: stats(context, packing, &chosen, &launches),
        launches,
        certificate,
        termination: None,
    }
}

/// What the problem says that is hardly meant; pods are looked at by class.
fn warnings(compiled: &Compiled) -> Vec<Warning> {
    let classes = compiled.classes.ids().filter_map(|class| {
        let count = compiled.items[ItemId::from_index(class.index())].count;
        Some((compiled.exemplar(class)?, count))
    });
    model::warnings(
        &compiled.parts,
        &compiled.label_keys,
        compiled.standing.iter().copied(),
        classes,
    )
}

impl<'c> NamedNodes<'c> {
    /// Running nodes come first, in the order of the groups; launches after them, sorted by what
    /// they are and hold.
    fn of(context: &Context<'c>, packing: &Packing) -> Self {
        let compiled = context.compiled;
        let mut names: IdVec<ClassId, PodNames<'_>> =
            compiled.classes.ids().map(|class| PodNames::of(compiled, class)).collect();
        let mut bindings = Vec::new();
        let mut launched: Vec<(LaunchOfGroup, &NodeGroup)> = Vec::new();
        let mut chosen: Vec<Option<OfferId>> = Vec::with_capacity(packing.groups.len());
        for (group, specified) in
            packing.groups.iter().zip(launch_template::specify(context, packing))
        {
            chosen.push(specified.as_ref().map(|launch| launch.chosen));
            launched.extend(specified.map(|launch| (launch, group)));
            if let Some(nodes) = group.place.running() {
                for node in nodes {
                    let node = &compiled.parts.node(compiled.nodes[*node].index).name;
                    let pods = take(compiled, &mut names, &group.items).into_iter();
                    bindings.extend(pods.map(|pod| Binding { pod, node: node.clone() }));
                }
            }
        }
        launched.sort_by(|(one, of_one), (other, of_other)| {
            order(&one.template)
                .cmp(&order(&other.template))
                .then_with(|| of_one.items.cmp(&of_other.items))
        });
        let mut launches = Vec::new();
        for (launch, group) in &launched {
            for _ in 0..group.multiplicity {
                let mut pods = take(compiled, &mut names, &group.items);
                pods.sort_unstable();
                let LaunchOfGroup { template, requests, .. } = launch;
                let (template, requests) = (template.clone(), requests.clone());
                launches.push(Launch { template, pods, requests });
            }
        }
        launches.sort_by(|one, other| {
            order(&one.template)
                .cmp(&order(&other.template))
                .then_with(|| one.pods.first().cmp(&other.pods.first()))
        });
        bindings.sort_unstable();
        Self { bindings, launches, chosen, names }
    }
}

/// The order that a plan's documentation promises, first pods aside.
fn order(template: &LaunchTemplate) -> impl Ord + '_ {
    let choice = &template.offering;
    (
        &template.node_pool,
        &choice.instance_type,
        &choice.zone,
        choice.capacity_type,
        &choice.reservation,
        choice.price,
    )
}

/// The names of the pods that a node holds.
fn take(
    compiled: &Compiled,
    names: &mut IdVec<ClassId, PodNames<'_>>,
    items: &[(ItemId, u32)],
) -> Vec<Arc<str>> {
    let mut pods = Vec::new();
    for (item, count) in items {
        for (class, each) in &compiled.items[*item].parts {
            pods.extend(names[*class].take(each * count));
        }
    }
    pods
}

/// Hands out the names of a class's pods, in order.
///
/// Entries of replicas are numbered from 0, entries of one pod keep their name; no name is handed
/// out twice, as the iterator only goes forward.
struct PodNames<'c> {
    compiled: &'c Compiled,
    entries: &'c [u32],
    next_replica: u32,
    /// What certificates call the entries of which some pod has been named.
    named: Vec<Arc<str>>,
}

impl<'c> PodNames<'c> {
    fn of(compiled: &'c Compiled, class: ClassId) -> Self {
        let entries = &compiled.classes[class].entries;
        Self { compiled, entries, next_replica: 0, named: Vec::with_capacity(entries.len()) }
    }

    fn take(&mut self, count: u32) -> Vec<Arc<str>> {
        let mut names = Vec::with_capacity(count as usize);
        while names.len() < count as usize {
            let [entry, others @ ..] = self.entries else { break };
            let pod = self.compiled.parts.pod(*entry as usize);
            let mut name = String::with_capacity(pod.namespace.len() + pod.name.len() + 8);
            name.push_str(&pod.namespace);
            name.push('/');
            name.push_str(&pod.name);
            if pod.replicas > 1 {
                if self.next_replica == 0 {
                    self.named.push(pod.entry_name());
                }
                name.push('-');
                name.push_str(&self.next_replica.to_string());
                names.push(name.into());
            } else {
                let name: Arc<str> = name.into();
                self.named.push(name.clone());
                names.push(name);
            }
            self.next_replica += 1;
            if self.next_replica >= pod.replicas {
                self.entries = others;
                self.next_replica = 0;
            }
        }
        names
    }
}

fn unschedulable(
    whole: &Context<'_>,
    packed: &AssignedPacking,
    names: &mut IdVec<ClassId, PodNames<'_>>,
) -> Vec<Unschedulable> {
    let mut out = Vec::new();
    let left = packed.left(whole.compiled);
    for (class, reasons) in reasons(whole, packed) {
        let pods = names[class].take(left[class]).into_iter();
        out.extend(pods.map(|pod| Unschedulable { pod, reasons: reasons.clone() }));
    }
    out.sort_by(|one, other| one.pod.cmp(&other.pod));
    out
}

/// The least that launches for the pods of a packing could cost, proved cheaply.
///
/// The bound is that of the classes as they are: wherever an assignment puts them is one of their
/// places.
fn bound(whole: &Context<'_>, packed: &Compiled, packing: &Packing) -> Proved {
    let compiled = whole.listed;
    let placed = packing.groups.iter().flat_map(|group| &group.items);
    let placeholders = placed.filter(|(item, _)| packed.items[*item].placeholder);
    let placeholders: BTreeSet<ItemId> = placeholders.map(|(item, _)| *item).collect();
    let mut counts: BTreeMap<(ClassId, Option<i32>), u32> = BTreeMap::new();
    for group in &packing.groups {
        let weight = group.bin_type(packed).map(|bin_type| bin_type.weight);
        for (item, count) in group.items.iter().filter(|(item, _)| !placeholders.contains(item)) {
            for (class, each) in &packed.items[*item].parts {
                *counts.entry((*class, weight)).or_insert(0) += each * count * group.multiplicity;
            }
        }
    }
    if packing.launches_nothing() {
        return Proved::default();
    }
    // Names are handed out in order, so these are the entries of which the plan places any pod.
    let mut entries = |class: ClassId| {
        let placed = counts.range((class, None)..=(class, Some(i32::MAX))).map(|(_, count)| count);
        let mut names = PodNames::of(compiled, class);
        let _pods = names.take(placed.sum());
        names.named
    };
    prove(
        compiled,
        &BoundInput {
            counts: &counts,
            static_nodes: &packing.static_nodes(packed),
            fee: whole.fee,
        },
        &mut entries,
    )
}

/// What the launches cost, and what is proved of the least that launches for the same pods could.
///
/// A plan whose bound exceeds its total can't be: the bound is cut at the total, and is then a
/// proof that nothing is cheaper.
fn cost(
    context: &Context<'_>,
    launches: &[Launch],
    proved: Proved,
) -> (Cost, Option<Arc<Certificate>>) {
    let prices: i128 = launches.iter().map(|launch| launch.template.offering.price.nanos()).sum();
    let nodes = i128::try_from(launches.len()).unwrap_or(i128::MAX);
    let fees = i128::from(context.fee).saturating_mul(nodes);
    let total = prices.saturating_add(fees);
    let Proved { bound, certificate } = proved;
    let bound = bound.min(total);
    let proof = match bound {
        _ if bound == total => Proof::Optimal,
        0 => Proof::None,
        _ => Proof::Within,
    };
    let cost = Cost {
        total: Price::from_nanos(total),
        fees: Price::from_nanos(fees),
        lower_bound: Price::from_nanos(bound),
        proof,
    };
    (cost, certificate.map(Arc::new))
}

fn stats(
    context: &Context<'_>,
    packing: &Packing,
    chosen: &[Option<OfferId>],
    launches: &[Launch],
) -> BTreeMap<Arc<str>, u64> {
    let compiled = context.compiled;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut stats: BTreeMap<Arc<str>, u64> = [
        ("pods", compiled.pending()),
        ("podClasses", compiled.classes.len()),
        ("items", compiled.items.len()),
        ("eligibilitySets", compiled.eligible.len()),
        ("offers", compiled.offers.len()),
        ("binTypes", compiled.bin_types.len()),
        ("nodeGroups", packing.groups.len()),
        ("launches", launches.len()),
    ]
    .into_iter()
    .map(|(name, number)| (name.into(), count(number)))
    .collect();
    if context.with_preferences {
        let placed_groups = preference::placed_groups(compiled, &packing.groups, |at| chosen[at]);
        for share in preference::shares(compiled, &placed_groups) {
            let (weight, honoured) = share.kind.stat_names();
            let _none = stats.insert(weight.into(), share.weight);
            let _none = stats.insert(honoured.into(), share.honoured);
        }
    }
    stats
}
