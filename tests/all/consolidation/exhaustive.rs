//! Tiny clusters decided by trying everything: which nodes go in which order, where each pod goes,
//! and what is bought.
//!
//! The search knows nodes and types with processors alone, and one pool with limits. It tries every
//! sequence of waves: every set of nodes that could go next, every place for each of their pods on
//! nodes that stay or on new ones, and the cheapest types for these. Launches stand beside the
//! nodes of their wave, so that limits count both; pods that have moved keep their node.

use super::verified;
use plimsoll::Options;
use plimsoll_testdata::SplitMix64;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Processors in thousandths, prices in thousandths of a dollar.
#[derive(Clone, Debug)]
struct Kind {
    cpu: u64,
    price: u64,
}

#[derive(Clone, Debug)]
struct Host {
    kind: usize,
    may_go: bool,
    pods: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Tiny {
    kinds: Vec<Kind>,
    hosts: Vec<Host>,
    /// Of nodes and of processors, where there is a limit.
    limits: (Option<u64>, Option<u64>),
}

impl Tiny {
    fn new(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut kinds = Vec::new();
        for cpu in [2_000, 4_000, 8_000] {
            if cpu < 8_000 || random.below(2) == 0 {
                let price = cpu / 1_000 * (40 + random.below(25));
                kinds.push(Kind { cpu, price });
            }
        }
        let mut left = 6;
        let hosts: Vec<Host> = (0..2 + random.below(3))
            .map(|_| {
                let kind = usize::try_from(random.below(kinds.len() as u64)).unwrap();
                let mut free = kinds[kind].cpu;
                let mut pods = Vec::new();
                for _ in 0..random.below(3) {
                    let pod = [500, 900, 1_500, 1_900][random.below(4) as usize];
                    if pod <= free && left > 0 {
                        free -= pod;
                        left -= 1;
                        pods.push(pod);
                    }
                }
                Host { kind, may_go: random.below(5) > 0, pods }
            })
            .collect();
        let all: u64 = hosts.iter().map(|host| kinds[host.kind].cpu / 1_000).sum();
        let nodes = (random.below(2) == 0).then(|| hosts.len() as u64 + random.below(2));
        let cpu = (random.below(3) == 0).then(|| all + 2 * random.below(2));
        Self { kinds, hosts, limits: (nodes, cpu) }
    }

    fn document(&self) -> Value {
        let types: Vec<Value> = self
            .kinds
            .iter()
            .map(|kind| {
                json!({
                    "name": format!("t{}", kind.cpu), "capacity":
                        { "cpu": format!("{}m", kind.cpu), "memory": "64Gi", "pods": 20 },
                    "offerings": [{ "zone": "a", "capacityType": "on-demand",
                        "price": format!("{}.{:03}", kind.price / 1_000, kind.price % 1_000)
                            .parse::<f64>().unwrap() }],
                })
            })
            .collect();
        let mut pool =
            json!({ "name": "pool", "disruption": { "budgets": [{ "nodes": "100%" }] } });
        if self.limits.0.is_some() || self.limits.1.is_some() {
            pool["limits"] = json!({});
        }
        if let Some(nodes) = self.limits.0 {
            pool["limits"]["nodes"] = json!(nodes);
        }
        if let Some(cpu) = self.limits.1 {
            pool["limits"]["cpu"] = json!(cpu);
        }
        let (mut nodes, mut pods) = (Vec::new(), Vec::new());
        for (at, host) in self.hosts.iter().enumerate() {
            let kind = &self.kinds[host.kind];
            nodes.push(json!({
                "name": format!("n{at}"), "doNotDisrupt": !host.may_go,
                "allocatable": { "cpu": format!("{}m", kind.cpu), "memory": "64Gi", "pods": 20 },
                "labels": {
                    "node.kubernetes.io/instance-type": format!("t{}", kind.cpu),
                    "karpenter.sh/nodepool": "pool", "topology.kubernetes.io/zone": "a",
                    "karpenter.sh/capacity-type": "on-demand",
                },
            }));
            pods.extend(host.pods.iter().enumerate().map(|(pod, cpu)| {
                json!({
                    "name": format!("p{at}-{pod}"), "nodeName": format!("n{at}"),
                    "ownerKind": "ReplicaSet", "requests": { "cpu": format!("{cpu}m") },
                })
            }));
        }
        json!({ "pods": pods, "instanceTypes": types, "nodePools": [pool], "nodes": nodes })
    }
}

/// A cluster between waves: nodes with what is free, and which of them may still go.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Standing {
    /// Kind, what is free, and the pods of a node that may go.
    nodes: Vec<(usize, u64, Option<Vec<u64>>)>,
}

struct Search<'t> {
    tiny: &'t Tiny,
    seen: BTreeSet<Standing>,
    least: u64,
}

