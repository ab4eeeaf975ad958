"""How is a task's container told to end, what became of it, and how is it removed? Asked of its engine, by its name.

Standard library only: the wrappers import this.
"""

import os
import signal
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from weyr.attempt import processes

ASK_S = 30.0
"""How long an engine may take for an answer; removing a container that runs takes podman 2 s."""
REMOVALS_MAX = 3
"""podman refuses to remove a container that ends of itself while it is being killed; the next time it has ended."""
NEVER = "0001-01-01"
"""How engines write the time of what did not happen."""
STATE = "{{.State.StartedAt}}|{{.State.OOMKilled}}"
INIT_FAILED = ("ERROR (catatonit", "[FATAL tini")
"""How the first processes of containers say that they found no program."""
ASK_TO_END = '"$@" || kill -s TERM -- "-$0"'
"""For a shell: $0 is a process group, and the rest an engine's command."""


class Fate(NamedTuple):
    """`has_begun`: its first process ran. `is_out_of_memory`: the engine saw the kernel end it at its limit; engines
    that cannot see that say False."""

    has_begun: bool = True
    is_out_of_memory: bool = False


def ask_to_end(container: Mapping[str, Any], env: Mapping[str, str], group: int) -> None:
    """SIGTERM to a task's program, which `group` is, or runs for. Does not wait: our caller takes the exits of all of
    its children. The engine brings it into a container: podman 4.3 does not pass on what it hears just after it
    began a program, but dies of it. A container that does not run has nothing to save; what prepares it is ended."""
    if not container:
        return processes.signal_group(group, signal.SIGTERM)
    words = ["sh", "-c", ASK_TO_END, str(group), *container["engine"], "kill", "--signal", "TERM", container["name"]]
    nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(3)]
    try:
        os.posix_spawn("/bin/sh", words, dict(env), file_actions=nothing)
    except OSError:  # no room for one more process
        processes.signal_group(group, signal.SIGTERM)


def fate_of(container: Mapping[str, Any], env: Mapping[str, str]) -> Fate:
    """How a container went that has ended and is not removed yet. Raises: OSError."""
    done = _ask([*container["engine"], "inspect", "--format", STATE, container["name"]], env)
    if done.returncode:
        return Fate(has_begun=False)  # it was never made
    began, _, out_of_memory = done.stdout.strip().partition("|")
    return Fate(not began.startswith(NEVER), out_of_memory == "true")


def finish(container: Mapping[str, Any], env: Mapping[str, str], has_failed: bool, say: Callable[[str], None]) -> Fate:
    """Removes the container of a task that ended; gives how it went. Where its engine does not answer this process ends
    without a record: whoever finds that asks again, for as long as the container may run."""
    try:
        fate = fate_of(container, env) if has_failed else Fate()
        remove(container, env)
    except OSError as e:
        say(str(e))
        os._exit(1)
    return fate


def remove(container: Mapping[str, Any], env: Mapping[str, str]) -> None:
    """Ends and removes a container; one that is not there is as good. Raises: OSError, where it may still run."""
    if not container:
        return
    name, engine = container["name"], container["engine"]
    options = ["--ignore", "--time", "0"] if container["is_podman"] else []
    for _ in range(REMOVALS_MAX):
        done = _ask([*engine, "rm", "--force", *options, name], env)
        if not done.returncode or "no such container" in done.stderr.lower():
            return
    raise OSError(f"its container {name} could not be removed: {last_line(done.stderr)}")


def last_line(text: str) -> str:
    """What an engine said last of all, which is what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    while len(lines) > 1 and "run --help'" in lines[-1]:
        lines.pop()  # docker's advice to read its manual
    return lines[-1] if lines else ""


def _ask(argv: list[str], env: Mapping[str, str]) -> Any:  # a subprocess.CompletedProcess[str]
    # Loaded here: it loads threading, which acts in each process that the launcher and a wrapper fork.
    subprocess = import_module("subprocess")
    try:
        return subprocess.run(
            argv, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=ASK_S, check=False, cwd=os.sep,
        )  # fmt: skip
    except subprocess.TimeoutExpired as e:
        raise OSError(f"{argv[0]} did not answer within {ASK_S:g} s") from e
