"""What do the command, the server and a job cost? The part of `bench/guard.py` that starts real processes.

Measures give rows of a name, a value, its unit and its aim (None: only a slip matters).
"""

import json
import marshal
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, distribution
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

Row = tuple[str, float, str, float | None]

WEYR = Path(sys.executable).parent / "weyr"
SOURCE = Path(__file__).parent.parent / "src" / "weyr"
JOBS = 40
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def install() -> Iterator[Row]:
    """The default install, package by package, as they lie in this environment; bytecode included. Weyr's own is made
    anew: how much of it lies here says only which of its modules were used."""
    sizes = {name: _size(found) for name, found in _closure("weyr").items()}
    files = [file for file in SOURCE.rglob("*") if "__pycache__" not in file.parts and file.is_file()]
    files = [file for file in files if not file.name.startswith("test_")]  # setup.py leaves them out
    own = sum(file.stat().st_size for file in files)
    own += sum(len(marshal.dumps(compile(file.read_bytes(), file, "exec"))) for file in files if file.suffix == ".py")
    yield "default install", (sum(sizes.values()) + own) / 1e6, "MB", 120.0
    yield "default install: packages", len(sizes), "packages", None


def processes() -> Iterator[Row]:
    """A command's CPU time, a server's until it is ready and its memory at rest, and a job's that does nothing."""
    with _server() as (home, info):
        pid = int(info["pid"])
        yield "server start: CPU", _cpu_s(pid), "s", None
        yield "server at rest: resident", _resident_bytes(pid) / 1e6, "MB", 150.0
        yield "weyr --version: CPU", _least(lambda: _run(str(WEYR), "--version")), "s", 0.2
        yield "weyr get: CPU", _least(lambda: _run(str(WEYR), "--home", str(home), "get")), "s", 0.2
        code = "import sys; from weyr.cli import main as m; sys.argv[1:] = sys.argv[2:]\ntry: m.main()\n"
        code += "finally: print(len(sys.modules))"
        said = _run(sys.executable, "-c", code, "-", "--home", str(home), "get")
        yield "weyr get: modules", int(said.split()[-1]), "modules", None
        yield "no-op job: CPU", _job_cpu_s(home, info) * 1000, "ms", None


def _job_cpu_s(home: Path, info: dict[str, Any]) -> float:
    """CPU seconds of the server, the launcher and the wrappers for each of some jobs, their programs included."""

    def ask(method: str, path: str, body: object = None) -> Any:
        token = (home / "admin.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(info["url"] + path, data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def phases(stack: str) -> dict[str, str]:
        (found,) = [each for each in ask("GET", "/v1/stacks")["stacks"] if each["name"] == stack]
        return dict(found["phases"])

    def do(stack: str, count: int) -> None:
        jobs = "".join(f"  j{n}: {{run: 'true', resources: {{cpu: 0.1}}}}\n" for n in range(count))
        plan = ask("POST", "/v1/plans", {"text": f"stack: {stack}\njobs:\n{jobs}", "file": "weyr.yaml"})
        ask("POST", f"/v1/plans/{plan['id']}/apply")
        deadline = time.monotonic() + 120
        while any(phase != "done" for phase in phases(stack).values()):
            assert time.monotonic() < deadline, "the jobs did not end"
            time.sleep(0.25)

    def spent_s() -> float:
        launcher = json.loads((home / "run" / "launcher.json").read_text())
        return _cpu_s(int(info["pid"])) + _cpu_s(int(launcher["pid"]))

    do("first", 1)  # brings the launcher up
    before_s = spent_s()
    do("many", JOBS)
    return (spent_s() - before_s) / JOBS


@contextmanager
def _server() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Started twice: the first start after an install also compiles every module, as much work again."""
    home = Path(tempfile.mkdtemp(prefix="weyr-guard-"))
    try:
        for what in ("start", "stop", "start"):
            _run(str(WEYR), "--home", str(home), "server", what)
        yield home, json.loads((home / "run" / "server.json").read_text())
    finally:
        for stack in ("first", "many"):
            command = [str(WEYR), "--home", str(home), "down", "--stack", stack, "--yes"]
            subprocess.run(command, capture_output=True)
        subprocess.run([str(WEYR), "--home", str(home), "server", "stop"], capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def _cpu_s(pid: int) -> float:
    """What a process has used so far, and all of its children that it has seen end."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def _least(work: Callable[[], object], repeats: int = 5) -> float:
    """CPU seconds of the children that a call starts; the least of some, as others disturb the caches."""
    spent = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        work()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def _closure(name: str) -> dict[str, Distribution]:
    """Every package that a default install of `name` brings, without itself."""
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset())]
    while waiting:
        current, extras = waiting.pop()
        for line in distribution(current).requires or ():
            need = Requirement(line)
            key = re.sub(r"[-_.]+", "-", need.name).lower()
            is_needed = not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in extras | {""})
            if is_needed and key not in found:
                found[key] = distribution(need.name)
                waiting.append((need.name, frozenset(need.extras)))
    return found


def _size(package: Distribution) -> int:
    return _bytes_of(Path(str(file.locate())) for file in package.files or ())


def _bytes_of(files: Iterable[Path]) -> int:
    """With the bytecode of those that are Python, which not every installer lists."""
    paths = set(files)
    paths |= {Path(cache_from_source(str(path))) for path in paths if path.suffix == ".py"}
    return sum(path.stat().st_size for path in paths if path.is_file())


MEASURES = {"install": install, "processes": processes}