impl Search<'_> {
    fn price(&self, kind: usize) -> u64 {
        self.tiny.kinds[kind].price
    }

    /// Whether limits allow nodes of these kinds.
    fn within(&self, kinds: impl Iterator<Item = usize> + Clone) -> bool {
        let (nodes, cpu) = self.tiny.limits;
        let processors = kinds.clone().map(|kind| self.tiny.kinds[kind].cpu / 1_000).sum::<u64>();
        nodes.is_none_or(|most| kinds.count() as u64 <= most)
            && cpu.is_none_or(|most| processors <= most)
    }

    fn from(&mut self, standing: Standing) {
        if !self.seen.insert(standing.clone()) {
            return;
        }
        let cost = standing.nodes.iter().map(|(kind, ..)| self.price(*kind)).sum();
        self.least = self.least.min(cost);
        let free: Vec<usize> =
            (0..standing.nodes.len()).filter(|at| standing.nodes[*at].2.is_some()).collect();
        for set in 1_u32..1 << free.len() {
            let gone: BTreeSet<usize> =
                (0..free.len()).filter(|at| set & (1 << at) != 0).map(|at| free[at]).collect();
            let mut pods: Vec<u64> =
                gone.iter().flat_map(|at| standing.nodes[*at].2.clone().unwrap()).collect();
            pods.sort_unstable();
            let stay: Vec<_> = (0..standing.nodes.len())
                .filter(|at| !gone.contains(at))
                .map(|at| standing.nodes[at].clone())
                .collect();
            self.place(&standing, &gone, &pods, stay, Vec::new());
        }
    }

    /// Tries every place for the first of the pods, and so on.
    fn place(
        &mut self,
        before: &Standing,
        gone: &BTreeSet<usize>,
        pods: &[u64],
        stay: Vec<(usize, u64, Option<Vec<u64>>)>,
        groups: Vec<u64>,
    ) {
        let Some((pod, rest)) = pods.split_first() else {
            self.buy(before, gone, stay, &groups, Vec::new());
            return;
        };
        for at in 0..stay.len() {
            if stay[at].1 >= *pod {
                let mut stay = stay.clone();
                stay[at].1 -= pod;
                // A destination stays.
                stay[at].2 = None;
                self.place(before, gone, rest, stay, groups.clone());
            }
        }
        for at in 0..=groups.len() {
            let mut groups = groups.clone();
            match groups.get_mut(at) {
                Some(group) => *group += pod,
                None => groups.push(*pod),
            }
            self.place(before, gone, rest, stay.clone(), groups);
        }
    }

    /// Tries every kind of node for each group of pods on a new one.
    fn buy(
        &mut self,
        before: &Standing,
        gone: &BTreeSet<usize>,
        stay: Vec<(usize, u64, Option<Vec<u64>>)>,
        groups: &[u64],
        bought: Vec<(usize, u64)>,
    ) {
        let Some((group, rest)) = groups.split_first() else {
            let was = gone.iter().map(|at| self.price(before.nodes[*at].0)).sum::<u64>();
            let is = bought.iter().map(|(kind, _)| self.price(*kind)).sum::<u64>();
            let old = before.nodes.iter().map(|(kind, ..)| *kind);
            let kinds = old.chain(bought.iter().map(|(kind, _)| *kind));
            if bought.is_empty() || is < was && self.within(kinds) {
                let new = bought.into_iter().map(|(kind, free)| (kind, free, None));
                let mut nodes: Vec<_> = stay.into_iter().chain(new).collect();
                nodes.sort();
                self.from(Standing { nodes });
            }
            return;
        };
        for (kind, of_kind) in self.tiny.kinds.iter().enumerate() {
            if of_kind.cpu >= *group {
                let mut bought = bought.clone();
                bought.push((kind, of_kind.cpu - group));
                self.buy(before, gone, stay.clone(), rest, bought);
            }
        }
    }
}

/// The least that a cluster can come to cost.
fn least(tiny: &Tiny) -> u64 {
    let mut search = Search { tiny, seen: BTreeSet::new(), least: u64::MAX };
    let nodes = tiny.hosts.iter().map(|host| {
        let free = tiny.kinds[host.kind].cpu - host.pods.iter().sum::<u64>();
        (host.kind, free, host.may_go.then(|| host.pods.clone()))
    });
    let mut nodes: Vec<_> = nodes.collect();
    nodes.sort();
    search.from(Standing { nodes });
    search.least
}

/// No plan ends cheaper than what trying everything in every order finds; most end there.
#[test]
fn tiny_clusters_under_limits_end_no_cheaper_than_trying_every_order() {
    let mut options = Options::default();
    options.consolidation.minimum_saving = 0;
    let (mut equal, mut all, mut ours, mut best) = (0, 0, 0, 0);
    for seed in super::laws::seeds(200) {
        let tiny = Tiny::new(seed);
        let least = i128::from(least(&tiny)) * 1_000_000;
        let (_, found) = verified(&tiny.document(), &options).unwrap_or_else(|e| panic!("{e}"));
        let after = found.cost_after().nanos();
        assert!(after >= least, "seed {seed}: {after} is below {least}\n{}", tiny.document());
        all += 1;
        equal += u32::from(after == least);
        if after != least {
            println!("seed {seed}: {after}, at best {least}");
        }
        (ours, best) = (ours + after, best + least);
    }
    println!("{equal} of {all} are the cheapest; {ours}, at best {best}");
    assert!(equal * 100 >= all * 80, "{equal} of {all}");
}
