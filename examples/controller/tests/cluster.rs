//! The controller against a fake of the API, on a clock of the test's own: pods come and go, a
//! cloud gives nodes or has none, and what the controller asks of the API is looked at.

mod fake;

use fake::Fake;
use plimsoll::{InstanceType, Offering, Resources};
use plimsoll_controller::controller::Settings;
use plimsoll_controller::run::run;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const TYPE: &str = "node.kubernetes.io/instance-type";
const ZONE: &str = "topology.kubernetes.io/zone";
const CAPACITY: &str = "karpenter.sh/capacity-type";

/// Two sizes in two zones, on demand; zone b is a little dearer.
fn catalog() -> Vec<InstanceType> {
    let of_size = |name: &str, cpu: &str, a: &str, b: &str| {
        let capacity =
            Resources::parse([("cpu", cpu), ("memory", "64Gi"), ("pods", "50")]).unwrap();
        InstanceType::new(name, capacity)
            .with_offering(Offering::on_demand("a", a.parse().unwrap()))
            .with_offering(Offering::on_demand("b", b.parse().unwrap()))
    };
    vec![of_size("m.large", "2", "0.10", "0.11"), of_size("m.2xlarge", "8", "0.40", "0.44")]
}

fn pod(name: &str, cpu: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "default",
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "web", "controller": true,
            }],
        },
        "spec": { "containers": [{ "name": "c", "resources": { "requests": { "cpu": cpu } } }] },
        "status": { "phase": "Pending" },
    })
}

/// A cluster with a pool and nothing else, and a controller that runs beside the test.
fn start() -> Fake {
    let fake = Fake::new();
    fake.put("nodepools", json!({
        "apiVersion": "karpenter.sh/v1", "kind": "NodePool",
        "metadata": { "name": "main" },
        "spec": {
            "template": { "spec": {
                "nodeClassRef": { "group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default" },
                "requirements": [],
            } },
            "disruption": {
                "consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "0s",
                "budgets": [{ "nodes": "100%" }],
            },
        },
    }));
    let client = fake.client();
    let began = Instant::now();
    tokio::spawn(async move {
        let clock = move || 1_800_000_000_000 + i64::try_from(began.elapsed().as_millis()).unwrap();
        let log = |line: String| println!("{line}");
        run(client, Settings::new(catalog()), &clock, &log).await;
    });
    fake
}

