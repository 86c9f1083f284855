//! From packed groups to a plan: names for counts, launches for columns.

use super::choose::Packed;
use super::complete::reasons;
use super::honour;
use super::specify;
use super::state::{Context, Group, Place, State};
use crate::bound::{Claim, Proved, prove};
use crate::compile::{ClassId, Column, Compiled, Id, IdVec, KindId, OfferId, PoolId};
use crate::model::{self, Price, Warning};
use crate::parallel;
use crate::plan::{
    Binding, Certificate, Cost, Launch, LaunchPlan, LaunchSpec, Proof, Unschedulable,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The nodes of a packing with the names of their pods.
struct Named<'c> {
    bindings: Vec<Binding>,
    launches: Vec<Launch>,
    /// For each group, the offer that is launched.
    chosen: Vec<Option<OfferId>>,
    /// The names that are left.
    names: IdVec<KindId, Names<'c>>,
}

/// Makes the plan of a packing; with the bound that was proved of it already, where that is better than
/// the cheap one.
pub(crate) fn assemble(whole: &Context<'_>, packed: &Packed, proved: Option<Proved>) -> LaunchPlan {
    let context = &Context { compiled: packed.compiled(whole.compiled), ..*whole };
    let (compiled, state) = (context.compiled, &packed.state);
    let (named, cheap) =
        parallel::both(|| Named::of(context, state), || bound(whole, compiled, state));
    let Named { bindings, launches, chosen, mut names } = named;
    let proved = proved.filter(|proved| proved.bound > cheap.bound).unwrap_or(cheap);
    let (cost, certificate) = cost(whole, &launches, proved);
    LaunchPlan {
        bindings,
        unschedulable: unschedulable(whole, packed, &mut names),
        cost,
        warnings: warnings(whole.compiled),
        stats: stats(context, state, &chosen, &launches),
        launches,
        certificate,
        ended: None,
    }
}

/// What the problem says that is hardly meant; pods are looked at by kind.
fn warnings(compiled: &Compiled) -> Vec<Warning> {
    let kinds = compiled.kinds.ids().filter_map(|kind| {
        let count = compiled.classes[ClassId::from_index(kind.index())].count;
        Some((compiled.exemplar(kind)?, count))
    });
    model::warnings(&compiled.parts, &compiled.label_keys, compiled.standing.iter().copied(), kinds)
}

impl<'c> Named<'c> {
    fn of(context: &Context<'c>, state: &State) -> Self {
        let compiled = context.compiled;
        let mut names: IdVec<KindId, Names<'_>> =
            compiled.kinds.ids().map(|kind| Names::of(compiled, kind)).collect();
        let mut bindings = Vec::new();
        let mut launched: Vec<(Arc<LaunchSpec>, &Group)> = Vec::new();
        let mut chosen: Vec<Option<OfferId>> = Vec::with_capacity(state.groups.len());
        for (group, specified) in state.groups.iter().zip(specify::specify(context, state)) {
            chosen.push(specified.as_ref().map(|(choice, _)| *choice));
            launched.extend(specified.map(|(_, spec)| (spec, group)));
            if let Place::Running(nodes) = &group.place {
                for node in nodes {
                    let node = &compiled.parts.node(compiled.nodes[*node].index).name;
                    let pods = take(compiled, &mut names, &group.items).into_iter();
                    bindings.extend(pods.map(|pod| Binding { pod, node: node.clone() }));
                }
            }
        }
        launched.sort_by(|(one, of_one), (other, of_other)| {
            order(one).cmp(&order(other)).then_with(|| of_one.items.cmp(&of_other.items))
        });
        let mut launches = Vec::new();
        for (spec, group) in &launched {
            for _ in 0..group.times {
                let mut pods = take(compiled, &mut names, &group.items);
                pods.sort_unstable();
                launches.push(Launch { spec: spec.clone(), pods });
            }
        }
        launches.sort_by(|one, other| {
            order(&one.spec)
                .cmp(&order(&other.spec))
                .then_with(|| one.pods.first().cmp(&other.pods.first()))
        });
        bindings.sort_unstable();
        Self { bindings, launches, chosen, names }
    }
}

fn order(spec: &LaunchSpec) -> impl Ord + '_ {
    let choice = &spec.offering;
    (
        &spec.node_pool,
        &choice.instance_type,
        &choice.zone,
        &choice.capacity_type,
        &choice.reservation,
        choice.price,
    )
}

