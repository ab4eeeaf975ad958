"""What of a Kubernetes Job, CronJob or JobSet is a job of ours?

Source: kubernetes.io, batch/v1 of Kubernetes 1.34, and JobSet v1alpha2; read in November 2026.
"""

from typing import Any

from weyr.importing import amounts
from weyr.importing.draft import Draft, Fields, Verdict
from weyr.stack.tree import Node

KINDS = ("Job", "CronJob", "JobSet")
DEVICES = (
    "nvidia.com/gpu",
    "amd.com/gpu",
    "google.com/tpu",
    "habana.ai/gaudi",
    "aws.amazon.com/neuron",
    "gpu.intel.com/xe",
)
PLACE = "Which nodes it gets is for the pool (`pool:`) to say."
RIGHTS = "A task gets no rights over the machine it runs on."
JOB_REASONS = {
    "ttlSecondsAfterFinished": "A job's record stays until it is taken out of the stack.",
    "podFailurePolicy": "`retries` counts by reason: exit codes in `never_on`, memory, time, interruptions.",
    "podReplacementPolicy": "Another attempt begins once the one before is proved to be over.",
    "successPolicy": "`done_when: first` ends a gang with its member 0.",
    "selector": "A job's attempts are known by its name.",
    "manualSelector": "A job's attempts are known by its name.",
    "managedBy": "Weyr's loop manages it.",
}
POD_REASONS = {
    **dict.fromkeys(
        ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "nodeName", "schedulerName"), PLACE
    ),
    **dict.fromkeys(
        ("securityContext", "hostNetwork", "hostIPC", "hostPID", "runtimeClassName", "shareProcessNamespace"), RIGHTS
    ),
    **dict.fromkeys(
        ("serviceAccountName", "serviceAccount", "automountServiceAccountToken"),
        "A task has a token of its own, good for what it names.",
    ),
    "imagePullSecrets": "Log the engine's container runtime in to the registry.",
    "initContainers": "Put their commands before the job's own.",
    "volumes": "Weyr keeps data in buckets; a job names those it `reads` and `writes`.",
    "priorityClassName": "Order within a queue is set on the job's `queue`.",
    "priority": "Order within a queue is set on the job's `queue`.",
    "subdomain": "Members of a gang find one another at MASTER_ADDR.",
    "dnsPolicy": "Names are looked up as the engine's nodes do.",
}  # fmt: skip
CONTAINER_REASONS = {
    "volumeMounts": "Nothing is mounted; read and write buckets over S3 at $AWS_ENDPOINT_URL.",
    "imagePullPolicy": "The engine pulls an image that it does not have.",
    "securityContext": RIGHTS,
    "ports": "A job's ports are not opened to others; a service has an address.",
    "lifecycle": "A job is told with SIGTERM, `grace` before it is killed.",
    **dict.fromkeys(
        ("livenessProbe", "readinessProbe", "startupProbe"), "A job has no probes; a service has `health`."
    ),
}


def read_object(root: Node, draft: Draft) -> None:
    """Adds what a manifest asks for to the draft; other kinds of objects are left out, and that is said."""
    manifest = Fields(root, draft)
    manifest.take("apiVersion")
    kind = manifest.text("kind")
    metadata = manifest.within("metadata")
    name = metadata.text("name") or metadata.text("generateName").rstrip("-") or draft.name
    _metadata(metadata)
    spec = manifest.within("spec")
    match kind:
        case "Job":
            _job(spec, name, {}, draft)
        case "CronJob":
            _cron(spec, name, draft)
        case "JobSet":
            _set(spec, name, draft)
        case _:
            manifest.left("kind", f"A {kind or 'document without a kind'} is none of {', '.join(KINDS)}.")
            return
    manifest.take("status")
    manifest.leave_rest({})


def _metadata(metadata: Fields) -> None:
    labels = metadata.within("labels")
    queue = labels.text("kueue.x-k8s.io/queue-name")
    if queue:
        labels.left("kueue.x-k8s.io/queue-name", f"Make a queue {queue}, and name it with `queue:`.")
    metadata.left("namespace", "A stack is what a namespace is there; `weyr.yaml` is its name.")
    # The rest of the labels and all annotations say nothing about what runs.
    for name in (
        "labels",
        "annotations",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "ownerReferences",
    ):
        metadata.take(name)
    metadata.leave_rest({})


def _cron(spec: Fields, name: str, draft: Draft) -> None:
    cron, zone = spec.text("schedule"), spec.text("timeZone")
    policy = spec.text("concurrencyPolicy")
    schedule = {"cron": cron, "time_zone": zone or "UTC", "overlap": "replace" if policy == "Replace" else "skip"}
    fields: dict[str, Any] = {"schedule": schedule}
    if policy in ("", "Allow"):
        why = "A run that is due while the one before still runs is left out, where Kubernetes would run both."
        draft.say(spec.line("concurrencyPolicy"), spec.path("concurrencyPolicy"), Verdict.CHANGED, why)
    if spec.text("suspend") == "true":
        fields["suspend"] = True
    template = spec.within("jobTemplate")
    template.take("metadata")
    _job(template.within("spec"), name, fields, draft)
    template.leave_rest({})
    spec.leave_rest(
        dict.fromkeys(("successfulJobsHistoryLimit", "failedJobsHistoryLimit"), "Weyr keeps the story: weyr events.")
    )


