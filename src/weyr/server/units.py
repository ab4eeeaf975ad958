"""What does one of something cost? Unit costs of endpoints, runs, models, datasets and experiments, as JSON."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request

from weyr.core.function_usage import INVOKED
from weyr.core.ref import ThingId
from weyr.core.route_usage import SERVED, TOKENS_IN, TOKENS_OUT
from weyr.ledger.accounts import Scope
from weyr.ledger.grouping import By
from weyr.ledger.ledger import Ledger
from weyr.ledger.meters import ms
from weyr.ledger.prices import CURRENCY
from weyr.ledger.units import Made, Run, Served, Unit, made, micros_of_runs, unit_of, weight_of
from weyr.server.days import days_asked, moments_of
from weyr.server.service import Service
from weyr.tracking.costed import TaskRun

ANSWERING = ("endpoint", "service", "function")


def units_json(service: Service, request: Request) -> dict[str, Any]:
    """Raises: UserError for a word or a day that is none."""
    query = request.query_params
    unit, weight = unit_of(query.get("by", Unit.ENDPOINT.value)), weight_of(query.get("weight", "4"))
    stack, (first, last) = query.get("stack") or None, days_asked(request)
    is_fresh = query.get("fresh") == "1" and unit is Unit.ENDPOINT and _recounted(service, stack)
    now = service.billed_at()
    if unit is Unit.ENDPOINT:
        rows = [_served_json(each, weight) for each in served(service.weyr.ledger, stack, first, last, now)]
    else:
        logged = service.weyr.tracking.task_runs(stack, *moments_of(first, last))
        runs = list(_runs(logged))
        spent = service.weyr.ledger.spent_on({run.task for run in runs}, now)
        micros = micros_of_runs(runs, spent, ms(now))
        if unit is Unit.RUN:
            rows = [_run_json(run, micros[run.id]) for run in runs]
        else:
            rows = [_made_json(each) for each in made(runs, micros, unit)]
    return {"currency": CURRENCY, "by": unit.value, "weight": weight, "rows": rows, "is_fresh": is_fresh}


def _recounted(service: Service, stack: str | None) -> bool:
    """Reads the counters of what answers now, and meters them; else they are read twice a minute, for each reading is
    written. False where nobody looks."""
    if service.wake is None:
        return False
    with service.weyr.lock:
        refs = [ref for ref in service.weyr.world.objects if ref.kind in ANSWERING and stack in (None, ref.stack)]
    for recount in service.weyr.recounts:
        recount()
    service.weyr.loop.look_at(refs, service.now())
    # What was seen may be due for a step long before the loop's thread meant to look again.
    service.wake([])
    return True


def served(ledger: Ledger, stack: str | None, first: str, last: str, now: float) -> list[Served]:
    """Endpoints, services and functions that cost or answered anything in these days, dearest first."""
    bill = ledger.cost(stack, By.OBJECT, now, Scope(stack, first, last or "9999"))
    micros = {row.key: row.micros for row in bill.rows if _is_answering(row.key)}
    counts: dict[str, dict[str, int]] = {}
    for account, counted in ledger.counts(stack, first, last or "9999").items():
        if account.ref.kind in ANSWERING:
            into = counts.setdefault(account.ref.absolute, {})
            for sku, count in counted.items():
                into[sku] = into.get(sku, 0) + count
    found = [Served(key, micros.get(key, 0), *_answered(counts.get(key, {}))) for key in micros.keys() | counts.keys()]
    told = (each for each in found if each.micros or each.requests)
    return sorted(told, key=lambda each: (-each.micros, each.key))


def _answered(counts: Mapping[str, int]) -> tuple[int, int, int]:
    """Answers, tokens read and tokens written; of a function its invocations."""
    served = counts.get(SERVED, 0) + counts.get(INVOKED, 0)
    return served, counts.get(TOKENS_IN, 0), counts.get(TOKENS_OUT, 0)


def _is_answering(key: str) -> bool:
    return key.partition(":")[2].partition("/")[0] in ANSWERING


def _runs(logged: Iterable[TaskRun]) -> Iterable[Run]:
    """Those of tasks whose name can be read: anybody may have written the tag of an imported run."""
    for run in logged:
        try:
            task = ThingId.parse(run.task.removeprefix("task:"))
        except ValueError:
            continue
        yield Run(
            run.id, run.name, run.experiment, run.status, task, run.started_ms, run.ended_ms, run.parent,
            run.datasets, run.models,
        )  # fmt: skip


def _served_json(each: Served, weight: int) -> dict[str, Any]:
    read, written = each.per_million_tokens(weight)
    return {
        "key": each.key,
        "micros": each.micros,
        "requests": each.requests,
        "tokens_in": each.tokens_in,
        "tokens_out": each.tokens_out,
        "per_thousand_requests_micros": each.per_thousand_requests,
        "per_million_tokens_in_micros": read,
        "per_million_tokens_out_micros": written,
    }


def _run_json(run: Run, micros: int) -> dict[str, Any]:
    return {
        "key": run.id,
        "micros": micros,
        "name": run.name,
        "experiment": run.experiment,
        "status": run.status,
        "task": str(run.task),
        "started_at": run.started_ms / 1000,
        "ended_at": None if run.ended_ms is None else run.ended_ms / 1000,
    }


def _made_json(each: Made) -> dict[str, Any]:
    return {"key": each.key, "micros": each.micros, "runs": each.runs, "per_run_micros": each.per_run}
