"""What came of a rehearsal? Plain values, the same for the same seed: cost by the ledger's own sums, the rest by the
engine's own records."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from weyr.core.decision import Phase
from weyr.core.pools import NodeBody
from weyr.core.ref import Ref
from weyr.core.seen import EndReason
from weyr.core.task_usage import task_meters
from weyr.ledger.grouping import By
from weyr.sim.rehearsal.served import Served
from weyr.sim.rehearsal.world import Rehearsal
from weyr.sim.tasks import Ran

Plain = dict[str, Any]
INTERRUPTED = (EndReason.RECLAIMED, EndReason.LOST, EndReason.NODE_LOST, EndReason.PREEMPTED)


def outcome_of(rehearsal: Rehearsal) -> Plain:
    """Everything that is told of one run. Money is in millionths, times are in seconds."""
    ran = [run for run in rehearsal.engine.tasks.ran() if run.began_at < rehearsal.end]
    by_owner: dict[str, list[Ran]] = defaultdict(list)
    for run in ran:
        by_owner[_owner(rehearsal, run.id.ref)].append(run)
    return {
        "seed": rehearsal.setting.seed,
        "cost": _cost(rehearsal, ran),
        "serving": {
            name: _serving(queue.served, queue.terms.room, by_owner[name], rehearsal.end)
            for name, queue in sorted(rehearsal.doors.queues.items())
        },
        "jobs": {name: _jobs(rehearsal, name, by_owner[f"job/{name}"]) for name in _job_names(rehearsal)},
        "storage": rehearsal.storage.outcome(),
        "pools": _pools(rehearsal, ran),
        "interruptions": _interruptions(ran),
    }


def _owner(rehearsal: Rehearsal, ref: Ref) -> str:
    """The object of the file that one of the world belongs to."""
    run = rehearsal.runs.get(ref)
    return f"job/{run.of}" if run else str(ref)


def _cost(rehearsal: Rehearsal, ran: Iterable[Ran]) -> Plain:
    bill = rehearsal.ledger.cost(rehearsal.stack.name, By.OBJECT, rehearsal.end)
    micros: dict[str, int] = defaultdict(int)
    for row in bill.rows:
        micros[_owner(rehearsal, Ref.parse(row.key))] += row.micros
    book = rehearsal.catalogue.book(rehearsal.stack.price_as)
    skus = {sku for run in ran for sku, _quantity in task_meters(run.body)}
    unpriced = sorted({*bill.unpriced, *(sku for sku in skus if book.price(sku) is None)})
    return {
        "currency": bill.currency,
        "total_micros": bill.total_micros,
        "by_object_micros": dict(sorted(micros.items())),
        "unpriced": unpriced,
    }


def _serving(served: Served, room: int, ran: Sequence[Ran], end: float) -> Plain:
    asked, latencies = served.asked, served.latencies
    alive_s = sum(min(run.ended_at or end, end) - run.began_at for run in ran)
    judged = served.answered + served.dropped
    return {
        "requests": round(asked),
        "late": round(served.late),
        "dropped": round(served.dropped),
        "within_slo": _rounded((served.answered - served.late) / judged) if judged else None,
        "latency_mean_s": _rounded(latencies.mean_s),
        "latency_p50_s": _rounded(latencies.quantile(0.5)),
        "latency_p90_s": _rounded(latencies.quantile(0.9)),
        "latency_p99_s": _rounded(latencies.quantile(0.99)),
        "replica_h": _rounded(alive_s / 3600),
        "starts": len(ran),
        "utilisation": _rounded(served.work_s / (alive_s * room)) if alive_s else None,
    }


def _job_names(rehearsal: Rehearsal) -> list[str]:
    return sorted({run.of for run in rehearsal.runs.values()})


def _jobs(rehearsal: Rehearsal, name: str, ran: Iterable[Ran]) -> Plain:
    runs = [run for run in rehearsal.runs.values() if run.of == name]
    first: dict[Ref, float] = {}
    last: dict[Ref, float] = {}
    for each in ran:
        first[each.id.ref] = min(each.began_at, first.get(each.id.ref, each.began_at))
        if each.ended_at is not None:
            last[each.id.ref] = max(each.ended_at, last.get(each.id.ref, 0.0))
    waits = sorted(first[run.ref] - run.at for run in runs if run.ref in first)
    over = sorted(last[run.ref] - run.at for run in runs if run.ref in rehearsal.ended and run.ref in last)
    ended = [rehearsal.ended[run.ref] for run in runs if run.ref in rehearsal.ended]
    return {
        "asked": len(runs),
        "done": sum(phase is Phase.DONE for phase in ended),
        "failed": sum(phase is not Phase.DONE for phase in ended),
        "open": len(runs) - len(ended),
        "queued_mean_s": _rounded(sum(waits) / len(waits)) if waits else None,
        "queued_p50_s": _rounded(quantile(waits, 0.5)),
        "queued_p99_s": _rounded(quantile(waits, 0.99)),
        "took_mean_s": _rounded(sum(over) / len(over)) if over else None,
        "took_p99_s": _rounded(quantile(over, 0.99)),
    }


def _pools(rehearsal: Rehearsal, ran: Iterable[Ran]) -> Plain:
    """Of each pool, for how long it had nodes, and which part of their devices, or else of their cores, was in use."""
    busy: dict[str, float] = defaultdict(float)
    for run in ran:
        if run.body.node:
            pool = run.body.node.partition("#")[0]
            share = len(run.body.devices) or run.body.cpu
            busy[pool] += share * (min(run.ended_at or rehearsal.end, rehearsal.end) - run.began_at)
    found: Plain = {}
    for ref, spans in sorted(rehearsal.weather.node_spans.items()):
        body: NodeBody = spans.body
        node_s = spans.total_s(rehearsal.end)
        room = (body.devices or body.cpu or rehearsal.setting.room.cpu) * node_s
        used = _rounded(busy[ref.absolute] / room) if room else None
        found[str(ref)] = {"node_h": _rounded(node_s / 3600), "utilisation": used}
    return found


def _interruptions(ran: Iterable[Ran]) -> Plain:
    """Tasks that were taken away, by why; the work of jobs that no checkpoint had; and what those that went on needed
    until they did."""
    counts: dict[str, int] = defaultdict(int)
    lost_s = startup_s = 0.0
    for run in ran:
        startup_s += run.startup_s if run.restored else 0.0
        if run.reason in INTERRUPTED and run.ended_at is not None:
            counts[run.reason.value] += 1
            if run.id.ref.kind == "job":
                lost_s += run.ended_at - run.began_at - run.startup_s - run.kept_s
    return {
        "count": sum(counts.values()),
        "by_reason": dict(sorted(counts.items())),
        "lost_work_s": _rounded(lost_s),
        "startup_again_s": _rounded(startup_s),
    }


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Of values in order: the least that `share` of them are not above."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def ranges_of(outcomes: Sequence[Mapping[str, Any]]) -> Plain:
    """The same shape with, for each number, its mean and the 10th and 90th of a hundred over the outcomes."""
    assert outcomes, "there is nothing to sum up"
    return {key: _range([each.get(key) for each in outcomes]) for key in _keys(outcomes) if key != "seed"}


def _range(values: Sequence[Any]) -> Any:
    some = [value for value in values if value is not None]
    if not some:
        return None
    if all(isinstance(value, Mapping) for value in some):
        return {key: _range([value.get(key) for value in some]) for key in _keys(some)}
    if all(isinstance(value, int | float) for value in some):
        ordered = sorted(some)
        # Nearest ranks: with few seeds the lowest and the highest.
        return {
            "mean": round(sum(some) / len(some), 6),
            "p10": ordered[int(0.1 * (len(ordered) - 1) + 0.5)],
            "p90": ordered[int(0.9 * (len(ordered) - 1) + 0.5)],
        }
    if all(isinstance(value, list) for value in some):
        return sorted({item for value in some for item in value})
    return some[0]


def _keys(values: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for value in values for key in value))
