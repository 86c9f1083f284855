//! What a problem says that is accepted but hardly meant.
//!
//! Warnings change nothing: they are data beside a plan, for whoever wrote the problem. One mistake
//! made in ten thousand pods is one warning, which names the first of them by name and counts the
//! others; so pods are looked at by what they ask for, not one by one.
//!
//! What is looked for is what people get wrong without being told by anyone: units that were left
//! out, labels that no node has, limits that limit nothing, spreads without a selector. Each is
//! legal and may be meant; so it is a warning, and never a fault.

use super::{
    InstanceType, NodePool, NodeSelectorTerm, Operator, Parts, Pod, Quantity, Requirement,
    Resources, well_known,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Something in a problem that is accepted but hardly meant.
///
/// Warnings are sorted by path, then message. A plan has them as
/// [`LaunchPlan::warnings`](crate::LaunchPlan::warnings).
///
/// # Examples
/// ```
/// use plimsoll::{Node, Options, Pod, Problem, Resources};
///
/// // "3072" were to be mebibytes.
/// let pod = Pod::new("web").with_requests(Resources::parse([("memory", "3072")])?);
/// let room = Resources::parse([("memory", "8Gi"), ("pods", "9")])?;
/// let problem = Problem::builder().pod(pod).node(Node::new("n-1", room)).build()?;
/// let plan = plimsoll::provision(&problem, &Options::default())?;
/// assert_eq!(plan.warnings()[0].path, "pods[default/web].requests[memory]");
/// assert!(plan.warnings()[0].message.starts_with("less than 1Mi of memory"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Warning {
    /// The field that says it, such as `pods[default/web].requests[memory]`: things are named by
    /// their names, since a plan doesn't depend on the order of lists.
    pub path: String,
    /// What it means as it is written, and how many others say the same.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The most warnings of one problem.
const MOST_WARNINGS: usize = 1000;

/// Less memory than any pod or node has.
const LEAST_BYTES: u64 = 1 << 20;

/// More processors than any node has.
const MOST_CORES: u64 = 1000;

/// The warnings about the parts of a problem, by path: of the nodes at these places, and of pending
/// pods, which come as examples of how many alike, those of the first names first.
pub(crate) fn warnings<'p>(
    parts: &'p Parts,
    labels: &LabelKeys,
    nodes: impl Iterator<Item = usize> + Clone,
    pods: impl Iterator<Item = (&'p Pod, u32)>,
) -> Vec<Warning> {
    let mut found = WarningList::default();
    for (pod, count) in pods {
        found.pod("pods", pod, count, labels);
    }
    for daemon in parts.daemon_sets() {
        found.pod("daemonSets", daemon, 1, labels);
    }
    for instance_type in parts.instance_types() {
        found.instance_type(instance_type);
    }
    for node in nodes.clone().map(|place| parts.node(place)) {
        let path = || format!("nodes[{}].allocatable", node.name);
        found.amounts(path, &node.allocatable, 1);
    }
    for pool in parts.node_pools() {
        found.pool(parts, nodes.clone(), pool, labels);
    }
    found.warnings()
}

/// The label keys that nodes have.
///
/// Gathered once for a problem; a what-if that changes no label asks the same object.
#[derive(Clone, Debug)]
pub(crate) struct LabelKeys {
    /// Those of types and offerings, and those that every new node gets.
    of_types: BTreeSet<Arc<str>>,
    /// Those that a running or new node has or could have.
    all: BTreeSet<Arc<str>>,
}

impl LabelKeys {
    /// The label keys of the parts of a problem, with the nodes at these places.
    pub(crate) fn of(parts: &Parts, nodes: impl Iterator<Item = usize>) -> Self {
        fn extend<'k>(keys: &mut BTreeSet<Arc<str>>, others: impl Iterator<Item = &'k Arc<str>>) {
            for key in others {
                if !keys.contains(key) {
                    let _new = keys.insert(key.clone());
                }
            }
        }
        let given = [
            well_known::ZONE,
            well_known::CAPACITY_TYPE,
            well_known::INSTANCE_TYPE,
            well_known::NODE_POOL,
            well_known::HOSTNAME,
        ];
        let mut of_types: BTreeSet<Arc<str>> = given.into_iter().map(Arc::from).collect();
        for instance_type in parts.instance_types() {
            extend(&mut of_types, instance_type.labels.iter().map(|(key, _)| key));
            extend(&mut of_types, instance_type.requirements.iter().map(|one| &one.key));
            let offered = instance_type.offerings.iter().flat_map(|one| one.labels.iter());
            extend(&mut of_types, offered.map(|(key, _)| key));
        }
        let mut all = of_types.clone();
        for pool in parts.node_pools() {
            extend(&mut all, pool.labels.iter().map(|(key, _)| key));
            extend(&mut all, pool.requirements.iter().map(|one| &one.key));
        }
        for node in nodes {
            extend(&mut all, parts.node(node).labels.iter().map(|(key, _)| key));
        }
        Self { of_types, all }
    }
}

