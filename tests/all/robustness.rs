//! Whatever the input, the answer is a value or an error, soon: never a panic.

use plimsoll::{LaunchPlan, Pod, Price, Problem, Quantity};
use proptest::prelude::*;
use std::fmt::Write as _;

/// A small valid document with a bit of everything; the mutations start from it.
const VALID: &str = r#"{
 "pods": [
  {"name": "web", "replicas": 3, "labels": {"app": "web"}, "requests": {"cpu": "250m", "memory": "1.5Gi"},
   "nodeSelector": {"kubernetes.io/arch": "amd64"},
   "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
     {"nodeSelectorTerms": [{"matchExpressions": [{"key": "cpu", "operator": "Gt", "values": ["4"]}]}]}}},
   "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}],
   "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
   "hostPorts": [{"port": 80, "hostIP": "::1"}], "volumes": [{"driver": "d", "id": "v", "zones": ["z"]}]},
  {"name": "b", "nodeName": "n", "priority": -5}],
 "instanceTypes": [{"name": "t", "capacity": {"cpu": 2, "pods": 9}, "overhead": {"cpu": 0.08},
  "offerings": [{"zone": "z", "capacityType": "spot", "price": 0.0928, "interruptionRate": 3.5e-05}]}],
 "nodePools": [{"name": "p", "limits": {"nodes": 3}, "requirements": [
  {"key": "a", "operator": "In", "values": ["b", "c"], "minValues": 2}],
  "disruption": {"budgets": [{"nodes": "10%", "schedule": "@daily", "duration": "1h"}]}}],
 "nodes": [{"name": "n", "allocatable": {"cpu": "1"}, "lifetimeRemaining": 0.5}],
 "daemonSets": [{"name": "d"}],
 "podDisruptionBudgets": [{"name": "w", "namespace": "x", "selector": {}, "disruptionsAllowed": 1}],
 "namespaces": [{"name": "x", "labels": {"l": "m"}}]
}"#;

const PLAN: &str = r#"{
 "templates": [{"nodePool": "p", "offering": {"instanceType": "t", "zone": "z", "capacityType": "spot"},
  "price": 0.0928, "alternatives": [], "labels": {"a": "b"}, "taints": [], "startupTaints": [],
  "capacity": {"cpu": "2"}, "requirements": []}],
 "launches": [{"template": 0, "pods": ["default/web-0"], "requests": {"cpu": "1"}}],
 "bindings": [{"pod": "default/web-1", "node": "n"}],
 "unschedulable": [{"pod": "default/web-2", "reasons": [{"code": "c", "sentence": "s", "candidates": 1}]}],
 "cost": {"total": 0.0928, "fees": 0, "lowerBound": "0.05", "gap": 0.46, "proof": "within"},
 "stats": {"classes": 1, "solveSeconds": 0.1}
}"#;

/// Reads a text as both documents; what is read must be written, printed and read again.
fn read(text: &str) {
    match Problem::from_json(text) {
        Ok(problem) => {
            let again = Problem::from_json(&problem.to_json());
            assert_eq!(again.as_ref(), Ok(&problem));
        }
        Err(error) => {
            assert!(error.is_invalid_input());
            assert!(!error.findings().is_empty());
            assert!(error.findings().iter().all(|f| !f.path.is_empty() && !f.expected.is_empty()));
            assert!(!error.to_string().is_empty());
        }
    }
    match LaunchPlan::from_json(text) {
        Ok(plan) => {
            assert!(!plan.to_string().is_empty());
            assert_eq!(LaunchPlan::from_json(&plan.to_json()).as_ref(), Ok(&plan));
        }
        Err(error) => assert!(error.is_invalid_input()),
    }
}

