"""What did a stack do lately? Its own arrivals and starts, as the product measured them.

Runs of jobs are what the ledger's meters have of them: when each attempt began, and how long it ran. Requests are the
minutes that the autoscaler remembers, at most eight hours; they are repeated for as long as is asked for. Of an
endpoint that does not scale nobody remembers when requests came; how long they took is known of it too. What buckets
were asked is what their meters counted, evenly over the time since.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weyr.core.ref import Ref, ThingId
from weyr.reconcile.work_learnt import PREFIX, read
from weyr.scheduling.scaling.arrivals import STEP_S
from weyr.sim.rehearsal.arrivals import SERVING, Arrivals, Burst, JobArrival, Moved, arrivals_of
from weyr.sim.rehearsal.setting import Startup
from weyr.sim.rehearsal.spread import Spread
from weyr.stack.stack import Stack
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.ledger import LedgerStore

WRITES, READS, NEAR, FAR = "requests.write", "requests.read", "egress.local", "egress.far"


@dataclass(frozen=True, slots=True)
class Past:
    """`task_s` is how long it took from asking for a task until its program began, of a quarter of them at most: others
    may have stood in line for room, which is no start. None: nobody saw one.
    `ready_s` is what the latest starts took, by object (`kind/name`); `takes_s`, a run or a request in the mean, and
    `spread`, how unlike requests were, where enough were measured. `startup` is what attempts of jobs needed before
    they went on.
    `silent` are objects of which nothing is known."""

    arrivals: Arrivals = field(default_factory=Arrivals)
    task_s: float | None = None
    ready_s: Mapping[str, Sequence[float]] = field(default_factory=dict)
    takes_s: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, Spread] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    startup: Mapping[str, Startup] = field(default_factory=dict)


def past_of(stack: Stack, db: Database, now: float, length_s: float) -> Past:
    """The last `length_s` of a stack, as seconds from their beginning."""
    began, jobs = now - length_s, list[JobArrival]()
    requests: dict[str, list[Burst]] = {}
    ready_s: dict[str, Sequence[float]] = {}
    takes_s: dict[str, float] = {}
    spread: dict[str, Spread] = {}
    moves: dict[str, list[Moved]] = {}
    startup: dict[str, Startup] = {}
    begun: list[float] = []
    with db.read() as connection:
        rows = {row.ref: row for row in kernel.all_objects(connection) if row.ref.stack == stack.name}
        learnt = kernel.all_learnt(connection)
        known = _endpoints(learnt)
        for ref in stack.objects:
            memory = json.loads((rows[ref].memory if ref in rows else None) or "{}")
            begun += _begun(LedgerStore(db), connection, ref)
            if ref.kind == "job":
                runs = _runs(LedgerStore(db), connection, ref)
                jobs += (JobArrival(at - began, ref.name, took) for at, took in runs if at >= began)
                if runs:
                    takes_s[str(ref)] = sum(took for _, took in runs) / len(runs)
                if memory.get("startups"):
                    startup[str(ref)] = Startup(float(memory["startup_s"]), int(memory["startups"]))
            elif ref.kind == "bucket":
                moves |= _moves(LedgerStore(db), connection, ref, now, length_s)
            elif ref.kind in SERVING:
                if memory.get("start_s"):
                    ready_s[str(ref)] = [float(each) for each in memory.get("starts") or [memory["start_s"]]]
                remembered = known.get(ref.absolute)
                if remembered and remembered["work"]["mean_s"]:
                    takes_s[str(ref)] = float(remembered["work"]["mean_s"])
                # What all that it worked on took counts for more than the last minute of it.
                if (work := read(learnt.get(f"{PREFIX}{ref.absolute}", ""))) and work.count and work.sum_s:
                    takes_s[str(ref)] = work.sum_s / work.count
                    if found := Spread.of(work.classes):
                        spread[str(ref)] = found
                if bursts := list(_bursts(remembered, length_s, takes_s.get(str(ref)))):
                    requests[str(ref)] = bursts
    arrivals = arrivals_of(jobs, requests, moves)
    asked = {f"job/{job.name}" for job in jobs} | requests.keys()
    silent = tuple(str(ref) for ref in stack.objects if ref.kind in ("job", *SERVING) and str(ref) not in asked)
    task_s = round(sorted(begun)[len(begun) // 4], 3) if begun else None
    return Past(arrivals, task_s, ready_s, takes_s, spread, silent, startup)


def _begun(store: LedgerStore, connection: Any, ref: Ref) -> list[float]:
    """Of each task, how long after it was asked for its program began: a meter opens with the intent."""
    meters = [meter for meter in store.all_meters_of(connection, ref) if meter.sku.startswith("task.cpu")]
    return [(meter.run_since_ms - meter.opened_ms) / 1000 for meter in meters if meter.run_since_ms]


def _runs(store: LedgerStore, connection: Any, ref: Ref) -> list[tuple[float, float]]:
    """When each attempt began, and for how long it ran: those that are over."""
    spans: dict[ThingId, tuple[float, float]] = {}
    for meter in store.all_meters_of(connection, ref):
        if meter.run_since_ms is not None and meter.until_ms is not None:
            spans[meter.thing] = meter.run_since_ms / 1000, (meter.until_ms - meter.run_since_ms) / 1000
    return sorted(spans.values())


def _moves(store: LedgerStore, connection: Any, ref: Ref, now: float, length_s: float) -> dict[str, list[Moved]]:
    """By bucket and verb. What it holds now came with its writes; what left it elsewhere is its share of the reads."""
    meters = {meter.sku: meter for meter in store.all_meters_of(connection, ref)}
    if WRITES not in meters:
        return {}
    over_s = min(length_s, max(1.0, now - meters[WRITES].opened_ms / 1000))
    share = over_s / max(1.0, now - meters[WRITES].opened_ms / 1000)
    count = {sku: meter.counted * share for sku, meter in meters.items()}
    held = sum(meter.quantity for sku, meter in meters.items() if sku.startswith("storage.")) * share
    # What is asked of a storage class has a SKU of its own, which begins as that of all others.
    writes, reads, far, near = (
        sum(many for sku, many in count.items() if sku == of or sku.startswith(f"{of}."))
        for of in (WRITES, READS, FAR, NEAR)
    )
    far_reads = reads * far / (far + near) if far else 0.0
    found = {"write": (writes, held), "read": (reads - far_reads, near), "egress": (far_reads, far)}
    at_s = length_s - over_s
    return {
        f"{ref}:{verb}": [Moved(at_s, each, over_s, size / each)] for verb, (each, size) in found.items() if each > 0
    }


def _endpoints(learnt: Mapping[str, str]) -> dict[str, Any]:
    """What the autoscaler remembers, by absolute name; what cannot be read is not known."""
    found: dict[str, Any] = {}
    for text in learnt.values():
        try:
            found |= json.loads(text)["scaler"]["endpoints"]
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _bursts(known: Any, length_s: float, takes_s: float | None) -> Iterator[Burst]:
    """The remembered minutes, again and again."""
    if not known or not known["arrivals"]["steps"] or not takes_s:
        return
    steps, at_s = known["arrivals"]["steps"], 0.0
    while at_s < length_s:
        root = steps[int(at_s // STEP_S) % len(steps)]
        if root > 0:
            yield Burst(at_s, root * root * STEP_S, STEP_S, takes_s)
        at_s += STEP_S