/// What was found: by what it means, where it was found first, and how many say it.
///
/// By message, since one mistake is one message: the first path is kept, and a count.
#[derive(Default)]
struct WarningList {
    by_message: BTreeMap<String, (String, u64)>,
}

impl WarningList {
    fn add(&mut self, path: impl FnOnce() -> String, message: String, count: u32) {
        let entry = self.by_message.entry(message).or_insert_with(|| (path(), 0));
        entry.1 = entry.1.saturating_add(count.into());
    }

    fn warnings(self) -> Vec<Warning> {
        let warning = |(message, (path, count)): (String, (String, u64))| Warning {
            path,
            message: match count {
                0 | 1 => message,
                _ => format!("{message} (so say {count})"),
            },
        };
        let mut warnings: Vec<Warning> = self.by_message.into_iter().map(warning).collect();
        warnings.sort_unstable();
        warnings.truncate(MOST_WARNINGS);
        warnings
    }

    /// Amounts in bytes that are hardly meant to be so few.
    fn amounts(&mut self, path: impl Fn() -> String, amounts: &Resources, count: u32) {
        for (name, amount) in amounts.iter() {
            let in_bytes = matches!(&**name, "memory" | "ephemeral-storage");
            let few = amount > Quantity::ZERO && amount < Quantity::from_units(LEAST_BYTES);
            if (in_bytes || name.starts_with("hugepages-")) && few {
                let message = format!(
                    "less than 1Mi of {name}: a number counts bytes, a suffix such as Mi may be missing"
                );
                self.add(|| format!("{}[{name}]", path()), message, count);
            }
        }
    }

    fn pod(&mut self, list: &str, pod: &Pod, count: u32, labels: &LabelKeys) {
        let path = || format!("{list}[{}/{}]", pod.namespace, pod.name);
        if pod.requests.iter().any(|(_, amount)| amount < Quantity::from_units(LEAST_BYTES)) {
            self.amounts(|| format!("{}.requests", path()), &pod.requests, count);
        }
        if let Some(cores) = pod.requests.get(super::CPU)
            && cores >= Quantity::from_units(MOST_CORES)
        {
            let message = "a number of cpu counts whole ones, thousandths have the suffix m".into();
            self.add(|| format!("{}.requests[cpu]", path()), message, count);
        }
        for (key, _) in pod.node_selector.iter() {
            self.key(labels, key, count, || format!("{}.nodeSelector[{key}]", path()));
        }
        if let Some(rules) = &pod.affinity {
            let node = &rules.node_affinity;
            let preferred_terms =
                node.preferred.iter().map(|preferred_term| &preferred_term.preference);
            let of_node = || format!("{}.affinity.nodeAffinity", path());
            self.terms(
                labels,
                node.required.iter().flatten().chain(preferred_terms),
                count,
                of_node,
            );
            let [together, apart] = [&rules.pod_affinity, &rules.pod_anti_affinity];
            for (rules, name) in [(together, "podAffinity"), (apart, "podAntiAffinity")] {
                let preferred_terms =
                    rules.preferred.iter().map(|preferred_term| &preferred_term.term);
                for term in rules.required.iter().chain(preferred_terms) {
                    let path = || format!("{}.affinity.{name}", path());
                    self.key(labels, &term.topology_key, count, path);
                }
            }
        }
        let own = path;
        for (i, spread) in pod.topology_spread_constraints.iter().enumerate() {
            let path = || format!("{}.topologySpreadConstraints[{i}].topologyKey", path());
            self.key(labels, &spread.topology_key, count, path);
            if spread.label_selector.is_none() {
                let path = || format!("{}.topologySpreadConstraints[{i}]", own());
                let message = "without a labelSelector a spread counts no pods and spreads nothing";
                self.add(path, message.into(), count);
            }
        }
        for (i, volume) in pod.volumes.iter().enumerate() {
            let path = || format!("{}.volumes[{i}].nodeSelectorTerms", path());
            self.terms(labels, volume.node_selector_terms.iter(), count, path);
        }
    }

