"""One stack: brought up once to be measured, rehearsed from that, and then really run with the same requests."""

import contextlib
import json
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from honest_stacks import ROOT, Stack, trace_of
from honest_user import MOST_S, PICTURE, Crowd, Failed, Real, User, ask

LEARNT_S = 30.0
MANY = 20
"""Of fewer requests nobody says how unlike they are."""
NOTICE_S = 2.0
SPOT_STEP_S = 0.5
LATER = 1.35
"""What is asked of what was trained comes so many times later than that was up the first time."""
SMALL_BYTES = 3085


@dataclass
class Measured:
    """What is told to a rehearsal beside what the data folder knows: when the requests begin and all ends, what a
    request takes where the product does not know it ("" where it does), what its way adds, what buckets were asked, and
    when the job's node is taken away."""

    begins_s: float
    length_s: float
    takes: str = ""
    way_s: float = 0.0
    moved: dict[str, dict[str, float]] = field(default_factory=dict)
    taken_at_s: float | None = None


@dataclass
class Row:
    """A stack's comparison; `why_not` where there is none."""

    stack: Stack
    told: dict[str, Any] = field(default_factory=dict)
    reals: list[Real] = field(default_factory=list)
    why_not: str = ""


def compared(stack: Stack, times: int, seeds: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="weyr-honest-") as name:
        folder = Path(name)
        stack = stack.made(stack, folder)
        user = User(folder / "home")
        with _down(user, stack):
            measured = _measured(user, stack)
            told = _rehearsed(user, stack, measured, folder, seeds)
        row = Row(stack, told)
        for number in range(times):
            other = User(folder / f"other-{number}")
            with _down(other, stack):
                other.weyr("server", "start")
                row.reals.append(_run(other, stack, measured))
    return row


@contextlib.contextmanager
def _down(user: User, stack: Stack) -> Any:
    """Whatever happens, nothing of it is left running."""
    try:
        yield
        user.weyr("down", stack.file, "--yes")
    except BaseException:
        user.weyr("down", stack.file, "--yes", is_checked=False)
        raise
    finally:
        user.weyr("server", "stop", is_checked=False)


def _measured(user: User, stack: Stack) -> Measured:
    began = time.monotonic()
    user.weyr("up", stack.file, "--yes")
    up_s, first = time.monotonic() - began, Real()
    if stack.before:
        ask(user, stack, list(stack.before), time.time(), first)
        if not first.latencies:
            raise Failed(f"{stack.asked} answered none of {len(stack.before)} requests: {first.refused}")
    assumed = _until_learnt(user, stack)
    jobs_s = user.jobs_s() or 0.0
    begins_s = LATER * up_s + 5.0 if stack.trains and stack.asked else 0.125 * stack.for_s
    length_s = begins_s + stack.for_s if stack.trains and stack.asked else stack.for_s
    measured = Measured(begins_s, length_s, moved=assumed["moved_measured"] if stack.trains else {})
    if stack.is_taken:
        measured.taken_at_s, measured.length_s = jobs_s / 2, max(length_s, 2.5 * jobs_s + 20)
    if stack.asked:
        _time_requests(stack, assumed, sorted(first.latencies), measured)
    return measured


def _time_requests(stack: Stack, assumed: dict[str, Any], latencies: list[float], measured: Measured) -> None:
    """What a request's way adds is what is missing from what the product says that it takes, in the median."""
    spread, mean = assumed["takes_spread"].get(stack.asked), assumed["takes_measured_s"].get(stack.asked)
    if mean is None:
        measured.takes = f"{latencies[0]:.6f}"
        measured.way_s = _usual(stack, latencies) - latencies[0]
    else:
        usual_s = mean * spread["p50"] if spread else mean
        # That an event waits to be told is known to the rehearsal, and no part of the way.
        usual_s += assumed["event_within_s"] / 2 if stack.uploaded else 0.0
        measured.way_s = max(0.0, _usual(stack, latencies) - usual_s)