/// The names of the pods that a node holds.
fn take(
    compiled: &Compiled,
    names: &mut IdVec<KindId, Names<'_>>,
    items: &[(ClassId, u32)],
) -> Vec<Arc<str>> {
    let mut pods = Vec::new();
    for (class, count) in items {
        for (kind, each) in &compiled.classes[*class].parts {
            pods.extend(names[*kind].take(each * count));
        }
    }
    pods
}

/// Hands out the names of a kind's pods, in order.
struct Names<'c> {
    compiled: &'c Compiled,
    entries: &'c [u32],
    next_replica: u32,
    /// The names of entries of which some pod has been named.
    named: Vec<Arc<str>>,
}

impl<'c> Names<'c> {
    fn of(compiled: &'c Compiled, kind: KindId) -> Self {
        let entries = &compiled.kinds[kind].entries;
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
                    self.named.push(name.as_str().into());
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
    packed: &Packed,
    names: &mut IdVec<KindId, Names<'_>>,
) -> Vec<Unschedulable> {
    let mut out = Vec::new();
    let left = packed.left(whole.compiled);
    for (kind, reasons) in reasons(whole, packed) {
        let pods = names[kind].take(left[kind]).into_iter();
        out.extend(pods.map(|pod| Unschedulable { pod, reasons: reasons.clone() }));
    }
    out.sort_by(|one, other| one.pod.cmp(&other.pod));
    out
}

/// The least that launches for the pods of a packing could cost, proved cheaply.
///
/// The bound is that of the kinds as they are: wherever an arrangement puts them is one of their places.
fn bound(whole: &Context<'_>, packed: &Compiled, state: &State) -> Proved {
    let compiled = whole.listed;
    let placed = state.groups.iter().flat_map(|group| &group.items);
    let guests = placed.filter(|(class, _)| packed.classes[*class].guest);
    let guests: BTreeSet<ClassId> = guests.map(|(class, _)| *class).collect();
    let mut counts: BTreeMap<(KindId, Option<i32>), u32> = BTreeMap::new();
    let mut fixed: BTreeMap<PoolId, u32> = BTreeMap::new();
    let mut launched = false;
    for group in &state.groups {
        let weight = match group.place {
            Place::Launch(column) => {
                let Column { pool, weight, .. } = packed.columns[column];
                if packed.pools[pool].fixed.is_some() {
                    *fixed.entry(pool).or_insert(0) += group.times;
                }
                launched |= group.times > 0;
                Some(weight)
            }
            Place::Running(_) => None,
        };
        for (class, count) in group.items.iter().filter(|(class, _)| !guests.contains(class)) {
            for (kind, each) in &packed.classes[*class].parts {
                *counts.entry((*kind, weight)).or_insert(0) += each * count * group.times;
            }
        }
    }
    if !launched {
        return Proved::default();
    }
    // Names are handed out in order, so these are the entries of which the plan places any pod.
    let mut entries = |kind: KindId| {
        let placed = counts.range((kind, None)..=(kind, Some(i32::MAX))).map(|(_, count)| count);
        let mut names = Names::of(compiled, kind);
        let _pods = names.take(placed.sum());
        names.named
    };
    prove(compiled, &Claim { counts: &counts, fixed: &fixed, fee: whole.fee }, &mut entries)
}

/// What the launches cost, and what is proved of the least that launches for the same pods could.
fn cost(
    context: &Context<'_>,
    launches: &[Launch],
    proved: Proved,
) -> (Cost, Option<Arc<Certificate>>) {
    let prices: i128 = launches.iter().map(|launch| launch.spec.offering.price.nanos()).sum();
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
    state: &State,
    chosen: &[Option<OfferId>],
    launches: &[Launch],
) -> BTreeMap<Arc<str>, u64> {
    let compiled = context.compiled;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut stats: BTreeMap<Arc<str>, u64> = [
        ("pods", compiled.pending()),
        ("kinds", compiled.kinds.len()),
        ("classes", compiled.classes.len()),
        ("rows", compiled.rows.len()),
        ("offers", compiled.offers.len()),
        ("columns", compiled.columns.len()),
        ("groups", state.groups.len()),
        ("nodes", launches.len()),
    ]
    .into_iter()
    .map(|(name, number)| (name.into(), count(number)))
    .collect();
    if context.wishful {
        let spots = honour::spots(compiled, &state.groups, |at| chosen[at]);
        for share in honour::shares(compiled, &spots) {
            let (weight, honoured) = share.kind.stat_names();
            let _none = stats.insert(weight.into(), share.weight);
            let _none = stats.insert(honoured.into(), share.honoured);
        }
    }
    stats
}