    fn terms<'t>(
        &mut self,
        labels: &LabelKeys,
        terms: impl Iterator<Item = &'t NodeSelectorTerm>,
        count: u32,
        path: impl Fn() -> String,
    ) {
        for one in terms.flat_map(|term| &term.match_expressions).filter(|one| asks_for_value(one))
        {
            self.key(labels, &one.key, count, &path);
        }
    }

    /// A label that no node has.
    fn key(&mut self, labels: &LabelKeys, key: &str, count: u32, path: impl FnOnce() -> String) {
        if !labels.all.contains(well_known::normalized(key)) {
            self.add(path, format!("no node has or could have the label {key}"), count);
        }
    }

    fn instance_type(&mut self, of_type: &InstanceType) {
        let path = || format!("instanceTypes[{}]", of_type.name);
        self.amounts(|| format!("{}.capacity", path()), &of_type.capacity, 1);
        for (name, amount) in of_type.overhead.iter() {
            let capacity = of_type.capacity.get(name).unwrap_or_default();
            if amount > capacity {
                let message = format!("the overhead of {name} is above the capacity");
                self.add(|| format!("{}.overhead[{name}]", path()), message, 1);
            }
        }
    }

    fn pool(
        &mut self,
        parts: &Parts,
        nodes: impl Iterator<Item = usize> + Clone,
        pool: &NodePool,
        labels: &LabelKeys,
    ) {
        let path = || format!("nodePools[{}]", pool.name);
        self.amounts(|| format!("{}.limits", path()), &pool.limits, 1);
        let lists = |instance_type: &&InstanceType| match &pool.instance_types {
            Some(names) => names.contains(&instance_type.name),
            None => true,
        };
        for (name, _) in pool.limits.iter().filter(|(name, _)| &***name != super::NODES) {
            let mut types = parts.instance_types().filter(lists);
            let of_pool =
                |node: &&super::Node| node.labels.get(well_known::NODE_POOL) == Some(&pool.name);
            let mut nodes = nodes.clone().map(|place| parts.node(place)).filter(of_pool);
            let has = types.any(|instance_type| instance_type.capacity.get(name).is_some())
                || nodes.any(|node| node.allocatable.get(name).is_some());
            if !has {
                let message = format!("no instance type has {name}, so this limits nothing");
                self.add(|| format!("{}.limits[{name}]", path()), message, 1);
            }
        }
        for one in pool.requirements.iter().filter(|one| asks_for_value(one)) {
            let known = labels.of_types.contains(&*one.key) || pool.labels.get(&one.key).is_some();
            if !known {
                let message = format!(
                    "no instance type or offering has the label {}, so this rules none of them out",
                    one.key
                );
                self.add(|| format!("{}.requirements[{}]", path(), one.key), message, 1);
            }
        }
    }
}

/// Whether a node without the label doesn't meet a requirement.
fn asks_for_value(requirement: &Requirement) -> bool {
    !matches!(requirement.operator, Operator::NotIn | Operator::DoesNotExist)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Offering, Problem, TopologySpreadConstraint, WhenUnsatisfiable};

    fn resources(pairs: &[(&str, &str)]) -> Resources {
        Resources::parse(pairs.iter().copied()).unwrap()
    }

    fn found(problem: &Problem) -> Vec<(String, String)> {
        let pods = problem.pods.iter().map(|pod| (pod, pod.replicas));
        let (parts, nodes) = (Parts::of(problem), 0..problem.nodes.len());
        let labels = LabelKeys::of(&parts, nodes.clone());
        let found = warnings(&parts, &labels, nodes, pods).into_iter();
        found.map(|one| (one.path, one.message)).collect()
    }

    #[test]
    fn each_mistake_is_one_warning() {
        let instance_type =
            InstanceType::new("m", resources(&[("cpu", "2"), ("memory", "8Gi"), ("pods", "9")]))
                .with_overhead(resources(&[("memory", "9Gi"), ("cpu", "2")]))
                .with_label("disk", "fast")
                .with_offering(Offering::on_demand("a", "1".parse().unwrap()));
        let mut pool = NodePool::new("d");
        pool.limits = resources(&[("nvidia.com/gpu", "1"), ("cpu", "100"), ("nodes", "3")]);
        pool.requirements.push(Requirement::new("rack", Operator::In, ["x"]));
        pool.requirements.push(Requirement::new("old", Operator::DoesNotExist, [""; 0]));
        let web = |name: &str| {
            Pod::new(name)
                .with_requests(resources(&[("memory", "3072")]))
                .with_node_selector("colour", "red")
                .with_node_selector("disk", "fast")
        };
        let anyway = WhenUnsatisfiable::ScheduleAnyway;
        let spread = TopologySpreadConstraint::new(1, "colour", anyway);
        let spread = Pod::new("s").with_replicas(5).with_topology_spread_constraint(spread);
        let parts = Problem::builder().instance_type(instance_type).node_pool(pool);
        let problem = parts.pod(web("b")).pod(web("a")).pod(spread).build().unwrap();
        let expected = [
            ("instanceTypes[m].overhead[memory]", "the overhead of memory is above the capacity"),
            (
                "nodePools[d].limits[nvidia.com/gpu]",
                "no instance type has nvidia.com/gpu, so this limits nothing",
            ),
            (
                "nodePools[d].requirements[rack]",
                "no instance type or offering has the label rack, so this rules none of them out",
            ),
            (
                "pods[default/a].nodeSelector[colour]",
                "no node has or could have the label colour (so say 7)",
            ),
            (
                "pods[default/a].requests[memory]",
                "less than 1Mi of memory: a number counts bytes, a suffix such as Mi may be missing \
                 (so say 2)",
            ),
            (
                "pods[default/s].topologySpreadConstraints[0]",
                "without a labelSelector a spread counts no pods and spreads nothing (so say 5)",
            ),
        ];
        let expected = expected.map(|(path, message)| (path.to_owned(), message.to_owned()));
        assert_eq!(found(&problem), expected);
    }
}
