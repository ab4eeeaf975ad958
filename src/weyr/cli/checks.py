"""What can this machine do? One function per question; each answers with a verdict and, if need be, a next step."""

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from weyr.attempt import devices, image, nvml, sandbox
from weyr.cli.place import running
from weyr.compose.engines import missing
from weyr.core.units import size_text

DISK_WANTED_BYTES = 2 * 2**30
MEMORY_WANTED_BYTES = 2**30
FSYNC_SLOW_MS = 20.0
"""A disk flush takes 0.1-4 ms; at 20 ms every acknowledged write is felt."""
FSYNCS = 20


class Verdict(StrEnum):
    """OK: nothing to do. LIMITED: Weyr works without it. BROKEN: Weyr cannot work."""

    OK = "ok"
    LIMITED = "limited"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to one question."""

    name: str
    verdict: Verdict
    found: str
    next_step: str = ""

    def plain(self) -> dict[str, str]:
        return asdict(self)


def checks(home: Path) -> list[Check]:
    """Every answer, in the order of importance. Changes nothing but for a small file written and removed."""
    questions: list[Callable[[Path], Check]] = [
        _python, _cores, _memory, _home, _disk, _fsync, _server, _ports, _cgroups, _bubblewrap, _containers,
        _slurm, _gpu, _torch, _ml, _ray,
    ]  # fmt: skip
    return [question(home) for question in questions]


def _python(_: Path) -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    is_linux = platform.system() == "Linux"
    return Check(
        "python", Verdict.OK if is_linux else Verdict.LIMITED, found, "" if is_linux else "Weyr is tested on Linux."
    )


def _cores(_: Path) -> Check:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("cores", Verdict.OK, f"{usable} usable")


def _memory(_: Path) -> Check:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        free, total = (int(fields[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    except (OSError, KeyError, ValueError):
        return Check("memory", Verdict.LIMITED, "the system does not say how much there is")
    found = f"{size_text(free)} free of {size_text(total)}"
    is_enough = free >= MEMORY_WANTED_BYTES
    return Check("memory", Verdict.OK if is_enough else Verdict.LIMITED, found, "" if is_enough else "End something.")


def _home(home: Path) -> Check:
    place = _existing(home)
    owner = place.stat().st_uid
    if place == home and owner != os.geteuid():
        return Check(
            "data folder", Verdict.BROKEN, f"{home} belongs to user {owner}", "weyr --home ANOTHER-FOLDER doctor"
        )
    if not os.access(place, os.W_OK | os.X_OK):
        return Check("data folder", Verdict.BROKEN, f"{place} cannot be written", "weyr --home ANOTHER-FOLDER doctor")
    if place != home:
        return Check("data folder", Verdict.OK, f"{home} will be made")
    rights = home.stat().st_mode & 0o777
    if rights & 0o077:
        return Check("data folder", Verdict.LIMITED, f"{home} is open to others ({rights:03o})", f"chmod 700 {home}")
    return Check("data folder", Verdict.OK, f"{home} ({rights:03o})")


def _disk(home: Path) -> Check:
    free = shutil.disk_usage(_existing(home)).free
    is_enough = free >= DISK_WANTED_BYTES
    step = "" if is_enough else "Free some space, or use --home on another disk."
    return Check("disk", Verdict.OK if is_enough else Verdict.LIMITED, f"{size_text(free)} free", step)


def _fsync(home: Path) -> Check:
    try:
        with tempfile.NamedTemporaryFile(dir=_existing(home), prefix=".weyr-doctor-") as file:
            began = time.perf_counter()
            for _ in range(FSYNCS):
                file.write(b"\0" * 4096)
                file.flush()
                os.fsync(file.fileno())
            each_ms = (time.perf_counter() - began) / FSYNCS * 1000
    except OSError as e:
        return Check("fsync", Verdict.BROKEN, f"not measured: {e.strerror}", "weyr --home ANOTHER-FOLDER doctor")
    is_slow = each_ms > FSYNC_SLOW_MS
    step = "Use --home on a faster disk; every acknowledged write waits for one." if is_slow else ""
    return Check("fsync", Verdict.LIMITED if is_slow else Verdict.OK, f"{each_ms:.2f} ms per 4 KiB", step)


def _server(home: Path) -> Check:
    server = running(home)
    return Check("server", Verdict.OK, f"runs at {server.url} (process {server.pid})" if server else "none runs")


def _ports(_: Path) -> Check:
    try:
        with socket.create_server(("127.0.0.1", 0)) as door:
            return Check("ports", Verdict.OK, f"loopback ports can be opened (tried {door.getsockname()[1]})")
    except OSError as e:
        return Check("ports", Verdict.BROKEN, f"no port can be opened on 127.0.0.1: {e.strerror}", "ip link set lo up")


def _cgroups(_: Path) -> Check:
    """Whether the engine may put a task into control groups of its own; where not, it watches and stops."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    own = {name: path for line in lines for _, names, path in [line.split(":", 2)] for name in names.split(",")}
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").is_file():
        version, folders = "v2", [root / own.get("", "/").lstrip("/")]
    else:
        version, folders = "v1", [root / name / own.get(name, "/").lstrip("/") for name in ("cpu", "memory")]
    if all(os.access(folder, os.W_OK) for folder in folders):
        return Check("cgroups", Verdict.OK, f"{version}, and ours to divide: limits are enforced by the kernel")
    return Check("cgroups", Verdict.LIMITED, f"{version}, not ours to divide: limits are enforced by watching")


