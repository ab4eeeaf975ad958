"""What does a call of a function cost, cold and warm, beside the limits of the same machine in the same run?

    python bench/functions.py [--calls 2000] [--colds 8] [--json]

Limits: a bare `python -c pass` for a cold start, which no function in Python can be below, and the same answer from a
bare ASGI application under uvicorn for a warm one. All are asked over HTTP on the loopback, warm ones by one caller and
by sixteen. `wake` is from a sleeping function (none of its processes runs) through loop, launcher and the load of its
code; `fork` is a new instance of a function that is awake; `warm` is an instance that is there.

For scale: AWS says of Lambda that a cold start takes "from under 100 ms to over 1 second" (Operating Lambda:
Performance optimization, part 1, April 2021). It is not measured here, and its function starts in a virtual machine.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ports import free_port

WEYR = [sys.executable, "-m", "weyr.cli.main"]
STACK = """\
stack: bench
functions:
  sleepy: {handler: code:main, scale: {idle_after: 1s}}
  warm: {handler: code:main, scale: {warm: 1, max: 1}}
  wide: {handler: code:main, scale: {warm: 4, max: 16}}
"""
CODE = "def main(event, context):\n    return event\n"
APP = """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})
"""
EVENT = b'{"name": "Ada"}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000, help="warm calls, each of one and of sixteen callers")
    parser.add_argument("--colds", type=int, default=8, help="cold starts")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    for figure in measured(options.calls, options.colds):
        print(json.dumps(figure) if options.json else "  ".join(f"{name} {value}" for name, value in figure.items()))


def measured(calls: int, colds: int) -> list[dict[str, object]]:
    """The figures: times in milliseconds, each with the ratio to its limit."""
    with tempfile.TemporaryDirectory(prefix="w-") as folder:
        work, home = Path(folder, "work"), Path(folder, "home")
        work.mkdir()
        home.mkdir(mode=0o700)
        (work / "weyr.yaml").write_text(STACK)
        (work / "code.py").write_text(CODE)
        (work / "asgi_app.py").write_text(APP)
        environment = {**os.environ, "WEYR_HOME": str(home)}
        subprocess.run([*WEYR, "up", "--yes"], cwd=work, env=environment, check=True, capture_output=True)
        try:
            url = json.loads((home / "run" / "inference.json").read_text())["url"]
            token = (home / "admin.token").read_text().strip()
            return [*_cold(home, url, token, colds), *_warm(url, token, calls, work)]
        finally:
            subprocess.run([*WEYR, "down", "--yes"], cwd=work, env=environment, check=True, capture_output=True)


def _cold(home: Path, url: str, token: str, colds: int) -> list[dict[str, object]]:
    """Interleaved, so that a noisy neighbour is everybody's."""
    bare, wakes = [], []
    for _ in range(colds):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare.append(time.perf_counter() - began)
        wakes.append(_timed(Caller(url, token).call, "/bench/sleepy"))
        _until_asleep(home)
    limit = statistics.median(bare)
    callers = [Caller(url, token) for _ in range(16)]
    forks = _at_once(callers, "/bench/wide")[-12:]
    return [
        {"figure": "wake", "p50_ms": _ms(wakes, 0.5), "max_ms": _ms(wakes, 1.0), "bare_python_p50_ms": _ms(bare, 0.5),
         "ratio": round(statistics.median(wakes) / limit, 2)},
        {"figure": "fork", "p50_ms": _ms(forks, 0.5), "max_ms": _ms(forks, 1.0), "bare_python_p50_ms": _ms(bare, 0.5),
         "ratio": round(statistics.median(forks) / limit, 2)},
    ]  # fmt: skip


def _warm(url: str, token: str, calls: int, work: Path) -> list[dict[str, object]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "asgi_app:app", "--port", str(port), "--log-level", "warning"]
    with subprocess.Popen(command, cwd=work) as server:
        try:
            there = f"http://127.0.0.1:{port}"
            _until_answers(lambda: Caller(there, "").call("/"))
            figures = []
            for count, path in ((1, "/bench/warm"), (16, "/bench/wide")):
                ours, ours_rate = _load(url, token, path, calls, count)
                theirs, their_rate = _load(there, "", "/", calls, count)
                figures.append({
                    "figure": f"warm, {count} callers", "p50_ms": _ms(ours, 0.5), "p99_ms": _ms(ours, 0.99),
                    "per_s": round(ours_rate), "uvicorn_p50_ms": _ms(theirs, 0.5), "uvicorn_p99_ms": _ms(theirs, 0.99),
                    "uvicorn_per_s": round(their_rate), "ratio": _ratio(ours, theirs),
                })  # fmt: skip
            return figures
        finally:
            server.terminate()


class Caller:
    """One connection that is kept."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, path: str) -> None:
        self._connection.request("POST", path, EVENT, self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{path}: {answer.status} {body[:200]!r}"


def _load(url: str, token: str, path: str, calls: int, count: int) -> tuple[list[float], float]:
    """Times of so many calls by so many callers, and calls per second."""
    times: list[list[float]] = [[] for _ in range(count)]

    def keep_calling(mine: list[float]) -> None:
        caller = Caller(url, token)
        mine.extend(_timed(caller.call, path) for _ in range(calls // count))

    threads = [threading.Thread(target=keep_calling, args=(mine,)) for mine in times]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [each for mine in times for each in mine]
    return found, len(found) / (time.perf_counter() - began)


def _at_once(callers: list[Caller], path: str) -> list[float]:
    """One call of each, all at once; the slowest last."""
    times: list[float] = []
    threads = [
        threading.Thread(target=lambda c=caller: times.append(_timed(c.call, path)))  # type: ignore[misc]
        for caller in callers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times)


def _timed(call: Callable[[str], None], path: str) -> float:
    began = time.perf_counter()
    call(path)
    return time.perf_counter() - began


def _until_asleep(home: Path) -> None:
    """Waits until no host of the sleepy function is left."""
    deadline = time.monotonic() + 60
    while list((home / "tasks").glob("*sleepy*")):
        assert time.monotonic() < deadline, "the function does not fall asleep"
        threading.Event().wait(0.05)


def _until_answers(ask: Callable[[], None]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            return ask()
        except OSError:
            assert time.monotonic() < deadline, "uvicorn does not answer"
            threading.Event().wait(0.05)


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return round(statistics.median(ours) / statistics.median(theirs), 2)


def _ms(times: list[float], share: float) -> float:
    ordered = sorted(times)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)


if __name__ == "__main__":
    main()