/// Numbers, words and marks that mean something to the readers, or once did.
const FRAGMENTS: [&str; 32] = [
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "1e-999",
    "-0",
    "0.1",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "\"\"",
    "\"a/b\"",
    "\"1e999999999\"",
    "\"-1\"",
    "\"1Ei\"",
    "\"1.5.5\"",
    "\"é\u{301}\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "[]",
    "{}",
    "[[]]",
    "{\"\":{}}",
    "\"name\"",
    "\"Never\"",
    "\"99999999999h\"",
    "\"%\"",
    "\"web-1\"",
    "\"In\"",
    "\"Gte\"",
    ",",
    "}",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn truncated_documents(at in 0..VALID.len(), plan in any::<bool>()) {
        let text = if plan { PLAN } else { VALID };
        read(text.get(..at.min(text.len())).unwrap_or(text));
    }

    /// A few values or bytes of a valid document are replaced.
    #[test]
    fn mutated_documents(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..FRAGMENTS.len()), 1..5),
        plan in any::<bool>(),
    ) {
        let mut text = if plan { PLAN } else { VALID }.to_owned();
        for (place, fragment) in changes {
            // Where a value begins or ends.
            let marks: Vec<usize> = text
                .char_indices()
                .filter(|(_, c)| matches!(c, '"' | '[' | ']' | '{' | '}' | ':' | ','))
                .map(|(i, _)| i)
                .collect();
            prop_assume!(marks.len() > 1);
            let from = place.index(marks.len() - 1);
            text.replace_range(marks[from] + 1..marks[from + 1], FRAGMENTS[fragment]);
        }
        read(&text);
    }

    /// One value of the tree is replaced, so the text stays JSON and reading goes deep.
    #[test]
    fn mutated_values(place in any::<prop::sample::Index>(), fragment in 0..FRAGMENTS.len(), plan in any::<bool>()) {
        let Ok(other) = serde_json::from_str(FRAGMENTS[fragment]) else { return Ok(()) };
        let mut tree: serde_json::Value =
            serde_json::from_str(if plan { PLAN } else { VALID }).unwrap();
        let at = place.index(count(&tree));
        replace(&mut tree, &mut { at }, other);
        read(&tree.to_string());
    }

    #[test]
    fn random_quantities(text in "[-+]?[0-9.]{0,40}([eE][-+]?[0-9]{0,20}|[numkMGTPEi]{0,3})") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
        }
        if let Ok(price) = text.parse::<Price>() {
            prop_assert_eq!(price.to_string().parse(), Ok(price));
        }
    }
}

/// How many values a tree has.
fn count(tree: &serde_json::Value) -> usize {
    1 + match tree {
        serde_json::Value::Array(items) => items.iter().map(count).sum(),
        serde_json::Value::Object(entries) => entries.values().map(count).sum(),
        _ => 0,
    }
}

/// Replaces the value that is number `at` in the tree.
fn replace(tree: &mut serde_json::Value, at: &mut usize, other: serde_json::Value) -> bool {
    if *at == 0 {
        *tree = other;
        return true;
    }
    *at -= 1;
    match tree {
        serde_json::Value::Array(items) => {
            items.iter_mut().any(|item| replace(item, at, other.clone()))
        }
        serde_json::Value::Object(entries) => {
            entries.values_mut().any(|value| replace(value, at, other.clone()))
        }
        _ => false,
    }
}

#[test]
fn the_starting_points_are_valid() {
    Problem::from_json(VALID).unwrap();
    let _plan = LaunchPlan::from_json(PLAN).unwrap();
}

#[test]
fn deep_nesting_is_an_error() {
    for depth in [60, 70, 127, 200, 100_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert!(Problem::from_json(&text).is_err());
            let inner = format!("{{\"pods\": {text}, \"instanceTypes\": [], \"nodePools\": []}}");
            assert!(Problem::from_json(&inner).is_err());
        }
    }
}

