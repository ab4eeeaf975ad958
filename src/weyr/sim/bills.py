"""What did each meter of a task post, beside what the engine says ran? For `checks.wrong_bill`."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from weyr.core.ref import ThingId
from weyr.core.task_usage import task_meters
from weyr.ledger.meters import ms
from weyr.sim.snapshot import Bill
from weyr.sim.tasks import Ran
from weyr.store.ledger import LedgerStore

LINES_MAX = 100_000

End = tuple[ThingId, float | None]
"""A run whose end was told: its task, and its recorded start. A name may be used again after it was forgotten."""


def bills(store: LedgerStore, ran: Iterable[Ran], told: Collection[End]) -> Iterator[Bill]:
    """A bill for each meter of a task; a run that is on no meter is billed nothing."""
    runs: dict[ThingId, list[Ran]] = defaultdict(list)
    for run in ran:
        runs[run.id].append(run)
    posted: dict[int, int] = defaultdict(int)
    with store.db.read() as connection:
        for line in store.lines(connection, lines_max=LINES_MAX):
            posted[line.meter] += line.used
        refs = {id.ref for id in runs}
        meters = [meter for ref in sorted(refs) for meter in store.all_meters_of(connection, ref)]
    metered: set[tuple[ThingId, float]] = set()
    for meter in meters:
        closed_ms = meter.closed_ms if meter.closed_ms is not None else meter.opened_ms
        mine = [run for run in runs[meter.thing] if meter.opened_ms <= ms(run.began_at) <= closed_ms]
        if meter.source is not None and meter.run_since_ms is not None:
            # It was opened when the task was seen on its node, and counts from the start that the node recorded.
            since_ms = meter.run_since_ms
            mine = sorted(runs[meter.thing], key=lambda run: abs(ms(run.started_at) - since_ms))[:1]
        metered |= {(run.id, run.began_at) for run in mine}
        quantity = dict(task_meters(mine[-1].body)).get(meter.sku, 0) if mine else 1
        if meter.source is not None:
            if not meter.quantity:
                continue  # by their clocks, others had all of the node
            quantity = meter.quantity  # its part of a node: what is compared is how long it had it
        is_told = bool(mine) and (meter.thing, mine[-1].started_at) in told
        ahead_ms = max(0, ms(mine[-1].skew_s)) if mine else 0
        yield Bill(meter.thing, meter.sku, quantity, posted[meter.id], _spans(mine), meter.closed_ms, is_told, ahead_ms)
    for run in (run for some in runs.values() for run in some if (run.id, run.began_at) not in metered):
        for sku, quantity in task_meters(run.body):
            yield Bill(run.id, sku, quantity, 0, _spans([run]), None, is_told=False)


def _spans(runs: Iterable[Ran]) -> tuple[tuple[int, int], ...]:
    """From recorded start to recorded end: a bill goes by the clock of the node that the task ran on."""
    ended = [run for run in runs if run.ended_at is not None]
    return tuple((ms(run.started_at), ms((run.ended_at or 0.0) + run.skew_s)) for run in ended)
