"""Which words run a task's program in a container? The wrapper runs `podman run ...` or `docker run ...` instead of
the program; nothing here starts a task."""

import csv
import io
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from weyr.attempt.container import last_line
from weyr.attempt.limits import weight_of
from weyr.attempt.task_folder import ContainerOrder, Order
from weyr.core.capability import IN_HEALTH, TaskBody

COMMAND = "WEYR_CONTAINER_ENGINE"
"""The variable with the engine and its global options, as in a shell: `podman --runtime runc`."""
ENGINES = ("podman", "docker")
INSTALL = "apt install podman catatonit"
STEERING = (
    "PATH", "HOME", "TMPDIR", "XDG_", "LD_", "DOCKER_", "CONTAINER", "STORAGE_", "BUILDAH_", "REGISTRY_AUTH_FILE",
    "DBUS_", "GODEBUG", "NOTIFY_SOCKET", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
    "https_proxy", "no_proxy",
)  # fmt: skip
"""The beginnings of variables that the engine's own command obeys. It has the server's; the program has the task's."""
FACTS = {
    "podman": "{{.Host.Security.Rootless}} {{.Host.CgroupsVersion}}",
    "docker": "{{.ServerVersion}}",
}
TRY_S = 10.0
SHARED_BYTES = 1 << 30
"""/dev/shm of a container that named no memory: engines give 64 MiB, at which loaders of batches fail."""
OUTSIDE = (["-m", "weyr.runtime.staging"], ["-m", "weyr.runtime.health"])
"""What is ours goes before a program's words, up to `--`, and stays outside of its container."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine, by the words that begin each of its commands. `trouble` says why it cannot be used."""

    words: tuple[str, ...] = ()
    is_podman: bool = True
    is_rootless: bool = False
    trouble: str = ""

    @property
    def name(self) -> str:
        return "podman" if self.is_podman else "docker"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container needs to know of the machine. `user` and `group` are the server's; `nodes` are those under /dev
    of devices that are named by a number; `folders` are shown inside at the same paths."""

    user: int
    group: int
    cpus: int
    nodes: Sequence[str] = ()
    folders: Sequence[str] = ()


def engine() -> Engine:
    """The one to use here, or why there is none. One that works is looked for once, which takes a quarter of a second;
    one that does not may be mended at any time."""
    found = _found()
    if found.trouble:
        _found.cache_clear()
    return found


@cache
def _found() -> Engine:
    return find(os.environ)


def find(environment: Mapping[str, str]) -> Engine:
    """The engine that $WEYR_CONTAINER_ENGINE names, else the first that works for this user."""
    given = shlex.split(environment.get(COMMAND, ""))
    candidates = [given] if given else [[name] for name in ENGINES]
    troubles = []
    for words in candidates:
        path = shutil.which(words[0], path=environment.get("PATH"))
        if path is None:
            troubles.append(f"{words[0]} is not installed")
            continue
        found = _tried((path, *words[1:]), os.path.basename(words[0]) != "docker", environment)
        if not found.trouble:
            return found
        troubles.append(found.trouble)
    return Engine(trouble="; ".join(troubles))


def _tried(words: tuple[str, ...], is_podman: bool, environment: Mapping[str, str]) -> Engine:
    name = "podman" if is_podman else "docker"
    argv = [*words, "info", "--format", FACTS[name]]
    try:
        done = subprocess.run(
            argv, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRY_S,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as e:
        return Engine(trouble=f"{name} does not run here: {e}")
    if done.returncode or not done.stdout.strip():
        return Engine(trouble=f"{name} does not work here: {last_line(done.stderr) or done.returncode}")
    facts = done.stdout.split()
    is_rootless = is_podman and facts[0] == "true"
    if is_rootless and facts[1] != "v2":
        return Engine(trouble="podman keeps no limits without root where control groups are of version 1")
    return Engine(words, is_podman, is_rootless)


def refusal(body: TaskBody, found: Engine) -> str:
    """Why this task cannot have the image that it asks for, or ""."""
    if found.trouble:
        return f"it runs in the image {body.image}, and no container engine works here: {found.trouble}"
    if body.sandbox or body.requirements or body.python:
        word = "a sandbox" if body.sandbox else "Python requirements"
        return f"it asks for an image and for {word}; a container is the one, and its image has the other"
    if body.probe and body.argv[: len(IN_HEALTH)] != IN_HEALTH:
        return "what serves requests by a program of Weyr's cannot run in an image, which does not hold that"
    if os.path.realpath(body.workdir) == os.sep:
        return "its folder is the whole machine, which would hide the image; name a folder below it"
    steering = sorted(name for name in body.secret_env if name.startswith(STEERING))
    if steering:
        return f"{steering[0]} steers the container engine and cannot be a secret; use secret_files, or another name"
    return ""


def around(order: Order, nodes: Sequence[str]) -> Surroundings:
    """This machine, for an order of it."""
    return Surroundings(os.getuid(), os.getgid(), os.cpu_count() or 1, nodes, folders_of(order))


def contained(order: Order, found: Engine, around: Surroundings, environment: Mapping[str, str]) -> Order:
    """An order whose program runs in the container that is wanted for it. Limits are the engine's to keep, and so our
    own are lifted off its command, which needs more memory than a small task."""
    container = ContainerOrder(
        engine=list(found.words), name=name_of(order), is_podman=found.is_podman, memory_bytes=order["memory_bytes"]
    )
    at = order["argv"].index("--") + 1 if order["argv"][2:4] in OUTSIDE else 0
    argv = [*order["argv"][:at], *command_of(order, found, around), *order["argv"][at:]]
    env = client_env(order["env"], environment)
    ours = order | {"cpu": float(around.cpus), "memory_bytes": None, "processes_max": 0, "group": name_of(order)}
    return ours | {"argv": argv, "env": env, "container": container}


def name_of(order: Order) -> str:
    """What its container is called: as its control group."""
    return os.path.basename(order["group"])


def command_of(order: Order, found: Engine, around: Surroundings) -> list[str]:
    """The words before the program's own. No value of a variable is among them, which `ps` would show to everybody,
    but for those that the stack file may hold in the open."""
    words = [*found.words, "run", "--name", name_of(order), "--init", "--entrypoint", "", "--pull", "missing"]
    words += ["--log-driver", "none", "--network", "host", "--workdir", order["workdir"]]
    words += ["--user", f"{around.user}:{around.group}"]
    if found.is_rootless:
        words += ["--userns", "keep-id"]
    words += [*_limits(order, around.cpus), *_devices(order["devices"], found, around.nodes)]
    for path in around.folders:
        words += ["--mount", _joined(["type=bind", f"src={path}", f"dst={path}"])]
    for name, value in sorted(order["env"].items()):
        words += ["--env", f"{name}={value}" if name.startswith(STEERING) else name]
    return [*words, order["image"]]


def client_env(env: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """What the engine's command finds in its environment: the task's variables, to pass on by name, and the server's
    own where it obeys them itself."""
    passed = {name: value for name, value in env.items() if not name.startswith(STEERING)}
    return passed | {name: value for name, value in environment.items() if name.startswith(STEERING)}


def folders_of(order: Order) -> list[str]:
    """What of the machine is shown to an order's program."""
    own = [order["workdir"], order["secret_folder"], order["env"].get("WEYR_CHECKPOINT_DIR", "")]
    own += [path for name, path in order["env"].items() if name.startswith(("WEYR_INPUT_", "WEYR_OUTPUT_"))]
    mine = (order["workdir"], order["secret_folder"])
    return [path for path in dict.fromkeys(own) if path and (path in mine or path.startswith(f"{order['folder']}/"))]


