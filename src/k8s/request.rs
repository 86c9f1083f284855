//! What a pod asks of its node in all, by Kubernetes' rules (v1.36).
//!
//! Everybody sums the containers, and for one real pod in ten that is wrong: init containers run
//! before them, sidecars start among those and go on, limits stand in for requests that aren't
//! there, a pod may state its sum itself, and while a pod is resized it holds the most of what it
//! has and wants. For each resource, exactly:
//!
//! ```text
//! use(c)  = requests, and the limit of what isn't requested;
//!           while the status of c says what it has: the most of that, what it was allocated, and
//!           (unless the node has found the resize infeasible) what it requests
//! run     = sum of use(containers) + sum of use(sidecars)
//! peak(i) = use(i) + sum of use(sidecars before i), for each init container
//! pod     = the pod's own request of cpu, memory and huge pages, else the most of run and all peaks
//! total   = pod + overhead
//! ```
//!
//! A pod's own limit without a request stands for it only where no container asks for the resource.
//! Amounts are added up as they are written and rounded up once, at the end: cpu to
//! thousandths, all else to whole units.
//!
//! Sources: `PodRequests` of <https://pkg.go.dev/k8s.io/component-helpers/resource>,
//! <https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers>,
//! and the enhancement proposals 753, 1287 and 2837.

use super::fields::{CONTAINER, INIT_CONTAINER};
use crate::model::document::pod::read_protocol;
use crate::model::document::read::{Cursor, Fields, resources, text, whole};
use crate::model::document::value::Value;
use crate::model::{CPU, PODS, Protocol, Quantity, Resources};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Exact amounts in billionths, by resource.
type ExactAmounts = BTreeMap<Arc<str>, i128>;

/// A container's part in what the pod asks for.
#[derive(Debug, Default)]
pub(super) struct Container {
    name: Arc<str>,
    pub(super) requests: Resources,
    pub(super) limits: Resources,
    /// Whether it uses devices that the pod claims.
    pub(super) uses_claims: bool,
    pub(super) ports: Vec<ContainerPort>,
}

/// A port that a container names.
#[derive(Debug)]
pub(super) struct ContainerPort {
    pub(super) container_port: Option<u16>,
    pub(super) host_port: Option<u16>,
    pub(super) host_ip: Option<Arc<str>>,
    pub(super) protocol: Protocol,
}

/// An init container; a sidecar goes on running.
#[derive(Debug)]
pub(super) struct InitContainer {
    pub(super) container: Container,
    pub(super) sidecar: bool,
}

/// What a pod and its containers ask for, as it is written.
#[derive(Debug, Default)]
pub(super) struct Demands {
    pub(super) containers: Vec<Container>,
    pub(super) init_containers: Vec<InitContainer>,
    pod: Option<Container>,
    pub(super) overhead: Option<Resources>,
}

