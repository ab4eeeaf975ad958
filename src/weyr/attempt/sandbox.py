"""What may a task see of the machine from inside its sandbox? A bubblewrap command line answers that.

A read-only system; homes, `/tmp` and `/run` of its own; no process but its own; of Weyr's folder only what is the
task's. Nothing here starts a task.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from weyr.attempt.devices import MPS_FOLDER, nodes_of
from weyr.attempt.sandbox_status import STATUS_FD
from weyr.attempt.task_folder import CHECKPOINTS, Order
from weyr.core.capability import Sandbox, TaskBody

HOMES = ("/home", "/root")
OWN = ("/tmp", "/var/tmp", "/run")
RESOLVERS = ("/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf")
"""Where /etc/resolv.conf may point to; without it no name is found."""
SHARED_MEMORY = "/dev/shm"
PASSWORDS = ("/etc/shadow", "/etc/gshadow", "/etc/ssh")
HERE = ("127.0.0.1", "localhost")
TRY_S = 10.0


class NoSandbox(Exception):
    """Why this machine cannot make the sandbox that is wanted, in a sentence."""


@dataclass(frozen=True, slots=True)
class Places:
    """What is shown of the places that are hidden. `weyr` are Weyr's folders, hidden whole but for `own`, which may be
    written, and `shown`, which may be read. `devices` are nodes under /dev."""

    workdir: str
    weyr: Sequence[str]
    own: Sequence[str] = ()
    shown: Sequence[str] = ()
    devices: Sequence[str] = field(default=())


def confined(order: Order, weyr: Sequence[str], nodes: Sequence[str] = ()) -> Order:
    """An order whose program runs in the sandbox that is wanted for it, on this machine; `weyr` are Weyr's folders on
    it. `nodes` are the devices under /dev that it may use.

    The doors that stay open to it are those at the host of ours that its environment names.
    """
    if order["sandbox"] is None:
        return order
    wanted = Sandbox(**order["sandbox"])
    own = [path for path in (f"{order['folder']}/{CHECKPOINTS}",) if os.path.isdir(path)]
    own += [os.path.dirname(order["socket"])] if order["socket"] else []
    own += [path for path in (order["env"].get(MPS_FOLDER, ""),) if path]
    shown = [path for path in (order["secret_folder"], order["env"].get("VIRTUAL_ENV", "")) if path]
    is_local = wanted.network == "local"
    hosts = "|".join(map(re.escape, HERE if order["doors_at"] in HERE else [order["doors_at"]]))
    named = re.compile(rf"https?://(?:{hosts}):([0-9]+)")
    doors = {int(port) for text in order["env"].values() for port in named.findall(text)} if is_local else ()
    words = command_of(wanted, Places(order["workdir"], weyr, own, shown, nodes))
    return order | {"prefix": words, "doors": sorted(doors) if is_local else None}


def confined_there(order: Order, weyr: Sequence[str], devices: Sequence[str]) -> Order:
    """As `confined`, on a machine that nobody asked whether it can. Raises: NoSandbox."""
    if order["sandbox"] is None or order["prefix"]:
        return order
    here = socket.gethostname()
    if reason := refusal_here(Sandbox(**order["sandbox"])):
        raise NoSandbox(f"on the node {here}: {reason}")
    try:
        address = socket.gethostbyname(order["doors_at"])  # inside there is nobody to ask for a name
    except OSError as e:
        raise NoSandbox(f"the node {here} does not know the host {order['doors_at']}: {e}") from e
    named, meant = f"//{order['doors_at']}:", f"//{address}:"
    env = {name: text.replace(named, meant) for name, text in order["env"].items()}
    return confined({**order, "env": env, "doors_at": address}, weyr, nodes_of(devices, ()))


@cache
def trouble() -> str:
    """Why no sandbox can be made here, or "". Asked once for each process: it starts one to see."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (apt install bubblewrap)"
    places = Places(workdir="/usr", weyr=())
    command = [*command_of(Sandbox(network="none"), places), "/bin/sh", "-c", "exit 0"]
    command = [word for word in command if word not in ("--json-status-fd", str(STATUS_FD))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TRY_S, check=False)
    except (OSError, subprocess.SubprocessError) as e:
        return f"bubblewrap does not run here: {e}"
    if done.returncode:
        return f"bubblewrap may not make a sandbox here: {done.stderr.strip().splitlines()[-1:] or done.returncode}"
    return ""


