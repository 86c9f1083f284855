//! Plans as what controllers and clouds are asked for.

use super::{convert_with, problem};
use plimsoll::k8s::{
    ConvertOptions, Dump, NodeClassRef, azure_fleet, ec2_fleet, evictions, gce_bulk_insert,
    node_claim,
};
use plimsoll::model::{Effect, Operator, Requirement, Taint, TimeSpan};
use plimsoll::plan::LaunchPlan;
use plimsoll::{
    InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, consolidate, provision,
};
use serde_json::{Value, json};

fn size(cpu: &str) -> Resources {
    Resources::parse([("cpu", cpu), ("memory", "16Gi"), ("pods", "20")]).unwrap()
}

fn pool() -> NodePool {
    NodePool::new("general")
        .with_label("team", "a")
        .with_taint(Taint::new("t", "x", Effect::NoSchedule))
        .with_startup_taint(Taint::new("s", "", Effect::NoExecute))
        .with_expire_after(TimeSpan::from_hours(240))
        .with_termination_grace_period(TimeSpan::from_hours(1))
}

/// One pod that fits types m (zones r-1 and r-2) and c (zone r-1 only), as spot or on demand.
fn plan() -> (Problem, LaunchPlan) {
    let offering = |zone: &str, capacity_type: &str, price: &str| {
        Offering::new(zone, capacity_type.parse().unwrap(), price.parse().unwrap())
    };
    let m = InstanceType::new("m", size("4"))
        .with_offering(offering("r-1", "spot", "0.05"))
        .with_offering(offering("r-2", "spot", "0.06"))
        .with_offering(offering("r-1", "on-demand", "0.2"));
    let c = InstanceType::new("c", size("4")).with_offering(offering("r-1", "spot", "0.055"));
    let web = Pod::new("web")
        .with_requests(Resources::parse([("cpu", "2500m"), ("memory", "3Gi")]).unwrap())
        .with_toleration(plimsoll::model::Toleration::exists("t"));
    let problem = Problem::builder()
        .pod(web)
        .instance_type(m)
        .instance_type(c)
        .node_pool(pool())
        .build()
        .unwrap();
    let plan = provision(&problem, &Options::default()).unwrap();
    (problem, plan)
}

#[test]
fn a_launch_is_a_claim() {
    let (_, plan) = plan();
    let class = NodeClassRef::new("karpenter.k8s.aws", "EC2NodeClass", "default");
    let claim = node_claim(&plan.launches()[0], &pool(), &class);
    assert_eq!(
        (&claim["apiVersion"], &claim["kind"]),
        (&json!("karpenter.sh/v1"), &json!("NodeClaim"))
    );
    let labels = &claim["metadata"]["labels"];
    assert_eq!(labels["karpenter.sh/nodepool"], "general");
    assert_eq!(labels["team"], "a");
    // What an alternative may be other than the choice isn't said of the node.
    assert_eq!(labels.get("node.kubernetes.io/instance-type"), None);
    let spec = &claim["spec"];
    assert_eq!(spec["taints"], json!([{"key": "t", "value": "x", "effect": "NoSchedule"}]));
    assert_eq!(spec["startupTaints"], json!([{"key": "s", "effect": "NoExecute"}]));
    assert_eq!(
        spec["resources"]["requests"],
        json!({"cpu": "2500m", "memory": "3Gi", "pods": "1"})
    );
    assert_eq!(spec["nodeClassRef"]["name"], "default");
    assert_eq!(
        (&spec["expireAfter"], &spec["terminationGracePeriod"]),
        (&json!("240h"), &json!("1h"))
    );
    let types: Vec<&Value> = spec["requirements"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["key"] == "node.kubernetes.io/instance-type")
        .map(|one| &one["values"])
        .collect();
    assert_eq!(types, [&json!(["c", "m"])]);
}

/// A claim that is read back, with what it was launched with, is a node of the same pool and
/// labels.
#[test]
fn a_claim_reads_back_as_a_node_on_its_way() {
    let (problem_, plan) = plan();
    let class = NodeClassRef::new("karpenter.k8s.aws", "EC2NodeClass", "default");
    let mut claim = node_claim(&plan.launches()[0], &pool(), &class);
    claim["metadata"]["name"] = "general-x".into();
    claim["status"] = json!({"allocatable": {"cpu": "4", "memory": "16Gi", "pods": "20"}});
    let mut dump = Dump::new();
    dump.add(&claim).unwrap();
    let mut options = ConvertOptions::default();
    options.catalog = problem_.instance_types().to_vec();
    let conversion = dump.convert(&options);
    assert_eq!(conversion.refusals(), []);
    let read = conversion.problem().unwrap();
    let node = &read.nodes()[0];
    assert_eq!((node.name(), node.initialized()), ("general-x", false));
    assert_eq!(node.labels().get("karpenter.sh/nodepool").map(|pool| &**pool), Some("general"));
    assert_eq!(node.taints().len(), 2);
}

