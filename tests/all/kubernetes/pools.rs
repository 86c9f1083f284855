//! Node pools of all versions, overlays, and the groups of Cluster Autoscaler.

use super::{convert, convert_with, noted, problem, refused};
use plimsoll::k8s::ConvertOptions;
use plimsoll::model::{BudgetNodes, ConsolidationPolicy, Delay, TimeSpan};
use plimsoll::{InstanceType, NodePool, Offering, Resources};

fn only_pool(text: &str) -> NodePool {
    let problem = problem(text);
    let [pool] = problem.node_pools() else { panic!("one pool") };
    pool.clone()
}

/// Two types, with an offering on demand and one as spot each.
fn catalog() -> ConvertOptions {
    let of = |name: &str, cpu: &str, price: &str| {
        InstanceType::new(name, Resources::parse([("cpu", cpu), ("pods", "10")]).unwrap())
            .with_label("family", &name[..2])
            .with_offering(Offering::on_demand("a", price.parse().unwrap()))
            .with_offering(Offering::spot("b", "0.05".parse().unwrap()))
    };
    let mut options = ConvertOptions::default();
    options.catalog = vec![of("m5.large", "2", "0.1"), of("c5.large", "2", "0.08")];
    options
}

fn after(seconds: u64) -> Delay {
    TimeSpan::from_seconds(seconds).into()
}

#[test]
fn pools_of_version_1() {
    let pool = only_pool(
        "apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: p}
spec:
  weight: 10
  limits: {cpu: 100, memory: 1Ti, nodes: 5}
  disruption:
    consolidationPolicy: WhenEmpty
    consolidateAfter: 5m
    budgets: [{nodes: 10%}, {nodes: 2, schedule: '0 0 * * *', duration: 24h}]
  template:
    metadata: {labels: {team: a}, annotations: {x: 'y'}}
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: c}
      taints: [{key: t, effect: NoSchedule}]
      startupTaints: [{key: s, effect: NoExecute}]
      expireAfter: 240h
      terminationGracePeriod: 1h
      requirements:
      - {key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand], minValues: 2}
      - {key: karpenter.k8s.aws/instance-generation, operator: Gt, values: ['2']}
",
    );
    assert_eq!((pool.weight(), pool.limits().len()), (10, 3));
    assert_eq!(pool.disruption().consolidation_policy, ConsolidationPolicy::WhenEmpty);
    let budgets = &pool.disruption().budgets;
    assert_eq!(
        budgets.iter().map(|one| one.nodes).collect::<Vec<_>>(),
        [BudgetNodes::Percent(10), BudgetNodes::Count(2)]
    );
    assert_eq!((pool.taints().len(), pool.startup_taints().len()), (1, 1));
    assert_eq!(pool.expire_after(), Some(after(240 * 3_600)));
    assert_eq!(pool.termination_grace_period(), Some(TimeSpan::from_hours(1)));
    assert!(pool.requirements().iter().any(|one| one.min_values == Some(2)));
    let bare = "{apiVersion: karpenter.sh/v1, kind: NodePool, metadata: {name: p}, spec: {template: {spec: {}}}}";
    assert_eq!(only_pool(bare).expire_after(), Some(after(720 * 3_600)));
    let kubelet = bare.replace("spec: {}}", "spec: {kubelet: {maxPods: 20}}}");
    assert!(
        refused(&kubelet)[0].starts_with("NodePool p spec.template.spec.kubelet: an unknown field")
    );
    // Another group's kind of this name is no pool.
    let other = bare.replace("karpenter.sh/v1", "kwok.sigs.run-ai.com/v1");
    assert_eq!(problem(&other).node_pools(), []);
    assert_eq!(noted(&other), ["NodePool p: of a kind that isn't known, and not read"]);
}

#[test]
fn pools_of_version_1_beta_1() {
    let pool = only_pool(
        "apiVersion: karpenter.sh/v1beta1
kind: NodePool
metadata: {name: p}
spec:
  disruption: {consolidationPolicy: WhenUnderutilized, expireAfter: 48h}
  template:
    spec:
      kubelet: {clusterDNS: [10.0.0.1]}
      requirements: [{key: kubernetes.io/arch, operator: In, values: [amd64]}]
",
    );
    let disruption = pool.disruption();
    assert_eq!(disruption.consolidation_policy, ConsolidationPolicy::WhenEmptyOrUnderutilized);
    assert_eq!(disruption.consolidate_after, after(0));
    assert_eq!(pool.expire_after(), Some(after(48 * 3_600)));
    let refused = refused(
        "{apiVersion: karpenter.sh/v1beta1, kind: NodePool, metadata: {name: p}, \
         spec: {template: {spec: {kubelet: {maxPods: 20}}}}}",
    );
    assert_eq!(
        refused,
        ["NodePool p spec.template.spec.kubelet.maxPods: it changes how much of a node pods can \
          have, for this pool alone; expected types in the catalog that have this much, and no \
          such field"]
    );
}