async fn after(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

/// What a claim asks for of a label.
fn asked(claim: &Value, key: &str) -> Vec<String> {
    let requirements = claim["spec"]["requirements"].as_array().unwrap();
    let own = requirements.iter().find(|one| one["key"] == key);
    let values = own.and_then(|one| one["values"].as_array());
    values.into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// Does what Karpenter and the cloud do for a claim: gives it the cheapest that it asks for.
fn launch(fake: &Fake, claim: &Value) {
    let (types, zones) = (asked(claim, TYPE), asked(claim, ZONE));
    let catalog = catalog();
    let offered = catalog.iter().filter(|one| types.iter().any(|name| name == one.name()));
    let offered = offered.flat_map(|one| one.offerings().iter().map(move |way| (one, way)));
    let offered = offered.filter(|(_, way)| zones.iter().any(|zone| zone == way.zone()));
    let (of_type, way) = offered.min_by_key(|(_, way)| way.price()).unwrap();
    let labels = json!({
        TYPE: of_type.name(), ZONE: way.zone(), CAPACITY: way.capacity_type().as_str(),
        "karpenter.sh/nodepool": "main", "karpenter.sh/initialized": "true",
        "kubernetes.io/hostname": name(claim),
    });
    let allocatable: Value = of_type
        .capacity()
        .iter()
        .map(|(name, amount)| (name.to_string(), json!(amount.to_string())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let node = format!("node-{}", name(claim));
    let mut claim = claim.clone();
    for (key, value) in labels.as_object().unwrap() {
        claim["metadata"]["labels"][key] = value.clone();
    }
    let is = |kind: &str| json!({ "type": kind, "status": "True" });
    claim["status"] = json!({
        "nodeName": node, "allocatable": allocatable,
        "conditions": [is("Launched"), is("Registered"), is("Initialized"), is("Consolidatable")],
    });
    fake.put("nodeclaims", claim);
    fake.put(
        "nodes",
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": node, "labels": labels },
            "spec": {},
            "status": { "allocatable": allocatable, "conditions": [is("Ready")] },
        }),
    );
}

fn cpu(object: &Value) -> f64 {
    match object.as_str().unwrap_or("0") {
        milli if milli.ends_with('m') => milli.trim_end_matches('m').parse::<f64>().unwrap() / 1e3,
        whole => whole.parse().unwrap(),
    }
}

/// Does what the scheduler does, as far as these pods need it: the fullest node that has room.
fn schedule(fake: &Fake) {
    let requested =
        |pod: &Value| cpu(&pod["spec"]["containers"][0]["resources"]["requests"]["cpu"]);
    for mut pod in fake.objects("pods") {
        if !pod["spec"]["nodeName"].is_null() {
            continue;
        }
        let room = |node: &Value| {
            let own = fake.objects("pods");
            let own = own.iter().filter(|one| one["spec"]["nodeName"] == node["metadata"]["name"]);
            cpu(&node["status"]["allocatable"]["cpu"]) - own.map(requested).sum::<f64>()
        };
        let nodes = fake.objects("nodes");
        let usable = nodes.iter().filter(|node| node["spec"]["unschedulable"] != true);
        let fits =
            usable.map(|node| (room(node), node)).filter(|(room, _)| *room >= requested(&pod));
        if let Some((_, node)) = fits.min_by(|(a, _), (b, _)| a.total_cmp(b)) {
            pod["spec"]["nodeName"] = node["metadata"]["name"].clone();
            pod["status"]["phase"] = "Running".into();
            fake.put("pods", pod);
        }
    }
}

/// The pods on a node.
fn on(fake: &Fake, node: &str) -> Vec<String> {
    let pods = fake.objects("pods").into_iter();
    pods.filter(|pod| pod["spec"]["nodeName"] == node).map(|pod| name(&pod)).collect()
}

/// What the nodes cost per hour.
fn price(fake: &Fake) -> String {
    let catalog = catalog();
    let of_node = |node: &Value| {
        let labels = &node["metadata"]["labels"];
        let of_type = catalog.iter().find(|one| labels[TYPE] == one.name()).unwrap();
        of_type.offerings().iter().find(|way| labels[ZONE] == way.zone()).unwrap().price().nanos()
    };
    let sum: i128 = fake.objects("nodes").iter().map(of_node).sum();
    plimsoll::Price::from_nanos(sum).to_string()
}

fn events(fake: &Fake, reason: &str) -> Vec<Value> {
    fake.objects("events").into_iter().filter(|event| event["reason"] == reason).collect()
}

fn claims_created(calls: &[String]) -> usize {
    calls.iter().filter(|call| call.starts_with("create nodeclaims/")).count()
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_planned_once_and_not_again_while_its_nodes_start() {
    let fake = start();
    after(100).await;
    // Pods that come one after another are one batch.
    for number in 0..8 {
        fake.put("pods", pod(&format!("web-{number}"), "1"));
        after(500).await;
        assert_eq!(claims_created(&fake.take_calls()), 0);
    }
    after(1_000).await;
    // Eight pods of one CPU: a node of eight, or four of two, for the same price.
    let claims = fake.objects("nodeclaims");
    let size = |claim: &Value| cpu(&claim["spec"]["resources"]["requests"]["cpu"]);
    assert_eq!(claims.iter().map(size).sum::<f64>(), 8.0);
    for claim in &claims {
        assert_eq!(
            claim["metadata"]["ownerReferences"][0]["uid"],
            fake.get("nodepools", "", "main").unwrap()["metadata"]["uid"]
        );
        assert_eq!(claim["spec"]["nodeClassRef"]["name"], "default");
    }
    assert_eq!(events(&fake, "Launching").len(), claims.len());

    // While they start, and the cloud hasn't said of what type they are, nothing is bought again:
    // not when time goes by, and not for another batch beside them.
    after(30_000).await;
    assert_eq!(fake.objects("nodeclaims").len(), claims.len());
    fake.put("pods", pod("late", "2"));
    after(3_000).await;
    let later = fake.objects("nodeclaims");
    assert_eq!(later.len(), claims.len() + 1);
    assert_eq!(later.iter().map(size).sum::<f64>(), 10.0);

    // They are launched, the pods bound, and all is quiet.
    later.iter().for_each(|claim| launch(&fake, claim));
    schedule(&fake);
    assert!(fake.objects("pods").iter().all(|pod| !pod["spec"]["nodeName"].is_null()));
    fake.take_calls();
    after(300_000).await;
    assert_eq!(fake.take_calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_a_place_is_told_why_and_placed_when_it_can_be() {
    let fake = start();
    after(100).await;
    fake.put("pods", pod("huge", "9"));
    let mut odd = pod("odd", "1");
    odd["spec"]["resourceClaims"] = json!([{ "name": "gpu", "resourceClaimName": "gpu" }]);
    odd["spec"]["containers"][0]["resources"]["claims"] = json!([{ "name": "gpu" }]);
    fake.put("pods", odd);
    after(2_000).await;
    let said = events(&fake, "NoNodeFits");
    let note = |name: &str| {
        let own = said.iter().find(|event| event["regarding"]["name"] == name);
        own.unwrap_or_else(|| panic!("nothing of {name}: {said:?}"))["note"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(note("huge").contains("cpu"), "{}", note("huge"));
    assert!(note("odd").contains("resourceClaims"), "{}", note("odd"));
    // It is said once, and tried again and again.
    after(60_000).await;
    assert_eq!(events(&fake, "NoNodeFits").len(), 2);
    assert!(fake.objects("nodeclaims").is_empty());
    // A node that somebody adds has room: nothing is launched.
    let mut node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "large" }, "spec": {},
        "status": { "allocatable": { "cpu": "16", "pods": "10" } },
    });
    node["status"]["conditions"] = json!([{ "type": "Ready", "status": "True" }]);
    fake.put("nodes", node);
    after(20_000).await;
    assert!(fake.objects("nodeclaims").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_offering_that_failed_is_avoided_for_a_while() {
    let fake = start();
    after(100).await;
    fake.put("pods", pod("web", "6"));
    after(2_000).await;
    let claims = fake.objects("nodeclaims");
    assert_eq!(claims.len(), 1);
    assert_eq!(asked(&claims[0], ZONE), ["a", "b"]);
    // The cloud has neither; Karpenter deletes the claim.
    fake.remove("nodeclaims", "", &name(&claims[0]));
    after(30_000).await;
    assert!(fake.objects("nodeclaims").is_empty());
    let said = events(&fake, "NoNodeFits");
    assert_eq!(said.len(), 1, "{said:?}");
    // After three minutes it is asked again.
    after(160_000).await;
    assert_eq!(fake.objects("nodeclaims").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nodes_that_are_not_needed_are_drained_and_deleted() {
    let fake = start();
    after(100).await;
    for number in 0..8 {
        fake.put("pods", pod(&format!("web-{number}"), "1"));
    }
    after(2_000).await;
    fake.objects("nodeclaims").iter().for_each(|claim| launch(&fake, claim));
    schedule(&fake);
    // Half of them go.
    for number in 0..4 {
        fake.remove("pods", "default", &format!("web-{number}"));
    }
    let before = price(&fake);
    // A budget guards two of the others for five minutes.
    fake.guard(&["web-4", "web-5"]);
    fake.take_calls();
    let mut waited = false;
    for step in 0..240 {
        after(5_000).await;
        for call in fake.take_calls() {
            // A pod that is evicted is made anew; a machine whose claim is gone ends.
            if let Some(evicted) = call.strip_prefix("evict ") {
                fake.put("pods", pod(&format!("{evicted}-again"), "1"));
            }
            if let Some(claim) = call.strip_prefix("delete nodeclaims/") {
                let node = fake.remove("nodes", "", &format!("node-{claim}")).unwrap();
                assert!(on(&fake, &name(&node)).is_empty(), "{call} while it has pods");
                assert_eq!(node["spec"]["unschedulable"], true);
            }
        }
        let new = fake.objects("nodeclaims");
        new.iter().filter(|claim| claim["status"].is_null()).for_each(|claim| launch(&fake, claim));
        schedule(&fake);
        let guarded = fake.get("pods", "default", "web-4");
        waited |= guarded.is_some_and(|pod| {
            let node = pod["spec"]["nodeName"].as_str().unwrap();
            fake.get("nodes", "", node).unwrap()["spec"]["unschedulable"] == true
        });
        if step == 60 {
            assert!(waited && fake.get("pods", "default", "web-4").is_some());
            fake.guard(&[]);
        }
    }
    // Four pods of one CPU are on two nodes of two.
    assert_eq!((before.as_str(), price(&fake).as_str()), ("0.4", "0.2"));
    let pods = fake.objects("pods");
    assert!(pods.iter().all(|pod| !pod["spec"]["nodeName"].is_null()), "{pods:?}");
    assert!(!events(&fake, "Disrupting").is_empty() && !events(&fake, "Disrupted").is_empty());
    // Nothing is left to do.
    after(600_000).await;
    assert_eq!(fake.take_calls(), [""; 0]);
}
