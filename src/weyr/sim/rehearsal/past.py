"""What did a stack do lately? Its own arrivals and starts, as the product measured them.

Runs of jobs are what the ledger's meters have of them: when each attempt began, and how long it ran. Requests are the
minutes that the autoscaler remembers, at most eight hours, with the time that one took; they are repeated for as long
as is asked for. Of an endpoint that does not scale nobody remembers requests.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from weyr.core.ref import Ref, ThingId
from weyr.scheduling.scaling.arrivals import STEP_S
from weyr.sim.rehearsal.arrivals import SERVING, Arrivals, Burst, JobArrival, arrivals_of
from weyr.stack.stack import Stack
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.ledger import LedgerStore


@dataclass(frozen=True, slots=True)
class Past:
    """`task_s` is how long it took from asking for a task until its program began, in the median; None: nobody saw one.
    `ready_s` is what a start was seen to take, by object (`kind/name`); `takes_s`, a run or a request in the mean.
    `silent` are objects of which nothing is known."""

    arrivals: Arrivals = field(default_factory=Arrivals)
    task_s: float | None = None
    ready_s: Mapping[str, float] = field(default_factory=dict)
    takes_s: Mapping[str, float] = field(default_factory=dict)
    silent: tuple[str, ...] = ()


def past_of(stack: Stack, db: Database, now: float, length_s: float) -> Past:
    """The last `length_s` of a stack, as seconds from their beginning."""
    began, jobs = now - length_s, list[JobArrival]()
    requests: dict[str, list[Burst]] = {}
    ready_s: dict[str, float] = {}
    takes_s: dict[str, float] = {}
    begun: list[float] = []
    with db.read() as connection:
        rows = {row.ref: row for row in kernel.all_objects(connection) if row.ref.stack == stack.name}
        known = _endpoints(kernel.all_learnt(connection))
        for ref in stack.objects:
            begun += _begun(LedgerStore(db), connection, ref)
            if ref.kind == "job":
                runs = _runs(LedgerStore(db), connection, ref)
                jobs += (JobArrival(at - began, ref.name, took) for at, took in runs if at >= began)
                if runs:
                    takes_s[str(ref)] = sum(took for _, took in runs) / len(runs)
            elif ref.kind in SERVING:
                memory = json.loads((rows[ref].memory if ref in rows else None) or "{}")
                if memory.get("start_s"):
                    ready_s[str(ref)] = float(memory["start_s"])
                remembered = known.get(ref.absolute)
                if remembered and remembered["work"]["mean_s"]:
                    takes_s[str(ref)] = float(remembered["work"]["mean_s"])
                if bursts := list(_bursts(remembered, length_s)):
                    requests[str(ref)] = bursts
    arrivals = arrivals_of(jobs, requests)
    asked = {f"job/{job.name}" for job in jobs} | requests.keys()
    silent = tuple(str(ref) for ref in stack.objects if ref.kind in ("job", *SERVING) and str(ref) not in asked)
    return Past(arrivals, round(median(begun), 3) if begun else None, ready_s, takes_s, silent)


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


def _endpoints(learnt: Mapping[str, str]) -> dict[str, Any]:
    """What the autoscaler remembers, by absolute name; what cannot be read is not known."""
    found: dict[str, Any] = {}
    for text in learnt.values():
        try:
            found |= json.loads(text)["scaler"]["endpoints"]
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _bursts(known: Any, length_s: float) -> Any:
    """The remembered minutes, again and again."""
    if not known or not known["arrivals"]["steps"] or not known["work"]["mean_s"]:
        return
    steps, takes_s, at_s = known["arrivals"]["steps"], float(known["work"]["mean_s"]), 0.0
    while at_s < length_s:
        root = steps[int(at_s // STEP_S) % len(steps)]
        if root > 0:
            yield Burst(at_s, root * root * STEP_S, STEP_S, takes_s)
        at_s += STEP_S