def _limits(order: Order, cpus: int) -> Iterable[str]:
    words = [
        "--cpu-shares",
        str(max(2, int(1024 * weight_of(order["group"]) * order["cpu"]))),
        "--pids-limit",
        str(order["processes_max"]),
    ]
    if order["cpu"] < cpus:
        words += ["--cpus", f"{order['cpu']:g}"]
    memory = order["memory_bytes"]
    if memory is not None:
        words += ["--memory", f"{memory}b", "--memory-swap", f"{memory}b"]
    return [*words, "--shm-size", f"{memory or SHARED_BYTES}b"]


def _devices(devices: Sequence[str], found: Engine, nodes: Sequence[str]) -> list[str]:
    """NVIDIA's by UUID, through its own toolkit, which brings the driver's libraries; others as nodes."""
    named = [name for name in devices if not name.isdigit()]
    words = [part for node in nodes for part in ("--device", node)] if len(named) < len(devices) else []
    if not named:
        return words
    if found.is_podman:
        return [*words, *(part for name in named for part in ("--device", f"nvidia.com/gpu={name}"))]
    return [*words, "--gpus", f'"device={",".join(named)}"']


def _joined(fields: Sequence[str]) -> str:
    """As engines read a mount: a line of CSV, so that a path may hold a comma."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()
