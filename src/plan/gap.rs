//! Where a gap comes from: what launches cost beyond what the proof says that their pods are worth.
//!
//! A certificate gives each pod a value such that no node is worth more than it costs. The total
//! less the sum of these values is the gap, but for what the proof grants limits, reservations and
//! room on running nodes. So a launch that costs more than its pods' values is a part of the gap,
//! and its pods are those for which nothing better was found, or for which more can't be proved.
//!
//! *Why these parts.* Let launch `l` cost `c_l` and hold `n_lj` pods of kind `j`, each worth `v_j`.
//! The certificate says that `Σ_j n_lj v_j ≤ c_l` but for what it charges for limits and
//! reservations; so `c_l − Σ_j n_lj v_j` is never below that charge's negative, and the sum over
//! launches is total minus value: the gap, up to what the proof grants. Pods of a launch share its
//! excess by their worth, so a kind that fills its nodes well has little of it.
//!
//! *Cost.* One pass over the launches and their pods, with a search by name for each pod.

use super::LaunchPlan;
use super::certificate::{Certificate, POINT};
use super::table::{counted, money};
use crate::model::{Price, Problem};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where the gap of a plan comes from; see [`LaunchPlan::gap_sources`].
///
/// `Display` writes at most two lines: the types and the pods with most of it.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
/// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
/// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
/// # let large = InstanceType::new("m7.large", room).with_offering(price);
/// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
/// # let pool = NodePool::new("default");
/// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
/// # let problem = problem.node_pool(pool).build()?;
/// # let plan = plimsoll::provision(&problem, &Options::default())?;
/// // Here total and bound are equal, and there is nothing to explain.
/// let gap = plan.cost().gap_millionths();
/// assert_eq!(plan.gap_sources(&problem).is_some(), gap > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GapSources {
    /// What launches cost per hour beyond what their pods are worth, by node pool and instance
    /// type, the most first.
    pub launches: Vec<LaunchExcess>,
    /// The same by the pods that are on them, the most first.
    pub pods: Vec<PodExcess>,
}

/// What launches of one kind cost beyond what their pods are worth.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LaunchExcess {
    /// The node pool.
    pub node_pool: Arc<str>,
    /// The instance type.
    pub instance_type: Arc<str>,
    /// How many nodes are launched.
    pub nodes: usize,
    /// How much more they cost per hour, fees included, than the lower bound counts for their pods.
    pub excess: Price,
}

/// The part of the excess of launches that pods of one kind have.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PodExcess {
    /// The first of the problem's entries that they are of, "namespace/name" of a single pod,
    /// "namespace/name-*" of replicas; others that no rule tells apart are meant as well.
    pub entry: Arc<str>,
    /// How many pods.
    pub pods: usize,
    /// Their part of the excess per hour: nodes' are shared by what their pods are worth.
    pub excess: Price,
}

/// How many kinds `Display` names.
const NAMED: usize = 3;

/// Pods that are launched on pools of one weight and share a value.
///
/// A certificate may list pods of one entry several times, by the preferences that they honour:
/// these are one kind here, with the average of their values.
#[derive(Clone, Debug, Default)]
struct ValuedPods {
    entry: Arc<str>,
    pods: i128,
    /// What they are worth together, in parts of 2^-[`POINT`] billionths.
    worth: i128,
    excess: i128,
}

/// Of which kind an entry's pods are on pools of a weight.
type ValueNumbers = BTreeMap<(Arc<str>, i32), usize>;

impl LaunchPlan {
    /// Where the gap between total and lower bound comes from, for a plan of this problem that has
    /// a certificate and a gap.
    ///
    /// The parts of launches add up to the gap, plus what the proof grants limits, reservations and
    /// running nodes, less what trying everything proved beyond it.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
    ///
    /// let capacity = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// let xlarge = InstanceType::new("m7.xlarge", capacity)
    ///     .with_offering(Offering::on_demand("eu-1a", "0.2".parse()?));
    /// let web = Pod::new("web").with_replicas(7).with_requests(Resources::parse([("cpu", "1500m")])?);
    /// let pool = NodePool::new("default");
    /// let problem = Problem::builder().pod(web).instance_type(xlarge).node_pool(pool).build()?;
    /// let plan = provision(&problem, &Options::default())?;
    /// if let Some(sources) = plan.gap_sources(&problem) {
    ///     assert_eq!(&*sources.launches[0].instance_type, "m7.xlarge");
    ///     assert_eq!(&*sources.pods[0].entry, "default/web-*");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn gap_sources(&self, problem: &Problem) -> Option<GapSources> {
        let certificate = self.certificate()?;
        if self.cost.total <= self.cost.lower_bound {
            return None;
        }
        let entries = Entries::of(problem);
        let (mut valued, numbers) = valued_pods(certificate);
        let weight = |pool: &str| problem.node_pool(pool).map(|pool| pool.weight());
        // How many pods of each value are launched.
        let number_of = |pod: &Arc<str>, pool: &str| {
            let entry = entries.entry(pod)?;
            numbers.get(&(entry, weight(pool)?)).copied()
        };
        for launch in &self.launches {
            let pool = &launch.template.node_pool;
            for number in launch.pods.iter().filter_map(|pod| number_of(pod, pool)) {
                valued[number].pods += 1;
            }
        }
        let fee = certificate.node_fee.nanos();
        let mut by_type: BTreeMap<(Arc<str>, Arc<str>), (usize, i128)> = BTreeMap::new();
        for launch in &self.launches {
            let template = &launch.template;
            let mut held: BTreeMap<usize, i128> = BTreeMap::new();
            for pod in &launch.pods {
                if let Some(number) = number_of(pod, &template.node_pool) {
                    *held.entry(number).or_insert(0) += 1;
                }
            }
            let worth = |(number, count): (&usize, &i128)| {
                let of = &valued[*number];
                of.worth.saturating_mul(*count) / of.pods.max(1)
            };
            let worths: Vec<i128> = held.iter().map(worth).collect();
            let sum: i128 = worths.iter().fold(0, |sum, worth| sum.saturating_add(*worth));
            let cost = template.offering.price.nanos().saturating_add(fee);
            let excess = cost.saturating_mul(1 << POINT).saturating_sub(sum);
            let kind = (template.node_pool.clone(), template.offering.instance_type.clone());
            let (nodes, total) = by_type.entry(kind).or_default();
            (*nodes, *total) = (*nodes + 1, total.saturating_add(excess));
            // By worth; of pods worth nothing by their number.
            let pods: i128 = held.values().sum();
            for ((number, count), worth) in held.iter().zip(worths) {
                let part = match sum {
                    0 => excess / pods.max(1) * count,
                    _ => scaled(excess, worth, sum),
                };
                let kind = &mut valued[*number];
                kind.excess = kind.excess.saturating_add(part);
            }
        }
        let launches = by_type.into_iter().map(|((node_pool, instance_type), (nodes, excess))| {
            LaunchExcess { node_pool, instance_type, nodes, excess: price(excess) }
        });
        let mut launches: Vec<LaunchExcess> = launches.collect();
        launches.sort_by_key(|kind| Reverse(kind.excess));
        let pods = valued.into_iter().filter(|kind| kind.pods > 0).map(|kind| PodExcess {
            entry: kind.entry,
            pods: usize::try_from(kind.pods).unwrap_or(usize::MAX),
            excess: price(kind.excess),
        });
        let mut pods: Vec<PodExcess> = pods.collect();
        pods.sort_by_key(|kind| Reverse(kind.excess));
        Some(GapSources { launches, pods })
    }
}