#[test]
fn selections_of_the_clouds_list_alternatives_alone() {
    let (_, plan) = plan();
    let template = plan.launches()[0].template();
    assert_eq!(
        ec2_fleet(template, 3),
        json!({
            "Type": "instant",
            "TargetCapacitySpecification":
                {"TotalTargetCapacity": 3, "DefaultTargetCapacityType": "spot"},
            "LaunchTemplateConfigs": [{"Overrides": [
                {"InstanceType": "m", "AvailabilityZone": "r-1", "Priority": 0},
                {"InstanceType": "c", "AvailabilityZone": "r-1", "Priority": 1},
                {"InstanceType": "m", "AvailabilityZone": "r-2", "Priority": 2},
            ]}],
            "SpotOptions": {"AllocationStrategy": "capacity-optimized-prioritized"},
        })
    );
    // Type c isn't sold in r-2, so r-2 isn't in a list that would be combined with it.
    assert_eq!(
        gce_bulk_insert(template, 3),
        json!({
            "count": 3,
            "instanceFlexibilityPolicy": {"instanceSelections": {
                "rank-1": {"rank": 1, "machineTypes": ["m"]},
                "rank-2": {"rank": 2, "machineTypes": ["c"]},
            }},
            "locationPolicy": {"locations": {"zones/r-1": {"preference": "ALLOW"}}},
            "instanceProperties": {"scheduling": {"provisioningModel": "SPOT"}},
        })
    );
    assert_eq!(
        azure_fleet(template, 3),
        json!({
            "zones": ["1"],
            "properties": {
                "vmSizesProfile": [{"name": "m", "rank": 0}, {"name": "c", "rank": 1}],
                "spotPriorityProfile":
                    {"capacity": 3, "minCapacity": 3, "allocationStrategy": "CapacityOptimized"},
            },
        })
    );
}

#[test]
fn classes_of_pools() {
    let mut dump = Dump::new();
    dump.add_text(
        "pools",
        "{apiVersion: karpenter.sh/v1, kind: NodePool, metadata: {name: p}, spec: {template: {spec: {\
         nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: c}}}}}
---
{apiVersion: karpenter.sh/v1beta1, kind: NodePool, metadata: {name: q}, spec: {template: {spec: {\
         nodeClassRef: {apiVersion: karpenter.k8s.aws/v1beta1, kind: EC2NodeClass, name: c}}}}}",
    );
    let class = NodeClassRef::new("karpenter.k8s.aws", "EC2NodeClass", "c");
    assert_eq!(dump.node_class_of("p"), Some(class.clone()));
    assert_eq!(dump.node_class_of("q"), Some(class));
    assert_eq!(dump.node_class_of("r"), None);
}

#[test]
fn an_action_is_a_list_of_evictions() {
    let node = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{\
             node.kubernetes.io/instance-type: m, topology.kubernetes.io/zone: r-1, \
             karpenter.sh/capacity-type: on-demand, karpenter.sh/nodepool: general, \
             karpenter.sh/initialized: \"true\"}}}}, \
             status: {{allocatable: {{cpu: 4, memory: 16Gi, pods: 20}}}}}}"
        )
    };
    let pod = |name: &str, owner: &str, node: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: x, ownerReferences: [\
             {{kind: {owner}, name: o, controller: true}}]}}, status: {{phase: Running}}, \
             spec: {{nodeName: {node}, containers: [{{name: c, resources: {{requests: {{cpu: 1}}}}}}]}}}}"
        )
    };
    let text = [
        node("n1"),
        node("n2"),
        pod("a", "ReplicaSet", "n1"),
        pod("b", "ReplicaSet", "n2"),
        pod("d1", "DaemonSet", "n1"),
        pod("d2", "DaemonSet", "n2"),
        "{apiVersion: karpenter.sh/v1, kind: NodePool, metadata: {name: general}, spec: {template: {spec: {}}}}".into(),
    ]
    .join("\n---\n");
    let mut options = ConvertOptions::default();
    let on_demand = Offering::on_demand("r-1", "0.2".parse().unwrap());
    options.catalog = vec![InstanceType::new("m", size("4")).with_offering(on_demand)];
    let conversion = convert_with(&text, &options);
    assert_eq!(conversion.refusals(), []);
    let problem_ = conversion.problem().unwrap();
    let plan = consolidate(&problem_, &Options::default()).unwrap();
    let [action] = plan.actions() else { panic!("one action: {plan:?}") };
    let evicted = evictions(&problem_, action);
    let names: Vec<_> = evicted
        .iter()
        .map(|one| (one.metadata.namespace.as_deref(), one.metadata.name.as_deref()))
        .collect();
    let moved = if &*action.delete[0] == "n1" { "a" } else { "b" };
    assert_eq!(names, [(Some("x"), Some(moved))]);
}

/// A requirement that is written and read again is the same.
#[test]
fn requirements_read_back() {
    let of_pool = Requirement::new("karpenter.k8s.aws/instance-cpu", Operator::Gt, ["3"]);
    let text = "{apiVersion: karpenter.sh/v1, kind: NodePool, metadata: {name: p}, spec: {template: {spec: {\
                requirements: [{key: karpenter.k8s.aws/instance-cpu, operator: Gt, values: [\"3\"]}]}}}}";
    assert_eq!(problem(text).node_pools()[0].requirements(), [of_pool]);
}
