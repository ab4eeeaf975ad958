"""Example stacks, rehearsed and then really run here against the same trace: cost and latency side by side.

    .venv/bin/python bench/rehearse_honest.py [--for 240] [--only digits] [--json]

Each stack is brought up once beforehand and asked a little, so that the product has measured what a start, a run and a
request take here; that, and what the way there and back adds, is all that a rehearsal is told of this machine beside
the trace. Then it is taken down, rehearsed from that data folder, and brought up in a new one, where nothing was
learnt yet either, with the trace's requests sent when they say. The bill of both is the ledger's. How busy the machine
was stands beside: the part of its time that a loop of additions had to wait for a core.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MOST_S = 300.0
LEARNT_S = 20.0
INPUT = {"instances": [[0.0] * 64]}
CHAT = {"messages": [{"role": "user", "content": "tell me of dragons"}], "max_tokens": 150}
EPOCHS = 2


@dataclass(frozen=True)
class Stack:
    """A stack's file, its endpoint, how it is asked, the mean gap between requests, from when on (a share of the run),
    and at which moments it is asked beforehand (seconds). Without an endpoint there are its jobs alone."""

    name: str
    file: str
    endpoint: str = ""
    path: str = ""
    body: bytes | None = None
    gap_s: float = 1.0
    begins: float = 0.125
    before: tuple[float, ...] = ()


def steadily(gap_s: float, for_s: float = 20.0) -> tuple[float, ...]:
    return tuple(gap_s * number for number in range(int(for_s / gap_s)))


STACKS = (
    Stack("naps", "bench/honest/naps.yaml"),
    Stack(
        "sleepy", "examples/sleepy", "endpoint/clock", "/sleepy/clock/", gap_s=8.0,
        before=(0.0, 1.0, 8.0, 9.0, 16.0, 17.0),
    ),
    Stack("line", "bench/honest/line", "endpoint/two", "/line/two/", gap_s=0.13, before=steadily(0.5)),
    Stack("canary", "examples/canary", "endpoint/greeter", "/canary/greeter/", gap_s=0.2, before=steadily(0.2)),
    Stack(
        "llm-shaped", "examples/llm-shaped", "endpoint/chat", "/llm-shaped/chat/v1/chat/completions",
        json.dumps(CHAT).encode(), gap_s=1.0, before=steadily(1.0),
    ),
    Stack(
        "digits", "examples/digits", "endpoint/digits", "/digits/digits/predict",
        json.dumps(INPUT).encode(), gap_s=1.0, begins=0.6, before=steadily(0.5),
    ),
)  # fmt: skip


@dataclass
class Real:
    """What was measured: the bill in millionths by object, latencies in seconds, what failed, and how long a core was
    waited for, as a part of the time."""

    micros: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    refused: str = ""
    waited: float = 0.0


class Crowd:
    """How busy the machine is: every two seconds a little work is timed."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._work_s = self._took_s = 0.0

    def __enter__(self) -> "Crowd":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def waited(self) -> float:
        return 1 - self._work_s / self._took_s if self._took_s else 0.0

    def _look(self) -> None:
        while not self._ended.wait(2.0):
            began, worked = time.perf_counter(), time.thread_time()
            total = 0
            for number in range(300_000):
                total += number
            self._took_s += time.perf_counter() - began
            self._work_s += time.thread_time() - worked


def trace_of(stack: Stack, length_s: float) -> list[float]:
    """When requests come: by chance from a seed, in two spells with a silence between."""
    chance, at, found = (
        random.Random(stack.name),
        stack.begins * length_s if stack.endpoint else length_s,
        list[float](),
    )
    while at < length_s:
        if not 0.5 * length_s < at < 0.65 * length_s or stack.begins > 0.5:
            found.append(round(at, 3))
        at += chance.expovariate(1 / stack.gap_s)
    return found


