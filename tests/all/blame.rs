//! What a reason blames, taken out of the problem: whether the pod finds a place then.
//!
//! The plan stays as it is and nobody moves; the exhaustive search says whether the pod can be
//! added.

use crate::oracle::Oracle;
use crate::verified::tree;
use plimsoll::LaunchPlan;
use plimsoll::explain::{Cause, Miss, Reason};
use serde_json::{Map, Value, json};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// What comes of taking a reason at its word.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Verdict {
    /// Without the one thing that it blames the pod has a place.
    True,
    /// It blames several things at once, and without all of them the pod has a place.
    Several,
    /// It is about a node pool that can use no instance type at all, whatever the pod: there are no
    /// candidates of which could be said what else is in the way.
    OfThePool,
    /// The search doesn't know launches of the plan once what it blames is gone.
    Unknown,
    /// Without all that it blames the pod has no place.
    False,
}

/// Each reason of each entry of pods that a plan leaves out, with its verdict.
pub(crate) fn verdicts<'a>(
    problem: &Value,
    plan: &'a LaunchPlan,
) -> Vec<(String, &'a Reason, Verdict)> {
    let document = tree(&plan.to_json());
    let mut seen: Vec<usize> = Vec::new();
    let mut verdicts = Vec::new();
    for out in plan.unschedulable() {
        let entry = entry_of(problem, &out.pod);
        if seen.contains(&entry) {
            continue;
        }
        seen.push(entry);
        for reason in out.reasons.iter() {
            let cause = reason.cause().expect("a plan of the solver has causes");
            let problems = match is_of_the_pool(cause) {
                true => Vec::new(),
                false => lifted(problem, entry, cause),
            };
            let oracles: Vec<Oracle> =
                problems.iter().map(|problem| Oracle::new(problem, 0, true)).collect();
            let mut known = oracles.iter().filter(|oracle| oracle.knows(&document)).peekable();
            let is_known = known.peek().is_some();
            let fits = known.any(|oracle| oracle.room_for(&document, &out.pod).is_some());
            let verdict = match cause {
                _ if is_of_the_pool(cause) => Verdict::OfThePool,
                _ if !is_known => Verdict::Unknown,
                _ if !fits => Verdict::False,
                Cause::Several { .. } => Verdict::Several,
                _ => Verdict::True,
            };
            verdicts.push((out.pod.to_string(), reason, verdict));
        }
    }
    verdicts
}

fn is_of_the_pool(cause: &Cause) -> bool {
    match cause {
        Cause::Several { causes } => causes.iter().any(is_of_the_pool),
        other => matches!(other, Cause::NoInstanceType { .. }),
    }
}

/// The number of the entry that a pod comes from.
fn entry_of(problem: &Value, id: &str) -> usize {
    let name = id.rsplit_once('/').map_or(id, |(_, name)| name);
    let stem = name.rsplit_once('-').map_or("", |(stem, _)| stem);
    let pods = problem["pods"].as_array().unwrap();
    let is = |pod: &Value, name: &str, several: bool| {
        pod["name"] == name && (pod["replicas"].as_u64().unwrap_or(1) > 1) == several
    };
    let one = pods.iter().position(|pod| is(pod, name, false));
    one.or_else(|| pods.iter().position(|pod| is(pod, stem, true))).expect("a pod of the problem")
}

/// The problem without what a cause blames; where there are ways to take it away, each of them.
/// Pods that are nowhere still ask for what was asked for: values that only one names stay values
/// of launches.
fn lifted(problem: &Value, entry: usize, cause: &Cause) -> Vec<Value> {
    let pods = problem["pods"].as_array().unwrap().iter();
    let mut asking: Vec<Value> = pods.filter(|pod| pod["nodeName"].is_null()).cloned().collect();
    for (at, pod) in asking.iter_mut().enumerate() {
        (pod["name"], pod["replicas"]) = (json!(format!("asks-as-before-{at}")), json!(1));
    }
    let mut all = changed(problem, entry, cause);
    for changed in &mut all {
        changed["pods"].as_array_mut().unwrap().extend(asking.iter().cloned());
    }
    all
}

fn changed(problem: &Value, entry: usize, cause: &Cause) -> Vec<Value> {
    if let Cause::Several { causes } = cause {
        let mut all = vec![problem.clone()];
        for cause in causes {
            all = all.iter().flat_map(|problem| changed(problem, entry, cause)).collect();
        }
        return all;
    }
    if let Cause::PodAffinityNode { full, .. } = cause {
        let mut alone = problem.clone();
        drop_terms(&mut alone["pods"][entry], "podAffinity", Some(HOSTNAME));
        let mut grown = problem.clone();
        each(&mut grown["nodes"], |node| grow(&mut node["allocatable"]));
        each(&mut grown["instanceTypes"], |kind| grow(&mut kind["capacity"]));
        return if *full { vec![alone, grown] } else { vec![alone] };
    }
    let mut changed = problem.clone();
    lift(&mut changed, entry, cause);
    vec![changed]
}