/// `amount × part ÷ whole` of a whole above 0, as exactly as its product can be written down.
///
/// Where the product doesn't fit both terms of the ratio are halved until it does: a figure to be
/// shown may lose its last digits, and no sum overflows.
fn scaled(amount: i128, mut part: i128, mut whole: i128) -> i128 {
    loop {
        match amount.checked_mul(part) {
            Some(product) => return product / whole.max(1),
            None => (part, whole) = (part >> 1, whole >> 1),
        }
    }
}

/// Parts of 2^-[`POINT`] billionths, to the nearest billionth.
fn price(parts: i128) -> Price {
    Price::from_nanos(parts.saturating_add(1 << (POINT - 1)) >> POINT)
}

/// The kinds of pods of a certificate that launches have, and which of them an entry is of on pools
/// of which weight.
///
/// Kinds without a weight are those on running nodes: they cost nothing here, and are left out.
/// Where two kinds name the same entry the first has it.
fn valued_pods(certificate: &Certificate) -> (Vec<ValuedPods>, ValueNumbers) {
    let mut valued: Vec<ValuedPods> = Vec::new();
    let mut numbers = ValueNumbers::new();
    for pods in &certificate.pods {
        // Those for which running nodes have no room are counted again by what they are.
        let (Some(weight), Some(first)) = (pods.weight, pods.entries.first()) else { continue };
        let next = valued.len();
        let number = *numbers.entry((first.clone(), weight)).or_insert(next);
        if number == next {
            valued.push(ValuedPods { entry: first.clone(), ..ValuedPods::default() });
        }
        for entry in pods.entries.iter().skip(1) {
            let _former = numbers.entry((entry.clone(), weight)).or_insert(number);
        }
        let worth = pods.value.saturating_mul(pods.count.into());
        valued[number].worth = valued[number].worth.saturating_add(worth);
    }
    (valued, numbers)
}

/// The entries of a problem, by the names of their pods.
///
/// Entries are sorted by namespace, name and whether they are sets of replicas, so a name is found
/// by two searches: as it is, then without the number at its end.
struct Entries<'a> {
    problem: &'a Problem,
}

impl<'a> Entries<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self { problem }
    }

    /// What a certificate calls the entry of a pod.
    fn entry(&self, pod: &str) -> Option<Arc<str>> {
        let (namespace, name) = pod.split_once('/')?;
        let find = |name: &str, is_set: bool| {
            let key = (namespace, name, is_set);
            let pods = self.problem.pods();
            let key_of =
                |pod: &crate::Pod| (&*pod.namespace, &*pod.name, pod.replicas > 1).cmp(&key);
            pods.binary_search_by(key_of).ok().and_then(|at| pods.get(at))
        };
        let single = find(name, false);
        let set = || find(name.rsplit_once('-')?.0, true);
        single.or_else(set).map(|pod| pod.entry_name())
    }
}

impl fmt::Display for GapSources {
    /// Where most of the gap is: the instance types, and the pods on them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = |excess: Price| excess > Price::ZERO;
        f.write_str("most of the gap is on ")?;
        let launches = self.launches.iter().filter(|kind| some(kind.excess)).take(NAMED);
        for (at, kind) in launches.enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let LaunchExcess { nodes, instance_type, excess, .. } = kind;
            write!(f, "{comma}{nodes} x {instance_type} ({})", money(*excess))?;
        }
        let pods = self.pods.iter().filter(|kind| some(kind.excess)).take(NAMED);
        for (at, kind) in pods.enumerate() {
            let comma = if at == 0 { "\n  of these for " } else { ", " };
            let pods = counted(kind.pods, "pod");
            write!(f, "{comma}{} ({pods}, {})", kind.entry, money(kind.excess))?;
        }
        Ok(())
    }
}