#[test]
fn huge_exponents_cost_nothing() {
    for text in [
        "1e999999999",
        "1e-999999999",
        "0e999999999",
        "1e99999999999999999999",
        "1E+9223372036854775807",
    ] {
        let document = |amount: &str| VALID.replace("\"250m\"", amount);
        let _read = Problem::from_json(&document(text));
        let _read = Problem::from_json(&document(&format!("\"{text}\"")));
    }
    let long = format!("\"{}\"", "9".repeat(1_000_000));
    // As Kubernetes does, what is larger than any amount is taken for the largest.
    assert!(Problem::from_json(&VALID.replace("\"250m\"", &long)).is_ok());
    let long = format!("\"0.{}1\"", "0".repeat(1_000_000));
    assert!(Problem::from_json(&VALID.replace("\"250m\"", &long)).is_ok());
}

#[test]
fn a_long_list_of_faults_is_cut_with_its_count() {
    let mut pods = String::new();
    for i in 0..30_000 {
        let _ok = write!(pods, "{}{i}", if i == 0 { "" } else { "," });
    }
    let text = format!("{{\"pods\": [{pods}], \"instanceTypes\": [], \"nodePools\": []}}");
    let error = Problem::from_json(&text).unwrap_err();
    assert!(error.findings().len() <= 10_001);
    assert!(error.findings().last().is_some_and(|last| last.problem.contains("further faults")));
}

/// Work on hostile shapes stays near linear: each of these would take minutes if it were quadratic.
#[test]
fn hostile_shapes_are_read_soon() {
    let many = 100_000;
    // Keys in falling order, each of which would go to the front of a sorted list.
    let mut labels = String::new();
    let mut tolerations = String::new();
    let mut ports = String::new();
    let mut pods = String::new();
    for i in (0..many).rev() {
        let comma = if i + 1 == many { "" } else { "," };
        let _ok = write!(labels, "{comma}\"k{i:06}\": \"v\"");
        let _ok = write!(tolerations, "{comma}{{\"key\": \"k{i}\", \"operator\": \"Exists\"}}");
        let _ok = write!(
            ports,
            "{comma}{{\"port\": 80, \"hostIP\": \"::{:x}:{:x}\"}}",
            i / 65536,
            i % 65536
        );
        let _ok =
            write!(pods, ",{{\"name\": \"web-{i}\"}},{{\"name\": \"s{i}\", \"replicas\": 2}}");
    }
    let text = format!(
        "{{\"pods\": [{{\"name\": \"a\", \"labels\": {{{labels}}}, \"nodeSelector\": {{{labels}}},
           \"tolerations\": [{tolerations}], \"hostPorts\": [{ports}]}}{pods}],
           \"instanceTypes\": [], \"nodePools\": []}}"
    );
    let problem = Problem::from_json(&text).unwrap();
    assert_eq!(problem.pods().len(), 1 + 2 * many);
    assert_eq!(Problem::from_json(&problem.to_json()).as_ref(), Ok(&problem));
}

#[test]
fn prices_out_of_range_are_errors() {
    use plimsoll::{InstanceType, Offering, Resources};
    for nanos in [-1, i128::MIN, i128::MAX, Price::MAX_UNIT.nanos() + 1] {
        let instance_type = InstanceType::new("t", Resources::parse([("pods", "1")]).unwrap())
            .with_offering(Offering::spot("z", Price::from_nanos(nanos)));
        let error = Problem::builder().instance_type(instance_type).build().unwrap_err();
        assert_eq!(error.findings()[0].path, "instanceTypes[0].offerings[0].price");
    }
    let error = Problem::builder()
        .pod(Pod::new("a").with_replicas(u32::MAX))
        .pod(Pod::new("b").with_replicas(10_000_000))
        .pod(Pod::new("c").with_replicas(1))
        .build()
        .unwrap_err();
    let paths: Vec<&str> = error.findings().iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["pods", "pods[0].replicas"]);
}

#[test]
fn a_field_without_a_name_has_a_path() {
    let error = Problem::from_json(r#"{"": 1, "pods": [], "instanceTypes": [], "nodePools": []}"#);
    let paths: Vec<String> =
        error.unwrap_err().findings().iter().map(|fault| fault.path.clone()).collect();
    assert_eq!(paths, ["document[\"\"]"]);
}
