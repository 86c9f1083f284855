//! The seeded workload generator: deployments as a busy web company has them.
//!
//! A class is one deployment. Its cpu request comes from the round figures that people write, its
//! memory from a ratio to the cpu, and its replica count from Zipf's law: the class of rank k has
//! 1/k of the pods of the largest. No two classes ask for the same cpu and memory (a drawn pair
//! that is taken already is moved a little, as a vertical autoscaler would), so that a solver finds
//! as many classes as were asked for. Rules are handed out in exact shares, at random among the
//! classes that qualify: a GPU or a one-pod-per-node class is never among the very largest.

use crate::SplitMix64;
use crate::catalog::ZONES;
use crate::pools::{DEDICATED, GPU, one_of};
use plimsoll::model::{
    Affinity, Effect, HostPort, LabelSelector, NodeSelectorTerm, PodAffinityTerm, Toleration,
    TopologySpreadConstraint, WhenUnsatisfiable, well_known,
};
use plimsoll::{Pod, Quantity, Resources};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What workload to generate; shares are percentages of the classes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkloadSpec {
    /// Another seed gives another workload of the same kind.
    pub seed: u64,
    /// Pods in all; at least `classes`.
    pub pods: u32,
    /// Classes of pods that no rule can tell apart.
    pub classes: u32,
    /// Classes that ask for 1, 2 or 4 GPUs each, and tolerate the GPU pool's taint.
    pub gpu: u32,
    /// Classes that select and tolerate the dedicated pool.
    pub dedicated: u32,
    /// Classes that select an architecture.
    pub arch: u32,
    /// Classes that require one zone, or either of two (as alternative terms).
    pub zone: u32,
    /// Classes that select on-demand or spot.
    pub capacity_type: u32,
    /// Classes of which a node may have one pod only (required anti-affinity by hostname).
    pub anti_affinity: u32,
    /// Classes that take a host port.
    pub host_port: u32,
    /// Classes that must spread evenly over zones.
    pub spread: u32,
    /// Classes that must be in one zone together.
    pub together: u32,
    /// Classes that would rather have spot nodes, and few of their own on each.
    pub wishes: u32,
    /// Whether every pod is an entry of its own, with its own name and a label `pod-hash` that no
    /// other pod has, in random order; otherwise a class is one entry with `replicas`.
    pub individual: bool,
}

impl WorkloadSpec {
    /// The usual mix of rules.
    #[must_use]
    pub const fn new(seed: u64, pods: u32, classes: u32) -> Self {
        Self {
            seed,
            pods,
            classes,
            gpu: 3,
            dedicated: 5,
            arch: 10,
            zone: 5,
            capacity_type: 8,
            anti_affinity: 10,
            host_port: 1,
            spread: 0,
            together: 0,
            wishes: 0,
            individual: false,
        }
    }

    /// Pods and their requests, without any rule.
    #[must_use]
    pub const fn plain(seed: u64, pods: u32, classes: u32) -> Self {
        Self {
            gpu: 0,
            dedicated: 0,
            arch: 0,
            zone: 0,
            capacity_type: 0,
            anti_affinity: 0,
            host_port: 0,
            ..Self::new(seed, pods, classes)
        }
    }

    /// The usual mix, where every pod is a class of its own.
    #[must_use]
    pub const fn every_pod_different(seed: u64, pods: u32) -> Self {
        Self::new(seed, pods, pods)
    }

    /// The same workload with rules between pods: a third of the classes spread over zones, some
    /// stay in one zone, and a fifth has preferences.
    #[must_use]
    pub const fn with_company(self) -> Self {
        Self { spread: 33, together: 3, wishes: 20, ..self }
    }

    /// The same workload, each pod an entry of its own.
    #[must_use]
    pub const fn individual(self) -> Self {
        Self { individual: true, ..self }
    }
}

/// Cpu requests in millicores and how common they are.
const MILLICPU: [(u64, u64); 17] = [
    (10, 30),
    (25, 30),
    (50, 80),
    (100, 200),
    (150, 40),
    (200, 100),
    (250, 120),
    (300, 40),
    (400, 30),
    (500, 130),
    (750, 30),
    (1000, 80),
    (1500, 20),
    (2000, 40),
    (4000, 20),
    (6000, 3),
    (8000, 4),
];
/// Memory per cpu in MiB per core and how common it is.
const MIB_PER_CPU: [(u64, u64); 6] =
    [(512, 10), (1024, 20), (2048, 30), (4096, 25), (8192, 12), (16384, 3)];