class User:
    """The `weyr` command with a data folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def weyr(self, *words: str, is_checked: bool = True) -> str:
        command = [sys.executable, "-m", "weyr.cli.main", "--home", str(self.home), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S, check=False, cwd=ROOT)
        if is_checked and done.returncode:
            sys.exit(f"weyr {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def told(self, *words: str) -> Any:
        return json.loads(self.weyr(*words, "--json"))

    def environment(self) -> dict[str, str]:
        lines = self.weyr("env").splitlines()
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines if "=" in line)
        return {name: value.strip("'\"") for name, value in pairs}


def asked(stack: Stack, came: list[float], began: float, environment: dict[str, str], real: Real) -> None:
    """Sends each request at its moment, each in its own thread: nobody waits for another's answer."""
    host = environment["WEYR_INFERENCE_URL"].removeprefix("http://").rstrip("/")
    headers = {"Authorization": f"Bearer {environment['WEYR_TOKEN']}", "Content-Type": "application/json"}

    def ask() -> None:
        sent = time.monotonic()
        try:
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request("POST" if stack.body else "GET", stack.path, stack.body, headers)
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
        except OSError as e:
            real.failed, real.refused = real.failed + 1, str(e)
            return
        if answer.status == 200:
            real.latencies.append(time.monotonic() - sent)
        else:
            real.failed, real.refused = real.failed + 1, f"{answer.status} {text[:300]!r}"

    threads = []
    for at in came:
        time.sleep(max(0.0, began + at - time.time()))
        threads.append(threading.Thread(target=ask))
        threads[-1].start()
    for thread in threads:
        thread.join()


def micros_of(user: User, stack: Stack) -> dict[str, int]:
    rows = user.told("cost", "--by", "object")["rows"]
    return {row["key"].removeprefix(f"{stack.name}:"): int(row["micros"]) for row in rows}


def until_measured(user: User, stack: Stack) -> dict[str, Any]:
    """Waits until the endpoint's replica is on the bill, and for a while until what a request takes is known: of what
    does not scale nobody learns that. Gives what a rehearsal would assume."""
    began = time.monotonic()
    while True:
        assumed: dict[str, Any] = user.told("simulate", stack.file, "--for", "1s")["assumed"]
        is_billed = not stack.endpoint or micros_of(user, stack).get(stack.endpoint)
        if is_billed and (stack.endpoint in assumed["takes_measured_s"] or time.monotonic() - began > LEARNT_S):
            return assumed
        if time.monotonic() - began > MOST_S:
            sys.exit(f"{stack.endpoint} answered and is on no bill within {MOST_S} s")
        time.sleep(0.5)


