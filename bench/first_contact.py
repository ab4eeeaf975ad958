"""What does a newcomer meet? Install size, start-up, memory at rest, and the time from submit to a job's first line.

    .venv/bin/python bench/first_contact.py [--json] [install version server submit demo]

Each figure stands beside the limit that this machine sets in the same run: an interpreter that does
nothing, a bare ASGI server, a bare process. Ratios travel between machines; seconds do not.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

WEYR = Path(sys.executable).with_name("weyr")
ROOT = Path(__file__).parent.parent
REPEATS = 7
SUBMITS = 10
STACK = 'stack: hello\njobs:\n  first: {{run: "echo hello {n}", resources: {{cpu: 0.1}}}}\n'
BARE_ASGI = """
import asyncio, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
uvicorn.run(app, port=0, log_level="info")
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `limit` is what the machine allows at best, in the same unit."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_is: str = ""

    def text(self) -> str:
        beside = f"   {self.limit:8.3f} {self.limit_is}   x{self.value / self.limit:.1f}" if self.limit else ""
        return f"{self.name:34}{self.value:9.3f} {self.unit}{beside}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("names", nargs="*", help="measure these only")
    options = parser.parse_args()
    as_json = options.json
    measures = {
        "install": install_size,
        "version": version_time,
        "server": server_start,
        "submit": submit_to_first_line,
        "demo": demo_time,
    }
    figures = []
    for name, measure in measures.items():
        for figure in measure() if not options.names or name in options.names else ():
            figures.append(figure)
            if not as_json:
                print(figure.text(), flush=True)
    if as_json:
        print(json.dumps([asdict(figure) for figure in figures], indent=1))
    return 0


def install_size() -> Iterator[Figure]:
    """An install by pip in a virtual environment of its own, pip left out; pip compiles all that it installs."""
    for name, extra in (("default install", ""), ("install of weyr[ml]", "[ml]")):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            packages = next(Path(folder).glob("lib/python3.*/site-packages"))
            before = {*packages.glob("*.dist-info")}
            pip_bytes = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
            command = [f"{folder}/bin/python", "-B", "-m", "pip", "install", "-q", f"{ROOT}{extra}"]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
            yield Figure(name, (size - pip_bytes) / 1e6, "MB")
            yield Figure("  packages", len({*packages.glob("*.dist-info")} - before), "")


def version_time() -> Iterator[Figure]:
    bare = _median(lambda: _run([sys.executable, "-c", "pass"]))
    yield Figure("weyr --version", _median(lambda: _run([str(WEYR), "--version"])), "s", bare, "s python -c pass")
    yield Figure("weyr --help", _median(lambda: _run([str(WEYR), "--help"])), "s", bare, "s python -c pass")


def server_start() -> Iterator[Figure]:
    with _home() as home:
        started = time.perf_counter()
        _weyr(home, "server", "start")
        cold_s = time.perf_counter() - started
        _weyr(home, "server", "stop")
        started = time.perf_counter()
        _weyr(home, "server", "start")
        warm_s = time.perf_counter() - started
        bare_s = _bare_server_start()
        yield Figure("server start, new data folder", cold_s, "s", bare_s, "s bare uvicorn")
        yield Figure("server start, known data folder", warm_s, "s", bare_s, "s bare uvicorn")
        _weyr(home, "get")
        server, planes = _memory(home, "server"), _memory(home, "s3") + _memory(home, "inference")
        yield Figure("server at rest, resident", server / 1e6, "MB")
        yield Figure("both planes at rest, resident", planes / 1e6, "MB")
        yield Figure("weyr get, warm", _median(lambda: _weyr(home, "get")), "s")


def submit_to_first_line() -> Iterator[Figure]:
    """From the moment the plan is applied to the job's first line in its log, as the user's command sees it."""
    with _home() as home, tempfile.TemporaryDirectory() as folder:
        _weyr(home, "server", "start")
        file = Path(folder) / "weyr.yaml"
        took = []
        for n in range(SUBMITS):
            file.write_text(STACK.format(n=n))
            plan = json.loads(_weyr(home, "plan", str(file), "--json", allowed=(0, 2)))
            log = f"hello {n}"
            started = time.perf_counter()
            _weyr(home, "apply", plan["id"], "--yes", "--detach")
            while log not in _log(home, "hello"):
                assert time.perf_counter() - started < 20, "the job's line never came"
            took.append(time.perf_counter() - started)
        bare = _median(lambda: _run(["/bin/sh", "-c", "echo hello"]))
        cli = _median(lambda: _weyr(home, "get"))
        yield Figure("submit to first log line, p50", statistics.median(took), "s", bare, "s bare sh -c")
        yield Figure("  of which the command itself", cli, "s")


def demo_time() -> Iterator[Figure]:
    """All of `make demo` on a new data folder: from nothing to a model that answers, with an interruption half-way."""
    with _home() as home:
        command = [sys.executable, str(ROOT / "examples" / "digits" / "demo.py")]
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env={**os.environ, "WEYR_HOME": str(home)})
        yield Figure("make demo, end to end", time.perf_counter() - started, "s")
        _weyr(home, "down", "--stack", "digits", "--yes")


def _log(home: Path, stack: str) -> str:
    """The newest attempt's log, read from its folder as the reader of a file would."""
    files = [file for file in (home / "tasks").rglob("*.log") if f"/{stack}%3A" in str(file)]
    return "".join(file.read_text(errors="replace") for file in files)


def _bare_server_start() -> float:
    def start() -> None:
        child = subprocess.Popen([sys.executable, "-c", BARE_ASGI], stderr=subprocess.PIPE, text=True)
        assert child.stderr
        while "Uvicorn running" not in child.stderr.readline():
            assert child.poll() is None
        child.terminate()
        child.wait()

    return _median(start, 3)


def _memory(home: Path, process: str) -> int:
    pid = json.loads((home / "run" / f"{process}.json").read_text())["pid"]
    return int(psutil.Process(pid).memory_info().rss)


@contextmanager
def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="weyr-bench-"))
    try:
        yield home
    finally:
        subprocess.run([str(WEYR), "--home", str(home), "down", "--stack", "hello", "--yes"], capture_output=True)
        subprocess.run([str(WEYR), "--home", str(home), "server", "stop"], capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def _weyr(home: Path, *words: str, allowed: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run([str(WEYR), "--home", str(home), *words], capture_output=True, text=True)
    assert done.returncode in allowed, f"weyr {' '.join(words)}: {done.stderr}"
    return done.stdout


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "NO_COLOR": "1"})


def _median(work: Callable[[], object], repeats: int = REPEATS) -> float:
    took = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


if __name__ == "__main__":
    sys.exit(main())
