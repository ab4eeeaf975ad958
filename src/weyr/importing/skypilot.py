"""What of a SkyPilot task is a job, or a service, of ours?

Source: docs.skypilot.co, reference of the task YAML, read in November 2026.
"""

from typing import Any

from weyr.importing import amounts
from weyr.importing.draft import Draft, Fields, Verdict, scalar_text, script
from weyr.stack.tree import Node

TASK_FIELDS = frozenset(("run", "setup", "resources", "num_nodes", "workdir", "file_mounts", "envs"))
TASK_REASONS = {
    "volumes": "Weyr keeps data in buckets; a job names those it `reads` and `writes`.",
    "config": "Weyr has no settings of a cloud in a task.",
    "experimental": "What is experimental there has no promise to be kept here.",
    "event_callback": "Notices are a budget's; `weyr events` tells a job's story.",
    "pool": "A pool of SkyPilot's workers is not one of ours; name a pool of this stack with `pool:`.",
}
PLACE = "Where it runs is for the engine (`on:`) and the pool to say, not for the job."
RESOURCE_REASONS = {
    **dict.fromkeys(("cloud", "infra", "region", "zone", "instance_type"), PLACE),
    **dict.fromkeys(("disk_size", "disk_tier", "local_disk"), "A job's disk is its node's."),
    "network_tier": "A job's network is its node's.",
    "autostop": "A job's nodes are free once it ends; a pool has an idle time of its own.",
    "labels": "Labels are a pool's, not a job's.",
    "accelerator_args": "TPU runtimes are a pool's to say.",
    "priority": "Order within a queue is set on the job's `queue`.",
    "max_hourly_cost": "A budget limits what a stack spends.",
}

DELAYS = ("upscale_delay_seconds", "downscale_delay_seconds")


def read_task(root: Node, draft: Draft) -> None:
    """Adds what a task's document asks for to the draft."""
    task = Fields(root, draft)
    name = task.text("name") or draft.name
    fields = _common(task)
    nodes = task.number("num_nodes")
    if "service" in task:
        _service(task, name, fields, draft)
    else:
        fields["replicas"] = nodes if nodes and nodes > 1 else None
        draft.add("jobs", name, fields)
    task.leave_rest(TASK_REASONS)


def _common(task: Fields) -> dict[str, Any]:
    setup, run = task.text("setup"), task.text("run")
    if setup:
        task.changed("setup", "It runs before the command in every attempt; SkyPilot runs it once for each cluster.")
    if not run:
        run = "true"
        task.to_do("run", "The task has no command; write one.")
    fields: dict[str, Any] = {"run": script("set -e" if setup else "", setup, run)}
    fields["folder"] = _folder(task)
    fields |= _variables(task)
    fields |= _resources(task.within("resources"))
    _mounts(task.within("file_mounts"), task)
    return fields


def _folder(task: Fields) -> str:
    node = task.take("workdir")
    if node is not None and isinstance(node.value, dict):
        task.left("workdir", "It is a repository; check it out beside the stack file and name its folder.")
        return ""
    folder = task.text("workdir")
    if folder.startswith("~"):
        task.left("workdir", f"{folder} is in a home folder; `folder:` is relative to the stack file, or absolute.")
        return ""
    return "" if folder == "." else folder


def _variables(task: Fields) -> dict[str, Any]:
    env, secrets = {}, {}
    envs = task.within("envs")
    for name in envs.names():
        value = envs.text(name)
        if value:
            env[name] = value
        else:
            env[name] = ""
            envs.to_do(name, "It has no value in the file; write one.")
    given = task.within("secrets")
    for name in given.names():
        given.take(name)
        secrets[name] = given.secret(name, name)
    return {"env": env, "secrets": secrets}


def _resources(resources: Fields) -> dict[str, Any]:
    any_of = [*resources.each("any_of"), *resources.each("ordered")]
    which = "any_of" if "any_of" in resources else "ordered"
    if any_of:
        resources.changed(which, "The first of them is taken; a pool may hold several sorts of nodes.")
    found: dict[str, Any] = {}
    for source in [*any_of[:1], resources]:
        for key, value in _asked(source).items():
            found.setdefault(key, value)
        source.leave_rest(RESOURCE_REASONS)
    out: dict[str, Any] = {
        "resources": {key: found[key] for key in ("cpu", "memory", "accelerators") if found.get(key)},
        "spot": found.get("spot"),
        "image": found.get("image"),
        "retries": found.get("retries"),
    }
    return out