def run(user: User, stack: Stack, came: list[float], length_s: float) -> Real:
    """From the moment at which the plan is applied until `length_s` later."""
    user.weyr("server", "start")
    real, environment = Real(), user.environment()
    with Crowd() as crowd:
        up = subprocess.Popen(
            [sys.executable, "-m", "weyr.cli.main", "--home", str(user.home), "up", stack.file, "--yes"],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        began = until_applied(user)
        asked(stack, came, began, environment, real)
        time.sleep(max(0.0, began + length_s - time.time()))
    real.waited = crowd.waited
    real.micros = micros_of(user, stack)
    up.wait(MOST_S)
    return real


def until_applied(user: User) -> float:
    """When its objects are there: how long the command takes until then is nothing that a stack costs."""
    deadline, store = time.time() + MOST_S, f"file:{user.home / 'store.db'}?mode=ro"
    while time.time() < deadline:
        with contextlib.closing(sqlite3.connect(store, uri=True)) as connection:
            if connection.execute("SELECT count(*) FROM objects").fetchone()[0]:
                return time.time()
        time.sleep(0.02)
    sys.exit(f"nothing was applied within {MOST_S} s")


def compared(stack: Stack, length_s: float) -> dict[str, Any]:
    came = trace_of(stack, length_s)
    with tempfile.TemporaryDirectory(prefix="weyr-honest-") as folder:
        user, trace = User(Path(folder) / "home"), Path(folder) / "trace.csv"
        stack = _in_little(stack, Path(folder))
        try:
            user.weyr("up", stack.file, "--yes")
            first = Real()
            if stack.endpoint:
                asked(stack, list(stack.before), time.time(), user.environment(), first)
            if stack.endpoint and not first.latencies:
                sys.exit(f"{stack.endpoint} answered none of {len(stack.before)} requests: {first.refused}")
            assumed = until_measured(user, stack)
            takes_s, way_s = _measured(stack, assumed, sorted(first.latencies))
            trace.write_text(
                "\n".join(["at,object,takes", *(f"{at},{stack.endpoint},{takes_s}" for at in came)]) + "\n"
            )
            words = ["--arrivals", str(trace), "--for", f"{length_s:g}s", "--way", f"{1000 * way_s:.3f}ms"]
            past = user.told("simulate", stack.file, *words)
            user.weyr("down", stack.file, "--yes")
        finally:
            user.weyr("server", "stop", is_checked=False)
        other = User(Path(folder) / "other")
        try:
            real = run(other, stack, came, length_s)
            other.weyr("down", stack.file, "--yes")
        finally:
            other.weyr("server", "stop", is_checked=False)
    return _beside(stack, past["runs"][0], real)


def _in_little(stack: Stack, folder: Path) -> Stack:
    """With fewer epochs, where there are thirty: as long as a run takes on a machine that others use. What is learnt by
    then passes a lower gate."""
    if stack.name != "digits":
        return stack
    copy = folder / stack.name
    shutil.copytree(ROOT / stack.file, copy)
    file = copy / "weyr.yaml"
    file.write_text(file.read_text().replace("--epochs 30", f"--epochs {EPOCHS}").replace(">= 0.95", ">= 0.5"))
    return replace(stack, file=str(copy))


def _measured(stack: Stack, assumed: dict[str, Any], latencies: list[float]) -> tuple[str, float]:
    """What a request takes as the trace says it, "" where the product knows better; and what its way adds."""
    if not stack.endpoint:
        return "", 0.0
    usual = latencies[int(0.25 * len(latencies))]
    known = assumed["takes_measured_s"].get(stack.endpoint)
    if known is None:
        return f"{latencies[0]:.6f}", usual - latencies[0]
    return "", max(0.0, usual - known)


def _beside(stack: Stack, told: dict[str, Any], real: Real) -> dict[str, Any]:
    nobody = {"requests": 0, "dropped": 0, "latency_p50_s": None, "latency_p90_s": None, "latency_p99_s": None}
    serving, ordered = told["serving"].get(stack.endpoint, nobody), sorted(real.latencies)
    actual = sum(real.micros.values())
    return {
        "stack": stack.name,
        "cost_micros": (told["cost"]["total_micros"], actual),
        "cost_off": told["cost"]["total_micros"] / actual - 1 if actual else None,
        "by_object": {
            name: (told["cost"]["by_object_micros"].get(name, 0), micros) for name, micros in real.micros.items()
        },
        "requests": (serving["requests"], len(ordered) + real.failed),
        "failed": (serving["dropped"], real.failed),
        "p50_s": (serving["latency_p50_s"], ordered[len(ordered) // 2] if ordered else None),
        "p90_s": (serving["latency_p90_s"], ordered[int(0.9 * (len(ordered) - 1))] if ordered else None),
        "p99_s": (serving["latency_p99_s"], ordered[int(0.99 * (len(ordered) - 1))] if ordered else None),
        "waited": round(real.waited, 3),
    }


def printed(row: dict[str, Any]) -> None:
    """A row for each figure: what was told, and what was."""
    name = row["stack"]
    print(f"| {name}: of its time a core was waited for | | {row['waited']:.0%} | |")
    print(f"| {name}: cost, USD | {row['cost_micros'][0] / 1e6:.6f} | {row['cost_micros'][1] / 1e6:.6f} |"
          f" {row['cost_off']:+.1%} |")  # fmt: skip
    for of, (told, was) in row["by_object"].items():
        if told or was:
            off = f"{told / was - 1:+.1%}" if was else ""
            print(f"| {name}: {of}, USD | {told / 1e6:.6f} | {was / 1e6:.6f} | {off} |")
    if not row["requests"][1]:
        return
    for key, text in (("requests", "requests"), ("failed", "failed")):
        print(f"| {name}: {text} | {row[key][0]} | {row[key][1]} | |")
    for key in ("p50_s", "p90_s", "p99_s"):
        told, was = row[key]
        pair = f"{1000 * (told or 0):.1f} | {1000 * (was or 0):.1f}"
        print(f"| {name}: {key.removesuffix('_s')}, ms | {pair} | |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--for", dest="length_s", type=float, default=240.0, help="seconds of each run")
    parser.add_argument("--only", default="", help="only this stack")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each stack")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if not options.json:
        print("| | rehearsed | really | off |\n|---|---|---|---|", flush=True)
    for stack in STACKS:
        if options.only in ("", stack.name):
            row = compared(stack, options.length_s)
            print(json.dumps(row), flush=True) if options.json else printed(row)


if __name__ == "__main__":
    main()
