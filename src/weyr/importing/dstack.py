"""What of a dstack configuration is a job, a service or a session of ours?

Source: dstack.ai, reference of `.dstack.yml`, read in November 2026.
"""

import re
from typing import Any

from weyr.importing import amounts
from weyr.importing.draft import Draft, Fields, Verdict, name_of, script
from weyr.stack.tree import Node

TYPES = ("task", "service", "dev-environment")
PLACE = "Where it runs is for the engine (`on:`) and the pool to say, not for the job."
REASONS = {
    **dict.fromkeys(
        (
            "backends", "regions", "availability_zones", "instance_types", "instances", "reservation", "fleets",
            "creation_policy", "backend_options",
        ),
        PLACE,
    ),
    **dict.fromkeys(("repos", "files", "single_branch"), "The folder of the stack file goes along; put it there."),
    **dict.fromkeys(("docker", "privileged"), "A task gets no rights over the machine it runs on."),
    "idle_duration": "A pool has the idle time of its nodes.",
    "max_price": "A budget limits what a stack spends.",
    "stop_duration": "How long a task may take to stop is `grace`.",
    "volumes": "Weyr keeps data in buckets; a job names those it `reads` and `writes`.",
    "registry_auth": "Log the engine's container runtime in to the registry.",
    "utilization_policy": "Weyr does not end a job for using its devices little.",
    "tags": "Objects have names, not tags.",
    "user": "A task runs as the engine's user.",
    "home_dir": "A task has the home of the engine's user.",
    "setup": "Put its commands before the others in `run`.",
    "entrypoint": "The image's own entry point is not run; `run` says all of the command.",
    "startup_order": "All members of a gang begin together.",
    "gateway": "Endpoints and services have one address each, on the inference plane.",
    "https": "The inference plane speaks HTTP on this machine; put a proxy with certificates before it.",
    "auth": "Every caller of Weyr needs a token.",
    "rate_limits": "A service has no limit of requests.",
    "model": "A model is an object of its own, with endpoints that serve it.",
    "strip_prefix": "A service is called without a prefix.",
}  # fmt: skip
DELAYS = ("scale_up_delay", "scale_down_delay")
PROBE = {"interval": "every", "timeout": "timeout"}
UNTYPED = {"nvcc": "Use an image that has the compiler.", "python": "The engine's own Python runs it, or the image's."}


def read_configuration(root: Node, draft: Draft) -> None:
    """Adds what a configuration asks for to the draft."""
    source = Fields(root, draft)
    kind = source.text("type")
    name = name_of(source.text("name") or draft.name, "main")
    fields = _common(source)
    match kind:
        case "task":
            _task(source, name, fields, draft)
        case "service":
            _service(source, name, fields, draft)
        case _:
            _session(source, name, fields, draft)
    source.leave_rest(REASONS | UNTYPED)


def _common(source: Fields) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    commands = [_scalar(node) for node in source.items("commands")]
    if commands:
        shell = source.text("shell")
        # dstack runs its commands under one shell, and ends at the first that fails.
        run = script("set -e" if len(commands) > 1 else "", *commands)
        fields["run"] = [shell, "-c", run[-1]] if shell and isinstance(run, list) else run
    fields["folder"] = source.text("working_dir")
    if fields["folder"].startswith(("~", "/workflow")):
        source.left("working_dir", "Paths of dstack's containers mean nothing here; `folder:` is where it runs.")
        fields["folder"] = ""
    fields["image"] = source.text("image")
    fields |= _variables(source)
    fields["resources"] = _resources(source)
    policy = source.text("spot_policy")
    if policy == "auto":
        source.changed("spot_policy", "It runs at the spot price; there is no falling back to another.")
    fields["spot"] = policy in ("spot", "auto") or None
    return fields


def _variables(source: Fields) -> dict[str, Any]:
    node = source.take("env")
    if node is not None and isinstance(node.value, dict):
        inside = source.within("env")
        pairs = [(name, "=", inside.text(name)) for name in inside.names()]
    else:
        pairs = [_scalar(item).partition("=") for item in source.items("env")]
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for name, given, value in pairs:
        secret = re.fullmatch(r"\$\{\{\s*secrets\.([\w-]+)\s*\}\}", value)
        if secret:
            secrets[name] = source.secret("env", name, secret[1])
        elif given:
            env[name] = value
        else:
            secrets[name] = source.secret("env", name)
    return {"env": env, "secrets": secrets}


def _resources(source: Fields) -> dict[str, Any]:
    resources = source.within("resources")
    found = {
        "cpu": resources.read("cpu", lambda text: amounts.whole(float(_least(text.rpartition(":")[2])))),
        "memory": resources.read("memory", lambda text: amounts.gib(_least(text))),
        "accelerators": _gpu(resources),
    }
    for name in ("cpu", "memory"):
        if ".." in resources.text(name):
            resources.changed(name, "Of a range the least is what the job gets, as a request and as a limit.")
    resources.leave_rest(
        {"disk": "A job's disk is its node's.", "shm_size": "Shared memory counts as the job's own memory."}
    )
    return {key: value for key, value in found.items() if value}


def _least(text: str) -> str:
    low, _, high = text.partition("..")
    return low or high