def refusal(body: TaskBody) -> str:
    """Why this task cannot have the sandbox that it asks for, or "" where it can or asks for none."""
    if body.sandbox is None:
        return ""
    return unfit(body) or refusal_here(body.sandbox)


def unfit(body: TaskBody) -> str:
    """Why no machine can make its sandbox, or ""."""
    wanted = body.sandbox
    if wanted is None:
        return ""
    if wanted.network != "full" and (body.ports or (body.gang and body.gang.size > 1)):
        return "who listens on ports, or belongs to a gang, needs a sandbox with network: full"
    shows_all = [path for path in (body.workdir, *wanted.writes, *wanted.reads) if _is_above_a_home(path)]
    if shows_all:
        return f"{shows_all[0]} would show its sandbox everything; name a folder below it"
    return ""


def refusal_here(wanted: Sandbox) -> str:
    """Why this machine cannot make this sandbox, or ""."""
    missing = [path for path in (*wanted.reads, *wanted.writes) if not os.path.exists(path)]
    if missing:
        return f"its sandbox is to show {missing[0]}, and there is no such file or folder"
    reason = trouble()
    return f"it asks for a sandbox: {reason}" if reason else ""


def command_of(sandbox: Sandbox, places: Places) -> list[str]:
    """The words before the task's own. Later mounts lie over earlier ones, so the order is the meaning."""
    home = os.path.expanduser("~")
    words = [_bwrap(), "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--cap-drop", "ALL", "--json-status-fd", str(STATUS_FD)]
    if sandbox.network == "none":
        words.append("--unshare-net")
    words += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    # Each of them is memory of the machine's, and a file system of memory without a size may take half of it.
    for path in (*_hidden(home), SHARED_MEMORY):
        words += ["--size", str(sandbox.tmp_bytes), "--tmpfs", path]
    words += ["--dir", home]
    for path in filter(os.path.exists, PASSWORDS):
        words += _empty(path) if os.path.isdir(path) else ["--ro-bind", "/dev/null", path]
    if sandbox.network != "none":
        words += _binds("--ro-bind", filter(os.path.exists, RESOLVERS))
    words += _binds("--ro-bind", [*_interpreter(), *sandbox.reads])
    words += _binds("--bind", [*sandbox.writes, places.workdir])
    for path in filter(os.path.isdir, places.weyr):
        words += ["--size", str(sandbox.tmp_bytes), "--tmpfs", path]
    is_inside = any(_lies_in(places.workdir, path) for path in places.weyr)
    own = [places.workdir, *places.own] if is_inside else places.own
    words += _binds("--ro-bind", places.shown) + _binds("--bind", own)
    words += _binds("--dev-bind", places.devices)
    words += ["--remount-ro", "/dev"]
    return [*words, "--chdir", places.workdir, "--"]


def _empty(path: str) -> list[str]:
    """A folder with nothing in it, which stays so."""
    return ["--tmpfs", path, "--remount-ro", path]


def _hidden(home: str) -> list[str]:
    roots = [path for path in (*HOMES, *OWN) if os.path.isdir(path)]
    is_elsewhere = not any(_lies_in(home, root) for root in roots)
    return [*roots, home] if is_elsewhere and os.path.isdir(home) else roots


def _interpreter() -> list[str]:
    """What our Python needs and may lie in a home: itself, the environment it is of, and Weyr."""
    weyr = str(Path(__file__).resolve().parents[3])
    found = dict.fromkeys(os.path.realpath(path) for path in (sys.base_prefix, sys.prefix, weyr))
    hidden = (*HOMES, *OWN, os.path.expanduser("~"))
    return [path for path in found if any(_lies_in(path, root) for root in hidden)]


def _is_above_a_home(path: str) -> bool:
    """Whether showing it would show a whole home, or more."""
    path = os.path.realpath(path)
    homes = (*HOMES, os.path.expanduser("~"))
    return any(_lies_in(home, path) for home in homes) or os.path.dirname(path) in ("/home",)


def _lies_in(path: str, root: str) -> bool:
    return os.path.commonpath((path, root)) == root


def _binds(word: str, paths: Iterable[str]) -> list[str]:
    return [part for path in paths for part in (word, path, path)]


@cache
def _bwrap() -> str:
    return shutil.which("bwrap") or "bwrap"