impl Demands {
    /// Reads them from the fields of a pod's `spec`.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            containers: fields.list("containers", |cursor| {
                let mut fields = cursor.object_beside(CONTAINER.0, CONTAINER.1);
                Some(read_container(&mut fields))
            }),
            init_containers: fields.list("initContainers", |cursor| {
                let mut fields = cursor.object_beside(INIT_CONTAINER.0, INIT_CONTAINER.1);
                let sidecar = fields.optional("restartPolicy", text);
                let sidecar = sidecar.as_deref() == Some("Always");
                Some(InitContainer { container: read_container(&mut fields), sidecar })
            }),
            pod: fields.optional("resources", read_resources),
            overhead: fields.optional("overhead", resources),
        }
    }

    /// The resources that Kubernetes doesn't have and that no device could have: misspelt ones.
    pub(super) fn misspelt(&self) -> BTreeSet<&str> {
        let of_init = self.init_containers.iter().map(|init| &init.container);
        let all = self.containers.iter().chain(of_init).chain(&self.pod);
        let names = all.flat_map(|one| one.requests.iter().chain(one.limits.iter()));
        let is_known = |name: &str| {
            matches!(name, CPU | "memory" | "ephemeral-storage" | "storage" | PODS)
                || name.starts_with("hugepages-")
                || name.contains('/')
        };
        names.map(|(name, _)| &**name).filter(|name| !is_known(name)).collect()
    }

    /// The amounts below a unit in what isn't cpu, as they are written: hardly ever meant.
    pub(super) fn fractions(&self) -> impl Iterator<Item = (&Arc<str>, Quantity)> {
        let of_init = self.init_containers.iter().map(|init| &init.container);
        let all = self.containers.iter().chain(of_init).chain(&self.pod);
        let amounts = all.flat_map(|container| container.requests.iter());
        amounts.filter(|(name, amount)| ***name != *CPU && amount.nanos() % NANO != 0)
    }

    /// What the pod asks for in all; `status` is that of a pod that runs.
    pub(super) fn total(&self, status: Option<&Value<'_>>) -> Resources {
        let status = status.map(|value| Status { value, infeasible: is_infeasible(value) });
        let of = |container: &Container, list: &str| {
            let has = status.as_ref().and_then(|status| status.of(list, &container.name));
            container.uses(has.as_ref())
        };
        let mut sidecars = ExactAmounts::new();
        let mut most = ExactAmounts::new();
        for InitContainer { container, sidecar } in &self.init_containers {
            if *sidecar {
                add(&mut sidecars, &of(container, "initContainerStatuses"));
                raise(&mut most, &sidecars);
            } else {
                let mut peak = container.uses(None);
                add(&mut peak, &sidecars);
                raise(&mut most, &peak);
            }
        }
        let mut run = sidecars;
        for container in &self.containers {
            add(&mut run, &of(container, "containerStatuses"));
        }
        raise(&mut most, &run);
        if let Some(pod) = &self.pod {
            let has = status.as_ref().and_then(Status::of_pod);
            for (name, amount) in pod.own_requests(&most, has.as_ref()) {
                let _of_containers = most.insert(name, amount);
            }
        }
        for (name, amount) in self.overhead.iter().flat_map(Resources::iter) {
            *most.entry(Arc::clone(name)).or_default() += amount.nanos();
        }
        most.into_iter().map(|(name, nanos)| (Arc::clone(&name), rounded(&name, nanos))).collect()
    }
}

const NANO: i128 = 1_000_000_000;

/// An amount in counting units, rounded up.
fn rounded(name: &str, nanos: i128) -> Quantity {
    let up = |unit: i128| {
        let whole = nanos.div_euclid(unit) + i128::from(nanos.rem_euclid(unit) != 0);
        u64::try_from(whole).unwrap_or(u64::MAX)
    };
    if name == CPU {
        Quantity::from_millis(up(NANO / 1000))
    } else {
        Quantity::from_units(up(NANO))
    }
}

fn add(sum: &mut ExactAmounts, amounts: &ExactAmounts) {
    for (name, amount) in amounts {
        let sum = sum.entry(Arc::clone(name)).or_default();
        *sum = sum.saturating_add(*amount);
    }
}

fn raise(most: &mut ExactAmounts, amounts: &ExactAmounts) {
    for (name, amount) in amounts {
        let most = most.entry(Arc::clone(name)).or_default();
        *most = (*most).max(*amount);
    }
}

fn amounts(resources: &Resources) -> ExactAmounts {
    resources.iter().map(|(name, amount)| (Arc::clone(name), amount.nanos())).collect()
}

/// The resources that a pod may ask for as a whole.
fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// What a running container or pod has, by its status.
struct Held {
    /// The most of what it was allocated and what it runs with.
    amounts: ExactAmounts,
    /// Whether what its spec asks for will never be.
    infeasible: bool,
}

impl Held {
    /// What counts of a container that holds this and requests that.
    fn with(&self, requests: ExactAmounts) -> ExactAmounts {
        let mut most = self.amounts.clone();
        if !self.infeasible {
            raise(&mut most, &requests);
        }
        most
    }
}

impl Container {
    fn uses(&self, has: Option<&Held>) -> ExactAmounts {
        let mut requests = amounts(&self.limits);
        requests.extend(amounts(&self.requests));
        match has {
            None => requests,
            Some(held) => held.with(requests),
        }
    }

    /// What a pod asks for as a whole, given what its containers do.
    fn own_requests(&self, containers: &ExactAmounts, has: Option<&Held>) -> ExactAmounts {
        let mut requests = amounts(&self.requests);
        for (name, limit) in self.limits.iter() {
            let _entry = requests
                .entry(Arc::clone(name))
                .or_insert_with(|| containers.get(name).copied().unwrap_or(limit.nanos()));
        }
        let mut requests = match has {
            None => requests,
            Some(held) => held.with(requests),
        };
        requests.retain(|name, _| is_pod_level(name));
        requests
    }
}

