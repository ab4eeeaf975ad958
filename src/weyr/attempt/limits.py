"""How are a task's limits enforced here? By control groups where we may make them, else by measuring.

The kernel's own limits (cgroup v1 or v2, each controller for itself) are exact. Without the right to
make a group, CPU is bounded by affinity, and the wrapper measures memory and kills. Standard library only.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

PERIOD_US = 100_000
QUOTA_US_MIN = 1_000
MEASURE_S = 0.25
"""How often memory is measured where no control group bounds it."""
PROCESSES_BASE, PROCESSES_PER_CPU = 1024, 512
"""How many processes and threads a task may have that names no number: enough for a loader on each CPU with a pool of
threads in each, and few enough that a fork bomb leaves room for everybody else."""
WEIGHT = 0.1
"""How much of a busy CPU tasks get beside what its owner runs by hand, for each CPU: one of their own, and all of them
together as much as the machine has."""
SERVING_WEIGHT = 1.0
"""The same of a task that answers requests: somebody waits, and it is one program among the owner's."""
TOGETHER = "weyr-jobs"
"""The group that those are in that stand back: however many they are, they weigh no more than one on each CPU."""
CONTROLLERS = ("cpu", "memory", "pids")


class Hierarchy(NamedTuple):
    """One mounted cgroup tree and the folder of it that this process is in."""

    version: int
    folder: str


def hierarchies(mounts: str = "/proc/self/mounts", own: str = "/proc/self/cgroup") -> dict[str, Hierarchy]:
    """The tree of each of CONTROLLERS; one that is not there is left out."""
    paths = _own_paths(own)
    found: dict[str, Hierarchy] = {}
    with open(mounts) as file:
        for line in file:
            _, at, kind, options = line.split()[:4]
            for controller in CONTROLLERS:
                if kind == "cgroup" and controller in options.split(",") and controller in paths:
                    found[controller] = Hierarchy(1, _below(at, paths[controller]))
                elif kind == "cgroup2" and "" in paths and controller not in found:
                    parent = _delegated(at, _below(at, paths[""]), controller)
                    if parent:
                        found[controller] = Hierarchy(2, parent)
    return found


def _own_paths(own: str) -> dict[str, str]:
    paths: dict[str, str] = {}
    with open(own) as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            paths.update(dict.fromkeys(controllers.split(","), path))
    return paths


def _below(mount: str, path: str) -> str:
    return os.path.join(mount, path.lstrip("/")).rstrip("/")


def _delegated(mount: str, folder: str, controller: str) -> str | None:
    """The nearest group at or above ours whose children have `controller`: v2 allows no processes
    beside such children, so it is mostly our parent."""
    while True:
        try:
            with open(os.path.join(folder, "cgroup.subtree_control")) as file:
                if controller in file.read().split():
                    return folder
        except OSError:
            return None
        if len(folder) <= len(mount.rstrip("/")):
            return None
        folder = os.path.dirname(folder)


class Limits:
    """A task's limits while it runs. `cpu_by` and `memory_by` say what enforces them.

    The task puts itself under them before its exec: into the groups behind `doors`, onto `cpus` (none: all).
    """

    def __init__(
        self, name: str, cpu: float, memory_bytes: int | None, trees: dict[str, Hierarchy], processes_max: int = 0
    ) -> None:
        self.memory_bytes = memory_bytes
        self.folders: list[str] = []
        self.doors: list[str] = []
        self.cpu_by = self.memory_by = self.processes_by = "nothing"
        self._memory: Hierarchy | None = None
        self.cpus: list[int] = []
        is_bounded = cpu < (os.cpu_count() or 1)
        if is_bounded or name.startswith(TOGETHER):
            self._bound_cpu(name, cpu, trees.get("cpu"), is_bounded)
        if memory_bytes is not None:
            self._bound_memory(name, memory_bytes, trees.get("memory"))
        if processes_max:
            self._bound_processes(name, processes_max, trees.get("pids"))

    @property
    def must_measure(self) -> bool:
        return "measuring" in (self.memory_by, self.processes_by)

    def out_of_memory_count(self) -> int:
        """How many processes the kernel has killed at the limit."""
        if not self._memory:
            return 0
        name = "memory.events" if self._memory.version == 2 else "memory.oom_control"
        return _read_fields(self._memory.folder, name).get("oom_kill", 0)

    def memory_max_bytes(self) -> int:
        """The most memory the task held, where a control group knows it; else 0."""
        if not self._memory:
            return 0
        name = "memory.peak" if self._memory.version == 2 else "memory.max_usage_in_bytes"
        return _read_number(self._memory.folder, name)

    def out_of_memory_event(self) -> int:
        """A descriptor that becomes readable at the limit (v1), or -1: v2 kills the group whole by itself."""
        if not self._memory or self._memory.version == 2:
            return -1
        try:
            event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            control = os.open(os.path.join(self._memory.folder, "memory.oom_control"), os.O_RDONLY)
            try:
                _write(self._memory.folder, "cgroup.event_control", f"{event} {control}")
            finally:
                os.close(control)
        except OSError:
            return -1
        return event

    def remove(self) -> None:
        remove_groups(self.folders)

    def _bound_cpu(self, name: str, cpu: float, tree: Hierarchy | None, is_bounded: bool) -> None:
        quota = max(QUOTA_US_MIN, int(cpu * PERIOD_US))
        try:
            if tree is None:
                raise OSError("no cpu controller")
            folder = self._make(tree, name)
            _weigh(folder, tree.version, weight_of(name) * cpu)
            if is_bounded and tree.version == 2:
                _write(folder, "cpu.max", f"{quota} {PERIOD_US}")
            elif is_bounded:
                _write(folder, "cpu.cfs_period_us", str(PERIOD_US))
                _write(folder, "cpu.cfs_quota_us", str(quota))
            self.cpu_by = f"cgroup v{tree.version}" if is_bounded else "nothing"
        except OSError:
            if not is_bounded:
                return
            usable = sorted(os.sched_getaffinity(0))
            count = max(1, int(cpu + 0.999))
            # Tasks begin on different CPUs: a name's hash spreads them without anybody counting.
            first = int(name[-6:], 16) % len(usable) if len(usable) > count else 0
            self.cpus = [usable[(first + i) % len(usable)] for i in range(min(count, len(usable)))]
            self.cpu_by = "affinity"

    def _bound_memory(self, name: str, memory_bytes: int, tree: Hierarchy | None) -> None:
        try:
            if tree is None:
                raise OSError("no memory controller")
            folder = self._make(tree, name)
            if tree.version == 2:
                _write(folder, "memory.max", str(memory_bytes))
                _try_write(folder, "memory.swap.max", "0")
                _try_write(folder, "memory.oom.group", "1")
            else:
                _write(folder, "memory.limit_in_bytes", str(memory_bytes))
                _try_write(folder, "memory.memsw.limit_in_bytes", str(memory_bytes))
            self._memory = Hierarchy(tree.version, folder)
            self.memory_by = f"cgroup v{tree.version}"
        except OSError:
            self.memory_by = "measuring"

    def _bound_processes(self, name: str, processes_max: int, tree: Hierarchy | None) -> None:
        try:
            if tree is None:
                raise OSError("no pids controller")
            _write(self._make(tree, name), "pids.max", str(processes_max))
            self.processes_by = f"cgroup v{tree.version}"
        except OSError:
            # The kernel's other bound counts a user's processes, and does not hold for root.
            self.processes_by = "measuring" if os.getuid() == 0 else "rlimit"

    def _make(self, tree: Hierarchy, name: str) -> str:
        folder = os.path.join(tree.folder, name)
        if os.path.dirname(folder) != tree.folder:
            _stand_together(tree, os.path.dirname(folder))
        os.makedirs(folder, exist_ok=True)
        if folder not in self.folders:
            self.folders.append(folder)
            # v1's `tasks` moves one thread, which we are before the exec, without the lock that makes
            # `cgroup.procs` wait for every CPU: 5 ms less for each group. v2 has no such door.
            self.doors.append(os.path.join(folder, "tasks" if tree.version == 1 else "cgroup.procs"))
        return folder


