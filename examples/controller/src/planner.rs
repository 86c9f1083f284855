//! A solver kept from batch to batch.
//!
//! Most of a cluster is the same a second later. So the problem that was compiled last is kept, and
//! the next one is asked as a what-if: the pods and nodes that came, went or changed. Its plan is
//! that of the next problem, byte for byte. Where more than a quarter changed, or anything other
//! than pods and nodes, the problem is compiled anew.

use plimsoll::{Error, Node, Pod, Problem, Solver, WhatIf};
use std::collections::{BTreeMap, BTreeSet};

/// A solver of the problem that was compiled last.
#[derive(Clone, Debug, Default)]
pub struct Planner {
    start: Option<(Problem, Solver)>,
    compiled: u64,
}

/// What differs between two lists that are sorted by name.
struct Difference<'p> {
    out: Vec<&'p Pod>,
    nodes_out: Vec<&'p Node>,
    nodes_in: Vec<&'p Node>,
    come: Vec<&'p Pod>,
}

impl Planner {
    /// How often a problem was compiled.
    #[must_use]
    pub fn compiled(&self) -> u64 {
        self.compiled
    }

    /// A problem as a what-if of the last one, or of itself.
    ///
    /// # Errors
    /// A problem beyond a stated limit of the library.
    pub fn what_if(&mut self, problem: &Problem) -> Result<WhatIf, Error> {
        if let Some((former, solver)) = &self.start
            && let Some(difference) = Difference::of(former, problem)
        {
            return difference.apply(solver.what_if());
        }
        let solver = Solver::new(problem)?;
        self.compiled += 1;
        let what_if = solver.what_if();
        self.start = Some((problem.clone(), solver));
        Ok(what_if)
    }
}

impl<'p> Difference<'p> {
    fn of(former: &'p Problem, now: &'p Problem) -> Option<Self> {
        let same = former.instance_types() == now.instance_types()
            && former.node_pools() == now.node_pools()
            && former.daemon_sets() == now.daemon_sets()
            && former.pod_disruption_budgets() == now.pod_disruption_budgets()
            && former.namespaces() == now.namespaces();
        if !same {
            return None;
        }
        let nodes = |problem: &'p Problem| -> BTreeMap<&str, &'p Node> {
            problem.nodes().iter().map(|node| (node.name(), node)).collect()
        };
        let (was, is) = (nodes(former), nodes(now));
        let other = |node: &&'p Node, than: &BTreeMap<&str, &Node>| {
            than.get(node.name()).is_none_or(|one| *one != *node)
        };
        let nodes_out: Vec<&Node> = was.values().copied().filter(|node| other(node, &is)).collect();
        let nodes_in: Vec<&Node> = is.values().copied().filter(|node| other(node, &was)).collect();
        // The pods of a node that goes are pending then, and would have to be taken out afterwards.
        let touched: BTreeSet<&str> = nodes_out.iter().map(|node| node.name()).collect();
        let key = |pod: &&'p Pod| (pod.namespace(), pod.name(), pod.replicas() > 1);
        let is: BTreeMap<_, &Pod> = now.pods().iter().map(|pod| (key(&pod), pod)).collect();
        let stays = |pod: &&'p Pod| {
            is.get(&key(pod)).is_some_and(|one| one == pod)
                && pod.node_name().is_none_or(|node| !touched.contains(node))
        };
        let (stay, out): (Vec<&Pod>, Vec<&Pod>) = former.pods().iter().partition(stays);
        let stay: BTreeSet<_> = stay.iter().map(key).collect();
        let come: Vec<&Pod> = now.pods().iter().filter(|pod| !stay.contains(&key(pod))).collect();
        let changes = out.len() + come.len() + nodes_out.len() + nodes_in.len();
        let most = (now.pods().len() + now.nodes().len()) / 4;
        // A single pod and a set that share a name are taken out together.
        let alone = |pod: &&'p Pod| {
            let (namespace, name, is_set) = key(pod);
            !stay.contains(&(namespace, name, !is_set))
        };
        (changes <= most.max(16) && out.iter().all(alone)).then_some(Self {
            out,
            nodes_out,
            nodes_in,
            come,
        })
    }

    fn apply(&self, mut what_if: WhatIf) -> Result<WhatIf, Error> {
        let names: BTreeSet<_> = self.out.iter().map(|pod| (pod.namespace(), pod.name())).collect();
        for (namespace, name) in names {
            what_if = what_if.without_pod(namespace, name)?;
        }
        for node in &self.nodes_out {
            what_if = what_if.without_node(node.name())?;
        }
        for node in &self.nodes_in {
            what_if = what_if.with_node((*node).clone())?;
        }
        for pod in &self.come {
            what_if = what_if.with_pod((*pod).clone())?;
        }
        Ok(what_if)
    }
}