/// The status of a pod that runs.
struct Status<'s> {
    value: &'s Value<'s>,
    infeasible: bool,
}

impl Status<'_> {
    /// What a container has; `None` where its status doesn't say.
    fn of(&self, list: &str, name: &str) -> Option<Held> {
        let of_name =
            |status: &&Value<'_>| status.get("name").and_then(Value::as_text) == Some(name);
        self.held(self.value.get(list)?.items().iter().find(of_name)?)
    }

    /// What the pod has as a whole.
    fn of_pod(&self) -> Option<Held> {
        self.held(self.value)
    }

    fn held(&self, status: &Value<'_>) -> Option<Held> {
        let mut amounts = quantities(status.get("resources")?.get("requests"));
        raise(&mut amounts, &quantities(status.get("allocatedResources")));
        Some(Held { amounts, infeasible: self.infeasible })
    }
}

/// Whether the node can never give the pod what a resize asks for.
fn is_infeasible(status: &Value<'_>) -> bool {
    let conditions = status.get("conditions").map_or(&[][..], Value::items);
    let pending = conditions.iter().find(|condition| {
        condition.get("type").and_then(Value::as_text) == Some("PodResizePending")
    });
    let reason = pending.and_then(|condition| condition.get("reason")?.as_text());
    reason == Some("Infeasible")
}

/// The amounts of a status; what can't be read there is nothing.
fn quantities(map: Option<&Value<'_>>) -> ExactAmounts {
    let Some(Value::Map(entries)) = map else { return ExactAmounts::new() };
    let amount = |value: &Value<'_>| -> Option<Quantity> {
        match value {
            Value::Text(text) => text.parse().ok(),
            Value::Integer(number) => number.to_string().parse().ok(),
            Value::Float(number) => number.to_string().parse().ok(),
            _ => None,
        }
    };
    let entry = |(name, value): &(std::borrow::Cow<'_, str>, Value<'_>)| {
        Some((Arc::from(&**name), amount(value)?.nanos()))
    };
    entries.iter().filter_map(entry).collect()
}

fn read_container(fields: &mut Fields<'_>) -> Container {
    let name = fields.optional("name", text).unwrap_or_default();
    let mut container = fields.optional("resources", read_resources).unwrap_or_default();
    container.name = name;
    container.ports = fields.list("ports", read_port);
    container
}

fn read_resources(cursor: Cursor<'_>) -> Option<Container> {
    let mut fields = cursor.object(&["requests", "limits", "claims"]);
    Some(Container {
        requests: fields.optional("requests", resources).unwrap_or_default(),
        limits: fields.optional("limits", resources).unwrap_or_default(),
        uses_claims: fields.has("claims"),
        ..Container::default()
    })
}

fn read_port(cursor: Cursor<'_>) -> Option<ContainerPort> {
    let known = &["containerPort", "hostPort", "hostIP", "protocol"];
    let mut fields = cursor.object_beside(known, &["name"]);
    Some(ContainerPort {
        container_port: fields.optional("containerPort", whole),
        host_port: fields.optional("hostPort", whole).filter(|port| *port > 0),
        host_ip: fields.optional("hostIP", text).filter(|address| !address.is_empty()),
        protocol: fields.optional("protocol", read_protocol).unwrap_or_default(),
    })
}

/// The total of a pod's `spec` alone, whatever else is there.
pub(super) fn read_total(cursor: Cursor<'_>, status: Option<&Value<'_>>) -> Option<Resources> {
    let Value::Map(entries) = cursor.value else { return cursor.wrong("a pod's spec") };
    let names = ["containers", "initContainers", "resources", "overhead"];
    let asked = |(name, _): &&(std::borrow::Cow<'_, str>, Value<'_>)| names.contains(&&**name);
    let asked = Value::Map(entries.iter().filter(asked).cloned().collect());
    let of_these = Cursor { value: &asked, path: cursor.path, faults: cursor.faults };
    let mut fields = of_these.object(&["containers", "initContainers", "resources", "overhead"]);
    Some(Demands::read(&mut fields).total(status))
}