def _asked(resources: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {
        "cpu": resources.read("cpus", lambda text: amounts.whole(float(amounts.at_least(text)))),
        "memory": resources.read("memory", lambda text: amounts.gib(amounts.at_least(text))),
        "accelerators": _accelerators(resources),
        "spot": resources.text("use_spot") == "true" or None,
        "image": _image(resources),
    }
    for name in ("cpus", "memory"):
        if resources.text(name).endswith(("+", "x")):
            resources.changed(name, "It is what the job gets: a request and a limit, not the least it would take.")
    recovery = resources.take("job_recovery")
    if recovery is not None and isinstance(recovery.value, dict):
        rules = resources.within("job_recovery")
        errors = rules.number("max_restarts_on_errors")
        found["retries"] = {"max": errors} if errors else None
        rules.leave_rest(
            {"strategy": "A reclaimed attempt is always followed by another; where is for the pool to say."}
        )
    elif recovery is not None:
        resources.left("job_recovery", "A reclaimed attempt is always followed by another.")
    if "ports" in resources:
        resources.left("ports", "A job's ports are not opened to others; a service has an address.")
    return {key: value for key, value in found.items() if value is not None}


def _image(resources: Fields) -> str | None:
    image = resources.text("image_id")
    if image and not image.startswith("docker:"):
        resources.left("image_id", f"{image} is a machine's image; Weyr runs container images only.")
        return None
    return image.removeprefix("docker:") or None


def _accelerators(resources: Fields) -> str | int | None:
    node = resources.take("accelerators")
    if node is None:
        return None
    match node.value:
        case dict() as several:
            choices = [(model, scalar_text(amount.value)) for model, amount in several.items()]
        case list() as several:
            choices = [_split(scalar_text(item.value)) for item in several]
        case single:
            choices = [_split(scalar_text(single))]
    if len(choices) > 1:
        resources.changed("accelerators", f"The first of {len(choices)} choices is taken, {choices[0][0]}.")
    try:
        return amounts.accelerators(*choices[0])
    except ValueError as e:
        resources.left("accelerators", f"{e}.")
        return None


def _split(text: str) -> tuple[str, str]:
    model, _, amount = text.partition(":")
    return model, amount


def _mounts(mounts: Fields, task: Fields) -> None:
    for target in mounts.names():
        node = mounts.take(target)
        source = ""
        if node is not None and isinstance(node.value, dict):
            inner = mounts.within(target)
            source = inner.text("source") or inner.text("name")
        elif node is not None:
            source = mounts.text(target)
        if "://" in source or (node is not None and isinstance(node.value, dict)):
            why = (
                f"Nothing is mounted; make {source or 'it'} a bucket (`url:`), and use it over S3 at $AWS_ENDPOINT_URL."
            )
        else:
            why = f"The job's folder is all that goes along; put {source} into it."
        mounts.left(target, why)


def _service(task: Fields, name: str, fields: dict[str, Any], draft: Draft) -> None:
    service = task.within("service")
    probe = service.take("readiness_probe")
    path = ""
    if probe is not None and isinstance(probe.value, dict):
        inside = service.within("readiness_probe")
        path = inside.text("path")
        delay = inside.number("initial_delay_seconds")
        if path:
            fields["health"] = {"http": path} | ({"ready_within": amounts.duration(delay)} if delay else {})
        inside.leave_rest({})
    elif probe is not None:
        path = service.text("readiness_probe")
        fields["health"] = {"http": path}
    fields |= _replicas(service, bool(fields.pop("spot", None)))
    port = service.text("ports") or service.text("port")
    draft.say(
        task.line("service"), "service", Verdict.CHANGED,
        f"A service listens at $PORT, which Weyr chooses{f': replace {port} in the command' if port else ''}.",
    )  # fmt: skip
    if fields.pop("retries", None):
        line = task.line("resources")
        draft.say(line, "resources (retries)", Verdict.LEFT_OUT, "A service's replicas are always replaced.")
    service.leave_rest({"load_balancing_policy": "The inference plane sends to whoever has fewest requests."})
    draft.add("services", name, fields)


def _replicas(service: Fields, on_spot: bool) -> dict[str, Any]:
    """How many run: a number, or `scale` where there is a range, a target or a market to choose."""
    policy = service.within("replica_policy")
    least = policy.number("min_replicas")
    least = service.number("replicas") if least is None else least
    most, target = policy.number("max_replicas"), policy.read("target_qps_per_replica", amounts.rate)
    steady = policy.number("base_ondemand_fallback_replicas")
    policy.left("dynamic_ondemand_fallback", "While spot has no room a replica waits for it; `on_demand` is the floor.")
    policy.leave_rest(dict.fromkeys(DELAYS, "When replicas come and go follows from what they learnt to cost."))
    if most is None and target is None and not on_spot:
        return {"replicas": least}
    least = 1 if least is None else least
    scale: dict[str, Any] = {"min": least, "max": max(1, least) if most is None else most, "target_rate": target}
    # There no replica is kept off spot unless it is said; here as many as `min` are.
    scale |= {"spot": True, "on_demand": steady or 0} if on_spot else {}
    return {"scale": {key: value for key, value in scale.items() if value is not None}}
