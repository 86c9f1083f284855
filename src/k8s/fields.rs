//! The fields of Kubernetes' objects, as of version 1.37: those that are read, and those that play
//! no part in where a pod goes. A field in neither list is refused, since it may restrict
//! scheduling. What is below a field of the second list plays no part either, whether it is known
//! or not: only what is read can say less than its author meant.
//!
//! Sources: the reference of the API, <https://kubernetes.io/docs/reference/kubernetes-api/>, and
//! of those that are only in alpha the enhancement proposals.
//!
//! How to keep it: with a new version of Kubernetes, go through the reference of the API, and put
//! each new field of these objects into the first list with a reader, or into the second with the
//! reason why it plays no part. Until then objects that have it are refused by name, which is what
//! their owners see.

/// The fields that are read, and those that may be there and are not.
pub(super) type FieldsOf = (&'static [&'static str], &'static [&'static str]);

/// Of a container only its ports and resources bear on a placement; of an init container also
/// whether it is a sidecar.
const IGNORED_OF_CONTAINER: &[&str] = &[
    "args",
    "command",
    "env",
    "envFrom",
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "securityContext",
    "startupProbe",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
    "volumeDevices",
    "volumeMounts",
    "workingDir",
];

pub(super) const CONTAINER: FieldsOf = (&["name", "ports", "resources"], IGNORED_OF_CONTAINER);

pub(super) const INIT_CONTAINER: FieldsOf =
    (&["name", "ports", "resources", "restartPolicy"], IGNORED_OF_CONTAINER);

pub(super) const CAPACITY_BUFFER: FieldsOf = (
    &["limits", "percentage", "podTemplateRef", "provisioningStrategy", "replicas", "scalableRef"],
    &[],
);

/// `os` is one that plays no part: the scheduler doesn't read it, and a node selector says the
/// same.
pub(super) const POD_SPEC: FieldsOf = (
    &[
        "affinity",
        "containers",
        "hostNetwork",
        "initContainers",
        "nodeName",
        "nodeSelector",
        "overhead",
        "priority",
        "priorityClassName",
        "resourceClaims",
        "resources",
        "runtimeClassName",
        "schedulerName",
        "schedulingGates",
        "schedulingGroup",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
        "workloadRef",
    ],
    &[
        "activeDeadlineSeconds",
        "automountServiceAccountToken",
        "dnsConfig",
        "dnsPolicy",
        "enableServiceLinks",
        // They may have no requests and no host ports.
        "ephemeralContainers",
        "evictionResponders",
        "hostAliases",
        "hostIPC",
        "hostPID",
        "hostUsers",
        "hostname",
        "hostnameOverride",
        "imagePullSecrets",
        "os",
        // Nothing here preempts.
        "preemptionPolicy",
        "readinessGates",
        "restartPolicy",
        "securityContext",
        "serviceAccount",
        "serviceAccountName",
        "setHostnameAsFQDN",
        "shareProcessNamespace",
        "subdomain",
        "terminationGracePeriodSeconds",
    ],
);

/// Volumes that tie a pod to no node and take none of its attachments: an inline `csi` volume is
/// one, and an `emptyDir` with a size isn't counted when a pod is placed.
pub(super) const VOLUME: FieldsOf = (
    &[
        "name",
        "persistentVolumeClaim",
        "ephemeral",
        "awsElasticBlockStore",
        "azureDisk",
        "gcePersistentDisk",
    ],
    &[
        "azureFile",
        "cephfs",
        "cinder",
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "fc",
        "flexVolume",
        "flocker",
        "gitRepo",
        "glusterfs",
        "hostPath",
        "image",
        "iscsi",
        "nfs",
        "photonPersistentDisk",
        "portworxVolume",
        "projected",
        "quobyte",
        "rbd",
        "scaleIO",
        "secret",
        "storageos",
        "vsphereVolume",
    ],
);

pub(super) const DEPLOYMENT: FieldsOf = (
    &["replicas", "selector", "template"],
    &["minReadySeconds", "paused", "progressDeadlineSeconds", "revisionHistoryLimit", "strategy"],
);

pub(super) const REPLICA_SET: FieldsOf =
    (&["replicas", "selector", "template"], &["minReadySeconds"]);

pub(super) const STATEFUL_SET: FieldsOf = (
    &["ordinals", "replicas", "selector", "template", "volumeClaimTemplates"],
    &[
        "minReadySeconds",
        "persistentVolumeClaimRetentionPolicy",
        "podManagementPolicy",
        "revisionHistoryLimit",
        "serviceName",
        "updateStrategy",
    ],
);

pub(super) const DAEMON_SET: FieldsOf =
    (&["selector", "template"], &["minReadySeconds", "revisionHistoryLimit", "updateStrategy"]);

pub(super) const JOB: FieldsOf = (
    &["completions", "managedBy", "parallelism", "scheduling", "selector", "suspend", "template"],
    &[
        "activeDeadlineSeconds",
        "backoffLimit",
        "backoffLimitPerIndex",
        "completionMode",
        "manualSelector",
        "maxFailedIndexes",
        "podFailurePolicy",
        "podReplacementPolicy",
        "successPolicy",
        "ttlSecondsAfterFinished",
    ],
);

pub(super) const NODE_SPEC: FieldsOf = (
    &["taints", "unschedulable"],
    &["configSource", "externalID", "podCIDR", "podCIDRs", "providerID"],
);

pub(super) const DISRUPTION_BUDGET: FieldsOf =
    (&["maxUnavailable", "minAvailable", "selector", "unhealthyPodEvictionPolicy"], &[]);

pub(super) const CLAIM: FieldsOf = (
    &["accessModes", "storageClassName", "volumeName"],
    &[
        "dataSource",
        "dataSourceRef",
        "resources",
        "selector",
        "volumeAttributesClassName",
        "volumeMode",
    ],
);

pub(super) const VOLUME_SPEC: FieldsOf = (
    &["awsElasticBlockStore", "azureDisk", "csi", "gcePersistentDisk", "nodeAffinity"],
    &[
        "accessModes",
        "azureFile",
        "capacity",
        "cephfs",
        "cinder",
        "claimRef",
        "fc",
        "flexVolume",
        "flocker",
        "glusterfs",
        "hostPath",
        "iscsi",
        "local",
        "mountOptions",
        "nfs",
        "persistentVolumeReclaimPolicy",
        "photonPersistentDisk",
        "portworxVolume",
        "quobyte",
        "rbd",
        "scaleIO",
        "storageClassName",
        "storageos",
        "volumeAttributesClassName",
        "volumeMode",
        "vsphereVolume",
    ],
);