def _usual(stack: Stack, latencies: list[float]) -> float:
    """What an answer takes that had no cold start."""
    return latencies[int((0.25 if stack.sleeps else 0.5) * (len(latencies) - 1))]


def _until_learnt(user: User, stack: Stack) -> dict[str, Any]:
    """Waits until what it asks is on the bill, and for a while until what a request takes is known. Gives what a
    rehearsal would assume."""
    began = time.monotonic()
    while True:
        assumed: dict[str, Any] = user.told("simulate", stack.file, "--for", "1h")["assumed"]
        if not stack.asked:
            return assumed
        has_many = stack.asked in assumed["takes_spread"] or len(stack.before) < MANY
        is_learnt = has_many and stack.asked in assumed["takes_measured_s"]
        is_learnt = is_learnt or time.monotonic() - began > LEARNT_S
        if user.micros().get(stack.asked) and is_learnt:
            return assumed
        if time.monotonic() - began > MOST_S:
            raise Failed(f"{stack.asked} answered and is on no bill within {MOST_S:g} s")
        time.sleep(1.0)


def _rehearsed(user: User, stack: Stack, measured: Measured, folder: Path, seeds: int) -> dict[str, Any]:
    trace = folder / "trace.csv"
    trace.write_text("\n".join(["at,object,takes,count,over,size", *_lines(stack, measured)]) + "\n")
    words = ["--arrivals", str(trace), "--for", f"{measured.length_s:g}s", "--way", f"{1000 * measured.way_s:.3f}ms"]
    if measured.taken_at_s is not None:
        spot = folder / "spot.json"
        data = [1] * round(measured.taken_at_s / SPOT_STEP_S)
        spot.write_text(json.dumps({"metadata": {"gap_seconds": SPOT_STEP_S}, "data": [*data, 0, *[1] * 10_000]}))
        words += ["--spot-trace", str(spot), "--notice", f"{NOTICE_S:g}s"]
    told: dict[str, Any] = user.told("simulate", stack.file, *words, "--seeds", str(seeds))
    return told


def _lines(stack: Stack, measured: Measured) -> list[str]:
    lines = []
    for at in trace_of(stack, measured.begins_s, measured.length_s):
        if not stack.uploaded:
            lines.append(f"{at},{stack.asked},{measured.takes},,,")
        else:
            # What is uploaded calls the function: nobody has to say so.
            lines += [f"{at},bucket/photos,,,,{len(PICTURE)}", f"{at},bucket/photos:read,,,,{len(PICTURE)}"]
            lines.append(f"{at},bucket/thumbs,,,,{SMALL_BYTES}")
    over_s = measured.length_s - 5.0
    for name, moved in measured.moved.items():
        size = round(moved["bytes"] / moved["count"])
        lines.append(f"0,{name},,{moved['count']},{over_s:g},{size}")
    return lines


def _run(user: User, stack: Stack, measured: Measured) -> Real:
    """From the moment at which the plan is applied until the length is over."""
    real, moments = Real(), trace_of(stack, measured.begins_s, measured.length_s)
    user.environment()
    with Crowd() as crowd:
        up = subprocess.Popen(
            user.command("up", stack.file, "--yes"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        began = user.until_applied()
        taker = threading.Timer(measured.taken_at_s or 0.0, _take, (user, stack, real))
        if measured.taken_at_s is not None:
            taker.start()
        ask(user, stack, moments, began, real)
        time.sleep(max(0.0, began + measured.length_s - time.time()))
        real.micros = user.micros()
    real.waited, real.jobs_s = crowd.waited, user.jobs_s()
    up.wait(MOST_S)
    return real


def _take(user: User, stack: Stack, real: Real) -> None:
    """Takes the node of its job away."""
    job = user.rows("SELECT DISTINCT stack, name FROM meters WHERE kind = 'job'")
    try:
        user.weyr("chaos", "reclaim", f"{job[0][0]}:job/{job[0][1]}", "--notice", f"{NOTICE_S:g}s")
    except Failed as e:
        real.failed, real.refused = real.failed + 1, str(e)
