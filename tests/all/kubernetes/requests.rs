//! Effective requests: examples by hand, and real pods with what Kubernetes counts of them.

use plimsoll::k8s::Dump;
use plimsoll::{Quantity, Resources};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Amounts in whole units, cpu in thousandths.
fn counted(requests: &Resources) -> BTreeMap<String, u64> {
    let count = |name: &str, amount: Quantity| {
        let unit = if name == "cpu" { 1_000_000 } else { 1_000_000_000 };
        assert_eq!(amount.nanos() % unit, 0, "{name} is rounded");
        u64::try_from(amount.nanos() / unit).unwrap()
    };
    requests.iter().map(|(name, amount)| (name.to_string(), count(name, amount))).collect()
}

#[test]
fn worked_examples() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/objects/effective-requests.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut dump = Dump::new();
    dump.add_text("effective-requests.yaml", &text);
    let (requests, refusals) = dump.requests();
    assert_eq!(refusals, []);
    let expected: Vec<&str> =
        text.split("expected: '").skip(1).map(|rest| rest.split('\'').next().unwrap()).collect();
    assert_eq!(requests.len(), 13);
    assert_eq!(expected.len(), requests.len());
    for (pod, expected) in requests.iter().zip(expected) {
        let expected: BTreeMap<String, u64> = serde_json::from_str(expected).unwrap();
        assert_eq!(counted(&pod.requests), expected, "{}", pod.object);
    }
}

/// Real pods of public repositories, where their files are at hand.
#[test]
fn real_pods() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/objects");
    let Ok(lines) = std::fs::read_to_string(folder.join("effective-requests.jsonl")) else {
        eprintln!("skipped: there are no real objects beside this repository");
        return;
    };
    let mut by_file: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        by_file.entry(row["src"].as_str().unwrap().to_owned()).or_default().push(row);
    }
    let mut checked = 0;
    for (file, rows) in by_file {
        let mut dump = Dump::new();
        dump.add_text(&file, &std::fs::read_to_string(folder.join(&file)).unwrap());
        let (requests, _) = dump.requests();
        for row in rows {
            let expected: BTreeMap<String, u64> =
                serde_json::from_value(row["requests"].clone()).unwrap();
            let is = |pod: &&plimsoll::k8s::PodRequests| {
                *pod.object.kind == *row["kind"].as_str().unwrap()
                    && *pod.object.name == *row["name"].as_str().unwrap()
                    && pod.object.namespace.as_deref() == row["namespace"].as_str()
            };
            let found: Vec<_> =
                requests.iter().filter(is).map(|pod| counted(&pod.requests)).collect();
            assert!(found.contains(&expected), "{row}: {found:?}");
            checked += 1;
        }
    }
    println!("{checked} effective requests of real pods");
}

#[test]
fn typed_pods_have_the_same_requests() {
    let object = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c"}], "resources": {"limits": {"cpu": "2"}}}});
    let typed: k8s_openapi::api::core::v1::Pod = serde_json::from_value(object).unwrap();
    let mut dump = Dump::new();
    dump.add(&typed).unwrap();
    let (requests, _) = dump.requests();
    assert_eq!(counted(&requests[0].requests), BTreeMap::from([("cpu".into(), 2000)]));
}
