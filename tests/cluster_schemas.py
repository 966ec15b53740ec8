"""The parts of the published Kubernetes schemas that `cluster/` uses, as JSON Schema.

Types, required fields and enumerations of `ray.io/v1` follow the KubeRay 1.7.0 API reference and its Go types
(a field without `omitempty` is required), those of `batch/v1` and `v1` the Kubernetes API reference. A field
that is not listed is refused: the usual mistake is a wrong name, which the server drops in silence.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
POSITIVE: Schema = {"type": "integer", "minimum": 1}
SWITCH: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
QUANTITY: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$"}
DNS_LABEL: Schema = {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 47}


def fields(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """An object of just these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def one_of(*values: str) -> Schema:
    return {"enum": list(values)}


SECRET_KEY = fields(("name", "key"), name=TEXT, key=TEXT, optional=SWITCH)
ENV = {
    "oneOf": [
        fields(("name", "value"), name=TEXT, value=TEXT),
        fields(
            ("name", "valueFrom"), name=TEXT, valueFrom=fields(("secretKeyRef",), secretKeyRef=SECRET_KEY)
        ),
    ]
}
ENV_FROM = fields(("secretRef",), secretRef=fields(("name",), name=TEXT, optional=SWITCH))
AMOUNTS = fields(cpu=QUANTITY, memory=QUANTITY)
CONTAINER = fields(
    ("name", "image"),
    name=TEXT,
    image=TEXT,
    command=list_of(TEXT),
    args=list_of(TEXT),
    env=list_of(ENV),
    envFrom=list_of(ENV_FROM),
    ports=list_of(fields(("containerPort",), containerPort=POSITIVE, name={**TEXT, "maxLength": 15})),
    resources=fields(("requests",), requests=AMOUNTS, limits=AMOUNTS),
    securityContext=fields(
        allowPrivilegeEscalation={"const": False}, capabilities=fields(drop={"const": ["ALL"]})
    ),
)
POD = fields(
    ("containers",),
    serviceAccountName=TEXT,
    automountServiceAccountToken=SWITCH,
    restartPolicy=one_of("Always", "OnFailure", "Never"),
    terminationGracePeriodSeconds=COUNT,
    nodeSelector=TEXTS,
    securityContext=fields(
        ("runAsNonRoot",),
        runAsNonRoot={"const": True},
        runAsUser=POSITIVE,
        runAsGroup=POSITIVE,
        fsGroup=POSITIVE,
        seccompProfile=fields(("type",), type=one_of("RuntimeDefault", "Localhost", "Unconfined")),
    ),
    containers=list_of(CONTAINER),
)
POD_TEMPLATE = fields(("spec",), metadata=fields(labels=TEXTS, annotations=TEXTS), spec=POD)

HEAD_GROUP = fields(
    ("rayStartParams", "template"), serviceType=TEXT, rayStartParams=TEXTS, template=POD_TEMPLATE
)
WORKER_GROUP = fields(
    ("groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"),
    groupName=TEXT,
    replicas=COUNT,
    minReplicas=COUNT,
    maxReplicas=COUNT,
    idleTimeoutSeconds=COUNT,
    rayStartParams=TEXTS,
    template=POD_TEMPLATE,
)
RAY_CLUSTER_SPEC = fields(
    ("headGroupSpec",),
    rayVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
    authOptions=fields(mode=one_of("disabled", "token"), secretName=TEXT),
    enableInTreeAutoscaling=SWITCH,
    autoscalerOptions=fields(
        version=one_of("v1", "v2"),
        upscalingMode=one_of("Default", "Aggressive", "Conservative"),
        idleTimeoutSeconds=COUNT,
    ),
    headGroupSpec=HEAD_GROUP,
    workerGroupSpecs=list_of(WORKER_GROUP),
)
RAY_JOB_SPEC = {
    **fields(
        ("entrypoint",),
        entrypoint=TEXT,
        runtimeEnvYAML=TEXT,
        submissionMode=one_of("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"),
        backoffLimit=COUNT,
        activeDeadlineSeconds=POSITIVE,
        shutdownAfterJobFinishes=SWITCH,
        ttlSecondsAfterFinished=COUNT,
        suspend=SWITCH,
        clusterSelector=TEXTS,
        rayClusterSpec=RAY_CLUSTER_SPEC,
    ),
    "oneOf": [{"required": ["rayClusterSpec"]}, {"required": ["clusterSelector"]}],
    "if": {"properties": {"ttlSecondsAfterFinished": POSITIVE}, "required": ["ttlSecondsAfterFinished"]},
    "then": {
        "properties": {"shutdownAfterJobFinishes": {"const": True}},
        "required": ["shutdownAfterJobFinishes"],
    },
}
CRON_JOB_SPEC = fields(
    ("schedule", "jobTemplate"),
    schedule={"type": "string", "pattern": r"^\S+ \S+ \S+ \S+ \S+$"},
    timeZone=TEXT,
    concurrencyPolicy=one_of("Allow", "Forbid", "Replace"),
    startingDeadlineSeconds=COUNT,
    successfulJobsHistoryLimit=COUNT,
    failedJobsHistoryLimit=COUNT,
    suspend=SWITCH,
    jobTemplate=fields(
        ("spec",),
        spec=fields(
            ("template",),
            backoffLimit=COUNT,
            activeDeadlineSeconds=POSITIVE,
            ttlSecondsAfterFinished=COUNT,
            template=POD_TEMPLATE,
        ),
    ),
)


def document(api: str, kind: str, **rest: Schema) -> Schema:
    """A whole Kubernetes object of one kind."""
    return fields(
        ("apiVersion", "kind", "metadata", *rest),
        apiVersion={"const": api},
        kind={"const": kind},
        metadata=fields(("name",), name=DNS_LABEL, labels=TEXTS, annotations=TEXTS),
        **rest,
    )


SCHEMAS = {
    "RayCluster": document("ray.io/v1", "RayCluster", spec=RAY_CLUSTER_SPEC),
    "RayJob": document("ray.io/v1", "RayJob", spec=RAY_JOB_SPEC),
    "CronJob": document("batch/v1", "CronJob", spec=CRON_JOB_SPEC),
    "ServiceAccount": document("v1", "ServiceAccount"),
}