fn lift(problem: &mut Value, entry: usize, cause: &Cause) {
    let of_pool = |problem: &mut Value, pool: &str, change: &dyn Fn(&mut Value)| {
        each(&mut problem["nodePools"], |one| {
            if one["name"] == pool {
                change(one);
            }
        });
    };
    match cause {
        Cause::Labels { conflicts, .. } => {
            let pod = &mut problem["pods"][entry];
            if conflicts.is_empty() {
                drop_selectors(pod);
                drop_volume_places(pod);
            }
            conflicts.iter().for_each(|conflict| drop_key(pod, &conflict.key));
        }
        Cause::NodeName { .. } => {
            let pod = &mut problem["pods"][entry];
            drop_key(pod, HOSTNAME);
            drop_key(pod, "metadata.name");
        }
        Cause::Zone { .. } => drop_volume_places(&mut problem["pods"][entry]),
        Cause::Taint { pool, taint } => of_pool(problem, pool, &|pool| {
            retain(&mut pool["taints"], |one| {
                one["key"] != *taint.key || one["value"].as_str().unwrap_or("") != &*taint.value
            });
        }),
        Cause::Resource { resource, .. } if &**resource == "pods" => {
            each(&mut problem["instanceTypes"], |kind| kind["capacity"]["pods"] = json!(1_000));
        }
        Cause::Resource { resource, .. } => {
            remove(&mut problem["pods"][entry]["requests"], resource);
        }
        Cause::Daemon { daemons, .. } => retain(&mut problem["daemonSets"], |one| {
            !daemons.iter().any(|name| one["name"] == **name)
        }),
        Cause::AttachLimit { driver, .. } => {
            each(&mut problem["instanceTypes"], |kind| remove(&mut kind["volumeLimits"], driver));
        }
        Cause::VolumeLimit { driver } => {
            each(&mut problem["nodes"], |node| remove(&mut node["volumeLimits"], driver));
        }
        Cause::Unavailable { .. } => each(&mut problem["instanceTypes"], |kind| {
            each(&mut kind["offerings"], |offering| remove(offering, "available"));
        }),
        Cause::Limit { pool, resource, .. } => {
            of_pool(problem, pool, &|pool| remove(&mut pool["limits"], resource));
        }
        Cause::Reservation { id } => each(&mut problem["instanceTypes"], |kind| {
            each(&mut kind["offerings"], |offering| {
                if offering["reservation"]["id"] == **id {
                    offering["reservation"]["remaining"] = json!(100);
                }
            });
        }),
        Cause::MinValues { pool, key, .. } => of_pool(problem, pool, &|pool| {
            each(&mut pool["requirements"], |one| {
                if one["key"] == **key {
                    remove(one, "minValues");
                }
            });
        }),
        Cause::HostPort { port, .. } => {
            retain(&mut problem["pods"][entry]["hostPorts"], |one| one["port"] != *port);
        }
        Cause::AntiAffinity => drop_everywhere(problem, "podAntiAffinity", HOSTNAME),
        Cause::PodAntiAffinity { key, .. } => drop_everywhere(problem, "podAntiAffinity", key),
        Cause::TopologySpread { key, .. } => drop_spreads(&mut problem["pods"][entry], key),
        Cause::MinDomains { key, .. } => {
            each(&mut problem["pods"][entry]["topologySpreadConstraints"], |one| {
                if one["topologyKey"] == **key {
                    remove(one, "minDomains");
                }
            });
        }
        Cause::EmptyDomain { key, .. } => {
            each(&mut problem["pods"], |pod| drop_spreads(pod, key));
        }
        Cause::PodAffinity { key, .. } => {
            drop_terms(&mut problem["pods"][entry], "podAffinity", Some(key));
        }
        Cause::MutualAffinity => drop_terms(&mut problem["pods"][entry], "podAffinity", None),
        Cause::TopologyKey { key } => {
            let pod = &mut problem["pods"][entry];
            drop_spreads(pod, key);
            drop_terms(pod, "podAffinity", Some(key));
        }
        Cause::StaticPool { pool } => of_pool(problem, pool, &|pool| {
            ["replicas", "limits"].iter().for_each(|key| remove(pool, key));
        }),
        Cause::Existing { miss } => lift_miss(problem, entry, *miss),
        Cause::NotFound { .. } => {}
        other => panic!("nobody can take {other:?} away"),
    }
}