#[test]
fn provisioners() {
    let provisioner = |spec: &str| {
        only_pool(&format!(
            "{{apiVersion: karpenter.sh/v1alpha5, kind: Provisioner, metadata: {{name: p}}, spec: {{{spec}}}}}"
        ))
    };
    let pool = provisioner(
        "limits: {resources: {cpu: 100}}, ttlSecondsAfterEmpty: 30, ttlSecondsUntilExpired: 3600, \
         labels: {team: a}, providerRef: {name: c}, \
         requirements: [{key: karpenter.sh/capacity-type, operator: In, values: [spot]}]",
    );
    assert_eq!(pool.disruption().consolidation_policy, ConsolidationPolicy::WhenEmpty);
    assert_eq!(pool.disruption().consolidate_after, after(30));
    assert_eq!(pool.expire_after(), Some(after(3_600)));
    assert_eq!(pool.limits().len(), 1);
    // What the API filled in: architecture and system, but no second capacity type.
    assert_eq!(pool.requirements().len(), 3);
    assert_eq!(pool.labels().get("karpenter.sh/provisioner-name").map(|name| &**name), Some("p"));
    let consolidated = provisioner("consolidation: {enabled: true}");
    assert_eq!(consolidated.disruption().consolidate_after, after(0));
    assert_eq!(provisioner("").disruption().consolidate_after, Delay::Never);
}

#[test]
fn the_heaviest_overlay_sets_the_price() {
    let overlay = |name: &str, weight: u32, spec: &str| {
        format!(
            "{{apiVersion: karpenter.sh/v1alpha1, kind: NodeOverlay, metadata: {{name: {name}}}, \
             spec: {{weight: {weight}, {spec}}}}}"
        )
    };
    let spot = "requirements: [{key: karpenter.sh/capacity-type, operator: In, values: [spot]}]";
    let m5 = "requirements: [{key: family, operator: In, values: [m5]}]";
    let text = [
        overlay("half", 1, "requirements: [], priceAdjustment: \"-50%\""),
        overlay("spot", 5, &format!("{spot}, price: \"0.01\"")),
        overlay("gpu", 3, &format!("{m5}, capacity: {{example.com/gpu: 2}}")),
    ]
    .join("\n---\n");
    let conversion = convert_with(&text, &catalog());
    assert_eq!(conversion.refusals(), []);
    let problem = conversion.problem().unwrap();
    let prices: Vec<_> = problem
        .instance_types()
        .iter()
        .flat_map(|one| one.offerings().iter().map(|offer| (one.name(), offer.price().to_string())))
        .collect();
    let expected =
        [("c5.large", "0.04"), ("c5.large", "0.01"), ("m5.large", "0.05"), ("m5.large", "0.01")];
    assert_eq!(prices, expected.map(|(name, price)| (name, price.to_owned())));
    let gpu = |at: usize| problem.instance_types()[at].capacity().get("example.com/gpu");
    assert_eq!((gpu(0), gpu(1)), (None, Some("2".parse().unwrap())));
    let of_spot = overlay("part", 1, &format!("{spot}, capacity: {{example.com/gpu: 2}}"));
    assert_eq!(convert_with(&of_spot, &catalog()).refusals()[0].path, "spec.capacity");
    assert_eq!(
        noted(&of_spot),
        ["NodeOverlay part spec.requirements: it changes nothing: there is no catalog"]
    );
}

#[test]
fn groups_of_machines_are_pools_of_one_type() {
    let group = "apiVersion: machine.openshift.io/v1beta1
kind: MachineSet
metadata:
  name: workers-a
  annotations:
    machine.openshift.io/cluster-api-autoscaler-node-group-min-size: '0'
    machine.openshift.io/cluster-api-autoscaler-node-group-max-size: '12'
spec:
  replicas: 2
  template:
    spec:
      metadata: {labels: {team: a}}
      taints: [{key: t, effect: NoSchedule}]
      providerSpec: {value: {instanceType: m5.large, placement: {availabilityZone: a}}}
";
    let conversion = convert_with(group, &catalog());
    assert_eq!(conversion.refusals(), []);
    let problem = conversion.problem().unwrap();
    let pool = &problem.node_pools()[0];
    assert_eq!(pool.instance_types().map(|types| types[0].to_string()), Some("m5.large".into()));
    assert_eq!(pool.limits().get("nodes"), Some("10".parse().unwrap()));
    assert_eq!(pool.requirements().len(), 2);
    assert_eq!(pool.taints().len(), 1);
    // Without a catalog it has no price, which is never guessed.
    assert_eq!(convert(group).refusals()[0].path, "spec.template.spec");
}

#[test]
fn a_pool_is_added_where_there_is_none() {
    let conversion = convert_with("", &catalog());
    assert_eq!(conversion.problem().unwrap().node_pools()[0].name(), "default");
    assert_eq!(conversion.notes().len(), 1);
    let text = "{apiVersion: karpenter.sh/v1, kind: NodePool, metadata: {name: p}, spec: {template: {spec: {}}}}";
    assert_eq!(convert_with(text, &catalog()).problem().unwrap().node_pools().len(), 1);
}
