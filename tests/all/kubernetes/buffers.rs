//! Capacity buffers: placeholder pods of a template's or a workload's kind.

use super::{convert, problem, refused};
use plimsoll::model::Placeholder;

const SHAPE: &str = "
apiVersion: v1
kind: PodTemplate
metadata: {name: chunk, namespace: shop}
template:
  metadata: {labels: {app: web}}
  spec:
    nodeSelector: {disk: ssd}
    containers: [{name: c, resources: {requests: {cpu: 500m, memory: 1Gi}}}]
    volumes: [{name: data, persistentVolumeClaim: {claimName: nobody-has-it}}]
---
";

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 12
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, resources: {requests: {cpu: '1'}}}]}
---
";

fn buffer(spec: &str) -> String {
    format!(
        "
apiVersion: autoscaling.x-k8s.io/v1beta1
kind: CapacityBuffer
metadata: {{name: room, namespace: shop}}
spec: {{{spec}}}
"
    )
}

#[test]
fn a_buffer_of_a_template_is_room_for_its_pods() {
    let spec = "podTemplateRef: {name: chunk}, replicas: 9, limits: {cpu: '2'}";
    let problem = problem(&format!("{SHAPE}{}", buffer(spec)));
    let room = problem.pod("shop", "room").unwrap();
    assert_eq!((room.replicas(), room.priority()), (4, i32::MIN));
    assert_eq!(room.placeholder(), Some(Placeholder::Launch));
    assert_eq!(room.labels().get("app").map(|value| &**value), Some("web"));
    assert_eq!(room.node_selector().get("disk").map(|value| &**value), Some("ssd"));
    assert!(room.volumes().is_empty());
    assert_eq!(problem.pods().len(), 1);
}

#[test]
fn a_buffer_of_a_workload_is_a_share_of_it() {
    let spec = "scalableRef: {apiGroup: apps, kind: Deployment, name: web}, percentage: 20, \
        provisioningStrategy: buffer.x-k8s.io/active-capacity";
    let problem = problem(&format!("{WEB}{}", buffer(spec)));
    let replicas = |name: &str| problem.pod("shop", name).map(|pod| pod.replicas());
    assert_eq!((replicas("web"), replicas("room")), (Some(12), Some(3)));
}

/// A budget counts the pods that there are, not the room for more.
#[test]
fn room_is_none_of_a_budgets_pods() {
    let budget = "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {minAvailable: 10, selector: {matchLabels: {app: web}}}
---
";
    let spec = "scalableRef: {kind: Deployment, name: web}, replicas: 50";
    let problem = problem(&format!("{WEB}{budget}{}", buffer(spec)));
    assert_eq!(problem.pod_disruption_budgets()[0].disruptions_allowed, 2);
}

#[test]
fn a_buffer_that_cannot_be_is_refused_and_one_of_nothing_noted() {
    let refusal = |spec: &str| refused(&format!("{SHAPE}{WEB}{}", buffer(spec))).join("; ");
    for (spec, said) in [
        ("replicas: 1", "not one of podTemplateRef and scalableRef"),
        ("podTemplateRef: {name: other}, replicas: 1", "there is no PodTemplate \"other\""),
        ("scalableRef: {kind: Rollout, name: web}, replicas: 1", "there is no Rollout \"web\""),
        (
            "podTemplateRef: {name: chunk}, replicas: 1, provisioningStrategy: buffer.gke.io/standby-capacity",
            "spec.provisioningStrategy: \"buffer.gke.io/standby-capacity\"",
        ),
        ("podTemplateRef: {name: chunk}, replicas: 1, refillStrategy: none", "refillStrategy"),
    ] {
        assert!(refusal(spec).contains(said), "{spec}: {}", refusal(spec));
    }
    let conversion = convert(&format!("{SHAPE}{}", buffer("podTemplateRef: {name: chunk}")));
    assert_eq!(conversion.refusals(), []);
    assert!(conversion.notes().iter().any(|note| note.message == "it asks for no room now"));
    let broken = SHAPE.replace("cpu: 500m", "cpu: many");
    let said =
        refused(&format!("{broken}{}", buffer("podTemplateRef: {name: chunk}, replicas: 1")));
    assert!(said[0].contains("PodTemplate chunk: template.spec.containers"), "{said:?}");
}