def _stand_together(tree: Hierarchy, folder: str) -> None:
    """Makes the group of those that stand back; it stays, for there may be others' tasks in it. Raises: OSError."""
    os.makedirs(folder, exist_ok=True)
    _weigh(folder, tree.version, WEIGHT * (os.cpu_count() or 1))
    for controller in CONTROLLERS if tree.version == 2 else ():
        _try_write(folder, "cgroup.subtree_control", f"+{controller}")


def weight_of(name: str) -> float:
    """What the group of this name weighs for each CPU of its task."""
    return WEIGHT if name.startswith(TOGETHER) else SERVING_WEIGHT


def _weigh(folder: str, version: int, weight: float) -> None:
    """Says how much what is in a group gets of busy CPUs: 1 is what a program of the owner's gets."""
    if version == 2:
        _try_write(folder, "cpu.weight", str(min(10_000, max(1, int(100 * weight)))))
    else:
        _try_write(folder, "cpu.shares", str(max(2, int(1024 * weight))))


def available_bytes(meminfo: str = "/proc/meminfo") -> int:
    """How much memory of this machine could be used without taking any from others; 0 where it does not say."""
    with suppress(OSError, ValueError), open(meminfo) as file:
        for line in file:
            name, _, amount = line.partition(":")
            if name == "MemAvailable":
                return int(amount.split()[0]) << 10
    return 0


def group_folders(name: str, trees: dict[str, Hierarchy]) -> list[str]:
    """Where a task's groups are, if it has any."""
    return sorted({os.path.join(tree.folder, name) for tree in trees.values()})


def processes_in(folders: Sequence[str]) -> list[int]:
    """Every process in these groups; a group that is gone has none."""
    found: set[int] = set()
    for folder in folders:
        try:
            with open(os.path.join(folder, "cgroup.procs")) as file:
                found.update(map(int, file.read().split()))
        except OSError:
            continue
    return sorted(found)


def remove_groups(folders: Sequence[str]) -> None:
    """Removes empty groups; one that still holds a process stays until the next sweep."""
    for folder in folders:
        try:
            os.rmdir(folder)
        except OSError:
            continue


def _write(folder: str, name: str, value: str) -> None:
    fd = os.open(os.path.join(folder, name), os.O_WRONLY)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _try_write(folder: str, name: str, value: str) -> None:
    """For what not every kernel has and the limit does not hang on."""
    try:
        _write(folder, name, value)
    except OSError:
        return


def _read(folder: str, name: str) -> str:
    """As open().read(), without the text layer: a wrapper would have to copy its pages first."""
    fd = os.open(os.path.join(folder, name), os.O_RDONLY)
    try:
        return os.read(fd, 4096).decode()
    finally:
        os.close(fd)


def _read_number(folder: str, name: str) -> int:
    try:
        return int(_read(folder, name))
    except (OSError, ValueError):
        return 0


def _read_fields(folder: str, name: str) -> dict[str, int]:
    try:
        return {line.split()[0]: int(line.split()[1]) for line in _read(folder, name).splitlines()}
    except (OSError, ValueError, IndexError):
        return {}