def _gpu(resources: Fields) -> str | int | None:
    """`H100:8`, `24GB`, `A100:40GB:2`, `24GB..40GB:1..2`, `nvidia:2`, `2`, or a mapping of name, memory and count."""
    node = resources.take("gpu")
    if node is None:
        return None
    if isinstance(node.value, dict):
        gpu = resources.within("gpu")
        names = [_scalar(item) for item in gpu.items("name")]
        count, memory = gpu.text("count"), gpu.text("memory")
        gpu.leave_rest({"vendor": "The model says it.", "compute_capability": "Name the model instead."})
    else:
        words = resources.text("gpu").split(":")
        names = [word for word in words if re.match(r"[A-Za-z]", word) and word.lower() not in ("nvidia", "amd", "tpu")]
        numbers = [word for word in words if word[:1].isdigit() or word.startswith("..")]
        memory = next((word for word in numbers if re.search(r"[A-Za-z]B", word)), "")
        count = next((word for word in numbers if word != memory), "")
    models = [model for text in names for model in text.split(",")]
    if memory:
        resources.changed("gpu", f"Devices are asked for by model; nothing is said of {memory} of memory.")
    if len(models) > 1:
        resources.changed("gpu", f"The first of {len(models)} choices is taken, {models[0]}.")
    try:
        return amounts.accelerators(models[0] if models else "", _least(count) or "1")
    except ValueError as e:
        resources.left("gpu", f"{e}.")
        return None


def _task(source: Fields, name: str, fields: dict[str, Any], draft: Draft) -> None:
    nodes = source.number("nodes")
    fields["replicas"] = nodes if nodes and nodes > 1 else None
    if source.text("stop_criteria") == "master-done":
        fields["done_when"] = "first"
    limit = source.text("max_duration")
    fields["time_limit"] = limit if limit not in ("off", "false") else None
    fields["retries"] = _retries(source)
    schedule = source.within("schedule")
    cron = [_scalar(node) for node in schedule.items("cron")]
    if cron:
        fields["schedule"] = {"cron": cron[0], "time_zone": "UTC"}
        if len(cron) > 1:
            schedule.left("cron", f"A job has one schedule; {len(cron) - 1} more of them need a job each.")
    schedule.leave_rest({})
    if "ports" in source:
        source.left("ports", "A job's ports are not opened to others; a service has an address.")
    if "priority" in source:
        source.left("priority", "Order within a queue is set on the job's `queue`.")
    _need_command(fields, draft)
    draft.add("jobs", name, fields)


def _need_command(fields: dict[str, Any], draft: Draft) -> None:
    if "run" not in fields:
        fields["run"] = "true"
        draft.say(0, "commands", Verdict.DO, "It runs what its image begins with; write that as the command.")


def _retries(source: Fields) -> dict[str, int] | None:
    node = source.take("retry")
    if node is None:
        return None
    if not isinstance(node.value, dict):
        if source.text("retry") != "true":
            return None
        source.changed("retry", "Interrupted attempts are always followed by others; failed ones 3 times.")
        return {"max": 3}
    retry = source.within("retry")
    events = [_scalar(item) for item in retry.items("on_events")]
    if "duration" in retry:
        retry.left("duration", "Retries are counted here, not timed; waiting for room has no end.")
    retry.leave_rest({})
    if "error" not in events and events:
        return None
    source.changed("retry", "Interrupted attempts are always followed by others; failed ones 3 times.")
    return {"max": 3}


def _service(source: Fields, name: str, fields: dict[str, Any], draft: Draft) -> None:
    port = source.text("port")
    source.changed("port", f"A service listens at $PORT, which Weyr chooses; replace {port} in the command.")
    fields |= _replicas(source, bool(fields.pop("spot", None)))
    for probe in source.each("probes"):
        if not fields.get("health") and probe.text("url"):
            fields["health"] = {"http": probe.text("url")} | {
                ours: probe.text(theirs) for theirs, ours in PROBE.items() if probe.text(theirs)
            }
        probe.take("type")
        probe.leave_rest({})
    for key in ("retry", "max_duration"):
        source.left(key, "A service's replicas are always replaced.")
    _need_command(fields, draft)
    draft.add("services", name, fields)


def _replicas(source: Fields, on_spot: bool) -> dict[str, Any]:
    """How many run: a number, or `scale` where there is a range or a market to choose."""
    text = source.text("replicas")
    if text and not re.fullmatch(r"\d+|\d*\.\.\d+", text):
        source.left("replicas", f"{text!r} is neither a number nor a range that ends; one replica runs.")
        text = ""
    scaling = source.within("scaling")
    metric, target = scaling.text("metric"), scaling.read("target", amounts.rate)
    if metric not in ("", "rps"):
        scaling.left("metric", f"Replicas are not counted by {metric}.")
        target = None
    scaling.leave_rest(dict.fromkeys(DELAYS, "When replicas come and go follows from what they learnt to cost."))
    low, dots, high = text.partition("..")
    least = int(low or not dots)
    if not dots and not on_spot:
        return {"replicas": int(text) if text else None}
    scale = {"min": least, "max": int(high) if high else max(1, least), "target_rate": target}
    scale |= {"spot": True, "on_demand": 0} if on_spot else {}
    return {"scale": {key: value for key, value in scale.items() if value is not None}}


def _session(source: Fields, name: str, fields: dict[str, Any], draft: Draft) -> None:
    source.left("ide", "Open its folder in your editor as any other folder.")
    source.left("init", "What has to be done before is for its Python environment or its image.")
    fields.pop("run", None)
    if fields.pop("spot", None):
        source.left("spot_policy", "A session has no such field.")
    idle = source.text("inactivity_duration")
    fields["idle_after"] = idle if idle not in ("off", "false") else None
    if not fields["idle_after"]:
        draft.say(
            source.line("inactivity_duration"), "inactivity_duration", Verdict.CHANGED, "It ends after an idle hour."
        )
    limit = source.text("max_duration")
    fields["max_duration"] = limit if limit not in ("off", "false") else None
    source.left("retry", "A session is opened again by hand.")
    draft.add("devs", name, fields)


def _scalar(node: Node) -> str:
    return "" if isinstance(node.value, dict | list) or node.value is None else str(node.value)