struct Class {
    millicpu: u64,
    mib: u64,
    replicas: u32,
    gpus: u64,
    dedicated: bool,
    arch: Option<&'static str>,
    zones: Vec<&'static str>,
    capacity_type: Option<&'static str>,
    anti_affinity: bool,
    host_port: Option<u16>,
    spread: bool,
    together: bool,
    wishes: bool,
}

/// The pods of a workload; the same for the same specification.
///
/// # Panics
/// With more classes than pods, or more than 100,000 classes (distinct requests run out).
#[must_use]
pub fn workload(spec: &WorkloadSpec) -> Vec<Pod> {
    assert!(spec.classes <= spec.pods, "a class has one pod at least");
    assert!(spec.classes <= 100_000, "requests must stay distinct");
    let mut random = SplitMix64::new(spec.seed);
    let classes = classes(spec, &mut random);
    let entries = classes.iter().enumerate().map(|(at, class)| class.entry(at));
    if !spec.individual {
        let with_replicas = entries.zip(&classes).map(|(pod, c)| pod.with_replicas(c.replicas));
        return with_replicas.collect();
    }
    let mut pods = Vec::with_capacity(spec.pods as usize);
    for (entry, class) in entries.zip(&classes) {
        for _ in 0..class.replicas {
            // SplitMix64 never repeats itself, so neither do names and labels.
            let hash: Arc<str> = format!("{:016x}", random.bits()).into();
            let name = format!("{}-{hash}", entry.name());
            pods.push(entry.clone().with_name(name).with_label("pod-hash", hash));
        }
    }
    random.shuffle(&mut pods);
    pods
}

fn classes(spec: &WorkloadSpec, random: &mut SplitMix64) -> Vec<Class> {
    let mut taken = BTreeSet::new();
    let mut classes: Vec<Class> = replicas(spec.pods, spec.classes)
        .into_iter()
        .map(|replicas| {
            let (millicpu, mib) = distinct_requests(random, &mut taken);
            Class {
                millicpu,
                mib,
                replicas,
                gpus: 0,
                dedicated: false,
                arch: None,
                zones: Vec::new(),
                capacity_type: None,
                anti_affinity: false,
                host_port: None,
                spread: false,
                together: false,
                wishes: false,
            }
        })
        .collect();
    random.shuffle(&mut classes);

    let few_gpus = (spec.pods / 1000).max(12);
    let few_nodes = (spec.pods / 500).max(30);
    // Which classes get a rule, and random bits to choose its operands by.
    let mut choose = |percent: u32, classes: &[Class], qualifies: &dyn Fn(&Class) -> bool| {
        let mut chosen: Vec<usize> =
            (0..classes.len()).filter(|&at| qualifies(&classes[at])).collect();
        random.shuffle(&mut chosen);
        chosen.truncate((classes.len() * percent as usize).div_ceil(100));
        chosen.into_iter().map(|at| (at, random.bits())).collect::<Vec<_>>()
    };
    for (at, bits) in choose(spec.gpu, &classes, &|c| c.replicas <= few_gpus) {
        classes[at].gpus = [1, 1, 1, 1, 1, 1, 1, 1, 2, 4][(bits % 10) as usize];
    }
    for (at, _) in choose(spec.dedicated, &classes, &|c| c.gpus == 0) {
        classes[at].dedicated = true;
    }
    for (at, bits) in choose(spec.arch, &classes, &|c| c.gpus == 0 && !c.dedicated) {
        classes[at].arch = Some(["amd64", "arm64"][(bits % 2) as usize]);
    }
    for (at, bits) in choose(spec.zone, &classes, &|_| true) {
        let first = (bits % 3) as usize;
        classes[at].zones.push(ZONES[first]);
        if bits & (1 << 40) != 0 {
            classes[at].zones.push(ZONES[(first + 1) % 3]);
        }
    }
    for (at, bits) in choose(spec.capacity_type, &classes, &|_| true) {
        classes[at].capacity_type = Some(["on-demand", "spot"][(bits % 2) as usize]);
    }
    let one_a_node = |c: &Class| c.gpus == 0 && c.replicas <= few_nodes;
    for (at, _) in choose(spec.anti_affinity, &classes, &one_a_node) {
        classes[at].anti_affinity = true;
    }
    for (at, bits) in choose(spec.host_port, &classes, &one_a_node) {
        classes[at].host_port = Some(8000 + (bits % 8) as u16);
    }
    // Without these rules the workload is what it was before there were any.
    if spec.spread > 0 {
        for (at, _) in choose(spec.spread, &classes, &|c| c.gpus == 0 && c.zones.is_empty()) {
            classes[at].spread = true;
        }
    }
    if spec.together > 0 {
        for (at, _) in choose(spec.together, &classes, &|c| c.replicas <= few_nodes && !c.spread) {
            classes[at].together = true;
        }
    }
    if spec.wishes > 0 {
        for (at, _) in choose(spec.wishes, &classes, &|c| c.capacity_type.is_none()) {
            classes[at].wishes = true;
        }
    }
    classes
}