def _set(spec: Fields, name: str, draft: Draft) -> None:
    jobs = list(spec.each("replicatedJobs"))
    for job in jobs:
        own = job.text("name")
        copies = job.number("replicas") or 1
        template = job.within("template")
        template.take("metadata")
        for index in range(copies):
            ending = f"-{index}" if copies > 1 else ""
            _job(template.within("spec"), f"{name}-{own}{ending}" if len(jobs) * copies > 1 else name, {}, draft, True)
        if job.take("dependsOn"):
            job.left("dependsOn", "Say `needs:` on the job that waits.")
        template.leave_rest({})
        job.leave_rest({})
    if len(jobs) > 1:
        spec.changed("replicatedJobs", "Each part is a job of its own: they do not begin or end together.")
    spec.leave_rest({"network": "Members of a gang find one another at MASTER_ADDR."})


def _job(spec: Fields, name: str, fields: dict[str, Any], draft: Draft, is_gang: bool = False) -> None:
    parallel, completions = spec.number("parallelism") or 1, spec.number("completions")
    is_indexed = spec.text("completionMode") == "Indexed"
    if is_gang or (is_indexed and completions == parallel and parallel > 1):
        fields["replicas"] = parallel if parallel > 1 else None
        spec.changed("completionMode", "As many run at once as there are indices: they are a gang, and begin together.")
    elif completions and completions > 1:
        fields["array"] = {"count": completions, "max_parallel": parallel}
        may_fail = spec.number("maxFailedIndexes")
        if may_fail is not None:
            fields["array"]["may_fail"] = may_fail
    elif parallel > 1:
        fields["replicas"] = parallel
        spec.changed("parallelism", "Pods that share out a queue of work are a gang here, and begin together.")
    retries = spec.number("backoffLimit" if "backoffLimit" in spec else "backoffLimitPerIndex")
    fields["retries"] = {"max": 6 if retries is None else retries}
    if retries is None:
        draft.say(
            0,
            "spec.backoffLimit",
            Verdict.CHANGED,
            "Kubernetes tries 6 more times where nothing is said; so does this.",
        )
    deadline = spec.number("activeDeadlineSeconds")
    if deadline:
        fields["time_limit"] = amounts.duration(deadline)
        spec.changed("activeDeadlineSeconds", "It is each attempt's limit, not that of all together.")
    if spec.text("suspend") == "true":
        fields["suspend"] = True
    template = spec.within("template")
    template.take("metadata")
    _pod(template.within("spec"), fields, is_indexed)
    template.leave_rest({})
    draft.add("jobs", name, fields)
    spec.leave_rest(JOB_REASONS)


def _pod(pod: Fields, fields: dict[str, Any], is_indexed: bool) -> None:
    containers = list(pod.each("containers"))
    for other in containers[1:]:
        pod.left(
            "containers", f"A job runs one program; {other.text('name') or 'another container'} needs a job of its own."
        )
    if containers:
        _container(containers[0], fields, is_indexed)
    grace = pod.text("terminationGracePeriodSeconds")
    fields["grace"] = amounts.duration(float(grace)) if grace.isdecimal() else "30s"
    policy = pod.text("restartPolicy")
    if policy == "OnFailure":
        pod.changed(
            "restartPolicy", "Each failure is followed by a new attempt, as with Never; nothing restarts in place."
        )
    pod.leave_rest(POD_REASONS)


def _container(container: Fields, fields: dict[str, Any], is_indexed: bool) -> None:
    container.take("name")
    words = [_scalar(node) for name in ("command", "args") for node in container.items(name)]
    if not container.items("command"):
        container.to_do("image", "It runs what its image begins with; write that before the arguments in `run`.")
        words = words or ["true"]
    if is_indexed:
        words = ["/bin/sh", "-c", 'JOB_COMPLETION_INDEX="${WEYR_ARRAY_INDEX:-$WEYR_REPLICA}" exec "$@"', "sh", *words]
    fields["run"] = words
    fields["image"] = container.text("image")
    fields["folder"] = container.text("workingDir")
    _variables(container, fields)
    resources = container.within("resources")
    limits, requests = resources.within("limits"), resources.within("requests")
    fields["resources"] = _resources(limits, requests)
    resources.leave_rest({})
    container.leave_rest(CONTAINER_REASONS)


def _resources(limits: Fields, requests: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, parse, key in (
        ("cpu", amounts.kubernetes_cpu, "cpu"), ("memory", amounts.kubernetes_size, "memory"),
    ):  # fmt: skip
        limit, request = limits.read(name, parse), requests.read(name, parse)
        found[key] = limit or request
        if limit and request and limit != request:
            requests.changed(name, "The limit is also what is set aside for the job.")
        elif request and not limit:
            requests.changed(name, "What is asked for is also the limit.")
    for device in DEVICES:
        count = limits.text(device) or requests.text(device)
        if count.isdecimal() and int(count):
            found["accelerators"] = int(count)
    for fields in (limits, requests):
        fields.leave_rest({"ephemeral-storage": "A job's disk is its node's."})
    return {key: value for key, value in found.items() if value}


def _variables(container: Fields, fields: dict[str, Any]) -> None:
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for variable in container.each("env"):
        name = variable.text("name")
        source = variable.within("valueFrom")
        key = source.within("secretKeyRef")
        if key.text("name"):
            secrets[name] = source.secret("secretKeyRef", name, f"{key.text('name')}-{key.text('key')}")
        elif "valueFrom" in variable:
            source.leave_rest(
                {
                    "configMapKeyRef": f"Write the value of {name} into `env`.",
                    "fieldRef": "A job finds its name, attempt and member in WEYR_JOB, WEYR_ATTEMPT and WEYR_REPLICA.",
                    "resourceFieldRef": "A job knows what it asked for.",
                }
            )
        else:
            env[name] = variable.text("value")
    if "envFrom" in container:
        container.left("envFrom", "Write its variables into `env` and `secrets`, one by one.")
    fields["env"], fields["secrets"] = env, secrets


def _scalar(node: Node) -> str:
    return "" if isinstance(node.value, dict | list) or node.value is None else str(node.value)
