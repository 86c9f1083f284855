//! Single parts, both ways: each part of a problem alone reads back as the same part.

use super::valid;
use plimsoll::model::{Affinity, Labels, Taint, Toleration};
use plimsoll::{InstanceType, Node, NodePool, Offering, Pod, Price, Problem, Quantity, Resources};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

fn reads_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(part: &T) {
    let text = serde_json::to_string(part).unwrap();
    let read: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(read, *part, "{text}");
    // A reader that gives numbers and texts of its own.
    let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::from_value::<T>(tree).unwrap(), *part, "{text}");
}

fn all_parts(problem: &Problem) {
    for pod in problem.pods().iter().chain(problem.daemon_sets()) {
        reads_back(pod);
        pod.affinity().into_iter().for_each(reads_back::<Affinity>);
        pod.tolerations().iter().for_each(reads_back);
        pod.topology_spread_constraints().iter().for_each(reads_back);
        pod.host_ports().iter().for_each(reads_back);
        pod.volumes().iter().for_each(reads_back);
        reads_back(pod.labels());
        reads_back(pod.requests());
        pod.requests().iter().for_each(|(_, amount)| reads_back(&amount));
    }
    for kind in problem.instance_types() {
        reads_back(kind);
        kind.requirements().iter().for_each(reads_back);
        for offering in kind.offerings() {
            reads_back(offering);
            reads_back(&offering.price());
            offering.reservation().into_iter().for_each(reads_back);
        }
    }
    for pool in problem.node_pools() {
        reads_back(pool);
        reads_back(pool.disruption());
        pool.disruption().budgets.iter().for_each(reads_back);
        pool.taints().iter().for_each(reads_back);
    }
    problem.nodes().iter().for_each(reads_back);
    problem.pod_disruption_budgets().iter().for_each(reads_back);
    problem.namespaces().iter().for_each(reads_back);
}

#[test]
fn every_part_of_a_problem_reads_back_alone() {
    all_parts(&Problem::from_json(&valid().to_string()).unwrap());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cases");
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let case: serde_json::Value = serde_json::from_str(&text).unwrap();
        if let Ok(problem) = Problem::from_json(&case["problem"].to_string()) {
            all_parts(&problem);
        }
    }
}

#[test]
fn parts_are_as_in_documents_and_their_faults_have_paths() {
    let pod: Pod = serde_json::from_str(r#"{"name": "web", "requests": {"cpu": 0.25}}"#).unwrap();
    let requests = Resources::parse([("cpu", "250m")]).unwrap();
    assert_eq!(pod, Pod::new("web").with_requests(requests));
    let text = serde_json::to_string(&pod).unwrap();
    assert_eq!(text, r#"{"name":"web","requests":{"cpu":"250m"}}"#);
    assert_eq!(serde_json::to_string(&Price::from_nanos(92_800_000)).unwrap(), "0.0928");
    let dear = Price::from_nanos(9_007_199_254_740_993);
    assert_eq!(serde_json::to_string(&dear).unwrap(), r#""9007199.254740993""#);
    reads_back(&dear);
    reads_back(&Quantity::MAX);
    reads_back(&Labels::new());
    reads_back(&Taint::new("gpu", "", plimsoll::model::Effect::NoExecute));
    reads_back(&Toleration::exists("gpu"));

    let error =
        serde_json::from_str::<Pod>(r#"{"name": "web", "requests": {"cpu": "1,5"}, "x": 1}"#);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("requests[cpu]: \"1,5\" is not a quantity; expected 1.5"), "{text}");
    assert!(text.contains("x: an unknown field"), "{text}");
    assert!(serde_json::from_str::<NodePool>("[]").unwrap_err().to_string().contains("a map"));
    assert!(serde_json::from_str::<Node>(r#"{"name": "n"}"#).is_err());
    assert!(serde_json::from_str::<InstanceType>("{}").is_err());
    assert!(serde_json::from_str::<Offering>("{}").is_err());
}