def _bubblewrap(_: Path) -> Check:
    reason = sandbox.trouble()
    if not reason:
        return Check("bubblewrap", Verdict.OK, "works: a task with `sandbox` gets one")
    step = "apt install bubblewrap" if "not installed" in reason else ""
    return Check("bubblewrap", Verdict.LIMITED, f"{reason}; a task with `sandbox` is refused", step)


def _containers(_: Path) -> Check:
    engine = image.engine()
    if engine.trouble:
        return Check("containers", Verdict.LIMITED, f"{engine.trouble}; a task with `image` is refused", image.INSTALL)
    return Check("containers", Verdict.OK, f"{engine.name} works: a job with `image` runs in one")


def _slurm(_: Path) -> Check:
    """Whether `on: slurm` could submit from here."""
    missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        found = f"missing: {', '.join(missing)}; only stacks that say on: slurm need them"
        return Check("slurm", Verdict.LIMITED, found, "apt install slurm-client")
    version = (_said(["sbatch", "--version"]) or "").strip()
    if _said(["squeue", "--noheader", "--me"]) is None:
        return Check(
            "slurm", Verdict.LIMITED, f"{version or 'installed'}, and slurmctld does not answer", "scontrol ping"
        )
    return Check("slurm", Verdict.OK, f"{version}, and slurmctld answers")


def _gpu(_: Path) -> Check:
    try:
        found = nvml.detect()
    except nvml.NvmlTrouble as e:
        return Check("gpu", Verdict.LIMITED, f"the NVIDIA driver does not answer: {e}", "nvidia-smi")
    if not found.devices:
        return Check("gpu", Verdict.LIMITED, "no NVIDIA driver; jobs run on the CPU, others are declared in a pool")
    counts = Counter((device.model, device.profile, device.memory_bytes) for device in found.devices)
    parts = [
        f"{count} x {model}{f' {profile}' if profile else ''} ({size_text(size_bytes)})"
        for (model, profile, size_bytes), count in counts.items()
    ]
    shares = "enforced by MPS" if devices.mps_folder(os.environ) else "not enforced, as no MPS daemon runs"
    return Check("gpu", Verdict.OK, f"{', '.join(parts)}; driver {found.driver}; shares of one are {shares}")


def _torch(_: Path) -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("torch", Verdict.LIMITED, "not installed; only stacks that use it need it", "pip install torch")
    return Check("torch", Verdict.OK, "installed")


def _ml(_: Path) -> Check:
    missing = [name for name in ("mlflow", "sklearn") if importlib.util.find_spec(name) is None]
    if missing:
        return Check("extra [ml]", Verdict.LIMITED, f"missing: {', '.join(missing)}", "pip install 'weyr[ml]'")
    return Check("extra [ml]", Verdict.OK, "mlflow, scikit-learn")


def _ray(_: Path) -> Check:
    lacks = missing("ray")
    if lacks:
        return Check("extra [ray]", Verdict.LIMITED, "not installed; only `on: ray` needs it", lacks.suggestion)
    return Check("extra [ray]", Verdict.OK, f"ray {version('ray')}")


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    return next(p for p in (path, *path.parents) if p.exists())


def _said(command: list[str]) -> str | None:
    """What a command printed, None where it is missing, failed or took too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