/// So many pods on so many classes by Zipf's law, largest first, at least one each.
fn replicas(pods: u32, classes: u32) -> Vec<u32> {
    const SCALE: u64 = 1 << 40;
    let total: u128 = (1..=u64::from(classes)).map(|rank| u128::from(SCALE / rank)).sum();
    let spare = u128::from(pods - classes);
    let mut result: Vec<u32> = (1..=u64::from(classes))
        .map(|rank| 1 + (spare * u128::from(SCALE / rank) / total) as u32)
        .collect();
    // Each class lost less than one pod by rounding: the largest get them back.
    let lost = pods - result.iter().sum::<u32>();
    result.iter_mut().take(lost as usize).for_each(|replicas| *replicas += 1);
    result
}

/// Millicores and MiB that no class has yet.
fn distinct_requests(random: &mut SplitMix64, taken: &mut BTreeSet<(u64, u64)>) -> (u64, u64) {
    let mut millicpu = random.weighted(&MILLICPU);
    let mut mib = (millicpu * random.weighted(&MIB_PER_CPU) / 1000).next_multiple_of(32);
    while !taken.insert((millicpu, mib)) {
        millicpu = random.between(millicpu * 4 / 5, millicpu * 5 / 4 + 5).min(8000);
        mib = random.between(mib * 4 / 5, mib * 5 / 4 + 8).min(65_536);
    }
    (millicpu, mib)
}