fn lift_miss(problem: &mut Value, entry: usize, miss: Miss) {
    match miss {
        Miss::Deleting => each(&mut problem["nodes"], |node| remove(node, "deleting")),
        Miss::Labels => drop_selectors(&mut problem["pods"][entry]),
        Miss::Taints => each(&mut problem["nodes"], |node| remove(node, "taints")),
        Miss::Zone => drop_volume_places(&mut problem["pods"][entry]),
        Miss::Resources => each(&mut problem["nodes"], |node| grow(&mut node["allocatable"])),
        Miss::HostPorts => remove(&mut problem["pods"][entry], "hostPorts"),
        other => panic!("nobody can take {other:?} away"),
    }
}

fn each(list: &mut Value, change: impl FnMut(&mut Value)) {
    list.as_array_mut().into_iter().flatten().for_each(change);
}

fn remove(object: &mut Value, key: &str) {
    let _former = object.as_object_mut().and_then(|object| object.remove(key));
}

fn retain(list: &mut Value, keep: impl FnMut(&Value) -> bool) {
    if let Some(list) = list.as_array_mut() {
        list.retain(keep);
    }
}

/// More than enough of everything.
fn grow(amounts: &mut Value) {
    if amounts.is_null() {
        *amounts = Value::Object(Map::new());
    }
    for resource in ["cpu", "memory", "pods", "ephemeral-storage", "nvidia.com/gpu"] {
        amounts[resource] = json!(1_000_000_000_000_u64);
    }
    amounts
        .as_object_mut()
        .unwrap()
        .values_mut()
        .for_each(|one| *one = json!(1_000_000_000_000_u64));
    amounts["cpu"] = json!(1_000_000);
}

fn drop_spreads(pod: &mut Value, key: &str) {
    retain(&mut pod["topologySpreadConstraints"], |one| one["topologyKey"] != key);
}

/// Leaves out a pod's required terms of affinity or anti-affinity over a key, or all of them.
fn drop_terms(pod: &mut Value, path: &str, key: Option<&str>) {
    let Some(terms) = pod.pointer_mut(&format!("/affinity/{path}/{REQUIRED}")) else { return };
    retain(terms, |term| key.is_some_and(|key| term["topologyKey"] != key));
}

fn drop_everywhere(problem: &mut Value, path: &str, key: &str) {
    each(&mut problem["pods"], |pod| drop_terms(pod, path, Some(key)));
}

/// Leaves out whatever a pod asks of a label; a term of which nothing is left holds anywhere.
fn drop_key(pod: &mut Value, key: &str) {
    remove(&mut pod["nodeSelector"], key);
    let mut lists: Vec<(String, bool)> =
        vec![(format!("/affinity/nodeAffinity/{REQUIRED}/nodeSelectorTerms"), false)];
    let volumes = pod["volumes"].as_array().map_or(0, Vec::len);
    lists.extend((0..volumes).map(|at| (format!("/volumes/{at}/nodeSelectorTerms"), true)));
    for (path, _) in &lists {
        let Some(terms) = pod.pointer_mut(path) else { continue };
        let mut anywhere = false;
        each(terms, |term| {
            for field in ["matchExpressions", "matchFields"] {
                let had = term[field].as_array().is_some_and(|list| !list.is_empty());
                retain(&mut term[field], |one| one["key"] != key);
                let rest = ["matchExpressions", "matchFields"]
                    .iter()
                    .any(|field| term[*field].as_array().is_some_and(|list| !list.is_empty()));
                anywhere |= had && !rest;
            }
        });
        if anywhere {
            let (parent, last) = path.rsplit_once('/').unwrap();
            let parent = match last {
                // The list is all that required node affinity holds.
                "nodeSelectorTerms" if parent.ends_with(REQUIRED) => {
                    let (outer, _) = parent.rsplit_once('/').unwrap();
                    remove(pod.pointer_mut(outer).unwrap(), REQUIRED);
                    continue;
                }
                _ => parent,
            };
            remove(pod.pointer_mut(parent).unwrap(), last);
        }
    }
    if key == ZONE {
        each(&mut pod["volumes"], |volume| remove(volume, "zones"));
    }
}

/// Leaves out a pod's own rules about its node.
fn drop_selectors(pod: &mut Value) {
    remove(pod, "nodeSelector");
    if let Some(rules) = pod.pointer_mut("/affinity/nodeAffinity") {
        remove(rules, REQUIRED);
    }
}

/// Leaves out where a pod's volumes are.
fn drop_volume_places(pod: &mut Value) {
    each(&mut pod["volumes"], |volume| {
        remove(volume, "zones");
        remove(volume, "nodeSelectorTerms");
    });
}