impl Class {
    /// One pod of the class, named for the deployment.
    fn entry(&self, at: usize) -> Pod {
        let name: Arc<str> = format!("svc-{:04}", at + 1).into();
        let mut requests = Resources::new();
        let _ = requests.insert("cpu", Quantity::from_millis(self.millicpu));
        let _ = requests.insert("memory", Quantity::from_units(self.mib << 20));
        if self.gpus > 0 {
            let _ = requests.insert(GPU, Quantity::from_units(self.gpus));
        }
        let mut pod = Pod::new(name.clone())
            .with_namespace(format!("team-{}", at % 6 + 1))
            .with_label("app", name.clone())
            .with_owner_kind("ReplicaSet")
            .with_requests(requests);
        if self.gpus > 0 {
            let toleration = Toleration::exists(GPU).with_effect(Effect::NoSchedule);
            pod = pod.with_toleration(toleration);
        }
        if self.dedicated {
            let toleration = Toleration::equal(DEDICATED, "batch").with_effect(Effect::NoSchedule);
            pod = pod.with_node_selector(DEDICATED, "batch").with_toleration(toleration);
        }
        if let Some(arch) = self.arch {
            pod = pod.with_node_selector(well_known::ARCH, arch);
        }
        if let Some(capacity_type) = self.capacity_type {
            pod = pod.with_node_selector(well_known::CAPACITY_TYPE, capacity_type);
        }
        if let Some(port) = self.host_port {
            pod = pod.with_host_port(HostPort::new(port));
        }
        let own = || LabelSelector::new().with_label("app", name.clone());
        if self.spread {
            let when = WhenUnsatisfiable::DoNotSchedule;
            let over_zones = TopologySpreadConstraint::new(1, well_known::ZONE, when);
            pod = pod.with_topology_spread_constraint(over_zones.with_label_selector(own()));
        }
        let mut affinity = Affinity::new();
        if self.together {
            let term = PodAffinityTerm::new(well_known::ZONE, own());
            affinity = affinity.with_required_pod_affinity(term);
        }
        if self.wishes {
            let when = WhenUnsatisfiable::ScheduleAnyway;
            let over_nodes = TopologySpreadConstraint::new(3, well_known::HOSTNAME, when);
            pod = pod.with_topology_spread_constraint(over_nodes.with_label_selector(own()));
            let spot = NodeSelectorTerm::new([one_of(well_known::CAPACITY_TYPE, ["spot"])]);
            affinity = affinity.with_preferred_node_term(50, spot);
        }
        for &zone in &self.zones {
            let term = NodeSelectorTerm::new([one_of(well_known::ZONE, [zone])]);
            affinity = affinity.with_required_node_term(term);
        }
        if self.anti_affinity {
            let term = PodAffinityTerm::new(well_known::HOSTNAME, own());
            affinity = affinity.with_required_pod_anti_affinity(term);
        }
        if affinity == Affinity::new() { pod } else { pod.with_affinity(affinity) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(spec: &WorkloadSpec) -> u32 {
        workload(spec).iter().map(Pod::replicas).sum()
    }

    #[test]
    fn counts_are_exact() {
        for (count, classes) in [(1, 1), (7, 7), (1000, 10), (1000, 300), (100_000, 3000)] {
            let spec = WorkloadSpec::new(1, count, classes);
            assert_eq!(workload(&spec).len(), classes as usize);
            assert_eq!(pods(&spec), count);
        }
        let individual = workload(&WorkloadSpec::new(1, 1000, 30).individual());
        assert_eq!(individual.len(), 1000);
        let names: BTreeSet<_> = individual.iter().map(Pod::name).collect();
        assert_eq!(names.len(), 1000);
    }

    #[test]
    fn company_adds_rules_and_changes_nothing_else() {
        let spec = WorkloadSpec::new(1, 10_000, 300);
        let (plain, company) = (workload(&spec), workload(&spec.with_company()));
        let requests = |pods: &[Pod]| pods.iter().map(|p| p.requests().clone()).collect::<Vec<_>>();
        assert_eq!(requests(&plain), requests(&company));
        let spread = company.iter().filter(|p| !p.topology_spread_constraints().is_empty());
        assert!((99..=159).contains(&spread.count()));
        assert!(plain.iter().all(|p| p.topology_spread_constraints().is_empty()));
    }

    #[test]
    fn no_two_classes_ask_for_the_same() {
        let entries = workload(&WorkloadSpec::every_pod_different(1, 10_000));
        let requests: BTreeSet<_> = entries.iter().map(Pod::requests).collect();
        assert_eq!(requests.len(), 10_000);
    }

    #[test]
    fn replicas_follow_zipf() {
        let replicas = replicas(1_000_000, 300);
        assert!(replicas.is_sorted_by(|a, b| a >= b));
        assert!((150_000..170_000).contains(&replicas[0]), "{}", replicas[0]);
        assert!((500..600).contains(&replicas[299]), "{}", replicas[299]);
    }

    #[test]
    fn shares_are_exact() {
        let entries = workload(&WorkloadSpec::new(1, 100_000, 1000));
        let count = |holds: &dyn Fn(&Pod) -> bool| entries.iter().filter(|pod| holds(pod)).count();
        assert_eq!(count(&|pod| pod.requests().get(GPU).is_some()), 30);
        assert_eq!(count(&|pod| pod.node_selector().get(DEDICATED).is_some()), 50);
        assert_eq!(count(&|pod| pod.node_selector().get(well_known::ARCH).is_some()), 100);
        assert_eq!(count(&|pod| !pod.host_ports().is_empty()), 10);
        let plain = workload(&WorkloadSpec::plain(1, 100_000, 1000));
        assert!(plain.iter().all(|p| p.node_selector().is_empty() && p.affinity().is_none()));
    }

    #[test]
    fn the_same_seed_gives_the_same_workload() {
        let spec = WorkloadSpec::new(5, 2000, 100);
        assert_eq!(workload(&spec), workload(&spec));
        assert_ne!(workload(&spec), workload(&WorkloadSpec { seed: 6, ..spec }));
    }
}
